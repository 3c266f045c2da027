//! Shakes hands off the accept loop, for agents and for browsers.
//!
//! Invariants: a handshake has ten seconds and at most 256 run at once; when
//! there are more the oldest is given up, because an honest one takes milliseconds
//! and a stranger's may never end. A failed handshake is counted, never fatal.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;

const TIMEOUT: Duration = Duration::from_secs(10);
const AT_ONCE: usize = 256;

/// Connections waiting to be served; when full, the next handshakes wait here.
const QUEUE: usize = 64;

/// Accepts until `stop`. `shake` makes a connection of what was accepted, or says why not.
pub fn accept<C, F, W>(socket: TcpListener, stop: CancellationToken, shake: F) -> mpsc::Receiver<C>
where
    C: Send + 'static,
    F: Fn(TcpStream, SocketAddr) -> W + Send + 'static,
    W: Future<Output = Result<C, String>> + Send + 'static,
{
    let (sender, receiver) = mpsc::channel(QUEUE);
    tokio::spawn(accept_loop(socket, sender, stop, shake));
    receiver
}

async fn accept_loop<C, F, W>(socket: TcpListener, sender: mpsc::Sender<C>, stop: CancellationToken, shake: F)
where
    C: Send + 'static,
    F: Fn(TcpStream, SocketAddr) -> W + Send + 'static,
    W: Future<Output = Result<C, String>> + Send + 'static,
{
    let mut shaking: VecDeque<AbortHandle> = VecDeque::with_capacity(AT_ONCE);
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = socket.accept() => accepted,
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
        if shaking.len() >= AT_ONCE
            && let Some(oldest) = shaking.pop_front()
        {
            oldest.abort();
            metrics::counter!("marque_collector_handshake_refused_total", "reason" => "crowded").increment(1);
        }
        let _ = stream.set_nodelay(true);
        let (shaken, sender) = (shake(stream, peer), sender.clone());
        let handshake = tokio::spawn(async move {
            match tokio::time::timeout(TIMEOUT, shaken).await {
                // The server is gone only when the program ends.
                Ok(Ok(connection)) => drop(sender.send(connection).await),
                Ok(Err(reason)) => refuse(peer, &reason),
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
