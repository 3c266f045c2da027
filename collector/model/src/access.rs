//! Who looks or acts, and what they may.
//!
//! Invariant: rights only; how somebody proves who they are is no matter here.

use crate::id::SiteName;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

/// What an account is for. Each may what the one before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccessRole {
    /// Looks.
    Viewer,
    /// Works on findings.
    Operator,
    /// Signs: approves waivers, confirms removals, reads the audit log.
    Compliance,
    /// Decides who may.
    Admin,
}

impl AccessRole {
    /// All, in the order pages list them.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Operator, Self::Compliance, Self::Admin];

    /// The word in files, database and pages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Compliance => "compliance",
            Self::Admin => "admin",
        }
    }

    /// Whether somebody of this role may.
    #[must_use]
    pub fn may(self, right: Right) -> bool {
        match right {
            Right::Anyone => true,
            Right::See => self >= Self::Viewer,
            Right::Act => self >= Self::Operator,
            Right::Sign => self >= Self::Compliance,
            Right::Administer => self >= Self::Admin,
        }
    }
}

impl fmt::Display for AccessRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for AccessRole {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| format!("unknown access role {text:?}"))
    }
}

/// What a page, a form or a request of the API asks of whoever comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Right {
    /// Nothing: assets, health, the door itself.
    Anyone,
    /// To look at findings, elements, evidence, policies and what is made of them.
    See,
    /// To acknowledge, assign, comment, ask for a waiver, plan a removal.
    Act,
    /// To approve and end waivers, confirm removals, read who did what.
    Sign,
    /// To decide who may come in: people, tokens, routes.
    Administer,
}

/// Whoever asks, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// What they sign with; goes into the log of who did what.
    pub name: String,
    /// What they may.
    pub role: AccessRole,
    /// The sites they may see; [`None`] is all.
    pub sites: Option<BTreeSet<SiteName>>,
}

impl Person {
    /// Whether they may.
    #[must_use]
    pub fn may(&self, right: Right) -> bool {
        self.role.may(right)
    }

    /// Whether they may see what stands at this site.
    #[must_use]
    pub fn sees(&self, site: &SiteName) -> bool {
        self.sites.as_ref().is_none_or(|sites| sites.contains(site))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_may_what_the_one_before_may_and_more() {
        let rights = [
            Right::Anyone,
            Right::See,
            Right::Act,
            Right::Sign,
            Right::Administer,
        ];
        let count = |role: AccessRole| rights.into_iter().filter(|&right| role.may(right)).count();
        assert_eq!(AccessRole::ALL.map(count), [2, 3, 4, 5]);
        for role in AccessRole::ALL {
            assert_eq!(role.as_str().parse(), Ok(role));
        }
    }

    #[test]
    fn a_person_of_some_sites_sees_no_other() {
        let site = |name: &str| name.parse::<SiteName>().unwrap();
        let all = Person {
            name: "a".into(),
            role: AccessRole::Viewer,
            sites: None,
        };
        let some = Person {
            sites: Some([site("berlin")].into()),
            ..all.clone()
        };
        assert!(all.sees(&site("london")) && some.sees(&site("berlin")) && !some.sees(&site("london")));
    }
}
