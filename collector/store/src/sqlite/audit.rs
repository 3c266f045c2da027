//! Everything the line wrote, row by row, for whoever checks it against what agents kept.
//!
//! Invariant: read in one snapshot, so that rows, cursors and sightings agree.

use super::{SqliteStore, row};
use crate::StoreError;
use model::AgentId;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

/// What the line wrote.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Audit {
    /// Every report, refused ones too.
    pub reports: Vec<AuditedReport>,
    /// Every gap.
    pub gaps: Vec<AuditedGap>,
    /// Where each agent's line stands.
    pub cursors: Vec<AuditedCursor>,
    /// How often each element was sighted.
    pub elements: Vec<AuditedElement>,
}

/// One report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditedReport {
    /// Whose.
    pub agent: AgentId,
    /// Hexadecimal epoch of its spool.
    pub epoch: String,
    /// Its place there.
    pub sequence: u64,
    /// `stored`, `refused` or `wanted`.
    pub verdict: String,
    /// `ADDRESS:PORT` of its target; empty when it was refused.
    pub target: String,
    /// Hexadecimal digest of its evidence; empty when it was refused.
    pub digest: String,
    /// What it told outside the evidence, as stored (JSON).
    pub readings: String,
}

/// One gap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditedGap {
    /// Whose.
    pub agent: AgentId,
    /// Hexadecimal epoch of its spool.
    pub epoch: String,
    /// First sequence.
    pub from: u64,
    /// Last one.
    pub to: u64,
}

/// An agent's line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditedCursor {
    /// Whose.
    pub agent: AgentId,
    /// Where that agent stands.
    pub site: String,
    /// Hexadecimal epoch of its spool.
    pub epoch: String,
    /// Up to which sequence everything is durable.
    pub acked: u64,
    /// Reports, as counted beside the rows.
    pub reports: u64,
}

/// An element's sightings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditedElement {
    /// `ADDRESS:PORT`.
    pub target: String,
    /// Rounds, all its sightings together.
    pub rounds: u64,
}

impl SqliteStore {
    /// Reads it all: for a store as small as a test's.
    ///
    /// # Errors
    /// [`StoreError`] when the file cannot be read.
    pub async fn audit(&self) -> Result<Audit, StoreError> {
        let mut tx = self.readers.begin().await?;
        let reports = sqlx::query(
            "SELECT r.*, COALESCE(e.address || ':' || e.port, '') AS target FROM report r \
             LEFT JOIN element e ON e.element_id = r.element_id ORDER BY r.agent_id, r.epoch, r.sequence",
        )
        .fetch_all(&mut *tx)
        .await?;
        let gaps = sqlx::query("SELECT * FROM gap ORDER BY agent_id, epoch, from_sequence")
            .fetch_all(&mut *tx)
            .await?;
        let cursors = sqlx::query(
            "SELECT c.*, a.site FROM agent_cursor c JOIN agent a ON a.agent_id = c.agent_id \
             ORDER BY c.agent_id, c.epoch",
        )
        .fetch_all(&mut *tx)
        .await?;
        let elements = sqlx::query(
            "SELECT e.address || ':' || e.port AS target, COALESCE(SUM(s.rounds), 0) AS rounds FROM element e \
             LEFT JOIN sighting s ON s.element_id = e.element_id GROUP BY e.element_id ORDER BY target",
        )
        .fetch_all(&mut *tx)
        .await?;
        Ok(Audit {
            reports: reports.iter().map(report).collect::<Result<_, _>>()?,
            gaps: gaps.iter().map(gap).collect::<Result<_, _>>()?,
            cursors: cursors.iter().map(cursor).collect::<Result<_, _>>()?,
            elements: elements.iter().map(element).collect::<Result<_, _>>()?,
        })
    }
}

impl SqliteStore {
    /// Writes the journal into the file and gives its room back, so that whoever
    /// fills the disk next sees it full at the next commit.
    ///
    /// # Errors
    /// [`StoreError`] when the file cannot be written.
    pub async fn cut_journal(&self) -> Result<(), StoreError> {
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
            .fetch_all(&self.writer)
            .await?;
        Ok(())
    }
}

fn report(r: &SqliteRow) -> Result<AuditedReport, StoreError> {
    let text = |name: &str| -> Result<String, StoreError> {
        Ok(r.try_get::<Option<String>, _>(name)?.unwrap_or_default())
    };
    Ok(AuditedReport {
        agent: row::word(r.try_get("agent_id")?, "agent")?,
        epoch: r.try_get("epoch")?,
        sequence: row::count(r.try_get("sequence")?),
        verdict: r.try_get("verdict")?,
        target: r.try_get("target")?,
        digest: text("digest")?,
        readings: text("readings")?,
    })
}

fn gap(r: &SqliteRow) -> Result<AuditedGap, StoreError> {
    Ok(AuditedGap {
        agent: row::word(r.try_get("agent_id")?, "agent")?,
        epoch: r.try_get("epoch")?,
        from: row::count(r.try_get("from_sequence")?),
        to: row::count(r.try_get("to_sequence")?),
    })
}

fn cursor(r: &SqliteRow) -> Result<AuditedCursor, StoreError> {
    Ok(AuditedCursor {
        agent: row::word(r.try_get("agent_id")?, "agent")?,
        site: r.try_get("site")?,
        epoch: r.try_get("epoch")?,
        acked: row::count(r.try_get("acked_sequence")?),
        reports: row::count(r.try_get("report_count")?),
    })
}

fn element(r: &SqliteRow) -> Result<AuditedElement, StoreError> {
    Ok(AuditedElement {
        target: r.try_get("target")?,
        rounds: row::count(r.try_get("rounds")?),
    })
}
