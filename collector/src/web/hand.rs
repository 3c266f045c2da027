//! What waits for whoever looks: overdue, waivers, their own, new since the shift began; and the last
//! seven days as little bars.
//!
//! Invariants: every number leads to the rows it counts; nobody is told of sites they may not see;
//! many screens of one person cost the store one reading a second at most.

use super::access::Visit;
use super::glance::{OPEN, OPEN_STATES};
use super::shelf::{Kept, Shelf};
use super::show::{self, Moment};
use crate::api::Problem;
use crate::api::query::Query;
use model::{Instant, SiteName};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use store::briefing::{AtHand, Day};
use store::view::{FindingFilter, FindingRow, OPENING};

/// How long a shift is, unless the link says when it began.
pub const SHIFT: &str = "8h";
/// Days of the little bars.
const DAYS: usize = 7;
/// Microseconds of a day and of a minute.
const DAY: i64 = 86_400_000_000;
const MINUTE: i64 = 60_000_000;

/// The last readings, shared by all handlers.
#[derive(Clone, Default)]
pub struct Hands(Shelf<Key, Reading>);

/// Who looks, at which sites, since when.
type Key = (String, Option<BTreeSet<SiteName>>, Instant);

/// One reading.
pub struct Reading {
    /// Since when something is new.
    pub since: Instant,
    /// What waits.
    pub at_hand: AtHand,
    /// The last days, the first first, every one of them.
    pub days: Vec<Day>,
    /// The most urgent open finding.
    pub first: Option<FindingRow>,
}

impl Hands {
    /// What waits for whoever asks, if it is younger than `within` or still true, else read anew.
    ///
    /// # Errors
    /// [`Problem::Store`] when the store does not answer.
    pub async fn get(
        &self,
        visit: &Visit,
        since: Instant,
        within: Duration,
    ) -> Result<Arc<Kept<Reading>>, Problem> {
        let since = Instant(since.0 - since.0.rem_euclid(MINUTE));
        let key: Key = (visit.person.name.clone(), visit.person.sites.clone(), since);
        self.0.get(visit, key, within, Reading::read(visit, since)).await
    }
}

impl Reading {
    async fn read(visit: &Visit, since: Instant) -> Result<Self, Problem> {
        let sites = visit.person.sites.as_ref();
        let today = (visit.clock)().0.div_euclid(DAY);
        let first_day = today.saturating_sub(DAYS as i64 - 1);
        let told = visit
            .briefing
            .days(Instant(first_day.saturating_mul(DAY)), sites)
            .await?;
        let days = (first_day..=today).map(|day| {
            let day = Instant(day.saturating_mul(DAY));
            let brought = told.iter().find(|one| one.day == day).copied();
            brought.unwrap_or(Day {
                day,
                ..Day::default()
            })
        });
        let urgent = FindingFilter {
            states: OPEN_STATES.to_vec(),
            sites: visit.person.within(Vec::new()),
            limit: 1,
            ..FindingFilter::default()
        };
        Ok(Self {
            since,
            at_hand: visit.briefing.at_hand(&visit.person.name, since, sites).await?,
            days: days.collect(),
            first: visit.store.findings(&urgent).await?.rows.into_iter().next(),
        })
    }
}

/// What waits, as the first page shows it.
pub struct Hand {
    /// Since when something is new.
    pub since: Moment,
    /// Other beginnings: words, link.
    pub spans: Vec<(&'static str, String)>,
    /// The numbers.
    pub items: Vec<Item>,
    /// Why Marque says what it says most urgently: link, words.
    pub first: Option<(String, String)>,
}

/// One number.
pub struct Item {
    /// What is counted.
    pub label: &'static str,
    /// How many.
    pub value: String,
    /// Whether there is any.
    pub any: bool,
    /// The rows.
    pub link: String,
    /// The last seven days of it, where the store can tell.
    pub spark: Option<Spark>,
}

/// Seven little bars.
pub struct Spark {
    /// Place and height of each.
    pub bars: Vec<(usize, u64, u64)>,
    /// The same in words.
    pub words: String,
}

impl Spark {
    /// Height of the drawing.
    const HEIGHT: u64 = 20;

    /// The bars of what is counted a day; a day of nought is a line.
    #[must_use]
    pub fn new(days: &[Day], what: &str, count: impl Fn(&Day) -> u64) -> Self {
        let counts: Vec<u64> = days.iter().map(count).collect();
        let most = counts.iter().copied().max().unwrap_or(0).max(1);
        let bar = |(place, count): (usize, &u64)| {
            let height = count.saturating_mul(Self::HEIGHT - 1).div_ceil(most) + 1;
            (place * 10, Self::HEIGHT.saturating_sub(height), height)
        };
        let numbers: Vec<_> = counts.iter().map(ToString::to_string).collect();
        Self {
            bars: counts.iter().enumerate().map(bar).collect(),
            words: format!(
                "{what} on each of the last {DAYS} days, today last: {}",
                numbers.join(", ")
            ),
        }
    }
}

impl Hand {
    /// The reading as the page shows it; `since` as the link has it.
    #[must_use]
    pub fn new(reading: &Reading, person: &str, asked: &str, now: Instant) -> Self {
        let Reading { at_hand, days, .. } = reading;
        let since = reading.since.to_string();
        let open = |pairs: &[(&str, &str)]| {
            let all: Vec<_> = pairs.iter().copied().chain(OPEN).collect();
            Query::of(&all).link("/findings")
        };
        let changes = |kinds: &[&'static str]| {
            let kinds = kinds.iter().map(|&kind| ("kind", kind));
            let pairs: Vec<_> = [("since", since.as_str())].into_iter().chain(kinds).collect();
            Query::of(&pairs).link("/reports/changes")
        };
        let item = |label, count: u64, link, spark| Item {
            label,
            value: show::number(count),
            any: count > 0,
            link,
            spark,
        };
        let opened = Spark::new(days, "findings opened", |day| day.opened);
        Self {
            since: Moment::new(reading.since, now),
            spans: ["8h", "24h", "7d"]
                .into_iter()
                .filter(|span| *span != if asked.is_empty() { SHIFT } else { asked })
                .map(|span| (span, Query::of(&[("since", span)]).link("/")))
                .collect(),
            items: vec![
                item(
                    "in violation or overdue",
                    at_hand.overdue,
                    open(&[("class", "violation"), ("class", "overdue")]),
                    None,
                ),
                item(
                    "waivers waiting for a second person",
                    at_hand.asked,
                    Query::of(&[("asked", "1")]).link("/findings"),
                    None,
                ),
                item("assigned to me", at_hand.mine, open(&[("owner", person)]), None),
                item("swaps to look at", at_hand.swaps, changes(&["swap"]), None),
                item("new findings", at_hand.opened, changes(&OPENING), Some(opened)),
            ],
            first: reading.first.as_ref().map(|row| {
                let words = format!("{}: {}", show::clean(&row.element_name, 48), row.result.title);
                (format!("/findings/{}", row.finding), words)
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_day_fills_the_height_and_nought_stays_a_line() {
        let days = [0, 1, 40].map(|opened| Day {
            opened,
            ..Day::default()
        });
        let spark = Spark::new(&days, "opened", |day| day.opened);
        assert_eq!(spark.bars, [(0, 19, 1), (10, 18, 2), (20, 0, 20)]);
        assert!(spark.words.ends_with("today last: 0, 1, 40"));
        let huge = [Day {
            opened: u64::MAX,
            ..Day::default()
        }];
        assert!(Spark::new(&huge, "", |day| day.opened).bars[0].2 <= 21);
    }
}
