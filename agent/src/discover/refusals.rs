//! Which users were refused where, so that sweeps lock nobody out: a pure table.
//!
//! Invariants: after a refusal a user is left alone at that address for a pause that
//! doubles up to a day, however often a sweep comes by; another credential is another
//! user; no more entries than addresses in the ranges.

use crate::credential::Credential;
use crate::poll::learned::pause_after;
use crate::target::Target;
use proto::v1::CoverageState as State;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Refusals that count.
#[derive(Debug, Default)]
pub struct Refusals(HashMap<Target, Refusal>);

#[derive(Debug)]
struct Refusal {
    credential: Arc<Credential>,
    /// In a row.
    times: u32,
    until: Instant,
    /// What became of the last try.
    state: State,
}

impl Refusals {
    /// What became of the last try with this credential, if it is not to be tried again yet.
    #[must_use]
    pub fn stands(&self, target: Target, credential: &Arc<Credential>, now: Instant) -> Option<State> {
        let refusal = self.0.get(&target)?;
        let same = Arc::ptr_eq(&refusal.credential, credential);
        (same && now < refusal.until).then_some(refusal.state)
    }

    /// It was refused; the first pause of all is `first`.
    pub fn refused(
        &mut self,
        target: Target,
        (credential, state): (Arc<Credential>, State),
        now: Instant,
        first: Duration,
    ) {
        let before = self.0.get(&target);
        let same = before.filter(|before| Arc::ptr_eq(&before.credential, &credential));
        let times = same.map_or(0, |before| before.times).saturating_add(1);
        let refusal = Refusal {
            credential,
            times,
            until: now + pause_after(times, first),
            state,
        };
        self.0.insert(target, refusal);
    }

    /// It was taken.
    pub fn taken(&mut self, target: Target) {
        self.0.remove(&target);
    }

    /// Forgets where another credential counts now, or none.
    pub fn begin<'c>(&mut self, credential: impl Fn(Target) -> Option<&'c Arc<Credential>>) {
        self.0.retain(|target, refusal| {
            credential(*target).is_some_and(|now| Arc::ptr_eq(now, &refusal.credential))
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_user_is_tried_ever_more_rarely_and_another_one_at_once() {
        let target: Target = "192.0.2.1".parse().unwrap();
        let (one, other) = (crate::testing::community("x"), crate::testing::community("x"));
        let (start, first) = (Instant::now(), Duration::from_secs(900));
        let mut refusals = Refusals::default();
        let mut tries = Vec::new();
        // A sweep an hour for three days, refused each time it tries.
        for hour in 0..72_u64 {
            let now = start + Duration::from_secs(hour * 3600);
            match refusals.stands(target, &one, now) {
                None => {
                    tries.push(hour);
                    refusals.refused(target, (Arc::clone(&one), State::CredentialRefused), now, first);
                }
                Some(state) => assert_eq!(state, State::CredentialRefused),
            }
        }
        assert_eq!(tries, [0, 1, 2, 3, 5, 9, 17, 33, 57]);
        let now = start + Duration::from_secs(58 * 3600);
        assert!(refusals.stands(target, &one, now).is_some());
        assert_eq!(refusals.stands(target, &other, now), None, "another credential");
        refusals.begin(|_| Some(&one));
        assert!(
            refusals.stands(target, &one, now).is_some(),
            "the same plan again"
        );
        refusals.begin(|_| Some(&other));
        assert_eq!(refusals.stands(target, &one, now), None, "forgotten");
        refusals.refused(target, (Arc::clone(&one), State::Ignored), now, first);
        refusals.taken(target);
        assert_eq!(refusals.stands(target, &one, now), None, "it was taken since");
    }
}
