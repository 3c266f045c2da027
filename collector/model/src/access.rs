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

/// What a token may. Each word opens what it names and nothing beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// What asks for [`Right::See`].
    See,
    /// What asks for [`Right::Act`].
    Act,
    /// What asks for [`Right::Sign`].
    Sign,
    /// What asks for [`Right::Administer`].
    Administer,
    /// The collector's metrics.
    Metrics,
    /// The first page as it hangs on a wall.
    Wall,
}

impl Scope {
    /// All, in the order pages list them.
    pub const ALL: [Self; 6] = [
        Self::See,
        Self::Act,
        Self::Sign,
        Self::Administer,
        Self::Metrics,
        Self::Wall,
    ];

    /// The word in database, commands and pages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::See => "see",
            Self::Act => "act",
            Self::Sign => "sign",
            Self::Administer => "administer",
            Self::Metrics => "metrics",
            Self::Wall => "wall",
        }
    }

    /// Whether it opens what asks for this right.
    #[must_use]
    pub fn opens(self, right: Right) -> bool {
        match right {
            Right::Anyone => true,
            Right::See => self == Self::See,
            Right::Act => self == Self::Act,
            Right::Sign => self == Self::Sign,
            Right::Administer => self == Self::Administer,
        }
    }

    /// The least role that may what it opens.
    #[must_use]
    pub fn role(self) -> AccessRole {
        match self {
            Self::See | Self::Metrics | Self::Wall => AccessRole::Viewer,
            Self::Act => AccessRole::Operator,
            Self::Sign => AccessRole::Compliance,
            Self::Administer => AccessRole::Admin,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Scope {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|scope| scope.as_str() == text)
            .ok_or_else(|| format!("unknown scope {text:?}"))
    }
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
    /// Whether they may. Whoever is limited to sites decides nothing about who may: he could make himself one of all.
    #[must_use]
    pub fn may(&self, right: Right) -> bool {
        self.role.may(right) && (right != Right::Administer || self.sites.is_none())
    }

    /// Whether they may see what stands at this site.
    #[must_use]
    pub fn sees(&self, site: &SiteName) -> bool {
        self.sites.as_ref().is_none_or(|sites| sites.contains(site))
    }

    /// The sites to ask the store for when these are asked for (none is all): never empty for a person of some sites,
    /// for an empty list filters nothing. The empty name is no site's.
    #[must_use]
    pub fn within(&self, asked: Vec<String>) -> Vec<String> {
        let Some(sites) = &self.sites else {
            return asked;
        };
        let allowed = sites.iter().map(ToString::to_string);
        let within: Vec<String> = allowed
            .filter(|site| asked.is_empty() || asked.contains(site))
            .collect();
        if within.is_empty() {
            vec![String::new()]
        } else {
            within
        }
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
        for scope in Scope::ALL {
            assert_eq!(scope.as_str().parse(), Ok(scope));
            let opened = rights.into_iter().filter(|&right| scope.opens(right)).count();
            assert_eq!(
                opened,
                if matches!(scope, Scope::Metrics | Scope::Wall) {
                    1
                } else {
                    2
                }
            );
            assert!(
                rights
                    .into_iter()
                    .all(|right| !scope.opens(right) || scope.role().may(right))
            );
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
        let (all_admin, some_admin) = [&all, &some]
            .map(|person| Person {
                role: AccessRole::Admin,
                ..person.clone()
            })
            .into();
        assert!(all_admin.may(Right::Administer) && !some_admin.may(Right::Administer));
        let asked = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        assert_eq!(all.within(asked(&["london"])), ["london"]);
        assert!(all.within(asked(&[])).is_empty());
        assert_eq!(some.within(asked(&[])), ["berlin"]);
        assert_eq!(some.within(asked(&["london", "berlin"])), ["berlin"]);
        assert_eq!(some.within(asked(&["london"])), [""], "nothing, not everything");
        let none = Person {
            sites: Some(BTreeSet::new()),
            ..all
        };
        assert_eq!(none.within(asked(&[])), [""]);
    }
}
