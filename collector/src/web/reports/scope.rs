//! What whoever asks may see, as filters of the store.
//!
//! Invariant: whoever is limited to sites gets rows of these, and none where none is left.

use crate::web::access::Visit;
use model::{ElementId, FindingId, SiteName};
use std::collections::BTreeSet;
use std::sync::Arc;
use store::clause::Measure;
use store::past::{FindingSpan, Moment, Past, PastSubject};
use store::view::{ElementFilter, FindingFilter};
use store::{StoreError, view};

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

/// A page of findings within the sites.
///
/// # Errors
/// [`StoreError`] when the store does not answer.
pub async fn findings(
    visit: &Visit,
    filter: &FindingFilter,
) -> Result<view::Page<view::FindingRow>, StoreError> {
    match sites(visit, &filter.sites) {
        None => visit.store.findings(filter).await,
        Some(sites) if sites.is_empty() => Ok(view::Page {
            rows: Vec::new(),
            total: 0,
            measure: Measure::Exact,
            next: None,
        }),
        Some(sites) => {
            let sites = sites.iter().map(ToString::to_string).collect();
            let filter = FindingFilter {
                sites,
                ..filter.clone()
            };
            visit.store.findings(&filter).await
        }
    }
}

/// How many elements within the sites.
///
/// # Errors
/// [`StoreError`] when the store does not answer.
pub async fn elements(visit: &Visit, asked: &[String], makers: &[&str]) -> Result<u64, StoreError> {
    let sites = sites(visit, asked);
    if sites.as_ref().is_some_and(BTreeSet::is_empty) {
        return Ok(0);
    }
    let filter = ElementFilter {
        sites: sites.iter().flatten().map(ToString::to_string).collect(),
        makers: makers.iter().map(|&maker| maker.to_owned()).collect(),
        limit: 1,
        ..ElementFilter::default()
    };
    Ok(visit.store.elements(&filter).await?.total)
}

/// The past of some sites.
pub struct PastOf {
    /// The past of all.
    pub past: Arc<dyn Past>,
    /// The sites; `None` is all.
    pub sites: Option<BTreeSet<SiteName>>,
}

#[async_trait::async_trait]
impl Past for PastOf {
    async fn subjects(
        &self,
        moment: Moment,
        after: Option<ElementId>,
        limit: u32,
    ) -> Result<Vec<PastSubject>, StoreError> {
        let mut after = after;
        // An empty page says that there is no more: one without a row of these sites is passed over.
        loop {
            let mut page = self.past.subjects(moment, after, limit).await?;
            let Some(last) = page.last() else {
                return Ok(page);
            };
            after = Some(last.subject.place.element);
            if let Some(sites) = &self.sites {
                page.retain(|one| sites.contains(&one.subject.place.site));
            }
            if !page.is_empty() {
                return Ok(page);
            }
        }
    }

    /// Spans name no site: only whoever sees all may ask for them.
    async fn finding_spans(
        &self,
        after: Option<FindingId>,
        limit: u32,
    ) -> Result<Vec<FindingSpan>, StoreError> {
        match self.sites {
            None => self.past.finding_spans(after, limit).await,
            Some(_) => Ok(Vec::new()),
        }
    }
}
