//! How gently an element must be asked, from round to round.

use super::{CALM, FIRST_BINDINGS, GENTLE_REPETITIONS, MAX_PACK};
use crate::poll::Limits;

/// How gently an element must be asked; worth remembering between rounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Manner {
    /// GETBULK with at most so many bindings in an answer; GETNEXT if [`None`].
    pub(super) bulk: Option<u32>,
    pub(super) pack: usize,
    /// Rounds for which it is not asked for more than what fitted.
    pub(super) calm: u8,
    /// GETBULK was answered with some object in this round, or GETNEXT bore it out.
    pub(super) proven: bool,
}

pub(super) const GENTLE: Manner = Manner {
    bulk: Some(GENTLE_REPETITIONS),
    pack: 1,
    calm: CALM,
    proven: false,
};

impl Manner {
    /// For an element nothing is known about.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self {
            bulk: Some(limits.max_repetitions.min(FIRST_BINDINGS)),
            pack: MAX_PACK,
            calm: 0,
            proven: false,
        }
    }

    /// For a version without GETBULK.
    #[must_use]
    pub fn without_bulk(self) -> Self {
        Self { bulk: None, ..self }
    }

    /// For the next round: what did not fit then may fit after some rounds. An element
    /// that is silent to GETBULK stays so.
    #[must_use]
    pub fn relaxed(self, limits: &Limits) -> Self {
        if let Some(calm) = self.calm.checked_sub(1) {
            return Self {
                calm,
                proven: false,
                ..self
            };
        }
        let more = |bindings: u32| bindings.max(bindings.saturating_mul(2).min(FIRST_BINDINGS));
        Self {
            bulk: self
                .bulk
                .map(|bindings| more(bindings).min(limits.max_repetitions)),
            pack: (self.pack * 2).min(MAX_PACK),
            calm: 0,
            proven: false,
        }
    }
}
