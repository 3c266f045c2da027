//! One cheap question to one address: who are you, without a secret; and if that
//! is met with silence, one GET of sysObjectID with the credential of the range.
//!
//! Invariants: the first packet carries no secret; no address sees a second
//! credential; what comes back is only ever looked at for whether it is an answer.

use crate::credential::Credential;
use crate::plan::oid;
use crate::poll::pace::Pace;
use crate::poll::socket::{Patience, Sockets};
use crate::poll::wire::{self, Pdu};
use crate::target::Target;
use async_snmp::ber::{Decoder, tag};
use async_snmp::message::V3Message;
use async_snmp::message_size::MessageSize;
use prost::bytes::Bytes;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};

/// SNMPv2-MIB::sysObjectID.0 (RFC 3418).
const SYS_OBJECT_ID: &str = "1.3.6.1.2.1.1.2.0";
/// RFC 3412, 6: the version field of SNMPv3.
const VERSION_3: i32 = 3;
/// The largest message we take; an answer is some hundred bytes.
const MAX_SIZE: usize = 1472;
/// RFC 3416, 3: the tag of a Report.
const REPORT: u8 = 0xa8;
/// RFC 3411, 5: the length of an engine ID.
const ENGINE_ID: std::ops::RangeInclusive<usize> = 5..=32;

/// What an address said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It told its engine ID.
    Engine,
    /// It answered the GET.
    Object,
    /// Nothing that is an answer.
    Silent,
}

/// Asks addresses.
pub struct Prober {
    sockets: Sockets,
    pace: Arc<Pace>,
    patience: Duration,
}

impl Prober {
    /// Through sockets that no round uses, so that none loses its answers to a probe.
    pub fn new(sockets: Sockets, patience: Duration) -> Self {
        Self {
            pace: sockets.pace(),
            sockets,
            patience,
        }
    }

    /// At most two packets.
    pub async fn probe(&self, target: Target, credential: &Credential) -> Answer {
        if self.tells_engine(target).await {
            return Answer::Engine;
        }
        let patience = Patience {
            first_contact: self.patience,
            retries: 0,
        };
        let deadline = Instant::now() + self.patience * 2;
        let names: Vec<Bytes> = oid::parse(SYS_OBJECT_ID).into_iter().collect();
        let Ok(mut conversation) = self.sockets.converse(target, credential, patience, deadline) else {
            return Answer::Silent;
        };
        match conversation.exchange(Pdu::Get, &names).await {
            Ok(_) => Answer::Object,
            Err(_) => Answer::Silent,
        }
    }

    async fn tells_engine(&self, target: Target) -> bool {
        self.pace.turn().await;
        let until = Instant::now() + self.patience;
        let asked = timeout_at(until, self.ask_engine(target.address()));
        matches!(asked.await, Ok(Ok(true)))
    }

    /// A socket of its own: connected, it learns of ICMP and hears nobody else.
    async fn ask_engine(&self, at: SocketAddr) -> std::io::Result<bool> {
        let any: SocketAddr = match at {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = UdpSocket::bind(any).await?;
        socket.connect(at).await?;
        let id = self.sockets.request_id();
        socket.send(&request(id).unwrap_or_default()).await?;
        let mut buffer = vec![0; 2048];
        loop {
            let length = socket.recv(&mut buffer).await?;
            let datagram = Bytes::copy_from_slice(buffer.get(..length).unwrap_or_default());
            if engine_id(datagram, id).is_ok() {
                return Ok(true);
            }
        }
    }
}

/// An engine discovery (RFC 3414, 4): a GET of nothing from nobody to an engine without a name.
fn request(id: i32) -> Option<Vec<u8>> {
    let message = V3Message::discovery_request(id, MessageSize::new(MAX_SIZE).ok()?).ok()?;
    Some(message.encode().ok()?.to_vec())
}

/// The engine ID of a Report that answers our discovery.
///
/// # Errors
/// [`wire::Undecodable`] when it is anything else.
fn engine_id(datagram: Bytes, id: i32) -> Result<Bytes, wire::Undecodable> {
    fn drop_cause(_: Box<async_snmp::Error>) -> wire::Undecodable {
        wire::Undecodable
    }
    let size = datagram.len();
    let mut message = Decoder::new(datagram);
    let length = message.expect_tag(tag::universal::SEQUENCE).map_err(drop_cause)?;
    if length > size || message.read_integer().map_err(drop_cause)? != VERSION_3 {
        return Err(wire::Undecodable);
    }
    let mut header = message.read_sequence().map_err(drop_cause)?;
    if header.read_integer().map_err(drop_cause)? != id {
        return Err(wire::Undecodable);
    }
    let usm = message.read_octet_string().map_err(drop_cause)?;
    let mut usm = Decoder::new(usm).read_sequence().map_err(drop_cause)?;
    let engine_id = usm.read_octet_string().map_err(drop_cause)?;
    let mut scoped = message.read_sequence().map_err(drop_cause)?;
    scoped.read_octet_string().map_err(drop_cause)?;
    scoped.read_octet_string().map_err(drop_cause)?;
    scoped.read_constructed(REPORT).map_err(drop_cause)?;
    if !ENGINE_ID.contains(&engine_id.len()) {
        return Err(wire::Undecodable);
    }
    Ok(engine_id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_snmp::message::{MsgFlags, MsgGlobalData, ScopedPdu, SecurityLevel};
    use async_snmp::pdu::ResponsePdu;
    use async_snmp::v3::UsmSecurityParams;
    use async_snmp::{DecodeConfig, Oid, Value, VarBind};
    use proptest::prelude::*;

    const ENGINE: &[u8] = b"\x80\x00\x1f\x88\x04element";

    fn report(id: i32, engine: &[u8]) -> Vec<u8> {
        let usm = UsmSecurityParams::new(engine.to_vec(), 1, 2, Vec::new()).unwrap();
        let flags = MsgFlags::new(SecurityLevel::NoAuthNoPriv, false);
        let header = MsgGlobalData::new(id, MessageSize::new(1472).unwrap(), flags).unwrap();
        // usmStatsUnknownEngineIDs.0 (RFC 3414, 5).
        let counter = VarBind::new(
            Oid::from_slice(&[1, 3, 6, 1, 6, 3, 15, 1, 1, 4, 0]),
            Value::Counter32(1),
        );
        let report = ResponsePdu::report(0, vec![counter]).unwrap();
        let scoped = ScopedPdu::new(engine.to_vec(), Vec::new(), report);
        let message = V3Message::new(header, usm.encode().unwrap(), scoped).unwrap();
        message.encode().unwrap().to_vec()
    }

    #[test]
    fn the_question_is_a_discovery_without_a_secret() {
        let asked = request(70_000).unwrap();
        let read = V3Message::decode(asked.into(), DecodeConfig::DEFAULT)
            .unwrap()
            .value;
        assert_eq!(read.msg_id(), 70_000);
        let usm = UsmSecurityParams::decode(read.security_params().clone(), DecodeConfig::DEFAULT).unwrap();
        assert!(usm.value.engine_id().is_empty());
    }

    #[test]
    fn only_a_report_for_us_with_an_engine_id_is_an_answer() {
        let read = |octets: Vec<u8>, id| engine_id(octets.into(), id);
        assert_eq!(read(report(7, ENGINE), 7).unwrap(), ENGINE);
        assert!(read(report(7, ENGINE), 8).is_err(), "for another question");
        assert!(
            read(request(7).unwrap(), 7).is_err(),
            "our own question, reflected"
        );
        let names = [oid::parse(SYS_OBJECT_ID).unwrap()];
        let v2c = wire::encode(b"public", 7, Pdu::Get, &names).unwrap();
        assert!(read(v2c, 7).is_err());
        for noise in [
            &b""[..],
            b"hello",
            &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
            &[0x30, 0x80],
        ] {
            assert!(read(noise.to_vec(), 7).is_err());
        }
    }

    proptest! {
        #[test]
        fn anything_can_arrive(at in 0usize..120, octet in any::<u8>(), cut in 0usize..120) {
            let mut octets = report(7, ENGINE);
            if let Some(slot) = octets.get_mut(at) { *slot = octet; }
            octets.truncate(octets.len().saturating_sub(cut));
            if let Ok(found) = engine_id(octets.into(), 7) {
                prop_assert!(ENGINE_ID.contains(&found.len()));
            }
        }
    }
}
