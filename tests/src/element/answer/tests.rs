//! Requests and answers, byte by byte and through the codec.

use super::*;
use crate::element::View;
use async_snmp::pdu::{GetBulkPdu, RequestPdu};
use async_snmp::{Oid as WireOid, Value as WireValue, VarBind};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Instant;

fn element(behaviour: Behaviour) -> Element {
    let text = |n: u32| {
        (
            format!("1.3.6.1.4.1.9.{n}.0").parse().unwrap(),
            Value::octet_string(format!("v{n}")),
        )
    };
    let counter = (
        "1.3.6.1.4.1.9.4.0".parse().unwrap(),
        Value {
            tag: 0x46,
            octets: vec![1],
        },
    );
    Element {
        name: "e".to_owned(),
        address: Ipv4Addr::LOCALHOST,
        view: Arc::new(View::new([text(1), text(2), text(3), counter, text(5)])),
        behaviour,
        community: b"public".to_vec(),
        max_size: Element::FRAME,
        engine_id: b"\x80\0\0\x09\x05abc".to_vec(),
        lock: None,
        started: Instant::now(),
        uptime_offset: 0,
        story: None,
        requests: 0.into(),
        octets: Default::default(),
    }
}

fn names(names: &[&str]) -> Vec<WireOid> {
    names.iter().map(|name| WireOid::parse(name).unwrap()).collect()
}

fn message(version: Version, community: &str, pdu: Pdu) -> Vec<u8> {
    match version {
        Version::V1 => CommunityMessage::v1(community.as_bytes().to_vec(), pdu),
        _ => CommunityMessage::v2c(community.as_bytes().to_vec(), pdu),
    }
    .unwrap()
    .encode()
    .unwrap()
    .to_vec()
}

fn get(version: Version, oids: &[&str]) -> Vec<u8> {
    message(
        version,
        "public",
        RequestPdu::get(version, 77, &names(oids)).unwrap().into_raw(),
    )
}

fn next(version: Version, oids: &[&str]) -> Vec<u8> {
    message(
        version,
        "public",
        RequestPdu::get_next(version, 77, &names(oids))
            .unwrap()
            .into_raw(),
    )
}

fn bulk(non_repeaters: u32, repetitions: u32, oids: &[&str]) -> Vec<u8> {
    let asked = names(oids).into_iter().map(VarBind::null).collect();
    let pdu = GetBulkPdu::new(Version::V2c, 77, non_repeaters, repetitions, asked).unwrap();
    message(Version::V2c, "public", pdu.into_raw())
}

/// Error status, error index and bindings of an answer.
fn read(answer: Option<Vec<u8>>) -> (i32, i32, Vec<VarBind>) {
    let octets = answer.expect("an answer");
    let message = CommunityMessage::decode(octets.into(), DecodeConfig::DEFAULT)
        .unwrap()
        .value;
    let pdu = message.pdu().standard().unwrap();
    assert_eq!((pdu.pdu_type(), pdu.request_id()), (PduType::Response, 77));
    (pdu.error_status(), pdu.error_index(), pdu.varbinds().to_vec())
}

fn shown(answer: Option<Vec<u8>>) -> Vec<String> {
    let (status, _, varbinds) = read(answer);
    assert_eq!(status, 0);
    varbinds
        .iter()
        .map(|v| format!("{}={:?}", v.oid, v.value.as_str().unwrap_or("?")))
        .collect()
}

#[test]
fn get_answers_and_marks_what_is_missing() {
    let asked = get(
        Version::V2c,
        &["1.3.6.1.4.1.9.2.0", "1.3.6.1.4.1.9.2.1", "1.3.6.1.4.1.10.1.0"],
    );
    let (status, _, varbinds) = read(element(Behaviour::Normal).answer(&asked));
    assert_eq!(status, 0);
    let values: Vec<_> = varbinds.into_iter().map(|v| v.value).collect();
    let there = WireValue::OctetString(b"v2".to_vec().into());
    assert_eq!(
        values,
        [there, WireValue::NoSuchInstance, WireValue::NoSuchObject]
    );
}

#[test]
fn version_1_names_the_missing_one_and_hides_counter64() {
    let e = element(Behaviour::Normal);
    let asked = get(Version::V1, &["1.3.6.1.4.1.9.2.0", "1.3.6.1.4.1.9.4.0"]);
    let (status, index, varbinds) = read(e.answer(&asked));
    assert_eq!((status, index, varbinds.len()), (NO_SUCH_NAME, 2, 2));
    assert_eq!(
        shown(e.answer(&next(Version::V1, &["1.3.6.1.4.1.9.3.0"]))),
        ["1.3.6.1.4.1.9.5.0=\"v5\""]
    );
    let (status, ..) = read(e.answer(&next(Version::V1, &["1.3.6.1.4.1.9.5.0"])));
    assert_eq!(status, NO_SUCH_NAME);
}

#[test]
fn bulk_repeats_until_the_end() {
    let e = element(Behaviour::Normal);
    let (_, _, varbinds) = read(e.answer(&bulk(1, 2, &["1.3.6.1.4.1.9.3", "1.3.6.1.4.1.9.1.0"])));
    let names: Vec<_> = varbinds.iter().map(|v| v.oid.to_string()).collect();
    assert_eq!(
        names,
        ["1.3.6.1.4.1.9.3.0", "1.3.6.1.4.1.9.2.0", "1.3.6.1.4.1.9.3.0"]
    );
    let (_, _, varbinds) = read(e.answer(&bulk(0, 50, &["1.3.6.1.4.1.9.4.0"])));
    assert_eq!(varbinds.len(), 2, "stops after one round of ends");
    assert_eq!(varbinds.last().map(|v| &v.value), Some(&WireValue::EndOfMibView));
}

#[test]
fn long_answers_are_cut_or_too_big() {
    let mut e = element(Behaviour::Normal);
    e.max_size = 90;
    let (status, _, varbinds) = read(e.answer(&bulk(0, 50, &["1.3.6.1"])));
    assert_eq!((status, varbinds.len()), (0, 2));
    let asked = get(
        Version::V2c,
        &["1.3.6.1.4.1.9.1.0", "1.3.6.1.4.1.9.2.0", "1.3.6.1.4.1.9.3.0"],
    );
    let (status, _, varbinds) = read(e.answer(&asked));
    assert_eq!((status, varbinds.len()), (TOO_BIG, 0));
    let reply = e.answer(&bulk(0, 50, &["1.3.6.1"])).unwrap();
    assert!(reply.len() <= 90, "{}", reply.len());
    e.max_size = 60;
    assert_eq!(read(e.answer(&bulk(0, 50, &["1.3.6.1"]))).0, TOO_BIG);
}

#[test]
fn bad_elements_are_bad_in_their_own_way() {
    let asked = get(Version::V2c, &["1.3.6.1.4.1.9.1.0"]);
    assert_eq!(element(Behaviour::Silent).answer(&asked), None);
    let noise = element(Behaviour::Garbage).answer(&asked).unwrap();
    assert!(CommunityMessage::decode(noise.into(), DecodeConfig::DEFAULT).is_err());
    assert_eq!(element(Behaviour::NoBulk).answer(&bulk(0, 5, &["1.3"])), None);
    let lossy = element(Behaviour::Lossy(3));
    let heard: Vec<bool> = (0..6).map(|_| lossy.answer(&asked).is_some()).collect();
    assert_eq!(heard, [true, true, false, true, true, false]);
    let crowded = element(Behaviour::TooBig(2));
    assert_eq!(read(crowded.answer(&bulk(0, 3, &["1.3"]))).0, TOO_BIG);
    assert_eq!(read(crowded.answer(&bulk(0, 2, &["1.3"]))).2.len(), 2);
    let round = element(Behaviour::Looping(2));
    let asked = next(Version::V2c, &["1.3.6.1.4.1.9.2.0"]);
    assert_eq!(shown(round.answer(&asked)), ["1.3.6.1.4.1.9.2.0=\"v2\""]);
}

#[test]
fn strangers_and_noise_meet_silence() {
    let e = element(Behaviour::Normal);
    let pdu = RequestPdu::get(Version::V2c, 77, &names(&["1.3.6.1.4.1.9.1.0"]))
        .unwrap()
        .into_raw();
    assert_eq!(e.answer(&message(Version::V2c, "private", pdu)), None);
    assert_eq!(e.answer(b""), None);
    assert_eq!(e.answer(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]), None);
}

#[test]
fn tells_its_engine_to_who_does_not_know_it() {
    use async_snmp::message::V3Message;
    use async_snmp::message_size::MessageSize;
    let probe = V3Message::discovery_request(9, MessageSize::new(1472).unwrap())
        .unwrap()
        .encode()
        .unwrap();
    let reply = element(Behaviour::Normal).answer(&probe).expect("a report");
    let reply = V3Message::decode(reply.into(), DecodeConfig::DEFAULT)
        .unwrap()
        .value;
    assert_eq!(reply.msg_id(), 9);
    let usm = reply.security_params().clone();
    let usm = async_snmp::v3::UsmSecurityParams::decode(usm, DecodeConfig::DEFAULT)
        .unwrap()
        .value;
    assert_eq!(usm.engine_id().as_ref(), b"\x80\0\0\x09\x05abc");
}
