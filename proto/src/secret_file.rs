//! A file only its owner may read, replaced whole or not at all.
//!
//! Invariants: mode 0600 from its first byte; a reader sees the old content or
//! the new; what was saved survives a power cut; two that replace the same file at
//! once do not touch each other's. A process that is killed may leave its own
//! beside (`NAME.….new`), as private as the rest.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// A file being made beside the one it will replace; dropped unsaved, it is removed.
#[derive(Debug)]
pub struct SecretFile {
    file: NamedTempFile,
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
        let mut name: OsString = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
        name.push(".");
        let file = tempfile::Builder::new()
            .prefix(&name)
            .suffix(".new")
            .tempfile_in(folder(path))?;
        Ok(Self {
            file,
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
        self.file.as_file().sync_all()?;
        self.file.persist(&self.path)?;
        File::open(folder(&self.path))?.sync_all()
    }
}

fn folder(path: &Path) -> &Path {
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    folder.unwrap_or(Path::new("."))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_private_whole_and_leaves_nothing_beside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.pem");
        SecretFile::create(&path).unwrap().save("one").unwrap();
        drop(SecretFile::create(&path).unwrap());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one");
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(SecretFile::create(&folder.path().join("absent/a.pem")).is_err());
    }

    #[test]
    fn two_at_once_do_not_touch_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.pem");
        let first = SecretFile::create(&path).unwrap();
        let second = SecretFile::create(&path).unwrap();
        let third = SecretFile::create(&path).unwrap();
        first.save("one").unwrap();
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            "one",
            "and not what the others hold"
        );
        drop(third);
        second.save("two").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
