//! Traps and informs: an element says that it changed, so it is walked early.
//!
//! Invariants: nothing of what a notification says is kept or believed; it only makes an
//! early round, of a target that is polled anyway, and no more often than configured. It
//! counts from a target's address alone; where the target has a user with authentication,
//! that user must have signed it. Every inform that whoever may tell sent is answered,
//! whatever it is about, so that it is not sent again; nobody else is.

use crate::config::Assignment;
use crate::credential::user::User;
use crate::credential::{Credential, Opening};
use crate::schedule::Work;
use crate::target::Target;
use async_snmp::message::SecurityLevel;
use async_snmp::notification::{
    NotificationAcceptance, NotificationEnvelope, NotificationPduClass, NotificationReceiver,
    NotificationReceiverBuilder,
};
use async_snmp::v3::DesSaltState;
use async_snmp::{AuthoritativeEngine, Oid, Version};
use serde::Deserialize;
use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// Targets that may wait for the schedule; full: further ones are dropped and counted.
pub const QUEUE: usize = 256;
/// Before a socket that failed is asked again.
const PAUSE: Duration = Duration::from_secs(1);
/// RFC 3411, 5: an engine ID that its owner made up; 0 is nobody's enterprise number.
const ENGINE_HEAD: [u8; 5] = [0x80, 0, 0, 0, 5];
/// What is worth an early round: coldStart and linkUp (RFC 3418), entConfigChange (RFC 6933).
const CHANGES: [&[u32]; 3] = [
    &[1, 3, 6, 1, 6, 3, 1, 1, 5, 1],
    &[1, 3, 6, 1, 6, 3, 1, 1, 5, 4],
    &[1, 3, 6, 1, 2, 1, 47, 2, 0, 1],
];

/// `[traps]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrapsConfig {
    /// ADDRESS:PORT; port 162 needs a right of its own.
    pub listen: SocketAddr,
    /// Seconds in which one target is walked early once at most.
    #[serde(default = "rest", deserialize_with = "crate::config::between::<1, 86_400, _>")]
    pub pause_seconds: u64,
}

fn rest() -> u64 {
    300
}

/// Why there is no listener.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen for traps at {at}: {reason}")]
pub struct ListenError {
    at: SocketAddr,
    reason: String,
}

/// Hears notifications.
pub struct Listener {
    receiver: NotificationReceiver,
    sources: Arc<Sources>,
    early: mpsc::Sender<Target>,
}

impl Listener {
    /// Opens the socket. Notifications of version 3 can be signed by `credentials`; of two
    /// users of one name the first counts. Tells of the targets of `work` through `early`.
    ///
    /// # Errors
    /// [`ListenError`] when the address is not to be had.
    pub async fn open<'c>(
        at: SocketAddr,
        credentials: impl Iterator<Item = &'c Arc<Credential>>,
        work: watch::Receiver<Arc<Work>>,
        early: mpsc::Sender<Target>,
    ) -> Result<Self, ListenError> {
        let failed = |reason: &dyn std::fmt::Display| ListenError {
            at,
            reason: reason.to_string(),
        };
        let sources = Arc::new(Sources::new(work));
        let filter = Arc::clone(&sources);
        let mut random = [0; 12];
        getrandom::fill(&mut random).map_err(|error| failed(&error))?;
        // Another engine in each process: nothing that it signed or was sent before counts,
        // so nothing need be kept.
        let engine =
            AuthoritativeEngine::install([&ENGINE_HEAD[..], &random].concat(), |_| Ok::<_, Infallible>(()));
        let salts = DesSaltState::install(|_| Ok::<_, Infallible>(()));
        let mut builder = NotificationReceiver::builder()
            .bind(at.to_string())
            .authoritative_engine(engine.map_err(|error| failed(&error))?)
            .des_salt_state(salts.map_err(|error| failed(&error))?)
            .acceptance_policy(move |told| filter.accept(told));
        let mut named = std::collections::HashSet::new();
        for credential in credentials {
            if let Opening::User(user) = credential.opening()
                && named.insert(user.name().to_vec())
            {
                builder = with_user(builder, user).map_err(|error| failed(&error))?;
            }
        }
        let receiver = builder.build().await.map_err(|error| failed(&error))?;
        tracing::info!(traps.address = %receiver.local_addr(), "listening for traps");
        Ok(Self {
            receiver,
            sources,
            early,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.receiver.local_addr()
    }

    /// Listens until cancelled.
    pub async fn run(self, stop: CancellationToken) {
        loop {
            let received = tokio::select! {
                () = stop.cancelled() => return,
                received = self.receiver.recv() => received,
            };
            match received {
                Ok(told) if told.notification.trap_oid().is_ok_and(|what| is_change(&what)) => {
                    self.tell(told.source);
                }
                // An inform, which is answered by now.
                Ok(_) => count("other"),
                Err(error) => {
                    tracing::warn!(%error, "cannot receive traps");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    fn tell(&self, source: SocketAddr) {
        for target in self.sources.targets(source.ip()) {
            let fate = match self.early.try_send(target) {
                Ok(()) => "taken",
                Err(_) => "queue_full",
            };
            count(fate);
            tracing::debug!(target.address = %target, fate, "notified");
        }
    }
}

fn with_user(
    builder: NotificationReceiverBuilder,
    user: &User,
) -> async_snmp::CryptoResult<NotificationReceiverBuilder> {
    match user.masters() {
        None => Ok(builder),
        Some(masters) => builder.usm_user(user.name().to_vec(), |inbound| inbound.with_master_keys(masters)),
    }
}

fn count(fate: &'static str) {
    metrics::counter!("marque_agent_trap_total", "fate" => fate).increment(1);
}

type ByAddress = HashMap<IpAddr, Vec<Assignment>>;

/// Who may say that it changed.
struct Sources {
    work: watch::Receiver<Arc<Work>>,
    /// Of this work, by address.
    index: Mutex<(Arc<Work>, ByAddress)>,
}

impl Sources {
    fn new(work: watch::Receiver<Arc<Work>>) -> Self {
        let now = Arc::clone(&work.borrow());
        Self {
            work,
            index: Mutex::new((Arc::clone(&now), by_address(&now))),
        }
    }

    fn at<T>(&self, address: IpAddr, of: impl Fn(&[Assignment]) -> T) -> T {
        let now = Arc::clone(&self.work.borrow());
        let mut index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&index.0, &now) {
            *index = (Arc::clone(&now), by_address(&now));
        }
        of(index.1.get(&address.to_canonical()).map_or(&[], Vec::as_slice))
    }

    fn targets(&self, address: IpAddr) -> Vec<Target> {
        self.at(address, |here| here.iter().map(|one| one.target).collect())
    }

    fn accept(&self, told: &NotificationEnvelope<'_>) -> NotificationAcceptance {
        let heard = self.at(told.source.ip(), |here| {
            if here.is_empty() {
                "stranger"
            } else if here.iter().any(|one| may_tell(one, told)) {
                "heard"
            } else {
                "unsigned"
            }
        });
        let change = told.trap_oid().is_ok_and(|what| is_change(&what));
        if heard == "heard" && (change || told.pdu_class == NotificationPduClass::Inform) {
            return NotificationAcceptance::Accept;
        }
        count(if heard == "heard" { "other" } else { heard });
        NotificationAcceptance::Reject
    }
}

fn is_change(what: &Oid) -> bool {
    CHANGES.contains(&what.arcs())
}

/// Whether a notification from a target's address is as safe as the target's credential.
fn may_tell(assignment: &Assignment, told: &NotificationEnvelope<'_>) -> bool {
    match assignment.credential.opening() {
        Opening::Community { .. } => told.version == Version::V2c,
        Opening::User(user) if user.level() == SecurityLevel::NoAuthNoPriv => told.version == Version::V2c,
        Opening::User(user) => {
            told.username == Some(user.name())
                && told
                    .security_level
                    .is_some_and(|level| level >= SecurityLevel::AuthNoPriv)
        }
    }
}

fn by_address(work: &Work) -> ByAddress {
    let mut index = ByAddress::new();
    for assignment in &work.assignments {
        let here = index.entry(assignment.target.address().ip()).or_default();
        here.push(assignment.clone());
    }
    index
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::user::Password;
    use async_snmp::AuthProtocol;
    use std::net::UdpSocket;
    use std::process::{Command, Output};

    const COLD_START: &str = "1.3.6.1.6.3.1.1.5.1";
    const LINK_UP: &str = "1.3.6.1.6.3.1.1.5.4";
    const ENTITY_CHANGED: &str = "1.3.6.1.2.1.47.2.0.1";
    const AUTHENTICATION_FAILURE: &str = "1.3.6.1.6.3.1.1.5.5";
    const PATIENCE: Duration = Duration::from_secs(20);

    fn user(name: &str) -> Arc<Credential> {
        let auth = Password {
            protocol: AuthProtocol::Sha256,
            secret: "authentic1".into(),
            origin: "here".to_owned(),
        };
        Arc::new(Credential::user(User::new(name, Some(&auth), None, "").unwrap()))
    }

    struct Scene {
        address: SocketAddr,
        early: mpsc::Receiver<Target>,
        work: watch::Sender<Arc<Work>>,
        stop: CancellationToken,
    }

    /// With one target at the address that notifications of this machine come from.
    async fn scene(credential: Arc<Credential>) -> Scene {
        let assignment = Assignment {
            target: "127.0.0.1".parse().unwrap(),
            credential: Arc::clone(&credential),
            interval: None,
            windows: Arc::default(),
        };
        let (work, followed) = watch::channel(Arc::new(Work {
            assignments: vec![assignment],
            ..Work::default()
        }));
        let (sender, early) = mpsc::channel(QUEUE);
        let at = "127.0.0.1:0".parse().unwrap();
        let listener = Listener::open(at, [&credential].into_iter(), followed, sender)
            .await
            .unwrap();
        let (address, stop) = (listener.address(), CancellationToken::new());
        tokio::spawn(listener.run(stop.clone()));
        Scene {
            address,
            early,
            work,
            stop,
        }
    }

    impl Scene {
        /// One of net-snmp's senders.
        async fn send(&self, program: &str, who: &[&str], what: &str) -> Output {
            let mut words: Vec<String> = who.iter().map(|word| (*word).to_owned()).collect();
            words.extend(["-r", "0", "-t", "5"].map(str::to_owned));
            words.extend([self.address.to_string(), String::new(), what.to_owned()]);
            let program = program.to_owned();
            let sent = tokio::task::spawn_blocking(move || Command::new(program).args(words).output());
            sent.await.unwrap().unwrap()
        }

        async fn hears(&mut self) -> Target {
            tokio::time::timeout(PATIENCE, self.early.recv())
                .await
                .unwrap()
                .unwrap()
        }
    }

    const ANYBODY: [&str; 4] = ["-v", "2c", "-c", "whatever"];

    #[tokio::test(flavor = "multi_thread")]
    async fn changes_of_targets_are_heard_and_nothing_else() {
        let mut scene = scene(crate::testing::community("hunter2")).await;
        // Not heard, whatever they say: each comes before one that is.
        UdpSocket::bind("127.0.0.1:0")
            .unwrap()
            .send_to(b"hello", scene.address)
            .unwrap();
        scene.send("snmptrap", &ANYBODY, AUTHENTICATION_FAILURE).await;
        for what in [COLD_START, LINK_UP, ENTITY_CHANGED] {
            scene.send("snmptrap", &ANYBODY, what).await;
            assert_eq!(scene.hears().await.to_string(), "127.0.0.1:161");
        }
        assert!(
            scene
                .send("snmpinform", &ANYBODY, COLD_START)
                .await
                .status
                .success(),
            "answered"
        );
        scene.hears().await;
        // An inform about something else is answered too, or it would come again and again.
        let other = scene.send("snmpinform", &ANYBODY, AUTHENTICATION_FAILURE).await;
        assert!(other.status.success(), "{other:?}");
        scene.send("snmptrap", &ANYBODY, LINK_UP).await;
        scene.hears().await;
        assert!(scene.early.try_recv().is_err());
        // Who is polled no longer is a stranger, and gets no answer.
        scene.work.send(Arc::new(Work::default())).unwrap();
        let short = ["-v", "2c", "-c", "whatever", "-t", "1"];
        let inform = scene.send("snmpinform", &short, COLD_START).await;
        assert!(!inform.status.success(), "{inform:?}");
        assert!(scene.early.try_recv().is_err());
        scene.stop.cancel();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn where_there_is_a_user_it_must_have_signed() {
        let mut scene = scene(user("trapper")).await;
        let signed = |name, password| {
            [
                "-v",
                "3",
                "-e",
                "0x8000000001020304",
                "-u",
                name,
                "-l",
                "authNoPriv",
                "-a",
                "SHA-256",
                "-A",
                password,
            ]
        };
        scene.send("snmptrap", &ANYBODY, COLD_START).await;
        let short = ["-v", "2c", "-c", "whatever", "-t", "1"];
        let unsigned = scene.send("snmpinform", &short, COLD_START).await;
        assert!(!unsigned.status.success(), "nobody unsigned is answered");
        scene
            .send("snmptrap", &signed("trapper", "not this password"), COLD_START)
            .await;
        scene
            .send("snmptrap", &signed("stranger", "authentic1"), COLD_START)
            .await;
        let bare = [
            "-v",
            "3",
            "-e",
            "0x8000000001020304",
            "-u",
            "trapper",
            "-l",
            "noAuthNoPriv",
        ];
        scene.send("snmptrap", &bare, COLD_START).await;
        scene
            .send("snmptrap", &signed("trapper", "authentic1"), COLD_START)
            .await;
        scene.hears().await;
        assert!(scene.early.try_recv().is_err());
        // Of an inform the receiver's engine counts, which is asked for first.
        let inform = [
            "-v",
            "3",
            "-u",
            "trapper",
            "-l",
            "authNoPriv",
            "-a",
            "SHA-256",
            "-A",
            "authentic1",
        ];
        let sent = scene.send("snmpinform", &inform, LINK_UP).await;
        assert!(sent.status.success(), "{sent:?}");
        scene.hears().await;
        scene.stop.cancel();
    }
}
