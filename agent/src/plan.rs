//! What to ask an element: questions as data, so that no table of any maker is
//! named in code.
//!
//! Invariant: the order of the questions is the order of the observations.

pub mod oid;

use oid::InvalidOid;
use prost::bytes::Bytes;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// 1.3.6.1.4.1, below which the arcs of enterprises lie (RFC 2578, 4).
pub const ENTERPRISES: &str = "1.3.6.1.4.1";

/// SNMPv2-MIB::system (RFC 3418): sysDescr, sysObjectID, sysContact, sysName,
/// sysLocation, sysServices; and SNMP-FRAMEWORK-MIB::snmpEngineID (RFC 3411).
const IDENTITY: [&str; 7] = [
    "1.3.6.1.2.1.1.1.0",
    "1.3.6.1.2.1.1.2.0",
    "1.3.6.1.2.1.1.4.0",
    "1.3.6.1.2.1.1.5.0",
    "1.3.6.1.2.1.1.6.0",
    "1.3.6.1.2.1.1.7.0",
    "1.3.6.1.6.3.10.2.1.1.0",
];

/// sysUpTime: the seventh system scalar, different at each round.
const UP_TIME: &str = "1.3.6.1.2.1.1.3.0";

/// dot1dBaseBridgeAddress (RFC 4188), lldpLocChassisId and lldpV2LocChassisId (IEEE 802.1AB of 2005
/// and 2009: by these neighbours know it), upsIdentManufacturer and upsIdentModel (RFC 1628).
const IDENTITY_ELSEWHERE: [&str; 5] = [
    "1.3.6.1.2.1.17.1.1.0",
    "1.0.8802.1.1.2.1.3.2.0",
    "1.3.111.2.802.1.1.13.1.3.2.0",
    "1.3.6.1.2.1.33.1.1.1.0",
    "1.3.6.1.2.1.33.1.1.2.0",
];

/// What elements tell of their own changes: entLastChangeTime (RFC 6933),
/// lldpStatsRemTablesLastChangeTime (IEEE 802.1AB-2005), lldpV2StatsRemTablesLastChangeTime
/// (IEEE 802.1AB-2009), ifTableLastChange (RFC 2863), all since the last boot; and
/// snmpEngineBoots (RFC 3411).
const CHANGES: [&str; 5] = [
    "1.3.6.1.2.1.47.1.4.1.0",
    "1.0.8802.1.1.2.1.2.1.0",
    "1.3.111.2.802.1.1.13.1.2.1.0",
    "1.3.6.1.2.1.31.1.5.0",
    "1.3.6.1.6.3.10.2.1.2.0",
];

/// entPhysicalEntry (RFC 6933).
const ENTITY: &str = "1.3.6.1.2.1.47.1.1.1.1";
/// ifEntry (RFC 2863).
const INTERFACE: &str = "1.3.6.1.2.1.2.2.1";
/// lldpRemEntry (IEEE 802.1AB-2005).
const NEIGHBOUR: &str = "1.0.8802.1.1.2.1.4.1.1";

/// Column lldpRemManAddrIfSubtype (IEEE 802.1AB-2005): the addresses stand in the index.
const NEIGHBOUR_ADDRESS: &str = "1.0.8802.1.1.2.1.4.2.1.3";
/// lldpV2RemEntry and lldpV2RemManAddrIfSubtype (IEEE 802.1AB-2009).
const NEIGHBOUR_2009: &str = "1.3.111.2.802.1.1.13.1.4.1.1";
const NEIGHBOUR_ADDRESS_2009: &str = "1.3.111.2.802.1.1.13.1.4.2.1.3";
/// dot1dBasePortIfIndex, dot1dTpFdbPort (RFC 4188), dot1qTpFdbPort (RFC 4363): hardware
/// addresses stand in the index.
const BRIDGE: [&str; 3] = [
    "1.3.6.1.2.1.17.1.4.1.2",
    "1.3.6.1.2.1.17.4.3.1.2",
    "1.3.6.1.2.1.17.7.1.2.2.1.2",
];
/// ipNetToMediaPhysAddress, ipNetToPhysicalPhysAddress (RFC 4293).
const ARP: [&str; 2] = ["1.3.6.1.2.1.4.22.1.2", "1.3.6.1.2.1.4.35.1.4"];

/// More arcs below the enterprises than any element was seen to have.
const MAX_ARCS: usize = 64;

/// One question of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Question {
    /// GET of exact instances.
    Get(Vec<Bytes>),
    /// Walks of these subtrees, in this order.
    Walk(Vec<Bytes>),
    /// GETNEXT from arc to arc below a root.
    Arcs {
        /// Where to hop.
        root: Bytes,
        /// Give up after so many arcs.
        limit: usize,
    },
}

/// Subtrees worth walking only where an enterprise's arc was seen.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IfArc {
    /// The arc below [`ENTERPRISES`].
    pub arc: u32,
    /// What to walk then.
    pub walk: Vec<Bytes>,
    /// Columns whose values are addresses of neighbours.
    pub addresses: Vec<Bytes>,
}

/// Everything one round asks one element.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Plan {
    /// In the order of asking.
    pub questions: Vec<Question>,
    /// Instances whose values change each round; asked with the first GET and
    /// kept out of the evidence.
    pub readings: Vec<Bytes>,
    /// Asked after the questions.
    pub if_arc: Vec<IfArc>,
}

/// A ready-made plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// Everything that tells who made an element and its parts.
    #[default]
    Full,
    /// System scalars, entPhysicalTable, ifPhysAddress, lldpRemTable and nothing else.
    Inventory,
}

/// What the configuration adds to a profile.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PlanConfig {
    /// Where to begin.
    pub profile: Profile,
    /// Further instances to GET.
    pub get: Vec<OidText>,
    /// Further subtrees to walk at every element.
    pub walk: Vec<OidText>,
    /// Further subtrees to walk where an enterprise's arc was seen.
    pub if_arc: Vec<IfArcConfig>,
    /// Which neighbours to ask for; those of the profile without it.
    pub neighbours: Option<Vec<Neighbours>>,
}

/// Tables that tell of neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Neighbours {
    /// Remote systems and their management addresses (IEEE 802.1AB, 2005 and 2009).
    Lldp,
    /// Hardware addresses by port.
    Bridge,
    /// Hardware addresses by interface and IP address.
    Arp,
}

impl Neighbours {
    fn questions(self) -> Vec<Question> {
        let walks = match self {
            Self::Lldp => vec![
                columns(NEIGHBOUR, 4..=12),
                known(&[NEIGHBOUR_ADDRESS]),
                columns(NEIGHBOUR_2009, 5..=13),
                known(&[NEIGHBOUR_ADDRESS_2009]),
            ],
            // Each by itself: their rows are not those of one table.
            Self::Bridge => BRIDGE.iter().map(|column| known(&[column])).collect(),
            Self::Arp => ARP.iter().map(|column| known(&[column])).collect(),
        };
        walks.into_iter().map(Question::Walk).collect()
    }
}

/// One `[[plan.if_arc]]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IfArcConfig {
    /// The enterprise number.
    pub arc: u32,
    /// Subtrees.
    pub walk: Vec<OidText>,
    /// Columns within whose values are addresses of neighbours.
    #[serde(default)]
    pub addresses: Vec<OidText>,
}

/// An identifier in dotted text, checked when read.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct OidText(Bytes);

impl OidText {
    /// As BER content octets.
    #[must_use]
    pub fn octets(&self) -> Bytes {
        self.0.clone()
    }
}

impl TryFrom<String> for OidText {
    type Error = InvalidOid;

    fn try_from(text: String) -> Result<Self, InvalidOid> {
        let octets = oid::parse(&text)?;
        // Two arcs share the first octet: no subtree can begin there.
        oid::split_last(&octets).ok_or(InvalidOid)?;
        Ok(Self(octets))
    }
}

impl Plan {
    /// A number that plans with other questions do not share, within this process.
    #[must_use]
    pub fn mark(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        hasher.finish()
    }

    /// The ready-made plan, without additions.
    #[must_use]
    pub fn of(profile: Profile) -> Self {
        let mut identity = known(&IDENTITY);
        let mut readings = known(&[UP_TIME]);
        readings.extend(known(&CHANGES));
        let mut interface = columns(INTERFACE, 6..=6);
        let mut questions = Vec::new();
        if profile == Profile::Full {
            identity.extend(known(&IDENTITY_ELSEWHERE));
            interface.splice(0..0, columns(INTERFACE, 2..=2));
        }
        questions.push(Question::Get(identity));
        questions.push(Question::Walk(columns(ENTITY, 2..=17)));
        questions.push(Question::Walk(interface));
        questions.push(Question::Walk(columns(NEIGHBOUR, 4..=12)));
        if profile == Profile::Full {
            questions.extend(known(&[ENTERPRISES]).into_iter().map(|root| Question::Arcs {
                root,
                limit: MAX_ARCS,
            }));
        }
        Self {
            questions,
            readings,
            if_arc: Vec::new(),
        }
    }
}

impl From<&PlanConfig> for Plan {
    fn from(config: &PlanConfig) -> Self {
        let octets = |all: &[OidText]| all.iter().map(OidText::octets).collect::<Vec<_>>();
        let mut plan = Self::of(config.profile);
        if let Some(neighbours) = &config.neighbours {
            let of_profile = Question::Walk(columns(NEIGHBOUR, 4..=12));
            let place = plan.questions.iter().position(|question| *question == of_profile);
            let asked: BTreeSet<_> = neighbours.iter().collect();
            let asked = asked.into_iter().flat_map(|one| one.questions());
            if let Some(place) = place {
                plan.questions.splice(place..=place, asked);
            }
        }
        if !config.get.is_empty() {
            plan.questions.push(Question::Get(octets(&config.get)));
        }
        plan.questions
            .extend(config.walk.iter().map(|root| Question::Walk(vec![root.octets()])));
        plan.if_arc = config
            .if_arc
            .iter()
            .map(|found| IfArc {
                arc: found.arc,
                walk: octets(&found.walk),
                addresses: octets(&found.addresses),
            })
            .collect();
        plan
    }
}

/// Identifiers written in this file; a test reads each of them.
fn known(all: &[&str]) -> Vec<Bytes> {
    all.iter().filter_map(|text| oid::parse(text).ok()).collect()
}

fn columns(entry: &str, columns: std::ops::RangeInclusive<u32>) -> Vec<Bytes> {
    known(&[entry])
        .iter()
        .flat_map(|entry| columns.clone().map(|column| oid::child(entry, column)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roots(question: &Question) -> usize {
        match question {
            Question::Get(oids) | Question::Walk(oids) => oids.len(),
            Question::Arcs { .. } => 1,
        }
    }

    #[test]
    fn every_identifier_of_the_profiles_is_one() {
        let shape = |profile| {
            let plan = Plan::of(profile);
            (
                plan.questions.iter().map(roots).collect::<Vec<_>>(),
                plan.readings.len(),
            )
        };
        assert_eq!(shape(Profile::Inventory), (vec![7, 16, 1, 9], 6));
        assert_eq!(shape(Profile::Full), (vec![12, 16, 2, 9, 1], 6));
    }

    #[test]
    fn neighbours_are_asked_where_they_are_wanted_and_nowhere_else() {
        let asked = |text: &str| {
            let config: PlanConfig = toml::from_str(&format!("profile = 'inventory'\n{text}")).unwrap();
            let plan = Plan::from(&config);
            plan.questions.iter().map(roots).collect::<Vec<_>>()
        };
        for (text, expected) in [
            ("", &[7, 16, 1, 9][..]),
            ("neighbours = []", &[7, 16, 1]),
            ("neighbours = ['lldp']", &[7, 16, 1, 9, 1, 9, 1]),
            (
                "neighbours = ['arp', 'bridge', 'arp']",
                &[7, 16, 1, 1, 1, 1, 1, 1],
            ),
        ] {
            assert_eq!(asked(text), expected, "{text}");
        }
        assert!(toml::from_str::<PlanConfig>("neighbours = ['cdp']").is_err());
    }

    #[test]
    fn additions_come_last() {
        let config: PlanConfig = toml::from_str(
            "profile = 'inventory'\nget = ['1.3.6.1.2.1.1.9.0']\nwalk = ['1.3.6.1.2.1.25']\n\
             [[if_arc]]\narc = 99999\nwalk = ['1.3.6.1.4.1.99999.1']\n",
        )
        .unwrap();
        let plan = Plan::from(&config);
        assert_eq!(
            plan.questions.iter().map(roots).collect::<Vec<_>>(),
            [7, 16, 1, 9, 1, 1]
        );
        assert_eq!(plan.if_arc[0].arc, 99999);
        for broken in ["get = ['1.3']", "walk = ['x']", "profile = 'all'", "ask = 1"] {
            assert!(toml::from_str::<PlanConfig>(broken).is_err(), "{broken}");
        }
    }
}
