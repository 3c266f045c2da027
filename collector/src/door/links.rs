//! One-time links: the first account, a new password, a session without one.
//!
//! Invariants: a link is used up by what it allows; looking at it does not use it.

use super::{Door, Entered, Opened, Refused, Secret, fit_name, later, shown};
use std::net::IpAddr;
use std::time::Duration;
use store::accounts::{AccountRow, By, Link, LinkKind, LinkUse};
use uuid::Uuid;

/// How long the link of the first start opens the door.
pub const SET_UP: Duration = Duration::from_secs(24 * 3_600);
/// How long a link to a new password does.
pub const RESET: Duration = Duration::from_secs(24 * 3_600);
/// How long a link that signs in does.
pub const SIGN_IN: Duration = Duration::from_secs(24 * 3_600);

impl Door {
    /// The link of the first start, while there is no account.
    ///
    /// # Errors
    /// [`Refused::Store`], [`Refused::NoRandom`].
    pub async fn first_link(&self) -> Result<Option<Secret>, Refused> {
        if !self.store.accounts().await?.is_empty() {
            return Ok(None);
        }
        let by = By {
            person: "collector".to_owned(),
            from: "start".to_owned(),
        };
        self.link(LinkKind::SetUp, None, SET_UP, &by).await.map(Some)
    }

    /// A one-time link to a new password, or to a session.
    ///
    /// # Errors
    /// [`Refused::Store`], [`Refused::NoRandom`].
    pub async fn link(
        &self,
        kind: LinkKind,
        account: Option<Uuid>,
        lasts: Duration,
        by: &By,
    ) -> Result<Secret, Refused> {
        let secret = Secret::generate()?;
        let now = self.now();
        let link = Link {
            hash: secret.hash(),
            kind,
            account,
            expires: later(now, lasts),
        };
        self.store.add_link(&link, by, now).await?;
        Ok(secret)
    }

    /// What a link opens and for whom, without using it.
    ///
    /// # Errors
    /// [`Refused::DeadLink`], [`Refused::Store`].
    pub async fn look_at(&self, secret: &str) -> Result<(LinkKind, Option<AccountRow>), Refused> {
        let secret = Secret::read(secret).ok_or(Refused::DeadLink)?;
        let found = self.store.link(&secret.hash(), self.now()).await?;
        found.ok_or(Refused::DeadLink)
    }

    /// Makes the first account by its link, and signs it in.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn set_up(
        &self,
        secret: &str,
        name: &str,
        password: &str,
        from: Option<IpAddr>,
    ) -> Result<Opened, Refused> {
        let name = fit_name(name)?;
        let hash = self.hashed(password, &name).await?;
        let (account, peer) = self.used(secret, LinkUse::SetUp(name, hash), from).await?;
        self.open(&account, &peer, "sign_in_by_link").await
    }

    /// Sets a password by a link, and lets in or to the second step.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn new_password(
        &self,
        secret: &str,
        password: &str,
        from: Option<IpAddr>,
    ) -> Result<Entered, Refused> {
        let (_, account) = self.look_at(secret).await?;
        let account = account.ok_or(Refused::DeadLink)?;
        let hash = self.hashed(password, &account.name).await?;
        let (account, peer) = self.used(secret, LinkUse::Password(hash), from).await?;
        // Those were for the password before; wrong codes stay counted.
        self.strikes().clear(&account.name.to_lowercase());
        self.by_link(account, &peer).await
    }

    /// Lets in by a link, or to the second step.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn enter(&self, secret: &str, from: Option<IpAddr>) -> Result<Entered, Refused> {
        let (account, peer) = self.used(secret, LinkUse::SignIn, from).await?;
        self.by_link(account, &peer).await
    }

    async fn by_link(&self, account: AccountRow, peer: &str) -> Result<Entered, Refused> {
        let found = self.store.account(account.account).await?;
        let (account, hash) = found.ok_or(Refused::Late)?;
        self.first_step(&account, hash.as_ref(), (peer, "sign_in_by_link"), "/")
            .await
    }

    /// Whose link it was, and from where they came.
    async fn used(
        &self,
        secret: &str,
        with: LinkUse,
        from: Option<IpAddr>,
    ) -> Result<(AccountRow, String), Refused> {
        let secret = Secret::read(secret).ok_or(Refused::DeadLink)?;
        let peer = shown(from);
        let used = self
            .store
            .use_link(&secret.hash(), &with, &peer, self.now())
            .await?;
        Ok((used.ok_or(Refused::DeadLink)?, peer))
    }
}
