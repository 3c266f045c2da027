//! For tests: a community; an engine's answer; an authority and what it signs, made anew for each test.

use crate::credential::Credential;
use crate::credential::scope::Scoped;
use crate::poll::wire::Version;
use async_snmp::message::{MsgFlags, MsgGlobalData, ScopedPdu, SecurityLevel, V3Message};
use async_snmp::message_size::MessageSize;
use async_snmp::pdu::ResponsePdu;
use async_snmp::v3::UsmSecurityParams;
use async_snmp::{Oid, Value, VarBind};
use proto::tls::{AgentIdentity, COLLECTOR_NAME};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};
use secrecy::SecretString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A community of version 2c.
pub fn community(text: &str) -> Arc<Credential> {
    let secret = SecretString::from(text);
    Arc::new(Credential::community(Version::V2c, secret, "test").unwrap())
}

/// The same, for addresses of one prefix only.
pub fn community_within(text: &str, prefix: &str) -> Arc<Credential> {
    let secret = SecretString::from(text);
    let credential = Credential::community(Version::V2c, secret, "test").unwrap();
    Arc::new(credential.within(vec![prefix.parse().unwrap()]))
}

/// A credential by its name, for everybody.
pub fn scoped(name: &str, credential: &Arc<Credential>) -> (String, Scoped) {
    let scoped = Scoped::new(name.to_owned(), Arc::clone(credential), Vec::new());
    (name.to_owned(), scoped)
}

/// What an engine answers to discovery (RFC 3414, 4), made by the library.
pub fn engine_report(id: i32, engine: &[u8]) -> Vec<u8> {
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

/// Signs for agents and collectors.
pub struct Authority {
    pub pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            pem,
            issuer: Issuer::new(params, key),
        }
    }

    /// Key and certificate.
    pub fn collector(&self) -> (String, String) {
        self.sign(SanType::DnsName(COLLECTOR_NAME.try_into().unwrap()))
    }

    /// Writes a whole identity file into the folder.
    pub fn agent(&self, folder: &Path) -> PathBuf {
        let identity = AgentIdentity {
            agent: uuid::Uuid::now_v7(),
            site: "berlin".to_owned(),
        };
        let (key, certificate) = self.sign(SanType::URI(identity.uri().try_into().unwrap()));
        let path = folder.join("agent.pem");
        std::fs::write(&path, format!("{key}{certificate}{}", self.pem)).unwrap();
        path
    }

    fn sign(&self, name: SanType) -> (String, String) {
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![name];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (key.serialize_pem(), certificate.pem())
    }
}
