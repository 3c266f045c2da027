//! The dates on one line a law: how they lie to one another and to today.

use super::Row;
use policy::PartialDate;
use std::collections::BTreeMap;
use time::{Date, Duration};

/// Length of a line, in units of the drawing.
const LENGTH: f64 = 1_000.0;
/// Height of a line.
const HEIGHT: u32 = 26;
/// Room for years above.
const HEAD: u32 = 18;

/// What is drawn.
pub(super) struct Strip {
    pub(super) height: u32,
    pub(super) today: String,
    pub(super) years: Vec<(String, i32)>,
    pub(super) lines: Vec<Line>,
}

/// The dates of one law.
pub(super) struct Line {
    pub(super) code: String,
    pub(super) y: u32,
    pub(super) marks: Vec<Mark>,
}

/// One date of one rule.
pub(super) struct Mark {
    pub(super) anchor: String,
    pub(super) x: String,
    /// From today to the date, or from the date to today once it has passed.
    pub(super) from: String,
    pub(super) length: String,
    pub(super) tone: &'static str,
    pub(super) words: String,
}

impl Strip {
    /// Nothing where there is no date.
    pub(super) fn new(rows: &[Row], as_of: Date) -> Option<Self> {
        let dates: Vec<(Date, &Row)> = rows
            .iter()
            .filter_map(|row| Some((row.date.parse::<PartialDate>().ok()?.last(), row)))
            .collect();
        let first = dates.iter().map(|(date, _)| *date).min()?.min(as_of) - Duration::days(30);
        let last = dates.iter().map(|(date, _)| *date).max()?.max(as_of) + Duration::days(60);
        // Days of some decades at most.
        let place =
            |date: Date| (date - first).whole_days() as f64 / (last - first).whole_days() as f64 * LENGTH;
        let shown = |x: f64| format!("{x:.1}");
        let mut by_law: BTreeMap<&str, Vec<Mark>> = BTreeMap::new();
        for (date, row) in &dates {
            let (a, b) = (place(as_of.min(*date)), place(as_of.max(*date)));
            by_law.entry(&row.jurisdiction).or_default().push(Mark {
                anchor: row.anchor.clone(),
                x: shown(place(*date)),
                from: shown(a),
                length: shown(b - a),
                tone: row.tone,
                words: format!(
                    "{} {}: {} findings left, {}",
                    row.rule, row.date, row.findings, row.outlook
                ),
            });
        }
        let lines: Vec<Line> = by_law
            .into_iter()
            .zip(0_u32..)
            .map(|((code, marks), at)| Line {
                code: code.to_owned(),
                y: HEAD + at * HEIGHT,
                marks,
            })
            .collect();
        let step = ((last.year() - first.year()) / 12).max(1);
        let years = (first.year() + 1..=last.year())
            .filter(|year| year % step == 0)
            .filter_map(|year| Some((shown(place(Date::from_ordinal_date(year, 1).ok()?)), year)));
        Some(Self {
            height: HEAD + HEIGHT * u32::try_from(lines.len()).unwrap_or(1),
            today: shown(place(as_of)),
            years: years.collect(),
            lines,
        })
    }
}
