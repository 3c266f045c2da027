//! The spool on a disk that is truly full: a small tmpfs in a mount namespace of its
//! own, and a limit on the size of files, which needs no rights.

// So that the lints know the helpers for tests too.
#![cfg(test)]

use bytes::Bytes;
use spool::{AppendError, Item, Options, Spool, SpoolError};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

/// Far beyond what fits the disk.
const OPTIONS: Options = Options {
    quota_bytes: 1 << 30,
    move_damaged_aside: false,
    clock: SystemTime::now,
};
const DISK_BYTES: u64 = 4 << 20;
const ROUNDS: usize = 8;

/// A disk that can be filled and emptied.
enum Disk {
    Tmpfs(PathBuf),
    Limit,
}

impl Disk {
    /// Leaves no room; or, if not `whole`, what the disk has beside the spool.
    fn fill(&self, spool: &Path, whole: bool) {
        match self {
            Self::Tmpfs(_) if !whole => {}
            Self::Tmpfs(root) => {
                let mut ballast = File::options()
                    .create(true)
                    .append(true)
                    .open(root.join("ballast"))
                    .unwrap();
                while ballast.write_all(&[0; 4096]).is_ok() {}
            }
            // What the file has may be written again, no more.
            Self::Limit => {
                let has = std::fs::metadata(spool).unwrap().len();
                let may = if whole { has } else { has.max(DISK_BYTES) };
                limit(&may.to_string());
            }
        }
    }

    fn empty(&self) {
        match self {
            Self::Tmpfs(root) => {
                if let Err(error) = std::fs::remove_file(root.join("ballast")) {
                    assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
                }
            }
            Self::Limit => limit("unlimited"),
        }
    }
}

/// How large a file of this process may become.
fn limit(bytes: &str) {
    let set = Command::new("prlimit")
        .args([
            format!("--pid={}", std::process::id()),
            format!("--fsize={bytes}:unlimited"),
        ])
        .status();
    assert!(set.unwrap().success());
}

/// Everything ever taken, by sequence.
#[derive(Default)]
struct Taken(BTreeMap<u64, Bytes>);

impl Taken {
    /// Appends one of the given size; whether there was room.
    fn append(&mut self, spool: &Spool, size: usize) -> bool {
        let mark = (self.0.len() % 251) as u8;
        let payload = Bytes::from(vec![mark; size]);
        match spool.append(payload.clone()) {
            Ok(sequence) => {
                assert!(self.0.insert(sequence, payload).is_none(), "{sequence} twice");
                assert_eq!(spool.depth().no_room_since, None);
                true
            }
            Err(AppendError::Spool(error)) => {
                assert!(matches!(*error, SpoolError::NoRoom { .. }), "{error}");
                assert!(spool.depth().no_room_since.is_some());
                false
            }
            Err(other) => panic!("{other}"),
        }
    }

    /// The spool holds what was taken and nothing else, from its first to its last.
    fn is_all_of(&self, spool: &Spool) {
        let last = self.0.keys().next_back().copied().unwrap_or(0);
        assert_eq!(spool.next_sequence(), last + 1);
        let items = spool.read_from(0, usize::MAX, usize::MAX).unwrap();
        let waiting: Vec<(u64, Bytes)> = items
            .into_iter()
            .map(|item| match item {
                Item::Record(record) => (record.sequence, record.payload),
                Item::Gap(gap) => panic!("{gap:?}"),
            })
            .collect();
        let expected: Vec<_> = self.0.range(spool.first_sequence()..).collect();
        assert!(waiting.iter().map(|(s, p)| (s, p)).eq(expected.iter().copied()));
        assert_eq!(spool.depth().waiting, waiting.len() as u64);
    }
}

/// The other side of the tests below.
#[test]
fn full_disk_child() {
    let Some(root) = std::env::var_os("SPOOL_FULL_FOLDER").map(PathBuf::from) else {
        return;
    };
    let disk = if std::env::var_os("SPOOL_FULL_TMPFS").is_some() {
        let size = format!("size={DISK_BYTES},mode=700");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(&root)
            .status();
        assert!(mounted.unwrap().success());
        Disk::Tmpfs(root.clone())
    } else {
        Disk::Limit
    };
    let path = root.join("spool");
    let (mut spool, _) = Spool::open(&path, &OPTIONS).unwrap();
    let mut taken = Taken::default();
    let (mut refused, mut kept_while_full, mut beyond) = (0, 0, 0);
    for round in 0..ROUNDS {
        // Some without trouble, then until nothing more goes in.
        for size in [700, 40_000, 3_000] {
            assert!(taken.append(&spool, size + round), "there is room");
        }
        disk.fill(&path, round % 2 == 0);
        let mut full = 0;
        for size in (0..2_000).map(|n| 60_000 + n * 37) {
            if taken.append(&spool, size) {
                beyond += 1;
                continue;
            }
            full += 1;
            taken.is_all_of(&spool);
            if full == 3 {
                break;
            }
        }
        refused += full;
        assert_eq!(full, 3, "the disk is full");
        // The collector takes what waits; that is never refused, and makes room if
        // there is any to write it down in.
        let first = spool.first_sequence();
        let half = first + (spool.next_sequence() - first) / 2;
        spool.ack(half).unwrap();
        taken.is_all_of(&spool);
        if taken.append(&spool, 500) {
            kept_while_full += 1;
            assert!(
                spool.first_sequence() > half,
                "what was acknowledged is forgotten"
            );
        }
        taken.is_all_of(&spool);
        // A stop and a start with the disk still full.
        if round % 3 == 0 {
            drop(spool);
            (spool, _) = Spool::open(&path, &OPTIONS).unwrap();
            taken.is_all_of(&spool);
        }
        disk.empty();
        // A spool that filled the disk by itself lives on what it may forget.
        spool.ack(u64::MAX).unwrap();
        let all = spool.next_sequence();
        assert!(taken.append(&spool, 1_000), "there is room again");
        assert_eq!(spool.first_sequence(), all, "what was put off is done");
        spool.ack(u64::MAX).unwrap();
    }
    drop(spool);
    let (spool, opened) = Spool::open(&path, &OPTIONS).unwrap();
    assert!(!opened.created);
    taken.is_all_of(&spool);
    println!("refused {refused}, kept while full {kept_while_full}, found room for {beyond}");
    // What is set aside lets acknowledged payloads make room; under a limit on one
    // file there is nothing to set aside.
    if matches!(disk, Disk::Tmpfs(_)) {
        assert_eq!(kept_while_full, ROUNDS, "each time");
    }
}

/// Runs the child after these words; its folder goes with it.
fn run(words: &[&str], tmpfs: bool) {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(words[0]);
    command
        .args(&words[1..])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "full_disk_child", "--nocapture"])
        .env("SPOOL_FULL_FOLDER", folder.path());
    if tmpfs {
        command.env("SPOOL_FULL_TMPFS", "1");
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{complaint}");
    let refused = said.lines().find(|line| line.contains("refused"));
    println!("{}", refused.expect("the child did its part"));
}

/// How this user gets a mount namespace, if at all.
fn namespace() -> Option<&'static [&'static str]> {
    let ways: [&[&str]; 2] = [
        &["unshare", "--mount"],
        &["unshare", "--map-root-user", "--mount"],
    ];
    ways.into_iter().find(|way| {
        let mounts = "mount -t tmpfs tmpfs /mnt";
        let tried = Command::new(way[0])
            .args(&way[1..])
            .args(["sh", "-c", mounts])
            .output();
        tried.is_ok_and(|output| output.status.success())
    })
}

#[test]
fn a_full_tmpfs_refuses_and_loses_nothing() {
    match namespace() {
        Some(way) => run(way, true),
        // The same is tried under a limit below, whatever the rights.
        None => println!("this user may mount nothing: only the limit on files is tried"),
    }
}

#[test]
fn a_limit_on_the_file_refuses_and_loses_nothing() {
    // A write beyond the limit is to fail, not to end the process.
    run(&["sh", "-c", "trap '' XFSZ; exec \"$0\" \"$@\""], false);
}
