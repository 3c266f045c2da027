-- Waivers as a list of their own, and an audit log whose rows hold on to each other.

-- Every waiver that was ever asked for from now on; written only in the transaction that writes the finding's event.
CREATE TABLE waiver (
    waiver_id   TEXT PRIMARY KEY,
    finding_id  TEXT NOT NULL REFERENCES finding (finding_id),
    state       TEXT NOT NULL,              -- asked, in_force, expired, refused, taken_back, replaced, closed
    last_day    TEXT NOT NULL,              -- YYYY-MM-DD
    reason      TEXT NOT NULL,
    class       TEXT NOT NULL,              -- what the finding said when it was asked for
    asked_by    TEXT NOT NULL,
    asked_at    BIGINT NOT NULL,
    approved_by TEXT,
    approved_at BIGINT,
    ended_by    TEXT,                       -- NULL where nobody ended it: it ran out, or its finding closed
    ended_at    BIGINT
);
CREATE INDEX waiver_by_state ON waiver (state, last_day, waiver_id);
CREATE INDEX waiver_by_finding ON waiver (finding_id, state);

-- What ended before today stands in the life of its finding alone.
INSERT INTO waiver (waiver_id, finding_id, state, last_day, reason, class, asked_by, asked_at, approved_by, approved_at)
SELECT f.finding_id || '.' || 'in_force', f.finding_id, 'in_force', json_extract(f.waiver, '$.until'),
    json_extract(f.waiver, '$.reason'), json_extract(f.waiver, '$.class'), json_extract(f.waiver, '$.asked_by'),
    COALESCE((SELECT MAX(v.recorded_at) FROM finding_event v WHERE v.finding_id = f.finding_id
        AND v.kind = 'waived'), f.recorded_at),
    json_extract(f.waiver, '$.approved_by'),
    (SELECT MAX(v.recorded_at) FROM finding_event v WHERE v.finding_id = f.finding_id AND v.kind = 'waived')
FROM finding f WHERE f.waiver IS NOT NULL;
INSERT INTO waiver (waiver_id, finding_id, state, last_day, reason, class, asked_by, asked_at)
SELECT f.finding_id || '.' || 'asked', f.finding_id, 'asked', json_extract(f.asked, '$.until'),
    json_extract(f.asked, '$.reason'), json_extract(f.asked, '$.class'), json_extract(f.asked, '$.asked_by'),
    COALESCE((SELECT MAX(v.recorded_at) FROM finding_event v WHERE v.finding_id = f.finding_id
        AND v.kind = 'waiver_asked'), f.recorded_at)
FROM finding f WHERE f.asked IS NOT NULL;

-- Each row bears the sum of the one before and its own; rows that have none yet get theirs at the next write.
ALTER TABLE audit ADD COLUMN place BIGINT;
ALTER TABLE audit ADD COLUMN previous TEXT;
ALTER TABLE audit ADD COLUMN sum TEXT;
CREATE UNIQUE INDEX audit_by_place ON audit (place) WHERE place IS NOT NULL;
CREATE INDEX audit_unsealed ON audit (audit_id) WHERE place IS NULL;
CREATE INDEX audit_by_time ON audit (recorded_at, audit_id);
CREATE INDEX audit_by_person ON audit (person, recorded_at, audit_id);
CREATE INDEX audit_by_action ON audit (action, recorded_at, audit_id);
CREATE TABLE audit_subject (
    subject     TEXT NOT NULL,
    audit_id    TEXT NOT NULL,
    PRIMARY KEY (subject, audit_id)
) WITHOUT ROWID;
INSERT INTO audit_subject (subject, audit_id) SELECT DISTINCT j.value, a.audit_id FROM audit a, json_each(a.subjects) j;
