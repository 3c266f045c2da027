-- An agent whose spool's disk has no room says so: polling waits there.

ALTER TABLE agent_spool ADD COLUMN no_room_at BIGINT;   -- collector's clock; NULL: it has room
