//! Query parameters as filters, and filters as query parameters again.
//!
//! Invariants: a repeated key means "or", different keys mean "and", an empty
//! value means nothing. Unknown keys and words are refused with the words there
//! are; number and length of parameters are bounded. What [`Query::with`] and
//! its kin write, [`Query::read`] reads.

pub mod words;

pub use words::*;

use crate::api::Problem;
use crate::coverage::{self, ALL_STATES, Coverage, DARK, RangeCoverage};
use crate::filter::keys::Kind;
use crate::filter::meaning::Asking;
use crate::filter::{self, Line, Mistake, Subject, Term, keys};
use model::{Instant, SiteName, WaiverState};
use policy::PartialDate;
use proto::v1::CoverageState as State;
use std::fmt::Display;
use std::str::FromStr;
use store::acts::{AuditFilter, WaiverFilter};
use store::view::{ElementFilter, FindingFilter};
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Date, OffsetDateTime, Time};

const MAX_PAIRS: usize = 64;
const MAX_VALUE: usize = 256;
const MAX_LINE: usize = 4_096;
const MAX_LIMIT: u32 = 500;
/// The parameters of one request: known keys, bounded values, none empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    /// Takes the parameters of a request for a page that knows `keys`.
    ///
    /// # Errors
    /// [`Problem::BadParameter`] for a key the page does not know, and for too many or too long values.
    pub fn read(pairs: Vec<(String, String)>, keys: &[&str]) -> Result<Self, Problem> {
        let mut kept = Vec::new();
        for (key, value) in pairs {
            if !keys.contains(&key.as_str()) {
                return Err(bad(&key, &value, format!("this page knows {}", keys.join(", "))));
            }
            let value = value.trim();
            let most = if matches!(key.as_str(), "q" | "after") {
                MAX_LINE
            } else {
                MAX_VALUE
            };
            if value.len() > most {
                return Err(bad(&key, value, format!("at most {most} bytes")));
            }
            if kept.len() >= MAX_PAIRS {
                return Err(bad(&key, value, format!("at most {MAX_PAIRS} parameters")));
            }
            if !value.is_empty() {
                kept.push((key, value.to_owned()));
            }
        }
        Ok(Self { pairs: kept })
    }

    /// From pairs we wrote ourselves.
    #[must_use]
    pub fn of(pairs: &[(&str, &str)]) -> Self {
        let owned = |&(key, value): &(&str, &str)| (key.to_owned(), value.to_owned());
        Self {
            pairs: pairs.iter().map(owned).collect(),
        }
    }

    /// The states asked for; those that are dark unless any is named.
    ///
    /// # Errors
    /// [`Problem::BadParameter`] for a word that is no state.
    pub fn states(&self) -> Result<Vec<State>, Problem> {
        let named = self.all("state").map(|text| {
            let state = ALL_STATES
                .into_iter()
                .find(|state| coverage::word(*state) == text);
            state.ok_or_else(|| bad("state", text, ALL_STATES.map(coverage::word).join(", ")))
        });
        let named: Vec<State> = named.collect::<Result<_, _>>()?;
        Ok(if named.is_empty() { DARK.to_vec() } else { named })
    }

    /// The range asked for, and its site; [`None`] when none is asked for.
    ///
    /// # Errors
    /// [`Problem::NotFound`] when there is no such range.
    pub fn range<'c>(&self, all: &'c Coverage) -> Result<Option<(&'c SiteName, &'c RangeCoverage)>, Problem> {
        if self.one("range").is_empty() {
            return Ok(None);
        }
        let fits = |range: &&RangeCoverage| {
            range.prefix == self.one("range")
                && (self.one("port").is_empty() || self.one("port") == range.port.to_string())
        };
        all.sites
            .iter()
            .filter(|site| self.one("site").is_empty() || self.has("site", site.site.as_str()))
            .find_map(|site| Some((&site.site, site.ranges.iter().find(fits)?)))
            .map(Some)
            .ok_or(Problem::NotFound("range"))
    }

    /// All values of a key.
    pub fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.pairs
            .iter()
            .filter(move |(k, _)| k == key)
            .map(|(_, value)| value.as_str())
    }

    /// The first value of a key, or nothing.
    #[must_use]
    pub fn one(&self, key: &str) -> &str {
        self.pairs
            .iter()
            .find(|(k, _)| k == key)
            .map_or("", |(_, value)| value)
    }

    /// Whether this value of this key is set.
    #[must_use]
    pub fn has(&self, key: &str, value: &str) -> bool {
        self.all(key).any(|v| v == value)
    }

    /// How many filters are set; where the page begins and how long it is are no filters.
    #[must_use]
    pub fn count(&self) -> usize {
        self.filters().count()
    }

    /// The filters, in the order given.
    pub fn filters(&self) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self
            .pairs
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()));
        pairs.filter(|(key, _)| !NO_FILTERS.contains(key))
    }

    /// The same with one key set to one value, beginning anew with the first page.
    #[must_use]
    pub fn with(&self, key: &str, value: &str) -> Self {
        let mut pairs: Vec<_> = self
            .pairs
            .iter()
            .filter(|(k, _)| k != key && k != "after")
            .cloned()
            .collect();
        pairs.push((key.to_owned(), value.to_owned()));
        Self { pairs }
    }

    /// The same without one value of one key, beginning anew with the first page.
    #[must_use]
    pub fn without(&self, key: &str, value: &str) -> Self {
        let keep = |(k, v): &&(String, String)| k != "after" && !(k == key && v == value);
        Self {
            pairs: self.pairs.iter().filter(keep).cloned().collect(),
        }
    }

    /// `path` with these parameters.
    #[must_use]
    pub fn link(&self, path: &str) -> String {
        let mut text = path.to_owned();
        for (position, (key, value)) in self.pairs.iter().enumerate() {
            text.push(if position == 0 { '?' } else { '&' });
            text.push_str(&encoded(key));
            text.push('=');
            text.push_str(&encoded(value));
        }
        text
    }

    /// Everything it filters by, as one line, of a day that is over where it names one; inside, the mistake in what was typed as `q`.
    ///
    /// # Errors
    /// [`Problem::BadParameter`] for another parameter that is not understood, naming the words it knows.
    pub fn line(&self, subject: Subject) -> Result<Result<Line, Mistake>, Problem> {
        let mut terms = Vec::new();
        let keys = match subject {
            Subject::Findings => FINDINGS,
            Subject::Elements => ELEMENTS,
        };
        for (key, value) in self.filters().filter(|(key, _)| keys.contains(key)) {
            let allowed = || match subject.key(key).map(|key| key.kind) {
                Some(Kind::Flag) => "1, or leave it out".to_owned(),
                kind => kind.map(Kind::allowed).unwrap_or_default(),
            };
            terms.push(filter::read::term(subject, key, value).ok_or_else(|| bad(key, value, allowed()))?);
        }
        let then = !self.one("asof").is_empty();
        if let Some(term) = terms
            .iter()
            .find(|term: &&Term| then && term.key.is_some_and(|key| key.now_only))
        {
            let allowed = "only today: nobody keeps how it was".to_owned();
            return Err(bad(term.key.map_or("", |key| key.name), &term.value, allowed));
        }
        let typed = match then {
            true => Line::read_then(subject, self.one("q")),
            false => Line::read(subject, self.one("q")),
        };
        Ok(typed.map(|typed| Line {
            terms: terms.into_iter().chain(typed.terms).collect(),
        }))
    }

    /// The same, where a mistake in `q` is one like any other.
    ///
    /// # Errors
    /// [`Problem::BadParameter`] naming the parameter and the words it knows.
    pub fn plain_line(&self, subject: Subject) -> Result<Line, Problem> {
        self.line(subject)?.map_err(|mistake| {
            let place = self.one("q").get(..mistake.at.start).unwrap_or_default();
            let piece = self.one("q").get(mistake.at.clone()).unwrap_or_default();
            let place = place.chars().count() + 1;
            bad(
                "q",
                piece,
                format!(
                    "at character {place}: {}; allowed is {}",
                    mistake.what, mistake.allowed
                ),
            )
        })
    }

    /// The same page with this line as its filter: columns, order, length and day stay.
    #[must_use]
    pub fn with_line(&self, line: &str) -> Self {
        let looks = |(key, _): &&(String, String)| {
            matches!(key.as_str(), "limit" | "sort" | "cols" | "density" | "asof")
        };
        let line = (!line.is_empty()).then(|| ("q".to_owned(), line.to_owned()));
        let others = self.pairs.iter().filter(looks).cloned();
        Self {
            pairs: line.into_iter().chain(others).collect(),
        }
    }

    /// The same without a key, on the same page.
    #[must_use]
    pub fn but(&self, key: &str) -> Self {
        let others = self.pairs.iter().filter(|(k, _)| k != key);
        Self {
            pairs: others.cloned().collect(),
        }
    }

    /// The same without a key, beginning anew with the first page.
    #[must_use]
    pub fn without_key(&self, key: &str) -> Self {
        let keep = |(k, _): &&(String, String)| k != key && k != "after";
        Self {
            pairs: self.pairs.iter().filter(keep).cloned().collect(),
        }
    }

    /// All parameters, in order.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// As a filter of findings.
    ///
    /// # Errors
    /// [`Problem::BadParameter`] naming the parameter and the words it knows.
    pub fn findings(&self, asking: &Asking) -> Result<FindingFilter, Problem> {
        let asked = filter::meaning::findings(&self.plain_line(Subject::Findings)?, asking);
        let (order, down) = self.order(FINDING_ORDERS)?;
        Ok(FindingFilter {
            clauses: asked.clauses,
            closed: asked.closed,
            then: asking.then,
            order,
            down,
            after: self.after()?,
            limit: self.limit()?,
            ..FindingFilter::default()
        })
    }

    /// The values of a parameter of lists of findings, each read as the line reads that key.
    ///
    /// # Errors
    /// [`Problem::BadParameter`] naming the parameter and what it may say.
    pub fn kept(&self, key: &str) -> Result<Vec<String>, Problem> {
        let kind = Subject::Findings.key(key).map_or(Kind::Text, |known| known.kind);
        let read = |text: &str| {
            kind.value(text, false)
                .ok_or_else(|| bad(key, text, kind.allowed()))
        };
        self.all(key).map(read).collect()
    }

    /// As a filter of waivers.
    ///
    /// # Errors
    /// [`Problem::BadParameter`] naming the parameter and the words it knows.
    pub fn waivers(&self) -> Result<WaiverFilter, Problem> {
        let elements = self.all("element").map(|text| {
            text.parse()
                .map_err(|_| bad("element", text, "the key of an element".to_owned()))
        });
        Ok(WaiverFilter {
            states: self.words("state", WaiverState::ALL)?,
            rules: self.kept("rule")?,
            sites: self.kept("site")?,
            elements: elements.collect::<Result<_, _>>()?,
            people: self.names("person")?,
            until: self.day("until")?.map(|day| day.to_string()),
            from: self.day("from")?.map(|day| day.to_string()),
            latest_first: false,
            after: self.after()?,
            limit: self.limit()?,
        })
    }

    /// As a filter of the audit log; the last day is whole.
    ///
    /// # Errors
    /// [`Problem::BadParameter`] naming the parameter and what it may say.
    pub fn audit(&self) -> Result<AuditFilter, Problem> {
        let word = |text: &str| text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        let key = |text: &str| text.bytes().all(|b| b.is_ascii_graphic());
        let first = |day: Date| Instant(day.midnight().assume_utc().unix_timestamp() * 1_000_000);
        Ok(AuditFilter {
            people: self.names("person")?,
            actions: self.keys("action", "a word as the rows have it, as in finding_waived", word)?,
            begins: String::new(),
            subjects: self.keys("subject", "the key of a finding, as its page has it", key)?,
            from: self.day("from")?.map(first),
            until: self.day("until")?.and_then(Date::next_day).map(first),
            after: self.after()?,
            limit: self.limit()?,
        })
    }

    /// As a filter of elements.
    ///
    /// # Errors
    /// [`Problem::BadParameter`] naming the parameter and the words it knows; also where those are asked for that
    /// nobody polls: they are no elements.
    pub fn elements(&self, asking: &Asking) -> Result<ElementFilter, Problem> {
        let asked = filter::meaning::elements(&self.plain_line(Subject::Elements)?, asking);
        if asked.not_polled {
            let allowed = "elements only; /api/v1/coverage has those seen and polled by nobody";
            return Err(bad("polling", "not_polled", allowed.to_owned()));
        }
        let (order, down) = self.order(ELEMENT_ORDERS)?;
        Ok(ElementFilter {
            clauses: asked.clauses,
            then: asking.then,
            order,
            down,
            after: self.after()?,
            limit: self.limit()?,
            ..ElementFilter::default()
        })
    }

    /// The order asked for, and whether it is turned around: a minus before its word.
    fn order<O: Copy + Default>(&self, orders: &[(&str, O)]) -> Result<(O, bool), Problem> {
        let text = self.one("sort");
        let (word, down) = match text.strip_prefix('-') {
            Some(word) => (word, true),
            None => (text, false),
        };
        if word.is_empty() && !down {
            return Ok((O::default(), false));
        }
        let found = orders.iter().find(|(name, _)| *name == word);
        let words: Vec<_> = orders.iter().map(|(name, _)| *name).collect();
        found.map(|(_, order)| (*order, down)).ok_or_else(|| {
            bad(
                "sort",
                text,
                format!("{}, with - before it for the other way round", words.join(", ")),
            )
        })
    }

    /// A whole number from 1, `otherwise` when the key is not set.
    ///
    /// # Errors
    /// [`Problem::BadParameter`] for anything else.
    pub fn number(&self, key: &str, most: u32, otherwise: u32) -> Result<u32, Problem> {
        match self.one(key) {
            "" => Ok(otherwise),
            text => match text.parse() {
                Ok(number) if (1..=most).contains(&number) => Ok(number),
                _ => Err(bad(key, text, format!("a whole number from 1 to {most}"))),
            },
        }
    }

    /// A day, if one is named.
    ///
    /// # Errors
    /// [`Problem::BadParameter`] for what is no day.
    pub fn day(&self, key: &str) -> Result<Option<Date>, Problem> {
        let text = self.one(key);
        let date = |text: &str| {
            text.parse()
                .ok()
                .filter(|day: &PartialDate| day.first() == day.last())
        };
        match text {
            "" => Ok(None),
            text => match date(text) {
                Some(day) => Ok(Some(day.first())),
                None => Err(bad(key, text, "a day, YYYY-MM-DD".to_owned())),
            },
        }
    }

    /// Whether the key says `1`.
    ///
    /// # Errors
    /// [`Problem::BadParameter`] for anything but `1` or nothing.
    pub fn flag(&self, key: &str) -> Result<bool, Problem> {
        match self.one(key) {
            "" => Ok(false),
            "1" => Ok(true),
            text => Err(bad(key, text, "1, or leave it out".to_owned())),
        }
    }

    /// A moment: a span before `now` as in `8h`, a day, or a time with its zone (RFC 3339); `otherwise` when
    /// the key is not set.
    ///
    /// # Errors
    /// [`Problem::BadParameter`] for anything else.
    pub fn since(&self, key: &str, otherwise: &str, now: Instant) -> Result<Instant, Problem> {
        let text = match self.one(key) {
            "" => otherwise,
            text => text,
        };
        if let Some(seconds) = keys::span(text) {
            return Ok(Instant(now.0.saturating_sub(seconds.saturating_mul(1_000_000))));
        }
        if let Ok(at) = OffsetDateTime::parse(text, &Rfc3339) {
            return Ok(Instant::from_datetime(at));
        }
        let allowed =
            "a span as in 8h, 7d or 6months, a day as in 2026-11-26, or a time as in 2026-11-26T06:00:00Z";
        Ok(Instant::from_datetime(
            self.date(key, text, allowed)?
                .with_time(Time::MIDNIGHT)
                .assume_utc(),
        ))
    }

    fn date(&self, key: &str, text: &str, allowed: &str) -> Result<Date, Problem> {
        let day = Date::parse(text, format_description!("[year]-[month]-[day]"));
        day.map_err(|_| bad(key, text, allowed.to_owned()))
    }

    /// The values of a key, each one of these words.
    ///
    /// # Errors
    /// [`Problem::BadParameter`] for another word.
    pub fn known(&self, key: &str, words: &[&str]) -> Result<Vec<String>, Problem> {
        self.keys(key, &words.join(", "), |text| words.contains(&text))
    }

    fn words<T: FromStr + Display + Copy>(&self, key: &str, words: &[T]) -> Result<Vec<T>, Problem> {
        let all: Vec<_> = words.iter().map(ToString::to_string).collect();
        let read = |text: &str| text.parse().map_err(|_| bad(key, text, all.join(", ")));
        self.all(key).map(read).collect()
    }

    fn keys(&self, key: &str, allowed: &str, fits: impl Fn(&str) -> bool) -> Result<Vec<String>, Problem> {
        let read = |text: &str| {
            if fits(text) {
                Ok(text.to_owned())
            } else {
                Err(bad(key, text, allowed.to_owned()))
            }
        };
        self.all(key).map(read).collect()
    }

    fn names(&self, key: &str) -> Result<Vec<String>, Problem> {
        self.keys(key, "the name of a person, as rows have it", |text| {
            !text.chars().any(char::is_control)
        })
    }

    pub(crate) fn after(&self) -> Result<Option<String>, Problem> {
        let text = self.one("after");
        if !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(bad(
                "after",
                text,
                "the key of a next page, as its link has it".to_owned(),
            ));
        }
        Ok((!text.is_empty()).then(|| text.to_owned()))
    }

    pub(crate) fn limit(&self) -> Result<u32, Problem> {
        self.number("limit", MAX_LIMIT, 0)
    }
}

pub(crate) fn bad(parameter: &str, value: &str, allowed: String) -> Problem {
    let short = |text: &str| text.chars().take(80).collect();
    Problem::BadParameter {
        parameter: short(parameter),
        value: short(value),
        allowed,
    }
}

/// Percent-encodes all but the unreserved characters (RFC 3986, 2.3).
fn encoded(text: &str) -> String {
    let Ok(safe) = askama::filters::urlencode_strict(text);
    safe.to_string()
}

#[cfg(test)]
mod tests;
