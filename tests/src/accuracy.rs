//! How often identification is right, on recordings of real elements that people labelled.
//!
//! Invariants: a label is read as it is; maker and brand are two answers, and where a label names the brand of
//! what another company builds, that is right and counted apart; elements of which only sysObjectID and sysDescr
//! are known are counted apart; what was measured on knowledge that was made with the same labels is told apart
//! from what was measured without it.

mod label;
mod count;
mod withheld;
mod speed;
mod plot;

pub use count::{Counts, Restricted, Rows};
pub use label::{Label, LabelError, Labels};
pub use plot::{PlotError, reliability};
pub use speed::Speed;
pub use withheld::Withheld;

use identify::{Knowledge, KnowledgeError, identify};
use model::{Evidence, Identification, Subject};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Why nothing could be measured.
#[derive(Debug, thiserror::Error)]
pub enum AccuracyError {
    /// The labels or a recording cannot be read.
    #[error(transparent)]
    Label(#[from] LabelError),
    /// The knowledge cannot be used.
    #[error(transparent)]
    Knowledge(#[from] KnowledgeError),
}

/// One element that was identified, beside its label.
#[derive(Debug)]
pub struct Judged<'a> {
    /// What people say.
    pub label: &'a Label,
    /// What Marque says.
    pub found: Identification,
    /// How the two compare.
    pub verdict: Verdict,
}

/// How an answer compares with a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// The maker of the label, or none where the label has none.
    Right,
    /// Another maker, under the brand that the label names.
    Brand,
    /// Another maker.
    Wrong,
    /// No maker, though the label has one.
    Unknown,
}

/// Everything measured.
#[derive(Debug, Serialize)]
pub struct Accuracy {
    /// Version of the knowledge.
    pub knowledge: String,
    /// Elements with a recording: all, and by what was recorded.
    pub recordings: Rows,
    /// Recordings without interfaces and parts.
    pub system_only: Counts,
    /// Recordings with interfaces, without parts.
    pub with_interfaces: Counts,
    /// Recordings with ENTITY-MIB.
    pub with_parts: Counts,
    /// sysObjectID and sysDescr of every label, alone.
    pub two_strings: Rows,
    /// Parts of the recordings.
    pub components: Components,
    /// Curated facts that a single label rests on.
    pub used_once: UsedOnce,
    /// Each maker with its curated facts withheld; with `--withhold`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub withheld: Option<Withheld>,
    /// Share right by stated confidence, both kinds of rows.
    pub reliability: Vec<Bin>,
    /// Identifying the recordings and the standard mix on one core.
    pub speed: Speed,
}

/// Parts of all recordings.
#[derive(Debug, Default, Serialize)]
pub struct Components {
    /// All parts.
    pub found: usize,
    /// Parts whose maker is named.
    pub with_maker: usize,
    /// Parts of a maker that is not the unit's.
    pub of_another_maker: usize,
    /// Parts of restricted makers in units of others.
    pub restricted_elsewhere: usize,
}

/// Facts that one label alone needs.
#[derive(Debug, Serialize)]
pub struct UsedOnce {
    /// Curated facts that named the maker of any label.
    pub facts_used: usize,
    /// Those that named the maker of one label only, as `--facts` lists them.
    pub once: usize,
    /// Labels that would lose their only fact.
    pub labels_resting_on_one: usize,
    /// Fact and label.
    #[serde(skip)]
    pub list: Vec<(String, String)>,
}

/// Answers of about one confidence.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Bin {
    /// Mean stated confidence.
    pub stated: f64,
    /// Share of them that is right.
    pub right: f64,
    /// How many.
    pub answers: usize,
}

/// Measures everything.
///
/// # Errors
/// [`AccuracyError`] when labels, recordings or knowledge cannot be used.
pub fn measure(labels: &Labels, withhold: bool) -> Result<Accuracy, AccuracyError> {
    let knowledge = Knowledge::built_in()?;
    let recorded = labels.recorded()?;
    let strings: Vec<(&Label, Evidence)> = labels
        .all
        .iter()
        .map(|label| (label, label.two_strings()))
        .collect();
    let whole = judge(&recorded, knowledge);
    let alone = judge(&strings, knowledge);
    let restricted = labels.restricted(knowledge);
    let kind = |wanted: Richness| {
        let of = whole.iter().zip(&recorded);
        Counts::of(
            of.filter(|(_, (_, evidence))| richness(evidence) == wanted)
                .map(|(j, _)| j),
        )
    };
    Ok(Accuracy {
        knowledge: knowledge.version().to_owned(),
        recordings: Rows::of(&whole, &restricted),
        system_only: kind(Richness::System),
        with_interfaces: kind(Richness::Interfaces),
        with_parts: kind(Richness::Parts),
        two_strings: Rows::of(&alone, &restricted),
        components: components(&whole, &restricted),
        used_once: used_once(&alone, &whole),
        withheld: withhold
            .then(|| withheld::measure(labels, &strings, knowledge))
            .transpose()?,
        reliability: bins(whole.iter().chain(&alone)),
        speed: speed::measure(&recorded, knowledge),
    })
}

/// The elements that are not right, for people to look at.
///
/// # Errors
/// [`AccuracyError`] when recordings or knowledge cannot be used.
pub fn misses(labels: &Labels) -> Result<Vec<String>, AccuracyError> {
    let knowledge = Knowledge::built_in()?;
    let recorded = labels.recorded()?;
    let strings: Vec<(&Label, Evidence)> = labels
        .all
        .iter()
        .map(|label| (label, label.two_strings()))
        .collect();
    let told = |kind: &'static str, judged: Vec<Judged<'_>>| {
        judged
            .into_iter()
            .filter(|judged| judged.verdict != Verdict::Right)
            .map(move |judged| {
                format!(
                    "{kind} {:?}: {}: {} is not {}; {}; {}",
                    judged.verdict,
                    judged.label.path,
                    judged.maker(),
                    judged.label.truth,
                    judged.label.object_id,
                    judged.label.descr.chars().take(80).collect::<String>()
                )
            })
            .collect::<Vec<_>>()
    };
    let mut lines = told("recording", judge(&recorded, knowledge));
    lines.extend(told("two strings", judge(&strings, knowledge)));
    Ok(lines)
}

impl Judged<'_> {
    /// The maker's name, or `unknown`.
    #[must_use]
    pub fn maker(&self) -> &str {
        let maker = self.found.maker.as_ref();
        maker.map_or("unknown", |maker| maker.supplier.name.as_str())
    }
}

fn judge<'a>(rows: &[(&'a Label, Evidence)], knowledge: &Knowledge) -> Vec<Judged<'a>> {
    rows.iter()
        .map(|(label, evidence)| {
            let found = identify(evidence, knowledge);
            let verdict = label.verdict(&found, knowledge);
            Judged {
                label,
                found,
                verdict,
            }
        })
        .collect()
}

/// How much of an element was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Richness {
    System,
    Interfaces,
    Parts,
}

fn richness(evidence: &Evidence) -> Richness {
    let below = |root: &[u32]| evidence.varbinds().any(|v| v.oid.arcs().starts_with(root));
    if below(&[1, 3, 6, 1, 2, 1, 47, 1, 1, 1]) {
        Richness::Parts
    } else if below(&[1, 3, 6, 1, 2, 1, 2, 2, 1]) {
        Richness::Interfaces
    } else {
        Richness::System
    }
}

fn components(whole: &[Judged<'_>], restricted: &BTreeSet<String>) -> Components {
    let mut counts = Components::default();
    for judged in whole {
        let unit = judged.found.maker.as_ref().map(|maker| &maker.supplier);
        for part in &judged.found.components {
            counts.found += 1;
            let Some(maker) = &part.maker else { continue };
            counts.with_maker += 1;
            let another = unit != Some(&maker.supplier);
            counts.of_another_maker += usize::from(another);
            let theirs = restricted.contains(&maker.supplier.id)
                && unit.is_none_or(|unit| !restricted.contains(&unit.id));
            counts.restricted_elsewhere += usize::from(theirs);
        }
    }
    counts
}

/// Facts of the curated files; spellings in the registries are nobody's work.
fn used_once(alone: &[Judged<'_>], whole: &[Judged<'_>]) -> UsedOnce {
    let mut users: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    let mut facts_of: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for judged in alone.iter().chain(whole).filter(|j| j.verdict == Verdict::Right) {
        let claims = judged.found.claims.iter();
        for claim in claims.filter(|claim| claim.won && claim.subject == Subject::Unit) {
            let curated = !claim.source.starts_with("IANA private enterprise numbers:")
                && !claim.knowledge.starts_with("oui:");
            let path = judged.label.path.as_str();
            if curated {
                users.entry(claim.knowledge.clone()).or_default().insert(path);
            }
            facts_of.entry(path).or_default().insert(claim.knowledge.clone());
        }
    }
    let list: Vec<(String, String)> = users
        .iter()
        .filter(|(_, users)| users.len() == 1)
        .filter_map(|(fact, users)| Some((fact.clone(), (*users.first()?).to_owned())))
        .collect();
    let resting = list
        .iter()
        .filter(|(_, path)| facts_of.get(path.as_str()).is_some_and(|facts| facts.len() == 1));
    UsedOnce {
        facts_used: users.len(),
        once: list.len(),
        labels_resting_on_one: resting.count(),
        list,
    }
}

/// Answers that name a maker, by tenths of stated confidence.
fn bins<'a>(judged: impl Iterator<Item = &'a Judged<'a>>) -> Vec<Bin> {
    let named = |judged: &Judged<'_>| {
        let maker = judged.found.maker.as_ref()?;
        Some((maker.confidence, judged.verdict == Verdict::Right))
    };
    tenths(judged.filter_map(named))
}

fn tenths(answers: impl Iterator<Item = (f64, bool)>) -> Vec<Bin> {
    let mut tenths: BTreeMap<u32, (f64, usize, usize)> = BTreeMap::new();
    for (confidence, right) in answers {
        let tenth = (1..10_u32)
            .rev()
            .find(|n| confidence >= f64::from(*n) / 10.0)
            .unwrap_or(0);
        let bin = tenths.entry(tenth).or_default();
        bin.0 += confidence;
        bin.1 += usize::from(right);
        bin.2 += 1;
    }
    tenths
        .into_values()
        .map(|(stated, right, answers)| Bin {
            stated: stated / count::real(answers),
            right: count::share(right, answers),
            answers,
        })
        .collect()
}
