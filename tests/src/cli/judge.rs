//! `lab bench judge`: how fast elements are judged against all packs, and what a draft would change.

use crate::judge;
use std::num::NonZeroUsize;
use time::OffsetDateTime;

/// How much of it.
#[derive(Debug, clap::Args)]
pub(super) struct JudgeArgs {
    /// Elements judged.
    #[arg(long, default_value_t = 1_000_000)]
    elements: u64,
    /// Components of each.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(0..=1000))]
    components: u32,
    /// Threads; as many as there are cores if not given.
    #[arg(long)]
    threads: Option<NonZeroUsize>,
    /// One line of JSON.
    #[arg(long)]
    json: bool,
}

/// Measures and prints.
pub(super) fn run(args: &JudgeArgs) -> Result<(), String> {
    let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let threads = args.threads.unwrap_or(cores);
    let figures = judge::run(
        args.elements,
        args.components,
        threads,
        OffsetDateTime::now_utc().date(),
    )?;
    if args.json {
        let line = serde_json::to_string(&figures).map_err(|error| error.to_string())?;
        return super::print(&line);
    }
    let ways = [
        ("explained one by one", &figures.explained),
        ("counted as a population", &figures.counted),
        ("what-if", &figures.what_if),
    ];
    let mut text = String::from("way                         seconds   CPU s  a second and core  us each\n");
    for (name, speed) in ways {
        text.push_str(&format!(
            "{name:<26}{:>9.1}{:>8.1}{:>19.0}{:>9.1}\n",
            speed.seconds,
            speed.cpu_seconds,
            speed.elements_per_second_per_core,
            speed.microseconds_per_element
        ));
    }
    super::print(&format_args!(
        "{text}\n{} elements with {} components each on {} threads; {} results, {} open findings, {} would open; \
         {} rules; {} MiB at most{}",
        figures.elements,
        figures.components,
        figures.threads,
        figures.results,
        figures.findings,
        figures.would_open,
        figures.rules,
        figures.peak_bytes >> 20,
        if figures.optimised {
            ""
        } else {
            ", built without optimisation"
        }
    ))
}
