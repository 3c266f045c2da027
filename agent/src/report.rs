//! A round as a report: redacted, judged for completeness, addressed by the
//! digest of its evidence.
//!
//! Invariants: the digest is taken over the very bytes of the evidence; evidence that is too
//! large to travel as it is travels packed; whatever elements send, a report fits the line,
//! and what was left out for that says so.

use crate::poll::Round;
use crate::redact::redact;
use crate::target::Target;
use prost::length_delimiter_len;
use prost::Message as _;
use prost::bytes::Bytes;
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
