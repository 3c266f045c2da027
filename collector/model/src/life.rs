//! What a judgement rested on, and what people did about a finding.
//!
//! Invariant: facts only; which of them may follow which is decided in `policy`.

use crate::evidence::Completeness;
use crate::finding::{Ending, FindingState, ResultClass};
use crate::id::Digest;
use serde::{Deserialize, Serialize};

/// The versions of everything a judgement rested on: where two of them differ, that is why it changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inputs {
    /// The evidence judged.
    pub digest: Option<Digest>,
    /// A later partial one beside it.
    pub partial: Option<Digest>,
    /// How complete the last round was.
    pub latest: Option<Completeness>,
    /// Version of the knowledge.
    pub knowledge: String,
    /// Version of the policies.
    pub policies: String,
    /// Version of the operator's facts about this element.
    pub facts: String,
    /// The day judged for.
    pub as_of: String,
}

/// How a finding stands: what its events add up to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Life {
    /// Its state.
    pub state: FindingState,
    /// To whom it is assigned.
    pub owner: Option<String>,
    /// The waiver in force.
    pub waiver: Option<Waiver>,
    /// A waiver, or a longer one, that waits for a second person.
    pub asked: Option<Waiver>,
    /// How it is to be removed.
    pub removal: Option<Removal>,
    /// How it ended, while it is closed.
    pub ending: Option<Ending>,
}

impl Life {
    /// Of a finding just opened.
    #[must_use]
    pub fn new() -> Self {
        Self {
            state: FindingState::Open,
            owner: None,
            waiver: None,
            asked: None,
            removal: None,
            ending: None,
        }
    }
}

impl Default for Life {
    fn default() -> Self {
        Self::new()
    }
}

/// An accepted exception: who, why, until when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiver {
    /// Who asked for it.
    pub asked_by: String,
    /// Why.
    pub reason: String,
    /// Its last day, `YYYY-MM-DD`.
    pub until: String,
    /// What the finding said when it was asked for: a more urgent class later is another matter.
    pub class: ResultClass,
    /// Who approved it; never who asked.
    pub approved_by: Option<String>,
}

/// How something is to go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removal {
    /// When: `YYYY-MM-DD`, `YYYY-MM` or `YYYY`.
    pub planned: String,
    /// What takes its place.
    pub replacement: String,
    /// Who sees to it.
    pub owner: String,
}

/// Which waiver of a finding is meant: a longer one can be asked for while one runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Which {
    /// The one that waits for a second person.
    Asked,
    /// The one in force.
    InForce,
}

/// What a person does about a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case")]
pub enum Act {
    /// Says that it was seen.
    Acknowledge,
    /// Gives it to somebody.
    Assign {
        /// To whom.
        to: String,
    },
    /// Says something about it.
    Comment {
        /// What.
        text: String,
    },
    /// Asks for a waiver.
    Waive {
        /// Why.
        reason: String,
        /// Its last day, `YYYY-MM-DD`.
        until: String,
    },
    /// Approves the waiver somebody else asked for.
    Approve,
    /// Refuses the waiver asked for, or takes back the approved one.
    EndWaiver {
        /// Why.
        reason: String,
        /// Which of the two; [`None`] for the one there is, and in rows of before it was said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        which: Option<Which>,
    },
    /// Says how and when it goes.
    PlanRemoval(Removal),
    /// Says that the element, silent by now, is gone.
    ConfirmRemoval {
        /// How that is known.
        reason: String,
    },
}

impl Act {
    /// The kinds of events acts make.
    pub const KINDS: [&'static str; 8] = [
        "acknowledged",
        "assigned",
        "commented",
        "waiver_asked",
        "waived",
        "waiver_ended",
        "removal_planned",
        "removal_confirmed",
    ];

    /// The kind of event it makes.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Acknowledge => "acknowledged",
            Self::Assign { .. } => "assigned",
            Self::Comment { .. } => "commented",
            Self::Waive { .. } => "waiver_asked",
            Self::Approve => "waived",
            Self::EndWaiver { .. } => "waiver_ended",
            Self::PlanRemoval(_) => "removal_planned",
            Self::ConfirmRemoval { .. } => "removal_confirmed",
        }
    }
}
