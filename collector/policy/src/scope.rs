//! Who is bound, and what the operator declares against what a rule asks.
//!
//! Invariant: a fact about the thing that nobody declared makes the answer unknown,
//! never no. Who is bound is asked otherwise: a rule binds whoever declares its
//! tag and nobody else, so that an operator is not asked about every law there is.
//! That answer rests on nothing where the operator declares no tag of the pack at
//! all; [`Policies::undeclared`](crate::Policies::undeclared) tells where, and
//! [`standing`](crate::standing) calls nothing clear there.
//!
//! Tags of a place that settle an answer:
//!
//! | Tag | Settles |
//! |---|---|
//! | the tags of [`Bound`](crate::pack::Bound), e.g. `de_contract_operator` | who is bound |
//! | `critical_component`, `essential_component` | the level of the whole unit |
//! | `site:government_sensitive_site`, `critical_part`, … | a fact a rule needs |
//! | `not:` before any of these, e.g. `not:critical_component` | that it does not hold |
//! | `purpose:public_safety`, `purpose:other`, … | purpose limits |
//! | `manages:ran`, `manages:transport`, … | which network a management system serves |
//! | `evolves_to:5G` | that an older network grows into a newer one |
//! | `band:3.5GHz`, `produced_in:TW` | the radio band, the country of production |
//! | `consumer_grade_router`, … | the class of product |
//! | `area:…` | the area, as an approval on file names it |
//! | `exempt:…` | that an exception of a rule is claimed |
//! | `approved:RULE` or `approved:RULE:2030-06-30` | that an approval is on file, and until when |

use crate::pack::Rule;
use model::Place;

/// The answer to one question, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The answer.
    pub holds: Holds,
    /// Why, one sentence each.
    pub words: Vec<String>,
    /// Whether it rests on a presumption of the pack.
    pub presumed: bool,
}

/// Yes, no, or nobody has declared it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// It does.
    Yes,
    /// It does not.
    No,
    /// Nobody has declared it.
    Unknown,
}

impl Answer {
    pub(crate) fn new() -> Self {
        Self {
            holds: Holds::Yes,
            words: Vec::new(),
            presumed: false,
        }
    }

    /// Adds one more condition: a single no wins, then a single unknown.
    pub(crate) fn and(&mut self, holds: Holds, words: String) {
        self.holds = match (self.holds, holds) {
            (Holds::No, _) | (_, Holds::No) => Holds::No,
            (Holds::Unknown, _) | (_, Holds::Unknown) => Holds::Unknown,
            _ => Holds::Yes,
        };
        self.words.push(words);
    }
}

/// Whether the rule binds the operator of this place.
#[must_use]
pub fn bound(rule: &Rule, place: &Place) -> Answer {
    let mut answer = Answer::new();
    if rule.bound.tags.is_empty() && rule.bound.words == "nobody" {
        answer.and(Holds::Yes, "Bound: nobody".to_owned());
    } else if rule.bound.tags.is_empty() {
        answer.and(
            Holds::Yes,
            format!("Bound: addressed to nobody in particular ({})", rule.bound.words),
        );
    } else if let Some(tag) = rule.bound.tags.iter().find(|tag| place.tags.contains(*tag)) {
        answer.and(
            Holds::Yes,
            format!("Bound: you declared tag {tag} ({})", rule.bound.words),
        );
    } else {
        let (denied, open): (Vec<&str>, Vec<&str>) = rule
            .bound
            .tags
            .iter()
            .map(String::as_str)
            .partition(|tag| declared(place, tag) == Holds::No);
        let mut words = format!("Bound: it binds {}", rule.bound.words);
        if !denied.is_empty() {
            words.push_str(&format!("; you declared not:{}", denied.join(", not:")));
        }
        if !open.is_empty() {
            words.push_str(&format!("; if that is you, declare tag {}", open.join(" or ")));
        }
        answer.and(Holds::No, words);
    }
    answer
}

/// Whether a place bears `fact`, bears `not:fact`, or neither.
pub(crate) fn declared(place: &Place, fact: &str) -> Holds {
    if place.tags.contains(fact) {
        Holds::Yes
    } else if place
        .tags
        .iter()
        .any(|tag| tag.strip_prefix("not:") == Some(fact))
    {
        Holds::No
    } else {
        Holds::Unknown
    }
}
