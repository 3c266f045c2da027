//! Lists narrowed by clauses, walked in any order, counted; and views that people keep.

use super::*;
use crate::Views as _;
use crate::acts::AuditFilter;
use crate::clause::{
    Bound, Clause, ElementField as E, ElementOrder, FindingField as F, FindingOrder, Is, Measure, Test, Value,
};
use crate::view::{ElementRow, FindingRow};
use crate::views::{Kept, MOST_VIEWS, NewView};

const SITES: [&str; 3] = ["berlin", "bern", "lyon"];

impl House {
    /// So many elements, each with a finding, all of them different.
    pub(super) async fn network(count: u8) -> Self {
        let house = Self::new().await;
        house
            .store
            .greet(&house.hello(1, 999), Instant(900))
            .await
            .unwrap();
        let reports = (1..=count).map(|n| {
            let completeness = if n % 7 == 0 {
                Completeness::Unreachable
            } else {
                Completeness::Complete
            };
            let mut report = report(u64::from(n), i64::from(n) * 10, completeness, n);
            if let ReportBody::Read(read) = &mut report.body {
                read.site = SITES[usize::from(n) % 3].parse().unwrap();
                read.address = format!("192.0.2.{n}");
            }
            report
        });
        house.commit(reports.collect()).await.unwrap();
        let declared: Vec<_> = (1..=count)
            .map(|n| Declaration {
                site: SITES[usize::from(n) % 3].parse().unwrap(),
                address: format!("192.0.2.{n}"),
                port: 161,
                name: format!("R{n} 100%_!"),
                role: (n % 4 != 0).then_some(if n % 2 == 0 { Role::Core } else { Role::Ran }),
                generations: BTreeSet::new(),
                tags: BTreeSet::new(),
                acquired: None,
            })
            .collect();
        house.store.declare(&[], &declared, Instant(5)).await.unwrap();
        for n in (1..=count).filter(|n| n % 7 != 0) {
            let mut identified = identification(["huawei", "nokia"][usize::from(n) % 2], &format!("S{n}"));
            identified.components.truncate(9);
            if n % 5 == 0 {
                identified.maker = None;
            }
            house.identify(Digest([n; 32]), identified).await;
        }
        house.settle_units().await;
        let elements = house
            .store
            .elements(&ElementFilter::default())
            .await
            .unwrap()
            .rows;
        for (n, row) in elements.iter().enumerate() {
            let mut result = result(
                if n % 2 == 0 {
                    ResultClass::Due
                } else {
                    ResultClass::Watch
                },
                Severity::ALL[n % 3],
            );
            result.confidence = 0.5 + n as f64 / 100.0;
            result.deadline = match n % 4 {
                0 => Some(format!("2027-0{}-15", n % 9 + 1)),
                1 => Some("2027-02".to_owned()),
                2 => Some("soon".to_owned()),
                _ => None,
            };
            house
                .judge(row.element, vec![], vec![FindingStep::Open(met(result))])
                .await;
        }
        house
    }

    pub(super) async fn all_findings(&self, filter: FindingFilter) -> Vec<FindingRow> {
        let mut filter = filter;
        let mut rows = Vec::new();
        loop {
            let page = self.store.findings(&filter).await.unwrap();
            assert!(page.rows.len() <= filter.limit.max(1) as usize * 100);
            rows.extend(page.rows);
            match page.next {
                Some(next) => filter.after = Some(next),
                None => return rows,
            }
        }
    }

    pub(super) async fn all_elements(&self, filter: ElementFilter) -> Vec<ElementRow> {
        let mut filter = filter;
        let mut rows = Vec::new();
        loop {
            let page = self.store.elements(&filter).await.unwrap();
            rows.extend(page.rows);
            match page.next {
                Some(next) => filter.after = Some(next),
                None => return rows,
            }
        }
    }
}

fn finding_value(row: &FindingRow, field: F) -> Option<Value<'_>> {
    let due_by = match row.result.deadline.as_deref() {
        Some("2027-02") => "2027-02-31",
        Some("soon") | None => "none",
        Some(day) => day,
    };
    Some(match field {
        F::Severity => Value::Text(row.result.severity.as_str()),
        F::State => Value::Text(row.life.state.as_str()),
        F::Class => Value::Text(row.result.class.as_str()),
        F::Site => Value::Text(row.site.as_str()),
        F::Rule => Value::Text(&row.result.rule),
        F::Role => Value::Text(row.role.map_or("unknown", Role::as_str)),
        F::Owner => Value::Text(row.life.owner.as_deref()?),
        F::Confidence => Value::Share(row.result.confidence),
        F::Opened => Value::At(row.opened),
        F::Deadline => Value::Text(due_by),
        F::Name => Value::Text(&row.element_name),
        F::Address => Value::Text(&row.address),
        _ => return None,
    })
}

fn element_value(row: &ElementRow, field: E) -> Option<Value<'_>> {
    Some(match field {
        E::Site => Value::Text(row.site.as_str()),
        E::Role => Value::Text(row.role.map_or("unknown", Role::as_str)),
        E::Maker => Value::Text(row.maker_id.as_deref()?),
        E::Model => Value::Text(row.model.as_deref()?),
        E::Serial => Value::Text(row.serial.as_deref()?),
        E::Standing => Value::Text(&row.standing),
        E::Seen => Value::At(row.last_answer?),
        E::Confidence => Value::Share(row.maker_id.as_ref().map(|_| row.confidence)?),
        E::Round => Value::Text(match row.completeness? {
            Completeness::Complete => "complete",
            Completeness::Partial => "partial",
            Completeness::Unreachable => "unreachable",
        }),
        E::Name => Value::Text(&row.name),
        E::Address => Value::Text(&row.address),
        E::Brand | E::Context => return None,
    })
}

fn of<T>(field: T, is: Is) -> Clause<T> {
    Clause::any(vec![Test::new(field, is)])
}

#[tokio::test]
async fn clauses_say_in_the_store_what_they_say_in_memory() {
    let house = House::network(30).await;
    let all = house.all_findings(FindingFilter::default()).await;
    assert_eq!(all.len(), 30);
    let text = |text: &str| text.to_owned();
    let share = Bound::Share(0.6);
    let clauses = [
        Clause::words(F::Severity, ["critical", "minor"]),
        Clause::words(F::Site, ["bern"]),
        Clause::words(F::Role, ["unknown"]),
        Clause::words(F::Class, ["due"]),
        of(F::Site, Is::Begins(text("ber"))),
        of(F::Name, Is::Contains(text("100%_!"))),
        of(F::Name, Is::Contains(text("1000"))),
        of(F::Name, Is::Text(text("r3 100%_!"))),
        of(F::Owner, Is::Unset),
        of(F::Owner, Is::Set),
        of(F::Confidence, Is::Less(share)),
        of(F::Confidence, Is::AtMost(share)),
        of(F::Confidence, Is::More(share)),
        of(F::Confidence, Is::AtLeast(share)),
        of(F::Deadline, Is::Days(text("0"), text("2027-03-01"))),
        of(F::Deadline, Is::Days(text("2027-03-01"), text(":"))),
        of(F::Deadline, Is::Word(text("none"))),
        of(F::Opened, Is::AtLeast(Bound::At(Instant(3_000)))),
        Clause::any(vec![
            Test::new(F::Site, Is::Word(text("lyon"))),
            Test::new(F::Address, Is::Begins(text("192.0.2.1"))),
        ]),
        Clause::any(Vec::new()),
    ];
    for clause in clauses {
        for not in [false, true] {
            let clause = Clause {
                not,
                ..clause.clone()
            };
            let held = all
                .iter()
                .filter(|row| clause.holds(|field| finding_value(row, *field)));
            let expected: Vec<_> = held.map(|row| row.finding).collect();
            let filter = FindingFilter {
                clauses: vec![clause.clone()],
                limit: 4,
                ..FindingFilter::default()
            };
            let page = house.store.findings(&filter).await.unwrap();
            assert_eq!(
                (page.total, page.measure),
                (expected.len() as u64, Measure::Exact),
                "{clause:?}"
            );
            let found: Vec<_> = house
                .all_findings(filter)
                .await
                .iter()
                .map(|row| row.finding)
                .collect();
            assert_eq!(found, expected, "{clause:?}");
        }
    }
}

#[tokio::test]
async fn elements_are_narrowed_by_what_is_known_of_them() {
    let house = House::network(30).await;
    let all = house.all_elements(ElementFilter::default()).await;
    assert_eq!(all.len(), 30);
    let text = |text: &str| text.to_owned();
    let clauses = [
        Clause::words(E::Maker, ["huawei"]),
        of(E::Maker, Is::Unset),
        of(E::Maker, Is::Begins(text("NO"))),
        Clause::words(E::Serial, ["S3", "S4"]),
        of(E::Model, Is::Text(text("ne-1"))),
        Clause::words(E::Standing, ["due"]),
        Clause::words(E::Standing, ["unknown"]),
        Clause::words(E::Role, ["core"]),
        of(E::Seen, Is::Unset),
        of(E::Seen, Is::Less(Bound::At(Instant(100)))),
        of(E::Confidence, Is::AtLeast(Bound::Share(0.9))),
        Clause::words(E::Round, ["unreachable"]),
        Clause::words(E::Name, ["R3 100%_!"]),
        of(E::Address, Is::Contains(text(".2.1"))),
    ];
    for clause in clauses {
        for not in [false, true] {
            let clause = Clause {
                not,
                ..clause.clone()
            };
            let held = all
                .iter()
                .filter(|row| clause.holds(|field| element_value(row, *field)));
            let expected: Vec<_> = held.map(|row| row.element).collect();
            let filter = ElementFilter {
                clauses: vec![clause.clone()],
                limit: 7,
                ..ElementFilter::default()
            };
            let found: Vec<_> = house
                .all_elements(filter)
                .await
                .iter()
                .map(|row| row.element)
                .collect();
            assert_eq!(found, expected, "{clause:?}");
        }
    }
}

#[tokio::test]
async fn every_order_is_walked_both_ways_without_a_gap() {
    let house = House::network(30).await;
    for order in [
        FindingOrder::Urgency,
        FindingOrder::Deadline,
        FindingOrder::Opened,
    ] {
        let walk = async |down| {
            let filter = FindingFilter {
                order,
                down,
                limit: 4,
                ..FindingFilter::default()
            };
            house.all_findings(filter).await
        };
        let (up, mut down) = (walk(false).await, walk(true).await);
        down.reverse();
        assert_eq!(up, down, "{order:?}");
        assert_eq!(up.len(), 30);
        let in_order = match order {
            FindingOrder::Urgency => up.is_sorted_by_key(|row| row.result.severity),
            FindingOrder::Deadline | FindingOrder::Opened => up.is_sorted_by_key(|row| row.opened),
        };
        assert!(in_order || order == FindingOrder::Deadline, "{order:?}");
    }
    let deadline = FindingFilter {
        order: FindingOrder::Deadline,
        ..FindingFilter::default()
    };
    let days: Vec<_> = house.all_findings(deadline).await;
    let days: Vec<_> = days
        .iter()
        .filter_map(|row| match finding_value(row, F::Deadline) {
            Some(Value::Text(day)) => Some(day.to_owned()),
            _ => None,
        })
        .collect();
    assert!(
        days.is_sorted() && days[0] != "none" && days[29] == "none",
        "{days:?}"
    );
    for order in [ElementOrder::Name, ElementOrder::Site] {
        for down in [false, true] {
            let filter = ElementFilter {
                order,
                down,
                limit: 4,
                ..ElementFilter::default()
            };
            let rows = house.all_elements(filter).await;
            let key = |row: &ElementRow| match order {
                ElementOrder::Name => row.name.clone(),
                ElementOrder::Site => format!("{} {}", row.site, row.name),
            };
            let mut keys: Vec<_> = rows.iter().map(key).collect();
            if down {
                keys.reverse();
            }
            assert!(keys.is_sorted() && keys.len() == 30, "{order:?} {down}");
        }
    }
}

#[tokio::test]
async fn closed_ones_are_left_out_until_a_state_is_named() {
    let house = House::network(4).await;
    let page = house.store.findings(&FindingFilter::default()).await.unwrap();
    let row = &page.rows[0];
    let closed = Stand {
        finding: row.finding,
        revision: 0,
        life: Life {
            state: FindingState::Closed,
            ending: Some(Ending::Swapped),
            ..Life::new()
        },
    };
    house
        .judge(
            row.element,
            vec![],
            vec![FindingStep::Close(closed, "gone".into())],
        )
        .await;
    let count = async |closed, clauses| {
        let filter = FindingFilter {
            closed,
            clauses,
            ..FindingFilter::default()
        };
        house.store.findings(&filter).await.unwrap().total
    };
    assert_eq!(count(false, vec![]).await, 3);
    assert_eq!(count(true, vec![]).await, 4);
    assert_eq!(count(true, vec![Clause::words(F::State, ["closed"])]).await, 1);
}

fn view(owner: &str, name: &str, shared: bool) -> NewView {
    NewView {
        owner: owner.into(),
        name: name.into(),
        page: "findings".into(),
        query: "q=waived".into(),
        shared,
        tile: true,
    }
}

#[tokio::test]
async fn views_are_ones_own_or_everybodys() {
    let house = House::new().await;
    let keep = async |view: &NewView| house.store.keep_view(view, Instant(7)).await.unwrap();
    assert_eq!(keep(&view("ada", "mine", false)).await, Kept::Yes);
    assert_eq!(keep(&view("ada", "ours", true)).await, Kept::Yes);
    assert_eq!(keep(&view("bo", "ours", true)).await, Kept::Taken);
    assert_eq!(keep(&view("bo", "ours", false)).await, Kept::Yes);
    let names = async |person: &str| {
        let rows = house.store.views(person).await.unwrap();
        rows.into_iter()
            .map(|row| (row.owner, row.name))
            .collect::<Vec<_>>()
    };
    let pair = |owner: &str, name: &str| (owner.to_owned(), name.to_owned());
    assert_eq!(names("ada").await, [pair("ada", "mine"), pair("ada", "ours")]);
    assert_eq!(names("bo").await, [pair("ada", "ours"), pair("bo", "ours")]);
    let meant = async |person: &str| house.store.view_by_name(person, "ours").await.unwrap().unwrap();
    assert_eq!(
        (meant("bo").await.owner, meant("cy").await.owner),
        ("bo".to_owned(), "ada".to_owned())
    );
    assert!(house.store.view_by_name("bo", "mine").await.unwrap().is_none());

    let again = NewView {
        query: "q=planned".into(),
        ..view("ada", "ours", true)
    };
    let before = meant("cy").await.view;
    assert_eq!(keep(&again).await, Kept::Yes);
    assert_eq!(
        (meant("cy").await.view, meant("cy").await.query),
        (before, "q=planned".to_owned())
    );

    let drop = async |view, person, any| {
        house
            .store
            .drop_view(view, person, any, Instant(8))
            .await
            .unwrap()
    };
    let mine = house
        .store
        .view_by_name("ada", "mine")
        .await
        .unwrap()
        .unwrap()
        .view;
    assert!(
        !drop(mine, "bo", true).await,
        "nobody drops what is not shared with them"
    );
    assert!(!drop(before, "bo", false).await);
    assert!(drop(before, "bo", true).await && drop(mine, "ada", false).await);
    let log = crate::Acts::audit_log(&house.store, &AuditFilter::default())
        .await
        .unwrap()
        .rows;
    let told: Vec<_> = log
        .iter()
        .map(|row| (row.action.as_str(), row.person.as_str()))
        .collect();
    assert_eq!(told[..2], [("view_dropped", "ada"), ("view_dropped", "bo")]);
    assert_eq!(
        told.iter().filter(|(action, _)| *action == "view_kept").count(),
        4
    );
}

#[tokio::test]
async fn a_person_keeps_so_many_views_and_no_more() {
    let house = House::new().await;
    for n in 0..MOST_VIEWS {
        let kept = house
            .store
            .keep_view(&view("ada", &n.to_string(), false), Instant(7))
            .await;
        assert_eq!(kept.unwrap(), Kept::Yes);
    }
    let more = house
        .store
        .keep_view(&view("ada", "more", false), Instant(7))
        .await
        .unwrap();
    assert_eq!(more, Kept::Full);
    let same = house
        .store
        .keep_view(&view("ada", "0", true), Instant(7))
        .await
        .unwrap();
    assert_eq!(same, Kept::Yes, "in place of the one of that name");
}
