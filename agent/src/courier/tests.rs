//! Exports and receipts on a spool of one's own.

use super::*;
use crate::keep::Shared;
use crate::target::Target;
use crate::testing::Authority;
use crate::uplink::sameness::Sameness;
use prost::bytes::Bytes;
use proto::courier::{CourierKey, ExportReader, Preamble, sign_receipt};
use proto::tls::Bundle;
use proto::v1::courier_item::Item;
use proto::v1::{CourierReceipt, Verdict, VerdictKind};
use spool::{Options, Spool};
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, SystemTime};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// When exports are made.
fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(7)
}

struct Site {
    folder: tempfile::TempDir,
    authority: Authority,
    key: CourierKey,
    identity: PathBuf,
    spool: Spool,
}

impl Site {
    fn new(quota_bytes: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new();
        let identity = authority.agent(folder.path());
        let key = CourierKey::generate();
        let bundle = Bundle::from_pem(std::fs::read_to_string(&identity).unwrap());
        std::fs::write(&identity, bundle.with_courier_key(&key.public).pem()).unwrap();
        Self {
            spool: open(folder.path(), quota_bytes),
            folder,
            authority,
            key,
            identity,
        }
    }

    fn fill(&self, count: u64, bytes: usize) {
        let payloads = (0..count).map(|_| Bytes::from(vec![0; bytes])).collect();
        assert!(self.spool.append_all(payloads).iter().all(Result::is_ok));
    }

    /// Spans of sequences of an export, gaps negative, and how it was told.
    fn export(&self, max_bytes: Option<u64>) -> (Vec<(i64, i64)>, String) {
        let mut file = Vec::new();
        let told = export(&self.spool, &self.identity, max_bytes, now(), &mut file).unwrap();
        let room = max_bytes.filter(|bytes| *bytes >= 8_192).unwrap_or(u64::MAX);
        assert!(file.len() as u64 <= room, "{} octets", file.len());
        (self.read(&file), told.to_string())
    }

    fn read(&self, file: &[u8]) -> Vec<(i64, i64)> {
        let mut input = file;
        let preamble = Preamble::read(&mut input).unwrap();
        let mut reader = ExportReader::begin(input, &preamble, &[&self.key]).unwrap();
        let hello = reader.opening().hello.as_ref().unwrap();
        assert_eq!(hello.clock_micros, 7_000_000, "by the clock that is passed in");
        let mut spans = Vec::new();
        while let Some(item) = reader.read().unwrap() {
            spans.push(match item {
                Item::Reports(batch) => {
                    let sequence = |n: usize| batch.reports[n].sequence as i64;
                    (sequence(0), sequence(batch.reports.len() - 1))
                }
                Item::Gap(gap) => (-(gap.from as i64), -(gap.to as i64)),
                other => panic!("{other:?}"),
            });
        }
        spans
    }

    fn receipt(&self, change: impl FnOnce(&mut CourierReceipt)) -> Vec<u8> {
        let bundle = Bundle::from_pem(std::fs::read_to_string(&self.identity).unwrap());
        let mut receipt = CourierReceipt {
            agent: bundle.agent().unwrap().agent.as_bytes().to_vec().into(),
            epoch: self.spool.epoch().to_vec().into(),
            ..CourierReceipt::default()
        };
        change(&mut receipt);
        let (key, certificate) = self.authority.collector();
        let collector = Bundle::from_pem(format!("{key}{certificate}{}", self.authority.pem));
        sign_receipt(&receipt, &collector).unwrap()
    }

    fn apply(&self, receipt: &[u8]) -> Result<Applied, String> {
        apply(receipt, &self.spool, &self.identity, None, SystemTime::now())
            .map_err(|error| error.to_string())
    }
}

fn open(folder: &Path, quota_bytes: u64) -> Spool {
    let options = Options {
        quota_bytes,
        move_damaged_aside: false,
        clock: std::time::SystemTime::now,
    };
    Spool::open(&folder.join("spool.redb"), &options).unwrap().0
}

#[test]
fn an_export_holds_what_waits_as_far_as_there_is_room() {
    let site = Site::new(1 << 30);
    assert_eq!(site.export(None), (vec![], "no reports".to_owned()));
    site.fill(600, 10);
    assert_eq!(
        site.export(None),
        (
            vec![(1, 256), (257, 512), (513, 600)],
            "sequences 1 to 600".to_owned()
        )
    );
    site.spool.ack(400).unwrap();
    let (spans, told) = site.export(Some(8_192));
    let (first, last) = spans[0];
    assert_eq!((spans.len(), first), (1, 401));
    assert!((402..600).contains(&last), "{spans:?}");
    let left = 600 - last;
    assert_eq!(
        told,
        format!("sequences 401 to {last}, {left} sequences after them are left out")
    );
    // One goes in any case.
    assert_eq!(site.export(Some(1)).0, [(401, 401)]);
    assert_eq!(site.spool.depth().waiting, 200, "nothing left the spool");
}

#[test]
fn gaps_are_exported_in_their_place() {
    let site = Site::new(2_000);
    site.fill(30, 100);
    let waiting = site.spool.depth().waiting as i64;
    assert!((2..30).contains(&waiting));
    let (spans, _) = site.export(None);
    assert_eq!(spans, [(-1, -(30 - waiting)), (31 - waiting, 30)]);
}

#[test]
fn an_identity_without_the_key_is_told() {
    let site = Site::new(1 << 30);
    site.authority.agent(site.folder.path());
    let error = export(&site.spool, &site.identity, None, now(), Vec::new()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("has no key of the collector for exports"),
        "{error}"
    );
}

#[test]
fn a_receipt_takes_out_what_it_says_and_only_from_its_own_spool() {
    let site = Site::new(1 << 30);
    site.fill(9, 10);
    let done = site.apply(&site.receipt(|r| r.sequence = 4)).unwrap();
    assert_eq!((done.sequence, done.forgotten, done.renewed), (4, 4, None));
    for late in [4, 2, 0] {
        let done = site.apply(&site.receipt(|r| r.sequence = late)).unwrap();
        assert_eq!((done.forgotten, site.spool.first_sequence()), (0, 5), "{late}");
    }
    type Fault = fn(&mut CourierReceipt);
    let faults: [(Fault, &str); 4] = [
        (
            |r| r.agent = vec![1; 16].into(),
            "the receipt is for another agent",
        ),
        (|r| r.agent = Bytes::new(), "the receipt is for another agent"),
        (
            |r| r.epoch = vec![1; 16].into(),
            "the receipt is for another spool of this agent",
        ),
        (
            |r| r.sequence = 10,
            "the collector has sequence 10, this spool only reached 9: it is an old copy and goes on under a new \
             epoch, export it again",
        ),
    ];
    for (fault, words) in faults {
        let receipt = site.receipt(|r| {
            r.sequence = 9;
            fault(r);
        });
        assert_eq!(site.apply(&receipt).unwrap_err(), words);
    }
    let other = Site::new(1 << 30).receipt(|r| r.sequence = 9);
    assert!(site.apply(&other).is_err(), "of another authority");
    assert_eq!(site.spool.first_sequence(), 5);
    // What was taken out stays out.
    let (folder, spool) = (site.folder, site.spool);
    drop(spool);
    assert_eq!(open(folder.path(), 1 << 30).first_sequence(), 5);
}

#[test]
fn a_running_agent_learns_what_the_collector_has_and_what_it_wants() {
    let site = Site::new(1 << 30);
    site.fill(3, 10);
    let same = Sameness::default();
    let targets: Vec<Target> = (1..=3).map(|n| format!("192.0.2.{n}").parse().unwrap()).collect();
    let spooled = || {
        for (sequence, target) in (1..).zip(&targets) {
            same.spooled(sequence, *target, [1; 32]);
        }
    };
    let stored = || {
        targets
            .iter()
            .map(|target| same.is_stored(*target, &[1; 32]))
            .collect::<Vec<_>>()
    };
    let verdict = |sequence| Verdict {
        sequence,
        kind: VerdictKind::Wanted.into(),
        reason: String::new(),
    };
    let apply = |receipt: &[u8]| {
        apply(
            receipt,
            &site.spool,
            &site.identity,
            Some(&same),
            SystemTime::now(),
        )
        .unwrap()
    };
    spooled();
    // More verdicts than the receipt has room for: nothing is taken for stored.
    apply(&site.receipt(|r| {
        r.sequence = 3;
        r.verdicts_omitted = 1;
    }));
    assert_eq!(stored(), [false, false, false]);
    spooled();
    apply(&site.receipt(|r| {
        r.sequence = 3;
        r.verdicts = vec![verdict(2)];
    }));
    assert_eq!(stored(), [true, false, true]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_desk_serves_who_asks_well_and_outlives_who_does_not() {
    let site = Site::new(1 << 30);
    site.fill(3_000, 1_000);
    let path = site.folder.path().join("spool.redb");
    let receipt = site.receipt(|r| r.sequence = 2_990);
    let foreign = site.receipt(|r| r.agent = Bytes::new());
    let (key, identity) = (site.key, site.identity);
    let shared = Shared::new(site.spool, std::time::SystemTime::now);
    let (renewed, renewals) = watch::channel(0);
    // Something else in its place is left alone; a socket that was left is not.
    let place = desk::place(&path);
    std::fs::write(&place, "").unwrap();
    assert!(desk::Desk::open(&path, shared.clone(), identity.clone(), renewed.clone()).is_err());
    std::fs::remove_file(&place).unwrap();
    drop(std::os::unix::net::UnixListener::bind(&place).unwrap());
    let desk = desk::Desk::open(&path, shared.clone(), identity, renewed).unwrap();
    let stop = CancellationToken::new();
    let serving = tokio::spawn(desk.run(stop.clone()));
    let visits = tokio::task::spawn_blocking(move || {
        for rude in [&[0xff_u8; 9][..], &[0, 0, 0, 1, b'?'], &[0, 0, 0, 0], b""] {
            let mut stream = std::os::unix::net::UnixStream::connect(desk::place(&path)).unwrap();
            stream.write_all(rude).unwrap();
        }
        // One that leaves in the middle of an export.
        let mut stream = std::os::unix::net::UnixStream::connect(desk::place(&path)).unwrap();
        stream
            .write_all(&[0, 0, 0, 9, b'e', 0, 0, 0, 0, 0, 0, 0, 0])
            .unwrap();
        drop(stream);
        let mut file = Vec::new();
        let told = desk::ask_export(&path, None, &mut file).unwrap();
        let refused = desk::ask_receipt(&path, &foreign).unwrap_err().to_string();
        let taken = desk::ask_receipt(&path, &receipt).unwrap();
        (file, told, refused, taken)
    });
    let (file, told, refused, taken) = visits.await.unwrap();
    assert_eq!(told, "sequences 1 to 3000");
    let mut input = file.as_slice();
    let preamble = Preamble::read(&mut input).unwrap();
    let mut reader = ExportReader::begin(input, &preamble, &[&key]).unwrap();
    while reader.read().unwrap().is_some() {}
    assert_eq!(reader.last_sequence(), 3_000);
    assert_eq!(refused, "the receipt is for another agent");
    assert!(taken.contains("2990 left the spool"), "{taken}");
    assert_eq!((shared.spool.first_sequence(), *renewals.borrow()), (2_991, 1));
    stop.cancel();
    serving.await.unwrap();
    assert!(!place.exists(), "the socket goes with the desk");
}
