//! The `.snmprec` format: `OID|tag|value`, the tag a BER tag in decimal with `x` for hexadecimal
//! and `e` for backslash escapes.

use super::{Rows, hex_octets, integer_value, ip_value, numeric_oid, oid_value, unsigned_value};
use model::Value;

/// Whether a line has this form.
pub(super) fn looks_like(line: &[u8]) -> bool {
    split(line).is_some()
}

/// Reads all lines.
pub(super) fn read(bytes: &[u8], rows: &mut Rows) {
    for line in bytes.split(|&b| b == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let row = split(line).and_then(|(oid, tag, text)| Some((numeric_oid(oid)?, value(tag, text)?)));
        match row {
            Some((oid, value)) => rows.push(oid, value),
            None => rows.ignore(line),
        }
    }
}

fn split(line: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let mut parts = line.splitn(3, |&b| b == b'|');
    let (oid, tag, text) = (parts.next()?, parts.next()?, parts.next()?);
    let dotted = oid.iter().all(|b| b.is_ascii_digit() || *b == b'.');
    (dotted && !oid.is_empty() && tag.first().is_some_and(u8::is_ascii_digit)).then_some((oid, tag, text))
}

fn value(tag: &[u8], text: &[u8]) -> Option<Value> {
    let digits = tag.iter().take_while(|b| b.is_ascii_digit()).count();
    let (number, form) = tag.split_at_checked(digits)?;
    let tag: u8 = std::str::from_utf8(number).ok()?.parse().ok()?;
    match form {
        b"x" => {
            return Some(Value {
                tag,
                octets: hex_octets(text)?,
            });
        }
        b"e" => {
            return Some(Value {
                tag,
                octets: unescape(text),
            });
        }
        b"" => {}
        _ => return None,
    }
    let trimmed = || std::str::from_utf8(text).ok().map(str::trim);
    match tag {
        Value::INTEGER => Some(integer_value(trimmed()?.parse().ok()?)),
        Value::OBJECT_IDENTIFIER => Some(oid_value(text)),
        Value::IP_ADDRESS => ip_value(text),
        0x41..=0x43 | 0x46 | 0x47 => Some(unsigned_value(tag, trimmed()?.parse().ok()?)),
        Value::NULL => Some(Value {
            tag,
            octets: Vec::new(),
        }),
        _ => Some(Value {
            tag,
            octets: text.to_vec(),
        }),
    }
}

fn unescape(text: &[u8]) -> Vec<u8> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        let (octet, after) = match (first, tail) {
            (b'\\', [b'n', after @ ..]) => (b'\n', after),
            (b'\\', [b'r', after @ ..]) => (b'\r', after),
            (b'\\', [b't', after @ ..]) => (b'\t', after),
            (b'\\', [b'\\', after @ ..]) => (b'\\', after),
            (b'\\', [b'x', high, low, after @ ..]) => match hex_octets(&[*high, *low]).as_deref() {
                Some([octet]) => (*octet, after),
                _ => (b'\\', tail),
            },
            _ => (*first, tail),
        };
        octets.push(octet);
        rest = after;
    }
    octets
}
