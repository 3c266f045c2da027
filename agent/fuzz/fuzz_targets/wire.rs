//! Responses of versions 1 and 2c: any octets, octets in a well-formed message, and a
//! well-formed message with changes.

#![no_main]

use agent::plan::oid;
use agent::poll::wire::{Version, decode};
use agent_fuzz::message::{COMMUNITY, RESPONSE, community, name, pdu};
use agent_fuzz::{Input, changed};
use libfuzzer_sys::fuzz_target;
use prost::bytes::Bytes;

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let version = match input.byte() % 2 {
        0 => Version::V1,
        _ => Version::V2c,
    };
    let good = || {
        let descr = (name("1.3.6.1.2.1.1.1.0"), 4, b"box".to_vec());
        let object = (name("1.3.6.1.2.1.1.2.0"), 6, vec![43, 6, 1, 4, 1]);
        pdu(RESPONSE, [70_000, 0, 0], &[descr, object])
    };
    match input.byte() % 4 {
        0 => bounded(input.rest(), version),
        1 => bounded(&community(version, COMMUNITY, input.rest()), version),
        2 => bounded(
            &community(version, COMMUNITY, &changed(&good(), input.rest())),
            version,
        ),
        _ => bounded(
            &changed(&community(version, COMMUNITY, &good()), input.rest()),
            version,
        ),
    }
});

/// What is read was in the datagram, and says what it answers and what it is about.
fn bounded(datagram: &[u8], version: Version) {
    let datagram = Bytes::copy_from_slice(datagram);
    let Ok(read) = decode(datagram.clone(), version, COMMUNITY) else {
        return;
    };
    let mut octets = 0;
    for varbind in &read.varbinds {
        assert!(oid::is_valid(&varbind.oid));
        assert!(varbind.tag < 256);
        octets += varbind.oid.len() + varbind.value.len() + 6;
    }
    assert!(octets <= datagram.len());
    assert!(decode(datagram, version, b"another").is_err());
}
