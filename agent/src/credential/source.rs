//! Where a secret lives, as the configuration may say it: a reference, never a value.
//!
//! Invariant: a value written where a reference belongs is refused and not repeated.

use super::CredentialError;
use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;
use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;
use std::path::{Path, PathBuf};

/// Where the value of a secret lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// First line of a file.
    File(PathBuf),
    /// An environment variable.
    Environment(String),
    /// A file of that name in the folder systemd made for this service (LoadCredential).
    Systemd(String),
    /// The next line of standard input; of commands, never of a configuration.
    StandardInput,
}

impl SecretSource {
    /// Reads the secret: the first line of a file, or the whole variable.
    ///
    /// # Errors
    /// [`CredentialError`] when it cannot be read.
    pub fn read(&self) -> Result<SecretString, CredentialError> {
        match self {
            Self::File(path) => first_line(path),
            Self::Environment(name) => {
                let value = std::env::var(name).map_err(|_| CredentialError::Unset(name.clone()))?;
                Ok(SecretString::from(value))
            }
            Self::Systemd(name) => {
                let folder = std::env::var_os("CREDENTIALS_DIRECTORY").ok_or(CredentialError::NoSystemd)?;
                first_line(&Path::new(&folder).join(name))
            }
            Self::StandardInput => {
                let mut line = Zeroizing::new(String::new());
                std::io::stdin()
                    .read_line(&mut line)
                    .map_err(|source| CredentialError::Unreadable {
                        path: self.to_string().into(),
                        source,
                    })?;
                Ok(SecretString::from(line.trim_end_matches(['\n', '\r'])))
            }
        }
    }
}

fn first_line(path: &Path) -> Result<SecretString, CredentialError> {
    let text = std::fs::read_to_string(path).map_err(|source| CredentialError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    let text = Zeroizing::new(text);
    Ok(SecretString::from(text.lines().next().unwrap_or_default()))
}

/// What it is called in messages.
impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Environment(name) | Self::Systemd(name) => f.write_str(name),
            Self::StandardInput => f.write_str("standard input"),
        }
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
    use secrecy::ExposeSecret as _;

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
    fn the_first_line_of_a_file_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("community");
        std::fs::write(&path, "hunter2\nsecond line\n").unwrap();
        let read = SecretSource::File(path.clone()).read().unwrap();
        assert_eq!(read.expose_secret(), "hunter2");
        assert_eq!(
            SecretSource::File(path.clone()).to_string(),
            path.display().to_string()
        );
        assert!(SecretSource::Systemd("a".to_owned()).read().is_err());
    }
}
