//! The authority: its key, its certificate, and what it signs.
//!
//! Invariants: from a signing request comes the public key and nothing else; an
//! authority that an operator put in place is used as it is.

use super::{courier, rotation};
use model::{AgentId, Instant, SiteName};
use proto::courier::{CourierError, CourierKey};
use proto::secret_file::SecretFile;
use proto::tls::{AgentIdentity, Bundle, COLLECTOR_NAME};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DnType, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData, SanType, SerialNumber,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, CertificateSigningRequestDer, PrivateKeyDer};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use store::admission::Issued;
use time::{Duration, OffsetDateTime};

/// How long the authority is valid.
const AUTHORITY_LIFETIME: Duration = Duration::days(3_652);

/// How long the collector's own certificate is valid; a start makes a new one.
const COLLECTOR_LIFETIME: Duration = Duration::days(365);

/// Clocks of sites may lag behind ours by this much.
const BACKDATE: Duration = Duration::hours(1);

/// A random serial: 128 bits, of which RFC 5280 wants at least 64.
const SERIAL_BYTES: usize = 16;

/// Why an identity cannot be read or made.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// A file or folder cannot be read or written.
    #[error("{path}: cannot be read or written")]
    File {
        /// Which.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Key or certificate cannot be made or read.
    #[error("{path}: key or certificate cannot be used")]
    Certificate {
        /// Which.
        path: String,
        /// Why.
        #[source]
        source: rcgen::Error,
    },
    /// The key that opens exports by courier cannot be made or read.
    #[error("{path}: courier key cannot be used")]
    Courier {
        /// Which.
        path: String,
        /// Why.
        #[source]
        source: CourierError,
    },
    /// A signing request cannot be read, or does not prove that its key is held.
    #[error("signing request is refused")]
    Request(#[source] rcgen::Error),
}

/// The authority of one collector, in its folder.
pub struct Authority {
    folder: PathBuf,
    /// Its own certificate, then those of the one before and the one to come.
    certificates: Vec<CertificateDer<'static>>,
    issuer: Issuer<'static, KeyPair>,
    agent_lifetime: Duration,
    courier: courier::Keys,
}

/// A certificate for an agent, and what the store notes of it.
#[derive(Debug)]
pub struct AgentCertificate {
    /// DER: the agent's, that of the authority, others to trust.
    pub chain: Vec<Vec<u8>>,
    /// For the store.
    pub issued: Issued,
}

impl Authority {
    /// Opens the authority in `folder`, or makes folder and authority at the first start.
    ///
    /// # Errors
    /// [`EnrolError`] naming the file.
    pub fn open(
        folder: &Path,
        agent_lifetime: std::time::Duration,
        now: OffsetDateTime,
    ) -> Result<Self, EnrolError> {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|source| EnrolError::File {
                path: folder.display().to_string(),
                source,
            })?;
        let path = rotation::path(folder, rotation::CURRENT);
        let wrong = |source| EnrolError::Certificate {
            path: path.display().to_string(),
            source,
        };
        if !path.exists() {
            make(&path, now)?;
        }
        let text = read(&path)?;
        let key = PrivateKeyDer::from_pem_slice(text.as_bytes())
            .map_err(|_| wrong(rcgen::Error::CouldNotParseKeyPair))?;
        let key = KeyPair::try_from(&key).map_err(wrong)?;
        let certificate = CertificateDer::from_pem_slice(text.as_bytes())
            .map_err(|_| wrong(rcgen::Error::CouldNotParseCertificate))?;
        let issuer = Issuer::from_ca_cert_der(&certificate, key).map_err(wrong)?;
        let mut certificates = vec![certificate];
        for other in [rotation::OLD, rotation::NEXT] {
            certificates.extend(rotation::certificate(folder, other)?);
        }
        Ok(Self {
            folder: folder.to_owned(),
            courier: courier::Keys::open(folder)?,
            certificates,
            issuer,
            agent_lifetime: Duration::try_from(agent_lifetime).unwrap_or(COLLECTOR_LIFETIME),
        })
    }

    /// SHA-256 of the authority's certificate: what agents know it by.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        // Never empty: it begins with our own.
        self.certificates
            .first()
            .map_or([0; 32], |own| proto::token::fingerprint(own))
    }

    /// The public key that agents export their spools to.
    #[must_use]
    pub fn courier_key(&self) -> [u8; 32] {
        self.courier.current.public
    }

    /// Those that open such exports: the current one, and the one before.
    pub fn courier_keys(&self) -> impl Iterator<Item = &CourierKey> {
        self.courier.all()
    }

    /// The collector's own bundle: key, certificate, authority. Made anew at each start.
    ///
    /// # Errors
    /// [`EnrolError`] naming the file.
    pub fn collector_bundle(&self, now: OffsetDateTime) -> Result<String, EnrolError> {
        let mut params = leaf_params(
            COLLECTOR_NAME,
            ExtendedKeyUsagePurpose::ServerAuth,
            COLLECTOR_LIFETIME,
            now,
        );
        params.subject_alt_names = vec![SanType::DnsName(self.ia5(COLLECTOR_NAME.to_owned())?)];
        let key = KeyPair::generate().map_err(|e| self.wrong(e))?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(|e| self.wrong(e))?;
        Ok(self.bundle(&key, certificate.pem()))
    }

    /// A certificate for the key of a signing request, which must prove that it is held.
    ///
    /// # Errors
    /// [`EnrolError::Request`] when it does not, [`EnrolError::Certificate`] when nothing can be signed.
    pub fn certify(
        &self,
        request: &[u8],
        agent: AgentId,
        site: &SiteName,
        now: OffsetDateTime,
    ) -> Result<AgentCertificate, EnrolError> {
        let request = CertificateSigningRequestParams::from_der(&CertificateSigningRequestDer::from(request))
            .map_err(EnrolError::Request)?;
        self.sign(&request.public_key, agent, site, now)
    }

    /// That a signing request could be certified.
    ///
    /// # Errors
    /// [`EnrolError::Request`] when it cannot.
    pub fn check(request: &[u8]) -> Result<(), EnrolError> {
        CertificateSigningRequestParams::from_der(&CertificateSigningRequestDer::from(request))
            .map(|_| ())
            .map_err(EnrolError::Request)
    }

    /// Key and certificate in one text, for agents that cannot reach us to enrol.
    ///
    /// # Errors
    /// [`EnrolError`] when no certificate can be made.
    pub fn agent_bundle(
        &self,
        agent: AgentId,
        site: &SiteName,
        now: OffsetDateTime,
    ) -> Result<(String, Issued), EnrolError> {
        let key = KeyPair::generate().map_err(|e| self.wrong(e))?;
        let made = self.sign(&key, agent, site, now)?;
        let pem = made.chain.first().map(|leaf| pem_of(leaf)).unwrap_or_default();
        let bundle = Bundle::from_pem(self.bundle(&key, pem)).with_courier_key(&self.courier_key());
        Ok((bundle.pem().to_owned(), made.issued))
    }

    fn sign(
        &self,
        key: &impl PublicKeyData,
        agent: AgentId,
        site: &SiteName,
        now: OffsetDateTime,
    ) -> Result<AgentCertificate, EnrolError> {
        let identity = AgentIdentity {
            agent: agent.0,
            site: site.to_string(),
        };
        let mut params = leaf_params(
            &format!("agent {agent}"),
            ExtendedKeyUsagePurpose::ClientAuth,
            self.agent_lifetime,
            now,
        );
        params.subject_alt_names = vec![SanType::URI(self.ia5(identity.uri())?)];
        let serial: [u8; SERIAL_BYTES] = uuid::Uuid::new_v4().into_bytes();
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        let certificate = params.signed_by(key, &self.issuer).map_err(|e| self.wrong(e))?;
        Ok(AgentCertificate {
            chain: std::iter::once(certificate.der())
                .chain(&self.certificates)
                .map(|der| der.to_vec())
                .collect(),
            issued: Issued {
                agent,
                site: site.clone(),
                serial: hex::encode(serial),
                authority: hex::encode(self.fingerprint()),
                trusted: self
                    .certificates
                    .iter()
                    .map(|authority| hex::encode(proto::token::fingerprint(authority)))
                    .collect(),
                not_after: Instant::from_datetime(params.not_after),
            },
        })
    }

    fn bundle(&self, key: &KeyPair, certificate_pem: String) -> String {
        let trusted: String = self.certificates.iter().map(|der| pem_of(der)).collect();
        format!("{}{certificate_pem}{trusted}", key.serialize_pem())
    }

    fn ia5(&self, text: String) -> Result<rcgen::string::Ia5String, EnrolError> {
        text.try_into().map_err(|source| self.wrong(source))
    }

    fn wrong(&self, source: rcgen::Error) -> EnrolError {
        EnrolError::Certificate {
            path: self.folder.display().to_string(),
            source,
        }
    }
}

fn pem_of(certificate: &[u8]) -> String {
    pem::encode(&pem::Pem::new("CERTIFICATE", certificate))
}

/// Writes a fresh authority to a file.
pub(super) fn make(path: &Path, now: OffsetDateTime) -> Result<(), EnrolError> {
    let wrong = |source| EnrolError::Certificate {
        path: path.display().to_string(),
        source,
    };
    let key = KeyPair::generate().map_err(wrong)?;
    let certificate = authority_params(now).self_signed(&key).map_err(wrong)?;
    save(path, &format!("{}{}", key.serialize_pem(), certificate.pem()))
}

fn authority_params(now: OffsetDateTime) -> CertificateParams {
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(DnType::CommonName, "Marque authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = now - BACKDATE;
    params.not_after = now + AUTHORITY_LIFETIME;
    params
}

fn leaf_params(
    name: &str,
    usage: ExtendedKeyUsagePurpose,
    lifetime: Duration,
    now: OffsetDateTime,
) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![usage];
    params.use_authority_key_identifier_extension = true;
    // Part of a short life must not lie in the past: agents renew at two thirds of the whole.
    params.not_before = now - BACKDATE.min(lifetime / 10);
    params.not_after = now + lifetime;
    params
}

pub(super) fn read(path: &Path) -> Result<String, EnrolError> {
    if proto::secret_file::is_exposed(path) {
        tracing::warn!(file = %path.display(), "others than its owner may read this key: chmod 600");
    }
    std::fs::read_to_string(path).map_err(|source| EnrolError::File {
        path: path.display().to_string(),
        source,
    })
}

pub(super) fn save(path: &Path, text: &str) -> Result<(), EnrolError> {
    SecretFile::create(path)
        .and_then(|file| file.save(text))
        .map_err(|source| EnrolError::File {
            path: path.display().to_string(),
            source,
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    const WEEK: std::time::Duration = std::time::Duration::from_secs(7 * 86_400);

    fn authority(folder: &Path) -> Authority {
        Authority::open(folder, WEEK, OffsetDateTime::now_utc()).unwrap()
    }

    #[test]
    fn an_authority_outlives_its_process_and_names_agents() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("identity");
        let now = OffsetDateTime::now_utc();
        let first = authority(&folder).fingerprint();
        let again = authority(&folder);
        assert_eq!(first, again.fingerprint());
        let mode = std::fs::metadata(folder.join("authority.pem"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);

        let (agent, site) = (AgentId::generate(), "berlin".parse().unwrap());
        let (text, issued) = again.agent_bundle(agent, &site, now).unwrap();
        let bundle = Bundle::from_pem(text);
        let identity = AgentIdentity {
            agent: agent.0,
            site: "berlin".into(),
        };
        assert_eq!(bundle.agent().unwrap(), identity);
        assert_eq!(bundle.authority().unwrap(), first);
        assert_eq!(bundle.courier_key(), Some(again.courier_key()));
        bundle.client().unwrap();
        let lasts = bundle.validity().unwrap().not_after - now.unix_timestamp();
        assert!((604_799..=604_800).contains(&lasts), "{lasts} s");
        assert_eq!(
            issued.not_after.0 / 1_000_000,
            bundle.validity().unwrap().not_after
        );
        Bundle::from_pem(again.collector_bundle(now).unwrap())
            .server()
            .unwrap();
    }

    #[test]
    fn a_request_gets_its_key_certified_and_none_of_its_wishes() {
        let folder = tempfile::tempdir().unwrap();
        let authority = authority(folder.path());
        let now = OffsetDateTime::now_utc();
        let key = KeyPair::generate().unwrap();
        let mut wishes = CertificateParams::default();
        let forged = AgentIdentity {
            agent: uuid::Uuid::now_v7(),
            site: "paris".into(),
        };
        wishes.subject_alt_names = vec![
            SanType::URI(forged.uri().try_into().unwrap()),
            SanType::DnsName(COLLECTOR_NAME.try_into().unwrap()),
        ];
        wishes.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let request = wishes.serialize_request(&key).unwrap();
        let (agent, site) = (AgentId::generate(), "berlin".parse().unwrap());
        let made = authority.certify(request.der(), agent, &site, now).unwrap();
        let bundle = Bundle::issued(&key.serialize_pem(), &made.chain).unwrap();
        assert_eq!(bundle.agent().unwrap().site, "berlin");
        assert_eq!(bundle.agent().unwrap().agent, agent.0);
        assert!(bundle.server().is_err(), "it does not make a collector");
        let other = KeyPair::generate().unwrap().serialize_pem();
        assert!(
            Bundle::issued(&other, &made.chain).is_err(),
            "a key of another certificate"
        );
        assert!(Bundle::issued(&key.serialize_pem(), &made.chain[..1]).is_err());

        // A changed octet of the key or the signature: nobody proved to hold it.
        let der = request.der().to_vec();
        for at in [der.len() - 1, der.len() / 2] {
            let mut changed = der.clone();
            changed[at] ^= 1;
            let refused = authority.certify(&changed, agent, &site, now);
            assert!(matches!(refused, Err(EnrolError::Request(_))), "octet {at}");
            assert!(Authority::check(&changed).is_err());
        }
        assert!(Authority::check(&der).is_ok() && Authority::check(b"").is_err());
    }

    #[test]
    fn a_given_authority_is_used_and_a_wrong_one_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let now = OffsetDateTime::now_utc();
        let (key, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let good = authority_params(now).self_signed(&key).unwrap();
        let serves = |key: &KeyPair, certificate: &str| {
            // Certificate first: either order will do.
            let text = format!("{certificate}{}", key.serialize_pem());
            std::fs::write(folder.path().join("authority.pem"), text).unwrap();
            let bundle = authority(folder.path()).collector_bundle(now).unwrap();
            Bundle::from_pem(bundle).server().is_ok()
        };
        assert!(serves(&key, &good.pem()));
        assert_eq!(
            authority(folder.path()).fingerprint(),
            proto::token::fingerprint(good.der())
        );
        assert!(!serves(&other, &good.pem()), "the key of another authority");
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let error = Authority::open(&file.join("identity"), WEEK, OffsetDateTime::now_utc())
            .err()
            .unwrap();
        assert!(error.to_string().contains("file/identity"), "{error}");
    }
}
