//! What addresses told of their engines, in one session: what the collector does not have.
//!
//! Invariants: the welcome says where to go on, so that nothing is told twice and nothing is left
//! out, whatever became of earlier sessions; each message is bounded.

use proto::plan::MAX_ENGINES_TOLD;
use proto::v1;
use std::sync::Arc;
use tokio::sync::watch;

/// Where one session is.
pub(super) struct Telling {
    engines: Option<watch::Receiver<Arc<v1::Engines>>>,
    /// What the collector has once it took what was sent.
    known: v1::KnownEngines,
    /// Being told.
    all: Arc<v1::Engines>,
}

impl Telling {
    /// A session that begins where the collector is.
    pub(super) fn new(engines: Option<watch::Receiver<Arc<v1::Engines>>>, known: v1::KnownEngines) -> Self {
        let mut engines = engines;
        if let Some(engines) = &mut engines {
            engines.mark_changed();
        }
        Self {
            engines,
            known,
            all: Arc::default(),
        }
    }

    /// Waits until there may be something to tell. Safe to cancel.
    pub(super) async fn moved(&mut self) {
        let Some(engines) = &mut self.engines else {
            return std::future::pending().await;
        };
        if engines.changed().await.is_err() {
            return std::future::pending().await;
        }
        self.all = Arc::clone(&engines.borrow_and_update());
        let newest = self.all.engines.last().map_or(0, |row| row.revision);
        // Of this generation the collector knows more than we do: our own memory is an old one.
        if self.known.generation == self.all.generation && self.known.revision > newest {
            self.known.revision = 0;
        }
    }

    /// Whether there is something.
    pub(super) fn ready(&self) -> bool {
        // Not heard yet what there is: an agent without ranges never hears.
        if self.all.generation == 0 {
            return false;
        }
        let is_new = self.known.generation != self.all.generation;
        // Whoever knows nothing need not be told that there is nothing.
        is_new && (self.known.generation != 0 || !self.all.engines.is_empty()) || !is_new && self.rest() > 0
    }

    /// How many the collector lacks.
    fn rest(&self) -> usize {
        self.all.engines.len() - self.first()
    }

    /// The place of the first that the collector lacks.
    fn first(&self) -> usize {
        match self.known.generation == self.all.generation {
            true => self
                .all
                .engines
                .partition_point(|row| row.revision <= self.known.revision),
            false => 0,
        }
    }

    /// The next of them, to be sent now.
    pub(super) fn take(&mut self) -> v1::Engines {
        let first = self.first();
        let engines: Vec<v1::ToldEngine> = self
            .all
            .engines
            .iter()
            .skip(first)
            .take(MAX_ENGINES_TOLD)
            .cloned()
            .collect();
        self.known = v1::KnownEngines {
            generation: self.all.generation,
            revision: engines.last().map_or(0, |row| row.revision),
        };
        v1::Engines {
            generation: self.all.generation,
            engines,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn engines(generation: u64, revisions: std::ops::RangeInclusive<u64>) -> Arc<v1::Engines> {
        let row = |revision| v1::ToldEngine {
            revision,
            ..v1::ToldEngine::default()
        };
        Arc::new(v1::Engines {
            generation,
            engines: revisions.map(row).collect(),
        })
    }

    /// First and last revision of each message, and their generation.
    async fn told(telling: &mut Telling) -> Vec<(u64, u64, u64)> {
        let _ = tokio::time::timeout(Duration::ZERO, telling.moved()).await;
        let mut all = Vec::new();
        while telling.ready() {
            let message = telling.take();
            assert!(message.engines.len() <= MAX_ENGINES_TOLD);
            let revision = |row: Option<&v1::ToldEngine>| row.map_or(0, |row| row.revision);
            let (first, last) = (message.engines.first(), message.engines.last());
            all.push((message.generation, revision(first), revision(last)));
        }
        all
    }

    #[tokio::test]
    async fn each_session_goes_on_where_the_collector_is() {
        let (tell, heard) = watch::channel(Arc::new(v1::Engines::default()));
        let begin = |generation, revision| {
            let known = v1::KnownEngines { generation, revision };
            Telling::new(Some(heard.clone()), known)
        };
        assert_eq!(told(&mut begin(0, 0)).await, [], "nothing is no news");
        assert!(!begin(7, 5).ready(), "before it was heard what there is");
        let known = v1::KnownEngines {
            generation: 7,
            revision: 5,
        };
        assert_eq!(
            told(&mut Telling::new(None, known)).await,
            [],
            "nobody looks any more"
        );
        tell.send_replace(engines(7, 1..=2_500));
        let mut session = begin(0, 0);
        let all = [(7, 1, 1_024), (7, 1_025, 2_048), (7, 2_049, 2_500)];
        assert_eq!(told(&mut session).await, all);
        assert_eq!(told(&mut session).await, []);
        tell.send_replace(engines(7, 3..=2_502));
        assert_eq!(told(&mut session).await, [(7, 2_501, 2_502)], "what changed");
        assert_eq!(told(&mut begin(7, 2_502)).await, [], "and in no session again");
        assert_eq!(told(&mut begin(7, 2_500)).await, [(7, 2_501, 2_502)]);
        // Another generation, or an agent that forgot: all of it.
        assert_eq!(told(&mut begin(6, 2_502)).await.len(), 3);
        assert_eq!(told(&mut begin(7, 9_999)).await.len(), 3);
        tell.send_replace(Arc::new(v1::Engines {
            generation: 8,
            engines: Vec::new(),
        }));
        assert_eq!(
            told(&mut session).await,
            [(8, 0, 0)],
            "that there are none any more"
        );
        assert_eq!(told(&mut session).await, []);
        assert_eq!(
            told(&mut Telling::new(None, v1::KnownEngines::default())).await,
            []
        );
    }
}
