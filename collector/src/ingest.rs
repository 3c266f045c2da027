//! Takes reports from agents: listener, service, and the border from wire to model.
//!
//! Invariants: an ack is sent only after the store's commit returned; who an
//! agent is and where it stands comes from its certificate; one bad report is
//! refused by itself and never blocks the stream.

mod listener;
mod read;
mod coverage;
mod engines;
mod inbound;
mod commit;
mod uncommitted;
mod streams;
mod service;
mod courier;

pub use courier::{Import, ImportError, Imported};
pub use inbound::{Inbound, greeting};
pub use listener::Listener;
pub use read::{Unreadable, decode_evidence, report};
pub use service::Ingest;
pub use uncommitted::Uncommitted;
