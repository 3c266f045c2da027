//! Knowing a collector by its authority's fingerprint alone, before anything is said.

use super::{COLLECTOR_NAME, TlsError, provider, trusting};
use crate::token::fingerprint;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};
use std::sync::Arc;
use tonic::transport::{ClientTlsConfig, Endpoint};

/// Trusts the one authority with this fingerprint, if the server shows it, and then
/// whatever that authority vouches for as [`COLLECTOR_NAME`]; nothing else.
#[derive(Debug)]
pub struct PinnedAuthority {
    /// SHA-256 over the DER of its certificate.
    fingerprint: [u8; 32],
}

impl PinnedAuthority {
    /// An endpoint whose handshake fails unless the server's authority is this one.
    ///
    /// # Errors
    /// What tonic says about the endpoint.
    pub fn endpoint(endpoint: Endpoint, fingerprint: [u8; 32]) -> Result<Endpoint, tonic::transport::Error> {
        let tls = ClientTlsConfig::new().domain_name(COLLECTOR_NAME);
        endpoint.tls_config_with_verifier(tls, Arc::new(Self { fingerprint }))
    }
}

impl ServerCertVerifier for PinnedAuthority {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let authority = intermediates
            .iter()
            .find(|certificate| fingerprint(certificate) == self.fingerprint)
            .ok_or(Error::InvalidCertificate(CertificateError::UnknownIssuer))?;
        let refused = |error: TlsError| Error::General(error.to_string());
        WebPkiServerVerifier::builder_with_provider(trusting([authority]).map_err(refused)?, provider())
            .build()
            .map_err(|error| Error::General(error.to_string()))?
            .verify_server_cert(end_entity, &[], server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = provider().signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, &algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = provider().signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}
