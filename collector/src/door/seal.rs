//! What leaves this program's hands and comes back, sealed: a browser's half of signing in, the secret of a second
//! factor at rest.
//!
//! Invariants: ChaCha20-Poly1305 (RFC 8439) with a fresh nonce each time; what was sealed for one purpose opens for no
//! other; a key is in memory alone, or in a file that its owner alone may read; nothing sealed is ever printed.

use super::secret::NoRandom;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::Instant;
use proto::secret_file::{SecretFile, is_exposed};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use secrecy::zeroize::Zeroizing;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Octets of a key.
const KEY: usize = 32;

/// A key that seals.
pub struct Seal(LessSafeKey);

/// Why a key in a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The file cannot be read or made.
    #[error("the key of second factors cannot be read")]
    File(#[from] std::io::Error),
    /// It holds something else.
    #[error("the key of second factors is none")]
    Damaged,
    /// There is no randomness for a new one.
    #[error(transparent)]
    NoRandom(#[from] NoRandom),
}

/// What holds for a while.
#[derive(Serialize, Deserialize)]
struct Timed<T> {
    until: i64,
    is: T,
}

impl Seal {
    /// A key that ends with this process.
    ///
    /// # Errors
    /// [`NoRandom`].
    pub fn of_process() -> Result<Self, NoRandom> {
        let key = fresh()?;
        Self::of(key.as_slice()).ok_or_else(unsealed)
    }

    /// The key in a file; made if there is none.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn of_file(path: &Path) -> Result<Self, SealError> {
        if !path.exists() {
            let text = Zeroizing::new(hex::encode(fresh()?.as_slice()));
            SecretFile::create(path)?.save(format!("{}\n", &*text))?;
        }
        if is_exposed(path) {
            tracing::warn!(file = %path.display(), "others than its owner may read this key: chmod 600");
        }
        let text = Zeroizing::new(std::fs::read_to_string(path)?);
        let key = Zeroizing::new(hex::decode(text.trim()).map_err(|_| SealError::Damaged)?);
        Self::of(&key).ok_or(SealError::Damaged)
    }

    fn of(key: &[u8]) -> Option<Self> {
        let key = UnboundKey::new(&CHACHA20_POLY1305, key).ok()?;
        Some(Self(LessSafeKey::new(key)))
    }

    /// Seals octets for a purpose.
    ///
    /// # Errors
    /// [`NoRandom`].
    pub fn close(&self, purpose: &str, plain: &[u8]) -> Result<String, NoRandom> {
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).map_err(NoRandom::from)?;
        let mut sealed = plain.to_vec();
        let aad = Aad::from(purpose.as_bytes());
        let nonced = Nonce::assume_unique_for_key(nonce);
        self.0
            .seal_in_place_append_tag(nonced, aad, &mut sealed)
            .map_err(|_| unsealed())?;
        Ok(URL_SAFE_NO_PAD.encode([nonce.as_slice(), &sealed].concat()))
    }

    /// Opens what was sealed for this purpose; [`None`] for anything else.
    #[must_use]
    pub fn open(&self, purpose: &str, text: &str) -> Option<Zeroizing<Vec<u8>>> {
        let octets = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (nonce, sealed) = octets.split_first_chunk::<NONCE_LEN>()?;
        let mut sealed = Zeroizing::new(sealed.to_vec());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let plain = self
            .0
            .open_in_place(nonce, Aad::from(purpose.as_bytes()), &mut sealed);
        Some(Zeroizing::new(plain.ok()?.to_vec()))
    }

    /// Seals a value that holds until then.
    ///
    /// # Errors
    /// [`NoRandom`].
    pub fn close_until<T: Serialize>(
        &self,
        purpose: &str,
        is: T,
        until: Instant,
    ) -> Result<String, NoRandom> {
        let timed = Timed { until: until.0, is };
        let plain = Zeroizing::new(serde_json::to_vec(&timed).map_err(|_| unsealed())?);
        self.close(purpose, &plain)
    }

    /// Opens a value that still holds.
    #[must_use]
    pub fn open_at<T: DeserializeOwned>(&self, purpose: &str, text: &str, now: Instant) -> Option<T> {
        let plain = self.open(purpose, text)?;
        let timed: Timed<T> = serde_json::from_slice(&plain).ok()?;
        (now.0 < timed.until).then_some(timed.is)
    }
}

/// A key of the right length and a plain text of some octets can always be sealed; this is said if not.
fn unsealed() -> NoRandom {
    NoRandom::from(getrandom::Error::UNEXPECTED)
}

fn fresh() -> Result<Zeroizing<[u8; KEY]>, NoRandom> {
    let mut key = Zeroizing::new([0; KEY]);
    getrandom::fill(&mut *key).map_err(NoRandom::from)?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn what_is_sealed_opens_for_its_purpose_alone_and_for_its_time() {
        let (seal, other) = (Seal::of_process().unwrap(), Seal::of_process().unwrap());
        let text = seal.close("a", b"secret").unwrap();
        assert_eq!(seal.open("a", &text).unwrap().as_slice(), b"secret");
        assert_ne!(text, seal.close("a", b"secret").unwrap(), "a fresh nonce");
        let mut bent = text.clone();
        bent.replace_range(20..21, if &text[20..21] == "A" { "B" } else { "A" });
        for (purpose, text, seal) in [
            ("b", &*text, &seal),
            ("a", &bent, &seal),
            ("a", &text, &other),
            ("a", "", &seal),
            ("a", "AAAA", &seal),
            ("a", "é", &seal),
        ] {
            assert!(seal.open(purpose, text).is_none(), "{purpose} {text}");
        }
        let text = seal.close_until("a", "x", Instant(10)).unwrap();
        let at = |now| seal.open_at::<String>("a", &text, Instant(now));
        assert_eq!((at(9), at(10)), (Some("x".to_owned()), None));
    }

    #[test]
    fn a_key_in_a_file_outlives_its_process_and_is_its_owners() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("second-factor.key");
        let text = Seal::of_file(&path).unwrap().close("a", b"secret").unwrap();
        let again = Seal::of_file(&path).unwrap();
        assert_eq!(again.open("a", &text).unwrap().as_slice(), b"secret");
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::write(&path, "short").unwrap();
        assert!(matches!(Seal::of_file(&path), Err(SealError::Damaged)));
        assert!(Seal::of_file(&folder.path().join("no/such")).is_err());
    }
}
