//! `lab bench accuracy`: how often identification is right, on labelled recordings.

use crate::accuracy::{self, Accuracy, Counts, Labels, Rows};
use collector::admin::chain;
use std::fmt::Write as _;
use std::path::PathBuf;

/// On what, and what else to tell.
#[derive(Debug, clap::Args)]
pub(super) struct AccuracyArgs {
    /// Folder of recordings; its INDEX.tsv may say which file belongs to which label.
    #[arg(long, value_name = "DIR")]
    recordings: PathBuf,
    /// Table of labels: path, sysObjectID, sysDescr, truth_maker, accept, restricted_tier.
    #[arg(long, value_name = "TSV")]
    labels: PathBuf,
    /// Print one line of JSON.
    #[arg(long)]
    json: bool,
    /// Also measure each maker without its curated facts: what is to be expected of makers nobody curated.
    #[arg(long)]
    withhold: bool,
    /// Also list what is not right, on standard error.
    #[arg(long)]
    misses: bool,
    /// Also list curated facts that a single label rests on, on standard error.
    #[arg(long)]
    facts: bool,
    /// Draw stated confidence against the share right; with --withhold, also for makers nobody curated.
    #[arg(long, value_name = "SVG")]
    plot: Option<PathBuf>,
}

/// Measures and prints.
pub(super) fn run(args: &AccuracyArgs) -> Result<(), String> {
    let labels = Labels::read(&args.labels, &args.recordings).map_err(|e| chain(&e))?;
    let measured = accuracy::measure(&labels, args.withhold).map_err(|e| chain(&e))?;
    if args.misses {
        for line in accuracy::misses(&labels).map_err(|e| chain(&e))? {
            super::note(&line);
        }
        for line in measured.withheld.iter().flat_map(|withheld| &withheld.wrong) {
            super::note(line);
        }
    }
    if args.facts {
        for (fact, label) in &measured.used_once.list {
            super::note(&format_args!("{fact}\t{label}"));
        }
    }
    if let Some(path) = &args.plot {
        let title = format!(
            "Stated confidence and share right, knowledge {}",
            measured.knowledge
        );
        let withheld = measured.withheld.as_ref();
        let withheld = withheld.map_or(&[][..], |withheld| &withheld.reliability);
        accuracy::reliability(&measured.reliability, withheld, &title, path).map_err(|e| chain(&e))?;
    }
    if args.json {
        let line = serde_json::to_string(&measured).map_err(|e| e.to_string())?;
        return super::print(&line);
    }
    super::print(&table(&measured))
}

fn table(measured: &Accuracy) -> String {
    let mut text = format!("knowledge {}\n", measured.knowledge);
    let mut line = |name: &str, counts: &Counts| {
        let percent = |share: f64| share * 100.0;
        let _ = writeln!(
            text,
            "{name:<34} {:>6} {:>6} right {:>5.1} % {:>5} wrong {:>5.1} % {:>5} unknown {:>5.1} %",
            counts.elements,
            counts.right,
            percent(counts.right_share),
            counts.wrong,
            percent(counts.wrong_share),
            counts.unknown,
            percent(counts.unknown_share),
        );
    };
    line("recordings", &measured.recordings.all);
    line("  without interfaces and parts", &measured.system_only);
    line("  with interfaces", &measured.with_interfaces);
    line("  with ENTITY-MIB", &measured.with_parts);
    line("sysObjectID and sysDescr alone", &measured.two_strings.all);
    if let Some(withheld) = &measured.withheld {
        line("  each maker uncurated", &withheld.counts);
    }
    for (name, rows) in [
        ("recordings", &measured.recordings),
        ("two strings", &measured.two_strings),
    ] {
        text.push_str(&restricted(name, rows));
        let _ = writeln!(
            text,
            "{name}: {} of the right ones by their brand: the label names it, and another company builds them",
            rows.all.right_by_brand
        );
    }
    let (parts, once, speed) = (&measured.components, &measured.used_once, &measured.speed);
    let _ = writeln!(
        text,
        "components: {} found, {} with a maker, {} of another maker, {} of restricted makers in others' units",
        parts.found, parts.with_maker, parts.of_another_maker, parts.restricted_elsewhere
    );
    let _ = writeln!(
        text,
        "curated facts used: {}, {} by one label alone, {} labels rest on such a fact only",
        once.facts_used, once.once, once.labels_resting_on_one
    );
    let _ = write!(
        text,
        "one core: recordings in {:.3} s, standard mix ({:.0} variables) {:.0} elements/s{}",
        speed.recordings_seconds,
        speed.mix_variables,
        speed.mix_per_second,
        if speed.optimised { "" } else { " (not optimised)" }
    );
    text
}

fn restricted(name: &str, rows: &Rows) -> String {
    format!(
        "{name}: restricted makers precision {:.4} recall {:.4} ({} elements); generic hosts asserted {} of {}\n",
        rows.restricted.precision,
        rows.restricted.recall,
        rows.restricted.elements,
        rows.generic_hosts_asserted,
        rows.generic_hosts
    )
}
