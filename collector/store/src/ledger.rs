//! What the pages of the compliance officer count: the network and its findings by what they have in common.
//!
//! Invariants: counts are sums over whole tables and carry the site, so that whoever is
//! limited to sites adds up theirs alone; reading them takes as long as the tables are
//! large, so that callers keep what they read for a while.

use crate::StoreError;
use crate::past::FindingSpan;
use model::{Instant, Role, Severity, SiteName, SupplierRef, Waiver};
use std::collections::BTreeSet;

/// Elements that stand at one site in one role with units of one maker and model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stock {
    /// Where.
    pub site: SiteName,
    /// Their declared role.
    pub role: Option<Role>,
    /// Who made the unit; [`None`] is not known.
    pub maker: Option<SupplierRef>,
    /// What it calls itself; from a device.
    pub model: Option<String>,
    /// How many.
    pub elements: u64,
    /// Of these, answered at least once.
    pub reached: u64,
    /// Of these, with an open finding.
    pub exposed: u64,
    /// Of these, whose standing is unknown.
    pub unknown: u64,
}

/// Findings of one rule at one site in one role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Burden {
    /// Key of the rule.
    pub rule: String,
    /// Its jurisdiction.
    pub jurisdiction: String,
    /// Where.
    pub site: SiteName,
    /// Declared role of the elements.
    pub role: Option<Role>,
    /// Findings that wait for somebody.
    pub open: u64,
    /// The most urgent among them.
    pub worst: Option<Severity>,
    /// Elements that have one.
    pub elements: u64,
    /// Waived ones beside them.
    pub waived: u64,
    /// Elements with one of either.
    pub matched: u64,
}

/// Open findings about one supplier at one site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blame {
    /// Key of the supplier.
    pub supplier: String,
    /// Where.
    pub site: SiteName,
    /// Findings that wait for somebody.
    pub findings: u64,
}

/// Everything that is counted of the present.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    /// The elements.
    pub stock: Vec<Stock>,
    /// Findings by rule.
    pub burdens: Vec<Burden>,
    /// Findings by supplier.
    pub blames: Vec<Blame>,
}

/// Changes of one kind and cause at one site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// Where.
    pub site: SiteName,
    /// As [`crate::view::ChangeRow::kind`].
    pub kind: String,
    /// A word of [`model::Cause`].
    pub cause: String,
    /// Since the first of the moments asked about, and of these since the second.
    pub counts: [u64; 2],
}

/// Findings with a date whose days and ends are the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dated {
    /// One of them; its moments stand for the days of all.
    pub span: FindingSpan,
    /// Jurisdiction of the rule.
    pub jurisdiction: String,
    /// Where.
    pub site: SiteName,
    /// How many.
    pub findings: u64,
    /// Of these, with a planned removal and not closed.
    pub planned: u64,
    /// Of these, waived.
    pub waived: u64,
}

/// Elements with a finding of one rule and date that is not closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// Key of the rule.
    pub rule: String,
    /// The date, as exact as its source.
    pub deadline: String,
    /// Where.
    pub site: SiteName,
    /// How many.
    pub elements: u64,
}

/// Findings of one rule and site that one waiver accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Key of the rule.
    pub rule: String,
    /// Where.
    pub site: SiteName,
    /// Who, why, until when.
    pub waiver: Waiver,
    /// How many.
    pub findings: u64,
}

/// Everything that is counted of dates.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dates {
    /// Findings with a date.
    pub dated: Vec<Dated>,
    /// Elements that still have one.
    pub bound: Vec<Bound>,
    /// Waivers in force.
    pub accepted: Vec<Accepted>,
}

/// Parts of one maker at one site in one role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Within {
    /// Where.
    pub site: SiteName,
    /// Declared role of the elements.
    pub role: Option<Role>,
    /// How many parts.
    pub parts: u64,
    /// Elements that hold them.
    pub elements: u64,
}

/// What is asked about the whole network.
#[async_trait::async_trait]
pub trait Ledgers: Send + Sync + 'static {
    /// Elements and findings as they are.
    async fn ledger(&self) -> Result<Ledger, StoreError>;

    /// What changed since each of two moments, the earlier first.
    async fn moved(&self, since: [Instant; 2]) -> Result<Vec<Moved>, StoreError>;

    /// Findings with a date, and waivers. Where a moment is named, findings are told as they were recorded by then,
    /// whatever became of them later; their dates are those of now, and what is known of now alone is left out:
    /// plans, waivers, and the elements that still have one.
    async fn dates(&self, known: Option<Instant>) -> Result<Dates, StoreError>;

    /// Parts that a supplier made, within the units now in place at these sites; at most `most` of them
    /// are looked at.
    async fn within(
        &self,
        supplier: &str,
        sites: Option<&BTreeSet<SiteName>>,
        most: u32,
    ) -> Result<Vec<Within>, StoreError>;
}
