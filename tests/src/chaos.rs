//! Faults, tried for real: the house under kill -9, bad links, full disks and clocks
//! that jump, and then the comparison of what was said with what is held.
//!
//! Invariants: the seed fixes the schedule; faults end before the run does; what was
//! not told in time is undrained, an error of its own, and never called lost.

pub mod schedule;
pub mod disk;
pub mod clock;
pub mod witness;
pub mod judge;
mod gather;

use crate::element::{Behaviour, Element, Tells};
use crate::house::{House, HouseSpec, Trial};
use crate::network::Plan;
use crate::proxy::{Mode, Proxy};
use collector::admin::chain;
use disk::Disk;
use schedule::{Fault, Kind, schedule};
use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use witness::Witness;

/// The sites, and how many elements each has.
const SITES: [(&str, u8); 2] = [("north", 40), ("south", 41)];
const ELEMENTS: usize = 6;
const KINDS: [&str; 3] = ["nokia-7750-sr7", "cisco-asr9010", "arista-7280"];
/// Seconds between two rounds with one element.
const INTERVAL_SECONDS: u64 = 2;
/// As small as an agent allows, so that a long cut overflows it.
const SPOOL_BYTES: u64 = 1 << 20;
/// MiB of the disks.
const SPOOL_DISK: u32 = 24;
const STORE_DISK: u32 = 192;
/// Of the run, for the house to be built.
const BUILDING: Duration = Duration::from_secs(5);
/// After the faults, for everything to arrive; what remains of 20 s is for the judge.
const DRAINING: Duration = Duration::from_secs(13);
/// How often the logs are read and the time is looked at.
const LOOK: Duration = Duration::from_millis(50);
/// How often a collector that does not start is tried again.
const AGAIN: Duration = Duration::from_millis(500);

/// What came out of a run.
#[derive(Debug, serde::Serialize)]
pub struct Outcome {
    /// Reports at the collector.
    pub reports: usize,
    /// What is nowhere and not declared lost.
    pub lost: usize,
    /// What counts twice.
    pub duplicated: usize,
    /// Sequences declared lost.
    pub gaps_declared: u64,
    /// Faults by kind.
    pub faults: BTreeMap<&'static str, usize>,
    /// From the end of a fault to the next acknowledgement on its line, milliseconds.
    pub recovery_ms_p99: u64,
    /// How often a full disk was met: sessions that the collector could not serve,
    /// times that an agent's polling waited.
    pub disk_full_met: BTreeMap<&'static str, usize>,
    /// Whether everything kept when the faults ended was acknowledged in time.
    pub drained: bool,
    /// Answers found in evidence.
    pub words: usize,
    /// Processes that ended though nobody killed them.
    pub ended_by_themselves: usize,
    /// How long it took.
    pub seconds: f64,
    /// Each fault of the house in words.
    #[serde(skip)]
    pub complaints: Vec<String>,
}

impl Outcome {
    /// Whether nothing was lost or doubled and everything arrived.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.lost + self.duplicated + self.ended_by_themselves == 0 && self.drained
    }
}

/// Runs for so long and judges. `tell` is told what happens.
///
/// # Errors
/// A sentence when the house cannot be built or looked at.
pub async fn run(
    seconds: u64,
    seed: u64,
    data: &Path,
    tell: &dyn Fn(&dyn std::fmt::Display),
) -> Result<Outcome, String> {
    let begun = Instant::now();
    let window = Duration::from_secs(seconds).saturating_sub(BUILDING);
    let faults = schedule(seed, window, SITES.len());
    let mut trial = Running::build(data, tell).await?;
    let start = Instant::now();
    let late = begun.elapsed().saturating_sub(BUILDING);
    if !late.is_zero() {
        trial.note(&format_args!("the house took {} ms longer", late.as_millis()));
    }
    trial.befall(&faults, start).await?;
    let until = begun + Duration::from_secs(seconds) + DRAINING;
    let drained = trial.drain(until).await?;
    let mut outcome = trial.judge(&faults, drained).await?;
    outcome.seconds = (begun.elapsed().as_secs_f64() * 10.0).round() / 10.0;
    Ok(outcome)
}

/// A house under trial.
struct Running<'a> {
    house: House,
    elements: Vec<Arc<Element>>,
    port: u16,
    proxies: Vec<Proxy>,
    witnesses: Vec<Witness>,
    spools: Disk,
    store: Disk,
    data: PathBuf,
    recovering: Vec<Recovering>,
    recovered: Vec<Duration>,
    ended: Vec<String>,
    /// When the collector is tried again.
    collector_due: Option<Instant>,
    tell: &'a dyn Fn(&dyn std::fmt::Display),
}

/// How one line fares.
#[derive(Debug, Clone, Copy, Default)]
struct Recovering {
    /// Faults on it now.
    faults: usize,
    /// When the last of them ended.
    since: Option<Instant>,
}

impl<'a> Running<'a> {
    async fn build(data: &Path, tell: &'a dyn Fn(&dyn std::fmt::Display)) -> Result<Self, String> {
        let spools = Disk::mount(&data.join("spools"), SPOOL_DISK)?;
        let store = Disk::mount(&data.join("store"), STORE_DISK)?;
        let grpc = free_port().map_err(|error| format!("no free port: {error}"))?;
        let (mut proxies, mut through) = (Vec::new(), BTreeMap::new());
        for (site, _) in SITES {
            let proxy = Proxy::start(grpc)
                .await
                .map_err(|error| format!("no proxy: {error}"))?;
            through.insert(site.to_owned(), proxy.address());
            proxies.push(proxy);
        }
        let clocks = std::iter::once("collector".to_owned()).chain(SITES.map(|(site, _)| agent(site)));
        let environment = clocks.flat_map(|name| {
            let clock = clock_file(data, &name).to_string_lossy().into_owned();
            let log = "info,async_snmp=warn,agent::keep=debug,agent::uplink=debug".to_owned();
            [
                (name.clone(), clock::CLOCK.to_owned(), clock),
                (name, "MARQUE_LOG".to_owned(), log),
            ]
        });
        let binary = std::env::current_exe().map_err(|error| format!("cannot find itself: {error}"))?;
        let mut spec = HouseSpec::new(binary, plan());
        spec.data = Some(data.join("house"));
        spec.grpc = Some(grpc);
        spec.interval_seconds = INTERVAL_SECONDS;
        spec.spool_quota_bytes = Some(SPOOL_BYTES);
        spec.trial = Some(Trial {
            through,
            spools: spools.root().to_owned(),
            store: store.root().to_owned(),
            reconnect_max_seconds: 2,
            environment: environment.collect(),
        });
        let house = House::start(spec).await.map_err(|error| chain(&error))?;
        let log = |(site, _): (&str, u8)| Witness::new(house.data().join(format!("{}.log", agent(site))));
        Ok(Self {
            elements: house.network().elements().to_vec(),
            port: house.network().port,
            witnesses: SITES.map(log).into(),
            house,
            proxies,
            spools,
            store,
            data: data.to_owned(),
            recovering: vec![Recovering::default(); SITES.len()],
            recovered: Vec::new(),
            ended: Vec::new(),
            collector_due: None,
            tell,
        })
    }

    fn note(&self, line: &dyn std::fmt::Display) {
        (self.tell)(line);
    }

    /// Lets everything on the schedule happen.
    async fn befall(&mut self, faults: &[Fault], start: Instant) -> Result<(), String> {
        let mut full: Vec<Kind> = Vec::new();
        for (at, begins, fault) in order(faults) {
            while start.elapsed() < at {
                self.look().await;
                for kind in &full {
                    self.disk(*kind)
                        .fill()
                        .map_err(|error| format!("ballast: {error}"))?;
                }
            }
            let state = if begins { "begins" } else { "ends" };
            self.note(&format_args!(
                "{:6.2} {} {} {state}",
                start.elapsed().as_secs_f64(),
                fault.kind.as_str(),
                site(fault.line)
            ));
            if begins {
                self.begin(&fault, &mut full).await?;
            } else {
                self.end(&fault, &mut full).await?;
            }
        }
        Ok(())
    }

    async fn begin(&mut self, fault: &Fault, full: &mut Vec<Kind>) -> Result<(), String> {
        for recovering in self.lines(fault) {
            recovering.faults += 1;
            recovering.since = None;
        }
        let chance = fault.chance;
        let mode = match fault.kind {
            Kind::KillAgent => {
                return self
                    .house
                    .kill_agent(site(fault.line))
                    .await
                    .map_err(|error| chain(&error));
            }
            Kind::KillCollector => {
                self.collector_due = None;
                return self.house.kill_collector().await.map_err(|error| chain(&error));
            }
            Kind::SpoolDisk | Kind::StoreDisk => {
                if fault.kind == Kind::StoreDisk {
                    gather::cut_journal(&self.store_file()).await;
                }
                full.push(fault.kind);
                return self
                    .disk(fault.kind)
                    .fill()
                    .map_err(|error| format!("ballast: {error}"));
            }
            Kind::AgentClock | Kind::CollectorClock => {
                let name = match fault.kind {
                    Kind::AgentClock => agent(site(fault.line)),
                    _ => "collector".to_owned(),
                };
                // A minute to some hours, either way.
                let seconds = i64::try_from(60 + chance % 14_400).unwrap_or(60);
                let seconds = if chance >> 32 & 1 == 0 { seconds } else { -seconds };
                return clock::jump(&clock_file(&self.data, &name), seconds)
                    .map_err(|error| format!("clock: {error}"));
            }
            Kind::Cut => Mode::Cut,
            Kind::Slow => Mode::Slow {
                latency: Duration::from_millis(20 + chance % 180),
                bytes_per_second: u32::try_from(20_000 + (chance >> 16) % 80_000).unwrap_or(20_000),
            },
            Kind::HalfOpen => Mode::HalfOpen,
            Kind::Reordered => Mode::Reordered,
        };
        self.link(fault.line, mode);
        Ok(())
    }

    async fn end(&mut self, fault: &Fault, full: &mut Vec<Kind>) -> Result<(), String> {
        match fault.kind {
            Kind::KillAgent => {
                self.house
                    .start_agent(site(fault.line))
                    .map_err(|error| chain(&error))?;
            }
            Kind::KillCollector => self.collector_due = Some(Instant::now()),
            Kind::SpoolDisk | Kind::StoreDisk => {
                full.retain(|kind| *kind != fault.kind);
                self.disk(fault.kind)
                    .empty()
                    .map_err(|error| format!("ballast: {error}"))?;
            }
            Kind::Cut | Kind::Slow | Kind::HalfOpen | Kind::Reordered => self.link(fault.line, Mode::Pass),
            Kind::AgentClock | Kind::CollectorClock => {}
        }
        self.look().await;
        let now = Instant::now();
        for recovering in self.lines(fault) {
            recovering.faults = recovering.faults.saturating_sub(1);
            recovering.since = (recovering.faults == 0).then_some(now);
        }
        Ok(())
    }

    fn store_file(&self) -> PathBuf {
        self.store.root().join("collector.db")
    }

    fn link(&self, line: usize, mode: Mode) {
        if let Some(proxy) = self.proxies.get(line) {
            proxy.set(mode);
        }
    }

    fn disk(&self, kind: Kind) -> &Disk {
        if kind == Kind::SpoolDisk {
            &self.spools
        } else {
            &self.store
        }
    }

    /// Those that feel it.
    fn lines(&mut self, fault: &Fault) -> impl Iterator<Item = &mut Recovering> {
        let (kind, own) = (fault.kind, fault.line);
        let all = self.recovering.iter_mut().enumerate();
        all.filter(move |(line, _)| !kind.is_of_one_line() || *line == own)
            .map(|(_, recovering)| recovering)
    }

    /// Reads the logs, starts what is due, and sees who ended.
    async fn look(&mut self) {
        tokio::time::sleep(LOOK).await;
        if self.collector_due.is_some_and(|due| Instant::now() >= due) {
            // With no room under its store it does not start: it is tried again, as a
            // supervisor does.
            self.collector_due = match self.house.start_collector().await {
                Ok(()) => None,
                Err(error) => {
                    self.note(&chain(&error));
                    Some(Instant::now() + AGAIN)
                }
            };
        }
        for (witness, recovering) in self.witnesses.iter_mut().zip(&mut self.recovering) {
            witness.look();
            if let (Some(since), Some(ack)) = (recovering.since, witness.last_ack)
                && ack > since
            {
                self.recovered.push(ack - since);
                recovering.since = None;
            }
        }
        if let Some(ended) = self.house.ended()
            && !self.ended.contains(&chain(&ended))
        {
            self.note(&chain(&ended));
            self.ended.push(chain(&ended));
        }
    }

    /// Waits until all that was kept by now is acknowledged.
    async fn drain(&mut self, until: Instant) -> Result<bool, String> {
        self.look().await;
        let last = |witness: &Witness| witness.kept.last().map_or(1, |kept| kept.sequence);
        let kept: Vec<u64> = self.witnesses.iter().map(last).collect();
        loop {
            let acked = self
                .witnesses
                .iter()
                .zip(&kept)
                .all(|(witness, kept)| witness.acked >= *kept);
            if acked && self.collector_due.is_none() {
                return Ok(true);
            }
            if Instant::now() >= until {
                return Ok(false);
            }
            self.look().await;
        }
    }

    /// Ends everything as a power cut would, and compares.
    async fn judge(mut self, faults: &[Fault], drained: bool) -> Result<Outcome, String> {
        let store = self.store_file();
        self.house.stop().await.map_err(|error| chain(&error))?;
        for witness in &mut self.witnesses {
            witness.look();
        }
        let spool = |(site, _): (&str, u8)| self.spools.root().join(format!("{}.redb", agent(site)));
        let lines = SITES
            .iter()
            .zip(self.witnesses)
            .map(|(site, witness)| gather::line(site.0, &spool(*site), witness));
        let truth = judge::Truth {
            lines: lines.collect::<Result<_, _>>()?,
            said: gather::said(&self.elements, self.port),
        };
        let held = gather::held(&store).await?;
        let judgement = judge::judge(&truth, &held);
        let met = |log: &str, words: &str| {
            let log = std::fs::read_to_string(self.data.join("house").join(log)).unwrap_or_default();
            log.matches(words).count()
        };
        let waited = SITES.map(|(site, _)| met(&format!("{}.log", agent(site)), "disk has no room"));
        let disk_full_met = BTreeMap::from([
            (Kind::SpoolDisk.as_str(), waited.iter().sum()),
            (Kind::StoreDisk.as_str(), met("collector.log", " not stored ")),
        ]);
        let mut counts = BTreeMap::new();
        for fault in faults {
            *counts.entry(fault.kind.as_str()).or_default() += 1;
        }
        self.recovered.sort_unstable();
        let p99 = self
            .recovered
            .get((self.recovered.len() * 99).div_ceil(100).saturating_sub(1));
        let mut complaints = judgement.lost.clone();
        complaints.extend(judgement.duplicated.iter().cloned());
        complaints.extend(self.ended.iter().cloned());
        if !drained {
            complaints.push("not everything was acknowledged in time".to_owned());
        }
        Ok(Outcome {
            reports: held.audit.reports.len(),
            lost: judgement.lost.len(),
            duplicated: judgement.duplicated.len(),
            gaps_declared: held.audit.gaps.iter().map(|gap| gap.to - gap.from + 1).sum(),
            faults: counts,
            recovery_ms_p99: p99.map_or(0, |p99| u64::try_from(p99.as_millis()).unwrap_or(u64::MAX)),
            disk_full_met,
            drained,
            words: judgement.words,
            ended_by_themselves: self.ended.len(),
            seconds: 0.0,
            complaints,
        })
    }
}

/// What happens one after the other: at the same moment what ends before what begins,
/// but each fault begins before it ends.
fn order(faults: &[Fault]) -> Vec<(Duration, bool, Fault)> {
    let both = |fault: &Fault| [(fault.at, true, *fault), (fault.at + fault.lasts, false, *fault)];
    let mut to_come: Vec<_> = faults.iter().flat_map(both).collect();
    to_come.sort_by_key(|(at, begins, fault)| (*at, *begins && !fault.lasts.is_zero(), !*begins));
    to_come
}

/// Two sites; of their elements every second says another word each time.
fn plan() -> Plan {
    let mut plan = Plan::small();
    let site = plan.sites.pop();
    for ((name, network), mut site) in SITES
        .into_iter()
        .zip(std::iter::repeat_with(|| site.clone()).flatten())
    {
        (site.name, site.title, site.network) = (name.to_owned(), name.to_owned(), network);
        plan.sites.push(site);
        for (number, kind) in (0..ELEMENTS).zip(KINDS.iter().cycle()) {
            plan = plan.with(kind, &format!("{name}-{number}"), "core", Behaviour::Normal);
        }
    }
    for (number, element) in plan.elements.iter_mut().enumerate() {
        let same = number % 3 == 2;
        element.tells = Some(if same { Tells::TheSame } else { Tells::AnotherWord });
    }
    plan
}

fn site(line: usize) -> &'static str {
    SITES.get(line).map_or("", |(site, _)| site)
}

fn agent(site: &str) -> String {
    format!("agent-{site}")
}

fn clock_file(data: &Path, process: &str) -> PathBuf {
    data.join(format!("{process}.clock"))
}

/// A port that was free a moment ago.
fn free_port() -> std::io::Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0")?.local_addr()
}
