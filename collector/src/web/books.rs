//! What the pages of the compliance officer count, read once for all who look.
//!
//! Invariants: none is older than [`FRESH`] once something was committed, unless it is being read anew; a reading
//! holds all sites, and every page adds up those that whoever looks may see.

use super::Web;
use super::shelf::{Kept, Shelf};
use crate::api::Problem;
use crate::population::end_of;
use model::Instant;
use std::sync::Arc;
use std::time::Duration;
use store::ledger::{Dates, Ledger, Moved};
use time::Date;
use tokio::sync::Mutex as Turn;

/// A reading so young is taken as it is: counting takes as long as the network is large.
pub const FRESH: Duration = Duration::from_secs(15);
/// The days whose changes are counted, the longer first.
pub const DAYS: [i64; 2] = [30, 7];
const DAY_MICROS: i64 = 86_400_000_000;

/// The last readings, shared by all handlers.
#[derive(Clone, Default)]
pub struct Books {
    ledger: Shelf<(), Ledger>,
    dates: Shelf<Option<Date>, Dates>,
    /// Days that passed are read one after the other, whoever asks for how many: each reads the whole life of findings.
    past: Arc<Turn<()>>,
    moved: Shelf<(), Vec<Moved>>,
}

impl Books {
    /// Elements and findings.
    ///
    /// # Errors
    /// [`Problem::Store`] when the store does not answer.
    pub async fn ledger(&self, web: &Web) -> Result<Arc<Kept<Ledger>>, Problem> {
        let read = async { Ok(web.ledgers.ledger().await?) };
        self.ledger.get(web, (), FRESH, read).await
    }

    /// Findings with a date, and waivers; of a day that passed, as they were recorded by its end.
    ///
    /// # Errors
    /// [`Problem::Store`] when the store does not answer.
    pub async fn dates(&self, web: &Web, day: Option<Date>) -> Result<Arc<Kept<Dates>>, Problem> {
        let read = async {
            let _turn = match day {
                Some(_) => Some(self.past.lock().await),
                None => None,
            };
            Ok(web.ledgers.dates(day.map(end_of)).await?)
        };
        self.dates.get(web, day, FRESH, read).await
    }

    /// What changed in the last [`DAYS`].
    ///
    /// # Errors
    /// [`Problem::Store`] when the store does not answer.
    pub async fn moved(&self, web: &Web) -> Result<Arc<Kept<Vec<Moved>>>, Problem> {
        let now = (web.clock)();
        let since = DAYS.map(|days| Instant(now.0.saturating_sub(days * DAY_MICROS)));
        let read = async { Ok(web.ledgers.moved(since).await?) };
        self.moved.get(web, (), FRESH, read).await
    }
}
