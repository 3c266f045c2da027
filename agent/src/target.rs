//! What to poll: addresses, one a line or one a table of the configuration.
//!
//! Invariants: an address is never looked up by name; a line that is no address
//! is reported with its place, not skipped in silence; contexts at one address are
//! targets of their own, since behind each may be a network of its own.

use crate::credential::Credential;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

/// RFC 3417, 3.1: where SNMP engines listen.
pub const SNMP_PORT: u16 = 161;

/// One address to poll, in one context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    at: SocketAddr,
    /// contextName (RFC 3411, 3.3.1); empty is the default one.
    context: &'static str,
}

/// A text that names no target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no address such as 192.0.2.1, 192.0.2.1:161, 2001:db8::1 or [2001:db8::1]:161")]
pub struct InvalidTarget(String);

impl Target {
    /// From its parts.
    ///
    /// # Errors
    /// [`InvalidTarget`] when nothing can be sent there: port 0, unspecified or multicast address.
    pub fn new(address: IpAddr, port: u16) -> Result<Self, InvalidTarget> {
        // An IPv4 address in IPv6 clothes would be another target with the same replies.
        let at = SocketAddr::new(address.to_canonical(), port);
        if port == 0 || at.ip().is_unspecified() || at.ip().is_multicast() {
            return Err(InvalidTarget(at.to_string()));
        }
        Ok(Self { at, context: "" })
    }

    /// The same address in the context that a credential asks.
    #[must_use]
    pub fn asked_with(self, credential: &Credential) -> Self {
        self.in_context(credential.context())
    }

    /// The same address in the context of this name.
    pub(crate) fn in_context(self, context: &str) -> Self {
        Self {
            context: kept(context),
            ..self
        }
    }

    /// The same address in the default context.
    #[must_use]
    pub fn in_default_context(self) -> Self {
        Self { context: "", ..self }
    }

    /// Where to send.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.at
    }

    /// Name of its context; empty is the default one.
    #[must_use]
    pub fn context(&self) -> &'static str {
        self.context
    }
}

impl FromStr for Target {
    type Err = InvalidTarget;

    fn from_str(text: &str) -> Result<Self, InvalidTarget> {
        let invalid = || InvalidTarget(text.chars().take(80).collect());
        if let Ok(address) = text.parse::<IpAddr>() {
            return Self::new(address, SNMP_PORT).map_err(|_| invalid());
        }
        if let Ok(at) = text.parse::<SocketAddr>() {
            return Self::new(at.ip(), at.port()).map_err(|_| invalid());
        }
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let address = bare.ok_or_else(invalid)?.parse().map_err(|_| invalid())?;
        Self::new(IpAddr::V6(address), SNMP_PORT).map_err(|_| invalid())
    }
}

/// As its address, in the default context: slots of polling are found by it, and stay as they were.
impl Hash for Target {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.at.hash(hasher);
        if !self.context.is_empty() {
            self.context.hash(hasher);
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.at.fmt(f)?;
        if self.context.is_empty() {
            return Ok(());
        }
        write!(f, " in {}", self.context)
    }
}

/// A context's name for as long as the process lives, so that targets stay small and are copied: names come with
/// credentials, which stand in the configuration, and those are few.
fn kept(context: &str) -> &'static str {
    static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    if context.is_empty() {
        return "";
    }
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(name) = names.get(context) {
        return name;
    }
    let name: &'static str = Box::leak(context.into());
    names.insert(name);
    name
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// A line of a list that names no target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct InvalidLine {
    /// Counted from 1.
    pub line: usize,
    /// Why.
    pub reason: InvalidTarget,
}

/// Reads a list: one `ADDRESS[:PORT]` a line, `#` begins a comment, blank lines are
/// nothing, and neither is a byte order mark at the start.
pub fn read_list(text: &str) -> impl Iterator<Item = Result<Target, InvalidLine>> + '_ {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    text.lines().enumerate().filter_map(|(at, line)| {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            return None;
        }
        Some(
            line.parse()
                .map_err(|reason| InvalidLine { line: at + 1, reason }),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_what_is_none() {
        for (text, expected) in [
            ("192.0.2.1", "192.0.2.1:161"),
            ("192.0.2.1:1161", "192.0.2.1:1161"),
            ("::1", "[::1]:161"),
            ("[::1]", "[::1]:161"),
            ("[::1]:1161", "[::1]:1161"),
            ("::ffff:192.0.2.1", "192.0.2.1:161"),
        ] {
            assert_eq!(text.parse::<Target>().unwrap().to_string(), expected);
        }
        for text in [
            "",
            "router",
            "192.0.2",
            "192.0.2.1:0",
            "0.0.0.0",
            "224.0.0.1",
            "[192.0.2.1]",
            "192.0.2.1:99999",
        ] {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_list_says_which_line_is_wrong() {
        let list = "# core\n192.0.2.1 # first\n\n\tnonsense\n192.0.2.2:1161\n";
        let read: Vec<_> = read_list(list)
            .map(|line| line.map(|target| target.to_string()).map_err(|error| error.line))
            .collect();
        assert_eq!(
            read,
            [
                Ok("192.0.2.1:161".to_owned()),
                Err(4),
                Ok("192.0.2.2:1161".to_owned())
            ]
        );
    }

    #[test]
    fn a_list_may_begin_with_a_byte_order_mark() {
        let read: Vec<_> = read_list("\u{feff}192.0.2.1\n").collect();
        assert_eq!(read, [Ok("192.0.2.1".parse().unwrap())]);
    }
}
