//! What tells one piece of hardware from another: serial number, addresses, engine ID, model.

use crate::address;
use crate::index::{Index, Row, column};
use crate::text::{own_name, plain};
use model::{ComponentClass, UnitIdentity};

/// Reads the unit's identity.
pub(crate) fn read(index: &Index<'_>) -> UnitIdentity {
    let chassis = chassis(index);
    let cell = |column: u32| chassis.iter().map(|row| row.text(column)).find(|text| told(text));
    let sys_descr = index
        .sys_descr
        .map(|v| cut(&plain(&v.value.octets)))
        .filter(|text| !text.is_empty());
    UnitIdentity {
        serial: cell(column::SERIAL),
        base_mac: index
            .addresses
            .iter()
            .filter_map(|v| address::assigned(v))
            .filter(|address| !address::is_shared(*address))
            .min()
            .map(|address| {
                address
                    .iter()
                    .map(|octet| format!("{octet:02x}"))
                    .collect::<Vec<_>>()
                    .join(":")
            }),
        engine_id: index.engine_id.map(|v| {
            hex::encode(
                v.value
                    .octets
                    .get(..v.value.octets.len().min(32))
                    .unwrap_or_default(),
            )
        }),
        model: cell(column::MODEL).or_else(|| sys_descr.as_deref().and_then(short_model)),
        software: cell(column::SOFTWARE).or_else(|| sys_descr.as_deref().and_then(version)),
        sys_name: index
            .sys_name
            .and_then(|v| v.value.text(255))
            .filter(|text| !text.is_empty()),
        sys_object_id: index.sys_object_id.and_then(|v| v.value.oid()),
        sys_descr,
    }
}

/// The chassis, else the stack, else what sits in nothing.
fn chassis<'r, 'a>(index: &'r Index<'a>) -> Vec<&'r Row<'a>> {
    let with = |class: ComponentClass| -> Vec<&'r Row<'a>> {
        index
            .entities
            .values()
            .filter(|row| {
                let integer = row
                    .get(column::CLASS)
                    .and_then(|v| v.value.integer())
                    .unwrap_or(0);
                ComponentClass::from_integer(integer) == class
            })
            .take(16)
            .collect()
    };
    let chassis = with(ComponentClass::Chassis);
    if chassis.is_empty() {
        with(ComponentClass::Stack)
    } else {
        chassis
    }
}

fn told(text: &str) -> bool {
    !text.is_empty()
        && !["n/a", "na", "none", "null", "unknown", "-", "--"].contains(&text.to_lowercase().as_str())
}

fn cut(text: &str) -> String {
    text.chars().take(512).collect()
}

/// A sysDescr so short that it is the model; what `uname` prints is none.
fn short_model(text: &str) -> Option<String> {
    let fits = text.chars().count() <= 40 && text.chars().any(|c| c.is_ascii_digit());
    (fits && own_name(text).is_none()).then(|| text.to_owned())
}

/// The word after `Version`, when it begins like one.
fn version(text: &str) -> Option<String> {
    let at = text.to_ascii_lowercase().find("version")?;
    let rest = text
        .get(at + "version".len()..)?
        .trim_start_matches([' ', ':', '=']);
    let word = rest.split([' ', ',', ';', ')']).next()?;
    word.chars()
        .any(|c| c.is_ascii_digit())
        .then(|| word.chars().take(64).collect())
}
