//! Messages of version 3 to one session: what nobody signed, what is behind signature and
//! encryption, and well-formed messages with changes; one after the other, so that each
//! meets what those before it left.

#![no_main]

use agent::credential::user::User;
use agent::plan::oid;
use agent::poll::usm::message::Incoming;
use agent::poll::usm::{Heard, Session};
use agent::poll::wire::Pdu;
use agent_fuzz::message::{ENGINE, Header, RESPONSE, header, name, pdu, report, scoped};
use agent_fuzz::user::{NAME, Signer, USERS, user};
use agent_fuzz::{Input, changed};
use async_snmp::message::SecurityLevel;
use libfuzzer_sys::fuzz_target;
use prost::bytes::Bytes;
use std::sync::LazyLock;

/// Messages in one input.
const MOST: usize = 8;

static ALL: LazyLock<Vec<(User, Signer)>> = LazyLock::new(|| {
    let both = |protocols| (user(NAME, protocols), Signer::new(protocols));
    let all: Vec<_> = USERS.into_iter().map(both).collect();
    for (user, signer) in &all {
        let mut session = Session::new(user);
        discovered(&mut session, signer);
        let _ = session.seal(1, Pdu::Get, &[]);
        let good = scoped(ENGINE, &pdu(RESPONSE, [1, 0, 0], &[]));
        let heard = session.open(&header(1, signer.level()).around(&good, signer).into(), 1);
        assert!(matches!(heard, Ok(Some(Heard::Response(_)))), "{heard:?}");
    }
    all
});

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let (user, signer) = &ALL[usize::from(input.byte()) % ALL.len()];
    let mut session = Session::new(user);
    if input.byte() % 4 > 0 {
        discovered(&mut session, signer);
    }
    for id in 1..=MOST {
        if input.is_empty() {
            break;
        }
        hear(
            &mut session,
            signer,
            i32::try_from(id).expect("small"),
            &mut input,
        );
    }
});

/// Takes in a good engine.
fn discovered(session: &mut Session<'_>, signer: &Signer) {
    let answer = header(9, SecurityLevel::NoAuthNoPriv).around(&scoped(b"", &report(4)), signer);
    assert_eq!(session.open(&answer.into(), 9), Ok(Some(Heard::Engine)));
}

fn hear(session: &mut Session<'_>, signer: &Signer, id: i32, input: &mut Input<'_>) {
    let best = signer.level();
    let level = match input.byte() % 4 {
        0 if best.requires_priv() => SecurityLevel::AuthNoPriv,
        _ => best,
    };
    let knew = session.known().cloned();
    let asked = match level == best {
        true => session.seal(id, Pdu::Get, &[name("1.3.6.1.2.1.1.1.0")]),
        false => session.seal_empty(id, level),
    };
    assert!(asked.is_none() || knew.is_some());
    let (datagram, signed) = datagram(signer, id, level, input);
    let datagram = Bytes::from(datagram);
    let heard = session.open(&datagram, id);
    if let Some(known) = session.known() {
        assert!((1..=255).contains(&known.engine().id.len()));
    }
    match heard {
        Ok(Some(Heard::Response(response))) => {
            assert!(knew.is_some() && response.request_id == id);
            assert!(
                signed || !level.requires_auth(),
                "only what the key signed is an answer"
            );
            assert!(
                response
                    .varbinds
                    .iter()
                    .all(|varbind| oid::is_valid(&varbind.oid))
            );
        }
        Ok(Some(Heard::Engine)) => assert!(knew.is_none()),
        Ok(Some(Heard::Report(_))) => assert!(knew.is_some()),
        Ok(None) | Err(_) => assert_eq!(session.known().cloned(), knew, "nothing is taken of it"),
    }
    if let Ok(incoming) = Incoming::read(&datagram) {
        let _ = incoming.pdu(None);
    }
}

/// What comes, and whether the key signed all of it.
fn datagram(signer: &Signer, id: i32, level: SecurityLevel, input: &mut Input<'_>) -> (Vec<u8>, bool) {
    let kind = input.byte();
    let descr = (name("1.3.6.1.2.1.1.1.0"), 4, b"box".to_vec());
    let good = match kind & 0x30 {
        0 | 0x10 => pdu(RESPONSE, [id, 0, 0], &[descr]),
        0x20 => report(input.byte() % 8),
        _ => pdu(input.byte(), [id, i32::from(input.byte()), 1], &[descr]),
    };
    let engine = match kind & 0xc0 {
        0xc0 => input.piece(),
        _ => ENGINE,
    };
    let clock = |input: &mut Input<'_>| i32::from_be_bytes(input.long().to_be_bytes());
    let mut from = Header {
        engine,
        ..header(id, level)
    };
    if kind & 0xc0 == 0x80 {
        (from.boots, from.time) = (clock(input), clock(input));
    }
    let good = scoped(engine, &good);
    match kind & 0x0f {
        0 => (input.long_piece().to_vec(), false),
        1 | 2 => (from.around(input.long_piece(), signer), true),
        3..=6 => (from.around(&changed(&good, input.piece()), signer), true),
        7 => {
            from.level = SecurityLevel::NoAuthNoPriv;
            (from.around(&changed(&good, input.piece()), signer), false)
        }
        8 => {
            from.user = input.piece();
            (from.around(&good, signer), from.user == NAME.as_bytes())
        }
        9 => {
            from.id = clock(input);
            (from.around(&good, signer), from.id == id)
        }
        _ => {
            let whole = from.around(&good, signer);
            let octets = changed(&whole, input.piece());
            // What follows a message is passed over.
            let signed = octets.starts_with(&whole);
            (octets, signed)
        }
    }
}
