//! The stream to the collector: reports up in sequence, acknowledgements down.
//!
//! Invariants: a report leaves the spool only when the collector said so; a dead
//! link costs time and nothing else; sessions follow each other with growing,
//! random pauses that start anew after a session that achieved something.

pub mod sameness;
pub mod line;
mod plans;
mod engines;
mod refusal;

pub use plans::Plans;

use crate::keep::{Shared, UnderWay};
use crate::report::MARGIN;
use backon::{BackoffBuilder as _, ExponentialBuilder};
use line::{Line, Turn};
use prost::Message as _;
use prost::bytes::Bytes;
use proto::tls::{Bundle, TlsError};
use proto::v1::inventory_service_client::InventoryServiceClient;
use proto::v1::{
    Ack, Gap, GapReason, Hello, Report, ReportRequest, SequencedBatch, SequencedReport, SpoolStatus,
    VerdictKind, Welcome,
};
use proto::v1::{report_request, report_response};
use spool::{Item, SpoolError};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::codec::CompressionEncoding;
use tonic::transport::Endpoint;

/// Waits for a connection, a greeting, and acknowledgements at the end.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long the last acknowledgements may take when the program ends.
const GRACE: Duration = Duration::from_secs(3);
/// A link that is silent is asked for a sign of life so often.
const KEEPALIVE: Duration = Duration::from_secs(20);
/// And given up when none came for so long.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// A session that lasted so long was a good one.
const GOOD_SESSION: Duration = Duration::from_secs(10);
/// Pauses between sessions.
const MIN_PAUSE: Duration = Duration::from_millis(500);
/// Read from the spool at once.
const READ_COUNT: usize = 256;
const READ_BYTES: usize = 4 << 20;
/// More than any collector should ask for.
const MAX_WINDOW: u64 = 65_536;
/// Messages between this task and the connection.
const SEND_QUEUE: usize = 16;

/// How often the collector is told how the spool stands, when it moves and when it does not.
const STATUS_PAUSE: Duration = Duration::from_secs(20);
const STATUS_REST: Duration = Duration::from_secs(60);

/// How long a report that says little waits for others to share a message with.
pub const LINGER: Duration = Duration::from_secs(5);

/// What the uplink needs.
#[derive(Debug, Clone)]
pub struct Uplink {
    /// `https://NAME:PORT`.
    pub address: String,
    /// Read again for each session, so that a renewed one is used.
    pub identity: PathBuf,
    /// Told when it was renewed: a session on the old one is ended then, in order.
    pub renewals: watch::Receiver<u64>,
    /// The spool and what the collector has.
    pub shared: Shared,
    /// The longest pause between two sessions.
    pub max_pause: Duration,
    /// How long small reports wait for others.
    pub linger: Duration,
    /// Where the collector's limit is put for the rounds.
    pub collector_limit: Arc<AtomicUsize>,
    /// Where plans go and answers come from; without it none are taken.
    pub plans: Option<Plans>,
}

/// Why a session ended.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The identity file cannot be read.
    #[error("cannot read {0}")]
    Identity(PathBuf, #[source] std::io::Error),
    /// The identity cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// No connection.
    #[error("cannot connect")]
    Connect(#[source] tonic::transport::Error),
    /// The collector ended the stream with a status.
    #[error("the collector said {0:?}: {1}")]
    Status(tonic::Code, String),
    /// The collector keeps this agent out until somebody there releases it.
    #[error("the collector said: {0}")]
    Quarantined(String),
    /// Nothing was heard in time.
    #[error("no greeting in time")]
    Silent,
    /// The collector closed the stream.
    #[error("the collector closed the stream")]
    Closed,
    /// What was said does not fit what was said before.
    #[error("the collector broke the protocol: {0}")]
    Protocol(&'static str),
    /// Reports went, told that nothing moved, or are of a context, and this collector has no word for it.
    #[error("the collector is too old to be told of {0}: upgrade it")]
    TooOld(&'static str),
    /// This spool is an old copy: its sequences were used before.
    #[error("the collector has sequence {acked}, this spool only reached {last}: it is an old copy")]
    OldCopy {
        /// By the collector.
        acked: u64,
        /// By the spool.
        last: u64,
    },
    /// The spool failed.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// A bug.
    #[error("a task ended by itself")]
    Task,
}

/// Why a session ended well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// The program ends.
    Stopped,
    /// There is a new identity to connect with.
    Renewed,
}

/// What a session is doing.
struct Session {
    inbound: tonic::Streaming<proto::v1::ReportResponse>,
    line: Line,
    /// What the collector speaks.
    capability: u32,
    /// How the spool was told to stand, and when.
    told: Option<(SpoolStatus, Instant)>,
    /// When it is to be looked at again.
    look: Instant,
    plans: plans::Asked,
    covered: plans::Covered,
    engines: engines::Telling,
}

impl Uplink {
    /// Session after session until cancelled.
    ///
    /// # Errors
    /// [`SpoolError`] when the spool fails for another reason than a full disk;
    /// everything else is tried again.
    pub async fn run(self, stop: CancellationToken) -> Result<(), SpoolError> {
        let pauses = || {
            ExponentialBuilder::default()
                .with_min_delay(MIN_PAUSE)
                .with_max_delay(self.max_pause)
                .without_max_times()
                .with_jitter()
                .build()
        };
        let mut pause = pauses();
        while !stop.is_cancelled() {
            let started = Instant::now();
            let first = self.shared.spool.first_sequence();
            let ended = self.session(&stop).await;
            metrics::gauge!("marque_agent_uplink_connected").set(0);
            self.shared.under_way.send_replace(UnderWay::default());
            if started.elapsed() > GOOD_SESSION || self.shared.spool.first_sequence() > first {
                pause = pauses();
            }
            match ended {
                Ok(Ended::Stopped) => return Ok(()),
                Ok(Ended::Renewed) => {
                    pause = pauses();
                    continue;
                }
                Err(SessionError::OldCopy { acked, last }) => {
                    tracing::error!(
                        collector.acked = acked,
                        spool.last = last,
                        "this spool is an old copy: what it holds is sent under a new epoch, some of it perhaps twice"
                    );
                    metrics::counter!("marque_agent_spool_old_copy_total").increment(1);
                    let spool = Arc::clone(&self.shared.spool);
                    match tokio::task::spawn_blocking(move || spool.begin_epoch()).await {
                        Ok(Err(error)) if !matches!(error, SpoolError::NoRoom { .. }) => return Err(error),
                        _ => {}
                    }
                }
                Err(SessionError::Spool(error)) if !matches!(error, SpoolError::NoRoom { .. }) => {
                    return Err(error);
                }
                Err(error) => {
                    metrics::counter!("marque_agent_uplink_session_failed_total").increment(1);
                    if let SessionError::TooOld(what) = &error {
                        metrics::counter!("marque_agent_uplink_too_old_total", "what" => *what).increment(1);
                    }
                    if !refusal::is_quarantine(&self.shared, &self.address, &error) {
                        let causes = chain(&error);
                        tracing::warn!(collector.address = %self.address, error = causes, "session ended");
                    }
                }
            }
            let wait = pause.next().unwrap_or(self.max_pause).min(self.max_pause);
            let _ = timeout(wait, stop.cancelled()).await;
        }
        Ok(())
    }

    async fn session(&self, stop: &CancellationToken) -> Result<Ended, SessionError> {
        // From here on, before the identity is read: what is renewed later is newer than ours.
        let mut renewals = self.renewals.clone();
        renewals.mark_unchanged();
        let (mut session, requests) = tokio::select! {
            session = timeout(PATIENCE * 2, self.greet()) => session.map_err(|_| SessionError::Silent)??,
            () = stop.cancelled() => return Ok(Ended::Stopped),
        };
        let (mut until, mut why) = (None, Ended::Stopped);
        loop {
            if let Some(from) = session.line.wants()
                && until.is_none()
            {
                let items = self.read(from).await?;
                session.line.read(items, Instant::now().into_std());
            }
            if until.is_some() && session.line.is_settled() {
                return Ok(why);
            }
            let now = Instant::now();
            let turn = session.line.turn(now.into_std());
            let later = match turn {
                Turn::Later(at) => Instant::from_std(at),
                Turn::Send | Turn::Wait => now,
            };
            let end = until.unwrap_or_else(Instant::now);
            tokio::select! {
                message = session.inbound.message() => match message?.and_then(|response| response.message) {
                    Some(report_response::Message::Ack(ack)) => self.acked(&mut session, ack).await?,
                    Some(report_response::Message::Plan(plan)) => {
                        session.plans.received(plan).map_err(SessionError::Protocol)?;
                    }
                    Some(_) => return Err(SessionError::Protocol("a second welcome")),
                    None => return Err(SessionError::Closed),
                },
                permits = requests.reserve_many(2), if turn == Turn::Send => {
                    let mut permits = permits.map_err(|_| SessionError::Closed)?;
                    let items = session.line.send(Instant::now().into_std());
                    let status = match items.first() {
                        // A gap must lie below the next sequence that was told.
                        Some(Item::Gap(_)) => Some(report_request::Message::Status(self.status().await?)),
                        _ => None,
                    };
                    let message = message(items, session.capability)?;
                    for (permit, message) in permits.by_ref().zip(status.into_iter().chain(message)) {
                        permit.send(request(message));
                    }
                    self.note(&session.line);
                }
                () = tokio::time::sleep_until(session.look), if session.capability >= proto::GAP_CAPABILITY => {
                    self.tell_status(&mut session, &requests).await?;
                }
                () = session.plans.answered() => {}
                permit = requests.reserve(), if session.plans.ready() => {
                    let permit = permit.map_err(|_| SessionError::Closed)?;
                    if let Some(status) = session.plans.take() {
                        permit.send(request(report_request::Message::PlanStatus(status)));
                    }
                }
                () = session.covered.moved(), if session.capability >= proto::COVERAGE_CAPABILITY => {}
                permit = requests.reserve(), if session.covered.ready() => {
                    let permit = permit.map_err(|_| SessionError::Closed)?;
                    if let Some(coverage) = session.covered.take() {
                        permit.send(request(report_request::Message::Coverage(coverage)));
                    }
                }
                () = session.engines.moved(), if session.capability >= proto::ENGINES_CAPABILITY => {}
                permit = requests.reserve(), if session.engines.ready() => {
                    let permit = permit.map_err(|_| SessionError::Closed)?;
                    permit.send(request(report_request::Message::Engines(session.engines.take())));
                }
                () = tokio::time::sleep_until(later), if matches!(turn, Turn::Later(_)) => {}
                () = self.shared.appended.notified(), if session.line.wants().is_some() => {}
                () = stop.cancelled(), if until.is_none() => {
                    session.line.hurry();
                    until = Some(Instant::now() + GRACE);
                }
                Ok(()) = renewals.changed(), if until.is_none() => {
                    session.line.hurry();
                    (until, why) = (Some(Instant::now() + GRACE), Ended::Renewed);
                }
                () = tokio::time::sleep_until(end), if until.is_some() => return Ok(why),
            }
        }
    }

    async fn greet(&self) -> Result<(Session, mpsc::Sender<ReportRequest>), SessionError> {
        let pem = tokio::fs::read_to_string(&self.identity)
            .await
            .map_err(|error| SessionError::Identity(self.identity.clone(), error))?;
        let tls = Bundle::from_pem(pem).client()?;
        let channel = Endpoint::from_shared(self.address.clone())
            .and_then(|endpoint| endpoint.tls_config(tls))
            .map_err(SessionError::Connect)?
            .connect_timeout(PATIENCE)
            .http2_keep_alive_interval(KEEPALIVE)
            .keep_alive_timeout(KEEPALIVE_TIMEOUT)
            .keep_alive_while_idle(true)
            .connect()
            .await
            .map_err(SessionError::Connect)?;
        let mut client = InventoryServiceClient::new(channel)
            .send_compressed(CompressionEncoding::Zstd)
            .accept_compressed(CompressionEncoding::Zstd)
            .max_decoding_message_size(proto::MAX_MESSAGE_BYTES)
            .max_encoding_message_size(proto::MAX_MESSAGE_BYTES);
        // Before the greeting: what moves later is an answer to this session.
        let plans = plans::Asked::new(self.plans.clone());
        let spool = &self.shared.spool;
        let (first, next) = (spool.first_sequence(), spool.next_sequence());
        let (requests, outgoing) = mpsc::channel(SEND_QUEUE);
        let hello = request(report_request::Message::Hello(Hello {
            capability: proto::CAPABILITY,
            epoch: Bytes::copy_from_slice(&spool.epoch()),
            first_sequence: first,
            next_sequence: next,
            agent_version: env!("CARGO_PKG_VERSION").to_owned(),
            clock_micros: micros((self.shared.clock)()),
            plan: self.plans.as_ref().map(Plans::runs),
        }));
        requests.send(hello).await.map_err(|_| SessionError::Closed)?;
        let greeting = async {
            let mut inbound = client.report(ReceiverStream::new(outgoing)).await?.into_inner();
            match inbound.message().await?.and_then(|response| response.message) {
                Some(report_response::Message::Welcome(welcome)) => Ok((inbound, welcome)),
                Some(_) => Err(SessionError::Protocol("no welcome first")),
                None => Err(SessionError::Closed),
            }
        };
        let greeting = timeout(PATIENCE, greeting)
            .await
            .map_err(|_| SessionError::Silent)?;
        let (inbound, welcome) = greeting?;
        self.welcomed(&welcome, first, next).await?;
        // What the collector lacks and the spool no longer has is a gap that both know of.
        let acked = welcome.acked_sequence.max(first - 1);
        let session = Session {
            inbound,
            line: Line::new(
                acked,
                u64::from(welcome.window).clamp(1, MAX_WINDOW),
                (welcome.capability >= proto::GAP_CAPABILITY).then_some(self.linger),
            ),
            capability: welcome.capability,
            told: None,
            look: Instant::now(),
            plans,
            covered: plans::Covered::new(self.plans.as_ref()),
            engines: engines::Telling::new(
                self.plans.as_ref().map(|plans| plans.engines.clone()),
                welcome.known_engines.unwrap_or_default(),
            ),
        };
        Ok((session, requests))
    }

    async fn welcomed(&self, welcome: &Welcome, first: u64, next: u64) -> Result<(), SessionError> {
        let acked = welcome.acked_sequence;
        if acked >= next {
            return Err(SessionError::OldCopy {
                acked,
                last: next - 1,
            });
        }
        if acked + 1 < first {
            tracing::warn!(
                collector.acked = acked,
                spool.first = first,
                "collector lacks reports that were acknowledged before"
            );
        }
        // Who unpacks evidence says how much may come out; to others it travels as it is.
        let limit = match welcome.max_evidence_bytes {
            0 => welcome.max_report_bytes,
            unpacked => unpacked,
        };
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        self.collector_limit
            .store(limit.saturating_sub(MARGIN).max(1024), Ordering::Relaxed);
        self.shared
            .capability
            .store(welcome.capability, Ordering::Relaxed);
        metrics::gauge!("marque_agent_uplink_connected").set(1);
        refusal::welcomed(&self.shared);
        tracing::info!(
            collector.address = %self.address,
            collector.acked = acked,
            spool.waiting = self.shared.spool.depth().waiting,
            "session began"
        );
        self.forget(acked).await
    }

    async fn acked(&self, session: &mut Session, ack: Ack) -> Result<(), SessionError> {
        let not_sent = |_| SessionError::Protocol("an ack of what was not sent");
        let acked = session.line.acked(ack.sequence).map_err(not_sent)?;
        for verdict in &ack.verdicts {
            self.shared.same.judged(verdict.sequence, verdict.kind());
            let kind = match verdict.kind() {
                VerdictKind::Refused => {
                    tracing::error!(
                        report.sequence = verdict.sequence,
                        reason = %verdict.reason.chars().take(200).collect::<String>(),
                        "collector refused a report"
                    );
                    "refused"
                }
                VerdictKind::Wanted => "wanted",
                VerdictKind::Repeated => "repeated",
                VerdictKind::Stored | VerdictKind::Unspecified => continue,
            };
            metrics::counter!("marque_agent_verdict_total", "kind" => kind).increment(1);
        }
        tracing::debug!(report.sequence = acked, "acknowledged");
        self.forget(acked).await?;
        self.note(&session.line);
        Ok(())
    }

    /// Takes what the collector has out of the spool.
    async fn forget(&self, sequence: u64) -> Result<(), SessionError> {
        self.shared.same.acked(sequence);
        let spool = Arc::clone(&self.shared.spool);
        tokio::task::spawn_blocking(move || spool.ack(sequence))
            .await
            .map_err(|_| SessionError::Task)??;
        Ok(())
    }

    async fn status(&self) -> Result<SpoolStatus, SessionError> {
        let shared = self.shared.clone();
        let ages = tokio::task::spawn_blocking(move || shared.ages());
        let ages = ages.await.map_err(|_| SessionError::Task)??;
        let micros = |age: Duration| u64::try_from(age.as_micros()).unwrap_or(u64::MAX);
        let depth = self.shared.spool.depth();
        Ok(SpoolStatus {
            next_sequence: self.shared.spool.next_sequence(),
            waiting_reports: depth.waiting,
            waiting_bytes: depth.bytes,
            oldest_age_micros: micros(ages.oldest),
            unsent_age_micros: micros(ages.unsent),
            unacked_age_micros: micros(ages.unacked),
            refused_reports: depth.refused,
            dropped_reports: depth.dropped,
            no_room_micros: depth
                .no_room_since
                .map_or(0, |since| micros(since.elapsed()).max(1)),
        })
    }

    /// Tells how the spool stands if that moved or was not told for long. Never
    /// waits: one that is left out is told the next time.
    async fn tell_status(
        &self,
        session: &mut Session,
        requests: &mpsc::Sender<ReportRequest>,
    ) -> Result<(), SessionError> {
        let status = self.status().await?;
        let now = Instant::now();
        session.look = now + STATUS_PAUSE;
        let rests = |(told, at): &(SpoolStatus, Instant)| *told == status && now - *at < STATUS_REST;
        let message = request(report_request::Message::Status(status));
        if !session.told.as_ref().is_some_and(rests) && requests.try_send(message).is_ok() {
            session.told = Some((status, now));
        }
        Ok(())
    }

    /// Tells the others how far this session is.
    fn note(&self, line: &Line) {
        self.shared.under_way.send_replace(UnderWay {
            since: line.unacked_since(),
            sent: line.sent(),
        });
    }

    async fn read(&self, from: u64) -> Result<Vec<Item>, SessionError> {
        if from >= self.shared.spool.next_sequence() {
            return Ok(Vec::new());
        }
        let spool = Arc::clone(&self.shared.spool);
        let read = tokio::task::spawn_blocking(move || spool.read_from(from, READ_COUNT, READ_BYTES));
        Ok(read.await.map_err(|_| SessionError::Task)??)
    }
}

/// The message for what goes out together.
fn message(items: Vec<Item>, capability: u32) -> Result<Option<report_request::Message>, SessionError> {
    let mut reports = Vec::with_capacity(items.len());
    for item in items {
        match item {
            Item::Record(record) => {
                if let Some(what) = unheard_of(&record.payload, capability) {
                    return Err(SessionError::TooOld(what));
                }
                reports.push(SequencedReport {
                    sequence: record.sequence,
                    report: record.payload,
                });
            }
            Item::Gap(_) if capability < proto::GAP_CAPABILITY => return Err(SessionError::TooOld("a gap")),
            Item::Gap(gap) => return Ok(Some(report_request::Message::Gap(declaration(&gap)))),
        }
    }
    Ok(match reports.len() {
        0 | 1 => reports.pop().map(report_request::Message::Report),
        _ => Some(report_request::Message::Batch(SequencedBatch { reports })),
    })
}

/// What a spooled report tells that a collector of this capability would take for something else (a round in which
/// nothing was walked for a walk, a context for the address itself), or could not unpack.
fn unheard_of(payload: &Bytes, capability: u32) -> Option<&'static str> {
    let all = [
        proto::REFRESH_CAPABILITY,
        proto::CONTEXT_CAPABILITY,
        proto::PACK_CAPABILITY,
    ];
    if all.iter().all(|needed| capability >= *needed) {
        return None;
    }
    let report = Report::decode(payload.clone()).ok()?;
    let in_context = report.target.is_some_and(|target| !target.context.is_empty());
    match capability {
        ..proto::REFRESH_CAPABILITY if report.refreshed => Some("a refreshed element"),
        ..proto::CONTEXT_CAPABILITY if in_context => Some("a context"),
        ..proto::PACK_CAPABILITY if report.evidence_zstd.is_some() => Some("evidence of this size"),
        _ => None,
    }
}

/// A gap as the collector is told of it.
pub(crate) fn declaration(gap: &spool::Gap) -> Gap {
    let reason = match gap.reason {
        spool::GapReason::Full => GapReason::SpoolFull,
        spool::GapReason::Damaged => GapReason::SpoolDamaged,
    };
    Gap {
        from: gap.from,
        to: gap.to,
        count: gap.count,
        reason: reason.into(),
        declared_micros: micros(gap.declared),
    }
}

/// Microseconds since 1970.
pub(crate) fn micros(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

fn request(message: report_request::Message) -> ReportRequest {
    ReportRequest {
        message: Some(message),
    }
}

/// An error and its causes, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line.push_str(&format!(": {error}"));
        cause = error.source();
    }
    line.replace('\n', " ")
}

#[cfg(test)]
mod tests;
