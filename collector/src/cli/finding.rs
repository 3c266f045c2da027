//! `finding …`: what people look at and do about findings.
//!
//! Works on the store's file, whether or not a collector runs on it; one that
//! runs follows within seconds. Whoever acts says who they are: the command knows no
//! accounts, so the account of the machine is written down beside the name.

mod choose;
mod print;

use super::agents::open;
use super::{EX_DATAERR, Failure};
use crate::acts::{self, Chosen, Refused, Unfit, name, text};
use crate::packs;
use choose::Choice;
use clap::{Args, Subcommand, ValueEnum};
use model::{Act, FindingId, Instant, Removal, Which};
use policy::Policies;
use policy::waiver::Refusal;
use std::path::{Path, PathBuf};
use store::acts::{Acted, AuditFilter};
use store::{Acts as _, SqliteStore, Store as _, StoreError};

/// Rows of the log read at a time.
const PAGE: u32 = 500;

#[derive(Subcommand)]
pub(super) enum Command {
    /// List findings, most urgent first.
    List(List),
    /// Show one finding with its life.
    Show {
        /// The collector's configuration.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
        /// Its key, as `finding list` shows it.
        finding: FindingId,
    },
    /// Say that findings were seen.
    Acknowledge(Deed),
    /// Give findings to somebody.
    Assign {
        #[command(flatten)]
        deed: Deed,
        /// To whom.
        #[arg(long, value_name = "NAME", value_parser = name)]
        to: String,
    },
    /// Say something about findings.
    Comment {
        #[command(flatten)]
        deed: Deed,
        /// What.
        #[arg(long, value_name = "TEXT", value_parser = text)]
        text: String,
    },
    /// Ask for a waiver; it holds once somebody else has approved it.
    Waive {
        #[command(flatten)]
        deed: Deed,
        /// Why.
        #[arg(long, value_name = "TEXT", value_parser = text)]
        reason: String,
        /// Its last day, YYYY-MM-DD.
        #[arg(long, value_name = "DATE")]
        until: String,
    },
    /// Approve the waivers that somebody else asked for.
    Approve(Deed),
    /// Refuse the waivers asked for, or take back those in force.
    EndWaiver {
        #[command(flatten)]
        deed: Deed,
        /// Which is meant, where one is in force and a longer one is asked for.
        #[arg(long, value_enum)]
        which: Option<Meant>,
        /// Why.
        #[arg(long, value_name = "TEXT", value_parser = text)]
        reason: String,
    },
    /// Say when something goes, what takes its place and who sees to it.
    PlanRemoval {
        #[command(flatten)]
        deed: Deed,
        /// When: YYYY-MM-DD, YYYY-MM or YYYY.
        #[arg(long, value_name = "DATE")]
        planned: String,
        /// What takes its place.
        #[arg(long, value_name = "TEXT", value_parser = text)]
        replacement: String,
        /// Who sees to it.
        #[arg(long, value_name = "NAME", value_parser = name)]
        owner: String,
    },
    /// Confirm that an element which no longer answers is gone.
    ConfirmRemoval {
        #[command(flatten)]
        deed: Deed,
        /// How that is known.
        #[arg(long, value_name = "TEXT", value_parser = text)]
        reason: String,
    },
    /// What is left, planned and proven to be removed, by rule.
    Progress {
        /// The collector's configuration.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Print one JSON object, with days.
        #[arg(long)]
        json: bool,
    },
    /// Who did what to findings, latest first.
    Log {
        /// The collector's configuration.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
        /// At most so many.
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: u32,
    },
}

/// Which waiver is to end.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Meant {
    /// The one that waits for a second person: it is refused.
    Asked,
    /// The one in force: it is taken back.
    InForce,
}

impl From<Meant> for Which {
    fn from(meant: Meant) -> Self {
        match meant {
            Meant::Asked => Self::Asked,
            Meant::InForce => Self::InForce,
        }
    }
}

/// What to list.
#[derive(Args)]
pub(super) struct List {
    /// The collector's configuration.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    choice: Choice,
}

/// Who acts on what.
#[derive(Args)]
pub(super) struct Deed {
    /// The collector's configuration.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Who you are.
    #[arg(long, value_name = "NAME", value_parser = name)]
    by: String,
    /// Print one JSON object a finding.
    #[arg(long)]
    json: bool,
    /// Keys of findings; `-` reads them from standard input, the first word of each line.
    #[arg(value_name = "FINDING")]
    findings: Vec<String>,
    #[command(flatten)]
    choice: Choice,
}

pub(super) async fn run(command: &Command, clock: fn() -> Instant) -> Result<(), Failure> {
    let now = clock();
    match command {
        Command::List(list) => {
            let (policies, store) = house(&list.config).await?;
            let rows = choose::rows(&store, &list.choice).await?;
            store.close().await;
            print::list(&rows, &policies, now, list.json)
        }
        Command::Show {
            config,
            json,
            finding,
        } => {
            let (policies, store) = house(config).await?;
            let found = store.finding(*finding).await.map_err(|e| Failure::other(&e))?;
            store.close().await;
            let found = found.ok_or_else(|| unknown(*finding))?;
            print::show(&found, &policies, now, *json)
        }
        Command::Acknowledge(deed) => deed.act(Act::Acknowledge, now).await,
        Command::Assign { deed, to } => deed.act(Act::Assign { to: to.clone() }, now).await,
        Command::Comment { deed, text } => deed.act(Act::Comment { text: text.clone() }, now).await,
        Command::Waive { deed, reason, until } => {
            let (reason, until) = (reason.clone(), until.clone());
            deed.act(Act::Waive { reason, until }, now).await
        }
        Command::Approve(deed) => deed.act(Act::Approve, now).await,
        Command::EndWaiver { deed, reason, which } => {
            let (reason, which) = (reason.clone(), which.map(Which::from));
            deed.act(Act::EndWaiver { reason, which }, now).await
        }
        Command::PlanRemoval {
            deed,
            planned,
            replacement,
            owner,
        } => {
            let removal = Removal {
                planned: planned.clone(),
                replacement: replacement.clone(),
                owner: owner.clone(),
            };
            deed.act(Act::PlanRemoval(removal), now).await
        }
        Command::ConfirmRemoval { deed, reason } => {
            let reason = reason.clone();
            deed.act(Act::ConfirmRemoval { reason }, now).await
        }
        Command::Progress { config, json } => {
            let (policies, store) = house(config).await?;
            let progress = store.progress().await.map_err(|e| Failure::other(&e))?;
            store.close().await;
            print::progress(&progress, &policies, *json)
        }
        Command::Log { config, json, limit } => {
            let (_, store) = house(config).await?;
            let mut filter = AuditFilter {
                begins: "finding_".to_owned(),
                limit: (*limit).clamp(1, PAGE),
                ..AuditFilter::default()
            };
            let mut rows = Vec::new();
            while rows.len() < *limit as usize {
                let page = store.audit_log(&filter).await.map_err(|e| Failure::other(&e))?;
                rows.extend(page.rows);
                let Some(next) = page.next else { break };
                filter.after = Some(next);
            }
            rows.truncate(*limit as usize);
            store.close().await;
            print::log(&rows, *json)
        }
    }
}

async fn house(config: &Path) -> Result<(Policies, SqliteStore), Failure> {
    let (config, store) = open(config).await?;
    let policies = packs::open(&config.policy).map_err(|e| Failure::configuration(&e))?;
    Ok((policies, store))
}

fn unknown(finding: FindingId) -> Failure {
    wrong(format!("no finding {finding} is known; see finding list"))
}

/// Facts that cannot be meant.
fn wrong(line: String) -> Failure {
    Failure {
        code: EX_DATAERR,
        line,
    }
}

impl Deed {
    /// Does it to all that were chosen, or to none.
    async fn act(&self, act: Act, now: Instant) -> Result<(), Failure> {
        let (_, store) = open(&self.config).await?;
        let done = self.act_in(&store, act, now).await;
        store.close().await;
        print::done(&done?, self.json)
    }

    async fn act_in(&self, store: &SqliteStore, act: Act, now: Instant) -> Result<Vec<Acted>, Failure> {
        let (keys, named) = choose::keys(store, &self.findings, &self.choice).await?;
        let chosen: Vec<Chosen> = keys.into_iter().map(Chosen::from).collect();
        let account = format!("uid {}", rustix::process::getuid().as_raw());
        let deed = acts::Deed {
            by: &self.by,
            account: &account,
            act,
            unfit: if named { Unfit::Refuse } else { Unfit::Skip },
        };
        let done = acts::act(store, &chosen, deed, &|_| true, now)
            .await
            .map_err(refused)?;
        if done.left_alone > 0 {
            eprintln!(
                "marque-collector: {} of {} left alone: it does not fit how they stand",
                done.left_alone,
                chosen.len()
            );
        }
        Ok(done.on)
    }
}

/// Why nothing was done, with what to do next.
fn refused(why: Refused) -> Failure {
    match why {
        Refused::Unknown(finding) => unknown(finding),
        Refused::Unfit {
            refusal: Refusal::WhichOne,
            ..
        } => wrong(format!(
            "{why}, with --which asked or --which in-force; nothing was done"
        )),
        Refused::Unfit { .. } => wrong(format!("{why}; nothing was done")),
        Refused::Moved(moved) => match moved.first() {
            Some(first) => Failure::other(&StoreError::Moved(first.finding)),
            None => Failure::other(&Refused::Moved(moved)),
        },
        Refused::Nothing => wrong(format!("{why}; see finding list")),
        Refused::NoDay => wrong(why.to_string()),
        Refused::Store(error) => Failure::other(&error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acts::Named;

    #[test]
    fn whoever_did_not_say_which_waiver_is_told_how() {
        let named = Named {
            finding: FindingId::generate(),
            label: "core-1: DE-CONTRACT-CORE".into(),
        };
        let refusal = Refusal::WhichOne;
        let failure = refused(Refused::Unfit { named, refusal });
        let how = "say which one is meant, with --which asked or --which in-force; nothing was done";
        assert!(failure.line.ends_with(how), "{}", failure.line);
        assert_eq!(failure.code, EX_DATAERR);
    }
}
