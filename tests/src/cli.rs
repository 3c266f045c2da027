//! The `lab` program: the whole house, the network alone, or one of Marque's own programs.
//!
//! `lab agent …` and `lab collector …` are Marque's programs with their own arguments; the
//! house starts them as processes of their own.

mod accuracy;
mod bench;
mod judge;
mod chaos;
mod house;
mod network;
mod progress;

use crate::chaos::clock;
use crate::house::LEAVE_WITH_PARENT;
use clap::{Parser, Subcommand};
use std::ffi::OsString;
use std::fmt::Display;
use std::io::{Read, Write};
use std::process::ExitCode;

/// A simulated operator network with Marque running on it.
#[derive(Debug, Parser)]
#[command(name = "lab", version, args_conflicts_with_subcommands = true)]
struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    house: house::HouseArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run only the simulated elements, for use with tools such as snmpwalk.
    Network(network::NetworkArgs),
    /// Measure Marque on this machine.
    #[command(subcommand)]
    Bench(bench::Bench),
    /// Put the house to the test: kill -9, bad links, full disks, clocks that jump; then compare what elements said
    /// with what the collector holds.
    Chaos(chaos::ChaosArgs),
}

/// Runs the program with its arguments, the first being its name.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    let (program, rest) = (
        args.get(1).and_then(|word| word.to_str()),
        args.iter().skip(1).cloned(),
    );
    match program {
        Some("agent") => {
            leave_with_parent();
            if clock::is_set() {
                return agent::cli::run_by(rest, clock::for_agent);
            }
            agent::cli::run(rest)
        }
        Some("collector") => {
            leave_with_parent();
            if clock::is_set() {
                return collector::cli::run_by(rest, clock::for_collector);
            }
            collector::cli::run(rest)
        }
        _ => own(Args::try_parse_from(args).unwrap_or_else(|error| error.exit())),
    }
}

fn own(args: Args) -> ExitCode {
    if let Some(Command::Chaos(args)) = args.command {
        return chaos::run(args);
    }
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.to_string()),
    };
    let ended = runtime.block_on(async {
        match args.command {
            Some(Command::Network(args)) => network::run(args).await,
            Some(Command::Bench(what)) => bench::run(what).await,
            Some(Command::Chaos(_)) | None => house::run(args.house).await,
        }
    });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => failed(&why),
    }
}

fn failed(why: &str) -> ExitCode {
    note(&format_args!("lab: {why}"));
    ExitCode::FAILURE
}

/// One line on standard error; where nobody listens, that is no trouble.
fn note(line: &dyn Display) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Lines on standard output, which are what was asked for.
fn print(lines: &dyn Display) -> Result<(), String> {
    let mut out = std::io::stdout().lock();
    let written = writeln!(out, "{lines}").and_then(|()| out.flush());
    written.map_err(|error| format!("cannot write to standard output: {error}"))
}

/// Ends this process when whoever started it is gone, if it asked for that.
fn leave_with_parent() {
    if std::env::var_os(LEAVE_WITH_PARENT).is_some() {
        std::thread::spawn(|| {
            let mut rest = [0; 64];
            while std::io::stdin().read(&mut rest).is_ok_and(|length| length > 0) {}
            std::process::exit(1);
        });
    }
}

/// Returns at Ctrl-C or when asked to end.
async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => signal.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminated => {}
    }
}
