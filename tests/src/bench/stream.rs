//! The bare stream: the same reports over the same TLS, and nothing done with them.
//!
//! Messages carry one report each, uncompressed; every hundredth is acknowledged.
//! Both ends run in this process.

use super::figures::Round;
use super::process::usage;
use super::{BenchError, broken};
use collector::enrol::Authority;
use collector::ingest::Listener;
use model::AgentId;
use prost::bytes::Bytes;
use proto::tls::Bundle;
use proto::v1::inventory_service_client::InventoryServiceClient;
use proto::v1::inventory_service_server::{InventoryService, InventoryServiceServer};
use proto::v1::{Ack, ReportRequest, ReportResponse, SequencedReport, report_request, report_response};
use std::time::{Duration, Instant};
use time::OffsetDateTime;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Endpoint, Server};
use tonic::{Request, Response, Status, Streaming};

/// Reports that share an acknowledgement.
const ACKED: u64 = 100;
/// Messages between a task and its connection, as in Marque's own uplink.
const QUEUE: usize = 16;

struct Bare;

#[tonic::async_trait]
impl InventoryService for Bare {
    type ReportStream = ReceiverStream<Result<ReportResponse, Status>>;

    async fn report(
        &self,
        request: Request<Streaming<ReportRequest>>,
    ) -> Result<Response<Self::ReportStream>, Status> {
        let mut inbound = request.into_inner();
        let (acks, outgoing) = mpsc::channel(QUEUE);
        tokio::spawn(async move {
            let mut sequence = 0;
            while let Ok(Some(_)) = inbound.message().await {
                sequence += 1;
                if sequence % ACKED == 0 && acks.send(Ok(ack(sequence))).await.is_err() {
                    return;
                }
            }
            // Nobody may be left to hear it.
            let _ = acks.send(Ok(ack(sequence))).await;
        });
        Ok(Response::new(ReceiverStream::new(outgoing)))
    }
}

/// Both ends of a connection that carries reports.
pub struct Stream {
    client: InventoryServiceClient<tonic::transport::Channel>,
    stop: CancellationToken,
}

impl Stream {
    /// Listens and connects.
    ///
    /// # Errors
    /// [`BenchError`] when certificates or sockets are not to be had.
    pub async fn open(folder: &std::path::Path) -> Result<Self, BenchError> {
        let now = OffsetDateTime::now_utc();
        let authority = Authority::open(folder, Duration::from_secs(3_600), now).map_err(broken)?;
        let ours = Bundle::from_pem(authority.collector_bundle(now).map_err(broken)?);
        let site = "lab".parse().map_err(broken)?;
        let (theirs, _) = authority
            .agent_bundle(AgentId::generate(), &site, now)
            .map_err(broken)?;
        let listener = Listener::bind(([127, 0, 0, 1], 0).into(), ours.server().map_err(broken)?).await?;
        let address = listener.address()?;
        let stop = CancellationToken::new();
        let serving = Server::builder()
            .add_service(InventoryServiceServer::new(Bare))
            .serve_with_incoming_shutdown(listener.accept(stop.clone()), stop.clone().cancelled_owned());
        tokio::spawn(serving);
        let channel = Endpoint::from_shared(format!("https://{address}"))
            .and_then(|endpoint| {
                let tls = Bundle::from_pem(theirs).client();
                tls.map_or(Ok(endpoint.clone()), |tls| endpoint.tls_config(tls))
            })
            .map_err(broken)?
            .connect()
            .await
            .map_err(broken)?;
        Ok(Self {
            client: InventoryServiceClient::new(channel),
            stop,
        })
    }

    /// Sends reports until all are acknowledged.
    ///
    /// # Errors
    /// [`BenchError`] when the stream ends before.
    pub async fn carry(&self, reports: Vec<Bytes>) -> Result<Round, BenchError> {
        let count = reports.len() as u64;
        let (before, begun) = (usage(None)?, Instant::now());
        let (requests, outgoing) = mpsc::channel(QUEUE);
        tokio::spawn(async move {
            for (sequence, report) in (1..).zip(reports) {
                let report = SequencedReport { sequence, report };
                let message = Some(report_request::Message::Report(report));
                if requests.send(ReportRequest { message }).await.is_err() {
                    return;
                }
            }
        });
        let mut client = self.client.clone();
        let mut inbound = client
            .report(ReceiverStream::new(outgoing))
            .await
            .map_err(broken)?
            .into_inner();
        while let Some(answer) = inbound.message().await.map_err(broken)? {
            if let Some(report_response::Message::Ack(ack)) = answer.message
                && ack.sequence == count
            {
                let cpu = usage(None)?.cpu.saturating_sub(before.cpu);
                return Ok(Round::new(count, begun.elapsed(), &[cpu]));
            }
        }
        Err(BenchError::Unexpected("the bare stream ended early".to_owned()))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn ack(sequence: u64) -> ReportResponse {
    let verdicts = Vec::new();
    ReportResponse {
        message: Some(report_response::Message::Ack(Ack { sequence, verdicts })),
    }
}
