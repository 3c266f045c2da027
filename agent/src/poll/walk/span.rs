//! One run of adjacent columns, walked with one cursor.
//!
//! Invariants: names only increase; of each column the first `max_rows` rows are kept, so that
//! a table that is too long is cut straight across and not behind its first columns.

use super::{Manner, Part, is_exception};
use crate::plan::oid;
use crate::poll::Limits;
use crate::poll::room::Budget;
use crate::poll::wire::{Pdu, exception};
use prost::bytes::Bytes;
use proto::v1::{Outcome, Varbind};

/// Rows that memory is set aside for at once, whatever was there the last time.
const AT_ONCE: usize = 4_096;

/// A run of adjacent subtrees with one parent, walked as one.
#[derive(Debug)]
pub(super) struct Span {
    pub(super) question: usize,
    /// Of runs of one table, which one it is.
    pub(super) table: u16,
    pub(super) parent: Bytes,
    pub(super) first: u32,
    pub(super) last: u32,
    /// Where the walk begins.
    pub(super) root: Bytes,
    pub(super) rows: Vec<Varbind>,
    /// So many were there the last time.
    pub(super) expected: Option<usize>,
    /// The column that was read last, and its rows.
    column: u32,
    in_column: usize,
    /// Where the next column begins, when this one has all the rows it may have.
    pub(super) next_column: Option<Bytes>,
    /// Something was left out: a part of a value, or rows of a column.
    pub(super) cut: bool,
    /// Ended by an answer to GETBULK that GETNEXT must bear out.
    pub(super) doubted: bool,
    pub(super) outcome: Option<Outcome>,
}

impl Span {
    /// Of a question's run in a table, from the first column on, at most so many rows expected.
    pub(super) fn new(
        (question, table): (usize, u16),
        (parent, column): (Bytes, u32),
        root: &Bytes,
        expected: Option<usize>,
    ) -> Self {
        Self {
            question,
            table,
            parent,
            first: column,
            last: column,
            root: root.clone(),
            rows: Vec::with_capacity(expected.unwrap_or(0).min(AT_ONCE)),
            expected,
            column,
            in_column: 0,
            next_column: None,
            cut: false,
            doubted: false,
            outcome: None,
        }
    }

    /// The name to ask on from.
    pub(super) fn cursor(&self) -> &Bytes {
        let last = self.rows.last().map_or(&self.root, |row| &row.oid);
        self.next_column.as_ref().unwrap_or(last)
    }

    /// Whether a name is of one of the columns.
    pub(super) fn holds(&self, name: &[u8]) -> bool {
        self.column_of(name).is_some()
    }

    fn column_of(&self, name: &[u8]) -> Option<u32> {
        oid::arc_below(name, &self.parent).filter(|arc| (self.first..=self.last).contains(arc))
    }

    /// Whether this was read of the same columns.
    pub(super) fn is_of(&self, part: &Part) -> bool {
        part.root == self.root && part.last == self.last
    }

    /// Goes on behind what was read earlier.
    pub(super) fn resume(&mut self, part: &Part, budget: &mut Budget<'_>) {
        (self.cut, self.outcome) = (part.cut, part.outcome);
        for row in part.rows() {
            if !budget.take(&row) {
                self.outcome = Some(Outcome::Truncated);
                return;
            }
            let column = self.column_of(&row.oid).unwrap_or(self.column);
            self.push(row, column);
        }
        self.next_column.clone_from(&part.next_column);
    }

    fn push(&mut self, row: Varbind, column: u32) {
        if column != self.column {
            (self.column, self.in_column) = (column, 0);
        }
        self.in_column += 1;
        self.next_column = None;
        self.rows.push(row);
    }

    /// Takes in one binding of an answer.
    pub(super) fn take(
        &mut self,
        varbind: Varbind,
        pdu: Pdu,
        manner: Manner,
        limits: &Limits,
        budget: &mut Budget<'_>,
    ) {
        if is_exception(varbind.tag) {
            // Only endOfMibView is an answer to GETBULK, and one that never says else is no proof.
            let illegal = varbind.tag != exception::END_OF_MIB_VIEW;
            let unproven = self.rows.is_empty() && !manner.proven;
            if pdu != Pdu::GetNext && (illegal || unproven) {
                self.doubted = true;
            } else {
                self.outcome = Some(Outcome::Complete);
            }
            return;
        }
        let Some(column) = self.column_of(&varbind.oid) else {
            self.outcome = Some(Outcome::Complete);
            return;
        };
        if self.next_column.is_some() && column == self.column {
            // The rest of an answer about a column that has its rows.
            return;
        }
        if column == self.column && self.in_column >= limits.max_rows {
            self.cut = true;
            match column.checked_add(1).filter(|next| *next <= self.last) {
                Some(next) => self.next_column = Some(oid::child(&self.parent, next)),
                None => self.outcome = Some(Outcome::Truncated),
            }
            return;
        }
        let (varbind, cut) = limits.cut(varbind);
        if !budget.take(&varbind) {
            self.outcome = Some(Outcome::Truncated);
            return;
        }
        self.cut |= cut;
        self.push(varbind, column);
    }
}
