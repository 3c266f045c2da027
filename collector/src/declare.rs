//! The operator's facts about elements, from a CSV file.
//!
//! Columns by header: `site,address` and optionally `name,role,generations,tags,acquired`.
//! `address` is `IPv4[:PORT]`, `IPv6` or `[IPv6]:PORT`, port 161 unless given;
//! `generations` and `tags` have blanks between words.

pub mod on_file;

use model::Role;
use serde::Deserialize;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use store::record::Declaration;
use time::macros::format_description;

/// UDP port of SNMP agents (RFC 3417, 3.1).
pub const SNMP_PORT: u16 = 161;

/// Longest name or word accepted, in characters.
const WORD_CHARS: usize = 200;

/// Why a file of declarations cannot be used; one line for people.
#[derive(Debug, thiserror::Error)]
pub enum DeclareError {
    /// The file cannot be read or is no CSV with these columns.
    #[error("{path}: {message}")]
    File {
        /// The file.
        path: String,
        /// What is wrong.
        message: String,
    },
    /// A row is wrong.
    #[error("{path}:{line}: {column}: {message}")]
    Row {
        /// The file.
        path: String,
        /// Line, from 1.
        line: u64,
        /// Column.
        column: &'static str,
        /// What is wrong.
        message: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    site: String,
    address: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    role: String,
    #[serde(default)]
    generations: String,
    #[serde(default)]
    tags: String,
    #[serde(default)]
    acquired: String,
}

/// Reads all declarations.
///
/// # Errors
/// [`DeclareError`] naming file, line and column; nothing is taken from a file with a mistake.
pub fn read(path: &Path) -> Result<Vec<Declaration>, DeclareError> {
    let shown = path.display().to_string();
    let text = std::fs::read(path).map_err(|e| DeclareError::File {
        path: shown.clone(),
        message: e.to_string(),
    })?;
    parse(&text, &shown)
}

fn parse(text: &[u8], path: &str) -> Result<Vec<Declaration>, DeclareError> {
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .comment(Some(b'#'))
        .from_reader(text);
    let mut declarations = Vec::new();
    let mut seen = std::collections::HashSet::new();
    let headers = reader
        .headers()
        .map_err(|e| DeclareError::File {
            path: path.to_owned(),
            message: e.to_string(),
        })?
        .clone();
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record).map_err(|e| DeclareError::File {
        path: path.to_owned(),
        message: e.to_string(),
    })? {
        let line = record.position().map_or(0, csv::Position::line);
        let fail = |column, message| DeclareError::Row {
            path: path.to_owned(),
            line,
            column,
            message,
        };
        let row: Row = record
            .deserialize(Some(&headers))
            .map_err(|e| DeclareError::File {
                path: path.to_owned(),
                message: format!("line {line}: {e}"),
            })?;
        let declaration = read_row(row).map_err(|(column, message)| fail(column, message))?;
        if !seen.insert((
            declaration.site.clone(),
            declaration.address.clone(),
            declaration.port,
        )) {
            return Err(fail("address", "is declared twice".to_owned()));
        }
        declarations.push(declaration);
    }
    Ok(declarations)
}

fn read_row(row: Row) -> Result<Declaration, (&'static str, String)> {
    let (address, port) = read_address(&row.address).ok_or_else(|| {
        (
            "address",
            format!("{:?} is not an address", bounded(&row.address)),
        )
    })?;
    let acquired = (!row.acquired.is_empty()).then_some(row.acquired);
    if let Some(day) = &acquired {
        let format = format_description!("[year]-[month]-[day]");
        time::Date::parse(day, format)
            .map_err(|_| ("acquired", format!("{:?} is not YYYY-MM-DD", bounded(day))))?;
    }
    let words = |text: &str| text.split_whitespace().map(bounded).collect();
    Ok(Declaration {
        site: row
            .site
            .parse()
            .map_err(|e: model::id::InvalidSiteName| ("site", e.to_string()))?,
        name: if row.name.is_empty() {
            address.to_string()
        } else {
            bounded(&row.name)
        },
        address: address.to_string(),
        port,
        role: if row.role.is_empty() {
            None
        } else {
            Some(row.role.parse::<Role>().map_err(|e| ("role", e))?)
        },
        // Spelt as the rules spell it: a word that no rule knows would be met by none, in silence.
        generations: row
            .generations
            .split_whitespace()
            .map(|word| policy::facts::generation(word).map(str::to_owned))
            .collect::<Result<_, _>>()
            .map_err(|e| ("generations", e.to_string()))?,
        tags: words(&row.tags),
        acquired,
    })
}

fn read_address(text: &str) -> Option<(IpAddr, u16)> {
    match text.parse::<IpAddr>() {
        Ok(address) => Some((address, SNMP_PORT)),
        Err(_) => text.parse::<SocketAddr>().ok().map(|s| (s.ip(), s.port())),
    }
}

fn bounded(text: &str) -> String {
    text.chars().take(WORD_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_operators_write() {
        let text = "site,address,name,role,generations,tags,acquired\n\
            # the core\n\
            berlin, 192.0.2.1 ,BER-1,core,4G 5G,site:sensitive,2019-03-01\n\
            berlin,192.0.2.1:1161,,,lte NR,,\n\
            berlin,[2001:db8::1]:161,\"a, b\",video,,,\n";
        let all = parse(text.as_bytes(), "e.csv").unwrap();
        assert_eq!(all.len(), 3);
        assert_eq!(
            (all[0].role, all[0].generations.len(), all[0].port),
            (Some(Role::Core), 2, 161)
        );
        assert_eq!(
            (all[1].name.as_str(), all[1].role, all[1].port),
            ("192.0.2.1", None, 1161)
        );
        assert_eq!(all[1].generations, ["4G", "5G"].map(str::to_owned).into());
        assert_eq!(
            (all[2].address.as_str(), all[2].name.as_str()),
            ("2001:db8::1", "a, b")
        );
        assert_eq!(
            parse(b"site,address\nberlin,192.0.2.1\n", "e.csv").unwrap().len(),
            1
        );
    }

    #[test]
    fn a_mistake_is_told_with_line_and_column() {
        for (row, expected) in [
            (
                "berlin,nowhere,,,,,",
                "e.csv:2: address: \"nowhere\" is not an address",
            ),
            ("Berlin,192.0.2.1,,,,,", "e.csv:2: site: site name"),
            (
                "berlin,192.0.2.1,,core,4G 5H,,",
                "e.csv:2: generations: generation: \"5H\" is not known",
            ),
            (
                "berlin,192.0.2.1,,boss,,,",
                "e.csv:2: role: role \"boss\" is none of",
            ),
            (
                "berlin,192.0.2.1,,,,,2019",
                "e.csv:2: acquired: \"2019\" is not YYYY-MM-DD",
            ),
            (
                "berlin,192.0.2.1,,,,,\nberlin,192.0.2.1,,,,,",
                "e.csv:3: address: is declared twice",
            ),
            ("berlin", "e.csv: CSV error: record 1"),
        ] {
            let text = format!("site,address,name,role,generations,tags,acquired\n{row}\n");
            let error = parse(text.as_bytes(), "e.csv").unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
        let error = parse(b"site,adress\nberlin,192.0.2.1\n", "e.csv")
            .unwrap_err()
            .to_string();
        assert!(error.contains("adress"), "{error}");
    }
}
