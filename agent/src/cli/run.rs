//! `marque-agent run`: draws the tasks and the queues between them.
//!
//! ```text
//! schedule ─(reports, 64: rounds wait)─► keep ─► spool ─► uplink ◄─(watch)─ renewal
//!    ▲                                     └─ appended ──►┘ │ ▲ └► desk, for couriers
//!    └─(watch)─ follower ◄──(watch: newest plan)────────────┘ │
//!                │  ▲ └──────(watch: what became of it)───────┤
//!                └► discovery ──(watches: coverage, engines)────┘
//!                     (watches: ranges there, found back)
//! schedule ─(whom elements name, 256: dropped)─► discovery
//! traps ─(early targets, 256: dropped)─► schedule
//! ```
//!
//! A full spool holds nobody up: its oldest reports go and a gap takes their place.
//! A full disk holds rounds up until it has room; what waits goes on being sent.
//!
//! Invariants: every task's end is looked at; one that ends by itself ends the
//! program; a signal stops the schedule first, then what it feeds, so that
//! finished rounds are kept.

use crate::admin;
use crate::collector_plan::{Follower, Own};
use crate::config::{ConfigError, Loaded};
use crate::courier::desk::Desk;
use crate::discover::Discovery;
use crate::enrol::Renewal;
use crate::keep::{self, KeepError, Shared};
use crate::plan::OidText;
use crate::poll::socket::Sockets;
use crate::schedule::{Collector, Rounds, Schedule, Work};
use crate::traps::{self, ListenError, Listener};
use crate::uplink::{self, Plans, Uplink};
use spool::{Opened, Options, Spool, SpoolError};
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

/// Reports that may wait for the disk; full: finished rounds wait for it.
const QUEUE: usize = 64;

/// Reports whose neighbours may wait for discovery; full: they are named again by the next walk.
const NAMED: usize = 256;

/// Memory for walks that go on in a later round; full: further ones begin anew.
const UNFINISHED_KIBIBYTES: usize = 64 << 10;

/// In kibibytes.
fn mebibytes(count: u64) -> usize {
    usize::try_from(count << 10).unwrap_or(usize::MAX)
}

/// How often a spool that has no room to be opened is tried.
const LOOK_FOR_ROOM: Duration = Duration::from_secs(1);

/// Why the agent did not start or did not go on.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The spool cannot be used.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// Reports can no longer be kept.
    #[error(transparent)]
    Keep(#[from] KeepError),
    /// The system gives no socket, thread or signal.
    #[error("cannot start")]
    System(#[source] io::Error),
    /// The address for metrics is taken or not ours.
    #[error("cannot listen at {0}")]
    Listen(SocketAddr, #[source] io::Error),
    /// The address for traps is taken or not ours.
    #[error(transparent)]
    Traps(#[from] ListenError),
    /// A bug.
    #[error("{0} ended by itself")]
    Ended(&'static str),
}

/// Reads a configuration and everything it refers to.
///
/// # Errors
/// [`ConfigError`] naming file, line and key.
pub fn check(path: &Path) -> Result<(), ConfigError> {
    Loaded::read(path).map(|loaded| warn_exposed(&loaded.identity))
}

/// A key that others can read is as good as theirs.
fn warn_exposed(identity: &Path) {
    if proto::secret_file::is_exposed(identity) {
        let file = identity.display();
        tracing::warn!(identity.file = %file, "others than its owner may read this key: chmod 600, better enrol anew");
    }
}

/// Runs until a signal.
///
/// # Errors
/// [`RunError`] when it cannot start or go on.
pub fn run(path: &Path, move_damaged_aside: bool, clock: fn() -> SystemTime) -> Result<(), RunError> {
    let loaded = Loaded::read(path)?;
    warn_exposed(&loaded.identity);
    let options = Options {
        quota_bytes: loaded.config.spool.quota_bytes,
        move_damaged_aside,
        clock,
    };
    let (spool, opened) = open(&loaded.spool, &options)?;
    if let Some(aside) = &opened.moved_aside {
        tracing::error!(
            spool.moved_to = %aside.display(),
            reports.lost = opened.lost.map_or("unknown".to_owned(), |lost| lost.to_string()),
            "damaged spool moved aside, its reports are lost and a gap is declared"
        );
    }
    let runtime = tokio::runtime::Runtime::new().map_err(RunError::System)?;
    let result = runtime.block_on(run_tasks(loaded, spool, opened, clock));
    // A blocking call on a hanging disk must not hold the end up.
    runtime.shutdown_timeout(Duration::from_secs(5));
    if result.is_ok() {
        tracing::info!("agent ended");
    }
    result
}

/// Opens the spool as soon as its disk has room for that.
fn open(path: &Path, options: &Options) -> Result<(Spool, Opened), SpoolError> {
    let mut told = false;
    loop {
        match Spool::open(path, options) {
            Err(error @ SpoolError::NoRoom { .. }) => {
                if !told {
                    tracing::error!(%error, "spool cannot be opened before its disk has room");
                    told = true;
                }
                // No signal is caught yet: each ends the program.
                std::thread::park_timeout(LOOK_FOR_ROOM);
            }
            other => return other,
        }
    }
}

async fn run_tasks(
    loaded: Loaded,
    spool: Spool,
    opened: Opened,
    clock: fn() -> SystemTime,
) -> Result<(), RunError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(RunError::System)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(RunError::System)?;
    // From here on a signal ends cleanly.
    tracing::info!(
        agent.version = env!("CARGO_PKG_VERSION"),
        target.count = loaded.assignments.len(),
        spool.waiting = opened.waiting,
        spool.created = opened.created,
        "agent starts"
    );
    let poll = &loaded.config.poll;
    let shared = Shared::new(spool, clock);
    let metrics = admin::record();
    let stop_polling = CancellationToken::new();
    let stop = CancellationToken::new();

    let served = match &loaded.config.admin {
        None => None,
        Some(admin) => {
            let listener = TcpListener::bind(admin.listen)
                .await
                .map_err(|error| RunError::Listen(admin.listen, error))?;
            if let Ok(address) = listener.local_addr() {
                tracing::info!(admin.address = %address, "serving metrics");
            }
            Some(tokio::spawn(admin::serve(
                listener,
                metrics,
                shared.clone(),
                stop.clone(),
            )))
        }
    };
    let in_flight = usize::try_from(poll.in_flight).unwrap_or(usize::MAX);
    let rate = u32::try_from(poll.packets_per_second).unwrap_or(u32::MAX);
    let (naming, named_by_elements) = mpsc::channel(NAMED);
    let rounds = Arc::new(Rounds {
        sockets: Sockets::open(in_flight, rate).map_err(RunError::System)?,
        limits: poll.limits(),
        collector_limit: Arc::default(),
        patience: poll.patience(),
        refusal_pause: Duration::from_secs(poll.refusal_pause_seconds),
        early_pause: Duration::from_secs(
            loaded
                .config
                .traps
                .as_ref()
                .map_or(0, |traps| traps.pause_seconds),
        ),
        full_round: Duration::from_secs(poll.full_round_seconds),
        distrusted: poll.distrust.iter().map(OidText::octets).collect(),
        shared: Collector {
            same: Arc::clone(&shared.same),
            capability: Arc::clone(&shared.capability),
        },
        walking: Arc::new(Semaphore::new(mebibytes(poll.walk_memory_mebibytes))),
        unfinished: Arc::new(Semaphore::new(UNFINISHED_KIBIBYTES)),
        redacted: loaded.config.redact.octets(),
        named: loaded.collector_plan.is_some().then_some(naming),
        clock,
    });
    let own = Own {
        assignments: loaded.assignments,
        questions: Arc::new(loaded.plan),
        interval: Duration::from_secs(poll.interval_seconds),
    };
    let sockets = &rounds.sockets;
    let (mut planning, work, plans) = match loaded.collector_plan {
        None => {
            // Nobody moves it; the value stays.
            let (_, work) = watch::channel(Arc::new(Work::from(own)));
            (JoinSet::new(), work, None)
        }
        Some((path, bounds)) => {
            let found = path.with_added_extension("found");
            let follower = Follower::load(own, bounds, path, sockets.pace(), clock);
            let pauses = (poll.patience().first_contact, rounds.refusal_pause);
            let discovery = Discovery::load(
                (follower.sweep(), named_by_elements),
                found,
                sockets.pace(),
                pauses,
                clock,
            )
            .map_err(RunError::System)?;
            let (received, newest) = watch::channel(None);
            let plans = Plans {
                received,
                runs: follower.runs(),
                said: follower.said(),
                covers: discovery.covers(),
                engines: discovery.engines(),
            };
            let (work, found) = (follower.work(), discovery.found());
            let mut tasks = JoinSet::new();
            tasks.spawn(follower.run(newest, found, stop_polling.clone()));
            tasks.spawn(discovery.run(stop_polling.clone()));
            (tasks, work, Some(plans))
        }
    };
    let (renewed, renewals) = watch::channel(0);
    let renewal = Renewal {
        collector: loaded.config.collector.address.clone(),
        identity: loaded.identity.clone(),
        renewed,
        clock,
    };
    // An agent that nobody can visit polls all the same.
    let desk = Desk::open(
        &loaded.spool,
        shared.clone(),
        loaded.identity.clone(),
        renewal.renewed.clone(),
    );
    if let Err(error) = &desk {
        tracing::error!(%error, "no socket beside the spool, exports work only while this agent does not run");
    }
    let uplink = Uplink {
        address: loaded.config.collector.address.clone(),
        identity: loaded.identity,
        renewals,
        shared: shared.clone(),
        max_pause: Duration::from_secs(loaded.config.collector.reconnect_max_seconds),
        linger: uplink::LINGER,
        collector_limit: Arc::clone(&rounds.collector_limit),
        plans,
    };
    let (early, changed) = mpsc::channel(traps::QUEUE);
    let listener = match &loaded.config.traps {
        None => None,
        Some(traps) => {
            let users = loaded.credentials.iter();
            Some(Listener::open(traps.listen, users, work.clone(), early).await?)
        }
    };
    let schedule = Schedule::new(rounds, work, poll.in_flight);
    let (reports, received) = mpsc::channel(QUEUE);

    let mut scheduling = tokio::spawn(schedule.run(reports, changed, stop_polling.clone()));
    let mut keeping = tokio::spawn(keep::keep(received, shared, stop_polling.clone()));
    let mut sending = tokio::spawn(uplink.run(stop.clone()));
    let mut renewing = tokio::spawn(renewal.run(stop.clone()));
    let mut visiting = match desk {
        Ok(desk) => tokio::spawn(desk.run(stop.clone())),
        Err(_) => tokio::spawn(std::future::pending()),
    };
    let mut hearing = match listener {
        Some(listener) => tokio::spawn(listener.run(stop_polling.clone())),
        None => tokio::spawn(std::future::pending()),
    };
    let mut serving = served.unwrap_or_else(|| tokio::spawn(std::future::pending()));

    let ended = tokio::select! {
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
        ended = &mut scheduling => Err(named("the schedule", ended.map(|()| Ok::<_, RunError>(())))),
        ended = &mut keeping => Err(named("keeping reports", ended)),
        ended = &mut sending => Err(named("the uplink", ended)),
        ended = &mut renewing => Err(named("renewal", ended.map(|()| Ok::<_, RunError>(())))),
        Some(ended) = planning.join_next() => Err(named("following plans", ended.map(Ok::<_, RunError>))),
        ended = &mut hearing => Err(named("hearing traps", ended.map(|()| Ok::<_, RunError>(())))),
        ended = &mut visiting => Err(named("the desk", ended.map(|()| Ok::<_, RunError>(())))),
        ended = &mut serving => Err(named("serving metrics", ended.map(|served| served.map_err(RunError::System)))),
    };
    if ended.is_ok() {
        tracing::info!("signal received, ending");
    }
    stop_polling.cancel();
    finish("the schedule", scheduling).await;
    while let Some(ended) = planning.join_next().await {
        if let Err(error) = ended {
            tracing::error!(task.name = "following plans", %error, "task failed while ending");
        }
    }
    finish("keeping reports", keeping).await;
    stop.cancel();
    finish("the uplink", sending).await;
    finish("renewal", renewing).await;
    hearing.abort();
    visiting.abort();
    serving.abort();
    ended
}

/// Why a task that should go on for ever did not.
fn named<E: Into<RunError>>(
    name: &'static str,
    ended: Result<Result<(), E>, tokio::task::JoinError>,
) -> RunError {
    match ended {
        Ok(Err(error)) => error.into(),
        Ok(Ok(())) | Err(_) => RunError::Ended(name),
    }
}

/// Waits for a task at the end of the program; its failure is said, not returned.
async fn finish<T>(name: &'static str, task: JoinHandle<T>) {
    if !task.is_finished()
        && let Err(error) = task.await
    {
        tracing::error!(task.name = name, %error, "task failed while ending");
    }
}
