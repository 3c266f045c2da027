-- Rounds in which nothing was walked: the element said that nothing had moved.

ALTER TABLE report ADD COLUMN refreshed BIGINT NOT NULL DEFAULT 0;      -- 1: digest is that of the walk before
ALTER TABLE sighting ADD COLUMN refreshed BIGINT NOT NULL DEFAULT 0;    -- of its rounds, those without a walk
ALTER TABLE sighting ADD COLUMN walked_until BIGINT;                    -- agent's clock at the last walk; NULL: valid_until
ALTER TABLE element ADD COLUMN last_walk_at BIGINT;                     -- agent's clock at the last answered walk
UPDATE element SET last_walk_at = last_answer_at;
