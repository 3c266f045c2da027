//! Whole rounds with an element that answers as the input says, each after what the one
//! before it taught: they end, keep to their limits, and call nothing complete that was not
//! answered.

#![no_main]

use agent::credential::Credential;
use agent::plan::{IfArc, Plan, Profile, Question, oid};
use agent::poll::socket::{Patience, Sockets};
use agent::poll::wire::error::NO_SUCH_NAME;
use agent::poll::wire::{Version, decode};
use agent::poll::{Extent, Learned, Limits, Round};
use agent::report::Report;
use agent::target::Target;
use agent_fuzz::message::{
    Binding, COMMUNITY, ENGINE, RESPONSE, Request, community, header, name, pdu, report, request, scoped,
};
use agent_fuzz::user::{NAME, Signer, USERS, user};
use agent_fuzz::{Input, against, changed};
use async_snmp::message::SecurityLevel;
use libfuzzer_sys::fuzz_target;
use prost::bytes::Bytes;
use proto::v1::{Outcome, QuestionKind};
use std::collections::HashSet;
use std::sync::LazyLock;
use std::time::{Duration, SystemTime};
use tokio::net::UdpSocket;
use tokio::time::Instant;

const ROUNDS: usize = 2;
const TARGET: &str = "127.0.0.1:161";

/// How the agent speaks and the element answers.
struct Voice {
    credential: Credential,
    signer: Signer,
    version: Option<Version>,
}

static VOICES: LazyLock<Vec<Voice>> = LazyLock::new(|| {
    let communities = [Version::V1, Version::V2c].map(|version| {
        let secret = String::from_utf8_lossy(COMMUNITY).into_owned();
        Voice {
            credential: Credential::community(version, secret.into(), "here").expect("a community"),
            signer: Signer::new(USERS[0]),
            version: Some(version),
        }
    });
    let users = USERS.into_iter().take(4).map(|protocols| Voice {
        credential: Credential::user(user(NAME, protocols)),
        signer: Signer::new(protocols),
        version: None,
    });
    communities.into_iter().chain(users).collect()
});

static LIMITS: Limits = Limits {
    max_repetitions: 40,
    max_rows: 50,
    max_value_bytes: 100,
    max_evidence_bytes: 3_000,
    deadline: Duration::from_secs(20),
    packets_per_second: 0,
    max_requests: 60,
    resume: Duration::from_secs(3_600),
};

/// A full plan with few columns, and one that waits for an arc.
static PLAN: LazyLock<Plan> = LazyLock::new(|| {
    let full = Plan::of(Profile::Full);
    let short = |question| match question {
        Question::Walk(roots) => Question::Walk(roots.into_iter().take(3).collect()),
        other => other,
    };
    Plan {
        questions: full.questions.into_iter().map(short).collect(),
        if_arc: vec![IfArc {
            arc: 99_999,
            walk: vec![name("1.3.6.1.4.1.99999.1")],
            addresses: Vec::new(),
        }],
        readings: full.readings,
    }
});

/// What a good element would hold, in order.
static TREE: LazyLock<Vec<Binding>> = LazyLock::new(|| {
    let mut all: Vec<Binding> = Vec::new();
    for question in &PLAN.questions {
        match question {
            Question::Get(names) => all.extend(names.iter().map(|name| (name.clone(), 4, b"box".to_vec()))),
            Question::Walk(roots) => {
                for root in roots {
                    all.extend((1..5).map(|row| (oid::child(root, row), 4, b"part".to_vec())));
                }
            }
            Question::Arcs { .. } => {}
        }
    }
    all.extend(PLAN.readings.iter().map(|name| (name.clone(), 0x43, vec![1, 2])));
    all.extend((1..9).map(|row| (oid::child(&name("1.3.6.1.4.1.99999.1"), row), 4, vec![7; 200])));
    all.sort_by(|one, other| oid::compare(&one.0, &other.0));
    all.dedup_by(|one, other| one.0 == other.0);
    all
});

fuzz_target!(init: a_good_element_is_read_in_full(), |data: &[u8]| {
    let mut input = Input::new(data);
    let voice = &VOICES[usize::from(input.byte()) % VOICES.len()];
    agent_fuzz::element::runtime().block_on(rounds(voice, input));
});

fn a_good_element_is_read_in_full() {
    for number in 0..VOICES.len() {
        let voice = &VOICES[number];
        let octets = [2, 5].repeat(300);
        let rounds = agent_fuzz::element::runtime().block_on(rounds(voice, Input::new(&octets)));
        let first = &rounds[0];
        assert!(first.answered && first.undecodable == 0, "{number} {first:?}");
        let complete = first
            .observations
            .iter()
            .filter(|one| one.outcome() == Outcome::Complete);
        assert!(complete.count() > 2, "{number} {first:?}");
        assert!(
            rounds[1].refreshed || voice.version == Some(Version::V1),
            "{number} {rounds:?}"
        );
    }
}

async fn rounds(voice: &Voice, mut input: Input<'_>) -> Vec<Round> {
    let mut all = Vec::new();
    let element = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
    let target: Target = element
        .local_addr()
        .expect("bound")
        .to_string()
        .parse()
        .expect("a target");
    let sockets = Sockets::open(1, 0).expect("sockets");
    let patience = Patience {
        first_contact: Duration::from_secs(1),
        retries: 1,
    };
    let mut learned = Learned::nothing(&LIMITS);
    let begin = input;
    for number in 0..ROUNDS {
        let extent = match number {
            0 => Extent::Full,
            _ => Extent::IfMoved,
        };
        let deadline = Instant::now() + LIMITS.deadline;
        let conversation = sockets.converse(target, &voice.credential, patience, deadline);
        let mut room = agent::poll::Room::alone();
        let asking = agent::poll::round(
            conversation,
            &PLAN,
            &LIMITS,
            &mut learned,
            (extent, SystemTime::now(), &mut room),
        );
        // Of a user's answers it cannot be told here.
        let mut denies = voice.version.is_none();
        let round = against(&element, asking, |asked| {
            if input.is_empty() {
                input = begin;
            }
            let all = answers(voice, &mut input, asked);
            let decoded = |answer: &Vec<u8>| decode(answer.clone().into(), voice.version?, COMMUNITY).ok();
            denies |= all
                .iter()
                .filter_map(decoded)
                .any(|read| read.error_status == NO_SUCH_NAME);
            all
        })
        .await;
        bounded(denies, round.clone());
        all.push(round);
        if input.is_empty() {
            break;
        }
    }
    all
}

/// `denies`: the element said noSuchName of something, which is left out then.
fn bounded(denies: bool, round: Round) {
    assert!(round.cost.requests <= LIMITS.max_requests);
    assert!(round.took <= LIMITS.deadline + Duration::from_secs(1));
    assert!(!round.refreshed || round.observations.is_empty());
    let mut octets = 0;
    let names: HashSet<&Bytes> = PLAN.readings.iter().collect();
    for observation in &round.observations {
        assert_ne!(observation.outcome(), Outcome::Unspecified);
        let walked = matches!(observation.kind(), QuestionKind::Walk | QuestionKind::Arcs);
        for pair in observation.varbinds.windows(2).filter(|_| walked) {
            assert!(oid::compare(&pair[0].oid, &pair[1].oid).is_lt());
        }
        if observation.kind() == QuestionKind::Get {
            let asked: HashSet<&Bytes> = observation.oids.iter().collect();
            assert!(observation.varbinds.iter().all(|one| asked.contains(&one.oid)));
            let found: HashSet<&Bytes> = observation.varbinds.iter().map(|one| &one.oid).collect();
            assert_eq!(found.len(), observation.varbinds.len());
            if observation.outcome() == Outcome::Complete && !denies {
                assert!(
                    observation
                        .oids
                        .iter()
                        .all(|one| found.contains(one) || names.contains(one))
                );
            }
        }
        if observation.kind() == QuestionKind::Engine {
            continue;
        }
        assert!(round.answered || observation.varbinds.is_empty());
        octets += observation
            .varbinds
            .iter()
            .map(|one| one.oid.len() + one.value.len())
            .sum::<usize>();
        assert!(
            observation
                .varbinds
                .iter()
                .all(|one| one.value.len() <= LIMITS.max_value_bytes)
        );
    }
    assert!(octets <= LIMITS.max_evidence_bytes);
    if !round.refreshed {
        let report = Report::new(
            TARGET.parse().expect("a target"),
            round,
            &[name("1.3.6.1.2.1.1.4")],
        );
        assert_eq!(report.digest.len(), 32);
    }
}

fn answers(voice: &Voice, input: &mut Input<'_>, asked: &[u8]) -> Vec<Vec<u8>> {
    let asked = request(asked, &voice.signer);
    let count = match input.byte() % 8 {
        0 => 0,
        1 => 2,
        _ => 1,
    };
    (0..count).map(|_| answer(voice, input, asked.as_ref())).collect()
}

fn answer(voice: &Voice, input: &mut Input<'_>, asked: Option<&Request>) -> Vec<u8> {
    let kind = input.byte();
    let id = asked.map_or(0, |asked| asked.pdu.request_id);
    let pdu = match (kind & 7, asked) {
        (0, _) => return input.long_piece().to_vec(),
        (1, _) => pdu(
            RESPONSE,
            [id, i32::from(input.byte() % 20), i32::from(input.byte())],
            &[],
        ),
        (2, Some(asked)) => pdu(RESPONSE, [id, 0, 0], &strange(input, asked)),
        (3, _) => report(input.byte() % 8),
        (4, Some(asked)) => changed(&pdu(RESPONSE, [id, 0, 0], &good(asked)), input.piece()),
        (_, Some(asked)) => pdu(RESPONSE, [id, 0, 0], &good(asked)),
        (_, None) => Vec::new(),
    };
    let whole = match voice.version {
        Some(version) => community(version, COMMUNITY, &pdu),
        None => {
            let discovery = asked.is_some_and(|asked| asked.pdu.varbinds.is_empty() && asked.tag == 0xa0);
            let level = match discovery && kind & 0x40 == 0 {
                true => SecurityLevel::NoAuthNoPriv,
                false => voice.signer.level(),
            };
            let mut from = header(id, level);
            if kind & 0x10 > 0 {
                (from.boots, from.time) = (i32::from(input.byte()), i32::from(input.word()));
            }
            let other = match kind & 0x20 {
                0 => ENGINE.to_vec(),
                _ => [ENGINE, &[input.byte()]].concat(),
            };
            from.engine = &other;
            from.around(&scoped(&other, &pdu), &voice.signer)
        }
    };
    match kind & 0x88 {
        0x88 => changed(&whole, input.piece()),
        _ => whole,
    }
}

/// As RFC 3416, 4.2 says.
fn good(asked: &Request) -> Vec<Binding> {
    let names = asked.pdu.varbinds.iter().map(|varbind| &varbind.oid);
    if asked.tag == 0xa0 {
        let get = |name: &Bytes| {
            let found = TREE.iter().find(|binding| binding.0 == name);
            found.cloned().unwrap_or((name.clone(), 0x80, Vec::new()))
        };
        return names.map(get).collect();
    }
    let rows = match asked.tag {
        0xa5 => asked.pdu.error_index.clamp(0, 64),
        _ => 1,
    };
    let mut cursors: Vec<Bytes> = names.cloned().collect();
    let mut bindings = Vec::new();
    for _ in 0..rows {
        for cursor in &mut cursors {
            let at = TREE.partition_point(|binding| oid::compare(&binding.0, cursor).is_le());
            let found = TREE
                .get(at)
                .cloned()
                .unwrap_or((cursor.clone(), 0x82, Vec::new()));
            *cursor = found.0.clone();
            bindings.push(found);
        }
    }
    bindings
}

/// About something of what was asked.
fn strange(input: &mut Input<'_>, asked: &Request) -> Vec<Binding> {
    let names: Vec<&Bytes> = asked.pdu.varbinds.iter().map(|varbind| &varbind.oid).collect();
    let count = input.byte() % 48;
    let binding = |_| {
        let kind = input.byte();
        let from = names.get(usize::from(kind >> 4) % names.len().max(1));
        let from = from.map_or_else(|| name("1.3.6"), |name| (*name).clone());
        let name = match kind % 4 {
            0 => from,
            1 => oid::child(&from, u32::from(input.byte())),
            2 => oid::split_last(&from).map_or(from.clone(), |(parent, arc)| {
                oid::child(parent, arc.wrapping_add(u32::from(input.byte())))
            }),
            _ => Bytes::copy_from_slice(input.piece()),
        };
        let tag = if kind & 8 == 0 { 4 } else { input.byte() };
        (name, tag, vec![7; input.byte().into()])
    };
    (0..count).map(binding).collect()
}
