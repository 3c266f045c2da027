-- What elements told of their neighbours, with what it makes likely of their makers, and by which hardware addresses
-- neighbours may know an element; made anew from evidence at each identification.

DROP TABLE neighbour;

CREATE TABLE neighbour (
    digest           TEXT NOT NULL,
    position         BIGINT NOT NULL,
    protocol         TEXT NOT NULL,         -- lldp, cdp, arp, bridge
    address          TEXT,
    mac              TEXT,
    name             TEXT NOT NULL,
    description      TEXT NOT NULL,
    maker_id         TEXT,
    maker_name       TEXT,
    maker_confidence DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (digest, position)
);

CREATE TABLE own_address (
    digest TEXT NOT NULL,
    mac    TEXT NOT NULL,
    PRIMARY KEY (digest, mac)
);
CREATE INDEX own_address_by_mac ON own_address (mac);

-- Which identification of an evidence holds: that of the latest knowledge, unless this changed nothing.
CREATE TABLE concluded (
    digest    TEXT PRIMARY KEY,
    knowledge TEXT NOT NULL,
    sum       TEXT NOT NULL                 -- SHA-256 over everything concluded but the version
);

DELETE FROM stage_version WHERE stage = 'identify';
