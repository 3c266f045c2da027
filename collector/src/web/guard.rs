//! What holds for every response: who may be asked for, and what a browser may do with the answer.
//!
//! Invariants: while only this machine can reach us, only its own names are
//! answered (a page of a stranger cannot rebind its name to us); no response
//! leaves without the content security policy; a browser keeps no page, so that
//! whoever signs out at a shared desk leaves none behind on the way back.

use super::Shared;
use axum::extract::{Request, State};
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// Nothing from elsewhere, nothing inline, in nobody's frame.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// A year (RFC 6797, 6.1).
const STRICT: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Where no referrer is told at all, a browser sends `Origin: null` with a form (Fetch, 3.2), and one that tells no
/// `Sec-Fetch-Site` (in the clear, or an old one) would have its own forms refused as a stranger's. To others nothing is
/// told.
const HEADERS: [(&str, &str); 6] = [
    ("content-security-policy", CONTENT_SECURITY_POLICY),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    (
        "permissions-policy",
        "camera=(), microphone=(), geolocation=(), payment=(), usb=(), display-capture=()",
    ),
];

/// Refuses strange hosts and adds the headers.
pub async fn guard(State(web): Shared, request: Request, next: Next) -> Response {
    // What a form answers may be gone back to: without it a browser asks whether to send the form again.
    let kept = match *request.method() {
        Method::GET | Method::HEAD => "no-store",
        _ => "private, no-cache",
    };
    let mut response = if web.loopback_only && !is_loopback(request.uri(), request.headers()) {
        let words =
            "this collector listens on loopback only and answers only to localhost, 127.0.0.1 and [::1]\n";
        (StatusCode::MISDIRECTED_REQUEST, words).into_response()
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    if web.strict {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, STRICT);
    }
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static(kept));
    response
}

fn is_loopback(uri: &Uri, headers: &HeaderMap) -> bool {
    let named = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let hosts: Vec<_> = named
        .into_iter()
        .chain(uri.authority().map(|a| a.as_str()))
        .collect();
    headers.get_all(header::HOST).iter().count() <= 1
        && !hosts.is_empty()
        && hosts.into_iter().all(is_loopback_name)
}

/// `localhost` or a literal address of loopback, with or without a port.
fn is_loopback_name(host: &str) -> bool {
    let Ok(authority) = host.parse::<axum::http::uri::Authority>() else {
        return false;
    };
    let name = authority.host();
    let port = authority.as_str().strip_prefix(name);
    if !port.is_some_and(|p| p.is_empty() || p.strip_prefix(':').is_some_and(|p| p.parse::<u16>().is_ok())) {
        return false;
    }
    let literal = name
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(name);
    name.eq_ignore_ascii_case("localhost")
        || literal
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::is_loopback_name;

    #[test]
    fn only_names_of_this_machine() {
        for good in [
            "localhost",
            "LocalHost:8080",
            "127.0.0.1",
            "127.0.0.1:80",
            "[::1]",
            "[::1]:8080",
            "127.0.0.2:80",
        ] {
            assert!(is_loopback_name(good), "{good}");
        }
        for bad in [
            "",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.nip.io",
            "localhost:x",
            "10.0.0.1",
            "a@localhost",
            "[::2]",
            "é",
        ] {
            assert!(!is_loopback_name(bad), "{bad}");
        }
    }
}
