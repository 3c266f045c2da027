//! One stream an agent: a newer one ends the older.
//!
//! An agent that comes again has given its last stream up, though nobody may have told us: a half-open
//! connection lives on until its keepalive. Invariant: of one agent only the newest stream commits for long, so that
//! no number of streams buys an agent more than one share of the store.

use model::AgentId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio_util::sync::CancellationToken;

/// The newest stream of each agent; clones share one list.
#[derive(Debug, Clone, Default)]
pub(super) struct Streams(Arc<Mutex<HashMap<AgentId, CancellationToken>>>);

/// An open stream; off the list when it is dropped.
#[derive(Debug)]
pub(super) struct Open {
    list: Streams,
    agent: AgentId,
    overtaken: CancellationToken,
}

impl Streams {
    /// The stream that is the newest of its agent from now on.
    pub(super) fn open(&self, agent: AgentId) -> Open {
        let overtaken = CancellationToken::new();
        let mut list = self.lock();
        if let Some(older) = list.insert(agent, overtaken.clone()) {
            older.cancel();
            drop(list);
            metrics::counter!("marque_collector_streams_overtaken_total").increment(1);
            tracing::warn!(agent.id = %agent, "another stream of this agent began, the older one ends");
        }
        Open {
            list: self.clone(),
            agent,
            overtaken,
        }
    }

    /// Nothing is left half done under this lock.
    fn lock(&self) -> MutexGuard<'_, HashMap<AgentId, CancellationToken>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// Returns when a newer stream of the agent began.
    pub(super) async fn overtaken(&self) {
        self.overtaken.cancelled().await;
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        // A newer one cancels under the lock and has the place then.
        let mut list = self.list.lock();
        if !self.overtaken.is_cancelled() {
            list.remove(&self.agent);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    #[test]
    fn the_newest_stays_and_leaves_no_trace() {
        let streams = Streams::default();
        let (one, other) = (AgentId::generate(), AgentId::generate());
        let first = streams.open(one);
        let elsewhere = streams.open(other);
        assert!(first.overtaken().now_or_never().is_none());
        let second = streams.open(one);
        assert!(first.overtaken().now_or_never().is_some());
        assert!(second.overtaken().now_or_never().is_none());
        assert!(elsewhere.overtaken().now_or_never().is_none());
        // The older one leaves after it was overtaken: the newer keeps its place.
        drop(first);
        let third = streams.open(one);
        assert!(second.overtaken().now_or_never().is_some());
        drop((second, third, elsewhere));
        assert!(streams.lock().is_empty());
    }
}
