//! Reports as lines of JSON, written straight from the raw octets.
//!
//! Invariant: a line is valid JSON whatever the element sent; `value` is always
//! the exact octets, `text` is only there to be read by people.

use crate::plan::oid::push_dotted;
use crate::report::Report;
use prost::bytes::Bytes;
use proto::v1::{Completeness, Observation, Outcome, QuestionKind, Varbind};
use std::io::Write as _;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// X.690, 8: tags of the two types that people can read.
const OCTET_STRING: u32 = 4;
const OBJECT_IDENTIFIER: u32 = 6;

/// Appends one report as one line. Written by hand, since nearly all of it is
/// hexadecimal and dotted text that needs no escaping: serde's way took three
/// times as long as polling. Free text goes through `serde_json`.
pub fn push_line(report: &Report, out: &mut Vec<u8>) {
    let started = OffsetDateTime::from(report.started)
        .format(&Rfc3339)
        .unwrap_or_default();
    let cost = report.cost;
    // Writing into memory does not fail.
    let _ = write!(
        out,
        r#"{{"target":"{}","completeness":"{}","started":"{started}","duration_ms":{},"requests":{},"retries":{},"varbinds":{},"undecodable":{},"engine_shared":{},"refreshed":{},"evidence_digest":"#,
        report.target,
        completeness(report.completeness),
        report.took.as_micros() as f64 / 1000.0,
        cost.requests,
        cost.retries,
        cost.varbinds,
        report.undecodable,
        report.engine_shared,
        report.refreshed,
    );
    push_hex(&report.digest, out);
    out.extend_from_slice(b",\"observations\":");
    push_list(&report.evidence.observations, out, push_observation);
    out.extend_from_slice(b",\"readings\":");
    push_list(&report.readings, out, push_varbind);
    out.extend_from_slice(b"}\n");
}

fn push_list<T>(items: &[T], out: &mut Vec<u8>, push: fn(&T, &mut Vec<u8>)) {
    out.push(b'[');
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        push(item, out);
    }
    out.push(b']');
}

fn push_observation(observation: &Observation, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"kind\":\"");
    out.extend_from_slice(kind(observation.kind()).as_bytes());
    out.extend_from_slice(b"\",\"oids\":");
    push_list(&observation.oids, out, |oid: &Bytes, out| push_oid(oid, out));
    out.extend_from_slice(b",\"outcome\":\"");
    out.extend_from_slice(outcome(observation.outcome()).as_bytes());
    out.extend_from_slice(b"\",\"varbinds\":");
    push_list(&observation.varbinds, out, push_varbind);
    out.push(b'}');
}

fn push_varbind(varbind: &Varbind, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"oid\":");
    push_oid(&varbind.oid, out);
    let _ = write!(out, ",\"tag\":{}", varbind.tag);
    out.extend_from_slice(b",\"value\":");
    push_hex(&varbind.value, out);
    if varbind.tag == OBJECT_IDENTIFIER {
        out.extend_from_slice(b",\"text\":");
        push_oid(&varbind.value, out);
    } else if let Some(text) = printable(varbind) {
        out.extend_from_slice(b",\"text\":");
        let _ = serde_json::to_writer(&mut *out, text);
    }
    out.push(b'}');
}

fn push_oid(octets: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    push_dotted(octets, out);
    out.push(b'"');
}

fn push_hex(octets: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend(
        octets
            .iter()
            .flat_map(|octet| [digit(octet >> 4), digit(octet & 15)]),
    );
    out.push(b'"');
}

/// Without a branch that depends on the octet, so that the compiler can do many at once.
fn digit(half: u8) -> u8 {
    half + b'0' + u8::from(half > 9) * (b'a' - b'0' - 10)
}

fn printable(varbind: &Varbind) -> Option<&str> {
    if varbind.tag != OCTET_STRING || varbind.value.is_empty() {
        return None;
    }
    let text = std::str::from_utf8(&varbind.value).ok()?;
    let plain = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t');
    let ascii = text.bytes().all(|octet| (0x20..0x7f).contains(&octet));
    (ascii || text.chars().all(plain)).then_some(text)
}

fn completeness(value: Completeness) -> &'static str {
    match value {
        Completeness::Unspecified => "unspecified",
        Completeness::Complete => "complete",
        Completeness::Partial => "partial",
        Completeness::Unreachable => "unreachable",
    }
}

fn kind(value: QuestionKind) -> &'static str {
    match value {
        QuestionKind::Unspecified => "unspecified",
        QuestionKind::Get => "get",
        QuestionKind::Walk => "walk",
        QuestionKind::Arcs => "arcs",
        QuestionKind::Engine => "engine",
    }
}

fn outcome(value: Outcome) -> &'static str {
    match value {
        Outcome::Unspecified => "unspecified",
        Outcome::Complete => "complete",
        Outcome::Truncated => "truncated",
        Outcome::TimedOut => "timed_out",
        Outcome::Refused => "refused",
        Outcome::Unreachable => "unreachable",
        Outcome::Undecodable => "undecodable",
        Outcome::Looping => "looping",
        Outcome::Skipped => "skipped",
        Outcome::Redacted => "redacted",
        Outcome::WrongDigest => "wrong_digest",
        Outcome::UnknownUser => "unknown_user",
        Outcome::UnsupportedLevel => "unsupported_level",
        Outcome::WrongPrivacy => "wrong_privacy",
        Outcome::NotInTimeWindow => "not_in_time_window",
        Outcome::UnknownEngine => "unknown_engine",
        Outcome::UnknownContext => "unknown_context",
        Outcome::Ignored => "ignored",
        Outcome::NoCredential => "no_credential",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::oid;
    use crate::poll::Round;
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn a_line_keeps_octets_exact_and_text_readable() {
        let varbind = |tag, value: &'static [u8]| Varbind {
            oid: oid::parse("1.3.6.1.2.1.1.1.0").unwrap(),
            tag,
            value: Bytes::from_static(value),
        };
        let round = Round {
            started: UNIX_EPOCH + Duration::from_millis(1500),
            took: Duration::from_micros(12_345),
            observations: vec![Observation {
                kind: QuestionKind::Get as i32,
                oids: vec![oid::parse("1.3.6.1.2.1.1.1.0").unwrap()],
                outcome: Outcome::TimedOut as i32,
                varbinds: vec![
                    varbind(4, b"a\"\xc3\xa9\n"),
                    varbind(4, b"a\0"),
                    varbind(6, &[43, 6]),
                    varbind(2, &[0x7f]),
                    varbind(4, &[0xab; 100]),
                ],
            }],
            readings: vec![varbind(0x43, &[1])],
            cost: proto::v1::Cost::default(),
            answered: true,
            undecodable: 0,
            engine_shared: false,
            glance: None,
            resumed: false,
            moved: None,
            refreshed: false,
        };
        let report = Report::new("[::1]:161".parse().unwrap(), round, &[]);
        let mut line = Vec::new();
        push_line(&report, &mut line);
        assert_eq!(line.iter().filter(|&&octet| octet == b'\n').count(), 1);
        let read: serde_json::Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(read["target"], "[::1]:161");
        assert_eq!(read["completeness"], "partial");
        assert_eq!(read["started"], "1970-01-01T00:00:01.5Z");
        assert_eq!(read["duration_ms"], 12.345);
        let observation = &read["observations"][0];
        assert_eq!(observation["kind"], "get");
        assert_eq!(observation["outcome"], "timed_out");
        assert_eq!(observation["oids"][0], "1.3.6.1.2.1.1.1.0");
        let shown: Vec<_> = observation["varbinds"]
            .as_array()
            .unwrap()
            .iter()
            .map(|varbind| (varbind["value"].as_str().unwrap(), varbind["text"].as_str()))
            .collect();
        assert_eq!(shown[0], ("6122c3a90a", Some("a\"\u{e9}\n")));
        assert_eq!(shown[1], ("6100", None));
        assert_eq!(shown[2], ("2b06", Some("1.3.6")));
        assert_eq!(shown[3], ("7f", None));
        assert_eq!(shown[4].0, "ab".repeat(100));
        assert_eq!(read["readings"][0]["tag"], 0x43);
    }
}
