//! The evidence pack: findings walked back to bytes, for whoever has to believe them.
//!
//! Invariants: a step that cannot be shown says so and none is left out; a pack that does not hold
//! everything says how much it holds.

use super::content::{Content, Fact, Row, Table, moment};
use super::{Asked, heading, scope};
use crate::api::Problem;
use crate::api::query::bad;
use crate::filter::meaning::Asking;
use crate::filter::{Line, Subject};
use crate::web::access::Visit;
use crate::web::evidence::Raw;
use crate::web::finding;
use crate::web::show;
use model::{FindingId, Instant};
use std::collections::BTreeSet;
use store::view::{ElementView, FindingView, SightingRow};

/// Findings of one pack: each is read with its element and its evidence.
const MOST: usize = 100;
/// Claims of one finding.
const CLAIMS: usize = 40;
/// Longest text of a cell.
const TEXT: usize = 600;

const FINDINGS: &[&str] = &[
    "finding",
    "element",
    "address",
    "site",
    "role",
    "part",
    "supplier",
    "rule",
    "law of",
    "title",
    "citation",
    "sources",
    "why",
    "class",
    "severity",
    "date",
    "confidence",
    "state",
    "owner",
    "since",
    "judged as of",
    "policies",
    "knowledge",
    "evidence (SHA-256)",
    "evidence recorded",
    "agent",
    "report",
    "first seen",
    "last walked",
    "last seen",
];
const CLAIM_COLUMNS: &[&str] = &[
    "finding",
    "says",
    "supplier",
    "because of",
    "object",
    "octets",
    "reads",
    "observation",
    "knowledge entry",
    "source",
    "weight",
    "holds",
];
const LIFE: &[&str] = &["finding", "when", "what", "cause", "who", "in detail"];

/// The report.
///
/// # Errors
/// [`Problem`] where neither a finding nor a jurisdiction is named, for what is not there, and when the store
/// does not answer.
pub async fn content(visit: &Visit, asked: &Asked<'_>) -> Result<Content, Problem> {
    let asking = Asking::of(&visit.person, (visit.clock)());
    let filter = asked.query.findings(&asking)?;
    let line = asked.query.plain_line(Subject::Findings)?;
    let (findings, total) = match asked.query.one("finding") {
        "" if laws(&line).len() != 1 => {
            let allowed = "one jurisdiction as in DE, or finding= with the key of a finding".to_owned();
            return Err(bad("jurisdiction", asked.query.one("jurisdiction"), allowed));
        }
        "" => {
            let (rows, total) = scope::gather(visit, filter, MOST).await?;
            (rows.into_iter().map(|row| row.finding).collect(), total)
        }
        key => (
            vec![key.parse().map_err(|_| Problem::NotFound("finding"))?],
            1_u64,
        ),
    };
    let mut content = heading(visit, asked, "pack", "Evidence pack");
    let mut tables = [Vec::new(), Vec::new(), Vec::new()];
    for &finding in &findings {
        walk_back(visit, finding, &mut tables).await?;
    }
    let shown = findings.len() as u64;
    content.facts = vec![Fact::new("findings that match", show::number(total))];
    if shown < total {
        let words = format!(
            "the {} most urgent of {}",
            show::number(shown),
            show::number(total)
        );
        content.facts.push(Fact::new("in this pack", words));
    }
    let [findings, claims, life] = tables;
    let table = |key, title, columns, rows| Table {
        key,
        title,
        columns,
        rows,
    };
    content.tables = vec![
        table("findings", "Findings", FINDINGS, findings),
        table(
            "claims",
            "Claims and the bytes they rest on",
            CLAIM_COLUMNS,
            claims,
        ),
        table("life", "What happened to it", LIFE, life),
    ];
    Ok(content)
}

/// The laws a line asks for.
fn laws(line: &Line) -> BTreeSet<&str> {
    let terms = line.terms.iter();
    let named = terms.filter(|term| term.key.is_some_and(|key| key.name == "law") && !term.not);
    named.map(|term| term.value.as_str()).collect()
}

/// One finding with everything under it.
async fn walk_back(visit: &Visit, finding: FindingId, tables: &mut [Vec<Row>; 3]) -> Result<(), Problem> {
    let view = visit.store.finding(finding).await?;
    // Where it stands decides who may know that it is there.
    let view = view.filter(|view| visit.person.sees(&view.row.site));
    let view = view.ok_or(Problem::NotFound("finding"))?;
    let element = visit.store.element(view.row.element).await?;
    let raw = match view.digest {
        Some(digest) => Raw::fetch(visit, digest).await.inspect_err(Problem::log).ok(),
        None => None,
    };
    let seen = element.as_ref().zip(view.digest);
    let sighting = seen.and_then(|(element, digest)| element.sightings.iter().find(|s| s.digest == digest));
    let [findings, claims, life] = tables;
    findings.push(head(visit, &view, raw.as_ref(), sighting));
    claims.extend(rest(&view, element.as_ref(), raw.as_ref()));
    let key = view.row.finding.to_string();
    life.extend(view.events.iter().map(|event| {
        Row::new(vec![
            key.clone(),
            moment(event.at),
            show::words(&event.kind),
            show::cause(&event.cause).to_owned(),
            show::clean(event.person.as_deref().unwrap_or_default(), 100),
            show::clean(&event.text, TEXT),
        ])
    }));
    Ok(())
}

fn head(visit: &Visit, view: &FindingView, raw: Option<&Raw>, sighting: Option<&SightingRow>) -> Row {
    let row = &view.row;
    let result = &row.result;
    let missing = |what: &str| format!("{what} is not held any more");
    let at = |at: fn(&SightingRow) -> Instant| {
        sighting.map_or_else(|| missing("the sighting"), |row| moment(at(row)))
    };
    let sources = visit.policies.rule(&result.rule).map(|rule| {
        let named = rule.sources.iter().map(|source| {
            let title = source.title.as_deref().unwrap_or(&source.claim);
            format!("{title} {}", source.url.as_deref().unwrap_or_default())
        });
        named.collect::<Vec<_>>().join("; ")
    });
    Row::to(
        format!("/findings/{}", row.finding),
        vec![
            row.finding.to_string(),
            show::clean(&row.element_name, 64),
            show::clean(&row.address, 64),
            row.site.to_string(),
            show::role(row.role).to_owned(),
            show::clean(&row.part, 64),
            show::clean(&row.supplier, 48),
            result.rule.clone(),
            result.jurisdiction.clone(),
            result.title.clone(),
            result.citation.clone(),
            sources.unwrap_or_else(|| "the loaded policies no longer have this rule".to_owned()),
            show::clean(&result.explanation.join(" | "), 4 * TEXT),
            show::words(result.class.as_str()),
            result.severity.to_string(),
            show::clean(result.deadline.as_deref().unwrap_or("no date"), 32),
            show::confidence(result.confidence),
            row.life.state.to_string(),
            show::clean(row.life.owner.as_deref().unwrap_or("nobody"), 60),
            moment(row.opened),
            show::clean(&view.as_of, 32),
            show::clean(&view.policies, 80),
            show::clean(&view.knowledge, 80),
            view.digest
                .map_or_else(|| missing("evidence"), |digest| digest.to_string()),
            raw.map_or_else(|| missing("evidence"), |raw| moment(raw.recorded)),
            sighting.map_or_else(|| missing("the sighting"), |row| row.agent.to_string()),
            sighting.map_or_else(
                || missing("the sighting"),
                |row| format!("{} of spool {}", row.sequence, show::clean(&row.epoch, 32)),
            ),
            at(|row| row.from),
            at(|row| row.walked),
            at(|row| row.until),
        ],
    )
}

/// Claims of a finding with their bytes; where there is none, a row that says so.
fn rest(view: &FindingView, element: Option<&ElementView>, raw: Option<&Raw>) -> Vec<Row> {
    let key = view.row.finding.to_string();
    let (lines, _) = finding::claims(view, element, raw);
    if lines.is_empty() {
        let mut cells = vec![key, "no claim is held for this part any more".to_owned()];
        cells.resize(CLAIM_COLUMNS.len(), String::new());
        return vec![Row::new(cells)];
    }
    let more = lines.len().saturating_sub(CLAIMS);
    let row = |line: &crate::web::claim::ClaimLine| {
        let observation = line.bytes.observation;
        Row::new(vec![
            key.clone(),
            line.says.to_owned(),
            line.supplier.clone(),
            line.signal.to_owned(),
            line.bytes.oid.clone(),
            format!("{} {}", line.bytes.tag, line.bytes.hex),
            line.bytes.shown.clone(),
            observation.map_or_else(
                || "not found in the evidence".to_owned(),
                |(number, kind, outcome)| format!("{number}, {kind}, {outcome}"),
            ),
            line.knowledge.clone(),
            line.source.clone(),
            line.weight.clone(),
            if line.won { "yes" } else { "outweighed" }.to_owned(),
        ])
    };
    let mut rows: Vec<_> = lines.iter().take(CLAIMS).map(row).collect();
    if more > 0 {
        let mut cells = vec![
            key.clone(),
            format!("and {more} more, on the page of its element"),
        ];
        cells.resize(CLAIM_COLUMNS.len(), String::new());
        rows.push(Row::new(cells));
    }
    rows
}
