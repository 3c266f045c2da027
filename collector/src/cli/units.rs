//! `unit …`: list, show, merge, split.
//!
//! Works on the store's file, whether or not a collector runs on it; one that runs follows a decision within seconds.
//! Invariant: a decision names hardware by where it stood and what it told, so that it outlives every conclusion.

use super::agents::open;
use super::{EX_USAGE, Failure, print};
use crate::serve::clock;
use crate::web::show::clean;
use ::identify::units::key;
use clap::Subcommand;
use model::{ElementId, Handle, Instant, Tenure, UnitId};
use serde::Serialize;
use std::path::{Path, PathBuf};
use store::units::{UnitFilter, UnitView};
use store::{SqliteStore, StoreError, Units as _};

#[derive(Subcommand)]
pub(super) enum Command {
    /// List units: key, maker, model, serial number, places, doubts.
    List {
        /// The collector's configuration.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Only those with this in serial number, model, maker or another word they told.
        #[arg(long, value_name = "TEXT", default_value = "")]
        text: String,
        /// Only those at several places or with a doubt.
        #[arg(long)]
        notable: bool,
        /// One object of JSON a line.
        #[arg(long)]
        json: bool,
    },
    /// Show where a unit stood and stands, what is doubted, and what was decided.
    Show {
        /// The collector's configuration.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Its key, as `unit list` shows it.
        unit: UnitId,
        /// As one object of JSON.
        #[arg(long)]
        json: bool,
    },
    /// Say that two units are one.
    Merge {
        /// The collector's configuration.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// One.
        one: UnitId,
        /// The other.
        other: UnitId,
        /// Why; kept with the decision.
        #[arg(long, value_name = "TEXT")]
        because: String,
    },
    /// Say that the hardware at one element is a unit of its own, whatever its keys say, until it is merged again.
    Split {
        /// The collector's configuration.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// The unit it was taken for.
        unit: UnitId,
        /// The element it stands or stood at.
        #[arg(long, value_name = "ELEMENT")]
        at: ElementId,
        /// Why; kept with the decision.
        #[arg(long, value_name = "TEXT")]
        because: String,
    },
}

pub(super) async fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::List {
            config,
            text,
            notable,
            json,
        } => list(config, text, *notable, *json).await,
        Command::Show { config, unit, json } => show(config, *unit, *json).await,
        Command::Merge {
            config,
            one,
            other,
            because,
        } => merge(config, *one, *other, because).await,
        Command::Split {
            config,
            unit,
            at,
            because,
        } => split(config, *unit, *at, because).await,
    }
}

fn failed(error: StoreError) -> Failure {
    Failure::other(&error)
}

fn mistake(line: String) -> Failure {
    Failure { code: EX_USAGE, line }
}

fn json(value: &impl Serialize) -> Result<(), Failure> {
    let line = serde_json::to_string(value).map_err(|error| Failure::other(&error))?;
    print(&line);
    Ok(())
}

fn told(word: Option<&String>) -> String {
    word.map_or_else(|| "-".to_owned(), |word| clean(word, 64))
}

async fn list(config: &Path, text: &str, notable: bool, as_json: bool) -> Result<(), Failure> {
    let (_, store) = open(config).await?;
    let mut filter = UnitFilter {
        text: text.to_owned(),
        notable,
        limit: 500,
        after: None,
    };
    loop {
        let page = store.units(&filter).await.map_err(failed)?;
        for row in &page.rows {
            if as_json {
                json(row)?;
            } else {
                print(&format_args!(
                    "{}  {}  {}  {}  {} places  {} doubts",
                    row.unit,
                    told(row.maker.as_ref()),
                    told(row.model.as_ref()),
                    told(row.serial.as_ref()),
                    row.elements,
                    row.doubts
                ));
            }
        }
        filter.after = page.next;
        if filter.after.is_none() {
            break;
        }
    }
    store.close().await;
    Ok(())
}

async fn show(config: &Path, unit: UnitId, as_json: bool) -> Result<(), Failure> {
    let (_, store) = open(config).await?;
    let view = store
        .unit(unit)
        .await
        .map_err(failed)?
        .ok_or_else(|| unknown(unit))?;
    store.close().await;
    if as_json {
        return json(&view);
    }
    lines(&view);
    Ok(())
}

fn lines(view: &UnitView) {
    for (place, tenure) in &view.tenures {
        let until = tenure.until.map_or_else(|| "now".to_owned(), day);
        print(&format_args!(
            "{} – {until}  {} ({}, {})  {}  {}  serial {}  address {}  engine ID {}{}",
            day(tenure.from),
            clean(&place.name, 64),
            place.site,
            clean(&place.address, 64),
            told(tenure.maker.as_ref()),
            told(tenure.model.as_ref()),
            told(tenure.serial.as_ref()),
            told(tenure.base_mac.as_ref()),
            told(tenure.engine_id.as_ref()),
            if tenure.swapped { "  swap" } else { "" }
        ));
        print(&format_args!(
            "    element {}  evidence {}",
            place.element, tenure.first
        ));
    }
    for doubt in &view.doubts {
        print(&format_args!(
            "doubt {}: {} (unit {} at {})",
            doubt.code,
            clean(&doubt.text, 300),
            doubt.other,
            clean(&doubt.other_name, 64)
        ));
    }
    for (at, text) in &view.decisions {
        print(&format_args!("{} decided: {}", day(*at), clean(text, 300)));
    }
}

fn day(at: Instant) -> String {
    at.date().map_or_else(|| "?".to_owned(), |day| day.to_string())
}

fn unknown(unit: UnitId) -> Failure {
    mistake(format!(
        "no unit {unit}; `unit list` shows them, and one that was merged has the key of the other"
    ))
}

/// The hardware seen last of a unit, at a given element if any.
async fn latest(store: &SqliteStore, unit: UnitId, at: Option<ElementId>) -> Result<Tenure, Failure> {
    let tenures = store.tenures(unit).await.map_err(failed)?;
    if tenures.is_empty() {
        return Err(unknown(unit));
    }
    let here = tenures
        .into_iter()
        .filter(|tenure| at.is_none_or(|at| tenure.element == at));
    here.max_by_key(|tenure| tenure.from).ok_or_else(|| {
        let element = at.map(|at| at.to_string()).unwrap_or_default();
        mistake(format!(
            "unit {unit} never stood at element {element}; `unit show` lists where"
        ))
    })
}

fn handle(tenure: &Tenure) -> Handle {
    Handle {
        element: tenure.element,
        word: key::words(&tenure.hardware)
            .into_iter()
            .next()
            .unwrap_or_default(),
    }
}

fn reason(because: &str) -> Result<&str, Failure> {
    let reason = because.trim();
    if reason.is_empty() || reason.len() > 1_000 {
        return Err(mistake("--because: say why in 1 to 1,000 octets".to_owned()));
    }
    Ok(reason)
}

async fn merge(config: &Path, one: UnitId, other: UnitId, because: &str) -> Result<(), Failure> {
    let reason = reason(because)?;
    if one == other {
        return Err(mistake(format!("{one} is one unit already")));
    }
    let (_, store) = open(config).await?;
    let first = handle(&latest(&store, one, None).await?);
    let second = handle(&latest(&store, other, None).await?);
    store
        .decide(&first, Some(&second), reason, clock())
        .await
        .map_err(failed)?;
    store.close().await;
    print(&format_args!("noted: {one} and {other} are one unit"));
    Ok(())
}

async fn split(config: &Path, unit: UnitId, at: ElementId, because: &str) -> Result<(), Failure> {
    let reason = reason(because)?;
    let (_, store) = open(config).await?;
    let hardware = handle(&latest(&store, unit, Some(at)).await?);
    store
        .decide(&hardware, None, reason, clock())
        .await
        .map_err(failed)?;
    store.close().await;
    print(&format_args!("noted: the hardware at {at} is a unit of its own"));
    Ok(())
}
