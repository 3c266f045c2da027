//! Hardware over time and places, as the store keeps it: what elements showed, which tenures were concluded
//! from it, which of them are one unit, and what the operator decided.
//!
//! Invariants: decisions are only added; everything else here is made anew from sightings and identifications.

use crate::StoreError;
use crate::record::Undone;
use crate::view::{KinRow, Page, TenureRow, UnitDoubtRow};
use model::{Decision, ElementId, Handle, Instant, Joined, Shown, Tenure, UnitId};
use serde::Serialize;
use std::collections::BTreeSet;

/// The tenures of one element with the strong keys of each.
#[derive(Debug, Clone, PartialEq)]
pub struct ElementHistory {
    /// Which element.
    pub element: ElementId,
    /// In order of their slots, each with its keys.
    pub tenures: Vec<(Tenure, BTreeSet<String>)>,
}

/// An element's tenures and all that have to do with them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Company {
    /// By element and slot. One that stands there now and answers counts as seen until the end of time.
    pub tenures: Vec<Tenure>,
    /// What the operator decided about any of them.
    pub decisions: Vec<Decision>,
    /// Keys that too many tell.
    pub common: BTreeSet<String>,
}

/// What was concluded for one element and its company.
#[derive(Debug, Clone, PartialEq)]
pub struct JoinedCompany {
    /// The undone input this answers.
    pub undone: Undone,
    /// The tenures that were looked at.
    pub tenures: Vec<Tenure>,
    /// Their units and doubts.
    pub joined: Joined,
}

/// A unit as lists show it, by its latest tenure.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct UnitRow {
    /// Its key.
    pub unit: UnitId,
    /// Serial number.
    pub serial: Option<String>,
    /// Usual English name of its maker.
    pub maker: Option<String>,
    /// Model.
    pub model: Option<String>,
    /// Places it was seen at, now and before.
    pub elements: u64,
    /// Doubts about it.
    pub doubts: u64,
}

/// One unit with its life.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct UnitView {
    /// Its key.
    pub unit: UnitId,
    /// Where it stood and stands, earliest first, each with its place.
    pub tenures: Vec<(KinRow, TenureRow)>,
    /// What a person should look at.
    pub doubts: Vec<UnitDoubtRow>,
    /// What the operator decided about it, earliest first, with the reason.
    pub decisions: Vec<(Instant, String)>,
}

/// Which units to list. Empty fields do not filter.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct UnitFilter {
    /// Part of serial number, model or maker.
    pub text: String,
    /// Only those at more than one place, or with a doubt.
    pub notable: bool,
    /// Key of the page, from [`Page::next`].
    pub after: Option<String>,
    /// Rows a page, at most 500; 0 means 100.
    pub limit: u32,
}

/// What the collector and its commands ask about units.
#[async_trait::async_trait]
pub trait Units: Send + Sync + 'static {
    /// What an element showed, in order, runs of the same hardware as one; at most 4,096 of them, the latest.
    async fn shown(&self, element: ElementId) -> Result<Vec<Shown>, StoreError>;

    /// Replaces the tenures of elements; whoever shared a key that is told no more, or now by more than `common`,
    /// is queued. New ones and swaps become lines of the feed.
    async fn save_histories(
        &self,
        histories: Vec<ElementHistory>,
        common: usize,
        now: Instant,
    ) -> Result<(), StoreError>;

    /// An element's tenures and all that share a key or a decision with them, in steps; a key that more than
    /// `common` tenures tell leads to nobody.
    async fn company(&self, element: ElementId, common: usize) -> Result<Company, StoreError>;

    /// Saves units and doubts, queues the elements for evaluation, and marks the inputs done.
    async fn save_joined(&self, done: Vec<JoinedCompany>, now: Instant) -> Result<(), StoreError>;

    /// Units by key.
    async fn units(&self, filter: &UnitFilter) -> Result<Page<UnitRow>, StoreError>;

    /// One unit.
    async fn unit(&self, unit: UnitId) -> Result<Option<UnitView>, StoreError>;

    /// The tenures of a unit.
    async fn tenures(&self, unit: UnitId) -> Result<Vec<Tenure>, StoreError>;

    /// Notes that `one` and `other` are the same unit, or without `other` that `one` is a unit of its own, and queues
    /// the elements.
    async fn decide(
        &self,
        one: &Handle,
        other: Option<&Handle>,
        reason: &str,
        now: Instant,
    ) -> Result<(), StoreError>;
}
