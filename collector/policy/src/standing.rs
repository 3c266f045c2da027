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
    let silent = results.iter().any(|result| match result.class {
        ResultClass::NoRuleKnown => true,
        ResultClass::NotBound => undeclared.contains(&result.jurisdiction),
        _ => false,
    });
    let quiet = if maker_known && complete && !silent {
        Standing::Clear
    } else {
        Standing::Unknown
    };
    let opening = results.iter().filter(|result| result.class.opens_finding());
    opening.map(standing_of).min().unwrap_or(quiet)
}

/// What one open result makes of its element; a weak one presses no more than an open question.
fn standing_of(result: &RuleResult) -> Standing {
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
