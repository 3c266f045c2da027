//! What texts say: sysDescr and standard identification objects.
//!
//! Invariants: a word counts only as a whole word in its own case; the element's own name in
//! the sysDescr of a Unix is an operator's choice: it counts only for phrases meant for it, of which
//! only codes nobody gives a host name anybody; a name in passing, which operators can write too,
//! needs other evidence beside it.

use crate::index::{Index, evidence_of};
use crate::knowledge::{Knowledge, Phrase, Place, Strength, SupplierRole, normalised};
use crate::maker_field::{Field, for_another, maker_of, source_of};
use crate::weigh::{Findings, Standing, Vote};
use model::{Aspect, EvidenceRef, Signal, Subject, SupplierRef, Varbind};
use std::collections::BTreeMap;
use std::ops::Range;

/// Most characters of a text that are searched.
const MAX_CHARS: usize = 2_000;
/// Words before a name that say somebody else made it.
const BEFORE_ANOTHER: [&str; 10] = [
    "for",
    "with",
    "to",
    "from",
    "of",
    "behind",
    "like",
    "replaces",
    "replacing",
    "non",
];
/// Words after a name that say somebody else made it.
const AFTER_ANOTHER: [&str; 5] = ["compatible", "replacement", "equivalent", "clone", "alternative"];

/// Reads all texts of the unit.
pub(crate) fn read(index: &Index<'_>, knowledge: &Knowledge, findings: &mut Findings) {
    let described: Vec<(String, EvidenceRef)> = index
        .answers(index.sys_descr)
        .map(|varbind| (plain(&varbind.value.octets), evidence_of(varbind)))
        .collect();
    describe(&described, knowledge, findings);
    for (varbind, (text, _)) in index.answers(index.sys_descr).zip(&described) {
        if let Some(vendor) = cable_vendor(text) {
            let weights = (0.6, 0.5);
            maker_field(
                vendor,
                varbind,
                (Signal::SysDescr, weights, CABLE),
                knowledge,
                findings,
            );
        }
    }
    for (kept, standard) in &index.identification {
        let before = findings.votes.len();
        for varbind in index.answers(Some(kept)) {
            let text = varbind.value.text(255).unwrap_or_default();
            let weights = (0.7, 0.5);
            maker_field(
                &text,
                varbind,
                (Signal::IdentObject, weights, standard),
                knowledge,
                findings,
            );
        }
        findings.forget_repeated(before);
    }
}

/// Votes of a text that a standard defines to hold a manufacturer's name; the second weight is that of companies
/// nobody curated.
fn maker_field(
    text: &str,
    varbind: &Varbind,
    (signal, weights, source): (Signal, (f64, f64), &str),
    knowledge: &Knowledge,
    findings: &mut Findings,
) {
    let named = maker_of(text, knowledge);
    if named.for_another {
        let (code, text) = for_another(text);
        findings.doubt(Subject::Unit, code, text, Some(evidence_of(varbind)));
    }
    if let Some(maker) = named.maker {
        let weight = if maker.listed { weights.0 } else { weights.1 };
        let evidence = evidence_of(varbind);
        let field = Field {
            signal,
            weight,
            standing: Standing::Alone,
            evidence,
            source: &source_of(source, varbind, knowledge),
        };
        field.votes(maker, named.brand, findings);
    }
}

const CABLE: &str = "sysDescr of cable equipment, VENDOR, DOCSIS operations support system interface";

/// The maker's field in the sysDescr of cable modems and their head ends, which the standard gives its form:
/// `<<HW_REV: 1; VENDOR: Acme; BOOTR: 2; SW_REV: 3; MODEL: 4>>`.
fn cable_vendor(text: &str) -> Option<&str> {
    let (_, fields) = text.split_once("<<")?;
    let (fields, _) = fields.split_once(">>")?;
    let vendor = |field: &&str| field.trim_start().starts_with("VENDOR:");
    let (_, vendor) = fields.split(';').find(vendor)?.split_once(':')?;
    Some(vendor.trim())
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
fn describe(texts: &[(String, EvidenceRef)], knowledge: &Knowledge, findings: &mut Findings) {
    let mut best: BTreeMap<(Aspect, usize), (Standing, f64, &Phrase, &EvidenceRef)> = BTreeMap::new();
    for (text, evidence) in texts {
        let found = said(text, knowledge);
        for (range, phrase) in &found {
            let opens = range.start == 0 && phrase.place != Place::OwnName;
            let first = opens && !phrase.at_start;
            let weight = (phrase.weight + if first { 0.1 } else { 0.0 }).min(0.85);
            let standing = standing(text, range, phrase, &found, findings.generic, knowledge);
            let aspect = if phrase.brand {
                Aspect::Brand
            } else {
                Aspect::Maker
            };
            let entry = best
                .entry((aspect, phrase.supplier))
                .or_insert((standing, weight, phrase, evidence));
            if (entry.0, entry.1) < (standing, weight) {
                *entry = (standing, weight, phrase, evidence);
            }
        }
    }
    for ((aspect, supplier), (standing, weight, phrase, evidence)) in best {
        let Some(named) = knowledge.named_at(supplier) else {
            continue;
        };
        let aspect = match named.role {
            SupplierRole::Chip => continue,
            SupplierRole::Software => Aspect::Brand,
            _ => aspect,
        };
        if named.role == SupplierRole::Software && standing == Standing::Alone {
            let text = format!(
                "sysDescr names the system ({}), not the hardware",
                named.supplier.name
            );
            findings.doubt_once("software_only", text, Some(evidence.clone()));
        }
        for code in &phrase.doubts {
            findings.known_doubt(code, Some(evidence.clone()));
        }
        findings.votes.push(Vote {
            aspect,
            named,
            signal: Signal::SysDescr,
            weight,
            standing,
            evidence: evidence.clone(),
            knowledge: phrase.key.clone(),
            source: phrase.source.to_owned(),
        });
    }
}

/// The phrases in a sysDescr that count: in the element's own name only those meant for it.
fn said<'a>(text: &'a str, knowledge: &'a Knowledge) -> Vec<(Range<usize>, &'a Phrase)> {
    let own = own_name(text);
    let mut found = phrases(text, knowledge);
    found.retain(|(range, phrase)| {
        let inside = own
            .as_ref()
            .is_some_and(|own| range.start < own.end && own.start < range.end);
        let at_own = own.as_ref().is_some_and(|own| range.start == own.start);
        if phrase.place == Place::OwnName {
            at_own
        } else {
            !inside
        }
    });
    found
}

/// Whether a phrase at this place names its supplier, since operators can write sysDescr.
fn standing(
    text: &str,
    range: &Range<usize>,
    phrase: &Phrase,
    found: &[(Range<usize>, &Phrase)],
    generic: bool,
    knowledge: &Knowledge,
) -> Standing {
    let makes = |phrase: &Phrase| {
        let role = knowledge.named_at(phrase.supplier).map(|named| named.role);
        !phrase.brand && !matches!(role, None | Some(SupplierRole::Chip | SupplierRole::Software))
    };
    let others = || {
        found.iter().any(|(_, other)| {
            other.supplier != phrase.supplier
                && other.strength == Strength::Opening
                && makes(phrase)
                && makes(other)
        })
    };
    let opens = text
        .get(..range.start)
        .is_some_and(|before| !before.contains(char::is_alphanumeric));
    let names = !in_passing(text, range)
        && match phrase.strength {
            Strength::Built => true,
            Strength::Specific if phrase.place == Place::OwnName => true,
            Strength::Specific => opens || !(generic || own_name(text).is_some()),
            Strength::Opening if phrase.place == Place::OwnName => !generic,
            Strength::Opening => opens && !others(),
            Strength::Ambiguous => false,
        };
    if names { Standing::Alone } else { Standing::Told }
}

/// Whether the words beside a name say that somebody else made it: `for X`, `X compatible`.
fn in_passing(text: &str, range: &Range<usize>) -> bool {
    let is_word = |word: &&str| !word.is_empty();
    let before = text.get(..range.start).unwrap_or_default();
    let after = text.get(range.end..).unwrap_or_default();
    let last = before.split(|c: char| !c.is_alphanumeric()).rfind(is_word);
    let next = after.split(|c: char| !c.is_alphanumeric()).find(is_word);
    let among = |word: Option<&str>, words: &[&str]| {
        word.is_some_and(|word| words.contains(&word.to_ascii_lowercase().as_str()))
    };
    among(last, &BEFORE_ANOTHER) || among(last, &AFTER_ANOTHER) || among(next, &AFTER_ANOTHER)
}

/// Whether sysDescr bears the name of the supplier's company (`Huawei Technologies`) and a year from `year` on.
pub(crate) fn signed_since(index: &Index<'_>, supplier: &SupplierRef, year: u32) -> bool {
    let text = index
        .sys_descr
        .map(|v| plain(&v.value.octets).to_lowercase())
        .unwrap_or_default();
    let dated = text
        .split(|c: char| !c.is_ascii_digit())
        .filter(|digits| digits.len() == 4)
        .filter_map(|digits| digits.parse::<u32>().ok())
        .any(|found| (year..2100).contains(&found));
    dated && text.contains(&format!("{} tech", supplier.name.to_lowercase()))
}

/// Words that begin names of companies and of equipment alike.
pub(crate) const ORDINARY: [&str; 32] = [
    "network",
    "networks",
    "power",
    "digital",
    "data",
    "system",
    "systems",
    "smart",
    "advanced",
    "general",
    "global",
    "international",
    "communication",
    "communications",
    "technology",
    "ethernet",
    "switch",
    "wireless",
    "server",
    "software",
    "hardware",
    "linux",
    "remote",
    "control",
    "security",
    "industrial",
    "electronic",
    "computer",
    "storage",
    "video",
    "the",
    "new",
];

/// Whether sysDescr says an organisation's name: its first word, unless an ordinary one, or its initials.
pub(crate) fn speaks_of(index: &Index<'_>, organisation: &str) -> bool {
    let Some(varbind) = index.sys_descr else {
        return false;
    };
    let text = plain(&varbind.value.octets);
    let own = own_name(&text).unwrap_or(0..0);
    let name = normalised(organisation);
    let first = name.split(' ').next().unwrap_or_default();
    let initials: String = name.split(' ').filter_map(|word| word.chars().next()).collect();
    let said = |word: &str, least: usize| {
        let words = text.split(|c: char| !c.is_alphanumeric());
        word.chars().count() >= least
            && words
                .filter(|found| {
                    let start = (found.as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
                    !own.contains(&start)
                })
                .any(|found| found.to_lowercase() == word)
    };
    (said(first, 3) && !ORDINARY.contains(&first)) || said(&initials, 3)
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
        .filter(|(range, _)| !in_passing(text, range))
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
    let mark = |c: Option<char>| c.is_some_and(|c| !c.is_alphanumeric());
    let next = after.chars().next();
    let right = if phrase.digit {
        next.is_some_and(|c| c.is_ascii_digit())
    } else {
        phrase.open || edge(next) || mark(word.chars().next_back())
    };
    let own_case = phrase.lower_case || word.chars().any(char::is_uppercase);
    (edge(before.chars().next_back()) || mark(word.chars().next()))
        && right
        && own_case
        && (!phrase.at_start || before.trim().is_empty())
        && (!phrase.at_end || after.is_empty())
}

/// Where the element's own name stands in the sysDescr of a Unix (`uname -a`).
pub(crate) fn own_name(text: &str) -> Option<Range<usize>> {
    let (system, rest) = text.split_once(' ')?;
    if ![
        "Linux", "FreeBSD", "OpenBSD", "NetBSD", "SunOS", "AIX", "HP-UX", "Darwin",
    ]
    .contains(&system)
    {
        return None;
    }
    let name = rest
        .split(' ')
        .next()
        .filter(|name| !name.is_empty() && *name != "Kernel")?;
    let start = system.len() + 1;
    Some(start..start + name.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_names_are_found() {
        let name = |text: &'static str| own_name(text).map(|range| &text[range]);
        assert_eq!(name("Linux core-1 5.0.0 #1"), Some("core-1"));
        assert_eq!(name("Linux GSE"), Some("GSE"));
        assert_eq!(name("Darwin Kernel Version 16"), None);
        assert_eq!(name("Linux"), None);
        assert_eq!(name("Linux  double"), None);
        assert_eq!(name("Cumulus Linux 3"), None);
    }

    #[test]
    fn cable_equipment_names_its_maker_in_a_field() {
        for (text, vendor) in [
            (
                "Modem <<HW_REV: 2; VENDOR: Acme, Inc.; MODEL: X>>",
                Some("Acme, Inc."),
            ),
            ("<<VENDOR:Acme>>", Some("Acme")),
            ("VENDOR: Acme; MODEL: X", None),
            ("<<HW_REV: 2; MODEL: VENDOR>>", None),
            ("<<VENDOR: Acme", None),
        ] {
            assert_eq!(cable_vendor(text), vendor, "{text}");
        }
    }

    #[test]
    fn texts_become_one_line() {
        assert_eq!(plain(b"\"VRP\r\n  (R)\0 \xff\""), "VRP (R) \u{fffd}");
        assert_eq!(plain(&[b'x'; 10_000]).len(), MAX_CHARS);
    }
}
