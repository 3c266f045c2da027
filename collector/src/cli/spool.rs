//! `spool import`: what an agent without a link exported, and a receipt for it.
//!
//! Works on the store's file, whether or not a collector runs on it: that one's
//! reconcilers look at the store every few seconds.

use super::Failure;
use super::agents::open;
use crate::ingest::{Import, Imported};
use crate::serve::{authority, clock};
use clap::Subcommand;
use proto::secret_file::SecretFile;
use std::io::Write as _;
use std::path::{Path, PathBuf};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Store what an agent exported for a courier. Importing again, or what the link brought already, changes nothing.
    Import {
        /// The export.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// The collector's configuration.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Where to write the receipt, with which the agent may forget what is stored here; there must be no such file.
        #[arg(long, value_name = "OUT")]
        receipt: Option<PathBuf>,
        /// Go on although reports before the export's first are not here, and show them as lost.
        #[arg(long)]
        over_hole: bool,
    },
}

pub(super) async fn run(command: &Command) -> Result<(), Failure> {
    let Command::Import {
        file,
        config,
        receipt,
        over_hole,
    } = command;
    let named = |path: &Path, error: &dyn std::error::Error| Failure {
        code: 1,
        line: format!("{}: {}", path.display(), crate::admin::chain(error)),
    };
    // Known before anything is stored.
    let out = receipt.as_deref().map(|path| {
        let made = match path.exists() {
            true => Err(std::io::ErrorKind::AlreadyExists.into()),
            false => SecretFile::create(path),
        };
        made.map_err(|error| named(path, &error))
    });
    let out = out.transpose()?;
    let export = std::fs::File::open(file).map_err(|error| named(file, &error))?;
    let (config, store) = open(config).await?;
    let authority = authority(&config).map_err(|error| Failure::other(&error))?;
    let import = Import {
        store: &store,
        authority: &authority,
        sites: &config.site.iter().map(|site| site.name.clone()).collect(),
        grace: config.identity.renewal_grace,
        over_hole: *over_hole,
        clock,
    };
    let done = import.import(export).await.map_err(|error| named(file, &error))?;
    if let (Some(mut out), Some(path)) = (out, receipt) {
        let text = import.receipt(&done).await.map_err(|error| named(file, &error))?;
        let saved = out.write_all(&text).and_then(|()| out.finish());
        saved.map_err(|error| named(path, &error))?;
    }
    store.close().await;
    super::print(&format_args!("{}", line(file, &done)));
    Ok(())
}

fn line(file: &Path, done: &Imported) -> String {
    let (first, last) = done.span;
    format!(
        "{}: agent {} at {}, sequences {first} to {last}: {} stored, {} repeated, {} refused, {} wanted in full; \
         durable up to {}",
        file.display(),
        done.agent,
        done.site,
        done.stored,
        done.repeated,
        done.refused,
        done.wanted,
        done.acked
    )
}
