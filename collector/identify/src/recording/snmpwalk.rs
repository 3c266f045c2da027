//! The output of `snmpwalk -On` (net-snmp): `.OID = TYPE: value`, strings over several lines.

use super::{Rows, hex_octets, integer_value, ip_value, numeric_oid, oid_value, unsigned_value};
use model::{Oid, Value};

/// Reads all lines.
pub(super) fn read(bytes: &[u8], rows: &mut Rows) {
    let mut open: Option<(Oid, Vec<u8>)> = None;
    for line in bytes.split(|&b| b == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if let Some((name, text)) = split(line) {
            close(open.take(), rows);
            match numeric_oid(name) {
                Some(oid) => open = Some((oid, text.to_vec())),
                None => {
                    rows.named += usize::from(name.windows(2).any(|pair| pair == b"::"));
                    rows.ignore(line);
                }
            }
        } else if let Some((_, text)) = open.as_mut().filter(|(_, text)| continues(text)) {
            if text.len() <= super::MAX_VALUE_OCTETS * 4 {
                text.push(b'\n');
                text.extend_from_slice(line);
            }
        } else {
            rows.ignore(line);
        }
    }
    close(open, rows);
}

fn close(open: Option<(Oid, Vec<u8>)>, rows: &mut Rows) {
    let Some((oid, text)) = open else { return };
    match value(text.trim_ascii()) {
        Some(value) => rows.push(oid, value),
        None => rows.ignore(&text),
    }
}

/// `name = text`, if the line begins like a name.
fn split(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = line.windows(2).position(|pair| pair == b" =")?;
    let (name, rest) = line.split_at_checked(at)?;
    let text = rest.strip_prefix(b" =")?;
    let named = name.windows(2).any(|pair| pair == b"::");
    ((named || numeric_oid(name).is_some()) && !name.contains(&b' ')).then_some((name, text))
}

/// Whether the value so far can go on in the next line: an open string or hexadecimal octets.
fn continues(text: &[u8]) -> bool {
    let text = text.trim_ascii();
    if text.starts_with(b"Hex-STRING:") || text.starts_with(b"BITS:") {
        return true;
    }
    let body = text.strip_prefix(b"STRING:").unwrap_or(text).trim_ascii_start();
    if !body.starts_with(b"\"") {
        return text.starts_with(b"STRING:");
    }
    body.len() < 2 || !ends_with_quote(body)
}

/// Whether the last octet is a quote that no backslash escapes.
fn ends_with_quote(body: &[u8]) -> bool {
    let Some(before) = body.strip_suffix(b"\"") else {
        return false;
    };
    before.iter().rev().take_while(|&&b| b == b'\\').count() % 2 == 0
}

fn value(text: &[u8]) -> Option<Value> {
    if text.starts_with(b"No Such Object") {
        return Some(Value {
            tag: 0x80,
            octets: Vec::new(),
        });
    }
    if text.starts_with(b"No Such Instance") {
        return Some(Value {
            tag: 0x81,
            octets: Vec::new(),
        });
    }
    if text.starts_with(b"No more variables") {
        return Some(Value {
            tag: 0x82,
            octets: Vec::new(),
        });
    }
    if text == b"\"\"" || text.is_empty() {
        return Some(Value::octet_string(Vec::new()));
    }
    if text == b"NULL" {
        return Some(Value {
            tag: Value::NULL,
            octets: Vec::new(),
        });
    }
    if text.starts_with(b"Wrong Type") {
        let after = text.iter().position(|&b| b == b')')?;
        let rest = text.get(after + 1..)?.trim_ascii_start();
        return value(rest.strip_prefix(b":")?.trim_ascii());
    }
    if text.starts_with(b"\"") {
        return Some(Value::octet_string(unquote(text)));
    }
    let colon = text.iter().position(|&b| b == b':')?;
    let (kind, rest) = text.split_at_checked(colon)?;
    let rest = rest.strip_prefix(b":")?.trim_ascii();
    match kind {
        b"STRING" => Some(Value::octet_string(unquote(rest))),
        b"Hex-STRING" => Some(Value::octet_string(hex_octets(rest)?)),
        b"BITS" => Some(Value::octet_string(hex_octets(bits(rest))?)),
        b"OID" => Some(oid_value(rest)),
        b"INTEGER" => Some(integer_value(number(rest)?)),
        b"Timeticks" => Some(unsigned_value(Value::TIME_TICKS, natural(rest)?)),
        b"Counter32" => Some(unsigned_value(0x41, natural(rest)?)),
        b"Gauge32" | b"Unsigned32" => Some(unsigned_value(0x42, natural(rest)?)),
        b"Counter64" => Some(unsigned_value(0x46, natural(rest)?)),
        b"UInteger32" => Some(unsigned_value(0x47, natural(rest)?)),
        b"IpAddress" => ip_value(rest),
        b"Network Address" => Some(Value {
            tag: Value::IP_ADDRESS,
            octets: hex_octets(rest)?,
        }),
        _ => None,
    }
}

fn unquote(text: &[u8]) -> Vec<u8> {
    let inner = match text.strip_prefix(b"\"") {
        Some(inner) => inner.strip_suffix(b"\"").unwrap_or(inner),
        None => return text.to_vec(),
    };
    let mut octets = Vec::with_capacity(inner.len());
    let mut escaped = false;
    for &octet in inner {
        if octet == b'\\' && !escaped {
            escaped = true;
        } else {
            octets.push(octet);
            escaped = false;
        }
    }
    octets
}

/// `80 bit names`: the octets stand first, each of two digits.
fn bits(text: &[u8]) -> &[u8] {
    let octets = text
        .split(|&b| b == b' ')
        .take_while(|word| word.len() == 2 && word.iter().all(u8::is_ascii_hexdigit))
        .count();
    text.get(..(octets * 3).saturating_sub(1).min(text.len()))
        .unwrap_or_default()
}

/// `up(1)`, `(123) 0:00:01.23` or `42 octets`: the number between parentheses or in front.
fn digits(text: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(text).ok()?;
    match text.split_once('(').and_then(|(_, rest)| rest.split_once(')')) {
        Some((inside, _)) if inside.parse::<i64>().is_ok() => Some(inside),
        _ => text.split_whitespace().next(),
    }
}

fn number(text: &[u8]) -> Option<i64> {
    digits(text)?.parse().ok()
}

fn natural(text: &[u8]) -> Option<u64> {
    digits(text)?.parse().ok()
}
