//! `lab bench`: figures of Marque on this machine, as a table or one line of JSON.

use crate::bench::{self, Compared, Figures, Spec};
use crate::network::crowd;
use collector::admin::chain;
use std::fmt::Write as _;
use std::pin::pin;
use std::time::Duration;

/// What to measure.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Bench {
    /// From an agent's spool to the collector's disk, against a bare stream and a bare store.
    #[command(after_help = KEYS)]
    Line(LineArgs),
    /// Right, wrong and unknown makers on labelled recordings, and how fast.
    Accuracy(super::accuracy::AccuracyArgs),
    /// How fast a stored fleet is identified, and identified again after new knowledge came.
    #[command(after_help = IDENTIFY_KEYS)]
    Identify(IdentifyArgs),
    /// How fast a stored fleet is judged, judged again for another day, and asked what a draft would change.
    #[command(after_help = EVALUATE_KEYS)]
    Evaluate(EvaluateArgs),
    /// How fast elements are judged against all packs.
    #[command(after_help = JUDGE_KEYS)]
    Judge(super::judge::JudgeArgs),
    /// Full rounds and refresh rounds with simulated elements, in processes of their own.
    #[command(after_help = POLL_KEYS)]
    Poll(PollArgs),
    /// How fast the pages answer on a large network, with many who look while reports come in.
    #[command(after_help = VIEW_KEYS)]
    View(ViewArgs),
}

/// What the keys of `view --json` mean.
const VIEW_KEYS: &str = "\
Keys of --json:
  pages, all            by page, and all together
    answers             how many were got
    p50_ms, p99_ms, most_ms
                        within so many milliseconds: half of them, all but one of a hundred, all
    bytes               octets of the largest as sent, compressed
  filling_seconds       from the first report to the last conclusion, before anybody looked
  ingested              reports that came in while they looked
  peak_bytes            most octets of the collector's memory
  optimised             false: built without --release, so the figures mean little";

/// How much to look at.
#[derive(Debug, clap::Args)]
pub(super) struct ViewArgs {
    /// Print one line of JSON, and all else to standard error.
    #[arg(long)]
    json: bool,
    /// Elements in the store.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(20..=5_000_000))]
    elements: u32,
    /// Who look at the same time; each asks for another page a second after it got the last.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=500))]
    viewers: u32,
    /// How long they look.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: u64,
}

/// What the keys of `identify --json` mean.
const IDENTIFY_KEYS: &str = "\
Keys of --json:
  first, again          everything is new and written; other knowledge that changes none of it
    per_second          elements a second by the clock
    per_core_second     elements for each second of processor time, of all threads
    cpu_micros          microseconds of processor time for one
  optimised             false: built without --release, so the figures mean little";

/// How much to identify.
#[derive(Debug, clap::Args)]
pub(super) struct IdentifyArgs {
    /// Print one line of JSON, and all else to standard error.
    #[arg(long)]
    json: bool,
    /// Elements in the store: of 20 14 access switches, 3 cameras, 2 radio units, 1 chassis router.
    #[arg(long, default_value_t = 50_000, value_parser = clap::value_parser!(u32).range(20..=1_000_000))]
    elements: u32,
}

/// What the keys of `evaluate --json` mean.
const EVALUATE_KEYS: &str = "\
Keys of --json:
  first, again          by the reconciler: every finding opens; the next day, little is written
  exposure, what_if     over the same store: one day, and before and after a draft is assumed
    per_second          elements a second by the clock
    per_core_second     elements for each second of processor time, of all threads
    cpu_micros          microseconds of processor time for one
  findings, would_open  open in that exposure, and opened by that draft
  optimised             false: built without --release, so the figures mean little";

/// How much to judge.
#[derive(Debug, clap::Args)]
pub(super) struct EvaluateArgs {
    /// Print one line of JSON, and all else to standard error.
    #[arg(long)]
    json: bool,
    /// Elements in the store, as for `identify`.
    #[arg(long, default_value_t = 50_000, value_parser = clap::value_parser!(u32).range(20..=1_000_000))]
    elements: u32,
}

/// What the keys of `poll --json` mean.
const POLL_KEYS: &str = "\
Keys of --json:
  full, refresh         walks, and rounds in which one answer shows that nothing moved: polling alone
  full_kept, ..._kept   the same with reports made and spooled
    per_second, spread  elements a second: the median round, the slowest and the fastest
    steady_per_second   the same as long as there were elements to begin, without waiting for the last
    cpu_ms              milliseconds of the poller's processor time, for one element
    packets, octets     requests to one element; octets of datagrams to it and back, without headers
  undisturbed, slowdown with --hostile: full rounds without those who do not behave, and by how much these slow
                        the others down (0.05 is 5 %)
  variables             of one element in a full round, in the mean
  peak_bytes            most octets of the poller's memory
  load                  tasks running or waiting to, before and after: others slow all of this down
  optimised             false: built without --release, so the figures mean little";

/// What the keys of `judge --json` mean.
const JUDGE_KEYS: &str = "\
Keys of --json:
  explained, counted, what_if
                        each element judged by itself and explained in words, as the collector does with one
                        that changed; all judged anew and counted; all judged before and after a draft
    seconds             wall time, without making the elements (making_seconds)
    cpu_seconds         processor time of all threads for it, and from that:
    elements_per_second_per_core, microseconds_per_element
  results, findings     of any class, and those that open one; would_open: under the draft that is assumed
  peak_bytes            most octets of memory, whatever the number of elements
  optimised             false: built without --release, so the figures mean little";

/// How much to poll.
#[derive(Debug, clap::Args)]
pub(super) struct PollArgs {
    /// Print one line of JSON, and all else to standard error.
    #[arg(long)]
    json: bool,
    /// Simulated elements.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(20..=100_000))]
    elements: u32,
    /// Rounds of each way; the figures are medians.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    rounds: u64,
    /// Elements polled at once.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..=65_536))]
    in_flight: u64,
    /// Milliseconds that elements take to answer.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=10_000))]
    latency: u64,
    /// With a community, or as a user with SHA-1 and AES-128.
    #[arg(long, default_value = "2c", value_parser = ["2c", "3"])]
    version: String,
    /// Of a hundred elements so many are dead or hostile.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=50))]
    hostile: u32,
    /// Measure only these.
    #[arg(long, value_delimiter = ',')]
    only: Vec<bench::poll::Kind>,
    /// Elements that `lab network --mix` runs already with the same words: the two ports of its first line.
    #[arg(long, num_args = 2, value_names = ["PORT", "COUNTS"])]
    at: Option<Vec<u16>>,
}

/// What the keys of `--json` mean.
const KEYS: &str = "\
Keys of --json:
  switch, mix, digest   access switches that changed, a fleet that changed, one that did not
    report_bytes        octets of an encoded report
    wire_bytes          octets on the wire for it, both ways, TLS and HTTP/2 included
    stream, store, line bare tonic stream, bare store commit, and spool to durable commit:
                        per_second, spread (slowest and fastest round), cpu_micros a report,
                        cpu_each (agent, collector)
    ratio               line against the slower of stream and store
  ratio                 the least of the three
  unchanged             octets an unchanged report costs alone and with 127 others, an agent that
                        is silent a day, an element a day with one round an hour
  backlog               reports that waited in the spool, how many of them in full; octets of its
                        file; octets of the agent's memory while they waited (now, most) and were
                        sent (most), and for what it knows of each target; seconds and reports a
                        second until all were acknowledged; octets on the wire a report
  optimised             false: built without --release, so the figures mean little";

/// How much to measure.
#[derive(Debug, clap::Args)]
pub(super) struct LineArgs {
    /// Print one line of JSON, and all else to standard error.
    #[arg(long)]
    json: bool,
    /// Reports in one round.
    #[arg(long, default_value_t = 4_000, value_parser = clap::value_parser!(u64).range(200..=1_000_000))]
    reports: u64,
    /// Rounds of each way; the figures are medians.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=100))]
    rounds: u64,
    /// Reports that wait in the spool while the link is down.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(200..=5_000_000))]
    backlog: u64,
    /// Seconds for which an agent is silent.
    #[arg(long, default_value_t = 61, value_parser = clap::value_parser!(u64).range(0..=3_600))]
    silence: u64,
}

/// Measures and prints.
pub(super) async fn run(what: Bench) -> Result<(), String> {
    match what {
        Bench::Line(args) => line(args).await,
        Bench::Accuracy(args) => super::accuracy::run(&args),
        Bench::Judge(args) => super::judge::run(&args),
        Bench::Poll(args) => poll(args).await,
        Bench::Identify(args) => identify(args).await,
        Bench::View(args) => view(args).await,
        Bench::Evaluate(args) => evaluate(args).await,
    }
}

async fn evaluate(args: EvaluateArgs) -> Result<(), String> {
    let elements = usize::try_from(args.elements).unwrap_or(usize::MAX);
    let note = |what: &str| super::note(&format_args!("lab: measuring {what}"));
    let interrupted = pin!(super::interrupted());
    let figures = tokio::select! {
        biased;
        () = interrupted => return Err("interrupted before everything was measured".to_owned()),
        figures = bench::evaluate::evaluate(elements, note) => figures.map_err(|error| chain(&error))?,
    };
    if args.json {
        return super::print(&serde_json::json!(figures));
    }
    let named = [
        ("judged first", figures.first),
        ("judged again", figures.again),
        ("exposure", figures.exposure),
        ("what-if", figures.what_if),
    ];
    let table = speeds(&named);
    super::print(&format_args!(
        "{table}\n{} elements, {} findings, {} would open, {} cores{}",
        figures.elements,
        figures.findings,
        figures.would_open,
        figures.cores,
        built(figures.optimised)
    ))
}

/// Ways by name, one a line.
fn speeds(named: &[(&str, bench::identify::Speed)]) -> String {
    let mut text = String::from("elements             a second  a core second  CPU us each\n");
    for (name, speed) in named {
        let _infallible = writeln!(
            text,
            "{name:<14}{:>15}{:>15}{:>13}",
            speed.per_second, speed.per_core_second, speed.cpu_micros
        );
    }
    text
}

fn built(optimised: bool) -> &'static str {
    if optimised {
        ""
    } else {
        ", built without optimisation"
    }
}

async fn view(args: ViewArgs) -> Result<(), String> {
    let count = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
    let spec = bench::view::Spec {
        binary: std::env::current_exe().map_err(|error| format!("cannot find itself: {error}"))?,
        elements: count(args.elements),
        viewers: count(args.viewers),
        seconds: args.seconds,
    };
    let note = |what: &str| super::note(&format_args!("lab: measuring {what}"));
    let interrupted = pin!(super::interrupted());
    let figures = tokio::select! {
        biased;
        () = interrupted => return Err("interrupted before everything was measured".to_owned()),
        figures = bench::view::view(&spec, note) => figures.map_err(|error| chain(&error))?,
    };
    if args.json {
        return super::print(&serde_json::json!(figures));
    }
    let mut text = String::from("page                     answers    p50 ms    p99 ms   most ms     bytes\n");
    let all = ("all", &figures.all);
    let pages = figures.pages.iter().map(|(kind, page)| (kind.as_str(), page));
    for (kind, page) in pages.chain([all]) {
        let _infallible = writeln!(
            text,
            "{kind:<24}{:>8}{:>10}{:>10}{:>10}{:>10}",
            page.answers, page.p50_ms, page.p99_ms, page.most_ms, page.bytes
        );
    }
    let _infallible = write!(
        text,
        "\n{} elements, {} open findings, filled in {} s; {} viewers, {} reports meanwhile; {} MiB at most; {} cores{}",
        figures.elements,
        figures.findings,
        figures.filling_seconds,
        figures.viewers,
        figures.ingested,
        mebibytes(figures.peak_bytes),
        figures.cores,
        if figures.optimised {
            ""
        } else {
            ", built without optimisation"
        },
    );
    super::print(&text)
}

async fn identify(args: IdentifyArgs) -> Result<(), String> {
    let elements = usize::try_from(args.elements).unwrap_or(usize::MAX);
    let note = |what: &str| super::note(&format_args!("lab: measuring {what}"));
    let interrupted = pin!(super::interrupted());
    let figures = tokio::select! {
        biased;
        () = interrupted => return Err("interrupted before everything was measured".to_owned()),
        figures = bench::identify::identify(elements, note) => figures.map_err(|error| chain(&error))?,
    };
    if args.json {
        return super::print(&serde_json::json!(figures));
    }
    let table = speeds(&[("first", figures.first), ("again", figures.again)]);
    super::print(&format_args!(
        "{table}\n{} elements, {} cores{}",
        figures.elements,
        figures.cores,
        built(figures.optimised)
    ))
}

async fn poll(args: PollArgs) -> Result<(), String> {
    let count = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    let spec = bench::poll::Spec {
        binary: std::env::current_exe().map_err(|error| format!("cannot find itself: {error}"))?,
        at: args.at.as_deref().and_then(|ports| ports.try_into().ok()),
        crowd: crowd::Spec {
            elements: args.elements,
            sparse: false,
            latency: Duration::from_millis(args.latency),
            hostile: args.hostile,
            users: args.version == "3",
        },
        rounds: count(args.rounds),
        in_flight: count(args.in_flight),
        only: args.only,
    };
    let note = |what: &str| super::note(&format_args!("lab: measuring {what}"));
    let interrupted = pin!(super::interrupted());
    let figures = tokio::select! {
        biased;
        () = interrupted => return Err("interrupted before everything was measured".to_owned()),
        figures = bench::poll::poll(&spec, note) => figures.map_err(|error| chain(&error))?,
    };
    if args.json {
        return super::print(&serde_json::json!(figures));
    }
    super::print(&poll_table(&figures))
}

fn poll_table(figures: &bench::poll::Figures) -> String {
    let mut text =
        String::from("rounds                  elements/s  CPU ms each  packets  octets there   and back\n");
    for (name, way) in [
        ("full", &figures.full),
        ("full, undisturbed", &figures.undisturbed),
        ("full, kept", &figures.full_kept),
        ("refresh", &figures.refresh),
        ("refresh, kept", &figures.refresh_kept),
    ] {
        let Some(way) = way else { continue };
        let [there, back] = way.octets;
        text.push_str(&format!(
            "{name:<22}{:>12}{:>13}{:>9}{there:>14}{back:>11}\n",
            way.per_second, way.cpu_ms, way.packets
        ));
    }
    let [before, after] = figures.load;
    let _infallible = write!(
        text,
        "\n{} elements of {} variables, {} at once; {} MiB at most; {} cores, load {before} before and {after} after{}",
        figures.elements,
        figures.variables,
        figures.in_flight,
        mebibytes(figures.peak_bytes),
        figures.cores,
        if figures.optimised {
            ""
        } else {
            ", built without optimisation"
        },
    );
    text
}

async fn line(args: LineArgs) -> Result<(), String> {
    let count = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    let spec = Spec {
        binary: std::env::current_exe().map_err(|error| format!("cannot find itself: {error}"))?,
        reports: count(args.reports),
        rounds: count(args.rounds),
        backlog: count(args.backlog),
        silence: Duration::from_secs(args.silence),
    };
    let note = |what: &str| super::note(&format_args!("lab: measuring {what}"));
    let interrupted = pin!(super::interrupted());
    let figures = tokio::select! {
        biased;
        () = interrupted => return Err("interrupted before everything was measured".to_owned()),
        figures = bench::line(&spec, note) => figures.map_err(|error| chain(&error))?,
    };
    if args.json {
        return super::print(&serde_json::json!(figures));
    }
    super::print(&table(&figures))
}

fn table(figures: &Figures) -> String {
    let mut text = String::from(
        "reports                 bytes  on the wire   stream/s    store/s     line/s  ratio   CPU us: agent  collector\n",
    );
    let named = [
        ("access switches", &figures.switch),
        ("a fleet that changed", &figures.mix),
        ("unchanged", &figures.digest),
    ];
    for (name, compared) in named {
        text.push_str(&row(name, compared));
    }
    let (unchanged, backlog) = (&figures.unchanged, &figures.backlog);
    let [alone, together] = unchanged.element_bytes_per_day;
    let [resident, peak] = backlog.waiting_bytes.map(mebibytes);
    let sending = mebibytes(backlog.sending_bytes);
    let _infallible = write!(
        text,
        "\nan unchanged element, hourly: {alone} bytes a day alone, {together} in company; a silent agent {} bytes a day\n\
         {} reports waited ({} in full): the agent had {resident} MiB, {peak} at most, {sending} at most while sending,\n\
         and {} bytes for each target it knows; drained in {} s, {} a second, {} bytes each\n\
         {} cores, {} rounds of {} reports, {} s{}",
        unchanged.silent_agent_bytes_per_day,
        backlog.reports,
        backlog.full,
        backlog.known_bytes_per_target,
        backlog.seconds,
        backlog.per_second,
        backlog.wire_bytes,
        figures.cores,
        figures.rounds,
        figures.reports,
        figures.seconds,
        if figures.optimised {
            ""
        } else {
            ", built without optimisation"
        },
    );
    text
}

fn row(name: &str, compared: &Compared) -> String {
    let each = |process: usize| compared.line.cpu_each.get(process).copied().unwrap_or_default();
    format!(
        "{name:<22}{:>7}{:>13}{:>11}{:>11}{:>11}{:>7}{:>16}{:>11}\n",
        compared.report_bytes,
        compared.wire_bytes,
        compared.stream.per_second,
        compared.store.per_second,
        compared.line.per_second,
        compared.ratio,
        each(0),
        each(1),
    )
}

/// To one digit behind the point.
#[allow(clippy::cast_precision_loss, reason = "memory stays far below 2^52 octets")]
fn mebibytes(octets: u64) -> f64 {
    (octets as f64 / 1_048_576.0 * 10.0).round() / 10.0
}
