//! Views that people keep: a page with everything its address says, under a name.
//!
//! Invariants: a name is one view among one's own, and one among the shared; who kept and
//! dropped what stands in the audit log.

use crate::StoreError;
use model::Instant;
use serde::Serialize;
use uuid::Uuid;

/// Views a person may keep.
pub const MOST_VIEWS: u32 = 100;

/// A view to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewView {
    /// Who keeps it.
    pub owner: String,
    /// Its name.
    pub name: String,
    /// `findings` or `elements`.
    pub page: String,
    /// What stands behind the `?` of the page's address.
    pub query: String,
    /// Whether it is everybody's.
    pub shared: bool,
    /// Whether it is counted on the first page.
    pub tile: bool,
}

/// A view that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ViewRow {
    /// Its key.
    pub view: Uuid,
    /// Who keeps it.
    pub owner: String,
    /// Its name.
    pub name: String,
    /// `findings` or `elements`.
    pub page: String,
    /// What stands behind the `?` of the page's address.
    pub query: String,
    /// Whether it is everybody's.
    pub shared: bool,
    /// Whether it is counted on the first page.
    pub tile: bool,
    /// Since when.
    pub recorded: Instant,
}

/// What became of a view that somebody wanted to keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// It is kept.
    Yes,
    /// Somebody else shares one of this name.
    Taken,
    /// This person keeps [`MOST_VIEWS`] already.
    Full,
}

/// What kept views ask of durable state.
#[async_trait::async_trait]
pub trait Views: Send + Sync + 'static {
    /// A person's own and all shared ones, by name.
    async fn views(&self, person: &str) -> Result<Vec<ViewRow>, StoreError>;

    /// The view a person means by a name: their own before a shared one.
    async fn view_by_name(&self, person: &str, name: &str) -> Result<Option<ViewRow>, StoreError>;

    /// Keeps a view, in place of one's own of the same name.
    async fn keep_view(&self, view: &NewView, now: Instant) -> Result<Kept, StoreError>;

    /// Drops a view: one's own, or with `any` anybody's shared one. Whether there was one.
    async fn drop_view(&self, view: Uuid, person: &str, any: bool, now: Instant) -> Result<bool, StoreError>;
}
