//! One authority takes over from another, and no agent enrols anew.
//!
//! Three files in the folder: `authority.pem` signs; `authority.next.pem` and
//! `authority.old.pem` are only trusted. *Prepare* makes the next one, which
//! agents learn with their next certificate; *promote* lets it sign; *forget*
//! removes the old one. Invariant: a step is refused while an agent whose
//! certificate still holds would be locked out by it.

use super::EnrolError;
use super::authority::{make, read};
use model::Instant;
use proto::token::fingerprint;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use store::admission::Lack;
use store::{Admission, StoreError};
use time::OffsetDateTime;

pub(super) const CURRENT: &str = "authority.pem";
pub(super) const OLD: &str = "authority.old.pem";
pub(super) const NEXT: &str = "authority.next.pem";

/// Why a step is not taken.
#[derive(Debug, thiserror::Error)]
pub enum RotationError {
    /// Key, certificate or file.
    #[error(transparent)]
    Enrol(#[from] EnrolError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A step before this one is missing, or was taken already.
    #[error("{path}: {why}")]
    Order {
        /// Which file.
        path: String,
        /// What about it.
        why: &'static str,
    },
    /// Agents would be locked out.
    #[error(
        "{count} agents do not know enough yet, {first} among them; wait for their renewals, or revoke them"
    )]
    Early {
        /// How many.
        count: usize,
        /// One of them.
        first: String,
    },
}

/// The authorities of one folder.
pub struct Rotation<'a> {
    /// Where they lie.
    pub folder: &'a Path,
    /// How long after its end a certificate can be renewed: its agent must not be locked out either.
    pub grace: Duration,
}

impl Rotation<'_> {
    /// Makes the next authority, unless an operator put one there.
    ///
    /// # Errors
    /// [`RotationError::Order`] while the last rotation is not finished.
    pub fn prepare(&self, now: OffsetDateTime) -> Result<[u8; 32], RotationError> {
        self.must_lack(OLD, "the last rotation is not finished: forget it first")?;
        let next = path(self.folder, NEXT);
        if !next.exists() {
            make(&next, now)?;
        }
        self.known(NEXT, "cannot be read")
    }

    /// Lets the next authority sign; the collector must be started anew.
    ///
    /// # Errors
    /// [`RotationError::Early`] while an agent does not trust it yet.
    pub async fn promote(&self, admission: &impl Admission, now: Instant) -> Result<(), RotationError> {
        self.must_lack(OLD, "the last rotation is not finished: forget it first")?;
        let next = self.known(NEXT, "is not there: prepare it first")?;
        self.all_have(admission, Lack::Trust(hex::encode(next)), now)
            .await?;
        // Copied first and then replaced by one rename: there is a current one at any moment.
        // Stopped in between, forgetting the copy leads back to where we were.
        let text = read(&path(self.folder, CURRENT))?;
        super::authority::save(&path(self.folder, OLD), &text)?;
        self.moved(NEXT, CURRENT)
    }

    /// Trusts the old authority no more; the collector must be started anew.
    ///
    /// # Errors
    /// [`RotationError::Early`] while a certificate signed by it holds.
    pub async fn forget(&self, admission: &impl Admission, now: Instant) -> Result<(), RotationError> {
        self.known(OLD, "is not there: nothing to forget")?;
        let current = self.known(CURRENT, "is not there")?;
        self.all_have(admission, Lack::Signature(hex::encode(current)), now)
            .await?;
        let old = path(self.folder, OLD);
        std::fs::remove_file(&old).map_err(|source| named(&old, source))?;
        Ok(())
    }

    async fn all_have(
        &self,
        admission: &impl Admission,
        lack: Lack,
        now: Instant,
    ) -> Result<(), RotationError> {
        let grace = i64::try_from(self.grace.as_micros()).unwrap_or(i64::MAX);
        let since = Instant(now.0.saturating_sub(grace));
        let lacking = admission.lacking(&lack, since, now).await?;
        match lacking.first() {
            None => Ok(()),
            Some(first) => Err(RotationError::Early {
                count: lacking.len(),
                first: first.to_string(),
            }),
        }
    }

    fn must_lack(&self, name: &str, why: &'static str) -> Result<(), RotationError> {
        match path(self.folder, name).exists() {
            true => Err(self.order(name, why)),
            false => Ok(()),
        }
    }

    fn known(&self, name: &str, why: &'static str) -> Result<[u8; 32], RotationError> {
        certificate(self.folder, name)?
            .map(|certificate| fingerprint(&certificate))
            .ok_or_else(|| self.order(name, why))
    }

    fn moved(&self, from: &str, to: &str) -> Result<(), RotationError> {
        let (from, to) = (path(self.folder, from), path(self.folder, to));
        std::fs::rename(&from, &to).map_err(|source| named(&to, source))?;
        Ok(())
    }

    fn order(&self, name: &str, why: &'static str) -> RotationError {
        RotationError::Order {
            path: path(self.folder, name).display().to_string(),
            why,
        }
    }
}

pub(super) fn path(folder: &Path, name: &str) -> PathBuf {
    folder.join(name)
}

/// The certificate in a file of the folder, if the file is there.
pub(super) fn certificate(folder: &Path, name: &str) -> Result<Option<CertificateDer<'static>>, EnrolError> {
    let path = path(folder, name);
    if !path.exists() {
        return Ok(None);
    }
    let text = read(&path)?;
    CertificateDer::from_pem_slice(text.as_bytes())
        .map(Some)
        .map_err(|_| EnrolError::Certificate {
            path: path.display().to_string(),
            source: rcgen::Error::CouldNotParseCertificate,
        })
}

fn named(path: &Path, source: std::io::Error) -> EnrolError {
    EnrolError::File {
        path: path.display().to_string(),
        source,
    }
}
