//! A way from agent to collector that counts octets and can be shut.
//!
//! Invariants: nothing is changed or delayed; what is counted are the octets of
//! TCP's streams, both ways, TLS and HTTP/2 included; dropped, it closes everything.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

/// Octets handed on at once.
const PIECE: usize = 64 << 10;

/// A running proxy.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    counted: Arc<AtomicU64>,
    open: watch::Sender<bool>,
    accepting: AbortHandle,
}

impl Proxy {
    /// Listens on a free port of loopback and leads to `collector`.
    ///
    /// # Errors
    /// Those of the listener.
    pub async fn start(collector: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (counted, open) = (Arc::<AtomicU64>::default(), watch::Sender::new(true));
        let (counter, state) = (Arc::clone(&counted), open.subscribe());
        let accepting = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((agent, _)) = listener.accept().await {
                while connections.try_join_next().is_some() {}
                if *state.borrow() {
                    connections.spawn(lead(agent, collector, Arc::clone(&counter), state.clone()));
                }
            }
        });
        Ok(Self {
            address,
            counted,
            open,
            accepting: accepting.abort_handle(),
        })
    }

    /// Where agents connect.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Octets so far, both ways.
    #[must_use]
    pub fn octets(&self) -> u64 {
        self.counted.load(Ordering::Relaxed)
    }

    /// Cuts what is connected and refuses what comes, or lets through again.
    pub fn set_open(&self, open: bool) {
        self.open.send_replace(open);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn lead(
    agent: TcpStream,
    collector: SocketAddr,
    counted: Arc<AtomicU64>,
    mut open: watch::Receiver<bool>,
) {
    let Ok(collector) = TcpStream::connect(collector).await else {
        return;
    };
    for stream in [&agent, &collector] {
        // Without it small answers would wait; what cannot be set changes no count.
        let _ = stream.set_nodelay(true);
    }
    let (from_agent, to_agent) = agent.into_split();
    let (from_collector, to_collector) = collector.into_split();
    tokio::select! {
        _ = open.wait_for(|open| !open) => {}
        // One way's end is the other's: a session has no half.
        _ = copy(from_agent, to_collector, &counted) => {}
        _ = copy(from_collector, to_agent, &counted) => {}
    }
}

async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, counted: &AtomicU64) -> std::io::Result<()> {
    let mut piece = vec![0; PIECE];
    loop {
        let length = from.read(&mut piece).await?;
        let Some(read) = piece.get(..length).filter(|read| !read.is_empty()) else {
            return Ok(());
        };
        // Counted before it is heard, so that who hears it finds it counted.
        counted.fetch_add(length as u64, Ordering::Relaxed);
        to.write_all(read).await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn counts_both_ways_and_cuts() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Proxy::start(listener.local_addr().unwrap()).await.unwrap();
        let mut agent = TcpStream::connect(proxy.address()).await.unwrap();
        let (mut collector, _) = listener.accept().await.unwrap();
        agent.write_all(b"hello").await.unwrap();
        let mut heard = [0; 5];
        collector.read_exact(&mut heard).await.unwrap();
        collector.write_all(b"ack").await.unwrap();
        agent.read_exact(&mut heard[..3]).await.unwrap();
        assert_eq!(&heard, b"acklo");
        assert_eq!(proxy.octets(), 8);
        proxy.set_open(false);
        assert_eq!(agent.read(&mut heard).await.unwrap_or(0), 0);

        // Shut, it takes nobody on; open again, it does.
        let mut refused = TcpStream::connect(proxy.address()).await.unwrap();
        assert_eq!(refused.read(&mut heard).await.unwrap_or(0), 0);
        proxy.set_open(true);
        let _agent = TcpStream::connect(proxy.address()).await.unwrap();
        listener.accept().await.unwrap();
    }
}
