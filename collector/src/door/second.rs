//! A second factor: codes of the time (RFC 6238) from a secret that a telephone holds too, and recovery codes.
//!
//! Invariants: pure, time and randomness are passed in; a code fits for its step and one beside, and whoever takes it
//! says which step it was, so that it is taken once; a secret is neither printed nor kept unsealed.

use super::secret::NoRandom;
use model::Instant;
use secrecy::zeroize::Zeroizing;
use sha2::{Digest as _, Sha256};
use totp_rs::{Builder, Totp};

/// Octets of a secret (RFC 4226, 4: R6).
pub const SECRET: usize = 20;
/// Recovery codes of one second factor.
pub const RECOVERY: usize = 10;
/// Octets of one: 80 bits, sixteen letters.
const CODE: usize = 10;
/// Letters of a recovery code: none looks like another, and none makes a code of the time of it.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// What somebody typed as a code.
#[derive(Debug, PartialEq, Eq)]
pub enum Typed {
    /// A code of the time.
    Time(String),
    /// A recovery code, by its SHA-256, hexadecimal.
    Recovery(String),
}

impl Typed {
    /// Reads it, whatever blanks and strokes are in it; [`None`] for what is neither.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        if text.len() > 64 {
            return None;
        }
        let skipped = |c: &char| !c.is_whitespace() && *c != '-';
        let plain: String = text.chars().filter(skipped).collect::<String>().to_lowercase();
        match plain.len() {
            6 if plain.bytes().all(|b| b.is_ascii_digit()) => Some(Self::Time(plain)),
            16 if plain.bytes().all(|b| LETTERS.contains(&b)) => Some(Self::Recovery(hash(&plain))),
            _ => None,
        }
    }
}

/// The codes of one secret.
pub struct Codes(Totp);

impl Codes {
    /// A new secret.
    ///
    /// # Errors
    /// [`NoRandom`].
    pub fn secret() -> Result<Zeroizing<Vec<u8>>, NoRandom> {
        let mut secret = Zeroizing::new(vec![0; SECRET]);
        getrandom::fill(&mut secret).map_err(NoRandom::from)?;
        Ok(secret)
    }

    /// The codes of this secret; `name` is whose they are, for the telephone. [`None`] for what can be no secret.
    #[must_use]
    pub fn of(secret: &[u8], name: &str) -> Option<Self> {
        let codes = Builder::new()
            .with_secret(secret)
            .with_skew(1)
            .with_account_name(name)
            .with_issuer(Some("Marque"));
        codes.build().ok().map(Self)
    }

    /// The step whose code this is, now, one before or one after.
    #[must_use]
    pub fn step(&self, code: &str, now: Instant) -> Option<i64> {
        let seconds = u64::try_from(now.0.div_euclid(1_000_000)).ok()?;
        i64::try_from(self.0.check(code, seconds)?).ok()
    }

    /// The secret for who types it in: base32 (RFC 4648, 6).
    #[must_use]
    pub fn base32(&self) -> String {
        self.0.secret().to_base32()
    }

    /// The link that telephones read; [`None`] where the name makes none.
    #[must_use]
    pub fn link(&self) -> Option<String> {
        self.0.to_url().ok()
    }
}

/// New recovery codes as they are shown once.
///
/// # Errors
/// [`NoRandom`].
pub fn recovery_codes() -> Result<Vec<String>, NoRandom> {
    (0..RECOVERY).map(|_| recovery_code()).collect()
}

fn recovery_code() -> Result<String, NoRandom> {
    let mut octets = Zeroizing::new([0; CODE]);
    getrandom::fill(&mut *octets).map_err(NoRandom::from)?;
    let bits = octets
        .iter()
        .flat_map(|octet| (0..8).rev().map(move |bit| octet >> bit & 1));
    let bits: Vec<u8> = bits.collect();
    let letter = |five: &[u8]| {
        let at = five.iter().fold(0, |at, bit| at << 1 | usize::from(*bit));
        char::from(LETTERS.get(at).copied().unwrap_or(b'a'))
    };
    let letters: Vec<char> = bits.chunks(5).map(letter).collect();
    let groups: Vec<String> = letters.chunks(4).map(|group| group.iter().collect()).collect();
    Ok(groups.join("-"))
}

/// What is kept of a recovery code.
fn hash(plain: &str) -> String {
    hex::encode(Sha256::digest(plain.as_bytes()))
}

/// What is kept of recovery codes as they are shown.
#[must_use]
pub fn hashes(codes: &[String]) -> Vec<String> {
    codes.iter().map(|code| hash(&code.replace('-', ""))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// RFC 6238, appendix B: the secret of its table for SHA-1, of whose eight digits the last six count here.
    const RFC: &[u8] = b"12345678901234567890";

    fn at(seconds: i64) -> Instant {
        Instant(seconds * 1_000_000)
    }

    #[test]
    fn codes_are_those_of_the_standard() {
        let codes = Codes::of(RFC, "ada").unwrap();
        for (seconds, code, step) in [
            (59, "287082", 1),
            (1_111_111_109, "081804", 37_037_036),
            (1_111_111_111, "050471", 37_037_037),
            (1_234_567_890, "005924", 41_152_263),
            (2_000_000_000, "279037", 66_666_666),
        ] {
            for (beside, fits) in [(0, true), (30, true), (-30, true), (60, false), (-60, false)] {
                let found = codes.step(code, at(seconds + beside));
                assert_eq!(found, fits.then_some(step), "{code} {beside}");
            }
        }
        for code in ["", "28708", "2870820", "28708a", "２８７０８２"] {
            assert_eq!(codes.step(code, at(59)), None, "{code}");
        }
        assert_eq!(codes.base32(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        let link = codes.link().unwrap();
        assert!(
            link.starts_with("otpauth://totp/Marque:ada?secret=GEZDGNBVGY3TQOJQ"),
            "{link}"
        );
    }

    #[test]
    fn recovery_codes_are_no_two_alike_and_read_as_they_are_typed() {
        let codes = recovery_codes().unwrap();
        assert_eq!(codes.iter().collect::<BTreeSet<_>>().len(), RECOVERY);
        for (code, kept) in codes.iter().zip(hashes(&codes)) {
            assert_eq!(code.len(), 19, "{code}");
            let typed = [
                code.clone(),
                code.to_uppercase(),
                format!(" {} ", code.replace('-', " ")),
            ];
            for typed in typed {
                assert_eq!(
                    Typed::read(&typed),
                    Some(Typed::Recovery(kept.clone())),
                    "{typed}"
                );
            }
        }
        assert_eq!(Typed::read("123 456"), Some(Typed::Time("123456".into())));
        for none in [
            "",
            "12345",
            "1234567",
            "12345a",
            "l0l0-l0l0-l0l0-l0l0",
            &"2".repeat(65),
        ] {
            assert_eq!(Typed::read(none), None, "{none}");
        }
    }
}
