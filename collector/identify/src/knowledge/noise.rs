//! What stands in makers' fields and names nobody: each kind with its name.
//!
//! Invariants: a curated supplier's name is never a seller's code; blanks are told by octets, all else by the text.

use super::KnowledgeError;
use super::names;
use super::row::Row;

/// A kind of noise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum NoiseKind {
    /// Padding around a name.
    Blanks,
    /// A word for a missing name.
    Filler,
    /// The number of a device on a bus.
    PciId,
    /// A revision of hardware or software.
    Revision,
    /// The number of a seller, a stock or a board.
    ResellerCode,
}

impl NoiseKind {
    /// What a doubt about it is called, and what it is.
    pub(crate) fn told(self) -> (&'static str, &'static str) {
        match self {
            Self::Blanks => ("noise_blanks", "blanks"),
            Self::Filler => ("noise_filler", "a word for a missing name"),
            Self::PciId => ("noise_pci_id", "a PCI identifier"),
            Self::Revision => ("noise_revision", "a revision"),
            Self::ResellerCode => ("noise_reseller_code", "the code of a seller or a stock"),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Form {
    EndsIn(u8),
    Is(String),
    BeforeDigit(String),
    HexadecimalAfter(String),
    HexadecimalBetween(String),
    DigitsAtEnd(usize),
    Holds(String),
}

/// One row of noise.tsv.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    kind: NoiseKind,
    form: Form,
}

impl Rule {
    /// Reads a row: kind, form, text, source.
    pub(super) fn read(row: &Row<'_>) -> Result<Self, KnowledgeError> {
        let kind = match row.cell(0) {
            "blanks" => NoiseKind::Blanks,
            "filler" => NoiseKind::Filler,
            "pci_id" => NoiseKind::PciId,
            "revision" => NoiseKind::Revision,
            "reseller_code" => NoiseKind::ResellerCode,
            other => return Err(row.error(format!("kind {other:?} is unknown"))),
        };
        let text = row.cell(2);
        if text.is_empty() || text.to_lowercase() != text {
            return Err(row.error("text is empty or holds capital letters, so it never matches"));
        }
        let form = match (row.cell(1), text) {
            ("ends_in", "blank") => Form::EndsIn(b' '),
            ("ends_in", "nul") => Form::EndsIn(0),
            ("ends_in", other) => return Err(row.error(format!("{other:?} is neither blank nor nul"))),
            ("is", text) => Form::Is(text.to_owned()),
            ("before_digit", text) => Form::BeforeDigit(text.to_owned()),
            ("hexadecimal_after", text) => Form::HexadecimalAfter(text.to_owned()),
            ("hexadecimal_between", text) => Form::HexadecimalBetween(text.to_owned()),
            ("digits_at_end", _) => Form::DigitsAtEnd(row.number(2)?.max(1) as usize),
            ("holds", text) => Form::Holds(text.to_owned()),
            (other, _) => return Err(row.error(format!("form {other:?} is unknown"))),
        };
        if matches!(form, Form::EndsIn(_)) != (kind == NoiseKind::Blanks) {
            return Err(row.error("blanks are what a field ends in, and nothing else is"));
        }
        row.source(3)?;
        Ok(Self { kind, form })
    }

    /// Whether a field, in lower case and as words, is noise whoever is called so.
    fn is(&self, lower: &str, words: &str) -> bool {
        match &self.form {
            Form::Is(text) => words == text,
            Form::BeforeDigit(text) => words
                .strip_prefix(text.as_str())
                .is_some_and(|rest| rest.trim_start().starts_with(|c: char| c.is_ascii_digit())),
            // What follows in brackets or after a blank makes no name of a number.
            Form::HexadecimalAfter(text) => lower.strip_prefix(text.as_str()).is_some_and(|rest| {
                is_hexadecimal(
                    rest.split(|c: char| !c.is_alphanumeric())
                        .next()
                        .unwrap_or_default(),
                )
            }),
            Form::HexadecimalBetween(text) => lower
                .split_once(text.as_str())
                .is_some_and(|(a, b)| [a, b].iter().all(|part| part.len() == 4 && is_hexadecimal(part))),
            Form::EndsIn(_) | Form::DigitsAtEnd(_) | Form::Holds(_) => false,
        }
    }

    /// Whether a field is noise unless a curated supplier is called so.
    fn may_be(&self, lower: &str) -> bool {
        match &self.form {
            Form::DigitsAtEnd(least) => {
                lower.chars().rev().take_while(char::is_ascii_digit).count() >= *least
            }
            Form::Holds(text) => lower.contains(text.as_str()),
            _ => false,
        }
    }
}

fn is_hexadecimal(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_hexdigit())
}

/// All kinds of noise.
#[derive(Debug, Default)]
pub(super) struct Noise(pub(super) Vec<Rule>);

impl Noise {
    /// What a field is, whoever is called so.
    pub(super) fn of(&self, text: &str) -> Option<NoiseKind> {
        let lower = text.to_lowercase();
        let words: Vec<&str> = lower
            .split(|c: char| !c.is_alphanumeric() && c != '+')
            .filter(|word| !word.is_empty())
            .collect();
        let words = words.join(" ");
        // As it would be read as a name, too: without brackets and legal form.
        let name = names::normalised(text);
        let found = self
            .0
            .iter()
            .find(|rule| rule.is(&lower, &words) || rule.is(&lower, &name));
        found.map(|rule| rule.kind)
    }

    /// What a field is, unless a curated supplier is called so.
    pub(super) fn unless_known(&self, text: &str) -> Option<NoiseKind> {
        let lower = text.to_lowercase();
        let found = self.0.iter().find(|rule| rule.may_be(&lower));
        found.map(|rule| rule.kind)
    }

    /// Whether octets end in padding behind something else.
    pub(super) fn pads(&self, octets: &[u8]) -> bool {
        let pads = |octet: u8| self.0.iter().any(|rule| rule.form == Form::EndsIn(octet));
        octets.last().copied().is_some_and(pads) && !octets.iter().copied().all(pads)
    }
}
