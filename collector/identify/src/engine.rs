//! What an SNMPv3 engine ID says by itself, of somebody who told nothing else: words, and who may have made it.
//!
//! Operators can write it, images clone it, and nobody signs it: it says where to look and proves nothing, and a maker
//! it makes possible stands far below what an element says of itself. Invariants: pure and total over any octets.

use crate::address::is_assigned;
use crate::index::Index;
use crate::knowledge::{EnterpriseKind, Knowledge, SupplierRole};
use crate::neighbour::{HEARSAY, MOST_CONFIDENCE};
use crate::weigh::{Findings, Vote, together};
use crate::{object_id, text};
use model::{
    Aspect, Attribution, Evidence, Observation, Oid, Outcome, Question, QuestionKind, Value, Varbind,
};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// snmpEngineID.0 (SNMP-FRAMEWORK-MIB, RFC 3411).
const ENGINE_ID: &[u32] = &[1, 3, 6, 1, 6, 3, 10, 2, 1, 1, 0];
/// Characters of a registered owner that are shown.
const OWNER_CHARS: usize = 96;

/// An engine ID, read.
#[derive(Debug, Clone, PartialEq)]
pub struct EngineWords {
    /// What the ID is made of, in words; or what is wrong with it.
    pub form: &'static str,
    /// Whether it is one by RFC 3411.
    pub valid: bool,
    /// The private enterprise number in it.
    pub enterprise: Option<u32>,
    /// Whom IANA's registry names for that number.
    pub owner: Option<String>,
    /// Whether that number comes with software, a kit or a standard and is told by equipment of many makers.
    pub generic: bool,
    /// The hardware address in it, `aa:bb:cc:dd:ee:ff`.
    pub mac: Option<String>,
    /// Whom IEEE's registries name for that address.
    pub holder: Option<String>,
    /// The network address in it.
    pub address: Option<IpAddr>,
    /// The text in it.
    pub text: Option<String>,
    /// Who may have made it, never surely.
    pub maker: Option<Attribution>,
}

/// Reads an engine ID, or as much of it as was kept; `length` is how many octets it has.
#[must_use]
pub fn words(octets: &[u8], length: usize, knowledge: &Knowledge) -> EngineWords {
    let Shape {
        form,
        valid,
        mac,
        address,
        text,
    } = shape(octets, length);
    let number = match octets {
        [a, b, c, d, _, ..] => Some(u32::from_be_bytes([a & 0x7f, *b, *c, *d])).filter(|number| *number != 0),
        _ => None,
    };
    // What is none by the standard may hold anything: it is shown and not read further.
    let number = number.filter(|_| valid);
    let registered = |number| Some(knowledge.registrant(number)?.organisation.to_owned());
    let holder = mac
        .filter(|mac| is_assigned(*mac))
        .and_then(|mac| knowledge.holder(mac));
    let generic = |number: u32| {
        let entry = knowledge.enterprise(&[number]);
        entry.is_some_and(|entry| {
            entry.supplier.is_none()
                || matches!(entry.kind, EnterpriseKind::Generic | EnterpriseKind::Software)
        })
    };
    EngineWords {
        form,
        valid,
        enterprise: number,
        owner: number.and_then(registered).map(|owner| cut(&owner)),
        generic: number.is_some_and(generic),
        mac: mac.map(|mac| mac.map(|octet| format!("{octet:02x}")).join(":")),
        holder: holder.map(|(organisation, _)| cut(organisation)),
        address,
        text,
        maker: if valid { maker(octets, knowledge) } else { None },
    }
}

fn cut(text: &str) -> String {
    text.chars().take(OWNER_CHARS).collect()
}

/// An engine ID taken apart.
struct Shape {
    form: &'static str,
    valid: bool,
    mac: Option<[u8; 6]>,
    address: Option<IpAddr>,
    text: Option<String>,
}

/// RFC 3411, 5: SnmpEngineID; format 6 is that of RFC 5343.
fn shape(octets: &[u8], length: usize) -> Shape {
    let wrong = |form| Shape {
        form,
        valid: false,
        mac: None,
        address: None,
        text: None,
    };
    let right = |form| Shape {
        valid: true,
        ..wrong(form)
    };
    let is_all = |octet: u8| octets.iter().all(|one| *one == octet);
    let (first, format, rest) = match octets {
        [] => return wrong("empty"),
        _ if is_all(0) || is_all(0xff) => return wrong("no engine ID: one octet over and over"),
        [first, _, _, _, format, rest @ ..] if length <= 32 => (*first, *format, rest),
        _ if length > 32 => return wrong("no engine ID: longer than 32 octets"),
        _ => return wrong("no engine ID: shorter than 5 octets"),
    };
    if first & 0x80 == 0 {
        return match length {
            12 => right("of the time before RFC 3411: octets of the maker's choice"),
            _ => wrong("no engine ID: of the time before RFC 3411, and not 12 octets"),
        };
    }
    let v4 = || <[u8; 4]>::try_from(rest).map(IpAddr::from).ok();
    let v6 = || <[u8; 16]>::try_from(rest).map(IpAddr::from).ok();
    let holds = |form, shape: Shape, holds: bool| match holds {
        true => Shape { form, ..shape },
        false => wrong("no engine ID: its format and its length do not fit"),
    };
    match format {
        1 => {
            let address = v4();
            let shape = Shape { address, ..right("") };
            holds("made of an IPv4 address", shape, address.is_some())
        }
        2 => {
            let address = v6();
            let shape = Shape { address, ..right("") };
            holds("made of an IPv6 address", shape, address.is_some())
        }
        3 => {
            let mac = <[u8; 6]>::try_from(rest).ok();
            let shape = Shape { mac, ..right("") };
            holds("made of a hardware address", shape, mac.is_some())
        }
        4 => {
            let text = text::plain(rest);
            let shape = Shape {
                text: Some(text),
                ..right("")
            };
            holds("made of a text that somebody wrote", shape, !rest.is_empty())
        }
        5 => holds("made of octets that somebody chose", right(""), !rest.is_empty()),
        6 => holds(
            "the one by which an engine means itself (RFC 5343)",
            right(""),
            rest.is_empty(),
        ),
        128.. => right("of a form of the enterprise's own"),
        _ => wrong("no engine ID: of a format that nobody defined"),
    }
}

/// Who may have made it, by enterprise number and hardware address: one of the curated suppliers, and nobody where
/// they are of two.
fn maker(octets: &[u8], knowledge: &Knowledge) -> Option<Attribution> {
    let evidence = Evidence {
        observations: vec![Observation {
            question: Question {
                kind: QuestionKind::Engine,
                oids: Vec::new(),
            },
            outcome: Outcome::Complete,
            varbinds: vec![Varbind {
                oid: Oid::from_arcs(ENGINE_ID),
                value: Value::octet_string(octets),
            }],
        }],
    };
    let index = Index::new(&evidence, knowledge);
    let mut findings = Findings::default();
    object_id::engine(&index, knowledge, &mut findings);
    // Makers of chips and of software are in everybody's equipment.
    let speaks = |vote: &&Vote| {
        vote.aspect == Aspect::Maker
            && vote.named.listed
            && !matches!(vote.named.role, SupplierRole::Chip | SupplierRole::Software)
    };
    let mut suppliers: BTreeMap<&str, Vec<&Vote>> = BTreeMap::new();
    for vote in findings.votes.iter().filter(speaks) {
        suppliers.entry(&vote.named.supplier.id).or_default().push(vote);
    }
    let (Some((_, votes)), 1) = (suppliers.first_key_value(), suppliers.len()) else {
        return None;
    };
    Some(Attribution {
        supplier: votes.first()?.named.supplier.clone(),
        confidence: (together(votes) * HEARSAY).min(MOST_CONFIDENCE),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(hexadecimal: &str) -> EngineWords {
        let octets = hex::decode(hexadecimal).unwrap();
        words(&octets, octets.len(), Knowledge::built_in().unwrap())
    }

    #[test]
    fn each_form_of_the_standard_is_told_in_words() {
        for (id, form, number, more) in [
            // The forms of RFC 3411, 5, and what net-snmp makes of each.
            ("80001f8801c0000201", "made of an IPv4 address", 8072, "192.0.2.1"),
            (
                "80001f880220010db8000000000000000000000007",
                "made of an IPv6 address",
                8072,
                "2001:db8::7",
            ),
            (
                "80001f880300e0fc123456",
                "made of a hardware address",
                8072,
                "00:e0:fc:12:34:56",
            ),
            (
                "80001f88046c61623c623e",
                "made of a text that somebody wrote",
                8072,
                "lab<b>",
            ),
            ("80001f8805aabbcc", "made of octets that somebody chose", 8072, ""),
            (
                "80001f88802f1b7d6a1c5e8d6500000000",
                "of a form of the enterprise's own",
                8072,
                "",
            ),
            ("8000000006", "the one by which an engine means itself", 0, ""),
            ("000000090200aabbccddeeff", "of the time before RFC 3411", 9, ""),
        ] {
            let told = read(id);
            assert!(told.valid && told.form.starts_with(form), "{id}: {told:?}");
            assert_eq!(told.enterprise.unwrap_or(0), number, "{id}");
            let address = told.address.map(|address| address.to_string());
            let shown = address.or(told.mac).or(told.text).unwrap_or_default();
            assert_eq!(shown, more, "{id}");
        }
    }

    #[test]
    fn what_is_no_engine_id_says_so_and_names_nobody() {
        for (id, length, words_of) in [
            ("", 0, "empty"),
            ("07", 1, "shorter than 5"),
            ("800007db", 4, "shorter than 5"),
            ("00000000000000000000", 10, "over and over"),
            ("ffffffffff", 5, "over and over"),
            ("800007db0300e0fc1234", 10, "do not fit"),
            ("800007db01c00002", 8, "do not fit"),
            ("800007db02c0000201", 9, "do not fit"),
            ("800007db04", 5, "do not fit"),
            ("800007db0700", 6, "nobody defined"),
            ("000007db0300e0fc123456", 11, "not 12 octets"),
            (
                "800007db0300e0fc123456000000000000000000000000000000000000000000",
                40,
                "longer than 32",
            ),
        ] {
            let octets = hex::decode(id).unwrap();
            let told = words(&octets, length, Knowledge::built_in().unwrap());
            assert!(!told.valid && told.form.contains(words_of), "{id}: {told:?}");
            assert_eq!(
                (told.enterprise, told.mac, told.maker),
                (None, None, None),
                "{id}"
            );
        }
    }

    #[test]
    fn a_maker_is_possible_and_never_sure_and_software_names_nobody() {
        let maker = |id: &str| read(id).maker.map(|maker| (maker.supplier.id, maker.confidence));
        let (both, both_sure) = maker("800007db0300e0fc123456").unwrap();
        let (number, number_sure) = maker("800007db80aabbccddeeff0011").unwrap();
        let (address, address_sure) = maker("80001f880300e0fc123456").unwrap();
        assert_eq!([both, number, address], ["huawei", "huawei", "huawei"]);
        assert!(both_sure <= MOST_CONFIDENCE && both_sure > number_sure && both_sure > address_sure);
        for id in [
            // net-snmp at random, by address, by text; a number nobody holds; a local address.
            "80001f88802f1b7d6a1c5e8d6500000000",
            "80001f8801c0000201",
            "80001f880468756177656920726f75746572",
            "fffffffe80aabbccddeeff0011",
            "80001f880302e0fc123456",
            // Enterprise number and address of two makers.
            "80000f3e0300e0fc123456",
        ] {
            assert_eq!(maker(id), None, "{id}");
        }
        let generic = read("80001f88802f1b7d6a1c5e8d6500000000");
        assert!(generic.generic && generic.owner.is_some_and(|owner| owner.contains("net-snmp")));
        let huawei = read("800007db0300e0fc123456");
        assert!(!huawei.generic && huawei.owner.unwrap().to_lowercase().contains("huawei"));
        assert!(huawei.holder.unwrap().to_lowercase().contains("huawei"));
    }
}
