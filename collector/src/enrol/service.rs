//! The enrolment service: a token for a certificate, a certificate for its successor.
//!
//! Invariants: every refused token looks the same from outside and leaves a
//! record inside; nothing is looked up before the limits let it through; who
//! renews is who the connection's certificate names.

use super::limit::Limits;
use super::{Authority, EnrolError, Gate, Peer};
use crate::admin;
use model::{AgentId, Instant};
use prost::bytes::Bytes;
use proto::token::JoinToken;
use proto::v1;
use proto::v1::enrolment_service_server::{EnrolmentService, EnrolmentServiceServer};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use store::admission::Candidate;
use store::{Admission, StoreError};
use tonic::{Request, Response, Status};

/// The service over an authority and a store.
pub struct Enrolment {
    authority: Authority,
    admission: Arc<dyn Admission>,
    gate: Gate,
    limits: Limits,
    clock: fn() -> Instant,
}

impl Enrolment {
    /// The service, with message limits set.
    pub fn server(
        authority: Authority,
        admission: Arc<dyn Admission>,
        gate: Gate,
        clock: fn() -> Instant,
    ) -> EnrolmentServiceServer<Self> {
        let service = Self {
            authority,
            admission,
            gate,
            limits: Limits::default(),
            clock,
        };
        EnrolmentServiceServer::new(service)
            .max_decoding_message_size(proto::MAX_ENROLMENT_BYTES)
            .max_encoding_message_size(proto::MAX_ENROLMENT_BYTES)
    }

    /// Certifies the key of a request that was checked, and notes it.
    async fn certify(&self, request: &[u8], peer: &Peer, now: Instant) -> Result<Vec<Bytes>, Status> {
        let at = now
            .to_datetime()
            .ok_or_else(|| broken(&"the clock is out of range"))?;
        let made = self
            .authority
            .certify(request, peer.agent, &peer.site, at)
            .map_err(|error| match error {
                EnrolError::Request(_) => Status::invalid_argument("the signing request is refused"),
                other => broken(&admin::chain(&other)),
            })?;
        self.admission
            .certify(&made.issued, now)
            .await
            .map_err(|error| unavailable(&error))?;
        Ok(made.chain.into_iter().map(Bytes::from).collect())
    }
}

#[tonic::async_trait]
impl EnrolmentService for Enrolment {
    async fn enrol(&self, request: Request<v1::EnrolRequest>) -> Result<Response<v1::EnrolResponse>, Status> {
        let address = request
            .remote_addr()
            .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
        if !self.limits.attempt(address) {
            count("limited");
            return Err(Status::resource_exhausted("too many attempts, try again later"));
        }
        let now = (self.clock)();
        let peer = address.to_string();
        let request = request.into_inner();
        let token: Option<JoinToken> = request.join_token.parse().ok();
        // The request is checked first: one that is damaged must not use the token up.
        let Some(token) = token.filter(|_| Authority::check(&request.signing_request).is_ok()) else {
            self.admission
                .malformed(&peer, now)
                .await
                .map_err(|error| unavailable(&error))?;
            return Err(refuse(&peer, "malformed"));
        };
        let candidate = Candidate {
            agent: AgentId::generate(),
            token: token.id,
            secret_hash: token.secret_hash(),
            peer,
        };
        let answer = self
            .admission
            .consume(&candidate, now)
            .await
            .map_err(|error| unavailable(&error))?;
        let site = answer.map_err(|outcome| refuse(&candidate.peer, outcome.as_str()))?;
        let agent = Peer {
            agent: candidate.agent,
            site,
            not_after: now,
        };
        let certificates = self.certify(&request.signing_request, &agent, now).await?;
        count("enrolled");
        tracing::info!(agent.id = %agent.agent, site = %agent.site, peer.address = candidate.peer, "agent enrolled");
        Ok(Response::new(v1::EnrolResponse {
            certificates,
            courier_key: Bytes::copy_from_slice(&self.authority.courier_key()),
        }))
    }

    async fn renew(&self, request: Request<v1::RenewRequest>) -> Result<Response<v1::RenewResponse>, Status> {
        let peer = Peer::of(&request)?;
        if !self.limits.renewal(peer.agent) {
            return Err(Status::resource_exhausted("too many renewals, try again later"));
        }
        self.gate.check_renewal(&peer).await?;
        let certificates = self
            .certify(&request.get_ref().signing_request, &peer, (self.clock)())
            .await?;
        metrics::counter!("marque_collector_certificate_renewed_total").increment(1);
        tracing::info!(agent.id = %peer.agent, site = %peer.site, "certificate renewed");
        Ok(Response::new(v1::RenewResponse {
            certificates,
            courier_key: Bytes::copy_from_slice(&self.authority.courier_key()),
        }))
    }
}

fn count(outcome: &'static str) {
    metrics::counter!("marque_collector_enrolment_total", "outcome" => outcome).increment(1);
}

/// One answer for every token that opens nothing: it tells a stranger nothing.
fn refuse(peer: &str, outcome: &'static str) -> Status {
    count(outcome);
    tracing::warn!(peer.address = peer, reason = outcome, "enrolment refused");
    Status::permission_denied("enrolment is refused")
}

fn unavailable(error: &StoreError) -> Status {
    tracing::error!(error = admin::chain(error), "enrolment not recorded");
    Status::unavailable("collector cannot enrol now")
}

fn broken(why: &dyn std::fmt::Display) -> Status {
    tracing::error!(error = %why, "certificate not made");
    Status::internal("collector cannot make a certificate")
}
