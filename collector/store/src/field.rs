//! What stands in the field, for the pages of agents, sites and topology: what an agent
//! lost, who names whom as a neighbour, when something changed at an element.
//!
//! Invariants: reading changes nothing; every answer is bounded by its caller or by
//! what one agent, site or element has.

use crate::StoreError;
use crate::accounts::Sites;
use crate::coverage::CoverageView;
use crate::plans::ToldPlan;
use model::{AgentId, Attribution, ElementId, Instant, SiteName, SupplierRef};
use serde::Serialize;

/// Sequences that an agent declared lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GapRow {
    /// First sequence.
    pub from: u64,
    /// Last one.
    pub to: u64,
    /// Reports that went; 0 when nobody knows.
    pub reports: u64,
    /// `spool_full` or `spool_damaged`.
    pub reason: String,
    /// When the agent declared it (its clock).
    pub declared: Instant,
    /// When it was recorded here.
    pub recorded: Instant,
}

/// One spool of an agent, from its first report on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LineRow {
    /// Which spool.
    pub epoch: String,
    /// First sequence that was ours to get.
    pub first: u64,
    /// Up to here everything is durable.
    pub acked: u64,
    /// Of these, acknowledged without a report and without a gap: must be 0.
    pub lost: u64,
    /// Last commit.
    pub recorded: Instant,
}

/// An agent that was shut out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RevocationRow {
    /// When.
    pub at: Instant,
    /// By whom; empty where that was not written down.
    pub person: String,
    /// Why.
    pub reason: String,
}

/// A time in which nothing of an agent was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct QuarantineRow {
    /// From when on.
    pub since: Instant,
    /// Who put it there.
    pub person: String,
    /// Why.
    pub reason: String,
    /// How it ended; none while it is in force.
    pub released: Option<Release>,
}

/// The end of a quarantine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Release {
    /// When.
    pub at: Instant,
    /// By whom.
    pub person: String,
    /// Why.
    pub reason: String,
}

/// A token that still opens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InvitationRow {
    /// Where its agent will stand.
    pub site: SiteName,
    /// When it was made.
    pub made: Instant,
    /// Until when it opens.
    pub expires: Instant,
}

/// How many elements of a site have one standing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SiteStanding {
    /// Site.
    pub site: SiteName,
    /// Standing word.
    pub standing: String,
    /// Elements.
    pub count: u64,
}

/// An element names a neighbour, by LLDP or CDP.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LinkRow {
    /// Who names it.
    pub element: ElementId,
    /// Its name.
    pub element_name: String,
    /// Its site.
    pub site: SiteName,
    /// `lldp` or `cdp`.
    pub protocol: String,
    /// Management address of the neighbour.
    pub address: Option<String>,
    /// Hardware address of its chassis.
    pub mac: Option<String>,
    /// What it calls itself.
    pub told_name: String,
    /// Who may have made it.
    pub maker: Option<Attribution>,
    /// The element it is, if it is polled: by its address at this site, else by its hardware address.
    pub other: Option<Known>,
}

/// An element as a list of others names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Known {
    /// Which.
    pub element: ElementId,
    /// Its name.
    pub name: String,
    /// Its site.
    pub site: SiteName,
}

/// An element as a drawing needs it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NodeRow {
    /// Which, its name and its site.
    pub known: Known,
    /// Address.
    pub address: String,
    /// Declared role.
    pub role: Option<model::Role>,
    /// Who made it.
    pub maker: Option<SupplierRef>,
    /// Standing word.
    pub standing: String,
}

/// Whom an element names, and who names it.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Neighbours {
    /// It names these.
    pub names: Vec<LinkRow>,
    /// These name it.
    pub named_by: Vec<LinkRow>,
}

/// What pages of the field ask of durable state.
#[async_trait::async_trait]
pub trait Field: Send + Sync + 'static {
    /// What an agent declared lost, latest first.
    async fn gaps(&self, agent: AgentId, limit: u32) -> Result<Vec<GapRow>, StoreError>;

    /// The spools of an agent, latest first.
    async fn lines(&self, agent: AgentId) -> Result<Vec<LineRow>, StoreError>;

    /// When, by whom and why an agent was shut out; `None` while it is not.
    async fn revocation(&self, agent: AgentId) -> Result<Option<RevocationRow>, StoreError>;

    /// When, by whom and why an agent was in quarantine, latest first; the one in force has no end.
    async fn quarantines(&self, agent: AgentId, limit: u32) -> Result<Vec<QuarantineRow>, StoreError>;

    /// What an agent was told to do, and what it said of it; `None` when it never greeted us.
    async fn told_plan(&self, agent: AgentId) -> Result<Option<ToldPlan>, StoreError>;

    /// Tokens that were not used and still open, by site.
    async fn invitations(&self, sites: &Sites, now: Instant) -> Result<Vec<InvitationRow>, StoreError>;

    /// What one agent told of its ranges, with the elements of its site; no neighbours.
    async fn agent_coverage(&self, agent: AgentId) -> Result<CoverageView, StoreError>;

    /// Elements by site and standing.
    async fn site_standings(&self) -> Result<Vec<SiteStanding>, StoreError>;

    /// Whom the elements of a site name as neighbours, by element.
    async fn links(&self, site: &SiteName, limit: u32) -> Result<Vec<LinkRow>, StoreError>;

    /// These elements, whatever their site, then others of the site by address up to `most` in all.
    async fn nodes(
        &self,
        site: &SiteName,
        wanted: &[ElementId],
        most: u32,
    ) -> Result<Vec<NodeRow>, StoreError>;

    /// Whom an element names, and who names it: at most so many of each.
    async fn neighbours(&self, element: ElementId, limit: u32) -> Result<Neighbours, StoreError>;

    /// Days (UTC, their first moment) on which something changed at an element or in what was known of
    /// it, the first first: the last `limit` of them.
    async fn days(&self, element: ElementId, limit: u32) -> Result<Vec<Instant>, StoreError>;
}
