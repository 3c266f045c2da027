//! What was read from the store, kept for a while: one reading of a thing at a time, however many ask for it.
//!
//! Invariants: nothing is older than [`STALE`] when it is told; whoever comes while a thing is read anew is told what
//! was read last, or waits for the reading and takes it, and never reads beside it; what takes long is read seldom; a
//! reading carries the moment and the revision of the store it began at, so that pages can say how old it is and are
//! fetched again.

use super::Web;
use crate::api::Problem;
use model::Instant;
use std::collections::HashMap;
use std::hash::Hash;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Mutex as Turn, watch};

/// Nothing older is told, even if nothing was committed since, or while somebody reads it anew: days pass.
pub const STALE: Duration = Duration::from_secs(60);
/// A reading that takes longer than this is followed by a rest of so many times as long, so that a large network whose
/// every second brings something new is not counted without end.
const LONG: Duration = Duration::from_millis(250);
const REST: u32 = 4;
/// Things kept at once on one shelf.
const MOST: usize = 1_024;

/// One reading.
#[derive(Debug)]
pub struct Kept<T> {
    /// What was read.
    pub told: T,
    /// When the reading began.
    pub at: Instant,
    /// Revision of the store before it.
    pub revision: u64,
    read: std::time::Instant,
    took: Duration,
}

impl<T> Kept<T> {
    /// How long it does even if something was committed since.
    fn does(&self, within: Duration) -> Duration {
        match self.took {
            took if took > LONG => within.max(took.saturating_mul(REST + 1)),
            _ => within,
        }
    }
}

impl<T> Deref for Kept<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.told
    }
}

/// Readings by what they are of, shared by all handlers.
pub struct Shelf<K, T>(Arc<Mutex<HashMap<K, Arc<Place<T>>>>>);

/// Where one thing is kept.
struct Place<T> {
    kept: watch::Sender<Option<Arc<Kept<T>>>>,
    turn: Turn<()>,
}

impl<K, T> Clone for Shelf<K, T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K, T> Default for Shelf<K, T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T> Place<T> {
    fn new() -> Self {
        Self {
            kept: watch::Sender::new(None),
            turn: Turn::new(()),
        }
    }

    /// The last reading, if it is not stale and this holds for it and its age.
    fn last(&self, fits: impl Fn(&Kept<T>, Duration) -> bool) -> Option<Arc<Kept<T>>> {
        let last = self.kept.borrow().clone();
        last.filter(|kept| {
            let age = kept.read.elapsed();
            age < STALE && fits(kept, age)
        })
    }
}

impl<K: Eq + Hash, T> Shelf<K, T> {
    /// What is kept of a thing, if it is younger than `within` or nothing was committed since; else what `read` reads.
    ///
    /// # Errors
    /// What `read` says: then nothing is kept.
    pub async fn get(
        &self,
        web: &Web,
        key: K,
        within: Duration,
        read: impl Future<Output = Result<T, Problem>>,
    ) -> Result<Arc<Kept<T>>, Problem> {
        let place = self.place(key);
        let revision = *web.store.revision().borrow();
        let fits = |kept: &Kept<T>, age| age < kept.does(within) || kept.revision >= revision;
        if let Some(kept) = place.last(fits) {
            return Ok(kept);
        }
        let _turn = match place.turn.try_lock() {
            Ok(turn) => turn,
            Err(_) => match place.last(|_, _| true) {
                Some(kept) => return Ok(kept),
                None => place.turn.lock().await,
            },
        };
        // Somebody may have read it while we came here.
        if let Some(kept) = place.last(fits) {
            return Ok(kept);
        }
        let revision = *web.store.revision().borrow();
        let (at, began) = ((web.clock)(), std::time::Instant::now());
        let kept = Arc::new(Kept {
            told: read.await?,
            at,
            revision,
            read: began,
            took: began.elapsed(),
        });
        place.kept.send_replace(Some(Arc::clone(&kept)));
        Ok(kept)
    }

    fn place(&self, key: K) -> Arc<Place<T>> {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if places.len() >= MOST && !places.contains_key(&key) {
            places.retain(|_, place| Arc::strong_count(place) > 1 || place.last(|_, _| true).is_some());
            if places.len() >= MOST {
                // What is being read stays, so that nobody reads beside it.
                places.retain(|_, place| Arc::strong_count(place) > 1);
            }
        }
        Arc::clone(places.entry(key).or_insert_with(|| Arc::new(Place::new())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_long_is_read_seldom() {
        let after = |took| Kept {
            told: (),
            at: Instant(0),
            revision: 0,
            read: std::time::Instant::now(),
            took: Duration::from_millis(took),
        };
        let (within, ms) = (Duration::from_secs(1), Duration::from_millis);
        assert_eq!(after(20).does(within), within, "soon read again");
        assert_eq!(after(251).does(within), ms(1_255));
        assert_eq!(after(4_000).does(within), ms(20_000));
        assert_eq!(
            after(260).does(ms(9_000)),
            ms(9_000),
            "what whoever asks puts up with"
        );
    }
}
