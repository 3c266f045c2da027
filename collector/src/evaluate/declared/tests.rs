//! What is on file, and what differs from what was seen.

use super::*;
use model::on_file::{DeclaredShare, OnFile};
use model::{Attribution, ElementId, Instant, SupplierRef, UnitIdentity};
use policy::part::Told;
use policy::{Policies, Question, Situation};
use std::collections::BTreeSet;
use store::record::MovedIn;
use time::macros::{date, datetime};

fn place(jurisdiction: &str, tags: &[&str]) -> Place {
    Place {
        element: ElementId::generate(),
        site: "delhi".parse().unwrap(),
        jurisdictions: BTreeSet::from([jurisdiction.to_owned()]),
        role: Some(model::Role::Access),
        generations: BTreeSet::from(["FTTP".to_owned()]),
        tags: tags.iter().map(|&tag| tag.to_owned()).collect(),
        acquired: None,
    }
}

fn subject(place: Place) -> Subject {
    Subject {
        place,
        name: String::new(),
        address: "192.0.2.1".into(),
        port: 161,
        context: String::new(),
        latest: None,
        last_walk: None,
        complete: None,
        partial: None,
        tenure: None,
        initial: None,
        findings: vec![],
        judged: None,
    }
}

fn seen(model: &str) -> Identification {
    Identification {
        knowledge: "k".into(),
        maker: None,
        brand: None,
        claims: vec![],
        doubts: vec![],
        unit: UnitIdentity {
            model: Some(model.into()),
            ..UnitIdentity::default()
        },
        components: vec![],
    }
}

fn unit(supplier: &str, acquired: &str) -> Part {
    Part {
        component: None,
        class: None,
        label: String::new(),
        maker: Some(Attribution {
            supplier: SupplierRef {
                id: supplier.into(),
                name: supplier.into(),
            },
            confidence: 1.0,
        }),
        brand: None,
        acquired: acquired.parse().ok(),
        told: Told::default(),
    }
}

fn approval(model: Option<&str>, address: Option<&str>) -> DeclaredApproval {
    DeclaredApproval {
        rule: "IN-NSDTS".into(),
        until: Some("2030".into()),
        site: Some("delhi".parse().unwrap()),
        address: address.map(str::to_owned),
        port: address.map(|_| 161),
        operator: None,
        model: model.map(str::to_owned),
        version: None,
        area: None,
        reference: String::new(),
    }
}

/// The class a rule gives a unit with this on file.
fn class(rule: &str, file: &OnFile, subject: &Subject, part: Part, seen: &Identification) -> Option<String> {
    let policies = Policies::built_in().unwrap();
    let operator = Operator {
        tags: &BTreeSet::new(),
        name: "Lab Telecom",
        on_file: file,
    };
    let mut parts = [part];
    let approvals = approvals(file, subject);
    tell(&mut parts, &approvals, operator, &subject.place, Some(seen));
    let situation = Situation {
        place: &subject.place,
        parts: &parts,
    };
    let results = policy::evaluate(&situation, &policies, &Question::on(date!(2026 - 11 - 23)));
    let result = results.into_iter().find(|result| result.rule == rule);
    result.map(|result| result.class.to_string())
}

#[test]
fn an_approval_on_file_counts_where_and_for_what_it_was_given() {
    let policies = Policies::built_in().unwrap();
    let bound = policies.rule("IN-NSDTS").unwrap().bound.tags.clone();
    let tags: Vec<&str> = bound.iter().map(String::as_str).collect();
    let subject = subject(place("IN", &tags));
    let elsewhere = DeclaredApproval {
        site: Some("pune".parse().unwrap()),
        ..approval(None, None)
    };
    for (approvals, expected) in [
        (vec![], "approval_missing"),
        (vec![approval(None, None)], "approved_until"),
        (vec![approval(Some("AirScale"), None)], "approved_until"),
        (vec![approval(Some("Other"), None)], "approval_missing"),
        (vec![approval(None, Some("192.0.2.1"))], "approved_until"),
        (vec![approval(None, Some("192.0.2.2"))], "approval_missing"),
        (vec![elsewhere], "approval_missing"),
    ] {
        let file = OnFile {
            approvals: approvals.clone(),
            ..OnFile::default()
        };
        let part = unit("nokia", "2024-05-01");
        let class = class("IN-NSDTS", &file, &subject, part, &seen("AirScale"));
        assert_eq!(class.as_deref(), Some(expected), "{approvals:?}");
    }
}

#[test]
fn an_approval_of_an_address_is_not_for_what_stands_there_in_another_context() {
    let policies = Policies::built_in().unwrap();
    let bound = policies.rule("IN-NSDTS").unwrap().bound.tags.clone();
    let tags: Vec<&str> = bound.iter().map(String::as_str).collect();
    let subject = Subject {
        context: "red".into(),
        ..subject(place("IN", &tags))
    };
    for (address, expected) in [(Some("192.0.2.1"), "approval_missing"), (None, "approved_until")] {
        let file = OnFile {
            approvals: vec![approval(None, address)],
            ..OnFile::default()
        };
        let part = unit("nokia", "2024-05-01");
        let class = class("IN-NSDTS", &file, &subject, part, &seen("AirScale"));
        assert_eq!(class.as_deref(), Some(expected), "{address:?}");
    }
}

#[test]
fn a_share_on_file_is_held_against_its_cap() {
    let subject = subject(place("GB", &["gb_directed_provider"]));
    let share = |rule: &str, supplier: Option<&str>, low, high| DeclaredShare {
        rule: rule.into(),
        supplier: supplier.map(str::to_owned),
        low,
        high,
    };
    let cap = "GB-DVD-FTTP-CAP";
    for (shares, expected) in [
        (vec![], "undecided"),
        (vec![share(cap, None, 10.0, 30.0)], "within_cap"),
        (vec![share(cap, None, 30.0, 38.0)], "undecided"),
        (vec![share(cap, Some("huawei"), 36.0, 38.0)], "over_cap"),
        (vec![share(cap, Some("zte"), 36.0, 38.0)], "undecided"),
    ] {
        let file = OnFile {
            shares: shares.clone(),
            ..OnFile::default()
        };
        let class = class(
            cap,
            &file,
            &subject,
            unit("huawei", "2018-01-01"),
            &seen("MA5800"),
        );
        assert_eq!(class.as_deref(), Some(expected), "{shares:?}");
    }
}

#[test]
fn what_is_declared_and_what_was_seen_are_both_kept() {
    let mut subject = subject(place("IN", &[]));
    let named = approval(Some("AirScale"), Some("192.0.2.1"));
    let said = |subject: &Subject, model: &str| contradictions(subject, &[&named], Some(&seen(model)));
    assert!(said(&subject, "AirScale").is_empty());
    assert_eq!(
        said(&subject, "NE40E"),
        ["the approval on file for IN-NSDTS names model AirScale, and the unit says NE40E"]
    );
    let tenure = |swapped| MovedIn {
        from: Instant::from_datetime(datetime!(2026-03-01 0:00 UTC)),
        swapped,
    };
    for (declared, swapped, words) in [
        ("2026-02-01", false, None),
        ("2026-03", false, None),
        (
            "2026-04-01",
            false,
            Some("declared as acquired on 2026-04-01, and seen here since 2026-03-01"),
        ),
        ("2017-02-12", true, Some("the unit was swapped")),
        ("2026-03-01", true, None),
    ] {
        subject.place.acquired = Some(declared.into());
        subject.tenure = Some(tenure(swapped));
        let said = contradictions(&subject, &[], None);
        assert_eq!(said.len(), usize::from(words.is_some()), "{declared}: {said:?}");
        assert!(
            said.iter().all(|said| said.contains(words.unwrap_or(""))),
            "{said:?}"
        );
    }
}
