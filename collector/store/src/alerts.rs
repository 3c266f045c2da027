//! Alerts as the store keeps them: which changes are due, what waits for each route, what each was told.
//!
//! Invariants: a change is due from the transaction that makes it, if there is any route then; it is due no longer in
//! the transaction that queues what it comes to; what is queued goes only when it was delivered, or its route is
//! declared no more, or, counted, when it was refused for ever or more than [`MOST_WAITING`] wait. Addresses and secrets of routes are not kept here.

use crate::StoreError;
use crate::view::FindingFilter;
use crate::views::ViewRow;
use model::{FindingId, FindingState, Instant, ResultClass, Severity};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Views that are attached to routes in all: each is looked through at every change.
pub const MOST_ATTACHED: u32 = 200;

/// Alerts that wait for one route: of more than these the oldest go, counted.
pub const MOST_WAITING: u64 = 100_000;

/// A change of a finding, as it stood right after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueChange {
    /// Its place among what is due.
    pub place: u64,
    /// Key of its event.
    pub event: Uuid,
    /// Of which finding.
    pub finding: FindingId,
    /// What happened: the kind of the event.
    pub kind: String,
    /// For people.
    pub text: String,
    /// A word of [`model::Cause`].
    pub cause: String,
    /// Who acted.
    pub person: Option<String>,
    /// What the finding said then.
    pub class: ResultClass,
    /// How urgent it was then.
    pub severity: Severity,
    /// How it stood then.
    pub state: FindingState,
    /// Whose it was then.
    pub owner: Option<String>,
    /// When.
    pub at: Instant,
}

/// An alert to be queued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAlert {
    /// For which route.
    pub route: String,
    /// Key of the event it tells.
    pub event: Uuid,
    /// Of which finding.
    pub finding: FindingId,
    /// When what it tells happened.
    pub since: Instant,
    /// What is told, as JSON.
    pub body: String,
    /// By what the route knows the finding from then on, as JSON; [`None`] once it is over for it.
    pub told: Option<String>,
}

/// An alert that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingAlert {
    /// Its place among those of its route.
    pub place: u64,
    /// Key of the event it tells.
    pub event: Uuid,
    /// What is told, as JSON.
    pub body: String,
    /// Since when its change waits.
    pub since: Instant,
}

/// How a route stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RouteRow {
    /// Its name.
    pub route: String,
    /// What waits.
    pub waiting: u64,
    /// Since when the oldest waits.
    pub oldest: Option<Instant>,
    /// Alerts delivered.
    pub delivered: u64,
    /// When the last was.
    pub last: Option<Instant>,
    /// Tries in vain since.
    pub failures: u64,
    /// When the last of them was.
    pub failed: Option<Instant>,
    /// Why, for people.
    pub failure: String,
    /// Alerts it will never be told.
    pub lost: u64,
    /// When the last of them was given up.
    pub lost_at: Option<Instant>,
    /// Why, for people.
    pub loss: String,
}

/// A view that somebody has a route told of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Attachment {
    /// Its key.
    pub attachment: Uuid,
    /// Which route.
    pub route: String,
    /// Who wants it.
    pub person: String,
    /// Since when.
    pub recorded: Instant,
    /// The view, as it is kept now.
    pub view: ViewRow,
}

/// What alerts ask of durable state.
#[async_trait::async_trait]
pub trait Alerts: Send + Sync + 'static {
    /// Makes these the declared routes: a new one begins now. Tells how many alerts went with routes that are no more;
    /// what was attached to those goes too.
    async fn declare_routes(&self, routes: &BTreeSet<String>, now: Instant) -> Result<u64, StoreError>;

    /// The oldest changes that are due, at most `limit`.
    async fn due(&self, limit: u32) -> Result<Vec<DueChange>, StoreError>;

    /// Those of these findings that a filter keeps; its order and page do not count.
    async fn matching(
        &self,
        findings: &[FindingId],
        filter: &FindingFilter,
    ) -> Result<BTreeSet<FindingId>, StoreError>;

    /// By what a route knows those of these findings that it was told of and that are not over for it.
    async fn told(
        &self,
        route: &str,
        findings: &[FindingId],
    ) -> Result<BTreeMap<FindingId, String>, StoreError>;

    /// Queues alerts, in this order, and ends what is due up to a place: all or nothing. Tells how many of which route
    /// were given up for them.
    async fn queue_alerts(
        &self,
        alerts: &[NewAlert],
        through: u64,
    ) -> Result<BTreeMap<String, u64>, StoreError>;

    /// The oldest alerts that wait for a route, at most `limit`.
    async fn waiting(&self, route: &str, limit: u32) -> Result<Vec<WaitingAlert>, StoreError>;

    /// Ends what waits for a route up to a place: it was delivered.
    async fn delivered(&self, route: &str, through: u64, now: Instant) -> Result<(), StoreError>;

    /// Gives up what waits for a route up to a place, and counts it: it will never be taken. Why, for people.
    async fn lost(&self, route: &str, through: u64, why: &str, now: Instant) -> Result<(), StoreError>;

    /// Notes a try in vain, and why, for people.
    async fn failed(&self, route: &str, why: &str, now: Instant) -> Result<(), StoreError>;

    /// How the declared routes stand, by name.
    async fn routes(&self) -> Result<Vec<RouteRow>, StoreError>;

    /// Every attachment of a view that is kept, oldest first.
    async fn attachments(&self) -> Result<Vec<Attachment>, StoreError>;

    /// Has a route told of a view from now on. Twice is once; not where there are [`MOST_ATTACHED`] already.
    async fn attach(&self, view: Uuid, route: &str, person: &str, now: Instant) -> Result<bool, StoreError>;

    /// Ends an attachment: one's own, or with `any` anybody's. Whether there was one.
    async fn detach(
        &self,
        attachment: Uuid,
        person: &str,
        any: bool,
        now: Instant,
    ) -> Result<bool, StoreError>;
}
