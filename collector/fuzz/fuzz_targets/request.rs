//! Everything a stream may carry: what can be decoded is read or refused by name; never a panic, and
//! what is read is what was said.

#![no_main]

use collector::ingest;
use libfuzzer_sys::fuzz_target;
use model::{Instant, SiteName};
use prost::Message as _;
use proto::v1::report_request::Message;
use std::sync::LazyLock;
use store::record::ReportBody;

static SITE: LazyLock<SiteName> = LazyLock::new(|| "berlin".parse().expect("a name"));
const NOW: Instant = Instant(1_700_000_000_000_000);

fuzz_target!(|data: &[u8]| {
    // A report by itself, so that the envelope need not be guessed.
    report(data);
    let Ok(request) = proto::v1::ReportRequest::decode(data) else {
        return;
    };
    match request.message {
        Some(Message::Report(one)) => report(&one.report),
        Some(Message::Batch(batch)) => batch.reports.iter().for_each(|one| report(&one.report)),
        Some(Message::Gap(wire)) => {
            let next = wire.to.saturating_add(1).min(proto::MAX_SEQUENCE);
            if let Ok(gap) = ingest::gap(&wire, next) {
                assert!(gap.sequence > 0 && wire.from <= wire.to && wire.to < next);
            }
        }
        _ => {}
    }
});

fn report(bytes: &[u8]) {
    if let ReportBody::Read(read) = ingest::report(bytes, &SITE, NOW) {
        assert_eq!(read.site, *SITE, "never from a field");
        assert!(read.finished.0 <= NOW.0 + 300_000_000);
        if let Some(evidence) = &read.evidence {
            assert_eq!(proto::digest::of_evidence(evidence), read.digest.0);
            ingest::decode_evidence(evidence).expect("checked when it was read");
        }
    }
}
