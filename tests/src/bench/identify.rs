//! How fast a stored fleet is identified again after new knowledge came: read, concluded, compared and marked done.
//!
//! Invariants: every element has evidence of its own; the work is that of the collector's reconciler, and nothing else
//! is at work in this process.

use super::figures::{hundredths, precise};
use super::process::usage;
use super::reports::{Fleet, Mix};
use super::store::Bare;
use super::{BenchError, broken};
use ::identify::Knowledge;
use ::identify::knowledge::KnowledgeFile;
use ::store::Store;
use ::store::record::{Stage, StageVersion};
use model::Instant as Micros;
use serde::Serialize;
use std::path::Path;
use std::time::{Duration, Instant};

/// A supplier that made nothing in the fleet: new knowledge that changes little.
const OTHER: &str = "own_works\tOwn Works\tmaker\town works*\tOwnWorks\t\t\tour purchase files\n";
/// Reports committed at once while the store is filled.
const GROUP: usize = 2_000;
/// After every report.
pub(super) const NOW: Micros = Micros(1_760_000_000_000_000);

/// What it took.
#[derive(Debug, Clone, Serialize)]
pub struct Figures {
    /// Elements in the store.
    pub elements: usize,
    /// The first time, when everything is written.
    pub first: Speed,
    /// With other knowledge that changes nothing of them.
    pub again: Speed,
    /// Processor cores of the machine.
    pub cores: usize,
    /// Whether this program was built with optimisation.
    pub optimised: bool,
}

/// Elements identified.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Speed {
    /// A second, by the clock.
    pub per_second: f64,
    /// For each second of processor time: what one core does that has nothing else to do.
    pub per_core_second: f64,
    /// Microseconds of processor time for one.
    pub cpu_micros: f64,
}

/// Fills a store and identifies it twice.
///
/// # Errors
/// [`BenchError`] when the store does not do what it is measured at.
pub async fn identify(elements: usize, note: impl Fn(&str)) -> Result<Figures, BenchError> {
    let folder = tempfile::Builder::new().prefix("marque-bench-").tempdir()?;
    note("a fleet that is stored");
    let bare = stored(folder.path(), elements).await?;
    let built_in = Knowledge::built_in().map_err(broken)?;
    let other = KnowledgeFile {
        name: "suppliers.tsv".to_owned(),
        text: OTHER.into(),
    };
    let other: &'static Knowledge = Box::leak(Box::new(Knowledge::overlaid(vec![other]).map_err(broken)?));
    note("identification for the first time");
    let first = pass(bare.store(), built_in, elements).await?;
    note("identification with other knowledge");
    let again = pass(bare.store(), other, elements).await?;
    Ok(Figures {
        elements,
        first,
        again,
        cores: std::thread::available_parallelism().map_or(0, usize::from),
        optimised: !cfg!(debug_assertions),
    })
}

/// A store that holds a fleet of which nothing was concluded yet.
pub(super) async fn stored(folder: &Path, elements: usize) -> Result<Bare, BenchError> {
    let mut bare = Bare::open(folder).await?;
    let mut fleet = Fleet::new(elements);
    let mut left = elements;
    while left > 0 {
        let some = left.min(GROUP);
        bare.commit(&fleet.make(Mix::Fleet, some)).await?;
        left -= some;
    }
    Ok(bare)
}

pub(super) async fn pass(
    store: &dyn Store,
    knowledge: &'static Knowledge,
    elements: usize,
) -> Result<Speed, BenchError> {
    let version = StageVersion {
        stage: Stage::Identify,
        version: knowledge.version().to_owned(),
    };
    let watch = Watch::start()?;
    store.adopt_version(&version, NOW).await?;
    let mut done = 0;
    loop {
        match collector::identify::step(store, knowledge, NOW).await? {
            0 => break,
            some => done += some,
        }
    }
    let speed = watch.speed(elements)?;
    if done < elements {
        return Err(BenchError::Unexpected(format!(
            "{done} of {elements} were identified"
        )));
    }
    Ok(speed)
}

/// Time that passes, by the clock and of the processor.
pub(super) struct Watch {
    cpu: Duration,
    begun: Instant,
}

impl Watch {
    pub(super) fn start() -> Result<Self, BenchError> {
        Ok(Self {
            cpu: usage(None)?.cpu,
            begun: Instant::now(),
        })
    }

    /// What so many elements took.
    pub(super) fn speed(&self, elements: usize) -> Result<Speed, BenchError> {
        let took = self.begun.elapsed().as_secs_f64();
        let cpu = usage(None)?.cpu.saturating_sub(self.cpu).as_secs_f64();
        let count = precise(elements as u64);
        // Processor time is counted in hundredths of a second.
        let (took, cpu) = (took.max(1e-6), cpu.max(0.01));
        Ok(Speed {
            per_second: (count / took).round(),
            per_core_second: (count / cpu).round(),
            cpu_micros: hundredths(cpu * 1e6 / count),
        })
    }
}
