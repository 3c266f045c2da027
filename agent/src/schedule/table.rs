//! Whose turn it is: every target, what is known about it, and when it is due.
//!
//! Pure: time comes in. Invariants: a target is due once or under way, never both;
//! one that leaves while it is under way is not begun again; one that stays keeps
//! its slot and what was learned, as long as it keeps its credential; an unfinished
//! walk is held once, here or in the round under way, and goes on soon if the last round
//! brought something; a few go on at a time; contexts at one address are
//! asked one after the other.

use super::Work;
use crate::config::Assignment;
use crate::poll::Learned;
use crate::target::Target;
use crate::window;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Those that waited for the end of a window are spread over so long.
const AFTER_WINDOW: Duration = Duration::from_secs(120);
/// A target waits so long for another context at its address: answers are told apart by address.
const AFTER_CONTEXT: Duration = Duration::from_secs(1);
/// One of so many rounds may go on with a walk that did not end: whoever never comes to an end
/// must not take the turns of the others.
const GOING_ON: usize = 4;
/// A target that goes on with a walk waits so long for one of those to end.
const AFTER_ANOTHER: Duration = Duration::from_secs(1);

/// All targets.
#[derive(Debug)]
pub struct Table {
    places: HashMap<Target, Place>,
    /// Rounds that may go on with a walk at the same time, and those that do.
    going_on: (usize, HashSet<Target>),
    /// May hold turns that count no more: only the one its place names does.
    due: BinaryHeap<Reverse<(Instant, u64, Target)>>,
    /// Addresses of the rounds under way.
    busy: HashSet<SocketAddr>,
    /// Addresses that are asked in several contexts.
    contexts: HashMap<SocketAddr, Vec<Target>>,
    interval: Duration,
    turns: u64,
    nothing: Learned,
}

#[derive(Debug)]
struct Place {
    assignment: Assignment,
    learned: Learned,
    turn: Turn,
    /// Left alone until then, whatever the interval: its user must not be locked out.
    not_before: Instant,
    /// Its next round is a walk, and then another one is hastened only after this.
    hastened: Hastened,
    /// It got another credential while its round is under way: what that teaches is of the old one.
    outdated: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct Hastened {
    waits: bool,
    not_before: Option<Instant>,
}

/// A round that begins.
#[derive(Debug)]
pub struct Started {
    /// With whom.
    pub assignment: Assignment,
    /// What is known.
    pub learned: Learned,
    /// Something told that it changed, so that it must be walked.
    pub early: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// Then, by the turn of this number.
    Due(Instant, u64),
    UnderWay,
    /// Under way and named no more.
    Leaving,
}

impl Table {
    /// Without targets; `nothing` is what is known of a new one, so many rounds run at once.
    pub fn new(nothing: Learned, in_flight: usize) -> Self {
        Self {
            places: HashMap::new(),
            going_on: ((in_flight / GOING_ON).max(1), HashSet::new()),
            due: BinaryHeap::new(),
            busy: HashSet::new(),
            contexts: HashMap::new(),
            interval: Duration::ZERO,
            turns: 0,
            nothing,
        }
    }

    /// Takes on what there is to do from now on.
    pub fn follow(&mut self, work: &Work, now: Instant, since_1970: Duration) {
        let named: HashSet<Target> = work.assignments.iter().map(|one| one.target).collect();
        self.places.retain(|target, place| {
            let stays = named.contains(target);
            if !stays && place.turn == Turn::UnderWay {
                place.turn = Turn::Leaving;
            }
            stays || place.turn == Turn::Leaving
        });
        self.interval = work.interval;
        self.contexts.clear();
        for target in &named {
            self.contexts.entry(target.address()).or_default().push(*target);
        }
        self.contexts.retain(|_, targets| targets.len() > 1);
        for assignment in &work.assignments {
            let target = assignment.target;
            let wait = until_slot(target, since_1970, assignment.interval.unwrap_or(work.interval));
            match self.places.get_mut(&target) {
                None => {
                    let begins = self.spared_until(assignment).unwrap_or(now).max(now);
                    let place = Place {
                        assignment: assignment.clone(),
                        learned: self.nothing.clone(),
                        turn: self.turn(target, begins),
                        not_before: begins,
                        hastened: Hastened::default(),
                        outdated: false,
                    };
                    self.places.insert(target, place);
                }
                Some(place) => {
                    let same = Arc::ptr_eq(&place.assignment.credential, &assignment.credential);
                    place.assignment = assignment.clone();
                    if !same {
                        // Whom the old one opened, and who refused it, say nothing of this one.
                        place.learned = self.nothing.clone();
                        place.not_before = now;
                        place.outdated |= !matches!(place.turn, Turn::Due(..));
                    }
                    let slot = (now + wait).max(place.not_before);
                    match place.turn {
                        Turn::Due(..) if !same => self.set_due(target, now),
                        // A shorter interval counts at its first slot, a longer one after the next round.
                        Turn::Due(at, _) if slot < at => self.set_due(target, slot),
                        Turn::Leaving => place.turn = Turn::UnderWay,
                        Turn::Due(..) | Turn::UnderWay => {}
                    }
                }
            }
        }
    }

    /// Until when this user is left alone in the other contexts of its address.
    fn spared_until(&self, assignment: &Assignment) -> Option<Instant> {
        let others = self.contexts.get(&assignment.target.address())?;
        let places = others.iter().filter_map(|other| self.places.get(other));
        let same = places.filter(|place| place.assignment.credential.is_same_user(&assignment.credential));
        same.map(|place| place.not_before).max()
    }

    /// A user that was refused at an address is refused in its other contexts too, and must not be shut out.
    fn spare_the_user(&mut self, target: Target, until: Instant) {
        let Some(others) = self.contexts.get(&target.address()) else {
            return;
        };
        let Some(refused) = self
            .places
            .get(&target)
            .map(|place| Arc::clone(&place.assignment.credential))
        else {
            return;
        };
        for other in others.clone().into_iter().filter(|other| *other != target) {
            let Some(place) = self.places.get_mut(&other) else {
                continue;
            };
            if !place.assignment.credential.is_same_user(&refused) || place.not_before >= until {
                continue;
            }
            place.not_before = until;
            if matches!(place.turn, Turn::Due(at, _) if at < until) {
                self.set_due(other, until);
            }
        }
    }

    fn set_due(&mut self, target: Target, at: Instant) {
        let turn = self.turn(target, at);
        if let Some(place) = self.places.get_mut(&target) {
            place.turn = turn;
        }
    }

    /// A turn that counts as soon as the target's place names it.
    fn turn(&mut self, target: Target, at: Instant) -> Turn {
        self.turns += 1;
        self.due.push(Reverse((at, self.turns, target)));
        Turn::Due(at, self.turns)
    }

    /// When the next round is due.
    pub fn next(&mut self) -> Option<Instant> {
        while let Some(Reverse((at, number, target))) = self.due.peek() {
            let counts = |place: &Place| place.turn == Turn::Due(*at, *number);
            if self.places.get(target).is_some_and(counts) {
                return Some(*at);
            }
            self.due.pop();
        }
        None
    }

    /// Begins the round that is due next; one that falls into a window is due after it.
    pub fn start(&mut self, (now, since_1970): (Instant, Duration)) -> Option<Started> {
        self.next()?;
        let Reverse((_, _, target)) = self.due.pop()?;
        let place = self.places.get_mut(&target)?;
        if let Some(wait) = window::wait(&place.assignment.windows, since_1970) {
            // Not all at the first moment.
            let spread = until_slot(target, since_1970 + wait, AFTER_WINDOW);
            self.set_due(target, now + wait + spread);
            return None;
        }
        let goes_on = place.learned.goes_on_in().is_some();
        if goes_on && self.going_on.1.len() >= self.going_on.0 {
            self.set_due(target, now + AFTER_ANOTHER);
            return None;
        }
        if !self.busy.insert(target.address()) {
            self.set_due(target, now + AFTER_CONTEXT);
            return None;
        }
        if goes_on {
            self.going_on.1.insert(target);
        }
        place.turn = Turn::UnderWay;
        Some(Started {
            assignment: place.assignment.clone(),
            learned: place.learned.lend(),
            early: std::mem::take(&mut place.hastened.waits),
        })
    }

    /// A target says that it changed: it is walked now, or after the round under way. Says
    /// whether that is so; not again before `rest` is over, nor while it is left alone.
    pub fn hasten(&mut self, target: Target, now: Instant, rest: Duration) -> bool {
        let Some(place) = self.places.get_mut(&target) else {
            return false;
        };
        let too_early = |at: Instant| now < at;
        if place.hastened.not_before.is_some_and(too_early) || too_early(place.not_before) {
            return false;
        }
        place.hastened = Hastened {
            waits: true,
            not_before: Some(now + rest),
        };
        // What was read before the change that it tells of is no part of what it shows now.
        place.learned.unfinished = None;
        if matches!(place.turn, Turn::Due(at, _) if at > now) {
            self.set_due(target, now);
        }
        true
    }

    /// A round ended `now`, on both clocks, and taught something unless it failed by a bug; the target is
    /// left alone for `pause` at least.
    pub fn ended(
        &mut self,
        target: Target,
        learned: Option<Learned>,
        (now, since_1970): (Instant, Duration),
        pause: Duration,
    ) {
        self.busy.remove(&target.address());
        self.going_on.1.remove(&target);
        let Some(place) = self.places.get_mut(&target) else {
            return;
        };
        if place.turn == Turn::Leaving {
            self.places.remove(&target);
            return;
        }
        if std::mem::take(&mut place.outdated) {
            self.set_due(target, now);
            return;
        }
        if let Some(learned) = learned {
            place.learned = learned;
        }
        if place.hastened.waits {
            place.learned.unfinished = None;
        }
        let interval = place.assignment.interval.unwrap_or(self.interval);
        place.not_before = now + pause;
        let regular = until_slot(target, since_1970, interval);
        let wait = match place.hastened.waits {
            // What told of a change meanwhile may not be in what was just asked.
            true => pause,
            false => match place.learned.goes_on_in() {
                Some(soon) => regular.min(soon).max(pause),
                None => regular.max(pause),
            },
        };
        self.set_due(target, now + wait);
        if !pause.is_zero() {
            self.spare_the_user(target, now + pause);
        }
    }
}

/// How long until the target's next slot: a time since 1970 that leaves a certain
/// rest when divided by the interval.
fn until_slot(target: Target, since_1970: Duration, interval: Duration) -> Duration {
    // Fixed keys: the same slot in every process.
    let mut hasher = DefaultHasher::new();
    target.hash(&mut hasher);
    let interval = interval.as_millis().max(1);
    let slot = u128::from(hasher.finish()) % interval;
    let now = since_1970.as_millis() % interval;
    let wait = (slot + interval - now) % interval;
    let wait = if wait == 0 { interval } else { wait };
    Duration::from_millis(u64::try_from(wait).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
