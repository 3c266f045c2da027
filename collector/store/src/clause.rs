//! Conditions on the rows of lists, as data: what a filter line, a saved view or a page asks for.
//!
//! Invariants: a clause is a list of alternatives, a filter is clauses that all
//! hold; a value that is not there meets no test but [`Is::Unset`], so that its
//! negation meets it. SQL and [`Clause::holds`] say the same about the same row.

use model::Instant;
use serde::Serialize;

/// One condition: any of its tests, or none of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Clause<F> {
    /// Whether no test may hold, instead of one at least.
    pub not: bool,
    /// The alternatives. None at all never holds.
    pub any: Vec<Test<F>>,
}

/// One test of one field.
#[derive(Debug, Clone, PartialEq)]
pub struct Test<F> {
    /// What is tested.
    pub field: F,
    /// How.
    pub is: Is,
}

/// What a field is to be.
#[derive(Debug, Clone, PartialEq)]
pub enum Is {
    /// Exactly this word.
    Word(String),
    /// This text, whatever the case of its ASCII letters.
    Text(String),
    /// Beginning so, whatever the case of ASCII letters.
    Begins(String),
    /// With this in it, whatever the case of ASCII letters.
    Contains(String),
    /// There at all.
    Set,
    /// Not there.
    Unset,
    /// Below.
    Less(Bound),
    /// Not above.
    AtMost(Bound),
    /// Above.
    More(Bound),
    /// Not below.
    AtLeast(Bound),
    /// A day from the first, and before the second: `YYYY-MM-DD`.
    Days(String, String),
}

/// What is compared with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bound {
    /// A share from 0 to 1.
    Share(f64),
    /// A point in time.
    At(Instant),
}

/// Where no day begins or ends: before all of them, and behind.
pub const NO_FIRST_DAY: &str = "0";
/// Behind all days, and before the word for none.
pub const NO_LAST_DAY: &str = ":";

/// A field of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FindingField {
    /// Key of its element.
    Element,
    /// Severity.
    Severity,
    /// State.
    State,
    /// Class of the result.
    Class,
    /// Site.
    Site,
    /// Jurisdiction of the rule.
    Law,
    /// Supplier that matched.
    Supplier,
    /// Maker of the part concerned, or of the unit.
    Maker,
    /// Rule.
    Rule,
    /// Declared role, or `unknown`.
    Role,
    /// To whom it is assigned.
    Owner,
    /// How it is to go.
    Removal,
    /// A waiver that waits for a second person.
    Asked,
    /// Confidence of the result.
    Confidence,
    /// Since when the rule is met.
    Opened,
    /// Last day of its deadline; `none` where that is no date.
    Deadline,
    /// Last answer of its element.
    Seen,
    /// Name of its element.
    Name,
    /// Address of its element.
    Address,
    /// Name of the part.
    Part,
    /// Model of the unit.
    Model,
}

/// A field of an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ElementField {
    /// Site.
    Site,
    /// Declared role, or `unknown`.
    Role,
    /// Key of its maker; not there while it is unknown.
    Maker,
    /// Key of the brand.
    Brand,
    /// Model.
    Model,
    /// Serial number.
    Serial,
    /// Standing.
    Standing,
    /// Last answer.
    Seen,
    /// Confidence of the maker; not there while no maker is known.
    Confidence,
    /// How complete the last round was.
    Round,
    /// Name.
    Name,
    /// Address.
    Address,
    /// SNMP context at that address.
    Context,
}

/// What lists of findings are ordered by; ties by key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FindingOrder {
    /// Most urgent first.
    #[default]
    Urgency,
    /// Soonest deadline first, those without a date last.
    Deadline,
    /// Oldest first.
    Opened,
}

/// What lists of elements are ordered by; ties by key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ElementOrder {
    /// By name.
    #[default]
    Name,
    /// By site, then name.
    Site,
}

/// How a total came about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Counted.
    #[default]
    Exact,
    /// Counted no further: so many and maybe more.
    AtLeast,
    /// Reckoned from a sample: about so many.
    About,
    /// Too few in a sample to tell: fewer than so many.
    Below,
}

/// A value as a row has it.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// A word, a text or a day.
    Text(&'a str),
    /// A share.
    Share(f64),
    /// A point in time.
    At(Instant),
}

impl<F> Clause<F> {
    /// That one of these holds.
    #[must_use]
    pub fn any(any: Vec<Test<F>>) -> Self {
        Self { not: false, any }
    }

    /// Whether it holds for a row, whose values are given by field.
    pub fn holds<'a>(&self, value: impl Fn(&F) -> Option<Value<'a>>) -> bool {
        self.any.iter().any(|test| test.is.meets(value(&test.field))) != self.not
    }
}

impl<F> Test<F> {
    /// A test.
    #[must_use]
    pub fn new(field: F, is: Is) -> Self {
        Self { field, is }
    }
}

impl<F: Copy> Clause<F> {
    /// That a field is one of these words.
    pub fn words<T: AsRef<str>>(field: F, words: impl IntoIterator<Item = T>) -> Self {
        let test = |word: T| Test::new(field, Is::Word(word.as_ref().to_owned()));
        Self::any(words.into_iter().map(test).collect())
    }
}

impl Is {
    fn meets(&self, value: Option<Value<'_>>) -> bool {
        let Some(value) = value else {
            return *self == Self::Unset;
        };
        let compared = |bound: &Bound| match (&value, bound) {
            (Value::Share(share), Bound::Share(bound)) => share.partial_cmp(bound),
            (Value::At(at), Bound::At(bound)) => Some(at.cmp(bound)),
            _ => None,
        };
        let text = match &value {
            Value::Text(text) => *text,
            _ => "",
        };
        let lower = text.to_ascii_lowercase();
        match self {
            Self::Set => true,
            Self::Unset => false,
            Self::Word(word) => text == word,
            Self::Text(word) => lower == word.to_ascii_lowercase(),
            Self::Begins(start) => lower.starts_with(&start.to_ascii_lowercase()),
            Self::Contains(part) => lower.contains(&part.to_ascii_lowercase()),
            Self::Less(bound) => compared(bound).is_some_and(|order| order.is_lt()),
            Self::AtMost(bound) => compared(bound).is_some_and(|order| order.is_le()),
            Self::More(bound) => compared(bound).is_some_and(|order| order.is_gt()),
            Self::AtLeast(bound) => compared(bound).is_some_and(|order| order.is_ge()),
            Self::Days(from, until) => text >= from.as_str() && text < until.as_str(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_meets_only_its_absence_and_negations() {
        let clause = |not, is| Clause {
            not,
            any: vec![Test::new((), is)],
        };
        for (is, held) in [
            (Is::Set, false),
            (Is::Unset, true),
            (Is::Word(String::new()), false),
            (Is::Contains(String::new()), false),
            (Is::Less(Bound::Share(9.0)), false),
            (Is::Days(NO_FIRST_DAY.into(), NO_LAST_DAY.into()), false),
        ] {
            assert_eq!(clause(false, is.clone()).holds(|()| None), held, "{is:?}");
            assert_eq!(clause(true, is).holds(|()| None), !held);
        }
        assert!(
            !Clause::<()>::any(Vec::new()).holds(|()| Some(Value::Text("x"))),
            "no alternative"
        );
    }

    #[test]
    fn days_lie_between_the_ends_and_none_is_no_day() {
        let all = Is::Days(NO_FIRST_DAY.into(), NO_LAST_DAY.into());
        for (day, held) in [("2026-12-31", true), ("9999-12-31", true), ("none", false)] {
            assert_eq!(all.meets(Some(Value::Text(day))), held, "{day}");
        }
    }
}
