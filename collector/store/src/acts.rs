//! What people do about findings, as the store keeps it.
//!
//! Invariants: what was done stands for ever, in the finding's events and in the
//! audit log; acts of one command are taken all or none, and none on a finding
//! that moved since it was looked at. Each row of the audit log bears the sum of
//! the one before it.

use crate::StoreError;
use crate::record::Stand;
use crate::view::Page;
use model::{
    Act, Completeness, ElementId, FindingId, FindingState, Instant, Life, RuleResult, SiteName, Waiver,
    WaiverState,
};
use serde::Serialize;

/// A finding as an act finds it.
#[derive(Debug, Clone, PartialEq)]
pub struct FindingLife {
    /// Which.
    pub finding: FindingId,
    /// Name of its element.
    pub element_name: String,
    /// Where that stands.
    pub site: SiteName,
    /// Goes up with each change of its life, and of what its rule says.
    pub revision: u64,
    /// How it stands.
    pub life: Life,
    /// What its rule says.
    pub result: RuleResult,
    /// How complete the last round of its element was.
    pub latest: Option<Completeness>,
}

/// An act on one finding.
#[derive(Debug, Clone, PartialEq)]
pub struct Acted {
    /// Which, and how it stands after it.
    pub stand: Stand,
    /// For people.
    pub text: String,
}

/// One command of one person.
#[derive(Debug, Clone, PartialEq)]
pub struct Doing {
    /// Who, as they named themselves.
    pub person: String,
    /// The account of the machine it is done from.
    pub account: String,
    /// What.
    pub act: Act,
    /// On which findings.
    pub on: Vec<Acted>,
}

/// Whoever does something that goes into the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signer {
    /// Who, as they named themselves.
    pub person: String,
    /// The account it is done from.
    pub account: String,
}

/// A line of the audit log that is no act on a finding: an export, say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Who.
    pub person: String,
    /// From which account.
    pub account: String,
    /// What, as a word.
    pub action: String,
    /// On what: keys.
    pub subjects: Vec<String>,
    /// Everything said with it, as JSON.
    pub detail: String,
}

/// Which rows of the audit log to show. Empty fields do not filter; several values of one are alternatives.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Who acted.
    pub people: Vec<String>,
    /// What was done.
    pub actions: Vec<String>,
    /// What the word for it begins with.
    pub begins: String,
    /// On what: whole keys.
    pub subjects: Vec<String>,
    /// Recorded then or later.
    pub from: Option<Instant>,
    /// Recorded before.
    pub until: Option<Instant>,
    /// Key of the page, from [`Page::next`].
    pub after: Option<String>,
    /// Rows a page, at most 500; 0 means 100.
    pub limit: u32,
}

/// One row of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditRow {
    /// Its place in the chain, from 1; none before it is sealed.
    pub place: Option<u64>,
    /// The sum of the row before, in hexadecimal; empty for the first one.
    pub previous: String,
    /// SHA-256 over [`AuditRow::previous`] and all that it says.
    pub sum: String,
    /// Whether the row still has the sum it bears.
    pub intact: bool,
    /// When.
    pub at: Instant,
    /// Who.
    pub person: String,
    /// From which account.
    pub account: String,
    /// What.
    pub action: String,
    /// On what.
    pub subjects: Vec<String>,
    /// Everything said with it, as JSON.
    pub detail: String,
}

/// The audit log gone through from its first row to its last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Chain {
    /// Rows that hold on to each other.
    pub rows: u64,
    /// Rows that have no sum yet.
    pub unsealed: u64,
    /// The sum of the last row that holds: who notes it down elsewhere can show that nothing was cut off.
    pub head: String,
    /// The place of the first row that was changed, or before which one is missing.
    pub broken: Option<u64>,
    /// Whether the sum asked for was met.
    pub met: bool,
}

/// Which waivers to show. Empty fields do not filter; several values of one are alternatives.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WaiverFilter {
    /// States.
    pub states: Vec<WaiverState>,
    /// Rules.
    pub rules: Vec<String>,
    /// Sites.
    pub sites: Vec<String>,
    /// Elements.
    pub elements: Vec<ElementId>,
    /// Who asked for or approved it.
    pub people: Vec<String>,
    /// Ends this day or earlier, `YYYY-MM-DD`.
    pub until: Option<String>,
    /// Ends this day or later.
    pub from: Option<String>,
    /// The last to end first.
    pub latest_first: bool,
    /// Key of the page, from [`Page::next`].
    pub after: Option<String>,
    /// Rows a page, at most 500; 0 means 100.
    pub limit: u32,
}

/// One waiver in a list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WaiverRow {
    /// How it stands.
    pub state: WaiverState,
    /// Who, why, until when.
    pub waiver: Waiver,
    /// When it was asked for.
    pub asked: Instant,
    /// When it was approved.
    pub approved: Option<Instant>,
    /// Who ended it.
    pub ended_by: Option<String>,
    /// When it ended.
    pub ended: Option<Instant>,
    /// For which finding.
    pub finding: FindingId,
    /// Which goes up with each change of that.
    pub revision: u64,
    /// How that stands.
    pub finding_state: FindingState,
    /// What its rule says today.
    pub result: RuleResult,
    /// At which element.
    pub element: ElementId,
    /// Its name.
    pub element_name: String,
    /// Where.
    pub site: SiteName,
}

/// Removal under one rule, as proven so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// Key of the rule.
    pub rule: String,
    /// Its jurisdiction.
    pub jurisdiction: String,
    /// The earliest date of its findings that are not closed.
    pub deadline: Option<String>,
    /// Findings not closed.
    pub left: u64,
    /// Of these, with a planned removal.
    pub planned: u64,
    /// Of these, waived.
    pub waived: u64,
    /// What was proven to be removed.
    pub removed: u64,
    /// What closed otherwise: no progress.
    pub otherwise: u64,
    /// By day, the first first.
    pub days: Vec<ProgressDay>,
}

/// What one day brought under one rule, by when it holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ProgressDay {
    /// The first moment of the day in UTC.
    pub day: Instant,
    /// Findings opened, or opened again because their rule was met again.
    pub opened: u64,
    /// What was proven to be removed.
    pub removed: u64,
    /// What closed otherwise.
    pub otherwise: u64,
}

/// What operators' acts ask of durable state.
#[async_trait::async_trait]
pub trait Acts: Send + Sync + 'static {
    /// The findings of these keys that there are, in this order.
    async fn lives(&self, findings: &[FindingId]) -> Result<Vec<FindingLife>, StoreError>;

    /// Takes an act, all of it or nothing; [`StoreError::Moved`] where a finding did meanwhile.
    async fn act(&self, doing: &Doing, now: Instant) -> Result<(), StoreError>;

    /// Removal under each rule that ever had a finding.
    async fn progress(&self) -> Result<Vec<Progress>, StoreError>;

    /// Waivers, the first to end first unless asked otherwise.
    async fn waivers(&self, filter: &WaiverFilter) -> Result<Page<WaiverRow>, StoreError>;

    /// Writes a line into the audit log.
    async fn note(&self, note: &Note, now: Instant) -> Result<(), StoreError>;

    /// Who did what, latest first.
    async fn audit_log(&self, filter: &AuditFilter) -> Result<Page<AuditRow>, StoreError>;

    /// Goes through the whole log; `sum` is one that was noted down elsewhere.
    async fn chain(&self, sum: Option<&str>) -> Result<Chain, StoreError>;
}
