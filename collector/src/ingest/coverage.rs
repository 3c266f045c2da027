//! Coverage as it came down the stream: hostile until it is read here.
//!
//! Invariants: no more ranges, addresses or octets than a plan may have; every
//! range has exactly one octet an address.

use model::Instant;
use proto::plan::{self as bounds, Range};
use proto::v1;
use store::coverage::{ToldCoverage, ToldRange};
use tonic::Status;

/// Reads it.
///
/// # Errors
/// `INVALID_ARGUMENT` when it is none.
pub(super) fn read(told: &v1::Coverage) -> Result<ToldCoverage, Status> {
    let wrong = |what: &str| Status::invalid_argument(format!("coverage: {what}"));
    if told.ranges.len() > bounds::MAX_RANGES {
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
        };
        ranges.push(one);
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
}
