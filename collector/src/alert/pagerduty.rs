//! PagerDuty, Events API version 2.
//!
//! Invariants: a finding is one incident, by its key; many that fire at once are one incident of their own, so that a new
//! law wakes a person once; what is over or taken up says so of its own incident, however many there are.

use super::http::{self, Caller, Head};
use super::message::{State, summary};
use super::{AlertError, Failure, Message};
use crate::config::route::PagerDutyConfig;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use uuid::Uuid;

/// With more than so many at once there is one incident for all of them.
pub const FLOOD: usize = 50;

/// PagerDuty.
pub struct PagerDuty {
    config: PagerDutyConfig,
    caller: Caller,
    /// What was taken of many before it took no more: only the rest is sent again.
    taken: Mutex<BTreeSet<Uuid>>,
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
            taken: Mutex::default(),
        })
    }

    /// Where it is.
    #[must_use]
    pub fn place(&self) -> String {
        http::host(&self.config.url)
    }

    /// Tells of one; of many each by itself, and what fires in one event if that is many; a test ends with itself.
    ///
    /// # Errors
    /// [`Failure`] in words for people.
    pub async fn send(&self, messages: &[Message]) -> Result<(), Failure> {
        let key = http::needed(&self.config.key).await?;
        if let [one] = messages {
            let actions: &[&str] = match one.test {
                true => &["trigger", "resolve"],
                false => &[action(one.state)],
            };
            for action in actions {
                self.post(event(one, action), &key).await?;
            }
            return Ok(());
        }
        for (id, event) in many(messages) {
            // The event for many is new whenever more came: it is sent again, under its key.
            match id {
                Some(id) if self.taken().contains(&id) => {}
                Some(id) => {
                    self.post(event, &key).await?;
                    self.taken().insert(id);
                }
                None => self.post(event, &key).await?,
            }
        }
        self.taken().clear();
        Ok(())
    }

    fn taken(&self) -> MutexGuard<'_, BTreeSet<Uuid>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn post(&self, mut event: Value, key: &SecretString) -> Result<(), Failure> {
        if let Some(fields) = event.as_object_mut() {
            fields.insert("routing_key".to_owned(), key.expose_secret().into());
        }
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

/// As each finding stands after all of them, each by itself under the id of its message; those that fire in one event
/// without an id, if they are many.
fn many(messages: &[Message]) -> Vec<(Option<Uuid>, Value)> {
    let last: BTreeMap<&str, &Message> = messages
        .iter()
        .map(|message| (message.labels.finding.as_str(), message))
        .collect();
    // In the order they came, so that the flood has the same key when it is sent again.
    let stands = messages.iter().filter(|it| {
        last.get(it.labels.finding.as_str())
            .is_some_and(|last| last.id == it.id)
    });
    let (fire, rest): (Vec<&Message>, Vec<&Message>) = stands.partition(|it| it.state == State::Firing);
    let one = |message: &&Message| (Some(message.id), event(message, action(message.state)));
    let mut events: Vec<_> = rest.iter().map(one).collect();
    match fire.len() <= FLOOD {
        true => events.extend(fire.iter().map(one)),
        false => {
            let fire: Vec<Message> = fire.into_iter().cloned().collect();
            events.extend(flood(&fire).map(|event| (None, event)));
        }
    }
    events
}

/// One for all that fire; nobody but who reads it ends it.
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
        let of = |number: usize, state, severity: &str| {
            let mut message = a_message(state);
            message.labels.finding = format!("f{number}");
            message.labels.severity = severity.to_owned();
            message
        };
        let mut all: Vec<Message> = (0..=FLOOD).map(|n| of(n, State::Firing, "minor")).collect();
        all.push(of(900, State::Firing, "critical"));
        all.extend((900..903).map(|n| of(n, State::Resolved, "critical")));
        let taken_up = [
            of(950, State::Acknowledged, "critical"),
            of(951, State::Assigned, "critical"),
        ];
        all.extend(taken_up);
        let events: Vec<Value> = many(&all).into_iter().map(|(_, event)| event).collect();
        let [over @ .., flood] = &events[..] else {
            panic!("{events:?}")
        };
        let keys: Vec<_> = over
            .iter()
            .map(|event| event["dedup_key"].as_str().unwrap())
            .collect();
        assert_eq!(keys, ["f900", "f901", "f902", "f950", "f951"]);
        let actions: Vec<_> = over
            .iter()
            .map(|event| event["event_action"].as_str().unwrap())
            .collect();
        assert_eq!(
            actions,
            ["resolve", "resolve", "resolve", "acknowledge", "acknowledge"]
        );
        let summary = flood["payload"]["summary"].as_str().unwrap();
        assert!(summary.starts_with("51 changes"), "{summary}");
        assert_eq!(
            flood["payload"]["severity"], "warning",
            "what is over or taken up does not count"
        );
        assert_eq!(flood["event_action"], "trigger");
        let few = many(&all[FLOOD - 1..]);
        assert!(few.iter().all(|(id, _)| id.is_some()), "none of them is for many");
        assert_eq!(
            few.len(),
            7,
            "two that fire, each by itself, and five that do not"
        );
        assert!(many(&[]).is_empty());
    }
}
