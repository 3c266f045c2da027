//! Opens arbitrary bytes as a spool: it is one, is refused by name, or is put aside; never a panic.
//! Keep its files off the disk, which it would wait for: `TMPDIR=/dev/shm cargo +nightly fuzz run open`.
//!
//! The input is a whole file, or, when its first byte is odd, changes to a file that a spool wrote: pairs of
//! position and value, so that most of the file stays plausible.

#![no_main]

use libfuzzer_sys::fuzz_target;
use spool::{Item, Options, Spool, SpoolError};
use std::path::Path;
use std::sync::LazyLock;
use std::time::SystemTime;

const QUOTA: u64 = 1 << 20;

/// A file with reports, acknowledgements and a gap in it.
static WRITTEN: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("spool");
    let options = Options {
        quota_bytes: 4096,
        move_damaged_aside: false,
        clock: SystemTime::now,
    };
    let (spool, _) = Spool::open(&path, &options).expect("a new spool");
    for length in [100, 900, 900, 900, 900, 900, 10, 0] {
        spool.append(vec![7; length].into()).expect("room");
    }
    spool.ack(2).expect("an acknowledgement");
    drop(spool);
    std::fs::read(path).expect("the file")
});

fuzz_target!(init: let_salvage_fail(), |data: &[u8]| {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("spool");
    let bytes = match data.split_first() {
        Some((first, changes)) if first % 2 == 1 => changed(changes),
        Some((_, whole)) => whole.to_vec(),
        None => Vec::new(),
    };
    std::fs::write(&path, bytes).expect("a file");
    match Spool::open(&path, &options(false)) {
        Ok((spool, _)) => use_it(&spool),
        Err(SpoolError::Damaged { .. }) => {
            let (spool, opened) = Spool::open(&path, &options(true)).expect("a new spool in its place");
            assert!(opened.created && opened.moved_aside.is_some());
            let items = spool.read_from(1, 10, 1 << 20).expect("the gap");
            assert!(matches!(items.first(), Some(Item::Gap(gap)) if gap.from == 1));
            use_it(&spool);
        }
        Err(error) => panic!("neither a spool nor a damaged one: {error}"),
    }
    again(&path);
});

/// What a damaged file still holds is counted in a thread of its own, whose panics the spool expects.
fn let_salvage_fail() {
    let ours = std::thread::current().id();
    std::panic::set_hook(Box::new(move |panic| {
        if std::thread::current().id() == ours {
            eprintln!("{panic}");
            std::process::abort();
        }
    }));
}

fn options(move_damaged_aside: bool) -> Options {
    Options {
        quota_bytes: QUOTA,
        move_damaged_aside,
        clock: SystemTime::now,
    }
}

fn changed(changes: &[u8]) -> Vec<u8> {
    let mut bytes = WRITTEN.clone();
    for change in changes.chunks_exact(4) {
        let at = u32::from_be_bytes([0, change[0], change[1], change[2]]) as usize % bytes.len();
        bytes[at] = change[3];
    }
    bytes
}

/// What was opened keeps the promise: dense sequences, and what is appended is read again.
fn use_it(spool: &Spool) {
    let Ok(sequence) = spool.append(b"report".to_vec().into()) else {
        return;
    };
    let mut next = spool.first_sequence();
    while let Ok(items) = spool.read_from(next, 64, 1 << 20) {
        let Some(last) = items.last() else { break };
        assert_eq!(items.first().map(Item::first), Some(next), "dense");
        next = last.last() + 1;
    }
    assert_eq!(next, sequence + 1, "up to what was appended");
}

/// And it opens again as it was left.
fn again(path: &Path) {
    let (spool, opened) = Spool::open(path, &options(false)).expect("it opens again");
    assert!(!opened.created && spool.depth().waiting > 0);
}
