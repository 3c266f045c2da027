-- The house, first version. Times are microseconds since 1970 in UTC. Keys are
-- made by us. `valid_*` and `from/until` are when a fact held (agent's clock),
-- `recorded_at` is when we learned it (collector's clock).

CREATE TABLE site (
    name          TEXT PRIMARY KEY,
    title         TEXT NOT NULL,
    jurisdictions TEXT NOT NULL,            -- blank between codes
    latitude      DOUBLE PRECISION,
    longitude     DOUBLE PRECISION,
    recorded_at   BIGINT NOT NULL
);

-- ── the line ──

CREATE TABLE agent (
    agent_id          TEXT PRIMARY KEY,
    site              TEXT NOT NULL,
    version           TEXT NOT NULL,
    clock_skew_micros BIGINT NOT NULL,
    first_seen_at     BIGINT NOT NULL,
    last_seen_at      BIGINT NOT NULL
);

CREATE TABLE agent_cursor (
    agent_id       TEXT NOT NULL,
    epoch          TEXT NOT NULL,
    start_sequence BIGINT NOT NULL,         -- first sequence that was ours to get
    acked_sequence BIGINT NOT NULL,
    report_count   BIGINT NOT NULL,         -- rows in report, kept with them
    refused_count  BIGINT NOT NULL,
    recorded_at    BIGINT NOT NULL,
    PRIMARY KEY (agent_id, epoch)
);

CREATE TABLE report (
    agent_id     TEXT NOT NULL,
    epoch        TEXT NOT NULL,
    sequence     BIGINT NOT NULL,
    verdict      TEXT NOT NULL,             -- stored, refused, wanted
    reason       TEXT,                      -- when refused
    element_id   TEXT,
    started_at   BIGINT,
    finished_at  BIGINT,
    completeness TEXT,
    digest       TEXT,
    readings     TEXT,                      -- JSON: values that change every round
    requests     BIGINT,
    retries      BIGINT,
    varbinds     BIGINT,
    recorded_at  BIGINT NOT NULL,
    PRIMARY KEY (agent_id, epoch, sequence)
);
CREATE INDEX report_by_element ON report (element_id, finished_at);

-- ── evidence ──

CREATE TABLE evidence (
    digest      TEXT PRIMARY KEY,           -- SHA-256 over the bytes before compression
    size        BIGINT NOT NULL,            -- of those bytes
    body        BLOB NOT NULL,              -- zstd
    recorded_at BIGINT NOT NULL
);

CREATE TABLE element (
    element_id          TEXT PRIMARY KEY,
    site                TEXT NOT NULL,
    address             TEXT NOT NULL,
    port                BIGINT NOT NULL,
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
    UNIQUE (site, address, port)
);
CREATE INDEX element_by_name ON element (name, element_id);
CREATE INDEX element_by_complete ON element (complete_digest);
CREATE INDEX element_by_partial ON element (partial_digest);

CREATE TABLE sighting (
    element_id    TEXT NOT NULL,
    valid_from    BIGINT NOT NULL,
    valid_until   BIGINT NOT NULL,
    digest        TEXT NOT NULL,
    completeness  TEXT NOT NULL,
    rounds        BIGINT NOT NULL,
    agent_id      TEXT NOT NULL,            -- of the last round
    epoch         TEXT NOT NULL,
    sequence      BIGINT NOT NULL,
    recorded_at   BIGINT NOT NULL,
    PRIMARY KEY (element_id, valid_from, digest)
);

-- ── the operator's facts ──

CREATE TABLE declaration (
    element_id    TEXT NOT NULL,
    recorded_at   BIGINT NOT NULL,
    superseded_at BIGINT,                   -- NULL: as known now
    valid_from    BIGINT NOT NULL,
    name          TEXT NOT NULL,
    role          TEXT,
    generations   TEXT NOT NULL,
    tags          TEXT NOT NULL,
    acquired      TEXT,
    PRIMARY KEY (element_id, recorded_at)
);

-- ── conclusions: can be thrown away and rebuilt ──

CREATE TABLE identification (
    digest           TEXT NOT NULL,
    knowledge        TEXT NOT NULL,
    maker_id         TEXT,
    maker_name       TEXT,
    maker_confidence DOUBLE PRECISION NOT NULL,
    brand_id         TEXT,
    brand_name       TEXT,
    brand_confidence DOUBLE PRECISION NOT NULL,
    model            TEXT,
    serial           TEXT,
    unit             TEXT NOT NULL,         -- JSON
    claims           TEXT NOT NULL,         -- JSON
    doubts           TEXT NOT NULL,         -- JSON
    component_count  BIGINT NOT NULL,
    named_count      BIGINT NOT NULL,
    recorded_at      BIGINT NOT NULL,
    PRIMARY KEY (digest, knowledge)
);

CREATE TABLE component (
    digest           TEXT NOT NULL,
    knowledge        TEXT NOT NULL,
    position         BIGINT NOT NULL,
    component_index  TEXT NOT NULL,
    parent           TEXT,
    class            TEXT NOT NULL,
    name             TEXT NOT NULL,
    description      TEXT NOT NULL,
    model            TEXT NOT NULL,
    serial           TEXT NOT NULL,
    revision         TEXT NOT NULL,
    maker_id         TEXT,
    maker_name       TEXT,
    maker_confidence DOUBLE PRECISION NOT NULL,
    brand_id         TEXT,
    brand_name       TEXT,
    brand_confidence DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (digest, knowledge, position)
);
CREATE INDEX component_by_maker ON component (maker_id);

CREATE TABLE unit (
    unit_id     TEXT PRIMARY KEY,
    identity    TEXT NOT NULL,              -- JSON
    serial      TEXT,
    maker_id    TEXT,
    maker_name  TEXT,
    recorded_at BIGINT NOT NULL
);

CREATE TABLE tenure (
    element_id  TEXT NOT NULL,
    unit_id     TEXT NOT NULL,
    valid_from  BIGINT NOT NULL,
    valid_until BIGINT,                     -- NULL: now
    recorded_at BIGINT NOT NULL,
    PRIMARY KEY (element_id, valid_from, unit_id)
);

CREATE TABLE judgement (
    element_id  TEXT PRIMARY KEY,
    standing    TEXT NOT NULL,
    digest      TEXT,
    knowledge   TEXT NOT NULL,
    policies    TEXT NOT NULL,
    as_of       TEXT NOT NULL,
    results     TEXT NOT NULL,              -- JSON, those that bind nobody too
    recorded_at BIGINT NOT NULL
);

CREATE TABLE finding (
    finding_id    TEXT PRIMARY KEY,
    element_id    TEXT NOT NULL,
    rule          TEXT NOT NULL,
    component     TEXT NOT NULL,            -- '' is the unit
    jurisdiction  TEXT NOT NULL,
    supplier      TEXT NOT NULL,
    class         TEXT NOT NULL,
    severity      TEXT NOT NULL,
    severity_rank BIGINT NOT NULL,          -- 0 is most urgent
    deadline      TEXT,
    state         TEXT NOT NULL,
    result        TEXT NOT NULL,            -- JSON
    digest        TEXT,
    knowledge     TEXT NOT NULL,
    policies      TEXT NOT NULL,
    as_of         TEXT NOT NULL,
    opened_at     BIGINT NOT NULL,
    closed_at     BIGINT,
    recorded_at   BIGINT NOT NULL,
    UNIQUE (element_id, rule, component, supplier)
);
CREATE INDEX finding_by_urgency ON finding (severity_rank, finding_id);

CREATE TABLE finding_event (
    finding_id  TEXT NOT NULL,
    event_id    TEXT NOT NULL,
    kind        TEXT NOT NULL,
    cause       TEXT NOT NULL,
    text        TEXT NOT NULL,
    recorded_at BIGINT NOT NULL,
    PRIMARY KEY (finding_id, event_id)
);

CREATE TABLE change (
    change_id   TEXT PRIMARY KEY,           -- UUIDv7: in order of recording
    kind        TEXT NOT NULL,
    element_id  TEXT NOT NULL,
    text        TEXT NOT NULL,
    cause       TEXT NOT NULL,
    recorded_at BIGINT NOT NULL
);

-- ── the queues between stages ──

CREATE TABLE undone (
    stage    TEXT NOT NULL,
    key      TEXT NOT NULL,
    revision BIGINT NOT NULL,
    since    BIGINT NOT NULL,
    PRIMARY KEY (stage, key)
);
CREATE INDEX undone_by_age ON undone (stage, since);

CREATE TABLE stage_version (
    stage       TEXT PRIMARY KEY,
    version     TEXT NOT NULL,
    recorded_at BIGINT NOT NULL
);
