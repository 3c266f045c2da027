//! A network of simulated elements, running: real sockets on loopback addresses.
//!
//! Invariants: all elements share one UDP port and have an address of their own; when a
//! [`Network`] is dropped its sockets are gone.

pub mod plan;
mod bind;
pub mod crowd;

pub use plan::{Placed, Plan, SiteEntry, catalogue, whole};

use crate::element::{Behaviour, Element, Story, View, serve};
use crate::kind::objects::{Neighbour, neighbour, objects};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;
use tokio::runtime::Runtime;

/// The community all simulated elements listen to.
pub const COMMUNITY: &str = "lab-read";
/// Elements ran for up to so many hundredths of a second before, so that not all say "just booted".
const LONGEST_UPTIME: u64 = 40_000_000;

/// Why a network cannot be made or started.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// The data is wrong.
    #[error("network data: {0}")]
    Data(String),
    /// An address or port is not to be had.
    #[error("cannot listen on {address}:{port}")]
    Listen {
        /// The element's address.
        address: Ipv4Addr,
        /// The port all elements share.
        port: u16,
        /// What the system says.
        source: std::io::Error,
    },
    /// No thread or event queue is to be had.
    #[error("cannot start the network's threads: {0}")]
    Threads(std::io::Error),
}

/// Simulated elements, running until dropped.
#[derive(Debug)]
pub struct Network {
    /// Where each element stands and what it is.
    pub plan: Plan,
    /// The port all elements share.
    pub port: u16,
    elements: Vec<Arc<Element>>,
    runtime: Option<Runtime>,
}

impl Network {
    /// Starts the elements of a plan on a given port, or on one that is free on all addresses.
    ///
    /// # Errors
    /// [`NetworkError`] when the plan names unknown things or a socket is not to be had.
    pub fn start(plan: Plan, port: Option<u16>) -> Result<Self, NetworkError> {
        let elements = build(&plan).map_err(NetworkError::Data)?;
        let addresses: Vec<Ipv4Addr> = elements
            .iter()
            .filter(|e| e.behaviour != Behaviour::Absent)
            .map(|e| e.address)
            .collect();
        let (port, sockets) = bind::all(&addresses, port)?;
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder
            .worker_threads(2)
            .thread_name("element")
            .enable_all()
            .build();
        let runtime = runtime.map_err(NetworkError::Threads)?;
        let present = elements.iter().filter(|e| e.behaviour != Behaviour::Absent);
        for (element, socket) in present.zip(sockets) {
            let _inside = runtime.enter();
            let socket = tokio::net::UdpSocket::from_std(socket).map_err(NetworkError::Threads)?;
            runtime.spawn(serve(Arc::clone(element), socket));
        }
        Ok(Self {
            plan,
            port,
            elements,
            runtime: Some(runtime),
        })
    }

    /// The elements, in the order of the plan.
    #[must_use]
    pub fn elements(&self) -> &[Arc<Element>] {
        &self.elements
    }

    /// How many objects all elements together show.
    #[must_use]
    pub fn objects(&self) -> usize {
        self.elements.iter().map(|element| element.view.len()).sum()
    }

    /// How many requests all elements together received.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.elements
            .iter()
            .map(|element| element.requests.load(Ordering::Relaxed))
            .sum()
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// The elements of a plan, not yet listening. Neighbours are the next ones of the same site.
fn build(plan: &Plan) -> Result<Vec<Arc<Element>>, String> {
    let started = Instant::now();
    let (kinds, pools) = catalogue();
    let mut built = Vec::with_capacity(plan.elements.len());
    for (position, placed) in plan.elements.iter().enumerate() {
        let kind = placed.kind(kinds)?;
        let near = [position.checked_sub(1), position.checked_add(1)]
            .into_iter()
            .flatten();
        let neighbours: Vec<Neighbour> = near
            .filter_map(|p| plan.elements.get(p))
            .filter(|other| other.site == placed.site)
            .filter_map(|other| Some((other, other.kind(kinds).ok()?)))
            .filter(|(_, kind)| kind.lldp)
            .map(|(other, kind)| neighbour(kind, &other.name))
            .collect();
        let title = plan
            .sites
            .iter()
            .find(|site| site.name == placed.site)
            .map_or("", |site| &site.title);
        let shown = objects(kind, pools, &placed.name, title, placed.address, &neighbours)?;
        let offset = crate::kind::dice::Dice::new(&placed.name).roll() % LONGEST_UPTIME;
        built.push(Arc::new(Element {
            name: placed.name.clone(),
            address: placed.address,
            view: Arc::new(View::new(shown.objects)),
            behaviour: placed.behaviour.unwrap_or(kind.behaviour),
            community: COMMUNITY.as_bytes().to_vec(),
            max_size: kind.max_size,
            engine_id: shown.engine_id,
            lock: None,
            started,
            uptime_offset: u32::try_from(offset).unwrap_or(0),
            story: placed.tells.map(Story::new),
            requests: 0.into(),
            octets: Default::default(),
        }));
    }
    Ok(built)
}

#[cfg(test)]
mod tests;
