//! The questions that find out whether somebody is there.
//!
//! Invariants: the first question carries no secret; a community goes only where
//! its credential may be used; what comes back is looked at for two things only:
//! whether it answers, and the engine it tells.

use crate::credential::{Credential, Opening};
use crate::plan::oid;
use crate::poll::engine::{self, Engine};
use crate::poll::wire::{self, Pdu};
use crate::target::Target;
use prost::bytes::Bytes;
use secrecy::ExposeSecret as _;
use std::sync::Arc;

/// SNMPv2-MIB::sysObjectID.0 (RFC 3418).
const SYS_OBJECT_ID: &str = "1.3.6.1.2.1.1.2.0";

/// One question to one address.
#[derive(Debug, Clone)]
pub enum Probe {
    /// Who is there: SNMPv3 engine discovery (RFC 3414, 4).
    Engine,
    /// What is there: GET of sysObjectID with a community.
    Object(Arc<Credential>),
}

/// What answered a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// An engine, who it is.
    Engine(Engine),
    /// Whoever takes the community.
    Object,
}

/// What both kinds of asking by credential ask for.
pub(super) fn object() -> Vec<Bytes> {
    oid::parse(SYS_OBJECT_ID).into_iter().collect()
}

impl Probe {
    /// The packet; [`None`] where the credential is no community or not for that address.
    #[must_use]
    pub fn request(&self, at: Target, id: i32) -> Option<Vec<u8>> {
        let credential = match self {
            Self::Engine => return Some(engine::request(id)),
            Self::Object(credential) => credential,
        };
        match credential.opening() {
            Opening::Community { version, community } if credential.covers(at.address().ip()) => {
                let community = community.expose_secret().as_bytes();
                wire::encode(*version, community, id, Pdu::Get, &object())
            }
            _ => None,
        }
    }

    /// What a datagram answers, if it does: our own discovery, reflected, names no engine.
    #[must_use]
    pub fn answer(&self, id: i32, datagram: &Bytes) -> Option<Answer> {
        match self {
            Self::Engine => {
                let (answered, engine) = engine::read(datagram).ok()?;
                (answered == id).then_some(Answer::Engine(engine))
            }
            Self::Object(credential) => match credential.opening() {
                Opening::Community { version, community } => {
                    let community = community.expose_secret().as_bytes();
                    let response = wire::decode(datagram.clone(), *version, community).ok()?;
                    (response.request_id == id).then_some(Answer::Object)
                }
                Opening::User(_) => None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::engine_report as report;

    fn target(text: &str) -> Target {
        text.parse().unwrap()
    }

    #[test]
    fn only_an_answer_to_us_counts() {
        let credential = crate::testing::community("public");
        let object = Probe::Object(Arc::clone(&credential));
        let ours = object.request(target("192.0.2.1"), 7).unwrap();
        let tells = |octets: Vec<u8>, id| Probe::Engine.answer(id, &octets.into()).is_some();
        let told = Probe::Engine.answer(7, &report(7, b"\x80\x00\x1f\x88\x04element").into());
        assert!(
            matches!(told, Some(Answer::Engine(engine)) if engine.id == b"\x80\x00\x1f\x88\x04element"[..])
        );
        assert!(
            !tells(report(7, b"\x80\x00\x1f\x88\x04element"), 8),
            "another question"
        );
        assert!(!tells(engine::request(7), 7), "our own question, reflected");
        for noise in [ours.clone(), b"hello".to_vec(), vec![0x30, 0x80], Vec::new()] {
            assert!(!tells(noise.clone(), 7));
            assert_eq!(object.answer(7, &noise.into()), None, "a question is no answer");
        }
        // A response is the question with another tag (RFC 3416, 3), no values needed here.
        let mut response = ours;
        let at = response.iter().position(|octet| *octet == 0xa0).unwrap();
        response[at] = 0xa2;
        assert_eq!(object.answer(7, &response.clone().into()), Some(Answer::Object));
        assert_eq!(
            object.answer(8, &response.clone().into()),
            None,
            "another question"
        );
        let other = Probe::Object(crate::testing::community("private"));
        assert_eq!(other.answer(7, &response.into()), None, "another community");
    }

    #[test]
    fn no_community_leaves_its_own_ranges() {
        let credential = crate::testing::community_within("public", "192.0.2.0/24");
        let object = Probe::Object(credential);
        assert!(object.request(target("192.0.2.1"), 7).is_some());
        assert_eq!(object.request(target("198.51.100.1"), 7), None);
        let text =
            String::from_utf8_lossy(&Probe::Engine.request(target("192.0.2.1"), 7).unwrap()).into_owned();
        assert!(!text.contains("public"));
    }
}
