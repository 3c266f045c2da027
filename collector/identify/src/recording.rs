//! Recordings of elements read into evidence: `.snmprec` files and the output of `snmpwalk -On`.
//!
//! Invariants: reading is bounded in bytes, varbinds and value length; a line that makes
//! no sense is counted and left out, never guessed; a file without one good line is refused.

use model::{Evidence, Observation, Oid, Outcome, Question, QuestionKind, Value, Varbind};
use std::borrow::Cow;

mod snmprec;
mod snmpwalk;

/// Largest file read, in octets.
pub const MAX_OCTETS: usize = 128 * 1024 * 1024;
/// Most varbinds kept of one file.
pub const MAX_VARBINDS: usize = 1_000_000;
/// Longest value kept, in octets (RFC 2578, 7.1.2: an OCTET STRING has at most 65,535).
pub const MAX_VALUE_OCTETS: usize = 65_535;

/// Why a file is no recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordingError {
    /// Give a smaller file.
    #[error("recording has {octets} octets, more than {MAX_OCTETS}")]
    TooLarge {
        /// Its length.
        octets: usize,
    },
    /// Record it again with numeric names.
    #[error("no line has a numeric name; record with `snmpwalk -On`")]
    NamesNotNumeric,
    /// It is something else.
    #[error("no line of {lines} reads as `OID|tag|value` or `OID = TYPE: value`")]
    NotARecording {
        /// Lines that are not blank or comments.
        lines: usize,
    },
}

/// A recording and how much of the file could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    /// One observation of kind [`QuestionKind::Recording`].
    pub evidence: Evidence,
    /// Lines left out because they make no sense or exceed a bound.
    pub lines_ignored: usize,
}

/// Reads a recording into evidence.
///
/// # Errors
/// [`RecordingError`] when the bytes hold no varbind at all or are too many.
pub fn read(bytes: &[u8]) -> Result<Evidence, RecordingError> {
    read_counted(bytes).map(|recording| recording.evidence)
}

/// Reads a recording and tells how many lines were left out.
///
/// # Errors
/// [`RecordingError`] when the bytes hold no varbind at all or are too many.
pub fn read_counted(bytes: &[u8]) -> Result<Recording, RecordingError> {
    if bytes.len() > MAX_OCTETS {
        return Err(RecordingError::TooLarge { octets: bytes.len() });
    }
    let mut rows = Rows::default();
    if bytes.split(|&b| b == b'\n').any(snmprec::looks_like) {
        snmprec::read(bytes, &mut rows);
    } else {
        snmpwalk::read(bytes, &mut rows);
    }
    if rows.varbinds.is_empty() {
        return Err(if rows.named > 0 {
            RecordingError::NamesNotNumeric
        } else {
            RecordingError::NotARecording { lines: rows.ignored }
        });
    }
    let observation = Observation {
        question: Question {
            kind: QuestionKind::Recording,
            oids: vec![Oid::from_arcs(&[1])],
        },
        outcome: if rows.full {
            Outcome::Truncated
        } else {
            Outcome::Complete
        },
        varbinds: rows.varbinds,
    };
    Ok(Recording {
        evidence: Evidence {
            observations: vec![observation],
        },
        lines_ignored: rows.ignored,
    })
}

/// What the two formats fill.
#[derive(Default)]
struct Rows {
    varbinds: Vec<Varbind>,
    ignored: usize,
    named: usize,
    full: bool,
}

impl Rows {
    fn push(&mut self, oid: Oid, mut value: Value) {
        if self.varbinds.len() >= MAX_VARBINDS {
            self.full = true;
            self.ignored += 1;
            return;
        }
        value.octets.truncate(MAX_VALUE_OCTETS);
        self.varbinds.push(Varbind { oid, value });
    }

    fn ignore(&mut self, line: &[u8]) {
        let line = line.trim_ascii();
        if !line.is_empty() && !line.starts_with(b"#") {
            self.ignored += 1;
        }
    }
}

/// A dotted name with at least two arcs; `iso` may stand for the first one.
fn numeric_oid(text: &[u8]) -> Option<Oid> {
    let text = std::str::from_utf8(text).ok()?.trim();
    let text = text.strip_prefix('.').unwrap_or(text);
    let text = match text.strip_prefix("iso.") {
        Some(rest) => Cow::Owned(format!("1.{rest}")),
        None => Cow::Borrowed(text),
    };
    let oid: Oid = text.parse().ok()?;
    (oid.arcs().len() >= 2).then_some(oid)
}

/// An OBJECT IDENTIFIER value; one that cannot be a name is kept as it was written, as text.
fn oid_value(text: &[u8]) -> Value {
    match numeric_oid(text) {
        Some(oid) => Value::object_identifier(&oid),
        None => Value {
            tag: Value::OBJECT_IDENTIFIER,
            octets: vec![0x80],
        },
    }
}

/// INTEGER in the fewest octets (X.690 8.3).
fn integer_value(n: i64) -> Value {
    let bytes = n.to_be_bytes();
    let fill = if n < 0 { 0xff } else { 0 };
    let mut octets: &[u8] = &bytes;
    while let [first, rest @ ..] = octets {
        match rest.first() {
            Some(second) if *first == fill && (second & 0x80 == fill & 0x80) => octets = rest,
            _ => break,
        }
    }
    Value {
        tag: Value::INTEGER,
        octets: octets.to_vec(),
    }
}

/// Counter, Gauge or TimeTicks: a non-negative INTEGER with another tag.
fn unsigned_value(tag: u8, n: u64) -> Value {
    let mut octets: Vec<u8> = n.to_be_bytes().into_iter().skip_while(|&b| b == 0).collect();
    if octets.first().is_none_or(|b| b & 0x80 != 0) {
        octets.insert(0, 0);
    }
    Value { tag, octets }
}

fn ip_value(text: &[u8]) -> Option<Value> {
    let address: std::net::Ipv4Addr = std::str::from_utf8(text).ok()?.trim().parse().ok()?;
    Some(Value {
        tag: Value::IP_ADDRESS,
        octets: address.octets().to_vec(),
    })
}

/// Hexadecimal digits with blanks, colons or dashes between them.
fn hex_octets(text: &[u8]) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text
        .iter()
        .copied()
        .filter(|b| !b" \t\r\n:-".contains(b))
        .collect();
    hex::decode(digits).ok()
}

#[cfg(test)]
mod tests;
