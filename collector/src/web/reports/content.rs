//! What a report says, whoever made it and in whatever form it leaves.
//!
//! Invariants: page, CSV and JSON show the same cells; every cell from outside is clean and
//! bounded; the digest is that of [`Content::canonical`], so that the same content has the same
//! digest on every print; no cell of a CSV is a formula.

use crate::api::Problem;
use crate::api::query::Query;
use crate::web::show;
use model::Instant;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

/// A report without who made it and when.
#[derive(Debug, Serialize)]
pub struct Content {
    /// Word of the report.
    pub report: &'static str,
    /// For people.
    pub title: String,
    /// What was asked, as parameter and value.
    pub asked: Vec<(String, String)>,
    /// The parameters under which it says the same again.
    #[serde(skip)]
    pub address: Query,
    /// Whose network.
    pub operator: String,
    /// The day it speaks of.
    pub as_of: String,
    /// Version of the policies.
    pub policies: String,
    /// Version of the knowledge.
    pub knowledge: String,
    /// Until when the packs saw sources.
    pub horizon: String,
    /// That it is no advice.
    pub disclaimer: &'static str,
    /// What must be known to read the tables.
    pub facts: Vec<Fact>,
    /// The tables.
    pub tables: Vec<Table>,
}

/// A number or a word with its name.
#[derive(Debug, Serialize)]
pub struct Fact {
    /// What.
    pub name: String,
    /// How much of it.
    pub value: String,
}

/// A table.
#[derive(Debug, Serialize)]
pub struct Table {
    /// Its word in links.
    pub key: &'static str,
    /// For people.
    pub title: &'static str,
    /// Names of the columns.
    pub columns: &'static [&'static str],
    /// As many cells a row as there are columns.
    pub rows: Vec<Row>,
}

/// One row.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct Row {
    /// The cells.
    pub cells: Vec<String>,
    /// Where the page leads from its first cell.
    #[serde(skip)]
    pub link: Option<String>,
}

impl Fact {
    /// A fact.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            value: value.into(),
        }
    }
}

impl Row {
    /// A row that leads nowhere.
    #[must_use]
    pub fn new(cells: Vec<String>) -> Self {
        Self { cells, link: None }
    }

    /// A row whose first cell leads there.
    #[must_use]
    pub fn to(link: String, cells: Vec<String>) -> Self {
        Self {
            cells,
            link: Some(link),
        }
    }

    /// The first cell, by which rows of several tables belong together.
    #[must_use]
    pub fn key(&self) -> &str {
        self.cells.first().map_or("", String::as_str)
    }
}

impl Content {
    /// The bytes the digest is of: JSON without blanks, members in the order above.
    ///
    /// # Errors
    /// [`Problem::Unreadable`] if it cannot be written.
    pub fn canonical(&self) -> Result<String, Problem> {
        serde_json::to_string(self).map_err(|_| Problem::Unreadable("report"))
    }

    /// The rows of a table that belong to a row of another.
    pub fn rows_of<'c>(&'c self, table: &'c str, key: &'c str) -> impl Iterator<Item = &'c Row> {
        let rows = self.tables.iter().filter(move |one| one.key == table);
        rows.flat_map(|one| &one.rows).filter(move |row| row.key() == key)
    }

    /// The columns of a table.
    #[must_use]
    pub fn columns(&self, table: &str) -> &'static [&'static str] {
        let found = self.tables.iter().find(|one| one.key == table);
        found.map_or(&[], |one| one.columns)
    }

    /// One table with a head that says what it is; without a name the first one.
    ///
    /// # Errors
    /// [`Problem::NotFound`] if there is no such table.
    pub fn csv(&self, table: &str, made: &str, digest: &str) -> Result<String, Problem> {
        let found = self
            .tables
            .iter()
            .find(|one| table.is_empty() || one.key == table);
        let table = found.ok_or(Problem::NotFound("table of this report"))?;
        let mut head = vec![
            format!("{}: {}", self.title, table.title),
            format!("of {}, as of {}", self.operator, self.as_of),
            format!("policies {}, knowledge {}", self.policies, self.knowledge),
            self.disclaimer.to_owned(),
            format!("The packs saw no source after {}.", self.horizon),
        ];
        let asked = self.asked.iter().map(|(key, value)| format!("{key} {value}"));
        head.push(format!("asked: {}", asked.collect::<Vec<_>>().join(", ")));
        head.extend(
            self.facts
                .iter()
                .map(|fact| format!("{}: {}", fact.name, fact.value)),
        );
        head.push(made.to_owned());
        head.push(format!("SHA-256 of the content: {digest}"));
        let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
        let unwritten = |_| Problem::Unreadable("report");
        for line in head {
            writer.write_record([format!("# {line}")]).map_err(unwritten)?;
        }
        writer.write_record(table.columns).map_err(unwritten)?;
        for row in &table.rows {
            let cells = row.cells.iter().map(|cell| show::harmless(cell));
            writer.write_record(cells).map_err(unwritten)?;
        }
        let bytes = writer.into_inner().map_err(|_| Problem::Unreadable("report"))?;
        String::from_utf8(bytes).map_err(|_| Problem::Unreadable("report"))
    }
}

/// A moment in a cell: RFC 3339 in UTC, to the second.
#[must_use]
pub fn moment(at: Instant) -> String {
    let whole = Instant(at.0.saturating_sub(at.0.rem_euclid(1_000_000)));
    whole.to_string()
}

/// SHA-256 in hexadecimal.
#[must_use]
pub fn digest(canonical: &str) -> String {
    hex::encode(Sha256::digest(canonical))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(cell: &str) -> Content {
        Content {
            report: "changes",
            title: "Changes".into(),
            asked: vec![("since".into(), "8h".into())],
            address: Query::default(),
            operator: "Lab".into(),
            as_of: "2026-11-26".into(),
            policies: "1".into(),
            knowledge: "2".into(),
            horizon: "2026-11".into(),
            disclaimer: "Not legal advice.",
            facts: vec![Fact::new("rows", "1")],
            tables: vec![Table {
                key: "changes",
                title: "Changes",
                columns: &["what", "why"],
                rows: vec![Row::to("/x".into(), vec![cell.into(), "law".into()])],
            }],
        }
    }

    #[test]
    fn no_cell_is_a_formula() {
        for cell in ["=1+1", "+1", "-1", "@x", "\tx", "\rx"] {
            let csv = content(cell).csv("", "by Ann", "00").unwrap();
            let mut reader = csv::ReaderBuilder::new()
                .flexible(true)
                .has_headers(false)
                .from_reader(csv.as_bytes());
            let last = reader.records().last().unwrap().unwrap();
            assert_eq!(&last[0], format!("'{cell}"));
            assert_eq!(&last[1], "law");
        }
        assert!(
            content("a,\"b\"\nc")
                .csv("", "", "")
                .unwrap()
                .ends_with("\"a,\"\"b\"\"\nc\",law\n")
        );
    }

    #[test]
    fn the_digest_is_of_what_is_said_and_of_nothing_else() {
        let of = |cell| digest(&content(cell).canonical().unwrap());
        assert_eq!(of("a"), of("a"));
        assert_ne!(of("a"), of("b"));
        assert!(!content("a").canonical().unwrap().contains("/x"));
    }

    #[test]
    fn only_tables_there_are_can_be_had() {
        assert!(content("a").csv("changes", "", "").is_ok());
        assert!(content("a").csv("makers", "", "").is_err());
    }
}
