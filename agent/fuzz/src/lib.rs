//! What the targets share: input read piece by piece, and SNMP messages that are well
//! formed up to what the input says, signed and encrypted with the right keys, so that
//! what lies behind the keys is reached too.

pub mod element;
pub mod input;
pub mod message;
pub mod user;

pub use element::against;
pub use input::{Input, changed};
