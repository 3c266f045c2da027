//! Who comes with a request: its bearer token, or the session in its cookie; and the wall that is hung by a link.
//!
//! Invariants: where a token is shown no cookie counts; a cookie is sent to this host
//! alone, only by its own pages, and no script reads it; a token in a link is taken out of
//! the address at once.

use super::Shared;
use super::page::refuse;
use crate::api::Problem;
use crate::door::{self, Half, Opened, Refused};
use axum::extract::{ConnectInfo, Query, Request, State};
use axum::http::header::{AUTHORIZATION, COOKIE, HeaderMap, HeaderValue, SET_COOKIE};
use axum::http::{Extensions, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use cookie::{Cookie, SameSite};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use store::StoreError;
use tower_http::csrf::ProtectionError;

/// The cookie of a session of a person.
const SESSION: &str = "marque";
/// That of a wall.
const WALL: &str = "marque-wall";
/// That of somebody between the two steps.
const HALF: &str = "marque-half";
/// That of somebody who is with another party that vouches for them.
const AWAY: &str = "marque-away";

/// Finds out who comes and hands it on.
pub async fn arrive(State(web): Shared, mut request: Request, next: Next) -> Response {
    let path = request.uri().path();
    // Whoever asks for these is not asked who they are.
    if path.starts_with("/assets/") || path == "/healthz" {
        return next.run(request).await;
    }
    if path == "/"
        && request.method() == Method::GET
        && let Some(token) = wall_token(&request)
    {
        return match web
            .door
            .hang(&token, &door::shown(peer(request.extensions())))
            .await
        {
            Ok(opened) => with_cookie(Redirect::to("/?wall=1"), &wall_cookie(&opened, web.secure)),
            Err(Refused::Store(error)) => refuse(&web, None, &Problem::Store(error)),
            Err(_) => Redirect::to("/sign-in").into_response(),
        };
    }
    match found(&web, request.headers()).await {
        Ok(Some(arrival)) => {
            request.extensions_mut().insert(arrival);
        }
        Ok(None) => {}
        Err(error) => {
            let problem = Problem::Store(error);
            return match super::access::by_program(&request) {
                true => problem.into_response(),
                false => refuse(&web, None, &problem),
            };
        }
    }
    next.run(request).await
}

async fn found(web: &super::Web, headers: &HeaderMap) -> Result<Option<door::Arrival>, StoreError> {
    if let Some(shown) = headers.get(AUTHORIZATION) {
        let token = shown.to_str().ok().and_then(|shown| shown.split_once(' '));
        let token = token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        return match token {
            Some((_, token)) => web.door.by_token(token.trim()).await,
            None => Ok(None),
        };
    }
    for name in [SESSION, WALL] {
        if let Some(secret) = cookie(headers, &cookie_name(name, web.secure))
            && let Some(arrival) = web.door.by_cookie(&secret).await?
        {
            return Ok(Some(arrival));
        }
    }
    Ok(None)
}

/// The token of `/?wall=1&token=…`.
fn wall_token(request: &Request) -> Option<String> {
    let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(request.uri()).ok()?;
    let has = |key: &str| {
        pairs
            .iter()
            .find(|(k, _)| k == key)
            .map(|(_, value)| value.clone())
    };
    has("token").filter(|_| has("wall").as_deref() == Some("1"))
}

/// The address a request came from, where the server told it.
#[must_use]
pub fn peer(extensions: &Extensions) -> Option<IpAddr> {
    extensions
        .get::<ConnectInfo<SocketAddr>>()
        .map(|ConnectInfo(address)| address.ip().to_canonical())
}

fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let texts = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|text| text.to_str().ok());
    texts
        .flat_map(Cookie::split_parse)
        .filter_map(Result::ok)
        .find(|cookie| cookie.name() == name)
        .map(|cookie| cookie.value().to_owned())
}

/// Over TLS a name that a browser takes only with `Secure`, `Path=/` and no `Domain`.
fn cookie_name(name: &str, secure: bool) -> String {
    if secure {
        format!("__Host-{name}")
    } else {
        name.to_owned()
    }
}

/// What a browser holds between the two steps.
#[must_use]
pub fn half(headers: &HeaderMap, secure: bool) -> Option<String> {
    cookie(headers, &cookie_name(HALF, secure))
}

/// What a browser holds while somebody is with another party.
#[must_use]
pub fn away(headers: &HeaderMap, secure: bool) -> Option<String> {
    cookie(headers, &cookie_name(AWAY, secure))
}

fn held(name: &str, value: &str, lasts: cookie::time::Duration, secure: bool) -> Cookie<'static> {
    Cookie::build((cookie_name(name, secure), value.to_owned()))
        .path("/")
        .http_only(true)
        .secure(secure)
        .same_site(SameSite::Strict)
        .max_age(lasts)
        .build()
}

fn seconds(lasts: Duration) -> cookie::time::Duration {
    cookie::time::Duration::seconds(i64::try_from(lasts.as_secs()).unwrap_or(i64::MAX))
}

/// The cookie of a session that began.
#[must_use]
pub fn session_cookie(opened: &Opened, secure: bool) -> Cookie<'static> {
    held(SESSION, opened.secret.reveal(), seconds(opened.lasts), secure)
}

fn wall_cookie(opened: &Opened, secure: bool) -> Cookie<'static> {
    held(WALL, opened.secret.reveal(), seconds(opened.lasts), secure)
}

/// What takes the cookie of a session away.
#[must_use]
pub fn no_cookie(secure: bool) -> Cookie<'static> {
    held(SESSION, "", cookie::time::Duration::ZERO, secure)
}

/// The cookie between the two steps.
#[must_use]
pub fn half_cookie(half: &Half, secure: bool) -> Cookie<'static> {
    held(HALF, &half.sealed, seconds(half.lasts), secure)
}

/// What takes it away.
#[must_use]
pub fn no_half(secure: bool) -> Cookie<'static> {
    held(HALF, "", cookie::time::Duration::ZERO, secure)
}

/// The cookie of somebody who goes to another party. It has to come along the link that leads back from there, which a
/// strict one does not.
#[must_use]
pub fn away_cookie(sealed: &str, lasts: Duration, secure: bool) -> Cookie<'static> {
    let mut cookie = held(AWAY, sealed, seconds(lasts), secure);
    cookie.set_same_site(SameSite::Lax);
    cookie
}

/// What takes it away.
#[must_use]
pub fn no_away(secure: bool) -> Cookie<'static> {
    away_cookie("", Duration::ZERO, secure)
}

/// An answer that sets a cookie.
pub fn with_cookie(answer: impl IntoResponse, cookie: &Cookie<'_>) -> Response {
    let mut response = answer.into_response();
    if let Ok(value) = HeaderValue::from_str(&cookie.to_string()) {
        response.headers_mut().append(SET_COOKIE, value);
    }
    response
}

/// What a form of another site is told.
pub fn cross_site(_: ProtectionError) -> Response {
    let words = "this was asked by a page of another site, and is not done\n";
    (StatusCode::FORBIDDEN, words).into_response()
}
