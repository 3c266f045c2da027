//! An incoming webhook as Slack has them, and others in its place: one text for all that changed.
//!
//! Invariant: what devices and people wrote cannot become a link or a call to everybody.

use super::http::{self, Caller, Head};
use super::message::summary;
use super::{AlertError, Failure, Message};
use crate::config::route::SlackConfig;
use secrecy::ExposeSecret as _;
use serde_json::json;

/// So many are told one by one; the rest are counted.
const LINES: usize = 15;

/// An incoming webhook.
pub struct Slack {
    config: SlackConfig,
    caller: Caller,
    place: String,
}

impl Slack {
    /// Opens it.
    ///
    /// # Errors
    /// [`AlertError`] naming the route.
    pub fn open(route: &str, config: &SlackConfig) -> Result<Self, AlertError> {
        let url = config.url.read().ok();
        let url = url.as_ref().map(|url| url.expose_secret());
        let caller = Caller::open(route, url, config.ca.as_deref(), config.plain)?;
        Ok(Self {
            config: config.clone(),
            caller,
            place: url.map_or_else(String::new, http::host),
        })
    }

    /// Where it was when it was opened.
    #[must_use]
    pub fn place(&self) -> String {
        self.place.clone()
    }

    /// Posts one text.
    ///
    /// # Errors
    /// [`Failure`] in words for people.
    pub async fn send(&self, messages: &[Message]) -> Result<(), Failure> {
        let url = http::needed(&self.config.url).await?;
        let body = json!({ "text": text(messages) }).to_string().into_bytes();
        let head = Head {
            token: None,
            fields: Vec::new(),
        };
        self.caller.post(url.expose_secret(), body, head, &[&url]).await
    }
}

fn text(messages: &[Message]) -> String {
    let line = |message: &Message| format!("{}\n<{}>", escaped(&message.line()), message.link);
    let mut lines: Vec<String> = messages.iter().take(LINES).map(line).collect();
    if messages.len() > LINES {
        lines.insert(0, escaped(&summary(messages)));
        lines.push(format!("… and {} more", messages.len() - LINES));
    }
    lines.join("\n")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::message::State;
    use crate::alert::message::tests::a_message;

    #[test]
    fn names_call_nobody_and_many_are_counted() {
        let mut hostile = a_message(State::Firing);
        hostile.labels.element = "<!channel> & <http://x|y>".to_owned();
        let told = text(&[hostile.clone()]);
        assert!(
            !told.contains("<!channel>") && !told.contains("<http://x"),
            "{told}"
        );
        let told = text(&vec![hostile; LINES + 5]);
        assert!(told.starts_with("20 changes of findings"), "{told}");
        assert!(told.ends_with("… and 5 more"), "{told}");
    }
}
