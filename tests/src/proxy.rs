//! The link: a TCP proxy between one agent and the collector that counts what it hears, and can be made bad.
//!
//! Invariants: octets are counted before anybody hears them, both ways, TLS and HTTP/2 included; what is forwarded is forwarded whole and in order, so that TLS fails
//! only where a connection ends; a connection that lost bytes is never taken up again.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout, timeout_at};

/// Read at once.
const CHUNK: usize = 16 << 10;
/// Read at once on a slow link.
const SLOW_CHUNK: usize = 2 << 10;
/// How long the agent's bytes are gathered before its old connection ends.
const GATHER: Duration = Duration::from_millis(800);
/// They arrive no sooner after that: by then the agent has said it all again.
const OVERTAKEN: Duration = Duration::from_millis(1_300);
/// How long the old connection stays with the collector after they arrived.
const LATE: Duration = Duration::from_millis(500);

/// What the link does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Passes everything on.
    Pass,
    /// Closes everything.
    Cut,
    /// Passes on so late, at most so many bytes a second.
    Slow {
        /// Each way.
        latency: Duration,
        /// Each way and connection.
        bytes_per_second: u32,
    },
    /// Swallows what is said on connections that were there when it began.
    HalfOpen,
    /// Holds back what the agent said on connections that were there when it began,
    /// until it ends.
    Reordered,
}

/// A mode and since which connection.
#[derive(Debug, Clone, Copy)]
struct Now {
    mode: Mode,
    /// Connections before this one were there when it began.
    begun_at: u64,
}

impl Now {
    /// As one connection feels it.
    fn of(self, number: u64) -> Mode {
        match self.mode {
            Mode::HalfOpen | Mode::Reordered if number >= self.begun_at => Mode::Pass,
            mode => mode,
        }
    }
}

/// Octets heard so far.
type Octets = Arc<AtomicU64>;

/// A running proxy; ends when dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    now: watch::Sender<Now>,
    count: watch::Receiver<u64>,
    octets: Octets,
    _task: JoinSet<()>,
}

impl Proxy {
    /// Listens on a free port of loopback and leads to `collector`.
    ///
    /// # Errors
    /// Those of the listener.
    pub async fn start(collector: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (now, watched) = watch::channel(Now {
            mode: Mode::Pass,
            begun_at: 0,
        });
        let (counting, count) = watch::channel(0);
        let octets = Octets::default();
        let mut task = JoinSet::new();
        task.spawn(accept(
            listener,
            collector,
            watched,
            counting,
            Arc::clone(&octets),
        ));
        Ok(Self {
            address,
            now,
            count,
            octets,
            _task: task,
        })
    }

    /// Where the agent connects.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Octets heard so far, both ways.
    #[must_use]
    pub fn octets(&self) -> u64 {
        self.octets.load(Ordering::Relaxed)
    }

    /// Changes what the link does.
    pub fn set(&self, mode: Mode) {
        let begun_at = *self.count.borrow();
        self.now.send_replace(Now { mode, begun_at });
    }
}

async fn accept(
    listener: TcpListener,
    collector: SocketAddr,
    now: watch::Receiver<Now>,
    count: watch::Sender<u64>,
    octets: Octets,
) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((client, _)) = listener.accept().await else {
            sleep(Duration::from_millis(20)).await;
            continue;
        };
        while connections.try_join_next().is_some() {}
        let number = *count.borrow();
        count.send_replace(number + 1);
        if now.borrow().of(number) != Mode::Cut {
            let octets = Arc::clone(&octets);
            connections.spawn(connect(client, collector, (number, octets), now.clone()));
        }
    }
}

async fn connect(
    client: TcpStream,
    collector: SocketAddr,
    (number, octets): (u64, Octets),
    now: watch::Receiver<Now>,
) {
    let Ok(server) = TcpStream::connect(collector).await else {
        return;
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let ((from_agent, to_agent), (from_collector, to_collector)) = (client.into_split(), server.into_split());
    let mut up = Pump::new(from_agent, to_collector, number, Arc::clone(&octets));
    let mut down = Pump::new(from_collector, to_agent, number, octets);
    let mut reordered = now.clone();
    let reordered = tokio::select! {
        () = up.run(now.clone()) => false,
        () = down.run(now.clone()) => false,
        asked = until(&mut reordered, |now| now.of(number) == Mode::Reordered) => asked,
    };
    if reordered {
        arrive_late(up, down, number, now).await;
    }
}

/// The agent loses this connection; what it said on it arrives when the mode is over.
async fn arrive_late(mut up: Pump, down: Pump, number: u64, mut now: watch::Receiver<Now>) {
    let gathered = Instant::now() + GATHER;
    let mut held = up.rest();
    let mut chunk = vec![0; CHUNK];
    while let Ok(Ok(length @ 1..)) = timeout_at(gathered, up.from.read(&mut chunk)).await {
        held.extend_from_slice(chunk.get(..length).unwrap_or_default());
    }
    let Pump { from, mut to, .. } = up;
    let Pump {
        from: mut answers,
        to: to_agent,
        ..
    } = down;
    drop((from, to_agent));
    let over = async {
        sleep(OVERTAKEN).await;
        until(&mut now, |now| now.of(number) != Mode::Reordered).await;
    };
    tokio::select! {
        () = over => {}
        // The collector must not wait for room meanwhile.
        () = swallow(&mut answers) => return,
    }
    if to.write_all(&held).await.is_ok() {
        let _ = timeout(LATE, swallow(&mut answers)).await;
    }
}

/// Waits for a mode; `false` when the proxy is gone.
async fn until(now: &mut watch::Receiver<Now>, wanted: impl Fn(Now) -> bool) -> bool {
    now.wait_for(|now| wanted(*now)).await.is_ok()
}

async fn swallow(from: &mut OwnedReadHalf) {
    let mut chunk = vec![0; CHUNK];
    while let Ok(1..) = from.read(&mut chunk).await {}
}

/// One way of a connection.
struct Pump {
    from: OwnedReadHalf,
    to: OwnedWriteHalf,
    number: u64,
    octets: Octets,
    /// Read and not yet passed on, from `sent` on.
    waiting: Vec<u8>,
    sent: usize,
}

impl Pump {
    fn new(from: OwnedReadHalf, to: OwnedWriteHalf, number: u64, octets: Octets) -> Self {
        Self {
            from,
            to,
            number,
            octets,
            waiting: Vec::new(),
            sent: 0,
        }
    }

    /// What was read and not yet passed on.
    fn rest(&mut self) -> Vec<u8> {
        let rest = self.waiting.split_off(self.sent.min(self.waiting.len()));
        self.sent = 0;
        self.waiting.clear();
        rest
    }

    /// Passes on until either side ends. Nothing is lost when it is dropped at an await.
    async fn run(&mut self, mut now: watch::Receiver<Now>) {
        let number = self.number;
        loop {
            let mode = now.borrow_and_update().of(number);
            let more = match mode {
                Mode::Cut => return,
                // The caller takes over.
                Mode::Reordered => std::future::pending().await,
                Mode::Pass => tokio::select! {
                    more = self.step(CHUNK) => more,
                    _ = now.changed() => true,
                },
                Mode::Slow {
                    latency,
                    bytes_per_second,
                } => tokio::select! {
                    more = self.slow_step(latency, bytes_per_second) => more,
                    _ = now.changed() => true,
                },
                Mode::HalfOpen => {
                    tokio::select! {
                        () = swallow(&mut self.from) => std::future::pending().await,
                        // What was swallowed cannot be made good.
                        _ = until(&mut now, |now| now.of(number) != Mode::HalfOpen) => return,
                    }
                }
            };
            if !more {
                return;
            }
        }
    }

    /// Reads if nothing waits, else writes some of it; `false` at the end.
    async fn step(&mut self, most: usize) -> bool {
        if self.sent >= self.waiting.len() {
            let mut chunk = vec![0; most];
            let Ok(length @ 1..) = self.from.read(&mut chunk).await else {
                return false;
            };
            self.octets.fetch_add(length as u64, Ordering::Relaxed);
            chunk.truncate(length);
            (self.waiting, self.sent) = (chunk, 0);
        }
        let Some(rest) = self.waiting.get(self.sent..) else {
            return false;
        };
        match self.to.write(rest).await {
            Ok(written @ 1..) => {
                self.sent += written;
                true
            }
            _ => false,
        }
    }

    async fn slow_step(&mut self, latency: Duration, bytes_per_second: u32) -> bool {
        if !self.step(SLOW_CHUNK).await {
            return false;
        }
        let bytes = u32::try_from(self.sent).unwrap_or(u32::MAX);
        sleep(latency + Duration::from_secs(1) * bytes / bytes_per_second.max(1)).await;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(20);

    struct Ends {
        proxy: Proxy,
        listener: TcpListener,
    }

    impl Ends {
        async fn new() -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let proxy = Proxy::start(listener.local_addr().unwrap()).await.unwrap();
            Self { proxy, listener }
        }

        /// A connection, proven by a word each way.
        async fn connect(&self) -> (TcpStream, TcpStream) {
            let mut agent = TcpStream::connect(self.proxy.address()).await.unwrap();
            let (mut collector, _) = self.listener.accept().await.unwrap();
            agent.write_all(b"hi").await.unwrap();
            assert_eq!(read(&mut collector, 2).await, b"hi");
            collector.write_all(b"ho").await.unwrap();
            assert_eq!(read(&mut agent, 2).await, b"ho");
            (agent, collector)
        }
    }

    async fn read(stream: &mut TcpStream, length: usize) -> Vec<u8> {
        let mut buffer = vec![0; length];
        timeout(SOON, stream.read_exact(&mut buffer))
            .await
            .unwrap()
            .unwrap();
        buffer
    }

    async fn has_ended(stream: &mut TcpStream) -> bool {
        matches!(timeout(SOON, stream.read(&mut [0; 9])).await, Ok(Ok(0) | Err(_)))
    }

    #[tokio::test]
    async fn a_cut_closes_both_ends_and_refuses_new_ones() {
        let ends = Ends::new().await;
        let (mut agent, mut collector) = ends.connect().await;
        assert_eq!(ends.proxy.octets(), 4, "both words were counted");
        ends.proxy.set(Mode::Cut);
        assert!(has_ended(&mut agent).await && has_ended(&mut collector).await);
        let mut refused = TcpStream::connect(ends.proxy.address()).await.unwrap();
        assert!(has_ended(&mut refused).await);
        ends.proxy.set(Mode::Pass);
        ends.connect().await;
    }

    #[tokio::test]
    async fn a_slow_link_brings_everything_in_order() {
        let ends = Ends::new().await;
        let (mut agent, mut collector) = ends.connect().await;
        ends.proxy.set(Mode::Slow {
            latency: Duration::from_millis(5),
            bytes_per_second: 1_000_000,
        });
        let said: Vec<u8> = (0..60_000_u32).map(|n| (n % 251) as u8).collect();
        agent.write_all(&said).await.unwrap();
        assert!(read(&mut collector, said.len()).await == said);
    }

    #[tokio::test]
    async fn a_half_open_link_swallows_the_old_and_passes_the_new() {
        let ends = Ends::new().await;
        let (mut agent, mut collector) = ends.connect().await;
        ends.proxy.set(Mode::HalfOpen);
        agent.write_all(b"lost").await.unwrap();
        // A new connection works, and by then the old one would have spoken.
        ends.connect().await;
        assert!(
            timeout(Duration::from_millis(50), collector.read(&mut [0; 9]))
                .await
                .is_err()
        );
        ends.proxy.set(Mode::Pass);
        assert!(has_ended(&mut collector).await && has_ended(&mut agent).await);
    }

    #[tokio::test]
    async fn what_an_old_connection_said_arrives_after_the_new_one_spoke() {
        let ends = Ends::new().await;
        let (mut agent, mut collector) = ends.connect().await;
        ends.proxy.set(Mode::Reordered);
        agent.write_all(b"late").await.unwrap();
        assert!(has_ended(&mut agent).await, "the agent lost it");
        ends.connect().await;
        ends.proxy.set(Mode::Pass);
        assert_eq!(read(&mut collector, 4).await, b"late");
        assert!(has_ended(&mut collector).await);
    }
}
