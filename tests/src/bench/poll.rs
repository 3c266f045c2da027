//! What polling costs: full rounds and refresh rounds with simulated elements.
//!
//! Elements run in a process of their own, the poller in this one, with the agent's own
//! code. Invariants: every figure is of rounds in which every element answered in full;
//! elements count packets and octets; rounds alternate between the ways.

mod elements;
mod fleet;

use super::figures::{hundredths, median, precise, tenths, whole};
use super::{BenchError, broken, process};
use crate::network::crowd;
use agent::keep::{self, Shared};
use agent::poll::Extent;
use elements::{Elements, Traffic};
use fleet::{Fleet, Sweep, Who};
use procfs::Current as _;
use serde::Serialize;
use spool::{Options, Spool};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Reports that may wait for the spool.
const QUEUE: usize = 64;

/// What to measure.
#[derive(Debug, Clone)]
pub struct Spec {
    /// The `lab` binary.
    pub binary: PathBuf,
    /// UDP port of elements that run already, and the TCP port of their counts.
    pub at: Option<[u16; 2]>,
    /// The elements.
    pub crowd: crowd::Spec,
    /// Rounds of each way.
    pub rounds: usize,
    /// Elements polled at once.
    pub in_flight: usize,
    /// What to measure; everything if there is nothing.
    pub only: Vec<Kind>,
}

/// A way of polling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// Walks: polling alone.
    Full,
    /// Walks: with reports made and spooled.
    FullKept,
    /// Rounds in which nothing moved: polling alone.
    Refresh,
    /// The same with reports made and spooled.
    RefreshKept,
}

/// One way of polling, medians of its rounds, all for one element.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Way {
    /// Elements a second.
    pub per_second: f64,
    /// Of all rounds the slowest and the fastest, elements a second.
    pub spread: [f64; 2],
    /// Elements a second as long as there were others to begin: what the slowest at the end
    /// hold up is not in it.
    pub steady_per_second: f64,
    /// Milliseconds of the poller's processor time.
    pub cpu_ms: f64,
    /// Requests received; one more than exchanges for each that was sent again.
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
    /// The version of SNMP.
    pub version: &'static str,
    /// How long elements take to answer, in milliseconds.
    pub latency_ms: u64,
    /// Of a hundred elements so many are dead or hostile; figures are of the others.
    pub hostile: u32,
    /// Variables of an element in a full round, in the mean.
    pub variables: f64,
    /// Walks: polling alone.
    pub full: Option<Way>,
    /// Walks as long as only those are polled who behave, where others do not.
    pub undisturbed: Option<Way>,
    /// By how much the others slow it down: 0.05 is 5 %.
    pub slowdown: Option<f64>,
    /// Walks: with reports made and spooled.
    pub full_kept: Option<Way>,
    /// Rounds in which nothing moved: polling alone.
    pub refresh: Option<Way>,
    /// The same with reports made and spooled.
    pub refresh_kept: Option<Way>,
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
    let known = Sweep {
        extent: Extent::Full,
        kept: true,
        who: Who::Behaving,
    };
    let variables = fleet.sweep(known, &reports).await?.variables;
    let sweeps = SWEEPS.map(|(kind, sweep)| {
        let disturbed = spec.crowd.hostile > 0;
        let asked = spec.only.is_empty() || spec.only.contains(&kind);
        (asked && (disturbed || sweep.who == Who::All)).then_some(sweep)
    });
    let mut ways: [Vec<Measured>; 5] = Default::default();
    for round in 1..=spec.rounds {
        note(&format!("round {round} of {}", spec.rounds));
        for (way, sweep) in ways.iter_mut().zip(sweeps) {
            let Some(sweep) = sweep else { continue };
            let traffic = elements.traffic().await?;
            let cpu = process::usage(None)?.cpu;
            let begun = Instant::now();
            let swept = fleet.sweep(sweep, &reports).await?;
            let took = begun.elapsed();
            let cpu = process::usage(None)?.cpu.saturating_sub(cpu);
            way.push(Measured {
                took,
                cpu,
                steady: swept.steady,
                traffic: elements.traffic().await?.since(traffic),
            });
        }
    }
    drop(reports);
    keeping.await.map_err(broken)?.map_err(broken)?;
    elements.stop().await?;
    let slowdowns = ways[0].iter().zip(&ways[1]);
    let slowdowns =
        slowdowns.map(|(all, few)| all.took.as_secs_f64() / few.took.as_secs_f64().max(1e-6) - 1.0);
    let slowdowns: Vec<f64> = slowdowns.collect();
    let behaving = precise(fleet.behaving());
    let [full, undisturbed, full_kept, refresh, refresh_kept] = ways.map(|way| Way::of(&way, behaving));
    let load = [before, load()].map(|load| load.map_or(0.0, |load| hundredths(load.one.into())));
    Ok(Figures {
        cores: std::thread::available_parallelism().map_or(0, usize::from),
        load,
        optimised: !cfg!(debug_assertions),
        elements: spec.crowd.elements,
        in_flight: spec.in_flight,
        version: if spec.crowd.users { "3" } else { "2c" },
        latency_ms: u64::try_from(spec.crowd.latency.as_millis()).unwrap_or(u64::MAX),
        hostile: spec.crowd.hostile,
        variables: tenths(precise(variables) / behaving),
        full,
        slowdown: (!slowdowns.is_empty()).then(|| thousandths(median(slowdowns))),
        undisturbed,
        full_kept,
        refresh,
        refresh_kept,
        peak_bytes: process::usage(None)?.peak,
    })
}

/// In the order of measuring.
const SWEEPS: [(Kind, Sweep); 5] = {
    const fn sweep(extent: Extent, kept: bool, who: Who) -> Sweep {
        Sweep { extent, kept, who }
    }
    [
        (Kind::Full, sweep(Extent::Full, false, Who::All)),
        (Kind::Full, sweep(Extent::Full, false, Who::Behaving)),
        (Kind::FullKept, sweep(Extent::Full, true, Who::All)),
        (Kind::Refresh, sweep(Extent::IfMoved, false, Who::All)),
        (Kind::RefreshKept, sweep(Extent::IfMoved, true, Who::All)),
    ]
};

/// One timed round with every element.
struct Measured {
    took: Duration,
    cpu: Duration,
    steady: (u64, Duration),
    traffic: Traffic,
}

impl Way {
    /// Of these rounds with so many elements; nothing of none.
    fn of(rounds: &[Measured], elements: f64) -> Option<Self> {
        let of = |figure: &dyn Fn(&Measured) -> f64| median(rounds.iter().map(figure).collect());
        let speed = |round: &Measured| elements / round.took.as_secs_f64().max(1e-6);
        let speeds: Vec<f64> = rounds.iter().map(speed).collect();
        let octets = |way: usize| {
            let each = |round: &Measured| {
                round
                    .traffic
                    .octets
                    .get(way)
                    .map_or(0.0, |n| precise(*n) / elements)
            };
            tenths(of(&each))
        };
        Some(Self {
            spread: [
                whole(speeds.iter().copied().reduce(f64::min)?),
                whole(speeds.iter().copied().reduce(f64::max)?),
            ],
            per_second: whole(of(&speed)),
            steady_per_second: whole(of(&|round| {
                let (ended, took) = round.steady;
                precise(ended) / took.as_secs_f64().max(1e-6)
            })),
            cpu_ms: thousandths(of(&|round| round.cpu.as_secs_f64() * 1e3 / elements)),
            packets: hundredths(of(&|round| precise(round.traffic.requests) / elements)),
            octets: [octets(0), octets(1)],
        })
    }
}

fn thousandths(n: f64) -> f64 {
    (n * 1_000.0).round() / 1_000.0
}
