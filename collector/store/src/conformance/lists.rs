//! Declared facts, and lists page by page.

use super::*;
use crate::clause::ElementOrder;
use model::on_file::{OnFile, Price};

#[tokio::test]
async fn what_is_declared_is_kept_apart_and_withdrawn_with_history() {
    let house = House::new().await;
    let site = Site {
        name: "berlin".parse().unwrap(),
        jurisdictions: BTreeSet::from(["DE".to_owned(), "EU".to_owned()]),
        title: "Berlin".into(),
        latitude: None,
        longitude: None,
    };
    let declaration = Declaration {
        site: "berlin".parse().unwrap(),
        address: "192.0.2.1".into(),
        port: 161,
        name: "BER-CORE-1".into(),
        role: Some(Role::Core),
        generations: BTreeSet::from(["5G".to_owned()]),
        tags: BTreeSet::from(["de_contract_operator".to_owned()]),
        acquired: None,
    };
    let sites = [site];
    house
        .store
        .declare(&sites, std::slice::from_ref(&declaration), Instant(5))
        .await
        .unwrap();
    house.store.greet(&house.hello(1, 9), Instant(900)).await.unwrap();
    house
        .commit(vec![report(1, 10, Completeness::Complete, 1)])
        .await
        .unwrap();
    let element = house.only_element().await;
    let place = house.store.subject(element).await.unwrap().unwrap().place;
    assert_eq!((place.role, place.jurisdictions.len()), (Some(Role::Core), 2));

    let filter = ElementFilter {
        roles: vec!["core".into()],
        text: "core".into(),
        ..ElementFilter::default()
    };
    assert_eq!(house.store.elements(&filter).await.unwrap().total, 1);
    let filter = ElementFilter {
        text: "100%".into(),
        ..ElementFilter::default()
    };
    assert_eq!(
        house.store.elements(&filter).await.unwrap().total,
        0,
        "% is a character, not a wildcard"
    );

    house.store.declare(&sites, &[], Instant(6)).await.unwrap();
    let place = house.store.subject(element).await.unwrap().unwrap().place;
    assert_eq!((place.role, place.tags.len()), (None, 0));
}

#[tokio::test]
async fn what_is_on_file_has_a_history_and_what_differs_is_shown() {
    let house = House::new().await;
    let price = |price| Price {
        supplier: "zte".into(),
        model: None,
        price,
        currency: "EUR".into(),
    };
    let file = |prices: Vec<Price>| OnFile {
        prices,
        ..OnFile::default()
    };
    let declare = async |prices, at| {
        house
            .store
            .declare_on_file(&file(prices), Instant(at))
            .await
            .unwrap()
    };
    declare(vec![price(1)], 10).await;
    declare(vec![price(1)], 20).await;
    declare(vec![price(2)], 30).await;
    declare(vec![price(1)], 40).await;
    let rows: Vec<(i64, Option<i64>)> = house.store.on_file_history().await.unwrap();
    assert_eq!(rows, [(10, Some(30)), (30, Some(40)), (40, None)]);

    house.store.greet(&house.hello(1, 9), Instant(900)).await.unwrap();
    house
        .commit(vec![report(1, 10, Completeness::Complete, 1)])
        .await
        .unwrap();
    let element = house.only_element().await;
    let view = house.store.element(element).await.unwrap().unwrap();
    assert!(view.contradictions.is_empty(), "not judged yet");
    house.judge(element, vec![], vec![]).await;
    let view = house.store.element(element).await.unwrap().unwrap();
    assert_eq!(view.contradictions, ["declared so, seen otherwise"]);
}

#[tokio::test]
async fn pages_follow_each_other_without_overlap() {
    let house = House::new().await;
    house
        .store
        .greet(&house.hello(1, 99), Instant(900))
        .await
        .unwrap();
    let reports = (1..=25)
        .map(|n| {
            let mut report = report(n, 10, Completeness::Complete, 1);
            if let ReportBody::Read(read) = &mut report.body {
                read.address = format!("192.0.2.{n}");
            }
            report
        })
        .collect();
    house.commit(reports).await.unwrap();
    // Names as people give them: with blanks, and two alike.
    let named: Vec<_> = (1..=25)
        .map(|n| Declaration {
            site: "berlin".parse().unwrap(),
            address: format!("192.0.2.{n}"),
            port: 161,
            name: format!("BER core / näme {}", n / 2),
            role: None,
            generations: BTreeSet::new(),
            tags: BTreeSet::new(),
            acquired: None,
        })
        .collect();
    house.store.declare(&[], &named, Instant(5)).await.unwrap();
    let mut filter = ElementFilter {
        limit: 10,
        ..ElementFilter::default()
    };
    let mut seen = BTreeSet::new();
    let mut sizes = Vec::new();
    loop {
        let page = house.store.elements(&filter).await.unwrap();
        assert_eq!(page.total, 25);
        sizes.push(page.rows.len());
        seen.extend(page.rows.into_iter().map(|r| r.address));
        filter.after = page.next;
        if filter.after.is_none() {
            break;
        }
    }
    assert_eq!((sizes, seen.len()), (vec![10, 10, 5], 25));
}

#[tokio::test]
async fn whoever_is_renamed_between_two_pages_takes_nobody_along() {
    let house = House::new().await;
    house
        .store
        .greet(&house.hello(1, 99), Instant(900))
        .await
        .unwrap();
    let named = |names: [&str; 3]| {
        names.map(|text| {
            let (address, name) = text.split_once(' ').unwrap();
            Declaration {
                site: "berlin".parse().unwrap(),
                address: address.into(),
                port: 161,
                name: name.into(),
                role: None,
                generations: BTreeSet::new(),
                tags: BTreeSet::new(),
                acquired: None,
            }
        })
    };
    let before = named(["192.0.2.1 A. 1", "192.0.2.2 b-2 / ü", "192.0.2.3 c"]);
    let first_last = named(["192.0.2.1 z", "192.0.2.2 b-2 / ü", "192.0.2.3 c"]);
    let last_first = named(["192.0.2.1 A. 1", "192.0.2.2 b-2 / ü", "192.0.2.3 0"]);
    for (at, order, down) in [
        (10, ElementOrder::Name, false),
        (20, ElementOrder::Site, false),
        (30, ElementOrder::Site, true),
    ] {
        house.store.declare(&[], &before, Instant(at)).await.unwrap();
        let mut filter = ElementFilter {
            limit: 1,
            order,
            down,
            ..ElementFilter::default()
        };
        let keys = house.store.element_keys(&filter).await.unwrap();
        let first = house.store.elements(&filter).await.unwrap();
        let mut seen: Vec<_> = first.rows.iter().map(|row| row.element).collect();
        filter.after = first.next;
        let after = if down { &last_first } else { &first_last };
        house.store.declare(&[], after, Instant(at + 1)).await.unwrap();
        while filter.after.is_some() {
            let page = house.store.elements(&filter).await.unwrap();
            seen.extend(page.rows.iter().map(|row| row.element));
            filter.after = page.next;
        }
        assert_eq!(keys.len(), 3);
        assert!(
            keys.iter().all(|key| seen.contains(key)),
            "{order:?} {down}: {seen:?} of {keys:?}"
        );
        // All of one moment: in the order of then, as they are now.
        let rows = house.store.elements_of(&keys, None).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.element).collect::<Vec<_>>(), keys);
        assert!(rows.iter().any(|row| ["z", "0"].contains(&row.name.as_str())));
    }
}

#[tokio::test]
async fn contexts_at_one_address_are_elements_of_their_own() {
    let house = House::new().await;
    house.store.greet(&house.hello(1, 9), Instant(900)).await.unwrap();
    let within = |sequence, context: &str, content| {
        let mut one = report(sequence, 10, Completeness::Complete, content);
        if let ReportBody::Read(read) = &mut one.body {
            read.context = context.into();
        }
        one
    };
    let reports = vec![
        within(1, "", 1),
        within(2, "red", 2),
        within(3, "blue", 3),
        within(4, "red", 2),
    ];
    house.commit(reports).await.unwrap();
    let page = house.store.elements(&ElementFilter::default()).await.unwrap();
    let shown: Vec<_> = page
        .rows
        .iter()
        .map(|row| (row.address.as_str(), row.context.as_str(), row.port))
        .collect();
    assert_eq!(
        shown,
        [
            ("192.0.2.1", "", 161),
            ("192.0.2.1 in blue", "blue", 161),
            ("192.0.2.1 in red", "red", 161)
        ]
    );
    let filter = ElementFilter {
        text: "red".into(),
        ..ElementFilter::default()
    };
    assert_eq!(house.store.elements(&filter).await.unwrap().total, 1);
}
