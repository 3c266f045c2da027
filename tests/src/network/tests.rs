//! The data files, and a network on the wire.

use super::*;
use async_snmp::Version;
use async_snmp::message::CommunityMessage;
use async_snmp::pdu::RequestPdu;
use std::collections::BTreeSet;
use std::net::UdpSocket;
use std::time::Duration;

#[test]
fn the_operator_is_as_large_and_as_mixed_as_promised() {
    let plan = whole().unwrap();
    let elements = build(&plan).unwrap();
    let names: BTreeSet<_> = plan.elements.iter().map(|e| e.name.clone()).collect();
    let addresses: BTreeSet<_> = plan.elements.iter().map(|e| e.address).collect();
    let kinds: BTreeSet<_> = plan
        .elements
        .iter()
        .map(|e| e.kind(&catalogue().0).unwrap().key.clone())
        .collect();
    assert_eq!(plan.sites.len(), 3);
    assert!(plan.elements.len() >= 200, "{}", plan.elements.len());
    assert_eq!(
        (names.len(), addresses.len()),
        (plan.elements.len(), plan.elements.len())
    );
    assert!(kinds.len() >= 25, "{}", kinds.len());
    let known: BTreeSet<_> = catalogue().0.iter().map(|kind| kind.key.clone()).collect();
    assert_eq!(kinds, known, "every kind stands somewhere");
    let shows_its_maker = |placed: &&Placed| {
        let kind = placed.kind(&catalogue().0).unwrap();
        !kind.maker.is_empty() && placed.behaves_like(kind).answers()
    };
    let nameable = plan.elements.iter().filter(shows_its_maker).count();
    assert!(nameable * 100 >= plan.elements.len() * 88, "{nameable} nameable");
    assert!(
        plan.elements
            .iter()
            .all(|e| e.role.parse::<model::Role>().is_ok())
    );
    let objects: usize = elements.iter().map(|e| e.view.len()).sum();
    let mean = objects / elements.len();
    assert!((150..=300).contains(&mean), "{mean} objects on average");
    assert!(elements.iter().any(|e| e.view.len() > 1_000));
    assert!(elements.iter().all(|e| !e.view.is_empty()));
}

#[test]
fn elements_answer_at_their_own_addresses_and_go_when_dropped() {
    let plan = Plan::small()
        .with("cisco-ncs540", "one", "core", Behaviour::Normal)
        .with("axis-p3265", "two", "video", Behaviour::Silent)
        .with("axis-p3265", "three", "video", Behaviour::Absent);
    let network = Network::start(plan, None).unwrap();
    let ask = |address: Ipv4Addr| {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        socket.connect((address, network.port)).unwrap();
        let name = async_snmp::Oid::from_slice(&[1, 3]);
        let pdu = RequestPdu::get_next(Version::V2c, 5, &[name]).unwrap();
        let request = CommunityMessage::v2c(COMMUNITY.as_bytes(), pdu)
            .unwrap()
            .encode()
            .unwrap();
        socket.send(&request).unwrap();
        let mut reply = [0; 2_000];
        socket.recv(&mut reply).map(|length| reply[..length].to_vec())
    };
    let addresses: Vec<_> = network.elements().iter().map(|e| e.address).collect();
    assert!(ask(addresses[0]).is_ok());
    assert_eq!(
        ask(addresses[1]).unwrap_err().kind(),
        std::io::ErrorKind::WouldBlock
    );
    assert_eq!(
        ask(addresses[2]).unwrap_err().kind(),
        std::io::ErrorKind::ConnectionRefused
    );
}

#[test]
fn a_recording_is_an_element() {
    let plan = Plan::small()
        .with_objects("1.3.6.1.2.1.1.1.0|4|mine\n", "own", "core")
        .unwrap();
    let elements = build(&plan).unwrap();
    assert_eq!(elements[0].view.len(), 1);
    assert!(Plan::small().with_objects("nonsense", "own", "core").is_err());
    assert!(build(&Plan::small().with("no-such-kind", "x", "core", Behaviour::Normal)).is_err());
}
