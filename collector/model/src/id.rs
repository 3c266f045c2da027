//! Identifiers, each its own type so that one is never passed for another.
//!
//! Keys are made by us (UUIDv7), never by the database.

use serde::{Deserialize, Serialize};
use std::fmt;
use uuid::Uuid;

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new, time-ordered identifier.
            #[must_use]
            pub fn generate() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    };
}

uuid_id!(
    /// One agent, as its certificate names it.
    AgentId
);
uuid_id!(
    /// One place in the network.
    ElementId
);
uuid_id!(
    /// One piece of hardware found at an element.
    UnitId
);
uuid_id!(
    /// One finding through its whole life.
    FindingId
);

impl UnitId {
    /// The key of the unit that these octets, a digest of what makes it, stand for: the same each time.
    #[must_use]
    pub fn made_from(octets: [u8; 16]) -> Self {
        Self(uuid::Builder::from_custom_bytes(octets).into_uuid())
    }
}

/// The name of a site: 1 to 63 of `a-z 0-9 -`, so that it fits a certificate, a URL and a file name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SiteName(String);

/// Why a text is not a site name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("site name {0:?} must be 1 to 63 of a-z, 0-9 and -, beginning and ending with a letter or digit")]
pub struct InvalidSiteName(String);

impl SiteName {
    /// The name of no site.
    pub(crate) fn nowhere() -> Self {
        Self("nowhere".to_owned())
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for SiteName {
    type Error = InvalidSiteName;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        let allowed = text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if text.is_empty() || text.len() > 63 || !allowed || text.starts_with('-') || text.ends_with('-') {
            return Err(InvalidSiteName(text.chars().take(80).collect()));
        }
        Ok(Self(text))
    }
}

impl std::str::FromStr for SiteName {
    type Err = InvalidSiteName;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::try_from(text.to_owned())
    }
}

impl From<SiteName> for String {
    fn from(name: SiteName) -> Self {
        name.0
    }
}

impl fmt::Display for SiteName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// SHA-256 over the canonical bytes of an [`Evidence`](crate::Evidence): its address in the store.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// From exactly 32 bytes; anything else is no digest.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// From 64 hexadecimal digits.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = [0_u8; 32];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        Some(Self(bytes))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn site_names_are_bounded() {
        for good in ["berlin", "ber-1", "x"] {
            assert!(good.parse::<SiteName>().is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "Berlin", "a b", "../etc", &"a".repeat(64)] {
            assert!(bad.parse::<SiteName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn digest_round_trips_as_hex() {
        let digest = Digest([0xab; 32]);
        assert_eq!(Digest::from_hex(&digest.to_string()), Some(digest));
        assert_eq!(Digest::from_hex("ab"), None);
    }
}
