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
    let read: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let text = |line: &Value, key: &str| line[key].as_str().unwrap_or_default().to_owned();
    assert!(read.iter().all(|line| line["port"] == network.port), "{lines}");
    for line in &read {
        let told = &line["engine"];
        assert_eq!(told.is_object(), line["state"] == "engine", "{line}");
        if told.is_object() {
            assert_eq!(
                (&told["enterprise"], &told["boots"]),
                (&6527.into(), &1.into()),
                "{line}"
            );
        }
    }
    let states: BTreeMap<String, String> = read
        .iter()
        .map(|line| (text(line, "address"), text(line, "state")))
        .collect();
    assert_eq!((read.len(), states.len()), (16, 16), "each address once: {lines}");
    let excluded: BTreeMap<String, String> = read
        .iter()
        .filter(|line| line["state"] == "excluded")
        .map(|line| (text(line, "address"), text(line, "why")))
        .collect();
    let expected = [
        ("127.30.1.0", "network address"),
        (addresses[1].as_str(), "excluded by --exclude"),
        ("127.30.1.15", "broadcast address"),
    ];
    assert_eq!(
        excluded,
        expected
            .map(|(address, why)| (address.to_owned(), why.to_owned()))
            .into()
    );
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
        said.contains("1 engine, 3 excluded, 1 silent, 11 unreachable; 14 packets"),
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
        said.contains("3 excluded, 1 ignored, ") && said.contains("15 packets"),
        "{said}"
    );
    // Without a credential: who is there, and one packet an address.
    let (_, said) = discover(&[]);
    assert!(
        said.contains("1 engine, 3 excluded, 1 silent, 11 unreachable; 13 packets"),
        "{said}"
    );
    // Many at once are one line.
    let (lines, _) = discover(&["--json", "--exclude", "127.30.1.8/29"]);
    let run = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .find(|line| line["address"] == "127.30.1.8");
    let run = run.unwrap_or_default();
    assert_eq!(
        (&run["to"], &run["count"], &run["state"]),
        (&"127.30.1.15".into(), &8.into(), &"excluded".into()),
        "{lines}"
    );
}
