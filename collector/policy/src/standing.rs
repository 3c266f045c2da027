//! The one word for an element, out of everything the rules say about it.
//!
//! Invariant: silence is not compliance: unknown maker, incomplete evidence and
//! undeclared facts are unknown, never clear.

use crate::evaluate::WEAK;
use crate::policies::Policies;
use model::{Place, ResultClass, RuleResult, Standing};

/// The one word for an element: its most urgent result. Clear only if the maker
/// is known, the evidence complete, every jurisdiction has rules, and no result
/// stays open; anything less is unknown. Nor is it clear where rules bind nobody
/// only because the operator declares nothing about that jurisdiction.
#[must_use]
pub fn standing(
    place: &Place,
    policies: &Policies,
    results: &[RuleResult],
    maker_known: bool,
    complete: bool,
) -> Standing {
    let undeclared = policies.undeclared(&place.tags, &place.jurisdictions);
    let said = results.iter().map(|result| Heard {
        class: result.class,
        confidence: result.confidence,
        jurisdiction: &result.jurisdiction,
    });
    let asks_in_vain = |code: &str| undeclared.iter().any(|undeclared| undeclared == code);
    of_all(asks_in_vain, said, maker_known, complete)
}

/// As much of a result as its element's standing depends on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Heard<'a> {
    pub(crate) class: ResultClass,
    pub(crate) confidence: f64,
    pub(crate) jurisdiction: &'a str,
}

/// [`standing`], given whether the operator declares nothing about a jurisdiction that asks.
pub(crate) fn of_all<'a>(
    asks_in_vain: impl Fn(&str) -> bool,
    said: impl Iterator<Item = Heard<'a>>,
    maker_known: bool,
    complete: bool,
) -> Standing {
    let mut quiet = if maker_known && complete {
        Standing::Clear
    } else {
        Standing::Unknown
    };
    let mut open = None;
    for one in said {
        let silent = match one.class {
            ResultClass::NoRuleKnown => true,
            ResultClass::NotBound => asks_in_vain(one.jurisdiction),
            _ => false,
        };
        if silent {
            quiet = Standing::Unknown;
        }
        if one.class.opens_finding() {
            let standing = standing_of(one);
            open = Some(open.map_or(standing, |open: Standing| open.min(standing)));
        }
    }
    open.unwrap_or(quiet)
}

/// What one open result makes of its element; a weak one presses no more than an open question.
fn standing_of(result: Heard<'_>) -> Standing {
    use ResultClass as C;
    let sure = match result.class {
        C::Violation => Standing::Violation,
        C::Overdue => Standing::Overdue,
        C::Due => Standing::Due,
        C::OverCap | C::ApprovalMissing | C::NoNew => Standing::Restricted,
        C::Review | C::Watch => Standing::Watch,
        _ => Standing::Undecided,
    };
    if result.confidence < WEAK {
        sure.max(Standing::Undecided)
    } else {
        sure
    }
}
