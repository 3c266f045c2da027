//! JSON to whoever wants it, signed if there is a key.
//!
//! Invariant: the signature covers the moment of sending and every octet of the body:
//! `Marque-Signature: t=SECONDS,v1=HEX`, HMAC-SHA256 (RFC 2104) over `SECONDS.BODY`.

use super::http::{self, Caller, Head};
use super::{AlertError, Failure, Message};
use crate::config::route::WebhookConfig;
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use sha2::Sha256;
use std::time::{SystemTime, UNIX_EPOCH};

/// The shape of what is sent; goes up if it ever changes other than by addition.
const VERSION: u32 = 1;

/// A webhook.
pub struct Webhook {
    config: WebhookConfig,
    caller: Caller,
}

#[derive(Serialize)]
struct Body<'a> {
    version: u32,
    route: &'a str,
    alerts: &'a [Message],
}

impl Webhook {
    /// Opens it.
    ///
    /// # Errors
    /// [`AlertError`] naming the route.
    pub fn open(route: &str, config: &WebhookConfig) -> Result<Self, AlertError> {
        let caller = Caller::open(route, Some(&config.url), config.ca.as_deref(), config.plain)?;
        Ok(Self {
            config: config.clone(),
            caller,
        })
    }

    /// Where it is.
    #[must_use]
    pub fn place(&self) -> String {
        http::host(&self.config.url)
    }

    /// Posts all in one body.
    ///
    /// # Errors
    /// [`Failure`] in words for people.
    pub async fn send(&self, route: &str, messages: &[Message]) -> Result<(), Failure> {
        let body = Body {
            version: VERSION,
            route,
            alerts: messages,
        };
        let body = serde_json::to_vec(&body).map_err(|error| Failure::new(error.to_string(), &[]))?;
        let key = http::secret(self.config.key.as_ref()).await?;
        let token = http::secret(self.config.token.as_ref()).await?;
        let seconds = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        let fields = key
            .as_ref()
            .and_then(|key| signature(key, seconds, &body))
            .map(|signature| ("marque-signature", signature));
        let secrets: Vec<&SecretString> = key.iter().chain(&token).collect();
        let head = Head {
            token: token.clone(),
            fields: fields.into_iter().collect(),
        };
        self.caller.post(&self.config.url, body, head, &secrets).await
    }
}

/// See the head of this file.
fn signature(key: &SecretString, seconds: u64, body: &[u8]) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.expose_secret().as_bytes()).ok()?;
    mac.update(seconds.to_string().as_bytes());
    mac.update(b".");
    mac.update(body);
    Some(format!(
        "t={seconds},v1={}",
        hex::encode(mac.finalize().into_bytes())
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_what_other_programs_reckon() {
        // printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac hunter2
        let signed = signature(&SecretString::from("hunter2"), 1_700_000_000, b"{\"a\":1}").unwrap();
        assert_eq!(
            signed,
            "t=1700000000,v1=56b25cbf563812b38800e5f4dd1febfde087d36841155e70b3aa285517e1570a"
        );
    }
}
