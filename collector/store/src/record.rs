//! What goes into the store, as the stages of the path hand it over.

use model::{
    AgentId, Completeness, Digest, ElementId, Identification, Instant, Place, Role, RuleResult, SiteName, Varbind,
};
use std::collections::BTreeSet;

/// What the operator declares about one element, kept apart from observation.
#[derive(Debug, Clone, PartialEq)]
pub struct Declaration {
    /// Where.
    pub site: SiteName,
    /// Management address in text, as agents report it.
    pub address: String,
    /// UDP port.
    pub port: u16,
    /// What people call it.
    pub name: String,
    /// Role, if known.
    pub role: Option<Role>,
    /// Network generations; empty is unknown.
    pub generations: BTreeSet<String>,
    /// Tags of the element and of the operator.
    pub tags: BTreeSet<String>,
    /// Day of acquisition, `YYYY-MM-DD`, if known.
    pub acquired: Option<String>,
}

/// A greeting, with identity and site from the certificate.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentHello {
    /// Who.
    pub agent: AgentId,
    /// From where.
    pub site: SiteName,
    /// Hexadecimal epoch of its spool.
    pub epoch: String,
    /// Sequence its next report will get.
    pub next_sequence: u64,
    /// Oldest sequence it still holds.
    pub first_sequence: u64,
    /// Program version, bounded text.
    pub version: String,
    /// Its clock when it spoke.
    pub clock: Instant,
}

/// One report on its way into the store.
#[derive(Debug, Clone, PartialEq)]
pub struct IncomingReport {
    /// Dense within the epoch.
    pub sequence: u64,
    /// What came.
    pub body: ReportBody,
}

/// A readable report, or why it is refused.
#[derive(Debug, Clone, PartialEq)]
pub enum ReportBody {
    /// Could be read.
    Read(Box<ReadReport>),
    /// Could not, and never will be.
    Refused {
        /// For people.
        reason: String,
    },
}

/// A report as read by ingest.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadReport {
    /// The agent's site, from its certificate.
    pub site: SiteName,
    /// Target address in text.
    pub address: String,
    /// UDP port.
    pub port: u16,
    /// Agent's clock.
    pub started: Instant,
    /// Agent's clock.
    pub finished: Instant,
    /// How complete the round was.
    pub completeness: Completeness,
    /// Address of the evidence.
    pub digest: Digest,
    /// Its exact bytes; absent when the agent believes we hold it.
    pub evidence: Option<Vec<u8>>,
    /// Values that change every round.
    pub readings: Vec<Varbind>,
    /// Requests sent, retries included.
    pub requests: u32,
    /// Of these, retries.
    pub retries: u32,
    /// Varbinds received.
    pub varbinds: u32,
}

/// What became of one report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// New and durable.
    Stored,
    /// Known before; nothing changed.
    Repeated,
    /// Durable as refused; never send again.
    Refused {
        /// For people.
        reason: String,
    },
    /// Durable, but its evidence is not held here: send it in full next time.
    Wanted,
}

/// A stage after ingest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Evidence to identification; the key is a digest.
    Identify,
    /// Element to judgement; the key is an element.
    Evaluate,
}

impl Stage {
    /// The word in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Identify => "identify",
            Self::Evaluate => "evaluate",
        }
    }
}

/// What a stage works with: when it changes, everything is done anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageVersion {
    /// Which stage.
    pub stage: Stage,
    /// Version of knowledge, or of policies and the day judged for.
    pub version: String,
}

/// One undone input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undone {
    /// Digest (hexadecimal) or element.
    pub key: String,
    /// Goes up when the input changes while it is being worked on.
    pub revision: i64,
    /// Since when it waits.
    pub since: Instant,
}

/// One evidence with what was concluded from it.
#[derive(Debug, Clone, PartialEq)]
pub struct IdentifiedEvidence {
    /// The undone input this answers.
    pub undone: Undone,
    /// Which evidence.
    pub digest: Digest,
    /// What was concluded.
    pub identification: Identification,
}

/// What evaluation needs to know about one element.
#[derive(Debug, Clone, PartialEq)]
pub struct Subject {
    /// Place with declared facts.
    pub place: Place,
    /// What people call it.
    pub name: String,
    /// Last complete evidence, identified.
    pub complete: Option<(Digest, Identification)>,
    /// A later partial one: it may add facts, never remove them.
    pub partial: Option<(Digest, Identification)>,
}

/// One element with its judgement.
#[derive(Debug, Clone, PartialEq)]
pub struct JudgedElement {
    /// The undone input this answers.
    pub undone: Undone,
    /// Which element.
    pub element: ElementId,
    /// Standing word for lists (`clear`, `unknown`, `due`, …), made by the policy crate.
    pub standing: String,
    /// Every rule result, those that bind nobody too.
    pub results: Vec<RuleResult>,
    /// Version of the policies.
    pub policies: String,
    /// Version of the knowledge behind the claims; empty when nothing is identified.
    pub knowledge: String,
    /// The evidence judged, if any.
    pub digest: Option<Digest>,
    /// The day judged for, `YYYY-MM-DD`.
    pub as_of: String,
    /// What moved since the last judgement, for the feed: `network`, `law`, `knowledge`, `time`, `declaration`.
    pub cause: String,
}

