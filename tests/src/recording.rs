//! Recordings: one object a line, `OID|tag|value`, the form SNMP simulators share.
//!
//! Tags are decimal (2 INTEGER, 4 OCTET STRING, 5 NULL, 6 OBJECT IDENTIFIER, 64 IpAddress,
//! 65 Counter32, 66 Gauge32, 67 TimeTicks, 68 Opaque, 70 Counter64); a tag that ends in `x`
//! has its content octets in hexadecimal. Blank lines and lines of `#` are passed over, and so
//! are lines whose value a simulator would make when asked (`67:numeric`, `4e`).

use model::{Oid, Value};

/// Why a line of a recording cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct BadLine {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub why: &'static str,
}

/// Reads a whole recording, in the order of its lines.
///
/// # Errors
/// [`BadLine`] for the first line that is none.
pub fn parse(text: &str) -> Result<Vec<(Oid, Value)>, BadLine> {
    let mut rows = Vec::new();
    for (position, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') || is_generated(line) {
            continue;
        }
        rows.push(row(line).map_err(|why| BadLine {
            line: position + 1,
            why,
        })?);
    }
    Ok(rows)
}

/// The lines, counted from 1, that are passed over because a simulator makes their values.
pub fn generated(text: &str) -> impl Iterator<Item = usize> + '_ {
    let lines = text.lines().enumerate();
    lines.filter_map(|(position, line)| is_generated(line).then_some(position + 1))
}

/// Whether the tag is a number and more than this module knows: `e` or `:` and a module's name.
fn is_generated(line: &str) -> bool {
    let tag = line.split('|').nth(1).unwrap_or_default();
    let module = tag
        .split_once(':')
        .map(|(tag, _)| tag.trim_end_matches(['e', 'x']));
    let number = module.or_else(|| tag.strip_suffix('e'));
    !line.starts_with('#') && number.is_some_and(|number| number.parse::<u8>().is_ok())
}

/// Reads one line.
fn row(line: &str) -> Result<(Oid, Value), &'static str> {
    let mut parts = line.splitn(3, '|');
    let (Some(oid), Some(tag), Some(text)) = (parts.next(), parts.next(), parts.next()) else {
        return Err("not OID|tag|value");
    };
    let oid: Oid = oid.trim().parse().map_err(|_| "not an object identifier")?;
    let (tag, hexadecimal) = match tag.strip_suffix('x') {
        Some(number) => (number, true),
        None => (tag, false),
    };
    let tag: u8 = tag.parse().map_err(|_| "tag is not a number of one octet")?;
    let octets = if hexadecimal {
        from_hex(text)?
    } else {
        content(tag, text)?
    };
    Ok((oid, Value { tag, octets }))
}

/// The content octets of a value written as text.
fn content(tag: u8, text: &str) -> Result<Vec<u8>, &'static str> {
    const NUMBER: &str = "value is not a number of its type";
    Ok(match tag {
        Value::INTEGER => signed(text.trim().parse::<i32>().map_err(|_| NUMBER)?.into()),
        0x41..=0x43 => unsigned(text.trim().parse::<u32>().map_err(|_| NUMBER)?.into()),
        0x46 => unsigned(text.trim().parse().map_err(|_| NUMBER)?),
        Value::OBJECT_IDENTIFIER => text
            .trim()
            .parse::<Oid>()
            .map_err(|_| "value is not an object identifier")?
            .to_ber(),
        Value::IP_ADDRESS => text
            .trim()
            .parse::<std::net::Ipv4Addr>()
            .map_err(|_| "value is not an address")?
            .octets()
            .to_vec(),
        Value::NULL => Vec::new(),
        _ => text.as_bytes().to_vec(),
    })
}

/// Content octets of an INTEGER: two's complement, as short as it goes (X.690, 8.3).
#[must_use]
pub fn signed(number: i64) -> Vec<u8> {
    let mut octets = number.to_be_bytes().to_vec();
    while let [first, second, ..] = octets.as_slice() {
        if (*first == 0 && *second < 0x80) || (*first == 0xff && *second >= 0x80) {
            octets.remove(0);
        } else {
            break;
        }
    }
    octets
}

/// Content octets of a counter, gauge or time: never negative, so 9 octets at most.
#[must_use]
pub fn unsigned(number: u64) -> Vec<u8> {
    let mut octets = vec![0];
    octets.extend_from_slice(&number.to_be_bytes());
    while let [0, second, ..] = octets.as_slice() {
        if *second >= 0x80 {
            break;
        }
        octets.remove(0);
    }
    octets
}

/// Octets written as pairs of hexadecimal digits.
fn from_hex(text: &str) -> Result<Vec<u8>, &'static str> {
    const WHY: &str = "value is not hexadecimal";
    let digits: Vec<u8> = text
        .trim()
        .chars()
        .map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok()).ok_or(WHY))
        .collect::<Result<_, _>>()?;
    digits
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => Ok(high << 4 | low),
            _ => Err(WHY),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_type() {
        let text = "# own\n\n1.3.6.1.2.1.1.1.0|4|a|b\n1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.8072\n\
                    1.3.6.1.2.1.1.3.0|67|4294967295\n1.3.6.1.2.1.2.2.1.6.1|4x|00E0fc\n1.3.6.1.2.1.9.1|2|-129\n\
                    1.3.6.1.2.1.9.2|70|18446744073709551615\n1.3.6.1.2.1.9.3|64|127.0.0.1\n1.3.6.1.2.1.9.4|2|128\n";
        let rows = parse(text).unwrap();
        let octets: Vec<&[u8]> = rows.iter().map(|(_, value)| value.octets.as_slice()).collect();
        let expected: [&[u8]; 8] = [
            b"a|b",
            &[0x2b, 6, 1, 4, 1, 0xbf, 0x08],
            &[0, 255, 255, 255, 255],
            &[0, 0xe0, 0xfc],
            &[0xff, 0x7f],
            &[0, 255, 255, 255, 255, 255, 255, 255, 255],
            &[127, 0, 0, 1],
            &[0, 128],
        ];
        assert_eq!(octets, expected);
    }

    #[test]
    fn refuses_what_is_none_and_says_where() {
        for (text, line) in [
            ("1.3|4", 1),
            ("1.3.6|4|x\n1.a|4|x", 2),
            ("1.3.6|300|x", 1),
            ("1.3.6|2|x", 1),
            ("1.3.6|4x|0", 1),
            ("1.3.6|4x|zz", 1),
            ("1.3.6|64|1.2.3", 1),
            ("1.3.6|e|x", 1),
            ("1.3.6|:numeric|x", 1),
            ("1.3.6|four:numeric|x", 1),
        ] {
            assert_eq!(parse(text).unwrap_err().line, line, "{text}");
        }
    }

    #[test]
    fn what_a_simulator_makes_is_passed_over() {
        let text = "#1.3.6.1|4e|x\n1.3.6.1.2.1|4e|a\\x00\n1.3.6.1.2.2|4|b\n1.3.6.1.2.3|67:numeric|rate=100\n\
                    1.3.6.1.2.4|4x:writecache|value=00\n";
        let kept: Vec<_> = parse(text)
            .unwrap()
            .into_iter()
            .map(|(_, value)| value.octets)
            .collect();
        assert_eq!(kept, [b"b"]);
        assert_eq!(generated(text).collect::<Vec<_>>(), [2, 4, 5]);
    }
}
