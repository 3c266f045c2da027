//! How much a plan may say: both ends hold to the same bounds, so that what one
//! takes in, the other can follow.
//!
//! Invariant: a plan within these bounds fits one message.

mod range;

pub use range::{Range, RangeError};

/// Targets of a plan at most.
pub const MAX_TARGETS: usize = 50_000;

/// Ranges of a plan at most.
pub const MAX_RANGES: usize = 1_000;

/// Excluded prefixes of all ranges of a plan together, at most.
pub const MAX_EXCLUDED: usize = 10_000;

/// Host bits of a range at most: a /16 of IPv4, a /112 of IPv6.
pub const MAX_HOST_BITS: u8 = 16;

/// Addresses of all ranges of a plan together, at most.
pub const MAX_ADDRESSES: u64 = 1 << 20;

/// Addresses that neighbours named in one range, at most; older ones make room.
pub const MAX_TOLD_OF_RANGE: usize = 4_096;

/// Those of all ranges of a plan together, at most: more ranges have less room each.
pub const MAX_TOLD: usize = 32_768;

/// Addresses of which an agent keeps what they told of their engines, at most; whoever changed longest ago makes room.
pub const MAX_ENGINES: usize = MAX_TARGETS;

/// Those of one message, at most.
pub const MAX_ENGINES_TOLD: usize = 1_024;

/// Octets of an engine ID that are kept (RFC 3411, 5: SnmpEngineID).
pub const MAX_ENGINE_ID: usize = 32;

/// Entries of `get`, of `walk`, of `if_arc`, and of the walks of one `if_arc`, at most.
pub const MAX_QUESTIONS: usize = 100;

/// Columns of one `if_arc` that hold addresses of neighbours, at most.
pub const MAX_ADDRESS_COLUMNS: usize = 4;

/// Characters of an object identifier in dotted text, at most.
pub const MAX_OID_CHARS: usize = 128;

/// Windows of a plan at most: one bit of a mask each.
pub const MAX_WINDOWS: usize = 32;

/// Seconds of an interval or a sweep, at most.
pub const MAX_SECONDS: u32 = 31_536_000;

/// Packets a second, at most.
pub const MAX_PACKETS_PER_SECOND: u32 = 1_000_000;

/// Seconds of a sweep when a plan does not say.
pub const DEFAULT_SWEEP_SECONDS: u32 = 86_400;

/// Characters of a reason at most.
pub const MAX_REASON_CHARS: usize = 300;

/// Addresses that neighbours named in each of so many ranges, at most.
#[must_use]
pub fn told_of_each(ranges: usize) -> usize {
    MAX_TOLD_OF_RANGE.min(MAX_TOLD / ranges.max(1))
}

/// Whether a text can be what a credential is called: 1 to 64 of letters, digits, `.`, `_`, `-`.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=64).contains(&text.len()) && text.bytes().all(fine)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v1;
    use prost::Message as _;

    #[test]
    fn the_largest_plan_fits_one_message() {
        let oid = "1".repeat(MAX_OID_CHARS);
        let address = "2001:db80:1234:5678:9abc:def0:1234:5678";
        let name = "n".repeat(64);
        let target = v1::PlannedTarget {
            address: address.to_owned(),
            port: 65_535,
            credential_name: name.clone(),
            interval_seconds: MAX_SECONDS,
            windows: u32::MAX,
            role: v1::PlanRole::Management.into(),
        };
        let range = v1::PlannedRange {
            prefix: format!("{address}/128"),
            excluded: vec![format!("{address}/128"); MAX_EXCLUDED / MAX_RANGES],
            port: 65_535,
            credential_name: name,
            windows: u32::MAX,
            ask_silent: true,
            follow: true,
            unswept: true,
            role: v1::PlanRole::Management.into(),
        };
        let if_arc = v1::IfArc {
            arc: u32::MAX,
            walk: vec![oid.clone(); MAX_QUESTIONS],
            addresses: vec![oid.clone(); MAX_ADDRESS_COLUMNS],
        };
        let plan = v1::Plan {
            id: Some(v1::PlanId {
                revision: u64::MAX,
                digest: vec![0; 32].into(),
            }),
            questions: Some(v1::Questions {
                profile: v1::PlanProfile::Full.into(),
                get: vec![oid.clone(); MAX_QUESTIONS],
                walk: vec![oid; MAX_QUESTIONS],
                if_arc: vec![if_arc; MAX_QUESTIONS],
                neighbours: Some(v1::Neighbours {
                    lldp: true,
                    bridge: true,
                    arp: true,
                }),
            }),
            interval_seconds: u32::MAX,
            packets_per_second: u32::MAX,
            targets: vec![target; MAX_TARGETS],
            ranges: vec![range; MAX_RANGES],
            sweep_seconds: u32::MAX,
            windows: vec![
                v1::Window {
                    days: u32::MAX,
                    from_minute: u32::MAX,
                    to_minute: u32::MAX,
                    offset_minutes: i32::MIN,
                };
                MAX_WINDOWS
            ],
        };
        assert!(
            plan.encoded_len() + 64 < crate::MAX_MESSAGE_BYTES,
            "{}",
            plan.encoded_len()
        );
    }

    #[test]
    fn the_largest_coverage_fits_one_message() {
        let addresses = usize::try_from(MAX_ADDRESSES).unwrap();
        let range = v1::RangeCoverage {
            prefix: "2001:db80:1234:5678:9abc:def0:1234:5678/128".to_owned(),
            port: 65_535,
            states: vec![8; addresses / MAX_RANGES + 1].into(),
        };
        let told = v1::ToldCoverage {
            prefix: range.prefix.clone(),
            port: 65_535,
            addresses: vec![8; 16 * told_of_each(MAX_RANGES)].into(),
            states: vec![8; told_of_each(MAX_RANGES)].into(),
        };
        let coverage = v1::Coverage {
            plan: Some(v1::PlanId {
                revision: u64::MAX,
                digest: vec![0; 32].into(),
            }),
            revision: u64::MAX,
            clock_micros: i64::MIN,
            swept_micros: i64::MIN,
            ranges: vec![range; MAX_RANGES],
            told: vec![told; MAX_RANGES],
        };
        assert!(coverage.encoded_len() + 64 < crate::MAX_MESSAGE_BYTES / 4);
    }

    #[test]
    fn names_are_short_and_plain() {
        for good in ["core", "a", "ran_2.v2c-ro", &"n".repeat(64)] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "a b", "a/b", "a\n", "schlüssel", &"n".repeat(65)] {
            assert!(!is_name(bad), "{bad:?}");
        }
    }
}
