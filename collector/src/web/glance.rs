//! What the first page counts, kept for a moment so that many open screens cost the store little.
//!
//! Invariants: never older than the caller allows nor than [`STALE`]; it carries
//! the revision it was read at, so that a page made from it is fetched again; whoever
//! is limited to sites shares it only with those of the same sites.

use super::access::Visit;
use super::show::{Left, PRESSING_DAYS};
use crate::api::Problem;
use crate::api::query::Query;
use model::{FindingState, Instant, ResultClass};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;
use store::accounts::Sites;
use store::clause::Measure;
use store::view::{FindingFilter, Overview};
use tokio::sync::watch;

/// Nothing older is shown, even if nothing was committed since: days pass.
pub const STALE: Duration = Duration::from_secs(60);
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

/// Sets of sites whose glances are kept at once.
const SETS: usize = 64;

/// The last one read for each set of sites, shared by all handlers.
#[derive(Clone)]
pub struct Glances(Arc<watch::Sender<HashMap<Sites, Arc<Glance>>>>);

/// One reading.
pub struct Glance {
    /// Revision of the store before it was read.
    pub revision: u64,
    /// The counts.
    pub overview: Overview,
    /// What is due soon.
    pub pressing: Pressing,
    read: std::time::Instant,
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

impl Default for Glances {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(HashMap::new())))
    }
}

impl Glances {
    /// The last reading if it is younger than `within` or still true, else a new one.
    ///
    /// # Errors
    /// [`Problem::Store`] when the store does not answer.
    pub async fn get(&self, visit: &Visit, within: Duration) -> Result<Arc<Glance>, Problem> {
        let revision = *visit.store.revision().borrow();
        let last = self.0.borrow().get(&visit.person.sites).cloned();
        let fits = |glance: &Arc<Glance>| {
            let age = glance.read.elapsed();
            age < within || (glance.revision == revision && age < STALE)
        };
        if let Some(glance) = last.filter(fits) {
            return Ok(glance);
        }
        let read = std::time::Instant::now();
        let overview = visit.store.overview_of(visit.person.sites.as_ref()).await?;
        let pressing = Pressing::read(visit, &overview, (visit.clock)()).await?;
        let glance = Arc::new(Glance {
            revision,
            overview,
            pressing,
            read,
        });
        self.0.send_modify(|kept| {
            if kept.len() >= SETS {
                kept.retain(|_, glance| glance.read.elapsed() < STALE);
            }
            if kept.len() >= SETS {
                kept.clear();
            }
            kept.insert(visit.person.sites.clone(), Arc::clone(&glance));
        });
        Ok(glance)
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
