//! When to send: the packets a second of the whole process, and how long to wait
//! for one element.
//!
//! Invariant: a retry counts as a packet too.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Spreads packets evenly: the generic cell rate algorithm (ITU-T I.371, annex A)
/// with a burst of a tenth of a second.
#[derive(Debug)]
pub struct Pace {
    /// Packets a second; 0 is none.
    cap: u32,
    /// Between two packets; 0 is no cap.
    interval_nanos: AtomicU64,
    burst: Duration,
    next: Mutex<Option<Instant>>,
}

impl Pace {
    /// At most so many packets a second; 0 sets no cap.
    #[must_use]
    pub fn new(packets_per_second: u32) -> Self {
        let pace = Self {
            cap: packets_per_second,
            interval_nanos: AtomicU64::new(0),
            burst: Duration::from_millis(100),
            next: Mutex::new(None),
        };
        pace.lower_to(0);
        pace
    }

    /// From now on at most so many a second, and never more than at first; 0 as at first.
    pub fn lower_to(&self, packets_per_second: u32) {
        let rate = match (self.cap, packets_per_second) {
            (cap, 0) => cap,
            (0, rate) => rate,
            (cap, rate) => cap.min(rate),
        };
        let nanos = 1_000_000_000_u64.checked_div(u64::from(rate)).unwrap_or(0);
        self.interval_nanos.store(nanos, Ordering::Relaxed);
    }

    /// Takes a turn for one packet: when it may leave, [`None`] at once.
    #[must_use]
    pub fn claim(&self) -> Option<Instant> {
        self.reserve(Instant::now)
    }

    /// Waits until one more packet may leave, and says how long that took.
    pub async fn turn(&self) -> Duration {
        let Some(at) = self.claim() else {
            return Duration::ZERO;
        };
        let began = Instant::now();
        tokio::time::sleep_until(at).await;
        began.elapsed()
    }

    fn reserve(&self, now: impl Fn() -> Instant) -> Option<Instant> {
        let interval = match self.interval_nanos.load(Ordering::Relaxed) {
            0 => return None,
            nanos => Duration::from_nanos(nanos),
        };
        let now = now();
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let due = next.unwrap_or(now).max(now);
        *next = Some(due + interval);
        let ahead = due.saturating_duration_since(now);
        (ahead > self.burst).then(|| due - self.burst)
    }
}

/// The smoothed round trip of one element (RFC 6298, 2).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RoundTrip {
    smoothed: Option<(Duration, Duration)>,
}

/// Not less, however quick the element seemed: its next answer may be a long one.
const MIN_TIMEOUT: Duration = Duration::from_millis(250);
/// Not more, however slow.
const MAX_TIMEOUT: Duration = Duration::from_secs(8);

impl RoundTrip {
    /// Takes in one measured trip of a request that was sent once.
    pub fn measured(&mut self, trip: Duration) {
        self.smoothed = Some(match self.smoothed {
            None => (trip, trip / 2),
            Some((smooth, deviation)) => (
                (smooth * 7 + trip) / 8,
                (deviation * 3 + smooth.abs_diff(trip)) / 4,
            ),
        });
    }

    /// How long to wait for an answer to the `attempt`th sending, counted from 0.
    /// `first_contact` is the wait as long as nothing is known.
    #[must_use]
    pub fn timeout(&self, attempt: u32, last: bool, first_contact: Duration) -> Duration {
        let Some((smooth, deviation)) = self.smoothed else {
            return first_contact;
        };
        let base = (smooth + deviation * 4).max(MIN_TIMEOUT.min(first_contact));
        let grown = base.saturating_mul(1 << attempt.min(5));
        // The last wait covers an element that is quick with scalars and slow with tables.
        let floor = if last { first_contact * 2 } else { Duration::ZERO };
        grown.max(floor).min(MAX_TIMEOUT.max(first_contact))
    }
}

/// Whether an element answers ever more slowly, and how long to leave it alone then.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Strain {
    least: Option<Duration>,
    smooth: Duration,
}

/// Answers that take so many times as long as the quickest one are a sign of strain.
const STRAINED: u32 = 4;
/// Quicker answers than this are not.
const NO_STRAIN: Duration = Duration::from_millis(50);

impl Strain {
    /// Takes in how long one answer of a walk took.
    pub fn measured(&mut self, trip: Duration) {
        // Creeps up, so that a way that became longer is no strain for ever.
        let least = self.least.map_or(trip, |least| (least + least / 64).min(trip));
        self.smooth = if self.least.is_none() {
            trip
        } else {
            (self.smooth * 3 + trip) / 4
        };
        self.least = Some(least);
    }

    /// How long to wait before the next request: as long as an answer takes, which halves
    /// what is asked of the element.
    #[must_use]
    pub fn rest(&self) -> Duration {
        let strained = self.least.is_some_and(|least| self.smooth > least * STRAINED);
        if strained && self.smooth > NO_STRAIN {
            self.smooth.min(MAX_REST)
        } else {
            Duration::ZERO
        }
    }
}

/// Longer rests help no element.
const MAX_REST: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn timeouts_follow_the_element() {
        let mut trip = RoundTrip::default();
        assert_eq!(trip.timeout(2, true, SECOND), SECOND);
        trip.measured(Duration::from_millis(2));
        assert_eq!(trip.timeout(0, false, SECOND), MIN_TIMEOUT);
        assert_eq!(trip.timeout(1, false, SECOND), MIN_TIMEOUT * 2);
        assert_eq!(trip.timeout(2, true, SECOND), SECOND * 2);
        for _ in 0..50 {
            trip.measured(SECOND);
        }
        assert!(trip.timeout(0, false, SECOND) >= SECOND);
        assert_eq!(trip.timeout(9, false, SECOND), MAX_TIMEOUT);
    }

    #[test]
    fn an_element_under_strain_is_left_alone_between_questions() {
        let mut strain = Strain::default();
        assert_eq!(strain.rest(), Duration::ZERO);
        for _ in 0..10 {
            strain.measured(SECOND / 10);
        }
        assert_eq!(strain.rest(), Duration::ZERO, "slow, and always so");
        for _ in 0..10 {
            strain.measured(SECOND);
        }
        assert!(strain.rest() > SECOND / 2, "{strain:?}");
        for _ in 0..20 {
            strain.measured(SECOND / 10);
        }
        assert_eq!(strain.rest(), Duration::ZERO, "well again");
        for _ in 0..300 {
            strain.measured(SECOND);
        }
        assert_eq!(strain.rest(), Duration::ZERO, "the way became longer");
        let mut quick = Strain::default();
        for trip in [1, 40, 40, 40] {
            quick.measured(Duration::from_millis(trip));
        }
        assert_eq!(quick.rest(), Duration::ZERO, "no person would call that slow");
    }

    #[test]
    fn the_rate_holds_over_time() {
        let pace = Pace::new(1000);
        let start = Instant::now();
        let last = (0..2000).filter_map(|_| pace.reserve(|| start)).last();
        let taken = last.unwrap() - start;
        assert!(
            taken > Duration::from_millis(1850) && taken < Duration::from_millis(2000),
            "{taken:?}"
        );
        assert!(Pace::new(0).reserve(|| start).is_none());
    }

    #[test]
    fn a_plan_lowers_the_rate_and_never_raises_it() {
        let start = Instant::now();
        let taken = |pace: &Pace| {
            let last = (0..1000).filter_map(|_| pace.reserve(|| start)).last();
            last.map(|last| (last - start).as_millis() / 100)
        };
        for (cap, asked, tenths) in [
            (1000, 100, Some(98)),
            (1000, 5000, Some(8)),
            (1000, 0, Some(8)),
            (0, 1000, Some(8)),
            (0, 0, None),
        ] {
            let pace = Pace::new(cap);
            pace.lower_to(asked);
            assert_eq!(taken(&pace), tenths, "{cap} {asked}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn each_packet_waits_its_turn() {
        let pace = Pace::new(4);
        let start = Instant::now();
        let mut left = Vec::new();
        for _ in 0..4 {
            pace.turn().await;
            left.push(start.elapsed().as_millis());
        }
        // A quarter of a second apart, less the burst of a tenth.
        assert_eq!(left, [0, 150, 400, 650]);
    }
}
