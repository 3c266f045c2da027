//! Receipts: what an acknowledgement says, signed by the collector.
//!
//! Invariant: what [`verify_receipt`] returns was said by a collector whose authority
//! the agent trusts; for whom it is meant is for the agent to look at.

use super::CourierError;
use crate::tls::{Bundle, verify_signature};
use crate::v1::{CourierReceipt, SignedReceipt};
use prost::Message as _;

/// What a receipt begins with.
const WORDS: &[u8] = b"marque courier receipt 1\n";

/// Before the receipt in what is signed.
const SIGNED: &[u8] = b"marque courier receipt 1, signed by a collector\0";

/// Verdicts in one receipt; those beyond are only counted.
pub const MAX_VERDICTS: usize = 2_000;

/// No receipt is larger.
pub const MAX_RECEIPT_BYTES: usize = 1 << 20;

/// A receipt as a file, signed by the collector with this bundle.
///
/// # Errors
/// [`CourierError`] when it cannot be signed.
pub fn sign_receipt(receipt: &CourierReceipt, collector: &Bundle) -> Result<Vec<u8>, CourierError> {
    let receipt = receipt.encode_to_vec();
    let signed = SignedReceipt {
        certificate: collector.certificate()?.into(),
        signature: collector.sign(&[SIGNED, receipt.as_slice()].concat())?.into(),
        receipt: receipt.into(),
    };
    Ok([WORDS, signed.encode_to_vec().as_slice()].concat())
}

/// The receipt in a file, if a collector that `agent` trusts at `now` (seconds since 1970) signed it.
///
/// # Errors
/// [`CourierError`] for anything else.
pub fn verify_receipt(file: &[u8], agent: &Bundle, now: u64) -> Result<CourierReceipt, CourierError> {
    let words = CourierError::Words("receipt for an export");
    let signed = file.strip_prefix(WORDS).ok_or(words)?;
    if file.len() > MAX_RECEIPT_BYTES {
        return Err(CourierError::Format("a receipt is too large"));
    }
    let signed = SignedReceipt::decode(signed).map_err(|_| CourierError::Format("no receipt in it"))?;
    agent.authorities()?.collector(&signed.certificate, now)?;
    let message = [SIGNED, &signed.receipt].concat();
    verify_signature(&signed.certificate, &message, &signed.signature)?;
    CourierReceipt::decode(signed.receipt).map_err(|_| CourierError::Format("no receipt in it"))
}
