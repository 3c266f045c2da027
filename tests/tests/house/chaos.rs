//! Faults of every kind at once, for a short while.

use super::programs::{complaint, run};
use serde_json::Value;

const KINDS: [&str; 10] = [
    "agent_clock_jump",
    "collector_clock_jump",
    "cut",
    "half_open",
    "kill_agent",
    "kill_collector",
    "reordered",
    "slow",
    "spool_disk_full",
    "store_disk_full",
];

#[test]
fn faults_of_every_kind_lose_nothing_and_double_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let words = ["chaos", "--seconds", "22", "--seed", "4", "--json"];
    let output = run(folder.path(), &words);
    let told = complaint(&output);
    assert!(output.status.success(), "{told}");
    let lines = String::from_utf8(output.stdout).unwrap();
    assert_eq!(lines.lines().count(), 1, "one line: {lines}");
    let outcome: Value = serde_json::from_str(&lines).unwrap();
    for key in ["lost", "duplicated", "ended_by_themselves"] {
        assert_eq!(outcome[key], 0, "{key}: {told}");
    }
    for kind in KINDS {
        assert!(outcome["faults"][kind].as_u64() > Some(0), "{kind} in {outcome}");
    }
    assert!(
        outcome["disk_full_met"]["store_disk_full"].as_u64() > Some(0),
        "{outcome}"
    );
    assert!(outcome["seconds"].as_f64() < Some(22.0 + 20.0), "{outcome}");
    // The comparison had something to compare.
    assert!(outcome["reports"].as_u64() > Some(30), "{outcome}");
    assert!(outcome["words"].as_u64() > Some(15), "{outcome}");
}
