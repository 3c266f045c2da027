//! Rounds into figures: medians with their spread, ratios, and how they are printed.

use serde::Serialize;
use std::time::Duration;

/// One timed round.
#[derive(Debug, Clone, PartialEq)]
pub struct Round {
    per_second: f64,
    /// Microseconds a report, of each process that took part.
    cpu_micros: Vec<f64>,
}

impl Round {
    /// So many reports took so long and cost each process so much.
    #[must_use]
    pub fn new(reports: u64, took: Duration, cpu: &[Duration]) -> Self {
        let reports = precise(reports.max(1));
        Self {
            per_second: reports / took.as_secs_f64().max(1e-6),
            cpu_micros: cpu.iter().map(|cpu| cpu.as_secs_f64() * 1e6 / reports).collect(),
        }
    }
}

/// The median of several rounds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figure {
    /// Reports a second.
    pub per_second: f64,
    /// Of all rounds the slowest and the fastest, reports a second.
    pub spread: [f64; 2],
    /// Microseconds of processor time a report, all processes together.
    pub cpu_micros: f64,
    /// The same of each process, if there are several: agent, collector.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cpu_each: Vec<f64>,
}

impl Figure {
    /// Of these rounds; of none, zeros.
    #[must_use]
    pub fn of(rounds: &[Round]) -> Self {
        let speeds: Vec<f64> = rounds.iter().map(|round| round.per_second).collect();
        let processes = rounds.first().map_or(0, |round| round.cpu_micros.len());
        let of = |process| {
            let all = rounds
                .iter()
                .filter_map(|round| round.cpu_micros.get(process).copied());
            median(all.collect())
        };
        let each: Vec<f64> = (0..processes).map(of).collect();
        Self {
            per_second: whole(median(speeds.clone())),
            spread: [
                whole(speeds.iter().copied().reduce(f64::min).unwrap_or_default()),
                whole(speeds.iter().copied().reduce(f64::max).unwrap_or_default()),
            ],
            cpu_micros: tenths(each.iter().sum()),
            cpu_each: match each.len() {
                0 | 1 => Vec::new(),
                _ => each.into_iter().map(tenths).collect(),
            },
        }
    }
}

/// One mix of reports, three ways.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Compared {
    /// Octets of an encoded report, in the mean.
    pub report_bytes: f64,
    /// Octets on the wire for it, both ways, TLS and HTTP/2 included.
    pub wire_bytes: f64,
    /// The bare stream.
    pub stream: Figure,
    /// The bare store.
    pub store: Figure,
    /// From spool to durable commit.
    pub line: Figure,
    /// Speed of the line, the slower of the two others being 1.
    pub ratio: f64,
}

impl Compared {
    /// Puts them together.
    #[must_use]
    pub fn new(report_bytes: f64, wire_bytes: f64, stream: Figure, store: Figure, line: Figure) -> Self {
        let slower = stream.per_second.min(store.per_second);
        Self {
            report_bytes: tenths(report_bytes),
            wire_bytes: tenths(wire_bytes),
            ratio: hundredths(line.per_second / slower.max(1.0)),
            stream,
            store,
            line,
        }
    }
}

/// What an element costs on the wire when nothing about it changes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Unchanged {
    /// Octets of a report that is alone in its message.
    pub alone_bytes: f64,
    /// Octets of one of 128 in one message.
    pub together_bytes: f64,
    /// Octets of an agent a day that has nothing to say.
    pub silent_agent_bytes_per_day: f64,
    /// An element's octets a day, one round an hour, alone and together; its share in
    /// the agent's own is not in it.
    pub element_bytes_per_day: [f64; 2],
}

impl Unchanged {
    /// Of octets a report, and octets of so much silence.
    #[must_use]
    pub fn new(alone: f64, together: f64, silent: u64, silence: Duration) -> Self {
        let days = silence.as_secs_f64() / 86_400.0;
        Self {
            alone_bytes: tenths(alone),
            together_bytes: tenths(together),
            silent_agent_bytes_per_day: if days > 0.0 {
                whole(precise(silent) / days)
            } else {
                0.0
            },
            element_bytes_per_day: [whole(alone * 24.0), whole(together * 24.0)],
        }
    }
}

/// A spool that filled while the link was down, and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Backlog {
    /// Reports that waited.
    pub reports: u64,
    /// Of these, how many in full.
    pub full: u64,
    /// Octets of the spool's file.
    pub file_bytes: u64,
    /// Octets of the agent's memory while they waited, now and at most.
    pub waiting_bytes: [u64; 2],
    /// At most, until all were sent.
    pub sending_bytes: u64,
    /// Octets of its memory for what it knows of each target.
    pub known_bytes_per_target: f64,
    /// From the first acknowledgement to the last.
    pub seconds: f64,
    /// Reports a second.
    pub per_second: f64,
    /// Octets on the wire a report.
    pub wire_bytes: f64,
}

/// Everything one run measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figures {
    /// Processor cores of the machine.
    pub cores: usize,
    /// Whether this program was built with optimisation.
    pub optimised: bool,
    /// Reports in one round.
    pub reports: usize,
    /// Rounds of each, in alternation.
    pub rounds: usize,
    /// Access switches that changed.
    pub switch: Compared,
    /// A fleet that changed.
    pub mix: Compared,
    /// A fleet that did not change.
    pub digest: Compared,
    /// The least of the three ratios.
    pub ratio: f64,
    /// Octets of what did not change.
    pub unchanged: Unchanged,
    /// The filled spool.
    pub backlog: Backlog,
    /// How long all of it took.
    pub seconds: f64,
}

/// The middle one; of an even number the mean of two.
pub(super) fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    let half = all.len() / 2;
    let upper = all.get(half).copied().unwrap_or_default();
    match all.len() % 2 {
        1 => upper,
        _ => (all.get(half.wrapping_sub(1)).copied().unwrap_or_default() + upper) / 2.0,
    }
}

/// A count in floating point; those here are small.
#[allow(clippy::cast_precision_loss, reason = "counts here stay far below 2^52")]
#[must_use]
pub fn precise(count: u64) -> f64 {
    count as f64
}

pub(super) fn whole(n: f64) -> f64 {
    n.round()
}

/// To one digit behind the point.
#[must_use]
pub fn tenths(n: f64) -> f64 {
    (n * 10.0).round() / 10.0
}

/// To two digits behind the point.
#[must_use]
pub fn hundredths(n: f64) -> f64 {
    (n * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(reports: u64, millis: u64, cpu: &[u64]) -> Round {
        let cpu: Vec<Duration> = cpu.iter().map(|n| Duration::from_millis(*n)).collect();
        Round::new(reports, Duration::from_millis(millis), &cpu)
    }

    #[test]
    fn the_median_is_told_with_its_spread() {
        let rounds = [
            round(1_000, 500, &[20, 30]),
            round(1_000, 100, &[10, 50]),
            round(1_000, 250, &[40, 40]),
        ];
        let figure = Figure::of(&rounds);
        assert_eq!((figure.per_second, figure.spread), (4_000.0, [2_000.0, 10_000.0]));
        assert_eq!((figure.cpu_micros, figure.cpu_each), (60.0, vec![20.0, 40.0]));
        let one = Figure::of(&[round(10, 5, &[1])]);
        assert!(one.cpu_each.is_empty(), "one process needs no list");
        assert_eq!(Figure::of(&[]).per_second, 0.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
    }

    #[test]
    fn the_ratio_is_to_the_slower_of_the_two() {
        let figure = |millis| Figure::of(&[round(1_000, millis, &[1])]);
        let compared = Compared::new(1_500.0, 400.04, figure(10), figure(50), figure(75));
        assert_eq!((compared.ratio, compared.wire_bytes), (0.67, 400.0));
        assert_eq!(
            Compared::new(1.0, 1.0, figure(50), figure(10), figure(200)).ratio,
            0.25
        );
    }

    #[test]
    fn a_day_has_24_rounds() {
        let unchanged = Unchanged::new(120.0, 50.0, 700, Duration::from_secs(60));
        assert_eq!(unchanged.element_bytes_per_day, [2_880.0, 1_200.0]);
        assert_eq!(unchanged.silent_agent_bytes_per_day, 1_008_000.0);
        let unmeasured = Unchanged::new(1.0, 1.0, 0, Duration::ZERO);
        assert_eq!(unmeasured.silent_agent_bytes_per_day, 0.0);
    }
}
