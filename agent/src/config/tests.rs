//! Configurations that are taken, and mistakes that are told with line and key.

use super::*;
use crate::testing::Authority;

const MINIMAL: &str = "[collector]\naddress = 'https://c:1'\nidentity = 'agent.pem'\n[spool]\npath = 's'\n";

fn read(folder: &Path, text: &str) -> Result<Loaded, String> {
    let file = folder.join("agent.toml");
    std::fs::write(&file, text).unwrap();
    Loaded::read(&file).map_err(|error| {
        let error = error.to_string();
        error.replace(&format!("{}/", folder.display()), "")
    })
}

#[test]
fn the_example_shows_every_default() {
    let example = include_str!("../../agent.example.toml");
    let config: Config = toml::from_str(example).unwrap();
    assert_eq!(config.poll, PollConfig::default());
    assert_eq!(config.redact, RedactConfig::default());
    assert_eq!(config.spool.quota_bytes, default_quota());
    assert_eq!(config.plan, PlanConfig::default());
    assert_eq!(
        config.collector_plan,
        CollectorPlanConfig {
            path: Some("/var/lib/marque-agent/spool.plan".into()),
            ..CollectorPlanConfig::default()
        }
    );
    assert_eq!(config.traps.unwrap().pause_seconds, 300);
    assert_eq!(config.target[0].port, default_port());
    // Written down, not only left out.
    let written: toml::Table = toml::from_str(example).unwrap();
    assert_eq!(written["poll"].as_table().unwrap().len(), 17);
    for (table, key) in [
        ("redact", "oids"),
        ("plan", "profile"),
        ("traps", "pause_seconds"),
        ("spool", "quota_bytes"),
        ("collector_plan", "accept"),
        ("collector_plan", "allow"),
        ("collector_plan", "min_interval_seconds"),
        ("collector_plan", "min_sweep_seconds"),
    ] {
        assert!(written[table].get(key).is_some(), "{table}.{key}");
    }
}

#[test]
fn references_are_followed_from_the_folder_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    Authority::new().agent(folder.path());
    std::fs::write(folder.path().join("community"), "hunter2\n").unwrap();
    std::fs::write(
        folder.path().join("list"),
        "# all\n192.0.2.2:1161\n[2001:db8::1]:161\n",
    )
    .unwrap();
    let loaded = read(
        folder.path(),
        &format!(
            "{MINIMAL}[[credential]]\nname = 'a'\ncommunity = {{ file = 'community' }}\n\
             [[target]]\naddress = '192.0.2.1'\ncredential = 'a'\n[[target_file]]\npath = 'list'\ncredential = 'a'\n"
        ),
    )
    .unwrap();
    let targets: Vec<_> = loaded
        .assignments
        .iter()
        .map(|one| one.target.to_string())
        .collect();
    assert_eq!(targets, ["192.0.2.1:161", "192.0.2.2:1161", "[2001:db8::1]:161"]);
    assert!(!format!("{loaded:?}").contains("hunter2"));
}

#[test]
fn with_plans_of_the_collector_no_target_is_needed() {
    let folder = tempfile::tempdir().unwrap();
    Authority::new().agent(folder.path());
    let taken = read(
        folder.path(),
        &format!("{MINIMAL}[collector_plan]\naccept = true\n"),
    )
    .unwrap();
    let (path, _) = taken.collector_plan.unwrap();
    assert_eq!(path, folder.path().join("s.plan"));
    let text = format!("{MINIMAL}[collector_plan]\naccept = true\npath = 'kept/p'\nallow = []\n");
    let (path, _) = read(folder.path(), &text).unwrap().collector_plan.unwrap();
    assert_eq!(path, folder.path().join("kept/p"));
}

#[test]
fn a_broken_file_names_file_line_and_key() {
    let folder = tempfile::tempdir().unwrap();
    Authority::new().agent(folder.path());
    std::fs::write(folder.path().join("community"), "x").unwrap();
    std::fs::write(folder.path().join("list"), "192.0.2.1\nnonsense\n").unwrap();
    std::fs::write(folder.path().join("good"), "192.0.2.1\n").unwrap();
    let credential = "[[credential]]\nname = 'a'\ncommunity = { file = 'community' }\n";
    for (text, expected) in [
        (
            "[collector]\nadress = 'x'\n",
            "agent.toml:2: adress: unknown field `adress`",
        ),
        ("[collector\n", "agent.toml:1:"),
        (
            "[collector]\naddress = 'http://c:1'\n",
            "agent.toml:2: address: must be https://NAME:PORT",
        ),
        (
            "[collector]\naddress = 'https://127.0.0.1:x7443'\n",
            "agent.toml:2: address: must be https://NAME:PORT",
        ),
        (
            "[collector]\naddress = 'https://c'\n",
            "agent.toml:2: address: must be https://NAME:PORT",
        ),
        (
            "[collector]\naddress = 'https://c:1/path'\n",
            "agent.toml:2: address: must be https://NAME:PORT",
        ),
        (
            "[collector]\naddress = 'https://c:1'\n",
            "agent.toml:1: [collector]: missing field `identity`",
        ),
        (
            &format!("{MINIMAL}[poll]\nin_flight = 0\n"),
            "agent.toml:7: in_flight: must be 1 to 65536",
        ),
        (
            &format!("{MINIMAL}[redact]\noids = ['x']\n"),
            "agent.toml:7: oids: not an object identifier",
        ),
        (MINIMAL, "agent.toml: names no target"),
        (
            &format!("{MINIMAL}[[credential]]\nname = 'a'\ncommunity = 'hunter2'\n"),
            "agent.toml:8: community: is never written here",
        ),
        (
            &format!("{MINIMAL}[[credential]]\nname = 'a'\ncommunity = {{ file = 'none' }}\n"),
            "agent.toml:8: community: cannot read none: No such file",
        ),
        (
            &format!("{MINIMAL}[collector_plan]\naccept = true\nallow = ['10.0.0.1/8']\n"),
            "agent.toml:8: allow: has bits beyond its length: write 10.0.0.0/8",
        ),
        (
            &format!("{MINIMAL}[collector_plan]\nmin_interval_seconds = 0\n"),
            "agent.toml:7: min_interval_seconds: must be 1 to",
        ),
        (
            &format!("{MINIMAL}[[target]]\naddress = '192.0.2.1'\ncredential = 'b'\n"),
            "agent.toml:8: credential: there is no credential of that name",
        ),
        (
            &format!("{MINIMAL}{credential}[[target]]\naddress = 'router'\ncredential = 'a'\n"),
            "agent.toml:10: address:",
        ),
        (
            &format!("{MINIMAL}{credential}[[target_file]]\npath = 'list'\ncredential = 'a'\n"),
            "agent.toml:10: path: list: line 2: \"nonsense\" is no address",
        ),
        (
            &format!(
                "{MINIMAL}{credential}ranges = ['192.0.2.0/24']\n\
                 [[target]]\naddress = '192.0.3.1'\ncredential = 'a'\n"
            ),
            "agent.toml:11: address: 192.0.3.1:161 lies outside the ranges of credential \"a\"",
        ),
        (
            &format!(
                "{MINIMAL}{credential}roles = ['core']\n[[target_file]]\npath = 'good'\ncredential = 'a'\n\
                 role = 'ran'\n"
            ),
            "agent.toml:11: path: 192.0.2.1:161 has none of the roles of credential \"a\"",
        ),
        (
            &format!(
                "{MINIMAL}{credential}roles = ['core']\n[[target]]\naddress = '::1'\ncredential = 'a'\n"
            ),
            "agent.toml:11: address: [::1]:161 names no role, and credential \"a\" is for some roles only",
        ),
        (
            &format!(
                "{MINIMAL}{credential}sites = ['hamburg']\n[[target]]\naddress = '::1'\ncredential = 'a'\n"
            ),
            "agent.toml:11: address: [::1]:161 cannot be asked with credential \"a\", which is for hamburg: \
             this agent is of site berlin",
        ),
        (
            &format!(
                "{MINIMAL}{credential}[[target]]\naddress = '::1'\ncredential = 'a'\n\
                 [[target]]\naddress = '::1'\ncredential = 'a'\n"
            ),
            "agent.toml:13: address: [::1]:161 in [[target]] is in [[target]] already",
        ),
    ] {
        let error = read(folder.path(), text).unwrap_err();
        assert!(error.starts_with(expected), "{error}\nexpected {expected}");
        assert!(!error.contains("hunter2"), "{error}");
    }
    std::fs::write(folder.path().join("agent.pem"), "").unwrap();
    let error = read(folder.path(), MINIMAL).unwrap_err();
    assert_eq!(
        error.replace(folder.path().to_str().unwrap(), ""),
        "agent.toml:3: identity: agent.pem: identity file has no certificate"
    );
    let error = Loaded::read(Path::new("/nonexistent/a.toml"))
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("/nonexistent/a.toml: cannot be read"),
        "{error}"
    );
}

#[test]
fn contexts_at_one_address_are_targets_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    Authority::new().agent(folder.path());
    let credential = |name: &str, context: &str| {
        format!("[[credential]]\nname = '{name}'\nversion = '3'\nuser = 'u'\ncontext = '{context}'\n")
    };
    let target = |name: &str| format!("[[target]]\naddress = '10.0.0.1'\ncredential = '{name}'\n");
    let text = [
        MINIMAL,
        &credential("a", ""),
        &credential("b", "red"),
        &credential("c", "blue"),
        &credential("d", "red"),
    ]
    .concat();
    let loaded = read(
        folder.path(),
        &[text.as_str(), &target("a"), &target("b"), &target("c")].concat(),
    )
    .unwrap();
    let targets: Vec<_> = loaded
        .assignments
        .iter()
        .map(|one| one.target.to_string())
        .collect();
    assert_eq!(
        targets,
        ["10.0.0.1:161", "10.0.0.1:161 in red", "10.0.0.1:161 in blue"]
    );
    // Two ways into one context are one place.
    let error = read(
        folder.path(),
        &[text.as_str(), &target("b"), &target("d")].concat(),
    )
    .unwrap_err();
    assert!(
        error.ends_with("10.0.0.1:161 in red in [[target]] is in [[target]] already"),
        "{error}"
    );
}
