//! Elements that are slow, broken or mean: reported as what they are, bounded, escaped.

use super::programs::{LAB, PATIENCE};
use lab::element::Behaviour;
use lab::house::{House, HouseSpec};
use lab::network::Plan;
use serde_json::Value;
use std::time::Duration;

const MEAN: &str = "1.3.6.1.2.1.1.1.0|4|<script>alert(1)</script> \"'&\n1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.9.1.1\n\
    1.3.6.1.2.1.1.3.0|67|5\n1.3.6.1.2.1.1.5.0|4x|fffe3c623e\n1.3.6.1.2.1.47.1.1.1.1.2.1|4|<img src=x onerror=alert(2)>\n\
    1.3.6.1.2.1.47.1.1.1.1.5.1|2|3\n1.3.6.1.2.1.47.1.1.1.1.4.1|2|0\n";

#[tokio::test(flavor = "multi_thread")]
async fn hostile_elements_end_as_what_they_are() {
    let kind = "cisco-asr9010";
    let huge = format!(
        "1.3.6.1.2.1.1.1.0|4x|{}\n1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.9.1.1\n",
        "41".repeat(60_000)
    );
    let plan = Plan::small()
        .with(kind, "well", "core", Behaviour::Normal)
        .with(kind, "slow", "core", Behaviour::Slow(Duration::from_millis(60)))
        .with(kind, "silent", "core", Behaviour::Silent)
        .with(kind, "absent", "core", Behaviour::Absent)
        .with(kind, "garbage", "core", Behaviour::Garbage)
        .with(kind, "looping", "core", Behaviour::Looping(25))
        .with(kind, "no-bulk", "core", Behaviour::NoBulk)
        .with(kind, "too-big", "core", Behaviour::TooBig(4))
        .with(kind, "lossy", "core", Behaviour::Lossy(7))
        .with(kind, "half-dead", "core", Behaviour::HalfDead)
        .with(kind, "amplifying", "core", Behaviour::Amplifying(4))
        .with_objects(MEAN, "mean", "core")
        .unwrap()
        .with_objects(&huge, "huge", "core")
        .unwrap();
    let mut house = House::start(HouseSpec::new(LAB, plan)).await.unwrap();
    let all = |s: &lab::house::Summary| {
        s.reports >= 13 && s.reached >= 10 && s.pending.unidentified + s.pending.unevaluated == 0
    };
    house.wait_until(PATIENCE, all).await.unwrap();
    let elements: Value = serde_json::from_str(&house.get("/api/v1/elements").await.unwrap()).unwrap();
    let row = |name: &str| {
        elements["rows"]
            .as_array()
            .unwrap()
            .iter()
            .find(|r| r["name"] == name)
            .unwrap()
            .clone()
    };
    for name in [
        "well",
        "slow",
        "no-bulk",
        "too-big",
        "lossy",
        "looping",
        "amplifying",
    ] {
        assert_eq!(row(name)["maker"], "Cisco", "{name}");
    }
    for name in ["well", "slow", "no-bulk", "too-big", "lossy", "amplifying"] {
        assert_eq!(row(name)["completeness"], "complete", "{name}");
        assert_eq!(row(name)["components"], row("well")["components"], "{name}");
    }
    for name in ["silent", "absent", "garbage"] {
        let row = row(name);
        assert_eq!(row["maker"], Value::Null, "{name}");
        assert_eq!(row["standing"], "unknown", "{name}: silence is not compliance");
    }
    assert_eq!(
        (&row("huge")["completeness"], &row("huge")["maker"]),
        (&"partial".into(), &"Cisco".into())
    );
    assert_eq!(row("silent")["completeness"], "unreachable");
    assert_eq!(row("absent")["completeness"], "unreachable");
    assert_eq!(row("looping")["completeness"], "partial");
    assert_eq!(row("half-dead")["completeness"], "partial");
    for name in ["looping", "half-dead"] {
        assert_ne!(
            row(name)["standing"],
            "clear",
            "{name}: a partial walk is never clear"
        );
    }

    let page = house
        .get(&format!("/elements/{}", row("mean")["element"].as_str().unwrap()))
        .await
        .unwrap();
    assert!(!page.contains("<script>alert"), "sysDescr is escaped");
    assert!(!page.contains("<img src=x"), "entPhysicalDescr is escaped");
    assert!(page.contains("&#60;script&#62;alert(1)"), "and still shown");
    assert!(page.contains("&#60;img src=x"), "and still shown");
    house.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nothing_moved_at_is_refreshed_and_a_liar_is_found_out_on_age() {
    let kind = "cisco-asr9010";
    let plan = Plan::small().with(kind, "well", "core", Behaviour::Normal).with(
        kind,
        "lying",
        "core",
        Behaviour::Lying(60),
    );
    let mut spec = HouseSpec::new(LAB, plan);
    (spec.interval_seconds, spec.full_round_seconds) = (1, 6);
    let mut house = House::start(spec).await.unwrap();
    house.wait_until(PATIENCE, |s| s.identified >= 2).await.unwrap();
    // Of each sighting its evidence, and whether it was stretched without a walk.
    let sightings = async |house: &House, name: &str| -> Vec<(String, bool)> {
        let all: Value = serde_json::from_str(&house.get("/api/v1/elements").await.unwrap()).unwrap();
        let rows = all["rows"].as_array().unwrap();
        let row = rows.iter().find(|row| row["name"] == name).unwrap();
        let path = format!("/elements/{}", row["element"].as_str().unwrap());
        let page = house.get(&path).await.unwrap();
        let (_, table) = page.split_once("id=\"sightings\"").unwrap();
        let lines = table.split("href=\"/evidence/").skip(1);
        lines
            .map(|line| (line[..64].to_owned(), line.contains(" refreshed</span>")))
            .collect()
    };
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let mut reports = 0;
    loop {
        house.wait_until(PATIENCE, |s| s.reports > reports).await.unwrap();
        reports = house.summary().await.unwrap().reports;
        let (well, lying) = (sightings(&house, "well").await, sightings(&house, "lying").await);
        if well[0].1 && lying.len() > 1 {
            assert_eq!(well.len(), 1, "{well:?}");
            assert_ne!(lying[0].0, lying[1].0);
            assert!(lying[1].1, "it was believed until then: {lying:?}");
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "{well:?} {lying:?}");
    }
    house.stop().await.unwrap();
}
