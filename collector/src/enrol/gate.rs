//! Who speaks, and whether they still may.
//!
//! Invariants: identity comes from the certificate of the connection; TLS looks
//! at a certificate once, so that revocation and end of validity are looked at
//! here again, for as long as a stream is open.

use crate::admin;
use model::{AgentId, Instant, SiteName};
use proto::tls::{AgentIdentity, Validity};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use store::Admission;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Status};

/// How often revocations are read while streams are open.
const LOOK: Duration = Duration::from_millis(500);

/// An agent, as the certificate of its connection says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Who.
    pub agent: AgentId,
    /// From where.
    pub site: SiteName,
    /// Last moment its certificate holds.
    pub not_after: Instant,
}

impl Peer {
    /// Reads the certificate of a request's connection.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` when there is none or it names no agent.
    pub fn of<T>(request: &Request<T>) -> Result<Self, Status> {
        let certificates = request.peer_certs();
        let leaf = certificates
            .as_ref()
            .and_then(|all| all.first())
            .ok_or_else(|| Status::unauthenticated("no client certificate"))?;
        let refuse = |error: &dyn std::fmt::Display| Status::unauthenticated(error.to_string());
        let identity = AgentIdentity::from_certificate(leaf).map_err(|e| refuse(&e))?;
        let validity = Validity::of_certificate(leaf).map_err(|e| refuse(&e))?;
        Ok(Self {
            agent: AgentId(identity.agent),
            site: SiteName::try_from(identity.site).map_err(|e| refuse(&e))?,
            not_after: Instant(validity.not_after.saturating_mul(1_000_000)),
        })
    }
}

/// Lets agents through, or not.
#[derive(Clone)]
pub struct Gate {
    admission: Arc<dyn Admission>,
    clock: fn() -> Instant,
    grace: Duration,
    revoked: watch::Sender<Arc<BTreeSet<AgentId>>>,
}

impl Gate {
    /// A gate that knows no revocation until [`Self::watch`] runs.
    #[must_use]
    pub fn new(admission: Arc<dyn Admission>, clock: fn() -> Instant) -> Self {
        Self {
            admission,
            clock,
            grace: Duration::ZERO,
            revoked: watch::Sender::new(Arc::default()),
        }
    }

    /// Lets certificates be renewed for so long after their end.
    #[must_use]
    pub fn with_grace(self, grace: Duration) -> Self {
        Self { grace, ..self }
    }

    /// Reads revocations, whoever made them, and wakes open streams twice a second until `stop`.
    pub async fn watch(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            match self.admission.revoked().await {
                Ok(revoked) => {
                    self.revoked.send_replace(Arc::new(revoked));
                }
                // What is known stays in force, and every commit asks the store itself.
                Err(error) => {
                    tracing::warn!(error = admin::chain(&error), "revocations not read");
                    self.revoked.send_modify(|_| {});
                }
            }
            let _ = tokio::time::timeout(LOOK, stop.cancelled()).await;
        }
    }

    /// Asks the store whether an agent may speak now.
    ///
    /// # Errors
    /// `PERMISSION_DENIED` when it is revoked or its certificate has run out,
    /// `UNAVAILABLE` when the store does not answer.
    pub async fn check(&self, peer: &Peer) -> Result<(), Status> {
        self.verdict(peer, self.is_revoked(peer).await?)
    }

    /// [`Self::check`] for a renewal: a certificate that ran out within the grace will do.
    ///
    /// # Errors
    /// As there.
    pub async fn check_renewal(&self, peer: &Peer) -> Result<(), Status> {
        let grace = i64::try_from(self.grace.as_micros()).unwrap_or(i64::MAX);
        let late = Peer {
            not_after: Instant(peer.not_after.0.saturating_add(grace)),
            ..peer.clone()
        };
        self.verdict(&late, self.is_revoked(peer).await?)
    }

    async fn is_revoked(&self, peer: &Peer) -> Result<bool, Status> {
        self.admission.is_revoked(peer.agent).await.map_err(|error| {
            tracing::error!(error = admin::chain(&error), "revocation not read");
            Status::unavailable("collector cannot tell who may come in now")
        })
    }

    /// Waits until an agent may no longer speak, and says why. Safe to cancel.
    pub async fn shut(&self, peer: &Peer) -> Status {
        let mut changes = self.revoked.subscribe();
        loop {
            let revoked = changes.borrow_and_update().contains(&peer.agent);
            if let Err(status) = self.verdict(peer, revoked) {
                return status;
            }
            if changes.changed().await.is_err() {
                return Status::unavailable("collector stops");
            }
        }
    }

    fn verdict(&self, peer: &Peer, revoked: bool) -> Result<(), Status> {
        if revoked {
            return Err(Status::permission_denied("this agent is revoked"));
        }
        if peer.not_after < (self.clock)() {
            return Err(Status::permission_denied("the certificate has run out"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::SqliteStore;
    use store::acts::Signer;
    use store::admission::Issued;

    async fn gate(folder: &std::path::Path) -> (Gate, Arc<SqliteStore>) {
        let store = Arc::new(SqliteStore::open(&folder.join("c.db")).await.unwrap());
        let admission = Arc::clone(&store) as Arc<dyn Admission>;
        (Gate::new(admission, || Instant(1_000)), store)
    }

    fn peer(not_after: i64) -> Peer {
        Peer {
            agent: AgentId::generate(),
            site: "berlin".parse().unwrap(),
            not_after: Instant(not_after),
        }
    }

    #[tokio::test]
    async fn opens_for_the_valid_and_shuts_for_the_late() {
        let folder = tempfile::tempdir().unwrap();
        let (gate, _) = gate(folder.path()).await;
        gate.check(&peer(1_000)).await.unwrap();
        let late = gate.check(&peer(999)).await.unwrap_err();
        assert_eq!(late.code(), tonic::Code::PermissionDenied);
        assert_eq!(gate.shut(&peer(999)).await.message(), late.message());
        // To renew, one may be late by the grace, and not by more.
        gate.check_renewal(&peer(999)).await.unwrap_err();
        let gate = gate.with_grace(Duration::from_micros(400));
        gate.check_renewal(&peer(600)).await.unwrap();
        gate.check_renewal(&peer(599)).await.unwrap_err();
        gate.check(&peer(999)).await.unwrap_err();
    }

    #[tokio::test]
    async fn a_revocation_made_elsewhere_shuts_what_is_open() {
        let folder = tempfile::tempdir().unwrap();
        let (gate, store) = gate(folder.path()).await;
        let (stays, goes) = (peer(2_000), peer(2_000));
        let issued = Issued {
            agent: goes.agent,
            site: goes.site.clone(),
            serial: "1".into(),
            authority: String::new(),
            trusted: Vec::new(),
            not_after: goes.not_after,
        };
        store.certify(&issued, Instant(1)).await.unwrap();
        let stop = CancellationToken::new();
        let watching = tokio::spawn(gate.clone().watch(stop.clone()));
        let waiting = tokio::spawn({
            let (gate, goes) = (gate.clone(), goes.clone());
            async move { gate.shut(&goes).await }
        });
        // As the command does it: another process, another connection.
        let other = SqliteStore::open(&folder.path().join("c.db")).await.unwrap();
        let by = Signer {
            person: "Ann".into(),
            account: "uid 1".into(),
        };
        assert!(other.revoke(goes.agent, "stolen", &by, Instant(2)).await.unwrap());
        let status = tokio::time::timeout(Duration::from_secs(10), waiting)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(status.code(), tonic::Code::PermissionDenied);
        assert!(gate.check(&goes).await.is_err());
        gate.check(&stays).await.unwrap();
        stop.cancel();
        watching.await.unwrap();
    }
}
