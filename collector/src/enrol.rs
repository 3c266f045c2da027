//! The collector's own authority, and how strangers become agents.
//!
//! Invariants: keys of agents are made at the agents; a certificate's names, use
//! and lifetime are ours, never from outside; the authority's key is written
//! once with mode 0600 and never printed.

mod authority;
mod rotation;
mod courier;
mod limit;
mod gate;
mod invite;
mod service;

pub use authority::{AgentCertificate, Authority, EnrolError};
pub use courier::rotate_courier_key;
pub use gate::{Gate, Peer};
pub use invite::{InviteError, invite};
pub use rotation::{Rotation, RotationError};
pub use service::Enrolment;
