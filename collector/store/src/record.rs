//! What goes into the store, as the stages of the path hand it over.

use crate::coverage::FoundNeighbour;
use model::{
    AgentId, Cause, Completeness, Digest, ElementId, FindingId, Hardware, Identification, Inputs, Instant,
    Life, Place, Role, RuleResult, SiteName, UnitIdentity, Varbind,
};
use serde::{Deserialize, Serialize};
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

/// One report, or the gap in its place, on its way into the store.
#[derive(Debug, Clone, PartialEq)]
pub struct IncomingReport {
    /// Dense within the epoch; of a gap the first.
    pub sequence: u64,
    /// What came.
    pub body: ReportBody,
}

/// A readable report, why it is refused, or that there is none.
#[derive(Debug, Clone, PartialEq)]
pub enum ReportBody {
    /// Could be read.
    Read(Box<ReadReport>),
    /// Could not, and never will be.
    Refused {
        /// For people.
        reason: String,
    },
    /// Went before it was acknowledged, and others after it.
    Gap(DeclaredGap),
}

/// What an agent declares lost, from the sequence it stands at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeclaredGap {
    /// Last sequence without a report.
    pub to: u64,
    /// Reports that went; 0 when nobody knows.
    pub count: u64,
    /// Why.
    pub reason: GapReason,
    /// Agent's clock when the first of them went.
    pub declared: Instant,
}

/// Why reports went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GapReason {
    /// More waited than the spool may hold.
    SpoolFull,
    /// The spool was damaged.
    SpoolDamaged,
}

impl GapReason {
    /// The word in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SpoolFull => "spool_full",
            Self::SpoolDamaged => "spool_damaged",
        }
    }
}

/// How an agent's spool stands, as it says itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SpoolStatus {
    /// Reports waiting, those under way included.
    pub waiting: u64,
    /// Their bytes.
    pub bytes: u64,
    /// How long the oldest has waited, microseconds; 0 when nothing waits.
    pub oldest_age_micros: u64,
    /// How long the oldest that was not sent yet has waited, microseconds; 0 when there is none.
    pub unsent_age_micros: u64,
    /// How long ago the oldest that is not acknowledged was sent, microseconds; 0 when there is none.
    pub unacked_age_micros: u64,
    /// Reports too large for the spool since the agent started.
    pub refused: u64,
    /// Reports that went when it was full, since the agent started.
    pub dropped: u64,
    /// How long its disk has had no room, microseconds; 0 when it has.
    pub no_room_micros: u64,
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
    /// SNMP context that was asked; empty: the default one.
    pub context: String,
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
    /// Nothing was walked: digest and completeness are those of the walk before.
    pub refreshed: bool,
}

/// What became of one report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// New and durable, as a report or as a gap.
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
    /// What elements showed to units; the key is an element.
    Unit,
    /// Element to judgement; the key is an element.
    Evaluate,
}

impl Stage {
    /// The word in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Identify => "identify",
            Self::Unit => "unit",
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
    /// The hardware it shows.
    pub hardware: Vec<Hardware>,
    /// Whom it tells of.
    pub neighbours: Vec<FoundNeighbour>,
    /// Hardware addresses by which others may know it.
    pub own_addresses: BTreeSet<String>,
    /// Over everything concluded but the version of the knowledge: who finds it unchanged writes nothing.
    pub sum: Digest,
}

/// What evaluation needs to know about one element.
#[derive(Debug, Clone, PartialEq)]
pub struct Subject {
    /// Place with declared facts.
    pub place: Place,
    /// Declared name; empty when nothing is declared.
    pub name: String,
    /// Management address.
    pub address: String,
    /// UDP port.
    pub port: u16,
    /// SNMP context; empty: the default one.
    pub context: String,
    /// How complete the last round was; `None` before the first.
    pub latest: Option<Completeness>,
    /// When it last answered and was walked (agent's clock).
    pub last_walk: Option<Instant>,
    /// Last complete evidence, if it is identified.
    pub complete: Option<IdentifiedSighting>,
    /// A later partial one, if it is identified: it may add facts, never remove them.
    pub partial: Option<IdentifiedSighting>,
    /// Since when the unit now in place stands there.
    pub tenure: Option<MovedIn>,
    /// What the first complete evidence of this unit's tenure showed, if it is another one than `complete`.
    pub initial: Option<Identification>,
    /// Findings of this element, closed ones too.
    pub findings: Vec<KnownFinding>,
    /// The last judgement, to tell what moved.
    pub judged: Option<Judged>,
}

/// An evidence of an element with what was concluded from it.
#[derive(Debug, Clone, PartialEq)]
pub struct IdentifiedSighting {
    /// Which evidence.
    pub digest: Digest,
    /// First round that showed it (agent's clock).
    pub from: Instant,
    /// What was concluded.
    pub identification: Identification,
}

/// Since when a unit stands where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MovedIn {
    /// First sighting (agent's clock).
    pub from: Instant,
    /// Whether it took the place of another one.
    pub swapped: bool,
}

/// A finding as the store knows it.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownFinding {
    /// Its key.
    pub finding: FindingId,
    /// Goes up with each change of its life.
    pub revision: u64,
    /// How it stands.
    pub life: Life,
    /// What its rule said when it was last met.
    pub result: RuleResult,
    /// What that rested on.
    pub inputs: Inputs,
    /// The hardware that met it.
    pub thing: Thing,
    /// The last walk of its element when a person confirmed that it is gone.
    pub gone_walk: Option<Instant>,
}

/// The hardware a finding is about, as far as it told: what shows later whether it is still there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thing {
    /// What tells its unit from others.
    pub unit: UnitIdentity,
    /// Serial number of the part, if it is about one; empty when not told.
    pub serial: String,
    /// Model of the part; empty when not told.
    pub model: String,
}

/// The last judgement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// Standing word.
    pub standing: String,
    /// Versions of what it rested on.
    pub inputs: Inputs,
}

/// One element with its judgement.
#[derive(Debug, Clone, PartialEq)]
pub struct JudgedElement {
    /// The undone input this answers.
    pub undone: Undone,
    /// Which element.
    pub element: ElementId,
    /// Versions and standing.
    pub judged: Judged,
    /// Display name: declared, else told by the device, else the address.
    pub name: String,
    /// Every rule result, those that bind nobody too.
    pub results: Vec<RuleResult>,
    /// Where what is declared and what was seen differ, in words.
    pub contradictions: Vec<String>,
    /// What becomes of its findings.
    pub findings: Vec<FindingMove>,
    /// What moved since the last judgement.
    pub why: Why,
}

/// Why something moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Why {
    /// What moved, the likeliest cause first; never empty.
    pub causes: Vec<Cause>,
    /// The versions that differ, in words.
    pub grounds: String,
    /// Since when it holds; the clock of the agent where evidence says it.
    pub valid: Instant,
}

impl Why {
    /// A step for this reason.
    #[must_use]
    pub fn of(self, step: FindingStep) -> FindingMove {
        FindingMove { step, why: self }
    }
}

/// One step in the life of a finding, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct FindingMove {
    /// The step.
    pub step: FindingStep,
    /// Why.
    pub why: Why,
}

/// A rule that is met, and by what.
#[derive(Debug, Clone, PartialEq)]
pub struct Met {
    /// What it says.
    pub result: RuleResult,
    /// The hardware that meets it.
    pub thing: Thing,
}

/// One step in the life of a finding.
#[derive(Debug, Clone, PartialEq)]
pub enum FindingStep {
    /// A rule is met for the first time.
    Open(Met),
    /// A rule is met again.
    Reopen(Box<Stand>, Met),
    /// Class, severity or date moved: an event. The text says what.
    Change(FindingId, Met, String),
    /// Only the wording or confidence moved: no event.
    Refresh(FindingId, Met),
    /// Its waiver has run out, and what to say.
    Lapse(Stand, String),
    /// The rule is no longer met, and what to say.
    Close(Stand, String),
}

/// How a finding stands from now on, if it stands as it did when it was looked at. Whoever moved it
/// meanwhile has queued its element, so that it is looked at again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stand {
    /// Which.
    pub finding: FindingId,
    /// Its revision when it was looked at.
    pub revision: u64,
    /// How it stands from now on.
    pub life: Life,
}
