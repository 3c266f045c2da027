//! What pages read from the store. Texts that came from devices are raw: pages escape them.

use crate::clause::{Clause, ElementField, ElementOrder, FindingField, FindingOrder, Measure};
use crate::plans::PlanState;
use model::{
    AgentId, Claim, Completeness, ComponentIdentity, Digest, Doubt, ElementId, FindingId, FindingState,
    Instant, Life, ResultClass, Role, RuleResult, Severity, Site, SiteName, SupplierRef, UnitId,
    UnitIdentity,
};
use serde::Serialize;

/// A page of rows with the count behind it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Page<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// How many rows match in all.
    pub total: u64,
    /// How that is known.
    pub measure: Measure,
    /// Opaque key of the next page, if there is one. A page may be short and have a next one: it was long enough in the
    /// looking.
    pub next: Option<String>,
}

/// A word and how often it occurs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Count {
    /// The word.
    pub word: String,
    /// How often.
    pub count: u64,
}

/// A maker in the network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MakerRow {
    /// Who; `None` stands for elements of unknown maker.
    pub maker: Option<SupplierRef>,
    /// Elements with a unit of this maker.
    pub elements: u64,
    /// Open findings about this supplier, components included.
    pub findings: u64,
}

/// Inputs before a stage that are counted: with new knowledge everything waits, and a page does not count a million rows.
pub const MOST_COUNTED: u64 = 100_000;

/// What waits before one stage.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Backlog {
    /// How many inputs, counted up to [`MOST_COUNTED`].
    pub count: u64,
    /// Whether there are more.
    pub measure: Measure,
    /// Since when the oldest waits.
    pub oldest: Option<Instant>,
}

/// One agent's line.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AgentRow {
    /// Who.
    pub agent: AgentId,
    /// Where.
    pub site: SiteName,
    /// Program version it told.
    pub version: String,
    /// Its last message.
    pub last_seen: Instant,
    /// Its clock minus ours at the last greeting, microseconds.
    pub clock_skew_micros: i64,
    /// Sequences durable here: reports, refused ones included, and gaps.
    pub acked: u64,
    /// Of these, refused.
    pub refused: u64,
    /// Sequences acknowledged without a row and without a gap: must be 0.
    pub lost: u64,
    /// Until when its newest certificate holds, if it was recorded here.
    pub not_after: Option<Instant>,
    /// When it was shut out.
    pub revoked: Option<Instant>,
    /// Since when it is in quarantine, if it is.
    pub quarantined: Option<Instant>,
    /// Gaps it declared.
    pub gaps: u64,
    /// Sequences they cover.
    pub gap_sequences: u64,
    /// Reports it knows to be gone; a gap of unknown count adds none.
    pub gap_reports: u64,
    /// When the last one was recorded.
    pub last_gap: Option<Instant>,
    /// How its spool stood when it said so last; `None` before it ever did.
    pub spool: Option<SpoolRow>,
    /// How it stands to the newest plan of its site.
    pub plan: PlanState,
}

impl AgentRow {
    /// Whether nothing of it is taken: its silence is ours then.
    #[must_use]
    pub fn is_kept_out(&self) -> bool {
        self.revoked.is_some() || self.quarantined.is_some()
    }
}

/// An agent's spool, as the agent told it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct SpoolRow {
    /// Reports waiting.
    pub waiting: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Since when the oldest waits.
    pub oldest: Option<Instant>,
    /// Since when the oldest waits that was not sent.
    pub unsent: Option<Instant>,
    /// When the oldest was sent that is not acknowledged.
    pub unacked: Option<Instant>,
    /// Reports too large for it since the agent started.
    pub refused: u64,
    /// Reports that went when it was full, since the agent started.
    pub dropped: u64,
    /// Since when its disk has no room, so that polling waits.
    pub no_room: Option<Instant>,
    /// When this was told.
    pub told: Instant,
}

/// Open findings of one jurisdiction and role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExposureCell {
    /// Jurisdiction of the rule.
    pub jurisdiction: String,
    /// Declared role, or `unknown`.
    pub role: String,
    /// Open findings.
    pub count: u64,
    /// The most urgent among them.
    pub worst: Severity,
}

/// Open findings of one binding date.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeadlineRow {
    /// The date as the rule has it.
    pub deadline: String,
    /// Key of the rule.
    pub rule: String,
    /// Jurisdiction.
    pub jurisdiction: String,
    /// Title.
    pub title: String,
    /// Elements concerned.
    pub elements: u64,
}

/// Kinds of changes by which there is a finding more that waits: a waiver that ran out makes no new one.
pub const OPENING: [&str; 2] = ["finding_opened", "finding_reopened"];

/// Kinds of changes that evaluation and identification write; beside these stand `finding_` with what
/// [`model::Act::kind`] says.
pub const CHANGE_KINDS: [&str; 8] = [
    "unit_new",
    "swap",
    "standing_changed",
    "finding_opened",
    "finding_reopened",
    "finding_changed",
    "finding_closed",
    "finding_lapsed",
];

/// One line of the feed: what changed and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChangeRow {
    /// Recorded when.
    pub at: Instant,
    /// One of [`CHANGE_KINDS`], or `finding_` with what [`model::Act::kind`] says.
    pub kind: String,
    /// About which element.
    pub element: ElementId,
    /// Its name.
    pub element_name: String,
    /// For people.
    pub text: String,
    /// A word of [`model::Cause`].
    pub cause: String,
}

/// Everything the first page counts.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Overview {
    /// Elements known, declared or reported.
    pub elements: u64,
    /// Of these, answered at least once.
    pub reached: u64,
    /// Of these, with a named maker.
    pub identified: u64,
    /// Components of the units now in place.
    pub components: u64,
    /// Of these, with a maker of their own named.
    pub components_named: u64,
    /// Reports durable.
    pub reports: u64,
    /// Sequences acknowledged without a row and without a gap, over all agents: must be 0.
    pub lost: u64,
    /// Gaps declared, over all agents.
    pub gaps: u64,
    /// Sequences they cover.
    pub gap_sequences: u64,
    /// Reports known to be gone.
    pub gap_reports: u64,
    /// Findings by state.
    pub states: Vec<Count>,
    /// Open findings (not closed, not waived) by severity, most urgent first, every word present.
    pub severities: Vec<Count>,
    /// Elements by standing.
    pub standings: Vec<Count>,
    /// Makers by elements, most first.
    pub makers: Vec<MakerRow>,
    /// Before identification.
    pub unidentified: Backlog,
    /// Before evaluation.
    pub unevaluated: Backlog,
    /// Changes of findings that somebody is to be told of.
    pub untold: Backlog,
    /// The agents.
    pub agents: Vec<AgentRow>,
    /// The sites.
    pub sites: Vec<SiteRow>,
    /// Jurisdiction × role.
    pub exposure: Vec<ExposureCell>,
    /// Dates to come and past, earliest first.
    pub deadlines: Vec<DeadlineRow>,
    /// Latest first, at most 30.
    pub changes: Vec<ChangeRow>,
    /// Last ingest commit.
    pub last_report: Option<Instant>,
}

/// A site with its counts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SiteRow {
    /// The site.
    pub site: Site,
    /// Elements there.
    pub elements: u64,
    /// Of these, answered at least once.
    pub reached: u64,
    /// Open findings there.
    pub findings: u64,
    /// The most urgent among them.
    pub worst: Option<Severity>,
}

/// Which findings to show. Empty fields do not filter; several values of one field are alternatives.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FindingFilter {
    /// Severities.
    pub severities: Vec<Severity>,
    /// States; empty means all but closed.
    pub states: Vec<FindingState>,
    /// Result classes.
    pub classes: Vec<ResultClass>,
    /// Sites.
    pub sites: Vec<String>,
    /// Jurisdictions.
    pub jurisdictions: Vec<String>,
    /// Supplier keys.
    pub suppliers: Vec<String>,
    /// Rule keys.
    pub rules: Vec<String>,
    /// Elements.
    pub elements: Vec<ElementId>,
    /// Roles.
    pub roles: Vec<String>,
    /// Part of element name, address or component name.
    pub text: String,
    /// What holds beside it.
    pub clauses: Vec<Clause<FindingField>>,
    /// The end of a day (UTC): how they stood then, as recorded by then. [`None`] is how they stand.
    pub then: Option<Instant>,
    /// Whether closed ones are looked at though no state is named.
    pub closed: bool,
    /// In which order.
    pub order: FindingOrder,
    /// Whether that order is turned around.
    pub down: bool,
    /// Key of the page, from [`Page::next`].
    pub after: Option<String>,
    /// Rows a page, at most 500; 0 means 100.
    pub limit: u32,
}

/// What lists of the end of a day rest on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stood {
    /// Since when it is kept how elements and findings stood: of days before there is no list. A store that kept it from
    /// its first day says the beginning of time.
    pub since: Instant,
    /// The knowledge in use at the moment asked for, if it had been adopted.
    pub knowledge: Option<String>,
    /// The version of the stage of evaluation then, as it was handed over.
    pub judged_by: Option<String>,
}

/// One finding in a list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FindingRow {
    /// Its key.
    pub finding: FindingId,
    /// Goes up with each change of its life: whoever acts says which they saw.
    pub revision: u64,
    /// About which element.
    pub element: ElementId,
    /// Its name.
    pub element_name: String,
    /// Its address.
    pub address: String,
    /// Its site.
    pub site: SiteName,
    /// Its declared role.
    pub role: Option<Role>,
    /// Index of the component; `None` is the unit.
    pub component: Option<String>,
    /// Name of the component or model of the unit, from the device.
    pub part: String,
    /// Maker or brand that matched, usual English name.
    pub supplier: String,
    /// Rule key, jurisdiction, class and so on.
    pub result: RuleResult,
    /// How it stands: state, owner, waiver, removal, ending.
    #[serde(flatten)]
    pub life: Life,
    /// Since when the rule is met.
    pub opened: Instant,
    /// Since when it is met no more.
    pub closed: Option<Instant>,
}

/// One finding with its life and its chain.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FindingView {
    /// The finding.
    pub row: FindingRow,
    /// What happened to it, oldest first.
    pub events: Vec<FindingEvent>,
    /// Evidence judged.
    pub digest: Option<Digest>,
    /// Version of knowledge.
    pub knowledge: String,
    /// Version of policies.
    pub policies: String,
    /// Day judged for.
    pub as_of: String,
}

/// One step in the life of a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FindingEvent {
    /// Recorded when.
    pub at: Instant,
    /// Since when it holds; the agent's clock where evidence says it.
    pub valid: Instant,
    /// `opened`, `changed`, `closed`, `reopened` (its rule is met again), `lapsed` (its waiver ran out), and what [`model::Act::kind`] says.
    pub kind: String,
    /// A word of [`model::Cause`]: the likeliest.
    pub cause: String,
    /// Further words of it: what else moved at the same time.
    pub also: Vec<String>,
    /// The versions that differ, in words.
    pub grounds: String,
    /// Who acted.
    pub person: Option<String>,
    /// For people.
    pub text: String,
}

/// Which elements to show. Empty fields do not filter.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ElementFilter {
    /// Sites.
    pub sites: Vec<String>,
    /// Roles; `unknown` for undeclared.
    pub roles: Vec<String>,
    /// Standings.
    pub standings: Vec<String>,
    /// Part of name, address, model or serial.
    pub text: String,
    /// What holds beside it.
    pub clauses: Vec<Clause<ElementField>>,
    /// The end of a day (UTC): how they stood then, as recorded by then. [`None`] is how they stand.
    pub then: Option<Instant>,
    /// In which order.
    pub order: ElementOrder,
    /// Whether that order is turned around.
    pub down: bool,
    /// Key of the page, from [`Page::next`].
    pub after: Option<String>,
    /// Rows a page, at most 500; 0 means 100.
    pub limit: u32,
}

/// One element in a list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ElementRow {
    /// Its key.
    pub element: ElementId,
    /// Declared name, else sysName, else address.
    pub name: String,
    /// Its site.
    pub site: SiteName,
    /// Management address as people see it: with the context, where it is not the default one.
    pub address: String,
    /// SNMP context there; empty: the default one.
    pub context: String,
    /// UDP port.
    pub port: u16,
    /// Declared role.
    pub role: Option<Role>,
    /// Usual English name of the maker; `None` is unknown.
    pub maker: Option<String>,
    /// Its key.
    pub maker_id: Option<String>,
    /// Confidence of the maker.
    pub confidence: f64,
    /// Whose name is on it.
    pub brand: Option<String>,
    /// Model.
    pub model: Option<String>,
    /// Serial number.
    pub serial: Option<String>,
    /// How complete the last round was; `None` before the first.
    pub completeness: Option<Completeness>,
    /// Its last answer.
    pub last_answer: Option<Instant>,
    /// Its last round, answered or not.
    pub last_report: Option<Instant>,
    /// Standing word; `unknown` until judged.
    pub standing: String,
    /// Open findings.
    pub findings: u64,
    /// The most urgent among them.
    pub worst: Option<Severity>,
    /// Components of its unit.
    pub components: u64,
}

/// A unit's time at an element.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TenureRow {
    /// Which unit.
    pub unit: UnitId,
    /// Serial number.
    pub serial: Option<String>,
    /// Base address.
    pub base_mac: Option<String>,
    /// Engine ID.
    pub engine_id: Option<String>,
    /// Maker name.
    pub maker: Option<String>,
    /// Model.
    pub model: Option<String>,
    /// From (agent's clock).
    pub from: Instant,
    /// Until; `None` is now.
    pub until: Option<Instant>,
    /// Whether it took the place of another unit.
    pub swapped: bool,
    /// Whether it is one chassis of a stack.
    pub member: bool,
    /// The evidence that showed it first.
    pub first: Digest,
    /// The evidence that showed it last.
    pub last: Digest,
}

/// Another place where a unit of this element stands or stood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KinRow {
    /// Which unit.
    pub unit: UnitId,
    /// Where.
    pub element: ElementId,
    /// The element's name.
    pub name: String,
    /// Its site.
    pub site: SiteName,
    /// Its address.
    pub address: String,
    /// From (agent's clock).
    pub from: Instant,
    /// Until; `None` is now.
    pub until: Option<Instant>,
}

/// Something about a unit that a person should look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnitDoubtRow {
    /// `cloned_key`, `perhaps_same` or `common_key`.
    pub code: String,
    /// For people, with words of devices in it.
    pub text: String,
    /// The unit it is about.
    pub unit: UnitId,
    /// The other unit; the same for a common key.
    pub other: UnitId,
    /// Where the other one is.
    pub other_element: ElementId,
    /// The name of that element.
    pub other_name: String,
    /// The site of that element.
    pub other_site: SiteName,
}

/// "This element showed this evidence from … until …".
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SightingRow {
    /// The evidence.
    pub digest: Digest,
    /// How complete.
    pub completeness: Completeness,
    /// First round (agent's clock).
    pub from: Instant,
    /// Last round.
    pub until: Instant,
    /// Rounds in between.
    pub rounds: u64,
    /// Of these, rounds in which nothing was walked, since the element said that nothing had moved.
    pub refreshed: u64,
    /// Last walk (agent's clock): what is true from there to the last round is what the element said.
    pub walked: Instant,
    /// Who saw it last.
    pub agent: AgentId,
    /// Report that last showed it.
    pub epoch: String,
    /// Report that last showed it.
    pub sequence: u64,
    /// Recorded when first.
    pub recorded: Instant,
}

/// One element with everything its page shows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ElementView {
    /// The row.
    pub row: ElementRow,
    /// Jurisdictions of its site.
    pub jurisdictions: Vec<String>,
    /// Declared generations.
    pub generations: Vec<String>,
    /// Declared tags.
    pub tags: Vec<String>,
    /// Declared day of acquisition.
    pub acquired: Option<String>,
    /// Where what is declared and what was seen differ, in words.
    pub contradictions: Vec<String>,
    /// Units now and before, latest first.
    pub tenures: Vec<TenureRow>,
    /// Other places of these units, at most 100.
    pub kin: Vec<KinRow>,
    /// Doubts about these units, at most 100.
    pub unit_doubts: Vec<UnitDoubtRow>,
    /// What was seen, latest first, at most 20.
    pub sightings: Vec<SightingRow>,
    /// The evidence its present conclusions rest on.
    pub digest: Option<Digest>,
    /// Version of knowledge.
    pub knowledge: String,
    /// What tells the unit from others.
    pub unit: UnitIdentity,
    /// Claims, winners first.
    pub claims: Vec<Claim>,
    /// Doubts.
    pub doubts: Vec<Doubt>,
    /// Parts, parents before children.
    pub parts: Vec<ComponentIdentity>,
    /// Findings, open ones first.
    pub findings: Vec<FindingRow>,
    /// Every rule result of the last judgement, those that bind nobody too.
    pub results: Vec<RuleResult>,
    /// Version of policies.
    pub policies: String,
    /// Day judged for.
    pub as_of: String,
}

/// The exact bytes of an evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvidenceRecord {
    /// As received.
    pub bytes: Vec<u8>,
    /// Committed when.
    pub recorded: Instant,
}
