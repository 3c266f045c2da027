-- Alerts that a route will never be told: refused for what they are, or too old where too many wait.

ALTER TABLE alert_route ADD COLUMN lost BIGINT NOT NULL DEFAULT 0;
ALTER TABLE alert_route ADD COLUMN lost_at BIGINT;            -- the last of them
ALTER TABLE alert_route ADD COLUMN loss TEXT NOT NULL DEFAULT ''; -- why, for people
