//! Looks for elements in the ranges of a plan; who answers becomes a target, and
//! what became of every address is told.
//!
//! ```text
//! follower ─(watch: sweep)─────► discovery ─► prober: questions, at most 256 at once
//! schedule ─(whom they name)───►   │ ├─► disk ─(watch: found)────► follower
//!                                  │ ├─► disk ─(watch: coverage)─► uplink
//!                                  │ └─► disk ─(watch: engines)──► uplink
//! ```
//!
//! Invariants: each address of a range that is swept is asked once a sweep, evenly over it, and
//! never faster than the agent's cap; whom neighbours name is asked only inside a range that
//! follows them, a few at a time; listed targets, and ranges in their windows, are
//! left alone by the wall clock as it is then; a community goes only to addresses of
//! its own range; a user that is refused is left alone; what was found is kept over
//! restarts; every address in scope has a state.

mod sweep;
mod found;
mod told;
mod coverage;
mod engines;
mod refusals;
mod probe;
mod volley;
mod prober;

pub use prober::{Ended, Errand, Heard as HeardEngine, Prober};
pub use sweep::{Area, Place, Sweep};

use crate::collector_plan::kept;
use crate::config::Assignment;
use crate::poll::pace::Pace;
use crate::target::Target;
use crate::uplink::{chain, micros};
use crate::window;
use coverage::{Coverage, Deferred};
use engines::Engines;
use found::{Found, News, SILENT_SWEEPS};
use prost::Message as _;
use proto::v1;
use proto::v1::{CoverageState as State, CoverageUnreached as Unreached};
use refusals::Refusals;
use std::collections::HashSet;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use told::{Heard, Turns, is_there};

/// Addresses under way at most; more wait.
const IN_FLIGHT: usize = 256;
/// Of them those whom neighbours named, so that whoever names many holds up no sweep.
const FOLLOWED_IN_FLIGHT: usize = 32;
/// Whoever was named in a window is looked at again after this.
const LOOK_AGAIN: Duration = Duration::from_secs(60);
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
    engines: Engines,
    /// What is told of them.
    hears: watch::Sender<Arc<v1::Engines>>,
    deferred: Deferred,
    refusals: Refusals,
    /// Whom elements name as neighbours.
    named: mpsc::Receiver<Vec<IpAddr>>,
    heard: Heard,
    /// Of those that were named.
    turns: Turns,
    /// Those of them that are asked now.
    following: HashSet<Target>,
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
    /// Begins with what was found before, as far as it lies in the ranges, and hears whom elements
    /// name; probes keep the pace and wait `patience` for an answer, and `refusal_pause` after the first refusal.
    ///
    /// # Errors
    /// When the system gives no socket.
    pub fn load(
        (sweep, named): (watch::Receiver<Arc<Sweep>>, mpsc::Receiver<Vec<IpAddr>>),
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
            engines: Engines::from_bytes(&kept_or_nothing(&engines_path(&path))),
            path,
            told: watch::Sender::new(Vec::new()),
            covers: watch::Sender::new(None),
            hears: watch::Sender::default(),
            deferred: Deferred::default(),
            refusals: Refusals::default(),
            named,
            heard: Heard::default(),
            turns: Turns::default(),
            following: HashSet::new(),
            refusal_pause,
            began: 0,
            number: 0,
            clock,
            origin: (since_1970(clock), Instant::now()),
        };
        discovery.begin();
        discovery.hears.send_replace(Arc::new(discovery.engines.all()));
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

    /// What addresses told of their engines.
    #[must_use]
    pub fn engines(&self) -> watch::Receiver<Arc<v1::Engines>> {
        self.hears.subscribe()
    }

    /// Sweeps until cancelled.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut next = self.begin();
        let mut write = None;
        let mut tell = Instant::now();
        loop {
            let sweep = Arc::clone(&self.sweep.borrow());
            let due = self.at(sweep.due(next));
            let has_room = self.prober.under_way() < IN_FLIGHT;
            let may_start = sweep.slots() > 0 && has_room;
            let turn = self.turns.next();
            let may_follow = has_room && self.following.len() < FOLLOWED_IN_FLIGHT && turn.is_some();
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Ok(()) = self.sweep.changed() => {
                    next = self.begin();
                    tell = Instant::now();
                    write.get_or_insert(Instant::now());
                }
                Some(addresses) = self.named.recv() => self.hear(&sweep, addresses),
                ended = self.prober.next(), if self.prober.under_way() > 0 => {
                    self.following.remove(&ended.target);
                    if self.ended(&ended) {
                        write.get_or_insert(Instant::now() + gather(self.found.len()));
                    }
                }
                () = sleep_until(write.unwrap_or(due)), if write.is_some() => {
                    write = None;
                    self.tell_found().await;
                }
                () = sleep_until(tell), if self.has_news() => {
                    tell = Instant::now() + TELL;
                    self.tell_news().await;
                }
                () = sleep_until(turn.unwrap_or(due)), if may_follow => self.take_turn(&sweep),
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
        self.tell_news().await;
    }

    /// A new sweep: what lies outside goes, the rest counts as just heard of. Returns the first slot.
    fn begin(&mut self) -> u64 {
        let sweep = Arc::clone(&self.sweep.borrow_and_update());
        self.began = sweep.slot(self.counted());
        self.number = sweep.number(self.began);
        self.coverage.begin(&sweep);
        self.keep_found(&sweep);
        self.plan_turns(&sweep);
        self.refusals
            .begin(|target| sweep.area_of(target).map(|area| &area.credential));
        self.deferred.clear();
        self.told.send_replace(self.assignments(&sweep));
        self.began
    }

    /// Who was found counts as named where only those are asked; who lies outside goes.
    fn keep_found(&mut self, sweep: &Sweep) {
        let found: Vec<Target> = self.found.targets().collect();
        for place in found.into_iter().filter_map(|target| sweep.place_of(target)) {
            self.coverage.hear(sweep, place);
        }
        let coverage = &self.coverage;
        let stays = |target| sweep.place_of(target).is_some_and(|place| coverage.has(place));
        self.found.begin(self.number, stays);
        self.engines.begin(stays, micros((self.clock)()));
    }

    /// Whoever was named and never asked has a turn now, others spread over the time of a sweep.
    fn plan_turns(&mut self, sweep: &Sweep) {
        let before = std::mem::take(&mut self.turns);
        let now = Instant::now();
        let named: Vec<(Target, Place)> = self
            .coverage
            .named()
            .filter_map(|place| Some((sweep.address(place)?, place)))
            .collect();
        let step = sweep.time() / u32::try_from(named.len()).unwrap_or(u32::MAX).max(1);
        for (number, (target, place)) in (1..).zip(named) {
            let due = match self.coverage.state(place) {
                State::NotAsked | State::Waiting => now,
                _ => before.of(target).unwrap_or(now + step * number),
            };
            self.turns.set(target, due);
        }
        let heard: Vec<IpAddr> = self.heard.all().collect();
        for address in heard {
            self.follow(sweep, address, false);
        }
    }

    /// Elements named these.
    fn hear(&mut self, sweep: &Sweep, addresses: Vec<IpAddr>) {
        for address in addresses {
            let new = self.heard.hear(address);
            self.follow(sweep, address, new);
        }
    }

    /// An address that was named, now or `new`ly, has its turn at once where it was not asked yet.
    fn follow(&mut self, sweep: &Sweep, address: IpAddr, new: bool) {
        let followed: Vec<(Target, Place)> = sweep.followed(address).collect();
        for (target, place) in followed {
            let asks = match place {
                Place::Swept { .. } => match self.coverage.state(place) {
                    State::NotAsked | State::Waiting => true,
                    state => new && !is_there(state),
                },
                Place::Told { .. } => self.make_room(sweep, place),
            };
            let may = sweep.address(place).is_some() && self.turns.of(target).is_none();
            if asks && may && self.turns.len() < proto::plan::MAX_TOLD {
                metrics::counter!("marque_agent_discovery_followed_total").increment(1);
                self.turns.set(target, Instant::now());
            }
        }
    }

    /// Takes an address of a range in that is not swept; whether it is new there.
    fn make_room(&mut self, sweep: &Sweep, place: Place) -> bool {
        let (new, went) = self.coverage.hear(sweep, place);
        let area = sweep.all().get(place.area());
        if let Some((address, area)) = went.zip(area)
            && let Ok(target) = Target::new(address, area.port)
        {
            metrics::counter!("marque_agent_discovery_dropped_total", "reason" => "named").increment(1);
            self.turns.remove(target);
            self.found.forget(target);
        }
        new
    }

    fn assignments(&self, sweep: &Sweep) -> Vec<Assignment> {
        self.found
            .targets()
            .filter_map(|target| {
                let area = sweep.area_of(target)?;
                Some(Assignment {
                    target: target.asked_with(&area.credential),
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

    /// Asks the next of those that were named.
    fn take_turn(&mut self, sweep: &Sweep) {
        let Some(target) = self.turns.pop() else { return };
        let Some((place, area)) = sweep.place_of(target).zip(sweep.area_of(target)) else {
            return;
        };
        let now = Instant::now();
        let is_told = matches!(place, Place::Told { .. });
        if window::wait(&area.windows, since_1970(self.clock)).is_some() {
            if is_told {
                self.coverage.passed(place, Unreached::Window);
            }
            self.turns.set(target, now + LOOK_AGAIN);
            return;
        }
        if is_told {
            self.turns.set(target, now + sweep.time());
        }
        self.following.insert(target);
        self.ask(sweep, target, area);
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
        let place = self.sweep.borrow().place_of(target);
        let Some(place) = place.filter(|place| self.coverage.has(*place)) else {
            return false;
        };
        self.coverage.set(place, ended.state);
        if let Some(heard) = &ended.engine {
            let then = (self.clock)().checked_sub(heard.at.elapsed());
            self.engines
                .heard(target, heard, micros(then.unwrap_or(UNIX_EPOCH)));
        }
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
                self.silent(target, place),
            ),
            _ => ("marque_agent_discovery_silent_total", self.silent(target, place)),
        };
        if is_there(ended.state) {
            self.coverage.silences(place, true);
        }
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

    /// Nobody answered there. Where no sweep comes by, turns count as sweeps.
    fn silent(&mut self, target: Target, place: Place) -> News {
        match place {
            Place::Swept { .. } => self.found.silent(target, self.number),
            Place::Told { .. } if self.coverage.silences(place, false) >= SILENT_SWEEPS => {
                self.found.forget(target)
            }
            Place::Told { .. } => News::Nothing,
        }
    }

    /// Writes down who was found, then tells.
    async fn tell_found(&mut self) {
        save(self.path.clone(), self.found.to_bytes()).await;
        let sweep = Arc::clone(&self.sweep.borrow());
        let all = self.assignments(&sweep);
        metrics::gauge!("marque_agent_discovery_found").set(all.len() as f64);
        self.told.send_replace(all);
    }

    /// Whether there is something to write down beside who was found.
    fn has_news(&self) -> bool {
        self.coverage.changed() || self.engines.changed()
    }

    async fn tell_news(&mut self) {
        if self.coverage.changed() {
            self.tell_coverage().await;
        }
        if self.engines.changed() {
            self.tell_engines().await;
        }
    }

    /// Writes down what addresses told of their engines, then tells.
    async fn tell_engines(&mut self) {
        let told = self.engines.tell();
        save(engines_path(&self.path), told.encode_to_vec()).await;
        self.hears.send_replace(Arc::new(told));
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

/// Beside them too.
fn engines_path(found: &Path) -> PathBuf {
    found.with_extension("engines")
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
mod tests;
