//! Polls network elements, keeps their raw answers until a collector has them,
//! and streams them there.
//!
//! ```text
//! schedule ─► poll ─► redact ─► report ─► spool ─► uplink ─► collector
//!    ▲   ▲                                         ▲ │
//!    │   ├── traps
//!    │   └── discover     enrol: identity, renewed ──┘ │
//!    └────── collector_plan ◄──── plan, answered ──────┘
//!                         courier: exports and receipts, where there is no link
//! ```
//!
//! Each arrow is a bounded queue or a plain call: a full spool slows the
//! schedule, a dead link leaves polling alone. Invariants: this crate knows no
//! supplier, interprets no value and imports nothing of the collector.

pub mod config;
pub mod enrol;
pub mod plan;
pub mod target;
pub mod window;
pub mod credential;
pub mod collector_plan;
pub mod discover;
pub mod schedule;
pub mod traps;
pub mod poll;
pub mod redact;
pub mod report;
pub mod neighbour;
pub mod keep;
pub mod uplink;
pub mod courier;
pub mod admin;
pub mod cli;

#[cfg(test)]
mod testing;
