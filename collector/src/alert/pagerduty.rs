//! PagerDuty, Events API version 2.
//!
//! Invariants: a finding is one incident, by its key; many changes at once are one incident of their own, so that a new
//! law wakes a person once.

use super::http::{self, Caller, Head};
use super::message::{State, summary};
use super::{AlertError, Failure, Message};
use crate::config::route::PagerDutyConfig;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

/// With more than so many at once there is one incident for all of them.
pub const FLOOD: usize = 50;

/// PagerDuty.
pub struct PagerDuty {
    config: PagerDutyConfig,
    caller: Caller,
}

impl PagerDuty {
    /// Opens it.
    ///
    /// # Errors
    /// [`AlertError`] naming the route.
    pub fn open(route: &str, config: &PagerDutyConfig) -> Result<Self, AlertError> {
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

    /// Tells of one, or of many in one event; a test ends with itself.
    ///
    /// # Errors
    /// [`Failure`] in words for people.
    pub async fn send(&self, messages: &[Message]) -> Result<(), Failure> {
        let key = self
            .config
            .key
            .read()
            .map_err(|error| Failure::new(crate::admin::chain(&error), &[]))?;
        let events = match messages {
            [one] if one.test => vec![event(one, "trigger"), event(one, "resolve")],
            [one] => vec![event(one, action(one.state))],
            many => flood(many).into_iter().collect(),
        };
        for mut event in events {
            if let Some(fields) = event.as_object_mut() {
                fields.insert("routing_key".to_owned(), key.expose_secret().into());
            }
            self.post(&event, &key).await?;
        }
        Ok(())
    }

    async fn post(&self, event: &Value, key: &SecretString) -> Result<(), Failure> {
        let body = event.to_string().into_bytes();
        let head = Head {
            token: None,
            fields: Vec::new(),
        };
        self.caller.post(&self.config.url, body, head, &[key]).await
    }
}

fn action(state: State) -> &'static str {
    match state {
        State::Firing => "trigger",
        State::Acknowledged | State::Assigned => "acknowledge",
        State::Resolved => "resolve",
    }
}

/// Its four severities.
fn severity(word: &str) -> &'static str {
    match word {
        "critical" => "critical",
        "major" => "error",
        "minor" | "warning" => "warning",
        _ => "info",
    }
}

fn event(message: &Message, action: &str) -> Value {
    json!({
        "event_action": action,
        "dedup_key": message.labels.finding,
        "client": "Marque",
        "client_url": message.link,
        "payload": {
            "summary": message.line().chars().take(1_024).collect::<String>(),
            "source": message.labels.element,
            "severity": severity(&message.labels.severity),
            "timestamp": message.at,
            "group": message.labels.site,
            "class": message.labels.rule,
            "custom_details": message,
        },
    })
}

/// One for all; what is over is then ended by nobody but who reads it.
fn flood(messages: &[Message]) -> Option<Value> {
    let first = messages.first()?;
    let worst = |word: &&str| messages.iter().any(|it| severity(&it.labels.severity) == *word);
    let worst = ["critical", "error", "warning"].into_iter().find(worst);
    Some(json!({
        "event_action": "trigger",
        "dedup_key": format!("flood-{}", first.id),
        "client": "Marque",
        "payload": {
            "summary": summary(messages).chars().take(1_024).collect::<String>(),
            "source": "marque-collector",
            "severity": worst.unwrap_or("info"),
            "timestamp": first.at,
        },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::message::tests::a_message;

    #[test]
    fn a_finding_is_one_incident_through_its_life() {
        let states = [
            (State::Firing, "trigger"),
            (State::Assigned, "acknowledge"),
            (State::Resolved, "resolve"),
        ];
        for (state, expected) in states {
            let message = a_message(state);
            let event = event(&message, action(state));
            assert_eq!(event["event_action"], expected);
            assert_eq!(event["dedup_key"], message.labels.finding.as_str());
            assert_eq!(event["payload"]["severity"], "critical");
        }
    }

    #[test]
    fn a_flood_is_one_incident() {
        let many = vec![a_message(State::Firing); FLOOD + 1];
        let event = flood(&many).unwrap();
        assert!(
            event["payload"]["summary"]
                .as_str()
                .unwrap()
                .starts_with("51 changes")
        );
        assert!(flood(&[]).is_none());
    }
}
