//! Alertmanager, `POST /api/v2/alerts`.
//!
//! Invariants: an alert is known there by its labels, so those told before are ended when others take their place; what
//! fires has an end far ahead, for what is not told again would be taken for over; the end of what is over lies a little
//! back, for an Alertmanager whose clock is behind would else keep the end far ahead.

use super::http::{self, Caller, Head};
use super::message::{Labels, State};
use super::{AlertError, Failure, Message};
use crate::config::route::AlertmanagerConfig;
use serde::Serialize;
use std::collections::BTreeMap;
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

/// So far ahead an alert that fires would end by itself.
const LASTS: Duration = Duration::days(366);
/// So far back lies the end of what is over, though not before its start.
const BACK: Duration = Duration::minutes(5);
/// So far ahead a test does.
const TEST_LASTS: Duration = Duration::minutes(5);

/// An Alertmanager.
pub struct Alertmanager {
    config: AlertmanagerConfig,
    caller: Caller,
}

#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Posted {
    labels: BTreeMap<&'static str, String>,
    annotations: BTreeMap<&'static str, String>,
    starts_at: String,
    ends_at: String,
    #[serde(rename = "generatorURL")]
    generator_url: String,
}

impl Alertmanager {
    /// Opens it.
    ///
    /// # Errors
    /// [`AlertError`] naming the route.
    pub fn open(route: &str, config: &AlertmanagerConfig) -> Result<Self, AlertError> {
        let caller = Caller::open(route, Some(&config.url), config.ca.as_deref(), config.plain)?;
        Ok(Self {
            config: config.clone(),
            caller,
        })
    }

    /// Where it is.
    #[must_use]
    pub fn place(&self) -> String {
        http::host(&self.config.url)
    }

    /// Posts all in one body.
    ///
    /// # Errors
    /// [`Failure`] in words for people.
    pub async fn send(&self, messages: &[Message]) -> Result<(), Failure> {
        let posted: Vec<Posted> = messages.iter().flat_map(posted).collect();
        let body = serde_json::to_vec(&posted).map_err(|error| Failure::new(error.to_string(), &[]))?;
        let token = http::secret(self.config.token.as_ref()).await?;
        let secrets: Vec<_> = token.iter().collect();
        let head = Head {
            token: token.clone(),
            fields: Vec::new(),
        };
        let url = format!("{}/api/v2/alerts", self.config.url.trim_end_matches('/'));
        self.caller.post(&url, body, head, &secrets).await
    }
}

/// What one alert is there: what was told before it, ended, and itself.
fn posted(message: &Message) -> Vec<Posted> {
    let over = |labels: &Labels| one(message, labels, ended(message));
    let before = message.before.as_ref().map(over);
    let ends = match message.state {
        State::Resolved => ended(message),
        _ if message.test => after(&message.at, TEST_LASTS),
        _ => after(&message.at, LASTS),
    };
    before
        .into_iter()
        .chain([one(message, &message.labels, ends)])
        .collect()
}

/// The end of what is over: see [`BACK`].
fn ended(message: &Message) -> String {
    let ends = after(&message.at, -BACK);
    let moment = |text: &str| OffsetDateTime::parse(text, &Rfc3339).ok();
    match moment(&ends) >= moment(&message.opened) {
        true => ends,
        false => message.opened.clone(),
    }
}

fn after(at: &str, lasts: Duration) -> String {
    let ends = OffsetDateTime::parse(at, &Rfc3339)
        .ok()
        .and_then(|at| at.checked_add(lasts));
    ends.and_then(|ends| ends.format(&Rfc3339).ok())
        .unwrap_or_else(|| at.to_owned())
}

fn one(message: &Message, labels: &Labels, ends_at: String) -> Posted {
    let name = if message.test {
        "MarqueTest"
    } else {
        "MarqueFinding"
    };
    let labels = [
        ("alertname", name.to_owned()),
        ("finding", labels.finding.clone()),
        ("severity", labels.severity.clone()),
        ("site", labels.site.clone()),
        ("role", labels.role.clone()),
        ("rule", labels.rule.clone()),
        ("maker", labels.maker.clone()),
        ("element", labels.element.clone()),
    ];
    let annotations = [
        ("summary", message.line()),
        ("title", message.title.clone()),
        ("state", message.state.as_str().to_owned()),
        ("class", message.class.clone()),
        ("cause", message.cause.clone()),
        ("citation", message.citation.clone()),
        ("part", message.part.clone()),
        ("address", message.address.clone()),
        ("deadline", message.deadline.clone().unwrap_or_default()),
        ("owner", message.owner.clone().unwrap_or_default()),
    ];
    let said = |(_, text): &(&str, String)| !text.is_empty();
    Posted {
        labels: labels.into_iter().filter(said).collect(),
        annotations: annotations.into_iter().filter(said).collect(),
        starts_at: message.opened.clone(),
        ends_at,
        generator_url: message.link.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::message::tests::a_message;

    #[test]
    fn what_fires_ends_far_ahead_and_what_is_over_at_once() {
        let fires = a_message(State::Firing);
        let told = posted(&fires);
        assert_eq!(told.len(), 1);
        assert!(told[0].ends_at.as_str() > "2024-11", "{}", told[0].ends_at);
        assert_eq!(told[0].labels["alertname"], "MarqueFinding");
        let mut over = a_message(State::Resolved);
        assert_eq!(posted(&over)[0].ends_at, over.opened, "never before its start");
        over.opened = "2023-11-01T00:00:00Z".to_owned();
        assert_eq!(posted(&over)[0].ends_at, "2023-11-14T22:08:20Z", "{}", over.at);
        over.opened = "2023-11-20T00:00:00Z".to_owned();
        assert_eq!(posted(&over)[0].ends_at, over.opened, "opened by another clock");
    }

    #[test]
    fn other_labels_end_those_told_before() {
        let mut moved = a_message(State::Firing);
        moved.before = Some(Labels {
            severity: "minor".to_owned(),
            ..moved.labels.clone()
        });
        let told = posted(&moved);
        assert_eq!(told.len(), 2);
        assert_eq!(told[0].labels["severity"], "minor");
        assert!(told[0].ends_at <= moved.at);
        assert_eq!(told[1].labels["severity"], "critical");
        assert!(told[1].ends_at > moved.at);
    }
}
