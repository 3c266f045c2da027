//! The file: a redb database with the waiting payloads, the gaps before them, and
//! where they begin and end.
//!
//! Invariants: payloads, gaps and cursor change in the same transaction, so that
//! they agree after any stop; gaps and payloads together are dense, gaps first.

use crate::{Gap, GapReason, Item, Record, SpoolError};
use bytes::Bytes;
use redb::{
    Builder, Database, DatabaseError, Durability, ReadableDatabase as _, ReadableTable,
    ReadableTableMetadata as _, StorageError, TableDefinition, WriteTransaction,
};
use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Sequence → eight octets of microseconds since 1970, payload.
const RECORDS: TableDefinition<u64, &[u8]> = TableDefinition::new("record");
/// First sequence of a gap → last, count, microseconds since 1970, reason.
const GAPS: TableDefinition<u64, (u64, u64, u64, u8)> = TableDefinition::new("gap");
/// What the spool is and where it stands.
const META: TableDefinition<&str, &[u8]> = TableDefinition::new("meta");
const EPOCH: &str = "epoch";
const NEXT: &str = "next";
const BYTES: &str = "bytes";

/// Octets before the payload.
const HEAD: usize = 8;
/// What a record costs beside its payload, roughly.
const OVERHEAD: u64 = 64;
/// Of the database: reports are written once and read once.
const CACHE_BYTES: usize = 16 << 20;
/// How long a damaged file may be looked at.
const SALVAGE_PATIENCE: Duration = Duration::from_secs(30);

/// What a payload counts against the quota.
pub fn weight(payload: &[u8]) -> u64 {
    payload.len() as u64 + OVERHEAD
}

/// Where the spool stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    pub first: u64,
    pub next: u64,
    pub bytes: u64,
    /// Sequences from `first` on that are gaps.
    pub gone: u64,
}

/// An open file.
pub struct File {
    database: Database,
    path: PathBuf,
    /// After a failed read or write the database takes nothing more.
    failed: AtomicBool,
}

/// An open file and what was found in it.
pub struct OpenedFile {
    pub file: File,
    pub epoch: [u8; 16],
    pub cursor: Cursor,
    pub created: bool,
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("File")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl File {
    /// Opens a file; a new one begins with a gap of so many lost payloads since then, if told so.
    pub fn open(path: &Path, lost: Option<(u64, SystemTime)>) -> Result<OpenedFile, SpoolError> {
        let length = std::fs::metadata(path).map(|found| found.len());
        // What is empty was cut: a new file comes to its place whole.
        if matches!(length, Ok(0)) {
            return Err(SpoolError::Damaged {
                path: path.to_owned(),
                reason: "it is empty".to_owned(),
            });
        }
        if !matches!(length, Err(error) if error.kind() == ErrorKind::NotFound) {
            return Self::open_at(path, None);
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        // Of a name that nobody else has: two processes may begin the same spool.
        let new = tempfile::Builder::new()
            .prefix(path.file_name().unwrap_or_default())
            .suffix(".begun")
            .tempfile_in(folder)
            .map_err(|error| unusable(path, error))?;
        drop(Self::open_at(new.path(), lost)?);
        let created = match new.persist_noclobber(path) {
            Ok(_) => true,
            // The other one was faster, and may have taken reports by now.
            Err(error) if error.error.kind() == ErrorKind::AlreadyExists => false,
            Err(error) => return Err(unusable(path, error.error)),
        };
        std::fs::File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(|error| unusable(path, error))?;
        let opened = Self::open_at(path, None)?;
        Ok(OpenedFile { created, ..opened })
    }

    fn open_at(path: &Path, lost: Option<(u64, SystemTime)>) -> Result<OpenedFile, SpoolError> {
        let database = Builder::new()
            .set_cache_size(CACHE_BYTES)
            // Reads the whole file once; without it redb may panic over a damaged one.
            .set_check_integrity_on_open(true)
            .create(path)
            .map_err(|error| open_error(path, error))?;
        Self::begin(database, path, lost)
    }

    /// Makes of a database what a spool needs.
    fn begin(
        database: Database,
        path: &Path,
        lost: Option<(u64, SystemTime)>,
    ) -> Result<OpenedFile, SpoolError> {
        let file = Self {
            database,
            path: path.to_owned(),
            failed: AtomicBool::new(false),
        };
        let damaged = |error: redb::Error| match error {
            redb::Error::Io(source) => unusable(path, source),
            other => file.damaged(other.to_string()),
        };
        let (created, epoch) = file.epoch(lost).map_err(damaged)?;
        let epoch = epoch.ok_or_else(|| file.damaged("it holds no epoch".to_owned()))?;
        let cursor = cursor(&file.database).map_err(damaged)?;
        let cursor = cursor.ok_or_else(|| file.damaged("its sequences have holes".to_owned()))?;
        Ok(OpenedFile {
            file,
            epoch,
            cursor,
            created,
        })
    }

    /// The epoch, made now in a new file.
    fn epoch(&self, lost: Option<(u64, SystemTime)>) -> Result<(bool, Option<[u8; 16]>), redb::Error> {
        let write = self.database.begin_write()?;
        let tables = write.list_tables()?.count();
        let created = tables == 0;
        let epoch = {
            let mut meta = write.open_table(META)?;
            write.open_table(RECORDS)?;
            let mut gaps = write.open_table(GAPS)?;
            if created {
                let epoch = random()?;
                let mut next = 1u64;
                if let Some((lost, now)) = lost {
                    // One sequence stands for a number nobody knows.
                    let to = lost.max(1);
                    gaps.insert(1, (to, lost, micros(now), GapReason::Damaged.code()))?;
                    next = to + 1;
                }
                meta.insert(EPOCH, epoch.as_slice())?;
                meta.insert(NEXT, next.to_be_bytes().as_slice())?;
                meta.insert(BYTES, 0u64.to_be_bytes().as_slice())?;
            }
            let found = meta.get(EPOCH)?;
            found.and_then(|epoch| epoch.value().try_into().ok())
        };
        // A file from before there were gaps gets their table.
        if write.list_tables()?.count() > tables {
            write.commit()?;
        } else {
            write.abort()?;
        }
        Ok((created, epoch))
    }

    /// Another epoch, not yet that of the sequences.
    pub fn new_epoch(&self) -> Result<[u8; 16], SpoolError> {
        random().map_err(|error| self.failed(&error))
    }

    /// Gives the sequences this epoch, durably.
    pub fn set_epoch(&self, epoch: [u8; 16]) -> Result<(), SpoolError> {
        let set = || -> Result<(), redb::Error> {
            let write = self.database.begin_write()?;
            write.open_table(META)?.insert(EPOCH, epoch.as_slice())?;
            write.commit()?;
            Ok(())
        };
        set().map_err(|error| self.failed(&error))
    }

    /// Writes records and lets the oldest go until `quota` bytes are left, durably;
    /// a gap takes the place of what went.
    pub fn append<'a>(
        &self,
        records: impl Iterator<Item = (u64, &'a [u8])>,
        mut cursor: Cursor,
        quota: u64,
        now: SystemTime,
    ) -> Result<Cursor, SpoolError> {
        let now = micros(now);
        let append = || -> Result<Cursor, redb::Error> {
            let write = self.database.begin_write()?;
            {
                let mut table = write.open_table(RECORDS)?;
                for (sequence, payload) in records {
                    let mut slot = table.insert_reserve(sequence, HEAD + payload.len())?;
                    if let Some((start, rest)) = slot.as_mut().split_at_mut_checked(HEAD) {
                        start.copy_from_slice(&now.to_be_bytes());
                        rest.copy_from_slice(payload);
                    }
                }
                let mut went: Option<(u64, u64)> = None;
                while cursor.bytes > quota {
                    let Some((sequence, value)) = table.pop_first()? else {
                        break;
                    };
                    cursor.bytes = cursor.bytes.saturating_sub(weight_of_stored(value.value()));
                    cursor.gone += 1;
                    let sequence = sequence.value();
                    went = Some((went.map_or(sequence, |(from, _)| from), sequence));
                }
                if let Some((from, to)) = went {
                    widen(&write, from, to, now)?;
                }
            }
            set(&write, cursor)?;
            write.commit()?;
            Ok(cursor)
        };
        append().map_err(|error| self.failed(&error))
    }

    /// Removes records and gaps up to and including `sequence`; not durably, that is
    /// with the next append.
    pub fn forget(&self, sequence: u64, mut cursor: Cursor, durably: bool) -> Result<Cursor, SpoolError> {
        let mut forget = || -> Result<(), redb::Error> {
            let mut write = self.database.begin_write()?;
            if !durably {
                write.set_durability(Durability::None)?;
            }
            {
                let mut table = write.open_table(RECORDS)?;
                for removed in table.extract_from_if(..=sequence, |_, _| true)? {
                    let weight = weight_of_stored(removed?.1.value());
                    cursor.bytes = cursor.bytes.saturating_sub(weight);
                }
                let mut gaps = write.open_table(GAPS)?;
                let mut rest = None;
                for removed in gaps.extract_from_if(..=sequence, |_, _| true)? {
                    let (from, value) = removed?;
                    let gap = gap(from.value(), value.value());
                    cursor.gone = cursor.gone.saturating_sub(gap.to.min(sequence) - gap.from + 1);
                    rest = (gap.to > sequence).then(|| gap.after(sequence));
                }
                if let Some(gap) = rest {
                    gaps.insert(gap.from, stored(&gap))?;
                }
            }
            cursor.first = sequence + 1;
            set(&write, cursor)?;
            write.commit()?;
            if durably {
                // The pages are free only after the commit that follows.
                let write = self.database.begin_write()?;
                set(&write, cursor)?;
                write.commit()?;
            }
            Ok(())
        };
        forget().map_err(|error| self.failed(&error))?;
        Ok(cursor)
    }

    pub fn read_from(&self, sequence: u64, count: usize, bytes: usize) -> Result<Vec<Item>, SpoolError> {
        let read = || -> Result<Vec<Item>, redb::Error> {
            let read = self.database.begin_read()?;
            let mut found = Vec::new();
            for entry in read.open_table(GAPS)?.iter()? {
                let (from, value) = entry?;
                let gap = gap(from.value(), value.value());
                if gap.to >= sequence && found.len() < count {
                    found.push(Item::Gap(gap.after(sequence.saturating_sub(1))));
                }
            }
            let table = read.open_table(RECORDS)?;
            let mut size = 0;
            for record in table.range(sequence..)?.take(count - found.len()) {
                let (sequence, value) = record?;
                let payload = value.value().get(HEAD..).unwrap_or_default();
                size += payload.len();
                if size > bytes && !found.is_empty() {
                    break;
                }
                found.push(Item::Record(Record {
                    sequence: sequence.value(),
                    payload: Bytes::copy_from_slice(payload),
                }));
            }
            Ok(found)
        };
        read().map_err(|error| self.failed(&error))
    }

    /// When a record was appended or a gap began.
    pub fn appended(&self, sequence: u64) -> Result<Option<SystemTime>, SpoolError> {
        let read = || -> Result<Option<u64>, redb::Error> {
            let read = self.database.begin_read()?;
            if let Some(gap) = read.open_table(GAPS)?.range(..=sequence)?.next_back() {
                let (to, _, declared, _) = gap?.1.value();
                if to >= sequence {
                    return Ok(Some(declared));
                }
            }
            let table = read.open_table(RECORDS)?;
            let found = table.get(sequence)?;
            Ok(found
                .and_then(|value| value.value().first_chunk().copied())
                .map(u64::from_be_bytes))
        };
        let micros = read().map_err(|error| self.failed(&error))?;
        Ok(micros.map(time))
    }

    /// Removes what lies from `next` on, durably: nobody was told that it is kept. What was kept
    /// before and went to make room for it stays declared.
    pub fn take_back(&self, next: u64, mut cursor: Cursor) -> Result<Cursor, SpoolError> {
        let mut take_back = || -> Result<(), redb::Error> {
            let write = self.database.begin_write()?;
            {
                let mut table = write.open_table(RECORDS)?;
                for removed in table.extract_from_if(next.., |_, _| true)? {
                    let weight = weight_of_stored(removed?.1.value());
                    cursor.bytes = cursor.bytes.saturating_sub(weight);
                }
                let mut gaps = write.open_table(GAPS)?;
                let last = gaps.pop_last()?.map(|(from, gap)| (from.value(), gap.value()));
                if let Some((from, (to, count, declared, reason))) = last
                    && from < next
                {
                    let over = to.saturating_add(1).saturating_sub(next);
                    let kept = (to.min(next - 1), count.saturating_sub(over), declared, reason);
                    gaps.insert(from, kept)?;
                }
            }
            cursor.first = cursor.first.min(next);
            cursor.gone = cursor.gone.min(next - cursor.first);
            cursor.next = next;
            set(&write, cursor)?;
            write.commit()?;
            Ok(())
        };
        take_back().map_err(|error| self.failed(&error))?;
        Ok(cursor)
    }

    /// As a flush that failed leaves it.
    #[cfg(test)]
    pub fn fail(&self) {
        self.failed.store(true, Ordering::Relaxed);
    }

    /// Whether it must be opened again.
    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    fn damaged(&self, reason: String) -> SpoolError {
        SpoolError::Damaged {
            path: self.path.clone(),
            reason,
        }
    }

    fn failed(&self, error: &redb::Error) -> SpoolError {
        self.failed.store(true, Ordering::Relaxed);
        let (path, reason) = (self.path.clone(), error.to_string());
        match error {
            redb::Error::Io(source) if is_no_room(source.kind()) => SpoolError::NoRoom { path, reason },
            // Whoever met the failure itself says what it was.
            redb::Error::PreviousIo => SpoolError::NoRoom { path, reason },
            _ => SpoolError::Failed { path, reason },
        }
    }
}

/// Whether a write failed for want of room: on the device, in a quota, under a limit.
fn is_no_room(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge
    )
}

fn unusable(path: &Path, source: std::io::Error) -> SpoolError {
    let path = path.to_owned();
    if is_no_room(source.kind()) {
        let reason = source.to_string();
        return SpoolError::NoRoom { path, reason };
    }
    SpoolError::Unusable { path, source }
}

fn random() -> Result<[u8; 16], redb::Error> {
    let mut octets = [0; 16];
    getrandom::fill(&mut octets)
        .map_err(|error| redb::Error::Io(std::io::Error::other(error.to_string())))?;
    Ok(octets)
}

/// How many payloads a damaged file held, as far as that can still be read. Works
/// on a copy, in a thread of its own: over a damaged file redb may panic.
pub fn salvage(path: &Path, copy: &Path) -> Option<u64> {
    let size = std::fs::copy(path, copy).ok()?;
    let opened = copy.to_owned();
    let (done, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let held = || -> Option<Cursor> { cursor(&Builder::new().create(&opened).ok()?).ok()? };
        // Nobody listens when it took too long.
        let _ = done.send(held());
    });
    let held = told.recv_timeout(SALVAGE_PATIENCE).ok().flatten();
    let _ = std::fs::remove_file(copy);
    let held = held?.next - held?.first;
    // No record is smaller than its head: more than fits is not believed.
    (held <= size / HEAD as u64).then_some(held)
}

/// Where the records say the spool stands; [`None`] when they contradict each other.
fn cursor(database: &Database) -> Result<Option<Cursor>, redb::Error> {
    let read = database.begin_read()?;
    let meta = read.open_table(META)?;
    let number = |key| -> Result<Option<u64>, StorageError> {
        let found = meta.get(key)?;
        Ok(found
            .and_then(|value| value.value().try_into().ok())
            .map(u64::from_be_bytes))
    };
    let (Some(next), Some(bytes)) = (number(NEXT)?, number(BYTES)?) else {
        return Ok(None);
    };
    let records = read.open_table(RECORDS)?;
    let first_record = records.first()?.map_or(next, |(sequence, _)| sequence.value());
    let last = records.last()?.map(|(sequence, _)| sequence.value());
    let after_last = last.map_or(Some(next), |last| last.checked_add(1));
    let mut dense =
        next > 0 && after_last == Some(next) && next.checked_sub(first_record) == Some(records.len()?);
    let (mut first, mut after_gaps) = (first_record, None);
    for entry in read.open_table(GAPS)?.iter()? {
        let (from, value) = entry?;
        let (from, to) = (from.value(), value.value().0);
        if after_gaps.is_none() {
            first = from;
        }
        dense &= from > 0 && from <= to && to < next && after_gaps.is_none_or(|after| after == from);
        after_gaps = to.checked_add(1);
    }
    dense &= after_gaps.is_none_or(|after| after == first_record);
    let gone = first_record.saturating_sub(first);
    Ok(dense.then_some(Cursor {
        first,
        next,
        bytes,
        gone,
    }))
}

fn set(write: &WriteTransaction, cursor: Cursor) -> Result<(), redb::Error> {
    let mut meta = write.open_table(META)?;
    meta.insert(NEXT, cursor.next.to_be_bytes().as_slice())?;
    meta.insert(BYTES, cursor.bytes.to_be_bytes().as_slice())?;
    Ok(())
}

/// Adds `from..=to` to the last gap if it ends just before, else makes a new one.
fn widen(write: &WriteTransaction, from: u64, to: u64, now: u64) -> Result<(), redb::Error> {
    let mut gaps = write.open_table(GAPS)?;
    let last = gaps.last()?.map(|(from, value)| gap(from.value(), value.value()));
    let wider = last.filter(|last| last.reason == GapReason::Full && last.to + 1 == from);
    let wider = match wider {
        Some(last) => Gap {
            to,
            count: last.count + (to - from + 1),
            ..last
        },
        None => Gap {
            from,
            to,
            count: to - from + 1,
            reason: GapReason::Full,
            declared: time(now),
        },
    };
    gaps.insert(wider.from, stored(&wider))?;
    Ok(())
}

fn stored(gap: &Gap) -> (u64, u64, u64, u8) {
    (gap.to, gap.count, micros(gap.declared), gap.reason.code())
}

fn gap(from: u64, (to, count, declared, reason): (u64, u64, u64, u8)) -> Gap {
    Gap {
        from,
        to,
        count,
        reason: GapReason::from_code(reason),
        declared: time(declared),
    }
}

fn weight_of_stored(value: &[u8]) -> u64 {
    value.len().saturating_sub(HEAD) as u64 + OVERHEAD
}

fn micros(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or_default()
}

fn time(micros: u64) -> SystemTime {
    UNIX_EPOCH
        .checked_add(Duration::from_micros(micros))
        .unwrap_or(UNIX_EPOCH)
}

fn open_error(path: &Path, error: DatabaseError) -> SpoolError {
    let path = path.to_owned();
    match error {
        DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => {
            SpoolError::InUse { path }
        }
        // redb says so of a file that is something else.
        DatabaseError::Storage(StorageError::Io(source))
            if source.kind() != ErrorKind::InvalidData && source.kind() != ErrorKind::UnexpectedEof =>
        {
            unusable(&path, source)
        }
        other => SpoolError::Damaged {
            path,
            reason: other.to_string(),
        },
    }
}

#[cfg(test)]
mod tests;
