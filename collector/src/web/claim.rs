//! Claims and doubts with their bytes, as the pages of a finding and of an element show them.

use super::evidence::Raw;
use super::show;
use model::{Aspect, Claim, Doubt, EvidenceRef, Subject};

/// A claim with everything it rests on.
#[derive(Debug)]
pub struct ClaimLine {
    /// Index of the component; empty for the unit.
    pub about: String,
    /// `made by` or `branded`.
    pub says: &'static str,
    /// Key of the supplier.
    pub supplier_id: String,
    /// Its name.
    pub supplier: String,
    /// Kind of evidence.
    pub signal: &'static str,
    /// Weight alone, in per cent.
    pub weight: String,
    /// Knowledge entry.
    pub knowledge: String,
    /// Source of the entry.
    pub source: String,
    /// Whether the answer agrees with it.
    pub won: bool,
    /// The bytes.
    pub bytes: Bytes,
}

/// A doubt.
#[derive(Debug)]
pub struct DoubtLine {
    /// Index of the component; empty for the unit.
    pub about: String,
    /// Key in words.
    pub code: String,
    /// For people.
    pub text: String,
    /// The bytes in question.
    pub bytes: Option<Bytes>,
}

/// A varbind as it came.
#[derive(Debug)]
pub struct Bytes {
    /// The instance.
    pub oid: String,
    /// Name of the tag.
    pub tag: &'static str,
    /// The tag in hexadecimal.
    pub tag_hex: String,
    /// Content octets.
    pub hex: String,
    /// For people.
    pub shown: String,
    /// Link into the raw evidence.
    pub link: Option<String>,
    /// The observation that holds it: number, how it was asked, how that ended.
    pub observation: Option<(usize, &'static str, &'static str)>,
}

impl ClaimLine {
    /// With links into `raw`, if the evidence can be read.
    #[must_use]
    pub fn new(claim: &Claim, raw: Option<&Raw>) -> Self {
        Self {
            about: about(&claim.subject),
            says: match claim.aspect {
                Aspect::Maker => "made by",
                Aspect::Brand => "branded",
            },
            supplier_id: claim.supplier.id.clone(),
            supplier: show::clean(&claim.supplier.name, 48),
            signal: show::signal(claim.signal),
            weight: show::confidence(claim.confidence),
            knowledge: show::clean(&claim.knowledge, 80),
            source: show::clean(&claim.source, 120),
            won: claim.won,
            bytes: Bytes::new(&claim.evidence, raw),
        }
    }
}

impl DoubtLine {
    /// With links into `raw`, if the evidence can be read.
    #[must_use]
    pub fn new(doubt: &Doubt, raw: Option<&Raw>) -> Self {
        Self {
            about: about(&doubt.subject),
            code: show::clean(&show::words(&doubt.code), 48),
            text: show::clean(&doubt.text, 240),
            bytes: doubt.evidence.as_ref().map(|evidence| Bytes::new(evidence, raw)),
        }
    }
}

impl Bytes {
    fn new(evidence: &EvidenceRef, raw: Option<&Raw>) -> Self {
        let octets = hex::decode(&evidence.octets_hex).unwrap_or_default();
        let held = raw.and_then(|raw| raw.observation(&evidence.oid));
        Self {
            oid: evidence.oid.to_string(),
            tag: show::tag(evidence.tag),
            tag_hex: format!("{:02x}", evidence.tag),
            hex: show::hex_pairs(&octets, 64),
            shown: show::clean(&evidence.shown, 160),
            link: raw.and_then(|raw| raw.link(&evidence.oid)),
            observation: held.map(|(number, observation)| {
                (
                    number,
                    show::kind(observation.question.kind),
                    show::outcome(observation.outcome),
                )
            }),
        }
    }
}

fn about(subject: &Subject) -> String {
    match subject {
        Subject::Unit => String::new(),
        Subject::Component(index) => show::clean(index, 48),
    }
}
