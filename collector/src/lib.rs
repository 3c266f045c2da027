//! The collector: takes reports in, concludes who made what, judges it and shows it.
//!
//! ```text
//!  agents ══ mTLS ══► listener ─(64)─► tonic ──► ingest ──► store ◄── web, api ◄── browsers
//!                     handshakes:      one task a stream,     ▲  │
//!                     at most 256      commits what is ready, │  └─ revision (watch)
//!                                      cut by the gate when    │           │
//!                                      revoked or run out      │           │
//!                                                     reconcile ◄─────────┘ and every 5 s
//!                                                     identify, units, then evaluate, in bounded batches
//!                                                        │ what changes of a finding is due with the change
//!                                                     alert: queue ──► one courier for each route ══► receivers
//! ```
//!
//! Plans put by the command go the other way: the desk looks into the store twice
//! a second and each open stream sends what is new for its site.
//!
//! Every queue is bounded: a full listener queue holds connections back, a slow
//! store holds the stream back by HTTP/2 flow control, and what waits between
//! stages waits on disk. The death of the reconciler, or of a courier of alerts, ends the program; the
//! death of one stream ends that stream.

pub mod config;
pub mod declare;
pub mod packs;
pub mod enrol;
pub mod plan;
mod handshake;
pub mod ingest;
pub mod reconcile;
pub mod identify;
pub mod units;
pub mod evaluate;
pub mod population;
pub mod preview;
pub mod filter;
pub mod coverage;
pub mod door;
pub mod openid;
pub mod acts;
pub mod api;
pub mod views;
pub mod alert;
pub mod web;
pub mod pages;
pub mod admin;
pub mod serve;
pub mod cli;
