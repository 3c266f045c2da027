//! Inviting an agent and shutting one out, by form.
//!
//! Invariants: what is wrong is said beside the field that holds it, with what was
//! typed; the page with the token is stored by nobody on the way.

use super::super::access::{Visit, again};
use super::super::glance::Glances;
use super::super::page::{Frame, answer};
use super::super::show::Moment;
use super::one::{self, Forms, RevokeForm};
use super::{InviteForm, page};
use crate::api::Problem;
use crate::api::query::Query;
use crate::enrol;
use askama::Template;
use axum::Form;
use axum::extract::{Extension, Path};
use axum::http::StatusCode;
use axum::http::header::{self, HeaderValue};
use axum::response::{IntoResponse, Redirect, Response};
use model::SiteName;
use std::time::Duration;
use store::accounts::By;
use store::acts::Signer;

/// Minutes a token opens at most: a week.
const MOST_MINUTES: u32 = 10_080;
/// Minutes unless told otherwise.
const MINUTES: u32 = 60;

#[derive(Template)]
#[template(path = "agent_invited.html")]
struct InvitedPage {
    frame: Frame,
    token: String,
    site: String,
    expires: Moment,
    authority: String,
}

/// `POST /agents/invite`
pub async fn invite(
    visit: Visit,
    Extension(glances): Extension<Glances>,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Response {
    let typed = match Query::read(pairs, &["site", "minutes"]) {
        Ok(typed) => typed,
        Err(problem) => return answer::<InvitedPage>(&visit, Err(problem)),
    };
    match make(&visit, &glances, &typed).await {
        Ok(Ok(invited)) => {
            let mut response = answer(&visit, Ok(invited));
            let headers = response.headers_mut();
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            response
        }
        Ok(Err(form)) => {
            let words = form.wrong_site.clone().or_else(|| form.wrong_minutes.clone());
            let words = words.unwrap_or_default();
            let why = (StatusCode::UNPROCESSABLE_ENTITY, words.as_str());
            again(&visit, ("/agents", "/agents"), why, page(&visit, &glances, form)).await
        }
        Err(problem) => answer::<InvitedPage>(&visit, Err(problem)),
    }
}

async fn make(
    visit: &Visit,
    glances: &Glances,
    typed: &Query,
) -> Result<Result<InvitedPage, InviteForm>, Problem> {
    let glance = glances.get(visit, Duration::from_secs(1)).await?;
    let declared = |site: &SiteName| glance.overview.sites.iter().any(|row| row.site.name == *site);
    let site = typed.one("site").parse::<SiteName>().ok();
    let site = site.filter(|site| declared(site) && visit.person.sees(site));
    let minutes = typed.number("minutes", MOST_MINUTES, MINUTES).ok();
    let (Some(site), Some(minutes)) = (&site, minutes) else {
        return Ok(Err(InviteForm {
            sites: Vec::new(),
            site: typed.one("site").to_owned(),
            minutes: typed.one("minutes").to_owned(),
            wrong_site: site
                .is_none()
                .then(|| "Choose one of the declared sites.".to_owned()),
            wrong_minutes: minutes
                .is_none()
                .then(|| format!("A whole number from 1 to {MOST_MINUTES}, which is a week.")),
        }));
    };
    let valid = Duration::from_secs(u64::from(minutes) * 60);
    let now = (visit.clock)();
    let made = enrol::invite(
        &*visit.admission,
        visit.authority,
        site,
        valid,
        &signer(visit),
        now,
    )
    .await;
    let (token, expires) = match made {
        Ok(made) => made,
        Err(enrol::InviteError::Store(error)) => return Err(Problem::Store(error)),
        Err(enrol::InviteError::Random(_)) => return Err(Problem::Unreadable("a token")),
    };
    Ok(Ok(InvitedPage {
        frame: Frame::new(visit, "agents"),
        token: token.text(),
        site: site.to_string(),
        expires: Moment::new(expires, now),
        authority: hex::encode(token.authority),
    }))
}

/// `POST /agents/{id}/revoke`
pub async fn revoke(
    visit: Visit,
    Extension(glances): Extension<Glances>,
    Path(id): Path<String>,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Response {
    let made = async {
        let typed = Query::read(pairs, &["reason", "sure"])?;
        let (agent, ..) = one::find(&visit, &id).await?;
        let reason = typed.one("reason");
        let form = RevokeForm {
            reason: reason.to_owned(),
            wrong_reason: reason.is_empty().then_some("Say why: it stays in the audit log."),
            wrong_sure: (typed.one("sure") != "1").then_some("Tick this: nobody can undo it."),
        };
        if form.wrong_reason.is_some() || form.wrong_sure.is_some() {
            return Ok(Err((agent, form)));
        }
        let now = (visit.clock)();
        match visit
            .admission
            .revoke(agent, reason, &signer(&visit), now)
            .await?
        {
            true => Ok(Ok(agent)),
            false => Err(Problem::NotFound("agent")),
        }
    };
    match made.await {
        Ok(Ok(agent)) => Redirect::to(&format!("/agents/{agent}?told=revoked")).into_response(),
        Ok(Err((agent, form))) => {
            let words = form.wrong_reason.or(form.wrong_sure).unwrap_or_default();
            let why = (StatusCode::UNPROCESSABLE_ENTITY, words);
            let address = format!("/agents/{agent}");
            let forms = Forms {
                revoke: form,
                ..Forms::default()
            };
            let page = one::page(&visit, &glances, &id, forms);
            again(&visit, ("/agents/{id}", &address), why, page).await
        }
        Err(problem) => answer::<InvitedPage>(&visit, Err(problem)),
    }
}

pub(super) fn signer(visit: &Visit) -> Signer {
    let By { person, from } = visit.by();
    Signer {
        person,
        account: from,
    }
}
