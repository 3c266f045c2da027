//! `lab chaos`: faults, tried for real.

use crate::chaos::{self, Outcome, disk};
use std::path::PathBuf;
use std::process::ExitCode;

/// How to put the house to the test.
#[derive(Debug, clap::Args)]
pub struct ChaosArgs {
    /// For how long, the building of the house included; it ends within 20 s more.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(20..=86_400))]
    seconds: u64,
    /// Fixes which faults happen when.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print one line of JSON.
    #[arg(long)]
    json: bool,
    /// Where data and logs stay; a temporary folder if not given.
    #[arg(long)]
    data: Option<PathBuf>,
}

/// Runs it in a mount namespace of its own.
pub(super) fn run(args: ChaosArgs) -> ExitCode {
    if !disk::is_inside() {
        return disk::run_inside().unwrap_or_else(|why| super::failed(&why));
    }
    super::leave_with_parent();
    match judged(&args) {
        Ok(outcome) if outcome.is_good() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(why) => super::failed(&why),
    }
}

fn judged(args: &ChaosArgs) -> Result<Outcome, String> {
    let temporary = tempfile::Builder::new().prefix("marque-chaos-").tempdir();
    let temporary = temporary.map_err(|error| format!("no temporary folder: {error}"))?;
    let data = match &args.data {
        Some(data) => std::fs::create_dir_all(data)
            .and_then(|()| data.canonicalize())
            .map_err(|error| format!("{}: {error}", data.display()))?,
        None => temporary.path().to_owned(),
    };
    let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
    let run = chaos::run(args.seconds, args.seed, &data, &|line| super::note(line));
    let outcome = runtime.block_on(async {
        tokio::select! {
            outcome = run => outcome,
            () = super::interrupted() => Err("interrupted".to_owned()),
        }
    })?;
    for complaint in &outcome.complaints {
        super::note(complaint);
    }
    if args.json {
        super::print(&serde_json::json!(outcome))?;
    } else {
        super::print(&told(&outcome))?;
    }
    Ok(outcome)
}

fn told(outcome: &Outcome) -> String {
    let faults: usize = outcome.faults.values().sum();
    format!(
        "{faults} faults of {} kinds in {} s: {} reports and {} answers compared, {} lost, {} doubled, {} declared \
         lost; lines were back within {} ms (99 of 100); {}",
        outcome.faults.len(),
        outcome.seconds,
        outcome.reports,
        outcome.words,
        outcome.lost,
        outcome.duplicated,
        outcome.gaps_declared,
        outcome.recovery_ms_p99,
        if outcome.drained {
            "all arrived in time"
        } else {
            "not all arrived in time"
        },
    )
}
