-- The second factor of local accounts (RFC 6238). Its secret is sealed under a key that is not kept here; of recovery
-- codes the SHA-256 is.

ALTER TABLE account ADD COLUMN second_sealed TEXT;   -- NULL: none
ALTER TABLE account ADD COLUMN second_step   BIGINT; -- the last time step whose code was used
ALTER TABLE account ADD COLUMN second_at     BIGINT; -- since when

CREATE TABLE recovery_code (
    account_id  TEXT NOT NULL,
    code_hash   TEXT NOT NULL,                  -- gone once used
    recorded_at BIGINT NOT NULL,
    PRIMARY KEY (account_id, code_hash)
);
