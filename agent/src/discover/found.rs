//! Who was found, and how long ago each was heard: a pure table.
//!
//! Invariants: an address goes after [`SILENT_SWEEPS`] silent sweeps in a row and
//! not before; the table is bounded.

use crate::target::Target;
use std::collections::BTreeMap;

/// Sweeps without an answer after which an address is no target any more.
pub const SILENT_SWEEPS: u64 = 3;
/// Addresses at most, as many as a plan can list.
const MAX_FOUND: usize = proto::plan::MAX_TARGETS;

/// Addresses, each with the sweep it answered last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found(BTreeMap<Target, u64>);

/// What a probe changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// Nobody came or went.
    Nothing,
    /// A new address.
    Came,
    /// An address was silent for too long.
    Went,
    /// A new address, and no room for it.
    Full,
}

impl Found {
    /// Reads what [`Self::to_bytes`] wrote; a line that is no target is passed over.
    #[must_use]
    pub fn from_bytes(content: &[u8]) -> Self {
        let text = String::from_utf8_lossy(content);
        let targets = text.lines().filter_map(|line| line.parse().ok());
        Self(targets.take(MAX_FOUND).map(|target| (target, 0)).collect())
    }

    /// One target a line. When it answered is not kept: silence counts anew after a restart.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let lines: String = self.0.keys().map(|target| format!("{target}\n")).collect();
        lines.into_bytes()
    }

    /// A sweep begins over other ranges: who is in none goes, the others count as heard in it.
    pub fn begin(&mut self, sweep: u64, inside: impl Fn(Target) -> bool) {
        self.0.retain(|target, _| inside(*target));
        self.0.values_mut().for_each(|heard| *heard = sweep);
    }

    /// It answered in a sweep.
    pub fn answered(&mut self, target: Target, sweep: u64) -> News {
        if let Some(heard) = self.0.get_mut(&target) {
            *heard = sweep.max(*heard);
            return News::Nothing;
        }
        if self.0.len() >= MAX_FOUND {
            return News::Full;
        }
        self.0.insert(target, sweep);
        News::Came
    }

    /// It did not.
    pub fn silent(&mut self, target: Target, sweep: u64) -> News {
        match self.0.get(&target) {
            Some(heard) if sweep.saturating_sub(*heard) >= SILENT_SWEEPS => {
                self.0.remove(&target);
                News::Went
            }
            _ => News::Nothing,
        }
    }

    /// It is nobody's concern any more.
    pub fn forget(&mut self, target: Target) -> News {
        self.0.remove(&target).map_or(News::Nothing, |_| News::Went)
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// All of them, in order.
    pub fn targets(&self) -> impl Iterator<Item = Target> + '_ {
        self.0.keys().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(text: &str) -> Target {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_goes_after_three_silent_sweeps_in_a_row() {
        let (a, b) = (target("192.0.2.1"), target("192.0.2.2"));
        let mut found = Found::default();
        for (sweep, who, answers, expected) in [
            (5, a, true, News::Came),
            (5, b, false, News::Nothing),
            (6, a, false, News::Nothing),
            (7, a, false, News::Nothing),
            (7, b, true, News::Came),
            (8, a, true, News::Nothing),
            (9, a, false, News::Nothing),
            (10, a, false, News::Nothing),
            (10, b, false, News::Went),
            (11, a, false, News::Went),
            (12, a, false, News::Nothing),
            (13, a, true, News::Came),
        ] {
            let news = match answers {
                true => found.answered(who, sweep),
                false => found.silent(who, sweep),
            };
            assert_eq!(news, expected, "{who} in sweep {sweep}");
        }
        assert_eq!(found.targets().collect::<Vec<_>>(), [a]);
    }

    #[test]
    fn what_was_kept_counts_as_heard_and_what_lies_outside_goes() {
        let (a, b) = (target("192.0.2.1"), target("[2001:db8::1]:1161"));
        let mut found = Found::default();
        found.answered(a, 5);
        found.answered(b, 5);
        let mut again = Found::from_bytes(&found.to_bytes());
        assert_eq!(again.targets().collect::<Vec<_>>(), [a, b]);
        again.begin(1_000, |target| target == b);
        assert_eq!(again.silent(b, 1_002), News::Nothing);
        assert_eq!(again.silent(b, 1_003), News::Went);
        assert_eq!(Found::from_bytes(b"\xff\nrouter\n"), Found::default());
    }

    #[test]
    fn the_table_is_bounded() {
        let mut found = Found::default();
        let host = |n: u32| Target::new(std::net::Ipv4Addr::from(0x0a00_0000 + n).into(), 161).unwrap();
        for n in 1..=50_000 {
            assert_eq!(found.answered(host(n), 1), News::Came);
        }
        assert_eq!(found.answered(host(50_001), 1), News::Full);
        assert_eq!(found.answered(host(7), 2), News::Nothing);
    }
}
