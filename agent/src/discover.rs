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
//! left alone by the wall clock as it is then; a community goes only to addresses of
//! its own range; a user that is refused is left alone; what was found is kept over
//! restarts; every address in scope has a state.

mod sweep;
mod found;
mod coverage;
mod refusals;
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
use proto::v1::{CoverageState as State, CoverageUnreached as Unreached};
use refusals::Refusals;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// Addresses under way at most; more wait.
const IN_FLIGHT: usize = 256;
/// News wait at least so long for others before they are written and told.
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
    refusals: Refusals,
    /// The first pause after an address refused its user.
    refusal_pause: Duration,
    /// The first slot since the ranges are these, and the sweep under way.
    began: u64,
    number: u64,
    clock: fn() -> SystemTime,
    /// The same moment on both clocks. Slots are counted from it, so that they stay even when
    /// the wall clock is set; whether somebody is left alone is asked of the wall clock.
    origin: (Duration, Instant),
}

impl Discovery {
    /// Begins with what was found before, as far as it lies in the ranges; probes keep the pace
    /// and wait `patience` for an answer, and `refusal_pause` after the first refusal.
    ///
    /// # Errors
    /// When the system gives no socket.
    pub fn load(
        sweep: watch::Receiver<Arc<Sweep>>,
        path: PathBuf,
        pace: Arc<Pace>,
        (patience, refusal_pause): (Duration, Duration),
        clock: fn() -> SystemTime,
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
            refusals: Refusals::default(),
            refusal_pause,
            began: 0,
            number: 0,
            clock,
            origin: (since_1970(clock), Instant::now()),
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
                        write.get_or_insert(Instant::now() + gather(self.found.len()));
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
                    next = self.following(&sweep, next);
                    if sweep.number(next) != self.number {
                        self.number = sweep.number(next);
                        if next - self.began >= sweep.slots() {
                            self.coverage.swept(micros((self.clock)()));
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
        self.began = sweep.slot(self.counted());
        self.number = sweep.number(self.began);
        self.found
            .begin(self.number, |target| sweep.place_of(target).is_some());
        self.coverage.begin(&sweep);
        self.refusals
            .begin(|target| sweep.area_of(target).map(|area| &area.credential));
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
        let now = since_1970(self.clock);
        let is_open = |area: &Area| window::wait(&area.windows, now).is_none();
        if let Some((target, area)) = sweep.at(slot) {
            if is_open(area) {
                self.ask(sweep, target, area);
            } else {
                if let Some(place) = sweep.place_at(slot) {
                    self.coverage.passed(place, Unreached::Window);
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
        let place = sweep.place_of(target);
        let known = place.map(|place| self.coverage.state(place));
        if let Some(place) = place {
            self.coverage.asked(place);
        }
        let refused = self.refusals.stands(target, &area.credential, Instant::now());
        self.prober.ask(Errand {
            target,
            credential: Some(Arc::clone(&area.credential)),
            // Whoever took the community without telling an engine has seen it already.
            ask_silent: area.ask_silent || known == Some(State::Object),
            user: refused.or(known.filter(|known| *known == State::Engine)),
        });
    }

    /// The slot after this one. Whoever is more than a sweep behind has nothing to catch up with:
    /// the turns between pass, and say so.
    fn following(&mut self, sweep: &Sweep, slot: u64) -> u64 {
        let next = sweep.following(slot, self.counted());
        // Older ones are those of the same addresses.
        let oldest = next.saturating_sub(sweep.slots()).max(slot.saturating_add(1));
        for place in (oldest..next).filter_map(|passed| sweep.place_at(passed)) {
            self.coverage.passed(place, Unreached::Behind);
        }
        next
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
        if let Some(credential) = &ended.tried {
            match ended.why {
                None if ended.state == State::Engine => self.refusals.taken(target),
                Some(why) if why.is_about_the_user() => {
                    let about = (Arc::clone(credential), ended.state);
                    self.refusals
                        .refused(target, about, Instant::now(), self.refusal_pause);
                }
                _ => {}
            }
        }
        let (name, news) = match ended.state {
            State::Engine | State::Object => (
                "marque_agent_discovery_answered_total",
                self.found.answered(target, self.number),
            ),
            // Polled all the same: its engine is evidence, and a credential may be mended.
            State::CredentialRefused => (
                "marque_agent_discovery_credential_refused_total",
                self.found.answered(target, self.number),
            ),
            State::Ignored => (
                "marque_agent_discovery_ignored_total",
                self.found.answered(target, self.number),
            ),
            State::NoCredential => (
                "marque_agent_discovery_no_credential_total",
                self.found.answered(target, self.number),
            ),
            State::Unreachable => (
                "marque_agent_discovery_unreachable_total",
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
        let told = self.coverage.tell(micros((self.clock)()));
        save(coverage_path(&self.path), told.encode_to_vec()).await;
        self.covers.send_replace(Some(Arc::new(told)));
    }

    /// Since 1970, counted from the origin: what slots go by.
    fn counted(&self) -> Duration {
        self.origin.0 + self.origin.1.elapsed()
    }

    /// On our clock, when a slot is due.
    fn at(&self, counted: Duration) -> Instant {
        self.origin.1 + counted.saturating_sub(self.origin.0)
    }
}

/// How long news wait for others: each telling writes and merges all that was found, so that the
/// more that is, the rarer it is told, and the cost over time does not grow with it.
fn gather(found: usize) -> Duration {
    Duration::from_millis(u64::try_from(found).unwrap_or(u64::MAX)).max(GATHER)
}

fn since_1970(clock: fn() -> SystemTime) -> Duration {
    clock().duration_since(UNIX_EPOCH).unwrap_or_default()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discover::sweep::tests::area;
    use crate::poll::socket::ExchangeError;
    use crate::window::Window;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// A Friday, 07:00 UTC.
    const SEVEN: u64 = 1_800_000_000 - 3_600;
    static NOW: AtomicU64 = AtomicU64::new(SEVEN);

    fn wall_clock() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(NOW.load(Ordering::Relaxed))
    }

    /// Over addresses at which nobody listens, left alone from eight to nine.
    fn discovery(folder: &Path) -> (Discovery, Arc<Sweep>) {
        let eight_to_nine = Window::read(&v1::Window {
            days: 127,
            from_minute: 8 * 60,
            to_minute: 9 * 60,
            offset_minutes: 0,
        });
        let area = Area {
            windows: Arc::new([eight_to_nine.unwrap()]),
            ..area("127.9.3.0/31", &[], 1)
        };
        let sweep = Arc::new(Sweep::new(vec![area], Duration::from_secs(3_600)));
        let (_plans, watched) = watch::channel(Arc::clone(&sweep));
        let pauses = (Duration::from_millis(100), Duration::from_secs(900));
        let pace = Arc::new(Pace::new(0));
        let discovery = Discovery::load(watched, folder.join("found"), pace, pauses, wall_clock);
        (discovery.unwrap(), sweep)
    }

    fn octets(discovery: &mut Discovery) -> Vec<u8> {
        discovery.coverage.tell(1).ranges[0].states.to_vec()
    }

    #[tokio::test]
    async fn windows_follow_the_wall_clock_and_who_is_not_reached_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let (mut discovery, sweep) = discovery(folder.path());
        // The wall clock is set from seven to eight.
        NOW.store(SEVEN + 3_600, Ordering::Relaxed);
        discovery.take_slot(&sweep, 0);
        assert_eq!(discovery.prober.under_way(), 0, "left alone");
        let (waiting, not_asked, window, behind) = (9, 1, 64, 128);
        assert_eq!(octets(&mut discovery), [waiting | window, not_asked]);
        discovery.coverage.swept(7);
        assert_eq!(discovery.coverage.tell(1).swept_micros, 0);
        // And to nine: whose turn it is, and who waited.
        NOW.store(SEVEN + 2 * 3_600, Ordering::Relaxed);
        discovery.take_slot(&sweep, 1);
        assert_eq!(discovery.prober.under_way(), 2);
        assert_eq!(octets(&mut discovery), [waiting, not_asked]);
        discovery.coverage.swept(8);
        assert_eq!(discovery.coverage.tell(1).swept_micros, 8);
        // Four sweeps behind: the turns between are told as passed, once each.
        let next = discovery.following(&sweep, discovery.began - 8);
        assert_eq!(next, discovery.began - 2);
        assert_eq!(octets(&mut discovery), [waiting | behind, not_asked | behind]);
    }

    #[tokio::test]
    async fn a_refused_user_is_not_tried_by_the_next_sweep() {
        let folder = tempfile::tempdir().unwrap();
        let (mut discovery, sweep) = discovery(folder.path());
        let (target, area) = sweep.at(0).unwrap();
        let ended = |why: Option<ExchangeError>| Ended {
            target,
            state: if why.is_some() {
                State::CredentialRefused
            } else {
                State::Engine
            },
            why,
            tried: Some(Arc::clone(&area.credential)),
        };
        let stands = |discovery: &Discovery| {
            let now = Instant::now();
            discovery.refusals.stands(target, &area.credential, now)
        };
        discovery.ended(&ended(Some(ExchangeError::TimedOut)));
        assert_eq!(stands(&discovery), None, "silence is no refusal");
        discovery.ended(&ended(Some(ExchangeError::WrongDigest)));
        assert_eq!(stands(&discovery), Some(State::CredentialRefused));
        discovery.begin();
        assert_eq!(
            stands(&discovery),
            Some(State::CredentialRefused),
            "the same plan"
        );
        discovery.ended(&ended(None));
        assert_eq!(stands(&discovery), None, "taken");
    }

    #[test]
    fn what_news_cost_over_time_does_not_grow_with_what_was_found() {
        for (found, seconds) in [(0, 1), (10, 1), (1_000, 1), (5_000, 5), (50_000, 50)] {
            assert_eq!(gather(found), Duration::from_secs(seconds), "{found}");
        }
    }
}
