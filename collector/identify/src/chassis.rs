//! What ENTITY-MIB (RFC 6933) says about the unit as a whole: its chassis, and its boards in support.
//!
//! Invariants: boards never name the unit alone, since the only named ones may be optics of
//! others; a chassis without a maker's name may still begin its texts with one.

use crate::index::{Index, Row, column, evidence_of};
use crate::knowledge::{Knowledge, Named};
use crate::maker_field::{Field, for_another, maker_of, source_of};
use crate::text::{first_phrase, part_text};
use crate::weigh::{Findings, Standing};
use model::{ComponentClass, Signal, Subject, Varbind};
use std::collections::BTreeMap;

const MFG_NAME: &str = "ENTITY-MIB entPhysicalMfgName, RFC 6933";
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

/// The maker that most parts name, if more than one half do; whether any part names one.
fn names(
    rows: &[&Row<'_>],
    weight: f64,
    standing: Standing,
    knowledge: &Knowledge,
    findings: &mut Findings,
) -> bool {
    let mut votes: BTreeMap<String, (usize, Named, Option<Named>, &Varbind)> = BTreeMap::new();
    let mut total = 0_usize;
    for varbind in rows.iter().flat_map(|row| row.answers(column::MFG_NAME)) {
        let text = varbind.value.text(255).unwrap_or_default();
        let field = maker_of(&text, knowledge);
        if field.for_another && standing == Standing::Alone {
            let (code, text) = for_another(&text);
            findings.doubt_once(code, text, Some(evidence_of(varbind)));
        }
        let Some(maker) = field.maker else { continue };
        total += 1;
        let first = || (0, maker.clone(), field.brand, varbind);
        votes.entry(maker.supplier.id.clone()).or_insert_with(first).0 += 1;
    }
    if votes.len() > 1 && standing == Standing::Alone {
        let names: Vec<&str> = votes
            .values()
            .map(|vote| vote.1.supplier.name.as_str())
            .take(4)
            .collect();
        let text = format!("chassis name several makers: {}", names.join(", "));
        findings.doubt(Subject::Unit, "several_makers", text, None);
    }
    let most = votes
        .into_values()
        .max_by_key(|vote| vote.0)
        .filter(|vote| vote.0 * 2 > total);
    if let Some((_, maker, brand, varbind)) = most {
        let weight = if maker.listed { weight } else { weight * 0.7 };
        let field = Field {
            signal: Signal::MfgName,
            weight,
            standing,
            evidence: evidence_of(varbind),
            source: &source_of(MFG_NAME, varbind, knowledge),
        };
        field.votes(maker, brand, findings);
    }
    total > 0
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
