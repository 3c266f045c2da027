//! What addresses told of their engines.

use super::{House, report};
use crate::engines::{EngineFilter, EngineRow, EnginesPage, KnownEngines, ToldEngine, ToldEngines};
use crate::{Admission as _, Store as _};
use model::{Completeness, Instant};

const BOX: &[u8] = b"\x80\0\x07\xdb\x03\0\xe0\xfc\x12\x34\x56";

fn engine(address: &str, revision: u64, id: &[u8]) -> ToldEngine {
    ToldEngine {
        address: address.parse().unwrap(),
        port: 161,
        id: id.to_vec(),
        octets: u32::try_from(id.len()).unwrap(),
        boots: 3,
        time: 86_400,
        seen: Instant(i64::try_from(revision).unwrap()),
        revision,
    }
}

impl House {
    async fn note(&self, generation: u64, engines: Vec<ToldEngine>) {
        let told = ToldEngines { generation, engines };
        self.store
            .note_engines(self.agent, told, Instant(50))
            .await
            .unwrap();
    }

    async fn engines(&self, filter: EngineFilter) -> EnginesPage {
        self.store.engines(&filter).await.unwrap()
    }

    async fn known(&self) -> (u64, u64) {
        let KnownEngines { generation, revision } = self.store.known_engines(self.agent).await.unwrap();
        (generation, revision)
    }
}

fn addresses(page: &EnginesPage) -> Vec<String> {
    let address = |row: &EngineRow| row.engine.address.to_string();
    page.rows.iter().map(address).collect()
}

#[tokio::test]
async fn the_last_word_of_each_address_is_kept_as_it_came_until_it_is_void() {
    let house = House::new().await;
    house.store.greet(&house.hello(1, 1), Instant(1)).await.unwrap();
    assert_eq!(house.known().await, (0, 0));
    assert_eq!(
        house.engines(EngineFilter::default()).await,
        EnginesPage::default()
    );
    let odd = engine("2001:db8::7", 2, b"\0");
    house
        .note(7, vec![engine("192.0.2.1", 1, BOX), odd.clone()])
        .await;
    assert_eq!(house.known().await, (7, 2));
    // Only what changed is told: the others stay.
    house
        .note(7, vec![engine("192.0.2.9", 3, BOX), engine("192.0.2.1", 4, BOX)])
        .await;
    assert_eq!(house.known().await, (7, 4));
    let page = house.engines(EngineFilter::default()).await;
    assert_eq!(page.total, 2);
    assert_eq!(addresses(&page), ["2001:db8::7", "192.0.2.9", "192.0.2.1"]);
    assert_eq!(page.rows[0].engine, odd);
    assert_eq!(
        (page.rows[0].site.as_str(), page.rows[0].agent),
        ("berlin", house.agent)
    );
    assert_eq!((&page.rows[0].element, page.rows[0].polled), (&None, false));
    // Another generation: what was told before is void, and that there is nothing is a word too.
    house.note(8, vec![engine("192.0.2.2", 1, BOX)]).await;
    assert_eq!(
        addresses(&house.engines(EngineFilter::default()).await),
        ["192.0.2.2"]
    );
    house.note(9, Vec::new()).await;
    assert_eq!(house.known().await, (9, 0));
    assert_eq!(house.engines(EngineFilter::default()).await.total, 0);
    house.note(9, vec![engine("192.0.2.2", 5, BOX)]).await;
    house
        .store
        .revoke(house.agent, "stolen", &super::ann(), Instant(60))
        .await
        .unwrap();
    assert_eq!(house.engines(EngineFilter::default()).await.total, 0);
}

#[tokio::test]
async fn pages_are_bounded_and_hold_whoever_told_an_id_together() {
    let house = House::new().await;
    house.store.greet(&house.hello(1, 2), Instant(1)).await.unwrap();
    let rows = (1..=9_u8).map(|n| {
        let id = [0x80, 0, 0, 9, 0x80, n / 3];
        engine(&format!("192.0.2.{n}"), u64::from(n), &id)
    });
    house.note(7, rows.collect()).await;
    // An element stands at the first, and answers.
    house
        .commit(vec![report(1, 10, Completeness::Complete, 1)])
        .await
        .unwrap();
    let page = async |filter: EngineFilter| house.engines(filter).await;
    let first = page(EngineFilter {
        limit: 2,
        ..EngineFilter::default()
    })
    .await;
    assert_eq!((first.total, addresses(&first).len()), (4, 5));
    assert!(first.rows[0].polled && first.rows[0].element.is_some());
    let rest = page(EngineFilter {
        limit: 2,
        after: first.next.clone(),
        ..EngineFilter::default()
    })
    .await;
    assert_eq!(
        (addresses(&rest), rest.next),
        (
            ["192.0.2.6", "192.0.2.7", "192.0.2.8", "192.0.2.9"]
                .map(str::to_owned)
                .to_vec(),
            None
        )
    );
    // One within the range brings those along that tell the same ID.
    let within = |first: &str, last: &str, port| EngineFilter {
        within: Some((first.parse().unwrap(), last.parse().unwrap(), port)),
        ..EngineFilter::default()
    };
    let around = page(within("192.0.2.4", "192.0.2.4", 161)).await;
    assert_eq!(addresses(&around), ["192.0.2.3", "192.0.2.4", "192.0.2.5"]);
    assert_eq!(around.total, 1);
    assert_eq!(page(within("192.0.2.4", "192.0.2.4", 1161)).await.total, 0);
    assert_eq!(page(within("2001:db8::", "2001:db8::ffff", 161)).await.total, 0);
    // Only where nobody was ever answered, and only of sites that may be seen.
    let dark = EngineFilter {
        dark: true,
        ..EngineFilter::default()
    };
    assert_eq!(
        page(dark).await.total,
        4,
        "another address of the first ID is dark"
    );
    let of = |site: &str| EngineFilter {
        sites: Some([site.parse().unwrap()].into()),
        ..EngineFilter::default()
    };
    assert_eq!(
        (page(of("berlin")).await.total, page(of("lyon")).await.total),
        (4, 0)
    );
    let nowhere = EngineFilter {
        sites: Some(std::collections::BTreeSet::new()),
        ..EngineFilter::default()
    };
    assert_eq!(page(nowhere).await.total, 0);
}

#[tokio::test]
async fn every_id_is_on_a_page_however_many_addresses_tell_it() {
    const IDS: u64 = 12;
    const OF_EACH: u64 = 1_001;
    let house = House::new().await;
    house.store.greet(&house.hello(1, 1), Instant(1)).await.unwrap();
    for id in 0..IDS {
        let told = (0..OF_EACH).map(|number| {
            let address = format!("10.{id}.{}.{}", number / 256, number % 256);
            engine(
                &address,
                id * OF_EACH + number + 1,
                &[0x80, 0, 0, 9, u8::try_from(id).unwrap()],
            )
        });
        house.note(7, told.collect()).await;
    }
    let (mut seen, mut after) = (Vec::new(), None);
    for _ in 0..IDS {
        let page = house
            .engines(EngineFilter {
                after,
                ..EngineFilter::default()
            })
            .await;
        assert_eq!(page.total, IDS);
        for row in &page.rows {
            seen.push(row.engine.id[4]);
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    // Those that told last, of each ID a thousand, and no ID is left out or torn.
    let of = |id: u64| seen.iter().filter(|one| u64::from(**one) == id).count();
    assert_eq!((0..IDS).map(of).collect::<Vec<_>>(), [1_000; IDS as usize]);
}
