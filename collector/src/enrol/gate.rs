//! Who speaks, and whether they still may.
//!
//! Invariants: identity comes from the certificate of the connection; TLS looks
//! at a certificate once, so that revocation, quarantine and end of validity are looked at
//! here again, for as long as a stream is open. Whoever is in quarantine may renew its
//! certificate and nothing else: it must be able to come back.

use crate::admin;
use model::{AgentId, Instant, SiteName};
use proto::tls::{AgentIdentity, Validity};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use store::Admission;
use store::admission::Shut;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Code, Request, Status};

/// How often it is read who is kept out while streams are open.
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
    shut: watch::Sender<Arc<BTreeMap<AgentId, Shut>>>,
}

impl Gate {
    /// A gate that keeps nobody out until [`Self::watch`] runs.
    #[must_use]
    pub fn new(admission: Arc<dyn Admission>, clock: fn() -> Instant) -> Self {
        Self {
            admission,
            clock,
            grace: Duration::ZERO,
            shut: watch::Sender::new(Arc::default()),
        }
    }

    /// Lets certificates be renewed for so long after their end.
    #[must_use]
    pub fn with_grace(self, grace: Duration) -> Self {
        Self { grace, ..self }
    }

    /// Reads who is kept out, whoever saw to that, and wakes open streams twice a second until `stop`.
    pub async fn watch(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            match self.admission.all_shut().await {
                Ok(shut) => {
                    self.shut.send_replace(Arc::new(shut));
                }
                // What is known stays in force, and every commit asks the store itself.
                Err(error) => {
                    tracing::warn!(
                        error = admin::chain(&error),
                        "revocations and quarantines not read"
                    );
                    self.shut.send_modify(|_| {});
                }
            }
            let _ = tokio::time::timeout(LOOK, stop.cancelled()).await;
        }
    }

    /// Asks the store whether an agent may speak now.
    ///
    /// # Errors
    /// `PERMISSION_DENIED` when it is revoked or its certificate has run out,
    /// `UNAVAILABLE` while it is in quarantine and when the store does not answer.
    pub async fn check(&self, peer: &Peer) -> Result<(), Status> {
        let shut = self.admission.shut(peer.agent).await;
        self.verdict(peer, shut.map_err(|error| unread(&error))?)
    }

    /// [`Self::check`] for a renewal: a quarantine does not matter, and a certificate that ran out within the grace
    /// will do. Time in quarantine does not count against the grace.
    ///
    /// # Errors
    /// As there.
    pub async fn check_renewal(&self, peer: &Peer) -> Result<(), Status> {
        let shut = self.admission.shut(peer.agent).await;
        let shut = shut.map_err(|error| unread(&error))?;
        let now = (self.clock)();
        let kept_out = match peer.not_after < now {
            true => {
                self.admission
                    .quarantined_for(peer.agent, peer.not_after, now)
                    .await
            }
            false => Ok(Duration::ZERO),
        };
        let kept_out = kept_out.map_err(|error| unread(&error))?;
        let grace = i64::try_from(self.grace.saturating_add(kept_out).as_micros()).unwrap_or(i64::MAX);
        let late = Peer {
            not_after: Instant(peer.not_after.0.saturating_add(grace)),
            ..peer.clone()
        };
        self.verdict(&late, shut.filter(|shut| *shut == Shut::Revoked))
    }

    /// Waits until an agent may no longer speak, and says why. Safe to cancel.
    pub async fn shut(&self, peer: &Peer) -> Status {
        let mut changes = self.shut.subscribe();
        loop {
            let mut shut = changes.borrow_and_update().get(&peer.agent).copied();
            // What is known may be half a second old: whoever was released meanwhile is not cut by it.
            if shut.is_some() {
                shut = self.admission.shut(peer.agent).await.unwrap_or(shut);
            }
            if let Err(status) = self.verdict(peer, shut) {
                return status;
            }
            if changes.changed().await.is_err() {
                return Status::unavailable("collector stops");
            }
        }
    }

    fn verdict(&self, peer: &Peer, shut: Option<Shut>) -> Result<(), Status> {
        match shut {
            Some(Shut::Revoked) => return Err(Status::permission_denied("this agent is revoked")),
            Some(Shut::Quarantined) => return Err(quarantined()),
            None => {}
        }
        if peer.not_after < (self.clock)() {
            return Err(Status::permission_denied("the certificate has run out"));
        }
        Ok(())
    }
}

/// What an agent in quarantine is told: it is for a time, and by a code that every agent tries again after. Why it is
/// there is for those who look at the collector.
fn quarantined() -> Status {
    let mut why = MetadataMap::new();
    why.insert(proto::REFUSAL_KEY, MetadataValue::from_static(proto::QUARANTINED));
    metrics::counter!("marque_collector_quarantine_refused_total").increment(1);
    let words =
        "this agent is in quarantine until an administrator releases it: its reports are not lost, keep them";
    Status::with_metadata(Code::Unavailable, words, why)
}

fn unread(error: &store::StoreError) -> Status {
    tracing::error!(error = admin::chain(error), "revocation or quarantine not read");
    Status::unavailable("collector cannot tell who may come in now")
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

    #[tokio::test]
    async fn who_is_in_quarantine_may_renew_and_nothing_else_and_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let (gate, store) = gate(folder.path()).await;
        let gate = gate.with_grace(Duration::from_micros(100));
        let held = peer(2_000);
        let issued = Issued {
            agent: held.agent,
            site: held.site.clone(),
            serial: "1".into(),
            authority: String::new(),
            trusted: Vec::new(),
            not_after: held.not_after,
        };
        store.certify(&issued, Instant(1)).await.unwrap();
        let by = Signer {
            person: "Ann".into(),
            account: "uid 1".into(),
        };
        store
            .quarantine(held.agent, "odd", &by, Instant(700))
            .await
            .unwrap();
        let refused = gate.check(&held).await.unwrap_err();
        let word = refused.metadata().get(proto::REFUSAL_KEY).unwrap();
        let word = word.to_str().unwrap();
        assert_eq!((refused.code(), word), (Code::Unavailable, "quarantined"));
        assert!(!refused.message().contains("odd"), "{}", refused.message());
        gate.check_renewal(&held).await.unwrap();
        // It is 1000: since 700 no grace runs down, whether or not it is released meanwhile.
        let ended = |not_after| Peer {
            not_after: Instant(not_after),
            ..held.clone()
        };
        assert_eq!(
            gate.check(&ended(999)).await.unwrap_err().code(),
            Code::Unavailable
        );
        gate.check_renewal(&ended(600)).await.unwrap();
        gate.check_renewal(&ended(599)).await.unwrap_err();
        store
            .end_quarantine(held.agent, "was nothing", &by, Instant(950))
            .await
            .unwrap();
        gate.check(&held).await.unwrap();
        // What was known before the release cuts no stream that began after it.
        gate.shut
            .send_replace(Arc::new(BTreeMap::from([(held.agent, Shut::Quarantined)])));
        let checks = async {
            for _ in 0..5 {
                gate.check(&held).await.unwrap();
            }
        };
        tokio::select! {
            biased;
            status = gate.shut(&held) => panic!("cut: {status}"),
            () = checks => {}
        }
        gate.check_renewal(&ended(650)).await.unwrap();
        gate.check_renewal(&ended(649)).await.unwrap_err();
        store
            .revoke(held.agent, "stolen", &by, Instant(980))
            .await
            .unwrap();
        gate.check_renewal(&held).await.unwrap_err();
    }
}
