//! Texts of packs, and where in them a mistake stands.
//!
//! Invariant: an error names file, line, column and key, and says what to do.

use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

/// Why a set of packs does not load. Nothing of it is used then.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// A file does not say what a pack must say; correct it at this place.
    #[error("{file}:{line}:{column}: {key}: {hint}")]
    Invalid {
        /// Name of the file.
        file: String,
        /// Line, from 1.
        line: usize,
        /// Column, from 1, in characters.
        column: usize,
        /// The key or rule in question.
        key: String,
        /// What is wrong and what would be right.
        hint: String,
    },
    /// The set as a whole lacks something.
    #[error("{0}")]
    Incomplete(String),
}

/// One file: its name and text.
pub type Text = (String, String);

pub(super) fn digest(texts: &[Text]) -> String {
    let mut hash = Sha256::new();
    for (name, text) in texts {
        for part in [name, text] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
    }
    hex::encode(hash.finalize()).chars().take(16).collect()
}

pub(super) fn parse<T: DeserializeOwned>(text: &Text) -> Result<T, PackError> {
    toml::from_str(&text.1).map_err(|error| {
        let offset = error.span().map_or(0, |span| span.start);
        let value = text.1.get(offset..).unwrap_or_default();
        let digits = value
            .find(|c: char| !c.is_ascii_digit() && c != '-')
            .unwrap_or(value.len());
        // TOML has dates of its own, which know no month without a day.
        let bare_date = matches!(digits, 4 | 7 | 10) && error.message().contains("expected a string");
        let hint = if bare_date {
            "a date stands between quotes, as exact as its source: \"2024\", \"2024-07\" or \"2024-07-11\""
        } else {
            error.message()
        };
        at(text, offset, &key_at(&text.1, offset), hint)
    })
}

/// The key of the line at `offset`, or the line itself where it is a header.
fn key_at(text: &str, offset: usize) -> String {
    let start = text
        .get(..offset)
        .and_then(|before| before.rfind('\n'))
        .map_or(0, |newline| newline + 1);
    let line = text
        .get(start..)
        .unwrap_or_default()
        .lines()
        .next()
        .unwrap_or_default();
    line.split('=')
        .next()
        .unwrap_or_default()
        .trim()
        .chars()
        .take(60)
        .collect()
}

/// An error at `needle` after the key's first mention.
pub(super) fn invalid(text: &Text, key: &str, needle: &str, hint: &str) -> PackError {
    let start = text.1.find(&format!("\"{key}\"")).unwrap_or(0);
    let offset = text
        .1
        .get(start..)
        .and_then(|rest| rest.find(needle))
        .map_or(start, |found| start + found);
    at(text, offset, key, hint)
}

pub(super) fn invalid_last(text: &Text, key: &str, hint: &str) -> PackError {
    at(text, text.1.rfind(&format!("\"{key}\"")).unwrap_or(0), key, hint)
}

fn at(text: &Text, offset: usize, key: &str, hint: &str) -> PackError {
    let before = text.1.get(..offset).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    PackError::Invalid {
        file: text.0.clone(),
        line: before.matches('\n').count() + 1,
        column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
        key: key.to_owned(),
        hint: hint.to_owned(),
    }
}
