//! The stream against a collector made by hand, over real mutual TLS.

use super::*;
use crate::keep::keep;
use crate::poll::Round;
use crate::report::Report;
use crate::testing::Authority;
use proto::v1::inventory_service_server::{InventoryService, InventoryServiceServer};
use proto::v1::{Cost, Observation, ReportResponse, Verdict};
use spool::{Options, Spool};
use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::AtomicU32;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};

/// What the collector of these tests does with the reports of one session.
#[derive(Clone, Copy)]
enum Session {
    /// Acknowledges each, saying this about it.
    Say(VerdictKind),
    /// Takes so many and goes away without a word.
    Die(usize),
    /// Takes two, sees that no third comes, acknowledges the first and goes away.
    Half,
}

/// A collector that does as it is told and says what it saw.
struct Collector {
    sessions: Arc<Mutex<VecDeque<Session>>>,
    acked: Arc<Mutex<u64>>,
    seen: mpsc::Sender<(u64, proto::v1::Report)>,
    hellos: mpsc::Sender<Hello>,
    gaps: mpsc::Sender<Gap>,
    statuses: mpsc::Sender<SpoolStatus>,
    capability: Arc<AtomicU32>,
}

#[tonic::async_trait]
impl InventoryService for Collector {
    type ReportStream = ReceiverStream<Result<ReportResponse, tonic::Status>>;

    async fn report(
        &self,
        request: tonic::Request<tonic::Streaming<ReportRequest>>,
    ) -> Result<tonic::Response<Self::ReportStream>, tonic::Status> {
        let mut inbound = request.into_inner();
        let Some(report_request::Message::Hello(hello)) = inbound.message().await?.unwrap().message else {
            return Err(tonic::Status::invalid_argument("no hello"));
        };
        self.hellos.send(hello).await.unwrap();
        let session = self.sessions.lock().unwrap().pop_front();
        let session = session.ok_or_else(|| tonic::Status::unavailable("no session left"))?;
        let (acked, seen) = (Arc::clone(&self.acked), self.seen.clone());
        let (responses, outgoing) = mpsc::channel(16);
        let welcome = Welcome {
            capability: self.capability.load(Ordering::Relaxed),
            acked_sequence: *acked.lock().unwrap(),
            window: 2,
            max_report_bytes: 1 << 20,
            max_evidence_bytes: 0,
            known_engines: None,
        };
        responses
            .send(Ok(response(report_response::Message::Welcome(welcome))))
            .await
            .unwrap();
        let (gaps, statuses) = (self.gaps.clone(), self.statuses.clone());
        tokio::spawn(async move {
            let mut taken = 0;
            while let Ok(Some(request)) = inbound.message().await {
                let mut reports = Vec::new();
                let sequence = match request.message.unwrap() {
                    report_request::Message::Report(one) => {
                        let sequence = one.sequence;
                        reports.push(one);
                        sequence
                    }
                    report_request::Message::Batch(batch) => {
                        reports = batch.reports;
                        reports.last().unwrap().sequence
                    }
                    report_request::Message::Gap(gap) => {
                        gaps.send(gap).await.unwrap();
                        gap.to
                    }
                    report_request::Message::Status(status) => {
                        statuses.send(status).await.unwrap();
                        continue;
                    }
                    report_request::Message::PlanStatus(_)
                    | report_request::Message::Coverage(_)
                    | report_request::Message::Engines(_) => panic!("no plan was sent"),
                    report_request::Message::Hello(_) => panic!("a second hello"),
                };
                taken += reports.len();
                for one in reports {
                    let report = proto::v1::Report::decode(one.report).unwrap();
                    seen.send((one.sequence, report)).await.unwrap();
                }
                match session {
                    Session::Die(count) if taken >= count => return,
                    Session::Half if taken == 2 => {
                        let third = Duration::from_millis(200);
                        while let Ok(more) = timeout(third, inbound.message()).await {
                            let more = more.unwrap().unwrap().message;
                            let status = matches!(more, Some(report_request::Message::Status(_)));
                            assert!(status, "more than the window was sent");
                        }
                        *acked.lock().unwrap() = 1;
                        let ack = Ack {
                            sequence: 1,
                            verdicts: Vec::new(),
                        };
                        let _ = responses
                            .send(Ok(response(report_response::Message::Ack(ack))))
                            .await;
                        return;
                    }
                    Session::Die(_) | Session::Half => {}
                    Session::Say(verdict) => {
                        *acked.lock().unwrap() = sequence;
                        let ack = Ack {
                            sequence,
                            verdicts: vec![Verdict {
                                sequence,
                                kind: verdict as i32,
                                reason: String::new(),
                            }],
                        };
                        let _ = responses
                            .send(Ok(response(report_response::Message::Ack(ack))))
                            .await;
                    }
                }
            }
        });
        Ok(tonic::Response::new(ReceiverStream::new(outgoing)))
    }
}

fn response(message: report_response::Message) -> ReportResponse {
    ReportResponse {
        message: Some(message),
    }
}

/// An agent from its reports on, and the collector it talks to.
struct House {
    capability: Arc<AtomicU32>,
    sessions: Arc<Mutex<VecDeque<Session>>>,
    keeping: tokio::task::JoinHandle<Result<(), crate::keep::KeepError>>,
    reports: mpsc::Sender<Report>,
    seen: mpsc::Receiver<(u64, proto::v1::Report)>,
    hellos: mpsc::Receiver<Hello>,
    gaps: mpsc::Receiver<Gap>,
    statuses: mpsc::Receiver<SpoolStatus>,
    shared: Shared,
    limit: Arc<AtomicUsize>,
    stop: CancellationToken,
    again: Uplink,
    renewed: watch::Sender<u64>,
    uplink: tokio::task::JoinHandle<Result<(), SpoolError>>,
    _folder: tempfile::TempDir,
}

async fn house(sessions: &[Session], trusted: bool) -> House {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let (key, certificate) = authority.collector();
    let clients = if trusted {
        authority.pem.clone()
    } else {
        Authority::new().pem
    };
    let tls = ServerTlsConfig::new()
        .identity(Identity::from_pem(certificate, key))
        .client_ca_root(Certificate::from_pem(clients));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("https://{}", listener.local_addr().unwrap());
    let (saw, seen) = mpsc::channel(64);
    let (greeted, hellos) = mpsc::channel(64);
    let (declared, gaps) = mpsc::channel(64);
    let (stood, statuses) = mpsc::channel(64);
    let capability = Arc::new(AtomicU32::new(proto::CAPABILITY));
    let to_come = Arc::new(Mutex::new(sessions.iter().copied().collect()));
    let collector = Collector {
        sessions: Arc::clone(&to_come),
        acked: Arc::default(),
        seen: saw,
        hellos: greeted,
        gaps: declared,
        statuses: stood,
        capability: Arc::clone(&capability),
    };
    let service = InventoryServiceServer::new(collector)
        .accept_compressed(CompressionEncoding::Zstd)
        .send_compressed(CompressionEncoding::Zstd);
    let server = Server::builder().tls_config(tls).unwrap().add_service(service);
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));

    let options = Options {
        quota_bytes: 4096,
        move_damaged_aside: false,
        clock: SystemTime::now,
    };
    let (spool, _) = Spool::open(&folder.path().join("spool"), &options).unwrap();
    let shared = Shared::new(spool, SystemTime::now);
    let (reports, received) = mpsc::channel(1);
    let stop = CancellationToken::new();
    let keeping = tokio::spawn(keep(received, shared.clone(), CancellationToken::new()));
    let limit = Arc::default();
    let (renewed, renewals) = watch::channel(0);
    let uplink = Uplink {
        address,
        identity: authority.agent(folder.path()),
        renewals,
        shared: shared.clone(),
        max_pause: Duration::from_secs(60),
        linger: Duration::from_millis(50),
        collector_limit: Arc::clone(&limit),
        plans: None,
    };
    let again = uplink.clone();
    let uplink = tokio::spawn(uplink.run(stop.clone()));
    House {
        capability,
        sessions: to_come,
        keeping,
        reports,
        seen,
        hellos,
        gaps,
        statuses,
        shared,
        limit,
        stop,
        again,
        renewed,
        uplink,
        _folder: folder,
    }
}

impl House {
    async fn poll(&self, host: u8, shown: u8) {
        let round = Round {
            started: SystemTime::now(),
            took: Duration::ZERO,
            observations: vec![Observation {
                kind: 1,
                oids: vec![Bytes::from_static(&[43])],
                outcome: 1,
                varbinds: vec![proto::v1::Varbind {
                    oid: Bytes::from_static(&[43, 6]),
                    tag: 4,
                    value: vec![shown; 300].into(),
                }],
            }],
            readings: Vec::new(),
            cost: Cost::default(),
            answered: true,
            undecodable: 0,
            engine_shared: false,
            glance: None,
            resumed: false,
            moved: None,
            refreshed: false,
        };
        let target = format!("192.0.2.{host}").parse().unwrap();
        self.reports.send(Report::new(target, round, &[])).await.unwrap();
    }

    async fn greeted(&mut self) -> Hello {
        timeout(Duration::from_secs(20), self.hellos.recv())
            .await
            .unwrap()
            .unwrap()
    }

    /// Waits until the spool has let go of a sequence.
    async fn is_acked(&self, sequence: u64) {
        let mut heard = self.shared.under_way.subscribe();
        while self.shared.spool.first_sequence() <= sequence {
            timeout(Duration::from_secs(20), heard.changed())
                .await
                .unwrap()
                .unwrap();
        }
    }

    async fn sees(&mut self) -> (u64, proto::v1::Report) {
        timeout(Duration::from_secs(20), self.seen.recv())
            .await
            .unwrap()
            .unwrap()
    }
}

#[tokio::test]
async fn what_is_not_acknowledged_is_sent_again_and_nothing_is_skipped() {
    let sessions = [Session::Die(2), Session::Half, Session::Say(VerdictKind::Stored)];
    let mut house = house(&sessions, true).await;
    for host in 1..=5 {
        house.poll(host, host).await;
    }
    let mut sequences = Vec::new();
    for _ in 0..8 {
        sequences.push(house.sees().await.0);
    }
    assert_eq!(sequences, [1, 2, 1, 2, 2, 3, 4, 5]);
    let (first, second) = (
        house.hellos.recv().await.unwrap(),
        house.hellos.recv().await.unwrap(),
    );
    assert_eq!((first.epoch.len(), first.epoch == second.epoch), (16, true));
    assert_eq!((second.first_sequence, second.capability), (1, proto::CAPABILITY));
    assert_eq!(house.limit.load(Ordering::Relaxed), (1 << 20) - MARGIN);
    // It ends when told, with an empty spool: the last acknowledgements are waited for.
    house.stop.cancel();
    timeout(Duration::from_secs(20), house.uplink)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert_eq!(house.shared.spool.depth().waiting, 0);
}

#[tokio::test]
async fn a_renewed_identity_means_a_new_session_and_no_report_twice() {
    let sessions = [Session::Say(VerdictKind::Stored); 2];
    let mut house = house(&sessions, true).await;
    for host in 1..=2 {
        house.poll(host, host).await;
        assert_eq!(house.sees().await.0, u64::from(host));
        house.greeted().await;
        house.renewed.send_modify(|count| *count += 1);
    }
    // The third session is refused; none was paused for, and none saw a report again.
    let third = house.greeted().await;
    assert_eq!((third.first_sequence, third.next_sequence), (3, 3));
    assert!(house.seen.is_empty());
}

#[tokio::test]
async fn an_unchanged_element_costs_a_digest() {
    let mut house = house(&[Session::Say(VerdictKind::Stored)], true).await;
    let mut full = Vec::new();
    for shown in [1, 1, 2, 2] {
        house.poll(1, shown).await;
        let (sequence, report) = house.sees().await;
        full.push(report.evidence.is_some());
        let digest = report
            .evidence
            .map(|evidence| proto::digest::of_evidence(&evidence));
        assert!(digest.is_none_or(|digest| digest == *report.evidence_digest));
        // The acknowledgement arrives before the next round.
        house.is_acked(sequence).await;
    }
    assert_eq!(full, [true, false, true, false]);
}

#[tokio::test]
async fn what_is_wanted_goes_in_full_again() {
    let mut house = house(&[Session::Say(VerdictKind::Wanted)], true).await;
    for _ in 0..3 {
        house.poll(1, 1).await;
        let (sequence, report) = house.sees().await;
        assert!(report.evidence.is_some());
        house.is_acked(sequence).await;
    }
}

#[tokio::test]
async fn a_full_spool_declares_a_gap_and_keeps_the_newest() {
    // Nobody answers until all are kept; the spool takes some ten reports.
    let mut house = house(&[], true).await;
    for host in 1..=30 {
        house.poll(host, host).await;
    }
    house.reports = mpsc::channel(1).0;
    (&mut house.keeping).await.unwrap().unwrap();
    let waiting = house.shared.spool.depth().waiting;
    assert!((5..15).contains(&waiting), "{waiting}");
    house
        .sessions
        .lock()
        .unwrap()
        .push_back(Session::Say(VerdictKind::Stored));
    for expected in 31 - waiting..=30 {
        let (sequence, report) = house.sees().await;
        assert_eq!(sequence, expected);
        assert_eq!(report.target.unwrap().address, format!("192.0.2.{sequence}"));
    }
    let gap = house.gaps.recv().await.unwrap();
    assert_eq!((gap.from, gap.to, gap.count), (1, 30 - waiting, 30 - waiting));
    assert_eq!(gap.reason(), GapReason::SpoolFull);
    assert!(gap.declared_micros > 1_600_000_000_000_000, "{gap:?}");
    // How deep the spool is was told before the gap, and how old its oldest is.
    let status = house.statuses.recv().await.unwrap();
    assert_eq!((status.next_sequence, status.waiting_reports), (31, waiting));
    assert_eq!(
        (status.dropped_reports, status.refused_reports),
        (30 - waiting, 0)
    );
    assert!(
        status.waiting_bytes > 0 && status.oldest_age_micros > 0,
        "{status:?}"
    );
    assert!(
        status.unsent_age_micros > 0 && status.unacked_age_micros == 0,
        "nothing was sent yet: {status:?}"
    );
    house.is_acked(30).await;
    assert_eq!(house.shared.spool.first_sequence(), 31);
    assert!(house.gaps.try_recv().is_err(), "one gap, told once");
    // What went with the gap is not taken for stored, what was acknowledged is.
    let (reports, received) = mpsc::channel(1);
    house.reports = reports;
    tokio::spawn(keep(received, house.shared.clone(), CancellationToken::new()));
    for (host, full) in [(1, true), (30, false)] {
        house.poll(host, host).await;
        assert_eq!(house.sees().await.1.evidence.is_some(), full, "{host}");
    }
}

#[tokio::test]
async fn a_collector_of_old_is_told_what_it_understands() {
    let mut house = house(&[], true).await;
    house.stop.cancel();
    (&mut house.uplink).await.unwrap().unwrap();
    house.capability.store(1, Ordering::Relaxed);
    let say = |house: &House| {
        let mut sessions = house.sessions.lock().unwrap();
        sessions.push_back(Session::Say(VerdictKind::Stored));
    };
    // Reports come one by one, and nothing beside them.
    for host in 1..=3 {
        house.poll(host, host).await;
    }
    say(&house);
    let stop = CancellationToken::new();
    let again = house.again.clone();
    let session = tokio::spawn({
        let stop = stop.clone();
        async move { again.session(&stop).await }
    });
    for sequence in 1..=3 {
        assert_eq!(house.sees().await.0, sequence);
    }
    house.is_acked(3).await;
    stop.cancel();
    session.await.unwrap().unwrap();
    assert!(house.statuses.try_recv().is_err());

    // A gap it has no word for ends the session, and stays.
    for host in 1..=30 {
        house.poll(host, host).await;
    }
    house.reports = mpsc::channel(1).0;
    (&mut house.keeping).await.unwrap().unwrap();
    say(&house);
    let never = CancellationToken::new();
    let session = timeout(Duration::from_secs(20), house.again.session(&never));
    let error = session.await.unwrap().unwrap_err();
    assert!(matches!(error, SessionError::TooOld(_)), "{error:?}");
    assert!(house.gaps.try_recv().is_err());
    let kept = house.shared.spool.read_from(0, 1, 1).unwrap();
    assert!(matches!(kept[..], [Item::Gap(gap)] if gap.from == 4), "{kept:?}");
}

#[tokio::test]
async fn a_stranger_is_not_talked_to() {
    let mut house = house(&[Session::Say(VerdictKind::Stored)], false).await;
    let error = house.again.session(&CancellationToken::new()).await.unwrap_err();
    assert!(
        matches!(error, SessionError::Connect(_) | SessionError::Status(..)),
        "{error:?}"
    );
    house.again.identity = "/nonexistent".into();
    let error = house.again.session(&CancellationToken::new()).await.unwrap_err();
    assert!(matches!(error, SessionError::Identity(..)), "{error:?}");
    assert!(
        house.hellos.is_empty(),
        "no greeting without a certificate of the authority"
    );
}

/// What `reports` messages cost as gRPC sends them: encoded, compressed, framed.
fn on_the_wire(messages: &[report_request::Message]) -> usize {
    messages
        .iter()
        .map(|message| {
            let encoded = request(message.clone()).encode_to_vec();
            5 + zstd::bulk::compress(&encoded, 3).unwrap().len()
        })
        .sum()
}

#[test]
fn unchanged_elements_share_what_they_have_in_common() {
    let reports: Vec<Item> = (0..128u64)
        .map(|n| {
            let shown = proto::v1::Observation {
                kind: 1,
                oids: vec![n.to_be_bytes().to_vec().into()],
                outcome: 1,
                varbinds: Vec::new(),
            };
            let uptime = proto::v1::Varbind {
                oid: Bytes::from_static(&[43, 6, 1, 2, 1, 1, 3, 0]),
                tag: 0x43,
                value: (n as u32 * 7_919 + 1_000_000).to_be_bytes().to_vec().into(),
            };
            let round = Round {
                started: UNIX_EPOCH + Duration::from_millis(1_700_000_000_000 + n * 293),
                took: Duration::from_micros(40_000 + n * 131),
                observations: vec![shown],
                readings: vec![uptime],
                cost: Cost {
                    requests: 12 + n as u32 % 3,
                    retries: 0,
                    varbinds: 300 + n as u32 * 7 % 90,
                },
                answered: true,
                undecodable: 0,
                engine_shared: false,
                glance: None,
                resumed: false,
                moved: None,
                refreshed: false,
            };
            let target = format!("10.20.{}.{}", n / 100, n % 100).parse().unwrap();
            Item::Record(spool::Record {
                sequence: 1_000_000 + n,
                payload: Report::new(target, round, &[]).encode(false).into(),
            })
        })
        .collect();
    let alone: Vec<_> = reports
        .iter()
        .map(|item| message(vec![item.clone()], 2).unwrap().unwrap())
        .collect();
    let together = [message(reports, 2).unwrap().unwrap()];
    let (alone, together) = (
        on_the_wire(&alone) as f64 / 128.0,
        on_the_wire(&together) as f64 / 128.0,
    );
    println!("bytes per unchanged report: {alone:.1} alone, {together:.1} together");
    assert!(together < alone * 0.6, "{together} {alone}");
}

#[test]
fn a_collector_gets_nothing_that_it_would_take_for_something_else() {
    let item = |refreshed, context: &str| {
        let report = proto::v1::Report {
            refreshed,
            evidence_zstd: None,
            target: Some(proto::v1::Target {
                context: context.to_owned(),
                ..Default::default()
            }),
            ..Default::default()
        };
        Item::Record(spool::Record {
            sequence: 1,
            payload: prost::Message::encode_to_vec(&report).into(),
        })
    };
    for (refreshed, context, capability, refused) in [
        (false, "", 3, None),
        (true, "", 4, None),
        (true, "", 3, Some("a refreshed element")),
        (true, "", 1, Some("a refreshed element")),
        // Contexts would be one element there.
        (false, "red", 6, None),
        (true, "red", 6, None),
        (false, "red", 5, Some("a context")),
        (true, "red", 4, Some("a context")),
        (false, "red", 1, Some("a context")),
    ] {
        let result = message(vec![item(false, ""), item(refreshed, context)], capability);
        match refused {
            None => assert!(result.unwrap().is_some()),
            Some(what) => assert!(
                matches!(result, Err(SessionError::TooOld(said)) if said == what),
                "{capability}"
            ),
        }
    }
}
