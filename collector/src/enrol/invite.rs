//! Making an invitation.

use model::{Instant, SiteName};
use proto::token::{JoinToken, NoRandom};
use std::time::Duration;
use store::acts::Signer;
use store::admission::Invitation;
use store::{Admission, StoreError};

/// Why nobody can be invited.
#[derive(Debug, thiserror::Error)]
pub enum InviteError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No secret can be made.
    #[error(transparent)]
    Random(#[from] NoRandom),
}

/// A token for one agent at a site that trusts the authority of this fingerprint, and until when it opens. The store
/// keeps only its hash, and who made it.
///
/// # Errors
/// [`InviteError`] when it cannot be made or noted.
pub async fn invite(
    admission: &(impl Admission + ?Sized),
    authority: [u8; 32],
    site: &SiteName,
    valid: Duration,
    by: &Signer,
    now: Instant,
) -> Result<(JoinToken, Instant), InviteError> {
    let token = JoinToken::generate(authority)?;
    let micros = i64::try_from(valid.as_micros()).unwrap_or(i64::MAX);
    let invitation = Invitation {
        token: token.id,
        site: site.clone(),
        secret_hash: token.secret_hash(),
        expires: Instant(now.0.saturating_add(micros)),
    };
    admission.invite(&invitation, by, now).await?;
    Ok((token, invitation.expires))
}
