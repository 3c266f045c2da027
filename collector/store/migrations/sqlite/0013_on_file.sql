-- What the operator has on file beside its elements, with history; and where a declaration and what was seen differ.

CREATE TABLE on_file (
    kind          TEXT NOT NULL,            -- approval, share, price
    body          TEXT NOT NULL,            -- JSON
    recorded_at   BIGINT NOT NULL,
    superseded_at BIGINT,                   -- NULL: as known now
    valid_from    BIGINT NOT NULL,
    PRIMARY KEY (kind, body, recorded_at)
);

ALTER TABLE judgement ADD COLUMN contradictions TEXT NOT NULL DEFAULT '[]';   -- JSON: sentences
