-- SNMP contexts at one address are places of their own, as those of routing instances are. A constraint cannot be
-- changed in place, so the table is made anew; every row keeps its key and stands in the default context.

CREATE TABLE element_in_context (
    element_id          TEXT PRIMARY KEY,
    site                TEXT NOT NULL,
    address             TEXT NOT NULL,
    port                BIGINT NOT NULL,
    context             TEXT NOT NULL,      -- '': the default one
    name                TEXT NOT NULL,      -- declared, else told, else the address
    recorded_at         BIGINT NOT NULL,
    latest_digest       TEXT,
    latest_completeness TEXT,
    complete_digest     TEXT,
    complete_from       BIGINT,
    partial_digest      TEXT,
    partial_from        BIGINT,
    last_report_at      BIGINT,
    last_answer_at      BIGINT,
    last_walk_at        BIGINT,             -- agent's clock at the last answered walk
    UNIQUE (site, address, port, context)
);
INSERT INTO element_in_context SELECT element_id, site, address, port, '', name, recorded_at, latest_digest,
    latest_completeness, complete_digest, complete_from, partial_digest, partial_from, last_report_at,
    last_answer_at, last_walk_at FROM element;
DROP TABLE element;
ALTER TABLE element_in_context RENAME TO element;
CREATE INDEX element_by_name ON element (name, element_id);
CREATE INDEX element_by_complete ON element (complete_digest);
CREATE INDEX element_by_partial ON element (partial_digest);
CREATE INDEX element_by_site ON element (site, name, element_id);
