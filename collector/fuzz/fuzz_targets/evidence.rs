//! Evidence and what is concluded from it: any bytes end in a bounded answer or are refused.

#![no_main]

use identify::Knowledge;
use libfuzzer_sys::fuzz_target;
use model::{Evidence, Observation, Oid, Outcome, Question, QuestionKind, Value, Varbind};

/// A table or group that is read: where it lies, the columns that count, and an index of its form.
type Table = (&'static str, &'static [u32], &'static [u32]);

/// Everything that says something of the element, its parts or its neighbours. The first octet of an object chooses
/// the table, the second its column; the index is that of the table where an octet is above 127, else the octet.
const TABLES: [Table; 32] = [
    ("1.3.6.1.2.1.1", &[1, 2, 5], &[0]),
    ("1.3.6.1.6.3.10.2.1", &[1], &[0]),
    ("1.3.6.1.2.1.33.1.1", &[1], &[0]),
    ("1.0.8802.1.1.2.1.5.4795.1.2", &[6], &[0]),
    ("1.3.6.1.2.1.17.1", &[1], &[0]),
    ("1.0.8802.1.1.2.1.3", &[2], &[0]),
    ("1.3.111.2.802.1.1.13.1.3", &[2], &[0]),
    ("1.3.6.1.2.1.2.2.1", &[6, 2], &[1]),
    ("1.3.6.1.2.1.31.1.1.1", &[1], &[1]),
    (
        "1.3.6.1.2.1.47.1.1.1.1",
        &[12, 2, 3, 4, 5, 7, 8, 9, 10, 11, 13],
        &[1],
    ),
    ("1.0.8802.1.1.2.1.4.1.1", &[9, 4, 5, 10], &[0, 1, 1]),
    ("1.0.8802.1.1.2.1.4.2.1", &[3], &[0, 1, 1, 1, 4, 192, 0, 2, 1]),
    ("1.3.111.2.802.1.1.13.1.4.1.1", &[10, 5, 6, 11], &[0, 1, 1, 1]),
    (
        "1.3.111.2.802.1.1.13.1.4.2.1",
        &[3],
        &[0, 1, 1, 1, 1, 4, 192, 0, 2, 1],
    ),
    ("1.3.6.1.4.1.9.9.23.1.2.1.1", &[6, 4, 5, 8], &[1, 1]),
    ("1.3.6.1.2.1.4.22.1", &[2], &[1, 192, 0, 2, 1]),
    ("1.3.6.1.2.1.4.35.1", &[4], &[1, 1, 4, 192, 0, 2, 1]),
    ("1.3.6.1.2.1.17.4.3.1", &[2], &[0, 224, 252, 1, 2, 3]),
    ("1.3.6.1.2.1.17.7.1.2.2.1", &[2], &[1, 0, 224, 252, 1, 2, 3]),
    ("1.3.6.1.4.1.48690.2.2.1", &[5, 2, 4, 6, 7], &[1]),
    ("1.3.6.1.4.1.7483.2.2.7.3.1.3.1", &[12, 14, 19], &[1]),
    ("1.3.6.1.4.1.35265.1.23.53.1.1.1", &[5, 6, 10], &[1]),
    ("1.3.6.1.4.1.25506.2.70.1.1.1", &[4, 2, 5], &[1]),
    ("1.3.6.1.4.1.2011.5.25.31.1.1.3.1", &[24, 4, 25], &[1]),
    ("1.3.6.1.4.1.36673.100.1.2.2.1", &[26, 28, 29], &[1, 1]),
    ("1.3.6.1.4.1.6527.3.1.2.2.4.2.1", &[46, 31, 45], &[1, 1]),
    ("1.3.6.1.4.1.2011.10.2.70.1.1.1", &[4, 2, 5], &[1]),
    ("1.3.6.1.4.1.14988.1.1.19.1.1", &[11, 2, 12], &[1]),
    ("1.3.6.1.4.1.2011.2.235.1.1.6.50.1", &[2, 4, 13], &[1]),
    ("1.3.6.1.4.1.2011.2.235.1.1.15.50.1", &[2, 4, 10], &[1]),
    ("1.3.6.1.4.1.2011.2.235.1.1.16.50.1", &[3, 2, 11, 12], &[1]),
    (
        "1.3.6.1.4.1",
        &[2011, 9, 3902, 25506, 8072, 39165, 1_004_849],
        &[1, 1],
    ),
];

fuzz_target!(
    init: every_table_is_reached(),
    |data: &[u8]| {
        let knowledge = Knowledge::built_in().expect("the built-in knowledge");
        if let Ok(evidence) = collector::ingest::decode_evidence(data) {
            bounded(&evidence, knowledge);
        }
        bounded(&plausible(data), knowledge);
    }
);

/// That what is made here is what is read: one object of each table alone says something.
fn every_table_is_reached() {
    let knowledge = Knowledge::built_in().expect("the built-in knowledge");
    let values = [
        Value::octet_string(b"Huawei".as_slice()),
        Value::octet_string([0x00, 0xe0, 0xfc, 1, 2, 3]),
        Value::object_identifier(&"1.3.6.1.4.1.2011.1".parse().expect("a name")),
        Value::octet_string([0x80, 0, 0x07, 0xdb, 3, 0x00, 0xe0, 0xfc, 1, 2, 3]),
    ];
    let unit = |evidence: &Evidence| {
        let found = identify::identify(evidence, knowledge);
        let neighbours = identify::neighbour::neighbours(evidence);
        (
            found.claims.len(),
            found.components.len(),
            found.unit,
            neighbours.len(),
        )
    };
    let nothing = unit(&Evidence::default());
    for (table, columns, index) in TABLES {
        // Names of interfaces say something beside an address only.
        if table == "1.3.6.1.2.1.31.1.1.1" {
            continue;
        }
        let reached = values.iter().any(|value| {
            let oid = oid(table).child(&columns[..1]).child(index);
            let value = value.clone();
            unit(&observed(vec![Varbind { oid, value }])) != nothing
        });
        assert!(reached, "nothing reads {table}");
    }
}

fn oid(text: &str) -> Oid {
    text.parse().expect("a name")
}

/// Table, column, tag, length, index, octets; again and again.
fn plausible(mut rest: &[u8]) -> Evidence {
    let mut varbinds = Vec::new();
    while let [table, column, tag, length, more @ ..] = rest {
        let (table, columns, index) = TABLES[*table as usize % TABLES.len()];
        let column = columns[*column as usize % columns.len()];
        let (own, more) = more.split_at(index.len().min(more.len()));
        let arc = |(at, usual): (usize, &u32)| match own.get(at) {
            Some(octet) if *octet < 128 => (*octet).into(),
            _ => *usual,
        };
        let row: Vec<u32> = index.iter().enumerate().map(arc).collect();
        let (octets, left) = more.split_at((*length as usize).min(more.len()));
        varbinds.push(Varbind {
            oid: oid(table).child(&[column]).child(&row),
            value: Value {
                tag: *tag,
                octets: octets.to_vec(),
            },
        });
        rest = left;
    }
    observed(varbinds)
}

fn observed(varbinds: Vec<Varbind>) -> Evidence {
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
