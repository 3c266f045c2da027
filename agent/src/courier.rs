//! Reports by courier, where there is no link: exports of the spool, and receipts.
//!
//! Invariants: an export takes nothing out of the spool; a receipt does, as far as
//! the collector signed that it has everything on disk, and only if it is for this
//! agent and this spool.

mod export;
mod receipt;
mod next_key;
pub mod desk;

pub use export::{Exported, export};
pub use receipt::{Applied, apply};

use crate::enrol::EnrolError;
use proto::tls::TlsError;
use spool::SpoolError;
use std::io;
use std::path::PathBuf;

/// Why there is no export, or a receipt changes nothing.
#[derive(Debug, thiserror::Error)]
pub enum CourierError {
    /// A file beside the spool or the identity.
    #[error("cannot read or write {0}")]
    File(PathBuf, #[source] io::Error),
    /// The identity is from before there were couriers.
    #[error(
        "{0} has no key of the collector for exports: the next renewal brings it, or a new `marque-collector agent certificate`"
    )]
    NoKey(PathBuf),
    /// The identity.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The export or the receipt as a file.
    #[error(transparent)]
    Sealed(#[from] proto::courier::CourierError),
    /// A key or signing request.
    #[error(transparent)]
    Enrol(#[from] EnrolError),
    /// The spool.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// Of another agent's export.
    #[error("the receipt is for another agent")]
    OtherAgent,
    /// Of an export of another spool.
    #[error("the receipt is for another spool of this agent")]
    OtherSpool,
    /// This spool is an old copy: its sequences were used before.
    #[error(
        "the collector has sequence {acked}, this spool only reached {last}: it is an old copy and goes on \
         under a new epoch, export it again"
    )]
    OldCopy {
        /// By the collector.
        acked: u64,
        /// By the spool.
        last: u64,
    },
}

#[cfg(test)]
mod tests;
