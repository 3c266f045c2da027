//! The whole house from the outside: simulated elements, networks of them, and Marque's
//! own programs around them.
//!
//! Invariants: every element is its own loopback address with its own UDP socket and
//! answers real SNMP; everything made up is a function of names, so that two runs show
//! the same network; nothing here is linked into the agent or the collector.

pub mod recording;
pub mod element;
pub mod kind;
pub mod network;
pub mod house;
pub mod proxy;
pub mod bench;
pub mod chaos;
pub mod accuracy;
pub mod judge;
pub mod cli;
