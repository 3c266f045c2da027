-- Who may look and act. No secret is kept: of a password its argon2id hash, of everything else the SHA-256 of 256
-- random bits.

CREATE TABLE account (
    account_id      TEXT PRIMARY KEY,
    name            TEXT NOT NULL,              -- as they write it
    name_key        TEXT NOT NULL UNIQUE,       -- in lower case: no two names that look alike
    role            TEXT NOT NULL,              -- viewer, operator, compliance, admin
    sites           TEXT,                       -- blanks between names; NULL: all
    external        BOOLEAN NOT NULL,           -- somebody else says who they are: no password here
    password_hash   TEXT,                       -- PHC string; NULL: cannot sign in by password
    disabled_at     BIGINT,
    last_sign_in_at BIGINT,
    recorded_at     BIGINT NOT NULL
);

CREATE TABLE one_time_link (
    link_hash   TEXT PRIMARY KEY,
    kind        TEXT NOT NULL,                  -- set_up, password, sign_in
    account_id  TEXT,                           -- NULL: set_up
    expires_at  BIGINT NOT NULL,
    recorded_at BIGINT NOT NULL
);

CREATE TABLE api_token (
    token_id    TEXT PRIMARY KEY,
    token_hash  TEXT NOT NULL UNIQUE,
    name        TEXT NOT NULL,
    scopes      TEXT NOT NULL,                  -- blanks between words
    sites       TEXT,                           -- blanks between names; NULL: all
    made_by     TEXT NOT NULL,
    expires_at  BIGINT NOT NULL,
    used_at     BIGINT,                         -- about when last
    ended_at    BIGINT,
    recorded_at BIGINT NOT NULL
);

CREATE TABLE session (
    session_id   TEXT PRIMARY KEY,
    session_hash TEXT NOT NULL UNIQUE,
    account_id   TEXT,                          -- NULL: of a wallboard's token
    token_id     TEXT,
    peer         TEXT NOT NULL,                 -- from where it began
    seen_at      BIGINT NOT NULL,               -- about when last
    expires_at   BIGINT NOT NULL,
    recorded_at  BIGINT NOT NULL
);
CREATE INDEX session_by_account ON session (account_id);
CREATE INDEX session_by_token ON session (token_id);
