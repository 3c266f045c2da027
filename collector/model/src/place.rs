//! Where things are: sites, elements and what the operator declares about them.
//!
//! Declared facts stay apart from observation: nothing here comes from a device.

use crate::id::{ElementId, SiteName};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

/// Where an agent stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// Its key.
    pub name: SiteName,
    /// ISO 3166-1 alpha-2 codes of the law that holds here, with `EU` beside a member state.
    pub jurisdictions: BTreeSet<String>,
    /// What people call it.
    #[serde(default)]
    pub title: String,
    /// Degrees north, -90 to 90.
    #[serde(default)]
    pub latitude: Option<f64>,
    /// Degrees east, -180 to 180.
    #[serde(default)]
    pub longitude: Option<f64>,
}

/// What part an element plays in the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Packet core, IP core.
    Core,
    /// Radio access.
    Ran,
    /// Backhaul, optical and microwave transport.
    Transport,
    /// Fixed access: OLT, DSLAM, access switches.
    Access,
    /// Management networks and systems.
    Management,
    /// Customer premises.
    Cpe,
    /// Video surveillance.
    Video,
    /// Declared, and none of the above.
    Other,
}

impl Role {
    /// All roles in the order pages list them.
    pub const ALL: [Self; 8] = [
        Self::Core,
        Self::Ran,
        Self::Transport,
        Self::Access,
        Self::Management,
        Self::Cpe,
        Self::Video,
        Self::Other,
    ];

    /// The word used in files, database and pages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Core => "core",
            Self::Ran => "ran",
            Self::Transport => "transport",
            Self::Access => "access",
            Self::Management => "management",
            Self::Cpe => "cpe",
            Self::Video => "video",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Role {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| {
                let words: Vec<_> = Self::ALL.iter().map(|r| r.as_str()).collect();
                format!("role {text:?} is none of {}", words.join(", "))
            })
    }
}

/// An element as policy sees it: a place and what the operator declares about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// Its key.
    pub element: ElementId,
    /// Its site.
    pub site: SiteName,
    /// The law that holds at the site.
    pub jurisdictions: BTreeSet<String>,
    /// Declared role; `None` is unknown, not "none".
    pub role: Option<Role>,
    /// Declared network generations (`4G`, `5G`, `FTTP`, …); empty is unknown.
    pub generations: BTreeSet<String>,
    /// Tags that say who the operator is (`gb_directed_provider`, …) and what the site is.
    pub tags: BTreeSet<String>,
    /// Declared day of acquisition, `YYYY-MM-DD`, if known.
    pub acquired: Option<String>,
}

impl Place {
    /// No element's place: for facts that somebody asks about without having the element.
    #[must_use]
    pub fn nowhere() -> Self {
        Self {
            element: ElementId(uuid::Uuid::nil()),
            site: SiteName::nowhere(),
            jurisdictions: BTreeSet::new(),
            role: None,
            generations: BTreeSet::new(),
            tags: BTreeSet::new(),
            acquired: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_read_back() {
        for role in Role::ALL {
            assert_eq!(role.as_str().parse::<Role>(), Ok(role));
        }
        assert!("Core".parse::<Role>().is_err());
    }
}
