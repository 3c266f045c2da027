//! The public registries in the forms they are published in, to the compact tables of the knowledge.
//!
//! Read are the text of the IANA private enterprise numbers (number, organisation, contact, address,
//! each indented further), the CSV of the IEEE (MA-L, MA-M, MA-S, IAB), and both as tables that
//! distributions ship. Invariants: people's names and addresses are left out; a row that makes no
//! sense is counted and left out; the table's head bears its date and the digest of its rows.

use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt::Write as _;

/// What the table of enterprise numbers is called.
pub const ENTERPRISE_REGISTRY: &str = "enterprise-registry.tsv";
/// What the table of address prefixes is called.
pub const ADDRESS_REGISTRY: &str = "address-registry.tsv";
/// Lines before the first row.
pub(super) const HEAD_LINES: usize = 2;
/// Longest name of an organisation kept, in characters.
const MAX_NAME: usize = 80;

/// A table made of a registry, and how much of the registry is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The table, ready to be written under its file name.
    pub text: String,
    /// Numbers or prefixes in it.
    pub entries: usize,
    /// Organisations in it.
    pub organisations: usize,
    /// Entries without a holder: reserved, unassigned, private.
    pub nameless: usize,
    /// Lines that make no sense.
    pub ignored: usize,
}

/// Organisation and former name by number, and what was left out.
#[derive(Default)]
struct Numbers {
    names: BTreeMap<u32, (String, String)>,
    nameless: usize,
    ignored: usize,
}

/// The IANA private enterprise numbers; `as_of` is their date, as people write it.
#[must_use]
pub fn enterprise_numbers(text: &str, as_of: &str) -> Imported {
    let mut numbers = Numbers::default();
    let tabular = text.lines().filter(|line| numbered(line).is_some()).count();
    if tabular > 0 {
        for line in text.lines().filter(|line| is_row(line)) {
            match numbered(line) {
                Some((number, organisation, former)) => numbers.add(number, organisation, former),
                None => numbers.ignored += 1,
            }
        }
    } else {
        numbers.read_published(text);
    }
    let mut rows = String::new();
    let mut before: Option<u32> = None;
    let mut organisations = std::collections::BTreeSet::new();
    for (number, (name, former)) in &numbers.names {
        if before.is_none_or(|before| before.checked_add(1) != Some(*number)) {
            let _ = write!(rows, "{number}");
        }
        let _ = write!(rows, "\t{name}");
        if !former.is_empty() {
            let _ = write!(rows, "\t{former}");
        }
        rows.push('\n');
        before = Some(*number);
        organisations.insert(name);
    }
    Imported {
        entries: numbers.names.len(),
        organisations: organisations.len(),
        nameless: numbers.nameless,
        ignored: numbers.ignored,
        text: headed(
            "IANA private enterprise numbers",
            as_of,
            "number (none: the one before plus 1), organisation, former name",
            &rows,
        ),
    }
}

impl Numbers {
    /// A number at the margin, its organisation indented below it; contact and address go unread.
    fn read_published(&mut self, text: &str) {
        let mut waiting: Option<u32> = None;
        let mut begun = false;
        for line in text.lines() {
            let trimmed = line.trim();
            let at_margin = line.starts_with(|c: char| !c.is_whitespace());
            if at_margin && trimmed.bytes().all(|b| b.is_ascii_digit()) && !trimmed.is_empty() {
                self.ignored += usize::from(waiting.is_some());
                waiting = trimmed.parse().ok();
                self.ignored += usize::from(waiting.is_none());
                begun = true;
            } else if let (Some(number), false) = (waiting, trimmed.is_empty()) {
                let (name, former) = without_former(trimmed);
                self.add(number, &name, &former);
                waiting = None;
            } else if begun && at_margin && !trimmed.is_empty() && !trimmed.starts_with("End of") {
                self.ignored += 1;
            }
        }
        self.ignored += usize::from(waiting.is_some());
    }

    fn add(&mut self, number: u32, organisation: &str, former: &str) {
        let (name, inside) = without_former(organisation);
        let former = if former.is_empty() { inside } else { plain(former) };
        if number == 0 || is_nobody(&name) {
            self.nameless += 1;
        } else if let Entry::Vacant(place) = self.names.entry(number) {
            place.insert((name, former));
        } else {
            self.ignored += 1;
        }
    }
}

/// The IEEE prefixes of several files: MA-L, MA-M, MA-S and IAB; `as_of` is their date.
#[must_use]
pub fn address_prefixes(texts: &[&str], as_of: &str) -> Imported {
    let mut holders: BTreeMap<String, String> = BTreeMap::new();
    let (mut nameless, mut ignored) = (0, 0);
    let mut take = |prefix: &str, bits: Option<usize>, organisation: &str| {
        let mut digits: String = prefix
            .chars()
            .filter(char::is_ascii_hexdigit)
            .map(|c| c.to_ascii_uppercase())
            .collect();
        digits.truncate(bits.map_or(digits.len(), |bits| bits / 4));
        let name = plain(organisation);
        if ![6, 7, 9].contains(&digits.len()) {
            ignored += 1;
        } else if is_nobody(&name) {
            nameless += 1;
        } else if holders.insert(digits, name).is_some() {
            ignored += 1;
        }
    };
    let mut unread = 0;
    for text in texts {
        if text.lines().any(|line| line.starts_with("Registry,")) {
            let mut reader = csv::ReaderBuilder::new()
                .flexible(true)
                .from_reader(text.as_bytes());
            for record in reader.byte_records() {
                let cell = |record: &csv::ByteRecord, at: usize| {
                    String::from_utf8_lossy(record.get(at).unwrap_or_default()).into_owned()
                };
                match record {
                    Ok(record) => take(&cell(&record, 1), None, &cell(&record, 2)),
                    Err(_) => unread += 1,
                }
            }
        } else {
            for line in text.lines().filter(|line| is_row(line)) {
                let mut cells = line.split('\t');
                match (cells.next(), cells.next().map(str::parse::<usize>), cells.next()) {
                    (Some(prefix), Some(Ok(bits)), Some(name)) => take(prefix, Some(bits), name),
                    _ => unread += 1,
                }
            }
        }
    }
    let entries = holders.len();
    let mut prefixes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (digits, name) in holders {
        prefixes.entry(name).or_default().push(digits);
    }
    let mut rows = String::new();
    for (name, held) in &prefixes {
        let _ = writeln!(rows, "{name}\t{}", held.join(" "));
    }
    Imported {
        entries,
        organisations: prefixes.len(),
        nameless,
        ignored: ignored + unread,
        text: headed(
            "IEEE MA-L, MA-M, MA-S and IAB prefixes",
            as_of,
            "organisation, prefixes",
            &rows,
        ),
    }
}

/// The digest over the rows of a table, as its head bears it.
#[must_use]
pub fn rows_digest(table: &str) -> String {
    let mut rows = table;
    for _ in 0..HEAD_LINES {
        rows = rows.split_once('\n').map_or("", |(_, rest)| rest);
    }
    hex::encode(Sha256::digest(rows))
}

fn headed(what: &str, as_of: &str, columns: &str, rows: &str) -> String {
    let digest = hex::encode(Sha256::digest(rows));
    format!("# {what}, as of {as_of}; SHA-256 of the rows: {digest}\n# {columns}\n{rows}")
}

fn is_row(line: &str) -> bool {
    !line.trim().is_empty() && !line.starts_with('#')
}

/// `number TAB organisation [TAB former name]`.
fn numbered(line: &str) -> Option<(u32, &str, &str)> {
    let (number, rest) = line.split_once('\t')?;
    let number = number.parse().ok()?;
    let (name, former) = rest.split_once('\t').unwrap_or((rest, ""));
    Some((number, name, former))
}

/// One line without quotation marks around it, of bounded length.
fn plain(name: &str) -> String {
    let words: Vec<&str> = name
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect();
    let line = words.join(" ");
    line.trim_matches(['"', '\'', ' '])
        .chars()
        .take(MAX_NAME)
        .collect()
}

/// `Acme (formerly 'Widgets Inc.')` in two.
fn without_former(name: &str) -> (String, String) {
    let lower = name.to_ascii_lowercase();
    let at = ["formerly", "previously", "previous was", "former "]
        .iter()
        .filter_map(|word| Some((lower.find(&format!("({word}"))?, word.len() + 1)))
        .min();
    let Some((at, length)) = at else {
        return (plain(name), String::new());
    };
    let (current, rest) = (
        name.get(..at).unwrap_or(name),
        name.get(at + length..).unwrap_or(""),
    );
    let former = rest
        .trim_matches([' ', ')', ':', ',', '\'', '"', '`'])
        .trim_start_matches("known as ")
        .trim_matches(['\'', '"', ' ']);
    (plain(current), plain(former))
}

/// Whether an entry has no holder that could be named.
fn is_nobody(name: &str) -> bool {
    const NOBODY: [&str; 9] = [
        "reserved",
        "unassigned",
        "private",
        "none",
        "---none---",
        "disabled",
        "deleted",
        "-",
        "ieee registration authority",
    ];
    !name.chars().any(char::is_alphabetic) || NOBODY.contains(&name.to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUBLISHED: &str = "PRIVATE ENTERPRISE NUMBERS\n\n(last updated 2026-01-02)\n\nDecimal\n| Organization\n\
        | | Contact\n| | | Email\n0\n  Reserved\n    IANA\n      iana&iana.org\n1\n  NxNetworks\n    A Person\n      \
        a&b.example\n2\n  ALE USA Inc. (formerly 'Xylan Corp.')\n    B Person\n      c\n\n4\n\
        \tTab  Works\u{1f}\n7\n8\n  Unassigned\n    ---none---\n9\n  9 lives \"Ltd\"\n    C\nodd line\n\nEnd of Document\n";

    #[test]
    fn published_enterprise_numbers_become_a_table_without_people() {
        let made = enterprise_numbers(PUBLISHED, "2026-01-02");
        let rows: Vec<&str> = made.text.lines().skip(HEAD_LINES).collect();
        assert_eq!(
            rows,
            [
                "1\tNxNetworks",
                "\tALE USA Inc.\tXylan Corp.",
                "4\tTab Works",
                "9\t9 lives \"Ltd"
            ]
        );
        assert_eq!(
            (made.entries, made.organisations, made.nameless, made.ignored),
            (4, 4, 2, 2)
        );
        assert!(!made.text.contains("Person") && made.text.contains("as of 2026-01-02"));
        assert!(made.text.contains(&rows_digest(&made.text)));
        let again = enterprise_numbers(
            "1\tNxNetworks\n2\tALE USA Inc. (formerly 'Xylan Corp.')\nx\n",
            "d",
        );
        assert_eq!((again.entries, again.ignored), (2, 1));
        assert!(again.text.contains("\n\tALE USA Inc.\tXylan Corp.\n"));
    }

    #[test]
    fn published_prefixes_become_a_table_without_addresses() {
        let large = "Registry,Assignment,Organization Name,Organization Address\n\
            MA-L,00AABB,\"Acme, Inc.\",\"1 Street\nTown\"\nMA-L,00AABC,Private,\nMA-L,00aabd,  Acme,  Inc. ,x\n";
        let small = "Registry,Assignment,Organization Name,Organization Address\n\
            MA-S,70B3D5123,Zeta,y\nMA-M,12345,Short,z\nMA-L,00AABB,Again,\n";
        let made = address_prefixes(&[large, small, "0011223\t28\tMid\nbad line\n"], "2026-06-25");
        let rows: Vec<&str> = made.text.lines().skip(HEAD_LINES).collect();
        assert_eq!(
            rows,
            ["Acme\t00AABD", "Again\t00AABB", "Mid\t0011223", "Zeta\t70B3D5123"]
        );
        assert_eq!((made.entries, made.nameless, made.ignored), (4, 1, 3));
    }

    #[test]
    fn strange_bytes_make_empty_tables() {
        for text in [
            "",
            "\0\0",
            "1",
            "\u{feff}1\n2\n3",
            "Registry,\n\"",
            "99999999999\n  Big\n",
        ] {
            assert_eq!(enterprise_numbers(text, "d").entries, 0, "{text:?}");
            assert_eq!(address_prefixes(&[text], "d").entries, 0, "{text:?}");
        }
    }
}
