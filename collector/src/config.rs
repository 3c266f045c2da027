//! The configuration file: what the collector does. How it runs is flags.
//!
//! Unknown keys are refused; a mistake is told with file, line and key.

mod http;
mod secret;
pub mod openid;
pub mod route;

pub use http::HttpConfig;
pub use openid::OpenIdConfig;
pub use route::RouteConfig;
pub use secret::{SecretError, SecretSource};

use crate::door::Times;
use model::{AccessRole, Site};
use serde::{Deserialize, Deserializer};
use std::collections::{BTreeMap, BTreeSet};
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
    /// How long who signed in stays.
    #[serde(default)]
    pub access: AccessConfig,
    /// Who says who people are, beside us.
    pub openid: Option<OpenIdConfig>,
    /// Who we are and what we declare.
    #[serde(default)]
    pub operator: OperatorConfig,
    /// Policies other than the built-in ones.
    #[serde(default)]
    pub policy: PolicyConfig,
    /// Knowledge beside the built-in one.
    #[serde(default)]
    pub knowledge: KnowledgeConfig,
    /// The sites agents stand at.
    #[serde(default)]
    pub site: Vec<Site>,
    /// Who is told of changes of findings.
    #[serde(default)]
    pub route: Vec<RouteConfig>,
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
    /// How long after its end a certificate can still be renewed, and signs what comes by courier.
    #[serde(default = "renewal_grace", deserialize_with = "grace")]
    pub renewal_grace: Duration,
}

fn agent_lifetime() -> Duration {
    Duration::from_secs(7 * 86_400)
}

fn renewal_grace() -> Duration {
    Duration::from_secs(30 * 86_400)
}

fn grace<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    humantime::parse_duration(&text)
        .ok()
        .filter(|grace| grace.as_secs() <= 365 * 86_400)
        .ok_or_else(|| serde::de::Error::custom(format!("{text:?} is no time from 0s to 365d")))
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

/// `[access]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AccessConfig {
    /// A session that is not used for so long is over.
    #[serde(deserialize_with = "session")]
    pub session_idle: Duration,
    /// So long after it began a session is over, used or not.
    #[serde(deserialize_with = "session")]
    pub session_longest: Duration,
    /// Roles whose local accounts open nothing but themselves before they have a second factor.
    pub second_factor: BTreeSet<AccessRole>,
}

impl Default for AccessConfig {
    fn default() -> Self {
        Self {
            session_idle: Duration::from_secs(4 * 3_600),
            session_longest: Duration::from_secs(24 * 3_600),
            second_factor: BTreeSet::new(),
        }
    }
}

impl AccessConfig {
    /// For the door.
    #[must_use]
    pub fn times(&self) -> Times {
        Times {
            idle: self.session_idle,
            longest: self.session_longest,
        }
    }
}

fn session<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    humantime::parse_duration(&text)
        .ok()
        .filter(|time| (60..=30 * 86_400).contains(&time.as_secs()))
        .ok_or_else(|| serde::de::Error::custom(format!("{text:?} is no time from 1m to 30d")))
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
    /// CSV of approvals on file.
    pub approvals: Option<PathBuf>,
    /// CSV of shares that caps are judged by.
    pub shares: Option<PathBuf>,
    /// CSV of what replacing one unit costs.
    pub prices: Option<PathBuf>,
}

/// `[policy]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PolicyConfig {
    /// Folder of packs used instead of the built-in ones.
    pub folder: Option<PathBuf>,
    /// Whether the usual reading of a text that names nobody is taken.
    pub interpretation: bool,
    /// Minisign public keys; where there are any, one of them must have signed every pack of the folder.
    pub trusted_keys: Vec<String>,
    /// SHA-256 of packs of the folder by file name, in hexadecimal.
    pub pins: BTreeMap<String, String>,
}

impl Default for PolicyConfig {
    fn default() -> Self {
        Self {
            folder: None,
            interpretation: true,
            trusted_keys: Vec::new(),
            pins: BTreeMap::new(),
        }
    }
}

/// `[knowledge]`
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KnowledgeConfig {
    /// Folder of knowledge files laid over the built-in ones.
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
    /// A mistake in `operator.tags` of this file that only the loaded policies can tell.
    #[must_use]
    pub fn tag_mistake(path: &Path, message: String) -> ConfigError {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let offset = locate(&text, &[Step::Key("operator"), Step::Key("tags")]);
        ConfigError::Key {
            path: path.display().to_string(),
            line: text.get(..offset).unwrap_or_default().matches('\n').count() + 1,
            key: "operator.tags".to_owned(),
            message,
        }
    }

    /// Reads and checks a file; relative paths inside count from the folder of the file.
    ///
    /// # Errors
    /// [`ConfigError`] naming file, line and key.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let shown = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable {
            path: shown.clone(),
            source,
        })?;
        let mut config = Self::parse(&text, &shown)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let inside = [Some(&mut config.store.path), Some(&mut config.identity.folder)];
        let inside = inside.into_iter().chain([
            config.operator.elements.as_mut(),
            config.operator.approvals.as_mut(),
            config.operator.shares.as_mut(),
            config.operator.prices.as_mut(),
            config.policy.folder.as_mut(),
            config.knowledge.folder.as_mut(),
            config.http.certificate.as_mut(),
            config.http.key.as_mut(),
        ]);
        for place in inside.flatten() {
            *place = folder.join(&*place);
        }
        for route in &mut config.route {
            route.count_from(folder);
        }
        if let Some(openid) = &mut config.openid {
            openid.count_from(folder);
        }
        Ok(config)
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
        config
            .check()
            .map_err(|fault| fail(locate(text, &fault.path), shown(&fault.path), fault.message))?;
        Ok(config)
    }

    fn check(&self) -> Result<(), Fault> {
        use Step::{Index, Key};
        if self.http.plain && !self.http.listen.ip().is_loopback() {
            let words = "pages in the clear: only on a loopback address";
            return Err(Fault::new(&[Key("http"), Key("plain")], words));
        }
        match (&self.http.certificate, &self.http.key) {
            (Some(_), None) => return Err(Fault::new(&[Key("http"), Key("certificate")], "has no key")),
            (None, Some(_)) => return Err(Fault::new(&[Key("http"), Key("key")], "has no certificate")),
            (Some(_), Some(_)) if self.http.plain => {
                let words = "pages in the clear have no certificate";
                return Err(Fault::new(&[Key("http"), Key("certificate")], words));
            }
            _ => {}
        }
        if self.store.path.as_os_str().is_empty() {
            return Err(Fault::new(&[Key("store"), Key("path")], "is empty"));
        }
        let mut names = BTreeSet::new();
        for (number, site) in self.site.iter().enumerate() {
            let fault = |key, message: String| Fault::new(&[Key("site"), Index(number), Key(key)], message);
            if !names.insert(&site.name) {
                return Err(fault("name", format!("site {} is declared twice", site.name)));
            }
            let is_code = |code: &&String| code.len() == 2 && code.bytes().all(|b| b.is_ascii_uppercase());
            if let Some(code) = site.jurisdictions.iter().find(|code| !is_code(code)) {
                let words = format!("{code:?} is not two capital letters (ISO 3166-1, or EU)");
                return Err(fault("jurisdictions", words));
            }
            for (key, degrees, limit) in [
                ("latitude", site.latitude, 90.0),
                ("longitude", site.longitude, 180.0),
            ] {
                if degrees.is_some_and(|d| d.abs() > limit) {
                    return Err(fault(key, format!("site {} does not lie on Earth", site.name)));
                }
            }
        }
        if let Some(openid) = &self.openid {
            openid.check(&names)?;
        }
        let blank = |tag: &&String| tag.is_empty() || tag.contains(char::is_whitespace);
        if let Some(tag) = self.operator.tags.iter().find(blank) {
            let words = format!("tag {tag:?} is empty or holds a blank");
            return Err(Fault::new(&[Key("operator"), Key("tags")], words));
        }
        route::check(&self.route)
    }
}

/// One step on the way to a key.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// Of a table.
    Key(&'static str),
    /// Of an array, from 0.
    Index(usize),
}

/// A value that cannot be meant.
struct Fault {
    path: Vec<Step>,
    message: String,
}

impl Fault {
    fn new(path: &[Step], message: impl Into<String>) -> Self {
        Self {
            path: path.to_vec(),
            message: message.into(),
        }
    }
}

fn shown(path: &[Step]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Key(key) if text.is_empty() => text.push_str(key),
            Step::Key(key) => text.push_str(&format!(".{key}")),
            Step::Index(number) => text.push_str(&format!("[{number}]")),
        }
    }
    text
}

/// Where the value at `path` stands in the text; the nearest thing around it if it is absent.
fn locate(text: &str, path: &[Step]) -> usize {
    use toml::de::DeValue;
    let Ok(table) = toml::de::DeTable::parse(text) else {
        return 0;
    };
    let mut offset = 0;
    let mut here: Option<&DeValue<'_>> = None;
    for step in path {
        let next = match (step, here) {
            (Step::Key(key), None) => table.get_ref().get(*key),
            (Step::Key(key), Some(DeValue::Table(table))) => table.get(*key),
            (Step::Index(number), Some(DeValue::Array(array))) => array.get(*number),
            _ => None,
        };
        let Some(next) = next else { break };
        offset = next.span().start;
        here = Some(next.get_ref());
    }
    offset
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
        assert_eq!(example.identity.renewal_grace, least.identity.renewal_grace);
        assert_eq!(example.http, least.http);
        assert_eq!(example.access, least.access);
        assert_eq!(example.policy, least.policy);
        assert_eq!(example.knowledge, least.knowledge);
    }

    #[test]
    fn the_example_shows_the_other_party_with_its_defaults() {
        let example = include_str!("../collector.example.toml");
        let (_, rest) = example.split_once("# [openid]\n").unwrap();
        let (table, _) = rest.split_once("\n[operator]").unwrap();
        // Comments of comments begin with a capital letter or go on in a sentence; keys do not.
        let keys = table.lines().filter_map(|line| line.strip_prefix("# "));
        let keys = keys.filter(|line| line.contains(" = ") || line.starts_with("[["));
        let keys: Vec<&str> = keys.filter(|line| !line.starts_with("A reference")).collect();
        let text = format!(
            "{LEAST}[[site]]\nname = \"berlin\"\njurisdictions = []\n[openid]\n{}",
            keys.join("\n")
        );
        let shown = Config::parse(&text, "example").unwrap().openid.unwrap();
        let least = format!(
            "{LEAST}[openid]\nissuer = \"https://id\"\nclient_id = \"m\"\nclient_secret = {{ env = \"E\" }}\n\
             [[openid.role]]\ngroup = \"g\"\nrole = \"viewer\"\n"
        );
        let least = Config::parse(&least, "least").unwrap().openid.unwrap();
        assert_eq!(
            (&shown.scopes, &shown.name, &shown.groups, &shown.button),
            (&least.scopes, &least.name, &least.groups, &least.button)
        );
    }

    #[test]
    fn relative_paths_count_from_the_folder_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.toml");
        std::fs::write(&path, format!("{LEAST}[operator]\nelements = \"/etc/e.csv\"\n")).unwrap();
        let config = Config::read(&path).unwrap();
        assert_eq!(config.store.path, folder.path().join("c.db"));
        assert_eq!(config.operator.elements, Some(PathBuf::from("/etc/e.csv")));
    }

    #[test]
    fn a_mistake_is_told_with_file_line_and_key() {
        for (addition, expected) in [
            (
                "[http]\nlisten = \"nowhere\"\n",
                "c.toml:6: http.listen: invalid socket address syntax",
            ),
            (
                "[http]\nzones = { a = \"Berlin \\\"\" }\n",
                "c.toml:6: http.zones: \"Berlin \\\"\" is no name of a time zone",
            ),
            (
                "[grpc]\nport = 1\n",
                "c.toml:6: grpc.port: unknown field `port`, expected `listen`",
            ),
            (
                "[grpc]\nlisten = \"127.0.0.1:1\"\n[http]\nlisten = \"0.0.0.0:80\"\nplain = true\n",
                "c.toml:9: http.plain: pages in the clear: only on a loopback address",
            ),
            (
                "[http]\ncertificate = \"a.crt\"\n",
                "c.toml:6: http.certificate: has no key",
            ),
            (
                "[http]\nkey = \"a.key\"\n",
                "c.toml:6: http.key: has no certificate",
            ),
            (
                "[http]\nplain = true\nkey = \"a.key\"\ncertificate = \"a.crt\"\n",
                "c.toml:8: http.certificate: pages in the clear have no certificate",
            ),
            (
                "[http]\nnames = [\"a b\"]\n",
                "c.toml:6: http.names: \"a b\" is no host name and no address",
            ),
            (
                "[[site]]\nname = \"A B\"\njurisdictions = []\n",
                "c.toml:6: site[0].name: site name \"A B\" must be",
            ),
            (
                "[[site]]\nname = \"a\"\njurisdictions = [\"DE\"]\n[[site]]\nname = \"a\"\njurisdictions = []\n",
                "c.toml:9: site[1].name: site a is declared twice",
            ),
            (
                "[[site]]\r\nname = \"a\"\r\njurisdictions = [\"Germany\"]\r\n",
                "c.toml:7: site[0].jurisdictions: \"Germany\" is not",
            ),
            (
                "[[site]]\nname = \"a\"\njurisdictions = []\nlongitude = 500.0\n",
                "c.toml:8: site[0].longitude: site a does not lie on Earth",
            ),
            (
                "[operator]\nname = \"x\"\ntags = [\"a b\"]\n",
                "c.toml:7: operator.tags: tag \"a b\" is empty",
            ),
            (
                "agent_certificate_lifetime = \"1s\"\n",
                "c.toml:5: identity.agent_certificate_lifetime: \"1s\" is no time",
            ),
            (
                "renewal_grace = \"366d\"\n",
                "c.toml:5: identity.renewal_grace: \"366d\" is no time from 0s to 365d",
            ),
            (
                "[access]\nsession_idle = \"1s\"\n",
                "c.toml:6: access.session_idle: \"1s\" is no time from 1m to 30d",
            ),
            (
                "[access]\nsecond_factor = [\"boss\"]\n",
                "c.toml:6: access.second_factor[0]: unknown variant `boss`",
            ),
            (
                "[openid]\nissuer = \"https://id\"\nclient_id = \"m\"\nclient_secret = \"hunter2\"\n",
                "c.toml:8: openid.client_secret: is never written here",
            ),
            (
                "[openid]\nissuer = \"http://id\"\nclient_id = \"m\"\nclient_secret = { env = \"E\" }\n",
                "c.toml:6: openid.issuer: is not https",
            ),
            (
                "[openid]\nissuer = \"https://id\"\nclient_id = \"m\"\nclient_secret = { env = \"E\" }\n",
                "c.toml:5: openid.role: without any, nobody is let in",
            ),
            (
                "[openid]\nissuer = \"https://id\"\nclient_id = \"m\"\nclient_secret = { env = \"E\" }\n\
                 [[openid.role]]\ngroup = \"g\"\nrole = \"viewer\"\nsites = [\"a\"]\n",
                "c.toml:12: openid.role[0].sites: no [[site]] is named a",
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
