//! Exposure, differences and burn-down as CSV, for spreadsheets and programs.
//!
//! Invariants: every row has the same columns, an empty cell is nothing told; the last row is the
//! disclaimer with the evidence horizon; no text can be taken for a formula.

use crate::cli::Failure;
use crate::population::Days;
use ::policy::pace::BurnDown;
use ::policy::population::{By, Change, Difference, Elements, Example, Exposure, Group, Groups};
use ::policy::share::Capped;
use model::ResultClass;
use serde::Serialize;
use serde_json::Value;

/// Columns of an exposure and of a difference; `table` says what the other cells of a row are about.
const NETWORK: &[&str] = &[
    "as_of",
    "as_known",
    "table",
    "key",
    "findings",
    "possible",
    "opened",
    "closed",
    "changed",
    "elements",
    "cost",
    "unpriced",
    "class",
    "percent",
    "low",
    "high",
    "rule",
    "component",
    "supplier",
    "before",
    "after",
];
/// Columns of a burn-down.
const BURN_DOWN: &[&str] = &[
    "as_of",
    "rule",
    "deadline",
    "findings",
    "removed",
    "remaining",
    "outlook",
    "per_week",
    "per_week_low",
    "per_week_high",
    "needed_per_week",
    "done",
    "done_early",
    "done_late",
];
/// What makes a spreadsheet take a text for a formula, as the first sign.
const FORMULA: &[char] = &['=', '+', '-', '@', '＝', '＋', '－', '＠'];

/// One table as it grows.
pub(super) struct Sheet {
    columns: &'static [&'static str],
    told: Vec<(&'static str, String)>,
    rows: csv::Writer<Vec<u8>>,
}

impl Sheet {
    fn new(columns: &'static [&'static str]) -> Result<Self, Failure> {
        let mut rows = csv::Writer::from_writer(Vec::new());
        rows.write_record(columns).map_err(|e| Failure::other(&e))?;
        let told = Vec::new();
        Ok(Self { columns, told, rows })
    }

    /// For exposures and differences.
    pub(super) fn of_network() -> Result<Self, Failure> {
        Self::new(NETWORK)
    }

    /// For burn-downs, as of a day.
    pub(super) fn of_removal(as_of: time::Date) -> Result<Self, Failure> {
        let mut sheet = Self::new(BURN_DOWN)?;
        sheet.told = vec![("as_of", as_of.to_string())];
        Ok(sheet)
    }

    /// One row; what is not told is an empty cell.
    fn row(&mut self, cells: &[(&str, String)]) -> Result<(), Failure> {
        let told = &self.told;
        let cell = |column: &&str| {
            let mut all = told
                .iter()
                .map(|(name, text)| (*name, text))
                .chain(cells.iter().map(|(n, t)| (*n, t)));
            all.find(|(name, _)| name == column)
                .map_or_else(String::new, |(_, text)| plain(text))
        };
        let cells: Vec<String> = self.columns.iter().map(cell).collect();
        self.rows.write_record(cells).map_err(|e| Failure::other(&e))
    }

    /// The rows, the disclaimer last.
    pub(super) fn finish(mut self, notice: &str) -> Result<String, Failure> {
        let (kind, text) = if self.columns == NETWORK {
            ("table", "key")
        } else {
            ("rule", "deadline")
        };
        self.row(&[(kind, "notice".to_owned()), (text, notice.to_owned())])?;
        let bytes = self.rows.into_inner().map_err(|e| Failure::other(&e))?;
        String::from_utf8(bytes).map_err(|e| Failure::other(&e))
    }

    /// What follows is of these days.
    pub(super) fn on(&mut self, days: Days) {
        self.told = vec![
            ("as_of", days.as_of.to_string()),
            ("as_known", days.known().to_string()),
        ];
    }

    pub(super) fn exposure(&mut self, told: &Exposure) -> Result<(), Failure> {
        self.elements(&told.elements)?;
        for (standing, count) in &told.standings {
            self.row(&[
                ("table", "standing".to_owned()),
                ("key", standing.as_str().to_owned()),
                ("elements", count.to_string()),
            ])?;
        }
        self.row(&[
            ("table", "total".to_owned()),
            ("findings", told.findings.to_string()),
        ])?;
        self.groups(&told.groups, |group: &Group| {
            vec![
                ("findings", group.findings),
                ("possible", group.possible),
                ("elements", group.elements),
                ("cost", group.cost),
                ("unpriced", group.unpriced),
            ]
        })?;
        self.caps("cap", &told.caps)
    }

    pub(super) fn difference(&mut self, told: &Difference) -> Result<(), Failure> {
        self.elements(&told.elements)?;
        let of = |change: &Change| {
            vec![
                ("opened", change.opened),
                ("closed", change.closed),
                ("changed", change.changed),
                ("elements", change.elements),
                ("cost", change.cost),
                ("unpriced", change.unpriced),
            ]
        };
        let mut total = vec![("table", "total".to_owned())];
        total.extend(of(&told.total).into_iter().map(|(name, n)| (name, n.to_string())));
        self.row(&total)?;
        self.groups(&told.groups, of)?;
        let [before, after] = &told.caps;
        self.caps("cap before", before)?;
        self.caps("cap after", after)?;
        told.examples.iter().try_for_each(|example| self.example(example))
    }

    fn elements(&mut self, told: &Elements) -> Result<(), Failure> {
        let counts = [
            ("judged", told.judged),
            ("not_yet_seen", told.not_yet_seen),
            ("presumed", told.presumed),
            ("unknown_maker", told.unknown_maker),
        ];
        for (key, count) in counts {
            self.row(&[
                ("table", "elements".to_owned()),
                ("key", key.to_owned()),
                ("elements", count.to_string()),
            ])?;
        }
        Ok(())
    }

    fn groups<T>(
        &mut self,
        groups: &Groups<T>,
        of: impl Fn(&T) -> Vec<(&'static str, u64)>,
    ) -> Result<(), Failure> {
        for by in By::ALL {
            for (key, group) in groups.get(&by).into_iter().flatten() {
                let mut cells = vec![("table", by.as_str().to_owned()), ("key", key.clone())];
                cells.extend(
                    of(group)
                        .into_iter()
                        .map(|(name, count)| (name, count.to_string())),
                );
                self.row(&cells)?;
            }
        }
        Ok(())
    }

    fn caps(&mut self, table: &str, told: &[Capped]) -> Result<(), Failure> {
        for cap in told {
            self.row(&[
                ("table", table.to_owned()),
                ("key", cap.rule.clone()),
                ("class", cap.class.to_string()),
                ("percent", cap.percent.to_string()),
                ("low", cap.low.to_string()),
                ("high", cap.high.to_string()),
            ])?;
        }
        Ok(())
    }

    fn example(&mut self, told: &Example) -> Result<(), Failure> {
        let shown = |side: &Option<(ResultClass, Option<String>)>| {
            side.as_ref().map_or_else(String::new, |(class, date)| {
                format!("{class} {}", date.as_deref().unwrap_or_default())
                    .trim_end()
                    .to_owned()
            })
        };
        self.row(&[
            ("table", "finding".to_owned()),
            ("key", told.name.clone()),
            ("rule", told.rule.clone()),
            ("component", told.component.clone().unwrap_or_default()),
            ("supplier", told.supplier.clone()),
            ("before", shown(&told.before)),
            ("after", shown(&told.after)),
        ])
    }

    pub(super) fn burn_down(&mut self, told: &[BurnDown]) -> Result<(), Failure> {
        for one in told {
            let mut cells = vec![
                ("rule", one.rule.clone()),
                ("deadline", one.deadline.clone()),
                ("findings", one.findings.to_string()),
                ("removed", one.removed.to_string()),
                ("remaining", one.remaining.to_string()),
                ("outlook", word(&one.outlook)),
            ];
            if let Some(forecast) = &one.forecast {
                let ([low, high], [early, late]) = (forecast.per_week_95, &forecast.done_95);
                cells.extend([
                    ("per_week", forecast.per_week.to_string()),
                    ("per_week_low", low.to_string()),
                    ("per_week_high", high.to_string()),
                    (
                        "needed_per_week",
                        forecast
                            .needed_per_week
                            .map_or_else(String::new, |n| n.to_string()),
                    ),
                    ("done", forecast.done.clone().unwrap_or_default()),
                    ("done_early", early.clone().unwrap_or_default()),
                    ("done_late", late.clone().unwrap_or_default()),
                ]);
            }
            self.row(&cells)?;
        }
        Ok(())
    }
}

/// The word JSON has for it.
fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => word,
        _ => String::new(),
    }
}

/// A text that stays one: names come from devices, and a spreadsheet runs what begins like a formula.
fn plain(text: &str) -> String {
    let text: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if text.trim_start().starts_with(FORMULA) {
        return format!("'{text}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::date;

    #[test]
    fn no_text_is_a_formula_and_every_row_has_all_columns() {
        for (told, expected) in [
            ("=HYPERLINK(\"http://x\")", "'=HYPERLINK(\"http://x\")"),
            ("\t=1+1", "' =1+1"),
            ("\r\n@SUM(A1)", "'  @SUM(A1)"),
            ("+49 30", "'+49 30"),
            ("-1", "'-1"),
            ("＝1", "'＝1"),
            ("BER-CORE-1", "BER-CORE-1"),
            ("a=b", "a=b"),
            ("", ""),
        ] {
            assert_eq!(plain(told), expected, "{told:?}");
        }
        let mut sheet = Sheet::of_removal(date!(2026 - 11 - 25)).ok().unwrap();
        sheet
            .row(&[
                ("rule", "=cmd|' /C calc'!A0".to_owned()),
                ("removed", "3".to_owned()),
            ])
            .ok()
            .unwrap();
        let text = sheet.finish("no advice, \"quoted\"").ok().unwrap();
        let mut read = csv::Reader::from_reader(text.as_bytes());
        let rows: Vec<csv::StringRecord> = read.records().map(Result::unwrap).collect();
        assert_eq!(read.headers().unwrap().len(), BURN_DOWN.len());
        assert_eq!(
            rows[0].iter().collect::<Vec<_>>()[..5],
            ["2026-11-25", "'=cmd|' /C calc'!A0", "", "", "3"]
        );
        assert_eq!(&rows[1][2], "no advice, \"quoted\"");
    }
}
