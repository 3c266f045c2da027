//! One supplier: who it is, who stands behind it, which rules mean it, and where it is in the network.
//!
//! Invariants: a fact about a country is told as a fact and is no finding; a supplier that
//! no rule means is said to be one, plainly; what knowledge and packs hold under one
//! key is told apart, with where they differ.

use super::access::Visit;
use super::books::Books;
use super::glance::OPEN;
use super::page::{Frame, answer};
use super::policies::{RuleLine, burdens};
use super::show;
use super::suppliers::present;
use crate::api::Problem;
use crate::api::query::Query;
use askama::Template;
use axum::extract::{Extension, Path};
use axum::response::Response;
use identify::knowledge::profile::Profile;
use model::{Role, SiteName};
use policy::affiliation::Edge;
use policy::country::Stands;
use policy::force::Force;
use policy::naming::{Meant, Naming};
use std::collections::BTreeMap;
use store::ledger::{Stock, Within};
use time::Date;

/// Parts looked at for a page at most.
const MOST_PARTS: u32 = 100_000;
/// Places, numbers and prefixes shown.
const ROWS: usize = 200;
const HOLDERS: usize = 60;

#[derive(Template)]
#[template(path = "supplier.html")]
struct SupplierPage {
    frame: Frame,
    id: String,
    name: String,
    lead: String,
    differs: Vec<String>,
    company: Vec<(&'static str, String)>,
    countries: Vec<Fact>,
    profile: Option<Profile>,
    /// Numbers and holders of prefixes that are not shown.
    more: (usize, usize),
    no_edges: bool,
    edges: [(&'static str, Vec<EdgeLine>); 2],
    day: String,
    rules: Vec<RuleLine>,
    silent: Vec<RuleLine>,
    places: Vec<Place>,
    more_places: usize,
    total: Totals,
}

struct Totals {
    elements: String,
    elements_link: String,
    parts: String,
    at_least: bool,
    findings: String,
    findings_link: String,
}

struct Fact {
    name: String,
    stands: &'static str,
    since: String,
    source: String,
    url: Option<String>,
}

/// Who stands behind whom, and how that is known.
struct EdgeLine {
    id: String,
    name: String,
    kind: &'static str,
    span: String,
    ended: bool,
    words: String,
    grade: String,
    title: String,
    url: Option<String>,
}

/// A site and a role.
struct Place {
    site: String,
    role: &'static str,
    units: String,
    link: String,
    parts: String,
    within: String,
}

/// `/suppliers/{id}`
pub async fn supplier(visit: Visit, Extension(books): Extension<Books>, Path(id): Path<String>) -> Response {
    answer(&visit, page(&visit, &books, id).await)
}

async fn page(visit: &Visit, books: &Books, id: String) -> Result<SupplierPage, Problem> {
    let unknown = || Problem::NotFound("supplier");
    let is_key = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    if id.len() > 80 || !id.bytes().all(is_key) {
        return Err(unknown());
    }
    let frame = Frame::new(visit, "suppliers");
    let today = (visit.clock)().date().unwrap_or(Date::MIN);
    let (knowledge, key) = (visit.knowledge, id.clone());
    let profile = tokio::task::spawn_blocking(move || knowledge.profile(&key))
        .await
        .map_err(|_| Problem::Unreadable("what is known of the supplier"))?;
    let kept = books.ledger(visit).await?;
    let here = present(&kept.told, visit).remove(&id);
    let company = visit.policies.affiliations().company(&id);
    let name = profile.as_ref().map(|profile| profile.supplier.name.clone());
    let name = name
        .or_else(|| company.map(|company| company.name.clone()))
        .or_else(|| here.as_ref().map(|here| here.name.clone()))
        .filter(|name| !name.is_empty())
        .ok_or_else(unknown)?;
    let sites = visit.person.sites.as_ref();
    let within = visit.ledgers.within(&id, sites, MOST_PARTS).await?;
    let looked: u64 = within.iter().map(|one| one.parts).sum();
    let within = within.iter();
    let stock =
        kept.told.stock.iter().filter(|one| {
            visit.person.sees(&one.site) && one.maker.as_ref().is_some_and(|maker| maker.id == id)
        });
    let mut places = places(&id, stock, within.clone());
    let more_places = places.len().saturating_sub(ROWS);
    places.truncate(ROWS);

    let found = burdens(&kept.told, visit);
    let named = visit.policies.naming(&id, today);
    let line = |one: &Naming<'_>| RuleLine {
        why: why(one),
        ..RuleLine::new(visit, one.rule, today, found.get(one.rule.id.as_str()))
    };
    let speaks = |one: &&Naming<'_>| one.force != Force::Silent;
    let (rules, silent): (Vec<&Naming<'_>>, Vec<&Naming<'_>>) = named.iter().partition(speaks);
    let (owners, owned): (Vec<&Edge>, Vec<&Edge>) = visit
        .policies
        .affiliations()
        .edges_with(&id)
        .partition(|edge| edge.held == id);
    let edge = |edge: &Edge, other: &str| EdgeLine::new(visit, edge, other, today);
    let owners: Vec<_> = owners.into_iter().map(|one| edge(one, &one.holder)).collect();
    let owned: Vec<_> = owned.into_iter().map(|one| edge(one, &one.held)).collect();
    let here = here.unwrap_or_default();
    let findings: Vec<_> = [("supplier", id.as_str())].into_iter().chain(OPEN).collect();
    let more = profile.as_ref().map_or((0, 0), |profile| {
        (
            profile.numbers.len().saturating_sub(HOLDERS),
            profile.prefixes.len().saturating_sub(HOLDERS),
        )
    });
    Ok(SupplierPage {
        lead: lead(&rules),
        differs: differs(visit, &id, profile.as_ref()),
        company: company.map_or_else(Vec::new, |company| {
            let control = company.control.as_ref();
            let control = control.map_or("not recorded", |country| country.as_str());
            vec![
                ("headquarters", company.hq.as_str().to_owned()),
                ("controlled from", control.to_owned()),
            ]
        }),
        countries: countries(visit, &id, today),
        more,
        no_edges: owners.is_empty() && owned.is_empty(),
        edges: [("Behind it", owners), ("It stands behind", owned)],
        day: today.to_string(),
        rules: rules.into_iter().map(line).collect(),
        silent: silent.into_iter().map(line).collect(),
        total: Totals {
            elements: show::number(here.elements),
            elements_link: Query::of(&[("maker", &id)]).link("/elements"),
            parts: show::number(within.map(|one| one.parts).sum()),
            at_least: looked >= u64::from(MOST_PARTS),
            findings: show::number(here.findings),
            findings_link: Query::of(&findings).link("/findings"),
        },
        places,
        more_places,
        profile: profile.map(bounded),
        name: show::clean(&name, 80),
        id,
        frame,
    })
}

/// Rules are the only thing that restricts.
fn lead(speaking: &[&Naming<'_>]) -> String {
    let of = |by: Meant| {
        let meant = speaking
            .iter()
            .filter(|one| one.by == by && one.force == Force::Holds);
        meant.count()
    };
    let (name, affiliation, country) = (of(Meant::Name), of(Meant::Affiliation), of(Meant::Country));
    if name + affiliation + country == 0 {
        let later = if speaking.is_empty() {
            String::new()
        } else {
            format!("; {} drafts or rules to come would", speaking.len())
        };
        return format!("No rule in force means this supplier{later}.");
    }
    let mut words = Vec::new();
    for (count, how) in [
        (name, "by name"),
        (affiliation, "by whom it belongs to"),
        (country, "by a fact about its country"),
    ] {
        if count > 0 {
            words.push(format!("{count} {how}"));
        }
    }
    format!("Rules in force that mean this supplier: {}.", words.join(", "))
}

fn why(one: &Naming<'_>) -> String {
    let by = match one.by {
        Meant::Name => "by name",
        Meant::Affiliation => "by affiliation",
        Meant::Country => "by a fact about a country, which is not about this supplier",
    };
    let open = if one.link.sure { "" } else { " Possible only." };
    let from = one
        .link
        .from
        .map_or_else(String::new, |from| format!(" Counts from {from}."));
    format!("{by}: {}.{from}{open}", one.link.words)
}

/// Where what is held under the key does not go together.
fn differs(visit: &Visit, id: &str, profile: Option<&Profile>) -> Vec<String> {
    let company = visit.policies.affiliations().company(id);
    let mut told = Vec::new();
    match (profile, company) {
        (Some(profile), Some(company)) if profile.supplier.name != company.name => told.push(format!(
            "The knowledge calls it {}, the packs call it {}: both mean the key {id}.",
            profile.supplier.name, company.name
        )),
        (Some(_), None) => told.push(
            "The packs have no company of this key: its country and owners are not recorded, so rules that ask for either cannot mean it."
                .to_owned(),
        ),
        (None, Some(_)) => told.push(
            "The knowledge has no supplier of this key: nothing in the network can be identified as made by it. Add it to your own knowledge if you must find it."
                .to_owned(),
        ),
        _ => {}
    }
    if profile.is_some_and(|profile| !profile.curated) {
        told.push(
            "Nobody curated it: its name is what a registry says, and equipment is ascribed to it by number or prefix alone."
                .to_owned(),
        );
    }
    told
}

fn countries(visit: &Visit, id: &str, today: Date) -> Vec<Fact> {
    let Some(company) = visit.policies.affiliations().company(id) else {
        return Vec::new();
    };
    let own = [
        Some(&company.hq),
        company.control.as_ref().filter(|control| **control != company.hq),
    ];
    let mut facts = Vec::new();
    for country in own.into_iter().flatten() {
        for fact in &visit.policies.countries().facts {
            let Some(told) = fact.countries.iter().find(|told| told.code == *country) else {
                continue;
            };
            let stands = match (told.stands, fact.holds(country, today)) {
                (Stands::UnderWay, _) => "under way",
                (_, Some(true)) => "holds",
                (_, Some(false)) => "does not hold",
                (_, None) => "not settled",
            };
            facts.push(Fact {
                name: format!("{}: {}", country.as_str(), fact.name),
                stands,
                since: span(told.from, told.to),
                source: told
                    .title
                    .clone()
                    .unwrap_or_else(|| grade(told.grade, told.confidence)),
                url: link(told.url.as_deref()),
            });
        }
    }
    facts
}

fn span(from: Option<policy::PartialDate>, to: Option<policy::PartialDate>) -> String {
    match (from, to) {
        (None, None) => String::new(),
        (Some(from), None) => format!("since {from}"),
        (None, Some(to)) => format!("until {to}"),
        (Some(from), Some(to)) => format!("{from} to {to}"),
    }
}

fn grade(grade: policy::pack::Grade, sure: Option<policy::pack::Confidence>) -> String {
    let sure = sure.map_or_else(String::new, |sure| format!(", {} confidence", sure.as_str()));
    format!("{}{sure}", show::words(grade.as_str()))
}

fn link(url: Option<&str>) -> Option<String> {
    let is_web = |url: &&str| url.starts_with("https://") || url.starts_with("http://");
    url.filter(is_web).map(str::to_owned)
}

impl EdgeLine {
    fn new(visit: &Visit, edge: &Edge, other: &str, today: Date) -> Self {
        Self {
            id: other.to_owned(),
            name: visit.policies.affiliations().name(other).to_owned(),
            kind: edge.kind.as_str(),
            span: span(edge.from, edge.to),
            ended: edge.to.is_some_and(|to| to.last() < today),
            words: edge.words.clone(),
            grade: grade(edge.grade, edge.confidence),
            title: edge.title.clone().unwrap_or_default(),
            url: link(edge.url.as_deref()),
        }
    }
}

fn places<'a>(
    id: &str,
    stock: impl Iterator<Item = &'a Stock>,
    within: impl Iterator<Item = &'a Within>,
) -> Vec<Place> {
    let mut found: BTreeMap<(&SiteName, Option<Role>), [u64; 3]> = BTreeMap::new();
    for one in stock {
        found.entry((&one.site, one.role)).or_default()[0] += one.elements;
    }
    for one in within {
        let counts = found.entry((&one.site, one.role)).or_default();
        counts[1] += one.parts;
        counts[2] += one.elements;
    }
    let place = |((site, role), [units, parts, within]): ((&SiteName, Option<Role>), [u64; 3])| {
        let role = show::role(role);
        let pairs = [("maker", id), ("site", site.as_str()), ("role", role)];
        Place {
            site: site.to_string(),
            role,
            units: show::number(units),
            link: if units > 0 {
                Query::of(&pairs).link("/elements")
            } else {
                String::new()
            },
            parts: show::number(parts),
            within: show::number(within),
        }
    };
    found.into_iter().map(place).collect()
}

/// As much of it as a page shows.
fn bounded(mut profile: Profile) -> Profile {
    profile.numbers.truncate(HOLDERS);
    profile.prefixes.truncate(HOLDERS);
    profile
}
