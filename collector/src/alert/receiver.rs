//! Who is told, whatever the kind.
//!
//! Invariant: a failure is told in words that hold no secret, whatever the receiver answered.

use super::alertmanager::Alertmanager;
use super::mail::Mail;
use super::pagerduty::PagerDuty;
use super::slack::Slack;
use super::syslog::Syslog;
use super::webhook::Webhook;
use super::{AlertError, Message};
use crate::config::RouteConfig;
use crate::filter::{Line, Subject};
use crate::web::show::clean;
use secrecy::{ExposeSecret as _, SecretString};
use std::time::Duration;

/// Why something was not taken, for people. It is tried again, unless it was refused for what it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{words}")]
pub struct Failure {
    words: String,
    refused: bool,
}

impl Failure {
    /// In these words, without what is a secret in them.
    #[must_use]
    pub fn new(words: String, secrets: &[&SecretString]) -> Self {
        Self {
            words: clean(&without(words, secrets), 400),
            refused: false,
        }
    }

    /// Whether the receiver would refuse the same for ever.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.refused
    }

    /// The same; `refused`: the receiver would refuse it for ever.
    #[must_use]
    pub(super) fn refused(self, refused: bool) -> Self {
        Self { refused, ..self }
    }
}

/// A text without what is a secret in it. The longest go first, for one may hold another.
pub(super) fn without(text: String, secrets: &[&SecretString]) -> String {
    let mut secrets = secrets.to_vec();
    secrets.retain(|secret| !secret.expose_secret().is_empty());
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.expose_secret().len()));
    let one = |text: String, secret: &&SecretString| text.replace(secret.expose_secret(), "…");
    secrets.iter().fold(text, one)
}

/// Who is told.
pub enum Receiver {
    /// See [`Webhook`].
    Webhook(Webhook),
    /// See [`Alertmanager`].
    Alertmanager(Alertmanager),
    /// See [`Syslog`].
    Syslog(Syslog),
    /// See [`Mail`].
    Mail(Mail),
    /// See [`PagerDuty`].
    PagerDuty(PagerDuty),
    /// See [`Slack`].
    Slack(Slack),
}

impl Receiver {
    /// Opens the one that is configured; nothing is called.
    ///
    /// # Errors
    /// [`AlertError`] naming the route.
    pub fn open(config: &RouteConfig) -> Result<Self, AlertError> {
        let route = config.name.as_str();
        Ok(match config {
            RouteConfig {
                webhook: Some(it), ..
            } => Self::Webhook(Webhook::open(route, it)?),
            RouteConfig {
                alertmanager: Some(it),
                ..
            } => Self::Alertmanager(Alertmanager::open(route, it)?),
            RouteConfig { syslog: Some(it), .. } => Self::Syslog(Syslog::open(route, it)?),
            RouteConfig { mail: Some(it), .. } => Self::Mail(Mail::open(route, it)?),
            RouteConfig {
                pagerduty: Some(it), ..
            } => Self::PagerDuty(PagerDuty::open(route, it)?),
            RouteConfig { slack: Some(it), .. } => Self::Slack(Slack::open(route, it)?),
            _ => {
                return Err(AlertError::Receiver {
                    route: route.to_owned(),
                    words: "says of no kind where it goes".to_owned(),
                });
            }
        })
    }

    /// Where it is, for people: a host, nothing of a path.
    #[must_use]
    pub fn place(&self) -> String {
        match self {
            Self::Webhook(it) => it.place(),
            Self::Alertmanager(it) => it.place(),
            Self::Syslog(it) => it.place(),
            Self::Mail(it) => it.place(),
            Self::PagerDuty(it) => it.place(),
            Self::Slack(it) => it.place(),
        }
    }

    /// How long changes are gathered unless the configuration says so.
    #[must_use]
    pub fn gathers(&self) -> Duration {
        match self {
            Self::Mail(_) => Duration::from_secs(60),
            Self::Slack(_) => Duration::from_secs(10),
            _ => Duration::from_secs(1),
        }
    }

    /// Alerts taken off its line at once.
    #[must_use]
    pub fn takes(&self) -> u32 {
        match self {
            Self::Webhook(_) | Self::Alertmanager(_) => 200,
            Self::Syslog(_) => 1_000,
            Self::Mail(_) | Self::PagerDuty(_) | Self::Slack(_) => 5_000,
        }
    }

    /// How many of so many that wait go in one call: all that were taken, or one.
    #[must_use]
    pub fn portion(&self, waiting: usize) -> usize {
        match self {
            Self::PagerDuty(_) if waiting <= super::pagerduty::FLOOD => 1,
            _ => waiting.max(1),
        }
    }

    /// Tells it, and returns once it was taken.
    ///
    /// # Errors
    /// [`Failure`] in words for people: nothing, or not all, was taken.
    pub async fn send(&self, route: &str, messages: &[Message]) -> Result<(), Failure> {
        match self {
            Self::Webhook(it) => it.send(route, messages).await,
            Self::Alertmanager(it) => it.send(messages).await,
            Self::Syslog(it) => it.send(messages).await,
            Self::Mail(it) => it.send(route, messages).await,
            Self::PagerDuty(it) => it.send(messages).await,
            Self::Slack(it) => it.send(messages).await,
        }
    }
}

/// A line that the configuration checked.
pub(super) fn line(text: &str) -> Option<Line> {
    Line::read(Subject::Findings, text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_repeats_no_secret() {
        let secret = SecretString::from("hunter2");
        let failure = Failure::new("answered 403: key hunter2 is unknown\n".to_owned(), &[&secret]);
        assert!(!failure.to_string().contains("hunter2"), "{failure}");
        assert!(
            failure.to_string().starts_with("answered 403: key … is"),
            "{failure}"
        );
    }
}
