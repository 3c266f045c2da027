//! How far a command is: a bar on standard error, on a terminal only.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar, or nothing.
pub struct Progress(ProgressBar);

impl Progress {
    /// Of so many targets; nothing is shown of one.
    #[must_use]
    pub fn new(targets: usize) -> Self {
        let length = u64::try_from(targets).unwrap_or(u64::MAX);
        let shown = match targets {
            0 | 1 => ProgressDrawTarget::hidden(),
            // Hides itself where standard error is no terminal.
            _ => ProgressDrawTarget::stderr(),
        };
        let style = ProgressStyle::with_template("{bar:40} {pos}/{len} {per_sec} {eta}");
        let bar = ProgressBar::with_draw_target(Some(length), shown);
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self(bar)
    }

    /// One target is done.
    pub fn one_more(&self) {
        self.0.inc(1);
    }

    /// Prints without the bar in the way.
    pub fn aside<T>(&self, print: impl FnOnce() -> T) -> T {
        self.0.suspend(print)
    }

    /// Nothing is left of it.
    pub fn end(&self) {
        self.0.finish_and_clear();
    }
}
