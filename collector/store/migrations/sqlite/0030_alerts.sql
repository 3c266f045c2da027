-- Who is told of changes of findings, what waits to be told, and what each route was told last.

CREATE TABLE alert_route (
    route         TEXT PRIMARY KEY,         -- as the configuration names it; gone from there, gone from here
    recorded_at   BIGINT NOT NULL,          -- what changed before is not told
    delivered_at  BIGINT,
    delivered     BIGINT NOT NULL DEFAULT 0,
    failed_at     BIGINT,                   -- NULL: the last try went well
    failure       TEXT NOT NULL DEFAULT '', -- for people
    failures      BIGINT NOT NULL DEFAULT 0 -- tries in vain since it went well
);

-- Changes that no route was looked up for yet: written in the transaction that writes the finding's event.
CREATE TABLE alert_due (
    place       BIGINT PRIMARY KEY,         -- in the order they happened
    event_id    TEXT NOT NULL,
    finding_id  TEXT NOT NULL,
    kind        TEXT NOT NULL,
    text        TEXT NOT NULL,
    cause       TEXT NOT NULL,
    person      TEXT,
    class       TEXT NOT NULL,              -- of the finding after it, as the next three
    severity    TEXT NOT NULL,
    state       TEXT NOT NULL,
    owner       TEXT,
    recorded_at BIGINT NOT NULL
);

-- What waits for each route, and what it is to be told.
CREATE TABLE alert (
    route       TEXT NOT NULL,
    place       BIGINT NOT NULL,
    event_id    TEXT NOT NULL,
    body        TEXT NOT NULL,              -- JSON
    recorded_at BIGINT NOT NULL,
    PRIMARY KEY (route, place)
);

-- Findings that a route was told of and that are not over for it.
CREATE TABLE alert_told (
    route       TEXT NOT NULL,
    finding_id  TEXT NOT NULL,
    labels      TEXT NOT NULL,              -- JSON: by which it knows the finding
    PRIMARY KEY (route, finding_id)
) WITHOUT ROWID;

-- Views that people have a route told of.
CREATE TABLE alert_view (
    attachment_id TEXT PRIMARY KEY,         -- UUIDv7
    view_id     TEXT NOT NULL,
    route       TEXT NOT NULL,
    person      TEXT NOT NULL,              -- who wants it, by the name of their account
    recorded_at BIGINT NOT NULL,
    UNIQUE (view_id, route, person)
);
