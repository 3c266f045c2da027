//! `policy …`: judge one asset, and read, check, test and compare packs.
//!
//! Invariant: the evaluator and the reader of packs are those of the running
//! collector; standard output is what was asked for and nothing else.

mod compare;
mod exposure;
mod print;

use super::{EX_DATAERR, Failure};
use crate::config::{Config, PolicyConfig};
use crate::packs;
use ::policy::case::Day;
use ::policy::policies::Text;
use ::policy::{Facts, PartialDate, Policies, Question, case};
use clap::{Args, Subcommand};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use time::Date;

/// Largest facts file, in bytes.
const MAX_FACTS_BYTES: u64 = 1 << 20;

#[derive(Subcommand)]
pub(super) enum Command {
    /// What every rule of its jurisdiction says of one asset: one JSON object, by rule.
    Judge(Judge),
    /// List the rules, one a line between tabs.
    List {
        #[command(flatten)]
        packs: Packs,
        /// List the keys of the suppliers instead.
        #[arg(long)]
        suppliers: bool,
    },
    /// Print one rule: citation, dates, tests, sources and how good they are.
    Show {
        #[command(flatten)]
        packs: Packs,
        /// Key of the rule.
        #[arg(value_name = "RULE")]
        rule: String,
    },
    /// Say whether packs can be used; a mistake is told with line, column and a hint.
    Check {
        /// Packs, or a folder of them.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Run the worked examples of packs; the built-in ones unless files are given.
    Test {
        /// Packs, or a folder of them.
        #[arg(value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Which findings of the network would open and close under drafts and assumptions.
    WhatIf(exposure::WhatIf),
    /// How exposed the network is, or was on any day: as known then and as known now.
    Exposure(exposure::Exposed),
    /// How fast findings are removed, against the date of each rule.
    BurnDown(exposure::BurnsDown),
    /// What changes from one pack or folder to another, rule by rule.
    Diff {
        /// The old pack or folder; `built-in` for the packs that come with the program.
        #[arg(value_name = "OLD")]
        old: PathBuf,
        /// The new one.
        #[arg(value_name = "NEW")]
        new: PathBuf,
    },
}

/// Which packs.
#[derive(Args)]
pub(super) struct Packs {
    /// A folder of packs used instead of the built-in ones.
    #[arg(long, value_name = "FOLDER", conflicts_with = "config")]
    packs: Option<PathBuf>,
    /// The packs of this configuration of a collector, with its keys and pins.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Leave open what a text that names nobody is usually read to mean.
    #[arg(long)]
    without_interpretation: bool,
}

#[derive(Args)]
pub(super) struct Judge {
    /// The asset as one JSON object; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    facts: PathBuf,
    /// The day judged for, YYYY-MM-DD.
    #[arg(long, value_name = "DATE", value_parser = day)]
    as_of: Date,
    /// Look at nothing that was announced after this day.
    #[arg(long, value_name = "DATE", value_parser = day)]
    as_known: Option<Date>,
    /// Take a rule as in force from a day on, or as the day its dates run from.
    #[arg(long, value_name = "RULE=DATE", value_parser = assumption)]
    assume: Vec<(String, PartialDate)>,
    #[command(flatten)]
    packs: Packs,
}

fn day(text: &str) -> Result<Date, String> {
    let date: PartialDate = text.parse().map_err(|e| format!("{e}"))?;
    Day::try_from(date).map(|day| day.0)
}

fn assumption(text: &str) -> Result<(String, PartialDate), String> {
    let (rule, date) = text
        .split_once('=')
        .ok_or("write RULE=DATE, e.g. EU-CSA2-PROP=2027-01-01")?;
    let date = date.parse().map_err(|e| format!("{e}"))?;
    Ok((rule.to_owned(), date))
}

/// Assumptions by rule; each names a rule of the packs, and none twice.
fn assumptions(
    told: &[(String, PartialDate)],
    policies: &Policies,
) -> Result<BTreeMap<String, PartialDate>, Failure> {
    let mut assumed = BTreeMap::new();
    for (rule, date) in told {
        if policies.rule(rule).is_none() {
            let closest = policies.closest(rule);
            let hint = closest.map_or_else(String::new, |closest| format!(", the closest is {closest}"));
            return Err(data(format!(
                "--assume: no rule has the key {rule:?}{hint}; see policy list"
            )));
        }
        if assumed.insert(rule.clone(), *date).is_some() {
            return Err(data(format!("--assume: {rule} is assumed twice")));
        }
    }
    Ok(assumed)
}

pub(super) fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Judge(judge) => judge.run(),
        Command::List { packs, suppliers } => print::list(&packs.load()?, *suppliers),
        Command::Show { packs, rule } => print::show(&packs.load()?, rule),
        Command::Check { files } => check(files),
        Command::Test { files } => test(files),
        Command::WhatIf(asked) => super::block_on(asked.run()),
        Command::Exposure(asked) => super::block_on(asked.run()),
        Command::BurnDown(asked) => super::block_on(asked.run()),
        Command::Diff { old, new } => compare::diff(old, new),
    }
}

impl Packs {
    fn load(&self) -> Result<Policies, Failure> {
        let config = match (&self.config, &self.packs) {
            (Some(path), _) => Config::read(path).map_err(|e| Failure::configuration(&e))?.policy,
            (None, folder) => PolicyConfig {
                folder: folder.clone(),
                ..PolicyConfig::default()
            },
        };
        let policies = packs::open(&config).map_err(|e| Failure::configuration(&e))?;
        Ok(if self.without_interpretation {
            policies.without_interpretation()
        } else {
            policies
        })
    }
}

impl Judge {
    fn run(&self) -> Result<(), Failure> {
        let policies = self.packs.load()?;
        let assumed = assumptions(&self.assume, &policies)?;
        let facts = read_facts(&self.facts)?;
        let question = Question {
            as_of: self.as_of,
            as_known: self.as_known,
            assumed: &assumed,
            powers: true,
        };
        let verdicts = ::policy::judge(&facts, &policies, &question)
            .map_err(|error| data(format!("{}: {error}", self.facts.display())))?;
        let object = serde_json::to_string(&verdicts).map_err(|e| Failure::other(&e))?;
        written(writeln!(std::io::stdout(), "{object}"))?;
        for tag in facts
            .operator_tags
            .0
            .iter()
            .filter(|tag| !policies.knows_tag(tag))
        {
            note(&format!("operator tag {tag:?} binds nobody: no rule asks for it"));
        }
        let code = facts.jurisdiction.as_ref().map_or("", |code| code.as_str());
        let pack = policies.pack(code).map(|pack| pack.horizon.to_string());
        let horizon = pack.unwrap_or_else(|| policies.horizon());
        note(&format!(
            "{}; nothing after {horizon} was seen",
            print::DISCLAIMER
        ));
        Ok(())
    }
}

/// A remark beside the answer; who closed standard error does not want it.
fn note(words: &str) {
    let shown: String = words.chars().filter(|c| !c.is_control()).collect();
    let _ = writeln!(std::io::stderr(), "marque-collector: {shown}");
}

fn data(line: String) -> Failure {
    let line = line
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    Failure {
        code: EX_DATAERR,
        line,
    }
}

/// A reader that went away has seen what it wanted; anything else is a failure.
fn written(outcome: std::io::Result<()>) -> Result<(), Failure> {
    match outcome {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::other(&error)),
        _ => Ok(()),
    }
}

fn read_facts(path: &Path) -> Result<Facts, Failure> {
    let shown = path.display().to_string();
    let wrong = |words: String| data(format!("{shown}: {words}"));
    let bytes = if path == Path::new("-") {
        bounded(std::io::stdin().lock(), MAX_FACTS_BYTES)
    } else {
        std::fs::File::open(path)
            .map_err(|e| e.to_string())
            .and_then(|file| bounded(file, MAX_FACTS_BYTES))
    };
    let bytes = bytes.map_err(|e| wrong(format!("cannot be read: {e}")))?;
    let text = bytes.strip_prefix(b"\xef\xbb\xbf".as_slice()).unwrap_or(&bytes);
    // A list would be read as the fields in their order.
    if text.trim_ascii_start().first() != Some(&b'{') {
        return Err(wrong("is no JSON object".to_owned()));
    }
    let mut reader = serde_json::Deserializer::from_slice(text);
    let facts: Facts = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let field = error.path().to_string();
        let inner = error.into_inner();
        match field.as_str() {
            "." | "?" => wrong(inner.to_string()),
            field => wrong(format!("{field}: {inner}")),
        }
    })?;
    reader.end().map_err(|error| wrong(error.to_string()))?;
    Ok(facts)
}

fn bounded(source: impl std::io::Read, limit: u64) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    source
        .take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(|e| e.to_string())?;
    if u64::try_from(bytes.len()).is_ok_and(|size| size > limit) {
        return Err(format!("is larger than {limit} bytes"));
    }
    Ok(bytes)
}

/// One pack among the built-in ones in place of that of its jurisdiction, or a folder by itself.
fn load(path: &Path) -> Result<Policies, Failure> {
    let config = PolicyConfig {
        folder: path.is_dir().then(|| path.to_path_buf()),
        ..PolicyConfig::default()
    };
    let drafts = if path.is_dir() {
        Vec::new()
    } else {
        vec![draft(path)?]
    };
    packs::with_drafts(&config, &drafts).map_err(|error| Failure::configuration(&error))
}

/// A pack under the name it was given by.
fn draft(path: &Path) -> Result<Text, Failure> {
    Ok((path.display().to_string(), pack_text(path)?))
}

fn pack_text(path: &Path) -> Result<String, Failure> {
    packs::text_of(path).map_err(|error| Failure::configuration(&error))
}

/// Packs of a path: all of a folder, or the one of a file.
fn own_packs(path: &Path, policies: &Policies) -> Result<Vec<String>, Failure> {
    if path.is_dir() {
        return Ok(policies
            .packs()
            .iter()
            .map(|pack| pack.code.as_str().to_owned())
            .collect());
    }
    let table: toml::Table = toml::from_str(&pack_text(path)?).map_err(|e| Failure::configuration(&e))?;
    Ok(table
        .get("code")
        .and_then(|code| code.as_str())
        .map(str::to_owned)
        .into_iter()
        .collect())
}

fn check(files: &[PathBuf]) -> Result<(), Failure> {
    for path in files {
        let policies = load(path)?;
        let codes = own_packs(path, &policies)?;
        let packs = || codes.iter().filter_map(|code| policies.pack(code));
        let rules: usize = packs().map(|pack| pack.rules.len()).sum();
        let tests: usize = packs()
            .flat_map(|pack| &pack.rules)
            .map(|rule| rule.tests.len())
            .sum();
        let line = format!("{}: good; {rules} rules, {tests} worked examples", path.display());
        written(writeln!(std::io::stdout(), "{line}"))?;
    }
    Ok(())
}

fn test(files: &[PathBuf]) -> Result<(), Failure> {
    let (mut count, mut broken, mut notices) = (0, Vec::new(), BTreeSet::new());
    let mut run = |policies: &Policies, codes: &[String]| {
        notices.insert(policies.notice());
        for pack in codes.iter().filter_map(|code| policies.pack(code)) {
            let (ran, failed) = case::run(pack, policies);
            count += ran;
            broken.extend(failed);
        }
    };
    if files.is_empty() {
        let policies = Policies::built_in().map_err(|e| Failure::configuration(&e))?;
        let codes: Vec<_> = policies
            .packs()
            .iter()
            .map(|pack| pack.code.as_str().to_owned())
            .collect();
        run(&policies, &codes);
    }
    for path in files {
        let policies = load(path)?;
        run(&policies, &own_packs(path, &policies)?);
    }
    for failed in &broken {
        written(writeln!(std::io::stdout(), "{failed}"))?;
    }
    let line = format!("{} of {count} worked examples hold", count - broken.len());
    let notices: Vec<String> = notices.into_iter().map(|notice| format!("# {notice}")).collect();
    written(writeln!(std::io::stdout(), "{line}\n{}", notices.join("\n")))?;
    if broken.is_empty() {
        return Ok(());
    }
    Err(Failure {
        code: 1,
        line: format!("{} worked examples do not hold", broken.len()),
    })
}
