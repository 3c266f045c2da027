-- What agents of a site are told to do, each revision as it was put, for ever.

CREATE TABLE plan (
    site        TEXT NOT NULL,
    revision    BIGINT NOT NULL,            -- per site, from 1, one more each time
    text        TEXT NOT NULL,              -- as put
    digest      TEXT NOT NULL,              -- SHA-256 of it
    targets     BIGINT NOT NULL,
    ranges      BIGINT NOT NULL,
    recorded_at BIGINT NOT NULL,
    PRIMARY KEY (site, revision)
);

-- What each agent said last about plans.
CREATE TABLE agent_plan (
    agent_id       TEXT PRIMARY KEY,
    runs           BIGINT,                  -- revision it follows, 0: none yet; NULL: it takes no plans
    runs_digest    TEXT,
    tried          BIGINT,                  -- revision it refused last; NULL: none since
    tried_digest   TEXT,
    reason         TEXT,                    -- of the refusal
    said_at        BIGINT,                  -- agent's clock
    recorded_at    BIGINT NOT NULL
);
