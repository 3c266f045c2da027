//! The address of an evidence: SHA-256 over its encoded bytes.
//!
//! Both ends hash the very bytes that travel and are stored, so they cannot
//! disagree about a re-encoding.

use sha2::{Digest as _, Sha256};

/// SHA-256 over `evidence`, the encoded bytes of a [`crate::v1::Evidence`].
#[must_use]
pub fn of_evidence(evidence: &[u8]) -> [u8; 32] {
    Sha256::digest(evidence).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_the_published_test_vector() {
        // FIPS 180-2, appendix B.1
        let expected = [
            0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23,
            0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad,
        ];
        assert_eq!(of_evidence(b"abc"), expected);
    }
}
