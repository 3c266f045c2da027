//! What was seen, when, and what a partial or late look may change.

use super::*;

#[tokio::test]
async fn evidence_comes_back_to_the_byte_and_sameness_costs_no_new_row() {
    let house = House::new().await;
    house.store.greet(&house.hello(1, 9), Instant(900)).await.unwrap();
    house
        .commit(vec![report(1, 10, Completeness::Complete, 1)])
        .await
        .unwrap();
    let record = house.store.evidence(Digest([1; 32])).await.unwrap().unwrap();
    assert_eq!(record.bytes, vec![1; 3_000]);
    assert_eq!(house.store.evidence(Digest([9; 32])).await.unwrap(), None);
    let mut same = report(2, 20, Completeness::Complete, 1);
    if let ReportBody::Read(read) = &mut same.body {
        read.evidence = None;
    }
    assert_eq!(house.commit(vec![same]).await.unwrap(), [Verdict::Stored]);
    let view = house
        .store
        .element(house.only_element().await)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(view.sightings.len(), 1);
    assert_eq!(
        (view.sightings[0].rounds, view.sightings[0].until),
        (2, Instant(20))
    );
    assert_eq!(view.sightings[0].sequence, 2);
}

#[tokio::test]
async fn a_partial_walk_stands_beside_the_complete_one_and_silence_removes_nothing() {
    let house = House::new().await;
    house.store.greet(&house.hello(1, 9), Instant(900)).await.unwrap();
    house
        .commit(vec![report(1, 10, Completeness::Complete, 1)])
        .await
        .unwrap();
    house
        .identify(Digest([1; 32]), identification("huawei", "S1"))
        .await;
    house
        .commit(vec![
            report(2, 20, Completeness::Partial, 2),
            report(3, 30, Completeness::Unreachable, 3),
        ])
        .await
        .unwrap();
    house
        .identify(Digest([2; 32]), identification("nokia", "S2"))
        .await;
    let subject = house
        .store
        .subject(house.only_element().await)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(subject.complete.unwrap().digest, Digest([1; 32]));
    assert_eq!(subject.partial.unwrap().digest, Digest([2; 32]));
    assert_eq!(subject.latest, Some(Completeness::Unreachable));
    assert!(
        house.store.undone(Stage::Identify, 10).await.unwrap().is_empty(),
        "silence says nothing to identify"
    );
    house
        .commit(vec![report(4, 40, Completeness::Complete, 4)])
        .await
        .unwrap();
    house
        .identify(Digest([4; 32]), identification("nokia", "S2"))
        .await;
    let subject = house
        .store
        .subject(house.only_element().await)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(subject.complete.unwrap().digest, Digest([4; 32]));
    assert!(subject.partial.is_none());
}

#[tokio::test]
async fn a_late_report_from_the_past_is_not_the_present() {
    let house = House::new().await;
    house.store.greet(&house.hello(1, 9), Instant(900)).await.unwrap();
    house
        .commit(vec![
            report(1, 100, Completeness::Complete, 1),
            report(2, 50, Completeness::Complete, 2),
        ])
        .await
        .unwrap();
    let element = house.only_element().await;
    let view = house.store.element(element).await.unwrap().unwrap();
    assert_eq!(view.row.last_report, Some(Instant(100)));
    assert_eq!(view.sightings.len(), 2);
    house
        .identify(Digest([1; 32]), identification("huawei", "S1"))
        .await;
    assert_eq!(
        house
            .store
            .subject(element)
            .await
            .unwrap()
            .unwrap()
            .complete
            .unwrap()
            .digest,
        Digest([1; 32])
    );
}

/// The same evidence, said to stand without a walk.
fn refreshed(sequence: u64, finished: i64, content: u8) -> IncomingReport {
    let mut report = report(sequence, finished, Completeness::Complete, content);
    if let ReportBody::Read(read) = &mut report.body {
        (read.refreshed, read.evidence) = (true, None);
    }
    report
}

#[tokio::test]
async fn a_refreshed_report_stretches_what_was_walked_and_is_no_walk() {
    let house = House::new().await;
    house.store.greet(&house.hello(1, 20), Instant(1)).await.unwrap();
    let walked = report(1, 10, Completeness::Complete, 1);
    let verdicts = house.commit(vec![walked, refreshed(2, 20, 1)]).await.unwrap();
    assert_eq!(verdicts, [Verdict::Stored, Verdict::Stored]);
    let element = house.only_element().await;
    let seen = || async { house.store.element(element).await.unwrap().unwrap() };
    let view = seen().await;
    let [sighting] = view.sightings.as_slice() else {
        panic!("{:?}", view.sightings)
    };
    assert_eq!((sighting.rounds, sighting.refreshed), (2, 1));
    assert_eq!((sighting.until, sighting.walked), (Instant(20), Instant(10)));
    assert_eq!(view.row.last_answer, Some(Instant(20)));
    house
        .identify(Digest([1; 32]), identification("huawei", "S1"))
        .await;
    let subject = house.store.subject(element).await.unwrap().unwrap();
    assert_eq!(
        subject.last_walk,
        Some(Instant(10)),
        "freshness counts from the walk"
    );

    // A walk makes the whole span walked.
    house
        .commit(vec![report(3, 30, Completeness::Complete, 1)])
        .await
        .unwrap();
    let view = seen().await;
    assert_eq!(
        (view.sightings[0].walked, view.sightings[0].refreshed),
        (Instant(30), 1)
    );

    // It never begins a sighting: neither of what is unknown nor of what was shown before.
    house
        .commit(vec![report(4, 40, Completeness::Complete, 2)])
        .await
        .unwrap();
    let verdicts = house
        .commit(vec![refreshed(5, 50, 9), refreshed(6, 60, 1)])
        .await
        .unwrap();
    assert_eq!(verdicts, [Verdict::Wanted, Verdict::Wanted]);
    let view = seen().await;
    assert_eq!(view.sightings.len(), 2);
    assert_eq!(view.row.last_report, Some(Instant(40)));
    // A late one moves nothing back.
    house.commit(vec![refreshed(7, 35, 2)]).await.unwrap();
    let view = seen().await;
    assert_eq!(
        (view.sightings[0].until, view.sightings[0].rounds),
        (Instant(40), 2)
    );
}
