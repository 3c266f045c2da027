//! Who may look and act, as the store keeps it: accounts, sessions, one-time links, tokens.
//!
//! Invariants: no secret comes in here, only hashes; a change and the row of the audit
//! log that tells it are one transaction; a one-time link is used up by the transaction
//! that does what it allows; there is always somebody left who may administer.

use crate::StoreError;
use model::{AccessRole, Instant, Person, Scope, SiteName};
use std::collections::BTreeSet;
use uuid::Uuid;

/// Sites somebody is limited to; [`None`] is all.
pub type Sites = Option<BTreeSet<SiteName>>;

/// Who does something, and from where.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct By {
    /// The name of their account or token, or what the command line knows of them.
    pub person: String,
    /// The address or the machine's account it is done from.
    pub from: String,
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountRow {
    /// Its key.
    pub account: Uuid,
    /// What the person is called; unique, whatever its case.
    pub name: String,
    /// What they may.
    pub role: AccessRole,
    /// Where they may.
    pub sites: Sites,
    /// Whether somebody else says who they are.
    pub external: bool,
    /// Whether they can sign in by password.
    pub has_password: bool,
    /// Since when they cannot sign in.
    pub disabled: Option<Instant>,
    /// When they did last.
    pub last_sign_in: Option<Instant>,
    /// Since when they have a second factor here.
    pub second: Option<Instant>,
    /// Since when it exists.
    pub recorded: Instant,
}

impl AccountRow {
    /// Who this is to pages and rules.
    #[must_use]
    pub fn person(&self) -> Person {
        Person {
            name: self.name.clone(),
            role: self.role,
            sites: self.sites.clone(),
        }
    }
}

/// An account to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAccount {
    /// What the person is called.
    pub name: String,
    /// What they may.
    pub role: AccessRole,
    /// Where they may.
    pub sites: Sites,
}

/// What is changed of an account. Its sessions follow at once; a new password and a switch-off end them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountChange {
    /// Another role, other sites.
    Rights(AccessRole, Sites),
    /// Switched off or on again.
    Disabled(bool),
    /// The PHC string of a new password; the session that is kept, if one is.
    Password(String, Option<Uuid>),
}

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// Done.
    Done,
    /// There is no such account.
    Unknown,
    /// Nobody would be left who may administer.
    LastAdmin,
}

/// The second factor of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Second {
    /// Its secret, sealed under a key that the store never sees.
    pub sealed: String,
    /// The last time step (RFC 6238, 4.2) whose code was used.
    pub step: i64,
    /// Recovery codes that are left.
    pub recovery: u64,
}

/// A second factor to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSecond {
    /// Its secret, sealed.
    pub sealed: String,
    /// The time step whose code proved it.
    pub step: i64,
    /// SHA-256 of its recovery codes, hexadecimal.
    pub recovery: Vec<String>,
}

/// What became of somebody another party vouches for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Vouched {
    /// The account, made or brought up to what the other party says.
    In(AccountRow),
    /// The name is that of a local account, or switched off here.
    NotHere,
    /// Nobody would be left who may administer.
    LastAdmin,
}

/// What a one-time link opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkKind {
    /// The first account, an admin, while there is none.
    SetUp,
    /// A new password for an account.
    Password,
    /// A session of an account, without a password.
    SignIn,
}

impl LinkKind {
    /// All.
    pub const ALL: [Self; 3] = [Self::SetUp, Self::Password, Self::SignIn];

    /// The word in the database and the audit log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SetUp => "set_up",
            Self::Password => "password",
            Self::SignIn => "sign_in",
        }
    }
}

/// A one-time link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// SHA-256 of its secret, hexadecimal.
    pub hash: String,
    /// What it opens.
    pub kind: LinkKind,
    /// For which account; none for [`LinkKind::SetUp`].
    pub account: Option<Uuid>,
    /// From then on it opens nothing.
    pub expires: Instant,
}

/// What is done with a one-time link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkUse {
    /// The first account is made: its name and the PHC string of its password.
    SetUp(String, String),
    /// The PHC string of a new password.
    Password(String),
    /// A session begins.
    SignIn,
}

/// A session to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSession {
    /// SHA-256 of what the cookie holds, hexadecimal.
    pub hash: String,
    /// Whose, or of which wallboard's token.
    pub of: SessionOf,
    /// Whatever happens, it ends then.
    pub expires: Instant,
}

/// Whose session it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionOf {
    /// Of an account.
    Account(Uuid),
    /// Of a token for a wallboard.
    Wall(Uuid),
}

/// A session as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRow {
    /// Its key, which opens nothing.
    pub session: Uuid,
    /// Whose.
    pub of: SessionOf,
    /// What they are called.
    pub name: String,
    /// From where it began.
    pub peer: String,
    /// Since when.
    pub recorded: Instant,
    /// About when it was used last.
    pub seen: Instant,
    /// When it ends whatever happens.
    pub expires: Instant,
    /// Whether its account has a second factor here, or another party vouches for it.
    pub second: bool,
}

/// A token of a program or a wallboard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRow {
    /// Its key, which opens nothing.
    pub token: Uuid,
    /// What it is called.
    pub name: String,
    /// What it may.
    pub scopes: BTreeSet<Scope>,
    /// Where it may.
    pub sites: Sites,
    /// Who made it.
    pub made_by: String,
    /// From then on it opens nothing.
    pub expires: Instant,
    /// About when it was used last.
    pub used: Option<Instant>,
    /// When it was ended.
    pub ended: Option<Instant>,
    /// Since when it exists.
    pub recorded: Instant,
}

/// A row of the audit log to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deed {
    /// When.
    pub at: Instant,
    /// Who.
    pub by: By,
    /// What, as a word.
    pub action: String,
    /// On what.
    pub subjects: Vec<String>,
}

/// What the door asks of durable state. Nothing here wakes open pages.
#[async_trait::async_trait]
pub trait Accounts: Send + Sync + 'static {
    /// Every account, by name.
    async fn accounts(&self) -> Result<Vec<AccountRow>, StoreError>;

    /// The account of this name, whatever its case, with the PHC string of its password.
    async fn account_named(&self, name: &str) -> Result<Option<(AccountRow, Option<String>)>, StoreError>;

    /// The account of this key, with the PHC string of its password.
    async fn account(&self, account: Uuid) -> Result<Option<(AccountRow, Option<String>)>, StoreError>;

    /// Makes an account without a password; [`None`] where the name is taken.
    async fn add_account(
        &self,
        new: &NewAccount,
        by: &By,
        now: Instant,
    ) -> Result<Option<AccountRow>, StoreError>;

    /// The account of somebody whom another party vouches for, made or brought up to what it says.
    async fn vouched(&self, new: &NewAccount, by: &By, now: Instant) -> Result<Vouched, StoreError>;

    /// Changes an account.
    async fn change_account(
        &self,
        account: Uuid,
        change: &AccountChange,
        by: &By,
        now: Instant,
    ) -> Result<Changed, StoreError>;

    /// The second factor of an account, if it has one.
    async fn second(&self, account: Uuid) -> Result<Option<Second>, StoreError>;

    /// Gives a local account its second factor and ends its sessions but `keep`; `false` where it has one, or cannot.
    async fn hold_second(
        &self,
        account: Uuid,
        new: &NewSecond,
        keep: Uuid,
        by: &By,
        now: Instant,
    ) -> Result<bool, StoreError>;

    /// Uses up the code of a time step and of all before it; `false` where it was used, or there is no second factor.
    async fn use_step(&self, account: Uuid, step: i64) -> Result<bool, StoreError>;

    /// Uses up a recovery code by its SHA-256, hexadecimal; `false` where there is none.
    async fn use_recovery(
        &self,
        account: Uuid,
        hash: &str,
        by: &By,
        now: Instant,
    ) -> Result<bool, StoreError>;

    /// Takes the second factor of an account and its recovery codes away; `false` where there is none.
    async fn drop_second(&self, account: Uuid, by: &By, now: Instant) -> Result<bool, StoreError>;

    /// Notes a one-time link in place of others of its kind for the same account.
    async fn add_link(&self, link: &Link, by: &By, now: Instant) -> Result<(), StoreError>;

    /// What a link opens and for which account, without using it.
    async fn link(
        &self,
        hash: &str,
        now: Instant,
    ) -> Result<Option<(LinkKind, Option<AccountRow>)>, StoreError>;

    /// Uses a link up and does what it allows; [`None`] where it opens nothing or not this.
    async fn use_link(
        &self,
        hash: &str,
        with: &LinkUse,
        from: &str,
        now: Instant,
    ) -> Result<Option<AccountRow>, StoreError>;

    /// Begins a session; `how` is the word of the audit log. Those that ran out are forgotten.
    async fn open_session(
        &self,
        new: &NewSession,
        by: &By,
        how: &str,
        now: Instant,
    ) -> Result<(), StoreError>;

    /// The session behind a cookie and whose it is, while it and its account or token hold; one of
    /// an account that was not used since `idle` is over.
    async fn session(
        &self,
        hash: &str,
        idle: Instant,
        now: Instant,
    ) -> Result<Option<(SessionRow, Person)>, StoreError>;

    /// Notes that a session is used.
    async fn touch_session(&self, session: Uuid, now: Instant) -> Result<(), StoreError>;

    /// Sessions that hold, latest first; of one account if it is named.
    async fn sessions(
        &self,
        of: Option<Uuid>,
        idle: Instant,
        now: Instant,
    ) -> Result<Vec<SessionRow>, StoreError>;

    /// Ends a session; `how` is the word of the audit log. `false` where there is none.
    async fn end_session(&self, session: Uuid, by: &By, how: &str, now: Instant) -> Result<bool, StoreError>;

    /// Notes a token by the SHA-256 of its secret, hexadecimal.
    async fn add_token(&self, hash: &str, token: &TokenRow, by: &By) -> Result<(), StoreError>;

    /// The token behind a secret, while it holds.
    async fn token(&self, hash: &str, now: Instant) -> Result<Option<TokenRow>, StoreError>;

    /// Notes that a token is used.
    async fn touch_token(&self, token: Uuid, now: Instant) -> Result<(), StoreError>;

    /// Every token, latest first.
    async fn tokens(&self) -> Result<Vec<TokenRow>, StoreError>;

    /// Ends a token and the sessions of its walls; `false` where there is none that holds.
    async fn end_token(&self, token: Uuid, by: &By, now: Instant) -> Result<bool, StoreError>;

    /// Appends to the audit log.
    async fn record(&self, deeds: &[Deed]) -> Result<(), StoreError>;
}
