//! Where agents connect: mutual TLS.
//!
//! Invariant: a connection without a certificate, which can only enrol, has thirty
//! seconds and is one of 64.

mod connection;

pub use connection::Connection;

use crate::handshake;
use futures_util::{Stream, StreamExt as _};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

/// Connections without a certificate at once.
const STRANGERS: usize = 64;

/// A bound socket that is not yet accepting.
pub struct Listener {
    socket: TcpListener,
    acceptor: TlsAcceptor,
}

impl Listener {
    /// Binds the address.
    ///
    /// # Errors
    /// What the operating system said: address in use, not ours, not allowed.
    pub async fn bind(address: SocketAddr, tls: rustls::ServerConfig) -> std::io::Result<Self> {
        let socket = TcpListener::bind(address).await?;
        Ok(Self {
            socket,
            acceptor: TlsAcceptor::from(Arc::new(tls)),
        })
    }

    /// The bound address, with the real port.
    ///
    /// # Errors
    /// What the operating system said.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Accepts until `stop`; connections come out of the stream.
    pub fn accept(self, stop: CancellationToken) -> impl Stream<Item = std::io::Result<Connection>> {
        let Self { socket, acceptor } = self;
        let strangers = Arc::new(Semaphore::new(STRANGERS));
        let shake = move |stream, _| {
            let (acceptor, strangers) = (acceptor.clone(), Arc::clone(&strangers));
            async move {
                let stream = acceptor.accept(stream).await.map_err(|error| error.to_string())?;
                Connection::new(stream, strangers).ok_or_else(|| "too many strangers".to_owned())
            }
        };
        ReceiverStream::new(handshake::accept(socket, stop, shake)).map(Ok)
    }
}
