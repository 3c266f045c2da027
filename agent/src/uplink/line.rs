//! What goes out next, given what was acknowledged: the stream's state without its I/O.
//!
//! Invariants: everything goes out once a session, in sequence, without a hole; no
//! report goes out beyond the window, and a gap only if it begins within it; an
//! acknowledgement of what was not sent is refused.

use spool::Item;
use std::collections::VecDeque;
use std::time::Instant;

/// One session's place in the sequence.
#[derive(Debug)]
pub struct Line {
    /// Sequences that may be sent beyond the last acknowledged.
    window: u64,
    acked: u64,
    sent: u64,
    /// Read and not yet sent.
    ready: VecDeque<Item>,
    /// Last sequence of each message under way, and when it was sent.
    under_way: VecDeque<(u64, Instant)>,
}

/// The collector acknowledged what was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotSent;

impl Line {
    /// A session that goes on after `acked`.
    #[must_use]
    pub fn new(acked: u64, window: u64) -> Self {
        Self {
            window,
            acked,
            sent: acked,
            ready: VecDeque::new(),
            under_way: VecDeque::new(),
        }
    }

    /// From where the spool is to be read, if more is wanted.
    #[must_use]
    pub fn wants(&self) -> Option<u64> {
        self.ready.is_empty().then_some(self.sent + 1)
    }

    /// What the spool gave from there.
    pub fn read(&mut self, items: Vec<Item>) {
        self.ready.extend(items);
    }

    /// Whether something may go out.
    #[must_use]
    pub fn may_send(&self) -> bool {
        let end = self.acked.saturating_add(self.window);
        self.ready.front().is_some_and(|item| item.first() <= end)
    }

    /// What goes out now.
    pub fn send(&mut self, now: Instant) -> Option<Item> {
        if !self.may_send() {
            return None;
        }
        let item = self.ready.pop_front()?;
        self.sent = item.last();
        self.under_way.push_back((self.sent, now));
        Some(item)
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

    /// Nothing is under way.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.acked >= self.sent
    }

    /// When the oldest message under way was sent.
    #[must_use]
    pub fn unacked_since(&self) -> Option<Instant> {
        self.under_way.front().map(|(_, sent)| *sent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::bytes::Bytes;
    use spool::{Gap, GapReason, Record};
    use std::time::{Duration, SystemTime};

    fn items(spans: &[(u64, u64)]) -> Vec<Item> {
        let item = |&(from, to): &(u64, u64)| match from == to {
            true => Item::Record(Record {
                sequence: from,
                payload: Bytes::new(),
            }),
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
            let mut line = Line::new(acked, window);
            let start = Instant::now();
            for (at, event) in events.iter().enumerate() {
                let place = format!("story {story}, event {at}");
                match event {
                    Read(spans) => line.read(items(spans)),
                    Sends(spans) => {
                        let now = start + Duration::from_secs(at as u64 - 1);
                        let sent: Vec<_> = std::iter::from_fn(|| line.send(now))
                            .map(|item| (item.first(), item.last()))
                            .collect();
                        assert_eq!(sent, *spans, "{place}");
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
