//! Whatever arrives, identification ends with a bounded answer: no panic, confidences in range.

#![allow(clippy::unwrap_used, reason = "helpers of tests may stop the test")]

use identify::{Knowledge, identify, recording};
use model::{Evidence, Observation, Oid, Outcome, Question, QuestionKind, Value, Varbind};
use proptest::prelude::*;

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
    for n in 0..30_000_u32 {
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
    assert_eq!(found.components.len(), 20_000);
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
