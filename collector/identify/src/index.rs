//! One pass over an evidence: only the parts that speak of the element itself, by where they stand.
//!
//! Invariants: linear in the evidence; forwarding, ARP, neighbour and name-server tables,
//! names and descriptions given by operators are never looked at; the order in which a device answers does not
//! matter: of an object that answers twice and differently the lesser value counts, the next one is kept beside it.

use crate::knowledge::Knowledge;
use model::{Evidence, EvidenceRef, Oid, Outcome, Value, Varbind};
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::collections::btree_map::{BTreeMap, Entry};

/// Most parts kept of one element: more than a chassis of 100,000 has.
pub(crate) const MAX_PARTS: usize = 131_072;
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
/// CISCO-CDP-MIB: answered by many makers, and its rows are of neighbours.
pub(crate) const CDP: &[u32] = &[1, 3, 6, 1, 4, 1, 9, 9, 23];
/// Columns of entPhysicalTable that are read; alias and asset number are an operator's.
const READ: std::ops::RangeInclusive<u32> = column::DESCR..=column::MODEL;

/// One row of a table, by column.
#[derive(Debug, Default)]
pub(crate) struct Row<'a> {
    cells: BTreeMap<u32, &'a Varbind>,
    /// What columns answered besides.
    others: BTreeMap<u32, &'a Varbind>,
}

impl<'a> Row<'a> {
    /// The value of a column that is there and not an exception.
    pub(crate) fn get(&self, column: u32) -> Option<&'a Varbind> {
        self.cells.get(&column).copied()
    }

    /// All that a column answered: once, or twice where it contradicts itself.
    pub(crate) fn answers(&self, column: u32) -> impl Iterator<Item = &'a Varbind> + use<'a> {
        let other = self.others.get(&column).copied();
        self.get(column).into_iter().chain(other)
    }

    /// Whether any column answered twice and differently.
    pub(crate) fn is_repeated(&self) -> bool {
        !self.others.is_empty()
    }

    fn take(&mut self, column: u32, varbind: &'a Varbind) {
        match self.cells.entry(column) {
            Entry::Vacant(empty) => {
                empty.insert(varbind);
            }
            Entry::Occupied(mut kept) => {
                let beside = settle(kept.get_mut(), varbind);
                keep_beside(&mut self.others, column, beside);
            }
        }
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
    /// What objects of the unit answered besides the value that counts.
    pub(crate) others: BTreeMap<&'a [u32], &'a Varbind>,
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
        index.addresses.sort_by(|a, b| place(a).cmp(&place(b)));
        index.addresses.truncate(MAX_ADDRESSES);
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
            [1, 3, 6, 1, 2, 1, 1, 1, 0] => keep(&mut self.sys_descr, &mut self.others, varbind),
            [1, 3, 6, 1, 2, 1, 1, 2, 0] => keep(&mut self.sys_object_id, &mut self.others, varbind),
            [1, 3, 6, 1, 2, 1, 1, 5, 0] => keep(&mut self.sys_name, &mut self.others, varbind),
            [1, 3, 6, 1, 6, 3, 10, 2, 1, 1, 0] => keep(&mut self.engine_id, &mut self.others, varbind),
            [1, 3, 6, 1, 2, 1, 33, 1, 1, 1, 0] => {
                self.identify(varbind, "UPS-MIB upsIdentManufacturer, RFC 1628")
            }
            [1, 0, 8802, 1, 1, 2, 1, 5, 4795, 1, 2, 6, 0] => {
                self.identify(varbind, "LLDP-EXT-MED-MIB lldpXMedLocMfgName, ANSI/TIA-1057");
            }
            [1, 3, 6, 1, 2, 1, 2, 2, 1, 6, _]
            | [1, 3, 6, 1, 2, 1, 17, 1, 1, 0]
            | [1, 0, 8802, 1, 1, 2, 1, 3, 2, 0]
            | [1, 3, 111, 2, 802, 1, 1, 13, 1, 3, 2, 0] => self.addresses.push(varbind),
            [1, 3, 6, 1, 2, 1, 2, 2, 1, 2, interface] | [1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 1, interface] => {
                self.interface(*interface, varbind);
            }
            [1, 3, 6, 1, 2, 1, 47, 1, 1, 1, 1, column, entity] => self.entity(*entity, *column, varbind),
            arcs if arcs.starts_with(CDP) => {}
            [1, 3, 6, 1, 4, 1, below @ ..] => self.private(below, varbind, knowledge),
            _ => {}
        }
    }

    /// All that an object of the unit answered: once, or twice where it contradicts itself.
    pub(crate) fn answers(&self, kept: Option<&'a Varbind>) -> impl Iterator<Item = &'a Varbind> + use<'a> {
        let other = kept.and_then(|kept| self.others.get(kept.oid.arcs()).copied());
        kept.into_iter().chain(other)
    }

    /// ifDescr (RFC 2863, ifTable) or ifName of an interface.
    fn interface(&mut self, interface: u32, varbind: &Varbind) {
        let name = varbind.value.octets.trim_ascii_start();
        let begins = |start: &&str| {
            name.get(..start.len())
                .is_some_and(|begun| begun.eq_ignore_ascii_case(start.as_bytes()))
        };
        if PERIPHERALS.iter().any(begins) {
            self.peripherals.insert(interface);
            if self.peripherals.len() > MAX_ADDRESSES {
                self.peripherals.pop_last();
            }
        }
    }

    fn identify(&mut self, varbind: &'a Varbind, standard: &'static str) {
        let mut known = self.identification.iter_mut();
        match known.find(|(kept, _)| kept.oid == varbind.oid) {
            Some((kept, _)) => {
                let beside = settle(kept, varbind);
                keep_beside(&mut self.others, kept.oid.arcs(), beside);
            }
            None => self.identification.push((varbind, standard)),
        }
    }

    fn entity(&mut self, entity: u32, column: u32, varbind: &'a Varbind) {
        let row = self.entities.entry(entity).or_default();
        if READ.contains(&column) {
            row.take(column, varbind);
        }
        if self.entities.len() > MAX_PARTS {
            self.entities.pop_last();
            self.parts_cut = true;
        }
    }

    fn private(&mut self, below: &'a [u32], varbind: &'a Varbind, knowledge: &Knowledge) {
        let Some(number) = below.first() else { return };
        let places = self.arcs.entry(*number).or_default();
        let first = places
            .entry(below.get(..below.len().min(4)).unwrap_or_default())
            .or_insert(varbind);
        if place(varbind) < place(first) {
            *first = varbind;
        }
        if places.len() > MAX_PLACES {
            places.pop_last();
        }
        if self.arcs.len() > MAX_NUMBERS {
            self.arcs.pop_last();
        }
        for (at, table) in knowledge.tables_of(*number) {
            let Some([column, row @ ..]) = varbind.oid.arcs().strip_prefix(table.root.as_slice()) else {
                continue;
            };
            if row.is_empty() || !table.has_column(*column) {
                continue;
            }
            self.parts.entry((at, row)).or_default().take(*column, varbind);
            if self.parts.len() > MAX_PARTS {
                self.parts.pop_last();
                self.parts_cut = true;
            }
        }
    }
}

fn keep<'a>(
    kept: &mut Option<&'a Varbind>,
    others: &mut BTreeMap<&'a [u32], &'a Varbind>,
    varbind: &'a Varbind,
) {
    match kept {
        Some(kept) => {
            let beside = settle(kept, varbind);
            keep_beside(others, kept.oid.arcs(), beside);
        }
        None => *kept = Some(varbind),
    }
}

/// Which of two values of one object counts: one that holds something, then the lesser one.
fn rank(varbind: &Varbind) -> (bool, u8, &[u8]) {
    let octets = varbind.value.octets.as_slice();
    (octets.is_empty(), varbind.value.tag, octets)
}

/// Where a varbind stands among all.
fn place(varbind: &Varbind) -> (&[u32], (bool, u8, &[u8])) {
    (varbind.oid.arcs(), rank(varbind))
}

/// Keeps the value that counts; the other one, when they differ.
fn settle<'a>(kept: &mut &'a Varbind, varbind: &'a Varbind) -> Option<&'a Varbind> {
    match rank(varbind).cmp(&rank(kept)) {
        Ordering::Equal => None,
        Ordering::Less => Some(std::mem::replace(kept, varbind)),
        Ordering::Greater => Some(varbind),
    }
}

/// Of all that an object answered besides, what would count next.
fn keep_beside<'a, K: Ord>(others: &mut BTreeMap<K, &'a Varbind>, key: K, beside: Option<&'a Varbind>) {
    let Some(beside) = beside else { return };
    let next = others.entry(key).or_insert(beside);
    settle(next, beside);
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
