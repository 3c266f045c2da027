//! What one element showed, in order of time, as tenures.
//!
//! Invariants: a swap needs hardware evidence on both sides; what is not told any more ends nothing; a round that
//! is not complete may add hardware and words, and ends only the single unit whose serial number it contradicts.

use super::key;
use model::{ElementId, Hardware, Shown, Tenure, UnitIdentity};

/// The tenures of an element; a swap is one that names the slot it replaces. `shown` is in order of `from`.
#[must_use]
pub fn history(element: ElementId, shown: &[Shown]) -> Vec<Tenure> {
    let mut tenures: Vec<Tenure> = Vec::new();
    // Slots of what stands there now.
    let mut open: Vec<usize> = Vec::new();
    for one in shown {
        let alone = open.len() <= 1 && one.hardware.len() == 1;
        let mut stayed = Vec::new();
        let mut came = Vec::new();
        for hardware in &one.hardware {
            if is_silent(hardware) || open.len() > 1 && hardware.identity.serial.is_none() {
                // Nothing tells it from what stands there, and nothing tells that this is gone.
                stayed.extend(open.iter().copied());
                if open.is_empty() {
                    came.push(hardware);
                }
                continue;
            }
            let known = open.iter().copied().find(|&slot| {
                let before = tenures.get(slot).map(|tenure| &tenure.hardware);
                !stayed.contains(&slot)
                    && before.is_some_and(|before| is_same(before, hardware, alone, one.complete))
            });
            match known {
                Some(slot) => {
                    if let Some(tenure) = tenures.get_mut(slot) {
                        learn(&mut tenure.hardware, hardware, one.complete);
                    }
                    stayed.push(slot);
                }
                None => came.push(hardware),
            }
        }
        for &slot in &stayed {
            if let Some(tenure) = tenures.get_mut(slot) {
                tenure.seen = tenure.seen.max(one.until);
                tenure.last = one.digest;
            }
        }
        let ends = one.complete || alone && !came.is_empty();
        let gone: Vec<usize> = open
            .iter()
            .copied()
            .filter(|slot| ends && !stayed.contains(slot))
            .collect();
        for &slot in &gone {
            if let Some(tenure) = tenures.get_mut(slot) {
                tenure.until = Some(one.from);
            }
        }
        open.retain(|slot| !gone.contains(slot));
        let mut gone = gone.into_iter();
        for hardware in came {
            let slot = tenures.len();
            let number = |slot: usize| u32::try_from(slot).unwrap_or(u32::MAX);
            tenures.push(Tenure {
                element,
                slot: number(slot),
                from: one.from,
                until: None,
                seen: one.until,
                first: one.digest,
                last: one.digest,
                replaces: gone.next().map(number),
                hardware: hardware.clone(),
            });
            open.push(slot);
        }
    }
    // Whoever shows other hardware in each round costs no more than others.
    let surplus = tenures.len().saturating_sub(MOST);
    let mut number = 0;
    tenures.retain(|tenure| {
        number += 1;
        tenure.until.is_none() || number > surplus
    });
    tenures
}

/// Tenures of one element that are remembered, the newest; and all that last.
const MOST: usize = 256;

/// Whether it tells nothing by which hardware is told apart.
fn is_silent(hardware: &Hardware) -> bool {
    key::words(hardware).is_empty()
}

/// Whether this may be the hardware that stood there: of several, by the serial number alone.
fn is_same(before: &Hardware, now: &Hardware, alone: bool, complete: bool) -> bool {
    if alone {
        return !is_other(&before.identity, &now.identity, complete);
    }
    match (&before.identity.serial, &now.identity.serial) {
        (Some(before), Some(now)) => before == now,
        // A chassis of a stack whose serial number was not told before.
        (None, _) => !before.member,
        (Some(_), None) => true,
    }
}

/// Whether hardware evidence says that this is another unit. What one side does not tell proves nothing; the serial
/// number outranks the addresses, of which a walk that was cut short may have left out the lowest.
#[must_use]
pub fn is_other(before: &UnitIdentity, now: &UnitIdentity, complete: bool) -> bool {
    let differ = |a: &Option<String>, b: &Option<String>| a.as_ref().zip(b.as_ref()).map(|(a, b)| a != b);
    differ(&before.serial, &now.serial).unwrap_or_else(|| {
        complete
            && differ(&before.base_mac, &now.base_mac) == Some(true)
            && differ(&before.engine_id, &now.engine_id) != Some(false)
    })
}

/// Takes what is told anew; what is told no more stays. A round that is not complete fills gaps only.
fn learn(known: &mut Hardware, now: &Hardware, complete: bool) {
    let (mine, told) = (&mut known.identity, &now.identity);
    let take = |mine: &mut Option<String>, told: &Option<String>| {
        if told.is_some() && (complete || mine.is_none()) {
            mine.clone_from(told);
        }
    };
    take(&mut mine.serial, &told.serial);
    take(&mut mine.base_mac, &told.base_mac);
    take(&mut mine.engine_id, &told.engine_id);
    take(&mut mine.model, &told.model);
    take(&mut mine.software, &told.software);
    take(&mut mine.sys_name, &told.sys_name);
    take(&mut mine.sys_descr, &told.sys_descr);
    if told.sys_object_id.is_some() && (complete || mine.sys_object_id.is_none()) {
        mine.sys_object_id.clone_from(&told.sys_object_id);
    }
    if now.maker.is_some() && (complete || known.maker.is_none()) {
        known.maker.clone_from(&now.maker);
    }
    known.member = now.member;
}

#[cfg(test)]
mod tests;
