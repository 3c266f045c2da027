//! What the collector says when it takes nothing: most of it passes by itself, a quarantine when a person ends it.
//!
//! Invariants: a quarantine costs time and nothing else, as a dead link does; it is said once in the log, when it
//! begins, and once when it is over, however often the collector was asked meanwhile.

use super::SessionError;
use crate::keep::Shared;
use std::sync::atomic::Ordering;
use tonic::Code;

/// Of what the collector says.
const MAX_CHARS: usize = 200;

impl From<tonic::Status> for SessionError {
    fn from(status: tonic::Status) -> Self {
        let word = status.metadata().get(proto::REFUSAL_KEY);
        match word.is_some_and(|word| word.as_bytes() == proto::QUARANTINED.as_bytes()) {
            true => Self::Quarantined(status.message().chars().take(MAX_CHARS).collect()),
            false => Self::Status(status.code(), status.message().to_owned()),
        }
    }
}

/// Whether this is one; notes where it begins, and where another verdict ended it.
pub(super) fn is_quarantine(shared: &Shared, address: &str, error: &SessionError) -> bool {
    match verdict(error) {
        Some(true) => quarantined(shared, address, error),
        Some(false) => over(shared),
        None => {}
    }
    verdict(error) == Some(true)
}

/// Whether the collector says that we are in quarantine; [`None`] where it says nothing of whether we may come in.
fn verdict(error: &SessionError) -> Option<bool> {
    match error {
        SessionError::Quarantined(_) => Some(true),
        SessionError::Status(Code::PermissionDenied | Code::Unauthenticated, _) => Some(false),
        _ => None,
    }
}

/// The collector refused us so.
fn quarantined(shared: &Shared, address: &str, error: &SessionError) {
    metrics::gauge!("marque_agent_uplink_quarantined").set(1);
    if shared.quarantined.swap(true, Ordering::Relaxed) {
        tracing::debug!(collector.address = address, "still in quarantine");
    } else {
        tracing::warn!(
            collector.address = address,
            spool.waiting = shared.spool.depth().waiting,
            error = super::chain(error),
            "in quarantine: polling goes on and reports are kept"
        );
    }
}

/// The collector welcomed us.
pub(super) fn welcomed(shared: &Shared) {
    over(shared);
}

/// We are not in quarantine.
fn over(shared: &Shared) {
    metrics::gauge!("marque_agent_uplink_quarantined").set(0);
    if shared.quarantined.swap(false, Ordering::Relaxed) {
        tracing::info!("quarantine is over");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic::Status;
    use tonic::metadata::{MetadataMap, MetadataValue};

    #[test]
    fn a_revocation_ends_a_quarantine_and_a_dead_link_does_not() {
        let said = |code| SessionError::from(Status::new(code, "words"));
        assert_eq!(verdict(&SessionError::Quarantined(String::new())), Some(true));
        assert_eq!(verdict(&said(Code::PermissionDenied)), Some(false));
        assert_eq!(verdict(&said(Code::Unauthenticated)), Some(false));
        for silent in [
            said(Code::Unavailable),
            said(Code::Internal),
            SessionError::Silent,
        ] {
            assert_eq!(verdict(&silent), None, "{silent:?}");
        }
    }

    #[test]
    fn a_quarantine_is_told_by_its_word_and_not_by_its_code_or_text() {
        let status = |word: Option<&'static str>| {
            let mut map = MetadataMap::new();
            if let Some(word) = word {
                map.insert(proto::REFUSAL_KEY, MetadataValue::from_static(word));
            }
            Status::with_metadata(Code::Unavailable, "in quarantine ".repeat(100), map)
        };
        let SessionError::Quarantined(words) = SessionError::from(status(Some("quarantined"))) else {
            panic!("the word is there");
        };
        assert_eq!(words.chars().count(), MAX_CHARS);
        for other in [None, Some("tomorrow")] {
            let error = SessionError::from(status(other));
            assert!(
                matches!(error, SessionError::Status(Code::Unavailable, _)),
                "{error:?}"
            );
        }
    }
}
