//! Whom a credential is for: ranges, sites and roles, beside its name.
//!
//! Invariants: it is used for nobody outside all three; at an agent of another site
//! its secrets are not even read; without ranges, sites or roles the one left out does not matter.

use super::Credential;
use ipnet::IpNet;
use serde::Deserialize;
use std::fmt;
use std::sync::Arc;

/// What an element is for, as the operator's list of elements says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Packet core, IP core.
    Core,
    /// Radio access.
    Ran,
    /// Backhaul, optical and microwave transport.
    Transport,
    /// Fixed access.
    Access,
    /// Management networks and systems.
    Management,
    /// Customer premises.
    Cpe,
    /// Video surveillance.
    Video,
    /// None of the above.
    Other,
}

/// A credential by its name, for whom it is for.
#[derive(Clone)]
pub struct Scoped {
    name: String,
    roles: Vec<Role>,
    held: Held,
}

#[derive(Clone)]
enum Held {
    Here(Arc<Credential>),
    /// Of other sites than that of this agent.
    Elsewhere {
        sites: Vec<String>,
        here: String,
    },
}

/// Why a credential must not be used for somebody; read after who that is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutOfScope {
    /// The agent is of none of its sites.
    #[error("cannot be asked with credential {name:?}, which is for {sites}: this agent is of site {here}")]
    Site {
        /// Of the credential.
        name: String,
        /// Whose it is.
        sites: String,
        /// The agent's.
        here: String,
    },
    /// The address, or a part of the range.
    #[error("lies outside the ranges of credential {0:?}")]
    Ranges(String),
    /// It has a role that is none of them.
    #[error("has none of the roles of credential {0:?}")]
    Roles(String),
    /// Nobody said which role it has.
    #[error("names no role, and credential {0:?} is for some roles only")]
    NoRole(String),
}

impl Scoped {
    /// For these roles only; for all if there is none.
    #[must_use]
    pub fn new(name: String, credential: Arc<Credential>, roles: Vec<Role>) -> Self {
        Self {
            name,
            roles,
            held: Held::Here(credential),
        }
    }

    /// Of these sites, of which the agent's is none.
    #[must_use]
    pub fn elsewhere(name: String, sites: Vec<String>, here: String) -> Self {
        Self {
            name,
            roles: Vec::new(),
            held: Held::Elsewhere { sites, here },
        }
    }

    /// The credential, where it is for this site.
    #[must_use]
    pub fn held(&self) -> Option<&Arc<Credential>> {
        match &self.held {
            Held::Here(credential) => Some(credential),
            Held::Elsewhere { .. } => None,
        }
    }

    /// The credential for every address of a prefix, whose elements have that role.
    ///
    /// # Errors
    /// [`OutOfScope`] for the first bound they lie beyond.
    pub fn opens(&self, prefix: IpNet, role: Option<Role>) -> Result<&Arc<Credential>, OutOfScope> {
        let name = || self.name.clone();
        let credential = match &self.held {
            Held::Here(credential) => credential,
            Held::Elsewhere { sites, here } => {
                return Err(OutOfScope::Site {
                    name: name(),
                    sites: sites.join(", "),
                    here: here.clone(),
                });
            }
        };
        if !credential.covers_all(prefix) {
            return Err(OutOfScope::Ranges(name()));
        }
        match role {
            _ if self.roles.is_empty() => Ok(credential),
            Some(role) if self.roles.contains(&role) => Ok(credential),
            Some(_) => Err(OutOfScope::Roles(name())),
            None => Err(OutOfScope::NoRole(name())),
        }
    }
}

/// Never more than what it is called.
impl fmt::Debug for Scoped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scoped({:?}, ..)", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::community_within;

    #[test]
    fn it_opens_whom_it_is_for_and_nobody_else() {
        let scoped = Scoped::new(
            "a".to_owned(),
            community_within("hunter2", "192.0.2.0/24"),
            vec![Role::Core, Role::Ran],
        );
        for (prefix, role, expected) in [
            ("192.0.2.1/32", Some(Role::Core), None),
            ("192.0.2.128/25", Some(Role::Ran), None),
            (
                "192.0.2.1/32",
                Some(Role::Access),
                Some("has none of the roles of credential \"a\""),
            ),
            (
                "192.0.2.1/32",
                None,
                Some("names no role, and credential \"a\" is for some roles only"),
            ),
            (
                "192.0.3.1/32",
                Some(Role::Core),
                Some("lies outside the ranges of credential \"a\""),
            ),
            (
                "192.0.0.0/16",
                Some(Role::Core),
                Some("lies outside the ranges of credential \"a\""),
            ),
        ] {
            let refused = scoped.opens(prefix.parse().unwrap(), role).err();
            assert_eq!(
                refused.map(|why| why.to_string()).as_deref(),
                expected,
                "{prefix} {role:?}"
            );
        }
        assert!(!format!("{scoped:?}").contains("hunter2"));
    }

    #[test]
    fn one_of_other_sites_opens_nobody() {
        let sites = vec!["berlin".to_owned(), "hamburg".to_owned()];
        let scoped = Scoped::elsewhere("a".to_owned(), sites, "munich".to_owned());
        let refused = scoped.opens("192.0.2.1/32".parse().unwrap(), Some(Role::Core));
        assert_eq!(
            refused.unwrap_err().to_string(),
            "cannot be asked with credential \"a\", which is for berlin, hamburg: this agent is of site munich"
        );
        assert!(scoped.held().is_none());
    }
}
