//! What agents told of the addresses in scope, and what neighbours said.

use super::{House, report};
use crate::coverage::{FoundNeighbour, ToldCoverage, ToldRange};
use crate::record::{IdentifiedEvidence, Stage};
use crate::{Admission as _, Store as _};
use model::{Completeness, Identification, Instant};

fn told(revision: u64, prefixes: &[(&str, u16, Vec<u8>)]) -> ToldCoverage {
    let range = |(prefix, port, states): &(&str, u16, Vec<u8>)| ToldRange {
        prefix: (*prefix).to_owned(),
        port: *port,
        states: states.clone(),
        named: None,
    };
    ToldCoverage {
        plan: 7,
        revision,
        said: Instant(5),
        swept: Some(Instant(4)),
        ranges: prefixes.iter().map(range).collect(),
    }
}

#[tokio::test]
async fn the_last_word_of_each_agent_is_kept_whole_until_it_is_shut_out() {
    let house = House::new().await;
    house.store.greet(&house.hello(1, 1), Instant(1)).await.unwrap();
    let long: Vec<u8> = (0..65_536_u32).map(|n| n.to_le_bytes()[0] % 10).collect();
    let first = [
        ("192.0.2.0/29", 161, vec![2, 6, 4, 4, 5, 1, 9, 2]),
        ("10.1.0.0/16", 161, long.clone()),
    ];
    let note = async |told, at| {
        house
            .store
            .note_coverage(house.agent, told, Instant(at))
            .await
            .unwrap();
    };
    note(told(1, &first), 10).await;
    let view = house.store.coverage(&None).await.unwrap();
    assert_eq!(view.ranges.len(), 2);
    let row = &view.ranges[0];
    assert_eq!(
        (row.range.prefix.as_str(), &row.range.states),
        ("10.1.0.0/16", &long)
    );
    assert_eq!(
        (row.site.as_str(), row.plan, row.told, row.swept),
        ("berlin", 7, Instant(10), Some(Instant(4)))
    );
    assert_eq!(view.ranges[1].range.states, [2, 6, 4, 4, 5, 1, 9, 2]);
    // A range that is told no more is gone; the same prefix at two ports is two ranges.
    note(
        told(
            2,
            &[
                ("192.0.2.0/31", 161, vec![4, 4]),
                ("192.0.2.0/31", 1161, vec![6, 6]),
            ],
        ),
        20,
    )
    .await;
    let view = house.store.coverage(&None).await.unwrap();
    let ports: Vec<_> = view.ranges.iter().map(|row| row.range.port).collect();
    assert_eq!((ports, view.ranges[0].told), (vec![161, 1161], Instant(20)));
    // Of a range that is not swept the addresses are kept beside their states.
    let mut named = told(
        3,
        &[("2001:db8::/32", 161, vec![6, 4]), ("10.0.0.0/8", 161, vec![])],
    );
    named.ranges[0].named = Some(
        ["2001:db8::1", "2001:db8:7::9"]
            .map(|text| text.parse().unwrap())
            .to_vec(),
    );
    named.ranges[1].named = Some(Vec::new());
    note(named.clone(), 25).await;
    let mut ranges = house.store.coverage(&None).await.unwrap().ranges;
    ranges.reverse();
    let kept: Vec<_> = ranges.into_iter().map(|row| row.range).collect();
    assert_eq!(kept, named.ranges);
    house
        .store
        .revoke(house.agent, "stolen", &super::ann(), Instant(30))
        .await
        .unwrap();
    assert_eq!(house.store.coverage(&None).await.unwrap().ranges, []);
}

#[tokio::test]
async fn elements_say_how_far_they_are_and_whom_their_neighbours_named() {
    let house = House::new().await;
    house.store.greet(&house.hello(1, 3), Instant(1)).await.unwrap();
    house
        .commit(vec![report(1, 10, Completeness::Complete, 1)])
        .await
        .unwrap();
    let view = house.store.coverage(&None).await.unwrap();
    let place = &view.places[0];
    assert_eq!(
        (place.asked, place.answered, place.identified, place.judged),
        (true, true, false, false)
    );
    let neighbour = |address: &str| FoundNeighbour {
        address: Some(address.parse().unwrap()),
        mac: None,
        protocol: "lldp",
        name: "edge".to_owned(),
        description: String::new(),
        maker: None,
    };
    let identify = async |neighbours: Vec<FoundNeighbour>, own: &[&str]| {
        let undone = house.store.undone(Stage::Identify, 10).await.unwrap().remove(0);
        let done = IdentifiedEvidence {
            digest: model::Digest::from_hex(&undone.key).unwrap(),
            undone,
            identification: Identification {
                knowledge: "k1".into(),
                maker: None,
                brand: None,
                claims: Vec::new(),
                doubts: Vec::new(),
                unit: model::UnitIdentity::default(),
                components: Vec::new(),
            },
            hardware: Vec::new(),
            neighbours,
            own_addresses: own.iter().map(|&mac| mac.to_owned()).collect(),
            sum: model::Digest([7; 32]),
        };
        house
            .store
            .save_identified(vec![done], Instant(2_000))
            .await
            .unwrap();
    };
    identify(
        vec![
            neighbour("192.0.2.77"),
            neighbour("2001:db8::7"),
            neighbour("192.0.2.77"),
            FoundNeighbour {
                address: None,
                mac: Some("00:e0:fc:01:02:03".to_owned()),
                maker: Some(model::Attribution {
                    supplier: super::supplier("huawei", "Huawei"),
                    confidence: 0.3,
                }),
                ..neighbour("192.0.2.1")
            },
            // The element itself, as others know it.
            neighbour("192.0.2.1"),
            FoundNeighbour {
                address: None,
                mac: Some("00:e0:fc:99:99:99".to_owned()),
                ..neighbour("192.0.2.1")
            },
        ],
        &["00:e0:fc:99:99:99"],
    )
    .await;
    let view = house.store.coverage(&None).await.unwrap();
    let told: Vec<_> = view
        .neighbours
        .iter()
        .map(|row| {
            let address = row.address.map(|address| address.to_string());
            (
                address.or(row.mac.clone()).unwrap(),
                row.protocol.as_str(),
                row.elements,
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("00:e0:fc:01:02:03".to_owned(), "lldp", 1),
            ("192.0.2.77".to_owned(), "lldp", 1),
            ("2001:db8::7".to_owned(), "lldp", 1)
        ]
    );
    let maker = view.neighbours[0].maker.as_ref().unwrap();
    assert_eq!((maker.supplier.id.as_str(), maker.confidence), ("huawei", 0.3));
    // Whoever sees some sites is told of what stands there, however much stands elsewhere.
    for (site, told) in [(view.neighbours[0].site.clone(), 3), ("none".parse().unwrap(), 0)] {
        let sites = Some([site].into());
        assert_eq!(house.store.coverage(&sites).await.unwrap().neighbours.len(), told);
    }
    // Other evidence in its place says something else.
    house
        .commit(vec![report(2, 20, Completeness::Complete, 2)])
        .await
        .unwrap();
    assert_eq!(house.store.coverage(&None).await.unwrap().neighbours, []);
    identify(Vec::new(), &[]).await;
    assert_eq!(house.store.coverage(&None).await.unwrap().neighbours, []);
}
