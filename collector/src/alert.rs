//! Alerts: each tells one receiver of one change of a finding.
//!
//! ```text
//!  event of a finding ──► due ──► queue: which routes? ──► waiting, a line for each route ──► receiver
//!    (one transaction)    (store)  filter, attached views        (store)      one task each, again until it is taken
//! ```
//!
//! Invariants: what is due and what waits is on disk, so that a stop at any moment loses none; a route that is slow or
//! down holds up no other; alerts of a finding reach a route in the order of its changes; whoever was told that a
//! finding fires is told when it is over; where an alert goes is said in the configuration alone.

pub mod message;
pub mod http;
pub mod webhook;
pub mod alertmanager;
pub mod pagerduty;
pub mod slack;
pub mod syslog;
pub mod mail;
pub mod receiver;
pub mod queue;
pub mod deliver;
#[cfg(test)]
mod tests;

pub use message::Message;
pub use receiver::{Failure, Receiver};

use crate::config::RouteConfig;
use crate::filter::Line;
use message::Links;
use model::Instant;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// Why routes cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AlertError {
    /// The authorities of a route.
    #[error("route {route}: {path} cannot be read as certificates")]
    Authorities {
        /// Which.
        route: String,
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// What calls.
    #[error("route {route}: {words}")]
    Receiver {
        /// Which.
        route: String,
        /// Why, for people.
        words: String,
    },
}

/// One declared route.
pub struct Route {
    /// Its name.
    pub name: String,
    /// Of which kind.
    pub kind: &'static str,
    /// Its own filter, if it has one.
    pub filter: Option<Line>,
    /// How long the oldest change waits for others.
    pub gather: Duration,
    /// Who is told.
    pub receiver: Receiver,
}

/// Every declared route.
#[derive(Default)]
pub struct Routes {
    all: Vec<Arc<Route>>,
    links: Links,
}

impl Routes {
    /// Opens what the configuration declares; nothing is called yet. `links` begins the links to findings.
    ///
    /// # Errors
    /// [`AlertError`] naming the route.
    pub fn open(declared: &[RouteConfig], links: Links) -> Result<Self, AlertError> {
        // A program that has one already keeps it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let all = declared.iter().map(|config| {
            let receiver = Receiver::open(config)?;
            Ok(Arc::new(Route {
                name: config.name.clone(),
                kind: config.kind(),
                filter: config.filter.as_deref().and_then(receiver::line),
                gather: config.gather.unwrap_or(receiver.gathers()),
                receiver,
            }))
        });
        Ok(Self {
            all: all.collect::<Result<_, _>>()?,
            links,
        })
    }

    /// All, as declared.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Route>> {
        self.all.iter()
    }

    /// The one of this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Arc<Route>> {
        self.all.iter().find(|route| route.name == name)
    }

    /// Their names.
    #[must_use]
    pub fn names(&self) -> BTreeSet<String> {
        self.all.iter().map(|route| route.name.clone()).collect()
    }

    /// Where links lead.
    #[must_use]
    pub fn links(&self) -> &Links {
        &self.links
    }

    /// Tells a route of nothing, marked as a test, at once and past all that waits.
    ///
    /// # Errors
    /// [`Failure`] in words for people.
    pub async fn test(&self, route: &Route, person: &str, now: Instant) -> Result<(), Failure> {
        let outcome = route
            .receiver
            .send(&route.name, &[Message::test(person, &self.links, now)])
            .await;
        deliver::count(
            &route.name,
            if outcome.is_ok() { "tested" } else { "test_failed" },
            1,
        );
        outcome
    }
}
