//! What the rows of one round may take: in its report, and in the agent's memory.
//!
//! Invariants: every row is counted before it is kept, as it will be encoded and as it lies
//! in memory; beyond a share that each round has, the memory of all rounds together is
//! bounded, however many elements send however much.

use super::Limits;
use prost::Message as _;
use proto::v1::{Evidence, Observation, Varbind};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Octets of memory that each round has without asking.
const OWN: usize = 4 << 20;
/// Taken from what all share in so many kibibytes.
const STEP_KIBIBYTES: u32 = 1024;

/// The memory for the rows of one round; given back when it is dropped.
#[derive(Debug)]
pub struct Room {
    /// Kibibytes for all rounds; none if this is the only one.
    shared: Option<Arc<Semaphore>>,
    left: usize,
    taken: Option<OwnedSemaphorePermit>,
}

impl Room {
    /// A share, and more of what all rounds have together, in kibibytes.
    #[must_use]
    pub fn of(shared: Arc<Semaphore>) -> Self {
        Self {
            shared: Some(shared),
            left: OWN,
            taken: None,
        }
    }

    /// As much as the other limits let.
    #[must_use]
    pub fn alone() -> Self {
        Self {
            shared: None,
            left: OWN,
            taken: None,
        }
    }

    fn take(&mut self, octets: usize) -> bool {
        while self.left < octets {
            if let Some(shared) = &self.shared {
                let more = Arc::clone(shared).try_acquire_many_owned(STEP_KIBIBYTES);
                let Ok(more) = more else {
                    return false;
                };
                match &mut self.taken {
                    Some(taken) => taken.merge(more),
                    None => self.taken = Some(more),
                }
            }
            self.left += 1024 * STEP_KIBIBYTES as usize;
        }
        self.left -= octets;
        true
    }
}

/// What the rows of one round may still take.
#[derive(Debug)]
pub struct Budget<'r> {
    bytes: usize,
    items: usize,
    room: &'r mut Room,
}

impl<'r> Budget<'r> {
    /// All that the limits let a round have.
    #[must_use]
    pub fn new(limits: &Limits, room: &'r mut Room) -> Self {
        Self {
            bytes: limits.max_evidence_bytes,
            items: proto::MAX_EVIDENCE_ITEMS - crate::report::MARGIN,
            room,
        }
    }

    /// Less what these take without any rows.
    #[must_use]
    pub fn without(mut self, questions: Vec<Observation>) -> Self {
        let items = |one: &Observation| 1 + one.oids.len();
        self.items = self.items.saturating_sub(questions.iter().map(items).sum());
        // An outcome, and a length that grows with the rows, of each.
        let growth = questions.len() * 8;
        let empty = Evidence {
            observations: questions,
        };
        self.bytes = self.bytes.saturating_sub(empty.encoded_len() + growth);
        self
    }

    /// Whether there is room for this row, which is taken then.
    pub fn take(&mut self, row: &Varbind) -> bool {
        let bytes = encoded_bytes(row);
        // Beside its name and value, what the packet had between them.
        let memory = size_of::<Varbind>() + bytes;
        if bytes > self.bytes || self.items == 0 || !self.room.take(memory) {
            return false;
        }
        self.bytes -= bytes;
        self.items -= 1;
        true
    }
}

/// What a row takes in an encoded observation.
fn encoded_bytes(row: &Varbind) -> usize {
    let length = row.encoded_len();
    1 + prost::length_delimiter_len(length) + length
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(octets: usize) -> Varbind {
        Varbind {
            oid: vec![0x2b; 10].into(),
            tag: 4,
            value: vec![7; octets].into(),
        }
    }

    fn limits(bytes: usize) -> Limits {
        Limits {
            max_evidence_bytes: bytes,
            ..crate::config::PollConfig::default().limits()
        }
    }

    #[test]
    fn rows_are_counted_as_they_are_encoded() {
        let question = Observation {
            oids: vec![vec![0x2b; 10].into(); 3],
            ..Observation::default()
        };
        for most in [500, 1_000, 65_536] {
            let (limits, mut room) = (limits(most), Room::alone());
            let mut budget = Budget::new(&limits, &mut room).without(vec![question.clone()]);
            let mut full = question.clone();
            while budget.take(&row(full.varbinds.len() % 200)) {
                full.varbinds.push(row(full.varbinds.len() % 200));
            }
            (full.kind, full.outcome) = (2, 2);
            let encoded = Evidence {
                observations: vec![full],
            }
            .encoded_len();
            assert!(encoded <= most && encoded + 250 > most, "{encoded} of {most}");
        }
    }

    #[test]
    fn all_rounds_together_take_no_more_than_there_is() {
        let shared = Arc::new(Semaphore::new(3 * 1024));
        let limits = limits(64 << 20);
        let fill = |room: &mut Room| {
            let mut budget = Budget::new(&limits, room);
            let big = row(100_000);
            (0..).take_while(|_| budget.take(&big)).count()
        };
        let (mut one, mut other) = (Room::of(Arc::clone(&shared)), Room::of(Arc::clone(&shared)));
        let (first, second) = (fill(&mut one), fill(&mut other));
        assert_eq!(first, ((4 + 3) << 20) / (100_000 + 72 + 20));
        assert_eq!(
            second,
            (4 << 20) / (100_000 + 72 + 20),
            "its own share and no more"
        );
        assert_eq!(shared.available_permits(), 0);
        drop(one);
        assert_eq!(shared.available_permits(), 3 * 1024);
        assert!(fill(&mut Room::alone()) > 600);
    }
}
