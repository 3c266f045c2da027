//! What a line means to the store.
//!
//! Invariants: whoever sees some sites only asks for those; a repeated key means "or" and comparisons mean "and"; what is unknown is never taken for a value: not
//! seen for longer than a span holds for what was never seen, `-maker:x` for what has no known maker.

use super::keys::{self, Kind};
use super::{Line, Op, Term};
use model::{FindingState, Instant, Person, SiteName};
use policy::PartialDate;
use std::collections::BTreeSet;
use std::str::FromStr as _;
use store::clause::{Bound, Clause, ElementField, FindingField, Is, NO_FIRST_DAY, NO_LAST_DAY, Test};
use time::{Date, Duration};

const MICROS: i64 = 1_000_000;

/// Who asks, and when.
#[derive(Debug, Clone)]
pub struct Asking<'a> {
    /// Now, for ages; where a day that is over is asked for, its end.
    pub now: Instant,
    /// The end of the day asked for, if that is over.
    pub then: Option<Instant>,
    /// Whom `owner:me` means.
    pub person: &'a str,
    /// The sites they may see; [`None`] is all.
    pub sites: Option<&'a BTreeSet<SiteName>>,
}

impl<'a> Asking<'a> {
    /// A person, now.
    #[must_use]
    pub fn of(person: &'a Person, now: Instant) -> Self {
        Self {
            now,
            then: None,
            person: &person.name,
            sites: person.sites.as_ref(),
        }
    }

    /// The same at the end of a day, if one is asked for.
    #[must_use]
    pub fn at(self, end: Option<Instant>) -> Self {
        Self {
            now: end.unwrap_or(self.now),
            then: end,
            ..self
        }
    }

    fn within<F: Copy>(&self, field: F) -> Option<Clause<F>> {
        self.sites
            .map(|sites| Clause::words(field, sites.iter().map(SiteName::as_str)))
    }
}

/// What a line says about findings.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FindingsAsked {
    /// What holds.
    pub clauses: Vec<Clause<FindingField>>,
    /// Whether closed ones are asked for: else they are left out, whatever their rules say.
    pub closed: bool,
}

/// What a line says about elements.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ElementsAsked {
    /// What holds.
    pub clauses: Vec<Clause<ElementField>>,
    /// Whether those are meant that are seen and polled by nobody.
    pub not_polled: bool,
}

/// As conditions on findings.
#[must_use]
pub fn findings(line: &Line, asking: &Asking) -> FindingsAsked {
    let closed = FindingState::Closed.as_str();
    let closed = line.terms.iter().any(|term| term.says("state", closed));
    let mut clauses = clauses(line, |term| finding(term, asking));
    clauses.extend(asking.within(FindingField::Site));
    FindingsAsked { clauses, closed }
}

/// As conditions on elements.
#[must_use]
pub fn elements(line: &Line, asking: &Asking) -> ElementsAsked {
    let polling = |term: &Term| term.key.is_some_and(|key| key.name == "polling");
    let polled = Line {
        terms: line.terms.iter().filter(|term| !polling(term)).cloned().collect(),
    };
    let mut clauses = clauses(&polled, |term| element(term, asking));
    clauses.extend(asking.within(ElementField::Site));
    ElementsAsked {
        clauses,
        not_polled: line.terms.iter().any(|term| polling(term) && !term.not),
    }
}

/// A key and whether it is negated, of terms that are alternatives.
type Together = Option<(&'static str, bool)>;

/// One clause for each key that is repeated, one for each other term.
fn clauses<F>(line: &Line, tests: impl Fn(&Term) -> Vec<Test<F>>) -> Vec<Clause<F>> {
    let mut made: Vec<(Together, Clause<F>)> = Vec::new();
    for term in &line.terms {
        let together = match term.key {
            Some(key) if key.kind != Kind::Flag && term.op == Op::Is => Some((key.name, term.not)),
            _ => None,
        };
        let before = made.iter_mut().find(|(key, _)| key.is_some() && *key == together);
        match before {
            Some((_, clause)) => clause.any.extend(tests(term)),
            None => {
                let clause = Clause {
                    not: term.not,
                    any: tests(term),
                };
                made.push((together, clause));
            }
        }
    }
    made.into_iter().map(|(_, clause)| clause).collect()
}

fn finding(term: &Term, asking: &Asking) -> Vec<Test<FindingField>> {
    use FindingField as F;
    let Some(key) = term.key else {
        return anywhere(term, &[F::Name, F::Address, F::Part, F::Model]);
    };
    let one = |field, is| vec![Test::new(field, is)];
    match key.name {
        "severity" => one(F::Severity, word(term)),
        "state" if FindingState::from_str(&term.value).is_ok() => one(F::State, word(term)),
        "state" | "class" => one(F::Class, word(term)),
        "site" => one(F::Site, word(term)),
        "law" => one(F::Law, word(term)),
        "supplier" => one(F::Supplier, word(term)),
        "maker" => one(F::Maker, known(term)),
        "rule" => one(F::Rule, word(term)),
        "role" => one(F::Role, word(term)),
        "owner" => one(F::Owner, owner(term, asking)),
        "waived" => one(F::State, Is::Word(FindingState::Waived.as_str().to_owned())),
        "planned" => one(F::Removal, Is::Set),
        "asked" => one(F::Asked, Is::Set),
        "confidence" => shared(term, F::Confidence),
        "opened" => aged(term, F::Opened, asking),
        "seen" => aged(term, F::Seen, asking),
        "deadline" => dated(term, F::Deadline, asking),
        "name" => one(F::Name, text(term)),
        "address" => one(F::Address, text(term)),
        "part" => one(F::Part, text(term)),
        _ => one(F::Model, text(term)),
    }
}

fn element(term: &Term, asking: &Asking) -> Vec<Test<ElementField>> {
    use ElementField as F;
    let Some(key) = term.key else {
        return anywhere(term, &[F::Name, F::Address, F::Context, F::Model, F::Serial]);
    };
    let one = |field, is| vec![Test::new(field, is)];
    match key.name {
        "site" => one(F::Site, word(term)),
        "role" => one(F::Role, word(term)),
        "maker" => one(F::Maker, known(term)),
        "brand" => one(F::Brand, known(term)),
        "serial" => one(F::Serial, word(term)),
        "standing" => one(F::Standing, word(term)),
        "seen" => aged(term, F::Seen, asking),
        "confidence" => shared(term, F::Confidence),
        "round" => one(F::Round, word(term)),
        "name" => one(F::Name, text(term)),
        "address" => one(F::Address, text(term)),
        _ => one(F::Model, text(term)),
    }
}

fn anywhere<F: Copy>(term: &Term, fields: &[F]) -> Vec<Test<F>> {
    let is = match term.begins {
        true => Is::Begins(term.value.clone()),
        false => Is::Contains(term.value.clone()),
    };
    fields.iter().map(|field| Test::new(*field, is.clone())).collect()
}

fn beginning(term: &Term) -> Option<Is> {
    term.begins.then(|| match term.value.as_str() {
        "" => Is::Set,
        start => Is::Begins(start.to_owned()),
    })
}

fn word(term: &Term) -> Is {
    beginning(term).unwrap_or_else(|| Is::Word(term.value.clone()))
}

fn text(term: &Term) -> Is {
    beginning(term).unwrap_or_else(|| Is::Text(term.value.clone()))
}

/// A supplier, where none is known there is no value.
fn known(term: &Term) -> Is {
    match term.value.as_str() {
        "unknown" if !term.begins => Is::Unset,
        _ => word(term),
    }
}

fn owner(term: &Term, asking: &Asking) -> Is {
    match term.value.as_str() {
        "nobody" if !term.begins => Is::Unset,
        "me" if !term.begins => Is::Word(asking.person.to_owned()),
        _ => word(term),
    }
}

fn compared(op: Op, bound: Bound) -> Is {
    match op {
        Op::Less => Is::Less(bound),
        Op::Is | Op::AtMost => Is::AtMost(bound),
        Op::More => Is::More(bound),
        Op::AtLeast => Is::AtLeast(bound),
    }
}

fn shared<F>(term: &Term, field: F) -> Vec<Test<F>> {
    let share = keys::share(&term.value).unwrap_or_default();
    vec![Test::new(field, compared(term.op, Bound::Share(share)))]
}

/// Older than a span is earlier; a day is compared as a day.
fn aged<F: Copy>(term: &Term, field: F, asking: &Asking) -> Vec<Test<F>> {
    let at = |at: Instant, op: Op| Test::new(field, compared(op, Bound::At(at)));
    if let Some(seconds) = keys::span(&term.value) {
        let since = Instant(asking.now.0.saturating_sub(seconds.saturating_mul(MICROS)));
        return match term.op {
            Op::Less => vec![at(since, Op::More)],
            Op::AtMost | Op::Is => vec![at(since, Op::AtLeast)],
            Op::More => vec![at(since, Op::Less), Test::new(field, Is::Unset)],
            Op::AtLeast => vec![at(since, Op::AtMost), Test::new(field, Is::Unset)],
        };
    }
    let Some(days) = keys::days(&term.value) else {
        return vec![Test::new(field, Is::Unset)];
    };
    let begin = |day: Option<Date>| {
        let day = day.unwrap_or(Date::MAX);
        Instant::from_datetime(day.midnight().assume_utc())
    };
    let (first, behind) = (begin(Some(days.first())), begin(days.last().next_day()));
    vec![match term.op {
        Op::Less => at(first, Op::Less),
        Op::AtMost | Op::Is => at(behind, Op::Less),
        Op::More => at(behind, Op::AtLeast),
        Op::AtLeast => at(first, Op::AtLeast),
    }]
}

fn dated<F: Copy>(term: &Term, field: F, asking: &Asking) -> Vec<Test<F>> {
    let from_now = || {
        let seconds = keys::span(&term.value)?;
        let day = asking.now.date()?.checked_add(Duration::seconds(seconds))?;
        Some(PartialDate::from(day))
    };
    let Some(days) = keys::days(&term.value).or_else(from_now) else {
        return vec![Test::new(field, Is::Word("none".to_owned()))];
    };
    let first = days.first().to_string();
    let behind = days
        .last()
        .next_day()
        .map_or(NO_LAST_DAY.to_owned(), |day| day.to_string());
    let (none, all) = (NO_FIRST_DAY.to_owned(), NO_LAST_DAY.to_owned());
    let (from, until) = match term.op {
        Op::Is => (first, behind),
        Op::Less => (none, first),
        Op::AtMost => (none, behind),
        Op::More => (behind, all),
        Op::AtLeast => (first, all),
    };
    vec![Test::new(field, Is::Days(from, until))]
}
