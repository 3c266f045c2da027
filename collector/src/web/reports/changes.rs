//! What changed since a moment, by cause.
//!
//! Invariants: a span is told as the moments it means, so that the address a report names says the same again; causes are counted of all rows or, where not all are read, of those shown, and the
//! report says which.

use super::content::{Content, Fact, Row, Table, moment};
use super::{Asked, heading, said, scope};
use crate::api::Problem;
use crate::api::query::Query;
use crate::web::access::Visit;
use crate::web::show;
use model::{Act, Cause, Instant};
use std::collections::BTreeMap;
use store::briefing::{ChangeFilter, PlacedChange};
use store::view::CHANGE_KINDS;

/// Rows of one report.
const MOST: usize = 5_000;
/// What is shown unless the link says otherwise.
const SPAN: &str = "7d";

/// The report.
///
/// # Errors
/// [`Problem`] for a filter that is not understood and when the store does not answer.
pub async fn content(visit: &Visit, asked: &Asked<'_>) -> Result<Content, Problem> {
    let now = (visit.clock)();
    let since = asked.query.since("since", SPAN, now)?;
    let acts = Act::KINDS.map(|kind| format!("finding_{kind}"));
    let kinds: Vec<&str> = CHANGE_KINDS
        .into_iter()
        .chain(acts.iter().map(String::as_str))
        .collect();
    let causes: Vec<&str> = Cause::ALL.iter().map(|cause| cause.as_str()).collect();
    let until = match asked.query.one("until") {
        "" => None,
        _ => Some(asked.query.since("until", "", now)?),
    };
    let mut filter = ChangeFilter {
        since,
        until,
        kinds: asked.query.known("kind", &kinds)?,
        causes: asked.query.known("cause", &causes)?,
        sites: scope::sites(visit, &asked.query.kept("site")?),
        after: None,
        limit: 500,
    };
    let mut rows: Vec<PlacedChange> = Vec::new();
    let total = loop {
        let page = visit.briefing.changes(&filter).await?;
        rows.extend(page.rows);
        // What is recorded while it is read is not in it.
        filter.until = filter.until.or(rows.first().map(|row| behind(row.change.at)));
        filter.after = page.next;
        if filter.after.is_none() {
            break rows.len() as u64;
        }
        if rows.len() >= MOST {
            break page.total;
        }
    };
    rows.truncate(MOST);
    let mut content = heading(visit, asked, "changes", "What changed, and why");
    content.address = settled(asked.query, since, filter.until);
    content.asked = said(visit, &content.address);
    if let Some(day) = filter.until.and_then(|until| Instant(until.0 - 1).date()) {
        content.as_of = day.to_string();
    }
    content.facts = vec![Fact::new("since", moment(since))];
    content
        .facts
        .extend(filter.until.map(|until| Fact::new("until", moment(until))));
    content.facts.push(Fact::new("changes", show::number(total)));
    if rows.len() < usize::try_from(total).unwrap_or(usize::MAX) {
        let words = format!(
            "the latest {}; causes are counted of these",
            show::number(MOST as u64)
        );
        content.facts.push(Fact::new("shown", words));
    }
    let mut counted: BTreeMap<&str, u64> = BTreeMap::new();
    for row in &rows {
        *counted.entry(show::cause(&row.change.cause)).or_default() += 1;
    }
    let causes = counted
        .iter()
        .map(|(cause, count)| Row::new(vec![(*cause).to_owned(), show::number(*count)]));
    content.tables = vec![
        Table {
            key: "changes",
            title: "Changes, latest first",
            columns: &["element", "site", "when", "cause", "what", "in detail"],
            rows: rows.iter().map(line).collect(),
        },
        Table {
            key: "causes",
            title: "By cause",
            columns: &["cause", "changes"],
            rows: causes.collect(),
        },
    ];
    Ok(content)
}

/// The first moment behind a change.
fn behind(at: Instant) -> Instant {
    Instant(at.0.saturating_add(1))
}

/// The same question with moments in place of spans: whenever it is asked, it means the same.
fn settled(query: &Query, since: Instant, until: Option<Instant>) -> Query {
    let query = query.with("since", &since.to_string());
    match until {
        Some(until) => query.with("until", &until.to_string()),
        None => query,
    }
}

fn line(row: &PlacedChange) -> Row {
    let change = &row.change;
    Row::to(
        format!("/elements/{}", change.element),
        vec![
            show::clean(&change.element_name, 64),
            row.site.to_string(),
            moment(change.at),
            show::cause(&change.cause).to_owned(),
            show::words(&change.kind),
            show::clean(&change.text, 300),
        ],
    )
}
