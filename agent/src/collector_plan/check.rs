//! Whether a plan can be followed here: everything in it is hostile until then.
//!
//! Invariants: pure; one item that is wrong refuses the whole; a reason names the
//! item and holds no more than the collector said itself.

use super::Bounds;
use crate::config::Assignment;
use crate::credential::Credential;
use crate::discover::{Area, Sweep};
use crate::plan::{IfArcConfig, Neighbours, OidText, Plan, PlanConfig, Profile};
use crate::target::Target;
use crate::window::{self, Window, Windows};
use ipnet::IpNet;
use proto::plan::{self as most, Range};
use proto::v1;
use std::collections::HashSet;
use std::fmt::Display;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// A plan that can be followed.
#[derive(Debug, Clone)]
pub struct Checked {
    /// Which.
    pub id: v1::PlanId,
    /// What to ask; as the agent's own file says without.
    pub questions: Option<Arc<Plan>>,
    /// Between two rounds; as the agent's own file says without.
    pub interval: Option<Duration>,
    /// Packets a second; 0 sets none.
    pub packets_per_second: u32,
    /// Whom to poll.
    pub assignments: Vec<Assignment>,
    /// Where to look for more.
    pub sweep: Sweep,
}

/// Why a plan is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{item}: {why}")]
pub struct Refusal {
    item: String,
    why: String,
}

fn refuse(item: impl Display, why: impl Display) -> Refusal {
    let bounded = |text: String| {
        let plain = |c: char| if c.is_control() { ' ' } else { c };
        text.chars().map(plain).take(most::MAX_REASON_CHARS / 2).collect()
    };
    Refusal {
        item: bounded(item.to_string()),
        why: bounded(why.to_string()),
    }
}

/// Checks a plan against the bounds both ends know and those of the operator here.
///
/// # Errors
/// [`Refusal`] for the first item that cannot be followed.
pub fn check(plan: &v1::Plan, bounds: &Bounds) -> Result<Checked, Refusal> {
    let id = plan.id.clone().unwrap_or_default();
    if !(1..=proto::MAX_SEQUENCE).contains(&id.revision) || id.digest.len() != 32 {
        return Err(refuse("plan", "is not named by revision and digest"));
    }
    at_most("targets", plan.targets.len(), most::MAX_TARGETS)?;
    at_most("ranges", plan.ranges.len(), most::MAX_RANGES)?;
    let windows = windows(plan)?;
    let excluded = plan.ranges.iter().map(|range| range.excluded.len()).sum();
    at_most("excluded", excluded, most::MAX_EXCLUDED)?;
    if plan.packets_per_second > most::MAX_PACKETS_PER_SECOND {
        return Err(refuse("packets_per_second", "is out of bounds"));
    }
    let sweep = match plan.sweep_seconds {
        0 => most::DEFAULT_SWEEP_SECONDS,
        seconds => seconds,
    };
    Ok(Checked {
        questions: plan.questions.as_ref().map(questions).transpose()?,
        interval: seconds("interval_seconds", plan.interval_seconds, bounds.min_interval)?,
        packets_per_second: plan.packets_per_second,
        assignments: targets(plan, bounds, &windows)?,
        sweep: Sweep::new(
            areas(plan, bounds, &windows)?,
            seconds("sweep_seconds", sweep, bounds.min_sweep)?.unwrap_or_default(),
        ),
        id,
    })
}

fn at_most(item: &str, count: usize, limit: usize) -> Result<(), Refusal> {
    if count > limit {
        return Err(refuse(item, format!("more than {limit}")));
    }
    Ok(())
}

/// 0 says nothing.
fn seconds(item: &str, seconds: u32, floor: Duration) -> Result<Option<Duration>, Refusal> {
    let time = Duration::from_secs(u64::from(seconds));
    if seconds == 0 {
        return Ok(None);
    }
    if time < floor {
        let why = format!("{seconds} is below this agent's floor of {}", floor.as_secs());
        return Err(refuse(item, why));
    }
    if seconds > most::MAX_SECONDS {
        return Err(refuse(item, format!("more than {}", most::MAX_SECONDS)));
    }
    Ok(Some(time))
}

fn questions(asked: &v1::Questions) -> Result<Arc<Plan>, Refusal> {
    let profile = match asked.profile() {
        v1::PlanProfile::Full => Profile::Full,
        v1::PlanProfile::Inventory => Profile::Inventory,
        v1::PlanProfile::Unspecified => return Err(refuse("profile", "is not known to this agent")),
    };
    at_most("if_arc", asked.if_arc.len(), most::MAX_QUESTIONS)?;
    let if_arc = |found: &v1::IfArc| {
        Ok(IfArcConfig {
            arc: found.arc,
            walk: oids(&format!("if_arc {}", found.arc), &found.walk)?,
            addresses: addresses(found)?,
        })
    };
    Ok(Arc::new(Plan::from(&PlanConfig {
        profile,
        get: oids("get", &asked.get)?,
        walk: oids("walk", &asked.walk)?,
        if_arc: asked.if_arc.iter().map(if_arc).collect::<Result<_, Refusal>>()?,
        neighbours: asked.neighbours.as_ref().map(neighbours),
    })))
}

fn addresses(found: &v1::IfArc) -> Result<Vec<OidText>, Refusal> {
    let item = format!("if_arc {}, addresses", found.arc);
    at_most(&item, found.addresses.len(), most::MAX_ADDRESS_COLUMNS)?;
    oids(&item, &found.addresses)
}

fn neighbours(asked: &v1::Neighbours) -> Vec<Neighbours> {
    [
        (asked.lldp, Neighbours::Lldp),
        (asked.bridge, Neighbours::Bridge),
        (asked.arp, Neighbours::Arp),
    ]
    .into_iter()
    .filter_map(|(wanted, one)| wanted.then_some(one))
    .collect()
}

fn oids(item: &str, texts: &[String]) -> Result<Vec<OidText>, Refusal> {
    at_most(item, texts.len(), most::MAX_QUESTIONS)?;
    let read = |text: &String| {
        if text.len() > most::MAX_OID_CHARS {
            return Err(refuse(item, "an identifier is too long"));
        }
        OidText::try_from(text.clone()).map_err(|error| refuse(item, format!("{text:?} is {error}")))
    };
    texts.iter().map(read).collect()
}

fn credential(
    item: &dyn Display,
    name: &str,
    prefix: IpNet,
    bounds: &Bounds,
) -> Result<Arc<Credential>, Refusal> {
    let found = bounds
        .credentials
        .get(name)
        .filter(|_| most::is_name(name))
        .ok_or_else(|| {
            let why = format!("there is no credential {name:?} at this agent that a plan may use");
            refuse(item, why)
        })?;
    if !found.covers_all(prefix) {
        return Err(refuse(
            item,
            format!("lies outside the ranges of credential {name:?}"),
        ));
    }
    Ok(Arc::clone(found))
}

fn port(item: &dyn Display, port: u32) -> Result<u16, Refusal> {
    let port = u16::try_from(port).ok().filter(|port| *port > 0);
    port.ok_or_else(|| refuse(item, format!("port must be 1 to {}", u16::MAX)))
}

/// All windows of a plan.
fn windows(plan: &v1::Plan) -> Result<Vec<Window>, Refusal> {
    at_most("windows", plan.windows.len(), most::MAX_WINDOWS)?;
    let read = |(number, window): (usize, &v1::Window)| {
        Window::read(window).ok_or_else(|| refuse(format!("window {}", number + 1), "is no time of the week"))
    };
    plan.windows.iter().enumerate().map(read).collect()
}

/// Those of a mask.
fn chosen(item: &dyn Display, mask: u32, all: &[Window]) -> Result<Windows, Refusal> {
    let bit = |number: usize| mask >> number & 1 == 1;
    if (all.len()..most::MAX_WINDOWS).any(bit) {
        return Err(refuse(item, "names a window that is not there"));
    }
    let chosen: Windows = all
        .iter()
        .enumerate()
        .filter(|(n, _)| bit(*n))
        .map(|(_, w)| *w)
        .collect();
    if window::never_ends(&chosen) {
        return Err(refuse(item, "its windows leave no time to ask"));
    }
    Ok(chosen)
}

fn targets(plan: &v1::Plan, bounds: &Bounds, windows: &[Window]) -> Result<Vec<Assignment>, Refusal> {
    let mut seen = HashSet::new();
    let mut all = Vec::with_capacity(plan.targets.len());
    for planned in &plan.targets {
        let short: String = planned.address.chars().take(80).collect();
        let item = format!("target {short}");
        let address: IpAddr = planned
            .address
            .parse()
            .map_err(|_| refuse(&item, "is no address"))?;
        let target =
            Target::new(address, port(&item, planned.port)?).map_err(|error| refuse(&item, error))?;
        let item = format!("target {target}");
        if !bounds.allows(IpNet::from(target.address().ip())) {
            return Err(refuse(item, "lies outside what this agent allows"));
        }
        if !seen.insert(target) {
            return Err(refuse(item, "is there twice"));
        }
        all.push(Assignment {
            target,
            credential: credential(
                &item,
                &planned.credential_name,
                IpNet::from(target.address().ip()),
                bounds,
            )?,
            interval: seconds(&item, planned.interval_seconds, bounds.min_interval)?,
            windows: chosen(&item, planned.windows, windows)?,
        });
    }
    Ok(all)
}

fn areas(plan: &v1::Plan, bounds: &Bounds, windows: &[Window]) -> Result<Vec<Area>, Refusal> {
    let mut all: Vec<Area> = Vec::with_capacity(plan.ranges.len());
    let mut addresses = 0;
    for planned in &plan.ranges {
        let excluded = planned.excluded.iter().map(String::as_str);
        let range = match planned.unswept {
            true => Range::of_any_size(&planned.prefix, excluded),
            false => Range::new(&planned.prefix, excluded),
        };
        let range = range.map_err(|error| refuse("range", error))?;
        let item = format!("range {}", range.prefix());
        if !bounds.allows(range.prefix()) {
            return Err(refuse(item, "lies outside what this agent allows"));
        }
        if planned.unswept && !planned.follow {
            return Err(refuse(item, "is neither swept nor followed"));
        }
        let port = port(&item, planned.port)?;
        if all
            .iter()
            .any(|area| area.port == port && area.range.overlaps(&range))
        {
            return Err(refuse(item, "overlaps another"));
        }
        addresses += if planned.unswept { 0 } else { range.size() };
        if addresses > most::MAX_ADDRESSES {
            return Err(refuse(
                "ranges",
                format!("more than {} addresses", most::MAX_ADDRESSES),
            ));
        }
        all.push(Area {
            credential: credential(&item, &planned.credential_name, range.prefix(), bounds)?,
            windows: chosen(&item, planned.windows, windows)?,
            ask_silent: planned.ask_silent,
            follow: planned.follow,
            swept: !planned.unswept,
            range,
            port,
        });
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector_plan::{CollectorPlanConfig, Prefix};

    fn bounds() -> Bounds {
        let credential = crate::testing::community("hunter2");
        let config = CollectorPlanConfig {
            allow: ["10.0.0.0/8", "2001:db8::/32", "192.0.2.1/32"]
                .map(|text| Prefix::try_from(text.to_owned()).unwrap())
                .to_vec(),
            ..CollectorPlanConfig::default()
        };
        Bounds::new(&config, [("core".to_owned(), credential)].into())
    }

    fn target(address: &str) -> v1::PlannedTarget {
        v1::PlannedTarget {
            address: address.to_owned(),
            port: 161,
            credential_name: "core".to_owned(),
            ..v1::PlannedTarget::default()
        }
    }

    fn range(prefix: &str) -> v1::PlannedRange {
        v1::PlannedRange {
            prefix: prefix.to_owned(),
            port: 161,
            credential_name: "core".to_owned(),
            ..v1::PlannedRange::default()
        }
    }

    fn plan() -> v1::Plan {
        v1::Plan {
            id: Some(v1::PlanId {
                revision: 7,
                digest: vec![1; 32].into(),
            }),
            questions: Some(v1::Questions {
                profile: v1::PlanProfile::Inventory.into(),
                get: vec!["1.3.6.1.2.1.1.9.0".to_owned()],
                walk: vec![],
                if_arc: vec![v1::IfArc {
                    arc: 99_999,
                    walk: vec!["1.3.6.1.4.1.99999.1".to_owned()],
                    addresses: vec!["1.3.6.1.4.1.99999.1.4".to_owned()],
                }],
                neighbours: None,
            }),
            interval_seconds: 60,
            packets_per_second: 10,
            targets: vec![target("10.0.0.1"), target("2001:db8::1"), target("192.0.2.1")],
            ranges: vec![range("10.1.0.0/24"), range("2001:db8:1::/120")],
            sweep_seconds: 0,
            windows: vec![half(0, 720), half(720, 0)],
        }
    }

    /// A part of every day.
    fn half(from_minute: u32, to_minute: u32) -> v1::Window {
        v1::Window {
            days: 127,
            from_minute,
            to_minute,
            offset_minutes: 0,
        }
    }

    #[test]
    fn a_good_plan_is_followed() {
        let checked = check(&plan(), &bounds()).unwrap();
        assert_eq!(checked.id.revision, 7);
        assert_eq!(checked.interval, Some(Duration::from_secs(60)));
        assert_eq!((checked.assignments.len(), checked.sweep.slots()), (3, 512));
        let questions = checked.questions.unwrap();
        assert_eq!((questions.questions.len(), questions.if_arc.len()), (5, 1));
        assert_eq!(questions.if_arc[0].addresses.len(), 1);
        assert!(checked.assignments.iter().all(|one| one.windows.is_empty()));
        let mut windowed = plan();
        windowed.targets[1].windows = 2;
        let checked = check(&windowed, &bounds()).unwrap();
        assert_eq!(checked.assignments[1].windows.len(), 1);
        // What is not swept has any size and no slots.
        let mut told = plan();
        told.ranges.push(v1::PlannedRange {
            follow: true,
            unswept: true,
            ..range("10.128.0.0/9")
        });
        let checked = check(&told, &bounds()).unwrap();
        assert_eq!((checked.sweep.areas(), checked.sweep.slots()), (3, 512));
        let empty = v1::Plan {
            id: plan().id,
            ..v1::Plan::default()
        };
        let checked = check(&empty, &bounds()).unwrap();
        assert!(checked.questions.is_none() && checked.interval.is_none() && checked.assignments.is_empty());
    }

    #[test]
    fn one_wrong_item_refuses_the_whole_and_is_named() {
        type Change = Box<dyn Fn(&mut v1::Plan)>;
        let change = |change: fn(&mut v1::Plan)| -> Change { Box::new(change) };
        let with_target =
            |address: &'static str| -> Change { Box::new(move |p| p.targets.push(target(address))) };
        let with_range = |prefix: &'static str| -> Change { Box::new(move |p| p.ranges.push(range(prefix))) };
        for (change, expected) in [
            (change(|p| p.id = None), "plan: is not named"),
            (
                change(|p| p.id.as_mut().unwrap().revision = 0),
                "plan: is not named",
            ),
            (
                change(|p| p.id.as_mut().unwrap().digest.clear()),
                "plan: is not named",
            ),
            (with_target("router"), "target router: is no address"),
            (
                with_target("192.0.2.2"),
                "target 192.0.2.2:161: lies outside what this agent allows",
            ),
            (with_target("127.0.0.1"), "target 127.0.0.1:161: lies outside"),
            (
                with_target("::ffff:127.0.0.1"),
                "target 127.0.0.1:161: lies outside",
            ),
            (with_target("0.0.0.0"), "target 0.0.0.0: "),
            (
                with_target("::ffff:10.0.0.1"),
                "target 10.0.0.1:161: is there twice",
            ),
            (change(|p| p.targets[0].port = 0), "target 10.0.0.1: port must be"),
            (
                change(|p| p.targets[0].port = 65_536),
                "target 10.0.0.1: port must be",
            ),
            (
                change(|p| p.targets[1].credential_name = "ran".to_owned()),
                "target [2001:db8::1]:161: there is no credential \"ran\" at this agent that a plan may use",
            ),
            (
                change(|p| p.targets[0].interval_seconds = 59),
                "target 10.0.0.1:161: 59 is below this agent's floor of 60",
            ),
            (
                change(|p| p.targets[0].interval_seconds = u32::MAX),
                "target 10.0.0.1:161: more than",
            ),
            (
                change(|p| p.targets = vec![target("10.0.0.1"); 50_001]),
                "targets: more than 50000",
            ),
            (
                change(|p| p.interval_seconds = 1),
                "interval_seconds: 1 is below this agent's floor",
            ),
            (
                change(|p| p.sweep_seconds = 10),
                "sweep_seconds: 10 is below this agent's floor of 3600",
            ),
            (
                change(|p| p.packets_per_second = u32::MAX),
                "packets_per_second: is out of bounds",
            ),
            (
                change(|p| p.questions.as_mut().unwrap().profile = 9),
                "profile: is not known",
            ),
            (
                change(|p| p.questions.as_mut().unwrap().get.push("1.x".into())),
                "get: \"1.x\" is not an object",
            ),
            (
                change(|p| p.questions.as_mut().unwrap().walk = vec!["1.3".into()]),
                "walk: \"1.3\" is not",
            ),
            (
                change(|p| p.questions.as_mut().unwrap().if_arc[0].walk.push(String::new())),
                "if_arc 99999: \"\" is not",
            ),
            (
                change(|p| p.questions.as_mut().unwrap().get = vec!["1.3.6".into(); 101]),
                "get: more than 100",
            ),
            (
                change(|p| p.questions.as_mut().unwrap().get = vec!["1.".repeat(9_999)]),
                "get: an identifier is too long",
            ),
            (
                change(|p| p.windows[1].days = 0),
                "window 2: is no time of the week",
            ),
            (
                change(|p| p.windows = vec![half(0, 1); 33]),
                "windows: more than 32",
            ),
            (
                change(|p| p.targets[0].windows = 4),
                "target 10.0.0.1:161: names a window that is not there",
            ),
            (
                change(|p| p.ranges[0].windows = 3),
                "range 10.1.0.0/24: its windows leave no time to ask",
            ),
            (with_range("10.0.0.0/8"), "range: 10.0.0.0/8 is too large"),
            (with_range("11.0.0.0/24"), "range 11.0.0.0/24: lies outside"),
            (with_range("192.0.2.0/31"), "range 192.0.2.0/31: lies outside"),
            (
                change(|p| p.ranges[0].unswept = true),
                "range 10.1.0.0/24: is neither swept nor followed",
            ),
            (
                change(|p| {
                    p.ranges.push(v1::PlannedRange {
                        follow: true,
                        unswept: true,
                        ..range("2001::/16")
                    });
                }),
                "range 2001::/16: lies outside what this agent allows",
            ),
            (
                change(|p| {
                    p.ranges.push(v1::PlannedRange {
                        follow: true,
                        unswept: true,
                        ..range("10.0.0.0/8")
                    });
                }),
                "range 10.0.0.0/8: overlaps another",
            ),
            (
                change(|p| {
                    p.questions.as_mut().unwrap().if_arc[0].addresses = vec!["1.3.6.1".into(); 5];
                }),
                "if_arc 99999, addresses: more than 4",
            ),
            (
                with_range("10.1.0.128/25"),
                "range 10.1.0.128/25: overlaps another",
            ),
            (
                change(|p| p.ranges[0].port = 0),
                "range 10.1.0.0/24: port must be",
            ),
            (
                change(|p| p.ranges[0].credential_name.clear()),
                "range 10.1.0.0/24: there is no credential \"\"",
            ),
            (
                change(|p| p.ranges = vec![range("10.1.0.0/24"); 1_001]),
                "ranges: more than 1000",
            ),
            (
                change(|p| p.ranges = (0..17).map(|n| range(&format!("10.{n}.0.0/16"))).collect()),
                "ranges: more than 1048576 addresses",
            ),
            (
                change(|p| p.ranges[0].excluded = vec!["10.1.0.1".into(); 10_001]),
                "excluded: more than 10000",
            ),
        ] {
            let mut plan = plan();
            change(&mut plan);
            let error = check(&plan, &bounds()).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}\nexpected {expected}");
            assert!(
                error.chars().count() <= most::MAX_REASON_CHARS + 2 && !error.contains("hunter2"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_reason_is_short_and_plain() {
        let mut long = plan();
        long.targets.push(target(&"x\n".repeat(10_000)));
        long.targets[0].credential_name = "y".repeat(10_000);
        let error = check(&long, &bounds()).unwrap_err().to_string();
        assert!(error.chars().count() <= most::MAX_REASON_CHARS + 2, "{error}");
        assert!(!error.contains('\n'));
    }

    #[test]
    fn without_a_word_of_the_operator_only_private_addresses_are_allowed() {
        let credential = crate::testing::community("x");
        let bounds = Bounds::new(
            &CollectorPlanConfig::default(),
            [("core".to_owned(), credential)].into(),
        );
        for (address, allowed) in [
            ("10.9.9.9", true),
            ("172.31.0.1", true),
            ("192.168.1.1", true),
            ("fd00::1", true),
            ("127.0.0.1", false),
            ("::1", false),
            ("169.254.1.1", false),
            ("fe80::1", false),
            ("192.0.2.1", false),
            ("2001:db8::1", false),
            ("172.32.0.1", false),
        ] {
            let plan = v1::Plan {
                id: plan().id,
                targets: vec![target(address)],
                ..v1::Plan::default()
            };
            assert_eq!(check(&plan, &bounds).is_ok(), allowed, "{address}");
        }
    }
}
