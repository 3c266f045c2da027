//! Tokens that are believed, and every way in which one is not.

use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
use serde_json::json;

const NOW: i64 = 1_800_000_000;

fn encoded(text: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

/// A key of the other party.
enum Key {
    Curve(EcdsaKeyPair),
    Edwards(Ed25519KeyPair),
}

impl Key {
    fn curve() -> Self {
        let random = SystemRandom::new();
        let kind = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let key = EcdsaKeyPair::generate_pkcs8(kind, &random).unwrap();
        Self::Curve(EcdsaKeyPair::from_pkcs8(kind, key.as_ref(), &random).unwrap())
    }

    fn edwards() -> Self {
        let key = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self::Edwards(Ed25519KeyPair::from_pkcs8(key.as_ref()).unwrap())
    }

    fn public(&self) -> &[u8] {
        match self {
            Self::Curve(key) => key.public_key().as_ref(),
            Self::Edwards(key) => key.public_key().as_ref(),
        }
    }

    fn published(&self, more: Value) -> Jwk {
        let public = self.public();
        let mut key = match self {
            Self::Curve(_) => {
                json!({"kty": "EC", "crv": "P-256", "x": encoded(&public[1..33]), "y": encoded(&public[33..])})
            }
            Self::Edwards(_) => json!({"kty": "OKP", "crv": "Ed25519", "x": encoded(public)}),
        };
        key.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        serde_json::from_value(key).unwrap()
    }

    fn signed(&self, header: &Value, claims: &Value) -> String {
        let message = format!("{}.{}", encoded(header.to_string()), encoded(claims.to_string()));
        let signed = match self {
            Self::Curve(key) => {
                let random = SystemRandom::new();
                key.sign(&random, message.as_bytes()).unwrap().as_ref().to_vec()
            }
            Self::Edwards(key) => key.sign(message.as_bytes()).as_ref().to_vec(),
        };
        format!("{message}.{}", encoded(signed))
    }
}

fn expected() -> Expected<'static> {
    Expected {
        issuer: "https://id.example.net",
        client: "marque",
        nonce: "n-1",
        now: Instant(NOW * 1_000_000),
    }
}

fn good() -> Value {
    json!({
        "iss": "https://id.example.net", "aud": "marque", "sub": "17", "nonce": "n-1",
        "iat": NOW - 5, "exp": NOW + 300, "groups": ["noc"],
    })
}

/// The good claims with others in their place; null takes one away.
fn with(changes: Value) -> Value {
    let mut claims = good();
    for (key, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => claims.as_object_mut().unwrap().remove(key),
            value => claims.as_object_mut().unwrap().insert(key.clone(), value.clone()),
        };
    }
    claims
}

#[test]
fn a_token_is_believed_only_where_all_of_it_holds() {
    let key = Key::curve();
    let keys = [key.published(json!({"kid": "k", "use": "sig", "alg": "ES256"}))];
    for (changes, refused) in [
        (json!({}), None),
        (json!({"aud": ["marque"]}), None),
        (json!({"azp": "marque"}), None),
        (json!({"aud": ["marque", "other"], "azp": "marque"}), None),
        (json!({"exp": NOW - 59}), None),
        (json!({"exp": NOW as f64 + 0.5}), None),
        (json!({"iat": NOW + 60, "nbf": NOW + 60}), None),
        (
            json!({"iss": "https://id.example.net/"}),
            Some("another issued it"),
        ),
        (json!({"iss": "https://evil.example"}), Some("another issued it")),
        (json!({"iss": null}), Some("it lacks a claim")),
        (json!({"sub": null}), Some("it lacks a claim")),
        (json!({"aud": "other"}), Some("it is for another")),
        (json!({"aud": []}), Some("it is for another")),
        (
            json!({"aud": ["marque", "other"]}),
            Some("it does not say whom it was given to"),
        ),
        (json!({"azp": "other"}), Some("it was given to another")),
        (json!({"azp": 7}), Some("it was given to another")),
        (json!({"exp": NOW - 60}), Some("it has run out")),
        (json!({"exp": "9999999999"}), Some("it does not say when it ends")),
        (json!({"exp": null}), Some("it lacks a claim")),
        (json!({"iat": NOW + 61}), Some("it is from the future")),
        (json!({"iat": null}), Some("it does not say when it began")),
        (json!({"nbf": NOW + 61}), Some("it does not hold yet")),
        (json!({"nbf": "0"}), Some("it does not hold yet")),
        (json!({"nonce": "n-2"}), Some("it answers another question")),
        (json!({"nonce": null}), Some("it answers another question")),
        (json!({"nonce": ["n-1"]}), Some("it answers another question")),
    ] {
        let token = key.signed(&json!({"alg": "ES256", "kid": "k"}), &with(changes.clone()));
        let found = check(&token, &keys, &expected());
        match refused {
            None => assert_eq!(found.unwrap()["sub"], "17", "{changes}"),
            Some("it does not say when it ends") if changes["exp"].is_string() => {
                assert!(matches!(found, Err(Doubt::Wrong(_))), "{changes} {found:?}");
            }
            Some(words) => assert_eq!(found, Err(Doubt::Wrong(words)), "{changes}"),
        }
    }
}

#[test]
fn no_other_key_and_no_other_algorithm_signs_for_it() {
    let (key, other, edwards) = (Key::curve(), Key::curve(), Key::edwards());
    let keys = [
        key.published(json!({"kid": "k"})),
        edwards.published(json!({"kid": "e"})),
    ];
    let believed = |token: &str| check(token, &keys, &expected());
    let wrong = |words| Err(Doubt::Wrong(words));
    let header = json!({"alg": "ES256", "kid": "k"});
    assert!(believed(&key.signed(&header, &good())).is_ok());
    assert!(believed(&edwards.signed(&json!({"alg": "EdDSA", "kid": "e"}), &good())).is_ok());
    assert!(
        believed(&key.signed(&json!({"alg": "ES256"}), &good())).is_ok(),
        "the only one of its kind"
    );
    assert_eq!(
        believed(&other.signed(&header, &good())),
        wrong("its signature is not right")
    );
    for header in [
        json!({"alg": "ES256", "kid": "new"}),
        json!({"alg": "EdDSA", "kid": "k"}),
    ] {
        assert_eq!(
            believed(&key.signed(&header, &good())),
            Err(Doubt::UnknownKey),
            "{header}"
        );
    }
    // Another's claims under a signature that is right.
    let token = key.signed(&header, &good());
    let (rest, signature) = token.rsplit_once('.').unwrap();
    let (head, _) = rest.split_once('.').unwrap();
    let bent = format!(
        "{head}.{}.{signature}",
        encoded(with(json!({"sub": "18"})).to_string())
    );
    assert_eq!(believed(&bent), wrong("its signature is not right"));
    // None, and a shared secret that everybody knows: the public key.
    let none = "its algorithm is none of RS256, PS256, ES256 and EdDSA";
    let unread = "it cannot be read";
    for (alg, words) in [
        ("none", unread),
        ("None", unread),
        ("HS256", none),
        ("RS512", none),
        ("ES384", none),
    ] {
        let header = json!({"alg": alg, "kid": "k"});
        let message = format!("{}.{}", encoded(header.to_string()), encoded(good().to_string()));
        let secret = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key.public());
        let tag = ring::hmac::sign(&secret, message.as_bytes());
        for signature in [encoded(tag.as_ref()), String::new()] {
            assert_eq!(believed(&format!("{message}.{signature}")), wrong(words), "{alg}");
        }
    }
    let crit = json!({"alg": "ES256", "kid": "k", "crit": ["b64"], "b64": false});
    assert_eq!(
        believed(&key.signed(&crit, &good())),
        wrong("it asks for what is not known here")
    );
    for text in ["", "a.b", "a.b.c", "....", &"a".repeat(70_000)] {
        assert!(believed(text).is_err(), "{text:.10}");
    }
}

#[test]
fn a_key_signs_for_what_it_is_published_for() {
    let (key, second) = (Key::curve(), Key::curve());
    let token = key.signed(&json!({"alg": "ES256"}), &good());
    let found = |keys: &[Jwk]| check(&token, keys, &expected()).map(|_| ());
    assert_eq!(found(&[key.published(json!({}))]), Ok(()));
    assert_eq!(
        found(&[key.published(json!({"use": "enc"}))]),
        Err(Doubt::UnknownKey)
    );
    assert_eq!(
        found(&[key.published(json!({"alg": "ES384"}))]),
        Err(Doubt::UnknownKey)
    );
    assert_eq!(
        found(&[key.published(json!({})), second.published(json!({}))]),
        Err(Doubt::Wrong("it does not say which key signed it"))
    );
    assert_eq!(found(&[]), Err(Doubt::UnknownKey));
    let shared: Jwk = serde_json::from_value(json!({"kty": "oct", "k": encoded("secret")})).unwrap();
    assert_eq!(found(&[shared]), Err(Doubt::UnknownKey));
}
