//! Object identifiers as BER content octets (X.690, 8.19), the form in which
//! they travel: parsed once from text, then only compared and printed.
//!
//! Invariant: names that came from an element pass [`is_valid`] before anything
//! else here sees them; every function is total over any octets all the same.

use async_snmp::Oid;
use prost::bytes::Bytes;
use std::cmp::Ordering;

/// RFC 2578, 3.5: at most 128 sub-identifiers.
const MAX_ARCS: usize = 128;

/// A text that is no object identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an object identifier such as 1.3.6.1.2.1.1")]
pub struct InvalidOid;

/// Reads dotted text.
///
/// # Errors
/// [`InvalidOid`] when the text is no identifier that can travel.
pub fn parse(text: &str) -> Result<Bytes, InvalidOid> {
    let oid = Oid::parse(text).map_err(|_| InvalidOid)?;
    oid.validate_for_wire().map_err(|_| InvalidOid)?;
    let octets = oid.to_ber().map_err(|_| InvalidOid)?;
    if octets.is_empty() {
        return Err(InvalidOid);
    }
    Ok(octets.into())
}

/// Whether the octets are an identifier: not empty, no arc cut short, padded or
/// wider than 32 bits (X.690, 8.19.2), at most 128 arcs.
#[must_use]
pub fn is_valid(octets: &[u8]) -> bool {
    let mut arcs = Arcs(octets);
    let seen = arcs.by_ref().take(MAX_ARCS).count();
    seen > 0 && arcs.0.is_empty()
}

/// The order of RFC 3416, 4.2.2: arc by arc, a prefix before what extends it.
#[must_use]
pub fn compare(left: &[u8], right: &[u8]) -> Ordering {
    // Neighbours in a table share most of their octets: eight at a time.
    let words = left.as_chunks::<8>().0.iter().zip(right.as_chunks::<8>().0);
    let skipped = words.take_while(|(a, b)| a == b).count() * 8;
    let rest = |octets| <[u8]>::get(octets, skipped..).unwrap_or_default().iter();
    let mut same = skipped + rest(left).zip(rest(right)).take_while(|(a, b)| a == b).count();
    // Back to where the arc with the first difference begins.
    while same > 0 && left.get(same - 1).is_some_and(|octet| octet & 0x80 != 0) {
        same -= 1;
    }
    let rest = |octets| Arcs(<[u8]>::get(octets, same..).unwrap_or_default());
    rest(left).cmp(rest(right))
}

/// The arc that follows `prefix` in `name`, if `name` lies below it.
#[must_use]
pub fn arc_below(name: &[u8], prefix: &[u8]) -> Option<u32> {
    Arcs(name.strip_prefix(prefix)?).next()
}

/// All arcs that follow `prefix` in `name`, if `name` begins with it.
pub fn arcs_below<'n>(name: &'n [u8], prefix: &[u8]) -> Option<impl Iterator<Item = u32> + use<'n>> {
    name.strip_prefix(prefix).map(Arcs)
}

/// `prefix` with one more arc.
#[must_use]
pub fn child(prefix: &[u8], arc: u32) -> Bytes {
    let mut octets = Vec::with_capacity(prefix.len() + 5);
    octets.extend_from_slice(prefix);
    let mut started = false;
    for shift in [28, 21, 14, 7, 0] {
        let part = ((arc >> shift) & 0x7f) as u8;
        started |= part != 0 || shift == 0;
        if started {
            octets.push(if shift == 0 { part } else { part | 0x80 });
        }
    }
    octets.into()
}

/// What is left without the last arc, and that arc; [`None`] when there is only
/// the first octet, which carries two arcs.
#[must_use]
pub fn split_last(octets: &[u8]) -> Option<(&[u8], u32)> {
    let body = octets.split_last()?.1;
    let start = body
        .iter()
        .rposition(|octet| octet & 0x80 == 0)
        .map(|at| at + 1)?;
    let (parent, last) = octets.split_at_checked(start)?;
    Some((parent, Arcs(last).next()?))
}

/// The sub-identifiers as encoded: the first stands for two arcs. Stops at one
/// that is cut short, too wide or padded: a name must have one spelling only, or
/// what is below a root by number is not by octets.
struct Arcs<'a>(&'a [u8]);

impl Iterator for Arcs<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        if self.0.first() == Some(&0x80) {
            return None;
        }
        let mut arc: u32 = 0;
        for (at, &octet) in self.0.iter().enumerate() {
            if arc > u32::MAX >> 7 {
                return None;
            }
            arc = (arc << 7) | u32::from(octet & 0x7f);
            if octet & 0x80 == 0 {
                self.0 = self.0.get(at + 1..).unwrap_or_default();
                return Some(arc);
            }
        }
        None
    }
}

/// Appends the dotted text of an identifier; what is none ends early.
pub fn push_dotted(octets: &[u8], text: &mut Vec<u8>) {
    let mut arcs = Arcs(octets);
    let Some(first) = arcs.next() else { return };
    let top = (first / 40).min(2);
    push_decimal(top, text);
    for arc in std::iter::once(first - top * 40).chain(arcs) {
        text.push(b'.');
        push_decimal(arc, text);
    }
}

/// The formatting machinery of the standard library costs more than the digits.
fn push_decimal(mut number: u32, text: &mut Vec<u8>) {
    let mut digits = [0; 10];
    let mut used = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
        used += 1;
        if number == 0 {
            break;
        }
    }
    text.extend_from_slice(digits.get(digits.len() - used..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn oid(text: &str) -> Bytes {
        parse(text).unwrap()
    }

    fn dotted(octets: &[u8]) -> String {
        let mut text = Vec::new();
        push_dotted(octets, &mut text);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn text_and_octets_agree() {
        for text in [
            "1.3.6.1.2.1.1.1.0",
            "0.0",
            "0.39",
            "1.39.1",
            "2.999.3",
            "2.40",
            "1.0.8802.1.1.2.1.4",
            "1.3.6.1.4.1.4294967295",
        ] {
            assert_eq!(dotted(&oid(text)), text);
        }
        for text in ["", "1", "x", "1.3.6.1.4294967296", "3.1", "1.40"] {
            assert_eq!(parse(text), Err(InvalidOid), "{text:?}");
        }
    }

    #[test]
    fn hostile_names_are_seen() {
        assert!(is_valid(&oid("1.3.6.1")));
        let cases: [&[u8]; 5] = [
            &[],
            &[0x2b, 0x86],
            &[0x2b, 0x06, 0x01, 0x09, 0x80, 0x03, 0x00],
            &[0x2b, 0x90, 0x80, 0x80, 0x80, 0x00],
            &[0x01; 129],
        ];
        for octets in cases {
            assert!(!is_valid(octets), "{octets:x?}");
        }
    }

    #[test]
    fn parents_and_children() {
        let root = oid("1.3.6.1.4.1");
        assert_eq!(child(&root, 48690), oid("1.3.6.1.4.1.48690"));
        assert_eq!(child(&root, u32::MAX), oid("1.3.6.1.4.1.4294967295"));
        assert_eq!(arc_below(&oid("1.3.6.1.4.1.300.2"), &root), Some(300));
        assert_eq!(arc_below(&oid("1.3.6.1.2.1"), &root), None);
        assert_eq!(
            split_last(&oid("1.3.6.1.300")),
            Some((oid("1.3.6.1").as_ref(), 300))
        );
        assert_eq!(split_last(&oid("1.3")), None);
    }

    proptest! {
        #[test]
        fn order_is_that_of_the_arcs(
            left in prop::collection::vec(prop_oneof![0u32..300, any::<u32>()], 0..6),
            right in prop::collection::vec(prop_oneof![0u32..300, any::<u32>()], 0..6),
        ) {
            let octets = |arcs: &[u32]| arcs.iter().fold(oid("1.3"), |name, &arc| child(&name, arc));
            prop_assert_eq!(compare(&octets(&left), &octets(&right)), left.cmp(&right));
        }

        #[test]
        fn anything_can_be_looked_at(octets in prop::collection::vec(any::<u8>(), 0..40), other in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = (is_valid(&octets), compare(&octets, &other), dotted(&octets), split_last(&octets));
        }
    }
}
