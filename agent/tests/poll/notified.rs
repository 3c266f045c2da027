//! Notifications of users with privacy, from net-snmp's senders.

use crate::poll::snmpd::{AUTH, PRIVACY, user};
use crate::*;
use agent::config::Assignment;
use agent::schedule::Work;
use agent::traps::{Listener, QUEUE};
use async_snmp::{AuthProtocol, PrivProtocol};
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Who listens: our names, net-snmp's names.
const USERS: [(AuthProtocol, PrivProtocol, &str, &str); 4] = [
    (AuthProtocol::Md5, PrivProtocol::Des, "MD5", "DES"),
    (AuthProtocol::Sha1, PrivProtocol::Aes128, "SHA", "AES"),
    (
        AuthProtocol::Sha256,
        PrivProtocol::Aes256Blumenthal,
        "SHA-256",
        "AES-256",
    ),
    (
        AuthProtocol::Sha512,
        PrivProtocol::Aes192Blumenthal,
        "SHA-512",
        "AES-192",
    ),
];
/// coldStart (RFC 3418).
const COLD_START: &str = "1.3.6.1.6.3.1.1.5.1";

#[test]
fn what_a_user_signed_and_encrypted_is_heard_and_nothing_else() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    for (auth, privacy, their_auth, their_privacy) in USERS {
        let credential = Arc::new(user("trapper", Some(auth), Some(privacy)));
        let assignment = Assignment {
            target: "127.0.0.1".parse().unwrap(),
            credential: Arc::clone(&credential),
            interval: None,
            windows: Arc::default(),
        };
        let work = Work {
            assignments: vec![assignment],
            ..Work::default()
        };
        let (_work, followed) = watch::channel(Arc::new(work));
        let (sender, mut early) = tokio::sync::mpsc::channel(QUEUE);
        let at = "127.0.0.1:0".parse().unwrap();
        let listener = runtime
            .block_on(Listener::open(at, [&credential].into_iter(), followed, sender))
            .unwrap();
        let address = listener.address().to_string();
        let stop = CancellationToken::new();
        runtime.spawn(listener.run(stop.clone()));
        let send = |program: &str, further: &[&str], secret: &str| {
            let output = Command::new(program)
                .args(["-v", "3", "-u", "trapper", "-l", "authPriv"])
                .args(["-a", their_auth, "-A", AUTH, "-x", their_privacy, "-X", secret])
                .args(further)
                .args(["-r", "0", "-t", "5", &address, "", COLD_START])
                .output()
                .unwrap();
            output.status.success()
        };
        let engine = ["-e", "0x8000000001020304"];
        // Cannot be decrypted, and comes first.
        assert!(send("snmptrap", &engine, "privately2"));
        assert!(send("snmptrap", &engine, PRIVACY));
        assert!(
            send("snmpinform", &[], PRIVACY),
            "answered: {their_auth} {their_privacy}"
        );
        for _ in 0..2 {
            let heard = async { tokio::time::timeout(PATIENCE, early.recv()).await };
            let target = runtime.block_on(heard).unwrap().unwrap();
            assert_eq!(
                target.to_string(),
                "127.0.0.1:161",
                "{their_auth} {their_privacy}"
            );
        }
        assert!(early.try_recv().is_err(), "{their_auth} {their_privacy}");
        stop.cancel();
    }
}
