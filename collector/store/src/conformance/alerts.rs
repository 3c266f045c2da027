//! Changes that are due, what waits for each route, and what each was told.

use super::life::{doing, with_finding};
use super::*;
use crate::acts::Acts as _;
use crate::alerts::{Alerts as _, NewAlert};
use crate::clause::{Clause, FindingField};
use crate::views::{NewView, Views as _};

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

async fn routes(house: &House, declared: &[&str], now: i64) -> u64 {
    let declared = names(declared);
    house.store.declare_routes(&declared, Instant(now)).await.unwrap()
}

/// Somebody takes the finding, so that it changes.
async fn assign(house: &House, finding: FindingId, at: i64) {
    let life = house.store.lives(&[finding]).await.unwrap().remove(0);
    let assigned = Life {
        state: FindingState::Assigned,
        owner: Some("Bob".into()),
        ..life.life
    };
    let act = Act::Assign { to: "Bob".into() };
    let act = doing(act, finding, life.revision, assigned);
    house.store.act(&act, Instant(at)).await.unwrap();
}

fn alert(route: &str, finding: FindingId, event: uuid::Uuid, told: Option<&str>) -> NewAlert {
    NewAlert {
        route: route.into(),
        event,
        finding,
        since: Instant(4_000),
        body: format!("to {route}"),
        told: told.map(str::to_owned),
    }
}

#[tokio::test]
async fn a_change_is_due_from_its_own_transaction_and_only_while_there_is_a_route() {
    let (house, _, finding) = with_finding().await;
    assert!(
        house.store.due(9).await.unwrap().is_empty(),
        "nobody wants to know"
    );
    routes(&house, &["noc"], 3_500).await;
    assert!(house.store.due(9).await.unwrap().is_empty(), "a route begins now");
    assign(&house, finding, 4_000).await;
    let comment = Act::Comment { text: "hm".into() };
    let life = house.store.lives(&[finding]).await.unwrap().remove(0);
    let comment = doing(comment, finding, life.revision, life.life);
    house.store.act(&comment, Instant(4_100)).await.unwrap();
    let due = house.store.due(9).await.unwrap();
    assert_eq!(due.len(), 1, "a remark changes nothing");
    let due = &due[0];
    assert_eq!(
        (due.finding, due.kind.as_str(), due.at),
        (finding, "assigned", Instant(4_000))
    );
    assert_eq!(
        (due.state, due.severity),
        (FindingState::Assigned, Severity::Major)
    );
    assert_eq!(
        (due.owner.as_deref(), due.person.as_deref()),
        (Some("Bob"), Some("Ann"))
    );
    let untold = house.store.overview().await.unwrap().untold;
    assert_eq!((untold.count, untold.oldest), (1, Some(Instant(4_000))));
}

#[tokio::test]
async fn what_is_queued_waits_for_each_route_by_itself_until_it_is_delivered() {
    let (house, _, finding) = with_finding().await;
    routes(&house, &["law", "noc"], 3_500).await;
    assign(&house, finding, 4_000).await;
    assign(&house, finding, 4_001).await;
    let due = house.store.due(9).await.unwrap();
    let both =
        |told| [("noc", told), ("law", None)].map(|(route, told)| alert(route, finding, due[0].event, told));
    house
        .store
        .queue_alerts(&both(Some("{1}")), due[0].place)
        .await
        .unwrap();
    let left = house.store.due(9).await.unwrap();
    assert_eq!(left, due[1..], "the other is still due");
    house
        .store
        .queue_alerts(&both(Some("{2}")), due[1].place)
        .await
        .unwrap();
    assert!(house.store.due(9).await.unwrap().is_empty());

    let waits = house.store.waiting("noc", 9).await.unwrap();
    assert_eq!(waits.len(), 2);
    assert!(waits[0].place < waits[1].place, "in order");
    assert_eq!(
        (waits[0].since, waits[0].body.as_str()),
        (Instant(4_000), "to noc")
    );
    let told = house.store.told("noc", &[finding]).await.unwrap();
    assert_eq!(told[&finding], "{2}", "the last word counts");
    assert!(
        house.store.told("law", &[finding]).await.unwrap().is_empty(),
        "over"
    );
    assert!(house.store.told("noc", &[]).await.unwrap().is_empty());

    house
        .store
        .failed("noc", "answered 503", Instant(4_200))
        .await
        .unwrap();
    house
        .store
        .delivered("law", waits[1].place, Instant(4_300))
        .await
        .unwrap();
    let stands = house.store.routes().await.unwrap();
    let [law, noc] = &stands[..] else {
        panic!("{stands:?}")
    };
    assert_eq!(
        (law.waiting, law.delivered, law.last),
        (0, 2, Some(Instant(4_300)))
    );
    assert_eq!(
        (noc.waiting, noc.oldest, noc.failures),
        (2, Some(Instant(4_000)), 1)
    );
    assert_eq!(
        (noc.failure.as_str(), noc.failed),
        ("answered 503", Some(Instant(4_200)))
    );
    assert_eq!(house.store.overview().await.unwrap().untold.count, 2);

    house
        .store
        .delivered("noc", waits[0].place, Instant(4_400))
        .await
        .unwrap();
    let stands = house.store.routes().await.unwrap();
    assert_eq!(
        (stands[1].waiting, stands[1].failures, stands[1].failed),
        (1, 0, None)
    );
    assert_eq!(house.store.waiting("noc", 9).await.unwrap(), waits[1..]);
}

#[tokio::test]
async fn a_route_that_is_declared_no_more_goes_with_what_waits_and_begins_anew() {
    let (house, _, finding) = with_finding().await;
    routes(&house, &["noc"], 3_500).await;
    assign(&house, finding, 4_000).await;
    let due = house.store.due(9).await.unwrap();
    let told = alert("noc", finding, due[0].event, Some("{}"));
    house
        .store
        .queue_alerts(std::slice::from_ref(&told), due[0].place)
        .await
        .unwrap();
    assert_eq!(
        routes(&house, &["noc"], 5_000).await,
        0,
        "a restart drops nothing"
    );
    assert_eq!(house.store.waiting("noc", 9).await.unwrap().len(), 1);
    assert_eq!(routes(&house, &["other"], 5_000).await, 1);
    house.store.queue_alerts(&[told], 0).await.unwrap();
    assert!(
        house.store.waiting("noc", 9).await.unwrap().is_empty(),
        "not declared"
    );
    assert!(house.store.told("noc", &[finding]).await.unwrap().is_empty());
    assign(&house, finding, 6_000).await;
    assert_eq!(routes(&house, &[], 6_500).await, 0);
    assert!(house.store.due(9).await.unwrap().is_empty(), "for nobody");
}

#[tokio::test]
async fn a_filter_keeps_some_of_those_it_is_asked_about() {
    let (house, _, finding) = with_finding().await;
    let strange = FindingId::generate();
    let kept = async |site: &str| {
        let filter = FindingFilter {
            clauses: vec![
                Clause::words(FindingField::Site, [site]),
                Clause::words(FindingField::Role, ["unknown"]),
            ],
            closed: true,
            ..FindingFilter::default()
        };
        house.store.matching(&[strange, finding], &filter).await.unwrap()
    };
    assert_eq!(kept("berlin").await, BTreeSet::from([finding]));
    assert!(kept("london").await.is_empty());
}

#[tokio::test]
async fn an_attached_view_goes_with_its_route_and_does_not_come_back() {
    let house = House::new().await;
    let key = kept_view(&house).await;
    routes(&house, &["law", "noc"], 2).await;
    for route in ["law", "noc"] {
        assert!(house.store.attach(key, route, "Ann", Instant(3)).await.unwrap());
    }
    routes(&house, &["law"], 4).await;
    routes(&house, &["law", "noc"], 5).await;
    let attached = house.store.attachments().await.unwrap();
    let left: Vec<_> = attached.iter().map(|one| one.route.as_str()).collect();
    assert_eq!(left, ["law"]);
}

async fn kept_view(house: &House) -> uuid::Uuid {
    let view = NewView {
        owner: "Ann".into(),
        name: "core".into(),
        page: "findings".into(),
        query: "q=role%3Acore".into(),
        shared: true,
        tile: false,
    };
    house.store.keep_view(&view, Instant(1)).await.unwrap();
    house.store.views("Ann").await.unwrap()[0].view
}

#[tokio::test]
async fn an_attached_view_is_one_persons_and_goes_with_the_view() {
    let house = House::new().await;
    let key = kept_view(&house).await;
    for (person, at) in [("Ann", 2), ("Ann", 3), ("Bob", 4)] {
        assert!(house.store.attach(key, "noc", person, Instant(at)).await.unwrap());
    }
    let attached = house.store.attachments().await.unwrap();
    assert_eq!(attached.len(), 2, "twice is once");
    assert_eq!(
        (attached[0].person.as_str(), attached[0].recorded),
        ("Ann", Instant(2))
    );
    assert_eq!(
        (attached[0].view.view, attached[0].view.name.as_str()),
        (key, "core")
    );
    let (anns, bobs) = (attached[0].attachment, attached[1].attachment);
    let detach = async |attachment, person, any| {
        house
            .store
            .detach(attachment, person, any, Instant(5))
            .await
            .unwrap()
    };
    assert!(!detach(anns, "Bob", false).await, "somebody else's");
    assert!(detach(anns, "Bob", true).await);
    assert!(!detach(anns, "Ann", false).await, "gone");
    let log = house
        .store
        .audit_log(&crate::acts::AuditFilter::default())
        .await
        .unwrap();
    let actions: Vec<_> = log.rows.iter().rev().map(|row| row.action.as_str()).collect();
    assert_eq!(
        actions,
        ["view_kept", "alert_attached", "alert_attached", "alert_detached"]
    );
    assert!(
        house
            .store
            .drop_view(key, "Ann", false, Instant(6))
            .await
            .unwrap()
    );
    assert!(house.store.attachments().await.unwrap().is_empty());
    assert!(!detach(bobs, "Bob", false).await, "went with the view");
}
