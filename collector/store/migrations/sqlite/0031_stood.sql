-- How elements and findings stood at the end of each day (UTC), as recorded by then: what lists of a past day are made
-- of. One row for each stretch of days at whose ends nothing that a list shows was another.

CREATE TABLE element_stood (
    stood_id            TEXT PRIMARY KEY,   -- UUID
    element_id          TEXT NOT NULL,
    stood_from          BIGINT NOT NULL,    -- midnight before the first of these days
    stood_until         BIGINT NOT NULL,    -- midnight before the first day after them; the largest number: it stands so
    site                TEXT NOT NULL,
    name                TEXT NOT NULL,
    role                TEXT,
    latest_completeness TEXT,
    standing            TEXT,               -- NULL: not judged yet
    digest              TEXT,
    knowledge           TEXT,
    UNIQUE (element_id, stood_from)
);

CREATE TABLE finding_stood (
    stood_id      TEXT PRIMARY KEY,         -- UUID
    finding_id    TEXT NOT NULL,
    stood_from    BIGINT NOT NULL,
    stood_until   BIGINT NOT NULL,
    class         TEXT NOT NULL,
    severity      TEXT NOT NULL,
    severity_rank BIGINT NOT NULL,
    state         TEXT NOT NULL,
    owner         TEXT,
    waiver        TEXT,
    asked         TEXT,
    removal       TEXT,
    ending        TEXT,
    due_by        TEXT NOT NULL,
    confidence    DOUBLE PRECISION NOT NULL,
    opened_at     BIGINT NOT NULL,
    closed_at     BIGINT,
    revision      BIGINT NOT NULL,
    digest        TEXT,
    knowledge     TEXT NOT NULL,
    result        TEXT NOT NULL,
    UNIQUE (finding_id, stood_from)
);

-- Since when these are kept: a store that is older has no lists of the days before.
CREATE TABLE stood_since (
    at BIGINT NOT NULL
);
INSERT INTO stood_since (at)
    SELECT CASE WHEN EXISTS (SELECT 1 FROM element)
        THEN CAST(strftime('%s', 'now', 'start of day') AS BIGINT) * 1000000 ELSE 0 END;

INSERT INTO element_stood (stood_id, element_id, stood_from, stood_until, site, name, role, latest_completeness,
        standing, digest, knowledge)
    SELECT e.element_id, e.element_id, n.at, 9223372036854775807, e.site, e.name, d.role, e.latest_completeness,
        j.standing, j.digest, j.knowledge
    FROM stood_since n, element e
    LEFT JOIN declaration d ON d.element_id = e.element_id AND d.superseded_at IS NULL
    LEFT JOIN judgement j ON j.element_id = e.element_id;
INSERT INTO finding_stood (stood_id, finding_id, stood_from, stood_until, class, severity, severity_rank, state, owner,
        waiver, asked, removal, ending, due_by, confidence, opened_at, closed_at, revision, digest, knowledge, result)
    SELECT f.finding_id, f.finding_id, n.at, 9223372036854775807, f.class, f.severity, f.severity_rank, f.state, f.owner,
        f.waiver, f.asked, f.removal, f.ending, f.due_by, f.confidence, f.opened_at, f.closed_at, f.revision, f.digest,
        f.knowledge, f.result
    FROM stood_since n, finding f;

-- Lists are walked in these orders.
CREATE INDEX element_stood_by_name ON element_stood (name, stood_id);
CREATE INDEX element_stood_by_site ON element_stood (site, name, stood_id);
CREATE INDEX finding_stood_by_urgency ON finding_stood (severity_rank, stood_id);
CREATE INDEX finding_stood_by_due ON finding_stood (due_by, stood_id);
CREATE INDEX finding_stood_by_opened ON finding_stood (opened_at, stood_id);
