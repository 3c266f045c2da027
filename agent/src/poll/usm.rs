//! The User-based Security Model (RFC 3414) as seen by who asks: what is known of
//! one engine, and messages to and from it.
//!
//! Invariants: an answer counts only if it carries the identifier of the request
//! under way, and for a user with authentication only if its key signed it; of
//! what nobody signed only the reason of a refusal, an engine ID and a clock to try
//! once are taken. State belongs to an address: engine IDs are not unique in
//! practice.

pub mod message;
pub mod report;

use super::engine::Engine;
use super::socket::ExchangeError;
use super::wire::{self, Pdu, Response, Undecodable};
use crate::credential::user::{Keys, User};
use async_snmp::message::SecurityLevel;
use message::{Incoming, Outgoing};
use prost::bytes::Bytes;
use report::REPORT;
use std::sync::Arc;
use tokio::time::Instant;

/// RFC 3414, 2.2.3: seconds by which clocks may differ.
const TIME_WINDOW: u64 = 150;
/// RFC 3414, 2.2.2: boots and time end here.
const MAX_COUNT: u32 = i32::MAX as u32;

/// An engine and when it told its clock; worth remembering between rounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    engine: Engine,
    at: Instant,
    /// The clock came in a message that the user's key signed.
    proven: bool,
}

impl Known {
    /// What the engine told last.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// snmpEngineBoots and snmpEngineTime now.
    fn clock(&self) -> (u32, u32) {
        let elapsed = u32::try_from(self.at.elapsed().as_secs()).unwrap_or(MAX_COUNT);
        let time = self.engine.time.value.saturating_add(elapsed);
        (self.engine.boots.value, time.min(MAX_COUNT))
    }

    /// RFC 3414, 3.2, 7b: whether a signed message is not older than it may be.
    fn takes(&self, incoming: &Incoming) -> bool {
        let (boots, time) = self.clock();
        match incoming.boots.value.cmp(&boots) {
            std::cmp::Ordering::Greater => true,
            std::cmp::Ordering::Equal => u64::from(incoming.time.value) + TIME_WINDOW >= u64::from(time),
            std::cmp::Ordering::Less => false,
        }
    }
}

/// What an element said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// The answer.
    Response(Response),
    /// Why there is none.
    Report(ExchangeError),
    /// Who it is; the answer to discovery.
    Engine,
}

/// A user's dealings with one element.
pub struct Session<'s> {
    user: &'s User,
    known: Option<Known>,
    keys: Option<Arc<Keys>>,
    /// Of the request under way.
    level: SecurityLevel,
}

impl<'s> Session<'s> {
    /// With nothing known of the engine.
    #[must_use]
    pub fn new(user: &'s User) -> Self {
        Self {
            user,
            known: None,
            keys: None,
            level: user.level(),
        }
    }

    /// Goes on from an earlier round, with the clock of then.
    pub fn remember(&mut self, known: Option<Known>) {
        self.keys = known.as_ref().and_then(|known| self.user.keys(&known.engine.id));
        self.known = known;
    }

    /// What is known of the engine.
    #[must_use]
    pub fn known(&self) -> Option<&Known> {
        self.known.as_ref()
    }

    /// Who asks.
    #[must_use]
    pub fn user(&self) -> &User {
        self.user
    }

    /// A request as the user is configured; [`None`] without an engine.
    pub fn seal(&mut self, id: i32, pdu: Pdu, names: &[Bytes]) -> Option<Vec<u8>> {
        let (level, context) = (self.user.level(), self.user.context().as_bytes());
        self.seal_as(level, context, id, pdu, names)
    }

    /// An empty question in the default context, at a level no better than the user's:
    /// it tells nothing to who listens.
    pub fn seal_empty(&mut self, id: i32, level: SecurityLevel) -> Option<Vec<u8>> {
        self.seal_as(level, &[], id, Pdu::Get, &[])
    }

    fn seal_as(
        &mut self,
        level: SecurityLevel,
        context: &[u8],
        id: i32,
        pdu: Pdu,
        names: &[Bytes],
    ) -> Option<Vec<u8>> {
        self.level = level;
        let known = self.known.as_ref()?;
        let (boots, time) = match level.requires_auth() {
            true => known.clock(),
            // RFC 3414, 3.1, 6: nobody looks at them.
            false => (0, 0),
        };
        Outgoing {
            id,
            level,
            engine: &known.engine.id,
            boots,
            time,
            user: Some(self.user),
            context,
            keys: self.keys.as_deref(),
            pdu,
            names,
        }
        .encode()
    }

    /// Reads what came for the request `id`; [`None`] if it is for an earlier one.
    ///
    /// # Errors
    /// [`Undecodable`] when it cannot be read or must not be believed.
    pub fn open(&mut self, datagram: &Bytes, id: i32) -> Result<Option<Heard>, Undecodable> {
        let incoming = Incoming::read(datagram)?;
        if incoming.id != id {
            return Ok(None);
        }
        let Some(known) = &self.known else {
            self.adopt(incoming, false)?;
            return Ok(Some(Heard::Engine));
        };
        let keys = self.keys.as_deref();
        let ours = incoming.engine == known.engine.id;
        let authentic =
            ours && incoming.user == self.user.name() && keys.is_some_and(|keys| incoming.is_authentic(keys));
        if incoming.level.requires_auth() && !authentic {
            return Err(Undecodable);
        }
        let (pdu_tag, pdu) = incoming.pdu(keys)?;
        match pdu_tag {
            wire::RESPONSE if ours && incoming.level == self.level && pdu.request_id == id => {
                if authentic && known.proven && !known.takes(&incoming) {
                    // Not taken, as RFC 3414 says. Its clock is: some engines' clocks stand
                    // still, and the identifier shows that this one was just said.
                    self.adopt(incoming, true)?;
                    return Ok(Some(Heard::Report(ExchangeError::NotInTimeWindow)));
                }
                self.adopt(incoming, authentic)?;
                Ok(Some(Heard::Response(pdu)))
            }
            REPORT => {
                let refusal = report::refusal(&pdu);
                // The identifier was not to be guessed, so this is about the request under
                // way, however far back the clock went: an engine may have lost its boots.
                let clock = refusal == ExchangeError::NotInTimeWindow && ours;
                let other = refusal == ExchangeError::UnknownEngine && !ours;
                if clock || other {
                    self.adopt(incoming, authentic)?;
                }
                Ok(Some(Heard::Report(refusal)))
            }
            _ => Err(Undecodable),
        }
    }

    /// Forgets the engine, so that the next message is discovery.
    pub fn forget(&mut self) {
        self.remember(None);
    }

    fn adopt(&mut self, incoming: Incoming, proven: bool) -> Result<(), Undecodable> {
        let mut engine = Engine::of(incoming).ok_or(Undecodable)?;
        match &self.known {
            Some(known) if known.engine.id == engine.id => engine.id = known.engine.id.clone(),
            _ => self.keys = self.user.keys(&engine.id),
        }
        self.known = Some(Known {
            engine,
            at: Instant::now(),
            proven,
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests;
