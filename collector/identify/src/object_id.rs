//! What object identifiers say: sysObjectID, vendor types, engine ID, enterprise arcs that answer.
//!
//! Invariants: a generic number never names a maker; arcs count only where sysObjectID
//! does not decide, because elements answer to tables of other makers too; snmpEngineID, which
//! an operator can set, names nobody by itself.

use crate::address;
use crate::index::{Index, column, evidence_of};
use crate::knowledge::{EnterpriseKind, Knowledge, Proof, SupplierRole};
use crate::text::{signed_since, speaks_of};
use crate::weigh::{Findings, Standing, Vote};
use model::{Aspect, ComponentClass, Signal, Subject, Varbind};
use std::collections::BTreeSet;

/// Weight of a registrant whose name is a curated supplier's.
const LISTED_WEIGHT: f64 = 0.85;
/// Weights of a registrant that no curated row knows: sysDescr says its name too; it holds address prefixes;
/// somebody of its first word does; nobody does.
const REGISTRANT_WEIGHTS: [f64; 4] = [0.8, 0.65, 0.5, 0.35];
/// Most makers that arcs may speak for.
const MAX_ARC_MAKERS: usize = 6;

/// Reads all object identifiers of the unit.
pub(crate) fn read(index: &Index<'_>, knowledge: &Knowledge, findings: &mut Findings) {
    let decided = system(index, knowledge, findings);
    vendor_type(index, knowledge, findings);
    engine(index, knowledge, findings);
    if !decided {
        arcs(index, knowledge, findings);
    }
}

/// Whether sysObjectID names a maker by itself.
fn system(index: &Index<'_>, knowledge: &Knowledge, findings: &mut Findings) -> bool {
    if index.sys_object_id.is_none() && index.answered {
        let text = "sysObjectID did not answer".to_owned();
        findings.doubt(Subject::Unit, "no_object_id", text, None);
    }
    let mut decided = false;
    for varbind in index.answers(index.sys_object_id) {
        let before = findings.votes.len();
        decided |= object_id(varbind, index, knowledge, findings);
        findings.forget_repeated(before);
    }
    decided
}

/// Whether one sysObjectID names a maker by itself.
fn object_id(varbind: &Varbind, index: &Index<'_>, knowledge: &Knowledge, findings: &mut Findings) -> bool {
    let oid = varbind.value.oid().unwrap_or_default();
    match oid.arcs().strip_prefix(&[1, 3, 6, 1, 4, 1]) {
        Some(below @ [number, ..]) if *number != 0 => number_says(
            below,
            1.0,
            Signal::SysObjectId,
            varbind,
            index,
            knowledge,
            findings,
        ),
        _ => {
            let text = "sysObjectID lies not below an enterprise number".to_owned();
            findings.doubt(
                Subject::Unit,
                "malformed_object_id",
                text,
                Some(evidence_of(varbind)),
            );
            false
        }
    }
}

/// Adds what a number says at `scale` of its weight; whether it names a maker by itself.
fn number_says(
    below: &[u32],
    scale: f64,
    signal: Signal,
    varbind: &Varbind,
    index: &Index<'_>,
    knowledge: &Knowledge,
    findings: &mut Findings,
) -> bool {
    let Some(&number) = below.first() else {
        return false;
    };
    let evidence = || evidence_of(varbind);
    let main = signal == Signal::SysObjectId;
    let generic = |findings: &mut Findings| {
        if main {
            findings.generic = true;
            let text = format!(
                "enterprise number {number} comes with software, a kit or a standard and names no maker"
            );
            findings.doubt(Subject::Unit, "generic_enterprise", text, Some(evidence()));
        }
    };
    let curated = knowledge.enterprise(below);
    let mut unproven = false;
    let (named, key, weight, source) = match curated {
        Some(entry) => {
            let prefix = entry
                .prefix
                .iter()
                .map(u32::to_string)
                .collect::<Vec<_>>()
                .join(".");
            let Some(named) = entry.supplier.and_then(|at| knowledge.named_at(at)) else {
                generic(findings);
                return false;
            };
            (
                named,
                format!("enterprise:{prefix}"),
                entry.weight,
                entry.source.clone(),
            )
        }
        None => {
            let Some(registrant) = knowledge.registrant(number) else {
                if main {
                    let text = format!("enterprise number {number} is not known");
                    findings.doubt(Subject::Unit, "unlisted_enterprise", text, Some(evidence()));
                }
                return false;
            };
            let named = registrant.named;
            let spoken = !named.listed && speaks_of(index, registrant.organisation);
            let [told, builds, perhaps, none] = REGISTRANT_WEIGHTS;
            let weight = match registrant.proof {
                _ if named.listed => LISTED_WEIGHT,
                _ if spoken => told,
                Proof::Builds => builds,
                Proof::Perhaps => perhaps,
                Proof::None => none,
            };
            unproven = !spoken && registrant.proof != Proof::Builds;
            let source = format!("IANA private enterprise numbers: {}", registrant.organisation);
            (named, format!("enterprise:{number}"), weight, source)
        }
    };
    let kind = match (curated.map(|entry| entry.kind), named.role) {
        (Some(kind), _) => kind,
        (None, SupplierRole::Chip) => EnterpriseKind::Generic,
        (None, SupplierRole::Software) => EnterpriseKind::Software,
        (None, _) => EnterpriseKind::Owner,
    };
    let aspect = match kind {
        EnterpriseKind::Generic => {
            generic(findings);
            return false;
        }
        EnterpriseKind::Software => Aspect::Brand,
        _ => Aspect::Maker,
    };
    if main {
        if !named.listed {
            let proof = if unproven {
                "; nothing shows that it builds equipment"
            } else {
                ""
            };
            let text = format!("only the registry knows enterprise number {number}{proof}");
            findings.doubt(Subject::Unit, "registry_only", text, Some(evidence()));
        }
        if kind == EnterpriseKind::Software {
            let text = format!(
                "sysObjectID names the system ({}), not the hardware",
                named.supplier.name
            );
            findings.doubt(Subject::Unit, "software_only", text, Some(evidence()));
        }
        for code in curated.map(|entry| entry.doubts.as_slice()).unwrap_or_default() {
            findings.known_doubt(code, Some(evidence()));
        }
        findings.controller = kind == EnterpriseKind::Controller;
        for label in curated.map(|entry| entry.labels.as_slice()).unwrap_or_default() {
            let (name, brand) = (knowledge.reference(label.name), knowledge.reference(label.brand));
            if let (Some(name), Some(brand)) = (name, brand)
                && !label.before.is_some_and(|year| signed_since(index, &name, year))
            {
                findings.labels.push((name.id, brand));
            }
        }
    }
    findings.votes.push(Vote {
        aspect,
        named,
        signal,
        weight: weight * scale,
        standing: match signal {
            _ if unproven => Standing::Told,
            _ if matches!(kind, EnterpriseKind::Weak | EnterpriseKind::Controller) => Standing::Told,
            Signal::EngineId => Standing::Told,
            Signal::VendorType => Standing::Hardware,
            _ => Standing::Alone,
        },
        evidence: evidence(),
        knowledge: key,
        source,
    });
    let decides = !unproven && !matches!(kind, EnterpriseKind::Weak | EnterpriseKind::Controller);
    aspect == Aspect::Maker && decides && weight >= 0.5
}

/// entPhysicalVendorType of the chassis.
fn vendor_type(index: &Index<'_>, knowledge: &Knowledge, findings: &mut Findings) {
    for row in index.entities.values() {
        let class = row
            .get(column::CLASS)
            .and_then(|v| v.value.integer())
            .unwrap_or(0);
        if ComponentClass::from_integer(class) != ComponentClass::Chassis {
            continue;
        }
        let Some(varbind) = row.get(column::VENDOR_TYPE) else {
            continue;
        };
        let oid = varbind.value.oid().unwrap_or_default();
        if let Some(below @ [_, ..]) = oid.arcs().strip_prefix(&[1, 3, 6, 1, 4, 1]) {
            number_says(
                below,
                0.5,
                Signal::VendorType,
                varbind,
                index,
                knowledge,
                findings,
            );
            return;
        }
    }
}

/// snmpEngineID (RFC 3411, 5: SnmpEngineID).
pub(crate) fn engine(index: &Index<'_>, knowledge: &Knowledge, findings: &mut Findings) {
    for varbind in index.answers(index.engine_id) {
        let before = findings.votes.len();
        engine_id(varbind, index, knowledge, findings);
        findings.forget_repeated(before);
    }
}

fn engine_id(varbind: &Varbind, index: &Index<'_>, knowledge: &Knowledge, findings: &mut Findings) {
    let [a, b, c, d, rest @ ..] = varbind.value.octets.as_slice() else {
        return;
    };
    let number = u32::from_be_bytes([a & 0x7f, *b, *c, *d]);
    if number != 0 {
        number_says(
            &[number],
            0.4,
            Signal::EngineId,
            varbind,
            index,
            knowledge,
            findings,
        );
    }
    if let ([3, address @ ..], true) = (rest, a & 0x80 != 0)
        && let Ok(address) = <[u8; 6]>::try_from(address)
    {
        address::engine(address, varbind, knowledge, findings);
    }
}

/// Enterprise arcs that answer, one vote for each maker.
fn arcs(index: &Index<'_>, knowledge: &Knowledge, findings: &mut Findings) {
    let mut seen = BTreeSet::new();
    for (arcs, varbind) in index.arcs.values().flatten() {
        let before = findings.votes.len();
        number_says(
            arcs,
            0.55,
            Signal::EnterpriseArc,
            varbind,
            index,
            knowledge,
            findings,
        );
        let repeated = findings
            .votes
            .get(before)
            .is_some_and(|vote| !seen.insert(vote.named.supplier.id.clone()));
        if repeated || seen.len() > MAX_ARC_MAKERS {
            findings.votes.truncate(before);
        }
    }
}
