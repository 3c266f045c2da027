//! The live stream: tells open pages that there is something new, not what.
//!
//! Invariants: an event at least every [`BEAT`], so that a page can tell silence
//! from a dead line; at most [`MOST_STREAMS`] at once; all end at shutdown, and each
//! after [`LONGEST`], so that whoever was shut out has no stream for long.

use super::Web;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::StreamExt;
use futures_util::stream;
use serde_json::json;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// The longest silence of a healthy stream.
pub const BEAT: Duration = Duration::from_secs(5);
/// A stream lasts no longer; browsers open another by themselves.
pub const LONGEST: Duration = Duration::from_secs(300);
/// Streams open at once; further pages stay as they are and say so.
pub const MOST_STREAMS: usize = 512;

#[derive(Clone)]
struct Live {
    web: Arc<Web>,
    places: Arc<Semaphore>,
}

/// The route `/live`.
pub fn router<S: Clone + Send + Sync + 'static>(web: Arc<Web>) -> axum::Router<S> {
    let live = Live {
        web,
        places: Arc::new(Semaphore::new(MOST_STREAMS)),
    };
    axum::Router::new()
        .route("/live", get(stream_revisions))
        .with_state(live)
}

async fn stream_revisions(State(live): State<Live>) -> Response {
    let Ok(place) = live.places.try_acquire_owned() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many live pages are open\n").into_response();
    };
    let Live { web, .. } = live;
    let clock = web.clock;
    let mut revision = web.store.revision();
    revision.mark_changed();
    let events = stream::unfold((revision, place), move |(mut revision, place)| async move {
        // A beat without change repeats the number; a store that is gone ends the stream.
        if let Ok(Err(_)) = tokio::time::timeout(BEAT, revision.changed()).await {
            return None;
        }
        let number = *revision.borrow_and_update();
        let data = json!({"revision": number, "at": clock().to_string()}).to_string();
        Some((
            Ok::<_, Infallible>(Event::default().event("revision").data(data)),
            (revision, place),
        ))
    });
    let ended = web.shutdown.clone().cancelled_owned();
    let over = async move {
        let _either = tokio::time::timeout(LONGEST, ended).await;
    };
    Sse::new(events.take_until(over)).into_response()
}
