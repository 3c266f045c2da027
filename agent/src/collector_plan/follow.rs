//! Takes plans in, keeps the good ones and makes the schedule follow them.
//!
//! ```text
//! uplink ─(watch: newest plan)─► follower ─► disk ─(watch)─► schedule
//!    ▲                            │   ▲   └─(watch)─► discovery
//!    └──(watch: what became of it)┘   └────(watch: found)──┘
//! ```
//!
//! Invariants: durable before followed, followed before reported as applied; a
//! plan that cannot be followed changes nothing.

use super::check::{Checked, check};
use super::kept::{self, KeptError};
use super::{Bounds, merge};
use crate::config::Assignment;
use crate::discover::Sweep;
use crate::plan::Plan;
use crate::poll::pace::Pace;
use crate::schedule::Work;
use crate::target::Target;
use crate::uplink::{chain, micros};
use prost::Message as _;
use proto::v1;
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// A collector that sends plans without end costs no more than one a second.
const PAUSE: Duration = Duration::from_secs(1);

/// What the agent's own file says.
#[derive(Debug, Clone)]
pub struct Own {
    /// Whom to poll.
    pub assignments: Vec<Assignment>,
    /// What to ask.
    pub questions: Arc<Plan>,
    /// Between two rounds.
    pub interval: Duration,
}

/// Follows the newest good plan.
pub struct Follower {
    own: Own,
    bounds: Bounds,
    path: PathBuf,
    pace: Arc<Pace>,
    clock: fn() -> SystemTime,
    follows: Option<Checked>,
    work: watch::Sender<Arc<Work>>,
    sweep: watch::Sender<Arc<Sweep>>,
    runs: watch::Sender<v1::PlanId>,
    said: watch::Sender<Option<v1::PlanStatus>>,
}

impl Follower {
    /// Loads the plan that was followed last; without one, or with one that cannot be followed
    /// any more, the agent's own file is all there is.
    #[must_use]
    pub fn load(own: Own, bounds: Bounds, path: PathBuf, pace: Arc<Pace>, clock: fn() -> SystemTime) -> Self {
        let follows = match Self::kept(&path, &bounds) {
            Ok(follows) => follows,
            Err(reason) => {
                metrics::counter!("marque_agent_plan_kept_unusable_total").increment(1);
                tracing::error!(plan.path = %path.display(), reason, "kept plan cannot be followed, own file only");
                None
            }
        };
        let follower = Self {
            work: watch::Sender::new(Arc::default()),
            sweep: watch::Sender::new(Arc::default()),
            runs: watch::Sender::new(v1::PlanId::default()),
            said: watch::Sender::new(None),
            own,
            bounds,
            path,
            pace,
            clock,
            follows,
        };
        follower.plan_moved();
        follower.work_moved(&[]);
        follower
    }

    fn kept(path: &std::path::Path, bounds: &Bounds) -> Result<Option<Checked>, String> {
        let content = match kept::load(path) {
            Ok(None) => return Ok(None),
            Ok(Some(content)) => content,
            Err(error @ (KeptError::Damaged(_) | KeptError::Io(_))) => return Err(chain(&error)),
        };
        let plan = v1::Plan::decode(content.as_slice()).map_err(|error| error.to_string())?;
        check(&plan, bounds).map(Some).map_err(|error| error.to_string())
    }

    /// What the schedule is to do.
    #[must_use]
    pub fn work(&self) -> watch::Receiver<Arc<Work>> {
        self.work.subscribe()
    }

    /// Where to look for more.
    #[must_use]
    pub fn sweep(&self) -> watch::Receiver<Arc<Sweep>> {
        self.sweep.subscribe()
    }

    /// Which plan is followed; revision 0 is none.
    #[must_use]
    pub fn runs(&self) -> watch::Receiver<v1::PlanId> {
        self.runs.subscribe()
    }

    /// What became of the plan that came last.
    #[must_use]
    pub fn said(&self) -> watch::Receiver<Option<v1::PlanStatus>> {
        self.said.subscribe()
    }

    /// Follows what comes until cancelled.
    pub async fn run(
        mut self,
        mut received: watch::Receiver<Option<v1::Plan>>,
        mut found: watch::Receiver<Vec<Assignment>>,
        stop: CancellationToken,
    ) {
        self.work_moved(&found.borrow_and_update());
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                Ok(()) = received.changed() => {
                    let plan = received.borrow_and_update().clone();
                    if let Some(plan) = plan {
                        let status = self.take(&plan).await;
                        self.plan_moved();
                        self.work_moved(&found.borrow());
                        self.said.send_replace(Some(status));
                        let _ = timeout(PAUSE, stop.cancelled()).await;
                    }
                }
                Ok(()) = found.changed() => self.work_moved(&found.borrow_and_update()),
            }
        }
    }

    /// Checks and keeps a plan; what became of it.
    async fn take(&mut self, plan: &v1::Plan) -> v1::PlanStatus {
        let id = plan.id.clone().unwrap_or_default();
        let revision = id.revision;
        let outcome = match check(plan, &self.bounds) {
            Err(refusal) => Err(refusal.to_string()),
            Ok(checked) => self.keep(plan).await.map(|()| checked),
        };
        let (word, outcome, reason) = match outcome {
            Ok(checked) => {
                let (targets, ranges) = (checked.assignments.len(), checked.sweep.areas());
                tracing::info!(
                    plan.revision = revision,
                    plan.targets = targets,
                    plan.ranges = ranges,
                    "plan applied"
                );
                self.follows = Some(checked);
                ("applied", v1::PlanOutcome::Applied, String::new())
            }
            Err(reason) => {
                tracing::error!(plan.revision = revision, reason, "plan refused, nothing changes");
                ("refused", v1::PlanOutcome::Failed, reason)
            }
        };
        metrics::counter!("marque_agent_plan_total", "outcome" => word).increment(1);
        v1::PlanStatus {
            plan: Some(id),
            outcome: outcome.into(),
            reason,
            clock_micros: micros((self.clock)()),
        }
    }

    async fn keep(&self, plan: &v1::Plan) -> Result<(), String> {
        let (path, content) = (self.path.clone(), plan.encode_to_vec());
        match tokio::task::spawn_blocking(move || kept::save(&path, &content)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(format!("the plan cannot be kept: {error}")),
            Err(_) => Err("the plan cannot be kept".to_owned()),
        }
    }

    /// Tells pace, discovery and uplink which plan is followed.
    fn plan_moved(&self) {
        let Some(follows) = &self.follows else { return };
        self.pace.lower_to(follows.packets_per_second);
        let listed: HashSet<Target> = self
            .own
            .assignments
            .iter()
            .chain(&follows.assignments)
            .map(|one| one.target.in_default_context())
            .collect();
        self.sweep.send_replace(Arc::new(
            follows.sweep.clone().without(listed).of(follows.id.clone()),
        ));
        self.runs.send_replace(follows.id.clone());
        metrics::gauge!("marque_agent_plan_revision").set(follows.id.revision as f64);
    }

    /// Tells the schedule what there is to do.
    fn work_moved(&self, found: &[Assignment]) {
        let follows = self.follows.as_ref();
        let planned = follows.map_or(&[][..], |plan| &plan.assignments);
        let questions = follows.and_then(|plan| plan.questions.as_ref());
        self.work.send_replace(Arc::new(Work {
            questions: Arc::clone(questions.unwrap_or(&self.own.questions)),
            interval: follows
                .and_then(|plan| plan.interval)
                .unwrap_or(self.own.interval),
            assignments: merge(&[&self.own.assignments, planned, found]),
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector_plan::CollectorPlanConfig;
    use crate::plan::Profile;
    use crate::window::Windows;

    fn follower(path: PathBuf) -> Follower {
        let credential = crate::testing::community("hunter2");
        let own = Own {
            assignments: vec![Assignment {
                target: "192.0.2.1".parse().unwrap(),
                credential: Arc::clone(&credential),
                interval: None,
                windows: Windows::default(),
            }],
            questions: Arc::new(Plan::of(Profile::Full)),
            interval: Duration::from_secs(3600),
        };
        let bounds = Bounds::new(
            &CollectorPlanConfig::default(),
            [crate::testing::scoped("core", &credential)].into(),
        );
        let clock = || SystemTime::UNIX_EPOCH + Duration::from_secs(7);
        Follower::load(own, bounds, path, Arc::new(Pace::new(0)), clock)
    }

    fn plan(revision: u64, address: &str) -> v1::Plan {
        v1::Plan {
            id: Some(v1::PlanId {
                revision,
                digest: vec![7; 32].into(),
            }),
            interval_seconds: 60,
            targets: vec![v1::PlannedTarget {
                address: address.to_owned(),
                port: 161,
                credential_name: "core".to_owned(),
                ..v1::PlannedTarget::default()
            }],
            ..v1::Plan::default()
        }
    }

    fn targets(work: &Work) -> Vec<String> {
        work.assignments
            .iter()
            .map(|one| one.target.to_string())
            .collect()
    }

    #[tokio::test]
    async fn a_good_plan_is_kept_and_followed_again_and_a_bad_one_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan");
        let follower_one = follower(path.clone());
        assert_eq!(targets(&follower_one.work().borrow()), ["192.0.2.1:161"]);
        assert_eq!(follower_one.runs().borrow().revision, 0);
        let (mut work, mut said) = (follower_one.work(), follower_one.said());
        let (send, received) = watch::channel(None);
        let (_found, nothing) = watch::channel(Vec::new());
        let stop = CancellationToken::new();
        let running = tokio::spawn(follower_one.run(received, nothing, stop.clone()));
        let mut answer = async |plan: v1::Plan| {
            send.send_replace(Some(plan));
            timeout(Duration::from_secs(20), said.changed())
                .await
                .unwrap()
                .unwrap();
            said.borrow_and_update().clone().unwrap()
        };

        let status = answer(plan(1, "10.0.0.1")).await;
        assert_eq!(status.outcome(), v1::PlanOutcome::Applied, "{status:?}");
        assert_eq!(status.clock_micros, 7_000_000, "by the clock that is passed in");
        assert_eq!(
            targets(&work.borrow_and_update()),
            ["192.0.2.1:161", "10.0.0.1:161"]
        );
        assert_eq!(work.borrow().interval, Duration::from_secs(60));
        let on_disk = std::fs::read(&path).unwrap();

        let status = answer(plan(2, "127.0.0.1")).await;
        assert_eq!(status.outcome(), v1::PlanOutcome::Failed);
        assert!(status.reason.contains("127.0.0.1:161"), "{}", status.reason);
        assert_eq!(targets(&work.borrow()), ["192.0.2.1:161", "10.0.0.1:161"]);
        assert_eq!(std::fs::read(&path).unwrap(), on_disk);
        stop.cancel();
        running.await.unwrap();

        // Alone, after a restart.
        let again = follower(path.clone());
        assert_eq!(again.runs().borrow().revision, 1);
        assert_eq!(targets(&again.work().borrow()), ["192.0.2.1:161", "10.0.0.1:161"]);

        // Damaged: told apart, set aside, own file only.
        let mut damaged = on_disk;
        *damaged.last_mut().unwrap() ^= 1;
        std::fs::write(&path, damaged).unwrap();
        let again = follower(path.clone());
        assert_eq!(again.runs().borrow().revision, 0);
        assert_eq!(targets(&again.work().borrow()), ["192.0.2.1:161"]);
        assert!(path.with_added_extension("damaged").exists() && !path.exists());
    }

    #[tokio::test]
    async fn a_plan_that_cannot_be_kept_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let mut follower = follower(folder.path().join("absent/plan"));
        let status = follower.take(&plan(1, "10.0.0.1")).await;
        assert_eq!(status.outcome(), v1::PlanOutcome::Failed);
        assert!(status.reason.contains("cannot be kept"), "{}", status.reason);
        assert!(follower.follows.is_none());
    }
}
