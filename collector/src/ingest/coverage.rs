//! Coverage as it came down the stream: hostile until it is read here.
//!
//! Invariants: no more ranges, addresses or octets than a plan may have; every
//! range has exactly one octet an address, and of one that is not swept each address lies within,
//! once and in order.

use model::Instant;
use proto::plan::{self as bounds, Range};
use proto::v1;
use std::net::IpAddr;
use store::coverage::{ToldCoverage, ToldRange};
use tonic::Status;

/// Reads it.
///
/// # Errors
/// `INVALID_ARGUMENT` when it is none.
pub(super) fn read(told: &v1::Coverage) -> Result<ToldCoverage, Status> {
    let wrong = |what: &str| Status::invalid_argument(format!("coverage: {what}"));
    if told.ranges.len().saturating_add(told.told.len()) > bounds::MAX_RANGES {
        return Err(wrong("too many ranges"));
    }
    let plan = told.plan.as_ref().map_or(0, |plan| plan.revision);
    if plan > proto::MAX_SEQUENCE || told.revision > proto::MAX_SEQUENCE {
        return Err(wrong("revision is out of range"));
    }
    let mut addresses = 0;
    let mut ranges: Vec<ToldRange> = Vec::with_capacity(told.ranges.len());
    for range in &told.ranges {
        let prefix = Range::new(&range.prefix, []).map_err(|_| wrong("a range is none"))?;
        let port = u16::try_from(range.port).ok().filter(|port| *port > 0);
        addresses += prefix.size();
        if u64::try_from(range.states.len()) != Ok(prefix.size()) || addresses > bounds::MAX_ADDRESSES {
            return Err(wrong("a range has another number of addresses"));
        }
        let one = ToldRange {
            prefix: prefix.prefix().to_string(),
            port: port.ok_or_else(|| wrong("port is out of range"))?,
            states: range.states.to_vec(),
            named: None,
        };
        ranges.push(one);
    }
    for range in &told.told {
        ranges.push(read_told(range, bounds::told_of_each(told.told.len())).map_err(wrong)?);
    }
    ranges.sort_by(|a, b| (&a.prefix, a.port).cmp(&(&b.prefix, b.port)));
    if ranges
        .windows(2)
        .any(|two| matches!(two, [a, b] if a.prefix == b.prefix && a.port == b.port))
    {
        return Err(wrong("a range is there twice"));
    }
    Ok(ToldCoverage {
        plan,
        revision: told.revision,
        said: Instant(told.clock_micros),
        swept: (told.swept_micros > 0).then_some(Instant(told.swept_micros)),
        ranges,
    })
}

/// A range of which only those are asked that neighbours named.
fn read_told(range: &v1::ToldCoverage, most: usize) -> Result<ToldRange, &'static str> {
    let prefix = Range::of_any_size(&range.prefix, []).map_err(|_| "a range is none")?;
    let port = u16::try_from(range.port).ok().filter(|port| *port > 0);
    let octets = usize::from(prefix.prefix().max_prefix_len() / 8);
    let count = range.states.len();
    if count > most || range.addresses.len() != count * octets {
        return Err("a range has another number of addresses");
    }
    let named = unpack(&range.addresses, octets);
    let in_order = named.is_sorted_by(|one, next| one < next);
    if !in_order || !named.iter().all(|address| prefix.prefix().contains(address)) {
        return Err("an address is out of place");
    }
    Ok(ToldRange {
        prefix: prefix.prefix().to_string(),
        port: port.ok_or("port is out of range")?,
        states: range.states.to_vec(),
        named: Some(named),
    })
}

fn unpack(packed: &[u8], octets: usize) -> Vec<IpAddr> {
    let one = |chunk: &[u8]| {
        let v4 = <[u8; 4]>::try_from(chunk).map(IpAddr::from);
        v4.or_else(|_| <[u8; 16]>::try_from(chunk).map(IpAddr::from)).ok()
    };
    packed.chunks_exact(octets).filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(prefix: &str, octets: usize) -> v1::RangeCoverage {
        v1::RangeCoverage {
            prefix: prefix.to_owned(),
            port: 161,
            states: vec![4; octets].into(),
        }
    }

    fn told(ranges: Vec<v1::RangeCoverage>) -> v1::Coverage {
        v1::Coverage {
            plan: None,
            revision: 3,
            clock_micros: 9,
            swept_micros: 0,
            ranges,
            told: Vec::new(),
        }
    }

    #[test]
    fn what_fits_is_taken_and_everything_else_refused() {
        let good = told(vec![range("198.51.100.0/31", 2), range("192.0.2.0/29", 8)]);
        let read_good = read(&good).unwrap();
        assert_eq!(
            (read_good.plan, read_good.revision, read_good.swept),
            (0, 3, None)
        );
        assert_eq!(read_good.ranges[0].prefix, "192.0.2.0/29");
        let other_port = v1::RangeCoverage {
            port: 1161,
            ..range("192.0.2.0/29", 8)
        };
        assert!(read(&told(vec![range("192.0.2.0/29", 8), other_port])).is_ok());
        for (ranges, words) in [
            (vec![range("192.0.2.0/29", 7)], "another number"),
            (vec![range("192.0.2.0/29", 9)], "another number"),
            (vec![range("10.0.0.0/8", 8)], "a range is none"),
            (vec![range("<script>", 8)], "a range is none"),
            (vec![range("192.0.2.0/31", 2), range("192.0.2.0/31", 2)], "twice"),
            (vec![range("192.0.2.0/31", 2); 1_001], "too many ranges"),
            (
                (0..17)
                    .map(|n| range(&format!("10.{n}.0.0/16"), 65_536))
                    .collect(),
                "another number",
            ),
            (
                vec![v1::RangeCoverage {
                    port: 65_536,
                    ..range("192.0.2.0/31", 2)
                }],
                "port",
            ),
        ] {
            let refused = read(&told(ranges)).unwrap_err();
            assert!(refused.message().contains(words), "{refused:?}");
        }
        let late = v1::Coverage {
            revision: u64::MAX,
            ..good
        };
        assert!(read(&late).is_err());
    }

    #[test]
    fn named_addresses_lie_within_once_and_in_order() {
        let range = |prefix: &str, addresses: &[u8], states: usize| v1::ToldCoverage {
            prefix: prefix.to_owned(),
            port: 161,
            addresses: addresses.to_vec().into(),
            states: vec![6; states].into(),
        };
        let with = |all: Vec<v1::ToldCoverage>| v1::Coverage {
            told: all,
            ..told(vec![range_of_two()])
        };
        let mut v6 = [0; 16];
        v6[..4].copy_from_slice(&[0x20, 1, 0xd, 0xb8]);
        let two = [10, 0, 0, 1, 10, 9, 9, 9];
        let good = with(vec![
            range("2001:db8::/32", &v6, 1),
            range("10.0.0.0/8", &two, 2),
            range("172.16.0.0/12", &[], 0),
        ]);
        let good = read(&good).unwrap();
        assert_eq!(good.ranges.len(), 4);
        let shown = |at: usize| good.ranges[at].named.as_ref().map(Vec::len);
        assert_eq!([0, 1, 2, 3].map(shown), [Some(2), Some(0), None, Some(1)]);
        let many = vec![10; 4 * 4_097];
        for (all, words) in [
            (vec![range("10.0.0.0/8", &two, 1)], "another number"),
            (vec![range("10.0.0.0/8", &two, 3)], "another number"),
            (vec![range("10.0.0.0/8", &two[..7], 2)], "another number"),
            (vec![range("10.0.0.0/8", &many, 4_097)], "another number"),
            (
                vec![range("10.0.0.0/8", &[10, 0, 0, 1, 10, 0, 0, 1], 2)],
                "out of place",
            ),
            (
                vec![range("10.0.0.0/8", &[10, 9, 0, 1, 10, 0, 0, 1], 2)],
                "out of place",
            ),
            (vec![range("10.0.0.0/8", &[11, 0, 0, 1], 1)], "out of place"),
            (vec![range("::/0", &v6, 1)], "a range is none"),
            (vec![range("192.0.2.0/31", &[], 0)], "twice"),
            (vec![range("10.0.0.0/8", &[], 0); 1_000], "too many ranges"),
        ] {
            let refused = read(&with(all)).unwrap_err();
            assert!(refused.message().contains(words), "{refused:?}, expected {words}");
        }
    }

    fn range_of_two() -> v1::RangeCoverage {
        range("192.0.2.0/31", 2)
    }
}
