//! Users of SNMPv3: their keys, made from passwords once and for each engine once
//! (RFC 3414, A.2), and what encryption must never use twice.
//!
//! Invariants: the million octets of a password are hashed when a credential is
//! read and never again; keys of engines are bounded in number and overwritten
//! when they go; no salt is used twice with one key while the process lives.

use super::CredentialError;
use async_snmp::message::SecurityLevel;
use async_snmp::v3::{DesSaltState, LocalizedKey, MasterKeys, PersistedDesSaltState, PrivKey, SaltCounter};
use async_snmp::{AuthProtocol, PrivProtocol};
use prost::bytes::Bytes;
use secrecy::{ExposeSecret as _, SecretString};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Engines whose keys are kept of one user; beyond them an older one is made anew
/// when it is asked again.
const MAX_ENGINES: usize = 1 << 17;

/// A password and what it is used for.
pub struct Password<P> {
    /// The algorithm.
    pub protocol: P,
    /// The password.
    pub secret: SecretString,
    /// What an error calls the place it came from.
    pub origin: String,
}

/// A user of SNMPv3 and everything its messages need.
pub struct User {
    name: Bytes,
    context: String,
    level: SecurityLevel,
    masters: Option<MasterKeys>,
    salts: Salts,
    engines: Mutex<HashMap<Bytes, Arc<Keys>>>,
}

/// The keys of one user at one engine.
pub struct Keys {
    pub(crate) auth: LocalizedKey,
    pub(crate) privacy: Option<PrivKey>,
}

/// What goes into initialisation vectors.
struct Salts {
    aes: SaltCounter,
    des: DesSaltState,
}

impl User {
    /// Makes the keys; takes some milliseconds for each password.
    ///
    /// # Errors
    /// [`CredentialError`] when a name or a password is too short or too long, or
    /// privacy stands alone.
    pub fn new(
        name: &str,
        auth: Option<&Password<AuthProtocol>>,
        privacy: Option<&Password<PrivProtocol>>,
        context: &str,
    ) -> Result<Self, CredentialError> {
        if name.is_empty() || name.len() > 32 {
            return Err(CredentialError::NoUser);
        }
        if context.len() > 255 || context.chars().any(char::is_control) {
            return Err(CredentialError::BadContext);
        }
        let (level, masters) = match (auth, privacy) {
            (None, Some(_)) => return Err(CredentialError::PrivacyAlone),
            (None, None) => (SecurityLevel::NoAuthNoPriv, None),
            (Some(auth), None) => (SecurityLevel::AuthNoPriv, Some(master(auth)?)),
            (Some(auth), Some(privacy)) => {
                let secret = privacy.secret.expose_secret().as_bytes();
                let masters = master(auth)?
                    .with_privacy(privacy.protocol, secret)
                    .map_err(|_| CredentialError::ShortPassword(privacy.origin.clone()))?;
                (SecurityLevel::AuthPriv, Some(masters))
            }
        };
        Ok(Self {
            name: Bytes::copy_from_slice(name.as_bytes()),
            context: context.to_owned(),
            level,
            masters,
            salts: Salts::new().ok_or(CredentialError::NoRandomness)?,
            engines: Mutex::default(),
        })
    }

    /// msgUserName (RFC 3414, 2.4).
    pub(crate) fn name(&self) -> &[u8] {
        &self.name
    }

    /// contextName (RFC 3411, 3.3.1).
    pub(crate) fn context(&self) -> &str {
        &self.context
    }

    /// The best this user can do, and what is asked for.
    pub(crate) fn level(&self) -> SecurityLevel {
        self.level
    }

    /// What keys are made from; [`None`] for a user without authentication.
    pub(crate) fn masters(&self) -> Option<MasterKeys> {
        self.masters.clone()
    }

    /// The keys at an engine; [`None`] for a user without authentication.
    pub(crate) fn keys(&self, engine: &Bytes) -> Option<Arc<Keys>> {
        let masters = self.masters.as_ref()?;
        let lock = || self.engines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lock().get(engine) {
            return Some(Arc::clone(known));
        }
        // Reeder's extension hashes a million octets: not under the lock.
        let (auth, privacy) = masters.localize(engine).ok()?;
        let keys = Arc::new(Keys { auth, privacy });
        let mut engines = lock();
        if engines.len() >= MAX_ENGINES
            && let Some(any) = engines.keys().next().cloned()
        {
            engines.remove(&any);
        }
        // Not a slice of the datagram it came in.
        engines.insert(Bytes::copy_from_slice(engine), Arc::clone(&keys));
        Some(keys)
    }

    /// Encrypts; also gives what goes into msgPrivacyParameters.
    pub(crate) fn encrypt(
        &self,
        key: &PrivKey,
        plain: &[u8],
        boots: u32,
        time: u32,
    ) -> Option<(Bytes, Bytes)> {
        match key.protocol().is_des_family() {
            true => key.encrypt_des_family(plain, &self.salts.des).ok(),
            false => key.encrypt_aes(plain, boots, time, &self.salts.aes).ok(),
        }
    }
}

fn master(auth: &Password<AuthProtocol>) -> Result<MasterKeys, CredentialError> {
    // It can only be the length: every protocol is built in.
    MasterKeys::new(auth.protocol, auth.secret.expose_secret().as_bytes())
        .map_err(|_| CredentialError::ShortPassword(auth.origin.clone()))
}

impl Salts {
    /// RFC 3826, 3.1.2.1: 64 bits that start anywhere and count. RFC 3414, 8.1.1.1: the
    /// half that would be our engine's boots starts anywhere too, since nothing is kept
    /// between processes that could count them.
    fn new() -> Option<Self> {
        let boots = getrandom::u32().ok()? >> 2;
        let before = PersistedDesSaltState::new(boots.max(1)).ok()?;
        Some(Self {
            aes: SaltCounter::new().ok()?,
            des: DesSaltState::restart(before, |_| Ok::<(), std::io::Error>(())).ok()?,
        })
    }
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("User(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3414, A.3: the password and the engine.
    const MAPLE: &str = "maplesyrup";
    const ENGINE: &[u8] = &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];

    fn password<P>(protocol: P, secret: &str) -> Password<P> {
        Password {
            protocol,
            secret: SecretString::from(secret),
            origin: "here".to_owned(),
        }
    }

    fn user(auth: AuthProtocol, privacy: PrivProtocol) -> User {
        let (auth, privacy) = (password(auth, MAPLE), password(privacy, MAPLE));
        User::new("marque", Some(&auth), Some(&privacy), "").unwrap()
    }

    /// The first two from RFC 3414, A.3.1 and A.3.2, the others made by the same steps
    /// with another implementation of the hashes (RFC 7860 has none).
    const LOCALISED: [(AuthProtocol, &str); 6] = [
        (AuthProtocol::Md5, "526f5eed9fcce26f8964c2930787d82b"),
        (AuthProtocol::Sha1, "6695febc9288e36282235fc7151f128497b38f3f"),
        (
            AuthProtocol::Sha224,
            "0bd8827c6e29f8065e08e09237f177e410f69b90e1782be682075674",
        ),
        (
            AuthProtocol::Sha256,
            "8982e0e549e866db361a6b625d84cccc11162d453ee8ce3a6445c2d6776f0f8b",
        ),
        (
            AuthProtocol::Sha384,
            "3b298f16164a11184279d5432bf169e2d2a48307de02b3d3f7e2b4f36eb6f0455a53689a3937eea07319a633d2ccba78",
        ),
        (
            AuthProtocol::Sha512,
            "22a5a36cedfcc085807a128d7bc6c2382167ad6c0dbc5fdff856740f3d84c099\
             ad1ea87a8db096714d9788bd544047c9021e4229ce27e4c0a69250adfcffbb0b",
        ),
    ];

    /// Beyond the digest of the protocol: draft-blumenthal-aes-usm-04, 3.1.2.1 and
    /// draft-reeder-snmpv3-usm-3desede-00, 2.1, whose example is the first of Reeder's.
    const EXTENDED: [(AuthProtocol, PrivProtocol, &str); 6] = [
        (
            AuthProtocol::Md5,
            PrivProtocol::Aes256Reeder,
            "79eff44a90650ee0a3a40abfac5acc12",
        ),
        (AuthProtocol::Md5, PrivProtocol::Des3, "79eff44a90650ee0"),
        (
            AuthProtocol::Md5,
            PrivProtocol::Aes256Blumenthal,
            "fa24a92467426c2f4b09192be10dfaec",
        ),
        (AuthProtocol::Sha1, PrivProtocol::Aes192Reeder, "9b8b6d78"),
        (
            AuthProtocol::Sha1,
            PrivProtocol::Aes256Blumenthal,
            "505e07eb9af25568fa1f5dbe",
        ),
        (AuthProtocol::Sha224, PrivProtocol::Aes256Reeder, "22c34be4"),
    ];

    fn hex(octets: &[u8]) -> String {
        octets.iter().map(|octet| format!("{octet:02x}")).collect()
    }

    #[test]
    fn keys_are_those_of_the_standards() {
        let engine = Bytes::from_static(ENGINE);
        for (auth, expected) in LOCALISED {
            let keys = user(auth, PrivProtocol::Aes128).keys(&engine).unwrap();
            assert_eq!(hex(keys.auth.as_bytes()), expected, "{auth}");
            assert_eq!(
                hex(keys.privacy.as_ref().unwrap().encryption_key()),
                expected[..32]
            );
        }
        for (auth, privacy, expected) in EXTENDED {
            let keys = user(auth, privacy).keys(&engine).unwrap();
            let key = hex(keys.privacy.as_ref().unwrap().encryption_key());
            let (_, plain) = LOCALISED.iter().find(|(other, _)| *other == auth).unwrap();
            assert_eq!(key, format!("{plain}{expected}"), "{auth} {privacy}");
        }
    }

    /// RFC 2202, 2 and 3, and RFC 4231, 4.2 (case 1 of each), cut as RFC 3414, 6 and 7 and
    /// RFC 7860, 4.2.1 say. Zeros after a short key are what HMAC adds anyway.
    #[test]
    fn digests_are_those_of_the_standards() {
        for (protocol, key, expected) in [
            (AuthProtocol::Md5, 16, "9294727a3638bb1c13f48ef8"),
            (AuthProtocol::Sha1, 20, "b617318655057264e28bc0b6"),
            (AuthProtocol::Sha224, 20, "896fb1128abbdf196832107cd49df33f"),
            (
                AuthProtocol::Sha256,
                20,
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da7",
            ),
            (
                AuthProtocol::Sha384,
                20,
                "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59c",
            ),
            (
                AuthProtocol::Sha512,
                20,
                "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde\
                 daa833b7d6b8a702038b274eaea3f4e4",
            ),
        ] {
            let mut octets = vec![0x0b; key];
            octets.resize(protocol.digest_len(), 0);
            let key = LocalizedKey::from_bytes(protocol, octets).unwrap();
            assert_eq!(
                hex(&key.compute_hmac(b"Hi There").unwrap()),
                expected,
                "{protocol}"
            );
        }
    }

    #[test]
    fn keys_are_made_once_for_an_engine() {
        let user = user(AuthProtocol::Sha256, PrivProtocol::Aes256Reeder);
        let engine = Bytes::from_static(ENGINE);
        let (first, again) = (user.keys(&engine).unwrap(), user.keys(&engine).unwrap());
        assert!(Arc::ptr_eq(&first, &again));
        let other = user.keys(&Bytes::from_static(b"12345")).unwrap();
        assert_ne!(first.auth.as_bytes(), other.auth.as_bytes());
        let nobody = User::new("nobody", None, None, "").unwrap();
        assert!(nobody.keys(&engine).is_none());
    }

    #[test]
    fn no_salt_is_used_twice() {
        let mut seen = std::collections::HashSet::new();
        for privacy in [PrivProtocol::Des, PrivProtocol::Aes128] {
            // A second user is the same one after a restart.
            for _ in 0..2 {
                let user = user(AuthProtocol::Md5, privacy);
                let keys = user.keys(&Bytes::from_static(ENGINE)).unwrap();
                for _ in 0..50 {
                    let (_, salt) = user
                        .encrypt(keys.privacy.as_ref().unwrap(), b"text", 1, 1)
                        .unwrap();
                    assert!(seen.insert(salt));
                }
            }
        }
    }

    #[test]
    fn what_cannot_be_a_user_is_refused_without_its_password() {
        let auth = password(AuthProtocol::Sha256, MAPLE);
        let short = password(AuthProtocol::Sha256, "hunter2");
        let privacy = password(PrivProtocol::Aes128, "hunter2");
        let long = "x".repeat(33);
        for (name, auth, privacy, context, expected) in [
            (
                "a",
                Some(&short),
                None,
                "",
                "here holds no password of at least 8 bytes",
            ),
            (
                "a",
                Some(&auth),
                Some(&privacy),
                "",
                "here holds no password of at least 8 bytes",
            ),
            ("a", None, Some(&privacy), "", "privacy needs authentication"),
            ("", None, None, "", "a user's name has 1 to 32 bytes"),
            (&long, None, None, "", "a user's name has 1 to 32 bytes"),
            (
                "a",
                None,
                None,
                &"x".repeat(256),
                "a context's name has at most 255 bytes and no control characters",
            ),
        ] {
            let error = User::new(name, auth, privacy, context).unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
        let shown = format!("{:?}", user(AuthProtocol::Md5, PrivProtocol::Des));
        assert_eq!(shown, "User(..)");
    }
}
