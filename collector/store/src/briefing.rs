//! What pages tell of a stretch of time: what waits for a person, what changed and why, how much
//! of it on which day.
//!
//! Invariant: whoever is limited to sites is told of nothing else.

use crate::StoreError;
use crate::view::{ChangeRow, Page};
use model::{Instant, SiteName};
use serde::Serialize;
use std::collections::BTreeSet;

/// How much waits for people.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct AtHand {
    /// Open findings whose date has passed, or that have none because the prohibition is in force.
    pub overdue: u64,
    /// Waivers that wait for a second person.
    pub asked: u64,
    /// Open findings assigned to whoever asks.
    pub mine: u64,
    /// Findings opened since, or opened again because their rule was met again.
    pub opened: u64,
    /// Swaps seen since.
    pub swaps: u64,
}

/// What one day brought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Day {
    /// The first moment of the day in UTC.
    pub day: Instant,
    /// Findings opened, or opened again because their rule was met again.
    pub opened: u64,
    /// Of these, findings that are critical or major now.
    pub urgent: u64,
    /// Findings closed.
    pub closed: u64,
}

/// Which changes. Empty fields do not filter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ChangeFilter {
    /// Recorded at or after.
    pub since: Instant,
    /// Recorded before; [`None`] is until now.
    pub until: Option<Instant>,
    /// Words of [`ChangeRow::kind`].
    pub kinds: Vec<String>,
    /// Words of [`ChangeRow::cause`].
    pub causes: Vec<String>,
    /// Only these sites; [`None`] is all.
    pub sites: Option<BTreeSet<SiteName>>,
    /// Key of the page, from [`Page::next`].
    pub after: Option<String>,
    /// Rows a page, at most 500; 0 means 100.
    pub limit: u32,
}

/// A change and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlacedChange {
    /// The change.
    #[serde(flatten)]
    pub change: ChangeRow,
    /// The site of its element.
    pub site: SiteName,
}

/// What is asked about a stretch of time.
#[async_trait::async_trait]
pub trait Briefing: Send + Sync + 'static {
    /// What waits, for this person, since this moment.
    async fn at_hand(
        &self,
        person: &str,
        since: Instant,
        sites: Option<&BTreeSet<SiteName>>,
    ) -> Result<AtHand, StoreError>;

    /// Events of findings by day from this moment on; a day without one is left out.
    async fn days(&self, from: Instant, sites: Option<&BTreeSet<SiteName>>) -> Result<Vec<Day>, StoreError>;

    /// Changes, latest first.
    async fn changes(&self, filter: &ChangeFilter) -> Result<Page<PlacedChange>, StoreError>;
}
