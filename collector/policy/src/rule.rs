//! Which act, and when: what follows from one rule on one day if its scope is met.
//!
//! Invariants: announced is not effective; a date passes at the end of the day
//! after which it lies, a partial one at the end of its period; an urged date or
//! a goal never makes anything overdue; a rule about funding, authorising,
//! exporting or listing says at most "watch" about what is installed.

use crate::date::PartialDate;
use crate::pack::{Action, Deadline, DeadlineKind, Effect, Rule, State, Status};
use model::{Place, ResultClass, Severity};
use time::Date;

/// Whether a rule holds on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Force {
    /// It says nothing on this day: not yet known, over, replaced, paused, or never a rule.
    Silent,
    /// A draft, or one that lapsed as such.
    Draft,
    /// Made, and takes effect later.
    Future(PartialDate),
    /// Made, and nobody knows when it starts.
    StartUnknown,
    /// Was paused, and what came after is not known.
    Recheck,
    /// In effect.
    Holds,
}

/// Whether the rule holds on `as_of`.
#[must_use]
pub fn force(rule: &Rule, as_of: Date) -> Force {
    let time = &rule.time;
    let over = time.ends.is_some_and(|end| end.last() < as_of)
        || rule.succeeded_on.is_some_and(|day| day <= as_of)
        || (rule.status == Status::Repealed && time.ends.is_none());
    if time.announced.is_some_and(|day| day.first() > as_of) || over || rule.effect == Effect::None {
        return Force::Silent;
    }
    match rule.status {
        Status::Withdrawn | Status::NoneFound | Status::Unproven => return Force::Silent,
        Status::Proposed | Status::Expired => return Force::Draft,
        _ => {}
    }
    match start(rule) {
        Some(day) if day.first() > as_of => return Force::Future(day),
        None => return Force::StartUnknown,
        Some(_) => {}
    }
    match &time.suspended {
        Some(pause) if pause.from.first() <= as_of && as_of <= pause.to.last() => Force::Silent,
        Some(pause) if pause.to.last() < as_of => Force::Recheck,
        _ => Force::Holds,
    }
}

/// The first day of effect. Advice speaks from the day it is given; a law only from the day it names.
fn start(rule: &Rule) -> Option<PartialDate> {
    let advice = rule.status == Status::Guidance || (rule.status == Status::Superseded && !rule.binding);
    rule.time.effective.or(rule.time.announced.filter(|_| advice))
}

/// What follows, before confidence and supplier are weighed.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The class.
    pub class: ResultClass,
    /// The date that goes with it.
    pub deadline: Option<PartialDate>,
    /// Act and time in words.
    pub words: Vec<String>,
    /// `false` where it rests on an unverified date.
    pub verified: bool,
}

impl Outcome {
    fn new(class: ResultClass, words: impl Into<String>) -> Self {
        Self {
            class,
            deadline: None,
            words: vec![words.into()],
            verified: true,
        }
    }
}

/// Whether something was acquired after the rule took effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Newness {
    New,
    Earlier,
    Undeclared,
}

/// What the rule asks for this installed thing; `None` if nothing.
#[must_use]
pub fn outcome(
    rule: &Rule,
    place: &Place,
    acquired: Option<PartialDate>,
    is_unit: bool,
    as_of: Date,
) -> Option<Outcome> {
    if !rule.actions.iter().any(|&action| concerns_equipment(action)) {
        let words = format!(
            "Act: the rule is about {}, not about what is installed ({})",
            acts(rule),
            rule.detail
        );
        return Some(Outcome::new(ResultClass::Watch, words));
    }
    let newness = newness(start(rule), acquired);
    let turns_on_day = rule.effect_installed.is_some()
        || (rule.effect == Effect::Review && rule.thing.state == State::New)
        || (rule.effect == Effect::RemoveBy && rule.thing.state == State::Both);
    let effect = match rule.effect_installed {
        Some(softer) if newness != Newness::New => softer,
        _ => rule.effect,
    };
    let mut found = match effect {
        Effect::None => return None,
        Effect::Watch => Outcome::new(ResultClass::Watch, format!("Act: {}", rule.detail)),
        Effect::Review if rule.thing.state == State::New && newness != Newness::New => Outcome::new(
            ResultClass::Watch,
            format!(
                "Act: the rule is about {}, from now on ({})",
                acts(rule),
                rule.detail
            ),
        ),
        Effect::Review => Outcome::new(ResultClass::Review, format!("Act: {}", rule.detail)),
        Effect::Cap if !is_unit => return None,
        Effect::Cap => share(rule),
        Effect::NeedsApproval => approval(rule, place, newness, acquired, is_unit, as_of)?,
        Effect::NoNew | Effect::Prohibited if effect == Effect::NoNew || rule.thing.state == State::New => {
            only_new(rule, newness, acquired, is_unit)
        }
        Effect::NoNew | Effect::Prohibited => Outcome::new(
            ResultClass::Violation,
            format!(
                "Act: the rule forbids {}, and this is installed ({})",
                acts(rule),
                rule.detail
            ),
        ),
        Effect::RemoveBy if rule.thing.state == State::Both && newness == Newness::New => Outcome::new(
            ResultClass::Violation,
            format!(
                "When: acquired {} and so after the rule took effect; what must go by a date may not be put in anew",
                opt(acquired)
            ),
        ),
        Effect::RemoveBy => removal(rule, place, as_of),
    };
    if turns_on_day && newness == Newness::Undeclared {
        let stricter = format!(
            "When: for what is new since {} it asks for more; ",
            opt(start(rule))
        );
        found.words.push(stricter + &open_day(acquired));
        if matches!(found.class, ResultClass::Review | ResultClass::Watch) {
            found.class = undated(is_unit, found.class);
        }
    }
    Some(if rule.binding { found } else { soften(found) })
}

/// The class where the day of acquisition would settle it: a part may have come after the
/// unit did, so nothing can be presumed of its day.
fn undated(is_unit: bool, class: ResultClass) -> ResultClass {
    if is_unit {
        class
    } else {
        ResultClass::ConditionUnknown
    }
}

/// Why it is not settled whether something is new.
fn open_day(acquired: Option<PartialDate>) -> String {
    match acquired {
        None => "its own day of acquisition is not declared".to_owned(),
        Some(day) => format!("acquired {day}, and which of the two came first cannot be told"),
    }
}

/// Advice and stated policy bind nobody: a would-be breach becomes a review.
fn soften(mut found: Outcome) -> Outcome {
    use ResultClass as C;
    if matches!(
        found.class,
        C::Violation | C::Overdue | C::ApprovalMissing | C::OverCap
    ) {
        found.class = C::Review;
        found
            .words
            .push("Act: stated policy, no legal duty known".to_owned());
    }
    found
}

fn newness(start: Option<PartialDate>, acquired: Option<PartialDate>) -> Newness {
    match (start, acquired) {
        (Some(start), Some(day)) if day.first() > start.last() => Newness::New,
        (Some(start), Some(day)) if day.last() <= start.first() => Newness::Earlier,
        _ => Newness::Undeclared,
    }
}

fn only_new(rule: &Rule, newness: Newness, acquired: Option<PartialDate>, is_unit: bool) -> Outcome {
    let since = opt(start(rule));
    match newness {
        Newness::New => Outcome::new(
            ResultClass::Violation,
            format!(
                "When: acquired {}, after the restriction on new equipment began ({since})",
                opt(acquired)
            ),
        ),
        Newness::Earlier => Outcome::new(
            ResultClass::NoNew,
            format!(
                "When: acquired {}, before the restriction on new equipment began ({since}); this rule lets it stay, no more may come",
                opt(acquired)
            ),
        ),
        Newness::Undeclared => Outcome::new(
            undated(is_unit, ResultClass::NoNew),
            format!(
                "When: only what is new since {since} is restricted; {}",
                open_day(acquired)
            ),
        ),
    }
}

fn share(rule: &Rule) -> Outcome {
    let cap = rule.cap.as_ref().map_or_else(String::new, |cap| {
        format!("{} per cent ({})", cap.percent, cap.metric)
    });
    Outcome::new(
        ResultClass::Undecided,
        format!(
            "Act: at most {cap}; a share is a matter of the whole population and cannot be told from one element"
        ),
    )
}

fn approval(
    rule: &Rule,
    place: &Place,
    newness: Newness,
    acquired: Option<PartialDate>,
    is_unit: bool,
    as_of: Date,
) -> Option<Outcome> {
    let approved = place
        .tags
        .iter()
        .filter_map(|tag| tag.strip_prefix("approved:")?.strip_prefix(rule.id.as_str()));
    for rest in approved {
        match rest.strip_prefix(':').map(str::parse::<PartialDate>) {
            None if rest.is_empty() => {
                return Some(Outcome::new(
                    ResultClass::ApprovedUntil,
                    "Act: you declared an approval without an end",
                ));
            }
            Some(Ok(end)) if as_of <= end.last() => {
                let words = format!("Act: you declared an approval until {end}");
                return Some(Outcome {
                    deadline: Some(end),
                    ..Outcome::new(ResultClass::ApprovedUntil, words)
                });
            }
            Some(Ok(end)) => {
                let words = format!("Act: the approval you declared ended on {end}");
                return Some(Outcome {
                    deadline: Some(end),
                    ..Outcome::new(ResultClass::ApprovalMissing, words)
                });
            }
            _ => {}
        }
    }
    let tag = format!("declare tag approved:{} once it is given", rule.id);
    match (rule.thing.state, newness) {
        (State::New, Newness::Earlier) => None,
        (State::New, Newness::Undeclared) => Some(Outcome::new(
            undated(is_unit, ResultClass::NoNew),
            format!(
                "When: only what is new since {} needs an approval; {}",
                opt(start(rule)),
                open_day(acquired)
            ),
        )),
        _ => Some(Outcome::new(
            ResultClass::ApprovalMissing,
            format!("Act: it needs an approval; {tag}"),
        )),
    }
}

fn removal(rule: &Rule, place: &Place, as_of: Date) -> Outcome {
    let meant = |deadline: &&Deadline| {
        let of = &deadline.generations;
        of.is_empty()
            || of.iter().any(|want| {
                place
                    .generations
                    .iter()
                    .any(|have| have.eq_ignore_ascii_case(want))
            })
    };
    let dated = |kind: DeadlineKind| {
        let found = rule
            .time
            .deadlines
            .iter()
            .filter(|d| d.kind == kind)
            .filter(meant);
        found
            .filter_map(|d| d.date.map(|date| (date, d)))
            .min_by_key(|(date, _)| date.last())
    };
    if let Some((date, deadline)) = dated(DeadlineKind::Binding) {
        let mut found = passes(date, as_of, "binding date", ResultClass::Overdue);
        found.verified = deadline.verified;
        if let Some((urged, _)) = dated(DeadlineKind::Urged) {
            found
                .words
                .push(format!("When: {urged} was urged and is not binding"));
        }
        return found;
    }
    if let Some((date, deadline)) = dated(DeadlineKind::Goal) {
        let mut found = passes(date, as_of, "goal, not a binding date:", ResultClass::Review);
        found.verified = deadline.verified;
        return found;
    }
    match rule
        .time
        .deadlines
        .iter()
        .find_map(|deadline| deadline.relative.as_ref())
    {
        Some(relative) => Outcome::new(
            ResultClass::ConditionUnknown,
            format!("When: it must go {relative}; that day is not known here and must be looked up"),
        ),
        None => Outcome::new(ResultClass::Review, "When: it must go, and no date is known"),
    }
}

/// Due up to and on the last day of `date`; `after` from the next day on.
fn passes(date: PartialDate, as_of: Date, what: &str, after: ResultClass) -> Outcome {
    let days = (date.last() - as_of).whole_days();
    let found = if days >= 0 {
        Outcome::new(
            ResultClass::Due,
            format!("When: {what} {date}, {days} days from {as_of}"),
        )
    } else {
        Outcome::new(
            after,
            format!("When: {what} {date} passed {} days before {as_of}", -days),
        )
    };
    Outcome {
        deadline: Some(date),
        ..found
    }
}

/// How urgent a class is (ITU-T X.733 words); a due date within half a year presses more.
#[must_use]
pub fn severity(class: ResultClass, deadline: Option<PartialDate>, binding: bool, as_of: Date) -> Severity {
    use ResultClass as C;
    match class {
        C::Violation | C::Overdue => Severity::Critical,
        C::Due if binding && deadline.is_some_and(|day| (day.last() - as_of).whole_days() <= 180) => {
            Severity::Major
        }
        C::OverCap | C::ApprovalMissing => Severity::Major,
        C::Due | C::Review => Severity::Minor,
        C::NoNew | C::Watch | C::Future => Severity::Warning,
        C::Undecided | C::ConditionUnknown | C::StaleRecheck | C::WhatIf | C::NoRuleKnown => {
            Severity::Indeterminate
        }
        C::WithinCap | C::ApprovedUntil | C::NotBound => Severity::Cleared,
    }
}

fn concerns_equipment(action: Action) -> bool {
    matches!(
        action,
        Action::Procure | Action::Install | Action::Use | Action::Report
    )
}

fn acts(rule: &Rule) -> String {
    rule.actions
        .iter()
        .map(|action| action.words())
        .collect::<Vec<_>>()
        .join(", ")
}

fn opt(date: Option<PartialDate>) -> String {
    date.map_or_else(|| "an unknown day".to_owned(), |date| date.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policies::Policies;
    use time::macros::date;

    #[test]
    fn rules_hold_in_their_time() {
        let policies = Policies::built_in().unwrap();
        for (id, as_of, expected) in [
            ("US-BIS-AFFILIATES", date!(2025 - 09 - 28), Force::Silent),
            ("US-BIS-AFFILIATES", date!(2025 - 09 - 29), Force::Holds),
            ("US-BIS-AFFILIATES", date!(2025 - 11 - 10), Force::Silent),
            ("US-BIS-AFFILIATES", date!(2026 - 11 - 09), Force::Silent),
            ("US-BIS-AFFILIATES", date!(2026 - 11 - 10), Force::Recheck),
            ("US-BIS-EL-ZTE-2016", date!(2017 - 03 - 29), Force::Holds),
            ("US-BIS-EL-ZTE-2016", date!(2017 - 03 - 30), Force::Silent),
            (
                "DE-BSIG-9B",
                date!(2021 - 05 - 27),
                Force::Future("2021-05-28".parse().unwrap()),
            ),
            ("DE-BSIG-9B", date!(2025 - 12 - 05), Force::Holds),
            ("DE-BSIG-9B", date!(2025 - 12 - 06), Force::Silent),
            ("GB-2020-07", date!(2020 - 07 - 13), Force::Silent),
            ("GB-2020-07-REMOVE", date!(2022 - 10 - 12), Force::Holds),
            ("GB-2020-07-REMOVE", date!(2022 - 10 - 13), Force::Silent),
            ("US-1260H-2025", date!(2026 - 06 - 09), Force::Holds),
            ("US-1260H-2025", date!(2026 - 06 - 10), Force::Silent),
            ("US-1260H-2026-WITHDRAWN", date!(2026 - 02 - 13), Force::Silent),
            ("CA-PS-4G", date!(2022 - 05 - 19), Force::Holds),
            ("CA-C8", date!(2026 - 11 - 25), Force::StartUnknown),
            ("DE-6G-2025", date!(2026 - 11 - 25), Force::Draft),
            ("US-CFIUS-BROADCOM-2018", date!(2018 - 03 - 12), Force::Silent),
        ] {
            assert_eq!(
                force(policies.rule(id).unwrap(), as_of),
                expected,
                "{id} on {as_of}"
            );
        }
    }

    #[test]
    fn a_partial_date_passes_at_the_end_of_its_period() {
        for (text, as_of, expected) in [
            ("2030", date!(2030 - 12 - 31), ResultClass::Due),
            ("2030", date!(2031 - 01 - 01), ResultClass::Overdue),
            ("2025-02", date!(2025 - 02 - 28), ResultClass::Due),
            ("2025-02", date!(2025 - 03 - 01), ResultClass::Overdue),
        ] {
            let found = passes(text.parse().unwrap(), as_of, "date", ResultClass::Overdue);
            assert_eq!(found.class, expected, "{text} on {as_of}");
        }
    }
}
