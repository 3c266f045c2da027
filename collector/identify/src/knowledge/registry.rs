//! The two public registries, kept as the text they came in with an index into it.
//!
//! Invariants: nothing is copied out of the text; a name is cut only at character borders;
//! sixty thousand rows of each are read in a few milliseconds.

use super::row::rows;
use super::{KnowledgeError, Proof, normalised};
use std::borrow::Cow;
use std::collections::HashSet;

/// Where a name stands in the text.
#[derive(Debug, Clone, Copy, Default)]
struct Span {
    start: u32,
    octets: u32,
}

impl Span {
    /// Of a part of a text.
    fn of(part: &str, text: &str) -> Self {
        let start = (part.as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
        Self {
            start: u32::try_from(start).unwrap_or(u32::MAX),
            octets: u32::try_from(part.len()).unwrap_or(0),
        }
    }

    fn in_text(self, text: &str) -> &str {
        let start = usize::try_from(self.start).unwrap_or(usize::MAX);
        let octets = usize::try_from(self.octets).unwrap_or(0);
        text.get(start..start.saturating_add(octets)).unwrap_or_default()
    }
}

/// Organisations by IANA private enterprise number.
#[derive(Debug, Default)]
pub(super) struct EnterpriseRegistry {
    text: Cow<'static, str>,
    numbers: Vec<(u32, Span, Span)>,
}

impl EnterpriseRegistry {
    /// Reads `number, organisation, former name`; a row without a number continues the one before.
    pub(super) fn read(file: &str, text: Cow<'static, str>, faults: &mut Vec<KnowledgeError>) -> Self {
        let mut numbers: Vec<(u32, Span, Span)> = Vec::new();
        let mut last: Option<u32> = None;
        for row in rows(file, &text) {
            let number = match (row.cell(0), last) {
                ("", Some(before)) => before.saturating_add(1),
                _ => match row.number(0) {
                    Ok(number) => number,
                    Err(fault) => {
                        faults.push(fault);
                        continue;
                    }
                },
            };
            last = Some(number);
            let (name, former) = (Span::of(row.cell(1), &text), Span::of(row.cell(2), &text));
            numbers.push((number, name, former));
        }
        numbers.sort_by_key(|entry| entry.0);
        for twice in numbers.windows(2) {
            if let [(first, ..), (second, ..)] = twice
                && first == second
            {
                faults.push(KnowledgeError::Row {
                    file: file.to_owned(),
                    line: 1,
                    reason: format!("number {first} is there twice"),
                });
            }
        }
        Self { text, numbers }
    }

    /// All numbers.
    pub(super) fn all(&self) -> impl Iterator<Item = u32> + '_ {
        self.numbers.iter().map(|entry| entry.0)
    }

    /// The organisation a number is registered to, and its former name.
    pub(super) fn get(&self, number: u32) -> Option<(&str, &str)> {
        let at = self.numbers.binary_search_by_key(&number, |entry| entry.0).ok()?;
        let (_, name, former) = self.numbers.get(at)?;
        Some((name.in_text(&self.text), former.in_text(&self.text)))
    }
}

/// Organisations by IEEE prefix.
#[derive(Debug, Default)]
pub(super) struct AddressRegistry {
    text: Cow<'static, str>,
    prefixes: Vec<(u64, u32)>,
    organisations: Vec<Span>,
}

impl AddressRegistry {
    /// Reads `organisation, prefixes`: 6, 7 or 9 hexadecimal digits each.
    pub(super) fn read(file: &str, text: Cow<'static, str>, faults: &mut Vec<KnowledgeError>) -> Self {
        let (mut organisations, mut prefixes) = (Vec::new(), Vec::new());
        for row in rows(file, &text) {
            let organisation = u32::try_from(organisations.len()).unwrap_or(u32::MAX);
            organisations.push(Span::of(row.cell(0), &text));
            for digits in row.list(1, ' ') {
                let bits = match digits.len() {
                    6 => 24,
                    7 => 28,
                    9 => 36,
                    _ => {
                        faults.push(row.error(format!("prefix {digits:?} has not 6, 7 or 9 digits")));
                        continue;
                    }
                };
                match u64::from_str_radix(digits, 16) {
                    Ok(number) => prefixes.push((key(bits, number), organisation)),
                    Err(_) => faults.push(row.error(format!("prefix {digits:?} is not hexadecimal"))),
                }
            }
        }
        prefixes.sort_unstable();
        Self {
            text,
            prefixes,
            organisations,
        }
    }

    /// All organisations by their places.
    pub(super) fn all(&self) -> impl Iterator<Item = (usize, &str)> {
        let name = |(at, span): (usize, &Span)| (at, span.in_text(&self.text));
        self.organisations.iter().enumerate().map(name)
    }

    /// The organisation at a place, and the prefixes it holds.
    pub(super) fn organisation(&self, at: usize) -> Option<(String, Vec<String>)> {
        let name = self.organisations.get(at)?.in_text(&self.text);
        let place = u32::try_from(at).ok()?;
        let held = self.prefixes.iter().filter(|(_, of)| *of == place);
        let prefixes = held.filter_map(|&(key, _)| {
            let bits = u32::try_from(key >> 48).ok()?;
            let prefix = key & ((1 << 48) - 1);
            Some(Prefix { bits, prefix }.to_string())
        });
        Some((name.to_owned(), prefixes.collect()))
    }

    /// The holder of the longest prefix of an address, with that prefix.
    pub(super) fn holder(&self, address: [u8; 6]) -> Option<(&str, Prefix)> {
        let number = address.iter().fold(0_u64, |n, &b| (n << 8) | u64::from(b));
        [36_u32, 28, 24]
            .into_iter()
            .find_map(|bits| self.of(bits, number >> (48 - bits)))
    }

    /// The holder of a prefix of 24 bits.
    pub(super) fn of_24_bits(&self, prefix: u32) -> Option<(&str, Prefix)> {
        self.of(24, u64::from(prefix))
    }

    fn of(&self, bits: u32, prefix: u64) -> Option<(&str, Prefix)> {
        let at = self
            .prefixes
            .binary_search_by_key(&key(bits, prefix), |row| row.0)
            .ok()?;
        let organisation = usize::try_from(self.prefixes.get(at)?.1).ok()?;
        let name = self.organisations.get(organisation)?.in_text(&self.text);
        Some((name, Prefix { bits, prefix }))
    }
}

/// A prefix of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Prefix {
    bits: u32,
    prefix: u64,
}

impl std::fmt::Display for Prefix {
    /// In hexadecimal.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let digits = usize::try_from(self.bits / 4).unwrap_or(0);
        write!(f, "{:0digits$X}", self.prefix)
    }
}

/// Names under which organisations hold prefixes, that is build something with an address.
#[derive(Debug)]
pub(super) struct Builders {
    whole: HashSet<String>,
    first_words: HashSet<String>,
}

impl AddressRegistry {
    /// All holders by their normalised names; takes milliseconds.
    pub(super) fn builders(&self) -> Builders {
        let whole: HashSet<String> = self
            .organisations
            .iter()
            .map(|name| normalised(name.in_text(&self.text)))
            .collect();
        let first = |name: &String| name.split(' ').next().map(str::to_owned);
        Builders {
            first_words: whole.iter().filter_map(first).collect(),
            whole,
        }
    }
}

impl Builders {
    /// How far a normalised name is among them.
    pub(super) fn proof(&self, plain: &str) -> Proof {
        if self.whole.contains(plain) {
            Proof::Builds
        } else if plain
            .split(' ')
            .next()
            .is_some_and(|first| self.first_words.contains(first))
        {
            Proof::Perhaps
        } else {
            Proof::None
        }
    }
}

/// Prefixes of different lengths in one ordered key.
fn key(bits: u32, prefix: u64) -> u64 {
    (u64::from(bits) << 48) | prefix
}
