//! `marque-agent watch`: polls again and again and prints what changed.
//!
//! Invariants: every target is polled once a pause, one round at a time; a line is printed
//! for the first round and for each change, and for nothing else; an object is gone only
//! when a complete walk did not show it.

use super::asked::{Asked, AskedError, Rounds};
use super::json;
use super::table::{self, Format};
use crate::plan::oid::push_dotted;
use crate::poll::refresh::Moved;
use crate::poll::{Extent, Learned};
use crate::report::Report;
use crate::target::Target;
use prost::bytes::Bytes;
use proto::v1::{Completeness, Varbind};
use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

/// Lines that may wait for a slow reader of standard output.
const QUEUE: usize = 64;
/// Characters of a value on a line for people.
const SHOWN: usize = 60;

/// Poll targets again and again and print what changed.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    asked: Asked,
    /// Seconds between two rounds with one target.
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    every: u64,
    /// Seconds between two walks at most; rounds between them walk only if something moved.
    #[arg(long, value_name = "N", default_value_t = 3600, value_parser = clap::value_parser!(u64).range(0..=518_400))]
    full_round: u64,
    /// End after so many rounds with each target.
    #[arg(long, value_name = "N")]
    rounds: Option<u64>,
    /// How to print; a table on a terminal and JSON elsewhere, unless given.
    #[arg(long, value_enum)]
    format: Option<Format>,
}

/// Why it ended.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// Nobody to poll, or nothing to do it with.
    #[error(transparent)]
    Asked(#[from] AskedError),
    /// The system gives no socket or thread.
    #[error("cannot open sockets")]
    Sockets(#[source] io::Error),
    /// Standard output failed.
    #[error("cannot write to standard output")]
    Output(#[source] io::Error),
}

/// Watches until there is nobody to read, or for so many rounds.
///
/// # Errors
/// [`WatchError`] when nothing can be polled or printed.
pub fn run(args: &Args, clock: fn() -> SystemTime) -> Result<(), WatchError> {
    let credential = args.asked.credential()?;
    let (targets, _) = args.asked.targets()?;
    let format = args.format.unwrap_or_else(Format::fitting);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(WatchError::Sockets)?;
    runtime.block_on(async {
        let in_flight = args.asked.in_flight(targets.len());
        let rounds = args.asked.rounds(credential, in_flight, clock);
        let rounds = Arc::new(rounds.map_err(WatchError::Sockets)?);
        let (lines, mut received) = mpsc::channel::<Vec<u8>>(QUEUE);
        let mut watching = JoinSet::new();
        for target in targets {
            let watch = Watch {
                rounds: Arc::clone(&rounds),
                target,
                format,
                full_round: Duration::from_secs(args.full_round),
                learned: Learned::nothing(&rounds.limits),
                shown: BTreeMap::new(),
                before: None,
            };
            watching.spawn(watch.run(Duration::from_secs(args.every), args.rounds, lines.clone()));
        }
        drop(lines);
        let mut out = io::stdout().lock();
        while let Some(line) = received.recv().await {
            match out.write_all(&line).and_then(|()| out.flush()) {
                // The reader has seen enough.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
                written => written.map_err(WatchError::Output)?,
            }
        }
        Ok(())
    })
}

/// One target, and what it showed.
struct Watch {
    rounds: Arc<Rounds>,
    target: Target,
    format: Format,
    full_round: Duration,
    learned: Learned,
    shown: BTreeMap<Bytes, Varbind>,
    before: Option<Completeness>,
}

impl Watch {
    async fn run(mut self, every: Duration, most: Option<u64>, lines: mpsc::Sender<Vec<u8>>) {
        let mut turns = interval(every);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut left = most.unwrap_or(u64::MAX);
        while left > 0 {
            left -= 1;
            turns.tick().await;
            let (report, moved) = self.round().await;
            let mut text = Vec::new();
            if moved == Some(Moved::Restarted) {
                self.push_change("restarted", "it began anew since the last walk", &mut text);
            }
            text.append(&mut self.changes(report));
            if !text.is_empty() && lines.send(text).await.is_err() {
                return;
            }
            let pause = self.learned.pause(self.rounds.refusal_pause);
            if !pause.is_zero() {
                let mut text = Vec::new();
                let words = format!("for {} s, so that its user is not shut out", pause.as_secs());
                self.push_change("left alone", &words, &mut text);
                if lines.send(text).await.is_err() {
                    return;
                }
                sleep(pause).await;
            }
        }
    }

    async fn round(&mut self) -> (Report, Option<Moved>) {
        let (asked, begun) = (self.rounds.plan.mark(), Instant::now());
        let refreshable = self.learned.memory.refreshable(asked, begun).is_some();
        let extent = match refreshable && self.learned.unfinished.is_none() {
            true => Extent::IfMoved,
            false => Extent::Full,
        };
        let round = self.rounds.round(self.target, &mut self.learned, extent).await;
        let (about, moved) = ((self.target, asked, begun + self.full_round), round.moved);
        (
            self.learned.memory.conclude(about, round, &self.rounds.redacted),
            moved,
        )
    }

    /// Lines for what is not as it was.
    fn changes(&mut self, report: Report) -> Vec<u8> {
        let mut out = Vec::new();
        let first = self.before.is_none();
        if self.before != Some(report.completeness) {
            match self.format {
                Format::Json if first => json::push_line(&report, &mut out),
                Format::Table if first => table::push_line(&report, &mut out),
                _ => self.push_change("round", table::round(&report), &mut out),
            }
        }
        self.before = Some(report.completeness);
        if report.refreshed || report.completeness == Completeness::Unreachable {
            return out;
        }
        let all = report
            .evidence
            .observations
            .into_iter()
            .flat_map(|one| one.varbinds);
        let now: BTreeMap<Bytes, Varbind> = all.map(|one| (one.oid.clone(), one)).collect();
        let mut changed = Vec::new();
        for (name, varbind) in &now {
            match self.shown.get(name) {
                Some(same) if same == varbind => {}
                Some(other) => changed.push(("changed", Some(other.clone()), Some(varbind.clone()))),
                None => changed.push(("new", None, Some(varbind.clone()))),
            }
        }
        if report.completeness == Completeness::Complete {
            let gone = self.shown.iter().filter(|(name, _)| !now.contains_key(*name));
            changed.extend(gone.map(|(_, varbind)| ("gone", Some(varbind.clone()), None)));
            self.shown = now;
        } else {
            self.shown.extend(now);
        }
        if !first {
            for (what, then, now) in changed {
                self.push_object(what, then.as_ref(), now.as_ref(), &mut out);
            }
        }
        out
    }

    fn push_change(&self, what: &str, now: &str, out: &mut Vec<u8>) {
        // Writing into memory does not fail.
        let _ = match self.format {
            Format::Json => {
                let line = serde_json::json!({"target": self.target.to_string(), "change": what, "now": now});
                writeln!(out, "{line}")
            }
            Format::Table => writeln!(out, "{:<26} {what:<12} {now}", self.target.to_string()),
        };
    }

    fn push_object(&self, what: &str, then: Option<&Varbind>, now: Option<&Varbind>, out: &mut Vec<u8>) {
        let mut name = Vec::new();
        if let Some(varbind) = now.or(then) {
            push_dotted(&varbind.oid, &mut name);
        }
        let name = String::from_utf8_lossy(&name);
        let text = |varbind: Option<&Varbind>| varbind.map(|one| table::printable(one, SHOWN));
        let hex = |varbind: Option<&Varbind>| {
            varbind.map(|one| {
                one.value
                    .iter()
                    .map(|octet| format!("{octet:02x}"))
                    .collect::<String>()
            })
        };
        // Writing into memory does not fail.
        let _ = match self.format {
            Format::Json => {
                let line = serde_json::json!({
                    "target": self.target.to_string(), "change": what, "oid": name,
                    "then": hex(then), "then_text": text(then), "now": hex(now), "now_text": text(now),
                });
                writeln!(out, "{line}")
            }
            Format::Table => writeln!(
                out,
                "{:<26} {what:<12} {name} {} -> {}",
                self.target.to_string(),
                text(then).unwrap_or_default(),
                text(now).unwrap_or_default(),
            ),
        };
    }
}
