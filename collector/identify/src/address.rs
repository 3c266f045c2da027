//! What the element's own hardware addresses say, by their IEEE prefix.
//!
//! Invariants: locally administered, group, zero and broadcast addresses name nobody, the first
//! count among all; at most three organisations are claimed, each once with its count; makers of
//! boards, chips and network cards and companies nobody curated never name the unit alone, nor does half
//! of the addresses or less (a plugged-in modem has an address too), nor an interface of a peripheral.

use crate::index::{Index, evidence_of};
use crate::knowledge::{Knowledge, Named, Prefix, SupplierRole};
use crate::weigh::{Findings, Standing, Vote};
use model::{Aspect, EvidenceRef, Signal, Subject, Varbind};
use std::collections::{BTreeMap, BTreeSet};

const SOURCE: &str = "IEEE MA-L, MA-M and MA-S registries";
/// Weight of addresses that all belong to one maker.
const WEIGHT: f64 = 0.55;
/// Most organisations claimed.
const MAX_CLAIMS: usize = 3;

/// The address in a varbind, when it was assigned by its maker.
pub(crate) fn assigned(varbind: &Varbind) -> Option<[u8; 6]> {
    let address = <[u8; 6]>::try_from(varbind.value.octets.as_slice()).ok()?;
    is_assigned(address).then_some(address)
}

/// Whether it was given by a maker, and is one device's.
pub(crate) fn is_assigned(address: [u8; 6]) -> bool {
    let [first, second, third, ..] = address;
    first & 0x03 == 0 && (first, second, third) != (0, 0, 0)
}

/// Whether routers share it among them: addresses of VRRP (RFC 9568), HSRP and GLBP.
pub(crate) fn is_shared(address: [u8; 6]) -> bool {
    match address {
        [0x00, 0x00, 0x5e, ..]
        | [0x00, 0x00, 0x0c, 0x07, 0xac, _]
        | [0x00, 0x05, 0x73, 0xa0, ..]
        | [0x00, 0x07, 0xb4, 0x00, ..] => true,
        [0x00, 0x00, 0x0c, 0x9f, fifth, _] => fifth >= 0xf0,
        _ => false,
    }
}

/// Locally administered addresses, which somebody else's hardware may hide behind. Those that only
/// have the local bit set in a prefix of the unit's own (second networks of a radio, bridges) count for nothing.
fn foreign_local<'a>(index: &Index<'a>) -> BTreeSet<&'a [u8]> {
    let own: BTreeSet<[u8; 3]> = index
        .addresses
        .iter()
        .filter_map(|v| assigned(v))
        .map(|[a, b, c, ..]| [a, b, c])
        .collect();
    let octets = index.addresses.iter().map(|v| v.value.octets.as_slice());
    octets
        .filter(|octets| match octets {
            [a, b, c, _, _, _] => a & 0x03 == 0x02 && !own.contains(&[a & !0x02, *b, *c]),
            _ => false,
        })
        .collect()
}

/// Reads all addresses of interfaces, bridge and chassis.
pub(crate) fn read(index: &Index<'_>, knowledge: &Knowledge, findings: &mut Findings) {
    let local = foreign_local(index);
    let mut seen = BTreeSet::new();
    let own = holders(&index.addresses, &mut seen, knowledge);
    let total = seen.len() + local.len();
    let aside = holders(&index.peripheral_addresses, &mut seen, knowledge);
    for (holders, total, peripheral) in [(own, total, false), (aside, seen.len() + local.len(), true)] {
        for (count, named, prefix, varbind) in holders {
            let evidence = evidence_of(varbind);
            let place = if peripheral { ", on a peripheral" } else { "" };
            let shown = format!("{} ({count} of {total} addresses{place})", evidence.shown);
            let share = f64::from(u32::try_from(count).unwrap_or(u32::MAX))
                / f64::from(u32::try_from(total.max(1)).unwrap_or(u32::MAX));
            let found = Found {
                standing: match named.role {
                    _ if share <= 0.5 || peripheral => Standing::Slight,
                    _ if !named.listed => Standing::Hardware,
                    SupplierRole::Maker => Standing::Alone,
                    SupplierRole::Computer if findings.controller => Standing::Alone,
                    SupplierRole::Computer | SupplierRole::Board => Standing::Hardware,
                    SupplierRole::Chip | SupplierRole::Software => Standing::Slight,
                },
                named,
                prefix,
                share,
            };
            vote(found, Signal::Oui, EvidenceRef { shown, ..evidence }, findings);
        }
    }
}

/// An organisation that holds addresses: how many, who, the prefix and the first address.
type Holder<'a> = (usize, Named, Prefix, &'a Varbind);

/// The organisations that hold most of the addresses not seen before.
fn holders<'a>(
    addresses: &[&'a Varbind],
    seen: &mut BTreeSet<[u8; 6]>,
    knowledge: &Knowledge,
) -> Vec<Holder<'a>> {
    let mut organisations: BTreeMap<&str, (usize, usize, Prefix, &Varbind)> = BTreeMap::new();
    for (position, varbind) in addresses.iter().enumerate() {
        let Some(address) = assigned(varbind).filter(|address| seen.insert(*address)) else {
            continue;
        };
        if let Some((organisation, prefix)) = knowledge.holder(address) {
            let first = (position, 0, prefix, *varbind);
            organisations.entry(organisation).or_insert(first).1 += 1;
        }
    }
    let mut organisations: Vec<_> = organisations.into_iter().collect();
    organisations.sort_by_key(|(_, (position, ..))| *position);
    let mut holders: BTreeMap<String, Holder<'a>> = BTreeMap::new();
    for (organisation, (_, count, prefix, varbind)) in organisations {
        let Some(named) = knowledge.named(organisation) else {
            continue;
        };
        let id = named.supplier.id.clone();
        holders.entry(id).or_insert((0, named, prefix, varbind)).0 += count;
    }
    let mut holders: Vec<_> = holders.into_values().collect();
    holders.sort_by_key(|holder| std::cmp::Reverse(holder.0));
    holders.truncate(MAX_CLAIMS);
    holders
}

/// An address within snmpEngineID.
pub(crate) fn engine(address: [u8; 6], varbind: &Varbind, knowledge: &Knowledge, findings: &mut Findings) {
    if !is_assigned(address) {
        return;
    }
    let Some((organisation, prefix)) = knowledge.holder(address) else {
        return;
    };
    if let Some(named) = knowledge.named(organisation) {
        let found = Found {
            named,
            prefix,
            share: 0.5,
            standing: Standing::Slight,
        };
        vote(found, Signal::EngineId, evidence_of(varbind), findings);
    }
}

/// Who holds addresses, and how much that says.
struct Found {
    named: Named,
    prefix: Prefix,
    share: f64,
    standing: Standing,
}

fn vote(found: Found, signal: Signal, evidence: EvidenceRef, findings: &mut Findings) {
    let Found {
        named,
        prefix,
        share,
        standing,
    } = found;
    if named.role == SupplierRole::Software && share >= 0.5 {
        let text = format!(
            "addresses of {}: virtual or software-made hardware",
            named.supplier.name
        );
        findings.doubt(Subject::Unit, "virtual_hardware", text, Some(evidence.clone()));
    }
    findings.votes.push(Vote {
        aspect: Aspect::Maker,
        weight: WEIGHT * share * if named.listed { 1.0 } else { 0.8 },
        named,
        signal,
        standing,
        evidence,
        knowledge: format!("oui:{prefix}"),
        source: SOURCE.to_owned(),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_routers_share_are_known() {
        for (address, shared) in [
            ([0x00, 0xe0, 0xfc, 0x12, 0x34, 0x56], false),
            ([0x00, 0x00, 0x5e, 0x00, 0x01, 0x07], true),
            ([0x00, 0x00, 0x0c, 0x07, 0xac, 0x01], true),
            ([0x00, 0x00, 0x0c, 0x9f, 0xf0, 0x01], true),
            ([0x00, 0x00, 0x0c, 0x9f, 0x12, 0x01], false),
            ([0x00, 0x07, 0xb4, 0x00, 0x01, 0x01], true),
            ([0x00, 0x00, 0x0c, 0x12, 0x34, 0x56], false),
        ] {
            assert_eq!(is_shared(address), shared, "{address:02x?}");
        }
    }
}
