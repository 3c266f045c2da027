//! Datagrams to the listener for notifications: it goes on whatever comes, and hears from
//! the address of a user only what that user signed.

#![no_main]

use agent::config::Assignment;
use agent::credential::Credential;
use agent::poll::wire::Version;
use agent::schedule::Work;
use agent::target::Target;
use agent::traps::{Listener, QUEUE};
use agent_fuzz::message::{
    Binding, COMMUNITY, ENGINE, Header, INFORM, TRAP, community, header, name, pdu, scoped,
};
use agent_fuzz::user::{NAME, Signer, USERS, user};
use agent_fuzz::{Input, changed};
use async_snmp::message::SecurityLevel;
use libfuzzer_sys::fuzz_target;
use prost::bytes::Bytes;
use std::cell::RefCell;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Instant;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// What is worth an early round, and what is not.
const TOLD: [&str; 4] = [
    "1.3.6.1.6.3.1.1.5.1",
    "1.3.6.1.6.3.1.1.5.4",
    "1.3.6.1.2.1.47.2.0.1",
    "1.3.6.1.6.3.1.1.5.5",
];

/// A listener with three targets: one of a user with privacy, one of a community, and one
/// whose word, sent after each input, says that the input was taken in.
struct Scene {
    runtime: Runtime,
    listener: SocketAddr,
    early: mpsc::Receiver<Target>,
    by_user: UdpSocket,
    by_community: UdpSocket,
    last: UdpSocket,
    signer: Signer,
    /// Of the listener, for informs: its engine, boots and time when it was asked.
    engine: Vec<u8>,
    since: Instant,
    _work: watch::Sender<Arc<Work>>,
}

thread_local! {
    static SCENE: RefCell<Scene> = RefCell::new(Scene::new());
}

fuzz_target!(|data: &[u8]| SCENE.with_borrow_mut(|scene| scene.hear(Input::new(data))));

impl Scene {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let community = || {
            let secret = String::from_utf8_lossy(COMMUNITY).into_owned();
            Credential::community(Version::V2c, secret.into(), "here").expect("a community")
        };
        let credentials = [Credential::user(user(NAME, USERS[2])), community(), community()].map(Arc::new);
        let sockets =
            ["127.9.0.1:0", "127.9.0.2:0", "127.9.0.3:0"].map(|at| UdpSocket::bind(at).expect("a port"));
        let assignments = credentials
            .iter()
            .zip(&sockets)
            .map(|(credential, socket)| Assignment {
                target: Target::new(socket.local_addr().expect("bound").ip(), 161).expect("a target"),
                credential: Arc::clone(credential),
                interval: None,
                windows: Arc::default(),
            });
        let work = Work {
            assignments: assignments.collect(),
            ..Work::default()
        };
        let (work, followed) = watch::channel(Arc::new(work));
        let (sender, early) = mpsc::channel(QUEUE);
        let at = "127.9.0.9:0".parse().expect("an address");
        let listener = runtime
            .block_on(Listener::open(at, credentials.iter(), followed, sender))
            .expect("a listener");
        let address = listener.address();
        runtime.spawn(listener.run(CancellationToken::new()));
        let [by_user, by_community, last] = sockets;
        let mut scene = Self {
            runtime,
            listener: address,
            early,
            by_user,
            by_community,
            last,
            signer: Signer::new(USERS[2]),
            engine: Vec::new(),
            since: Instant::now(),
            _work: work,
        };
        scene.discover();
        // What is good is heard: a trap, an inform, each signed and encrypted; one of a community.
        for kind in [0x0a, 0x4a, 0x82] {
            let (by_user, octets, _) = scene.datagram(kind, &mut Input::new(&[]));
            let from = if by_user {
                &scene.by_user
            } else {
                &scene.by_community
            };
            from.send_to(&octets, scene.listener).expect("sent");
            assert_eq!(scene.settle().len(), 1, "{kind:x}");
        }
        scene
    }

    /// Asks the listener's engine.
    fn discover(&mut self) {
        self.by_user
            .send_to(&agent::poll::engine::request(1), self.listener)
            .expect("sent");
        assert!(self.settle().is_empty());
        let mut buffer = [0; 512];
        let (length, _) = self
            .by_user
            .recv_from(&mut buffer)
            .expect("an answer to discovery");
        let answer = Bytes::copy_from_slice(&buffer[..length]);
        let (_, engine) = agent::poll::engine::read(&answer).expect("an engine");
        assert_eq!(engine.boots.value, 1);
        self.engine = engine.id.to_vec();
        self.since = Instant::now();
        self.by_user.set_nonblocking(true).expect("a socket");
    }

    fn hear(&mut self, mut input: Input<'_>) {
        let kind = input.byte();
        let (from, octets, honest) = self.datagram(kind, &mut input);
        let from = match from {
            true => &self.by_user,
            false => &self.by_community,
        };
        // One that is too long is lost.
        let _ = from.send_to(&octets, self.listener);
        let by_user = self.by_user.local_addr().expect("bound").ip();
        for target in self.settle() {
            assert!(target.address().ip() != by_user || honest, "{octets:02x?}");
        }
        let mut buffer = [0; 4096];
        while self.by_user.recv_from(&mut buffer).is_ok() {}
    }

    /// Who was told of before the last one speaks.
    fn settle(&mut self) -> Vec<Target> {
        let word = community(Version::V2c, b"x", &pdu(TRAP, [1, 0, 0], &told(TOLD[0])));
        self.last.send_to(&word, self.listener).expect("sent");
        let last = self.last.local_addr().expect("bound").ip();
        let mut before = Vec::new();
        loop {
            let target = self
                .runtime
                .block_on(self.early.recv())
                .expect("the listener goes on");
            if target.address().ip() == last {
                return before;
            }
            before.push(target);
        }
    }

    /// Whether it comes from the user's address, the datagram, and whether the user signed it.
    fn datagram(&self, kind: u8, input: &mut Input<'_>) -> (bool, Vec<u8>, bool) {
        let by_user = kind & 0x80 == 0;
        let tag = if kind & 0x40 == 0 { TRAP } else { INFORM };
        let good = pdu(tag, [1, 0, 0], &told(TOLD[usize::from(kind >> 4) % 4]));
        let seconds = i32::try_from(self.since.elapsed().as_secs()).unwrap_or(i32::MAX);
        // Of a trap the sender's engine counts, of an inform the listener's.
        let engine = if tag == TRAP { ENGINE } else { &self.engine };
        let from = Header {
            engine,
            boots: 1,
            time: seconds,
            ..header(1, SecurityLevel::AuthPriv)
        };
        let in_scope = |pdu: &[u8]| scoped(ENGINE, pdu);
        match kind & 0x0f {
            0 => (by_user, input.rest().to_vec(), false),
            1 => (by_user, community(Version::V2c, COMMUNITY, input.rest()), false),
            2..=4 => (
                by_user,
                community(Version::V2c, COMMUNITY, &changed(&good, input.rest())),
                false,
            ),
            5 => {
                let clear = Header {
                    level: SecurityLevel::NoAuthNoPriv,
                    ..from
                };
                (
                    by_user,
                    clear.around(&in_scope(&changed(&good, input.rest())), &self.signer),
                    false,
                )
            }
            6 => (by_user, from.around(input.rest(), &self.signer), true),
            7..=10 => (
                by_user,
                from.around(&changed(&in_scope(&good), input.rest()), &self.signer),
                true,
            ),
            11 => {
                let signed = Header {
                    level: SecurityLevel::AuthNoPriv,
                    ..from
                };
                (
                    by_user,
                    signed.around(&changed(&in_scope(&good), input.rest()), &self.signer),
                    true,
                )
            }
            12 => {
                let engine = input.piece();
                let clock = |input: &mut Input<'_>| i32::from_be_bytes(input.long().to_be_bytes());
                let strange = Header {
                    engine,
                    boots: clock(input),
                    time: clock(input),
                    user: input.rest(),
                    ..from
                };
                let honest = strange.user == NAME.as_bytes();
                (by_user, strange.around(&in_scope(&good), &self.signer), honest)
            }
            _ => {
                let whole = from.around(&in_scope(&good), &self.signer);
                let octets = changed(&whole, input.rest());
                let honest = octets.starts_with(&whole);
                (by_user, octets, honest)
            }
        }
    }
}

/// sysUpTime, snmpTrapOID and something more (RFC 3416, 4.2.6).
fn told(what: &str) -> Vec<Binding> {
    vec![
        (name("1.3.6.1.2.1.1.3.0"), 0x43, vec![1]),
        (name("1.3.6.1.6.3.1.1.4.1.0"), 6, name(what).to_vec()),
        (name("1.3.6.1.2.1.2.2.1.1.1"), 2, vec![1]),
    ]
}
