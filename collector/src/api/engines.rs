//! Engines that addresses told, as programs and pages ask for them.
//!
//! Invariants: only of sites that whoever asks may see; each page is bounded.

use super::Problem;
use super::query::Query;
use crate::coverage::{Coverage, Engine, RangeCoverage, engines};
use identify::Knowledge;
use ipnet::IpNet;
use model::{Person, SiteName};
use serde::Serialize;
use std::collections::BTreeSet;
use store::Store;
use store::engines::EngineFilter;

/// Some of them.
#[derive(Debug, Serialize)]
pub struct Engines {
    /// By site and engine ID, each box for itself.
    pub rows: Vec<Engine>,
    /// How many engine IDs there are at all, counted for each site.
    pub total: u64,
    /// What `after` says to have those that follow.
    pub next: Option<String>,
}

/// Those of the range that is chosen, else of all the sites asked for; `otherwise` engine IDs where the query does not
/// say how many, and where `dark` only those heard where no round was ever answered.
///
/// # Errors
/// [`Problem`] when the query is not understood or the store does not answer.
pub async fn page(
    (store, knowledge, person): (&dyn Store, &Knowledge, &Person),
    query: &Query,
    (coverage, chosen): (&Coverage, Option<(&SiteName, &RangeCoverage)>),
    (otherwise, dark): (u32, bool),
) -> Result<Engines, Problem> {
    let limit = match query.limit()? {
        0 => otherwise,
        limit => limit,
    };
    let net = chosen.and_then(|(_, range)| Some((range.prefix.parse::<IpNet>().ok()?, range.port)));
    let filter = EngineFilter {
        sites: sites(query, person, chosen.map(|(site, _)| site)),
        within: net.map(|(net, port)| (net.network(), net.broadcast(), port)),
        dark,
        after: query.after()?,
        limit,
    };
    let page = store.engines(&filter).await?;
    Ok(Engines {
        rows: engines(&page, coverage, knowledge),
        total: page.total,
        next: page.next,
    })
}

/// Of those asked for, the ones that may be seen; [`None`]: all.
fn sites(query: &Query, person: &Person, chosen: Option<&SiteName>) -> Option<BTreeSet<SiteName>> {
    let asked: BTreeSet<SiteName> = match chosen {
        Some(site) => BTreeSet::from([site.clone()]),
        None if query.one("site").is_empty() => return person.sites.clone(),
        None => query.all("site").filter_map(|name| name.parse().ok()).collect(),
    };
    Some(asked.into_iter().filter(|site| person.sees(site)).collect())
}
