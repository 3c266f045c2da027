//! Style, script and icon, built into the program and named by their content.
//!
//! Invariant: a link carries the hash of what it points at, so that a browser may
//! keep it for ever and never shows an old one.

use axum::extract::{Path, RawQuery};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::hash::{DefaultHasher, Hasher};
use std::sync::LazyLock;

struct Asset {
    name: &'static str,
    kind: &'static str,
    body: &'static str,
    hash: String,
}

static ASSETS: LazyLock<[Asset; 3]> = LazyLock::new(|| {
    [
        Asset::new(
            "marque.css",
            "text/css; charset=utf-8",
            include_str!("../../assets/marque.css"),
        ),
        Asset::new(
            "marque.js",
            "text/javascript; charset=utf-8",
            include_str!("../../assets/marque.js"),
        ),
        Asset::new("icon.svg", "image/svg+xml", include_str!("../../assets/icon.svg")),
    ]
});

impl Asset {
    fn new(name: &'static str, kind: &'static str, body: &'static str) -> Self {
        let mut hasher = DefaultHasher::new();
        hasher.write(body.as_bytes());
        Self {
            name,
            kind,
            body,
            hash: format!("{:016x}", hasher.finish()),
        }
    }
}

/// The link of an asset, with the hash of its content.
#[must_use]
pub fn link(name: &str) -> String {
    let hash = ASSETS
        .iter()
        .find(|asset| asset.name == name)
        .map_or("", |asset| asset.hash.as_str());
    format!("/assets/{name}?v={hash}")
}

/// Serves one of them.
pub async fn asset(Path(name): Path<String>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let Some(asset) = ASSETS.iter().find(|asset| asset.name == name) else {
        return (StatusCode::NOT_FOUND, "no such asset\n").into_response();
    };
    let etag = format!("\"{}\"", asset.hash);
    let named = query
        .and_then(|query| query.strip_prefix("v=").map(|hash| hash == asset.hash))
        .unwrap_or(false);
    let keep = if named {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let known = headers
        .get(header::IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok());
    let about = [
        (header::ETAG, etag.clone()),
        (header::CACHE_CONTROL, keep.to_owned()),
    ];
    if known.is_some_and(|tags| {
        tags.split(',')
            .any(|tag| tag.trim().trim_start_matches("W/") == etag)
    }) {
        return (StatusCode::NOT_MODIFIED, about).into_response();
    }
    (about, [(header::CONTENT_TYPE, asset.kind)], asset.body).into_response()
}
