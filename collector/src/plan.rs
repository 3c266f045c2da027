//! Plans: what agents of a site are told to do, from the operator's file to their streams.
//!
//! Invariants: a plan that an agent could not read is not put; credentials are
//! named and never here; what an agent says about a plan is believed of itself alone.

mod file;
mod desk;

pub(crate) use desk::said;
pub use desk::{Desk, Listener, Pushed};
pub use file::{PlanError, PlanFile};

use store::plans::PlanState;

/// How an agent stands to the newest plan, for people.
#[must_use]
pub fn words(state: &PlanState) -> String {
    let runs = |runs: &u64| match runs {
        0 => "follows none".to_owned(),
        revision => format!("follows {revision}"),
    };
    match state {
        PlanState::NotTold => "not told".to_owned(),
        PlanState::OwnFile => "own file".to_owned(),
        PlanState::NonePut { runs: 0 } => "none put".to_owned(),
        PlanState::NonePut { runs: now } => format!("none put, {}", runs(now)),
        PlanState::Applied { revision } => format!("{revision} applied"),
        PlanState::Waiting { revision, runs: now } => format!("{revision} waiting, {}", runs(now)),
        PlanState::Refused {
            revision,
            runs: now,
            reason,
        } => format!("{revision} refused: {reason}; {}", runs(now)),
    }
}
