//! Metrics and health over HTTP, for this machine's own eyes.
//!
//! Invariant: nothing served here was said by an element, and no secret is.

use crate::keep::Shared;
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Begins to count; a second call in one process counts for nobody.
#[must_use]
pub fn record() -> PrometheusHandle {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    let _ = metrics::set_global_recorder(recorder);
    handle
}

/// Serves until cancelled.
///
/// # Errors
/// Those of the listener.
pub async fn serve(
    listener: TcpListener,
    metrics: PrometheusHandle,
    shared: Shared,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let app = Router::new()
        .route("/metrics", get(render))
        .route("/healthz", get(|| async { "ok\n" }))
        .with_state((metrics, shared));
    axum::serve(listener, app)
        .with_graceful_shutdown(stop.cancelled_owned())
        .await
}

async fn render(State((metrics, shared)): State<(PrometheusHandle, Shared)>) -> String {
    let spool = Arc::clone(&shared.spool);
    let depth = spool.depth();
    metrics::gauge!("marque_agent_spool_reports").set(depth.waiting as f64);
    metrics::gauge!("marque_agent_spool_bytes").set(depth.bytes as f64);
    let since = shared.under_way.borrow().since;
    let seconds = since.map_or(0.0, |since| since.elapsed().as_secs_f64());
    metrics::gauge!("marque_agent_uplink_unacked_oldest_seconds").set(seconds);
    let age = tokio::task::spawn_blocking(move || spool.oldest_age((shared.clock)())).await;
    if let Ok(Ok(age)) = age {
        let seconds = age.unwrap_or_default().as_secs_f64();
        metrics::gauge!("marque_agent_spool_oldest_seconds").set(seconds);
    }
    metrics.run_upkeep();
    metrics.render()
}
