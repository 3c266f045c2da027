//! What goes out next, given what was acknowledged: the stream's state without its I/O.
//!
//! Invariants: everything goes out once a session, in sequence, without a hole; no
//! report goes out beyond the window, and a gap only if it begins within it; small
//! reports wait a little for company, and nothing waits for them; an
//! acknowledgement of what was not sent is refused.

use spool::Item;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// A report of so many bytes says that nothing changed, or little else.
const SMALL_BYTES: usize = 512;
/// Small reports in one message at most.
const BATCH: usize = 128;

/// One session's place in the sequence.
#[derive(Debug)]
pub struct Line {
    /// Sequences that may be sent beyond the last acknowledged.
    window: u64,
    acked: u64,
    sent: u64,
    /// How long small reports wait for others; [`None`] sends each by itself.
    linger: Option<Duration>,
    /// The session ends soon: nothing waits for company.
    hurried: bool,
    /// Read and not yet sent.
    ready: VecDeque<Item>,
    /// Since when the first of them is.
    ready_since: Option<Instant>,
    /// Last sequence of each message under way, and when it was sent.
    under_way: VecDeque<(u64, Instant)>,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Something should go out.
    Send,
    /// Something should go out then, if nothing changes before.
    Later(Instant),
    /// Nothing can go out before an acknowledgement or more from the spool.
    Wait,
}

/// The collector acknowledged what was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotSent;

impl Line {
    /// A session that goes on after `acked`.
    #[must_use]
    pub fn new(acked: u64, window: u64, linger: Option<Duration>) -> Self {
        Self {
            window,
            acked,
            sent: acked,
            linger,
            hurried: false,
            ready: VecDeque::new(),
            ready_since: None,
            under_way: VecDeque::new(),
        }
    }

    /// From where the spool is to be read, if more is wanted.
    #[must_use]
    pub fn wants(&self) -> Option<u64> {
        let short = self.linger.is_some() && self.ready.len() < BATCH && self.ready.iter().all(is_small);
        (self.ready.is_empty() || short).then(|| self.ready.back().map_or(self.sent, Item::last) + 1)
    }

    /// What the spool gave from there.
    pub fn read(&mut self, items: Vec<Item>, now: Instant) {
        self.ready.extend(items);
        if !self.ready.is_empty() {
            self.ready_since.get_or_insert(now);
        }
    }

    /// The last sequence that went out, or was acknowledged before.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// Whether something should go out.
    #[must_use]
    pub fn turn(&self, now: Instant) -> Turn {
        let together = self.together();
        let lingers = self.linger.filter(|_| !self.hurried);
        let (Some(linger), Some(since)) = (lingers, self.ready_since) else {
            return if together > 0 { Turn::Send } else { Turn::Wait };
        };
        let until = since.checked_add(linger).unwrap_or(now);
        match together {
            0 => Turn::Wait,
            // Only small ones, all that are ready, and room for more: they wait for company.
            count if count == self.ready.len() && count < BATCH && self.ready.iter().all(is_small) => {
                let room = self.acked.saturating_add(self.window) > self.ready.back().map_or(0, Item::last);
                if room && now < until {
                    Turn::Later(until)
                } else {
                    Turn::Send
                }
            }
            _ => Turn::Send,
        }
    }

    /// How many of what is ready may go out in one message.
    fn together(&self) -> usize {
        let end = self.acked.saturating_add(self.window);
        let open = self.ready.iter().take_while(|item| item.first() <= end);
        let most = if self.linger.is_some() { BATCH } else { 0 };
        let small = open.clone().take(most).take_while(|item| is_small(item)).count();
        small.max(open.take(1).count())
    }

    /// What goes out now, in one message: one item of any kind, or small reports.
    pub fn send(&mut self, now: Instant) -> Vec<Item> {
        let items: Vec<Item> = self.ready.drain(..self.together()).collect();
        if let Some(last) = items.last() {
            self.sent = last.last();
            self.under_way.push_back((self.sent, now));
        }
        self.ready_since = (!self.ready.is_empty()).then_some(now);
        items
    }

    /// Everything up to `sequence` is durable; returns up to where it now is.
    ///
    /// # Errors
    /// [`NotSent`] when the collector broke the protocol.
    pub fn acked(&mut self, sequence: u64) -> Result<u64, NotSent> {
        if sequence > self.sent {
            return Err(NotSent);
        }
        self.acked = self.acked.max(sequence);
        while self
            .under_way
            .front()
            .is_some_and(|(last, _)| *last <= self.acked)
        {
            self.under_way.pop_front();
        }
        Ok(self.acked)
    }

    /// The session is about to end: what is ready goes out now, and it is not settled before.
    pub fn hurry(&mut self) {
        self.hurried = true;
    }

    /// Nothing is under way.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.acked >= self.sent && !(self.hurried && self.together() > 0)
    }

    /// When the oldest message under way was sent.
    #[must_use]
    pub fn unacked_since(&self) -> Option<Instant> {
        self.under_way.front().map(|(_, sent)| *sent)
    }
}

fn is_small(item: &Item) -> bool {
    matches!(item, Item::Record(record) if record.payload.len() <= SMALL_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::bytes::Bytes;
    use spool::{Gap, GapReason, Record};
    use std::time::{Duration, SystemTime};

    fn record(sequence: u64, bytes: usize) -> Item {
        Item::Record(Record {
            sequence,
            payload: Bytes::from(vec![0; bytes]),
        })
    }

    fn items(spans: &[(u64, u64)]) -> Vec<Item> {
        let item = |&(from, to): &(u64, u64)| match from == to {
            true => record(from, SMALL_BYTES),
            false => Item::Gap(Gap {
                from,
                to,
                count: to - from + 1,
                reason: GapReason::Full,
                declared: SystemTime::UNIX_EPOCH,
            }),
        };
        spans.iter().map(item).collect()
    }

    /// First and last sequences of all messages that go out now.
    fn sends(line: &mut Line, now: Instant) -> Vec<(u64, u64)> {
        let mut sent = Vec::new();
        while line.turn(now) == Turn::Send {
            let items = line.send(now);
            sent.push((items[0].first(), items.last().unwrap().last()));
        }
        sent
    }

    #[test]
    fn small_reports_wait_for_company_and_nothing_waits_for_them() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let linger = Some(Duration::from_secs(5));
        let small = |range: std::ops::RangeInclusive<u64>| range.map(|n| record(n, 100)).collect::<Vec<_>>();

        // Two come one after the other and leave together when the first has waited enough.
        let mut line = Line::new(0, 500, linger);
        assert_eq!((line.turn(at(0)), line.wants()), (Turn::Wait, Some(1)));
        line.read(small(1..=1), at(1));
        assert_eq!((line.turn(at(2)), line.wants()), (Turn::Later(at(6)), Some(2)));
        line.read(small(2..=2), at(4));
        line.read(Vec::new(), at(5));
        assert_eq!(line.turn(at(5)), Turn::Later(at(6)));
        assert_eq!(sends(&mut line, at(6)), [(1, 2)]);
        assert_eq!(
            (line.turn(at(9)), line.unacked_since()),
            (Turn::Wait, Some(at(6)))
        );

        // A large one goes at once and takes those before it along, in sequence; so does a gap.
        line.read(small(3..=4), at(10));
        line.read(vec![record(5, SMALL_BYTES + 1), record(6, 1)], at(11));
        assert_eq!(line.wants(), None);
        assert_eq!(sends(&mut line, at(11)), [(3, 4), (5, 5)]);
        assert_eq!(line.turn(at(11)), Turn::Later(at(16)));
        line.read(items(&[(7, 90)]), at(12));
        assert_eq!(sends(&mut line, at(12)), [(6, 6), (7, 90)]);

        // Enough of them wait for nothing.
        line.read(small(91..=91 + BATCH as u64), at(13));
        assert_eq!(line.wants(), None);
        assert_eq!(sends(&mut line, at(13)), [(91, 90 + BATCH as u64)]);
        assert_eq!(line.turn(at(13)), Turn::Later(at(18)));

        // The window counts reports, not messages; what fills it waits for nothing.
        let mut line = Line::new(10, 3, linger);
        line.read(small(11..=12), at(0));
        assert_eq!(line.turn(at(0)), Turn::Later(at(5)));
        line.read(small(13..=15), at(0));
        assert_eq!(sends(&mut line, at(0)), [(11, 13)]);
        assert_eq!(line.turn(at(9)), Turn::Wait);
        assert_eq!(line.acked(12), Ok(12));
        assert_eq!(sends(&mut line, at(9)), [(14, 15)]);
        assert_eq!(line.acked(15), Ok(15));
        line.read(small(16..=18), at(10));
        assert_eq!(sends(&mut line, at(10)), [(16, 18)]);
    }

    #[test]
    fn before_its_end_a_session_sends_what_waits_for_company() {
        let now = Instant::now();
        let mut line = Line::new(0, 500, Some(Duration::from_secs(5)));
        line.read(vec![record(1, 100), record(2, 100)], now);
        assert!(matches!(line.turn(now), Turn::Later(_)));
        assert!(line.is_settled());
        line.hurry();
        assert!(!line.is_settled(), "what is ready goes first");
        assert_eq!(sends(&mut line, now), [(1, 2)]);
        assert!(!line.is_settled());
        assert_eq!(line.acked(2), Ok(2));
        assert!(line.is_settled());
    }

    /// What happens to a line, and what must come of it.
    enum Event {
        Read(&'static [(u64, u64)]),
        /// All that goes out, as first and last sequences.
        Sends(&'static [(u64, u64)]),
        Wants(Option<u64>),
        Acked(u64),
        Refuses(u64),
        Settled(bool),
        /// Seconds after the start at which the oldest under way was sent.
        Since(Option<u64>),
    }
    use Event::*;

    #[test]
    fn everything_goes_once_in_sequence_and_within_the_window() {
        let stories: [(u64, u64, &[Event]); 4] = [
            // A window of two, opened by acknowledgements.
            (
                0,
                2,
                &[
                    Wants(Some(1)),
                    Settled(true),
                    Since(None),
                    Read(&[(1, 1), (2, 2), (3, 3), (4, 4)]),
                    Wants(None),
                    Sends(&[(1, 1), (2, 2)]),
                    Sends(&[]),
                    Since(Some(4)),
                    Acked(1),
                    Since(Some(4)),
                    Sends(&[(3, 3)]),
                    Settled(false),
                    Acked(3),
                    Since(None),
                    Settled(true),
                    Sends(&[(4, 4)]),
                    Wants(Some(5)),
                ],
            ),
            // A gap wider than the window goes out whole, and what follows waits for its ack.
            (
                6,
                3,
                &[
                    Wants(Some(7)),
                    Read(&[(7, 90), (91, 91)]),
                    Sends(&[(7, 90)]),
                    Acked(87),
                    Settled(false),
                    Sends(&[]),
                    Acked(90),
                    Sends(&[(91, 91)]),
                ],
            ),
            // A gap that begins beyond the window waits too.
            (
                0,
                1,
                &[
                    Read(&[(1, 1), (2, 9)]),
                    Sends(&[(1, 1)]),
                    Acked(1),
                    Sends(&[(2, 9)]),
                ],
            ),
            // Acknowledgements: old ones change nothing, those of the future end the session.
            (
                4,
                9,
                &[
                    Refuses(5),
                    Acked(4),
                    Read(&[(5, 5), (6, 6)]),
                    Refuses(5),
                    Sends(&[(5, 5), (6, 6)]),
                    Acked(6),
                    Acked(5),
                    Refuses(7),
                    Settled(true),
                    Wants(Some(7)),
                ],
            ),
        ];
        for (story, (acked, window, events)) in stories.into_iter().enumerate() {
            let mut line = Line::new(acked, window, None);
            let start = Instant::now();
            for (at, event) in events.iter().enumerate() {
                let place = format!("story {story}, event {at}");
                match event {
                    Read(spans) => line.read(items(spans), start),
                    Sends(spans) => {
                        let now = start + Duration::from_secs(at as u64 - 1);
                        assert_eq!(sends(&mut line, now), *spans, "{place}");
                    }
                    Wants(from) => assert_eq!(line.wants(), *from, "{place}"),
                    Acked(sequence) => assert!(line.acked(*sequence).is_ok(), "{place}"),
                    Refuses(sequence) => assert_eq!(line.acked(*sequence), Err(NotSent), "{place}"),
                    Settled(settled) => assert_eq!(line.is_settled(), *settled, "{place}"),
                    Since(seconds) => {
                        let since = line.unacked_since().map(|at| at.duration_since(start).as_secs());
                        assert_eq!(since, *seconds, "{place}");
                    }
                }
            }
        }
    }
}
