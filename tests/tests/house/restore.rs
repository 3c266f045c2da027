//! A collector that is lost comes back elsewhere from its backup, and nobody enrols anew.

use super::programs::{LAB, PATIENCE, Running, complaint, run};
use lab::element::Behaviour;
use lab::house::{House, HouseSpec};
use lab::network::Plan;
use proto::tls::Bundle;
use std::path::Path;

/// What the manual says to keep: the folder of the authority, and the store with what stands beside it.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to.join("identity")).unwrap();
    for entry in std::fs::read_dir(from.join("identity")).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join("identity").join(entry.file_name())).unwrap();
    }
    for name in ["collector.db", "collector.db-wal", "collector.db-shm"] {
        if from.join(name).exists() {
            std::fs::copy(from.join(name), to.join(name)).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_restored_elsewhere_in_the_middle_of_a_rotation_knows_its_agents() {
    let plan = Plan::small().with("nokia-7750-sr7", "one", "core", Behaviour::Normal);
    let mut spec = HouseSpec::new(LAB, plan);
    spec.interval_seconds = 1;
    spec.certificate_lifetime = "15s".to_owned();
    let mut house = House::start(spec).await.unwrap();
    let pem = house.data().join("agent-lab.pem");
    let identity = || Bundle::from_pem(std::fs::read_to_string(&pem).unwrap());
    let first = identity();
    let folder = house.data().to_owned();
    let elsewhere = tempfile::tempdir().unwrap();
    let step = |config: &Path, word: &str| {
        let config = config.to_string_lossy().into_owned();
        run(&folder, &["collector", "authority", word, "--config", &config])
    };
    let ours = folder.join("collector.toml");
    assert!(step(&ours, "prepare").status.success());
    house.kill_collector().await.unwrap();
    house.start_collector().await.unwrap();
    let deadline = std::time::Instant::now() + PATIENCE;
    while !step(&ours, "promote").status.success() {
        assert!(
            std::time::Instant::now() < deadline,
            "{}",
            complaint(&step(&ours, "promote"))
        );
        house.wait_until(PATIENCE, |_| true).await.unwrap();
    }

    // The backup, with the old authority and the new in it; after it the collector goes on for a while.
    house.kill_collector().await.unwrap();
    copy(&folder, elsewhere.path());
    house.start_collector().await.unwrap();
    // Three times, so that the agent has surely flushed some of what it heard acknowledged.
    let mut seen = house.summary().await.unwrap().reports;
    for _ in 0..3 {
        let more = house.wait_until(PATIENCE, |s| s.reports > seen).await.unwrap();
        seen = more.reports;
    }
    house.kill_agent("lab").await.unwrap();
    let last = house.summary().await.unwrap();
    assert_eq!(last.lost, 0);

    // Everything of the collector is gone; elsewhere it comes back at the same address.
    house.kill_collector().await.unwrap();
    std::fs::remove_dir_all(folder.join("identity")).unwrap();
    std::fs::remove_file(folder.join("collector.db")).unwrap();
    let text = std::fs::read_to_string(&ours).unwrap();
    let (old, new) = (folder.to_string_lossy(), elsewhere.path().to_string_lossy());
    let text = ["collector.db", "identity"].iter().fold(text, |text, name| {
        let changed = text.replace(&format!("{old}/{name}"), &format!("{new}/{name}"));
        assert_ne!(changed, text, "{name}");
        changed
    });
    let theirs = elsewhere.path().join("collector.toml");
    std::fs::write(&theirs, text).unwrap();
    let words = ["collector", "serve", "--config", &theirs.to_string_lossy()];
    let mut collector = Running::start(elsewhere.path(), &words);
    assert!(collector.first_line().contains("grpc"));

    let kept = house.summary().await.unwrap();
    assert_eq!((kept.lost, kept.elements), (0, 1));

    // The agent goes on as who it was. What it had heard acknowledged after the backup comes again
    // or is said to be lost: every sequence is one or the other.
    house.start_agent("lab").unwrap();
    let back = house
        .wait_until(PATIENCE, |s| s.reports + s.lost >= last.reports + 2)
        .await
        .unwrap();
    assert!(
        (1..=last.reports - kept.reports).contains(&back.lost),
        "{kept:?} {last:?} {back:?}"
    );
    assert_eq!(back.elements, 1);
    let deadline = std::time::Instant::now() + PATIENCE;
    while !step(&theirs, "forget").status.success() {
        assert!(
            std::time::Instant::now() < deadline,
            "{}",
            complaint(&step(&theirs, "forget"))
        );
        house.wait_until(PATIENCE, |_| true).await.unwrap();
    }
    drop(collector);
    let mut collector = Running::start(elsewhere.path(), &words);
    assert!(collector.first_line().contains("grpc"));
    let before = house.summary().await.unwrap().reports;
    let after = house
        .wait_until(PATIENCE, |s| s.reports >= before + 3)
        .await
        .unwrap();
    assert_eq!((after.lost, after.elements), (back.lost, 1));
    assert_eq!(identity().agent().unwrap(), first.agent().unwrap());
    assert_ne!(identity().authority().unwrap(), first.authority().unwrap());
    house.stop().await.unwrap();
}
