//! Everything once more against an engine of another make (pysnmp), which `tests/run`
//! installs: what snmpd lacks (3DES, contexts, reports of all kinds), and a second opinion.

use crate::poll::snmpd::{AUTH, PRIVACY, user, user_with};
use crate::poll::spoken::{AUTHS, PRIVACIES, Spoken, as_user, in_context, with_community};
use crate::*;
use agent::plan::Question;
use async_snmp::{AuthProtocol, PrivProtocol};
use std::process::ChildStdin;

/// A context that the peer has.
const CONTEXT: &str = "vrf-blue";

/// Where `tests/run` puts the Python that has it: beside the profile's folder.
fn python() -> std::path::PathBuf {
    let binary = Path::new(env!("CARGO_BIN_EXE_marque-agent"));
    let target = binary.ancestors().nth(2).unwrap();
    let python = target.join("peer/bin/python");
    assert!(
        python.exists(),
        "{} is missing: ./tests/run makes it, and needs a Python package index for that",
        python.display()
    );
    python
}

fn peer() -> (Ends, ChildStdin, String) {
    let free = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let mut child = Command::new(python())
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/poll/peer.py"))
        .args([&address.port().to_string(), AUTH, PRIVACY])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut said)
        .unwrap();
    assert_eq!(said, "ready\n");
    let stdin = child.stdin.take().unwrap();
    (Ends(child), stdin, address.to_string())
}

/// What users are called there.
fn name(auth: Option<&str>, privacy: Option<&str>) -> String {
    format!("{}-{}", auth.unwrap_or("none"), privacy.unwrap_or("none"))
}

fn ask(agent: &mut Agent, address: &str, credential: &Credential) -> Round {
    let limits = limits(Duration::from_secs(60));
    let plan = Plan {
        questions: vec![Question::Get(vec![oid::parse(SYS_DESCR).unwrap()])],
        readings: Vec::new(),
        if_arc: Vec::new(),
    };
    agent.round(
        address,
        credential,
        &plan,
        &limits,
        &mut Learned::nothing(&limits),
    )
}

/// Every version, every combination, and a context.
pub fn spoken_with_pysnmp() -> Spoken {
    let (_peer, _stdin, address) = peer();
    let mut agent = Agent::new(0);
    agent.patience.first_contact = Duration::from_secs(10);
    let mut spoken = Spoken::new();
    let mut speak = |credential: Credential, place: (String, String)| {
        let round = ask(&mut agent, &address, &credential);
        assert!(round.answered, "{place:?} {round:?}");
        let value = &round.observations.last().unwrap().varbinds[0].value;
        assert!(value.starts_with(b"PySNMP"), "{place:?} {value:?}");
        spoken.insert(place);
    };
    for version in [Version::V1, Version::V2c] {
        let credential = Credential::community(version, "hunter2".into(), "here").unwrap();
        speak(credential, with_community(version));
    }
    speak(user(&name(None, None), None, None), as_user(None, None));
    for (auth, auth_name) in AUTHS {
        let credential = user(&name(Some(auth_name), None), Some(auth), None);
        speak(credential, as_user(Some(auth), None));
        for (privacy, privacy_name) in PRIVACIES {
            let name = name(Some(auth_name), Some(privacy_name));
            let credential = user(&name, Some(auth), Some(privacy));
            speak(credential, as_user(Some(auth), Some(privacy)));
        }
    }
    let (auth, privacy) = (AuthProtocol::Sha256, PrivProtocol::Aes128);
    let name = name(Some("sha256"), Some("aes128"));
    let credential = user_with(&name, Some((auth, AUTH)), Some((privacy, PRIVACY)), CONTEXT);
    speak(credential, in_context(auth, privacy));
    spoken
}

#[test]
fn another_engine_says_what_is_wrong_or_is_silent() {
    let (_peer, _stdin, address) = peer();
    let mut agent = Agent::new(0);
    agent.patience.first_contact = Duration::from_secs(2);
    let (sha, aes) = (AuthProtocol::Sha256, PrivProtocol::Aes128);
    let (right, private) = (Some((sha, AUTH)), Some((aes, PRIVACY)));
    let (full, plain) = (name(Some("sha256"), Some("aes128")), name(Some("sha256"), None));
    let mut reported = 0;
    for (credential, expected, requests) in [
        (user_with(&full, right, private, ""), Outcome::Complete, Some(2)),
        (
            user_with(&full, Some((sha, "authentic2")), private, ""),
            Outcome::WrongDigest,
            Some(2),
        ),
        (
            user_with("nobody", right, private, ""),
            Outcome::UnknownUser,
            Some(2),
        ),
        // Reported, where snmpd is silent; unless what it decrypts has a head by chance.
        (
            user_with(&full, right, Some((aes, "privately2")), ""),
            Outcome::WrongPrivacy,
            None,
        ),
        (
            user_with(&full, right, Some((PrivProtocol::Des, PRIVACY)), ""),
            Outcome::WrongPrivacy,
            None,
        ),
        // Silent: asked thrice, then without the context, or whether the signature alone is taken.
        (
            user_with(&full, right, private, "nowhere"),
            Outcome::UnknownContext,
            Some(5),
        ),
        (
            user_with(&plain, right, private, ""),
            Outcome::WrongPrivacy,
            Some(5),
        ),
    ] {
        let round = ask(&mut agent, &address, &credential);
        let said: Vec<_> = round.observations.iter().map(|one| one.outcome()).collect();
        assert_eq!(said, [Outcome::Complete, expected], "{round:?}");
        match requests {
            Some(requests) => assert_eq!(round.cost.requests, requests, "{round:?}"),
            None => reported += u32::from(round.cost.requests == 2),
        }
    }
    assert!(reported > 0, "a report of what cannot be decrypted is understood");
}
