//! Reports as an agent would make them, of elements that are not there.
//!
//! Invariants: what is made depends on the order of the calls alone, so that two
//! runs send the same; each report in full shows something new, so that nothing
//! is cheaper than in the worst case; a digest is that of the last report in full.

use crate::kind::dice::Dice;
use prost::Message as _;
use prost::bytes::Bytes;
use proto::v1;

/// Of so many reports of a backlog one shows a change.
const CHANGED_IN: u64 = 50;
/// Microseconds since 1970 at which the first round begins.
const BEGIN_MICROS: i64 = 1_750_000_000_000_000;
/// Between two reports.
const PAUSE_MICROS: i64 = 1_000;

/// What reports are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mix {
    /// Access switches that all changed, about 1.6 kB each.
    Switch,
    /// A fleet that changed as a whole: of 20 elements 14 access switches, 3 cameras, 2 radio
    /// units and 1 chassis; about 2.7 kB in the mean.
    Fleet,
    /// The same fleet with restricted makers in it: one radio unit and one camera of 20.
    Network,
    /// The same fleet, of which nothing changed: digests.
    Unchanged,
    /// The same fleet after a long cut: one report in 50 shows a change.
    Backlog,
}

/// One kind of element: what it says of itself, and about how many octets its evidence has.
struct Kind {
    descr: &'static str,
    enterprise: &'static [u8],
    maker: &'static str,
    model: &'static str,
    octets: usize,
}

const SWITCH: Kind = Kind {
    descr: "Juniper Networks, Inc. ex4300-48t Ethernet Switch, kernel JUNOS 21.4R3",
    enterprise: &[0x94, 0x4c],
    maker: "Juniper Networks",
    model: "EX4300-48T",
    octets: 1_380,
};
const CAMERA: Kind = Kind {
    descr: "AXIS P3265-LVE Network Camera 11.5.64",
    enterprise: &[0x82, 0xec],
    maker: "Axis",
    model: "P3265-LVE",
    octets: 250,
};
const RADIO: Kind = Kind {
    descr: "Nokia AirScale RF module AEQE, SBTS23R2",
    enterprise: &[0x95, 0x1f],
    maker: "Nokia",
    model: "AEQE",
    octets: 1_600,
};
const CHASSIS: Kind = Kind {
    descr: "Cisco IOS XR Software (ASR9K), Version 7.5.2",
    enterprise: &[0x09],
    maker: "Cisco Systems, Inc.",
    model: "ASR-9010",
    octets: 27_000,
};

const RULED_CAMERA: Kind = Kind {
    descr: "Hikvision DS-2CD2T87G2-L Network Camera",
    enterprise: &[0x82, 0xb1, 0x7f],
    maker: "Hikvision",
    model: "DS-2CD2T87G2-L",
    octets: 250,
};
const RULED_RADIO: Kind = Kind {
    descr: "Huawei BTS3900 Multi-mode Base Station",
    enterprise: &[0x8f, 0x5b],
    maker: "Huawei Technologies Co., Ltd.",
    model: "RRU3908",
    octets: 1_600,
};

/// A fleet with restricted makers in it.
fn ruled(element: usize) -> &'static Kind {
    match element % 20 {
        14 => &RULED_CAMERA,
        17 => &RULED_RADIO,
        _ => kind(element),
    }
}

fn kind(element: usize) -> &'static Kind {
    match element % 20 {
        0..14 => &SWITCH,
        14..17 => &CAMERA,
        17..19 => &RADIO,
        _ => &CHASSIS,
    }
}

/// The elements and what was said of them last.
#[derive(Debug)]
pub struct Fleet {
    made: u64,
    last: Vec<Option<[u8; 32]>>,
}

impl Fleet {
    /// So many elements, of which nothing was said yet; they are reported in turns.
    #[must_use]
    pub fn new(elements: usize) -> Self {
        Self {
            made: 0,
            last: vec![None; elements.max(1)],
        }
    }

    /// So many further reports, encoded as an agent spools them; the last one in full,
    /// so that none waits for company.
    pub fn make(&mut self, mix: Mix, count: usize) -> Vec<Bytes> {
        (1..=count)
            .map(|n| self.next(if n == count { Mix::Switch } else { mix }))
            .collect()
    }

    /// So many reports that nothing changed, without a last one in full; in full all
    /// the same for an element of which nothing was said before.
    pub fn digests(&mut self, count: usize) -> Vec<Bytes> {
        (0..count).map(|_| self.next(Mix::Unchanged)).collect()
    }

    fn next(&mut self, mix: Mix) -> Bytes {
        let number = self.made;
        self.made += 1;
        let element = usize::try_from(number).unwrap_or_default() % self.last.len();
        let known = self.last.get(element).copied().flatten();
        let digest = match mix {
            Mix::Switch | Mix::Fleet | Mix::Network => None,
            Mix::Unchanged => known,
            Mix::Backlog => known.filter(|_| !number.is_multiple_of(CHANGED_IN)),
        };
        let mut evidence = None;
        let digest = digest.unwrap_or_else(|| {
            let kind = match mix {
                Mix::Switch => &SWITCH,
                Mix::Network => ruled(element),
                _ => kind(element),
            };
            let encoded = shown(kind, element, number).encode_to_vec();
            let digest = proto::digest::of_evidence(&encoded);
            evidence = Some(Bytes::from(encoded));
            digest
        });
        if let Some(last) = self.last.get_mut(element) {
            *last = Some(digest);
        }
        report(element, number, digest, evidence).encode_to_vec().into()
    }
}

/// Where an element of a fleet answers.
pub(super) fn address(element: usize) -> String {
    let (net, host) = (element / 250, element % 250 + 1);
    format!("10.{}.{}.{host}", 30 + net / 250, net % 250)
}

fn report(element: usize, number: u64, digest: [u8; 32], evidence: Option<Bytes>) -> v1::Report {
    let started_micros = BEGIN_MICROS + i64::try_from(number).unwrap_or_default() * PAUSE_MICROS;
    let dice = Dice::new(&format!("cost {number}")).roll();
    let uptime = u32::try_from(dice % 400_000_000).unwrap_or_default();
    let small = |below: u64| u32::try_from(dice % below).unwrap_or_default();
    v1::Report {
        target: Some(v1::Target {
            address: address(element),
            port: 161,
            context: String::new(),
        }),
        started_micros,
        finished_micros: started_micros + 40_000 + i64::from(small(50_000)),
        completeness: v1::Completeness::Complete.into(),
        evidence_digest: Bytes::copy_from_slice(&digest),
        evidence,
        readings: vec![varbind(
            &[0x2b, 6, 1, 2, 1, 1, 3, 0],
            0x43,
            uptime.to_be_bytes().to_vec(),
        )],
        cost: Some(v1::Cost {
            requests: 8 + small(5),
            retries: 0,
            varbinds: 134 + small(9),
        }),
        refreshed: false,
        evidence_zstd: None,
    }
}

/// System scalars and entPhysicalTable (RFC 6933), as many rows as it takes.
fn shown(kind: &Kind, element: usize, number: u64) -> v1::Evidence {
    let scalar = |n: u8| vec![0x2b, 6, 1, 2, 1, 1, n, 0];
    let object_id = [&[0x2b, 6, 1, 4, 1], kind.enterprise, &[1, 1, 2]].concat();
    let system = [
        varbind(&scalar(1), 4, kind.descr.into()),
        varbind(&scalar(2), 6, object_id),
        varbind(&scalar(5), 4, format!("lab-{element}").into()),
        varbind(&scalar(7), 2, vec![6]),
    ];
    let mut rows = Vec::new();
    let mut octets: usize = system.iter().map(v1::Varbind::encoded_len).sum();
    for row in 1u8..=127 {
        if octets >= kind.octets {
            break;
        }
        for varbind in component(kind, number, row) {
            octets += varbind.encoded_len() + 2;
            rows.push(varbind);
        }
    }
    // More rows than one octet of an index names: one long table stands for many.
    let mut more = 0u8;
    while octets < kind.octets {
        more = more.wrapping_add(1);
        let oid = [0x2b, 6, 1, 2, 1, 2, 2, 1, 6, 0x81, more % 128];
        let mac = Dice::new(&format!("mac {number} {more} {octets}")).roll();
        let value = varbind(&oid, 4, mac.to_be_bytes().into_iter().take(6).collect());
        octets += value.encoded_len() + 2;
        rows.push(value);
    }
    v1::Evidence {
        observations: vec![
            observation(v1::QuestionKind::Get, scalar(0), system.to_vec()),
            observation(v1::QuestionKind::Walk, vec![0x2b, 6, 1, 2, 1, 47, 1, 1, 1], rows),
        ],
    }
}

/// One row of entPhysicalTable: descr, class, name, serial, maker, model.
fn component(kind: &Kind, number: u64, row: u8) -> [v1::Varbind; 6] {
    let column = |n: u8| [0x2b, 6, 1, 2, 1, 47, 1, 1, 1, 1, n, row];
    let serial = Dice::new(&format!("serial {number} {row}")).roll();
    // RFC 6933: chassis(3), container(5), powerSupply(6), module(9), port(10).
    let class = match row {
        1 => 3,
        2 => 6,
        n if n % 2 == 0 => 9,
        _ => 10,
    };
    [
        varbind(&column(2), 4, format!("{} part {row}", kind.model).into()),
        varbind(&column(5), 2, vec![class]),
        varbind(&column(7), 4, format!("slot 0/{row}").into()),
        varbind(&column(11), 4, format!("{serial:016X}").into()),
        varbind(&column(12), 4, kind.maker.into()),
        varbind(&column(13), 4, kind.model.into()),
    ]
}

fn observation(kind: v1::QuestionKind, oid: Vec<u8>, varbinds: Vec<v1::Varbind>) -> v1::Observation {
    v1::Observation {
        kind: kind.into(),
        oids: vec![oid.into()],
        outcome: v1::Outcome::Complete.into(),
        varbinds,
    }
}

fn varbind(oid: &[u8], tag: u32, value: Vec<u8>) -> v1::Varbind {
    v1::Varbind {
        oid: Bytes::copy_from_slice(oid),
        tag,
        value: value.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ELEMENTS: usize = 1_000;

    fn mean(reports: &[Bytes]) -> usize {
        reports.iter().map(Bytes::len).sum::<usize>() / reports.len()
    }

    #[test]
    fn reports_are_as_large_as_they_are_said_to_be() {
        let mut fleet = Fleet::new(ELEMENTS);
        let switches = mean(&fleet.make(Mix::Switch, 2_000));
        assert!((1_500..1_700).contains(&switches), "{switches}");
        let mixed = mean(&fleet.make(Mix::Fleet, 2_000));
        assert!((2_600..2_850).contains(&mixed), "{mixed}");
    }

    #[test]
    fn a_digest_is_that_of_the_last_report_in_full() {
        let mut fleet = Fleet::new(ELEMENTS);
        let read = |reports: Vec<Bytes>| -> Vec<v1::Report> {
            reports
                .into_iter()
                .map(|r| v1::Report::decode(r).unwrap())
                .collect()
        };
        let first = read(fleet.make(Mix::Fleet, ELEMENTS));
        let second = read(fleet.make(Mix::Unchanged, ELEMENTS));
        for (full, digest) in first.iter().zip(&second).take(ELEMENTS - 1) {
            assert_eq!(full.target, digest.target);
            assert_eq!(full.evidence_digest, digest.evidence_digest);
            let evidence = full.evidence.as_ref().unwrap();
            assert_eq!(full.evidence_digest[..], proto::digest::of_evidence(evidence));
            assert!(digest.evidence.is_none());
        }
        assert!(
            second[ELEMENTS - 1].evidence.is_some(),
            "the last waits for nobody"
        );
        let third = read(fleet.make(Mix::Backlog, ELEMENTS));
        let full = third.iter().filter(|report| report.evidence.is_some()).count();
        assert_eq!(full, ELEMENTS / 50 + 1);
        let serials = |reports: &[v1::Report]| {
            let digests = reports.iter().map(|report| report.evidence_digest.clone());
            digests.collect::<std::collections::BTreeSet<_>>().len()
        };
        assert_eq!(serials(&first), ELEMENTS, "each shows something of its own");
        assert!(
            third
                .iter()
                .zip(&second)
                .all(|(late, early)| late.started_micros > early.started_micros)
        );
    }
}
