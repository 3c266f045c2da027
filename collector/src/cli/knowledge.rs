//! `knowledge check`, `knowledge preview`, `knowledge import`: what an operator does to the knowledge, offline.

use super::agents::open;
use super::{EX_CONFIG, Failure, block_on};
use crate::evaluate::{Law, Operator};
use crate::preview::{Changed, Counts, Preview, preview};
use crate::web::show::clean;
use crate::{declare, packs, serve};
use ::identify::Knowledge;
use ::identify::knowledge::import::{self, Imported};
use clap::Subcommand;
use model::Attribution;
use proto::secret_file::SecretFile;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Largest registry read, in bytes.
const MAX_BYTES: u64 = 64 << 20;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Say what is wrong with knowledge files, by file and line, as if they lay over the built-in ones.
    Check {
        /// The files, or folders of them.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Say what knowledge files would change before they are taken: makers, brands, findings. Nothing is written.
    Preview {
        /// The collector's configuration.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// One object of JSON a line, the counts last.
        #[arg(long)]
        json: bool,
        /// The files, or folders of them; each takes the place of the one of its name in `knowledge.folder`.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Make the registry tables from what IANA and the IEEE publish.
    Import {
        /// The IANA private enterprise numbers (enterprise-numbers.txt).
        #[arg(long, value_name = "FILE")]
        enterprise_numbers: Option<PathBuf>,
        /// IEEE prefixes (oui.csv, mam.csv, oui36.csv, iab.csv); may be given several times.
        #[arg(long, value_name = "FILE")]
        prefixes: Vec<PathBuf>,
        /// The day or year the registries are of, like 2026-06-25 or 2026.
        #[arg(long, value_name = "DATE")]
        as_of: String,
        /// Where the tables go: the folder of `knowledge.folder`.
        #[arg(long, value_name = "FOLDER")]
        folder: PathBuf,
    },
}

/// Does what was asked.
pub(super) fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Check { files } => check(files),
        Command::Preview { config, json, files } => block_on(foresee(config, *json, files)),
        Command::Import {
            enterprise_numbers,
            prefixes,
            as_of,
            folder,
        } => import(enterprise_numbers.as_deref(), prefixes, as_of, folder),
    }
}

fn check(places: &[PathBuf]) -> Result<(), Failure> {
    let mut files = Vec::new();
    for place in places {
        files.extend(crate::identify::files(place).map_err(|e| Failure::configuration(&e))?);
    }
    let count = files.len();
    let faults = Knowledge::faults(files.clone());
    if !faults.is_empty() {
        let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
        return Err(Failure {
            code: EX_CONFIG,
            line: lines.join("\nmarque-collector: "),
        });
    }
    let knowledge = Knowledge::overlaid(files).map_err(|e| Failure::configuration(&e))?;
    said(&format!(
        "good: {count} files, {} suppliers; knowledge version {}",
        knowledge.suppliers().count(),
        knowledge.version()
    ))
}

fn import(numbers: Option<&Path>, prefixes: &[PathBuf], as_of: &str, folder: &Path) -> Result<(), Failure> {
    if as_of.parse::<policy::PartialDate>().is_err() {
        return Err(mistake(format!(
            "--as-of: {as_of:?} is not like 2026 or 2026-06-25"
        )));
    }
    if numbers.is_none() && prefixes.is_empty() {
        return Err(mistake(
            "give --enterprise-numbers, --prefixes or both".to_owned(),
        ));
    }
    if let Some(path) = numbers {
        let made = import::enterprise_numbers(&text(path)?, as_of);
        write(&made, folder, import::ENTERPRISE_REGISTRY, "numbers")?;
    }
    if !prefixes.is_empty() {
        let texts = prefixes
            .iter()
            .map(|path| text(path))
            .collect::<Result<Vec<_>, _>>()?;
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let made = import::address_prefixes(&texts, as_of);
        write(&made, folder, import::ADDRESS_REGISTRY, "prefixes")?;
    }
    Ok(())
}

/// The knowledge as it would be: what lies in the configured folder, with these files in their places.
fn proposed(folder: Option<&Path>, places: &[PathBuf]) -> Result<&'static Knowledge, Failure> {
    let read = |place: &Path| crate::identify::files(place).map_err(|e| Failure::configuration(&e));
    let mut files = Vec::new();
    for place in places {
        files.extend(read(place)?);
    }
    let name = |path: &str| Path::new(path).file_name().map(std::ffi::OsStr::to_owned);
    let given: Vec<_> = files.iter().map(|file| name(&file.name)).collect();
    if let Some(folder) = folder {
        files.extend(
            read(folder)?
                .into_iter()
                .filter(|file| !given.contains(&name(&file.name))),
        );
    }
    let knowledge = Knowledge::overlaid(files).map_err(|e| Failure::configuration(&e))?;
    Ok(Box::leak(Box::new(knowledge)))
}

async fn foresee(config: &Path, json: bool, places: &[PathBuf]) -> Result<(), Failure> {
    let (config, store) = open(config).await?;
    let knowledge = proposed(config.knowledge.folder.as_deref(), places)?;
    let policies = packs::open(&config.policy).map_err(|e| Failure::configuration(&e))?;
    let on_file =
        declare::on_file::read(&config.operator, &policies).map_err(|e| Failure::configuration(&e))?;
    let as_of = (serve::clock)()
        .date()
        .ok_or_else(|| mistake("the clock tells no day".to_owned()))?;
    let law = Law {
        policies: &policies,
        operator: Operator {
            tags: &config.operator.tags,
            name: &config.operator.name,
            on_file: &on_file,
        },
        as_of,
    };
    let tell = |one: Preview| {
        if json {
            super::print(&serde_json::json!(one));
        } else {
            lines(&one);
        }
    };
    let counts = preview(&store, knowledge, law, tell)
        .await
        .map_err(|e| Failure::other(&e))?;
    store.close().await;
    if json {
        super::print(&serde_json::json!({
            "knowledge": knowledge.version(), "counts": counts,
            "notice": policies.notice(), "horizon": policies.horizon(),
        }));
        return Ok(());
    }
    let Counts {
        elements,
        changed,
        attributions,
        opens,
        closes,
        unread,
    } = counts;
    super::print(&format_args!(
        "{changed} of {elements} elements change: {attributions} makers and brands, {opens} findings open, {closes} \
         close; {unread} elements are not identified yet\n# {}",
        policies.notice()
    ));
    Ok(())
}

fn lines(one: &Preview) {
    super::print(&format_args!(
        "{} at {} ({})",
        clean(&one.name, 64),
        one.site,
        one.element
    ));
    for Changed {
        component,
        aspect,
        before,
        after,
    } in &one.changes
    {
        let part = component
            .as_ref()
            .map(|index| format!("part {} ", clean(index, 48)))
            .unwrap_or_default();
        super::print(&format_args!(
            "    {part}{aspect}: {} → {}",
            named(before),
            named(after)
        ));
    }
    if one.standing_before != one.standing_after {
        super::print(&format_args!(
            "    standing: {} → {}",
            one.standing_before, one.standing_after
        ));
    }
    for result in &one.opens {
        super::print(&format_args!(
            "    opens {}: {} ({})",
            result.rule, result.supplier, result.class
        ));
    }
    for (rule, _, supplier) in &one.closes {
        super::print(&format_args!("    closes {rule}: {supplier}"));
    }
}

fn named(attribution: &Option<Attribution>) -> String {
    attribution.as_ref().map_or_else(
        || "unknown".to_owned(),
        |one| {
            format!(
                "{} {:.0} %",
                clean(&one.supplier.name, 48),
                one.confidence * 100.0
            )
        },
    )
}

fn text(path: &Path) -> Result<String, Failure> {
    crate::identify::text(path, MAX_BYTES).map_err(|e| Failure::other(&e))
}

/// An empty table would forget every number: what yields none is refused.
fn write(made: &Imported, folder: &Path, name: &str, what: &str) -> Result<(), Failure> {
    if made.entries == 0 {
        return Err(mistake(format!(
            "no {what} in it: neither the form the registry publishes nor a table"
        )));
    }
    let path = folder.join(name);
    // Whole or not at all: half a table would forget numbers.
    SecretFile::create(&path)
        .and_then(|file| file.save(&made.text))
        .map_err(|error| mistake(format!("{}: cannot be written: {error}", path.display())))?;
    said(&format!(
        "{}: {} {what} of {} organisations; {} without a holder, {} lines ignored",
        path.display(),
        made.entries,
        made.organisations,
        made.nameless,
        made.ignored
    ))
}

fn mistake(line: String) -> Failure {
    Failure { code: 1, line }
}

fn said(line: &str) -> Result<(), Failure> {
    writeln!(std::io::stdout(), "{line}").map_err(|error| mistake(format!("cannot write: {error}")))
}
