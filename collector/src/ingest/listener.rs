//! Accepts connections and shakes hands off the accept loop.
//!
//! Invariants: a handshake has ten seconds and at most 256 run at once; when
//! there are more the oldest is given up, because an agent's takes milliseconds
//! and a stranger's may never end. A failed one is counted, never fatal.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

/// A connection whose peer has shown a certificate of the authority.
pub type Connection = TlsStream<TcpStream>;

const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
const HANDSHAKES: usize = 256;

/// Connections waiting to be served; when full, the next handshakes wait here.
const QUEUE: usize = 64;

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
    pub fn accept(self, stop: CancellationToken) -> ReceiverStream<std::io::Result<Connection>> {
        let (sender, receiver) = mpsc::channel(QUEUE);
        tokio::spawn(accept_loop(self, sender, stop));
        ReceiverStream::new(receiver)
    }
}

async fn accept_loop(
    listener: Listener,
    sender: mpsc::Sender<std::io::Result<Connection>>,
    stop: CancellationToken,
) {
    let mut shaking: VecDeque<AbortHandle> = VecDeque::with_capacity(HANDSHAKES);
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.socket.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, or the peer was gone already: neither may end the loop.
                tracing::warn!(error = %error, "connection not accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        shaking.retain(|handshake| !handshake.is_finished());
        if shaking.len() >= HANDSHAKES
            && let Some(oldest) = shaking.pop_front()
        {
            oldest.abort();
            metrics::counter!("marque_collector_handshake_refused_total", "reason" => "crowded").increment(1);
        }
        let (acceptor, sender) = (listener.acceptor.clone(), sender.clone());
        let handshake = tokio::spawn(async move {
            let _ = stream.set_nodelay(true);
            match tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await {
                Ok(Ok(connection)) => {
                    // The server is gone only when the program ends.
                    let _ = sender.send(Ok(connection)).await;
                }
                Ok(Err(error)) => refuse(peer, &error.to_string()),
                Err(_) => refuse(peer, "handshake timed out"),
            }
        });
        shaking.push_back(handshake.abort_handle());
    }
}

fn refuse(peer: SocketAddr, reason: &str) {
    metrics::counter!("marque_collector_handshake_refused_total", "reason" => "failed").increment(1);
    tracing::info!(peer.address = %peer.ip(), reason, "connection refused");
}
