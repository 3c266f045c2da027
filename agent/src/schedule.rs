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
use crate::plan::{Plan, Profile};
use crate::poll::socket::{Patience, Sockets};
use crate::poll::{self, Learned, Limits};
use crate::report::Report;
use crate::target::Target;
use prost::bytes::Bytes;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use table::Table;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;

/// How long rounds under way may go on when the program ends.
const GRACE: Duration = Duration::from_secs(5);

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
    /// What must not leave the site.
    pub redacted: Vec<Bytes>,
    /// The wall clock.
    pub clock: fn() -> SystemTime,
}

impl Rounds {
    async fn round(
        self: Arc<Self>,
        plan: Arc<Plan>,
        assignment: Assignment,
        mut learned: Learned,
    ) -> (Report, Learned) {
        let mut limits = self.limits.clone();
        match self.collector_limit.load(Ordering::Relaxed) {
            0 => {}
            limit => limits.max_evidence_bytes = limits.max_evidence_bytes.min(limit),
        }
        let deadline = Instant::now() + limits.deadline;
        let conversation =
            self.sockets
                .converse(assignment.target, &assignment.credential, self.patience, deadline);
        let started = (self.clock)();
        let round = poll::round(conversation, &plan, &limits, &mut learned).await;
        let round = poll::Round { started, ..round };
        let report = Report::new(assignment.target, round, &self.redacted);
        (report, learned)
    }
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
    /// The same moment on both clocks: slots are those of the wall clock at start.
    origin: (SystemTime, Instant),
}

impl Schedule {
    /// Everything is due at once.
    #[must_use]
    pub fn new(rounds: Arc<Rounds>, mut work: watch::Receiver<Arc<Work>>, in_flight: u64) -> Self {
        let mut schedule = Self {
            table: Table::new(Learned::nothing(&rounds.limits)),
            origin: ((rounds.clock)(), Instant::now()),
            rounds,
            in_flight: narrow(in_flight),
            work: work.clone(),
        };
        let first = Arc::clone(&work.borrow_and_update());
        schedule.follow(&first);
        schedule.work = work;
        schedule
    }

    /// Runs until cancelled; rounds under way then have some seconds to end.
    pub async fn run(mut self, reports: mpsc::Sender<Report>, stop: CancellationToken) {
        let mut running = JoinSet::new();
        let mut whose = HashMap::new();
        loop {
            metrics::gauge!("marque_agent_rounds_in_flight").set(running.len() as f64);
            let next = self.table.next();
            let may_start = running.len() < self.in_flight && next.is_some();
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Ok(()) = self.work.changed() => {
                    let work = Arc::clone(&self.work.borrow_and_update());
                    self.follow(&work);
                }
                Some(ended) = running.join_next_with_id() => self.ended(ended, &mut whose),
                () = sleep_until(next.unwrap_or(self.origin.1)), if may_start => {
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

    /// On both clocks.
    fn now(&self) -> (Instant, Duration) {
        let (wall, clock) = self.origin;
        let elapsed = clock.elapsed();
        let since_1970 = wall.duration_since(UNIX_EPOCH).unwrap_or_default() + elapsed;
        (clock + elapsed, since_1970)
    }

    fn start(
        &mut self,
        running: &mut JoinSet<Learned>,
        whose: &mut HashMap<tokio::task::Id, Target>,
        reports: &mpsc::Sender<Report>,
    ) {
        let Some((assignment, learned)) = self.table.start(self.now()) else {
            return;
        };
        let target = assignment.target;
        let questions = Arc::clone(&self.work.borrow().questions);
        let round = Arc::clone(&self.rounds).round(questions, assignment, learned);
        let reports = reports.clone();
        let task = running.spawn(async move {
            let (report, learned) = round.await;
            count(&report);
            // Closed only when the program ends.
            let _ = reports.send(report).await;
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

fn count(report: &Report) {
    let completeness = match report.completeness {
        proto::v1::Completeness::Complete => "complete",
        proto::v1::Completeness::Partial => "partial",
        _ => "unreachable",
    };
    metrics::counter!("marque_agent_round_total", "completeness" => completeness).increment(1);
    metrics::counter!("marque_agent_request_total").increment(u64::from(report.cost.requests));
    metrics::counter!("marque_agent_retry_total").increment(u64::from(report.cost.retries));
    metrics::counter!("marque_agent_varbind_total").increment(u64::from(report.cost.varbinds));
    metrics::counter!("marque_agent_undecodable_total").increment(u64::from(report.undecodable));
    metrics::counter!("marque_agent_engine_shared_total").increment(u64::from(report.engine_shared));
    tracing::debug!(
        target.address = %report.target,
        completeness,
        requests = report.cost.requests,
        "round ended"
    );
}
