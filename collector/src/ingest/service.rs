//! The inventory service: one task a stream, group commit of what is ready.

use super::read;
use crate::enrol::{Gate, Peer};
use futures_util::{FutureExt as _, StreamExt as _};
use model::{AgentId, Instant, SiteName};
use proto::v1;
use proto::v1::inventory_service_server::{InventoryService, InventoryServiceServer};
use std::sync::Arc;
use std::time::Duration;
use store::record::{AgentHello, IncomingReport, Verdict};
use store::{Store, StoreError};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::codec::CompressionEncoding;
use tonic::{Request, Response, Status, Streaming};

/// Reports an agent may send beyond the last ack.
const WINDOW: u32 = 256;

/// Reports committed in one transaction: what is ready, at most this many.
const BATCH: usize = 64;

/// Bytes of reports after which a batch takes no more.
const BATCH_BYTES: usize = 8 << 20;

/// How long a new stream may stay silent before its greeting.
const GREETING_TIMEOUT: Duration = Duration::from_secs(30);

/// Longest program version kept, in characters.
const VERSION_CHARS: usize = 40;

/// How long the reason of an end may take to reach an agent that does not listen.
const FAREWELL: Duration = Duration::from_secs(5);

/// The service over a store.
pub struct Ingest {
    store: Arc<dyn Store>,
    gate: Gate,
    clock: fn() -> Instant,
    stop: CancellationToken,
}

impl Ingest {
    /// The service, with compression and message limits set.
    pub fn server(
        store: Arc<dyn Store>,
        gate: Gate,
        clock: fn() -> Instant,
        stop: CancellationToken,
    ) -> InventoryServiceServer<Self> {
        let service = Self {
            store,
            gate,
            clock,
            stop,
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
            message: Some(v1::report_request::Message::Hello(hello)),
        }) = first
        else {
            return Err(Status::invalid_argument("the first message is not a greeting"));
        };
        let hello = greeting(agent, site.clone(), &hello)?;
        // It may have been revoked while it was silent.
        self.gate.check(&peer).await?;
        let acked = self.store.greet(&hello, (self.clock)()).await.map_err(|error| {
            tracing::error!(agent.id = %agent, error = crate::admin::chain(&error), "greeting not stored");
            status(&error)
        })?;
        tracing::info!(agent.id = %agent, site = %site, agent.version = hello.version, report.sequence = acked, "agent connected");

        let (responses, receiver) = mpsc::channel(BATCH);
        let welcome = v1::Welcome {
            capability: proto::CAPABILITY,
            acked_sequence: acked,
            window: WINDOW,
            max_report_bytes: u32::try_from(proto::MAX_REPORT_BYTES).unwrap_or(u32::MAX),
        };
        // The channel is empty, so this does not wait.
        let _ = responses
            .send(Ok(response(v1::report_response::Message::Welcome(welcome))))
            .await;
        let line = Line {
            store: Arc::clone(&self.store),
            clock: self.clock,
            gate: self.gate.clone(),
            peer,
            epoch: hello.epoch,
            acked,
        };
        tokio::spawn(serve_line(line, requests, responses, self.stop.clone()));
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
}

/// One agent's open stream.
struct Line {
    store: Arc<dyn Store>,
    clock: fn() -> Instant,
    gate: Gate,
    peer: Peer,
    epoch: String,
    acked: u64,
}

type Responses = mpsc::Sender<Result<v1::ReportResponse, Status>>;

async fn serve_line(
    mut line: Line,
    requests: Streaming<v1::ReportRequest>,
    responses: Responses,
    stop: CancellationToken,
) {
    let (agent, gate, peer) = (line.peer.agent, line.gate.clone(), line.peer.clone());
    // Whatever the stream waits for, an agent that may no longer speak is cut at once. A commit
    // that is cut is whole or not there; what was not acknowledged comes again.
    let ended = tokio::select! {
        biased;
        () = stop.cancelled() => Some(Status::unavailable("collector stops")),
        refused = gate.shut(&peer) => Some(refused),
        ended = line.take(requests, &responses) => ended,
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
}

/// Waits for a message and takes what else is ready, at most [`BATCH`] reports and about [`BATCH_BYTES`]:
/// small on the wire may be large in memory.
async fn ready(requests: &mut Streaming<v1::ReportRequest>, line: &Line) -> Batch {
    let mut batch = Batch {
        reports: Vec::new(),
        end: None,
    };
    let mut bytes = 0;
    let mut next = requests.next().await;
    loop {
        match next {
            Some(Ok(v1::ReportRequest {
                message: Some(v1::report_request::Message::Report(report)),
            })) => {
                bytes += report.report.len();
                let body = read::report(&report.report, &line.peer.site, (line.clock)());
                batch.reports.push(IncomingReport {
                    sequence: report.sequence,
                    body,
                });
            }
            Some(Ok(_)) => batch.end = Some(Some(Status::invalid_argument("a report was expected"))),
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

impl Line {
    /// Takes reports until the stream ends or fails.
    async fn take(
        &mut self,
        mut requests: Streaming<v1::ReportRequest>,
        responses: &Responses,
    ) -> Option<Status> {
        loop {
            let batch = ready(&mut requests, self).await;
            if !batch.reports.is_empty() {
                if let Err(refused) = self.gate.check(&self.peer).await {
                    return Some(refused);
                }
                match self.commit(batch.reports).await {
                    Ok(ack) => {
                        let ack = response(v1::report_response::Message::Ack(ack));
                        if responses.send(Ok(ack)).await.is_err() {
                            return None;
                        }
                    }
                    Err(error) => {
                        tracing::error!(agent.id = %self.peer.agent, error = crate::admin::chain(&error), "reports not stored");
                        return Some(status(&error));
                    }
                }
            }
            if let Some(end) = batch.end {
                return end;
            }
        }
    }

    async fn commit(&mut self, reports: Vec<IncomingReport>) -> Result<v1::Ack, StoreError> {
        let sequences: Vec<u64> = reports.iter().map(|r| r.sequence).collect();
        let verdicts = self
            .store
            .commit_reports(self.peer.agent, &self.epoch, reports, (self.clock)())
            .await?;
        // Repeated reports come after later ones; an ack never goes back.
        self.acked = self.acked.max(sequences.last().copied().unwrap_or(0));
        let mut ack = v1::Ack {
            sequence: self.acked,
            verdicts: Vec::new(),
        };
        for (sequence, verdict) in sequences.into_iter().zip(verdicts) {
            let (kind, word, reason) = match verdict {
                Verdict::Stored => (None, "stored", String::new()),
                Verdict::Repeated => (Some(v1::VerdictKind::Repeated), "repeated", String::new()),
                Verdict::Refused { reason } => {
                    tracing::error!(agent.id = %self.peer.agent, report.sequence = sequence, reason, "report refused");
                    (Some(v1::VerdictKind::Refused), "refused", reason)
                }
                Verdict::Wanted => (Some(v1::VerdictKind::Wanted), "wanted", String::new()),
            };
            metrics::counter!("marque_collector_reports_total", "verdict" => word).increment(1);
            if let Some(kind) = kind {
                ack.verdicts.push(v1::Verdict {
                    sequence,
                    kind: kind.into(),
                    reason,
                });
            }
        }
        Ok(ack)
    }
}

fn response(message: v1::report_response::Message) -> v1::ReportResponse {
    v1::ReportResponse {
        message: Some(message),
    }
}

fn greeting(agent: AgentId, site: SiteName, hello: &v1::Hello) -> Result<AgentHello, Status> {
    if hello.capability == 0 {
        return Err(Status::failed_precondition("capability 0 is not spoken here"));
    }
    if hello.epoch.len() != 16 {
        return Err(Status::invalid_argument("epoch is not 16 bytes"));
    }
    if hello.first_sequence == 0 || hello.first_sequence > hello.next_sequence {
        return Err(Status::invalid_argument("first_sequence is out of range"));
    }
    Ok(AgentHello {
        agent,
        site,
        epoch: hex::encode(&hello.epoch),
        first_sequence: hello.first_sequence,
        next_sequence: hello.next_sequence,
        version: hello
            .agent_version
            .chars()
            .filter(|c| !c.is_control())
            .take(VERSION_CHARS)
            .collect(),
        clock: Instant(hello.clock_micros),
    })
}

/// What the agent is told; it keeps its reports and comes again.
fn status(error: &StoreError) -> Status {
    match error {
        StoreError::NotDense { .. } => Status::aborted(error.to_string()),
        _ => Status::unavailable("collector cannot store reports now"),
    }
}
