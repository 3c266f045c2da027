//! Burn-down: how fast findings are removed, against the date by which they must be.
//!
//! The speed is the Theil–Sen slope of removals counted up week by week (the median of
//! the slopes between all pairs of weeks), its interval that of Sen (1968) from the
//! variance of Kendall's S, at 95 per cent. Weeks of a count are not independent, so the
//! interval is the least uncertainty there is, not all of it. Invariants: no figure from
//! less than [`WEEKS`] weeks or [`REMOVALS`] removals; a finding that closed because the
//! law, the knowledge or a declaration changed was not removed and is not counted.

use crate::date::PartialDate;
use serde::Serialize;
use std::collections::BTreeMap;
use time::{Date, Duration};

/// Fewer full weeks give no speed.
pub const WEEKS: usize = 8;
/// Fewer removals give no speed.
pub const REMOVALS: u64 = 5;
/// Weeks looked back at most.
const WINDOW: usize = 52;
/// Two-sided 95 per cent of a normal distribution.
const NORMAL_95: f64 = 1.959_964;

/// What became of one finding with a date.
#[derive(Debug, Clone, PartialEq)]
pub struct Life {
    /// Key of the rule.
    pub rule: String,
    /// Its date.
    pub deadline: PartialDate,
    /// The day it was opened.
    pub opened: Date,
    /// What ended it, if anything did.
    pub ended: Option<End>,
}

/// The end of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// What it was about is gone from the network, since this day.
    Removed(Date),
    /// It no longer holds for another reason.
    Otherwise,
}

/// Removal against one date of one rule.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BurnDown {
    /// Key of the rule.
    pub rule: String,
    /// The date, as exact as its source.
    pub deadline: String,
    /// Findings there were, removed ones included.
    pub findings: u64,
    /// Of these, removed.
    pub removed: u64,
    /// Of these, not yet.
    pub remaining: u64,
    /// Removed in each full week up to the day asked about, oldest first.
    pub weeks: Vec<u64>,
    /// How it goes on.
    pub outlook: Outlook,
    /// The speed and what follows from it, if there is enough to tell.
    pub forecast: Option<Forecast>,
}

/// Whether the date will be met at this speed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outlook {
    /// Nothing remains.
    Done,
    /// The date has passed, and something remains.
    Missed,
    /// Even at the least speed of the interval.
    InTime,
    /// Not even at the greatest.
    Late,
    /// The interval reaches to both sides of the date.
    Open,
    /// Too little is known to say.
    TooFewPoints,
}

/// A speed and the day on which nothing would remain.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Forecast {
    /// Removals a week.
    pub per_week: f64,
    /// The least and the greatest of the interval.
    pub per_week_95: [f64; 2],
    /// Removals a week that would be needed from now on; `None` where the date has passed.
    pub needed_per_week: Option<f64>,
    /// The day on which nothing would remain; `None` at a speed of nothing.
    pub done: Option<String>,
    /// The earliest and the latest of the interval; `None` is no end in sight.
    pub done_95: [Option<String>; 2],
}

/// Counts removal against every date of every rule, finding by finding in any order; keeps none of them.
#[derive(Debug)]
pub struct Pace {
    as_of: Date,
    by_date: BTreeMap<(String, Date, String), Series>,
}

impl Pace {
    /// Nothing counted yet, as of a day.
    #[must_use]
    pub fn new(as_of: Date) -> Self {
        Self {
            as_of,
            by_date: BTreeMap::new(),
        }
    }

    /// Counts one finding.
    pub fn take(&mut self, life: Life) {
        self.take_alike(life, 1);
    }

    /// Counts findings whose lives are the same.
    pub fn take_alike(&mut self, life: Life, count: u64) {
        if life.opened > self.as_of || life.ended == Some(End::Otherwise) {
            return;
        }
        let key = (life.rule, life.deadline.last(), life.deadline.to_string());
        let removed = match life.ended {
            Some(End::Removed(day)) => Some(day).filter(|day| *day <= self.as_of),
            _ => None,
        };
        let series = self.by_date.entry(key).or_default();
        series.take(life.opened, removed, count);
    }

    /// How it stands and goes on, rule by rule and date by date.
    #[must_use]
    pub fn finish(self) -> Vec<BurnDown> {
        let each = self.by_date.into_iter();
        each.map(|((rule, last, deadline), series)| series.tell(rule, deadline, last, self.as_of))
            .collect()
    }
}

/// What was opened and removed under one date.
#[derive(Debug, Default)]
struct Series {
    first: Option<Date>,
    findings: u64,
    removals: BTreeMap<Date, u64>,
}

impl Series {
    fn take(&mut self, opened: Date, removed: Option<Date>, count: u64) {
        self.first = Some(self.first.map_or(opened, |first| first.min(opened)));
        self.findings += count;
        if let Some(day) = removed {
            *self.removals.entry(day).or_default() += count;
        }
    }

    /// Removals in each full week from the first finding on, oldest first, a year of them at most.
    fn weeks(&self, as_of: Date) -> Vec<u64> {
        let known = self.first.map_or(0, |first| (as_of - first).whole_weeks());
        let count = usize::try_from(known).unwrap_or(0).min(WINDOW);
        let mut weeks = vec![0; count];
        for (day, removed) in &self.removals {
            let ago = usize::try_from((as_of - *day).whole_days() / 7).unwrap_or(usize::MAX);
            let place = count.checked_sub(ago.saturating_add(1));
            if let Some(week) = place.and_then(|place| weeks.get_mut(place)) {
                *week += removed;
            }
        }
        weeks
    }

    fn tell(self, rule: String, deadline: String, last: Date, as_of: Date) -> BurnDown {
        let removed = self.removals.values().sum();
        let remaining = self.findings - removed;
        let weeks = self.weeks(as_of);
        let enough = weeks.len() >= WEEKS && weeks.iter().sum::<u64>() >= REMOVALS && remaining > 0;
        let forecast = enough.then(|| forecast(&weeks, remaining, last, as_of)).flatten();
        let outlook = match &forecast {
            _ if remaining == 0 => Outlook::Done,
            _ if last < as_of => Outlook::Missed,
            None => Outlook::TooFewPoints,
            Some((_, [earliest, latest])) => {
                if latest.is_some_and(|day| day <= last) {
                    Outlook::InTime
                } else if earliest.is_none_or(|day| day > last) {
                    Outlook::Late
                } else {
                    Outlook::Open
                }
            }
        };
        BurnDown {
            rule,
            deadline,
            findings: self.findings,
            removed,
            remaining,
            weeks,
            outlook,
            forecast: forecast.map(|(forecast, _)| forecast),
        }
    }
}

/// The forecast, and the earliest and latest day of its interval.
fn forecast(weeks: &[u64], remaining: u64, last: Date, as_of: Date) -> Option<(Forecast, [Option<Date>; 2])> {
    let mut sum = 0.0;
    let removed = weeks.iter().map(|&week| {
        sum += exact(week);
        sum
    });
    let points: Vec<f64> = std::iter::once(0.0).chain(removed).collect();
    let (slope, low, high) = theil_sen(&points)?;
    let (low, high) = (low.max(0.0), high.max(0.0));
    let done = |speed: f64| -> Option<Date> {
        let days = (exact(remaining) / speed * 7.0).ceil();
        // A century on is no end in sight.
        let days = (days.is_finite() && days < 36_525.0).then_some(days)?;
        as_of.checked_add(Duration::seconds_f64(days * 86_400.0))
    };
    let ends = [done(high), done(low)];
    let left = (last - as_of).whole_days();
    let two_digits = |speed: f64| (speed * 100.0).round() / 100.0;
    let told = Forecast {
        per_week: two_digits(slope),
        per_week_95: [low, high].map(two_digits),
        // Days are few enough for a float to hold them exactly.
        needed_per_week: (left > 0).then(|| two_digits(exact(remaining) * 7.0 / left as f64)),
        done: done(slope).map(|day| day.to_string()),
        done_95: ends.map(|end| end.map(|day| day.to_string())),
    };
    Some((told, ends))
}

/// Counts of findings lie far below what a float holds exactly.
fn exact(count: u64) -> f64 {
    count as f64
}

/// Slope of points one step apart, and its interval at 95 per cent; `None` of less than two.
fn theil_sen(points: &[f64]) -> Option<(f64, f64, f64)> {
    let mut slopes: Vec<f64> = Vec::new();
    for (step, _) in points.iter().enumerate().skip(1) {
        let pairs = points.iter().zip(points.iter().skip(step));
        slopes.extend(pairs.map(|(a, b)| (b - a) / exact(u64::try_from(step).unwrap_or(u64::MAX))));
    }
    slopes.sort_by(f64::total_cmp);
    let pairs = exact(u64::try_from(slopes.len()).ok()?);
    let n = exact(u64::try_from(points.len()).ok()?);
    let spread = NORMAL_95 * (n * (n - 1.0) * (2.0 * n + 5.0) / 18.0).sqrt();
    let low = at(&slopes, (pairs - spread) / 2.0 - 1.0)?;
    let high = at(&slopes, (pairs + spread) / 2.0)?;
    Some((at(&slopes, (pairs - 1.0) / 2.0)?, low, high))
}

/// The value at a place between values, the first and the last at most.
fn at(sorted: &[f64], place: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let place = place.clamp(0.0, exact(u64::try_from(last).ok()?));
    // In bounds by the clamp.
    let below = place.floor() as usize;
    let (a, b) = (*sorted.get(below)?, *sorted.get((below + 1).min(last))?);
    Some(a + (b - a) * place.fract())
}

#[cfg(test)]
mod tests;
