-- Two indexes do what four did: findings of a class or of an owner are found by the first column of the one that also
-- counts them by state.

DROP INDEX finding_by_class;
DROP INDEX finding_by_class_state;
DROP INDEX finding_by_owner;
DROP INDEX finding_by_owner_state;
CREATE INDEX finding_by_class ON finding (class, state, finding_id);
CREATE INDEX finding_by_owner ON finding (owner, state, finding_id);
