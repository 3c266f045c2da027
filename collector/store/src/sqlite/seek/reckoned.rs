//! Numbers that were reckoned a moment ago.
//!
//! Invariant: bounded, and nothing in it is older than [`FRESH`] when it is told.

use crate::clause::Measure;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What was reckoned is said again for so long: it was no exact number, and many look at the same list.
const FRESH: Duration = Duration::from_secs(15);
/// Numbers remembered.
const MOST_RECKONED: usize = 1_000;

/// Numbers reckoned lately, by what was asked: of large tables only, what is counted exactly is never kept.
#[derive(Default)]
pub struct Reckoned(Mutex<HashMap<String, (Instant, u64, Measure)>>);

impl Reckoned {
    /// What was reckoned for this lately.
    pub fn get(&self, asked: &str) -> Option<(u64, Measure)> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, total, measure) = known.get(asked).copied()?;
        (at.elapsed() < FRESH).then_some((total, measure))
    }

    /// Remembers it.
    pub fn keep(&self, asked: String, total: u64, measure: Measure) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST_RECKONED {
            known.clear();
        }
        known.insert(asked, (Instant::now(), total, measure));
    }
}
