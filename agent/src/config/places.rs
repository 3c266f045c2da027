//! Where a configuration puts identity and spool, for commands that need no more.
//!
//! Invariant: no secret is read, so that they work where only the running agent has them.

use super::{Config, ConfigError, Source};
use std::path::{Path, PathBuf};

/// The files of an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// PEM file: private key, certificate, certificate of the authority.
    pub identity: PathBuf,
    /// The spool's file.
    pub spool: PathBuf,
    /// Bytes that may wait in it.
    pub quota_bytes: u64,
}

impl Places {
    /// Reads them from a configuration.
    ///
    /// # Errors
    /// [`ConfigError`] for the first thing that is wrong with the file itself.
    pub fn read(file: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(file).map_err(|error| ConfigError {
            file: file.to_owned(),
            line: None,
            key: None,
            message: format!("cannot be read: {error}"),
        })?;
        let source = Source { file, text: &text };
        let config: Config =
            toml::from_str(&text).map_err(|error| source.error(error.span(), error.message()))?;
        Ok(Self {
            identity: source.folder().join(config.collector.identity.as_ref()),
            spool: source.folder().join(&config.spool.path),
            quota_bytes: config.spool.quota_bytes,
        })
    }
}
