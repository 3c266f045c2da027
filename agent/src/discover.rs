//! Looks for elements in the ranges of a plan; who answers becomes a target, and
//! what became of every address is told.
//!
//! ```text
//! follower ─(watch: sweep)─► discovery ─► prober: questions, at most 256 at once
//!                              │ ├─► disk ─(watch: found)────► follower
//!                              │ └─► disk ─(watch: coverage)─► uplink
//! ```
//!
//! Invariants: each address is asked once a sweep, evenly over it, and never
//! faster than the agent's cap; listed targets, and ranges in their windows, are
//! left alone; a community goes only to addresses of its own range; what was found
//! is kept over restarts; every address in scope has a state.

mod sweep;
mod found;
mod coverage;
mod probe;
mod volley;
mod prober;

pub use prober::{Ended, Errand, Prober};
pub use sweep::{Area, Place, Sweep};

use crate::collector_plan::kept;
use crate::config::Assignment;
use crate::poll::pace::Pace;
use crate::target::Target;
use crate::uplink::{chain, micros};
use crate::window;
use coverage::{Coverage, Deferred};
use found::{Found, News};
use prost::Message as _;
use proto::v1;
use proto::v1::CoverageState as State;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// Addresses under way at most; more wait.
const IN_FLIGHT: usize = 256;
/// News wait so long for others before they are written and told.
const GATHER: Duration = Duration::from_secs(1);
/// Between two tellings of the coverage, unless a sweep ended.
const TELL: Duration = Duration::from_secs(60);

/// Sweeps the ranges of the plan that is followed.
pub struct Discovery {
    prober: Prober,
    patience: Duration,
    sweep: watch::Receiver<Arc<Sweep>>,
    path: PathBuf,
    found: Found,
    told: watch::Sender<Vec<Assignment>>,
    coverage: Coverage,
    covers: watch::Sender<Option<Arc<v1::Coverage>>>,
    deferred: Deferred,
    /// The first slot since the ranges are these, and the sweep under way.
    began: u64,
    number: u64,
    /// The same moment on both clocks: slots are those of the wall clock at start.
    origin: (SystemTime, Instant),
}

impl Discovery {
    /// Begins with what was found before, as far as it lies in the ranges; probes keep the pace
    /// and wait `patience` for an answer.
    ///
    /// # Errors
    /// When the system gives no socket.
    pub fn load(
        sweep: watch::Receiver<Arc<Sweep>>,
        path: PathBuf,
        pace: Arc<Pace>,
        patience: Duration,
    ) -> io::Result<Self> {
        let mut discovery = Self {
            prober: Prober::open(pace, patience)?,
            patience,
            sweep,
            found: Found::from_bytes(&kept_or_nothing(&path)),
            coverage: Coverage::from_bytes(&kept_or_nothing(&coverage_path(&path))),
            path,
            told: watch::Sender::new(Vec::new()),
            covers: watch::Sender::new(None),
            deferred: Deferred::default(),
            began: 0,
            number: 0,
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

    /// What became of every address, as it is to be told.
    #[must_use]
    pub fn covers(&self) -> watch::Receiver<Option<Arc<v1::Coverage>>> {
        self.covers.subscribe()
    }

    /// Sweeps until cancelled.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut next = self.begin();
        let mut write = None;
        let mut tell = Instant::now();
        loop {
            let sweep = Arc::clone(&self.sweep.borrow());
            let due = self.at(sweep.due(next));
            let may_start = sweep.slots() > 0 && self.prober.under_way() < IN_FLIGHT;
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Ok(()) = self.sweep.changed() => {
                    next = self.begin();
                    tell = Instant::now();
                    write.get_or_insert(Instant::now());
                }
                ended = self.prober.next(), if self.prober.under_way() > 0 => {
                    if self.ended(&ended) {
                        write.get_or_insert(Instant::now() + GATHER);
                    }
                }
                () = sleep_until(write.unwrap_or(due)), if write.is_some() => {
                    write = None;
                    self.tell_found().await;
                }
                () = sleep_until(tell), if self.coverage.changed() => {
                    tell = Instant::now() + TELL;
                    self.tell_coverage().await;
                }
                () = sleep_until(due), if may_start => {
                    self.take_slot(&sweep, next);
                    // Whoever is more than a sweep behind has nothing to catch up with.
                    next = sweep.following(next, self.since_1970());
                    if sweep.number(next) != self.number {
                        self.number = sweep.number(next);
                        if next - self.began >= sweep.slots() {
                            self.coverage.swept(micros(UNIX_EPOCH + self.since_1970()));
                        }
                        // The last ones asked have their time to answer.
                        tell = tell.min(Instant::now() + self.patience * 2);
                    }
                }
            }
        }
        if write.is_some() {
            self.tell_found().await;
        }
        if self.coverage.changed() {
            self.tell_coverage().await;
        }
    }

    /// A new sweep: what lies outside goes, the rest counts as just heard of. Returns the first slot.
    fn begin(&mut self) -> u64 {
        let sweep = Arc::clone(&self.sweep.borrow_and_update());
        self.began = sweep.slot(self.since_1970());
        self.number = sweep.number(self.began);
        self.found
            .begin(self.number, |target| sweep.place_of(target).is_some());
        self.coverage.begin(&sweep);
        self.deferred.clear();
        self.told.send_replace(self.assignments(&sweep));
        self.began
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
                    windows: Arc::clone(&area.windows),
                })
            })
            .collect()
    }

    /// Asks whose turn it is, and beside it one that waited for its window to end.
    fn take_slot(&mut self, sweep: &Sweep, slot: u64) {
        let now = self.since_1970();
        let is_open = |area: &Area| window::wait(&area.windows, now).is_none();
        if let Some((target, area)) = sweep.at(slot) {
            if is_open(area) {
                self.ask(sweep, target, area);
            } else {
                if let Some(place) = sweep.place_of(target) {
                    self.coverage.waits(place);
                }
                self.deferred.push(target);
            }
        }
        let waited = self
            .deferred
            .pop(|target| sweep.area_of(target).is_some_and(is_open));
        if let Some((target, area)) = waited.and_then(|target| Some((target, sweep.area_of(target)?))) {
            self.ask(sweep, target, area);
        }
    }

    fn ask(&mut self, sweep: &Sweep, target: Target, area: &Area) {
        let known = sweep.place_of(target).map(|place| self.coverage.state(place));
        self.prober.ask(Errand {
            target,
            credential: Some(Arc::clone(&area.credential)),
            // Whoever took the community without telling an engine has seen it already.
            ask_silent: area.ask_silent || known == Some(State::Object),
            taken: known == Some(State::Engine),
        });
    }

    /// Whether there are news.
    fn ended(&mut self, ended: &Ended) -> bool {
        metrics::counter!("marque_agent_discovery_probed_total").increment(1);
        let target = ended.target;
        // The plan may have moved meanwhile.
        let Some(place) = self.sweep.borrow().place_of(target) else {
            return false;
        };
        self.coverage.set(place, ended.state);
        let (name, news) = match ended.state {
            State::Engine | State::Object => (
                "marque_agent_discovery_answered_total",
                self.found.answered(target, self.number),
            ),
            // Polled all the same: its engine is evidence, and a credential may be mended.
            State::NoCredential => (
                "marque_agent_discovery_no_credential_total",
                self.found.answered(target, self.number),
            ),
            State::Refused => (
                "marque_agent_discovery_refused_total",
                self.found.silent(target, self.number),
            ),
            _ => (
                "marque_agent_discovery_silent_total",
                self.found.silent(target, self.number),
            ),
        };
        metrics::counter!(name).increment(1);
        match news {
            News::Nothing => return false,
            News::Full => {
                metrics::counter!("marque_agent_discovery_dropped_total", "reason" => "full").increment(1);
                return false;
            }
            News::Came | News::Went => {}
        }
        tracing::debug!(target.address = %target, news = ?news, "discovery");
        true
    }

    /// Writes down who was found, then tells.
    async fn tell_found(&mut self) {
        save(self.path.clone(), self.found.to_bytes()).await;
        let sweep = Arc::clone(&self.sweep.borrow());
        let all = self.assignments(&sweep);
        metrics::gauge!("marque_agent_discovery_found").set(all.len() as f64);
        self.told.send_replace(all);
    }

    /// Writes down what became of every address, then tells.
    async fn tell_coverage(&mut self) {
        let told = self.coverage.tell(micros(UNIX_EPOCH + self.since_1970()));
        save(coverage_path(&self.path), told.encode_to_vec()).await;
        self.covers.send_replace(Some(Arc::new(told)));
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

/// Beside the addresses that were found.
fn coverage_path(found: &Path) -> PathBuf {
    found.with_extension("coverage")
}

fn kept_or_nothing(path: &Path) -> Vec<u8> {
    kept::load(path).map(Option::unwrap_or_default).unwrap_or_else(|error| {
        tracing::error!(discovery.path = %path.display(), error = chain(&error), "cannot be read, it is found out anew");
        Vec::new()
    })
}

async fn save(path: PathBuf, content: Vec<u8>) {
    let shown = path.display().to_string();
    let saved = tokio::task::spawn_blocking(move || kept::save(&path, &content)).await;
    if !matches!(saved, Ok(Ok(()))) {
        tracing::error!(discovery.path = shown, "what discovery found out cannot be kept");
    }
}
