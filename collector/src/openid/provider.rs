//! The other party over the wire: what it publishes, and the token it gives for a code.
//!
//! Invariants: TLS, or this machine; no answer is longer than [`LONGEST`], later than [`PATIENCE`], or led elsewhere;
//! keys are asked for again for a key that is not known, at most once in [`PAUSE`]; our secret is sent to the token's
//! address alone.

use super::Failure;
use crate::config::SecretError;
use crate::config::openid::{OpenIdConfig, address};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::jwk::Jwk;
use model::Instant;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Certificate, Client, RequestBuilder, redirect};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::Value;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use url::Url;
use url::form_urlencoded::{Serializer, byte_serialize};

/// Octets of an answer.
const LONGEST: usize = 256 * 1024;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a connection may.
const CONNECT: Duration = Duration::from_secs(5);
/// What was published is asked for again after this.
const FRESH: Duration = Duration::from_secs(3_600);
/// Keys are asked for again after this at the earliest.
const PAUSE: Duration = Duration::from_secs(60);
/// Keys at once.
const KEYS: usize = 100;

/// Why the other party cannot be asked at all.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// Our secret.
    #[error("openid.client_secret cannot be read")]
    Secret(#[from] SecretError),
    /// The authorities it may come from.
    #[error("openid.ca: {path}: cannot be read")]
    Ca {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The client.
    #[error("openid: no client can be made")]
    Client(#[from] reqwest::Error),
}

/// What it publishes about itself (OpenID Connect Discovery, 3), as far as we need it.
#[derive(Debug, Deserialize)]
struct Document {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

/// What is known of it.
pub struct Known {
    /// Where people go.
    pub authorization: Url,
    /// Whether its answers name it (RFC 9207).
    pub names_itself: bool,
    /// The keys its tokens are signed by.
    pub keys: Vec<Jwk>,
    token: Url,
    published: Url,
    secret_in_form: bool,
    at: Instant,
    keys_at: Instant,
}

/// The other party.
pub struct Provider {
    client: Client,
    issuer: String,
    client_id: String,
    secret: SecretString,
    known: Mutex<Option<Arc<Known>>>,
}

impl Provider {
    /// Reads our secret and its authorities; asks nothing yet.
    ///
    /// # Errors
    /// [`ProviderError`].
    pub fn open(config: &OpenIdConfig) -> Result<Self, ProviderError> {
        // One provider of TLS; again is no matter.
        let _first = rustls::crypto::ring::default_provider().install_default();
        let mut client = Client::builder()
            .user_agent(concat!("marque-collector/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT)
            .timeout(PATIENCE)
            .referer(false);
        if address(&config.issuer).is_ok_and(|url| url.scheme() == "http") {
            client = client.no_proxy();
        }
        if let Some(path) = &config.ca {
            let unread = |source| ProviderError::Ca {
                path: path.display().to_string(),
                source,
            };
            let pem = std::fs::read(path).map_err(unread)?;
            client = client.tls_certs_only(Certificate::from_pem_bundle(&pem)?);
        }
        Ok(Self {
            client: client.build()?,
            issuer: config.issuer.clone(),
            client_id: config.client_id.clone(),
            secret: config.client_secret.read()?,
            known: Mutex::default(),
        })
    }

    /// What is known of it, asked for where that is old.
    ///
    /// # Errors
    /// [`Failure::Unreachable`] where it does not answer, [`Failure::Strange`] where it says what cannot be.
    pub async fn known(&self, now: Instant) -> Result<Arc<Known>, Failure> {
        if let Some(known) = self
            .kept()
            .filter(|known| now.seconds_since(known.at) < FRESH.as_secs())
        {
            return Ok(known);
        }
        let place = format!(
            "{}/.well-known/openid-configuration",
            self.issuer.trim_end_matches('/')
        );
        let document: Document = read(self.client.get(place)).await?;
        if document.issuer != self.issuer {
            return Err(Failure::Strange(
                "it calls itself something else than openid.issuer",
            ));
        }
        let plain = self.issuer.starts_with("http:");
        let endpoint = |text: &str| {
            let url = address(text).map_err(|_| Failure::Strange("it names an address that is not https"))?;
            match url.scheme() == "https" || plain {
                true => Ok(url),
                false => Err(Failure::Strange("it names an address that is not https")),
            }
        };
        let published = endpoint(&document.jwks_uri)?;
        let methods = document.token_endpoint_auth_methods_supported;
        let known = Known {
            authorization: endpoint(&document.authorization_endpoint)?,
            names_itself: document.authorization_response_iss_parameter_supported,
            keys: self.keys(&published).await?,
            token: endpoint(&document.token_endpoint)?,
            published,
            secret_in_form: methods.is_some_and(|all| !all.iter().any(|one| one == "client_secret_basic")),
            at: now,
            keys_at: now,
        };
        Ok(self.keep(known))
    }

    /// The same with keys that were published since; [`None`] where they were asked for a moment ago.
    ///
    /// # Errors
    /// As of [`Self::known`].
    pub async fn with_new_keys(&self, known: &Known, now: Instant) -> Result<Option<Arc<Known>>, Failure> {
        if now.seconds_since(known.keys_at) < PAUSE.as_secs() {
            return Ok(None);
        }
        let keys = self.keys(&known.published).await?;
        Ok(Some(self.keep(Known {
            authorization: known.authorization.clone(),
            token: known.token.clone(),
            published: known.published.clone(),
            keys,
            keys_at: now,
            ..*known
        })))
    }

    fn kept(&self) -> Option<Arc<Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keep(&self, known: Known) -> Arc<Known> {
        let known = Arc::new(known);
        let mut kept = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        *kept = Some(Arc::clone(&known));
        known
    }

    /// The keys published there, as far as they can be read.
    async fn keys(&self, published: &Url) -> Result<Vec<Jwk>, Failure> {
        #[derive(Deserialize)]
        struct Published {
            keys: Vec<Value>,
        }
        let found: Published = read(self.client.get(published.clone())).await?;
        let keys = found.keys.into_iter().take(KEYS);
        Ok(keys.filter_map(|key| serde_json::from_value(key).ok()).collect())
    }

    /// The token for a code (OpenID Connect Core, 3.1.3).
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn token(
        &self,
        known: &Known,
        code: &str,
        verifier: &str,
        redirect: &str,
    ) -> Result<String, Failure> {
        #[derive(Deserialize)]
        struct Tokens {
            id_token: Option<String>,
        }
        let request = self.client.post(known.token.clone());
        let request = match known.secret_in_form {
            true => request,
            false => request.header(AUTHORIZATION, self.basic()?),
        };
        let request = request
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(self.form(known, code, verifier, redirect));
        let tokens: Tokens = read(request).await?;
        tokens
            .id_token
            .ok_or(Failure::Strange("it gave no token of who somebody is"))
    }

    /// What is asked, as a form; our secret is in it where the other party takes it no other way.
    fn form(&self, known: &Known, code: &str, verifier: &str, redirect: &str) -> String {
        let mut form = Serializer::new(String::new());
        form.append_pair("grant_type", "authorization_code")
            .append_pair("code", code)
            .append_pair("redirect_uri", redirect)
            .append_pair("code_verifier", verifier);
        if known.secret_in_form {
            form.append_pair("client_id", &self.client_id)
                .append_pair("client_secret", self.secret.expose_secret());
        }
        form.finish()
    }

    /// Our name and secret (RFC 6749, 2.3.1).
    fn basic(&self) -> Result<HeaderValue, Failure> {
        let plain = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
        let both = format!(
            "{}:{}",
            plain(&self.client_id),
            plain(self.secret.expose_secret())
        );
        let value = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(both)));
        let mut value = value.map_err(|_| Failure::Strange("our secret cannot be sent"))?;
        value.set_sensitive(true);
        Ok(value)
    }
}

/// An answer in JSON.
async fn read<T: for<'de> Deserialize<'de>>(request: RequestBuilder) -> Result<T, Failure> {
    let unreachable = |error: reqwest::Error| {
        // Whatever stands in an address of ours is no secret, but it is nobody's business either.
        let error = error.without_url();
        tracing::warn!(
            error = crate::admin::chain(&error),
            "who vouches for people does not answer"
        );
        Failure::Unreachable
    };
    let sent = request.header(ACCEPT, "application/json").send().await;
    let mut answer = sent.map_err(unreachable)?;
    let status = answer.status();
    let mut octets = Vec::new();
    while let Some(more) = answer.chunk().await.map_err(unreachable)? {
        if octets.len() + more.len() > LONGEST {
            return Err(Failure::Strange("its answer is too long"));
        }
        octets.extend_from_slice(&more);
    }
    if status.is_success() {
        return serde_json::from_slice(&octets).map_err(|_| Failure::Strange("its answer cannot be read"));
    }
    let told = serde_json::from_slice::<Told>(&octets).ok();
    tracing::warn!(
        http.status = status.as_u16(),
        "who vouches for people refused what was asked"
    );
    match told {
        Some(told) => Err(told.failure()),
        None => Err(Failure::Strange("it refused what was asked")),
    }
}

/// What it says when it refuses (RFC 6749, 5.2).
#[derive(Debug, Default, Deserialize)]
pub struct Told {
    /// One of a few words.
    pub error: String,
    /// For people.
    #[serde(default)]
    pub error_description: Option<String>,
}

impl Told {
    /// In words, bounded but as they came.
    #[must_use]
    pub fn failure(&self) -> Failure {
        let few = |text: &str, most| text.chars().take(most).collect::<String>();
        let error = few(&self.error, 100);
        Failure::Told(match self.error_description.as_deref().unwrap_or_default() {
            "" => error,
            more => format!("{} ({error})", few(more, 200)),
        })
    }
}
