//! Whom a command asks, by what and how: the options that `poll` and `watch` share.

use super::credential;
use crate::config::{PollConfig, RedactConfig};
use crate::credential::Credential;
use crate::plan::{Plan, Profile};
use crate::poll::socket::{Patience, Sockets};
use crate::poll::{self, Extent, Learned, Limits, Room, Round};
use crate::target::{self, Target};
use prost::bytes::Bytes;
use std::collections::HashSet;
use std::io::{self, Read as _};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// Targets and how to ask them.
#[derive(clap::Args)]
#[group(skip)]
pub struct Asked {
    /// ADDRESS[:PORT] to poll; IPv6 with a port in brackets.
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
    /// Read further targets from a file, one a line; - is standard input.
    #[arg(long = "targets", value_name = "FILE")]
    list: Option<PathBuf>,
    #[command(flatten)]
    opening: credential::Args,
    /// Targets polled at once.
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    in_flight: u32,
    /// What to ask.
    #[arg(long, value_enum, default_value_t)]
    profile: Profile,
    /// Packets a second at most; without it there is no cap.
    #[arg(long, value_name = "N", default_value_t = 0)]
    rate: u32,
    /// Wait for a first answer.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(10..=60_000))]
    timeout_ms: u64,
    /// Sendings after the first.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(0..=10))]
    retries: u32,
}

/// Why nobody can be asked.
#[derive(Debug, thiserror::Error)]
pub enum AskedError {
    /// Nothing to poll.
    #[error("no target given; name some or use --targets FILE")]
    NoTarget,
    /// Nothing to open a conversation with.
    #[error(transparent)]
    Credential(#[from] credential::OpeningError),
    /// The list cannot be read.
    #[error("cannot read targets from {0}")]
    List(PathBuf, #[source] io::Error),
}

impl Asked {
    /// Reads the secrets.
    ///
    /// # Errors
    /// [`AskedError::Credential`] when there is none or it cannot be used.
    pub fn credential(&self) -> Result<Credential, AskedError> {
        Ok(self.opening.credential()?)
    }

    /// The targets, each once, and how many texts were none.
    ///
    /// # Errors
    /// [`AskedError`] when there is none or the list cannot be read.
    pub fn targets(&self) -> Result<(Vec<Target>, usize), AskedError> {
        let mut read = Vec::new();
        let mut wrong = 0;
        for text in &self.targets {
            match text.parse() {
                Ok(target) => read.push(target),
                Err(error) => {
                    wrong += 1;
                    super::say(&error);
                }
            }
        }
        if let Some(path) = &self.list {
            let text = read_text(path).map_err(|error| AskedError::List(path.clone(), error))?;
            for line in target::read_list(&text) {
                match line {
                    Ok(target) => read.push(target),
                    Err(error) => {
                        wrong += 1;
                        super::say(&format_args!("{}: {error}", path.display()));
                    }
                }
            }
        }
        let mut seen = HashSet::with_capacity(read.len());
        read.retain(|target| seen.insert(*target));
        if read.is_empty() && wrong == 0 {
            return Err(AskedError::NoTarget);
        }
        Ok((read, wrong))
    }

    /// How many of so many are polled at once.
    #[must_use]
    pub fn in_flight(&self, targets: usize) -> usize {
        targets.min(self.in_flight as usize)
    }

    /// What rounds need; must be called in a runtime.
    ///
    /// # Errors
    /// When the system gives no socket.
    pub fn rounds(
        &self,
        credential: Credential,
        in_flight: usize,
        clock: fn() -> SystemTime,
    ) -> io::Result<Rounds> {
        Ok(Rounds {
            sockets: Sockets::open(in_flight, self.rate)?,
            credential,
            plan: Plan::of(self.profile),
            limits: PollConfig::default().limits(),
            refusal_pause: Duration::from_secs(PollConfig::default().refusal_pause_seconds),
            patience: Patience {
                first_contact: Duration::from_millis(self.timeout_ms),
                retries: self.retries,
            },
            redacted: RedactConfig::default().octets(),
            clock,
        })
    }
}

fn read_text(path: &PathBuf) -> io::Result<String> {
    if path.as_os_str() == "-" {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text)?;
        return Ok(text);
    }
    std::fs::read_to_string(path)
}

/// What rounds need.
pub struct Rounds {
    sockets: Sockets,
    credential: Credential,
    /// What is asked.
    pub plan: Plan,
    /// What one round may take.
    pub limits: Limits,
    /// The first pause after an element refused its user.
    pub refusal_pause: Duration,
    patience: Patience,
    /// What is not shown.
    pub redacted: Vec<Bytes>,
    clock: fn() -> SystemTime,
}

impl Rounds {
    /// One round.
    pub async fn round(&self, target: Target, learned: &mut Learned, extent: Extent) -> Round {
        let deadline = Instant::now() + self.limits.deadline;
        let conversation = self
            .sockets
            .converse(target, &self.credential, self.patience, deadline);
        poll::round(
            conversation,
            &self.plan,
            &self.limits,
            learned,
            (extent, (self.clock)(), &mut Room::alone()),
        )
        .await
    }
}
