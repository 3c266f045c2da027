-- What agents declared lost: sequences that are acknowledged and have no report.

CREATE TABLE gap (
    agent_id      TEXT NOT NULL,
    epoch         TEXT NOT NULL,
    from_sequence BIGINT NOT NULL,
    to_sequence   BIGINT NOT NULL,
    count         BIGINT NOT NULL,          -- reports that went; 0 when nobody knows
    reason        TEXT NOT NULL,            -- spool_full, spool_damaged
    declared_at   BIGINT NOT NULL,          -- agent's clock
    recorded_at   BIGINT NOT NULL,
    PRIMARY KEY (agent_id, epoch, from_sequence)
);

-- How an agent's spool stood when it said so last.
CREATE TABLE agent_spool (
    agent_id      TEXT PRIMARY KEY,
    waiting       BIGINT NOT NULL,          -- reports
    bytes         BIGINT NOT NULL,
    oldest_at     BIGINT,                   -- collector's clock; NULL: nothing waits
    refused       BIGINT NOT NULL,          -- since the agent started: too large for the spool
    dropped       BIGINT NOT NULL,          -- since the agent started: went when it was full
    recorded_at   BIGINT NOT NULL
);
