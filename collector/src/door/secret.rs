//! Random secrets: what a cookie, a link or a token holds.
//!
//! Invariants: 256 bits of the system's randomness; only the SHA-256 is kept or compared,
//! so that nothing is learned from how long a look-up takes; it cannot be printed by mistake.

use sha2::{Digest as _, Sha256};
use std::fmt;

/// Octets of a secret.
const OCTETS: usize = 32;

/// The system has no randomness to give.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no randomness")]
pub struct NoRandom(#[from] getrandom::Error);

/// One secret.
pub struct Secret(String);

impl Secret {
    /// A new one.
    ///
    /// # Errors
    /// [`NoRandom`] when the system gives none: nobody comes in then.
    pub fn generate() -> Result<Self, NoRandom> {
        let mut octets = [0; OCTETS];
        getrandom::fill(&mut octets).map_err(NoRandom)?;
        Ok(Self(hex::encode(octets)))
    }

    /// One that somebody shows; [`None`] for what cannot be one.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let fits = text.len() == OCTETS * 2
            && text
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        fits.then(|| Self(text.to_owned()))
    }

    /// What is kept of it: its SHA-256, hexadecimal.
    #[must_use]
    pub fn hash(&self) -> String {
        hex::encode(Sha256::digest(self.0.as_bytes()))
    }

    /// The secret itself, for the one answer that shows it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_are_alike_and_none_is_printed() {
        let (a, b) = (Secret::generate().unwrap(), Secret::generate().unwrap());
        assert_ne!(a.reveal(), b.reveal());
        assert_eq!(Secret::read(a.reveal()).unwrap().hash(), a.hash());
        assert!(!format!("{a:?}").contains(a.reveal()));
        for bad in [
            "",
            "g",
            &a.reveal()[1..],
            &"A".repeat(64),
            &format!("{} ", a.reveal()),
        ] {
            assert!(Secret::read(bad).is_none(), "{bad}");
        }
    }
}
