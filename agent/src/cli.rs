//! The command line: `enrol`, `run`, `check-config`, `spool`, `poll`, `watch`, `discover`.
//!
//! Invariant: whatever goes wrong is one line on standard error and an exit code
//! of `sysexits.h`; no secret is taken from the command line, shown, or left in a dump.

pub mod credential;
pub mod asked;
pub mod discover;
pub mod enrol;
pub mod json;
pub mod table;
pub mod progress;
pub mod poll;
pub mod watch;
pub mod run;
pub mod spool;

use clap::{Parser, Subcommand};
use std::ffi::OsString;
use std::fmt::Display;
use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::SystemTime;
use tracing_subscriber::EnvFilter;

/// `EX_CONFIG` of sysexits.h.
const EX_CONFIG: u8 = 78;

/// Polls network elements and streams what they answered to a collector.
#[derive(Parser)]
#[command(name = "marque-agent", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Use a join token of the collector for this agent's key and certificate.
    Enrol(enrol::Args),
    /// Poll for ever, keep reports on disk and stream them to the collector.
    Run {
        /// The configuration.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Put a damaged spool beside as FILE.damaged-N and begin a new one; its reports are lost.
        #[arg(long)]
        move_damaged_spool: bool,
    },
    /// Say whether a configuration can be used.
    CheckConfig {
        /// The configuration.
        #[arg(value_name = "FILE")]
        config: PathBuf,
    },
    /// Carry reports where there is no link: export what waits, take the receipt in.
    #[command(subcommand)]
    Spool(spool::Command),
    /// Poll targets once and print what they answered, one line each.
    ///
    /// sysContact is asked for, but its value is removed: an observation with the outcome
    /// `redacted` says so. sysUpTime stands under `readings`, outside the observations.
    Poll(poll::Args),
    /// Poll targets again and again and print what changed.
    ///
    /// The first round of each target is printed as by `poll`, then a line for each object
    /// that is new, changed or gone, and for each round that went otherwise than the last.
    Watch(watch::Args),
    /// Look at ranges once and say what became of each address.
    ///
    /// The first packet to each address is an engine discovery of version 3, which holds no
    /// secret. Whoever answers is asked for one object with the credential, if there is one.
    Discover(discover::Args),
}

/// The whole program.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    run_by(args, SystemTime::now)
}

/// The whole program by another wall clock, for whoever tries it with one that jumps.
pub fn run_by(args: impl IntoIterator<Item = OsString>, clock: fn() -> SystemTime) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version go to standard output; a closed one is no trouble.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 64 } else { 0 });
        }
    };
    // What elements said is nobody else's: spool, plan and exports are readable by their owner alone.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    log_to_stderr();
    keep_memory();
    // Only the first call in a process installs; a second finds the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match cli.command {
        Command::Enrol(args) => match enrol::run(&args) {
            Ok(enrolled) => {
                let (agent, site) = (enrolled.agent, &enrolled.site);
                say(&format_args!(
                    "this is agent {agent} at {site} now, see {}",
                    enrol::out(&args).display()
                ));
                ExitCode::SUCCESS
            }
            Err(error) => fail(&error, ExitCode::FAILURE),
        },
        Command::Poll(args) => {
            poll::run(&args, clock).unwrap_or_else(|error| fail(&error, ExitCode::FAILURE))
        }
        Command::Discover(args) => {
            discover::run(&args).unwrap_or_else(|error| fail(&error, ExitCode::FAILURE))
        }
        Command::Watch(args) => match watch::run(&args, clock) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&error, ExitCode::FAILURE),
        },
        Command::CheckConfig { config } => match run::check(&config) {
            Ok(()) => {
                say(&format_args!("{}: good", config.display()));
                ExitCode::SUCCESS
            }
            Err(error) => fail(&error, ExitCode::from(EX_CONFIG)),
        },
        Command::Spool(command) => match spool::run(&command, clock) {
            Ok(done) => {
                say(&done);
                ExitCode::SUCCESS
            }
            Err(spool::Error::Config(error)) => fail(&error, ExitCode::from(EX_CONFIG)),
            Err(error) => fail(&error, ExitCode::FAILURE),
        },
        Command::Run {
            config,
            move_damaged_spool,
        } => match run::run(&config, move_damaged_spool, clock) {
            Ok(()) => ExitCode::SUCCESS,
            Err(run::RunError::Config(error)) => fail(&error, ExitCode::from(EX_CONFIG)),
            Err(error) => fail(&error, ExitCode::FAILURE),
        },
    }
}

/// No dump holds what this process read, and no other process of the same user looks into it: every command
/// reads secrets or keys.
fn keep_memory() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    let limited = setrlimit(Resource::Core, none);
    #[cfg(target_os = "linux")]
    let limited = limited.and(rustix::process::set_dumpable_behavior(
        rustix::process::DumpableBehavior::NotDumpable,
    ));
    if let Err(error) = limited {
        tracing::warn!(%error, "this process may leave a dump of its memory");
    }
}

/// One line with the whole chain of causes.
fn fail(error: &dyn std::error::Error, code: ExitCode) -> ExitCode {
    say(&crate::uplink::chain(error));
    code
}

/// One line on standard error; where nobody listens, that is no trouble.
fn say(line: &dyn Display) {
    let _ = writeln!(std::io::stderr(), "marque-agent: {line}");
}

fn log_to_stderr() {
    let filter =
        EnvFilter::try_from_env("MARQUE_LOG").unwrap_or_else(|_| EnvFilter::new("info,async_snmp=warn"));
    // A second call in one process keeps the first.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        // It would say so on standard error, and panic when that is what failed.
        .log_internal_errors(false)
        .try_init();
}
