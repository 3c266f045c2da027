//! Where browsers connect: over TLS, or in the clear on loopback.
//!
//! Invariants: at most 1,024 connections at once, 256 of them from one address other than loopback; who does not finish a
//! request's head in time is cut, between requests too, and over HTTP/2 who makes no first request or does not answer;
//! what is under way at a stop is finished, within [`FINISH`]. Who speaks without TLS where TLS is spoken is told so, and
//! nothing else.

mod certificate;

pub use certificate::{CertificateError, Certificates, Source};

use crate::handshake;
use axum::Router;
use axum::extract::ConnectInfo;
use hyper::header::{HOST, HeaderValue};
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

/// Connections at once: a browser holds one over HTTP/2 and up to six over HTTP/1.1.
const AT_ONCE: usize = 1_024;

/// Of these from one address (of IPv6 a /64): a household of many screens, and no more.
const OF_ONE: usize = 256;

/// For the head of a request, and for the pause before it on a connection that is kept.
const HEAD: Duration = Duration::from_secs(60);

/// For what is under way at a stop; shorter than the program's own grace, for what waits behind the pages.
const FINISH: Duration = Duration::from_secs(3);

/// Octets of a request's head at most.
const HEAD_OCTETS: usize = 64 * 1_024;

/// The same over HTTP/2, where names of headers count too (RFC 9113, 6.5.2).
const HEAD_LIST: u32 = 64 * 1_024;

/// What TLS agrees on for HTTP/2 (RFC 9113, 3.2): all windows of a browser share one connection.
pub(crate) const HTTP_2: &[u8] = b"h2";

/// Requests at once on a connection over HTTP/2: each open page has one of them.
const STREAMS: u32 = 128;

/// A connection over HTTP/2 that is silent for so long is asked whether it is there, and has as long to answer.
const ALIVE: Duration = Duration::from_secs(20);

/// The first octet of a TLS record with a handshake (RFC 8446, 5.1).
const HANDSHAKE: u8 = 22;

const NO_TLS: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\nconnection: close\r\n\r\n\
    this port speaks TLS: put https:// before its address\n";

/// Octets of a connection, in the clear or not.
trait Octets: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Octets for T {}

struct Connection {
    octets: Box<dyn Octets>,
    http2: bool,
    peer: SocketAddr,
    _room: Room,
}

/// How long browsers are waited for.
#[derive(Clone, Copy)]
struct Patience {
    head: Duration,
    finish: Duration,
}

/// What a connection is held by, beside its browser.
struct Held {
    peer: SocketAddr,
    _room: Room,
    /// That a request was made.
    asked: Arc<Notify>,
    /// It is cut then, whatever is under way.
    over: CancellationToken,
}

/// Room for connections.
#[derive(Clone)]
struct Rooms {
    all: Arc<Semaphore>,
    taken: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// That of one connection; given back when it is dropped.
struct Room {
    _of_all: OwnedSemaphorePermit,
    of_one: Option<(IpAddr, Rooms)>,
}

impl Rooms {
    fn new() -> Self {
        Self {
            all: Arc::new(Semaphore::new(AT_ONCE)),
            taken: Arc::default(),
        }
    }

    fn take(&self, peer: IpAddr) -> Option<Room> {
        let of_all = Arc::clone(&self.all).try_acquire_owned().ok()?;
        let peer = network(peer);
        if peer.is_loopback() {
            return Some(Room {
                _of_all: of_all,
                of_one: None,
            });
        }
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(peer).or_default();
        if *count >= OF_ONE {
            return None;
        }
        *count += 1;
        Some(Room {
            _of_all: of_all,
            of_one: Some((peer, self.clone())),
        })
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let Some((peer, rooms)) = &self.of_one else { return };
        let mut taken = rooms.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(peer) {
            *count -= 1;
            if *count == 0 {
                taken.remove(peer);
            }
        }
    }
}

/// An address as it is counted: one of IPv6 by its /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) if !v6.is_loopback() => {
            IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)))
        }
        other => other,
    }
}

/// Serves until `stop`, then finishes what is under way. `tls`: `None` for pages in the clear.
pub async fn serve(
    socket: TcpListener,
    tls: Option<rustls::ServerConfig>,
    router: Router,
    stop: CancellationToken,
) {
    let patience = Patience {
        head: HEAD,
        finish: FINISH,
    };
    serve_with(patience, socket, tls, router, stop).await;
}

async fn serve_with(
    patience: Patience,
    socket: TcpListener,
    tls: Option<rustls::ServerConfig>,
    router: Router,
    stop: CancellationToken,
) {
    let acceptor = tls.map(|config| TlsAcceptor::from(Arc::new(config)));
    let rooms = Rooms::new();
    let shake = move |stream, peer| shake(stream, peer, acceptor.clone(), rooms.clone());
    let mut connections = handshake::accept(socket, stop.clone(), shake);
    let mut http1 = http1::Builder::new();
    http1
        .timer(TokioTimer::new())
        .header_read_timeout(patience.head)
        .max_buf_size(HEAD_OCTETS);
    let mut http2 = http2::Builder::new(TokioExecutor::new());
    http2
        .timer(TokioTimer::new())
        .keep_alive_interval(ALIVE)
        .keep_alive_timeout(ALIVE)
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEAD_LIST);
    let under_way = GracefulShutdown::new();
    let over = CancellationToken::new();
    let _cut = over.clone().drop_guard();
    while let Some(Some(connection)) = stop.run_until_cancelled(connections.recv()).await {
        let router = router.clone();
        let peer = connection.peer;
        let asked = Arc::new(Notify::new());
        let held = Held {
            peer,
            _room: connection._room,
            asked: Arc::clone(&asked),
            over: over.clone(),
        };
        let service = tower::service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
            asked.notify_one();
            request.extensions_mut().insert(ConnectInfo(peer));
            name_host(&mut request);
            router.clone().oneshot(request)
        });
        let (service, octets) = (TowerToHyperService::new(service), TokioIo::new(connection.octets));
        match connection.http2 {
            true => go_on(
                under_way.watch(http2.serve_connection(octets, service)),
                held,
                patience,
            ),
            false => go_on(
                under_way.watch(http1.serve_connection(octets, service)),
                held,
                patience,
            ),
        }
    }
    if tokio::time::timeout(patience.finish, under_way.shutdown())
        .await
        .is_err()
    {
        tracing::info!("connections of browsers are cut that did not end at the stop");
    }
}

/// Serves a connection to its end, and holds its room as long. Over HTTP/2 nothing else bounds the wait for the first
/// request, nor for the preface before it (RFC 9113, 3.4): neither pings nor a graceful end come before that.
fn go_on<F>(served: F, held: Held, patience: Patience)
where
    F: Future<Output = hyper::Result<()>> + Send + 'static,
{
    tokio::spawn(async move {
        let silent = async {
            let asked = tokio::time::timeout(patience.head, held.asked.notified()).await;
            if asked.is_ok() {
                std::future::pending::<()>().await;
            }
        };
        let ended = tokio::select! {
            ended = served => ended.map_err(|error| error.to_string()),
            () = silent => Err("no request was made in time".to_owned()),
            () = held.over.cancelled() => Err("the collector stops".to_owned()),
        };
        if let Err(error) = ended {
            tracing::debug!(peer.address = %held.peer.ip(), error, "connection of a browser ended");
        }
    });
}

/// HTTP/2 says in `:authority` what HTTP/1.1 says in `Host` (RFC 9113, 8.3.1); the pages read the latter.
fn name_host<B>(request: &mut hyper::Request<B>) {
    if request.version() != hyper::Version::HTTP_2 {
        return;
    }
    let named = request.uri().authority().map(|named| named.as_str().to_owned());
    if let Some(named) = named.and_then(|named| HeaderValue::try_from(named).ok()) {
        request.headers_mut().insert(HOST, named);
    }
}

async fn shake(
    mut stream: TcpStream,
    peer: SocketAddr,
    acceptor: Option<TlsAcceptor>,
    rooms: Rooms,
) -> Result<Connection, String> {
    let Some(_room) = rooms.take(peer.ip()) else {
        return Err("too many connections of browsers".to_owned());
    };
    let told = |error: std::io::Error| error.to_string();
    let (octets, http2): (Box<dyn Octets>, bool) = match acceptor {
        None => (Box::new(stream), false),
        Some(acceptor) => {
            let mut first = [0];
            if stream.peek(&mut first).await.map_err(told)? == 1 && first != [HANDSHAKE] {
                stream.write_all(NO_TLS).await.map_err(told)?;
                stream.shutdown().await.map_err(told)?;
                return Err("a browser without TLS".to_owned());
            }
            let stream = acceptor.accept(stream).await.map_err(told)?;
            let http2 = stream.get_ref().1.alpn_protocol() == Some(HTTP_2);
            (Box::new(stream), http2)
        }
    };
    Ok(Connection {
        octets,
        http2,
        peer,
        _room,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::pki_types::PrivateKeyDer;
    use tokio::io::AsyncReadExt as _;
    use tokio_rustls::TlsConnector;
    use tokio_rustls::client::TlsStream;

    #[test]
    fn one_address_cannot_take_all_the_room_and_gives_back_what_it_took() {
        let rooms = Rooms::new();
        let of = |text: &str| rooms.take(text.parse().unwrap());
        // Addresses of one /64, and an IPv4 address in either form, are one.
        let mut held: Vec<_> = (0..OF_ONE)
            .map(|number| of(&format!("2001:db8::{number:x}")).unwrap())
            .collect();
        assert!(of("2001:db8::ffff").is_none());
        assert!(of("2001:db8:0:1::1").is_some() && of("192.0.2.1").is_some());
        held.pop();
        assert!(of("2001:db8::ffff").is_some());
        let four: Vec<_> = (0..OF_ONE).map(|_| of("192.0.2.1").unwrap()).collect();
        assert!(of("::ffff:192.0.2.1").is_none());
        drop((held, four));
        assert!(rooms.taken.lock().unwrap().is_empty());
        let all: Vec<_> = (0..AT_ONCE).map(|_| of("127.0.0.1").unwrap()).collect();
        assert!(of("127.0.0.1").is_none(), "{}", all.len());
    }

    /// Pages over TLS on a socket of their own.
    struct Served {
        address: SocketAddr,
        client: TlsConnector,
        stop: CancellationToken,
        task: tokio::task::JoinHandle<()>,
    }

    impl Served {
        async fn new(patience: Patience) -> Self {
            let key = rcgen::KeyPair::generate().unwrap();
            let named = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
            let certificate = named.self_signed(&key).unwrap().der().clone();
            let ring = Arc::new(rustls::crypto::ring::default_provider());
            let mut config = rustls::ServerConfig::builder_with_provider(Arc::clone(&ring))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(
                    vec![certificate.clone()],
                    PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
                )
                .unwrap();
            config.alpn_protocols = vec![HTTP_2.to_vec()];
            let mut roots = rustls::RootCertStore::empty();
            roots.add(certificate).unwrap();
            let mut client = rustls::ClientConfig::builder_with_provider(ring)
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_root_certificates(roots)
                .with_no_client_auth();
            client.alpn_protocols = vec![HTTP_2.to_vec()];
            let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let (address, stop) = (socket.local_addr().unwrap(), CancellationToken::new());
            let router = Router::new().route("/", axum::routing::get(|| async { "here" }));
            let task = serve_with(patience, socket, Some(config), router, stop.clone());
            Self {
                address,
                client: TlsConnector::from(Arc::new(client)),
                stop,
                task: tokio::spawn(task),
            }
        }

        /// A client that agrees on HTTP/2 and says nothing yet.
        async fn connect(&self) -> TlsStream<TcpStream> {
            let stream = TcpStream::connect(self.address).await.unwrap();
            let name = "localhost".try_into().unwrap();
            let stream = self.client.connect(name, stream).await.unwrap();
            assert_eq!(stream.get_ref().1.alpn_protocol(), Some(HTTP_2));
            stream
        }
    }

    /// Waits for the other side to end a connection.
    async fn cut(stream: &mut TlsStream<TcpStream>) {
        let mut rest = Vec::new();
        let ended = tokio::time::timeout(HEAD / 2, stream.read_to_end(&mut rest)).await;
        assert!(ended.is_ok(), "still open");
    }

    /// Asks for `/` on this stream and reads up to the head of the answer (RFC 9113, 4.1 and 6.2).
    async fn ask(stream: &mut TlsStream<TcpStream>, number: u8) {
        // GET, / and https from the static table (RFC 7541, appendix A); the end of head and request.
        let head = [0, 0, 3, 1, 5, 0, 0, 0, number, 0x82, 0x84, 0x87];
        stream.write_all(&head).await.unwrap();
        loop {
            let mut frame = [0; 9];
            stream.read_exact(&mut frame).await.unwrap();
            let length = u32::from_be_bytes([0, frame[0], frame[1], frame[2]]);
            let mut payload = vec![0; usize::try_from(length).unwrap()];
            stream.read_exact(&mut payload).await.unwrap();
            if (frame[3], frame[8]) == (1, number) {
                return;
            }
        }
    }

    #[tokio::test]
    async fn who_agrees_on_http_2_and_asks_nothing_is_cut_and_who_asked_is_not() {
        let served = Served::new(Patience {
            head: Duration::from_millis(500),
            finish: HEAD,
        })
        .await;
        let mut asks = served.connect().await;
        let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
        asks.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
        asks.write_all(&settings).await.unwrap();
        ask(&mut asks, 1).await;
        let mut silent = served.connect().await;
        cut(&mut silent).await;
        ask(&mut asks, 3).await;
        drop(asks);
        served.stop.cancel();
        let ended = tokio::time::timeout(HEAD / 2, served.task).await;
        ended.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_silent_connection_does_not_hold_up_the_stop() {
        let served = Served::new(Patience {
            head: HEAD,
            finish: Duration::from_millis(100),
        })
        .await;
        let mut silent = served.connect().await;
        // Its settings come first (RFC 9113, 3.4): the connection is under way when the stop comes.
        let mut frame = [0; 9];
        silent.read_exact(&mut frame).await.unwrap();
        assert_eq!(frame[3], 4);
        served.stop.cancel();
        let ended = tokio::time::timeout(HEAD / 2, served.task).await;
        ended.unwrap().unwrap();
        cut(&mut silent).await;
    }
}
