//! Which address is asked when: pure arithmetic over prefixes.
//!
//! Every address of the prefixes that are swept has a slot, also those left alone; the slots
//! divide the time of a sweep evenly, counted from 1970, so that a restart goes
//! on where the clock is and every address has its turn.

use crate::credential::Credential;
use crate::target::Target;
use crate::window::Windows;
use proto::plan::Range;
use proto::v1::PlanId;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// A range with what opens its elements.
#[derive(Debug, Clone)]
pub struct Area {
    /// Where.
    pub range: Range,
    /// UDP port.
    pub port: u16,
    /// The only credential that is tried there.
    pub credential: Arc<Credential>,
    /// When it is left alone.
    pub windows: Windows,
    /// Whether a community is sent to an address that was silent to engine discovery.
    pub ask_silent: bool,
    /// Whether those that neighbours name are asked at once.
    pub follow: bool,
    /// Whether all others are asked too, each in its turn.
    pub swept: bool,
}

impl Area {
    /// How many slots it takes.
    fn slots(&self) -> u64 {
        if self.swept { self.range.size() } else { 0 }
    }
}

/// One address of one area, asked or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Of an area that is swept.
    Swept {
        /// Which area.
        area: usize,
        /// How far into its prefix.
        offset: u64,
    },
    /// Of one of which only those are asked that neighbours name.
    Told {
        /// Which area.
        area: usize,
        /// Where.
        address: IpAddr,
    },
}

impl Place {
    /// Which area.
    #[must_use]
    pub fn area(self) -> usize {
        match self {
            Self::Swept { area, .. } | Self::Told { area, .. } => area,
        }
    }
}

/// All ranges of a plan and the time one look at all of them takes.
#[derive(Debug, Clone, Default)]
pub struct Sweep {
    areas: Vec<Area>,
    /// The slot after the last of each area.
    ends: Vec<u64>,
    /// Areas by port and first address: they do not overlap.
    starts: BTreeMap<(u16, IpAddr), usize>,
    /// Ports at which neighbours are followed.
    ports: BTreeSet<u16>,
    time: Duration,
    listed: HashSet<Target>,
    plan: PlanId,
}

impl Sweep {
    /// Over these, which do not overlap.
    #[must_use]
    pub fn new(areas: Vec<Area>, time: Duration) -> Self {
        let ends = areas
            .iter()
            .scan(0, |end: &mut u64, area| {
                *end = end.saturating_add(area.slots());
                Some(*end)
            })
            .collect();
        let start = |(number, area): (usize, &Area)| ((area.port, area.range.prefix().network()), number);
        Self {
            starts: areas.iter().enumerate().map(start).collect(),
            ports: areas
                .iter()
                .filter(|area| area.follow)
                .map(|area| area.port)
                .collect(),
            areas,
            ends,
            time,
            listed: HashSet::new(),
            plan: PlanId::default(),
        }
    }

    /// The ranges of that plan.
    #[must_use]
    pub fn of(mut self, plan: PlanId) -> Self {
        self.plan = plan;
        self
    }

    /// Which plan they are of.
    #[must_use]
    pub fn plan(&self) -> &PlanId {
        &self.plan
    }

    /// Without targets that are polled anyway.
    #[must_use]
    pub fn without(mut self, listed: HashSet<Target>) -> Self {
        self.listed = listed;
        self
    }

    /// How many areas.
    #[must_use]
    pub fn areas(&self) -> usize {
        self.areas.len()
    }

    /// The areas, in order.
    #[must_use]
    pub fn all(&self) -> &[Area] {
        &self.areas
    }

    /// Who is at a place, unless it is left alone for good.
    #[must_use]
    pub fn address(&self, place: Place) -> Option<Target> {
        let area = self.areas.get(place.area())?;
        let address = match place {
            Place::Swept { offset, .. } => area.range.nth(offset)?,
            Place::Told { address, .. } => Some(address).filter(|at| area.range.may_ask(*at))?,
        };
        Target::new(address, area.port).ok()
    }

    /// Whether it is polled anyway.
    #[must_use]
    pub fn lists(&self, target: Target) -> bool {
        self.listed.contains(&target)
    }

    /// Where an address is looked for, if it is.
    #[must_use]
    pub fn place_of(&self, target: Target) -> Option<Place> {
        let at = target.address();
        let place = self.place_in(at.port(), at.ip())?;
        let area = self.areas.get(place.area())?;
        (area.range.contains(at.ip()) && !self.lists(target)).then_some(place)
    }

    /// The place of an address in the area of a port that has it, left alone or not.
    fn place_in(&self, port: u16, address: IpAddr) -> Option<Place> {
        let (_, number) = self.starts.range(..=(port, address)).next_back()?;
        let area = self.areas.get(*number)?;
        if area.port != port || !area.range.prefix().contains(&address) {
            return None;
        }
        Some(match area.swept {
            true => Place::Swept {
                area: *number,
                offset: area.range.offset(address)?,
            },
            false => Place::Told {
                area: *number,
                address,
            },
        })
    }

    /// Where an address counts that a neighbour named, left alone there or not; it is not listed.
    pub fn followed(&self, address: IpAddr) -> impl Iterator<Item = (Target, Place)> + '_ {
        self.ports.iter().filter_map(move |port| {
            let target = Target::new(address, *port)
                .ok()
                .filter(|target| !self.lists(*target))?;
            let place = self.place_in(*port, address)?;
            let follows = self.areas.get(place.area())?.follow;
            follows.then_some((target, place))
        })
    }

    /// How many areas are not swept.
    #[must_use]
    pub fn unswept(&self) -> usize {
        self.areas.iter().filter(|area| !area.swept).count()
    }

    /// How long one look at all of them takes.
    #[must_use]
    pub fn time(&self) -> Duration {
        self.time
    }

    /// Slots of one sweep; 0 when there is nothing to look at.
    #[must_use]
    pub fn slots(&self) -> u64 {
        self.ends.last().copied().unwrap_or(0)
    }

    /// Whose slot it is.
    #[must_use]
    pub fn place_at(&self, slot: u64) -> Option<Place> {
        let slot = slot.checked_rem(self.slots())?;
        let number = self.ends.partition_point(|end| *end <= slot);
        let area = self.areas.get(number)?;
        let offset = slot - (self.ends.get(number)? - area.slots());
        Some(Place::Swept { area: number, offset })
    }

    /// Whom to ask in a slot, if anyone.
    #[must_use]
    pub fn at(&self, slot: u64) -> Option<(Target, &Area)> {
        let place = self.place_at(slot)?;
        let target = self.address(place)?;
        (!self.lists(target)).then_some((target, self.areas.get(place.area())?))
    }

    /// The area an address is looked for in, if it is.
    #[must_use]
    pub fn area_of(&self, target: Target) -> Option<&Area> {
        self.areas.get(self.place_of(target)?.area())
    }

    /// The first slot that is not past, counted from 1970.
    #[must_use]
    pub fn slot(&self, since_1970: Duration) -> u64 {
        let time = self.time.as_nanos().max(1);
        let slot = (since_1970.as_nanos() * u128::from(self.slots())).div_ceil(time);
        u64::try_from(slot).unwrap_or(u64::MAX)
    }

    /// When a slot is, since 1970.
    #[must_use]
    pub fn due(&self, slot: u64) -> Duration {
        let slots = u128::from(self.slots().max(1));
        let nanos = u128::from(slot) * self.time.as_nanos() / slots;
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// The slot after this one, or a later one when that is more than a sweep ago.
    #[must_use]
    pub fn following(&self, slot: u64, since_1970: Duration) -> u64 {
        let oldest = self.slot(since_1970).saturating_sub(self.slots());
        slot.saturating_add(1).max(oldest)
    }

    /// Which sweep a slot belongs to, counted from 1970.
    #[must_use]
    pub fn number(&self, slot: u64) -> u64 {
        slot / self.slots().max(1)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::collections::BTreeMap;

    pub fn area(prefix: &str, excluded: &[&str], port: u16) -> Area {
        Area {
            range: Range::new(prefix, excluded.iter().copied()).unwrap(),
            port,
            credential: crate::testing::community("x"),
            windows: Windows::default(),
            ask_silent: false,
            follow: false,
            swept: true,
        }
    }

    /// Not swept.
    pub fn told(prefix: &str, excluded: &[&str]) -> Area {
        Area {
            range: Range::of_any_size(prefix, excluded.iter().copied()).unwrap(),
            follow: true,
            swept: false,
            ..area("192.0.2.0/32", &[], 161)
        }
    }

    fn sweep(seconds: u64) -> Sweep {
        let areas = vec![
            area("192.0.2.0/29", &["192.0.2.4/31"], 161),
            area("2001:db8::/126", &["2001:db8::1"], 161),
            area("198.51.100.8/31", &[], 1161),
            area("192.0.2.7/32", &[], 1161),
        ];
        Sweep::new(areas, Duration::from_secs(seconds)).without(["192.0.2.2:161".parse().unwrap()].into())
    }

    #[test]
    fn every_address_has_one_slot_and_those_left_alone_have_none() {
        let sweep = sweep(60);
        assert_eq!(sweep.slots(), 8 + 4 + 2 + 1);
        let asked = |from: u64| -> Vec<_> {
            (from..from + sweep.slots())
                .filter_map(|slot| sweep.at(slot))
                .map(|(target, _)| target.to_string())
                .collect()
        };
        let expected = [
            "192.0.2.1:161",
            "192.0.2.3:161",
            "192.0.2.6:161",
            "[2001:db8::]:161",
            "[2001:db8::2]:161",
            "[2001:db8::3]:161",
            "198.51.100.8:1161",
            "198.51.100.9:1161",
            "192.0.2.7:1161",
        ];
        assert_eq!(asked(0), expected);
        assert_eq!(asked(15 * 1_000_000), expected);
        // From anywhere, a whole sweep asks everyone.
        let mut turned = asked(7);
        turned.sort();
        let mut all = expected.map(str::to_owned);
        all.sort();
        assert_eq!(turned, all);
        for (target, found) in [
            ("192.0.2.1:161", true),
            ("192.0.2.1:1161", false),
            ("192.0.2.2:161", false),
            ("192.0.2.4:161", false),
            ("192.0.2.7:1161", true),
            ("[2001:db8::3]:161", true),
            ("[2001:db8::4]:161", false),
        ] {
            assert_eq!(
                sweep.area_of(target.parse().unwrap()).is_some(),
                found,
                "{target}"
            );
        }
    }

    #[test]
    fn slots_divide_the_sweep_evenly_and_outlast_a_restart() {
        let sweep = sweep(60);
        let now = Duration::from_millis(1_800_000_000_123);
        let first = sweep.slot(now);
        let mut before = sweep.due(first);
        assert!(before >= now && before - now <= Duration::from_secs(4));
        let mut per_sweep: BTreeMap<u64, u64> = BTreeMap::new();
        for slot in first + 1..first + 46 {
            let due = sweep.due(slot);
            assert_eq!((due - before).as_secs(), 4, "one slot every 60 s / 15");
            before = due;
            *per_sweep.entry(sweep.number(slot)).or_default() += 1;
        }
        assert!(per_sweep.values().all(|count| *count <= 15) && per_sweep.len() <= 4);
        // Another process at a later time counts the same slots.
        assert_eq!(sweep.slot(sweep.due(first + 9)), first + 9);
    }

    #[test]
    fn whoever_is_late_catches_up_with_one_sweep_at_most() {
        let sweep = sweep(60);
        let now = Duration::from_secs(1_800_000_000);
        let here = sweep.slot(now);
        assert_eq!(sweep.following(here, now), here + 1);
        assert_eq!(sweep.following(here - 10, now), here - 9);
        assert_eq!(sweep.following(here - 1_000, now), here - 15);
    }

    #[test]
    fn nothing_to_look_at_is_no_trouble() {
        let sweep = Sweep::default();
        let now = Duration::from_secs(1_800_000_000);
        assert_eq!((sweep.slots(), sweep.slot(now), sweep.number(7)), (0, 0, 7));
        assert!(sweep.at(7).is_none());
        assert_eq!(sweep.due(7), Duration::ZERO);
    }
}
