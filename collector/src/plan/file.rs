//! A plan as an operator writes it: TOML, spelled like the agent's own file.
//!
//! Invariants: unknown keys are refused; a mistake is told with file, line and
//! column; what passes here is within the bounds of [`proto::plan`].

use model::{Digest, Oid, Role};
use proto::plan::{self as bounds, Range};
use proto::v1;
use serde::{Deserialize, Deserializer};
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use toml::Spanned;
use window::WindowTable;

mod private;
mod window;

/// A plan that was read and checked.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanFile {
    /// As written.
    pub text: String,
    /// SHA-256 of the text.
    pub digest: Digest,
    wire: v1::Plan,
}

/// What is wrong with a plan, and where.
#[derive(Debug, thiserror::Error)]
#[error("{path}:{line}:{column}: {message}")]
pub struct PlanError {
    path: String,
    line: usize,
    column: usize,
    message: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    poll: Poll,
    plan: Option<Questions>,
    #[serde(default)]
    discovery: Discovery,
    #[serde(default)]
    target: Vec<Target>,
    #[serde(default)]
    range: Vec<RangeTable>,
    #[serde(default)]
    window: Vec<WindowTable>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Poll {
    #[serde(deserialize_with = "between::<1, { bounds::MAX_SECONDS }, _>")]
    interval_seconds: u32,
    #[serde(deserialize_with = "between::<1, { bounds::MAX_PACKETS_PER_SECOND }, _>")]
    packets_per_second: u32,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Discovery {
    #[serde(deserialize_with = "between::<1, { bounds::MAX_SECONDS }, _>")]
    sweep_seconds: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Questions {
    #[serde(default)]
    profile: Profile,
    #[serde(default)]
    get: Vec<Spanned<String>>,
    #[serde(default)]
    walk: Vec<Spanned<String>>,
    #[serde(default)]
    if_arc: Vec<IfArc>,
    neighbours: Option<Vec<Neighbour>>,
    #[serde(default = "yes")]
    private_tables: bool,
}

/// Which neighbours are asked for.
#[derive(PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Neighbour {
    Lldp,
    Cdp,
    Bridge,
    Arp,
}

fn yes() -> bool {
    true
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Profile {
    #[default]
    Full,
    Inventory,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IfArc {
    arc: u32,
    walk: Vec<Spanned<String>>,
    /// Columns within whose values are addresses of neighbours.
    #[serde(default)]
    addresses: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Target {
    address: Spanned<IpAddr>,
    #[serde(default = "snmp", deserialize_with = "between::<1, 65_535, _>")]
    port: u32,
    credential: Spanned<String>,
    #[serde(default, deserialize_with = "between::<1, { bounds::MAX_SECONDS }, _>")]
    interval_seconds: u32,
    #[serde(default)]
    leave_alone: Vec<Spanned<String>>,
    role: Option<Role>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RangeTable {
    prefix: Spanned<String>,
    #[serde(default)]
    exclude: Vec<String>,
    #[serde(default = "snmp", deserialize_with = "between::<1, 65_535, _>")]
    port: u32,
    credential: Spanned<String>,
    #[serde(default)]
    leave_alone: Vec<Spanned<String>>,
    #[serde(default)]
    ask_silent: bool,
    #[serde(default)]
    follow: bool,
    #[serde(default = "yes")]
    sweep: bool,
    role: Option<Role>,
}

/// RFC 3417, 3.1.
fn snmp() -> u32 {
    161
}

fn between<'de, const MIN: u32, const MAX: u32, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<u32, D::Error> {
    let value = u32::deserialize(deserializer)?;
    if (MIN..=MAX).contains(&value) {
        return Ok(value);
    }
    Err(serde::de::Error::custom(format!("must be {MIN} to {MAX}")))
}

/// Where in the text, and what.
type Fault = (usize, String);

fn fault<T>(at: &Spanned<T>, message: impl std::fmt::Display) -> Fault {
    (at.span().start, message.to_string())
}

impl PlanFile {
    /// Reads a plan; `path` is what errors call it.
    ///
    /// # Errors
    /// [`PlanError`] for the first thing that is wrong.
    pub fn parse(text: &str, path: &str) -> Result<Self, PlanError> {
        let wrong = |(offset, message): Fault| {
            let before = text.get(..offset).unwrap_or(text);
            PlanError {
                path: path.to_owned(),
                line: before.matches('\n').count() + 1,
                column: before.chars().rev().take_while(|c| *c != '\n').count() + 1,
                message: message.lines().map(str::trim).collect::<Vec<_>>().join(" "),
            }
        };
        let file: File = toml::from_str(text).map_err(|error| {
            let offset = error.span().map_or(0, |span| span.start);
            wrong((offset, error.message().to_owned()))
        })?;
        let wire = file.wire().map_err(wrong)?;
        Ok(Self {
            text: text.to_owned(),
            digest: Digest(Sha256::digest(text.as_bytes()).into()),
            wire,
        })
    }

    /// As it travels, as that revision of its site.
    #[must_use]
    pub fn at(&self, revision: u64) -> v1::Plan {
        v1::Plan {
            id: Some(v1::PlanId {
                revision,
                digest: self.digest.0.to_vec().into(),
            }),
            ..self.wire.clone()
        }
    }

    /// How many targets and ranges it names.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        (self.wire.targets.len(), self.wire.ranges.len())
    }
}

impl File {
    fn wire(&self) -> Result<v1::Plan, Fault> {
        Ok(v1::Plan {
            id: None,
            questions: self.plan.as_ref().map(Questions::wire).transpose()?,
            interval_seconds: self.poll.interval_seconds,
            packets_per_second: self.poll.packets_per_second,
            targets: self.targets()?,
            ranges: self.ranges()?,
            sweep_seconds: self.discovery.sweep_seconds,
            windows: window::all(&self.window)?,
        })
    }

    fn targets(&self) -> Result<Vec<v1::PlannedTarget>, Fault> {
        if let Some(beyond) = self.target.get(bounds::MAX_TARGETS) {
            let message = format!("more than {} targets", bounds::MAX_TARGETS);
            return Err(fault(&beyond.address, message));
        }
        let mut seen = HashMap::new();
        let mut all = Vec::with_capacity(self.target.len());
        for (number, target) in self.target.iter().enumerate() {
            let address = target.address.as_ref().to_canonical();
            if address.is_unspecified() || address.is_multicast() {
                return Err(fault(&target.address, format!("{address} cannot be asked")));
            }
            let at = SocketAddr::new(address, u16::try_from(target.port).unwrap_or_default());
            // Under another credential it may be another context: agents know.
            let credential = name(&target.credential)?;
            if let Some(first) = seen.insert((at, credential.clone()), number) {
                let message = format!(
                    "{at} with credential {credential:?} is [[target]] {} already",
                    first + 1
                );
                return Err(fault(&target.address, message));
            }
            all.push(v1::PlannedTarget {
                address: address.to_string(),
                port: target.port,
                credential_name: credential,
                interval_seconds: target.interval_seconds,
                windows: window::mask(&target.leave_alone, &self.window)?,
                role: said(target.role),
            });
        }
        Ok(all)
    }

    fn ranges(&self) -> Result<Vec<v1::PlannedRange>, Fault> {
        if let Some(beyond) = self.range.get(bounds::MAX_RANGES) {
            let message = format!("more than {} ranges", bounds::MAX_RANGES);
            return Err(fault(&beyond.prefix, message));
        }
        let mut all = Vec::with_capacity(self.range.len());
        let mut before: Vec<(Range, u32)> = Vec::new();
        let (mut addresses, mut excluded) = (0, 0);
        for range in &self.range {
            let texts = range.exclude.iter().map(String::as_str);
            let parsed = match range.sweep {
                true => Range::new(range.prefix.as_ref(), texts),
                false => Range::of_any_size(range.prefix.as_ref(), texts),
            };
            let parsed = parsed.map_err(|error| fault(&range.prefix, error))?;
            if !range.sweep && !range.follow {
                let message = "is neither swept nor followed: nobody in it would be asked";
                return Err(fault(&range.prefix, message));
            }
            if range.follow && self.plan.as_ref().is_some_and(|plan| !plan.asks_for_addresses()) {
                let message = "follows neighbours, and [plan] asks for no addresses of them: \
                    neighbours = [\"lldp\"] or \"cdp\"";
                return Err(fault(&range.prefix, message));
            }
            let twice = |(other, port): &&(Range, u32)| *port == range.port && other.overlaps(&parsed);
            if let Some((other, _)) = before.iter().find(twice) {
                let message = format!("{} overlaps {}", parsed.prefix(), other.prefix());
                return Err(fault(&range.prefix, message));
            }
            addresses += if range.sweep { parsed.size() } else { 0 };
            excluded += range.exclude.len();
            if addresses > bounds::MAX_ADDRESSES {
                let message = format!("more than {} addresses in all ranges", bounds::MAX_ADDRESSES);
                return Err(fault(&range.prefix, message));
            }
            if excluded > bounds::MAX_EXCLUDED {
                let message = format!("more than {} excluded in all ranges", bounds::MAX_EXCLUDED);
                return Err(fault(&range.prefix, message));
            }
            all.push(v1::PlannedRange {
                prefix: parsed.prefix().to_string(),
                excluded: parsed.excluded().iter().map(ToString::to_string).collect(),
                port: range.port,
                credential_name: name(&range.credential)?,
                windows: window::mask(&range.leave_alone, &self.window)?,
                ask_silent: range.ask_silent,
                follow: range.follow,
                unswept: !range.sweep,
                role: said(range.role),
            });
            before.push((parsed, range.port));
        }
        Ok(all)
    }
}

impl Questions {
    fn asks_for(&self, one: Neighbour) -> bool {
        self.neighbours.as_ref().is_some_and(|asked| asked.contains(&one))
    }

    /// Whether elements are asked where their neighbours are.
    fn asks_for_addresses(&self) -> bool {
        let columns = self.if_arc.iter().any(|found| !found.addresses.is_empty());
        columns || self.asks_for(Neighbour::Lldp) || self.asks_for(Neighbour::Cdp)
    }

    fn wire(&self) -> Result<v1::Questions, Fault> {
        let asks_for = |one| self.asks_for(one);
        let built_in: Vec<v1::IfArc> =
            private::tables(self.private_tables, asks_for(Neighbour::Cdp)).collect();
        let most = bounds::MAX_QUESTIONS - built_in.len();
        if let Some(beyond) = self.if_arc.get(most) {
            let at = beyond.walk.first().map_or(0, |walk| walk.span().start);
            return Err((at, format!("more than {most} if_arc beside those built in")));
        }
        let if_arc = |found: &IfArc| {
            if let Some(beyond) = found.addresses.get(bounds::MAX_ADDRESS_COLUMNS) {
                let message = format!("more than {} columns", bounds::MAX_ADDRESS_COLUMNS);
                return Err(fault(beyond, message));
            }
            Ok(v1::IfArc {
                arc: found.arc,
                walk: oids(&found.walk)?,
                addresses: oids(&found.addresses)?,
            })
        };
        let profile = match self.profile {
            Profile::Full => v1::PlanProfile::Full,
            Profile::Inventory => v1::PlanProfile::Inventory,
        };
        Ok(v1::Questions {
            profile: profile.into(),
            get: oids(&self.get)?,
            walk: oids(&self.walk)?,
            if_arc: self
                .if_arc
                .iter()
                .map(if_arc)
                .chain(built_in.into_iter().map(Ok))
                .collect::<Result<_, Fault>>()?,
            neighbours: self.neighbours.as_ref().map(|_| v1::Neighbours {
                lldp: asks_for(Neighbour::Lldp),
                bridge: asks_for(Neighbour::Bridge),
                arp: asks_for(Neighbour::Arp),
            }),
        })
    }
}

/// As it travels.
fn said(role: Option<Role>) -> i32 {
    let role = match role {
        None => v1::PlanRole::Unspecified,
        Some(Role::Core) => v1::PlanRole::Core,
        Some(Role::Ran) => v1::PlanRole::Ran,
        Some(Role::Transport) => v1::PlanRole::Transport,
        Some(Role::Access) => v1::PlanRole::Access,
        Some(Role::Management) => v1::PlanRole::Management,
        Some(Role::Cpe) => v1::PlanRole::Cpe,
        Some(Role::Video) => v1::PlanRole::Video,
        Some(Role::Other) => v1::PlanRole::Other,
    };
    role.into()
}

fn name(written: &Spanned<String>) -> Result<String, Fault> {
    if proto::plan::is_name(written.as_ref()) {
        return Ok(written.as_ref().clone());
    }
    let message = "is no name of a credential: 1 to 64 of letters, digits, '.', '_' and '-'";
    Err(fault(written, message))
}

fn oids(written: &[Spanned<String>]) -> Result<Vec<String>, Fault> {
    if let Some(beyond) = written.get(bounds::MAX_QUESTIONS) {
        let message = format!("more than {} identifiers", bounds::MAX_QUESTIONS);
        return Err(fault(beyond, message));
    }
    written
        .iter()
        .map(|text| {
            let oid = text.as_ref().parse::<Oid>().ok().filter(can_travel);
            let shown = oid.map(|oid| oid.to_string());
            shown
                .filter(|shown| shown.len() <= bounds::MAX_OID_CHARS)
                .ok_or_else(|| fault(text, "not an object identifier such as 1.3.6.1.2.1.1"))
        })
        .collect()
}

/// Two arcs share the first octet (X.690, 8.19.4), and no subtree can begin within it.
fn can_travel(oid: &Oid) -> bool {
    match oid.arcs() {
        [0 | 1, second, _, ..] => *second < 40,
        [2, second, _, ..] => *second <= u32::MAX - 80,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
