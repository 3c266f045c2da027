//! The spool from the outside: against a model, against kill -9, against damage.

// So that the lints know the helpers for tests too.
#![cfg(test)]

use bytes::Bytes;
use proptest::prelude::*;
use spool::{AppendError, Gap, GapReason, Item, Opened, Options, Record, Spool, SpoolError};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

const OPTIONS: Options = Options {
    quota_bytes: 4096,
    move_damaged_aside: false,
    clock: SystemTime::now,
};

fn open(path: &Path) -> Result<(Spool, Opened), SpoolError> {
    Spool::open(path, &OPTIONS)
}

#[derive(Debug, Clone)]
enum Step {
    Append(usize),
    AppendAll(Vec<usize>),
    Ack(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0usize..1500).prop_map(Step::Append),
        1 => (4000usize..4100).prop_map(Step::Append),
        3 => prop::collection::vec(0usize..800, 1..5).prop_map(Step::AppendAll),
        2 => (0u64..40).prop_map(Step::Ack),
    ]
}

fn records(items: Vec<Item>) -> Vec<Record> {
    let record = |item| match item {
        Item::Record(record) => Some(record),
        Item::Gap(_) => None,
    };
    items.into_iter().filter_map(record).collect()
}

/// What the spool must look like.
#[derive(Debug, Clone, Default)]
struct Model {
    /// First and last sequence that went.
    gap: Option<(u64, u64)>,
    waiting: Vec<Record>,
    appended: u64,
}

impl Model {
    fn bytes(&self) -> u64 {
        self.waiting
            .iter()
            .map(|record| record.payload.len() as u64 + 64)
            .sum()
    }

    fn append(&mut self, payload: Bytes, result: &Result<u64, AppendError>) {
        if payload.len() as u64 + 64 > OPTIONS.quota_bytes {
            assert!(matches!(result, Err(AppendError::TooLarge(_))), "{result:?}");
            return;
        }
        self.appended += 1;
        let sequence = self.appended;
        assert_eq!(result.as_ref().ok(), Some(&sequence));
        self.waiting.push(Record { sequence, payload });
        while self.bytes() > OPTIONS.quota_bytes {
            let gone = self.waiting.remove(0).sequence;
            self.gap = Some((self.gap.map_or(gone, |(from, _)| from), gone));
        }
    }

    fn ack(&mut self, sequence: u64) {
        self.waiting.retain(|record| record.sequence > sequence);
        self.gap = self
            .gap
            .and_then(|(from, to)| (to > sequence).then_some((from.max(sequence + 1), to)));
    }

    fn agrees(&self, spool: &Spool) {
        let depth = spool.depth();
        assert_eq!(depth.waiting, self.waiting.len() as u64);
        assert_eq!(depth.bytes, self.bytes());
        assert_eq!(spool.next_sequence(), self.appended + 1);
        let payload = self.waiting.first().map(|record| record.sequence);
        let first = self.gap.map(|(from, _)| from).or(payload);
        assert_eq!(spool.first_sequence(), first.unwrap_or(self.appended + 1));
        assert_eq!(depth.first_payload, payload.unwrap_or(self.appended + 1));
        let items = spool.read_from(0, 1000, usize::MAX).unwrap();
        let gaps: Vec<Gap> = items
            .iter()
            .filter_map(|item| match item {
                Item::Gap(gap) => Some(*gap),
                Item::Record(_) => None,
            })
            .collect();
        let expected: Vec<(u64, u64)> = self.gap.into_iter().collect();
        assert_eq!(
            gaps.iter().map(|gap| (gap.from, gap.to)).collect::<Vec<_>>(),
            expected
        );
        let whole = |gap: &Gap| gap.count == gap.to - gap.from + 1 && gap.reason == GapReason::Full;
        assert!(gaps.iter().all(whole), "{gaps:?}");
        assert_eq!(records(items), self.waiting);
        let age = spool
            .age(
                spool.first_sequence(),
                SystemTime::now() + Duration::from_secs(60),
            )
            .unwrap();
        assert_eq!(age.is_some(), first.is_some());
        assert!(age.is_none_or(|age| age >= Duration::from_secs(59) && age < Duration::from_secs(3600)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn agrees_with_a_model_after_every_stop(steps in prop::collection::vec(step(), 1..25)) {
        let folder = tempfile::tempdir().unwrap();
        let (path, copy) = (folder.path().join("spool"), folder.path().join("copy"));
        let mut model = Model::default();
        let mut epoch = None;
        for (at, step) in steps.into_iter().enumerate() {
            let (spool, opened) = open(&path).unwrap();
            prop_assert_eq!(opened.created, at == 0);
            prop_assert_eq!(*epoch.get_or_insert(spool.epoch()), spool.epoch());
            model.agrees(&spool);
            let before = model.clone();
            let payload = |size: usize| Bytes::from(vec![(at % 251) as u8; size]);
            let mut promised = true;
            match step {
                Step::Append(size) => model.append(payload(size), &spool.append(payload(size))),
                Step::AppendAll(sizes) => {
                    let results = spool.append_all(sizes.iter().map(|&size| payload(size)).collect());
                    for (size, result) in sizes.into_iter().zip(&results) {
                        model.append(payload(size), result);
                    }
                }
                Step::Ack(sequence) => {
                    spool.ack(sequence).unwrap();
                    model.ack(sequence);
                    promised = false;
                }
            }
            model.agrees(&spool);
            // As after kill -9: the file as it is now. Acknowledgements may be forgotten.
            std::fs::copy(&path, &copy).unwrap();
            let (stopped, _) = open(&copy).unwrap();
            if promised || stopped.first_sequence() == spool.first_sequence() {
                model.agrees(&stopped);
            } else {
                before.agrees(&stopped);
            }
        }
    }
}

#[test]
fn a_gap_is_read_and_forgotten_in_parts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spool");
    let (spool, _) = open(&path).unwrap();
    for _ in 0..10 {
        spool.append(Bytes::from(vec![1; 1300])).unwrap();
    }
    let shape = |from| -> Vec<(u64, u64)> {
        let items = spool.read_from(from, 100, usize::MAX).unwrap();
        items.iter().map(|item| (item.first(), item.last())).collect()
    };
    assert_eq!(shape(0), [(1, 7), (8, 8), (9, 9), (10, 10)]);
    assert_eq!(shape(5)[0], (5, 7));
    assert_eq!(shape(8)[0], (8, 8));
    assert_eq!(spool.read_from(1, 1, 1).unwrap().len(), 1);
    assert_eq!((spool.depth().dropped, spool.depth().waiting), (7, 3));
    // The collector had got 1 to 4 before they went.
    spool.ack(4).unwrap();
    assert_eq!((spool.first_sequence(), shape(0)[0]), (5, (5, 7)));
    spool.append(Bytes::from(vec![1; 1300])).unwrap();
    assert_eq!(shape(0)[0], (5, 8));
    spool.ack(8).unwrap();
    assert_eq!(shape(0)[0], (9, 9));
    spool.append(Bytes::from(vec![1; 4000])).unwrap();
    assert_eq!(shape(0), [(9, 11), (12, 12)]);
}

#[test]
fn reading_stops_at_its_limits_but_never_at_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (spool, _) = open(&folder.path().join("spool")).unwrap();
    spool.append_all(vec![Bytes::from(vec![1; 100]); 5]);
    let read = |from, count, bytes| {
        let items = spool.read_from(from, count, bytes).unwrap();
        items.iter().map(Item::first).collect::<Vec<_>>()
    };
    assert_eq!(read(0, 2, 1000), [1, 2]);
    assert_eq!(read(2, 9, 250), [2, 3]);
    assert_eq!(read(4, 9, 1), [4]);
    assert!(read(6, 9, 1000).is_empty());
    assert!(matches!(
        spool.append(Bytes::from(vec![0; 9999])),
        Err(AppendError::TooLarge(9999))
    ));
}

#[test]
fn many_writers_at_once_get_dense_sequences() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        quota_bytes: 1 << 20,
        move_damaged_aside: false,
        clock: SystemTime::now,
    };
    let (spool, _) = Spool::open(&folder.path().join("spool"), &options).unwrap();
    let mut all: Vec<u64> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..8u8)
            .map(|writer| {
                let spool = &spool;
                let append = move |_| spool.append(Bytes::from(vec![writer; 10])).unwrap();
                scope.spawn(move || (0..20).map(append).collect::<Vec<_>>())
            })
            .collect();
        writers
            .into_iter()
            .flat_map(|writer| writer.join().unwrap())
            .collect()
    });
    all.sort_unstable();
    assert_eq!(all, (1..=160).collect::<Vec<_>>());
    assert_eq!(spool.depth().waiting, 160);
}

/// The other side of the next test: appends for ever and says what was taken.
#[test]
fn crash_child() {
    let Some(path) = std::env::var_os("SPOOL_CRASH_PATH") else {
        return;
    };
    let options = Options {
        quota_bytes: 1 << 30,
        move_damaged_aside: false,
        clock: SystemTime::now,
    };
    let (spool, _) = Spool::open(Path::new(&path), &options).unwrap();
    std::thread::scope(|scope| {
        for writer in 0..3u8 {
            let spool = &spool;
            scope.spawn(move || {
                loop {
                    let sequence = spool.append(Bytes::from(vec![writer; 2000])).unwrap();
                    if sequence % 7 == 0 {
                        spool.ack(sequence.saturating_sub(40)).unwrap();
                    }
                    let line = format!("taken {sequence} {writer}\n");
                    std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
                }
            });
        }
    });
}

#[test]
fn what_was_taken_survives_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spool");
    let mut last = 0;
    for round in 1..=4 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash_child", "--nocapture"])
            .env("SPOOL_CRASH_PATH", &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut taken = Vec::new();
        let mut killed = false;
        // After the kill the pipe still holds what was said before it.
        for line in lines.map_while(Result::ok) {
            let words: Vec<_> = line.split(' ').collect();
            if let ["taken", sequence, writer] = words[..]
                && let (Ok(sequence), Ok(writer)) = (sequence.parse::<u64>(), writer.parse::<u8>())
            {
                taken.push((sequence, writer));
            }
            if taken.len() >= 25 * round && !killed {
                child.kill().unwrap();
                killed = true;
            }
        }
        child.wait().unwrap();
        assert!(killed, "the child wrote enough to be stopped");
        let (spool, _) = open(&path).unwrap();
        let records = records(spool.read_from(0, usize::MAX, usize::MAX).unwrap());
        let first = spool.first_sequence();
        assert!(
            records
                .iter()
                .map(|record| record.sequence)
                .eq(first..spool.next_sequence())
        );
        for (sequence, writer) in taken {
            assert!(sequence < spool.next_sequence(), "{sequence} was lost");
            if sequence >= first {
                let record = &records[(sequence - first) as usize];
                assert_eq!(record.payload, vec![writer; 2000]);
            }
            last = last.max(sequence);
        }
        assert!(spool.next_sequence() > last);
    }
}

#[test]
fn one_process_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spool");
    let first = open(&path).unwrap();
    let error = open(&path).unwrap_err();
    assert!(matches!(error, SpoolError::InUse { .. }));
    assert_eq!(
        error.to_string(),
        format!("spool {} is in use by another process", path.display())
    );
    drop(first);
    open(&path).unwrap();
}

#[test]
fn a_folder_that_is_not_there_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let error = open(&folder.path().join("none/spool")).unwrap_err();
    assert!(matches!(error, SpoolError::Unusable { .. }), "{error:?}");
}

#[test]
fn damage_is_named_and_moved_only_when_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spool");
    let whole = {
        let (spool, _) = open(&path).unwrap();
        spool.append_all(vec![Bytes::from(vec![7; 500]); 6]);
        drop(spool);
        std::fs::read(&path).unwrap()
    };
    let mut headless = whole.clone();
    headless[..64].fill(0);
    let cut = whole[..whole.len() / 3].to_vec();
    for (number, bytes) in [b"not a spool".repeat(1000), headless, cut]
        .into_iter()
        .enumerate()
    {
        std::fs::write(&path, &bytes).unwrap();
        let error = open(&path).unwrap_err();
        assert!(matches!(error, SpoolError::Damaged { .. }), "{number}: {error:?}");
        assert!(error.to_string().contains(path.to_str().unwrap()));
        assert_eq!(
            std::fs::read(&path).unwrap(),
            bytes,
            "{number}: looked at, not touched"
        );
        let told = Options {
            move_damaged_aside: true,
            clock: SystemTime::now,
            ..OPTIONS
        };
        let (spool, opened) = Spool::open(&path, &told).unwrap();
        let aside = opened.moved_aside.unwrap();
        assert_eq!(std::fs::read(&aside).unwrap(), bytes);
        // Nobody can say what it held, and that is declared too.
        let items = spool.read_from(0, 10, 10).unwrap();
        let [Item::Gap(gap)] = items[..] else {
            panic!("{items:?}")
        };
        assert_eq!((gap.from, gap.to, gap.count), (1, 1, 0));
        assert_eq!((gap.reason, opened.lost), (GapReason::Damaged, None));
        assert_eq!((spool.next_sequence(), opened.created), (2, true));
        assert_eq!(spool.append(Bytes::new()).unwrap(), 2);
    }
}

#[test]
fn what_a_damaged_file_held_is_declared_lost() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spool");
    let options = Options {
        quota_bytes: 1 << 20,
        move_damaged_aside: true,
        clock: SystemTime::now,
    };
    {
        let (spool, _) = Spool::open(&path, &options).unwrap();
        spool.append_all(vec![Bytes::from(vec![0xa7; 3000]); 40]);
        spool.ack(10).unwrap();
        spool.append(Bytes::new()).unwrap();
    }
    // One byte of a payload: what is counted is whole, what was said is not.
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes.windows(9).rposition(|window| window == [0xa7; 9]).unwrap();
    bytes[at] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let epoch = {
        let (spool, opened) = Spool::open(&path, &options).unwrap();
        assert_eq!((opened.lost, opened.waiting), (Some(31), 0));
        assert_eq!(std::fs::read(opened.moved_aside.unwrap()).unwrap(), bytes);
        assert_eq!((spool.first_sequence(), spool.next_sequence()), (1, 32));
        spool.epoch()
    };
    let (spool, opened) = Spool::open(&path, &options).unwrap();
    assert_eq!(
        (spool.epoch(), opened.created, opened.moved_aside),
        (epoch, false, None)
    );
    let items = spool.read_from(0, 10, 10).unwrap();
    let [Item::Gap(gap)] = items[..] else {
        panic!("{items:?}")
    };
    assert_eq!((gap.to, gap.count, gap.reason), (31, 31, GapReason::Damaged));
    let files = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(files, 3, "the spool, what was damaged, the reserve; no copy");
}

#[test]
fn damage_anywhere_is_seen_and_never_taken_for_a_report() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spool");
    let options = Options {
        quota_bytes: 40 * 3064,
        move_damaged_aside: false,
        clock: SystemTime::now,
    };
    {
        let (spool, _) = Spool::open(&path, &options).unwrap();
        spool.append_all(vec![Bytes::from(vec![7; 3000]); 45]);
    }
    let whole = std::fs::read(&path).unwrap();
    let mut seen = 0;
    for at in (0..whole.len()).step_by(whole.len() / 150) {
        let mut bytes = whole.clone();
        bytes[at..].iter_mut().take(100).for_each(|byte| *byte ^= 0x55);
        std::fs::write(&path, &bytes).unwrap();
        match Spool::open(&path, &options) {
            Err(error) => {
                assert!(matches!(error, SpoolError::Damaged { .. }), "{at}: {error:?}");
                seen += 1;
            }
            Ok((spool, _)) => {
                let items = spool.read_from(0, 100, usize::MAX).unwrap();
                assert_eq!((items[0].first(), items[0].last()), (1, 5), "{at}");
                let records = records(items);
                assert_eq!(records.len(), 40, "{at}");
                let intact = |record: &Record| record.payload == vec![7; 3000];
                assert!(records.iter().all(intact), "{at}");
            }
        }
    }
    assert!(seen > 10, "{seen}");
}

#[test]
fn an_empty_file_was_cut_and_is_no_new_spool() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spool");
    drop(open(&path).unwrap());
    std::fs::write(&path, b"").unwrap();
    let refused = open(&path).unwrap_err();
    assert!(
        matches!(&refused, SpoolError::Damaged { reason, .. } if reason == "it is empty"),
        "{refused}"
    );
    let options = Options {
        move_damaged_aside: true,
        ..OPTIONS
    };
    let (spool, opened) = Spool::open(&path, &options).unwrap();
    assert!(opened.created && opened.moved_aside.is_some());
    assert!(
        matches!(spool.read_from(1, 9, 999).unwrap()[..], [Item::Gap(gap)] if gap.reason == GapReason::Damaged)
    );
}

#[test]
fn another_epoch_keeps_what_waits_and_outlasts_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spool");
    let (spool, _) = open(&path).unwrap();
    for _ in 0..3 {
        spool.append(Bytes::from_static(b"report")).unwrap();
    }
    spool.ack(1).unwrap();
    let before = spool.epoch();
    spool.begin_epoch().unwrap();
    let epoch = spool.epoch();
    assert_ne!(epoch, before);
    drop(spool);
    let (spool, _) = open(&path).unwrap();
    assert_eq!(spool.epoch(), epoch);
    assert_eq!((spool.first_sequence(), spool.next_sequence()), (2, 4));
}
