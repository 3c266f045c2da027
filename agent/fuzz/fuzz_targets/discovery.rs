//! Answers to discovery: read by themselves, and taken in by a prober, for whom every
//! address ends in a state and nobody who did not tell an engine is told a secret.

#![no_main]

use agent::credential::Credential;
use agent::discover::{Errand, Prober};
use agent::poll::engine;
use agent::poll::pace::Pace;
use agent::poll::wire::Version;
use agent_fuzz::message::{
    COMMUNITY, ENGINE, RESPONSE, community, header, name, pdu, report, request, scoped,
};
use agent_fuzz::user::{NAME, Signer, USERS, user};
use agent_fuzz::{Input, against, changed};
use async_snmp::message::SecurityLevel;
use libfuzzer_sys::fuzz_target;
use prost::bytes::Bytes;
use proto::v1::CoverageState as State;
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tokio::net::UdpSocket;

static SIGNER: LazyLock<Signer> = LazyLock::new(|| Signer::new(USERS[2]));
/// With none, with a community, with a user.
static CREDENTIALS: LazyLock<[Option<Arc<Credential>>; 3]> = LazyLock::new(|| {
    let secret = String::from_utf8_lossy(COMMUNITY).into_owned();
    let community = Credential::community(Version::V2c, secret.into(), "here").expect("a community");
    let user = Credential::user(user(NAME, USERS[2]));
    [None, Some(Arc::new(community)), Some(Arc::new(user))]
});

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    read(&mut input.clone());
    let credential = CREDENTIALS[usize::from(input.byte()) % 3].clone();
    agent_fuzz::element::runtime().block_on(probe(credential, input));
});

fn read(input: &mut Input<'_>) {
    let datagram = datagram(input, 7);
    if let Ok((_, engine)) = engine::read(&Bytes::from(datagram)) {
        assert!((1..=255).contains(&engine.id.len()));
        let found = engine::observation(Ok(&engine));
        assert_eq!(found.varbinds[0].value, engine.id);
        assert_eq!(engine.readings().len(), 2);
    }
}

async fn probe(credential: Option<Arc<Credential>>, mut input: Input<'_>) {
    let element = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
    let at = element.local_addr().expect("bound").to_string();
    let mut prober = Prober::open(Arc::new(Pace::new(0)), Duration::from_millis(100)).expect("sockets");
    let ask_silent = input.byte() % 2 == 1;
    prober.ask(Errand {
        target: at.parse().expect("a target"),
        credential,
        ask_silent,
        user: None,
    });
    let mut told = false;
    let ended = against(&element, prober.next(), |asked| {
        let secret = asked.windows(COMMUNITY.len()).any(|part| part == COMMUNITY);
        assert!(!secret || told || ask_silent, "a secret for a stranger");
        let id = request(asked, &SIGNER).map_or(0, |request| request.pdu.request_id);
        let answers: Vec<_> = (0..input.byte() % 4).map(|_| datagram(&mut input, id)).collect();
        told |= answers
            .iter()
            .any(|answer| engine::read(&Bytes::copy_from_slice(answer)).is_ok());
        answers
    })
    .await;
    assert_ne!(ended.state, State::Unspecified);
    assert!(prober.packets <= 4 && prober.under_way() == 0);
}

/// An answer to a request: good, changed, or anything.
fn datagram(input: &mut Input<'_>, id: i32) -> Vec<u8> {
    let kind = input.byte();
    let level = SecurityLevel::NoAuthNoPriv;
    let good = match kind & 3 {
        0 => header(id, level).around(&scoped(ENGINE, &report(kind >> 5)), &SIGNER),
        1 => {
            let engine = input.piece();
            let other = agent_fuzz::message::Header {
                engine,
                ..header(id, level)
            };
            other.around(&scoped(engine, &report(4)), &SIGNER)
        }
        2 => {
            let object = (name("1.3.6.1.2.1.1.2.0"), 6, vec![43, 6, 1, 4, 1]);
            community(Version::V2c, COMMUNITY, &pdu(RESPONSE, [id, 0, 0], &[object]))
        }
        _ => return input.long_piece().to_vec(),
    };
    match kind & 4 {
        0 => good,
        _ => changed(&good, input.piece()),
    }
}
