//! Whatever arrives, identification ends with a bounded answer: no panic, confidences in range.

#![allow(clippy::unwrap_used, reason = "helpers of tests may stop the test")]

use identify::{Knowledge, identify, neighbour, recording, units};
use model::{
    Digest, ElementId, Evidence, Hardware, Instant, Observation, Oid, Outcome, Question, QuestionKind, Shown,
    SupplierRef, UnitIdentity, Value, Varbind,
};
use proptest::prelude::*;
use std::collections::BTreeSet;

fn evidence(varbinds: Vec<Varbind>) -> Evidence {
    let question = Question {
        kind: QuestionKind::Walk,
        oids: Vec::new(),
    };
    Evidence {
        observations: vec![Observation {
            question,
            outcome: Outcome::TimedOut,
            varbinds,
        }],
    }
}

/// Names near those that count, so that hostile values reach every reader.
fn name() -> impl Strategy<Value = Oid> {
    const ROOTS: [&str; 8] = [
        "1.3.6.1.2.1.1",
        "1.3.6.1.2.1.2.2.1",
        "1.3.6.1.2.1.47.1.1.1.1",
        "1.3.6.1.6.3.10.2.1.1",
        "1.3.6.1.2.1.33.1.1.1",
        "1.3.6.1.4.1",
        "1.3.6.1.4.1.48690.2.2.1",
        "1.3.6.1.4.1.2011.5.25.31.1.1.3.1",
    ];
    (
        proptest::sample::select(&ROOTS[..]),
        proptest::collection::vec(0_u32..14, 0..4),
    )
        .prop_map(|(root, arcs)| root.parse::<Oid>().unwrap().child(&arcs))
}

/// Names of tables that tell of others.
fn beside() -> impl Strategy<Value = Oid> {
    const ROOTS: [&str; 7] = [
        "1.0.8802.1.1.2.1.4.1.1",
        "1.0.8802.1.1.2.1.4.2.1",
        "1.3.111.2.802.1.1.13.1.4.1.1",
        "1.3.6.1.4.1.9.9.23.1.2.1.1",
        "1.3.6.1.2.1.4.22.1.2",
        "1.3.6.1.2.1.4.35.1.4",
        "1.3.6.1.2.1.17.4.3.1.2",
    ];
    (
        proptest::sample::select(&ROOTS[..]),
        proptest::collection::vec(0_u32..14, 0..9),
    )
        .prop_map(|(root, arcs)| root.parse::<Oid>().unwrap().child(&arcs))
}

/// What an element showed, in order, of few words so that they meet.
fn shown() -> impl Strategy<Value = Vec<Shown>> {
    let word = |words: &'static [&'static str]| proptest::option::of(proptest::sample::select(words));
    let one = (
        word(&["SN11111", "SN22222", "SN33333"]),
        word(&["00:e0:fc:00:00:01", "00:e0:fc:00:00:02"]),
        word(&["800007db0300e0fc123456", "800007db0300e0fc654321"]),
        any::<bool>(),
    );
    let hardware = one.prop_map(|(serial, base_mac, engine_id, member)| Hardware {
        identity: UnitIdentity {
            serial: serial.map(str::to_owned),
            base_mac: base_mac.map(str::to_owned),
            engine_id: engine_id.map(str::to_owned),
            ..UnitIdentity::default()
        },
        maker: Some(SupplierRef {
            id: "zte".into(),
            name: "ZTE".into(),
        }),
        member,
    });
    let round = (proptest::collection::vec(hardware, 1..4), any::<bool>());
    proptest::collection::vec(round, 0..8).prop_map(|rounds| {
        let show = |(n, (hardware, complete)): (i64, (Vec<Hardware>, bool))| Shown {
            digest: Digest([u8::try_from(n).unwrap(); 32]),
            from: Instant(n * 10),
            until: Instant(n * 10 + 5),
            complete,
            hardware,
        };
        (1..).zip(rounds).map(show).collect()
    })
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        (any::<u8>(), proptest::collection::vec(any::<u8>(), 0..40))
            .prop_map(|(tag, octets)| Value { tag, octets }),
        "[A-Za-z0-9 \u{00e9}\u{4e2d}.,()#-]{0,60}".prop_map(|text| Value::octet_string(text.into_bytes())),
        proptest::sample::select(
            &[
                "usb0",
                "for Huawei",
                "compatible",
                "with",
                "FS-HUAWEI",
                "-",
                "Cisco replacement for Huawei"
            ][..]
        )
        .prop_map(|text| Value::octet_string(text.as_bytes())),
        (0_i64..14).prop_map(|n| Value {
            tag: Value::INTEGER,
            octets: vec![u8::try_from(n).unwrap()]
        }),
        proptest::collection::vec(any::<u32>(), 0..8).prop_map(|arcs| {
            Value::object_identifier(&"1.3.6.1.4.1".parse::<Oid>().unwrap().child(&arcs))
        }),
    ]
}

proptest! {
    #[test]
    fn any_evidence_ends_in_an_answer(
        varbinds in proptest::collection::vec((name(), value()).prop_map(|(oid, value)| Varbind { oid, value }), 0..60)
    ) {
        let found = identify(&evidence(varbinds), Knowledge::built_in().unwrap());
        for attribution in found.maker.iter().chain(&found.brand) {
            prop_assert!((0.0..=1.0).contains(&attribution.confidence));
        }
        for claim in &found.claims {
            prop_assert!((0.0..=1.0).contains(&claim.confidence));
            prop_assert!(claim.evidence.octets_hex.len() <= 512);
        }
        for (at, part) in found.components.iter().enumerate() {
            if let Some(parent) = &part.parent {
                prop_assert!(found.components[..at].iter().any(|other| other.index == *parent));
            }
        }
    }

    #[test]
    fn any_tables_tell_of_neighbours_or_nobody(
        varbinds in proptest::collection::vec((beside(), value()).prop_map(|(oid, value)| Varbind { oid, value }), 0..60)
    ) {
        let evidence = evidence(varbinds);
        let found = neighbour::neighbours(&evidence);
        let makers = neighbour::makers(&found, Knowledge::built_in().unwrap());
        prop_assert_eq!(found.len(), makers.len());
        for maker in makers.iter().flatten() {
            prop_assert!((0.0..0.5).contains(&maker.confidence), "hearsay clears nobody");
        }
        for one in &found {
            prop_assert!(one.address.is_some() || one.mac.is_some() || !one.name.is_empty());
            prop_assert!(one.name.chars().count() <= 64 && one.description.chars().count() <= 255);
        }
        prop_assert!(neighbour::own_addresses(&evidence).len() <= 64);
    }

    #[test]
    fn histories_do_not_overlap_and_units_do_not_depend_on_the_order(shown in shown()) {
        let elements = [ElementId::generate(), ElementId::generate()];
        let mut all = Vec::new();
        for element in elements {
            let tenures = units::history(element, &shown);
            for (slot, tenure) in (0..).zip(&tenures) {
                prop_assert_eq!(tenure.slot, slot);
                prop_assert!(tenure.until.is_none_or(|until| until > tenure.from));
                prop_assert!(tenure.replaces.is_none_or(|before| before < slot));
                if let Some(before) = tenure.replaces.and_then(|before| tenures.get(before as usize)) {
                    prop_assert_eq!(before.until, Some(tenure.from), "a swap ends what stood there");
                }
            }
            prop_assert!(shown.is_empty() || tenures.iter().any(|tenure| tenure.until.is_none()));
            all.extend(tenures);
        }
        let joined = units::join(&all, &[], &BTreeSet::new());
        prop_assert_eq!(joined.units.len(), all.len());
        let reversed: Vec<_> = all.iter().rev().cloned().collect();
        let again = units::join(&reversed, &[], &BTreeSet::new());
        prop_assert_eq!(&joined.doubts, &again.doubts);
        prop_assert_eq!(joined.units, again.units.into_iter().rev().collect::<Vec<_>>());
    }

    #[test]
    fn any_file_is_a_recording_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = recording::read(&bytes);
    }

    #[test]
    fn lines_like_recordings_never_panic(text in "(\\.?1\\.3\\.[0-9.]{0,9}( = |\\|)[A-Za-z0-9:|()\" -]{0,20}\n){0,8}") {
        let _ = recording::read(text.as_bytes());
    }
}

#[test]
fn a_big_element_gives_a_bounded_answer() {
    let name = |text: &str| text.parse::<Oid>().unwrap();
    let (addresses, parts) = (name("1.3.6.1.2.1.2.2.1.6"), name("1.3.6.1.2.1.47.1.1.1.1"));
    let mut varbinds = Vec::new();
    for n in 0..140_000_u32 {
        let [_, b, c, d] = n.to_be_bytes();
        let octets = [0, 0xe0, 0xfc + b, c, d, 1];
        varbinds.push(Varbind {
            oid: addresses.child(&[n]),
            value: Value::octet_string(octets),
        });
        let inside = Value {
            tag: Value::INTEGER,
            octets: n.to_be_bytes().to_vec(),
        };
        varbinds.push(Varbind {
            oid: parts.child(&[4, n + 1]),
            value: inside,
        });
    }
    let found = identify(&evidence(varbinds), Knowledge::built_in().unwrap());
    assert_eq!(found.components.len(), 131_072);
    assert!(found.claims.len() <= 3, "{}", found.claims.len());
    assert!(
        found.claims[0].evidence.shown.ends_with("of 20000 addresses)"),
        "{}",
        found.claims[0].evidence.shown
    );
    for code in ["components_cut", "partial_evidence", "no_object_id"] {
        assert!(found.doubts.iter().any(|doubt| doubt.code == code), "{code}");
    }
}

#[test]
fn nothing_at_all_is_unknown() {
    let found = identify(&Evidence::default(), Knowledge::built_in().unwrap());
    assert_eq!((found.maker, found.brand, found.claims.len()), (None, None, 0));
    assert_eq!(found.doubts[0].code, "no_evidence");
}
