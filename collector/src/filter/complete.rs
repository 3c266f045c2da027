//! What could stand where somebody is writing.
//!
//! Invariant: pure; whatever it offers can be read, and it never touches what stands elsewhere in the line.

use super::keys::{self, Key, Kind};
use super::{Op, Subject, written};
use std::ops::Range;

/// Most offers at a time.
const MOST: usize = 12;

/// Names that are known here.
#[derive(Debug, Clone, Default)]
pub struct Vocabulary {
    /// Sites, with what people call them.
    pub sites: Vec<(String, String)>,
    /// Keys of suppliers, with their names.
    pub suppliers: Vec<(String, String)>,
    /// Keys of rules, with their titles.
    pub rules: Vec<(String, String)>,
    /// Jurisdictions.
    pub laws: Vec<(String, String)>,
}

/// What could stand there, and in place of what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offers {
    /// Octets of the line an offer takes the place of.
    pub replaces: Range<usize>,
    /// The offers, the likeliest first.
    pub offers: Vec<Offer>,
}

/// One thing that could stand there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// What to write.
    pub insert: String,
    /// What it is, for people.
    pub note: String,
}

/// What could stand at octet `at` of a line; the next border of a character where that is none.
#[must_use]
pub fn complete(subject: Subject, line: &str, at: usize, known: &Vocabulary) -> Offers {
    let at = (at..=line.len())
        .find(|at| line.is_char_boundary(*at))
        .unwrap_or(line.len());
    let (start, end) = word_around(line, at);
    let typed = line.get(start..at).unwrap_or_default();
    let start = start + typed.len() - typed.trim_start_matches('-').len();
    let typed = typed.trim_start_matches('-');
    let named = typed.find(|c: char| !(c.is_ascii_alphabetic() || c == '_'));
    let keyed = named.and_then(|length| {
        let key = subject.key(typed.get(..length)?)?;
        let behind = typed.get(length..)?;
        let (op, _) = Op::ALL.into_iter().find(|(op, _)| behind.starts_with(op))?;
        Some((key, length + op.len(), op))
    });
    let (replaces, offers) = match keyed {
        Some((key, length, op)) => {
            let part = typed.get(length..).unwrap_or_default().trim_matches('"');
            (start + length..end, values(key, op, part, known))
        }
        None => (start..end, names(subject, typed)),
    };
    Offers { replaces, offers }
}

/// The word that holds a place; blanks in quotes do not end it.
fn word_around(line: &str, at: usize) -> (usize, usize) {
    let (mut start, mut quoted, mut escaped) = (0, false, false);
    for (position, c) in line.char_indices() {
        if c == '"' && !escaped {
            quoted = !quoted;
        }
        escaped = quoted && c == '\\' && !escaped;
        if c.is_whitespace() && !quoted {
            if position >= at {
                return (start, position);
            }
            start = position + c.len_utf8();
        }
    }
    (start.min(at), line.len())
}

fn names(subject: Subject, typed: &str) -> Vec<Offer> {
    let typed = typed.to_ascii_lowercase();
    let offer = |key: &Key| Offer {
        insert: match key.kind {
            Kind::Flag => format!("{} ", key.name),
            Kind::Share => format!("{}<", key.name),
            Kind::Age | Kind::Seen => format!("{}>", key.name),
            Kind::Day => format!("{}<", key.name),
            _ => format!("{}:", key.name),
        },
        note: key.note.to_owned(),
    };
    let fits =
        |key: &&Key| key.name.starts_with(&typed) || (!typed.is_empty() && key.alias.starts_with(&typed));
    subject.keys().iter().filter(fits).take(24).map(offer).collect()
}

fn values(key: &Key, op: &str, part: &str, known: &Vocabulary) -> Vec<Offer> {
    let pairs = |words: &[&str]| -> Vec<(String, String)> {
        words
            .iter()
            .map(|word| ((*word).to_owned(), word.replace('_', " ")))
            .collect()
    };
    let with = |list: &[(String, String)], more: &[(&str, &str)]| -> Vec<(String, String)> {
        let more = more
            .iter()
            .map(|(word, note)| ((*word).to_owned(), (*note).to_owned()));
        more.chain(list.iter().cloned()).collect()
    };
    let equals = matches!(op, ":" | "=");
    let all = match key.kind {
        Kind::Words(words) => pairs(&words.all()),
        Kind::Site => known.sites.clone(),
        Kind::Supplier => known.suppliers.clone(),
        Kind::Maker => with(&known.suppliers, &[("unknown", "not known")]),
        Kind::Rule => known.rules.clone(),
        Kind::Law => known.laws.clone(),
        Kind::Owner => with(
            &[],
            &[("me", "assigned to you"), ("nobody", "assigned to nobody")],
        ),
        Kind::Share => with(&[], &[("0.5", ""), ("0.8", ""), ("0.9", "")]),
        Kind::Seen if equals => with(&[], &[("never", "has never answered")]),
        Kind::Age | Kind::Seen => with(
            &[],
            &[
                ("1h", "an hour"),
                ("24h", "a day"),
                ("7d", "a week"),
                ("30d", "a month"),
            ],
        ),
        Kind::Day if equals => with(&[], &[("none", "no date")]),
        Kind::Day => with(
            &[],
            &[
                ("0d", "today"),
                ("30d", "30 days from now"),
                ("180d", "180 days from now"),
            ],
        ),
        Kind::Text | Kind::Flag => Vec::new(),
    };
    let part = part.to_lowercase();
    let all = match spans(key.kind, &part) {
        spans if spans.is_empty() || equals => all,
        spans => spans,
    };
    let begins = |(word, _): &&(String, String)| word.to_lowercase().starts_with(&part);
    let holds = |pair: &&(String, String)| {
        !begins(pair) && (pair.0.to_lowercase().contains(&part) || pair.1.to_lowercase().contains(&part))
    };
    let likely = all.iter().filter(begins).chain(all.iter().filter(holds));
    likely
        .take(MOST)
        .map(|(word, note)| Offer {
            insert: format!("{} ", written(word, false, false)),
            note: note.clone(),
        })
        .collect()
}

/// The number that is being written, with each unit it can have; four digits are a year.
fn spans(kind: Kind, part: &str) -> Vec<(String, String)> {
    let unit = part.trim_start_matches(|c: char| c.is_ascii_digit());
    let number = part.strip_suffix(unit).unwrap_or_default();
    if !kind.is_time() || number.is_empty() || number.len() > 3 {
        return Vec::new();
    }
    let fits = |(short, _): &&(&str, &str)| {
        let fine = matches!(*short, "min" | "h");
        short.starts_with(unit) && !(fine && kind == Kind::Day)
    };
    let span = |(short, long): &(&str, &str)| (format!("{number}{short}"), format!("{number} {long}"));
    keys::UNITS.iter().filter(fits).map(span).collect()
}
