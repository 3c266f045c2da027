//! Plans on the stream: what came down in this session, the one answer to it, and
//! what became of the addresses in its ranges.
//!
//! Invariants: an answer goes up only for the plan that came last in the same
//! session, and once; of the coverage each session tells the newest first of all.

use proto::v1;
use std::sync::Arc;
use tokio::sync::watch;

/// The ends of those who follow plans.
#[derive(Debug, Clone)]
pub struct Plans {
    /// Where the newest plan is put.
    pub received: watch::Sender<Option<v1::Plan>>,
    /// Which plan is followed.
    pub runs: watch::Receiver<v1::PlanId>,
    /// What became of the newest plan.
    pub said: watch::Receiver<Option<v1::PlanStatus>>,
    /// What became of every address in the ranges of the plan.
    pub covers: watch::Receiver<Option<Arc<v1::Coverage>>>,
    /// What addresses told of their engines.
    pub engines: watch::Receiver<Arc<v1::Engines>>,
}

impl Plans {
    /// Which plan is followed now.
    pub(super) fn runs(&self) -> v1::PlanId {
        self.runs.borrow().clone()
    }
}

/// One session's plans.
pub(super) struct Asked {
    plans: Option<Plans>,
    /// The last plan that came, until it is answered.
    waits: Option<v1::PlanId>,
    answer: Option<v1::PlanStatus>,
}

impl Asked {
    pub(super) fn new(mut plans: Option<Plans>) -> Self {
        if let Some(plans) = &mut plans {
            plans.said.mark_unchanged();
        }
        Self {
            plans,
            waits: None,
            answer: None,
        }
    }

    /// Hands a plan on.
    pub(super) fn received(&mut self, plan: v1::Plan) -> Result<(), &'static str> {
        let plans = self.plans.as_ref().ok_or("a plan, and this agent takes none")?;
        self.waits = Some(plan.id.clone().unwrap_or_default());
        self.answer = None;
        plans.received.send_replace(Some(plan));
        Ok(())
    }

    /// Waits until there is an answer to send. Safe to cancel.
    pub(super) async fn answered(&mut self) {
        let (Some(plans), true) = (&mut self.plans, self.waits.is_some()) else {
            return std::future::pending().await;
        };
        loop {
            if plans.said.changed().await.is_err() {
                return std::future::pending().await;
            }
            let said = plans.said.borrow_and_update().clone();
            if let Some(status) = said.filter(|status| status.plan == self.waits) {
                self.waits = None;
                self.answer = Some(status);
                return;
            }
        }
    }

    /// Whether there is one.
    pub(super) fn ready(&self) -> bool {
        self.answer.is_some()
    }

    /// The answer, to be sent now.
    pub(super) fn take(&mut self) -> Option<v1::PlanStatus> {
        self.answer.take()
    }
}

/// One session's coverage.
pub(super) struct Covered {
    covers: Option<watch::Receiver<Option<Arc<v1::Coverage>>>>,
    ready: bool,
}

impl Covered {
    /// Each session tells what is known.
    pub(super) fn new(plans: Option<&Plans>) -> Self {
        let mut covers = plans.map(|plans| plans.covers.clone());
        if let Some(covers) = &mut covers {
            covers.mark_changed();
        }
        Self { covers, ready: false }
    }

    /// Waits until there is coverage to tell. Safe to cancel.
    pub(super) async fn moved(&mut self) {
        let Some(covers) = &mut self.covers else {
            return std::future::pending().await;
        };
        loop {
            if covers.changed().await.is_err() {
                return std::future::pending().await;
            }
            if covers.borrow_and_update().is_some() {
                self.ready = true;
                return;
            }
        }
    }

    /// Whether there is some.
    pub(super) fn ready(&self) -> bool {
        self.ready
    }

    /// The newest, to be sent now.
    pub(super) fn take(&mut self) -> Option<v1::Coverage> {
        self.ready = false;
        let covers = self.covers.as_mut()?.borrow_and_update().clone();
        covers.map(Arc::unwrap_or_clone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn plan(revision: u64) -> v1::Plan {
        v1::Plan {
            id: Some(v1::PlanId {
                revision,
                digest: vec![7; 32].into(),
            }),
            ..v1::Plan::default()
        }
    }

    fn status(revision: u64) -> Option<v1::PlanStatus> {
        Some(v1::PlanStatus {
            plan: plan(revision).id,
            ..v1::PlanStatus::default()
        })
    }

    #[tokio::test]
    async fn only_the_plan_that_came_last_in_this_session_is_answered_and_once() {
        let (received, _keep) = watch::channel(None);
        let (_runs, runs) = watch::channel(v1::PlanId::default());
        let (say, said) = watch::channel(None);
        let (cover, covers) = watch::channel(None);
        let (_engines, engines) = watch::channel(Arc::default());
        let plans = Plans {
            received,
            runs,
            said,
            covers,
            engines,
        };
        say.send_replace(status(1));
        let mut session = Asked::new(Some(plans.clone()));
        let hears = async |session: &mut Asked| {
            let _ = tokio::time::timeout(Duration::ZERO, session.answered()).await;
            session.take().map(|status| status.plan.unwrap().revision)
        };
        // Said before the session, or without a question.
        assert_eq!(hears(&mut session).await, None);
        say.send_replace(status(1));
        assert_eq!(hears(&mut session).await, None);
        // The answer to a plan that another came after.
        session.received(plan(2)).unwrap();
        session.received(plan(3)).unwrap();
        assert_eq!(plans.received.borrow().clone(), Some(plan(3)));
        say.send_replace(status(2));
        assert_eq!(hears(&mut session).await, None);
        say.send_replace(status(3));
        assert_eq!(hears(&mut session).await, Some(3));
        say.send_replace(status(3));
        assert_eq!(hears(&mut session).await, None);
        // Coverage: nothing yet, then the newest, once; and to the next session again.
        let covered = async |session: &mut Covered| {
            let _ = tokio::time::timeout(Duration::ZERO, session.moved()).await;
            let told = session.ready().then(|| session.take()).flatten();
            told.map(|coverage| coverage.revision)
        };
        let mut telling = Covered::new(Some(&plans));
        assert_eq!(covered(&mut telling).await, None);
        for revision in [1, 2] {
            cover.send_replace(Some(Arc::new(v1::Coverage {
                revision,
                ..v1::Coverage::default()
            })));
        }
        assert_eq!(covered(&mut telling).await, Some(2));
        assert_eq!(covered(&mut telling).await, None);
        assert_eq!(covered(&mut Covered::new(Some(&plans))).await, Some(2));
        assert_eq!(covered(&mut Covered::new(None)).await, None);
        // Whoever takes none is sent none.
        assert!(Asked::new(None).received(plan(1)).is_err());
    }
}
