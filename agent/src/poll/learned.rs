//! What a round taught about an element, to begin the next one with.
//!
//! Invariant: whoever refused its user is left alone ever longer, up to a day.

use super::Limits;
use super::pace::RoundTrip;
use super::refresh::Memory;
use super::unfinished::Unfinished;
use super::usm::Known;
use super::walk::{Manner, Split};
use std::sync::Arc;
use std::time::Duration;

/// What a round taught about an element, to begin the next one with.
#[derive(Debug, Clone)]
pub struct Learned {
    pub(super) trip: RoundTrip,
    pub(super) manner: Manner,
    pub(super) split: Arc<Split>,
    pub(super) engine: Option<Known>,
    /// Rounds in a row that ended because of the user.
    pub(crate) refused: u32,
    /// What it showed when it was walked last.
    pub memory: Memory,
    /// A walk whose time was over before it ended.
    pub unfinished: Option<Arc<Unfinished>>,
}

impl Learned {
    /// About an element nothing is known of.
    #[must_use]
    pub fn nothing(limits: &Limits) -> Self {
        Self {
            trip: RoundTrip::default(),
            manner: Manner::new(limits),
            split: Arc::default(),
            engine: None,
            refused: 0,
            memory: Memory::default(),
            unfinished: None,
        }
    }

    /// All of it for a round. An unfinished walk goes with it, so that it is held once; the rest
    /// stays here too, in case the round fails by a bug.
    #[must_use]
    pub fn lend(&mut self) -> Self {
        let unfinished = self.unfinished.take();
        Self {
            unfinished,
            ..self.clone()
        }
    }

    /// How long until the element goes on with a walk that did not end, if that comes before its
    /// regular turn.
    #[must_use]
    pub fn goes_on_in(&self) -> Option<Duration> {
        self.unfinished.as_ref()?.standing?.soon
    }

    /// How long to leave the element alone so that its user is not shut out: nothing,
    /// or `first` after one refusal and twice as long after each further one, up to a day.
    #[must_use]
    pub fn pause(&self, first: Duration) -> Duration {
        pause_after(self.refused, first)
    }
}

/// The same for whoever was refused so many times in a row.
#[must_use]
pub fn pause_after(refused: u32, first: Duration) -> Duration {
    let Some(doublings) = refused.checked_sub(1) else {
        return Duration::ZERO;
    };
    first
        .saturating_mul(1 << doublings.min(16))
        .min(LONGEST_PAUSE.max(first))
}

/// A password that was set right is noticed within a day.
const LONGEST_PAUSE: Duration = Duration::from_secs(86_400);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_a_day_and_end_with_an_answer() {
        let limits = crate::config::PollConfig::default().limits();
        let first = Duration::from_secs(900);
        let mut learned = Learned::nothing(&limits);
        for (refused, minutes) in [(0, 0), (1, 15), (2, 30), (3, 60), (8, 1440), (u32::MAX, 1440)] {
            learned.refused = refused;
            assert_eq!(
                learned.pause(first),
                Duration::from_secs(minutes * 60),
                "{refused}"
            );
        }
        // Whoever wants longer pauses has them.
        let week = Duration::from_secs(604_800);
        assert_eq!(learned.pause(week), week);
    }
}
