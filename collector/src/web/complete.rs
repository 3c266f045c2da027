//! `/complete`: what could stand where somebody is writing a line.
//!
//! Invariant: places are counted as browsers count them, in units of UTF-16.

use super::access::Visit;
use super::glance::Glances;
use super::shelf::STALE;
use super::show;
use crate::api::Problem;
use crate::api::query::{self, Query};
use crate::filter::Subject;
use crate::filter::complete::{Vocabulary, complete};
use axum::Json;
use axum::extract::{Extension, Query as Pairs};
use serde_json::{Value, json};

/// A line may be at most so many units of UTF-16 long.
const MAX_AT: u32 = 4_096;

/// `/complete?page=…&q=…&at=…`
///
/// # Errors
/// [`Problem`] for a page that is no list, and when the store does not answer.
pub async fn offers(
    visit: Visit,
    Extension(glances): Extension<Glances>,
    Pairs(pairs): Pairs<Vec<(String, String)>>,
) -> Result<Json<Value>, Problem> {
    // The line is taken as it was typed: a blank at its end matters.
    let typed = pairs
        .iter()
        .find(|(key, _)| key == "q")
        .map(|(_, line)| line.clone());
    let line = typed.unwrap_or_default();
    let query = Query::read(pairs, &["page", "q", "at"])?;
    let subject = Subject::named(query.one("page"))
        .ok_or_else(|| query::bad("page", query.one("page"), "findings, elements".to_owned()))?;
    let at = match query.one("at") {
        "0" => 0,
        _ => query.number("at", MAX_AT, MAX_AT)?,
    };
    let known = vocabulary(&visit, &glances).await?;
    let offers = complete(subject, &line, octets(&line, at), &known);
    let told: Vec<_> = offers
        .offers
        .iter()
        .map(|offer| json!({"insert": offer.insert, "note": show::clean(&offer.note, 80)}))
        .collect();
    Ok(Json(json!({
        "from": units(&line, offers.replaces.start),
        "to": units(&line, offers.replaces.end),
        "offers": told,
    })))
}

async fn vocabulary(visit: &Visit, glances: &Glances) -> Result<Vocabulary, Problem> {
    let glance = glances.get(visit, STALE).await?;
    let sites = glance.overview.sites.iter().map(|row| &row.site);
    let sites = sites.filter(|site| visit.person.sees(&site.name));
    let companies = &visit.policies.affiliations().suppliers;
    Ok(Vocabulary {
        sites: sites
            .map(|site| (site.name.to_string(), site.title.clone()))
            .collect(),
        suppliers: companies
            .iter()
            .map(|company| (company.id.clone(), company.name.clone()))
            .collect(),
        rules: visit
            .policies
            .rules()
            .map(|rule| (rule.id.clone(), rule.title.clone()))
            .collect(),
        laws: visit
            .policies
            .packs()
            .iter()
            .map(|pack| (pack.code.as_str().to_owned(), String::new()))
            .collect(),
    })
}

/// The octet behind so many units of UTF-16.
fn octets(line: &str, units: u32) -> usize {
    let mut left = usize::try_from(units).unwrap_or(usize::MAX);
    let behind = |(_, c): &(usize, char)| {
        let more = left >= c.len_utf16();
        left = left.saturating_sub(c.len_utf16());
        more
    };
    let last = line.char_indices().take_while(behind).last();
    last.map_or(0, |(at, c)| at + c.len_utf8())
}

fn units(line: &str, octets: usize) -> usize {
    line.get(..octets).unwrap_or_default().encode_utf16().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_those_of_browsers() {
        let line = "a😀é:b";
        for (at, octet) in [(0, 0), (1, 1), (2, 1), (3, 5), (4, 7), (9, 9)] {
            assert_eq!(octets(line, at), octet, "{at}");
        }
        assert_eq!(units(line, 7), 4);
    }
}
