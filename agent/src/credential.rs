//! What opens a conversation with an element: named in the configuration, its
//! secrets read where they live, never printed, used only at addresses it is for.
//!
//! Invariants: the configuration refers to a secret and cannot contain one; no
//! `Debug`, `Display` or error of this module shows any part of a secret; secrets
//! and keys are overwritten when they are dropped.

pub mod scope;
pub mod source;
pub mod user;

use crate::poll::wire::Version;
use ipnet::IpNet;
use secrecy::{ExposeSecret as _, SecretString};
pub use source::SecretSource;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use user::User;

/// More than any community seen; a longer file is something else.
const MAX_COMMUNITY_BYTES: usize = 255;

/// Why a credential cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// The file cannot be read.
    #[error("cannot read {path}")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The environment has no such variable.
    #[error("environment variable {0} is not set or is no text")]
    Unset(String),
    /// Started without systemd's folder of credentials.
    #[error("there is no folder of systemd credentials; is LoadCredential= set?")]
    NoSystemd,
    /// Nothing in it, or far too much.
    #[error("{0} holds no community of 1 to 255 bytes")]
    NoCommunity(String),
    /// RFC 3414, 11.2 forbids it.
    #[error("{0} holds no password of at least 8 bytes")]
    ShortPassword(String),
    /// RFC 3411, 5: SnmpAdminString (SIZE(1..32)).
    #[error("a user's name has 1 to 32 bytes")]
    NoUser,
    /// RFC 3411, 5: SnmpAdminString.
    #[error("a context's name has at most 255 bytes and no control characters")]
    BadContext,
    /// RFC 3414, 1.4.3: there is no such level.
    #[error("privacy needs authentication")]
    PrivacyAlone,
    /// The system gives no random numbers.
    #[error("no random numbers to be had from the system")]
    NoRandomness,
}

/// What opens a conversation, and where it may be used.
pub struct Credential {
    opening: Opening,
    /// Everywhere, if there is none.
    ranges: Vec<IpNet>,
}

/// What is said first.
pub(crate) enum Opening {
    /// RFC 1157, RFC 1901.
    Community {
        version: Version,
        community: SecretString,
    },
    /// RFC 3414.
    User(Box<User>),
}

impl Credential {
    /// A community of version 1 or 2c; `origin` is what an error calls it.
    ///
    /// # Errors
    /// [`CredentialError::NoCommunity`] when it is empty or too long.
    pub fn community(
        version: Version,
        community: SecretString,
        origin: &str,
    ) -> Result<Self, CredentialError> {
        let length = community.expose_secret().len();
        if length == 0 || length > MAX_COMMUNITY_BYTES {
            return Err(CredentialError::NoCommunity(origin.to_owned()));
        }
        Ok(Self {
            opening: Opening::Community { version, community },
            ranges: Vec::new(),
        })
    }

    /// A user of version 3.
    #[must_use]
    pub fn user(user: User) -> Self {
        Self {
            opening: Opening::User(Box::new(user)),
            ranges: Vec::new(),
        }
    }

    /// For these ranges only; for all addresses if there is none.
    #[must_use]
    pub fn within(self, ranges: Vec<IpNet>) -> Self {
        Self { ranges, ..self }
    }

    /// Whether it may be used at this address.
    #[must_use]
    pub fn covers(&self, address: IpAddr) -> bool {
        self.ranges.is_empty() || self.ranges.iter().any(|range| range.contains(&address))
    }

    /// Whether it may be used at every address of a prefix.
    #[must_use]
    pub fn covers_all(&self, prefix: IpNet) -> bool {
        self.ranges.is_empty() || self.ranges.iter().any(|range| range.contains(&prefix))
    }

    /// Name of the context it asks; empty is the default one.
    #[must_use]
    pub fn context(&self) -> &str {
        match &self.opening {
            Opening::User(user) => user.context(),
            Opening::Community { .. } => "",
        }
    }

    /// Whether both speak for one user of SNMPv3, in whatever contexts.
    #[must_use]
    pub fn is_same_user(&self, other: &Self) -> bool {
        match (&self.opening, &other.opening) {
            (Opening::User(one), Opening::User(two)) => one.name() == two.name(),
            _ => false,
        }
    }

    pub(crate) fn opening(&self) -> &Opening {
        &self.opening
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn community(text: &str) -> Result<Credential, CredentialError> {
        Credential::community(Version::V2c, SecretString::from(text), "here")
    }

    #[test]
    fn a_secret_does_not_show() {
        let credential = community("hunter2").unwrap();
        assert!(!format!("{credential:?}").contains("hunter2"));
        for wrong in [String::new(), "hunter2".repeat(37)] {
            let error = community(&wrong).unwrap_err().to_string();
            assert_eq!(error, "here holds no community of 1 to 255 bytes");
        }
    }

    #[test]
    fn a_credential_knows_where_it_may_be_used() {
        let everywhere = community("hunter2").unwrap();
        let somewhere = community("hunter2").unwrap().within(vec![
            "192.0.2.0/24".parse().unwrap(),
            "2001:db8::/32".parse().unwrap(),
        ]);
        for (address, inside) in [
            ("192.0.2.1", true),
            ("192.0.3.1", false),
            ("2001:db8::1", true),
            ("2001:db9::1", false),
        ] {
            let address = address.parse().unwrap();
            assert!(everywhere.covers(address));
            assert_eq!(somewhere.covers(address), inside, "{address}");
        }
    }
}
