//! What texts say: sysDescr and standard identification objects.
//!
//! Invariants: a word counts only as a whole word in its own case; the node name in a Unix
//! sysDescr is an operator's choice and counts only for phrases meant for it; noise is no name.

use crate::index::{Index, evidence_of};
use crate::knowledge::{Knowledge, Named, Phrase, Place, SupplierRole, normalised};
use crate::weigh::{Findings, Vote};
use model::{Aspect, EvidenceRef, Signal, Varbind};
use std::collections::BTreeMap;
use std::ops::Range;

/// Most characters of a text that are searched.
const MAX_CHARS: usize = 2_000;
/// Words that stand where a maker's name is missing.
const NOISE: [&str; 26] = [
    "n a",
    "na",
    "none",
    "null",
    "nil",
    "unknown",
    "unknow",
    "oem",
    "generic",
    "default",
    "not available",
    "not applicable",
    "not specified",
    "unspecified",
    "invalid",
    "vendor",
    "manufacturer",
    "mfg",
    "sfp",
    "sfp+",
    "qsfp",
    "noname",
    "no name",
    "other",
    "empty",
    "to be filled by o e m",
];

/// Reads all texts of the unit.
pub(crate) fn read(index: &Index<'_>, knowledge: &Knowledge, findings: &mut Findings) {
    if let Some(varbind) = index.sys_descr {
        describe(
            &plain(&varbind.value.octets),
            &evidence_of(varbind),
            knowledge,
            findings,
        );
    }
    for (varbind, standard) in &index.identification {
        let text = varbind.value.text(255).unwrap_or_default();
        if let Some((maker, brand)) = maker_of(&text, knowledge) {
            let weight = if maker.listed { 0.7 } else { 0.5 };
            let evidence = evidence_of(varbind);
            let field = Field {
                signal: Signal::IdentObject,
                weight,
                alone: true,
                evidence,
                source: standard,
            };
            field.votes(maker, brand, findings);
        }
    }
}

/// One line, one blank between words; the readings of bytes that are no UTF-8 are replaced.
pub(crate) fn plain(octets: &[u8]) -> String {
    let bounded = octets.get(..octets.len().min(MAX_CHARS * 2)).unwrap_or_default();
    let text = String::from_utf8_lossy(bounded);
    let mut plain = String::with_capacity(text.len());
    for c in text.chars().take(MAX_CHARS) {
        if c.is_control() || c.is_whitespace() || c == '"' {
            if !plain.is_empty() && !plain.ends_with(' ') {
                plain.push(' ');
            }
        } else {
            plain.push(c);
        }
    }
    plain.truncate(plain.trim_end().len());
    plain
}

/// Votes of the words in sysDescr, the strongest one for each supplier.
fn describe(text: &str, evidence: &EvidenceRef, knowledge: &Knowledge, findings: &mut Findings) {
    let node = node_name(text);
    let mut best: BTreeMap<(Aspect, usize), (f64, &Phrase)> = BTreeMap::new();
    for (range, phrase) in phrases(text, knowledge) {
        let inside = node
            .as_ref()
            .is_some_and(|node| range.start < node.end && node.start < range.end);
        let at_node = node.as_ref().is_some_and(|node| range.start == node.start);
        if (phrase.place == Place::Host && !at_node) || (phrase.place != Place::Host && inside) {
            continue;
        }
        let first = range.start == 0 && phrase.place != Place::Host && !phrase.at_start;
        let weight = (phrase.weight + if first { 0.1 } else { 0.0 }).min(0.85);
        let aspect = if phrase.brand {
            Aspect::Brand
        } else {
            Aspect::Maker
        };
        let entry = best.entry((aspect, phrase.supplier)).or_insert((weight, phrase));
        if entry.0 < weight {
            *entry = (weight, phrase);
        }
    }
    for ((aspect, supplier), (weight, phrase)) in best {
        let Some(named) = knowledge.named_at(supplier) else {
            continue;
        };
        let aspect = match named.role {
            SupplierRole::Chip => continue,
            SupplierRole::Software => Aspect::Brand,
            _ => aspect,
        };
        for code in &phrase.doubts {
            findings.known_doubt(code, Some(evidence.clone()));
        }
        findings.votes.push(Vote {
            aspect,
            named,
            signal: Signal::SysDescr,
            weight,
            alone: true,
            evidence: evidence.clone(),
            knowledge: phrase.key.clone(),
            source: phrase.source.to_owned(),
        });
    }
}

/// A text of a part, which has at most 255 octets (RFC 6933, SnmpAdminString).
pub(crate) fn part_text(varbind: &Varbind) -> String {
    let octets = &varbind.value.octets;
    plain(octets.get(..octets.len().min(255)).unwrap_or_default())
}

/// The phrase a text of a part begins with, the longest one.
pub(crate) fn first_phrase<'a>(text: &'a str, knowledge: &'a Knowledge) -> Option<&'a Phrase> {
    phrases(text, knowledge)
        .into_iter()
        .filter(|(range, phrase)| range.start == 0 && phrase.place == Place::Any && !phrase.brand)
        .max_by_key(|(range, _)| range.end)
        .map(|(_, phrase)| phrase)
}

/// Phrases that stand in the text as whole words; one inside a longer one of the same aspect is left out.
fn phrases<'a>(text: &'a str, knowledge: &'a Knowledge) -> Vec<(Range<usize>, &'a Phrase)> {
    let mut found: Vec<(Range<usize>, &Phrase)> = knowledge
        .phrases_in(text)
        .filter(|(start, end, phrase)| stands(text, *start, *end, phrase))
        .map(|(start, end, phrase)| (start..end, phrase))
        .collect();
    found.sort_by_key(|(range, _)| (range.start, std::cmp::Reverse(range.end)));
    let mut reached = [0_usize; 2];
    found.retain(|(range, phrase)| {
        let covered = reached.get_mut(usize::from(phrase.brand));
        let Some(covered) = covered else { return false };
        let inside = range.end < *covered;
        *covered = (*covered).max(range.end);
        !inside
    });
    found
}

fn stands(text: &str, start: usize, end: usize, phrase: &Phrase) -> bool {
    let (Some(before), Some(word), Some(after)) = (text.get(..start), text.get(start..end), text.get(end..))
    else {
        return false;
    };
    let edge = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
    let next = after.chars().next();
    let right = if phrase.digit {
        next.is_some_and(|c| c.is_ascii_digit())
    } else {
        phrase.open || edge(next)
    };
    let own_case = phrase.lower_case || word.chars().any(char::is_uppercase);
    edge(before.chars().next_back())
        && right
        && own_case
        && (!phrase.at_start || before.trim().is_empty())
        && (!phrase.at_end || after.is_empty())
}

/// Where the node name stands in the sysDescr of a Unix (`uname -a`).
pub(crate) fn node_name(text: &str) -> Option<Range<usize>> {
    let (system, rest) = text.split_once(' ')?;
    if ![
        "Linux", "FreeBSD", "OpenBSD", "NetBSD", "SunOS", "AIX", "HP-UX", "Darwin",
    ]
    .contains(&system)
    {
        return None;
    }
    let node = rest
        .split(' ')
        .next()
        .filter(|node| !node.is_empty() && *node != "Kernel")?;
    let start = system.len() + 1;
    Some(start..start + node.len())
}

/// The maker's name a field holds, with the brand when it holds both (`CISCO-ACCELINK`).
/// `None` when it holds noise.
pub(crate) fn maker_of(text: &str, knowledge: &Knowledge) -> Option<(Named, Option<Named>)> {
    let text = text.trim().trim_matches('"').trim();
    if !is_name(text) {
        return None;
    }
    let whole = knowledge.named(text)?;
    if let Some((left, right)) = text.split_once('-')
        && let (Some(brand), Some(maker)) = (knowledge.named(left), knowledge.named(right))
        && brand.listed
        && maker.listed
        && brand.supplier != maker.supplier
        && (!whole.listed || whole.supplier == brand.supplier)
    {
        return Some((maker, Some(brand)));
    }
    let code = text.chars().rev().take_while(char::is_ascii_digit).count() >= 2;
    let marks = text.contains(['@', '<', '=', '/', '\\', '{', ':']);
    (whole.listed || !(code || marks)).then_some((whole, None))
}

/// Whether a field that should hold a maker's name holds one.
pub(crate) fn is_name(text: &str) -> bool {
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    let plain = normalised(text);
    let revision = ["v", "rev", "ver", "version", "revision", "r"]
        .iter()
        .any(|word| {
            plain
                .strip_prefix(word)
                .is_some_and(|rest| rest.trim_start().starts_with(|c: char| c.is_ascii_digit()))
        });
    letters >= 2
        && text.chars().count() <= 64
        && !NOISE.contains(&plain.as_str())
        && !revision
        && !plain.starts_with("0x")
}

/// A field that holds a maker's name.
pub(crate) struct Field<'a> {
    pub(crate) signal: Signal,
    pub(crate) weight: f64,
    pub(crate) alone: bool,
    pub(crate) evidence: EvidenceRef,
    pub(crate) source: &'a str,
}

impl Field<'_> {
    /// Votes for the maker it names, and for the brand when it names both.
    pub(crate) fn votes(self, maker: Named, brand: Option<Named>, findings: &mut Findings) {
        let aspect = match maker.role {
            SupplierRole::Chip => return,
            SupplierRole::Software => Aspect::Brand,
            _ => Aspect::Maker,
        };
        for (aspect, named) in [(aspect, Some(maker)), (Aspect::Brand, brand)] {
            let Some(named) = named else { continue };
            findings.votes.push(Vote {
                aspect,
                knowledge: format!("supplier:{}", named.supplier.id),
                named,
                signal: self.signal,
                weight: self.weight,
                alone: self.alone,
                evidence: self.evidence.clone(),
                source: self.source.to_owned(),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maker_fields_hold_makers_or_noise() {
        let knowledge = Knowledge::built_in().unwrap();
        let cases = [
            ("Huawei Technologies Co., Ltd.", Some(("huawei", None))),
            ("HUAWEI          ", Some(("huawei", None))),
            ("CISCO-ACCELINK  ", Some(("accelink", Some("cisco")))),
            ("Alcatel-Lucent", Some(("nokia", None))),
            ("Huawei-3Com", Some(("h3c", None))),
            ("FIBERLAND", Some(("fiberland", None))),
            ("4LAN_HW", Some(("4lan_hw", None))),
            ("N/A", None),
            ("OEM", None),
            ("", None),
            ("0x8086", None),
            ("8086:1533", None),
            ("V1.2", None),
            ("Rev. 3", None),
            ("DNT00", None),
            ("a=b", None),
        ];
        for (text, expected) in cases {
            let found = maker_of(text, knowledge);
            let found = found.map(|(maker, brand)| (maker.supplier.id, brand.map(|brand| brand.supplier.id)));
            let found = found
                .as_ref()
                .map(|(maker, brand)| (maker.as_str(), brand.as_deref()));
            assert_eq!(found, expected, "{text:?}");
        }
    }

    #[test]
    fn node_names_are_found() {
        let node = |text: &'static str| node_name(text).map(|range| &text[range]);
        assert_eq!(node("Linux core-1 5.0.0 #1"), Some("core-1"));
        assert_eq!(node("Linux GSE"), Some("GSE"));
        assert_eq!(node("Darwin Kernel Version 16"), None);
        assert_eq!(node("Linux"), None);
        assert_eq!(node("Linux  double"), None);
        assert_eq!(node("Cumulus Linux 3"), None);
    }

    #[test]
    fn texts_become_one_line() {
        assert_eq!(plain(b"\"VRP\r\n  (R)\0 \xff\""), "VRP (R) \u{fffd}");
        assert_eq!(plain(&[b'x'; 10_000]).len(), MAX_CHARS);
    }
}
