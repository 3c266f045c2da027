//! Ranges looked at from the command line: every address ends in a state.

use super::programs::{complaint, run};
use lab::element::Behaviour;
use lab::network::{COMMUNITY, Network, Plan};
use serde_json::Value;
use std::collections::BTreeMap;

#[test]
fn every_address_of_a_range_ends_in_a_state() {
    let folder = tempfile::tempdir().unwrap();
    let plan = [Behaviour::Normal, Behaviour::Normal, Behaviour::Silent]
        .into_iter()
        .enumerate()
        .fold(Plan::small(), |plan, (n, behaviour)| {
            plan.with("nokia-7750-sr7", &format!("element-{n}"), "core", behaviour)
        });
    let network = Network::start(plan, None).unwrap();
    let addresses: Vec<_> = network.elements().iter().map(|e| e.address.to_string()).collect();
    let port = network.port.to_string();
    std::fs::write(folder.path().join("community"), COMMUNITY).unwrap();
    std::fs::write(folder.path().join("wrong"), "wrong").unwrap();
    let discover = |more: &[&str]| {
        let mut words = vec![
            "agent",
            "discover",
            "127.30.1.0/28",
            "--port",
            &port,
            "--timeout-ms",
            "500",
        ];
        words.extend(["--exclude", &addresses[1]]);
        words.extend(more);
        let output = run(folder.path(), &words);
        assert!(output.status.success(), "{}", complaint(&output));
        let said = complaint(&output);
        (String::from_utf8(output.stdout).unwrap(), said)
    };

    let (lines, said) = discover(&["--json", "--community-file", "community"]);
    let states: BTreeMap<String, String> = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|line| {
            let text = |key: &str| line[key].as_str().unwrap().to_owned();
            assert_eq!(line["port"], network.port);
            let told = &line["engine"];
            assert_eq!(told.is_object(), line["state"] == "engine", "{line}");
            if told.is_object() {
                assert_eq!(
                    (&told["enterprise"], &told["boots"]),
                    (&6527.into(), &1.into()),
                    "{line}"
                );
            }
            (text("address"), text("state"))
        })
        .collect();
    assert_eq!(
        states.len(),
        13,
        "16 less network, broadcast and the excluded one: {lines}"
    );
    assert!(!states.contains_key(&addresses[1]));
    assert_eq!(
        (states[&addresses[0]].as_str(), states[&addresses[2]].as_str()),
        ("engine", "silent")
    );
    assert_eq!(
        states.values().filter(|state| *state == "unreachable").count(),
        11,
        "{lines}"
    );
    assert!(
        said.contains("1 engine, 1 silent, 11 unreachable; 14 packets"),
        "{said}"
    );

    let (table, said) = discover(&["--community-file", "wrong"]);
    let words: Vec<_> = table.split_whitespace().collect();
    assert_eq!(
        words[..2],
        [format!("{}:{port}", addresses[0]).as_str(), "ignored"]
    );
    let told = ["enterprise 6527", "boots 1 time "];
    assert!(told.iter().all(|words| table.contains(words)), "{table}");
    assert!(
        said.contains("1 ignored, ") && said.contains("15 packets"),
        "{said}"
    );
    // Without a credential: who is there, and one packet an address.
    let (_, said) = discover(&[]);
    assert!(
        said.contains("1 engine, 1 silent, 11 unreachable; 13 packets"),
        "{said}"
    );
}
