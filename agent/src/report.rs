//! A round as a report: redacted, judged for completeness, addressed by the
//! digest of its evidence.
//!
//! Invariants: the digest is taken over the very bytes of the evidence; evidence that is too
//! large to travel as it is travels packed; whatever elements send, a report fits the line,
//! and what was left out for that says so.

use crate::poll::Round;
use crate::redact::redact;
use crate::target::Target;
use prost::Message as _;
use prost::bytes::Bytes;
use prost::length_delimiter_len;
use proto::v1::{self, Completeness, Evidence, Outcome};
use std::time::{SystemTime, UNIX_EPOCH};

/// Room in a message for what is not evidence, and in evidence for what is not rows.
pub const MARGIN: usize = 65_536;
/// Evidence of so many bytes travels as it is.
pub const PLAIN: usize = proto::MAX_REPORT_BYTES - MARGIN;

/// What became of one round.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Whom it is about.
    pub target: Target,
    /// When it began.
    pub started: SystemTime,
    /// How long it took.
    pub took: std::time::Duration,
    /// How much of the plan was answered.
    pub completeness: Completeness,
    /// The observations, redacted.
    pub evidence: Evidence,
    /// Its encoded bytes.
    pub encoded: Bytes,
    /// The same packed, if they are too many to travel as they are.
    pub packed: Option<Bytes>,
    /// SHA-256 over them.
    pub digest: [u8; 32],
    /// Outside the evidence.
    pub readings: Vec<v1::Varbind>,
    /// What it cost the element.
    pub cost: v1::Cost,
    /// Datagrams from the element that could not be read or not be believed.
    pub undecodable: u32,
    /// Its engine was last seen at another address.
    pub engine_shared: bool,
    /// The element was asked its first question alone, which showed that nothing moved:
    /// digest and completeness are those of its last walk, and there is no evidence.
    pub refreshed: bool,
}

impl Report {
    /// Of one round, without what lies below `redacted`.
    #[must_use]
    pub fn new(target: Target, mut round: Round, redacted: &[Bytes]) -> Self {
        redact(&mut round.observations, &mut round.readings, redacted);
        let mut evidence = Evidence {
            observations: round.observations,
        };
        let (encoded, packed) = fitted(&mut evidence, PLAIN);
        let done = [Outcome::Complete as i32, Outcome::Redacted as i32];
        let completeness = if !round.answered {
            Completeness::Unreachable
        } else if evidence
            .observations
            .iter()
            .all(|observation| done.contains(&observation.outcome))
        {
            Completeness::Complete
        } else {
            Completeness::Partial
        };
        Self {
            target,
            started: round.started,
            took: round.took,
            completeness,
            digest: proto::digest::of_evidence(&encoded),
            evidence,
            encoded,
            packed,
            readings: round.readings,
            cost: round.cost,
            undecodable: round.undecodable,
            engine_shared: round.engine_shared,
            refreshed: false,
        }
    }

    /// Of a round that ended after its first answer, since nothing had moved since the walk
    /// that brought this evidence.
    #[must_use]
    pub fn refreshed(
        target: Target,
        mut round: Round,
        (digest, completeness): ([u8; 32], Completeness),
        redacted: &[Bytes],
    ) -> Self {
        redact(&mut Vec::new(), &mut round.readings, redacted);
        Self {
            target,
            started: round.started,
            took: round.took,
            completeness,
            evidence: Evidence::default(),
            encoded: Bytes::new(),
            packed: None,
            digest,
            readings: round.readings,
            cost: round.cost,
            undecodable: round.undecodable,
            engine_shared: round.engine_shared,
            refreshed: true,
        }
    }

    /// Lets go of what only this process reads: what is left travels.
    pub fn lighten(&mut self) {
        self.evidence = Evidence::default();
        if self.packed.is_some() {
            self.encoded = Bytes::new();
        }
    }

    /// As it travels, with its evidence or with the digest alone.
    #[must_use]
    pub fn encode(&self, with_evidence: bool) -> Vec<u8> {
        let started = self.started.duration_since(UNIX_EPOCH).unwrap_or_default();
        let micros = |time: std::time::Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        let with_evidence = with_evidence && !self.refreshed;
        v1::Report {
            target: Some(v1::Target {
                address: self.target.address().ip().to_string(),
                port: u32::from(self.target.address().port()),
                context: self.target.context().to_owned(),
            }),
            started_micros: micros(started),
            finished_micros: micros(started + self.took),
            completeness: self.completeness as i32,
            evidence_digest: Bytes::copy_from_slice(&self.digest),
            evidence: (with_evidence && self.packed.is_none()).then(|| self.encoded.clone()),
            evidence_zstd: self.packed.clone().filter(|_| with_evidence),
            readings: self.readings.clone(),
            cost: Some(self.cost),
            refreshed: self.refreshed,
        }
        .encode_to_vec()
    }
}

/// Evidence encoded, and packed if it is larger than `most`. What is larger even then is cut
/// where it has the most rows, until it fits.
fn fitted(evidence: &mut Evidence, most: usize) -> (Bytes, Option<Bytes>) {
    loop {
        let encoded = Bytes::from(evidence.encode_to_vec());
        if encoded.len() <= most {
            return (encoded, None);
        }
        match proto::packed::pack(&encoded) {
            Ok(packed) if packed.len() <= most => return (encoded, Some(packed.into())),
            // Random values: a quarter of the largest table goes at a time.
            _ if cut_largest(evidence) => {}
            // No rows are left: a plan with more questions than any plan may have.
            _ => return (encoded, None),
        }
    }
}

/// Whether there was something to cut.
fn cut_largest(evidence: &mut Evidence) -> bool {
    let bytes = |one: &v1::Observation| -> usize {
        let of_row = |row: &v1::Varbind| row.encoded_len() + length_delimiter_len(row.encoded_len());
        one.varbinds.iter().map(of_row).sum()
    };
    let largest = evidence.observations.iter_mut().max_by_key(|one| bytes(one));
    let Some(largest) = largest.filter(|one| !one.varbinds.is_empty()) else {
        return false;
    };
    metrics::counter!("marque_agent_report_cut_total").increment(1);
    largest.varbinds.truncate(largest.varbinds.len() * 3 / 4);
    largest.outcome = Outcome::Truncated as i32;
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Plan, Profile, Question, oid};
    use crate::poll::Room;
    use crate::poll::room::Budget;
    use proto::v1::{Observation, Varbind};
    use sha2::{Digest as _, Sha256};

    /// entPhysicalTable as chassis fill it, column by column: text, identifiers, small numbers,
    /// and serial numbers that nobody can guess.
    fn chassis(rows: u32) -> Observation {
        let plan = Plan::of(Profile::Full);
        let Some(Question::Walk(columns)) = plan.questions.get(1) else {
            panic!("the second question is about parts")
        };
        let value = |column: usize, row: u32| -> (u32, Vec<u8>) {
            let serial = || {
                format!("{:X?}", &Sha256::digest(row.to_be_bytes())[..5]).replace(['[', ']', ',', ' '], "")
            };
            let text = match column {
                0 => format!(
                    "Transceiver module for port {}/{}/{}",
                    row / 960,
                    row / 48 % 20,
                    row % 48
                ),
                1 => {
                    return (
                        6,
                        oid::parse(&format!("1.3.6.1.4.1.99999.12.3.1.9.{}", row % 300))
                            .unwrap()
                            .to_vec(),
                    );
                }
                2 | 4 => return (2, (row / 3).to_be_bytes()[1..].to_vec()),
                3 => return (2, vec![(row % 10) as u8]),
                5 => format!("Port {}/{}/{}", row / 960, row / 48 % 20, row % 48),
                6 => format!("V0{}", row % 7),
                8 => "16.12(3r)".to_owned(),
                9 => format!("ABC{}", serial()),
                10 => "A maker of modules".to_owned(),
                11 => format!("SFP-10G-{}", row % 120),
                14 => return (2, vec![1 + (row % 2) as u8]),
                15 => return (4, vec![0x07, 0xe4, (row % 12) as u8, 1, 0, 0, 0, 0]),
                _ => String::new(),
            };
            (4, text.into_bytes())
        };
        let all = columns.iter().enumerate().flat_map(|(at, column)| {
            (1..=rows).map(move |row| {
                let (tag, value) = value(at, row);
                Varbind {
                    oid: oid::child(column, 1_000_000 + row),
                    tag,
                    value: value.into(),
                }
            })
        });
        Observation {
            kind: 2,
            oids: columns.clone(),
            outcome: Outcome::Complete as i32,
            varbinds: all.collect(),
        }
    }

    #[test]
    fn a_chassis_of_100_000_parts_fits_into_one_report() {
        let mut evidence = Evidence {
            observations: vec![chassis(100_000)],
        };
        let limits = crate::config::PollConfig::default().limits();
        assert!(limits.max_rows >= 100_000);
        let mut room = Room::alone();
        let mut budget = Budget::new(&limits, &mut room);
        assert!(
            evidence.observations[0]
                .varbinds
                .iter()
                .all(|row| budget.take(row)),
            "it is not cut"
        );
        let (encoded, packed) = fitted(&mut evidence, PLAIN);
        let packed = packed.expect("too large to travel as it is");
        println!(
            "{} bindings: {} bytes, packed {}",
            evidence.observations[0].varbinds.len(),
            encoded.len(),
            packed.len()
        );
        assert_eq!(evidence.observations[0].outcome(), Outcome::Complete);
        // With room for tables of interfaces and neighbours, and for longer texts.
        assert!(
            encoded.len() < proto::MAX_EVIDENCE_BYTES * 9 / 10,
            "{}",
            encoded.len()
        );
        assert!(packed.len() < PLAIN * 9 / 10, "{}", packed.len());
        assert!(proto::packed::items(&encoded).unwrap() < proto::MAX_EVIDENCE_ITEMS * 2 / 3);
        assert_eq!(
            proto::packed::unpack(&packed, proto::MAX_EVIDENCE_BYTES).unwrap(),
            encoded
        );
    }

    #[test]
    fn what_does_not_fit_even_packed_is_cut_and_says_so() {
        let random = |row: u32| Varbind {
            oid: oid::child(&oid::parse("1.3.6.1.9.1").unwrap(), row),
            tag: 4,
            value: Sha256::digest(row.to_be_bytes()).to_vec().into(),
        };
        let of = |rows: u32| Observation {
            outcome: Outcome::Complete as i32,
            varbinds: (0..rows).map(random).collect(),
            ..Observation::default()
        };
        for (rows, cut) in [(10, false), (5_000, true)] {
            let mut evidence = Evidence {
                observations: vec![of(10), of(rows)],
            };
            let (encoded, packed) = fitted(&mut evidence, 50_000);
            assert_eq!(packed.is_some(), cut);
            assert!(packed.is_none_or(|packed| packed.len() <= 50_000));
            assert_eq!(Evidence::decode(encoded).unwrap(), evidence);
            let [small, large] = &evidence.observations[..] else {
                panic!("two")
            };
            assert_eq!((small.varbinds.len(), small.outcome()), (10, Outcome::Complete));
            assert_eq!(
                large.outcome(),
                if cut {
                    Outcome::Truncated
                } else {
                    Outcome::Complete
                }
            );
            assert!(!cut || (large.varbinds.len() > 500 && large.varbinds.len() < 5_000));
        }
    }

    #[test]
    fn only_what_is_too_large_travels_packed() {
        let round = |rows| Round {
            started: UNIX_EPOCH,
            took: std::time::Duration::ZERO,
            observations: vec![chassis(rows)],
            readings: Vec::new(),
            cost: v1::Cost::default(),
            answered: true,
            undecodable: 0,
            engine_shared: false,
            glance: None,
            resumed: false,
            moved: None,
            refreshed: false,
        };
        for (rows, large) in [(10, false), (30_000, true)] {
            let mut report = Report::new("192.0.2.1".parse().unwrap(), round(rows), &[]);
            report.lighten();
            let sent = v1::Report::decode(report.encode(true).as_slice()).unwrap();
            assert_eq!(
                (sent.evidence.is_none(), sent.evidence_zstd.is_some()),
                (large, large)
            );
            let clear = match &sent.evidence_zstd {
                Some(packed) => proto::packed::unpack(packed, proto::MAX_EVIDENCE_BYTES).unwrap(),
                None => sent.evidence.unwrap().to_vec(),
            };
            assert_eq!(proto::digest::of_evidence(&clear), report.digest);
            let digest = v1::Report::decode(report.encode(false).as_slice()).unwrap();
            assert!(digest.evidence.is_none() && digest.evidence_zstd.is_none());
        }
    }
}
