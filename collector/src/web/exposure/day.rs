//! The same for another day: the whole network judged by the law of that day and what is known now.
//!
//! Invariant: an element that nobody had seen by then is counted as such and clears nothing.

use super::tally::{Sums, Tally, currency};
use crate::api::Problem;
use crate::evaluate::Operator;
use crate::population::{AtSites, Days, survey};
use crate::web::access::Visit;
use crate::web::show;
use crate::web::what_if::{Turn, too_many};
use model::Standing;
use policy::Question;
use policy::population::{Asset, By, Exposure, Seen, Survey};
use policy::recall::Recall;
use policy::share::Capped;
use std::collections::BTreeMap;
use std::sync::Arc;
use store::StoreError;
use time::Date;

/// What was added up with what caps say, or how many elements are too many for a page.
pub(super) async fn judged(
    visit: &Visit,
    turn: &Turn,
    as_of: Date,
    today: Date,
    laws: &BTreeMap<String, Vec<String>>,
) -> Result<Result<(Tally, Vec<String>), u64>, Problem> {
    if let Some(count) = too_many(visit).await? {
        return Ok(Err(count));
    }
    let _turn = turn.take()?;
    let (shared, runtime) = (visit.clone(), tokio::runtime::Handle::current());
    let tally = Tally::new(laws.clone());
    let days = Days {
        as_of,
        as_known: None,
        today,
    };
    let work = tokio::task::spawn_blocking(move || runtime.block_on(judge(&shared, days, tally)));
    let told = work.await.map_err(|_| Problem::Unreadable("that day"))??;
    Ok(Ok(told))
}

async fn judge(visit: &Visit, days: Days, mut tally: Tally) -> Result<(Tally, Vec<String>), StoreError> {
    let nothing = BTreeMap::new();
    let question = Question {
        as_of: days.as_of,
        as_known: Some(days.known()),
        assumed: &nothing,
        powers: false,
    };
    let operator = Operator {
        tags: &visit.operator_tags,
        name: &visit.operator,
        on_file: &visit.on_file,
    };
    let counted = Survey::new(Recall::new(&visit.policies, question));
    let past = AtSites {
        past: Arc::clone(&visit.past),
        sites: visit.person.sites.clone(),
    };
    let stands = |asset: &Asset, standing| stands(&mut tally, asset, standing);
    let told = survey(&past, days, operator, counted, stands).await?.finish();
    findings(&mut tally, &told, visit);
    tally.currency = currency(visit);
    // Of a part of the network nothing can be said about a share of the whole.
    let caps = told.caps.iter().filter(|_| visit.person.sites.is_none());
    Ok((tally, caps.map(cap).collect()))
}

fn stands(tally: &mut Tally, asset: &Asset, standing: Standing) {
    let unit = asset.parts.iter().find(|part| part.component.is_none());
    let maker = unit.and_then(|unit| unit.maker.as_ref());
    let one = Sums {
        elements: 1,
        unknown: u64::from(standing == Standing::Unknown),
        nameless: u64::from(maker.is_none()),
        dark: u64::from(asset.seen == Seen::NotYet),
        ..Sums::default()
    };
    tally.stand(asset.place.site.as_str(), asset.place.role, &one);
    if let Some(maker) = maker {
        let own = tally.maker(&maker.supplier.id, || maker.supplier.name.clone());
        own.add(&one);
    }
}

fn findings(tally: &mut Tally, told: &Exposure, visit: &Visit) {
    let groups = |by: By| told.groups.get(&by).into_iter().flatten();
    for (key, group) in groups(By::LawAndRole) {
        if let Some((code, role)) = key.split_once(' ') {
            tally.found(code, role, group.findings, group.worst);
        }
    }
    for (site, group) in groups(By::Site) {
        let sums = tally.places.entry(site.clone()).or_default();
        sums.find(group.findings, group.worst);
        (sums.exposed, sums.cost, sums.unpriced) = (group.elements, group.cost, group.unpriced);
    }
    for (supplier, group) in groups(By::Supplier) {
        let sums = tally.maker(supplier, || {
            visit.policies.affiliations().name(supplier).to_owned()
        });
        sums.find(group.findings, group.worst);
        (sums.exposed, sums.cost, sums.unpriced) = (group.elements, group.cost, group.unpriced);
    }
    // An element stands at one site, so that these add up.
    let sites = || groups(By::Site).map(|(_, group)| group);
    tally.all.exposed = sites().map(|group| group.elements).sum();
    tally.all.unpriced = sites().map(|group| group.unpriced).sum();
    tally.all.cost = sites().fold(0, |sum, group| sum.saturating_add(group.cost));
}

/// What a cap says; the interval is widened to what is shown of it.
fn cap(said: &Capped) -> String {
    format!(
        "{}: {}, {} to {} per cent where {} are allowed ({}); {} of unknown maker",
        said.rule,
        show::words(said.class.as_str()),
        (said.low * 100.0).floor() / 100.0,
        (said.high * 100.0).ceil() / 100.0,
        said.percent,
        said.metric,
        show::number(said.counts.unknown + said.counts.perhaps_unknown),
    )
}
