//! What the element's own hardware addresses say, by their IEEE prefix.
//!
//! Invariants: locally administered, group, zero and broadcast addresses say nothing; at most
//! three organisations are claimed, each once with its count; makers of boards, chips and
//! network cards never name the unit alone, nor does a minority (a plugged-in modem has an address too).

use crate::index::{Index, evidence_of};
use crate::knowledge::{Knowledge, Named, SupplierRole};
use crate::weigh::{Findings, Vote};
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

fn is_assigned(address: [u8; 6]) -> bool {
    let [first, second, third, ..] = address;
    first & 0x03 == 0 && (first, second, third) != (0, 0, 0)
}

/// Reads all addresses of interfaces, bridge and chassis.
pub(crate) fn read(index: &Index<'_>, knowledge: &Knowledge, findings: &mut Findings) {
    let mut seen = BTreeSet::new();
    let mut holders: BTreeMap<String, (usize, Named, String, &Varbind)> = BTreeMap::new();
    let mut total = 0_usize;
    for varbind in &index.addresses {
        let Some(address) = assigned(varbind).filter(|address| seen.insert(*address)) else {
            continue;
        };
        total += 1;
        let Some((organisation, prefix)) = knowledge.holder(address) else {
            continue;
        };
        let Some(named) = knowledge.named(organisation) else {
            continue;
        };
        holders
            .entry(named.supplier.id.clone())
            .or_insert((0, named, prefix, varbind))
            .0 += 1;
    }
    let mut holders: Vec<_> = holders.into_values().collect();
    holders.sort_by_key(|holder| std::cmp::Reverse(holder.0));
    for (count, named, prefix, varbind) in holders.into_iter().take(MAX_CLAIMS) {
        let evidence = evidence_of(varbind);
        let shown = format!("{} ({count} of {total} addresses)", evidence.shown);
        let share = f64::from(u32::try_from(count).unwrap_or(u32::MAX))
            / f64::from(u32::try_from(total.max(1)).unwrap_or(u32::MAX));
        vote(
            named,
            prefix,
            share,
            Signal::Oui,
            EvidenceRef { shown, ..evidence },
            findings,
        );
    }
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
        vote(
            named,
            prefix,
            0.5,
            Signal::EngineId,
            evidence_of(varbind),
            findings,
        );
    }
}

fn vote(
    named: Named,
    prefix: String,
    share: f64,
    signal: Signal,
    evidence: EvidenceRef,
    findings: &mut Findings,
) {
    let alone = named.role == SupplierRole::Maker && share >= 0.5;
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
        alone,
        evidence,
        knowledge: format!("oui:{prefix}"),
        source: SOURCE.to_owned(),
    });
}
