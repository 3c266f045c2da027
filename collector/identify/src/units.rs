//! Units over time: which hardware stood where, and which hardware at several places is one unit.
//!
//! Invariants: pure and total, so that all of it can be made anew from evidence. Strong keys alone
//! (serial number with maker, hardware address, engine ID) make two sightings one unit; what is not told
//! contradicts nothing; a key that two contradicting units tell at the same time joins neither.

pub mod key;
mod history;
mod join;

pub use history::{history, is_other};
pub use join::{COMMON, join};

use model::{Attribution, ComponentClass, ComponentIdentity, Hardware, Identification, UnitIdentity};
use std::collections::{BTreeMap, BTreeSet};

/// Which rules of this module conclude: another word here makes everything anew.
pub const RULES: &str = "1";

/// Most chassis of a stack that are told apart.
const MAX_MEMBERS: usize = 64;

/// The hardware an evidence shows: the unit, or each chassis of a stack that tells its own serial number.
#[must_use]
pub fn hardware(identification: &Identification) -> Vec<Hardware> {
    let maker = identification.maker.as_ref().map(supplier);
    let members = members(&identification.components);
    if members.len() < 2 {
        return vec![Hardware {
            identity: identification.unit.clone(),
            maker,
            member: false,
        }];
    }
    let member = |part: &ComponentIdentity| Hardware {
        identity: UnitIdentity {
            serial: Some(part.serial.clone()),
            model: (!part.model.is_empty()).then(|| part.model.clone()),
            ..UnitIdentity::default()
        },
        maker: part.maker.as_ref().map(supplier).or_else(|| maker.clone()),
        member: true,
    };
    members.into_iter().map(member).collect()
}

fn supplier(attribution: &Attribution) -> model::SupplierRef {
    attribution.supplier.clone()
}

/// Chassis that sit in no other chassis, each serial number once.
fn members(components: &[ComponentIdentity]) -> Vec<&ComponentIdentity> {
    let is_chassis = |part: &&ComponentIdentity| part.class == ComponentClass::Chassis;
    let mut inside: BTreeMap<&str, bool> = BTreeMap::new();
    let mut serials = BTreeSet::new();
    let mut members = Vec::new();
    // Parents come before children.
    for part in components {
        let parent = part.parent.as_deref().and_then(|parent| inside.get(parent));
        let within = parent.copied().unwrap_or(false);
        inside.insert(&part.index, within || is_chassis(&part));
        let counts = is_chassis(&part) && !within && key::is_serial(&part.serial);
        if counts && members.len() < MAX_MEMBERS && serials.insert(part.serial.as_str()) {
            members.push(part);
        }
    }
    members
}
