//! What addresses told of their SNMPv3 engines, as the store keeps it: nobody signed it.
//!
//! Invariant: engine IDs are the octets that arrived; what they say is read by whoever shows them.

use model::{AgentId, ElementId, Instant, SiteName};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// What an agent told, of which only what changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldEngines {
    /// Another one than before: what the agent told before is void.
    pub generation: u64,
    /// In order of their revisions.
    pub engines: Vec<ToldEngine>,
}

/// One address of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldEngine {
    /// Where.
    pub address: IpAddr,
    /// UDP port.
    pub port: u16,
    /// Its engine ID, at most 32 octets of it.
    pub id: Vec<u8>,
    /// How many octets the ID has.
    pub octets: u32,
    /// snmpEngineBoots.
    pub boots: u32,
    /// snmpEngineTime, in seconds; with boots both 0 where neither is told.
    pub time: u32,
    /// When it was heard first as it is (agent's clock).
    pub seen: Instant,
    /// The agent's count.
    pub revision: u64,
}

/// Up to where an agent's words are durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KnownEngines {
    /// 0: none are.
    pub generation: u64,
    /// Of the last one told.
    pub revision: u64,
}

/// Which engines are asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EngineFilter {
    /// Only of these sites; [`None`]: of all.
    pub sites: Option<BTreeSet<SiteName>>,
    /// Only those heard at an address from the first to the last, at a port.
    pub within: Option<(IpAddr, IpAddr, u16)>,
    /// Only those heard where no round was ever answered.
    pub dark: bool,
    /// The key of a next page.
    pub after: Option<String>,
    /// Engine IDs of a page, at most; 0: 100.
    pub limit: u32,
}

/// One address that told an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineRow {
    /// Site of the agent that heard it.
    pub site: SiteName,
    /// Which agent.
    pub agent: AgentId,
    /// What it told.
    pub engine: ToldEngine,
    /// The element there, if there is one.
    pub element: Option<(ElementId, String)>,
    /// Whether a round was ever answered there.
    pub polled: bool,
}

/// An element whose hardware told an engine ID of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineElement {
    /// Its site.
    pub site: SiteName,
    /// That ID.
    pub id: Vec<u8>,
    /// Which element.
    pub element: ElementId,
    /// Its name.
    pub name: String,
    /// Its address in text.
    pub address: String,
}

/// Some engine IDs with everybody who told them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EnginesPage {
    /// By site, engine ID, time of hearing.
    pub rows: Vec<EngineRow>,
    /// Elements in whose evidence one of these IDs is, as far as that proves anything.
    pub elements: Vec<EngineElement>,
    /// How many engine IDs there are at all, counted for each site.
    pub total: u64,
    /// Where the next page begins.
    pub next: Option<String>,
}
