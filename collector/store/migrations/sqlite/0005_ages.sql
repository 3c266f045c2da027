-- What waits at an agent, by stage: not sent yet, and sent but not acknowledged.

ALTER TABLE agent_spool ADD COLUMN unsent_at BIGINT;    -- collector's clock; NULL: everything was sent
ALTER TABLE agent_spool ADD COLUMN unacked_at BIGINT;   -- collector's clock; NULL: everything sent is acknowledged
