//! Where a secret lives, as the configuration may say it: a reference, never a value.
//!
//! Invariant: a value written where a reference belongs is refused and not repeated.

use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
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
}

/// Why a secret cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("{path}: cannot be read")]
    Unreadable {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// There is no such variable.
    #[error("the environment has no {0}")]
    Unset(String),
    /// systemd made no folder for this service.
    #[error("there is no CREDENTIALS_DIRECTORY: not started by systemd with LoadCredential")]
    NoSystemd,
    /// It is empty.
    #[error("{0} holds an empty secret")]
    Empty(String),
}

impl SecretSource {
    /// Reads the secret: the first line of a file, or the whole variable.
    ///
    /// # Errors
    /// [`SecretError`] when it cannot be read, or is empty.
    pub fn read(&self) -> Result<SecretString, SecretError> {
        let text = match self {
            Self::File(path) => first_line(path)?,
            Self::Environment(name) => {
                let value = std::env::var(name);
                Zeroizing::new(value.map_err(|_| SecretError::Unset(name.clone()))?)
            }
            Self::Systemd(name) => {
                let folder = std::env::var_os("CREDENTIALS_DIRECTORY").ok_or(SecretError::NoSystemd)?;
                first_line(&Path::new(&folder).join(name))?
            }
        };
        match text.is_empty() {
            true => Err(SecretError::Empty(self.to_string())),
            false => Ok(SecretString::from(text.as_str())),
        }
    }

    /// Counts a relative path from this folder.
    pub fn within(&mut self, folder: &Path) {
        if let Self::File(path) = self {
            *path = folder.join(&*path);
        }
    }
}

fn first_line(path: &Path) -> Result<Zeroizing<String>, SecretError> {
    let text = std::fs::read_to_string(path).map_err(|source| SecretError::Unreadable {
        path: path.display().to_string(),
        source,
    })?;
    let text = Zeroizing::new(text);
    Ok(Zeroizing::new(text.lines().next().unwrap_or_default().to_owned()))
}

/// What it is called in messages.
impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Environment(name) | Self::Systemd(name) => f.write_str(name),
        }
    }
}

const REFERENCE: &str = r#"is never written here; say { file = "…" }, { env = "…" } or { systemd = "…" }"#;

impl<'de> Deserialize<'de> for SecretSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // serde's own messages would quote what stands there.
        let wrong = || serde::de::Error::custom(REFERENCE);
        let table = BTreeMap::<String, String>::deserialize(deserializer).map_err(|_| wrong())?;
        let mut entries = table.into_iter();
        match (entries.next(), entries.next()) {
            (Some((kind, name)), None) if !name.is_empty() => match kind.as_str() {
                "file" => Ok(Self::File(name.into())),
                "env" => Ok(Self::Environment(name)),
                "systemd" if !name.contains('/') => Ok(Self::Systemd(name)),
                _ => Err(wrong()),
            },
            _ => Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret as _;

    #[derive(Debug, Deserialize)]
    struct Holder {
        secret: SecretSource,
    }

    #[test]
    fn references_are_read_and_values_refused_without_repeating_them() {
        for (text, expected) in [
            ("{ file = '/a' }", SecretSource::File("/a".into())),
            ("{ env = 'A' }", SecretSource::Environment("A".into())),
            ("{ systemd = 'a' }", SecretSource::Systemd("a".into())),
        ] {
            let read: Holder = toml::from_str(&format!("secret = {text}")).unwrap();
            assert_eq!(read.secret, expected);
        }
        for text in [
            "'hunter2'",
            "22222",
            "['hunter2']",
            "{ value = 'hunter2' }",
            "{ systemd = '../hunter2' }",
            "{ file = 22222 }",
            "{ file = 'a', env = 'hunter2' }",
        ] {
            let error = toml::from_str::<Holder>(&format!("secret = {text}")).unwrap_err();
            assert!(error.message().contains("never written here"), "{text}: {error}");
            assert!(!error.message().contains("2222") && !error.message().contains("hunter2"));
        }
    }

    #[test]
    fn the_first_line_of_a_file_counts_and_none_is_no_secret() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, "hunter2\nsecond line\n").unwrap();
        let mut source = SecretSource::File("secret".into());
        source.within(folder.path());
        assert_eq!(source.read().unwrap().expose_secret(), "hunter2");
        std::fs::write(&path, "\n").unwrap();
        assert!(matches!(source.read(), Err(SecretError::Empty(_))));
        assert!(SecretSource::Environment("MARQUE_NO_SUCH".into()).read().is_err());
    }
}
