//! The door: who comes, by which proof, and what they do here that the audit log tells.
//!
//! Invariants: a secret lives in a request and in the answer that shows it once, nowhere
//! else; whoever is not known is nobody; a wrong name and a wrong password look and last
//! alike; what is checked here holds on the next request, not on the next sign-in.

pub mod secret;
pub mod seal;
pub mod second;
pub mod password;
pub mod strikes;
pub mod diary;
mod grants;
mod links;
pub mod steps;

pub use diary::Diary;
pub use links::{RESET, SET_UP, SIGN_IN};
pub use seal::Seal;
pub use secret::Secret;
pub use steps::{Entered, Half};

use model::{AccessRole, Instant, Person, Right, Scope, SiteName};
use password::Passwords;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use store::accounts::{AccountRow, By, NewAccount, NewSession, SessionOf, TokenRow, Vouched};
use store::{Accounts, StoreError};
use strikes::Strikes;
use uuid::Uuid;

/// That a session or token is used is written down this often.
const TOUCH: Duration = Duration::from_secs(60);
/// Characters of a name.
pub const NAME: std::ops::RangeInclusive<usize> = 1..=64;

/// How long sessions last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// One that is not used for so long is over.
    pub idle: Duration,
    /// So long after it began it is over, used or not.
    pub longest: Duration,
}

/// By which proof somebody came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pass {
    /// The session of an account.
    Session {
        /// Its key.
        session: Uuid,
        /// Whose.
        account: Uuid,
        /// Whether it opens the own account alone, where a second factor is to be set up first.
        bare: bool,
    },
    /// The session of a wallboard: it sees the wall and nothing else.
    Wall,
    /// A token in the request.
    Token(BTreeSet<Scope>),
}

impl Pass {
    /// Whether it opens a route that asks for this right, whatever the person may.
    #[must_use]
    pub fn opens(&self, path: &str, wall: bool, right: Right) -> bool {
        match self {
            Self::Session { bare, .. } => !bare || right == Right::Anyone || path.starts_with("/account"),
            Self::Wall => right == Right::Anyone || path == "/live" || (path == "/" && wall),
            Self::Token(scopes) if path == "/metrics" => scopes.contains(&Scope::Metrics),
            Self::Token(scopes) => scopes.iter().any(|scope| scope.opens(right)),
        }
    }
}

/// Whoever came.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// Who.
    pub person: Arc<Person>,
    /// By which proof.
    pub pass: Arc<Pass>,
}

/// Somebody as the audit log names them.
#[must_use]
pub fn by(person: &Person, from: Option<IpAddr>) -> By {
    By {
        person: person.name.clone(),
        from: shown(from),
    }
}

/// A session that began: what its cookie holds, and for how long.
pub struct Opened {
    /// What the cookie holds.
    pub secret: Secret,
    /// It ends then at the latest.
    pub lasts: Duration,
}

/// Why nobody was let in, by what they can do about it.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// Name or password; which of them is not told.
    #[error("the name or the password is not right")]
    Wrong,
    /// The code of the second step, whichever it was.
    #[error("the code is not right, or was used before")]
    Code,
    /// The first step is to be done again.
    #[error("this took too long; begin again")]
    Late,
    /// Too many tries: wait.
    #[error("too many tries; wait {} s", .0.as_secs().max(1))]
    Locked(Duration),
    /// The link was used, ran out, or never was.
    #[error("this link opens nothing any more")]
    DeadLink,
    /// The name is taken, or no name.
    #[error("{0}")]
    Name(&'static str),
    /// The new password is none.
    #[error("{0}")]
    Password(&'static str),
    /// Try again in a moment.
    #[error("too many sign in at once")]
    Busy,
    /// Nothing can be done here.
    #[error(transparent)]
    NoRandom(#[from] secret::NoRandom),
    /// Try again later.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Refused {
    /// What was wrong was a code.
    fn of_code(self) -> Self {
        match self {
            Self::Wrong => Self::Code,
            other => other,
        }
    }
}

/// The door of one collector.
pub struct Door {
    store: Arc<dyn Accounts>,
    clock: fn() -> Instant,
    times: Times,
    passwords: Passwords,
    strikes: Mutex<Strikes>,
    /// Seals what browsers hold for a moment.
    moment: Seal,
    /// The folder of the key of second factors, and the key once it is read.
    folder: Option<PathBuf>,
    at_rest: Mutex<Option<Arc<Seal>>>,
    /// Roles of local accounts that need a second factor.
    two: BTreeSet<AccessRole>,
    /// What is written down behind people's backs.
    pub diary: Diary,
}

impl Door {
    /// The door before this store.
    ///
    /// # Errors
    /// [`secret::NoRandom`] when the system has no randomness to give.
    pub fn new(
        store: Arc<dyn Accounts>,
        clock: fn() -> Instant,
        times: Times,
    ) -> Result<Self, secret::NoRandom> {
        Ok(Self {
            diary: Diary::new(Arc::clone(&store), clock),
            store,
            clock,
            times,
            passwords: Passwords::default(),
            strikes: Mutex::new(Strikes::default()),
            moment: Seal::of_process()?,
            folder: None,
            at_rest: Mutex::default(),
            two: BTreeSet::new(),
        })
    }

    /// With the folder for the key of second factors, and the roles of local accounts that need one.
    #[must_use]
    pub fn with_second(mut self, folder: PathBuf, needed: BTreeSet<AccessRole>) -> Self {
        (self.folder, self.two) = (Some(folder), needed);
        self
    }

    /// Seals what browsers hold for a moment; whatever it seals ends with this process.
    #[must_use]
    pub fn moment(&self) -> &Seal {
        &self.moment
    }

    /// Now, for what holds for a while.
    #[must_use]
    pub fn clock(&self) -> Instant {
        self.now()
    }

    /// Accounts, sessions and tokens, for pages that list them.
    #[must_use]
    pub fn store(&self) -> &dyn Accounts {
        &*self.store
    }

    fn now(&self) -> Instant {
        (self.clock)()
    }

    /// Sessions that were not used since are over.
    #[must_use]
    pub fn idle(&self) -> Instant {
        earlier(self.now(), self.times.idle)
    }

    // ── arriving ──

    /// Whoever holds this cookie.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn by_cookie(&self, secret: &str) -> Result<Option<Arrival>, StoreError> {
        let Some(secret) = Secret::read(secret) else {
            return Ok(None);
        };
        let now = self.now();
        let found = self.store.session(&secret.hash(), self.idle(), now).await?;
        let Some((session, person)) = found else {
            return Ok(None);
        };
        if now.seconds_since(session.seen) >= TOUCH.as_secs() {
            self.diary.session_used(session.session);
        }
        let pass = match session.of {
            SessionOf::Account(account) => Pass::Session {
                session: session.session,
                account,
                bare: !session.second && self.two.contains(&person.role),
            },
            SessionOf::Wall(_) => Pass::Wall,
        };
        Ok(Some(Arrival {
            person: Arc::new(person),
            pass: Arc::new(pass),
        }))
    }

    /// The program that shows this token.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn by_token(&self, secret: &str) -> Result<Option<Arrival>, StoreError> {
        let Some(token) = self.held(secret).await? else {
            return Ok(None);
        };
        let role = token.scopes.iter().map(|scope| scope.role()).max();
        Ok(Some(Arrival {
            person: Arc::new(Person {
                name: format!("token {}", token.name),
                role: role.unwrap_or(AccessRole::Viewer),
                sites: token.sites,
            }),
            pass: Arc::new(Pass::Token(token.scopes)),
        }))
    }

    async fn held(&self, secret: &str) -> Result<Option<TokenRow>, StoreError> {
        let Some(secret) = Secret::read(secret) else {
            return Ok(None);
        };
        let now = self.now();
        let Some(token) = self.store.token(&secret.hash(), now).await? else {
            return Ok(None);
        };
        if token
            .used
            .is_none_or(|used| now.seconds_since(used) >= TOUCH.as_secs())
        {
            self.diary.token_used(token.token);
        }
        Ok(Some(token))
    }

    /// A session for the wall that shows this token.
    ///
    /// # Errors
    /// [`Refused::DeadLink`] when it is no token of a wall that holds, [`Refused::Store`].
    pub async fn hang(&self, secret: &str, from: &str) -> Result<Opened, Refused> {
        let token = self.held(secret).await?;
        let token = token.filter(|token| token.scopes == BTreeSet::from([Scope::Wall]));
        let token = token.ok_or(Refused::DeadLink)?;
        let by = By {
            person: format!("token {}", token.name),
            from: from.to_owned(),
        };
        // A wall hangs as long as its token holds.
        let lasts = Duration::from_secs(token.expires.seconds_since(self.now()));
        self.begin(SessionOf::Wall(token.token), lasts, &by, "wall_hung")
            .await
    }

    // ── signing in and out ──

    /// Lets in whoever knows the password, or to the second step; `to` is where they want to go.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn sign_in(
        &self,
        name: &str,
        password: &str,
        from: Option<IpAddr>,
        to: &str,
    ) -> Result<Entered, Refused> {
        let key = name.trim().to_lowercase();
        let peer = shown(from);
        let found = match NAME.contains(&key.chars().count()) {
            true => self.store.account_named(&key).await?,
            false => None,
        };
        let (account, hash) = found.unzip();
        let account = account.filter(|account| account.disabled.is_none() && !account.external);
        let known = account.as_ref().map(|account| account.name.clone());
        let hash = hash.flatten();
        let right = async {
            let fits = self.passwords.fits(password, hash.clone()).await;
            fits.map(|fits| account.filter(|_| fits))
        };
        let account = self.tried(&key, known, from, right).await?.account;
        // That took a while: what holds is what the account is now.
        let (account, now) = self.store.account(account).await?.ok_or(Refused::Late)?;
        if account.disabled.is_some() || now != hash {
            return Err(Refused::Late);
        }
        let entered = self
            .first_step(&account, now.as_ref(), (&peer, "sign_in"), to)
            .await?;
        if matches!(entered, Entered::In(_)) {
            self.strikes().clear(&key);
            metrics::counter!("marque_collector_sign_in_total", "outcome" => "in").increment(1);
        }
        Ok(entered)
    }

    /// Begins a session for somebody whom another party vouches for, with the rights it names.
    ///
    /// # Errors
    /// [`Refused::Name`] where the name is a local account's or switched off here, or where nobody would be left who
    /// may administer all sites; [`Refused::Store`].
    pub async fn sign_in_as(
        &self,
        name: &str,
        role: AccessRole,
        sites: Option<BTreeSet<SiteName>>,
        from: Option<IpAddr>,
    ) -> Result<Opened, Refused> {
        let name = fit_name(name)?;
        let all = role == AccessRole::Admin && sites.is_none();
        if !all && self.store.accounts().await?.is_empty() {
            return Err(Refused::Name(
                "whoever administers this collector has to come first",
            ));
        }
        let by = By {
            person: name.clone(),
            from: shown(from),
        };
        let new = NewAccount { name, role, sites };
        let account = match self.store.vouched(&new, &by, self.now()).await? {
            Vouched::In(account) => account,
            Vouched::NotHere => return Err(Refused::Name("this name is not let in here")),
            Vouched::LastAdmin => return Err(Refused::Name(LAST_ADMIN)),
        };
        self.open(&account, &by.from, "sign_in_vouched").await
    }

    async fn open(&self, account: &AccountRow, from: &str, how: &str) -> Result<Opened, Refused> {
        let by = By {
            person: account.name.clone(),
            from: from.to_owned(),
        };
        self.begin(SessionOf::Account(account.account), self.times.longest, &by, how)
            .await
    }

    async fn begin(&self, of: SessionOf, lasts: Duration, by: &By, how: &str) -> Result<Opened, Refused> {
        let secret = Secret::generate()?;
        let now = self.now();
        let new = NewSession {
            hash: secret.hash(),
            of,
            expires: later(now, lasts),
        };
        self.store.open_session(&new, by, how, now).await?;
        Ok(Opened { secret, lasts })
    }

    /// What a try comes to: it is a strike before it begins, and none any more when it was right or had no turn
    /// ([`None`]).
    async fn tried<T>(
        &self,
        key: &str,
        known: Option<String>,
        from: Option<IpAddr>,
        right: impl Future<Output = Option<Option<T>>>,
    ) -> Result<T, Refused> {
        let reserved = self.strikes().reserve(key, from, self.now());
        let locked = reserved.map_err(locked)?;
        let came = right.await;
        if !matches!(came, Some(None)) {
            self.strikes().take_back(key, from);
        }
        came.ok_or(Refused::Busy)?.ok_or_else(|| {
            self.failed(locked, known, from);
            Refused::Wrong
        })
    }

    /// What a try without a name comes to: it counts against the address where its failure is one that `counts`.
    ///
    /// # Errors
    /// [`Refused::Locked`] where the address has to wait; nothing was tried then.
    pub async fn tried_from<T, E>(
        &self,
        from: Option<IpAddr>,
        counts: fn(&E) -> bool,
        tried: impl Future<Output = Result<T, E>>,
    ) -> Result<Result<T, E>, Refused> {
        let reserved = self.strikes().reserve_address(from, self.now());
        reserved.map_err(locked)?;
        let came = tried.await;
        if !came.as_ref().err().is_some_and(counts) {
            self.strikes().take_back_address(from);
        }
        Ok(came)
    }

    /// Notes a failure: a row of the audit log as long as there are not too many. What was typed in place of a name
    /// may be a password: only names that exist are written down.
    fn failed(&self, locked: bool, known: Option<String>, from: Option<IpAddr>) {
        metrics::counter!("marque_collector_sign_in_total", "outcome" => "wrong").increment(1);
        let by = By {
            person: "nobody".to_owned(),
            from: shown(from),
        };
        let action = if locked { "locked_out" } else { "sign_in_failed" };
        self.diary.failure(by, action, known.into_iter().collect());
    }

    fn strikes(&self) -> std::sync::MutexGuard<'_, Strikes> {
        self.strikes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn locked(wait: Duration) -> Refused {
    metrics::counter!("marque_collector_sign_in_total", "outcome" => "locked").increment(1);
    Refused::Locked(wait)
}

/// Why the last who may administer all sites stays what he is.
pub const LAST_ADMIN: &str = "nobody would be left who may administer all sites";

/// Names of the audit log that are nobody's.
const OURS: [&str; 3] = ["nobody", "collector", "token "];

/// A name as it is kept: no blanks around it, nothing that cannot be seen, none of ours.
fn fit_name(name: &str) -> Result<String, Refused> {
    let name = name.trim();
    if !NAME.contains(&name.chars().count()) {
        return Err(Refused::Name("a name has 1 to 64 characters"));
    }
    let key = name.to_lowercase();
    if OURS
        .iter()
        .any(|ours| key == ours.trim() || (ours.ends_with(' ') && key.starts_with(ours)))
    {
        return Err(Refused::Name("this name is taken"));
    }
    let plain = |c: char| c.is_alphanumeric() || " .-_@+'".contains(c);
    if !name.chars().all(plain) {
        return Err(Refused::Name(
            "a name has letters, digits, blanks and . - _ @ + ' only",
        ));
    }
    Ok(name.to_owned())
}

/// The address as the audit log has it.
#[must_use]
pub fn shown(from: Option<IpAddr>) -> String {
    from.map_or_else(|| "unknown".to_owned(), |from| from.to_canonical().to_string())
}

fn by_name(name: &str, from: Option<IpAddr>) -> By {
    By {
        person: name.to_owned(),
        from: shown(from),
    }
}

pub(crate) fn later(now: Instant, by: Duration) -> Instant {
    Instant(
        now.0
            .saturating_add(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)),
    )
}

fn earlier(now: Instant, by: Duration) -> Instant {
    Instant(
        now.0
            .saturating_sub(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)),
    )
}
