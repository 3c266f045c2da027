//! Hardware over time: what an element showed, which unit stood there from when until when, and what
//! the operator decided about units.
//!
//! Invariant: a tenure is a conclusion and can be made anew; a decision is a fact of the operator's,
//! refers to hardware by the words it told, and outlives every conclusion.

use crate::claim::UnitIdentity;
use crate::id::{Digest, ElementId, UnitId};
use crate::instant::Instant;
use crate::supplier::SupplierRef;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// One piece of hardware as one evidence shows it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Hardware {
    /// What tells it from others.
    pub identity: UnitIdentity,
    /// Who made it, as concluded.
    pub maker: Option<SupplierRef>,
    /// Whether it is one chassis of a stack.
    pub member: bool,
}

/// What an element showed for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The evidence that showed it first.
    pub digest: Digest,
    /// First round (agent's clock).
    pub from: Instant,
    /// Last round.
    pub until: Instant,
    /// Whether everything that was asked was answered: only then what is missing is gone.
    pub complete: bool,
    /// The unit, or the chassis of a stack.
    pub hardware: Vec<Hardware>,
}

/// A piece of hardware at an element, from … until …
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenure {
    /// Where.
    pub element: ElementId,
    /// Its number in the history of the element, from 0.
    pub slot: u32,
    /// First sighting (agent's clock).
    pub from: Instant,
    /// When something else stood there, or it was gone; `None` is now.
    pub until: Option<Instant>,
    /// Last sighting.
    pub seen: Instant,
    /// The evidence that showed it first.
    pub first: Digest,
    /// The evidence that showed it last.
    pub last: Digest,
    /// The slot of the hardware it took the place of.
    pub replaces: Option<u32>,
    /// Everything it told.
    pub hardware: Hardware,
}

/// How a decision refers to hardware: where it stood and a word it told, e.g. `serial FOC1`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Handle {
    /// Where.
    pub element: ElementId,
    /// The word; empty is hardware that tells none.
    pub word: String,
}

/// What the operator decided about units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Hardware it is about.
    pub one: Handle,
    /// The hardware that is the same unit; `None`: `one` is a unit of its own, whatever its keys say.
    pub other: Option<Handle>,
    /// When (collector's clock); the later one wins.
    pub at: Instant,
}

/// Something about one tenure and another that a person should look at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnitDoubt {
    /// Element and slot it is about.
    pub about: (ElementId, u32),
    /// Element and slot of the other one.
    pub other: (ElementId, u32),
    /// `cloned_key`: both tell the same key at the same time and contradict each other;
    /// `perhaps_same`: they may be one unit, which the operator can say; `common_key`: too many tell it.
    pub code: &'static str,
    /// One sentence for people; escape before showing.
    pub text: String,
}

/// Which tenures are of one unit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Joined {
    /// The unit of each tenure, in the order given.
    pub units: Vec<UnitId>,
    /// What a person should look at.
    pub doubts: BTreeSet<UnitDoubt>,
}
