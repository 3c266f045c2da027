//! The bare store: the collector's own commits, without network, agent and interpretation.

use super::figures::Round;
use super::process::usage;
use super::{BenchError, broken};
use model::{AgentId, Instant as Micros, SiteName};
use prost::bytes::Bytes;
use std::path::Path;
use std::time::Instant;
use store::past::Past;
use store::record::{AgentHello, IncomingReport, Verdict};
use store::{SqliteStore, Store, Units};

/// Reports committed in one transaction: what an agent may send beyond the last acknowledgement.
const GROUP: usize = 256;
const EPOCH: &str = "00112233445566778899aabbccddeeff";
/// Where it stands, unless somebody says otherwise.
const SITE: &str = "lab";
/// After every time the reports speak of.
const NOW: Micros = Micros(1_760_000_000_000_000);

/// A store of its own, with one agent that writes to it.
pub struct Bare {
    store: SqliteStore,
    site: SiteName,
    agent: AgentId,
    sequence: u64,
}

impl Bare {
    /// Makes the file.
    ///
    /// # Errors
    /// [`BenchError`] when it cannot be made.
    pub async fn open(folder: &Path) -> Result<Self, BenchError> {
        Self::at(&folder.join("bare.db"), SITE).await
    }

    /// Writes to this one; the collector it belongs to, if any, does not run.
    ///
    /// # Errors
    /// [`BenchError`] when it cannot be opened.
    pub async fn at(file: &Path, site: &str) -> Result<Self, BenchError> {
        let store = SqliteStore::open(file).await?;
        let agent = AgentId::generate();
        let site: SiteName = site.parse().map_err(broken)?;
        let hello = AgentHello {
            agent,
            site: site.clone(),
            epoch: EPOCH.to_owned(),
            next_sequence: 1,
            first_sequence: 1,
            version: String::new(),
            clock: NOW,
        };
        store.greet(&hello, NOW).await?;
        Ok(Self {
            store,
            site,
            agent,
            sequence: 0,
        })
    }

    /// The store itself.
    #[must_use]
    pub fn store(&self) -> &dyn Store {
        &self.store
    }

    /// The same, for what concerns units.
    #[must_use]
    pub fn units(&self) -> &dyn Units {
        &self.store
    }

    /// The same as it was on any day.
    #[must_use]
    pub fn past(&self) -> &dyn Past {
        &self.store
    }

    /// Closes the file.
    pub async fn close(self) {
        self.store.close().await;
    }

    /// Commits reports that were read beforehand.
    ///
    /// # Errors
    /// [`BenchError`] when one of them is not stored.
    pub async fn commit(&mut self, reports: &[Bytes]) -> Result<Round, BenchError> {
        let groups: Vec<Vec<IncomingReport>> = reports
            .chunks(GROUP)
            .map(|group| {
                let read = |report: &Bytes| {
                    self.sequence += 1;
                    IncomingReport {
                        sequence: self.sequence,
                        body: collector::ingest::report(report, &self.site, NOW),
                    }
                };
                group.iter().map(read).collect()
            })
            .collect();
        let (before, begun) = (usage(None)?, Instant::now());
        for group in groups {
            let verdicts = self.store.commit_reports(self.agent, EPOCH, group, NOW).await?;
            if let Some(other) = verdicts.iter().find(|verdict| **verdict != Verdict::Stored) {
                return Err(BenchError::Unexpected(format!("the bare store says {other:?}")));
            }
        }
        let took = begun.elapsed();
        let cpu = usage(None)?.cpu.saturating_sub(before.cpu);
        Ok(Round::new(reports.len() as u64, took, &[cpu]))
    }
}
