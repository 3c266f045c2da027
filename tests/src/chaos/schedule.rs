//! Which faults happen when: a function of the seed and the time there is.
//!
//! Invariants: every kind occurs; every fault ends within the window; no two faults
//! of the same subject overlap.

use crate::kind::dice::Dice;
use std::collections::BTreeMap;
use std::time::Duration;

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The agent is ended by SIGKILL and started again.
    KillAgent,
    /// The collector too.
    KillCollector,
    /// Connections are closed, new ones too.
    Cut,
    /// Bytes are late and few.
    Slow,
    /// What is said on open connections is swallowed; new ones work.
    HalfOpen,
    /// An old connection's bytes arrive while the next one is under way.
    Reordered,
    /// No room under the spools.
    SpoolDisk,
    /// No room under the store.
    StoreDisk,
    /// The agent's wall clock jumps.
    AgentClock,
    /// The collector's too.
    CollectorClock,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 10] = [
        Self::KillAgent,
        Self::KillCollector,
        Self::Cut,
        Self::Slow,
        Self::HalfOpen,
        Self::Reordered,
        Self::SpoolDisk,
        Self::StoreDisk,
        Self::AgentClock,
        Self::CollectorClock,
    ];

    /// Its name in the result.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::KillAgent => "kill_agent",
            Self::KillCollector => "kill_collector",
            Self::Cut => "cut",
            Self::Slow => "slow",
            Self::HalfOpen => "half_open",
            Self::Reordered => "reordered",
            Self::SpoolDisk => "spool_disk_full",
            Self::StoreDisk => "store_disk_full",
            Self::AgentClock => "agent_clock_jump",
            Self::CollectorClock => "collector_clock_jump",
        }
    }

    /// What it befalls: one at a time.
    fn subject(self, line: usize) -> (u8, usize) {
        match self {
            Self::KillAgent => (0, line),
            Self::KillCollector => (1, 0),
            Self::Cut | Self::Slow | Self::HalfOpen | Self::Reordered => (2, line),
            Self::SpoolDisk => (3, 0),
            Self::StoreDisk => (4, 0),
            Self::AgentClock => (5, line),
            Self::CollectorClock => (6, 0),
        }
    }

    /// Whether only one line feels it.
    #[must_use]
    pub fn is_of_one_line(self) -> bool {
        matches!(
            self,
            Self::KillAgent | Self::Cut | Self::Slow | Self::HalfOpen | Self::Reordered | Self::AgentClock
        )
    }

    fn is_a_moment(self) -> bool {
        matches!(self, Self::AgentClock | Self::CollectorClock)
    }
}

/// One fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// When it begins.
    pub at: Duration,
    /// How long it lasts.
    pub lasts: Duration,
    /// What it is.
    pub kind: Kind,
    /// Whom it befalls, if that matters.
    pub line: usize,
    /// For what else is left to chance.
    pub chance: u64,
}

/// Longer than a silent link is believed in: only given up by keepalive.
const LONG_HALF_OPEN: Duration = Duration::from_secs(33);
/// Long enough for a small spool to overflow.
const LONG_CUT: Duration = Duration::from_secs(14);
/// A window for both of them.
const LONG_WINDOW: Duration = Duration::from_secs(50);

/// The faults of a run whose window is so long, by their beginning.
#[must_use]
pub fn schedule(seed: u64, window: Duration, lines: usize) -> Vec<Fault> {
    let mut dice = Dice::new(&format!("chaos {seed}"));
    let mut kinds = Kind::ALL.to_vec();
    for last in (1..kinds.len()).rev() {
        kinds.swap(last, dice.below(last + 1));
    }
    let lines = lines.max(1);
    let mut free = BTreeMap::new();
    let mut faults = Vec::new();
    let mut add = |at: Duration, lasts: Duration, kind: Kind, line: usize, chance| {
        let free: &mut Duration = free.entry(kind.subject(line)).or_default();
        let at = at.max(*free);
        let lasts = if kind.is_a_moment() { Duration::ZERO } else { lasts };
        let fits = at + lasts <= window;
        if fits {
            *free = at + lasts;
            faults.push(Fault {
                at,
                lasts,
                kind,
                line,
                chance,
            });
        }
        fits
    };
    let long = window >= LONG_WINDOW;
    if long {
        // One line each, from the beginning.
        let first = dice.below(lines);
        add(
            millis(&mut dice, 500, 2_000),
            LONG_HALF_OPEN,
            Kind::HalfOpen,
            first,
            dice.roll(),
        );
        add(
            millis(&mut dice, 500, 4_000),
            LONG_CUT,
            Kind::Cut,
            (first + 1) % lines,
            dice.roll(),
        );
    }
    // Each kind once in the first part.
    let part = window.min(Duration::from_secs(25));
    let step = part / 14;
    let most = (part / 8).min(Duration::from_millis(3_000));
    for (kind, number) in kinds.into_iter().zip(0..) {
        if long && matches!(kind, Kind::HalfOpen | Kind::Cut) {
            continue;
        }
        let lasts = millis(&mut dice, 400, most.as_millis());
        // A full disk is met only by who writes next; an old connection must be overtaken.
        let least = if matches!(kind, Kind::StoreDisk | Kind::SpoolDisk | Kind::Reordered) {
            part / 10
        } else {
            Duration::ZERO
        };
        let lasts = lasts.max(least);
        let at = step * number + millis(&mut dice, 0, step.as_millis());
        let line = dice.below(lines);
        let chance = dice.roll();
        // Another line if this one is busy for too long.
        if !add(at, lasts, kind, line, chance) {
            add(at, lasts, kind, (line + 1) % lines, chance);
        }
    }
    let mut at = step * 10;
    while at < window {
        at += millis(&mut dice, 300, 2_500);
        let Some(&kind) = Kind::ALL.get(dice.below(Kind::ALL.len())) else {
            break;
        };
        let lasts = millis(&mut dice, 200, 5_000);
        let line = dice.below(lines);
        add(at, lasts, kind, line, dice.roll());
    }
    faults.sort_by_key(|fault| fault.at);
    faults
}

fn millis(dice: &mut Dice, least: u64, most: u128) -> Duration {
    let span = usize::try_from(most).unwrap_or(usize::MAX);
    let span = span.saturating_sub(usize::try_from(least).unwrap_or(0)).max(1);
    Duration::from_millis(least + dice.below(span) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_kind_occurs_in_any_run_and_ends_in_time() {
        for seconds in [14, 15, 20, 45, 50, 55, 200] {
            let window = Duration::from_secs(seconds);
            for seed in 0..200 {
                let faults = schedule(seed, window, 2);
                let kinds: BTreeSet<Kind> = faults.iter().map(|fault| fault.kind).collect();
                assert_eq!(
                    kinds.len(),
                    Kind::ALL.len(),
                    "seed {seed}, {seconds} s: {faults:?}"
                );
                assert!(faults.iter().all(|fault| fault.at + fault.lasts <= window));
            }
        }
    }

    #[test]
    fn one_subject_has_one_fault_at_a_time() {
        for seed in 0..100 {
            let mut busy = BTreeMap::new();
            for fault in schedule(seed, Duration::from_secs(60), 2) {
                let until = busy
                    .entry(fault.kind.subject(fault.line))
                    .or_insert(Duration::ZERO);
                assert!(fault.at >= *until, "seed {seed}: {fault:?}");
                *until = fault.at + fault.lasts;
            }
        }
    }

    #[test]
    fn the_seed_fixes_it() {
        let window = Duration::from_secs(30);
        assert_eq!(schedule(7, window, 2), schedule(7, window, 2));
        assert_ne!(schedule(7, window, 2), schedule(8, window, 2));
    }

    #[test]
    fn a_long_run_outlasts_keepalive_and_a_small_spool() {
        let faults = schedule(3, Duration::from_secs(55), 2);
        let long = |kind, lasts| faults.iter().any(|f| f.kind == kind && f.lasts == lasts);
        assert!(long(Kind::HalfOpen, LONG_HALF_OPEN) && long(Kind::Cut, LONG_CUT));
    }
}
