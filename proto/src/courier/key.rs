//! The collector's key pair for exports (X25519), as raw octets in PEM.
//!
//! Invariant: the secret half leaves only by [`CourierKey::pem`].

use super::CourierError;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable as _, Kem, Serializable as _};
use std::fmt;

pub(super) type Secret = <X25519HkdfSha256 as Kem>::PrivateKey;
pub(super) type Public = <X25519HkdfSha256 as Kem>::PublicKey;

const LABEL: &str = "MARQUE COURIER PRIVATE KEY";

/// Opens exports; zeroised when dropped.
pub struct CourierKey {
    pub(super) secret: Secret,
    /// The other half, which agents get.
    pub public: [u8; 32],
}

impl CourierKey {
    /// A fresh pair.
    #[must_use]
    pub fn generate() -> Self {
        let (secret, public) = X25519HkdfSha256::gen_keypair();
        Self {
            secret,
            public: public.to_bytes().into(),
        }
    }

    /// As written by [`Self::pem`].
    ///
    /// # Errors
    /// [`CourierError::Key`] for anything else.
    pub fn from_pem(text: &str) -> Result<Self, CourierError> {
        let block = pem::parse(text).map_err(|_| CourierError::Key)?;
        if block.tag() != LABEL {
            return Err(CourierError::Key);
        }
        let secret = Secret::from_bytes(block.contents()).map_err(|_| CourierError::Key)?;
        let public = X25519HkdfSha256::sk_to_pk(&secret).to_bytes().into();
        Ok(Self { secret, public })
    }

    /// For a file of its owner's alone.
    #[must_use]
    pub fn pem(&self) -> String {
        pem::encode(&pem::Pem::new(LABEL, self.secret.to_bytes().to_vec()))
    }
}

impl fmt::Debug for CourierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CourierKey(..)")
    }
}
