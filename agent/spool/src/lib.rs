//! Store and forward: a durable queue of opaque payloads in one file.
//!
//! Invariants: sequences start at 1 and are dense within an epoch; what
//! [`Spool::append`] returned is on disk, whatever happens to the process; when
//! the quota is reached the oldest payloads go, and in the same transaction a
//! [`Gap`] takes their place, so that nothing goes without a trace; a lost
//! acknowledgement costs a repetition and nothing else, so acknowledgements are
//! flushed with the next append. A disk without room refuses an append and nothing
//! else: the file is opened again at once, and what was refused is not in it. Every
//! call blocks on the disk. The bytes counted are those of the waiting payloads and
//! their bookkeeping; the file itself keeps its largest size.

mod file;
mod aside;
mod reserve;

use bytes::Bytes;
use file::{Cursor, File};
use reserve::Reserve;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime};

/// Payloads forgotten in one transaction while the disk is full.
const STEP: u64 = 4096;

/// How to open a spool.
#[derive(Debug, Clone)]
pub struct Options {
    /// Bytes that may wait; beyond them the oldest go.
    pub quota_bytes: u64,
    /// Whether a damaged file is put beside and a new one begun; what it held is lost.
    pub move_damaged_aside: bool,
    /// The wall clock.
    pub clock: fn() -> SystemTime,
}

/// What was found when a spool was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// A file was made, and with it a new epoch.
    pub created: bool,
    /// Where the damaged file is now.
    pub moved_aside: Option<PathBuf>,
    /// Payloads that waited in the damaged file, if that could still be read.
    pub lost: Option<u64>,
    /// Payloads waiting.
    pub waiting: u64,
}

/// Why a spool cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// The file or its folder cannot be read or written.
    #[error("cannot use spool {path}")]
    Unusable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another process has it.
    #[error("spool {path} is in use by another process")]
    InUse {
        /// Which.
        path: PathBuf,
    },
    /// The file is no spool, or no longer one.
    #[error("spool {path} is damaged: {reason}")]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What was seen.
        reason: String,
    },
    /// The file system has no room, or an earlier write that failed for it is not
    /// yet made good. Nothing that was taken is lost: try again later.
    #[error("spool {path} has no room: {reason}")]
    NoRoom {
        /// Which.
        path: PathBuf,
        /// What was seen.
        reason: String,
    },
    /// Reading or writing failed for another reason: give up.
    #[error("spool {path} failed: {reason}")]
    Failed {
        /// Which.
        path: PathBuf,
        /// What was seen.
        reason: String,
    },
}

/// Why a payload was not taken.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AppendError {
    /// It would not fit an empty spool.
    #[error("payload of {0} bytes is larger than the spool may be")]
    TooLarge(usize),
    /// The disk or the file failed: try again if it has no room, else give up.
    #[error(transparent)]
    Spool(Arc<SpoolError>),
    /// A bug in who flushed for all: it may or may not be kept.
    #[error("the flush was interrupted")]
    Interrupted,
}

/// A payload that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its place in the epoch.
    pub sequence: u64,
    /// As appended.
    pub payload: Bytes,
}

/// Payloads that went before they were acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// First sequence without a payload.
    pub from: u64,
    /// Last one.
    pub to: u64,
    /// Payloads that went; 0 when nobody knows how many.
    pub count: u64,
    /// Why.
    pub reason: GapReason,
    /// When the first of them went.
    pub declared: SystemTime,
}

impl Gap {
    /// What is left of it after `sequence`, which must lie before its end.
    #[must_use]
    pub fn after(self, sequence: u64) -> Self {
        let from = self.from.max(sequence.saturating_add(1)).min(self.to);
        Self {
            from,
            count: self.count.min(self.to - from + 1),
            ..self
        }
    }
}

/// Why payloads went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GapReason {
    /// The quota was reached.
    Full,
    /// The file was damaged and put aside.
    Damaged,
}

impl GapReason {
    fn code(self) -> u8 {
        match self {
            Self::Full => 1,
            Self::Damaged => 2,
        }
    }

    /// The file is checked as a whole, so no other code is found.
    fn from_code(code: u8) -> Self {
        match code {
            1 => Self::Full,
            _ => Self::Damaged,
        }
    }
}

/// What waits at a sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// A payload.
    Record(Record),
    /// That there is none.
    Gap(Gap),
}

impl Item {
    /// Its sequence; of a gap the first.
    #[must_use]
    pub fn first(&self) -> u64 {
        match self {
            Self::Record(record) => record.sequence,
            Self::Gap(gap) => gap.from,
        }
    }

    /// Its sequence; of a gap the last.
    #[must_use]
    pub fn last(&self) -> u64 {
        match self {
            Self::Record(record) => record.sequence,
            Self::Gap(gap) => gap.to,
        }
    }
}

/// How a spool stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Depth {
    /// Payloads waiting.
    pub waiting: u64,
    /// Their bytes, bookkeeping included.
    pub bytes: u64,
    /// The oldest payload that waits; the next one if none does.
    pub first_payload: u64,
    /// Payloads that went for the quota since it was opened.
    pub dropped: u64,
    /// Payloads refused as too large since it was opened.
    pub refused: u64,
    /// Since when the disk has no room for more.
    pub no_room_since: Option<Instant>,
}

/// An open spool; shared by reference.
#[derive(Debug)]
pub struct Spool {
    path: PathBuf,
    /// Nothing while it could not be opened again.
    file: RwLock<Option<File>>,
    reserve: Reserve,
    epoch: Mutex<[u8; 16]>,
    /// The last one that was to take its place.
    tried: Mutex<Option<[u8; 16]>>,
    quota_bytes: u64,
    clock: fn() -> SystemTime,
    /// What the last commit left.
    cursor: Mutex<Cursor>,
    dropped: AtomicU64,
    refused: AtomicU64,
    no_room_since: Mutex<Option<Instant>>,
    /// Acknowledged, and still in a file that had no room to forget it; 0 is nothing.
    owed: AtomicU64,
    /// Appends that wait for the next commit.
    pending: Mutex<Vec<Arc<Pending>>>,
    /// Held while committing.
    commit: Mutex<()>,
}

/// One append on its way to the disk.
#[derive(Debug)]
struct Pending {
    payload: Bytes,
    result: Mutex<Option<Result<u64, AppendError>>>,
}

impl Spool {
    /// Opens or creates the file.
    ///
    /// # Errors
    /// [`SpoolError`] naming the file.
    pub fn open(path: &Path, options: &Options) -> Result<(Self, Opened), SpoolError> {
        let (mut moved_aside, mut lost) = (None, None);
        let opened = match File::open(path, None) {
            Err(SpoolError::Damaged { .. }) if options.move_damaged_aside => {
                lost = file::salvage(path, &named(path, "copy"));
                moved_aside = Some(aside::replace(path, lost, (options.clock)())?);
                File::open(path, None)?
            }
            other => other?,
        };
        let spool = Self {
            path: path.to_owned(),
            file: RwLock::new(Some(opened.file)),
            reserve: Reserve::beside(path),
            epoch: Mutex::new(opened.epoch),
            tried: Mutex::default(),
            quota_bytes: options.quota_bytes,
            clock: options.clock,
            cursor: Mutex::new(opened.cursor),
            dropped: AtomicU64::default(),
            refused: AtomicU64::default(),
            no_room_since: Mutex::default(),
            owed: AtomicU64::default(),
            pending: Mutex::default(),
            commit: Mutex::default(),
        };
        let opened = Opened {
            created: opened.created || moved_aside.is_some(),
            moved_aside,
            lost,
            waiting: spool.depth().waiting,
        };
        Ok((spool, opened))
    }

    /// 16 random bytes made with the file: sequences count within it.
    #[must_use]
    pub fn epoch(&self) -> [u8; 16] {
        *lock(&self.epoch)
    }

    /// Gives all that waits, and what comes, another epoch. For an old copy, whose sequences
    /// were given to other payloads since: what it holds may be told twice, nothing is lost.
    ///
    /// # Errors
    /// [`SpoolError`]; the epoch is then the one before.
    pub fn begin_epoch(&self) -> Result<(), SpoolError> {
        let _committing = lock(&self.commit);
        self.open_again()?;
        let epoch = self.with_file(File::new_epoch)?;
        // If the flush fails, the file may have it all the same.
        *lock(&self.tried) = Some(epoch);
        self.with_file(|file| file.set_epoch(epoch))?;
        *lock(&self.epoch) = epoch;
        Ok(())
    }

    /// The oldest that waits, gaps included; the next one if none does.
    #[must_use]
    pub fn first_sequence(&self) -> u64 {
        lock(&self.cursor).first
    }

    /// What the next payload will get.
    #[must_use]
    pub fn next_sequence(&self) -> u64 {
        lock(&self.cursor).next
    }

    /// How much waits, and what became of what does not.
    #[must_use]
    pub fn depth(&self) -> Depth {
        let cursor = *lock(&self.cursor);
        Depth {
            waiting: cursor.next - cursor.first - cursor.gone,
            bytes: cursor.bytes,
            first_payload: cursor.first + cursor.gone,
            dropped: self.dropped.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
            no_room_since: *lock(&self.no_room_since),
        }
    }

    /// How long what waits at `sequence` has waited by `now`; [`None`] if nothing does. The
    /// oldest of all waits at [`Self::first_sequence`].
    ///
    /// # Errors
    /// [`SpoolError`] when the file fails.
    pub fn age(&self, sequence: u64, now: SystemTime) -> Result<Option<Duration>, SpoolError> {
        let appended = self.read(|file| file.appended(sequence))?;
        Ok(appended.map(|appended| now.duration_since(appended).unwrap_or_default()))
    }

    /// Makes a payload durable and returns its sequence. Appends that wait at the
    /// same time share one flush to the disk. After [`SpoolError::NoRoom`] it may be
    /// appended again.
    ///
    /// # Errors
    /// [`AppendError`]; the payload was then not taken.
    pub fn append(&self, payload: Bytes) -> Result<u64, AppendError> {
        let mut results = self.append_all(vec![payload]);
        results.pop().unwrap_or(Err(AppendError::Interrupted))
    }

    /// [`Self::append`] for several payloads with one flush; those that
    /// are taken keep their order.
    pub fn append_all(&self, payloads: Vec<Bytes>) -> Vec<Result<u64, AppendError>> {
        let own: Vec<Arc<Pending>> = payloads
            .into_iter()
            .map(|payload| {
                Arc::new(Pending {
                    payload,
                    result: Mutex::default(),
                })
            })
            .collect();
        lock(&self.pending).extend(own.iter().cloned());
        // Whoever gets here first commits for all that wait by then.
        let committing = lock(&self.commit);
        if own.iter().any(|pending| lock(&pending.result).is_none()) {
            let group = std::mem::take(&mut *lock(&self.pending));
            self.commit_group(&group);
        }
        drop(committing);
        own.iter()
            .map(|pending| {
                lock(&pending.result)
                    .take()
                    .unwrap_or(Err(AppendError::Interrupted))
            })
            .collect()
    }

    fn commit_group(&self, group: &[Arc<Pending>]) {
        let fits = |pending: &&Arc<Pending>| file::weight(&pending.payload) <= self.quota_bytes;
        let (taken, large): (Vec<_>, Vec<_>) = group.iter().partition(fits);
        for pending in large {
            self.refused.fetch_add(1, Ordering::Relaxed);
            *lock(&pending.result) = Some(Err(AppendError::TooLarge(pending.payload.len())));
        }
        if taken.is_empty() {
            return;
        }
        let payloads: Vec<&[u8]> = taken.iter().map(|pending| pending.payload.as_ref()).collect();
        let written = self.write_with_reserve(&payloads).map_err(Arc::new);
        for (pending, offset) in taken.into_iter().zip(0..) {
            *lock(&pending.result) = Some(match &written {
                Ok(first) => Ok(first + offset),
                Err(error) => Err(AppendError::Spool(Arc::clone(error))),
            });
        }
    }

    /// Writes payloads durably and returns the sequence of the first; uses what is
    /// set aside if that lets acknowledged payloads be forgotten.
    fn write_with_reserve(&self, payloads: &[&[u8]]) -> Result<u64, SpoolError> {
        let no_room = match self.write(payloads) {
            Err(error @ SpoolError::NoRoom { .. }) => error,
            other => return other,
        };
        lock(&self.no_room_since).get_or_insert_with(Instant::now);
        // So that what waits can be read and acknowledged meanwhile.
        self.open_again()?;
        if self.owed.load(Ordering::Relaxed) == 0 {
            return Err(no_room);
        }
        self.reserve.release();
        let written = self.write(payloads);
        if matches!(written, Err(SpoolError::NoRoom { .. })) {
            self.open_again()?;
        }
        written
    }

    fn write(&self, payloads: &[&[u8]]) -> Result<u64, SpoolError> {
        self.open_again()?;
        self.forget_owed()?;
        let mut cursor = *lock(&self.cursor);
        let records = (cursor.next..).zip(payloads.iter().copied());
        let first = cursor.next;
        cursor.next += payloads.len() as u64;
        cursor.bytes += payloads.iter().map(|payload| file::weight(payload)).sum::<u64>();
        let left = self.with_file(|file| file.append(records, cursor, self.quota_bytes, (self.clock)()))?;
        *lock(&self.cursor) = left;
        self.dropped.fetch_add(left.gone - cursor.gone, Ordering::Relaxed);
        *lock(&self.no_room_since) = None;
        self.reserve.fill();
        Ok(first)
    }

    /// What waits from `sequence` on, as much as fits, at least one item if there is any.
    /// Of a gap only the part from there on is given.
    ///
    /// # Errors
    /// [`SpoolError`] when the file fails.
    pub fn read_from(
        &self,
        sequence: u64,
        max_count: usize,
        max_bytes: usize,
    ) -> Result<Vec<Item>, SpoolError> {
        self.read(|file| file.read_from(sequence, max_count, max_bytes))
    }

    /// Forgets every payload and gap up to and including `sequence`; a full disk
    /// puts that off to the next append that has room.
    ///
    /// # Errors
    /// [`SpoolError`] when the file fails.
    pub fn ack(&self, sequence: u64) -> Result<(), SpoolError> {
        let _committing = lock(&self.commit);
        // Once a try has shown that there is no room, the next is the append's.
        if self.owed.fetch_max(sequence, Ordering::Relaxed) > 0 {
            return Ok(());
        }
        match self.open_again().and_then(|()| self.forget(sequence, false)) {
            Err(SpoolError::NoRoom { .. }) => {
                let _ = self.open_again();
                Ok(())
            }
            other => {
                self.owed.store(0, Ordering::Relaxed);
                other
            }
        }
    }

    /// Forgets what [`Self::ack`] had to put off, durably, so that its room is free;
    /// in steps, because each needs some before it frees any.
    fn forget_owed(&self) -> Result<(), SpoolError> {
        let owed = self.owed.load(Ordering::Relaxed);
        while self.first_sequence() <= owed.min(self.next_sequence() - 1) {
            self.forget(owed.min(self.first_sequence() + STEP), true)?;
        }
        self.owed.store(0, Ordering::Relaxed);
        Ok(())
    }

    fn forget(&self, sequence: u64, durably: bool) -> Result<(), SpoolError> {
        let cursor = *lock(&self.cursor);
        let sequence = sequence.min(cursor.next - 1);
        if sequence >= cursor.first {
            let left = self.with_file(|file| file.forget(sequence, cursor, durably))?;
            *lock(&self.cursor) = left;
        }
        Ok(())
    }

    /// Reads; a file that failed under an append is waited for.
    fn read<T>(&self, read: impl Fn(&File) -> Result<T, SpoolError>) -> Result<T, SpoolError> {
        match self.with_file(&read) {
            Err(SpoolError::NoRoom { .. }) => {
                let _committing = lock(&self.commit);
                self.open_again()?;
                self.with_file(&read)
            }
            other => other,
        }
    }

    fn with_file<T>(&self, work: impl FnOnce(&File) -> Result<T, SpoolError>) -> Result<T, SpoolError> {
        match &*self.file.read().unwrap_or_else(PoisonError::into_inner) {
            Some(file) => work(file),
            None => Err(SpoolError::NoRoom {
                path: self.path.clone(),
                reason: "it is not open".to_owned(),
            }),
        }
    }

    /// Opens a file that failed again, checks it as a whole, and brings it to where
    /// this spool stands. The caller holds the commit lock.
    fn open_again(&self) -> Result<(), SpoolError> {
        let mut file = self.file.write().unwrap_or_else(PoisonError::into_inner);
        if file.as_ref().is_some_and(|file| !file.has_failed()) {
            return Ok(());
        }
        // Closed before it is opened: it is locked.
        *file = None;
        let opened = File::open(&self.path, None)?;
        let (known, mut found) = (*lock(&self.cursor), opened.cursor);
        let epoch = self.epoch();
        let is_ours = opened.epoch == epoch || Some(opened.epoch) == *lock(&self.tried);
        if !is_ours || found.next < known.next {
            return Err(SpoolError::Damaged {
                path: self.path.clone(),
                reason: "it is not the file that was written".to_owned(),
            });
        }
        // Nobody was told of another epoch, so it is none.
        if opened.epoch != epoch {
            opened.file.set_epoch(epoch)?;
        }
        // The flush failed and the write was there after all: its payloads were
        // refused and may come again under other sequences.
        if found.next > known.next {
            found = opened.file.take_back(known.next, found)?;
        }
        // Acknowledgements that were not flushed are done again.
        if found.first < known.first {
            self.owed.fetch_max(known.first - 1, Ordering::Relaxed);
        }
        *lock(&self.cursor) = found;
        *file = Some(opened.file);
        Ok(())
    }
}

/// The same place with a further ending.
fn named(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    PathBuf::from(name)
}

/// A panic while holding one of these locks leaves nothing half done: the file
/// commits whole transactions and the cursor is copied in one go.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
