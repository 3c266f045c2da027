//! Where a secret lives, as the configuration may say it: a reference, never a value.
//!
//! Invariants: a value written where a reference belongs is refused and not repeated; nothing is kept here:
//! whoever uses a secret reads it, and says whether a new one needs a restart.

use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;
use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

/// Octets of a file that are read: a key with its chain has room.
const MOST: usize = 64 * 1024;

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

/// Why a secret cannot be had. Names where it should be, and nothing of what is there.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("the secret in {path} cannot be read")]
    Unreadable {
        /// Which.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The environment has no such variable.
    #[error("the environment variable {0} is not set or is no text")]
    Unset(String),
    /// Started without systemd's folder of credentials.
    #[error("there is no folder of systemd credentials; is LoadCredential= set?")]
    NoSystemd,
    /// There is nothing in it.
    #[error("the secret in {0} is empty")]
    Empty(String),
}

impl SecretSource {
    /// The first line of a file, or the whole variable.
    ///
    /// # Errors
    /// [`SecretError`] when it cannot be read, or is empty.
    pub fn read(&self) -> Result<SecretString, SecretError> {
        let value = match self {
            Self::File(path) => first_line(path)?,
            Self::Environment(name) => {
                Zeroizing::new(std::env::var(name).map_err(|_| SecretError::Unset(name.clone()))?)
            }
            Self::Systemd(name) => {
                let folder = std::env::var_os("CREDENTIALS_DIRECTORY").ok_or(SecretError::NoSystemd)?;
                first_line(&Path::new(&folder).join(name))?
            }
        };
        match value.is_empty() {
            true => Err(SecretError::Empty(self.to_string())),
            false => Ok(SecretString::from(value.as_str())),
        }
    }

    /// A relative file counts from this folder.
    pub(super) fn count_from(&mut self, folder: &Path) {
        if let Self::File(path) = self {
            *path = folder.join(&*path);
        }
    }
}

fn first_line(path: &Path) -> Result<Zeroizing<String>, SecretError> {
    let text = beginning(path).map_err(|source| SecretError::Unreadable {
        path: path.display().to_string(),
        source,
    })?;
    Ok(Zeroizing::new(text.lines().next().unwrap_or_default().to_owned()))
}

/// What a file begins with. Nothing but a file: a pipe may never end, or never begin.
fn beginning(path: &Path) -> std::io::Result<Zeroizing<String>> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(std::io::Error::new(
            ErrorKind::InvalidInput,
            "it is no regular file",
        ));
    }
    // Room for all of it at once: what grows leaves copies behind.
    let mut text = Zeroizing::new(String::with_capacity(MOST + 1));
    File::open(path)?.take(MOST as u64).read_to_string(&mut text)?;
    Ok(text)
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
        if name.is_empty() || map.next_key::<IgnoredAny>()?.is_some() {
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
    use std::io::Write as _;

    #[derive(Debug, Deserialize)]
    struct Holder {
        key: SecretSource,
    }

    #[test]
    fn a_value_is_refused_and_not_repeated() {
        for text in [
            "'hunter2'",
            "22222",
            "2.2222",
            "true",
            "['hunter2']",
            "{ value = 'hunter2' }",
            "{ systemd = '../hunter2' }",
            "{ file = 22222 }",
            "{ file = 'a', env = 'hunter2' }",
        ] {
            let error = toml::from_str::<Holder>(&format!("key = {text}")).unwrap_err();
            assert!(error.message().contains("never written here"), "{text}: {error}");
            assert!(!error.message().contains("2222") && !error.message().contains("hunter2"));
        }
    }

    #[test]
    fn the_first_line_of_a_file_counts_and_an_empty_one_is_none() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("key"), "hunter2\nsecond line\n").unwrap();
        std::fs::write(folder.path().join("empty"), "\n").unwrap();
        let mut source: Holder = toml::from_str("key = { file = 'key' }").unwrap();
        source.key.count_from(folder.path());
        assert_eq!(source.key.read().unwrap().expose_secret(), "hunter2");
        let empty = SecretSource::File(folder.path().join("empty"));
        assert!(matches!(empty.read(), Err(SecretError::Empty(_))));
        let mut long = File::create(folder.path().join("long")).unwrap();
        long.write_all(&vec![b'x'; 2 * MOST]).unwrap();
        let long = SecretSource::File(folder.path().join("long"));
        assert_eq!(long.read().unwrap().expose_secret().len(), MOST);
        for no_file in [folder.path(), Path::new("/dev/zero")] {
            let read = SecretSource::File(no_file.to_owned()).read();
            assert!(matches!(read, Err(SecretError::Unreadable { .. })));
        }
        let unset = SecretSource::Environment("MARQUE_TEST_NOT_SET".to_owned());
        assert!(matches!(unset.read(), Err(SecretError::Unset(_))));
    }
}
