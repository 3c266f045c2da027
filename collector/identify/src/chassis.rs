//! What ENTITY-MIB (RFC 6933) says about the unit as a whole: its chassis, and its boards in support.
//!
//! Invariants: boards never name the unit alone, since the only named ones may be optics of
//! others; a chassis without a maker's name may still begin its texts with one; chassis that
//! disagree all have a claim, and a share of them names nobody without other evidence.

use crate::index::{Index, Row, column, evidence_of};
use crate::knowledge::{Knowledge, Named};
use crate::maker_field::{Field, for_another, maker_of, source_of};
use crate::text::{first_phrase, part_text};
use crate::weigh::{Findings, SEVERAL_MAKERS, Standing};
use model::{ComponentClass, Signal, Subject, Varbind};
use std::collections::BTreeMap;

const MFG_NAME: &str = "ENTITY-MIB entPhysicalMfgName, RFC 6933";
/// How much of its share of the chassis a maker keeps whom not more than half of them name: of one in two it is too
/// little to name anybody alone, and enough to contradict.
const DISSENT: f64 = 0.55;
/// Most chassis whose texts are searched.
const MAX_CHASSIS: usize = 16;

/// Reads the chassis, else the stack, then the boards.
pub(crate) fn read(index: &Index<'_>, knowledge: &Knowledge, findings: &mut Findings) {
    let chassis = rows(index, &[ComponentClass::Chassis, ComponentClass::Stack]);
    if names(&chassis, 0.8, Standing::Alone, knowledge, findings) {
        return;
    }
    begins(&chassis, knowledge, findings);
    let boards = rows(
        index,
        &[
            ComponentClass::Module,
            ComponentClass::Container,
            ComponentClass::Unknown,
            ComponentClass::Other,
        ],
    );
    names(&boards, 0.45, Standing::Hardware, knowledge, findings);
}

fn rows<'r, 'a>(index: &'r Index<'a>, classes: &[ComponentClass]) -> Vec<&'r Row<'a>> {
    let class = |row: &Row<'_>| {
        row.get(column::CLASS)
            .and_then(|v| v.value.integer())
            .unwrap_or(0)
    };
    index
        .entities
        .values()
        .filter(|row| classes.contains(&ComponentClass::from_integer(class(row))))
        .collect()
}

/// What parts say of one maker.
struct Spoke<'a> {
    count: u32,
    maker: Named,
    brand: Option<Named>,
    first: &'a Varbind,
}

/// The maker that most parts name, if more than one half do, and of chassis the others too; whether any part names one.
fn names(
    rows: &[&Row<'_>],
    weight: f64,
    standing: Standing,
    knowledge: &Knowledge,
    findings: &mut Findings,
) -> bool {
    let mut makers: BTreeMap<String, Spoke<'_>> = BTreeMap::new();
    let mut total = 0_u32;
    for varbind in rows.iter().flat_map(|row| row.answers(column::MFG_NAME)) {
        let text = varbind.value.text(255).unwrap_or_default();
        let field = maker_of(&text, knowledge);
        if field.for_another && standing == Standing::Alone {
            let (code, text) = for_another(&text);
            findings.doubt_once(code, text, Some(evidence_of(varbind)));
        }
        let Some(maker) = field.maker else { continue };
        total += 1;
        let spoke = makers.entry(maker.supplier.id.clone()).or_insert(Spoke {
            count: 0,
            maker,
            brand: field.brand,
            first: varbind,
        });
        spoke.count += 1;
    }
    if standing == Standing::Alone {
        several(&makers, total, findings);
    }
    for spoke in makers.into_values() {
        let share = if spoke.count * 2 > total {
            1.0
        } else if standing == Standing::Alone {
            DISSENT * f64::from(spoke.count) / f64::from(total)
        } else {
            continue;
        };
        let weight = if spoke.maker.listed { weight } else { weight * 0.7 };
        let field = Field {
            signal: Signal::MfgName,
            weight: weight * share,
            standing,
            evidence: evidence_of(spoke.first),
            source: &source_of(MFG_NAME, spoke.first, knowledge),
        };
        field.votes(spoke.maker, spoke.brand, findings);
    }
    total > 0
}

/// The doubt about chassis that name several makers, with the first that the answer is least likely to be: neither
/// named by most of them nor by what was read before.
fn several(makers: &BTreeMap<String, Spoke<'_>>, total: u32, findings: &mut Findings) {
    if makers.len() < 2 {
        return;
    }
    let named = |id: &str| findings.votes.iter().any(|vote| vote.named.supplier.id == id);
    let losing = makers
        .iter()
        .filter(|(_, spoke)| spoke.count * 2 <= total)
        .min_by_key(|(id, spoke)| (named(id), spoke.first.oid.arcs()))
        .map(|(_, spoke)| evidence_of(spoke.first));
    let names: Vec<&str> = makers
        .values()
        .map(|spoke| spoke.maker.supplier.name.as_str())
        .take(4)
        .collect();
    let text = format!("chassis name several makers: {}", names.join(", "));
    findings.doubt(Subject::Unit, SEVERAL_MAKERS, text, losing);
}

/// A supplier's name at the start of a chassis' model, description or name.
fn begins(chassis: &[&Row<'_>], knowledge: &Knowledge, findings: &mut Findings) {
    for row in chassis.iter().take(MAX_CHASSIS) {
        for varbind in [column::MODEL, column::DESCR, column::NAME]
            .into_iter()
            .filter_map(|column| row.get(column))
        {
            let text = part_text(varbind);
            let named =
                first_phrase(&text, knowledge).and_then(|p| Some((p, knowledge.named_at(p.supplier)?)));
            if let Some((phrase, named)) = named {
                let evidence = evidence_of(varbind);
                let weight = phrase.weight.min(0.5);
                let field = Field {
                    signal: Signal::EntityText,
                    weight,
                    standing: Standing::Alone,
                    evidence,
                    source: &phrase.source,
                };
                field.votes(named, None, findings);
                return;
            }
        }
    }
}
