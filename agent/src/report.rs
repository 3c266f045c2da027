//! A round as a report: redacted, judged for completeness, addressed by the
//! digest of its evidence.
//!
//! Invariant: the digest is taken over the very bytes that would travel.

use crate::poll::Round;
use crate::redact::redact;
use crate::target::Target;
use prost::Message as _;
use prost::bytes::Bytes;
use proto::v1::{self, Completeness, Evidence, Outcome};
use std::time::{SystemTime, UNIX_EPOCH};

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
        let done = [Outcome::Complete as i32, Outcome::Redacted as i32];
        let completeness = if !round.answered {
            Completeness::Unreachable
        } else if round
            .observations
            .iter()
            .all(|observation| done.contains(&observation.outcome))
        {
            Completeness::Complete
        } else {
            Completeness::Partial
        };
        let evidence = Evidence {
            observations: round.observations,
        };
        let encoded = Bytes::from(evidence.encode_to_vec());
        Self {
            target,
            started: round.started,
            took: round.took,
            completeness,
            digest: proto::digest::of_evidence(&encoded),
            evidence,
            encoded,
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
            digest,
            readings: round.readings,
            cost: round.cost,
            undecodable: round.undecodable,
            engine_shared: round.engine_shared,
            refreshed: true,
        }
    }

    /// As it travels, with its evidence or with the digest alone.
    #[must_use]
    pub fn encode(&self, with_evidence: bool) -> Vec<u8> {
        let started = self.started.duration_since(UNIX_EPOCH).unwrap_or_default();
        let micros = |time: std::time::Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
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
            evidence: (with_evidence && !self.refreshed).then(|| self.encoded.clone()),
            readings: self.readings.clone(),
            cost: Some(self.cost),
            refreshed: self.refreshed,
        }
        .encode_to_vec()
    }
}
