//! Suppliers: those in the network, those that rules mean, and those the knowledge knows.
//!
//! Invariants: a supplier is restricted by a rule or not at all, never by its name or its
//! country; knowledge, packs and network are joined by key, and where one of them lacks
//! a key that is said.

use super::access::Visit;
use super::books::Books;
use super::glance::OPEN;
use super::page::{Frame, answer};
use super::show;
use crate::api::Problem;
use crate::api::query::{self, Query};
use askama::Template;
use axum::extract::{Extension, Query as Pairs};
use axum::response::Response;
use policy::force::Force;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use store::ledger::Ledger;
use time::Date;

/// Rows at most.
const ROWS: usize = 300;
/// Which of them: all there are, or those that matter here.
const SHOWN: [&str; 4] = ["here", "meant", "either", "all"];

#[derive(Template)]
#[template(path = "suppliers.html")]
struct SuppliersPage {
    frame: Frame,
    text: String,
    shown: [(&'static str, &'static str, bool); 4],
    total: String,
    cut: bool,
    rows: Vec<Row>,
    unknown: String,
}

struct Row {
    id: String,
    name: String,
    country: String,
    rules: usize,
    rules_to_come: usize,
    elements: u64,
    elements_words: String,
    elements_link: String,
    findings: String,
    findings_link: String,
    known_by: &'static str,
}

/// What stands in the network of one supplier, as units.
#[derive(Debug, Clone, Default)]
pub struct Present {
    /// Its name as claims have it.
    pub name: String,
    /// Elements with a unit of it.
    pub elements: u64,
    /// Open findings about it.
    pub findings: u64,
}

/// Suppliers in the network at the sites whoever looks may see, by key.
#[must_use]
pub fn present(ledger: &Ledger, visit: &Visit) -> BTreeMap<String, Present> {
    let mut found: BTreeMap<String, Present> = BTreeMap::new();
    for stock in ledger.stock.iter().filter(|one| visit.person.sees(&one.site)) {
        let Some(maker) = &stock.maker else { continue };
        let own = found.entry(maker.id.clone()).or_default();
        own.name.clone_from(&maker.name);
        own.elements += stock.elements;
    }
    for blame in ledger.blames.iter().filter(|one| visit.person.sees(&one.site)) {
        found.entry(blame.supplier.clone()).or_default().findings += blame.findings;
    }
    found
}

/// `/suppliers`
pub async fn suppliers(
    visit: Visit,
    Extension(books): Extension<Books>,
    Pairs(pairs): Pairs<Vec<(String, String)>>,
) -> Response {
    answer(&visit, list(&visit, &books, pairs).await)
}

async fn list(visit: &Visit, books: &Books, pairs: Vec<(String, String)>) -> Result<SuppliersPage, Problem> {
    let query = Query::read(pairs, query::SUPPLIERS)?;
    let which = match query.one("show") {
        "" if query.one("text").is_empty() => "either",
        "" => "all",
        word if SHOWN.contains(&word) => word,
        word => return Err(query::bad("show", word, SHOWN.join(", "))),
    };
    let frame = Frame::new(visit, "suppliers");
    let today = (visit.clock)().date().unwrap_or(Date::MIN);
    let kept = books.ledger(visit).await?;
    let here = present(&kept.told, visit);
    let text = query.one("text").to_lowercase();
    let mut all: BTreeMap<String, (String, bool, bool)> = BTreeMap::new();
    for company in &visit.policies.affiliations().suppliers {
        all.insert(company.id.clone(), (company.name.clone(), false, true));
    }
    for known in visit.knowledge.suppliers() {
        let entry = all
            .entry(known.id)
            .or_insert_with(|| (known.name.clone(), false, false));
        (entry.0, entry.1) = (known.name, true);
    }
    for (id, one) in &here {
        let name = if one.name.is_empty() { id } else { &one.name };
        all.entry(id.clone())
            .or_insert_with(|| (name.clone(), false, false));
    }
    let mut rows: Vec<Row> = all
        .into_iter()
        .filter(|(id, (name, ..))| {
            text.is_empty() || id.contains(&text) || name.to_lowercase().contains(&text)
        })
        .map(|(id, (name, known, packed))| {
            let one = here.get(&id).cloned().unwrap_or_default();
            row(visit, (id, name), (known, packed), &one, today)
        })
        .filter(|row| match which {
            "here" => row.elements > 0 || row.findings != "0",
            "meant" => row.rules + row.rules_to_come > 0,
            "either" => row.elements > 0 || row.findings != "0" || row.rules > 0,
            _ => true,
        })
        .collect();
    rows.sort_by_key(|row| {
        (
            Reverse((row.rules > 0 && row.elements > 0, row.elements)),
            row.name.to_lowercase(),
        )
    });
    let total = rows.len();
    rows.truncate(ROWS);
    let unknown = kept
        .told
        .stock
        .iter()
        .filter(|one| one.maker.is_none() && visit.person.sees(&one.site));
    let names = [
        "in the network",
        "meant by a rule",
        "either",
        "all that are known",
    ];
    let mut shown = [("", "", false); 4];
    for (slot, (word, name)) in shown.iter_mut().zip(SHOWN.into_iter().zip(names)) {
        *slot = (word, name, word == which);
    }
    Ok(SuppliersPage {
        text: query.one("text").to_owned(),
        shown,
        total: show::number(total as u64),
        cut: total > ROWS,
        unknown: show::number(unknown.map(|one| one.elements).sum()),
        rows,
        frame,
    })
}

fn row(
    visit: &Visit,
    (id, name): (String, String),
    (known, packed): (bool, bool),
    one: &Present,
    today: Date,
) -> Row {
    let named = visit.policies.naming(&id, today);
    let count = |wanted: &dyn Fn(Force) -> bool| named.iter().filter(|one| wanted(one.force)).count();
    let company = visit.policies.affiliations().company(&id);
    let findings: Vec<_> = [("supplier", id.as_str())].into_iter().chain(OPEN).collect();
    Row {
        country: company
            .map(|company| company.hq.as_str().to_owned())
            .unwrap_or_default(),
        rules: count(&|force| force == Force::Holds),
        rules_to_come: count(&|force| !matches!(force, Force::Holds | Force::Silent)),
        elements: one.elements,
        elements_words: show::number(one.elements),
        elements_link: Query::of(&[("maker", &id)]).link("/elements"),
        findings: show::number(one.findings),
        findings_link: Query::of(&findings).link("/findings"),
        known_by: match (known, packed) {
            (true, true) => "knowledge and packs",
            (true, false) => "knowledge",
            (false, true) => "packs",
            (false, false) => "its name in a registry",
        },
        name: show::clean(&name, 64),
        id,
    }
}
