//! What polling costs: full rounds and refresh rounds with simulated elements.
//!
//! Elements run in a process of their own, the poller in this one, with the agent's own
//! code. Invariants: every figure is of rounds in which every element answered in full;
//! elements count packets and octets; rounds alternate between the ways.

use super::figures::{hundredths, median, precise, tenths, whole};
use super::{BenchError, broken, process};
use crate::network::{COMMUNITY, Plan as Network};
use agent::config::PollConfig;
use agent::credential::Credential;
use agent::keep::{self, Shared};
use agent::plan::{Plan, Profile};
use agent::poll::socket::{Patience, Sockets};
use agent::poll::wire::Version;
use agent::poll::{self, Extent, Learned, Limits};
use agent::report::Report;
use agent::target::Target;
use procfs::Current as _;
use proto::v1::Completeness;
use serde::Serialize;
use spool::{Options, Spool};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Reports that may wait for the spool.
const QUEUE: usize = 64;

/// What to measure.
#[derive(Debug, Clone)]
pub struct Spec {
    /// The `lab` binary.
    pub binary: PathBuf,
    /// Simulated elements.
    pub elements: u32,
    /// Rounds of each way.
    pub rounds: usize,
    /// Elements polled at once.
    pub in_flight: usize,
}

/// One way of polling, medians of its rounds, all for one element.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Way {
    /// Elements a second.
    pub per_second: f64,
    /// Of all rounds the slowest and the fastest, elements a second.
    pub spread: [f64; 2],
    /// Milliseconds of the poller's processor time.
    pub cpu_ms: f64,
    /// Requests received.
    pub packets: f64,
    /// Octets of datagrams to the element and back, without headers.
    pub octets: [f64; 2],
}

/// Everything one run measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figures {
    /// Processor cores of the machine.
    pub cores: usize,
    /// Tasks that were running or waiting to, in the minute before and at the end.
    pub load: [f64; 2],
    /// Whether this program was built with optimisation.
    pub optimised: bool,
    /// Simulated elements.
    pub elements: u32,
    /// Polled at once.
    pub in_flight: usize,
    /// Variables of an element in a full round, in the mean.
    pub variables: f64,
    /// Walks: polling alone.
    pub full: Way,
    /// Walks: with reports made and spooled.
    pub full_kept: Way,
    /// Rounds in which nothing moved: polling alone.
    pub refresh: Way,
    /// The same with reports made and spooled.
    pub refresh_kept: Way,
    /// Most octets of the poller's memory.
    pub peak_bytes: u64,
}

/// Measures; `note` is told what is being done.
///
/// # Errors
/// [`BenchError`] when an element does not answer in full or something is not to be had.
pub async fn poll(spec: &Spec, note: impl Fn(&str)) -> Result<Figures, BenchError> {
    let load = || procfs::LoadAverage::current();
    let before = load();
    note("nothing yet, elements start");
    let mut elements = Elements::start(spec).await?;
    let folder = tempfile::Builder::new().prefix("marque-bench-").tempdir()?;
    let options = Options {
        quota_bytes: 1 << 32,
        move_damaged_aside: false,
        clock: SystemTime::now,
    };
    let (spool, _) = Spool::open(&folder.path().join("poll.redb"), &options)?;
    let shared = Shared::new(spool, SystemTime::now);
    let (reports, received) = mpsc::channel(QUEUE);
    let keeping = tokio::spawn(keep::keep(received, shared, CancellationToken::new()));
    let fleet = Arc::new(Fleet::new(spec, elements.port)?);

    note("first contact");
    let first = fleet.sweep(Extent::Full, Some(&reports)).await?;
    let mut ways: [Vec<Measured>; 4] = Default::default();
    for round in 1..=spec.rounds {
        note(&format!("round {round} of {}", spec.rounds));
        let all = [
            (Extent::Full, false),
            (Extent::Full, true),
            (Extent::IfMoved, false),
            (Extent::IfMoved, true),
        ];
        for (way, (extent, kept)) in ways.iter_mut().zip(all) {
            let traffic = elements.traffic().await?;
            let cpu = process::usage(None)?.cpu;
            let begun = Instant::now();
            fleet.sweep(extent, kept.then_some(&reports)).await?;
            let took = begun.elapsed();
            let cpu = process::usage(None)?.cpu.saturating_sub(cpu);
            let after = elements.traffic().await?;
            way.push(Measured {
                took,
                cpu,
                traffic: after.map_with(traffic),
            });
        }
    }
    drop(reports);
    keeping.await.map_err(broken)?.map_err(broken)?;
    elements.stop().await?;
    let [full, full_kept, refresh, refresh_kept] = ways.map(|way| Way::of(&way, spec.elements));
    let load = [before, load()].map(|load| load.map_or(0.0, |load| hundredths(load.one.into())));
    Ok(Figures {
        cores: std::thread::available_parallelism().map_or(0, usize::from),
        load,
        optimised: !cfg!(debug_assertions),
        elements: spec.elements,
        in_flight: spec.in_flight,
        variables: tenths(precise(first) / f64::from(spec.elements)),
        full,
        full_kept,
        refresh,
        refresh_kept,
        peak_bytes: process::usage(None)?.peak,
    })
}

/// One timed round with every element.
struct Measured {
    took: Duration,
    cpu: Duration,
    traffic: Traffic,
}

impl Way {
    fn of(rounds: &[Measured], elements: u32) -> Self {
        let all = f64::from(elements);
        let of = |figure: &dyn Fn(&Measured) -> f64| median(rounds.iter().map(figure).collect());
        let speed = |round: &Measured| all / round.took.as_secs_f64().max(1e-6);
        let speeds: Vec<f64> = rounds.iter().map(speed).collect();
        let octets = |way: usize| {
            let each = |round: &Measured| round.traffic.octets.get(way).map_or(0.0, |n| precise(*n) / all);
            tenths(of(&each))
        };
        Self {
            per_second: whole(of(&speed)),
            spread: [
                whole(speeds.iter().copied().reduce(f64::min).unwrap_or_default()),
                whole(speeds.iter().copied().reduce(f64::max).unwrap_or_default()),
            ],
            cpu_ms: thousandths(of(&|round| round.cpu.as_secs_f64() * 1e3 / all)),
            packets: hundredths(of(&|round| precise(round.traffic.requests) / all)),
            octets: [octets(0), octets(1)],
        }
    }
}

fn thousandths(n: f64) -> f64 {
    (n * 1_000.0).round() / 1_000.0
}

/// The process of the elements.
struct Elements {
    child: Child,
    ask: ChildStdin,
    told: Lines<BufReader<ChildStdout>>,
    port: u16,
}

/// What elements counted.
#[derive(Debug, Clone, Copy)]
struct Traffic {
    requests: u64,
    octets: [u64; 2],
}

impl Traffic {
    /// Since an earlier count.
    fn map_with(self, earlier: Self) -> Self {
        let [received, sent] = self.octets;
        let [before_received, before_sent] = earlier.octets;
        Self {
            requests: self.requests.saturating_sub(earlier.requests),
            octets: [
                received.saturating_sub(before_received),
                sent.saturating_sub(before_sent),
            ],
        }
    }
}

impl Elements {
    async fn start(spec: &Spec) -> Result<Self, BenchError> {
        let mut child = Command::new(&spec.binary)
            .args(["network", "--mix", &spec.elements.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let missing = || BenchError::Unexpected("the elements have no standard streams".to_owned());
        let ask = child.stdin.take().ok_or_else(missing)?;
        let mut told = BufReader::new(child.stdout.take().ok_or_else(missing)?).lines();
        let port = told.next_line().await?.and_then(|line| line.parse().ok());
        let port = port.ok_or_else(|| BenchError::Unexpected("the elements did not start".to_owned()))?;
        Ok(Self {
            child,
            ask,
            told,
            port,
        })
    }

    async fn traffic(&mut self) -> Result<Traffic, BenchError> {
        self.ask.write_all(b"\n").await?;
        self.ask.flush().await?;
        let line = self.told.next_line().await?.unwrap_or_default();
        let numbers: Vec<u64> = line.split(' ').filter_map(|word| word.parse().ok()).collect();
        match numbers.as_slice() {
            [requests, received, sent] => Ok(Traffic {
                requests: *requests,
                octets: [*received, *sent],
            }),
            _ => Err(BenchError::Unexpected(format!("the elements said {line:?}"))),
        }
    }

    async fn stop(mut self) -> Result<(), BenchError> {
        drop(self.ask);
        self.child.wait().await?;
        Ok(())
    }
}

/// Every target and what is known of it.
struct Fleet {
    sockets: Sockets,
    credential: Credential,
    plan: Plan,
    limits: Limits,
    patience: Patience,
    in_flight: usize,
    places: Vec<(Target, Mutex<Learned>)>,
}

impl Fleet {
    fn new(spec: &Spec, port: u16) -> Result<Self, BenchError> {
        let config = PollConfig::default();
        let limits = config.limits();
        let network = Network::mix(spec.elements);
        let targets = network.elements.iter().map(|placed| {
            let target = Target::new(placed.address.into(), port).map_err(broken)?;
            Ok((target, Mutex::new(Learned::nothing(&limits))))
        });
        Ok(Self {
            sockets: Sockets::open(spec.in_flight, 0)?,
            credential: Credential::community(Version::V2c, COMMUNITY.into(), "the lab").map_err(broken)?,
            plan: Plan::of(Profile::Inventory),
            patience: config.patience(),
            in_flight: spec.in_flight,
            places: targets.collect::<Result<_, BenchError>>()?,
            limits,
        })
    }

    /// One round with everyone; says how many variables came.
    async fn sweep(
        self: &Arc<Self>,
        extent: Extent,
        keep: Option<&mpsc::Sender<Report>>,
    ) -> Result<u64, BenchError> {
        let next = Arc::new(AtomicUsize::new(0));
        let variables = Arc::new(AtomicU64::new(0));
        let mut workers = JoinSet::new();
        for _ in 0..self.in_flight.min(self.places.len()) {
            let (fleet, next, variables) = (Arc::clone(self), Arc::clone(&next), Arc::clone(&variables));
            let keep = keep.cloned();
            workers.spawn(async move {
                while let Some(place) = fleet.places.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let came = fleet.round(place, extent, keep.as_ref()).await?;
                    variables.fetch_add(came, Ordering::Relaxed);
                }
                Ok::<_, BenchError>(())
            });
        }
        while let Some(ended) = workers.join_next().await {
            ended.map_err(broken)??;
        }
        Ok(variables.load(Ordering::Relaxed))
    }

    async fn round(
        &self,
        (target, place): &(Target, Mutex<Learned>),
        extent: Extent,
        keep: Option<&mpsc::Sender<Report>>,
    ) -> Result<u64, BenchError> {
        let known = || place.lock().unwrap_or_else(PoisonError::into_inner);
        let mut learned = known().clone();
        let begun = Instant::now();
        let deadline = begun + self.limits.deadline;
        let conversation = self
            .sockets
            .converse(*target, &self.credential, self.patience, deadline);
        let round = poll::round(
            conversation,
            &self.plan,
            &self.limits,
            &mut learned,
            (extent, SystemTime::now()),
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
            let about = (*target, self.plan.mark(), begun + Duration::from_secs(86_400));
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
