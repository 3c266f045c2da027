//! Wrong passwords are counted, for a name and for an address, and then cost time.
//!
//! Invariants: a try is counted before anybody knows whether it is right, so that many at
//! once are no more than one after the other; what was right is taken back; pure, time is passed in; memory is bounded whatever names and addresses
//! come; everything clears itself; a lock-out never lasts longer than [`LONGEST`].

use model::Instant;
use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// Wrong passwords for a name before it has to wait.
const OF_NAME: u32 = 5;
/// From an address: many may sit behind one.
const OF_ADDRESS: u32 = 20;
/// From this machine: a proxy or a tunnel stands there, and all who come through it have its address.
const OF_LOOPBACK: u32 = 500;
/// And then each has to wait so long, for one of them must not shut out the rest.
const LOOPBACK_LONGEST: Duration = Duration::from_secs(2);
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
    pub(super) fn wait(&self, name: &str, from: Option<IpAddr>, now: Instant) -> Option<Duration> {
        let of_address = from.and_then(|from| self.addresses.get(&household(from)));
        let until = self
            .names
            .get(name)
            .into_iter()
            .chain(of_address)
            .map(|strike| strike.until)
            .max()?;
        left(until, now)
    }

    /// Counts a try as failed before it is made; whether whoever fails with it has to wait.
    ///
    /// # Errors
    /// How long to wait: the try is not to be made.
    pub fn reserve(&mut self, name: &str, from: Option<IpAddr>, now: Instant) -> Result<bool, Duration> {
        match self.wait(name, from, now) {
            Some(wait) => Err(wait),
            None => Ok(self.strike(name, from, now)),
        }
    }

    /// The same where there is no name yet.
    ///
    /// # Errors
    /// How long to wait: the try is not to be made.
    pub fn reserve_address(&mut self, from: Option<IpAddr>, now: Instant) -> Result<(), Duration> {
        let strike = from.and_then(|from| self.addresses.get(&household(from)));
        match strike.and_then(|strike| left(strike.until, now)) {
            Some(wait) => Err(wait),
            None => {
                self.strike_address(from, now);
                Ok(())
            }
        }
    }

    fn strike(&mut self, name: &str, from: Option<IpAddr>, now: Instant) -> bool {
        let name: String = name.chars().take(64).collect();
        let locked = count(&mut self.names, name, (OF_NAME, LONGEST), now);
        let from = self.strike_address(from, now);
        locked || from
    }

    fn strike_address(&mut self, from: Option<IpAddr>, now: Instant) -> bool {
        from.map(household).is_some_and(|from| {
            let limits = match from.is_loopback() {
                true => (OF_LOOPBACK, LOOPBACK_LONGEST),
                false => (OF_ADDRESS, LONGEST),
            };
            count(&mut self.addresses, from, limits, now)
        })
    }

    /// Takes a reserved try back that was not made, or was right.
    pub fn take_back(&mut self, name: &str, from: Option<IpAddr>) {
        less(&mut self.names, name);
        self.take_back_address(from);
    }

    /// The same where there was no name.
    pub fn take_back_address(&mut self, from: Option<IpAddr>) {
        if let Some(from) = from {
            less(&mut self.addresses, &household(from));
        }
    }

    /// Forgets the failures of a name that was let in.
    pub fn clear(&mut self, name: &str) {
        self.names.remove(name);
    }
}

fn left(until: Instant, now: Instant) -> Option<Duration> {
    let micros = u64::try_from(until.0.saturating_sub(now.0)).ok()?;
    (micros > 0).then(|| Duration::from_micros(micros))
}

fn over(strike: &Strike, now: Instant) -> bool {
    now.seconds_since(strike.last) >= FORGOTTEN.as_secs()
}

/// One less. Whoever was let try was not waiting: the wait that this try began ends with it.
fn less<K: Eq + Hash + Borrow<Q>, Q: Eq + Hash + ?Sized>(strikes: &mut HashMap<K, Strike>, key: &Q) {
    if let Some(strike) = strikes.get_mut(key) {
        strike.count = strike.count.saturating_sub(1);
        strike.until = Instant(i64::MIN);
        if strike.count == 0 {
            strikes.remove(key);
        }
    }
}

fn count<K: Eq + Hash + Clone>(
    strikes: &mut HashMap<K, Strike>,
    key: K,
    (allowed, longest): (u32, Duration),
    now: Instant,
) -> bool {
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
    let wait = FIRST.saturating_mul(1 << beyond.min(10)).min(longest);
    strike.until = Instant(
        now.0
            .saturating_add(i64::try_from(wait.as_micros()).unwrap_or(i64::MAX)),
    );
    true
}

/// Whoever has one IPv6 address has the whole /64; this machine is one, whatever it calls itself.
fn household(from: IpAddr) -> IpAddr {
    match from.to_canonical() {
        here if here.is_loopback() => Ipv4Addr::LOCALHOST.into(),
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
    fn an_address_without_a_name_is_counted_with_those_that_have_one() {
        let mut strikes = Strikes::default();
        let from: Option<IpAddr> = Some("192.0.2.1".parse().unwrap());
        for _ in 0..50 {
            assert_eq!(strikes.reserve_address(from, at(0)), Ok(()));
            strikes.take_back_address(from);
        }
        let tries = (0..30).filter(|_| strikes.reserve_address(from, at(0)).is_ok());
        assert_eq!(tries.count(), 20);
        assert_eq!(strikes.reserve("ada", from, at(0)), Err(FIRST));
        assert_eq!(strikes.reserve_address(from, at(30)), Ok(()));
        assert_eq!(strikes.reserve_address(None, at(0)), Ok(()));
    }

    #[test]
    fn whoever_comes_through_a_tunnel_is_not_all_who_do() {
        for from in ["127.0.0.1", "127.9.0.1", "::1", "::ffff:127.0.0.1"] {
            let mut strikes = Strikes::default();
            let from: Option<IpAddr> = Some(from.parse().unwrap());
            for n in 0..100 {
                strikes.strike(&format!("n{n}"), from, at(0));
            }
            assert_eq!(strikes.wait("ada", from, at(0)), None, "{from:?}");
            let locked = (0..5).filter(|_| strikes.strike("ada", from, at(0))).count();
            assert_eq!(locked, 1, "the fifth");
            assert!(strikes.wait("ada", from, at(0)).is_some(), "names are counted");
        }
    }

    #[test]
    fn a_machine_that_fails_all_the_time_waits_a_moment_and_no_more() {
        let mut strikes = Strikes::default();
        let from: Option<IpAddr> = Some("127.0.0.1".parse().unwrap());
        for n in 0..OF_LOOPBACK + 20 {
            strikes.strike(&format!("n{n}"), from, at(0));
        }
        assert_eq!(strikes.wait("ada", from, at(0)), Some(LOOPBACK_LONGEST));
    }

    #[test]
    fn what_was_right_is_taken_back_and_what_was_wrong_stays() {
        let mut strikes = Strikes::default();
        let from: Option<IpAddr> = Some("192.0.2.1".parse().unwrap());
        for _ in 0..50 {
            assert!(strikes.reserve("ada", from, at(0)).is_ok());
            strikes.take_back("ada", from);
        }
        assert!(strikes.names.is_empty() && strikes.addresses.is_empty());
        let tries: Vec<_> = (0..6).map(|_| strikes.reserve("ada", from, at(0))).collect();
        let wait = Err(FIRST);
        assert_eq!(
            tries,
            [Ok(false), Ok(false), Ok(false), Ok(false), Ok(true), wait]
        );
        strikes.take_back("ada", from);
        assert_eq!(
            strikes.reserve("ada", from, at(0)),
            Ok(true),
            "four failures and the next"
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
