//! What people meet at the command line, most of all when something is wrong.

use super::programs::{complaint, run};
use serde_json::Value;
use std::net::TcpListener;
use std::path::Path;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn collector_config(folder: &Path, http: &str) -> String {
    let path = folder.join("collector.toml");
    let text = format!(
        "[store]\npath = \"collector.db\"\n[identity]\nfolder = \"identity\"\n[grpc]\nlisten = \"127.0.0.1:0\"\n\
         [http]\nlisten = \"{http}\"\nplain = true\n[[site]]\nname = \"berlin\"\njurisdictions = [\"DE\"]\n"
    );
    std::fs::write(&path, text).unwrap();
    path.to_string_lossy().into_owned()
}

#[test]
fn a_broken_configuration_is_one_line_with_file_line_and_key() {
    let folder = folder();
    std::fs::write(
        folder.path().join("c.toml"),
        "[store]\npath = \"x\"\n[http]\nlissten = \"127.0.0.1:1\"\n",
    )
    .unwrap();
    for words in [
        ["collector", "check-config", "c.toml"].as_slice(),
        &["collector", "serve", "--config", "c.toml"],
    ] {
        let output = run(folder.path(), words);
        let said = complaint(&output);
        assert_eq!(output.status.code(), Some(78), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.contains("c.toml:4: http.lissten: unknown field"), "{said}");
    }
    std::fs::write(folder.path().join("a.toml"), "[poll]\nin_flight = \"many\"\n").unwrap();
    for words in [
        ["agent", "check-config", "a.toml"].as_slice(),
        &["agent", "run", "--config", "a.toml"],
    ] {
        let output = run(folder.path(), words);
        let said = complaint(&output);
        assert_eq!(output.status.code(), Some(78), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.contains("a.toml:2") && said.contains("in_flight"), "{said}");
    }
    let output = run(folder.path(), &["collector", "check-config", "absent.toml"]);
    assert_eq!(output.status.code(), Some(78));
    assert!(
        complaint(&output).contains("absent.toml"),
        "{}",
        complaint(&output)
    );
}

#[test]
fn a_tag_no_rule_speaks_of_is_refused() {
    let folder = folder();
    let config = collector_config(folder.path(), "127.0.0.1:0");
    let mut text = std::fs::read_to_string(&config).unwrap();
    text.push_str("[operator]\ntags = [\"de_contract_oprator\"]\n");
    std::fs::write(&config, text).unwrap();
    let output = run(folder.path(), &["collector", "check-config", &config]);
    assert_eq!(output.status.code(), Some(78));
    assert!(
        complaint(&output).contains("de_contract_oprator"),
        "{}",
        complaint(&output)
    );
}

#[test]
fn what_is_on_file_is_checked_with_line_and_column() {
    let folder = folder();
    let config = collector_config(folder.path(), "127.0.0.1:0");
    let mut text = std::fs::read_to_string(&config).unwrap();
    text.push_str("[operator]\nshares = \"shares.csv\"\nprices = \"prices.csv\"\n");
    std::fs::write(&config, text).unwrap();
    let file = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    file("prices.csv", "supplier,price,currency\nzte,100,EUR\n");
    file("shares.csv", "rule,low,high\nGB-DVD-FTTP-CAP,40,30\n");
    let check = || run(folder.path(), &["collector", "check-config", &config]);
    let refused = check();
    let said = complaint(&refused);
    assert_eq!(
        (refused.status.code(), said.lines().count()),
        (Some(78), 1),
        "{said}"
    );
    assert!(said.contains("shares.csv:2: high: 30 is below low"), "{said}");
    file("shares.csv", "rule,low,high\nGB-DVD-FTTP-CAP,30,40\n");
    let good = check();
    let said = String::from_utf8_lossy(&good.stdout).into_owned();
    assert!(
        said.contains("0 approvals, 1 shares, 1 prices"),
        "{said}{}",
        complaint(&good)
    );
}

#[test]
fn a_finding_that_is_not_there_and_a_choice_that_is_none_are_one_clear_line() {
    let folder = folder();
    let config = collector_config(folder.path(), "127.0.0.1:0");
    let finding = |words: &[&str]| {
        let words = [
            &["collector", "finding", words[0], "--config", &config],
            &words[1..],
        ]
        .concat();
        run(folder.path(), &words)
    };
    let nobody = "0193d0b5-7b1c-7000-8000-000000000000";
    for (words, code, named) in [
        (
            ["acknowledge", "--by", "Ann"].as_slice(),
            65,
            "name findings, - for standard input",
        ),
        (&["acknowledge", "--by", "Ann", nobody], 65, "no finding 0193d0b5"),
        (
            &["acknowledge", "--by", "Ann", "nonsense"],
            65,
            "\"nonsense\" is no key of a finding",
        ),
        (
            &["acknowledge", "--by", "Ann", "--rule", "R", nobody],
            65,
            "not both",
        ),
        (
            &["acknowledge", "--by", "Ann", "--rule", "R"],
            65,
            "no finding was chosen",
        ),
        (&["show", nobody], 65, "no finding 0193d0b5"),
        (&["assign", "--by", "Ann", "--to", "", nobody], 64, "is empty"),
        (&["acknowledge", nobody], 64, "--by"),
    ] {
        let output = finding(words);
        let said = complaint(&output);
        assert_eq!(output.status.code(), Some(code), "{words:?}: {said}");
        assert!(said.contains(named), "{words:?}: {said}");
        assert!(output.stdout.is_empty(), "{words:?}");
    }
    let listed = finding(&["list"]);
    let said = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(
        said.starts_with("# research data, not legal advice") && said.contains("2026-07"),
        "{said}"
    );
    let listed = finding(&["list", "--json"]);
    let all: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!((&all["total"], &all["horizon"]), (&0.into(), &"2026-07".into()));
}

#[test]
fn a_port_in_use_and_an_unwritable_folder_are_one_clear_line() {
    let folder = folder();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let config = collector_config(folder.path(), &address);
    let serve = ["collector", "serve", "--config", config.as_str()];
    let output = run(folder.path(), &serve);
    let said = complaint(&output);
    let last = said.lines().last().unwrap_or_default();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(last.contains(&address) && last.contains("in use"), "{said}");
    assert!(!said.contains("panicked"), "{said}");

    // A file stands where the folder should be: nobody, not even root, can write below it.
    std::fs::remove_dir_all(folder.path().join("identity")).unwrap();
    std::fs::write(folder.path().join("identity"), "").unwrap();
    let output = run(folder.path(), &serve);
    let said = complaint(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.lines().last().unwrap_or_default().contains("identity"),
        "{said}"
    );
    assert!(!said.contains("panicked"), "{said}");
}

#[test]
fn a_certificate_is_made_only_for_a_declared_site() {
    let folder = folder();
    let config = collector_config(folder.path(), "127.0.0.1:0");
    let certificate = |site: &str| {
        run(
            folder.path(),
            &[
                "collector",
                "agent",
                "certificate",
                "--config",
                &config,
                "--site",
                site,
                "--out",
                "a.pem",
            ],
        )
    };
    assert_eq!(certificate("paris").status.code(), Some(78));
    assert!(!folder.path().join("a.pem").exists());
    let output = certificate("berlin");
    assert!(output.status.success(), "{}", complaint(&output));
    assert!(
        !String::from_utf8_lossy(&output.stdout).contains("PRIVATE"),
        "the key is not shown"
    );
    assert!(
        std::fs::read_to_string(folder.path().join("a.pem"))
            .unwrap()
            .contains("PRIVATE KEY")
    );
}

#[test]
fn identify_answers_every_recording_and_says_which_it_cannot_read() {
    let folder = folder();
    let good = "1.3.6.1.2.1.1.1.0|4|Huawei Versatile Routing Platform Software\n1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.2011.2.1\n";
    std::fs::write(folder.path().join("good.snmprec"), good).unwrap();
    let walk =
        ".1.3.6.1.2.1.1.1.0 = STRING: \"Linux host\"\n.1.3.6.1.2.1.1.2.0 = OID: .1.3.6.1.4.1.8072.3.2.10\n";
    std::fs::write(folder.path().join("walk.txt"), walk).unwrap();
    std::fs::write(folder.path().join("noise.bin"), [0xff_u8, 0, 1, 2, 250, 9]).unwrap();
    let output = run(
        folder.path(),
        &[
            "collector",
            "identify",
            "good.snmprec",
            "absent.snmprec",
            "noise.bin",
            "walk.txt",
        ],
    );
    assert_eq!(output.status.code(), Some(1));
    let lines: Vec<Value> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    assert_eq!(lines.len(), 4);
    assert_eq!(lines[0]["recording"], "good.snmprec");
    assert_eq!(lines[0]["maker"]["name"], "Huawei");
    assert!(lines[0]["confidence"].as_f64().unwrap() > 0.5);
    assert!(
        lines[1]["error"].is_string() && lines[2]["error"].is_string(),
        "{lines:?}"
    );
    assert_eq!(lines[3]["maker"], Value::Null, "a generic host has no maker");
}

/// Needs the folder of real recordings with its labels.
#[test]
fn identify_answers_real_recordings_and_most_of_them_rightly() {
    let Some(recordings) = std::env::var_os("MARQUE_RECORDINGS") else {
        println!("MARQUE_RECORDINGS is not set: nothing to read");
        return;
    };
    let recordings = Path::new(&recordings);
    let index = std::fs::read_to_string(recordings.join("INDEX.tsv")).unwrap();
    let labels: Vec<Vec<&str>> = index.lines().skip(1).map(|l| l.split('\t').collect()).collect();
    let mut words = vec!["collector".to_owned(), "identify".to_owned()];
    words.extend(
        labels
            .iter()
            .map(|l| recordings.join(l[0]).to_string_lossy().into_owned()),
    );
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let output = run(recordings, &words);
    assert!(output.status.success(), "{}", complaint(&output));
    let answers = String::from_utf8(output.stdout).unwrap();
    assert_eq!(answers.lines().count(), labels.len());
    let mut right = 0;
    for (label, line) in labels.iter().zip(answers.lines()) {
        let answer: Value = serde_json::from_str(line).unwrap();
        let named = answer["maker"]["name"].as_str().unwrap_or("unknown");
        let accepted = std::iter::once(label[2])
            .chain(label[3].split('|'))
            .any(|name| name == named);
        right += usize::from(accepted);
    }
    println!("{right} of {} makers are right", labels.len());
    assert!(right * 10 >= labels.len() * 9, "{right} of {}", labels.len());
}

#[test]
fn poll_reports_also_what_is_not_there() {
    let folder = folder();
    let port = super::programs::free_udp_port();
    let target = format!("127.0.0.1:{port}");
    std::fs::write(folder.path().join("community"), "public\n").unwrap();
    let output = run(
        folder.path(),
        &[
            "agent",
            "poll",
            &target,
            "--community-file",
            "community",
            "--timeout-ms",
            "200",
        ],
    );
    assert!(output.status.success(), "{}", complaint(&output));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["target"], target);
    assert_eq!(report["completeness"], "unreachable");
    let output = run(
        folder.path(),
        &["agent", "poll", "not an address", "--community-file", "community"],
    );
    assert!(!output.status.success());
    assert!(
        complaint(&output).contains("not an address"),
        "{}",
        complaint(&output)
    );
}
