-- Who may come in: invitations, what became of them, certificates, revocations.

CREATE TABLE join_token (
    token_id    TEXT PRIMARY KEY,
    site        TEXT NOT NULL,
    secret_hash TEXT NOT NULL,              -- SHA-256 of the secret; the secret is not kept
    expires_at  BIGINT NOT NULL,
    used_at     BIGINT,                     -- NULL: not yet
    agent_id    TEXT,                       -- who used it
    recorded_at BIGINT NOT NULL
);

CREATE TABLE enrolment_attempt (
    attempt_id  TEXT PRIMARY KEY,           -- UUIDv7: in order of recording
    outcome     TEXT NOT NULL,              -- enrolled, replayed, expired, guessed, unknown, malformed
    token_id    TEXT,
    agent_id    TEXT,
    peer        TEXT NOT NULL,
    recorded_at BIGINT NOT NULL
);

CREATE TABLE agent_certificate (
    agent_id    TEXT NOT NULL,
    serial      TEXT NOT NULL,
    site        TEXT NOT NULL,
    authority   TEXT NOT NULL,              -- fingerprint of the one that signed it
    trusted     TEXT NOT NULL,              -- fingerprints of all handed out with it, blank between
    not_after   BIGINT NOT NULL,
    recorded_at BIGINT NOT NULL,
    PRIMARY KEY (agent_id, serial)
);

CREATE TABLE agent_revocation (
    agent_id    TEXT PRIMARY KEY,
    recorded_at BIGINT NOT NULL
);
