//! Evidence and what is concluded from it: any bytes end in a bounded answer or are refused.

#![no_main]

use identify::Knowledge;
use libfuzzer_sys::fuzz_target;
use model::{Evidence, Observation, Oid, Outcome, Question, QuestionKind, Value, Varbind};

/// Where names that count begin; two octets of the input choose one and its last arc.
const ROOTS: [&str; 10] = [
    "1.3.6.1.2.1.1",
    "1.3.6.1.2.1.2.2.1.6",
    "1.3.6.1.2.1.47.1.1.1.1",
    "1.3.6.1.6.3.10.2.1.1",
    "1.3.6.1.2.1.33.1.1.1",
    "1.3.6.1.2.1.17.1.1",
    "1.0.8802.1.1.2.1.4.1.1",
    "1.3.6.1.4.1.9.9.23.1.2.1.1",
    "1.3.6.1.2.1.4.22.1.2",
    "1.3.6.1.4.1",
];

fuzz_target!(|data: &[u8]| {
    let knowledge = Knowledge::built_in().expect("the built-in knowledge");
    if let Ok(evidence) = collector::ingest::decode_evidence(data) {
        bounded(&evidence, knowledge);
    }
    bounded(&plausible(data), knowledge);
});

/// Name, tag, length, octets; again and again.
fn plausible(mut rest: &[u8]) -> Evidence {
    let mut varbinds = Vec::new();
    while let [root, column, row, tag, length, more @ ..] = rest {
        let (octets, left) = more.split_at((*length as usize).min(more.len()));
        let root: Oid = ROOTS[*root as usize % ROOTS.len()].parse().expect("a name");
        varbinds.push(Varbind {
            oid: root.child(&[(*column).into(), (*row).into()]),
            value: Value {
                tag: *tag,
                octets: octets.to_vec(),
            },
        });
        rest = left;
    }
    let question = Question {
        kind: QuestionKind::Walk,
        oids: Vec::new(),
    };
    Evidence {
        observations: vec![Observation {
            question,
            outcome: Outcome::Complete,
            varbinds,
        }],
    }
}

fn bounded(evidence: &Evidence, knowledge: &'static Knowledge) {
    let found = identify::identify(evidence, knowledge);
    for attribution in found.maker.iter().chain(&found.brand) {
        assert!((0.0..=1.0).contains(&attribution.confidence));
    }
    let neighbours = identify::neighbour::neighbours(evidence);
    let makers = identify::neighbour::makers(&neighbours, knowledge);
    assert!(makers.iter().flatten().all(|maker| maker.confidence < 0.5));
    assert!(!identify::units::hardware(&found).is_empty());
    assert!(
        found
            .claims
            .iter()
            .all(|claim| claim.evidence.octets_hex.len() <= 512)
    );
}
