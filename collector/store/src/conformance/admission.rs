//! Who may come in: once, in time, with the right secret, and not after a revocation.

use super::{House, ann};
use crate::admission::{Candidate, Invitation, Issued, Lack, Moved, Outcome, Shut};
use crate::{Admission as _, Store as _};
use model::{AgentId, Instant};
use uuid::Uuid;

fn invitation() -> Invitation {
    Invitation {
        token: Uuid::now_v7(),
        site: "berlin".parse().unwrap(),
        secret_hash: "aa".repeat(32),
        expires: Instant(1_000),
    }
}

fn candidate(invitation: &Invitation) -> Candidate {
    Candidate {
        agent: AgentId::generate(),
        token: invitation.token,
        secret_hash: invitation.secret_hash.clone(),
        peer: "192.0.2.9".into(),
    }
}

#[tokio::test]
async fn a_token_opens_once_in_time_and_with_its_secret() {
    let house = House::new().await;
    let (good, late) = (invitation(), invitation());
    for invitation in [&good, &late] {
        house.store.invite(invitation, &ann(), Instant(1)).await.unwrap();
    }
    let shows =
        async |candidate: &Candidate, now| house.store.consume(candidate, Instant(now)).await.unwrap();
    let mut guess = candidate(&good);
    guess.secret_hash = "bb".repeat(32);
    assert_eq!(shows(&guess, 2).await, Err(Outcome::Guessed));
    let stranger = candidate(&invitation());
    assert_eq!(shows(&stranger, 2).await, Err(Outcome::Unknown));
    assert_eq!(shows(&candidate(&late), 1_000).await, Err(Outcome::Expired));
    assert_eq!(shows(&candidate(&good), 999).await, Ok(good.site.clone()));
    assert_eq!(shows(&candidate(&good), 999).await, Err(Outcome::Replayed));
    house.store.malformed("192.0.2.9", Instant(3)).await.unwrap();
    let attempts = house.store.attempts().await.unwrap();
    let words = [
        "enrolled",
        "expired",
        "guessed",
        "malformed",
        "replayed",
        "unknown",
    ];
    assert_eq!(
        attempts,
        words.map(|word| (word.to_owned(), 1)),
        "every attempt left a row"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_racers_one_gets_in() {
    let house = House::new().await;
    // As two collectors would be: a store of its own each, on one file.
    let other = crate::SqliteStore::open(&house.folder.path().join("collector.db"))
        .await
        .unwrap();
    for _ in 0..20 {
        let invitation = invitation();
        house.store.invite(&invitation, &ann(), Instant(1)).await.unwrap();
        let (one, two) = (candidate(&invitation), candidate(&invitation));
        let (one, two) = tokio::join!(
            house.store.consume(&one, Instant(2)),
            other.consume(&two, Instant(2))
        );
        let let_in = [one.unwrap(), two.unwrap()]
            .iter()
            .filter(|answer| answer.is_ok())
            .count();
        assert_eq!(let_in, 1);
    }
}

#[tokio::test]
async fn a_revocation_is_for_known_agents_and_for_good() {
    let house = House::new().await;
    let agent = house.agent;
    assert!(
        !house
            .store
            .revoke(agent, "stolen", &ann(), Instant(5))
            .await
            .unwrap(),
        "nobody knows it yet"
    );
    assert_eq!(house.store.shut(agent).await.unwrap(), None);
    let mut issued = Issued {
        agent,
        site: "berlin".parse().unwrap(),
        serial: "01".into(),
        authority: "aa".into(),
        trusted: vec!["aa".into(), "bb".into()],
        not_after: Instant(50),
    };
    house.store.certify(&issued, Instant(6)).await.unwrap();
    (issued.serial, issued.not_after) = ("02".into(), Instant(90));
    house.store.certify(&issued, Instant(7)).await.unwrap();
    assert!(
        house
            .store
            .revoke(agent, "stolen", &ann(), Instant(8))
            .await
            .unwrap()
    );
    assert!(
        house
            .store
            .revoke(agent, "stolen", &ann(), Instant(9))
            .await
            .unwrap()
    );
    assert_eq!(house.store.shut(agent).await.unwrap(), Some(Shut::Revoked));
    assert_eq!(
        house
            .store
            .all_shut()
            .await
            .unwrap()
            .into_iter()
            .collect::<Vec<_>>(),
        [(agent, Shut::Revoked)]
    );
    let all = house.store.admitted().await.unwrap();
    assert_eq!(all.len(), 1);
    assert_eq!(
        (all[0].revoked, all[0].not_after),
        (Some(Instant(8)), Some(Instant(90)))
    );
    assert_eq!(
        (all[0].site.as_ref(), all[0].last_seen),
        (Some(&issued.site), None)
    );
    // The page tells of both.
    house.store.greet(&house.hello(1, 1), Instant(10)).await.unwrap();
    let shown = house.store.overview().await.unwrap().agents;
    assert_eq!(
        (shown[0].revoked, shown[0].not_after),
        (Some(Instant(8)), Some(Instant(90)))
    );
    // An agent that greeted and never got a certificate here is known too.
    house.store.greet(&house.hello(1, 1), Instant(900)).await.unwrap();
    assert_eq!(
        house.store.admitted().await.unwrap()[0].last_seen,
        Some(Instant(900))
    );
}

#[tokio::test]
async fn what_certificates_lack_is_known_for_those_that_hold() {
    let house = House::new().await;
    let issued = |agent, serial: &str, authority: &str, trusted: &[&str], not_after| Issued {
        agent,
        site: "berlin".parse().unwrap(),
        serial: serial.into(),
        authority: authority.into(),
        trusted: trusted.iter().map(|&t| t.to_owned()).collect(),
        not_after: Instant(not_after),
    };
    let (behind, ahead, out) = (AgentId::generate(), AgentId::generate(), AgentId::generate());
    for certificate in [
        issued(behind, "1", "old", &["old"], 50),
        issued(behind, "2", "new", &["new", "old"], 90),
        issued(ahead, "3", "new", &["new", "old"], 90),
        issued(out, "4", "old", &["old"], 90),
    ] {
        house.store.certify(&certificate, Instant(1)).await.unwrap();
    }
    house
        .store
        .revoke(out, "stolen", &ann(), Instant(2))
        .await
        .unwrap();
    for lack in [Lack::Trust("new".into()), Lack::Signature("new".into())] {
        let lacking = async |since, now| {
            let (since, now) = (Instant(since), Instant(now));
            house.store.lacking(&lack, since, now).await.unwrap()
        };
        assert_eq!(
            lacking(50, 50).await,
            [behind],
            "{lack:?}: an older one still holds"
        );
        assert!(lacking(51, 51).await.is_empty(), "{lack:?}");
        assert!(lacking(40, 51).await.is_empty(), "{lack:?}: its newer one holds");
        assert_eq!(
            lacking(41, 91).await,
            [behind],
            "{lack:?}: any may be the one it has"
        );
        assert!(lacking(51, 91).await.is_empty(), "{lack:?}: too late to renew");
    }
    // Whoever is in quarantine may renew when it comes out, however late that is.
    let why = ("odd", &ann());
    let held = house.store.quarantine(behind, why.0, why.1, Instant(95)).await;
    assert_eq!(held.unwrap(), Moved::Done);
    let lack = Lack::Signature("new".into());
    let lacking = async |since, now| {
        let (since, now) = (Instant(since), Instant(now));
        house.store.lacking(&lack, since, now).await.unwrap()
    };
    // Its old certificate ran out at 50, so 45 before the quarantine: with a grace of 45 it can be renewed, with 44 not.
    assert_eq!(lacking(955, 1_000).await, [behind], "still in quarantine");
    assert!(lacking(956, 1_000).await.is_empty(), "too late when it began");
    let out = house
        .store
        .end_quarantine(behind, why.0, why.1, Instant(1_000))
        .await;
    assert_eq!(out.unwrap(), Moved::Done);
    assert_eq!(
        lacking(955, 1_000).await,
        [behind],
        "it is out and has not renewed yet"
    );
    assert!(lacking(965, 1_010).await.is_empty(), "it had its time");
}
