//! Tenures, keys, companies and decisions.

use super::{House, identification, report};
use crate::record::Stage;
use crate::units::{ElementHistory, JoinedCompany, UnitFilter};
use crate::{Store as _, Units as _};
use model::{
    Completeness, Digest, ElementId, Handle, Hardware, Instant, Joined, Tenure, UnitDoubt, UnitId,
    UnitIdentity,
};
use std::collections::BTreeSet;

fn tenure(element: ElementId, slot: u32, serial: &str, from: i64, until: Option<i64>) -> Tenure {
    Tenure {
        element,
        slot,
        from: Instant(from),
        until: until.map(Instant),
        seen: Instant(from + 5),
        first: Digest([1; 32]),
        last: Digest([1; 32]),
        replaces: slot.checked_sub(1),
        hardware: Hardware {
            identity: UnitIdentity {
                serial: Some(serial.into()),
                ..UnitIdentity::default()
            },
            maker: None,
            member: false,
        },
    }
}

fn history(tenures: Vec<Tenure>) -> ElementHistory {
    let keyed = |tenure: Tenure| {
        let key = format!(
            "serial {}",
            tenure.hardware.identity.serial.clone().unwrap_or_default()
        );
        (tenure, BTreeSet::from([key]))
    };
    ElementHistory {
        element: tenures[0].element,
        tenures: tenures.into_iter().map(keyed).collect(),
    }
}

async fn two_elements(house: &House) -> [ElementId; 2] {
    house.store.greet(&house.hello(1, 9), Instant(900)).await.unwrap();
    let mut other = report(2, 20, Completeness::Complete, 1);
    if let crate::record::ReportBody::Read(read) = &mut other.body {
        read.address = "192.0.2.2".into();
    }
    house
        .commit(vec![report(1, 10, Completeness::Complete, 1), other])
        .await
        .unwrap();
    house
        .identify(Digest([1; 32]), identification("huawei", "S1"))
        .await;
    let page = house
        .store
        .elements(&crate::view::ElementFilter::default())
        .await
        .unwrap();
    [page.rows[0].element, page.rows[1].element]
}

#[tokio::test]
async fn what_an_element_showed_is_told_in_runs_and_late_reports_are_history() {
    let house = House::new().await;
    house.store.greet(&house.hello(1, 9), Instant(900)).await.unwrap();
    let reports = [(1, 10, 1), (2, 20, 2), (3, 30, 3), (4, 15, 4)];
    let reports =
        reports.map(|(sequence, at, content)| report(sequence, at, Completeness::Complete, content));
    house.commit(reports.to_vec()).await.unwrap();
    let element = house.only_element().await;
    for (content, serial) in [(1, "A"), (2, "A"), (3, "B"), (4, "A")] {
        house
            .identify(Digest([content; 32]), identification("huawei", serial))
            .await;
    }
    assert_eq!(
        house.store.undone(Stage::Unit, 9).await.unwrap().len(),
        1,
        "one element is to be looked at"
    );
    let shown = house.store.shown(element).await.unwrap();
    let told: Vec<_> = shown
        .iter()
        .map(|one| {
            (
                one.hardware[0].identity.serial.as_deref().unwrap(),
                one.from.0,
                one.until.0,
            )
        })
        .collect();
    assert_eq!(told, [("A", 10, 20), ("B", 30, 30)]);
}

#[tokio::test]
async fn histories_are_replaced_and_swaps_are_told_once() {
    let house = House::new().await;
    let [one, _] = two_elements(&house).await;
    let first = tenure(one, 0, "A", 10, None);
    house
        .store
        .save_histories(vec![history(vec![first])], 64, Instant(30))
        .await
        .unwrap();
    let both = || {
        history(vec![
            tenure(one, 0, "A", 10, Some(20)),
            tenure(one, 1, "B", 20, None),
        ])
    };
    for at in [40, 50] {
        house
            .store
            .save_histories(vec![both()], 64, Instant(at))
            .await
            .unwrap();
    }
    let company = house.store.company(one, 64).await.unwrap();
    assert_eq!(company.tenures.len(), 2);
    assert_eq!(
        company.tenures[1].seen,
        Instant(i64::MAX),
        "who stands there and answers is there"
    );
    let changes = house.store.overview().await.unwrap().changes;
    let told: Vec<_> = changes
        .iter()
        .rev()
        .map(|c| (c.kind.as_str(), c.text.as_str()))
        .collect();
    let (a, b) = (
        "unknown maker unknown model, serial A",
        "unknown maker unknown model, serial B",
    );
    assert_eq!(told, [("unit_new", a), ("swap", format!("{a} → {b}").as_str())]);
    // Thrown away and made anew, nothing is told twice.
    house
        .store
        .save_histories(
            vec![ElementHistory {
                element: one,
                tenures: vec![],
            }],
            64,
            Instant(60),
        )
        .await
        .unwrap();
    house
        .store
        .save_histories(vec![both()], 64, Instant(70))
        .await
        .unwrap();
    assert_eq!(house.store.overview().await.unwrap().changes.len(), 2);
    let moved_in = house.store.subject(one).await.unwrap().unwrap().tenure.unwrap();
    assert_eq!((moved_in.from, moved_in.swapped), (Instant(20), true));
}

#[tokio::test]
async fn a_company_shares_keys_or_decisions_and_who_loses_a_key_is_looked_at_again() {
    let house = House::new().await;
    let [one, other] = two_elements(&house).await;
    house.settle_units().await;
    let save = async |element, serial: &str| {
        let history = history(vec![tenure(element, 0, serial, 10, None)]);
        house
            .store
            .save_histories(vec![history], 64, Instant(30))
            .await
            .unwrap();
    };
    save(one, "A").await;
    save(other, "A").await;
    assert_eq!(house.store.company(one, 64).await.unwrap().tenures.len(), 2);
    let alone = house.store.company(one, 1).await.unwrap();
    assert_eq!(
        (alone.tenures.len(), alone.common),
        (1, BTreeSet::from(["serial A".to_owned()]))
    );
    assert_eq!(house.store.undone(Stage::Unit, 9).await.unwrap(), []);
    let third = history(vec![
        tenure(other, 0, "A", 10, None),
        tenure(other, 1, "A", 20, None),
    ]);
    house
        .store
        .save_histories(
            vec![history(vec![tenure(other, 0, "C", 10, None)])],
            2,
            Instant(30),
        )
        .await
        .unwrap();
    house.settle_units().await;
    house
        .store
        .save_histories(vec![third], 2, Instant(30))
        .await
        .unwrap();
    assert_eq!(
        house.store.undone(Stage::Unit, 9).await.unwrap().len(),
        2,
        "the key became common"
    );
    house.settle_units().await;
    save(other, "A").await;
    save(one, "B").await;
    let again: Vec<_> = house
        .store
        .undone(Stage::Unit, 9)
        .await
        .unwrap()
        .into_iter()
        .map(|u| u.key)
        .collect();
    assert_eq!(again, [other.to_string()]);
    assert_eq!(house.store.company(one, 64).await.unwrap().tenures.len(), 1);

    let handle = |element, word: &str| Handle {
        element,
        word: word.into(),
    };
    house
        .store
        .decide(
            &handle(one, "serial B"),
            Some(&handle(other, "serial A")),
            "same box",
            Instant(40),
        )
        .await
        .unwrap();
    house
        .store
        .decide(&handle(one, "serial B"), None, "after all not", Instant(50))
        .await
        .unwrap();
    assert_eq!(house.store.undone(Stage::Unit, 9).await.unwrap().len(), 2);
    let company = house.store.company(other, 64).await.unwrap();
    assert_eq!(company.tenures.len(), 2);
    assert_eq!(company.decisions.len(), 2);
    assert_eq!(
        (company.decisions[1].other.clone(), company.decisions[1].at),
        (None, Instant(50))
    );
}

#[tokio::test]
async fn units_and_doubts_are_shown_at_every_place() {
    let house = House::new().await;
    let [one, other] = two_elements(&house).await;
    let tenures = vec![tenure(one, 0, "A", 10, None), tenure(other, 0, "A", 10, None)];
    let histories = tenures
        .iter()
        .map(|tenure| history(vec![tenure.clone()]))
        .collect();
    house
        .store
        .save_histories(histories, 64, Instant(30))
        .await
        .unwrap();
    let undone = house.store.undone(Stage::Unit, 9).await.unwrap().remove(0);
    let unit = |n| UnitId::made_from([n; 16]);
    let save = async |units: [UnitId; 2], doubts: BTreeSet<UnitDoubt>| {
        let joined = Joined {
            units: units.to_vec(),
            doubts,
        };
        let (undone, tenures) = (undone.clone(), tenures.clone());
        house
            .store
            .save_joined(
                vec![JoinedCompany {
                    undone,
                    tenures,
                    joined,
                }],
                Instant(40),
            )
            .await
            .unwrap();
    };
    let doubt = UnitDoubt {
        about: (one, 0),
        other: (other, 0),
        code: "cloned_key",
        text: "both tell it".into(),
    };
    save([unit(1), unit(2)], BTreeSet::from([doubt])).await;
    let view = house.store.element(one).await.unwrap().unwrap();
    assert_eq!((view.kin.len(), view.unit_doubts[0].other), (0, unit(2)));
    let notable = UnitFilter {
        notable: true,
        ..UnitFilter::default()
    };
    assert_eq!(house.store.units(&notable).await.unwrap().total, 1);
    save([unit(1), unit(1)], BTreeSet::new()).await;
    let view = house.store.element(one).await.unwrap().unwrap();
    assert_eq!((view.kin[0].element, view.unit_doubts.len()), (other, 0));
    let rows = house.store.units(&notable).await.unwrap().rows;
    assert_eq!(
        (rows.len(), rows[0].elements, rows[0].serial.as_deref()),
        (1, 2, Some("A"))
    );
    let text = UnitFilter {
        text: "nobody's".into(),
        ..UnitFilter::default()
    };
    assert_eq!(house.store.units(&text).await.unwrap().total, 0);
    let shown = house.store.unit(unit(1)).await.unwrap().unwrap();
    assert_eq!(
        (
            shown.tenures.len(),
            house.store.tenures(unit(1)).await.unwrap().len()
        ),
        (2, 2)
    );
    assert_eq!(house.store.unit(unit(2)).await.unwrap(), None);
    let waiting = house.store.undone(Stage::Evaluate, 9).await.unwrap();
    assert!(waiting.iter().any(|u| u.key == undone.key));
}
