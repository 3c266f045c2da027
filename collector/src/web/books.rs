//! What the pages of the compliance officer count, read once for all who look.
//!
//! Invariants: one reading of a kind at a time, however many ask; none is older than
//! [`STALE`], nor than [`FRESH`] once something was committed; a reading holds all
//! sites, and every page adds up those that whoever looks may see.

use super::Web;
use super::glance::STALE;
use crate::api::Problem;
use model::Instant;
use std::sync::Arc;
use std::time::Duration;
use store::StoreError;
use store::ledger::{Dates, Ledger, Moved};
use tokio::sync::{Semaphore, watch};

/// A reading so young is taken as it is: counting takes as long as the network is large.
pub const FRESH: Duration = Duration::from_secs(15);
/// The days whose changes are counted, the longer first.
pub const DAYS: [i64; 2] = [30, 7];
const DAY_MICROS: i64 = 86_400_000_000;

/// The last readings, shared by all handlers.
#[derive(Clone, Default)]
pub struct Books {
    ledger: Arc<Shelf<Ledger>>,
    dates: Arc<Shelf<Dates>>,
    moved: Arc<Shelf<Vec<Moved>>>,
}

/// One reading.
pub struct Kept<T> {
    /// What was read.
    pub told: T,
    /// When.
    pub at: Instant,
    /// Revision of the store before it was read.
    pub revision: u64,
    read: std::time::Instant,
}

struct Shelf<T> {
    kept: watch::Sender<Option<Arc<Kept<T>>>>,
    turn: Semaphore,
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self {
            kept: watch::Sender::new(None),
            turn: Semaphore::new(1),
        }
    }
}

impl<T> Shelf<T> {
    fn last(&self, revision: u64) -> Option<Arc<Kept<T>>> {
        let last = self.kept.borrow().clone();
        last.filter(|kept| {
            let age = kept.read.elapsed();
            age < FRESH || (kept.revision == revision && age < STALE)
        })
    }

    async fn get(
        &self,
        web: &Web,
        read: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<Arc<Kept<T>>, Problem> {
        let revision = *web.store.revision().borrow();
        if let Some(kept) = self.last(revision) {
            return Ok(kept);
        }
        let _turn = self.turn.acquire().await.map_err(|_| Problem::Busy)?;
        if let Some(kept) = self.last(revision) {
            return Ok(kept);
        }
        let (at, began) = ((web.clock)(), std::time::Instant::now());
        let kept = Arc::new(Kept {
            told: read.await?,
            at,
            revision,
            read: began,
        });
        self.kept.send_replace(Some(Arc::clone(&kept)));
        Ok(kept)
    }
}

impl Books {
    /// Elements and findings.
    ///
    /// # Errors
    /// [`Problem::Store`] when the store does not answer.
    pub async fn ledger(&self, web: &Web) -> Result<Arc<Kept<Ledger>>, Problem> {
        self.ledger.get(web, web.ledgers.ledger()).await
    }

    /// Findings with a date, and waivers.
    ///
    /// # Errors
    /// [`Problem::Store`] when the store does not answer.
    pub async fn dates(&self, web: &Web) -> Result<Arc<Kept<Dates>>, Problem> {
        self.dates.get(web, web.ledgers.dates()).await
    }

    /// What changed in the last [`DAYS`].
    ///
    /// # Errors
    /// [`Problem::Store`] when the store does not answer.
    pub async fn moved(&self, web: &Web) -> Result<Arc<Kept<Vec<Moved>>>, Problem> {
        let now = (web.clock)();
        let since = DAYS.map(|days| Instant(now.0.saturating_sub(days * DAY_MICROS)));
        self.moved.get(web, web.ledgers.moved(since)).await
    }
}
