//! Where open streams hear of new plans, whoever put them.
//!
//! Invariants: what is pushed was read from the store; a plan that this version
//! cannot read any more leaves the one before it; an agent's words are bounded.

use super::PlanFile;
use crate::admin;
use model::{AgentId, Digest, Instant, SiteName};
use proto::v1;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use store::plans::{PlanRef, Said};
use store::{Plans, StoreError};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tonic::Status;

/// How often the store is looked at.
const LOOK: Duration = Duration::from_millis(500);

type Newest = BTreeMap<SiteName, (PlanRef, Arc<v1::Plan>)>;

/// Holds the newest plan of each site.
#[derive(Clone)]
pub struct Desk {
    plans: Arc<dyn Plans>,
    clock: fn() -> Instant,
    newest: watch::Sender<Arc<Newest>>,
}

/// Plans that went down one stream and were not answered yet.
#[derive(Debug, Clone, Default)]
pub struct Pushed(Arc<AtomicUsize>);

/// The stream of one agent, as plans see it.
#[derive(Debug)]
pub struct Listener {
    /// Where the agent stands.
    pub site: SiteName,
    /// The protocol it speaks.
    pub capability: u32,
    /// Plans it has not answered yet.
    pub pushed: Pushed,
    /// What goes down its stream.
    pub responses: mpsc::Sender<Result<v1::ReportResponse, Status>>,
}

impl Listener {
    /// Whether it knows every word of the plan that restrains it: one that read past windows would poll in them,
    /// and one that knows no ranges but those that are swept would sweep them all.
    fn understands(&self, plan: &v1::Plan) -> bool {
        let unswept = plan.ranges.iter().any(|range| range.unswept);
        (self.capability >= proto::WINDOW_CAPABILITY || plan.windows.is_empty())
            && (self.capability >= proto::FOLLOW_CAPABILITY || !unswept)
    }
}

impl Pushed {
    /// A plan goes down.
    pub(crate) fn one_more(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes an answer in.
    ///
    /// # Errors
    /// When there is no plan left to be answered: each is, once.
    pub fn answered(&self) -> Result<(), Status> {
        let less = |count: usize| count.checked_sub(1);
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less)
            .map(drop)
            .map_err(|_| Status::invalid_argument("no plan is waiting for an answer"))
    }
}

impl Desk {
    /// Knows no plan until [`Self::watch`] runs.
    #[must_use]
    pub fn new(plans: Arc<dyn Plans>, clock: fn() -> Instant) -> Self {
        Self {
            plans,
            clock,
            newest: watch::Sender::new(Arc::default()),
        }
    }

    /// Looks for new plans twice a second until `stop`.
    pub async fn watch(self, stop: CancellationToken) {
        let mut unreadable = BTreeMap::new();
        while !stop.is_cancelled() {
            if let Err(error) = self.look(&mut unreadable).await {
                tracing::warn!(error = admin::chain(&error), "plans not read");
            }
            let _ = tokio::time::timeout(LOOK, stop.cancelled()).await;
        }
    }

    /// Reads what is new; what cannot be read is told once.
    async fn look(&self, unreadable: &mut BTreeMap<SiteName, PlanRef>) -> Result<(), StoreError> {
        let mut newest = Newest::clone(&self.newest.borrow());
        let mut moved = false;
        for row in self.plans.newest_plans().await? {
            let which = PlanRef {
                revision: row.revision,
                digest: row.digest,
            };
            let known = newest.get(&row.site).map(|(known, _)| known);
            if known == Some(&which) || unreadable.get(&row.site) == Some(&which) {
                continue;
            }
            let Some((_, text)) = self.plans.plan(&row.site, Some(row.revision)).await? else {
                continue;
            };
            let name = format!("plan {} of {}", row.revision, row.site);
            let plan = match PlanFile::parse(&text, &name) {
                Ok(file) => file.at(row.revision),
                Err(error) => {
                    tracing::error!(error = admin::chain(&error), "a plan put earlier cannot be read");
                    unreadable.insert(row.site, which);
                    continue;
                }
            };
            tracing::info!(site = %row.site, plan.revision = row.revision, plan.targets = row.targets, "plan goes out");
            newest.insert(row.site, (which, Arc::new(plan)));
            moved = true;
        }
        if moved {
            self.newest.send_replace(Arc::new(newest));
        }
        Ok(())
    }

    /// Sends the newest plan of a site down a stream whenever it is not the one the agent has.
    /// Never ends; safe to cancel.
    pub async fn push(&self, listener: &Listener, mut has: PlanRef) -> std::convert::Infallible {
        let mut changes = self.newest.subscribe();
        loop {
            let newest = changes.borrow_and_update().get(&listener.site).cloned();
            if let Some((which, plan)) = newest.filter(|(which, _)| *which != has) {
                has = which;
                if listener.understands(&plan) {
                    let message = v1::report_response::Message::Plan(Arc::unwrap_or_clone(plan));
                    let response = v1::ReportResponse {
                        message: Some(message),
                    };
                    // Before it is out, so that no answer comes too early.
                    listener.pushed.one_more();
                    if listener.responses.send(Ok(response)).await.is_err() {
                        // Nobody listens any more; whoever reads the stream sees that too.
                        std::future::pending::<()>().await;
                    }
                } else {
                    tracing::warn!(
                        site = %listener.site,
                        plan.revision = which.revision,
                        "plan has windows or ranges that are not swept and an agent is too old for them: it keeps the plan it has"
                    );
                }
            }
            if changes.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Notes what an agent's greeting says, and returns the plan it follows if it takes any.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` for what is no plan, `UNAVAILABLE` when the store does not take it.
    pub async fn greeted(&self, agent: AgentId, hello: &v1::Hello) -> Result<Option<PlanRef>, Status> {
        let follows = hello.plan.as_ref().map(which).transpose()?;
        if hello.capability >= proto::PLAN_CAPABILITY {
            let said = follows.map_or(Said::TakesNone, Said::Follows);
            self.note(agent, &said).await.map_err(|error| {
                tracing::error!(agent.id = %agent, error = admin::chain(&error), "plan in the greeting not stored");
                Status::unavailable("collector cannot store reports now")
            })?;
        }
        Ok(follows)
    }

    /// Notes what became of a plan.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn note(&self, agent: AgentId, said: &Said) -> Result<(), StoreError> {
        match said {
            Said::Applied(plan, _) => {
                tracing::info!(agent.id = %agent, plan.revision = plan.revision, "agent follows a plan");
            }
            Said::Failed(plan, reason, _) => {
                tracing::warn!(agent.id = %agent, plan.revision = plan.revision, reason, "agent refuses a plan");
            }
            Said::TakesNone | Said::Follows(_) => {}
        }
        self.plans.note_plan(agent, said, (self.clock)()).await
    }
}

/// What a status says.
///
/// # Errors
/// `INVALID_ARGUMENT` when it says nothing.
pub(crate) fn said(status: &v1::PlanStatus) -> Result<Said, Status> {
    let plan = which(status.plan.as_ref().unwrap_or(&v1::PlanId::default()))?;
    let at = Instant(status.clock_micros);
    match status.outcome() {
        v1::PlanOutcome::Applied => Ok(Said::Applied(plan, at)),
        v1::PlanOutcome::Failed => {
            let plain = |c: char| if c.is_control() { ' ' } else { c };
            let reason = status.reason.chars().map(plain);
            let reason = reason.take(proto::plan::MAX_REASON_CHARS).collect();
            Ok(Said::Failed(plan, reason, at))
        }
        v1::PlanOutcome::Unspecified => Err(Status::invalid_argument("a plan's outcome is missing")),
    }
}

fn which(id: &v1::PlanId) -> Result<PlanRef, Status> {
    let digest = match (id.revision, id.digest.len()) {
        (0, 0) => Some(Digest([0; 32])),
        (1..=proto::MAX_SEQUENCE, _) => Digest::from_slice(&id.digest),
        _ => None,
    };
    Ok(PlanRef {
        revision: id.revision,
        digest: digest
            .ok_or_else(|| Status::invalid_argument("a plan is not named by revision and digest"))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::SqliteStore;
    use store::plans::NewPlan;

    fn put(text: &str) -> NewPlan {
        let file = PlanFile::parse(text, "test").unwrap();
        NewPlan {
            site: "berlin".parse().unwrap(),
            digest: file.digest,
            text: file.text,
            targets: 0,
            ranges: 0,
        }
    }

    #[tokio::test]
    async fn an_open_stream_hears_of_what_another_process_puts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.db");
        let store = Arc::new(SqliteStore::open(&path).await.unwrap());
        let other = SqliteStore::open(&path).await.unwrap();
        other.put_plan(&put("# 1\n"), Instant(1)).await.unwrap();
        let desk = Desk::new(store as Arc<dyn Plans>, || Instant(9));
        let stop = CancellationToken::new();
        let watching = tokio::spawn(desk.clone().watch(stop.clone()));
        let (responses, mut stream) = mpsc::channel(4);
        let pushed = Pushed::default();
        let pushing = tokio::spawn({
            let desk = desk.clone();
            let listener = Listener {
                site: "berlin".parse().unwrap(),
                capability: proto::CAPABILITY,
                pushed: pushed.clone(),
                responses,
            };
            let none = PlanRef {
                revision: 0,
                digest: Digest([0; 32]),
            };
            async move { desk.push(&listener, none).await }
        });
        let mut hears = async || {
            let next = tokio::time::timeout(Duration::from_secs(20), stream.recv()).await;
            match next.unwrap().unwrap().unwrap().message {
                Some(v1::report_response::Message::Plan(plan)) => plan.id.unwrap().revision,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(hears().await, 1);
        other.put_plan(&put("# 2\n"), Instant(2)).await.unwrap();
        assert_eq!(hears().await, 2);
        // Two plans, two answers.
        assert!(pushed.answered().is_ok() && pushed.answered().is_ok());
        assert!(pushed.answered().is_err());
        pushing.abort();
        stop.cancel();
        watching.await.unwrap();
    }

    #[test]
    fn an_agent_gets_no_plan_with_a_restraint_that_it_does_not_know() {
        let (responses, _stream) = mpsc::channel(1);
        let mut listener = Listener {
            site: "berlin".parse().unwrap(),
            capability: proto::WINDOW_CAPABILITY - 1,
            pushed: Pushed::default(),
            responses,
        };
        let mut plan = v1::Plan::default();
        assert!(listener.understands(&plan));
        plan.windows.push(v1::Window::default());
        assert!(!listener.understands(&plan));
        listener.capability = proto::WINDOW_CAPABILITY;
        assert!(listener.understands(&plan));
        let range = v1::PlannedRange {
            follow: true,
            ..v1::PlannedRange::default()
        };
        plan.ranges.push(range);
        assert!(
            listener.understands(&plan),
            "it would wait for its slot, and harm nobody"
        );
        plan.ranges[0].unswept = true;
        assert!(!listener.understands(&plan));
        listener.capability = proto::FOLLOW_CAPABILITY;
        assert!(listener.understands(&plan));
    }

    #[test]
    fn words_of_agents_are_bounded() {
        let id = |revision, bytes: usize| v1::PlanId {
            revision,
            digest: vec![7; bytes].into(),
        };
        for (revision, bytes, fine) in [
            (0, 0, true),
            (1, 32, true),
            (proto::MAX_SEQUENCE, 32, true),
            (0, 32, false),
            (1, 0, false),
            (1, 33, false),
            (proto::MAX_SEQUENCE + 1, 32, false),
        ] {
            assert_eq!(which(&id(revision, bytes)).is_ok(), fine, "{revision} {bytes}");
        }
        let mut status = v1::PlanStatus {
            plan: Some(id(1, 32)),
            outcome: v1::PlanOutcome::Failed.into(),
            reason: "a\nb\u{1b}".to_owned() + &"x".repeat(1_000),
            clock_micros: 1,
        };
        let Ok(Said::Failed(_, reason, _)) = said(&status) else {
            panic!("a refusal is one");
        };
        assert_eq!(reason.chars().count(), proto::plan::MAX_REASON_CHARS);
        assert!(reason.starts_with("a b x"), "{reason:?}");
        status.outcome = 99;
        assert!(said(&status).is_err());
    }
}
