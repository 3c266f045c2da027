//! What waits, sealed to the collector.
//!
//! Invariants: sequences are those of the spool, dense from its first; what the
//! collector hears over a link meanwhile, or what goes for the quota, shortens the
//! export and never leaves a hole in it.

use super::{CourierError, next_key};
use crate::uplink::{declaration, micros};
use prost::bytes::Bytes;
use proto::courier::{ExportWriter, MAX_REPORTS};
use proto::tls::Bundle;
use proto::v1::{CourierOpening, Gap, Hello, SequencedBatch, SequencedReport};
use spool::{Item, Spool};
use std::fmt;
use std::io::Write;
use std::path::Path;
use std::time::SystemTime;

/// Read from the spool at once.
const READ_BYTES: usize = 4 << 20;

/// Room for what stands around the items: seals, closing.
const MARGIN: u64 = 4096;

/// What an export holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exported {
    /// First sequence that waited.
    pub first: u64,
    /// Last one in the export; one below the first if nothing waited.
    pub last: u64,
    /// The next sequence of the spool when it began: what lies between did not fit.
    pub next: u64,
}

impl fmt::Display for Exported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.last.checked_sub(self.first) {
            Some(_) => write!(f, "sequences {} to {}", self.first, self.last)?,
            None => f.write_str("no reports")?,
        }
        match self.next - 1 - self.last {
            0 => Ok(()),
            left => write!(f, ", {left} sequences after them are left out"),
        }
    }
}

/// Writes what waits, oldest first, as long as the file stays below `max_bytes`; one item at
/// least. A signing request goes with it.
///
/// # Errors
/// [`CourierError`]; what was written by then is no export.
pub fn export(
    spool: &Spool,
    identity: &Path,
    max_bytes: Option<u64>,
    now: SystemTime,
    out: impl Write,
) -> Result<Exported, CourierError> {
    let pem =
        std::fs::read_to_string(identity).map_err(|error| CourierError::File(identity.to_owned(), error))?;
    let bundle = Bundle::from_pem(pem);
    let recipient = bundle.courier_key();
    let recipient = recipient.ok_or_else(|| CourierError::NoKey(identity.to_owned()))?;
    let (first, next) = (spool.first_sequence(), spool.next_sequence());
    let opening = CourierOpening {
        certificate: bundle.certificate()?.into(),
        hello: Some(Hello {
            capability: proto::CAPABILITY,
            epoch: Bytes::copy_from_slice(&spool.epoch()),
            first_sequence: first,
            next_sequence: next,
            agent_version: env!("CARGO_PKG_VERSION").to_owned(),
            clock_micros: micros(now),
            plan: None,
        }),
        signing_request: next_key::request(identity)?.into(),
    };
    let mut export = Export {
        writer: ExportWriter::begin(out, recipient, opening)?,
        at: first,
        next,
        max_bytes: max_bytes.unwrap_or(u64::MAX).saturating_sub(MARGIN),
        first,
        waiting: Vec::new(),
        waiting_bytes: 0,
    };
    'all: while export.at < next {
        let items = spool.read_from(export.at, MAX_REPORTS, READ_BYTES)?;
        if items.is_empty() {
            break;
        }
        for item in items {
            if !export.take(item)? {
                break 'all;
            }
        }
        export.flush()?;
    }
    export.flush()?;
    let (_, last) = export.writer.finish(&bundle)?;
    Ok(Exported { first, last, next })
}

struct Export<W> {
    writer: ExportWriter<W>,
    first: u64,
    /// Sequence of the next item.
    at: u64,
    /// Where the spool ended when the export began.
    next: u64,
    max_bytes: u64,
    /// Reports of the item being filled.
    waiting: Vec<SequencedReport>,
    waiting_bytes: u64,
}

impl<W: Write> Export<W> {
    /// `false` when the export ends before this item.
    fn take(&mut self, item: Item) -> Result<bool, CourierError> {
        if item.first() != self.at || item.first() >= self.next {
            return Ok(false);
        }
        let bytes = match &item {
            Item::Record(record) => record.payload.len() as u64 + 16,
            Item::Gap(_) => 64,
        };
        let size = self.writer.written() + self.waiting_bytes + bytes;
        if size > self.max_bytes && self.at > self.first {
            return Ok(false);
        }
        match item {
            Item::Record(record) => {
                if self.waiting_bytes + bytes > READ_BYTES as u64 {
                    self.flush()?;
                }
                self.at = record.sequence + 1;
                self.waiting_bytes += bytes;
                self.waiting.push(SequencedReport {
                    sequence: record.sequence,
                    report: record.payload,
                });
            }
            Item::Gap(gap) => {
                self.flush()?;
                // It may have grown beyond what the greeting told.
                let to = gap.to.min(self.next - 1);
                let told = declaration(&gap);
                self.at = to + 1;
                self.writer.gap(Gap {
                    to,
                    count: told.count.min(to - told.from + 1),
                    ..told
                })?;
            }
        }
        Ok(true)
    }

    fn flush(&mut self) -> Result<(), CourierError> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let reports = std::mem::take(&mut self.waiting);
        self.waiting_bytes = 0;
        Ok(self.writer.reports(SequencedBatch { reports })?)
    }
}
