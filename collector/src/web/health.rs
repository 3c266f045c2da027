//! Whether data flows: the stages of the path, the agents, the sites.
//!
//! Invariant: silence shows. A stage that stands still and an agent that went quiet are named here.

use super::show::{self, Moment};
use model::{Instant, Severity};
use std::time::Duration;
use store::plans::PlanState;
use store::view::{AgentRow, Backlog, Overview, SiteRow, SpoolRow};

/// An agent silent for longer needs a look.
const QUIET_SECONDS: u64 = 600;
/// What waits longer for its commit waits for a slow disk.
const COMMIT_SECONDS: u64 = 10;
/// What waits longer in a spool is not being taken.
const SPOOL_SECONDS: u64 = 600;
/// So long after its last gap an agent needs a look.
const GAP_SECONDS: u64 = 86_400;
/// A clock further off makes times of sightings doubtful.
const SKEW_SECONDS: u64 = 30;
/// A stage whose oldest item waits longer is slow, and ten times that long stands still.
const WAIT_SECONDS: u64 = 60;

/// One stage of the path.
pub struct Stage {
    /// Its word on the path.
    pub name: &'static str,
    /// The number that tells most.
    pub value: String,
    /// What it counts.
    pub unit: &'static str,
    /// How old the oldest thing is.
    pub age: String,
    /// `flows`, `slow` or `stands`.
    pub state: &'static str,
}

/// One agent and how it is.
pub struct Agent {
    /// Key.
    pub id: String,
    /// The end of it, which tells agents apart.
    pub short: String,
    /// Where it stands.
    pub site: String,
    /// Program version it told.
    pub version: String,
    /// Its last message.
    pub seen: Moment,
    /// Its clock minus ours.
    pub skew: String,
    /// Reports durable.
    pub acked: String,
    /// Of these, refused.
    pub refused: String,
    /// Sequences acknowledged without a row and without a gap.
    pub lost: u64,
    /// What it declared lost, in words.
    pub gaps: String,
    /// What waits in its spool and since when, in words.
    pub spool: String,
    /// Further facts about the spool.
    pub spool_more: String,
    /// How it stands to the newest plan of its site, in words.
    pub plan: String,
    /// What is wrong with it; empty is well.
    pub complaints: Vec<&'static str>,
}

/// One site and the worst in it.
pub struct SiteLine {
    /// Key.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// Whose law holds there.
    pub law: String,
    /// Elements there.
    pub elements: String,
    /// Of these, answered at least once, in per cent.
    pub reached: Option<u64>,
    /// Open findings there.
    pub findings: u64,
    /// The most urgent among them.
    pub worst: Option<Severity>,
}

/// The stages of the path, each with the age of its oldest item; `uncommitted` is that of what was received
/// and is not on disk.
#[must_use]
pub fn stages(
    overview: &Overview,
    takes_writes: bool,
    uncommitted: Option<Duration>,
    now: Instant,
) -> Vec<Stage> {
    let age = |at: Option<Instant>| at.map(|at| now.seconds_since(at));
    let pace = |seconds: Option<u64>, limit: u64| match seconds {
        Some(s) if s > limit.saturating_mul(10) => "stands",
        Some(s) if s > limit => "slow",
        _ => "flows",
    };
    let backlog = |name, unit, backlog: &Backlog| {
        let waits = age(backlog.oldest);
        Stage {
            name,
            value: show::total(backlog.count, backlog.measure),
            unit,
            age: waits.map_or("nothing waits".to_owned(), |s| {
                format!("oldest waits {}", show::span(s))
            }),
            state: pace(waits, WAIT_SECONDS),
        }
    };
    let quietest = overview
        .agents
        .iter()
        .filter(|agent| !agent.is_kept_out())
        .map(|agent| now.seconds_since(agent.last_seen))
        .max();
    let spools = || {
        let open = overview.agents.iter().filter(|agent| !agent.is_kept_out());
        open.filter_map(|agent| agent.spool)
    };
    let waits = |seconds: Option<u64>, none: String, words: &str| {
        seconds.map_or(none, |s| format!("{words} {}", show::span(s)))
    };
    let unsent = age(spools().filter_map(|spool| spool.unsent).min());
    let unacked = age(spools().filter_map(|spool| spool.unacked).min());
    let uncommitted = uncommitted.map(|age| age.as_secs());
    let last = age(overview.last_report);
    let stream = pace(unacked, WAIT_SECONDS);
    vec![
        Stage {
            name: "agents",
            value: show::number(u64::try_from(overview.agents.len()).unwrap_or(u64::MAX)),
            unit: "known",
            age: waits(quietest, "none has spoken yet".to_owned(), "quietest for"),
            state: if quietest.is_none() {
                "slow"
            } else {
                pace(quietest, QUIET_SECONDS)
            },
        },
        Stage {
            name: "spool",
            value: show::number(spools().map(|spool| spool.waiting).sum()),
            unit: "waiting",
            age: waits(unsent, "nothing to be sent".to_owned(), "unsent for"),
            state: pace(unsent, SPOOL_SECONDS),
        },
        Stage {
            name: "stream",
            value: show::number(overview.agents.iter().map(|agent| agent.refused).sum()),
            unit: "refused",
            age: waits(
                unacked,
                last.map_or("no report yet".to_owned(), |s| {
                    format!("last {} ago", show::span(s))
                }),
                "unacked for",
            ),
            state: match pace(last, QUIET_SECONDS) {
                _ if last.is_none() => "slow",
                "flows" => stream,
                other => other,
            },
        },
        Stage {
            name: "store",
            value: show::number(overview.reports),
            unit: "kept",
            age: match (overview.lost, overview.gap_sequences) {
                _ if !takes_writes => "no room on the disk".to_owned(),
                _ if uncommitted.is_some_and(|s| s > 0) => {
                    waits(uncommitted, String::new(), "uncommitted for")
                }
                (0, 0) => "none lost".to_owned(),
                (0, gone) => format!("{} declared lost", show::number(gone)),
                (lost, _) => format!("{} lost", show::number(lost)),
            },
            state: if takes_writes && overview.lost == 0 {
                pace(uncommitted, COMMIT_SECONDS)
            } else {
                "stands"
            },
        },
        backlog("identify", "waiting", &overview.unidentified),
        backlog("evaluate", "waiting", &overview.unevaluated),
        backlog("alert", "waiting", &overview.untold),
    ]
}

/// The row as seen now.
#[must_use]
pub fn agent(row: &AgentRow, now: Instant) -> Agent {
    let id = row.agent.to_string();
    let skew = row.clock_skew_micros;
    let sign = if skew < 0 { "−" } else { "+" };
    Agent {
        short: id.chars().skip(id.len().saturating_sub(8)).collect(),
        id,
        site: row.site.to_string(),
        version: show::clean(&row.version, 24),
        seen: Moment::new(row.last_seen, now),
        skew: match skew.unsigned_abs() {
            micros @ ..1_000_000 => format!("{sign}{} ms", micros / 1_000),
            micros => format!("{sign}{}", show::span(micros / 1_000_000)),
        },
        acked: show::number(row.acked),
        refused: show::number(row.refused),
        lost: row.lost,
        gaps: gaps(row),
        spool: spool(row, now),
        spool_more: row.spool.map_or(String::new(), |spool| {
            format!(
                "{} bytes; since its start {} too large, {} gone; told {} ago",
                show::number(spool.bytes),
                show::number(spool.refused),
                show::number(spool.dropped),
                show::span(now.seconds_since(spool.told)),
            )
        }),
        plan: show::clean(&crate::plan::words(&row.plan), 200),
        complaints: complaints(row, now),
    }
}

/// `not told`, `empty`, `1 200 since 5 min`.
fn spool(row: &AgentRow, now: Instant) -> String {
    match row.spool {
        None => "not told".to_owned(),
        Some(SpoolRow {
            oldest: Some(at),
            waiting,
            ..
        }) => {
            format!(
                "{} since {}",
                show::number(waiting),
                show::span(now.seconds_since(at))
            )
        }
        Some(_) => "empty".to_owned(),
    }
}

/// `none`, `12 in 2 gaps`, `unknown in 1 gap`.
fn gaps(row: &AgentRow) -> String {
    let word = if row.gaps == 1 { "gap" } else { "gaps" };
    match (row.gaps, row.gap_reports) {
        (0, _) => "none".to_owned(),
        (gaps, 0) => format!("unknown in {} {word}", show::number(gaps)),
        (gaps, reports) => format!("{} in {} {word}", show::number(reports), show::number(gaps)),
    }
}

/// What is wrong with an agent; empty is well.
#[must_use]
pub fn complaints(row: &AgentRow, now: Instant) -> Vec<&'static str> {
    // Whoever was shut out is silent on purpose.
    if row.revoked.is_some() {
        return vec!["revoked"];
    }
    // Whoever is in quarantine too, and its reports wait because of that.
    let held = row.quarantined.is_some();
    let all = [
        (held, "in quarantine"),
        (
            !held && now.seconds_since(row.last_seen) > QUIET_SECONDS,
            "silent",
        ),
        (
            row.clock_skew_micros.unsigned_abs() > SKEW_SECONDS * 1_000_000,
            "clock off",
        ),
        (row.lost > 0, "lost reports"),
        (
            row.not_after.is_some_and(|not_after| not_after < now),
            "certificate run out",
        ),
        (
            !held
                && row
                    .spool
                    .and_then(|spool| spool.oldest)
                    .is_some_and(|at| now.seconds_since(at) > SPOOL_SECONDS),
            "reports wait",
        ),
        (
            row.spool.is_some_and(|spool| spool.no_room.is_some()),
            "its disk is full",
        ),
        (
            row.last_gap
                .is_some_and(|at| now.seconds_since(at) <= GAP_SECONDS),
            "gap in the last day",
        ),
        (matches!(row.plan, PlanState::Refused { .. }), "plan refused"),
    ];
    all.into_iter()
        .filter(|&(ill, _)| ill)
        .map(|(_, word)| word)
        .collect()
}

/// Sites, worst first, then by name.
#[must_use]
pub fn sites(rows: &[SiteRow]) -> Vec<SiteLine> {
    let mut rows: Vec<&SiteRow> = rows.iter().collect();
    rows.sort_by_key(|row| (row.worst.unwrap_or(Severity::Cleared), &row.site.name));
    let line = |row: &SiteRow| SiteLine {
        name: row.site.name.to_string(),
        title: show::clean(&row.site.title, 48),
        law: row
            .site
            .jurisdictions
            .iter()
            .cloned()
            .collect::<Vec<_>>()
            .join(" "),
        elements: show::number(row.elements),
        reached: show::percent(row.reached, row.elements),
        findings: row.findings,
        worst: row.worst,
    };
    rows.into_iter().take(60).map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::AgentId;

    fn a_row(last_seen: Instant) -> AgentRow {
        AgentRow {
            agent: AgentId::generate(),
            site: "berlin".parse().unwrap(),
            version: "0.1.0".to_owned(),
            last_seen,
            clock_skew_micros: 0,
            acked: 1,
            refused: 0,
            lost: 0,
            not_after: None,
            revoked: None,
            quarantined: None,
            gaps: 0,
            gap_sequences: 0,
            gap_reports: 0,
            last_gap: None,
            spool: None,
            plan: PlanState::OwnFile,
        }
    }

    #[test]
    fn who_was_shut_out_is_revoked_and_nothing_else() {
        let now = Instant(10_000_000_000);
        let mut row = a_row(now);
        row.not_after = Some(now);
        assert!(complaints(&row, now).is_empty());
        row.not_after = Some(Instant(now.0 - 1));
        assert_eq!(complaints(&row, now), ["certificate run out"]);
        (row.last_seen, row.revoked) = (Instant(0), Some(now));
        assert_eq!(complaints(&row, now), ["revoked"]);
    }

    #[test]
    fn a_refused_plan_is_told_with_its_reason() {
        for (state, text) in [
            (PlanState::NotTold, "not told"),
            (PlanState::OwnFile, "own file"),
            (PlanState::NonePut { runs: 0 }, "none put"),
            (PlanState::NonePut { runs: 2 }, "none put, follows 2"),
            (PlanState::Applied { revision: 4 }, "4 applied"),
            (
                PlanState::Waiting { revision: 4, runs: 3 },
                "4 waiting, follows 3",
            ),
            (
                PlanState::Refused {
                    revision: 4,
                    runs: 0,
                    reason: "target 192.0.2.1:161: <b>".to_owned(),
                },
                "4 refused: target 192.0.2.1:161: <b>; follows none",
            ),
        ] {
            assert_eq!(crate::plan::words(&state), text);
        }
    }

    #[test]
    fn what_waits_and_what_went_is_said_in_words() {
        let now = Instant(1_000_000_000_000);
        let ago = |seconds: i64| Instant(now.0 - seconds * 1_000_000);
        let base = a_row(now);
        let gone = |gaps, gap_reports, seconds| AgentRow {
            gaps,
            gap_reports,
            gap_sequences: gap_reports.max(gaps),
            last_gap: Some(ago(seconds)),
            ..base.clone()
        };
        let deep = |waiting, oldest| AgentRow {
            spool: Some(SpoolRow {
                waiting,
                bytes: 0,
                oldest,
                refused: 0,
                dropped: 0,
                unsent: None,
                unacked: None,
                no_room: None,
                told: ago(5),
            }),
            ..base.clone()
        };
        let mut full = deep(7, Some(ago(90)));
        full.spool = full.spool.map(|spool| SpoolRow {
            no_room: Some(ago(3)),
            ..spool
        });
        let nothing: &[&str] = &[];
        for (row, gaps, spool, complaints) in [
            (base.clone(), "none", "not told", nothing),
            (
                gone(1, 12, 100),
                "12 in 1 gap",
                "not told",
                &["gap in the last day"],
            ),
            (gone(2, 12, 90_000), "12 in 2 gaps", "not told", nothing),
            (gone(1, 0, 90_000), "unknown in 1 gap", "not told", nothing),
            (deep(0, None), "none", "empty", nothing),
            (deep(7, Some(ago(90))), "none", "7 since 1 min", nothing),
            (
                deep(7, Some(ago(601))),
                "none",
                "7 since 10 min",
                &["reports wait"],
            ),
            (deep(0, Some(ago(3))), "none", "0 since 3 s", nothing),
            (full, "none", "7 since 1 min", &["its disk is full"]),
        ] {
            let shown = agent(&row, now);
            assert_eq!((shown.gaps.as_str(), shown.spool.as_str()), (gaps, spool));
            assert_eq!(shown.complaints, complaints);
        }
    }

    #[test]
    fn who_is_in_quarantine_is_neither_silent_nor_well_and_holds_no_stage_up() {
        let now = Instant(1_000_000_000_000);
        let mut row = a_row(Instant(0));
        row.quarantined = Some(Instant(5));
        row.clock_skew_micros = 40_000_000;
        row.spool = Some(SpoolRow {
            waiting: 3,
            bytes: 0,
            oldest: Some(Instant(0)),
            unsent: Some(Instant(0)),
            unacked: Some(Instant(0)),
            refused: 0,
            dropped: 0,
            no_room: None,
            told: Instant(0),
        });
        assert_eq!(complaints(&row, now), ["in quarantine", "clock off"]);
        let ages = |row: &AgentRow| {
            let overview = Overview {
                agents: vec![row.clone()],
                ..Overview::default()
            };
            let stages = stages(&overview, true, None, now);
            [stages[0].age.clone(), stages[1].age.clone()]
        };
        assert_eq!(ages(&row), ["none has spoken yet", "nothing to be sent"]);
        row.quarantined = None;
        assert_eq!(
            complaints(&row, now),
            ["silent", "clock off", "reports wait"],
            "and once it is released, as before"
        );
        assert_eq!(ages(&row), ["quietest for 11 d", "unsent for 11 d"]);
        (row.quarantined, row.revoked) = (Some(Instant(5)), Some(now));
        assert_eq!(complaints(&row, now), ["revoked"]);
    }

    #[test]
    fn each_stage_tells_the_age_of_its_oldest() {
        let now = Instant(1_000_000_000_000);
        let ago = |seconds: i64| Some(Instant(now.0 - seconds * 1_000_000));
        let look = |spool: Option<SpoolRow>, uncommitted: Option<u64>| {
            let overview = Overview {
                agents: vec![AgentRow { spool, ..a_row(now) }],
                last_report: ago(5),
                ..Overview::default()
            };
            let stages = stages(&overview, true, uncommitted.map(Duration::from_secs), now);
            let told = |name: &str| {
                let stage = stages.iter().find(|stage| stage.name == name).unwrap();
                (stage.age.clone(), stage.state)
            };
            [told("spool"), told("stream"), told("store")].map(|(age, state)| format!("{age}: {state}"))
        };
        let spool = |unsent, unacked| SpoolRow {
            waiting: 3,
            bytes: 0,
            oldest: unsent,
            unsent,
            unacked,
            refused: 0,
            dropped: 0,
            no_room: None,
            told: now,
        };
        assert_eq!(
            look(None, None),
            [
                "nothing to be sent: flows",
                "last 5 s ago: flows",
                "none lost: flows"
            ]
        );
        assert_eq!(
            look(Some(spool(ago(900), ago(90))), Some(20)),
            [
                "unsent for 15 min: slow",
                "unacked for 1 min: slow",
                "uncommitted for 20 s: slow"
            ]
        );
        assert_eq!(
            look(Some(spool(ago(9_000), ago(9_000))), Some(101)),
            [
                "unsent for 2 h: stands",
                "unacked for 2 h: stands",
                "uncommitted for 1 min: stands"
            ]
        );
    }
}
