//! What each route asks of whoever comes, in one table, and the gate that reads it.
//!
//! Invariants: a route that is not in the table is closed; what the table asks is
//! checked before a handler runs, for pages, forms and the API alike.

use super::Web;
use super::page::refuse;
use crate::api::Problem;
use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use model::{Person, Right};
use std::ops::Deref;
use std::sync::Arc;

/// Method and path of every route, with the right it asks for. `HEAD` goes with `GET`.
pub const ROUTES: &[(&str, &str, Right)] = &[
    ("GET", "/", Right::See),
    ("GET", "/findings", Right::See),
    ("GET", "/findings/{id}", Right::See),
    ("GET", "/findings.csv", Right::See),
    ("GET", "/findings.json", Right::See),
    ("GET", "/elements", Right::See),
    ("GET", "/elements.csv", Right::See),
    ("GET", "/elements.json", Right::See),
    ("GET", "/complete", Right::See),
    ("POST", "/views", Right::See),
    ("POST", "/views/drop", Right::See),
    ("GET", "/elements/{id}", Right::See),
    ("GET", "/coverage", Right::See),
    ("GET", "/what-if", Right::See),
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
];

/// What a route asks for; [`None`] where the table does not know it.
#[must_use]
pub fn asked(method: &str, path: &str) -> Option<Right> {
    let method = if method == "HEAD" { "GET" } else { method };
    ROUTES
        .iter()
        .find(|(m, p, _)| *m == method && *p == path)
        .map(|(_, _, right)| *right)
}

/// Lets through who may.
pub async fn gate(State(web): State<Arc<Web>>, request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let person = request.extensions().get::<Arc<Person>>();
    let right = path.and_then(|path| asked(request.method().as_str(), path));
    let allowed = match right {
        Some(Right::Anyone) => true,
        Some(right) => person.is_some_and(|person| person.may(right)),
        None => false,
    };
    if allowed {
        return next.run(request).await;
    }
    if path.is_some_and(|path| path.starts_with("/api/")) {
        return Problem::NotAllowed.into_response();
    }
    let person = person.cloned();
    refuse(&web, person, &Problem::NotAllowed)
}

/// A request with whoever made it: what handlers take in place of the bare [`Web`].
#[derive(Clone)]
pub struct Visit {
    web: Arc<Web>,
    /// Who asks.
    pub person: Arc<Person>,
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
        match parts.extensions.get::<Arc<Person>>() {
            Some(person) => Ok(Self {
                web: web.clone(),
                person: person.clone(),
            }),
            None => Err(refuse(web, None, &Problem::NotAllowed)),
        }
    }
}
