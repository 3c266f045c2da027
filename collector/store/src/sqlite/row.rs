//! Words and JSON of the rows, read back into the types of the house.

use crate::StoreError;
use crate::record::place;
use model::{Completeness, Digest, Instant, Role, SiteName};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::Row as _;
use std::collections::BTreeSet;
use std::str::FromStr;

/// JSON for a column. The types written here hold no maps with odd keys, so this cannot fail in practice.
pub fn json<T: Serialize>(value: &T, what: &'static str) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|_| StoreError::Damaged(what))
}

/// A JSON column.
pub fn from_json<T: DeserializeOwned>(text: &str, what: &'static str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|_| StoreError::Damaged(what))
}

/// A column that holds a word or key of one of our types.
pub fn word<T: FromStr>(text: &str, what: &'static str) -> Result<T, StoreError> {
    text.parse().map_err(|_| StoreError::Damaged(what))
}

/// [`place`] of a row of the table of elements.
pub fn place_of(r: &sqlx::sqlite::SqliteRow) -> Result<String, StoreError> {
    Ok(place(r.try_get("address")?, r.try_get("context")?))
}

/// A digest column.
pub fn digest(text: &str) -> Result<Digest, StoreError> {
    Digest::from_hex(text).ok_or(StoreError::Damaged("digest"))
}

/// An optional digest column.
pub fn maybe_digest(text: Option<String>) -> Result<Option<Digest>, StoreError> {
    text.as_deref().map(digest).transpose()
}

/// A site column.
pub fn site(text: String) -> Result<SiteName, StoreError> {
    SiteName::try_from(text).map_err(|_| StoreError::Damaged("site"))
}

/// An optional role column.
pub fn role(text: Option<String>) -> Result<Option<Role>, StoreError> {
    text.as_deref().map(|t| word(t, "role")).transpose()
}

/// A completeness word.
pub fn completeness(text: &str) -> Result<Completeness, StoreError> {
    match text {
        "complete" => Ok(Completeness::Complete),
        "partial" => Ok(Completeness::Partial),
        "unreachable" => Ok(Completeness::Unreachable),
        _ => Err(StoreError::Damaged("completeness")),
    }
}

/// The word of a completeness.
pub fn completeness_word(completeness: Completeness) -> &'static str {
    match completeness {
        Completeness::Complete => "complete",
        Completeness::Partial => "partial",
        Completeness::Unreachable => "unreachable",
    }
}

/// Words with blanks between them.
pub fn set(text: &str) -> BTreeSet<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// Blanks between words; a word never holds one (checked where declarations are read).
pub fn join(words: &BTreeSet<String>) -> String {
    words.iter().map(String::as_str).collect::<Vec<_>>().join(" ")
}

/// A count of rows.
pub fn count(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}

/// An unsigned number of ours in a signed column.
pub fn signed(n: u64) -> Result<i64, StoreError> {
    i64::try_from(n).map_err(|_| StoreError::Damaged("sequence"))
}

/// An optional instant.
pub fn instant(micros: Option<i64>) -> Option<Instant> {
    micros.map(Instant)
}
