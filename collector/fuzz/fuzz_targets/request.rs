//! Everything a stream may carry: a greeting, one message, several. What can be decoded is read or refused by name;
//! never a panic, and what is read is what was said.

#![no_main]

use collector::ingest::{self, Inbound};
use collector::plan::Pushed;
use libfuzzer_sys::fuzz_target;
use model::{AgentId, Instant, SiteName};
use prost::Message as _;
use proto::v1::{Hello, ReportRequest};
use std::sync::LazyLock;
use store::record::{AgentHello, ReportBody};

static SITE: LazyLock<SiteName> = LazyLock::new(|| "berlin".parse().expect("a name"));
static AGENT: LazyLock<AgentId> = LazyLock::new(AgentId::generate);
const NOW: Instant = Instant(1_700_000_000_000_000);

fuzz_target!(|data: &[u8]| {
    // By themselves, so that the envelope need not be guessed.
    body(&ingest::report(data, &SITE, NOW));
    if let Ok(Ok(hello)) = Hello::decode(data).map(|hello| greet(&hello)) {
        assert!(hello.first_sequence > 0 && hello.first_sequence <= hello.next_sequence);
        assert!(hello.version.chars().count() <= 40 && hello.site == *SITE);
    }
    if let Ok(request) = ReportRequest::decode(data) {
        say(&mut stream(), request);
    }
    // Messages with their lengths before them, on one stream.
    let (mut inbound, mut rest) = (stream(), data);
    while let Ok(request) = ReportRequest::decode_length_delimited(&mut rest) {
        if !say(&mut inbound, request) {
            break;
        }
    }
});

fn greet(hello: &Hello) -> Result<AgentHello, tonic::Status> {
    ingest::greeting(*AGENT, SITE.clone(), hello)
}

/// One that may name every sequence.
fn stream() -> Inbound {
    let hello = Hello {
        capability: proto::CAPABILITY,
        epoch: vec![7; 16].into(),
        first_sequence: 1,
        next_sequence: proto::MAX_SEQUENCE,
        ..Hello::default()
    };
    Inbound::new(&greet(&hello).expect("a greeting"), Pushed::default())
}

/// Whether the stream goes on.
fn say(inbound: &mut Inbound, request: ReportRequest) -> bool {
    let mut reports = Vec::new();
    let taken = inbound.take(request, NOW, &mut reports);
    for one in &reports {
        if let ReportBody::Gap(gap) = &one.body {
            assert!(one.sequence > 0 && one.sequence <= gap.to);
        }
        body(&one.body);
    }
    taken.is_ok()
}

fn body(body: &ReportBody) {
    if let ReportBody::Read(read) = body {
        assert_eq!(read.site, *SITE, "never from a field");
        assert!(read.finished.0 <= NOW.0 + 300_000_000);
        if let Some(evidence) = &read.evidence {
            assert_eq!(proto::digest::of_evidence(evidence), read.digest.0);
            ingest::decode_evidence(evidence).expect("checked when it was read");
        }
    }
}
