//! When more is kept than a spool may hold: nothing goes without a gap in its place.

use super::programs::{LAB, PATIENCE};
use lab::element::Behaviour;
use lab::house::{House, HouseSpec};
use lab::network::Plan;
use proto::v1;
use proto::v1::inventory_service_client::InventoryServiceClient;
use proto::v1::report_request::Message;
use proto::v1::report_response;
use tonic::transport::{Channel, Endpoint};

/// As small as an agent allows.
const QUOTA: u64 = 1 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_spool_that_overflows_while_the_collector_is_dead_declares_what_went() {
    let kinds = ["nokia-7750-sr7", "cisco-asr9010", "juniper-mx480", "arista-7280"];
    let plan = (0..40).fold(Plan::small(), |plan, n| {
        plan.with(
            kinds[n % kinds.len()],
            &format!("element-{n}"),
            "core",
            Behaviour::Normal,
        )
    });
    let mut spec = HouseSpec::new(LAB, plan);
    spec.interval_seconds = 1;
    spec.spool_quota_bytes = Some(QUOTA);
    let mut house = House::start(spec).await.unwrap();
    // An agent that starts with nobody to talk to sends everything in full.
    house.kill_agent("lab").await.unwrap();
    house.kill_collector().await.unwrap();
    house.start_agent("lab").unwrap();
    house
        .wait_for_words("agent-lab", "spool is full", PATIENCE)
        .await
        .unwrap();

    house.start_collector().await.unwrap();
    let seen = house
        .wait_until(PATIENCE, |s| s.gaps > 0 && s.identified == 40)
        .await
        .unwrap();
    assert_eq!((seen.lost, seen.elements), (0, 40));
    let page = house.get("/").await.unwrap();
    assert!(page.contains("gap in the last day"), "the page says so in words");
    assert!(!page.contains("not told"), "how its spool stands was told");

    // The gap was stored with the cursor: a power cut of the collector changes nothing.
    house.kill_agent("lab").await.unwrap();
    let before = house.summary().await.unwrap();
    house.kill_collector().await.unwrap();
    house.start_collector().await.unwrap();
    let after = house.summary().await.unwrap();
    assert_eq!((after.lost, after.gaps), (0, before.gaps));
    assert!(after.reports >= before.reports, "{before:?} {after:?}");

    // And the line goes on where it was, without a hole.
    house.start_agent("lab").unwrap();
    let more = house
        .wait_until(PATIENCE, |s| s.reports >= after.reports + 40)
        .await
        .unwrap();
    assert_eq!(more.lost, 0);
    house.stop().await.unwrap();
}

/// A stream with these messages on it; the last answer, or why it ended.
async fn say(channel: &Channel, messages: Vec<Message>) -> Result<report_response::Message, tonic::Status> {
    let requests = messages.into_iter().map(|message| v1::ReportRequest {
        message: Some(message),
    });
    let requests: Vec<_> = requests.collect();
    let mut answers = InventoryServiceClient::new(channel.clone())
        .report(tokio_stream::iter(requests))
        .await?
        .into_inner();
    let mut last = None;
    while let Some(answer) = answers.message().await? {
        last = answer.message;
    }
    Ok(last.unwrap())
}

fn hello(next_sequence: u64) -> Message {
    Message::Hello(v1::Hello {
        capability: proto::CAPABILITY,
        epoch: vec![9; 16].into(),
        first_sequence: 1,
        next_sequence,
        agent_version: "test".into(),
        clock_micros: 1,
        plan: None,
    })
}

/// The greeting of an agent that says it follows this plan.
fn follower(revision: u64, digest: Vec<u8>) -> Message {
    let Message::Hello(mut greeting) = hello(5) else {
        panic!("a greeting is one");
    };
    greeting.plan = Some(v1::PlanId {
        revision,
        digest: digest.into(),
    });
    Message::Hello(greeting)
}

fn gap(from: u64, to: u64) -> Message {
    Message::Gap(v1::Gap {
        from,
        to,
        count: to - from + 1,
        reason: v1::GapReason::SpoolFull.into(),
        declared_micros: 1,
    })
}

fn status(next_sequence: u64) -> Message {
    Message::Status(v1::SpoolStatus {
        next_sequence,
        waiting_reports: u64::MAX,
        waiting_bytes: u64::MAX,
        oldest_age_micros: u64::MAX,
        refused_reports: u64::MAX,
        dropped_reports: u64::MAX,
        no_room_micros: u64::MAX,
        unsent_age_micros: u64::MAX,
        unacked_age_micros: u64::MAX,
    })
}

fn batch(sequences: std::ops::RangeInclusive<u64>) -> Message {
    let report = |sequence| v1::SequencedReport {
        sequence,
        report: vec![0xff; 3].into(),
    };
    Message::Batch(v1::SequencedBatch {
        reports: sequences.map(report).collect(),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_honest_agent_says_costs_the_stream_and_moves_nothing() {
    let plan = Plan::small().with("axis-p3265", "one", "video", Behaviour::Normal);
    let mut house = House::start(HouseSpec::new(LAB, plan)).await.unwrap();
    house.wait_until(PATIENCE, |s| s.reports >= 1).await.unwrap();
    house.kill_agent("lab").await.unwrap();
    let before = house.summary().await.unwrap().reports;
    let _ = rustls::crypto::ring::default_provider().install_default();
    let pem = std::fs::read_to_string(house.data().join("agent-lab.pem")).unwrap();
    let tls = proto::tls::Bundle::from_pem(pem).client().unwrap();
    let endpoint = Endpoint::from_shared(format!("https://{}", house.grpc())).unwrap();
    let channel = endpoint.tls_config(tls).unwrap().connect().await.unwrap();

    let far = proto::MAX_SEQUENCE + 1;
    for (said, refused) in [
        (vec![hello(5), gap(1, 5)], "gap.to is missing or out of range"),
        (vec![hello(5), status(far)], "next_sequence is out of range"),
        (vec![hello(far)], "next_sequence is out of range"),
        (vec![hello(5), gap(2, 3)], "report sequence 2 does not follow 0"),
        (
            vec![hello(1), status(9), gap(1, 9)],
            "gap.to is missing or out of range",
        ),
        (
            vec![hello(500), batch(1..=257)],
            "a batch is larger than the window",
        ),
        (vec![hello(5), hello(5)], "a report was expected"),
        (
            vec![hello(5), Message::PlanStatus(v1::PlanStatus::default())],
            "no plan is waiting for an answer",
        ),
        (
            vec![follower(1, vec![7; 31])],
            "a plan is not named by revision and digest",
        ),
        (
            vec![follower(far, vec![7; 32])],
            "a plan is not named by revision and digest",
        ),
    ] {
        let ended = say(&channel, said).await.unwrap_err();
        assert_eq!(ended.message(), refused);
    }
    let summary = house.summary().await.unwrap();
    assert_eq!((summary.gaps, summary.reports, summary.lost), (0, before, 0));

    // What an honest one says, told later than the greeting.
    let said = vec![hello(1), status(9), gap(1, 5), batch(6..=8)];
    let answer = say(&channel, said).await.unwrap();
    let report_response::Message::Ack(ack) = answer else {
        panic!("{answer:?}")
    };
    assert_eq!((ack.sequence, ack.verdicts.len()), (8, 3));
    let summary = house.summary().await.unwrap();
    assert_eq!((summary.gaps, summary.reports, summary.lost), (5, before + 3, 0));
    house.stop().await.unwrap();
}
