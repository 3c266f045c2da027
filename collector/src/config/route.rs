//! `[[route]]`: who is told of changes of findings, and of which.
//!
//! Invariants: where an alert goes is said here and nowhere else, so that no page can make the collector call an
//! address; secrets are references; what is told beyond this machine goes by TLS unless somebody says otherwise.

use super::secret::SecretSource;
use super::{Fault, Step};
use crate::filter::{Line, Subject};
use reqwest::Url;
use serde::{Deserialize, Deserializer};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// `[[route]]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteConfig {
    /// What it is called, on pages and in metrics.
    pub name: String,
    /// Findings it is told of, as the line above lists says it; none but those of attached views if there is none.
    pub filter: Option<String>,
    /// How long the oldest change waits for others to go with it.
    #[serde(default, deserialize_with = "gather")]
    pub gather: Option<Duration>,
    /// JSON by HTTP.
    pub webhook: Option<WebhookConfig>,
    /// Alertmanager, API version 2.
    pub alertmanager: Option<AlertmanagerConfig>,
    /// Syslog (RFC 5424) with CEF.
    pub syslog: Option<SyslogConfig>,
    /// Mail by SMTP.
    pub mail: Option<MailConfig>,
    /// PagerDuty, Events API version 2.
    pub pagerduty: Option<PagerDutyConfig>,
    /// An incoming webhook as Slack has them.
    pub slack: Option<SlackConfig>,
}

/// `[route.webhook]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookConfig {
    /// Where to.
    pub url: String,
    /// Signs what is sent (HMAC-SHA256).
    pub key: Option<SecretSource>,
    /// Sent as `Authorization: Bearer …`.
    pub token: Option<SecretSource>,
    /// PEM: authorities trusted in place of those of this machine.
    pub ca: Option<PathBuf>,
    /// Without TLS beyond this machine.
    #[serde(default)]
    pub plain: bool,
}

/// `[route.alertmanager]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlertmanagerConfig {
    /// Where it is, without `/api/v2`.
    pub url: String,
    /// Sent as `Authorization: Bearer …`.
    pub token: Option<SecretSource>,
    /// PEM: authorities trusted in place of those of this machine.
    pub ca: Option<PathBuf>,
    /// Without TLS beyond this machine.
    #[serde(default)]
    pub plain: bool,
}

/// `[route.syslog]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SyslogConfig {
    /// Host and port.
    pub server: String,
    /// By what.
    #[serde(default)]
    pub over: SyslogOver,
    /// PEM: authorities trusted in place of those of this machine.
    pub ca: Option<PathBuf>,
    /// Without TLS beyond this machine.
    #[serde(default)]
    pub plain: bool,
}

/// How syslog is carried.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SyslogOver {
    /// TLS (RFC 5425).
    #[default]
    Tls,
    /// TCP, octets counted (RFC 6587).
    Tcp,
    /// UDP (RFC 5426): what is lost is lost.
    Udp,
}

/// `[route.mail]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailConfig {
    /// Host and port of the server that takes mail.
    pub server: String,
    /// When TLS begins.
    #[serde(default)]
    pub tls: MailTls,
    /// Who signs in there, if anybody.
    pub user: Option<String>,
    /// With what.
    pub password: Option<SecretSource>,
    /// From whom.
    pub from: String,
    /// To whom.
    pub to: Vec<String>,
    /// PEM: authorities trusted in place of those of this machine.
    pub ca: Option<PathBuf>,
    /// Without TLS beyond this machine.
    #[serde(default)]
    pub plain: bool,
}

/// When TLS begins on the way to a mail server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailTls {
    /// When it was asked for (RFC 3207), or nothing is sent.
    #[default]
    Starttls,
    /// At once (RFC 8314).
    Tls,
    /// Never.
    None,
}

/// `[route.pagerduty]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PagerDutyConfig {
    /// The integration key.
    pub key: SecretSource,
    /// Where events go; in the EU `https://events.eu.pagerduty.com/v2/enqueue`.
    #[serde(default = "pagerduty")]
    pub url: String,
    /// PEM: authorities trusted in place of those of this machine.
    pub ca: Option<PathBuf>,
    /// Without TLS beyond this machine.
    #[serde(default)]
    pub plain: bool,
}

fn pagerduty() -> String {
    "https://events.pagerduty.com/v2/enqueue".to_owned()
}

/// `[route.slack]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlackConfig {
    /// The address, which is a secret: whoever has it may post.
    pub url: SecretSource,
    /// PEM: authorities trusted in place of those of this machine.
    pub ca: Option<PathBuf>,
    /// Without TLS beyond this machine.
    #[serde(default)]
    pub plain: bool,
}

fn gather<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(deserializer)?;
    humantime::parse_duration(&text)
        .ok()
        .filter(|time| time.as_secs() <= 86_400)
        .map(Some)
        .ok_or_else(|| serde::de::Error::custom(format!("{text:?} is no time from 0s to 1d")))
}

/// An address as it may be called: by TLS, or in the clear on this machine or where somebody said so.
///
/// # Errors
/// What is wrong with it, for people; nothing of the address but its scheme is repeated.
pub fn address(text: &str, plain: bool) -> Result<Url, String> {
    let url = text
        .parse::<Url>()
        .map_err(|error| format!("is no address: {error}"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("holds a secret, which is never written in an address".to_owned());
    }
    let host = url.host_str().unwrap_or_default();
    match url.scheme() {
        "https" => Ok(url),
        "http" if plain || is_here(host) => Ok(url),
        "http" => Err("goes out without TLS; say https, or plain = true".to_owned()),
        other => Err(format!("begins with {other}: and not with https:")),
    }
}

/// Whether a host is this machine.
#[must_use]
pub fn is_here(host: &str) -> bool {
    let literal = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || literal
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// Host and port of a server.
#[must_use]
pub fn host_and_port(server: &str) -> Option<(&str, u16)> {
    let (host, port) = server.rsplit_once(':')?;
    let literal = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    let named = rustls::pki_types::ServerName::try_from(literal).is_ok();
    Some((literal, port.parse().ok()?)).filter(|_| named)
}

impl RouteConfig {
    /// The kinds there are, with what of them is said here.
    fn kinds(&self) -> [(&'static str, bool); 6] {
        [
            ("webhook", self.webhook.is_some()),
            ("alertmanager", self.alertmanager.is_some()),
            ("syslog", self.syslog.is_some()),
            ("mail", self.mail.is_some()),
            ("pagerduty", self.pagerduty.is_some()),
            ("slack", self.slack.is_some()),
        ]
    }

    /// Of which kind it is.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        let said = self.kinds().into_iter().find(|(_, said)| *said);
        said.map_or("none", |(kind, _)| kind)
    }

    /// Relative paths count from this folder.
    pub(super) fn count_from(&mut self, folder: &Path) {
        let (key, token) = match &mut self.webhook {
            Some(it) => (it.key.as_mut(), it.token.as_mut()),
            None => (None, None),
        };
        let secrets = [
            key,
            token,
            self.alertmanager.as_mut().and_then(|it| it.token.as_mut()),
            self.mail.as_mut().and_then(|it| it.password.as_mut()),
            self.pagerduty.as_mut().map(|it| &mut it.key),
            self.slack.as_mut().map(|it| &mut it.url),
        ];
        for secret in secrets.into_iter().flatten() {
            secret.count_from(folder);
        }
        let authorities = [
            self.webhook.as_mut().and_then(|it| it.ca.as_mut()),
            self.alertmanager.as_mut().and_then(|it| it.ca.as_mut()),
            self.syslog.as_mut().and_then(|it| it.ca.as_mut()),
            self.mail.as_mut().and_then(|it| it.ca.as_mut()),
            self.pagerduty.as_mut().and_then(|it| it.ca.as_mut()),
            self.slack.as_mut().and_then(|it| it.ca.as_mut()),
        ];
        for place in authorities.into_iter().flatten() {
            *place = folder.join(&*place);
        }
    }

    /// What is wrong with it: the keys below it, and why.
    fn mistake(&self) -> Option<(Vec<&'static str>, String)> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if !(1..=64).contains(&self.name.len()) || !self.name.chars().all(plain) {
            let words = format!("{:?} is no name: 1 to 64 letters, digits, - _ .", self.name);
            return Some((vec!["name"], words));
        }
        if let Some(Err(mistake)) = self
            .filter
            .as_deref()
            .map(|line| Line::read(Subject::Findings, line))
        {
            let words = format!("{} (allowed: {})", mistake.what, mistake.allowed);
            return Some((vec!["filter"], words));
        }
        let said: Vec<_> = self.kinds().into_iter().filter(|(_, said)| *said).collect();
        if said.len() != 1 {
            let all = self.kinds().map(|(kind, _)| kind).join(", ");
            return Some((Vec::new(), format!("route {} is to be one of {all}", self.name)));
        }
        let urls = [
            ("webhook", self.webhook.as_ref().map(|it| (&it.url, it.plain))),
            (
                "alertmanager",
                self.alertmanager.as_ref().map(|it| (&it.url, it.plain)),
            ),
            ("pagerduty", self.pagerduty.as_ref().map(|it| (&it.url, it.plain))),
        ];
        for (kind, said) in urls {
            if let Some(Err(words)) = said.map(|(url, plain)| address(url, plain)) {
                return Some((vec![kind, "url"], words));
            }
        }
        let mut servers = Vec::new();
        if let Some(it) = &self.syslog {
            servers.push((
                "syslog",
                &it.server,
                it.plain || it.over == SyslogOver::Tls,
                "over",
            ));
        }
        if let Some(it) = &self.mail {
            servers.push(("mail", &it.server, it.plain || it.tls != MailTls::None, "tls"));
        }
        for (kind, server, fine, how) in servers {
            let Some((host, _)) = host_and_port(server) else {
                return Some((vec![kind, "server"], format!("{server:?} is no host:port")));
            };
            if !fine && !is_here(host) {
                let words = "goes out without TLS; say plain = true if it is to".to_owned();
                return Some((vec![kind, how], words));
            }
        }
        self.mail.as_ref().and_then(MailConfig::mistake)
    }
}

impl MailConfig {
    fn mistake(&self) -> Option<(Vec<&'static str>, String)> {
        let wrong = |key, words: String| Some((vec!["mail", key], words));
        let named = |text: &String| text.parse::<lettre::message::Mailbox>().is_ok();
        if !named(&self.from) {
            return wrong("from", format!("{:?} is no address of mail", self.from));
        }
        if let Some(bad) = self.to.iter().find(|to| !named(to)) {
            return wrong("to", format!("{bad:?} is no address of mail"));
        }
        match (&self.user, &self.password) {
            _ if self.to.is_empty() => wrong("to", "is empty".to_owned()),
            (Some(_), None) => wrong("user", "has no password".to_owned()),
            (None, Some(_)) => wrong("password", "has no user".to_owned()),
            _ => None,
        }
    }
}

/// The first mistake among routes.
pub(super) fn check(routes: &[RouteConfig]) -> Result<(), Fault> {
    let mut names = BTreeSet::new();
    for (number, route) in routes.iter().enumerate() {
        let fault = |keys: &[&'static str], message: String| {
            let mut path = vec![Step::Key("route"), Step::Index(number)];
            path.extend(keys.iter().map(|key| Step::Key(key)));
            Fault::new(&path, message)
        };
        if let Some((keys, message)) = route.mistake() {
            return Err(fault(&keys, message));
        }
        if !names.insert(&route.name) {
            return Err(fault(
                &["name"],
                format!("route {} is declared twice", route.name),
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    const LEAST: &str = "[store]\npath = \"c.db\"\n[identity]\nfolder = \"id\"\n";

    #[test]
    fn the_routes_of_the_manual_are_ones() {
        let manual = include_str!("../../../docs/manual/alerts.md");
        let (_, rest) = manual.split_once("```toml\n").unwrap();
        let (routes, _) = rest.split_once("```").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.toml");
        std::fs::write(&path, format!("{LEAST}{routes}")).unwrap();
        let config = Config::read(&path).unwrap();
        let kinds: Vec<_> = config.route.iter().map(RouteConfig::kind).collect();
        assert_eq!(
            kinds,
            ["webhook", "alertmanager", "syslog", "mail", "pagerduty", "slack"]
        );
        let webhook = config.route[0].webhook.as_ref().unwrap();
        assert_eq!(
            webhook.key,
            Some(SecretSource::File(folder.path().join("noc.key")))
        );
        let syslog = config.route[2].syslog.as_ref().unwrap();
        assert_eq!(syslog.ca, Some(folder.path().join("siem-ca.pem")));
        assert_eq!(config.route[3].gather, Some(Duration::from_secs(900)));
    }

    #[test]
    fn a_mistake_is_told_with_its_key_and_no_secret() {
        let webhook = |rest: &str| format!("webhook = {{ {rest} }}\n");
        for (route, key, words) in [
            ("name = \"a b\"\n".to_owned(), "route[0].name", "is no name"),
            ("name = \"a\"\n".to_owned(), "route[0]", "is to be one of"),
            (
                "name = \"a\"\nfilter = \"colour:red\"\n".to_owned(),
                "route[0].filter",
                "allowed",
            ),
            (
                format!("name = \"a\"\n{}", webhook("url = \"http://noc.example\"")),
                "route[0].webhook.url",
                "without TLS",
            ),
            (
                format!(
                    "name = \"a\"\n{}",
                    webhook("url = \"https://u:hunter2@noc.example\"")
                ),
                "route[0].webhook.url",
                "holds a secret",
            ),
            (
                format!("name = \"a\"\n{}", webhook("url = \"ftp://noc.example\"")),
                "route[0].webhook.url",
                "and not with https",
            ),
            (
                format!(
                    "name = \"a\"\n{}",
                    webhook("url = \"https://noc.example\", key = \"hunter2\"")
                ),
                "route[0].webhook",
                "never written here",
            ),
            (
                "name = \"a\"\nsyslog = { server = \"siem:514\", over = \"udp\" }\n".to_owned(),
                "route[0].syslog.over",
                "without TLS",
            ),
            (
                "name = \"a\"\nsyslog = { server = \"siem\" }\n".to_owned(),
                "route[0].syslog.server",
                "no host:port",
            ),
            (
                "name = \"a\"\nmail = { server = \"m:25\", from = \"a@b.c\", to = [\"nobody\"] }\n"
                    .to_owned(),
                "route[0].mail.to",
                "no address of mail",
            ),
        ] {
            let error = Config::parse(&format!("{LEAST}[[route]]\n{route}"), "c.toml").unwrap_err();
            let error = error.to_string();
            assert!(
                error.contains(key) && error.contains(words),
                "{error}\n{key}: {words}"
            );
            assert!(!error.contains("hunter2"), "{error}");
        }
        let twice = "[[route]]\nname = \"a\"\nsyslog = { server = \"localhost:514\", over = \"udp\" }\n";
        let error = Config::parse(&format!("{LEAST}{twice}{twice}"), "c.toml").unwrap_err();
        assert!(error.to_string().contains("declared twice"), "{error}");
    }

    #[test]
    fn this_machine_is_reached_in_the_clear() {
        for (url, fine) in [
            ("http://127.0.0.1:1/x", true),
            ("http://[::1]/", true),
            ("http://localhost/", true),
            ("http://localhost.evil.example/", false),
            ("http://10.0.0.1/", false),
        ] {
            assert_eq!(address(url, false).is_ok(), fine, "{url}");
        }
        assert!(address("http://10.0.0.1/", true).is_ok());
        assert_eq!(host_and_port("[::1]:514"), Some(("::1", 514)));
        assert_eq!(host_and_port("::1"), None);
    }
}
