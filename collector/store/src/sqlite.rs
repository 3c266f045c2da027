//! The embedded store: one SQLite file, one writer, readers beside it.
//!
//! Invariants: WAL with `synchronous = FULL`, because an acknowledgement
//! promises that the report survives power loss; every write is one
//! `BEGIN IMMEDIATE` transaction; readers never block the writer.

pub mod audit;
mod admission;
mod quarantine;
mod plans;
mod coverage;
mod engines;
mod declare;
mod ingest;
mod conclude;
mod units;
mod judge;
mod life;
mod acts;
mod accounts;
mod sessions;
mod second;
mod links;
mod briefing;
mod waivers;
mod log;
mod row;
mod overview;
mod seek;
mod stood;
mod then;
mod findings;
mod elements;
mod past;
mod ledger;
mod field;
mod views;
mod alerts;

use crate::accounts::Sites;
use crate::coverage::{CoverageView, ToldCoverage};
use crate::engines::{EngineFilter, EnginesPage, KnownEngines, ToldEngines};
use crate::record::{
    AgentHello, Declaration, IdentifiedEvidence, IncomingReport, JudgedElement, SpoolStatus, Stage,
    StageVersion, Subject, Undone, Verdict,
};
use crate::view::{
    ElementFilter, ElementRow, ElementView, EvidenceRecord, FindingFilter, FindingRow, FindingView, Overview,
    Page, Stood,
};
use crate::{Store, StoreError};
use model::on_file::OnFile;
use model::{AgentId, Digest, ElementId, FindingId, Instant, Site, SiteName};
use sqlx::migrate::Migrator;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Sqlite, SqliteConnection};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::watch;

/// What brings a file to this version.
static MIGRATIONS: Migrator = sqlx::migrate!("./migrations/sqlite");

/// The SQLite backend.
pub struct SqliteStore {
    writer: SqlitePool,
    readers: SqlitePool,
    /// Whoever comes is looked up here, so that a slow page keeps nobody out.
    doors: SqlitePool,
    revision: watch::Sender<u64>,
    writable: AtomicBool,
    reckoned: seek::Reckoned,
}

/// The embedded store as somebody reads it who is not the collector on it: nothing is written or brought to a version.
pub struct SqliteReader {
    readers: SqlitePool,
}

impl SqliteReader {
    /// Opens the file beside whoever writes it.
    ///
    /// # Errors
    /// [`StoreError::Open`] naming the file when it is not there or not of this version.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let refuse = |source: Box<dyn std::error::Error + Send + Sync>| StoreError::Open {
            path: path.display().to_string(),
            source,
        };
        let options = SqliteConnectOptions::new()
            .filename(path)
            .read_only(true)
            .busy_timeout(Duration::from_secs(10))
            .pragma("cache_size", "-65536");
        let readers = SqlitePoolOptions::new()
            .max_connections(2)
            .connect_with(options)
            .await
            .map_err(|e| refuse(e.into()))?;
        let is: Option<i64> = sqlx::query_scalar("SELECT MAX(version) FROM _sqlx_migrations WHERE success")
            .fetch_one(&readers)
            .await
            .map_err(|e| refuse(e.into()))?;
        let ours = MIGRATIONS.iter().map(|migration| migration.version).max();
        if is != ours {
            return Err(refuse("it was written by another version of this program".into()));
        }
        Ok(Self { readers })
    }

    /// Closes the pool.
    pub async fn close(&self) {
        self.readers.close().await;
    }
}

/// The writer in an open transaction. Dropped before [`SqliteStore::commit`], its
/// connection is closed, not handed back: after a full disk SQLite has rolled
/// back by itself and nobody can tell what the connection believes.
struct Write(Option<PoolConnection<Sqlite>>);

impl Write {
    fn sql(&mut self) -> Result<&mut SqliteConnection, StoreError> {
        self.0.as_deref_mut().ok_or(StoreError::Damaged("writer"))
    }
}

impl Drop for Write {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            drop(connection.detach());
        }
    }
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
        MIGRATIONS.run(&writer).await.map_err(|e| refuse(e.into()))?;
        let reading = options.read_only(true).create_if_missing(false);
        let doors = SqlitePoolOptions::new()
            .max_connections(2)
            .connect_lazy_with(reading.clone().pragma("cache_size", "-2048"));
        let readers = SqlitePoolOptions::new()
            .max_connections(4)
            .connect_with(reading)
            .await
            .map_err(|e| refuse(e.into()))?;
        Ok(Self {
            writer,
            readers,
            doors,
            revision: watch::Sender::new(0),
            writable: AtomicBool::new(true),
            reckoned: seek::Reckoned::default(),
        })
    }

    /// Closes the pools; what was acknowledged is on disk with or without it.
    pub async fn close(&self) {
        self.doors.close().await;
        self.readers.close().await;
        self.writer.close().await;
    }

    async fn begin(&self) -> Result<Write, StoreError> {
        let mut write = Write(Some(self.writer.acquire().await?));
        sqlx::query("BEGIN IMMEDIATE").execute(write.sql()?).await?;
        Ok(write)
    }

    /// Commits, hands the connection back and tells pages that something moved.
    async fn commit(&self, mut write: Write) -> Result<(), StoreError> {
        sqlx::query("COMMIT").execute(write.sql()?).await?;
        drop(write.0.take());
        self.revision.send_modify(|n| *n += 1);
        Ok(())
    }

    /// Commits what no page shows live, and wakes nobody.
    async fn commit_quietly(&self, mut write: Write) -> Result<(), StoreError> {
        sqlx::query("COMMIT").execute(write.sql()?).await?;
        drop(write.0.take());
        Ok(())
    }

    /// Ends a transaction that wrote nothing.
    async fn release(&self, mut write: Write) -> Result<(), StoreError> {
        sqlx::query("ROLLBACK").execute(write.sql()?).await?;
        drop(write.0.take());
        Ok(())
    }

    /// Remembers whether the disk takes writes.
    fn noted<T>(&self, outcome: Result<T, StoreError>) -> Result<T, StoreError> {
        match &outcome {
            Ok(_) => self.writable.store(true, Ordering::Relaxed),
            Err(StoreError::Full(_)) => self.writable.store(false, Ordering::Relaxed),
            Err(_) => {}
        }
        outcome
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
        let mut write = self.begin().await?;
        declare::declare(write.sql()?, sites, elements, now).await?;
        self.commit(write).await
    }

    async fn declare_on_file(&self, file: &OnFile, now: Instant) -> Result<(), StoreError> {
        let mut write = self.begin().await?;
        declare::on_file(write.sql()?, file, now).await?;
        self.commit(write).await
    }

    async fn greet(&self, hello: &AgentHello, now: Instant) -> Result<u64, StoreError> {
        let outcome = async {
            let mut write = self.begin().await?;
            let acked = ingest::greet(write.sql()?, hello, now).await?;
            self.commit(write).await?;
            Ok(acked)
        };
        self.noted(outcome.await)
    }

    async fn greet_carried(
        &self,
        hello: &AgentHello,
        over_hole: bool,
        now: Instant,
    ) -> Result<u64, StoreError> {
        let mut write = self.begin().await?;
        let acked = ingest::greet_carried(write.sql()?, hello, over_hole, now).await?;
        self.commit(write).await?;
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
        let outcome = async {
            let mut write = self.begin().await?;
            let verdicts = ingest::commit_reports(write.sql()?, agent, epoch, &compressed, now).await?;
            self.commit(write).await?;
            Ok(verdicts)
        };
        self.noted(outcome.await)
    }

    async fn note_spool(&self, agent: AgentId, status: SpoolStatus, now: Instant) -> Result<(), StoreError> {
        let mut write = self.begin().await?;
        ingest::note_spool(write.sql()?, agent, &status, now).await?;
        self.commit(write).await
    }

    async fn note_coverage(
        &self,
        agent: AgentId,
        told: ToldCoverage,
        now: Instant,
    ) -> Result<(), StoreError> {
        let states = coverage::compress(&told)?;
        let mut write = self.begin().await?;
        coverage::note(write.sql()?, agent, &told, &states, now).await?;
        self.commit(write).await
    }

    async fn note_engines(&self, agent: AgentId, told: ToldEngines, now: Instant) -> Result<(), StoreError> {
        let mut write = self.begin().await?;
        engines::note(write.sql()?, agent, &told, now).await?;
        self.commit(write).await
    }

    async fn known_engines(&self, agent: AgentId) -> Result<KnownEngines, StoreError> {
        engines::known(&self.readers, agent).await
    }

    async fn adopt_version(&self, version: &StageVersion, now: Instant) -> Result<bool, StoreError> {
        let mut write = self.begin().await?;
        let changed = conclude::adopt_version(write.sql()?, version, now).await?;
        if changed {
            self.commit(write).await?;
        } else {
            // Nothing was written, so nobody is woken: least of all the caller.
            self.release(write).await?;
        }
        Ok(changed)
    }

    async fn undone(&self, stage: Stage, limit: u32) -> Result<Vec<Undone>, StoreError> {
        conclude::undone(&self.readers, stage, limit).await
    }

    async fn evidence(&self, digest: Digest) -> Result<Option<EvidenceRecord>, StoreError> {
        conclude::evidence(&self.readers, digest).await
    }

    async fn evidences(
        &self,
        digests: &[Digest],
        most: usize,
    ) -> Result<Vec<(Digest, EvidenceRecord)>, StoreError> {
        conclude::evidences(&self.readers, digests, most).await
    }

    async fn save_identified(&self, done: Vec<IdentifiedEvidence>, now: Instant) -> Result<(), StoreError> {
        let mut write = self.begin().await?;
        conclude::save_identified(write.sql()?, &done, now).await?;
        self.commit(write).await
    }

    async fn subject(&self, element: ElementId) -> Result<Option<Subject>, StoreError> {
        judge::subject(&self.readers, element).await
    }

    async fn save_judged(&self, done: Vec<JudgedElement>, now: Instant) -> Result<(), StoreError> {
        let mut write = self.begin().await?;
        judge::save_judged(write.sql()?, &done, now).await?;
        self.commit(write).await
    }

    async fn overview_of(&self, sites: Option<&BTreeSet<SiteName>>) -> Result<Overview, StoreError> {
        overview::overview(&self.readers, sites).await
    }

    async fn sites_of(&self, digest: Digest) -> Result<BTreeSet<SiteName>, StoreError> {
        conclude::sites_of(&self.readers, digest).await
    }

    async fn findings(&self, filter: &FindingFilter) -> Result<Page<FindingRow>, StoreError> {
        findings::list(&self.readers, &self.reckoned, filter).await
    }

    async fn finding_keys(&self, filter: &FindingFilter) -> Result<Vec<FindingId>, StoreError> {
        findings::keys(&self.readers, filter).await
    }

    async fn findings_of(
        &self,
        keys: &[FindingId],
        then: Option<Instant>,
    ) -> Result<Vec<FindingRow>, StoreError> {
        let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
        findings::rows(&self.readers, &keys, then).await
    }

    async fn finding(&self, finding: FindingId) -> Result<Option<FindingView>, StoreError> {
        findings::one(&self.readers, finding).await
    }

    async fn elements(&self, filter: &ElementFilter) -> Result<Page<ElementRow>, StoreError> {
        elements::list(&self.readers, &self.reckoned, filter).await
    }

    async fn count_elements(&self, filter: &ElementFilter) -> Result<u64, StoreError> {
        elements::count(&self.readers, filter).await
    }

    async fn element_keys(&self, filter: &ElementFilter) -> Result<Vec<ElementId>, StoreError> {
        elements::keys(&self.readers, filter).await
    }

    async fn elements_of(
        &self,
        keys: &[ElementId],
        then: Option<Instant>,
    ) -> Result<Vec<ElementRow>, StoreError> {
        let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
        elements::rows(&self.readers, &keys, then).await
    }

    async fn stood(&self, then: Instant) -> Result<Stood, StoreError> {
        stood::grounds(&self.readers, then).await
    }

    async fn element(&self, element: ElementId) -> Result<Option<ElementView>, StoreError> {
        elements::one(&self.readers, element).await
    }

    async fn coverage(&self, sites: &Sites) -> Result<CoverageView, StoreError> {
        coverage::view(&self.readers, sites).await
    }

    async fn engines(&self, filter: &EngineFilter) -> Result<EnginesPage, StoreError> {
        engines::page(&self.readers, filter).await
    }

    fn takes_writes(&self) -> bool {
        self.writable.load(Ordering::Relaxed)
    }

    fn revision(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }
}

#[cfg(test)]
mod indexes;
#[cfg(test)]
mod old;
#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::ReportBody;

    #[tokio::test]
    async fn a_full_disk_costs_time_and_not_the_writer() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("collector.db"))
            .await
            .unwrap();
        let hello = AgentHello {
            agent: AgentId::generate(),
            site: "berlin".parse().unwrap(),
            epoch: "e".into(),
            next_sequence: 1,
            first_sequence: 1,
            version: String::new(),
            clock: Instant(1),
        };
        store.greet(&hello, Instant(1)).await.unwrap();
        let pages: i64 = sqlx::query_scalar("PRAGMA page_count")
            .fetch_one(&store.writer)
            .await
            .unwrap();
        // The connection, not the file, is told that there is no more room.
        let limit = sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"));
        sqlx::query(limit).execute(&store.writer).await.unwrap();
        let reports = |first| {
            (first..first + 400)
                .map(|sequence| IncomingReport {
                    sequence,
                    body: ReportBody::Refused {
                        reason: "x".repeat(500),
                    },
                })
                .collect()
        };
        let full = store
            .commit_reports(hello.agent, "e", reports(1), Instant(2))
            .await;
        assert!(matches!(full, Err(StoreError::Full(_))), "{full:?}");
        assert!(!store.takes_writes());
        // A fresh connection has no such limit: there is room again.
        let verdicts = store
            .commit_reports(hello.agent, "e", reports(1), Instant(3))
            .await
            .unwrap();
        assert_eq!(verdicts.len(), 400);
        assert!(store.takes_writes());
        assert_eq!(store.overview().await.unwrap().reports, 400);
    }
}
