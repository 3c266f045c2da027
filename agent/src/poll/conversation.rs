//! Requests to one element and their answers, one at a time.
//!
//! Invariants: an answer is taken only with the identifier of the request under
//! way and for what it was asked with; a version-3 user that was refused is not
//! tried again in the same conversation, except once after a clock and once after
//! an engine was taken over.

use super::engine::{self, Engine};
use super::inbox::Inbox;
use super::pace::{Pace, RoundTrip, Strain};
use super::socket::{ExchangeError, MAX_DATAGRAM, Patience, Socket, Sockets, any_address, nobody_there};
use super::usm::{Heard, Known, Session};
use super::wire::{self, Pdu, Response, Version};
use crate::credential::{Credential, Opening};
use async_snmp::message::SecurityLevel;
use prost::bytes::Bytes;
use proto::v1::Cost;
use secrecy::ExposeSecret as _;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::time::{Instant, Sleep, sleep_until};

/// Requests to one element and their answers, one at a time.
pub struct Conversation<'s> {
    sockets: &'s Sockets,
    socket: &'s Socket,
    peer: SocketAddr,
    voice: Voice<'s>,
    patience: Patience,
    deadline: Instant,
    answers: Arc<Inbox>,
    /// Ends waiting for an answer; one for all, as making one costs more than moving it.
    timer: Pin<Box<Sleep>>,
    /// May be set from an earlier round.
    pub trip: RoundTrip,
    /// Anything of the version came from the element.
    heard: bool,
    answered: bool,
    /// Why it makes no sense to go on.
    over: Option<ExchangeError>,
    /// So far.
    pub cost: Cost,
    /// Datagrams from the element that could not be read or not be believed.
    pub undecodable: u32,
    /// Of this element alone.
    pace: Pace,
    max_requests: u32,
    strain: Strain,
    /// The last answer, if the first sending was answered.
    took: Option<Duration>,
}

/// How we speak.
enum Voice<'s> {
    Community(Version, &'s [u8]),
    User(Session<'s>),
}

impl<'s> Conversation<'s> {
    pub(super) fn new(
        sockets: &'s Sockets,
        socket: &'s Socket,
        peer: SocketAddr,
        credential: &'s Credential,
        patience: Patience,
        deadline: Instant,
        answers: Arc<Inbox>,
    ) -> Self {
        let voice = match credential.opening() {
            Opening::Community { version, community } => {
                Voice::Community(*version, community.expose_secret().as_bytes())
            }
            Opening::User(user) => Voice::User(Session::new(user)),
        };
        Self {
            sockets,
            socket,
            peer,
            voice,
            patience,
            deadline,
            answers,
            timer: Box::pin(sleep_until(deadline)),
            trip: RoundTrip::default(),
            heard: false,
            answered: false,
            over: None,
            cost: Cost::default(),
            undecodable: 0,
            pace: Pace::new(0),
            max_requests: u32::MAX,
            strain: Strain::default(),
            took: None,
        }
    }

    /// From now on at most so many packets a second, 0 for no cap, and so many in all.
    pub fn keep_to(&mut self, packets_per_second: u32, max_requests: u32) {
        (self.pace, self.max_requests) = (Pace::new(packets_per_second), max_requests);
    }

    /// Whether the element answered a question at all.
    #[must_use]
    pub fn answered(&self) -> bool {
        self.answered
    }

    /// Why it makes no sense to ask on, once that is so.
    #[must_use]
    pub fn over(&self) -> Option<ExchangeError> {
        self.over
    }

    /// Whether the version has GETBULK.
    #[must_use]
    pub fn has_bulk(&self) -> bool {
        !matches!(self.voice, Voice::Community(Version::V1, _))
    }

    /// Goes on with an engine of an earlier round.
    pub fn remember(&mut self, known: Option<Known>) {
        if let Voice::User(session) = &mut self.voice {
            session.remember(known);
        }
    }

    /// The engine, for a later round.
    #[must_use]
    pub fn known(&self) -> Option<&Known> {
        match &self.voice {
            Voice::User(session) => session.known(),
            Voice::Community(..) => None,
        }
    }

    /// In version 3, who was heard in this conversation, or why nobody was.
    #[must_use]
    pub fn engine(&self) -> Option<Result<&Engine, ExchangeError>> {
        let Voice::User(session) = &self.voice else {
            return None;
        };
        let heard = session.known().filter(|_| self.heard);
        Some(
            heard
                .map(Known::engine)
                .ok_or(self.over.unwrap_or(ExchangeError::TimedOut)),
        )
    }

    /// Whether the engine that was heard was last seen at another address.
    #[must_use]
    pub fn shares_engine(&self) -> bool {
        let engine = self.engine().and_then(Result::ok);
        engine.is_some_and(|engine| self.sockets.is_shared(&engine.id, self.peer))
    }

    /// Asks until answered or out of patience.
    ///
    /// # Errors
    /// [`ExchangeError`] when no response came.
    pub async fn exchange(&mut self, pdu: Pdu, names: &[Bytes]) -> Result<Response, ExchangeError> {
        if let Some(over) = self.over {
            return Err(over);
        }
        let rest = self.strain.rest();
        if !rest.is_zero() {
            metrics::counter!("marque_agent_rest_total").increment(1);
            tokio::time::sleep_until((Instant::now() + rest).min(self.deadline)).await;
        }
        self.took = None;
        let result = match self.voice {
            Voice::Community(version, community) => {
                let id = self.sockets.request_id();
                let request = wire::encode(version, community, id, pdu, names);
                match self.ask(id, &request.ok_or(ExchangeError::Undecodable)?).await {
                    Ok(Heard::Response(response)) => Ok(response),
                    // Neither exists before version 3.
                    Ok(Heard::Report(_) | Heard::Engine) => Err(ExchangeError::Undecodable),
                    Err(failure) => Err(failure),
                }
            }
            Voice::User(_) => self.as_user(pdu, names).await,
        };
        match &result {
            Ok(response) => {
                self.answered = true;
                // Answers to GET are quick where tables are slow.
                if let Some(took) = self.took.filter(|_| pdu != Pdu::Get) {
                    self.strain.measured(took);
                }
                self.cost.varbinds += u32::try_from(response.varbinds.len()).unwrap_or(u32::MAX);
            }
            Err(failure) if !self.answered || failure.is_final() => self.over = Some(*failure),
            Err(_) => {}
        }
        result
    }

    /// Finds the engine, asks, and takes over a clock or an engine at most once each.
    async fn as_user(&mut self, pdu: Pdu, names: &[Bytes]) -> Result<Response, ExchangeError> {
        let (mut resynchronised, mut rediscovered) = (false, false);
        loop {
            if self.known().is_none() {
                self.discover().await?;
            }
            let refusal = match self.say(|session, id| session.seal(id, pdu, names)).await {
                Ok(Heard::Response(response)) => return Ok(response),
                Ok(Heard::Report(refusal)) => refusal,
                Ok(Heard::Engine) => return Err(ExchangeError::Undecodable),
                Err(ExchangeError::TimedOut) if !self.heard && !rediscovered => {
                    // Engines that lost their memory may be silent to what they do not know.
                    rediscovered = true;
                    if let Voice::User(session) = &mut self.voice {
                        session.forget();
                    }
                    continue;
                }
                Err(ExchangeError::TimedOut) if !self.answered => return Err(self.why_ignored().await),
                Err(failure) => return Err(failure),
            };
            let once = match refusal {
                ExchangeError::NotInTimeWindow => &mut resynchronised,
                ExchangeError::UnknownEngine => &mut rediscovered,
                _ => return Err(refusal),
            };
            if std::mem::replace(once, true) {
                return Err(refusal);
            }
            metrics::counter!("marque_agent_engine_taken_over_total").increment(1);
        }
    }

    async fn discover(&mut self) -> Result<(), ExchangeError> {
        let id = self.sockets.request_id();
        self.ask(id, &engine::request(id)).await.map(|_| ())
    }

    /// One request of the session's making.
    async fn say(
        &mut self,
        seal: impl FnOnce(&mut Session<'s>, i32) -> Option<Vec<u8>>,
    ) -> Result<Heard, ExchangeError> {
        let id = self.sockets.request_id();
        let Voice::User(session) = &mut self.voice else {
            return Err(ExchangeError::Undecodable);
        };
        let request = seal(session, id);
        self.ask(id, &request.ok_or(ExchangeError::Undecodable)?).await
    }

    /// An engine that is there and silent to a user has a reason that it may not say
    /// (common with contexts and with privacy): the same without it tells.
    async fn why_ignored(&mut self) -> ExchangeError {
        let Voice::User(session) = &self.voice else {
            return ExchangeError::Ignored;
        };
        let (level, in_context) = (session.user().level(), !session.user().context().is_empty());
        let mut without = Vec::new();
        if in_context {
            without.push((level, ExchangeError::UnknownContext));
        }
        if level.requires_priv() {
            without.push((SecurityLevel::AuthNoPriv, ExchangeError::WrongPrivacy));
        }
        for (level, reason) in without {
            match self.say(|session, id| session.seal_empty(id, level)).await {
                Ok(Heard::Response(_)) => return reason,
                Ok(Heard::Report(refusal)) if refusal.is_about_the_user() => return refusal,
                _ => {}
            }
        }
        ExchangeError::Ignored
    }

    /// Sends until something comes or patience is out.
    ///
    /// The request stays the same over retries, so that a late answer to an earlier
    /// sending counts. As long as the element was not heard, the second sending
    /// goes through a connected socket, which learns of ICMP.
    async fn ask(&mut self, id: i32, request: &[u8]) -> Result<Heard, ExchangeError> {
        let undecodable = self.undecodable;
        for attempt in 0..=self.patience.retries {
            let last = attempt == self.patience.retries;
            // Waiting for the rate of the whole agent is not the element's time.
            self.deadline += self.sockets.pace.turn().await;
            self.pace.turn().await;
            let sent = Instant::now();
            if sent >= self.deadline || self.cost.requests >= self.max_requests {
                return Err(ExchangeError::Deadline);
            }
            let wait = self.trip.timeout(attempt, last, self.patience.first_contact);
            let until = (sent + wait).min(self.deadline);
            self.cost.requests += 1;
            self.cost.retries += u32::from(attempt > 0);
            let heard = if !self.heard && attempt == self.patience.retries.min(1) {
                self.probe(request, id, until).await?
            } else {
                self.send(request).await?;
                self.answer(id, until).await
            };
            if let Some(heard) = heard {
                if attempt == 0 {
                    let took = sent.elapsed();
                    self.trip.measured(took);
                    self.took = Some(took);
                }
                self.heard = true;
                return Ok(heard);
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

    async fn answer(&mut self, id: i32, until: Instant) -> Option<Heard> {
        self.timer.as_mut().reset(until);
        loop {
            let datagram = tokio::select! {
                biased;
                datagram = self.answers.next() => datagram?,
                () = self.timer.as_mut() => {
                    // Where this process had to wait, the answer may have come and nobody looked.
                    tokio::task::yield_now().await;
                    self.answers.take()?
                }
            };
            if let Some(heard) = self.read(datagram, id) {
                return Some(heard);
            }
        }
    }

    fn read(&mut self, datagram: Bytes, id: i32) -> Option<Heard> {
        let read = match &mut self.voice {
            Voice::Community(version, community) => wire::decode(datagram, *version, community)
                .map(|response| (response.request_id == id).then_some(Heard::Response(response))),
            Voice::User(session) => session.open(&datagram, id),
        };
        match read {
            Ok(Some(heard)) => return Some(heard),
            Ok(None) => {
                metrics::counter!("marque_agent_datagram_dropped_total", "reason" => "late").increment(1);
            }
            Err(wire::Undecodable) => self.undecodable += 1,
        }
        None
    }

    /// One sending through a socket connected to the element.
    async fn probe(
        &mut self,
        request: &[u8],
        id: i32,
        until: Instant,
    ) -> Result<Option<Heard>, ExchangeError> {
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
                late = self.answers.next() => late,
                here = udp.recv_buf(&mut buffer) => match here {
                    Ok(_) => Some(Bytes::copy_from_slice(&buffer)),
                    Err(error) if nobody_there(&error) => return Err(ExchangeError::Unreachable),
                    Err(_) => None,
                },
                () = tokio::time::sleep_until(until) => return Ok(None),
            };
            let Some(datagram) = datagram else { return Ok(None) };
            if let Some(heard) = self.read(datagram, id) {
                return Ok(Some(heard));
            }
        }
    }
}

impl Drop for Conversation<'_> {
    fn drop(&mut self) {
        // A younger conversation with the same target keeps its place.
        let mut waiting = self.socket.lock();
        if waiting
            .get(&self.peer)
            .is_some_and(|inbox| Arc::ptr_eq(inbox, &self.answers))
        {
            waiting.remove(&self.peer);
        }
    }
}
