//! `marque-agent poll`: one round with each target given, one line each: of a table for
//! people on a terminal, of JSON everywhere else.
//!
//! Invariants: standard output carries lines of reports and nothing else; a
//! target that does not answer has its line too; what is no address is named on
//! standard error and fails the command after the others were polled.

use super::asked::{Asked, AskedError, Rounds};
use super::json;
use super::progress::Progress;
use super::table::{self, Format};
use crate::credential::Credential;
use crate::poll::{Extent, Learned};
use crate::report::Report;
use crate::target::Target;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Reports that may wait for a slow reader of standard output.
const QUEUE: usize = 256;
/// Bytes of lines written at once.
const WRITE: usize = 1 << 17;

/// Poll targets once and print what they answered.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    asked: Asked,
    /// How to print; a table on a terminal and JSON elsewhere, unless given.
    #[arg(long, value_enum)]
    format: Option<Format>,
}

/// Why a round could not begin or end.
#[derive(Debug, thiserror::Error)]
pub enum PollError {
    /// Nobody to poll, or nothing to do it with.
    #[error(transparent)]
    Asked(#[from] AskedError),
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

/// Polls and prints; success when every text given was a target and tried.
///
/// # Errors
/// [`PollError`] when nothing could be polled or printed.
pub fn run(args: &Args, clock: fn() -> SystemTime) -> Result<ExitCode, PollError> {
    let credential = args.asked.credential()?;
    let (targets, wrong) = args.asked.targets()?;
    let progress = Progress::new(targets.len());
    let format = args.format.unwrap_or_else(Format::fitting);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(PollError::Sockets)?;
    let (reports, received) = mpsc::channel(QUEUE);
    let printer = std::thread::spawn(move || print(received, format, &progress));
    let polled = runtime.block_on(poll_all((args, clock), targets, credential, reports));
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
    rounds: Rounds,
    targets: Mutex<std::vec::IntoIter<Target>>,
}

async fn poll_all(
    (args, clock): (&Args, fn() -> SystemTime),
    targets: Vec<Target>,
    credential: Credential,
    reports: mpsc::Sender<Report>,
) -> Result<(), PollError> {
    let in_flight = args.asked.in_flight(targets.len());
    let shared = Arc::new(Shared {
        rounds: args
            .asked
            .rounds(credential, in_flight, clock)
            .map_err(PollError::Sockets)?,
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
        let mut learned = Learned::nothing(&shared.rounds.limits);
        let round = shared.rounds.round(target, &mut learned, Extent::Full).await;
        let report = Report::new(target, round, &shared.rounds.redacted);
        if reports.send(report).await.is_err() {
            return;
        }
    }
}

fn print(mut reports: mpsc::Receiver<Report>, format: Format, progress: &Progress) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let mut lines = Vec::with_capacity(2 * WRITE);
    if format == Format::Table {
        lines.extend_from_slice(table::HEAD.as_bytes());
    }
    while let Some(report) = reports.blocking_recv() {
        match format {
            Format::Json => json::push_line(&report, &mut lines),
            Format::Table => table::push_line(&report, &mut lines),
        }
        progress.one_more();
        // Nobody waits for a line that is ready.
        if lines.len() >= WRITE || reports.is_empty() {
            progress.aside(|| out.write_all(&lines).and_then(|()| out.flush()))?;
            lines.clear();
        }
    }
    progress.end();
    Ok(())
}
