//! The second reconciler step: undone elements to judgements. The crate decides, this fetches and saves.
//!
//! Invariant: a partial walk may add facts, never remove them; silence removes nothing.

use model::{Completeness, ElementId, Identification, Instant, ResultClass, RuleResult, UnitIdentity};
use policy::lifecycle::{self, Step};
use policy::{Part, Policies, Situation};
use std::collections::{BTreeMap, BTreeSet};
use store::record::{
    FindingStep, FoundUnit, IdentifiedSighting, Judged, JudgedElement, Stage, Subject, TenureStep, Undone,
};
use store::{Store, StoreError};
use time::Date;

/// Elements judged in one transaction.
const BATCH: u32 = 64;

/// Longest display name taken from a device, in characters.
const NAME_CHARS: usize = 100;

/// What every judgement of one pass rests on.
#[derive(Clone, Copy)]
pub struct Law<'a> {
    /// The policies.
    pub policies: &'a Policies,
    /// Who the operator is before the law.
    pub operator_tags: &'a BTreeSet<String>,
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
        done.push(judge(undone, subject, law));
    }
    let count = done.len();
    if count > 0 {
        store.save_judged(done, now).await?;
    }
    Ok(count)
}

fn judge(undone: Undone, mut subject: Subject, law: Law<'_>) -> JudgedElement {
    subject.place.tags.extend(law.operator_tags.iter().cloned());
    let parts = parts(&subject);
    let results = policy::evaluate(
        &Situation {
            place: &subject.place,
            parts: &parts,
        },
        law.policies,
        law.as_of,
    );
    let present = subject.complete.as_ref().or(subject.partial.as_ref());
    let maker_known = parts.iter().any(|p| p.component.is_none() && p.maker.is_some());
    let complete = subject.latest == Some(Completeness::Complete) && subject.complete.is_some();
    let judged = Judged {
        standing: policy::standing(&results, maker_known, complete)
            .as_str()
            .to_owned(),
        policies: law.policies.version().to_owned(),
        knowledge: present
            .map(|p| p.identification.knowledge.clone())
            .unwrap_or_default(),
        digest: present.map(|p| p.digest),
        as_of: law.as_of.to_string(),
    };
    JudgedElement {
        undone,
        element: subject.place.element,
        name: name(&subject, present),
        findings: finding_steps(&subject, &results, complete),
        tenure: tenure_step(&subject, present),
        cause: cause(&subject, &judged),
        judged,
        results,
    }
}

/// Unit and components that name somebody; a later partial walk adds to the complete one.
fn parts(subject: &Subject) -> Vec<Part> {
    let mut parts = BTreeMap::new();
    for sighting in [&subject.partial, &subject.complete].into_iter().flatten() {
        for part in named(&sighting.identification) {
            parts.insert(part.component.clone(), part);
        }
    }
    parts.into_values().collect()
}

fn named(identification: &Identification) -> impl Iterator<Item = Part> {
    let unit = Part {
        component: None,
        class: None,
        label: identification.unit.model.clone().unwrap_or_default(),
        maker: identification.maker.clone(),
        brand: identification.brand.clone(),
    };
    let components = identification.components.iter().map(|c| Part {
        component: Some(c.index.clone()),
        class: Some(c.class),
        label: if c.name.is_empty() {
            c.description.clone()
        } else {
            c.name.clone()
        },
        maker: c.maker.clone(),
        brand: c.brand.clone(),
    });
    std::iter::once(unit)
        .chain(components)
        .filter(|p| p.maker.is_some() || p.brand.is_some())
}

fn name(subject: &Subject, present: Option<&IdentifiedSighting>) -> String {
    if !subject.name.is_empty() {
        return subject.name.clone();
    }
    let told = present
        .and_then(|p| p.identification.unit.sys_name.as_deref())
        .filter(|n| !n.is_empty());
    told.unwrap_or(&subject.address)
        .chars()
        .take(NAME_CHARS)
        .collect()
}

type Key<'a> = (&'a str, Option<&'a str>, &'a str);

fn key(result: &RuleResult) -> Key<'_> {
    (&result.rule, result.component.as_deref(), &result.supplier)
}

fn finding_steps(subject: &Subject, results: &[RuleResult], complete: bool) -> Vec<FindingStep> {
    let known: BTreeMap<Key<'_>, _> = subject.findings.iter().map(|f| (key(&f.result), f)).collect();
    let now: BTreeMap<Key<'_>, _> = results
        .iter()
        .filter(|r| r.class.opens_finding())
        .map(|r| (key(r), r))
        .collect();
    let mut steps = Vec::new();
    for (key, result) in &now {
        let before = known.get(key);
        let result = (*result).clone();
        let class = Some(result.class);
        match (
            lifecycle::step(before.map(|f| (f.state, f.result.class)), class, complete),
            before,
        ) {
            (Step::Open, _) | (_, None) => steps.push(FindingStep::Open(result)),
            (Step::Reopen, Some(f)) => steps.push(FindingStep::Reopen(f.finding, result)),
            (_, Some(f)) if moved(&f.result, &result) => {
                let text = describe(&f.result, &result);
                steps.push(FindingStep::Change(f.finding, result, text));
            }
            // The row also names the evidence and versions behind it: keep those current.
            (_, Some(f)) => steps.push(FindingStep::Refresh(f.finding, result)),
        }
    }
    for (key, finding) in &known {
        let gone = !now.contains_key(key);
        if gone && lifecycle::step(Some((finding.state, finding.result.class)), None, complete) == Step::Close
        {
            steps.push(FindingStep::Close(finding.finding));
        }
    }
    steps
}

fn moved(before: &RuleResult, now: &RuleResult) -> bool {
    (before.class, before.severity, &before.deadline) != (now.class, now.severity, &now.deadline)
}

fn describe(before: &RuleResult, now: &RuleResult) -> String {
    let word = |class: ResultClass| class.as_str();
    if before.class != now.class {
        return format!("{} → {}", word(before.class), word(now.class));
    }
    if before.severity != now.severity {
        return format!("{} → {}", before.severity, now.severity);
    }
    let date = |d: &Option<String>| d.clone().unwrap_or_else(|| "no date".to_owned());
    format!("{} → {}", date(&before.deadline), date(&now.deadline))
}

fn tenure_step(subject: &Subject, present: Option<&IdentifiedSighting>) -> TenureStep {
    let Some(present) = present else {
        return TenureStep::Keep;
    };
    let identity = &present.identification.unit;
    let found = FoundUnit {
        from: present.from,
        identity: identity.clone(),
        maker: present.identification.maker.as_ref().map(|m| m.supplier.clone()),
    };
    match &subject.tenure {
        None => TenureStep::First(found),
        Some(tenure) if is_other(&tenure.identity, identity) => TenureStep::Swap(tenure.unit, found),
        Some(tenure) if tenure.identity == *identity => TenureStep::Keep,
        Some(tenure) => TenureStep::Learn(tenure.unit, found),
    }
}

/// Whether hardware evidence says that this is another unit. What one side does
/// not tell proves nothing; the serial number outranks the addresses.
fn is_other(before: &UnitIdentity, now: &UnitIdentity) -> bool {
    let differ = |a: &Option<String>, b: &Option<String>| a.as_ref().zip(b.as_ref()).map(|(a, b)| a != b);
    differ(&before.serial, &now.serial).unwrap_or_else(|| {
        differ(&before.base_mac, &now.base_mac) == Some(true)
            && differ(&before.engine_id, &now.engine_id) != Some(false)
    })
}

fn cause(subject: &Subject, now: &Judged) -> &'static str {
    match &subject.judged {
        None => "network",
        Some(before) if before.digest != now.digest => "network",
        Some(before) if before.knowledge != now.knowledge => "knowledge",
        Some(before) if before.policies != now.policies => "law",
        Some(before) if before.as_of != now.as_of => "time",
        Some(_) => "declaration",
    }
}

#[cfg(test)]
mod tests;
