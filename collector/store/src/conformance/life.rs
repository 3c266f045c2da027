//! What people do about findings, and what stays of it.

use super::*;
use crate::acts::{Acted, Acts as _, AuditFilter, Doing};

/// A house with one finding, opened.
pub(super) async fn with_finding() -> (House, ElementId, FindingId) {
    let house = House::new().await;
    house.store.greet(&house.hello(1, 9), Instant(900)).await.unwrap();
    let walked = report(1, 10, Completeness::Complete, 1);
    house.commit(vec![walked]).await.unwrap();
    let element = house.only_element().await;
    house
        .identify(Digest([1; 32]), identification("huawei", "S1"))
        .await;
    let due = result(ResultClass::Due, Severity::Major);
    let open = FindingStep::Open(met(due.clone()));
    house.judge(element, vec![due], vec![open]).await;
    let page = house.store.findings(&FindingFilter::default()).await.unwrap();
    (house, element, page.rows[0].finding)
}

pub(super) fn doing(act: Act, finding: FindingId, revision: u64, life: Life) -> Doing {
    Doing {
        person: "Ann".into(),
        account: "uid 1000".into(),
        act,
        on: vec![Acted {
            stand: Stand {
                finding,
                revision,
                life,
            },
            text: "to Bob".into(),
        }],
    }
}

fn some(limit: u32) -> AuditFilter {
    AuditFilter {
        limit,
        ..AuditFilter::default()
    }
}

pub(super) fn full() -> Life {
    let waiver = |approved_by: Option<&str>| Waiver {
        asked_by: "Ann".into(),
        reason: "spare parts".into(),
        until: "2027-01-01".into(),
        class: ResultClass::Due,
        approved_by: approved_by.map(str::to_owned),
    };
    Life {
        state: FindingState::Waived,
        owner: Some("Bob".into()),
        waiver: Some(waiver(Some("Bob"))),
        asked: Some(waiver(None)),
        removal: Some(Removal {
            planned: "2026-12".into(),
            replacement: "NE-2".into(),
            owner: "Cy".into(),
        }),
        ending: None,
    }
}

#[tokio::test]
async fn acts_are_kept_with_who_and_when_and_history_only_grows() {
    let (house, element, finding) = with_finding().await;
    let assign = Act::Assign { to: "Bob".into() };
    for n in 0..3 {
        let before = house.store.finding(finding).await.unwrap().unwrap().events;
        let life = house.store.lives(&[finding]).await.unwrap().remove(0);
        assert_eq!(life.revision, n);
        let act = doing(assign.clone(), finding, n, full());
        house.store.act(&act, Instant(4_000)).await.unwrap();
        let view = house.store.finding(finding).await.unwrap().unwrap();
        assert_eq!(view.events[..before.len()], before, "history only grows");
        assert_eq!(view.events.len(), before.len() + 1);
        assert_eq!(view.row.life, full(), "what was written comes back");
    }
    let [progress] = house.store.progress().await.unwrap().try_into().unwrap();
    assert_eq!(
        (progress.left, progress.planned, progress.waived, progress.removed),
        (1, 1, 1, 0)
    );
    let view = house.store.finding(finding).await.unwrap().unwrap();
    let opened = &view.events[0];
    assert_eq!((opened.at, opened.valid), (Instant(3_000), Instant(2_500)));
    assert_eq!(
        (opened.cause.as_str(), &opened.also[..]),
        ("network", &["time".to_owned()][..])
    );
    assert!(opened.grounds.starts_with("day 2026-11-24"));
    let assigned = &view.events[1];
    assert_eq!(
        (assigned.kind.as_str(), assigned.cause.as_str()),
        ("assigned", "person")
    );
    assert_eq!(
        (assigned.person.as_deref(), assigned.at),
        (Some("Ann"), Instant(4_000))
    );

    let log = house.store.audit_log(&some(2)).await.unwrap();
    assert_eq!((log.rows.len(), log.total), (2, 3));
    let log = log.rows;
    assert_eq!(
        (
            log[0].person.as_str(),
            log[0].account.as_str(),
            log[0].action.as_str()
        ),
        ("Ann", "uid 1000", "finding_assigned")
    );
    assert_eq!(log[0].subjects, [finding.to_string()]);
    assert!(log[0].detail.contains("Bob"));
    // Whoever looks at pages, and the standing of the element, follow.
    let undone = house.store.undone(Stage::Evaluate, 10).await.unwrap();
    assert!(undone.iter().any(|undone| undone.key == element.to_string()));
    let feed = house.store.overview().await.unwrap().changes;
    assert_eq!(
        (feed[0].kind.as_str(), feed[0].cause.as_str()),
        ("finding_assigned", "person")
    );
}

#[tokio::test]
async fn nothing_is_done_to_a_finding_that_moved_and_nothing_by_halves() {
    let (house, _, finding) = with_finding().await;
    let mut act = doing(Act::Acknowledge, finding, 0, full());
    act.on.push(Acted {
        stand: Stand {
            finding: FindingId::generate(),
            revision: 0,
            life: full(),
        },
        text: String::new(),
    });
    let refused = house.store.act(&act, Instant(4_000)).await;
    assert!(matches!(refused, Err(StoreError::Moved(_))), "{refused:?}");
    let view = house.store.finding(finding).await.unwrap().unwrap();
    assert_eq!((view.row.life, view.events.len()), (Life::new(), 1));
    assert!(house.store.audit_log(&some(9)).await.unwrap().rows.is_empty());

    let late = doing(Act::Acknowledge, finding, 7, full());
    assert!(matches!(
        house.store.act(&late, Instant(4_000)).await,
        Err(StoreError::Moved(_))
    ));
}

#[tokio::test]
async fn nothing_is_done_to_a_finding_of_which_the_rule_says_something_else_since() {
    let (house, element, finding) = with_finding().await;
    let worse = result(ResultClass::Overdue, Severity::Critical);
    let change = FindingStep::Change(finding, met(worse.clone()), "due → overdue".into());
    house.judge(element, vec![worse.clone()], vec![change]).await;
    let act = async |revision| {
        let act = doing(Act::Acknowledge, finding, revision, full());
        house.store.act(&act, Instant(4_000)).await
    };
    assert!(matches!(act(0).await, Err(StoreError::Moved(_))));
    // Where only wording moved, nobody looked at anything else.
    let refresh = FindingStep::Refresh(finding, met(worse.clone()));
    house.judge(element, vec![worse], vec![refresh]).await;
    act(1).await.unwrap();
}

#[tokio::test]
async fn a_judgement_does_not_undo_what_a_person_did_meanwhile() {
    let (house, element, finding) = with_finding().await;
    let act = doing(Act::Acknowledge, finding, 0, full());
    house.store.act(&act, Instant(4_000)).await.unwrap();
    let closed = |revision| Stand {
        finding,
        revision,
        life: Life {
            state: FindingState::Closed,
            ending: Some(Ending::Swapped),
            ..full()
        },
    };
    let close = |revision| FindingStep::Close(closed(revision), "swapped".into());
    house.judge(element, vec![], vec![close(0)]).await;
    let view = house.store.finding(finding).await.unwrap().unwrap();
    assert_eq!(
        (view.row.life.state, view.events.len()),
        (FindingState::Waived, 2)
    );
    house.judge(element, vec![], vec![close(1)]).await;
    let view = house.store.finding(finding).await.unwrap().unwrap();
    assert_eq!(view.row.life.ending, Some(Ending::Swapped));
    assert!(view.row.closed.is_some());
    let [progress] = house.store.progress().await.unwrap().try_into().unwrap();
    assert_eq!((progress.left, progress.removed, progress.otherwise), (0, 1, 0));
    assert_eq!(
        (progress.rule.as_str(), progress.deadline),
        ("DE-CONTRACT-CORE", None)
    );
    let [day] = progress.days.as_slice() else {
        panic!("{:?}", progress.days)
    };
    assert_eq!((day.day, day.opened, day.removed), (Instant(0), 1, 1));
    let known = house
        .store
        .subject(element)
        .await
        .unwrap()
        .unwrap()
        .findings
        .remove(0);
    assert_eq!(
        (known.inputs.facts.as_str(), known.inputs.latest),
        ("f1", Some(Completeness::Complete))
    );
    assert_eq!((known.thing.serial.as_str(), known.gone_walk), ("P1", None));
}

#[tokio::test]
async fn what_is_confirmed_as_gone_remembers_its_last_walk() {
    let (house, element, finding) = with_finding().await;
    let gone = Life {
        state: FindingState::Closed,
        ending: Some(Ending::Confirmed),
        ..Life::new()
    };
    let confirm = Act::ConfirmRemoval {
        reason: "scrapped".into(),
    };
    house
        .store
        .act(&doing(confirm, finding, 0, gone), Instant(4_000))
        .await
        .unwrap();
    let subject = house.store.subject(element).await.unwrap().unwrap();
    assert_eq!(subject.findings[0].gone_walk, subject.last_walk);
    assert_eq!(subject.last_walk, Some(Instant(10)));
}
