//! The manual's table of versions and algorithms: what was spoken, in this run, with which
//! peer.
//!
//! `MARQUE_REGENERATE=1 cargo test -p agent --test poll spoken` writes it anew. Invariant: a
//! mark stands only where a question was answered.

use crate::poll::{peer, versions};
use agent::poll::wire::Version;
use async_snmp::{AuthProtocol, PrivProtocol};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

/// Each with what the configuration calls it.
pub const AUTHS: [(AuthProtocol, &str); 6] = [
    (AuthProtocol::Md5, "md5"),
    (AuthProtocol::Sha1, "sha1"),
    (AuthProtocol::Sha224, "sha224"),
    (AuthProtocol::Sha256, "sha256"),
    (AuthProtocol::Sha384, "sha384"),
    (AuthProtocol::Sha512, "sha512"),
];
pub const PRIVACIES: [(PrivProtocol, &str); 7] = [
    (PrivProtocol::Des, "des"),
    (PrivProtocol::Des3, "3des"),
    (PrivProtocol::Aes128, "aes128"),
    (PrivProtocol::Aes192Blumenthal, "aes192-blumenthal"),
    (PrivProtocol::Aes192Reeder, "aes192-reeder"),
    (PrivProtocol::Aes256Blumenthal, "aes256-blumenthal"),
    (PrivProtocol::Aes256Reeder, "aes256-reeder"),
];

const BEGIN: &str = "<!-- made by the tests of agent/tests/poll/spoken.rs -->\n";
const END: &str = "<!-- up to here -->\n";

/// A row and a column of the table, by their names.
pub type Spoken = BTreeSet<(String, String)>;

/// Where a version with a community stands.
pub fn with_community(version: Version) -> (String, String) {
    let row = match version {
        Version::V1 => "version 1",
        Version::V2c => "version 2c",
    };
    (row.to_owned(), none())
}

/// Where a user stands.
pub fn as_user(auth: Option<AuthProtocol>, privacy: Option<PrivProtocol>) -> (String, String) {
    let row = auth.map_or_else(
        || "version 3, no `auth`".to_owned(),
        |auth| {
            let (_, name) = AUTHS.iter().find(|(other, _)| *other == auth).unwrap();
            format!("version 3, `{name}`")
        },
    );
    let column = privacy.map_or_else(none, |privacy| {
        let (_, name) = PRIVACIES.iter().find(|(other, _)| *other == privacy).unwrap();
        format!("`{name}`")
    });
    (row, column)
}

/// The same in a context that is not the default one.
pub fn in_context(auth: AuthProtocol, privacy: PrivProtocol) -> (String, String) {
    let (row, column) = as_user(Some(auth), Some(privacy));
    (format!("{row}, in a context"), column)
}

fn none() -> String {
    "no `priv`".to_owned()
}

/// `n` where snmpd answered, `p` where pysnmp did.
fn table(peers: &[(&str, Spoken)]) -> String {
    let versions = [Version::V1, Version::V2c].map(|version| with_community(version).0);
    let users = std::iter::once(None).chain(AUTHS.map(|(auth, _)| Some(auth)));
    let context = in_context(AuthProtocol::Sha256, PrivProtocol::Aes128).0;
    let rows: Vec<String> = versions
        .into_iter()
        .chain(users.map(|auth| as_user(auth, None).0))
        .chain([context])
        .collect();
    let columns: Vec<String> = std::iter::once(none())
        .chain(PRIVACIES.map(|(privacy, _)| as_user(None, Some(privacy)).1))
        .collect();
    let mut text = format!(
        "| | {} |\n|---|{}\n",
        columns.join(" | "),
        "---|".repeat(columns.len())
    );
    let mut marks = 0;
    for row in rows {
        write!(text, "| {row} |").unwrap();
        for column in &columns {
            let place = (row.clone(), column.clone());
            let here = peers.iter().filter(|(_, spoken)| spoken.contains(&place));
            let here: Vec<_> = here.map(|(mark, _)| *mark).collect();
            marks += here.len();
            let here = if here.is_empty() {
                "–".to_owned()
            } else {
                here.join(" ")
            };
            write!(text, " {here} |").unwrap();
        }
        text.push('\n');
    }
    let spoken: usize = peers.iter().map(|(_, spoken)| spoken.len()).sum();
    assert_eq!(marks, spoken, "everything that was spoken has a place");
    text
}

#[test]
fn what_was_spoken_is_the_table_of_the_manual() {
    let (by_snmpd, by_pysnmp) = std::thread::scope(|scope| {
        let by_snmpd = scope.spawn(versions::spoken_with_snmpd);
        (by_snmpd.join().unwrap(), peer::spoken_with_pysnmp())
    });
    let fresh = table(&[("n", by_snmpd), ("p", by_pysnmp)]);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/manual/credentials.md");
    let manual = std::fs::read_to_string(&file).unwrap();
    let (before, rest) = manual.split_once(BEGIN).unwrap();
    let (written, after) = rest.split_once(END).unwrap();
    if std::env::var_os("MARQUE_REGENERATE").is_some() {
        std::fs::write(&file, format!("{before}{BEGIN}{fresh}{END}{after}")).unwrap();
        return;
    }
    assert!(
        written == fresh,
        "the manual says\n{written}and this was spoken\n{fresh}\
         MARQUE_REGENERATE=1 cargo test -p agent --test poll spoken writes it anew"
    );
}
