//! What is given and taken: accounts, passwords, tokens, sessions.

use super::{Door, Refused, Secret, fit_name, later, password, shown};
use model::{AccessRole, Scope};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;
use store::StoreError;
use store::accounts::{AccountChange, AccountRow, By, Changed, NewAccount, Sites, TokenRow};
use uuid::Uuid;

impl Door {
    /// Makes an account without a password.
    ///
    /// # Errors
    /// [`Refused::Name`] where the name is taken or none, [`Refused::Store`].
    pub async fn add(
        &self,
        name: &str,
        role: AccessRole,
        sites: Sites,
        by: &By,
    ) -> Result<AccountRow, Refused> {
        let name = fit_name(name)?;
        let new = NewAccount { name, role, sites };
        let made = self.store.add_account(&new, by, self.now()).await?;
        made.ok_or(Refused::Name("this name is taken"))
    }

    /// Changes rights, switches off or on.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn change(
        &self,
        account: Uuid,
        change: &AccountChange,
        by: &By,
    ) -> Result<Changed, StoreError> {
        self.store.change_account(account, change, by, self.now()).await
    }

    /// Changes the password of whoever knows the old one; other sessions end.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn change_password(
        &self,
        (account, session): (Uuid, Uuid),
        old: &str,
        new: &str,
        from: Option<IpAddr>,
    ) -> Result<(), Refused> {
        let found = self.store.account(account).await?;
        let (row, hash) = found.ok_or(Refused::Wrong)?;
        let key = row.name.to_lowercase();
        let right = async {
            let fits = self.passwords.fits(old, hash).await;
            fits.map(|fits| fits.then_some(()))
        };
        self.tried(&key, Some(row.name.clone()), from, right).await?;
        let hash = self.hashed(new, &row.name).await?;
        let by = By {
            person: row.name,
            from: shown(from),
        };
        let change = AccountChange::Password(hash, Some(session));
        self.store
            .change_account(account, &change, &by, self.now())
            .await?;
        Ok(())
    }

    pub(super) async fn hashed(&self, password: &str, name: &str) -> Result<String, Refused> {
        password::check(password, name).map_err(Refused::Password)?;
        self.passwords.hash(password).await.ok_or(Refused::Busy)
    }

    /// Makes a token; its secret is shown once.
    ///
    /// # Errors
    /// [`Refused::Name`], [`Refused::Store`].
    pub async fn add_token(
        &self,
        name: &str,
        scopes: BTreeSet<Scope>,
        sites: Sites,
        lasts: Duration,
        by: &By,
    ) -> Result<Secret, Refused> {
        let name = fit_name(name)?;
        if scopes.is_empty() {
            return Err(Refused::Name(
                "a token must be good for something: choose a scope",
            ));
        }
        if scopes.contains(&Scope::Wall) && scopes.len() > 1 {
            return Err(Refused::Name(
                "a wall's token travels in a link: it is good for the wall alone",
            ));
        }
        let (secret, now) = (Secret::generate()?, self.now());
        let token = TokenRow {
            token: Uuid::now_v7(),
            name,
            scopes,
            sites,
            made_by: by.person.clone(),
            expires: later(now, lasts),
            used: None,
            ended: None,
            recorded: now,
        };
        self.store.add_token(&secret.hash(), &token, by).await?;
        Ok(secret)
    }

    /// Ends a session; `false` where there is none.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn end_session(&self, session: Uuid, by: &By, how: &str) -> Result<bool, StoreError> {
        self.store.end_session(session, by, how, self.now()).await
    }

    /// Ends a token; `false` where there is none that holds.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn end_token(&self, token: Uuid, by: &By) -> Result<bool, StoreError> {
        self.store.end_token(token, by, self.now()).await
    }
}
