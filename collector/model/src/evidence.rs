//! What a device sent, as it sent it: observations made of raw varbinds.
//!
//! Invariants: values are the BER tag and content octets of the answer and are
//! never changed; decoding is a view that cannot fail loudly (`None` or lossy
//! text) and is bounded by the caller.

use crate::oid::Oid;
use serde::{Deserialize, Serialize};

/// Everything one target answered in one round, except values that change every round.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Evidence {
    /// In the order the agent asked.
    pub observations: Vec<Observation>,
}

/// One question and the raw answer, or why there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// What was asked.
    pub question: Question,
    /// How the asking ended.
    pub outcome: Outcome,
    /// The raw answer, in the order received; partial answers are kept.
    pub varbinds: Vec<Varbind>,
}

/// What was asked of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// How it was asked.
    pub kind: QuestionKind,
    /// The objects (get) or roots (walk, arcs) asked for.
    pub oids: Vec<Oid>,
}

/// The ways of asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuestionKind {
    /// GET of exact instances.
    Get,
    /// A subtree or columns, by GETNEXT or GETBULK.
    Walk,
    /// GETNEXT hopping over the arcs directly below a root: one varbind for each arc present.
    Arcs,
    /// SNMPv3 engine discovery, which needs no user (RFC 3414, 4).
    Engine,
    /// Read from a recording, not from a network.
    Recording,
}

/// How one question ended (facts, not judgements).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Answered to its natural end.
    Complete,
    /// Stopped at a limit of rows or bytes.
    Truncated,
    /// No answer within the time allowed; rows before it are kept.
    TimedOut,
    /// The agent of the element answered with an SNMP error.
    Refused,
    /// The network said that nobody is there (ICMP).
    Unreachable,
    /// An answer arrived that is no SNMP.
    Undecodable,
    /// The answer went backwards or in circles (non-increasing OIDs).
    Looping,
    /// Not asked, because an earlier question showed it would be pointless.
    Skipped,
    /// Asked and answered, but removed at the site by the operator's rule before spooling.
    Redacted,
    /// The element reported another password or protocol of authentication.
    WrongDigest,
    /// The element has no such user.
    UnknownUser,
    /// The element has the user, without authentication or without privacy.
    UnsupportedLevel,
    /// The password or protocol of privacy is another one.
    WrongPrivacy,
    /// Still outside the time window after one resynchronisation.
    NotInTimeWindow,
    /// Another engine again after one more discovery.
    UnknownEngine,
    /// The element has no such context.
    UnknownContext,
    /// The engine answers discovery, and is silent to this user.
    Ignored,
    /// Not asked: the credential may not be used at this address.
    NoCredential,
}

/// How completely a target answered in one round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Completeness {
    /// Every question ended complete.
    Complete,
    /// Something was answered and something was not.
    Partial,
    /// No question of the plan was answered; engine discovery may have been.
    Unreachable,
}

/// One variable binding (RFC 3416, 3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Varbind {
    /// The name of the instance.
    pub oid: Oid,
    /// Its raw value.
    pub value: Value,
}

/// A BER value as received: tag and content octets.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Value {
    /// BER tag octet, e.g. 0x04 OCTET STRING, 0x06 OBJECT IDENTIFIER, 0x43 TimeTicks.
    pub tag: u8,
    /// Content octets, exactly as received.
    pub octets: Vec<u8>,
}

impl Value {
    /// INTEGER / Integer32.
    pub const INTEGER: u8 = 0x02;
    /// OCTET STRING.
    pub const OCTET_STRING: u8 = 0x04;
    /// NULL.
    pub const NULL: u8 = 0x05;
    /// OBJECT IDENTIFIER.
    pub const OBJECT_IDENTIFIER: u8 = 0x06;
    /// IpAddress.
    pub const IP_ADDRESS: u8 = 0x40;
    /// TimeTicks.
    pub const TIME_TICKS: u8 = 0x43;

    /// An OCTET STRING of these bytes.
    #[must_use]
    pub fn octet_string(bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            tag: Self::OCTET_STRING,
            octets: bytes.into(),
        }
    }

    /// An OBJECT IDENTIFIER.
    #[must_use]
    pub fn object_identifier(oid: &Oid) -> Self {
        Self {
            tag: Self::OBJECT_IDENTIFIER,
            octets: oid.to_ber(),
        }
    }

    /// Text of an OCTET STRING for people: invalid UTF-8 replaced, control characters
    /// (line ends too) made blanks, surrounding blanks and NULs cut, at most `limit` characters.
    #[must_use]
    pub fn text(&self, limit: usize) -> Option<String> {
        if self.tag != Self::OCTET_STRING {
            return None;
        }
        let bounded = self
            .octets
            .get(..self.octets.len().min(limit.saturating_mul(4)))?;
        // Nearly all texts are plain ones, of one octet a character.
        if let Ok(plain) = std::str::from_utf8(bounded)
            && bounded.iter().all(|octet| (b' '..=b'~').contains(octet))
        {
            let text = plain.get(..plain.len().min(limit)).unwrap_or_default();
            return Some(text.trim().to_owned());
        }
        let text: String = String::from_utf8_lossy(bounded)
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .take(limit)
            .collect();
        Some(text.trim().to_owned())
    }

    /// The value of an OBJECT IDENTIFIER, if it is one and well formed.
    #[must_use]
    pub fn oid(&self) -> Option<Oid> {
        (self.tag == Self::OBJECT_IDENTIFIER)
            .then(|| Oid::from_ber(&self.octets).ok())
            .flatten()
    }

    /// Any integer-like value (INTEGER, Counter, Gauge, TimeTicks) that fits 64 bits.
    #[must_use]
    pub fn integer(&self) -> Option<i64> {
        let unsigned = matches!(self.tag, 0x41..=0x43 | 0x46 | 0x47);
        if self.tag != Self::INTEGER && !unsigned {
            return None;
        }
        let octets: &[u8] = match self.octets.as_slice() {
            [] => return None,
            [0, rest @ ..] if unsigned => rest,
            all => all,
        };
        if octets.len() > 8 {
            return None;
        }
        let negative = !unsigned && octets.first().is_some_and(|b| b & 0x80 != 0);
        let start: i64 = if negative { -1 } else { 0 };
        Some(octets.iter().fold(start, |n, &b| (n << 8) | i64::from(b)))
    }
}

impl Evidence {
    /// All varbinds in order.
    pub fn varbinds(&self) -> impl Iterator<Item = &Varbind> {
        self.observations.iter().flat_map(|o| o.varbinds.iter())
    }

    /// The first value of exactly this instance.
    #[must_use]
    pub fn get(&self, oid: &Oid) -> Option<&Value> {
        self.varbinds().find(|v| v.oid == *oid).map(|v| &v.value)
    }

    /// Instances below a column or subtree with their index arcs, in order received.
    pub fn below<'a>(&'a self, root: &'a Oid) -> impl Iterator<Item = (&'a [u32], &'a Varbind)> {
        self.varbinds()
            .filter_map(move |v| v.oid.below(root).map(|index| (index, v)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_bounded_and_harmless() {
        let value = Value::octet_string(b"  VRP\r\n\xff <b>\0\0".as_slice());
        assert_eq!(value.text(100).unwrap(), "VRP  \u{fffd} <b>");
        assert_eq!(
            Value::octet_string(vec![b'x'; 70_000]).text(10).unwrap(),
            "xxxxxxxxxx"
        );
        assert_eq!(
            Value {
                tag: Value::NULL,
                octets: vec![]
            }
            .text(10),
            None
        );
    }

    #[test]
    fn integers_of_every_width() {
        let int = |tag, octets: &[u8]| {
            Value {
                tag,
                octets: octets.to_vec(),
            }
            .integer()
        };
        assert_eq!(int(0x02, &[0xff]), Some(-1));
        assert_eq!(int(0x02, &[0x00, 0x80]), Some(128));
        assert_eq!(int(0x43, &[0x00, 0xff, 0xff, 0xff, 0xff]), Some(4_294_967_295));
        assert_eq!(int(0x41, &[0x80]), Some(128));
        assert_eq!(int(0x02, &[]), None);
        assert_eq!(int(0x02, &[1; 9]), None);
    }
}
