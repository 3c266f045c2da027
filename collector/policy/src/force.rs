//! When: whether a rule holds on a day, and which of its dates are known.
//!
//! Invariants: announced is not effective; an end, a pause or a successor silences a
//! rule only where it was announced by the day of knowledge; what a pause or a decision left open
//! is said to be open; a relative date is computed only from an anchor that
//! somebody names.

use crate::date::PartialDate;
use crate::pack::{Deadline, Effect, Pause, Rule, Status};
use crate::question::Question;

/// Whether a rule holds on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Force {
    /// It says nothing on this day: not yet known, over, replaced, paused, or never a rule.
    Silent,
    /// A draft, or one that lapsed as such.
    Draft,
    /// Made, and takes effect later; `None` where the day is not known.
    Future(Option<PartialDate>),
    /// Made, and nobody knows when it starts.
    StartUnknown,
    /// Was paused, and what came after is not known.
    Recheck,
    /// In effect.
    Holds,
}

/// Whether the rule holds on the day asked about.
#[must_use]
pub fn force(rule: &Rule, question: &Question<'_>) -> Force {
    let (time, as_of) = (&rule.time, question.as_of);
    if let Some(from) = question.assumed(&rule.id) {
        return match start(rule, question).unwrap_or(from) {
            day if day.first() > as_of => Force::Future(Some(day)),
            _ => Force::Holds,
        };
    }
    let known = |day: PartialDate| question.as_known.is_none_or(|known| day.first() <= known);
    let ends = match time.ends_announced {
        Some(day) if !known(day) => time.ends_first,
        _ => time.ends,
    };
    let mut successions = rule.successions.iter();
    let over = ends.is_some_and(|end| end.last() < as_of)
        || successions.any(|next| next.from <= as_of && known(next.announced))
        || (rule.status == Status::Repealed && time.ends.is_none());
    if !time.announced.is_none_or(known) || over || rule.effect == Effect::None {
        return Force::Silent;
    }
    let to_come = time.announced.is_some_and(|day| day.first() > as_of);
    match rule.status {
        Status::Withdrawn | Status::NoneFound | Status::Unproven => return Force::Silent,
        Status::Proposed | Status::Expired if to_come => return Force::Silent,
        Status::Proposed | Status::Expired => return Force::Draft,
        _ => {}
    }
    match start(rule, question) {
        Some(day) if day.first() > as_of => return Force::Future(Some(day)),
        None if to_come => return Force::Future(None),
        None => return Force::StartUnknown,
        Some(_) => {}
    }
    let told = |pause: &&Pause| pause.announced.is_none_or(known);
    match time.suspended.as_ref().filter(told) {
        Some(pause) if pause.from.first() <= as_of && as_of <= pause.to.last() => Force::Silent,
        Some(pause) if pause.to.last() < as_of => Force::Recheck,
        _ => Force::Holds,
    }
}

/// The first day of effect. Advice speaks from the day it is given; a law only from the day it
/// names. An assumption sets it, unless it is the anchor that a known law still waits for.
#[must_use]
pub fn start(rule: &Rule, question: &Question<'_>) -> Option<PartialDate> {
    let advice = rule.status == Status::Guidance || (rule.status == Status::Superseded && !rule.binding);
    let told = rule.time.effective.or(rule.time.announced.filter(|_| advice));
    let waits = told.is_some() && rule.time.deadlines.iter().any(|d| d.plus.is_some());
    question.assumed(&rule.id).filter(|_| !waits).or(told)
}

/// The date of a deadline: as written, or counted from the anchor that is assumed.
#[must_use]
pub fn date_of(rule: &Rule, deadline: &Deadline, question: &Question<'_>) -> Option<PartialDate> {
    let counted = || question.assumed(&rule.id)?.plus(deadline.plus?);
    deadline.date.or_else(counted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policies::Policies;
    use time::macros::date;

    #[test]
    fn only_what_was_known_silences() {
        let policies = Policies::built_in().unwrap();
        for (id, as_of, as_known, expected) in [
            (
                "GB-2020-07-REMOVE",
                date!(2024 - 01 - 01),
                date!(2022 - 10 - 12),
                Force::Holds,
            ),
            (
                "GB-2020-07-REMOVE",
                date!(2024 - 01 - 01),
                date!(2022 - 10 - 13),
                Force::Silent,
            ),
            (
                "GB-LETTER-2018-11",
                date!(2022 - 01 - 01),
                date!(2020 - 11 - 23),
                Force::Holds,
            ),
            (
                "GB-LETTER-2018-11",
                date!(2022 - 01 - 01),
                date!(2020 - 11 - 24),
                Force::Silent,
            ),
            (
                "DE-BSIG-9B",
                date!(2026 - 11 - 23),
                date!(2025 - 11 - 12),
                Force::Holds,
            ),
            (
                "DE-BSIG-9B",
                date!(2026 - 11 - 23),
                date!(2025 - 11 - 13),
                Force::Silent,
            ),
            (
                "DE-BMI-2023-DRAFT",
                date!(2025 - 01 - 01),
                date!(2024 - 07 - 10),
                Force::Draft,
            ),
            (
                "DE-BMI-2023-DRAFT",
                date!(2025 - 01 - 01),
                date!(2024 - 07 - 11),
                Force::Silent,
            ),
            (
                "US-BIS-DENIAL-ZTE-2018",
                date!(2025 - 03 - 13),
                date!(2018 - 07 - 12),
                Force::Holds,
            ),
            (
                "US-BIS-DENIAL-ZTE-2018",
                date!(2025 - 03 - 14),
                date!(2018 - 07 - 12),
                Force::Silent,
            ),
            (
                "US-BIS-DENIAL-ZTE-2018",
                date!(2018 - 07 - 14),
                date!(2018 - 07 - 13),
                Force::Silent,
            ),
            (
                "US-BIS-AFFILIATES",
                date!(2026 - 05 - 01),
                date!(2025 - 11 - 09),
                Force::Holds,
            ),
            (
                "US-BIS-AFFILIATES",
                date!(2026 - 05 - 01),
                date!(2025 - 11 - 10),
                Force::Silent,
            ),
            (
                "US-BIS-AFFILIATES",
                date!(2026 - 11 - 10),
                date!(2025 - 11 - 09),
                Force::Holds,
            ),
            (
                "US-BIS-AFFILIATES",
                date!(2026 - 11 - 10),
                date!(2025 - 11 - 10),
                Force::Recheck,
            ),
        ] {
            let question = Question {
                as_known: Some(as_known),
                ..Question::on(as_of)
            };
            let found = force(policies.rule(id).unwrap(), &question);
            assert_eq!(found, expected, "{id} on {as_of} as known on {as_known}");
        }
    }

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
                Force::Future(Some("2021-05-28".parse().unwrap())),
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
                force(policies.rule(id).unwrap(), &Question::on(as_of)),
                expected,
                "{id} on {as_of}"
            );
        }
    }
}
