//! Which tenures, at any places, are of one unit.
//!
//! Invariants: automatic only where strong keys agree and nothing that is told contradicts; weak words never join;
//! a key told by two contradicting units at the same time joins nothing in this company; the operator's later
//! decision outranks everything.

use super::key::{self, Kind};
use model::{Decision, Handle, Hardware, Joined, Tenure, UnitDoubt, UnitId};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// A key that more tenures tell is common and joins nothing.
pub const COMMON: usize = 64;

/// What two tenures are to each other.
#[derive(Debug, PartialEq, Eq)]
enum Kinship<'a> {
    /// Nothing in common.
    Strangers,
    /// One unit, by these keys.
    Same(Vec<&'a str>),
    /// Maybe one unit.
    Perhaps(String),
    /// Two units that tell the same keys.
    Clones(Vec<&'a str>, String),
}

/// One tenure with what is compared again and again.
struct Told<'a> {
    tenure: &'a Tenure,
    keys: BTreeMap<Kind, String>,
    words: Vec<String>,
}

/// Joins tenures that have to do with each other: all that share a key, which is not one of the `common` ones, or
/// a decision.
#[must_use]
pub fn join(tenures: &[Tenure], decisions: &[Decision], common: &BTreeSet<String>) -> Joined {
    let told: Vec<Told<'_>> = tenures
        .iter()
        .map(|tenure| Told {
            tenure,
            keys: key::keys(&tenure.hardware).into_iter().collect(),
            words: key::words(&tenure.hardware),
        })
        .collect();
    let mut doubts = BTreeSet::new();
    note_common(&told, common, &mut doubts);
    let apart: Vec<Option<model::Instant>> = told.iter().map(|one| apart_since(one, decisions)).collect();
    let mut groups = Groups::new(told.len());
    let mut same = Vec::new();
    let mut perhaps = Vec::new();
    let mut cloned: BTreeSet<&str> = BTreeSet::new();
    let mut clones = Vec::new();
    for (a, one) in told.iter().enumerate() {
        for (b, other) in told.iter().enumerate().skip(a + 1) {
            if decided(one, other, decisions)
                > apart
                    .get(a)
                    .copied()
                    .flatten()
                    .max(apart.get(b).copied().flatten())
            {
                groups.unite(a, b);
                continue;
            }
            let alone = |at: usize| apart.get(at).is_some_and(Option::is_some);
            if alone(a) || alone(b) {
                continue;
            }
            match kinship(one, other, common) {
                Kinship::Strangers => {}
                Kinship::Same(keys) => same.push((a, b, keys)),
                Kinship::Perhaps(text) => perhaps.push((a, b, text)),
                Kinship::Clones(keys, text) => {
                    cloned.extend(keys);
                    clones.push((a, b, text));
                }
            }
        }
    }
    for (a, b, keys) in same {
        if keys.iter().all(|key| cloned.contains(key)) {
            let text = format!("both tell {}, which a third one tells too", keys.join(" and "));
            perhaps.push((a, b, text));
        } else {
            groups.unite(a, b);
        }
    }
    for (code, pairs) in [("perhaps_same", perhaps), ("cloned_key", clones)] {
        for (a, b, text) in pairs {
            if groups.of(a) != groups.of(b)
                && let (Some(one), Some(other)) = (told.get(a), told.get(b))
            {
                doubts.insert(doubt(one, other, code, &text));
                doubts.insert(doubt(other, one, code, &text));
            }
        }
    }
    Joined {
        units: groups.units(tenures),
        doubts,
    }
}

fn place(one: &Told<'_>) -> (model::ElementId, u32) {
    (one.tenure.element, one.tenure.slot)
}

fn doubt(one: &Told<'_>, other: &Told<'_>, code: &'static str, text: &str) -> UnitDoubt {
    UnitDoubt {
        about: place(one),
        other: place(other),
        code,
        text: text.chars().take(300).collect(),
    }
}

/// A doubt at everyone who tells a key that too many tell.
fn note_common(told: &[Told<'_>], common: &BTreeSet<String>, doubts: &mut BTreeSet<UnitDoubt>) {
    for one in told {
        for key in one.keys.values().filter(|key| common.contains(*key)) {
            let text = format!("more than {COMMON} tell {key}: it tells nobody from others");
            doubts.insert(doubt(one, one, "common_key", &text));
        }
    }
}

fn is_meant(handle: &Handle, one: &Told<'_>) -> bool {
    handle.element == one.tenure.element
        && if handle.word.is_empty() {
            one.words.is_empty()
        } else {
            one.words.contains(&handle.word)
        }
}

/// Since when the operator holds it to be a unit of its own.
fn apart_since(one: &Told<'_>, decisions: &[Decision]) -> Option<model::Instant> {
    let alone = decisions.iter().filter(|decision| decision.other.is_none());
    alone
        .filter(|decision| is_meant(&decision.one, one))
        .map(|decision| decision.at)
        .max()
}

/// When the operator last said that these are one.
fn decided(one: &Told<'_>, other: &Told<'_>, decisions: &[Decision]) -> Option<model::Instant> {
    let both = decisions.iter().filter(|decision| {
        decision.other.as_ref().is_some_and(|second| {
            let first = &decision.one;
            is_meant(first, one) && is_meant(second, other) || is_meant(first, other) && is_meant(second, one)
        })
    });
    both.map(|decision| decision.at).max()
}

fn kinship<'a>(one: &'a Told<'_>, other: &'a Told<'_>, common: &BTreeSet<String>) -> Kinship<'a> {
    let mut agree: Vec<(Kind, &'a str)> = Vec::new();
    let mut differ = Vec::new();
    for (kind, key) in &one.keys {
        match other.keys.get(kind) {
            Some(same) if same == key && !common.contains(key) => agree.push((*kind, key)),
            Some(another) if another != key => differ.push(kind.name()),
            _ => {}
        }
    }
    if agree.is_empty() {
        return Kinship::Strangers;
    }
    let alike = is_alike(&one.tenure.hardware, &other.tenure.hardware);
    let overlap = one.tenure.element != other.tenure.element && overlap(one.tenure, other.tenure);
    let keys: Vec<&str> = agree.iter().map(|(_, key)| *key).collect();
    let both = format!("both tell {}", keys.join(" and "));
    let hardware = agree.iter().any(|(kind, _)| *kind != Kind::Engine);
    if differ.is_empty() && alike {
        let named = names(&one.tenure.hardware, &other.tenure.hardware);
        return match (keys.len(), named) {
            // An engine ID can be copied with a configuration: it needs the name beside it.
            (1, named) if !hardware && named != Some(true) => {
                Kinship::Perhaps(format!("{both} and no other key"))
            }
            (1, Some(false)) if overlap => {
                Kinship::Perhaps(format!("{both} and call themselves differently"))
            }
            _ => Kinship::Same(keys),
        };
    }
    let against = match (differ.as_slice(), alike) {
        ([], _) => "model or maker differs".to_owned(),
        (differ, true) => format!("{} differs", differ.join(" and ")),
        (differ, false) => format!("{}, model or maker differ", differ.join(" and ")),
    };
    match (overlap, hardware && alike) {
        (true, true) if keys.len() > 1 => Kinship::Perhaps(format!("{both}, but {against}")),
        (true, _) => Kinship::Clones(keys, format!("{both} at the same time, but {against}")),
        (false, true) => Kinship::Perhaps(format!("{both} one after the other, but {against}")),
        (false, false) => Kinship::Strangers,
    }
}

/// Whether nothing both tell about what kind of thing they are differs. Chassis of a stack tell less.
fn is_alike(one: &Hardware, other: &Hardware) -> bool {
    fn agree<T: PartialEq>(a: &Option<T>, b: &Option<T>) -> bool {
        a.as_ref().zip(b.as_ref()).is_none_or(|(a, b)| a == b)
    }
    let maker = |hardware: &Hardware| hardware.maker.as_ref().map(|maker| maker.id.clone());
    agree(&one.identity.model, &other.identity.model)
        && agree(&one.identity.sys_object_id, &other.identity.sys_object_id)
        && agree(&maker(one), &maker(other))
}

/// Whether they call themselves the same, if both do at all.
fn names(one: &Hardware, other: &Hardware) -> Option<bool> {
    let both = one
        .identity
        .sys_name
        .as_ref()
        .zip(other.identity.sys_name.as_ref());
    both.map(|(one, other)| one == other)
}

/// Whether both were seen at one time: an element that went silent is not known to stand there still.
fn overlap(one: &Tenure, other: &Tenure) -> bool {
    one.from <= other.seen && other.from <= one.seen
}

/// Groups that grow together.
struct Groups(Vec<usize>);

impl Groups {
    fn new(count: usize) -> Self {
        Self((0..count).collect())
    }

    fn of(&self, at: usize) -> usize {
        self.0.get(at).copied().unwrap_or(at)
    }

    fn unite(&mut self, a: usize, b: usize) {
        let (keep, give) = (self.of(a).min(self.of(b)), self.of(a).max(self.of(b)));
        for group in self.0.iter_mut().filter(|group| **group == give) {
            *group = keep;
        }
    }

    /// The key of a unit stands for where and when it was seen first.
    fn units(&self, tenures: &[Tenure]) -> Vec<UnitId> {
        let mut first: BTreeMap<usize, &Tenure> = BTreeMap::new();
        for (at, tenure) in tenures.iter().enumerate() {
            let order = |tenure: &Tenure| (tenure.from, tenure.element, tenure.slot);
            let known = first.entry(self.of(at)).or_insert(tenure);
            if order(tenure) < order(known) {
                *known = tenure;
            }
        }
        let unit = |at: usize| {
            let mut octets = [0_u8; 16];
            if let Some(tenure) = first.get(&self.of(at)) {
                let text = format!("{} {} {}", tenure.element, tenure.from.0, tenure.slot);
                for (octet, hash) in octets.iter_mut().zip(Sha256::digest(text)) {
                    *octet = hash;
                }
            }
            UnitId::made_from(octets)
        };
        (0..tenures.len()).map(unit).collect()
    }
}

#[cfg(test)]
mod tests;
