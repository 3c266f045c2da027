//! The configuration file: what the collector does. How it runs is flags.
//!
//! Unknown keys are refused; a mistake is told with file, line and key.

use model::Site;
use serde::{Deserialize, Deserializer};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// `collector.toml`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where evidence and conclusions are kept.
    pub store: StoreConfig,
    /// The authority and this collector's certificate.
    pub identity: IdentityConfig,
    /// Where agents connect.
    #[serde(default)]
    pub grpc: GrpcConfig,
    /// Where browsers connect.
    #[serde(default)]
    pub http: HttpConfig,
    /// Who we are and what we declare.
    #[serde(default)]
    pub operator: OperatorConfig,
    /// Policies other than the built-in ones.
    #[serde(default)]
    pub policy: PolicyConfig,
    /// The sites agents stand at.
    #[serde(default)]
    pub site: Vec<Site>,
}

/// `[store]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreConfig {
    /// The SQLite file; its folder must exist.
    pub path: PathBuf,
}

/// `[identity]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentityConfig {
    /// Folder of keys and certificates; made if absent.
    pub folder: PathBuf,
    /// How long an agent's certificate holds (`7d`, `36h`); agents renew at two thirds of it.
    #[serde(default = "agent_lifetime", deserialize_with = "lifetime")]
    pub agent_certificate_lifetime: Duration,
}

fn agent_lifetime() -> Duration {
    Duration::from_secs(7 * 86_400)
}

/// Shorter than this no agent could renew in time; longer would outlive the authority.
const LIFETIMES: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(5)..=Duration::from_secs(1_825 * 86_400);

fn lifetime<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    humantime::parse_duration(&text)
        .ok()
        .filter(|lifetime| LIFETIMES.contains(lifetime))
        .ok_or_else(|| serde::de::Error::custom(format!("{text:?} is no time from 5s to 1825d")))
}

/// `[grpc]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GrpcConfig {
    /// Address and port; port 0 is a free one.
    pub listen: SocketAddr,
}

impl Default for GrpcConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([0, 0, 0, 0], 7443)),
        }
    }
}

/// `[http]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HttpConfig {
    /// Address and port; port 0 is a free one.
    pub listen: SocketAddr,
    /// There is no sign-in yet: an address other than loopback must be asked for with this.
    pub open_without_sign_in: bool,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            open_without_sign_in: false,
        }
    }
}

/// `[operator]`
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OperatorConfig {
    /// What the operator is called.
    pub name: String,
    /// Who the operator is before the law (`de_contract_operator`, …).
    pub tags: BTreeSet<String>,
    /// CSV of declared elements.
    pub elements: Option<PathBuf>,
}

/// `[policy]`
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PolicyConfig {
    /// Folder of packs used instead of the built-in ones.
    pub folder: Option<PathBuf>,
}

/// Why a configuration cannot be used; one line for people.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path}: cannot be read")]
    Unreadable {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A key is wrong.
    #[error("{path}:{line}: {key}: {message}")]
    Key {
        /// The file.
        path: String,
        /// Line, from 1.
        line: usize,
        /// Dotted key, or `.` for the whole.
        key: String,
        /// What is wrong with it.
        message: String,
    },
}

impl Config {
    /// Reads and checks a file; paths inside are relative to the working folder.
    ///
    /// # Errors
    /// [`ConfigError`] naming file, line and key.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let shown = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable {
            path: shown.clone(),
            source,
        })?;
        Self::parse(&text, &shown)
    }

    fn parse(text: &str, path: &str) -> Result<Self, ConfigError> {
        let fail = |offset: usize, key: String, message: String| ConfigError::Key {
            path: path.to_owned(),
            line: text.get(..offset).unwrap_or(text).matches('\n').count() + 1,
            key,
            message,
        };
        let start = |error: &toml::de::Error| error.span().map_or(0, |span| span.start);
        let deserializer = toml::Deserializer::parse(text)
            .map_err(|e| fail(start(&e), ".".into(), one_line(e.message())))?;
        let config: Self = serde_path_to_error::deserialize(deserializer).map_err(|e| {
            let key = e.path().to_string();
            fail(start(e.inner()), key, one_line(e.inner().message()))
        })?;
        config.check().map_err(|(key, message)| {
            let last = key.rsplit('.').next().unwrap_or(key);
            let offset = text
                .lines()
                .take_while(|l| !l.trim_start().starts_with(last))
                .map(|l| l.len() + 1)
                .sum();
            fail(
                if offset > text.len() { 0 } else { offset },
                key.to_owned(),
                message,
            )
        })?;
        Ok(config)
    }

    fn check(&self) -> Result<(), (&'static str, String)> {
        if !self.http.listen.ip().is_loopback() && !self.http.open_without_sign_in {
            return Err((
                "http.listen",
                "there is no sign-in yet: only a loopback address, unless open_without_sign_in = true"
                    .to_owned(),
            ));
        }
        let mut names = BTreeSet::new();
        for site in &self.site {
            if !names.insert(&site.name) {
                return Err(("site.name", format!("site {} is declared twice", site.name)));
            }
            if let Some(code) = site
                .jurisdictions
                .iter()
                .find(|c| c.len() != 2 || !c.bytes().all(|b| b.is_ascii_uppercase()))
            {
                return Err((
                    "site.jurisdictions",
                    format!("{code:?} is not two capital letters (ISO 3166-1, or EU)"),
                ));
            }
            let inside = |degrees: Option<f64>, limit: f64| degrees.is_none_or(|d| d.abs() <= limit);
            if !inside(site.latitude, 90.0) || !inside(site.longitude, 180.0) {
                return Err((
                    "site.latitude",
                    format!("site {} does not lie on Earth", site.name),
                ));
            }
        }
        if let Some(tag) = self
            .operator
            .tags
            .iter()
            .find(|t| t.is_empty() || t.contains(char::is_whitespace))
        {
            return Err(("operator.tags", format!("tag {tag:?} is empty or holds a blank")));
        }
        Ok(())
    }
}

fn one_line(message: &str) -> String {
    message.lines().map(str::trim).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str = "[store]\npath = \"c.db\"\n[identity]\nfolder = \"id\"\n";

    #[test]
    fn the_example_shows_the_defaults() {
        let example = Config::parse(include_str!("../collector.example.toml"), "example").unwrap();
        let least = Config::parse(LEAST, "least").unwrap();
        assert_eq!(example.grpc, least.grpc);
        assert_eq!(
            example.identity.agent_certificate_lifetime,
            least.identity.agent_certificate_lifetime
        );
        assert_eq!(example.http, least.http);
        assert_eq!(example.policy, least.policy);
    }

    #[test]
    fn a_mistake_is_told_with_file_line_and_key() {
        for (addition, expected) in [
            (
                "[http]\nlisten = \"nowhere\"\n",
                "c.toml:6: http.listen: invalid socket address syntax",
            ),
            (
                "[grpc]\nport = 1\n",
                "c.toml:6: grpc.port: unknown field `port`, expected `listen`",
            ),
            (
                "[http]\nlisten = \"0.0.0.0:80\"\n",
                "c.toml:6: http.listen: there is no sign-in yet",
            ),
            (
                "[[site]]\nname = \"A B\"\njurisdictions = []\n",
                "c.toml:6: site[0].name: site name \"A B\" must be",
            ),
            (
                "[[site]]\nname = \"a\"\njurisdictions = [\"Germany\"]\n",
                "c.toml:7: site.jurisdictions: \"Germany\" is not",
            ),
            (
                "agent_certificate_lifetime = \"1s\"\n",
                "c.toml:5: identity.agent_certificate_lifetime: \"1s\" is no time",
            ),
            ("[operator\n", "c.toml:5: .: unclosed table"),
        ] {
            let text = format!("{LEAST}{addition}");
            let error = Config::parse(&text, "c.toml").unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}\n{expected}");
            assert_eq!(error.lines().count(), 1, "{error}");
        }
    }
}
