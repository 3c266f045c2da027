//! Acts on findings, as tables.

use super::*;
use FindingState as S;
use model::Removal;
use time::macros::date;

fn acting(by: &str) -> Acting<'_> {
    Acting {
        by,
        today: date!(2026 - 11 - 25),
        class: ResultClass::Due,
        latest: Some(Completeness::Complete),
    }
}

fn waive(until: &str) -> Act {
    Act::Waive {
        reason: "spare parts".into(),
        until: until.into(),
    }
}

fn assign(to: &str) -> Act {
    Act::Assign { to: to.into() }
}

fn end(which: Option<Which>) -> Act {
    Act::EndWaiver {
        reason: "no longer".into(),
        which,
    }
}

/// What becomes of a new finding by these acts, each by its person.
fn live(acts: &[(&str, Act)]) -> Result<Life, Refusal> {
    let first = Life::new();
    acts.iter()
        .try_fold(first, |life, (by, one)| act(&life, one, acting(by)))
}

#[test]
fn acts_lead_to_states() {
    let until = "2027-06-30";
    for (acts, expected) in [
        (vec![("ann", Act::Acknowledge)], S::Acknowledged),
        (vec![("ann", assign("bob"))], S::Assigned),
        (
            vec![("ann", assign("bob")), ("ann", Act::Acknowledge)],
            S::Assigned,
        ),
        (vec![("ann", waive(until))], S::Open),
        (vec![("ann", waive(until)), ("bob", Act::Approve)], S::Waived),
        (vec![("ann", waive(until)), ("bob", end(None))], S::Open),
        (
            vec![("ann", waive(until)), ("bob", Act::Approve), ("cy", end(None))],
            S::Open,
        ),
        (
            vec![
                ("ann", assign("bob")),
                ("ann", waive(until)),
                ("bob", Act::Approve),
                ("cy", end(None)),
            ],
            S::Assigned,
        ),
        // An extension is asked for while the waiver runs, and refused: the waiver runs on.
        (
            vec![
                ("ann", waive(until)),
                ("bob", Act::Approve),
                ("ann", waive("2028-01-01")),
                ("bob", end(Some(Which::Asked))),
            ],
            S::Waived,
        ),
        // Or the one that runs is taken back: the finding returns, what was asked for still waits.
        (
            vec![
                ("ann", waive(until)),
                ("bob", Act::Approve),
                ("ann", waive("2028-01-01")),
                ("bob", end(Some(Which::InForce))),
            ],
            S::Open,
        ),
        (
            vec![
                ("ann", waive(until)),
                ("bob", Act::Approve),
                ("ann", assign("cy")),
            ],
            S::Waived,
        ),
    ] {
        assert_eq!(live(&acts).map(|life| life.state), Ok(expected), "{acts:?}");
    }
}

#[test]
fn refusals_name_what_is_wrong() {
    let plan = |planned: &str| {
        Act::PlanRemoval(Removal {
            planned: planned.into(),
            replacement: "NE-2".into(),
            owner: "ann".into(),
        })
    };
    let gone = Act::ConfirmRemoval {
        reason: "scrapped".into(),
    };
    for (acts, words) in [
        (vec![("ann", Act::Approve)], "nobody asked for a waiver"),
        (
            vec![("Ann  Lee", waive("2027-01-01")), (" ann lee", Act::Approve)],
            "Ann  Lee asked for this waiver: somebody else must approve it",
        ),
        (vec![("ann", waive("2026-11-24"))], "2026-11-24 has passed"),
        (vec![("ann", waive("2027"))], "\"2027\" is not YYYY-MM-DD"),
        (
            vec![("ann", end(None))],
            "it has no waiver, and nobody asked for one",
        ),
        (
            vec![("ann", end(Some(Which::Asked)))],
            "nobody asked for a waiver",
        ),
        (
            vec![("ann", waive("2027-01-01")), ("bob", end(Some(Which::InForce)))],
            "it has no waiver in force",
        ),
        (
            vec![
                ("ann", waive("2027-01-01")),
                ("bob", Act::Approve),
                ("ann", waive("2028-01-01")),
                ("bob", end(None)),
            ],
            "it has a waiver in force and another one asked for",
        ),
        (vec![("ann", plan("soon"))], "\"soon\" is not a date"),
        (vec![("ann", gone)], "the element answers"),
    ] {
        let refused = live(&acts).unwrap_err().to_string();
        assert!(refused.starts_with(words), "{refused}");
    }
    let closed = ended(&Life::new(), Ending::Swapped);
    assert_eq!(
        act(&closed, &Act::Acknowledge, acting("ann")),
        Err(Refusal::Closed)
    );
    let said = Act::Comment {
        text: "seen on the pallet".into(),
    };
    assert_eq!(act(&closed, &said, acting("ann")), Ok(closed.clone()));
}

#[test]
fn the_waiver_that_is_named_ends_and_the_other_stays() {
    let both = live(&[
        ("ann", waive("2027-01-01")),
        ("bob", Act::Approve),
        ("ann", waive("2028-01-01")),
    ])
    .unwrap();
    let after = |which| act(&both, &end(Some(which)), acting("bob")).unwrap();
    let (refused, taken) = (after(Which::Asked), after(Which::InForce));
    assert_eq!((&refused.waiver, refused.asked), (&both.waiver, None));
    assert_eq!((taken.waiver, &taken.asked), (None, &both.asked));
}

#[test]
fn a_waiver_holds_through_its_last_day_and_then_returns_the_finding() {
    let life = live(&[
        ("ann", assign("bob")),
        ("ann", waive("2026-11-25")),
        ("bob", Act::Approve),
    ])
    .unwrap();
    assert_eq!(expired(&life, date!(2026 - 11 - 25)), None);
    assert_eq!(expired(&life, date!(2026 - 11 - 26)), Some("2026-11-25"));
    let after = lapsed(&life);
    assert_eq!((after.state, after.waiver), (S::Assigned, None));
    assert!(!is_worse(&life, ResultClass::Due));
    assert!(is_worse(&life, ResultClass::Overdue));
    assert!(!is_worse(&life, ResultClass::Watch));
}

#[test]
fn what_fell_silent_is_gone_when_a_person_says_so() {
    let gone = Act::ConfirmRemoval {
        reason: "scrapped".into(),
    };
    let planned = live(&[
        ("ann", waive("2027-01-01")),
        ("bob", Act::Approve),
        ("ann", assign("bob")),
    ])
    .unwrap();
    let silent = Acting {
        latest: Some(Completeness::Unreachable),
        ..acting("ann")
    };
    let after = act(&planned, &gone, silent).unwrap();
    assert_eq!((after.state, after.ending), (S::Closed, Some(Ending::Confirmed)));
    assert_eq!((&after.waiver, after.owner.as_deref()), (&None, Some("bob")));
    let partial = Acting {
        latest: Some(Completeness::Partial),
        ..acting("ann")
    };
    assert_eq!(act(&planned, &gone, partial), Err(Refusal::Answers));
    let again = reopened(&after);
    assert_eq!((again.state, again.ending), (S::Open, None));
}
