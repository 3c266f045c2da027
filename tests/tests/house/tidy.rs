//! What every file of the repository keeps to.

use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()
        .unwrap()
}

/// Files under version control, and new ones that are not ignored.
fn files() -> Vec<(String, String)> {
    let listed = Command::new("git")
        .args([
            "-c",
            "safe.directory=*",
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        listed.status.success(),
        "{}",
        String::from_utf8_lossy(&listed.stderr)
    );
    let all: Vec<_> = String::from_utf8(listed.stdout)
        .unwrap()
        .lines()
        .filter_map(|name| Some((name.to_owned(), std::fs::read_to_string(root().join(name)).ok()?)))
        .collect();
    assert!(all.len() > 100, "the listing works ({} files)", all.len());
    all
}

fn rust_files() -> Vec<(String, String)> {
    files()
        .into_iter()
        .filter(|(name, _)| name.ends_with(".rs") && !name.contains("/generated/"))
        .collect()
}

#[test]
fn rust_files_open_with_their_purpose_and_stay_short() {
    let mut faults = Vec::new();
    for (name, text) in rust_files() {
        if !text.starts_with("//!") {
            faults.push(format!("{name} does not open with //!"));
        }
        let lines = text.lines().count();
        if lines > 600 {
            faults.push(format!("{name} has {lines} lines"));
        }
        if name.ends_with("/mod.rs") {
            faults.push(format!("{name}: no mod.rs"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn nothing_is_unfinished_or_switched_off() {
    // Put together, so that this file does not find itself.
    let words = [
        ["FIX", "ME"].concat(),
        ["TO", "DO:"].concat(),
        ["#[ign", "ore"].concat(),
        ["allow(dead", "_code"].concat(),
    ];
    let faults: Vec<_> = rust_files()
        .into_iter()
        .flat_map(|(name, text)| {
            words
                .iter()
                .filter(|w| text.contains(w.as_str()))
                .map(|w| format!("{name}: {w}"))
                .collect::<Vec<_>>()
        })
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_agent_knows_no_supplier() {
    let policies = policy::Policies::built_in().unwrap();
    let mut names: Vec<String> = policies
        .affiliations()
        .suppliers
        .iter()
        .map(|c| c.id.to_lowercase())
        .collect();
    names.extend(
        [
            "huawei",
            "zte",
            "hikvision",
            "dahua",
            "nokia",
            "ericsson",
            "cisco",
            "juniper",
        ]
        .map(String::from),
    );
    let agent: Vec<_> = files()
        .into_iter()
        .filter(|(name, _)| name.starts_with("agent/"))
        .collect();
    assert!(agent.len() > 10);
    for (file, text) in agent {
        let text = text.to_lowercase();
        let words: std::collections::BTreeSet<_> = text
            .split(|c: char| !c.is_alphanumeric())
            .filter(|w| w.len() > 2)
            .collect();
        for name in &names {
            assert!(!words.contains(name.as_str()), "{file} names {name}");
        }
    }
}

#[test]
fn the_repository_speaks_of_marque_alone() {
    let paths = [
        ["/wo", "rk/"].concat(),
        ["/ro", "ot/"].concat(),
        ["crates", ".io"].concat(),
        ["pypi", ".org"].concat(),
    ];
    for (name, text) in files().into_iter().filter(|(name, _)| name != "Cargo.lock") {
        for path in &paths {
            assert!(!text.contains(path.as_str()), "{name} names {path}");
        }
    }
}

#[test]
fn what_the_readme_points_at_is_there() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let mut seen = 0;
    for target in readme
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
    {
        if target.starts_with("http") || target.starts_with('#') {
            continue;
        }
        seen += 1;
        assert!(
            root().join(target.split('#').next().unwrap()).exists(),
            "README.md points at {target}"
        );
    }
    assert!(seen >= 4, "the README has links ({seen})");
}
