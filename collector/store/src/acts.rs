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

/// What operators' acts ask of durable state.
#[async_trait::async_trait]
pub trait Acts: Send + Sync + 'static {
    /// The findings of these keys that there are, in this order.
    async fn lives(&self, findings: &[FindingId]) -> Result<Vec<FindingLife>, StoreError>;

    /// Takes an act, all of it or nothing; [`StoreError::Moved`] where a finding did meanwhile.
    async fn act(&self, doing: &Doing, now: Instant) -> Result<(), StoreError>;

    /// The last acts, latest first.
    async fn audit_log(&self, limit: u32) -> Result<Vec<AuditRow>, StoreError>;
}
