//! The same for another day: the whole network judged by the law of that day and what is known now.
//!
//! Invariant: an element that nobody had seen by then is counted as such and clears nothing.

use super::tally::{Sums, Tally, currency};
use crate::api::Problem;
use crate::evaluate::Operator;
use crate::population::{Days, survey};
use crate::web::access::Visit;
use crate::web::show;
use crate::web::what_if::{MOST, Turn};
use policy::Question;
use policy::population::{Asset, By, Exposure, Seen, Survey};
use policy::recall::Recall;
use policy::share::Capped;
use std::collections::BTreeMap;
use store::StoreError;
use store::view::ElementFilter;
use time::Date;

/// What was added up with what caps say, or how many elements are too many for a page.
pub(super) async fn judged(
    visit: &Visit,
    turn: &Turn,
    as_of: Date,
    today: Date,
    laws: &BTreeMap<String, Vec<String>>,
) -> Result<Result<(Tally, Vec<String>), u64>, Problem> {
    let first = ElementFilter {
        limit: 1,
        ..ElementFilter::default()
    };
    let count = visit.store.elements(&first).await?.total;
    if count > MOST {
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
    let heeded = |asset: &Asset| {
        let sees = visit.person.sees(&asset.place.site);
        if sees {
            stands(&mut tally, asset);
        }
        sees
    };
    let told = survey(&*visit.past, days, operator, counted, heeded)
        .await?
        .finish();
    findings(&mut tally, &told);
    tally.currency = currency(visit);
    // Of a part of the network nothing can be said about a share of the whole.
    let caps = told.caps.iter().filter(|_| visit.person.sites.is_none());
    Ok((tally, caps.map(cap).collect()))
}

fn stands(tally: &mut Tally, asset: &Asset) {
    let one = Sums {
        elements: 1,
        unknown: u64::from(!asset.maker_known),
        dark: u64::from(asset.seen == Seen::NotYet),
        ..Sums::default()
    };
    tally.stand(asset.place.site.as_str(), asset.place.role, &one);
    let unit = asset.parts.iter().find(|part| part.component.is_none());
    if let Some(maker) = unit
        .and_then(|unit| unit.maker.as_ref())
        .filter(|_| asset.maker_known)
    {
        let (id, name) = (maker.supplier.id.clone(), maker.supplier.name.clone());
        tally
            .makers
            .entry(id)
            .or_insert_with(|| (name, Sums::default()))
            .1
            .add(&one);
    }
}

fn findings(tally: &mut Tally, told: &Exposure) {
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
        if let Some((_, sums)) = tally.makers.get_mut(supplier) {
            sums.find(group.findings, group.worst);
            (sums.exposed, sums.cost, sums.unpriced) = (group.elements, group.cost, group.unpriced);
        }
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
