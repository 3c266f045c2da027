//! The parts of ENTITY-MIB (RFC 6933) as a tree.
//!
//! Invariants: every row that answered is in the result once, parents before children;
//! cycles are cut, orphans become roots, each with a doubt.

use crate::index::{Index, column};
use crate::weigh::Findings;
use model::Subject;
use std::collections::{BTreeMap, BTreeSet};

/// One part in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Placed {
    /// entPhysicalIndex.
    pub(crate) entity: u32,
    /// entPhysicalIndex of the part it sits in.
    pub(crate) parent: Option<u32>,
}

/// Orders the parts and notes what is wrong with their tree.
pub(crate) fn build(index: &Index<'_>, findings: &mut Findings) -> Vec<Placed> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    let mut roots = Vec::new();
    let mut orphans = 0_usize;
    for (&entity, row) in &index.entities {
        let inside = row
            .get(column::CONTAINED_IN)
            .and_then(|v| v.value.integer())
            .unwrap_or(0);
        match u32::try_from(inside) {
            Ok(parent) if parent != 0 && index.entities.contains_key(&parent) => {
                children.entry(parent).or_default().push(entity);
            }
            Ok(0) => roots.push(entity),
            _ => {
                orphans += 1;
                roots.push(entity);
            }
        }
    }
    let mut order = Vec::with_capacity(index.entities.len());
    let mut placed = BTreeSet::new();
    for root in roots {
        place(root, &children, &mut placed, &mut order);
    }
    let mut cycles = 0_usize;
    for &entity in index.entities.keys() {
        if !placed.contains(&entity) {
            cycles += 1;
            place(entity, &children, &mut placed, &mut order);
        }
    }
    let mut note = |count: usize, code: &str, text: &str| {
        if count > 0 {
            findings.doubt(Subject::Unit, code, format!("{count} {text}"), None);
        }
    };
    note(
        orphans,
        "orphan_component",
        "parts sit in a part that did not answer; shown at the top",
    );
    note(
        cycles,
        "component_cycle",
        "circles of parts that contain each other; cut",
    );
    note(
        index.entities.values().filter(|row| row.is_repeated()).count(),
        "repeated_component",
        "part indices answered twice and differently; the lesser answer counts",
    );
    note(
        usize::from(index.parts_cut),
        "components_cut",
        "limit of parts reached; the rest is left out",
    );
    order
}

/// Puts a part and all below it behind each other, without recursion.
fn place(root: u32, children: &BTreeMap<u32, Vec<u32>>, placed: &mut BTreeSet<u32>, order: &mut Vec<Placed>) {
    let mut waiting = vec![Placed {
        entity: root,
        parent: None,
    }];
    while let Some(part) = waiting.pop() {
        if !placed.insert(part.entity) {
            continue;
        }
        order.push(part);
        let below = children.get(&part.entity).map(Vec::as_slice).unwrap_or_default();
        waiting.extend(below.iter().rev().map(|&entity| Placed {
            entity,
            parent: Some(part.entity),
        }));
    }
}
