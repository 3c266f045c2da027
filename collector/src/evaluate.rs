//! The second reconciler step: undone elements to judgements. The crate decides, this fetches and saves.
//!
//! Invariant: a partial walk may add facts, never remove them; silence removes nothing.

pub(crate) mod declared;
mod life;

use life::Present;
use model::on_file::OnFile;
use model::{Completeness, ComponentIdentity, ElementId, Identification, Inputs, Instant};
use policy::{Part, PartialDate, Policies, Question, Situation, Told};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use store::record::{FindingStep, IdentifiedSighting, Judged, JudgedElement, Stage, Subject, Undone, place};
use store::{Store, StoreError};
use time::Date;

/// Elements judged in one transaction.
const BATCH: u32 = 64;

/// Longest display name taken from a device, in characters.
const NAME_CHARS: usize = 100;

/// Who has not answered for so many days is no longer known to be as it was.
const STALE_DAYS: i64 = 7;

/// A maker named with less than this is not known well enough to clear an element.
pub(crate) const KNOWN: f64 = 0.5;

/// Who the operator is, and what it has on file.
#[derive(Clone, Copy)]
pub struct Operator<'a> {
    /// What it is before the law.
    pub tags: &'a BTreeSet<String>,
    /// What it is called, as approvals name it.
    pub name: &'a str,
    /// Approvals, shares and prices.
    pub on_file: &'a OnFile,
}

/// What every judgement of one pass rests on.
#[derive(Clone, Copy)]
pub struct Law<'a> {
    /// The policies.
    pub policies: &'a Policies,
    /// The operator.
    pub operator: Operator<'a>,
    /// The day judged for.
    pub as_of: Date,
}

/// Does a bounded amount; returns how many inputs were done.
///
/// # Errors
/// [`StoreError`] when the store cannot be read or written; nothing is half done.
pub async fn step(store: &dyn Store, law: Law<'_>, now: Instant) -> Result<usize, StoreError> {
    let mut done = Vec::new();
    for undone in store.undone(Stage::Evaluate, BATCH).await? {
        let element: ElementId = undone.key.parse().map_err(|_| StoreError::Damaged("element"))?;
        let subject = store
            .subject(element)
            .await?
            .ok_or(StoreError::Damaged("element"))?;
        done.push(judge(undone, subject, law, now));
    }
    let count = done.len();
    if count > 0 {
        store.save_judged(done, now).await?;
    }
    Ok(count)
}

/// Standing and steps of findings that judging a subject would bring; nothing is saved.
#[must_use]
pub fn foresee(subject: Subject, law: Law<'_>) -> (String, Vec<FindingStep>) {
    let undone = Undone {
        key: String::new(),
        revision: 0,
        since: Instant(0),
    };
    // When it would be recorded is in none of the steps.
    let judged = judge(undone, subject, law, Instant(0));
    let steps = judged.findings.into_iter().map(|one| one.step).collect();
    (judged.judged.standing, steps)
}

fn judge(undone: Undone, mut subject: Subject, law: Law<'_>, now: Instant) -> JudgedElement {
    subject.place.tags.extend(law.operator.tags.iter().cloned());
    let present = subject.complete.as_ref().or(subject.partial.as_ref());
    let mut parts = parts(&subject, acquired(&subject));
    let seen = present.map(|p| &p.identification);
    let approvals = declared::approvals(law.operator.on_file, &subject);
    declared::tell(&mut parts, &approvals, law.operator, &subject.place, seen);
    let results = policy::evaluate(
        &Situation {
            place: &subject.place,
            parts: &parts,
        },
        law.policies,
        &Question::on(law.as_of),
    );
    let maker_known = present.is_some_and(|p| is_known(&p.identification));
    let complete = subject.latest == Some(Completeness::Complete)
        && subject.complete.is_some()
        && is_fresh(subject.last_walk, law.as_of);
    let inputs = Inputs {
        digest: present.map(|p| p.digest),
        partial: subject.partial.as_ref().map(|p| p.digest),
        latest: subject.latest,
        knowledge: present
            .map(|p| p.identification.knowledge.clone())
            .unwrap_or_default(),
        policies: law.policies.version().to_owned(),
        facts: facts_version(&(
            &subject.place,
            &approvals,
            &law.operator.on_file.shares,
            law.operator.name,
        )),
        as_of: law.as_of.to_string(),
    };
    let rests = Present {
        inputs: &inputs,
        seen,
        complete,
        as_of: law.as_of,
        now,
    };
    let there = life::of_the_present(&subject, &results);
    let standing = policy::standing(&subject.place, law.policies, &there, maker_known, complete);
    JudgedElement {
        undone,
        element: subject.place.element,
        name: name(&subject, present),
        contradictions: declared::contradictions(&subject, &approvals, seen),
        findings: life::moves(&subject, &results, rests),
        why: rests.why(&subject, subject.judged.as_ref().map(|judged| &judged.inputs)),
        judged: Judged {
            standing: standing.as_str().to_owned(),
            inputs,
        },
        results,
    }
}

/// Whether the maker of the unit is told clearly, and by nothing contradicted.
pub(crate) fn is_known(identification: &Identification) -> bool {
    let contradicted = identification
        .doubts
        .iter()
        .any(|doubt| doubt.subject == model::Subject::Unit && doubt.code == "contradiction");
    identification
        .maker
        .as_ref()
        .is_some_and(|maker| maker.confidence >= KNOWN)
        && !contradicted
}

/// Whether it was walked within [`STALE_DAYS`] before the end of the day judged for.
pub(crate) fn is_fresh(last_walk: Option<Instant>, as_of: Date) -> bool {
    last_walk
        .and_then(Instant::date)
        .is_some_and(|day| (as_of - day).whole_days() <= STALE_DAYS)
}

/// The day the unit was acquired: as declared, unless it was seen to take another one's place since.
pub(crate) fn acquired(subject: &Subject) -> Option<PartialDate> {
    let declared = subject
        .place
        .acquired
        .as_deref()
        .and_then(|text| text.parse::<PartialDate>().ok());
    let moved_in = subject
        .tenure
        .filter(|tenure| tenure.swapped)
        .map(|tenure| tenure.from);
    let moved_in = moved_in
        .and_then(Instant::date)
        .and_then(|day| day.to_string().parse::<PartialDate>().ok());
    match (declared, moved_in) {
        (Some(declared), Some(moved_in)) if moved_in.first() > declared.last() => Some(moved_in),
        (None, moved_in) => moved_in,
        (declared, _) => declared,
    }
}

/// Unit and components that name somebody; a later partial walk adds to the complete one.
pub(crate) fn parts(subject: &Subject, acquired: Option<PartialDate>) -> Vec<Part> {
    // Parts that stood in the unit when it was first seen are as old as the unit is declared to be.
    let initial = subject
        .initial
        .as_ref()
        .map(|first| FirstParts::of(&first.components));
    let mut parts = BTreeMap::new();
    for sighting in [&subject.partial, &subject.complete].into_iter().flatten() {
        let identification = &sighting.identification;
        let seen = sighting.from.date().and_then(|day| day.to_string().parse().ok());
        parts.insert(None, unit(identification, acquired));
        for component in &identification.components {
            let came_later = initial.as_ref().is_some_and(|first| !first.had(component));
            let part = Part {
                component: Some(component.index.clone()),
                class: Some(component.class),
                label: if component.name.is_empty() {
                    &component.description
                } else {
                    &component.name
                }
                .clone(),
                maker: component.maker.clone(),
                brand: component.brand.clone(),
                acquired: if came_later { seen } else { acquired },
                told: Told::default(),
            };
            parts.insert(part.component.clone(), part);
        }
    }
    parts
        .into_values()
        .filter(|part| part.maker.is_some() || part.brand.is_some())
        .collect()
}

fn unit(identification: &Identification, acquired: Option<PartialDate>) -> Part {
    Part {
        component: None,
        class: None,
        label: identification.unit.model.clone().unwrap_or_default(),
        maker: identification.maker.clone(),
        brand: identification.brand.clone(),
        acquired,
        told: Told::default(),
    }
}

/// The parts a unit was first seen with. entPhysicalIndex may be given out anew at each boot (RFC 6933), and a
/// serial number may be told only later: neither makes an old part new.
struct FirstParts<'a> {
    serials: BTreeSet<&'a str>,
    by_index: BTreeMap<&'a str, &'a ComponentIdentity>,
}

impl<'a> FirstParts<'a> {
    fn of(components: &'a [ComponentIdentity]) -> Self {
        let serials = components.iter().map(|part| part.serial.as_str());
        Self {
            serials: serials.filter(|serial| !serial.is_empty()).collect(),
            by_index: components
                .iter()
                .map(|part| (part.index.as_str(), part))
                .collect(),
        }
    }

    /// Whether it was there, or nothing shows that it was not.
    fn had(&self, part: &ComponentIdentity) -> bool {
        let agrees = |a: &str, b: &str| a.is_empty() || b.is_empty() || a == b;
        self.serials.contains(part.serial.as_str())
            || self
                .by_index
                .get(part.index.as_str())
                .is_some_and(|first| agrees(&first.serial, &part.serial) && agrees(&first.model, &part.model))
    }
}

pub(crate) fn name(subject: &Subject, present: Option<&IdentifiedSighting>) -> String {
    if !subject.name.is_empty() {
        return subject.name.clone();
    }
    let told = present
        .and_then(|p| p.identification.unit.sys_name.as_deref())
        .filter(|n| !n.is_empty());
    let place = place(&subject.address, &subject.context);
    told.unwrap_or(&place).chars().take(NAME_CHARS).collect()
}

/// Version of what the operator declares about one element and about itself.
pub(crate) fn facts_version(facts: &impl Serialize) -> String {
    // Facts hold nothing that JSON cannot say; were it otherwise, they would all be of one version.
    let text = serde_json::to_vec(facts).unwrap_or_default();
    hex::encode(Sha256::digest(&text)).chars().take(16).collect()
}

#[cfg(test)]
mod tests;
