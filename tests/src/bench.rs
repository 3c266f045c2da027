//! Figures of the line, measured on this machine in one run.
//!
//! The same reports go three ways, in turns: over a bare stream, into a bare store, and
//! down the whole line. Invariants: ratios are of one run; nothing is computed that can
//! be counted; every wait has an end.

mod figures;
pub(crate) mod process;
mod reports;
mod stream;
mod store;
mod line;
mod unchanged;
pub mod identify;
pub mod evaluate;
pub mod poll;
pub mod view;

pub use figures::{Backlog, Compared, Figure, Figures, Unchanged};

use crate::house::HouseError;
use figures::{hundredths, precise, tenths};
use line::Line;
use prost::bytes::Bytes;
use reports::{Fleet, Mix};
use std::fmt::Display;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long anything small may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// A report of so many octets carries no evidence.
const DIGEST_BYTES: usize = 200;
/// Elements the reports are about, if there are as many reports in a round.
const ELEMENTS: usize = 5_000;
/// Reports whose octets are counted.
const COUNTED: usize = 1_000;
/// Targets by which the memory of what is known of each is measured.
const TARGETS: u32 = 100_000;

/// What to measure.
#[derive(Debug, Clone)]
pub struct Spec {
    /// The `lab` binary.
    pub binary: PathBuf,
    /// Reports in one round.
    pub reports: usize,
    /// Rounds of each way and mix.
    pub rounds: usize,
    /// Reports that wait in the spool.
    pub backlog: usize,
    /// How long an agent is silent.
    pub silence: Duration,
}

/// Why there are no figures.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The house does not stand or no longer does.
    #[error(transparent)]
    House(#[from] HouseError),
    /// The spool cannot be filled.
    #[error(transparent)]
    Spool(#[from] spool::SpoolError),
    /// A report cannot be spooled.
    #[error(transparent)]
    Append(#[from] spool::AppendError),
    /// The bare store fails.
    #[error(transparent)]
    Store(#[from] ::store::StoreError),
    /// A file or socket is not to be had.
    #[error("cannot measure")]
    System(#[from] std::io::Error),
    /// The kernel does not tell what a process costs.
    #[error("cannot tell what a process costs")]
    Process(#[from] procfs::ProcError),
    /// Something is not as it must be for figures to mean anything.
    #[error("{0}")]
    Unexpected(String),
}

/// What no caller can tell apart.
fn broken(error: impl Display) -> BenchError {
    BenchError::Unexpected(error.to_string())
}

/// Measures everything; `note` is told what is being done.
///
/// # Errors
/// [`BenchError`] when something does not do what it is measured at.
pub async fn line(spec: &Spec, note: impl Fn(&str)) -> Result<Figures, BenchError> {
    let begun = Instant::now();
    // First, as long as this process has no memory of its own to give again.
    let known = unchanged::known_bytes_per_target(TARGETS)?;
    let folder = tempfile::Builder::new().prefix("marque-bench-").tempdir()?;
    let mut bench = Bench {
        stream: stream::Stream::open(folder.path()).await?,
        store: store::Bare::open(folder.path()).await?,
        line: Line::start(spec.binary.clone()).await?,
        // Each way has its own reports, so that no store knows them before.
        fleets: [(), ()].map(|()| Fleet::new(spec.reports.min(ELEMENTS))),
    };
    note("access switches");
    let switch = bench.compare(Mix::Switch, spec).await?;
    note("a fleet that changed");
    let mix = bench.compare(Mix::Fleet, spec).await?;
    note("a fleet that did not change");
    let digest = bench.compare(Mix::Unchanged, spec).await?;
    note("unchanged elements on the wire, and an agent that is silent");
    let way = bench.line.way();
    let unchanged = unchanged::measure(way, folder.path(), &mut bench.fleets[1], spec.silence).await?;
    note("a backlog");
    bench.line.rest().await?;
    let waiting = bench.fleets[1].make(Mix::Backlog, spec.backlog);
    let backlog = bench.line.backlog(waiting, known).await?;
    bench.line.stop().await?;
    Ok(Figures {
        cores: std::thread::available_parallelism().map_or(0, usize::from),
        optimised: !cfg!(debug_assertions),
        reports: spec.reports,
        rounds: spec.rounds,
        ratio: switch.ratio.min(mix.ratio).min(digest.ratio),
        switch,
        mix,
        digest,
        unchanged,
        backlog,
        seconds: tenths(begun.elapsed().as_secs_f64()),
    })
}

/// The three ways.
struct Bench {
    stream: stream::Stream,
    store: store::Bare,
    line: Line,
    /// Of the bare store, of the line.
    fleets: [Fleet; 2],
}

impl Bench {
    async fn compare(&mut self, mix: Mix, spec: &Spec) -> Result<Compared, BenchError> {
        let (mut stream, mut store, mut line) = (Vec::new(), Vec::new(), Vec::new());
        let mut octets = 0.0;
        for _ in 0..spec.rounds {
            let [bare, house] = &mut self.fleets;
            let (bare, house) = (bare.make(mix, spec.reports), house.make(mix, spec.reports));
            octets = mean(&bare);
            stream.push(self.stream.carry(bare.clone()).await?);
            store.push(self.store.commit(&bare).await?);
            line.push(self.line.carry(house, false).await?.round);
            // What is concluded from them takes no time from the next round.
            self.line.rest().await?;
        }
        // Counting costs time, so it has a round of its own.
        let [_, house] = &mut self.fleets;
        let counted = house.make(mix, spec.reports.min(COUNTED));
        let wire = self.line.carry(counted, true).await?.wire_bytes;
        self.line.rest().await?;
        let [stream, store, line] = [stream, store, line].map(|rounds| Figure::of(&rounds));
        Ok(Compared::new(octets, wire, stream, store, line))
    }
}

/// Octets a report.
fn mean(reports: &[Bytes]) -> f64 {
    let octets: usize = reports.iter().map(Bytes::len).sum();
    hundredths(precise(octets as u64) / precise(reports.len().max(1) as u64))
}
