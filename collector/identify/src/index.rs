//! One pass over an evidence: only the parts that speak of the element itself, by where they stand.
//!
//! Invariants: linear in the evidence; forwarding, ARP, neighbour and name-server tables,
//! names and descriptions given by operators are never looked at.

use crate::knowledge::Knowledge;
use model::{Evidence, EvidenceRef, Oid, Outcome, Value, Varbind};
use std::collections::{BTreeMap, BTreeSet};

/// Most parts kept of one element.
pub(crate) const MAX_PARTS: usize = 20_000;
/// Most own addresses looked at.
const MAX_ADDRESSES: usize = 20_000;
/// What names of interfaces begin with that come and go with something plugged in or set up.
const PERIPHERALS: [&str; 12] = [
    "usb", "wwan", "wwp", "wwx", "ppp", "tun", "tap", "docker", "veth", "virbr", "vnet", "lxc",
];
/// Most enterprise numbers remembered.
const MAX_NUMBERS: usize = 4_096;
/// Most different places remembered below one enterprise number.
const MAX_PLACES: usize = 64;

/// Columns of entPhysicalTable (RFC 6933).
pub(crate) mod column {
    pub(crate) const DESCR: u32 = 2;
    pub(crate) const VENDOR_TYPE: u32 = 3;
    pub(crate) const CONTAINED_IN: u32 = 4;
    pub(crate) const CLASS: u32 = 5;
    pub(crate) const NAME: u32 = 7;
    pub(crate) const HARDWARE: u32 = 8;
    pub(crate) const FIRMWARE: u32 = 9;
    pub(crate) const SOFTWARE: u32 = 10;
    pub(crate) const SERIAL: u32 = 11;
    pub(crate) const MFG_NAME: u32 = 12;
    pub(crate) const MODEL: u32 = 13;
}

/// One row of a table, by column.
#[derive(Debug, Default)]
pub(crate) struct Row<'a> {
    cells: BTreeMap<u32, &'a Varbind>,
}

impl<'a> Row<'a> {
    /// The value of a column that is there and not an exception.
    pub(crate) fn get(&self, column: u32) -> Option<&'a Varbind> {
        self.cells.get(&column).copied()
    }

    /// Text of a column, empty when it has none.
    pub(crate) fn text(&self, column: u32) -> String {
        self.get(column)
            .and_then(|v| v.value.text(255))
            .unwrap_or_default()
    }
}

/// What an evidence says about the element itself.
#[derive(Debug, Default)]
pub(crate) struct Index<'a> {
    pub(crate) sys_descr: Option<&'a Varbind>,
    pub(crate) sys_object_id: Option<&'a Varbind>,
    pub(crate) sys_name: Option<&'a Varbind>,
    pub(crate) engine_id: Option<&'a Varbind>,
    /// Objects that standards define to hold a manufacturer's name, with that standard.
    pub(crate) identification: Vec<(&'a Varbind, &'static str)>,
    /// Addresses of interfaces, bridge and local chassis.
    pub(crate) addresses: Vec<&'a Varbind>,
    /// Addresses of interfaces that are evidently peripherals or made by software.
    pub(crate) peripheral_addresses: Vec<&'a Varbind>,
    /// ifIndex values of such interfaces.
    peripherals: BTreeSet<u32>,
    /// Enterprise numbers that answer, each with up to three arcs below it and the first varbind there.
    pub(crate) arcs: BTreeMap<u32, BTreeMap<&'a [u32], &'a Varbind>>,
    /// entPhysicalTable by entPhysicalIndex.
    pub(crate) entities: BTreeMap<u32, Row<'a>>,
    /// Rows of private tables: position of the table in the knowledge, index arcs.
    pub(crate) parts: BTreeMap<(usize, &'a [u32]), Row<'a>>,
    /// entPhysicalIndex values that answered twice and differently.
    pub(crate) repeated: BTreeSet<u32>,
    /// Whether parts were left out at [`MAX_PARTS`].
    pub(crate) parts_cut: bool,
    /// Questions that did not end complete.
    pub(crate) unanswered: usize,
    /// Whether any value was there at all.
    pub(crate) answered: bool,
}

impl<'a> Index<'a> {
    /// Reads an evidence once.
    pub(crate) fn new(evidence: &'a Evidence, knowledge: &Knowledge) -> Self {
        let mut index = Self::default();
        for observation in &evidence.observations {
            index.unanswered += usize::from(!matches!(
                observation.outcome,
                Outcome::Complete | Outcome::Skipped | Outcome::Redacted
            ));
            for varbind in &observation.varbinds {
                index.add(varbind, knowledge);
            }
        }
        // What came first on the wire must not matter.
        index.addresses.sort_by(|a, b| a.oid.arcs().cmp(b.oid.arcs()));
        index
            .identification
            .sort_by(|(a, _), (b, _)| a.oid.arcs().cmp(b.oid.arcs()));
        let addresses = std::mem::take(&mut index.addresses);
        (index.peripheral_addresses, index.addresses) =
            addresses
                .into_iter()
                .partition(|varbind| match varbind.oid.arcs() {
                    [1, 3, 6, 1, 2, 1, 2, 2, 1, 6, interface] => index.peripherals.contains(interface),
                    _ => false,
                });
        index
    }

    fn add(&mut self, varbind: &'a Varbind, knowledge: &Knowledge) {
        if varbind.value.tag >= 0x80 || varbind.value.tag == Value::NULL {
            return;
        }
        self.answered = true;
        match varbind.oid.arcs() {
            [1, 3, 6, 1, 2, 1, 1, 1, 0] => keep(&mut self.sys_descr, varbind),
            [1, 3, 6, 1, 2, 1, 1, 2, 0] => keep(&mut self.sys_object_id, varbind),
            [1, 3, 6, 1, 2, 1, 1, 5, 0] => keep(&mut self.sys_name, varbind),
            [1, 3, 6, 1, 6, 3, 10, 2, 1, 1, 0] => keep(&mut self.engine_id, varbind),
            [1, 3, 6, 1, 2, 1, 33, 1, 1, 1, 0] => {
                self.identify(varbind, "UPS-MIB upsIdentManufacturer, RFC 1628")
            }
            [1, 0, 8802, 1, 1, 2, 1, 5, 4795, 1, 2, 6, 0] => {
                self.identify(varbind, "LLDP-EXT-MED-MIB lldpXMedLocMfgName, ANSI/TIA-1057");
            }
            [1, 3, 6, 1, 2, 1, 2, 2, 1, 6, _]
            | [1, 3, 6, 1, 2, 1, 17, 1, 1, 0]
            | [1, 0, 8802, 1, 1, 2, 1, 3, 2, 0] => self.address(varbind),
            [1, 3, 6, 1, 2, 1, 2, 2, 1, 2, interface] | [1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 1, interface] => {
                self.interface(*interface, varbind);
            }
            [1, 3, 6, 1, 2, 1, 47, 1, 1, 1, 1, column, entity] => self.entity(*entity, *column, varbind),
            // CISCO-CDP-MIB: answered by many makers, and its rows are of neighbours.
            [1, 3, 6, 1, 4, 1, 9, 9, 23, ..] => {}
            [1, 3, 6, 1, 4, 1, below @ ..] => self.private(below, varbind, knowledge),
            _ => {}
        }
    }

    fn address(&mut self, varbind: &'a Varbind) {
        if self.addresses.len() < MAX_ADDRESSES {
            self.addresses.push(varbind);
        }
    }

    /// ifDescr (RFC 2863, ifTable) or ifName of an interface.
    fn interface(&mut self, interface: u32, varbind: &Varbind) {
        let name = varbind.value.octets.trim_ascii_start();
        let begins = |start: &&str| {
            name.get(..start.len())
                .is_some_and(|begun| begun.eq_ignore_ascii_case(start.as_bytes()))
        };
        if self.peripherals.len() < MAX_ADDRESSES && PERIPHERALS.iter().any(begins) {
            self.peripherals.insert(interface);
        }
    }

    fn identify(&mut self, varbind: &'a Varbind, standard: &'static str) {
        if self.identification.len() < 8 {
            self.identification.push((varbind, standard));
        }
    }

    fn entity(&mut self, entity: u32, column: u32, varbind: &'a Varbind) {
        if self.entities.len() >= MAX_PARTS && !self.entities.contains_key(&entity) {
            self.parts_cut = true;
            return;
        }
        let cells = &mut self.entities.entry(entity).or_default().cells;
        let first = *cells.entry(column).or_insert(varbind);
        if first.value != varbind.value {
            self.repeated.insert(entity);
        }
    }

    fn private(&mut self, below: &'a [u32], varbind: &'a Varbind, knowledge: &Knowledge) {
        let Some(number) = below.first() else { return };
        if self.arcs.len() < MAX_NUMBERS || self.arcs.contains_key(number) {
            let places = self.arcs.entry(*number).or_default();
            if places.len() < MAX_PLACES {
                let first = places
                    .entry(below.get(..below.len().min(4)).unwrap_or_default())
                    .or_insert(varbind);
                if varbind.oid.arcs() < first.oid.arcs() {
                    *first = varbind;
                }
            }
        }
        for (at, table) in knowledge.tables_of(*number) {
            let Some([column, row @ ..]) = varbind.oid.arcs().strip_prefix(table.root.as_slice()) else {
                continue;
            };
            if row.is_empty() || !table.has_column(*column) {
                continue;
            }
            if self.parts.len() >= MAX_PARTS && !self.parts.contains_key(&(at, row)) {
                self.parts_cut = true;
                return;
            }
            self.parts
                .entry((at, row))
                .or_default()
                .cells
                .entry(*column)
                .or_insert(varbind);
        }
    }
}

fn keep<'a>(place: &mut Option<&'a Varbind>, varbind: &'a Varbind) {
    place.get_or_insert(varbind);
}

/// A varbind as a claim refers to it: bounded octets and text.
pub(crate) fn evidence_of(varbind: &Varbind) -> EvidenceRef {
    let octets = &varbind.value.octets;
    EvidenceRef {
        oid: varbind.oid.clone(),
        tag: varbind.value.tag,
        octets_hex: hex::encode(octets.get(..octets.len().min(256)).unwrap_or_default()),
        shown: shown(&varbind.value),
    }
}

fn shown(value: &Value) -> String {
    let octets = &value.octets;
    let text = match value.tag {
        Value::OCTET_STRING if is_text(octets) => value.text(MOST_SHOWN),
        Value::OBJECT_IDENTIFIER => value.oid().map(|oid: Oid| oid.to_string()),
        _ => value.integer().map(|n| n.to_string()),
    };
    let mut text = text
        .unwrap_or_else(|| hex::encode(octets.get(..octets.len().min(MOST_SHOWN / 2)).unwrap_or_default()));
    // Longer than this are only identifiers, which are of one octet a character.
    if text.is_ascii() {
        text.truncate(MOST_SHOWN);
    }
    text
}

/// Most characters of a value that are shown.
const MOST_SHOWN: usize = 200;

fn is_text(octets: &[u8]) -> bool {
    octets
        .iter()
        .filter(|b| b.is_ascii_graphic() || b.is_ascii_whitespace())
        .count()
        * 4
        >= octets.len() * 3
}
