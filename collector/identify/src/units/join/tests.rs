//! One unit at several places, clones, proposals, and what the operator decides.

use super::*;
use model::{Digest, ElementId, Instant, UnitIdentity};

const MAC: &str = "00:e0:fc:12:34:56";
const OTHER_MAC: &str = "00:e0:fc:65:43:21";
const ENGINE: &str = "800007db0300e0fc123456";

/// What an element shows: serial, address, engine, model, name, from, seen.
type Row = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    i64,
    i64,
);

fn tenures(rows: &[Row]) -> Vec<Tenure> {
    let own = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    rows.iter()
        .map(|&(serial, mac, engine, model, name, from, seen)| Tenure {
            element: ElementId::generate(),
            slot: 0,
            from: Instant(from),
            until: None,
            seen: Instant(seen),
            first: Digest([1; 32]),
            last: Digest([1; 32]),
            replaces: None,
            hardware: Hardware {
                identity: UnitIdentity {
                    serial: own(serial),
                    base_mac: own(mac),
                    engine_id: own(engine),
                    model: own(model),
                    sys_name: own(name),
                    ..UnitIdentity::default()
                },
                maker: Some(model::SupplierRef {
                    id: "huawei".into(),
                    name: "Huawei".into(),
                }),
                member: false,
            },
        })
        .collect()
}

/// How many units, and the codes of the doubts at the first.
fn joined(tenures: &[Tenure], decisions: &[Decision]) -> (usize, Vec<&'static str>) {
    let joined = join(tenures, decisions, &BTreeSet::new());
    let units: BTreeSet<_> = joined.units.iter().collect();
    let at_first = joined
        .doubts
        .iter()
        .filter(|doubt| doubt.about.0 == tenures[0].element);
    (units.len(), at_first.map(|doubt| doubt.code).collect())
}

#[test]
fn strong_keys_join_unless_something_contradicts() {
    let cases: [(&str, [Row; 2], usize, &[&str]); 14] = [
        (
            "two addresses of one box",
            [
                ("SN12345", MAC, ENGINE, "m", "a", 1, 9),
                ("SN12345", MAC, ENGINE, "m", "a", 2, 9),
            ],
            1,
            &[],
        ),
        (
            "a virtual router of it",
            [
                ("SN12345", MAC, "", "m", "a", 1, 9),
                ("SN12345", MAC, "", "m", "vrf", 2, 9),
            ],
            1,
            &[],
        ),
        (
            "serial alone, same name",
            [
                ("SN12345", "", "", "m", "a", 1, 9),
                ("SN12345", "", "", "m", "a", 2, 9),
            ],
            1,
            &[],
        ),
        (
            "serial alone, another name",
            [
                ("SN12345", "", "", "m", "a", 1, 9),
                ("SN12345", "", "", "m", "b", 2, 9),
            ],
            2,
            &["perhaps_same"],
        ),
        (
            "moved",
            [
                ("SN12345", MAC, "", "m", "a", 1, 3),
                ("SN12345", MAC, "", "m", "b", 5, 9),
            ],
            1,
            &[],
        ),
        (
            "moved with another card",
            [
                ("SN12345", MAC, "", "m", "a", 1, 3),
                ("SN12345", OTHER_MAC, "", "m", "b", 5, 9),
            ],
            2,
            &["perhaps_same"],
        ),
        (
            "cloned serial",
            [
                ("SN12345", MAC, "", "m", "a", 1, 9),
                ("SN12345", OTHER_MAC, "", "m", "b", 2, 9),
            ],
            2,
            &["cloned_key"],
        ),
        (
            "cloned engine",
            [
                ("SN12345", MAC, ENGINE, "m", "a", 1, 9),
                ("SN54321", OTHER_MAC, ENGINE, "m", "b", 2, 9),
            ],
            2,
            &["cloned_key"],
        ),
        (
            "engine of another model",
            [("", "", ENGINE, "m", "a", 1, 9), ("", "", ENGINE, "n", "b", 2, 9)],
            2,
            &["cloned_key"],
        ),
        (
            "engine taken over with the configuration",
            [
                ("SN12345", "", ENGINE, "m", "a", 1, 3),
                ("SN54321", "", ENGINE, "m", "a", 5, 9),
            ],
            2,
            &[],
        ),
        (
            "engine alone",
            [("", "", ENGINE, "m", "", 1, 9), ("", "", ENGINE, "m", "", 2, 9)],
            2,
            &["perhaps_same"],
        ),
        (
            "engine and name",
            [("", "", ENGINE, "m", "a", 1, 9), ("", "", ENGINE, "m", "a", 2, 9)],
            1,
            &[],
        ),
        (
            "weak words",
            [("", "", "", "m", "a", 1, 9), ("", "", "", "m", "a", 2, 9)],
            2,
            &[],
        ),
        (
            "two keys for one against",
            [
                ("SN12345", MAC, ENGINE, "m", "a", 1, 9),
                ("SN12345", OTHER_MAC, ENGINE, "m", "a", 2, 9),
            ],
            2,
            &["perhaps_same"],
        ),
    ];
    for (name, rows, units, doubts) in cases {
        assert_eq!(joined(&tenures(&rows), &[]), (units, doubts.to_vec()), "{name}");
    }
}

#[test]
fn a_clone_keeps_its_key_from_joining_a_third() {
    let rows = tenures(&[
        ("SN12345", MAC, "", "m", "a", 1, 9),
        ("SN12345", OTHER_MAC, "", "m", "b", 1, 9),
        ("SN12345", "", "", "m", "a", 1, 9),
        ("SN12345", MAC, "", "m", "a", 1, 9),
    ]);
    let found = join(&rows, &[], &BTreeSet::new());
    assert_eq!(found.units[0], found.units[3], "the address is nobody else's");
    assert_ne!(found.units[0], found.units[1]);
    assert_ne!(
        found.units[0], found.units[2],
        "the serial number alone is not enough here"
    );
    assert!(
        found
            .doubts
            .iter()
            .any(|d| d.about.0 == rows[2].element && d.code == "perhaps_same")
    );
}

#[test]
fn the_operator_joins_and_parts_and_the_later_word_holds() {
    let rows = tenures(&[
        ("SN12345", MAC, ENGINE, "m", "a", 1, 9),
        ("SN12345", MAC, ENGINE, "m", "a", 2, 9),
    ]);
    let handle = |at: usize| Handle {
        element: rows[at].element,
        word: format!("mac {MAC}"),
    };
    let split = |at| Decision {
        one: handle(1),
        other: None,
        at: Instant(at),
    };
    let merge = |at| Decision {
        one: handle(1),
        other: Some(handle(0)),
        at: Instant(at),
    };
    assert_eq!(joined(&rows, &[split(1)]), (2, vec![]));
    assert_eq!(joined(&rows, &[split(1), merge(2)]), (1, vec![]));
    assert_eq!(joined(&rows, &[split(3), merge(2)]), (2, vec![]));
    let mut strangers = tenures(&[("", "", "", "m", "a", 1, 9), ("", "", "", "m", "b", 2, 9)]);
    let silent = |at: usize| Handle {
        element: strangers[at].element,
        word: String::new(),
    };
    let together = Decision {
        one: silent(0),
        other: Some(silent(1)),
        at: Instant(1),
    };
    assert_eq!(joined(&strangers, std::slice::from_ref(&together)).0, 1);
    // Other hardware at that place is not meant.
    strangers[0].hardware.identity.serial = Some("SN99999".into());
    assert_eq!(joined(&strangers, &[together]).0, 2);
}

#[test]
fn what_too_many_tell_joins_nobody_and_the_order_does_not_matter() {
    let row: Row = ("", MAC, "", "m", "a", 1, 9);
    let many = tenures(&[row, row]);
    let found = join(&many, &[], &BTreeSet::from([format!("mac {MAC}")]));
    assert_ne!(found.units[0], found.units[1]);
    assert!(found.doubts.iter().all(|doubt| doubt.code == "common_key"));
    assert_eq!(found.doubts.len(), 2);
    let few = tenures(&[
        row,
        ("SN12345", MAC, "", "m", "a", 3, 9),
        ("SN12345", "", "", "m", "a", 2, 9),
    ]);
    let reversed: Vec<_> = few.iter().rev().cloned().collect();
    let (one, other) = (
        join(&few, &[], &BTreeSet::new()),
        join(&reversed, &[], &BTreeSet::new()),
    );
    assert_eq!(one.doubts, other.doubts);
    assert_eq!(one.units, other.units.into_iter().rev().collect::<Vec<_>>());
    assert_eq!(one.units[0], one.units[2]);
}
