//! Credentials that are taken, and mistakes that are told with line and key.

use super::*;
use std::path::Path;

#[derive(Debug, Deserialize)]
struct Holder {
    credential: CredentialConfig,
}

fn open(folder: &Path, text: &str) -> Result<Scoped, String> {
    let holder: Holder = toml::from_str(&format!("[credential]\nname = 'a'\n{text}"))
        .map_err(|error| error.message().to_owned())?;
    let beside = |source: &SecretSource| match source {
        SecretSource::File(path) => SecretSource::File(folder.join(path)),
        other => other.clone(),
    };
    let opened = holder.credential.open("berlin", beside);
    opened.map_err(|(_, message)| message.replace(&format!("{}/", folder.display()), ""))
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("long"), "hunter2hunter2\n").unwrap();
    std::fs::write(folder.path().join("short"), "hunter2\n").unwrap();
    folder
}

const AUTH: &str = "auth = { protocol = 'sha256', password = { file = 'long' } }\n";

#[test]
fn every_version_has_its_credential() {
    let folder = folder();
    for text in [
        "community = { file = 'short' }\n",
        "version = '2c'\ncommunity = { file = 'short' }\n",
        "version = '1'\ncommunity = { file = 'short' }\n",
        "version = '3'\nuser = 'marque'\n",
        &format!("version = '3'\nuser = 'marque'\ncontext = 'vrf'\n{AUTH}"),
        &format!(
            "version = '3'\nuser = 'marque'\n{AUTH}\
             priv = {{ protocol = 'aes256-reeder', password = {{ file = 'long' }} }}\n"
        ),
    ] {
        let opened = open(folder.path(), text).unwrap();
        assert!(!format!("{opened:?}").contains("hunter2"));
    }
}

#[test]
fn mistakes_are_named_without_what_was_written() {
    let folder = folder();
    let v3 = "version = '3'\nuser = 'marque'\n";
    for (text, expected) in [
        (
            "version = '3'\ncommunity = { file = 'short' }\n".to_owned(),
            "is for versions 1 and 2c",
        ),
        ("version = '3'\n".to_owned(), "names no user"),
        (String::new(), "names no community"),
        (
            "user = 'marque'\ncommunity = { file = 'short' }\n".to_owned(),
            "needs version = \"3\"",
        ),
        (
            format!("community = {{ file = 'short' }}\n{AUTH}"),
            "needs version = \"3\"",
        ),
        (
            format!("{v3}auth = {{ protocol = 'hunter2', password = {{ file = 'long' }} }}\n"),
            "must be md5, sha1",
        ),
        (
            format!("{v3}auth = {{ protocol = 'sha1', password = 'hunter2' }}\n"),
            "is never written here",
        ),
        (
            format!("{v3}auth = {{ protocol = 'sha1', password = {{ file = 'short' }} }}\n"),
            "short holds no password",
        ),
        (
            format!("{v3}auth = {{ protocol = 'sha1', password = {{ file = 'none' }} }}\n"),
            "cannot read none: No such",
        ),
        (
            format!("{v3}{AUTH}priv = {{ protocol = 'aes256', password = {{ file = 'long' }} }}\n"),
            "must be des, 3des, aes128, aes192-blumenthal",
        ),
        (
            format!("{v3}priv = {{ protocol = 'aes128', password = {{ file = 'long' }} }}\n"),
            "privacy needs auth",
        ),
        (format!("{v3}ranges = ['hunter2']\n"), "must be ranges such as"),
        (format!("{v3}password = 'hunter2'\n"), "unknown field `password`"),
    ] {
        let error = open(folder.path(), &text).unwrap_err();
        assert!(error.starts_with(expected), "{error}\nexpected {expected}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn a_credential_is_for_its_ranges_and_roles() {
    let folder = folder();
    let text = "community = { file = 'short' }\nranges = ['192.0.2.0/24']\nroles = ['core', 'ran']\n";
    let scoped = open(folder.path(), text).unwrap();
    let takes = |scoped: &Scoped, address: &str, role| {
        let address = address.parse::<std::net::IpAddr>().unwrap();
        scoped.opens(IpNet::from(address), role).is_ok()
    };
    assert!(takes(&scoped, "192.0.2.1", Some(Role::Core)));
    assert!(!takes(&scoped, "192.0.2.1", Some(Role::Access)));
    assert!(!takes(&scoped, "192.0.2.1", None));
    assert!(!takes(&scoped, "192.0.3.1", Some(Role::Core)));
    let everywhere = open(folder.path(), "community = { file = 'short' }\n").unwrap();
    assert!(takes(&everywhere, "192.0.3.1", None));
}

#[test]
fn a_credential_of_other_sites_is_not_read() {
    let folder = folder();
    let here = "community = { file = 'short' }\nsites = ['hamburg', 'berlin']\n";
    assert!(open(folder.path(), here).unwrap().held().is_some());
    let elsewhere = "community = { file = 'none' }\nsites = ['hamburg']\n";
    let scoped = open(folder.path(), elsewhere).unwrap();
    assert!(scoped.held().is_none());
    for wrong in ["Berlin", "", "a/b", &"x".repeat(64)] {
        let text = format!("community = {{ file = 'short' }}\nsites = ['{wrong}']\n");
        let error = open(folder.path(), &text).unwrap_err();
        assert!(error.starts_with("must be names of sites"), "{error}");
    }
}

#[test]
fn the_manual_and_the_example_name_every_protocol() {
    let manual = include_str!("../../../../docs/manual/credentials.md");
    let example = include_str!("../../../agent.example.toml");
    for names in [AuthProtocol::NAMES, PrivProtocol::NAMES] {
        assert!(example.contains(names), "{names}");
        let mut count = 0;
        for name in names.replace(" or ", ", ").split(", ") {
            assert!(manual.contains(&format!("`{name}`")), "{name}");
            count += 1;
        }
        assert!(count >= 6, "{names}");
    }
    named::<AuthProtocol>("sha512").unwrap();
    named::<PrivProtocol>("aes256-reeder").unwrap();
}
