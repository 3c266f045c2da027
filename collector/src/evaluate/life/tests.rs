//! Findings that live, by what an element shows.

use super::*;
use model::{
    Completeness, ComponentClass, Digest, ElementId, FindingId, FindingState, Place, ResultClass, Severity,
    Waiver,
};
use std::collections::BTreeSet;
use store::record::IdentifiedSighting;
use time::macros::date;

fn result(component: Option<&str>, class: ResultClass) -> RuleResult {
    RuleResult {
        rule: "R".into(),
        jurisdiction: "DE".into(),
        title: String::new(),
        citation: String::new(),
        component: component.map(str::to_owned),
        supplier: "huawei".into(),
        class,
        severity: Severity::Major,
        deadline: None,
        confidence: 0.9,
        explanation: vec![],
    }
}

fn part(index: &str, serial: &str) -> ComponentIdentity {
    ComponentIdentity {
        index: index.into(),
        parent: None,
        class: ComponentClass::Module,
        name: String::new(),
        description: String::new(),
        model: "SFP".into(),
        serial: serial.into(),
        revision: String::new(),
        maker: None,
        brand: None,
    }
}

fn seen(serial: &str, parts: &[(&str, &str)]) -> Identification {
    Identification {
        knowledge: "k1".into(),
        maker: None,
        brand: None,
        claims: vec![],
        doubts: vec![],
        unit: UnitIdentity {
            serial: Some(serial.to_owned()),
            ..UnitIdentity::default()
        },
        components: parts.iter().map(|(index, serial)| part(index, serial)).collect(),
    }
}

fn inputs(content: u8) -> Inputs {
    Inputs {
        digest: Some(Digest([content; 32])),
        partial: None,
        latest: Some(Completeness::Complete),
        knowledge: "k1".into(),
        policies: "p1".into(),
        facts: "f1".into(),
        as_of: "2026-11-25".into(),
    }
}

fn subject(findings: Vec<KnownFinding>, last_walk: i64) -> Subject {
    Subject {
        place: Place {
            element: ElementId::generate(),
            site: "berlin".parse().unwrap(),
            jurisdictions: BTreeSet::new(),
            role: None,
            generations: BTreeSet::new(),
            tags: BTreeSet::new(),
            acquired: None,
        },
        name: String::new(),
        address: "192.0.2.1".into(),
        port: 161,
        context: String::new(),
        latest: Some(Completeness::Complete),
        last_walk: Some(Instant(last_walk)),
        complete: Some(IdentifiedSighting {
            digest: Digest([2; 32]),
            from: Instant(77),
            identification: seen("S2", &[]),
        }),
        partial: None,
        tenure: None,
        initial: None,
        findings,
        judged: None,
    }
}

fn known(component: Option<&str>, class: ResultClass, life: Life) -> KnownFinding {
    KnownFinding {
        finding: FindingId::generate(),
        revision: 3,
        life,
        result: result(component, class),
        inputs: inputs(1),
        thing: thing(component, Some(&seen("S1", &[("7", "P1")]))),
        gone_walk: None,
    }
}

fn state(state: FindingState) -> Life {
    Life { state, ..Life::new() }
}

/// The steps by what is seen now, with other evidence than before unless it is the same.
fn steps(
    finding: Option<KnownFinding>,
    results: &[RuleResult],
    now: &Inputs,
    seen: &Identification,
    complete: bool,
) -> Vec<FindingMove> {
    let present = Present {
        inputs: now,
        seen: Some(seen),
        complete,
        as_of: date!(2026 - 11 - 25),
        now: Instant(1_000),
    };
    moves(&subject(finding.into_iter().collect(), 50), results, present)
}

#[test]
fn findings_open_change_reopen_and_close() {
    let same = seen("S1", &[("7", "P1")]);
    let due = || Some(known(None, ResultClass::Due, Life::new()));
    let one = |finding, results: &[RuleResult], complete| {
        let moves = steps(finding, results, &inputs(2), &same, complete);
        assert!(moves.len() <= 1, "{moves:?}");
        moves.into_iter().next().map(|moved| moved.step)
    };
    let met = [result(None, ResultClass::Due)];
    assert!(matches!(one(None, &met, true), Some(FindingStep::Open(_))));
    assert_eq!(one(None, &[result(None, ResultClass::NotBound)], true), None);
    assert!(matches!(one(due(), &met, true), Some(FindingStep::Refresh(..))));
    let worse = one(due(), &[result(None, ResultClass::Overdue)], true);
    assert!(matches!(worse, Some(FindingStep::Change(_, _, text)) if text == "due → overdue"));
    assert!(matches!(one(due(), &[], true), Some(FindingStep::Close(..))));
    assert_eq!(one(due(), &[], false), None, "a partial walk removes nothing");
    let closed = Some(known(None, ResultClass::Due, state(FindingState::Closed)));
    assert!(matches!(one(closed, &met, true), Some(FindingStep::Reopen(..))));
}

#[test]
fn what_closes_says_how_and_only_hardware_counts_as_removed() {
    let old = seen("S1", &[("7", "P1")]);
    let cases = [
        (None, seen("S2", &[]), vec![], Ending::Swapped, "serial S2"),
        (None, old.clone(), vec![], Ending::NotMet, "no longer met"),
        (
            Some("7"),
            seen("S1", &[]),
            vec![],
            Ending::PartGone,
            "no longer has this part",
        ),
        (
            Some("7"),
            seen("S1", &[("7", "P9")]),
            vec![],
            Ending::PartGone,
            "no longer has",
        ),
        (Some("7"), old, vec![], Ending::NotMet, "no longer met"),
        // Indices were given out anew: the same part, or one that tells no serial number.
        (
            Some("7"),
            seen("S1", &[("107", "P1")]),
            vec![result(Some("107"), ResultClass::Due)],
            Ending::NotMet,
            "no longer met",
        ),
        (
            Some("7"),
            seen("S1", &[("107", "")]),
            vec![result(Some("107"), ResultClass::Due)],
            Ending::Moved,
            "not counted as removed",
        ),
        // Another chassis, and the part may have gone along; of one that did, its serial number tells.
        (
            Some("7"),
            seen("S2", &[("107", "")]),
            vec![result(Some("107"), ResultClass::Due)],
            Ending::Moved,
            "not counted as removed",
        ),
        (
            Some("7"),
            seen("S2", &[("107", "P1")]),
            vec![result(Some("107"), ResultClass::Due)],
            Ending::NotMet,
            "no longer met",
        ),
        (Some("7"), seen("S2", &[]), vec![], Ending::Swapped, "serial S2"),
        // A chassis that leads its stack no longer stands there still.
        (
            None,
            seen("S2", &[("2", "S1")]),
            vec![],
            Ending::NotMet,
            "no longer met",
        ),
    ];
    for (component, now, results, expected, words) in cases {
        let finding = known(component, ResultClass::Due, Life::new());
        let moves = steps(Some(finding), &results, &inputs(2), &now, true);
        let closed = moves.iter().find_map(|moved| match &moved.step {
            FindingStep::Close(stood, text) => Some((stood.life.ending, text.as_str(), &moved.why)),
            _ => None,
        });
        let (ending, text, why) = closed.unwrap();
        assert_eq!(ending, Some(expected), "{component:?} {now:?}");
        assert!(text.contains(words), "{text}");
        assert_eq!(
            (why.causes.as_slice(), why.valid),
            ([Cause::Network].as_slice(), Instant(77))
        );
        assert!(why.grounds.contains("evidence 0101"), "{}", why.grounds);
    }
}

#[test]
fn a_law_that_goes_closes_what_is_silent_and_says_so() {
    let mut now = inputs(1);
    now.policies = "p2".into();
    let finding = known(None, ResultClass::Due, Life::new());
    let moves = steps(Some(finding), &[], &now, &seen("S1", &[]), false);
    let [
        FindingMove {
            step: FindingStep::Close(stood, _),
            why,
        },
    ] = moves.as_slice()
    else {
        panic!("{moves:?}")
    };
    assert_eq!(
        (why.causes.as_slice(), why.valid),
        ([Cause::Law].as_slice(), Instant(1_000))
    );
    assert_eq!((stood.life.ending, stood.revision), (Some(Ending::NotMet), 3));
}

#[test]
fn a_waiver_that_ran_out_returns_the_finding_whatever_else_moves() {
    let waived = |until: &str| Life {
        state: FindingState::Waived,
        waiver: Some(Waiver {
            asked_by: "ann".into(),
            reason: "r".into(),
            until: until.into(),
            class: ResultClass::Due,
            approved_by: Some("bob".into()),
        }),
        ..Life::new()
    };
    let unit = seen("S1", &[]);
    let run = |until: &str, results: &[RuleResult], complete| {
        let finding = known(None, ResultClass::Due, waived(until));
        steps(Some(finding), results, &inputs(2), &unit, complete)
    };
    let due = [result(None, ResultClass::Due)];
    let over = [result(None, ResultClass::Overdue)];
    assert!(matches!(
        run("2026-11-25", &due, true).as_slice(),
        [FindingMove {
            step: FindingStep::Refresh(..),
            ..
        }]
    ));
    let moves = run("2026-11-24", &over, true);
    let [lapse, change] = moves.as_slice() else {
        panic!("{moves:?}")
    };
    assert!(
        matches!(&lapse.step, FindingStep::Lapse(stood, text) if stood.life == Life::new() && text.contains("2026-11-24"))
    );
    assert_eq!(lapse.why.causes, [Cause::Time]);
    assert!(matches!(&change.step, FindingStep::Change(_, _, text) if text == "due → overdue"));
    // Also where silence leaves open whether the rule is met.
    assert!(matches!(
        run("2026-11-24", &[], false).as_slice(),
        [FindingMove {
            step: FindingStep::Lapse(..),
            ..
        }]
    ));
    let worse = run("2027-01-01", &over, true);
    assert!(
        matches!(&worse[0].step, FindingStep::Change(_, _, text) if text.ends_with("worse than what was waived"))
    );
}

#[test]
fn what_was_confirmed_as_gone_stays_closed_until_it_answers() {
    let gone = |walk| KnownFinding {
        gone_walk: Some(Instant(walk)),
        ..known(
            None,
            ResultClass::Due,
            waiver::ended(&Life::new(), Ending::Confirmed),
        )
    };
    let met = [result(None, ResultClass::Due)];
    let unit = seen("S1", &[]);
    assert!(steps(Some(gone(50)), &met, &inputs(1), &unit, false).is_empty());
    assert!(
        of_the_present(&subject(vec![gone(50)], 50), &met).is_empty(),
        "it says nothing of the present"
    );
    let again = steps(Some(gone(49)), &met, &inputs(1), &unit, false);
    assert!(matches!(
        again.as_slice(),
        [FindingMove {
            step: FindingStep::Reopen(..),
            ..
        }]
    ));
    assert_eq!(of_the_present(&subject(vec![gone(49)], 50), &met).len(), 1);
}
