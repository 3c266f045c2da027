//! The words of the house as types, in the order the data flows.
//!
//! Invariants: no I/O, no clock, no SQL, no wire. A type here is shared by at
//! least two of `identify`, `policy`, `store` and the collector; what only one
//! of them needs lives there.

pub mod id;
pub mod instant;
pub mod oid;
pub mod evidence;
pub mod place;
pub mod supplier;
pub mod claim;
pub mod unit;
pub mod finding;
pub mod life;
pub mod on_file;
pub mod access;

pub use access::{AccessRole, Person, Right, Scope};
pub use claim::{
    Aspect, Attribution, Claim, ComponentClass, ComponentIdentity, Doubt, EvidenceRef, Identification,
    Signal, Subject, UnitIdentity,
};
pub use evidence::{Completeness, Evidence, Observation, Outcome, Question, QuestionKind, Value, Varbind};
pub use finding::{Cause, Ending, FindingState, ResultClass, RuleResult, Severity, Standing, WaiverState};
pub use id::{AgentId, Digest, ElementId, FindingId, SiteName, UnitId};
pub use instant::Instant;
pub use life::{Act, Inputs, Life, Removal, Waiver, Which};
pub use oid::Oid;
pub use place::{Place, Role, Site};
pub use supplier::SupplierRef;
pub use unit::{Decision, Handle, Hardware, Joined, Shown, Tenure, UnitDoubt};
