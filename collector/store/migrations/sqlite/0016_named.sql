-- Ranges of which only those addresses are asked that neighbours name.

ALTER TABLE coverage ADD COLUMN named BLOB; -- 16 octets an address, in order; NULL: every address of the prefix
