//! Renews the certificate while the agent runs.
//!
//! Invariants: a failure is said and tried again with growing, random pauses,
//! and ends nothing; the wall clock is looked at again and again, so that a
//! clock that jumps delays a renewal by a minute at most.

use super::{EnrolError, Enrolled, read, renew};
use crate::uplink::chain;
use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// The clock is looked at this often.
const LOOK: Duration = Duration::from_secs(60);
/// Pauses after failures.
const MIN_PAUSE: Duration = Duration::from_secs(1);
const MAX_PAUSE: Duration = Duration::from_secs(600);

/// What renewal needs.
#[derive(Debug)]
pub struct Renewal {
    /// `https://NAME:PORT`.
    pub collector: String,
    /// The identity file.
    pub identity: PathBuf,
    /// Told after each renewal.
    pub renewed: watch::Sender<u64>,
    /// The wall clock.
    pub clock: fn() -> SystemTime,
}

impl Renewal {
    /// Renews at two thirds of each certificate's life until cancelled.
    pub async fn run(self, stop: CancellationToken) {
        let mut pause = pauses();
        while !stop.is_cancelled() {
            let wait = match self.step().await {
                Ok(Step::Early(left)) => left.min(LOOK),
                Ok(Step::Renewed(enrolled)) => {
                    pause = pauses();
                    metrics::gauge!("marque_agent_certificate_not_after_seconds")
                        .set(precise(enrolled.not_after));
                    metrics::counter!("marque_agent_certificate_renewed_total").increment(1);
                    tracing::info!(agent.id = %enrolled.agent, certificate.not_after = enrolled.not_after, "certificate renewed");
                    self.renewed.send_modify(|count| *count += 1);
                    continue;
                }
                Err(error) => {
                    metrics::counter!("marque_agent_certificate_renewal_failed_total").increment(1);
                    self.say(&error).await;
                    pause.next().unwrap_or(MAX_PAUSE).min(MAX_PAUSE)
                }
            };
            let _ = timeout(wait, stop.cancelled()).await;
        }
    }

    async fn step(&self) -> Result<Step, EnrolError> {
        let validity = read(&self.identity).await?.validity()?;
        let left = validity.renew_at().saturating_sub(self.now());
        match u64::try_from(left) {
            Ok(left @ 1..) => Ok(Step::Early(Duration::from_secs(left))),
            _ => renew(&self.collector, &self.identity).await.map(Step::Renewed),
        }
    }

    async fn say(&self, error: &EnrolError) {
        let left = match read(&self.identity)
            .await
            .and_then(|bundle| Ok(bundle.validity()?))
        {
            Ok(validity) => validity.not_after.saturating_sub(self.now()),
            Err(_) => 0,
        };
        let causes = chain(error);
        if left > 0 {
            tracing::warn!(
                certificate.left_seconds = left,
                error = causes,
                "certificate not renewed"
            );
        } else if matches!(error, EnrolError::Refused(tonic::Code::PermissionDenied, _)) {
            tracing::error!(
                certificate.late_seconds = left.saturating_neg(),
                error = causes,
                "certificate has run out and the collector renews it no more: enrol this agent anew"
            );
        } else {
            tracing::warn!(
                certificate.late_seconds = left.saturating_neg(),
                error = causes,
                "certificate has run out and is not renewed yet"
            );
        }
    }

    /// Seconds since 1970.
    fn now(&self) -> i64 {
        let now = (self.clock)().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
    }
}

/// What a look at the certificate led to.
enum Step {
    /// It is not time yet.
    Early(Duration),
    /// Done.
    Renewed(Enrolled),
}

fn pauses() -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_min_delay(MIN_PAUSE)
        .with_max_delay(MAX_PAUSE)
        .without_max_times()
        .with_jitter()
        .build()
}

#[allow(clippy::cast_precision_loss, reason = "gauges are floating point")]
fn precise(seconds: i64) -> f64 {
    seconds as f64
}
