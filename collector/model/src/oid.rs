//! Object identifiers: dotted text, BER content octets (X.690 8.19), prefix tests.
//!
//! Invariant: parsing is total over hostile bytes; an OID has at most
//! [`Oid::MAX_ARCS`] arcs (RFC 2578, 3.5) and each arc fits 32 bits.

use serde::{Deserialize, Serialize};
use std::fmt;

/// An object identifier, possibly empty. Ordered as SNMP orders them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Deserialize)]
#[serde(try_from = "String")]
pub struct Oid(Vec<u32>);

impl Serialize for Oid {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Why a text or bytes are not an object identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidOid {
    /// An arc is not a number of 32 bits.
    #[error("arc is not a number of 32 bits")]
    Arc,
    /// More than 128 arcs.
    #[error("more than 128 arcs")]
    TooLong,
    /// The last octet announces another one.
    #[error("ends inside an arc")]
    Unfinished,
}

impl Oid {
    /// RFC 2578, 3.5: at most 128 sub-identifiers.
    pub const MAX_ARCS: usize = 128;

    /// From arcs; longer input than [`Self::MAX_ARCS`] is cut.
    #[must_use]
    pub fn from_arcs(arcs: &[u32]) -> Self {
        Self(arcs.iter().copied().take(Self::MAX_ARCS).collect())
    }

    /// The arcs.
    #[must_use]
    pub fn arcs(&self) -> &[u32] {
        &self.0
    }

    /// Whether `self` equals `prefix` or lies below it.
    #[must_use]
    pub fn starts_with(&self, prefix: &Self) -> bool {
        self.0.starts_with(&prefix.0)
    }

    /// The arcs below `prefix`, if `self` lies there.
    #[must_use]
    pub fn below(&self, prefix: &Self) -> Option<&[u32]> {
        self.0.strip_prefix(prefix.0.as_slice())
    }

    /// This identifier with `arcs` appended.
    #[must_use]
    pub fn child(&self, arcs: &[u32]) -> Self {
        let mut all = self.0.clone();
        all.extend_from_slice(arcs);
        all.truncate(Self::MAX_ARCS);
        Self(all)
    }

    /// The IANA private enterprise number, if it lies at or below 1.3.6.1.4.1.n (RFC 2578, 3.1).
    #[must_use]
    pub fn enterprise(&self) -> Option<u32> {
        self.0
            .strip_prefix(&[1, 3, 6, 1, 4, 1])
            .and_then(|rest| rest.first().copied())
    }

    /// Decodes BER content octets.
    ///
    /// # Errors
    /// [`InvalidOid`] when an arc overflows 32 bits, the last arc is cut or there are too many.
    pub fn from_ber(octets: &[u8]) -> Result<Self, InvalidOid> {
        let mut arcs = Vec::with_capacity(octets.len() + 1);
        let mut arc: u32 = 0;
        let mut inside = false;
        for &octet in octets {
            if arc > (u32::MAX >> 7) {
                return Err(InvalidOid::Arc);
            }
            arc = (arc << 7) | u32::from(octet & 0x7f);
            inside = octet & 0x80 != 0;
            if inside {
                continue;
            }
            if arcs.is_empty() {
                let first = (arc / 40).min(2);
                arcs.push(first);
                arcs.push(arc - first * 40);
            } else {
                arcs.push(arc);
            }
            if arcs.len() > Self::MAX_ARCS {
                return Err(InvalidOid::TooLong);
            }
            arc = 0;
        }
        if inside {
            Err(InvalidOid::Unfinished)
        } else {
            Ok(Self(arcs))
        }
    }

    /// Encodes to BER content octets; identifiers of fewer than two arcs are padded with zeros.
    #[must_use]
    pub fn to_ber(&self) -> Vec<u8> {
        let first = self.0.first().copied().unwrap_or(0);
        let second = self.0.get(1).copied().unwrap_or(0);
        let mut octets = Vec::with_capacity(self.0.len() + 4);
        push_arc(&mut octets, u64::from(first) * 40 + u64::from(second));
        for &arc in self.0.iter().skip(2) {
            push_arc(&mut octets, u64::from(arc));
        }
        octets
    }
}

fn push_arc(octets: &mut Vec<u8>, arc: u64) {
    for shift in (1..10).rev().map(|n| n * 7) {
        if arc >> shift != 0 {
            octets.push(u8::try_from((arc >> shift) & 0x7f).unwrap_or(0) | 0x80);
        }
    }
    octets.push(u8::try_from(arc & 0x7f).unwrap_or(0));
}

impl std::str::FromStr for Oid {
    type Err = InvalidOid;
    /// Dotted decimal, with or without a leading dot; the empty text is the empty identifier.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.strip_prefix('.').unwrap_or(text);
        if text.is_empty() {
            return Ok(Self::default());
        }
        let mut arcs = Vec::new();
        for part in text.split('.') {
            if part.starts_with('+') {
                return Err(InvalidOid::Arc);
            }
            arcs.push(part.parse().map_err(|_| InvalidOid::Arc)?);
            if arcs.len() > Self::MAX_ARCS {
                return Err(InvalidOid::TooLong);
            }
        }
        Ok(Self(arcs))
    }
}

impl TryFrom<String> for Oid {
    type Error = InvalidOid;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Oid> for String {
    fn from(oid: Oid) -> Self {
        oid.to_string()
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, arc) in self.0.iter().enumerate() {
            if position > 0 {
                f.write_str(".")?;
            }
            write!(f, "{arc}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_ber_round_trip() {
        for text in [
            "1.3.6.1.2.1.1.1.0",
            "1.3.6.1.4.1.1004849.2",
            "2.999.4294967295",
            "0.0",
            "1.0.8802.1.1.2",
        ] {
            let oid: Oid = text.parse().unwrap();
            assert_eq!(oid.to_string(), text);
            assert_eq!(Oid::from_ber(&oid.to_ber()).unwrap(), oid, "{text}");
        }
    }

    #[test]
    fn known_octets() {
        let oid: Oid = "1.3.6.1.4.1.2011".parse().unwrap();
        assert_eq!(oid.to_ber(), [0x2b, 6, 1, 4, 1, 0x8f, 0x5b]);
    }

    #[test]
    fn hostile_octets_are_refused() {
        assert_eq!(Oid::from_ber(&[0x2b, 0x86]), Err(InvalidOid::Unfinished));
        assert_eq!(
            Oid::from_ber(&[0x2b, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]),
            Err(InvalidOid::Arc)
        );
        assert_eq!(Oid::from_ber(&[1; 400]), Err(InvalidOid::TooLong));
        assert_eq!(Oid::from_ber(&[]).unwrap(), Oid::default());
    }

    #[test]
    fn hostile_text_is_refused() {
        for bad in ["1..3", "a", "1.3.-6", "1.+3", "4294967296", "1.3 "] {
            assert_eq!(bad.parse::<Oid>(), Err(InvalidOid::Arc), "{bad}");
        }
    }

    #[test]
    fn enterprise_number() {
        let number = |text: &str| text.parse::<Oid>().unwrap().enterprise();
        assert_eq!(number("1.3.6.1.4.1.2011.2.360"), Some(2011));
        assert_eq!(number("1.3.6.1.4.19849"), None);
        assert_eq!(number("1.3.6.1.4.1"), None);
    }
}
