//! The parts of a unit and who made each: only from evidence about that very part.
//!
//! Invariants: nothing is inherited from the chassis; at most [`MAX_PARTS`] parts.

use crate::index::{Index, MAX_PARTS, Row, column, evidence_of};
use crate::knowledge::{Knowledge, Named, NoiseKind, PartTable, TableIndex};
use crate::maker_field::{for_another, maker_of, source_of};
use crate::text::{first_phrase, part_text};
use crate::tree::Placed;
use crate::weigh::Findings;
use model::{
    Aspect, Attribution, Claim, ComponentClass, ComponentIdentity, Doubt, EvidenceRef, Signal, Subject,
    Varbind,
};
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

/// Parts and the claims about them.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    pub(crate) components: Vec<ComponentIdentity>,
    pub(crate) claims: Vec<Claim>,
    /// Where the claims of each part of ENTITY-MIB stand, in the order of the parts.
    claims_of: Vec<Range<usize>>,
    /// Doubts about single parts.
    pub(crate) doubts: Vec<Doubt>,
}

/// Reads ENTITY-MIB in tree order, then the private tables.
pub(crate) fn read(
    tree: Vec<Placed>,
    index: &Index<'_>,
    knowledge: &Knowledge,
    findings: &mut Findings,
) -> Parts {
    let mut parts = Parts::default();
    let mut unnamed = Unnamed::default();
    for placed in tree {
        if let Some(row) = index.entities.get(&placed.entity) {
            entity(placed, row, knowledge, &mut parts, &mut unnamed);
        }
    }
    let places: HashMap<String, usize> = parts
        .components
        .iter()
        .enumerate()
        .map(|(at, part)| (part.index.clone(), at))
        .collect();
    for ((at, arcs), row) in &index.parts {
        if let Some(table) = knowledge.table(*at) {
            table_row(table, arcs, row, &places, knowledge, &mut parts, &mut unnamed);
        }
    }
    unnamed.tell(findings);
    parts
}

impl Parts {
    fn doubt(&mut self, part: &ComponentIdentity, code: &str, text: String, evidence: EvidenceRef) {
        self.doubts.push(Doubt {
            subject: Subject::Component(part.index.clone()),
            code: code.to_owned(),
            text,
            evidence: Some(evidence),
        });
    }
}

/// Makers' fields that hold no name, by the kind of noise: how many, the first one and where it stands.
#[derive(Default)]
struct Unnamed(BTreeMap<NoiseKind, (usize, EvidenceRef)>);

impl Unnamed {
    fn add(&mut self, kind: NoiseKind, varbind: &Varbind) {
        let first = || (0, evidence_of(varbind));
        self.0.entry(kind).or_insert_with(first).0 += 1;
    }

    /// A doubt for each kind of noise.
    fn tell(self, findings: &mut Findings) {
        for (kind, (count, evidence)) in self.0 {
            let (code, what) = kind.told();
            let shown: String = evidence.shown.chars().take(40).collect();
            let text = format!("{count} makers' fields hold {what} (`{shown}`), which names nobody");
            findings.doubt(Subject::Unit, code, text, Some(evidence));
        }
    }
}

fn entity(placed: Placed, row: &Row<'_>, knowledge: &Knowledge, parts: &mut Parts, unnamed: &mut Unnamed) {
    let class = row
        .get(column::CLASS)
        .and_then(|v| v.value.integer())
        .map_or(ComponentClass::Unknown, ComponentClass::from_integer);
    let revisions = [column::FIRMWARE, column::SOFTWARE, column::HARDWARE].map(|column| row.text(column));
    let mut part = ComponentIdentity {
        index: placed.entity.to_string(),
        parent: placed.parent.map(|parent| parent.to_string()),
        class,
        name: row.text(column::NAME),
        description: row.text(column::DESCR),
        model: row.text(column::MODEL),
        serial: row.text(column::SERIAL),
        revision: revisions
            .into_iter()
            .find(|revision| !revision.is_empty())
            .unwrap_or_default(),
        maker: None,
        brand: None,
    };
    let first_claim = parts.claims.len();
    let for_another = fields(
        &mut part,
        row.answers(column::MFG_NAME),
        (Signal::MfgName, MFG_SOURCE),
        knowledge,
        parts,
        unnamed,
    );
    if part.maker.is_none() && !for_another {
        words(&mut part, row, knowledge, parts);
    }
    parts.components.push(part);
    parts.claims_of.push(first_claim..parts.claims.len());
}

/// Confidence in a maker's name that another one contradicts.
const CONTRADICTED: f64 = 0.65;
const MFG_SOURCE: &str = "ENTITY-MIB entPhysicalMfgName, RFC 6933";

/// All that a maker's field answered; whether it says that the part is made for another's equipment. One that answers
/// with two makers names the first less surely, and the other one is shown as lost.
fn fields<'v>(
    part: &mut ComponentIdentity,
    answers: impl Iterator<Item = &'v Varbind>,
    of: (Signal, &str),
    knowledge: &Knowledge,
    parts: &mut Parts,
    unnamed: &mut Unnamed,
) -> bool {
    let mut for_another = false;
    for varbind in answers {
        let Some(maker) = part.maker.clone() else {
            for_another |= field(part, varbind, of, knowledge, parts, unnamed);
            continue;
        };
        let text = varbind.value.text(255).unwrap_or_default();
        let rival = maker_of(&text, knowledge).maker;
        let Some(rival) = rival.filter(|rival| rival.supplier != maker.supplier) else {
            continue;
        };
        let confidence = maker.confidence.min(CONTRADICTED);
        let text = format!(
            "its maker's field answers twice: {} and {}",
            maker.supplier.name, rival.supplier.name
        );
        part.maker = Some(Attribution { confidence, ..maker });
        let key = format!("supplier:{}", rival.supplier.id);
        let evidence = evidence_of(varbind);
        parts.doubt(part, "contradiction", text, evidence.clone());
        let lost = claim(part, Aspect::Maker, &rival, of.0, confidence, evidence, key, of.1);
        parts.claims.push(Claim { won: false, ..lost });
    }
    for_another
}

/// A field that holds the maker's name; whether it says that the part is made for another's equipment.
fn field(
    part: &mut ComponentIdentity,
    varbind: &Varbind,
    (signal, source): (Signal, &str),
    knowledge: &Knowledge,
    parts: &mut Parts,
    unnamed: &mut Unnamed,
) -> bool {
    let text = varbind.value.text(255).unwrap_or_default();
    let named = maker_of(&text, knowledge);
    if named.for_another {
        let (code, text) = for_another(&text);
        parts.doubt(part, code, text, evidence_of(varbind));
    }
    let Some(maker) = named.maker else {
        if let Some(kind) = named.noise {
            unnamed.add(kind, varbind);
        }
        return named.for_another;
    };
    let brand = named.brand;
    let confidence = if maker.listed { 0.85 } else { 0.65 };
    let key = format!("supplier:{}", maker.supplier.id);
    let evidence = evidence_of(varbind);
    let source = &source_of(source, varbind, knowledge);
    let brand = brand.unwrap_or_else(|| maker.clone());
    part.brand = Some(Attribution {
        supplier: brand.supplier.clone(),
        confidence,
    });
    if brand.supplier != maker.supplier {
        let key = format!("supplier:{}", brand.supplier.id);
        parts.claims.push(claim(
            part,
            Aspect::Brand,
            &brand,
            signal,
            confidence,
            evidence.clone(),
            key,
            source,
        ));
    }
    part.maker = Some(Attribution {
        supplier: maker.supplier.clone(),
        confidence,
    });
    parts.claims.push(claim(
        part,
        Aspect::Maker,
        &maker,
        signal,
        confidence,
        evidence,
        key,
        source,
    ));
    named.for_another
}

/// The word a text of the part begins with. Names of ports and sensors are chosen by operators and by place.
fn words(part: &mut ComponentIdentity, row: &Row<'_>, knowledge: &Knowledge, parts: &mut Parts) {
    let columns: &[u32] = match part.class {
        ComponentClass::Sensor | ComponentClass::Container | ComponentClass::Backplane => return,
        ComponentClass::Port => &[column::MODEL],
        _ => &[column::MODEL, column::DESCR, column::NAME],
    };
    for &column in columns {
        let Some(varbind) = row.get(column) else { continue };
        let text = part_text(varbind);
        let Some(phrase) = first_phrase(&text, knowledge) else {
            continue;
        };
        let Some(named) = knowledge.named_at(phrase.supplier) else {
            continue;
        };
        let confidence = phrase.weight.min(0.7);
        let attribution = Attribution {
            supplier: named.supplier.clone(),
            confidence,
        };
        part.maker = Some(attribution.clone());
        part.brand = Some(attribution);
        let evidence = evidence_of(varbind);
        let key = phrase.key.clone();
        parts.claims.push(claim(
            part,
            Aspect::Maker,
            &named,
            Signal::EntityText,
            confidence,
            evidence,
            key,
            &phrase.source,
        ));
        return;
    }
}

fn table_row(
    table: &PartTable,
    arcs: &[u32],
    row: &Row<'_>,
    places: &HashMap<String, usize>,
    knowledge: &Knowledge,
    parts: &mut Parts,
    unnamed: &mut Unnamed,
) {
    let text = |column: u32| {
        if column == 0 {
            String::new()
        } else {
            row.text(column)
        }
    };
    let (maker, model) = (text(table.maker), text(table.model));
    if maker.is_empty() && model.is_empty() {
        return;
    }
    let dotted = arcs.iter().map(u32::to_string).collect::<Vec<_>>().join(".");
    let mut part = ComponentIdentity {
        index: format!("{}:{dotted}", table.key),
        parent: None,
        class: table.class,
        name: text(table.name),
        description: String::new(),
        model,
        serial: text(table.serial),
        revision: text(table.revision),
        maker: None,
        brand: None,
    };
    let place = places
        .get(&dotted)
        .copied()
        .filter(|_| table.index == TableIndex::Entity);
    if let Some(component) = place.and_then(|place| parts.components.get(place)) {
        part.index.clone_from(&component.index);
    }
    let first_claim = parts.claims.len();
    if table.maker_is_prefix {
        if let Some(varbind) = row.get(table.maker) {
            prefix(&mut part, varbind, table, knowledge, parts);
        }
    } else {
        let mut elsewhere = Unnamed::default();
        let unnamed = if place.is_some() { &mut elsewhere } else { unnamed };
        fields(
            &mut part,
            row.answers(table.maker),
            (Signal::PrivateTable, &table.source),
            knowledge,
            parts,
            unnamed,
        );
    }
    match place {
        Some(place) => merge(place, part, first_claim, parts),
        None if parts.components.len() >= MAX_PARTS => {}
        None => parts.components.push(part),
    }
}

/// Confidence in the prefix in a part's memory: of who programmed it, mostly its maker.
const PREFIX: f64 = 0.7;

/// A column that holds the IEEE prefix of the maker as a number.
fn prefix(
    part: &mut ComponentIdentity,
    varbind: &Varbind,
    table: &PartTable,
    knowledge: &Knowledge,
    parts: &mut Parts,
) {
    let holder = varbind
        .value
        .integer()
        .and_then(|number| knowledge.holder_of(number));
    let Some((organisation, prefix)) = holder else {
        return;
    };
    let Some(named) = knowledge.named(organisation) else {
        return;
    };
    let attribution = Attribution {
        supplier: named.supplier.clone(),
        confidence: PREFIX,
    };
    part.maker = Some(attribution.clone());
    part.brand = Some(attribution);
    parts.claims.push(claim(
        part,
        Aspect::Maker,
        &named,
        Signal::PrivateTable,
        PREFIX,
        evidence_of(varbind),
        format!("oui:{prefix}"),
        &table.source,
    ));
}

/// Brings what a private table tells of a component to what ENTITY-MIB told of it. Where they name
/// different makers the table is believed, but less: it repeats what the part itself holds.
fn merge(place: usize, told: ComponentIdentity, first_claim: usize, parts: &mut Parts) {
    let Some(component) = parts.components.get_mut(place) else {
        return;
    };
    for (kept, told) in [
        (&mut component.model, &told.model),
        (&mut component.serial, &told.serial),
    ] {
        if kept.is_empty() {
            kept.clone_from(told);
        }
    }
    let Some(mut maker) = told.maker.clone() else {
        return;
    };
    let Some(former) = component.maker.clone() else {
        component.maker = Some(maker);
        component.brand = told.brand;
        return;
    };
    if former.supplier == maker.supplier {
        if former.confidence < maker.confidence {
            component.maker = Some(maker);
        }
        return;
    }
    maker.confidence = CONTRADICTED;
    let text = format!(
        "ENTITY-MIB names {}, the table of optics or modules {}; the table is closer to the part",
        former.supplier.name, maker.supplier.name
    );
    let branded = told
        .brand
        .as_ref()
        .filter(|brand| brand.supplier != maker.supplier);
    let brand = Attribution {
        confidence: CONTRADICTED,
        ..branded.or(component.brand.as_ref()).unwrap_or(&former).clone()
    };
    component.maker = Some(maker);
    component.brand = Some(brand.clone());
    let mut brand_claim = None;
    let own = parts.claims_of.get(place).cloned().unwrap_or_default();
    for claim in parts.claims.get_mut(own).unwrap_or_default() {
        claim.won = claim.aspect == Aspect::Brand && claim.supplier == brand.supplier;
        if claim.aspect == Aspect::Maker && claim.supplier == brand.supplier {
            brand_claim = Some(Claim {
                aspect: Aspect::Brand,
                won: true,
                ..claim.clone()
            });
        }
    }
    let evidence = parts.claims.get(first_claim).map(|claim| claim.evidence.clone());
    parts.claims.extend(brand_claim);
    parts.doubts.push(Doubt {
        subject: Subject::Component(told.index),
        code: "contradiction".to_owned(),
        text,
        evidence,
    });
}

#[expect(clippy::too_many_arguments, reason = "a claim has this many sides")]
fn claim(
    part: &ComponentIdentity,
    aspect: Aspect,
    named: &Named,
    signal: Signal,
    confidence: f64,
    evidence: EvidenceRef,
    knowledge: String,
    source: &str,
) -> Claim {
    Claim {
        subject: Subject::Component(part.index.clone()),
        aspect,
        supplier: named.supplier.clone(),
        signal,
        confidence,
        evidence,
        knowledge,
        source: source.to_owned(),
        won: true,
    }
}
