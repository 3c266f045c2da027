//! What an agent is told to do, and what it said of it: read, never changed here.
//!
//! Invariants: what is shown comes from a plan that was parsed, never from its text, so that nothing but what a plan
//! may hold gets here: a credential has a name and no more; lists are cut and say how long they are.

use super::super::show::{self, Moment};
use crate::api::Problem;
use crate::plan::PlanFile;
use model::Instant;
use proto::v1;
use std::collections::{BTreeMap, BTreeSet};
use store::StoreError;
use store::plans::{PlanRow, PlanState, ToldPlan};

/// Rows of each list that are shown.
const MOST: usize = 100;
/// Exclusions of one range that are shown.
const EXCLUDED: usize = 12;

/// The panel of one agent.
pub(super) struct Panel {
    /// The newest revision of its site, and when it was put.
    pub(super) given: Option<(u64, Moment)>,
    /// How it stands to that, in the manual's words.
    pub(super) stands: String,
    /// Why it refused, as it said.
    pub(super) refused: String,
    /// When it said so, by our clock.
    pub(super) said: Option<Moment>,
    /// The plan it follows, else the one it was given.
    pub(super) shown: Option<Shown>,
}

/// A plan, cut to what a page holds.
pub(super) struct Shown {
    pub(super) revision: u64,
    /// Whether it is what the agent follows.
    pub(super) followed: bool,
    pub(super) since: Moment,
    pub(super) paces: Vec<(&'static str, String)>,
    pub(super) windows: Vec<String>,
    pub(super) credentials: Vec<Credential>,
    pub(super) targets: Vec<Target>,
    pub(super) targets_total: String,
    pub(super) ranges: Vec<Range>,
    pub(super) ranges_total: String,
}

/// A credential by its name, and what it is for.
pub(super) struct Credential {
    pub(super) name: String,
    pub(super) uses: String,
    pub(super) roles: String,
}

pub(super) struct Target {
    pub(super) place: String,
    pub(super) credential: String,
    pub(super) role: &'static str,
    pub(super) every: String,
    pub(super) windows: String,
}

pub(super) struct Range {
    pub(super) prefix: String,
    pub(super) credential: String,
    pub(super) role: &'static str,
    pub(super) switches: String,
    pub(super) excluded: String,
    pub(super) windows: String,
}

impl Panel {
    /// What is known of an agent's plan. It is parsed off the threads that serve agents: it may have 50 000 targets.
    pub(super) async fn new(told: ToldPlan, now: Instant) -> Result<Self, Problem> {
        let ToldPlan {
            state,
            follows,
            newest,
            ..
        } = told;
        let given = newest
            .as_ref()
            .map(|(row, _)| (row.revision, Moment::new(row.since, now)));
        let followed = follows.is_some();
        let shown = match follows.or(newest) {
            None => None,
            Some(plan) => tokio::task::spawn_blocking(move || shown(&plan, followed, now))
                .await
                .map_err(|_| StoreError::Damaged("a plan"))?,
        };
        Ok(Self {
            given,
            stands: stands(&state),
            refused: match state {
                PlanState::Refused { reason, .. } => show::clean(&reason, 300),
                _ => String::new(),
            },
            said: told.said.map(|at| Moment::new(at, now)),
            shown,
        })
    }
}

/// As the manual says it.
fn stands(state: &PlanState) -> String {
    let goes_on = |runs: u64| match runs {
        0 => "it follows none".to_owned(),
        runs => format!("it follows {runs}"),
    };
    match state {
        PlanState::NotTold => {
            "It said nothing about plans: too old, or not connected since the upgrade.".to_owned()
        }
        PlanState::OwnFile => "It takes no plans and polls by its own file.".to_owned(),
        PlanState::NonePut { runs: 0 } => "It would take one; none was put for its site.".to_owned(),
        PlanState::NonePut { runs } => format!("It follows {runs}, which this collector no longer has."),
        PlanState::Applied { revision } => {
            format!("It follows {revision}, the newest revision, and has it on its disk.")
        }
        PlanState::Waiting { revision, runs } => format!(
            "It has not answered {revision} yet: not connected, or told a moment ago; {}.",
            goes_on(*runs)
        ),
        PlanState::Refused { revision, runs, .. } => {
            format!("It cannot follow {revision}; {}.", goes_on(*runs))
        }
    }
}

/// A plan that this version cannot read any more is not shown.
fn shown((row, text): &(PlanRow, String), followed: bool, now: Instant) -> Option<Shown> {
    let plan = PlanFile::parse(text, "plan").ok()?.at(row.revision);
    let (targets, ranges) = (plan.targets.iter(), plan.ranges.iter());
    Some(Shown {
        revision: row.revision,
        followed,
        since: Moment::new(row.since, now),
        paces: paces(&plan),
        windows: plan.windows.iter().map(window).collect(),
        credentials: credentials(&plan),
        targets_total: show::number(targets.len() as u64),
        targets: targets.take(MOST).map(target).collect(),
        ranges_total: show::number(ranges.len() as u64),
        ranges: ranges.take(MOST).map(range).collect(),
    })
}

fn paces(plan: &v1::Plan) -> Vec<(&'static str, String)> {
    let own = || "as its own file says".to_owned();
    let every = |seconds: u32| match seconds {
        0 => own(),
        seconds => format!("every {}", show::span(seconds.into())),
    };
    let mut paces = vec![
        ("rounds", every(plan.interval_seconds)),
        (
            "packets a second",
            match plan.packets_per_second {
                0 => own(),
                most => show::number(most.into()),
            },
        ),
        (
            "sweep of the ranges",
            every(match plan.sweep_seconds {
                0 => 86_400,
                seconds => seconds,
            }),
        ),
    ];
    paces.push(("questions", plan.questions.as_ref().map_or_else(own, questions)));
    paces
}

fn questions(asked: &v1::Questions) -> String {
    let mut words = vec![match asked.profile() {
        v1::PlanProfile::Inventory => "profile inventory".to_owned(),
        v1::PlanProfile::Full | v1::PlanProfile::Unspecified => "profile full".to_owned(),
    }];
    let more = [
        (asked.get.len(), "further instances"),
        (asked.walk.len(), "further subtrees"),
        (asked.if_arc.len(), "enterprises with tables of their own"),
    ];
    let counted = more.into_iter().filter(|(count, _)| *count > 0);
    words.extend(counted.map(|(count, what)| format!("{} {what}", show::number(count as u64))));
    if let Some(neighbours) = &asked.neighbours {
        let on = [
            (neighbours.lldp, "LLDP"),
            (neighbours.bridge, "bridge"),
            (neighbours.arp, "ARP"),
        ];
        let on: Vec<_> = on
            .into_iter()
            .filter(|(on, _)| *on)
            .map(|(_, word)| word)
            .collect();
        words.push(match on.is_empty() {
            true => "no neighbours".to_owned(),
            false => format!("neighbours by {}", on.join(", ")),
        });
    }
    words.join("; ")
}

/// `Mon Tue 22:00 – 04:00 UTC+02:00`.
fn window(window: &v1::Window) -> String {
    const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let on = |(bit, day): (usize, &&'static str)| (window.days & 1 << bit != 0).then_some(*day);
    let days: Vec<_> = DAYS.iter().enumerate().filter_map(on).collect();
    let days = match days.len() {
        7 => "every day".to_owned(),
        _ => days.join(" "),
    };
    let clock = |minute: u32| format!("{:02}:{:02}", minute / 60, minute % 60);
    let ahead = window.offset_minutes.unsigned_abs();
    let sign = if window.offset_minutes < 0 { '−' } else { '+' };
    let (from, to) = (clock(window.from_minute), clock(window.to_minute));
    format!("{days} {from} – {to} UTC{sign}{}", clock(ahead))
}

/// `1, 3`: the windows of these bits, by number.
fn numbers(windows: u32) -> String {
    let set = (0..u32::BITS).filter(|bit| windows & 1 << bit != 0);
    set.map(|bit| (bit + 1).to_string())
        .collect::<Vec<_>>()
        .join(", ")
}

/// Every credential named, with how often and for which roles.
fn credentials(plan: &v1::Plan) -> Vec<Credential> {
    let mut found: BTreeMap<&str, (u64, u64, BTreeSet<&str>)> = BTreeMap::new();
    for target in &plan.targets {
        let one = found.entry(&target.credential_name).or_default();
        one.0 += 1;
        one.2.insert(role(target.role()));
    }
    for range in &plan.ranges {
        let one = found.entry(&range.credential_name).or_default();
        one.1 += 1;
        one.2.insert(role(range.role()));
    }
    let line = |(name, (targets, ranges, roles)): (&str, (u64, u64, BTreeSet<&str>))| Credential {
        name: show::clean(name, 64),
        uses: format!("{}, {}", counted(targets, "target"), counted(ranges, "range")),
        roles: roles.into_iter().collect::<Vec<_>>().join(", "),
    };
    found.into_iter().take(MOST).map(line).collect()
}

fn counted(count: u64, word: &str) -> String {
    let end = if count == 1 { "" } else { "s" };
    format!("{} {word}{end}", show::number(count))
}

fn target(target: &v1::PlannedTarget) -> Target {
    Target {
        place: match target.port {
            161 => target.address.clone(),
            port => format!("{}, port {port}", target.address),
        },
        credential: show::clean(&target.credential_name, 64),
        role: role(target.role()),
        every: match target.interval_seconds {
            0 => "as all".to_owned(),
            seconds => show::span(seconds.into()),
        },
        windows: numbers(target.windows),
    }
}

fn range(range: &v1::PlannedRange) -> Range {
    let switches = [
        (!range.unswept, "swept"),
        (range.follow, "follows neighbours"),
        (range.ask_silent, "asks who is silent"),
    ];
    let on = switches.into_iter().filter(|(on, _)| *on).map(|(_, word)| word);
    let mut excluded: Vec<_> = range.excluded.iter().take(EXCLUDED).cloned().collect();
    if let Some(more @ 1..) = range.excluded.len().checked_sub(EXCLUDED) {
        excluded.push(format!("and {} more", show::number(more as u64)));
    }
    Range {
        prefix: match range.port {
            161 => range.prefix.clone(),
            port => format!("{}, port {port}", range.prefix),
        },
        credential: show::clean(&range.credential_name, 64),
        role: role(range.role()),
        switches: on.collect::<Vec<_>>().join(", "),
        excluded: excluded.join(", "),
        windows: numbers(range.windows),
    }
}

fn role(role: v1::PlanRole) -> &'static str {
    match role {
        v1::PlanRole::Unspecified => "not said",
        v1::PlanRole::Core => "core",
        v1::PlanRole::Ran => "ran",
        v1::PlanRole::Transport => "transport",
        v1::PlanRole::Access => "access",
        v1::PlanRole::Management => "management",
        v1::PlanRole::Cpe => "cpe",
        v1::PlanRole::Video => "video",
        v1::PlanRole::Other => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Digest;

    fn row() -> PlanRow {
        PlanRow {
            site: "berlin".parse().unwrap(),
            revision: 3,
            digest: Digest([1; 32]),
            targets: 0,
            ranges: 0,
            since: Instant(1),
        }
    }

    #[test]
    fn a_plan_is_cut_and_says_how_long_it_is() {
        let mut text = "# community = hunter2\n[poll]\ninterval_seconds = 60\n\
            [plan]\nprofile = \"inventory\"\nneighbours = [\"lldp\"]\nprivate_tables = false\n\
            [[window]]\nname = \"night\"\ndays = [\"mon\", \"sun\"]\nfrom = \"22:30\"\nto = \"04:00\"\noffset = \"-02:00\"\n\
            [[range]]\nprefix = \"10.9.0.0/24\"\ncredential = \"wide\"\nask_silent = true\nexclude = ["
            .to_owned();
        let excluded: Vec<_> = (0..20).map(|n| format!("\"10.9.0.{}\"", n * 3)).collect();
        text += &excluded.join(", ");
        text += "]\n";
        for n in 0..150 {
            text += &format!(
                "[[target]]\naddress = \"10.8.0.{n}\"\ncredential = \"core\"\nrole = \"core\"\nleave_alone = [\"night\"]\n"
            );
        }
        let shown = shown(&(row(), text), true, Instant(9)).unwrap();
        assert_eq!((shown.targets.len(), shown.targets_total.as_str()), (MOST, "150"));
        assert_eq!((shown.revision, shown.followed), (3, true));
        assert_eq!(shown.windows, ["Mon Sun 22:30 – 04:00 UTC−02:00"]);
        assert_eq!(shown.targets[0].windows, "1");
        assert_eq!(shown.ranges[0].switches, "swept, asks who is silent");
        assert!(
            shown.ranges[0].excluded.ends_with(", and 8 more"),
            "{}",
            shown.ranges[0].excluded
        );
        let named: Vec<_> = shown
            .credentials
            .iter()
            .map(|one| (one.name.as_str(), one.uses.as_str(), one.roles.as_str()))
            .collect();
        assert_eq!(
            named,
            [
                ("core", "150 targets, 0 ranges", "core"),
                ("wide", "0 targets, 1 range", "not said")
            ]
        );
        let paces: Vec<_> = shown.paces.iter().map(|(_, words)| words.as_str()).collect();
        assert_eq!(
            paces,
            [
                "every 1 min",
                "as its own file says",
                "every 24 h",
                "profile inventory; neighbours by LLDP"
            ]
        );
    }

    #[test]
    fn what_cannot_be_read_is_not_shown() {
        assert!(shown(&(row(), "password = \"hunter2\"\n".to_owned()), true, Instant(9)).is_none());
    }
}
