-- Who shut an agent out, and why; and the way back from a neighbour to who names it.

ALTER TABLE agent_revocation ADD COLUMN person TEXT NOT NULL DEFAULT '';
ALTER TABLE agent_revocation ADD COLUMN reason TEXT NOT NULL DEFAULT '';

CREATE INDEX neighbour_by_address ON neighbour (address) WHERE protocol IN ('lldp', 'cdp');
CREATE INDEX neighbour_by_mac ON neighbour (mac) WHERE protocol IN ('lldp', 'cdp');
