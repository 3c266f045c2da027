//! SNMP messages as an element writes them, and requests as it reads them.

use crate::user::{NAME, Signer};
use agent::plan::oid;
use agent::poll::usm::message::Incoming;
use agent::poll::wire::{self, Response, Version};
use async_snmp::DecodeConfig;
use async_snmp::ber::EncodeBuf;
use async_snmp::message::{RawMsgData, RawV3Message, SecurityLevel};
use async_snmp::v3::UsmSecurityParams;
use async_snmp::v3::auth::authenticate_message;
use prost::bytes::Bytes;

pub const COMMUNITY: &[u8] = b"hunter2";
pub const ENGINE: &[u8] = b"\x80\0\x1f\x88\x04lab-1";
/// RFC 3416, 3.
pub const RESPONSE: u8 = 0xa2;
pub const REPORT: u8 = 0xa8;
pub const TRAP: u8 = 0xa7;
pub const INFORM: u8 = 0xa6;

/// Name, tag of the value, value.
pub type Binding = (Bytes, u8, Vec<u8>);

pub fn name(text: &str) -> Bytes {
    oid::parse(text).expect("a name")
}

/// A PDU; its numbers are identifier, error status, error index.
pub fn pdu(tag: u8, numbers: [i32; 3], bindings: &[Binding]) -> Vec<u8> {
    let mut buf = EncodeBuf::new();
    buf.push_constructed(tag, |buf| {
        buf.push_sequence(|buf| {
            for (name, tag, value) in bindings.iter().rev() {
                buf.push_sequence(|buf| {
                    buf.push_bytes(value);
                    buf.push_length(value.len())?;
                    buf.push_tag(*tag);
                    buf.push_bytes(name);
                    buf.push_length(name.len())?;
                    buf.push_tag(6);
                    Ok(())
                })?;
            }
            Ok(())
        })?;
        for number in numbers.iter().rev() {
            buf.push_integer(*number);
        }
        Ok(())
    })
    .expect("short");
    buf.finish_vec()
}

/// A message of version 1 or 2c.
pub fn community(version: Version, community: &[u8], pdu: &[u8]) -> Vec<u8> {
    let mut buf = EncodeBuf::new();
    buf.push_sequence(|buf| {
        buf.push_bytes(pdu);
        buf.push_octet_string(community)?;
        buf.push_integer(i32::from(version == Version::V2c));
        Ok(())
    })
    .expect("short");
    buf.finish_vec()
}

/// A scoped PDU in the default context.
pub fn scoped(engine: &[u8], pdu: &[u8]) -> Vec<u8> {
    let mut buf = EncodeBuf::new();
    buf.push_sequence(|buf| {
        buf.push_bytes(pdu);
        buf.push_octet_string(&[])?;
        buf.push_octet_string(engine)
    })
    .expect("short");
    buf.finish_vec()
}

/// The counter of a report: usmStats (RFC 3414, 5).
pub fn report(counter: u8) -> Vec<u8> {
    let counter = name(&format!("1.3.6.1.6.3.15.1.1.{counter}.0"));
    pdu(REPORT, [0, 0, 0], &[(counter, 0x41, vec![1])])
}

/// The header of a message of version 3.
#[derive(Debug, Clone, Copy)]
pub struct Header<'a> {
    pub id: i32,
    pub level: SecurityLevel,
    pub engine: &'a [u8],
    pub boots: i32,
    pub time: i32,
    pub user: &'a [u8],
}

impl Header<'_> {
    /// Around any octets, signed and encrypted as the level says; without keys for that, in clear.
    pub fn around(&self, payload: &[u8], signer: &Signer) -> Vec<u8> {
        let keys = signer.keys(self.engine).filter(|_| self.level.requires_auth());
        let clock = |count| u32::try_from(count).unwrap_or(0);
        let sealed = keys
            .as_ref()
            .filter(|_| self.level.requires_priv())
            .and_then(|(_, privacy)| {
                signer.encrypt(privacy.as_ref()?, payload, clock(self.boots), clock(self.time))
            });
        let mac = vec![0; keys.as_ref().map_or(0, |(auth, _)| auth.mac_len())];
        let flags = match (&keys, &sealed) {
            (None, _) => 0,
            (Some(_), None) => 1,
            (Some(_), Some(_)) => 3,
        };
        let mut buf = EncodeBuf::new();
        let mut after_mac = 0;
        buf.push_sequence(|buf| {
            match &sealed {
                Some((octets, _)) => buf.push_octet_string(octets)?,
                None => buf.push_bytes(payload),
            }
            buf.push_constructed(4, |buf| {
                buf.push_sequence(|buf| {
                    buf.push_octet_string(sealed.as_ref().map_or(&[], |(_, salt)| salt))?;
                    after_mac = buf.len();
                    buf.push_octet_string(&mac)?;
                    buf.push_octet_string(self.user)?;
                    buf.push_integer(self.time);
                    buf.push_integer(self.boots);
                    buf.push_octet_string(self.engine)
                })
            })?;
            buf.push_sequence(|buf| {
                buf.push_integer(3);
                buf.push_octet_string(&[flags])?;
                buf.push_integer(65_507);
                buf.push_integer(self.id);
                Ok(())
            })?;
            buf.push_integer(3);
            Ok(())
        })
        .expect("short");
        let mut message = buf.finish_vec();
        if let Some((auth, _)) = keys {
            let at = message.len() - after_mac - mac.len();
            authenticate_message(&auth, &mut message, at, mac.len()).expect("room for it");
        }
        message
    }
}

/// The header that is right for an identifier.
pub fn header(id: i32, level: SecurityLevel) -> Header<'static> {
    Header {
        id,
        level,
        engine: ENGINE,
        boots: 7,
        time: 1000,
        user: NAME.as_bytes(),
    }
}

/// A request as the element sees it: as if it were a response, but for its tag.
pub struct Request {
    pub tag: u8,
    /// `error_index` holds the repetitions of GETBULK.
    pub pdu: Response,
}

/// Reads a request of a community or of the signer's user.
pub fn request(datagram: &[u8], signer: &Signer) -> Option<Request> {
    let datagram = Bytes::copy_from_slice(datagram);
    if let Ok(incoming) = Incoming::read(&datagram) {
        let clear = match incoming.level.requires_priv() {
            true => Incoming::read(&decrypted(&datagram, signer)?.into()).ok()?,
            false => incoming,
        };
        let (tag, pdu) = clear.pdu(None).ok()?;
        return Some(Request { tag, pdu });
    }
    let at = datagram
        .windows(COMMUNITY.len())
        .position(|part| part == COMMUNITY)?
        + COMMUNITY.len();
    let mut response = datagram.to_vec();
    let tag = std::mem::replace(response.get_mut(at)?, RESPONSE);
    let read = |version| wire::decode(response.clone().into(), version, COMMUNITY).ok();
    let pdu = read(Version::V2c).or_else(|| read(Version::V1))?;
    Some(Request { tag, pdu })
}

/// The same message in clear.
fn decrypted(datagram: &Bytes, signer: &Signer) -> Option<Vec<u8>> {
    let message = RawV3Message::decode(datagram.clone(), DecodeConfig::DEFAULT)
        .ok()?
        .value;
    let security = message.security_params().clone();
    let usm = UsmSecurityParams::decode(security, DecodeConfig::DEFAULT)
        .ok()?
        .value;
    let RawMsgData::Encrypted(sealed) = message.msg_data() else {
        return None;
    };
    let (_, privacy) = signer.keys(usm.engine_id())?;
    let plain = privacy?
        .decrypt(sealed, usm.engine_boots(), usm.engine_time(), usm.priv_params())
        .ok()?;
    Some(header(message.msg_id(), SecurityLevel::NoAuthNoPriv).around(&plain, signer))
}
