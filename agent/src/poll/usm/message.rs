//! Messages of SNMPv3 with the User-based Security Model (RFC 3412, 6; RFC 3414, 2.4).
//!
//! Written with the library's BER codec and cryptography, read more tolerantly than
//! the library's own messages: engine identifiers of any length and sizes of any
//! value occur. Invariants: reading is total over hostile octets; what was read is
//! believed only after [`Incoming::is_authentic`].

use crate::credential::user::{Keys, User};
use crate::poll::wire::{self, Pdu, Undecodable, drop_cause};
use async_snmp::ber::{Decoder, EncodeBuf, tag};
use async_snmp::message::SecurityLevel;
use async_snmp::v3::auth::{authenticate_message, verify_message};
use prost::bytes::Bytes;

/// RFC 3412, 6: the version field of SNMPv3.
const VERSION: i32 = 3;
/// RFC 3411, 5: the number of the User-based Security Model.
const USM: i32 = 3;
/// RFC 3412, 6.4: asks for a report if something is wrong.
const REPORTABLE: u8 = 4;
/// What we can receive: the largest UDP payload over IPv4. Smaller sizes make some
/// elements fail instead of answering with less.
const MAX_SIZE: i32 = 65_507;
/// The longest message digest (RFC 7860, 4.2.1) before it is known.
const NO_MAC: [u8; 48] = [0; 48];

/// Everything one request says.
pub struct Outgoing<'a> {
    /// Of the message and of the request in it.
    pub id: i32,
    /// How it is protected.
    pub level: SecurityLevel,
    /// msgAuthoritativeEngineID; empty in discovery.
    pub engine: &'a [u8],
    /// As the engine counts them.
    pub boots: u32,
    /// Seconds since its last boot.
    pub time: u32,
    /// [`None`] in discovery.
    pub user: Option<&'a User>,
    /// contextName; empty is the default one.
    pub context: &'a [u8],
    /// Of the user at this engine, unless nothing is protected.
    pub keys: Option<&'a Keys>,
    /// What is asked.
    pub pdu: Pdu,
    /// About what.
    pub names: &'a [Bytes],
}

impl Outgoing<'_> {
    /// Encodes, encrypts and signs; [`None`] when keys are missing for the level.
    #[must_use]
    pub fn encode(&self) -> Option<Vec<u8>> {
        let name: &[u8] = self.user.map_or(&[], User::name);
        let scoped = |buf: &mut EncodeBuf| {
            buf.push_sequence(|buf| {
                wire::push_pdu(buf, self.id, self.pdu, self.names)?;
                buf.push_octet_string(self.context)?;
                buf.push_octet_string(self.engine)
            })
        };
        let size = 160 + wire::names_size(self.names);
        let sealed = match self.level.requires_priv() {
            false => None,
            true => {
                let mut buf = EncodeBuf::with_capacity(size);
                scoped(&mut buf).ok()?;
                let key = self.keys?.privacy.as_ref()?;
                Some(self.user?.encrypt(key, &buf.finish(), self.boots, self.time)?)
            }
        };
        let auth = match self.level.requires_auth() {
            true => Some(&self.keys?.auth),
            false => None,
        };
        let no_mac = NO_MAC.get(..auth.map_or(0, async_snmp::LocalizedKey::mac_len))?;
        let (boots, time) = (i32::try_from(self.boots).ok()?, i32::try_from(self.time).ok()?);
        // The buffer grows from its end to its front: the last field first.
        let mut buf = EncodeBuf::with_capacity(size + 64);
        let mut after_mac = 0;
        buf.push_sequence(|buf| {
            match &sealed {
                Some((octets, _)) => buf.push_octet_string(octets)?,
                None => scoped(buf)?,
            }
            buf.push_constructed(tag::universal::OCTET_STRING, |buf| {
                buf.push_sequence(|buf| {
                    buf.push_octet_string(sealed.as_ref().map_or(&[], |(_, salt)| salt))?;
                    after_mac = buf.len();
                    buf.push_octet_string(no_mac)?;
                    buf.push_octet_string(name)?;
                    buf.push_integer(time);
                    buf.push_integer(boots);
                    buf.push_octet_string(self.engine)
                })
            })?;
            buf.push_sequence(|buf| {
                buf.push_integer(USM);
                buf.push_octet_string(&[self.level.to_flags() | REPORTABLE])?;
                buf.push_integer(MAX_SIZE);
                buf.push_integer(self.id);
                Ok(())
            })?;
            buf.push_integer(VERSION);
            Ok(())
        })
        .ok()?;
        let mut message = buf.finish_vec();
        if let Some(key) = auth {
            let at = message.len().checked_sub(after_mac + no_mac.len())?;
            authenticate_message(key, &mut message, at, no_mac.len()).ok()?;
        }
        Some(message)
    }
}

/// A number of the header, as it arrived and as it counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    /// BER content octets.
    pub octets: Bytes,
    /// What they say; 0 if that is no count.
    pub value: u32,
}

/// A message as it arrived.
#[derive(Debug, Clone)]
pub struct Incoming {
    /// Which request it is about.
    pub id: i32,
    /// How it claims to be protected.
    pub level: SecurityLevel,
    /// msgAuthoritativeEngineID.
    pub engine: Bytes,
    /// msgAuthoritativeEngineBoots.
    pub boots: Count,
    /// msgAuthoritativeEngineTime, in seconds.
    pub time: Count,
    /// msgUserName.
    pub user: Bytes,
    mac_at: usize,
    mac_length: usize,
    salt: Bytes,
    /// From the version to the last octet that belongs to the message.
    whole: Bytes,
    /// A scoped PDU with its tag, or the content of an OCTET STRING.
    payload: Bytes,
}

impl Incoming {
    /// Reads a message without believing or decrypting it. Octets after it are
    /// ignored, as elements are known to pad.
    ///
    /// # Errors
    /// [`Undecodable`] when it is no message of SNMPv3 with this security model.
    pub fn read(datagram: &Bytes) -> Result<Self, Undecodable> {
        let mut message = Decoder::new(datagram.clone());
        let length = message.expect_tag(tag::universal::SEQUENCE).map_err(drop_cause)?;
        let end = message.offset().saturating_add(length);
        if end > datagram.len() {
            return Err(Undecodable);
        }
        let whole = datagram.slice(..end);
        if message.read_integer().map_err(drop_cause)? != VERSION {
            return Err(Undecodable);
        }
        let mut global = message.read_sequence().map_err(drop_cause)?;
        let id = global.read_integer().map_err(drop_cause)?;
        // What the element can receive: our requests are small.
        global.skip_tlv().map_err(drop_cause)?;
        let flags = global.read_octet_string().map_err(drop_cause)?;
        let level = match *flags {
            [flags] => SecurityLevel::from_flags(flags).ok_or(Undecodable)?,
            _ => return Err(Undecodable),
        };
        if global.read_integer().map_err(drop_cause)? != USM {
            return Err(Undecodable);
        }
        let length = message
            .expect_tag(tag::universal::OCTET_STRING)
            .map_err(drop_cause)?;
        let mut security = message.sub_decoder(length).map_err(drop_cause)?;
        let mut security = security.read_sequence().map_err(drop_cause)?;
        let engine = security.read_octet_string().map_err(drop_cause)?;
        let boots = count(&mut security)?;
        let time = count(&mut security)?;
        let user = security.read_octet_string().map_err(drop_cause)?;
        let mac = security.read_octet_string().map_err(drop_cause)?;
        let mac_at = security.offset().checked_sub(mac.len()).ok_or(Undecodable)?;
        let salt = security.read_octet_string().map_err(drop_cause)?;
        let payload = if level.requires_priv() {
            message.read_octet_string().map_err(drop_cause)?
        } else {
            whole.slice(message.offset().min(end)..)
        };
        Ok(Self {
            id,
            level,
            engine,
            boots,
            time,
            user,
            mac_at,
            mac_length: mac.len(),
            salt,
            whole,
            payload,
        })
    }

    /// Whether the user's key at the engine signed it.
    #[must_use]
    pub fn is_authentic(&self, keys: &Keys) -> bool {
        self.level.requires_auth()
            && self.mac_length == keys.auth.mac_len()
            && verify_message(&keys.auth, &self.whole, self.mac_at, self.mac_length).unwrap_or(false)
    }

    /// The PDU in it, decrypted if need be: its tag and itself.
    ///
    /// # Errors
    /// [`Undecodable`] when there is none or the keys do not open it.
    pub fn pdu(&self, keys: Option<&Keys>) -> Result<(u8, wire::Response), Undecodable> {
        let payload = if self.level.requires_priv() {
            let key = keys.and_then(|keys| keys.privacy.as_ref()).ok_or(Undecodable)?;
            key.decrypt(&self.payload, self.boots.value, self.time.value, &self.salt)
                .map_err(|_| Undecodable)?
        } else {
            self.payload.clone()
        };
        let mut scoped = Decoder::new(payload).read_sequence().map_err(drop_cause)?;
        // contextEngineID and contextName: the identifier of the message says enough.
        scoped.read_octet_string().map_err(drop_cause)?;
        scoped.read_octet_string().map_err(drop_cause)?;
        let pdu_tag = scoped.peek_tag().ok_or(Undecodable)?;
        Ok((pdu_tag, wire::read_pdu(&mut scoped, pdu_tag)?))
    }
}

fn count(from: &mut Decoder<'_>) -> Result<Count, Undecodable> {
    let length = from.expect_tag(tag::universal::INTEGER).map_err(drop_cause)?;
    let octets = from.read_bytes(length).map_err(drop_cause)?;
    let value = Decoder::new(octets.clone())
        .read_integer_value(length)
        .ok()
        .and_then(|value| u32::try_from(value).ok());
    Ok(Count {
        octets,
        value: value.unwrap_or(0),
    })
}
