//! What all receivers behind HTTP share: one careful way to post JSON.
//!
//! Invariants: no redirect is followed, so that a receiver cannot send a secret elsewhere; an answer is awaited for a
//! bounded time and read to a bounded length; nothing said of a failure holds an address' path or a secret.

use super::AlertError;
use super::receiver::Failure;
use crate::config::SecretSource;
use crate::config::route::{address, is_here};
use crate::web::show::clean;
use reqwest::header::HeaderValue;
use reqwest::{Client, Url};
use secrecy::{ExposeSecret as _, SecretString};
use std::path::Path;
use std::time::Duration;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long all of a call may take.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// Octets of an answer that are looked at.
const ANSWER: usize = 2_048;
/// Characters of it that are shown.
const SHOWN: usize = 160;

/// A receiver behind HTTP.
pub struct Caller {
    client: Client,
    plain: bool,
}

/// What goes into the head of a request beside the usual.
pub struct Head {
    /// Sent as `Authorization: Bearer …`.
    pub token: Option<SecretString>,
    /// Further fields.
    pub fields: Vec<(&'static str, String)>,
}

impl Caller {
    /// Opens one; nothing is called. `here`: whether it is on this machine, where no proxy stands between.
    ///
    /// # Errors
    /// [`AlertError`] naming the route.
    pub fn open(route: &str, url: Option<&str>, ca: Option<&Path>, plain: bool) -> Result<Self, AlertError> {
        let mut builder = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT)
            .timeout(PATIENCE)
            .user_agent(concat!("marque-collector/", env!("CARGO_PKG_VERSION")));
        let here = url
            .and_then(|url| url.parse::<Url>().ok())
            .is_some_and(|url| is_here(url.host_str().unwrap_or_default()));
        if here {
            builder = builder.no_proxy();
        }
        let fail = |error: reqwest::Error| AlertError::Receiver {
            route: route.to_owned(),
            words: crate::admin::chain(&error.without_url()),
        };
        if let Some(path) = ca {
            let pem = authorities(route, path)?;
            let all = reqwest::Certificate::from_pem_bundle(&pem).map_err(fail)?;
            builder = builder.tls_certs_only(all);
        }
        Ok(Self {
            client: builder.build().map_err(fail)?,
            plain,
        })
    }

    /// Posts JSON and tells whether it was taken.
    ///
    /// # Errors
    /// [`Failure`] in words for people.
    pub async fn post(
        &self,
        url: &str,
        body: Vec<u8>,
        head: Head,
        secrets: &[&SecretString],
    ) -> Result<(), Failure> {
        let url = address(url, self.plain)
            .map_err(|words| Failure::new(format!("the address {words}"), secrets))?;
        let mut request = self
            .client
            .post(url)
            .header("content-type", "application/json")
            .body(body);
        for (name, value) in head.fields {
            request = request.header(name, value);
        }
        if let Some(token) = &head.token {
            let value = format!("Bearer {}", token.expose_secret());
            let mut value = HeaderValue::try_from(value)
                .map_err(|_| Failure::new("the token holds what no header can".to_owned(), &[]))?;
            value.set_sensitive(true);
            request = request.header("authorization", value);
        }
        let mut answer = request
            .send()
            .await
            .map_err(|error| Failure::new(words(error), secrets))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let mut body = Vec::new();
        while let Ok(Some(piece)) = answer.chunk().await {
            let room = ANSWER.saturating_sub(body.len());
            body.extend_from_slice(piece.get(..room.min(piece.len())).unwrap_or_default());
            if body.len() >= ANSWER {
                break;
            }
        }
        let said = clean(String::from_utf8_lossy(&body).trim(), SHOWN);
        let also = if status.is_redirection() {
            "; it points elsewhere, which is not followed".to_owned()
        } else if said.is_empty() {
            String::new()
        } else {
            format!(": {said}")
        };
        Err(Failure::new(format!("answered {status}{also}"), secrets))
    }
}

/// The certificates of a file.
///
/// # Errors
/// [`AlertError::Authorities`].
pub fn authorities(route: &str, path: &Path) -> Result<Vec<u8>, AlertError> {
    std::fs::read(path).map_err(|source| AlertError::Authorities {
        route: route.to_owned(),
        path: path.display().to_string(),
        source,
    })
}

/// A secret that may not be there.
///
/// # Errors
/// [`Failure`] naming where it should be.
pub fn secret(source: Option<&SecretSource>) -> Result<Option<SecretString>, Failure> {
    source
        .map(SecretSource::read)
        .transpose()
        .map_err(|error| Failure::new(crate::admin::chain(&error), &[]))
}

/// Host and port of an address: all of it that may be shown.
#[must_use]
pub fn host(url: &str) -> String {
    let Ok(url) = url.parse::<Url>() else {
        return String::new();
    };
    match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (Some(host), None) => host.to_owned(),
        (None, _) => String::new(),
    }
}

fn words(error: reqwest::Error) -> String {
    let kind = if error.is_timeout() {
        "gave no answer in time"
    } else if error.is_connect() {
        "cannot be reached"
    } else {
        "broke off"
    };
    format!("{kind}: {}", crate::admin::chain(&error.without_url()))
}
