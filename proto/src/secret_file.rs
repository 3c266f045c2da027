//! A file only its owner may read, replaced whole or not at all.
//!
//! Invariants: mode 0600 from its first byte; a reader sees the old content or
//! the new; what was saved survives a power cut.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// A file being made beside the one it will replace; dropped unsaved, it is removed.
#[derive(Debug)]
pub struct SecretFile {
    file: File,
    fresh: PathBuf,
    path: PathBuf,
}

/// Whether a file with a secret is there and others than its owner may read it.
#[must_use]
pub fn is_exposed(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o077 != 0)
}

impl SecretFile {
    /// Makes sure that the folder can be written before anything depends on it.
    ///
    /// # Errors
    /// What the system says.
    pub fn create(path: &Path) -> io::Result<Self> {
        let mut name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
        name.push(".new");
        let fresh = path.with_file_name(name);
        // One left by a process that was killed may be readable by others.
        match std::fs::remove_file(&fresh) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&fresh)?;
        Ok(Self {
            file,
            fresh,
            path: path.to_owned(),
        })
    }

    /// Puts the content in place.
    ///
    /// # Errors
    /// What the system says; the old file is untouched then.
    pub fn save(mut self, content: impl AsRef<[u8]>) -> io::Result<()> {
        self.write_all(content.as_ref())?;
        self.finish()
    }

    /// Puts what was written in place.
    ///
    /// # Errors
    /// As of [`Self::save`].
    pub fn finish(self) -> io::Result<()> {
        self.file.sync_all()?;
        std::fs::rename(&self.fresh, &self.path)?;
        let folder = self.path.parent().filter(|folder| *folder != Path::new(""));
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    }
}

/// For what does not fit memory; nothing is in place before [`SecretFile::finish`].
impl io::Write for SecretFile {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.file.write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for SecretFile {
    fn drop(&mut self) {
        // Gone already when it was saved.
        let _ = std::fs::remove_file(&self.fresh);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_private_whole_and_leaves_nothing_beside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.pem");
        std::fs::write(folder.path().join("a.pem.new"), "stale").unwrap();
        SecretFile::create(&path).unwrap().save("one").unwrap();
        drop(SecretFile::create(&path).unwrap());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one");
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(SecretFile::create(&folder.path().join("absent/a.pem")).is_err());
    }
}
