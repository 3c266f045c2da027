//! Whether an element must be walked again, or one answer shows that nothing moved.
//!
//! Every round begins with the plan's first question, asked together with the counters
//! that elements keep of their own changes. Invariants: what nothing vouches for is
//! walked; a round that ends after the first question says so and claims no more than
//! that; an element that changed without telling is not taken at its word; pure, time
//! comes in.

use super::Round;
use crate::plan::oid;
use crate::report::Report;
use crate::target::Target;
use prost::Message as _;
use prost::bytes::Bytes;
use proto::v1::{Completeness, Evidence, Observation, Varbind};
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;
use tokio::time::Instant;

/// SNMPv2-MIB::sysUpTime.0 (RFC 3418), hundredths of a second.
const UP_TIME: &str = "1.3.6.1.2.1.1.3.0";
/// SNMP-FRAMEWORK-MIB::snmpEngineTime.0 (RFC 3411): runs, and tells no more than sysUpTime.
const ENGINE_TIME: &str = "1.3.6.1.6.3.10.2.1.3.0";
/// Clocks of elements run wrong by so much of the time that passed, and by some seconds.
const DRIFT_PART: u32 = 50;
const DRIFT: Duration = Duration::from_secs(30);
/// Walks in a row after which a counter that moved for nothing is no longer a reason.
const IDLE_MOVES: u32 = 3;
/// Rounds an element is walked in after it changed without telling; twice as many after
/// each further time.
const WATCHED_ROUNDS: u32 = 8;
const MOST_DOUBLINGS: u32 = 7;

/// What the first answer of a round shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glance {
    /// SHA-256 over the first observations, whose values name the element.
    identity: [u8; 32],
    /// Of changes, present or not.
    counters: Vec<Counter>,
    /// Hundredths of a second.
    up_time: Option<u32>,
    at: Instant,
}

/// One counter that an element keeps of its changes, by marks that stand for its name and its
/// value: an element that finds two values of one mark has only found another way not to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Counter {
    name: u64,
    value: u64,
}

impl Counter {
    fn of(reading: &Varbind) -> Self {
        let (mut name, mut value) = (DefaultHasher::new(), DefaultHasher::new());
        reading.oid.hash(&mut name);
        (reading.tag, &reading.value).hash(&mut value);
        Self {
            name: name.finish(),
            value: value.finish(),
        }
    }
}

/// Why a walk follows a first answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moved {
    /// The element began anew, or its clock went back.
    Restarted,
    /// It is not the same, or says something else of itself.
    Identity,
    /// A counter of changes is another one, came or went.
    Counter,
}

impl Moved {
    /// As counted and printed.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Restarted => "restarted",
            Self::Identity => "identity",
            Self::Counter => "counter",
        }
    }
}

impl Glance {
    /// Of the first observations and what was read beside them.
    #[must_use]
    pub fn new(first: &[&Observation], readings: &[Varbind], at: Instant) -> Self {
        let named = |text: &str| oid::parse(text).unwrap_or_default();
        let (up_time, engine_time) = (named(UP_TIME), named(ENGINE_TIME));
        let identity = Evidence {
            observations: first.iter().copied().cloned().collect(),
        };
        let running = [&up_time, &engine_time];
        let counters = readings.iter().filter(|one| !running.contains(&&one.oid));
        let ticks = readings.iter().find(|reading| reading.oid == up_time);
        Self {
            identity: proto::digest::of_evidence(&identity.encode_to_vec()),
            counters: counters.map(Counter::of).collect(),
            up_time: ticks.and_then(|ticks| unsigned(&ticks.value)),
            at,
        }
    }

    /// Whether it tells how long the element has been running, so that a restart shows.
    #[must_use]
    pub fn tells_time(&self) -> bool {
        self.up_time.is_some()
    }

    /// What moved since an earlier one; the gravest counts.
    #[must_use]
    pub fn moved_since(&self, earlier: &Self) -> Option<Moved> {
        if self.identity != earlier.identity {
            return Some(Moved::Identity);
        }
        match (earlier.up_time, self.up_time) {
            (Some(then), Some(now)) => {
                let elapsed = self.at.saturating_duration_since(earlier.at);
                let ran = now
                    .checked_sub(then)
                    .map(|ticks| Duration::from_millis(u64::from(ticks) * 10));
                // A reboot within the time that passed may leave more than there was before.
                if ran.is_none_or(|ran| ran + elapsed / DRIFT_PART + DRIFT < elapsed) {
                    return Some(Moved::Restarted);
                }
            }
            (None, None) => {}
            _ => return Some(Moved::Restarted),
        }
        (self.counters != earlier.counters).then_some(Moved::Counter)
    }

    /// The names of the counters that are others than in an earlier one, came or went.
    fn counters_since(&self, earlier: &Self) -> BTreeSet<u64> {
        let (now, then) = (&self.counters, &earlier.counters);
        let new = now.iter().filter(|counter| !then.contains(counter));
        let old = then.iter().filter(|counter| !now.contains(counter));
        new.chain(old).map(|counter| counter.name).collect()
    }
}

/// RFC 2578, 7.1.8: an unsigned integer of up to five octets, as elements send it.
fn unsigned(octets: &[u8]) -> Option<u32> {
    if octets.is_empty() || octets.len() > 8 {
        return None;
    }
    let value = octets
        .iter()
        .fold(0_u64, |sum, octet| sum << 8 | u64::from(*octet));
    u32::try_from(value).ok()
}

/// What an element showed when it was walked last, and whether it is believed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Memory {
    basis: Option<Basis>,
    /// Of each counter by its name, how often in a row it moved for nothing.
    idle: BTreeMap<u64, u32>,
    /// How often it changed without telling.
    untold: u32,
    /// Rounds it is still walked in whatever it tells.
    watched: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Basis {
    /// Which questions it answers.
    asked: u64,
    digest: [u8; 32],
    completeness: Completeness,
    /// Of the last round, so that clocks of elements need not run right for long.
    glance: Glance,
    /// When it is walked whatever it tells.
    due: Instant,
    /// Complete, or the same when asked twice; and answered ever since.
    settled: bool,
    /// Counters that moved since the walk and were not believed.
    passed_over: BTreeSet<u64>,
}

impl Memory {
    /// The digest that a refresh would be about, if the element may be refreshed now.
    #[must_use]
    pub fn refreshable(&self, asked: u64, now: Instant) -> Option<[u8; 32]> {
        let basis = self.basis.as_ref()?;
        let may = basis.settled && basis.asked == asked && self.watched == 0 && now < basis.due;
        may.then_some(basis.digest)
    }

    /// Why the element must be walked after this first answer.
    #[must_use]
    pub fn moved(&self, glance: &Glance) -> Option<Moved> {
        let basis = self.basis.as_ref()?;
        let moved = glance.moved_since(&basis.glance);
        moved.filter(|moved| {
            let mut counters = glance.counters_since(&basis.glance).into_iter();
            *moved != Moved::Counter || counters.any(|counter| self.believes(counter))
        })
    }

    /// Whether a move of this counter is a reason to walk.
    fn believes(&self, counter: u64) -> bool {
        self.idle.get(&counter).is_none_or(|idle| *idle < IDLE_MOVES)
    }

    /// Takes in a round, and makes its report: of the last walk where nothing moved. After a
    /// walk of these questions the element is walked again at `due` whatever it tells.
    #[must_use]
    pub fn conclude(
        &mut self,
        (target, asked, due): (Target, u64, Instant),
        mut round: Round,
        redacted: &[Bytes],
    ) -> Report {
        let (glance, refreshed, answered) = (round.glance.take(), round.refreshed, round.answered);
        match (&mut self.basis, glance) {
            (Some(basis), Some(glance)) if refreshed => {
                basis.passed_over.extend(glance.counters_since(&basis.glance));
                basis.glance = glance;
                Report::refreshed(target, round, (basis.digest, basis.completeness), redacted)
            }
            (_, glance) => {
                let report = Report::new(target, round, redacted);
                match glance.filter(|_| answered) {
                    Some(glance) => self.walked(&report, asked, glance, due),
                    None => self.missed(),
                }
                report
            }
        }
    }

    /// The element is one that does not tell of its changes: its next round is a walk.
    pub fn distrust(&mut self) {
        if let Some(basis) = &mut self.basis {
            basis.settled = false;
        }
    }

    /// Takes in a round without an answer: what it was like meanwhile nobody knows.
    fn missed(&mut self) {
        if let Some(basis) = &mut self.basis {
            basis.settled = false;
        }
    }

    /// Whether it was walked before.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.basis.is_none()
    }

    /// Takes in a walk of these questions; it is to be walked again at `due` whatever it tells.
    fn walked(&mut self, report: &Report, asked: u64, glance: Glance, due: Instant) {
        let before = self.basis.take().filter(|before| before.asked == asked);
        let same = before
            .as_ref()
            .is_some_and(|before| before.digest == report.digest);
        let complete = report.completeness == Completeness::Complete;
        if let Some(before) = before.filter(|before| complete && before.completeness == report.completeness)
            && matches!(glance.moved_since(&before.glance), None | Some(Moved::Counter))
        {
            let mut counters = glance.counters_since(&before.glance);
            counters.extend(before.passed_over);
            self.judge(&counters, same);
        }
        // As the collector will see it: one that tells no sysUpTime, or whose sysUpTime may not leave the
        // site, shows nothing that a refresh could rest on.
        let up_time = oid::parse(UP_TIME).unwrap_or_default();
        let vouched = report.readings.iter().any(|reading| reading.oid == up_time);
        self.basis = Some(Basis {
            asked,
            digest: report.digest,
            completeness: report.completeness,
            glance,
            due,
            settled: vouched && (complete || same),
            passed_over: BTreeSet::new(),
        });
    }

    /// What is to be believed after a walk of an element that neither restarted nor became
    /// another: of these counters, which moved since the walk before, and of the element.
    fn judge(&mut self, moved: &BTreeSet<u64>, same: bool) {
        let told: Vec<u64> = moved.iter().copied().filter(|one| self.believes(*one)).collect();
        match (told.is_empty(), same) {
            (false, true) => told
                .iter()
                .for_each(|one| *self.idle.entry(*one).or_default() += 1),
            (false, false) => self.idle.retain(|one, _| !told.contains(one)),
            (true, true) => self.watched = self.watched.saturating_sub(1),
            (true, false) => {
                // Found on age alone: whoever told of it was not believed, and is from now on.
                self.idle.retain(|one, _| !moved.contains(one));
                self.watched = WATCHED_ROUNDS << self.untold.min(MOST_DOUBLINGS);
                self.untold = self.untold.saturating_add(1);
                metrics::counter!("marque_agent_untold_change_total").increment(1);
            }
        }
    }
}

#[cfg(test)]
mod tests;
