//! Why an element does not answer a user: each reason has its name, and none of them
//! is asked for twice.

use crate::poll::snmpd::{AUTH, PRIVACY, Snmpd, user, user_with};
use crate::*;
use agent::plan::Question;
use async_snmp::message::{MsgFlags, MsgGlobalData, ScopedPdu, SecurityLevel, V3Message};
use async_snmp::message_size::MessageSize;
use async_snmp::pdu::ResponsePdu;
use async_snmp::v3::UsmSecurityParams;
use async_snmp::{AuthProtocol, DecodeConfig, Oid, PrivProtocol, Value as Snmp, VarBind};
use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

const SHA: AuthProtocol = AuthProtocol::Sha256;
const AES: PrivProtocol = PrivProtocol::Aes128;
/// Counters of usmStats (RFC 3414, 5).
const NOT_IN_TIME_WINDOWS: &[u32] = &[1, 3, 6, 1, 6, 3, 15, 1, 1, 2, 0];
const UNKNOWN_ENGINE_IDS: &[u32] = &[1, 3, 6, 1, 6, 3, 15, 1, 1, 4, 0];
const WRONG_DIGESTS: &[u32] = &[1, 3, 6, 1, 6, 3, 15, 1, 1, 5, 0];
/// snmpUnknownContexts (RFC 3413, 4.1.2).
const UNKNOWN_CONTEXTS: &[u32] = &[1, 3, 6, 1, 6, 3, 12, 1, 5, 0];
/// snmpUnknownPDUHandlers (RFC 3412, 5).
const UNKNOWN_PDU_HANDLERS: &[u32] = &[1, 3, 6, 1, 6, 3, 11, 2, 1, 3, 0];

fn plan() -> Plan {
    Plan {
        questions: vec![
            Question::Get(vec![oid::parse(SYS_DESCR).unwrap()]),
            Question::Walk(vec![oid::parse("1.3.6.1.2.1.1").unwrap()]),
        ],
        readings: Vec::new(),
        if_arc: Vec::new(),
    }
}

fn ask(target: &str, credential: &Credential, learned: &mut Learned) -> Round {
    let mut agent = Agent::new(0);
    agent.patience.first_contact = Duration::from_millis(300);
    agent.round(
        target,
        credential,
        &plan(),
        &limits(Duration::from_secs(20)),
        learned,
    )
}

fn ask_once(target: &str, credential: &Credential) -> Round {
    ask(
        target,
        credential,
        &mut Learned::nothing(&limits(Duration::from_secs(20))),
    )
}

#[test]
fn a_real_engine_says_what_is_wrong_and_is_asked_once() {
    let folder = tempfile::tempdir().unwrap();
    let config = format!(
        "createUser full SHA-256 {AUTH} AES {PRIVACY}\nrouser full auth\n\
         createUser plain SHA-256 {AUTH}\nrouser plain auth\n"
    );
    let snmpd = Snmpd::start(folder.path(), &config);
    let (right, wrong) = (Some((SHA, AUTH)), Some((SHA, "authentic2")));
    let private = Some((AES, PRIVACY));
    for (credential, expected, requests) in [
        (user_with("full", right, private, ""), Outcome::Complete, None),
        (
            user_with("full", wrong, private, ""),
            Outcome::WrongDigest,
            Some(2),
        ),
        (user_with("full", wrong, None, ""), Outcome::WrongDigest, Some(2)),
        // The right password with another protocol.
        (
            user_with("full", Some((AuthProtocol::Sha1, AUTH)), None, ""),
            Outcome::WrongDigest,
            Some(2),
        ),
        (
            user_with("nobody", right, private, ""),
            Outcome::UnknownUser,
            Some(2),
        ),
        (user_with("nobody", None, None, ""), Outcome::UnknownUser, Some(2)),
        (
            user_with("plain", right, private, ""),
            Outcome::UnsupportedLevel,
            Some(2),
        ),
        // Silence in this agent: asked thrice, then whether the signature alone is taken.
        (
            user_with("full", right, Some((AES, "privately2")), ""),
            Outcome::WrongPrivacy,
            Some(5),
        ),
        (
            user_with("full", right, Some((PrivProtocol::Aes256Reeder, PRIVACY)), ""),
            Outcome::WrongPrivacy,
            Some(5),
        ),
        (
            user_with("full", right, private, "nowhere"),
            Outcome::UnknownContext,
            Some(5),
        ),
    ] {
        let round = ask_once(&snmpd.target(), &credential);
        let said: Vec<_> = round.observations.iter().map(|one| one.outcome()).collect();
        assert_eq!(said[..2], [Outcome::Complete, expected], "{round:?}");
        assert_eq!(round.answered, expected == Outcome::Complete);
        if let Some(requests) = requests {
            assert_eq!(said[2], Outcome::Skipped);
            assert_eq!(round.cost.requests, requests, "{expected:?}");
        }
    }
    // A level that access control does not give is an answer: an error of SNMP.
    let low = ask_once(&snmpd.target(), &user("plain", None, None));
    assert_eq!(low.observations[1].outcome(), Outcome::Refused, "{low:?}");
}

#[test]
fn a_user_that_was_refused_is_left_alone_by_whoever_watches() {
    let folder = tempfile::tempdir().unwrap();
    let config = format!("createUser full SHA-256 {AUTH} AES {PRIVACY}\nrouser full auth\n");
    let snmpd = Snmpd::start(folder.path(), &config);
    let mut watch = Command::new(env!("CARGO_BIN_EXE_marque-agent"))
        .args(["watch", &snmpd.target(), "--every", "1", "--rounds", "40"])
        .args([
            "--user",
            "full",
            "--auth",
            "sha256",
            "--auth-env",
            "AUTH",
            "--timeout-ms",
            "300",
        ])
        .env("AUTH", "authentic2")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    let _ends = Ends(watch);
    let mut next = || -> Value { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };
    assert_eq!(next()["completeness"], "unreachable");
    let left = next();
    assert_eq!(left["change"], "left alone", "{left}");
    assert!(left["now"].as_str().unwrap().starts_with("for 900 s"), "{left}");
    // One round's worth of it, and no more is to come.
    let counted = Command::new("snmpget")
        .args([
            "-v2c",
            "-c",
            "hunter2",
            "-Oqv",
            &snmpd.target(),
            "1.3.6.1.6.3.15.1.1.5.0",
        ])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&counted.stdout).trim(), "1");
}

/// What an engine that knows nobody's keys can say about a request.
fn report(request: &[u8], engine: &[u8], counter: &[u32]) -> Vec<u8> {
    let request = V3Message::decode(request.to_vec().into(), DecodeConfig::DEFAULT)
        .unwrap()
        .value;
    let usm = UsmSecurityParams::new(engine.to_vec(), 1, 1, Vec::new()).unwrap();
    let flags = MsgFlags::new(SecurityLevel::NoAuthNoPriv, false);
    let header = MsgGlobalData::new(request.msg_id(), MessageSize::new(1472).unwrap(), flags).unwrap();
    let counter = VarBind::new(Oid::from_slice(counter), Snmp::Counter32(1));
    let report = ResponsePdu::report(0, vec![counter]).unwrap();
    let scoped = ScopedPdu::new(engine.to_vec(), Vec::new(), report);
    let message = V3Message::new(header, usm.encode().unwrap(), scoped).unwrap();
    message.encode().unwrap().to_vec()
}

fn is_discovery(request: &[u8]) -> bool {
    let request = V3Message::decode(request.to_vec().into(), DecodeConfig::DEFAULT)
        .unwrap()
        .value;
    let usm = UsmSecurityParams::decode(request.security_params().clone(), DecodeConfig::DEFAULT).unwrap();
    usm.value.engine_id().is_empty()
}

const ENGINE: &[u8] = b"\x80\0\x1f\x88\x04lab-1";

/// Answers discovery, and everything else with reports of one counter, or not at all.
fn engine_that_says(counter: Option<&'static [u32]>) -> (String, Arc<AtomicU32>) {
    let asked = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&asked);
    let address = element(move |request| {
        if is_discovery(request) {
            return vec![report(request, ENGINE, UNKNOWN_ENGINE_IDS)];
        }
        let nth = count.fetch_add(1, Ordering::SeqCst);
        match counter {
            // Another engine each time.
            Some(UNKNOWN_ENGINE_IDS) => {
                let engine = [ENGINE, &nth.to_be_bytes()].concat();
                vec![report(request, &engine, UNKNOWN_ENGINE_IDS)]
            }
            Some(counter) => vec![report(request, ENGINE, counter)],
            None => Vec::new(),
        }
    });
    (address, asked)
}

#[test]
fn engines_that_never_have_enough_are_given_up() {
    let credential = user("marque", Some(SHA), Some(AES));
    for (counter, expected, requests) in [
        (Some(NOT_IN_TIME_WINDOWS), Outcome::NotInTimeWindow, 2),
        (Some(UNKNOWN_ENGINE_IDS), Outcome::UnknownEngine, 2),
        (Some(WRONG_DIGESTS), Outcome::WrongDigest, 1),
        (Some(UNKNOWN_CONTEXTS), Outcome::UnknownContext, 1),
        // Something that has no word here.
        (Some(UNKNOWN_PDU_HANDLERS), Outcome::Refused, 1),
        // Thrice encrypted, thrice signed.
        (None, Outcome::Ignored, 6),
    ] {
        let (address, asked) = engine_that_says(counter);
        let round = ask_once(&address, &credential);
        assert_eq!(round.observations[0].outcome(), Outcome::Complete);
        assert_eq!(round.observations[1].outcome(), expected, "{round:?}");
        assert_eq!(round.observations[2].outcome(), Outcome::Skipped);
        assert_eq!(asked.load(Ordering::SeqCst), requests, "{expected:?}");
    }
    // Nobody there, nothing there, no SNMP there.
    let gone = UdpSocket::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string();
    let silent = element(|_| Vec::new());
    let garbage = element(|_| vec![b"hello".to_vec()]);
    for (address, expected) in [
        (gone, Outcome::Unreachable),
        (silent, Outcome::TimedOut),
        (garbage, Outcome::Undecodable),
    ] {
        let round = ask_once(&address, &credential);
        let said: Vec<_> = round.observations.iter().map(|one| one.outcome()).collect();
        assert_eq!(said, [expected, Outcome::Skipped, Outcome::Skipped]);
        assert!(!round.answered && round.readings.is_empty());
    }
}

#[test]
fn an_engine_that_forgot_itself_in_silence_is_discovered_again() {
    let credential = user("marque", Some(SHA), None);
    let limits = limits(Duration::from_secs(20));
    let folder = tempfile::tempdir().unwrap();
    let config = format!("createUser marque SHA-256 {AUTH}\nrouser marque auth\n");
    let snmpd = Snmpd::start(folder.path(), &config);
    let mut learned = Learned::nothing(&limits);
    assert!(ask(&snmpd.target(), &credential, &mut learned).answered);
    // Another box, which only answers discovery, took the address: as seen from here,
    // what was learned of one is tried at the other.
    let (address, asked) = engine_that_says(None);
    let round = ask(&address, &credential, &mut learned);
    assert_eq!(round.observations[0].varbinds[0].value, ENGINE);
    assert_eq!(round.observations[1].outcome(), Outcome::Ignored);
    assert_eq!(
        asked.load(Ordering::SeqCst),
        6,
        "with the old engine and with the new one"
    );
}

#[test]
fn a_credential_is_not_used_outside_its_ranges() {
    let (asked, requests) = mpsc::channel();
    let element = element(move |_| {
        let _ = asked.send(());
        Vec::new()
    });
    let credential = user("marque", None, None).within(vec!["192.0.2.0/24".parse().unwrap()]);
    let round = ask_once(&element, &credential);
    assert_eq!(round.observations[0].outcome(), Outcome::NoCredential);
    assert_eq!(round.cost.requests, 0);
    assert!(requests.try_recv().is_err());
}

#[test]
fn a_refused_user_is_left_alone_while_others_are_polled() {
    let (refusing, refused) = engine_that_says(Some(WRONG_DIGESTS));
    let (asked, rounds) = mpsc::channel();
    let quick = element(move |request| {
        // The first question of a round is the only GET.
        if request[tag_at(request)] == 0xa0 {
            let _ = asked.send(());
        }
        vec![echo(request)]
    });
    let folder = tempfile::tempdir().unwrap();
    let config = configuration(folder.path(), &quick);
    let (address, port) = refusing.rsplit_once(':').unwrap();
    std::fs::write(folder.path().join("auth"), AUTH).unwrap();
    let text = std::fs::read_to_string(&config).unwrap();
    let further = format!(
        "[[credential]]\nname = 'b'\nversion = '3'\nuser = 'marque'\n\
         auth = {{ protocol = 'sha256', password = {{ file = 'auth' }} }}\n\
         [[target]]\naddress = '{address}'\nport = {port}\ncredential = 'b'\n"
    );
    std::fs::write(&config, text + &further).unwrap();
    let (_agent, _log) = run(&config);
    for _ in 0..5 {
        rounds
            .recv_timeout(PATIENCE)
            .expect("the other one is polled every second");
    }
    assert_eq!(refused.load(Ordering::SeqCst), 1);
}
