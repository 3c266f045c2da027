//! The inventory service: one task a stream, group commit of what is ready.

use super::commit::commit;
use super::inbound::{Inbound, WINDOW, greeting};
use super::read;
use super::streams::{Open, Streams};
use super::uncommitted::{Received, Uncommitted};
use crate::enrol::{Gate, Peer};
use crate::plan::{Desk, Listener, Pushed};
use futures_util::{FutureExt as _, StreamExt as _};
use model::Instant;
use prost::Message as _;
use proto::v1;
use proto::v1::inventory_service_server::{InventoryService, InventoryServiceServer};
use std::sync::Arc;
use std::time::Duration;
use store::plans::PlanRef;
use store::record::IncomingReport;
use store::{Store, StoreError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::codec::CompressionEncoding;
use tonic::{Request, Response, Status, Streaming};

/// Messages taken at once: what is ready, at most this many.
const BATCH: usize = 64;

/// Bytes of reports after which a batch takes no more.
const BATCH_BYTES: usize = 8 << 20;
/// Reports with packed evidence, each up to [`proto::MAX_EVIDENCE_BYTES`] and some more while it is
/// read, that are in memory at once, of all streams together; further ones wait.
const UNPACKED: usize = 2;
/// Reports committed in one transaction; an agent that keeps to the window never sends more at once.
const COMMIT: usize = WINDOW as usize;

/// A spool's standing and coverage are each written down at most so often.
const STATUS_PAUSE: Duration = Duration::from_secs(2);

/// How long a new stream may stay silent before its greeting.
const GREETING_TIMEOUT: Duration = Duration::from_secs(30);

/// How long the reason of an end may take to reach an agent that does not listen.
const FAREWELL: Duration = Duration::from_secs(5);

/// The service over a store.
pub struct Ingest {
    store: Arc<dyn Store>,
    gate: Gate,
    desk: Desk,
    clock: fn() -> Instant,
    stop: CancellationToken,
    waiting: Uncommitted,
    streams: Streams,
    unpacking: Arc<Semaphore>,
}

impl Ingest {
    /// The service, with compression and message limits set. What it has yet to commit is
    /// listed in `waiting`.
    pub fn server(
        store: Arc<dyn Store>,
        gate: Gate,
        desk: Desk,
        clock: fn() -> Instant,
        waiting: Uncommitted,
        stop: CancellationToken,
    ) -> InventoryServiceServer<Self> {
        let service = Self {
            store,
            gate,
            desk,
            clock,
            stop,
            waiting,
            streams: Streams::default(),
            unpacking: Arc::new(Semaphore::new(UNPACKED)),
        };
        InventoryServiceServer::new(service)
            .accept_compressed(CompressionEncoding::Zstd)
            .send_compressed(CompressionEncoding::Zstd)
            .max_decoding_message_size(proto::MAX_MESSAGE_BYTES)
            .max_encoding_message_size(proto::MAX_MESSAGE_BYTES)
    }
}

#[tonic::async_trait]
impl InventoryService for Ingest {
    type ReportStream = ReceiverStream<Result<v1::ReportResponse, Status>>;

    async fn report(
        &self,
        request: Request<Streaming<v1::ReportRequest>>,
    ) -> Result<Response<Self::ReportStream>, Status> {
        let peer = Peer::of(&request)?;
        self.gate.check(&peer).await?;
        let (agent, site) = (peer.agent, peer.site.clone());
        let mut requests = request.into_inner();
        let first = tokio::time::timeout(GREETING_TIMEOUT, requests.message())
            .await
            .map_err(|_| Status::deadline_exceeded("no greeting came"))??;
        let Some(v1::ReportRequest {
            message: Some(v1::report_request::Message::Hello(told)),
        }) = first
        else {
            return Err(Status::invalid_argument("the first message is not a greeting"));
        };
        let hello = greeting(agent, site.clone(), &told)?;
        // It may have been revoked or put into quarantine while it was silent.
        self.gate.check(&peer).await?;
        let acked = self.store.greet(&hello, (self.clock)()).await.map_err(|error| {
            tracing::error!(agent.id = %agent, error = crate::admin::chain(&error), "greeting not stored");
            status(&error)
        })?;
        let follows = self.desk.greeted(agent, &told).await?;
        tracing::info!(agent.id = %agent, site = %site, agent.version = hello.version, report.sequence = acked, "agent connected");

        let (responses, receiver) = mpsc::channel(BATCH);
        let known = self
            .store
            .known_engines(agent)
            .await
            .map_err(|error| status(&error))?;
        let welcome = v1::Welcome {
            capability: proto::CAPABILITY,
            acked_sequence: acked,
            window: WINDOW,
            max_report_bytes: u32::try_from(proto::MAX_REPORT_BYTES).unwrap_or(u32::MAX),
            max_evidence_bytes: u32::try_from(proto::MAX_EVIDENCE_BYTES).unwrap_or(u32::MAX),
            known_engines: Some(v1::KnownEngines {
                generation: known.generation,
                revision: known.revision,
            }),
        };
        // The channel is empty, so this does not wait.
        let _ = responses
            .send(Ok(response(v1::report_response::Message::Welcome(welcome))))
            .await;
        let pushed = Pushed::default();
        let line = Line {
            store: Arc::clone(&self.store),
            clock: self.clock,
            gate: self.gate.clone(),
            desk: self.desk.clone(),
            follows,
            capability: told.capability,
            inbound: Inbound::new(&hello, pushed.clone()),
            pushed,
            peer,
            epoch: hello.epoch,
            acked,
            noted: None,
            covered: None,
            waiting: self.waiting.clone(),
            unpacking: Arc::clone(&self.unpacking),
        };
        let open = self.streams.open(agent);
        tokio::spawn(serve_line(line, open, requests, responses, self.stop.clone()));
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
}

/// One agent's open stream.
struct Line {
    store: Arc<dyn Store>,
    clock: fn() -> Instant,
    gate: Gate,
    desk: Desk,
    /// The plan it follows as its greeting said; none if it takes none.
    follows: Option<PlanRef>,
    /// The protocol it speaks.
    capability: u32,
    /// Plans it has not answered yet.
    pushed: Pushed,
    /// Where it is in the protocol, and what it said.
    inbound: Inbound,
    peer: Peer,
    epoch: String,
    acked: u64,
    /// When that was written down last.
    noted: Option<std::time::Instant>,
    /// When that was written down last.
    covered: Option<std::time::Instant>,
    waiting: Uncommitted,
    /// Who may unpack evidence.
    unpacking: Arc<Semaphore>,
}

type Responses = mpsc::Sender<Result<v1::ReportResponse, Status>>;

async fn serve_line(
    mut line: Line,
    open: Open,
    requests: Streaming<v1::ReportRequest>,
    responses: Responses,
    stop: CancellationToken,
) {
    let (agent, gate, peer) = (line.peer.agent, line.gate.clone(), line.peer.clone());
    let (desk, follows, pushed) = (line.desk.clone(), line.follows, line.pushed.clone());
    let listener = Listener {
        site: peer.site.clone(),
        capability: line.capability,
        pushed,
        responses: responses.clone(),
    };
    let plans = async {
        match follows {
            Some(follows) => match desk.push(&listener, follows).await {},
            None => std::future::pending().await,
        }
    };
    // Whatever the stream waits for, an agent that may no longer speak is cut at once. A commit
    // that is cut is whole or not there; what was not acknowledged comes again.
    let ended = tokio::select! {
        biased;
        () = stop.cancelled() => Some(Status::unavailable("collector stops")),
        refused = gate.shut(&peer) => Some(refused),
        () = open.overtaken() => Some(Status::aborted("another stream of this agent began")),
        ended = line.take_all(requests, &responses) => ended,
        never = plans => never,
    };
    tracing::info!(agent.id = %agent, reason = ended.as_ref().map_or("", Status::message), "agent disconnected");
    if let Some(status) = ended {
        let _ = tokio::time::timeout(FAREWELL, responses.send(Err(status))).await;
    }
}

/// Reports to commit together, and how the stream ended behind them if it did.
struct Batch {
    reports: Vec<IncomingReport>,
    end: Option<Option<Status>>,
    /// Of its last report, if that came packed.
    unpacked: Option<OwnedSemaphorePermit>,
}

/// Waits for a message and takes what else is ready, at most [`BATCH`] reports and about [`BATCH_BYTES`]:
/// small on the wire may be large in memory.
async fn ready(requests: &mut Streaming<v1::ReportRequest>, line: &mut Line) -> Batch {
    let mut batch = Batch {
        reports: Vec::new(),
        end: None,
        unpacked: None,
    };
    let mut bytes = 0;
    let mut next = requests.next().await;
    loop {
        match next {
            Some(Ok(v1::ReportRequest {
                message: Some(v1::report_request::Message::Report(report)),
            })) if read::is_packed(&report.report) => {
                unpack(report, line, &mut batch).await;
                return batch;
            }
            Some(Ok(request)) => {
                bytes += request.encoded_len();
                if let Err(fault) = line.inbound.take(request, (line.clock)(), &mut batch.reports) {
                    batch.end = Some(Some(fault));
                }
            }
            Some(Err(status)) => batch.end = Some(Some(status)),
            None => batch.end = Some(None),
        }
        if batch.end.is_some() || batch.reports.len() >= BATCH || bytes >= BATCH_BYTES {
            return batch;
        }
        match requests.next().now_or_never() {
            Some(message) => next = message,
            None => return batch,
        }
    }
}

/// Reads a report with packed evidence, off the threads that serve agents, when it is its turn.
async fn unpack(report: v1::SequencedReport, line: &mut Line, batch: &mut Batch) {
    // Never closed.
    batch.unpacked = Arc::clone(&line.unpacking).acquire_owned().await.ok();
    let (site, now, sequence) = (line.inbound.site().clone(), (line.clock)(), report.sequence);
    let read = tokio::task::spawn_blocking(move || read::report(&report.report, &site, now));
    match read.await {
        Ok(body) => batch.reports.push(line.inbound.numbered(sequence, body)),
        Err(_) => batch.end = Some(Some(Status::internal("a report could not be read"))),
    }
}

impl Line {
    /// Takes reports until the stream ends or fails.
    async fn take_all(
        &mut self,
        mut requests: Streaming<v1::ReportRequest>,
        responses: &Responses,
    ) -> Option<Status> {
        loop {
            let batch = ready(&mut requests, self).await;
            let received = Some(self.waiting.received());
            if let Err(refused) = self.gate.check(&self.peer).await {
                return Some(refused);
            }
            match self.commit_all(batch.reports, received, responses).await {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => {
                    tracing::error!(agent.id = %self.peer.agent, error = crate::admin::chain(&error), "reports not stored");
                    return Some(status(&error));
                }
            }
            if let Err(error) = self.note_words().await {
                tracing::warn!(agent.id = %self.peer.agent, error = crate::admin::chain(&error), "words of an agent not stored");
                return Some(status(&error));
            }
            if let Some(end) = batch.end {
                return end;
            }
        }
    }

    /// Writes down what it said beside its reports: of a plan, of its addresses, and how its spool stands.
    async fn note_words(&mut self) -> Result<(), StoreError> {
        if let Some(said) = self.inbound.words.plan.take() {
            self.desk.note(self.peer.agent, &said).await?;
        }
        let rests = |last: Option<std::time::Instant>| last.is_some_and(|at| at.elapsed() < STATUS_PAUSE);
        let (agent, now) = (self.peer.agent, (self.clock)());
        if !rests(self.covered)
            && let Some(told) = self.inbound.words.coverage.take()
        {
            self.covered = Some(std::time::Instant::now());
            self.store.note_coverage(agent, told, now).await?;
        }
        for told in std::mem::take(&mut self.inbound.words.engines) {
            self.store.note_engines(agent, told, now).await?;
        }
        if !rests(self.noted)
            && let Some(status) = self.inbound.words.spool.take()
        {
            self.noted = Some(std::time::Instant::now());
            self.store.note_spool(agent, status, now).await?;
        }
        Ok(())
    }

    /// Commits in bounded transactions, each acknowledged; `false` when nobody listens any more.
    /// What was committed waits no longer, whether or not the agent hears its acknowledgement.
    async fn commit_all(
        &mut self,
        mut reports: Vec<IncomingReport>,
        mut received: Option<Received>,
        responses: &Responses,
    ) -> Result<bool, StoreError> {
        while !reports.is_empty() {
            let rest = reports.split_off(reports.len().min(COMMIT));
            let ack = self.commit(std::mem::replace(&mut reports, rest)).await?;
            if reports.is_empty() {
                received.take();
            }
            let ack = response(v1::report_response::Message::Ack(ack));
            if responses.send(Ok(ack)).await.is_err() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn commit(&mut self, reports: Vec<IncomingReport>) -> Result<v1::Ack, StoreError> {
        let mut ack = commit(
            &*self.store,
            self.peer.agent,
            &self.epoch,
            reports,
            (self.clock)(),
        )
        .await?;
        // Repeated reports come after later ones; an ack never goes back.
        self.acked = self.acked.max(ack.sequence);
        ack.sequence = self.acked;
        Ok(ack)
    }
}

fn response(message: v1::report_response::Message) -> v1::ReportResponse {
    v1::ReportResponse {
        message: Some(message),
    }
}

/// What the agent is told; it keeps its reports and comes again.
fn status(error: &StoreError) -> Status {
    match error {
        StoreError::NotDense { .. } => Status::aborted(error.to_string()),
        StoreError::TooManySpools(_) => Status::resource_exhausted(error.to_string()),
        _ => Status::unavailable("collector cannot store reports now"),
    }
}
