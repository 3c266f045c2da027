//! Version 3 for the one user an element may know (RFC 3414, 3.1 and 3.2), with
//! authentication and privacy and nothing less.
//!
//! Clocks of requests are not looked at. Whoever asks otherwise is met as by an element
//! without users.

use super::super::Element;
use super::Request;
use async_snmp::ber::{Decoder, EncodeBuf};
use async_snmp::message::{MsgFlags, MsgGlobalData, ScopedPdu, SecurityLevel, V3Message, V3MessageData};
use async_snmp::message_size::MessageSize;
use async_snmp::v3::auth::{authenticate_message, verify_message};
use async_snmp::v3::{LocalizedKey, MasterKeys, PrivKey, SaltCounter, UsmSecurityParams};
use async_snmp::{DecodeConfig, Version};
use std::fmt;
use std::sync::Arc;

/// Room for the header, the security parameters and the scope around a response.
const OVERHEAD: usize = 160;
/// The engine never restarted.
const BOOTS: u32 = 1;

/// A user at one engine.
pub struct Lock {
    user: Arc<str>,
    auth: LocalizedKey,
    privacy: PrivKey,
    salts: Arc<SaltCounter>,
}

impl Lock {
    /// The user with these keys at this engine; [`None`] where the keys have no privacy.
    #[must_use]
    pub fn new(user: &Arc<str>, keys: &MasterKeys, salts: &Arc<SaltCounter>, engine: &[u8]) -> Option<Self> {
        let (auth, privacy) = keys.localize(engine).ok()?;
        Some(Self {
            user: Arc::clone(user),
            auth,
            privacy: privacy?,
            salts: Arc::clone(salts),
        })
    }
}

impl fmt::Debug for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Lock").field(&self.user).finish()
    }
}

/// The response, if the user asked.
pub(super) fn answer(element: &Element, datagram: &[u8]) -> Option<Vec<u8>> {
    let lock = element.lock.as_ref()?;
    let request = V3Message::decode(datagram.to_vec().into(), DecodeConfig::DEFAULT)
        .ok()?
        .value;
    let V3MessageData::Encrypted(sealed) = request.data() else {
        return None;
    };
    let usm = UsmSecurityParams::decode(request.security_params().clone(), DecodeConfig::DEFAULT)
        .ok()?
        .value;
    let ours =
        usm.engine_id().as_ref() == element.engine_id && usm.username().as_ref() == lock.user.as_bytes();
    let (at, length) = UsmSecurityParams::find_auth_params_offset(datagram)?;
    if !ours || !verify_message(&lock.auth, datagram, at, length).ok()? {
        return None;
    }
    let (boots, time) = (usm.engine_boots(), usm.engine_time());
    let plain = lock
        .privacy
        .decrypt(sealed, boots, time, usm.priv_params())
        .ok()?;
    let scoped = ScopedPdu::decode(&mut Decoder::new(plain)).ok()?;
    let asked = Request {
        element,
        version: Version::V3,
        pdu: &scoped.pdu,
        room: element.max_size.saturating_sub(OVERHEAD),
        uptime: element.uptime(),
    };
    let reply = asked.serve()?;
    let mut buffer = EncodeBuf::with_capacity(reply.varbinds.len() + OVERHEAD);
    buffer
        .push_sequence(|buffer| {
            asked.push_response(buffer, &reply)?;
            buffer.push_octet_string(&[])?;
            buffer.push_octet_string(&element.engine_id)
        })
        .ok()?;
    let time = asked.uptime / 100;
    let (sealed, salt) = lock
        .privacy
        .encrypt_aes(&buffer.finish(), BOOTS, time, &lock.salts)
        .ok()?;
    let usm = UsmSecurityParams::new(
        element.engine_id.clone(),
        BOOTS,
        time,
        lock.user.as_bytes().to_vec(),
    )
    .and_then(|usm| usm.with_auth_placeholder(lock.auth.mac_len()))
    .and_then(|usm| usm.with_priv_params(salt))
    .ok()?;
    let flags = MsgFlags::new(SecurityLevel::AuthPriv, false);
    let header =
        MsgGlobalData::new(request.msg_id(), MessageSize::new(element.max_size).ok()?, flags).ok()?;
    let message = V3Message::new_with_opaque_encrypted_scoped_pdu(header, usm.encode().ok()?, sealed).ok()?;
    let mut octets = message.encode().ok()?.to_vec();
    let (at, length) = UsmSecurityParams::find_auth_params_offset(&octets)?;
    authenticate_message(&lock.auth, &mut octets, at, length).ok()?;
    Some(octets)
}
