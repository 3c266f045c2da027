//! One cheap question to one address: who are you, without a secret; and if that
//! is met with silence, one GET of sysObjectID with the credential of the range.
//!
//! Invariants: the first packet carries no secret; no address sees a second
//! credential; what comes back is only ever looked at for whether it is an answer.

use crate::credential::{Credential, Opening};
use crate::plan::oid;
use crate::poll::engine;
use crate::poll::pace::Pace;
use crate::poll::socket::{Patience, Sockets};
use crate::poll::wire::Pdu;
use crate::target::Target;
use prost::bytes::Bytes;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};

/// SNMPv2-MIB::sysObjectID.0 (RFC 3418).
const SYS_OBJECT_ID: &str = "1.3.6.1.2.1.1.2.0";

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
        // Whoever has users told of its engine.
        if matches!(credential.opening(), Opening::User(_)) {
            return Answer::Silent;
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
        socket.send(&engine::request(id)).await?;
        let mut buffer = vec![0; 2048];
        loop {
            let length = socket.recv(&mut buffer).await?;
            let datagram = Bytes::copy_from_slice(buffer.get(..length).unwrap_or_default());
            if tells_engine(&datagram, id) {
                return Ok(true);
            }
        }
    }
}

/// Whether a datagram answers our discovery: our own, reflected, names no engine.
fn tells_engine(datagram: &Bytes, id: i32) -> bool {
    engine::read(datagram).is_ok_and(|(answered, _)| answered == id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::poll::wire::{self, Version};
    use async_snmp::message::{MsgFlags, MsgGlobalData, ScopedPdu, SecurityLevel, V3Message};
    use async_snmp::message_size::MessageSize;
    use async_snmp::pdu::ResponsePdu;
    use async_snmp::v3::UsmSecurityParams;
    use async_snmp::{Oid, Value, VarBind};

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
    fn only_an_answer_to_us_that_names_an_engine_counts() {
        let tells = |octets: Vec<u8>, id| tells_engine(&octets.into(), id);
        assert!(tells(report(7, b"\x80\x00\x1f\x88\x04element"), 7));
        assert!(
            !tells(report(7, b"\x80\x00\x1f\x88\x04element"), 8),
            "another question"
        );
        assert!(!tells(engine::request(7), 7), "our own question, reflected");
        let names = [oid::parse(SYS_OBJECT_ID).unwrap()];
        let v2c = wire::encode(Version::V2c, b"public", 7, Pdu::Get, &names).unwrap();
        for noise in [v2c, b"hello".to_vec(), vec![0x30, 0x80], Vec::new()] {
            assert!(!tells(noise, 7));
        }
    }
}
