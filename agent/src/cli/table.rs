//! Reports as lines of a table, for people.
//!
//! Invariant: whatever the element sent, a line is one line of printable characters.

use crate::plan::oid;
use crate::report::Report;
use proto::v1::{Completeness, Varbind};
use std::io::{IsTerminal as _, Write as _};

/// How reports are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// One object a line, whole.
    Json,
    /// For people: who, how much, what it says of itself.
    Table,
}

impl Format {
    /// A table for people at a terminal, JSON for everything else.
    #[must_use]
    pub fn fitting() -> Self {
        match std::io::stdout().is_terminal() {
            true => Self::Table,
            false => Self::Json,
        }
    }
}

/// Above the lines.
pub const HEAD: &str =
    "TARGET                     ROUND        OBJECTS  PACKETS     MS  NAME                  SAYS OF ITSELF\n";

/// sysDescr.0 and sysName.0 (RFC 3418).
const DESCR: &str = "1.3.6.1.2.1.1.1.0";
const NAME: &str = "1.3.6.1.2.1.1.5.0";

/// Appends one report as one line.
pub fn push_line(report: &Report, out: &mut Vec<u8>) {
    let objects: usize = report
        .evidence
        .observations
        .iter()
        .map(|one| one.varbinds.len())
        .sum();
    // Writing into memory does not fail.
    let _ = writeln!(
        out,
        "{:<26} {:<12} {objects:>7} {:>8} {:>6}  {:<21} {}",
        report.target.to_string(),
        round(report),
        report.cost.requests,
        report.took.as_millis(),
        text(report, NAME, 21),
        text(report, DESCR, 80),
    );
}

/// One word for how the round went.
#[must_use]
pub fn round(report: &Report) -> &'static str {
    match report.completeness {
        _ if report.refreshed => "refreshed",
        Completeness::Complete => "complete",
        Completeness::Partial => "partial",
        _ => "unreachable",
    }
}

fn text(report: &Report, name: &str, most: usize) -> String {
    let Ok(name) = oid::parse(name) else {
        return String::new();
    };
    let mut all = report.evidence.observations.iter().flat_map(|one| &one.varbinds);
    all.find(|varbind| varbind.oid == name)
        .map_or_else(String::new, |varbind| printable(varbind, most))
}

/// The first characters of a value, each control character a blank.
#[must_use]
pub fn printable(varbind: &Varbind, most: usize) -> String {
    let octets = varbind.value.get(..most * 4).unwrap_or(&varbind.value);
    let text = String::from_utf8_lossy(octets);
    let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    plain.take(most).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::bytes::Bytes;

    #[test]
    fn whatever_is_said_stays_on_its_line() {
        let varbind = |value: &'static [u8]| Varbind {
            oid: Bytes::new(),
            tag: 4,
            value: Bytes::from_static(value),
        };
        for (value, shown) in [
            (&b"a\r\nb\x1b[31m"[..], "a  b [31m"),
            (b"\xff\xfe", "\u{fffd}\u{fffd}"),
            (b"0123456789ab", "0123456789"),
        ] {
            assert_eq!(printable(&varbind(value), 10), shown);
        }
    }
}
