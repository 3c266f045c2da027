//! `marque-agent discover`: looks at ranges now and says what became of each address.
//!
//! Invariants: standard output carries states and nothing else; no community goes
//! to an address that told no engine unless `--ask-silent` says so; an interrupt
//! ends with what is known; with `--json` every address of the ranges is in one line.

mod unasked;

use super::credential::{self, OpeningError};
use crate::credential::Credential;
use crate::discover::{Ended, Errand, HeardEngine, Prober};
use crate::poll::pace::Pace;
use crate::target::Target;
use indicatif::{ProgressBar, ProgressStyle};
use proto::plan::{Range, RangeError};
use proto::v1::CoverageState as State;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{self, IsTerminal as _, Write as _};
use std::net::IpAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use unasked::Run;

/// Lines that may wait for a slow reader of standard output.
const QUEUE: usize = 4096;
/// Bytes of lines written at once.
const WRITE: usize = 1 << 16;
/// Ended by an interrupt, as a shell would say it.
const INTERRUPTED: u8 = 130;

/// Look at ranges once and say what became of each address.
#[derive(clap::Args)]
pub struct Args {
    /// PREFIX to look at: at most a /16 of IPv4 or a /112 of IPv6 each.
    #[arg(value_name = "RANGE", required = true)]
    ranges: Vec<String>,
    /// Prefix or address that is left alone.
    #[arg(long, value_name = "PREFIX")]
    exclude: Vec<String>,
    /// UDP port.
    #[arg(long, value_name = "N", default_value_t = 161, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    #[command(flatten)]
    opening: credential::Args,
    /// Send the community to addresses that are silent to engine discovery as well: finds
    /// elements that speak no SNMPv3, and shows the community to whoever has these addresses.
    #[arg(long)]
    ask_silent: bool,
    /// Packets a second at most; 0 sets no cap.
    #[arg(long, value_name = "N", default_value_t = 2000)]
    rate: u32,
    /// Addresses under way at once.
    #[arg(long, value_name = "N", default_value_t = 16_384, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    in_flight: u32,
    /// Wait for an answer.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(10..=60_000))]
    timeout_ms: u64,
    /// Lines of JSON that name every address, silent ones too, instead of a table of who is there.
    ///
    /// Addresses that are not asked (excluded; left over by an interrupt) come in runs: `address`
    /// is the first, `to` the last and `count` how many there are.
    #[arg(long)]
    json: bool,
}

/// Why nothing could be looked at.
#[derive(Debug, thiserror::Error)]
pub enum DiscoverError {
    /// A range is none.
    #[error(transparent)]
    Range(#[from] RangeError),
    /// Two ranges share addresses.
    #[error("{0} overlaps {1}")]
    Overlap(String, String),
    /// A slip, most likely.
    #[error("--exclude {0} lies in no range")]
    Exclude(String),
    /// The credential cannot be used.
    #[error(transparent)]
    Credential(#[from] OpeningError),
    /// The system gives no socket or thread.
    #[error("cannot open sockets")]
    Sockets(#[source] io::Error),
    /// Standard output failed.
    #[error("cannot write to standard output")]
    Output(#[source] io::Error),
    /// A bug.
    #[error("a task ended by itself")]
    Task,
}

/// One address in JSON, or a run of them.
#[derive(Serialize)]
struct Line {
    address: IpAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    port: u16,
    state: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    engine: Option<EngineLine>,
}

/// What an address told of its engine, which nobody signed.
#[derive(Serialize)]
struct EngineLine {
    /// Hexadecimal, as it came.
    id: String,
    boots: u32,
    /// Seconds since it started.
    time: u32,
    /// The enterprise number in the ID.
    #[serde(skip_serializing_if = "Option::is_none")]
    enterprise: Option<u32>,
    /// The hardware address in the ID.
    #[serde(skip_serializing_if = "Option::is_none")]
    mac: Option<String>,
}

impl EngineLine {
    fn new(heard: &HeardEngine) -> Self {
        let engine = &heard.engine;
        let pairs = |octets: [u8; 6]| octets.map(|octet| format!("{octet:02x}")).join(":");
        Self {
            id: hex::encode(&engine.id),
            boots: engine.boots.value,
            time: engine.time.value,
            enterprise: engine.enterprise(),
            mac: engine.mac().map(pairs),
        }
    }
}

impl fmt::Display for EngineLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.id)?;
        if let Some(number) = self.enterprise {
            write!(f, " enterprise {number}")?;
        }
        if let Some(mac) = &self.mac {
            write!(f, " {mac}")?;
        }
        write!(f, " boots {} time {}", self.boots, self.time)
    }
}

/// Who is there: whom, state, engine, why its user was not taken.
type Row = (Target, String, String, String);

/// What came of it.
#[derive(Default)]
struct Tally {
    states: BTreeMap<String, u64>,
    /// Of the table.
    rows: Vec<Row>,
    packets: u64,
    interrupted: bool,
}

fn word(state: State) -> String {
    let name = state.as_str_name();
    name.trim_start_matches("COVERAGE_STATE_").to_ascii_lowercase()
}

impl Args {
    fn ranges(&self) -> Result<Vec<Range>, DiscoverError> {
        let mut used = vec![false; self.exclude.len()];
        let mut all: Vec<Range> = Vec::with_capacity(self.ranges.len());
        for text in &self.ranges {
            let mut excluded = Vec::new();
            for (text_out, used) in self.exclude.iter().zip(&mut used) {
                match Range::new(text, [text_out.as_str()]) {
                    Ok(_) => {
                        excluded.push(text_out.as_str());
                        *used = true;
                    }
                    Err(RangeError::Outside(..)) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            let range = Range::new(text, excluded)?;
            if let Some(other) = all.iter().find(|other| other.overlaps(&range)) {
                return Err(DiscoverError::Overlap(
                    range.prefix().to_string(),
                    other.prefix().to_string(),
                ));
            }
            all.push(range);
        }
        match self.exclude.iter().zip(used).find(|(_, used)| !used) {
            Some((text, _)) => Err(DiscoverError::Exclude(text.clone())),
            None => Ok(all),
        }
    }

    /// Without any, nobody is asked more than who it is.
    fn credential(&self) -> Result<Option<Arc<Credential>>, DiscoverError> {
        match self.opening.credential() {
            Ok(credential) => Ok(Some(Arc::new(credential))),
            Err(OpeningError::NoCommunity) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// Looks and prints.
///
/// # Errors
/// [`DiscoverError`] when nothing could be looked at or printed.
pub fn run(args: &Args) -> Result<ExitCode, DiscoverError> {
    let ranges = args.ranges()?;
    let credential = args.credential()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(DiscoverError::Sockets)?;
    let (lines, received) = mpsc::channel(QUEUE);
    let printer = std::thread::spawn(move || print(received));
    let began = Instant::now();
    let swept = runtime.block_on(sweep(args, &ranges, credential, lines));
    let printed = printer.join().map_err(|_| DiscoverError::Task)?;
    match printed {
        // The reader has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(ExitCode::SUCCESS),
        other => other.map_err(DiscoverError::Output)?,
    }
    let mut tally = swept?;
    if !args.json {
        match table(&mut tally) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            other => other.map_err(DiscoverError::Output)?,
        }
    }
    let counts: Vec<String> = tally
        .states
        .iter()
        .map(|(state, count)| format!("{count} {state}"))
        .collect();
    let seconds = began.elapsed().as_secs_f64();
    super::say(&format_args!(
        "{}; {} packets in {seconds:.1} s",
        counts.join(", "),
        tally.packets
    ));
    Ok(match tally.interrupted {
        true => ExitCode::from(INTERRUPTED),
        false => ExitCode::SUCCESS,
    })
}

async fn sweep(
    args: &Args,
    ranges: &[Range],
    credential: Option<Arc<Credential>>,
    lines: mpsc::Sender<Vec<u8>>,
) -> Result<Tally, DiscoverError> {
    let pace = Arc::new(Pace::new(args.rate));
    let mut prober =
        Prober::open(pace, Duration::from_millis(args.timeout_ms)).map_err(DiscoverError::Sockets)?;
    let mut left = ranges
        .iter()
        .flat_map(|range| (0..range.size()).filter_map(|offset| range.nth(offset)))
        .filter_map(|address| Target::new(address, args.port).ok());
    let total = ranges.iter().map(Range::size).sum();
    let bar = match args.json && io::stdout().is_terminal() {
        true => ProgressBar::hidden(),
        false => ProgressBar::new(total),
    };
    if let Ok(style) =
        ProgressStyle::with_template("{bar:30} {pos} of {len} addresses, {msg} there, {eta} left")
    {
        bar.set_style(style);
    }
    let in_flight = usize::try_from(args.in_flight).unwrap_or(usize::MAX);
    let mut tally = Tally::default();
    let excluded = ranges.iter().flat_map(unasked::left_alone).collect();
    tally.not_asked(args, State::Excluded, excluded, &lines).await;
    let mut under_way = BTreeSet::new();
    let mut interrupt = std::pin::pin!(tokio::signal::ctrl_c());
    loop {
        while prober.under_way() < in_flight
            && let Some(target) = left.next()
        {
            under_way.insert(target);
            prober.ask(Errand {
                target,
                credential: credential.clone(),
                ask_silent: args.ask_silent,
                user: None,
            });
        }
        if prober.under_way() == 0 {
            break;
        }
        let ended = tokio::select! {
            biased;
            _ = &mut interrupt => {
                tally.interrupted = true;
                break;
            }
            ended = prober.next() => ended,
        };
        bar.inc(1);
        under_way.remove(&ended.target);
        let state = word(ended.state);
        *tally.states.entry(state.clone()).or_default() += 1;
        let is_there = !matches!(ended.state, State::Silent | State::Unreachable);
        if args.json {
            if lines.send(Line::of(&ended, state).json()).await.is_err() {
                break;
            }
        } else if is_there {
            let engine = ended.engine.as_ref().map(EngineLine::new);
            let words = |word: Option<String>| word.unwrap_or_default();
            tally.rows.push((
                ended.target,
                state,
                words(engine.map(|engine| engine.to_string())),
                words(ended.why.map(|why| why.to_string())),
            ));
            bar.set_message(tally.rows.len().to_string());
        }
    }
    bar.finish_and_clear();
    let address = |target: Target| target.address().ip();
    for open in [
        unasked::joined(
            under_way.into_iter().map(address),
            "interrupted before it answered",
        ),
        unasked::joined(left.map(address), "interrupted before its turn"),
    ] {
        tally.not_asked(args, State::NotAsked, open, &lines).await;
    }
    tally.packets = prober.packets;
    Ok(tally)
}

impl Tally {
    /// Counts runs of addresses that are not asked, and tells of them where every address is told of.
    async fn not_asked(&mut self, args: &Args, state: State, runs: Vec<Run>, lines: &mpsc::Sender<Vec<u8>>) {
        for run in runs {
            *self.states.entry(word(state)).or_default() += run.count;
            let many = run.count > 1;
            let line = Line {
                address: run.first,
                to: many.then_some(run.last),
                count: many.then_some(run.count),
                port: args.port,
                state: word(state),
                why: Some(run.why.to_owned()),
                engine: None,
            };
            // Whoever reads no more is noticed at the next answer.
            let _ = match args.json {
                true => lines.send(line.json()).await,
                false => Ok(()),
            };
        }
    }
}

impl Line {
    fn of(ended: &Ended, state: String) -> Self {
        let at = ended.target.address();
        Self {
            address: at.ip(),
            to: None,
            count: None,
            port: at.port(),
            state,
            why: ended.why.map(|why| why.to_string()),
            engine: ended.engine.as_ref().map(EngineLine::new),
        }
    }

    fn json(&self) -> Vec<u8> {
        // Nothing in it can fail.
        let mut line = serde_json::to_vec(self).unwrap_or_default();
        line.push(b'\n');
        line
    }
}

fn table(tally: &mut Tally) -> io::Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    tally.rows.sort();
    let widest = tally.rows.iter().map(|(_, _, engine, _)| engine.len()).max();
    let widest = widest.unwrap_or(0);
    for (target, state, engine, why) in &tally.rows {
        let line = format!("{target:<24} {state:<18} {engine:<widest$} {why}");
        writeln!(out, "{}", line.trim_end())?;
    }
    out.flush()
}

fn print(mut lines: mpsc::Receiver<Vec<u8>>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let mut ready = Vec::with_capacity(2 * WRITE);
    while let Some(line) = lines.blocking_recv() {
        ready.extend_from_slice(&line);
        // Nobody waits for a line that is ready.
        if ready.len() >= WRITE || lines.is_empty() {
            out.write_all(&ready)?;
            out.flush()?;
            ready.clear();
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: Args,
    }

    fn ranges(words: &str) -> Result<usize, String> {
        let words = ["discover"].into_iter().chain(words.split(' '));
        let args = Cli::try_parse_from(words)
            .map_err(|error| error.to_string())?
            .args;
        let ranges = args.ranges().map_err(|error| error.to_string())?;
        let asked = |range: &Range| (0..range.size()).filter(|n| range.nth(*n).is_some()).count();
        Ok(ranges.iter().map(asked).sum())
    }

    #[test]
    fn ranges_and_exclusions_are_checked_before_anything_is_sent() {
        for (words, expected) in [
            ("192.0.2.0/24", Ok(254)),
            (
                "192.0.2.0/24 198.51.100.0/30 --exclude 192.0.2.128/25",
                Ok(127 + 2),
            ),
            ("192.0.2.0/24 --exclude 198.51.100.1", Err("lies in no range")),
            ("192.0.2.0/24 192.0.2.128/25", Err("overlaps")),
            ("10.0.0.0/8", Err("is too large")),
            ("192.0.2.0/24 --exclude x", Err("is neither")),
            ("192.0.2.0/24 --port 0", Err("0 is not in 1..")),
        ] {
            match (ranges(words), expected) {
                (Ok(count), Ok(expected)) => assert_eq!(count, expected, "{words}"),
                (Err(error), Err(expected)) => assert!(error.contains(expected), "{words}: {error}"),
                (got, expected) => panic!("{words}: {got:?}, expected {expected:?}"),
            }
        }
    }
}
