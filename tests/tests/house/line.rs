//! The line between agents and collector: nothing acknowledged is lost, no stranger gets in.

use super::programs::{LAB, PATIENCE};
use agent::keep::Shared;
use agent::uplink::Uplink;
use lab::element::Behaviour;
use lab::house::{House, HouseSpec};
use lab::network::Plan;
use lab::proxy::{Mode, Proxy};
use proto::v1;
use proto::v1::inventory_service_client::InventoryServiceClient;
use tokio_stream::iter;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

fn plan(elements: usize) -> Plan {
    let kinds = ["nokia-7750-sr7", "cisco-asr9010", "juniper-mx480", "arista-7280"];
    (0..elements).fold(Plan::small(), |plan, n| {
        plan.with(
            kinds[n % kinds.len()],
            &format!("element-{n}"),
            "core",
            Behaviour::Normal,
        )
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_of_the_collector_in_mid_stream_loses_nothing() {
    let mut spec = HouseSpec::new(LAB, plan(40));
    spec.interval_seconds = 2;
    let mut house = House::start(spec).await.unwrap();
    let mut before = 0;
    for _ in 0..3 {
        // Reports keep coming, so the kill falls between two commits or into one.
        let seen = house
            .wait_until(PATIENCE, |s| s.reports >= before + 40)
            .await
            .unwrap();
        before = seen.reports;
        house.kill_collector().await.unwrap();
        house.start_collector().await.unwrap();
        let after = house.summary().await.unwrap();
        assert!(
            after.reports >= before,
            "{} reports were shown, {} are left",
            before,
            after.reports
        );
        assert_eq!(after.lost, 0);
    }
    let whole = |s: &lab::house::Summary| s.reports >= before + 80 && s.identified == 40;
    let summary = house.wait_until(PATIENCE, whole).await.unwrap();
    assert_eq!((summary.lost, summary.elements), (0, 40));
    house.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_of_the_agent_leaves_no_hole_and_no_second_element() {
    let mut spec = HouseSpec::new(LAB, plan(20));
    spec.interval_seconds = 2;
    let mut house = House::start(spec).await.unwrap();
    let before = house.wait_until(PATIENCE, |s| s.reports >= 20).await.unwrap();
    house.kill_agent("lab").await.unwrap();
    house.start_agent("lab").unwrap();
    let after = house
        .wait_until(PATIENCE, |s| s.reports >= before.reports + 40)
        .await
        .unwrap();
    assert_eq!((after.lost, after.elements), (0, 20));
    house.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_is_refused_and_an_agent_is_heard() {
    let house = House::start(HouseSpec::new(LAB, plan(1))).await.unwrap();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let url = format!("https://{}", house.grpc());
    let pem = std::fs::read_to_string(house.data().join("agent-lab.pem")).unwrap();
    let authority = pem
        .rfind("-----BEGIN CERTIFICATE-----")
        .and_then(|at| pem.get(at..))
        .unwrap();
    let hello = || {
        let hello = v1::Hello {
            capability: proto::CAPABILITY,
            epoch: vec![7; 16].into(),
            first_sequence: 1,
            next_sequence: 1,
            agent_version: "test".into(),
            clock_micros: 1,
            plan: None,
        };
        iter([v1::ReportRequest {
            message: Some(v1::report_request::Message::Hello(hello)),
        }])
    };

    // Without a certificate: a channel, and no answer on it.
    let tls = ClientTlsConfig::new()
        .domain_name(proto::tls::COLLECTOR_NAME)
        .ca_certificate(Certificate::from_pem(authority));
    let endpoint = Endpoint::from_shared(url.clone())
        .unwrap()
        .tls_config(tls)
        .unwrap();
    let channel = endpoint.connect().await.unwrap();
    let refused = InventoryServiceClient::new(channel.clone())
        .report(hello())
        .await
        .unwrap_err();
    assert_eq!(refused.code(), tonic::Code::Unauthenticated, "a stranger");
    let check = HealthCheckRequest::default();
    let refused = HealthClient::new(channel).check(check).await.unwrap_err();
    assert_eq!(
        refused.code(),
        tonic::Code::Unauthenticated,
        "health is not for strangers"
    );

    // With the certificate of another authority.
    let folder = tempfile::tempdir().unwrap();
    let now = time::OffsetDateTime::now_utc();
    let hour = std::time::Duration::from_secs(3_600);
    let other = collector::enrol::Authority::open(folder.path(), hour, now).unwrap();
    let (forged, _) = other
        .agent_bundle(model::AgentId::generate(), &"lab".parse().unwrap(), now)
        .unwrap();
    let forged = forged.replace(forged.rsplit("-----BEGIN CERTIFICATE-----").next().unwrap(), "");
    let forged = format!(
        "{}{}",
        forged.trim_end_matches("-----BEGIN CERTIFICATE-----"),
        authority
    );
    let tls = proto::tls::Bundle::from_pem(forged).client().unwrap();
    let endpoint = Endpoint::from_shared(url.clone())
        .unwrap()
        .tls_config(tls)
        .unwrap();
    if let Ok(channel) = endpoint.connect().await {
        assert!(
            InventoryServiceClient::new(channel)
                .report(hello())
                .await
                .is_err(),
            "a forger was let in"
        );
    }

    // With its own: greeting and health.
    let tls = proto::tls::Bundle::from_pem(pem).client().unwrap();
    let channel = Endpoint::from_shared(url)
        .unwrap()
        .tls_config(tls)
        .unwrap()
        .connect()
        .await
        .unwrap();
    let mut answers = InventoryServiceClient::new(channel.clone())
        .report(hello())
        .await
        .unwrap()
        .into_inner();
    let first = answers.message().await.unwrap().unwrap();
    assert!(matches!(first.message, Some(v1::report_response::Message::Welcome(w)) if w.acked_sequence == 0));
    let check = HealthCheckRequest {
        service: "marque.v1.InventoryService".into(),
    };
    let health = HealthClient::new(channel)
        .check(check)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(health.status, 1, "serving");
    house.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_copy_of_a_spool_takes_no_number_twice() {
    let mut spec = HouseSpec::new(LAB, plan(2));
    spec.interval_seconds = 1;
    let mut house = House::start(spec).await.unwrap();
    let seen = house.wait_until(PATIENCE, |s| s.reports >= 4).await.unwrap();
    house.kill_agent("lab").await.unwrap();
    let spool = house.data().join("agent-lab.redb");
    let copy = house.data().join("copy");
    std::fs::copy(&spool, &copy).unwrap();
    house.start_agent("lab").unwrap();
    let later = house
        .wait_until(PATIENCE, |s| s.reports >= seen.reports + 8)
        .await
        .unwrap();
    house.kill_agent("lab").await.unwrap();
    // A backup is played back: its next numbers were given to other reports.
    std::fs::copy(&copy, &spool).unwrap();
    house.start_agent("lab").unwrap();
    house
        .wait_for_words("agent-lab", "this spool is an old copy", PATIENCE)
        .await
        .unwrap();
    let after = house
        .wait_until(PATIENCE, |s| s.reports >= later.reports + 4)
        .await
        .unwrap();
    assert_eq!((after.lost, after.gaps), (0, 0));
    house.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_element_that_tells_no_time_is_never_refused() {
    let objects = "1.3.6.1.2.1.1.1.0|4|a box\n1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.9.1.1\n";
    let plan = plan(1).with_objects(objects, "timeless", "core").unwrap();
    let mut spec = HouseSpec::new(LAB, plan);
    spec.interval_seconds = 1;
    let mut house = House::start(spec).await.unwrap();
    house.wait_until(PATIENCE, |s| s.reports >= 10).await.unwrap();
    let log = std::fs::read_to_string(house.data().join("collector.log")).unwrap();
    assert!(
        log.contains("agent connected") && !log.contains("refused"),
        "{log}"
    );
    house.stop().await.unwrap();
}

/// Keeps a report, and returns when it is acknowledged.
async fn carried(shared: &Shared) {
    let mut heard = shared.under_way.subscribe();
    let sequence = shared.spool.append(b"any".to_vec().into()).unwrap();
    shared.appended.notify_one();
    while shared.spool.first_sequence() <= sequence {
        heard.changed().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_half_open_link_is_given_up_while_it_lasts() {
    let mut house = House::start(HouseSpec::new(LAB, plan(1))).await.unwrap();
    house.kill_agent("lab").await.unwrap();
    let proxy = Proxy::start(house.grpc()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let options = spool::Options {
        quota_bytes: 1 << 20,
        move_damaged_aside: false,
        clock: std::time::SystemTime::now,
    };
    let (spool, _) = spool::Spool::open(&folder.path().join("spool"), &options).unwrap();
    let shared = Shared::new(spool, std::time::SystemTime::now);
    let (_renewed, renewals) = tokio::sync::watch::channel(0);
    let uplink = Uplink {
        address: format!("https://{}", proxy.address()),
        identity: house.data().join("agent-lab.pem"),
        renewals,
        shared: shared.clone(),
        linger: std::time::Duration::ZERO,
        collector_limit: std::sync::Arc::default(),
        plans: None,
        max_pause: std::time::Duration::from_secs(1),
    };
    let stop = tokio_util::sync::CancellationToken::new();
    let running = tokio::spawn(uplink.run(stop.clone()));
    carried(&shared).await;
    // From now on nobody hears what is said on this connection, and nobody closes it.
    proxy.set(Mode::HalfOpen);
    tokio::time::timeout(PATIENCE, carried(&shared))
        .await
        .expect("another connection was made");
    stop.cancel();
    running.await.unwrap().unwrap();
    house.stop().await.unwrap();
}
