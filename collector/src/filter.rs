//! The one line that says which rows of a list are meant.
//!
//! `maker:huawei site:ber* confidence<0.9 -waived` reads: a word before a colon or a comparison is a key, a repeated
//! key means "or", different keys and comparisons mean "and", `-` means "not", `*` at the end means "beginning so",
//! words without a key are looked for in names and addresses.
//!
//! Invariants: pure and total; what is not understood is refused with its place, what is wrong and what is allowed,
//! and never left out; a line that was read, written down and read again is the same.

pub mod keys;
pub mod read;
pub mod meaning;
pub mod complete;
#[cfg(test)]
mod tests;

use keys::{Key, Kind};
use std::fmt;
use std::ops::Range;

/// Longest line, in octets.
pub const MAX_LINE: usize = 2_000;
/// Most terms of a line.
pub const MAX_TERMS: usize = 96;

/// Whose rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// Findings.
    Findings,
    /// Elements.
    Elements,
}

impl Subject {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Findings, Self::Elements];

    /// The word in addresses and in the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Findings => "findings",
            Self::Elements => "elements",
        }
    }

    /// The one of this word.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|subject| subject.as_str() == word)
    }
}

/// A line, understood.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line {
    /// Its terms, in the order written.
    pub terms: Vec<Term>,
}

/// One condition of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// Whether it is not to hold.
    pub not: bool,
    /// What it speaks of; [`None`] for words looked for anywhere.
    pub key: Option<&'static Key>,
    /// How it compares.
    pub op: Op,
    /// With what; empty for a key that stands alone.
    pub value: String,
    /// Whether that is only the beginning.
    pub begins: bool,
}

/// How a term compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// `:`
    Is,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    More,
    /// `>=`
    AtLeast,
}

impl Op {
    /// As written; the longer ones first, as they are to be tried.
    pub const ALL: [(&'static str, Self); 6] = [
        ("<=", Self::AtMost),
        (">=", Self::AtLeast),
        ("<", Self::Less),
        (">", Self::More),
        (":", Self::Is),
        ("=", Self::Is),
    ];

    /// As written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Is => ":",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::More => ">",
            Self::AtLeast => ">=",
        }
    }
}

/// What is wrong with a line, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Mistake {
    /// Octets of the line it is about; empty at the end of the line.
    pub at: Range<usize>,
    /// What is wrong, for people.
    pub what: String,
    /// What would be right, for people.
    pub allowed: String,
}

impl Line {
    /// Reads a line.
    ///
    /// # Errors
    /// [`Mistake`] for the first thing not understood.
    pub fn read(subject: Subject, text: &str) -> Result<Self, Mistake> {
        read::line(subject, text, false)
    }

    /// Reads a line that is asked of a day that is over.
    ///
    /// # Errors
    /// The same, and for a key of which nobody keeps how it was.
    pub fn read_then(subject: Subject, text: &str) -> Result<Self, Mistake> {
        read::line(subject, text, true)
    }

    /// Whether it keeps everything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Whether this word of this key is asked for.
    #[must_use]
    pub fn has(&self, key: &str, value: &str) -> bool {
        self.terms.iter().any(|term| term.says(key, value))
    }

    /// The same without the term of this number.
    #[must_use]
    pub fn without(&self, number: usize) -> Self {
        let others = self.terms.iter().enumerate().filter(|(n, _)| *n != number);
        Self {
            terms: others.map(|(_, term)| term.clone()).collect(),
        }
    }

    /// The same with this word of this key asked for, or no longer.
    #[must_use]
    pub fn toggled(&self, subject: Subject, key: &str, value: &str) -> Self {
        let mut terms = self.terms.clone();
        terms.retain(|term| !term.says(key, value));
        if terms.len() == self.terms.len() {
            terms.extend(read::term(subject, key, value));
        }
        Self { terms }
    }
}

impl Term {
    /// Whether it asks for this word of this key.
    fn says(&self, key: &str, value: &str) -> bool {
        let named = self.key.is_some_and(|known| known.name == key);
        named && !self.not && !self.begins && self.op == Op::Is && self.value == value
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, term) in self.terms.iter().enumerate() {
            if position > 0 {
                f.write_str(" ")?;
            }
            write!(f, "{term}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.not {
            f.write_str("-")?;
        }
        match self.key {
            Some(key) if key.kind == Kind::Flag => return f.write_str(key.name),
            Some(key) => write!(f, "{}{}", key.name, self.op.as_str())?,
            None => {}
        }
        let free = self.key.is_none();
        f.write_str(&written(&self.value, free, self.begins))?;
        f.write_str(if self.begins { "*" } else { "" })
    }
}

/// A value as it can be read again: in quotes where it must be.
#[must_use]
pub fn written(value: &str, free: bool, begins: bool) -> String {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | '+' | '@');
    let empty = value.is_empty() && (free || !begins);
    let looks_otherwise = free && (value.starts_with('-') || keys::is_flag(value));
    if value.chars().all(plain) && !empty && !looks_otherwise {
        return value.to_owned();
    }
    let escaped: String = value
        .chars()
        .flat_map(|c| match c {
            '"' | '\\' => vec!['\\', c],
            c => vec![c],
        })
        .collect();
    format!("\"{escaped}\"")
}
