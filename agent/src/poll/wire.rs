//! Messages of versions 1 and 2c (RFC 1157, RFC 1901) and what all versions share:
//! requests and responses (RFC 3416), with variable bindings left raw.
//!
//! Tags, lengths and integers are read and written by the library's BER codec;
//! a value is never interpreted: its tag and content octets are kept exactly as
//! they arrived. Invariant: decoding is total over hostile octets.

use crate::plan::oid;
use async_snmp::ber::{Decoder, EncodeBuf, tag};
use prost::bytes::Bytes;
use proto::v1::Varbind;

/// RFC 3416, 3: the tag of a Response.
pub(super) const RESPONSE: u8 = 0xa2;

/// The versions that a community opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// RFC 1157: no GETBULK, and one object that is missing fails the whole GET.
    V1,
    /// RFC 1901.
    V2c,
}

impl Version {
    /// As it stands in a message.
    fn number(self) -> i32 {
        match self {
            Self::V1 => 0,
            Self::V2c => 1,
        }
    }
}

/// A request without its identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pdu {
    /// RFC 3416, 4.2.1.
    Get,
    /// RFC 3416, 4.2.2.
    GetNext,
    /// RFC 3416, 4.2.3, without non-repeaters.
    GetBulk {
        /// Rows wanted at most.
        repetitions: u32,
    },
}

/// What an element answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// Which request it answers.
    pub request_id: i32,
    /// RFC 3416, 3: 0 is noError.
    pub error_status: i32,
    /// Which binding was the trouble, counted from 1.
    pub error_index: i32,
    /// As they arrived.
    pub varbinds: Vec<Varbind>,
}

/// Octets that are no response of the version asked with, or for somebody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an SNMP response to what was asked with")]
pub struct Undecodable;

/// RFC 3416, 3: the error codes that mean something to the poller.
pub mod error {
    /// The answer would not fit.
    pub const TOO_BIG: i32 = 1;
    /// No such object (RFC 1157; some elements send it in v2c too).
    pub const NO_SUCH_NAME: i32 = 2;
}

/// RFC 3416, 3: values that say there is none.
pub mod exception {
    /// The object is unknown.
    pub const NO_SUCH_OBJECT: u32 = 0x80;
    /// The instance is unknown.
    pub const NO_SUCH_INSTANCE: u32 = 0x81;
    /// Nothing follows.
    pub const END_OF_MIB_VIEW: u32 = 0x82;
}

/// Encodes one request for `names`; [`None`] for GETBULK in version 1, and when a
/// length does not fit, which names of at most 128 arcs never reach.
#[must_use]
pub fn encode(
    version: Version,
    community: &[u8],
    request_id: i32,
    pdu: Pdu,
    names: &[Bytes],
) -> Option<Vec<u8>> {
    if version == Version::V1 && matches!(pdu, Pdu::GetBulk { .. }) {
        return None;
    }
    let mut buf = EncodeBuf::with_capacity(40 + community.len() + names_size(names));
    buf.push_sequence(|buf| {
        push_pdu(buf, request_id, pdu, names)?;
        buf.push_octet_string(community)?;
        buf.push_integer(version.number());
        Ok(())
    })
    .ok()?;
    Some(buf.finish_vec())
}

/// What names take in a request.
pub(super) fn names_size(names: &[Bytes]) -> usize {
    names.iter().map(|name| name.len() + 8).sum()
}

/// A request without the message around it. The buffer grows from its end to its
/// front: the last field first.
pub(super) fn push_pdu(
    buf: &mut EncodeBuf,
    request_id: i32,
    pdu: Pdu,
    names: &[Bytes],
) -> async_snmp::Result<()> {
    let (pdu_tag, first, second) = match pdu {
        Pdu::Get => (0xa0, 0, 0),
        Pdu::GetNext => (0xa1, 0, 0),
        Pdu::GetBulk { repetitions } => (0xa5, 0, i32::try_from(repetitions).unwrap_or(i32::MAX)),
    };
    buf.push_constructed(pdu_tag, |buf| {
        buf.push_sequence(|buf| {
            for name in names.iter().rev() {
                buf.push_sequence(|buf| {
                    buf.push_null();
                    buf.push_bytes(name);
                    buf.push_length(name.len())?;
                    buf.push_tag(tag::universal::OBJECT_IDENTIFIER);
                    Ok(())
                })?;
            }
            Ok(())
        })?;
        buf.push_integer(second);
        buf.push_integer(first);
        buf.push_integer(request_id);
        Ok(())
    })
}

/// Decodes a response for this community.
///
/// Octets after the message are ignored, as elements are known to pad.
///
/// # Errors
/// [`Undecodable`] when it is anything else.
pub fn decode(datagram: Bytes, version: Version, community: &[u8]) -> Result<Response, Undecodable> {
    let size = datagram.len();
    let mut message = Decoder::new(datagram);
    let length = message.expect_tag(tag::universal::SEQUENCE).map_err(drop_cause)?;
    if length > size || message.read_integer().map_err(drop_cause)? != version.number() {
        return Err(Undecodable);
    }
    let echoed = message.read_octet_string().map_err(drop_cause)?;
    if echoed != community {
        return Err(Undecodable);
    }
    read_pdu(&mut message, RESPONSE)
}

/// Reads a PDU of this tag.
pub(super) fn read_pdu(message: &mut Decoder<'_>, pdu_tag: u8) -> Result<Response, Undecodable> {
    let mut pdu = message.read_constructed(pdu_tag).map_err(drop_cause)?;
    let request_id = pdu.read_integer().map_err(drop_cause)?;
    let error_status = pdu.read_integer().map_err(drop_cause)?;
    let error_index = pdu.read_integer().map_err(drop_cause)?;
    let length = pdu.expect_tag(tag::universal::SEQUENCE).map_err(drop_cause)?;
    let list = pdu.read_bytes(length).map_err(drop_cause)?;
    Ok(Response {
        request_id,
        error_status,
        error_index,
        varbinds: varbinds(&list)?,
    })
}

/// The bindings of a list. The library's codec counts a reference for each field it reads,
/// which is most of what a binding costs; here only what is kept is counted.
fn varbinds(list: &Bytes) -> Result<Vec<Varbind>, Undecodable> {
    // A binding takes some 30 octets in practice.
    let mut varbinds = Vec::with_capacity(list.len() / 24);
    let mut at = 0;
    while at < list.len() {
        let (inside, end) = content(list, at, tag::universal::SEQUENCE)?;
        let (name, named) = content(list, inside, tag::universal::OBJECT_IDENTIFIER)?;
        let value_tag = *list.get(named).ok_or(Undecodable)?;
        // One octet holds every tag of SNMP (X.690, 8.1.2.4).
        if value_tag & 0x1f == 0x1f {
            return Err(Undecodable);
        }
        let (value, valued) = content(list, named, value_tag)?;
        // The value must end where its binding ends.
        if valued != end || !list.get(name..named).is_some_and(oid::is_valid) {
            return Err(Undecodable);
        }
        varbinds.push(Varbind {
            oid: list.slice(name..named),
            tag: u32::from(value_tag),
            value: list.slice(value..valued),
        });
        at = end;
    }
    Ok(varbinds)
}

/// Where the content of what begins here with this tag begins and ends (X.690, 8.1.3).
fn content(octets: &[u8], at: usize, expected: u8) -> Result<(usize, usize), Undecodable> {
    let Some([found, first, rest @ ..]) = octets.get(at..) else {
        return Err(Undecodable);
    };
    let (header, length) = match *first {
        short @ 0..=0x7f => (2, usize::from(short)),
        long @ 0x81..=0x84 => {
            let count = usize::from(long & 0x7f);
            let digits = rest.get(..count).ok_or(Undecodable)?;
            let length = digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit));
            (2 + count, length)
        }
        _ => return Err(Undecodable),
    };
    let begin = at + header;
    match begin.checked_add(length) {
        Some(end) if *found == expected && end <= octets.len() => Ok((begin, end)),
        _ => Err(Undecodable),
    }
}

/// The codec's errors carry offsets that help nobody at an operator's desk.
pub(super) fn drop_cause(_: Box<async_snmp::Error>) -> Undecodable {
    Undecodable
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_snmp::message::CommunityMessage;
    use async_snmp::pdu::RequestPdu;
    use proptest::prelude::*;

    fn response(community: &[u8], request_id: i32, bindings: &[(&str, u8, &[u8])]) -> Vec<u8> {
        let mut buf = EncodeBuf::new();
        buf.push_sequence(|buf| {
            buf.push_constructed(RESPONSE, |buf| {
                buf.push_sequence(|buf| {
                    for (name, value_tag, value) in bindings.iter().rev() {
                        buf.push_sequence(|buf| {
                            buf.push_bytes(value);
                            buf.push_length(value.len())?;
                            buf.push_tag(*value_tag);
                            let name = oid::parse(name).unwrap();
                            buf.push_bytes(&name);
                            buf.push_length(name.len())?;
                            buf.push_tag(6);
                            Ok(())
                        })?;
                    }
                    Ok(())
                })?;
                buf.push_integer(0);
                buf.push_integer(0);
                buf.push_integer(request_id);
                Ok(())
            })?;
            buf.push_octet_string(community)?;
            buf.push_integer(Version::V2c.number());
            Ok(())
        })
        .unwrap();
        buf.finish_vec()
    }

    #[test]
    fn requests_are_those_of_the_library() {
        let text = ["1.3.6.1.2.1.1.1.0", "1.3.6.1.4.1.4294967295"];
        let names: Vec<_> = text.iter().map(|text| oid::parse(text).unwrap()).collect();
        let oids: Vec<_> = text
            .iter()
            .map(|text| async_snmp::Oid::parse(text).unwrap())
            .collect();
        let pdu = RequestPdu::get(async_snmp::Version::V2c, 70_000, &oids).unwrap();
        let mut buf = EncodeBuf::new();
        pdu.encode(&mut buf).unwrap();
        let theirs = buf.finish_vec();
        let ours = encode(Version::V2c, b"public", 70_000, Pdu::Get, &names).unwrap();
        assert!(ours.ends_with(&theirs), "{ours:x?} {theirs:x?}");
        assert!(CommunityMessage::decode(ours.into(), Default::default()).is_ok());
    }

    #[test]
    fn values_stay_as_they_were() {
        // An over-long integer, a NUL-padded string, an obsolete type.
        let bindings: [(&str, u8, &[u8]); 3] = [
            ("1.3.6.1.2.1.1.7.0", 2, &[0, 0, 0, 72]),
            ("1.3.6.1.2.1.1.1.0", 4, b"box\0\xff"),
            ("1.3.6.1.2.1.1.2.0", 0x45, &[]),
        ];
        let mut octets = response(b"public", 7, &bindings);
        octets.extend([0, 0, 0]);
        let read = decode(octets.into(), Version::V2c, b"public").unwrap();
        assert_eq!(read.request_id, 7);
        for (varbind, (name, value_tag, value)) in read.varbinds.iter().zip(bindings) {
            assert_eq!(varbind.oid, oid::parse(name).unwrap());
            assert_eq!(
                (varbind.tag, varbind.value.as_ref()),
                (u32::from(value_tag), value)
            );
        }
        assert_eq!(read.varbinds.len(), 3);
    }

    #[test]
    fn version_1_is_told_apart_and_has_no_bulk() {
        let names = [oid::parse("1.3.6.1.2.1.1.1.0").unwrap()];
        let asked = encode(Version::V1, b"public", 7, Pdu::GetNext, &names).unwrap();
        assert!(CommunityMessage::decode(asked.into(), Default::default()).is_ok());
        assert_eq!(
            encode(Version::V1, b"public", 7, Pdu::GetBulk { repetitions: 1 }, &names),
            None
        );
        let octets = response(b"public", 7, &[]);
        assert_eq!(decode(octets.into(), Version::V1, b"public"), Err(Undecodable));
    }

    #[test]
    fn another_community_and_noise_are_no_answer() {
        let octets = response(b"other", 7, &[]);
        assert_eq!(decode(octets.into(), Version::V2c, b"public"), Err(Undecodable));
        for noise in [&b""[..], b"hello", &[0x30, 0x80], &[0x30, 0x02, 0x02, 0x00]] {
            assert_eq!(
                decode(Bytes::copy_from_slice(noise), Version::V2c, b"public"),
                Err(Undecodable)
            );
        }
    }

    proptest! {
        #[test]
        fn anything_can_arrive(
            mut octets in Just(response(b"public", 7, &[("1.3.6.1.2.1.1.1.0", 4, b"text"), ("1.3.6.1.2.1.1.2.0", 6, &[43, 6])])),
            at in 0usize..70, octet in any::<u8>(), cut in 0usize..70,
        ) {
            if let Some(slot) = octets.get_mut(at) { *slot = octet; }
            octets.truncate(octets.len().saturating_sub(cut));
            if let Ok(read) = decode(octets.into(), Version::V2c, b"public") {
                prop_assert!(read.varbinds.iter().all(|varbind| oid::is_valid(&varbind.oid)));
            }
        }
    }
}
