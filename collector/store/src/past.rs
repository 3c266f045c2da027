//! The network as it was at a moment, as known at a moment; and what became of findings.
//!
//! Invariants: reading changes nothing and holds no more than one page; a page is
//! found by the key before it, so that a fleet of any size is read in bounded memory.

use crate::StoreError;
use crate::record::Subject;
use model::{ElementId, Ending, FindingId, Instant};
use uuid::Uuid;

/// A moment of the network, and one of our knowledge of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// When it was so (agents' clocks).
    pub valid: Instant,
    /// What was recorded until then (our clock); `None`: everything.
    pub recorded: Option<Instant>,
}

/// An element as it was.
#[derive(Debug, Clone, PartialEq)]
pub struct PastSubject {
    /// What evaluation needs to know, without its findings and without claims.
    pub subject: Subject,
    /// Whether its evidence was seen by then; otherwise it is the first one seen later, or none.
    pub by_then: bool,
}

/// What became of a finding with a date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindingSpan {
    /// Which.
    pub finding: FindingId,
    /// Key of the rule.
    pub rule: String,
    /// The date, as exact as its source.
    pub deadline: String,
    /// When it was opened first.
    pub opened: Instant,
    /// When it was closed, and how it ended where that is known; `None` while it is open.
    pub closed: Option<(Instant, Option<Ending>)>,
}

/// What is asked about the past.
#[async_trait::async_trait]
pub trait Past: Send + Sync + 'static {
    /// Elements known by then, in order of their keys after `after`, at most `limit` (500 at most).
    async fn subjects(
        &self,
        moment: Moment,
        after: Option<ElementId>,
        limit: u32,
    ) -> Result<Vec<PastSubject>, StoreError>;

    /// One element as it was; `None` where nobody knew of it by then.
    async fn subject_at(
        &self,
        moment: Moment,
        element: ElementId,
    ) -> Result<Option<PastSubject>, StoreError> {
        // Its page is the one that begins after the key before it, and is one long.
        let before = ElementId(Uuid::from_u128(element.0.as_u128().saturating_sub(1)));
        let page = self.subjects(moment, Some(before), 1).await?;
        Ok(page.into_iter().find(|one| one.subject.place.element == element))
    }

    /// Findings that have a date, in order of their keys after `after`, at most `limit`.
    async fn finding_spans(
        &self,
        after: Option<FindingId>,
        limit: u32,
    ) -> Result<Vec<FindingSpan>, StoreError>;
}
