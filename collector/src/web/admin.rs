//! Who may come in: accounts, tokens, sessions.
//!
//! Invariants: a secret is shown once, in the answer to the form that made it, and no
//! cache keeps that; nobody can take the last way in from everybody.

use super::access::{Visit, again};
use super::account::{SessionLine, sites_words};
use super::alerts::{self, AttachedLine, RouteLine};
use super::fields::Fields;
use super::glance::Glances;
use super::page::{Frame, answer};
use super::shelf::STALE;
use super::show::{self, Moment};
use super::sign_in::refusal;
use crate::api::Problem;
use crate::api::query::bad;
use crate::door::{LAST_ADMIN, Pass, RESET, Refused};
use askama::Template;
use axum::extract::{Extension, Form, Path};
use axum::http::StatusCode;
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Redirect, Response};
use model::{AccessRole, Instant, Scope};
use std::collections::BTreeSet;
use std::time::Duration;
use store::accounts::{AccountChange, AccountRow, Changed, LinkKind, TokenRow};
use uuid::Uuid;

/// Days a token may hold.
const DAYS: u32 = 3_650;

type Sent = Form<Vec<(String, String)>>;

#[derive(Template)]
#[template(path = "admin.html")]
struct AdminPage {
    frame: Frame,
    said: Said,
    roles: Vec<(&'static str, &'static str)>,
    scopes: Vec<(&'static str, &'static str)>,
    sites: Vec<String>,
    accounts: Vec<AccountLine>,
    tokens: Vec<TokenLine>,
    sessions: Vec<SessionLine>,
    routes: Vec<RouteLine>,
    attached: Vec<AttachedLine>,
}

/// What came of the form before.
#[derive(Default)]
struct Said {
    /// What was wrong.
    refused: Option<String>,
    /// What went well, where the page does not show it by itself.
    told: Option<String>,
    /// What is shown once: what it is, and the secret or link.
    once: Option<(String, String)>,
    /// What was typed as a name.
    name: String,
}

struct AccountLine {
    id: String,
    name: String,
    role: &'static str,
    sites: String,
    all: bool,
    site_names: String,
    state: &'static str,
    off: bool,
    external: bool,
    own: bool,
    second: bool,
    last: Option<Moment>,
}

struct TokenLine {
    id: String,
    name: String,
    scopes: String,
    sites: String,
    made_by: String,
    expires: Moment,
    used: Option<Moment>,
    state: &'static str,
}

impl AccountLine {
    fn new(row: &AccountRow, own: &str, now: Instant) -> Self {
        Self {
            id: row.account.to_string(),
            name: show::clean(&row.name, 64),
            role: row.role.as_str(),
            sites: sites_words(&row.sites),
            all: row.sites.is_none(),
            site_names: row.sites.as_ref().map_or(String::new(), |sites| {
                sites
                    .iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join(" ")
            }),
            state: match row {
                AccountRow {
                    disabled: Some(_), ..
                } => "switched off",
                AccountRow { external: true, .. } => "vouched for by another",
                AccountRow {
                    has_password: false, ..
                } => "no password yet",
                AccountRow { second: Some(_), .. } => "can sign in, by two steps",
                _ => "can sign in",
            },
            off: row.disabled.is_some(),
            external: row.external,
            own: row.name == own,
            second: row.second.is_some(),
            last: row.last_sign_in.map(|at| Moment::new(at, now)),
        }
    }
}

impl TokenLine {
    fn new(row: &TokenRow, now: Instant) -> Self {
        let scopes: Vec<&str> = row.scopes.iter().map(|scope| scope.as_str()).collect();
        Self {
            id: row.token.to_string(),
            name: show::clean(&row.name, 64),
            scopes: scopes.join(", "),
            sites: sites_words(&row.sites),
            made_by: show::clean(&row.made_by, 64),
            expires: Moment::new(row.expires, now),
            used: row.used.map(|at| Moment::new(at, now)),
            state: match row.ended {
                Some(_) => "ended",
                None if row.expires <= now => "run out",
                None => "holds",
            },
        }
    }
}

fn scope_words(scope: Scope) -> &'static str {
    match scope {
        Scope::See => "look at pages and read the API",
        Scope::Act => "work on findings",
        Scope::Sign => "sign waivers and removals, read the audit log",
        Scope::Administer => "decide who may",
        Scope::Metrics => "read /metrics",
        Scope::Wall => "hang a wallboard, by a link",
    }
}

async fn page(visit: &Visit, glances: &Glances, said: Said) -> Result<AdminPage, Problem> {
    let frame = Frame::new(visit, "admin");
    let store = visit.door.store();
    let now = (visit.clock)();
    let own = match *visit.pass {
        Pass::Session { session, .. } => Some(session),
        Pass::Wall | Pass::Token(_) => None,
    };
    let glance = glances.get(visit, STALE).await?;
    let sites = glance.overview.sites.iter();
    Ok(AdminPage {
        frame,
        said,
        roles: AccessRole::ALL
            .iter()
            .map(|&role| (role.as_str(), super::account::may(role)))
            .collect(),
        scopes: Scope::ALL
            .iter()
            .map(|&scope| (scope.as_str(), scope_words(scope)))
            .collect(),
        sites: sites.map(|row| row.site.name.to_string()).collect(),
        accounts: store
            .accounts()
            .await?
            .iter()
            .map(|row| AccountLine::new(row, &visit.person.name, now))
            .collect(),
        tokens: store
            .tokens()
            .await?
            .iter()
            .map(|row| TokenLine::new(row, now))
            .collect(),
        sessions: store
            .sessions(None, visit.door.idle(), now)
            .await?
            .iter()
            .map(|row| SessionLine::new(row, own, now))
            .collect(),
        routes: alerts::routes(visit).await?,
        attached: alerts::attached(visit).await?,
    })
}

/// `/admin`
pub async fn admin(visit: Visit, Extension(glances): Extension<Glances>) -> Response {
    answer(&visit, page(&visit, &glances, Said::default()).await)
}

/// What a form came to: done, or something to say on the page again.
enum Outcome {
    Done,
    Once(String, String),
    Refused(Refused, String),
    /// What was tried, and whether it went well.
    Tried(Result<String, String>),
}

async fn finish(visit: &Visit, glances: &Glances, came: Result<Outcome, Problem>) -> Response {
    let (status, said) = match came {
        Ok(Outcome::Done) => return Redirect::to("/admin").into_response(),
        Ok(Outcome::Once(what, secret)) => (
            StatusCode::OK,
            Said {
                once: Some((what, secret)),
                ..Said::default()
            },
        ),
        Ok(Outcome::Tried(came)) => (
            StatusCode::OK,
            Said {
                told: came.clone().ok(),
                refused: came.err(),
                ..Said::default()
            },
        ),
        Ok(Outcome::Refused(refused, name)) => match refusal(refused) {
            Ok((status, words)) => (
                status,
                Said {
                    refused: Some(words),
                    name: show::clean(&name, 64),
                    ..Said::default()
                },
            ),
            Err(problem) => return answer::<AdminPage>(visit, Err(problem)),
        },
        Err(problem) => return answer::<AdminPage>(visit, Err(problem)),
    };
    let once = said.once.as_ref().map(|(_, secret)| secret);
    let words = once
        .or(said.refused.as_ref())
        .or(said.told.as_ref())
        .cloned()
        .unwrap_or_default();
    let (shown, why) = (("/admin", "/admin"), (status, words.as_str()));
    let mut response = again(visit, shown, why, page(visit, glances, said)).await;
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn key(id: &str, what: &'static str) -> Result<Uuid, Problem> {
    id.parse().map_err(|_| Problem::NotFound(what))
}

/// Where a link leads, by the name the browser knows us by.
fn address(visit: &Visit, headers: &HeaderMap, path: &str) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let scheme = if visit.secure { "https" } else { "http" };
    format!(
        "{scheme}://{}{path}",
        show::clean(host.unwrap_or("localhost"), 255)
    )
}

/// `POST /admin/accounts`
pub async fn add_account(
    visit: Visit,
    Extension(glances): Extension<Glances>,
    headers: HeaderMap,
    Form(pairs): Sent,
) -> Response {
    finish(&visit, &glances, make(&visit, &headers, pairs).await).await
}

async fn make(visit: &Visit, headers: &HeaderMap, pairs: Vec<(String, String)>) -> Result<Outcome, Problem> {
    let fields = Fields::read(pairs)?;
    let (role, sites) = (fields.word("role", &AccessRole::ALL)?, fields.sites()?);
    let name = fields.one("name");
    match visit.door.add(name, role, sites, &visit.by()).await {
        Ok(account) => Ok(reset(visit, headers, &account).await?),
        Err(refused) => Ok(Outcome::Refused(refused, name.to_owned())),
    }
}

async fn reset(visit: &Visit, headers: &HeaderMap, account: &AccountRow) -> Result<Outcome, Problem> {
    let made = visit
        .door
        .link(LinkKind::Password, Some(account.account), RESET, &visit.by())
        .await;
    Ok(match made {
        Ok(secret) => Outcome::Once(
            format!(
                "Give this link to {}; it sets a password once, within 24 hours",
                account.name
            ),
            address(visit, headers, &format!("/set-up?token={}", secret.reveal())),
        ),
        Err(refused) => Outcome::Refused(refused, String::new()),
    })
}

/// `POST /admin/accounts/{id}/link`
pub async fn link(
    visit: Visit,
    Extension(glances): Extension<Glances>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Response {
    let come = async {
        let found = visit.door.store().account(key(&id, "account")?).await?;
        let (account, _) = found.ok_or(Problem::NotFound("account"))?;
        if account.external {
            let words = Refused::Name("another vouches for this account: it has no password here");
            return Ok(Outcome::Refused(words, String::new()));
        }
        reset(&visit, &headers, &account).await
    };
    finish(&visit, &glances, come.await).await
}

async fn change(visit: &Visit, id: &str, change: AccountChange) -> Result<Outcome, Problem> {
    match visit
        .door
        .change(key(id, "account")?, &change, &visit.by())
        .await?
    {
        Changed::Done => Ok(Outcome::Done),
        Changed::Unknown => Err(Problem::NotFound("account")),
        Changed::LastAdmin => Ok(Outcome::Refused(Refused::Name(LAST_ADMIN), String::new())),
    }
}

/// `POST /admin/accounts/{id}/rights`
pub async fn set_rights(
    visit: Visit,
    Extension(glances): Extension<Glances>,
    Path(id): Path<String>,
    Form(pairs): Sent,
) -> Response {
    let come = async {
        let fields = Fields::read(pairs)?;
        let rights = AccountChange::Rights(fields.word("role", &AccessRole::ALL)?, fields.sites()?);
        change(&visit, &id, rights).await
    };
    finish(&visit, &glances, come.await).await
}

/// `POST /admin/accounts/{id}/disable`
pub async fn disable(
    visit: Visit,
    Extension(glances): Extension<Glances>,
    Path(id): Path<String>,
) -> Response {
    let come = change(&visit, &id, AccountChange::Disabled(true)).await;
    finish(&visit, &glances, come).await
}

/// `POST /admin/accounts/{id}/enable`
pub async fn enable(
    visit: Visit,
    Extension(glances): Extension<Glances>,
    Path(id): Path<String>,
) -> Response {
    let come = change(&visit, &id, AccountChange::Disabled(false)).await;
    finish(&visit, &glances, come).await
}

/// `POST /admin/accounts/{id}/second-off`
pub async fn second_off(
    visit: Visit,
    Extension(glances): Extension<Glances>,
    Path(id): Path<String>,
) -> Response {
    let come = async {
        match visit.door.take_second(key(&id, "account")?, &visit.by()).await? {
            true => Ok(Outcome::Done),
            false => Err(Problem::NotFound("second factor")),
        }
    };
    finish(&visit, &glances, come.await).await
}

/// `POST /admin/tokens`
pub async fn add_token(
    visit: Visit,
    Extension(glances): Extension<Glances>,
    headers: HeaderMap,
    Form(pairs): Sent,
) -> Response {
    finish(&visit, &glances, make_token(&visit, &headers, pairs).await).await
}

async fn make_token(
    visit: &Visit,
    headers: &HeaderMap,
    pairs: Vec<(String, String)>,
) -> Result<Outcome, Problem> {
    let fields = Fields::read(pairs)?;
    let scopes = fields.all("scope").map(|word| {
        let words = || Scope::ALL.map(Scope::as_str).join(", ");
        word.parse::<Scope>().map_err(|_| bad("scope", word, words()))
    });
    let scopes: BTreeSet<Scope> = scopes.collect::<Result<_, _>>()?;
    let days = fields
        .one("days")
        .parse::<u32>()
        .ok()
        .filter(|days| (1..=DAYS).contains(days));
    let days = days.ok_or_else(|| bad("days", fields.one("days"), format!("1 to {DAYS}")))?;
    let (sites, name) = (fields.sites()?, fields.one("name"));
    let wall = scopes.contains(&Scope::Wall);
    let lasts = Duration::from_secs(u64::from(days) * 86_400);
    match visit
        .door
        .add_token(name, scopes, sites, lasts, &visit.by())
        .await
    {
        Ok(secret) if wall => Ok(Outcome::Once(
            format!("Open this link once at the wallboard {name}; it is not shown again"),
            address(visit, headers, &format!("/?wall=1&token={}", secret.reveal())),
        )),
        Ok(secret) => Ok(Outcome::Once(
            format!("The token {name}; it is not shown again"),
            secret.reveal().to_owned(),
        )),
        Err(refused) => Ok(Outcome::Refused(refused, name.to_owned())),
    }
}

/// `POST /admin/tokens/{id}/end`
pub async fn end_token(
    visit: Visit,
    Extension(glances): Extension<Glances>,
    Path(id): Path<String>,
) -> Response {
    let come = async {
        match visit.door.end_token(key(&id, "token")?, &visit.by()).await? {
            true => Ok(Outcome::Done),
            false => Err(Problem::NotFound("token")),
        }
    };
    finish(&visit, &glances, come.await).await
}

/// `POST /admin/sessions/{id}/end`
pub async fn end_session(
    visit: Visit,
    Extension(glances): Extension<Glances>,
    Path(id): Path<String>,
) -> Response {
    let come = async {
        let session = key(&id, "session")?;
        match visit
            .door
            .end_session(session, &visit.by(), "session_ended")
            .await?
        {
            true => Ok(Outcome::Done),
            false => Err(Problem::NotFound("session")),
        }
    };
    finish(&visit, &glances, come.await).await
}

/// `POST /admin/routes/{route}/test`
pub async fn test_route(
    visit: Visit,
    Extension(glances): Extension<Glances>,
    Path(route): Path<String>,
) -> Response {
    let come = alerts::test(&visit, &route).await.map(Outcome::Tried);
    finish(&visit, &glances, come).await
}
