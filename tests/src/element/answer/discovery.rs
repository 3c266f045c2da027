//! Version 3 as far as an element without users goes: it tells who it is (RFC 3414, 4),
//! and that it knows nobody (RFC 3414, 3.2).

use super::Element;
use async_snmp::message::{MsgFlags, MsgGlobalData, ScopedPdu, SecurityLevel, V3Message};
use async_snmp::message_size::MessageSize;
use async_snmp::pdu::{Pdu, ResponsePdu};
use async_snmp::v3::UsmSecurityParams;
use async_snmp::{DecodeConfig, Oid, Value, VarBind};

/// usmStatsUnknownUserNames.0 and usmStatsUnknownEngineIDs.0 (RFC 3414, 5).
const UNKNOWN_USER_NAMES: [u32; 11] = [1, 3, 6, 1, 6, 3, 15, 1, 1, 3, 0];
const UNKNOWN_ENGINE_IDS: [u32; 11] = [1, 3, 6, 1, 6, 3, 15, 1, 1, 4, 0];

/// A report of engine ID, boots and time, and of what was wrong with the request.
pub(super) fn answer(element: &Element, datagram: &[u8]) -> Option<Vec<u8>> {
    if element.engine_id.is_empty() {
        return None;
    }
    let request = V3Message::decode(datagram.to_vec().into(), DecodeConfig::DEFAULT)
        .ok()?
        .value;
    let asked = UsmSecurityParams::decode(request.security_params().clone(), DecodeConfig::DEFAULT)
        .ok()?
        .value;
    let known = asked.engine_id().as_ref() == element.engine_id;
    let wrong = if known {
        UNKNOWN_USER_NAMES
    } else {
        UNKNOWN_ENGINE_IDS
    };
    let engine_id = element.engine_id.clone();
    let usm = UsmSecurityParams::new(engine_id.clone(), 1, element.uptime() / 100, Vec::new()).ok()?;
    let flags = MsgFlags::new(SecurityLevel::NoAuthNoPriv, false);
    let size = MessageSize::new(element.max_size).ok()?;
    let header = MsgGlobalData::new(request.msg_id(), size, flags).ok()?;
    let counter = VarBind::new(Oid::from_slice(&wrong), Value::Counter32(1));
    let report = ResponsePdu::report(request.pdu().map_or(0, Pdu::request_id), vec![counter]).ok()?;
    let scoped = ScopedPdu::new(engine_id, Vec::new(), report);
    let message = V3Message::new(header, usm.encode().ok()?, scoped).ok()?;
    message.encode().ok().map(|octets| octets.to_vec())
}
