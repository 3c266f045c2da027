//! What an answer depends on, and what it does not: not on the order in which a device answered, not on
//! what it says about others or what operators wrote; and every claim says where it comes from.

#![allow(clippy::unwrap_used, reason = "helpers of tests may stop the test")]

use identify::{Knowledge, identify, recording};
use model::{Evidence, Identification, Observation, Oid, Outcome, Question, QuestionKind, Value, Varbind};
use proptest::prelude::*;

fn evidence(varbinds: Vec<Varbind>) -> Evidence {
    observed(vec![varbinds])
}

fn observed(parts: Vec<Vec<Varbind>>) -> Evidence {
    let observation = |varbinds| Observation {
        question: Question {
            kind: QuestionKind::Walk,
            oids: Vec::new(),
        },
        outcome: Outcome::Complete,
        varbinds,
    };
    Evidence {
        observations: parts.into_iter().map(observation).collect(),
    }
}

fn oid(text: &str) -> Oid {
    text.parse().unwrap()
}

fn recordings() -> Vec<(String, Vec<Varbind>)> {
    let folder = format!("{}/tests/data", env!("CARGO_MANIFEST_DIR"));
    let mut recordings: Vec<(String, Vec<Varbind>)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let read = recording::read(&std::fs::read(&path).unwrap()).unwrap();
            let varbinds = read.varbinds().cloned().collect();
            (path.file_name().unwrap().to_string_lossy().into_owned(), varbinds)
        })
        .collect();
    recordings.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(recordings.len() > 50);
    recordings
}

fn texts() -> impl Strategy<Value = String> {
    proptest::sample::select(
        &[
            "Huawei Technologies Co., Ltd.",
            "ZTE ZXR10 5928",
            "Hikvision company products",
            "to-HUAWEI-ME60",
            "Versatile Routing Platform Software",
            "DS-2CD2042WD",
            "Cisco IOS",
            "\u{0}\u{1b}]0;x",
        ][..],
    )
    .prop_map(str::to_owned)
}

/// What an object answers the second time: the same, or something else that may name another maker.
fn other_value() -> impl Strategy<Value = Option<Value>> {
    let number = proptest::sample::select(&[2011_u32, 9, 8072, 3902, 65130][..]);
    prop_oneof![
        Just(None),
        Just(Some(Value::octet_string(Vec::new()))),
        texts().prop_map(|text| Some(Value::octet_string(text.into_bytes()))),
        number.prop_map(|number| {
            let oid = oid("1.3.6.1.4.1").child(&[number, 1]);
            Some(Value::object_identifier(&oid))
        }),
        proptest::sample::select(&[[0, 0xe0, 0xfc, 1, 2, 3], [0, 0x90, 0x0b, 4, 5, 6]][..])
            .prop_map(|address| Some(Value::octet_string(address))),
        (1_u8..12).prop_map(|n| Some(Value {
            tag: Value::INTEGER,
            octets: vec![n]
        })),
    ]
}

/// Objects that speak of others, or that an operator writes.
fn unrelated() -> impl Strategy<Value = Varbind> {
    let columns = proptest::sample::select(
        &[
            "1.0.8802.1.1.2.1.4.1.1.9.0.1",
            "1.0.8802.1.1.2.1.4.1.1.10.0.1",
            "1.0.8802.1.1.2.1.4.1.1.5.0.1",
            "1.3.111.2.802.1.1.13.1.4.1.1.12.0.1",
            "1.3.6.1.4.1.9.9.23.1.2.1.1.6.3",
            "1.3.6.1.4.1.9.9.23.1.2.1.1.8.3",
            "1.3.6.1.2.1.1.4",
            "1.3.6.1.2.1.1.6",
            "1.3.6.1.2.1.31.1.1.1.18",
            "1.3.6.1.2.1.17.4.3.1.1",
            "1.3.6.1.2.1.17.7.1.2.2.1.2",
            "1.3.6.1.2.1.17.7.1.4.3.1.1",
            "1.3.6.1.2.1.4.22.1.2",
            "1.3.6.1.2.1.3.1.1.2",
            "1.3.6.1.2.1.25.4.2.1.2",
            "1.3.6.1.2.1.25.6.3.1.2",
            "1.3.6.1.2.1.47.1.1.1.1.14",
            "1.3.6.1.2.1.47.1.1.1.1.15",
            "1.3.6.1.3.94.1.12.1.8",
        ][..],
    );
    let address = proptest::sample::select(&[[0, 0xe0, 0xfc, 1, 2, 3], [0x4c, 0x11, 0xbf, 4, 5, 6]][..]);
    let value = prop_oneof![
        texts().prop_map(|text| Value::octet_string(text.into_bytes())),
        address.prop_map(Value::octet_string),
    ];
    (columns, 0_u32..40, value).prop_map(|(column, row, value)| Varbind {
        oid: oid(column).child(&[row]),
        value,
    })
}

/// All that an identification concludes about who made what.
fn conclusions(found: &Identification) -> String {
    format!(
        "{:?} {:?} {:?} {:?}",
        found.maker, found.brand, found.claims, found.doubts
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn the_order_of_answers_does_not_matter(
        at in any::<prop::sample::Index>(),
        again in proptest::collection::vec((any::<prop::sample::Index>(), other_value()), 0..8),
        seed in any::<u64>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let knowledge = Knowledge::built_in().unwrap();
        let recordings = recordings();
        let (name, varbinds) = at.get(&recordings);
        let mut straight = varbinds.clone();
        for (which, value) in again {
            let Varbind { oid, value: own } = which.get(varbinds).clone();
            straight.push(Varbind { oid, value: value.unwrap_or(own) });
        }
        let mut mixed = straight.clone();
        let mut state = seed | 1;
        for at in (1..mixed.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            mixed.swap(at, usize::try_from(state >> 33).unwrap() % (at + 1));
        }
        let second = mixed.split_off(cut.index(mixed.len()));
        let (mixed, straight) = (observed(vec![mixed, second]), evidence(straight));
        prop_assert_eq!(identify(&mixed, knowledge), identify(&straight, knowledge), "{}", name);
        let told = |evidence| identify::neighbour::neighbours(evidence).into_iter().collect::<std::collections::BTreeSet<_>>();
        prop_assert_eq!(told(&mixed), told(&straight), "{}", name);
    }

    #[test]
    fn what_is_said_about_others_changes_nothing(at in any::<prop::sample::Index>(), more in proptest::collection::vec(unrelated(), 1..12)) {
        let knowledge = Knowledge::built_in().unwrap();
        let recordings = recordings();
        let (name, varbinds) = at.get(&recordings);
        let parts: std::collections::BTreeSet<u32> = varbinds
            .iter()
            .filter(|v| v.oid.arcs().starts_with(&[1, 3, 6, 1, 2, 1, 47, 1, 1, 1, 1]))
            .filter_map(|v| v.oid.arcs().last().copied())
            .collect();
        // A row of entPhysicalTable that nothing else names is a part of its own.
        let more = more.into_iter().filter(|v| {
            !v.oid.arcs().starts_with(&[1, 3, 6, 1, 2, 1, 47]) || v.oid.arcs().last().is_some_and(|n| parts.contains(n))
        });
        let before = identify(&evidence(varbinds.clone()), knowledge);
        let all = more.chain(varbinds.iter().cloned()).collect();
        let after = identify(&evidence(all), knowledge);
        prop_assert_eq!(conclusions(&after), conclusions(&before), "{}", name);
    }
}

#[test]
fn every_claim_says_where_it_comes_from() {
    let knowledge = Knowledge::built_in().unwrap();
    let mut claims = 0;
    for (name, varbinds) in recordings() {
        for claim in identify(&evidence(varbinds.clone()), knowledge).claims {
            claims += 1;
            assert!(
                !claim.source.is_empty() && !claim.knowledge.is_empty(),
                "{name}: {claim:?}"
            );
            assert!(
                varbinds
                    .iter()
                    .any(|v| v.oid == claim.evidence.oid && v.value.tag == claim.evidence.tag),
                "{name}: {claim:?} rests on nothing that answered"
            );
        }
    }
    assert!(claims > 100, "{claims}");
}

#[test]
fn no_fact_names_a_recording() {
    for text in [
        include_str!("../knowledge/suppliers.tsv"),
        include_str!("../knowledge/enterprises.tsv"),
        include_str!("../knowledge/products.tsv"),
        include_str!("../knowledge/tables.tsv"),
        include_str!("../knowledge/noise.tsv"),
    ] {
        for word in ["snmprec", "recording", "librenms", "snmpsim"] {
            assert!(!text.to_lowercase().contains(word), "{word}");
        }
    }
}
