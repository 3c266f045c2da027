//! Who is kept out for a time: known agents, one quarantine at once, and the time of it is known afterwards.

use super::{House, ann};
use crate::acts::{AuditFilter, Signer};
use crate::admission::{Moved, Shut};
use crate::field::{QuarantineRow, Release};
use crate::{Acts as _, Admission as _, Field as _, Store as _};
use model::Instant;
use std::time::Duration;

fn ben() -> Signer {
    Signer {
        person: "Ben".into(),
        ..ann()
    }
}

impl House {
    async fn hold(&self, reason: &str, now: i64) -> Moved {
        self.store
            .quarantine(self.agent, reason, &ann(), Instant(now))
            .await
            .unwrap()
    }

    async fn let_go(&self, reason: &str, now: i64) -> Moved {
        self.store
            .end_quarantine(self.agent, reason, &ben(), Instant(now))
            .await
            .unwrap()
    }
}

#[tokio::test]
async fn an_agent_is_held_once_and_released_once_and_both_are_written_down() {
    let house = House::new().await;
    assert_eq!(house.hold("odd", 5).await, Moved::Unknown, "nobody knows it yet");
    assert_eq!(house.let_go("fine", 5).await, Moved::Unknown);
    house.store.greet(&house.hello(1, 1), Instant(10)).await.unwrap();
    assert_eq!(house.let_go("fine", 11).await, Moved::Already);
    let before = *house.store.revision().borrow();
    assert_eq!(house.hold("odd", 20).await, Moved::Done);
    let after = *house.store.revision().borrow();
    assert!(after > before, "pages that show it are told at once");
    assert_eq!(house.hold("again", 21).await, Moved::Already);
    assert_eq!(
        house.store.shut(house.agent).await.unwrap(),
        Some(Shut::Quarantined)
    );
    assert_eq!(
        house
            .store
            .all_shut()
            .await
            .unwrap()
            .into_iter()
            .collect::<Vec<_>>(),
        [(house.agent, Shut::Quarantined)]
    );
    let since = async || {
        let listed = house.store.admitted().await.unwrap()[0].quarantined;
        assert_eq!(
            listed,
            house.store.overview().await.unwrap().agents[0].quarantined
        );
        listed
    };
    assert_eq!(since().await, Some(Instant(20)));
    assert_eq!(house.let_go("fine", 30).await, Moved::Done);
    assert_eq!(house.let_go("twice", 31).await, Moved::Already);
    assert_eq!(
        (house.store.shut(house.agent).await.unwrap(), since().await),
        (None, None)
    );
    assert!(house.store.all_shut().await.unwrap().is_empty());

    // Again, and by a clock that went back: the first stays as it was.
    assert_eq!(house.hold("odd again", 20).await, Moved::Done);
    let row = |since, reason: &str, released| QuarantineRow {
        since: Instant(since),
        person: "Ann".into(),
        reason: reason.into(),
        released,
    };
    let end = Release {
        at: Instant(30),
        person: "Ben".into(),
        reason: "fine".into(),
    };
    let rows = house.store.quarantines(house.agent, 9).await.unwrap();
    assert_eq!(rows, [row(21, "odd again", None), row(20, "odd", Some(end))]);
    assert_eq!(house.store.quarantines(house.agent, 1).await.unwrap().len(), 1);

    let log = house.store.audit_log(&AuditFilter::default()).await.unwrap().rows;
    let told: Vec<_> = log
        .iter()
        .map(|row| (row.action.as_str(), row.person.as_str(), row.subjects[0].clone()))
        .collect();
    let agent = || house.agent.to_string();
    assert_eq!(
        told,
        [
            ("agent_released", "Ben", agent()),
            ("agent_quarantined", "Ann", agent()),
            ("agent_quarantined", "Ann", agent()),
        ]
    );
    assert!(log[0].detail.contains("fine"), "{}", log[0].detail);
}

#[tokio::test]
async fn a_revocation_outweighs_a_quarantine() {
    let house = House::new().await;
    house.store.greet(&house.hello(1, 1), Instant(10)).await.unwrap();
    assert_eq!(house.hold("odd", 20).await, Moved::Done);
    assert!(
        house
            .store
            .revoke(house.agent, "stolen", &ann(), Instant(30))
            .await
            .unwrap()
    );
    assert_eq!(house.store.shut(house.agent).await.unwrap(), Some(Shut::Revoked));
    assert_eq!(
        house.store.all_shut().await.unwrap().get(&house.agent),
        Some(&Shut::Revoked)
    );
    assert_eq!(house.let_go("fine", 40).await, Moved::Revoked);
    assert_eq!(house.hold("odd", 41).await, Moved::Revoked);
    assert_eq!(
        house
            .store
            .audit_log(&AuditFilter::default())
            .await
            .unwrap()
            .rows
            .len(),
        2
    );
}

#[tokio::test]
async fn the_time_in_quarantine_is_counted_within_two_moments() {
    let house = House::new().await;
    house.store.greet(&house.hello(1, 1), Instant(10)).await.unwrap();
    house.hold("odd", 100).await;
    house.let_go("fine", 150).await;
    house.hold("odd", 200).await;
    for (from, until, micros) in [
        (0, 100, 0),
        (0, 120, 20),
        (110, 140, 30),
        (0, 200, 50),
        (140, 230, 40),
        (150, 200, 0),
        (300, 1_000, 700),
        (1_000, 300, 0),
    ] {
        let lasted = house
            .store
            .quarantined_for(house.agent, Instant(from), Instant(until))
            .await
            .unwrap();
        assert_eq!(lasted, Duration::from_micros(micros), "{from} to {until}");
    }
}
