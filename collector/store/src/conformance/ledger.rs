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
    assert_eq!(
        (berlin.unknown, leeds.unknown),
        (0, 1),
        "nobody judged the one in Leeds"
    );
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

    let within = house.store.within("hisilicon", None, 9).await.unwrap();
    assert_eq!((within.len(), within[0].parts, within[0].elements), (1, 1, 1));
    assert!(house.store.within("nokia", None, 9).await.unwrap().is_empty());

    let since = |at| [Instant(0), Instant(at)];
    let count = |moved: Vec<crate::ledger::Moved>| {
        let opened = moved.into_iter().find(|one| one.kind == "finding_opened");
        opened.map(|one| (one.cause, one.counts))
    };
    let early = count(house.store.moved(since(0)).await.unwrap());
    assert_eq!(early, Some(("network".to_owned(), [1, 1])));
    let late = count(house.store.moved(since(3_001)).await.unwrap());
    assert_eq!(late, Some(("network".to_owned(), [1, 0])));

    let dates = house.store.dates(None).await.unwrap();
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
    let dates = house.store.dates(None).await.unwrap();
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
    let dates = house.store.dates(None).await.unwrap();
    assert_eq!(
        dates.dated[0].span.closed,
        Some((Instant(5_000), Some(Ending::Swapped)))
    );
    assert!(dates.bound.is_empty() && dates.accepted.is_empty());
    assert!(house.store.ledger().await.unwrap().burdens.is_empty());
}

#[tokio::test]
async fn a_standing_that_is_unknown_is_counted_though_the_maker_is_named() {
    let (house, element, _) = with_finding().await;
    house
        .judge_so(element, "unknown", vec![], vec![], Instant(4_000))
        .await;
    let ledger = house.store.ledger().await.unwrap();
    assert!(ledger.stock[0].maker.is_some());
    assert_eq!(ledger.stock[0].unknown, 1);
}

#[tokio::test]
async fn parts_of_other_sites_take_no_room_from_those_asked_for() {
    let house = House::network(6).await;
    let only = |site: &str| BTreeSet::from([site.parse().unwrap()]);
    let parts = async |sites: Option<&BTreeSet<_>>, most| {
        let within = house.store.within("hisilicon", sites, most).await.unwrap();
        within
            .iter()
            .map(|one| (one.site.to_string(), one.parts))
            .collect::<Vec<_>>()
    };
    let all = parts(None, 99).await;
    assert!(all.len() > 1, "{all:?}");
    for (site, count) in &all {
        let own = parts(Some(&only(site)), u32::try_from(*count).unwrap()).await;
        assert_eq!(
            own,
            [(site.clone(), *count)],
            "as many as there are fit in the bound"
        );
    }
    assert!(parts(Some(&BTreeSet::new()), 99).await.is_empty());
}

#[tokio::test]
async fn dates_of_a_day_know_nothing_that_was_recorded_later() {
    let (house, element, finding) = with_finding().await;
    let closed = Life {
        state: FindingState::Closed,
        ending: Some(Ending::NotMet),
        ..Life::new()
    };
    let stand = |revision, life: &Life| Stand {
        finding,
        revision,
        life: life.clone(),
    };
    let confirmed = Life {
        ending: Some(Ending::Confirmed),
        ..closed.clone()
    };
    // Opened at 3,000.
    let close = FindingStep::Close(stand(0, &closed), "the rule is no longer met".into());
    house
        .judge_so(element, "clear", vec![], vec![close], Instant(4_000))
        .await;
    let gone = Act::ConfirmRemoval {
        reason: "scrapped".into(),
    };
    let act = doing(gone, finding, 1, confirmed);
    house.store.act(&act, Instant(5_000)).await.unwrap();
    let due = result(ResultClass::Due, Severity::Major);
    let back = FindingStep::Reopen(Box::new(stand(2, &Life::new())), met(due));
    house
        .judge_so(element, "due", vec![], vec![back], Instant(7_000))
        .await;

    let told = async |known| {
        let dates = house.store.dates(known).await.unwrap();
        let [dated] = dates.dated.try_into().unwrap();
        dated
    };
    let then = async |at| told(Some(Instant(at))).await.span.closed;
    assert!(
        house
            .store
            .dates(Some(Instant(2_999)))
            .await
            .unwrap()
            .dated
            .is_empty()
    );
    assert_eq!(then(3_500).await, None);
    assert_eq!(then(4_500).await, Some((Instant(4_000), Some(Ending::NotMet))));
    assert_eq!(then(6_000).await, Some((Instant(4_000), Some(Ending::Confirmed))));
    assert_eq!(then(8_000).await, None);
    assert_eq!(told(None).await.span, told(Some(Instant(8_000))).await.span);
    let dates = house.store.dates(Some(Instant(8_000))).await.unwrap();
    assert!(
        dates.bound.is_empty() && dates.accepted.is_empty(),
        "known of now alone"
    );
}
