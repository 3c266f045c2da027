//! An honest look at makers nobody curated: each maker of the labels once without its curated facts.
//!
//! What is left are both registries and the general rules. Names then are those of the registries, so
//! they are compared by their words: `Acme Networks` and `Acme` are one.

use super::label::letters;
use super::{Bin, Counts, Label, Labels, Verdict, tenths};
use identify::{Knowledge, KnowledgeError, identify};
use model::Evidence;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// All makers, each withheld in turn.
#[derive(Debug, Serialize)]
pub struct Withheld {
    /// Makers of the labels that have curated facts.
    pub makers: usize,
    /// Their elements, sysObjectID and sysDescr alone.
    #[serde(flatten)]
    pub counts: Counts,
    /// Elements given a restricted maker that is not theirs.
    pub false_alarms: usize,
    /// Share right by stated confidence.
    pub reliability: Vec<Bin>,
    /// Label and answer of those that are wrong.
    #[serde(skip)]
    pub wrong: Vec<String>,
}

/// Withholds each maker in turn and identifies its elements.
///
/// # Errors
/// [`KnowledgeError`] when built-in files are malformed.
pub(super) fn measure(
    labels: &Labels,
    strings: &[(&Label, Evidence)],
    knowledge: &Knowledge,
) -> Result<Withheld, KnowledgeError> {
    let mut makers: BTreeMap<BTreeSet<String>, Vec<&(&Label, Evidence)>> = BTreeMap::new();
    for row in strings.iter().filter(|(label, _)| !label.is_generic()) {
        let curated: BTreeSet<String> = row
            .0
            .names()
            .filter_map(|name| knowledge.supplier_called(name))
            .map(|supplier| supplier.id)
            .collect();
        if !curated.is_empty() {
            makers.entry(curated).or_default().push(row);
        }
    }
    let restricted = labels.restricted(knowledge);
    let mut measured = Withheld {
        makers: makers.len(),
        counts: Counts::default(),
        false_alarms: 0,
        reliability: Vec::new(),
        wrong: Vec::new(),
    };
    let mut answers = Vec::new();
    for (curated, rows) in &makers {
        let without = Knowledge::withholding(curated)?;
        for (label, evidence) in rows.iter().copied() {
            let found = identify(evidence, &without);
            let name = found.maker.as_ref().map(|maker| maker.supplier.name.as_str());
            let verdict = match name {
                None => Verdict::Unknown,
                Some(name) if label.names().any(|truth| alike(truth, name)) => Verdict::Right,
                Some(_) => Verdict::Wrong,
            };
            measured.counts.add(verdict);
            let stated = found.maker.as_ref().map(|maker| maker.confidence);
            answers.extend(stated.map(|stated| (stated, verdict == Verdict::Right)));
            if verdict == Verdict::Wrong {
                let id = found.maker.as_ref().map(|maker| maker.supplier.id.as_str());
                measured.false_alarms += usize::from(id.is_some_and(|id| restricted.contains(id)));
                measured.wrong.push(format!(
                    "withheld Wrong: {}: {} is not {}; {}; {}",
                    label.path,
                    name.unwrap_or_default(),
                    label.truth,
                    label.object_id,
                    label.descr.chars().take(60).collect::<String>()
                ));
            }
        }
    }
    measured.counts = measured.counts.shared();
    measured.reliability = tenths(answers.into_iter());
    Ok(measured)
}

/// Whether two spellings begin with the same word, or one holds all letters of the other at its start.
fn alike(a: &str, b: &str) -> bool {
    let first = |name: &str| {
        name.split(|c: char| !c.is_alphanumeric())
            .find(|word| !word.is_empty())
            .map(letters)
    };
    let (left, right) = (letters(a), letters(b));
    first(a) == first(b) || left.starts_with(&right) || right.starts_with(&left)
}
