//! The filter form of a page that is no list of findings or elements, filled from the URL and written back to it.
//!
//! Invariant: what the URL filters is visible, as a chip that takes it away.

use super::show;
use crate::api::query::Query;

/// The filter of a page whose parameters are not a line of lists.
#[derive(Debug)]
pub struct Narrow {
    /// The page it belongs to.
    pub path: &'static str,
    /// Choices of words.
    pub picks: Vec<Pick>,
    /// Keys to type.
    pub entries: Vec<Entry>,
    /// Free text.
    pub text: String,
    /// What the free text looks into.
    pub hint: &'static str,
    /// Rows a page, if the URL says so.
    pub limit: String,
    /// The filters set.
    pub chips: Vec<Chip>,
}

/// Words of which several may be chosen.
#[derive(Debug)]
pub struct Pick {
    /// Query parameter.
    pub key: &'static str,
    /// For people.
    pub label: &'static str,
    /// How many are chosen.
    pub chosen: usize,
    /// The words.
    pub choices: Vec<Choice>,
}

/// One word.
#[derive(Debug)]
pub struct Choice {
    /// The word in the URL.
    pub word: String,
    /// The word for people.
    pub label: String,
    /// Whether it is chosen.
    pub chosen: bool,
}

/// A key to type, with suggestions.
#[derive(Debug)]
pub struct Entry {
    /// Query parameter.
    pub key: &'static str,
    /// For people.
    pub label: &'static str,
    /// The first one set.
    pub value: String,
    /// Further ones set, kept as they are.
    pub others: Vec<String>,
    /// Suggestions.
    pub options: Vec<String>,
}

/// One filter that is set.
#[derive(Debug)]
pub struct Chip {
    /// Query parameter.
    pub key: String,
    /// Its value for people.
    pub value: String,
    /// The page without it.
    pub drop: String,
}

impl Narrow {
    /// The form of `path` as `query` fills it.
    #[must_use]
    pub fn new(path: &'static str, query: &Query, hint: &'static str) -> Self {
        let chip = |(key, value): (&str, &str)| Chip {
            key: show::words(key),
            value: show::clean(&show::words(value), 60),
            drop: query.without(key, value).link(path),
        };
        Self {
            path,
            picks: Vec::new(),
            entries: Vec::new(),
            text: query.one("text").to_owned(),
            hint,
            limit: query.one("limit").to_owned(),
            chips: query.filters().map(chip).collect(),
        }
    }

    /// Adds a choice of words.
    #[must_use]
    pub fn pick(
        mut self,
        query: &Query,
        key: &'static str,
        label: &'static str,
        words: impl Iterator<Item = String>,
    ) -> Self {
        let choices: Vec<_> = words
            .map(|word| Choice {
                label: show::words(&word),
                chosen: query.has(key, &word),
                word,
            })
            .collect();
        self.picks.push(Pick {
            key,
            label,
            chosen: query.all(key).count(),
            choices,
        });
        self
    }

    /// Adds a key to type.
    #[must_use]
    pub fn entry(
        mut self,
        query: &Query,
        key: &'static str,
        label: &'static str,
        options: Vec<String>,
    ) -> Self {
        let mut values = query.all(key).map(str::to_owned);
        self.entries.push(Entry {
            key,
            label,
            value: values.next().unwrap_or_default(),
            others: values.collect(),
            options,
        });
        self
    }
}
