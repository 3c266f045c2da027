-- What addresses told of their SNMPv3 engines when an agent looked who is there; the last word of each address. It is
-- stored as it came and read when it is shown.

CREATE TABLE engine (
    agent_id    TEXT NOT NULL,
    address     TEXT NOT NULL,
    port        BIGINT NOT NULL,
    site        TEXT NOT NULL,
    place       BLOB NOT NULL,              -- the address in 16 octets, to find those of a range
    engine_id   TEXT NOT NULL,              -- hexadecimal, as it came; the first 32 octets of a longer one
    octets      BIGINT NOT NULL,            -- how many it has
    boots       BIGINT NOT NULL,
    engine_time BIGINT NOT NULL,            -- seconds
    seen_at     BIGINT NOT NULL,            -- agent's clock: heard first as it is
    revision    BIGINT NOT NULL,            -- agent's count
    recorded_at BIGINT NOT NULL,
    PRIMARY KEY (agent_id, address, port)
);
CREATE INDEX engine_by_id ON engine (site, engine_id);
CREATE INDEX engine_by_place ON engine (port, place);
CREATE INDEX engine_by_revision ON engine (agent_id, revision);

-- Up to where each agent's words of engines are here.
CREATE TABLE agent_engines (
    agent_id    TEXT PRIMARY KEY,
    generation  BIGINT NOT NULL,
    revision    BIGINT NOT NULL,
    recorded_at BIGINT NOT NULL
);
