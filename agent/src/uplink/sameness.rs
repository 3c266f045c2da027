//! What the collector has of each target, so that an unchanged element costs a
//! digest instead of its evidence.
//!
//! Invariants: a digest is known only after the collector acknowledged its
//! evidence as stored; any doubt forgets it, and the next report goes in full. Of
//! each target only the newest report is remembered, however many wait: its own
//! verdict is what counts in the end. Nothing is kept over a restart.

use crate::target::Target;
use proto::v1::VerdictKind;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Shared by whoever spools and whoever hears the acknowledgements.
#[derive(Debug, Default)]
pub struct Sameness(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    stored: HashMap<Target, [u8; 32]>,
    /// By sequence; of each target the newest.
    underway: BTreeMap<u64, (Target, [u8; 32])>,
    /// Its sequence.
    newest: HashMap<Target, u64>,
}

impl Sameness {
    /// Whether the collector has this evidence of this target already.
    #[must_use]
    pub fn is_stored(&self, target: Target, digest: &[u8; 32]) -> bool {
        self.lock().stored.get(&target) == Some(digest)
    }

    /// Whether the collector has this evidence of this target, or gets it with what waits.
    #[must_use]
    pub fn is_on_its_way(&self, target: Target, digest: &[u8; 32]) -> bool {
        let known = self.lock();
        let underway = known
            .newest
            .get(&target)
            .and_then(|sequence| known.underway.get(sequence));
        underway.map_or_else(
            || known.stored.get(&target) == Some(digest),
            |(_, newest)| newest == digest,
        )
    }

    /// A report, full or not, got this sequence.
    pub fn spooled(&self, sequence: u64, target: Target, digest: [u8; 32]) {
        let mut known = self.lock();
        if let Some(older) = known.newest.insert(target, sequence) {
            known.underway.remove(&older);
        }
        known.underway.insert(sequence, (target, digest));
    }

    /// The collector said something else than "stored" about a report.
    pub fn judged(&self, sequence: u64, verdict: VerdictKind) {
        if matches!(verdict, VerdictKind::Stored | VerdictKind::Repeated) {
            return;
        }
        let mut known = self.lock();
        if let Some((target, _)) = known.underway.remove(&sequence) {
            known.stored.remove(&target);
            known.newest.remove(&target);
        }
    }

    /// Everything up to and including `sequence` is stored, but for what was judged before.
    pub fn acked(&self, sequence: u64) {
        let mut known = self.lock();
        while let Some((target, digest)) = known.pop_until(sequence) {
            known.stored.insert(target, digest);
        }
    }

    /// Reports before `sequence` that are still on their way went instead.
    pub fn gone_before(&self, sequence: u64) {
        let mut known = self.lock();
        while known.pop_until(sequence.saturating_sub(1)).is_some() {}
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Takes the oldest under way out, if it is not beyond `sequence`.
    fn pop_until(&mut self, sequence: u64) -> Option<(Target, [u8; 32])> {
        let oldest = self.underway.first_entry()?;
        let (target, digest) = (*oldest.key() <= sequence).then(|| oldest.remove())?;
        self.newest.remove(&target);
        Some((target, digest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_each_target_only_the_newest_is_remembered() {
        let target: Target = "192.0.2.1".parse().unwrap();
        let same = Sameness::default();
        for sequence in 1..=1_000 {
            same.spooled(sequence, target, [u8::try_from(sequence % 7).unwrap(); 32]);
        }
        let known = same.lock();
        assert_eq!((known.underway.len(), known.newest.len()), (1, 1));
        drop(known);
        // What came before it says nothing about it.
        same.judged(5, VerdictKind::Wanted);
        same.acked(999);
        assert!((0..7).all(|n| !same.is_stored(target, &[n; 32])));
        same.acked(1_000);
        assert!(same.is_stored(target, &[6; 32]));
        let known = same.lock();
        assert_eq!((known.underway.len(), known.newest.len()), (0, 0));
    }

    #[test]
    fn what_went_is_not_taken_for_stored() {
        let target: Target = "192.0.2.1".parse().unwrap();
        let same = Sameness::default();
        same.spooled(1, target, [1; 32]);
        same.spooled(2, target, [2; 32]);
        same.gone_before(2);
        same.acked(1);
        assert!(!same.is_stored(target, &[1; 32]));
        same.acked(2);
        assert!(same.is_stored(target, &[2; 32]));
    }

    #[test]
    fn evidence_that_waits_is_on_its_way_until_it_is_judged_or_goes() {
        let target: Target = "192.0.2.1".parse().unwrap();
        let same = Sameness::default();
        assert!(!same.is_on_its_way(target, &[1; 32]));
        same.spooled(1, target, [1; 32]);
        assert!(same.is_on_its_way(target, &[1; 32]) && !same.is_on_its_way(target, &[2; 32]));
        same.acked(1);
        assert!(same.is_on_its_way(target, &[1; 32]));
        // A newer one is what counts in the end.
        same.spooled(2, target, [2; 32]);
        assert!(!same.is_on_its_way(target, &[1; 32]));
        same.judged(2, VerdictKind::Wanted);
        assert!(
            !same.is_on_its_way(target, &[2; 32]),
            "the collector does not have it"
        );
        same.spooled(3, target, [3; 32]);
        same.gone_before(4);
        assert!(!same.is_on_its_way(target, &[3; 32]));
    }

    #[test]
    fn only_an_acknowledged_digest_is_known() {
        let target: Target = "192.0.2.1".parse().unwrap();
        let other: Target = "192.0.2.2".parse().unwrap();
        let (old, new) = ([1; 32], [2; 32]);
        let same = Sameness::default();
        same.spooled(1, target, old);
        same.spooled(2, other, old);
        assert!(!same.is_stored(target, &old));
        same.acked(1);
        assert!(same.is_stored(target, &old) && !same.is_stored(other, &old));
        same.spooled(3, target, new);
        same.judged(3, VerdictKind::Repeated);
        same.acked(3);
        assert!(same.is_stored(target, &new) && !same.is_stored(target, &old));
        for verdict in [VerdictKind::Wanted, VerdictKind::Refused] {
            same.spooled(4, target, new);
            same.judged(4, verdict);
            same.acked(4);
            assert!(!same.is_stored(target, &new), "{verdict:?}");
            same.spooled(5, target, new);
            same.acked(5);
            assert!(same.is_stored(target, &new));
        }
    }
}
