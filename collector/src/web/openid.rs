//! To the other party that vouches for people, and back.
//!
//! Invariants: whatever comes back without what this browser took along changes nothing and says nothing of a
//! stranger's on our page; the other party's words are cleaned and bounded; nobody is sent on to another site.

use super::Shared;
use super::arrive::{away, away_cookie, no_away, session_cookie, with_cookie};
use super::page::{Frame, refuse, render};
use super::sign_in::{self, Peer, back, refusal, sentence};
use super::{Web, show};
use crate::door::{Opened, Refused};
use crate::openid::{Answer, Failure, OpenId, Told, Vouch, WHILE};
use askama::Template;
use axum::extract::{Query as Pairs, State};
use axum::http::header::HeaderMap;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use std::net::IpAddr;
use store::accounts::By;

/// Characters of a refusal that another party had a word in.
const WORDS: usize = 400;

/// What sends on by the page itself: a strict cookie does not come along a redirect of another site's link.
#[derive(Template)]
#[template(path = "signed_in.html")]
struct SignedInPage {
    frame: Frame,
    to: String,
}

type Query = Pairs<Vec<(String, String)>>;

fn one<'a>(pairs: &'a [(String, String)], key: &str) -> Option<&'a str> {
    let mut found = pairs.iter().filter(|(k, _)| k == key);
    // Two answers to one question are none.
    match (found.next(), found.next()) {
        (Some((_, value)), None) => Some(value),
        _ => None,
    }
}

/// `/sign-in/openid`
pub async fn begin(State(web): Shared, method: Method, Pairs(pairs): Query) -> Response {
    let Some(openid) = &web.openid else {
        return Redirect::to("/sign-in").into_response();
    };
    if method != Method::GET {
        return StatusCode::NO_CONTENT.into_response();
    }
    let to = one(&pairs, "to").and_then(back).unwrap_or("/");
    match openid.begin(web.door.moment(), web.door.clock(), to).await {
        Ok((place, held)) => with_cookie(
            Redirect::to(place.as_str()),
            &away_cookie(&held, WHILE, web.secure),
        ),
        Err(failure) => told(&web, &failure, to).await,
    }
}

/// `/sign-in/openid/done`: back from there.
pub async fn done(
    State(web): Shared,
    method: Method,
    peer: Peer,
    headers: HeaderMap,
    Pairs(pairs): Query,
) -> Response {
    let Some(openid) = &web.openid else {
        return Redirect::to("/sign-in").into_response();
    };
    if method != Method::GET {
        return StatusCode::NO_CONTENT.into_response();
    }
    let owned = |key| one(&pairs, key).unwrap_or_default().to_owned();
    let answer = Answer {
        code: owned("code"),
        state: owned("state"),
        issuer: one(&pairs, "iss").map(str::to_owned),
        told: one(&pairs, "error").map(|error| Told {
            error: error.to_owned(),
            error_description: one(&pairs, "error_description").map(str::to_owned),
        }),
    };
    let from = sign_in::from(&peer);
    let came = come(&web, openid, &headers, &answer, from).await;
    // Nothing is used up: the same page, loaded again, may let in.
    let again = matches!(
        came,
        Err(Stopped::Failed(Failure::Busy) | Stopped::Refused(Refused::Locked(_)))
    );
    let response = match came {
        Ok((opened, to)) => {
            let page = SignedInPage {
                frame: Frame::nobody(&web),
                to: back(&to).unwrap_or("/").to_owned(),
            };
            let answer = render(StatusCode::OK, &page);
            with_cookie(answer, &session_cookie(&opened, web.secure))
        }
        Err(Stopped::Failed(failure)) => told(&web, &failure, "/").await,
        Err(Stopped::Refused(refused)) => match refusal(refused) {
            Ok((status, words)) => sign_in::shown(&web, status, "", "/", Some(words), None).await,
            Err(problem) => refuse(&web, None, &problem),
        },
    };
    match again {
        true => response,
        false => with_cookie(response, &no_away(web.secure)),
    }
}

/// Why nobody came in.
enum Stopped {
    Failed(Failure),
    Refused(Refused),
}

async fn come(
    web: &Web,
    openid: &OpenId,
    headers: &HeaderMap,
    answer: &Answer,
    from: Option<IpAddr>,
) -> Result<(Opened, String), Stopped> {
    let (door, held) = (&web.door, away(headers, web.secure));
    let finish = openid.finish(door.moment(), door.clock(), held.as_deref(), answer);
    let vouch = door.tried_from(from, Failure::counts, finish).await;
    let Vouch {
        name,
        role,
        sites,
        to,
    } = vouch.map_err(Stopped::Refused)?.map_err(|failure| {
        note(web, &failure, from);
        Stopped::Failed(failure)
    })?;
    match door.sign_in_as(&name, role, sites, from).await {
        Ok(opened) => Ok((opened, to)),
        Err(refused) => {
            failed(web, vec![show::clean(&name, 64)], from);
            Err(Stopped::Refused(refused))
        }
    }
}

/// What was refused, in the audit log: by name where the other party vouched for it. What began nowhere is counted and
/// no row: anyone can send it, and so many that real failures would go unwritten.
fn note(web: &Web, failure: &Failure, from: Option<IpAddr>) {
    let subjects = match failure {
        Failure::NotLetIn(name) => vec![show::clean(name, 64)],
        Failure::Told(_) | Failure::Strange(_) | Failure::Nameless => Vec::new(),
        Failure::Lost => {
            metrics::counter!("marque_collector_sign_in_total", "outcome" => "lost").increment(1);
            return;
        }
        Failure::Unreachable | Failure::Busy | Failure::NoRandom(_) => return,
    };
    failed(web, subjects, from);
}

fn failed(web: &Web, subjects: Vec<String>, from: Option<IpAddr>) {
    metrics::counter!("marque_collector_sign_in_total", "outcome" => "not_vouched").increment(1);
    let by = By {
        person: "nobody".to_owned(),
        from: crate::door::shown(from),
    };
    web.door.diary.failure(by, "vouching_failed", subjects);
}

async fn told(web: &Web, failure: &Failure, to: &str) -> Response {
    let status = match failure {
        Failure::Lost => StatusCode::GONE,
        Failure::NotLetIn(_) => StatusCode::FORBIDDEN,
        Failure::Told(_) | Failure::Strange(_) | Failure::Nameless => StatusCode::UNPROCESSABLE_ENTITY,
        Failure::Unreachable | Failure::Busy | Failure::NoRandom(_) => StatusCode::SERVICE_UNAVAILABLE,
    };
    let words = sentence(&show::clean(&failure.to_string(), WORDS));
    sign_in::shown(web, status, "", to, Some(words), None).await
}
