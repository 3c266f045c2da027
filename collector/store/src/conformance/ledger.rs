//! What is counted of the whole network.

use super::life::{doing, full, with_finding};
use super::*;
use crate::acts::Acts as _;
use crate::ledger::Ledgers as _;

#[tokio::test]
async fn elements_findings_dates_and_parts_are_counted_where_they_are() {
    let (house, _, finding) = with_finding().await;
    let unknown = Declaration {
        site: "leeds".parse().unwrap(),
        address: "192.0.2.9".into(),
        port: 161,
        name: "LEE-1".into(),
        role: Some(Role::Ran),
        generations: BTreeSet::new(),
        tags: BTreeSet::new(),
        acquired: None,
    };
    house.store.declare(&[], &[unknown], Instant(5)).await.unwrap();

    let ledger = house.store.ledger().await.unwrap();
    let stock = |site: &str| ledger.stock.iter().find(|one| one.site.as_str() == site).unwrap();
    let (berlin, leeds) = (stock("berlin"), stock("leeds"));
    assert_eq!(
        (
            berlin.maker.as_ref().map(|maker| maker.id.as_str()),
            berlin.model.as_deref()
        ),
        (Some("huawei"), Some("NE-1"))
    );
    assert_eq!((berlin.elements, berlin.reached, berlin.exposed), (1, 1, 1));
    assert_eq!((leeds.role, &leeds.maker), (Some(Role::Ran), &None));
    assert_eq!((leeds.elements, leeds.reached, leeds.exposed), (1, 0, 0));
    let [burden] = &ledger.burdens[..] else {
        panic!("one rule at one site: {:?}", ledger.burdens)
    };
    assert_eq!(
        (burden.rule.as_str(), burden.site.as_str(), burden.role),
        ("DE-CONTRACT-CORE", "berlin", None)
    );
    assert_eq!((burden.open, burden.elements, burden.waived), (1, 1, 0));
    assert_eq!(burden.worst, Some(Severity::Major));
    assert_eq!(
        (ledger.blames[0].supplier.as_str(), ledger.blames[0].findings),
        ("huawei", 1)
    );

    let within = house.store.within("hisilicon", 9).await.unwrap();
    assert_eq!((within.len(), within[0].parts, within[0].elements), (1, 1, 1));
    assert!(house.store.within("nokia", 9).await.unwrap().is_empty());

    let since = |at| [Instant(0), Instant(at)];
    let count = |moved: Vec<crate::ledger::Moved>| {
        let opened = moved.into_iter().find(|one| one.kind == "finding_opened");
        opened.map(|one| (one.cause, one.counts))
    };
    let early = count(house.store.moved(since(0)).await.unwrap());
    assert_eq!(early, Some(("network".to_owned(), [1, 1])));
    let late = count(house.store.moved(since(3_001)).await.unwrap());
    assert_eq!(late, Some(("network".to_owned(), [1, 0])));

    let dates = house.store.dates().await.unwrap();
    let dated = &dates.dated[0];
    assert_eq!(
        (dated.span.deadline.as_str(), dated.jurisdiction.as_str()),
        ("2026-12-31", "DE")
    );
    assert_eq!((dated.findings, dated.planned, dated.waived), (1, 0, 0));
    assert_eq!(dated.span.closed, None);
    assert_eq!(dates.bound[0].elements, 1);
    assert!(dates.accepted.is_empty());

    let act = doing(Act::Acknowledge, finding, 0, full());
    house.store.act(&act, Instant(4_000)).await.unwrap();
    let ledger = house.store.ledger().await.unwrap();
    let burden = &ledger.burdens[0];
    assert_eq!(
        (burden.open, burden.elements, burden.waived, burden.matched),
        (0, 0, 1, 1),
        "a waived finding waits for nobody and is still a match"
    );
    assert_eq!(burden.worst, None);
    assert!(ledger.blames.is_empty());
    let dates = house.store.dates().await.unwrap();
    assert_eq!((dates.dated[0].planned, dates.dated[0].waived), (1, 1));
    assert_eq!(dates.bound[0].elements, 1, "a waiver lifts no duty");
    assert_eq!(dates.accepted[0].waiver.until, "2027-01-01");

    let gone = Life {
        state: FindingState::Closed,
        ending: Some(Ending::Swapped),
        waiver: None,
        ..full()
    };
    let act = doing(Act::Acknowledge, finding, 1, gone);
    house.store.act(&act, Instant(5_000)).await.unwrap();
    let dates = house.store.dates().await.unwrap();
    assert_eq!(
        dates.dated[0].span.closed,
        Some((Instant(5_000), Some(Ending::Swapped)))
    );
    assert!(dates.bound.is_empty() && dates.accepted.is_empty());
    assert!(house.store.ledger().await.unwrap().burdens.is_empty());
}
