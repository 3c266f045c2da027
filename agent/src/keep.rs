//! From reports to the spool: encodes them, in full or by digest, and makes
//! them durable, several with one flush.
//!
//! Invariants: a report leaves here only to the disk; in a full spool the newest
//! knowledge wins and a gap takes the place of the oldest; what went or cannot be
//! kept is counted with its reason.

use crate::report::Report;
use crate::uplink::sameness::Sameness;
use prost::bytes::Bytes;
use proto::v1::Completeness;
use spool::{AppendError, Spool, SpoolError};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::{Notify, mpsc, watch};

/// Reports made durable with one flush at most.
const GROUP: usize = 128;

/// The spool and those who share it.
#[derive(Debug, Clone)]
pub struct Shared {
    /// The file.
    pub spool: Arc<Spool>,
    /// What the collector has.
    pub same: Arc<Sameness>,
    /// Told when something was appended.
    pub appended: Arc<Notify>,
    /// What the uplink waits for.
    pub under_way: Arc<watch::Sender<UnderWay>>,
}

impl Shared {
    /// Around a spool, with nothing known of the collector yet.
    #[must_use]
    pub fn new(spool: Spool) -> Self {
        Self {
            spool: Arc::new(spool),
            same: Arc::default(),
            appended: Arc::default(),
            under_way: Arc::default(),
        }
    }
}

/// What was sent and not yet acknowledged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UnderWay {
    /// When the oldest of it was sent.
    pub since: Option<Instant>,
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

/// Keeps reports until no more come.
///
/// # Errors
/// [`KeepError`] when the spool fails; polling on would be for nothing then.
pub async fn keep(mut reports: mpsc::Receiver<Report>, shared: Shared) -> Result<(), KeepError> {
    let mut group = Vec::with_capacity(GROUP);
    let mut full_since = None;
    while reports.recv_many(&mut group, GROUP).await > 0 {
        let before = shared.spool.depth();
        append(&group, &shared).await?;
        group.clear();
        shared.appended.notify_one();
        let after = shared.spool.depth();
        let dropped = after.dropped - before.dropped;
        if dropped > 0 {
            // What went will not be acknowledged as stored.
            shared.same.gone_before(after.first_payload);
            metrics::counter!("marque_agent_report_dropped_total", "reason" => "spool_full")
                .increment(dropped);
            metrics::counter!("marque_agent_spool_full_total").increment(1);
            if full_since.is_none() {
                full_since = Some(before.dropped);
                tracing::error!(
                    spool.bytes = after.bytes,
                    "spool is full, its oldest reports go and a gap is declared"
                );
            }
        } else if let Some(since) = full_since.take() {
            let reports = after.dropped - since;
            tracing::warn!(reports, "spool has room again");
        }
    }
    Ok(())
}

async fn append(group: &[Report], shared: &Shared) -> Result<(), KeepError> {
    let payloads: Vec<Bytes> = group.iter().map(|report| encode(report, &shared.same)).collect();
    let spool = Arc::clone(&shared.spool);
    let results = tokio::task::spawn_blocking(move || spool.append_all(payloads))
        .await
        .map_err(|_| KeepError::Task)?;
    for (report, result) in group.iter().zip(results) {
        match result {
            Ok(sequence) => {
                metrics::counter!("marque_agent_report_spooled_total").increment(1);
                if report.completeness != Completeness::Unreachable {
                    shared.same.spooled(sequence, report.target, report.digest);
                }
            }
            Err(error @ AppendError::TooLarge(_)) => {
                metrics::counter!("marque_agent_report_dropped_total", "reason" => "too_large").increment(1);
                tracing::error!(target.address = %report.target, %error, "report cannot be kept");
            }
            Err(AppendError::Spool(error)) => return Err(KeepError::Spool(error)),
            Err(AppendError::Interrupted) => return Err(KeepError::Task),
        }
    }
    Ok(())
}

fn encode(report: &Report, same: &Sameness) -> Bytes {
    // What nobody answered is small, and must not push out what the collector has.
    let unreachable = report.completeness == Completeness::Unreachable;
    let full = unreachable || !same.is_stored(report.target, &report.digest);
    let kind = if full { "full" } else { "digest" };
    metrics::counter!("marque_agent_report_total", "kind" => kind).increment(1);
    report.encode(full).into()
}
