//! Claims and policies to rule results: pure and total.
//!
//! Invariants: no clock, network or database; no country and no supplier is
//! built into the code, both are data under `packs/`. Whoever evaluates passes
//! the day. A result says "matches rule X on these facts" and nothing more.

pub mod date;
pub mod pack;
pub mod country;
pub mod affiliation;
pub mod question;
mod built_in;
pub mod policies;
pub mod part;
pub mod facts;
pub mod supplier;
pub mod scope;
pub mod thing;
pub mod force;
mod approval;
pub mod rule;
pub mod evaluate;
pub mod standing;
pub mod share;
pub mod recall;
pub mod differing;
pub mod population;
pub mod naming;
pub mod pace;
pub mod judge;
pub mod case;
pub mod lifecycle;
pub mod waiver;
pub mod removal;
pub mod notice;

pub use affiliation::Affiliations;
pub use date::PartialDate;
pub use evaluate::{Situation, evaluate};
pub use facts::Facts;
pub use judge::{Verdict, judge};
pub use notice::DISCLAIMER;
pub use pack::{Pack, Rule};
pub use part::{Part, Told};
pub use policies::{PackError, Policies};
pub use question::Question;
pub use standing::standing;
