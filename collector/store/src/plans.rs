//! What agents are told to do, as the store keeps it: plans of sites in
//! revisions, and what each agent said about them.
//!
//! Invariants: a revision once put is never changed or removed; a plan equal to
//! the one before it makes no revision.

use crate::StoreError;
use model::{AgentId, Digest, Instant, SiteName};
use serde::Serialize;

/// A plan to put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPlan {
    /// For the agents of this site.
    pub site: SiteName,
    /// As the operator wrote it.
    pub text: String,
    /// SHA-256 of the text.
    pub digest: Digest,
    /// Targets in it.
    pub targets: u64,
    /// Ranges in it.
    pub ranges: u64,
}

/// What became of a plan that was put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It is this new revision.
    New(u64),
    /// It says what this revision, the newest, says already.
    Same(u64),
}

/// A revision without its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlanRow {
    /// Site.
    pub site: SiteName,
    /// Revision, from 1.
    pub revision: u64,
    /// SHA-256 of its text.
    pub digest: Digest,
    /// Targets in it.
    pub targets: u64,
    /// Ranges in it.
    pub ranges: u64,
    /// When it was put.
    pub since: Instant,
}

/// Which plan an agent speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanRef {
    /// Revision; 0 is none.
    pub revision: u64,
    /// SHA-256 of its text; that of nothing is all zeros here.
    pub digest: Digest,
}

/// What an agent says about a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// In its greeting: it takes no plans.
    TakesNone,
    /// In its greeting: it follows this one.
    Follows(PlanRef),
    /// It follows this one from now on.
    Applied(PlanRef, Instant),
    /// It cannot follow this one, for this reason.
    Failed(PlanRef, String, Instant),
}

/// How an agent stands to the newest plan of its site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum PlanState {
    /// It never said a word about plans: too old, or not connected since.
    NotTold,
    /// It takes no plans and polls by its own file.
    OwnFile,
    /// It would take one, and none was put for its site.
    NonePut {
        /// Which it follows from before; 0 is none.
        runs: u64,
    },
    /// It follows the newest one.
    Applied {
        /// Which.
        revision: u64,
    },
    /// It refused the newest one and goes on with another.
    Refused {
        /// Which it refused.
        revision: u64,
        /// Which it follows; 0 is none.
        runs: u64,
        /// Why, as it said.
        reason: String,
    },
    /// It has not said yet what became of the newest one.
    Waiting {
        /// Which it was to follow.
        revision: u64,
        /// Which it follows; 0 is none.
        runs: u64,
    },
}

/// An agent and its plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentPlan {
    /// Who.
    pub agent: AgentId,
    /// Where.
    pub site: SiteName,
    /// How it stands.
    pub state: PlanState,
}

/// What an agent was told to do, and what it said of it last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldPlan {
    /// How it stands to the newest plan of its site.
    pub state: PlanState,
    /// When it said so, by our clock; none if it never did.
    pub said: Option<Instant>,
    /// The revision it follows and its text, if it is one that was put here.
    pub follows: Option<(PlanRow, String)>,
    /// The newest of its site and its text.
    pub newest: Option<(PlanRow, String)>,
}

/// What plans ask of durable state.
#[async_trait::async_trait]
pub trait Plans: Send + Sync + 'static {
    /// Puts a plan as the newest revision of its site, if it says anything new.
    async fn put_plan(&self, plan: &NewPlan, now: Instant) -> Result<Put, StoreError>;

    /// The newest revision of each site, by site.
    async fn newest_plans(&self) -> Result<Vec<PlanRow>, StoreError>;

    /// A revision of a site, the newest unless said otherwise, and its text.
    async fn plan(
        &self,
        site: &SiteName,
        revision: Option<u64>,
    ) -> Result<Option<(PlanRow, String)>, StoreError>;

    /// Notes what an agent said about plans; only the last word is kept.
    async fn note_plan(&self, agent: AgentId, said: &Said, now: Instant) -> Result<(), StoreError>;

    /// Every agent that is not shut out, and how it stands to the newest plan, by site.
    async fn plan_states(&self) -> Result<Vec<AgentPlan>, StoreError>;
}
