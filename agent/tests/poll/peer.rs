//! What snmpd does not speak, against an engine of another make (pysnmp), which
//! `tests/run` installs.

use crate::poll::snmpd::{AUTH, PRIVACY, user};
use crate::*;
use agent::plan::Question;
use async_snmp::{AuthProtocol, PrivProtocol};
use std::process::ChildStdin;

const AUTHS: [(AuthProtocol, &str); 6] = [
    (AuthProtocol::Md5, "md5"),
    (AuthProtocol::Sha1, "sha1"),
    (AuthProtocol::Sha224, "sha224"),
    (AuthProtocol::Sha256, "sha256"),
    (AuthProtocol::Sha384, "sha384"),
    (AuthProtocol::Sha512, "sha512"),
];
/// 3DES, which snmpd lacks, and a second opinion on both key extensions.
const PRIVACIES: [(PrivProtocol, &str); 5] = [
    (PrivProtocol::Des3, "3des"),
    (PrivProtocol::Aes192Reeder, "aes192"),
    (PrivProtocol::Aes192Blumenthal, "aes192b"),
    (PrivProtocol::Aes256Reeder, "aes256"),
    (PrivProtocol::Aes256Blumenthal, "aes256b"),
];

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

#[test]
fn what_snmpd_lacks_is_spoken_with_another_engine() {
    let (_peer, _stdin, address) = peer();
    let mut agent = Agent::new(0);
    agent.patience.first_contact = Duration::from_secs(10);
    let limits = limits(Duration::from_secs(60));
    let plan = Plan {
        questions: vec![Question::Get(vec![oid::parse(SYS_DESCR).unwrap()])],
        readings: Vec::new(),
        if_arc: Vec::new(),
    };
    for (auth, auth_name) in AUTHS {
        for (privacy, privacy_name) in PRIVACIES {
            let credential = user(&format!("{auth_name}-{privacy_name}"), Some(auth), Some(privacy));
            let mut learned = Learned::nothing(&limits);
            let round = agent.round(&address, &credential, &plan, &limits, &mut learned);
            assert!(round.answered, "{auth} {privacy} {round:?}");
            let value = &round.observations[1].varbinds[0].value;
            assert!(value.starts_with(b"PySNMP"), "{auth} {privacy} {value:?}");
        }
    }
}
