//! Client certificates that ran out a while ago still prove who holds their key.
//!
//! Invariants: everything else about them is checked as always, as of the last
//! second they held; what their holder may do then is for each service to say.

use super::Validity;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use std::sync::Arc;
use std::time::Duration;

/// A verifier that looks the other way about a certificate's end, within a grace.
#[derive(Debug)]
pub(super) struct Lenient {
    pub(super) verifier: Arc<dyn ClientCertVerifier>,
    pub(super) grace: Duration,
}

impl ClientCertVerifier for Lenient {
    fn offer_client_auth(&self) -> bool {
        self.verifier.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.verifier.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.verifier.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        match self.verifier.verify_client_cert(end_entity, intermediates, now) {
            Err(Error::InvalidCertificate(
                error @ (CertificateError::Expired | CertificateError::ExpiredContext { .. }),
            )) => {
                let last =
                    last_second(end_entity, now, self.grace).ok_or(Error::InvalidCertificate(error))?;
                self.verifier.verify_client_cert(end_entity, intermediates, last)
            }
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

/// The last second a certificate held, if that lies within the grace before `now`.
pub(super) fn last_second(certificate: &[u8], now: UnixTime, grace: Duration) -> Option<UnixTime> {
    let not_after = Validity::of_certificate(certificate).ok()?.not_after;
    let last = Duration::from_secs(u64::try_from(not_after).ok()?);
    let since = Duration::from_secs(now.as_secs()).checked_sub(last)?;
    (since <= grace).then(|| UnixTime::since_unix_epoch(last))
}
