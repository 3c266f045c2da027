//! What waits, what changed, what days brought, and that reports are noted.

use super::*;
use crate::acts::Acts as _;
use crate::briefing::{AtHand, Briefing as _, ChangeFilter};
use crate::clause::{Clause, FindingField, Is, Test};
use crate::ledger::Ledgers as _;
use model::SiteName;

const DAY: i64 = 86_400_000_000;

/// A house with an overdue finding that was opened, closed and opened again.
async fn moved() -> (House, ElementId) {
    let house = House::new().await;
    house.store.greet(&house.hello(1, 9), Instant(900)).await.unwrap();
    let walked = report(1, 10, Completeness::Complete, 1);
    house.commit(vec![walked]).await.unwrap();
    let element = house.only_element().await;
    house
        .identify(Digest([1; 32]), identification("huawei", "S1"))
        .await;
    let overdue = result(ResultClass::Overdue, Severity::Critical);
    let open = FindingStep::Open(met(overdue.clone()));
    house.judge(element, vec![overdue], vec![open]).await;
    (house, element)
}

fn only(site: &str) -> BTreeSet<SiteName> {
    [site.parse().unwrap()].into()
}

#[tokio::test]
async fn what_waits_is_counted_since_a_moment_and_within_sites() {
    let (house, element) = moved().await;
    let site = house
        .store
        .element(element)
        .await
        .unwrap()
        .unwrap()
        .row
        .site
        .to_string();
    let all = house.store.at_hand("Ann", Instant(0), None).await.unwrap();
    let expected = AtHand {
        overdue: 1,
        opened: 1,
        ..AtHand::default()
    };
    assert_eq!(all, expected);
    let within =
        async |sites: &BTreeSet<SiteName>| house.store.at_hand("Ann", Instant(0), Some(sites)).await.unwrap();
    assert_eq!(within(&only(&site)).await, expected);
    assert_eq!(within(&only("elsewhere")).await, AtHand::default());
    assert_eq!(within(&BTreeSet::new()).await, AtHand::default());
    let later = house.store.at_hand("Ann", Instant(i64::MAX), None).await.unwrap();
    assert_eq!(
        (later.overdue, later.opened),
        (1, 0),
        "what is open waits however old"
    );
    let path = house.folder.path().join("collector.db");
    let asked = "UPDATE finding SET owner = 'Ann', state = 'assigned', asked = \
        '{\"asked_by\":\"Ann\",\"reason\":\"r\",\"until\":\"2027-01-01\",\"class\":\"due\",\"approved_by\":null}'";
    sqlx::query(asked)
        .execute(&sqlx::SqlitePool::connect(path.to_str().unwrap()).await.unwrap())
        .await
        .unwrap();
    let hers = house.store.at_hand("Ann", Instant(0), None).await.unwrap();
    assert_eq!((hers.mine, hers.asked), (1, 1));
    assert_eq!(house.store.at_hand("Bo", Instant(0), None).await.unwrap().mine, 0);
    let owned = |owner: &str, asked: bool| {
        let asked = asked.then(|| Clause::any(vec![Test::new(FindingField::Asked, Is::Set)]));
        let owner = Clause::words(FindingField::Owner, [owner]);
        FindingFilter {
            clauses: [owner].into_iter().chain(asked).collect(),
            ..FindingFilter::default()
        }
    };
    let listed = async |filter| house.store.findings(&filter).await.unwrap().total;
    assert_eq!(listed(owned("Ann", false)).await, 1);
    assert_eq!(listed(owned("Ann", true)).await, 1);
    assert_eq!(listed(owned("Bo", false)).await, 0);
}

#[tokio::test]
async fn changes_come_latest_first_page_by_page_by_kind_cause_and_site() {
    let (house, element) = moved().await;
    let site = house.store.element(element).await.unwrap().unwrap().row.site;
    let all = house.store.changes(&ChangeFilter::default()).await.unwrap();
    assert!(all.total == 2 && all.rows.len() as u64 == all.total, "{all:?}");
    assert!(all.rows.is_sorted_by_key(|row| std::cmp::Reverse(row.change.at)));
    assert!(all.rows.iter().all(|row| row.site == site));
    let (mut after, mut paged) = (None, Vec::new());
    loop {
        let filter = ChangeFilter {
            limit: 1,
            after,
            ..ChangeFilter::default()
        };
        let page = house.store.changes(&filter).await.unwrap();
        assert_eq!(page.total, all.total);
        paged.extend(page.rows);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(paged, all.rows, "one by one they are the same");
    let count = async |filter| house.store.changes(&filter).await.unwrap().total;
    let of_kind = |kind: &str| ChangeFilter {
        kinds: vec![kind.to_owned()],
        ..ChangeFilter::default()
    };
    assert_eq!(count(of_kind("finding_opened")).await, 1);
    assert_eq!(count(of_kind("swap")).await, 0);
    let of_sites = |sites| ChangeFilter {
        sites: Some(sites),
        ..ChangeFilter::default()
    };
    assert_eq!(count(of_sites(only(site.as_str()))).await, all.total);
    assert_eq!(count(of_sites(only("elsewhere"))).await, 0);
    assert_eq!(count(of_sites(BTreeSet::new())).await, 0);
    let later = ChangeFilter {
        since: Instant(all.rows[0].change.at.0 + 1),
        ..ChangeFilter::default()
    };
    assert_eq!(count(later).await, 0);
    let earlier = |at| ChangeFilter {
        until: Some(Instant(at)),
        ..ChangeFilter::default()
    };
    assert_eq!(
        count(earlier(all.rows[0].change.at.0)).await,
        0,
        "not at the moment itself"
    );
    assert_eq!(count(earlier(all.rows[0].change.at.0 + 1)).await, all.total);
}

#[tokio::test]
async fn a_waiver_that_runs_out_opens_no_finding_and_a_rule_met_again_does() {
    let (house, element) = moved().await;
    let row = house
        .store
        .findings(&FindingFilter::default())
        .await
        .unwrap()
        .rows
        .remove(0);
    let stand = |revision, state| Stand {
        finding: row.finding,
        revision,
        life: Life { state, ..Life::new() },
    };
    let counted = async || {
        let day = house.store.days(Instant(0), None).await.unwrap()[0];
        let opened = house.store.at_hand("Ann", Instant(0), None).await.unwrap().opened;
        let [progress] = house.store.progress().await.unwrap().try_into().unwrap();
        let lines = house.store.moved([Instant(0), Instant(0)]).await.unwrap();
        let lines = lines
            .iter()
            .filter(|one| crate::view::OPENING.contains(&one.kind.as_str()));
        [
            day.opened,
            opened,
            progress.days.iter().map(|day| day.opened).sum(),
            lines.map(|one| one.counts[0]).sum(),
        ]
    };
    assert_eq!(counted().await, [1; 4]);
    let lapse = FindingStep::Lapse(
        stand(0, FindingState::Open),
        "the waiver ended on 2026-11-24".into(),
    );
    house.judge(element, vec![], vec![lapse]).await;
    assert_eq!(counted().await, [1; 4], "no page counts it as a new one");
    let close = FindingStep::Close(stand(1, FindingState::Closed), "gone".into());
    let again = FindingStep::Reopen(
        Box::new(stand(2, FindingState::Open)),
        met(result(ResultClass::Overdue, Severity::Critical)),
    );
    house.judge(element, vec![], vec![close, again]).await;
    assert_eq!(counted().await, [2; 4], "every page counts it");
    let view = house.store.finding(row.finding).await.unwrap().unwrap();
    let kinds: Vec<_> = view.events.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["opened", "lapsed", "closed", "reopened"]);
    let feed = house.store.changes(&ChangeFilter::default()).await.unwrap().rows;
    let mut kinds: Vec<_> = feed.iter().map(|row| row.change.kind.as_str()).collect();
    kinds.sort_unstable();
    assert_eq!(
        kinds,
        [
            "finding_closed",
            "finding_lapsed",
            "finding_opened",
            "finding_reopened",
            "standing_changed"
        ]
    );
    assert!(kinds.iter().all(|kind| crate::view::CHANGE_KINDS.contains(kind)));
}

#[tokio::test]
async fn days_tell_what_opened_and_what_closed() {
    let (house, _) = moved().await;
    let days = house.store.days(Instant(0), None).await.unwrap();
    assert_eq!(days.len(), 1, "{days:?}");
    let day = days[0];
    assert_eq!((day.opened, day.urgent, day.closed), (1, 1, 0));
    assert_eq!(day.day.0 % DAY, 0);
    let elsewhere = only("elsewhere");
    assert_eq!(house.store.days(Instant(0), Some(&elsewhere)).await.unwrap(), []);
    assert_eq!(
        house.store.days(Instant(day.day.0 + DAY), None).await.unwrap(),
        []
    );
}
