-- What became of every address in the ranges of a plan, as each agent told it last.

CREATE TABLE agent_coverage (
    agent_id    TEXT PRIMARY KEY,
    plan        BIGINT NOT NULL,            -- revision whose ranges these are
    revision    BIGINT NOT NULL,            -- agent's count of its tellings
    said_at     BIGINT NOT NULL,            -- agent's clock
    swept_at    BIGINT,                     -- agent's clock; NULL: no sweep ended yet
    recorded_at BIGINT NOT NULL
);

CREATE TABLE coverage (
    agent_id TEXT NOT NULL,
    prefix   TEXT NOT NULL,
    port     BIGINT NOT NULL,
    states   BLOB NOT NULL,                 -- zstd; one octet an address, in order
    PRIMARY KEY (agent_id, prefix, port)
);

-- Management addresses that elements told of their neighbours; made anew from evidence at each identification.
CREATE TABLE neighbour (
    digest   TEXT NOT NULL,
    address  TEXT NOT NULL,
    protocol TEXT NOT NULL,
    PRIMARY KEY (digest, address, protocol)
);
