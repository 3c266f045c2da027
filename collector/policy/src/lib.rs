//! Claims and policies to rule results: pure and total.
//!
//! Invariants: no clock, network or database; no country and no supplier is
//! built into the code, both are data under `packs/`. Whoever evaluates passes
//! the day. A result says "matches rule X on these facts" and nothing more.

pub mod date;
pub mod pack;
pub mod affiliation;
mod built_in;
pub mod policies;
pub mod scope;
pub mod rule;
pub mod evaluate;
pub mod lifecycle;

pub use affiliation::Affiliations;
pub use date::PartialDate;
pub use evaluate::{Part, Situation, evaluate, standing};
pub use pack::{Pack, Rule};
pub use policies::{PackError, Policies};
