//! `lab bench judge`: how fast elements are judged against all packs.

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
    super::print(&format_args!(
        "{} elements with {} components each in {:.1} s on {} threads: {:.0} a second and core, {:.1} µs each; \
         {} results, {} open findings, {} rules",
        figures.elements,
        figures.components,
        figures.seconds,
        figures.threads,
        figures.elements_per_second_per_core,
        figures.microseconds_per_element,
        figures.results,
        figures.findings,
        figures.rules
    ))
}
