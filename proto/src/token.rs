//! The one-time join token: what an operator carries from collector to agent.
//!
//! `mq1.<id>.<secret>.<authority>`: who is invited, 256 random bits, and the
//! SHA-256 of the authority's certificate, by which the agent knows the
//! collector before it says anything. Invariants: the secret is shown only by
//! [`JoinToken::text`]; what is kept of it is its hash.

use sha2::{Digest as _, Sha256};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// First part of every token; another version gets another word.
const VERSION: &str = "mq1";

/// A token in full.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinToken {
    /// Which invitation this is.
    pub id: Uuid,
    secret: [u8; 32],
    /// SHA-256 over the DER of the authority's certificate.
    pub authority: [u8; 32],
}

/// A text is no join token. It does not say which part is wrong: the text may be a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no join token (mq1.… as printed by the collector)")]
pub struct NoToken;

/// The system has no random numbers.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no random numbers: {0}")]
pub struct NoRandom(getrandom::Error);

impl JoinToken {
    /// A fresh token of the collector with this authority.
    ///
    /// # Errors
    /// [`NoRandom`] when the system has no random numbers.
    pub fn generate(authority: [u8; 32]) -> Result<Self, NoRandom> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(NoRandom)?;
        Ok(Self {
            id: Uuid::now_v7(),
            secret,
            authority,
        })
    }

    /// SHA-256 of the secret in hexadecimal: all that is kept. 256 random bits need no slow hash.
    #[must_use]
    pub fn secret_hash(&self) -> String {
        hex::encode(Sha256::digest(self.secret))
    }

    /// The token as it is handed out, secret included.
    #[must_use]
    pub fn text(&self) -> String {
        format!(
            "{VERSION}.{}.{}.{}",
            self.id.simple(),
            hex::encode(self.secret),
            hex::encode(self.authority)
        )
    }
}

impl FromStr for JoinToken {
    type Err = NoToken;

    fn from_str(text: &str) -> Result<Self, NoToken> {
        let mut parts = text.trim().split('.');
        let mut part = || parts.next().ok_or(NoToken);
        let (version, id, secret, authority) = (part()?, part()?, part()?, part()?);
        if version != VERSION || part().is_ok() || id.len() != 32 {
            return Err(NoToken);
        }
        let bytes = |text: &str| {
            let mut bytes = [0; 32];
            hex::decode_to_slice(text, &mut bytes).map_err(|_| NoToken)?;
            Ok(bytes)
        };
        Ok(Self {
            id: Uuid::parse_str(id).map_err(|_| NoToken)?,
            secret: bytes(secret)?,
            authority: bytes(authority)?,
        })
    }
}

impl fmt::Debug for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JoinToken({}, ..)", self.id)
    }
}

/// SHA-256 over a certificate's DER, as in a token.
#[must_use]
pub fn fingerprint(certificate: &[u8]) -> [u8; 32] {
    Sha256::digest(certificate).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_survives_its_text_and_keeps_its_secret() {
        let token = JoinToken::generate([7; 32]).unwrap();
        let text = token.text();
        assert_eq!(format!("  {text}\n").parse(), Ok(token.clone()));
        let secret = text.split('.').nth(2).unwrap();
        assert!(!format!("{token:?}").contains(secret));
        assert!(!token.secret_hash().contains(secret));
        let other = JoinToken::generate([7; 32]).unwrap();
        assert_ne!(token.secret_hash(), other.secret_hash());
        assert_ne!(token.id, other.id);
    }

    #[test]
    fn what_is_no_token_is_refused_without_being_repeated() {
        let good = JoinToken::generate([7; 32]).unwrap().text();
        let parts: Vec<&str> = good.split('.').collect();
        let mut bad = vec![String::new(), "mq1".into(), "....".into(), format!("{good}.00")];
        bad.push(good.replacen("mq1", "mq2", 1));
        for part in 0..4 {
            for wrong in ["", "zz", "ü"] {
                let mut parts = parts.clone();
                parts[part] = wrong;
                bad.push(parts.join("."));
            }
        }
        bad.push(good.get(..good.len() - 1).unwrap().to_owned());
        for text in bad {
            let error = text.parse::<JoinToken>().unwrap_err();
            assert!(text.len() < 8 || !error.to_string().contains(&text), "{error}");
        }
    }
}
