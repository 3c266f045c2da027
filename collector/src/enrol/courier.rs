//! The keys that open what agents send by courier.
//!
//! Two files in the authority's folder: agents learn the key of `courier.pem`;
//! `courier.old.pem` still opens exports made before the last change. Invariant:
//! both are written with mode 0600 and never printed.

use super::EnrolError;
use super::authority::{read, save};
use super::rotation::path;
use proto::courier::CourierKey;
use std::path::Path;

const CURRENT: &str = "courier.pem";
const OLD: &str = "courier.old.pem";

/// What opens exports.
pub(super) struct Keys {
    pub(super) current: CourierKey,
    old: Option<CourierKey>,
}

impl Keys {
    /// Reads the keys of a folder; the current one is made if absent.
    pub(super) fn open(folder: &Path) -> Result<Self, EnrolError> {
        if !path(folder, CURRENT).exists() {
            save(&path(folder, CURRENT), &CourierKey::generate().pem())?;
        }
        Ok(Self {
            current: key(folder, CURRENT)?,
            old: match path(folder, OLD).exists() {
                true => Some(key(folder, OLD)?),
                false => None,
            },
        })
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &CourierKey> {
        std::iter::once(&self.current).chain(&self.old)
    }
}

/// Puts a fresh key in place of the current one, which becomes the old one; the one before that
/// opens nothing any more. Returns the fresh one's public half.
///
/// # Errors
/// [`EnrolError`] naming the file.
pub fn rotate_courier_key(folder: &Path) -> Result<[u8; 32], EnrolError> {
    let keys = Keys::open(folder)?;
    // Copied first: at any stop the key that agents have is one of the two.
    save(&path(folder, OLD), &keys.current.pem())?;
    let fresh = CourierKey::generate();
    save(&path(folder, CURRENT), &fresh.pem())?;
    Ok(fresh.public)
}

fn key(folder: &Path, name: &str) -> Result<CourierKey, EnrolError> {
    let path = path(folder, name);
    CourierKey::from_pem(&read(&path)?).map_err(|source| EnrolError::Courier {
        path: path.display().to_string(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn keys_outlive_the_process_and_one_change() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let open = || {
            Keys::open(folder)
                .unwrap()
                .all()
                .map(|key| key.public)
                .collect::<Vec<_>>()
        };
        let first = open();
        assert_eq!(first.len(), 1);
        assert_eq!(open(), first);
        let second = rotate_courier_key(folder).unwrap();
        assert_eq!(open(), [second, first[0]]);
        let third = rotate_courier_key(folder).unwrap();
        assert_eq!(open(), [third, second]);
        for name in [CURRENT, OLD] {
            let mode = std::fs::metadata(folder.join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
        std::fs::write(folder.join(OLD), "damaged").unwrap();
        let error = Keys::open(folder).err().unwrap();
        assert!(error.to_string().contains(OLD), "{error}");
    }
}
