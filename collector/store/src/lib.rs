//! Durable state of the collector: evidence first, then what was concluded from it.
//!
//! Invariants: this crate alone speaks SQL; [`Store::commit_reports`] returns only
//! after the reports are on disk; everything concluded can be
//! thrown away and rebuilt from evidence; every fact has valid and recorded time.

pub mod record;
pub mod admission;
pub mod plans;
pub mod acts;
pub mod accounts;
pub mod coverage;
pub mod engines;
pub mod units;
pub mod briefing;
pub mod past;
pub mod ledger;
pub mod field;
pub mod clause;
pub mod view;
pub mod views;
pub mod alerts;
pub mod error;
pub mod sqlite;
#[cfg(test)]
mod conformance;

pub use accounts::Accounts;
pub use acts::Acts;
pub use admission::Admission;
pub use alerts::Alerts;
pub use briefing::Briefing;
pub use error::StoreError;
pub use field::Field;
pub use ledger::Ledgers;
pub use past::Past;
pub use plans::Plans;
pub use sqlite::{SqliteReader, SqliteStore};
pub use units::Units;
pub use views::Views;

use coverage::{CoverageView, ToldCoverage};
use engines::{EngineFilter, EnginesPage, KnownEngines, ToldEngines};
use model::on_file::OnFile;
use model::{AgentId, Digest, ElementId, FindingId, Instant, Site, SiteName};
use record::{
    AgentHello, Declaration, IdentifiedEvidence, IncomingReport, JudgedElement, SpoolStatus, Stage,
    StageVersion, Subject, Undone, Verdict,
};
use std::collections::BTreeSet;
use view::{
    ElementFilter, ElementRow, ElementView, EvidenceRecord, FindingFilter, FindingRow, FindingView, Overview,
    Page, Stood,
};

/// What the collector asks of its durable state. One conformance suite holds for every backend.
#[async_trait::async_trait]
pub trait Store: Send + Sync + 'static {
    // ── operator's facts ──

    /// Makes the declared sites and elements the current ones; what changed is queued for evaluation.
    async fn declare(&self, sites: &[Site], elements: &[Declaration], now: Instant)
    -> Result<(), StoreError>;

    /// Makes what is on file the current approvals, shares and prices; what was before is kept.
    async fn declare_on_file(&self, file: &OnFile, now: Instant) -> Result<(), StoreError>;

    // ── ingest ──

    /// Notes a greeting and returns the sequence up to which this epoch is durable (0 for a new one).
    async fn greet(&self, hello: &AgentHello, now: Instant) -> Result<u64, StoreError>;

    /// [`Store::greet`] of an export that came by courier: when it was made nobody can tell, so it
    /// says nothing of the agent's clock. One that begins after the cursor is
    /// [`StoreError::NotDense`] and notes nothing, unless `over_hole`: then what lies between is
    /// shown as lost.
    async fn greet_carried(
        &self,
        hello: &AgentHello,
        over_hole: bool,
        now: Instant,
    ) -> Result<u64, StoreError>;

    /// Commits reports and gaps of one agent and epoch, in dense sequence, in one transaction.
    ///
    /// The cursor moves over a gap only with the row that says so.
    /// Returns one verdict for each, in order, after the commit is durable. A
    /// sequence at or below the cursor is [`Verdict::Repeated`] and changes nothing.
    async fn commit_reports(
        &self,
        agent: AgentId,
        epoch: &str,
        reports: Vec<IncomingReport>,
        now: Instant,
    ) -> Result<Vec<Verdict>, StoreError>;

    /// Notes how an agent's spool stands, and that the agent spoke; only the last word is kept.
    async fn note_spool(&self, agent: AgentId, status: SpoolStatus, now: Instant) -> Result<(), StoreError>;

    /// Takes what an agent told of the addresses in its ranges in place of what it told before.
    async fn note_coverage(&self, agent: AgentId, told: ToldCoverage, now: Instant)
    -> Result<(), StoreError>;

    /// Takes what an agent told anew of the engines at its addresses beside what it told before, bounded.
    async fn note_engines(&self, agent: AgentId, told: ToldEngines, now: Instant) -> Result<(), StoreError>;

    /// Up to where [`Store::note_engines`] has what an agent told.
    async fn known_engines(&self, agent: AgentId) -> Result<KnownEngines, StoreError>;

    // ── reconcile ──

    /// If the stage was last run with another version, queues all its inputs anew and notes the new version.
    async fn adopt_version(&self, version: &StageVersion, now: Instant) -> Result<bool, StoreError>;

    /// The oldest undone inputs of a stage, at most `limit`.
    async fn undone(&self, stage: Stage, limit: u32) -> Result<Vec<Undone>, StoreError>;

    /// The exact bytes of an evidence.
    async fn evidence(&self, digest: Digest) -> Result<Option<EvidenceRecord>, StoreError>;

    /// The bytes of several, in no order: as many of them as fit `most` octets, and one at least; those that are not
    /// held are left out.
    async fn evidences(
        &self,
        digests: &[Digest],
        most: usize,
    ) -> Result<Vec<(Digest, EvidenceRecord)>, StoreError>;

    /// Saves the identifications whose sum is another than before, queues the elements that showed them for the stage
    /// of units, and marks all inputs done.
    async fn save_identified(&self, done: Vec<IdentifiedEvidence>, now: Instant) -> Result<(), StoreError>;

    /// What evaluation needs to know about one element.
    async fn subject(&self, element: ElementId) -> Result<Option<Subject>, StoreError>;

    /// Saves judgements, opens, updates and closes findings, and marks the inputs done.
    async fn save_judged(&self, done: Vec<JudgedElement>, now: Instant) -> Result<(), StoreError>;

    // ── pages ──

    /// Everything the first page counts.
    async fn overview(&self) -> Result<Overview, StoreError> {
        self.overview_of(None).await
    }

    /// Everything the first page counts, of these sites; what waits in the stages is that of all.
    async fn overview_of(&self, sites: Option<&BTreeSet<SiteName>>) -> Result<Overview, StoreError>;

    /// The sites whose elements showed an evidence.
    async fn sites_of(&self, digest: Digest) -> Result<BTreeSet<SiteName>, StoreError>;

    /// Findings, most urgent first.
    async fn findings(&self, filter: &FindingFilter) -> Result<Page<FindingRow>, StoreError>;

    /// The keys of all findings that match, in order, as of one moment. Limit and page of the filter do not count.
    async fn finding_keys(&self, filter: &FindingFilter) -> Result<Vec<FindingId>, StoreError>;

    /// The findings of these keys as they are now, or stood at the end of a day, in this order: some hundreds at a time.
    async fn findings_of(
        &self,
        keys: &[FindingId],
        then: Option<Instant>,
    ) -> Result<Vec<FindingRow>, StoreError>;

    /// One finding with its events.
    async fn finding(&self, finding: FindingId) -> Result<Option<FindingView>, StoreError>;

    /// Elements by name.
    async fn elements(&self, filter: &ElementFilter) -> Result<Page<ElementRow>, StoreError>;

    /// How many elements match, each of them counted: what [`Page::total`] says may be reckoned from a sample.
    async fn count_elements(&self, filter: &ElementFilter) -> Result<u64, StoreError>;

    /// The keys of all elements that match, in order, as of one moment. Limit and page of the filter do not count.
    async fn element_keys(&self, filter: &ElementFilter) -> Result<Vec<ElementId>, StoreError>;

    /// The elements of these keys as they are now, or stood at the end of a day, in this order: some hundreds at a time.
    async fn elements_of(
        &self,
        keys: &[ElementId],
        then: Option<Instant>,
    ) -> Result<Vec<ElementRow>, StoreError>;

    /// What lists of this moment, the end of a day, rest on.
    async fn stood(&self, then: Instant) -> Result<Stood, StoreError>;

    /// One element with unit, components, evidence chain and findings.
    async fn element(&self, element: ElementId) -> Result<Option<ElementView>, StoreError>;

    /// What became of every address in scope, how far elements are, and what neighbours say at these sites, the first
    /// some thousands.
    async fn coverage(&self, sites: &accounts::Sites) -> Result<CoverageView, StoreError>;

    /// Engine IDs that addresses told, with everybody who told them.
    async fn engines(&self, filter: &EngineFilter) -> Result<EnginesPage, StoreError>;

    /// Whether the last commit of reports found room on the disk.
    fn takes_writes(&self) -> bool;

    /// Goes up with every commit that pages could show.
    fn revision(&self) -> tokio::sync::watch::Receiver<u64>;
}
