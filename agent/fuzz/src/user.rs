//! A user whom the agent knows, and the same keys on the element's side.

use agent::credential::user::{Password, User};
use async_snmp::message::SecurityLevel;
use async_snmp::v3::{DesSaltState, LocalizedKey, MasterKeys, PrivKey, SaltCounter};
use async_snmp::{AuthProtocol, PrivProtocol};
use std::convert::Infallible;

pub const NAME: &str = "marque";
const AUTH: &str = "authentic1";
const PRIVACY: &str = "privately1";

/// Protocols of a user.
pub type Protocols = (Option<AuthProtocol>, Option<PrivProtocol>);

/// One of each kind of digest, cipher and key extension.
pub const USERS: [Protocols; 7] = [
    (None, None),
    (Some(AuthProtocol::Sha256), None),
    (Some(AuthProtocol::Sha256), Some(PrivProtocol::Aes128)),
    (Some(AuthProtocol::Md5), Some(PrivProtocol::Des)),
    (Some(AuthProtocol::Sha512), Some(PrivProtocol::Des3)),
    (Some(AuthProtocol::Sha1), Some(PrivProtocol::Aes256Blumenthal)),
    (Some(AuthProtocol::Sha384), Some(PrivProtocol::Aes192Reeder)),
];

/// The agent's side.
pub fn user(name: &str, (auth, privacy): Protocols) -> User {
    let auth = auth.map(|protocol| Password {
        protocol,
        secret: AUTH.into(),
        origin: "here".to_owned(),
    });
    let privacy = privacy.map(|protocol| Password {
        protocol,
        secret: PRIVACY.into(),
        origin: "here".to_owned(),
    });
    User::new(name, auth.as_ref(), privacy.as_ref(), "").expect("a user")
}

/// The element's side.
pub struct Signer {
    masters: Option<MasterKeys>,
    aes: SaltCounter,
    des: DesSaltState,
}

impl Signer {
    pub fn new((auth, privacy): Protocols) -> Self {
        let masters = auth.map(|auth| {
            let masters = MasterKeys::new(auth, AUTH.as_bytes()).expect("a password");
            match privacy {
                Some(privacy) => masters
                    .with_privacy(privacy, PRIVACY.as_bytes())
                    .expect("another"),
                None => masters,
            }
        });
        Self {
            masters,
            aes: SaltCounter::new().expect("salts"),
            des: DesSaltState::install(|_| Ok::<_, Infallible>(())).expect("salts"),
        }
    }

    /// The best it can do.
    pub fn level(&self) -> SecurityLevel {
        match &self.masters {
            None => SecurityLevel::NoAuthNoPriv,
            Some(masters)
                if masters
                    .localize(b"12345")
                    .is_ok_and(|(_, privacy)| privacy.is_some()) =>
            {
                SecurityLevel::AuthPriv
            }
            Some(_) => SecurityLevel::AuthNoPriv,
        }
    }

    pub fn keys(&self, engine: &[u8]) -> Option<(LocalizedKey, Option<PrivKey>)> {
        self.masters.as_ref()?.localize(engine).ok()
    }

    /// What goes into the message, and its salt.
    pub fn encrypt(&self, key: &PrivKey, plain: &[u8], boots: u32, time: u32) -> Option<(Vec<u8>, Vec<u8>)> {
        let sealed = match key.protocol().is_des_family() {
            true => key.encrypt_des_family(plain, &self.des),
            false => key.encrypt_aes(plain, boots, time, &self.aes),
        };
        sealed.ok().map(|(octets, salt)| (octets.to_vec(), salt.to_vec()))
    }
}
