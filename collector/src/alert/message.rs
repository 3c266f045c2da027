//! What an alert says, the same to every kind of receiver.
//!
//! Invariants: texts that devices told are bounded and hold no control characters; by its labels a receiver knows the
//! finding again, so those it was told before go with those it is told now where they differ.

use crate::web::show::clean;
use model::{FindingState, Instant, Role};
use serde::{Deserialize, Serialize};
use store::alerts::DueChange;
use store::view::FindingRow;
use uuid::Uuid;

/// Longest text of a field, in characters.
const TEXT: usize = 500;

/// Where links to findings begin.
#[derive(Debug, Clone, Default)]
pub struct Links(pub String);

impl Links {
    fn to(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }
}

/// How a finding stands for whoever is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Somebody must look.
    Firing,
    /// Somebody has seen it.
    Acknowledged,
    /// Somebody has it.
    Assigned,
    /// It is over: closed, waived, or no longer among those the route is told of.
    Resolved,
}

impl State {
    /// Of a finding that is in this state.
    #[must_use]
    pub fn of(state: FindingState) -> Self {
        match state {
            FindingState::Open => Self::Firing,
            FindingState::Acknowledged => Self::Acknowledged,
            FindingState::Assigned => Self::Assigned,
            FindingState::Waived | FindingState::Closed => Self::Resolved,
        }
    }

    /// Its word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Acknowledged => "acknowledged",
            Self::Assigned => "assigned",
            Self::Resolved => "resolved",
        }
    }
}

/// By what a receiver knows a finding.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Labels {
    /// Key of the finding; never another for the same one.
    pub finding: String,
    /// Severity (ITU-T X.733).
    pub severity: String,
    /// Site.
    pub site: String,
    /// Declared role, or `unknown`.
    pub role: String,
    /// Key of the rule.
    pub rule: String,
    /// Key of the supplier that matched.
    pub maker: String,
    /// Name of the element.
    pub element: String,
}

/// One alert.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Key of the change it tells: the same however often it is sent.
    pub id: Uuid,
    /// Whether somebody only tries the route.
    pub test: bool,
    /// How the finding stands after it.
    pub state: State,
    /// What happened: `opened`, `reopened`, `changed`, `lapsed`, `closed`, `acknowledged`, …; `left` once the route is no
    /// longer told of it.
    pub change: String,
    /// The same for people.
    pub text: String,
    /// A word of [`model::Cause`].
    pub cause: String,
    /// Who acted, if a person did.
    pub person: Option<String>,
    /// When, RFC 3339.
    pub at: String,
    /// Since when the rule is met.
    pub opened: String,
    /// By what the finding is known.
    pub labels: Labels,
    /// By what it was known, where that was something else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Labels>,
    /// What the finding says: `violation`, `overdue`, …
    pub class: String,
    /// Title of the rule.
    pub title: String,
    /// What it rests on.
    pub citation: String,
    /// Whose law it is.
    pub jurisdiction: String,
    /// Name of the maker or brand.
    pub supplier: String,
    /// Key of the element.
    pub element: String,
    /// Its address.
    pub address: String,
    /// Part or model concerned.
    pub part: String,
    /// Until when, as the rule has it.
    pub deadline: Option<String>,
    /// To whom it is assigned.
    pub owner: Option<String>,
    /// Confidence of the claims, 0 to 1.
    pub confidence: f64,
    /// Page of the finding.
    pub link: String,
}

impl Message {
    /// What a change of a finding comes to; `fires`: whether it is one the route is told of. `before`: what it was told.
    #[must_use]
    pub fn of(
        change: &DueChange,
        row: &FindingRow,
        (fires, before): (bool, Option<Labels>),
        links: &Links,
    ) -> Self {
        let labels = Labels {
            finding: row.finding.to_string(),
            severity: change.severity.as_str().to_owned(),
            site: row.site.to_string(),
            role: row.role.map_or("unknown", Role::as_str).to_owned(),
            rule: clean(&row.result.rule, TEXT),
            maker: clean(&row.result.supplier, TEXT),
            element: clean(&row.element_name, TEXT),
        };
        Self {
            id: change.event,
            test: false,
            state: if fires {
                State::of(change.state)
            } else {
                State::Resolved
            },
            change: change.kind.clone(),
            text: clean(&change.text, TEXT),
            cause: change.cause.clone(),
            person: change.person.as_deref().map(|person| clean(person, TEXT)),
            at: change.at.to_string(),
            opened: row.opened.to_string(),
            before: before.filter(|before| *before != labels),
            labels,
            class: change.class.as_str().to_owned(),
            title: clean(&row.result.title, TEXT),
            citation: clean(&row.result.citation, TEXT),
            jurisdiction: clean(&row.result.jurisdiction, TEXT),
            supplier: clean(&row.supplier, TEXT),
            element: row.element.to_string(),
            address: clean(&row.address, TEXT),
            part: clean(&row.part, TEXT),
            deadline: row.result.deadline.as_deref().map(|day| clean(day, TEXT)),
            owner: change.owner.as_deref().map(|owner| clean(owner, TEXT)),
            confidence: row.result.confidence,
            link: links.to(&format!("/findings/{}", row.finding)),
        }
    }

    /// That a finding concerns a route no more, though it is not over: nothing but what the route was told before, for its
    /// readers may not see what became of it.
    #[must_use]
    pub fn left(change: &DueChange, row: &FindingRow, told: Labels, links: &Links) -> Self {
        Self {
            id: change.event,
            state: State::Resolved,
            change: "left".to_owned(),
            text: "no longer told of here".to_owned(),
            at: change.at.to_string(),
            opened: row.opened.to_string(),
            test: false,
            cause: String::new(),
            person: None,
            before: None,
            class: String::new(),
            title: "Finding no longer told of".to_owned(),
            citation: String::new(),
            jurisdiction: String::new(),
            supplier: told.maker.clone(),
            element: String::new(),
            address: String::new(),
            part: String::new(),
            deadline: None,
            owner: None,
            confidence: 0.0,
            link: links.to(&format!("/findings/{}", row.finding)),
            labels: told,
        }
    }

    /// One that tells of nothing: somebody tries a route.
    #[must_use]
    pub fn test(person: &str, links: &Links, now: Instant) -> Self {
        let id = Uuid::now_v7();
        Self {
            id,
            test: true,
            state: State::Firing,
            change: "test".to_owned(),
            text: format!("{} tries this route; nothing happened", clean(person, TEXT)),
            cause: "person".to_owned(),
            person: Some(clean(person, TEXT)),
            at: now.to_string(),
            opened: now.to_string(),
            labels: Labels {
                finding: format!("test-{id}"),
                severity: "indeterminate".to_owned(),
                site: "none".to_owned(),
                role: "unknown".to_owned(),
                rule: "TEST".to_owned(),
                maker: "none".to_owned(),
                element: "none".to_owned(),
            },
            before: None,
            class: "test".to_owned(),
            title: "Test of an alert route".to_owned(),
            citation: String::new(),
            jurisdiction: String::new(),
            supplier: String::new(),
            element: String::new(),
            address: String::new(),
            part: String::new(),
            deadline: None,
            owner: None,
            confidence: 0.0,
            link: links.to("/admin"),
        }
    }

    /// One line for people.
    #[must_use]
    pub fn line(&self) -> String {
        if self.test {
            return format!("TEST: {}", self.text);
        }
        let labels = &self.labels;
        let part = if self.part.is_empty() { "" } else { ", " };
        format!(
            "{} [{}] {} at {} ({}, {}): {}{part}{}; {}",
            self.state.as_str().to_uppercase(),
            labels.severity,
            labels.rule,
            labels.element,
            labels.site,
            labels.role,
            self.supplier,
            self.part,
            self.text,
        )
    }
}

/// How many of a flood are over, and how many of each rule are not, in words.
#[must_use]
pub fn summary(messages: &[Message]) -> String {
    let over = messages.iter().filter(|it| it.state == State::Resolved).count();
    let mut rules = std::collections::BTreeMap::<(&str, &str), usize>::new();
    for message in messages.iter().filter(|it| it.state != State::Resolved) {
        *rules
            .entry((&message.labels.rule, &message.labels.severity))
            .or_default() += 1;
    }
    let mut words: Vec<String> = rules
        .into_iter()
        .take(20)
        .map(|((rule, severity), count)| format!("{count} of {rule} [{severity}]"))
        .collect();
    words.push(format!("{over} resolved"));
    format!("{} changes of findings: {}", messages.len(), words.join(", "))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// An alert as others test with it.
    pub(in crate::alert) fn a_message(state: State) -> Message {
        let links = Links("https://collector.example:8443".to_owned());
        Message {
            test: false,
            state,
            change: "opened".to_owned(),
            text: "violation under DE-CONTRACT-CORE".to_owned(),
            labels: Labels {
                finding: "0198c0de-0000-7000-8000-000000000001".to_owned(),
                severity: "critical".to_owned(),
                site: "berlin".to_owned(),
                role: "core".to_owned(),
                rule: "DE-CONTRACT-CORE".to_owned(),
                maker: "huawei".to_owned(),
                element: "ber|core=1".to_owned(),
            },
            title: "No critical components | in the core".to_owned(),
            part: "NE8000".to_owned(),
            supplier: "Huawei".to_owned(),
            link: links.to("/findings/0198c0de-0000-7000-8000-000000000001"),
            ..Message::test("Ann", &links, Instant(1_700_000_000_000_000))
        }
    }

    #[test]
    fn a_flood_is_told_by_rule() {
        let many = [State::Firing, State::Assigned, State::Resolved].map(a_message);
        assert_eq!(
            summary(&many),
            "3 changes of findings: 2 of DE-CONTRACT-CORE [critical], 1 resolved"
        );
    }

    #[test]
    fn what_was_waived_or_closed_is_over() {
        for (state, expected) in [
            (FindingState::Open, State::Firing),
            (FindingState::Acknowledged, State::Acknowledged),
            (FindingState::Assigned, State::Assigned),
            (FindingState::Waived, State::Resolved),
            (FindingState::Closed, State::Resolved),
        ] {
            assert_eq!(State::of(state), expected);
        }
    }
}
