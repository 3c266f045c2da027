//! What changed since a moment, by cause.
//!
//! Invariant: causes are counted of all rows or, where not all are read, of those shown, and the
//! report says which.

use super::content::{Content, Fact, Row, Table, moment};
use super::{Asked, heading, scope};
use crate::api::Problem;
use crate::web::access::Visit;
use crate::web::show;
use model::Cause;
use std::collections::BTreeMap;
use store::briefing::{ChangeFilter, PlacedChange};

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
    let causes: Vec<&str> = Cause::ALL.iter().map(|cause| cause.as_str()).collect();
    let mut filter = ChangeFilter {
        since,
        kinds: asked.query.known("kind", KINDS)?,
        causes: asked.query.known("cause", &causes)?,
        sites: scope::sites(visit, &asked.query.kept("site")?),
        after: None,
        limit: 500,
    };
    let mut rows: Vec<PlacedChange> = Vec::new();
    let total = loop {
        let page = visit.briefing.changes(&filter).await?;
        rows.extend(page.rows);
        filter.after = page.next;
        if filter.after.is_none() || rows.len() >= MOST {
            break page.total;
        }
    };
    rows.truncate(MOST);
    let mut content = heading(visit, asked, "changes", "What changed, and why");
    content.facts = vec![
        Fact::new("since", moment(since)),
        Fact::new("changes", show::number(total)),
    ];
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

/// Kinds of changes that can be asked for.
const KINDS: &[&str] = &[
    "element_new",
    "unit_new",
    "swap",
    "standing_changed",
    "finding_opened",
    "finding_changed",
    "finding_closed",
    "finding_reopened",
];

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
