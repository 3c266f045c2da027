//! `agent …`: invite, list, revoke, quarantine, release, and certificates for agents that cannot reach us to enrol.
//!
//! Works on the store's file, whether or not a collector runs on it.

use super::{EX_CONFIG, Failure};
use crate::config::Config;
use crate::enrol::invite;
use crate::serve::{authority, clock};
use clap::Subcommand;
use model::{AgentId, Instant, SiteName};
use proto::secret_file::SecretFile;
use std::path::{Path, PathBuf};
use std::time::Duration;
use store::acts::Signer;
use store::admission::{Admitted, Moved};
use store::{Admission as _, SqliteStore, StoreError};
use time::OffsetDateTime;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Print a one-time join token for a new agent at a site.
    Invite {
        /// The collector's configuration.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// The site the agent will stand at.
        #[arg(long, value_name = "NAME")]
        site: SiteName,
        /// Minutes until the token opens nothing any more, at most a week.
        #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=10_080))]
        valid_minutes: u32,
    },
    /// List agents: key, site, last message, end of the certificate, state.
    List {
        /// The collector's configuration.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Shut an agent out for good; a stream of it that is open is cut at once.
    Revoke {
        /// The collector's configuration.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Its key, as `agent list` shows it.
        agent: AgentId,
        /// Why, for the audit log.
        #[arg(long, value_name = "TEXT", default_value = "")]
        reason: String,
    },
    /// Take nothing of an agent until it is released; a stream of it that is open is ended at once.
    ///
    /// It polls on and keeps its reports, and delivers them once it is released.
    Quarantine {
        /// The collector's configuration.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Its key, as `agent list` shows it.
        agent: AgentId,
        /// Why, for the audit log and the agent's page.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// End an agent's quarantine: it comes back by itself.
    Release {
        /// The collector's configuration.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Its key, as `agent list` shows it.
        agent: AgentId,
        /// Why, for the audit log and the agent's page.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Make key and certificate for a new agent that cannot reach the collector to enrol.
    Certificate {
        /// The collector's configuration.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// The site the agent will stand at.
        #[arg(long, value_name = "NAME")]
        site: SiteName,
        /// Where to write it: take it to the agent by a safe way, it holds a private key.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

pub(super) async fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Invite {
            config,
            site,
            valid_minutes,
        } => print_invitation(config, site, *valid_minutes).await,
        Command::List { config } => list(config).await,
        Command::Revoke {
            config,
            agent,
            reason,
        } => revoke(config, *agent, reason).await,
        Command::Quarantine {
            config,
            agent,
            reason,
        } => {
            let (_, store) = open(config).await?;
            let moved = store.quarantine(*agent, reason, &signer(), clock()).await;
            store.close().await;
            told(*agent, moved, ["is in quarantine", "is in quarantine already"])
        }
        Command::Release {
            config,
            agent,
            reason,
        } => {
            let (_, store) = open(config).await?;
            let moved = store.end_quarantine(*agent, reason, &signer(), clock()).await;
            store.close().await;
            told(*agent, moved, ["is released", "is not in quarantine"])
        }
        Command::Certificate { config, site, out } => certificate(config, site, out).await,
    }
}

pub(super) async fn open(path: &Path) -> Result<(Config, SqliteStore), Failure> {
    let config = Config::read(path).map_err(|e| Failure::configuration(&e))?;
    let store = SqliteStore::open(&config.store.path)
        .await
        .map_err(|e| Failure::other(&e))?;
    Ok((config, store))
}

pub(super) fn declared(path: &Path, site: &SiteName) -> Result<(), Failure> {
    let config = Config::read(path).map_err(|e| Failure::configuration(&e))?;
    if config.site.iter().any(|s| s.name == *site) {
        return Ok(());
    }
    Err(Failure {
        code: EX_CONFIG,
        line: format!("{}: no [[site]] is named {site}", path.display()),
    })
}

/// The token alone on standard output, so that it can be piped to where it is wanted.
async fn print_invitation(path: &Path, site: &SiteName, minutes: u32) -> Result<(), Failure> {
    declared(path, site)?;
    let (config, store) = open(path).await?;
    let authority = authority(&config).map_err(|e| Failure::other(&e))?;
    let valid = Duration::from_secs(u64::from(minutes) * 60);
    let (token, expires) = invite(&store, authority.fingerprint(), site, valid, &signer(), clock())
        .await
        .map_err(|e| Failure::other(&e))?;
    super::print(&format_args!("{}", token.text()));
    eprintln!(
        "for one agent at {site}, once, until {expires}\nauthority SHA-256 {}",
        hex::encode(token.authority)
    );
    store.close().await;
    Ok(())
}

async fn list(path: &Path) -> Result<(), Failure> {
    let (_, store) = open(path).await?;
    let agents = store.admitted().await.map_err(|e| Failure::other(&e))?;
    for agent in &agents {
        super::print(&format_args!("{}", line(agent, clock())));
    }
    store.close().await;
    Ok(())
}

/// Columns between tabs, for people and scripts.
fn line(agent: &Admitted, now: Instant) -> String {
    let shown = |at: Option<Instant>| at.map_or_else(|| "-".to_owned(), |at| at.to_string());
    let state = match agent.not_after {
        _ if agent.revoked.is_some() => "revoked",
        _ if agent.quarantined.is_some() => "in quarantine",
        Some(not_after) if not_after < now => "run out",
        None => "certificate not known here",
        Some(_) => "valid",
    };
    format!(
        "{}\t{}\t{}\t{}\t{state}",
        agent.agent,
        agent.site.as_ref().map_or("-", SiteName::as_str),
        shown(agent.last_seen),
        shown(agent.not_after),
    )
}

/// Whoever runs this: the account of the machine is all that is known.
fn signer() -> Signer {
    let account = format!("uid {}", rustix::process::getuid().as_raw());
    Signer {
        person: account.clone(),
        account,
    }
}

async fn revoke(path: &Path, agent: AgentId, reason: &str) -> Result<(), Failure> {
    let (_, store) = open(path).await?;
    let known = store
        .revoke(agent, reason, &signer(), clock())
        .await
        .map_err(|e| Failure::other(&e))?;
    store.close().await;
    if !known {
        return Err(Failure {
            code: 1,
            line: format!("no agent {agent} is known; see agent list"),
        });
    }
    super::print(&format_args!("agent {agent} is revoked"));
    Ok(())
}

/// What became of an agent, in words for when that is new and when it is not.
fn told(agent: AgentId, moved: Result<Moved, StoreError>, [done, already]: [&str; 2]) -> Result<(), Failure> {
    let failure = |line| Failure { code: 1, line };
    match moved.map_err(|e| Failure::other(&e))? {
        Moved::Done => super::print(&format_args!("agent {agent} {done}")),
        Moved::Already => super::print(&format_args!("agent {agent} {already}")),
        Moved::Revoked => return Err(failure(format!("agent {agent} is revoked, which is for good"))),
        Moved::Unknown => return Err(failure(format!("no agent {agent} is known; see agent list"))),
    }
    Ok(())
}

async fn certificate(path: &Path, site: &SiteName, out: &Path) -> Result<(), Failure> {
    declared(path, site)?;
    let (config, store) = open(path).await?;
    let named = |source: std::io::Error| Failure {
        code: 1,
        line: format!("{}: {source}", out.display()),
    };
    let file = SecretFile::create(out).map_err(named)?;
    let authority = authority(&config).map_err(|e| Failure::other(&e))?;
    let agent = AgentId::generate();
    let (bundle, issued) = authority
        .agent_bundle(agent, site, OffsetDateTime::now_utc())
        .map_err(|e| Failure::other(&e))?;
    store
        .certify(&issued, clock())
        .await
        .map_err(|e| Failure::other(&e))?;
    store.close().await;
    file.save(&bundle).map_err(named)?;
    super::print(&format_args!(
        "{}: key and certificate of agent {agent} at {site}, valid until {}",
        out.display(),
        issued.not_after
    ));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_an_agent_stands() {
        let agent = Admitted {
            agent: AgentId::generate(),
            site: None,
            not_after: Some(Instant(10)),
            last_seen: None,
            revoked: None,
            quarantined: None,
        };
        let state = |agent: &Admitted| line(agent, Instant(20)).rsplit('\t').next().map(str::to_owned);
        assert_eq!(state(&agent).as_deref(), Some("run out"));
        let valid = Admitted {
            not_after: Some(Instant(20)),
            ..agent.clone()
        };
        assert_eq!(state(&valid).as_deref(), Some("valid"));
        let held = Admitted {
            quarantined: Some(Instant(1)),
            ..valid
        };
        assert_eq!(state(&held).as_deref(), Some("in quarantine"));
        let revoked = Admitted {
            revoked: Some(Instant(1)),
            ..held
        };
        assert_eq!(state(&revoked).as_deref(), Some("revoked"));
        assert_eq!(line(&agent, Instant(0)).split('\t').count(), 5);
    }
}
