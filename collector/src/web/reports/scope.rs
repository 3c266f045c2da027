//! What whoever asks may see, as filters of the store.
//!
//! Invariants: whoever is limited to sites gets rows of these, and none where none is left; a report counts and never
//! reckons.

use crate::api::Problem;
use crate::filter::meaning::{self, Asking};
use crate::filter::{Line, Term};
use crate::web::access::Visit;
use model::SiteName;
use std::collections::BTreeSet;
use store::StoreError;
use store::clause::{Clause, ElementField, Is, Test};
use store::view::{ElementFilter, FindingFilter, FindingRow};

/// Findings read at a time.
const AT_A_TIME: usize = 500;

/// The sites asked for, of those that may be seen; `None` is all, and an empty set is none.
#[must_use]
pub fn sites(visit: &Visit, asked: &[String]) -> Option<BTreeSet<SiteName>> {
    let asked: BTreeSet<SiteName> = asked.iter().filter_map(|name| name.parse().ok()).collect();
    match &visit.person.sites {
        None if asked.is_empty() => None,
        None => Some(asked),
        Some(seen) if asked.is_empty() => Some(seen.clone()),
        Some(seen) => Some(seen.intersection(&asked).cloned().collect()),
    }
}

/// Findings, `most` of them, and how many there are, as of one moment.
///
/// # Errors
/// [`Problem::Store`] when the store does not answer.
pub async fn gather(
    visit: &Visit,
    filter: FindingFilter,
    most: usize,
) -> Result<(Vec<FindingRow>, u64), Problem> {
    let mut keys = visit.store.finding_keys(&filter).await?;
    let total = keys.len() as u64;
    keys.truncate(most);
    let mut rows = Vec::with_capacity(keys.len());
    for some in keys.chunks(AT_A_TIME) {
        rows.extend(visit.store.findings_of(some, None).await?);
    }
    Ok((rows, total))
}

/// Elements where a line looks for findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ground {
    /// All that are known.
    pub known: u64,
    /// Of these, nobody is named who made the unit.
    pub nameless: u64,
    /// Of these, too little is known to judge: their standing is unknown.
    pub unknown: u64,
}

impl Ground {
    /// Counts the elements at the sites and in the roles that a line of findings names, or all.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    pub async fn of(visit: &Visit, line: &Line, asking: &Asking<'_>) -> Result<Self, StoreError> {
        let places = |term: &&Term| term.key.is_some_and(|key| ["site", "role"].contains(&key.name));
        let places = Line {
            terms: line.terms.iter().filter(places).cloned().collect(),
        };
        let ground = meaning::elements(&places, asking).clauses;
        let count = async |more: Option<Clause<ElementField>>| {
            let filter = ElementFilter {
                clauses: ground.iter().cloned().chain(more).collect(),
                ..ElementFilter::default()
            };
            visit.store.count_elements(&filter).await
        };
        let nameless = Clause::any(vec![Test::new(ElementField::Maker, Is::Unset)]);
        Ok(Self {
            known: count(None).await?,
            nameless: count(Some(nameless)).await?,
            unknown: count(Some(Clause::words(ElementField::Standing, ["unknown"]))).await?,
        })
    }
}
