//! Walks that did not end, kept for the next round, and what follows each of their rounds.
//!
//! Invariants: rows of an earlier round are gone on with only where the element shows that
//! nothing moved since, and not for ever; what they take in memory is bounded, of one element
//! and of all together; who brought nothing new is not asked again before its regular turn;
//! what was read is told of before it waits for long, and what it cost is told in full.

use super::refresh::Glance;
use super::walk::Part;
use proto::v1::Cost;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// Octets that the kept rows of one element may take, packed.
const MAX_KEPT: usize = 16 << 20;
/// The element is left alone for as long as it was asked, and no shorter.
const LEAST_REST: Duration = Duration::from_secs(1);
/// What was read is told of once there is twice as much, or after so long.
const UNTOLD: Duration = Duration::from_secs(900);

/// Walks of one element that were stopped, to go on with in the next round.
#[derive(Debug)]
pub struct Unfinished {
    /// How they stand; set by [`Self::keep`].
    pub standing: Option<Standing>,
    asked: u64,
    /// What the element showed of itself then.
    glance: Glance,
    pub(super) parts: Vec<Part>,
    /// When the first of them began.
    pub(super) begun: Instant,
    /// Its share of the memory for such walks.
    room: Option<OwnedSemaphorePermit>,
}

impl Unfinished {
    /// These parts, of an element that showed this of itself, of walks that began then.
    #[must_use]
    pub fn new(asked: u64, glance: Glance, parts: Vec<Part>, begun: Instant) -> Self {
        Self {
            standing: None,
            asked,
            glance,
            parts,
            begun,
            room: None,
        }
    }

    /// Rows of all parts.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.parts.iter().map(Part::len).sum()
    }

    /// Keeps them if there is room, in kibibytes, and nothing otherwise: the next round
    /// begins anew then.
    #[must_use]
    pub fn keep(self: Arc<Self>, room: &Arc<Semaphore>, standing: Standing) -> Option<Arc<Self>> {
        let mut walks = self;
        // Their round is over, so nobody else has them.
        let own = Arc::get_mut(&mut walks)?;
        if own.room.is_none() {
            let bytes: usize = own.parts.iter().map(Part::bytes).sum();
            let kibibytes = u32::try_from(bytes.div_ceil(1024)).ok();
            let permit = kibibytes
                .filter(|_| bytes <= MAX_KEPT)
                .and_then(|kibibytes| Arc::clone(room).try_acquire_many_owned(kibibytes).ok());
            if permit.is_none() {
                metrics::counter!("marque_agent_unfinished_dropped_total").increment(1);
            }
            own.room = Some(permit?);
        }
        own.standing = Some(standing);
        Some(walks)
    }

    /// Whether rows of then and of now belong together: the same questions, and an element
    /// that shows that it neither restarted nor changed since.
    pub(super) fn goes_on(&self, asked: u64, glance: Option<&Glance>) -> bool {
        let same = |now: &Glance| now.tells_time() && now.moved_since(&self.glance).is_none();
        self.asked == asked && glance.is_some_and(same)
    }

    /// Whether the first of them began longer ago.
    #[must_use]
    pub fn is_older_than(&self, age: Duration) -> bool {
        self.begun.elapsed() > age
    }
}

/// How walks that did not end stand after a round.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Standing {
    /// When the first of them began.
    pub since: SystemTime,
    /// Rows read by then.
    rows: usize,
    /// Rows in the last report, and when that was.
    told: (usize, Instant),
    /// What rounds since that report cost.
    pub untold: Cost,
    /// How long the element is left alone before it goes on; without it, until its regular turn.
    pub soon: Option<Duration>,
}

/// A round that left walks behind.
#[derive(Debug, Clone, Copy)]
pub struct Stopped {
    /// When it began.
    pub started: SystemTime,
    /// How long it took.
    pub took: Duration,
    /// When it ended.
    pub now: Instant,
    /// Rows read by now, in this round and earlier ones.
    pub rows: usize,
    /// What it cost.
    pub cost: Cost,
}

impl Standing {
    /// How they stand after a round, and whether that is to be told now; `earlier` if it went
    /// on with those.
    #[must_use]
    pub fn after(earlier: Option<Self>, stopped: &Stopped) -> (Self, bool) {
        let Stopped { rows, now, .. } = *stopped;
        let read_before = earlier.map_or(0, |earlier| earlier.rows);
        let tell = earlier.is_none_or(|earlier| {
            let (told, at) = earlier.told;
            rows >= told.saturating_mul(2) || now.saturating_duration_since(at) >= UNTOLD
        });
        let untold = earlier.map_or_else(Cost::default, |earlier| earlier.untold);
        let standing = Self {
            since: earlier.map_or(stopped.started, |earlier| earlier.since),
            rows,
            told: match earlier {
                Some(earlier) if !tell => earlier.told,
                _ => (rows, now),
            },
            untold: if tell {
                Cost::default()
            } else {
                sum(untold, stopped.cost)
            },
            soon: (rows > read_before).then(|| stopped.took.max(LEAST_REST)),
        };
        (standing, tell)
    }

    /// After a round in which the element was not heard, which was told.
    #[must_use]
    pub fn unheard(self) -> Self {
        Self {
            soon: None,
            untold: Cost::default(),
            ..self
        }
    }
}

/// What two rounds cost together.
#[must_use]
pub fn sum(one: Cost, other: Cost) -> Cost {
    Cost {
        requests: one.requests.saturating_add(other.requests),
        retries: one.retries.saturating_add(other.retries),
        varbinds: one.varbinds.saturating_add(other.varbinds),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_a_round_that_left_walks_behind() {
        let (begin, started) = (Instant::now(), SystemTime::now());
        let cost = |requests| Cost {
            requests,
            ..Cost::default()
        };
        // Minute of its end, seconds it took, rows by then; whether it is told, the rest in
        // seconds, and the requests that are yet to be told.
        let story = [
            (1, 60, 100, true, Some(60), 0),
            (3, 60, 150, false, Some(60), 10),
            (5, 60, 199, false, Some(60), 20),
            (7, 60, 200, true, Some(60), 0),
            // Nothing new: at its regular turn.
            (9, 60, 200, false, None, 10),
            (70, 0, 201, true, Some(1), 0),
            (72, 60, 202, false, Some(60), 10),
            (86, 60, 203, true, Some(60), 0),
        ];
        let mut earlier = None;
        for (number, (minute, took, rows, told, rest, untold)) in story.into_iter().enumerate() {
            let stopped = Stopped {
                started: started + Duration::from_secs(number as u64),
                took: Duration::from_secs(took),
                now: begin + Duration::from_secs(minute * 60),
                rows,
                cost: cost(10),
            };
            let (standing, tell) = Standing::after(earlier, &stopped);
            assert_eq!(
                (tell, standing.soon.map(|rest| rest.as_secs()), standing.untold),
                (told, rest, cost(untold)),
                "minute {minute}"
            );
            assert_eq!(standing.since, started);
            assert_eq!(
                (standing.unheard().soon, standing.unheard().untold),
                (None, cost(0))
            );
            earlier = Some(standing);
        }
    }
}
