//! Engines that boot, forget, change and look like others.

use crate::poll::snmpd::{AUTH, PRIVACY, Snmpd, user};
use crate::*;
use agent::plan::Question;
use async_snmp::{AuthProtocol, PrivProtocol};

fn users() -> String {
    format!("createUser marque SHA-256 {AUTH} AES {PRIVACY}\nrouser marque priv\n")
}

fn credential() -> Credential {
    user("marque", Some(AuthProtocol::Sha256), Some(PrivProtocol::Aes128))
}

/// One question, so that requests can be counted.
fn plan() -> Plan {
    Plan {
        questions: vec![Question::Get(vec![oid::parse(SYS_DESCR).unwrap()])],
        readings: Vec::new(),
        if_arc: Vec::new(),
    }
}

fn boots(round: &Round) -> u8 {
    assert!(round.answered, "{round:?}");
    *round.readings[0].value.last().unwrap()
}

#[test]
fn discovery_tells_the_engine_of_each_address_without_any_secret() {
    let folder = tempfile::tempdir().unwrap();
    let mut snmpd = Snmpd::start(folder.path(), &users());
    let discover = |snmpd: &Snmpd| {
        let port = snmpd.port.to_string();
        let ranges = ["discover", "127.0.0.1/32", "::1/128", "--port", &port, "--json"];
        let output = Command::new(env!("CARGO_BIN_EXE_marque-agent"))
            .args(ranges)
            .output()
            .unwrap();
        let mut told = lines(&output);
        told.sort_by_key(|line| line["address"].to_string());
        assert_eq!(told.len(), 2, "{told:?}");
        told
    };
    let told = discover(&snmpd);
    let engine = &told[0]["engine"];
    assert!(engine["id"].as_str().unwrap().starts_with("80001f88"), "{engine}");
    assert_eq!(
        (&engine["enterprise"], engine["boots"].as_u64()),
        (&8072.into(), Some(1))
    );
    assert!(engine["time"].as_u64().is_some() && engine["mac"].is_null());
    // The other address of the same engine.
    for key in ["id", "boots"] {
        assert_eq!(told[1]["engine"][key], engine[key], "{key}");
    }
    snmpd.restart(&users());
    let again = discover(&snmpd);
    assert_eq!(again[0]["engine"]["id"], engine["id"]);
    assert_eq!(again[1]["engine"]["boots"], 2);
}

#[test]
fn boots_that_go_on_and_boots_that_are_lost_cost_one_request() {
    let folder = tempfile::tempdir().unwrap();
    let mut snmpd = Snmpd::start(folder.path(), &users());
    let (mut agent, credential, limits) = (Agent::new(0), credential(), limits(Duration::from_secs(20)));
    let mut learned = Learned::nothing(&limits);
    let mut ask = |snmpd: &Snmpd| agent.round(&snmpd.target(), &credential, &plan(), &limits, &mut learned);
    let first = ask(&snmpd);
    assert_eq!(first.cost.requests, 2, "discovery and the question");
    let again = ask(&snmpd);
    assert_eq!(
        (again.cost.requests, boots(&again)),
        (1, boots(&first)),
        "the engine is remembered"
    );
    assert_eq!(again.observations, first.observations);

    snmpd.restart(&users());
    let booted = ask(&snmpd);
    assert_eq!((booted.cost.requests, boots(&booted)), (2, boots(&first) + 1));
    assert_eq!(booted.observations, first.observations, "boots are no evidence");

    // The same engine counting from the start, as if its count had never been written.
    snmpd.stop();
    let persisted = folder.path().join("snmpd.conf");
    let text = std::fs::read_to_string(&persisted).unwrap();
    assert!(text.contains("engineBoots 2"), "{text}");
    std::fs::write(&persisted, text.replace("engineBoots 2", "engineBoots 0")).unwrap();
    snmpd.restart(&users());
    let lost = ask(&snmpd);
    assert_eq!(
        (lost.cost.requests, boots(&lost)),
        (2, 1),
        "less than {}",
        boots(&booted)
    );
}

#[test]
fn an_engine_that_was_replaced_is_found_anew_and_is_other_evidence() {
    let folder = tempfile::tempdir().unwrap();
    let mut snmpd = Snmpd::start(folder.path(), &users());
    let (mut agent, credential, limits) = (Agent::new(0), credential(), limits(Duration::from_secs(20)));
    let mut learned = Learned::nothing(&limits);
    let mut ask = |snmpd: &Snmpd| agent.round(&snmpd.target(), &credential, &plan(), &limits, &mut learned);
    let first = ask(&snmpd);
    // Without what it had persisted, snmpd makes up a new engine ID.
    snmpd.stop();
    std::fs::remove_file(folder.path().join("snmpd.conf")).unwrap();
    snmpd.restart(&users());
    let second = ask(&snmpd);
    assert!(first.answered && second.answered, "{second:?}");
    assert_eq!(second.cost.requests, 2, "the report named the new engine");
    let engine = |round: &Round| round.observations[0].varbinds[0].value.clone();
    assert_ne!(engine(&first), engine(&second));
    assert!(!second.engine_shared);
}

#[test]
fn a_copied_engine_id_is_noted_and_no_error() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let config = users();
    let mut original = Snmpd::start(folders[0].path(), &config);
    original.stop();
    // What cloning an image does: the engine ID goes along; the copy boots once more.
    std::fs::copy(
        folders[0].path().join("snmpd.conf"),
        folders[1].path().join("snmpd.conf"),
    )
    .unwrap();
    original.restart(&config);
    let mut copy = Snmpd::start(folders[1].path(), &config);
    copy.restart(&config);
    let twins = [original, copy];
    let (mut agent, credential, limits) = (Agent::new(0), credential(), limits(Duration::from_secs(20)));
    let mut learned = [Learned::nothing(&limits), Learned::nothing(&limits)];
    let mut shared = Vec::new();
    for turn in 0..4 {
        let twin = turn % 2;
        let round = agent.round(
            &twins[twin].target(),
            &credential,
            &plan(),
            &limits,
            &mut learned[twin],
        );
        assert_eq!(
            boots(&round),
            u8::try_from(twin + 2).unwrap(),
            "each has its own clock"
        );
        assert_eq!(round.cost.requests, if turn < 2 { 2 } else { 1 });
        shared.push(round.engine_shared);
    }
    assert_eq!(shared, [false, true, true, true]);
}
