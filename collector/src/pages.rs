//! Where browsers connect: over TLS, or in the clear on loopback.
//!
//! Invariants: at most 1,024 connections at once, 256 of them from one address other than loopback; who does not finish a request's
//! head in time is cut, between requests too; what is under way at a stop is
//! finished. Who speaks without TLS where TLS is spoken is told so, and nothing else.

mod certificate;

pub use certificate::{CertificateError, Certificates, Source};

use crate::handshake;
use axum::Router;
use axum::extract::ConnectInfo;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

/// Connections at once: a browser holds up to six, and each open page one of them.
const AT_ONCE: usize = 1_024;

/// Of these from one address (of IPv6 a /64): a household of many screens, and no more.
const OF_ONE: usize = 256;

/// For the head of a request, and for the pause before it on a connection that is kept.
const HEAD: Duration = Duration::from_secs(60);

/// Octets of a request's head at most.
const HEAD_OCTETS: usize = 64 * 1_024;

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
    peer: SocketAddr,
    _room: Room,
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
    let acceptor = tls.map(|config| TlsAcceptor::from(Arc::new(config)));
    let rooms = Rooms::new();
    let shake = move |stream, peer| shake(stream, peer, acceptor.clone(), rooms.clone());
    let mut connections = handshake::accept(socket, stop.clone(), shake);
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_OCTETS);
    let under_way = GracefulShutdown::new();
    while let Some(Some(connection)) = stop.run_until_cancelled(connections.recv()).await {
        let Connection { octets, peer, _room } = connection;
        let router = router.clone();
        let service = tower::service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            router.clone().oneshot(request)
        });
        let served = http.serve_connection(TokioIo::new(octets), TowerToHyperService::new(service));
        let served = under_way.watch(served);
        tokio::spawn(async move {
            let _room = _room;
            if let Err(error) = served.await {
                tracing::debug!(peer.address = %peer.ip(), error = %error, "connection of a browser ended");
            }
        });
    }
    under_way.shutdown().await;
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
    let octets: Box<dyn Octets> = match acceptor {
        None => Box::new(stream),
        Some(acceptor) => {
            let mut first = [0];
            if stream.peek(&mut first).await.map_err(told)? == 1 && first != [HANDSHAKE] {
                stream.write_all(NO_TLS).await.map_err(told)?;
                stream.shutdown().await.map_err(told)?;
                return Err("a browser without TLS".to_owned());
            }
            Box::new(acceptor.accept(stream).await.map_err(told)?)
        }
    };
    Ok(Connection { octets, peer, _room })
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
