//! Every target and what is known of it, and rounds with all of them.

use super::{BenchError, Spec, broken};
use crate::element::Behaviour;
use crate::network::COMMUNITY;
use crate::network::crowd::{AUTHENTICATION, PRIVACY, USER};
use agent::config::PollConfig;
use agent::credential::Credential;
use agent::credential::user::{Password, User};
use agent::plan::{Plan, Profile};
use agent::poll::socket::{Patience, Sockets};
use agent::poll::wire::Version;
use agent::poll::{self, Extent, Learned, Limits};
use agent::report::Report;
use agent::target::Target;
use async_snmp::{AuthProtocol, PrivProtocol};
use proto::v1::Completeness;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Every target and what is known of it.
pub(super) struct Fleet {
    sockets: Sockets,
    credential: Credential,
    plan: Plan,
    limits: Limits,
    patience: Patience,
    in_flight: usize,
    places: Vec<Place>,
}

struct Place {
    target: Target,
    /// Not dead and not hostile.
    behaves: bool,
    learned: Mutex<Learned>,
}

/// Whom a round is with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    /// Everyone.
    All,
    /// Those who behave.
    Behaving,
}

/// What came of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Swept {
    /// From those who behave.
    pub(super) variables: u64,
    /// How many had ended when the last was begun, and after how long that was.
    pub(super) steady: (u64, Duration),
}

/// What a round with all of them is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sweep {
    pub(super) extent: Extent,
    pub(super) kept: bool,
    pub(super) who: Who,
}

impl Fleet {
    pub(super) fn new(spec: &Spec, port: u16) -> Result<Self, BenchError> {
        let config = PollConfig::default();
        let limits = config.limits();
        let place = |n: u32| {
            Ok(Place {
                target: Target::new(spec.crowd.address(n).into(), port).map_err(broken)?,
                behaves: spec.crowd.behaviour(n) == Behaviour::Normal,
                learned: Mutex::new(Learned::nothing(&limits)),
            })
        };
        Ok(Self {
            sockets: Sockets::open(spec.in_flight, 0)?,
            credential: credential(spec.crowd.users)?,
            plan: Plan::of(Profile::Inventory),
            patience: config.patience(),
            in_flight: spec.in_flight,
            places: (0..spec.crowd.elements)
                .map(place)
                .collect::<Result<_, BenchError>>()?,
            limits,
        })
    }

    /// How many behave.
    pub(super) fn behaving(&self) -> u64 {
        let behaving = self.places.iter().filter(|place| place.behaves).count();
        u64::try_from(behaving).unwrap_or(u64::MAX)
    }

    /// One round, until all who behave have ended. The others are left then.
    pub(super) async fn sweep(
        self: &Arc<Self>,
        sweep: Sweep,
        reports: &mpsc::Sender<Report>,
    ) -> Result<Swept, BenchError> {
        let begun = Instant::now();
        let steady = Arc::new(OnceLock::new());
        let next = Arc::new(AtomicUsize::new(0));
        let variables = Arc::new(AtomicU64::new(0));
        let all = self.behaving();
        let left = Arc::new(AtomicU64::new(all));
        let ended = Arc::new(Notify::new());
        let mut workers = JoinSet::new();
        for _ in 0..self.in_flight.min(self.places.len()) {
            let (fleet, next) = (Arc::clone(self), Arc::clone(&next));
            let (variables, left, ended) = (Arc::clone(&variables), Arc::clone(&left), Arc::clone(&ended));
            let steady = Arc::clone(&steady);
            let keep = sweep.kept.then(|| reports.clone());
            workers.spawn(async move {
                while let Some(place) = fleet.places.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if !place.behaves {
                        if sweep.who == Who::All {
                            fleet.disturbed(place, sweep.extent).await;
                        }
                        continue;
                    }
                    let came = fleet.round(place, sweep.extent, keep.as_ref()).await?;
                    variables.fetch_add(came, Ordering::Relaxed);
                    if left.fetch_sub(1, Ordering::Relaxed) == 1 {
                        ended.notify_one();
                    }
                }
                let done = all.saturating_sub(left.load(Ordering::Relaxed));
                steady.get_or_init(|| (done, begun.elapsed()));
                Ok::<_, BenchError>(())
            });
        }
        loop {
            tokio::select! {
                biased;
                () = ended.notified() => break,
                worker = workers.join_next() => match worker {
                    Some(worker) => worker.map_err(broken)??,
                    None => break,
                },
            }
        }
        Ok(Swept {
            variables: variables.load(Ordering::Relaxed),
            steady: steady.get().copied().unwrap_or_default(),
        })
    }

    /// A round with one who does not behave: whatever comes of it.
    async fn disturbed(&self, place: &Place, extent: Extent) {
        let mut learned = place
            .learned
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let deadline = Instant::now() + self.limits.deadline;
        let conversation = self
            .sockets
            .converse(place.target, &self.credential, self.patience, deadline);
        poll::round(
            conversation,
            &self.plan,
            &self.limits,
            &mut learned,
            (extent, SystemTime::now(), &mut agent::poll::Room::alone()),
        )
        .await;
    }

    async fn round(
        &self,
        place: &Place,
        extent: Extent,
        keep: Option<&mpsc::Sender<Report>>,
    ) -> Result<u64, BenchError> {
        let target = place.target;
        let known = || place.learned.lock().unwrap_or_else(PoisonError::into_inner);
        let mut learned = known().clone();
        let begun = Instant::now();
        let deadline = begun + self.limits.deadline;
        let conversation = self
            .sockets
            .converse(target, &self.credential, self.patience, deadline);
        let round = poll::round(
            conversation,
            &self.plan,
            &self.limits,
            &mut learned,
            (extent, SystemTime::now(), &mut agent::poll::Room::alone()),
        )
        .await;
        let as_wanted = round.answered && round.refreshed == (extent == Extent::IfMoved);
        if !as_wanted {
            return Err(BenchError::Unexpected(format!(
                "{target} did not answer as it should"
            )));
        }
        let variables = u64::from(round.cost.varbinds);
        if let Some(keep) = keep {
            // Long after the end.
            let about = (target, self.plan.mark(), begun + Duration::from_secs(86_400));
            let report = learned.memory.conclude(about, round, &[]);
            if report.completeness != Completeness::Complete {
                return Err(BenchError::Unexpected(format!("{target} was not walked in full")));
            }
            keep.send(report).await.map_err(broken)?;
        }
        *known() = learned;
        Ok(variables)
    }
}

/// Of the simulated elements.
fn credential(users: bool) -> Result<Credential, BenchError> {
    if !users {
        return Credential::community(Version::V2c, COMMUNITY.into(), "the lab").map_err(broken);
    }
    let auth = Password {
        protocol: AuthProtocol::Sha1,
        secret: AUTHENTICATION.into(),
        origin: "the lab".to_owned(),
    };
    let privacy = Password {
        protocol: PrivProtocol::Aes128,
        secret: PRIVACY.into(),
        origin: "the lab".to_owned(),
    };
    let user = User::new(USER, Some(&auth), Some(&privacy), "").map_err(broken)?;
    Ok(Credential::user(user))
}
