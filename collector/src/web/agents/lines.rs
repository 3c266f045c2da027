//! One agent in a row, and what is wrong with it in sentences.

use super::super::health::{self, Agent};
use super::super::show::{self, Moment};
use model::Instant;
use std::collections::BTreeMap;
use store::view::AgentRow;

/// A certificate that ends sooner was not renewed in time: agents renew at two thirds of its life.
const LATE_SECONDS: u64 = 86_400;

/// An agent in the table of all.
pub(super) struct Line {
    /// As the first page shows it.
    pub agent: Agent,
    /// Whether it is shut out for good.
    pub revoked: bool,
    /// Whether it is in quarantine.
    pub quarantined: bool,
    /// The version of most agents, where this one is of another.
    pub other_version: Option<String>,
    /// Ages of the oldest report in each state, in words.
    pub oldest: Vec<(&'static str, String)>,
    /// End of its certificate.
    pub certificate: Option<Moment>,
    /// A warning about it; empty while there is time.
    pub late: &'static str,
}

impl Line {
    /// The row as seen now; `usual` is the version of most.
    pub(super) fn new(row: &AgentRow, usual: Option<&str>, now: Instant) -> Self {
        let left = |at: Instant| at.0.saturating_sub(now.0) / 1_000_000;
        let late = match row.not_after.map(left) {
            _ if row.revoked.is_some() => "",
            Some(seconds) if seconds < 0 => "run out",
            Some(seconds) if seconds.unsigned_abs() < LATE_SECONDS => "not renewed in time",
            _ => "",
        };
        Self {
            agent: health::agent(row, now),
            revoked: row.revoked.is_some(),
            quarantined: row.quarantined.is_some() && row.revoked.is_none(),
            other_version: usual
                .filter(|usual| *usual != row.version)
                .map(|usual| show::clean(usual, 24)),
            oldest: oldest(row, now),
            certificate: row.not_after.map(|at| Moment::new(at, now)),
            late,
        }
    }

    /// Whether somebody should look at it.
    pub(super) fn is_ill(&self) -> bool {
        !self.revoked && (!self.agent.complaints.is_empty() || !self.late.is_empty())
    }
}

/// What waits in its spool, by how far it came.
fn oldest(row: &AgentRow, now: Instant) -> Vec<(&'static str, String)> {
    let Some(spool) = row.spool else {
        return Vec::new();
    };
    let states = [
        ("not sent", spool.unsent),
        ("not acknowledged", spool.unacked),
        ("disk full", spool.no_room),
    ];
    let age = |(word, at): (&'static str, Option<Instant>)| Some((word, show::span(now.seconds_since(at?))));
    states.into_iter().filter_map(age).collect()
}

/// Versions of agents that are not shut out and how many have each, most first.
pub(super) fn versions(rows: &[&AgentRow]) -> Vec<(String, usize)> {
    let mut counted: BTreeMap<&str, usize> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.revoked.is_none()) {
        *counted.entry(&row.version).or_default() += 1;
    }
    let mut versions: Vec<_> = counted
        .into_iter()
        .map(|(version, count)| (version.to_owned(), count))
        .collect();
    versions.sort_by(|a, b| (b.1, &b.0).cmp(&(a.1, &a.0)));
    versions
}

/// What a complaint means, and what to do.
#[must_use]
pub(super) fn advice(complaint: &str) -> &'static str {
    match complaint {
        "revoked" => {
            "It was shut out for good. What it reported stays; its machine is enrolled as a new agent."
        }
        "in quarantine" => {
            "Somebody put it there: nothing of it is taken until it is released below. It polls on and keeps its reports."
        }
        "silent" => {
            "No message for ten minutes. Look at its machine and at the link; what it polls is kept in its spool."
        }
        "clock off" => {
            "Its clock is more than 30 s from ours: times of its sightings are as wrong. Set up NTP there."
        }
        "lost reports" => {
            "Sequences were acknowledged without a report or a gap, which must never be: keep its spool and this store."
        }
        "certificate run out" => "It can still renew within the grace; then it must be enrolled anew.",
        "reports wait" => {
            "The oldest report waits for more than ten minutes: the link is slow or down, or this collector is."
        }
        "its disk is full" => "Polling waits for room. Free some on its disk.",
        "gap in the last day" => {
            "Its spool reached its quota and the oldest reports went. See the gaps below."
        }
        "plan refused" => "It goes on with the plan before. Correct the plan and put it again.",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_complaint_has_its_advice() {
        for complaint in [
            "revoked",
            "in quarantine",
            "silent",
            "clock off",
            "lost reports",
            "certificate run out",
            "reports wait",
            "its disk is full",
            "gap in the last day",
            "plan refused",
        ] {
            assert!(!advice(complaint).is_empty(), "{complaint}");
        }
    }
}
