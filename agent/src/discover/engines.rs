//! What addresses told of their SNMPv3 engines: ID, boots and time of each, a pure table.
//!
//! Invariants: IDs are the octets that arrived; what goes on as it was is no change, so that it is
//! told once; the table is bounded, and whoever changed longest ago makes room; when somebody
//! goes because the ranges moved, all that was told is void and told anew.

use super::prober::Heard;
use crate::target::Target;
use prost::Message as _;
use prost::bytes::Bytes;
use proto::plan::{MAX_ENGINE_ID, MAX_ENGINES};
use proto::v1::{self, ToldEngine};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Seconds by which an engine's time may differ from what passed since it was heard, and one more
/// for each so many: clocks of elements drift.
const TOLERANCE: i64 = 60;
const DRIFT: i64 = 1_000;

/// Engines by address.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Engines {
    rows: BTreeMap<Target, ToldEngine>,
    /// The same by revision.
    order: BTreeMap<u64, Target>,
    generation: u64,
    revision: u64,
    changed: bool,
}

impl Engines {
    /// Reads what [`Self::tell`] told, encoded; what cannot be read is forgotten.
    #[must_use]
    pub fn from_bytes(content: &[u8]) -> Self {
        let told = v1::Engines::decode(content).unwrap_or_default();
        let mut engines = Self {
            generation: told.generation,
            ..Self::default()
        };
        for row in told.engines.into_iter().take(MAX_ENGINES) {
            let target = target(&row).filter(|_| row.revision > engines.revision);
            if let Some(target) = target {
                engines.revision = row.revision;
                engines.put(target, row);
            }
        }
        engines
    }

    /// From now on for those inside.
    pub fn begin(&mut self, inside: impl Fn(Target) -> bool, now_micros: i64) {
        let before = self.rows.len();
        self.rows.retain(|target, _| inside(*target));
        self.order = self
            .rows
            .iter()
            .map(|(target, row)| (row.revision, *target))
            .collect();
        let went = self.rows.len() < before;
        if went || self.generation == 0 {
            let now = u64::try_from(now_micros).unwrap_or(0);
            self.generation = now.max(self.generation.saturating_add(1));
        }
        self.changed |= went;
    }

    /// An address told its engine, then by the wall clock.
    pub fn heard(&mut self, target: Target, heard: &Heard, seen_micros: i64) {
        let engine = &heard.engine;
        let kept = engine.id.get(..MAX_ENGINE_ID).unwrap_or(&engine.id);
        let row = ToldEngine {
            address: match target.address().ip() {
                IpAddr::V4(v4) => Bytes::copy_from_slice(&v4.octets()),
                IpAddr::V6(v6) => Bytes::copy_from_slice(&v6.octets()),
            },
            port: u32::from(target.address().port()),
            engine_id: Bytes::copy_from_slice(kept),
            engine_id_octets: u32::try_from(engine.id.len()).unwrap_or(u32::MAX),
            boots: engine.boots.value,
            time: engine.time.value,
            seen_micros,
            revision: self.revision.saturating_add(1),
        };
        if self.rows.get(&target).is_some_and(|known| goes_on(known, &row)) {
            return;
        }
        self.revision = row.revision;
        self.put(target, row);
        self.changed = true;
        while self.rows.len() > MAX_ENGINES
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.rows.remove(&oldest);
            metrics::counter!("marque_agent_discovery_dropped_total", "reason" => "engines").increment(1);
        }
    }

    fn put(&mut self, target: Target, row: ToldEngine) {
        self.order.insert(row.revision, target);
        if let Some(before) = self.rows.insert(target, row) {
            self.order.remove(&before.revision);
        }
    }

    /// Whether there is something to tell.
    #[must_use]
    pub fn changed(&self) -> bool {
        self.changed
    }

    /// [`Self::all`], to be told.
    pub fn tell(&mut self) -> v1::Engines {
        self.changed = false;
        self.all()
    }

    /// All of them in order of revision, for the line and the disk.
    #[must_use]
    pub fn all(&self) -> v1::Engines {
        let rows = self.order.values().filter_map(|target| self.rows.get(target));
        v1::Engines {
            generation: self.generation,
            engines: rows.cloned().collect(),
        }
    }
}

/// Whose row it is.
fn target(row: &ToldEngine) -> Option<Target> {
    let v4 = <[u8; 4]>::try_from(row.address.as_ref()).map(IpAddr::from);
    let address = v4.or_else(|_| <[u8; 16]>::try_from(row.address.as_ref()).map(IpAddr::from));
    Target::new(address.ok()?, u16::try_from(row.port).ok()?).ok()
}

/// Whether it is the same engine, running as it was: of one that counts no boots the time tells.
fn goes_on(known: &ToldEngine, now: &ToldEngine) -> bool {
    let same = |row: &ToldEngine| (row.engine_id.clone(), row.engine_id_octets, row.boots);
    if same(known) != same(now) {
        return false;
    }
    let passed = now.seen_micros.saturating_sub(known.seen_micros) / 1_000_000;
    let late = i64::from(now.time) - i64::from(known.time) - passed;
    let tells = |row: &ToldEngine| row.boots > 0 || row.time > 0;
    !(tells(known) || tells(now)) || late.abs() <= TOLERANCE + passed.abs() / DRIFT
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::poll::engine::Engine;
    use crate::poll::usm::message::Count;
    use tokio::time::Instant;

    const SECOND: i64 = 1_000_000;

    fn at(n: u32) -> Target {
        Target::new(std::net::Ipv4Addr::from(0x0a00_0000 + n).into(), 161).unwrap()
    }

    fn heard(id: &[u8], boots: u32, time: u32) -> Heard {
        let count = |value: u32| Count {
            octets: Bytes::new(),
            value,
        };
        Heard {
            engine: Engine {
                id: Bytes::copy_from_slice(id),
                boots: count(boots),
                time: count(time),
            },
            at: Instant::now(),
        }
    }

    #[test]
    fn what_goes_on_as_it_was_is_told_once() {
        let mut engines = Engines::default();
        engines.begin(|_| true, 5);
        assert_eq!((engines.changed(), engines.tell().generation), (false, 5));
        for (id, boots, time, seconds, changes) in [
            (b"\x80\0\x1f\x88\x04lab", 3, 100, 0, true),
            (b"\x80\0\x1f\x88\x04lab", 3, 100 + 86_400, 86_400, false),
            // Clocks drift, and packets take their time.
            (b"\x80\0\x1f\x88\x04lab", 3, 220 + 86_400, 86_400, false),
            (b"\x80\0\x1f\x88\x04lab", 4, 7, 86_500, true),
            // Another one, then one that begins anew and counts no boots.
            (b"\x80\0\x1f\x88\x04box", 4, 108, 86_600, true),
            (b"\x80\0\x1f\x88\x04box", 4, 5, 90_000, true),
            // And one that tells neither.
            (b"\x80\0\x1f\x88\x04box", 0, 0, 91_000, true),
            (b"\x80\0\x1f\x88\x04box", 0, 0, 99_000, false),
        ] {
            engines.heard(at(1), &heard(id, boots, time), seconds * SECOND);
            assert_eq!(engines.changed(), changes, "{boots} {time} {seconds}");
            let told = engines.tell();
            assert_eq!(told.engines.len(), 1);
            assert_eq!(told.engines[0].engine_id, id[..]);
        }
        assert_eq!(engines.tell().engines[0].revision, 5);
    }

    #[test]
    fn long_ones_are_cut_and_say_so_and_all_is_kept_over_restarts() {
        let mut engines = Engines::default();
        engines.begin(|_| true, 5);
        engines.heard(at(2), &heard(&[7; 255], 1, 1), 1);
        engines.heard(at(1), &heard(b"x", 1, 1), 1);
        let v6: Target = "[2001:db8::1]:1161".parse().unwrap();
        engines.heard(v6, &heard(b"12345", 1, 1), 1);
        let told = engines.tell();
        let sizes: Vec<_> = told
            .engines
            .iter()
            .map(|row| (row.address.len(), row.engine_id.len(), row.engine_id_octets))
            .collect();
        assert_eq!(sizes, [(4, 32, 255), (4, 1, 1), (16, 5, 5)]);
        let mut again = Engines::from_bytes(&told.encode_to_vec());
        again.begin(|_| true, 9);
        assert!(!again.changed(), "nothing new");
        assert_eq!(again, engines);
        // Whoever lies outside goes, and what was told is void.
        again.begin(|target| target == v6, 9);
        assert!(again.changed());
        let told = again.tell();
        assert_eq!((told.generation, told.engines.len()), (9, 1));
        again.begin(|_| false, 2);
        assert_eq!(again.tell().generation, 10, "even when the clock went back");
        for octets in [&b"\xff\xff"[..], b"hello"] {
            assert_eq!(Engines::from_bytes(octets), Engines::default());
        }
        let twice = v1::Engines {
            generation: 1,
            engines: vec![told.engines[0].clone(), told.engines[0].clone()],
        };
        assert_eq!(Engines::from_bytes(&twice.encode_to_vec()).rows.len(), 1);
    }

    #[test]
    fn the_table_is_bounded_and_the_newest_stay() {
        let mut engines = Engines::default();
        let most = u32::try_from(MAX_ENGINES).unwrap();
        for n in 1..=most {
            engines.heard(at(n), &heard(b"12345", 1, 1), 1);
        }
        engines.heard(at(1), &heard(b"12346", 1, 1), 1);
        engines.heard(at(most + 1), &heard(b"12345", 1, 1), 1);
        let told = engines.tell();
        assert_eq!(told.engines.len(), MAX_ENGINES);
        assert_eq!(target(&told.engines[0]), Some(at(3)), "the second made room");
        assert!(told.engines.is_sorted_by_key(|row| row.revision));
    }
}
