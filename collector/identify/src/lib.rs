//! Evidence and knowledge to claims and doubts: who made an element and its parts.
//!
//! Invariants: [`identify`] is pure and total. It reads no clock, network or database,
//! cannot fail (strange input becomes a doubt), and its result is bounded whatever a
//! device sent. Neighbours never make claims about the element; where they are is told apart.

pub mod knowledge;
pub mod recording;
mod index;
mod tree;
mod object_id;
mod maker_field;
mod text;
mod chassis;
mod address;
mod part;
mod unit;
mod weigh;
pub mod neighbour;
pub mod engine;
pub mod units;

pub use knowledge::{Knowledge, KnowledgeError};

use model::{Evidence, Identification};

/// Concludes from one evidence with one knowledge.
#[must_use]
pub fn identify(evidence: &Evidence, knowledge: &Knowledge) -> Identification {
    let index = index::Index::new(evidence, knowledge);
    let mut findings = weigh::Findings::default();
    object_id::read(&index, knowledge, &mut findings);
    text::read(&index, knowledge, &mut findings);
    chassis::read(&index, knowledge, &mut findings);
    address::read(&index, knowledge, &mut findings);
    let tree = tree::build(&index, &mut findings);
    let parts = part::read(tree, &index, knowledge, &mut findings);
    weigh::conclude(&index, knowledge, findings, parts)
}
