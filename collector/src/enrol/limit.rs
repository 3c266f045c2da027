//! How often strangers may try, and agents may renew.
//!
//! Invariants: one peer cannot use up what others may use; memory is bounded
//! whatever addresses a stranger comes from.

use governor::clock::DefaultClock;
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use model::AgentId;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::time::Duration;

/// Attempts of one peer: so many at once, then one each period.
const PEER: (u32, Duration) = (10, Duration::from_secs(6));
/// Attempts of all peers together: a probe farm may start at once.
const ALL: (u32, Duration) = (100, Duration::from_millis(200));
/// Renewals of one agent.
const AGENT: (u32, Duration) = (5, Duration::from_secs(1));
/// Peers or agents remembered before those with a clean slate are forgotten.
const REMEMBERED: usize = 10_000;

type Keyed<K> = RateLimiter<K, HashMapStateStore<K>, DefaultClock, NoOpMiddleware>;

/// The three limits.
pub struct Limits {
    peers: Keyed<IpAddr>,
    all: RateLimiter<NotKeyed, InMemoryState, DefaultClock, NoOpMiddleware>,
    agents: Keyed<AgentId>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            peers: RateLimiter::hashmap(quota(PEER)),
            all: RateLimiter::direct(quota(ALL)),
            agents: RateLimiter::hashmap(quota(AGENT)),
        }
    }
}

impl Limits {
    /// Whether a peer may try to enrol now.
    pub fn attempt(&self, peer: IpAddr) -> bool {
        check(&self.peers, &household(peer)) && self.all.check().is_ok()
    }

    /// Whether an agent may renew now.
    pub fn renewal(&self, agent: AgentId) -> bool {
        check(&self.agents, &agent)
    }
}

fn quota((burst, period): (u32, Duration)) -> Quota {
    let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
    Quota::with_period(period)
        .unwrap_or(Quota::per_second(NonZeroU32::MIN))
        .allow_burst(burst)
}

fn check<K: Clone + Eq + Hash>(limiter: &Keyed<K>, key: &K) -> bool {
    if limiter.len() >= REMEMBERED {
        limiter.retain_recent();
        // All of them recent: a crowd, or one stranger with many addresses.
        if limiter.len() >= REMEMBERED {
            return false;
        }
    }
    limiter.check_key(key).is_ok()
}

/// Whoever has one IPv6 address has the whole /64.
fn household(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from(u128::from(v6) & !u128::from(u64::MAX)).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_peer_is_held_back_and_others_are_not() {
        let limits = Limits::default();
        let attempts = |peer: &str| (0..50).filter(|_| limits.attempt(peer.parse().unwrap())).count();
        assert!((10..=12).contains(&attempts("192.0.2.1")));
        assert!((10..=12).contains(&attempts("2001:db8::1")));
        assert!(attempts("2001:db8::2") < 3, "the same household");
        assert!((10..=12).contains(&attempts("2001:db8:0:1::1")));
        assert_eq!(
            attempts("::ffff:192.0.2.1"),
            0,
            "the same address written otherwise"
        );
    }

    #[test]
    fn all_together_are_held_back_and_memory_is_bounded() {
        let limits = Limits::default();
        let peer = |n: u32| IpAddr::from((0x0a00_0000 + n).to_be_bytes());
        let let_in = (0..20_000).filter(|n| limits.attempt(peer(*n))).count();
        assert!((100..1_000).contains(&let_in), "{let_in}");
        assert!(limits.peers.len() <= REMEMBERED);
    }

    #[test]
    fn an_agent_cannot_renew_without_end() {
        let (limits, agent) = (Limits::default(), AgentId::generate());
        let renewed = (0..50).filter(|_| limits.renewal(agent)).count();
        assert!((5..=7).contains(&renewed));
        assert!(limits.renewal(AgentId::generate()));
    }
}
