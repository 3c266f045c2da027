//! Walks of many subtrees at once, as a pure machine: it says what to ask next
//! and takes in what came back; it knows no socket and no clock.
//!
//! Adjacent columns of one table are one span with one cursor, and one request
//! carries the cursors of several spans. Invariants: within a span names only
//! increase; every step either moves a cursor, ends a span or asks more gently,
//! so a walk ends whatever the element answers; rows received are kept; no table
//! is called complete because a GETBULK was answered against RFC 3416.

mod manner;
mod span;
mod part;
mod split;

pub use manner::Manner;
pub use part::Part;
pub use split::Split;

use super::room::Budget;
use super::socket::ExchangeError;
use super::wire::{Pdu, Response, error, exception};
use super::{Limits, outcome_of};
use crate::plan::oid;
use manner::GENTLE;
use prost::bytes::Bytes;
use proto::v1::{Outcome, Varbind};
use span::Span;
use std::cmp::Ordering;

/// Spans asked in one request at most.
const MAX_PACK: usize = 8;
/// Bindings asked for as long as it is not known how many fill a frame.
const FIRST_BINDINGS: u32 = 40;
/// Octets of bindings that fill an Ethernet frame beside the headers and the message around them.
const FRAME: usize = 1_400;
/// Rows of a reply that fits every path, for an element that was silent to more.
const GENTLE_REPETITIONS: u32 = 5;
/// Rounds after an answer did not fit before more is tried again.
const CALM: u8 = 8;
/// Spans in a row without any answer after which the element counts as gone.
const GIVE_UP: u32 = 2;

/// One question's share of a walk.
#[derive(Debug)]
pub struct Answer {
    /// How it ended: the worst of its spans.
    pub outcome: Outcome,
    /// In the order of the roots.
    pub varbinds: Vec<Varbind>,
}

/// The walks of a round.
#[derive(Debug)]
pub struct Walk<'l, 'r> {
    spans: Vec<Span>,
    limits: &'l Limits,
    /// What rows may still take.
    budget: &'l mut Budget<'r>,
    /// What was learned about the element.
    pub manner: Manner,
    /// Where the spans of the last request stand, and their cursors.
    asked: Vec<usize>,
    names: Vec<Bytes>,
    pdu: Pdu,
    silent_spans: u32,
    begun: Manner,
    /// The manner of the last GETBULK that was answered with rows.
    worked: Option<Manner>,
    /// The most bindings of an answer.
    fill: usize,
}

impl<'l, 'r> Walk<'l, 'r> {
    /// Over the roots of several questions, their tables cut like this.
    #[must_use]
    pub fn new(
        questions: &[&[Bytes]],
        limits: &'l Limits,
        manner: Manner,
        budget: &'l mut Budget<'r>,
        split: &Split,
    ) -> Self {
        let mut spans: Vec<Span> = Vec::new();
        for (question, roots) in questions.iter().enumerate() {
            for root in *roots {
                let Some((parent, arc)) = oid::split_last(root) else {
                    continue;
                };
                let mut table = 0;
                if let Some(span) = spans.last_mut() {
                    let adjacent = span.question == question
                        && span.parent == parent
                        && span.last.checked_add(1) == Some(arc);
                    if adjacent && !split.is_after(span.table, span.last) {
                        span.last = arc;
                        continue;
                    }
                    table = span.table.saturating_add(u16::from(!adjacent));
                }
                let expected = split.rows_of(spans.len());
                let parent = root.slice_ref(parent);
                spans.push(Span::new((question, table), (parent, arc), root, expected));
            }
        }
        Self {
            spans,
            limits,
            budget,
            manner,
            asked: Vec::new(),
            names: Vec::new(),
            pdu: Pdu::GetNext,
            silent_spans: 0,
            begun: manner,
            worked: None,
            fill: 0,
        }
    }

    /// How the tables are better cut the next time, if not as they were.
    #[must_use]
    pub fn better(&self, split: &Split) -> Option<Split> {
        split.renewed(&self.spans, self.fill, self.manner.pack)
    }

    /// Goes on where an earlier walk of the same columns stopped.
    pub fn resume(&mut self, parts: &[Part]) {
        for span in &mut self.spans {
            if let Some(part) = parts.iter().find(|part| span.is_of(part)) {
                span.resume(part, self.budget);
            }
        }
    }

    /// How far every run of columns is; nothing when there is no memory to keep it.
    #[must_use]
    pub fn parts(&self) -> Vec<Part> {
        let parts: Option<Vec<_>> = self.spans.iter().map(Part::of).collect();
        parts.unwrap_or_default()
    }

    /// Rows of all runs.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.spans.iter().map(|span| span.rows.len()).sum()
    }

    /// Whether some run ended because the element fell silent.
    #[must_use]
    pub fn fell_silent(&self) -> bool {
        self.spans
            .iter()
            .any(|span| span.outcome == Some(Outcome::TimedOut))
    }

    /// The next request, or [`None`] at the end.
    pub fn next_request(&mut self) -> Option<(Pdu, &[Bytes])> {
        self.asked.clear();
        self.names.clear();
        let doubted = |span: &Span| span.doubted && span.outcome.is_none();
        let doubting = self.spans.iter().any(doubted);
        let live = self
            .spans
            .iter()
            .enumerate()
            .filter(|(_, span)| span.outcome.is_none() && span.doubted == doubting);
        for (at, span) in live.take(self.manner.pack.max(1)) {
            self.asked.push(at);
            self.names.push(span.cursor().clone());
        }
        let count = u32::try_from(self.asked.len()).unwrap_or(u32::MAX);
        self.pdu = match self.manner.bulk {
            Some(bindings) if !doubting => Pdu::GetBulk {
                repetitions: bindings.checked_div(count)?.min(self.rows_to_come()).max(1),
            },
            _ => Pdu::GetNext,
        };
        (count > 0).then_some((self.pdu, self.names.as_slice()))
    }

    /// How many rows the spans of the request will have at most, as far as is known, and what
    /// follows them.
    fn rows_to_come(&self) -> u32 {
        let to_come = |&at: &usize| {
            let span = self.spans.get(at)?;
            // Who has more rows than before may have any number.
            span.expected?.checked_sub(span.rows.len())
        };
        let most = self
            .asked
            .iter()
            .map(to_come)
            .try_fold(0, |most, one| Some(most.max(one?)));
        most.and_then(|most| u32::try_from(most + 1).ok())
            .unwrap_or(u32::MAX)
    }

    /// Takes in the response to the last request.
    pub fn answered(&mut self, response: Response) {
        self.silent_spans = 0;
        if response.error_status != 0 {
            return self.refused(response.error_status, response.error_index);
        }
        let bulk = self.pdu != Pdu::GetNext;
        // An element that says what comes after a table is believed when it says that nothing does.
        self.manner.proven |= bulk && response.varbinds.iter().any(|one| !is_exception(one.tag));
        let count = response.varbinds.len();
        let octets: usize = response.varbinds.iter().map(wire_bytes).sum();
        let (moved, misplaced) = self.take(response.varbinds);
        if misplaced {
            self.manner.pack = 1;
            self.worked = self.worked.map(|worked| Manner { pack: 1, ..worked });
        } else if !moved {
            self.more_gently(Outcome::Refused);
        } else if bulk {
            self.fill = self.fill.max(count);
            self.fill_the_frame(count, octets);
            self.worked = Some(self.manner);
        }
    }

    /// After an answer with all that was asked for, asks for as much as fills a frame; after
    /// one that the element itself cut there, for as much as there may be.
    fn fill_the_frame(&mut self, count: usize, octets: usize) {
        let Pdu::GetBulk { repetitions } = self.pdu else {
            return;
        };
        let asked = usize::try_from(repetitions)
            .unwrap_or(usize::MAX)
            .saturating_mul(self.asked.len());
        let most = self.limits.max_repetitions;
        let wanted = match octets {
            0 => return,
            octets if count < asked && octets * 10 > FRAME * 9 && octets <= FRAME * 11 / 10 => most,
            octets if count == asked => u32::try_from(count * FRAME / octets).unwrap_or(most),
            _ => return,
        };
        if self.manner.calm == 0 {
            self.manner.bulk = self.manner.bulk.map(|bulk| bulk.max(wanted).min(most.max(bulk)));
        }
    }

    /// Takes in the bindings of a reply, row by row; says whether any was for a
    /// span, and whether one was not where it belongs, so that the rest was dropped.
    fn take(&mut self, varbinds: Vec<Varbind>) -> (bool, bool) {
        let repetitions = match self.pdu {
            Pdu::GetBulk { repetitions } => usize::try_from(repetitions).unwrap_or(usize::MAX),
            _ => 1,
        };
        let verifying = self.pdu == Pdu::GetNext;
        let width = self.asked.len().max(1);
        let fitting = self.fitting(&varbinds);
        let mut moved = false;
        let mut column = 0;
        for (at, varbind) in varbinds
            .into_iter()
            .take(width.saturating_mul(repetitions))
            .enumerate()
        {
            let Some(&which) = self.asked.get(column) else {
                break;
            };
            column = if column + 1 < width { column + 1 } else { 0 };
            let fits = at < fitting && (at < width || !self.belongs_elsewhere(which, &varbind));
            let live = |span: &&mut Span| span.outcome.is_none() && (verifying || !span.doubted);
            let span = self.spans.get_mut(which).filter(live);
            match (fits, span) {
                (true, Some(span)) => {
                    span.take(varbind, self.pdu, self.manner, self.limits, self.budget);
                    if verifying && span.doubted {
                        span.doubted = false;
                        if span.outcome == Some(Outcome::Complete) {
                            self.manner.proven = true;
                        } else {
                            // There was more: this element's GETBULK cannot be used.
                            (self.manner.bulk, self.begun.bulk, self.worked) = (None, None, None);
                        }
                    }
                }
                (true, None) => continue,
                (false, _) if width > 1 => return (true, true),
                (false, Some(span)) => span.outcome = Some(Outcome::Looping),
                (false, None) => break,
            }
            moved = true;
        }
        (moved, false)
    }

    /// How many bindings stand where they may (RFC 3416, 4.2.3): names increase down a column
    /// to endOfMibView, after which nothing else comes.
    fn fitting(&self, varbinds: &[Varbind]) -> usize {
        let width = self.asked.len().max(1);
        let fits = |at: usize, varbind: &Varbind| {
            if is_exception(varbind.tag) {
                return true;
            }
            let above = at.checked_sub(width).and_then(|above| varbinds.get(above));
            let (last, ended) = match above {
                Some(above) => (Some(&above.oid), above.tag == exception::END_OF_MIB_VIEW),
                None => (self.names.get(at), false),
            };
            !ended && last.is_some_and(|last| oid::compare(&varbind.oid, last) == Ordering::Greater)
        };
        let wrong = varbinds
            .iter()
            .enumerate()
            .position(|(at, varbind)| !fits(at, varbind));
        wrong.unwrap_or(varbinds.len())
    }

    /// Whether a binding continues another span of the request than the one it
    /// stands for, as when an element leaves out columns that ended. An honest
    /// column that runs on into the next table stays behind that table's cursor.
    fn belongs_elsewhere(&self, which: usize, varbind: &Varbind) -> bool {
        let others = self.asked.iter().filter(|&&at| at != which);
        !self.spans.get(which).is_some_and(|span| span.holds(&varbind.oid))
            && others.filter_map(|&at| self.spans.get(at)).any(|span| {
                span.outcome.is_none()
                    && span.holds(&varbind.oid)
                    && oid::compare(&varbind.oid, span.cursor()).is_gt()
            })
    }

    /// Takes in that no response came.
    pub fn failed(&mut self, failure: ExchangeError) {
        match failure {
            failure if failure.is_final() => self.end_all(outcome_of(failure)),
            failure => self.more_gently(outcome_of(failure)),
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
            Some(span) if status == error::NO_SUCH_NAME && self.pdu == Pdu::GetNext => {
                span.outcome = Some(Outcome::Complete);
            }
            // Not an answer to GETBULK (RFC 3416, 4.2.3), but some elements end so.
            Some(span) if status == error::NO_SUCH_NAME => span.doubted = true,
            Some(span) if self.pdu == Pdu::GetNext && status != error::TOO_BIG => {
                span.outcome = Some(Outcome::Refused);
            }
            _ => self.smaller(),
        }
    }

    /// After an answer that did not fit or that the element could not make.
    fn smaller(&mut self) {
        self.manner.calm = CALM;
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
        self.manner.calm = CALM;
        match self.pdu {
            Pdu::GetBulk { repetitions } if repetitions > GENTLE_REPETITIONS || self.asked.len() > 1 => {
                self.manner.bulk = Some(repetitions.min(GENTLE_REPETITIONS));
                self.manner.pack = 1;
            }
            Pdu::GetBulk { .. } => {
                self.manner.bulk = None;
                self.manner.pack = 1;
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

/// What a binding takes in a message, to an octet or two.
fn wire_bytes(varbind: &Varbind) -> usize {
    varbind.oid.len() + varbind.value.len() + 6
}

/// RFC 3416, 3: whether a value says that there is none.
pub(super) fn is_exception(tag: u32) -> bool {
    matches!(
        tag,
        exception::NO_SUCH_OBJECT | exception::NO_SUCH_INSTANCE | exception::END_OF_MIB_VIEW
    )
}

#[cfg(test)]
mod tests;
