//! Whether a plan can be followed here: everything in it is hostile until then.
//!
//! Invariants: pure; one item that is wrong refuses the whole; a reason names the
//! item and holds no more than the collector said itself.

use super::Bounds;
use crate::config::Assignment;
use crate::credential::Credential;
use crate::credential::scope::Role;
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
    (name, role): (&str, v1::PlanRole),
    prefix: IpNet,
    bounds: &Bounds,
) -> Result<Arc<Credential>, Refusal> {
    let found = bounds
        .credentials
        .get(name)
        .filter(|_| most::is_name(name))
        .ok_or_else(|| {
            let why = format!("there is no credential {name:?} at this agent");
            refuse(item, why)
        })?;
    found
        .opens(prefix, said(role))
        .cloned()
        .map_err(|why| refuse(item, why))
}

/// One that this agent does not know is as good as none.
fn said(role: v1::PlanRole) -> Option<Role> {
    Some(match role {
        v1::PlanRole::Unspecified => return None,
        v1::PlanRole::Core => Role::Core,
        v1::PlanRole::Ran => Role::Ran,
        v1::PlanRole::Transport => Role::Transport,
        v1::PlanRole::Access => Role::Access,
        v1::PlanRole::Management => Role::Management,
        v1::PlanRole::Cpe => Role::Cpe,
        v1::PlanRole::Video => Role::Video,
        v1::PlanRole::Other => Role::Other,
    })
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
        let covered = IpNet::from(target.address().ip());
        let credential = credential(&item, (&planned.credential_name, planned.role()), covered, bounds)?;
        let target = target.asked_with(&credential);
        if !seen.insert(target) {
            return Err(refuse(item, "is there twice"));
        }
        all.push(Assignment {
            target,
            credential,
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
            credential: credential(
                &item,
                (&planned.credential_name, planned.role()),
                range.prefix(),
                bounds,
            )?,
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
mod tests;
