//! Lists of the end of a day: what they say later is what the lists of now said at that end.

use super::life::doing;
use super::*;
use crate::Acts as _;
use crate::clause::{
    Bound, Clause, ElementField as E, ElementOrder, FindingField as F, FindingOrder, Is, Measure, Test,
};
use crate::view::{ElementRow, FindingRow};

const DAY: i64 = 86_400_000_000;

/// Noon of a day.
fn noon(day: i64) -> Instant {
    Instant(day * DAY + DAY / 2)
}

/// The last microsecond of a day.
fn end(day: i64) -> Instant {
    Instant((day + 1) * DAY - 1)
}

fn one<T>(field: T, is: Is) -> Clause<T> {
    Clause::any(vec![Test::new(field, is)])
}

/// What is asked of findings, by name.
fn finding_filters() -> Vec<FindingFilter> {
    let text = |text: &str| text.to_owned();
    let clauses = vec![
        Clause::words(F::Severity, ["critical"]),
        Clause::words(F::State, ["closed"]),
        Clause::words(F::State, ["assigned", "open"]),
        Clause::words(F::Class, ["due"]),
        Clause::words(F::Site, ["bern"]),
        Clause::words(F::Site, ["bern", "lyon"]),
        Clause::words(F::Law, ["DE"]),
        Clause::words(F::Rule, ["DE-CONTRACT-CORE"]),
        Clause::words(F::Supplier, ["zte"]),
        Clause::words(F::Role, ["core"]),
        Clause::words(F::Role, ["unknown"]),
        Clause::words(F::Owner, ["Ada"]),
        one(F::Owner, Is::Unset),
        one(F::Maker, Is::Word(text("nokia"))),
        one(F::Maker, Is::Unset),
        one(F::Model, Is::Begins(text("ne"))),
        one(F::Part, Is::Unset),
        one(F::Name, Is::Contains(text("moved"))),
        one(F::Address, Is::Begins(text("192.0.2.1"))),
        one(F::Confidence, Is::Less(Bound::Share(0.6))),
        one(F::Opened, Is::More(Bound::At(noon(0)))),
        one(F::Deadline, Is::Days(text("2027-03-01"), text(":"))),
        one(F::Seen, Is::Unset),
        one(F::Seen, Is::More(Bound::At(noon(0)))),
        one(F::Removal, Is::Set),
        one(F::Asked, Is::Set),
    ];
    let plain = [true, false].map(|closed| FindingFilter {
        closed,
        ..FindingFilter::default()
    });
    let narrowed = clauses.into_iter().flat_map(|clause| {
        [false, true].map(|not| FindingFilter {
            clauses: vec![Clause {
                not,
                ..clause.clone()
            }],
            closed: true,
            ..FindingFilter::default()
        })
    });
    plain.into_iter().chain(narrowed).collect()
}

fn element_filters() -> Vec<ElementFilter> {
    let text = |text: &str| text.to_owned();
    let clauses = vec![
        Clause::words(E::Site, ["bern"]),
        Clause::words(E::Role, ["unknown"]),
        Clause::words(E::Maker, ["nokia"]),
        one(E::Maker, Is::Unset),
        one(E::Brand, Is::Unset),
        Clause::words(E::Serial, ["S3", "S77"]),
        one(E::Model, Is::Text(text("ne-1"))),
        Clause::words(E::Standing, ["clear"]),
        Clause::words(E::Round, ["unreachable"]),
        one(E::Seen, Is::Unset),
        one(E::Seen, Is::Less(Bound::At(noon(1)))),
        one(E::Confidence, Is::AtLeast(Bound::Share(0.5))),
        one(E::Name, Is::Contains(text("moved"))),
        one(E::Address, Is::Contains(text(".2.1"))),
        one(E::Context, Is::Text(String::new())),
    ];
    let narrowed = clauses.into_iter().flat_map(|clause| {
        [false, true].map(|not| ElementFilter {
            clauses: vec![Clause {
                not,
                ..clause.clone()
            }],
            ..ElementFilter::default()
        })
    });
    std::iter::once(ElementFilter::default())
        .chain(narrowed)
        .collect()
}

/// What every list says: its rows by their keys, with the count.
type Said = (Vec<(u64, Vec<FindingRow>)>, Vec<(u64, Vec<ElementRow>)>);

impl House {
    async fn said(&self, then: Option<Instant>) -> Said {
        let mut findings = Vec::new();
        for filter in finding_filters() {
            let filter = FindingFilter {
                then,
                limit: 5,
                ..filter
            };
            let total = self.store.findings(&filter).await.unwrap();
            assert_eq!(total.measure, Measure::Exact);
            let mut rows = self.all_findings(filter.clone()).await;
            rows.sort_by_key(|row| row.finding);
            let mut keys = self.store.finding_keys(&filter).await.unwrap();
            keys.sort();
            assert_eq!(keys, rows.iter().map(|row| row.finding).collect::<Vec<_>>());
            assert_eq!(self.store.findings_of(&keys, then).await.unwrap(), rows);
            findings.push((total.total, rows));
        }
        let mut elements = Vec::new();
        for filter in element_filters() {
            let filter = ElementFilter {
                then,
                limit: 5,
                ..filter
            };
            let total = self.store.elements(&filter).await.unwrap();
            let mut rows = self.all_elements(filter.clone()).await;
            rows.sort_by_key(|row| row.element);
            let mut keys = self.store.element_keys(&filter).await.unwrap();
            keys.sort();
            assert_eq!(keys, rows.iter().map(|row| row.element).collect::<Vec<_>>());
            assert_eq!(self.store.elements_of(&keys, then).await.unwrap(), rows);
            assert_eq!(self.store.count_elements(&filter).await.unwrap(), total.total);
            elements.push((total.total, rows));
        }
        (findings, elements)
    }

    async fn finding_at(&self, element: ElementId) -> FindingRow {
        let all = FindingFilter {
            elements: vec![element],
            closed: true,
            ..FindingFilter::default()
        };
        self.store.findings(&all).await.unwrap().rows.remove(0)
    }

    /// Evaluation moves the finding of an element.
    async fn moves(&self, element: ElementId, at: Instant, life: Life, close: bool) {
        let row = self.finding_at(element).await;
        let stood = Stand {
            finding: row.finding,
            revision: row.revision,
            life,
        };
        let step = match close {
            true => FindingStep::Close(stood, "gone".into()),
            false => FindingStep::Reopen(Box::new(stood), met(row.result)),
        };
        self.judge_so(
            element,
            if close { "clear" } else { "due" },
            vec![],
            vec![step],
            at,
        )
        .await;
    }

    async fn told(&self, at: Instant, sequence: u64, n: u8, completeness: Completeness, content: u8) {
        let mut told = report(sequence, at.0 - 5, completeness, content);
        if let ReportBody::Read(read) = &mut told.body {
            read.site = ["berlin", "bern", "lyon"][usize::from(n) % 3].parse().unwrap();
            read.address = format!("192.0.2.{n}");
        }
        let told = self.store.commit_reports(self.agent, EPOCH, vec![told], at).await;
        assert_eq!(told.unwrap(), [Verdict::Stored]);
    }

    async fn element_of(&self, n: u8) -> ElementId {
        let filter = ElementFilter {
            clauses: vec![Clause::words(E::Address, [format!("192.0.2.{n}")])],
            ..ElementFilter::default()
        };
        self.store.elements(&filter).await.unwrap().rows[0].element
    }
}

fn closed() -> Life {
    Life {
        state: FindingState::Closed,
        ending: Some(model::Ending::Swapped),
        ..Life::new()
    }
}

fn given(to: &str) -> Life {
    Life {
        state: FindingState::Assigned,
        owner: Some(to.into()),
        ..Life::new()
    }
}

/// A house in which something happens on days 0, 1, 3 and 4, with what its lists said at the end of each.
async fn lived() -> (House, Vec<(i64, Said)>) {
    let house = House::network(14).await;
    let mut said = vec![(0, house.said(None).await)];
    // Day 1: one is given to somebody and renamed at noon, and to another later; one closes; one loses its role.
    let (first, second, third) = (
        house.element_of(1).await,
        house.element_of(2).await,
        house.element_of(3).await,
    );
    for (hour, who) in [(0, "Bob"), (1, "Ada")] {
        let row = house.finding_at(first).await;
        let act = doing(Act::Approve, row.finding, row.revision, given(who));
        let at = Instant(noon(1).0 + hour);
        house.store.act(&act, at).await.unwrap();
    }
    house.moves(second, noon(1), closed(), true).await;
    let declared = Declaration {
        site: "bern".parse().unwrap(),
        address: "192.0.2.1".into(),
        port: 161,
        name: "moved away".into(),
        role: Some(Role::Access),
        generations: BTreeSet::new(),
        tags: BTreeSet::new(),
        acquired: None,
    };
    house.store.declare(&[], &[declared], noon(1)).await.unwrap();
    said.push((1, house.said(None).await));
    said.push((2, house.said(None).await));
    // Day 3: other hardware answers, another answers no more, what closed is found again, another is more urgent.
    house.told(noon(3), 15, 3, Completeness::Complete, 77).await;
    house.told(noon(3), 16, 4, Completeness::Unreachable, 78).await;
    let mut other = identification("nokia", "S77");
    other.components.truncate(9);
    house.identify(Digest([77; 32]), other).await;
    house.moves(second, noon(3), Life::new(), false).await;
    let row = house.finding_at(third).await;
    let mut worse = result(ResultClass::Overdue, Severity::Critical);
    worse.deadline = Some("2027-09-01".into());
    let step = FindingStep::Change(row.finding, met(worse), "overdue".into());
    house
        .judge_so(third, "overdue", vec![], vec![step], noon(3))
        .await;
    said.push((3, house.said(None).await));
    // Day 4: a new element, not judged yet.
    house.told(noon(4), 17, 99, Completeness::Complete, 99).await;
    house.moves(third, noon(4), closed(), true).await;
    said.push((4, house.said(None).await));
    (house, said)
}

#[tokio::test]
async fn a_list_of_a_day_says_what_the_list_said_at_its_end() {
    let (house, said) = lived().await;
    for (day, before) in &said {
        let now = house.said(Some(end(*day))).await;
        for (n, (then, told)) in before.0.iter().zip(&now.0).enumerate() {
            assert_eq!(told, then, "day {day}, {:?}", finding_filters()[n]);
        }
        for (n, (then, told)) in before.1.iter().zip(&now.1).enumerate() {
            assert_eq!(told, then, "day {day}, {:?}", element_filters()[n]);
        }
    }
    let differ: Vec<bool> = said.windows(2).map(|pair| pair[0].1 != pair[1].1).collect();
    assert_eq!(
        differ,
        [true, false, true, true],
        "nothing happened on day 2 alone"
    );
    let (findings, elements) = house.said(Some(Instant(-1))).await;
    assert!(
        findings
            .iter()
            .all(|(total, rows)| *total == 0 && rows.is_empty())
    );
    assert!(
        elements
            .iter()
            .all(|(total, rows)| *total == 0 && rows.is_empty())
    );
}

#[tokio::test]
async fn a_list_of_a_day_is_walked_in_every_order() {
    let (house, _) = lived().await;
    for down in [false, true] {
        for order in [
            FindingOrder::Urgency,
            FindingOrder::Deadline,
            FindingOrder::Opened,
        ] {
            let filter = FindingFilter {
                then: Some(end(1)),
                limit: 3,
                order,
                down,
                ..FindingFilter::default()
            };
            let rows = house.all_findings(filter).await;
            assert_eq!(rows.len(), 13, "one was closed on that day");
            let mut keys: Vec<_> = rows
                .iter()
                .map(|row| match order {
                    FindingOrder::Urgency => format!("{:?}", row.result.severity as u8),
                    FindingOrder::Opened => row.opened.to_string(),
                    FindingOrder::Deadline => match row.result.deadline.as_deref() {
                        Some("2027-02") => "2027-02-31".to_owned(),
                        Some("soon") | None => "none".to_owned(),
                        Some(day) => day.to_owned(),
                    },
                })
                .collect();
            if down {
                keys.reverse();
            }
            assert!(keys.is_sorted(), "{order:?} {keys:?}");
        }
        for order in [ElementOrder::Name, ElementOrder::Site] {
            let filter = ElementFilter {
                then: Some(end(1)),
                limit: 3,
                order,
                down,
                ..ElementFilter::default()
            };
            let rows = house.all_elements(filter).await;
            let mut keys: Vec<_> = rows
                .iter()
                .map(|row| match order {
                    ElementOrder::Name => row.name.clone(),
                    ElementOrder::Site => format!("{} {}", row.site, row.name),
                })
                .collect();
            if down {
                keys.reverse();
            }
            assert_eq!(keys.len(), 14);
            assert!(keys.is_sorted(), "{order:?} {keys:?}");
        }
    }
}

#[tokio::test]
async fn many_moves_of_a_day_leave_one_row_and_a_clock_set_back_none_beside_it() {
    let (house, _) = lived().await;
    let first = house.element_of(1).await;
    let finding = house.finding_at(first).await.finding;
    let rows = async || house.store.stood_history(finding).await.unwrap();
    let ada = Some("Ada".to_owned());
    assert_eq!(rows().await, [(0, DAY, None), (DAY, i64::MAX, ada.clone())]);
    house.moves(first, noon(6), given("Eve"), false).await;
    house.moves(first, noon(5), given("Fay"), false).await;
    let fay = Some("Fay".to_owned());
    assert_eq!(
        rows().await,
        [(0, DAY, None), (DAY, 6 * DAY, ada), (6 * DAY, i64::MAX, fay)]
    );
}

#[tokio::test]
async fn a_list_tells_what_it_rests_on_and_since_when_it_is_kept() {
    let house = House::new().await;
    let adopt = async |stage, version: &str, at| {
        let version = StageVersion {
            stage,
            version: version.into(),
        };
        house.store.adopt_version(&version, at).await.unwrap();
    };
    adopt(Stage::Evaluate, "p1 day", noon(1)).await;
    adopt(Stage::Evaluate, "p2 day", noon(3)).await;
    adopt(Stage::Identify, "k2", noon(2)).await;
    for (day, judged_by, knowledge) in [
        (-1, None, None),
        (0, None, Some(KNOWLEDGE)),
        (1, Some("p1 day"), Some(KNOWLEDGE)),
        (2, Some("p1 day"), Some("k2")),
        (3, Some("p2 day"), Some("k2")),
    ] {
        let stood = house.store.stood(end(day)).await.unwrap();
        assert_eq!(
            (stood.judged_by.as_deref(), stood.knowledge.as_deref()),
            (judged_by, knowledge),
            "day {day}"
        );
        assert_eq!(stood.since, Instant(0), "kept from the first day on");
    }
}
