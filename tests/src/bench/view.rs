//! How fast the pages answer on a large network, with many who look and an agent that reports.
//!
//! Invariants: the network got into the store through ingest and was concluded by the collector itself; each viewer
//! keeps a connection of its own and asks for the next page a while after it got the last; an answer other than 200
//! ends the measurement.

use super::figures::{hundredths, precise};
use super::process::usage;
use super::reports::{Fleet, Mix};
use super::store::Bare;
use super::{BenchError, PATIENCE, broken};
use crate::house::http::Asker;
use crate::house::{House, HouseSpec, Summary};
use crate::network::whole;
use collector::web::page::PAGES;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Reports committed at once while the store is filled.
const GROUP: usize = 2_000;
/// How often an open page asks at most: the script's own throttle.
const PAUSE: Duration = Duration::from_secs(1);
/// Between two rounds of the simulated elements that are polled meanwhile.
const INTERVAL_SECONDS: u64 = 5;
/// Names of elements and findings a viewer walks along.
const SAMPLE: usize = 200;

/// What to measure.
#[derive(Debug, Clone)]
pub struct Spec {
    /// The `lab` binary.
    pub binary: PathBuf,
    /// Elements in the store.
    pub elements: usize,
    /// Who look at the same time.
    pub viewers: usize,
    /// How long they look.
    pub seconds: u64,
}

/// What it took.
#[derive(Debug, Clone, Serialize)]
pub struct Figures {
    /// Elements in the store.
    pub elements: usize,
    /// Findings open.
    pub findings: usize,
    /// Who looked.
    pub viewers: usize,
    /// Seconds from the first report to the last conclusion while the store was filled.
    pub filling_seconds: f64,
    /// Reports that came in while they looked.
    pub ingested: usize,
    /// By page, as its path without names.
    pub pages: BTreeMap<String, Page>,
    /// All of them together.
    pub all: Page,
    /// Octets of the collector's memory, the most.
    pub peak_bytes: u64,
    /// Processor cores of the machine.
    pub cores: usize,
    /// Whether this program was built with optimisation.
    pub optimised: bool,
}

/// Answers to one kind of page.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Page {
    /// How many were got.
    pub answers: usize,
    /// Half were got within so many milliseconds.
    pub p50_ms: f64,
    /// All but one of a hundred.
    pub p99_ms: f64,
    /// The slowest.
    pub most_ms: f64,
    /// Octets of the largest, compressed as sent.
    pub bytes: usize,
}

impl Page {
    fn of(mut times: Vec<(Duration, usize)>) -> Self {
        times.sort_unstable();
        let at = |share: usize| {
            let position = (times.len() * share).div_ceil(100).saturating_sub(1);
            times
                .get(position)
                .map_or(0.0, |(took, _)| hundredths(took.as_secs_f64() * 1e3))
        };
        Self {
            answers: times.len(),
            p50_ms: at(50),
            p99_ms: at(99),
            most_ms: at(100),
            bytes: times.iter().map(|(_, octets)| *octets).max().unwrap_or_default(),
        }
    }
}

/// Fills a house, lets many look at it while reports come in, and times what they get.
///
/// # Errors
/// [`BenchError`] when the house does not stand or a page is not answered.
pub async fn view(spec: &Spec, note: impl Fn(&str)) -> Result<Figures, BenchError> {
    let plan = whole().map_err(BenchError::Unexpected)?;
    let site = plan
        .sites
        .first()
        .map_or_else(String::new, |site| site.name.clone());
    let mut house = HouseSpec::new(spec.binary.clone(), plan);
    (house.interval_seconds, house.full_round_seconds) = (INTERVAL_SECONDS, INTERVAL_SECONDS);
    let mut house = House::start(house).await?;
    note("a network that is stored and concluded");
    let begun = Instant::now();
    house.kill_collector().await?;
    let mut bare = Bare::at(&house.data().join("collector.db"), &site).await?;
    let mut fleet = Fleet::new(spec.elements);
    let mut left = spec.elements;
    while left > 0 {
        let some = left.min(GROUP);
        bare.commit(&fleet.make(Mix::Network, some)).await?;
        left -= some;
    }
    bare.close().await;
    house.start_collector().await?;
    let concluded = |seen: &Summary| {
        seen.elements > spec.elements && seen.pending.unidentified + seen.pending.unevaluated == 0
    };
    house.wait_until(PATIENCE * 60, concluded).await?;
    let filling_seconds = hundredths(begun.elapsed().as_secs_f64());
    note("pages while reports come in");
    let before = house.summary().await?;
    let paths = Arc::new(paths(&house, &site).await?);
    let until = Instant::now() + Duration::from_secs(spec.seconds);
    let mut viewers = JoinSet::new();
    for number in 0..spec.viewers {
        viewers.spawn(look(house.asker().await?, Arc::clone(&paths), number, until));
    }
    let mut pages: BTreeMap<String, Vec<(Duration, usize)>> = BTreeMap::new();
    while let Some(seen) = viewers.join_next().await {
        for (kind, took, octets) in seen.map_err(broken)?? {
            pages.entry(kind).or_default().push((took, octets));
        }
    }
    let after = house.summary().await?;
    let peak_bytes = usage(Some(house.process("collector")?))?.peak;
    house.stop().await?;
    Ok(Figures {
        elements: after.elements,
        findings: after.findings.get("open").copied().unwrap_or_default(),
        viewers: spec.viewers,
        filling_seconds,
        ingested: after.reports.saturating_sub(before.reports),
        all: Page::of(pages.values().flatten().copied().collect()),
        pages: pages
            .into_iter()
            .map(|(kind, times)| (kind, Page::of(times)))
            .collect(),
        peak_bytes,
        cores: std::thread::available_parallelism().map_or(0, usize::from),
        optimised: !cfg!(debug_assertions),
    })
}

/// Every page people go to, and elements, findings and evidence as far as lists name them: kind and path.
async fn paths(house: &House, site: &str) -> Result<Vec<(String, Vec<String>)>, BenchError> {
    let mut kinds: Vec<(String, Vec<String>)> = PAGES
        .iter()
        .map(|(_, path, ..)| ((*path).to_owned(), vec![(*path).to_owned()]))
        .collect();
    for (list, key) in [("elements", "element"), ("findings", "finding")] {
        let text = house.get(&format!("/api/v1/{list}?limit={SAMPLE}")).await?;
        let page: Value = serde_json::from_str(&text).map_err(broken)?;
        let rows = page.get("rows").and_then(Value::as_array);
        let named = rows
            .into_iter()
            .flatten()
            .filter_map(|row| row.get(key)?.as_str());
        let named: Vec<_> = named.map(|name| format!("/{list}/{name}")).collect();
        if named.is_empty() {
            return Err(BenchError::Unexpected(format!("there are no {list} to look at")));
        }
        kinds.push((format!("/{list}/…"), named));
    }
    // Lists are left by their next page and by what a filter names.
    kinds.push((
        "/elements?text=…".to_owned(),
        vec!["/elements?text=lab-77".to_owned()],
    ));
    kinds.push((
        "/findings?site=…".to_owned(),
        vec![format!("/findings?site={site}")],
    ));
    Ok(kinds)
}

/// One viewer: a page after the other, a while apart, until the end.
async fn look(
    mut asker: Asker,
    kinds: Arc<Vec<(String, Vec<String>)>>,
    number: usize,
    until: Instant,
) -> Result<Vec<(String, Duration, usize)>, BenchError> {
    let mut seen = Vec::new();
    // Not all at the same moment.
    tokio::time::sleep(PAUSE.mul_f64(precise(number as u64 % 50) / 50.0)).await;
    for turn in number.. {
        if Instant::now() >= until {
            break;
        }
        let kind = kinds.get(turn % kinds.len().max(1));
        let Some((kind, paths)) = kind else { break };
        let Some(path) = paths.get(turn * 7 % paths.len().max(1)) else {
            break;
        };
        let begun = Instant::now();
        let octets = asker.get(path).await.map_err(BenchError::Unexpected)?;
        seen.push((kind.clone(), begun.elapsed(), octets));
        tokio::time::sleep(PAUSE).await;
    }
    Ok(seen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_what_was_measured() {
        let times = (1..=200).map(|n| (Duration::from_millis(n), 1_000)).collect();
        let page = Page::of(times);
        assert_eq!((page.answers, page.bytes), (200, 1_000));
        assert_eq!((page.p50_ms, page.p99_ms, page.most_ms), (100.0, 198.0, 200.0));
        assert_eq!(Page::of(Vec::new()).answers, 0);
    }
}
