//! The committed code equals what the `.proto` files say.
//!
//! `MARQUE_REGENERATE=1 cargo test -p proto --test generated` writes it anew
//! (with the pure-Rust compiler protox; no `protoc` is needed).

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops where it fails"
)]

use prost::Message as _;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const FILES: [&str; 6] = [
    "marque/v1/enrolment.proto",
    "marque/v1/evidence.proto",
    "marque/v1/coverage.proto",
    "marque/v1/inventory.proto",
    "marque/v1/plan.proto",
    "marque/v1/courier.proto",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files_in(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        found.insert(
            path.file_name().unwrap().to_string_lossy().into_owned(),
            std::fs::read(&path).unwrap(),
        );
    }
    found
}

#[test]
fn generated_code_equals_the_proto_files() {
    let descriptors = protox::compile(FILES, [root()]).unwrap();
    let fresh = tempfile::tempdir().unwrap();
    std::fs::write(fresh.path().join("marque.v1.bin"), descriptors.encode_to_vec()).unwrap();
    tonic_prost_build::configure()
        .out_dir(fresh.path())
        .bytes(".")
        .compile_fds(descriptors)
        .unwrap();

    let committed = root().join("src/generated");
    let fresh = files_in(fresh.path());
    if std::env::var_os("MARQUE_REGENERATE").is_some() {
        for (name, bytes) in &fresh {
            std::fs::write(committed.join(name), bytes).unwrap();
        }
    }
    let committed = files_in(&committed);
    assert_eq!(
        fresh.keys().collect::<Vec<_>>(),
        committed.keys().collect::<Vec<_>>(),
        "regenerate with MARQUE_REGENERATE=1 cargo test -p proto --test generated"
    );
    for (name, bytes) in fresh {
        assert!(bytes == committed[&name], "{name} differs from the .proto files");
    }
}
