//! Every version, and every combination of protocols that snmpd can speak.

use crate::poll::snmpd::{AUTH, PRIVACY, Snmpd, user, user_with};
use crate::poll::spoken::{Spoken, as_user, in_context, with_community};
use crate::*;
use agent::plan::Question;
use async_snmp::{AuthProtocol, PrivProtocol};
use std::fmt::Write as _;

/// What net-snmp calls them.
const AUTHS: [(AuthProtocol, &str); 6] = [
    (AuthProtocol::Md5, "MD5"),
    (AuthProtocol::Sha1, "SHA"),
    (AuthProtocol::Sha224, "SHA-224"),
    (AuthProtocol::Sha256, "SHA-256"),
    (AuthProtocol::Sha384, "SHA-384"),
    (AuthProtocol::Sha512, "SHA-512"),
];
const PRIVACIES: [(PrivProtocol, &str); 6] = [
    (PrivProtocol::Des, "DES"),
    (PrivProtocol::Aes128, "AES"),
    (PrivProtocol::Aes192Blumenthal, "AES-192"),
    (PrivProtocol::Aes192Reeder, "AES-192-C"),
    (PrivProtocol::Aes256Blumenthal, "AES-256"),
    (PrivProtocol::Aes256Reeder, "AES-256-C"),
];
/// sysLocation.
const LOCATION: &str = "1.3.6.1.2.1.1.6.0";

/// Every version, every combination that snmpd speaks, and a context.
pub fn spoken_with_snmpd() -> Spoken {
    let mut config = String::from("createUser nobody\nrouser nobody noauth\n");
    let mut users = vec![("nobody".to_owned(), None, None)];
    for (auth, theirs) in AUTHS {
        let name = format!("u{}", users.len());
        writeln!(config, "createUser {name} {theirs} {AUTH}\nrouser {name} auth").unwrap();
        users.push((name, Some(auth), None));
        for (privacy, their_privacy) in PRIVACIES {
            let name = format!("u{}", users.len());
            writeln!(
                config,
                "createUser {name} {theirs} {AUTH} {their_privacy} {PRIVACY}\nrouser {name} priv"
            )
            .unwrap();
            users.push((name, Some(auth), Some(privacy)));
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let snmpd = Snmpd::start(folder.path(), &config);
    let mut agent = Agent::new(0);
    let limits = limits(Duration::from_secs(20));
    let plan = Plan {
        questions: vec![
            Question::Get(vec![oid::parse(LOCATION).unwrap()]),
            Question::Walk(vec![oid::parse("1.3.6.1.2.1.47.1.1.1.1.11").unwrap()]),
        ],
        readings: Vec::new(),
        if_arc: Vec::new(),
    };
    let mut spoken = Spoken::new();
    for version in [Version::V1, Version::V2c] {
        let credential = Credential::community(version, "hunter2".into(), "here").unwrap();
        let mut learned = Learned::nothing(&limits);
        let round = agent.round(&snmpd.target(), &credential, &plan, &limits, &mut learned);
        let said: Vec<_> = round.observations.iter().map(|one| one.outcome()).collect();
        assert_eq!(said, [Outcome::Complete; 2], "{version:?} {round:?}");
        assert_eq!(
            round.observations[0].varbinds[0].value.as_ref(),
            b"Under the stairs"
        );
        assert_eq!(round.observations[1].varbinds.len(), 2, "{version:?}");
        spoken.insert(with_community(version));
    }
    let mut digests = std::collections::BTreeSet::new();
    for (name, auth, privacy) in &users {
        let credential = user(name, *auth, *privacy);
        let round = agent.round(
            &snmpd.target(),
            &credential,
            &plan,
            &limits,
            &mut Learned::nothing(&limits),
        );
        let said: Vec<_> = round.observations.iter().map(|one| one.outcome()).collect();
        assert_eq!(said, [Outcome::Complete; 3], "{auth:?} {privacy:?} {round:?}");
        assert_eq!(
            round.observations[1].varbinds[0].value.as_ref(),
            b"Under the stairs"
        );
        assert_eq!(round.observations[2].varbinds.len(), 2, "{auth:?} {privacy:?}");
        let engine = &round.observations[0];
        assert_eq!(engine.kind(), QuestionKind::Engine);
        assert_eq!(
            engine.varbinds[0].value[..5],
            *b"\x80\0\x1f\x88\x80",
            "net-snmp's way"
        );
        assert_eq!(
            (round.cost.requests, round.undecodable),
            (3, 0),
            "discovery and two questions"
        );
        let readings: Vec<_> = round.readings.iter().map(|one| one.tag).collect();
        assert_eq!(readings, [2, 2], "boots and time");
        digests.insert(Report::new(snmpd.target().parse().unwrap(), round, &[]).digest);
        spoken.insert(as_user(*auth, *privacy));
    }
    assert_eq!(users.len(), 43);
    assert_eq!(
        digests.len(),
        1,
        "who asked and how does not show in the evidence"
    );
    spoken.insert(a_context_of_snmpd(&plan, &limits));
    spoken
}

/// snmpd has no contexts of its own; behind one of its proxies stands another snmpd.
fn a_context_of_snmpd(plan: &Plan, limits: &Limits) -> (String, String) {
    let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let further = "override 1.3.6.1.2.1.47.1.1.1.1.11.3 octet_str \"SN-3\"\n";
    let behind = Snmpd::start(folders[0].path(), further);
    let config = format!(
        "view all included .1\ncreateUser marque SHA-256 {AUTH} AES {PRIVACY}\nrouser marque priv -V all\n\
         rouser marque priv -V all red\nproxy -Cn red -v 2c -c hunter2 udp:{} .1.3\n",
        behind.target()
    );
    let front = Snmpd::start(folders[1].path(), &config);
    let mut agent = Agent::new(0);
    let (auth, privacy) = (AuthProtocol::Sha256, PrivProtocol::Aes128);
    for (context, serials) in [("", 2), ("red", 3)] {
        let credential = user_with("marque", Some((auth, AUTH)), Some((privacy, PRIVACY)), context);
        let mut learned = Learned::nothing(limits);
        let round = agent.round(&front.target(), &credential, plan, limits, &mut learned);
        let said: Vec<_> = round.observations.iter().map(|one| one.outcome()).collect();
        assert_eq!(said, [Outcome::Complete; 3], "{context:?} {round:?}");
        assert_eq!(round.observations[2].varbinds.len(), serials, "{context:?}");
    }
    in_context(auth, privacy)
}

#[test]
fn a_context_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let config = format!("createUser marque SHA-256 {AUTH} AES {PRIVACY}\nrouser marque priv\n");
    let snmpd = Snmpd::start(folder.path(), &config);
    let mut agent = Agent::new(0);
    let limits = limits(Duration::from_secs(20));
    let plan = Plan::of(Profile::Inventory);
    let mut ask = |context| {
        let credential = user_with(
            "marque",
            Some((AuthProtocol::Sha256, AUTH)),
            Some((PrivProtocol::Aes128, PRIVACY)),
            context,
        );
        let mut learned = Learned::nothing(&limits);
        agent.round(&snmpd.target(), &credential, &plan, &limits, &mut learned)
    };
    let known = ask("");
    assert!(known.answered);
    let unknown = ask("vrf-blue");
    assert!(!unknown.answered);
    assert_eq!(
        unknown.observations[0].outcome(),
        Outcome::Complete,
        "the engine is there"
    );
    assert_eq!(unknown.observations[1].outcome(), Outcome::UnknownContext);
    // snmpd is silent: asked thrice, then without the context.
    assert_eq!(unknown.cost.requests, 5);
}

#[test]
fn version_1_reads_what_version_2c_reads() {
    let folder = tempfile::tempdir().unwrap();
    let snmpd = Snmpd::start(folder.path(), "");
    let report = |further: &[&str]| poll(&snmpd.target(), further);
    let (first, second) = (report(&["--v1"]), report(&[]));
    assert_eq!(first["completeness"], "complete", "{first}");
    let values = |report: &Value| -> Vec<(String, String)> {
        let all = report["observations"].as_array().unwrap();
        let varbinds = all.iter().flat_map(|one| one["varbinds"].as_array().unwrap());
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        varbinds
            // Version 1 has no word for "no such object": it leaves out.
            .filter(|one| one["tag"].as_u64().unwrap() < 0x80)
            .map(|one| (text(&one["oid"]), text(&one["value"])))
            .collect()
    };
    assert_eq!(values(&first), values(&second));
    assert!(values(&first).len() > 10, "{first}");
    let missing = |report: &Value| {
        let all = report["observations"][0]["varbinds"].as_array().unwrap();
        all.iter()
            .filter(|one| one["tag"].as_u64().unwrap() >= 0x80)
            .count()
    };
    assert!(
        missing(&second) >= 3,
        "the plan asks for what snmpd lacks: {second}"
    );
    assert_eq!(missing(&first), 0);
    // One request for each missing object more, then one object a request.
    let requests = |report: &Value| report["requests"].as_u64().unwrap();
    assert!(requests(&first) > requests(&second));
}

#[test]
fn version_1_has_no_bulk_and_survives_a_missing_object_anywhere() {
    // A box of version 1 with two objects that fails whatever else is asked.
    let names = [SYS_DESCR, LOCATION].map(|name| oid::parse(name).unwrap());
    let known = names.clone();
    let (asked, requests) = mpsc::channel();
    let element = element(move |request| {
        let response = echo(request);
        asked.send(request[tag_at(request)]).unwrap();
        let read = wire::decode(response.clone().into(), Version::V1, COMMUNITY).unwrap();
        let missing = read.varbinds.iter().position(|one| !known.contains(&one.oid));
        let Some(missing) = missing else {
            return vec![response];
        };
        // noSuchName, and which: the two octets before the last list's header.
        let mut failed = response;
        let list = failed.len() - read.varbinds.iter().map(|one| one.oid.len() + 6).sum::<usize>();
        let header = if failed[list - 2] == 0x30 { 2 } else { 3 };
        failed[list - header - 4] = 2;
        failed[list - header - 1] = u8::try_from(missing + 1).unwrap();
        vec![failed]
    });
    let output = marque_agent(&["poll", &element, "--v1", "--profile", "inventory"]);
    let report = lines(&output).pop().unwrap();
    assert_eq!(report["completeness"], "complete", "{report}");
    let found: Vec<_> = report["observations"][0]["varbinds"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["oid"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(found, [SYS_DESCR, LOCATION]);
    let asked: Vec<_> = requests.try_iter().collect();
    assert!(asked.iter().all(|tag| [0xa0, 0xa1].contains(tag)), "{asked:x?}");
    assert!(asked.contains(&0xa1));
}

#[test]
fn passwords_come_from_files_and_the_environment_and_show_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let config = format!("createUser marque SHA-256 {AUTH} AES {PRIVACY}\nrouser marque priv\n");
    let snmpd = Snmpd::start(folder.path(), &config);
    let file = folder.path().join("privacy");
    std::fs::write(&file, format!("{PRIVACY}\n")).unwrap();
    let target = snmpd.target();
    let run = |further: &[&str], auth: &str| {
        Command::new(env!("CARGO_BIN_EXE_marque-agent"))
            .args(["poll", &target, "--user", "marque", "--profile", "inventory"])
            .args(further)
            .env("AUTH_PASSWORD", auth)
            .output()
            .unwrap()
    };
    let path = file.to_str().unwrap();
    let auth = ["--auth", "sha256", "--auth-env", "AUTH_PASSWORD"];
    let privacy = ["--priv", "aes128", "--priv-file", path];
    let output = run(&[auth, privacy].concat(), AUTH);
    let shown = format!("{output:?}");
    assert!(
        output.status.success() && !shown.contains(AUTH) && !shown.contains(PRIVACY),
        "{shown}"
    );
    assert_eq!(lines(&output)[0]["completeness"], "complete");
    let output = run(&auth, "short");
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        said,
        "marque-agent: the credential cannot be used: AUTH_PASSWORD holds no password of at least 8 bytes\n"
    );
    for wrong in [
        &["--auth", "sha256"][..],
        &["--auth-env", "A"],
        &["--priv", "des", "--priv-env", "P"],
        &["--auth", "sha3", "--auth-env", "A"],
        &["--community-file", "a"],
        &["--v1"],
    ] {
        assert_eq!(run(wrong, AUTH).status.code(), Some(64), "{wrong:?}");
    }
}
