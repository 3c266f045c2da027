//! A damaged file is put beside, and a new spool takes its place.
//!
//! Invariant: at any stop one of the two is there.

use crate::file::File;
use crate::{SpoolError, named};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Gives the damaged file a second name and puts a new spool in its place, which
/// begins with a gap; at any stop one of the two is there.
pub fn replace(path: &Path, lost: Option<u64>, now: SystemTime) -> Result<PathBuf, SpoolError> {
    let unusable = |source| SpoolError::Unusable {
        path: path.to_owned(),
        source,
    };
    let new = named(path, "new");
    match std::fs::remove_file(&new) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(unusable(error)),
        _ => {}
    }
    drop(File::open(&new, Some((lost.unwrap_or(0), now)))?);
    for number in 1.. {
        let aside = named(path, &format!("damaged-{number}"));
        match std::fs::hard_link(path, &aside) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(unusable(error)),
            Ok(()) => {
                std::fs::rename(&new, path).map_err(unusable)?;
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
                let folder = std::fs::File::open(folder.unwrap_or(Path::new("."))).map_err(unusable)?;
                folder.sync_all().map_err(unusable)?;
                return Ok(aside);
            }
        }
    }
    Err(unusable(std::io::ErrorKind::AlreadyExists.into()))
}
