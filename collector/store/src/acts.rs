//! What people do about findings, as the store keeps it.
//!
//! Invariants: what was done stands for ever, in the finding's events and in the
//! audit log; acts of one command are taken all or none, and none on a finding
//! that moved since it was looked at.

use crate::StoreError;
use crate::record::Stand;
use model::{Act, Completeness, FindingId, Instant, Life, RuleResult};
use serde::Serialize;

/// A finding as an act finds it.
#[derive(Debug, Clone, PartialEq)]
pub struct FindingLife {
    /// Which.
    pub finding: FindingId,
    /// Name of its element.
    pub element_name: String,
    /// Goes up with each change of its life.
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

/// One row of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditRow {
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

    /// The last rows of the audit log whose action begins so (nothing is all), latest first.
    async fn audit_log(&self, begins: &str, limit: u32) -> Result<Vec<AuditRow>, StoreError>;
}
