//! Mutual TLS for both ends of the line, and who a certificate says its holder is.
//!
//! Invariants: one provider (ring); TLS 1.3 and 1.2 only; a client certificate is
//! of the collector's own authority or absent, and each service asks for it; the
//! client trusts that authority and nothing else.

mod pin;
mod grace;
mod proof;

pub use pin::PinnedAuthority;
pub use proof::{Authorities, verify_signature};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tonic::transport::{Certificate, ClientTlsConfig, Identity};
use uuid::Uuid;

/// The DNS name in every collector's certificate. The authority is private to
/// one collector, so the name is the same whatever address it is reached at.
pub const COLLECTOR_NAME: &str = "marque-collector";

/// Authorities in one bundle at most: the one that signs, the one before, the one to come.
const MAX_AUTHORITIES: usize = 3;

/// A PEM file with one private key, its certificate, and after it the certificate of the
/// authority that signed it. Further authorities are trusted too: those of a rotation.
pub struct Bundle {
    pem: String,
}

/// Why a bundle or certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The PEM text lacks a part.
    #[error("identity file has no {0}")]
    Missing(&'static str),
    /// The PEM text is damaged.
    #[error("identity file cannot be read as PEM")]
    Pem(#[source] rustls::pki_types::pem::Error),
    /// Key or certificate is refused.
    #[error("identity file is refused by TLS")]
    Refused(#[source] rustls::Error),
    /// The authority's certificate cannot be a trust anchor.
    #[error("the authority's certificate is refused")]
    Authority(#[source] rustls::server::VerifierBuilderError),
    /// The certificate does not name an agent.
    #[error("certificate names no agent of this house")]
    NoAgent,
    /// It is signed by another key, or something else was signed.
    #[error("signature is not of this certificate's key")]
    Signature,
}

impl Bundle {
    /// From PEM text; checked when a configuration is made of it.
    #[must_use]
    pub fn from_pem(pem: String) -> Self {
        Self { pem }
    }

    fn certificates(&self) -> Result<Certificates, TlsError> {
        let mut all = CertificateDer::pem_slice_iter(self.pem.as_bytes());
        let leaf = all
            .next()
            .ok_or(TlsError::Missing("certificate"))?
            .map_err(TlsError::Pem)?;
        let authority = all
            .next()
            .ok_or(TlsError::Missing("authority certificate"))?
            .map_err(TlsError::Pem)?;
        let mut authorities = vec![authority.clone()];
        for further in all.take(MAX_AUTHORITIES - 1) {
            authorities.push(further.map_err(TlsError::Pem)?);
        }
        Ok(Certificates {
            leaf,
            authority,
            authorities,
        })
    }

    fn key(&self) -> Result<PrivateKeyDer<'static>, TlsError> {
        PrivateKeyDer::from_pem_slice(self.pem.as_bytes()).map_err(|error| match error {
            rustls::pki_types::pem::Error::NoItemsFound => TlsError::Missing("private key"),
            other => TlsError::Pem(other),
        })
    }

    /// Who this bundle's certificate says its holder is.
    ///
    /// # Errors
    /// [`TlsError`] when there is no certificate or it names no agent.
    pub fn agent(&self) -> Result<AgentIdentity, TlsError> {
        AgentIdentity::from_certificate(&self.certificates()?.leaf)
    }

    /// A bundle of a fresh key and what the collector answered: certificate, the authority
    /// that signed it, others to trust.
    ///
    /// # Errors
    /// [`TlsError`] unless the first is for this key, names an agent and is signed by the second.
    pub fn issued(key: &str, certificates: &[impl AsRef<[u8]>]) -> Result<Self, TlsError> {
        if certificates.len() > 1 + MAX_AUTHORITIES {
            return Err(TlsError::Missing("bound on its authorities"));
        }
        let pem: String = certificates
            .iter()
            .map(|der| pem_of("CERTIFICATE", der.as_ref()))
            .collect();
        let bundle = Self::from_pem(format!("{key}{pem}"));
        bundle.client()?;
        bundle.agent()?;
        let Certificates { leaf, authority, .. } = bundle.certificates()?;
        WebPkiClientVerifier::builder_with_provider(trusting([&authority])?, provider())
            .build()
            .map_err(TlsError::Authority)?
            .verify_client_cert(&leaf, &[], UnixTime::now())
            .map_err(TlsError::Refused)?;
        Ok(bundle)
    }

    /// As it is written to a file, key included.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// SHA-256 of the authority's certificate, as in a join token.
    ///
    /// # Errors
    /// [`TlsError`] when there is none.
    pub fn authority(&self) -> Result<[u8; 32], TlsError> {
        Ok(crate::token::fingerprint(&self.certificates()?.authority))
    }

    /// From when until when this bundle's certificate holds.
    ///
    /// # Errors
    /// [`TlsError`] when there is none.
    pub fn validity(&self) -> Result<Validity, TlsError> {
        Validity::of_certificate(&self.certificates()?.leaf)
    }

    /// The agent's side: shows its certificate, trusts only the authority.
    ///
    /// # Errors
    /// [`TlsError`] when a part is missing or damaged, or the key is of another certificate.
    pub fn client(&self) -> Result<ClientTlsConfig, TlsError> {
        let Certificates {
            leaf, authorities, ..
        } = self.certificates()?;
        // A damaged one must not be found out when the collector has changed to it.
        trusting(&authorities)?;
        let key = self.key()?;
        rustls::sign::CertifiedKey::from_der(vec![leaf.clone()], key.clone_key(), &provider())
            .map_err(TlsError::Refused)?;
        // tonic takes PEM; hand it only the parts it needs.
        Ok(ClientTlsConfig::new()
            .domain_name(COLLECTOR_NAME)
            .ca_certificates(
                authorities
                    .iter()
                    .map(|authority| Certificate::from_pem(pem_of("CERTIFICATE", authority))),
            )
            .identity(Identity::from_pem(
                pem_of("CERTIFICATE", &leaf),
                pem_of("PRIVATE KEY", key.secret_der()),
            )))
    }

    /// [`Self::server_within`] without grace.
    ///
    /// # Errors
    /// As there.
    pub fn server(&self) -> Result<rustls::ServerConfig, TlsError> {
        self.server_within(Duration::ZERO)
    }

    /// The collector's side: a client certificate is of the authority or absent. One that ran
    /// out within `grace` is let through the handshake, and each service says what it may do.
    /// The authority is sent too, for agents that know it by its fingerprint alone.
    ///
    /// # Errors
    /// [`TlsError`] when a part is missing, damaged or refused, or an agent would refuse us.
    pub fn server_within(&self, grace: Duration) -> Result<rustls::ServerConfig, TlsError> {
        let Certificates {
            leaf,
            authority,
            authorities,
        } = self.certificates()?;
        let provider = provider();
        let name = ServerName::try_from(COLLECTOR_NAME).map_err(|_| TlsError::NoAgent)?;
        WebPkiServerVerifier::builder_with_provider(trusting([&authority])?, Arc::clone(&provider))
            .build()
            .map_err(TlsError::Authority)?
            .verify_server_cert(&leaf, &[], &name, &[], UnixTime::now())
            .map_err(TlsError::Refused)?;
        let verifier =
            WebPkiClientVerifier::builder_with_provider(trusting(&authorities)?, Arc::clone(&provider))
                .allow_unauthenticated()
                .build()
                .map_err(TlsError::Authority)?;
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Refused)?
            .with_client_cert_verifier(Arc::new(grace::Lenient { verifier, grace }))
            .with_single_cert(vec![leaf, authority], self.key()?)
            .map_err(TlsError::Refused)?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(config)
    }
}

impl fmt::Debug for Bundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bundle(..)")
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// The certificates of a bundle.
struct Certificates {
    leaf: CertificateDer<'static>,
    /// The authority that signed it.
    authority: CertificateDer<'static>,
    /// This one, and others to trust.
    authorities: Vec<CertificateDer<'static>>,
}

fn trusting<'a>(
    authorities: impl IntoIterator<Item = &'a CertificateDer<'a>>,
) -> Result<Arc<rustls::RootCertStore>, TlsError> {
    let mut roots = rustls::RootCertStore::empty();
    for authority in authorities {
        roots
            .add(authority.clone().into_owned())
            .map_err(TlsError::Refused)?;
    }
    Ok(Arc::new(roots))
}

fn pem_of(label: &str, der: &[u8]) -> String {
    pem::encode(&pem::Pem::new(label, der))
}

/// From when until when a certificate holds, in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// First second.
    pub not_before: i64,
    /// Last second.
    pub not_after: i64,
}

impl Validity {
    /// Reads it from a certificate in DER.
    ///
    /// # Errors
    /// [`TlsError::Missing`] when it is none.
    pub fn of_certificate(der: &[u8]) -> Result<Self, TlsError> {
        let (_, certificate) =
            x509_parser::parse_x509_certificate(der).map_err(|_| TlsError::Missing("certificate"))?;
        let validity = certificate.validity();
        Ok(Self {
            not_before: validity.not_before.timestamp(),
            not_after: validity.not_after.timestamp(),
        })
    }

    /// When two thirds of it are over: time to renew.
    #[must_use]
    pub fn renew_at(self) -> i64 {
        let lifetime = self.not_after.saturating_sub(self.not_before).max(0);
        self.not_before
            .saturating_add(lifetime / 3 * 2 + lifetime % 3 * 2 / 3)
    }
}

/// Who an agent is and where it stands, as its certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentIdentity {
    /// The agent's key.
    pub agent: Uuid,
    /// The name of its site; validated by whoever uses it.
    pub site: String,
}

impl AgentIdentity {
    const PREFIX: &str = "spiffe://marque/site/";

    /// The URI placed in the subject alternative name.
    #[must_use]
    pub fn uri(&self) -> String {
        format!("{}{}/agent/{}", Self::PREFIX, self.site, self.agent)
    }

    fn from_uri(uri: &str) -> Option<Self> {
        let (site, agent) = uri.strip_prefix(Self::PREFIX)?.split_once("/agent/")?;
        if site.is_empty() || site.len() > 63 || site.contains('/') {
            return None;
        }
        Some(Self {
            agent: Uuid::parse_str(agent).ok()?,
            site: site.to_owned(),
        })
    }

    /// Reads the one URI of the subject alternative name (RFC 5280, 4.2.1.6).
    ///
    /// # Errors
    /// [`TlsError::NoAgent`] when the certificate has none, several or another one.
    pub fn from_certificate(der: &[u8]) -> Result<Self, TlsError> {
        let (_, certificate) = x509_parser::parse_x509_certificate(der).map_err(|_| TlsError::NoAgent)?;
        let names = certificate
            .subject_alternative_name()
            .ok()
            .flatten()
            .ok_or(TlsError::NoAgent)?;
        let mut uris = names.value.general_names.iter().filter_map(|name| match name {
            x509_parser::extensions::GeneralName::URI(uri) => Some(*uri),
            _ => None,
        });
        match (uris.next(), uris.next()) {
            (Some(uri), None) => Self::from_uri(uri).ok_or(TlsError::NoAgent),
            _ => Err(TlsError::NoAgent),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identity_survives_its_uri() {
        let identity = AgentIdentity {
            agent: Uuid::now_v7(),
            site: "berlin".into(),
        };
        assert_eq!(AgentIdentity::from_uri(&identity.uri()), Some(identity));
    }

    #[test]
    fn strange_uris_name_nobody() {
        let id = Uuid::nil();
        for uri in [
            format!("spiffe://other/site/berlin/agent/{id}"),
            format!("spiffe://marque/site//agent/{id}"),
            format!("spiffe://marque/site/a/b/agent/{id}"),
            format!("spiffe://marque/site/{}/agent/{id}", "x".repeat(64)),
            "spiffe://marque/site/berlin/agent/1".to_owned(),
        ] {
            assert_eq!(AgentIdentity::from_uri(&uri), None, "{uri}");
        }
    }

    #[test]
    fn renewal_comes_at_two_thirds() {
        for (not_before, not_after, due) in [
            (0, 9, 6),
            (10, 16, 14),
            (5, 5, 5),
            (9, 0, 9),
            (0, i64::MAX, i64::MAX / 3 * 2),
        ] {
            let validity = Validity {
                not_before,
                not_after,
            };
            assert!((validity.renew_at() - due).abs() <= 1, "{validity:?}");
        }
    }

    #[test]
    fn a_bundle_says_what_it_lacks() {
        let missing = |pem: &str| {
            Bundle::from_pem(pem.to_owned())
                .client()
                .err()
                .map(|e| e.to_string())
        };
        assert_eq!(missing(""), Some("identity file has no certificate".to_owned()));
    }
}
