//! What opens elements, as options of a command.
//!
//! Invariant: communities and passwords come from files, standard input or the
//! environment; one on the command line is refused, since every user of a machine reads that.

use crate::config::credential::named;
use crate::credential::user::{Password, User};
use crate::credential::{Credential, CredentialError, SecretSource};
use crate::poll::wire::Version;
use async_snmp::{AuthProtocol, PrivProtocol};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Where the community is read from when no option says so.
const COMMUNITY: &str = "MARQUE_COMMUNITY";

/// A community, or a user of version 3.
#[derive(clap::Args)]
#[group(skip)]
pub struct Args {
    // Taken only to say what to use instead.
    #[arg(long, hide = true)]
    community: Option<OsString>,
    /// Read the community from the first line of a file; - is standard input. Without it the
    /// environment variable MARQUE_COMMUNITY counts.
    #[arg(long, value_name = "FILE", conflicts_with = "user")]
    community_file: Option<PathBuf>,
    /// Speak SNMP version 1 instead of 2c.
    #[arg(long, conflicts_with = "user")]
    v1: bool,
    /// Speak SNMP version 3 as this user.
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Authenticate: md5, sha1, sha224, sha256, sha384 or sha512.
    #[arg(long, value_name = "PROTOCOL", value_parser = named::<AuthProtocol>, requires_all = ["user", "auth_password"])]
    auth: Option<AuthProtocol>,
    /// Environment variable that holds the password of authentication.
    #[arg(long, value_name = "NAME", group = "auth_password", requires = "auth")]
    auth_env: Option<String>,
    /// File whose first line is the password of authentication; - is the next line of standard input.
    #[arg(long, value_name = "FILE", group = "auth_password", requires = "auth")]
    auth_file: Option<PathBuf>,
    /// Encrypt: des, 3des, aes128, aes192-blumenthal, aes192-reeder, aes256-blumenthal or aes256-reeder.
    #[arg(long = "priv", value_name = "PROTOCOL", value_parser = named::<PrivProtocol>, requires_all = ["auth", "priv_password"])]
    privacy: Option<PrivProtocol>,
    /// Environment variable that holds the password of privacy.
    #[arg(long, value_name = "NAME", group = "priv_password", requires = "privacy")]
    priv_env: Option<String>,
    /// File whose first line is the password of privacy; - is the next line of standard input.
    #[arg(long, value_name = "FILE", group = "priv_password", requires = "privacy")]
    priv_file: Option<PathBuf>,
    /// Ask this context of the element.
    #[arg(long, value_name = "NAME", default_value = "", requires = "user")]
    context: String,
}

/// Why there is no credential.
#[derive(Debug, thiserror::Error)]
pub enum OpeningError {
    /// Nothing to open a conversation with.
    #[error("no community given; use --community-file, MARQUE_COMMUNITY or --user")]
    NoCommunity,
    /// Where everybody reads it.
    #[error(
        "a community is not given on the command line, where every user of this machine reads it; \
         use --community-file FILE, --community-file - (standard input) or {COMMUNITY}"
    )]
    InTheOpen,
    /// Set in vain.
    #[error("{COMMUNITY} is set, but empty")]
    EmptyCommunity,
    /// What was given cannot be read or used.
    #[error("the credential cannot be used")]
    Unusable(#[from] CredentialError),
}

impl Args {
    /// Reads the secrets.
    ///
    /// # Errors
    /// [`OpeningError`] when there is none or it cannot be used.
    pub fn credential(&self) -> Result<Credential, OpeningError> {
        let version = if self.v1 { Version::V1 } else { Version::V2c };
        if self.community.is_some() {
            return Err(OpeningError::InTheOpen);
        }
        if let Some(name) = &self.user {
            return Ok(Credential::user(self.user(name)?));
        }
        let source = match &self.community_file {
            Some(path) => file(path),
            None => match std::env::var_os(COMMUNITY) {
                None => return Err(OpeningError::NoCommunity),
                Some(value) if value.is_empty() => return Err(OpeningError::EmptyCommunity),
                Some(_) => SecretSource::Environment(COMMUNITY.to_owned()),
            },
        };
        Ok(Credential::community(
            version,
            source.read()?,
            &source.to_string(),
        )?)
    }

    fn user(&self, name: &str) -> Result<User, CredentialError> {
        let auth = password(self.auth, self.auth_env.as_ref(), self.auth_file.as_ref())?;
        let privacy = password(self.privacy, self.priv_env.as_ref(), self.priv_file.as_ref())?;
        User::new(name, auth.as_ref(), privacy.as_ref(), &self.context)
    }
}

fn password<P>(
    protocol: Option<P>,
    variable: Option<&String>,
    path: Option<&PathBuf>,
) -> Result<Option<Password<P>>, CredentialError> {
    let environment = variable.cloned().map(SecretSource::Environment);
    let source = environment.or(path.map(|path| file(path)));
    let (Some(protocol), Some(source)) = (protocol, source) else {
        return Ok(None);
    };
    Ok(Some(Password {
        protocol,
        secret: source.read()?,
        origin: source.to_string(),
    }))
}

fn file(path: &Path) -> SecretSource {
    match path.as_os_str() == "-" {
        true => SecretSource::StandardInput,
        false => SecretSource::File(path.to_owned()),
    }
}
