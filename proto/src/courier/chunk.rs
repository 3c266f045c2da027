//! The sealed octets: chunks in order, the last one marked.
//!
//! Invariants: each chunk but the last is full; HPKE's counter binds its place and
//! the associated octet whether it is the last, so that a cut at any octet is an error.

use super::key::{Public, Secret};
use super::{CourierError, CourierKey};
use hpke::aead::{AeadCtxR, AeadCtxS, ChaCha20Poly1305};
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable as _, Kem, OpModeR, OpModeS, Serializable as _};
use std::io::{Read, Write};

/// What an export begins with; also HPKE's context.
pub(super) const WORDS: &[u8; 24] = b"marque courier export 1\n";

/// Clear octets in a chunk.
pub(super) const CHUNK: usize = 1 << 16;
const TAG: usize = 16;

/// The clear part of an export: for whom it is, and the key that only they can unpack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preamble {
    /// Public key of the collector.
    pub recipient: [u8; 32],
    pub(super) encapsulated: [u8; 32],
}

impl Preamble {
    /// Reads it from the beginning of a file.
    ///
    /// # Errors
    /// [`CourierError`] when the file is none or ends before.
    pub fn read(input: &mut impl Read) -> Result<Self, CourierError> {
        let (mut words, mut recipient, mut encapsulated) = ([0; WORDS.len()], [0; 32], [0; 32]);
        for part in [&mut words[..], &mut recipient[..], &mut encapsulated[..]] {
            if fill(input, part)? < part.len() {
                return Err(CourierError::Words("export of a spool"));
            }
        }
        if words != *WORDS {
            return Err(CourierError::Words("export of a spool"));
        }
        Ok(Self {
            recipient,
            encapsulated,
        })
    }

    /// The key among these that opens what follows.
    ///
    /// # Errors
    /// [`CourierError::Recipient`] when none does.
    pub fn key<'a>(&self, keys: &[&'a CourierKey]) -> Result<&'a CourierKey, CourierError> {
        let found = keys.iter().copied().find(|key| key.public == self.recipient);
        found.ok_or_else(|| CourierError::Recipient(hex::encode(self.recipient)))
    }
}

/// Seals what is written to it.
pub(super) struct Sealer<W> {
    out: W,
    context: AeadCtxS<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>,
    clear: Vec<u8>,
    written: u64,
}

impl<W: Write> Sealer<W> {
    pub(super) fn begin(mut out: W, recipient: [u8; 32]) -> Result<(Self, Preamble), CourierError> {
        let public = Public::from_bytes(&recipient).map_err(|_| CourierError::Key)?;
        let (encapsulated, context) =
            hpke::setup_sender::<_, _, X25519HkdfSha256>(&OpModeS::Base, &public, WORDS)
                .map_err(|_| CourierError::Key)?;
        let preamble = Preamble {
            recipient,
            encapsulated: encapsulated.to_bytes().into(),
        };
        out.write_all(WORDS)?;
        out.write_all(&preamble.recipient)?;
        out.write_all(&preamble.encapsulated)?;
        let sealer = Self {
            out,
            context,
            clear: Vec::with_capacity(CHUNK),
            written: 0,
        };
        Ok((sealer, preamble))
    }

    pub(super) fn write(&mut self, mut octets: &[u8]) -> Result<(), CourierError> {
        while !octets.is_empty() {
            // A full chunk goes when it is known not to be the last.
            if self.clear.len() == CHUNK {
                self.seal(false)?;
            }
            let (now, later) = octets.split_at(octets.len().min(CHUNK - self.clear.len()));
            self.clear.extend_from_slice(now);
            octets = later;
        }
        Ok(())
    }

    /// Octets of the file so far, what waits for its chunk included.
    pub(super) fn written(&self) -> u64 {
        self.written + self.clear.len() as u64
    }

    pub(super) fn finish(mut self) -> Result<W, CourierError> {
        self.seal(true)?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn seal(&mut self, last: bool) -> Result<(), CourierError> {
        let sealed = self.context.seal(&self.clear, &[u8::from(last)]);
        let sealed = sealed.map_err(|_| CourierError::Key)?;
        self.out.write_all(&sealed)?;
        self.written += sealed.len() as u64;
        self.clear.clear();
        Ok(())
    }
}

/// Opens chunk after chunk.
pub(super) struct Opener<R> {
    input: R,
    context: AeadCtxR<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>,
    /// Read, and one octet more to see whether it is the last.
    sealed: Vec<u8>,
    filled: usize,
    ended: bool,
}

impl<R: Read> Opener<R> {
    pub(super) fn begin(input: R, preamble: &Preamble, key: &CourierKey) -> Result<Self, CourierError> {
        let secret: &Secret = &key.secret;
        let encapsulated = <X25519HkdfSha256 as Kem>::EncappedKey::from_bytes(&preamble.encapsulated);
        let encapsulated = encapsulated.map_err(|_| CourierError::Tampered)?;
        let context = hpke::setup_receiver(&OpModeR::Base, secret, &encapsulated, WORDS);
        Ok(Self {
            input,
            context: context.map_err(|_| CourierError::Tampered)?,
            sealed: vec![0; CHUNK + TAG + 1],
            filled: 0,
            ended: false,
        })
    }

    /// The next clear octets; `None` after the last.
    pub(super) fn next(&mut self) -> Result<Option<Vec<u8>>, CourierError> {
        if self.ended {
            return Ok(None);
        }
        let rest = self.sealed.get_mut(self.filled..).unwrap_or_default();
        self.filled += fill(&mut self.input, rest)?;
        let last = self.filled <= CHUNK + TAG;
        let chunk = self
            .sealed
            .get(..self.filled.min(CHUNK + TAG))
            .unwrap_or_default();
        let clear = self.context.open(chunk, &[u8::from(last)]);
        let clear = clear.map_err(|_| CourierError::Tampered)?;
        if last {
            self.ended = true;
        } else {
            self.sealed.swap(0, CHUNK + TAG);
            self.filled = 1;
        }
        Ok(Some(clear))
    }
}

/// Reads until the place is full or the input ends; tells how much.
fn fill(input: &mut impl Read, place: &mut [u8]) -> Result<usize, CourierError> {
    let mut filled = 0;
    while let Some(rest) = place.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match input.read(rest) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(filled)
}
