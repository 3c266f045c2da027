//! The certificate of the pages: the operator's own, or one made here.
//!
//! Invariants: a certificate that was made is self-signed, is no authority and lies
//! in the folder of identities, its key readable by its owner alone; it is made anew
//! before it ends and when its names do not suffice. Files of the operator are read
//! again when they change; files that cannot be used change nothing. What is served
//! has its key.

use proto::secret_file::SecretFile;
use proto::tls::Validity;
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;
use time::{Duration, OffsetDateTime};
use tokio_util::sync::CancellationToken;

/// Browsers take no longer ones.
const LIFETIME: Duration = Duration::days(397);

/// Before its end a certificate made here is made anew, and one of the operator warned of.
const BEFORE_ITS_END: Duration = Duration::days(30);

/// Clocks of browsers may lag behind ours by this much.
const BACKDATE: Duration = Duration::hours(1);

/// How often files are looked at.
const LOOK: std::time::Duration = std::time::Duration::from_secs(30);

const MADE: &str = "pages.pem";

/// The certificate of one that was made, for whoever wants to trust it.
const SHOWN: &str = "pages.crt";

/// Why the pages have no certificate.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read or written.
    #[error("{path}: cannot be read or written")]
    File {
        /// Which.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("{path}: {why}")]
    Unfit {
        /// Which.
        path: String,
        /// What about it.
        why: String,
    },
}

/// Where the certificate comes from.
#[derive(Debug, Clone)]
pub enum Source {
    /// Made here.
    Made {
        /// The folder of identities.
        folder: PathBuf,
        /// Names and addresses it is for.
        names: Vec<String>,
    },
    /// The operator's own, in PEM.
    Files {
        /// The certificate, and after it those that lead to its authority.
        certificate: PathBuf,
        /// Its key.
        key: PathBuf,
    },
}

/// What is served now.
#[derive(Debug)]
pub struct Certificates {
    source: Source,
    current: RwLock<Served>,
}

#[derive(Debug, Clone)]
struct Served {
    key: Arc<CertifiedKey>,
    /// Unix seconds.
    not_after: i64,
    fingerprint: [u8; 32],
    stamps: Vec<Option<SystemTime>>,
}

impl Certificates {
    /// Opens the files, or makes a certificate.
    ///
    /// # Errors
    /// [`CertificateError`] naming the file.
    pub fn open(source: Source, now: OffsetDateTime) -> Result<Self, CertificateError> {
        let served = source.open(now)?;
        tracing::info!(
            certificate.sha256 = hex::encode(served.fingerprint),
            "certificate of the pages"
        );
        Ok(Self {
            source,
            current: RwLock::new(served),
        })
    }

    /// Whether it is the operator's own: then browsers may be told to come by TLS alone.
    #[must_use]
    pub fn is_own(&self) -> bool {
        matches!(self.source, Source::Files { .. })
    }

    /// SHA-256 of the certificate that is served.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        self.served().fingerprint
    }

    /// Until when it holds, in Unix seconds.
    #[must_use]
    pub fn not_after(&self) -> i64 {
        self.served().not_after
    }

    /// For TLS; a later change is taken up by the next handshake.
    ///
    /// # Errors
    /// What rustls says: its provider lacks a version of TLS.
    pub fn server(self: Arc<Self>) -> Result<rustls::ServerConfig, rustls::Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(self);
        config.alpn_protocols = vec![super::HTTP_2.to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }

    /// Looks at the files until `stop`.
    pub async fn watch(&self, clock: fn() -> model::Instant, stop: CancellationToken) {
        loop {
            // A clock that is out of all bounds makes nothing anew.
            let now = clock().to_datetime().unwrap_or(OffsetDateTime::UNIX_EPOCH);
            self.look(now);
            let left = self.not_after().saturating_sub(now.unix_timestamp());
            metrics::gauge!("marque_collector_pages_certificate_seconds_left").set(seconds(left));
            if stop.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_none() {
                return;
            }
        }
    }

    /// Takes up what changed.
    fn look(&self, now: OffsetDateTime) {
        let served = self.served();
        let ends_soon = served.not_after < (now + BEFORE_ITS_END).unix_timestamp();
        let due = match self.source {
            Source::Made { .. } => ends_soon,
            Source::Files { .. } => self.source.stamps() != served.stamps,
        };
        if !due {
            return;
        }
        match self.source.open(now) {
            Ok(new) => {
                tracing::info!(
                    certificate.sha256 = hex::encode(new.fingerprint),
                    "certificate of the pages changed"
                );
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = new;
            }
            Err(error) => {
                tracing::error!(error = %error, "new certificate of the pages cannot be used, the one before stays");
                // Not again before it changes again.
                self.current
                    .write()
                    .unwrap_or_else(PoisonError::into_inner)
                    .stamps = self.source.stamps();
            }
        }
    }

    fn served(&self) -> Served {
        self.current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.served().key)
    }
}

impl Source {
    fn open(&self, now: OffsetDateTime) -> Result<Served, CertificateError> {
        let stamps = self.stamps();
        let (certificate, key) = match self {
            Self::Files { certificate, key } => (certificate.clone(), key.clone()),
            Self::Made { folder, names } => {
                let path = folder.join(MADE);
                if !suffices(&path, names, now) {
                    make(folder, names, now)?;
                }
                (path.clone(), path)
            }
        };
        let unfit = |path: &Path, why: &str| CertificateError::Unfit {
            path: path.display().to_string(),
            why: why.to_owned(),
        };
        let chain = certificates(&read(&certificate)?)
            .filter(|chain| !chain.is_empty())
            .ok_or_else(|| unfit(&certificate, "has no certificate in PEM"))?;
        if proto::secret_file::is_exposed(&key) {
            tracing::warn!(file = %key.display(), "others than its owner may read this key: chmod 600");
        }
        let private = PrivateKeyDer::from_pem_slice(read(&key)?.as_bytes())
            .map_err(|_| unfit(&key, "has no private key in PEM"))?;
        let leaf = chain.first().cloned().unwrap_or_else(|| Vec::new().into());
        let not_after = Validity::of_certificate(&leaf)
            .map_err(|_| unfit(&certificate, "has no certificate that can be read"))?
            .not_after;
        if not_after < now.unix_timestamp() {
            tracing::warn!(file = %certificate.display(), "the certificate of the pages has run out");
        }
        let provider = rustls::crypto::ring::default_provider();
        let key = CertifiedKey::from_der(chain, private, &provider).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => unfit(&key, "is not the key of the certificate"),
            other => unfit(&key, &other.to_string()),
        })?;
        Ok(Served {
            key: Arc::new(key),
            not_after,
            fingerprint: proto::token::fingerprint(&leaf),
            stamps,
        })
    }

    /// When its files last changed.
    fn stamps(&self) -> Vec<Option<SystemTime>> {
        let of = |path: &PathBuf| std::fs::metadata(path).and_then(|found| found.modified()).ok();
        match self {
            Self::Made { .. } => Vec::new(),
            Self::Files { certificate, key } => vec![of(certificate), of(key)],
        }
    }
}

/// Whether one that was made is there, holds for a while, and is for all these names.
fn suffices(path: &Path, names: &[String], now: OffsetDateTime) -> bool {
    let chain = std::fs::read_to_string(path)
        .ok()
        .and_then(|text| certificates(&text));
    let Some(leaf) = chain.as_ref().and_then(|chain| chain.first()) else {
        return false;
    };
    let Ok((_, certificate)) = x509_parser::parse_x509_certificate(leaf) else {
        return false;
    };
    let lasts = certificate.validity().not_after.timestamp() >= (now + BEFORE_ITS_END).unix_timestamp();
    let Ok(Some(alternatives)) = certificate.subject_alternative_name() else {
        return false;
    };
    let is_for = |name: &String| {
        use x509_parser::extensions::GeneralName;
        let address = name.parse::<IpAddr>().map(|address| match address {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        });
        alternatives.value.general_names.iter().any(|one| match one {
            GeneralName::DNSName(dns) => dns.eq_ignore_ascii_case(name),
            GeneralName::IPAddress(octets) => address.as_ref().is_ok_and(|address| address == octets),
            _ => false,
        })
    };
    lasts && names.iter().all(is_for)
}

fn make(folder: &Path, names: &[String], now: OffsetDateTime) -> Result<(), CertificateError> {
    let path = folder.join(MADE);
    let unfit = |error: rcgen::Error| CertificateError::Unfit {
        path: path.display().to_string(),
        why: error.to_string(),
    };
    let mut params = CertificateParams::new(names).map_err(unfit)?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, "marque-collector");
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.not_before = now - BACKDATE;
    params.not_after = now + LIFETIME;
    let key = KeyPair::generate().map_err(unfit)?;
    let certificate = params.self_signed(&key).map_err(unfit)?.pem();
    let failed = |path: &Path| {
        let path = path.display().to_string();
        move |source| CertificateError::File { path, source }
    };
    SecretFile::create(&path)
        .and_then(|file| file.save(format!("{}{certificate}", key.serialize_pem())))
        .map_err(failed(&path))?;
    let shown = folder.join(SHOWN);
    std::fs::write(&shown, certificate).map_err(failed(&shown))
}

fn certificates(text: &str) -> Option<Vec<CertificateDer<'static>>> {
    CertificateDer::pem_slice_iter(text.as_bytes())
        .collect::<Result<_, _>>()
        .ok()
}

fn read(path: &Path) -> Result<String, CertificateError> {
    std::fs::read_to_string(path).map_err(|source| CertificateError::File {
        path: path.display().to_string(),
        source,
    })
}

fn seconds(left: i64) -> f64 {
    let most = i64::from(i32::MAX);
    i32::try_from(left.clamp(-most, most)).map_or(0.0, f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn made(folder: &Path, names: &[&str]) -> Source {
        Source::Made {
            folder: folder.to_owned(),
            names: names.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn one_is_made_once_and_anew_for_another_name_or_before_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let now = OffsetDateTime::now_utc();
        let open = |names: &[&str], now| Certificates::open(made(folder, names), now).unwrap();
        let first = open(&["localhost", "192.0.2.1", "2001:db8::1"], now);
        assert_eq!(mode(&folder.join(MADE)), 0o600);
        let shown = std::fs::read_to_string(folder.join(SHOWN)).unwrap();
        assert!(!shown.contains("PRIVATE"));
        let again = |names: &[&str], now| open(names, now).fingerprint() == first.fingerprint();
        assert!(again(&["localhost", "192.0.2.1", "2001:db8::1"], now));
        assert!(again(&["LOCALHOST"], now + Duration::days(366)));
        // While it runs, too.
        first.look(now + Duration::days(366));
        assert_eq!(first.served().stamps, Vec::new());
        let before = first.fingerprint();
        first.look(now + Duration::days(368));
        assert_ne!(first.fingerprint(), before);
        assert!(first.not_after() > (now + Duration::days(700)).unix_timestamp());
        let other = open(&["localhost", "noc.example.net"], now);
        assert_ne!(other.fingerprint(), first.fingerprint());
        assert!(!other.is_own());
    }

    /// Certificate and key in files, as an operator would put them.
    fn put(folder: &Path, name: &str, key: &KeyPair) -> [u8; 32] {
        let certificate = CertificateParams::new(vec![name.to_owned()])
            .unwrap()
            .self_signed(key)
            .unwrap();
        std::fs::write(folder.join("own.crt"), certificate.pem()).unwrap();
        proto::token::fingerprint(certificate.der())
    }

    #[test]
    fn the_operators_own_is_taken_up_when_it_changes_and_only_if_it_can_be_used() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let now = OffsetDateTime::now_utc();
        let source = Source::Files {
            certificate: folder.join("own.crt"),
            key: folder.join("own.key"),
        };
        let refused = |part: &str| {
            let error = Certificates::open(source.clone(), now).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        };
        refused("own.crt: cannot be read");
        let (key, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let first = put(folder, "a.example.net", &key);
        refused("own.key: cannot be read");
        std::fs::write(folder.join("own.key"), "no key").unwrap();
        refused("own.key: has no private key");
        std::fs::write(folder.join("own.key"), other.serialize_pem()).unwrap();
        refused("own.key: is not the key of the certificate");
        std::fs::write(folder.join("own.key"), key.serialize_pem()).unwrap();
        let own = Certificates::open(source.clone(), now).unwrap();
        assert!(own.is_own());
        assert_eq!(own.fingerprint(), first);

        let touch = |at: u64| {
            let file = std::fs::File::options()
                .append(true)
                .open(folder.join("own.crt"))
                .unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(at))
                .unwrap();
        };
        put(folder, "b.example.net", &other);
        touch(1_000);
        own.look(now);
        assert_eq!(own.fingerprint(), first, "of another key");
        let third = put(folder, "c.example.net", &key);
        touch(2_000);
        own.look(now);
        assert_eq!(own.fingerprint(), third);
    }
}
