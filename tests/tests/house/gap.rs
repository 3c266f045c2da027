//! When more is kept than a spool may hold: nothing goes without a gap in its place.

use super::programs::{LAB, PATIENCE};
use lab::element::Behaviour;
use lab::house::{House, HouseSpec};
use lab::network::Plan;

/// As small as an agent allows.
const QUOTA: u64 = 1 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_spool_that_overflows_while_the_collector_is_dead_declares_what_went() {
    let kinds = ["nokia-7750-sr7", "cisco-asr9010", "juniper-mx480", "arista-7280"];
    let plan = (0..40).fold(Plan::small(), |plan, n| {
        plan.with(
            kinds[n % kinds.len()],
            &format!("element-{n}"),
            "core",
            Behaviour::Normal,
        )
    });
    let mut spec = HouseSpec::new(LAB, plan);
    spec.interval_seconds = 1;
    spec.spool_quota_bytes = Some(QUOTA);
    let mut house = House::start(spec).await.unwrap();
    // An agent that starts with nobody to talk to sends everything in full.
    house.kill_agent("lab").await.unwrap();
    house.kill_collector().await.unwrap();
    house.start_agent("lab").unwrap();
    house
        .wait_for_words("agent-lab", "spool is full", PATIENCE)
        .await
        .unwrap();

    house.start_collector().await.unwrap();
    let seen = house
        .wait_until(PATIENCE, |s| s.gaps > 0 && s.identified == 40)
        .await
        .unwrap();
    assert_eq!((seen.lost, seen.elements), (0, 40));
    let page = house.get("/").await.unwrap();
    assert!(page.contains("gap in the last day"), "the page says so in words");

    // The gap was stored with the cursor: a power cut of the collector changes nothing.
    house.kill_agent("lab").await.unwrap();
    let before = house.summary().await.unwrap();
    house.kill_collector().await.unwrap();
    house.start_collector().await.unwrap();
    let after = house.summary().await.unwrap();
    assert_eq!((after.lost, after.gaps), (0, before.gaps));
    assert!(after.reports >= before.reports, "{before:?} {after:?}");

    // And the line goes on where it was, without a hole.
    house.start_agent("lab").unwrap();
    let more = house
        .wait_until(PATIENCE, |s| s.reports >= after.reports + 40)
        .await
        .unwrap();
    assert_eq!(more.lost, 0);
    house.stop().await.unwrap();
}
