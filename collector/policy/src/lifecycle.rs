//! The life of a finding: which step new facts cause.
//!
//! Invariants: an operator's state (acknowledged, assigned, waived) changes no
//! step but that a closed finding opens again. Incomplete evidence may open or
//! change a finding, never close one.

use model::{FindingState, ResultClass};

/// What a new set of results does to one finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// There was none, and the rule is met: open one.
    Open,
    /// It was closed, and the rule is met again: open it again.
    Reopen,
    /// It lives on under a more urgent class.
    Worsen,
    /// It lives on under a less urgent class.
    Ease,
    /// Nothing changes.
    Keep,
    /// The rule is no longer met: close it.
    Close,
}

/// The step from `before` (state and class of the finding, if there is one) to
/// the class of the new result (`None` when the rule no longer speaks), given
/// whether the evidence was complete.
#[must_use]
pub fn step(before: Option<(FindingState, ResultClass)>, now: Option<ResultClass>, complete: bool) -> Step {
    let now = now.filter(|class| class.opens_finding());
    match (before, now) {
        (None, None) | (Some((FindingState::Closed, _)), None) => Step::Keep,
        (None, Some(_)) => Step::Open,
        (Some((FindingState::Closed, _)), Some(_)) => Step::Reopen,
        (Some(_), None) if complete => Step::Close,
        (Some(_), None) => Step::Keep,
        (Some((_, was)), Some(class)) if class < was => Step::Worsen,
        (Some((_, was)), Some(class)) if class > was => Step::Ease,
        (Some(_), Some(_)) => Step::Keep,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use FindingState as S;
    use ResultClass as C;

    #[test]
    fn facts_open_change_and_close() {
        for (before, now, complete, expected) in [
            (None, None, true, Step::Keep),
            (None, Some(C::NotBound), true, Step::Keep),
            (None, Some(C::WhatIf), true, Step::Keep),
            (None, Some(C::Due), false, Step::Open),
            (Some((S::Assigned, C::Due)), Some(C::Overdue), true, Step::Worsen),
            (Some((S::Waived, C::Overdue)), Some(C::Due), true, Step::Ease),
            (Some((S::Open, C::Due)), Some(C::Due), false, Step::Keep),
            (Some((S::Open, C::Due)), None, false, Step::Keep),
            (Some((S::Open, C::Due)), None, true, Step::Close),
            (Some((S::Waived, C::Due)), Some(C::NotBound), true, Step::Close),
            (Some((S::Closed, C::Due)), None, true, Step::Keep),
            (Some((S::Closed, C::Due)), Some(C::Due), true, Step::Reopen),
        ] {
            assert_eq!(
                step(before, now, complete),
                expected,
                "{before:?} {now:?} {complete}"
            );
        }
    }
}
