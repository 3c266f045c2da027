-- Agents that were put into quarantine, and when they were released: while one is in it, nothing of it is taken.

CREATE TABLE agent_quarantine (
    agent_id       TEXT NOT NULL,
    since          BIGINT NOT NULL,
    person         TEXT NOT NULL,
    reason         TEXT NOT NULL,
    released_at    BIGINT,                  -- none while it is in force
    released_by    TEXT,
    release_reason TEXT,
    PRIMARY KEY (agent_id, since)
);
