//! Units that are swapped, findings that live, names that people see.

use super::*;
use model::{FindingId, FindingState, Place, Severity, UnitId};
use store::record::{KnownFinding, Tenure};

fn unit(serial: Option<&str>, mac: Option<&str>, engine: Option<&str>) -> UnitIdentity {
    let own = |t: Option<&str>| t.map(str::to_owned);
    UnitIdentity {
        serial: own(serial),
        base_mac: own(mac),
        engine_id: own(engine),
        ..UnitIdentity::default()
    }
}

#[test]
fn another_unit_needs_hardware_evidence() {
    for (before, now, other) in [
        (unit(Some("a"), None, None), unit(Some("b"), None, None), true),
        (
            unit(Some("a"), Some("m1"), None),
            unit(Some("a"), Some("m2"), None),
            false,
        ),
        (unit(Some("a"), None, None), unit(None, None, None), false),
        (unit(None, Some("m1"), None), unit(None, Some("m2"), None), true),
        (
            unit(None, Some("m1"), Some("e")),
            unit(None, Some("m2"), Some("e")),
            false,
        ),
        (
            unit(None, Some("m1"), Some("e1")),
            unit(None, Some("m2"), Some("e2")),
            true,
        ),
        (unit(None, None, Some("e1")), unit(None, None, Some("e2")), false),
        (
            unit(Some("a"), Some("m1"), None),
            unit(None, Some("m1"), None),
            false,
        ),
    ] {
        assert_eq!(is_other(&before, &now), other, "{before:?} {now:?}");
    }
}

fn result(class: ResultClass) -> RuleResult {
    RuleResult {
        rule: "R".into(),
        jurisdiction: "DE".into(),
        title: String::new(),
        citation: String::new(),
        component: None,
        supplier: "huawei".into(),
        class,
        severity: Severity::Major,
        deadline: None,
        confidence: 0.9,
        explanation: vec![],
    }
}

fn subject(findings: Vec<KnownFinding>) -> Subject {
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
        latest: None,
        complete: None,
        partial: None,
        tenure: None,
        findings,
        judged: None,
    }
}

fn known(state: FindingState, class: ResultClass) -> KnownFinding {
    KnownFinding {
        finding: FindingId::generate(),
        state,
        result: result(class),
    }
}

#[test]
fn findings_open_change_reopen_and_close() {
    let steps =
        |findings, results: &[RuleResult], complete| finding_steps(&subject(findings), results, complete);
    assert!(matches!(
        steps(vec![], &[result(ResultClass::Due)], true)[..],
        [FindingStep::Open(_)]
    ));
    assert!(steps(vec![], &[result(ResultClass::NotBound)], true).is_empty());

    let due = || vec![known(FindingState::Open, ResultClass::Due)];
    assert!(matches!(
        steps(due(), &[result(ResultClass::Due)], true)[..],
        [FindingStep::Refresh(..)]
    ));
    let changed = steps(due(), &[result(ResultClass::Overdue)], true);
    assert!(matches!(&changed[..], [FindingStep::Change(_, _, text)] if text == "due → overdue"));
    assert!(matches!(steps(due(), &[], true)[..], [FindingStep::Close(_)]));
    assert!(
        steps(due(), &[], false).is_empty(),
        "a partial walk removes nothing"
    );

    let closed = vec![known(FindingState::Closed, ResultClass::Due)];
    assert!(matches!(
        steps(closed, &[result(ResultClass::Due)], true)[..],
        [FindingStep::Reopen(..)]
    ));
}

#[test]
fn a_unit_moves_in_is_learned_and_is_swapped() {
    let sighting = |serial: &str| IdentifiedSighting {
        digest: model::Digest([1; 32]),
        from: Instant(7),
        identification: Identification {
            knowledge: "k".into(),
            maker: None,
            brand: None,
            claims: vec![],
            doubts: vec![],
            unit: unit(Some(serial), None, None),
            components: vec![],
        },
    };
    let mut subject = subject(vec![]);
    assert_eq!(tenure_step(&subject, None), TenureStep::Keep);
    assert!(matches!(
        tenure_step(&subject, Some(&sighting("a"))),
        TenureStep::First(_)
    ));
    let id = UnitId::generate();
    subject.tenure = Some(Tenure {
        unit: id,
        from: Instant(1),
        identity: unit(Some("a"), None, None),
    });
    assert_eq!(tenure_step(&subject, Some(&sighting("a"))), TenureStep::Keep);
    assert!(matches!(tenure_step(&subject, Some(&sighting("b"))), TenureStep::Swap(unit, _) if unit == id));
    subject.tenure = Some(Tenure {
        unit: id,
        from: Instant(1),
        identity: unit(None, Some("m"), None),
    });
    assert!(matches!(tenure_step(&subject, Some(&sighting("a"))), TenureStep::Learn(unit, _) if unit == id));
}
