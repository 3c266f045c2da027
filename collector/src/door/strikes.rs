//! Wrong passwords are counted, for a name and for an address, and then cost time.
//!
//! Invariants: pure, time is passed in; memory is bounded whatever names and addresses
//! come; everything clears itself; a lock-out never lasts longer than [`LONGEST`].

use model::Instant;
use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

/// Wrong passwords for a name before it has to wait.
const OF_NAME: u32 = 5;
/// From an address: many may sit behind one.
const OF_ADDRESS: u32 = 20;
/// The first wait; each further failure doubles it.
const FIRST: Duration = Duration::from_secs(30);
/// The longest wait.
pub const LONGEST: Duration = Duration::from_secs(15 * 60);
/// So long after the last of them failures are forgotten.
const FORGOTTEN: Duration = Duration::from_secs(3_600);
/// Names, and addresses, remembered at once.
const REMEMBERED: usize = 10_000;

/// Who failed how often.
#[derive(Default)]
pub struct Strikes {
    names: HashMap<String, Strike>,
    addresses: HashMap<IpAddr, Strike>,
}

#[derive(Clone, Copy)]
struct Strike {
    count: u32,
    last: Instant,
    /// No try before this.
    until: Instant,
}

impl Strikes {
    /// How long a name from an address has to wait, if it has to.
    #[must_use]
    pub fn wait(&self, name: &str, from: Option<IpAddr>, now: Instant) -> Option<Duration> {
        let of_address = from.and_then(|from| self.addresses.get(&household(from)));
        let until = self
            .names
            .get(name)
            .into_iter()
            .chain(of_address)
            .map(|strike| strike.until)
            .max()?;
        let micros = u64::try_from(until.0.saturating_sub(now.0)).ok()?;
        (micros > 0).then(|| Duration::from_micros(micros))
    }

    /// Notes a failure; whether whoever failed has to wait now.
    pub fn strike(&mut self, name: &str, from: Option<IpAddr>, now: Instant) -> bool {
        let name: String = name.chars().take(64).collect();
        let locked = count(&mut self.names, name, OF_NAME, now);
        let from = from.is_some_and(|from| count(&mut self.addresses, household(from), OF_ADDRESS, now));
        locked || from
    }

    /// Forgets the failures of a name that was let in.
    pub fn clear(&mut self, name: &str) {
        self.names.remove(name);
    }
}

fn over(strike: &Strike, now: Instant) -> bool {
    now.seconds_since(strike.last) >= FORGOTTEN.as_secs()
}

fn count<K: Eq + Hash + Clone>(strikes: &mut HashMap<K, Strike>, key: K, allowed: u32, now: Instant) -> bool {
    if strikes.len() >= REMEMBERED && !strikes.contains_key(&key) {
        strikes.retain(|_, strike| !over(strike, now));
        if strikes.len() >= REMEMBERED {
            // Whoever failed least is forgotten first: a crowd of strangers frees nobody who is locked out.
            let least = strikes
                .iter()
                .min_by_key(|(_, strike)| (strike.until, strike.last));
            if let Some(least) = least.map(|(key, _)| key.clone()) {
                strikes.remove(&least);
            }
        }
    }
    let strike = strikes.entry(key).or_insert(Strike {
        count: 0,
        last: now,
        until: Instant(i64::MIN),
    });
    if over(strike, now) {
        strike.count = 0;
    }
    strike.count = strike.count.saturating_add(1);
    strike.last = now;
    let Some(beyond) = strike.count.checked_sub(allowed) else {
        return false;
    };
    let wait = FIRST.saturating_mul(1 << beyond.min(10)).min(LONGEST);
    strike.until = Instant(
        now.0
            .saturating_add(i64::try_from(wait.as_micros()).unwrap_or(i64::MAX)),
    );
    true
}

/// Whoever has one IPv6 address has the whole /64.
fn household(from: IpAddr) -> IpAddr {
    match from.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from(u128::from(v6) & !u128::from(u64::MAX)).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Instant {
        Instant(seconds * 1_000_000)
    }

    #[test]
    fn a_name_waits_longer_with_each_failure_and_is_free_again_by_itself() {
        let mut strikes = Strikes::default();
        let failed = (0..4).filter(|_| strikes.strike("ada", None, at(0))).count();
        assert_eq!((failed, strikes.wait("ada", None, at(0))), (0, None));
        let mut now = 0;
        for wait in [30, 60, 120, 240, 480, 900, 900] {
            assert!(strikes.strike("ada", None, at(now)));
            assert_eq!(
                strikes.wait("ada", None, at(now)),
                Some(Duration::from_secs(wait))
            );
            assert_eq!(strikes.wait("bo", None, at(now)), None);
            now += i64::try_from(wait).unwrap();
            assert_eq!(strikes.wait("ada", None, at(now)), None);
        }
        assert!(!strikes.strike("ada", None, at(now + 3_600)), "forgotten");
        strikes.clear("ada");
        assert!(strikes.names.is_empty());
    }

    #[test]
    fn an_address_waits_whatever_names_it_tries() {
        let mut strikes = Strikes::default();
        let from: Option<IpAddr> = Some("2001:db8::1".parse().unwrap());
        let locked: Vec<_> = (0..20)
            .map(|n| strikes.strike(&format!("n{n}"), from, at(0)))
            .collect();
        assert_eq!(locked.iter().filter(|locked| **locked).count(), 1, "the last");
        assert!(
            strikes
                .wait("new", Some("2001:db8::2".parse().unwrap()), at(0))
                .is_some()
        );
        assert!(
            strikes
                .wait("new", Some("2001:db8:1::1".parse().unwrap()), at(0))
                .is_none()
        );
    }

    #[test]
    fn a_crowd_of_names_takes_no_memory_and_frees_nobody() {
        let mut strikes = Strikes::default();
        for _ in 0..5 {
            strikes.strike("ada", None, at(0));
        }
        for n in 0..REMEMBERED * 2 {
            strikes.strike(&format!("{n}"), None, at(1));
        }
        assert!(strikes.names.len() <= REMEMBERED);
        assert!(strikes.wait("ada", None, at(2)).is_some());
    }
}
