//! Work between stages, and the life of findings and units.

use super::*;

#[tokio::test]
async fn work_that_changed_meanwhile_stays_undone() {
    let house = House::new().await;
    house.store.greet(&house.hello(1, 9), Instant(900)).await.unwrap();
    house
        .commit(vec![report(1, 10, Completeness::Complete, 1)])
        .await
        .unwrap();
    let element = house.only_element().await;
    house.settle_units().await;
    let waiting = house.store.undone(Stage::Evaluate, 10).await.unwrap();
    assert_eq!(waiting, [], "nothing is said of what is not read yet");
    house
        .identify(Digest([1; 32]), identification("huawei", "S1"))
        .await;
    house.settle_units().await;
    let read = house.store.undone(Stage::Evaluate, 10).await.unwrap().remove(0);
    house
        .commit(vec![report(2, 20, Completeness::Complete, 2)])
        .await
        .unwrap();
    house
        .identify(Digest([2; 32]), identification("huawei", "S1"))
        .await;
    let waiting = house.store.undone(Stage::Evaluate, 10).await.unwrap();
    assert_eq!(waiting, [], "an element is judged after its units are known");
    house.settle_units().await;
    let done = JudgedElement {
        undone: read,
        element,
        judged: Judged {
            standing: "unknown".into(),
            inputs: Inputs::default(),
        },
        name: "192.0.2.1".into(),
        results: vec![],
        contradictions: vec!["declared so, seen otherwise".into()],
        findings: vec![],
        why: why(),
    };
    house.store.save_judged(vec![done], Instant(3_000)).await.unwrap();
    assert_eq!(house.store.undone(Stage::Evaluate, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_new_version_does_everything_anew_and_the_same_one_nothing() {
    let house = House::new().await;
    house.store.greet(&house.hello(1, 9), Instant(900)).await.unwrap();
    house
        .commit(vec![
            report(1, 10, Completeness::Complete, 1),
            report(2, 20, Completeness::Unreachable, 2),
        ])
        .await
        .unwrap();
    house
        .identify(Digest([1; 32]), identification("huawei", "S1"))
        .await;
    assert!(house.store.undone(Stage::Identify, 10).await.unwrap().is_empty());
    let same = StageVersion {
        stage: Stage::Identify,
        version: KNOWLEDGE.into(),
    };
    let revision = house.store.revision();
    assert!(!house.store.adopt_version(&same, Instant(5)).await.unwrap());
    assert!(
        !revision.has_changed().unwrap(),
        "a version that is known wakes nobody"
    );
    let newer = StageVersion {
        stage: Stage::Identify,
        version: "k2".into(),
    };
    assert!(house.store.adopt_version(&newer, Instant(5)).await.unwrap());
    let undone = house.store.undone(Stage::Identify, 10).await.unwrap();
    assert_eq!(
        undone.iter().map(|u| u.key.clone()).collect::<Vec<_>>(),
        [Digest([1; 32]).to_string()]
    );
    house.settle_units().await;
    // Until it is done anew the old conclusion holds, and afterwards too, if it is the same.
    let element = house.only_element().await;
    let knowledge = async || {
        let subject = house.store.subject(element).await.unwrap().unwrap();
        subject.complete.map(|complete| complete.identification.knowledge)
    };
    let with = |knowledge: &str| Identification {
        knowledge: knowledge.to_owned(),
        ..identification("huawei", "S1")
    };
    assert_eq!(knowledge().await.as_deref(), Some(KNOWLEDGE));
    house.identify(Digest([1; 32]), with("k2")).await;
    assert!(house.store.undone(Stage::Identify, 10).await.unwrap().is_empty());
    assert!(house.store.undone(Stage::Unit, 10).await.unwrap().is_empty());
    assert_eq!(knowledge().await.as_deref(), Some(KNOWLEDGE));
    let version = StageVersion {
        stage: Stage::Identify,
        version: "k3".into(),
    };
    house.store.adopt_version(&version, Instant(6)).await.unwrap();
    house
        .identify_with(Digest([1; 32]), with("k3"), Digest([9; 32]))
        .await;
    assert_eq!(knowledge().await.as_deref(), Some("k3"));
    assert_eq!(house.store.undone(Stage::Unit, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_finding_lives() {
    let house = House::new().await;
    house.store.greet(&house.hello(1, 9), Instant(900)).await.unwrap();
    house
        .commit(vec![report(1, 10, Completeness::Complete, 1)])
        .await
        .unwrap();
    let element = house.only_element().await;
    house
        .identify(Digest([1; 32]), identification("huawei", "S1"))
        .await;
    let due = result(ResultClass::Due, Severity::Major);
    house
        .judge(
            element,
            vec![due.clone()],
            vec![FindingStep::Open(met(due.clone()))],
        )
        .await;

    let page = house.store.findings(&FindingFilter::default()).await.unwrap();
    assert_eq!(page.total, 1);
    let row = &page.rows[0];
    assert_eq!(
        (row.supplier.as_str(), row.part.as_str(), row.life.state),
        ("Maker", "NE-1", FindingState::Open)
    );
    let overview = house.store.overview().await.unwrap();
    assert_eq!(
        (
            overview.identified,
            overview.components,
            overview.components_named
        ),
        (1, 600, 1)
    );
    assert_eq!(
        overview
            .severities
            .iter()
            .find(|c| c.word == "major")
            .unwrap()
            .count,
        1
    );
    assert_eq!(overview.deadlines[0].deadline, "2026-12-31");
    let maker = overview.makers[0].clone();
    assert_eq!(
        (maker.maker.unwrap().id.as_str(), maker.elements, maker.findings),
        ("huawei", 1, 1)
    );

    let finding = row.finding;
    let stand = |revision, state| Stand {
        finding,
        revision,
        life: Life { state, ..Life::new() },
    };
    let overdue = result(ResultClass::Overdue, Severity::Critical);
    let change = FindingStep::Change(row.finding, met(overdue.clone()), "due → overdue".into());
    house.judge(element, vec![overdue], vec![change]).await;
    house
        .judge(
            element,
            vec![],
            vec![FindingStep::Close(stand(1, FindingState::Closed), "gone".into())],
        )
        .await;
    let again = result(ResultClass::Due, Severity::Minor);
    let view = house.store.element(element).await.unwrap().unwrap();
    assert_eq!(view.findings[0].life.state, FindingState::Closed);
    assert_eq!(
        house
            .store
            .findings(&FindingFilter::default())
            .await
            .unwrap()
            .total,
        0,
        "closed ones are not in the queue"
    );
    house
        .judge(
            element,
            vec![again.clone()],
            vec![FindingStep::Reopen(
                Box::new(stand(2, FindingState::Open)),
                met(again),
            )],
        )
        .await;

    let view = house.store.finding(row.finding).await.unwrap().unwrap();
    let kinds: Vec<_> = view.events.iter().map(|e| e.kind.as_str()).collect();
    assert_eq!(kinds, ["opened", "changed", "closed", "reopened"]);
    assert_eq!(view.row.closed, None);
    let kinds: Vec<_> = house
        .store
        .overview()
        .await
        .unwrap()
        .changes
        .iter()
        .rev()
        .map(|c| c.kind.clone())
        .collect();
    assert_eq!(
        kinds,
        [
            "finding_opened",
            "standing_changed",
            "finding_changed",
            "finding_closed",
            "finding_reopened"
        ]
    );
}

#[tokio::test]
async fn who_is_read_is_judged_however_much_of_others_is_unread() {
    for unread in [1_u16, 1_100] {
        let house = House::new().await;
        house.store.greet(&house.hello(1, 9), Instant(900)).await.unwrap();
        let first = report(1, 10, Completeness::Complete, 1);
        house.commit(vec![first]).await.unwrap();
        let element = house.only_element().await.to_string();
        house
            .identify(Digest([1; 32]), identification("huawei", "S1"))
            .await;
        let others = (0..unread).map(|number| {
            let mut other = report(u64::from(number) + 2, 20, Completeness::Complete, 2);
            if let ReportBody::Read(read) = &mut other.body {
                let mut content = [9; 32];
                content[..2].copy_from_slice(&number.to_be_bytes());
                read.digest = Digest(content);
                read.evidence = Some(content.to_vec());
                read.address = "192.0.2.2".into();
            }
            other
        });
        house.commit(others.collect()).await.unwrap();
        for stage in [Stage::Unit, Stage::Evaluate] {
            let ready = house.store.undone(stage, 10).await.unwrap();
            let keys: Vec<_> = ready.iter().map(|undone| undone.key.as_str()).collect();
            assert_eq!(keys, [element.as_str()], "{stage:?}, {unread} unread");
            house.settle_units().await;
        }
    }
}
