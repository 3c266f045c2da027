//! Who did what: the audit log as a list and as a file.
//!
//! Invariants: rows are shown as they were written, and each is held against its
//! sum; an export is itself a row; a cell of a file is never a formula. The log
//! speaks of all sites, so whoever is limited to some does not read it.

use super::access::Visit;
use super::export::{self, File, Kind, Rows};
use super::page::{Frame, answer};
use super::show::{self, Moment};
use crate::api::Problem;
use crate::api::query::{self, Query};
use askama::Template;
use axum::extract::Query as Pairs;
use axum::response::{IntoResponse, Response};
use model::{FindingId, Instant, Person};
use serde_json::{Value, json};
use store::accounts::By;
use store::acts::{AuditFilter, AuditRow, Note};

const PATH: &str = "/audit";
/// Rows read at a time.
const PAGE: u32 = 500;
/// Subjects a row shows.
const SHOWN: usize = 3;

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPage {
    frame: Frame,
    person: String,
    action: String,
    subject: String,
    from: String,
    until: String,
    filtered: bool,
    rows: Vec<Line>,
    total: String,
    /// Whether every row shown has the sum it bears, and holds on to the one before.
    whole: bool,
    csv: String,
    json: String,
    next: Option<String>,
    first: Option<String>,
}

struct Line {
    at: Moment,
    person: String,
    by_person: String,
    account: String,
    action: String,
    by_action: String,
    /// Key, short key, and whether it is a finding's.
    subjects: Vec<(String, String, bool)>,
    more: usize,
    by_subject: String,
    said: String,
    place: String,
    sum: String,
    short: String,
    intact: bool,
}

impl Line {
    fn new(row: &AuditRow, now: Instant) -> Self {
        let link = |key, value: &str| Query::of(&[(key, value)]).link(PATH);
        let subject = |key: &String| {
            let is_finding = key.parse::<FindingId>().is_ok() && row.action.starts_with("finding_");
            (show::clean(key, 80), show::clean(key, 13), is_finding)
        };
        Self {
            at: Moment::new(row.at, now),
            person: show::clean(&row.person, 100),
            by_person: link("person", &row.person),
            account: show::clean(&row.account, 60),
            action: show::words(&row.action),
            by_action: link("action", &row.action),
            subjects: row.subjects.iter().take(SHOWN).map(subject).collect(),
            more: row.subjects.len().saturating_sub(SHOWN),
            by_subject: row
                .subjects
                .first()
                .map(|key| link("subject", key))
                .unwrap_or_default(),
            said: said(&row.detail),
            place: row.place.map(show::number).unwrap_or_default(),
            sum: row.sum.clone(),
            short: row.sum.chars().take(10).collect(),
            intact: row.intact,
        }
    }
}

/// What was said with an act, without the word for it.
fn said(detail: &str) -> String {
    let Ok(Value::Object(fields)) = serde_json::from_str(detail) else {
        return show::clean(detail, 600);
    };
    let shown = |(key, value): (&String, &Value)| match value {
        _ if key == "act" => None,
        Value::String(text) => Some(format!("{}: {text}", show::words(key))),
        other => Some(format!("{}: {other}", show::words(key))),
    };
    let words: Vec<String> = fields.iter().filter_map(shown).collect();
    show::clean(&words.join("; "), 600)
}

/// `/audit`
pub async fn audit(visit: Visit, Pairs(pairs): Pairs<Vec<(String, String)>>) -> Response {
    answer(&visit, list(&visit, pairs).await)
}

/// Whether somebody who may sign reads it: it speaks of all sites.
#[must_use]
pub fn reads(person: &Person) -> bool {
    person.sites.is_none()
}

fn allowed(visit: &Visit) -> Result<(), Problem> {
    match reads(&visit.person) {
        true => Ok(()),
        false => Err(Problem::NotAllowed),
    }
}

async fn list(visit: &Visit, pairs: Vec<(String, String)>) -> Result<AuditPage, Problem> {
    allowed(visit)?;
    let query = Query::read(pairs, query::AUDIT)?;
    let frame = Frame::new(visit, "audit");
    let page = visit.acts.audit_log(&query.audit()?).await?;
    let now = (visit.clock)();
    let typed = |key| show::clean(query.one(key), 100);
    let file = |kind| query.with("as", kind).link("/audit/export");
    Ok(AuditPage {
        frame,
        person: typed("person"),
        action: typed("action"),
        subject: typed("subject"),
        from: typed("from"),
        until: typed("until"),
        filtered: query.count() > 0,
        whole: whole(&page.rows),
        rows: page.rows.iter().map(|row| Line::new(row, now)).collect(),
        total: show::total(page.total, page.measure),
        csv: file("csv"),
        json: file("json"),
        next: page.next.map(|key| query.with("after", &key).link(PATH)),
        first: (!query.one("after").is_empty())
            .then(|| query.without("after", query.one("after")).link(PATH)),
    })
}

/// Whether each row has its sum, and neighbours in the chain hold on to each other.
fn whole(rows: &[AuditRow]) -> bool {
    let holds = |pair: &[AuditRow]| match pair {
        [later, earlier] => match (later.place, earlier.place) {
            (Some(l), Some(e)) if e.checked_add(1) == Some(l) => later.previous == earlier.sum,
            _ => true,
        },
        _ => true,
    };
    rows.iter().all(|row| row.intact) && rows.windows(2).all(holds)
}

/// `/audit/export`
pub async fn export(visit: Visit, Pairs(pairs): Pairs<Vec<(String, String)>>) -> Response {
    file(&visit, pairs)
        .await
        .unwrap_or_else(IntoResponse::into_response)
}

async fn file(visit: &Visit, pairs: Vec<(String, String)>) -> Result<Response, Problem> {
    allowed(visit)?;
    let keys: Vec<&str> = query::AUDIT.iter().copied().chain(["as"]).collect();
    let query = Query::read(pairs, &keys)?;
    let word = query.one("as").to_owned();
    let kind = match word.as_str() {
        "csv" => Kind::Csv,
        "json" => Kind::Json,
        _ => return Err(query::bad("as", &word, "csv, json".to_owned())),
    };
    let filter = AuditFilter {
        limit: PAGE,
        after: None,
        ..query.audit()?
    };
    let now = (visit.clock)();
    let asked = query.without("as", &word).link(PATH);
    let By { person, from } = visit.by();
    let note = Note {
        person,
        account: from,
        action: "audit_exported".to_owned(),
        subjects: Vec::new(),
        detail: json!({"as": word, "filter": asked}).to_string(),
    };
    visit.acts.note(&note, now).await?;
    let made = now.to_string();
    let day: String = made.chars().take(10).collect();
    let about = vec![
        ("list", "audit log of Marque, latest first".to_owned()),
        ("made", made),
        ("by", visit.person.name.clone()),
        ("filter", asked),
        ("policies", visit.policies.version().to_owned()),
        ("knowledge", visit.knowledge_version.clone()),
    ];
    Ok(export::stream(
        visit,
        File {
            kind,
            name: format!("marque-audit-{day}"),
            rows: Rows::Audit(Box::new(filter)),
            then: None,
            columns: COLUMNS.to_vec(),
            picks: None,
            about,
        },
    ))
}

const COLUMNS: &[&str] = &[
    "at", "person", "account", "action", "subjects", "detail", "place", "previous", "sum",
];

/// A row as a file has it: its cells in the order of the columns.
pub(super) fn record(row: &AuditRow) -> Vec<String> {
    vec![
        row.at.to_string(),
        row.person.clone(),
        row.account.clone(),
        row.action.clone(),
        row.subjects.join(" "),
        row.detail.clone(),
        row.place.map(|place| place.to_string()).unwrap_or_default(),
        row.previous.clone(),
        row.sum.clone(),
    ]
}
