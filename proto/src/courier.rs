//! Files by courier: an export of a spool, and the receipt for it.
//!
//! ```text
//! export   words, recipient (32), encapsulated key (32), then chunks of 65 536 + 16 octets,
//!          the last one shorter or equal: HPKE (RFC 9180, base mode, X25519, HKDF-SHA256,
//!          ChaCha20-Poly1305), the place of each in its nonce and the last one marked.
//!          Inside: frames of length (4, big endian) and a zstd frame of one CourierItem.
//! receipt  words, then one encoded SignedReceipt.
//! ```
//!
//! Signed first, encrypted then: the closing frame signs every octet before it, the
//! recipient and the encapsulated key, so that nobody can put another name on it or hand
//! it on to another collector as if it had been meant for that one, and whoever finds the
//! file learns neither content nor agent. Invariants: nothing is allocated by a length
//! that was not checked; what is cut, reordered or changed is an error, never a shorter
//! file; an export counts only when its last frame was read.

mod key;
mod chunk;
pub mod frame;
mod export;
mod receipt;

pub use chunk::Preamble;
pub use export::{ExportReader, ExportWriter};
pub use key::CourierKey;
pub use receipt::{MAX_RECEIPT_BYTES, MAX_VERDICTS, sign_receipt, verify_receipt};

use crate::tls::TlsError;
use std::io;

/// Reports in one item at most: what a collector commits at once.
pub const MAX_REPORTS: usize = 256;

/// Why a file can be neither written nor believed.
#[derive(Debug, thiserror::Error)]
pub enum CourierError {
    /// Reading or writing failed.
    #[error("file cannot be read or written")]
    Io(#[source] io::Error),
    /// Something else, or of a later version.
    #[error("file is no {0} of this version")]
    Words(&'static str),
    /// Encrypted to a key that is not here.
    #[error("file is for another collector, or its key was forgotten (recipient {0})")]
    Recipient(String),
    /// A key is damaged, or encryption failed.
    #[error("courier key cannot be used")]
    Key,
    /// A part was changed, cut, added or moved.
    #[error("file was changed or cut")]
    Tampered,
    /// Well sealed, and yet not what an agent writes.
    #[error("file breaks the format: {0}")]
    Format(&'static str),
    /// Certificate or signature.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

impl From<io::Error> for CourierError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

#[cfg(test)]
mod tests;
