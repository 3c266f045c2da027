//! Second factors: each code once, also for two who use it at once; nothing is left of one that was taken away.

use super::*;
use crate::accounts::{
    AccountRow, Accounts as _, By, NewAccount, NewSecond, NewSession, Second, SessionOf, Vouched,
};
use crate::acts::{Acts as _, AuditFilter};
use model::AccessRole;
use uuid::Uuid;

const LONG_AGO: Instant = Instant(0);

fn by() -> By {
    By {
        person: "bo".into(),
        from: "192.0.2.7".into(),
    }
}

fn new(step: i64) -> NewSecond {
    NewSecond {
        sealed: "sealed".into(),
        step,
        recovery: vec!["h1".into(), "h2".into()],
    }
}

async fn account(house: &House, name: &str) -> AccountRow {
    let new = NewAccount {
        name: name.into(),
        role: AccessRole::Viewer,
        sites: None,
    };
    let made = house.store.add_account(&new, &by(), Instant(10)).await;
    made.unwrap().unwrap()
}

/// Whether the account takes a second factor.
async fn hold(house: &House, of: &AccountRow, step: i64, keep: Uuid, at: i64) -> bool {
    let (new, by) = (new(step), by());
    let held = house.store.hold_second(of.account, &new, keep, &by, Instant(at));
    held.await.unwrap()
}

/// A session; its key and whether its account is known by two proofs.
async fn session(house: &House, hash: &str, of: &AccountRow) -> (Uuid, bool) {
    let new = NewSession {
        hash: hash.into(),
        of: SessionOf::Account(of.account),
        expires: Instant(1_000),
    };
    let by = by();
    let opened = house.store.open_session(&new, &by, "sign_in", Instant(15));
    opened.await.unwrap();
    let found = house.store.session(hash, LONG_AGO, Instant(16)).await.unwrap();
    let (row, _) = found.unwrap();
    (row.session, row.second)
}

#[tokio::test]
async fn a_second_factor_is_held_once_and_ends_other_sessions() {
    let house = House::new().await;
    let revision = house.store.revision();
    let bo = account(&house, "bo").await;
    assert_eq!(house.store.second(bo.account).await.unwrap(), None);
    let (own, proven) = session(&house, "own", &bo).await;
    assert!(!proven);
    session(&house, "other", &bo).await;
    assert!(hold(&house, &bo, 7, own, 20).await);
    assert!(!hold(&house, &bo, 8, own, 21).await, "there is one");
    let is = Second {
        sealed: "sealed".into(),
        step: 7,
        recovery: 2,
    };
    assert_eq!(house.store.second(bo.account).await.unwrap(), Some(is));
    let (row, _) = house.store.account(bo.account).await.unwrap().unwrap();
    assert_eq!(row.second, Some(Instant(20)));
    let holds = async |hash: &str| house.store.session(hash, LONG_AGO, Instant(22)).await.unwrap();
    assert!(holds("own").await.unwrap().0.second && holds("other").await.is_none());
    // Whoever another vouches for has theirs there.
    let cy = NewAccount {
        name: "cy".into(),
        role: AccessRole::Viewer,
        sites: None,
    };
    let Vouched::In(cy) = house.store.vouched(&cy, &by(), Instant(30)).await.unwrap() else {
        panic!("cy is let in")
    };
    let (own, proven) = session(&house, "cy", &cy).await;
    assert!(proven);
    assert!(!hold(&house, &cy, 1, own, 31).await);
    assert!(!revision.has_changed().unwrap(), "no page is woken");
}

#[tokio::test]
async fn each_code_is_used_once() {
    let house = House::new().await;
    let bo = account(&house, "bo").await;
    let step = |step| house.store.use_step(bo.account, step);
    assert!(!step(9).await.unwrap(), "there is no second factor");
    assert!(hold(&house, &bo, 7, Uuid::nil(), 20).await);
    assert!(!step(7).await.unwrap(), "the code that proved it");
    let (a, b) = tokio::join!(step(8), step(8));
    assert_eq!(
        [a, b].into_iter().filter(|used| *used.as_ref().unwrap()).count(),
        1
    );
    assert!(step(10).await.unwrap());
    assert!(!step(9).await.unwrap(), "nor one before");

    let by = by();
    let recover = |hash| house.store.use_recovery(bo.account, hash, &by, Instant(30));
    let (a, b) = tokio::join!(recover("h1"), recover("h1"));
    assert_eq!(
        [a, b].into_iter().filter(|used| *used.as_ref().unwrap()).count(),
        1
    );
    assert!(!recover("h3").await.unwrap());
    let left = house.store.second(bo.account).await.unwrap().unwrap();
    assert_eq!((left.step, left.recovery), (10, 1));
    let eve = account(&house, "eve").await;
    let of_another = house.store.use_recovery(eve.account, "h2", &by, Instant(31));
    assert!(!of_another.await.unwrap());
}

#[tokio::test]
async fn of_one_that_is_taken_away_nothing_is_left() {
    let house = House::new().await;
    let bo = account(&house, "bo").await;
    assert!(hold(&house, &bo, 7, Uuid::nil(), 20).await);
    assert!(
        house
            .store
            .use_recovery(bo.account, "h2", &by(), Instant(25))
            .await
            .unwrap()
    );
    assert!(
        house
            .store
            .drop_second(bo.account, &by(), Instant(30))
            .await
            .unwrap()
    );
    assert!(
        !house
            .store
            .drop_second(bo.account, &by(), Instant(31))
            .await
            .unwrap()
    );
    assert_eq!(house.store.second(bo.account).await.unwrap(), None);
    assert!(
        !house
            .store
            .use_recovery(bo.account, "h1", &by(), Instant(32))
            .await
            .unwrap()
    );
    assert!(!house.store.use_step(bo.account, 99).await.unwrap());
    assert!(
        hold(&house, &bo, 7, Uuid::nil(), 40).await,
        "and a new one is as the first"
    );
    let log = house.store.audit_log(&AuditFilter::default()).await.unwrap().rows;
    let told: Vec<String> = log
        .iter()
        .map(|row| {
            format!(
                "{} {} {} {}",
                row.at.0,
                row.action,
                row.subjects.join(","),
                row.detail
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            "40 second_factor_on bo {}",
            "30 second_factor_off bo {}",
            "25 recovery_code_used bo {\"left\":1}",
            "20 second_factor_on bo {}",
            "10 account_made bo {\"role\":\"viewer\",\"sites\":null}",
        ]
    );
}
