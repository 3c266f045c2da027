//! Looks for elements in the ranges of a plan; who answers becomes a target.
//!
//! ```text
//! follower ─(watch: sweep)─► discovery ─► probes, at most 64 at once
//!                              │   └─► disk ─(watch: found)─► follower
//! ```
//!
//! Invariants: each address is asked once a sweep, evenly over it, and never
//! faster than the agent's cap; listed targets are left alone; a community goes
//! only to addresses of its own range; what was found is kept over restarts.

mod sweep;
mod found;
mod probe;

pub use sweep::{Area, Sweep};

use crate::collector_plan::kept;
use crate::config::Assignment;
use crate::poll::socket::Sockets;
use crate::target::Target;
use found::{Found, News};
use probe::{Answer, Prober};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// Probes under way at most; more wait.
const IN_FLIGHT: usize = 64;
/// News wait so long for others before they are written and told.
const GATHER: Duration = Duration::from_secs(1);

/// Sweeps the ranges of the plan that is followed.
pub struct Discovery {
    prober: Arc<Prober>,
    sweep: watch::Receiver<Arc<Sweep>>,
    path: PathBuf,
    found: Found,
    told: watch::Sender<Vec<Assignment>>,
    /// The same moment on both clocks: slots are those of the wall clock at start.
    origin: (SystemTime, Instant),
}

/// A probe that ended.
struct Probed {
    target: Target,
    sweep: u64,
    answer: Answer,
}

impl Discovery {
    /// Begins with what was found before, as far as it lies in the ranges; probes share the pace
    /// of `sockets` and wait `patience` for an answer.
    ///
    /// # Errors
    /// When the system gives no socket.
    pub fn load(
        sweep: watch::Receiver<Arc<Sweep>>,
        path: PathBuf,
        sockets: &Sockets,
        patience: Duration,
    ) -> io::Result<Self> {
        let prober = Prober::new(Sockets::at_pace(IN_FLIGHT, sockets.pace())?, patience);
        let found = match kept::load(&path) {
            Ok(content) => Found::from_bytes(&content.unwrap_or_default()),
            Err(error) => {
                tracing::error!(discovery.path = %path.display(), error = crate::uplink::chain(&error), "found addresses cannot be read, they are looked for anew");
                Found::default()
            }
        };
        let mut discovery = Self {
            prober: Arc::new(prober),
            sweep,
            path,
            found,
            told: watch::Sender::new(Vec::new()),
            origin: (SystemTime::now(), Instant::now()),
        };
        discovery.begin();
        Ok(discovery)
    }

    /// Who was found, with the credential of its range.
    #[must_use]
    pub fn found(&self) -> watch::Receiver<Vec<Assignment>> {
        self.told.subscribe()
    }

    /// Sweeps until cancelled.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut probes = JoinSet::new();
        let mut next = self.begin();
        let mut write = None;
        loop {
            let sweep = Arc::clone(&self.sweep.borrow());
            let due = self.at(sweep.due(next));
            let may_start = sweep.slots() > 0 && probes.len() < IN_FLIGHT;
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Ok(()) = self.sweep.changed() => {
                    next = self.begin();
                    write.get_or_insert(Instant::now());
                }
                Some(ended) = probes.join_next() => {
                    if self.ended(ended) {
                        write.get_or_insert(Instant::now() + GATHER);
                    }
                }
                () = sleep_until(write.unwrap_or(due)), if write.is_some() => {
                    write = None;
                    self.tell().await;
                }
                () = sleep_until(due), if may_start => {
                    if let Some((target, area)) = sweep.at(next) {
                        let (prober, number) = (Arc::clone(&self.prober), sweep.number(next));
                        probes.spawn(async move {
                            let answer = prober.probe(target, &area.credential).await;
                            Probed { target, sweep: number, answer }
                        });
                    }
                    // Whoever is more than a sweep behind has nothing to catch up with.
                    next = sweep.following(next, self.since_1970());
                }
            }
        }
        if write.is_some() {
            self.tell().await;
        }
    }

    /// A new sweep: what lies outside goes, the rest counts as just heard of. Returns the first slot.
    fn begin(&mut self) -> u64 {
        let sweep = Arc::clone(&self.sweep.borrow_and_update());
        let first = sweep.slot(self.since_1970());
        self.found
            .begin(sweep.number(first), |target| sweep.area_of(target).is_some());
        self.told.send_replace(self.assignments(&sweep));
        first
    }

    fn assignments(&self, sweep: &Sweep) -> Vec<Assignment> {
        self.found
            .targets()
            .filter_map(|target| {
                let area = sweep.area_of(target)?;
                Some(Assignment {
                    target,
                    credential: Arc::clone(&area.credential),
                    interval: None,
                })
            })
            .collect()
    }

    /// Whether there are news.
    fn ended(&mut self, ended: Result<Probed, JoinError>) -> bool {
        metrics::counter!("marque_agent_discovery_probed_total").increment(1);
        let probed = match ended {
            Ok(probed) => probed,
            Err(error) => {
                tracing::error!(%error, "a probe failed by a bug");
                return false;
            }
        };
        // The plan may have moved meanwhile.
        if self.sweep.borrow().area_of(probed.target).is_none() {
            return false;
        }
        let news = match probed.answer {
            Answer::Silent => {
                metrics::counter!("marque_agent_discovery_silent_total").increment(1);
                self.found.silent(probed.target, probed.sweep)
            }
            Answer::Engine | Answer::Object => {
                metrics::counter!("marque_agent_discovery_answered_total").increment(1);
                self.found.answered(probed.target, probed.sweep)
            }
        };
        match news {
            News::Nothing => return false,
            News::Full => {
                metrics::counter!("marque_agent_discovery_dropped_total", "reason" => "full").increment(1);
                return false;
            }
            News::Came | News::Went => {}
        }
        tracing::debug!(target.address = %probed.target, news = ?news, "discovery");
        true
    }

    /// Writes down who was found, then tells.
    async fn tell(&mut self) {
        let (path, content) = (self.path.clone(), self.found.to_bytes());
        let saved = tokio::task::spawn_blocking(move || kept::save(&path, &content)).await;
        if !matches!(saved, Ok(Ok(()))) {
            tracing::error!(discovery.path = %self.path.display(), "found addresses cannot be kept");
        }
        let sweep = Arc::clone(&self.sweep.borrow());
        let all = self.assignments(&sweep);
        metrics::gauge!("marque_agent_discovery_found").set(all.len() as f64);
        self.told.send_replace(all);
    }

    fn since_1970(&self) -> Duration {
        let (wall, clock) = self.origin;
        wall.duration_since(UNIX_EPOCH).unwrap_or_default() + clock.elapsed()
    }

    /// On our clock, a time since 1970.
    fn at(&self, since_1970: Duration) -> Instant {
        let (wall, clock) = self.origin;
        let start = wall.duration_since(UNIX_EPOCH).unwrap_or_default();
        clock + since_1970.saturating_sub(start)
    }
}
