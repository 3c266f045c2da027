//! How this agent gets its certificate, and every later one.
//!
//! Invariants: the private key is made here and leaves only to the identity file;
//! the token is said only to a collector whose authority it names; a new
//! identity replaces the old as a whole, and only if it can be used.

mod renewal;

pub use renewal::Renewal;

use proto::secret_file::SecretFile;
use proto::tls::{Bundle, PinnedAuthority, TlsError};
use proto::token::JoinToken;
use proto::v1::enrolment_service_client::EnrolmentServiceClient;
use proto::v1::{EnrolRequest, RenewRequest};
use rcgen::{CertificateParams, KeyPair};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tonic::transport::{Channel, Endpoint};
use uuid::Uuid;

/// For the connection, and again for the answer.
const PATIENCE: Duration = Duration::from_secs(15);

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// The identity file cannot be read or written.
    #[error("cannot read or write {0}")]
    File(PathBuf, #[source] io::Error),
    /// There is an identity already.
    #[error("{0} exists already; remove it to enrol anew, as another agent")]
    Exists(PathBuf),
    /// Key or signing request cannot be made.
    #[error("cannot make a key")]
    Key(#[source] rcgen::Error),
    /// No connection: not reached, or not the collector meant.
    #[error("cannot connect to the collector, or it is not the one meant")]
    Connect(#[source] tonic::transport::Error),
    /// The collector refused.
    #[error("the collector said {0:?}: {1}")]
    Refused(tonic::Code, String),
    /// What came back, or the old identity, cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// What came back is of another authority than the token's, or for another agent.
    #[error("the collector answered with a certificate of another authority or agent")]
    Other,
}

impl From<tonic::Status> for EnrolError {
    fn from(status: tonic::Status) -> Self {
        Self::Refused(status.code(), status.message().to_owned())
    }
}

/// Who this agent is from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolled {
    /// Its key.
    pub agent: Uuid,
    /// Its site.
    pub site: String,
    /// Until when its certificate holds, seconds since 1970.
    pub not_after: i64,
}

/// Uses a token up for an identity file at `out`.
///
/// # Errors
/// [`EnrolError`]; the token was not shown unless the collector is the one it names.
pub async fn enrol(collector: &str, token: &JoinToken, out: &Path) -> Result<Enrolled, EnrolError> {
    if out.exists() {
        return Err(EnrolError::Exists(out.to_owned()));
    }
    // A folder that cannot be written must be known before the token is used up.
    let file = SecretFile::create(out).map_err(|error| EnrolError::File(out.to_owned(), error))?;
    let (key, request) = fresh_key()?;
    let endpoint = endpoint(collector)?;
    let channel = PinnedAuthority::endpoint(endpoint, token.authority)
        .map_err(EnrolError::Connect)?
        .connect()
        .await
        .map_err(EnrolError::Connect)?;
    let answer = client(channel)
        .enrol(EnrolRequest {
            join_token: token.text(),
            signing_request: request.into(),
        })
        .await?;
    let answer = answer.into_inner();
    let bundle = Bundle::issued(&key, &answer.certificates)?.with_courier_key(&answer.courier_key);
    if bundle.authority()? != token.authority {
        return Err(EnrolError::Other);
    }
    let identity = bundle.agent()?;
    file.save(bundle.pem())
        .map_err(|error| EnrolError::File(out.to_owned(), error))?;
    Ok(Enrolled {
        agent: identity.agent,
        site: identity.site,
        not_after: bundle.validity()?.not_after,
    })
}

/// Replaces an identity file by one with a fresh key and a later end.
///
/// # Errors
/// [`EnrolError`]; the file is untouched then.
pub async fn renew(collector: &str, path: &Path) -> Result<Enrolled, EnrolError> {
    let old = read(path).await?;
    let file = SecretFile::create(path).map_err(|error| EnrolError::File(path.to_owned(), error))?;
    let (key, request) = fresh_key()?;
    let channel = endpoint(collector)?
        .tls_config(old.client()?)
        .map_err(EnrolError::Connect)?
        .connect()
        .await
        .map_err(EnrolError::Connect)?;
    let answer = client(channel)
        .renew(RenewRequest {
            signing_request: request.into(),
        })
        .await?;
    let answer = answer.into_inner();
    // A collector that tells no key for exports leaves the one we have.
    let bundle = Bundle::issued(&key, &answer.certificates)?
        .with_courier_key(&answer.courier_key)
        .with_courier_key(&old.courier_key().unwrap_or_default());
    // The authority may be another one: who answered was vouched for by one we trusted.
    if bundle.agent()? != old.agent()? {
        return Err(EnrolError::Other);
    }
    let identity = bundle.agent()?;
    file.save(bundle.pem())
        .map_err(|error| EnrolError::File(path.to_owned(), error))?;
    Ok(Enrolled {
        agent: identity.agent,
        site: identity.site,
        not_after: bundle.validity()?.not_after,
    })
}

/// The identity in a file.
///
/// # Errors
/// [`EnrolError::File`] when it cannot be read.
async fn read(path: &Path) -> Result<Bundle, EnrolError> {
    let pem = tokio::fs::read_to_string(path)
        .await
        .map_err(|error| EnrolError::File(path.to_owned(), error))?;
    Ok(Bundle::from_pem(pem))
}

/// A key in PEM and a signing request in DER.
fn fresh_key() -> Result<(String, Vec<u8>), EnrolError> {
    let key = KeyPair::generate().map_err(EnrolError::Key)?;
    let request = signing_request(&key)?;
    Ok((key.serialize_pem(), request))
}

/// A request in DER. It asks for no name: the collector gives its own.
pub(crate) fn signing_request(key: &KeyPair) -> Result<Vec<u8>, EnrolError> {
    let request = CertificateParams::default().serialize_request(key);
    Ok(request.map_err(EnrolError::Key)?.der().to_vec())
}

fn endpoint(collector: &str) -> Result<Endpoint, EnrolError> {
    Ok(Endpoint::from_shared(collector.to_owned())
        .map_err(EnrolError::Connect)?
        .connect_timeout(PATIENCE)
        .timeout(PATIENCE))
}

fn client(channel: Channel) -> EnrolmentServiceClient<Channel> {
    EnrolmentServiceClient::new(channel)
        .max_decoding_message_size(proto::MAX_ENROLMENT_BYTES)
        .max_encoding_message_size(proto::MAX_ENROLMENT_BYTES)
}
