//! What became of every address in scope, as the store keeps it.
//!
//! Invariant: states are the agents' own words, octet by octet; counts are made
//! by whoever reads them.

use model::{AgentId, ElementId, Instant, SiteName};
use std::net::IpAddr;

/// The coverage an agent told, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldCoverage {
    /// Revision of the plan whose ranges these are.
    pub plan: u64,
    /// The agent's count of its tellings.
    pub revision: u64,
    /// Agent's clock.
    pub said: Instant,
    /// When the last sweep ended (agent's clock); none did yet.
    pub swept: Option<Instant>,
    /// The ranges.
    pub ranges: Vec<ToldRange>,
}

/// One range of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldRange {
    /// Prefix in text.
    pub prefix: String,
    /// UDP port.
    pub port: u16,
    /// One octet an address, in order.
    pub states: Vec<u8>,
}

/// One range as one agent told it last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RangeRow {
    /// Whose word.
    pub agent: AgentId,
    /// Its site.
    pub site: SiteName,
    /// Revision of the plan.
    pub plan: u64,
    /// Recorded (collector's clock).
    pub told: Instant,
    /// When the last sweep ended (agent's clock).
    pub swept: Option<Instant>,
    /// The range.
    pub range: ToldRange,
}

/// How far one element is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceRow {
    /// Site.
    pub site: SiteName,
    /// Address in text.
    pub address: String,
    /// UDP port.
    pub port: u16,
    /// A round was told, answered or not.
    pub asked: bool,
    /// A round was answered.
    pub answered: bool,
    /// Its maker is named.
    pub identified: bool,
    /// Its standing is another than unknown.
    pub judged: bool,
}

/// An address that a neighbour told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NeighbourRow {
    /// Site of the element that told it.
    pub site: SiteName,
    /// The address.
    pub address: IpAddr,
    /// How it was told: `lldp`, `cdp`.
    pub protocol: String,
    /// An element that told it.
    pub element: ElementId,
    /// Its name.
    pub name: String,
    /// How many elements did.
    pub elements: u64,
}

/// A management address in evidence.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FoundNeighbour {
    /// The address.
    pub address: IpAddr,
    /// How it was told.
    pub protocol: &'static str,
}

/// Everything about coverage, of one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CoverageView {
    /// Ranges of agents that are not shut out, by site, prefix, port.
    pub ranges: Vec<RangeRow>,
    /// All elements.
    pub places: Vec<PlaceRow>,
    /// What elements say of their neighbours now, by site and address.
    pub neighbours: Vec<NeighbourRow>,
}
