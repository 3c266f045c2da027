//! Everything one element shows: system group, parts, interfaces, neighbours, engine, private tables.

use super::dice::{Dice, Places};
use super::{Kind, Pools, entity, interfaces};
use crate::recording::{self, signed, unsigned};
use model::{Oid, Value};
use std::net::Ipv4Addr;

const SYSTEM: [u32; 7] = [1, 3, 6, 1, 2, 1, 1];
const LLDP: [u32; 7] = [1, 0, 8802, 1, 1, 2, 1];
const ENGINE: [u32; 9] = [1, 3, 6, 1, 6, 3, 10, 2, 1];
/// Subtype of chassis and port identifiers: a MAC address (IEEE 802.1AB).
const MAC_ADDRESS: i64 = 4;
/// Subtype of port identifiers: an interface name.
const INTERFACE_NAME: i64 = 5;

/// What an element is to its neighbours.
#[derive(Debug, Clone)]
pub struct Neighbour {
    /// sysName.
    pub name: String,
    /// sysDescr.
    pub descr: String,
    /// Chassis address.
    pub mac: [u8; 6],
}

/// What an element shows.
#[derive(Debug)]
pub struct Shown {
    /// Its objects.
    pub objects: Vec<(Oid, Value)>,
    /// snmpEngineID; empty if it has none.
    pub engine_id: Vec<u8>,
}

/// The element of a kind as its neighbours see it.
#[must_use]
pub fn neighbour(kind: &Kind, name: &str) -> Neighbour {
    let mut dice = Dice::new(name);
    let places = Places {
        name: name.to_owned(),
        ..Places::default()
    };
    Neighbour {
        name: name.to_owned(),
        descr: places.fill(&kind.descr, &mut dice),
        mac: mac(&kind.oui, name),
    }
}

/// The objects of the element of a kind at an address.
///
/// # Errors
/// A sentence saying what of the kind is wrong.
pub fn objects(
    kind: &Kind,
    pools: &Pools,
    name: &str,
    site: &str,
    address: Ipv4Addr,
    neighbours: &[Neighbour],
) -> Result<Shown, String> {
    let why = |what: String| format!("kind {}: {what}", kind.key);
    let mac = mac(&kind.oui, name);
    let places = Places {
        name: name.to_owned(),
        site: site.to_owned(),
        address: address.to_string(),
        mac,
        counts: [1; 3],
    };
    let mut dice = Dice::new(name);
    let mut objects = Vec::new();
    if !kind.recording.is_empty() {
        objects.extend(recording::parse(&kind.recording).map_err(|e| why(e.to_string()))?);
        return Ok(Shown {
            objects,
            engine_id: Vec::new(),
        });
    }
    let descr = places.fill(&kind.descr, &mut dice);
    if !descr.is_empty() {
        objects.extend(system(kind, &descr, name, site).map_err(why)?);
    }
    objects.extend(entity::rows(kind, pools, &places, &mut dice).map_err(why)?);
    if !kind.interfaces.is_empty() {
        let (rows, count) = interfaces::rows(&kind.interfaces, !kind.oui.is_empty(), &places, &mut dice);
        objects.extend(rows);
        if kind.lldp {
            objects.extend(lldp(kind, name, &descr, mac, neighbours, count));
        }
    }
    let engine_id = engine_id(kind.engine, mac);
    if !engine_id.is_empty() {
        objects.extend(engine(&engine_id, kind.max_size));
    }
    let values = places.fill(&kind.values, &mut dice);
    objects.extend(recording::parse(&values).map_err(|e| why(format!("values, {e}")))?);
    Ok(Shown { objects, engine_id })
}

/// The address of an element: the prefix of its kind and three octets made of its name.
fn mac(oui: &str, name: &str) -> [u8; 6] {
    let prefix = u32::from_str_radix(oui, 16).unwrap_or(0).to_be_bytes();
    let own = Dice::new(name).roll().to_be_bytes();
    let ([_, a, b, c], [d, e, f, ..]) = (prefix, own);
    [a, b, c, d & 0x7f, e, f & 0xc0]
}

fn system(kind: &Kind, descr: &str, name: &str, site: &str) -> Result<Vec<(Oid, Value)>, String> {
    let object = |n: u32| Oid::from_arcs(&SYSTEM).child(&[n, 0]);
    let mut rows = vec![
        (object(1), Value::octet_string(descr)),
        (
            object(3),
            Value {
                tag: Value::TIME_TICKS,
                octets: unsigned(0),
            },
        ),
        (object(4), Value::octet_string("noc@lab.example")),
        (object(5), Value::octet_string(name)),
        (object(6), Value::octet_string(site)),
        (
            object(7),
            Value {
                tag: Value::INTEGER,
                octets: signed(kind.services.into()),
            },
        ),
    ];
    if !kind.object_id.is_empty() {
        let id: Oid = kind
            .object_id
            .parse()
            .map_err(|_| format!("{:?} is no object identifier", kind.object_id))?;
        rows.push((object(2), Value::object_identifier(&id)));
    }
    Ok(rows)
}

/// SnmpEngineID with a MAC address (RFC 3411, 5); empty for enterprise 0.
fn engine_id(enterprise: u32, mac: [u8; 6]) -> Vec<u8> {
    if enterprise == 0 {
        return Vec::new();
    }
    let mut id = (enterprise | 0x8000_0000).to_be_bytes().to_vec();
    id.push(3);
    id.extend(mac);
    id
}

fn engine(id: &[u8], max_size: usize) -> Vec<(Oid, Value)> {
    let object = |n: u32| Oid::from_arcs(&ENGINE).child(&[n, 0]);
    let integer = |n: i64| Value {
        tag: Value::INTEGER,
        octets: signed(n),
    };
    vec![
        (object(1), Value::octet_string(id)),
        (object(2), integer(1)),
        (object(3), integer(86_400)),
        (object(4), integer(i64::try_from(max_size).unwrap_or(1_472))),
    ]
}

/// lldpLocal and lldpRemTable (IEEE 802.1AB-2005).
fn lldp(
    kind: &Kind,
    name: &str,
    descr: &str,
    mac: [u8; 6],
    neighbours: &[Neighbour],
    ports: u32,
) -> Vec<(Oid, Value)> {
    let integer = |n: i64| Value {
        tag: Value::INTEGER,
        octets: signed(n),
    };
    let local = |n: u32| Oid::from_arcs(&LLDP).child(&[3, n, 0]);
    let mut rows = vec![
        (local(1), integer(MAC_ADDRESS)),
        (local(2), Value::octet_string(mac)),
        (local(3), Value::octet_string(name)),
        (local(4), Value::octet_string(descr)),
    ];
    let strangers = kind.sees.iter().map(|stranger| Neighbour {
        name: stranger.name.clone(),
        descr: stranger.descr.clone(),
        mac: self::mac(&stranger.oui, &format!("{name} {}", stranger.name)),
    });
    for (number, seen) in (1..=ports.min(255)).zip(neighbours.iter().cloned().chain(strangers)) {
        let remote = |column: u32| Oid::from_arcs(&LLDP).child(&[4, 1, 1, column, 0, number, 1]);
        rows.extend([
            (remote(4), integer(MAC_ADDRESS)),
            (remote(5), Value::octet_string(seen.mac)),
            (remote(6), integer(INTERFACE_NAME)),
            (remote(7), Value::octet_string(format!("port {number}"))),
            (remote(8), Value::octet_string(format!("to {name}"))),
            (remote(9), Value::octet_string(seen.name)),
            (remote(10), Value::octet_string(seen.descr)),
        ]);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Shown {
        let kind: Kind = toml::from_str(text).unwrap();
        let seen = [neighbour(&kind, "peer")];
        objects(
            &kind,
            &Pools::default(),
            "own",
            "Berlin",
            Ipv4Addr::new(127, 20, 1, 1),
            &seen,
        )
        .unwrap()
    }

    fn text(shown: &Shown, oid: &str) -> Option<String> {
        shown
            .objects
            .iter()
            .find(|(o, _)| o.to_string() == oid)
            .and_then(|(_, v)| v.text(200))
    }

    #[test]
    fn shows_system_neighbours_engine_and_private_tables() {
        let shown = shown(
            "key = 'k'\ntitle = 't'\ndescr = 'I am {name}'\nobject_id = '1.3.6.1.4.1.9'\nengine = 9\noui = '00000C'\n\
             lldp = true\ninterfaces = [{ name = 'e{n}', count = 2 }]\nvalues = '1.3.6.1.4.1.9.1.0|4|{address}'",
        );
        assert_eq!(text(&shown, "1.3.6.1.2.1.1.1.0").unwrap(), "I am own");
        assert_eq!(text(&shown, "1.0.8802.1.1.2.1.4.1.1.9.0.1.1").unwrap(), "peer");
        assert_eq!(
            text(&shown, "1.0.8802.1.1.2.1.4.1.1.10.0.1.1").unwrap(),
            "I am peer"
        );
        assert_eq!(text(&shown, "1.3.6.1.4.1.9.1.0").unwrap(), "127.20.1.1");
        assert!(shown.engine_id.starts_with(&[0x80, 0, 0, 9, 3, 0, 0, 0x0c]));
    }

    #[test]
    fn a_recording_is_all_there_is() {
        let shown = shown("key = 'k'\ntitle = 't'\ndescr = 'x'\nrecording = '1.3.6.1.2.1.1.1.0|4|only this'");
        assert_eq!(shown.objects.len(), 1);
        assert_eq!(text(&shown, "1.3.6.1.2.1.1.1.0").unwrap(), "only this");
    }
}
