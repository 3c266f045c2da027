//! Many addresses asked one question each, through one socket of each family.
//!
//! No task, timer or socket an address: a slot in a table, and a queue of when
//! patience ends, which is in order because patience is the same for all.
//!
//! Invariants: an answer is taken only from the address asked and for what it was
//! asked; every question ends once: answered, unreachable or silent; a flood of
//! datagrams holds up no end.

use super::probe::{Answer, Probe};
use crate::poll::socket::{any_address, nobody_there};
use crate::target::Target;
use prost::bytes::Bytes;
use socket2::{Domain, Protocol, Type};
use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::time::{Instant, sleep_until};

/// What each socket asks the kernel to hold; the kernel may give less.
const RECEIVE_BUFFER: usize = 8 << 20;
/// Larger than any answer to these questions.
const DATAGRAM: usize = 4096;
/// Datagrams and errors taken before others get a turn.
const BURST: usize = 64;
/// Sendings that may fail because of what others were told.
const SEND_TRIES: usize = 8;

/// How a question ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sign {
    /// There was an answer.
    Answered(Answer),
    /// The network says that nobody takes it there (ICMP).
    Unreachable,
    /// Nothing came in time.
    Silent,
}

/// Questions under way.
#[derive(Debug)]
pub struct Volley {
    sockets: Vec<UdpSocket>,
    patience: Duration,
    waiting: HashMap<SocketAddr, (i32, Probe)>,
    /// When patience with each ends, the soonest first; what is answered stays until then.
    until: VecDeque<(Instant, SocketAddr, i32)>,
    ended: VecDeque<(Target, Sign)>,
    buffer: Vec<u8>,
}

impl Volley {
    /// Opens the sockets, in a runtime; each question waits `patience`.
    ///
    /// # Errors
    /// When the system gives no IPv4 socket. Without IPv6, addresses of it are unreachable.
    pub fn open(patience: Duration) -> io::Result<Self> {
        let mut sockets = vec![open(Domain::IPV4)?];
        sockets.extend(open(Domain::IPV6).ok());
        Ok(Self {
            sockets,
            patience,
            waiting: HashMap::new(),
            until: VecDeque::new(),
            ended: VecDeque::new(),
            buffer: vec![0; DATAGRAM],
        })
    }

    /// Questions that have not ended.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.waiting.len() + self.ended.len()
    }

    /// Asks; one question to one address at a time.
    pub fn ask(&mut self, at: Target, id: i32, probe: Probe) {
        let peer = at.address();
        let sent = probe
            .request(at, id)
            .is_some_and(|packet| self.send(peer, &packet));
        if sent {
            self.waiting.insert(peer, (id, probe));
            self.until.push_back((Instant::now() + self.patience, peer, id));
        } else {
            self.ended.push_back((at, Sign::Unreachable));
        }
    }

    /// Whether it is on its way, as far as can be told here.
    fn send(&mut self, peer: SocketAddr, packet: &[u8]) -> bool {
        let Some(number) = self.socket_of(peer) else {
            return false;
        };
        for _ in 0..SEND_TRIES {
            // Past the runtime, which may not know yet that the socket takes packets.
            let send = |udp| socket2::SockRef::from(udp).send_to(packet, &peer.into());
            let Some(sent) = self.sockets.get(number).map(send) else {
                return false;
            };
            match sent {
                // What the network said of another address is told here as well (ip(7), IP_RECVERR).
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    self.take_errors(number);
                }
                Err(error) if nobody_there(&error) => {
                    if self.take_errors(number) == 0 {
                        return false;
                    }
                }
                // A full queue of the system is a lost packet like any other.
                Ok(_) | Err(_) => return true,
            };
        }
        true
    }

    fn socket_of(&self, peer: SocketAddr) -> Option<usize> {
        let number = usize::from(peer.is_ipv6());
        (number < self.sockets.len()).then_some(number)
    }

    /// The next question that ended; waits for ever when none is under way. Safe to cancel.
    pub async fn next(&mut self) -> (Target, Sign) {
        loop {
            self.lose_patience(Instant::now());
            if let Some(ended) = self.ended.pop_front() {
                return ended;
            }
            let soonest = self.until.front().map(|(until, ..)| *until);
            let both = Interest::READABLE | Interest::ERROR;
            let (v4, v6) = (self.sockets.first(), self.sockets.get(1));
            let ready = async |udp: Option<&UdpSocket>| match udp {
                Some(udp) => udp.ready(both).await.map(drop),
                None => std::future::pending().await,
            };
            let number = tokio::select! {
                Ok(()) = ready(v4) => 0,
                Ok(()) = ready(v6) => 1,
                () = sleep_until(soonest.unwrap_or_else(Instant::now)), if soonest.is_some() => continue,
                else => std::future::pending().await,
            };
            self.take_errors(number);
            self.take_datagrams(number);
        }
    }

    fn lose_patience(&mut self, now: Instant) {
        while let Some((until, peer, id)) = self.until.front().copied() {
            let waits = self.waiting.get(&peer).is_some_and(|(asked, _)| *asked == id);
            if waits && until > now {
                return;
            }
            self.until.pop_front();
            if waits {
                self.end(peer, Sign::Silent);
            }
        }
    }

    fn end(&mut self, peer: SocketAddr, sign: Sign) {
        if self.waiting.remove(&peer).is_some()
            && let Ok(target) = Target::new(peer.ip(), peer.port())
        {
            self.ended.push_back((target, sign));
        }
    }

    fn take_datagrams(&mut self, number: usize) {
        for _ in 0..BURST {
            let Some(udp) = self.sockets.get(number) else {
                return;
            };
            let (length, from) = match udp.try_recv_from(&mut self.buffer) {
                Ok(received) => received,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // What was said of one address; its queue says of which.
                Err(_) => continue,
            };
            let datagram = Bytes::copy_from_slice(self.buffer.get(..length).unwrap_or_default());
            let answer = |(id, probe): &(i32, Probe)| probe.answer(*id, &datagram);
            if let Some(answer) = self.waiting.get(&from).and_then(answer) {
                self.end(from, Sign::Answered(answer));
            } else {
                metrics::counter!("marque_agent_datagram_dropped_total", "reason" => "unexpected")
                    .increment(1);
            }
        }
    }

    /// Takes what the network said of addresses that were asked; how many words that were.
    fn take_errors(&mut self, number: usize) -> usize {
        let mut gone = Vec::new();
        if let Some(udp) = self.sockets.get(number) {
            while gone.len() < BURST
                && let Ok(peer) = said_of(udp)
            {
                gone.push(peer);
            }
            if gone.len() < BURST {
                // Waits for the next word only when the runtime knows that there is none.
                let _ = udp.try_io(Interest::ERROR, || Err::<(), _>(io::ErrorKind::WouldBlock.into()));
            }
        }
        for peer in gone.iter().flatten() {
            self.end(*peer, Sign::Unreachable);
        }
        gone.len()
    }
}

fn open(domain: Domain) -> io::Result<UdpSocket> {
    let socket = socket2::Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    if domain == Domain::IPV6 {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    // Refused sizes leave the default; without its word, who is unreachable is silent.
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    let _ = hear_errors(&socket, domain);
    socket.bind(&any_address(domain == Domain::IPV4).into())?;
    UdpSocket::from_std(socket.into())
}

#[cfg(target_os = "linux")]
fn hear_errors(socket: &socket2::Socket, domain: Domain) -> io::Result<()> {
    use nix::sys::socket::{setsockopt, sockopt};
    match domain {
        Domain::IPV4 => setsockopt(socket, sockopt::Ipv4RecvErr, &true)?,
        _ => setsockopt(socket, sockopt::Ipv6RecvErr, &true)?,
    }
    Ok(())
}

/// The address that the next word of the network is about (ip(7), IP_RECVERR), unless it says
/// something else than that nobody is there.
#[cfg(target_os = "linux")]
fn said_of(udp: &UdpSocket) -> io::Result<Option<SocketAddr>> {
    use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg};
    use std::os::fd::AsRawFd as _;
    let mut control = nix::cmsg_space!(nix::libc::sock_extended_err, nix::libc::sockaddr_in6);
    let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
    let said = recvmsg::<SockaddrStorage>(udp.as_raw_fd(), &mut [], Some(&mut control), flags)?;
    let error = said.cmsgs()?.find_map(|message| match message {
        ControlMessageOwned::Ipv4RecvErr(error, _) | ControlMessageOwned::Ipv6RecvErr(error, _) => {
            i32::try_from(error.ee_errno).ok()
        }
        _ => None,
    });
    if !error.is_some_and(|error| nobody_there(&io::Error::from_raw_os_error(error))) {
        return Ok(None);
    }
    let v4 = || {
        said.address
            .as_ref()?
            .as_sockaddr_in()
            .map(|at| SocketAddr::V4((*at).into()))
    };
    let v6 = || {
        said.address
            .as_ref()?
            .as_sockaddr_in6()
            .map(|at| SocketAddr::V6((*at).into()))
    };
    Ok(v4().or_else(v6))
}

#[cfg(not(target_os = "linux"))]
fn hear_errors(_: &socket2::Socket, _: Domain) -> io::Result<()> {
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn said_of(_: &UdpSocket) -> io::Result<Option<SocketAddr>> {
    Err(io::ErrorKind::WouldBlock.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::poll::engine;

    fn target(at: SocketAddr) -> Target {
        Target::new(at.ip(), at.port()).unwrap()
    }

    /// Somebody who is there: what it hears is told, and it may answer.
    async fn somebody(at: &str) -> (UdpSocket, SocketAddr) {
        let udp = UdpSocket::bind(format!("{at}:0")).await.unwrap();
        let address = udp.local_addr().unwrap();
        (udp, address)
    }

    async fn ends(volley: &mut Volley, count: usize) -> Vec<(Target, Sign)> {
        let mut all = Vec::new();
        for _ in 0..count {
            let next = tokio::time::timeout(Duration::from_secs(20), volley.next()).await;
            all.push(next.unwrap());
        }
        all.sort_by_key(|(target, _)| *target);
        all
    }

    #[tokio::test]
    async fn each_question_ends_once_as_answered_unreachable_or_silent() {
        let mut volley = Volley::open(Duration::from_millis(400)).unwrap();
        let (silent, at_silent) = somebody("127.7.0.1").await;
        let (answering, at_answering) = somebody("127.7.0.2").await;
        let gone = {
            let (_gone, at_gone) = somebody("127.7.0.3").await;
            at_gone
        };
        for (id, at) in [(1, at_silent), (2, at_answering), (3, gone)] {
            volley.ask(target(at), id, Probe::Engine);
        }
        let mut buffer = [0; 256];
        let heard = tokio::time::timeout(Duration::from_secs(20), answering.recv_from(&mut buffer)).await;
        let (length, from) = heard.unwrap().unwrap();
        assert_eq!(buffer[..length], engine::request(2));
        // The question itself, and somebody else's answer, are none.
        answering.send_to(&buffer[..length], from).await.unwrap();
        let answer = crate::testing::engine_report(2, b"\x80\x00\x1f\x88\x04element");
        silent.send_to(&answer, from).await.unwrap();
        answering.send_to(&answer, from).await.unwrap();
        answering.send_to(&answer, from).await.unwrap();
        let told = Probe::Engine.answer(2, &answer.into()).unwrap();
        let expected = [
            (target(at_silent), Sign::Silent),
            (target(at_answering), Sign::Answered(told)),
            (target(gone), Sign::Unreachable),
        ];
        assert_eq!(ends(&mut volley, 3).await, expected);
        assert_eq!((volley.under_way(), volley.waiting.len()), (0, 0));
    }

    #[tokio::test]
    async fn what_the_network_says_of_many_reaches_each() {
        let mut volley = Volley::open(Duration::from_secs(10)).unwrap();
        let (held, at) = somebody("127.8.0.0").await;
        drop(held);
        for n in 1..=500_u16 {
            let [high, low] = n.to_be_bytes();
            let at = SocketAddr::from(([127, 8, high, low], at.port()));
            volley.ask(target(at), i32::from(n), Probe::Engine);
        }
        let all = ends(&mut volley, 500).await;
        let gone = all.iter().filter(|(_, sign)| *sign == Sign::Unreachable).count();
        assert_eq!(gone, 500);
    }

    #[tokio::test]
    async fn an_address_of_an_unknown_family_or_another_credential_is_not_asked() {
        let mut volley = Volley::open(Duration::from_secs(10)).unwrap();
        volley.sockets.truncate(1);
        volley.ask("[::1]:161".parse().unwrap(), 1, Probe::Engine);
        let elsewhere = Probe::Object(crate::testing::community_within("x", "192.0.2.0/24"));
        volley.ask("127.0.0.1:161".parse().unwrap(), 2, elsewhere);
        let all = ends(&mut volley, 2).await;
        assert!(all.iter().all(|(_, sign)| *sign == Sign::Unreachable), "{all:?}");
    }
}
