//! Lists as files: exactly what is filtered, all of it, as CSV and JSON.
//!
//! Invariants: a file has what matched when it began, each row as it stands when it is written; beside the keys one
//! page of rows is in memory at a time; every file says which filter, day, versions and horizon it
//! holds for and that it is no advice, and ends with the number of rows it has, so that a torn one is known by its
//! end; no cell is a formula.

use super::access::Visit;
use super::{audit, picked, show, waivers};
use crate::api::query::{self, Query};
use crate::api::then::Then;
use crate::api::{Problem, Told};
use crate::filter::Subject;
use crate::filter::meaning::Asking;
use axum::body::{Body, Bytes};
use axum::extract::Query as Pairs;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use model::{ElementId, FindingId, Instant};
use serde_json::{Value, json};
use std::collections::VecDeque;
use store::StoreError;
use store::acts::{AuditFilter, WaiverFilter};
use store::view::{ElementRow, FindingRow, Page};

/// Rows read at a time.
const ROWS: usize = 500;
/// Longest cell, in characters.
const MAX_CELL: usize = 4_096;

pub(super) const FINDING_COLUMNS: &[&str] = &[
    "finding",
    "severity",
    "class",
    "state",
    "element",
    "name",
    "address",
    "site",
    "role",
    "part",
    "component",
    "supplier",
    "supplier_name",
    "rule",
    "jurisdiction",
    "title",
    "citation",
    "deadline",
    "confidence",
    "owner",
    "planned",
    "waived_until",
    "opened",
    "closed",
];

pub(super) const ELEMENT_COLUMNS: &[&str] = &[
    "element",
    "name",
    "site",
    "address",
    "port",
    "role",
    "maker",
    "maker_name",
    "confidence",
    "brand",
    "model",
    "serial",
    "standing",
    "findings",
    "worst",
    "parts",
    "last_round",
    "last_answer",
    "last_report",
    "context",
];

/// `/findings.csv`
pub async fn findings_csv(visit: Visit, Pairs(pairs): Pairs<Vec<(String, String)>>) -> Response {
    made(export(&visit, Subject::Findings, pairs, Kind::Csv).await)
}

/// `/findings.json`
pub async fn findings_json(visit: Visit, Pairs(pairs): Pairs<Vec<(String, String)>>) -> Response {
    made(export(&visit, Subject::Findings, pairs, Kind::Json).await)
}

/// `/elements.csv`
pub async fn elements_csv(visit: Visit, Pairs(pairs): Pairs<Vec<(String, String)>>) -> Response {
    made(export(&visit, Subject::Elements, pairs, Kind::Csv).await)
}

/// `/elements.json`
pub async fn elements_json(visit: Visit, Pairs(pairs): Pairs<Vec<(String, String)>>) -> Response {
    made(export(&visit, Subject::Elements, pairs, Kind::Json).await)
}

fn made(made: Result<Response, Problem>) -> Response {
    made.unwrap_or_else(IntoResponse::into_response)
}

/// How a file is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// RFC 4180.
    Csv,
    /// RFC 8259.
    Json,
}

/// What is left to be read.
pub(super) enum Rows {
    /// Findings, by their keys.
    Findings(VecDeque<FindingId>),
    /// Elements, by their keys.
    Elements(VecDeque<ElementId>),
    /// Rows of the audit log, of which none ever moves.
    Audit(Box<AuditFilter>),
    /// Waivers, a page at a time.
    Waivers(Box<WaiverFilter>),
    /// What was counted when it began: cells, and the same for JSON.
    Counted(Vec<(Vec<String>, Value)>),
}

/// A file, and what it says of itself before its rows.
pub(super) struct File {
    /// As what.
    pub(super) kind: Kind,
    /// Its name, without the ending.
    pub(super) name: String,
    /// Of which rows.
    pub(super) rows: Rows,
    /// The end of the day they are of, where that is over.
    pub(super) then: Option<Instant>,
    /// What stands over them as CSV.
    pub(super) columns: Vec<&'static str>,
    /// Places of these among all there are; none where they are all.
    pub(super) picks: Option<Vec<usize>>,
    /// Keys and values of its head.
    pub(super) about: Vec<(&'static str, String)>,
}

/// A file on its way out.
struct Export {
    visit: Visit,
    file: File,
    now: Instant,
    count: u64,
    step: Step,
}

enum Step {
    Head,
    Rows,
    Done,
}

async fn export(
    visit: &Visit,
    subject: Subject,
    pairs: Vec<(String, String)>,
    kind: Kind,
) -> Result<Response, Problem> {
    let now = (visit.clock)();
    let keys: Vec<&str> = match subject {
        Subject::Findings => query::FINDINGS,
        Subject::Elements => query::ELEMENTS,
    }
    .iter()
    .copied()
    .filter(|key| !matches!(*key, "after" | "limit"))
    .chain(query::DAY.iter().copied())
    .chain(["cols"])
    .collect();
    let (query, then) = Then::asked(&*visit.store, Query::read(pairs, &keys)?, now).await?;
    let end = then.as_ref().map(|then| then.at);
    let asking = Asking::of(&visit.person, now).at(end);
    let (rows, columns, matching) = match subject {
        Subject::Findings => {
            let keys = visit.store.finding_keys(&query.findings(&asking)?).await?;
            let matching = keys.len();
            (Rows::Findings(keys.into()), FINDING_COLUMNS, matching)
        }
        Subject::Elements => {
            let keys = visit.store.element_keys(&query.elements(&asking)?).await?;
            let matching = keys.len();
            (Rows::Elements(keys.into()), ELEMENT_COLUMNS, matching)
        }
    };
    let picks = picked::picked(subject, &query, columns)?;
    let columns = match &picks {
        Some(picks) => picked::of(picks, columns),
        None => columns.to_vec(),
    };
    let line = query
        .line(subject)?
        .map(|line| line.to_string())
        .unwrap_or_default();
    let mut about = about(visit, subject.as_str(), line, now, then.as_ref());
    about.push(("order", query.one("sort").to_owned()));
    about.push(("matching", matching.to_string()));
    if picks.is_some() {
        about.push(("columns", columns.join(" ")));
    }
    Ok(stream(
        visit,
        File {
            kind,
            name: match &then {
                None => format!("marque-{}", subject.as_str()),
                Some(then) => format!("marque-{}-{}", subject.as_str(), then.day),
            },
            then: end,
            rows,
            columns,
            picks,
            about,
        },
    ))
}

/// What every file says of itself before its rows.
pub(super) fn about(
    visit: &Visit,
    list: &str,
    filter: String,
    now: Instant,
    then: Option<&Then>,
) -> Vec<(&'static str, String)> {
    let mut about = vec![
        ("notice", policy::DISCLAIMER.to_owned()),
        ("list", list.to_owned()),
        ("filter", filter),
        ("made", now.to_string()),
    ];
    about.extend(match then {
        None => vec![
            ("as_of", now.to_string().chars().take(10).collect()),
            ("policies", visit.policies.version().to_owned()),
            ("knowledge", visit.knowledge_version.clone()),
            ("horizon", visit.policies.horizon()),
        ],
        Some(then) => vec![
            ("as_of", then.day.to_string()),
            ("as_known", then.day.to_string()),
            ("policies", then.policies.clone()),
            ("knowledge", then.knowledge.clone()),
            ("horizon", then.horizon(&visit.policies)),
        ],
    });
    if let Some(sites) = &visit.person.sites {
        let sites: Vec<_> = sites.iter().map(ToString::to_string).collect();
        about.push(("only_sites", sites.join(" ")));
    }
    about
}

/// Sends a file row by row, as fast as it is taken.
pub(super) fn stream(visit: &Visit, file: File) -> Response {
    let (word, mime) = match file.kind {
        Kind::Csv => ("csv", "text/csv; charset=utf-8; header=present"),
        Kind::Json => ("json", "application/json"),
    };
    let name = format!("attachment; filename=\"{}.{word}\"", file.name);
    let export = Export {
        visit: visit.clone(),
        now: file.then.unwrap_or_else(|| (visit.clock)()),
        file,
        count: 0,
        step: Step::Head,
    };
    let chunks = stream::try_unfold(export, |mut export| async move {
        let chunk = export.next().await?;
        Ok::<_, StoreError>(chunk.map(|chunk| (chunk, export)))
    });
    let headers = [
        (header::CONTENT_TYPE, mime.to_owned()),
        (header::CONTENT_DISPOSITION, name),
    ];
    (headers, Body::from_stream(chunks)).into_response()
}

impl Export {
    async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        match self.step {
            Step::Head => {
                self.step = Step::Rows;
                Ok(Some(self.head()))
            }
            Step::Rows => self.page().await.map(Some),
            Step::Done => Ok(None),
        }
    }

    fn head(&self) -> Bytes {
        match self.file.kind {
            Kind::Csv => {
                let mut records: Vec<_> = self
                    .file
                    .about
                    .iter()
                    .map(|(key, value)| self.remark(key, value))
                    .collect();
                records.push(
                    self.file
                        .columns
                        .iter()
                        .map(|column| (*column).to_owned())
                        .collect(),
                );
                self.csv(&records)
            }
            Kind::Json => {
                let about: Vec<_> = self
                    .file
                    .about
                    .iter()
                    .map(|(key, value)| format!("{}:{}", json!(key), json!(value)))
                    .collect();
                Bytes::from(format!("{{{},\"rows\":[", about.join(",")))
            }
        }
    }

    /// A record that is no row: it begins with a number sign, and is as long as all others.
    fn remark(&self, key: &str, value: &str) -> Vec<String> {
        let mut record = vec![String::new(); self.file.columns.len()];
        for (cell, text) in record.iter_mut().zip([format!("# {key}"), value.to_owned()]) {
            *cell = text;
        }
        record
    }

    async fn page(&mut self) -> Result<Bytes, StoreError> {
        let store = &self.visit.store;
        let (records, values, last) = match &mut self.file.rows {
            Rows::Findings(keys) => {
                let rows = store.findings_of(&some(keys), self.file.then).await?;
                let records: Vec<_> = rows.iter().map(finding).collect();
                let told = |row| serde_json::to_value(Told::new(row, self.now)).unwrap_or_default();
                (
                    records,
                    rows.into_iter().map(told).collect::<Vec<Value>>(),
                    keys.is_empty(),
                )
            }
            Rows::Elements(keys) => {
                let rows = store.elements_of(&some(keys), self.file.then).await?;
                let told = |row| serde_json::to_value(row).unwrap_or_default();
                (
                    rows.iter().map(element).collect(),
                    rows.iter().map(told).collect(),
                    keys.is_empty(),
                )
            }
            Rows::Audit(filter) => {
                let Page { rows, next, .. } = self.visit.acts.audit_log(filter).await?;
                filter.after = next;
                let told = |row| serde_json::to_value(row).unwrap_or_default();
                (
                    rows.iter().map(audit::record).collect(),
                    rows.iter().map(told).collect(),
                    filter.after.is_none(),
                )
            }
            Rows::Waivers(filter) => {
                let Page { rows, next, .. } = self.visit.acts.waivers(filter).await?;
                filter.after = next;
                let told = |row| serde_json::to_value(row).unwrap_or_default();
                (
                    rows.iter().map(waivers::record).collect(),
                    rows.iter().map(told).collect(),
                    filter.after.is_none(),
                )
            }
            Rows::Counted(rows) => {
                let (records, values) = std::mem::take(rows).into_iter().unzip();
                (records, values, true)
            }
        };
        let (records, values) = match &self.file.picks {
            Some(picks) => self.chosen(picks, &records),
            None => (records, values),
        };
        let before = self.count;
        self.count += records.len() as u64;
        if last {
            self.step = Step::Done;
        }
        Ok(match self.file.kind {
            Kind::Csv => {
                let end = last.then(|| self.remark("rows", &self.count.to_string()));
                self.csv(&records.into_iter().chain(end).collect::<Vec<_>>())
            }
            Kind::Json => {
                let mut text = String::new();
                for (number, value) in values.iter().enumerate() {
                    text.push_str(if before > 0 || number > 0 { ",\n" } else { "\n" });
                    text.push_str(&value.to_string());
                }
                if last {
                    text.push_str(&format!("\n],\"count\":{}}}\n", self.count));
                }
                Bytes::from(text)
            }
        })
    }
}

impl Export {
    /// The columns chosen; as JSON each with its name, and the words of the CSV.
    fn chosen(&self, picks: &[usize], records: &[Vec<String>]) -> (Vec<Vec<String>>, Vec<Value>) {
        let records: Vec<_> = records.iter().map(|record| picked::of(picks, record)).collect();
        let named = |record: &Vec<String>| {
            let cells = self.file.columns.iter().zip(record);
            cells
                .map(|(name, cell)| ((*name).to_owned(), json!(cell)))
                .collect()
        };
        let values = records.iter().map(named).map(Value::Object).collect();
        (records, values)
    }

    /// Every cell made harmless; those of the log are left as they were written beside that, and as long.
    fn csv(&self, records: &[Vec<String>]) -> Bytes {
        match self.file.rows {
            Rows::Audit(_) => csv(records, show::harmless),
            Rows::Findings(_) | Rows::Elements(_) | Rows::Waivers(_) | Rows::Counted(_) => {
                csv(records, harmless)
            }
        }
    }
}

/// The next keys, taken off.
fn some<K>(keys: &mut VecDeque<K>) -> Vec<K> {
    keys.drain(..ROWS.min(keys.len())).collect()
}

/// RFC 4180.
fn csv(records: &[Vec<String>], cell: fn(&str) -> String) -> Bytes {
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(Vec::new());
    for record in records {
        // Into memory, each as long as the others: this cannot fail.
        let _ = writer.write_record(record.iter().map(|text| cell(text)));
    }
    Bytes::from(writer.into_inner().unwrap_or_default())
}

/// A cell that a spreadsheet takes for text: what begins like a formula gets an apostrophe.
fn harmless(cell: &str) -> String {
    let clean = show::clean(cell, MAX_CELL);
    match show::is_formula(cell) {
        true => format!("'{clean}"),
        false => show::harmless(&clean),
    }
}

fn text(text: &Option<String>) -> String {
    text.clone().unwrap_or_default()
}

fn at(at: Option<Instant>) -> String {
    at.map(|at| at.to_string()).unwrap_or_default()
}

fn finding(row: &FindingRow) -> Vec<String> {
    let (result, life) = (&row.result, &row.life);
    vec![
        row.finding.to_string(),
        result.severity.to_string(),
        result.class.to_string(),
        life.state.to_string(),
        row.element.to_string(),
        row.element_name.clone(),
        row.address.clone(),
        row.site.to_string(),
        show::role(row.role).to_owned(),
        row.part.clone(),
        text(&row.component),
        result.supplier.clone(),
        row.supplier.clone(),
        result.rule.clone(),
        result.jurisdiction.clone(),
        result.title.clone(),
        result.citation.clone(),
        text(&result.deadline),
        result.confidence.to_string(),
        text(&life.owner),
        life.removal
            .as_ref()
            .map(|removal| removal.planned.clone())
            .unwrap_or_default(),
        life.waiver
            .as_ref()
            .map(|waiver| waiver.until.clone())
            .unwrap_or_default(),
        row.opened.to_string(),
        at(row.closed),
    ]
}

fn element(row: &ElementRow) -> Vec<String> {
    vec![
        row.element.to_string(),
        row.name.clone(),
        row.site.to_string(),
        row.address.clone(),
        row.port.to_string(),
        show::role(row.role).to_owned(),
        row.maker_id.clone().unwrap_or_else(|| "unknown".to_owned()),
        text(&row.maker),
        row.maker
            .as_ref()
            .map(|_| row.confidence.to_string())
            .unwrap_or_default(),
        text(&row.brand),
        text(&row.model),
        text(&row.serial),
        row.standing.clone(),
        row.findings.to_string(),
        row.worst.map(|worst| worst.to_string()).unwrap_or_default(),
        row.components.to_string(),
        row.completeness
            .map(|word| format!("{word:?}").to_lowercase())
            .unwrap_or_default(),
        at(row.last_answer),
        at(row.last_report),
        row.context.clone(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        for (cell, shown) in [
            ("=HYPERLINK(\"x\")", "'=HYPERLINK(\"x\")"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@x", "'@x"),
            ("\t=x", "'=x"),
            ("\rx", "'x"),
            ("  =x", "'=x"),
            ("＝x", "'＝x"),
            ("BER-1", "BER-1"),
            ("", ""),
        ] {
            assert_eq!(harmless(cell), shown, "{cell:?}");
        }
    }

    #[test]
    fn rows_are_as_long_as_their_heads() {
        let records = [
            vec!["a,b".to_owned(), "c\"d".to_owned()],
            vec!["e\nf".to_owned(), String::new()],
        ];
        let bytes = csv(&records, harmless);
        assert_eq!(bytes, "\"a,b\",\"c\"\"d\"\r\ne f,\r\n");
    }
}
