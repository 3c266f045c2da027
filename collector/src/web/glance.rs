//! What the first page counts, kept for a moment so that many open screens cost the store little.
//!
//! Invariants: no older than the caller allows, unless it is being read anew; whoever is limited to sites shares it only
//! with those of the same sites.

use super::access::Visit;
use super::shelf::{Kept, Shelf};
use super::show::{Left, PRESSING_DAYS};
use crate::api::Problem;
use crate::api::query::Query;
use model::{FindingState, Instant, ResultClass};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use store::accounts::Sites;
use store::clause::Measure;
use store::view::{FindingFilter, Overview};

/// States of findings that wait for somebody, as query parameters.
pub const OPEN: [(&str, &str); 3] = [
    ("state", "open"),
    ("state", "acknowledged"),
    ("state", "assigned"),
];
/// The same as states.
pub const OPEN_STATES: [FindingState; 3] = [
    FindingState::Open,
    FindingState::Acknowledged,
    FindingState::Assigned,
];

/// Elements of which too little is known to judge, as a query parameter of their list.
pub const UNKNOWN: [(&str, &str); 1] = [("standing", "unknown")];

/// The last one read for each set of sites, shared by all handlers.
#[derive(Clone, Default)]
pub struct Glances(Shelf<Sites, Glance>);

/// One reading.
pub struct Glance {
    /// The counts.
    pub overview: Overview,
    /// What is due soon.
    pub pressing: Pressing,
}

/// Findings of rules with a date within [`PRESSING_DAYS`].
pub struct Pressing {
    /// The rules.
    pub rules: BTreeSet<String>,
    /// How many findings.
    pub count: u64,
    /// How that is known.
    pub measure: Measure,
    /// The soonest date.
    pub soonest: Option<Left>,
}

impl Glances {
    /// The last reading if it is younger than `within` or still true, else a new one.
    ///
    /// # Errors
    /// [`Problem::Store`] when the store does not answer.
    pub async fn get(&self, visit: &Visit, within: Duration) -> Result<Arc<Kept<Glance>>, Problem> {
        let sites = visit.person.sites.clone();
        self.0.get(visit, sites, within, Glance::read(visit)).await
    }
}

impl Glance {
    async fn read(visit: &Visit) -> Result<Self, Problem> {
        let overview = visit.store.overview_of(visit.person.sites.as_ref()).await?;
        Ok(Self {
            pressing: Pressing::read(visit, &overview, (visit.clock)()).await?,
            overview,
        })
    }

    /// The jurisdictions of each site.
    #[must_use]
    pub fn laws(&self) -> BTreeMap<String, Vec<String>> {
        let sites = self.overview.sites.iter().map(|row| &row.site);
        sites
            .map(|site| {
                (
                    site.name.to_string(),
                    site.jurisdictions.iter().cloned().collect(),
                )
            })
            .collect()
    }
}

impl Pressing {
    async fn read(visit: &Visit, overview: &Overview, now: Instant) -> Result<Self, Problem> {
        let today = now.date();
        let dated = overview
            .deadlines
            .iter()
            .filter_map(|row| Some((row, Left::until(&row.deadline, today?)?)));
        let near: Vec<_> = dated
            .filter(|(_, left)| (0..=PRESSING_DAYS).contains(&left.days))
            .collect();
        let rules: BTreeSet<String> = near.iter().map(|(row, _)| row.rule.clone()).take(50).collect();
        let soonest = near
            .iter()
            .map(|(_, left)| left)
            .min_by_key(|left| left.days)
            .cloned();
        let filter = FindingFilter {
            rules: rules.iter().cloned().collect(),
            classes: vec![ResultClass::Due],
            states: OPEN_STATES.to_vec(),
            sites: visit.person.within(Vec::new()),
            limit: 1,
            ..FindingFilter::default()
        };
        let (count, measure) = if rules.is_empty() {
            (0, Measure::Exact)
        } else {
            let page = visit.store.findings(&filter).await?;
            (page.total, page.measure)
        };
        Ok(Self {
            rules,
            count,
            measure,
            soonest,
        })
    }

    /// The list of exactly these findings.
    #[must_use]
    pub fn link(&self) -> String {
        let rules = self.rules.iter().map(|rule| ("rule", rule.as_str()));
        Query::of(&rules.chain([("class", "due")]).chain(OPEN).collect::<Vec<_>>()).link("/findings")
    }
}
