//! The border from wire to model: validates what an agent sent, byte by byte.

use model::{
    Completeness, Digest, Evidence, Instant, Observation, Oid, Outcome, Question, QuestionKind, SiteName,
    Value, Varbind,
};
use prost::Message as _;
use prost::bytes::Bytes;
use proto::packed::UnpackError;
use proto::v1;
use std::net::IpAddr;
use store::record::{DeclaredGap, GapReason, IncomingReport, ReadReport, ReportBody};

/// Why a report or evidence is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Not an encoded message.
    #[error("{0} cannot be decoded")]
    Encoding(&'static str),
    /// A field is missing or out of range.
    #[error("{0} is missing or out of range")]
    Field(&'static str),
    /// Larger than the line allows.
    #[error("report is larger than {} bytes", proto::MAX_REPORT_BYTES)]
    TooLarge,
    /// Evidence that is larger once unpacked than the line allows.
    #[error(
        "evidence is larger than {} bytes or {} items",
        proto::MAX_EVIDENCE_BYTES,
        proto::MAX_EVIDENCE_ITEMS
    )]
    EvidenceTooLarge,
    /// Packed where none may be: each such report must travel alone.
    #[error("packed evidence in a batch")]
    Packed,
    /// The digest is not that of the evidence.
    #[error("digest does not match the evidence")]
    Digest,
}

/// How far an agent's clock may run ahead of ours before its times are taken as now (microseconds).
const AHEAD: i64 = 300_000_000;

/// Bytes of a context's name at most (RFC 3411, 3.3.1).
const MAX_CONTEXT: usize = 255;

/// Reads one report received at `now`; what cannot be read becomes a refusal with its reason.
///
/// A clock that runs ahead would make the past look newer than every report to
/// come, so times ahead of ours are brought back to `now`. It may hold as much memory as
/// [`proto::MAX_EVIDENCE_BYTES`]: whoever reads many keeps count ([`is_packed`]).
pub fn report(bytes: &[u8], site: &SiteName, now: Instant) -> ReportBody {
    body(read(bytes, site, now, true))
}

/// One of many reports in a message: its evidence must be as it is.
pub(super) fn batched(bytes: &[u8], site: &SiteName, now: Instant) -> ReportBody {
    body(read(bytes, site, now, false))
}

/// Whether a report has packed evidence, so that it may be much larger than it looks.
#[must_use]
pub fn is_packed(report: &Bytes) -> bool {
    // Of one buffer, so that nothing is copied.
    v1::Report::decode(report.clone()).is_ok_and(|report| report.evidence_zstd.is_some())
}

fn body(read: Result<ReadReport, Unreadable>) -> ReportBody {
    match read {
        Ok(read) => ReportBody::Read(Box::new(read)),
        Err(unreadable) => ReportBody::Refused {
            reason: unreadable.to_string(),
        },
    }
}

/// Reads one gap; an agent that declares what cannot be broke the protocol.
///
/// # Errors
/// [`Unreadable`] naming the field.
pub fn gap(wire: &v1::Gap, next_sequence: u64) -> Result<IncomingReport, Unreadable> {
    if wire.from == 0 || wire.from > wire.to {
        return Err(Unreadable::Field("gap.from"));
    }
    if wire.to >= next_sequence {
        return Err(Unreadable::Field("gap.to"));
    }
    if wire.count > wire.to - wire.from + 1 {
        return Err(Unreadable::Field("gap.count"));
    }
    let reason = match wire.reason() {
        v1::GapReason::SpoolFull => GapReason::SpoolFull,
        v1::GapReason::SpoolDamaged => GapReason::SpoolDamaged,
        v1::GapReason::Unspecified => return Err(Unreadable::Field("gap.reason")),
    };
    Ok(IncomingReport {
        sequence: wire.from,
        body: ReportBody::Gap(DeclaredGap {
            to: wire.to,
            count: wire.count,
            reason,
            declared: Instant(wire.declared_micros),
        }),
    })
}

fn read(bytes: &[u8], site: &SiteName, now: Instant, alone: bool) -> Result<ReadReport, Unreadable> {
    if bytes.len() > proto::MAX_REPORT_BYTES {
        return Err(Unreadable::TooLarge);
    }
    let report = v1::Report::decode(bytes).map_err(|_| Unreadable::Encoding("report"))?;
    let target = report.target.as_ref().ok_or(Unreadable::Field("target"))?;
    let address: IpAddr = target
        .address
        .parse()
        .map_err(|_| Unreadable::Field("target.address"))?;
    let port = u16::try_from(target.port)
        .ok()
        .filter(|p| *p > 0)
        .ok_or(Unreadable::Field("target.port"))?;
    let context = target.context.clone();
    if context.len() > MAX_CONTEXT || context.chars().any(char::is_control) {
        return Err(Unreadable::Field("target.context"));
    }
    let completeness = match report.completeness() {
        v1::Completeness::Complete => Completeness::Complete,
        v1::Completeness::Partial => Completeness::Partial,
        v1::Completeness::Unreachable => Completeness::Unreachable,
        v1::Completeness::Unspecified => return Err(Unreadable::Field("completeness")),
    };
    let digest = Digest::from_slice(&report.evidence_digest).ok_or(Unreadable::Field("evidence_digest"))?;
    if report.started_micros <= 0 || report.finished_micros < report.started_micros {
        return Err(Unreadable::Field("started_micros"));
    }
    let evidence = evidence(&report, alone)?;
    if let Some(evidence) = &evidence {
        if proto::digest::of_evidence(evidence) != digest.0 {
            return Err(Unreadable::Digest);
        }
        check(evidence)?;
    }
    // It refers to a walk, and the readings are what it rests on.
    let refers =
        evidence.is_none() && completeness != Completeness::Unreachable && !report.readings.is_empty();
    if report.refreshed && !refers {
        return Err(Unreadable::Field("refreshed"));
    }
    let cost = report.cost.unwrap_or_default();
    Ok(ReadReport {
        site: site.clone(),
        address: address.to_string(),
        port,
        context,
        started: not_ahead(report.started_micros, now),
        finished: not_ahead(report.finished_micros, now),
        completeness,
        digest,
        evidence: evidence.map(Vec::from),
        readings: report.readings.iter().map(varbind).collect::<Result<_, _>>()?,
        requests: cost.requests,
        retries: cost.retries,
        varbinds: cost.varbinds,
        refreshed: report.refreshed,
    })
}

/// A time that an agent tells: never later than ours, but for what clocks differ by.
pub(super) fn not_ahead(micros: i64, now: Instant) -> Instant {
    if micros > now.0.saturating_add(AHEAD) {
        now
    } else {
        Instant(micros)
    }
}

/// The evidence of a report, if it has any.
fn evidence(report: &v1::Report, alone: bool) -> Result<Option<Bytes>, Unreadable> {
    let Some(packed) = &report.evidence_zstd else {
        return Ok(report.evidence.clone());
    };
    if report.evidence.is_some() {
        return Err(Unreadable::Field("evidence_zstd"));
    }
    if !alone {
        return Err(Unreadable::Packed);
    }
    let unpacked = proto::packed::unpack(packed, proto::MAX_EVIDENCE_BYTES);
    unpacked
        .map(|clear| Some(clear.into()))
        .map_err(|error| match error {
            UnpackError::TooLarge => Unreadable::EvidenceTooLarge,
            UnpackError::Damaged | UnpackError::Trailing => Unreadable::Encoding("packed evidence"),
        })
}

/// Whether evidence can be used, without holding more of it than it must: what is small on the
/// wire is not decoded before it is known to stay small.
fn check(evidence: &Bytes) -> Result<(), Unreadable> {
    let broken = |_| Unreadable::Encoding("evidence");
    if proto::packed::items(evidence).map_err(broken)? > proto::MAX_EVIDENCE_ITEMS {
        return Err(Unreadable::EvidenceTooLarge);
    }
    let decoded = v1::Evidence::decode(evidence.clone()).map_err(broken)?;
    for mut one in decoded.observations {
        for shown in std::mem::take(&mut one.varbinds) {
            varbind(&shown)?;
        }
        observation(&one)?;
    }
    Ok(())
}

/// Evidence as the stages use it, from its exact bytes.
///
/// # Errors
/// [`Unreadable`] when the bytes are no evidence of this protocol.
pub fn decode_evidence(bytes: &[u8]) -> Result<Evidence, Unreadable> {
    // Fields of one buffer are parts of it; of a slice each would be a copy.
    let bytes = Bytes::copy_from_slice(bytes);
    let evidence = v1::Evidence::decode(bytes).map_err(|_| Unreadable::Encoding("evidence"))?;
    let observations = evidence
        .observations
        .iter()
        .map(observation)
        .collect::<Result<_, _>>()?;
    Ok(Evidence { observations })
}

fn observation(wire: &v1::Observation) -> Result<Observation, Unreadable> {
    let kind = match wire.kind() {
        v1::QuestionKind::Get => QuestionKind::Get,
        v1::QuestionKind::Walk => QuestionKind::Walk,
        v1::QuestionKind::Arcs => QuestionKind::Arcs,
        v1::QuestionKind::Engine => QuestionKind::Engine,
        v1::QuestionKind::Unspecified => return Err(Unreadable::Field("observation.kind")),
    };
    let outcome = match wire.outcome() {
        v1::Outcome::Complete => Outcome::Complete,
        v1::Outcome::Truncated => Outcome::Truncated,
        v1::Outcome::TimedOut => Outcome::TimedOut,
        v1::Outcome::Refused => Outcome::Refused,
        v1::Outcome::Unreachable => Outcome::Unreachable,
        v1::Outcome::Undecodable => Outcome::Undecodable,
        v1::Outcome::Looping => Outcome::Looping,
        v1::Outcome::Skipped => Outcome::Skipped,
        v1::Outcome::Redacted => Outcome::Redacted,
        v1::Outcome::WrongDigest => Outcome::WrongDigest,
        v1::Outcome::UnknownUser => Outcome::UnknownUser,
        v1::Outcome::UnsupportedLevel => Outcome::UnsupportedLevel,
        v1::Outcome::WrongPrivacy => Outcome::WrongPrivacy,
        v1::Outcome::NotInTimeWindow => Outcome::NotInTimeWindow,
        v1::Outcome::UnknownEngine => Outcome::UnknownEngine,
        v1::Outcome::UnknownContext => Outcome::UnknownContext,
        v1::Outcome::Ignored => Outcome::Ignored,
        v1::Outcome::NoCredential => Outcome::NoCredential,
        v1::Outcome::Unspecified => return Err(Unreadable::Field("observation.outcome")),
    };
    Ok(Observation {
        question: Question {
            kind,
            oids: wire.oids.iter().map(|o| oid(o)).collect::<Result<_, _>>()?,
        },
        outcome,
        varbinds: wire.varbinds.iter().map(varbind).collect::<Result<_, _>>()?,
    })
}

fn varbind(wire: &v1::Varbind) -> Result<Varbind, Unreadable> {
    let tag = u8::try_from(wire.tag).map_err(|_| Unreadable::Field("varbind.tag"))?;
    Ok(Varbind {
        oid: oid(&wire.oid)?,
        value: Value {
            tag,
            octets: wire.value.to_vec(),
        },
    })
}

fn oid(octets: &[u8]) -> Result<Oid, Unreadable> {
    Oid::from_ber(octets).map_err(|_| Unreadable::Field("varbind.oid"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence() -> Vec<u8> {
        let varbind = v1::Varbind {
            oid: vec![0x2b, 6, 1].into(),
            tag: 4,
            value: vec![0xff, 0].into(),
        };
        let observation = v1::Observation {
            kind: v1::QuestionKind::Get.into(),
            oids: vec![vec![0x2b, 6, 1].into()],
            outcome: v1::Outcome::Complete.into(),
            varbinds: vec![varbind],
        };
        v1::Evidence {
            observations: vec![observation],
        }
        .encode_to_vec()
    }

    fn good() -> v1::Report {
        let evidence = evidence();
        v1::Report {
            target: Some(v1::Target {
                address: "192.0.2.1".into(),
                port: 161,
                context: String::new(),
            }),
            started_micros: 1,
            finished_micros: 2,
            completeness: v1::Completeness::Complete.into(),
            evidence_digest: proto::digest::of_evidence(&evidence).to_vec().into(),
            evidence: Some(evidence.into()),
            readings: vec![],
            cost: None,
            refreshed: false,
            evidence_zstd: None,
        }
    }

    fn packed(clear: &[u8]) -> v1::Report {
        v1::Report {
            evidence: None,
            evidence_zstd: Some(proto::packed::pack(clear).unwrap().into()),
            evidence_digest: proto::digest::of_evidence(clear).to_vec().into(),
            ..good()
        }
    }

    fn body(report: &v1::Report) -> ReportBody {
        super::report(&report.encode_to_vec(), &"berlin".parse().unwrap(), Instant(10))
    }

    #[test]
    fn a_good_report_keeps_its_bytes() {
        let ReportBody::Read(read) = body(&good()) else {
            panic!("refused")
        };
        assert_eq!(read.evidence.as_deref(), Some(evidence().as_slice()));
        let decoded = decode_evidence(&evidence()).unwrap();
        assert_eq!(decoded.observations[0].varbinds[0].value.octets, [0xff, 0]);
    }

    #[test]
    fn packed_evidence_is_stored_as_it_was_before() {
        let report = packed(&evidence());
        let ReportBody::Read(read) = body(&report) else {
            panic!("refused")
        };
        assert_eq!(read.evidence, Some(evidence()));
        let encoded = report.encode_to_vec();
        assert!(is_packed(&encoded.clone().into()) && !is_packed(&good().encode_to_vec().into()));
        let refused = batched(&encoded, &"berlin".parse().unwrap(), Instant(10));
        assert!(matches!(refused, ReportBody::Refused { reason } if reason == "packed evidence in a batch"));
    }

    #[test]
    fn what_is_small_on_the_line_may_not_be_large_in_memory() {
        let nothing = |field: u8, items: usize| [field, 0].repeat(items);
        let inside = |inner: Vec<u8>| {
            let mut all = vec![0x0a];
            prost::encode_length_delimiter(inner.len(), &mut all).unwrap();
            all.extend(inner);
            all
        };
        let many = proto::MAX_EVIDENCE_ITEMS;
        let too_large = "evidence is larger than";
        let mut more = proto::packed::pack(&evidence()).unwrap();
        more.push(0);
        let cases = [
            (packed(&vec![0; proto::MAX_EVIDENCE_BYTES + 1]), too_large),
            // Observations, roots and bindings without anything in them.
            (packed(&nothing(0x0a, many + 1)), too_large),
            (packed(&inside(nothing(0x12, many))), too_large),
            (packed(&inside(nothing(0x22, many))), too_large),
            (packed(&nothing(0x0a, 9)), "observation.kind is missing"),
            (
                v1::Report {
                    evidence_zstd: Some(more.into()),
                    ..packed(&evidence())
                },
                "packed evidence cannot be decoded",
            ),
            (
                v1::Report {
                    evidence: Some(evidence().into()),
                    ..packed(&evidence())
                },
                "evidence_zstd is missing or out of range",
            ),
            (
                v1::Report {
                    evidence_digest: vec![1; 32].into(),
                    ..packed(&evidence())
                },
                "digest does not match",
            ),
        ];
        for (report, expected) in cases {
            assert!(report.encoded_len() < 1 << 20);
            let ReportBody::Refused { reason } = body(&report) else {
                panic!("{expected}: taken")
            };
            assert!(reason.starts_with(expected), "{reason}");
        }
    }

    #[test]
    fn a_refreshed_report_rests_on_readings_and_brings_no_evidence() {
        let refreshed = || {
            let mut report = good();
            (report.refreshed, report.evidence) = (true, None);
            report.readings = vec![v1::Varbind {
                oid: vec![0x2b, 6, 1].into(),
                tag: 0x43,
                value: vec![1].into(),
            }];
            report
        };
        let ReportBody::Read(read) = body(&refreshed()) else {
            panic!("refused")
        };
        assert!(read.refreshed && read.evidence.is_none());
        let faults: [fn(&mut v1::Report); 3] = [
            |r| r.evidence = Some(evidence().into()),
            |r| r.readings.clear(),
            |r| r.completeness = v1::Completeness::Unreachable.into(),
        ];
        for fault in faults {
            let mut report = refreshed();
            fault(&mut report);
            assert!(
                matches!(body(&report), ReportBody::Refused { reason } if reason.starts_with("refreshed "))
            );
        }
    }

    #[test]
    fn a_gap_must_lie_in_what_was_told() {
        let wire = |from, to, count, reason| v1::Gap {
            from,
            to,
            count,
            reason,
            declared_micros: 5,
        };
        let good = gap(&wire(3, 7, 0, 2), 8).unwrap();
        assert_eq!(good.sequence, 3);
        assert!(
            matches!(good.body, ReportBody::Gap(gap) if gap.to == 7 && gap.reason == GapReason::SpoolDamaged)
        );
        for (wire, field) in [
            (wire(0, 7, 1, 1), "gap.from"),
            (wire(7, 3, 1, 1), "gap.from"),
            (wire(3, 8, 1, 1), "gap.to"),
            (wire(1, u64::MAX, 1, 1), "gap.to"),
            (wire(3, 7, 6, 1), "gap.count"),
            (wire(3, 7, 5, 0), "gap.reason"),
            (wire(3, 7, 5, 9), "gap.reason"),
        ] {
            assert_eq!(gap(&wire, 8), Err(Unreadable::Field(field)), "{wire:?}");
        }
    }

    #[test]
    fn the_context_is_part_of_the_place() {
        let mut report = good();
        report.target.as_mut().unwrap().context = "red".into();
        let ReportBody::Read(read) = body(&report) else {
            panic!("refused")
        };
        assert_eq!(read.context, "red");
    }

    #[test]
    fn a_clock_that_runs_ahead_is_brought_back() {
        let mut report = good();
        report.finished_micros = i64::MAX;
        let ReportBody::Read(read) = body(&report) else {
            panic!("refused")
        };
        assert_eq!((read.started, read.finished), (Instant(1), Instant(10)));
        report.finished_micros = 10 + AHEAD;
        let ReportBody::Read(read) = body(&report) else {
            panic!("refused")
        };
        assert_eq!(read.finished, Instant(10 + AHEAD), "a little ahead is let be");
    }

    #[test]
    fn each_fault_is_refused_by_name() {
        type Fault = fn(&mut v1::Report);
        let faults: [(Fault, &str); 11] = [
            (|r| r.target = None, "target is missing or out of range"),
            (
                |r| r.target.as_mut().unwrap().address = "evil.example".into(),
                "target.address is missing or out of range",
            ),
            (
                |r| r.target.as_mut().unwrap().port = 0,
                "target.port is missing or out of range",
            ),
            (
                |r| r.target.as_mut().unwrap().context = "x".repeat(256),
                "target.context is missing or out of range",
            ),
            (
                |r| r.target.as_mut().unwrap().context = "a\nb".into(),
                "target.context is missing or out of range",
            ),
            (|r| r.completeness = 9, "completeness is missing or out of range"),
            (
                |r| r.evidence_digest = vec![1; 31].into(),
                "evidence_digest is missing or out of range",
            ),
            (
                |r| r.evidence_digest = vec![1; 32].into(),
                "digest does not match the evidence",
            ),
            (|r| r.refreshed = true, "refreshed is missing or out of range"),
            (
                |r| r.finished_micros = 0,
                "started_micros is missing or out of range",
            ),
            (
                |r| {
                    r.evidence = Some(vec![0xff; 9].into());
                    r.evidence_digest = proto::digest::of_evidence(&[0xff; 9]).to_vec().into();
                },
                "evidence cannot be decoded",
            ),
        ];
        for (fault, reason) in faults {
            let mut report = good();
            fault(&mut report);
            assert_eq!(
                body(&report),
                ReportBody::Refused {
                    reason: reason.to_owned()
                }
            );
        }
        let refused = super::report(&[0xff; 40], &"berlin".parse().unwrap(), Instant(10));
        assert_eq!(
            refused,
            ReportBody::Refused {
                reason: "report cannot be decoded".to_owned()
            }
        );
    }
}
