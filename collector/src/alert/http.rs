//! What all receivers behind HTTP share: one careful way to post JSON.
//!
//! Invariants: no redirect is followed, so that a receiver cannot send a secret elsewhere; an answer is awaited for a
//! bounded time and read to a bounded length; nothing said of a failure holds an address' path or a secret.

use super::AlertError;
use super::receiver::{Failure, without};
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
/// Parts of an address of so many characters may be secrets.
const LONG: usize = 8;
/// So many characters at the end of an answer that was cut are taken for the beginning of a secret.
const BEGINNING: usize = 4;

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
        let parts = parts(&url);
        let secrets: Vec<&SecretString> = secrets.iter().copied().chain(&parts).collect();
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
            .map_err(|error| Failure::new(words(error), &secrets))?;
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
        let said = said(&body, &secrets);
        let also = if status.is_redirection() {
            "; it points elsewhere, which is not followed".to_owned()
        } else if said.is_empty() {
            String::new()
        } else {
            format!(": {said}")
        };
        // What is wrong with the alert itself stays wrong.
        let refused = matches!(status.as_u16(), 400 | 413 | 422);
        Err(Failure::new(format!("answered {status}{also}"), &secrets).refused(refused))
    }
}

/// What of an address may be a secret: all of it, its path, its query, and each long part of them.
fn parts(url: &Url) -> Vec<SecretString> {
    let (path, query) = (url.path(), url.query().unwrap_or_default());
    let whole = [
        url.as_str().to_owned(),
        format!("{path}?{query}"),
        path.to_owned(),
        query.to_owned(),
    ];
    let pieces = path.split('/').chain(query.split(['&', '=']));
    let decoded = url.query_pairs().map(|(_, value)| value.into_owned());
    let long = pieces
        .map(str::to_owned)
        .chain(decoded)
        .filter(|it| it.len() >= LONG);
    let whole = whole.into_iter().filter(|it| it.len() > 1);
    whole.chain(long).map(SecretString::from).collect()
}

/// What an answer says that may be repeated: without secrets first and cut then, so that no piece of one stays.
fn said(body: &[u8], secrets: &[&SecretString]) -> String {
    let mut text = without(String::from_utf8_lossy(body).into_owned(), secrets);
    if body.len() >= ANSWER {
        for secret in secrets.iter().map(|secret| secret.expose_secret()) {
            let mut ends = secret.char_indices().map(|(end, _)| end).rev();
            let begun = |end: &usize| {
                *end >= BEGINNING && secret.get(..*end).is_some_and(|begun| text.ends_with(begun))
            };
            if let Some(end) = ends.find(begun) {
                text.truncate(text.len() - end);
            }
        }
    }
    clean(text.trim(), SHOWN)
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
pub async fn secret(source: Option<&SecretSource>) -> Result<Option<SecretString>, Failure> {
    match source {
        Some(source) => needed(source).await.map(Some),
        None => Ok(None),
    }
}

/// A secret that must be there. Its file may lie where reading takes long: no other task waits for it.
///
/// # Errors
/// [`Failure`] naming where it should be.
pub async fn needed(source: &SecretSource) -> Result<SecretString, Failure> {
    let fail = |words: String| Failure::new(words, &[]);
    let reading = {
        let source = source.clone();
        tokio::task::spawn_blocking(move || source.read())
    };
    match tokio::time::timeout(PATIENCE, reading).await {
        Ok(Ok(read)) => read.map_err(|error| fail(crate::admin::chain(&error))),
        Ok(Err(error)) => Err(fail(error.to_string())),
        Err(_) => Err(fail(format!("the secret in {source} cannot be read in time"))),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_repeats_what_was_sent_tells_no_secret() {
        let url: Url = "https://hooks.example/services/T0000000/XXsecretXX?key=other-secret&k=a%20secret%20b"
            .parse()
            .unwrap();
        let parts = parts(&url);
        let key = SecretString::from("hunter2");
        let secrets: Vec<&SecretString> = parts.iter().chain([&key]).collect();
        for echo in [
            "no route POST /services/T0000000/XXsecretXX",
            "XXsecretXX is no hook",
            "key other-secret is wrong",
            "key 'a secret b' is wrong",
            r#"{"routing_key":"hunter2"}"#,
            r"\/services\/T0000000\/XXsecretXX",
        ] {
            let said = said(echo.as_bytes(), &secrets);
            for secret in ["secret", "T0000000", "hunter2"] {
                assert!(!said.contains(secret), "{echo}: {said}");
            }
            assert!(said.contains('…'), "{said}");
        }
        // Wherever the answer is cut, and wherever what is shown of it.
        for filler in 0..40 {
            for (start, length) in [(SHOWN - 40, SHOWN + 99), (ANSWER - 40, ANSWER)] {
                let mut body = vec![b'.'; start + filler];
                body.extend_from_slice(b"/services/T0000000/XXsecretXX");
                body.resize(length, b'.');
                let said = said(&body, &secrets);
                assert!(!said.contains("serv") && !said.contains("XXs"), "{said}");
            }
        }
        let many = "hunter2".repeat(ANSWER);
        let many = said(&many.as_bytes()[..ANSWER], &secrets);
        assert!(!many.contains("hunt"), "{many}");
    }
}
