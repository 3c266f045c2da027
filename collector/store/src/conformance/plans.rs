//! What agents are told to do: revisions that grow and stay, and what agents said of them.

use super::House;
use crate::plans::{NewPlan, PlanRef, PlanRow, PlanState, Plans as _, Put, Said};
use crate::{Admission as _, Field as _, Store as _};
use model::{AgentId, Digest, Instant};

fn plan(site: &str, content: u8) -> NewPlan {
    NewPlan {
        site: site.parse().unwrap(),
        text: format!("# {content}\n"),
        digest: Digest([content; 32]),
        targets: u64::from(content),
        ranges: 2,
    }
}

fn which(revision: u64, content: u8) -> PlanRef {
    PlanRef {
        revision,
        digest: Digest([content; 32]),
    }
}

#[tokio::test]
async fn revisions_grow_by_one_per_site_and_are_never_overwritten() {
    let house = House::new().await;
    let put = async |site, content, at| {
        house
            .store
            .put_plan(&plan(site, content), Instant(at))
            .await
            .unwrap()
    };
    assert_eq!(put("berlin", 1, 10).await, Put::New(1));
    assert_eq!(put("berlin", 1, 11).await, Put::Same(1));
    assert_eq!(put("berlin", 2, 12).await, Put::New(2));
    assert_eq!(put("lyon", 2, 13).await, Put::New(1), "a site counts by itself");
    assert_eq!(
        put("berlin", 1, 14).await,
        Put::New(3),
        "back to the first is a change"
    );
    let newest: Vec<_> = house
        .store
        .newest_plans()
        .await
        .unwrap()
        .into_iter()
        .map(|row| {
            (
                row.site.to_string(),
                row.revision,
                row.targets,
                row.ranges,
                row.since,
            )
        })
        .collect();
    assert_eq!(
        newest,
        [
            ("berlin".into(), 3, 1, 2, Instant(14)),
            ("lyon".into(), 1, 2, 2, Instant(13))
        ]
    );
    let berlin = "berlin".parse().unwrap();
    for (revision, expected) in [
        (Some(1), "# 1\n"),
        (Some(2), "# 2\n"),
        (Some(3), "# 1\n"),
        (None, "# 1\n"),
    ] {
        let (row, text) = house.store.plan(&berlin, revision).await.unwrap().unwrap();
        assert_eq!((row.revision, text.as_str()), (revision.unwrap_or(3), expected));
    }
    assert_eq!(house.store.plan(&berlin, Some(4)).await.unwrap(), None);
    assert_eq!(
        house.store.plan(&"oslo".parse().unwrap(), None).await.unwrap(),
        None
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_put_at_once_each_gets_a_revision_of_its_own() {
    let house = House::new().await;
    // As the command beside a running collector.
    let other = crate::SqliteStore::open(&house.folder.path().join("collector.db"))
        .await
        .unwrap();
    for round in 0..10 {
        let (one, two) = (plan("berlin", round * 2 + 1), plan("berlin", round * 2 + 2));
        let (one, two) = tokio::join!(
            house.store.put_plan(&one, Instant(1)),
            other.put_plan(&two, Instant(1))
        );
        let mut got = [one.unwrap(), two.unwrap()].map(|put| match put {
            Put::New(revision) => revision,
            Put::Same(revision) => panic!("revision {revision} said that already"),
        });
        got.sort_unstable();
        assert_eq!(got, [u64::from(round) * 2 + 1, u64::from(round) * 2 + 2]);
    }
}

#[tokio::test]
async fn how_an_agent_stands_follows_from_its_last_words() {
    let house = House::new().await;
    house.store.greet(&house.hello(1, 1), Instant(5)).await.unwrap();
    let state = async || {
        let states = house.store.plan_states().await.unwrap();
        let overview = house.store.overview().await.unwrap();
        assert_eq!(states.len(), 1);
        assert_eq!(overview.agents[0].plan, states[0].state, "page and list agree");
        states[0].state.clone()
    };
    let say = async |said: Said| {
        house
            .store
            .note_plan(house.agent, &said, Instant(6))
            .await
            .unwrap();
    };
    let put = async |content| {
        house
            .store
            .put_plan(&plan("berlin", content), Instant(7))
            .await
            .unwrap()
    };
    let failed = |revision, content| Said::Failed(which(revision, content), "target x".into(), Instant(9));
    let refused = |revision, runs| PlanState::Refused {
        revision,
        runs,
        reason: "target x".into(),
    };
    let waiting = |revision, runs| PlanState::Waiting { revision, runs };
    let told = async || {
        let told = house.store.told_plan(house.agent).await.unwrap().unwrap();
        let revision = |plan: Option<(PlanRow, String)>| plan.map(|(row, text)| (row.revision, text));
        (told.said, revision(told.follows), revision(told.newest))
    };
    let text = |content| plan("berlin", content).text;

    assert_eq!(told().await, (None, None, None));
    assert_eq!(state().await, PlanState::NotTold);
    say(Said::TakesNone).await;
    assert_eq!(state().await, PlanState::OwnFile);
    say(Said::Follows(which(0, 0))).await;
    assert_eq!(state().await, PlanState::NonePut { runs: 0 });
    // One from a store that is no more.
    say(Said::Follows(which(4, 4))).await;
    assert_eq!(state().await, PlanState::NonePut { runs: 4 });
    say(Said::Follows(which(0, 0))).await;
    put(1).await;
    assert_eq!(state().await, waiting(1, 0));
    say(failed(1, 1)).await;
    assert_eq!(state().await, refused(1, 0));
    put(2).await;
    assert_eq!(state().await, waiting(2, 0));
    say(Said::Applied(which(2, 2), Instant(9))).await;
    assert_eq!(state().await, PlanState::Applied { revision: 2 });
    put(3).await;
    say(failed(3, 3)).await;
    assert_eq!(state().await, refused(3, 2));
    let (two, three) = (Some((2, text(2))), Some((3, text(3))));
    assert_eq!(told().await, (Some(Instant(6)), two, three.clone()));
    // A greeting does not wipe a refusal out.
    say(Said::Follows(which(2, 2))).await;
    assert_eq!(state().await, refused(3, 2));
    // The same number with other content is another plan.
    say(Said::Follows(which(3, 9))).await;
    say(failed(3, 9)).await;
    assert_eq!(state().await, waiting(3, 3));
    assert_eq!(
        told().await,
        (Some(Instant(6)), None, three),
        "nobody here knows its text"
    );
    let nobody = house.store.told_plan(AgentId::generate()).await.unwrap();
    assert_eq!(nobody, None);
    say(Said::Applied(which(3, 3), Instant(9))).await;
    assert_eq!(state().await, PlanState::Applied { revision: 3 });
    assert!(
        house
            .store
            .revoke(house.agent, "stolen", &super::ann(), Instant(10))
            .await
            .unwrap()
    );
    assert!(house.store.plan_states().await.unwrap().is_empty());
}
