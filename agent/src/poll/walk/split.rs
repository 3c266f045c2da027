//! Where tables are cut so that answers to GETBULK come full.
//!
//! GETBULK asks for as many rows of every cursor, so short runs of columns beside long ones
//! waste most of an answer. What an element showed in one walk tells how to cut its tables
//! for the next one: any cut is right, a good one saves requests. Pure.

use super::{Span, oid};
use proto::v1::Outcome;

/// Runs of columns that are considered, in multiples of the longest column.
const MULTIPLES: usize = 6;
/// Larger walks fill their answers anyway.
const MANY_ROWS: usize = 1_000;

/// The cuts of one element's tables; worth remembering between rounds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Split {
    /// Rows of each run when this was thought out.
    rows: Box<[u32]>,
    /// The table and the last column of a run.
    ends: Box<[(u16, u32)]>,
}

impl Split {
    /// Whether a table is cut after a column.
    pub(super) fn is_after(&self, table: u16, column: u32) -> bool {
        self.ends.contains(&(table, column))
    }

    /// Of a walk that ended, if it ended well, with so many bindings in an answer and so many
    /// cursors in a request; [`None`] where this one still fits.
    pub(super) fn renewed(&self, spans: &[Span], fill: usize, pack: usize) -> Option<Self> {
        if spans.iter().any(|span| span.outcome != Some(Outcome::Complete)) {
            return None;
        }
        let count = |rows: usize| u32::try_from(rows).unwrap_or(u32::MAX);
        let same = spans.len() == self.rows.len()
            && spans
                .iter()
                .zip(&self.rows)
                .all(|(span, rows)| count(span.rows.len()) == *rows);
        if same {
            return None;
        }
        let columns = columns(spans);
        let all: usize = spans.iter().map(|span| span.rows.len()).sum();
        let (runs, ends) = match all {
            0..=MANY_ROWS => best(&columns, fill, pack),
            _ => cut(&columns, usize::MAX),
        };
        Some(Self {
            rows: runs.into_iter().map(count).collect(),
            ends: ends.into(),
        })
    }

    /// How many rows a run had, if that is known.
    pub(super) fn rows_of(&self, run: usize) -> Option<usize> {
        let rows = self.rows.get(run).copied()?;
        usize::try_from(rows).ok()
    }
}

/// A column of a table and its rows.
struct Column {
    table: u16,
    arc: u32,
    rows: usize,
}

fn columns(spans: &[Span]) -> Vec<Column> {
    let mut columns: Vec<Column> = Vec::new();
    for span in spans {
        if span.rows.is_empty() && columns.last().is_none_or(|last| last.table != span.table) {
            // A run without rows is a run all the same.
            columns.push(Column {
                table: span.table,
                arc: span.first,
                rows: 0,
            });
        }
        for row in &span.rows {
            let arc = oid::arc_below(&row.oid, &span.parent).unwrap_or(span.first);
            match columns.last_mut() {
                Some(last) if last.table == span.table && last.arc == arc => last.rows += 1,
                _ => columns.push(Column {
                    table: span.table,
                    arc,
                    rows: 1,
                }),
            }
        }
    }
    columns
}

/// The cuts with which the fewest requests bring everything.
fn best(columns: &[Column], fill: usize, pack: usize) -> (Vec<usize>, Vec<(u16, u32)>) {
    let longest = columns.iter().map(|column| column.rows).max().unwrap_or(0);
    let lengths = (1..=MULTIPLES).rev().map(|times| longest * times);
    let cuts = std::iter::once(usize::MAX)
        .chain(lengths)
        .map(|length| cut(columns, length));
    let cost = |(runs, _): &(Vec<usize>, Vec<(u16, u32)>)| requests(runs.clone(), fill, pack);
    // Of equals the first: the fewest cuts.
    cuts.min_by_key(cost).unwrap_or_default()
}

/// Runs of columns of at most so many rows, and where they end.
fn cut(columns: &[Column], length: usize) -> (Vec<usize>, Vec<(u16, u32)>) {
    let (mut runs, mut ends) = (Vec::new(), Vec::new());
    let mut before: Option<&Column> = None;
    for column in columns {
        match (before, runs.last_mut()) {
            (Some(before), Some(run)) if before.table == column.table && *run + column.rows <= length => {
                *run += column.rows;
            }
            (Some(before), Some(_)) if before.table == column.table => {
                ends.push((before.table, before.arc));
                runs.push(column.rows);
            }
            _ => runs.push(column.rows),
        }
        before = Some(column);
    }
    (runs, ends)
}

/// How many requests bring runs of so many rows.
fn requests(mut runs: Vec<usize>, fill: usize, pack: usize) -> usize {
    // What follows the last row shows that it is the last.
    runs.iter_mut().for_each(|run| *run += 1);
    let mut count = 0;
    while !runs.is_empty() {
        let asked = runs.len().min(pack.max(1));
        let (whole, rest) = (fill / asked, fill % asked);
        for (at, run) in runs.iter_mut().take(asked).enumerate() {
            *run = run.saturating_sub(whole.max(1) + usize::from(at < rest));
        }
        runs.retain(|run| *run > 0);
        count += 1;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(table: u16, columns: u32, rows: usize) -> impl Iterator<Item = Column> {
        (1..=columns).map(move |arc| Column { table, arc, rows })
    }

    #[test]
    fn short_tables_are_cut_to_the_length_of_the_longest_column() {
        // An access switch: 7 parts, 28 interfaces, a neighbour.
        let switch: Vec<Column> = table(0, 13, 7)
            .chain(table(1, 1, 28))
            .chain(table(2, 7, 1))
            .collect();
        let (_, ends) = best(&switch, 48, 8);
        assert_eq!(ends, [(0, 4), (0, 8), (0, 12)]);
        let runs = |length| requests(cut(&switch, length).0, 48, 8);
        assert_eq!((runs(28), runs(usize::MAX)), (3, 4));
        // Nothing is gained where there is one table, or nothing.
        assert_eq!(best(&table(0, 13, 7).collect::<Vec<_>>(), 48, 8).1, []);
        assert_eq!(best(&[], 48, 8), (vec![], vec![]));
    }

    #[test]
    fn every_row_is_asked_for() {
        for (runs, fill, pack, expected) in [
            (vec![], 40, 8, 0),
            (vec![0], 40, 8, 1),
            (vec![39], 40, 8, 1),
            (vec![40], 40, 8, 2),
            (vec![1; 9], 40, 8, 2),
            (vec![4, 4], 1, 8, 5),
        ] {
            assert_eq!(requests(runs.clone(), fill, pack), expected, "{runs:?}");
        }
    }
}
