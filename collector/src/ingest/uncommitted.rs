//! What was received and is not yet on disk, and since when.
//!
//! Invariant: the age is published also while a commit hangs, which is when it matters.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// How often the age is published.
const REFRESH: Duration = Duration::from_secs(1);

/// The messages of all streams that wait for their commit; clones share one list.
#[derive(Debug, Clone, Default)]
pub struct Uncommitted(Arc<Mutex<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    next: u64,
    /// Oldest first.
    since: BTreeMap<u64, Instant>,
    /// When one was committed last.
    committed: Option<Instant>,
}

/// Waits for a commit until it is dropped.
#[derive(Debug)]
pub struct Received {
    list: Uncommitted,
    number: u64,
}

impl Uncommitted {
    /// Something came and waits from now on.
    #[must_use]
    pub fn received(&self) -> Received {
        let mut waiting = self.lock();
        let number = waiting.next;
        waiting.next += 1;
        waiting.since.insert(number, Instant::now());
        Received {
            list: self.clone(),
            number,
        }
    }

    /// How long the oldest has waited.
    #[must_use]
    pub fn oldest(&self) -> Option<Duration> {
        self.lock().since.values().next().map(Instant::elapsed)
    }

    /// Whether something waits, or did until a moment ago: between two commits of a
    /// stream nothing waits, and more will.
    #[must_use]
    pub fn is_busy(&self, moment: Duration) -> bool {
        let waiting = self.lock();
        !waiting.since.is_empty() || waiting.committed.is_some_and(|at| at.elapsed() < moment)
    }

    /// Publishes the age until `stop`.
    pub async fn publish(self, stop: CancellationToken) {
        loop {
            let age = self.oldest().unwrap_or_default();
            metrics::gauge!("marque_collector_uncommitted_oldest_seconds").set(age.as_secs_f64());
            if tokio::time::timeout(REFRESH, stop.cancelled()).await.is_ok() {
                return;
            }
        }
    }

    /// Nothing is left half done under this lock.
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        let mut waiting = self.list.lock();
        waiting.since.remove(&self.number);
        waiting.committed = Some(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_counts_until_it_is_committed() {
        let list = Uncommitted::default();
        assert_eq!(list.oldest(), None);
        let first = list.received();
        let between = Instant::now();
        let second = list.clone().received();
        let since = between.elapsed();
        assert!(list.oldest().unwrap() >= since);
        drop(first);
        assert!(list.oldest().unwrap() <= between.elapsed());
        assert!(list.is_busy(Duration::ZERO));
        drop(second);
        assert_eq!(list.oldest(), None);
        assert!(list.is_busy(Duration::from_secs(3_600)) && !list.is_busy(Duration::ZERO));
        assert!(!Uncommitted::default().is_busy(Duration::MAX));
    }
}
