-- The life of a finding: what moved it, what people did about it, how it ended. Rows of finding_event are
-- never changed or removed; the columns of finding are what they add up to.

ALTER TABLE finding ADD COLUMN facts TEXT NOT NULL DEFAULT '';      -- version of the operator's facts judged by
ALTER TABLE finding ADD COLUMN partial TEXT;                        -- digest of a later partial walk, judged too
ALTER TABLE finding ADD COLUMN latest TEXT;                         -- how complete the last round was
ALTER TABLE finding ADD COLUMN thing TEXT;                          -- JSON: the hardware that met the rule last
ALTER TABLE finding ADD COLUMN revision BIGINT NOT NULL DEFAULT 0;  -- goes up with each change of the five below
ALTER TABLE finding ADD COLUMN owner TEXT;
ALTER TABLE finding ADD COLUMN waiver TEXT;                         -- JSON: in force
ALTER TABLE finding ADD COLUMN asked TEXT;                          -- JSON: waits for a second person
ALTER TABLE finding ADD COLUMN removal TEXT;                        -- JSON: how it is to go
ALTER TABLE finding ADD COLUMN ending TEXT;                         -- while closed: swapped, part_gone, …
ALTER TABLE finding ADD COLUMN gone_walk BIGINT;                    -- last walk when a person confirmed that it is gone

ALTER TABLE finding_event ADD COLUMN valid_at BIGINT;               -- since when it holds; NULL: recorded_at
ALTER TABLE finding_event ADD COLUMN also TEXT NOT NULL DEFAULT ''; -- further causes, blank between
ALTER TABLE finding_event ADD COLUMN grounds TEXT NOT NULL DEFAULT ''; -- the versions that differ
ALTER TABLE finding_event ADD COLUMN person TEXT;                   -- who acted
ALTER TABLE finding_event ADD COLUMN act TEXT;                      -- JSON: what was done
ALTER TABLE finding_event ADD COLUMN class TEXT;                    -- what the finding said from then on
ALTER TABLE finding_event ADD COLUMN ending TEXT;                   -- of one that closed

ALTER TABLE judgement ADD COLUMN facts TEXT NOT NULL DEFAULT '';
ALTER TABLE judgement ADD COLUMN partial TEXT;
ALTER TABLE judgement ADD COLUMN latest TEXT;

-- Who did what: one row a command, for ever.
CREATE TABLE audit (
    audit_id    TEXT PRIMARY KEY,           -- UUIDv7: in order of recording
    person      TEXT NOT NULL,              -- as they named themselves
    account     TEXT NOT NULL,              -- of the machine it was done from
    action      TEXT NOT NULL,
    subjects    TEXT NOT NULL,              -- JSON: keys
    detail      TEXT NOT NULL,              -- JSON
    recorded_at BIGINT NOT NULL
);
