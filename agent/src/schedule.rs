//! When each target is polled: at once when never polled by this process, then
//! once an interval at an offset that its address decides.
//!
//! Invariants: targets of one interval are spread over it and never poll in
//! step; one target is never polled twice at the same time; a full spool stops no
//! round: what is newest is worth most.

use crate::config::{Assignment, narrow};
use crate::plan::Plan;
use crate::poll::socket::{Patience, Sockets};
use crate::poll::{self, Learned, Limits};
use crate::report::Report;
use crate::target::Target;
use prost::bytes::Bytes;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;

/// How long rounds under way may go on when the program ends.
const GRACE: Duration = Duration::from_secs(5);

/// Everything a round needs beside its target.
pub struct Rounds {
    /// Shared by all rounds.
    pub sockets: Sockets,
    /// What to ask.
    pub plan: Plan,
    /// What a round may take.
    pub limits: Limits,
    /// Bytes of evidence the collector takes; 0 until it said so.
    pub collector_limit: Arc<AtomicUsize>,
    /// How long and how often to ask.
    pub patience: Patience,
    /// What must not leave the site.
    pub redacted: Vec<Bytes>,
    /// The wall clock.
    pub clock: fn() -> SystemTime,
}

impl Rounds {
    async fn round(self: Arc<Self>, assignment: Assignment, mut learned: Learned) -> (Report, Learned) {
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
        let round = poll::round(conversation, &self.plan, &limits, &mut learned).await;
        let round = poll::Round { started, ..round };
        let report = Report::new(assignment.target, round, &self.redacted);
        (report, learned)
    }
}

/// Polls for ever, until cancelled; reports go out through `reports`.
pub struct Schedule {
    rounds: Arc<Rounds>,
    places: Vec<Place>,
    due: BinaryHeap<Reverse<(Instant, usize)>>,
    interval: Duration,
    in_flight: usize,
    /// The same moment on both clocks: slots are those of the wall clock at start.
    origin: (SystemTime, Instant),
}

/// One target and what is known about it.
struct Place {
    assignment: Assignment,
    learned: Learned,
}

impl Schedule {
    /// Everything is due at once.
    #[must_use]
    pub fn new(rounds: Arc<Rounds>, all: Vec<Assignment>, interval: Duration, in_flight: u64) -> Self {
        let now = Instant::now();
        let learned = Learned::nothing(&rounds.limits);
        Self {
            due: (0..all.len()).map(|at| Reverse((now, at))).collect(),
            places: all
                .into_iter()
                .map(|assignment| Place { assignment, learned })
                .collect(),
            origin: ((rounds.clock)(), now),
            rounds,
            interval,
            in_flight: narrow(in_flight),
        }
    }

    /// Runs until cancelled; rounds under way then have some seconds to end.
    pub async fn run(mut self, reports: mpsc::Sender<Report>, stop: CancellationToken) {
        let mut running = JoinSet::new();
        let mut whose = HashMap::new();
        loop {
            metrics::gauge!("marque_agent_rounds_in_flight").set(running.len() as f64);
            let next = self.due.peek().map(|Reverse((at, _))| *at);
            let may_start = running.len() < self.in_flight && next.is_some();
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(ended) = running.join_next_with_id() => self.ended(ended, &mut whose),
                () = sleep_until(next.unwrap_or(self.origin.1)), if may_start => {
                    if let Some(Reverse((_, at))) = self.due.pop() {
                        self.start(at, &mut running, &mut whose, &reports);
                    }
                }
            }
        }
        let until = Instant::now() + GRACE;
        while let Ok(Some(ended)) = timeout_at(until, running.join_next_with_id()).await {
            self.ended(ended, &mut whose);
        }
    }

    fn start(
        &self,
        at: usize,
        running: &mut JoinSet<Learned>,
        whose: &mut HashMap<tokio::task::Id, usize>,
        reports: &mpsc::Sender<Report>,
    ) {
        let Some(place) = self.places.get(at) else { return };
        let round = Arc::clone(&self.rounds).round(place.assignment.clone(), place.learned);
        let reports = reports.clone();
        let task = running.spawn(async move {
            let (report, learned) = round.await;
            count(&report);
            // Closed only when the program ends.
            let _ = reports.send(report).await;
            learned
        });
        whose.insert(task.id(), at);
    }

    fn ended(
        &mut self,
        ended: Result<(tokio::task::Id, Learned), tokio::task::JoinError>,
        whose: &mut HashMap<tokio::task::Id, usize>,
    ) {
        let id = ended
            .as_ref()
            .map_or_else(tokio::task::JoinError::id, |(id, _)| *id);
        let Some(at) = whose.remove(&id) else { return };
        let Some(place) = self.places.get_mut(at) else {
            return;
        };
        match ended {
            Ok((_, learned)) => place.learned = learned,
            Err(error) => {
                metrics::counter!("marque_agent_round_panic_total").increment(1);
                tracing::error!(target.address = %place.assignment.target, %error, "a round failed by a bug");
            }
        }
        let (wall, clock) = self.origin;
        let elapsed = clock.elapsed();
        let since_1970 = wall.duration_since(UNIX_EPOCH).unwrap_or_default() + elapsed;
        let wait = until_slot(place.assignment.target, since_1970, self.interval);
        self.due.push(Reverse((clock + elapsed + wait, at)));
    }
}

/// How long until the target's next slot: a time since 1970 that leaves a certain
/// rest when divided by the interval.
fn until_slot(target: Target, since_1970: Duration, interval: Duration) -> Duration {
    // Fixed keys: the same slot in every process.
    let mut hasher = DefaultHasher::new();
    target.hash(&mut hasher);
    let interval = interval.as_millis().max(1);
    let slot = u128::from(hasher.finish()) % interval;
    let now = since_1970.as_millis() % interval;
    let wait = (slot + interval - now) % interval;
    let wait = if wait == 0 { interval } else { wait };
    Duration::from_millis(u64::try_from(wait).unwrap_or(u64::MAX))
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
    tracing::debug!(
        target.address = %report.target,
        completeness,
        requests = report.cost.requests,
        "round ended"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_spread_and_kept() {
        let interval = Duration::from_secs(100);
        let mut tens = [0; 10];
        for host in 0..=255u8 {
            let target: Target = format!("192.0.2.{}:{}", host, 1000 + u16::from(host))
                .parse()
                .unwrap();
            let now = Duration::from_secs(1_700_000_000);
            let wait = until_slot(target, now, interval);
            assert!(wait > Duration::ZERO && wait <= interval);
            // From its slot it is a whole interval to the next one.
            assert_eq!(until_slot(target, now + wait, interval), interval);
            let almost = now + wait - Duration::from_millis(1);
            assert_eq!(until_slot(target, almost, interval), Duration::from_millis(1));
            tens[(wait.as_secs() / 10).min(9) as usize] += 1;
        }
        assert!(tens.iter().all(|&count| count > 8), "{tens:?}");
    }
}
