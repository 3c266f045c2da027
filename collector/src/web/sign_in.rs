//! The door itself: signing in and out, and what a one-time link opens.
//!
//! Invariants: after signing in nobody is sent to another site; what was typed as a
//! password is never shown again; looking at a link does not use it, except a link that
//! signs in.

use super::access::by_program;
use super::arrive::{half, half_cookie, no_cookie, no_half, session_cookie, with_cookie};
use super::fields::Fields;
use super::page::{Frame, refuse, render};
use super::{Shared, Web, show};
use crate::api::Problem;
use crate::api::query::Query;
use crate::door::{self, Arrival, Entered, Pass, Refused};
use askama::Template;
use axum::extract::{ConnectInfo, Extension, Form, Query as Pairs, Request, State};
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Redirect, Response};
use std::net::{IpAddr, SocketAddr};
use store::accounts::LinkKind;

/// Where a request comes from.
pub type Peer = Option<Extension<ConnectInfo<SocketAddr>>>;
type Who = Option<Extension<Arrival>>;
type Sent = Form<Vec<(String, String)>>;

/// Longest path to go back to.
const BACK: usize = 1_024;

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    frame: Frame,
    name: String,
    to: String,
    refused: Option<String>,
    /// Whether there is no account yet.
    bare: bool,
    /// Whether the browser may hold a session it did not show, coming from another site.
    bounce: Option<String>,
    /// Where another party vouches for people: words of the button and its link.
    openid: Option<(String, String)>,
}

#[derive(Template)]
#[template(path = "sign_in_code.html")]
struct CodePage {
    frame: Frame,
    refused: Option<String>,
}

#[derive(Template)]
#[template(path = "set_up.html")]
struct LinkPage {
    frame: Frame,
    token: String,
    /// Whose password it sets; [`None`] for the first account.
    whose: Option<String>,
    name: String,
    refused: Option<String>,
}

/// What nobody is told: the way to the door, or that a program has to show something.
pub fn nobody(request: &Request) -> Response {
    if by_program(request) {
        let mut response = Problem::NotSignedIn.into_response();
        let scheme = HeaderValue::from_static("Bearer");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        return response;
    }
    let asked = request.uri().path_and_query().map_or("/", |asked| asked.as_str());
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let link = match back(asked) {
        Some(to) if reads && to != "/" => Query::of(&[("to", to)]).link("/sign-in"),
        _ => "/sign-in".to_owned(),
    };
    Redirect::to(&link).into_response()
}

/// A path of this site; [`None`] for what could lead elsewhere.
#[must_use]
pub fn back(to: &str) -> Option<&str> {
    let plain = to.len() <= BACK && to.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    let inside = to.starts_with('/') && !to.starts_with("//") && !to.starts_with("/sign-");
    let uri = to.parse::<Uri>().ok()?;
    (plain && inside && uri.authority().is_none() && uri.scheme().is_none()).then_some(to)
}

/// `/sign-in`
pub async fn page(
    State(web): Shared,
    who: Who,
    headers: HeaderMap,
    Pairs(pairs): Pairs<Vec<(String, String)>>,
) -> Response {
    let to = pairs.iter().find(|(key, _)| key == "to");
    let to = to.and_then(|(_, to)| back(to)).unwrap_or("/");
    if who.is_some_and(|Extension(who)| matches!(*who.pass, Pass::Session { .. })) {
        return Redirect::to(to).into_response();
    }
    // A strict cookie does not come along a link of another site; it does when this page asks again by itself.
    let strange = headers
        .get("sec-fetch-site")
        .is_some_and(|site| site == "cross-site");
    let bounce = strange.then(|| Query::of(&[("to", to)]).link("/sign-in"));
    shown(&web, StatusCode::OK, "", to, None, bounce).await
}

/// The page to sign in on; `refused` in words that are shown.
pub async fn shown(
    web: &Web,
    status: StatusCode,
    name: &str,
    to: &str,
    refused: Option<String>,
    bounce: Option<String>,
) -> Response {
    let bare = match web.door.store().accounts().await {
        Ok(accounts) => accounts.is_empty(),
        Err(error) => return refuse(web, None, &Problem::Store(error)),
    };
    let page = SignInPage {
        frame: Frame::nobody(web),
        name: show::clean(name, 64),
        to: to.to_owned(),
        refused,
        bare,
        bounce,
        openid: web.openid.as_ref().map(|openid| {
            let pairs = if to == "/" { Vec::new() } else { vec![("to", to)] };
            (
                show::clean(&openid.button, 64),
                Query::of(&pairs).link("/sign-in/openid"),
            )
        }),
    };
    render(status, &page)
}

/// The address of whoever asks.
#[must_use]
pub fn from(peer: &Peer) -> Option<IpAddr> {
    peer.as_ref()
        .map(|Extension(ConnectInfo(address))| address.ip().to_canonical())
}

/// Status and words of a refusal; a store that does not answer is the other kind.
fn words(refused: Refused) -> Result<(StatusCode, String), Problem> {
    let status = match refused {
        Refused::Store(error) => return Err(Problem::Store(error)),
        Refused::Locked(_) => StatusCode::TOO_MANY_REQUESTS,
        Refused::Busy | Refused::NoRandom(_) => StatusCode::SERVICE_UNAVAILABLE,
        Refused::DeadLink | Refused::Late => StatusCode::GONE,
        Refused::Wrong | Refused::Code | Refused::Name(_) | Refused::Password(_) => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
    };
    Ok((status, sentence(&refused.to_string())))
}

/// Words as a sentence.
#[must_use]
pub fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    format!("{}{}.", first.unwrap_or_default(), letters.as_str())
}

/// In, or on to the second step.
fn enter_by(web: &Web, entered: &Entered, to: &str) -> Response {
    match entered {
        Entered::In(opened) => with_cookie(Redirect::to(to), &session_cookie(opened, web.secure)),
        Entered::Half(half) => with_cookie(Redirect::to("/sign-in/code"), &half_cookie(half, web.secure)),
    }
}

/// `POST /sign-in`
pub async fn sign_in(State(web): Shared, peer: Peer, Form(pairs): Sent) -> Response {
    let fields = match Fields::read(pairs) {
        Ok(fields) => fields,
        Err(problem) => return refuse(&web, None, &problem),
    };
    let to = back(fields.one("to")).unwrap_or("/");
    let name = fields.one("name");
    let password = fields.one("password");
    match web.door.sign_in(name, password, from(&peer), to).await {
        Ok(entered) => enter_by(&web, &entered, to),
        Err(refused) => match words(refused) {
            Ok((status, words)) => shown(&web, status, name, to, Some(words), None).await,
            Err(problem) => refuse(&web, None, &problem),
        },
    }
}

/// `/sign-in/code`: the second step.
pub async fn code_page(State(web): Shared, headers: HeaderMap) -> Response {
    match half(&headers, web.secure) {
        Some(half) if web.door.is_between(&half) => code_form(&web, StatusCode::OK, None),
        _ => Redirect::to("/sign-in").into_response(),
    }
}

fn code_form(web: &Web, status: StatusCode, refused: Option<String>) -> Response {
    let page = CodePage {
        frame: Frame::nobody(web),
        refused,
    };
    render(status, &page)
}

/// `POST /sign-in/code`
pub async fn code(State(web): Shared, peer: Peer, headers: HeaderMap, Form(pairs): Sent) -> Response {
    let fields = match Fields::read(pairs) {
        Ok(fields) => fields,
        Err(problem) => return refuse(&web, None, &problem),
    };
    let half = half(&headers, web.secure).unwrap_or_default();
    match web.door.second_step(&half, fields.one("code"), from(&peer)).await {
        Ok((opened, to)) => {
            let to = back(&to).unwrap_or("/");
            let response = with_cookie(Redirect::to(to), &session_cookie(&opened, web.secure));
            with_cookie(response, &no_half(web.secure))
        }
        Err(Refused::Late) => {
            let words = Some(sentence(&Refused::Late.to_string()));
            let again = shown(&web, StatusCode::GONE, "", "/", words, None).await;
            with_cookie(again, &no_half(web.secure))
        }
        Err(refused) => match words(refused) {
            Ok((status, words)) => code_form(&web, status, Some(words)),
            Err(problem) => refuse(&web, None, &problem),
        },
    }
}

/// `POST /sign-out`
pub async fn sign_out(State(web): Shared, who: Who, peer: Peer) -> Response {
    if let Some(Extension(who)) = who
        && let Pass::Session { session, .. } = *who.pass
    {
        let by = door::by(&who.person, from(&peer));
        if let Err(error) = web.door.end_session(session, &by, "sign_out").await {
            return refuse(&web, Some(who.person), &Problem::Store(error));
        }
    }
    // Whoever comes to this screen next sees nothing by going back (Clear Site Data, 3.1).
    let mut response = with_cookie(Redirect::to("/sign-in"), &no_cookie(web.secure));
    let cache = HeaderValue::from_static("\"cache\"");
    response.headers_mut().insert("clear-site-data", cache);
    response
}

fn token(pairs: &[(String, String)]) -> &str {
    pairs
        .iter()
        .find(|(key, _)| key == "token")
        .map_or("", |(_, token)| token.as_str())
}

/// `/enter?token=…`: a session by a link.
pub async fn enter(
    State(web): Shared,
    method: Method,
    peer: Peer,
    Pairs(pairs): Pairs<Vec<(String, String)>>,
) -> Response {
    if method != Method::GET {
        return StatusCode::NO_CONTENT.into_response();
    }
    match web.door.enter(token(&pairs), from(&peer)).await {
        Ok(entered) => enter_by(&web, &entered, "/"),
        Err(refused) => dead(&web, refused),
    }
}

/// The page of a link that opens nothing.
fn dead(web: &Web, refused: Refused) -> Response {
    match words(refused) {
        Ok((status, words)) => {
            let page = LinkPage {
                frame: Frame::nobody(web),
                token: String::new(),
                whose: None,
                name: String::new(),
                refused: Some(words),
            };
            render(status, &page)
        }
        Err(problem) => refuse(web, None, &problem),
    }
}

/// `/set-up?token=…`: the first account, or a new password.
pub async fn link_page(State(web): Shared, Pairs(pairs): Pairs<Vec<(String, String)>>) -> Response {
    form(&web, token(&pairs), "", None).await
}

async fn form(web: &Web, token: &str, name: &str, refused: Option<(StatusCode, String)>) -> Response {
    let whose = match web.door.look_at(token).await {
        Ok((LinkKind::SetUp, _)) => None,
        Ok((LinkKind::Password, Some(account))) => Some(account.name),
        Ok(_) => return dead(web, Refused::DeadLink),
        Err(refused) => return dead(web, refused),
    };
    let (status, refused) = refused.unzip();
    let page = LinkPage {
        frame: Frame::nobody(web),
        token: token.to_owned(),
        whose,
        name: show::clean(name, 64),
        refused,
    };
    render(status.unwrap_or(StatusCode::OK), &page)
}

/// `POST /set-up`
pub async fn use_link(State(web): Shared, peer: Peer, Form(pairs): Sent) -> Response {
    let fields = match Fields::read(pairs) {
        Ok(fields) => fields,
        Err(problem) => return refuse(&web, None, &problem),
    };
    let (token, name, password) = (fields.one("token"), fields.one("name"), fields.one("password"));
    let done = if password != fields.one("again") {
        Err(Refused::Password("the two passwords are not the same"))
    } else {
        match web.door.look_at(token).await {
            Ok((LinkKind::SetUp, _)) => {
                let made = web.door.set_up(token, name, password, from(&peer)).await;
                made.map(Entered::In)
            }
            Ok((LinkKind::Password, _)) => web.door.new_password(token, password, from(&peer)).await,
            Ok((LinkKind::SignIn, _)) => Err(Refused::DeadLink),
            Err(refused) => Err(refused),
        }
    };
    match done {
        Ok(entered) => enter_by(&web, &entered, "/"),
        Err(refused) => match words(refused) {
            Ok(refused) => form(&web, token, name, Some(refused)).await,
            Err(problem) => refuse(&web, None, &problem),
        },
    }
}

/// The words of a refusal for a form of whoever is signed in.
///
/// # Errors
/// [`Problem::Store`] when the store did not answer.
pub fn refusal(refused: Refused) -> Result<(StatusCode, String), Problem> {
    words(refused)
}

#[cfg(test)]
mod tests {
    use super::back;

    #[test]
    fn nobody_is_sent_elsewhere() {
        for good in ["/", "/findings", "/findings?site=a&x=%2F", "/elements/1#x"] {
            assert_eq!(back(good), Some(good), "{good}");
        }
        for bad in [
            "",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example/",
            "javascript:alert(1)",
            "findings",
            "/a b",
            "/a\r\nset-cookie: x",
            "/sign-in",
            "/sign-out",
            "/é",
            &format!("/{}", "a".repeat(2_000)),
        ] {
            assert_eq!(back(bad), None, "{bad}");
        }
    }
}
