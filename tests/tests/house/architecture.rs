//! Who may import whom. Adding an edge means editing this table, on purpose.

use cargo_metadata::{DependencyKind, MetadataCommand};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Each crate with the crates of the house it may use.
const EDGES: [(&str, &[&str]); 9] = [
    ("proto", &[]),
    ("spool", &[]),
    ("agent", &["proto", "spool"]),
    ("model", &[]),
    ("identify", &["model"]),
    ("policy", &["model"]),
    ("store", &["model"]),
    ("collector", &["model", "identify", "policy", "store", "proto"]),
    (
        "lab",
        &[
            "proto",
            "spool",
            "agent",
            "model",
            "identify",
            "policy",
            "store",
            "collector",
        ],
    ),
];

/// What a pure crate must not be able to reach: clocks of a runtime, networks, databases.
const BANNED_FROM_PURE: [&str; 6] = ["tokio", "sqlx", "tonic", "axum", "rustls", "redb"];

fn metadata() -> cargo_metadata::Metadata {
    MetadataCommand::new()
        .manifest_path(Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml"))
        .other_options(vec!["--locked".to_owned()])
        .exec()
        .unwrap()
}

#[test]
fn crates_use_only_the_crates_they_may() {
    let metadata = metadata();
    let allowed: BTreeMap<_, BTreeSet<_>> = EDGES
        .iter()
        .map(|(name, to)| (*name, to.iter().copied().collect()))
        .collect();
    let members: BTreeSet<_> = metadata
        .workspace_packages()
        .iter()
        .map(|p| p.name.to_string())
        .collect();
    assert_eq!(
        members,
        allowed.keys().map(|n| (*n).to_owned()).collect(),
        "the table names every crate"
    );
    for package in metadata.workspace_packages() {
        for dependency in package.dependencies.iter().filter(|d| members.contains(&d.name)) {
            assert!(
                allowed[package.name.as_str()].contains(dependency.name.as_str()),
                "{} must not use {}",
                package.name,
                dependency.name
            );
        }
    }
}

#[test]
fn pure_crates_reach_no_clock_network_or_database() {
    let metadata = metadata();
    for package in metadata.workspace_packages() {
        if !["model", "identify", "policy"].contains(&package.name.as_str()) {
            continue;
        }
        for dependency in package
            .dependencies
            .iter()
            .filter(|d| d.kind == DependencyKind::Normal)
        {
            assert!(
                !BANNED_FROM_PURE.contains(&dependency.name.as_str()),
                "{} must stay pure, and uses {}",
                package.name,
                dependency.name
            );
        }
    }
}

#[test]
fn one_tls_provider_and_shared_versions() {
    let metadata = metadata();
    let names: BTreeSet<_> = metadata.packages.iter().map(|p| p.name.to_string()).collect();
    assert!(names.contains("ring"));
    let resolved: BTreeSet<_> = metadata
        .resolve
        .as_ref()
        .unwrap()
        .nodes
        .iter()
        .map(|node| metadata[&node.id].name.to_string())
        .collect();
    assert!(
        !resolved.contains("aws-lc-rs"),
        "two TLS providers panic at the first handshake"
    );
    assert!(!resolved.contains("openssl-sys"));

    for package in metadata.workspace_packages() {
        let manifest = std::fs::read_to_string(&package.manifest_path).unwrap();
        assert!(
            manifest.contains("[lints]\nworkspace = true"),
            "{} takes the lints of the house",
            package.name
        );
        for (number, line) in manifest.lines().enumerate() {
            let versioned = line.contains("version = \"") || line.contains(" = \"=");
            assert!(
                !versioned,
                "{}:{}: versions live in the root manifest",
                package.manifest_path,
                number + 1
            );
        }
    }
}

#[test]
fn sql_lives_in_the_store_alone() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for package in metadata().workspace_packages() {
        let speaks_sql = package
            .dependencies
            .iter()
            .any(|d| ["sqlx", "rusqlite"].contains(&d.name.as_str()));
        assert_eq!(speaks_sql, package.name.as_str() == "store", "{}", package.name);
    }
    assert!(root.join("collector/store/migrations").is_dir());
}
