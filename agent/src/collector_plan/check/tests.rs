//! Plans that are followed, and each reason to refuse one.

use super::*;
use crate::collector_plan::{CollectorPlanConfig, Prefix};
use crate::credential::scope::Scoped;
use crate::credential::user::User;

fn bounds() -> Bounds {
    let credential = crate::testing::community("hunter2");
    let config = CollectorPlanConfig {
        allow: ["10.0.0.0/8", "2001:db8::/32", "192.0.2.1/32"]
            .map(|text| Prefix::try_from(text.to_owned()).unwrap())
            .to_vec(),
        ..CollectorPlanConfig::default()
    };
    let scoped = |name: &str, roles| Scoped::new(name.to_owned(), Arc::clone(&credential), roles);
    let elsewhere = Scoped::elsewhere("far".to_owned(), vec!["hamburg".to_owned()], "berlin".to_owned());
    let credentials = [
        ("core".to_owned(), scoped("core", vec![])),
        ("radio".to_owned(), scoped("radio", vec![Role::Ran])),
        ("far".to_owned(), elsewhere),
        ("red".to_owned(), in_context("red")),
    ];
    Bounds::new(&config, credentials.into())
}

/// A user of version 3 who asks a context.
fn in_context(name: &str) -> Scoped {
    let user = User::new("u", None, None, name).unwrap();
    Scoped::new(name.to_owned(), Arc::new(Credential::user(user)), vec![])
}

fn target(address: &str) -> v1::PlannedTarget {
    v1::PlannedTarget {
        address: address.to_owned(),
        port: 161,
        credential_name: "core".to_owned(),
        ..v1::PlannedTarget::default()
    }
}

fn range(prefix: &str) -> v1::PlannedRange {
    v1::PlannedRange {
        prefix: prefix.to_owned(),
        port: 161,
        credential_name: "core".to_owned(),
        ..v1::PlannedRange::default()
    }
}

fn plan() -> v1::Plan {
    v1::Plan {
        id: Some(v1::PlanId {
            revision: 7,
            digest: vec![1; 32].into(),
        }),
        questions: Some(v1::Questions {
            profile: v1::PlanProfile::Inventory.into(),
            get: vec!["1.3.6.1.2.1.1.9.0".to_owned()],
            walk: vec![],
            if_arc: vec![v1::IfArc {
                arc: 99_999,
                walk: vec!["1.3.6.1.4.1.99999.1".to_owned()],
                addresses: vec!["1.3.6.1.4.1.99999.1.4".to_owned()],
            }],
            neighbours: None,
        }),
        interval_seconds: 60,
        packets_per_second: 10,
        targets: vec![target("10.0.0.1"), target("2001:db8::1"), target("192.0.2.1")],
        ranges: vec![range("10.1.0.0/24"), range("2001:db8:1::/120")],
        sweep_seconds: 0,
        windows: vec![half(0, 720), half(720, 0)],
    }
}

/// A part of every day.
fn half(from_minute: u32, to_minute: u32) -> v1::Window {
    v1::Window {
        days: 127,
        from_minute,
        to_minute,
        offset_minutes: 0,
    }
}

#[test]
fn a_good_plan_is_followed() {
    let checked = check(&plan(), &bounds()).unwrap();
    assert_eq!(checked.id.revision, 7);
    assert_eq!(checked.interval, Some(Duration::from_secs(60)));
    assert_eq!((checked.assignments.len(), checked.sweep.slots()), (3, 512));
    let questions = checked.questions.unwrap();
    assert_eq!((questions.questions.len(), questions.if_arc.len()), (5, 1));
    assert_eq!(questions.if_arc[0].addresses.len(), 1);
    assert!(checked.assignments.iter().all(|one| one.windows.is_empty()));
    let mut windowed = plan();
    windowed.targets[1].windows = 2;
    let checked = check(&windowed, &bounds()).unwrap();
    assert_eq!(checked.assignments[1].windows.len(), 1);
    // What is not swept has any size and no slots.
    let mut told = plan();
    told.ranges.push(v1::PlannedRange {
        follow: true,
        unswept: true,
        ..range("10.128.0.0/9")
    });
    let checked = check(&told, &bounds()).unwrap();
    assert_eq!((checked.sweep.areas(), checked.sweep.slots()), (3, 512));
    let empty = v1::Plan {
        id: plan().id,
        ..v1::Plan::default()
    };
    let checked = check(&empty, &bounds()).unwrap();
    assert!(checked.questions.is_none() && checked.interval.is_none() && checked.assignments.is_empty());
}

#[test]
fn one_wrong_item_refuses_the_whole_and_is_named() {
    type Change = Box<dyn Fn(&mut v1::Plan)>;
    let change = |change: fn(&mut v1::Plan)| -> Change { Box::new(change) };
    let with_target =
        |address: &'static str| -> Change { Box::new(move |p| p.targets.push(target(address))) };
    let with_range = |prefix: &'static str| -> Change { Box::new(move |p| p.ranges.push(range(prefix))) };
    for (change, expected) in [
        (change(|p| p.id = None), "plan: is not named"),
        (
            change(|p| p.id.as_mut().unwrap().revision = 0),
            "plan: is not named",
        ),
        (
            change(|p| p.id.as_mut().unwrap().digest.clear()),
            "plan: is not named",
        ),
        (with_target("router"), "target router: is no address"),
        (
            with_target("192.0.2.2"),
            "target 192.0.2.2:161: lies outside what this agent allows",
        ),
        (with_target("127.0.0.1"), "target 127.0.0.1:161: lies outside"),
        (
            with_target("::ffff:127.0.0.1"),
            "target 127.0.0.1:161: lies outside",
        ),
        (with_target("0.0.0.0"), "target 0.0.0.0: "),
        (
            with_target("::ffff:10.0.0.1"),
            "target 10.0.0.1:161: is there twice",
        ),
        (change(|p| p.targets[0].port = 0), "target 10.0.0.1: port must be"),
        (
            change(|p| p.targets[0].port = 65_536),
            "target 10.0.0.1: port must be",
        ),
        (
            change(|p| p.targets[1].credential_name = "ran".to_owned()),
            "target [2001:db8::1]:161: there is no credential \"ran\" at this agent",
        ),
        (
            change(|p| p.targets[0].credential_name = "far".to_owned()),
            "target 10.0.0.1:161: cannot be asked with credential \"far\", which is for hamburg: this agent is",
        ),
        (
            change(|p| p.ranges[0].credential_name = "far".to_owned()),
            "range 10.1.0.0/24: cannot be asked with credential \"far\", which is for hamburg",
        ),
        (
            change(|p| p.targets[0].credential_name = "radio".to_owned()),
            "target 10.0.0.1:161: names no role, and credential \"radio\" is for some roles only",
        ),
        (
            change(|p| {
                p.targets[0].credential_name = "radio".to_owned();
                p.targets[0].role = v1::PlanRole::Core.into();
            }),
            "target 10.0.0.1:161: has none of the roles of credential \"radio\"",
        ),
        (
            change(|p| p.ranges[0].credential_name = "radio".to_owned()),
            "range 10.1.0.0/24: names no role",
        ),
        (
            change(|p| p.targets[0].interval_seconds = 59),
            "target 10.0.0.1:161: 59 is below this agent's floor of 60",
        ),
        (
            change(|p| p.targets[0].interval_seconds = u32::MAX),
            "target 10.0.0.1:161: more than",
        ),
        (
            change(|p| p.targets = vec![target("10.0.0.1"); 50_001]),
            "targets: more than 50000",
        ),
        (
            change(|p| p.interval_seconds = 1),
            "interval_seconds: 1 is below this agent's floor",
        ),
        (
            change(|p| p.sweep_seconds = 10),
            "sweep_seconds: 10 is below this agent's floor of 3600",
        ),
        (
            change(|p| p.packets_per_second = u32::MAX),
            "packets_per_second: is out of bounds",
        ),
        (
            change(|p| p.questions.as_mut().unwrap().profile = 9),
            "profile: is not known",
        ),
        (
            change(|p| p.questions.as_mut().unwrap().get.push("1.x".into())),
            "get: \"1.x\" is not an object",
        ),
        (
            change(|p| p.questions.as_mut().unwrap().walk = vec!["1.3".into()]),
            "walk: \"1.3\" is not",
        ),
        (
            change(|p| p.questions.as_mut().unwrap().if_arc[0].walk.push(String::new())),
            "if_arc 99999: \"\" is not",
        ),
        (
            change(|p| p.questions.as_mut().unwrap().get = vec!["1.3.6".into(); 101]),
            "get: more than 100",
        ),
        (
            change(|p| p.questions.as_mut().unwrap().get = vec!["1.".repeat(9_999)]),
            "get: an identifier is too long",
        ),
        (
            change(|p| p.windows[1].days = 0),
            "window 2: is no time of the week",
        ),
        (
            change(|p| p.windows = vec![half(0, 1); 33]),
            "windows: more than 32",
        ),
        (
            change(|p| p.targets[0].windows = 4),
            "target 10.0.0.1:161: names a window that is not there",
        ),
        (
            change(|p| p.ranges[0].windows = 3),
            "range 10.1.0.0/24: its windows leave no time to ask",
        ),
        (with_range("10.0.0.0/8"), "range: 10.0.0.0/8 is too large"),
        (with_range("11.0.0.0/24"), "range 11.0.0.0/24: lies outside"),
        (with_range("192.0.2.0/31"), "range 192.0.2.0/31: lies outside"),
        (
            change(|p| p.ranges[0].unswept = true),
            "range 10.1.0.0/24: is neither swept nor followed",
        ),
        (
            change(|p| {
                p.ranges.push(v1::PlannedRange {
                    follow: true,
                    unswept: true,
                    ..range("2001::/16")
                });
            }),
            "range 2001::/16: lies outside what this agent allows",
        ),
        (
            change(|p| {
                p.ranges.push(v1::PlannedRange {
                    follow: true,
                    unswept: true,
                    ..range("10.0.0.0/8")
                });
            }),
            "range 10.0.0.0/8: overlaps another",
        ),
        (
            change(|p| {
                p.questions.as_mut().unwrap().if_arc[0].addresses = vec!["1.3.6.1".into(); 5];
            }),
            "if_arc 99999, addresses: more than 4",
        ),
        (
            with_range("10.1.0.128/25"),
            "range 10.1.0.128/25: overlaps another",
        ),
        (
            change(|p| p.ranges[0].port = 0),
            "range 10.1.0.0/24: port must be",
        ),
        (
            change(|p| p.ranges[0].credential_name.clear()),
            "range 10.1.0.0/24: there is no credential \"\"",
        ),
        (
            change(|p| p.ranges = vec![range("10.1.0.0/24"); 1_001]),
            "ranges: more than 1000",
        ),
        (
            change(|p| p.ranges = (0..17).map(|n| range(&format!("10.{n}.0.0/16"))).collect()),
            "ranges: more than 1048576 addresses",
        ),
        (
            change(|p| p.ranges[0].excluded = vec!["10.1.0.1".into(); 10_001]),
            "excluded: more than 10000",
        ),
    ] {
        let mut plan = plan();
        change(&mut plan);
        let error = check(&plan, &bounds()).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}\nexpected {expected}");
        assert!(
            error.chars().count() <= most::MAX_REASON_CHARS + 2 && !error.contains("hunter2"),
            "{error}"
        );
    }
}

#[test]
fn a_credential_for_some_roles_is_used_where_the_plan_says_one_of_them() {
    let mut plan = plan();
    plan.targets[0].credential_name = "radio".to_owned();
    plan.targets[0].role = v1::PlanRole::Ran.into();
    plan.ranges[0].credential_name = "radio".to_owned();
    plan.ranges[0].role = v1::PlanRole::Ran.into();
    // Where the credential is for all roles, one that this agent does not know does no harm.
    plan.targets[1].role = 99;
    assert_eq!(check(&plan, &bounds()).unwrap().assignments.len(), 3);
}

#[test]
fn an_address_is_there_once_in_each_context() {
    let mut plan = plan();
    let red = v1::PlannedTarget {
        credential_name: "red".to_owned(),
        ..target("10.0.0.1")
    };
    plan.targets.push(red.clone());
    let checked = check(&plan, &bounds()).unwrap();
    let shown: Vec<_> = checked
        .assignments
        .iter()
        .map(|one| one.target.to_string())
        .collect();
    assert_eq!(
        shown,
        [
            "10.0.0.1:161",
            "[2001:db8::1]:161",
            "192.0.2.1:161",
            "10.0.0.1:161 in red"
        ]
    );
    plan.targets.push(red);
    assert_eq!(
        check(&plan, &bounds()).unwrap_err().to_string(),
        "target 10.0.0.1:161: is there twice"
    );
}

#[test]
fn a_reason_is_short_and_plain() {
    let mut long = plan();
    long.targets.push(target(&"x\n".repeat(10_000)));
    long.targets[0].credential_name = "y".repeat(10_000);
    let error = check(&long, &bounds()).unwrap_err().to_string();
    assert!(error.chars().count() <= most::MAX_REASON_CHARS + 2, "{error}");
    assert!(!error.contains('\n'));
}

#[test]
fn without_a_word_of_the_operator_only_private_addresses_are_allowed() {
    let credential = crate::testing::community("x");
    let bounds = Bounds::new(
        &CollectorPlanConfig::default(),
        [crate::testing::scoped("core", &credential)].into(),
    );
    for (address, allowed) in [
        ("10.9.9.9", true),
        ("172.31.0.1", true),
        ("192.168.1.1", true),
        ("fd00::1", true),
        ("127.0.0.1", false),
        ("::1", false),
        ("169.254.1.1", false),
        ("fe80::1", false),
        ("192.0.2.1", false),
        ("2001:db8::1", false),
        ("172.32.0.1", false),
    ] {
        let plan = v1::Plan {
            id: plan().id,
            targets: vec![target(address)],
            ..v1::Plan::default()
        };
        assert_eq!(check(&plan, &bounds).is_ok(), allowed, "{address}");
    }
}
