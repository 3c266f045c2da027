//! `plan …`: check, put, list, show.
//!
//! Works on the store's file, whether or not a collector runs on it; one that
//! runs sees a new revision within a second.

use super::agents::{declared, open};
use super::{EX_CONFIG, Failure};
use crate::plan::{PlanFile, words};
use crate::serve::clock;
use clap::Subcommand;
use model::SiteName;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use store::Plans as _;
use store::plans::{NewPlan, PlanRow, Put};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Say whether a plan can be put.
    Check {
        /// The plan.
        #[arg(value_name = "FILE")]
        plan: PathBuf,
    },
    /// Make a plan the newest of a site; its agents get it at once or when they connect.
    Put {
        /// The collector's configuration.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// The site.
        #[arg(long, value_name = "NAME")]
        site: SiteName,
        /// The plan.
        #[arg(value_name = "FILE")]
        plan: PathBuf,
    },
    /// List the newest plan of each site, and below it how each agent stands to it.
    List {
        /// The collector's configuration.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Print a plan as it was put.
    Show {
        /// The collector's configuration.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// The site.
        #[arg(long, value_name = "NAME")]
        site: SiteName,
        /// Which revision; the newest unless given.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=i64::MAX as u64))]
        revision: Option<u64>,
    },
}

/// Far more than 50,000 targets take.
const MAX_BYTES: u64 = 16 << 20;

pub(super) async fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Check { plan } => check(plan),
        Command::Put { config, site, plan } => put(config, site, plan).await,
        Command::List { config } => list(config).await,
        Command::Show {
            config,
            site,
            revision,
        } => show(config, site, *revision).await,
    }
}

fn read(path: &Path) -> Result<PlanFile, Failure> {
    let fault = |why: &dyn std::fmt::Display| Failure {
        code: EX_CONFIG,
        line: format!("{}: {why}", path.display()),
    };
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MAX_BYTES + 1).read_to_string(&mut text))
        .map_err(|error| fault(&format_args!("cannot be read: {error}")))?;
    if text.len() as u64 > MAX_BYTES {
        return Err(fault(&format_args!("is larger than {MAX_BYTES} bytes")));
    }
    PlanFile::parse(&text, &path.display().to_string()).map_err(|error| Failure::configuration(&error))
}

fn check(path: &Path) -> Result<(), Failure> {
    let (targets, ranges) = read(path)?.counts();
    super::print(&format_args!(
        "{}: good; {targets} targets, {ranges} ranges",
        path.display()
    ));
    Ok(())
}

async fn put(config: &Path, site: &SiteName, path: &Path) -> Result<(), Failure> {
    let file = read(path)?;
    declared(config, site)?;
    let (targets, ranges) = file.counts();
    let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    let plan = NewPlan {
        site: site.clone(),
        digest: file.digest,
        text: file.text,
        targets: count(targets),
        ranges: count(ranges),
    };
    let (_, store) = open(config).await?;
    let put = store
        .put_plan(&plan, clock())
        .await
        .map_err(|e| Failure::other(&e))?;
    store.close().await;
    match put {
        Put::New(revision) => {
            super::print(&format_args!(
                "{site}: revision {revision}; {targets} targets, {ranges} ranges"
            ));
        }
        Put::Same(revision) => super::print(&format_args!(
            "{site}: unchanged, revision {revision} says the same"
        )),
    }
    Ok(())
}

async fn list(config: &Path) -> Result<(), Failure> {
    let (_, store) = open(config).await?;
    let plans = store.newest_plans().await.map_err(|e| Failure::other(&e))?;
    let agents = store.plan_states().await.map_err(|e| Failure::other(&e))?;
    store.close().await;
    let mut sites: Vec<&SiteName> = plans.iter().map(|plan| &plan.site).collect();
    sites.extend(agents.iter().map(|agent| &agent.site));
    sites.sort();
    sites.dedup();
    for site in sites {
        super::print(&format_args!(
            "{}",
            line(site, plans.iter().find(|plan| plan.site == *site))
        ));
        for agent in agents.iter().filter(|agent| agent.site == *site) {
            super::print(&format_args!("\t{}\t{}", agent.agent, words(&agent.state)));
        }
    }
    Ok(())
}

/// Columns between tabs, for people and scripts.
fn line(site: &SiteName, plan: Option<&PlanRow>) -> String {
    plan.map_or_else(
        || format!("{site}\t-\t-\t-\t-"),
        |plan| {
            format!(
                "{site}\trevision {}\tsince {}\t{} targets\t{} ranges",
                plan.revision, plan.since, plan.targets, plan.ranges
            )
        },
    )
}

async fn show(config: &Path, site: &SiteName, revision: Option<u64>) -> Result<(), Failure> {
    let (_, store) = open(config).await?;
    let found = store.plan(site, revision).await.map_err(|e| Failure::other(&e))?;
    store.close().await;
    let Some((_, text)) = found else {
        let which = revision.map_or_else(String::new, |revision| format!(" of revision {revision}"));
        return Err(Failure {
            code: 1,
            line: format!("no plan{which} was put for {site}; see plan list"),
        });
    };
    super::print(&text.trim_end());
    Ok(())
}
