//! Communities: named in the configuration, read where they live, never printed.
//!
//! Invariants: the configuration refers to a secret and cannot contain one; no
//! `Debug`, `Display` or error of this module shows any part of a secret.

use secrecy::{ExposeSecret as _, SecretString};
use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;
use std::path::{Path, PathBuf};

/// More than any community seen; a longer file is something else.
const MAX_COMMUNITY_BYTES: usize = 255;

/// Where the value of a secret lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// First line of a file.
    File(PathBuf),
    /// An environment variable.
    Environment(String),
    /// A file of that name in the folder systemd made for this service (LoadCredential).
    Systemd(String),
}

/// Why a secret could not be read.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// The file cannot be read.
    #[error("cannot read {path}")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The environment has no such variable.
    #[error("environment variable {0} is not set or is no text")]
    Unset(String),
    /// Started without systemd's folder of credentials.
    #[error("there is no folder of systemd credentials; is LoadCredential= set?")]
    NoSystemd,
    /// Nothing in it, or far too much.
    #[error("{0} holds no community of 1 to 255 bytes")]
    NoCommunity(String),
}

/// What opens an SNMPv2c conversation (RFC 1901).
pub struct Credential {
    community: SecretString,
}

impl Credential {
    /// From the value itself, as given on a command line.
    ///
    /// # Errors
    /// [`CredentialError::NoCommunity`] when it is empty or too long.
    pub fn from_value(value: &str, origin: &str) -> Result<Self, CredentialError> {
        if value.is_empty() || value.len() > MAX_COMMUNITY_BYTES {
            return Err(CredentialError::NoCommunity(origin.to_owned()));
        }
        Ok(Self {
            community: SecretString::from(value),
        })
    }

    /// From the first line of a file.
    ///
    /// # Errors
    /// [`CredentialError`] when it cannot be read or holds none.
    pub fn from_file(path: &Path) -> Result<Self, CredentialError> {
        let text = std::fs::read_to_string(path).map_err(|source| CredentialError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        let line = text.lines().next().unwrap_or_default();
        Self::from_value(line, &path.display().to_string())
    }

    /// From where the configuration says it lives.
    ///
    /// # Errors
    /// [`CredentialError`] when it cannot be read or holds none.
    pub fn read(source: &SecretSource) -> Result<Self, CredentialError> {
        match source {
            SecretSource::File(path) => Self::from_file(path),
            SecretSource::Environment(name) => {
                let value = std::env::var(name).map_err(|_| CredentialError::Unset(name.clone()))?;
                Self::from_value(&value, name)
            }
            SecretSource::Systemd(name) => {
                let folder = std::env::var_os("CREDENTIALS_DIRECTORY").ok_or(CredentialError::NoSystemd)?;
                Self::from_file(&Path::new(&folder).join(name))
            }
        }
    }

    /// The octets that go into a message.
    pub(crate) fn community(&self) -> &[u8] {
        self.community.expose_secret().as_bytes()
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential(..)")
    }
}

impl<'de> Deserialize<'de> for SecretSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SourceVisitor)
    }
}

/// Refuses values by hand: serde's own messages would quote the secret.
struct SourceVisitor;

const REFERENCE: &str = r#"is never written here; say { file = "…" }, { env = "…" } or { systemd = "…" }"#;

impl<'de> Visitor<'de> for SourceVisitor {
    type Value = SecretSource;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a reference to a secret")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<SecretSource, A::Error> {
        let wrong = || A::Error::custom(REFERENCE);
        let kind: String = map.next_key()?.ok_or_else(wrong)?;
        let name: String = map.next_value().map_err(|_| wrong())?;
        if name.is_empty() || map.next_key::<String>()?.is_some() {
            return Err(wrong());
        }
        match kind.as_str() {
            "file" => Ok(SecretSource::File(name.into())),
            "env" => Ok(SecretSource::Environment(name)),
            "systemd" if !name.contains('/') => Ok(SecretSource::Systemd(name)),
            _ => Err(wrong()),
        }
    }

    fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<SecretSource, E> {
        Err(E::custom(REFERENCE))
    }

    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<SecretSource, E> {
        Err(E::custom(REFERENCE))
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<SecretSource, E> {
        Err(E::custom(REFERENCE))
    }

    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<SecretSource, E> {
        Err(E::custom(REFERENCE))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<SecretSource, A::Error> {
        Err(A::Error::custom(REFERENCE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Holder {
        community: SecretSource,
    }

    #[test]
    fn references_are_read() {
        for (text, expected) in [
            ("{ file = '/a' }", SecretSource::File("/a".into())),
            ("{ env = 'A' }", SecretSource::Environment("A".into())),
            ("{ systemd = 'a' }", SecretSource::Systemd("a".into())),
        ] {
            let read: Holder = toml::from_str(&format!("community = {text}")).unwrap();
            assert_eq!(read.community, expected);
        }
    }

    #[test]
    fn a_value_is_refused_and_not_repeated() {
        for text in [
            "'hunter2'",
            "22222",
            "2.2222",
            "['hunter2']",
            "{ value = 'hunter2' }",
            "{ systemd = '../hunter2' }",
            "{ file = 22222 }",
            "{ file = 'a', env = 'hunter2' }",
        ] {
            let error = toml::from_str::<Holder>(&format!("community = {text}")).unwrap_err();
            assert!(error.message().contains("never written here"), "{text}: {error}");
            assert!(!error.message().contains("2222") && !error.message().contains("hunter2"));
        }
    }

    #[test]
    fn a_secret_does_not_show() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("community");
        std::fs::write(&path, "hunter2\nsecond line\n").unwrap();
        let credential = Credential::from_file(&path).unwrap();
        assert_eq!(credential.community(), b"hunter2");
        assert!(!format!("{credential:?}").contains("hunter2"));
        std::fs::write(&path, "\nhunter2").unwrap();
        let error = Credential::from_file(&path).unwrap_err().to_string();
        assert!(error.contains("no community") && !error.contains("hunter2"));
    }
}
