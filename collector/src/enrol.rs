//! The collector's own authority, its certificate, and certificates for agents.
//!
//! Invariants: keys are made here, written once with mode 0600 and never
//! printed; a certificate's names come from our arguments, never from outside;
//! an identity is one file, replaced by rename.

use proto::tls::{AgentIdentity, COLLECTOR_NAME};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use time::{Duration, OffsetDateTime};

/// How long the authority is valid.
const AUTHORITY_LIFETIME: Duration = Duration::days(3_652);

/// How long a certificate of a collector or agent is valid.
const LEAF_LIFETIME: Duration = Duration::days(365);

/// Clocks of sites may lag behind ours by this much.
const BACKDATE: Duration = Duration::hours(1);

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
}

/// The authority of one collector, in its folder.
pub struct Authority {
    folder: PathBuf,
    certificate_pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// Opens the authority in `folder`, or makes folder and authority at the first start.
    ///
    /// # Errors
    /// [`EnrolError`] naming the file.
    pub fn open(folder: &Path, now: OffsetDateTime) -> Result<Self, EnrolError> {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|source| EnrolError::File {
                path: folder.display().to_string(),
                source,
            })?;
        let path = folder.join("authority.pem");
        let wrong = |source| EnrolError::Certificate {
            path: path.display().to_string(),
            source,
        };
        if !path.exists() {
            let key = KeyPair::generate().map_err(wrong)?;
            let certificate = authority_params(now).self_signed(&key).map_err(wrong)?;
            write_secret(&path, &format!("{}{}", key.serialize_pem(), certificate.pem()))?;
        }
        let text = read(&path)?;
        let key = KeyPair::from_pem(&text).map_err(wrong)?;
        let certificate_pem = text
            .find("-----BEGIN CERTIFICATE-----")
            .and_then(|at| text.get(at..))
            .ok_or_else(|| wrong(rcgen::Error::CouldNotParseCertificate))?
            .to_owned();
        let issuer = Issuer::from_ca_cert_pem(&certificate_pem, key).map_err(wrong)?;
        Ok(Self {
            folder: folder.to_owned(),
            certificate_pem,
            issuer,
        })
    }

    /// The collector's own bundle: key, certificate, authority. Made anew at each start.
    ///
    /// # Errors
    /// [`EnrolError`] naming the file.
    pub fn collector_bundle(&self, now: OffsetDateTime) -> Result<String, EnrolError> {
        let mut params = leaf_params(COLLECTOR_NAME, ExtendedKeyUsagePurpose::ServerAuth, now);
        params.subject_alt_names = vec![SanType::DnsName(self.ia5(COLLECTOR_NAME.to_owned())?)];
        self.bundle(&params)
    }

    /// A bundle for an agent at a site.
    ///
    /// # Errors
    /// [`EnrolError`] when no certificate can be made.
    pub fn agent_bundle(&self, identity: &AgentIdentity, now: OffsetDateTime) -> Result<String, EnrolError> {
        let mut params = leaf_params(
            &format!("agent {}", identity.agent),
            ExtendedKeyUsagePurpose::ClientAuth,
            now,
        );
        params.subject_alt_names = vec![SanType::URI(self.ia5(identity.uri())?)];
        self.bundle(&params)
    }

    fn ia5(&self, text: String) -> Result<rcgen::string::Ia5String, EnrolError> {
        text.try_into().map_err(|source| self.wrong(source))
    }

    fn bundle(&self, params: &CertificateParams) -> Result<String, EnrolError> {
        let key = KeyPair::generate().map_err(|e| self.wrong(e))?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(|e| self.wrong(e))?;
        Ok(format!(
            "{}{}{}",
            key.serialize_pem(),
            certificate.pem(),
            self.certificate_pem
        ))
    }

    fn wrong(&self, source: rcgen::Error) -> EnrolError {
        EnrolError::Certificate {
            path: self.folder.display().to_string(),
            source,
        }
    }
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

fn leaf_params(name: &str, usage: ExtendedKeyUsagePurpose, now: OffsetDateTime) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![usage];
    params.use_authority_key_identifier_extension = true;
    params.not_before = now - BACKDATE;
    params.not_after = now + LEAF_LIFETIME;
    params
}

fn read(path: &Path) -> Result<String, EnrolError> {
    std::fs::read_to_string(path).map_err(|source| EnrolError::File {
        path: path.display().to_string(),
        source,
    })
}

/// Writes a file only its owner may read, whole or not at all.
///
/// # Errors
/// [`EnrolError::File`] naming the file.
pub fn write_secret(path: &Path, text: &str) -> Result<(), EnrolError> {
    let wrong = |source| EnrolError::File {
        path: path.display().to_string(),
        source,
    };
    let fresh = path.with_extension("new");
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&fresh)
        .map_err(wrong)?;
    file.write_all(text.as_bytes()).map_err(wrong)?;
    file.sync_all().map_err(wrong)?;
    std::fs::rename(&fresh, path).map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::tls::Bundle;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn an_authority_outlives_its_process_and_names_agents() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("identity");
        let now = OffsetDateTime::now_utc();
        let first = Authority::open(&folder, now).unwrap().certificate_pem;
        let again = Authority::open(&folder, now).unwrap();
        assert_eq!(first, again.certificate_pem);
        let mode = std::fs::metadata(folder.join("authority.pem"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);

        let identity = AgentIdentity {
            agent: uuid::Uuid::now_v7(),
            site: "berlin".into(),
        };
        let bundle = Bundle::from_pem(again.agent_bundle(&identity, now).unwrap());
        assert_eq!(bundle.agent().unwrap(), identity);
        bundle.client().unwrap();
        Bundle::from_pem(again.collector_bundle(now).unwrap())
            .server()
            .unwrap();
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let error = Authority::open(&file.join("identity"), OffsetDateTime::now_utc())
            .err()
            .unwrap();
        assert!(error.to_string().contains("file/identity"), "{error}");
    }
}
