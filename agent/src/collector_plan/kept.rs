//! A file that must be what was written: whole, and noticed when it is not.
//!
//! Invariants: a reader sees the old content or the new; what was saved survives
//! a power cut; damage is told apart from absence, and what is damaged is kept
//! beside for a person to look at.

use proto::secret_file::SecretFile;
use sha2::{Digest as _, Sha256};
use std::io;
use std::path::{Path, PathBuf};

/// First line of such a file; SHA-256 of the rest follows, then the rest.
const MAGIC: &[u8] = b"marque kept 1\n";
const DIGEST: usize = 32;
/// Larger than anything kept here.
const MAX_BYTES: u64 = 2 * proto::MAX_MESSAGE_BYTES as u64;

/// Why nothing can be read.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    /// Not what was written; it was set aside there.
    #[error("damaged, set aside as {0}")]
    Damaged(PathBuf),
    /// The system does not let us.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Writes content in place of what was there.
///
/// # Errors
/// What the system says; the old content is untouched then.
pub fn save(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut all = Vec::with_capacity(MAGIC.len() + DIGEST + content.len());
    all.extend_from_slice(MAGIC);
    all.extend_from_slice(&Sha256::digest(content));
    all.extend_from_slice(content);
    SecretFile::create(path)?.save(all)
}

/// Reads content; [`None`] when nothing was ever saved.
///
/// # Errors
/// [`KeptError`] when it is damaged or cannot be read.
pub fn load(path: &Path) -> Result<Option<Vec<u8>>, KeptError> {
    let size = match std::fs::metadata(path) {
        Ok(about) => about.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if size <= MAX_BYTES {
        let all = std::fs::read(path)?;
        let content = all
            .strip_prefix(MAGIC)
            .and_then(|rest| rest.split_at_checked(DIGEST))
            .filter(|(digest, content)| Sha256::digest(content).as_slice() == *digest);
        if let Some((_, content)) = content {
            return Ok(Some(content.to_vec()));
        }
    }
    Err(KeptError::Damaged(set_aside(path)?))
}

/// Moves a file out of the way, over one that was moved before.
///
/// # Errors
/// What the system says.
pub fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let aside = path.with_added_extension("damaged");
    std::fs::rename(path, &aside)?;
    Ok(aside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_saved_comes_back_and_any_flipped_byte_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan");
        assert_eq!(load(&path).unwrap(), None);
        for content in [&b"first"[..], b"", b"second"] {
            save(&path, content).unwrap();
            assert_eq!(load(&path).unwrap().as_deref(), Some(content));
        }
        let good = std::fs::read(&path).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            std::fs::write(&path, &bad).unwrap();
            let Err(KeptError::Damaged(aside)) = load(&path) else {
                panic!("byte {at} was flipped");
            };
            assert_eq!(std::fs::read(aside).unwrap(), bad);
            assert_eq!(load(&path).unwrap(), None, "it is out of the way");
        }
        for length in 0..good.len() {
            std::fs::write(&path, &good[..length]).unwrap();
            assert!(
                matches!(load(&path), Err(KeptError::Damaged(_))),
                "cut to {length}"
            );
        }
    }
}
