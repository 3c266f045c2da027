//! The built-in private tables: which to ask where an enterprise's arc was seen.
//!
//! Invariant: each entry is a mistake away from no start, so a test reads them all.

use super::v1;
use serde::Deserialize;
use std::sync::LazyLock;

const BUILT_IN: &str = include_str!("../../../plan/if_arc.toml");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    if_arc: Vec<Entry>,
}

/// One `[[if_arc]]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Enterprise number.
    pub arc: u32,
    /// Subtrees.
    pub walk: Vec<String>,
    /// Columns of it whose values are addresses of neighbours.
    #[serde(default)]
    pub addresses: Vec<String>,
    /// The kind of neighbours it tells of; it is asked only where a plan wants them.
    pub neighbours: Option<String>,
    /// What it tells, for people.
    pub what: String,
    /// Who says so.
    pub source: String,
}

/// All of them; a test holds that the file can be read.
static ALL: LazyLock<Vec<Entry>> = LazyLock::new(|| {
    toml::from_str::<File>(BUILT_IN)
        .map(|file| file.if_arc)
        .unwrap_or_default()
});

/// Those to ask beside what a plan says itself: private tables, and CDP where it is wanted.
pub(super) fn tables(private: bool, cdp: bool) -> impl Iterator<Item = v1::IfArc> {
    let wanted = move |entry: &&Entry| match entry.neighbours.as_deref() {
        None => private,
        Some("cdp") => cdp,
        Some(_) => false,
    };
    ALL.iter().filter(wanted).map(|entry| v1::IfArc {
        arc: entry.arc,
        walk: entry.walk.clone(),
        addresses: entry.addresses.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_table_lies_below_its_arc_and_says_where_it_comes_from() {
        let file: File = toml::from_str(BUILT_IN).unwrap();
        assert!(file.if_arc.len() >= 5 && file.if_arc == *ALL);
        for entry in &file.if_arc {
            let below = format!("1.3.6.1.4.1.{}.", entry.arc);
            assert!(!entry.walk.is_empty() && !entry.what.is_empty() && !entry.source.is_empty());
            assert!(entry.addresses.iter().all(|column| entry.walk.contains(column)));
            assert_eq!(entry.addresses.is_empty(), entry.neighbours.is_none());
            for oid in &entry.walk {
                assert!(oid.starts_with(&below), "{oid} of {}", entry.arc);
                assert!(super::super::can_travel(&oid.parse().unwrap()), "{oid}");
            }
        }
        let count = |private, cdp| tables(private, cdp).count();
        assert_eq!(count(true, true), file.if_arc.len());
        assert_eq!(count(true, false) + 1, file.if_arc.len());
        assert_eq!((count(false, true), count(false, false)), (1, 0));
    }

    #[test]
    fn every_column_that_identification_reads_is_asked() {
        let read = include_str!("../../../identify/knowledge/tables.tsv");
        let rows = read.lines().filter(|line| !line.starts_with('#'));
        let mut count = 0;
        for row in rows {
            let cells: Vec<&str> = row.split('\t').collect();
            let columns = cells[4..9].iter().map(|cell| cell.trim_start_matches("oui:"));
            for column in columns.filter(|column| *column != "0") {
                let oid = format!("{}.{column}", cells[1]);
                assert!(
                    ALL.iter().any(|entry| entry.walk.contains(&oid)),
                    "{}: {oid}",
                    cells[0]
                );
                count += 1;
            }
        }
        assert!(count >= 30, "{count}");
    }
}
