//! `policy what-if`, `policy exposure`, `policy burn-down`: the whole network judged, over the collector's store.
//!
//! Invariants: the store is read and never written, beside a collector that runs or
//! without one; whatever is printed carries the disclaimer and the evidence horizon.

mod sheet;
mod tables;

use super::{assumption, assumptions, data, day, draft, print, written};
use crate::cli::Failure;
use crate::config::Config;
use crate::evaluate::Operator;
use crate::population::{Days, compare, pace, survey};
use crate::{declare, packs, serve};
use ::policy::differing::differing;
use ::policy::population::{By, Comparison, Exposure, Survey};
use ::policy::recall::Recall;
use ::policy::{PartialDate, Policies, Question};
use clap::{Args, ValueEnum};
use model::on_file::OnFile;
use serde_json::{Value, json};
use sheet::Sheet;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use store::SqliteReader;
use time::Date;

/// Examples told at most.
const MOST: i64 = 10_000;

/// What the operator's side of the answer rests on.
const TAGS: &str =
    "who you are before the law, and approvals, shares and prices, are taken as configured now";

#[derive(Args)]
pub(in crate::cli) struct WhatIf {
    #[command(flatten)]
    network: Network,
    /// A draft in place of the pack of its jurisdiction, or of the affiliations or countries.
    #[arg(long = "pack", value_name = "FILE")]
    packs: Vec<PathBuf>,
    /// Take a rule as in force from a day on, or as the day its dates run from.
    #[arg(long, value_name = "RULE=DATE", value_parser = assumption)]
    assume: Vec<(String, PartialDate)>,
    /// The day judged for, YYYY-MM-DD; today unless given.
    #[arg(long, value_name = "DATE", value_parser = day)]
    as_of: Option<Date>,
    /// Take what was known on this day; what is known now unless given.
    #[arg(long, value_name = "DATE", value_parser = day)]
    as_known: Option<Date>,
}

#[derive(Args)]
pub(in crate::cli) struct Exposed {
    #[command(flatten)]
    network: Network,
    /// The day judged for, YYYY-MM-DD; today unless given.
    #[arg(long, value_name = "DATE", value_parser = day)]
    as_of: Option<Date>,
    /// Tell one way only: what was known on a day, or `now`.
    #[arg(long, value_name = "DATE|now", value_parser = known)]
    as_known: Option<Known>,
}

#[derive(Args)]
pub(in crate::cli) struct BurnsDown {
    /// The collector's configuration.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The day told of, YYYY-MM-DD; today unless given.
    #[arg(long, value_name = "DATE", value_parser = day)]
    as_of: Option<Date>,
    /// One line of JSON.
    #[arg(long)]
    json: bool,
    /// CSV, the disclaimer in the last row.
    #[arg(long, conflicts_with = "json")]
    csv: bool,
}

/// Which network, and how it is told.
#[derive(Args)]
struct Network {
    /// The collector's configuration.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// What the table beside that of the rules is grouped by.
    #[arg(long, value_name = "WORD", default_value = "site")]
    by: Grouped,
    /// Findings told one by one, at most.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(i64).range(0..=MOST))]
    examples: i64,
    /// One line of JSON, with every grouping.
    #[arg(long)]
    json: bool,
    /// CSV with every grouping, the disclaimer in the last row.
    #[arg(long, conflicts_with = "json")]
    csv: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Grouped {
    Site,
    Role,
    Supplier,
    Month,
}

#[derive(Clone, Copy)]
enum Known {
    On(Date),
    Now,
}

fn known(text: &str) -> Result<Known, String> {
    if text == "now" {
        return Ok(Known::Now);
    }
    day(text)
        .map(Known::On)
        .map_err(|error| format!("{error}, or now"))
}

impl Grouped {
    fn by(self) -> By {
        match self {
            Self::Site => By::Site,
            Self::Role => By::Role,
            Self::Supplier => By::Supplier,
            Self::Month => By::Month,
        }
    }
}

/// A store and what it is judged by.
struct Opened {
    config: Config,
    store: SqliteReader,
}

impl Opened {
    async fn new(path: &std::path::Path) -> Result<Self, Failure> {
        let config = Config::read(path).map_err(|e| Failure::configuration(&e))?;
        let store = SqliteReader::open(&config.store.path).await;
        Ok(Self {
            store: store.map_err(|e| Failure::other(&e))?,
            config,
        })
    }

    fn on_file(&self, policies: &Policies) -> Result<OnFile, Failure> {
        declare::on_file::read(&self.config.operator, policies).map_err(|e| Failure::configuration(&e))
    }

    fn operator<'a>(&'a self, on_file: &'a OnFile) -> Operator<'a> {
        Operator {
            tags: &self.config.operator.tags,
            name: &self.config.operator.name,
            on_file,
        }
    }
}

/// The days asked about; knowledge of days to come is none.
fn days(as_of: Option<Date>, as_known: Option<Date>) -> Result<Days, Failure> {
    let today = serve::clock().date().unwrap_or(Date::MIN);
    if let Some(known) = as_known.filter(|known| *known > today) {
        return Err(data(format!(
            "--as-known: {known} is to come, and nobody knows it yet"
        )));
    }
    Ok(Days {
        as_of: as_of.unwrap_or(today),
        as_known: as_known.filter(|known| *known < today),
        today,
    })
}

fn question<'a>(days: Days, assumed: &'a BTreeMap<String, PartialDate>) -> Question<'a> {
    Question {
        as_of: days.as_of,
        as_known: Some(days.known()),
        assumed,
        powers: false,
    }
}

fn day_of(date: Date) -> Value {
    json!(PartialDate::from(date).to_string())
}

/// What every answer says of itself.
fn told(policies: &Policies) -> Value {
    json!({
        "packs": policies.version(),
        "disclaimer": print::DISCLAIMER,
        "horizon": policies.horizon(),
        "operator": TAGS,
    })
}

fn notice(policies: &Policies) -> String {
    format!("{}; {TAGS}", policies.notice())
}

fn closing(policies: &Policies) -> String {
    format!("# {}\n", notice(policies))
}

fn object(value: &Value) -> Result<(), Failure> {
    written(writeln!(std::io::stdout(), "{value}"))
}

fn text(words: &str) -> Result<(), Failure> {
    written(std::io::stdout().write_all(words.as_bytes()))
}

impl WhatIf {
    pub(super) async fn run(&self) -> Result<(), Failure> {
        if self.assume.is_empty() && self.packs.is_empty() {
            return Err(Failure {
                code: super::super::EX_USAGE,
                line: "nothing is asked: give --assume RULE=DATE or --pack FILE; policy exposure tells how it is"
                    .to_owned(),
            });
        }
        let days = days(self.as_of, self.as_known)?;
        let config = Config::read(&self.network.config).map_err(|e| Failure::configuration(&e))?;
        let before = packs::open(&config.policy).map_err(|e| Failure::configuration(&e))?;
        let drafts = self.packs.iter().map(|path| draft(path));
        let drafts = drafts.collect::<Result<Vec<_>, _>>()?;
        let after = packs::with_drafts(&config.policy, &drafts).map_err(|e| Failure::configuration(&e))?;
        let (nothing, assumed) = (BTreeMap::new(), assumptions(&self.assume, &after)?);
        let (first, second) = (question(days, &nothing), question(days, &assumed));
        let only = differing((&before, &first), (&after, &second));
        let sides = [
            Recall::new(&before, first).only(only.as_ref()),
            Recall::new(&after, second).only(only.as_ref()),
        ];
        let [first, second] = sides;
        let examples = usize::try_from(self.network.examples).unwrap_or(0);
        let opened = Opened::new(&self.network.config).await?;
        let on_file = opened.on_file(&before)?;
        let operator = opened.operator(&on_file);
        let compared = Comparison::new(first, second, examples);
        let compared = compare(&opened.store, [days, days], operator, compared).await;
        let difference = compared.map_err(|e| Failure::other(&e))?.finish();
        opened.store.close().await;
        if self.network.json {
            let assumed: BTreeMap<_, _> = assumed
                .iter()
                .map(|(rule, day)| (rule, day.to_string()))
                .collect();
            return object(&json!({
                "as_of": day_of(days.as_of),
                "as_known": day_of(days.known()),
                "assumed": assumed,
                "drafts": drafts.iter().map(|(name, _)| name).collect::<Vec<_>>(),
                "difference": difference,
                "about": told(&after),
            }));
        }
        if self.network.csv {
            let mut sheet = Sheet::of_network()?;
            sheet.on(days);
            sheet.difference(&difference)?;
            return text(&sheet.finish(&notice(&after))?);
        }
        let mut out = tables::days(days);
        for (rule, day) in &assumed {
            tables::line(&mut out, &format!("assumed: {rule} from {day}"));
        }
        for (name, _) in &drafts {
            tables::line(&mut out, &format!("draft: {name}"));
        }
        out.push_str(&tables::difference(&difference, self.network.by.by()));
        out.push_str(&closing(&after));
        text(&out)
    }
}

impl Exposed {
    pub(super) async fn run(&self) -> Result<(), Failure> {
        let now = days(self.as_of, None)?;
        let ways = match self.as_known {
            Some(Known::Now) => vec![now],
            Some(Known::On(day)) => vec![days(self.as_of, Some(day))?],
            // What was known on a day to come is what is known now.
            None if now.as_of >= now.today => vec![now],
            None => vec![days(self.as_of, self.as_of)?, now],
        };
        let opened = Opened::new(&self.network.config).await?;
        let policies = packs::open(&opened.config.policy).map_err(|e| Failure::configuration(&e))?;
        let (on_file, nothing) = (opened.on_file(&policies)?, BTreeMap::new());
        let operator = opened.operator(&on_file);
        let recall = |days: Days| Recall::new(&policies, question(days, &nothing));
        let mut told_ways: Vec<(Days, Exposure)> = Vec::new();
        for &days in &ways {
            let counted = survey(
                &opened.store,
                days,
                operator,
                Survey::new(recall(days)),
                |_, _| {},
            )
            .await;
            told_ways.push((days, counted.map_err(|e| Failure::other(&e))?.finish()));
        }
        let difference = match ways.as_slice() {
            &[then, now] => {
                let examples = usize::try_from(self.network.examples).unwrap_or(0);
                let compared = Comparison::new(recall(then), recall(now), examples);
                let compared = compare(&opened.store, [then, now], operator, compared).await;
                Some(compared.map_err(|e| Failure::other(&e))?.finish())
            }
            _ => None,
        };
        opened.store.close().await;
        if self.network.json {
            let way = |(days, exposure): &(Days, Exposure)| json!({"as_known": day_of(days.known()), "exposure": exposure});
            return object(&json!({
                "as_of": day_of(now.as_of),
                "ways": told_ways.iter().map(way).collect::<Vec<_>>(),
                "difference": difference,
                "about": told(&policies),
            }));
        }
        if self.network.csv {
            let mut sheet = Sheet::of_network()?;
            for (days, exposure) in &told_ways {
                sheet.on(*days);
                sheet.exposure(exposure)?;
            }
            if let Some(difference) = &difference {
                sheet.on(now);
                sheet.difference(difference)?;
            }
            return text(&sheet.finish(&notice(&policies))?);
        }
        let by = self.network.by.by();
        let mut out = String::new();
        for (days, exposure) in &told_ways {
            out.push_str(&tables::days(*days));
            out.push_str(&tables::exposure(exposure, by));
        }
        if let Some(difference) = &difference {
            tables::line(&mut out, "what is known now and was not known then:");
            out.push_str(&tables::difference(difference, by));
        }
        out.push_str(&closing(&policies));
        text(&out)
    }
}

impl BurnsDown {
    pub(super) async fn run(&self) -> Result<(), Failure> {
        let as_of = days(self.as_of, None)?.as_of;
        let opened = Opened::new(&self.config).await?;
        let policies = packs::open(&opened.config.policy).map_err(|e| Failure::configuration(&e))?;
        let rules = pace(&opened.store, as_of).await.map_err(|e| Failure::other(&e))?;
        opened.store.close().await;
        if self.json {
            return object(&json!({
                "as_of": day_of(as_of),
                "rules": rules,
                "about": told(&policies),
            }));
        }
        if self.csv {
            let mut sheet = Sheet::of_removal(as_of)?;
            sheet.burn_down(&rules)?;
            return text(&sheet.finish(&notice(&policies))?);
        }
        text(&(tables::burn_down(&rules) + &closing(&policies)))
    }
}
