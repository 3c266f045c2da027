//! Exports: items sealed to a collector and signed by an agent.
//!
//! Invariants: an opening, then reports and gaps in dense sequence, then a closing,
//! and nothing else; a reader that came to its end has seen a good signature over
//! everything it gave out.

use super::chunk::{Opener, Preamble, Sealer};
use super::{CourierError, CourierKey, frame};
use crate::tls::{Bundle, verify_signature};
use crate::v1::courier_item::Item;
use crate::v1::{CourierClosing, CourierOpening, Gap, SequencedBatch};
use sha2::{Digest as _, Sha256};
use std::io::{Read, Write};

/// Before the hash in what is signed.
const SIGNED: &[u8] = b"marque courier export 1, signed by an agent\0";

/// Everything so far, as it will be signed.
struct Transcript(Sha256);

impl Transcript {
    fn begin(preamble: &Preamble) -> Self {
        let hash = Sha256::new_with_prefix(preamble.recipient).chain_update(preamble.encapsulated);
        Self(hash)
    }

    fn message(&self, last_sequence: u64) -> Vec<u8> {
        let hash = self
            .0
            .clone()
            .chain_update(last_sequence.to_be_bytes())
            .finalize();
        [SIGNED, hash.as_slice()].concat()
    }
}

/// Writes an export.
pub struct ExportWriter<W> {
    sealer: Sealer<W>,
    transcript: Transcript,
    last: u64,
}

impl<W: Write> ExportWriter<W> {
    /// Begins an export to the collector with this public key.
    ///
    /// # Errors
    /// [`CourierError`] when the key cannot be used or nothing can be written.
    pub fn begin(out: W, recipient: [u8; 32], opening: CourierOpening) -> Result<Self, CourierError> {
        let (sealer, preamble) = Sealer::begin(out, recipient)?;
        let first = opening.hello.as_ref().map_or(1, |hello| hello.first_sequence);
        let mut writer = Self {
            sealer,
            transcript: Transcript::begin(&preamble),
            last: first.saturating_sub(1),
        };
        writer.item(Item::Opening(opening))?;
        Ok(writer)
    }

    /// Adds reports, each one sequence after what came before.
    ///
    /// # Errors
    /// [`CourierError`] when they are too large or cannot be written.
    pub fn reports(&mut self, batch: SequencedBatch) -> Result<(), CourierError> {
        self.last = batch.reports.last().map_or(self.last, |report| report.sequence);
        self.item(Item::Reports(batch))
    }

    /// Adds a gap, which begins one sequence after what came before.
    ///
    /// # Errors
    /// [`CourierError`] when it cannot be written.
    pub fn gap(&mut self, gap: Gap) -> Result<(), CourierError> {
        self.last = gap.to;
        self.item(Item::Gap(gap))
    }

    /// Octets of the file so far.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.sealer.written()
    }

    /// Signs what was written and ends; tells the last sequence in it.
    ///
    /// # Errors
    /// [`CourierError`] when it cannot be signed or written.
    pub fn finish(mut self, signer: &Bundle) -> Result<(W, u64), CourierError> {
        let signature = signer.sign(&self.transcript.message(self.last))?;
        let last = self.last;
        self.item(Item::Closing(CourierClosing {
            last_sequence: last,
            signature: signature.into(),
        }))?;
        Ok((self.sealer.finish()?, last))
    }

    fn item(&mut self, item: Item) -> Result<(), CourierError> {
        let frame = frame::encode(item)?;
        self.transcript.0.update(&frame);
        self.sealer.write(&frame)
    }
}

/// Reads an export.
pub struct ExportReader<R> {
    opener: Opener<R>,
    clear: Vec<u8>,
    transcript: Transcript,
    opening: CourierOpening,
    /// Sequence of the next item.
    next: u64,
    closed: bool,
}

impl<R: Read> ExportReader<R> {
    /// Begins to read behind the preamble. Whether the certificate in the opening counts is
    /// for the caller to say; that its key signed, the reader has seen when it came to the end.
    ///
    /// # Errors
    /// [`CourierError`] when the file is for somebody else or damaged.
    pub fn begin(input: R, preamble: &Preamble, keys: &[&CourierKey]) -> Result<Self, CourierError> {
        let mut reader = Self {
            opener: Opener::begin(input, preamble, preamble.key(keys)?)?,
            clear: Vec::new(),
            transcript: Transcript::begin(preamble),
            opening: CourierOpening::default(),
            next: 0,
            closed: false,
        };
        let Some(Item::Opening(opening)) = reader.item()? else {
            return Err(CourierError::Format("no opening"));
        };
        let hello = opening
            .hello
            .as_ref()
            .ok_or(CourierError::Format("no greeting"))?;
        if hello.first_sequence == 0
            || hello.first_sequence > hello.next_sequence
            || hello.next_sequence > crate::MAX_SEQUENCE
        {
            return Err(CourierError::Format("sequences out of range"));
        }
        reader.next = hello.first_sequence;
        reader.opening = opening;
        Ok(reader)
    }

    /// What the export says of itself.
    #[must_use]
    pub fn opening(&self) -> &CourierOpening {
        &self.opening
    }

    /// Last sequence that was given out; one below the first if none was.
    #[must_use]
    pub fn last_sequence(&self) -> u64 {
        self.next.saturating_sub(1)
    }

    /// The next reports ([`Item::Reports`]) or gap ([`Item::Gap`]); `None` when everything was
    /// read and the signature is good.
    ///
    /// # Errors
    /// [`CourierError`] when the file is damaged, signed by another key or breaks the format.
    pub fn read(&mut self) -> Result<Option<Item>, CourierError> {
        if self.closed {
            return Ok(None);
        }
        let message = self.transcript.message(self.last_sequence());
        match self.item()? {
            Some(Item::Reports(batch)) => {
                if batch.reports.is_empty() || batch.reports.len() > super::MAX_REPORTS {
                    return Err(CourierError::Format("a batch of none or too many"));
                }
                for report in &batch.reports {
                    self.step(report.sequence, report.sequence)?;
                }
                Ok(Some(Item::Reports(batch)))
            }
            Some(Item::Gap(gap)) => {
                self.step(gap.from, gap.to)?;
                Ok(Some(Item::Gap(gap)))
            }
            Some(Item::Closing(closing)) => {
                if closing.last_sequence != self.last_sequence() {
                    return Err(CourierError::Format("another end than was told"));
                }
                verify_signature(&self.opening.certificate, &message, &closing.signature)?;
                if !self.clear.is_empty() || self.opener.next()?.is_some() {
                    return Err(CourierError::Format("something after the closing"));
                }
                self.closed = true;
                Ok(None)
            }
            Some(Item::Opening(_)) => Err(CourierError::Format("a second opening")),
            None => Err(CourierError::Format("no closing")),
        }
    }

    /// Moves on over sequences that must be the next ones.
    fn step(&mut self, from: u64, to: u64) -> Result<(), CourierError> {
        let end = self.opening.hello.as_ref().map_or(0, |hello| hello.next_sequence);
        if from != self.next || to < from || to >= end {
            return Err(CourierError::Format("sequences out of order"));
        }
        self.next = to + 1;
        Ok(())
    }

    fn item(&mut self) -> Result<Option<Item>, CourierError> {
        loop {
            if let Some((item, used)) = frame::decode(&self.clear)? {
                let frame = self.clear.get(..used).unwrap_or_default();
                self.transcript.0.update(frame);
                self.clear.drain(..used);
                return Ok(Some(item));
            }
            match self.opener.next()? {
                Some(more) => self.clear.extend_from_slice(&more),
                None if self.clear.is_empty() => return Ok(None),
                None => return Err(CourierError::Format("half a frame at its end")),
            }
        }
    }
}
