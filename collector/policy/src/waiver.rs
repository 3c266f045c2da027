//! What people may do about a finding, and what that makes of it.
//!
//! Invariants: a waiver has a reason, a last day and four eyes, and lifts no duty:
//! it says who accepts what until when. One that ends returns the finding to the
//! queue. Nobody closes a finding by saying so while its element answers.

use crate::date::PartialDate;
use model::{Act, Completeness, Ending, FindingState, Life, ResultClass, Waiver, Which};
use time::Date;

/// Why an act is not taken; correct the command, or look at the finding again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is closed.
    #[error("it is closed")]
    Closed,
    /// Who asked for a waiver may not approve it.
    #[error("{0} asked for this waiver: somebody else must approve it")]
    FourEyes(String),
    /// Nobody asked for one.
    #[error("nobody asked for a waiver")]
    NothingAsked,
    /// There is none to end.
    #[error("it has no waiver, and nobody asked for one")]
    NoWaiver,
    /// None holds that could be taken back.
    #[error("it has no waiver in force")]
    NoneInForce,
    /// One holds and one is asked for: say which is meant.
    #[error("it has a waiver in force and another one asked for: say which one is meant")]
    WhichOne,
    /// A last day that is none.
    #[error("{0:?} is not YYYY-MM-DD")]
    NoDay(String),
    /// A last day in the past.
    #[error("{0} has passed")]
    Passed(String),
    /// No date.
    #[error("{0:?} is not a date; write YYYY, YYYY-MM or YYYY-MM-DD")]
    NoDate(String),
    /// The element answers: only a complete walk can show that something went.
    #[error("the element answers: only a complete walk without it can close this")]
    Answers,
}

/// Who acts, when, on what.
#[derive(Debug, Clone, Copy)]
pub struct Acting<'a> {
    /// Who.
    pub by: &'a str,
    /// The day.
    pub today: Date,
    /// The class of the finding.
    pub class: ResultClass,
    /// How complete the last round of its element was.
    pub latest: Option<Completeness>,
}

/// How a finding stands after an act.
///
/// # Errors
/// [`Refusal`] when the act does not fit how it stands.
pub fn act(life: &Life, act: &Act, acting: Acting<'_>) -> Result<Life, Refusal> {
    let closed = life.state == FindingState::Closed;
    if closed && !matches!(act, Act::Comment { .. }) {
        return Err(Refusal::Closed);
    }
    let mut after = life.clone();
    match act {
        Act::Comment { .. } => {}
        Act::Acknowledge => {
            if life.state == FindingState::Open {
                after.state = FindingState::Acknowledged;
            }
        }
        Act::Assign { to } => {
            after.owner = Some(to.clone());
            if life.state != FindingState::Waived {
                after.state = FindingState::Assigned;
            }
        }
        Act::Waive { reason, until } => {
            let last = day(until).ok_or_else(|| Refusal::NoDay(bounded(until)))?;
            if last < acting.today {
                return Err(Refusal::Passed(until.clone()));
            }
            after.asked = Some(Waiver {
                asked_by: acting.by.to_owned(),
                reason: reason.clone(),
                until: until.clone(),
                class: acting.class,
                approved_by: None,
            });
        }
        Act::Approve => {
            let asked = after.asked.take().ok_or(Refusal::NothingAsked)?;
            if same_person(&asked.asked_by, acting.by) {
                return Err(Refusal::FourEyes(asked.asked_by));
            }
            if day(&asked.until).is_none_or(|last| last < acting.today) {
                return Err(Refusal::Passed(asked.until));
            }
            after.waiver = Some(Waiver {
                approved_by: Some(acting.by.to_owned()),
                ..asked
            });
            after.state = FindingState::Waived;
        }
        Act::EndWaiver { which, .. } => match meant(life, *which)? {
            Which::Asked => after.asked = None,
            Which::InForce => {
                after.waiver = None;
                after.state = returned(life);
            }
        },
        Act::PlanRemoval(removal) => {
            let _date: PartialDate = removal
                .planned
                .parse()
                .map_err(|_| Refusal::NoDate(bounded(&removal.planned)))?;
            after.removal = Some(removal.clone());
        }
        Act::ConfirmRemoval { .. } => {
            if !matches!(acting.latest, None | Some(Completeness::Unreachable)) {
                return Err(Refusal::Answers);
            }
            after = ended(life, Ending::Confirmed);
        }
    }
    Ok(after)
}

/// The waiver that is to end: the one that was named, or the only one.
///
/// # Errors
/// [`Refusal`] when it is not there, or when there are two and none was named.
pub fn meant(life: &Life, which: Option<Which>) -> Result<Which, Refusal> {
    match (which, &life.asked, &life.waiver) {
        (Some(Which::Asked), None, _) => Err(Refusal::NothingAsked),
        (Some(Which::InForce), _, None) => Err(Refusal::NoneInForce),
        (Some(which), ..) => Ok(which),
        (None, Some(_), Some(_)) => Err(Refusal::WhichOne),
        (None, Some(_), None) => Ok(Which::Asked),
        (None, None, Some(_)) => Ok(Which::InForce),
        (None, None, None) => Err(Refusal::NoWaiver),
    }
}

/// How a finding stands when it closes: what was asked for and accepted was about a thing that is
/// no longer the matter; who saw to it and what was planned stay on record.
#[must_use]
pub fn ended(life: &Life, ending: Ending) -> Life {
    Life {
        state: FindingState::Closed,
        waiver: None,
        asked: None,
        ending: Some(ending),
        ..life.clone()
    }
}

/// How a finding stands when its rule is met again.
#[must_use]
pub fn reopened(life: &Life) -> Life {
    Life {
        state: FindingState::Open,
        ending: None,
        ..life.clone()
    }
}

/// The last day of the waiver, if it has passed and the finding still stands waived.
#[must_use]
pub fn expired(life: &Life, today: Date) -> Option<&str> {
    let waiver = life
        .waiver
        .as_ref()
        .filter(|_| life.state == FindingState::Waived)?;
    // A day that cannot be read holds nobody back.
    day(&waiver.until)
        .is_none_or(|last| last < today)
        .then_some(&waiver.until)
}

/// How a finding stands when its waiver has run out.
#[must_use]
pub fn lapsed(life: &Life) -> Life {
    Life {
        state: returned(life),
        waiver: None,
        ..life.clone()
    }
}

/// Where it goes when nothing holds it back any more: to who has it, or to everybody.
fn returned(life: &Life) -> FindingState {
    match (life.state, &life.owner) {
        (FindingState::Waived, Some(_)) => FindingState::Assigned,
        (FindingState::Waived, None) => FindingState::Open,
        (state, _) => state,
    }
}

/// Whether the finding says something more urgent than what was waived.
#[must_use]
pub fn is_worse(life: &Life, class: ResultClass) -> bool {
    let waiver = life.waiver.as_ref();
    life.state == FindingState::Waived && waiver.is_some_and(|waiver| class < waiver.class)
}

/// Names as people write them: case and blanks make no second person.
#[must_use]
pub fn same_person(a: &str, b: &str) -> bool {
    let plain = |name: &str| {
        let words: Vec<String> = name.split_whitespace().map(str::to_lowercase).collect();
        words.join(" ")
    };
    plain(a) == plain(b)
}

/// A whole day.
fn day(text: &str) -> Option<Date> {
    let date: PartialDate = text.parse().ok()?;
    (date.first() == date.last()).then(|| date.first())
}

fn bounded(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(60).collect()
}

#[cfg(test)]
mod tests;
