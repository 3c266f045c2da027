//! One asset judged by the law of one jurisdiction: every rule that concerns it, in one word each.
//!
//! Invariant: no evaluator of its own; it asks [`evaluate`] and keeps one word a rule.

use crate::evaluate::{Situation, evaluate};
use crate::facts::{Facts, FactsError};
use crate::policies::Policies;
use crate::question::Question;
use model::{ResultClass, RuleResult};
use serde::Serialize;
use std::collections::BTreeMap;

/// The key under which a jurisdiction without packs answers.
pub const EVERY_RULE: &str = "*";

/// What one rule says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// The class.
    pub class: ResultClass,
    /// The date that goes with it, as exact as its source.
    pub date: Option<String>,
    /// Why, in plain words.
    pub why: String,
}

/// What every rule that concerns the asset says of it.
///
/// # Errors
/// [`FactsError`] naming what of the facts cannot be meant.
pub fn judge(
    facts: &Facts,
    policies: &Policies,
    question: &Question<'_>,
) -> Result<BTreeMap<String, Verdict>, FactsError> {
    let (place, part) = facts.read(policies)?;
    let question = Question {
        powers: true,
        ..*question
    };
    let parts = [part];
    let situation = Situation {
        place: &place,
        parts: &parts,
    };
    let without_packs = place
        .jurisdictions
        .iter()
        .all(|code| policies.pack(code).is_none());
    let results = evaluate(&situation, policies, &question).into_iter();
    Ok(results
        .map(|result| {
            let key = if without_packs {
                EVERY_RULE.to_owned()
            } else {
                result.rule.clone()
            };
            (key, verdict(result))
        })
        .collect())
}

fn verdict(result: RuleResult) -> Verdict {
    // The last line of the explanation is the verdict: it goes first here.
    let mut lines = result.explanation;
    let last = lines.pop();
    let words: Vec<String> = last.into_iter().chain(lines).collect();
    Verdict {
        class: result.class,
        date: result.deadline,
        why: words.join(". "),
    }
}

#[cfg(test)]
mod properties;
