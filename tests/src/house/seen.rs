//! What the collector says, as far as the lab reads it; words and numbers beside are passed over.

use serde::Deserialize;
use std::collections::BTreeMap;

/// What the collector counts.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Summary {
    /// Elements known.
    pub elements: usize,
    /// Of these, answered at least once.
    pub reached: usize,
    /// Of these, with a named maker.
    pub identified: usize,
    /// Components of the units now in place.
    pub components: usize,
    /// Reports durable.
    pub reports: usize,
    /// Findings by state.
    pub findings: BTreeMap<String, usize>,
    /// Open findings by severity.
    pub severity: BTreeMap<String, usize>,
    /// Sequences acknowledged without a row: must be 0.
    pub lost: usize,
    /// Sequences that agents declared lost.
    pub gaps: usize,
    /// What waits before the stages.
    pub pending: Pending,
}

/// How much waits before each stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Pending {
    /// Evidence before identification.
    pub unidentified: usize,
    /// Elements before evaluation.
    pub unevaluated: usize,
}

/// An element as the collector shows it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Seen {
    /// Its declared name.
    pub name: String,
    /// Its site.
    pub site: String,
    /// Who made it; absent is unknown.
    pub maker: Option<String>,
    /// `complete`, `partial` or `unreachable`; absent before the first round.
    pub completeness: Option<String>,
    /// How it stands before the law, in one word.
    pub standing: String,
    /// Open findings.
    pub findings: usize,
    /// Components of its unit.
    pub components: usize,
}

/// One page of elements.
#[derive(Debug, Deserialize)]
pub(super) struct Page {
    pub(super) rows: Vec<Seen>,
    pub(super) next: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_may_say_more_than_is_read() {
        let text = r#"{"elements":1,"reached":1,"identified":0,"components":2,"reports":3,"findings":{"open":4},
            "severity":{},"lost":0,"gaps":5,"pending":{"unidentified":0,"unevaluated":1},"standing":{"clear":1}}"#;
        let summary: Summary = serde_json::from_str(text).unwrap();
        assert_eq!((summary.findings["open"], summary.pending.unevaluated), (4, 1));
    }
}
