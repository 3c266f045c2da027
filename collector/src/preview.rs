//! What other knowledge would change, before it is taken: who made what, and which findings open and close.
//!
//! Invariants: nothing is written; one element at a time, so that memory does not grow with the store; what law and
//! time would change anyway is not told as a change of knowledge.

use crate::evaluate::{self, Law};
use crate::ingest::decode_evidence;
use ::identify::{Knowledge, identify};
use model::{Attribution, ElementId, Identification, RuleResult};
use serde::Serialize;
use std::collections::BTreeMap;
use store::record::{FindingStep, IdentifiedSighting, Subject};
use store::view::ElementFilter;
use store::{Store, StoreError};

/// A confidence that moves by less is the same to people.
const SAME: f64 = 0.005;

/// Who made or branded something, before and after.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Changed {
    /// Index of the component; `None` is the unit.
    pub component: Option<String>,
    /// `maker` or `brand`.
    pub aspect: &'static str,
    /// With the knowledge it was identified with last.
    pub before: Option<Attribution>,
    /// With the other.
    pub after: Option<Attribution>,
}

/// What would become of one element.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Preview {
    /// Which element.
    pub element: ElementId,
    /// Its name, with words of a device in it.
    pub name: String,
    /// Its site.
    pub site: String,
    /// Who made what.
    pub changes: Vec<Changed>,
    /// Standing word before.
    pub standing_before: String,
    /// And after.
    pub standing_after: String,
    /// Findings that would open.
    pub opens: Vec<RuleResult>,
    /// Rules that would no longer be met: rule, component and supplier.
    pub closes: Vec<(String, Option<String>, String)>,
}

/// All of it in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Counts {
    /// Elements looked at.
    pub elements: u64,
    /// Elements of which something changes.
    pub changed: u64,
    /// Units and components whose maker or brand is another, or surer or less sure.
    pub attributions: u64,
    /// Findings that open.
    pub opens: u64,
    /// Findings that close.
    pub closes: u64,
    /// Elements whose evidence cannot be read, or is not identified yet.
    pub unread: u64,
}

/// Goes through the store and hands over what would change, element by element.
///
/// # Errors
/// [`StoreError`] when the store does not answer.
pub async fn preview(
    store: &dyn Store,
    knowledge: &'static Knowledge,
    law: Law<'_>,
    mut tell: impl FnMut(Preview),
) -> Result<Counts, StoreError> {
    let mut counts = Counts::default();
    let keys = store.element_keys(&ElementFilter::default()).await?;
    for keys in keys.chunks(500) {
        for row in store.elements_of(keys, None).await? {
            counts.elements += 1;
            let Some(before) = store.subject(row.element).await? else {
                continue;
            };
            let Some(after) = anew(store, &before, knowledge).await? else {
                counts.unread += u64::from(row.last_answer.is_some());
                continue;
            };
            let preview = compare(before, after, law, row.name, row.site.to_string());
            if preview.is_nothing() {
                continue;
            }
            let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
            counts.changed += 1;
            counts.attributions += count(preview.changes.len());
            counts.opens += count(preview.opens.len());
            counts.closes += count(preview.closes.len());
            tell(preview);
        }
    }
    Ok(counts)
}

/// The subject as the other knowledge sees it; `None` when nothing of it was identified.
async fn anew(
    store: &dyn Store,
    before: &Subject,
    knowledge: &'static Knowledge,
) -> Result<Option<Subject>, StoreError> {
    let mut after = before.clone();
    let mut read = false;
    for sighting in [&mut after.complete, &mut after.partial].into_iter().flatten() {
        let Some(record) = store.evidence(sighting.digest).await? else {
            continue;
        };
        if let Ok(evidence) = decode_evidence(&record.bytes) {
            sighting.identification = identify(&evidence, knowledge);
            read = true;
        }
    }
    Ok(read.then_some(after))
}

fn compare(before: Subject, after: Subject, law: Law<'_>, name: String, site: String) -> Preview {
    let present = |subject: &Subject| {
        let sighting: Option<&IdentifiedSighting> = subject.complete.as_ref().or(subject.partial.as_ref());
        sighting.map(|sighting| sighting.identification.clone())
    };
    let changes = match (present(&before), present(&after)) {
        (Some(before), Some(after)) => changes(&before, &after),
        _ => Vec::new(),
    };
    let element = before.place.element;
    let known: BTreeMap<_, _> = before
        .findings
        .iter()
        .map(|known| (known.finding, known.result.clone()))
        .collect();
    let (standing_before, anyway) = evaluate::foresee(before, law);
    let (standing_after, steps) = evaluate::foresee(after, law);
    let mut opens = Vec::new();
    let mut closes = Vec::new();
    let key = |result: &RuleResult| {
        (
            result.rule.clone(),
            result.component.clone(),
            result.supplier.clone(),
        )
    };
    let opened = |steps: &[FindingStep]| -> Vec<RuleResult> {
        let opening = steps.iter().filter_map(|step| match step {
            FindingStep::Open(met) | FindingStep::Reopen(_, met) => Some(met.result.clone()),
            _ => None,
        });
        opening.collect()
    };
    let closed = |steps: &[FindingStep]| -> Vec<_> {
        let closing = steps.iter().filter_map(|step| match step {
            FindingStep::Close(stand, _) => known.get(&stand.finding).map(key),
            _ => None,
        });
        closing.collect()
    };
    let due: Vec<_> = opened(&anyway).iter().map(key).collect();
    opens.extend(
        opened(&steps)
            .into_iter()
            .filter(|result| !due.contains(&key(result))),
    );
    let due = closed(&anyway);
    closes.extend(closed(&steps).into_iter().filter(|key| !due.contains(key)));
    Preview {
        element,
        name,
        site,
        changes,
        standing_before,
        standing_after,
        opens,
        closes,
    }
}

impl Preview {
    fn is_nothing(&self) -> bool {
        self.changes.is_empty()
            && self.opens.is_empty()
            && self.closes.is_empty()
            && self.standing_before == self.standing_after
    }
}

type Both<'a> = [Option<&'a Attribution>; 2];

/// Maker and brand of the unit and of each component.
fn all(identification: &Identification) -> BTreeMap<Option<String>, Both<'_>> {
    let parts = identification.components.iter().map(|part| {
        (
            Some(part.index.clone()),
            [part.maker.as_ref(), part.brand.as_ref()],
        )
    });
    let unit = [identification.maker.as_ref(), identification.brand.as_ref()];
    std::iter::once((None, unit)).chain(parts).collect()
}

/// Unit and components whose maker or brand is another, or as sure no longer.
fn changes(before: &Identification, after: &Identification) -> Vec<Changed> {
    let (mut old, new) = (all(before), all(after));
    let mut changes = Vec::new();
    let mut note = |component: &Option<String>, before: Both<'_>, after: Both<'_>| {
        for (aspect, (before, after)) in ["maker", "brand"].into_iter().zip(before.into_iter().zip(after)) {
            if !is_same(before, after) {
                changes.push(Changed {
                    component: component.clone(),
                    aspect,
                    before: before.cloned(),
                    after: after.cloned(),
                });
            }
        }
    };
    for (component, after) in &new {
        note(component, old.remove(component).unwrap_or_default(), *after);
    }
    // Parts that the other knowledge no longer reads from a private table.
    for (component, before) in &old {
        note(component, *before, [None, None]);
    }
    changes
}

fn is_same(before: Option<&Attribution>, after: Option<&Attribution>) -> bool {
    match (before, after) {
        (None, None) => true,
        (Some(before), Some(after)) => {
            before.supplier.id == after.supplier.id && (before.confidence - after.confidence).abs() < SAME
        }
        _ => false,
    }
}
