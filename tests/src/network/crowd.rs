//! Many simulated elements behind one socket, to measure whoever asks them.
//!
//! A socket for each of 100,000 elements is not to be had, and its cost would hide what is
//! measured. Invariants: which element stands where, of what kind and how it behaves is a
//! function of its number; answers leave from the address that was asked; everything
//! received and sent is counted.

use super::{COMMUNITY, NetworkError};
use crate::element::{Behaviour, Element, Lock, View};
use crate::kind::objects::{Neighbour, neighbour, objects};
use crate::kind::{Kind, Pools};
use async_snmp::v3::{MasterKeys, SaltCounter};
use async_snmp::{AuthProtocol, PrivProtocol};
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrIn, recvmsg, sendmsg, setsockopt, sockopt,
};
use serde::Deserialize;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::time::{Instant, sleep_until};

/// The user of version 3 that elements may know, with SHA-1 and AES-128.
pub const USER: &str = "lab-user";
/// Its password of authentication.
pub const AUTHENTICATION: &str = "lab-authentication";
/// Its password of privacy.
pub const PRIVACY: &str = "lab-privacy";

const KINDS: &str = include_str!("../../network/mix.toml");
/// Of twenty elements: a chassis router, three cameras, two radio units, 14 access switches.
const MIX: [(u32, usize); 4] = [(1, 0), (3, 1), (2, 2), (14, 3)];
/// 127.31.0.0: where elements begin that stand side by side.
const DENSE: u32 = 0x7f1f_0000;
/// 127.41.0.0/16: where every hundredth address has an element.
const SPARSE: u32 = 0x7f29_0000;
/// Elements that differ in what they say; beyond them, what was said is said again.
const DIFFERENT: u32 = 200;
/// What those do that do not behave, in turn.
const BAD: [Behaviour; 8] = [
    Behaviour::Silent,
    Behaviour::Garbage,
    Behaviour::Looping(25),
    Behaviour::Silent,
    Behaviour::HalfDead,
    Behaviour::Slow(Duration::from_secs(2)),
    Behaviour::Amplifying(3),
    Behaviour::Silent,
];
/// Longer requests are cut, and so not understood.
const LONGEST_REQUEST: usize = 4_096;
/// Datagrams taken before answers that are due leave.
const BURST: usize = 64;
/// What the socket asks the kernel to hold, each way.
const ROOM: usize = 64 << 20;

/// Which elements there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spec {
    /// How many.
    pub elements: u32,
    /// One at every hundredth address of a /16 instead of side by side.
    pub sparse: bool,
    /// How long each answer takes.
    pub latency: Duration,
    /// Of a hundred elements so many are dead or hostile.
    pub hostile: u32,
    /// Whether they know the user of version 3.
    pub users: bool,
}

impl Spec {
    /// Where an element stands.
    #[must_use]
    pub fn address(&self, n: u32) -> Ipv4Addr {
        Ipv4Addr::from(match self.sparse {
            true => SPARSE + n * 100 + 1,
            // Hosts 1 to 250 of each network.
            false => DENSE + (n / 250) * 256 + n % 250 + 1,
        })
    }

    /// Which element stands at an address, if any.
    fn number(&self, address: Ipv4Addr) -> Option<u32> {
        let number = match self.sparse {
            true => u32::from(address).checked_sub(SPARSE)? / 100,
            false => {
                let offset = u32::from(address).checked_sub(DENSE)?;
                (offset / 256) * 250 + (offset % 256).checked_sub(1)?
            }
        };
        (number < self.elements && self.address(number) == address).then_some(number)
    }

    /// How an element behaves; all kinds have their share of those that do not.
    #[must_use]
    pub fn behaviour(&self, n: u32) -> Behaviour {
        let Some(period) = 100_u32.checked_div(self.hostile) else {
            return Behaviour::Normal;
        };
        let (turn, place) = (n / period, n % period);
        let bad = usize::try_from(turn)
            .ok()
            .and_then(|turn| BAD.get(turn % BAD.len()));
        match bad {
            Some(bad) if place == turn % period.min(20) => *bad,
            _ => Behaviour::Normal,
        }
    }
}

/// What elements received and sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Requests to elements, and to addresses where there is none.
    pub requests: [u64; 2],
    /// Octets of datagrams received and sent by elements, without headers.
    pub octets: [u64; 2],
    /// Datagrams with the community in them, to addresses where nobody is.
    pub told: u64,
}

/// Elements running until dropped.
#[derive(Debug)]
pub struct Crowd {
    /// The UDP port of all elements.
    pub port: u16,
    ground: Arc<Ground>,
    runtime: Option<tokio::runtime::Runtime>,
}

#[derive(Debug)]
struct Ground {
    spec: Spec,
    elements: Vec<Element>,
    strangers: AtomicU64,
    told: AtomicU64,
}

impl Crowd {
    /// Starts them, on a port of that number or on a free one.
    ///
    /// # Errors
    /// [`NetworkError`] when the kinds are wrong or a socket is not to be had.
    pub fn start(spec: Spec, port: Option<u16>) -> Result<Self, NetworkError> {
        let ground = Arc::new(Ground {
            spec,
            elements: build(&spec).map_err(NetworkError::Data)?,
            strangers: 0.into(),
            told: 0.into(),
        });
        let any = Ipv4Addr::UNSPECIFIED;
        let listen = |port| {
            let socket = std::net::UdpSocket::bind((any, port))?;
            socket.set_nonblocking(true)?;
            setsockopt(&socket.as_fd(), sockopt::Ipv4PacketInfo, &true)?;
            // Without the right to force it, as much as the kernel gives.
            if setsockopt(&socket.as_fd(), sockopt::RcvBufForce, &ROOM).is_err() {
                setsockopt(&socket.as_fd(), sockopt::RcvBuf, &ROOM)?;
            }
            if setsockopt(&socket.as_fd(), sockopt::SndBufForce, &ROOM).is_err() {
                setsockopt(&socket.as_fd(), sockopt::SndBuf, &ROOM)?;
            }
            Ok(socket)
        };
        let port = port.unwrap_or(0);
        let refused = |source| NetworkError::Listen {
            address: any,
            port,
            source,
        };
        let socket = listen(port).map_err(refused)?;
        let port = socket.local_addr().map_err(refused)?.port();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("element")
            .enable_all()
            .build()
            .map_err(NetworkError::Threads)?;
        let inside = runtime.enter();
        let socket = UdpSocket::from_std(socket).map_err(NetworkError::Threads)?;
        drop(inside);
        runtime.spawn(serve(Arc::clone(&ground), socket));
        Ok(Self {
            port,
            ground,
            runtime: Some(runtime),
        })
    }

    /// What was received and sent so far.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        let elements = &self.ground.elements;
        let octets = |way: usize| {
            let of = |element: &Element| element.octets.get(way).map_or(0, |n| n.load(Ordering::Relaxed));
            elements.iter().map(of).sum()
        };
        let requests = elements
            .iter()
            .map(|one| one.requests.load(Ordering::Relaxed))
            .sum();
        Traffic {
            requests: [requests, self.ground.strangers.load(Ordering::Relaxed)],
            octets: [octets(0), octets(1)],
            told: self.ground.told.load(Ordering::Relaxed),
        }
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// An answer and when it leaves.
type Late = Reverse<(Instant, u64, SocketAddrV4, Ipv4Addr, Vec<u8>)>;

async fn serve(ground: Arc<Ground>, socket: UdpSocket) {
    let mut buffer = vec![0; LONGEST_REQUEST];
    let mut late: BinaryHeap<Late> = BinaryHeap::new();
    let mut count = 0;
    loop {
        let due = late.peek().map(|Reverse((due, ..))| *due);
        tokio::select! {
            ready = socket.readable() => if ready.is_err() { return },
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
        }
        for _ in 0..BURST {
            let received = socket.try_io(Interest::READABLE, || receive(&socket, &mut buffer));
            let Ok((length, from, to)) = received else { break };
            let datagram = buffer.get(..length).unwrap_or_default();
            let Some((answer, pause, times)) = ground.answer(datagram, to) else {
                continue;
            };
            for _ in 1..times {
                send(&socket, &answer, from, to).await;
            }
            if pause.is_zero() {
                send(&socket, &answer, from, to).await;
            } else {
                count += 1;
                late.push(Reverse((Instant::now() + pause, count, from, to, answer)));
            }
        }
        let now = Instant::now();
        while let Some(Reverse((due, ..))) = late.peek()
            && *due <= now
            && let Some(Reverse((_, _, from, to, answer))) = late.pop()
        {
            send(&socket, &answer, from, to).await;
        }
    }
}

impl Ground {
    /// What is sent back, after which pause, and how often.
    fn answer(&self, datagram: &[u8], to: Ipv4Addr) -> Option<(Vec<u8>, Duration, u32)> {
        let number = self.spec.number(to).and_then(|n| usize::try_from(n).ok());
        let Some(element) = number.and_then(|n| self.elements.get(n)) else {
            self.strangers.fetch_add(1, Ordering::Relaxed);
            let told = datagram
                .windows(COMMUNITY.len())
                .any(|part| part == COMMUNITY.as_bytes());
            self.told.fetch_add(u64::from(told), Ordering::Relaxed);
            return None;
        };
        let [received, sent] = &element.octets;
        received.fetch_add(octets(datagram.len()), Ordering::Relaxed);
        let answer = element.answer(datagram)?;
        let (pause, times) = match element.behaviour {
            Behaviour::Slow(pause) => (pause, 1),
            Behaviour::Amplifying(times) => (Duration::ZERO, times),
            _ => (Duration::ZERO, 1),
        };
        sent.fetch_add(octets(answer.len()) * u64::from(times), Ordering::Relaxed);
        Some((answer, pause + self.spec.latency, times))
    }
}

fn octets(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(0)
}

/// One datagram: its length, and who sent it to whom (ip(7), IP_PKTINFO).
fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<(usize, SocketAddrV4, Ipv4Addr)> {
    let mut control = nix::cmsg_space!(nix::libc::in_pktinfo);
    let mut parts = [IoSliceMut::new(buffer)];
    let flags = MsgFlags::MSG_DONTWAIT;
    let message = recvmsg::<SockaddrIn>(socket.as_raw_fd(), &mut parts, Some(&mut control), flags)?;
    let to = message.cmsgs()?.find_map(|told| match told {
        ControlMessageOwned::Ipv4PacketInfo(info) => Some(Ipv4Addr::from(u32::from_be(info.ipi_addr.s_addr))),
        _ => None,
    });
    match (message.address, to) {
        (Some(from), Some(to)) => Ok((message.bytes, from.into(), to)),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

async fn send(socket: &UdpSocket, answer: &[u8], to: SocketAddrV4, from: Ipv4Addr) {
    let info = nix::libc::in_pktinfo {
        ipi_ifindex: 0,
        ipi_spec_dst: nix::libc::in_addr {
            s_addr: u32::from(from).to_be(),
        },
        ipi_addr: nix::libc::in_addr { s_addr: 0 },
    };
    let parts = [IoSlice::new(answer)];
    let whole = || {
        let control = [ControlMessage::Ipv4PacketInfo(&info)];
        let to = SockaddrIn::from(to);
        let flags = MsgFlags::MSG_DONTWAIT;
        Ok(sendmsg(socket.as_raw_fd(), &parts, &control, flags, Some(&to))?)
    };
    while let Err(error) = socket.try_io(Interest::WRITABLE, whole) {
        if error.kind() != io::ErrorKind::WouldBlock || socket.writable().await.is_err() {
            // Lost like any datagram.
            return;
        }
    }
}

fn build(spec: &Spec) -> Result<Vec<Element>, String> {
    #[derive(Deserialize)]
    struct File {
        kind: Vec<Kind>,
    }
    let file: File = toml::from_str(KINDS).map_err(|e| format!("kinds of the mix: {e}"))?;
    let of_number = |n: u32| {
        let mut rest = n % MIX.iter().map(|(share, _)| share).sum::<u32>();
        let found = MIX.iter().find(|(share, _)| match rest.checked_sub(*share) {
            Some(left) => {
                rest = left;
                false
            }
            None => true,
        });
        found
            .and_then(|(_, kind)| file.kind.get(*kind))
            .ok_or("the mix has no such kind")
    };
    let show = |n: u32| {
        let kind = of_number(n)?;
        let neighbours: Vec<Neighbour> = (0..neighbours(kind))
            .map(|near| neighbour(kind, &format!("mix-{n}-neighbour-{near}")))
            .collect();
        let name = format!("mix-{n}");
        let shown = objects(
            kind,
            &Pools::default(),
            &name,
            "Lab",
            spec.address(n),
            &neighbours,
        )?;
        Ok::<_, String>((Arc::new(View::new(shown.objects)), kind.max_size))
    };
    let views = (0..spec.elements.min(DIFFERENT))
        .map(show)
        .collect::<Result<Vec<_>, _>>()?;
    let lock = match spec.users {
        true => Some(keys().ok_or("no keys for the user")?),
        false => None,
    };
    let started = std::time::Instant::now();
    let element = |n: u32| {
        let (view, max_size) = views
            .get(usize::try_from(n % DIFFERENT).unwrap_or(0))
            .ok_or("there is no element")?;
        // RFC 3411, 5: an enterprise, and octets of its own making.
        let mut engine_id = (32_473_u32 | 0x8000_0000).to_be_bytes().to_vec();
        engine_id.push(5);
        engine_id.extend(n.to_be_bytes());
        let lock = lock
            .as_ref()
            .and_then(|(user, keys, salts)| Lock::new(user, keys, salts, &engine_id));
        Ok(Element {
            name: format!("mix-{n}"),
            address: spec.address(n),
            view: Arc::clone(view),
            behaviour: spec.behaviour(n),
            community: COMMUNITY.as_bytes().to_vec(),
            max_size: *max_size,
            engine_id,
            lock,
            started,
            uptime_offset: 8_640_000 + n * 100,
            story: None,
            requests: 0.into(),
            octets: Default::default(),
        })
    };
    (0..spec.elements).map(element).collect()
}

fn keys() -> Option<(Arc<str>, MasterKeys, Arc<SaltCounter>)> {
    let keys = MasterKeys::new(AuthProtocol::Sha1, AUTHENTICATION.as_bytes()).ok()?;
    let keys = keys.with_privacy(PrivProtocol::Aes128, PRIVACY.as_bytes()).ok()?;
    Some((Arc::from(USER), keys, Arc::new(SaltCounter::new().ok()?)))
}

/// One, or so many that a large chassis has as many objects as it should.
fn neighbours(kind: &Kind) -> usize {
    let ports: u32 = kind.interfaces.iter().map(|run| run.count).sum();
    match (kind.lldp, ports) {
        (false, _) => 0,
        (true, 100..) => 50,
        (true, _) => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEC: Spec = Spec {
        elements: 1_000,
        sparse: false,
        latency: Duration::ZERO,
        hostile: 2,
        users: false,
    };

    #[test]
    fn the_mix_has_the_objects_it_is_measured_by() {
        let elements = build(&Spec { hostile: 0, ..SPEC }).unwrap();
        // System and engine scalars, parts, hardware addresses, neighbours.
        let wanted = |element: &Element| {
            let within = |row: &[u32]| {
                let scalar = |n: u32| row == [1, 3, 6, 1, 2, 1, 1, n, 0];
                (1..=7).any(scalar)
                    || row == [1, 3, 6, 1, 6, 3, 10, 2, 1, 1, 0]
                    || row.starts_with(&[1, 3, 6, 1, 2, 1, 47, 1, 1, 1, 1])
                    || row.starts_with(&[1, 3, 6, 1, 2, 1, 2, 2, 1, 6])
                    || row.starts_with(&[1, 0, 8802, 1, 1, 2, 1, 4, 1, 1])
            };
            let view = &element.view;
            (0..view.len())
                .filter(|n| within(view.at(*n).unwrap().arcs()))
                .count()
        };
        let counts: Vec<usize> = elements.iter().take(20).map(wanted).collect();
        assert_eq!(counts[..7], [2_488, 7, 7, 7, 151, 151, 134]);
        assert!(counts[7..].iter().all(|n| *n == 134), "{counts:?}");
    }

    #[test]
    fn every_element_has_an_address_and_some_do_not_behave() {
        for spec in [
            SPEC,
            Spec {
                sparse: true,
                elements: 655,
                ..SPEC
            },
        ] {
            for n in 0..spec.elements {
                assert_eq!(spec.number(spec.address(n)), Some(n));
            }
            assert_eq!(spec.number(spec.address(spec.elements)), None);
            assert_eq!(spec.number(Ipv4Addr::LOCALHOST), None);
        }
        let bad: Vec<u32> = (0..1_000)
            .filter(|n| SPEC.behaviour(*n) != Behaviour::Normal)
            .collect();
        assert_eq!(bad.len(), 20, "{bad:?}");
        let kinds: std::collections::BTreeSet<u32> = bad.iter().map(|n| n % 20).collect();
        assert_eq!(kinds.len(), 20, "of all kinds: {bad:?}");
    }

    #[test]
    fn answers_come_from_the_address_asked_and_all_is_counted() {
        let crowd = Crowd::start(
            Spec {
                elements: 20,
                hostile: 0,
                ..SPEC
            },
            None,
        )
        .unwrap();
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let name = async_snmp::Oid::from_slice(&[1, 3, 6, 1, 2, 1, 1, 5, 0]);
        let pdu = async_snmp::pdu::RequestPdu::get(async_snmp::Version::V2c, 7, &[name]).unwrap();
        let request =
            async_snmp::message::CommunityMessage::v2c(COMMUNITY.as_bytes().to_vec(), pdu.into_raw());
        let request = request.unwrap().encode().unwrap();
        let stranger = SPEC.address(20);
        socket.send_to(&request, (stranger, crowd.port)).unwrap();
        let asked = SPEC.address(3);
        socket.send_to(&request, (asked, crowd.port)).unwrap();
        let mut buffer = [0; 1_500];
        let (length, from) = socket.recv_from(&mut buffer).unwrap();
        assert_eq!(from, std::net::SocketAddr::from((asked, crowd.port)));
        assert!(buffer[..length].windows(5).any(|part| part == b"mix-3"));
        let traffic = crowd.traffic();
        assert_eq!((traffic.requests, traffic.told), ([1, 1], 1));
        assert_eq!(traffic.octets, [octets(request.len()), octets(length)]);
    }
}
