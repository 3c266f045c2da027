//! `lab`: the whole house on the simulated operator, for people or, with `--once --json`, for programs.

use super::progress::Progress;
use crate::house::{House, HouseSpec, Summary};
use crate::network::whole;
use collector::admin::chain;
use serde::Serialize;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;
use tokio::time::Instant;

/// `--once` gives up so long after starting; stopping takes what remains of 45 s.
const PATIENCE: Duration = Duration::from_secs(42);
/// How often the collector is asked how far it is.
const LOOK: Duration = Duration::from_millis(500);
/// The counts must stay the same for so many looks to be the last word.
const STEADY: u32 = 3;
/// Seconds between two rounds with one element.
const INTERVAL_SECONDS: u64 = 30;
/// Of 100 elements, so many must get a named maker.
const IDENTIFIED_PERCENT: usize = 85;

/// How to run the house.
#[derive(Debug, clap::Args)]
pub struct HouseArgs {
    /// End when every element is inventoried, identified and evaluated; fail if that takes too long.
    #[arg(long)]
    once: bool,
    /// Print one line of JSON when everything is inventoried, and all else to standard error.
    #[arg(long)]
    json: bool,
    /// Where browsers connect: PORT or ADDRESS:PORT; a free port if not given.
    #[arg(long, value_parser = listen)]
    http: Option<SocketAddr>,
    /// Where agents connect: PORT or ADDRESS:PORT; a free port if not given.
    #[arg(long, value_parser = listen)]
    grpc: Option<SocketAddr>,
    /// UDP port of all elements; a free one if not given.
    #[arg(long)]
    snmp: Option<u16>,
    /// Where data lies; a temporary folder if not given.
    #[arg(long)]
    data: Option<PathBuf>,
}

/// What the plan promises.
#[derive(Debug, Clone, Copy)]
pub(super) struct Promise {
    pub(super) elements: usize,
    /// How many of them answer anything that can be understood.
    pub(super) answering: usize,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report<'a> {
    elements: usize,
    reached: usize,
    identified: usize,
    components: usize,
    findings: &'a BTreeMap<String, usize>,
    lost: usize,
    seconds: f64,
}

/// Runs until Ctrl-C, or until everything is done with `--once`.
pub(super) async fn run(args: HouseArgs) -> Result<(), String> {
    let begun = Instant::now();
    let plan = whole()?;
    let promise = Promise {
        elements: plan.elements.len(),
        answering: plan.answering(),
    };
    let binary = std::env::current_exe().map_err(|error| format!("cannot find itself: {error}"))?;
    let mut spec = HouseSpec::new(binary, plan);
    spec.data = args.data.clone();
    (spec.http, spec.grpc, spec.snmp) = (args.http, args.grpc, args.snmp);
    spec.interval_seconds = INTERVAL_SECONDS;
    let told = Cell::new(false);
    // One listener for all the time, so that no signal falls between two.
    let mut interrupted = pin!(super::interrupted());
    let mut house = tokio::select! {
        biased;
        () = &mut interrupted => return unfinished(&args, false),
        started = House::start(spec) => started.map_err(|error| chain(&error))?,
    };
    let outcome = match greet(&house, args.json) {
        Ok(()) => tokio::select! {
            biased;
            () = &mut interrupted => unfinished(&args, told.get()),
            outcome = watch(&mut house, &args, promise, begun, &told) => outcome,
        },
        Err(why) => Err(why),
    };
    let stopped = house.stop().await.map_err(|error| chain(&error));
    outcome.and(stopped)
}

/// What an interrupted run comes to: whoever waits for its end or its one line must
/// learn that neither came.
fn unfinished(args: &HouseArgs, told: bool) -> Result<(), String> {
    if told || !(args.once || args.json) {
        return Ok(());
    }
    Err("interrupted before everything was inventoried".to_owned())
}

/// Looks on until it is done, or for ever.
async fn watch(
    house: &mut House,
    args: &HouseArgs,
    promise: Promise,
    begun: Instant,
    told: &Cell<bool>,
) -> Result<(), String> {
    let progress = Progress::new(promise, house.network().objects());
    let (mut last, mut steady) = (None, 0);
    loop {
        if let Some(ended) = house.ended() {
            return Err(chain(&ended));
        }
        let seen = house.summary().await;
        match seen {
            Ok(summary) => {
                progress.show(&summary);
                let same = last
                    .as_ref()
                    .is_some_and(|last| settled(last) == settled(&summary));
                steady = if same && missing(&summary, promise).is_empty() {
                    steady + 1
                } else {
                    0
                };
                last = Some(summary);
            }
            Err(error) if args.once && begun.elapsed() > PATIENCE => return Err(chain(&error)),
            Err(_) => steady = 0,
        }
        if let Some(summary) = last.as_ref().filter(|_| steady >= STEADY && !told.get())
            && house
                .elements()
                .await
                .is_ok_and(|all| all.iter().all(|element| element.completeness.is_some()))
        {
            progress.finish(|| tell(summary, args.json, begun))?;
            told.set(true);
            if args.once {
                return enough(summary);
            }
        }
        if args.once && begun.elapsed() > PATIENCE {
            let missing = last.map_or_else(|| "no summary".to_owned(), |s| missing(&s, promise).join(", "));
            let missing = if missing.is_empty() {
                "some element has had no round, or counts still change".to_owned()
            } else {
                missing
            };
            return Err(format!("not done after {} s: {missing}", PATIENCE.as_secs()));
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The counts that end by standing still; reports go on for ever.
fn settled(summary: &Summary) -> (usize, usize, usize, usize, &BTreeMap<String, usize>) {
    (
        summary.elements,
        summary.reached,
        summary.identified,
        summary.components,
        &summary.findings,
    )
}

/// What is not yet as it will be, in words.
fn missing(summary: &Summary, promise: Promise) -> Vec<String> {
    let mut missing = Vec::new();
    let mut wants = |what: &str, has: usize, wanted: usize| {
        if has < wanted {
            missing.push(format!("{what} {has} of {wanted}"));
        }
    };
    wants("elements", summary.elements, promise.elements);
    wants("reached", summary.reached, promise.answering);
    // Each element has a report, also those that stay silent.
    wants("reports", summary.reports, promise.elements);
    if summary.elements > promise.elements {
        missing.push(format!(
            "{} elements too many",
            summary.elements - promise.elements
        ));
    }
    let pending = summary.pending;
    if pending.unidentified + pending.unevaluated > 0 {
        missing.push(format!(
            "{} unidentified, {} unevaluated",
            pending.unidentified, pending.unevaluated
        ));
    }
    missing
}

/// Whether so many have a maker and nothing was lost.
fn enough(summary: &Summary) -> Result<(), String> {
    if summary.lost > 0 {
        return Err(format!("{} reports were lost", summary.lost));
    }
    if summary.identified * 100 < summary.elements * IDENTIFIED_PERCENT {
        return Err(format!(
            "only {} of {} elements have a named maker, fewer than {IDENTIFIED_PERCENT} %",
            summary.identified, summary.elements
        ));
    }
    Ok(())
}

fn greet(house: &House, json: bool) -> Result<(), String> {
    let data = house.data().display();
    let lines = format!(
        "Marque shows the network at {}\n(this link signs one browser in, within a day; another one:\n \
         lab collector account link lab --sign-in --config {data}/collector.toml)\nData and logs lie in {data}",
        house.sign_in_url()
    );
    if json {
        super::note(&lines);
        Ok(())
    } else {
        super::print(&lines)
    }
}

fn tell(summary: &Summary, json: bool, begun: Instant) -> Result<(), String> {
    let seconds = (begun.elapsed().as_secs_f64() * 10.0).round() / 10.0;
    let report = Report {
        elements: summary.elements,
        reached: summary.reached,
        identified: summary.identified,
        components: summary.components,
        findings: &summary.findings,
        lost: summary.lost,
        seconds,
    };
    if json {
        return super::print(&serde_json::json!(report));
    }
    let findings: usize = summary.findings.values().sum();
    super::print(&format_args!(
        "{} elements, {} reached, {} identified, {} components, {findings} findings after {seconds} s",
        report.elements, report.reached, report.identified, report.components
    ))
}

/// An address to listen on, or a port of loopback.
fn listen(text: &str) -> Result<SocketAddr, String> {
    let port = || {
        text.parse::<u16>()
            .ok()
            .map(|port| SocketAddr::from(([127, 0, 0, 1], port)))
    };
    text.parse()
        .ok()
        .or_else(port)
        .ok_or_else(|| format!("{text:?} is neither PORT nor ADDRESS:PORT"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::house::Pending;

    fn summary(reached: usize, identified: usize, unevaluated: usize) -> Summary {
        Summary {
            elements: 100,
            reached,
            identified,
            components: 5,
            reports: 100,
            findings: BTreeMap::new(),
            severity: BTreeMap::new(),
            lost: 0,
            gaps: 0,
            pending: Pending {
                unidentified: 0,
                unevaluated,
            },
        }
    }

    #[test]
    fn done_means_all_seen_and_nothing_waiting() {
        let promise = Promise {
            elements: 100,
            answering: 92,
        };
        assert!(missing(&summary(92, 88, 0), promise).is_empty());
        assert_eq!(missing(&summary(91, 88, 0), promise), ["reached 91 of 92"]);
        assert_eq!(
            missing(&summary(92, 88, 3), promise),
            ["0 unidentified, 3 unevaluated"]
        );
        assert_eq!(
            missing(
                &summary(92, 88, 0),
                Promise {
                    elements: 99,
                    answering: 92
                }
            )
            .len(),
            1
        );
    }

    #[test]
    fn too_few_makers_or_a_loss_is_a_failure() {
        assert!(enough(&summary(92, 85, 0)).is_ok());
        assert!(enough(&summary(92, 84, 0)).is_err());
        assert!(
            enough(&Summary {
                lost: 1,
                ..summary(92, 90, 0)
            })
            .is_err()
        );
    }

    #[test]
    fn an_interrupted_run_owes_what_it_was_to_print() {
        for (once, json, told, fine) in [
            (false, false, false, true),
            (true, false, false, false),
            (false, true, false, false),
            (true, true, false, false),
            (false, true, true, true),
        ] {
            let args = HouseArgs {
                once,
                json,
                http: None,
                grpc: None,
                snmp: None,
                data: None,
            };
            assert_eq!(unfinished(&args, told).is_ok(), fine, "{args:?} {told}");
        }
    }

    #[test]
    fn listens_on_ports_and_addresses() {
        assert_eq!(listen("8080"), Ok(SocketAddr::from(([127, 0, 0, 1], 8080))));
        assert_eq!(listen("0.0.0.0:80"), Ok(SocketAddr::from(([0, 0, 0, 0], 80))));
        assert!(listen("here").is_err());
    }
}
