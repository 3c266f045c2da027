//! The configuration of `marque-agent run`: one TOML file, every default written
//! down in `agent.example.toml`.
//!
//! Invariants: unknown keys are refused; an error names file, line and key and
//! never quotes a line, which may hold a misplaced secret.

pub(crate) mod credential;

use crate::collector_plan::{Bounds, CollectorPlanConfig};
use crate::credential::scope::{Role, Scoped};
use crate::credential::{Credential, SecretSource};
use crate::plan::{OidText, Plan, PlanConfig};
use crate::poll::Limits;
use crate::poll::socket::Patience;
use crate::redact::SYS_CONTACT;
use crate::target::{self, SNMP_PORT, Target};
use crate::traps::TrapsConfig;
use crate::window::Windows;
use credential::CredentialConfig;
use ipnet::IpNet;
use prost::bytes::Bytes;
use proto::tls::Bundle;
use serde::{Deserialize, Deserializer};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use toml::Spanned;

mod places;

pub use places::Places;

/// The file as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where reports go.
    pub collector: CollectorConfig,
    /// Where reports wait.
    pub spool: SpoolConfig,
    /// How to poll.
    #[serde(default)]
    pub poll: PollConfig,
    /// What to ask.
    #[serde(default)]
    pub plan: PlanConfig,
    /// Whether the collector may say more.
    #[serde(default)]
    pub collector_plan: CollectorPlanConfig,
    /// What must not leave the site.
    #[serde(default)]
    pub redact: RedactConfig,
    /// Where traps are heard; nowhere without it.
    pub traps: Option<TrapsConfig>,
    /// Where metrics are served; nowhere without it.
    pub admin: Option<AdminConfig>,
    #[serde(default)]
    credential: Vec<CredentialConfig>,
    #[serde(default)]
    target: Vec<TargetConfig>,
    #[serde(default)]
    target_file: Vec<TargetFileConfig>,
}

/// `[collector]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CollectorConfig {
    /// `https://NAME:PORT`.
    #[serde(deserialize_with = "https")]
    pub address: String,
    identity: Spanned<PathBuf>,
    /// The longest pause, in seconds, before a collector that was out of reach is tried again.
    #[serde(default = "default_reconnect", deserialize_with = "between::<1, 3_600, _>")]
    pub reconnect_max_seconds: u64,
}

fn default_reconnect() -> u64 {
    60
}

/// `[spool]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpoolConfig {
    /// The file.
    pub path: PathBuf,
    /// Bytes of waiting reports at most; beyond them the oldest go and are declared lost.
    #[serde(
        default = "default_quota",
        deserialize_with = "between::<1_048_576, { i64::MAX as u64 }, _>"
    )]
    pub quota_bytes: u64,
}

fn default_quota() -> u64 {
    1 << 30
}

/// `[poll]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PollConfig {
    /// Seconds between two rounds with one target.
    #[serde(deserialize_with = "between::<1, 31_536_000, _>")]
    pub interval_seconds: u64,
    /// Seconds between two walks of one target at most; rounds between them ask one
    /// question and walk only if something moved. 0: every round walks.
    #[serde(deserialize_with = "between::<0, 518_400, _>")]
    pub full_round_seconds: u64,
    /// Targets polled at once.
    #[serde(deserialize_with = "between::<1, 65_536, _>")]
    pub in_flight: u64,
    /// Packets a second of the whole agent; 0 sets no cap.
    #[serde(deserialize_with = "between::<0, 1_000_000, _>")]
    pub packets_per_second: u64,
    /// Milliseconds to wait for a first answer.
    #[serde(deserialize_with = "between::<10, 60_000, _>")]
    pub timeout_ms: u64,
    /// Sendings after the first.
    #[serde(deserialize_with = "between::<0, 10, _>")]
    pub retries: u64,
    /// Packets a second to one target at most; 0 sets no cap.
    #[serde(deserialize_with = "between::<0, 100_000, _>")]
    pub element_packets_per_second: u64,
    /// Packets to one target in one round at most.
    #[serde(deserialize_with = "between::<10, 1_000_000, _>")]
    pub element_max_packets: u64,
    /// Seconds for one round with one target.
    #[serde(deserialize_with = "between::<1, 86_400, _>")]
    pub element_deadline_seconds: u64,
    /// Bindings wanted in one answer to GETBULK at most, all columns together.
    #[serde(deserialize_with = "between::<1, 2_000, _>")]
    pub max_repetitions: u64,
    /// Rows kept of one table: of each of its columns the first so many.
    #[serde(deserialize_with = "between::<1, 1_000_000, _>")]
    pub max_rows: u64,
    /// Bytes kept of one value.
    #[serde(deserialize_with = "between::<1, 65_536, _>")]
    pub max_value_bytes: u64,
    /// Seconds an element is left alone after it refused its user; twice as many after
    /// each further refusal, up to a day.
    #[serde(deserialize_with = "between::<1, 604_800, _>")]
    pub refusal_pause_seconds: u64,
    /// What the sysObjectID of elements begins with that do not tell of their changes.
    pub distrust: Vec<OidText>,
    /// Bytes of evidence kept of one round.
    #[serde(deserialize_with = "between::<1_024, { MAX_EVIDENCE_BYTES }, _>")]
    pub max_evidence_bytes: u64,
    /// Seconds after the beginning of a walk in which it is gone on with if it did not end;
    /// 0: it begins anew.
    #[serde(deserialize_with = "between::<0, 604_800, _>")]
    pub resume_seconds: u64,
    /// Mebibytes of memory for the rows of large walks under way, all together.
    #[serde(deserialize_with = "between::<1, 65_536, _>")]
    pub walk_memory_mebibytes: u64,
}

/// What leaves room for what is not rows.
const MAX_EVIDENCE_BYTES: u64 = (proto::MAX_EVIDENCE_BYTES - crate::report::MARGIN) as u64;

impl Default for PollConfig {
    fn default() -> Self {
        Self {
            interval_seconds: 3600,
            full_round_seconds: 21_600,
            in_flight: 500,
            packets_per_second: 2000,
            timeout_ms: 1000,
            retries: 2,
            element_packets_per_second: 200,
            element_max_packets: 10_000,
            element_deadline_seconds: 60,
            max_repetitions: 100,
            max_rows: 100_000,
            max_value_bytes: 8192,
            refusal_pause_seconds: 900,
            distrust: Vec::new(),
            max_evidence_bytes: MAX_EVIDENCE_BYTES,
            resume_seconds: 86_400,
            walk_memory_mebibytes: 512,
        }
    }
}

impl PollConfig {
    /// What one round may take.
    #[must_use]
    pub fn limits(&self) -> Limits {
        Limits {
            max_repetitions: narrow(self.max_repetitions),
            max_rows: narrow(self.max_rows),
            max_value_bytes: narrow(self.max_value_bytes),
            max_evidence_bytes: narrow(self.max_evidence_bytes),
            deadline: Duration::from_secs(self.element_deadline_seconds),
            packets_per_second: narrow(self.element_packets_per_second),
            max_requests: narrow(self.element_max_packets),
            resume: Duration::from_secs(self.resume_seconds),
        }
    }

    /// How long and how often to ask.
    #[must_use]
    pub fn patience(&self) -> Patience {
        Patience {
            first_contact: Duration::from_millis(self.timeout_ms),
            retries: narrow(self.retries),
        }
    }
}

/// Ranges were checked when read, so nothing is lost.
pub(crate) fn narrow<T: TryFrom<u64> + Default>(value: u64) -> T {
    T::try_from(value).unwrap_or_default()
}

/// `[redact]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RedactConfig {
    /// Values at or below these are removed before anything is stored.
    pub oids: Vec<OidText>,
}

impl Default for RedactConfig {
    fn default() -> Self {
        Self {
            oids: OidText::try_from(SYS_CONTACT.to_owned()).into_iter().collect(),
        }
    }
}

impl RedactConfig {
    /// As BER content octets.
    #[must_use]
    pub fn octets(&self) -> Vec<Bytes> {
        self.oids.iter().map(OidText::octets).collect()
    }
}

/// `[admin]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdminConfig {
    /// ADDRESS:PORT; anyone who reaches it can read the metrics.
    pub listen: SocketAddr,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TargetConfig {
    address: Spanned<IpAddr>,
    #[serde(default = "default_port", deserialize_with = "between::<1, 65_535, _>")]
    port: u64,
    credential: Spanned<String>,
    role: Option<Role>,
}

fn default_port() -> u64 {
    u64::from(SNMP_PORT)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TargetFileConfig {
    path: Spanned<PathBuf>,
    credential: Spanned<String>,
    role: Option<Role>,
}

/// A target and what opens it.
#[derive(Debug, Clone)]
pub struct Assignment {
    /// Whom to poll.
    pub target: Target,
    /// With what.
    pub credential: Arc<Credential>,
    /// Seconds between two rounds, if not as for all.
    pub interval: Option<Duration>,
    /// When it is left alone.
    pub windows: Windows,
}

/// Why a configuration cannot be used.
#[derive(Debug)]
pub struct ConfigError {
    file: PathBuf,
    line: Option<usize>,
    key: Option<String>,
    message: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, "{line}:")?;
        }
        if let Some(key) = &self.key {
            write!(f, " {key}:")?;
        }
        write!(f, " {}", self.message)
    }
}

impl std::error::Error for ConfigError {}

/// A configuration and everything it refers to.
#[derive(Debug)]
pub struct Loaded {
    /// As written.
    pub config: Config,
    /// Every target, each once, in order.
    pub assignments: Vec<Assignment>,
    /// What to ask.
    pub plan: Plan,
    /// Every credential of the file, for whoever signs traps.
    pub credentials: Vec<Arc<Credential>>,
    /// PEM file: private key, certificate, certificate of the authority.
    pub identity: PathBuf,
    /// The spool's file.
    pub spool: PathBuf,
    /// The file of the last good plan and what a plan may say; none are taken without.
    pub collector_plan: Option<(PathBuf, Bounds)>,
}

impl Loaded {
    /// Reads a file and everything it refers to.
    ///
    /// # Errors
    /// [`ConfigError`] for the first thing that is wrong.
    pub fn read(file: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(file).map_err(|error| ConfigError {
            file: file.to_owned(),
            line: None,
            key: None,
            message: format!("cannot be read: {error}"),
        })?;
        Source { file, text: &text }.load()
    }
}

/// A file being read; makes errors that name places in it.
struct Source<'a> {
    file: &'a Path,
    text: &'a str,
}

impl Source<'_> {
    fn error(&self, span: Option<std::ops::Range<usize>>, message: impl fmt::Display) -> ConfigError {
        let start = span.map(|span| span.start.min(self.text.len()));
        let before = start.and_then(|start| self.text.get(..start));
        let line = before.map(|before| before.matches('\n').count() + 1);
        let key = line
            .and_then(|line| self.text.lines().nth(line - 1))
            .and_then(|line| {
                let line = line.trim();
                let header = line.starts_with('[').then_some(line);
                header.or_else(|| line.split_once('=').map(|(key, _)| key.trim()))
            })
            // More than a key is something else, and may be a secret.
            .filter(|key| key.len() <= 40 && !key.contains(['"', '\'', ' ']));
        ConfigError {
            file: self.file.to_owned(),
            line,
            key: key.map(str::to_owned),
            message: message.to_string().replace('\n', " "),
        }
    }

    fn load(&self) -> Result<Loaded, ConfigError> {
        let config: Config =
            toml::from_str(self.text).map_err(|error| self.error(error.span(), error.message()))?;
        let (identity, site) = self.identity(&config)?;
        let credentials = self.credentials(&config, &site)?;
        let assignments = self.assignments(&config, &credentials)?;
        if assignments.is_empty() && !config.collector_plan.accept {
            let words = "names no target; add [[target]], [[target_file]] or [collector_plan] accept = true";
            return Err(self.error(None, words));
        }
        let spool = self.folder().join(&config.spool.path);
        let taken = &config.collector_plan;
        let beside = || spool.with_extension("plan");
        let path = taken
            .path
            .as_ref()
            .map_or_else(beside, |path| self.folder().join(path));
        let all = credentials.values().filter_map(Scoped::held).cloned().collect();
        Ok(Loaded {
            plan: Plan::from(&config.plan),
            assignments,
            credentials: all,
            identity,
            collector_plan: taken.accept.then(|| (path, Bounds::new(taken, credentials))),
            spool,
            config,
        })
    }

    /// Its file, and the site whose agent it makes of this one.
    fn identity(&self, config: &Config) -> Result<(PathBuf, String), ConfigError> {
        let written = &config.collector.identity;
        let path = self.folder().join(written.as_ref());
        let wrong = |reason: &dyn fmt::Display| {
            self.error(Some(written.span()), format!("{}: {reason}", path.display()))
        };
        let pem = std::fs::read_to_string(&path).map_err(|error| wrong(&error))?;
        let bundle = Bundle::from_pem(pem);
        bundle.client().map_err(|error| wrong(&error))?;
        let identity = bundle.agent().map_err(|error| wrong(&error))?;
        Ok((path, identity.site))
    }

    fn credentials(&self, config: &Config, site: &str) -> Result<HashMap<String, Scoped>, ConfigError> {
        let mut all = HashMap::new();
        for written in &config.credential {
            let scoped = written
                .open(site, |source| self.beside(source))
                .map_err(|(span, message)| self.error(Some(span), message))?;
            if all.insert(written.name.as_ref().clone(), scoped).is_some() {
                return Err(self.error(Some(written.name.span()), "is there twice"));
            }
        }
        Ok(all)
    }

    /// Paths count from the folder of the configuration.
    fn beside(&self, source: &SecretSource) -> SecretSource {
        match source {
            SecretSource::File(path) => SecretSource::File(self.folder().join(path)),
            other => other.clone(),
        }
    }

    fn folder(&self) -> &Path {
        self.file.parent().unwrap_or(Path::new(""))
    }

    fn assignments(
        &self,
        config: &Config,
        credentials: &HashMap<String, Scoped>,
    ) -> Result<Vec<Assignment>, ConfigError> {
        let credential = |name: &Spanned<String>| {
            let found = credentials.get(name.as_ref());
            found.ok_or_else(|| self.error(Some(name.span()), "there is no credential of that name"))
        };
        let mut all = Vec::new();
        // Where each was named first.
        let mut seen = BTreeMap::new();
        let mut add = |target: Target, scoped: &Scoped, role, span: Option<_>, place: String| {
            let credential = scoped
                .opens(IpNet::from(target.address().ip()), role)
                .map_err(|why| self.error(span.clone(), format!("{target} {why}")))?;
            let target = target.asked_with(credential);
            if let Some(first) = seen.get(&target) {
                return Err(self.error(span, format!("{target} in {place} is in {first} already")));
            }
            seen.insert(target, place);
            all.push(Assignment {
                target,
                credential: Arc::clone(credential),
                interval: None,
                windows: Windows::default(),
            });
            Ok(())
        };
        for written in &config.target {
            let span = Some(written.address.span());
            let target = Target::new(*written.address.as_ref(), narrow(written.port))
                .map_err(|error| self.error(span.clone(), error))?;
            add(
                target,
                credential(&written.credential)?,
                written.role,
                span,
                "[[target]]".to_owned(),
            )?;
        }
        for written in &config.target_file {
            let span = || Some(written.path.span());
            let path = self.folder().join(written.path.as_ref());
            let credential = credential(&written.credential)?;
            let text = std::fs::read_to_string(&path)
                .map_err(|error| self.error(span(), format!("cannot read {}: {error}", path.display())))?;
            for line in target::read_list(&text) {
                let target =
                    line.map_err(|error| self.error(span(), format!("{}: {error}", path.display())))?;
                add(
                    target,
                    credential,
                    written.role,
                    span(),
                    path.display().to_string(),
                )?;
            }
        }
        Ok(all)
    }
}

/// A whole number within bounds.
pub(crate) fn between<'de, const MIN: u64, const MAX: u64, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<u64, D::Error> {
    let value = u64::deserialize(deserializer)?;
    if (MIN..=MAX).contains(&value) {
        return Ok(value);
    }
    Err(serde::de::Error::custom(format!("must be {MIN} to {MAX}")))
}

fn https<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    // The parser takes any text for a port; here it must be one.
    let fine = text.parse::<tonic::transport::Uri>().is_ok_and(|uri| {
        let named = uri.host().is_some_and(|host| !host.is_empty());
        let plain = uri.authority().is_some_and(|all| !all.as_str().contains('@'));
        let port = uri.port_u16().is_some_and(|port| port > 0);
        uri.scheme_str() == Some("https")
            && named
            && plain
            && port
            && uri.path() == "/"
            && uri.query().is_none()
    });
    if fine {
        return Ok(text);
    }
    Err(serde::de::Error::custom("must be https://NAME:PORT"))
}

#[cfg(test)]
mod tests;
