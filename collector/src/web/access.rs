//! What each route asks of whoever comes, in one table, and the gate that reads it.
//!
//! Invariants: a route that is not in the table is closed; what the table asks is
//! checked before a handler runs, for pages, forms and the API alike.

use super::page::{refuse, render};
use super::{Web, arrive, sign_in};
use crate::api::Problem;
use crate::door::{self, Arrival, Pass};
use askama::Template;
use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use model::{Person, Right, SiteName};
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;
use store::accounts::By;

/// Method and path of every route, with the right it asks for. `HEAD` goes with `GET`.
pub const ROUTES: &[(&str, &str, Right)] = &[
    ("GET", "/", Right::See),
    ("GET", "/findings", Right::See),
    ("GET", "/findings/{id}", Right::See),
    ("POST", "/findings/act", Right::Act),
    ("POST", "/findings/sign", Right::Sign),
    ("GET", "/waivers", Right::See),
    ("GET", "/waivers.csv", Right::See),
    ("GET", "/waivers.json", Right::See),
    ("GET", "/audit", Right::Sign),
    ("GET", "/audit/export", Right::Sign),
    ("GET", "/findings.csv", Right::See),
    ("GET", "/findings.json", Right::See),
    ("GET", "/elements", Right::See),
    ("GET", "/elements.csv", Right::See),
    ("GET", "/elements.json", Right::See),
    ("GET", "/complete", Right::See),
    ("POST", "/views", Right::See),
    ("POST", "/views/drop", Right::See),
    ("POST", "/alerts/attach", Right::Act),
    ("POST", "/alerts/detach", Right::Act),
    ("GET", "/elements/{id}", Right::See),
    ("GET", "/coverage", Right::See),
    ("GET", "/coverage.csv", Right::See),
    ("GET", "/coverage.json", Right::See),
    ("GET", "/what-if", Right::See),
    ("GET", "/exposure", Right::See),
    ("GET", "/deadlines", Right::See),
    ("GET", "/policies", Right::See),
    ("GET", "/policies/{jurisdiction}", Right::See),
    ("GET", "/rules/{id}", Right::See),
    ("GET", "/suppliers", Right::See),
    ("GET", "/suppliers/{id}", Right::See),
    ("GET", "/reports", Right::See),
    ("GET", "/reports/{report}", Right::See),
    ("GET", "/agents", Right::See),
    ("POST", "/agents/invite", Right::Administer),
    ("GET", "/agents/{id}", Right::See),
    ("POST", "/agents/{id}/revoke", Right::Administer),
    ("POST", "/agents/{id}/quarantine", Right::Administer),
    ("POST", "/agents/{id}/release", Right::Administer),
    ("GET", "/map", Right::See),
    ("GET", "/map/{site}", Right::See),
    ("GET", "/evidence/{digest}", Right::See),
    ("GET", "/evidence/{digest}/walk", Right::See),
    ("GET", "/assets/{name}", Right::Anyone),
    ("GET", "/live", Right::See),
    ("GET", "/api/v1/summary", Right::See),
    ("GET", "/api/v1/findings", Right::See),
    ("GET", "/api/v1/elements", Right::See),
    ("GET", "/api/v1/coverage", Right::See),
    ("GET", "/healthz", Right::Anyone),
    ("GET", "/metrics", Right::See),
    ("GET", "/sign-in", Right::Anyone),
    ("POST", "/sign-in", Right::Anyone),
    ("GET", "/sign-in/code", Right::Anyone),
    ("POST", "/sign-in/code", Right::Anyone),
    ("GET", "/sign-in/openid", Right::Anyone),
    ("GET", "/sign-in/openid/done", Right::Anyone),
    ("POST", "/sign-out", Right::Anyone),
    ("GET", "/enter", Right::Anyone),
    ("GET", "/set-up", Right::Anyone),
    ("POST", "/set-up", Right::Anyone),
    ("GET", "/account", Right::See),
    ("POST", "/account/password", Right::See),
    ("POST", "/account/second", Right::See),
    ("POST", "/account/second/prove", Right::See),
    ("POST", "/account/second/off", Right::See),
    ("POST", "/account/sessions/{id}/end", Right::See),
    ("GET", "/admin", Right::Administer),
    ("POST", "/admin/accounts", Right::Administer),
    ("POST", "/admin/accounts/{id}/rights", Right::Administer),
    ("POST", "/admin/accounts/{id}/disable", Right::Administer),
    ("POST", "/admin/accounts/{id}/enable", Right::Administer),
    ("POST", "/admin/accounts/{id}/link", Right::Administer),
    ("POST", "/admin/accounts/{id}/second-off", Right::Administer),
    ("POST", "/admin/tokens", Right::Administer),
    ("POST", "/admin/tokens/{id}/end", Right::Administer),
    ("POST", "/admin/sessions/{id}/end", Right::Administer),
    ("POST", "/admin/routes/{route}/test", Right::Administer),
];

/// What is written into the audit log when it is looked at or taken away: the beginning of its path, and the word.
/// The longest that fits counts.
const SIGHTS: &[(&str, &str)] = &[
    ("/findings", "saw_findings"),
    ("/elements", "saw_elements"),
    ("/waivers", "saw_waivers"),
    ("/coverage", "saw_coverage"),
    ("/exposure", "saw_exposure"),
    ("/suppliers/{", "saw_supplier"),
    ("/agents", "saw_agents"),
    ("/map", "saw_map"),
    ("/findings.", "took_findings"),
    ("/elements.", "took_elements"),
    ("/waivers.", "took_waivers"),
    ("/coverage.", "took_coverage"),
    ("/findings/{", "saw_finding"),
    ("/elements/{", "saw_element"),
    ("/evidence/{", "saw_evidence"),
    ("/evidence/{digest}/walk", "took_evidence"),
    ("/audit", "saw_audit_log"),
    ("/admin", "saw_accounts"),
    ("/api/v1/findings", "took_findings"),
    ("/api/v1/elements", "took_elements"),
    ("/api/v1/coverage", "took_coverage"),
];

/// The word and the subject of a sight of this path; whatever a list gives as a file counts too.
fn sight(path: &str, uri: &Uri) -> Option<(&'static str, String)> {
    let fits = SIGHTS.iter().filter(|(start, _)| path.starts_with(start));
    let word = fits.max_by_key(|(start, _)| start.len()).map(|(_, word)| *word);
    let word = word.or(is_file(path, uri).then_some("took_file"))?;
    let told = uri.path_and_query().map_or("", |told| told.as_str());
    Some((word, told.chars().take(300).collect()))
}

/// Whether what is asked for is taken away as a file.
fn is_file(path: &str, uri: &Uri) -> bool {
    let named = [".csv", ".json", "/export", "/walk"];
    let formed = |pair: &str| pair.starts_with("format=") || matches!(pair, "as=csv" | "as=json");
    named.iter().any(|end| path.ends_with(end))
        || uri.query().is_some_and(|query| query.split('&').any(formed))
}

/// What a route asks for; [`None`] where the table does not know it.
#[must_use]
pub fn asked(method: &str, path: &str) -> Option<Right> {
    let method = if method == "HEAD" { "GET" } else { method };
    ROUTES
        .iter()
        .find(|(m, p, _)| *m == method && *p == path)
        .map(|(_, _, right)| *right)
}

/// Lets through who may, and notes what they saw.
pub async fn gate(State(web): State<Arc<Web>>, request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().cloned();
    let path = path.as_ref().map(MatchedPath::as_str);
    let arrival = request.extensions().get::<Arrival>().cloned();
    let right = path.and_then(|path| asked(request.method().as_str(), path));
    let wall = request.uri().query() == Some("wall=1");
    let allowed = match (right, &arrival) {
        (Some(Right::Anyone), _) => true,
        (Some(right), Some(arrival)) => {
            arrival.person.may(right) && arrival.pass.opens(path.unwrap_or_default(), wall, right)
        }
        (Some(_), None) | (None, _) => false,
    };
    if !allowed {
        return match arrival {
            Some(arrival)
                if !by_program(&request) && matches!(*arrival.pass, Pass::Session { bare: true, .. }) =>
            {
                Redirect::to("/account").into_response()
            }
            None if right.is_some() => sign_in::nobody(&request),
            nobody => not_allowed(&web, &request, nobody.map(|arrival| arrival.person)),
        };
    }
    // What a form shows is noted where it is shown: see `again`.
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let sight = path.filter(|_| reads).and_then(|path| sight(path, request.uri()));
    let from = arrive::peer(request.extensions());
    let response = next.run(request).await;
    if let (Some((word, subject)), Some(arrival)) = (sight, arrival)
        && response.status().is_success()
    {
        web.door
            .diary
            .saw(door::by(&arrival.person, from), word, &subject);
    }
    response
}

/// What a form answers in place of going on: the page it stands on (its route, its address), seen and noted as if it
/// were asked for; to whoever may not look at that, the words alone.
pub async fn again<T: Template>(
    visit: &Visit,
    (route, address): (&str, &str),
    (status, words): (StatusCode, &str),
    page: impl Future<Output = Result<T, Problem>>,
) -> Response {
    let right = asked("GET", route);
    if !right.is_some_and(|right| visit.person.may(right) && visit.pass.opens(route, false, right)) {
        return (status, format!("{words}\n")).into_response();
    }
    match page.await {
        Ok(page) => {
            let uri = address.parse::<Uri>().ok();
            if let Some((word, subject)) = uri.and_then(|uri| sight(route, &uri)) {
                visit.door.diary.saw(visit.by(), word, &subject);
            }
            render(status, &page)
        }
        Err(problem) => refuse(visit, Some(visit.person.clone()), &problem),
    }
}

fn not_allowed(web: &Web, request: &Request, person: Option<Arc<Person>>) -> Response {
    if by_program(request) {
        return Problem::NotAllowed.into_response();
    }
    refuse(web, person, &Problem::NotAllowed)
}

/// Whether a program asks, and reads JSON rather than a page: it shows a token, or asks for what is no page.
#[must_use]
pub fn by_program(request: &Request) -> bool {
    let path = request.uri().path();
    path.starts_with("/api/")
        || matches!(path, "/metrics" | "/live" | "/healthz")
        || is_file(path, request.uri())
        || request.headers().contains_key(AUTHORIZATION)
}

/// A request with whoever made it: what handlers take in place of the bare [`Web`].
#[derive(Clone)]
pub struct Visit {
    web: Arc<Web>,
    /// Who asks.
    pub person: Arc<Person>,
    /// By which proof they came.
    pub pass: Arc<Pass>,
    /// The address they came from.
    pub from: Option<IpAddr>,
}

impl Visit {
    /// As the audit log names them.
    #[must_use]
    pub fn by(&self) -> By {
        door::by(&self.person, self.from)
    }

    /// That they may see what stands at this site; else there is no such thing.
    ///
    /// # Errors
    /// [`Problem::NotFound`].
    pub fn sees(&self, site: &SiteName, what: &'static str) -> Result<(), Problem> {
        match self.person.sees(site) {
            true => Ok(()),
            false => Err(Problem::NotFound(what)),
        }
    }
}

impl Deref for Visit {
    type Target = Arc<Web>;

    fn deref(&self) -> &Arc<Web> {
        &self.web
    }
}

impl FromRequestParts<Arc<Web>> for Visit {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, web: &Arc<Web>) -> Result<Self, Response> {
        match parts.extensions.get::<Arrival>() {
            Some(arrival) => Ok(Self {
                web: web.clone(),
                person: arrival.person.clone(),
                pass: arrival.pass.clone(),
                from: arrive::peer(&parts.extensions),
            }),
            None => Err(refuse(web, None, &Problem::NotAllowed)),
        }
    }
}
