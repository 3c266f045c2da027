//! Waivers as a list, findings by owner, and an audit log that holds together.

use super::life::{doing, with_finding};
use super::*;
use crate::acts::{Acts as _, AuditFilter, Note, WaiverFilter};
use crate::clause::{Clause, FindingField, Measure};
use model::WaiverState;

const LAST_DAY: &str = "2027-01-01";

fn waiver(by: &str, until: &str, approved_by: Option<&str>) -> Waiver {
    Waiver {
        asked_by: by.into(),
        reason: "spare parts".into(),
        until: until.into(),
        class: ResultClass::Due,
        approved_by: approved_by.map(str::to_owned),
    }
}

/// A house with one finding, whose life is moved by hand.
struct Moved {
    house: House,
    element: ElementId,
    finding: FindingId,
    revision: u64,
}

impl Moved {
    async fn new() -> Self {
        let (house, element, finding) = with_finding().await;
        Self {
            house,
            element,
            finding,
            revision: 0,
        }
    }

    /// A person moves it.
    async fn to(&mut self, life: &Life) {
        let act = doing(Act::Approve, self.finding, self.revision, life.clone());
        let at = Instant(4_000 + i64::try_from(self.revision).unwrap());
        self.house.store.act(&act, at).await.unwrap();
        self.revision += 1;
    }

    /// Evaluation moves it.
    async fn judged(&mut self, step: impl Fn(Stand) -> FindingStep, life: Life) {
        let stood = Stand {
            finding: self.finding,
            revision: self.revision,
            life,
        };
        self.house.judge(self.element, vec![], vec![step(stood)]).await;
        self.revision += 1;
    }

    async fn states(&self) -> Vec<(WaiverState, String, Option<String>)> {
        let page = self.house.store.waivers(&WaiverFilter::default()).await.unwrap();
        assert_eq!(page.total, page.rows.len() as u64);
        page.rows
            .into_iter()
            .map(|row| (row.state, row.waiver.until, row.ended_by))
            .collect()
    }
}

fn asked(until: &str) -> Life {
    Life {
        asked: Some(waiver("Ann", until, None)),
        ..Life::new()
    }
}

fn held(until: &str) -> Life {
    Life {
        state: FindingState::Waived,
        waiver: Some(waiver("Ann", until, Some("Bob"))),
        ..Life::new()
    }
}

#[tokio::test]
async fn each_waiver_is_followed_from_its_asking_to_its_end() {
    use WaiverState::{Asked, Closed, Expired, InForce, Refused, Replaced, TakenBack};
    let ann = || Some("Ann".to_owned());
    let day = |day: &str| day.to_owned();
    let mut one = Moved::new().await;
    one.to(&asked("2026-12-01")).await;
    assert_eq!(one.states().await, [(Asked, day("2026-12-01"), None)]);
    one.to(&Life::new()).await;
    assert_eq!(one.states().await, [(Refused, day("2026-12-01"), ann())]);
    one.to(&asked("2026-12-02")).await;
    one.to(&held("2026-12-02")).await;
    let row = one
        .house
        .store
        .waivers(&WaiverFilter::default())
        .await
        .unwrap()
        .rows
        .remove(1);
    assert_eq!(
        (row.state, row.waiver, row.approved),
        (
            InForce,
            waiver("Ann", "2026-12-02", Some("Bob")),
            Some(Instant(4_003))
        )
    );
    assert_eq!(
        (row.finding, row.revision, row.element),
        (one.finding, 4, one.element)
    );
    // A longer one is asked for while it runs, and takes its place.
    let longer = Life {
        asked: Some(waiver("Ann", "2026-12-03", None)),
        ..held("2026-12-02")
    };
    one.to(&longer).await;
    one.to(&held("2026-12-03")).await;
    one.to(&Life::new()).await;
    let ended = |state, on: &str| (state, day(on), ann());
    let mut all = vec![
        ended(Refused, "2026-12-01"),
        ended(Replaced, "2026-12-02"),
        ended(TakenBack, "2026-12-03"),
    ];
    assert_eq!(one.states().await, all);
    // Nobody ended what ran out, nor what closed with its finding.
    one.to(&held("2026-12-04")).await;
    one.judged(|stood| FindingStep::Lapse(stood, "ran out".into()), Life::new())
        .await;
    all.push((Expired, day("2026-12-04"), None));
    assert_eq!(one.states().await, all);
    one.to(&asked("2026-12-05")).await;
    let closed = Life {
        state: FindingState::Closed,
        ending: Some(Ending::Swapped),
        ..Life::new()
    };
    one.judged(|stood| FindingStep::Close(stood, "swapped".into()), closed)
        .await;
    all.push((Closed, day("2026-12-05"), None));
    assert_eq!(one.states().await, all);
}

#[tokio::test]
async fn waivers_come_by_their_last_day_page_by_page() {
    let mut one = Moved::new().await;
    for day in ["2026-12-03", "2026-12-01", "2026-12-02"] {
        one.to(&asked(day)).await;
        one.to(&Life::new()).await;
    }
    one.to(&held(LAST_DAY)).await;
    for latest_first in [false, true] {
        let mut filter = WaiverFilter {
            limit: 1,
            latest_first,
            states: vec![WaiverState::Refused],
            ..WaiverFilter::default()
        };
        let mut days = Vec::new();
        loop {
            let page = one.house.store.waivers(&filter).await.unwrap();
            assert_eq!((page.total, page.rows.len()), (3, 1));
            days.push(page.rows[0].waiver.until.clone());
            let Some(next) = page.next else { break };
            filter.after = Some(next);
        }
        let mut wanted = ["2026-12-01", "2026-12-02", "2026-12-03"];
        if latest_first {
            wanted.reverse();
        }
        assert_eq!(days, wanted);
    }
    let count = async |filter: WaiverFilter| one.house.store.waivers(&filter).await.unwrap().total;
    let all = WaiverFilter::default;
    let until = |day: &str| Some(day.to_owned());
    assert_eq!(
        count(WaiverFilter {
            until: until("2026-12-02"),
            ..all()
        })
        .await,
        2
    );
    assert_eq!(
        count(WaiverFilter {
            from: until("2026-12-02"),
            ..all()
        })
        .await,
        3
    );
    assert_eq!(
        count(WaiverFilter {
            people: vec!["Bob".into()],
            ..all()
        })
        .await,
        1
    );
    assert_eq!(
        count(WaiverFilter {
            sites: vec!["berlin".into()],
            ..all()
        })
        .await,
        4
    );
    assert_eq!(
        count(WaiverFilter {
            sites: vec![String::new()],
            ..all()
        })
        .await,
        0
    );
    assert_eq!(
        count(WaiverFilter {
            rules: vec!["DE-CONTRACT-CORE".into()],
            ..all()
        })
        .await,
        4
    );
    assert_eq!(
        count(WaiverFilter {
            elements: vec![one.element],
            ..all()
        })
        .await,
        4
    );
    assert_eq!(
        count(WaiverFilter {
            elements: vec![ElementId::generate()],
            ..all()
        })
        .await,
        0
    );
}

#[tokio::test]
async fn findings_are_found_by_their_owner_with_the_revision_to_act_on() {
    let mut one = Moved::new().await;
    let owned = Life {
        state: FindingState::Assigned,
        owner: Some("Bob".into()),
        ..Life::new()
    };
    one.to(&owned).await;
    for (owner, wanted) in [("Bob", 1), ("Ann", 0)] {
        let filter = FindingFilter {
            clauses: vec![Clause::words(FindingField::Owner, [owner])],
            ..FindingFilter::default()
        };
        let page = one.house.store.findings(&filter).await.unwrap();
        assert_eq!(page.total, wanted, "{owner}");
        assert!(page.rows.iter().all(|row| row.revision == 1));
    }
}

fn note(person: &str, action: &str, subject: &str) -> Note {
    Note {
        person: person.into(),
        account: "page".into(),
        action: action.into(),
        subjects: vec![subject.into(), subject.into()],
        detail: "{}".into(),
    }
}

#[tokio::test]
async fn the_audit_log_is_found_by_who_what_on_what_and_when() {
    let house = House::new().await;
    let store = &house.store;
    for (at, person, action, subject) in [
        (10, "Ann", "finding_assigned", "f1"),
        (20, "Bob", "finding_waived", "f1"),
        (30, "Ann", "audit_exported", "f2"),
        (30, "Ann", "finding_waived", "f3"),
    ] {
        store
            .note(&note(person, action, subject), Instant(at))
            .await
            .unwrap();
    }
    let all = AuditFilter::default;
    let times = async |filter: AuditFilter| {
        let page = store.audit_log(&filter).await.unwrap();
        assert_eq!(page.total, page.rows.len() as u64);
        page.rows.iter().map(|row| row.at.0).collect::<Vec<_>>()
    };
    assert_eq!(times(all()).await, [30, 30, 20, 10]);
    let words = |word: &str| vec![word.to_owned()];
    assert_eq!(
        times(AuditFilter {
            people: words("Ann"),
            ..all()
        })
        .await,
        [30, 30, 10]
    );
    assert_eq!(
        times(AuditFilter {
            actions: words("finding_waived"),
            ..all()
        })
        .await,
        [30, 20]
    );
    assert_eq!(
        times(AuditFilter {
            subjects: words("f1"),
            ..all()
        })
        .await,
        [20, 10]
    );
    assert_eq!(
        times(AuditFilter {
            subjects: words("f"),
            ..all()
        })
        .await,
        Vec::<i64>::new()
    );
    let span = AuditFilter {
        from: Some(Instant(20)),
        until: Some(Instant(30)),
        ..all()
    };
    assert_eq!(times(span).await, [20]);
    let mut filter = AuditFilter { limit: 1, ..all() };
    let mut subjects = Vec::new();
    loop {
        let page = store.audit_log(&filter).await.unwrap();
        subjects.push(page.rows[0].subjects[0].clone());
        let Some(next) = page.next else { break };
        filter.after = Some(next);
    }
    assert_eq!(subjects, ["f3", "f2", "f1", "f1"]);
}

#[tokio::test]
async fn a_long_log_is_counted_no_further_than_it_matters() {
    let house = House::new().await;
    house
        .sql(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10002) \
             INSERT INTO audit (audit_id, person, account, action, subjects, detail, recorded_at) \
             SELECT i, CASE WHEN i = 1 THEN 'Bob' ELSE 'Ann' END, 'page', 'sign_in', '[]', '{}', i FROM n",
        )
        .await;
    let counted = async |people: &[&str]| {
        let people = people.iter().map(|&name| name.to_owned()).collect();
        let filter = AuditFilter {
            people,
            ..AuditFilter::default()
        };
        let page = house.store.audit_log(&filter).await.unwrap();
        (page.total, page.measure)
    };
    assert_eq!(counted(&[]).await, (10_000, Measure::AtLeast));
    assert_eq!(counted(&["Ann"]).await, (10_000, Measure::AtLeast));
    assert_eq!(counted(&["Bob"]).await, (1, Measure::Exact));
}

#[tokio::test]
async fn whoever_changes_the_audit_log_breaks_its_chain() {
    let house = House::new().await;
    let store = &house.store;
    // A row of before there were sums.
    house
        .sql(
            "INSERT INTO audit (audit_id, person, account, action, subjects, detail, recorded_at) \
              VALUES ('0', 'Old', 'uid 1', 'finding_waived', '[]', '{}', 1)",
        )
        .await;
    let open = store.chain(None).await.unwrap();
    assert_eq!((open.rows, open.unsealed, open.broken), (0, 1, None));
    for at in [10, 20, 30] {
        store
            .note(&note("Ann", "finding_waived", "f1"), Instant(at))
            .await
            .unwrap();
    }
    let chain = store.chain(None).await.unwrap();
    assert_eq!((chain.rows, chain.unsealed, chain.broken), (4, 0, None));
    let rows = store.audit_log(&AuditFilter::default()).await.unwrap().rows;
    assert!(rows.iter().all(|row| row.intact));
    assert_eq!(
        rows.iter().map(|row| row.place).collect::<Vec<_>>(),
        [4, 3, 2, 1].map(Some)
    );
    assert_eq!((&rows[0].sum, &rows[0].previous), (&chain.head, &rows[1].sum));
    assert!(store.chain(Some(&rows[2].sum)).await.unwrap().met);
    assert!(!store.chain(Some(&"0".repeat(64))).await.unwrap().met);

    house.sql("UPDATE audit SET person = 'Eve' WHERE place = 3").await;
    assert_eq!(store.chain(None).await.unwrap().broken, Some(3));
    let rows = store.audit_log(&AuditFilter::default()).await.unwrap().rows;
    assert_eq!(
        rows.iter().map(|row| row.intact).collect::<Vec<_>>(),
        [true, false, true, true]
    );
    house.sql("UPDATE audit SET person = 'Ann' WHERE place = 3").await;
    assert_eq!(store.chain(None).await.unwrap().broken, None);
    house.sql("DELETE FROM audit WHERE place = 2").await;
    assert_eq!(store.chain(None).await.unwrap().broken, Some(2));
}
