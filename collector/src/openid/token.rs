//! The token that says who somebody is (OpenID Connect Core, 3.1.3.7): believed only where all of it holds.
//!
//! Invariants: pure, keys and time are passed in; issuer, audience and nonce are exactly ours; an algorithm that is not
//! listed is refused whatever key there is; what a claim says is not repeated in why a token was refused.

use super::verify::{self, ALGORITHMS};
use jsonwebtoken::jwk::{Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, Validation};
use model::Instant;
use serde_json::{Map, Value};

/// Seconds that clocks may differ.
const LEEWAY: f64 = 60.0;
/// Octets of a token.
const LONGEST: usize = 64 * 1024;
/// Names of ours, of many a token may be for.
const AUDIENCES: usize = 50;

/// What a token says.
pub type Claims = Map<String, Value>;

/// What a token has to say.
pub struct Expected<'a> {
    /// Who vouches.
    pub issuer: &'a str,
    /// For whom it is.
    pub client: &'a str,
    /// What we sent along.
    pub nonce: &'a str,
    /// Now.
    pub now: Instant,
}

/// Why a token is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// It is signed by a key that was not published when we looked.
    UnknownKey,
    /// Anything else, in words.
    Wrong(&'static str),
}

/// The claims of a token that holds.
///
/// # Errors
/// [`Doubt`].
pub fn check(token: &str, keys: &[Jwk], expected: &Expected<'_>) -> Result<Claims, Doubt> {
    use Doubt::Wrong;
    verify::install();
    if token.len() > LONGEST {
        return Err(Wrong("it is too long"));
    }
    let header = jsonwebtoken::decode_header(token).map_err(|_| Wrong("it cannot be read"))?;
    if !ALGORITHMS.contains(&header.alg) {
        return Err(Wrong("its algorithm is none of RS256, PS256, ES256 and EdDSA"));
    }
    if header.crit.is_some() {
        return Err(Wrong("it asks for what is not known here"));
    }
    let key = key(keys, header.alg, header.kid.as_deref())?;
    let mut validation = Validation::new(header.alg);
    validation.set_issuer(&[expected.issuer]);
    validation.set_audience(&[expected.client]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    // By our own clock, below.
    validation.validate_exp = false;
    let told = jsonwebtoken::decode::<Claims>(token, &key, &validation).map_err(|error| {
        use jsonwebtoken::errors::ErrorKind as Kind;
        Wrong(match error.kind() {
            Kind::InvalidSignature => "its signature is not right",
            Kind::InvalidIssuer => "another issued it",
            Kind::InvalidAudience => "it is for another",
            Kind::MissingRequiredClaim(_) => "it lacks a claim",
            _ => "it cannot be read",
        })
    })?;
    let claims = told.claims;
    times(&claims, expected.now)?;
    parties(&claims, expected.client)?;
    match text(&claims, "nonce") {
        Some(nonce) if nonce == expected.nonce => Ok(claims),
        _ => Err(Wrong("it answers another question")),
    }
}

fn text<'a>(claims: &'a Claims, key: &str) -> Option<&'a str> {
    claims.get(key).and_then(Value::as_str)
}

/// The key that a token says it is signed by; where it says none, the only one there is.
fn key(keys: &[Jwk], algorithm: Algorithm, named: Option<&str>) -> Result<DecodingKey, Doubt> {
    let mut fits = keys.iter().filter(|key| {
        let signs = !matches!(&key.common.public_key_use, Some(other) if *other != PublicKeyUse::Signature);
        let named = named.is_none_or(|named| key.common.key_id.as_deref() == Some(named));
        let family = DecodingKey::from_jwk(key).is_ok_and(|key| key.family() == algorithm.family());
        let said = key.common.key_algorithm.as_ref();
        let said = said.is_none_or(|said| said.to_string() == format!("{algorithm:?}"));
        signs && named && family && said && algorithm.family() != AlgorithmFamily::Hmac
    });
    match (fits.next(), fits.next()) {
        (Some(key), None) => DecodingKey::from_jwk(key).map_err(|_| Doubt::UnknownKey),
        (None, _) => Err(Doubt::UnknownKey),
        (Some(_), Some(_)) => Err(Doubt::Wrong("it does not say which key signed it")),
    }
}

fn times(claims: &Claims, now: Instant) -> Result<(), Doubt> {
    // Whole seconds are exact in it for as long as anybody counts them.
    let now = now.0.div_euclid(1_000_000) as f64;
    let at = |key: &str| claims.get(key).map(Value::as_f64);
    match at("exp") {
        Some(Some(exp)) if now < exp + LEEWAY => {}
        Some(Some(_)) => return Err(Doubt::Wrong("it has run out")),
        _ => return Err(Doubt::Wrong("it does not say when it ends")),
    }
    match at("iat") {
        Some(Some(issued)) if issued <= now + LEEWAY => {}
        Some(Some(_)) => return Err(Doubt::Wrong("it is from the future")),
        _ => return Err(Doubt::Wrong("it does not say when it began")),
    }
    match at("nbf") {
        None => Ok(()),
        Some(Some(begins)) if begins <= now + LEEWAY => Ok(()),
        Some(_) => Err(Doubt::Wrong("it does not hold yet")),
    }
}

/// Among several it is for, we are the one it was given to.
fn parties(claims: &Claims, client: &str) -> Result<(), Doubt> {
    let many = match claims.get("aud") {
        Some(Value::Array(all)) if all.len() > AUDIENCES => return Err(Doubt::Wrong("it is for too many")),
        Some(Value::Array(all)) => all.len() > 1,
        _ => false,
    };
    match claims.get("azp") {
        None if many => Err(Doubt::Wrong("it does not say whom it was given to")),
        None => Ok(()),
        Some(to) if to.as_str() == Some(client) => Ok(()),
        Some(_) => Err(Doubt::Wrong("it was given to another")),
    }
}

#[cfg(test)]
mod tests;
