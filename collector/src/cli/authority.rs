//! `authority …`: the steps by which one authority takes over from another.

use super::Failure;
use super::agents::open;
use crate::enrol::{Rotation, RotationError, rotate_courier_key};
use crate::serve::clock;
use clap::Subcommand;
use std::path::PathBuf;
use time::OffsetDateTime;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Make the next authority, or take one you put there. Start the collector anew: agents learn it as they renew.
    Prepare {
        /// The collector's configuration.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Let the next authority sign, once every agent knows it. Start the collector anew.
    Promote {
        /// The collector's configuration.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Make a fresh key for what comes by courier; the one before still opens what was made for it.
    RotateCourierKey {
        /// The collector's configuration.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Trust the old authority no more, once every agent has a certificate of the new. Start the collector anew.
    Forget {
        /// The collector's configuration.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
}

pub(super) async fn run(command: &Command) -> Result<(), Failure> {
    let (Command::Prepare { config }
    | Command::Promote { config }
    | Command::Forget { config }
    | Command::RotateCourierKey { config }) = command;
    let (config, store) = open(config).await?;
    let rotation = Rotation {
        folder: &config.identity.folder,
        grace: config.identity.renewal_grace,
    };
    let done = match command {
        Command::Prepare { .. } => rotation
            .prepare(OffsetDateTime::now_utc())
            .map(|next| format!("the next authority is {}", hex::encode(next))),
        Command::RotateCourierKey { .. } => rotate_courier_key(&config.identity.folder)
            .map(|key| format!("agents export to {} from their next renewal on", hex::encode(key)))
            .map_err(RotationError::from),
        Command::Promote { .. } => rotation
            .promote(&store, clock())
            .await
            .map(|()| "the next authority signs, the old one is still trusted".to_owned()),
        Command::Forget { .. } => rotation
            .forget(&store, clock())
            .await
            .map(|()| "the old authority is trusted no more".to_owned()),
    };
    store.close().await;
    super::print(&format_args!(
        "{}; start the collector anew",
        done.map_err(|e| Failure::other(&e))?
    ));
    Ok(())
}
