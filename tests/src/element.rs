//! One simulated element: what it knows, how it behaves, and what it says to a datagram.
//!
//! Invariants: a request with another community is met with silence; the answer depends
//! on the request, the view, the behaviour and the time since start alone.

pub mod view;
pub mod behaviour;
pub mod story;
mod answer;
mod serve;

pub use answer::secured::Lock;
pub use behaviour::Behaviour;
pub use serve::serve;
pub use story::{Story, Tells};
pub use view::View;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

/// One simulated element, ready to be asked.
#[derive(Debug)]
pub struct Element {
    /// sysName, and its name in the operator's list.
    pub name: String,
    /// Its own loopback address.
    pub address: Ipv4Addr,
    /// What it knows; elements that differ in nothing else share it.
    pub view: Arc<View>,
    /// How it behaves.
    pub behaviour: Behaviour,
    /// The community it listens to.
    pub community: Vec<u8>,
    /// The longest message it sends, in octets.
    pub max_size: usize,
    /// snmpEngineID; empty if it has none.
    pub engine_id: Vec<u8>,
    /// The user of version 3 it knows, if any.
    pub lock: Option<Lock>,
    /// When it was switched on.
    pub started: Instant,
    /// How long it ran before that, in hundredths of a second.
    pub uptime_offset: u32,
    /// What it was made to say, if that is to be compared.
    pub story: Option<Story>,
    /// Requests received.
    pub requests: AtomicU64,
    /// Octets of datagrams received and sent, without headers.
    pub octets: [AtomicU64; 2],
}

impl Element {
    /// The longest message an element sends unless told otherwise: one Ethernet frame.
    pub const FRAME: usize = 1472;
    /// The longest message UDP over IPv4 can carry.
    pub const LARGEST: usize = 65_507;

    /// sysUpTime.0 now, in hundredths of a second (RFC 3418); wraps as on real equipment.
    #[must_use]
    pub fn uptime(&self) -> u32 {
        let ticks = self.started.elapsed().as_millis() / 10;
        let wrapped = u32::try_from(ticks % (1_u128 << 32)).unwrap_or(0);
        self.uptime_offset.wrapping_add(wrapped)
    }
}
