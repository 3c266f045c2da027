//! A chassis of 100,000 parts: one report, whole, from the line to what is concluded of it.

use super::programs::{LAB, PATIENCE};
use lab::element::Behaviour;
use lab::house::{House, HouseSpec};
use lab::network::Plan;
use prost::Message as _;
use proto::v1;
use proto::v1::inventory_service_client::InventoryServiceClient;
use proto::v1::report_request::Message;
use proto::v1::report_response;
use std::time::{SystemTime, UNIX_EPOCH};
use tonic::transport::Endpoint;

const PARTS: u32 = 100_000;

/// entPhysicalTable: class, serial number, maker of every part, and a name so long that the
/// evidence could not travel as it is.
fn evidence() -> Vec<u8> {
    let entry = agent::plan::oid::parse("1.3.6.1.2.1.47.1.1.1.1").unwrap();
    let columns = [5, 7, 11, 12].map(|column| (column, agent::plan::oid::child(&entry, column)));
    let value = |column: u32, part: u32| match column {
        5 => (2, vec![if part == 1 { 3 } else { 9 }]),
        7 => (
            4,
            format!("{part:06} of a chassis {}", "x".repeat(40)).into_bytes(),
        ),
        11 => (4, format!("SN{part:08}").into_bytes()),
        _ => (4, b"Nokia".to_vec()),
    };
    let varbinds = columns.iter().flat_map(|(number, column)| {
        (1..=PARTS).map(move |part| {
            let (tag, value) = value(*number, part);
            v1::Varbind {
                oid: agent::plan::oid::child(column, part),
                tag,
                value: value.into(),
            }
        })
    });
    let walk = v1::Observation {
        kind: v1::QuestionKind::Walk.into(),
        oids: columns.iter().map(|(_, column)| column.clone()).collect(),
        outcome: v1::Outcome::Complete.into(),
        varbinds: varbinds.collect(),
    };
    v1::Evidence {
        observations: vec![walk],
    }
    .encode_to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chassis_of_100_000_parts_is_taken_in_and_identified() {
    let plan = Plan::small().with("axis-p3265", "one", "video", Behaviour::Normal);
    let mut house = House::start(HouseSpec::new(LAB, plan)).await.unwrap();
    let before = house
        .wait_until(PATIENCE, |s| s.identified == 1 && s.pending.unevaluated == 0)
        .await
        .unwrap();
    house.kill_agent("lab").await.unwrap();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let pem = std::fs::read_to_string(house.data().join("agent-lab.pem")).unwrap();
    let tls = proto::tls::Bundle::from_pem(pem).client().unwrap();
    let endpoint = Endpoint::from_shared(format!("https://{}", house.grpc())).unwrap();
    let channel = endpoint.tls_config(tls).unwrap().connect().await.unwrap();

    let evidence = evidence();
    assert!(evidence.len() > proto::MAX_REPORT_BYTES && evidence.len() < proto::MAX_EVIDENCE_BYTES);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros();
    let now = i64::try_from(now).unwrap();
    let report = v1::Report {
        target: Some(v1::Target {
            address: "192.0.2.200".into(),
            port: 161,
            context: String::new(),
        }),
        started_micros: now - 1_000_000,
        finished_micros: now,
        completeness: v1::Completeness::Complete.into(),
        evidence_digest: proto::digest::of_evidence(&evidence).to_vec().into(),
        evidence: None,
        readings: Vec::new(),
        cost: None,
        refreshed: false,
        evidence_zstd: Some(proto::packed::pack(&evidence).unwrap().into()),
    };
    let hello = v1::Hello {
        capability: proto::CAPABILITY,
        epoch: vec![9; 16].into(),
        first_sequence: 1,
        next_sequence: 2,
        agent_version: "test".into(),
        clock_micros: now,
        plan: None,
    };
    let report = v1::SequencedReport {
        sequence: 1,
        report: report.encode_to_vec().into(),
    };
    let said = [Message::Hello(hello), Message::Report(report)].map(|message| v1::ReportRequest {
        message: Some(message),
    });
    let answers = InventoryServiceClient::new(channel)
        .send_compressed(tonic::codec::CompressionEncoding::Zstd)
        .report(tokio_stream::iter(said))
        .await;
    let mut answers = answers.unwrap().into_inner();
    let welcome = answers.message().await.unwrap().unwrap().message;
    let Some(report_response::Message::Welcome(welcome)) = welcome else {
        panic!("greeted with {welcome:?}")
    };
    assert_eq!(welcome.max_evidence_bytes as usize, proto::MAX_EVIDENCE_BYTES);
    let ack = answers.message().await.unwrap().unwrap().message;
    let Some(report_response::Message::Ack(ack)) = ack else {
        panic!("answered with {ack:?}")
    };
    assert_eq!((ack.sequence, ack.verdicts), (1, Vec::new()), "stored");

    let seen = house
        .wait_until(2 * PATIENCE, |s| s.identified == 2 && s.pending.unevaluated == 0)
        .await
        .unwrap();
    assert_eq!(seen.components, before.components + PARTS as usize);
    house.stop().await.unwrap();
}
