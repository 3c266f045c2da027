//! From what waits for a route to its receiver: one task for each route.
//!
//! Invariants: what was not taken is tried again, later and later, and nothing behind it goes before it; what was taken
//! is ended in the store before the next goes, so that a stop in between can only send the same again; one alert that a
//! receiver refuses for what it is does not hold up the rest: it is looked for by halves, tried a few times alone, and
//! given up where people see it.

use super::{Failure, Message, Route};
use crate::admin;
use backon::{BackoffBuilder as _, ExponentialBuilder};
use model::Instant;
use std::sync::Arc;
use std::time::Duration;
use store::alerts::WaitingAlert;
use store::{Alerts, StoreError};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The first pause after a try in vain.
const MIN_PAUSE: Duration = Duration::from_secs(1);
/// The longest.
const MAX_PAUSE: Duration = Duration::from_secs(300);
/// So often one alert alone is refused before it is given up.
const REFUSALS: u32 = 3;
/// How long to sleep when nothing wakes us.
const TICK: Duration = Duration::from_secs(5);

/// Counts what became of alerts of a route.
pub fn count(route: &str, outcome: &'static str, alerts: u64) {
    metrics::counter!("marque_collector_alerts_total", "route" => route.to_owned(), "outcome" => outcome)
        .increment(alerts);
}

/// Tells one route.
pub struct Courier {
    /// What waits.
    pub alerts: Arc<dyn Alerts>,
    /// Who is told.
    pub route: Arc<Route>,
    /// The wall clock.
    pub clock: fn() -> Instant,
    /// Goes up when something was queued.
    pub queued: watch::Receiver<u64>,
}

/// What came of one look.
pub(super) enum Looked {
    /// Something was delivered: look again.
    Delivered,
    /// Something was refused: look again, at less.
    Again,
    /// Nothing waits, or not for long enough.
    Rest(Duration),
    /// It was not taken.
    Failed,
}

/// What came of one call.
enum Sent {
    /// It was taken.
    Taken,
    /// It was not.
    Failed,
    /// It never will be.
    Refused(Failure),
}

/// What a receiver refused of late.
pub(super) struct Refusing {
    /// How many it is sent at once.
    most: usize,
    /// The one that was sent alone.
    place: u64,
    /// How often that was refused.
    times: u32,
}

impl Default for Refusing {
    fn default() -> Self {
        Self {
            most: usize::MAX,
            place: 0,
            times: 0,
        }
    }
}

impl Courier {
    /// Works until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        let pauses = || {
            ExponentialBuilder::default()
                .with_min_delay(MIN_PAUSE)
                .with_max_delay(MAX_PAUSE)
                .without_max_times()
                .with_jitter()
                .build()
        };
        let mut pause = pauses();
        let mut refusing = Refusing::default();
        loop {
            let looked = tokio::select! {
                () = stop.cancelled() => return,
                looked = self.look(&mut refusing) => looked,
            };
            let rest = match looked {
                Ok(Looked::Delivered) => {
                    pause = pauses();
                    continue;
                }
                // What is refused for ever must not be asked again at once for each that waits: the pause stays.
                Ok(Looked::Again) => continue,
                Ok(Looked::Rest(rest)) => {
                    tokio::select! {
                        () = stop.cancelled() => return,
                        changed = self.queued.changed() => if changed.is_err() { return },
                        () = tokio::time::sleep(rest) => {}
                    }
                    continue;
                }
                Ok(Looked::Failed) => pause.next().unwrap_or(MAX_PAUSE),
                Err(error) => {
                    tracing::error!(
                        alert.route = self.route.name,
                        error = admin::chain(&error),
                        "alerts wait for the store"
                    );
                    pause.next().unwrap_or(MAX_PAUSE)
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(rest) => {}
            }
        }
    }

    pub(super) async fn look(&self, refusing: &mut Refusing) -> Result<Looked, StoreError> {
        let (name, receiver) = (self.route.name.as_str(), &self.route.receiver);
        let oldest = self.alerts.waiting(name, 1).await?;
        let Some(oldest) = oldest.first() else {
            return Ok(Looked::Rest(TICK));
        };
        let waited = (self.clock)().0.saturating_sub(oldest.since.0);
        let waited = Duration::from_micros(u64::try_from(waited).unwrap_or(0));
        let left = self.route.gather.saturating_sub(waited);
        if !left.is_zero() {
            return Ok(Looked::Rest(left));
        }
        let waiting = self.alerts.waiting(name, receiver.takes()).await?;
        for portion in waiting.chunks(receiver.portion(waiting.len()).min(refusing.most).max(1)) {
            match self.deliver(portion).await? {
                Sent::Taken if refusing.most == usize::MAX => {}
                Sent::Taken => {
                    // Places begin anew where nothing waits: what was refused before is another.
                    (refusing.place, refusing.times) = (0, 0);
                    refusing.most = refusing.most.saturating_mul(2);
                    return Ok(Looked::Delivered);
                }
                Sent::Failed => return Ok(Looked::Failed),
                Sent::Refused(why) => return self.refused(portion, &why, refusing).await,
            }
        }
        Ok(Looked::Delivered)
    }

    /// Halves what was refused; one that was refused alone, often enough, is given up.
    async fn refused(
        &self,
        portion: &[WaitingAlert],
        why: &Failure,
        refusing: &mut Refusing,
    ) -> Result<Looked, StoreError> {
        refusing.most = (portion.len() / 2).max(1);
        let [one] = portion else {
            return Ok(Looked::Again);
        };
        if refusing.place != one.place {
            (refusing.place, refusing.times) = (one.place, 0);
        }
        refusing.times += 1;
        if refusing.times < REFUSALS {
            return Ok(Looked::Failed);
        }
        let name = self.route.name.as_str();
        self.alerts
            .lost(name, one.place, &why.to_string(), (self.clock)())
            .await?;
        count(name, "refused", 1);
        tracing::error!(alert.route = name, alert.id = %one.event, error = %why, "an alert is refused and not told");
        (refusing.place, refusing.times) = (0, 0);
        Ok(Looked::Again)
    }

    /// What became of these.
    async fn deliver(&self, portion: &[WaitingAlert]) -> Result<Sent, StoreError> {
        let name = self.route.name.as_str();
        let Some(last) = portion.last() else {
            return Ok(Sent::Taken);
        };
        let messages: Vec<Message> = portion
            .iter()
            .filter_map(|waiting| serde_json::from_str(&waiting.body).ok())
            .collect();
        let alerts = portion.len() as u64;
        let unread = alerts - messages.len() as u64;
        if unread > 0 {
            tracing::error!(
                alert.route = name,
                alerts = unread,
                "alerts are not understood and not told"
            );
            count(name, "unread", unread);
        }
        let outcome = match messages.is_empty() {
            true => Ok(()),
            false => self.route.receiver.send(name, &messages).await,
        };
        let now = (self.clock)();
        match outcome {
            Ok(()) => {
                self.alerts.delivered(name, last.place, now).await?;
                count(name, "delivered", alerts - unread);
                tracing::info!(alert.route = name, alerts, "alerts delivered");
                Ok(Sent::Taken)
            }
            Err(failure) => {
                self.alerts.failed(name, &failure.to_string(), now).await?;
                count(name, "failed", alerts);
                tracing::warn!(alert.route = name, alerts, error = %failure, "alerts not taken");
                Ok(match failure.is_refused() {
                    true => Sent::Refused(failure),
                    false => Sent::Failed,
                })
            }
        }
    }
}
