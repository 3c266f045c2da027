//! From reports to the spool: encodes them, in full or by digest, and makes
//! them durable, several with one flush.
//!
//! Invariants: a report leaves here only to the disk; a full spool makes the
//! reports wait, and with them the rounds that made them; what cannot be kept is
//! counted with its reason.

use crate::report::Report;
use crate::uplink::sameness::Sameness;
use prost::bytes::Bytes;
use proto::v1::Completeness;
use spool::{AppendError, Spool, SpoolError};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

/// Reports made durable with one flush at most.
const GROUP: usize = 128;
/// How often a full spool is looked at again without being told.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The spool and those who share it.
#[derive(Debug, Clone)]
pub struct Shared {
    /// The file.
    pub spool: Arc<Spool>,
    /// What the collector has.
    pub same: Arc<Sameness>,
    /// Told when something was appended.
    pub appended: Arc<Notify>,
    /// Told when something was acknowledged.
    pub space: Arc<Notify>,
}

/// Why no more reports can be kept.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// The disk or the file failed.
    #[error("the spool failed")]
    Spool(#[source] Arc<SpoolError>),
    /// A bug.
    #[error("writing to the spool ended by itself")]
    Task,
}

/// Keeps reports until no more come, or until `stop` finds the spool full.
///
/// # Errors
/// [`KeepError`] when the spool fails; polling on would be for nothing then.
pub async fn keep(
    mut reports: mpsc::Receiver<Report>,
    shared: Shared,
    stop: CancellationToken,
) -> Result<(), KeepError> {
    let mut group = Vec::with_capacity(GROUP);
    let mut full = false;
    while !group.is_empty() || reports.recv_many(&mut group, GROUP).await > 0 {
        let refused = append(&group, &shared).await?;
        metrics::counter!("marque_agent_report_spooled_total")
            .increment((group.len() - refused.len()) as u64);
        let before = group.len();
        let mut at = 0..;
        group.retain(|_| at.next().is_some_and(|at| refused.contains(&at)));
        if group.len() < before {
            shared.appended.notify_one();
        }
        if group.is_empty() {
            if std::mem::take(&mut full) {
                tracing::info!("spool has room again");
            }
            continue;
        }
        metrics::counter!("marque_agent_spool_full_total").increment(1);
        if !std::mem::replace(&mut full, true) {
            tracing::warn!(
                spool.bytes = shared.spool.bytes_used(),
                "spool is full, polling waits"
            );
        }
        tokio::select! {
            () = shared.space.notified() => {}
            () = tokio::time::sleep(LOOK_AGAIN) => {}
            () = stop.cancelled() => {
                let lost = group.len() + reports.len();
                metrics::counter!("marque_agent_report_dropped_total", "reason" => "full_at_end")
                    .increment(lost as u64);
                tracing::warn!(reports = lost, "ending with a full spool, these rounds were not kept");
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Which of the reports found the spool full.
async fn append(group: &[Report], shared: &Shared) -> Result<Vec<usize>, KeepError> {
    let payloads: Vec<Bytes> = group.iter().map(|report| encode(report, &shared.same)).collect();
    let spool = Arc::clone(&shared.spool);
    let results = tokio::task::spawn_blocking(move || spool.append_all(payloads))
        .await
        .map_err(|_| KeepError::Task)?;
    let mut refused = Vec::new();
    for (at, (report, result)) in group.iter().zip(results).enumerate() {
        match result {
            Ok(sequence) if report.completeness != Completeness::Unreachable => {
                shared.same.spooled(sequence, report.target, report.digest);
            }
            Ok(_) => {}
            Err(AppendError::Full) => refused.push(at),
            Err(error @ AppendError::TooLarge(_)) => {
                metrics::counter!("marque_agent_report_dropped_total", "reason" => "too_large").increment(1);
                tracing::error!(target.address = %report.target, %error, "report cannot be kept");
            }
            Err(AppendError::Spool(error)) => return Err(KeepError::Spool(error)),
        }
    }
    Ok(refused)
}

fn encode(report: &Report, same: &Sameness) -> Bytes {
    // What nobody answered is small, and must not push out what the collector has.
    let unreachable = report.completeness == Completeness::Unreachable;
    let full = unreachable || !same.is_stored(report.target, &report.digest);
    let kind = if full { "full" } else { "digest" };
    metrics::counter!("marque_agent_report_total", "kind" => kind).increment(1);
    report.encode(full).into()
}
