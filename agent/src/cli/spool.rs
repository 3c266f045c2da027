//! `marque-agent spool`: exports for a courier, and the receipts that come back.
//!
//! Invariant: whether the agent runs or not, the same happens: the spool is opened
//! here, or asked of the process that has it.

use crate::config::{ConfigError, Places};
use crate::courier::{self, CourierError, desk};
use clap::Subcommand;
use proto::courier::MAX_RECEIPT_BYTES;
use proto::secret_file::SecretFile;
use spool::{Options, Spool, SpoolError};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// What `spool` is told.
#[derive(Subcommand)]
pub enum Command {
    /// Write everything that waits to a file, signed by this agent and encrypted to the collector.
    ///
    /// Nothing leaves the spool. Works while the agent runs and while it does not.
    Export {
        /// The file to make; there must be none.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// The agent's configuration.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// The file's size at most; the newest reports are left out.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(65_536..))]
        max_bytes: Option<u64>,
    },
    /// Take in the collector's receipt: what it has on disk leaves the spool.
    Receipt {
        /// The receipt, as written by `marque-collector spool import --receipt`.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// The agent's configuration.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
}

/// Why nothing was exported or taken in.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The file.
    #[error("{0}")]
    File(PathBuf, #[source] io::Error),
    /// There is no spool.
    #[error("{0}: there is no spool")]
    NoSpool(PathBuf),
    /// The spool.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// The export or the receipt.
    #[error(transparent)]
    Courier(#[from] CourierError),
    /// The agent could not use afterwards what another user wrote.
    #[error("{0} belongs to user {1}: run this as that user, or while the agent runs")]
    OtherUser(PathBuf, u32),
    /// Whoever has the spool.
    #[error("the agent that has {0} open")]
    Desk(PathBuf, #[source] io::Error),
}

/// Does it and says what was done.
///
/// # Errors
/// [`Error`] as one line.
pub fn run(command: &Command, clock: fn() -> SystemTime) -> Result<String, Error> {
    match command {
        Command::Export {
            file,
            config,
            max_bytes,
        } => export(file, &Places::read(config)?, *max_bytes, clock),
        Command::Receipt { file, config } => receipt(file, &Places::read(config)?, clock),
    }
}

fn export(
    file: &Path,
    places: &Places,
    max_bytes: Option<u64>,
    clock: fn() -> SystemTime,
) -> Result<String, Error> {
    let named = |error| Error::File(file.to_owned(), error);
    if file.exists() {
        return Err(named(io::ErrorKind::AlreadyExists.into()));
    }
    let mut out = SecretFile::create(file).map_err(named)?;
    let said = match open(places, clock)? {
        Some(spool) => courier::export(&spool, &places.identity, max_bytes, clock(), &mut out)?.to_string(),
        None => desk::ask_export(&places.spool, max_bytes, &mut out)
            .map_err(|error| Error::Desk(places.spool.clone(), error))?,
    };
    out.finish().map_err(named)?;
    Ok(format!("{}: {said}", file.display()))
}

fn receipt(file: &Path, places: &Places, clock: fn() -> SystemTime) -> Result<String, Error> {
    let mut receipt = Vec::new();
    std::fs::File::open(file)
        .and_then(|file| file.take(MAX_RECEIPT_BYTES as u64 + 1).read_to_end(&mut receipt))
        .map_err(|error| Error::File(file.to_owned(), error))?;
    match open(places, clock)? {
        Some(spool) => Ok(courier::apply(&receipt, &spool, &places.identity, None, clock())?.to_string()),
        None => desk::ask_receipt(&places.spool, &receipt)
            .map_err(|error| Error::Desk(places.spool.clone(), error)),
    }
}

/// The spool, unless another process has it.
fn open(places: &Places, clock: fn() -> SystemTime) -> Result<Option<Spool>, Error> {
    if !places.spool.exists() {
        return Err(Error::NoSpool(places.spool.clone()));
    }
    // What is written here must stay the agent's own.
    let owner = std::fs::metadata(&places.spool).map(|found| found.uid());
    let owner = owner.map_err(|error| Error::File(places.spool.clone(), error))?;
    if owner != rustix::process::geteuid().as_raw() {
        return Err(Error::OtherUser(places.spool.clone(), owner));
    }
    let options = Options {
        quota_bytes: places.quota_bytes,
        move_damaged_aside: false,
        clock,
    };
    match Spool::open(&places.spool, &options) {
        Ok((spool, _)) => Ok(Some(spool)),
        Err(SpoolError::InUse { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
