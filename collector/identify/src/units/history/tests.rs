//! Swaps, and what is none.

use super::*;
use model::{Digest, Instant};

fn hardware(serial: &str, mac: &str, engine: &str) -> Hardware {
    let own = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Hardware {
        identity: UnitIdentity {
            serial: own(serial),
            base_mac: own(mac),
            engine_id: own(engine),
            ..UnitIdentity::default()
        },
        maker: None,
        member: false,
    }
}

fn shown(at: i64, complete: bool, hardware: Vec<Hardware>) -> Shown {
    Shown {
        digest: Digest([u8::try_from(at).unwrap(); 32]),
        from: Instant(at),
        until: Instant(at + 5),
        complete,
        hardware,
    }
}

/// Serial, from, until and the slot replaced of each tenure, for a row of single units.
fn told(rows: &[(&str, &str, &str, bool)]) -> Vec<String> {
    let all: Vec<Shown> = (1_i64..)
        .zip(rows)
        .map(|(n, (serial, mac, engine, complete))| {
            shown(n * 10, *complete, vec![hardware(serial, mac, engine)])
        })
        .collect();
    lines(&history(ElementId::generate(), &all))
}

fn lines(tenures: &[Tenure]) -> Vec<String> {
    let line = |tenure: &Tenure| {
        format!(
            "{} {}..{} {}",
            tenure.hardware.identity.serial.as_deref().unwrap_or("-"),
            tenure.from.0,
            tenure.until.map_or("now".to_owned(), |until| until.0.to_string()),
            tenure.replaces.map_or("-".to_owned(), |slot| slot.to_string()),
        )
    };
    tenures.iter().map(line).collect()
}

#[test]
fn a_swap_needs_hardware_evidence_on_both_sides() {
    type Row = (&'static str, &'static str, &'static str, bool);
    let cases: [(&str, &[Row], &[&str]); 12] = [
        ("nothing", &[], &[]),
        (
            "another serial",
            &[("a", "", "", true), ("b", "", "", true)],
            &["a 10..20 -", "b 20..now 0"],
        ),
        (
            "a line card took the lowest address",
            &[("a", "m1", "", true), ("a", "m2", "", true)],
            &["a 10..now -"],
        ),
        (
            "a lost serial",
            &[("a", "m", "", true), ("", "m", "", true), ("a", "m", "", true)],
            &["a 10..now -"],
        ),
        (
            "everything lost",
            &[("a", "m", "", true), ("", "", "", true), ("a", "m", "", true)],
            &["a 10..now -"],
        ),
        (
            "another after everything was lost",
            &[("a", "", "", true), ("", "", "", true), ("b", "", "", true)],
            &["a 10..30 -", "b 30..now 0"],
        ),
        (
            "a serial told late",
            &[("", "m", "", true), ("a", "m", "", true)],
            &["a 10..now -"],
        ),
        (
            "another address",
            &[("", "m1", "", true), ("", "m2", "", true)],
            &["- 10..20 -", "- 20..now 0"],
        ),
        (
            "another address, cut short",
            &[("", "m1", "", true), ("", "m2", "", false)],
            &["- 10..now -"],
        ),
        (
            "another address, same engine",
            &[("", "m1", "e", true), ("", "m2", "e", true)],
            &["- 10..now -"],
        ),
        (
            "another engine",
            &[("", "", "e1", true), ("", "", "e2", true)],
            &["- 10..now -"],
        ),
        (
            "another serial, cut short",
            &[("a", "", "", true), ("b", "", "", false)],
            &["a 10..20 -", "b 20..now 0"],
        ),
    ];
    for (name, rows, expected) in cases {
        assert_eq!(told(rows), expected, "{name}");
    }
}

#[test]
fn firmware_may_change_and_what_was_told_stays_known() {
    let mut before = hardware("a", "m", "e1");
    before.identity.software = Some("1.0".into());
    let mut after = hardware("a", "m", "e2");
    after.identity.software = Some("2.0".into());
    let poor = hardware("", "m", "");
    let tenures = history(
        ElementId::generate(),
        &[
            shown(10, true, vec![before]),
            shown(20, true, vec![after]),
            shown(30, false, vec![poor]),
        ],
    );
    assert_eq!(tenures.len(), 1);
    let identity = &tenures[0].hardware.identity;
    assert_eq!(
        (identity.software.as_deref(), identity.engine_id.as_deref()),
        (Some("2.0"), Some("e2"))
    );
    assert_eq!(
        (tenures[0].seen, tenures[0].first, tenures[0].last),
        (Instant(35), Digest([10; 32]), Digest([30; 32]))
    );
}

fn stack(serials: &[&str]) -> Vec<Hardware> {
    let member = |serial: &&str| Hardware {
        member: true,
        ..hardware(serial, "", "")
    };
    serials.iter().map(member).collect()
}

#[test]
fn members_of_a_stack_come_and_go_and_are_swapped_one_by_one() {
    let element = ElementId::generate();
    let all = [
        shown(10, true, vec![hardware("a", "m", "e")]),
        shown(20, true, stack(&["b", "a"])),
        shown(30, false, stack(&["b"])),
        shown(40, true, stack(&["a", "c"])),
        shown(50, true, vec![hardware("", "m", "e")]),
        shown(60, true, vec![hardware("a", "m", "e")]),
    ];
    assert_eq!(
        lines(&history(element, &all[..2])),
        ["a 10..now -", "b 20..now -"],
        "b joins"
    );
    assert_eq!(
        lines(&history(element, &all[..3])),
        ["a 10..now -", "b 20..now -"],
        "a walk cut short ends nothing"
    );
    assert_eq!(
        lines(&history(element, &all[..4])),
        ["a 10..now -", "b 20..40 -", "c 40..now 1"],
        "c replaces b"
    );
    let last = history(element, &all);
    assert_eq!(
        lines(&last),
        ["a 10..now -", "b 20..40 -", "c 40..60 1"],
        "c leaves, and its serial was not lost before"
    );
}

fn identity(serial: Option<&str>, mac: Option<&str>, engine: Option<&str>) -> UnitIdentity {
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
        (
            identity(Some("a"), None, None),
            identity(Some("b"), None, None),
            true,
        ),
        (
            identity(Some("a"), Some("m1"), None),
            identity(Some("a"), Some("m2"), None),
            false,
        ),
        (identity(Some("a"), None, None), identity(None, None, None), false),
        (
            identity(None, Some("m1"), None),
            identity(None, Some("m2"), None),
            true,
        ),
        (
            identity(None, Some("m1"), Some("e")),
            identity(None, Some("m2"), Some("e")),
            false,
        ),
        (
            identity(None, Some("m1"), Some("e1")),
            identity(None, Some("m2"), Some("e2")),
            true,
        ),
        (
            identity(None, None, Some("e1")),
            identity(None, None, Some("e2")),
            false,
        ),
        (
            identity(Some("a"), Some("m1"), None),
            identity(None, Some("m1"), None),
            false,
        ),
    ] {
        assert_eq!(is_other(&before, &now, true), other, "{before:?} {now:?}");
    }
}
