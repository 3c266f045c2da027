//! Whom an element says it is connected to, or has talked to: neighbours by LLDP, CDP, ARP and bridge.
//!
//! They say where to look and what is there, and prove nothing: what their words make likely of a maker stands far
//! below what an element says of itself. Invariants: total over hostile rows; bounded; an address that cannot be
//! polled is none.

use crate::address::is_assigned;
use crate::{Knowledge, identify};
use model::{Attribution, Evidence, Observation, Oid, Outcome, Question, QuestionKind, Value, Varbind};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// lldpRemEntry and lldpRemManAddrEntry (IEEE 802.1AB-2005): time mark, port and number of the neighbour are the
/// index; the columns are those of subtype and identity of the chassis, name and description.
const LLDP_2005: Lldp = Lldp {
    row: &[1, 0, 8802, 1, 1, 2, 1, 4, 1, 1],
    address: &[1, 0, 8802, 1, 1, 2, 1, 4, 2, 1],
    index: 3,
    columns: [4, 5, 9, 10],
};
/// lldpV2RemEntry and lldpV2RemManAddrEntry (IEEE 802.1AB-2009): the destination address comes in between.
const LLDP_2009: Lldp = Lldp {
    row: &[1, 3, 111, 2, 802, 1, 1, 13, 1, 4, 1, 1],
    address: &[1, 3, 111, 2, 802, 1, 1, 13, 1, 4, 2, 1],
    index: 4,
    columns: [5, 6, 10, 11],
};
/// cdpCacheEntry (CISCO-CDP-MIB): address, version, device and platform are its columns 4, 5, 6 and 8.
const CDP: &[u32] = &[1, 3, 6, 1, 4, 1, 9, 9, 23, 1, 2, 1, 1];
/// ipNetToMediaPhysAddress and ipNetToPhysicalPhysAddress (RFC 4293).
const ARP: [(&[u32], bool); 2] = [
    (&[1, 3, 6, 1, 2, 1, 4, 22, 1, 2], false),
    (&[1, 3, 6, 1, 2, 1, 4, 35, 1, 4], true),
];
/// dot1dTpFdbPort (RFC 4188) and dot1qTpFdbPort (RFC 4363): the hardware address ends the index.
const BRIDGE: [&[u32]; 2] = [
    &[1, 3, 6, 1, 2, 1, 17, 4, 3, 1, 2],
    &[1, 3, 6, 1, 2, 1, 17, 7, 1, 2, 2, 1, 2],
];
/// More are left out, those of the bridge first; beyond it, within one kind, the order in which they answered decides.
const MOST: usize = 2_000;
/// How much of what its own words would make likely is believed from a neighbour's mouth.
pub(crate) const HEARSAY: f64 = 0.5;
/// And never more than this: it is not known well enough to clear anything.
pub(crate) const MOST_CONFIDENCE: f64 = 0.45;

struct Lldp {
    row: &'static [u32],
    address: &'static [u32],
    index: usize,
    columns: [u32; 4],
}

/// What an element tells of a neighbour.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Neighbour {
    /// How it was told: `lldp`, `cdp`, `arp` or `bridge`.
    pub protocol: &'static str,
    /// Management address.
    pub address: Option<IpAddr>,
    /// Hardware address of the chassis, `aa:bb:cc:dd:ee:ff`.
    pub mac: Option<String>,
    /// What it calls itself; at most 64 characters.
    pub name: String,
    /// How it describes itself; at most 255 characters.
    pub description: String,
}

/// The neighbours in an evidence, each word of an address once, in order.
#[must_use]
pub fn neighbours(evidence: &Evidence) -> Vec<Neighbour> {
    let mut found = BTreeSet::new();
    let mut all = Vec::new();
    let mut take = |rows: Vec<Neighbour>| {
        for row in rows {
            let told = row.address.is_some() || row.mac.is_some() || !row.name.is_empty();
            if told && all.len() < MOST && found.insert(row.clone()) {
                all.push(row);
            }
        }
    };
    for table in [LLDP_2005, LLDP_2009] {
        take(lldp(evidence, &table));
    }
    take(cdp(evidence));
    take(arp(evidence));
    take(bridge(evidence));
    all
}

/// Who may have made it, by its neighbour's words; each kind of words is looked up once.
#[must_use]
pub fn makers<'a>(neighbours: &'a [Neighbour], knowledge: &Knowledge) -> Vec<Option<Attribution>> {
    let mut known: BTreeMap<(&'a str, Option<&'a str>), Option<Attribution>> = BTreeMap::new();
    let maker = |neighbour: &'a Neighbour| {
        let Neighbour { mac, description, .. } = neighbour;
        // Prefixes of the registries are 36 bits long at most.
        let prefix = mac.as_deref().and_then(|mac| mac.get(..13));
        let found = known.entry((description.as_str(), prefix));
        found.or_insert_with(|| hearsay(neighbour, knowledge)).clone()
    };
    neighbours.iter().map(maker).collect()
}

fn hearsay(neighbour: &Neighbour, knowledge: &Knowledge) -> Option<Attribution> {
    let mut varbinds = Vec::new();
    let mut tell = |arcs: &[u32], octets: &[u8]| {
        varbinds.push(Varbind {
            oid: Oid::from_arcs(arcs),
            value: Value::octet_string(octets),
        });
    };
    if !neighbour.description.is_empty() {
        tell(&[1, 3, 6, 1, 2, 1, 1, 1, 0], neighbour.description.as_bytes());
    }
    if let Some(octets) = neighbour
        .mac
        .as_deref()
        .and_then(|mac| hex::decode(mac.replace(':', "")).ok())
    {
        tell(&[1, 3, 6, 1, 2, 1, 17, 1, 1, 0], &octets);
    }
    let evidence = Evidence {
        observations: vec![Observation {
            question: Question {
                kind: QuestionKind::Get,
                oids: Vec::new(),
            },
            outcome: Outcome::Complete,
            varbinds,
        }],
    };
    let maker = identify(&evidence, knowledge).maker?;
    Some(Attribution {
        confidence: (maker.confidence * HEARSAY).min(MOST_CONFIDENCE),
        ..maker
    })
}

/// Hardware addresses by which neighbours may know this element: of its chassis (lldpLocChassisId), of its bridge,
/// and the first ones of its interfaces.
#[must_use]
pub fn own_addresses(evidence: &Evidence) -> BTreeSet<String> {
    let named: [&[u32]; 3] = [
        &[1, 0, 8802, 1, 1, 2, 1, 3, 2, 0],
        &[1, 3, 111, 2, 802, 1, 1, 13, 1, 3, 2, 0],
        &[1, 3, 6, 1, 2, 1, 17, 1, 1, 0],
    ];
    let interfaces = Oid::from_arcs(&[1, 3, 6, 1, 2, 1, 2, 2, 1, 6]);
    let named = evidence
        .varbinds()
        .filter(|varbind| named.contains(&varbind.oid.arcs()));
    let interfaces: BTreeSet<String> = evidence
        .below(&interfaces)
        .filter_map(|(_, varbind)| hardware(&varbind.value.octets))
        .collect();
    let named = named.filter_map(|varbind| hardware(&varbind.value.octets));
    named.chain(interfaces.into_iter().take(MOST_OWN)).collect()
}

/// Addresses of interfaces kept for [`own_addresses`].
const MOST_OWN: usize = 4;

fn hardware(octets: &[u8]) -> Option<String> {
    let address = <[u8; 6]>::try_from(octets)
        .ok()
        .filter(|address| is_assigned(*address))?;
    Some(address.map(|octet| format!("{octet:02x}")).join(":"))
}

fn words(value: &Value, limit: usize) -> String {
    value.text(limit).unwrap_or_default()
}

/// A row of an LLDP table while it is put together.
#[derive(Default)]
struct LldpRow<'a> {
    /// Subtype and identity of the chassis, name, description.
    cells: [Option<&'a Value>; 4],
    addresses: BTreeSet<IpAddr>,
}

/// Of a cell that is told twice, the lesser value: what came first on the wire must not matter.
fn keep<'a>(cell: &mut Option<&'a Value>, value: &'a Value) {
    let rank = |value: &'a Value| (value.octets.is_empty(), value.tag, value.octets.as_slice());
    if cell.is_none_or(|kept| rank(value) < rank(kept)) {
        *cell = Some(value);
    }
}

fn lldp(evidence: &Evidence, table: &Lldp) -> Vec<Neighbour> {
    let mut rows: BTreeMap<&[u32], LldpRow<'_>> = BTreeMap::new();
    let entry = Oid::from_arcs(table.row);
    for (arcs, varbind) in evidence.below(&entry) {
        let Some((column, index)) = arcs.split_first().filter(|(_, index)| index.len() == table.index) else {
            continue;
        };
        if rows.len() >= MOST && !rows.contains_key(index) {
            continue;
        }
        let row = rows.entry(index).or_default();
        let at = table.columns.iter().position(|known| known == column);
        if let Some(cell) = at.and_then(|at| row.cells.get_mut(at)) {
            keep(cell, &varbind.value);
        }
    }
    let entry = Oid::from_arcs(table.address);
    for (arcs, _) in evidence.below(&entry) {
        // The column comes first.
        let told = arcs.get(1..).and_then(|rest| rest.split_at_checked(table.index));
        let Some((index, rest)) = told else { continue };
        if let Some(address) = indexed(rest).and_then(polled)
            && (rows.len() < MOST || rows.contains_key(index))
        {
            rows.entry(index).or_default().addresses.insert(address);
        }
    }
    let mut all = Vec::new();
    for row in rows.into_values() {
        let [subtype, chassis, name, description] = row.cells;
        let text = |value: Option<&Value>, limit| value.map(|value| words(value, limit)).unwrap_or_default();
        // lldpChassisIdSubtype macAddress.
        let is_address = subtype.and_then(Value::integer) == Some(4);
        let told = Neighbour {
            protocol: "lldp",
            address: None,
            mac: chassis
                .filter(|_| is_address)
                .and_then(|value| hardware(&value.octets)),
            name: text(name, 64),
            description: text(description, 255),
        };
        all.extend(each(told, row.addresses));
    }
    all
}

/// A neighbour once for each of its addresses.
fn each(row: Neighbour, addresses: BTreeSet<IpAddr>) -> Vec<Neighbour> {
    if addresses.is_empty() {
        return vec![row];
    }
    let at = |address| Neighbour {
        address: Some(address),
        ..row.clone()
    };
    addresses.into_iter().map(at).collect()
}

fn cdp(evidence: &Evidence) -> Vec<Neighbour> {
    let mut rows: BTreeMap<&[u32], [Option<&Value>; 4]> = BTreeMap::new();
    let entry = Oid::from_arcs(CDP);
    for (arcs, varbind) in evidence.below(&entry) {
        let Some((column, index)) = arcs.split_first().filter(|(_, index)| index.len() == 2) else {
            continue;
        };
        let at = [4, 5, 6, 8].iter().position(|known| known == column);
        if let Some(at) = at.filter(|_| varbind.value.tag == Value::OCTET_STRING)
            && (rows.len() < MOST || rows.contains_key(index))
            && let Some(cell) = rows.entry(index).or_default().get_mut(at)
        {
            keep(cell, &varbind.value);
        }
    }
    let row = |[told, version, device, platform]: [Option<&Value>; 4]| {
        let text = |value: Option<&Value>, limit| value.map(|value| words(value, limit)).unwrap_or_default();
        let description = format!("{} {}", text(platform, 100), text(version, 150));
        Neighbour {
            protocol: "cdp",
            address: told.and_then(|value| address(&value.octets)).and_then(polled),
            mac: None,
            name: text(device, 64),
            description: description.trim().to_owned(),
        }
    };
    rows.into_values().map(row).collect()
}

fn arp(evidence: &Evidence) -> Vec<Neighbour> {
    let mut all = Vec::new();
    for (column, typed) in ARP {
        let column = Oid::from_arcs(column);
        for (index, varbind) in evidence.below(&column).take(MOST) {
            // ifIndex, then the address: after type and length, or four arcs.
            let told = index.get(1..).and_then(|rest| {
                if typed {
                    indexed(rest)
                } else {
                    address(&octets(rest).filter(|octets| octets.len() == 4)?)
                }
            });
            let (Some(address), Some(mac)) = (told.and_then(polled), hardware(&varbind.value.octets)) else {
                continue;
            };
            all.push(Neighbour {
                protocol: "arp",
                address: Some(address),
                mac: Some(mac),
                ..Neighbour::default()
            });
        }
    }
    all
}

fn bridge(evidence: &Evidence) -> Vec<Neighbour> {
    let mut all = Vec::new();
    for column in BRIDGE {
        let column = Oid::from_arcs(column);
        for (index, _) in evidence.below(&column).take(MOST) {
            let start = index.len().saturating_sub(6);
            let mac = index
                .get(start..)
                .and_then(octets)
                .and_then(|octets| hardware(&octets));
            if mac.is_some() {
                all.push(Neighbour {
                    protocol: "bridge",
                    mac,
                    ..Neighbour::default()
                });
            }
        }
    }
    all
}

fn polled(address: IpAddr) -> Option<IpAddr> {
    Some(address.to_canonical()).filter(can_be_polled)
}

fn octets(arcs: &[u32]) -> Option<Vec<u8>> {
    arcs.iter()
        .map(|arc| u8::try_from(*arc))
        .collect::<Result<_, _>>()
        .ok()
}

/// Subtype (RFC 3232: 1 is IPv4, 2 IPv6), length, octets; some elements leave the length out.
fn indexed(arcs: &[u32]) -> Option<IpAddr> {
    let (subtype, rest) = arcs.split_first()?;
    let octets = octets(rest)?;
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
            .map(|one| {
                let address = one.address.map(|address| address.to_string());
                let told = [
                    address.as_deref(),
                    one.mac.as_deref(),
                    Some(&one.name),
                    Some(&one.description),
                ];
                let told: Vec<&str> = told
                    .into_iter()
                    .flatten()
                    .filter(|word| !word.is_empty())
                    .collect();
                format!("{} {}", one.protocol, told.join(" "))
            })
            .collect()
    }

    #[test]
    fn rows_become_neighbours_with_their_words() {
        let lldp = |column: u32| format!("1.0.8802.1.1.2.1.4.1.1.{column}.0.7.1");
        let text = |text: &str| Value::octet_string(text.as_bytes());
        let subtype = |n: u8| Value {
            tag: Value::INTEGER,
            octets: vec![n],
        };
        let mac = || Value::octet_string([0x00, 0xe0, 0xfc, 1, 2, 3]);
        let row = [
            (lldp(4), subtype(4)),
            (lldp(5), mac()),
            (lldp(9), text("edge\n7")),
            (lldp(10), text("Huawei switch")),
            (
                "1.0.8802.1.1.2.1.4.2.1.3.0.7.1.1.4.192.0.2.9".to_owned(),
                subtype(2),
            ),
        ];
        let told_of = |rows: &[(String, Value)]| {
            told(
                &rows
                    .iter()
                    .map(|(oid, value)| (oid.as_str(), value.clone()))
                    .collect::<Vec<_>>(),
            )
        };
        assert_eq!(
            told_of(&row),
            ["lldp 192.0.2.9 00:e0:fc:01:02:03 edge 7 Huawei switch"]
        );
        // Another kind of chassis identity is no hardware address.
        let named = [
            (lldp(4), subtype(7)),
            (lldp(5), text("abcdef")),
            (lldp(9), text("edge")),
        ];
        assert_eq!(told_of(&named), ["lldp edge"]);
        let cdp = |column: u32| format!("1.3.6.1.4.1.9.9.23.1.2.1.1.{column}.10101.3");
        let row = [
            (cdp(6), text("sw")),
            (cdp(8), text("cisco WS-C2960")),
            (cdp(5), text("IOS 15")),
        ];
        assert_eq!(told_of(&row), ["cdp sw cisco WS-C2960 IOS 15"]);
        let hosts = [
            ("1.3.6.1.2.1.4.22.1.2.3.192.0.2.8".to_owned(), mac()),
            ("1.3.6.1.2.1.4.35.1.4.3.1.4.192.0.2.7".to_owned(), mac()),
            ("1.3.6.1.2.1.4.22.1.2.3.192.0.2".to_owned(), mac()),
            ("1.3.6.1.2.1.17.4.3.1.2.0.224.252.1.2.4".to_owned(), subtype(1)),
            (
                "1.3.6.1.2.1.17.7.1.2.2.1.2.10.0.224.252.1.2.5".to_owned(),
                subtype(1),
            ),
            ("1.3.6.1.2.1.17.4.3.1.2.1.0.94.1.2.4".to_owned(), subtype(1)),
        ];
        assert_eq!(
            told_of(&hosts),
            [
                "arp 192.0.2.8 00:e0:fc:01:02:03",
                "arp 192.0.2.7 00:e0:fc:01:02:03",
                "bridge 00:e0:fc:01:02:04",
                "bridge 00:e0:fc:01:02:05"
            ]
        );
    }

    #[test]
    fn hearsay_names_a_maker_less_surely_and_never_surely() {
        let told = |mac: Option<&str>, description: &str| Neighbour {
            protocol: "lldp",
            mac: mac.map(str::to_owned),
            description: description.to_owned(),
            ..Neighbour::default()
        };
        let knowledge = Knowledge::built_in().unwrap();
        let all = [
            told(
                Some("00:e0:fc:01:02:03"),
                "Huawei Versatile Routing Platform Software VRP",
            ),
            told(Some("00:e0:fc:01:02:03"), ""),
            told(None, "some box"),
        ];
        let makers = makers(&all, knowledge);
        let sure = |at: usize| {
            makers[at]
                .as_ref()
                .map(|maker| (maker.supplier.id.as_str(), maker.confidence))
        };
        let (both, address) = (sure(0).unwrap(), sure(1).unwrap());
        assert_eq!((both.0, address.0, sure(2)), ("huawei", "huawei", None));
        assert!(
            address.1 < both.1 && both.1 <= MOST_CONFIDENCE,
            "{both:?} {address:?}"
        );
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
