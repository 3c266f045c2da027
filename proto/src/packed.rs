//! Octets packed with zstd (RFC 8878), and what large evidence may hold. Pure.
//!
//! Invariants: what a stranger packed is bounded while it is unpacked, whatever it says of
//! itself; what it would take once decoded is known before it is decoded.

use prost::DecodeError;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
use std::io::Read as _;

/// The fastest level that still halves walks.
const LEVEL: i32 = 1;

/// Why octets cannot be unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnpackError {
    /// Not one whole frame.
    #[error("cannot be unpacked")]
    Damaged,
    /// More comes out than may.
    #[error("unpacks to too much")]
    TooLarge,
    /// Something follows the frame.
    #[error("goes on behind its end")]
    Trailing,
}

/// One frame with these octets.
///
/// # Errors
/// What the library says, which is about memory alone.
pub fn pack(clear: &[u8]) -> std::io::Result<Vec<u8>> {
    zstd::bulk::compress(clear, LEVEL)
}

/// What one frame holds, at most so many octets. Memory grows with what comes out, not with
/// what the frame says it holds.
///
/// # Errors
/// [`UnpackError`]
pub fn unpack(packed: &[u8], most: usize) -> Result<Vec<u8>, UnpackError> {
    let damaged = |_| UnpackError::Damaged;
    let mut clear = Vec::new();
    let mut reader = zstd::stream::read::Decoder::with_buffer(packed)
        .map_err(damaged)?
        .single_frame();
    let bound = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    reader
        .by_ref()
        .take(bound)
        .read_to_end(&mut clear)
        .map_err(damaged)?;
    if clear.len() > most {
        return Err(UnpackError::TooLarge);
    }
    match reader.finish().is_empty() {
        true => Ok(clear),
        false => Err(UnpackError::Trailing),
    }
}

/// Observations, roots and bindings of an encoded [`crate::v1::Evidence`], without decoding it.
///
/// # Errors
/// When it is none.
pub fn items(evidence: &[u8]) -> Result<usize, DecodeError> {
    let mut count = 0;
    let mut rest = evidence;
    while !rest.is_empty() {
        let Some(mut observation) = field(&mut rest)? else {
            continue;
        };
        count += 1;
        while !observation.is_empty() {
            count += usize::from(field(&mut observation)?.is_some());
        }
    }
    Ok(count)
}

/// Goes beyond one field; its octets if it has any.
fn field<'a>(rest: &mut &'a [u8]) -> Result<Option<&'a [u8]>, DecodeError> {
    let (number, kind) = decode_key(rest)?;
    if kind != WireType::LengthDelimited {
        return skip_field(kind, number, rest, DecodeContext::default()).map(|()| None);
    }
    let before = *rest;
    let length = usize::try_from(decode_varint(rest)?).unwrap_or(usize::MAX);
    match rest.split_at_checked(length) {
        Some((octets, behind)) => {
            *rest = behind;
            Ok(Some(octets))
        }
        None => {
            // Says what is wrong in the library's words.
            let mut cut = before;
            skip_field(kind, number, &mut cut, DecodeContext::default()).map(|()| None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v1::{Evidence, Observation, Varbind};
    use prost::Message as _;

    #[test]
    fn what_was_packed_comes_out_and_nothing_more() {
        let clear = b"the same again and again ".repeat(1_000);
        let packed = pack(&clear).unwrap();
        assert!(packed.len() < clear.len() / 10);
        assert_eq!(unpack(&packed, clear.len()), Ok(clear.clone()));
        assert_eq!(unpack(&packed, clear.len() - 1), Err(UnpackError::TooLarge));
        let mut more = packed.clone();
        more.push(0);
        assert_eq!(unpack(&more, clear.len()), Err(UnpackError::Trailing));
        assert_eq!(
            unpack(&packed[..packed.len() - 1], clear.len()),
            Err(UnpackError::Damaged)
        );
        assert_eq!(unpack(b"", 9), Err(UnpackError::Damaged));
        // A kilobyte that says nothing of its size and would be a gigabyte.
        let bomb = zstd::stream::encode_all(std::io::repeat(0).take(1 << 26), 19).unwrap();
        assert!(bomb.len() < 1 << 16);
        assert_eq!(unpack(&bomb, 1 << 20), Err(UnpackError::TooLarge));
    }

    #[test]
    fn items_are_counted_before_they_take_memory() {
        let observation = Observation {
            oids: vec![vec![0x2b].into(); 3],
            varbinds: vec![Varbind::default(); 5],
            kind: 2,
            outcome: 1,
        };
        let evidence = Evidence {
            observations: vec![observation; 2],
        };
        assert_eq!(items(&evidence.encode_to_vec()), Ok(2 * (1 + 3 + 5)));
        assert_eq!(items(b""), Ok(0));
        for broken in [&[0xff; 9][..], &[0x0a, 5, 0x22], &[0x0a, 0xff, 0xff]] {
            assert!(items(broken).is_err(), "{broken:?}");
        }
    }
}
