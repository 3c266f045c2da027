//! Reports into rows: nothing acknowledged is lost, nothing counts twice.

use super::*;
use crate::clause::Measure;

#[tokio::test]
async fn redelivery_changes_nothing() {
    let house = House::new().await;
    assert_eq!(
        house.store.greet(&house.hello(1, 3), Instant(900)).await.unwrap(),
        0
    );
    let first = vec![
        report(1, 10, Completeness::Complete, 1),
        report(2, 20, Completeness::Complete, 1),
    ];
    assert_eq!(
        house.commit(first.clone()).await.unwrap(),
        [Verdict::Stored, Verdict::Stored]
    );
    let before = house.store.overview().await.unwrap();
    assert_eq!(
        house.commit(first).await.unwrap(),
        [Verdict::Repeated, Verdict::Repeated]
    );
    let after = house.store.overview().await.unwrap();
    assert_eq!((before.reports, before.lost), (2, 0));
    assert_eq!((after.reports, after.lost, after.elements), (2, 0, 1));
    assert_eq!(
        house.store.greet(&house.hello(3, 3), Instant(950)).await.unwrap(),
        2
    );
    assert_eq!(after.agents[0].clock_skew_micros, 3_000_000 - 900);
}

#[tokio::test]
async fn a_hole_in_the_sequence_is_refused_whole() {
    let house = House::new().await;
    house.store.greet(&house.hello(1, 4), Instant(900)).await.unwrap();
    let holed = vec![
        report(1, 10, Completeness::Complete, 1),
        report(3, 20, Completeness::Complete, 2),
    ];
    assert!(matches!(
        house.commit(holed).await,
        Err(StoreError::NotDense { cursor: 1, got: 3 })
    ));
    assert_eq!(
        house.store.overview().await.unwrap().reports,
        0,
        "nothing of the batch was kept"
    );
    assert_eq!(
        house.store.greet(&house.hello(1, 4), Instant(950)).await.unwrap(),
        0
    );
}

#[tokio::test]
async fn what_came_by_courier_begins_where_we_are_or_is_refused_whole() {
    let house = House::new().await;
    let greet = async |first, next, over_hole, now| {
        let hello = house.hello(first, next);
        house.store.greet_carried(&hello, over_hole, Instant(now)).await
    };
    assert_eq!(greet(1, 3, false, 900).await.unwrap(), 0);
    let overview = house.store.overview().await.unwrap();
    assert_eq!(
        overview.agents[0].clock_skew_micros, 0,
        "an export says nothing of clocks"
    );
    let two = vec![
        report(1, 10, Completeness::Complete, 1),
        report(2, 20, Completeness::Complete, 1),
    ];
    house.commit(two).await.unwrap();
    // The stream tells the clock, and no later export takes that back.
    house
        .store
        .greet(&house.hello(3, 3), Instant(1_000))
        .await
        .unwrap();
    assert_eq!(greet(1, 9, false, 1_100).await.unwrap(), 2);
    assert_eq!(greet(3, 9, false, 1_100).await.unwrap(), 2);
    let overview = house.store.overview().await.unwrap();
    assert_eq!(overview.agents[0].clock_skew_micros, 3_000_000 - 1_000);
    assert!(matches!(
        greet(5, 9, false, 1_200).await,
        Err(StoreError::NotDense { cursor: 2, got: 5 })
    ));
    assert_eq!((overview.reports, overview.lost), (2, 0));
    // One digest waits to be read, and one element, which waits for its unit and for its judgement alike.
    for backlog in [&overview.unidentified, &overview.unevaluated] {
        assert_eq!((backlog.count, backlog.measure), (1, Measure::Exact));
        assert!(backlog.oldest.is_some());
    }
    assert_eq!(greet(5, 9, true, 1_300).await.unwrap(), 4);
    assert_eq!(house.store.overview().await.unwrap().lost, 2);
}

#[tokio::test]
async fn an_export_from_before_the_first_one_taken_in_is_refused_and_not_called_repeated() {
    let house = House::new().await;
    let greet = async |first, next| {
        let hello = house.hello(first, next);
        house.store.greet_carried(&hello, false, Instant(900)).await
    };
    assert_eq!(greet(5, 9).await.unwrap(), 4, "a spool may begin anywhere");
    assert!(matches!(
        greet(1, 5).await,
        Err(StoreError::BeforeStart { start: 5, got: 1 })
    ));
    assert_eq!(greet(5, 9).await.unwrap(), 4, "and nothing moved");
}

#[tokio::test]
async fn an_agent_begins_a_thousand_spools_and_no_more() {
    let house = House::new().await;
    let greet = async |spool: u64| {
        let epoch = format!("{spool:032x}");
        let hello = AgentHello {
            epoch,
            ..house.hello(1, 1 << 48)
        };
        house.store.greet(&hello, Instant(900)).await
    };
    for spool in 0..1_000 {
        greet(spool).await.unwrap();
    }
    let refused = greet(1_000).await;
    assert!(matches!(refused, Err(StoreError::TooManySpools(1_000))));
    assert_eq!(greet(7).await.unwrap(), 0, "one that it began goes on");
    for spool in 0..1_000 {
        let epoch = format!("{spool:032x}");
        let all = vec![gap(1, 1 << 48, 1 << 48)];
        let now = Instant(1_000);
        let said = house.store.commit_reports(house.agent, &epoch, all, now);
        said.await.unwrap();
    }
    let overview = house.store.overview().await.unwrap();
    assert_eq!(
        (overview.lost, overview.agents.len()),
        (0, 1),
        "what it says can be summed"
    );
}

#[tokio::test]
async fn a_spool_that_begins_after_our_cursor_is_shown_as_lost() {
    let house = House::new().await;
    house.store.greet(&house.hello(1, 3), Instant(900)).await.unwrap();
    house
        .commit(vec![report(1, 10, Completeness::Complete, 1)])
        .await
        .unwrap();
    assert_eq!(
        house.store.greet(&house.hello(6, 9), Instant(950)).await.unwrap(),
        5
    );
    assert_eq!(house.store.overview().await.unwrap().lost, 4);
}

fn gap(sequence: u64, to: u64, count: u64) -> IncomingReport {
    let declared = Instant(7);
    let reason = GapReason::SpoolFull;
    IncomingReport {
        sequence,
        body: ReportBody::Gap(DeclaredGap {
            to,
            count,
            reason,
            declared,
        }),
    }
}

#[tokio::test]
async fn a_gap_moves_the_cursor_and_is_not_lost() {
    let house = House::new().await;
    house
        .store
        .greet(&house.hello(1, 30), Instant(900))
        .await
        .unwrap();
    let mixed = vec![
        report(1, 10, Completeness::Complete, 1),
        gap(2, 9, 8),
        report(10, 20, Completeness::Complete, 1),
    ];
    let stored = vec![Verdict::Stored; 3];
    assert_eq!(house.commit(mixed.clone()).await.unwrap(), stored);
    let repeated = vec![Verdict::Repeated; 3];
    assert_eq!(house.commit(mixed).await.unwrap(), repeated);
    let overview = house.store.overview().await.unwrap();
    assert_eq!((overview.reports, overview.lost), (2, 0));
    assert_eq!(
        (overview.gaps, overview.gap_sequences, overview.gap_reports),
        (1, 8, 8)
    );

    // It grew after it was sent first; of one nobody counted only the place is known.
    assert_eq!(
        house.commit(vec![gap(11, 12, 2)]).await.unwrap(),
        [Verdict::Stored]
    );
    let grown = vec![gap(11, 15, 5), gap(16, 16, 0)];
    assert_eq!(
        house.commit(grown).await.unwrap(),
        [Verdict::Stored, Verdict::Stored]
    );
    let overview = house.store.overview().await.unwrap();
    assert_eq!((overview.reports, overview.lost), (2, 0));
    let agent = &overview.agents[0];
    assert_eq!((agent.gaps, agent.gap_sequences, agent.gap_reports), (4, 14, 13));
    assert_eq!((agent.acked, agent.last_gap), (16, Some(Instant(1_000))));
    assert_eq!(
        house
            .store
            .greet(&house.hello(17, 30), Instant(950))
            .await
            .unwrap(),
        16
    );
}

#[tokio::test]
async fn how_a_spool_stands_is_the_last_word_of_its_agent() {
    let house = House::new().await;
    house
        .store
        .greet(&house.hello(1, 30), Instant(900))
        .await
        .unwrap();
    let spool = || async { house.store.overview().await.unwrap().agents[0].spool };
    assert_eq!(spool().await, None);
    let deep = SpoolStatus {
        waiting: 7,
        bytes: u64::MAX,
        oldest_age_micros: 400,
        unsent_age_micros: 250,
        unacked_age_micros: 150,
        refused: 1,
        dropped: 2,
        no_room_micros: 300,
    };
    house
        .store
        .note_spool(house.agent, deep, Instant(1_000))
        .await
        .unwrap();
    let told = spool().await.unwrap();
    assert_eq!(
        (told.waiting, told.oldest, told.told),
        (7, Some(Instant(600)), Instant(1_000))
    );
    assert_eq!((told.refused, told.dropped, told.bytes), (1, 2, i64::MAX as u64));
    assert_eq!(told.no_room, Some(Instant(700)));
    assert_eq!(
        (told.unsent, told.unacked),
        (Some(Instant(750)), Some(Instant(850)))
    );
    // Ages grow from its last word on: what it sends now is not what was the oldest then.
    let more = vec![report(1, 10, Completeness::Complete, 1)];
    let (store, agent) = (&house.store, house.agent);
    store
        .commit_reports(agent, EPOCH, more, Instant(1_500))
        .await
        .unwrap();
    let later = spool().await.unwrap();
    assert_eq!(
        (later.oldest, later.unsent, later.unacked),
        (Some(Instant(1_100)), Some(Instant(1_250)), Some(Instant(1_350)))
    );
    let empty = SpoolStatus::default();
    house
        .store
        .note_spool(house.agent, empty, Instant(2_000))
        .await
        .unwrap();
    let told = spool().await.unwrap();
    assert_eq!((told.waiting, told.oldest, told.told), (0, None, Instant(2_000)));
    assert_eq!((told.no_room, told.unsent, told.unacked), (None, None, None));
    let overview = house.store.overview().await.unwrap();
    assert_eq!(overview.agents[0].last_seen, Instant(2_000));
}

#[tokio::test]
async fn a_gap_with_a_hole_before_it_is_refused_whole() {
    let house = House::new().await;
    house
        .store
        .greet(&house.hello(1, 30), Instant(900))
        .await
        .unwrap();
    let holed = vec![report(1, 10, Completeness::Complete, 1), gap(3, 9, 7)];
    assert!(matches!(
        house.commit(holed).await,
        Err(StoreError::NotDense { cursor: 1, got: 3 })
    ));
    let overview = house.store.overview().await.unwrap();
    assert_eq!(
        (overview.reports, overview.gaps, overview.agents[0].acked),
        (0, 0, 0)
    );
}

#[tokio::test]
async fn refused_and_wanted_are_durable_answers() {
    let house = House::new().await;
    house.store.greet(&house.hello(1, 3), Instant(900)).await.unwrap();
    let mut unknown = report(2, 20, Completeness::Complete, 5);
    if let ReportBody::Read(read) = &mut unknown.body {
        read.evidence = None;
    }
    let refused = IncomingReport {
        sequence: 1,
        body: ReportBody::Refused {
            reason: "no digest".into(),
        },
    };
    let verdicts = house.commit(vec![refused, unknown]).await.unwrap();
    assert_eq!(
        verdicts,
        [
            Verdict::Refused {
                reason: "no digest".into()
            },
            Verdict::Wanted
        ]
    );
    let overview = house.store.overview().await.unwrap();
    assert_eq!(
        (overview.reports, overview.lost, overview.agents[0].refused),
        (2, 0, 1)
    );
    assert_eq!(overview.reached, 0, "a digest we do not hold shows nothing");
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_reopening() {
    let house = House::new().await;
    house.store.greet(&house.hello(1, 9), Instant(900)).await.unwrap();
    house
        .commit(vec![report(1, 10, Completeness::Complete, 1)])
        .await
        .unwrap();
    let path = house.folder.path().join("collector.db");
    // No close: the process might as well have been killed.
    let again = SqliteStore::open(&path).await.unwrap();
    assert_eq!(again.overview().await.unwrap().reports, 1);
    assert_eq!(again.greet(&house.hello(2, 9), Instant(999)).await.unwrap(), 1);
}

#[tokio::test]
async fn what_is_no_store_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("collector.db");
    std::fs::write(
        &path,
        "this is a text file, and long enough to have a header of its own",
    )
    .unwrap();
    let error = SqliteStore::open(&path).await.err().unwrap();
    assert!(error.to_string().contains("collector.db"), "{error}");
}
