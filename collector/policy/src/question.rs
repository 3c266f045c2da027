//! What is asked of the policies: for which day, as known when, and what is assumed.
//!
//! Invariant: the day of the law and the day of the knowledge are two days.

use crate::date::PartialDate;
use std::collections::BTreeMap;
use time::Date;

/// Nothing assumed.
static NOTHING: BTreeMap<String, PartialDate> = BTreeMap::new();

/// One question.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The day judged for.
    pub as_of: Date,
    /// What was announced after this day is not looked at; `None` takes all the packs know.
    pub as_known: Option<Date>,
    /// Rules taken as in force from a day on: drafts, expected decisions. Relative deadlines run from it.
    pub assumed: &'a BTreeMap<String, PartialDate>,
    /// Whether rules that name nobody yet (powers, duties for all) are told too; without it only those
    /// that are assumed.
    pub powers: bool,
}

impl Question<'static> {
    /// The law of a day as it was known that day, nothing assumed: what a running collector asks.
    #[must_use]
    pub fn on(as_of: Date) -> Self {
        Self {
            as_of,
            as_known: Some(as_of),
            assumed: &NOTHING,
            powers: false,
        }
    }
}

impl Question<'_> {
    /// The day from which `rule` is assumed to be in force.
    #[must_use]
    pub fn assumed(&self, rule: &str) -> Option<PartialDate> {
        self.assumed.get(rule).copied()
    }
}
