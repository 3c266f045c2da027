//! Store and forward: a durable queue of opaque payloads in one file.
//!
//! Invariants: sequences start at 1 and are dense within an epoch; what
//! [`Spool::append`] returned is on disk, whatever happens to the process; a
//! full spool refuses and never drops; a lost acknowledgement costs a repetition
//! and nothing else, so acknowledgements are not flushed. Every call blocks on
//! the disk. The bytes counted are those of the waiting payloads and their
//! bookkeeping; the file itself keeps its largest size.

mod file;

use bytes::Bytes;
use file::{Cursor, File};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// How to open a spool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Bytes that may wait.
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
    /// The quota is reached: try again when something was acknowledged.
    #[error("spool is full")]
    Full,
    /// It would not fit an empty spool.
    #[error("payload of {0} bytes is larger than the spool may be")]
    TooLarge(usize),
    /// The disk or the file failed: give up.
    #[error(transparent)]
    Spool(Arc<SpoolError>),
}

/// A payload that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its place in the epoch.
    pub sequence: u64,
    /// As appended.
    pub payload: Bytes,
}

/// An open spool; shared by reference.
#[derive(Debug)]
pub struct Spool {
    file: File,
    epoch: [u8; 16],
    quota_bytes: u64,
    /// What the last commit left.
    cursor: Mutex<Cursor>,
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
        let mut moved_aside = None;
        let opened = match File::open(path) {
            Err(SpoolError::Damaged { .. }) if options.move_damaged_aside => {
                moved_aside = Some(move_aside(path)?);
                File::open(path)?
            }
            other => other?,
        };
        let spool = Self {
            file: opened.file,
            epoch: opened.epoch,
            quota_bytes: options.quota_bytes,
            cursor: Mutex::new(opened.cursor),
            pending: Mutex::default(),
            commit: Mutex::default(),
        };
        let opened = Opened {
            created: opened.created,
            moved_aside,
            waiting: spool.count(),
        };
        Ok((spool, opened))
    }

    /// 16 random bytes made with the file: sequences count within it.
    #[must_use]
    pub fn epoch(&self) -> [u8; 16] {
        self.epoch
    }

    /// The oldest that waits; the next one if none does.
    #[must_use]
    pub fn first_sequence(&self) -> u64 {
        lock(&self.cursor).first
    }

    /// What the next payload will get.
    #[must_use]
    pub fn next_sequence(&self) -> u64 {
        lock(&self.cursor).next
    }

    /// Payloads waiting.
    #[must_use]
    pub fn count(&self) -> u64 {
        let cursor = lock(&self.cursor);
        cursor.next - cursor.first
    }

    /// Bytes waiting, bookkeeping included.
    #[must_use]
    pub fn bytes_used(&self) -> u64 {
        lock(&self.cursor).bytes
    }

    /// How long the oldest payload has waited by `now`.
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
        results.pop().unwrap_or(Err(AppendError::Full))
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
            .map(|pending| lock(&pending.result).take().unwrap_or(Err(AppendError::Full)))
            .collect()
    }

    fn commit_group(&self, group: &[Arc<Pending>]) {
        let mut cursor = *lock(&self.cursor);
        let mut taken = Vec::with_capacity(group.len());
        for pending in group {
            let bytes = file::weight(&pending.payload);
            if bytes > self.quota_bytes {
                let size = pending.payload.len();
                *lock(&pending.result) = Some(Err(AppendError::TooLarge(size)));
            } else if cursor.bytes + bytes > self.quota_bytes {
                *lock(&pending.result) = Some(Err(AppendError::Full));
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
        let written = self.file.append(records, cursor).map_err(Arc::new);
        if written.is_ok() {
            *lock(&self.cursor) = cursor;
        }
        for (sequence, pending) in taken {
            *lock(&pending.result) = Some(match &written {
                Ok(()) => Ok(sequence),
                Err(error) => Err(AppendError::Spool(Arc::clone(error))),
            });
        }
    }

    /// Waiting payloads from `sequence` on, as many as fit, at least one if there is any.
    ///
    /// # Errors
    /// [`SpoolError`] when the file fails.
    pub fn read_from(
        &self,
        sequence: u64,
        max_count: usize,
        max_bytes: usize,
    ) -> Result<Vec<Record>, SpoolError> {
        self.file.read_from(sequence, max_count, max_bytes)
    }

    /// Forgets every payload up to and including `sequence`.
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

fn move_aside(path: &Path) -> Result<PathBuf, SpoolError> {
    let unusable = |source| SpoolError::Unusable {
        path: path.to_owned(),
        source,
    };
    for number in 1.. {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".damaged-{number}"));
        let aside = PathBuf::from(name);
        if !aside.try_exists().map_err(unusable)? {
            std::fs::rename(path, &aside).map_err(unusable)?;
            return Ok(aside);
        }
    }
    Err(unusable(std::io::ErrorKind::AlreadyExists.into()))
}

/// A panic while holding one of these locks leaves nothing half done: the file
/// commits whole transactions and the cursor is copied in one go.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
