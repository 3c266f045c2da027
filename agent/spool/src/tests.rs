//! What cannot be brought about from outside: a flush that failed and was there after all.

use super::*;
use std::collections::HashSet;

fn open(path: &Path) -> Spool {
    let options = Options {
        quota_bytes: 1 << 20,
        move_damaged_aside: false,
        clock: SystemTime::now,
    };
    Spool::open(path, &options).unwrap().0
}

/// Writes an epoch behind the spool's back, and fails the file as a failed flush does.
fn written_and_failed(spool: &Spool, epoch: [u8; 16]) {
    let file = spool.file.read().unwrap();
    let file = file.as_ref().unwrap();
    file.set_epoch(epoch).unwrap();
    file.fail();
}

#[test]
fn an_epoch_whose_flush_failed_is_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spool");
    let spool = open(&path);
    spool.append(Bytes::from_static(b"report")).unwrap();
    let epoch = spool.epoch();
    *lock(&spool.tried) = Some([7; 16]);
    written_and_failed(&spool, [7; 16]);
    // What is there is still the spool, under the epoch that everybody was told.
    assert_eq!(spool.append(Bytes::from_static(b"report")).unwrap(), 2);
    assert_eq!(spool.epoch(), epoch);
    // The next try works, on a file that failed as well.
    written_and_failed(&spool, epoch);
    spool.begin_epoch().unwrap();
    let next = spool.epoch();
    assert_ne!(next, epoch);
    // An epoch that nobody tried is another file.
    written_and_failed(&spool, [9; 16]);
    let refused = spool.append(Bytes::from_static(b"report"));
    assert!(
        matches!(refused, Err(AppendError::Spool(error)) if matches!(*error, SpoolError::Damaged { .. }))
    );
}

#[test]
fn an_epoch_taken_back_is_so_on_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spool");
    let spool = open(&path);
    let epoch = spool.epoch();
    *lock(&spool.tried) = Some([7; 16]);
    written_and_failed(&spool, [7; 16]);
    spool.append(Bytes::from_static(b"report")).unwrap();
    drop(spool);
    assert_eq!(open(&path).epoch(), epoch);
}

#[test]
fn two_first_starts_make_one_spool() {
    for _ in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spool");
        let barrier = std::sync::Barrier::new(4);
        let options = Options {
            quota_bytes: 1 << 20,
            move_damaged_aside: false,
            clock: SystemTime::now,
        };
        let begin = || {
            barrier.wait();
            let opened = Spool::open(&path, &options);
            // Held until all have tried.
            let appended = opened
                .as_ref()
                .map(|(spool, _)| spool.append(Bytes::from_static(b"x")));
            let taken = matches!(appended, Ok(Ok(1)));
            barrier.wait();
            (taken, opened.map(|(spool, _)| spool.epoch()))
        };
        let ends: Vec<_> = std::thread::scope(|scope| {
            let all: Vec<_> = (0..4).map(|_| scope.spawn(begin)).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        let winners: Vec<_> = ends.iter().filter(|(taken, _)| *taken).collect();
        assert_eq!(winners.len(), 1, "{ends:?}");
        let others = ends.iter().filter(|(taken, _)| !taken);
        assert!(
            others
                .clone()
                .all(|(_, end)| matches!(end, Err(SpoolError::InUse { .. }))),
            "{ends:?}"
        );
        // What the winner was told is kept is.
        let again = open(&path);
        assert_eq!(Some(again.epoch()), winners[0].1.as_ref().ok().copied());
        assert_eq!(again.depth().waiting, 1);
        assert_eq!(
            std::fs::read_dir(folder.path()).unwrap().count(),
            2,
            "spool and reserve"
        );
    }
}

#[test]
fn what_is_set_aside_cannot_be_made_smaller() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spool");
    drop(open(&path));
    let set_aside = std::fs::read(folder.path().join("spool.reserve")).unwrap();
    assert_eq!(set_aside.len(), 1 << 20);
    // No two runs of sixteen octets are alike: nothing to compress, nothing to share.
    let runs: HashSet<_> = set_aside.chunks(16).collect();
    assert_eq!(runs.len(), set_aside.len() / 16);
}
