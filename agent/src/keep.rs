//! From reports to the spool: encodes them, in full or by digest, and makes
//! them durable, several with one flush.
//!
//! Invariants: a report leaves here only to the disk; in a full spool the newest
//! knowledge wins and a gap takes the place of the oldest; on a full disk reports
//! wait here and rounds wait for them, so that nothing that was asked is lost; what
//! went or cannot be kept is counted with its reason.

use crate::report::Report;
use crate::uplink::sameness::Sameness;
use backon::{BackoffBuilder as _, ExponentialBuilder};
use prost::bytes::Bytes;
use proto::v1::Completeness;
use spool::{AppendError, Spool, SpoolError};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32};
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Reports made durable with one flush at most.
const GROUP: usize = 128;
/// Pauses between two tries on a full disk. Each reads the spool's file as a whole.
const MIN_PAUSE: Duration = Duration::from_millis(500);
const MAX_PAUSE: Duration = Duration::from_secs(15);

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
    /// What the collector speaks; 0 until it said so.
    pub capability: Arc<AtomicU32>,
    /// Whether the collector keeps this agent out until somebody releases it.
    pub quarantined: Arc<AtomicBool>,
    /// The wall clock.
    pub clock: fn() -> SystemTime,
}

impl Shared {
    /// Around a spool, with nothing known of the collector yet.
    #[must_use]
    pub fn new(spool: Spool, clock: fn() -> SystemTime) -> Self {
        Self {
            spool: Arc::new(spool),
            same: Arc::default(),
            appended: Arc::default(),
            under_way: Arc::default(),
            capability: Arc::default(),
            quarantined: Arc::default(),
            clock,
        }
    }

    /// How long what waits has waited. Blocks on the disk.
    ///
    /// # Errors
    /// [`SpoolError`] when the file fails.
    pub fn ages(&self) -> Result<Ages, SpoolError> {
        let now = (self.clock)();
        let under_way = *self.under_way.borrow();
        let first = self.spool.first_sequence();
        let age = |sequence| Ok(self.spool.age(sequence, now)?.unwrap_or_default());
        Ok(Ages {
            oldest: age(first)?,
            unsent: age(first.max(under_way.sent.saturating_add(1)))?,
            unacked: under_way.since.map_or(Duration::ZERO, |since| since.elapsed()),
        })
    }
}

/// How long things have waited; nothing waits for no time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ages {
    /// The oldest in the spool.
    pub oldest: Duration,
    /// The oldest in the spool that was not sent in this session.
    pub unsent: Duration,
    /// The oldest that was sent and is not acknowledged, since it was sent.
    pub unacked: Duration,
}

/// What was sent and not yet acknowledged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UnderWay {
    /// When the oldest of it was sent.
    pub since: Option<Instant>,
    /// The last sequence that was sent; 0 without a session.
    pub sent: u64,
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

/// Keeps reports until no more come. After `ending` a full disk is no longer
/// waited for.
///
/// # Errors
/// [`KeepError`] when the spool fails; polling on would be for nothing then.
pub async fn keep(
    mut reports: mpsc::Receiver<Report>,
    shared: Shared,
    ending: CancellationToken,
) -> Result<(), KeepError> {
    let mut group = Vec::with_capacity(GROUP);
    // What had gone by then, and how full it was.
    let mut full_since: Option<(u64, u64)> = None;
    while reports.recv_many(&mut group, GROUP).await > 0 {
        let before = shared.spool.depth();
        append_with_patience(std::mem::take(&mut group), &shared, &ending).await?;
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
                full_since = Some((before.dropped, after.bytes));
                tracing::error!(
                    spool.bytes = after.bytes,
                    "spool is full, its oldest reports go and a gap is declared"
                );
            }
        } else if let Some((since, full)) = full_since
            // A large report that went leaves some room for small ones: that is not the end of it.
            && after.bytes < full - full / 10
        {
            full_since = None;
            let reports = after.dropped - since;
            tracing::warn!(reports, "spool has room again");
        }
    }
    Ok(())
}

/// Appends again and again until the disk has room for all.
async fn append_with_patience(
    mut group: Vec<Report>,
    shared: &Shared,
    ending: &CancellationToken,
) -> Result<(), KeepError> {
    let pauses = ExponentialBuilder::default()
        .with_min_delay(MIN_PAUSE)
        .with_max_delay(MAX_PAUSE)
        .without_max_times()
        .with_jitter()
        .build();
    let mut held = None;
    for pause in pauses {
        let Some(full) = append(&mut group, shared).await? else {
            if let Some(since) = held.map(|since: Instant| since.elapsed()) {
                metrics::gauge!("marque_agent_spool_no_room").set(0);
                tracing::warn!(
                    seconds = since.as_secs(),
                    "spool's disk has room again, polling goes on"
                );
            }
            break;
        };
        if held.is_none() {
            held = Some(Instant::now());
            metrics::gauge!("marque_agent_spool_no_room").set(1);
            metrics::counter!("marque_agent_spool_no_room_total").increment(1);
            let error = crate::uplink::chain(&*full);
            tracing::error!(error, "spool's disk has no room, polling waits for it");
        }
        if ending.is_cancelled() {
            let reports = group.len() as u64;
            metrics::counter!("marque_agent_report_dropped_total", "reason" => "no_room").increment(reports);
            tracing::error!(reports, "ending with reports that found no room");
            break;
        }
        let _ = timeout(pause.min(MAX_PAUSE), ending.cancelled()).await;
    }
    Ok(())
}

/// Appends what there is room for; the rest stays in the group, with the reason.
async fn append(group: &mut Vec<Report>, shared: &Shared) -> Result<Option<Arc<SpoolError>>, KeepError> {
    let (payloads, kinds): (Vec<Bytes>, Vec<&str>) =
        group.iter().map(|report| encode(report, &shared.same)).unzip();
    let spool = Arc::clone(&shared.spool);
    let results = tokio::task::spawn_blocking(move || spool.append_all(payloads))
        .await
        .map_err(|_| KeepError::Task)?;
    let (mut rest, mut full) = (Vec::new(), None);
    for ((report, kind), result) in std::mem::take(group).into_iter().zip(kinds).zip(results) {
        match result {
            Ok(sequence) => {
                metrics::counter!("marque_agent_report_total", "kind" => kind).increment(1);
                metrics::counter!("marque_agent_report_spooled_total").increment(1);
                tracing::debug!(
                    report.sequence = sequence,
                    target.address = %report.target,
                    evidence.digest = hex(&report.digest),
                    "report kept"
                );
                if report.completeness != Completeness::Unreachable {
                    shared.same.spooled(sequence, report.target, report.digest);
                }
            }
            Err(error @ AppendError::TooLarge(_)) => {
                metrics::counter!("marque_agent_report_dropped_total", "reason" => "too_large").increment(1);
                tracing::error!(target.address = %report.target, %error, "report cannot be kept");
            }
            Err(AppendError::Spool(error)) if matches!(*error, SpoolError::NoRoom { .. }) => {
                rest.push(report);
                full = Some(error);
            }
            Err(AppendError::Spool(error)) => return Err(KeepError::Spool(error)),
            Err(AppendError::Interrupted) => return Err(KeepError::Task),
        }
    }
    if full.is_some() {
        // A write that failed may have let old ones go before.
        shared.same.gone_before(shared.spool.depth().first_payload);
    }
    *group = rest;
    Ok(full)
}

fn hex(digest: &[u8]) -> String {
    digest.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// The payload, and how it goes: `full`, `digest` or `refreshed`.
fn encode(report: &Report, same: &Sameness) -> (Bytes, &'static str) {
    if report.refreshed {
        return (report.encode(false).into(), "refreshed");
    }
    // What nobody answered is small, and must not push out what the collector has.
    let unreachable = report.completeness == Completeness::Unreachable;
    let full = unreachable || !same.is_stored(report.target, &report.digest);
    (report.encode(full).into(), if full { "full" } else { "digest" })
}
