//! `discover` that is interrupted.

use crate::{Ends, PATIENCE, element};
use serde_json::Value;
use std::io::Read as _;
use std::process::{Command, Stdio};
use std::sync::mpsc;

#[test]
fn an_interrupt_leaves_no_address_without_a_state() {
    let (asked, requests) = mpsc::channel();
    let silent = element(move |_| {
        let _ = asked.send(());
        Vec::new()
    });
    let port = silent.rsplit(':').next().unwrap();
    let mut child = Ends(
        Command::new(env!("CARGO_BIN_EXE_marque-agent"))
            .args([
                "discover",
                "127.0.0.0/29",
                "--json",
                "--in-flight",
                "1",
                "--port",
                port,
            ])
            .args(["--timeout-ms", "60000"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap(),
    );
    requests.recv_timeout(PATIENCE).expect("it asks");
    let pid = child.0.id().to_string();
    let sent = Command::new("kill").args(["-INT", &pid]).status().unwrap();
    assert!(sent.success());
    let mut said = String::new();
    child.0.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(child.0.wait().unwrap().code(), Some(130));
    let told: Vec<_> = said
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|line| {
            let text = |key: &str| line[key].as_str().unwrap_or("-").to_owned();
            let count = line["count"].as_u64().unwrap_or(1);
            format!(
                "{} {} {count} {}: {}",
                text("address"),
                text("to"),
                text("state"),
                text("why")
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            "127.0.0.0 - 1 excluded: network address",
            "127.0.0.7 - 1 excluded: broadcast address",
            "127.0.0.1 - 1 not_asked: interrupted before it answered",
            "127.0.0.2 127.0.0.6 5 not_asked: interrupted before its turn",
        ]
    );
}
