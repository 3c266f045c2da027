//! `audit …`: whether the log of who did what is whole.
//!
//! A chain shows what was changed in the middle; that its end was not cut off
//! only whoever noted a sum down elsewhere can tell.

use super::agents::open;
use super::{EX_DATAERR, Failure, print};
use clap::Subcommand;
use std::path::PathBuf;
use store::Acts as _;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Go through the audit log from its first row and compare every sum.
    Verify {
        /// The collector's configuration.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
        /// A sum noted down earlier, which the log must still hold.
        #[arg(long, value_name = "SUM")]
        holds: Option<String>,
    },
}

pub(super) async fn run(command: &Command) -> Result<(), Failure> {
    let Command::Verify { config, json, holds } = command;
    let (_, store) = open(config).await?;
    let chain = store
        .chain(holds.as_deref())
        .await
        .map_err(|e| Failure::other(&e));
    store.close().await;
    let chain = chain?;
    if *json {
        let text = serde_json::to_string(&chain).map_err(|e| Failure::other(&e))?;
        print(&text);
    }
    let broken = |line: String| {
        Err(Failure {
            code: EX_DATAERR,
            line,
        })
    };
    if let Some(place) = chain.broken {
        return broken(format!(
            "audit log: row {place} was changed, or one is missing before it; {} rows before it hold",
            chain.rows
        ));
    }
    if let Some(sum) = holds.as_ref().filter(|_| !chain.met) {
        let shown: String = sum.chars().filter(char::is_ascii_hexdigit).take(64).collect();
        return broken(format!("audit log: no row bears the sum {shown}"));
    }
    if !*json {
        let unsealed = match chain.unsealed {
            0 => String::new(),
            rows => format!("; {rows} rows get their sum at the next act"),
        };
        print(&format_args!(
            "audit log: {} rows hold{unsealed}; the last sum is {}",
            chain.rows,
            if chain.head.is_empty() {
                "none"
            } else {
                &chain.head
            }
        ));
    }
    Ok(())
}
