//! What a round taught about an element, to begin the next one with.
//!
//! Invariants: rows of an earlier round are gone on with only where the element shows
//! that nothing moved since; what they take in memory is bounded, all elements together.

use super::Limits;
use super::pace::RoundTrip;
use super::refresh::{Glance, Memory};
use super::usm::Known;
use super::walk::{Manner, Part, Split};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

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

    /// How long to leave the element alone so that its user is not shut out: nothing,
    /// or `first` after one refusal and twice as long after each further one, up to a day.
    #[must_use]
    pub fn pause(&self, first: Duration) -> Duration {
        pause_after(self.refused, first)
    }
}

/// Walks of one element that were stopped, to go on with in the next round.
#[derive(Debug)]
pub struct Unfinished {
    /// When the first of them began; set by [`Self::keep`].
    pub since: Option<SystemTime>,
    asked: u64,
    /// What the element showed of itself then.
    glance: Glance,
    pub(super) parts: Vec<Part>,
    /// Its share of the memory for such walks.
    room: Option<OwnedSemaphorePermit>,
}

impl Unfinished {
    /// These parts, of an element that showed this of itself.
    #[must_use]
    pub fn new(asked: u64, glance: Glance, parts: Vec<Part>) -> Self {
        Self {
            since: None,
            asked,
            glance,
            parts,
            room: None,
        }
    }

    /// Keeps them if there is room, in kibibytes, and nothing otherwise: the next round
    /// begins anew then.
    #[must_use]
    pub fn keep(self: Arc<Self>, room: &Arc<Semaphore>, since: SystemTime) -> Option<Arc<Self>> {
        let mut walks = self;
        if walks.room.is_some() {
            return Some(walks);
        }
        let bytes: usize = walks.parts.iter().map(Part::bytes).sum();
        let kibibytes = u32::try_from(bytes.div_ceil(1024)).ok()?;
        let permit = Arc::clone(room).try_acquire_many_owned(kibibytes).ok();
        if permit.is_none() {
            metrics::counter!("marque_agent_unfinished_dropped_total").increment(1);
        }
        // Just made, so nobody else has it.
        let own = Arc::get_mut(&mut walks)?;
        (own.room, own.since) = (Some(permit?), Some(since));
        Some(walks)
    }

    /// Whether rows of then and of now belong together: the same questions, and an element
    /// that neither restarted nor told of a change since.
    pub(super) fn goes_on(&self, asked: u64, glance: Option<&Glance>) -> bool {
        self.asked == asked && glance.is_some_and(|now| now.moved_since(&self.glance).is_none())
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
