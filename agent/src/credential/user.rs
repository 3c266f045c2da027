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
    context: Bytes,
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
        if context.len() > 255 {
            return Err(CredentialError::LongContext);
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
            context: Bytes::copy_from_slice(context.as_bytes()),
            level,
            masters,
            salts: Salts::new().ok_or(CredentialError::NoRandomness)?,
            engines: Mutex::default(),
        })
    }

    /// msgUserName (RFC 3414, 2.4).
    pub(crate) fn name(&self) -> &Bytes {
        &self.name
    }

    /// contextName (RFC 3411, 3.3.1).
    pub(crate) fn context(&self) -> &Bytes {
        &self.context
    }

    /// The best this user can do, and what is asked for.
    pub(crate) fn level(&self) -> SecurityLevel {
        self.level
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
