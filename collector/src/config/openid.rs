//! `[openid]`: another party that says who people are, and what its groups may here.

use super::secret::SecretSource;
use super::{Fault, Step};
use model::{AccessRole, SiteName};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use url::{Host, Url};

/// `[openid]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenIdConfig {
    /// Who vouches, exactly as it calls itself; its configuration is found below this address.
    pub issuer: String,
    /// What we are called there.
    pub client_id: String,
    /// Where what proves that it is us lives.
    pub client_secret: SecretSource,
    /// What is asked for.
    #[serde(default = "scopes")]
    pub scopes: Vec<String>,
    /// The claim that names a person: its key, or the keys that lead to it.
    #[serde(default = "name")]
    pub name: Vec<String>,
    /// The claim that lists a person's groups: its key, or the keys that lead to it.
    #[serde(default = "groups")]
    pub groups: Vec<String>,
    /// PEM: the authorities its certificate may come from, in place of the system's.
    pub ca: Option<PathBuf>,
    /// Our address for its answer, where a proxy has another than ours.
    pub redirect: Option<String>,
    /// Words of the button.
    #[serde(default = "button")]
    pub button: String,
    /// Which group may what; whoever is in none is not let in.
    #[serde(default)]
    pub role: Vec<GroupRole>,
}

/// `[[openid.role]]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupRole {
    /// What the other party calls the group.
    pub group: String,
    /// What it may here.
    pub role: AccessRole,
    /// Where; without it everywhere.
    pub sites: Option<BTreeSet<SiteName>>,
}

fn scopes() -> Vec<String> {
    vec!["openid".to_owned(), "profile".to_owned()]
}

fn name() -> Vec<String> {
    vec!["preferred_username".to_owned()]
}

fn groups() -> Vec<String> {
    vec!["groups".to_owned()]
}

fn button() -> String {
    "Sign in with OpenID".to_owned()
}

/// An address that may be asked: by TLS, or on this machine.
///
/// # Errors
/// What is wrong with it.
pub fn address(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| "is no address")?;
    let here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => IpAddr::from(ip).to_canonical().is_loopback(),
        None => return Err("is no address"),
    };
    match url.scheme() {
        _ if !url.username().is_empty() || url.password().is_some() => Err("names somebody before the host"),
        _ if url.fragment().is_some() => Err("has a part after #"),
        "https" => Ok(url),
        "http" if here => Ok(url),
        _ => Err("is not https"),
    }
}

impl OpenIdConfig {
    /// Counts relative paths from this folder.
    pub(super) fn count_from(&mut self, folder: &Path) {
        self.client_secret.count_from(folder);
        if let Some(ca) = &mut self.ca {
            *ca = folder.join(&*ca);
        }
    }

    /// A value that cannot be meant; `sites` are those that are declared.
    pub(super) fn check(&self, sites: &BTreeSet<&SiteName>) -> Result<(), Fault> {
        use Step::{Index, Key};
        let fault = |key, words: String| Err(Fault::new(&[Key("openid"), Key(key)], words));
        match address(&self.issuer) {
            Err(words) => return fault("issuer", words.to_owned()),
            Ok(url) if url.query().is_some() => return fault("issuer", "has a part after ?".to_owned()),
            Ok(_) => {}
        }
        if let Some(Err(words)) = self.redirect.as_deref().map(address) {
            return fault("redirect", words.to_owned());
        }
        if self.client_id.is_empty() {
            return fault("client_id", "is empty".to_owned());
        }
        if !self.scopes.iter().any(|scope| scope == "openid") {
            return fault("scopes", "lack openid".to_owned());
        }
        for (key, path) in [("name", &self.name), ("groups", &self.groups)] {
            if path.is_empty() {
                return fault(key, "names no claim".to_owned());
            }
        }
        if self.role.is_empty() {
            return fault(
                "role",
                "without any, nobody is let in: say which group may what".to_owned(),
            );
        }
        for (number, row) in self.role.iter().enumerate() {
            let at = |key| [Key("openid"), Key("role"), Index(number), Key(key)];
            if row.group.is_empty() {
                return Err(Fault::new(&at("group"), "is empty"));
            }
            match &row.sites {
                Some(named) if named.is_empty() => {
                    return Err(Fault::new(
                        &at("sites"),
                        "without any, nobody sees anything; leave it out for all",
                    ));
                }
                Some(named) => {
                    if let Some(stray) = named.iter().find(|name| !sites.contains(name)) {
                        let words = format!("no [[site]] is named {stray}");
                        return Err(Fault::new(&at("sites"), words));
                    }
                }
                None => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn only_tls_or_this_machine() {
        for good in [
            "https://id.example.net/realms/noc",
            "http://localhost:9400",
            "http://127.0.0.1:9400/a",
            "http://[::1]/",
        ] {
            assert!(address(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "id.example.net",
            "http://id.example.net",
            "http://localhost.example.net",
            "ftp://localhost",
            "https://ada@id.example.net",
            "https://id.example.net/#a",
            "javascript:alert(1)",
        ] {
            assert!(address(bad).is_err(), "{bad}");
        }
    }
}
