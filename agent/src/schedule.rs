//! When each target is polled: at once when never polled by this process, then
//! once an interval at an offset that its address decides.
//!
//! What there is to do may move at any time: targets come, change and go without
//! the others being polled anew.
//!
//! Invariants: targets of one interval are spread over it and never poll in
//! step; one target is never polled twice at the same time; a full spool stops no
//! round: what is newest is worth most.

mod table;

use crate::collector_plan::Own;
use crate::config::{Assignment, narrow};
use crate::neighbour;
use crate::plan::{Plan, Profile, oid};
use crate::poll::socket::{Patience, Sockets};
use crate::poll::unfinished::{Standing, Stopped, sum};
use crate::poll::{self, Extent, Learned, Limits, Room, Round};
use crate::report::Report;
use crate::target::Target;
use crate::uplink::sameness::Sameness;
use prost::bytes::Bytes;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use table::{Started, Table};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;

/// How long rounds under way may go on when the program ends.
const GRACE: Duration = Duration::from_secs(5);
/// How often the wall clock is looked at, though nobody is due.
const LOOK: Duration = Duration::from_secs(30);
/// What the wall clock may gain or lose until it counts as set.
const STEP: Duration = Duration::from_secs(1);

/// Everything a round needs beside its target.
pub struct Rounds {
    /// Shared by all rounds.
    pub sockets: Sockets,
    /// What a round may take.
    pub limits: Limits,
    /// Bytes of evidence the collector takes; 0 until it said so.
    pub collector_limit: Arc<AtomicUsize>,
    /// How long and how often to ask.
    pub patience: Patience,
    /// The first pause after an element refused its user.
    pub refusal_pause: Duration,
    /// The longest time between two walks of one element; without it every round is one.
    pub full_round: Duration,
    /// What the sysObjectID of elements begins with that do not tell of their changes.
    pub distrusted: Vec<Bytes>,
    /// What the collector has, and what it speaks.
    pub shared: Collector,
    /// Within this one target is walked early once at most.
    pub early_pause: Duration,
    /// Kibibytes that the rows of large walks under way may take in memory, all together.
    pub walking: Arc<Semaphore>,
    /// Kibibytes that walks which go on in a later round may take in memory, all together.
    pub unfinished: Arc<Semaphore>,
    /// What must not leave the site.
    pub redacted: Vec<Bytes>,
    /// Who asks whom elements name as neighbours; full: they are named again by the next walk.
    pub named: Option<mpsc::Sender<Vec<IpAddr>>>,
    /// The wall clock.
    pub clock: fn() -> SystemTime,
}

/// What rounds must know of the collector before they leave anything out.
#[derive(Debug, Clone, Default)]
pub struct Collector {
    /// What it has of each target.
    pub same: Arc<Sameness>,
    /// What it speaks; 0 until it said so.
    pub capability: Arc<AtomicU32>,
}

/// SNMPv2-MIB::sysObjectID.0 (RFC 3418).
const SYS_OBJECT_ID: &str = "1.3.6.1.2.1.1.2.0";

impl Rounds {
    /// One round; without a report where a walk goes on that was told of a moment ago.
    async fn round(self: Arc<Self>, plan: Arc<Plan>, turn: Started) -> (Option<Report>, Learned) {
        let Started {
            assignment,
            mut learned,
            early,
        } = turn;
        let mut limits = self.limits.clone();
        match self.collector_limit.load(Ordering::Relaxed) {
            0 => {}
            limit => limits.max_evidence_bytes = limits.max_evidence_bytes.min(limit),
        }
        let target = assignment.target;
        let (asked, begun) = (plan.mark(), Instant::now());
        let refreshable = learned.memory.refreshable(asked, begun).filter(|_| !early);
        let may_end_early = learned.unfinished.is_none()
            && refreshable.is_some_and(|digest| self.collector_follows(target, &digest));
        let extent = if may_end_early {
            Extent::IfMoved
        } else {
            Extent::Full
        };
        let earlier = learned.unfinished.as_ref().and_then(|walks| walks.standing);
        let deadline = begun + limits.deadline;
        let conversation = self
            .sockets
            .converse(target, &assignment.credential, self.patience, deadline);
        let started = (self.clock)();
        let mut room = Room::of(Arc::clone(&self.walking));
        let mut round = poll::round(
            conversation,
            &plan,
            &limits,
            &mut learned,
            (extent, started, &mut room),
        )
        .await;
        count_cost(&round);
        let tell = self.keep_unfinished(&mut learned, earlier, &round);
        if let Some(earlier) = earlier {
            round.cost = sum(earlier.untold, round.cost);
            if round.resumed {
                round.started = earlier.since;
                let since = (self.clock)().duration_since(round.started);
                round.took = since.unwrap_or_default().max(round.took);
            }
        }
        if !tell {
            metrics::counter!("marque_agent_round_total", "completeness" => "partial", "extent" => "untold")
                .increment(1);
            return (None, learned);
        }
        let age = match learned.memory.is_new() {
            // So that those that begin together are not walked together ever after.
            true => self.full_round.mul_f64(part_of(target)),
            false => self.full_round,
        };
        let about = (target, asked, begun + age);
        let mut report = learned.memory.conclude(about, round, &self.redacted);
        if self.is_distrusted(&report) {
            learned.memory.distrust();
        }
        self.pass_on(target, &report, &plan);
        report.lighten();
        (Some(report), learned)
    }

    /// Keeps what was walked of tables that did not end, if it may wait; says whether the round
    /// is to be told of.
    fn keep_unfinished(&self, learned: &mut Learned, earlier: Option<Standing>, round: &Round) -> bool {
        let Some(walks) = learned.unfinished.take() else {
            return true;
        };
        let stopped = Stopped {
            started: round.started,
            took: round.took,
            now: Instant::now(),
            rows: walks.rows(),
            cost: round.cost,
        };
        let (standing, tell) = match earlier {
            // What waits goes on waiting.
            Some(earlier) if !round.answered => (earlier.unheard(), true),
            earlier => Standing::after(earlier.filter(|_| round.resumed), &stopped),
        };
        let lasts = !walks.is_older_than(self.limits.resume);
        learned.unfinished = Some(walks)
            .filter(|_| lasts)
            .and_then(|walks| walks.keep(&self.unfinished, standing));
        tell || learned.unfinished.is_none()
    }

    /// Tells discovery whom an element names. What a context other than the default one names lives in a network of
    /// its own, where the same address is another element's.
    fn pass_on(&self, target: Target, report: &Report, plan: &Plan) {
        let Some(named) = self.named.as_ref().filter(|_| target.context().is_empty()) else {
            return;
        };
        let addresses = neighbour::addresses(&report.evidence, plan);
        if !addresses.is_empty() && named.try_send(addresses).is_err() {
            metrics::counter!("marque_agent_neighbours_dropped_total", "reason" => "full").increment(1);
        }
    }

    fn is_distrusted(&self, report: &Report) -> bool {
        if self.distrusted.is_empty() {
            return false;
        }
        let Ok(object_id) = oid::parse(SYS_OBJECT_ID) else {
            return false;
        };
        let mut shown = report.evidence.observations.iter().flat_map(|one| &one.varbinds);
        let told = shown.find(|varbind| varbind.oid == object_id);
        told.is_some_and(|told| {
            self.distrusted
                .iter()
                .any(|prefix| told.value.starts_with(prefix))
        })
    }

    /// Whether the collector can be told that this evidence still stands.
    fn collector_follows(&self, target: Target, digest: &[u8; 32]) -> bool {
        self.shared.capability.load(Ordering::Relaxed) >= proto::REFRESH_CAPABILITY
            && self.shared.same.is_on_its_way(target, digest)
    }
}

fn since_1970(clock: fn() -> SystemTime) -> Duration {
    clock().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// From 0 to 1, and of one target always the same.
fn part_of(target: Target) -> f64 {
    let mut hasher = DefaultHasher::new();
    target.hash(&mut hasher);
    f64::from((hasher.finish() >> 32) as u32) / f64::from(u32::MAX)
}

/// What there is to do.
#[derive(Debug, Clone)]
pub struct Work {
    /// What to ask, from the next round on.
    pub questions: Arc<Plan>,
    /// Between two rounds with one target, unless its assignment says otherwise.
    pub interval: Duration,
    /// Whom, each target once.
    pub assignments: Vec<Assignment>,
}

impl From<Own> for Work {
    fn from(own: Own) -> Self {
        Self {
            questions: own.questions,
            interval: own.interval,
            assignments: own.assignments,
        }
    }
}

impl Default for Work {
    /// Nothing.
    fn default() -> Self {
        Self {
            questions: Arc::new(Plan::of(Profile::default())),
            interval: Duration::from_secs(3600),
            assignments: Vec::new(),
        }
    }
}

/// Polls for ever, until cancelled; reports go out through `reports`.
pub struct Schedule {
    rounds: Arc<Rounds>,
    work: watch::Receiver<Arc<Work>>,
    table: Table,
    in_flight: usize,
    /// The same moment on both clocks, seen last: the wall clock may be set at any time.
    seen: (Instant, Duration),
}

impl Schedule {
    /// Everything is due at once.
    #[must_use]
    pub fn new(rounds: Arc<Rounds>, mut work: watch::Receiver<Arc<Work>>, in_flight: u64) -> Self {
        let mut schedule = Self {
            table: Table::new(Learned::nothing(&rounds.limits), narrow(in_flight)),
            seen: (Instant::now(), since_1970(rounds.clock)),
            rounds,
            in_flight: narrow(in_flight),
            work: work.clone(),
        };
        let first = Arc::clone(&work.borrow_and_update());
        schedule.follow(&first);
        schedule.work = work;
        schedule
    }

    /// Runs until cancelled; rounds under way then have some seconds to end. Targets that
    /// come through `early` say that they changed.
    pub async fn run(
        mut self,
        reports: mpsc::Sender<Report>,
        mut early: mpsc::Receiver<Target>,
        stop: CancellationToken,
    ) {
        let mut running = JoinSet::new();
        let mut whose = HashMap::new();
        loop {
            metrics::gauge!("marque_agent_rounds_in_flight").set(running.len() as f64);
            let next = self.table.next();
            let may_start = running.len() < self.in_flight && next.is_some();
            let look = self.seen.0 + LOOK;
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Ok(()) = self.work.changed() => {
                    let work = Arc::clone(&self.work.borrow_and_update());
                    self.follow(&work);
                }
                Some(target) = early.recv() => self.hasten(target),
                Some(ended) = running.join_next_with_id() => self.ended(ended, &mut whose),
                () = sleep_until(look) => self.look_at_clock(),
                () = sleep_until(next.unwrap_or(look)), if may_start => {
                    self.start(&mut running, &mut whose, &reports);
                }
            }
        }
        let until = Instant::now() + GRACE;
        while let Ok(Some(ended)) = timeout_at(until, running.join_next_with_id()).await {
            self.ended(ended, &mut whose);
        }
    }

    fn follow(&mut self, work: &Work) {
        let (now, since_1970) = self.now();
        self.table.follow(work, now, since_1970);
        metrics::gauge!("marque_agent_targets").set(work.assignments.len() as f64);
    }

    fn hasten(&mut self, target: Target) {
        if self.table.hasten(target, self.now().0, self.rounds.early_pause) {
            metrics::counter!("marque_agent_early_round_total").increment(1);
        }
    }

    /// On both clocks.
    fn now(&self) -> (Instant, Duration) {
        (Instant::now(), since_1970(self.rounds.clock))
    }

    /// Who waits for the end of a window, or for a slot, waits by a clock that may have been set.
    fn look_at_clock(&mut self) {
        let (now, since_1970) = self.now();
        let expected = self.seen.1 + (now - self.seen.0);
        let step = since_1970.abs_diff(expected);
        self.seen = (now, since_1970);
        if step > STEP {
            let seconds = step.as_secs();
            tracing::warn!(
                clock.step_seconds = seconds,
                "wall clock was set, turns are found anew"
            );
            metrics::counter!("marque_agent_clock_step_total").increment(1);
            let work = Arc::clone(&self.work.borrow());
            self.follow(&work);
        }
    }

    fn start(
        &mut self,
        running: &mut JoinSet<Learned>,
        whose: &mut HashMap<tokio::task::Id, Target>,
        reports: &mpsc::Sender<Report>,
    ) {
        let Some(turn) = self.table.start(self.now()) else {
            return;
        };
        let target = turn.assignment.target;
        let questions = Arc::clone(&self.work.borrow().questions);
        let round = Arc::clone(&self.rounds).round(questions, turn);
        let reports = reports.clone();
        let task = running.spawn(async move {
            let (report, learned) = round.await;
            if let Some(report) = report {
                count(&report);
                // Closed only when the program ends.
                let _ = reports.send(report).await;
            }
            learned
        });
        whose.insert(task.id(), target);
    }

    fn ended(
        &mut self,
        ended: Result<(tokio::task::Id, Learned), tokio::task::JoinError>,
        whose: &mut HashMap<tokio::task::Id, Target>,
    ) {
        let id = ended
            .as_ref()
            .map_or_else(tokio::task::JoinError::id, |(id, _)| *id);
        let Some(target) = whose.remove(&id) else { return };
        if let Err(error) = &ended {
            metrics::counter!("marque_agent_round_panic_total").increment(1);
            tracing::error!(target.address = %target, %error, "a round failed by a bug");
        }
        let (now, since_1970) = self.now();
        let learned = ended.ok().map(|(_, learned)| learned);
        let pause = learned
            .as_ref()
            .map_or(Duration::ZERO, |learned| learned.pause(self.rounds.refusal_pause));
        self.table.ended(target, learned, (now, since_1970), pause);
    }
}

/// What a round cost, told of or not.
fn count_cost(round: &Round) {
    metrics::counter!("marque_agent_request_total").increment(u64::from(round.cost.requests));
    metrics::counter!("marque_agent_retry_total").increment(u64::from(round.cost.retries));
    metrics::counter!("marque_agent_varbind_total").increment(u64::from(round.cost.varbinds));
    metrics::counter!("marque_agent_undecodable_total").increment(u64::from(round.undecodable));
    metrics::counter!("marque_agent_engine_shared_total").increment(u64::from(round.engine_shared));
    if let Some(moved) = round.moved {
        metrics::counter!("marque_agent_moved_total", "what" => moved.as_str()).increment(1);
    }
}

fn count(report: &Report) {
    let completeness = match report.completeness {
        proto::v1::Completeness::Complete => "complete",
        proto::v1::Completeness::Partial => "partial",
        _ => "unreachable",
    };
    let extent = if report.refreshed { "refresh" } else { "full" };
    metrics::counter!("marque_agent_round_total", "completeness" => completeness, "extent" => extent)
        .increment(1);
    tracing::debug!(
        target.address = %report.target,
        completeness,
        extent,
        requests = report.cost.requests,
        "round ended"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::PollConfig;
    use crate::window::Window;
    use std::sync::atomic::AtomicU64;

    /// A Friday, 07:00 UTC.
    const SEVEN: u64 = 1_800_000_000 - 3_600;
    static NOW: AtomicU64 = AtomicU64::new(SEVEN);

    fn wall_clock() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(NOW.load(Ordering::Relaxed))
    }

    fn rounds() -> Rounds {
        let config = PollConfig::default();
        Rounds {
            sockets: Sockets::open(1, 0).unwrap(),
            limits: config.limits(),
            collector_limit: Arc::default(),
            patience: config.patience(),
            refusal_pause: Duration::ZERO,
            full_round: Duration::ZERO,
            distrusted: Vec::new(),
            shared: Collector::default(),
            early_pause: Duration::ZERO,
            walking: Arc::new(Semaphore::new(0)),
            unfinished: Arc::new(Semaphore::new(0)),
            redacted: Vec::new(),
            named: None,
            clock: wall_clock,
        }
    }

    #[tokio::test]
    async fn windows_follow_the_wall_clock_when_it_is_set() {
        let eight_to_nine = Window::read(&proto::v1::Window {
            days: 127,
            from_minute: 8 * 60,
            to_minute: 9 * 60,
            offset_minutes: 0,
        });
        let work = Work {
            interval: Duration::from_secs(600),
            assignments: vec![Assignment {
                target: "192.0.2.1".parse().unwrap(),
                credential: crate::testing::community("x"),
                interval: None,
                windows: Arc::new([eight_to_nine.unwrap()]),
            }],
            ..Work::default()
        };
        let (_work, work) = watch::channel(Arc::new(work));
        let mut schedule = Schedule::new(Arc::new(rounds()), work, 1);
        // From seven to eight at once.
        NOW.store(SEVEN + 3_600, Ordering::Relaxed);
        assert!(schedule.table.start(schedule.now()).is_none(), "left alone");
        let in_an_hour = schedule.table.next().unwrap();
        assert!(in_an_hour > Instant::now() + Duration::from_secs(3_500));
        // And to ten: it waits for a slot, no longer for the window.
        NOW.store(SEVEN + 3 * 3_600, Ordering::Relaxed);
        schedule.look_at_clock();
        assert!(schedule.table.next().unwrap() <= Instant::now() + Duration::from_secs(600));
        assert!(schedule.table.start(schedule.now()).is_some());
    }
}
