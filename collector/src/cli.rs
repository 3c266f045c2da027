//! The command line: `serve`, `check-config`, `identify`, `policy`, `finding` for what people do about findings,
//! `audit` for whether the log of that is whole, `account` for which people may sign in, `agent` for which agents may
//! come in, `authority` for who says so, `spool` for what comes by courier, `unit` for hardware over time, `knowledge`
//! for who makes what.
//!
//! Invariant: whatever goes wrong is one line on standard error and an exit code
//! of `sysexits.h` (64 usage, 65 facts that cannot be judged, 78 configuration, 1 anything else).

mod accounts;
mod agents;
mod authority;
mod plans;
mod finding;
mod audit;
mod policy;
mod spool;
mod units;
mod knowledge;
mod recordings;

use crate::config::Config;
use crate::{admin, declare, packs, serve};
use clap::{Parser, Subcommand};
use model::Instant;
use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tokio_util::sync::CancellationToken;

/// `EX_USAGE`, `EX_DATAERR` and `EX_CONFIG` of sysexits.h.
const EX_USAGE: u8 = 64;
const EX_DATAERR: u8 = 65;
const EX_CONFIG: u8 = 78;

/// Takes reports of agents in, concludes who made what, judges it and shows it.
#[derive(Parser)]
#[command(name = "marque-collector", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve agents and browsers. When ready, prints one line of JSON with the addresses.
    Serve {
        /// The configuration.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Say whether a configuration can be used.
    CheckConfig {
        /// The configuration.
        #[arg(value_name = "FILE")]
        config: PathBuf,
    },
    /// Say who made the equipment in recordings (.snmprec, or the output of snmpwalk -On).
    Identify {
        /// Own knowledge to lay over the built-in one.
        #[arg(long, value_name = "FOLDER")]
        knowledge: Option<PathBuf>,
        /// The recordings.
        #[arg(required = true, value_name = "FILE")]
        recordings: Vec<PathBuf>,
    },
    /// Who may sign in, and tokens of programs: add, list, role, disable, link, token.
    #[command(subcommand)]
    Account(accounts::Command),
    /// What concerns agents.
    #[command(subcommand)]
    Agent(agents::Command),
    /// What agents are told to do: check, put, list, show.
    #[command(subcommand)]
    Plan(plans::Command),
    /// The rules: judge one asset, list, show, check, test, compare.
    #[command(subcommand)]
    Policy(policy::Command),
    /// Findings: look at them, take them up, waive them, plan what goes.
    #[command(subcommand)]
    Finding(finding::Command),
    /// The log of who did what: go through its sums.
    #[command(subcommand)]
    Audit(audit::Command),
    /// Let one authority take over from another: prepare, promote, forget.
    #[command(subcommand)]
    Authority(authority::Command),
    /// What comes by courier from sites without a link.
    #[command(subcommand)]
    Spool(spool::Command),
    /// Hardware over time and places: list, show, merge what is one unit, split what is not.
    #[command(subcommand)]
    Unit(units::Command),
    /// The facts that say who makes what: check an operator's own, refresh the registries.
    #[command(subcommand)]
    Knowledge(knowledge::Command),
}

/// What went wrong, as one line and an exit code.
struct Failure {
    code: u8,
    line: String,
}

impl Failure {
    fn configuration(error: &dyn std::error::Error) -> Self {
        Self {
            code: EX_CONFIG,
            line: admin::chain(error),
        }
    }

    fn other(error: &dyn std::error::Error) -> Self {
        Self {
            code: 1,
            line: admin::chain(error),
        }
    }
}

/// The whole program.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    run_by(args, serve::clock)
}

/// The whole program, serving and acting by another wall clock, for whoever tries it with one that jumps.
pub fn run_by(args: impl IntoIterator<Item = OsString>, clock: fn() -> Instant) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version go to standard output; a closed one is no trouble.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { EX_USAGE } else { 0 });
        }
    };
    // The inventory is confidential: whatever is written is readable by its owner alone.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    admin::log_to_stderr();
    // Only the first call in a process installs; a second finds the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let outcome = match cli.command {
        Command::Serve { config } => serve_until_signal(&config, clock),
        Command::CheckConfig { config } => check(&config),
        Command::Identify {
            knowledge,
            recordings,
        } => return recordings::identify(knowledge.as_deref(), &recordings),
        Command::Account(command) => block_on(accounts::run(&command)),
        Command::Agent(command) => block_on(agents::run(&command)),
        Command::Plan(command) => block_on(plans::run(&command)),
        Command::Policy(command) => policy::run(&command),
        Command::Finding(command) => block_on(finding::run(&command, clock)),
        Command::Audit(command) => block_on(audit::run(&command)),
        Command::Authority(command) => block_on(authority::run(&command)),
        Command::Spool(command) => block_on(spool::run(&command)),
        Command::Unit(command) => block_on(units::run(&command)),
        Command::Knowledge(command) => knowledge::run(&command),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let _ = writeln!(std::io::stderr(), "marque-collector: {}", failure.line);
            ExitCode::from(failure.code)
        }
    }
}

/// A line of what was asked for; where nobody listens any more, that is no trouble.
fn print(line: &dyn std::fmt::Display) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

fn block_on(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::other(&e))?
        .block_on(work)
}

fn serve_until_signal(path: &Path, clock: fn() -> Instant) -> Result<(), Failure> {
    let config = Config::read(path).map_err(|e| Failure::configuration(&e))?;
    let runtime = tokio::runtime::Runtime::new().map_err(|e| Failure::other(&e))?;
    runtime.block_on(async {
        let stop = CancellationToken::new();
        stop_on_signal(stop.clone()).map_err(|e| Failure::other(&e))?;
        let ready = |grpc, http| {
            let line = serde_json::json!({"grpc": grpc, "http": http});
            // Whoever closed our output does not want to know.
            let _ = writeln!(std::io::stdout(), "{line}");
        };
        serve::serve(config, clock, stop, ready)
            .await
            .map_err(|error| match error {
                serve::ServeError::Declare(_) | serve::ServeError::Policy(_) | serve::ServeError::Tag(_) => {
                    Failure::configuration(&error)
                }
                serve::ServeError::Knowledge(_) | serve::ServeError::Alert(_) => {
                    Failure::configuration(&error)
                }
                other => Failure::other(&other),
            })
    })
}

fn tag_mistake(path: &Path, error: &serve::ServeError) -> Failure {
    Failure::configuration(&Config::tag_mistake(path, error.to_string()))
}

fn stop_on_signal(stop: CancellationToken) -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stop asked for");
        stop.cancel();
    });
    Ok(())
}

fn check(path: &Path) -> Result<(), Failure> {
    let config = Config::read(path).map_err(|e| Failure::configuration(&e))?;
    let knowledge = crate::identify::knowledge(config.knowledge.folder.as_deref())
        .map_err(|e| Failure::configuration(&e))?;
    let policies = packs::open(&config.policy).map_err(|e| Failure::configuration(&e))?;
    serve::check_tags(&policies, &config.operator.tags).map_err(|e| tag_mistake(path, &e))?;
    let declarations = config.operator.elements.as_deref().map(declare::read).transpose();
    let declarations = declarations
        .map_err(|e| Failure::configuration(&e))?
        .unwrap_or_default();
    let on_file =
        declare::on_file::read(&config.operator, &policies).map_err(|e| Failure::configuration(&e))?;
    if let Some(stray) = declarations
        .iter()
        .find(|d| !config.site.iter().any(|s| s.name == d.site))
    {
        let line = format!(
            "{}: element {} stands at an undeclared site {}",
            path.display(),
            stray.address,
            stray.site
        );
        return Err(Failure {
            code: EX_CONFIG,
            line,
        });
    }
    crate::alert::Routes::open(&config.route, crate::alert::message::Links::default())
        .map_err(|e| Failure::configuration(&e))?;
    print(&format_args!(
        "{}: good; {} sites, {} declared elements, {} approvals, {} shares, {} prices, {} rules in {} packs, knowledge {}",
        path.display(),
        config.site.len(),
        declarations.len(),
        on_file.approvals.len(),
        on_file.shares.len(),
        on_file.prices.len(),
        policies.rules().count(),
        policies.packs().len(),
        knowledge.version()
    ));
    let undeclared = serve::undeclared(&policies, &config);
    if !undeclared.is_empty() {
        print(&format_args!(
            "{}: note: operator.tags says nothing about {}: rules there bind nobody, and nothing they name is clear \
             (declare a tag, or not:TAG)",
            path.display(),
            undeclared.join(", ")
        ));
    }
    Ok(())
}
