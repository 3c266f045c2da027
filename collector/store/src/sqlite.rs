//! The embedded store: one SQLite file, one writer, readers beside it.
//!
//! Invariants: WAL with `synchronous = FULL`, because an acknowledgement
//! promises that the report survives power loss; every write is one
//! `BEGIN IMMEDIATE` transaction; readers never block the writer.

mod declare;
mod ingest;
mod conclude;
mod judge;
mod row;
mod overview;
mod findings;
mod elements;

use crate::record::{
    AgentHello, Declaration, IdentifiedEvidence, IncomingReport, JudgedElement, SpoolStatus, Stage,
    StageVersion, Subject, Undone, Verdict,
};
use crate::view::{
    ElementFilter, ElementRow, ElementView, EvidenceRecord, FindingFilter, FindingRow, FindingView, Overview,
    Page,
};
use crate::{Store, StoreError};
use model::{AgentId, Digest, ElementId, FindingId, Instant, Site};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Sqlite, Transaction};
use std::path::Path;
use std::time::Duration;
use tokio::sync::watch;

/// The SQLite backend.
pub struct SqliteStore {
    writer: SqlitePool,
    readers: SqlitePool,
    revision: watch::Sender<u64>,
}

impl SqliteStore {
    /// Opens or creates the file and brings it to this version.
    ///
    /// # Errors
    /// [`StoreError::Open`] naming the file when it cannot be opened, is no
    /// database, or was written by a later version.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let refuse = |source: Box<dyn std::error::Error + Send + Sync>| StoreError::Open {
            path: path.display().to_string(),
            source,
        };
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(10))
            .pragma("cache_size", "-65536")
            .pragma("temp_store", "memory");
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .connect_with(options.clone())
            .await
            .map_err(|e| refuse(e.into()))?;
        sqlx::migrate!("./migrations/sqlite")
            .run(&writer)
            .await
            .map_err(|e| refuse(e.into()))?;
        let readers = SqlitePoolOptions::new()
            .max_connections(4)
            .connect_with(options.read_only(true).create_if_missing(false))
            .await
            .map_err(|e| refuse(e.into()))?;
        Ok(Self {
            writer,
            readers,
            revision: watch::Sender::new(0),
        })
    }

    /// Closes both pools; what was acknowledged is on disk with or without it.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    async fn begin(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }

    /// Commits and tells pages that something moved.
    async fn commit(&self, transaction: Transaction<'static, Sqlite>) -> Result<(), StoreError> {
        transaction.commit().await?;
        self.revision.send_modify(|n| *n += 1);
        Ok(())
    }
}

#[async_trait::async_trait]
impl Store for SqliteStore {
    async fn declare(
        &self,
        sites: &[Site],
        elements: &[Declaration],
        now: Instant,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        declare::declare(&mut tx, sites, elements, now).await?;
        self.commit(tx).await
    }

    async fn greet(&self, hello: &AgentHello, now: Instant) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        let acked = ingest::greet(&mut tx, hello, now).await?;
        self.commit(tx).await?;
        Ok(acked)
    }

    async fn commit_reports(
        &self,
        agent: AgentId,
        epoch: &str,
        reports: Vec<IncomingReport>,
        now: Instant,
    ) -> Result<Vec<Verdict>, StoreError> {
        let compressed = ingest::compress(reports)?;
        let mut tx = self.begin().await?;
        let verdicts = ingest::commit_reports(&mut tx, agent, epoch, &compressed, now).await?;
        self.commit(tx).await?;
        Ok(verdicts)
    }

    async fn note_spool(&self, agent: AgentId, status: SpoolStatus, now: Instant) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        ingest::note_spool(&mut tx, agent, &status, now).await?;
        self.commit(tx).await
    }

    async fn adopt_version(&self, version: &StageVersion, now: Instant) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let changed = conclude::adopt_version(&mut tx, version, now).await?;
        if changed {
            self.commit(tx).await?;
        } else {
            // Nothing was written, so nobody is woken: least of all the caller.
            tx.rollback().await?;
        }
        Ok(changed)
    }

    async fn undone(&self, stage: Stage, limit: u32) -> Result<Vec<Undone>, StoreError> {
        conclude::undone(&self.readers, stage, limit).await
    }

    async fn evidence(&self, digest: Digest) -> Result<Option<EvidenceRecord>, StoreError> {
        conclude::evidence(&self.readers, digest).await
    }

    async fn save_identified(&self, done: Vec<IdentifiedEvidence>, now: Instant) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        conclude::save_identified(&mut tx, &done, now).await?;
        self.commit(tx).await
    }

    async fn subject(&self, element: ElementId) -> Result<Option<Subject>, StoreError> {
        judge::subject(&self.readers, element).await
    }

    async fn save_judged(&self, done: Vec<JudgedElement>, now: Instant) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        judge::save_judged(&mut tx, &done, now).await?;
        self.commit(tx).await
    }

    async fn overview(&self) -> Result<Overview, StoreError> {
        overview::overview(&self.readers).await
    }

    async fn findings(&self, filter: &FindingFilter) -> Result<Page<FindingRow>, StoreError> {
        findings::list(&self.readers, filter).await
    }

    async fn finding(&self, finding: FindingId) -> Result<Option<FindingView>, StoreError> {
        findings::one(&self.readers, finding).await
    }

    async fn elements(&self, filter: &ElementFilter) -> Result<Page<ElementRow>, StoreError> {
        elements::list(&self.readers, filter).await
    }

    async fn element(&self, element: ElementId) -> Result<Option<ElementView>, StoreError> {
        elements::one(&self.readers, element).await
    }

    fn revision(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }
}
