//! Steps, causes and endings, as tables.

use super::*;
use Cause as W;
use FindingState as S;
use ResultClass as C;
use model::{Completeness, Digest};

fn life(state: S, ending: Option<Ending>) -> Life {
    Life {
        state,
        ending,
        ..Life::new()
    }
}

fn inputs() -> Inputs {
    Inputs {
        digest: Some(Digest([1; 32])),
        partial: None,
        latest: Some(Completeness::Complete),
        knowledge: "k1".into(),
        policies: "p1".into(),
        facts: "f1".into(),
        as_of: "2026-11-25".into(),
    }
}

fn other(change: impl FnOnce(&mut Inputs)) -> Inputs {
    let mut inputs = inputs();
    change(&mut inputs);
    inputs
}

#[test]
fn facts_open_change_and_close() {
    for (before, class, complete, expected) in [
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
        let same = inputs();
        let found = before.map(|(state, class)| (life(state, None), class));
        let known = found.as_ref().map(|(life, class)| Before {
            life,
            class: *class,
            inputs: &same,
            answered_since: true,
        });
        let now = Now {
            inputs: &same,
            complete,
        };
        assert_eq!(
            step(known, class, now),
            expected,
            "{before:?} {class:?} {complete}"
        );
    }
}

#[test]
fn without_a_complete_walk_only_something_else_than_the_network_closes() {
    let before = inputs();
    for (now, expected) in [
        (inputs(), Step::Keep),
        (other(|i| i.latest = Some(Completeness::Unreachable)), Step::Keep),
        (other(|i| i.latest = Some(Completeness::Partial)), Step::Keep),
        (other(|i| i.partial = Some(Digest([2; 32]))), Step::Keep),
        (other(|i| i.digest = Some(Digest([2; 32]))), Step::Keep),
        (other(|i| i.digest = None), Step::Keep),
        (other(|i| i.policies = "p2".into()), Step::Close),
        (other(|i| i.knowledge = "k2".into()), Step::Close),
        (other(|i| i.facts = "f2".into()), Step::Close),
        (other(|i| i.as_of = "2026-11-26".into()), Step::Close),
        (
            other(|i| {
                i.policies = "p2".into();
                i.latest = Some(Completeness::Unreachable);
            }),
            Step::Keep,
        ),
    ] {
        let life = life(S::Open, None);
        let known = Before {
            life: &life,
            class: C::Due,
            inputs: &before,
            answered_since: true,
        };
        let rests = Now {
            inputs: &now,
            complete: false,
        };
        assert_eq!(step(Some(known), None, rests), expected, "{now:?}");
    }
}

#[test]
fn what_was_confirmed_as_gone_opens_again_only_when_it_answers() {
    let same = inputs();
    for (ending, answered_since, expected) in [
        (Some(Ending::Confirmed), false, Step::Keep),
        (Some(Ending::Confirmed), true, Step::Reopen),
        (Some(Ending::Swapped), false, Step::Reopen),
        (None, false, Step::Reopen),
    ] {
        let life = life(S::Closed, ending);
        let known = Before {
            life: &life,
            class: C::Overdue,
            inputs: &same,
            answered_since,
        };
        let now = Now {
            inputs: &same,
            complete: false,
        };
        assert_eq!(step(Some(known), Some(C::Overdue), now), expected, "{ending:?}");
    }
}

#[test]
fn causes_are_the_versions_that_differ() {
    let before = inputs();
    for (now, expected, words) in [
        (inputs(), vec![], ""),
        (
            other(|i| i.digest = Some(Digest([2; 32]))),
            vec![W::Network],
            "evidence 010101010101 → 020202020202",
        ),
        (
            other(|i| i.partial = Some(Digest([2; 32]))),
            vec![W::Network],
            "partial evidence none → 020202020202",
        ),
        (
            other(|i| i.latest = Some(Completeness::Unreachable)),
            vec![W::Network],
            "last round complete → unreachable",
        ),
        (
            other(|i| i.knowledge = "k2".into()),
            vec![W::Knowledge],
            "knowledge k1 → k2",
        ),
        (other(|i| i.policies = "p2".into()), vec![W::Law], "packs p1 → p2"),
        (
            other(|i| i.facts = "f2".into()),
            vec![W::Declaration],
            "declared facts f1 → f2",
        ),
        (
            other(|i| i.as_of = "2026-11-26".into()),
            vec![W::Time],
            "day 2026-11-25 → 2026-11-26",
        ),
        (
            other(|i| (i.policies, i.as_of) = ("p2".into(), "2026-11-26".into())),
            vec![W::Law, W::Time],
            "packs p1 → p2; day 2026-11-25 → 2026-11-26",
        ),
    ] {
        assert_eq!(causes(Some(&before), &now), expected);
        assert_eq!(grounds(&before, &now), words);
    }
    assert_eq!(causes(None, &before), [W::Network]);
    // What an earlier version of the program did not write down is not held against anyone.
    let earlier = other(|i| (i.facts, i.latest) = (String::new(), None));
    assert_eq!(causes(Some(&earlier), &before), []);
    assert_eq!(grounds(&earlier, &before), "");
}

#[test]
fn only_proof_counts_as_removed() {
    let proof = |complete, other_unit, part_gone, like_part| Proof {
        complete,
        other_unit,
        part_gone,
        like_part,
    };
    for (shown, expected, removed) in [
        (proof(true, true, false, false), Ending::Swapped, true),
        (proof(true, true, true, true), Ending::Swapped, true),
        (proof(true, false, true, false), Ending::PartGone, true),
        (proof(true, false, true, true), Ending::Moved, false),
        (proof(true, false, false, false), Ending::NotMet, false),
        (proof(false, true, true, false), Ending::NotMet, false),
    ] {
        assert_eq!(ending(shown), expected, "{shown:?}");
        assert_eq!(expected.is_removal(), removed);
    }
    assert!(Ending::Confirmed.is_removal());
}
