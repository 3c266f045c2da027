//! The file: a redb database with the waiting payloads and where they begin and end.
//!
//! Invariant: payloads and cursor change in the same transaction, so that they
//! agree after any stop.

use crate::{Record, SpoolError};
use bytes::Bytes;
use redb::{
    Builder, Database, DatabaseError, Durability, ReadableDatabase as _, ReadableTable as _,
    ReadableTableMetadata as _, StorageError, TableDefinition,
};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Sequence → eight octets of microseconds since 1970, payload.
const RECORDS: TableDefinition<u64, &[u8]> = TableDefinition::new("record");
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
}

/// An open file.
pub struct File {
    database: Database,
    path: PathBuf,
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
    pub fn open(path: &Path) -> Result<OpenedFile, SpoolError> {
        let database = Builder::new()
            .set_cache_size(CACHE_BYTES)
            // Reads the whole file once; without it redb may panic over a damaged one.
            .set_check_integrity_on_open(true)
            .create(path)
            .map_err(|error| open_error(path, error))?;
        let file = Self {
            database,
            path: path.to_owned(),
        };
        let damaged = |error: redb::Error| match error {
            redb::Error::Io(source) => SpoolError::Unusable {
                path: path.to_owned(),
                source,
            },
            other => file.damaged(other.to_string()),
        };
        let (created, epoch) = file.epoch().map_err(damaged)?;
        let epoch = epoch.ok_or_else(|| file.damaged("it holds no epoch".to_owned()))?;
        let cursor = file.cursor().map_err(damaged)?;
        let cursor = cursor.ok_or_else(|| file.damaged("its sequences have gaps".to_owned()))?;
        Ok(OpenedFile {
            file,
            epoch,
            cursor,
            created,
        })
    }

    /// The epoch, made now in a new file.
    fn epoch(&self) -> Result<(bool, Option<[u8; 16]>), redb::Error> {
        let write = self.database.begin_write()?;
        let created = write.list_tables()?.next().is_none();
        let epoch = {
            let mut meta = write.open_table(META)?;
            write.open_table(RECORDS)?;
            if created {
                let mut epoch = [0; 16];
                getrandom::fill(&mut epoch)
                    .map_err(|error| redb::Error::Io(std::io::Error::other(error.to_string())))?;
                meta.insert(EPOCH, epoch.as_slice())?;
                meta.insert(NEXT, 1u64.to_be_bytes().as_slice())?;
                meta.insert(BYTES, 0u64.to_be_bytes().as_slice())?;
            }
            let found = meta.get(EPOCH)?;
            found.and_then(|epoch| epoch.value().try_into().ok())
        };
        if created {
            write.commit()?;
        } else {
            write.abort()?;
        }
        Ok((created, epoch))
    }

    /// Where the records say the spool stands; [`None`] when they contradict each other.
    fn cursor(&self) -> Result<Option<Cursor>, redb::Error> {
        let read = self.database.begin_read()?;
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
        let first = records.first()?.map_or(next, |(sequence, _)| sequence.value());
        let after_last = records.last()?.map_or(next, |(sequence, _)| sequence.value() + 1);
        let dense = next > 0 && after_last == next && next.checked_sub(first) == Some(records.len()?);
        Ok(dense.then_some(Cursor { first, next, bytes }))
    }

    /// Writes records and the cursor after them, durably.
    pub fn append<'a>(
        &self,
        records: impl Iterator<Item = (u64, &'a [u8])>,
        cursor: Cursor,
    ) -> Result<(), SpoolError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let head = u64::try_from(now.as_micros()).unwrap_or_default().to_be_bytes();
        let append = || -> Result<(), redb::Error> {
            let write = self.database.begin_write()?;
            {
                let mut table = write.open_table(RECORDS)?;
                for (sequence, payload) in records {
                    let mut slot = table.insert_reserve(sequence, HEAD + payload.len())?;
                    if let Some((start, rest)) = slot.as_mut().split_at_mut_checked(HEAD) {
                        start.copy_from_slice(&head);
                        rest.copy_from_slice(payload);
                    }
                }
            }
            self.set(&write, cursor)?;
            write.commit()?;
            Ok(())
        };
        append().map_err(|error| self.failed(&error))
    }

    /// Removes the records up to and including `sequence`, not durably.
    pub fn forget(&self, sequence: u64, mut cursor: Cursor) -> Result<Cursor, SpoolError> {
        let mut forget = || -> Result<(), redb::Error> {
            let mut write = self.database.begin_write()?;
            write.set_durability(Durability::None)?;
            {
                let mut table = write.open_table(RECORDS)?;
                for removed in table.extract_from_if(..=sequence, |_, _| true)? {
                    let payload = removed?.1.value().len().saturating_sub(HEAD);
                    cursor.bytes = cursor.bytes.saturating_sub(payload as u64 + OVERHEAD);
                }
            }
            cursor.first = sequence + 1;
            self.set(&write, cursor)?;
            write.commit()?;
            Ok(())
        };
        forget().map_err(|error| self.failed(&error))?;
        Ok(cursor)
    }

    fn set(&self, write: &redb::WriteTransaction, cursor: Cursor) -> Result<(), redb::Error> {
        let mut meta = write.open_table(META)?;
        meta.insert(NEXT, cursor.next.to_be_bytes().as_slice())?;
        meta.insert(BYTES, cursor.bytes.to_be_bytes().as_slice())?;
        Ok(())
    }

    pub fn read_from(&self, sequence: u64, count: usize, bytes: usize) -> Result<Vec<Record>, SpoolError> {
        let read = || -> Result<Vec<Record>, redb::Error> {
            let read = self.database.begin_read()?;
            let table = read.open_table(RECORDS)?;
            let mut found: Vec<Record> = Vec::new();
            let mut size = 0;
            for record in table.range(sequence..)?.take(count) {
                let (sequence, value) = record?;
                let payload = value.value().get(HEAD..).unwrap_or_default();
                size += payload.len();
                if size > bytes && !found.is_empty() {
                    break;
                }
                found.push(Record {
                    sequence: sequence.value(),
                    payload: Bytes::copy_from_slice(payload),
                });
            }
            Ok(found)
        };
        read().map_err(|error| self.failed(&error))
    }

    /// When a record was appended.
    pub fn appended(&self, sequence: u64) -> Result<Option<SystemTime>, SpoolError> {
        let read = || -> Result<Option<u64>, redb::Error> {
            let table = self.database.begin_read()?.open_table(RECORDS)?;
            let found = table.get(sequence)?;
            Ok(found
                .and_then(|value| value.value().first_chunk().copied())
                .map(u64::from_be_bytes))
        };
        let micros = read().map_err(|error| self.failed(&error))?;
        Ok(micros.and_then(|micros| UNIX_EPOCH.checked_add(Duration::from_micros(micros))))
    }

    fn damaged(&self, reason: String) -> SpoolError {
        SpoolError::Damaged {
            path: self.path.clone(),
            reason,
        }
    }

    fn failed(&self, error: &redb::Error) -> SpoolError {
        SpoolError::Failed {
            path: self.path.clone(),
            reason: error.to_string(),
        }
    }
}

fn open_error(path: &Path, error: DatabaseError) -> SpoolError {
    let path = path.to_owned();
    match error {
        DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => {
            SpoolError::InUse { path }
        }
        // redb says so of a file that is something else.
        DatabaseError::Storage(StorageError::Io(source))
            if source.kind() != std::io::ErrorKind::InvalidData
                && source.kind() != std::io::ErrorKind::UnexpectedEof =>
        {
            SpoolError::Unusable { path, source }
        }
        other => SpoolError::Damaged {
            path,
            reason: other.to_string(),
        },
    }
}
