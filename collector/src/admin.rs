//! Logging, metrics, and errors as one line.

use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};
use model::Instant;
use std::io::IsTerminal as _;
use std::sync::Arc;
use std::time::Duration;
use store::Store;
use store::plans::PlanState;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// How often gauges are refreshed.
const REFRESH: Duration = Duration::from_secs(10);

/// The error and everything behind it, on one line.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string().replace('\n', " ");
    let mut source = error.source();
    while let Some(inner) = source {
        text.push_str(": ");
        text.push_str(&inner.to_string().replace('\n', " "));
        source = inner.source();
    }
    text
}

/// Logs to standard error; `MARQUE_LOG` filters. A second call in a process changes nothing.
pub fn log_to_stderr() {
    let filter = EnvFilter::try_from_env("MARQUE_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        // A closed standard error must not end the program.
        .log_internal_errors(false)
        .try_init();
}

/// Installs the metrics recorder of this process.
///
/// # Errors
/// When there is one already.
pub fn metrics() -> Result<PrometheusHandle, BuildError> {
    PrometheusBuilder::new().install_recorder()
}

/// Publishes what only the store knows: counts, and the age of the oldest waiting item of each stage.
pub async fn publish(
    store: Arc<dyn Store>,
    clock: fn() -> Instant,
    handle: PrometheusHandle,
    stop: CancellationToken,
) {
    loop {
        match store.overview().await {
            Ok(overview) => gauges(&overview, clock()),
            Err(error) => tracing::warn!(error = chain(&error), "gauges not refreshed"),
        }
        handle.run_upkeep();
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(REFRESH) => {}
        }
    }
}

// Gauges are floating point; counts of this size lose nothing that matters.
#[allow(clippy::cast_precision_loss, reason = "gauges are floating point")]
fn gauges(overview: &store::view::Overview, now: Instant) {
    metrics::gauge!("marque_collector_elements").set(overview.elements as f64);
    metrics::gauge!("marque_collector_elements_reached").set(overview.reached as f64);
    metrics::gauge!("marque_collector_elements_identified").set(overview.identified as f64);
    metrics::gauge!("marque_collector_reports_lost").set(overview.lost as f64);
    metrics::gauge!("marque_collector_gaps").set(overview.gaps as f64);
    metrics::gauge!("marque_collector_gap_sequences").set(overview.gap_sequences as f64);
    for (stage, backlog) in [
        ("identify", &overview.unidentified),
        ("evaluate", &overview.unevaluated),
        ("alert", &overview.untold),
    ] {
        let age = backlog.oldest.map_or(0, |since| now.seconds_since(since));
        metrics::gauge!("marque_collector_stage_waiting", "stage" => stage).set(backlog.count as f64);
        metrics::gauge!("marque_collector_stage_oldest_seconds", "stage" => stage).set(age as f64);
    }
    let refused = overview
        .agents
        .iter()
        .filter(|agent| matches!(agent.plan, PlanState::Refused { .. }) && agent.revoked.is_none())
        .count();
    metrics::gauge!("marque_collector_plans_refused").set(refused as f64);
    let held = overview
        .agents
        .iter()
        .filter(|agent| agent.quarantined.is_some() && agent.revoked.is_none())
        .count();
    metrics::gauge!("marque_collector_agents_quarantined").set(held as f64);
    for agent in &overview.agents {
        // Whoever is kept out is silent on purpose; what waits at one that was shut out for good is nobody's.
        let counts = agent.revoked.is_none();
        let silent = match agent.is_kept_out() {
            true => 0,
            false => now.seconds_since(agent.last_seen),
        };
        metrics::gauge!("marque_collector_agent_silent_seconds", "agent" => agent.agent.to_string())
            .set(silent as f64);
        if let Some(mut spool) = agent.spool {
            if !counts {
                (spool.waiting, spool.oldest, spool.no_room) = (0, None, None);
            }
            let age = spool.oldest.map_or(0, |at| now.seconds_since(at));
            metrics::gauge!("marque_collector_agent_spool_reports", "agent" => agent.agent.to_string())
                .set(spool.waiting as f64);
            metrics::gauge!("marque_collector_agent_spool_oldest_seconds", "agent" => agent.agent.to_string())
                .set(age as f64);
            metrics::gauge!("marque_collector_agent_spool_no_room", "agent" => agent.agent.to_string())
                .set(if spool.no_room.is_some() { 1.0 } else { 0.0 });
        }
    }
    for severity in &overview.severities {
        metrics::gauge!("marque_collector_findings_open", "severity" => severity.word.clone())
            .set(severity.count as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_is_one_line() {
        assert_eq!(chain(&std::io::Error::other("disk\nis full")), "disk is full");
        let wrapped = crate::enrol::EnrolError::File {
            path: "f".into(),
            source: std::io::Error::other("a\nb"),
        };
        assert_eq!(chain(&wrapped), "f: cannot be read or written: a b");
    }
}
