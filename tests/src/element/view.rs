//! What an element knows: objects in SNMP's order, each already encoded.
//!
//! Invariant: names ascend strictly, so that a walk ends.

use async_snmp::ber::EncodeBuf;
use model::{Oid, Value};
use std::collections::BTreeMap;

/// sysUpTime.0 (RFC 3418), the one object whose value runs.
const UPTIME: [u32; 9] = [1, 3, 6, 1, 2, 1, 1, 3, 0];

/// The objects of one element.
#[derive(Debug, Default)]
pub struct View {
    rows: Vec<Row>,
}

/// One object.
#[derive(Debug)]
pub struct Row {
    arcs: Vec<u32>,
    value: Value,
    varbind: Vec<u8>,
}

/// What a GET finds.
#[derive(Debug)]
pub enum Found<'a> {
    /// The object.
    Row(&'a Row),
    /// Objects like it are known, this instance is not (RFC 3416, 4.2.1).
    NoSuchInstance,
    /// Nothing like it is known.
    NoSuchObject,
}

impl View {
    /// From objects in any order; of two of the same name the later one stays.
    #[must_use]
    pub fn new(objects: impl IntoIterator<Item = (Oid, Value)>) -> Self {
        let sorted: BTreeMap<Oid, Value> = objects.into_iter().collect();
        let row = |(oid, value): (Oid, Value)| Row {
            arcs: oid.arcs().to_vec(),
            varbind: encode(&oid.to_ber(), &value),
            value,
        };
        Self {
            rows: sorted.into_iter().map(row).collect(),
        }
    }

    /// How many objects there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The object at a position in SNMP's order.
    #[must_use]
    pub fn at(&self, position: usize) -> Option<&Row> {
        self.rows.get(position)
    }

    /// GET.
    #[must_use]
    pub fn get(&self, name: &[u32]) -> Found<'_> {
        match self.rows.binary_search_by(|row| row.arcs.as_slice().cmp(name)) {
            Ok(position) => self.at(position).map_or(Found::NoSuchObject, Found::Row),
            Err(position) => {
                let object = name.split_last().map_or(name, |(_, object)| object);
                let like = |row: Option<&Row>| row.is_some_and(|row| row.arcs.starts_with(object));
                if like(self.at(position)) || like(position.checked_sub(1).and_then(|p| self.at(p))) {
                    Found::NoSuchInstance
                } else {
                    Found::NoSuchObject
                }
            }
        }
    }

    /// GETNEXT: the position of the first object after `name`; [`Self::len`] at the end.
    #[must_use]
    pub fn after(&self, name: &[u32]) -> usize {
        self.rows.partition_point(|row| row.arcs.as_slice() <= name)
    }
}

impl Row {
    /// Its name.
    #[must_use]
    pub fn arcs(&self) -> &[u32] {
        &self.arcs
    }

    /// Whether version 1 cannot carry it (Counter64, RFC 2578, 7.1.10).
    #[must_use]
    pub fn is_counter64(&self) -> bool {
        self.value.tag == 0x46
    }

    /// Appends its variable binding, with the running time if it is sysUpTime.0.
    pub fn append(&self, uptime: u32, out: &mut Vec<u8>) {
        if self.arcs == UPTIME {
            let value = Value {
                tag: Value::TIME_TICKS,
                octets: crate::recording::unsigned(uptime.into()),
            };
            out.extend_from_slice(&encode(&Oid::from_arcs(&UPTIME).to_ber(), &value));
        } else {
            out.extend_from_slice(&self.varbind);
        }
    }
}

/// One variable binding of any name and value, as it stands on the wire.
#[must_use]
pub fn encode(name: &[u8], value: &Value) -> Vec<u8> {
    let mut buffer = EncodeBuf::with_capacity(name.len() + value.octets.len() + 16);
    let whole = buffer.push_sequence(|buffer| {
        buffer.push_bytes(&value.octets);
        buffer.push_length(value.octets.len())?;
        buffer.push_tag(value.tag);
        buffer.push_bytes(name);
        buffer.push_length(name.len())?;
        buffer.push_tag(Value::OBJECT_IDENTIFIER);
        Ok(())
    });
    whole.map_or_else(|_| Vec::new(), |()| buffer.finish_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(names: &[&str]) -> View {
        View::new(
            names
                .iter()
                .map(|name| (name.parse().unwrap(), Value::octet_string(*name))),
        )
    }

    #[test]
    fn orders_by_number_not_by_text() {
        let view = view(&["1.3.10.0", "1.3.9.0", "1.3.9.0"]);
        assert_eq!(view.len(), 2);
        assert_eq!(view.after(&[1, 3]), 0);
        assert_eq!(view.after(&[1, 3, 9, 0]), 1);
        assert_eq!(view.after(&[1, 3, 10, 0]), 2);
    }

    #[test]
    fn tells_missing_instances_from_missing_objects() {
        let view = view(&["1.3.6.1.2.1.1.1.0", "1.3.6.1.2.1.2.2.1.2.7"]);
        assert!(matches!(view.get(&[1, 3, 6, 1, 2, 1, 1, 1, 0]), Found::Row(_)));
        assert!(matches!(
            view.get(&[1, 3, 6, 1, 2, 1, 2, 2, 1, 2, 9]),
            Found::NoSuchInstance
        ));
        assert!(matches!(
            view.get(&[1, 3, 6, 1, 2, 1, 2, 2, 1, 2, 1]),
            Found::NoSuchInstance
        ));
        assert!(matches!(view.get(&[1, 3, 6, 1, 2, 1, 9, 0]), Found::NoSuchObject));
    }

    #[test]
    fn varbinds_are_what_the_standard_says() {
        let value = Value {
            tag: 0x02,
            octets: vec![5],
        };
        assert_eq!(encode(&[0x2b, 6], &value), [0x30, 7, 6, 2, 0x2b, 6, 2, 1, 5]);
    }

    #[test]
    fn uptime_runs() {
        let view = view(&["1.3.6.1.2.1.1.3.0"]);
        let mut out = Vec::new();
        view.at(0).unwrap().append(258, &mut out);
        assert!(out.ends_with(&[0x43, 2, 1, 2]), "{out:?}");
    }
}
