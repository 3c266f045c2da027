//! How far a run of columns was walked when the time was over.
//!
//! Rows that wait for the next round are packed: they take a tenth of what they take while
//! they are walked. Pure.

use super::Span;
use prost::Message as _;
use prost::bytes::Bytes;
use proto::v1::{Outcome, Varbind};

/// Rows are packed in lots of so many octets, so that packing takes no memory of its own.
const LOT: usize = 1 << 20;

/// How far one run of columns was walked when the time was over.
#[derive(Debug, Clone)]
pub struct Part {
    pub(super) root: Bytes,
    pub(super) last: u32,
    lots: Vec<Lot>,
    rows: usize,
    pub(super) next_column: Option<Bytes>,
    pub(super) cut: bool,
    pub(super) outcome: Option<Outcome>,
}

/// Encoded rows, one after the other, each behind its length.
#[derive(Debug, Clone)]
struct Lot {
    packed: Box<[u8]>,
    /// Octets of it when unpacked.
    clear: usize,
}

impl Part {
    /// Of a run under way; [`None`] when there is no memory to pack it.
    pub(super) fn of(span: &Span) -> Option<Self> {
        let (mut lots, mut clear) = (Vec::new(), Vec::new());
        for row in &span.rows {
            row.encode_length_delimited(&mut clear).ok()?;
            if clear.len() >= LOT {
                lots.push(Lot::of(&clear)?);
                clear.clear();
            }
        }
        if !clear.is_empty() {
            lots.push(Lot::of(&clear)?);
        }
        Some(Self {
            root: span.root.clone(),
            last: span.last,
            lots,
            rows: span.rows.len(),
            next_column: span.next_column.clone(),
            cut: span.cut,
            // What fell silent is asked again.
            outcome: span
                .outcome
                .filter(|outcome| !matches!(outcome, Outcome::TimedOut | Outcome::Skipped)),
        })
    }

    /// What it takes in memory, in octets.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.lots.iter().map(|lot| lot.packed.len()).sum::<usize>()
    }

    /// How many rows it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether nothing was read yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The rows, in order; fewer if memory was damaged.
    pub(super) fn rows(&self) -> impl Iterator<Item = Varbind> {
        self.lots.iter().flat_map(Lot::rows)
    }
}

impl Lot {
    fn of(clear: &[u8]) -> Option<Self> {
        Some(Self {
            packed: proto::packed::pack(clear).ok()?.into(),
            clear: clear.len(),
        })
    }

    fn rows(&self) -> impl Iterator<Item = Varbind> + use<> {
        let clear = proto::packed::unpack(&self.packed, self.clear);
        let mut clear = Bytes::from(clear.unwrap_or_default());
        std::iter::from_fn(move || {
            let more = !clear.is_empty();
            more.then(|| Varbind::decode_length_delimited(&mut clear).ok())
                .flatten()
        })
    }
}
