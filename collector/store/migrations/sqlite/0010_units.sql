-- Hardware over time and places. Tenures, keys and doubts are conclusions and are made anew; decisions are the
-- operator's and refer to hardware by where it stood and a word it told.

DROP TABLE tenure;
DROP TABLE unit;

ALTER TABLE identification ADD COLUMN hardware TEXT;    -- JSON; NULL: concluded before this was kept
CREATE INDEX sighting_by_digest ON sighting (digest);
CREATE INDEX change_by_element ON change (element_id, kind);

CREATE TABLE tenure (
    element_id   TEXT NOT NULL,
    slot         BIGINT NOT NULL,           -- number in the history of the element, from 0
    unit_id      TEXT NOT NULL,
    valid_from   BIGINT NOT NULL,
    valid_until  BIGINT,                    -- NULL: now
    seen_until   BIGINT NOT NULL,           -- last sighting when this was concluded
    first_digest TEXT NOT NULL,
    last_digest  TEXT NOT NULL,
    replaces     BIGINT,                    -- slot of what stood there before
    member       BIGINT NOT NULL,           -- 1: a chassis of a stack
    hardware     TEXT NOT NULL,             -- JSON
    serial       TEXT,
    maker_name   TEXT,
    recorded_at  BIGINT NOT NULL,
    PRIMARY KEY (element_id, slot)
);
CREATE INDEX tenure_by_unit ON tenure (unit_id);

CREATE TABLE unit_key (
    key        TEXT NOT NULL,
    element_id TEXT NOT NULL,
    slot       BIGINT NOT NULL,
    PRIMARY KEY (key, element_id, slot)
);
CREATE INDEX unit_key_by_element ON unit_key (element_id);

CREATE TABLE unit_doubt (
    element_id    TEXT NOT NULL,
    slot          BIGINT NOT NULL,
    other_element TEXT NOT NULL,
    other_slot    BIGINT NOT NULL,
    code          TEXT NOT NULL,
    text          TEXT NOT NULL,
    recorded_at   BIGINT NOT NULL,
    PRIMARY KEY (element_id, slot, other_element, other_slot, code)
);

CREATE TABLE unit_decision (
    decision_id   TEXT PRIMARY KEY,         -- UUIDv7: in order of recording
    element_id    TEXT NOT NULL,
    word          TEXT NOT NULL,            -- '' is hardware that tells none
    other_element TEXT,                     -- NULL: a unit of its own
    other_word    TEXT,
    reason        TEXT NOT NULL,
    recorded_at   BIGINT NOT NULL
);
CREATE INDEX unit_decision_by_element ON unit_decision (element_id);
CREATE INDEX unit_decision_by_other ON unit_decision (other_element);

-- Everything is identified again, so that hardware is kept beside what was concluded.
DELETE FROM stage_version WHERE stage = 'identify';
