//! Shared UDP sockets and who waits at them.
//!
//! Datagrams go to the conversation registered under exactly their source
//! address; everything else is dropped and counted. Invariants: an answer is
//! taken only from the address asked; a flood fills one small queue and no more;
//! no credential is used at an address it is not for.

use super::conversation::Conversation;
use super::inbox::Inbox;
use super::pace::Pace;
use crate::credential::Credential;
use crate::target::Target;
use prost::bytes::Bytes;
use socket2::{Domain, Protocol, Type};
use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// The largest UDP payload over IPv4.
pub(super) const MAX_DATAGRAM: usize = 65_507;
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

/// Engines whose addresses are kept to notice one that has several.
const MAX_ENGINES: usize = 1 << 17;

/// Why no response came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ExchangeError {
    /// Silence.
    #[error("no answer in time")]
    TimedOut,
    /// The network says that nobody is there.
    #[error("nobody is there")]
    Unreachable,
    /// Something answered, but not in the version or not to whom it was asked by.
    #[error("the answer cannot be decoded")]
    Undecodable,
    /// Version 3 reported something that has no word of its own here.
    #[error("the element refused")]
    Refused,
    /// Reported: the user's digest is another one.
    #[error("wrong digest: the password or protocol of authentication is another one")]
    WrongDigest,
    /// Reported: there is no such user.
    #[error("unknown user")]
    UnknownUser,
    /// Reported: the user has no authentication or no privacy there.
    #[error("unsupported security level")]
    UnsupportedLevel,
    /// Reported or inferred: it cannot be decrypted.
    #[error("wrong privacy: the password or protocol of privacy is another one")]
    WrongPrivacy,
    /// Reported, and reported again after the clock was taken over.
    #[error("not in the time window")]
    NotInTimeWindow,
    /// Reported, and reported again after the engine was taken over.
    #[error("unknown engine")]
    UnknownEngine,
    /// Reported: there is no such context.
    #[error("unknown context")]
    UnknownContext,
    /// The engine answers discovery, and not this user.
    #[error("the engine is there, and silent to this user")]
    Ignored,
    /// Not asked: the credential is not for this address.
    #[error("the credential may not be used at this address")]
    NoCredential,
    /// The element's time is up, or its requests.
    #[error("the time for this element is over")]
    Deadline,
}

impl ExchangeError {
    /// Whether asking again with the same credential could shut its user out.
    #[must_use]
    pub fn is_about_the_user(self) -> bool {
        matches!(
            self,
            Self::WrongDigest
                | Self::UnknownUser
                | Self::UnsupportedLevel
                | Self::WrongPrivacy
                | Self::Ignored
        )
    }

    /// Whether further questions would end the same way, though the element answered before.
    #[must_use]
    pub fn is_final(self) -> bool {
        !matches!(self, Self::TimedOut | Self::Undecodable | Self::Refused)
    }
}

/// The sockets of this process and who waits at them.
pub struct Sockets {
    v4: Vec<Arc<Socket>>,
    v6: Vec<Arc<Socket>>,
    pub(super) pace: Arc<Pace>,
    ids: RandomState,
    next: AtomicU64,
    /// Where each engine was seen last.
    engines: Mutex<HashMap<Bytes, SocketAddr>>,
    /// Ends the receiving tasks with the value.
    _receivers: JoinSet<()>,
}

pub(super) struct Socket {
    pub(super) udp: UdpSocket,
    waiting: Mutex<HashMap<SocketAddr, Arc<Inbox>>>,
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
            engines: Mutex::default(),
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
    /// [`ExchangeError::NoCredential`] where the credential may not be used,
    /// [`ExchangeError::Unreachable`] without a socket of the target's family. A target
    /// that is in conversation already takes over: its older one falls silent.
    pub fn converse<'s>(
        &'s self,
        target: Target,
        credential: &'s Credential,
        patience: Patience,
        deadline: Instant,
    ) -> Result<Conversation<'s>, ExchangeError> {
        let peer = target.address();
        if !credential.covers(peer.ip()) {
            return Err(ExchangeError::NoCredential);
        }
        let sockets = if peer.is_ipv4() { &self.v4 } else { &self.v6 };
        let choice = self.ids.hash_one(peer) as usize;
        let socket = choice
            .checked_rem(sockets.len())
            .and_then(|at| sockets.get(at))
            .ok_or(ExchangeError::Unreachable)?;
        let answers = Arc::new(Inbox::default());
        if let Some(older) = socket.lock().insert(peer, Arc::clone(&answers)) {
            older.close();
        }
        Ok(Conversation::new(
            self, socket, peer, credential, patience, deadline, answers,
        ))
    }

    /// Takes in that an engine is at an address; says whether it was last seen at
    /// another one: a box with several addresses, or an engine ID that was copied.
    pub(super) fn is_shared(&self, engine: &Bytes, at: SocketAddr) -> bool {
        let mut engines = self.engines.lock().unwrap_or_else(PoisonError::into_inner);
        if engines.len() >= MAX_ENGINES && !engines.contains_key(engine) {
            return false;
        }
        engines.insert(engine.clone(), at).is_some_and(|last| last != at)
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

    pub(super) fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<SocketAddr, Arc<Inbox>>> {
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
            Some(waiting) => waiting.put(Bytes::copy_from_slice(datagram)),
            None => false,
        };
        if !taken {
            metrics::counter!("marque_agent_datagram_dropped_total", "reason" => "unexpected").increment(1);
        }
    }
}

pub(crate) fn any_address(v4: bool) -> SocketAddr {
    if v4 {
        (Ipv4Addr::UNSPECIFIED, 0).into()
    } else {
        (Ipv6Addr::UNSPECIFIED, 0).into()
    }
}

/// What ICMP, the routes or the filters of this machine say (RFC 1122, 3.2.2.1).
pub(crate) fn nobody_there(error: &io::Error) -> bool {
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
