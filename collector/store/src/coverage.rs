//! What became of every address in scope, as the store keeps it.
//!
//! Invariant: states are the agents' own words, octet by octet; counts are made
//! by whoever reads them.

use model::{AgentId, Attribution, ElementId, Instant, SiteName};
use serde::Serialize;
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
    /// Which addresses these are where only those are asked that neighbours named; else all of the
    /// prefix.
    pub named: Option<Vec<IpAddr>>,
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
#[derive(Debug, Clone, PartialEq)]
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
    /// How surely, 0 to 1.
    pub confidence: f64,
    /// Its standing is another than unknown.
    pub judged: bool,
}

/// Somebody whom elements told of and nobody polls: no element has this address or hardware address at the site.
#[derive(Debug, Clone, PartialEq)]
pub struct NeighbourRow {
    /// Site of the element that told it.
    pub site: SiteName,
    /// Management address.
    pub address: Option<IpAddr>,
    /// Hardware address of the chassis.
    pub mac: Option<String>,
    /// How it was told: `lldp`, `cdp`, `arp`, `bridge`.
    pub protocol: String,
    /// What it calls itself.
    pub told_name: String,
    /// How it describes itself.
    pub description: String,
    /// Who may have made it.
    pub maker: Option<Attribution>,
    /// An element that told it.
    pub element: ElementId,
    /// Its name.
    pub name: String,
    /// How many elements did.
    pub elements: u64,
}

/// A neighbour in evidence.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FoundNeighbour {
    /// Management address.
    pub address: Option<IpAddr>,
    /// Hardware address of the chassis.
    pub mac: Option<String>,
    /// How it was told.
    pub protocol: &'static str,
    /// What it calls itself.
    pub name: String,
    /// How it describes itself.
    pub description: String,
    /// Who may have made it.
    pub maker: Option<Attribution>,
}

/// Everything about coverage, of one moment.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CoverageView {
    /// Ranges of agents that are not shut out, by site, prefix, port.
    pub ranges: Vec<RangeRow>,
    /// All elements.
    pub places: Vec<PlaceRow>,
    /// Whom elements tell of now and nobody polls, by site.
    pub neighbours: Vec<NeighbourRow>,
}
