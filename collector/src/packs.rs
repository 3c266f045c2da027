//! The packs a configuration asks for: read, checked against keys and pins, then loaded whole.
//!
//! Invariant: where keys are configured, nothing of a folder is read as law before
//! every file of it has passed. A pin holds the file it names, and that file must be
//! there; it says nothing of others.

use crate::config::PolicyConfig;
use minisign_verify::{PublicKey, Signature};
use policy::policies::Text;
use policy::{PackError, Policies};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Largest signature file, in bytes; real ones have some three hundred.
const MAX_SIGNATURE_BYTES: u64 = 4096;

/// Largest pack, in bytes.
const MAX_PACK_BYTES: u64 = 16 << 20;

/// Why packs are not used.
#[derive(Debug, thiserror::Error)]
pub enum PacksError {
    /// They do not say what packs must say.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// The folder or a file of it cannot be read.
    #[error("{path}: cannot be read")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A key of `policy.trusted_keys` is none.
    #[error("policy.trusted_keys: {0:?} is no minisign public key")]
    Key(String),
    /// A signature is missing or cannot be read: put it beside the pack.
    #[error("{path}: no signature can be read")]
    Signature {
        /// Where it should be.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// No trusted key signed this text: it was changed, or signed by somebody else.
    #[error("{0}: not signed by a key of policy.trusted_keys")]
    Untrusted(PathBuf),
    /// The text is not the one that was pinned.
    #[error("{path}: has SHA-256 {found}, and policy.pins asks for another")]
    Pin {
        /// The pack.
        path: PathBuf,
        /// Its digest.
        found: String,
    },
    /// A pinned pack is not there.
    #[error("policy.pins: {0} is not in the folder")]
    Absent(String),
    /// Pins and keys are about a folder.
    #[error("policy.trusted_keys and policy.pins need policy.folder")]
    NoFolder,
}

/// How far the packs in use were checked before they were read as law.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Assured {
    /// Whether they come from a folder of the operator and not with the program.
    pub folder: bool,
    /// Whether a trusted key signed every one of them.
    pub signed: bool,
    /// File names of those held by a pin.
    pub pinned: BTreeSet<String>,
}

impl Assured {
    /// What opening by this configuration has seen to.
    #[must_use]
    pub fn of(config: &PolicyConfig) -> Self {
        Self {
            folder: config.folder.is_some(),
            signed: config.folder.is_some() && !config.trusted_keys.is_empty(),
            pinned: config.pins.keys().cloned().collect(),
        }
    }
}

/// Opens the packs: the built-in ones, or those of a folder once they have passed.
///
/// # Errors
/// [`PacksError`] naming what did not pass, or file, line and key of a mistake.
pub fn open(config: &PolicyConfig) -> Result<Policies, PacksError> {
    with_drafts(config, &[])
}

/// The same, each draft in place of the pack of its jurisdiction.
///
/// # Errors
/// [`PacksError`] naming what did not pass, or file, line and key of a mistake.
pub fn with_drafts(config: &PolicyConfig, drafts: &[Text]) -> Result<Policies, PacksError> {
    let texts = match &config.folder {
        None if config.trusted_keys.is_empty() && config.pins.is_empty() => Policies::built_in_texts(),
        None => return Err(PacksError::NoFolder),
        Some(folder) => passed(folder, config)?,
    };
    let policies = Policies::with_drafts(texts, drafts)?;
    Ok(if config.interpretation {
        policies
    } else {
        policies.without_interpretation()
    })
}

/// The texts of a folder, once each has passed.
fn passed(folder: &Path, config: &PolicyConfig) -> Result<Vec<Text>, PacksError> {
    let texts = texts_of(folder)?;
    let keys = keys(&config.trusted_keys)?;
    for (name, text) in &texts {
        let path = folder.join(name);
        if !keys.is_empty() {
            signed(&path, text, &keys)?;
        }
        let found = hex::encode(Sha256::digest(text));
        if config
            .pins
            .get(name)
            .is_some_and(|pin| !pin.eq_ignore_ascii_case(&found))
        {
            return Err(PacksError::Pin { path, found });
        }
    }
    let absent = |name: &&String| texts.iter().all(|(other, _)| other != *name);
    if let Some(name) = config.pins.keys().find(absent) {
        return Err(PacksError::Absent(name.clone()));
    }
    Ok(texts)
}

/// Name and text of every `*.toml` of a folder.
///
/// # Errors
/// [`PacksError::Read`] naming what cannot be read.
pub fn texts_of(folder: &Path) -> Result<Vec<Text>, PacksError> {
    let fault = |path: &Path, source| PacksError::Read {
        path: path.to_path_buf(),
        source,
    };
    let mut texts = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|e| fault(folder, e))? {
        let path = entry.map_err(|e| fault(folder, e))?.path();
        if path.extension().is_some_and(|ext| ext == "toml") {
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            texts.push((name, text_of(&path)?));
        }
    }
    Ok(texts)
}

/// The text of one pack.
///
/// # Errors
/// [`PacksError::Read`] where it cannot be read, is no UTF-8 or is larger than any pack.
pub fn text_of(path: &Path) -> Result<String, PacksError> {
    let read = || {
        let text = read_bounded(path, MAX_PACK_BYTES + 1)?;
        if u64::try_from(text.len()).is_ok_and(|length| length > MAX_PACK_BYTES) {
            let why = format!("larger than {MAX_PACK_BYTES} bytes");
            return Err(std::io::Error::other(why));
        }
        Ok(text)
    };
    read().map_err(|source| PacksError::Read {
        path: path.to_path_buf(),
        source,
    })
}

fn keys(texts: &[String]) -> Result<Vec<PublicKey>, PacksError> {
    let read = |text: &String| PublicKey::from_base64(text).map_err(|_| PacksError::Key(text.clone()));
    texts.iter().map(read).collect()
}

/// `de.toml` is signed by `de.toml.minisig`.
fn signed(path: &Path, text: &str, keys: &[PublicKey]) -> Result<(), PacksError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".minisig");
    let beside = PathBuf::from(beside);
    let words = read_bounded(&beside, MAX_SIGNATURE_BYTES)
        .map_err(|source| PacksError::Signature { path: beside, source })?;
    let passes = Signature::decode(&words).is_ok_and(|signature| {
        keys.iter()
            .any(|key| key.verify(text.as_bytes(), &signature, false).is_ok())
    });
    if passes {
        Ok(())
    } else {
        Err(PacksError::Untrusted(path.to_path_buf()))
    }
}

fn read_bounded(path: &Path, limit: u64) -> std::io::Result<String> {
    use std::io::Read as _;
    let mut text = String::new();
    std::fs::File::open(path)?.take(limit).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests;
