//! `[http]`: where browsers connect, by which names, with which certificate.

use crate::pages::Source;
use model::SiteName;
use rustls::pki_types::ServerName;
use serde::{Deserialize, Deserializer};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// `[http]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HttpConfig {
    /// Address and port; port 0 is a free one.
    pub listen: SocketAddr,
    /// Pages in the clear: on loopback only.
    pub plain: bool,
    /// PEM: our certificate, and after it those that lead to its authority. Without one, one is made.
    pub certificate: Option<PathBuf>,
    /// PEM: its key.
    pub key: Option<PathBuf>,
    /// Names and addresses browsers know us by. Links name the first.
    #[serde(deserialize_with = "names")]
    pub names: Vec<String>,
    /// Time zones of sites, by their names in the tz database (`Europe/Berlin`), for whoever wants times so.
    #[serde(deserialize_with = "zones")]
    pub zones: BTreeMap<SiteName, String>,
}

/// Names that a certificate can be for.
fn names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let names = Vec::<String>::deserialize(deserializer)?;
    match names
        .iter()
        .find(|name| ServerName::try_from(name.as_str()).is_err())
    {
        Some(name) => Err(serde::de::Error::custom(format!(
            "{name:?} is no host name and no address"
        ))),
        None => Ok(names),
    }
}

/// Names that can be such zones; which of them there are, the browser knows.
fn zones<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<SiteName, String>, D::Error> {
    let zones = BTreeMap::<SiteName, String>::deserialize(deserializer)?;
    let named = |zone: &String| {
        let mut bytes = zone.bytes();
        zone.len() <= 64
            && zone.starts_with(|first: char| first.is_ascii_alphabetic())
            && bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'_' | b'+' | b'-'))
    };
    match zones.values().find(|zone| !named(zone)) {
        Some(zone) => Err(serde::de::Error::custom(format!(
            "{zone:?} is no name of a time zone, as in Europe/Berlin"
        ))),
        None => Ok(zones),
    }
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8443)),
            plain: false,
            certificate: None,
            key: None,
            names: Vec::new(),
            zones: BTreeMap::new(),
        }
    }
}

impl HttpConfig {
    /// A link to a path, for whoever reads what this machine says; `listens` is where it really listens.
    #[must_use]
    pub fn link(&self, listens: SocketAddr, path: &str) -> String {
        let scheme = if self.plain { "http" } else { "https" };
        let port = listens.port();
        match self.names.first() {
            Some(name) if name.contains(':') => format!("{scheme}://[{name}]:{port}{path}"),
            Some(name) => format!("{scheme}://{name}:{port}{path}"),
            None if listens.ip().is_unspecified() => format!("{scheme}://localhost:{port}{path}"),
            None => format!("{scheme}://{listens}{path}"),
        }
    }

    /// Where the certificate comes from; `None`: pages in the clear. `identities`: the folder for one that is made.
    #[must_use]
    pub fn certificate(&self, identities: &Path) -> Option<Source> {
        match (&self.certificate, &self.key) {
            _ if self.plain => None,
            (Some(certificate), Some(key)) => Some(Source::Files {
                certificate: certificate.clone(),
                key: key.clone(),
            }),
            _ => Some(Source::Made {
                folder: identities.to_owned(),
                names: self.all_names(),
            }),
        }
    }

    /// Those that were named, those of this machine, and where we listen.
    fn all_names(&self) -> Vec<String> {
        let uname = rustix::system::uname();
        let host = uname
            .nodename()
            .to_str()
            .ok()
            .filter(|name| ServerName::try_from(*name).is_ok());
        let listen = Some(self.listen.ip()).filter(|address| !address.is_unspecified());
        let more = ["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
        let all = self.names.iter().cloned().chain(more);
        let all = all
            .chain(host.map(str::to_owned))
            .chain(listen.map(|address| address.to_string()));
        all.collect::<BTreeSet<_>>().into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::HttpConfig;

    #[test]
    fn links_name_what_browsers_know_us_by() {
        for (addition, listens, expected) in [
            ("", "127.0.0.1:8443", "https://127.0.0.1:8443/a"),
            ("", "[::1]:8443", "https://[::1]:8443/a"),
            ("plain = true\n", "127.0.0.1:8080", "http://127.0.0.1:8080/a"),
            ("", "0.0.0.0:8443", "https://localhost:8443/a"),
            (
                "names = [\"noc.example.net\", \"192.0.2.1\"]\n",
                "0.0.0.0:443",
                "https://noc.example.net:443/a",
            ),
            (
                "names = [\"2001:db8::1\"]\n",
                "[::]:8443",
                "https://[2001:db8::1]:8443/a",
            ),
        ] {
            let config = toml::from_str::<HttpConfig>(addition).unwrap();
            assert_eq!(config.link(listens.parse().unwrap(), "/a"), expected);
        }
    }
}
