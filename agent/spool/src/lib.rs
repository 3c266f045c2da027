//! Store and forward: a durable queue of opaque payloads in one file.
//!
//! Invariants: sequences start at 1 and are dense within an epoch; what
//! [`Spool::append`] returned is on disk, whatever happens to the process; when
//! the quota is reached the oldest payloads go, and in the same transaction a
//! [`Gap`] takes their place, so that nothing goes without a trace; a lost
//! acknowledgement costs a repetition and nothing else, so acknowledgements are
//! not flushed. Every call blocks on the disk. The bytes counted are those of the
//! waiting payloads and their bookkeeping; the file itself keeps its largest size.

mod file;

use bytes::Bytes;
use file::{Cursor, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// How to open a spool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Bytes that may wait; beyond them the oldest go.
    pub quota_bytes: u64,
    /// Whether a damaged file is put beside and a new one begun; what it held is lost.
    pub move_damaged_aside: bool,
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
    /// Reading or writing failed; nothing more is accepted until it is opened again.
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
    /// The disk or the file failed: give up.
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
}

/// An open spool; shared by reference.
#[derive(Debug)]
pub struct Spool {
    file: File,
    epoch: [u8; 16],
    quota_bytes: u64,
    /// What the last commit left.
    cursor: Mutex<Cursor>,
    dropped: AtomicU64,
    refused: AtomicU64,
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
                moved_aside = Some(replace(path, lost)?);
                File::open(path, None)?
            }
            other => other?,
        };
        let spool = Self {
            file: opened.file,
            epoch: opened.epoch,
            quota_bytes: options.quota_bytes,
            cursor: Mutex::new(opened.cursor),
            dropped: AtomicU64::default(),
            refused: AtomicU64::default(),
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
        self.epoch
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
        }
    }

    /// How long the oldest payload or gap has waited by `now`.
    ///
    /// # Errors
    /// [`SpoolError`] when the file fails.
    pub fn oldest_age(&self, now: SystemTime) -> Result<Option<Duration>, SpoolError> {
        let appended = self.file.appended(self.first_sequence())?;
        Ok(appended.map(|appended| now.duration_since(appended).unwrap_or_default()))
    }

    /// Makes a payload durable and returns its sequence. Appends that wait at the
    /// same time share one flush to the disk.
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
        let mut cursor = *lock(&self.cursor);
        let mut taken = Vec::with_capacity(group.len());
        for pending in group {
            let bytes = file::weight(&pending.payload);
            if bytes > self.quota_bytes {
                let size = pending.payload.len();
                self.refused.fetch_add(1, Ordering::Relaxed);
                *lock(&pending.result) = Some(Err(AppendError::TooLarge(size)));
            } else {
                taken.push((cursor.next, pending));
                cursor.next += 1;
                cursor.bytes += bytes;
            }
        }
        if taken.is_empty() {
            return;
        }
        let records = taken
            .iter()
            .map(|(sequence, pending)| (*sequence, pending.payload.as_ref()));
        let written = self.file.append(records, cursor, self.quota_bytes);
        let written = written.map_err(Arc::new);
        if let Ok(left) = &written {
            *lock(&self.cursor) = *left;
            self.dropped.fetch_add(left.gone - cursor.gone, Ordering::Relaxed);
        }
        for (sequence, pending) in taken {
            *lock(&pending.result) = Some(match &written {
                Ok(_) => Ok(sequence),
                Err(error) => Err(AppendError::Spool(Arc::clone(error))),
            });
        }
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
        self.file.read_from(sequence, max_count, max_bytes)
    }

    /// Forgets every payload and gap up to and including `sequence`.
    ///
    /// # Errors
    /// [`SpoolError`] when the file fails.
    pub fn ack(&self, sequence: u64) -> Result<(), SpoolError> {
        let _committing = lock(&self.commit);
        let cursor = *lock(&self.cursor);
        let sequence = sequence.min(cursor.next - 1);
        if sequence < cursor.first {
            return Ok(());
        }
        let cursor = self.file.forget(sequence, cursor)?;
        *lock(&self.cursor) = cursor;
        Ok(())
    }
}

/// Gives the damaged file a second name and puts a new spool in its place, which
/// begins with a gap; at any stop one of the two is there.
fn replace(path: &Path, lost: Option<u64>) -> Result<PathBuf, SpoolError> {
    let unusable = |source| SpoolError::Unusable {
        path: path.to_owned(),
        source,
    };
    let new = named(path, "new");
    match std::fs::remove_file(&new) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(unusable(error)),
        _ => {}
    }
    drop(File::open(&new, Some(lost.unwrap_or(0)))?);
    for number in 1.. {
        let aside = named(path, &format!("damaged-{number}"));
        match std::fs::hard_link(path, &aside) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(unusable(error)),
            Ok(()) => {
                std::fs::rename(&new, path).map_err(unusable)?;
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
                let folder = std::fs::File::open(folder.unwrap_or(Path::new("."))).map_err(unusable)?;
                folder.sync_all().map_err(unusable)?;
                return Ok(aside);
            }
        }
    }
    Err(unusable(std::io::ErrorKind::AlreadyExists.into()))
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
