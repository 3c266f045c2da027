//! Mail: one for all that changed, by SMTP.
//!
//! Invariants: without the TLS that was asked for nothing is said; a mail bears a key of its own, which another one
//! bears only if it tells the same.

use super::http::{PATIENCE, authorities};
use super::message::{State, summary};
use super::{AlertError, Failure, Message};
use crate::config::route::{MailConfig, MailTls, host_and_port};
use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::transport::smtp::response::{Category, Code};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use secrecy::ExposeSecret as _;

/// So many are told one by one; the rest are counted.
const LINES: usize = 100;

/// A server that takes mail.
pub struct Mail {
    config: MailConfig,
    host: String,
    port: u16,
    tls: Tls,
    from: Mailbox,
    to: Vec<Mailbox>,
}

impl Mail {
    /// Opens it.
    ///
    /// # Errors
    /// [`AlertError`] naming the route.
    pub fn open(route: &str, config: &MailConfig) -> Result<Self, AlertError> {
        let wrong = |words: String| AlertError::Receiver {
            route: route.to_owned(),
            words,
        };
        let (host, port) =
            host_and_port(&config.server).ok_or_else(|| wrong("names no host:port".to_owned()))?;
        let parameters = || -> Result<TlsParameters, AlertError> {
            let mut parameters = TlsParameters::builder(host.to_owned());
            if let Some(path) = &config.ca {
                let pem = authorities(route, path)?;
                let certificate = Certificate::from_pem(&pem).map_err(|error| wrong(error.to_string()))?;
                parameters = parameters
                    .certificate_store(CertificateStore::None)
                    .add_root_certificate(certificate);
            }
            parameters.build().map_err(|error| wrong(error.to_string()))
        };
        let tls = match config.tls {
            MailTls::Starttls => Tls::Required(parameters()?),
            MailTls::Tls => Tls::Wrapper(parameters()?),
            MailTls::None => Tls::None,
        };
        let mailbox = |text: &String| {
            text.parse::<Mailbox>()
                .map_err(|error| wrong(format!("{text:?}: {error}")))
        };
        Ok(Self {
            host: host.to_owned(),
            port,
            tls,
            from: mailbox(&config.from)?,
            to: config.to.iter().map(mailbox).collect::<Result<_, _>>()?,
            config: config.clone(),
        })
    }

    /// Where it is.
    #[must_use]
    pub fn place(&self) -> String {
        self.config.server.clone()
    }

    /// Sends one mail.
    ///
    /// # Errors
    /// [`Failure`] in words for people.
    pub async fn send(&self, route: &str, messages: &[Message]) -> Result<(), Failure> {
        let (Some(first), Some(last)) = (messages.first(), messages.last()) else {
            return Ok(());
        };
        let password = super::http::secret(self.config.password.as_ref()).await?;
        let secrets: Vec<_> = password.iter().collect();
        let fail = |words: String| Failure::new(words, &secrets);
        let domain = self.from.email.domain();
        let mut mail = lettre::Message::builder()
            .from(self.from.clone())
            .subject(subject(messages))
            .message_id(Some(format!("<{}.{}.{route}@{domain}>", first.id, last.id)))
            .header(ContentType::TEXT_PLAIN);
        for to in &self.to {
            mail = mail.to(to.clone());
        }
        let mail = mail
            .body(text(messages))
            .map_err(|error| fail(error.to_string()))?;
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&self.host)
            .port(self.port)
            .tls(self.tls.clone())
            .timeout(Some(PATIENCE));
        if let (Some(user), Some(password)) = (&self.config.user, &password) {
            let credentials = Credentials::new(user.clone(), password.expose_secret().to_owned());
            transport = transport.credentials(credentials);
        }
        let sent = tokio::time::timeout(PATIENCE * 3, transport.build().send(mail)).await;
        match sent {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => {
                // 55x is about this mail or its recipients; that we speak wrongly, or show a wrong password, may be mended. A server
                // that refuses us altogether by a 55x cannot be told from that: the manual says so.
                let about_it = |code: Code| code.category == Category::MailSystem;
                let refused = error.is_permanent() && error.status().is_some_and(about_it);
                Err(fail(crate::admin::chain(&error)).refused(refused))
            }
            Err(_) => Err(fail("gave no answer in time".to_owned())),
        }
    }
}

fn subject(messages: &[Message]) -> String {
    match messages {
        [one] if one.test => "[Marque] TEST of an alert route".to_owned(),
        [one] => format!(
            "[Marque] {} [{}] {} at {}",
            one.state.as_str(),
            one.labels.severity,
            one.labels.rule,
            one.labels.element
        ),
        many => format!("[Marque] {} changes of findings", many.len()),
    }
}

fn text(messages: &[Message]) -> String {
    let mut lines = vec![summary(messages), String::new()];
    for message in messages.iter().take(LINES) {
        lines.push(message.line());
        if message.state != State::Resolved && !message.title.is_empty() {
            lines.push(format!("  {} ({})", message.title, message.citation));
        }
        if let Some(deadline) = &message.deadline {
            lines.push(format!("  deadline {deadline}"));
        }
        lines.push(format!("  {}", message.link));
        lines.push(String::new());
    }
    if messages.len() > LINES {
        lines.push(format!("and {} more", messages.len() - LINES));
    }
    lines.join("\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::message::tests::a_message;

    #[test]
    fn many_are_one_mail_and_a_name_ends_no_header() {
        let mut hostile = a_message(State::Firing);
        hostile.labels.element = "x\r\nBcc: all@example.net".to_owned();
        let built = lettre::Message::builder()
            .from("a@example.net".parse().unwrap())
            .to("b@example.net".parse().unwrap())
            .subject(subject(std::slice::from_ref(&hostile)))
            .body(String::new())
            .unwrap()
            .formatted();
        let built = String::from_utf8(built).unwrap();
        assert!(!built.lines().any(|line| line.starts_with("Bcc")), "{built}");
        let many = vec![hostile; LINES + 3];
        assert_eq!(subject(&many), "[Marque] 103 changes of findings");
        assert!(text(&many).ends_with("and 3 more"));
    }
}
