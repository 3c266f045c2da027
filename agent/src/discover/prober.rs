//! Takes addresses through their questions to the state each ends in.
//!
//! ```text
//! engine? ─ answered ─► credential?  ─ taken, now or before ─► engine
//!   │                        ├─ said no ───────────────────► credential refused
//!   │                        ├─ silent, asked twice ───────► ignored
//!   │                        └─ may not be used there ─────► no credential
//!   ├─ unreachable ───► unreachable
//!   └─ silent ─ may ask with the community? ─ answered ─► object
//!        └─ no ───────► silent               └─ not ───► silent
//! ```
//!
//! Invariants: nobody sees a secret who did not tell an engine, unless whoever
//! asks says so; one lost packet does not make a credential refused; a user that is
//! refused is not tried twice; each packet waits for the pace of the whole agent.

use super::probe::{Answer, Probe, object};
use super::volley::{Sign, Volley};
use crate::credential::{Credential, Opening};
use crate::poll::engine::Engine;
use crate::poll::pace::Pace;
use crate::poll::socket::{ExchangeError, Patience, Sockets};
use crate::poll::wire::Pdu;
use crate::target::Target;
use proto::v1::CoverageState as State;
use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

/// Packets sent before answers are looked for.
const BURST: usize = 32;

/// An address to look at.
#[derive(Debug, Clone)]
pub struct Errand {
    /// Whom to ask.
    pub target: Target,
    /// The only credential that may be tried there; without one nobody is asked further.
    pub credential: Option<Arc<Credential>>,
    /// Whether a community is sent to an address that was silent to engine discovery.
    pub ask_silent: bool,
    /// What became of its user before, where that need not or must not be tried now.
    pub user: Option<State>,
}

/// How an errand ended.
#[derive(Debug, Clone)]
pub struct Ended {
    /// Who was asked.
    pub target: Target,
    /// What became of it.
    pub state: State,
    /// Why a user was not taken.
    pub why: Option<ExchangeError>,
    /// Whose user was tried.
    pub tried: Option<Arc<Credential>>,
    /// The engine it told.
    pub engine: Option<Heard>,
}

/// An engine, and when it was heard.
#[derive(Debug, Clone)]
pub struct Heard {
    /// What it told of itself; nobody signed it.
    pub engine: Engine,
    /// When.
    pub at: Instant,
}

/// What an errand waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Engine,
    /// After the engine was told, or not.
    Object {
        told: bool,
        /// For the second time.
        again: bool,
    },
    User,
}

/// Errands under way.
pub struct Prober {
    volley: Volley,
    /// For users: sockets that no round uses, so that none loses its answers.
    sockets: Arc<Sockets>,
    pace: Arc<Pace>,
    patience: Duration,
    errands: HashMap<Target, (Errand, Stage)>,
    /// Of those under way that told one.
    engines: HashMap<Target, Heard>,
    /// Questions that wait for their turn.
    queue: VecDeque<(Target, Probe)>,
    /// When the first of them may leave.
    leaves: Option<Instant>,
    users: JoinSet<Option<ExchangeError>>,
    whose: HashMap<tokio::task::Id, Target>,
    ended: VecDeque<Ended>,
    /// Packets sent.
    pub packets: u64,
}

impl Prober {
    /// Opens sockets; each question waits `patience`.
    ///
    /// # Errors
    /// When the system gives no socket.
    pub fn open(pace: Arc<Pace>, patience: Duration) -> io::Result<Self> {
        Ok(Self {
            volley: Volley::open(patience)?,
            sockets: Arc::new(Sockets::at_pace(1, Arc::clone(&pace))?),
            pace,
            patience,
            errands: HashMap::new(),
            engines: HashMap::new(),
            queue: VecDeque::new(),
            leaves: None,
            users: JoinSet::new(),
            whose: HashMap::new(),
            ended: VecDeque::new(),
            packets: 0,
        })
    }

    /// Errands that have not ended.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.errands.len() + self.ended.len()
    }

    /// Takes an errand on; one for an address that is under way changes nothing.
    pub fn ask(&mut self, errand: Errand) {
        let target = errand.target;
        if let std::collections::hash_map::Entry::Vacant(place) = self.errands.entry(target) {
            place.insert((errand, Stage::Engine));
            self.queue.push_back((target, Probe::Engine));
        }
    }

    /// The next errand that ended; waits for ever when none is under way. Safe to cancel.
    pub async fn next(&mut self) -> Ended {
        loop {
            if let Some(ended) = self.ended.pop_front() {
                return ended;
            }
            self.send_what_may_leave();
            let leaves = self.leaves;
            tokio::select! {
                biased;
                (target, sign) = self.volley.next(), if self.volley.under_way() > 0 => self.heard(target, sign),
                Some(ended) = self.users.join_next_with_id() => self.user_ended(ended),
                () = sleep_until(leaves.unwrap_or_else(Instant::now)), if leaves.is_some() => {}
                else => std::future::pending().await,
            }
        }
    }

    fn send_what_may_leave(&mut self) {
        for _ in 0..BURST {
            let Some((target, probe)) = self.queue.front().cloned() else {
                break;
            };
            let now = Instant::now();
            let leaves = match self.leaves {
                Some(leaves) => leaves,
                None => self.pace.claim().unwrap_or(now),
            };
            self.leaves = Some(leaves);
            if leaves > now {
                break;
            }
            self.queue.pop_front();
            self.leaves = None;
            self.packets += 1;
            self.volley.ask(target, self.sockets.request_id(), probe);
        }
        // More than a burst is to go: come back as soon as answers were looked at.
        if self.leaves.is_none() && !self.queue.is_empty() {
            self.leaves = Some(self.pace.claim().unwrap_or_else(Instant::now));
        }
    }

    fn heard(&mut self, target: Target, sign: Sign) {
        let Some((errand, stage)) = self.errands.get(&target).cloned() else {
            return;
        };
        if let Sign::Answered(Answer::Engine(engine)) = &sign {
            let (engine, at) = (engine.clone(), Instant::now());
            self.engines.insert(target, Heard { engine, at });
        }
        let state = match (stage, sign) {
            (Stage::Engine | Stage::Object { told: false, .. }, Sign::Unreachable) => State::Unreachable,
            (Stage::Engine, Sign::Answered(_)) => match self.try_credential(&errand) {
                Some(state) => state,
                None => return,
            },
            (Stage::Engine, Sign::Silent) => match errand.community() {
                Some(credential) if errand.ask_silent => {
                    let (told, again) = (false, false);
                    return self.go_on(target, Stage::Object { told, again }, Probe::Object(credential));
                }
                _ => State::Silent,
            },
            (Stage::Object { told: true, .. }, Sign::Answered(_)) => State::Engine,
            (Stage::Object { told: false, .. }, Sign::Answered(_)) => State::Object,
            // Somebody is there, so a packet may have been lost.
            (
                Stage::Object {
                    told: true,
                    again: false,
                },
                _,
            ) => match errand.community() {
                Some(credential) => {
                    let (told, again) = (true, true);
                    return self.go_on(target, Stage::Object { told, again }, Probe::Object(credential));
                }
                None => State::NoCredential,
            },
            (Stage::Object { told: true, .. } | Stage::User, _) => State::Ignored,
            (Stage::Object { told: false, .. }, Sign::Silent) => State::Silent,
        };
        self.end(Ended {
            target,
            state,
            why: None,
            tried: None,
            engine: None,
        });
    }

    /// Of an address that told its engine: its state, if there is nothing more to ask.
    fn try_credential(&mut self, errand: &Errand) -> Option<State> {
        let Some(credential) = &errand.credential else {
            return Some(State::Engine);
        };
        let target = errand.target;
        if !credential.covers(target.address().ip()) {
            return Some(State::NoCredential);
        }
        if let Some(community) = errand.community() {
            let (told, again) = (true, false);
            self.go_on(target, Stage::Object { told, again }, Probe::Object(community));
            return None;
        }
        // Taken: rounds tell whether it still is. Refused: not again yet.
        if let Some(state) = errand.user {
            return Some(state);
        }
        self.errands.insert(target, (errand.clone(), Stage::User));
        let asked = as_user(
            Arc::clone(&self.sockets),
            target,
            Arc::clone(credential),
            self.patience,
        );
        let task = self.users.spawn(asked);
        self.whose.insert(task.id(), target);
        None
    }

    fn go_on(&mut self, target: Target, stage: Stage, probe: Probe) {
        if let Some((_, at)) = self.errands.get_mut(&target) {
            *at = stage;
        }
        // Before those whose first question is yet to come: what was begun ends.
        self.queue.push_front((target, probe));
    }

    fn user_ended(
        &mut self,
        ended: Result<(tokio::task::Id, Option<ExchangeError>), tokio::task::JoinError>,
    ) {
        let id = ended
            .as_ref()
            .map_or_else(tokio::task::JoinError::id, |(id, _)| *id);
        let Some(target) = self.whose.remove(&id) else {
            return;
        };
        let tried = self
            .errands
            .get(&target)
            .and_then(|(errand, _)| errand.credential.clone());
        let (state, why) = match ended {
            Ok((_, None)) => (State::Engine, None),
            Ok((_, Some(why))) => (state_after(why), Some(why)),
            Err(error) => {
                tracing::error!(target.address = %target, %error, "a probe failed by a bug");
                (State::Ignored, None)
            }
        };
        self.end(Ended {
            target,
            state,
            why,
            tried,
            engine: None,
        });
    }

    fn end(&mut self, mut ended: Ended) {
        ended.engine = self.engines.remove(&ended.target);
        if self.errands.remove(&ended.target).is_some() {
            self.ended.push_back(ended);
        }
    }
}

impl Errand {
    /// Its credential, if that is a community which may be used there.
    fn community(&self) -> Option<Arc<Credential>> {
        let credential = self.credential.as_ref()?;
        let fits = matches!(credential.opening(), Opening::Community { .. })
            && credential.covers(self.target.address().ip());
        fits.then(|| Arc::clone(credential))
    }
}

/// What an element is to a user that it did not take: did it say so?
fn state_after(why: ExchangeError) -> State {
    use ExchangeError as Why;
    match why {
        Why::TimedOut | Why::Unreachable | Why::Undecodable | Why::Ignored | Why::Deadline => State::Ignored,
        Why::NoCredential => State::NoCredential,
        Why::Refused
        | Why::WrongDigest
        | Why::UnknownUser
        | Why::UnsupportedLevel
        | Why::WrongPrivacy
        | Why::NotInTimeWindow
        | Why::UnknownEngine
        | Why::UnknownContext => State::CredentialRefused,
    }
}

/// One GET as the user of a credential; why it was not answered, if it was not.
async fn as_user(
    sockets: Arc<Sockets>,
    target: Target,
    credential: Arc<Credential>,
    first_contact: Duration,
) -> Option<ExchangeError> {
    let patience = Patience {
        first_contact,
        retries: 1,
    };
    let deadline = Instant::now() + first_contact * 8;
    match sockets.converse(target, &credential, patience, deadline) {
        Ok(mut conversation) => conversation.exchange(Pdu::Get, &object()).await.err(),
        Err(failure) => Some(failure),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::poll::wire::{self, Version};
    use std::net::SocketAddr;
    use tokio::net::UdpSocket;

    /// What somebody answers.
    #[derive(Clone, Copy)]
    struct Manners {
        engine: bool,
        community: Option<&'static [u8]>,
        /// Questions for an object that are lost before one is heard.
        lost: usize,
    }

    /// Answers until dropped, and counts requests with a community in them.
    async fn somebody(
        at: &str,
        manners: Manners,
    ) -> (Target, JoinSet<()>, Arc<std::sync::Mutex<Vec<&'static str>>>) {
        let udp = UdpSocket::bind(format!("{at}:0")).await.unwrap();
        let address: SocketAddr = udp.local_addr().unwrap();
        let heard = Arc::new(std::sync::Mutex::new(Vec::new()));
        let mut tasks = JoinSet::new();
        let told = Arc::clone(&heard);
        tasks.spawn(async move {
            let mut buffer = vec![0; 2048];
            let mut lost = manners.lost;
            loop {
                let (length, from) = udp.recv_from(&mut buffer).await.unwrap();
                let mut packet = buffer[..length].to_vec();
                let is_engine = crate::poll::engine::request(id_of(&packet)) == packet;
                told.lock()
                    .unwrap()
                    .push(if is_engine { "engine" } else { "object" });
                if is_engine && manners.engine {
                    let answer =
                        crate::testing::engine_report(id_of(&packet), b"\x80\x00\x1f\x88\x04element");
                    udp.send_to(&answer, from).await.unwrap();
                }
                if !is_engine && lost > 0 {
                    lost -= 1;
                    continue;
                }
                if let (false, Some(community)) = (is_engine, manners.community) {
                    let at = packet.iter().position(|octet| *octet == 0xa0).unwrap();
                    packet[at] = 0xa2;
                    if wire::decode(packet.clone().into(), Version::V2c, community).is_ok() {
                        udp.send_to(&packet, from).await.unwrap();
                    }
                }
            }
        });
        (Target::new(address.ip(), address.port()).unwrap(), tasks, heard)
    }

    /// msgID of a discovery: the first INTEGER of four octets or less after the version.
    fn id_of(packet: &[u8]) -> i32 {
        let incoming =
            async_snmp::message::V3Message::decode(packet.to_vec().into(), async_snmp::DecodeConfig::DEFAULT);
        incoming.map_or(0, |message| message.value.msg_id())
    }

    fn errand(target: Target, ask_silent: bool, taken: bool) -> Errand {
        Errand {
            target,
            credential: Some(crate::testing::community("public")),
            ask_silent,
            user: taken.then_some(State::Engine),
        }
    }

    #[tokio::test]
    async fn every_address_ends_in_a_state_and_a_stranger_sees_no_secret() {
        let mute = Manners {
            engine: false,
            community: None,
            lost: 0,
        };
        let old = Manners {
            community: Some(b"public"),
            ..mute
        };
        let both = Manners { engine: true, ..old };
        let other = Manners {
            engine: true,
            community: Some(b"private"),
            lost: 0,
        };
        let lossy = Manners { lost: 1, ..both };
        let lossier = Manners { lost: 2, ..both };
        let twice = &["engine", "object", "object"];
        for (host, manners, ask_silent, taken, expected, asked) in [
            (1, mute, false, false, State::Silent, &["engine"][..]),
            (2, mute, true, false, State::Silent, &["engine", "object"]),
            (3, old, false, false, State::Silent, &["engine"]),
            (4, old, true, false, State::Object, &["engine", "object"]),
            (5, both, false, false, State::Engine, &["engine", "object"]),
            (6, both, false, true, State::Engine, &["engine", "object"]),
            (7, other, false, false, State::Ignored, twice),
            (8, lossy, false, false, State::Engine, twice),
            (9, lossier, false, false, State::Ignored, twice),
        ] {
            let (target, _task, heard) = somebody(&format!("127.9.0.{host}"), manners).await;
            let pace = Arc::new(Pace::new(0));
            let mut prober = Prober::open(pace, Duration::from_millis(300)).unwrap();
            prober.ask(errand(target, ask_silent, taken));
            prober.ask(errand(target, true, false));
            let ended = tokio::time::timeout(Duration::from_secs(20), prober.next())
                .await
                .unwrap();
            assert_eq!((ended.target, ended.state), (target, expected), "{host}");
            let told = ended.engine.map(|heard| heard.engine.id);
            let expected = manners.engine.then_some(&b"\x80\x00\x1f\x88\x04element"[..]);
            assert_eq!(told.as_deref(), expected, "{host}");
            assert_eq!(*heard.lock().unwrap(), asked, "{host}");
            assert_eq!((prober.under_way(), prober.packets), (0, asked.len() as u64));
        }
    }

    #[tokio::test]
    async fn a_credential_is_not_tried_outside_of_its_ranges() {
        let manners = Manners {
            engine: true,
            community: Some(b"public"),
            lost: 0,
        };
        let (target, _task, heard) = somebody("127.9.1.1", manners).await;
        let mut prober = Prober::open(Arc::new(Pace::new(0)), Duration::from_millis(300)).unwrap();
        prober.ask(Errand {
            credential: Some(crate::testing::community_within("public", "192.0.2.0/24")),
            ..errand(target, true, false)
        });
        assert_eq!(prober.next().await.state, State::NoCredential);
        assert_eq!(*heard.lock().unwrap(), ["engine"]);
    }

    #[tokio::test]
    async fn a_user_that_must_not_be_tried_is_not() {
        let told = Manners {
            engine: true,
            community: None,
            lost: 0,
        };
        let user = crate::credential::user::User::new("marque", None, None, "").unwrap();
        let user = Arc::new(Credential::user(user));
        for (host, before, expected, asked) in [
            (1, Some(State::CredentialRefused), State::CredentialRefused, 1),
            (2, Some(State::Engine), State::Engine, 1),
            // Tried: the engine is found again, then asked twice.
            (3, None, State::Ignored, 4),
        ] {
            let (target, _task, heard) = somebody(&format!("127.9.2.{host}"), told).await;
            let mut prober = Prober::open(Arc::new(Pace::new(0)), Duration::from_millis(100)).unwrap();
            prober.ask(Errand {
                credential: Some(Arc::clone(&user)),
                user: before,
                ..errand(target, false, false)
            });
            let ended = prober.next().await;
            assert_eq!((ended.state, ended.tried.is_some()), (expected, before.is_none()));
            assert!(ended.engine.is_some(), "{host}");
            assert!(heard.lock().unwrap().len() >= asked, "{host}");
            assert_eq!(heard.lock().unwrap().len() > 1, before.is_none(), "{host}");
        }
    }

    #[test]
    fn what_an_element_said_is_a_refusal_and_its_silence_is_none() {
        use ExchangeError as Why;
        for (why, expected) in [
            (Why::WrongDigest, State::CredentialRefused),
            (Why::UnknownUser, State::CredentialRefused),
            (Why::UnknownContext, State::CredentialRefused),
            (Why::TimedOut, State::Ignored),
            (Why::Ignored, State::Ignored),
            (Why::Undecodable, State::Ignored),
            (Why::NoCredential, State::NoCredential),
        ] {
            assert_eq!(state_after(why), expected, "{why}");
        }
    }
}
