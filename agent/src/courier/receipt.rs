//! What the collector wrote back.
//!
//! Invariants: nothing of a receipt is believed before its signature and for whom
//! it is; taken in twice, or late, it changes nothing.

use super::{CourierError, next_key};
use crate::uplink::sameness::Sameness;
use proto::courier::verify_receipt;
use proto::secret_file::SecretFile;
use proto::tls::Bundle;
use proto::v1::{CourierReceipt, VerdictKind};
use spool::Spool;
use std::fmt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// What a receipt changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Applied {
    /// Up to where the collector has everything.
    pub sequence: u64,
    /// Sequences that left the spool.
    pub forgotten: u64,
    /// Reports it refused for good.
    pub refused: u64,
    /// Until when the certificate it brought holds, seconds since 1970; none if it brought none
    /// that is newer.
    pub renewed: Option<i64>,
}

impl fmt::Display for Applied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the collector has everything up to sequence {}; {} left the spool",
            self.sequence, self.forgotten
        )?;
        if self.refused > 0 {
            write!(f, "; it refused {} for good", self.refused)?;
        }
        f.write_str(match self.renewed {
            Some(_) => "; a new certificate is in place",
            None => "",
        })
    }
}

/// Takes a receipt in. `same` is what a running agent knows of the collector.
///
/// # Errors
/// [`CourierError`]; nothing changed then, unless the new certificate could not be written.
pub fn apply(
    file: &[u8],
    spool: &Spool,
    identity: &Path,
    same: Option<&Sameness>,
    now: SystemTime,
) -> Result<Applied, CourierError> {
    let pem =
        std::fs::read_to_string(identity).map_err(|error| CourierError::File(identity.to_owned(), error))?;
    let bundle = Bundle::from_pem(pem);
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let receipt = verify_receipt(file, &bundle, now.as_secs())?;
    if receipt.agent.as_ref() != bundle.agent()?.agent.as_bytes() {
        return Err(CourierError::OtherAgent);
    }
    if receipt.epoch.as_ref() != spool.epoch() {
        return Err(CourierError::OtherSpool);
    }
    let (first, next) = (spool.first_sequence(), spool.next_sequence());
    if receipt.sequence >= next {
        spool.begin_epoch()?;
        return Err(CourierError::OldCopy {
            acked: receipt.sequence,
            last: next - 1,
        });
    }
    if let Some(same) = same {
        tell(same, &receipt);
    }
    spool.ack(receipt.sequence)?;
    let refused = receipt
        .verdicts
        .iter()
        .filter(|v| v.kind() == VerdictKind::Refused);
    Ok(Applied {
        sequence: receipt.sequence,
        forgotten: spool.first_sequence().saturating_sub(first),
        refused: refused.count() as u64,
        renewed: renew(&receipt, &bundle, identity)?,
    })
}

/// What the collector has now, so that unchanged elements go by digest.
fn tell(same: &Sameness, receipt: &CourierReceipt) {
    for verdict in &receipt.verdicts {
        same.judged(verdict.sequence, verdict.kind());
    }
    if receipt.verdicts_omitted > 0 {
        // Any of them may be wanted.
        same.gone_before(receipt.sequence.saturating_add(1));
    }
    same.acked(receipt.sequence);
}

/// Puts the certificate of a receipt in place, if it is for the key on its way and newer.
fn renew(receipt: &CourierReceipt, old: &Bundle, identity: &Path) -> Result<Option<i64>, CourierError> {
    let Some(key) = next_key::find(identity)? else {
        return Ok(None);
    };
    // One for a key of before, or none.
    let Ok(bundle) = Bundle::issued(&key, &receipt.certificates) else {
        return Ok(None);
    };
    let not_after = bundle.validity()?.not_after;
    if bundle.agent()? != old.agent()? || not_after <= old.validity()?.not_after {
        return Ok(None);
    }
    let bundle = bundle
        .with_courier_key(&receipt.courier_key)
        .with_courier_key(&old.courier_key().unwrap_or_default());
    SecretFile::create(identity)
        .and_then(|file| file.save(bundle.pem()))
        .map_err(|error| CourierError::File(identity.to_owned(), error))?;
    next_key::forget(identity)?;
    Ok(Some(not_after))
}
