-- What waits for a person, what changed since a moment and what days brought, without reading all rows.

CREATE INDEX finding_by_class_state ON finding (class, state);
CREATE INDEX finding_by_owner_state ON finding (owner, state);
CREATE INDEX finding_asked ON finding (state) WHERE asked IS NOT NULL;
CREATE INDEX change_by_time ON change (recorded_at, change_id);
CREATE INDEX change_by_kind ON change (kind, recorded_at);
CREATE INDEX finding_event_by_time ON finding_event (recorded_at);
