//! Kinds of elements as data, and the objects that one of a kind shows.
//!
//! Invariant: the objects of an element are a function of its kind and its name.

pub mod dice;
mod entity;
mod interfaces;
pub mod objects;

pub use entity::Pools;
pub use interfaces::Interface;
pub use objects::{Neighbour, Shown, objects};

use crate::element::Behaviour;
use serde::Deserialize;

/// A kind of element: everything but name and address.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kind {
    /// How plans call it.
    pub key: String,
    /// Who truly built it, in the usual English name; empty when nobody could tell from what it shows.
    #[serde(default)]
    pub maker: String,
    /// What people call it.
    pub title: String,
    /// sysDescr, with places to fill (see [`dice`]); empty for a device without a system group.
    #[serde(default)]
    pub descr: String,
    /// sysObjectID; empty if it has none.
    #[serde(default)]
    pub object_id: String,
    /// Enterprise number within snmpEngineID; 0 for a device without one.
    #[serde(default)]
    pub engine: u32,
    /// IEEE prefix of its interfaces, six hexadecimal digits; empty for a device that shows none.
    #[serde(default)]
    pub oui: String,
    /// sysServices.
    #[serde(default = "router")]
    pub services: u8,
    /// entPhysicalMfgName where a part says `=`.
    #[serde(default)]
    pub mfg: String,
    /// entPhysicalIndex of the first part and the step to the next.
    #[serde(default = "from_one")]
    pub index: [u32; 2],
    /// The parts, an indented outline (see `entity`).
    #[serde(default)]
    pub entity: String,
    /// The interfaces, in order.
    #[serde(default)]
    pub interfaces: Vec<Interface>,
    /// Whether it speaks LLDP and so has neighbours of its site.
    #[serde(default)]
    pub lldp: bool,
    /// Neighbours outside the network, seen through LLDP.
    #[serde(default)]
    pub sees: Vec<Stranger>,
    /// More objects, as a recording with places to fill.
    #[serde(default)]
    pub values: String,
    /// Only the objects of this recording, nothing else of the kind.
    #[serde(default)]
    pub recording: String,
    /// How it behaves unless the plan says otherwise.
    #[serde(default)]
    pub behaviour: Behaviour,
    /// The longest message it sends, in octets.
    #[serde(default = "frame")]
    pub max_size: usize,
}

/// A neighbour that is not part of the network.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stranger {
    /// lldpRemSysName.
    pub name: String,
    /// lldpRemSysDesc.
    pub descr: String,
    /// IEEE prefix of lldpRemChassisId, six hexadecimal digits.
    pub oui: String,
}

fn router() -> u8 {
    78
}

fn from_one() -> [u32; 2] {
    [1, 1]
}

fn frame() -> usize {
    crate::element::Element::FRAME
}
