//! `marque-agent enrol`: a join token for an identity file.
//!
//! Invariant: the token comes from a file, standard input or the environment,
//! never from the command line, which every user of the machine can read.

use crate::enrol::{EnrolError, Enrolled, enrol};
use proto::token::{JoinToken, NoToken};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// More than any token.
const MAX_TOKEN_BYTES: u64 = 4096;

/// What `enrol` is told.
#[derive(clap::Args)]
#[command(group(clap::ArgGroup::new("token").required(true)))]
pub struct Args {
    /// Where the collector listens for agents.
    #[arg(long, value_name = "https://NAME:PORT")]
    collector: String,
    /// File with the join token; - is standard input.
    #[arg(long, value_name = "FILE", group = "token")]
    token_file: Option<PathBuf>,
    /// Environment variable with the join token.
    #[arg(long, value_name = "NAME", group = "token")]
    token_env: Option<String>,
    /// Where to write key and certificate: `collector.identity` of the configuration.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Why there is no identity.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is none.
    #[error("--collector must be https://NAME:PORT")]
    Address,
    /// The token cannot be read.
    #[error("cannot read the join token from {0}")]
    Source(String, #[source] io::Error),
    /// It is none.
    #[error(transparent)]
    Token(#[from] NoToken),
    /// No runtime.
    #[error("cannot start")]
    System(#[source] io::Error),
    /// The collector or the file.
    #[error(transparent)]
    Enrol(#[from] EnrolError),
}

/// Enrols and says who this agent is now.
///
/// # Errors
/// [`Error`] as one line.
pub fn run(args: &Args) -> Result<Enrolled, Error> {
    if !args.collector.starts_with("https://") {
        return Err(Error::Address);
    }
    let token = token(args)?;
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::System)?
        .block_on(enrol(&args.collector, &token, &args.out))
        .map_err(Error::from)
}

/// Where the identity was written.
#[must_use]
pub fn out(args: &Args) -> &Path {
    &args.out
}

fn token(args: &Args) -> Result<JoinToken, Error> {
    let text = match (&args.token_file, &args.token_env) {
        (Some(path), _) if path == Path::new("-") => bounded(io::stdin()),
        (Some(path), _) => std::fs::File::open(path).and_then(bounded),
        (None, name) => {
            let value = std::env::var(name.as_deref().unwrap_or_default());
            value.map_err(io::Error::other)
        }
    };
    let source = || match (&args.token_file, &args.token_env) {
        (Some(path), _) => path.display().to_string(),
        (None, name) => name.clone().unwrap_or_default(),
    };
    Ok(text.map_err(|error| Error::Source(source(), error))?.parse()?)
}

fn bounded(source: impl io::Read) -> io::Result<String> {
    let mut text = String::new();
    source.take(MAX_TOKEN_BYTES).read_to_string(&mut text)?;
    Ok(text)
}
