//! Which act: what follows from one rule on one day if its scope is met.
//!
//! Invariants: a date passes at the end of the day after which it lies, a partial
//! one at the end of its period; an urged date or a goal never makes anything
//! overdue; a rule about funding, authorising or listing says at most "watch"
//! about what is installed; a share that may lie on both sides of a cap stays open.

use crate::approval::OnFile;
use crate::date::PartialDate;
use crate::force::{date_of, start};
use crate::pack::{Action, Deadline, DeadlineKind, Effect, Rule, State};
use crate::part::{Part, Presence, Share};
use crate::question::Question;
use model::{Place, ResultClass, Severity};
use time::Date;

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
    pub(crate) fn new(class: ResultClass, words: impl Into<String>) -> Self {
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

/// One rule and one thing at one place.
#[derive(Clone, Copy)]
struct Matter<'a> {
    rule: &'a Rule,
    place: &'a Place,
    part: &'a Part,
    question: &'a Question<'a>,
    newness: Newness,
}

/// What the rule asks for this thing; `None` if nothing.
#[must_use]
pub fn outcome(rule: &Rule, place: &Place, part: &Part, question: &Question<'_>) -> Option<Outcome> {
    let newness = newness(start(rule, question), part);
    let matter = Matter {
        rule,
        place,
        part,
        question,
        newness,
    };
    if !rule.actions.iter().any(|&action| concerns_equipment(action)) {
        return Some(matter.act_upon_others());
    }
    let turns_on_day = rule.effect_installed.is_some()
        || (rule.effect == Effect::Review && rule.thing.state == State::New)
        || (rule.effect == Effect::RemoveBy && rule.thing.state == State::Both);
    let effect = match rule.effect_installed {
        Some(softer) if newness != Newness::New => softer,
        _ => rule.effect,
    };
    let mut found = matter.follows(effect)?;
    if turns_on_day && newness == Newness::Undeclared && found.class != ResultClass::ApprovedUntil {
        let stricter = format!(
            "When: for what is new since {} it asks for more; ",
            opt(start(rule, question))
        );
        found.words.push(stricter + &open_day(part.acquired));
        if matches!(found.class, ResultClass::Review | ResultClass::Watch) {
            found.class = matter.undated(found.class);
        }
    }
    Some(if rule.binding { found } else { soften(found) })
}

impl Matter<'_> {
    /// What a rule asks whose act is not about running equipment: spending, authorising, exporting.
    fn act_upon_others(&self) -> Outcome {
        let rule = self.rule;
        let words = format!("Act: the rule is about {} ({})", acts(rule), rule.detail);
        if rule.effect == Effect::NeedsApproval && rule.actions.contains(&Action::ExportTo) {
            let mut found = self.approval();
            found
                .words
                .insert(0, words + "; owning or running its goods needs none");
            return found;
        }
        let forbids = matches!(rule.effect, Effect::Prohibited | Effect::NoNew);
        let of_things = rule.thing.state != State::None && rule.binding;
        if forbids && of_things && self.part.told.presence == Some(Presence::New) {
            return Outcome::new(ResultClass::Violation, words + "; this is told as new");
        }
        if forbids && of_things && self.part.told.presence == Some(Presence::Untold) {
            return Outcome::new(
                ResultClass::ConditionUnknown,
                words + "; whether this is new is not told",
            );
        }
        if rule.effect_installed == Some(Effect::Review) {
            return Outcome::new(
                ResultClass::Review,
                words + "; whether that is done for what is there must be looked at",
            );
        }
        Outcome::new(ResultClass::Watch, words + ", not about what is installed")
    }

    fn follows(&self, effect: Effect) -> Option<Outcome> {
        let rule = self.rule;
        let new = self.newness == Newness::New;
        if self.on_file().is_meant() == Some(true) && rule.effect == Effect::NeedsApproval {
            return Some(self.approval());
        }
        Some(match effect {
            Effect::None => return None,
            Effect::Watch => Outcome::new(ResultClass::Watch, format!("Act: {}", rule.detail)),
            Effect::Review if rule.thing.state == State::New && !new => Outcome::new(
                ResultClass::Watch,
                format!(
                    "Act: the rule is about {}, from now on ({})",
                    acts(rule),
                    rule.detail
                ),
            ),
            Effect::Review => Outcome::new(ResultClass::Review, format!("Act: {}", rule.detail)),
            Effect::Cap if self.part.component.is_some() => return None,
            Effect::Cap => self.share(),
            Effect::NeedsApproval if rule.thing.state == State::New && self.newness == Newness::Earlier => {
                return None;
            }
            Effect::NeedsApproval => self.approval(),
            Effect::NoNew | Effect::Prohibited
                if effect == Effect::NoNew || rule.thing.state == State::New =>
            {
                self.only_new()
            }
            Effect::NoNew | Effect::Prohibited => Outcome::new(
                ResultClass::Violation,
                format!(
                    "Act: the rule forbids {}, and this is there ({})",
                    acts(rule),
                    rule.detail
                ),
            ),
            Effect::RemoveBy
                if new
                    && self.part.told.presence == Some(Presence::New)
                    && rule.thing.state == State::Installed =>
            {
                Outcome::new(
                    ResultClass::Watch,
                    format!(
                        "Act: the rule is about what is installed, and this is told as new ({})",
                        rule.detail
                    ),
                )
            }
            Effect::RemoveBy if rule.thing.state == State::Both && new => Outcome::new(
                ResultClass::Violation,
                format!(
                    "When: {} and so after the rule took effect; what must go by a date may not be put in anew",
                    self.told_new()
                ),
            ),
            Effect::RemoveBy => self.removal(),
        })
    }

    fn told_new(&self) -> String {
        self.part
            .acquired
            .map_or_else(|| "told as new".to_owned(), |day| format!("acquired {day}"))
    }

    /// The class where the day of acquisition would settle it. Nothing can be presumed of it where it is
    /// told and not exact enough, nor of that of a part, which may have come after the unit did.
    fn undated(&self, class: ResultClass) -> ResultClass {
        let untold = self.part.told.presence == Some(Presence::Untold);
        if self.part.component.is_none() && self.part.acquired.is_none() && !untold {
            class
        } else {
            ResultClass::ConditionUnknown
        }
    }

    fn only_new(&self) -> Outcome {
        let since = opt(start(self.rule, self.question));
        match self.newness {
            Newness::New => Outcome::new(
                ResultClass::Violation,
                format!(
                    "When: {}, after the restriction on new equipment began ({since})",
                    self.told_new()
                ),
            ),
            Newness::Earlier => Outcome::new(
                ResultClass::NoNew,
                format!(
                    "When: {}, before the restriction on new equipment began ({since}); this rule lets it stay, no more may come",
                    self.part
                        .acquired
                        .map_or_else(|| "told as installed".to_owned(), |day| format!("acquired {day}"))
                ),
            ),
            Newness::Undeclared => Outcome::new(
                self.undated(ResultClass::NoNew),
                format!(
                    "When: only what is new since {since} is restricted; {}",
                    open_day(self.part.acquired)
                ),
            ),
        }
    }

    fn share(&self) -> Outcome {
        let Some(cap) = &self.rule.cap else {
            return Outcome::new(ResultClass::Undecided, "Act: a cap without a figure");
        };
        let limit = format!("Act: at most {} per cent ({})", cap.percent, cap.metric);
        let percent = f64::from(cap.percent);
        let mut found = match self.on_file().share() {
            None => Outcome::new(
                ResultClass::Undecided,
                format!(
                    "{limit}; a share is a matter of the whole population and cannot be told from one element"
                ),
            ),
            Some(share) => {
                let class = against(share, percent);
                let words = match class {
                    ResultClass::OverCap => "the share lies above it",
                    ResultClass::WithinCap => "the share lies within it",
                    _ => "the share may lie on both sides of it: find out who made the rest",
                };
                Outcome::new(
                    class,
                    format!(
                        "{limit}; {} to {} per cent: {words}",
                        (share.low * 100.0).floor() / 100.0,
                        (share.high * 100.0).ceil() / 100.0
                    ),
                )
            }
        };
        if let Some((date, deadline)) = self.dated(DeadlineKind::Binding) {
            found.words.push(format!("When: the cap holds from {date} on"));
            found.verified = deadline.verified;
            found.deadline = Some(date).filter(|_| found.class == ResultClass::OverCap);
        }
        if let Some((date, _)) = self.dated(DeadlineKind::Urged) {
            found
                .words
                .push(format!("When: {date} was urged and is not binding"));
        }
        found
    }

    fn on_file(&self) -> OnFile<'_> {
        OnFile {
            rule: self.rule,
            place: self.place,
            part: self.part,
        }
    }

    fn approval(&self) -> Outcome {
        let on_file = self.on_file();
        let ends = match on_file.is_meant() {
            Some(false) if !on_file.is_empty() => {
                return Outcome::new(
                    ResultClass::ApprovalMissing,
                    "Act: it needs an approval, and the one on file is for something else",
                );
            }
            None => {
                return Outcome::new(
                    ResultClass::ConditionUnknown,
                    "Act: it needs an approval; the one on file is limited, and whether this is meant is not told",
                );
            }
            Some(_) => on_file.ends(),
        };
        let as_of = self.question.as_of;
        // An approval without an end outlasts every other.
        let latest = ends
            .into_iter()
            .max_by_key(|end| end.map_or(Date::MAX, PartialDate::last));
        match latest {
            Some(None) => Outcome::new(
                ResultClass::ApprovedUntil,
                "Act: you declared an approval without an end",
            ),
            Some(Some(end)) => {
                let (class, words) = if as_of <= end.last() {
                    (
                        ResultClass::ApprovedUntil,
                        format!("Act: you declared an approval until {end}"),
                    )
                } else {
                    (
                        ResultClass::ApprovalMissing,
                        format!("Act: the approval you declared ended on {end}"),
                    )
                };
                Outcome {
                    deadline: Some(end),
                    ..Outcome::new(class, words)
                }
            }
            None if self.rule.thing.state == State::New && self.newness == Newness::Undeclared => {
                Outcome::new(
                    self.undated(ResultClass::NoNew),
                    format!(
                        "When: only what is new since {} needs an approval; {}",
                        opt(start(self.rule, self.question)),
                        open_day(self.part.acquired)
                    ),
                )
            }
            None => Outcome::new(
                ResultClass::ApprovalMissing,
                format!(
                    "Act: it needs an approval; declare tag approved:{} once it is given",
                    self.rule.id
                ),
            ),
        }
    }

    /// The earliest date of a kind that is meant for this place.
    fn dated(&self, kind: DeadlineKind) -> Option<(PartialDate, &Deadline)> {
        let segment = self.part.told.segment.map(crate::pack::Segment::as_str);
        let segment = segment.or(self.place.role.map(model::Role::as_str));
        let meant = |deadline: &&Deadline| {
            let generation = |want: &String| {
                let mut have = self.place.generations.iter();
                have.any(|have| have.eq_ignore_ascii_case(want))
            };
            let generations = deadline.generations.is_empty() || deadline.generations.iter().any(generation);
            let segments =
                deadline.segments.is_empty() || deadline.segments.iter().any(|s| Some(s.as_str()) == segment);
            deadline.kind == kind && generations && segments
        };
        let dated = self.rule.time.deadlines.iter().filter(meant);
        dated
            .filter_map(|deadline| Some((date_of(self.rule, deadline, self.question)?, deadline)))
            .min_by_key(|(date, _)| date.last())
    }

    /// The facts by which the rule tells its dates apart, as far as nobody declared them.
    fn undeclared(&self) -> Option<String> {
        let deadlines = &self.rule.time.deadlines;
        let generation =
            self.place.generations.is_empty() && deadlines.iter().any(|d| !d.generations.is_empty());
        let role = self.place.role.is_none() && self.part.told.segment.is_none();
        let role = role && deadlines.iter().any(|d| !d.segments.is_empty());
        let words = match (generation, role) {
            (true, true) => "the generations and the role of the element; declare both",
            (true, false) => "the generations of the element; declare them",
            (false, true) => "the role of the element; declare it",
            (false, false) => return None,
        };
        Some(words.to_owned())
    }

    fn removal(&self) -> Outcome {
        let as_of = self.question.as_of;
        if let Some((date, deadline)) = self.dated(DeadlineKind::Binding) {
            let mut found = passes(date, as_of, "binding date", ResultClass::Overdue);
            found.verified = deadline.verified;
            if let Some(relative) = &deadline.relative {
                found
                    .words
                    .push(format!("When: {relative}, counted from the day you assume"));
            }
            if let Some((urged, _)) = self.dated(DeadlineKind::Urged) {
                found
                    .words
                    .push(format!("When: {urged} was urged and is not binding"));
            }
            return found;
        }
        if let Some((date, deadline)) = self.dated(DeadlineKind::Goal) {
            let mut found = passes(date, as_of, "goal, not a binding date:", ResultClass::Review);
            found.verified = deadline.verified;
            return found;
        }
        if let Some(words) = self.undeclared() {
            return Outcome::new(
                ResultClass::ConditionUnknown,
                format!("When: it must go, and by when turns on {words}"),
            );
        }
        let mut deadlines = self.rule.time.deadlines.iter();
        match deadlines.find_map(|deadline| deadline.relative.as_ref()) {
            Some(relative) => Outcome::new(
                ResultClass::ConditionUnknown,
                format!("When: it must go {relative}; that day is not known here and must be looked up"),
            ),
            None => Outcome::new(ResultClass::Review, "When: it must go, and no date is known"),
        }
    }
}

/// What a share that may lie anywhere between its ends says of a cap.
fn against(share: Share, percent: f64) -> ResultClass {
    if share.low > percent {
        ResultClass::OverCap
    } else if share.high <= percent {
        ResultClass::WithinCap
    } else {
        ResultClass::Undecided
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
    if matches!(found.class, C::Violation | C::Overdue | C::ApprovalMissing) {
        found.class = C::Review;
        found
            .words
            .push("Act: stated policy, no legal duty known".to_owned());
    }
    found
}

fn newness(start: Option<PartialDate>, part: &Part) -> Newness {
    match (start, part.acquired, part.told.presence) {
        (_, _, Some(Presence::New)) => Newness::New,
        (Some(start), Some(day), _) if day.first() > start.last() => Newness::New,
        (Some(start), Some(day), _) if day.last() <= start.first() => Newness::Earlier,
        (_, None, Some(Presence::Installed)) => Newness::Earlier,
        _ => Newness::Undeclared,
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
pub fn severity(class: ResultClass, deadline: Option<PartialDate>, rule: &Rule, as_of: Date) -> Severity {
    use ResultClass as C;
    match class {
        C::ApprovalMissing if rule.thing.state == State::None => Severity::Warning,
        C::Violation | C::Overdue => Severity::Critical,
        C::Due if rule.binding && deadline.is_some_and(|day| (day.last() - as_of).whole_days() <= 180) => {
            Severity::Major
        }
        C::OverCap if !rule.binding => Severity::Minor,
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
    use time::macros::date;

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
