//! For tests: a community; an authority and what it signs, made anew for each test.

use crate::credential::Credential;
use crate::poll::wire::Version;
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
