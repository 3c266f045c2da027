//! `finding …`: what people look at and do about findings.
//!
//! Works on the store's file, whether or not a collector runs on it; one that
//! runs follows within seconds. Whoever acts says who they are: the command knows no
//! accounts, so the account of the machine is written down beside the name.

mod choose;
mod print;

use super::agents::open;
use super::{EX_DATAERR, Failure};
use crate::packs;
use choose::Choice;
use clap::{Args, Subcommand};
use model::{Act, FindingId, Instant, Removal};
use policy::Policies;
use policy::waiver::{self, Acting};
use std::path::{Path, PathBuf};
use store::acts::{Acted, Doing, FindingLife};
use store::record::Stand;
use store::{Acts as _, SqliteStore, Store as _};

/// Longest name of a person, and longest text, in characters.
const NAME_CHARS: usize = 100;
const TEXT_CHARS: usize = 2_000;

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
        #[arg(long, value_name = "NAME", value_parser = person)]
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
        #[arg(long, value_name = "NAME", value_parser = person)]
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
    #[arg(long, value_name = "NAME", value_parser = person)]
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

/// A name: some characters, none of them a control character.
fn person(text: &str) -> Result<String, String> {
    bounded(text, NAME_CHARS)
}

fn text(text: &str) -> Result<String, String> {
    bounded(text, TEXT_CHARS)
}

fn bounded(text: &str, most: usize) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("is empty".to_owned());
    }
    if text.chars().any(char::is_control) {
        return Err("holds a control character".to_owned());
    }
    if text.chars().count() > most {
        return Err(format!("is longer than {most} characters"));
    }
    Ok(text.to_owned())
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
        Command::EndWaiver { deed, reason } => {
            let reason = reason.clone();
            deed.act(Act::EndWaiver { reason }, now).await
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
            let rows = store
                .audit_log("finding_", *limit)
                .await
                .map_err(|e| Failure::other(&e))?;
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
        let lives = store.lives(&keys).await.map_err(|e| Failure::other(&e))?;
        if let Some(missing) = keys
            .iter()
            .find(|key| lives.iter().all(|life| life.finding != **key))
        {
            return Err(unknown(*missing));
        }
        let Some(today) = now.date() else {
            return Err(wrong("the clock shows no day".to_owned()));
        };
        let mut on = Vec::with_capacity(lives.len());
        let mut skipped = 0_usize;
        for found in &lives {
            let acting = Acting {
                by: &self.by,
                today,
                class: found.result.class,
                latest: found.latest,
            };
            match waiver::act(&found.life, &act, acting) {
                Ok(life) => on.push(acted(found, life, &act)),
                Err(refusal) if named => {
                    let line = format!("finding {}: {refusal}; nothing was done", found.finding);
                    return Err(wrong(line));
                }
                Err(_) => skipped += 1,
            }
        }
        if skipped > 0 {
            eprintln!(
                "marque-collector: {skipped} of {} left alone: it does not fit how they stand",
                lives.len()
            );
        }
        if on.is_empty() {
            return Err(wrong(
                "no finding was chosen that this fits; see finding list".to_owned(),
            ));
        }
        let doing = Doing {
            person: self.by.clone(),
            account: format!("uid {}", rustix::process::getuid().as_raw()),
            act,
            on,
        };
        store.act(&doing, now).await.map_err(|e| Failure::other(&e))?;
        Ok(doing.on)
    }
}

fn acted(found: &FindingLife, life: model::Life, act: &Act) -> Acted {
    Acted {
        stand: Stand {
            finding: found.finding,
            revision: found.revision,
            life,
        },
        text: said(found, act),
    }
}

/// An act in words; who did it stands beside it.
fn said(found: &FindingLife, act: &Act) -> String {
    match act {
        Act::Acknowledge => "seen".to_owned(),
        Act::Assign { to } => format!("to {to}"),
        Act::Comment { text } => text.clone(),
        Act::Waive { reason, until } => format!("until {until}: {reason}"),
        Act::Approve => match &found.life.asked {
            Some(asked) => format!(
                "until {}, asked for by {}: {}",
                asked.until, asked.asked_by, asked.reason
            ),
            None => "approved".to_owned(),
        },
        Act::EndWaiver { reason } if found.life.asked.is_some() => format!("refused: {reason}"),
        Act::EndWaiver { reason } => format!("taken back: {reason}"),
        Act::PlanRemoval(removal) => {
            format!(
                "{} by {}: {}",
                removal.planned, removal.owner, removal.replacement
            )
        }
        Act::ConfirmRemoval { reason } => format!("removed: confirmed while the element is silent: {reason}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_texts_are_bounded() {
        assert_eq!(person("  Ann Lee "), Ok("Ann Lee".to_owned()));
        for (bad, words) in [
            ("", "is empty"),
            (" ", "is empty"),
            ("a\u{1b}[1m", "control"),
            (&"x".repeat(101), "longer than 100"),
        ] {
            assert!(person(bad).unwrap_err().contains(words), "{bad:?}");
        }
        assert!(text(&"x".repeat(2_000)).is_ok());
    }
}
