//! OpenID Connect: another party says who somebody is, by a code that comes back through their browser.
//!
//! Invariants: what begins in one browser ends there, once, and within [`WHILE`]; the code is of use only to whoever
//! began (PKCE, RFC 7636); nobody is believed before the token is; a party that does not answer keeps nobody else out.

mod verify;
mod token;
mod grant;
mod provider;

pub use provider::{ProviderError, Told};

use crate::config::OpenIdConfig;
use crate::config::openid::GroupRole;
use crate::door::secret::NoRandom;
use crate::door::{Seal, Secret};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::{AccessRole, Instant};
use provider::Provider;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use store::accounts::Sites;
use token::{Doubt, Expected};
use tokio::sync::{Semaphore, SemaphorePermit};
use url::Url;

/// How long somebody may stay with the other party.
pub const WHILE: Duration = Duration::from_secs(10 * 60);
/// Where its answers come to.
pub const DONE: &str = "/sign-in/openid/done";
/// What a browser holds meanwhile.
const FLOW: &str = "marque: openid";
/// Questions to the other party at once.
const AT_ONCE: usize = 8;
/// Who waits longer for a turn is sent away.
const PATIENCE: Duration = Duration::from_secs(5);
/// Answers remembered so that none is taken twice.
const REMEMBERED: usize = 10_000;
/// Octets of what comes back through a browser.
const LONGEST: usize = 4_096;

/// Why nobody is vouched for, by what they can do about it.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// It was begun elsewhere, too long ago, or is done already.
    #[error("this was begun in another browser, too long ago, or is done already; begin again")]
    Lost,
    /// The other party says why, in its own words: bounded, not cleaned.
    #[error("the other party says: {0}")]
    Told(String),
    /// It cannot be asked.
    #[error("the other party does not answer; try again in a moment, or sign in with a local account")]
    Unreachable,
    /// What it says cannot be.
    #[error("what the other party says is not believed: {0}")]
    Strange(&'static str),
    /// It does not say what the person is called.
    #[error("the other party does not say what you are called here")]
    Nameless,
    /// In no group that is let in.
    #[error("you are not let in: none of your groups may anything here")]
    NotLetIn(String),
    /// Try again in a moment.
    #[error("too many sign in at once")]
    Busy,
    /// Nothing can be done here.
    #[error(transparent)]
    NoRandom(#[from] NoRandom),
}

impl Failure {
    /// Whether it is held against whoever came: they began here, and the other party or its words did not let them in.
    #[must_use]
    pub fn counts(&self) -> bool {
        match self {
            Self::Told(_) | Self::Strange(_) | Self::Nameless | Self::NotLetIn(_) => true,
            Self::Lost | Self::Unreachable | Self::Busy | Self::NoRandom(_) => false,
        }
    }
}

/// Somebody the other party vouches for.
#[derive(Debug, PartialEq, Eq)]
pub struct Vouch {
    /// What they are called here.
    pub name: String,
    /// What they may.
    pub role: AccessRole,
    /// Where.
    pub sites: Sites,
    /// Where they wanted to go.
    pub to: String,
}

/// What comes back through the browser.
#[derive(Debug, Default)]
pub struct Answer {
    /// Good for a token, once.
    pub code: String,
    /// What we sent along.
    pub state: String,
    /// Who answers, if it says so.
    pub issuer: Option<String>,
    /// Why there is no code.
    pub told: Option<Told>,
}

/// What a browser holds while somebody is with the other party.
#[derive(Serialize, Deserialize)]
struct Flow {
    state: String,
    nonce: String,
    verifier: String,
    to: String,
}

/// Another party that says who people are.
pub struct OpenId {
    provider: Provider,
    issuer: String,
    client_id: String,
    scopes: String,
    name: Vec<String>,
    groups: Vec<String>,
    roles: Vec<GroupRole>,
    redirect: String,
    /// Words of the button.
    pub button: String,
    turns: Semaphore,
    /// States that came back, and until when they would hold.
    done: Mutex<HashMap<String, Instant>>,
}

impl OpenId {
    /// Reads what is needed to ask it; `redirect` is our address for its answers. Asks nothing yet.
    ///
    /// # Errors
    /// [`ProviderError`].
    pub fn open(config: &OpenIdConfig, redirect: String) -> Result<Self, ProviderError> {
        Ok(Self {
            provider: Provider::open(config)?,
            issuer: config.issuer.clone(),
            client_id: config.client_id.clone(),
            scopes: config.scopes.join(" "),
            name: config.name.clone(),
            groups: config.groups.clone(),
            roles: config.role.clone(),
            redirect: config.redirect.clone().unwrap_or(redirect),
            button: config.button.clone(),
            turns: Semaphore::new(AT_ONCE),
            done: Mutex::default(),
        })
    }

    /// Our address for its answers, as it has to know it.
    #[must_use]
    pub fn redirect(&self) -> &str {
        &self.redirect
    }

    /// Where to send somebody, and what their browser holds meanwhile; `to` is where they want to go.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn begin(&self, seal: &Seal, now: Instant, to: &str) -> Result<(Url, String), Failure> {
        let _turn = self.turn().await?;
        let known = self.provider.known(now).await?;
        let fresh = || Secret::generate().map(|secret| secret.reveal().to_owned());
        let flow = Flow {
            state: fresh()?,
            nonce: fresh()?,
            verifier: fresh()?,
            to: to.to_owned(),
        };
        let mut place = known.authorization.clone();
        place
            .query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.client_id)
            .append_pair("redirect_uri", &self.redirect)
            .append_pair("scope", &self.scopes)
            .append_pair("state", &flow.state)
            .append_pair("nonce", &flow.nonce)
            .append_pair("code_challenge", &challenge(&flow.verifier))
            .append_pair("code_challenge_method", "S256");
        let held = seal.close_until(FLOW, flow, crate::door::later(now, WHILE))?;
        Ok((place, held))
    }

    /// Who came back, if all of it holds; `held` is what their browser held.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn finish(
        &self,
        seal: &Seal,
        now: Instant,
        held: Option<&str>,
        answer: &Answer,
    ) -> Result<Vouch, Failure> {
        let flow: Option<Flow> = held.and_then(|held| seal.open_at(FLOW, held, now));
        // Each is random and of one length: how long the comparison takes tells nothing that could be used.
        let flow = flow.filter(|flow| flow.state == answer.state);
        let flow = flow.ok_or(Failure::Lost)?;
        // Whoever has no turn may come again: nothing is used up before.
        let _turn = self.turn().await?;
        if !self.first(&flow.state, now) {
            return Err(Failure::Lost);
        }
        if let Some(told) = &answer.told {
            return Err(told.failure());
        }
        if answer.code.is_empty() || answer.code.len() > LONGEST {
            return Err(Failure::Strange("it sent no code"));
        }
        let known = self.provider.known(now).await?;
        match &answer.issuer {
            Some(issuer) if *issuer != self.issuer => return Err(Failure::Strange("another answers")),
            None if known.names_itself => return Err(Failure::Strange("its answer does not name it")),
            _ => {}
        }
        let token = self
            .provider
            .token(&known, &answer.code, &flow.verifier, &self.redirect)
            .await?;
        let expected = Expected {
            issuer: &self.issuer,
            client: &self.client_id,
            nonce: &flow.nonce,
            now,
        };
        let mut found = token::check(&token, &known.keys, &expected);
        if found == Err(Doubt::UnknownKey)
            && let Some(known) = self.provider.with_new_keys(&known, now).await?
        {
            found = token::check(&token, &known.keys, &expected);
        }
        let claims = found.map_err(|doubt| match doubt {
            Doubt::UnknownKey => Failure::Strange("its token is signed by a key it does not publish"),
            Doubt::Wrong(words) => Failure::Strange(words),
        })?;
        let name = grant::name(&claims, &self.name)
            .ok_or(Failure::Nameless)?
            .to_owned();
        match grant::rights(&claims, &self.groups, &self.roles) {
            Some((role, sites)) => Ok(Vouch {
                name,
                role,
                sites,
                to: flow.to,
            }),
            None => Err(Failure::NotLetIn(name)),
        }
    }

    async fn turn(&self) -> Result<SemaphorePermit<'_>, Failure> {
        let turn = tokio::time::timeout(PATIENCE, self.turns.acquire()).await;
        turn.ok().and_then(Result::ok).ok_or(Failure::Busy)
    }

    /// Whether this state comes back for the first time. A code is good once for the other party too: where there are
    /// too many to remember, that is left.
    fn first(&self, state: &str, now: Instant) -> bool {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        if done.len() >= REMEMBERED {
            done.retain(|_, until| now < *until);
        }
        if done.len() >= REMEMBERED
            && let Some(oldest) = done
                .iter()
                .min_by_key(|(_, until)| **until)
                .map(|(state, _)| state.clone())
        {
            done.remove(&oldest);
        }
        done.insert(state.to_owned(), crate::door::later(now, WHILE))
            .is_none()
    }
}

/// RFC 7636, 4.2: S256.
fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::challenge;

    #[test]
    fn the_challenge_is_that_of_the_standard() {
        // RFC 7636, appendix B.
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_eq!(challenge(verifier), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }
}
