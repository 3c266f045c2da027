//! Who may come in, as the store keeps it: invitations, certificates, revocations, quarantines.
//!
//! Invariants: a token is consumed by one statement, so that two racers cannot
//! share it; every attempt leaves a row; a revocation is for good, a quarantine ends when
//! somebody ends it, and of one agent one is in force at most.

use crate::StoreError;
use crate::acts::Signer;
use model::{AgentId, Instant, SiteName};
use std::collections::BTreeMap;
use std::time::Duration;
use uuid::Uuid;

/// A one-time invitation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// Which.
    pub token: Uuid,
    /// Where the agent will stand.
    pub site: SiteName,
    /// SHA-256 of the secret, hexadecimal.
    pub secret_hash: String,
    /// From then on it opens nothing.
    pub expires: Instant,
}

/// Someone who shows a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The key the agent will have.
    pub agent: AgentId,
    /// Which token.
    pub token: Uuid,
    /// SHA-256 of the secret shown, hexadecimal.
    pub secret_hash: String,
    /// From where, for people.
    pub peer: String,
}

/// What became of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Let in.
    Enrolled,
    /// The token was used before.
    Replayed,
    /// The token is too old.
    Expired,
    /// There is such a token, with another secret.
    Guessed,
    /// There is no such token.
    Unknown,
    /// Token or signing request could not be read.
    Malformed,
}

impl Outcome {
    /// The word in the database, in logs and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enrolled => "enrolled",
            Self::Replayed => "replayed",
            Self::Expired => "expired",
            Self::Guessed => "guessed",
            Self::Unknown => "unknown",
            Self::Malformed => "malformed",
        }
    }
}

/// A certificate made for an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    /// For whom.
    pub agent: AgentId,
    /// Where it stands.
    pub site: SiteName,
    /// Serial number, hexadecimal.
    pub serial: String,
    /// Fingerprint of the authority that signed it, hexadecimal.
    pub authority: String,
    /// Fingerprints of all authorities the agent was told to trust with it, that one included.
    pub trusted: Vec<String>,
    /// Until when it holds.
    pub not_after: Instant,
}

/// An agent as admission knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    /// Who.
    pub agent: AgentId,
    /// Where, if a certificate or greeting said so.
    pub site: Option<SiteName>,
    /// Until when its newest certificate holds, if it was recorded.
    pub not_after: Option<Instant>,
    /// Its last greeting or report.
    pub last_seen: Option<Instant>,
    /// When it was revoked.
    pub revoked: Option<Instant>,
    /// Since when it is in quarantine, if it is.
    pub quarantined: Option<Instant>,
}

/// How an agent is kept out though its certificate may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shut {
    /// For good.
    Revoked,
    /// Until somebody releases it.
    Quarantined,
}

/// What became of putting an agent into quarantine, or of releasing it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moved {
    /// It is so from now on.
    Done,
    /// It was so before, and nothing changed.
    Already,
    /// It was shut out for good, which nothing changes.
    Revoked,
    /// Nobody knows it.
    Unknown,
}

/// What a certificate lacks for a step of a rotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lack {
    /// Its agent was not told to trust this authority.
    Trust(String),
    /// It was signed by another authority than this.
    Signature(String),
}

/// What enrolment asks of durable state.
#[async_trait::async_trait]
pub trait Admission: Send + Sync + 'static {
    /// Notes an invitation, and in the audit log who made it.
    async fn invite(&self, invitation: &Invitation, by: &Signer, now: Instant) -> Result<(), StoreError>;

    /// Uses a token up and returns its site, or says why not; either way the attempt is recorded.
    async fn consume(
        &self,
        candidate: &Candidate,
        now: Instant,
    ) -> Result<Result<SiteName, Outcome>, StoreError>;

    /// Records an attempt that showed no readable token or request.
    async fn malformed(&self, peer: &str, now: Instant) -> Result<(), StoreError>;

    /// Attempts recorded so far, by outcome word.
    async fn attempts(&self) -> Result<Vec<(String, u64)>, StoreError>;

    /// Records a certificate; those of the agent that have run out are forgotten.
    async fn certify(&self, issued: &Issued, now: Instant) -> Result<(), StoreError>;

    /// Shuts an agent out for good, and notes in the audit log who did and why; `false` when nobody knows it.
    /// The first time counts: once it is shut out nothing changes any more.
    async fn revoke(
        &self,
        agent: AgentId,
        reason: &str,
        by: &Signer,
        now: Instant,
    ) -> Result<bool, StoreError>;

    /// Puts an agent into quarantine, and notes in the audit log who did and why.
    async fn quarantine(
        &self,
        agent: AgentId,
        reason: &str,
        by: &Signer,
        now: Instant,
    ) -> Result<Moved, StoreError>;

    /// Ends an agent's quarantine, and notes in the audit log who did and why.
    async fn end_quarantine(
        &self,
        agent: AgentId,
        reason: &str,
        by: &Signer,
        now: Instant,
    ) -> Result<Moved, StoreError>;

    /// How an agent is kept out; `None` while it is not.
    async fn shut(&self, agent: AgentId) -> Result<Option<Shut>, StoreError>;

    /// How long an agent was in quarantine between two moments.
    async fn quarantined_for(
        &self,
        agent: AgentId,
        from: Instant,
        until: Instant,
    ) -> Result<Duration, StoreError>;

    /// Agents with a certificate that still holds and lacks this, or, if none of theirs holds, one
    /// that held at `since` and may still be renewed; its time in quarantine since it ran out does not count, and
    /// revoked ones neither.
    async fn lacking(&self, lack: &Lack, since: Instant, now: Instant) -> Result<Vec<AgentId>, StoreError>;

    /// Everyone who is kept out, and how.
    async fn all_shut(&self) -> Result<BTreeMap<AgentId, Shut>, StoreError>;

    /// Every agent that ever got a certificate here or greeted us.
    async fn admitted(&self) -> Result<Vec<Admitted>, StoreError>;
}
