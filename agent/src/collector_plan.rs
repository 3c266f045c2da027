//! Plans of the collector: whether they can be followed here, kept over restarts,
//! and followed without one.
//!
//! Invariants: a plan is followed whole or not at all; nothing outside the
//! operator's own bounds is ever sent to, whoever speaks as the collector; a plan
//! is on the disk before it is followed; what the agent's own file names wins.

mod check;
pub mod kept;
mod follow;

pub use check::{Checked, Refusal, check};
pub use follow::{Follower, Own};

use crate::config::{Assignment, between};
use crate::credential::Credential;
use crate::target::Target;
use ipnet::IpNet;
use serde::Deserialize;
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Where a collector may send this agent unless the operator says otherwise: private
/// addresses (RFC 1918, RFC 4193), and so neither this machine nor the Internet.
const PRIVATE: [&str; 4] = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"];

/// `[collector_plan]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CollectorPlanConfig {
    /// Whether plans are taken at all.
    pub accept: bool,
    /// Where the last good one is kept; beside the spool unless given.
    pub path: Option<PathBuf>,
    /// Prefixes outside of which no plan may send this agent.
    pub allow: Vec<Prefix>,
    /// Seconds below which no plan may set an interval.
    #[serde(deserialize_with = "between::<1, { proto::plan::MAX_SECONDS as u64 }, _>")]
    pub min_interval_seconds: u64,
    /// Seconds below which no plan may set a sweep.
    #[serde(deserialize_with = "between::<1, { proto::plan::MAX_SECONDS as u64 }, _>")]
    pub min_sweep_seconds: u64,
}

impl Default for CollectorPlanConfig {
    fn default() -> Self {
        Self {
            accept: false,
            path: None,
            allow: PRIVATE
                .iter()
                .filter_map(|text| Prefix::try_from((*text).to_owned()).ok())
                .collect(),
            min_interval_seconds: 60,
            min_sweep_seconds: 3600,
        }
    }
}

/// A prefix in text, checked when read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Prefix(IpNet);

impl TryFrom<String> for Prefix {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let net: IpNet = text
            .parse()
            .map_err(|_| "not a prefix such as 192.0.2.0/24 or 2001:db8::/32".to_owned())?;
        if net != net.trunc() {
            return Err(format!("has bits beyond its length: write {}", net.trunc()));
        }
        Ok(Self(net))
    }
}

/// The operator's own bounds for plans.
#[derive(Debug, Clone)]
pub struct Bounds {
    allow: Vec<IpNet>,
    min_interval: Duration,
    min_sweep: Duration,
    credentials: HashMap<String, Arc<Credential>>,
}

impl Bounds {
    /// As configured, with the credentials a plan may name.
    #[must_use]
    pub fn new(config: &CollectorPlanConfig, credentials: HashMap<String, Arc<Credential>>) -> Self {
        Self {
            allow: config.allow.iter().map(|prefix| prefix.0).collect(),
            min_interval: Duration::from_secs(config.min_interval_seconds),
            min_sweep: Duration::from_secs(config.min_sweep_seconds),
            credentials,
        }
    }

    /// Whether all of a prefix lies where a plan may send this agent.
    fn allows(&self, prefix: IpNet) -> bool {
        self.allow.iter().any(|net| net.contains(&prefix))
    }
}

/// Everything to be polled, each target once: the first list that names an address wins, whatever its contexts.
#[must_use]
pub fn merge(lists: &[&[Assignment]]) -> Vec<Assignment> {
    let mut named: HashSet<Target> = HashSet::new();
    let mut merged = Vec::new();
    for list in lists {
        let mut seen: HashSet<Target> = HashSet::new();
        let new = list
            .iter()
            .filter(|one| !named.contains(&one.target.in_default_context()) && seen.insert(one.target));
        merged.extend(new.cloned());
        named.extend(list.iter().map(|one| one.target.in_default_context()));
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_to_name_a_target_wins() {
        let credentials = [(); 3].map(|()| crate::testing::community("x"));
        let [own, planned, found] = &credentials;
        let list = |credential: &Arc<Credential>, targets: &[&str]| -> Vec<Assignment> {
            let assignment = |target: &&str| Assignment {
                target: target.parse().unwrap(),
                credential: Arc::clone(credential),
                interval: None,
                windows: crate::window::Windows::default(),
            };
            targets.iter().map(assignment).collect()
        };
        let merged = merge(&[
            &list(own, &["192.0.2.1", "192.0.2.2"]),
            &list(planned, &["192.0.2.2", "192.0.2.3", "192.0.2.2:1161"]),
            &list(found, &["192.0.2.3", "192.0.2.4"]),
        ]);
        let whose = |one: &Assignment| credentials.iter().position(|c| Arc::ptr_eq(c, &one.credential));
        let merged: Vec<_> = merged
            .iter()
            .map(|one| (one.target.to_string(), whose(one).unwrap()))
            .collect();
        let expected = [
            ("192.0.2.1:161", 0),
            ("192.0.2.2:161", 0),
            ("192.0.2.3:161", 1),
            ("192.0.2.2:1161", 1),
            ("192.0.2.4:161", 2),
        ];
        assert_eq!(merged, expected.map(|(target, from)| (target.to_owned(), from)));
    }

    #[test]
    fn an_address_that_is_polled_in_contexts_is_the_first_lists_alone() {
        let credential = crate::testing::community("x");
        let one = |context: &'static str| Assignment {
            target: "192.0.2.1".parse::<Target>().unwrap().in_context(context),
            credential: Arc::clone(&credential),
            interval: None,
            windows: crate::window::Windows::default(),
        };
        let own = [one("red"), one("blue")];
        assert_eq!(merge(&[&own, &[one("")], &[one("green")]]).len(), 2);
        assert_eq!(merge(&[&[], &[one("")], &[one("red")]]).len(), 1);
    }
}
