//! Syslog (RFC 5424) with a CEF message, by UDP (RFC 5426), TCP (RFC 6587) or TLS (RFC 5425).
//!
//! Invariants: what devices told cannot end a field, a message or a frame; over TCP and TLS messages count as taken when
//! the receiver closed its side after all of them, or did not complain for a while: there are no answers.

use super::http::{PATIENCE, authorities};
use super::message::State;
use super::{AlertError, Failure, Message};
use crate::config::route::{SyslogConfig, SyslogOver, host_and_port};
use rustls::pki_types::ServerName;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// RFC 5424, 6.2.1: local use 0.
const FACILITY: u8 = 16;
/// How long a receiver that got everything is waited for to close its side.
const CLOSES: Duration = Duration::from_secs(3);
/// Longest datagram: what every receiver should take (RFC 5424, 6.1).
const DATAGRAM: usize = 2_048;

/// A syslog server.
pub struct Syslog {
    config: SyslogConfig,
    host: String,
    port: u16,
    tls: Option<TlsConnector>,
}

impl Syslog {
    /// Opens it.
    ///
    /// # Errors
    /// [`AlertError`] naming the route.
    pub fn open(route: &str, config: &SyslogConfig) -> Result<Self, AlertError> {
        let wrong = |words: String| AlertError::Receiver {
            route: route.to_owned(),
            words,
        };
        let (host, port) =
            host_and_port(&config.server).ok_or_else(|| wrong("names no host:port".to_owned()))?;
        let tls = match config.over {
            SyslogOver::Tls => Some(connector(route, config).map_err(|error| match error {
                Ok(error) => wrong(error.to_string()),
                Err(error) => error,
            })?),
            SyslogOver::Tcp | SyslogOver::Udp => None,
        };
        Ok(Self {
            host: host.to_owned(),
            port,
            tls,
            config: config.clone(),
        })
    }

    /// Where it is.
    #[must_use]
    pub fn place(&self) -> String {
        let over = match self.config.over {
            SyslogOver::Tls => "TLS",
            SyslogOver::Tcp => "TCP",
            SyslogOver::Udp => "UDP",
        };
        format!("{} ({over})", self.config.server)
    }

    /// Sends one message for each.
    ///
    /// # Errors
    /// [`Failure`] in words for people.
    pub async fn send(&self, messages: &[Message]) -> Result<(), Failure> {
        let told = match timeout(PATIENCE, self.tell(messages)).await {
            Ok(told) => told.map_err(|error| error.to_string()),
            Err(_) => Err("gave no answer in time".to_owned()),
        };
        told.map_err(|words| Failure::new(words, &[]))
    }

    async fn tell(&self, messages: &[Message]) -> std::io::Result<()> {
        let to = (self.host.as_str(), self.port);
        if self.config.over == SyslogOver::Udp {
            let no_address = || std::io::Error::other("has no address");
            let to = lookup_host(to).await?.next().ok_or_else(no_address)?;
            let from = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
            let socket = UdpSocket::bind(from).await?;
            socket.connect(to).await?;
            for message in messages {
                let line = line(message);
                socket.send(shortened(&line, DATAGRAM).as_bytes()).await?;
            }
            return Ok(());
        }
        let frames: String = messages.iter().map(framed).collect();
        let stream = TcpStream::connect(to).await?;
        match &self.tls {
            Some(tls) => {
                let name = ServerName::try_from(self.host.clone()).map_err(std::io::Error::other)?;
                stream_all(tls.connect(name, stream).await?, &frames).await
            }
            None => stream_all(stream, &frames).await,
        }
    }
}

/// Sends all, says that it is all, and waits until the other side has taken it.
async fn stream_all(mut stream: impl AsyncRead + AsyncWrite + Unpin, frames: &str) -> std::io::Result<()> {
    stream.write_all(frames.as_bytes()).await?;
    stream.shutdown().await?;
    timeout(CLOSES, closed(stream)).await.unwrap_or(Ok(()))
}

async fn closed(mut stream: impl AsyncRead + Unpin) -> std::io::Result<()> {
    let mut answer = [0; 256];
    loop {
        match stream.read(&mut answer).await {
            Ok(0) => return Ok(()),
            // Syslog has no answers.
            Ok(_) => {}
            // Receivers of TLS often close without saying so first.
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

type Opened<T> = Result<T, Result<rustls::Error, AlertError>>;

fn connector(route: &str, config: &SyslogConfig) -> Opened<TlsConnector> {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject as _;
    let mut roots = rustls::RootCertStore::empty();
    match &config.ca {
        Some(path) => {
            let pem = authorities(route, path).map_err(Err)?;
            for certificate in CertificateDer::pem_slice_iter(&pem) {
                let unreadable = |error| {
                    Err(AlertError::Authorities {
                        route: route.to_owned(),
                        path: path.display().to_string(),
                        source: std::io::Error::other(error),
                    })
                };
                let certificate = certificate.map_err(unreadable)?;
                roots.add(certificate).map_err(Ok)?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let client =
        rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(Ok)?
            .with_root_certificates(roots)
            .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(client)))
}

/// Octets counted, as TCP and TLS have them.
fn framed(message: &Message) -> String {
    let line = line(message);
    format!("{} {line}", line.len())
}

/// RFC 5424, table 2.
fn level(message: &Message) -> u8 {
    match (message.state, message.labels.severity.as_str()) {
        (State::Resolved, _) => 5,
        (_, "critical") => 2,
        (_, "major") => 3,
        (_, "minor" | "warning") => 4,
        _ => 6,
    }
}

/// CEF's 0 to 10.
fn weight(severity: &str) -> u8 {
    match severity {
        "critical" => 10,
        "major" => 8,
        "minor" => 5,
        "warning" => 3,
        _ => 1,
    }
}

fn line(message: &Message) -> String {
    let host = rustix::system::uname();
    let host: String = host
        .nodename()
        .to_string_lossy()
        .chars()
        .filter(char::is_ascii_graphic)
        .take(255)
        .collect();
    let host = if host.is_empty() { "-" } else { &host };
    let labels = &message.labels;
    let mut text = format!(
        "<{}>1 {} {host} marque-collector - alert - CEF:0|Marque|marque-collector|{}|{}|{}|{}|",
        FACILITY * 8 + level(message),
        message.at,
        env!("CARGO_PKG_VERSION"),
        header(&labels.rule),
        header(if message.test {
            &message.text
        } else {
            &message.title
        }),
        weight(&labels.severity),
    );
    let confidence = message.confidence.to_string();
    let fields = [
        ("externalId", labels.finding.as_str()),
        ("act", message.change.as_str()),
        ("outcome", message.state.as_str()),
        ("dvchost", labels.element.as_str()),
        ("dvc", message.address.as_str()),
        ("suser", message.person.as_deref().unwrap_or_default()),
        ("cs1Label", "site"),
        ("cs1", labels.site.as_str()),
        ("cs2Label", "role"),
        ("cs2", labels.role.as_str()),
        ("cs3Label", "maker"),
        ("cs3", labels.maker.as_str()),
        ("cs4Label", "severity"),
        ("cs4", labels.severity.as_str()),
        ("cs5Label", "deadline"),
        ("cs5", message.deadline.as_deref().unwrap_or("none")),
        ("cs6Label", "class"),
        ("cs6", message.class.as_str()),
        ("cfp1Label", "confidence"),
        ("cfp1", confidence.as_str()),
        ("request", message.link.as_str()),
        ("msg", message.text.as_str()),
    ];
    let mut first = true;
    for (key, value) in fields.into_iter().filter(|(_, value)| !value.is_empty()) {
        let blank = if first { "" } else { " " };
        first = false;
        // A text takes everything.
        let _ = write!(text, "{blank}{key}={}", extension(value));
    }
    text
}

fn header(text: &str) -> String {
    flat(text).replace('\\', "\\\\").replace('|', "\\|")
}

fn extension(text: &str) -> String {
    flat(text).replace('\\', "\\\\").replace('=', "\\=")
}

fn flat(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// At most so many octets, whole characters.
fn shortened(text: &str, most: usize) -> &str {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::message::tests::a_message;

    #[test]
    fn a_line_is_rfc_5424_with_cef_and_nothing_breaks_out() {
        let mut message = a_message(State::Firing);
        message.text = "a=b\\c\nCEF:0|x".to_owned();
        let line = line(&message);
        assert!(line.starts_with("<130>1 2023-11-14T22:13:20Z "), "{line}");
        assert!(
            line.contains("|DE-CONTRACT-CORE|No critical components \\| in the core|10|externalId="),
            "{line}"
        );
        assert!(line.contains("dvchost=ber|core\\=1 "), "{line}");
        assert!(line.ends_with("msg=a\\=b\\\\c CEF:0|x"), "{line}");
        assert_eq!(line.lines().count(), 1);
        assert_eq!(framed(&message), format!("{} {line}", line.len()));
        message.state = State::Resolved;
        assert!(super::line(&message).starts_with("<133>1 "), "notice");
    }

    #[test]
    fn datagrams_end_between_characters() {
        assert_eq!(shortened("aéb", 2), "a");
        assert_eq!(shortened("aéb", 3), "aé");
        assert_eq!(shortened("ab", 9), "ab");
    }
}
