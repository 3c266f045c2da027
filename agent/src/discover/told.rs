//! Whom neighbours named, and whose turn is when out of the sweep's order: pure tables.
//!
//! Invariants: all are bounded, the newest kept; in a range that is not swept, whoever answers
//! stays before whoever does not, so that naming many pushes out no element.

use crate::target::Target;
use proto::v1::CoverageState as State;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use tokio::time::Instant;

/// Addresses kept though no range may have them: the next plan may.
const MAX_HEARD: usize = proto::plan::MAX_TOLD;

/// Every address that was named lately, wherever it lies.
#[derive(Debug, Default)]
pub struct Heard {
    since: HashMap<IpAddr, u64>,
    order: BTreeMap<u64, IpAddr>,
    count: u64,
}

impl Heard {
    /// It was named; whether that is new.
    pub fn hear(&mut self, address: IpAddr) -> bool {
        self.count += 1;
        let before = self.since.insert(address, self.count);
        if let Some(before) = before {
            self.order.remove(&before);
        }
        self.order.insert(self.count, address);
        if self.order.len() > MAX_HEARD
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.since.remove(&oldest);
        }
        before.is_none()
    }

    /// All of them, in the order of naming.
    pub fn all(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.order.values().copied()
    }
}

/// The named addresses of one range that is not swept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Named {
    rows: BTreeMap<IpAddr, Row>,
    count: u64,
}

/// What is known of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Row {
    octet: u8,
    /// When it was named last; 0: before the agent began.
    named: u64,
    /// In a row.
    silences: u64,
}

impl Named {
    /// It was named. Whether that is new; `octet` counts only then.
    pub fn hear(&mut self, address: IpAddr, octet: u8) -> bool {
        self.count += 1;
        let named = self.count;
        let mut new = false;
        let row = self.rows.entry(address).or_insert_with(|| {
            new = true;
            Row {
                octet,
                named,
                silences: 0,
            }
        });
        row.named = named;
        new
    }

    /// Whoever has to go so that no more than that are left: the one named longest ago, of those
    /// that do not answer if there is any.
    pub fn shed(&mut self, most: usize) -> Option<IpAddr> {
        if self.rows.len() <= most {
            return None;
        }
        let answers = |row: &Row| is_there(super::coverage::state_of(row.octet));
        let worst = self.rows.iter().min_by_key(|(_, row)| (answers(row), row.named));
        let worst = worst.map(|(address, _)| *address)?;
        self.rows.remove(&worst);
        Some(worst)
    }

    /// The octet of one.
    pub fn octet(&mut self, address: IpAddr) -> Option<&mut u8> {
        self.rows.get_mut(&address).map(|row| &mut row.octet)
    }

    /// The octet of one, to look at.
    #[must_use]
    pub fn known(&self, address: IpAddr) -> Option<u8> {
        self.rows.get(&address).map(|row| row.octet)
    }

    /// It answered, or it did not: silences in a row with this one.
    pub fn answered(&mut self, address: IpAddr, answered: bool) -> u64 {
        let Some(row) = self.rows.get_mut(&address) else {
            return 0;
        };
        row.silences = if answered { 0 } else { row.silences + 1 };
        row.silences
    }

    /// All of them with their octets, by address.
    pub fn all(&self) -> impl Iterator<Item = (IpAddr, u8)> + '_ {
        self.rows.iter().map(|(address, row)| (*address, row.octet))
    }

    /// Keeps those whose octet stays one; others go.
    pub fn review(&mut self, octet: impl Fn(IpAddr, u8) -> Option<u8>) {
        self.rows.retain(|address, row| {
            let now = octet(*address, row.octet);
            row.octet = now.unwrap_or(row.octet);
            now.is_some()
        });
    }
}

/// Whether somebody is there, who took the credential or not.
pub fn is_there(state: State) -> bool {
    use State::{CredentialRefused, Engine, Ignored, NoCredential, Object};
    matches!(
        state,
        Engine | Object | CredentialRefused | Ignored | NoCredential
    )
}

/// Whose turn is when: each address once.
#[derive(Debug, Default)]
pub struct Turns {
    queue: BTreeSet<(Instant, Target)>,
    due: HashMap<Target, Instant>,
}

impl Turns {
    /// Its turn is then, and at no other time.
    pub fn set(&mut self, target: Target, at: Instant) {
        self.remove(target);
        self.due.insert(target, at);
        self.queue.insert((at, target));
    }

    /// When the next one is.
    #[must_use]
    pub fn next(&self) -> Option<Instant> {
        self.queue.first().map(|(at, _)| *at)
    }

    /// When that of an address is.
    #[must_use]
    pub fn of(&self, target: Target) -> Option<Instant> {
        self.due.get(&target).copied()
    }

    /// How many have one.
    #[must_use]
    pub fn len(&self) -> usize {
        self.due.len()
    }

    /// Takes the next one.
    pub fn pop(&mut self) -> Option<Target> {
        let (_, target) = self.queue.pop_first()?;
        self.due.remove(&target);
        Some(target)
    }

    /// It has none.
    pub fn remove(&mut self, target: Target) {
        if let Some(at) = self.due.remove(&target) {
            self.queue.remove(&(at, target));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at(n: u32) -> IpAddr {
        std::net::Ipv4Addr::from(0x0a00_0000 + n).into()
    }

    #[test]
    fn what_was_named_longest_ago_is_forgotten_first() {
        let mut heard = Heard::default();
        let most = u32::try_from(MAX_HEARD).unwrap();
        for n in 0..most {
            assert!(heard.hear(at(n)));
        }
        assert!(!heard.hear(at(0)), "known, and the newest from now on");
        assert!(heard.hear(at(most)));
        assert!(!heard.hear(at(0)) && heard.hear(at(1)), "the oldest went");
        assert_eq!((heard.since.len(), heard.order.len()), (MAX_HEARD, MAX_HEARD));
        assert_eq!(heard.all().last(), Some(at(1)));
    }

    #[test]
    fn whoever_names_many_pushes_out_nobody_who_answers() {
        let octet = |state: State| u8::try_from(i32::from(state)).unwrap();
        let mut named = Named::default();
        for n in 1..=3 {
            assert!(named.hear(at(n), octet(State::NotAsked)));
        }
        *named.octet(at(1)).unwrap() = octet(State::Engine) | 64;
        *named.octet(at(2)).unwrap() = octet(State::Silent);
        assert!(!named.hear(at(2), octet(State::NotAsked)));
        assert_eq!(named.known(at(2)), Some(octet(State::Silent)));
        assert_eq!(named.shed(3), None);
        let mut went = Vec::new();
        for n in 4..=7 {
            named.hear(at(n), octet(State::NotAsked));
            went.extend(named.shed(3));
        }
        assert_eq!(went, [at(3), at(2), at(4), at(5)]);
        assert_eq!(named.shed(1).and_then(|_| named.shed(1)), Some(at(7)));
        assert_eq!(named.shed(0), Some(at(1)), "unless there is room for none");
        assert_eq!(named.answered(at(1), false), 0);
    }

    #[test]
    fn each_has_one_turn() {
        let now = Instant::now();
        let target = |n| Target::new(at(n), 161).unwrap();
        let mut turns = Turns::default();
        for (n, seconds) in [(1, 9), (2, 5), (3, 7), (1, 1), (3, 8)] {
            turns.set(target(n), now + Duration::from_secs(seconds));
        }
        turns.remove(target(2));
        assert_eq!((turns.len(), turns.of(target(2))), (2, None));
        assert_eq!(turns.next(), Some(now + Duration::from_secs(1)));
        assert_eq!(
            [turns.pop(), turns.pop(), turns.pop()],
            [Some(target(1)), Some(target(3)), None]
        );
        assert_eq!(turns.next(), None);
    }
}
