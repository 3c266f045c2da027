//! Files by courier: whole ones are read as written, and nothing else is believed.

use super::chunk::CHUNK;
use super::*;
use crate::tls::{AgentIdentity, Bundle, COLLECTOR_NAME};
use crate::v1::courier_item::Item;
use crate::v1::{CourierOpening, CourierReceipt, Gap, GapReason, Hello, SequencedBatch, SequencedReport};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};
use std::time::Duration;

const DAY: u64 = 86_400;

/// An authority and what it signs, valid from day 10 to day 20.
struct House {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    key: CourierKey,
}

impl House {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let key = KeyPair::generate().unwrap();
        Self {
            pem: params.self_signed(&key).unwrap().pem(),
            issuer: Issuer::new(params, key),
            key: CourierKey::generate(),
        }
    }

    fn signed(&self, name: SanType) -> Bundle {
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![name];
        params.not_before = rcgen::date_time_ymd(1970, 1, 11);
        params.not_after = rcgen::date_time_ymd(1970, 1, 21);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        Bundle::from_pem(format!("{}{certificate}{}", key.serialize_pem(), self.pem))
    }

    fn agent(&self) -> Bundle {
        let identity = AgentIdentity {
            agent: uuid::Uuid::now_v7(),
            site: "berlin".into(),
        };
        self.signed(SanType::URI(identity.uri().try_into().unwrap()))
    }

    fn collector(&self) -> Bundle {
        self.signed(SanType::DnsName(COLLECTOR_NAME.try_into().unwrap()))
    }
}

fn opening(agent: &Bundle, first: u64, next: u64) -> CourierOpening {
    CourierOpening {
        certificate: agent.certificate().unwrap().into(),
        hello: Some(Hello {
            capability: crate::CAPABILITY,
            epoch: vec![7; 16].into(),
            first_sequence: first,
            next_sequence: next,
            agent_version: "test".into(),
            clock_micros: 1,
            plan: None,
        }),
        signing_request: vec![1; 9].into(),
    }
}

fn batch(sequences: std::ops::RangeInclusive<u64>, bytes: usize) -> SequencedBatch {
    let report = |sequence| {
        // Hard to compress, so that chunks are filled.
        let mut state = sequence + 1;
        let mut octet = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        };
        SequencedReport {
            sequence,
            report: (0..bytes).map(|_| octet()).collect::<Vec<_>>().into(),
        }
    };
    SequencedBatch {
        reports: sequences.map(report).collect(),
    }
}

fn gap(from: u64, to: u64) -> Gap {
    Gap {
        from,
        to,
        count: to - from + 1,
        reason: GapReason::SpoolFull.into(),
        declared_micros: 5,
    }
}

/// An export of a gap 3 to 5 and reports 6 to 9.
fn export(house: &House, agent: &Bundle, bytes: usize) -> Vec<u8> {
    let mut writer = ExportWriter::begin(Vec::new(), house.key.public, opening(agent, 3, 12)).unwrap();
    writer.gap(gap(3, 5)).unwrap();
    writer.reports(batch(6..=8, bytes)).unwrap();
    writer.reports(batch(9..=9, bytes)).unwrap();
    let (file, last) = writer.finish(agent).unwrap();
    assert_eq!(last, 9);
    file
}

fn read(file: &[u8], keys: &[CourierKey]) -> Result<(CourierOpening, Vec<Item>), CourierError> {
    let mut input = file;
    let preamble = Preamble::read(&mut input)?;
    let mut reader = ExportReader::begin(input, &preamble, &keys.iter().collect::<Vec<_>>())?;
    let mut items = Vec::new();
    while let Some(item) = reader.read()? {
        items.push(item);
    }
    assert!(reader.read()?.is_none(), "an end stays an end");
    Ok((reader.opening().clone(), items))
}

#[test]
fn an_export_is_read_as_it_was_written() {
    let (house, agent) = (House::new(), House::new().agent());
    // Within one chunk, at its edges, and over many.
    for bytes in [0, 10, 21_000, CHUNK / 3, CHUNK, 5 * CHUNK + 1] {
        let file = export(&house, &agent, bytes);
        let keys = [
            CourierKey::generate(),
            CourierKey::from_pem(&house.key.pem()).unwrap(),
        ];
        let (told, items) = read(&file, &keys).unwrap();
        assert_eq!(told, opening(&agent, 3, 12));
        let expected = [
            Item::Gap(gap(3, 5)),
            Item::Reports(batch(6..=8, bytes)),
            Item::Reports(batch(9..=9, bytes)),
        ];
        assert_eq!(items, expected);
    }
}

#[test]
fn a_cut_or_a_changed_octet_anywhere_is_noticed() {
    let (house, agent) = (House::new(), House::new().agent());
    let file = export(&house, &agent, 40);
    let keys = [house.key];
    assert!(file.len() < 2_000, "{}", file.len());
    for at in 0..file.len() {
        assert!(read(&file[..at], &keys).is_err(), "cut at {at}");
        let mut changed = file.clone();
        changed[at] ^= 1 << (at % 8);
        assert!(read(&changed, &keys).is_err(), "changed at {at}");
    }
    assert!(read(&[file.as_slice(), b"x"].concat(), &keys).is_err(), "longer");
}

#[test]
fn chunks_do_not_change_places_and_cannot_be_left_out() {
    let (house, agent) = (House::new(), House::new().agent());
    let file = export(&house, &agent, 3 * CHUNK);
    let keys = [house.key];
    let (head, chunks) = file.split_at(24 + 64);
    let chunks: Vec<&[u8]> = chunks.chunks(CHUNK + 16).collect();
    assert!(chunks.len() > 4);
    let joined = |order: &[usize]| {
        let body: Vec<u8> = order.iter().flat_map(|n| chunks[*n].to_vec()).collect();
        read(&[head, &body].concat(), &keys)
    };
    let all: Vec<usize> = (0..chunks.len()).collect();
    assert!(joined(&all).is_ok());
    for end in 0..chunks.len() {
        assert!(
            matches!(joined(&all[..end]), Err(CourierError::Tampered)),
            "ends after {end}"
        );
    }
    assert!(matches!(joined(&[1, 0, 2, 3]), Err(CourierError::Tampered)));
    assert!(matches!(joined(&all[1..]), Err(CourierError::Tampered)));
}

#[test]
fn only_whom_it_is_for_can_read_it() {
    let (house, agent) = (House::new(), House::new().agent());
    let file = export(&house, &agent, 40);
    let other = read(&file, &[CourierKey::generate()]).unwrap_err();
    assert!(matches!(other, CourierError::Recipient(_)), "{other}");
    let words = read(b"marque courier receipt 1\n, and so on", &[]).unwrap_err();
    assert_eq!(words.to_string(), "file is no export of a spool of this version");
}

#[test]
fn a_collector_cannot_hand_an_export_on_as_if_it_were_for_another() {
    let (house, agent) = (House::new(), House::new().agent());
    let file = export(&house, &agent, 40);
    // To another, or to itself with another encapsulated key.
    for recipient in [&CourierKey::generate(), &house.key] {
        let mut input = file.as_slice();
        let preamble = Preamble::read(&mut input).unwrap();
        let mut opener = chunk::Opener::begin(input, &preamble, &house.key).unwrap();
        let (mut sealer, _) = chunk::Sealer::begin(Vec::new(), recipient.public).unwrap();
        while let Some(clear) = opener.next().unwrap() {
            sealer.write(&clear).unwrap();
        }
        let file = sealer.finish().unwrap();
        let keys = [CourierKey::from_pem(&recipient.pem()).unwrap()];
        let refused = read(&file, &keys).unwrap_err();
        assert!(
            matches!(refused, CourierError::Tls(TlsError::Signature)),
            "{refused}"
        );
    }
}

#[test]
fn another_key_than_the_certificates_does_not_sign() {
    let (house, agent) = (House::new(), House::new().agent());
    let keys = [CourierKey::from_pem(&house.key.pem()).unwrap()];
    let writer = ExportWriter::begin(Vec::new(), house.key.public, opening(&agent, 1, 1)).unwrap();
    let (file, _) = writer.finish(&House::new().agent()).unwrap();
    let refused = read(&file, &keys).unwrap_err();
    assert!(
        matches!(refused, CourierError::Tls(TlsError::Signature)),
        "{refused}"
    );
}

/// What a signer may write and a reader must not take.
#[test]
fn a_signature_does_not_excuse_a_broken_format() {
    let (house, agent) = (House::new(), House::new().agent());
    let keys = [CourierKey::from_pem(&house.key.pem()).unwrap()];
    type Story = fn(&mut ExportWriter<Vec<u8>>) -> Result<(), CourierError>;
    let stories: [(u64, u64, Story, Option<&str>); 9] = [
        (1, 1, |_| Ok(()), None),
        (0, 1, |_| Ok(()), Some("sequences out of range")),
        (2, 1, |_| Ok(()), Some("sequences out of range")),
        (
            1,
            crate::MAX_SEQUENCE + 1,
            |_| Ok(()),
            Some("sequences out of range"),
        ),
        (
            1,
            9,
            |w| w.reports(batch(2..=3, 1)),
            Some("sequences out of order"),
        ),
        (1, 9, |w| w.gap(gap(1, 9)), Some("sequences out of order")),
        (
            1,
            9,
            |w| w.gap(Gap { to: 0, ..gap(1, 2) }),
            Some("sequences out of order"),
        ),
        (
            1,
            9,
            |w| w.reports(SequencedBatch::default()),
            Some("a batch of none or too many"),
        ),
        (
            1,
            999,
            |w| w.reports(batch(1..=257, 1)),
            Some("a batch of none or too many"),
        ),
    ];
    for (number, (first, next, story, fault)) in stories.into_iter().enumerate() {
        let begun = opening(&agent, first, next);
        let mut writer = ExportWriter::begin(Vec::new(), house.key.public, begun).unwrap();
        story(&mut writer).unwrap();
        let (file, _) = writer.finish(&agent).unwrap();
        let said = read(&file, &keys).err().map(|error| error.to_string());
        let fault = fault.map(|fault| format!("file breaks the format: {fault}"));
        assert_eq!(said, fault, "story {number}");
    }
}

#[test]
fn frames_are_bounded_and_anything_may_stand_in_them() {
    let frame = frame::encode(Item::Reports(batch(1..=3, 50))).unwrap();
    for end in 0..frame.len() {
        assert!(
            frame::decode(&frame[..end]).unwrap().is_none(),
            "more is needed at {end}"
        );
    }
    let (item, used) = frame::decode(&[frame.as_slice(), b"more"].concat())
        .unwrap()
        .unwrap();
    assert_eq!((item, used), (Item::Reports(batch(1..=3, 50)), frame.len()));
    // No panic, whatever is changed.
    for at in 0..frame.len() {
        for bit in 0..8 {
            let mut changed = frame.clone();
            changed[at] ^= 1 << bit;
            let _any = frame::decode(&changed);
        }
    }
    let refused = |octets: &[u8]| frame::decode(octets).unwrap_err().to_string();
    assert!(refused(&u32::MAX.to_be_bytes()).ends_with("a frame is too large"));
    // A few octets that unpack to far too many.
    let bomb = zstd::bulk::compress(&vec![0; frame::MAX_ITEM_BYTES + 1], 1).unwrap();
    let bomb = [&u32::try_from(bomb.len()).unwrap().to_be_bytes(), bomb.as_slice()].concat();
    assert!(bomb.len() < 10_000);
    assert!(refused(&bomb).ends_with("an item is too large"));
    let large = batch(1..=1, frame::MAX_ITEM_BYTES);
    assert!(frame::encode(Item::Reports(large)).is_err());
}

#[test]
fn a_receipt_is_believed_from_the_collector_alone() {
    let house = House::new();
    let agent = house.agent();
    let receipt = CourierReceipt {
        agent: vec![1; 16].into(),
        sequence: 9,
        ..CourierReceipt::default()
    };
    let now = 15 * DAY;
    let file = sign_receipt(&receipt, &house.collector()).unwrap();
    assert_eq!(verify_receipt(&file, &agent, now).unwrap(), receipt);
    assert!(verify_receipt(&file, &agent, 21 * DAY).is_err(), "too old");
    for at in 0..file.len() {
        assert!(verify_receipt(&file[..at], &agent, now).is_err(), "cut at {at}");
        let mut changed = file.clone();
        changed[at] ^= 1 << (at % 8);
        let read = verify_receipt(&changed, &agent, now);
        // An unknown field may come of it outside what is signed; what is signed stays.
        assert!(read.is_err() || read.unwrap() == receipt, "changed at {at}");
    }
    // Another house's collector, and an agent of this one.
    for signer in [House::new().collector(), house.agent()] {
        let file = sign_receipt(&receipt, &signer).unwrap();
        assert!(verify_receipt(&file, &agent, now).is_err());
    }
}

#[test]
fn a_certificate_that_ran_out_counts_within_the_grace() {
    let house = House::new();
    let (agent, authorities) = (house.agent(), house.agent().authorities().unwrap());
    let certificate = agent.certificate().unwrap();
    let at = |day, days| {
        let grace = Duration::from_secs(days * DAY);
        authorities.agent(&certificate, day * DAY, grace).is_ok()
    };
    assert!(at(15, 0) && at(15, 3) && at(22, 3));
    assert!(!at(9, 3), "not yet");
    assert!(!at(22, 0) && !at(24, 3));
    let stranger = House::new().agent().certificate().unwrap();
    assert!(authorities.agent(&stranger, 15 * DAY, Duration::ZERO).is_err());
    let collector = house.collector().certificate().unwrap();
    assert!(
        authorities.agent(&collector, 15 * DAY, Duration::ZERO).is_err(),
        "no agent"
    );
    assert!(
        authorities.collector(&certificate, 15 * DAY).is_err(),
        "no collector"
    );
}

#[test]
fn a_bundle_carries_the_courier_key() {
    let house = House::new();
    let bundle = house.agent();
    assert_eq!(bundle.courier_key(), None);
    let bundle = bundle.with_courier_key(&[1; 31]);
    assert_eq!(bundle.courier_key(), None);
    let bundle = bundle.with_courier_key(&house.key.public);
    assert_eq!(bundle.courier_key(), Some(house.key.public));
    bundle.client().unwrap();
    assert_eq!(bundle.agent().unwrap().site, "berlin");
    assert!(CourierKey::from_pem(bundle.pem()).is_err());
    let text = format!("{:?}", house.key);
    assert_eq!(text, "CourierKey(..)");
}
