-- Whose law was declared to hold at a site, with history.

CREATE TABLE site_law (
    site          TEXT NOT NULL,
    recorded_at   BIGINT NOT NULL,
    superseded_at BIGINT,                   -- NULL: as known now
    jurisdictions TEXT NOT NULL,            -- blank between codes
    PRIMARY KEY (site, recorded_at)
);
-- Of the time before this table only the last word is left: it stands for all of it.
INSERT INTO site_law (site, recorded_at, jurisdictions) SELECT name, 0, jurisdictions FROM site;
