//! One's own account: what one may, one's password, one's sessions.

use super::access::{Visit, again};
use super::fields::Fields;
use super::page::{Frame, answer};
use super::second::Second;
use super::show::{self, Moment};
use super::sign_in::refusal;
use crate::api::Problem;
use crate::door::Pass;
use askama::Template;
use axum::extract::{Form, Path, Query as Pairs};
use axum::response::{IntoResponse, Redirect, Response};
use model::Instant;
use store::accounts::{SessionRow, Sites};
use uuid::Uuid;

/// The page.
#[derive(Template)]
#[template(path = "account.html")]
pub struct AccountPage {
    frame: Frame,
    name: String,
    role: &'static str,
    may: &'static str,
    sites: String,
    external: bool,
    told: Option<&'static str>,
    refused: Option<String>,
    sessions: Vec<SessionLine>,
    second: Second,
    /// Since when there is one, and how many recovery codes are left.
    second_since: Option<(Moment, u64)>,
    /// Whether nothing else opens before there is one.
    second_first: bool,
}

/// Where one is sent whose second factor is off.
pub const SECOND_OFF: &str = "/account?told=second";

/// A session as a list shows it.
pub struct SessionLine {
    /// Its key.
    pub id: String,
    /// Whose.
    pub name: String,
    /// Whether it is a wall's.
    pub wall: bool,
    /// Whether it is the one that asks.
    pub own: bool,
    /// From where it began.
    pub peer: String,
    /// Since when.
    pub since: Moment,
    /// About when it was used last.
    pub seen: Moment,
    /// When it ends whatever happens.
    pub expires: Moment,
}

impl SessionLine {
    /// The row as seen now by whoever holds the session `own`.
    #[must_use]
    pub fn new(row: &SessionRow, own: Option<Uuid>, now: Instant) -> Self {
        Self {
            id: row.session.to_string(),
            name: show::clean(&row.name, 64),
            wall: matches!(row.of, store::accounts::SessionOf::Wall(_)),
            own: own == Some(row.session),
            peer: show::clean(&row.peer, 64),
            since: Moment::new(row.recorded, now),
            seen: Moment::new(row.seen, now),
            expires: Moment::new(row.expires, now),
        }
    }
}

/// Sites in words.
#[must_use]
pub fn sites_words(sites: &Sites) -> String {
    match sites {
        None => "all sites".to_owned(),
        Some(sites) => sites
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(", "),
    }
}

/// The account and session of whoever asks.
///
/// # Errors
/// [`Problem::NotAllowed`] for tokens, which have none.
pub fn own(visit: &Visit) -> Result<(Uuid, Uuid), Problem> {
    match *visit.pass {
        Pass::Session { session, account, .. } => Ok((account, session)),
        Pass::Wall | Pass::Token(_) => Err(Problem::NotAllowed),
    }
}

/// `/account`
pub async fn account(visit: Visit, Pairs(pairs): Pairs<Vec<(String, String)>>) -> Response {
    let told = pairs.iter().find(|(key, _)| key == "told");
    let told = told.and_then(|(_, told)| match told.as_str() {
        "password" => Some("Your password is changed. Your other sessions have ended."),
        "second" => Some("Your second factor is off."),
        _ => None,
    });
    answer(&visit, page(&visit, told, None, Second::default()).await)
}

/// The page of one's own account.
///
/// # Errors
/// [`Problem`].
pub async fn page(
    visit: &Visit,
    told: Option<&'static str>,
    refused: Option<String>,
    second: Second,
) -> Result<AccountPage, Problem> {
    let (account, session) = own(visit)?;
    let frame = Frame::new(visit, "account");
    let store = visit.door.store();
    let now = (visit.clock)();
    let sessions = store.sessions(Some(account), visit.door.idle(), now).await?;
    let found = store.account(account).await?;
    let (row, _) = found.ok_or(Problem::NotFound("account"))?;
    let held = store.second(account).await?;
    Ok(AccountPage {
        frame,
        name: show::clean(&row.name, 64),
        role: row.role.as_str(),
        may: may(row.role),
        sites: sites_words(&row.sites),
        external: row.external,
        told,
        refused,
        sessions: sessions
            .iter()
            .map(|row| SessionLine::new(row, Some(session), now))
            .collect(),
        second,
        second_since: row
            .second
            .map(|at| (Moment::new(at, now), held.map_or(0, |held| held.recovery))),
        second_first: row.second.is_none() && matches!(*visit.pass, Pass::Session { bare: true, .. }),
    })
}

/// What a role is for, in words.
#[must_use]
pub fn may(role: model::AccessRole) -> &'static str {
    use model::AccessRole::{Admin, Compliance, Operator, Viewer};
    match role {
        Viewer => "looks",
        Operator => "looks, and works on findings",
        Compliance => "works on findings, signs waivers and removals; with all sites, reads the audit log",
        Admin => "what compliance may; with all sites, decides who may",
    }
}

/// `POST /account/password`
pub async fn password(visit: Visit, Form(pairs): Form<Vec<(String, String)>>) -> Response {
    let asked = Fields::read(pairs).and_then(|fields| Ok((fields, own(&visit)?)));
    let (fields, own) = match asked {
        Ok(asked) => asked,
        Err(problem) => return answer::<AccountPage>(&visit, Err(problem)),
    };
    let done = match fields.one("password") == fields.one("again") {
        true => {
            let (old, new) = (fields.one("old"), fields.one("password"));
            visit.door.change_password(own, old, new, visit.from).await
        }
        false => Err(crate::door::Refused::Password(
            "the two passwords are not the same",
        )),
    };
    let Err(refused) = done else {
        return Redirect::to("/account?told=password").into_response();
    };
    match refusal(refused) {
        Ok((status, words)) => {
            let page = page(&visit, None, Some(words.clone()), Second::default());
            again(&visit, ("/account", "/account"), (status, &words), page).await
        }
        Err(problem) => answer::<AccountPage>(&visit, Err(problem)),
    }
}

/// `POST /account/sessions/{id}/end`
pub async fn end_session(visit: Visit, Path(id): Path<String>) -> Response {
    match end_own(&visit, &id).await {
        Ok(()) => Redirect::to("/account").into_response(),
        Err(problem) => answer::<AccountPage>(&visit, Err(problem)),
    }
}

async fn end_own(visit: &Visit, id: &str) -> Result<(), Problem> {
    let (account, _) = own(visit)?;
    let session: Uuid = id.parse().map_err(|_| Problem::NotFound("session"))?;
    let now = (visit.clock)();
    let own = visit
        .door
        .store()
        .sessions(Some(account), visit.door.idle(), now)
        .await?;
    if !own.iter().any(|row| row.session == session) {
        return Err(Problem::NotFound("session"));
    }
    visit
        .door
        .end_session(session, &visit.by(), "session_ended")
        .await?;
    Ok(())
}
