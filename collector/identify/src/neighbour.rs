//! Whom an element says it is connected to: management addresses of its neighbours.
//!
//! They say where to look and prove nothing. Invariants: total over hostile rows;
//! bounded; an address that cannot be polled is none.

use model::{Evidence, Oid};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// lldpRemManAddrEntry (IEEE 802.1AB-2005): time mark, port and number of the neighbour, then the address.
const LLDP_2005: (&[u32], usize) = (&[1, 0, 8802, 1, 1, 2, 1, 4, 2, 1], 3);
/// lldpV2RemManAddrEntry (IEEE 802.1AB-2009): the destination address comes in between.
const LLDP_2009: (&[u32], usize) = (&[1, 3, 111, 2, 802, 1, 1, 13, 1, 4, 2, 1], 4);
/// cdpCacheAddress (CISCO-CDP-MIB), an octet string.
const CDP: &[u32] = &[1, 3, 6, 1, 4, 1, 9, 9, 23, 1, 2, 1, 1, 4];
/// More addresses are left out.
const MOST: usize = 2_000;

/// A neighbour's management address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Neighbour {
    /// The address.
    pub address: IpAddr,
    /// How it was told: `lldp` or `cdp`.
    pub protocol: &'static str,
}

/// The management addresses in an evidence, each once, in order.
#[must_use]
pub fn neighbours(evidence: &Evidence) -> Vec<Neighbour> {
    let mut found = BTreeSet::new();
    let mut add = |address: Option<IpAddr>, protocol| {
        let address = address
            .map(|address| address.to_canonical())
            .filter(can_be_polled);
        if let Some(address) = address
            && found.len() < MOST
        {
            found.insert(Neighbour { address, protocol });
        }
    };
    for (entry, before) in [LLDP_2005, LLDP_2009] {
        let entry = Oid::from_arcs(entry);
        for (arcs, _) in evidence.below(&entry) {
            // The column comes first.
            add(arcs.get(before + 1..).and_then(indexed), "lldp");
        }
    }
    for (_, varbind) in evidence.below(&Oid::from_arcs(CDP)) {
        if varbind.value.tag == 0x04 {
            add(address(&varbind.value.octets), "cdp");
        }
    }
    found.into_iter().collect()
}

/// Subtype (RFC 3232: 1 is IPv4, 2 IPv6), length, octets; some elements leave the length out.
fn indexed(arcs: &[u32]) -> Option<IpAddr> {
    let (subtype, rest) = arcs.split_first()?;
    let octets: Vec<u8> = rest
        .iter()
        .map(|arc| u8::try_from(*arc))
        .collect::<Result<_, _>>()
        .ok()?;
    let length = match subtype {
        1 => 4,
        2 => 16,
        _ => return None,
    };
    let octets = match octets.split_first() {
        Some((told, rest)) if usize::from(*told) == length && rest.len() == length => rest,
        _ => &octets,
    };
    (octets.len() == length).then(|| address(octets)).flatten()
}

fn address(octets: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(octets).map(|octets| Ipv4Addr::from(octets).into());
    let v6 = || <[u8; 16]>::try_from(octets).map(|octets| Ipv6Addr::from(octets).into());
    v4.or_else(|_| v6()).ok()
}

fn can_be_polled(address: &IpAddr) -> bool {
    let local = match address {
        IpAddr::V4(v4) => v4.is_link_local() || v4.is_broadcast() || v4.octets().first() == Some(&0),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    !(local || address.is_loopback() || address.is_multicast() || address.is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{Observation, Outcome, Question, QuestionKind, Value, Varbind};

    fn told(rows: &[(&str, Value)]) -> Vec<String> {
        let varbinds = rows.iter().map(|(oid, value)| Varbind {
            oid: oid.parse().unwrap(),
            value: value.clone(),
        });
        let evidence = Evidence {
            observations: vec![Observation {
                question: Question {
                    kind: QuestionKind::Walk,
                    oids: Vec::new(),
                },
                outcome: Outcome::Complete,
                varbinds: varbinds.collect(),
            }],
        };
        let all = neighbours(&evidence);
        all.iter()
            .map(|one| format!("{} {}", one.protocol, one.address))
            .collect()
    }

    #[test]
    fn addresses_are_read_from_rows_of_all_three_tables_and_nothing_else() {
        let number = || Value::octet_string([2]);
        let lldp = "1.0.8802.1.1.2.1.4.2.1";
        let v2 = "1.3.111.2.802.1.1.13.1.4.2.1";
        let cdp = "1.3.6.1.4.1.9.9.23.1.2.1.1";
        for (row, value, expected) in [
            (
                format!("{lldp}.3.0.7.1.1.4.192.0.2.9"),
                number(),
                Some("lldp 192.0.2.9"),
            ),
            (
                format!("{lldp}.4.99.7.1.1.192.0.2.9"),
                number(),
                Some("lldp 192.0.2.9"),
            ),
            (
                format!("{lldp}.3.0.7.1.2.16.32.1.13.184.0.0.0.0.0.0.0.0.0.0.0.7"),
                number(),
                Some("lldp 2001:db8::7"),
            ),
            (
                format!("{v2}.3.0.7.1.1.1.4.192.0.2.10"),
                number(),
                Some("lldp 192.0.2.10"),
            ),
            (
                format!("{cdp}.4.10101.3"),
                Value::octet_string([192, 0, 2, 11]),
                Some("cdp 192.0.2.11"),
            ),
            // The type of the address, one that is too short, other families, nobody's addresses.
            (
                format!("{cdp}.3.10101.3"),
                Value::octet_string([192, 0, 2, 11]),
                None,
            ),
            (format!("{cdp}.4.10101.3"), Value::octet_string([192, 0, 2]), None),
            (format!("{lldp}.3.0.7.1.1.4.192.0"), number(), None),
            (format!("{lldp}.3.0.7.1.1.4.192.0.2.9.9"), number(), None),
            (format!("{lldp}.3.0.7.1.1.4.192.0.2.900"), number(), None),
            (format!("{lldp}.3.0.7.1.6.6.1.2.3.4.5.6"), number(), None),
            (format!("{lldp}.3.0.7"), number(), None),
            (format!("{lldp}.3.0.7.1.1.4.0.0.0.0"), number(), None),
            (format!("{lldp}.3.0.7.1.1.4.127.0.0.1"), number(), None),
            (format!("{lldp}.3.0.7.1.1.4.224.0.0.5"), number(), None),
            (format!("{lldp}.3.0.7.1.1.4.169.254.1.1"), number(), None),
        ] {
            let found = told(&[(&row, value)]);
            assert_eq!(found.first().map(String::as_str), expected, "{row}");
        }
    }

    #[test]
    fn each_address_is_told_once_and_not_without_end() {
        let row = |n: u32| {
            let [_, _, high, low] = n.to_be_bytes();
            format!("1.0.8802.1.1.2.1.4.2.1.3.0.7.{n}.1.4.10.9.{high}.{low}")
        };
        let rows: Vec<(String, Value)> = (1..3_000).map(|n| (row(n), Value::octet_string([1]))).collect();
        let twice: Vec<(&str, Value)> = rows
            .iter()
            .chain(&rows)
            .map(|(r, v)| (r.as_str(), v.clone()))
            .collect();
        assert_eq!(told(&twice).len(), MOST);
    }
}
