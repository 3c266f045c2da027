//! The register of restricted equipment by site, as lists for authorities have it.
//!
//! Invariant: a register that does not name everything says how much it names; what has no known
//! maker, or is known too little of, is told beside it, for it may belong here.

use super::content::{Content, Fact, Row, Table, moment};
use super::{Asked, heading, scope};
use crate::api::Problem;
use crate::filter::Subject;
use crate::filter::meaning::Asking;
use crate::web::access::Visit;
use crate::web::show;
use model::RuleResult;
use std::collections::BTreeMap;
use store::view::FindingRow;

/// Rows of one register.
const MOST: usize = 5_000;

const COLUMNS: &[&str] = &[
    "site",
    "element",
    "address",
    "role",
    "part",
    "supplier",
    "rule",
    "law of",
    "class",
    "date",
    "state",
    "owner",
    "removal planned",
    "waived until",
    "since",
    "confidence",
    "finding",
];

/// The report.
///
/// # Errors
/// [`Problem`] for a filter that is not understood and when the store does not answer.
pub async fn content(visit: &Visit, asked: &Asked<'_>) -> Result<Content, Problem> {
    let asking = Asking::of(&visit.person, (visit.clock)());
    let filter = asked.query.findings(&asking)?;
    let line = asked.query.plain_line(Subject::Findings)?;
    let (mut rows, total) = scope::gather(visit, filter, MOST).await?;
    rows.sort_by(|a, b| {
        (&a.site, &a.element_name, &a.result.rule, &a.component).cmp(&(
            &b.site,
            &b.element_name,
            &b.result.rule,
            &b.component,
        ))
    });
    let mut sites: BTreeMap<String, (u64, std::collections::BTreeSet<String>)> = BTreeMap::new();
    for row in &rows {
        let site = sites.entry(row.site.to_string()).or_default();
        site.0 += 1;
        site.1.insert(row.element.to_string());
    }
    let mut content = heading(
        visit,
        asked,
        "register",
        "Register of restricted equipment by site",
    );
    let ground = scope::Ground::of(visit, &line, &asking).await?;
    content.facts = vec![
        Fact::new("entries", show::number(total)),
        Fact::new("elements known", show::number(ground.known)),
        Fact::new("of unknown maker", show::number(ground.nameless)),
        Fact::new(
            "of which too little is known to judge, perhaps restricted too",
            show::number(ground.unknown),
        ),
    ];
    if rows.len() < usize::try_from(total).unwrap_or(usize::MAX) {
        let words = format!(
            "the {} most urgent of {}",
            show::number(MOST as u64),
            show::number(total)
        );
        content.facts.push(Fact::new("shown", words));
    }
    let by_site = |(site, (entries, elements)): (&String, &(u64, std::collections::BTreeSet<String>))| {
        Row::new(vec![
            site.clone(),
            show::number(elements.len() as u64),
            show::number(*entries),
        ])
    };
    content.tables = vec![
        Table {
            key: "entries",
            title: "Entries",
            columns: COLUMNS,
            rows: rows.iter().map(entry).collect(),
        },
        Table {
            key: "sites",
            title: "By site",
            columns: &["site", "elements", "entries"],
            rows: sites.iter().map(by_site).collect(),
        },
    ];
    Ok(content)
}

fn entry(row: &FindingRow) -> Row {
    let RuleResult {
        rule,
        jurisdiction,
        class,
        deadline,
        confidence,
        ..
    } = &row.result;
    let life = &row.life;
    let planned = life.removal.as_ref().map(|removal| removal.planned.as_str());
    let waived = life.waiver.as_ref().map(|waiver| waiver.until.as_str());
    Row::to(
        format!("/findings/{}", row.finding),
        vec![
            row.site.to_string(),
            show::clean(&row.element_name, 64),
            show::clean(&row.address, 64),
            show::role(row.role).to_owned(),
            show::clean(&row.part, 64),
            show::clean(&row.supplier, 48),
            rule.clone(),
            jurisdiction.clone(),
            show::words(class.as_str()),
            show::clean(deadline.as_deref().unwrap_or_default(), 32),
            life.state.to_string(),
            show::clean(life.owner.as_deref().unwrap_or_default(), 60),
            show::clean(planned.unwrap_or_default(), 32),
            show::clean(waived.unwrap_or_default(), 32),
            moment(row.opened),
            show::confidence(*confidence),
            row.finding.to_string(),
        ],
    )
}
