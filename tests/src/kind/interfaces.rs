//! IF-MIB (RFC 2863): the columns a poller meets, for interfaces described in runs.

use super::dice::{Dice, Places};
use crate::recording::{signed, unsigned};
use model::{Oid, Value};
use serde::Deserialize;

/// ifEntry and ifXEntry.
const ENTRY: [u32; 9] = [1, 3, 6, 1, 2, 1, 2, 2, 1];
const MORE: [u32; 10] = [1, 3, 6, 1, 2, 1, 31, 1, 1, 1];
/// softwareLoopback, which has no address on the wire.
const LOOPBACK: u8 = 24;

/// A run of interfaces of the same sort.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interface {
    /// ifDescr and ifName, `{n}` counting from 1.
    pub name: String,
    /// How many.
    #[serde(default = "one")]
    pub count: u32,
    /// ifType (IANAifType-MIB); 6 is Ethernet.
    #[serde(default = "ethernet", rename = "type")]
    pub kind: u8,
    /// Speed in Mbit/s.
    #[serde(default = "gigabit")]
    pub mbit: u32,
    /// ifAlias.
    #[serde(default)]
    pub alias: String,
}

fn one() -> u32 {
    1
}

fn ethernet() -> u8 {
    6
}

fn gigabit() -> u32 {
    1_000
}

/// The rows of ifTable and ifXTable, and how many interfaces there are.
pub(super) fn rows(
    runs: &[Interface],
    shows_mac: bool,
    places: &Places,
    dice: &mut Dice,
) -> (Vec<(Oid, Value)>, u32) {
    let mut rows = Vec::new();
    let mut index = 0;
    for run in runs {
        for n in 1..=run.count {
            index += 1;
            let places = Places {
                counts: [n, 1, 1],
                ..places.clone()
            };
            rows.extend(interface(run, index, shows_mac, &places, dice));
        }
    }
    let number = Value {
        tag: Value::INTEGER,
        octets: signed(index.into()),
    };
    rows.push((Oid::from_arcs(&[1, 3, 6, 1, 2, 1, 2, 1, 0]), number));
    (rows, index)
}

fn interface(
    run: &Interface,
    index: u32,
    shows_mac: bool,
    places: &Places,
    dice: &mut Dice,
) -> Vec<(Oid, Value)> {
    let entry = |column: u32| Oid::from_arcs(&ENTRY).child(&[column, index]);
    let more = |column: u32| Oid::from_arcs(&MORE).child(&[column, index]);
    let integer = |n: u32| Value {
        tag: Value::INTEGER,
        octets: signed(n.into()),
    };
    let of = |tag: u8, n: u64| Value {
        tag,
        octets: unsigned(n),
    };
    let name = places.fill(&run.name, dice);
    let up = dice.below(10) < 7;
    let (received, sent) = if up {
        (dice.roll() >> 20, dice.roll() >> 20)
    } else {
        (0, 0)
    };
    let address = if run.kind == LOOPBACK || !shows_mac {
        Vec::new()
    } else {
        address(places.mac, index).to_vec()
    };
    let bits = u64::from(run.mbit) * 1_000_000;
    vec![
        (entry(1), integer(index)),
        (entry(2), Value::octet_string(name.as_str())),
        (entry(3), integer(run.kind.into())),
        (
            entry(4),
            integer(if run.kind == LOOPBACK { 65_536 } else { 1_500 }),
        ),
        (entry(5), of(0x42, bits.min(u32::MAX.into()))),
        (entry(6), Value::octet_string(address)),
        (entry(7), integer(1)),
        (entry(8), integer(if up { 1 } else { 2 })),
        (entry(10), of(0x41, received & 0xffff_ffff)),
        (entry(16), of(0x41, sent & 0xffff_ffff)),
        (more(1), Value::octet_string(name)),
        (more(6), of(0x46, received)),
        (more(10), of(0x46, sent)),
        (more(15), of(0x42, run.mbit.into())),
        (more(18), Value::octet_string(places.fill(&run.alias, dice))),
    ]
}

/// The address of the nth interface: that of the element, counted on.
pub(super) fn address(base: [u8; 6], n: u32) -> [u8; 6] {
    let [a, b, c, d, e, f] = base;
    let [_, d, e, f] = (u32::from_be_bytes([0, d, e, f]) + n).to_be_bytes();
    [a, b, c, d, e, f]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_on_over_all_runs() {
        let run = |name: &str, kind, count| Interface {
            name: name.into(),
            count,
            kind,
            mbit: 100_000,
            alias: String::new(),
        };
        let places = Places {
            mac: [0, 1, 2, 3, 4, 255],
            ..Places::default()
        };
        let (rows, count) = rows(
            &[run("lo", 24, 1), run("eth{n}", 6, 2)],
            true,
            &places,
            &mut Dice::new("x"),
        );
        assert_eq!(count, 3);
        let value = |oid: &str| {
            rows.iter()
                .find(|(o, _)| o.to_string() == oid)
                .map(|(_, v)| v.octets.clone())
        };
        assert_eq!(value("1.3.6.1.2.1.2.2.1.2.3").unwrap(), b"eth2");
        assert_eq!(value("1.3.6.1.2.1.2.2.1.6.1").unwrap(), b"");
        assert_eq!(value("1.3.6.1.2.1.2.2.1.6.2").unwrap(), [0, 1, 2, 3, 5, 1]);
        assert_eq!(value("1.3.6.1.2.1.2.2.1.5.2").unwrap(), [0, 255, 255, 255, 255]);
    }
}
