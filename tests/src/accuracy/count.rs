//! Right, wrong, unknown; and how restricted makers fared.

use super::{Judged, Verdict};
use serde::Serialize;
use std::collections::BTreeSet;

/// How many of some elements came out how.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Counts {
    /// Elements.
    pub elements: usize,
    /// The maker of the label, or none where nobody could tell one; those right by their brand too.
    pub right: usize,
    /// Of those right, the ones whose label names the brand: the answer has that brand, and another maker.
    pub right_by_brand: usize,
    /// Another maker.
    pub wrong: usize,
    /// No maker, though the label has one.
    pub unknown: usize,
    /// Shares of the elements.
    pub right_share: f64,
    /// Share of another maker.
    pub wrong_share: f64,
    /// Share of no maker.
    pub unknown_share: f64,
}

impl Counts {
    /// Of judged elements.
    #[must_use]
    pub fn of<'a>(judged: impl Iterator<Item = &'a Judged<'a>>) -> Self {
        let mut counts = Self::default();
        for judged in judged {
            counts.add(judged.verdict);
        }
        counts.shared()
    }

    pub(super) fn add(&mut self, verdict: Verdict) {
        self.elements += 1;
        match verdict {
            Verdict::Right => self.right += 1,
            Verdict::Brand => {
                self.right += 1;
                self.right_by_brand += 1;
            }
            Verdict::Wrong => self.wrong += 1,
            Verdict::Unknown => self.unknown += 1,
        }
    }

    pub(super) fn shared(self) -> Self {
        Self {
            right_share: share(self.right, self.elements),
            wrong_share: share(self.wrong, self.elements),
            unknown_share: share(self.unknown, self.elements),
            ..self
        }
    }
}

/// Makers that laws restrict.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Restricted {
    /// Elements of restricted makers.
    pub elements: usize,
    /// Elements said to be of a restricted maker.
    pub said: usize,
    /// Those of both that are right.
    pub right: usize,
    /// Share of what was said that is right; 1 when nothing was said.
    pub precision: f64,
    /// Share of the elements that were found.
    pub recall: f64,
}

/// One set of elements.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Rows {
    /// All of them.
    #[serde(flatten)]
    pub all: Counts,
    /// Restricted makers (`1` in the labels).
    pub restricted: Restricted,
    /// Elements nobody can tell the maker of.
    pub generic_hosts: usize,
    /// Those of them that were given a maker.
    pub generic_hosts_asserted: usize,
}

impl Rows {
    /// Of judged elements, with the keys of restricted makers.
    #[must_use]
    pub fn of(judged: &[Judged<'_>], makers: &BTreeSet<String>) -> Self {
        let mut rows = Self {
            all: Counts::of(judged.iter()),
            ..Self::default()
        };
        for judged in judged {
            let maker = judged.found.maker.as_ref();
            let said = maker.is_some_and(|maker| makers.contains(&maker.supplier.id));
            let right = said && judged.verdict == Verdict::Right;
            rows.restricted.elements += usize::from(judged.label.is_restricted());
            rows.restricted.said += usize::from(said);
            rows.restricted.right += usize::from(right);
            rows.generic_hosts += usize::from(judged.label.is_generic());
            rows.generic_hosts_asserted += usize::from(judged.label.is_generic() && maker.is_some());
        }
        let found = rows.restricted;
        rows.restricted.precision = if found.said == 0 {
            1.0
        } else {
            share(found.right, found.said)
        };
        rows.restricted.recall = share(found.right, found.elements);
        rows
    }
}

/// A part of a whole, to four digits; 0 of nothing.
pub(super) fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    (real(part) / real(whole) * 10_000.0).round() / 10_000.0
}

/// A count as a real number.
pub(super) fn real(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
