//! The answer to one datagram (RFC 1157 for version 1, RFC 3416 for version 2c).

mod discovery;
pub(super) mod secured;

use super::story::PLACE;
use super::view::{Found, Row, encode};
use super::{Behaviour, Element};
use async_snmp::ber::EncodeBuf;
use async_snmp::message::CommunityMessage;
use async_snmp::pdu::{Pdu, PduType};
use async_snmp::{DecodeConfig, Version};
use model::{Oid, Value};
use std::sync::atomic::Ordering;

/// More repetitions than this are never answered at once.
const MOST_REPETITIONS: u32 = 1_000;
/// Room for everything of a message but its variable bindings, lengths at their longest.
const OVERHEAD: usize = 44;

/// entPhysicalSerialNum (RFC 6933).
const SERIAL: [u32; 12] = [1, 3, 6, 1, 2, 1, 47, 1, 1, 1, 1, 11];

const TOO_BIG: i32 = 1;
const NO_SUCH_NAME: i32 = 2;
const NO_ACCESS: i32 = 6;
const NO_SUCH_OBJECT: u8 = 0x80;
const NO_SUCH_INSTANCE: u8 = 0x81;
const END_OF_MIB_VIEW: u8 = 0x82;

/// A request, and how much of an answer fits.
struct Request<'a> {
    element: &'a Element,
    version: Version,
    pdu: &'a Pdu,
    room: usize,
    uptime: u32,
}

/// A response without the message around it.
struct Reply {
    status: i32,
    index: usize,
    varbinds: Vec<u8>,
}

/// What becomes of a request.
enum Verdict {
    /// Variable bindings, encoded.
    Objects(Vec<u8>),
    /// An error status and the index of the binding at fault, from 1.
    Error(i32, usize),
}

impl Element {
    /// What the element sends back, if anything.
    #[must_use]
    pub fn answer(&self, datagram: &[u8]) -> Option<Vec<u8>> {
        let received = self.requests.fetch_add(1, Ordering::Relaxed) + 1;
        match self.behaviour {
            Behaviour::Silent | Behaviour::Absent => return None,
            Behaviour::Garbage => return Some(garbage(datagram)),
            Behaviour::Lossy(nth) if received.is_multiple_of(nth) => return None,
            _ => {}
        }
        let Ok(outcome) = CommunityMessage::decode(datagram.to_vec().into(), DecodeConfig::DEFAULT) else {
            return secured::answer(self, datagram).or_else(|| discovery::answer(self, datagram));
        };
        let message = outcome.value;
        let pdu = message.pdu().standard()?;
        if !message.community().matches(&self.community) {
            return None;
        }
        let request = Request {
            element: self,
            version: message.version(),
            pdu,
            room: self.max_size.saturating_sub(OVERHEAD + self.community.len()),
            uptime: self.uptime(),
        };
        request.serve().and_then(|reply| request.message(&reply))
    }
}

impl Request<'_> {
    fn serve(&self) -> Option<Reply> {
        let verdict = match self.pdu.pdu_type() {
            PduType::GetRequest => self.get(),
            _ if self.element.behaviour == Behaviour::HalfDead => return None,
            PduType::GetNextRequest => self.next(),
            PduType::GetBulkRequest if self.element.behaviour == Behaviour::NoBulk => return None,
            PduType::GetBulkRequest => self.bulk(),
            PduType::SetRequest if self.version == Version::V1 => Verdict::Error(NO_SUCH_NAME, 1),
            PduType::SetRequest => Verdict::Error(NO_ACCESS, 1),
            _ => return None,
        };
        let (status, index, varbinds) = match verdict {
            Verdict::Objects(varbinds) => (0, 0, varbinds),
            // RFC 3416, 4.2.1: a response that says tooBig has no variable bindings.
            Verdict::Error(TOO_BIG, _) if self.version != Version::V1 => (TOO_BIG, 0, Vec::new()),
            Verdict::Error(TOO_BIG, _) => (TOO_BIG, 0, self.echo()),
            Verdict::Error(status, index) => (status, index, self.echo()),
        };
        Some(Reply {
            status,
            index,
            varbinds,
        })
    }

    fn get(&self) -> Verdict {
        let mut out = Vec::with_capacity(512);
        for (position, asked) in self.pdu.varbinds().iter().enumerate() {
            let exception = match self.element.view.get(asked.oid.arcs()) {
                Found::Row(row) if !self.hidden(row) => {
                    self.tell(row, &mut out);
                    continue;
                }
                Found::NoSuchInstance => NO_SUCH_INSTANCE,
                Found::NoSuchObject | Found::Row(_) => NO_SUCH_OBJECT,
            };
            if self.version == Version::V1 {
                return Verdict::Error(NO_SUCH_NAME, position + 1);
            }
            out.extend(exceptional(asked.oid.arcs(), exception));
        }
        self.fit(out, self.pdu.varbinds().len())
    }

    fn next(&self) -> Verdict {
        let mut out = Vec::with_capacity(512);
        for (position, asked) in self.pdu.varbinds().iter().enumerate() {
            match self.following(asked.oid.arcs()) {
                Some(row) => self.append(row, &mut out),
                None if self.version == Version::V1 => return Verdict::Error(NO_SUCH_NAME, position + 1),
                None => out.extend(exceptional(asked.oid.arcs(), END_OF_MIB_VIEW)),
            }
        }
        self.fit(out, self.pdu.varbinds().len())
    }

    /// RFC 3416, 4.2.3: as many as fit, and `tooBig` only if not even the first does.
    fn bulk(&self) -> Verdict {
        let (non_repeaters, repetitions) = self.pdu.get_bulk_fields().unwrap_or((0, 0));
        let non_repeaters = usize::try_from(non_repeaters).unwrap_or(usize::MAX);
        let mut names: Vec<Vec<u32>> = self
            .pdu
            .varbinds()
            .iter()
            .map(|v| v.oid.arcs().to_vec())
            .collect();
        let mut out = Vec::with_capacity(1_500);
        let mut count = 0;
        let times = match self.element.behaviour {
            Behaviour::Amplifying(times) => times,
            _ => 1,
        };
        let rounds = repetitions.saturating_mul(times).min(MOST_REPETITIONS);
        let first = names.len().min(non_repeaters);
        'rounds: for round in 0..=rounds {
            // Round 0 serves the non-repeaters, the others the rest.
            let served = if round == 0 {
                names.get_mut(..first)
            } else {
                names.get_mut(first..)
            };
            let mut ended = true;
            for name in served.into_iter().flatten() {
                let before = out.len();
                match self.following(name) {
                    Some(row) => {
                        self.append(row, &mut out);
                        row.arcs().clone_into(name);
                        ended = false;
                    }
                    None => out.extend(exceptional(name, END_OF_MIB_VIEW)),
                }
                if out.len() > self.room {
                    out.truncate(before);
                    if count == 0 {
                        return Verdict::Error(TOO_BIG, 0);
                    }
                    break 'rounds;
                }
                count += 1;
            }
            if ended && round > 0 {
                break;
            }
        }
        self.fit(out, count)
    }

    /// A word is told where it is asked for by name: what a walk brings from beyond its table nobody keeps.
    fn tell(&self, row: &Row, out: &mut Vec<u8>) {
        let story = self.element.story.as_ref().filter(|_| row.arcs() == PLACE);
        match story.and_then(|story| story.tell(self.uptime)) {
            Some(value) => out.extend(encode(&Oid::from_arcs(&PLACE).to_ber(), &value)),
            None => self.append(row, out),
        }
    }

    fn append(&self, row: &Row, out: &mut Vec<u8>) {
        if let Behaviour::Lying(after) = self.element.behaviour
            && row.arcs().starts_with(&SERIAL)
            && self.element.requests.load(Ordering::Relaxed) > after
        {
            out.extend(encode(
                &Oid::from_arcs(row.arcs()).to_ber(),
                &Value::octet_string("another"),
            ));
            return;
        }
        row.append(self.uptime, out);
    }

    /// The object after a name, as this element counts.
    fn following(&self, name: &[u32]) -> Option<&Row> {
        let view = &self.element.view;
        let mut position = view.after(name);
        if let Behaviour::Looping(nth) = self.element.behaviour
            && let Some(before) = position.checked_sub(1)
            && position.is_multiple_of(nth)
            && view.at(before).is_some_and(|row| row.arcs() == name)
        {
            position = before;
        }
        while view.at(position).is_some_and(|row| self.hidden(row)) {
            position += 1;
        }
        view.at(position)
    }

    /// Whether this version of the protocol cannot show an object (RFC 3584, 4.2.2.1).
    fn hidden(&self, row: &Row) -> bool {
        self.version == Version::V1 && row.is_counter64()
    }

    fn fit(&self, out: Vec<u8>, count: usize) -> Verdict {
        let too_many = matches!(self.element.behaviour, Behaviour::TooBig(most) if count > most);
        if out.len() > self.room || too_many {
            Verdict::Error(TOO_BIG, 0)
        } else {
            Verdict::Objects(out)
        }
    }

    /// The bindings as asked.
    fn echo(&self) -> Vec<u8> {
        self.pdu
            .varbinds()
            .iter()
            .flat_map(|asked| exceptional(asked.oid.arcs(), Value::NULL))
            .collect()
    }

    fn message(&self, reply: &Reply) -> Option<Vec<u8>> {
        let size = reply.varbinds.len() + OVERHEAD + self.element.community.len();
        let mut buffer = EncodeBuf::with_capacity(size);
        let whole = buffer.push_sequence(|buffer| {
            self.push_response(buffer, reply)?;
            buffer.push_octet_string(&self.element.community)?;
            buffer.push_integer(self.version.as_i32());
            Ok(())
        });
        whole.ok().map(|()| buffer.finish_vec())
    }

    fn push_response(&self, buffer: &mut EncodeBuf, reply: &Reply) -> async_snmp::Result<()> {
        buffer.push_constructed(0xa2, |buffer| {
            buffer.push_sequence(|buffer| {
                buffer.push_bytes(&reply.varbinds);
                Ok(())
            })?;
            buffer.push_integer(i32::try_from(reply.index).unwrap_or(0));
            buffer.push_integer(reply.status);
            buffer.push_integer(self.pdu.request_id());
            Ok(())
        })
    }
}

/// A binding whose value is a bare tag: an exception of RFC 3416 or NULL.
fn exceptional(name: &[u32], tag: u8) -> Vec<u8> {
    encode(
        &Oid::from_arcs(name).to_ber(),
        &Value {
            tag,
            octets: Vec::new(),
        },
    )
}

/// Octets that are no SNMP, different for each request and the same for the same one.
fn garbage(datagram: &[u8]) -> Vec<u8> {
    let seed = datagram
        .iter()
        .fold(7_u8, |sum, &octet| sum.wrapping_mul(31).wrapping_add(octet));
    (0..u8::max(seed, 8))
        .map(|n| seed.wrapping_mul(n).wrapping_add(n ^ 0x5a))
        .collect()
}

#[cfg(test)]
mod tests;
