-- Which version a stage went over to, and when: what was concluded by a day is what the version of that day said.

CREATE TABLE stage_adoption (
    stage       TEXT NOT NULL,
    version     TEXT NOT NULL,
    recorded_at BIGINT NOT NULL,
    PRIMARY KEY (stage, recorded_at, version)
);
-- Of versions before this table, when each concluded something first.
INSERT INTO stage_adoption (stage, version, recorded_at)
    SELECT 'identify', knowledge, MIN(recorded_at) FROM identification GROUP BY knowledge;
INSERT INTO stage_adoption (stage, version, recorded_at)
    SELECT stage, version, recorded_at FROM stage_version WHERE true
    ON CONFLICT (stage, recorded_at, version) DO NOTHING;
