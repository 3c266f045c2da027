//! The key of the next certificate, while its request is on its way by courier.
//!
//! Invariant: mode 0600; it never leaves this machine, and one key serves every
//! export until a receipt brings a certificate for it.

use super::CourierError;
use proto::secret_file::SecretFile;
use rcgen::KeyPair;
use std::io;
use std::path::{Path, PathBuf};

fn path(identity: &Path) -> PathBuf {
    identity.with_added_extension("next-key")
}

/// The key in PEM, if one is on its way.
pub(super) fn find(identity: &Path) -> Result<Option<String>, CourierError> {
    let path = path(identity);
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(CourierError::File(path, error)),
    }
}

/// A signing request in DER for the key on its way, which is made now if there is none.
pub(super) fn request(identity: &Path) -> Result<Vec<u8>, CourierError> {
    let found = find(identity)?.and_then(|text| KeyPair::from_pem(&text).ok());
    let key = match found {
        Some(key) => key,
        None => {
            let key = KeyPair::generate().map_err(crate::enrol::EnrolError::Key)?;
            let path = path(identity);
            SecretFile::create(&path)
                .and_then(|file| file.save(key.serialize_pem()))
                .map_err(|error| CourierError::File(path, error))?;
            key
        }
    };
    Ok(crate::enrol::signing_request(&key)?)
}

/// It has become the key of the identity.
pub(super) fn forget(identity: &Path) -> Result<(), CourierError> {
    let path = path(identity);
    std::fs::remove_file(&path).map_err(|error| CourierError::File(path, error))
}
