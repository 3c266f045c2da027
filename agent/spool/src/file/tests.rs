//! The file under a stop after every write it makes, and under writes that never
//! arrived: power loss as the disk sees it.

use super::*;
use proptest::prelude::*;
use redb::StorageBackend;
use std::sync::{Arc, Mutex};

const QUOTA: u64 = 2_000;

/// What happens to the bytes of a file.
#[derive(Debug, Clone)]
enum Effect {
    Write(usize, Vec<u8>),
    Resize(usize),
    Sync,
}

/// A file in memory that remembers all that happened to it.
#[derive(Debug, Clone, Default)]
struct Disk {
    bytes: Arc<Mutex<Vec<u8>>>,
    effects: Arc<Mutex<Vec<Effect>>>,
}

impl Disk {
    fn holding(bytes: Vec<u8>) -> Self {
        Self {
            bytes: Arc::new(Mutex::new(bytes)),
            effects: Arc::default(),
        }
    }

    fn happened(&self) -> usize {
        self.effects.lock().unwrap().len()
    }

    fn note(&self, effect: Effect) {
        apply(&mut self.bytes.lock().unwrap(), &effect);
        self.effects.lock().unwrap().push(effect);
    }

    fn open(&self) -> OpenedFile {
        let database = Builder::new()
            .set_check_integrity_on_open(true)
            .create_with_backend(self.clone())
            .unwrap();
        File::begin(database, Path::new("disk"), None).unwrap()
    }
}

fn apply(bytes: &mut Vec<u8>, effect: &Effect) {
    match effect {
        Effect::Write(at, data) => bytes[*at..*at + data.len()].copy_from_slice(data),
        Effect::Resize(size) => bytes.resize(*size, 0),
        Effect::Sync => {}
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> std::io::Result<u64> {
        Ok(self.bytes.lock().unwrap().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> std::io::Result<()> {
        let offset = offset as usize;
        out.copy_from_slice(&self.bytes.lock().unwrap()[offset..offset + out.len()]);
        Ok(())
    }

    fn set_len(&self, len: u64) -> std::io::Result<()> {
        self.note(Effect::Resize(len as usize));
        Ok(())
    }

    fn sync_data(&self) -> std::io::Result<()> {
        self.note(Effect::Sync);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> std::io::Result<()> {
        self.note(Effect::Write(offset as usize, data.to_vec()));
        Ok(())
    }
}

/// All that can be read from a file; times are not compared.
#[derive(Debug, Clone, PartialEq, Eq)]
struct State {
    cursor: Cursor,
    items: Vec<(u64, u64, Option<Bytes>)>,
}

impl State {
    fn of(file: &File, cursor: Cursor) -> Self {
        let items = file.read_from(0, usize::MAX, usize::MAX).unwrap();
        let items = items.into_iter().map(|item| match item {
            Item::Record(record) => (record.sequence, record.sequence, Some(record.payload)),
            Item::Gap(gap) => (gap.from, gap.to, None),
        });
        Self {
            cursor,
            items: items.collect(),
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Append(Vec<u16>),
    Ack(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => prop::collection::vec(0u16..900, 1..4).prop_map(Step::Append),
        1 => (0u64..12).prop_map(Step::Ack),
    ]
}

/// Does a step and says where the file should stand after it.
fn act(file: &File, cursor: Cursor, step: &Step) -> Cursor {
    match step {
        Step::Append(sizes) => {
            let payloads: Vec<Vec<u8>> = sizes
                .iter()
                .map(|&size| vec![(size % 251) as u8; usize::from(size)])
                .collect();
            let records = (cursor.next..).zip(payloads.iter().map(Vec::as_slice));
            let next = cursor.next + payloads.len() as u64;
            let bytes = cursor.bytes + payloads.iter().map(|payload| weight(payload)).sum::<u64>();
            file.append(
                records,
                Cursor {
                    next,
                    bytes,
                    ..cursor
                },
                QUOTA,
                UNIX_EPOCH,
            )
            .unwrap()
        }
        Step::Ack(sequence) => {
            let sequence = (cursor.first + sequence).min(cursor.next - 1);
            if sequence < cursor.first {
                return cursor;
            }
            file.forget(sequence, cursor, false).unwrap()
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn a_stop_after_any_write_leaves_a_state_that_was(
        steps in prop::collection::vec(step(), 1..9),
        lost in any::<u64>(),
    ) {
        let disk = Disk::default();
        let opened = disk.open();
        let mut cursor = opened.cursor;
        // After how many effects which state was reached, and whether it was promised.
        let mut states = vec![(disk.happened(), State::of(&opened.file, cursor), true)];
        for step in &steps {
            cursor = act(&opened.file, cursor, step);
            let promised = matches!(step, Step::Append(_));
            states.push((disk.happened(), State::of(&opened.file, cursor), promised));
        }
        let effects = disk.effects.lock().unwrap().clone();
        let made = states[0].0;
        let ended = states.last().unwrap().0;
        // The bytes at the last flush, and what was written since.
        let (mut flushed, mut since) = (Vec::new(), Vec::new());
        for (at, effect) in effects[..ended].iter().enumerate() {
            since.push(effect);
            if matches!(effect, Effect::Sync) {
                since.drain(..).for_each(|effect| apply(&mut flushed, effect));
            }
            if at + 1 < made {
                continue;
            }
            // Once everything written arrived, once some of what was not flushed did not.
            for keep in [u64::MAX, lost.rotate_left(at as u32)] {
                let mut bytes = flushed.clone();
                for (number, effect) in since.iter().enumerate() {
                    if keep >> (number % 64) & 1 == 1 || matches!(effect, Effect::Resize(_)) {
                        apply(&mut bytes, effect);
                    }
                }
                let again = Disk::holding(bytes).open();
                let found = State::of(&again.file, again.cursor);
                let promised = states.iter().rposition(|(when, _, firm)| *firm && *when <= at + 1).unwrap();
                let reached = states.iter().position(|(when, ..)| *when > at + 1).unwrap_or(states.len() - 1);
                let allowed = &states[promised..=reached];
                prop_assert!(
                    allowed.iter().any(|(_, state, _)| *state == found),
                    "after effect {} of {}: {:?}\nallowed {:?}", at, ended, found.cursor,
                    allowed.iter().map(|(_, state, _)| state.cursor).collect::<Vec<_>>()
                );
            }
        }
    }
}

/// Writes payloads of these sizes as a group, which may push out what is old.
fn group(file: &File, mut cursor: Cursor, sizes: &[usize]) -> Cursor {
    let payloads: Vec<Vec<u8>> = sizes.iter().map(|size| vec![7; *size]).collect();
    let first = cursor.next;
    cursor.next += payloads.len() as u64;
    cursor.bytes += payloads.iter().map(|payload| weight(payload)).sum::<u64>();
    let records = (first..).zip(payloads.iter().map(Vec::as_slice));
    file.append(records, cursor, QUOTA, UNIX_EPOCH).unwrap()
}

#[test]
fn what_was_refused_is_taken_back_whole() {
    for (kept, refused) in [
        (&[100, 100][..], &[100, 100][..]),
        // The group pushed out what was kept, and some of itself.
        (&[100, 100], &[900, 900, 900]),
        (&[], &[900, 900, 900]),
        // A gap from before.
        (&[900, 900, 900], &[900, 900, 900]),
    ] {
        let disk = Disk::default();
        let opened = disk.open();
        let before = group(&opened.file, opened.cursor, kept);
        let after = group(&opened.file, before, refused);
        let left = opened.file.take_back(before.next, after).unwrap();
        assert_eq!(left.next, before.next, "{kept:?} {refused:?}");
        assert!(left.first + left.gone <= left.next && left.gone >= before.gone);
        drop(opened);
        // Opened again it is whole, dense, and as it was said to be.
        let again = disk.open();
        assert_eq!(again.cursor, left, "{kept:?} {refused:?}");
        let end = group(&again.file, again.cursor, &[50]);
        assert_eq!(end.next, before.next + 1);
        let waits = again.file.read_from(left.first, 99, 1 << 20).unwrap();
        assert_eq!(waits.first().map(Item::first), Some(left.first));
        assert_eq!(waits.last().map(Item::last), Some(before.next));
        // Within a gap its age is the gap's.
        for sequence in left.first..end.next {
            assert!(again.file.appended(sequence).unwrap().is_some(), "{sequence}");
        }
    }
}
