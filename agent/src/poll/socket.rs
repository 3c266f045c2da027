//! Shared UDP sockets: one conversation an element, one request at a time.
//!
//! Datagrams go to the conversation registered under exactly their source
//! address; everything else is dropped and counted. Invariants: an answer is
//! taken only from the address asked, with the community and the identifier of
//! the request; a flood fills one small queue and no more.

use super::pace::{Pace, RoundTrip};
use super::wire::{self, Pdu, Response};
use crate::credential::Credential;
use crate::target::Target;
use prost::bytes::Bytes;
use proto::v1::Cost;
use socket2::{Domain, Protocol, Type};
use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

/// The largest UDP payload over IPv4.
const MAX_DATAGRAM: usize = 65_507;
/// Answers that may wait for one element: one is expected, a few may be late.
const QUEUE: usize = 8;
/// Datagrams taken from one socket before the others get a turn.
const BURST: usize = 64;
/// What each socket asks the kernel to hold; the kernel may give less.
const RECEIVE_BUFFER: usize = 8 << 20;
/// Conversations that share a socket.
const SHARE: usize = 128;
/// More sockets would not receive more.
const MAX_SOCKETS: usize = 16;

/// How long and how often to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// The wait for an answer as long as the element's round trip is unknown.
    pub first_contact: Duration,
    /// Sendings after the first.
    pub retries: u32,
}

/// Why no response came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ExchangeError {
    /// Silence.
    #[error("no answer in time")]
    TimedOut,
    /// The network says that nobody is there.
    #[error("nobody is there")]
    Unreachable,
    /// Something answered, but not SNMPv2c or not for the community asked with.
    #[error("the answer cannot be decoded")]
    Undecodable,
    /// The element's time is up.
    #[error("the time for this element is over")]
    Deadline,
}

/// The sockets of this process and who waits at them.
pub struct Sockets {
    v4: Vec<Arc<Socket>>,
    v6: Vec<Arc<Socket>>,
    pace: Arc<Pace>,
    ids: RandomState,
    next: AtomicU64,
    /// Ends the receiving tasks with the value.
    _receivers: JoinSet<()>,
}

struct Socket {
    udp: UdpSocket,
    waiting: Mutex<HashMap<SocketAddr, mpsc::Sender<Bytes>>>,
}

impl Sockets {
    /// Opens them, for so many conversations at once; must be called in a runtime.
    ///
    /// # Errors
    /// When the system gives no IPv4 socket. Without IPv6, IPv6 targets are unreachable.
    pub fn open(in_flight: usize, packets_per_second: u32) -> io::Result<Self> {
        Self::at_pace(in_flight, Arc::new(Pace::new(packets_per_second)))
    }

    /// The same at a pace that is shared with others.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn at_pace(in_flight: usize, pace: Arc<Pace>) -> io::Result<Self> {
        let count = (in_flight / SHARE).clamp(1, MAX_SOCKETS);
        let open = |domain| {
            (0..count)
                .map(|_| Socket::open(domain).map(Arc::new))
                .collect::<io::Result<Vec<_>>>()
        };
        let v4 = open(Domain::IPV4)?;
        let v6 = open(Domain::IPV6).unwrap_or_else(|error| {
            tracing::info!(%error, "ipv6 not available");
            Vec::new()
        });
        let mut receivers = JoinSet::new();
        for socket in v4.iter().chain(&v6) {
            receivers.spawn(Arc::clone(socket).receive());
        }
        Ok(Self {
            v4,
            v6,
            pace,
            ids: RandomState::new(),
            next: AtomicU64::new(0),
            _receivers: receivers,
        })
    }

    /// The pace they keep to.
    #[must_use]
    pub fn pace(&self) -> Arc<Pace> {
        Arc::clone(&self.pace)
    }

    /// Begins to listen for one target until the value is dropped.
    ///
    /// # Errors
    /// [`ExchangeError::Unreachable`] without a socket of its family. A target
    /// that is in conversation already takes over: its older one falls silent.
    pub fn converse<'s>(
        &'s self,
        target: Target,
        credential: &'s Credential,
        patience: Patience,
        deadline: Instant,
    ) -> Result<Conversation<'s>, ExchangeError> {
        let peer = target.address();
        let sockets = if peer.is_ipv4() { &self.v4 } else { &self.v6 };
        let choice = self.ids.hash_one(peer) as usize;
        let socket = choice
            .checked_rem(sockets.len())
            .and_then(|at| sockets.get(at))
            .ok_or(ExchangeError::Unreachable)?;
        let (sender, answers) = mpsc::channel(QUEUE);
        socket.lock().insert(peer, sender);
        Ok(Conversation {
            sockets: self,
            socket,
            peer,
            credential,
            patience,
            deadline,
            answers,
            trip: RoundTrip::default(),
            answered: false,
            cost: Cost::default(),
            undecodable: 0,
        })
    }

    /// Not guessable from outside, and never zero.
    pub(crate) fn request_id(&self) -> i32 {
        let count = self.next.fetch_add(1, Ordering::Relaxed);
        ((self.ids.hash_one(count) >> 33) as i32).max(1)
    }
}

impl Socket {
    fn open(domain: Domain) -> io::Result<Self> {
        let socket = socket2::Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
        if domain == Domain::IPV6 {
            socket.set_only_v6(true)?;
        }
        socket.set_nonblocking(true)?;
        // Refused sizes leave the default.
        let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
        socket.bind(&any_address(domain == Domain::IPV4).into())?;
        Ok(Self {
            udp: UdpSocket::from_std(socket.into())?,
            waiting: Mutex::default(),
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<SocketAddr, mpsc::Sender<Bytes>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn receive(self: Arc<Self>) {
        let mut buffer = vec![0; MAX_DATAGRAM + 1];
        loop {
            // An error of readiness is one of the runtime ending.
            if self.udp.readable().await.is_err() {
                return;
            }
            for _ in 0..BURST {
                match self.udp.try_recv_from(&mut buffer) {
                    Ok((length, from)) => self.deliver(buffer.get(..length).unwrap_or_default(), from),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => {
                        tracing::debug!(%error, "cannot receive");
                        break;
                    }
                }
            }
            tokio::task::yield_now().await;
        }
    }

    fn deliver(&self, datagram: &[u8], from: SocketAddr) {
        let taken = match self.lock().get(&from) {
            Some(waiting) => waiting.try_send(Bytes::copy_from_slice(datagram)).is_ok(),
            None => false,
        };
        if !taken {
            metrics::counter!("marque_agent_datagram_dropped_total", "reason" => "unexpected").increment(1);
        }
    }
}

fn any_address(v4: bool) -> SocketAddr {
    if v4 {
        (Ipv4Addr::UNSPECIFIED, 0).into()
    } else {
        (Ipv6Addr::UNSPECIFIED, 0).into()
    }
}

/// Requests to one element and their answers, one at a time.
pub struct Conversation<'s> {
    sockets: &'s Sockets,
    socket: &'s Socket,
    peer: SocketAddr,
    credential: &'s Credential,
    patience: Patience,
    deadline: Instant,
    answers: mpsc::Receiver<Bytes>,
    /// May be set from an earlier round.
    pub trip: RoundTrip,
    answered: bool,
    /// So far.
    pub cost: Cost,
    /// Datagrams from the element that were no SNMPv2c, or for another community.
    pub undecodable: u32,
}

impl Conversation<'_> {
    /// Whether the element answered at all.
    #[must_use]
    pub fn answered(&self) -> bool {
        self.answered
    }

    /// Asks until answered or out of patience.
    ///
    /// The identifier stays the same over retries, so that a late answer to an
    /// earlier sending counts. As long as the element was not heard, the second
    /// sending goes through a connected socket, which learns of ICMP.
    ///
    /// # Errors
    /// [`ExchangeError`] when no response came.
    pub async fn exchange(&mut self, pdu: Pdu, names: &[Bytes]) -> Result<Response, ExchangeError> {
        let id = self.sockets.request_id();
        let request =
            wire::encode(self.credential.community(), id, pdu, names).ok_or(ExchangeError::Undecodable)?;
        let undecodable = self.undecodable;
        for attempt in 0..=self.patience.retries {
            let last = attempt == self.patience.retries;
            // Waiting for the rate of the whole agent is not the element's time.
            self.deadline += self.sockets.pace.turn().await;
            let sent = Instant::now();
            if sent >= self.deadline {
                return Err(ExchangeError::Deadline);
            }
            let wait = self.trip.timeout(attempt, last, self.patience.first_contact);
            let until = (sent + wait).min(self.deadline);
            self.cost.requests += 1;
            self.cost.retries += u32::from(attempt > 0);
            let answer = if !self.answered && attempt == self.patience.retries.min(1) {
                self.probe(&request, id, until).await?
            } else {
                self.send(&request).await?;
                self.answer(id, until).await
            };
            if let Some(response) = answer {
                if attempt == 0 {
                    self.trip.measured(sent.elapsed());
                }
                self.answered = true;
                self.cost.varbinds += u32::try_from(response.varbinds.len()).unwrap_or(u32::MAX);
                return Ok(response);
            }
        }
        Err(if self.undecodable > undecodable {
            ExchangeError::Undecodable
        } else if Instant::now() >= self.deadline {
            ExchangeError::Deadline
        } else {
            ExchangeError::TimedOut
        })
    }

    async fn send(&self, request: &[u8]) -> Result<(), ExchangeError> {
        let mut sent = self.socket.udp.try_send_to(request, self.peer);
        if matches!(&sent, Err(error) if error.kind() == io::ErrorKind::WouldBlock) {
            sent = self.socket.udp.send_to(request, self.peer).await;
        }
        match sent {
            Err(error) if nobody_there(&error) => Err(ExchangeError::Unreachable),
            // A full queue of the system is a lost packet like any other.
            Ok(_) | Err(_) => Ok(()),
        }
    }

    async fn answer(&mut self, id: i32, until: Instant) -> Option<Response> {
        loop {
            let datagram = timeout_at(until, self.answers.recv()).await.ok()??;
            if let Some(response) = self.read(datagram, id) {
                return Some(response);
            }
        }
    }

    fn read(&mut self, datagram: Bytes, id: i32) -> Option<Response> {
        match wire::decode(datagram, self.credential.community()) {
            Ok(response) if response.request_id == id => Some(response),
            Ok(_) => {
                metrics::counter!("marque_agent_datagram_dropped_total", "reason" => "late").increment(1);
                None
            }
            Err(wire::Undecodable) => {
                self.undecodable += 1;
                None
            }
        }
    }

    /// One sending through a socket connected to the element.
    async fn probe(
        &mut self,
        request: &[u8],
        id: i32,
        until: Instant,
    ) -> Result<Option<Response>, ExchangeError> {
        let udp = UdpSocket::bind(any_address(self.peer.is_ipv4())).await;
        let Ok(udp) = udp else {
            self.send(request).await?;
            return Ok(self.answer(id, until).await);
        };
        for step in [udp.connect(self.peer).await, udp.send(request).await.map(|_| ())] {
            if step.is_err_and(|error| nobody_there(&error)) {
                return Err(ExchangeError::Unreachable);
            }
        }
        // Neither filled with zeros nor touched beyond what arrives.
        let mut buffer = Vec::with_capacity(MAX_DATAGRAM + 1);
        loop {
            buffer.clear();
            // A late answer to an earlier sending arrives at the shared socket.
            let datagram = tokio::select! {
                late = self.answers.recv() => late,
                here = udp.recv_buf(&mut buffer) => match here {
                    Ok(_) => Some(Bytes::copy_from_slice(&buffer)),
                    Err(error) if nobody_there(&error) => return Err(ExchangeError::Unreachable),
                    Err(_) => None,
                },
                () = tokio::time::sleep_until(until) => return Ok(None),
            };
            let Some(datagram) = datagram else { return Ok(None) };
            if let Some(response) = self.read(datagram, id) {
                return Ok(Some(response));
            }
        }
    }
}

impl Drop for Conversation<'_> {
    fn drop(&mut self) {
        // A younger conversation with the same target keeps its place.
        self.answers.close();
        let mut waiting = self.socket.lock();
        if waiting.get(&self.peer).is_some_and(mpsc::Sender::is_closed) {
            waiting.remove(&self.peer);
        }
    }
}

/// What ICMP, the routes or the filters of this machine say (RFC 1122, 3.2.2.1).
fn nobody_there(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::ConnectionRefused
            | Kind::HostUnreachable
            | Kind::NetworkUnreachable
            | Kind::PermissionDenied
            | Kind::AddrNotAvailable
            | Kind::InvalidInput
    )
}
