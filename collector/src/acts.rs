//! What people do about findings: one way for the command line and the pages.
//!
//! Invariants: all of what was named is done or nothing; nothing is done on a
//! finding that moved since it was looked at, nor on one of a site whoever acts
//! may not see; what is said is bounded and holds no control character.

use model::{Act, FindingId, Instant, Life, SiteName, Which};
use policy::waiver::{self, Acting, Refusal};
use std::collections::{HashMap, HashSet};
use store::acts::{Acted, Doing, FindingLife};
use store::record::Stand;
use store::{Acts, StoreError};

/// Longest name of a person, in characters.
const NAME_CHARS: usize = 100;
/// Longest text, in characters.
pub const TEXT_CHARS: usize = 2_000;

/// A name: some characters, none of them a control character.
///
/// # Errors
/// What is wrong with it, in words.
pub fn name(text: &str) -> Result<String, String> {
    bounded(text, NAME_CHARS)
}

/// A reason or remark, bounded like a name.
///
/// # Errors
/// What is wrong with it, in words.
pub fn text(text: &str) -> Result<String, String> {
    bounded(text, TEXT_CHARS)
}

fn bounded(text: &str, most: usize) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("is empty".to_owned());
    }
    if text.chars().any(char::is_control) {
        return Err("holds a control character".to_owned());
    }
    if text.chars().count() > most {
        return Err(format!("is longer than {most} characters"));
    }
    Ok(text.to_owned())
}

/// A finding as whoever acts on it names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chosen {
    /// Which.
    pub finding: FindingId,
    /// Its revision when they looked; unknown where they named it without a look.
    pub seen: Option<u64>,
}

impl From<FindingId> for Chosen {
    fn from(finding: FindingId) -> Self {
        Self { finding, seen: None }
    }
}

/// What to do with findings that an act does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// They were named: then nothing is done.
    Refuse,
    /// They were chosen by what they say: then they are left alone.
    Skip,
}

/// One act of one person.
#[derive(Debug, Clone)]
pub struct Deed<'a> {
    /// Who.
    pub by: &'a str,
    /// From which account.
    pub account: &'a str,
    /// What.
    pub act: Act,
    /// What to do with findings it does not fit.
    pub unfit: Unfit,
}

/// What was done.
#[derive(Debug, Clone, PartialEq)]
pub struct Done {
    /// On which findings, and how they stand.
    pub on: Vec<Acted>,
    /// Findings left alone.
    pub left_alone: usize,
}

/// A finding as a refusal names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Which.
    pub finding: FindingId,
    /// Its element and rule, as a device and a pack call them.
    pub label: String,
}

/// Why nothing was done, by what whoever acts can do about it.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// Look for it again: there is none of this key that they may see.
    #[error("no finding {0} is known")]
    Unknown(FindingId),
    /// Choose again: it does not fit how this one stands.
    #[error("finding {}: {refusal}", .named.finding)]
    Unfit {
        /// Which.
        named: Named,
        /// Why.
        refusal: Refusal,
    },
    /// Look again: these moved since.
    #[error("somebody changed {} of these meanwhile", .0.len())]
    Moved(Vec<Named>),
    /// Choose others: it fits none.
    #[error("no finding was chosen that this fits")]
    Nothing,
    /// Set the clock.
    #[error("the clock shows no day")]
    NoDay,
    /// Try again later, or see what the store says.
    #[error(transparent)]
    Store(StoreError),
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Does it, to all or none; to each once, however often it was named.
///
/// # Errors
/// [`Refused`]; then nothing was done.
pub async fn act(
    store: &dyn Acts,
    chosen: &[Chosen],
    deed: Deed<'_>,
    sees: &(dyn Fn(&SiteName) -> bool + Sync),
    now: Instant,
) -> Result<Done, Refused> {
    let mut once = HashSet::new();
    let keys = chosen.iter().map(|one| one.finding);
    let keys: Vec<FindingId> = keys.filter(|key| once.insert(*key)).collect();
    let mut lives = store.lives(&keys).await?;
    lives.retain(|life| sees(&life.site));
    let by_key: HashMap<FindingId, &FindingLife> = lives.iter().map(|life| (life.finding, life)).collect();
    let mut moved = Vec::new();
    for one in chosen {
        let found = by_key.get(&one.finding).ok_or(Refused::Unknown(one.finding))?;
        if one.seen.is_some_and(|seen| seen != found.revision) {
            moved.push(named(found));
        }
    }
    if !moved.is_empty() {
        return Err(Refused::Moved(moved));
    }
    let today = now.date().ok_or(Refused::NoDay)?;
    let mut on = Vec::with_capacity(lives.len());
    let mut left_alone = 0_usize;
    for found in &lives {
        let acting = Acting {
            by: deed.by,
            today,
            class: found.result.class,
            latest: found.latest,
        };
        match (waiver::act(&found.life, &deed.act, acting), deed.unfit) {
            (Ok(life), _) => on.push(acted(found, life, &deed.act)),
            // What nobody meant to leave alone: they only have to say which.
            (Err(refusal @ Refusal::WhichOne), _) | (Err(refusal), Unfit::Refuse) => {
                let named = named(found);
                return Err(Refused::Unfit { named, refusal });
            }
            (Err(_), Unfit::Skip) => left_alone += 1,
        }
    }
    if on.is_empty() {
        return Err(Refused::Nothing);
    }
    let doing = Doing {
        person: deed.by.to_owned(),
        account: deed.account.to_owned(),
        act: deed.act,
        on,
    };
    match store.act(&doing, now).await {
        Ok(()) => Ok(Done {
            on: doing.on,
            left_alone,
        }),
        Err(StoreError::Moved(key)) => {
            let moved = lives.iter().filter(|life| life.finding == key).map(named);
            Err(Refused::Moved(moved.collect()))
        }
        Err(error) => Err(error.into()),
    }
}

fn named(found: &FindingLife) -> Named {
    Named {
        finding: found.finding,
        label: format!("{}: {}", found.element_name, found.result.rule),
    }
}

fn acted(found: &FindingLife, life: Life, act: &Act) -> Acted {
    Acted {
        stand: Stand {
            finding: found.finding,
            revision: found.revision,
            life,
        },
        text: said(found, act),
    }
}

/// An act in words; who did it stands beside it.
fn said(found: &FindingLife, act: &Act) -> String {
    match act {
        Act::Acknowledge => "seen".to_owned(),
        Act::Assign { to } => format!("to {to}"),
        Act::Comment { text } => text.clone(),
        Act::Waive { reason, until } => format!("until {until}: {reason}"),
        Act::Approve => match &found.life.asked {
            Some(asked) => format!(
                "until {}, asked for by {}: {}",
                asked.until, asked.asked_by, asked.reason
            ),
            None => "approved".to_owned(),
        },
        Act::EndWaiver { reason, which } => match waiver::meant(&found.life, *which) {
            Ok(Which::Asked) => format!("refused: {reason}"),
            Ok(Which::InForce) | Err(_) => format!("taken back: {reason}"),
        },
        Act::PlanRemoval(removal) => {
            format!(
                "{} by {}: {}",
                removal.planned, removal.owner, removal.replacement
            )
        }
        Act::ConfirmRemoval { reason } => format!("removed: confirmed while the element is silent: {reason}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_texts_are_bounded() {
        assert_eq!(name("  Ann Lee "), Ok("Ann Lee".to_owned()));
        for (bad, words) in [
            ("", "is empty"),
            (" ", "is empty"),
            ("a\u{1b}[1m", "control"),
            (&"x".repeat(101), "longer than 100"),
        ] {
            assert!(name(bad).unwrap_err().contains(words), "{bad:?}");
        }
        assert!(text(&"x".repeat(2_000)).is_ok());
    }
}
