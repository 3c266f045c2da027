//! Which management addresses an element names as those of its neighbours.
//!
//! Only where to look is taken from here; what neighbours are is read elsewhere, from the
//! evidence. Invariants: total over hostile rows; bounded; no table of any maker is named: columns
//! beside the standard ones are told by the plan.

use crate::plan::Plan;
use crate::plan::oid;
use prost::bytes::Bytes;
use proto::v1;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

/// Addresses of one element at most.
const MOST: usize = 2_000;

/// lldpRemManAddrEntry (IEEE 802.1AB-2005) and lldpV2RemManAddrEntry (2009), and how many arcs
/// stand between column and address: time mark, port and number of the neighbour, and of 2009 the
/// destination address.
static LLDP: LazyLock<Vec<(Bytes, usize)>> = LazyLock::new(|| {
    [("1.0.8802.1.1.2.1.4.2.1", 3), ("1.3.111.2.802.1.1.13.1.4.2.1", 4)]
        .into_iter()
        .filter_map(|(entry, index)| Some((oid::parse(entry).ok()?, index)))
        .collect()
});

/// The addresses in an evidence, each once, by what a plan says beside LLDP.
#[must_use]
pub fn addresses(evidence: &v1::Evidence, plan: &Plan) -> Vec<IpAddr> {
    let columns: Vec<&Bytes> = plan.if_arc.iter().flat_map(|found| &found.addresses).collect();
    let mut all = BTreeSet::new();
    for varbind in evidence.observations.iter().flat_map(|one| &one.varbinds) {
        if all.len() >= MOST {
            break;
        }
        let told = by_lldp(&varbind.oid).or_else(|| {
            let is_told = columns
                .iter()
                .any(|column| oid::arc_below(&varbind.oid, column).is_some());
            is_told.then(|| address(&varbind.value)).flatten()
        });
        all.extend(told.map(|told| told.to_canonical()).filter(can_be_asked));
    }
    all.into_iter().collect()
}

/// The address that stands in the index of a row.
fn by_lldp(name: &[u8]) -> Option<IpAddr> {
    let (entry, index) = LLDP.iter().find(|(entry, _)| name.starts_with(entry))?;
    let mut arcs = oid::arcs_below(name, entry)?.skip(1 + index);
    // Address family (1 is IPv4, 2 IPv6), length, octets; some elements leave the length out.
    let length = match arcs.next()? {
        1 => 4,
        2 => 16,
        _ => return None,
    };
    let octets: Option<Vec<u8>> = arcs.take(18).map(|arc| u8::try_from(arc).ok()).collect();
    let octets = octets?;
    match octets.split_first() {
        Some((told, rest)) if usize::from(*told) == length && rest.len() == length => address(rest),
        _ => Some(octets)
            .filter(|octets| octets.len() == length)
            .and_then(|octets| address(&octets)),
    }
}

fn address(octets: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(octets).map(|octets| Ipv4Addr::from(octets).into());
    let v6 = || <[u8; 16]>::try_from(octets).map(|octets| Ipv6Addr::from(octets).into());
    v4.or_else(|_| v6()).ok()
}

/// Addresses of one link mean nothing here, and nobody has the rest.
fn can_be_asked(address: &IpAddr) -> bool {
    let never = match address {
        IpAddr::V4(v4) => v4.is_link_local() || v4.is_broadcast(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    !(never || address.is_multicast() || address.is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::PlanConfig;

    fn named(rows: &[(&str, &[u8])], plan: &Plan) -> Vec<String> {
        let varbind = |(name, value): &(&str, &[u8])| v1::Varbind {
            oid: oid::parse(name).unwrap(),
            tag: 4,
            value: Bytes::copy_from_slice(value),
        };
        let evidence = v1::Evidence {
            observations: vec![v1::Observation {
                varbinds: rows.iter().map(varbind).collect(),
                ..v1::Observation::default()
            }],
        };
        let all = addresses(&evidence, plan);
        all.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn lldp_of_both_years_tells_addresses_in_the_index_and_nothing_else_does() {
        let plan = Plan::of(crate::plan::Profile::Full);
        let old = "1.0.8802.1.1.2.1.4.2.1.3.0.7.1";
        let new = "1.3.111.2.802.1.1.13.1.4.2.1.3.0.7.1.2";
        let v6 = "32.1.13.184.0.0.0.0.0.0.0.0.0.0.0.9";
        for (row, expected) in [
            (format!("{old}.1.4.192.0.2.9"), Some("192.0.2.9")),
            (format!("{old}.1.192.0.2.9"), Some("192.0.2.9")),
            (format!("{old}.2.16.{v6}"), Some("2001:db8::9")),
            (format!("{new}.1.4.192.0.2.9"), Some("192.0.2.9")),
            (format!("{new}.2.{v6}"), Some("2001:db8::9")),
            (
                format!("{old}.2.16.0.0.0.0.0.0.0.0.0.0.255.255.192.0.2.9"),
                Some("192.0.2.9"),
            ),
            // Another family, cut short, too long, no octets, of one link, nobody's.
            (format!("{old}.6.6.0.1.2.3.4.5"), None),
            (format!("{old}.1.4.192.0"), None),
            (format!("{old}.1.4.192.0.2.9.9"), None),
            (format!("{old}.1.4.192.0.2.256"), None),
            (format!("{old}.2.16.{v6}.1"), None),
            (format!("{old}.1.4.169.254.0.1"), None),
            (format!("{old}.1.4.224.0.0.1"), None),
            (format!("{old}.1.4.0.0.0.0"), None),
            (old.to_owned(), None),
            // lldpRemEntry, and ipNetToMediaPhysAddress.
            ("1.0.8802.1.1.2.1.4.1.1.3.0.7.1.1.4.192.0.2.9".to_owned(), None),
            ("1.3.6.1.2.1.4.22.1.2.7.192.0.2.9".to_owned(), None),
        ] {
            let expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
            assert_eq!(named(&[(&row, b"")], &plan), expected, "{row}");
        }
    }

    #[test]
    fn a_plan_says_which_other_columns_hold_addresses() {
        let config: PlanConfig = toml::from_str(
            "[[if_arc]]\narc = 99999\nwalk = ['1.3.6.1.4.1.99999.1']\naddresses = ['1.3.6.1.4.1.99999.1.4']\n",
        )
        .unwrap();
        let rows: [(&str, &[u8]); 5] = [
            ("1.3.6.1.4.1.99999.1.4.7.1", &[192, 0, 2, 9]),
            ("1.3.6.1.4.1.99999.1.4.7.2", &[192, 0, 2, 9]),
            ("1.3.6.1.4.1.99999.1.4.7.3", b"router"),
            ("1.3.6.1.4.1.99999.1.5.7.1", &[192, 0, 2, 10]),
            ("1.3.6.1.4.1.99999.1.40.7.1", &[192, 0, 2, 11]),
        ];
        assert_eq!(named(&rows, &Plan::from(&config)), ["192.0.2.9"]);
        assert_eq!(named(&rows, &Plan::of(crate::plan::Profile::Full)), [""; 0]);
    }

    #[test]
    fn whoever_names_many_is_cut_off() {
        let plan = Plan::of(crate::plan::Profile::Full);
        let rows: Vec<String> = (0..3_000)
            .map(|n| format!("1.0.8802.1.1.2.1.4.2.1.3.0.7.1.1.4.10.1.{}.{}", n / 250, n % 250))
            .collect();
        let rows: Vec<(&str, &[u8])> = rows.iter().map(|row| (row.as_str(), &b""[..])).collect();
        assert_eq!(named(&rows, &plan).len(), MOST);
    }
}
