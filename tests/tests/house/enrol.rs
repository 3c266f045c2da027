//! Enrolment, renewal and revocation through real sockets: no stranger gets in.

use super::programs::{LAB, PATIENCE, complaint, run};
use lab::element::Behaviour;
use lab::house::{House, HouseSpec};
use lab::network::Plan;
use model::Instant;
use proto::tls::{AgentIdentity, Bundle, PinnedAuthority};
use proto::token::JoinToken;
use proto::v1;
use proto::v1::enrolment_service_client::EnrolmentServiceClient;
use proto::v1::enrolment_service_server::{EnrolmentService, EnrolmentServiceServer};
use proto::v1::inventory_service_client::InventoryServiceClient;
use rcgen::{CertificateParams, KeyPair, SanType};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use store::{Admission as _, SqliteStore};
use time::OffsetDateTime;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Response, Status, Streaming};

async fn house() -> House {
    House::start(spec()).await.unwrap()
}

fn spec() -> HouseSpec {
    let plan = Plan::small().with("nokia-7750-sr7", "one", "core", Behaviour::Normal);
    let mut spec = HouseSpec::new(LAB, plan);
    spec.interval_seconds = 1;
    spec
}

fn invite(house: &House) -> JoinToken {
    let words = [
        "collector",
        "agent",
        "invite",
        "--config",
        "collector.toml",
        "--site",
        "lab",
    ];
    let output = run(house.data(), &words);
    let said = complaint(&output);
    assert!(output.status.success(), "{said}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), 1, "the token alone");
    let token: JoinToken = text.parse().unwrap();
    assert!(
        said.contains(&hex(&token.authority)),
        "the fingerprint is told: {said}"
    );
    token
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn stranger(house: &House, authority: [u8; 32]) -> EnrolmentServiceClient<Channel> {
    let endpoint = Endpoint::from_shared(format!("https://{}", house.grpc())).unwrap();
    let endpoint = PinnedAuthority::endpoint(endpoint, authority).unwrap();
    EnrolmentServiceClient::new(endpoint.connect().await.unwrap())
}

fn request(token: &str, params: &CertificateParams) -> (String, v1::EnrolRequest) {
    let key = KeyPair::generate().unwrap();
    let request = params.serialize_request(&key).unwrap();
    let request = v1::EnrolRequest {
        join_token: token.to_owned(),
        signing_request: request.der().to_vec().into(),
    };
    (key.serialize_pem(), request)
}

/// Another agent of the house's site, of which no process runs: streams of one agent end each other.
pub(super) async fn newcomer(house: &House) -> Bundle {
    let token = invite(house);
    let (key, request) = request(&token.text(), &CertificateParams::default());
    let mut stranger = stranger(house, token.authority).await;
    let answer = stranger.enrol(request).await.unwrap().into_inner();
    Bundle::issued(&key, &answer.certificates).unwrap()
}

pub(super) async fn agent(house: &House, bundle: &Bundle) -> Channel {
    Endpoint::from_shared(format!("https://{}", house.grpc()))
        .unwrap()
        .tls_config(bundle.client().unwrap())
        .unwrap()
        .connect()
        .await
        .unwrap()
}

/// An open stream of an agent that says hello and waits.
pub(super) async fn stream(
    channel: Channel,
) -> Result<(mpsc::Sender<v1::ReportRequest>, Streaming<v1::ReportResponse>), Status> {
    let hello = v1::Hello {
        capability: proto::CAPABILITY,
        epoch: vec![9; 16].into(),
        first_sequence: 1,
        next_sequence: 1,
        agent_version: "test".into(),
        clock_micros: 1,
        plan: None,
    };
    let (requests, outgoing) = mpsc::channel(4);
    let hello = v1::ReportRequest {
        message: Some(v1::report_request::Message::Hello(hello)),
    };
    requests.send(hello).await.unwrap();
    let mut inbound = InventoryServiceClient::new(channel)
        .report(ReceiverStream::new(outgoing))
        .await?
        .into_inner();
    let welcome = inbound.message().await?.unwrap();
    assert!(matches!(
        welcome.message,
        Some(v1::report_response::Message::Welcome(_))
    ));
    Ok((requests, inbound))
}

pub(super) async fn cut(mut inbound: Streaming<v1::ReportResponse>) -> Status {
    timeout(PATIENCE, inbound.message()).await.unwrap().unwrap_err()
}

async fn store(house: &House) -> SqliteStore {
    SqliteStore::open(&house.data().join("collector.db"))
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invited_agent_reports_and_its_token_opens_nothing_more() {
    let mut house = house().await;
    // Its own agent came in by invitation.
    house.wait_until(PATIENCE, |s| s.reports >= 1).await.unwrap();
    let url = format!("https://{}", house.grpc());
    let enrol = |token: &Path, out: &str| {
        let token = token.to_string_lossy();
        let words = [
            "agent",
            "enrol",
            "--collector",
            &url,
            "--token-file",
            &token,
            "--out",
            out,
        ];
        run(house.data(), &words)
    };
    let used = house.data().join("agent-lab.token");
    let again = enrol(&used, "again.pem");
    assert_eq!(again.status.code(), Some(1));
    assert!(
        complaint(&again).contains("enrolment is refused"),
        "{}",
        complaint(&again)
    );
    let over = enrol(&used, "agent-lab.pem");
    assert!(
        complaint(&over).contains("exists already"),
        "{}",
        complaint(&over)
    );

    // Expired, guessed and unknown tokens get the very same answer; each leaves its record.
    let (token, late) = (invite(&house), invite(&house));
    let store = store(&house).await;
    let mut invitation = store::admission::Invitation {
        token: uuid::Uuid::now_v7(),
        site: "lab".parse().unwrap(),
        secret_hash: late.secret_hash(),
        expires: Instant::from_datetime(OffsetDateTime::now_utc()),
    };
    let by = store::acts::Signer {
        person: "Ann".into(),
        account: "uid 1".into(),
    };
    store.invite(&invitation, &by, invitation.expires).await.unwrap();
    let parts = |token: &JoinToken| token.text().split('.').map(str::to_owned).collect::<Vec<_>>();
    let (mut guessed, mut expired, mut unknown) = (parts(&token), parts(&late), parts(&late));
    guessed[2] = parts(&late)[2].clone();
    expired[1] = invitation.token.simple().to_string();
    invitation.token = uuid::Uuid::now_v7();
    unknown[1] = invitation.token.simple().to_string();
    let mut client = stranger(&house, token.authority).await;
    let mut answers = std::collections::BTreeSet::new();
    for text in [
        guessed.join("."),
        expired.join("."),
        unknown.join("."),
        "mq1".to_owned(),
    ] {
        let refused = client
            .enrol(request(&text, &CertificateParams::default()).1)
            .await
            .unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied);
        answers.insert(refused.message().to_owned());
    }
    assert_eq!(answers.len(), 1, "{answers:?}");
    let attempts = store.attempts().await.unwrap();
    let words = [
        "enrolled",
        "expired",
        "guessed",
        "malformed",
        "replayed",
        "unknown",
    ];
    assert_eq!(attempts, words.map(|word| (word.to_owned(), 1)));

    // None of that used the good ones up; and a flood is held back.
    let (key, good) = request(&token.text(), &CertificateParams::default());
    let answer = client.enrol(good).await.unwrap().into_inner();
    Bundle::issued(&key, &answer.certificates).unwrap();
    let mut held_back = false;
    for _ in 0..50 {
        let refused = client
            .enrol(request(&token.text(), &CertificateParams::default()).1)
            .await
            .unwrap_err();
        held_back |= refused.code() == Code::ResourceExhausted;
    }
    assert!(held_back, "fifty attempts in a row");
    house.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn names_come_from_the_token_and_never_from_the_request() {
    let house = house().await;
    let token = invite(&house);
    let forged = AgentIdentity {
        agent: uuid::Uuid::now_v7(),
        site: "paris".into(),
    };
    let mut wishes = CertificateParams::default();
    wishes.subject_alt_names = vec![SanType::URI(forged.uri().try_into().unwrap())];
    let mut client = stranger(&house, token.authority).await;
    let (key, request) = request(&token.text(), &wishes);
    let answer = client.enrol(request).await.unwrap().into_inner();
    let bundle = Bundle::issued(&key, &answer.certificates).unwrap();
    let identity = bundle.agent().unwrap();
    assert_eq!(identity.site, "lab");
    assert_ne!(identity.agent, forged.agent);

    // A renewal keeps who it is, whatever the request says; without a certificate there is none.
    let fresh = KeyPair::generate().unwrap();
    let renewal = || v1::RenewRequest {
        signing_request: wishes.serialize_request(&fresh).unwrap().der().to_vec().into(),
    };
    assert_eq!(
        client.renew(renewal()).await.unwrap_err().code(),
        Code::Unauthenticated
    );
    let mut known = EnrolmentServiceClient::new(agent(&house, &bundle).await);
    let answer = known.renew(renewal()).await.unwrap().into_inner();
    let renewed = Bundle::issued(&fresh.serialize_pem(), &answer.certificates).unwrap();
    assert_eq!(renewed.agent().unwrap(), identity);
    house.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_agent_is_cut_at_once_and_never_comes_back() {
    let house = house().await;
    let (bundle, other) = (newcomer(&house).await, newcomer(&house).await);
    let (revoked, stays) = (agent(&house, &bundle).await, agent(&house, &other).await);
    let (_held, open) = stream(revoked.clone()).await.unwrap();
    let (_also_held, mut beside) = stream(stays.clone()).await.unwrap();
    let who = bundle.agent().unwrap().agent.to_string();
    let output = run(
        house.data(),
        &["collector", "agent", "revoke", "--config", "collector.toml", &who],
    );
    assert!(output.status.success(), "{}", complaint(&output));
    let began = std::time::Instant::now();
    let status = cut(open).await;
    assert_eq!(
        (status.code(), status.message()),
        (Code::PermissionDenied, "this agent is revoked")
    );
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "at once, not after {:?}",
        began.elapsed()
    );

    assert_eq!(
        stream(revoked.clone()).await.unwrap_err().code(),
        Code::PermissionDenied
    );
    let renewal = v1::RenewRequest {
        signing_request: answer_request(),
    };
    let refused = EnrolmentServiceClient::new(revoked)
        .renew(renewal)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    // Another agent of the same site does not notice.
    assert!(timeout(Duration::from_millis(1), beside.message()).await.is_err());
    stream(stays).await.unwrap();

    let listed = run(
        house.data(),
        &["collector", "agent", "list", "--config", "collector.toml"],
    );
    let listed = String::from_utf8(listed.stdout).unwrap();
    let line = |who: &str| {
        listed
            .lines()
            .find(|line| line.starts_with(who))
            .unwrap()
            .to_owned()
    };
    assert!(line(&who).ends_with("\trevoked"), "{listed}");
    assert!(
        line(&other.agent().unwrap().agent.to_string()).ends_with("\tvalid"),
        "{listed}"
    );
    let nobody = uuid::Uuid::now_v7().to_string();
    let output = run(
        house.data(),
        &[
            "collector",
            "agent",
            "revoke",
            "--config",
            "collector.toml",
            &nobody,
        ],
    );
    assert_eq!(output.status.code(), Some(1), "nobody knows {nobody}");
    house.stop().await.unwrap();
}

pub(super) fn answer_request() -> prost::bytes::Bytes {
    let key = KeyPair::generate().unwrap();
    let request = CertificateParams::default().serialize_request(&key).unwrap();
    request.der().to_vec().into()
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_renewed_without_a_restart_and_cut_when_they_run_out() {
    let mut spec = spec();
    spec.certificate_lifetime = "6s".to_owned();
    let mut house = House::start(spec).await.unwrap();
    let pem = house.data().join("agent-lab.pem");
    let identity = || Bundle::from_pem(std::fs::read_to_string(&pem).unwrap());
    let first = identity();
    // One that does not renew is cut when its time is over.
    let stays = newcomer(&house).await;
    let (_held, open) = stream(agent(&house, &stays).await).await.unwrap();
    let status = cut(open).await;
    assert_eq!(
        (status.code(), status.message()),
        (Code::PermissionDenied, "the certificate has run out")
    );
    let now = OffsetDateTime::now_utc().unix_timestamp();
    assert!(now >= stays.validity().unwrap().not_after);

    // The agent that does goes on: same process, same name, another key and certificate.
    let before = house.summary().await.unwrap().reports;
    let after = house
        .wait_until(PATIENCE, |s| s.reports >= before + 4)
        .await
        .unwrap();
    assert_eq!((after.lost, after.elements), (0, 1));
    let renewed = identity();
    assert!(renewed.validity().unwrap().not_after > first.validity().unwrap().not_after);
    assert_eq!(renewed.agent().unwrap(), first.agent().unwrap());
    let key = |bundle: &Bundle| bundle.pem().split("-----END").next().unwrap().to_owned();
    assert_ne!(key(&renewed), key(&first), "a fresh key");
    house.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_cut_off_past_its_certificates_end_goes_on_without_enrolling_anew() {
    let mut spec = spec();
    spec.certificate_lifetime = "5s".to_owned();
    let mut house = House::start(spec).await.unwrap();
    house.wait_until(PATIENCE, |s| s.reports >= 1).await.unwrap();
    house.kill_agent("lab").await.unwrap();
    let pem = house.data().join("agent-lab.pem");
    let late = Bundle::from_pem(std::fs::read_to_string(&pem).unwrap());
    let over = late.validity().unwrap().not_after;
    let now = || OffsetDateTime::now_utc().unix_timestamp();
    house.wait_until(PATIENCE, |_| now() > over + 1).await.unwrap();

    // It opens nothing but its own renewal.
    let channel = agent(&house, &late).await;
    let refused = stream(channel.clone()).await.unwrap_err();
    assert_eq!(
        (refused.code(), refused.message()),
        (Code::PermissionDenied, "the certificate has run out")
    );
    let refused = tonic_health::pb::health_client::HealthClient::new(channel.clone())
        .check(tonic_health::pb::HealthCheckRequest::default())
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    let renewal = v1::RenewRequest {
        signing_request: answer_request(),
    };
    let answer = EnrolmentServiceClient::new(channel).renew(renewal).await.unwrap();
    assert_eq!(answer.into_inner().courier_key.len(), 32);

    // The agent does that by itself.
    let before = house.summary().await.unwrap().reports;
    house.start_agent("lab").unwrap();
    let after = house
        .wait_until(PATIENCE, |s| s.reports >= before + 3)
        .await
        .unwrap();
    assert_eq!((after.lost, after.elements), (0, 1));
    let renewed = Bundle::from_pem(std::fs::read_to_string(&pem).unwrap());
    assert_eq!(renewed.agent().unwrap(), late.agent().unwrap());
    assert!(renewed.courier_key().is_some());
    // And once it is revoked, no grace helps.
    house.kill_agent("lab").await.unwrap();
    let who = renewed.agent().unwrap().agent.to_string();
    let output = run(
        house.data(),
        &["collector", "agent", "revoke", "--config", "collector.toml", &who],
    );
    assert!(output.status.success(), "{}", complaint(&output));
    let over = renewed.validity().unwrap().not_after;
    house.wait_until(PATIENCE, |_| now() > over + 1).await.unwrap();
    let renewal = v1::RenewRequest {
        signing_request: answer_request(),
    };
    let refused = EnrolmentServiceClient::new(agent(&house, &renewed).await)
        .renew(renewal)
        .await
        .unwrap_err();
    assert_eq!(refused.message(), "this agent is revoked");
    house.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_takes_over_from_another_and_nobody_enrols_anew() {
    let mut spec = spec();
    spec.certificate_lifetime = "15s".to_owned();
    let mut house = House::start(spec).await.unwrap();
    let pem = house.data().join("agent-lab.pem");
    let identity = || Bundle::from_pem(std::fs::read_to_string(&pem).unwrap());
    let first = identity();
    let folder = house.data().to_owned();
    let step = |word: &str| {
        run(
            &folder,
            &["collector", "authority", word, "--config", "collector.toml"],
        )
    };
    assert_eq!(step("promote").status.code(), Some(1), "nothing is prepared");
    assert!(step("prepare").status.success());
    let early = step("promote");
    assert!(
        complaint(&early).contains("1 agents do not know enough yet"),
        "{}",
        complaint(&early)
    );
    for word in ["promote", "forget"] {
        house.kill_collector().await.unwrap();
        house.start_collector().await.unwrap();
        let deadline = std::time::Instant::now() + PATIENCE;
        while !step(word).status.success() {
            assert!(
                std::time::Instant::now() < deadline,
                "{word}: {}",
                complaint(&step(word))
            );
            house.wait_until(PATIENCE, |_| true).await.unwrap();
        }
    }
    house.kill_collector().await.unwrap();
    house.start_collector().await.unwrap();
    let before = house.summary().await.unwrap().reports;
    let after = house
        .wait_until(PATIENCE, |s| s.reports >= before + 3)
        .await
        .unwrap();
    assert_eq!((after.lost, after.elements), (0, 1));
    let last = identity();
    assert_eq!(last.agent().unwrap(), first.agent().unwrap());
    assert_ne!(last.authority().unwrap(), first.authority().unwrap());
    assert_eq!(invite(&house).authority, last.authority().unwrap());
    house.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_of_strangers_does_not_keep_agents_out() {
    let house = house().await;
    let bundle = Bundle::from_pem(std::fs::read_to_string(house.data().join("agent-lab.pem")).unwrap());
    let mut crowd = Vec::new();
    let mut turned_away = 0;
    for _ in 0..80 {
        let endpoint = Endpoint::from_shared(format!("https://{}", house.grpc())).unwrap();
        let endpoint = PinnedAuthority::endpoint(endpoint, bundle.authority().unwrap()).unwrap();
        let renewal = v1::RenewRequest {
            signing_request: answer_request(),
        };
        let answer = match endpoint.connect().await {
            Ok(channel) => {
                let mut client = EnrolmentServiceClient::new(channel);
                let refused = client.renew(renewal).await.unwrap_err();
                crowd.push(client);
                refused.code()
            }
            Err(_) => Code::Unavailable,
        };
        // Heard and refused, or not even heard.
        turned_away += usize::from(answer != Code::Unauthenticated);
    }
    assert!(
        (16..80).contains(&turned_away),
        "{turned_away} of 80 were turned away"
    );
    stream(agent(&house, &bundle).await).await.unwrap();
    house.stop().await.unwrap();
}

/// A collector with an authority of its own that counts what it is told.
struct Impostor(Arc<AtomicUsize>);

#[tonic::async_trait]
impl EnrolmentService for Impostor {
    async fn enrol(&self, _: Request<v1::EnrolRequest>) -> Result<Response<v1::EnrolResponse>, Status> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Err(Status::permission_denied("heard"))
    }

    async fn renew(&self, _: Request<v1::RenewRequest>) -> Result<Response<v1::RenewResponse>, Status> {
        Err(Status::unimplemented("not asked"))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_impostor_hears_no_token() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir().unwrap();
    let (now, hour) = (OffsetDateTime::now_utc(), Duration::from_secs(3_600));
    let authority = collector::enrol::Authority::open(folder.path(), hour, now).unwrap();
    let tls = Bundle::from_pem(authority.collector_bundle(now).unwrap())
        .server()
        .unwrap();
    let listener = collector::ingest::Listener::bind("127.0.0.1:0".parse().unwrap(), tls)
        .await
        .unwrap();
    let url = format!("https://{}", listener.address().unwrap());
    let stop = tokio_util::sync::CancellationToken::new();
    let heard = Arc::new(AtomicUsize::new(0));
    let server = tonic::transport::Server::builder()
        .add_service(EnrolmentServiceServer::new(Impostor(Arc::clone(&heard))))
        .serve_with_incoming(listener.accept(stop.clone()));
    let serving = tokio::spawn(server);

    let out = folder.path().join("agent.pem");
    let wrong = JoinToken::generate([7; 32]).unwrap();
    let refused = agent::enrol::enrol(&url, &wrong, &out).await.unwrap_err();
    assert!(
        matches!(refused, agent::enrol::EnrolError::Connect(_)),
        "{refused:?}"
    );
    assert_eq!(
        heard.load(Ordering::SeqCst),
        0,
        "the token was told to an impostor"
    );
    // The same way, with the fingerprint that fits, it would have been heard.
    let right = JoinToken::generate(authority.fingerprint()).unwrap();
    let refused = agent::enrol::enrol(&url, &right, &out).await.unwrap_err();
    assert!(refused.to_string().contains("heard"), "{refused}");
    assert_eq!(heard.load(Ordering::SeqCst), 1);
    assert!(!out.exists());
    stop.cancel();
    serving.abort();
}
