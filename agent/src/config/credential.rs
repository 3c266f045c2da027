//! `[[credential]]`: what opens elements, and which ones.
//!
//! Invariants: every secret is a reference; no message repeats what was written
//! where a secret might have been; a credential without ranges and roles is for
//! every target that names it.

use crate::credential::user::{Password, User};
use crate::credential::{Credential, CredentialError, SecretSource};
use crate::poll::wire::Version;
use crate::target::Target;
use async_snmp::{AuthProtocol, PrivProtocol};
use ipnet::IpNet;
use serde::{Deserialize, Deserializer};
use std::fmt;
use std::ops::Range;
use std::str::FromStr;
use std::sync::Arc;
use toml::Spanned;

/// One credential as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CredentialConfig {
    pub(super) name: Spanned<String>,
    #[serde(default)]
    version: SnmpVersion,
    community: Option<Spanned<SecretSource>>,
    user: Option<Spanned<String>>,
    auth: Option<Spanned<Protection<AuthProtocol>>>,
    #[serde(rename = "priv")]
    privacy: Option<Spanned<Protection<PrivProtocol>>>,
    context: Option<Spanned<String>>,
    #[serde(default, deserialize_with = "ranges")]
    ranges: Vec<IpNet>,
    #[serde(default)]
    roles: Vec<Role>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
enum SnmpVersion {
    #[serde(rename = "1")]
    V1,
    #[default]
    #[serde(rename = "2c")]
    V2c,
    #[serde(rename = "3")]
    V3,
}

/// `{ protocol = "…", password = { … } }`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, bound = "P: Named")]
struct Protection<P> {
    #[serde(deserialize_with = "protocol")]
    protocol: P,
    password: SecretSource,
}

/// What an element is for, as the operator's list of elements says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Role {
    Core,
    Ran,
    Transport,
    Access,
    Management,
    Cpe,
    Video,
    Other,
}

/// A credential that was read, and whom it is for.
pub(super) struct Opened {
    pub(super) credential: Arc<Credential>,
    roles: Vec<Role>,
    name: String,
}

impl Opened {
    /// The credential, if it is not for some roles only.
    pub(super) fn for_every_role(self) -> Option<Arc<Credential>> {
        self.roles.is_empty().then_some(self.credential)
    }

    /// Why the target must not be asked with it, if so.
    pub(super) fn refuses(&self, target: Target, role: Option<Role>) -> Option<String> {
        let name = &self.name;
        if !self.credential.covers(target.address().ip()) {
            return Some(format!("{target} is outside the ranges of credential {name:?}"));
        }
        let fits = self.roles.is_empty() || role.is_some_and(|role| self.roles.contains(&role));
        (!fits).then(|| format!("{target} has none of the roles of credential {name:?}"))
    }
}

/// What is wrong, and where in the file.
pub(super) type Fault = (Range<usize>, String);

impl CredentialConfig {
    /// Reads the secrets; paths are those of `beside`.
    pub(super) fn open(&self, beside: impl Fn(&SecretSource) -> SecretSource) -> Result<Opened, Fault> {
        let credential = match self.version {
            SnmpVersion::V1 => self.community(Version::V1, beside)?,
            SnmpVersion::V2c => self.community(Version::V2c, beside)?,
            SnmpVersion::V3 => self.user(beside)?,
        };
        Ok(Opened {
            credential: Arc::new(credential.within(self.ranges.clone())),
            roles: self.roles.clone(),
            name: self.name.as_ref().clone(),
        })
    }

    fn community(
        &self,
        version: Version,
        beside: impl Fn(&SecretSource) -> SecretSource,
    ) -> Result<Credential, Fault> {
        let misplaced = [
            self.user.as_ref().map(Spanned::span),
            self.auth.as_ref().map(Spanned::span),
            self.privacy.as_ref().map(Spanned::span),
            self.context.as_ref().map(Spanned::span),
        ];
        if let Some(span) = misplaced.into_iter().flatten().next() {
            return Err((span, "needs version = \"3\"".to_owned()));
        }
        let written = self.community.as_ref().ok_or_else(|| {
            let message = "names no community; version 3 has a user instead".to_owned();
            (self.name.span(), message)
        })?;
        let source = beside(written.as_ref());
        let fault = |error| (written.span(), with_cause(&error));
        let secret = source.read().map_err(fault)?;
        Credential::community(version, secret, &source.to_string()).map_err(fault)
    }

    fn user(&self, beside: impl Fn(&SecretSource) -> SecretSource) -> Result<Credential, Fault> {
        if let Some(community) = &self.community {
            return Err((community.span(), "is for versions 1 and 2c".to_owned()));
        }
        let name = self
            .user
            .as_ref()
            .ok_or_else(|| (self.name.span(), "names no user".to_owned()))?;
        let auth = self
            .auth
            .as_ref()
            .map(|auth| password(auth, &beside))
            .transpose()?;
        let privacy = self
            .privacy
            .as_ref()
            .map(|privacy| password(privacy, &beside))
            .transpose()?;
        let context = self.context.as_ref().map_or("", |context| context.as_ref());
        let user = User::new(name.as_ref(), auth.as_ref(), privacy.as_ref(), context);
        user.map(Credential::user).map_err(|error| {
            let place = match &error {
                CredentialError::ShortPassword(origin) => {
                    let short = self
                        .auth
                        .as_ref()
                        .filter(|_| auth.as_ref().is_some_and(|auth| auth.origin == *origin));
                    short
                        .map(Spanned::span)
                        .or(self.privacy.as_ref().map(Spanned::span))
                }
                CredentialError::PrivacyAlone => self.privacy.as_ref().map(Spanned::span),
                CredentialError::BadContext => self.context.as_ref().map(Spanned::span),
                _ => None,
            };
            (place.unwrap_or(name.span()), with_cause(&error))
        })
    }
}

fn password<P: Copy>(
    written: &Spanned<Protection<P>>,
    beside: impl Fn(&SecretSource) -> SecretSource,
) -> Result<Password<P>, Fault> {
    let source = beside(&written.as_ref().password);
    Ok(Password {
        protocol: written.as_ref().protocol,
        secret: source
            .read()
            .map_err(|error| (written.span(), with_cause(&error)))?,
        origin: source.to_string(),
    })
}

fn with_cause(error: &CredentialError) -> String {
    match error {
        CredentialError::Unreadable { source, .. } => format!("{error}: {source}"),
        _ => error.to_string(),
    }
}

/// Algorithms by the names people write.
pub(crate) trait Named: FromStr {
    /// All of them.
    const NAMES: &'static str;
}

impl Named for AuthProtocol {
    const NAMES: &'static str = "md5, sha1, sha224, sha256, sha384 or sha512";
}

impl Named for PrivProtocol {
    const NAMES: &'static str = "des, 3des, aes128, aes192-blumenthal, aes192-reeder, aes256-blumenthal or \
                                 aes256-reeder";
}

/// The algorithm of this name; the message does not repeat what was written.
pub(crate) fn named<P: Named>(text: &str) -> Result<P, String> {
    text.parse().map_err(|_| format!("must be {}", P::NAMES))
}

fn protocol<'de, P: Named, D: Deserializer<'de>>(deserializer: D) -> Result<P, D::Error> {
    named(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
}

fn ranges<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    let written = Vec::<String>::deserialize(deserializer)?;
    let wrong = |_| serde::de::Error::custom("must be ranges such as 192.0.2.0/24 or 2001:db8::/32");
    written
        .iter()
        .map(|text| text.parse::<IpNet>().map_err(wrong))
        .collect()
}

/// Never more than whom it is for.
impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opened({:?}, ..)", self.name)
    }
}

#[cfg(test)]
mod tests;
