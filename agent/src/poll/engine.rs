//! Who is there, asked without a user: SNMPv3 engine discovery (RFC 3414, 4).
//!
//! One packet with no secret in it; the answer tells engine ID, boots and time.
//! Invariants: an answer proves nothing, since nobody signs it; the engine ID is
//! evidence, boots and time are readings, all as the octets that arrived.

use super::usm::message::{Count, Incoming, Outgoing};
use super::wire::{Pdu, Undecodable};
use crate::plan::oid;
use async_snmp::message::SecurityLevel;
use prost::bytes::Bytes;
use proto::v1::{Observation, Outcome, QuestionKind, Varbind};

/// SNMP-FRAMEWORK-MIB (RFC 3411): snmpEngineID.0, snmpEngineBoots.0, snmpEngineTime.0.
const ENGINE_ID: &str = "1.3.6.1.6.3.10.2.1.1.0";
const ENGINE_BOOTS: &str = "1.3.6.1.6.3.10.2.1.2.0";
const ENGINE_TIME: &str = "1.3.6.1.6.3.10.2.1.3.0";
/// RFC 3411 says 5 to 32; elements say others.
const MAX_ENGINE_ID: usize = 255;
/// X.690, 8.
const INTEGER: u32 = 2;
const OCTET_STRING: u32 = 4;

/// What an engine tells of itself in each of its messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Engine {
    /// snmpEngineID; never empty.
    pub id: Bytes,
    /// snmpEngineBoots.
    pub boots: Count,
    /// snmpEngineTime, in seconds.
    pub time: Count,
}

/// The discovery packet; `message_id` comes back in the answer.
#[must_use]
pub fn request(message_id: i32) -> Vec<u8> {
    let discovery = Outgoing {
        id: message_id,
        level: SecurityLevel::NoAuthNoPriv,
        engine: &[],
        boots: 0,
        time: 0,
        user: None,
        context: &[],
        keys: None,
        pdu: Pdu::Get,
        names: &[],
    };
    // Nothing in it has a length that could fail.
    discovery.encode().unwrap_or_default()
}

/// Reads an answer: which request it is about, and who answered.
///
/// # Errors
/// [`Undecodable`] when it is no message of SNMPv3 or names no engine.
pub fn read(datagram: &Bytes) -> Result<(i32, Engine), Undecodable> {
    let incoming = Incoming::read(datagram)?;
    Ok((incoming.id, Engine::of(incoming).ok_or(Undecodable)?))
}

impl Engine {
    /// The engine that a message names; [`None`] if it names none.
    pub(super) fn of(incoming: Incoming) -> Option<Self> {
        // Not slices of the datagram, which they would keep alive.
        let own = |octets: &Bytes| Bytes::copy_from_slice(octets);
        let count = |count: &Count| Count {
            octets: own(&count.octets),
            value: count.value,
        };
        (1..=MAX_ENGINE_ID)
            .contains(&incoming.engine.len())
            .then(|| Self {
                id: own(&incoming.engine),
                boots: count(&incoming.boots),
                time: count(&incoming.time),
            })
    }

    /// The enterprise number in its ID (RFC 3411, 5: SnmpEngineID); [`None`] where there is none.
    #[must_use]
    pub fn enterprise(&self) -> Option<u32> {
        let [a, b, c, d, _, ..] = self.id.as_ref() else {
            return None;
        };
        Some(u32::from_be_bytes([a & 0x7f, *b, *c, *d])).filter(|number| *number != 0)
    }

    /// The hardware address in its ID, where that is of format 3.
    #[must_use]
    pub fn mac(&self) -> Option<[u8; 6]> {
        match self.id.as_ref() {
            [first, _, _, _, 3, address @ ..] if first & 0x80 != 0 => address.try_into().ok(),
            _ => None,
        }
    }

    /// Boots and time, which change all the time: for outside the evidence.
    #[must_use]
    pub fn readings(&self) -> Vec<Varbind> {
        [(ENGINE_BOOTS, &self.boots), (ENGINE_TIME, &self.time)]
            .into_iter()
            .filter_map(|(name, count)| varbind(name, INTEGER, &count.octets))
            .collect()
    }
}

/// What discovery brought: the engine, or why there is none.
#[must_use]
pub fn observation(found: Result<&Engine, Outcome>) -> Observation {
    Observation {
        kind: QuestionKind::Engine as i32,
        oids: oid::parse(ENGINE_ID).into_iter().collect(),
        outcome: found.err().unwrap_or(Outcome::Complete) as i32,
        varbinds: found
            .ok()
            .and_then(|engine| varbind(ENGINE_ID, OCTET_STRING, &engine.id))
            .into_iter()
            .collect(),
    }
}

fn varbind(name: &str, tag: u32, value: &Bytes) -> Option<Varbind> {
    Some(Varbind {
        oid: oid::parse(name).ok()?,
        tag,
        value: value.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_snmp::message::{MsgFlags, MsgGlobalData, ScopedPdu, V3Message};
    use async_snmp::message_size::MessageSize;
    use async_snmp::pdu::ResponsePdu;
    use async_snmp::v3::UsmSecurityParams;
    use async_snmp::{DecodeConfig, Oid, Value, VarBind};
    use proptest::prelude::*;

    /// What an engine answers, made by the library.
    fn report(id: i32, engine: &[u8], boots: u32, time: u32) -> Vec<u8> {
        let usm = UsmSecurityParams::new(engine.to_vec(), boots, time, Vec::new()).unwrap();
        let flags = MsgFlags::new(SecurityLevel::NoAuthNoPriv, false);
        let unknown_engine_ids = Oid::from_slice(&[1, 3, 6, 1, 6, 3, 15, 1, 1, 4, 0]);
        let counter = VarBind::new(unknown_engine_ids, Value::Counter32(1));
        let header = MsgGlobalData::new(id, MessageSize::new(1472).unwrap(), flags).unwrap();
        let report = ResponsePdu::report(0, vec![counter]).unwrap();
        let scoped = ScopedPdu::new(engine.to_vec(), Vec::new(), report);
        let message = V3Message::new(header, usm.encode().unwrap(), scoped).unwrap();
        message.encode().unwrap().to_vec()
    }

    #[test]
    fn the_packet_is_that_of_the_library_but_for_sizes() {
        let ours = V3Message::decode(request(77_777).into(), DecodeConfig::DEFAULT)
            .unwrap()
            .value;
        assert_eq!(ours.msg_id(), 77_777);
        assert_eq!(ours.security_level(), SecurityLevel::NoAuthNoPriv);
        assert!(ours.global_data().msg_flags().reportable);
        let usm = UsmSecurityParams::decode(ours.security_params().clone(), DecodeConfig::DEFAULT).unwrap();
        assert_eq!(usm.value, UsmSecurityParams::discovery());
    }

    #[test]
    fn engine_boots_and_time_are_kept_as_they_came() {
        let octets = report(7, b"\x80\0\x1f\x88\x04lab", 3, 86_400);
        let (id, engine) = read(&octets.into()).unwrap();
        assert_eq!((id, engine.boots.value, engine.time.value), (7, 3, 86_400));
        let evidence = observation(Ok(&engine));
        assert_eq!(evidence.varbinds[0].value.as_ref(), b"\x80\0\x1f\x88\x04lab");
        assert_eq!(evidence.outcome(), Outcome::Complete);
        let readings = engine.readings();
        assert_eq!(readings[0].value.as_ref(), [3]);
        assert_eq!(readings[1].value.as_ref(), [1, 0x51, 0x80]);
        let silent = observation(Err(Outcome::TimedOut));
        assert!(silent.varbinds.is_empty() && silent.outcome() == Outcome::TimedOut);
    }

    #[test]
    fn number_and_hardware_address_are_read_from_an_id_that_has_them() {
        let mac = Some([0x00, 0xe0, 0xfc, 0x12, 0x34, 0x56]);
        for (id, number, address) in [
            (&b"\x80\0\x07\xdb\x03\0\xe0\xfc\x12\x34\x56"[..], Some(2011), mac),
            (b"\x80\0\x07\xdb\x03\0\xe0\xfc\x12\x34", Some(2011), None),
            (b"\x80\0\x1f\x88\x04lab", Some(8072), None),
            (b"\0\0\0\x09\x03\0\xe0\xfc\x12\x34\x56\0", Some(9), None),
            (b"\x80\0\0\0\x06", None, None),
            (b"\x80\0\x1f\x88", None, None),
            (b"7", None, None),
        ] {
            let count = Count {
                octets: Bytes::new(),
                value: 0,
            };
            let engine = Engine {
                id: Bytes::copy_from_slice(id),
                boots: count.clone(),
                time: count,
            };
            assert_eq!(
                (engine.enterprise(), engine.mac()),
                (number, address),
                "{id:02x?}"
            );
        }
    }

    #[test]
    fn odd_engines_are_engines_and_none_is_none() {
        for length in [0, 1, 4, 33, 255, 256] {
            let engine = vec![7; length];
            let octets = Outgoing {
                id: 7,
                level: SecurityLevel::NoAuthNoPriv,
                engine: &engine,
                boots: 1,
                time: 1,
                user: None,
                context: &[],
                keys: None,
                pdu: Pdu::Get,
                names: &[],
            }
            .encode()
            .unwrap();
            let found = read(&octets.into()).map(|(_, found)| found.id == engine);
            let expected = (1..=255).contains(&length).then_some(true).ok_or(Undecodable);
            assert_eq!(found, expected, "{length}");
        }
    }

    proptest! {
        #[test]
        fn anything_can_arrive(at in 0usize..110, octet in any::<u8>(), cut in 0usize..110) {
            let mut octets = report(7, b"\x80\0\x1f\x88\x04lab", 3, 86_400);
            if let Some(slot) = octets.get_mut(at) { *slot = octet; }
            octets.truncate(octets.len().saturating_sub(cut));
            if let Ok((_, engine)) = read(&octets.into()) {
                prop_assert!(!engine.id.is_empty());
            }
        }
    }
}
