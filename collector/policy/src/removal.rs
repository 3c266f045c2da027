//! Removal: what is planned against what is asked.
//!
//! Invariant: a plan and a waiver lift no duty: where they lie beyond the rule's date, or the
//! plan's own day has passed, that is said, and nothing is overwritten.

use crate::date::PartialDate;
use crate::waiver::is_worse;
use model::{FindingState, Life, RuleResult};
use time::Date;

/// What in the life of a finding does not go together with what it says, in words.
#[must_use]
pub fn contradictions(life: &Life, result: &RuleResult, today: Date) -> Vec<String> {
    if life.state == FindingState::Closed {
        return Vec::new();
    }
    let mut found = Vec::new();
    let date = |text: &str| text.parse::<PartialDate>().ok();
    let deadline = result.deadline.as_deref();
    let after = |text: &str| {
        let (planned, deadline) = (date(text)?, deadline.and_then(date)?);
        (planned.last() > deadline.last()).then_some(())
    };
    if let Some(removal) = &life.removal {
        let planned = &removal.planned;
        if let (Some(()), Some(deadline)) = (after(planned), deadline) {
            found.push(format!("planned for {planned}, after the rule's date {deadline}"));
        }
        if date(planned).is_some_and(|planned| planned.last() < today) {
            found.push(format!("planned for {planned}, which has passed, and not gone"));
        }
    }
    if let Some(waiver) = life
        .waiver
        .as_ref()
        .filter(|_| life.state == FindingState::Waived)
    {
        let until = &waiver.until;
        if let (Some(()), Some(deadline)) = (after(until), deadline) {
            found.push(format!(
                "waived until {until}, after the rule's date {deadline}: a waiver here lifts no duty"
            ));
        }
        if is_worse(life, result.class) {
            found.push(format!(
                "waived when it was {}, and it is {} now",
                waiver.class, result.class
            ));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{Removal, ResultClass, Severity, Waiver};
    use time::macros::date;

    fn result(class: ResultClass, deadline: Option<&str>) -> RuleResult {
        RuleResult {
            rule: "R".into(),
            jurisdiction: "DE".into(),
            title: String::new(),
            citation: String::new(),
            component: None,
            supplier: "zte".into(),
            class,
            severity: Severity::Major,
            deadline: deadline.map(str::to_owned),
            confidence: 0.9,
            explanation: vec![],
        }
    }

    #[test]
    fn plans_and_waivers_beyond_the_law_are_said() {
        let today = date!(2026 - 11 - 25);
        let due = result(ResultClass::Due, Some("2026-12-31"));
        for (planned, judged, words) in [
            ("2026-12", &due, None),
            ("2026", &due, None),
            ("2027-01", &due, Some("after the rule's date 2026-12-31")),
            ("2026-10", &due, Some("which has passed")),
            ("2030", &result(ResultClass::NoNew, None), None),
        ] {
            let life = Life {
                removal: Some(Removal {
                    planned: planned.into(),
                    replacement: String::new(),
                    owner: "ann".into(),
                }),
                ..Life::new()
            };
            let said = contradictions(&life, judged, today);
            assert_eq!(said.len(), usize::from(words.is_some()), "{planned}: {said:?}");
            assert!(said.iter().all(|said| said.contains(words.unwrap_or(""))));
            let closed = Life {
                state: FindingState::Closed,
                ..life
            };
            assert!(contradictions(&closed, judged, today).is_empty());
        }
        let waived = |until: &str| Life {
            state: FindingState::Waived,
            waiver: Some(Waiver {
                asked_by: "ann".into(),
                reason: "r".into(),
                until: until.into(),
                class: ResultClass::Due,
                approved_by: Some("bob".into()),
            }),
            ..Life::new()
        };
        assert!(contradictions(&waived("2026-12-31"), &due, today).is_empty());
        let said = contradictions(&waived("2027-01-01"), &due, today);
        assert!(said.len() == 1 && said[0].contains("lifts no duty"), "{said:?}");
        let overdue = result(ResultClass::Overdue, None);
        let said = contradictions(&waived("2027-01-01"), &overdue, today);
        assert_eq!(said, ["waived when it was due, and it is overdue now"]);
    }
}
