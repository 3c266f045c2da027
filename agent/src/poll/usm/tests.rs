//! What is believed of an engine and what is not, against an engine built with the
//! library's own messages.

use super::*;
use crate::credential::user::Password;
use crate::plan::oid;
use async_snmp::message::{MsgFlags, MsgGlobalData, ScopedPdu, V3Message};
use async_snmp::message_size::MessageSize;
use async_snmp::pdu::ResponsePdu;
use async_snmp::v3::auth::authenticate_message;
use async_snmp::v3::{SaltCounter, UsmSecurityParams};
use async_snmp::{AuthProtocol, Oid, PrivProtocol, Value, VarBind, Version};
use proptest::prelude::*;
use secrecy::SecretString;
use std::sync::LazyLock;
use std::time::Duration;

const ENGINE: &[u8] = b"\x80\0\x1f\x88\x04lab-1";
const WRONG_DIGESTS: [u32; 11] = [1, 3, 6, 1, 6, 3, 15, 1, 1, 5, 0];
const NOT_IN_TIME_WINDOWS: [u32; 11] = [1, 3, 6, 1, 6, 3, 15, 1, 1, 2, 0];
const UNKNOWN_ENGINE_IDS: [u32; 11] = [1, 3, 6, 1, 6, 3, 15, 1, 1, 4, 0];

fn password<P>(protocol: P, secret: &str) -> Password<P> {
    Password {
        protocol,
        secret: SecretString::from(secret),
        origin: "here".to_owned(),
    }
}

static USER: LazyLock<User> = LazyLock::new(|| {
    let auth = password(AuthProtocol::Sha256, "authentic1");
    let privacy = password(PrivProtocol::Aes128, "privately1");
    User::new("marque", Some(&auth), Some(&privacy), "").unwrap()
});

/// What the engine says.
#[derive(Clone, Copy)]
struct Says<'a> {
    level: SecurityLevel,
    engine: &'a [u8],
    boots: u32,
    time: u32,
    id: i32,
    /// The object of a report; a response without one.
    report: Option<[u32; 11]>,
}

const RIGHT: Says<'_> = Says {
    level: SecurityLevel::AuthPriv,
    engine: ENGINE,
    boots: 7,
    time: 1000,
    id: 1,
    report: None,
};

impl Says<'_> {
    fn octets(self) -> Bytes {
        let keys = USER.keys(&Bytes::copy_from_slice(self.engine)).unwrap();
        let pdu = match self.report {
            Some(counter) => {
                let varbind = VarBind::new(Oid::from_slice(&counter), Value::Counter32(1));
                ResponsePdu::report(0, vec![varbind]).unwrap()
            }
            None => {
                let name = Oid::from_slice(&[1, 3, 6, 1, 2, 1, 1, 1, 0]);
                let value = Value::OctetString(Bytes::from_static(b"box"));
                ResponsePdu::success(Version::V3, self.id, vec![VarBind::new(name, value)]).unwrap()
            }
        };
        let scoped = ScopedPdu::new(self.engine.to_vec(), Vec::new(), pdu);
        let header = MsgGlobalData::new(
            self.id,
            MessageSize::new(1472).unwrap(),
            MsgFlags::new(self.level, false),
        )
        .unwrap();
        let mut usm =
            UsmSecurityParams::new(self.engine.to_vec(), self.boots, self.time, b"marque".to_vec()).unwrap();
        if self.level.requires_auth() {
            usm = usm.with_auth_placeholder(24).unwrap();
        }
        let message = if self.level.requires_priv() {
            let plain = scoped.encode_to_bytes().unwrap();
            let salts = SaltCounter::new().unwrap();
            let key = keys.privacy.as_ref().unwrap();
            let (sealed, salt) = key.encrypt_aes(&plain, self.boots, self.time, &salts).unwrap();
            let usm = usm.with_priv_params(salt).unwrap().encode().unwrap();
            V3Message::new_with_opaque_encrypted_scoped_pdu(header, usm, sealed)
        } else {
            V3Message::new(header, usm.encode().unwrap(), scoped)
        };
        let mut octets = message.unwrap().encode().unwrap().to_vec();
        if self.level.requires_auth() {
            let (at, length) = UsmSecurityParams::find_auth_params_offset(&octets).unwrap();
            authenticate_message(&keys.auth, &mut octets, at, length).unwrap();
        }
        octets.into()
    }
}

/// A session that found its engine by discovery and asked with the identifier 1.
fn session() -> Session<'static> {
    let mut session = Session::new(&USER);
    let discovered = Says {
        level: SecurityLevel::NoAuthNoPriv,
        id: 9,
        report: Some(UNKNOWN_ENGINE_IDS),
        ..RIGHT
    };
    assert_eq!(session.open(&discovered.octets(), 9), Ok(Some(Heard::Engine)));
    session
        .seal(1, Pdu::Get, &[oid::parse("1.3.6.1.2.1.1.1.0").unwrap()])
        .unwrap();
    session
}

fn answered(heard: Result<Option<Heard>, Undecodable>) -> bool {
    matches!(heard, Ok(Some(Heard::Response(response))) if response.varbinds[0].value.as_ref() == b"box")
}

#[tokio::test]
async fn only_what_the_key_signed_and_the_request_asked_for_is_an_answer() {
    assert!(answered(session().open(&RIGHT.octets(), 1)));
    let mut padded = RIGHT.octets().to_vec();
    padded.extend([0, 0, 0]);
    assert!(answered(session().open(&padded.into(), 1)), "elements pad");
    let late = Says { id: 2, ..RIGHT };
    assert_eq!(session().open(&late.octets(), 1), Ok(None));
    for wrong in [
        // In clear where it was asked encrypted, unsigned where it was asked signed.
        Says {
            level: SecurityLevel::AuthNoPriv,
            ..RIGHT
        },
        Says {
            level: SecurityLevel::NoAuthNoPriv,
            ..RIGHT
        },
        Says {
            engine: b"\x80\0\x1f\x88\x04lab-2",
            ..RIGHT
        },
    ] {
        assert_eq!(session().open(&wrong.octets(), 1), Err(Undecodable));
    }
}

#[tokio::test(start_paused = true)]
async fn old_messages_are_not_answers_once_the_clock_is_proven() {
    for (boots, time, fresh) in [
        (7, 850, true),
        (7, 849, false),
        (6, 1_000_000, false),
        (8, 0, true),
    ] {
        let old = Says { boots, time, ..RIGHT }.octets();
        assert!(
            answered(session().open(&old, 1)),
            "an unsigned clock proves nothing"
        );
        let mut session = session();
        assert!(answered(session.open(&RIGHT.octets(), 1)));
        assert_eq!(answered(session.open(&old, 1)), fresh, "{boots} {time}");
        // Whose clock stands still is asked once more.
        assert!(answered(session.open(&old, 1)), "{boots} {time}");
    }
    // The clock goes on while nothing is heard.
    let mut session = session();
    assert!(answered(session.open(&RIGHT.octets(), 1)));
    tokio::time::advance(Duration::from_secs(151)).await;
    assert_eq!(session.known().unwrap().clock(), (7, 1151));
    assert!(!answered(session.open(&RIGHT.octets(), 1)));
}

#[tokio::test]
async fn a_clock_that_went_back_is_taken_over_when_the_engine_says_so() {
    let mut session = session();
    assert!(answered(session.open(&RIGHT.octets(), 1)));
    for (level, proven) in [
        (SecurityLevel::AuthNoPriv, true),
        (SecurityLevel::NoAuthNoPriv, false),
    ] {
        let lost = Says {
            level,
            boots: 1,
            time: 5,
            report: Some(NOT_IN_TIME_WINDOWS),
            ..RIGHT
        };
        let said = session.open(&lost.octets(), 1);
        assert_eq!(said, Ok(Some(Heard::Report(ExchangeError::NotInTimeWindow))));
        let known = session.known().unwrap();
        assert_eq!((known.engine.boots.value, known.engine.time.value), (1, 5));
        assert_eq!(known.proven, proven);
    }
}

#[tokio::test]
async fn reports_of_others_change_nothing_and_a_new_engine_is_taken_over() {
    let mut session = session();
    let other = Says {
        level: SecurityLevel::NoAuthNoPriv,
        engine: b"\x80\0\x1f\x88\x04lab-2",
        report: Some(WRONG_DIGESTS),
        ..RIGHT
    };
    let said = session.open(&other.octets(), 1);
    assert_eq!(said, Ok(Some(Heard::Report(ExchangeError::WrongDigest))));
    assert_eq!(session.known().unwrap().engine.id, ENGINE);
    let replaced = Says {
        report: Some(UNKNOWN_ENGINE_IDS),
        ..other
    };
    let said = session.open(&replaced.octets(), 1);
    assert_eq!(said, Ok(Some(Heard::Report(ExchangeError::UnknownEngine))));
    assert_eq!(session.known().unwrap().engine.id, other.engine);
    let asked = session.seal(1, Pdu::Get, &[]).unwrap();
    assert!(asked.windows(10).any(|part| part == other.engine));
    let answer = Says {
        engine: other.engine,
        ..RIGHT
    };
    assert!(
        answered(session.open(&answer.octets(), 1)),
        "with the keys of the new engine"
    );
}

proptest! {
    #[test]
    fn one_changed_octet_is_no_answer(at in 0usize..200, change in 1u8..) {
        let mut octets = RIGHT.octets().to_vec();
        let at = at % octets.len();
        octets[at] ^= change;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let heard = runtime.block_on(async { session().open(&octets.into(), 1) });
        prop_assert!(!matches!(heard, Ok(Some(Heard::Response(_)))), "{at} {heard:?}");
    }
}
