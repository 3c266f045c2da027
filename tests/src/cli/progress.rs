//! How far it is, on standard error: bars on a terminal, a line now and then elsewhere.

use super::house::Promise;
use crate::house::Summary;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::cell::Cell;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// Without a terminal, a line is written so often at most.
const BETWEEN_LINES: Duration = Duration::from_secs(5);

pub(super) struct Progress {
    bars: Option<Bars>,
    promise: Promise,
    next_line: Cell<Instant>,
    finished: Cell<bool>,
}

struct Bars {
    all: MultiProgress,
    reached: ProgressBar,
    identified: ProgressBar,
    counts: ProgressBar,
}

impl Progress {
    pub(super) fn new(promise: Promise, objects: usize) -> Self {
        let bars = std::io::stderr().is_terminal().then(|| Bars::new(promise));
        if bars.is_none() {
            super::note(&format_args!(
                "{} simulated elements with {objects} objects are being polled",
                promise.elements
            ));
        }
        Self {
            bars,
            promise,
            next_line: Cell::new(Instant::now()),
            finished: Cell::new(false),
        }
    }

    pub(super) fn show(&self, summary: &Summary) {
        let findings: usize = summary.findings.values().sum();
        let waiting = summary.pending.unidentified + summary.pending.unevaluated;
        let counts = format!(
            "{} components, {findings} findings, {} reports, {waiting} waiting, {} lost",
            summary.components, summary.reports, summary.lost
        );
        if let Some(bars) = &self.bars {
            bars.reached.set_position(summary.reached.try_into().unwrap_or(0));
            bars.identified
                .set_position(summary.identified.try_into().unwrap_or(0));
            bars.counts.set_message(counts);
            return;
        }
        let now = Instant::now();
        if now >= self.next_line.get() && !self.finished.get() {
            self.next_line.set(now + BETWEEN_LINES);
            let all = self.promise.elements;
            super::note(&format_args!(
                "{} of {all} reached, {} identified, {counts}",
                summary.reached, summary.identified
            ));
        }
    }

    /// Everything is inventoried: says so between the bars, which go on counting; lines end.
    pub(super) fn finish<T>(&self, say: impl FnOnce() -> T) -> T {
        self.finished.set(true);
        match &self.bars {
            Some(bars) => bars.all.suspend(say),
            None => say(),
        }
    }
}

impl Bars {
    fn new(promise: Promise) -> Self {
        let all = MultiProgress::new();
        let style = |template: &str| {
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
        };
        let bar = |name: &'static str| {
            let length = promise.elements.try_into().unwrap_or(u64::MAX);
            let bar = all.add(ProgressBar::new(length)).with_prefix(name);
            bar.set_style(style("{prefix:>12} {bar:40} {pos}/{len}"));
            bar
        };
        let (reached, identified) = (bar("reached"), bar("identified"));
        let counts = all.add(ProgressBar::new_spinner()).with_prefix("so far");
        counts.set_style(style("{prefix:>12} {msg}"));
        Self {
            all,
            reached,
            identified,
            counts,
        }
    }
}
