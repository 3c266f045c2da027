//! Signing in by two steps, and how an account comes to a second factor and loses it.
//!
//! Invariants: between the steps nothing is open but the second one; a link takes the place of the password, never of
//! the second factor; a wrong code is a strike like a wrong password, but of its own count: only who has done the first
//! step adds to it, and only both steps clear it; each code is taken once; a second factor holds once a code has proved
//! it.

use super::second::{self, Codes, Typed};
use super::{Door, Opened, Refused, Seal, by_name, later};
use secrecy::zeroize::Zeroizing;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use store::StoreError;
use store::accounts::{AccountRow, By, NewSecond};
use uuid::Uuid;

/// How long the second step may take, and the proof of a new second factor.
pub const HALF: Duration = Duration::from_secs(5 * 60);
/// The file of the key that secrets at rest are sealed under, in the folder of identities.
const KEY: &str = "second-factor.key";
/// What is sealed for the second step.
const STEP: &str = "marque: the second step";

/// Where somebody stands after the first step.
pub enum Entered {
    /// In.
    In(Opened),
    /// Before the second one.
    Half(Half),
}

/// What a browser holds between the steps: sealed, and good for the second one alone.
pub struct Half {
    /// What the cookie holds.
    pub sealed: String,
    /// It ends then.
    pub lasts: Duration,
}

#[derive(Serialize, Deserialize)]
struct Between {
    account: Uuid,
    /// Of the password that the first step was done with: a new one ends it.
    password: Option<String>,
    how: String,
    to: String,
}

/// A second factor that is to be proved.
pub struct Pending {
    /// The secret for who types it in.
    pub secret: String,
    /// The link that telephones read.
    pub link: String,
    /// The secret sealed for this account and session, to be shown again with a code.
    pub sealed: String,
}

/// What an account's secret is sealed for at rest.
fn at_rest(account: Uuid) -> String {
    format!("marque: second factor of {account}")
}

fn pending(account: Uuid, session: Uuid) -> String {
    format!("marque: second factor to be of {account} in {session}")
}

/// What wrong codes are counted under. It begins with a blank: nobody's name does, so no stranger can add to it.
fn codes_of(account: Uuid) -> String {
    format!(" codes of {account}")
}

fn print(hash: Option<&String>) -> Option<String> {
    hash.map(|hash| hex::encode(Sha256::digest(hash.as_bytes())))
}

impl Door {
    /// The key of secrets at rest, read or made when it is first needed.
    fn at_rest(&self) -> Result<Arc<Seal>, Refused> {
        let mut kept = self
            .at_rest
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(seal) = &*kept {
            return Ok(Arc::clone(seal));
        }
        let folder = self.folder.as_ref().ok_or(Refused::Name(NO_FOLDER))?;
        match Seal::of_file(&folder.join(KEY)) {
            Ok(seal) => Ok(Arc::clone(kept.insert(Arc::new(seal)))),
            Err(error) => {
                tracing::error!(
                    error = crate::admin::chain(&error),
                    file = KEY,
                    "no second factor can be proved"
                );
                Err(Refused::Name(
                    "the key of second factors cannot be used; see the log",
                ))
            }
        }
    }

    /// After the first step: in, or before the second one. Account and hash are those that were read behind it; `to` is
    /// where they wanted to go.
    pub(super) async fn first_step(
        &self,
        account: &AccountRow,
        hash: Option<&String>,
        (peer, how): (&str, &str),
        to: &str,
    ) -> Result<Entered, Refused> {
        if account.second.is_none() {
            return self.open(account, peer, how).await.map(Entered::In);
        }
        let between = Between {
            account: account.account,
            password: print(hash),
            how: how.to_owned(),
            to: to.to_owned(),
        };
        let sealed = self.moment.close_until(STEP, between, later(self.now(), HALF))?;
        Ok(Entered::Half(Half { sealed, lasts: HALF }))
    }

    /// Whether this is somebody between the steps.
    #[must_use]
    pub fn is_between(&self, half: &str) -> bool {
        self.between(half).is_some()
    }

    fn between(&self, half: &str) -> Option<Between> {
        self.moment.open_at(STEP, half, self.now())
    }

    /// Begins the session of somebody between the steps who shows a code; and where they wanted to go.
    ///
    /// # Errors
    /// [`Refused::Late`] where the first step is to be done again, [`Refused::Code`], [`Refused::Locked`].
    pub async fn second_step(
        &self,
        half: &str,
        code: &str,
        from: Option<IpAddr>,
    ) -> Result<(Opened, String), Refused> {
        let between = self.between(half).ok_or(Refused::Late)?;
        let found = self.store.account(between.account).await?;
        let (account, hash) = found.ok_or(Refused::Late)?;
        let same = print(hash.as_ref()) == between.password;
        if account.disabled.is_some() || account.external || account.second.is_none() || !same {
            return Err(Refused::Late);
        }
        let by = by_name(&account.name, from);
        self.code_of(&account, code, from).await?;
        self.strikes().clear(&account.name.to_lowercase());
        metrics::counter!("marque_collector_sign_in_total", "outcome" => "in").increment(1);
        let opened = self.open(&account, &by.from, &between.how).await?;
        Ok((opened, between.to))
    }

    /// Takes a code of somebody who did the first step, and forgives those before it; else a strike.
    async fn code_of(&self, account: &AccountRow, code: &str, from: Option<IpAddr>) -> Result<(), Refused> {
        let (key, by) = (codes_of(account.account), by_name(&account.name, from));
        let right = async { Some(self.proves(account, code, &by).await.transpose()) };
        let tried = self.tried(&key, Some(account.name.clone()), from, right).await;
        tried.map_err(Refused::of_code)??;
        self.strikes().clear(&key);
        Ok(())
    }

    /// [`Some`] where a code is right; it is used up then.
    async fn proves(&self, account: &AccountRow, code: &str, by: &By) -> Result<Option<()>, Refused> {
        let right = match Typed::read(code) {
            None => false,
            Some(Typed::Recovery(hash)) => {
                let used = self.store.use_recovery(account.account, &hash, by, self.now());
                used.await?
            }
            Some(Typed::Time(code)) => {
                let Some(kept) = self.store.second(account.account).await? else {
                    return Ok(None);
                };
                let secret = self.at_rest()?.open(&at_rest(account.account), &kept.sealed);
                if secret.is_none() {
                    tracing::error!(file = KEY, "a second factor was sealed under another key");
                }
                let codes = secret.and_then(|secret| Codes::of(&secret, &account.name));
                match codes.and_then(|codes| codes.step(&code, self.now())) {
                    Some(step) => self.store.use_step(account.account, step).await?,
                    None => false,
                }
            }
        };
        Ok(right.then_some(()))
    }

    /// The account, if its password is this; else a strike.
    async fn known_by(
        &self,
        account: Uuid,
        password: &str,
        from: Option<IpAddr>,
    ) -> Result<AccountRow, Refused> {
        let (row, hash) = self.store.account(account).await?.ok_or(Refused::Wrong)?;
        let right = async {
            let fits = self.passwords.fits(password, hash).await;
            fits.map(|fits| fits.then_some(()))
        };
        let key = row.name.to_lowercase();
        self.tried(&key, Some(row.name.clone()), from, right).await?;
        Ok(row)
    }

    /// Makes a second factor to be proved, for whoever knows the password.
    ///
    /// # Errors
    /// [`Refused`]; nothing has changed yet.
    pub async fn begin_second(
        &self,
        (account, session): (Uuid, Uuid),
        password: &str,
        from: Option<IpAddr>,
    ) -> Result<Pending, Refused> {
        let row = self.known_by(account, password, from).await?;
        if row.second.is_some() {
            return Err(Refused::Name(HAS_ONE));
        }
        self.at_rest()?;
        let secret = Codes::secret()?;
        let sealed = self.moment.close_until(
            &pending(account, session),
            secret.as_slice(),
            later(self.now(), HALF),
        )?;
        self.shown_again((account, session), &row.name, sealed)
            .ok_or(Refused::Late)
    }

    /// The secret that is to be proved, while that may be.
    fn secret_of(&self, own: (Uuid, Uuid), sealed: &str) -> Option<Zeroizing<Vec<u8>>> {
        let secret = self.moment.open_at(&pending(own.0, own.1), sealed, self.now());
        secret.map(Zeroizing::new)
    }

    fn shown_again(&self, own: (Uuid, Uuid), name: &str, sealed: String) -> Option<Pending> {
        let secret = self.secret_of(own, &sealed)?;
        let codes = Codes::of(&secret, name)?;
        Some(Pending {
            secret: codes.base32(),
            link: codes.link()?,
            sealed,
        })
    }

    /// What is to be proved, once more.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn pending_second(
        &self,
        own: (Uuid, Uuid),
        sealed: &str,
    ) -> Result<Option<Pending>, StoreError> {
        let found = self.store.account(own.0).await?;
        Ok(found.and_then(|(row, _)| self.shown_again(own, &row.name, sealed.to_owned())))
    }

    /// Gives an account the second factor that a code proves, and ends its other sessions; its recovery codes, which
    /// are shown once.
    ///
    /// # Errors
    /// [`Refused::Late`] where it took too long, [`Refused::Code`], [`Refused::Name`] where there is one.
    pub async fn prove_second(
        &self,
        (account, session): (Uuid, Uuid),
        sealed: &str,
        code: &str,
        from: Option<IpAddr>,
    ) -> Result<Vec<String>, Refused> {
        let secret = self.secret_of((account, session), sealed).ok_or(Refused::Late)?;
        let (row, _) = self.store.account(account).await?.ok_or(Refused::Late)?;
        let codes = Codes::of(&secret, &row.name).ok_or(Refused::Late)?;
        let step = match Typed::read(code) {
            Some(Typed::Time(code)) => codes.step(&code, self.now()),
            _ => None,
        };
        let recovery = second::recovery_codes()?;
        let new = NewSecond {
            sealed: self.at_rest()?.close(&at_rest(account), &secret)?,
            step: step.ok_or(Refused::Code)?,
            recovery: second::hashes(&recovery),
        };
        let by = by_name(&row.name, from);
        let held = self.store.hold_second(account, &new, session, &by, self.now());
        match held.await? {
            true => Ok(recovery),
            false => Err(Refused::Name(HAS_ONE)),
        }
    }

    /// Takes one's own second factor away, by password and code.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn end_second(
        &self,
        account: Uuid,
        password: &str,
        code: &str,
        from: Option<IpAddr>,
    ) -> Result<(), Refused> {
        let row = self.known_by(account, password, from).await?;
        let by = by_name(&row.name, from);
        self.code_of(&row, code, from).await?;
        self.store.drop_second(account, &by, self.now()).await?;
        Ok(())
    }

    /// Takes somebody's second factor away, for who may; `false` where there is none.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn take_second(&self, account: Uuid, by: &By) -> Result<bool, StoreError> {
        self.store.drop_second(account, by, self.now()).await
    }
}

const HAS_ONE: &str = "there is a second factor already";
const NO_FOLDER: &str = "there is no folder for the key of second factors";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::door::Times;
    use model::{AccessRole, Instant};
    use store::accounts::{AccountChange, NewAccount};
    use store::{Accounts as _, SqliteStore};

    const PASSWORD: &str = "a long enough word";

    fn clock() -> Instant {
        Instant(1_800_000_000_000_000)
    }

    #[tokio::test]
    async fn what_changes_while_a_password_is_looked_at_holds_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("door.db")).await.unwrap();
        let store = Arc::new(store);
        let times = Times {
            idle: HALF,
            longest: HALF,
        };
        let door = Door::new(store.clone(), clock, times).unwrap();
        let by = by_name("root", None);
        let hash = door.hashed(PASSWORD, "").await.unwrap();
        let other = door.hashed("another long word", "").await.unwrap();
        for (name, late) in [("off", true), ("password", true), ("second", false)] {
            let new = NewAccount {
                name: name.to_owned(),
                role: AccessRole::Viewer,
                sites: None,
            };
            let account = store.add_account(&new, &by, clock()).await.unwrap().unwrap();
            let account = account.account;
            let change = async |change: AccountChange| {
                let changed = store.change_account(account, &change, &by, clock()).await;
                changed.unwrap();
            };
            change(AccountChange::Password(hash.clone(), None)).await;
            // Four strikes: the try that waits for a turn is seen by its fifth.
            for _ in 0..4 {
                door.strikes().reserve(name, None, clock()).unwrap();
            }
            let turns = (door.passwords.turn().await, door.passwords.turn().await);
            let meanwhile = async {
                while door.strikes().wait(name, None, clock()).is_none() {
                    tokio::task::yield_now().await;
                }
                match name {
                    "off" => change(AccountChange::Disabled(true)).await,
                    "password" => change(AccountChange::Password(other.clone(), None)).await,
                    _ => {
                        let new = NewSecond {
                            sealed: "sealed".to_owned(),
                            step: 0,
                            recovery: Vec::new(),
                        };
                        let held = store.hold_second(account, &new, Uuid::nil(), &by, clock());
                        assert!(held.await.unwrap());
                    }
                }
                drop(turns);
            };
            let (entered, ()) = tokio::join!(door.sign_in(name, PASSWORD, None, "/"), meanwhile);
            match entered {
                Err(Refused::Late) => assert!(late, "{name}"),
                Ok(Entered::Half(_)) => assert!(!late, "{name}"),
                _ => panic!("{name}: in, or refused otherwise"),
            }
        }
    }
}
