//! What became of every address in the ranges: one octet each.
//!
//! Invariants: every address of every range has a state, and of one that is not swept every
//! address that neighbours named; what was found out stays
//! when a plan changes around it, and says so when it is older than the address's
//! last turn; a sweep that left somebody out is none; no more octets than a plan may
//! have addresses.

use super::sweep::{Place, Sweep};
use super::told::Named;
use crate::target::Target;
use prost::Message as _;
use prost::bytes::Bytes;
use proto::v1::{self, CoverageState as State, CoverageUnreached as Unreached};
use std::collections::{HashSet, VecDeque};
use std::net::IpAddr;

/// Deferred addresses looked at in one turn.
const FEW: usize = 16;
/// Bits of an octet that say why its last turn passed without it.
const UNREACHED: u8 = 0xc0;

/// The states of all ranges of a plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage {
    plan: v1::PlanId,
    areas: Vec<Area>,
    revision: u64,
    swept_micros: i64,
    /// Named addresses of each area that is not swept, at most.
    most_named: usize,
    /// Since it was told.
    changed: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Area {
    prefix: String,
    port: u16,
    /// Of one that is swept.
    states: Vec<u8>,
    /// Of one that is not.
    named: Option<Named>,
}

impl Area {
    fn swept(range: v1::RangeCoverage) -> Option<Self> {
        Some(Self {
            prefix: range.prefix,
            port: u16::try_from(range.port).ok()?,
            states: range.states.to_vec(),
            named: None,
        })
    }

    fn told(range: v1::ToldCoverage) -> Option<Self> {
        let octets = if range.prefix.contains(':') { 16 } else { 4 };
        let addresses = range.addresses.chunks_exact(octets).map(|chunk| match octets {
            4 => <[u8; 4]>::try_from(chunk).ok().map(IpAddr::from),
            _ => <[u8; 16]>::try_from(chunk).ok().map(IpAddr::from),
        });
        let mut named = Named::default();
        for (address, octet) in addresses.zip(&range.states) {
            named.hear(address?, *octet);
        }
        Some(Self {
            prefix: range.prefix,
            port: u16::try_from(range.port).ok()?,
            states: Vec::new(),
            named: Some(named),
        })
    }
}

fn octet(state: State) -> u8 {
    u8::try_from(i32::from(state)).unwrap_or(0)
}

/// The state that an octet says.
pub(super) fn state_of(octet: u8) -> State {
    State::try_from(i32::from(octet & !UNREACHED)).unwrap_or_default()
}

impl Coverage {
    /// Reads what [`Self::tell`] told, encoded; what cannot be read is forgotten.
    #[must_use]
    pub fn from_bytes(content: &[u8]) -> Self {
        let told = v1::Coverage::decode(content).unwrap_or_default();
        let swept = told.ranges.into_iter().filter_map(Area::swept);
        let areas = swept.chain(told.told.into_iter().filter_map(Area::told));
        Self {
            plan: told.plan.unwrap_or_default(),
            areas: areas.collect(),
            revision: told.revision,
            swept_micros: told.swept_micros,
            most_named: 0,
            changed: false,
        }
    }

    /// From now on for these ranges.
    pub fn begin(&mut self, sweep: &Sweep) {
        let before = std::mem::take(&mut self.areas);
        self.most_named = proto::plan::told_of_each(sweep.unswept());
        for (number, area) in sweep.all().iter().enumerate() {
            let prefix = area.range.prefix().to_string();
            let known = before
                .iter()
                .find(|known| known.prefix == prefix && known.port == area.port);
            let state = |place: Place, known: Option<u8>| {
                let Some(target) = sweep.address(place) else {
                    return octet(State::Excluded);
                };
                if sweep.lists(target) {
                    return octet(State::Listed);
                }
                match known.map(|known| (state_of(known), known)) {
                    None | Some((State::Unspecified | State::Excluded | State::Listed, _)) => {
                        octet(State::NotAsked)
                    }
                    Some((_, known)) => known,
                }
            };
            let mut states = Vec::new();
            let mut named = None;
            if area.swept {
                let known = known.map_or(&[][..], |known| known.states.as_slice());
                let one = |offset: u64| {
                    let at = usize::try_from(offset).ok().and_then(|at| known.get(at));
                    state(Place::Swept { area: number, offset }, at.copied())
                };
                states = (0..area.range.size()).map(one).collect();
            } else {
                let mut kept = known.and_then(|known| known.named.clone()).unwrap_or_default();
                kept.review(|address, octet| {
                    let now = state(
                        Place::Told {
                            area: number,
                            address,
                        },
                        Some(octet),
                    );
                    let within = area.range.prefix().contains(&address);
                    // Whoever is listed is no concern of this range.
                    (within && state_of(now) != State::Listed).then_some(now)
                });
                while kept.shed(self.most_named).is_some() {}
                named = Some(kept);
            }
            self.areas.push(Area {
                states,
                named,
                prefix,
                port: area.port,
            });
        }
        self.changed |= before != self.areas || self.plan != *sweep.plan();
        self.plan = sweep.plan().clone();
    }

    fn cell(&mut self, place: Place) -> Option<&mut u8> {
        let area = self.areas.get_mut(place.area())?;
        match place {
            Place::Swept { offset, .. } => area.states.get_mut(usize::try_from(offset).ok()?),
            Place::Told { address, .. } => area.named.as_mut()?.octet(address),
        }
    }

    /// What is known of a place.
    #[must_use]
    pub fn state(&self, place: Place) -> State {
        let octet = self.areas.get(place.area()).and_then(|area| match place {
            Place::Swept { offset, .. } => area.states.get(usize::try_from(offset).ok()?).copied(),
            Place::Told { address, .. } => area.named.as_ref()?.known(address),
        });
        state_of(octet.unwrap_or(0))
    }

    /// Whether there is such a place: whom nobody named has none where only those are asked.
    #[must_use]
    pub fn has(&self, place: Place) -> bool {
        match place {
            Place::Swept { .. } => true,
            Place::Told { .. } => self.state(place) != State::Unspecified,
        }
    }

    /// A neighbour named an address of an area that is not swept: whether that is new, and who
    /// made room for it.
    pub fn hear(&mut self, sweep: &Sweep, place: Place) -> (bool, Option<IpAddr>) {
        let Place::Told { area, address } = place else {
            return (false, None);
        };
        let state = match sweep.address(place) {
            Some(_) => State::NotAsked,
            None => State::Excluded,
        };
        let Some(named) = self.areas.get_mut(area).and_then(|area| area.named.as_mut()) else {
            return (false, None);
        };
        if !named.hear(address, octet(state)) {
            return (false, None);
        }
        self.changed = true;
        let went = named.shed(self.most_named);
        (went != Some(address), went)
    }

    /// An address of an area that is not swept answered, or it did not: silences in a row.
    pub fn silences(&mut self, place: Place, answered: bool) -> u64 {
        let Place::Told { area, address } = place else {
            return 0;
        };
        let named = self.areas.get_mut(area).and_then(|area| area.named.as_mut());
        named.map_or(0, |named| named.answered(address, answered))
    }

    /// Everybody named in areas that are not swept.
    pub fn named(&self) -> impl Iterator<Item = Place> + '_ {
        self.areas.iter().enumerate().flat_map(|(area, one)| {
            let all = one.named.iter().flat_map(Named::all);
            all.map(move |(address, _)| Place::Told { area, address })
        })
    }

    /// What became of a place.
    pub fn set(&mut self, place: Place, state: State) {
        if let Some(cell) = self.cell(place)
            && *cell != octet(state)
        {
            *cell = octet(state);
            self.changed = true;
        }
    }

    /// An address whose turn passed without it; what is known of it stays.
    pub fn passed(&mut self, place: Place, why: Unreached) {
        let state = match (self.state(place), why) {
            (State::Unspecified | State::Excluded | State::Listed, _) => return,
            (State::NotAsked, Unreached::Window) => State::Waiting,
            (known, _) => known,
        };
        let octet = octet(state) | u8::try_from(i32::from(why)).unwrap_or(0);
        if let Some(cell) = self.cell(place)
            && *cell != octet
        {
            *cell = octet;
            self.changed = true;
        }
    }

    /// An address that is asked.
    pub fn asked(&mut self, place: Place) {
        if let Some(cell) = self.cell(place)
            && *cell & UNREACHED != 0
        {
            *cell &= !UNREACHED;
            self.changed = true;
        }
    }

    /// A sweep ended then. One that left out somebody does not count as one.
    pub fn swept(&mut self, micros: i64) {
        let mut octets = self.areas.iter().flat_map(|area| &area.states);
        if octets.all(|octet| octet & UNREACHED == 0) {
            self.swept_micros = micros;
        }
        self.changed = true;
    }

    /// Whether there is something to tell.
    #[must_use]
    pub fn changed(&self) -> bool {
        self.changed
    }

    /// All of it, for the line and the disk, as of then.
    pub fn tell(&mut self, clock_micros: i64) -> v1::Coverage {
        self.revision = self.revision.saturating_add(1);
        self.changed = false;
        let range = |area: &Area| v1::RangeCoverage {
            prefix: area.prefix.clone(),
            port: u32::from(area.port),
            states: Bytes::copy_from_slice(&area.states),
        };
        let told = |area: &Area| {
            let (mut addresses, mut states) = (Vec::new(), Vec::new());
            for (address, octet) in area.named.as_ref()?.all() {
                match address {
                    IpAddr::V4(v4) => addresses.extend(v4.octets()),
                    IpAddr::V6(v6) => addresses.extend(v6.octets()),
                }
                states.push(octet);
            }
            Some(v1::ToldCoverage {
                prefix: area.prefix.clone(),
                port: u32::from(area.port),
                addresses: addresses.into(),
                states: states.into(),
            })
        };
        let swept = self.areas.iter().filter(|area| area.named.is_none());
        v1::Coverage {
            plan: Some(self.plan.clone()),
            revision: self.revision,
            clock_micros,
            swept_micros: self.swept_micros,
            ranges: swept.map(range).collect(),
            told: self.areas.iter().filter_map(told).collect(),
        }
    }
}

/// Addresses whose turn came while they were left alone, until they may be asked.
#[derive(Debug, Default)]
pub struct Deferred {
    queue: VecDeque<Target>,
    /// The same, so that a second turn adds nothing.
    known: HashSet<Target>,
}

impl Deferred {
    /// Remembers one.
    pub fn push(&mut self, target: Target) {
        if self.known.insert(target) {
            self.queue.push_back(target);
        }
    }

    /// The first that may be asked, if it is among the first few; those that may not go to the end.
    pub fn pop(&mut self, mut may: impl FnMut(Target) -> bool) -> Option<Target> {
        for _ in 0..self.queue.len().min(FEW) {
            let target = self.queue.pop_front()?;
            if may(target) {
                self.known.remove(&target);
                return Some(target);
            }
            self.queue.push_back(target);
        }
        None
    }

    /// Forgets all: other ranges count now.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discover::sweep::tests::area;
    use std::time::Duration;

    fn sweep(revision: u64, ranges: &[(&str, &[&str])], listed: &[&str]) -> Sweep {
        let areas = ranges
            .iter()
            .map(|(prefix, excluded)| area(prefix, excluded, 161));
        let id = v1::PlanId {
            revision,
            digest: vec![7; 32].into(),
        };
        Sweep::new(areas.collect(), Duration::from_secs(60))
            .without(listed.iter().map(|text| text.parse().unwrap()).collect())
            .of(id)
    }

    fn shown(told: &v1::Coverage) -> Vec<(String, Vec<u8>)> {
        let range = |range: &v1::RangeCoverage| (range.prefix.clone(), range.states.to_vec());
        told.ranges.iter().map(range).collect()
    }

    #[test]
    fn every_address_has_a_state_and_keeps_it_when_the_plan_changes_around_it() {
        let mut coverage = Coverage::default();
        let first = sweep(1, &[("192.0.2.0/29", &["192.0.2.4/31"])], &["192.0.2.2:161"]);
        coverage.begin(&first);
        assert!(coverage.changed());
        let told = coverage.tell(5);
        assert_eq!((told.revision, told.clock_micros, told.swept_micros), (1, 5, 0));
        assert_eq!(
            shown(&told),
            [("192.0.2.0/29".to_owned(), vec![2, 1, 3, 1, 2, 2, 1, 2])]
        );
        assert!(!coverage.changed());
        let place = |sweep: &Sweep, text: &str| sweep.place_of(text.parse().unwrap()).unwrap();
        coverage.set(place(&first, "192.0.2.1:161"), State::Engine);
        coverage.set(place(&first, "192.0.2.3:161"), State::NoCredential);
        coverage.passed(place(&first, "192.0.2.1:161"), Unreached::Behind);
        coverage.passed(place(&first, "192.0.2.6:161"), Unreached::Window);
        assert_eq!(coverage.state(place(&first, "192.0.2.1:161")), State::Engine);
        // Two were left out: that was no sweep.
        coverage.swept(9);
        let told = coverage.tell(10);
        let (window, behind) = (64, 128);
        assert_eq!(shown(&told)[0].1, [2, 6 | behind, 3, 8, 2, 2, 9 | window, 2]);
        assert_eq!((told.revision, told.swept_micros), (2, 0));

        // After a restart and under another plan: the same states, what is listed now is listed.
        let mut again = Coverage::from_bytes(&told.encode_to_vec());
        let second = sweep(
            2,
            &[("198.51.100.0/31", &[]), ("192.0.2.0/29", &[])],
            &["192.0.2.3:161"],
        );
        again.begin(&second);
        assert!(again.changed());
        let told = again.tell(11);
        assert_eq!((told.revision, told.plan.as_ref().unwrap().revision), (3, 2));
        let expected = [
            ("198.51.100.0/31".to_owned(), vec![1, 1]),
            (
                "192.0.2.0/29".to_owned(),
                vec![2, 6 | behind, 1, 3, 1, 1, 9 | window, 2],
            ),
        ];
        assert_eq!(shown(&told), expected);
        again.begin(&second);
        assert!(!again.changed(), "the same plan says nothing new");
        // Both have their turn: with them the sweep is one.
        again.asked(place(&second, "192.0.2.1:161"));
        again.swept(12);
        assert_eq!(again.tell(12).swept_micros, 0);
        again.asked(place(&second, "192.0.2.6:161"));
        again.swept(13);
        let told = again.tell(13);
        assert_eq!(shown(&told)[1].1, [2, 6, 1, 3, 1, 1, 9, 2]);
        assert_eq!(told.swept_micros, 13);
    }

    #[test]
    fn octets_that_are_no_states_do_no_harm() {
        for octets in [&b"\xff\xff"[..], b"", b"hello"] {
            assert_eq!(Coverage::from_bytes(octets).areas, []);
        }
        let odd = v1::Coverage {
            ranges: vec![v1::RangeCoverage {
                prefix: "192.0.2.0/31".to_owned(),
                port: 161,
                states: vec![255, 0, 9, 9, 9].into(),
            }],
            ..v1::Coverage::default()
        };
        let mut coverage = Coverage::from_bytes(&odd.encode_to_vec());
        coverage.begin(&sweep(1, &[("192.0.2.0/31", &[])], &[]));
        assert_eq!(shown(&coverage.tell(1))[0].1, [1, 1]);
        coverage.set(Place::Swept { area: 7, offset: 0 }, State::Silent);
        coverage.set(Place::Swept { area: 0, offset: 7 }, State::Silent);
        assert!(!coverage.changed());
    }

    #[test]
    fn who_waits_is_asked_when_it_may_be_and_in_turn() {
        let mut deferred = Deferred::default();
        let target = |n: u8| format!("192.0.2.{n}").parse::<Target>().unwrap();
        (0..40).chain(0..40).for_each(|n| deferred.push(target(n)));
        assert_eq!(deferred.queue.len(), 40);
        assert_eq!(deferred.pop(|_| false), None);
        assert_eq!(deferred.pop(|_| true), Some(target(16)));
        assert_eq!(deferred.pop(|one| one == target(20)), Some(target(20)));
        deferred.clear();
        assert_eq!(deferred.pop(|_| true), None);
    }
}
