//! Walks of many subtrees at once, as a pure machine: it says what to ask next
//! and takes in what came back; it knows no socket and no clock.
//!
//! Adjacent columns of one table are one span with one cursor, and one request
//! carries the cursors of several spans. Invariants: within a span names only
//! increase; every step either moves a cursor, ends a span or asks more gently,
//! so a walk ends whatever the element answers; rows received are kept.

use super::socket::ExchangeError;
use super::wire::{Pdu, Response, error, exception};
use super::{Limits, row_bytes};
use crate::plan::oid;
use prost::bytes::Bytes;
use proto::v1::{Outcome, Varbind};
use std::cmp::Ordering;

/// Spans asked in one request at most.
const MAX_PACK: usize = 8;
/// Rows of a reply that fits every path, for an element that was silent to more.
const GENTLE_REPETITIONS: u32 = 5;
/// Spans in a row without any answer after which the element counts as gone.
const GIVE_UP: u32 = 2;

/// How gently an element must be asked; worth remembering between rounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Manner {
    /// GETBULK with at most so many bindings in an answer; GETNEXT if [`None`].
    bulk: Option<u32>,
    pack: usize,
}

const GENTLE: Manner = Manner {
    bulk: Some(GENTLE_REPETITIONS),
    pack: 1,
};

impl Manner {
    /// For an element nothing is known about.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self {
            bulk: Some(limits.max_repetitions),
            pack: MAX_PACK,
        }
    }

    /// For the next round: what did not fit then may fit now. An element that is
    /// silent to GETBULK stays so.
    #[must_use]
    pub fn relaxed(self, limits: &Limits) -> Self {
        Self {
            bulk: self
                .bulk
                .map(|bindings| bindings.saturating_mul(2).min(limits.max_repetitions)),
            pack: (self.pack * 2).min(MAX_PACK),
        }
    }
}

/// One question's share of a walk.
#[derive(Debug)]
pub struct Answer {
    /// How it ended: the worst of its spans.
    pub outcome: Outcome,
    /// In the order of the roots.
    pub varbinds: Vec<Varbind>,
}

/// A run of adjacent subtrees with one parent, walked as one.
#[derive(Debug)]
struct Span {
    question: usize,
    parent: Bytes,
    first: u32,
    last: u32,
    /// Where the walk begins.
    root: Bytes,
    rows: Vec<Varbind>,
    cut: bool,
    outcome: Option<Outcome>,
}

/// The walks of a round.
#[derive(Debug)]
pub struct Walk<'l> {
    spans: Vec<Span>,
    limits: &'l Limits,
    /// What was learned about the element.
    pub manner: Manner,
    /// Where the spans of the last request stand, and their cursors.
    asked: Vec<usize>,
    names: Vec<Bytes>,
    pdu: Pdu,
    bytes_left: usize,
    silent_spans: u32,
    begun: Manner,
    /// The manner of the last GETBULK that was answered with rows.
    worked: Option<Manner>,
}

impl<'l> Walk<'l> {
    /// Over the roots of several questions; answers may take `bytes` in all.
    #[must_use]
    pub fn new(questions: &[&[Bytes]], limits: &'l Limits, manner: Manner, bytes: usize) -> Self {
        let mut spans: Vec<Span> = Vec::new();
        for (question, roots) in questions.iter().enumerate() {
            for root in *roots {
                let Some((parent, arc)) = oid::split_last(root) else {
                    continue;
                };
                match spans.last_mut() {
                    Some(span)
                        if span.question == question
                            && span.parent == parent
                            && span.last.checked_add(1) == Some(arc) =>
                    {
                        span.last = arc;
                    }
                    _ => spans.push(Span {
                        question,
                        parent: root.slice_ref(parent),
                        first: arc,
                        last: arc,
                        root: root.clone(),
                        rows: Vec::new(),
                        cut: false,
                        outcome: None,
                    }),
                }
            }
        }
        Self {
            spans,
            limits,
            manner,
            asked: Vec::new(),
            names: Vec::new(),
            pdu: Pdu::GetNext,
            bytes_left: bytes,
            silent_spans: 0,
            begun: manner,
            worked: None,
        }
    }

    /// The next request, or [`None`] at the end.
    pub fn next_request(&mut self) -> Option<(Pdu, &[Bytes])> {
        self.asked.clear();
        self.names.clear();
        let live = self
            .spans
            .iter()
            .enumerate()
            .filter(|(_, span)| span.outcome.is_none());
        for (at, span) in live.take(self.manner.pack.max(1)) {
            self.asked.push(at);
            self.names.push(span.cursor().clone());
        }
        let count = u32::try_from(self.asked.len()).unwrap_or(u32::MAX);
        self.pdu = match self.manner.bulk {
            Some(bindings) => Pdu::GetBulk {
                repetitions: bindings.checked_div(count)?.max(1),
            },
            None => Pdu::GetNext,
        };
        (count > 0).then_some((self.pdu, self.names.as_slice()))
    }

    /// Takes in the response to the last request.
    pub fn answered(&mut self, response: Response) {
        self.silent_spans = 0;
        if response.error_status != 0 {
            return self.refused(response.error_status, response.error_index);
        }
        let mut moved = false;
        let width = self.asked.len().max(1);
        for (at, varbind) in response.varbinds.into_iter().enumerate() {
            let span = self.asked.get(at % width).and_then(|&at| self.spans.get_mut(at));
            if let Some(span) = span.filter(|span| span.outcome.is_none()) {
                span.take(varbind, self.limits, &mut self.bytes_left);
                moved = true;
            }
        }
        if !moved {
            self.more_gently(Outcome::Refused);
        } else if self.manner.bulk.is_some() {
            self.worked = Some(self.manner);
        }
    }

    /// Takes in that no response came.
    pub fn failed(&mut self, failure: ExchangeError) {
        match failure {
            ExchangeError::TimedOut => self.more_gently(Outcome::TimedOut),
            ExchangeError::Undecodable => self.more_gently(Outcome::Undecodable),
            ExchangeError::Unreachable => self.end_all(Outcome::Unreachable),
            ExchangeError::Deadline => self.end_all(Outcome::TimedOut),
        }
    }

    /// Ends a walk whose element was never heard.
    pub fn abandon(&mut self, outcome: Outcome) {
        if let Some(span) = self.spans.iter_mut().find(|span| span.outcome.is_none()) {
            span.outcome = Some(outcome);
        }
        self.end_all(Outcome::Skipped);
    }

    /// What each of the questions got.
    #[must_use]
    pub fn finish(self, questions: usize) -> Vec<Answer> {
        let mut answers: Vec<Answer> = (0..questions)
            .map(|_| Answer {
                outcome: Outcome::Complete,
                varbinds: Vec::new(),
            })
            .collect();
        for mut span in self.spans {
            let Some(answer) = answers.get_mut(span.question) else {
                continue;
            };
            let outcome = match span.outcome.unwrap_or(Outcome::Skipped) {
                Outcome::Complete if span.cut => Outcome::Truncated,
                outcome => outcome,
            };
            if answer.outcome == Outcome::Complete {
                answer.outcome = outcome;
            }
            if answer.varbinds.is_empty() {
                answer.varbinds = span.rows;
            } else {
                answer.varbinds.append(&mut span.rows);
            }
        }
        answers
    }

    fn refused(&mut self, status: i32, index: i32) {
        // Counted from 1; 0 and nonsense name nobody.
        let named = usize::try_from(index).ok().and_then(|index| index.checked_sub(1));
        let alone = self.asked.len() == 1;
        let which = if alone { Some(0) } else { named };
        let span = which
            .and_then(|at| self.asked.get(at))
            .and_then(|&at| self.spans.get_mut(at));
        match span {
            Some(span) if status == error::NO_SUCH_NAME => span.outcome = Some(Outcome::Complete),
            Some(span) if self.pdu == Pdu::GetNext && status != error::TOO_BIG => {
                span.outcome = Some(Outcome::Refused);
            }
            _ => self.smaller(),
        }
    }

    /// After an answer that did not fit or that the element could not make.
    fn smaller(&mut self) {
        let count = self.asked.len();
        match self.pdu {
            Pdu::GetBulk { repetitions } if repetitions > 1 => {
                let half = (repetitions / 2).saturating_mul(u32::try_from(count).unwrap_or(1));
                self.manner.bulk = Some(half.max(1));
            }
            _ if count > 1 => self.manner.pack = count / 2,
            Pdu::GetBulk { .. } => self.manner.bulk = None,
            _ => self.end_asked(Outcome::Refused),
        }
    }

    /// After silence or nonsense: a smaller answer, then one span at a time by
    /// GETNEXT, then on without this span.
    fn more_gently(&mut self, outcome: Outcome) {
        match self.pdu {
            Pdu::GetBulk { repetitions } if repetitions > GENTLE_REPETITIONS || self.asked.len() > 1 => {
                self.manner = Manner {
                    bulk: Some(repetitions.min(GENTLE_REPETITIONS)),
                    ..GENTLE
                };
            }
            Pdu::GetBulk { .. } => {
                self.manner = Manner { bulk: None, ..GENTLE };
            }
            _ if self.asked.len() > 1 => self.manner.pack = 1,
            _ => {
                self.end_asked(outcome);
                // Silent to GETNEXT too: it is this span, not how it was asked.
                if self.begun.bulk.is_some() {
                    self.manner = self.worked.unwrap_or(GENTLE);
                }
                if outcome == Outcome::TimedOut {
                    self.silent_spans += 1;
                }
                if self.silent_spans >= GIVE_UP {
                    self.end_all(Outcome::Skipped);
                }
            }
        }
    }

    fn end_asked(&mut self, outcome: Outcome) {
        for &at in &self.asked {
            if let Some(span) = self.spans.get_mut(at) {
                span.outcome = span.outcome.or(Some(outcome));
            }
        }
    }

    fn end_all(&mut self, outcome: Outcome) {
        for span in &mut self.spans {
            span.outcome = span.outcome.or(Some(outcome));
        }
    }
}

impl Span {
    /// The last name seen.
    fn cursor(&self) -> &Bytes {
        self.rows.last().map_or(&self.root, |row| &row.oid)
    }

    fn take(&mut self, varbind: Varbind, limits: &Limits, bytes_left: &mut usize) {
        let inside = oid::arc_below(&varbind.oid, &self.parent)
            .is_some_and(|arc| (self.first..=self.last).contains(&arc));
        let none = matches!(
            varbind.tag,
            exception::NO_SUCH_OBJECT | exception::NO_SUCH_INSTANCE | exception::END_OF_MIB_VIEW
        );
        if none || !inside {
            self.outcome = Some(Outcome::Complete);
            return;
        }
        if oid::compare(&varbind.oid, self.cursor()) != Ordering::Greater {
            self.outcome = Some(Outcome::Looping);
            return;
        }
        let (varbind, cut) = limits.cut(varbind);
        let bytes = row_bytes(&varbind);
        if self.rows.len() >= limits.max_rows || bytes > *bytes_left {
            self.outcome = Some(Outcome::Truncated);
            return;
        }
        self.cut |= cut;
        *bytes_left -= bytes;
        self.rows.push(varbind);
    }
}

#[cfg(test)]
mod tests;
