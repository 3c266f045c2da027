//! Dates as exact as their source: a year, a month or a day.
//!
//! Invariant: a missing month or day is never guessed; it widens the date to a
//! period with a first and a last day.

use serde::Deserialize;
use std::fmt;
use time::{Date, Month};

/// `2023`, `2018-11` or `2018-11-20`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct PartialDate {
    first: Date,
    last: Date,
    shape: Shape,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Shape {
    Year,
    Month,
    Day,
}

/// A length of time: days, months or years.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Span {
    /// Days.
    Days(u16),
    /// Months.
    Months(u16),
    /// Years.
    Years(u16),
}

impl TryFrom<String> for Span {
    type Error = String;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
        let unit = text.get(digits.len()..).unwrap_or_default();
        match (digits.parse::<u16>(), unit) {
            (Ok(count), "d") => Ok(Self::Days(count)),
            (Ok(count), "mo") => Ok(Self::Months(count)),
            (Ok(count), "y") => Ok(Self::Years(count)),
            _ => Err(format!(
                "{:?} is no length of time; write e.g. 10d, 36mo or 4y",
                text.chars().take(40).collect::<String>()
            )),
        }
    }
}

/// Why a text is not a partial date.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a date; write YYYY, YYYY-MM or YYYY-MM-DD")]
pub struct InvalidDate(String);

impl PartialDate {
    /// The first day it can mean.
    #[must_use]
    pub fn first(self) -> Date {
        self.first
    }

    /// The last day it can mean.
    #[must_use]
    pub fn last(self) -> Date {
        self.last
    }

    /// The date `span` later, as exact as this one; a day that a month lacks becomes its last.
    /// Days after a month or a year are not told (`None`), nor what lies beyond the calendar.
    #[must_use]
    pub fn plus(self, span: Span) -> Option<Self> {
        let months = match span {
            Span::Days(days) if self.shape == Shape::Day => {
                let day = self.first.checked_add(time::Duration::days(i64::from(days)))?;
                return Some(Self::from(day));
            }
            Span::Days(_) => return None,
            Span::Months(months) if self.shape == Shape::Year && months % 12 != 0 => return None,
            Span::Months(months) => i32::from(months),
            Span::Years(years) => i32::from(years) * 12,
        };
        let count = self.first.year() * 12 + i32::from(u8::from(self.first.month())) - 1 + months;
        let (year, month) = (count.div_euclid(12), u8::try_from(count.rem_euclid(12) + 1).ok()?);
        let length = Month::try_from(month).ok()?.length(year);
        Self::read(&match self.shape {
            Shape::Year => format!("{year:04}"),
            Shape::Month => format!("{year:04}-{month:02}"),
            Shape::Day => format!("{year:04}-{month:02}-{:02}", self.first.day().min(length)),
        })
    }

    fn read(text: &str) -> Option<Self> {
        if !matches!(text.len(), 4 | 7 | 10) || !text.bytes().all(|b| b.is_ascii_digit() || b == b'-') {
            return None;
        }
        let mut parts = text.split('-');
        let year: i32 = parts.next().filter(|y| y.len() == 4)?.parse().ok()?;
        let number = |part: Option<&str>| part.map(|p| p.parse::<u8>().ok().filter(|_| p.len() == 2));
        let (month, day) = (number(parts.next()), number(parts.next()));
        if parts.next().is_some() {
            return None;
        }
        match (month, day) {
            (None, _) => Some(Self {
                first: Date::from_calendar_date(year, Month::January, 1).ok()?,
                last: Date::from_calendar_date(year, Month::December, 31).ok()?,
                shape: Shape::Year,
            }),
            (Some(month), None) => {
                let month = Month::try_from(month?).ok()?;
                Some(Self {
                    first: Date::from_calendar_date(year, month, 1).ok()?,
                    last: Date::from_calendar_date(year, month, month.length(year)).ok()?,
                    shape: Shape::Month,
                })
            }
            (Some(month), Some(day)) => {
                let day = Date::from_calendar_date(year, Month::try_from(month?).ok()?, day?).ok()?;
                Some(Self {
                    first: day,
                    last: day,
                    shape: Shape::Day,
                })
            }
        }
    }
}

impl From<Date> for PartialDate {
    fn from(day: Date) -> Self {
        Self {
            first: day,
            last: day,
            shape: Shape::Day,
        }
    }
}

impl std::str::FromStr for PartialDate {
    type Err = InvalidDate;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::read(text).ok_or_else(|| InvalidDate(text.chars().take(40).collect()))
    }
}

impl TryFrom<String> for PartialDate {
    type Error = InvalidDate;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl fmt::Display for PartialDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}", self.first.year())?;
        if self.shape != Shape::Year {
            write!(f, "-{:02}", u8::from(self.first.month()))?;
        }
        if self.shape == Shape::Day {
            write!(f, "-{:02}", self.first.day())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::date;

    #[test]
    fn parts_widen_to_periods() {
        for (text, first, last) in [
            ("2023", date!(2023 - 01 - 01), date!(2023 - 12 - 31)),
            ("2024-02", date!(2024 - 02 - 01), date!(2024 - 02 - 29)),
            ("2026-12-31", date!(2026 - 12 - 31), date!(2026 - 12 - 31)),
        ] {
            let read: PartialDate = text.parse().unwrap();
            assert_eq!(
                (read.first(), read.last(), read.to_string()),
                (first, last, text.to_owned())
            );
        }
    }

    #[test]
    fn spans_keep_the_shape() {
        for (from, span, to) in [
            ("2027-01-31", "36mo", Some("2030-01-31")),
            ("2027-01-31", "1mo", Some("2027-02-28")),
            ("2028-02-29", "1y", Some("2029-02-28")),
            ("2027-12-25", "10d", Some("2028-01-04")),
            ("2026-04", "4y", Some("2030-04")),
            ("2026-11", "2mo", Some("2027-01")),
            ("2026", "7y", Some("2033")),
            ("2026", "12mo", Some("2027")),
            ("2026", "6mo", None),
            ("2026-04", "10d", None),
            ("9999-12-31", "1d", None),
        ] {
            let date: PartialDate = from.parse().unwrap();
            let span = Span::try_from(span.to_owned()).unwrap();
            assert_eq!(date.plus(span).map(|d| d.to_string()).as_deref(), to, "{from}");
        }
        for bad in ["", "4", "y", "4 y", "-4y", "4weeks", "99999y"] {
            assert!(Span::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for bad in [
            "",
            "23",
            "2023-2",
            "2023-13",
            "2023-02-30",
            "2023-02-01-01",
            "+202",
            "202a",
            "2023--1",
            "-2023-1",
        ] {
            assert!(bad.parse::<PartialDate>().is_err(), "{bad}");
        }
    }
}
