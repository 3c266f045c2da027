//! Metrics and health over HTTP, for this machine's own eyes.
//!
//! Invariant: nothing served here was said by an element, and no secret is.

use crate::keep::Shared;
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
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
    let depth = shared.spool.depth();
    metrics::gauge!("marque_agent_spool_reports").set(depth.waiting as f64);
    metrics::gauge!("marque_agent_spool_bytes").set(depth.bytes as f64);
    if let Ok(Ok(ages)) = tokio::task::spawn_blocking(move || shared.ages()).await {
        metrics::gauge!("marque_agent_spool_oldest_seconds").set(ages.oldest.as_secs_f64());
        metrics::gauge!("marque_agent_spool_unsent_oldest_seconds").set(ages.unsent.as_secs_f64());
        metrics::gauge!("marque_agent_uplink_unacked_oldest_seconds").set(ages.unacked.as_secs_f64());
    }
    metrics.run_upkeep();
    metrics.render()
}
