//! `marque-agent poll`: one round with each target given, one line of JSON each.
//!
//! Invariants: standard output carries lines of reports and nothing else; a
//! target that does not answer has its line too; what is no address is named on
//! standard error and fails the command after the others were polled.

use super::{credential, json};
use crate::config::{PollConfig, RedactConfig};
use crate::credential::Credential;
use crate::plan::{Plan, Profile};
use crate::poll::socket::Sockets;
use crate::poll::{self, Extent, Learned, Limits};
use crate::report::Report;
use crate::target::{self, Target};
use prost::bytes::Bytes;
use std::collections::HashSet;
use std::io::{self, Read as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Reports that may wait for a slow reader of standard output.
const QUEUE: usize = 256;
/// Bytes of lines written at once.
const WRITE: usize = 1 << 17;

/// Poll targets once and print what they answered.
#[derive(clap::Args)]
pub struct Args {
    /// ADDRESS[:PORT] to poll; IPv6 with a port in brackets.
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
    /// Read further targets from a file, one a line; - is standard input.
    #[arg(long = "targets", value_name = "FILE")]
    list: Option<PathBuf>,
    #[command(flatten)]
    opening: credential::Args,
    /// Targets polled at once.
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    in_flight: u32,
    /// What to ask.
    #[arg(long, value_enum, default_value_t)]
    profile: Profile,
    /// Packets a second at most; without it there is no cap.
    #[arg(long, value_name = "N", default_value_t = 0)]
    rate: u32,
    /// Wait for a first answer.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(10..=60_000))]
    timeout_ms: u64,
    /// Sendings after the first.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(0..=10))]
    retries: u32,
}

/// Why a round could not begin or end.
#[derive(Debug, thiserror::Error)]
pub enum PollError {
    /// Nothing to poll.
    #[error("no target given; name some or use --targets FILE")]
    NoTarget,
    /// Nothing to open a conversation with.
    #[error(transparent)]
    Credential(#[from] credential::OpeningError),
    /// The list cannot be read.
    #[error("cannot read targets from {0}")]
    List(PathBuf, #[source] io::Error),
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

impl Args {
    /// The targets, each once, and how many texts were none.
    fn targets(&self) -> Result<(Vec<Target>, usize), PollError> {
        let mut read = Vec::new();
        let mut wrong = 0;
        for text in &self.targets {
            match text.parse() {
                Ok(target) => read.push(target),
                Err(error) => {
                    wrong += 1;
                    super::say(&error);
                }
            }
        }
        if let Some(path) = &self.list {
            let text = read_text(path).map_err(|error| PollError::List(path.clone(), error))?;
            for line in target::read_list(&text) {
                match line {
                    Ok(target) => read.push(target),
                    Err(error) => {
                        wrong += 1;
                        super::say(&format_args!("{}: {error}", path.display()));
                    }
                }
            }
        }
        let mut seen = HashSet::with_capacity(read.len());
        read.retain(|target| seen.insert(*target));
        if read.is_empty() && wrong == 0 {
            return Err(PollError::NoTarget);
        }
        Ok((read, wrong))
    }
}

fn read_text(path: &PathBuf) -> io::Result<String> {
    if path.as_os_str() == "-" {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text)?;
        return Ok(text);
    }
    std::fs::read_to_string(path)
}

/// Polls and prints; success when every text given was a target and tried.
///
/// # Errors
/// [`PollError`] when nothing could be polled or printed.
pub fn run(args: &Args) -> Result<ExitCode, PollError> {
    let credential = args.opening.credential()?;
    let (targets, wrong) = args.targets()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(PollError::Sockets)?;
    let (reports, received) = mpsc::channel(QUEUE);
    let printer = std::thread::spawn(move || print(received));
    let polled = runtime.block_on(poll_all(args, targets, credential, reports));
    let printed = printer.join().map_err(|_| PollError::Task)?;
    match printed {
        // The reader has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(ExitCode::SUCCESS),
        other => other.map_err(PollError::Output)?,
    }
    polled?;
    Ok(if wrong == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What all workers share.
struct Shared {
    sockets: Sockets,
    credential: Credential,
    plan: Plan,
    limits: Limits,
    patience: poll::socket::Patience,
    redacted: Vec<Bytes>,
    targets: Mutex<std::vec::IntoIter<Target>>,
}

async fn poll_all(
    args: &Args,
    targets: Vec<Target>,
    credential: Credential,
    reports: mpsc::Sender<Report>,
) -> Result<(), PollError> {
    let in_flight = targets.len().min(args.in_flight as usize);
    let defaults = PollConfig::default();
    let shared = Arc::new(Shared {
        sockets: Sockets::open(in_flight, args.rate).map_err(PollError::Sockets)?,
        credential,
        plan: Plan::of(args.profile),
        limits: defaults.limits(),
        patience: poll::socket::Patience {
            first_contact: Duration::from_millis(args.timeout_ms),
            retries: args.retries,
        },
        redacted: RedactConfig::default().octets(),
        targets: Mutex::new(targets.into_iter()),
    });
    let mut workers = JoinSet::new();
    for _ in 0..in_flight {
        workers.spawn(work(Arc::clone(&shared), reports.clone()));
    }
    loop {
        tokio::select! {
            ended = workers.join_next() => match ended {
                Some(ended) => ended.map_err(|_| PollError::Task)?,
                None => return Ok(()),
            },
            // Nobody reads any more: what is under way ends with its tasks.
            () = reports.closed() => return Ok(()),
        }
    }
}

/// Polls targets until there are no more or nobody reads.
async fn work(shared: Arc<Shared>, reports: mpsc::Sender<Report>) {
    let next = || {
        shared
            .targets
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .next()
    };
    while let Some(target) = next() {
        let mut learned = Learned::nothing(&shared.limits);
        let deadline = Instant::now() + shared.limits.deadline;
        let conversation = shared
            .sockets
            .converse(target, &shared.credential, shared.patience, deadline);
        let round = poll::round(
            conversation,
            &shared.plan,
            &shared.limits,
            &mut learned,
            Extent::Full,
        )
        .await;
        if reports
            .send(Report::new(target, round, &shared.redacted))
            .await
            .is_err()
        {
            return;
        }
    }
}

fn print(mut reports: mpsc::Receiver<Report>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let mut lines = Vec::with_capacity(2 * WRITE);
    while let Some(report) = reports.blocking_recv() {
        json::push_line(&report, &mut lines);
        // Nobody waits for a line that is ready.
        if lines.len() >= WRITE || reports.is_empty() {
            out.write_all(&lines)?;
            out.flush()?;
            lines.clear();
        }
    }
    Ok(())
}
