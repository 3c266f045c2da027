//! Addresses in scope that were not asked, in runs: what is left alone by the command, and
//! what an interrupt left over.
//!
//! Invariant: there are no more runs than exclusions, ranges and addresses under way allow,
//! whatever the size of the ranges.

use proto::plan::Range;
use std::net::IpAddr;

/// Addresses one after the other, and why none was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) first: IpAddr,
    pub(super) last: IpAddr,
    pub(super) count: u64,
    pub(super) why: &'static str,
}

const EXCLUDED: &str = "excluded by --exclude";

/// What of a range is never asked, in order: excluded prefixes, joined where they meet, and of IPv4 the network
/// and the broadcast address.
pub(super) fn left_alone(range: &Range) -> Vec<Run> {
    let span = |net: &ipnet::IpNet| Some((range.offset(net.network())?, range.offset(net.broadcast())?));
    let mut spans: Vec<(u64, u64)> = range.excluded().iter().filter_map(span).collect();
    spans.sort_unstable();
    let mut all: Vec<(u64, u64, &str)> = Vec::new();
    for (first, last) in spans {
        match all.last_mut() {
            Some((_, end, _)) if first <= end.saturating_add(1) => *end = last.max(*end),
            _ => all.push((first, last, EXCLUDED)),
        }
    }
    let end = range.size() - 1;
    for (edge, why) in [(0, "network address"), (end, "broadcast address")] {
        let is_excluded = all
            .iter()
            .any(|(first, last, _)| (*first..=*last).contains(&edge));
        if range.nth(edge).is_none() && !is_excluded {
            all.push((edge, edge, why));
        }
    }
    all.sort_unstable();
    let run = |(first, last, why)| {
        Some(Run {
            first: range.address(first)?,
            last: range.address(last)?,
            count: last - first + 1,
            why,
        })
    };
    all.into_iter().filter_map(run).collect()
}

/// Joins addresses that follow one another; they come in order.
pub(super) fn joined(addresses: impl Iterator<Item = IpAddr>, why: &'static str) -> Vec<Run> {
    let mut all: Vec<Run> = Vec::new();
    for address in addresses {
        match all.last_mut() {
            Some(run) if follows(run.last, address) => {
                run.last = address;
                run.count += 1;
            }
            _ => all.push(Run {
                first: address,
                last: address,
                count: 1,
                why,
            }),
        }
    }
    all
}

fn follows(before: IpAddr, after: IpAddr) -> bool {
    match (before, after) {
        (IpAddr::V4(before), IpAddr::V4(after)) => u32::from(before).checked_add(1) == Some(after.into()),
        (IpAddr::V6(before), IpAddr::V6(after)) => u128::from(before).checked_add(1) == Some(after.into()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(runs: &[Run]) -> Vec<String> {
        runs.iter()
            .map(|run| format!("{}-{} {} {}", run.first, run.last, run.count, run.why))
            .collect()
    }

    #[test]
    fn what_is_left_alone_and_what_is_asked_are_the_whole_range() {
        for (prefix, excluded, expected) in [
            (
                "192.0.2.0/24",
                &["192.0.2.128/26", "192.0.2.7", "192.0.2.192/27", "192.0.2.130"][..],
                &[
                    "192.0.2.0-192.0.2.0 1 network address",
                    "192.0.2.7-192.0.2.7 1 excluded by --exclude",
                    "192.0.2.128-192.0.2.223 96 excluded by --exclude",
                    "192.0.2.255-192.0.2.255 1 broadcast address",
                ][..],
            ),
            (
                "192.0.2.0/30",
                &["192.0.2.0", "192.0.2.3"],
                &[
                    "192.0.2.0-192.0.2.0 1 excluded by --exclude",
                    "192.0.2.3-192.0.2.3 1 excluded by --exclude",
                ],
            ),
            ("192.0.2.0/31", &[], &[]),
            (
                "2001:db8::/112",
                &["2001:db8::/113", "2001:db8::8000/114"],
                &["2001:db8::-2001:db8::bfff 49152 excluded by --exclude"],
            ),
            (
                "192.0.2.0/24",
                &["192.0.2.0/24"],
                &["192.0.2.0-192.0.2.255 256 excluded by --exclude"],
            ),
        ] {
            let range = Range::new(prefix, excluded.iter().copied()).unwrap();
            let runs = left_alone(&range);
            assert_eq!(shown(&runs), expected, "{prefix}");
            let asked = (0..range.size()).filter(|n| range.nth(*n).is_some()).count() as u64;
            let left: u64 = runs.iter().map(|run| run.count).sum();
            assert_eq!(asked + left, range.size(), "{prefix}");
        }
    }

    #[test]
    fn what_is_left_over_is_joined() {
        let addresses = ["10.0.0.254", "10.0.0.255", "10.0.1.0", "10.0.1.2", "2001:db8::1"];
        let runs = joined(addresses.iter().map(|text| text.parse().unwrap()), "why");
        assert_eq!(
            shown(&runs),
            [
                "10.0.0.254-10.0.1.0 3 why",
                "10.0.1.2-10.0.1.2 1 why",
                "2001:db8::1-2001:db8::1 1 why"
            ]
        );
        assert!(joined(std::iter::empty(), "why").is_empty());
    }
}
