//! Signatures over files by the keys of certificates, and whose certificates count.
//!
//! Invariants: a key signs only what begins with words of our own, so that no
//! signature can be taken for one of TLS or for another kind of file; a certificate
//! is checked for its use: agents sign as clients, the collector as the server.

use super::{AgentIdentity, Bundle, COLLECTOR_NAME, TlsError, grace, pem_of, provider, trusting};
use rustls::SignatureScheme;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use std::time::Duration;

/// The label of the PEM block with the key that spools are exported to.
const COURIER_KEY: &str = "MARQUE COURIER PUBLIC KEY";

impl Bundle {
    /// Signs with the bundle's key (ECDSA over P-256 with SHA-256).
    ///
    /// # Errors
    /// [`TlsError`] when there is no such key.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, TlsError> {
        let key = rustls::crypto::ring::sign::any_supported_type(&self.key()?).map_err(TlsError::Refused)?;
        let signer = key.choose_scheme(&[SignatureScheme::ECDSA_NISTP256_SHA256]);
        let signer = signer.ok_or(TlsError::Missing("ECDSA key over P-256"))?;
        signer.sign(message).map_err(TlsError::Refused)
    }

    /// The bundle's own certificate in DER.
    ///
    /// # Errors
    /// [`TlsError`] when there is none.
    pub fn certificate(&self) -> Result<Vec<u8>, TlsError> {
        Ok(self.certificates()?.leaf.to_vec())
    }

    /// Those whom this bundle trusts.
    ///
    /// # Errors
    /// [`TlsError`] when there are none.
    pub fn authorities(&self) -> Result<Authorities, TlsError> {
        Ok(Authorities(self.certificates()?.authorities))
    }

    /// The collector's key for exports, if this bundle has it.
    #[must_use]
    pub fn courier_key(&self) -> Option<[u8; 32]> {
        let blocks = pem::parse_many(self.pem.as_bytes()).ok()?;
        let block = blocks.iter().find(|block| block.tag() == COURIER_KEY)?;
        block.contents().try_into().ok()
    }

    /// The same bundle with this key for exports; any other length leaves it as it is.
    #[must_use]
    pub fn with_courier_key(mut self, key: &[u8]) -> Self {
        if key.len() == 32 && self.courier_key().is_none() {
            self.pem.push_str(&pem_of(COURIER_KEY, key));
        }
        self
    }
}

/// Authorities whose certificates count.
pub struct Authorities(Vec<CertificateDer<'static>>);

impl Authorities {
    /// Who holds a certificate that signs as an agent. One that ran out within `grace` before
    /// `now` (seconds since 1970) counts: a file does not say when it was made.
    ///
    /// # Errors
    /// [`TlsError`] unless one of the authorities vouches for it.
    pub fn agent(&self, certificate: &[u8], now: u64, grace: Duration) -> Result<AgentIdentity, TlsError> {
        let now = UnixTime::since_unix_epoch(Duration::from_secs(now));
        let at = grace::last_second(certificate, now, grace).unwrap_or(now);
        WebPkiClientVerifier::builder_with_provider(trusting(&self.0)?, provider())
            .build()
            .map_err(TlsError::Authority)?
            .verify_client_cert(&CertificateDer::from(certificate), &[], at)
            .map_err(TlsError::Refused)?;
        AgentIdentity::from_certificate(certificate)
    }

    /// That a certificate is the collector's at `now`, seconds since 1970.
    ///
    /// # Errors
    /// [`TlsError`] unless one of the authorities vouches for it.
    pub fn collector(&self, certificate: &[u8], now: u64) -> Result<(), TlsError> {
        let now = UnixTime::since_unix_epoch(Duration::from_secs(now));
        let name = ServerName::try_from(COLLECTOR_NAME).map_err(|_| TlsError::NoAgent)?;
        WebPkiServerVerifier::builder_with_provider(trusting(&self.0)?, provider())
            .build()
            .map_err(TlsError::Authority)?
            .verify_server_cert(&CertificateDer::from(certificate), &[], &name, &[], now)
            .map_err(TlsError::Refused)?;
        Ok(())
    }
}

/// Checks a signature of [`Bundle::sign`] by the key of a certificate, whoever vouches for that.
///
/// # Errors
/// [`TlsError::Signature`] when it is not one.
pub fn verify_signature(certificate: &[u8], message: &[u8], signature: &[u8]) -> Result<(), TlsError> {
    let certificate = CertificateDer::from(certificate);
    webpki::EndEntityCert::try_from(&certificate)
        .and_then(|holder| holder.verify_signature(webpki::ring::ECDSA_P256_SHA256, message, signature))
        .map_err(|_| TlsError::Signature)
}
