//! Keys: what hardware tells that no other hardware should.
//!
//! Invariants: a key that many devices tell by accident (a filler, an engine ID made of
//! a network address or a text) is none; words do not depend on knowledge, keys may.

use model::Hardware;
use std::collections::BTreeSet;

/// The kinds of keys, the strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Serial number, with the maker who gave it.
    Serial,
    /// Lowest hardware address.
    Address,
    /// snmpEngineID.
    Engine,
}

impl Kind {
    /// For people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Serial => "serial number",
            Self::Address => "hardware address",
            Self::Engine => "engine ID",
        }
    }
}

/// The strong keys of a piece of hardware, each with its kind.
#[must_use]
pub fn keys(hardware: &Hardware) -> BTreeSet<(Kind, String)> {
    let identity = &hardware.identity;
    let serial = identity.serial.as_deref().filter(|serial| is_serial(serial));
    let serial = serial.zip(hardware.maker.as_ref()).map(|(serial, maker)| {
        let serial = serial.trim().to_uppercase();
        (Kind::Serial, format!("serial {}/{serial}", maker.id))
    });
    let address = identity.base_mac.as_deref();
    let engine = identity.engine_id.as_deref().filter(|engine| is_engine(engine));
    [
        serial,
        address.map(|address| (Kind::Address, format!("mac {address}"))),
        engine.map(|engine| (Kind::Engine, format!("engine {engine}"))),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What it told, strongest first, whatever knowledge says: what decisions refer to.
#[must_use]
pub fn words(hardware: &Hardware) -> Vec<String> {
    let identity = &hardware.identity;
    let told = [
        ("serial", &identity.serial),
        ("mac", &identity.base_mac),
        ("engine", &identity.engine_id),
    ];
    told.into_iter()
        .filter_map(|(kind, word)| Some(format!("{kind} {}", word.as_deref()?.trim())))
        .collect()
}

/// Whether a serial number can be one: at least five letters and digits, not one of them over and over,
/// and no filler.
#[must_use]
pub fn is_serial(text: &str) -> bool {
    const FILLERS: [&str; 8] = [
        "0123456789",
        "123456789",
        "1234567890",
        "12345678",
        "DEFAULTSTRING",
        "TOBEFILLEDBYOEM",
        "NOTSPECIFIED",
        "SYSTEMSERIALNUMBER",
    ];
    let plain: String = text
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_uppercase())
        .collect();
    let first = plain.chars().next();
    plain.len() >= 5 && !plain.chars().all(|c| Some(c) == first) && !FILLERS.contains(&plain.as_str())
}

/// Whether an engine ID (RFC 3411, SnmpEngineID) is made of something of the device's own. Formats 1 and 2 hold a
/// network address, which other sites use too, and format 4 a text that people write.
fn is_engine(hexadecimal: &str) -> bool {
    let Ok(octets) = hex::decode(hexadecimal) else {
        return false;
    };
    match octets.as_slice() {
        [first, _, _, _, 1 | 2 | 4, ..] if first & 0x80 != 0 => false,
        [first, _, _, _, 3, own @ ..] if first & 0x80 != 0 => own.len() == 6 && is_varied(own),
        [first, _, _, _, _, own @ ..] if first & 0x80 != 0 => own.len() >= 8 && is_varied(own),
        [_, _, _, _, own @ ..] => own.len() == 8 && is_varied(own),
        _ => false,
    }
}

fn is_varied(octets: &[u8]) -> bool {
    octets.iter().collect::<BTreeSet<_>>().len() >= 3
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{SupplierRef, UnitIdentity};

    #[test]
    fn what_many_devices_tell_is_no_key() {
        for (serial, good) in [
            ("FOC1234X0AB", true),
            ("2102350DLX10J7000123", true),
            ("00000000", false),
            ("1234", false),
            ("0123456789", false),
            ("To be filled by O.E.M.", false),
            ("Default string", false),
            ("----------", false),
        ] {
            assert_eq!(is_serial(serial), good, "{serial}");
        }
        for (engine, good) in [
            ("800007db0300e0fc123456", true),
            ("80000009010a000001", false),
            ("80001f880474657874", false),
            ("80001f8880aabbccddeeff0011", true),
            ("000000090200aabbccddeeff", true),
            ("800007db03000000000000", false),
            ("80", false),
            ("", false),
            ("zz", false),
        ] {
            assert_eq!(is_engine(engine), good, "{engine}");
        }
    }

    #[test]
    fn a_serial_number_is_a_key_with_its_maker_alone() {
        let told = |maker: Option<&str>| Hardware {
            identity: UnitIdentity {
                serial: Some(" foc1234x0ab ".into()),
                ..UnitIdentity::default()
            },
            maker: maker.map(|id| SupplierRef {
                id: id.into(),
                name: id.into(),
            }),
            member: false,
        };
        assert!(keys(&told(None)).is_empty());
        let key = (Kind::Serial, "serial cisco/FOC1234X0AB".to_owned());
        assert_eq!(keys(&told(Some("cisco"))), BTreeSet::from([key]));
        assert_eq!(words(&told(None)), ["serial foc1234x0ab"]);
    }
}
