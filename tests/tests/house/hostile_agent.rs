//! An agent that was enrolled and turned: it costs itself its stream and no one else anything.

use super::programs::{LAB, PATIENCE};
use lab::element::Behaviour;
use lab::house::{House, HouseSpec};
use lab::network::{Plan, SiteEntry};
use prost::Message as _;
use prost::bytes::{Buf as _, BufMut as _, Bytes};
use proto::v1;
use proto::v1::report_request::Message;
use serde_json::Value;
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::{Channel, Endpoint};

/// Markup and a formula.
const CONTEXT: &str = "=1+<b>red";

/// Messages as the bytes they are, so that any bytes can be sent.
#[derive(Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}

/// A stream with these messages on it; every answer, and how it ended.
async fn say(channel: &Channel, messages: impl Iterator<Item = Bytes> + Send + 'static) -> (usize, Status) {
    let mut client = tonic::client::Grpc::new(channel.clone());
    client.ready().await.unwrap();
    let path = "/marque.v1.InventoryService/Report".parse().unwrap();
    let request = tonic::Request::new(tokio_stream::iter(messages));
    let mut answers = match client.streaming(request, path, Raw).await {
        Ok(answers) => answers.into_inner(),
        Err(status) => return (0, status),
    };
    let mut count = 0;
    loop {
        match answers.message().await {
            Ok(Some(_)) => count += 1,
            Ok(None) => return (count, Status::ok("")),
            Err(status) => return (count, status),
        }
    }
}

fn bytes(message: Message) -> Bytes {
    let request = v1::ReportRequest {
        message: Some(message),
    };
    request.encode_to_vec().into()
}

fn hello(epoch: u8) -> Bytes {
    bytes(Message::Hello(v1::Hello {
        capability: proto::CAPABILITY,
        epoch: vec![epoch; 16].into(),
        first_sequence: 1,
        next_sequence: 1,
        agent_version: "turned".into(),
        clock_micros: i64::MAX,
        plan: None,
    }))
}

fn report(sequence: u64, report: Vec<u8>) -> Bytes {
    let report = report.into();
    bytes(Message::Report(v1::SequencedReport { sequence, report }))
}

/// A report about an address, true in form.
fn about(address: &str) -> Vec<u8> {
    about_within(address, "")
}

/// The same in a context.
fn about_within(address: &str, context: &str) -> Vec<u8> {
    let text = b"Huawei Versatile Routing Platform Software".to_vec();
    let name = v1::Varbind {
        oid: vec![0x2b, 6, 1, 2, 1, 1, 1, 0].into(),
        tag: 4,
        value: text.into(),
    };
    let observation = v1::Observation {
        kind: v1::QuestionKind::Get.into(),
        oids: vec![name.oid.clone()],
        outcome: v1::Outcome::Complete.into(),
        varbinds: vec![name],
    };
    let evidence = v1::Evidence {
        observations: vec![observation],
    }
    .encode_to_vec();
    v1::Report {
        target: Some(v1::Target {
            address: address.into(),
            port: 161,
            context: context.to_owned(),
        }),
        started_micros: 1,
        finished_micros: i64::MAX,
        completeness: v1::Completeness::Complete.into(),
        evidence_digest: proto::digest::of_evidence(&evidence).to_vec().into(),
        evidence: Some(evidence.into()),
        readings: vec![],
        cost: None,
        refreshed: false,
        evidence_zstd: None,
    }
    .encode_to_vec()
}

/// The site `lab` and its agent, which stays honest, and `mill`, whose agent turns.
async fn house() -> (House, Channel) {
    let mut plan = Plan::small().with("cisco-asr9010", "honest", "core", Behaviour::Normal);
    let mill = SiteEntry {
        name: "mill".to_owned(),
        title: "Mill".to_owned(),
        network: 31,
        ..plan.sites[0].clone()
    };
    plan.sites.push(mill);
    plan = plan.with("axis-p3265", "gate", "video", Behaviour::Normal);
    let mut spec = HouseSpec::new(LAB, plan);
    spec.interval_seconds = 1;
    let mut house = House::start(spec).await.unwrap();
    house.wait_until(PATIENCE, |s| s.identified == 2).await.unwrap();
    house.kill_agent("mill").await.unwrap();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let pem = std::fs::read_to_string(house.data().join("agent-mill.pem")).unwrap();
    let tls = proto::tls::Bundle::from_pem(pem).client().unwrap();
    let endpoint = Endpoint::from_shared(format!("https://{}", house.grpc())).unwrap();
    let channel = endpoint.tls_config(tls).unwrap().connect().await.unwrap();
    (house, channel)
}

async fn elements(house: &House, filter: &str) -> Vec<Value> {
    let path = format!("/api/v1/elements?limit=500{filter}");
    let page: Value = serde_json::from_str(&house.get(&path).await.unwrap()).unwrap();
    page["rows"].as_array().unwrap().clone()
}

/// Waits until the honest agent's element was reported on so many times more.
async fn goes_on(house: &mut House, times: usize) {
    let mut last = Value::Null;
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let mut seen = 0;
    while seen <= times {
        assert!(
            tokio::time::Instant::now() < deadline,
            "the honest agent is held up"
        );
        assert!(house.ended().is_none(), "nothing of the house ends");
        let rows = elements(house, "&site=lab").await;
        let now = rows.iter().find(|row| row["name"] == "honest").unwrap()["last_report"].clone();
        if now != last {
            (seen, last) = (seen + 1, now);
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_sends_costs_its_stream_and_nobody_else() {
    let (mut house, channel) = house().await;
    let too_large = proto::MAX_MESSAGE_BYTES + 1;
    let cases: [(&str, Vec<Bytes>, tonic::Code); 6] = [
        (
            "no protobuf",
            vec![hello(1), Bytes::from_static(&[0xff; 40])],
            tonic::Code::Internal,
        ),
        ("nothing at all", vec![Bytes::new()], tonic::Code::InvalidArgument),
        (
            "oversized",
            vec![hello(1), report(1, vec![0; too_large])],
            tonic::Code::OutOfRange,
        ),
        (
            "out of order",
            vec![hello(1), report(1, vec![1]), report(3, vec![1])],
            tonic::Code::Aborted,
        ),
        (
            "a sequence from the end",
            vec![hello(1), report(u64::MAX, vec![1])],
            tonic::Code::Aborted,
        ),
        (
            "two greetings",
            vec![hello(1), hello(1)],
            tonic::Code::InvalidArgument,
        ),
    ];
    for (what, said, code) in cases {
        let (_, ended) = say(&channel, said.into_iter()).await;
        assert_eq!(ended.code(), code, "{what}: {ended:?}");
        goes_on(&mut house, 1).await;
    }

    // Speaking about another site's element: it stands at the speaker's own site, and the other is as it was.
    let address = house.network().plan.elements[0].address.to_string();
    let said = [
        hello(2),
        report(1, about(&address)),
        report(2, about_within(&address, CONTEXT)),
    ];
    let (_, ended) = say(&channel, said.into_iter()).await;
    assert_eq!(ended.code(), tonic::Code::Ok, "{ended:?}");
    house
        .wait_until(PATIENCE, |s| s.elements == 4 && s.pending.unidentified == 0)
        .await
        .unwrap();
    let rows = elements(&house, "").await;
    let honest = rows.iter().find(|row| row["name"] == "honest").unwrap();
    assert_eq!(
        (&honest["site"], &honest["maker"]),
        (&"lab".into(), &"Cisco".into())
    );
    let told: Vec<_> = rows
        .iter()
        .filter(|row| row["address"] == address.as_str())
        .map(|row| &row["site"])
        .collect();
    assert!(told.contains(&&"mill".into()), "{told:?}");

    // A context is a text of the agent: shown, and never markup or a formula.
    let place = format!("{address} in {CONTEXT}");
    let row = rows.iter().find(|row| row["address"] == place.as_str()).unwrap();
    assert_eq!(row["context"], CONTEXT);
    for path in [
        "/elements",
        &format!("/elements/{}", row["element"].as_str().unwrap()),
    ] {
        let page = house.get(path).await.unwrap();
        assert!(!page.contains("<b>red"), "{path}");
        assert!(page.contains(" in =1+&#60;b&#62;red"), "{path}: {page}");
    }
    let file = house.get("/elements.csv").await.unwrap();
    let cell = |line: &str| line.ends_with(&format!(",'{CONTEXT}"));
    assert_eq!(file.lines().filter(|line| cell(line)).count(), 1, "{file}");

    assert_eq!(house.summary().await.unwrap().lost, 0);
    house.stop().await.unwrap();
}

/// Each epoch its own kind of messages, without end.
fn flood(epoch: u8) -> impl Iterator<Item = Bytes> + Send + 'static {
    let junk = (1..).map(|sequence| report(sequence, vec![0xff; 20_000]));
    let true_in_form =
        (1..).map(|sequence| report(sequence, about(&format!("198.51.100.{}", sequence % 250 + 1))));
    let messages: Box<dyn Iterator<Item = Bytes> + Send> = match epoch.is_multiple_of(2) {
        true => Box::new(junk),
        false => Box::new(true_in_form),
    };
    std::iter::once(hello(epoch)).chain(messages)
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_without_end_hold_nobody_else_up() {
    let (mut house, channel) = house().await;
    let mut streams = tokio::task::JoinSet::new();
    // They end each other, and each comes again at once.
    for epoch in 10..18 {
        let channel = channel.clone();
        streams.spawn(async move {
            loop {
                say(&channel, flood(epoch)).await;
            }
        });
    }
    goes_on(&mut house, 5).await;
    streams.shutdown().await;
    assert_eq!(house.summary().await.unwrap().lost, 0);
    house.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_hears_no_answer_holds_nobody_else_up() {
    let (mut house, channel) = house().await;
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.unwrap();
    let path = "/marque.v1.InventoryService/Report".parse().unwrap();
    let request = tonic::Request::new(tokio_stream::iter(flood(11)));
    let _deaf = client.streaming(request, path, Raw).await.unwrap();
    goes_on(&mut house, 5).await;
    assert_eq!(house.summary().await.unwrap().lost, 0);
    house.stop().await.unwrap();
}
