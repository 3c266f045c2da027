//! Reports: exposure for the board, evidence packs, the register, what changed; to print or take away.
//!
//! Invariants: a report that is shown or taken away stands in the audit log before it leaves, with
//! the digest of what it said; page, CSV and JSON say the same; nobody is told of sites they may
//! not see.

pub mod content;
pub mod scope;
mod board;
mod pack;
mod register;
mod changes;

use super::access::Visit;
use super::books::Books;
use super::glance::Glances;
use super::page::{Frame, answer, refuse};
use super::what_if::Turn;
use crate::api::Problem;
use crate::api::query::{self, Query};
use crate::filter::{MAX_LINE, Subject};
use crate::views;
use askama::Template;
use axum::extract::{Extension, Path, Query as Pairs};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use content::Content;
use serde::Serialize;
use serde_json::json;
use store::accounts::By;
use store::acts::Note;
use time::Date;

/// Word, name, and what it is for.
pub const REPORTS: [(&str, &str, &str); 4] = [
    (
        "board",
        "Exposure for the board",
        "How much of the network stands how, under which law, until when: one page.",
    ),
    (
        "pack",
        "Evidence pack for an auditor",
        "Each finding of one jurisdiction walked back: rule, claims, bytes, evidence, agent and time.",
    ),
    (
        "register",
        "Register of restricted equipment",
        "Every entry by site, as authorities ask for it once a year.",
    ),
    (
        "changes",
        "What changed, and why",
        "Since a day or a moment, by cause: network, law, knowledge, time, people.",
    ),
];

/// What is asked, and with what it can be answered.
pub struct Asked<'a> {
    /// The parameters.
    pub query: &'a Query,
    /// The last counts.
    pub glances: &'a Glances,
    /// The last counts of the whole network.
    pub books: &'a Books,
    /// Whose turn it is to judge the whole network.
    pub turn: &'a Turn,
}

#[derive(Template)]
#[template(path = "reports.html")]
struct IndexPage {
    frame: Frame,
    laws: Vec<String>,
    sites: Vec<String>,
    today: String,
}

#[derive(Template)]
#[template(path = "report.html")]
struct ReportPage {
    frame: Frame,
    content: Content,
    digest: String,
    by: String,
    forms: Vec<(String, String)>,
    horizon: String,
}

/// How a report leaves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Page,
    Csv,
    Json,
}

/// `/reports`
pub async fn index(visit: Visit, Extension(glances): Extension<Glances>) -> Response {
    let made = async {
        let frame = Frame::new(&visit, "reports");
        let glance = glances.get(&visit, super::shelf::STALE).await?;
        let sites = glance.overview.sites.iter().map(|row| &row.site.name);
        let packs = visit.policies.packs().iter();
        Ok(IndexPage {
            laws: packs.map(|pack| pack.code.as_str().to_owned()).collect(),
            sites: sites
                .filter(|site| visit.person.sees(site))
                .map(ToString::to_string)
                .collect(),
            today: frame.as_of.clone(),
            frame,
        })
    };
    answer(&visit, made.await)
}

/// `/reports/{report}`
pub async fn report(
    visit: Visit,
    Extension(glances): Extension<Glances>,
    Extension(books): Extension<Books>,
    Extension(turn): Extension<Turn>,
    Path(report): Path<String>,
    Pairs(pairs): Pairs<Vec<(String, String)>>,
) -> Response {
    let made = async {
        let query = Query::read(pairs, query::REPORT)?;
        let query = of_findings(&visit, &report, query).await?;
        let asked = Asked {
            query: &query,
            glances: &glances,
            books: &books,
            turn: &turn,
        };
        make(&visit, &asked, &report).await
    };
    match made.await {
        Ok(response) => response,
        Err(problem) => refuse(&visit, Some(visit.person.clone()), &problem),
    }
}

/// The same with what a kept view filters in place of its name; reports that list no findings take neither.
async fn of_findings(visit: &Visit, report: &str, query: Query) -> Result<Query, Problem> {
    let takes = |key: &str| match report {
        "pack" | "register" => true,
        "changes" if key == "site" => true,
        _ => key != "view" && !query::FINDINGS.contains(&key),
    };
    if let Some((key, value)) = query.pairs().find(|(key, _)| !takes(key)) {
        let allowed = "nothing: it filters findings, and this report lists none".to_owned();
        return Err(query::bad(key, value, allowed));
    }
    let name = query.one("view");
    if name.is_empty() {
        return Ok(query);
    }
    let view = views::by_name(&*visit.views, &visit.person.name, name).await?;
    if view.subject != Subject::Findings {
        return Err(query::bad("view", name, "a kept view of findings".to_owned()));
    }
    let line = format!("{} {}", view.query.plain_line(view.subject)?, query.one("q"));
    Ok(query.without_key("view").with("q", line.trim()))
}

async fn make(visit: &Visit, asked: &Asked<'_>, report: &str) -> Result<Response, Problem> {
    let query = asked.query;
    let form = match query.one("as") {
        "" => Form::Page,
        "csv" => Form::Csv,
        "json" => Form::Json,
        text => return Err(query::bad("as", text, "csv, json, or leave it out".to_owned())),
    };
    let frame = Frame::new(visit, "reports");
    let content = match report {
        "board" => board::content(visit, asked).await?,
        "pack" => pack::content(visit, asked).await?,
        "register" => register::content(visit, asked).await?,
        "changes" => changes::content(visit, asked).await?,
        _ => return Err(Problem::NotFound("report")),
    };
    let digest = content::digest(&content.canonical()?);
    let made = format!("made by {} at {}", visit.person.name, frame.made.full);
    let csv = match form {
        Form::Csv => Some(content.csv(query.one("table"), &made, &digest)?),
        Form::Page | Form::Json => None,
    };
    note(visit, report, &content, &digest, form).await?;
    let name = |end: &str| {
        let day: String = content.as_of.chars().filter(char::is_ascii_graphic).collect();
        format!("attachment; filename=\"marque-{report}-{day}.{end}\"")
    };
    Ok(match (form, csv) {
        (Form::Csv, Some(csv)) => {
            let about = [
                (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
                (header::CONTENT_DISPOSITION, name("csv")),
            ];
            (about, csv).into_response()
        }
        (Form::Json, _) => {
            let about = [
                (header::CONTENT_TYPE, "application/json".to_owned()),
                (header::CONTENT_DISPOSITION, name("json")),
            ];
            let told = Told {
                sha256: &digest,
                made_by: &visit.person.name,
                made_at: &frame.made.iso,
                content: &content,
            };
            let body = serde_json::to_string(&told).map_err(|_| Problem::Unreadable("report"))?;
            (about, body).into_response()
        }
        _ => {
            let path = format!("/reports/{report}");
            let forms = content.tables.iter().map(|table| {
                let link = content.address.with("as", "csv").with("table", table.key);
                let link = link.link(&path);
                (format!("CSV: {}", table.title.to_lowercase()), link)
            });
            let json = content.address.with("as", "json").link(&path);
            let forms = forms.chain([("JSON".to_owned(), json)]).collect();
            let page = ReportPage {
                forms,
                by: super::show::clean(&visit.person.name, 100),
                horizon: content.horizon.clone(),
                digest,
                content,
                frame,
            };
            answer(visit, Ok(page))
        }
    })
}

/// A report as a file: who made it beside what it says.
#[derive(Serialize)]
struct Told<'a> {
    sha256: &'a str,
    made_by: &'a str,
    made_at: &'a str,
    content: &'a Content,
}

async fn note(
    visit: &Visit,
    report: &str,
    content: &Content,
    digest: &str,
    form: Form,
) -> Result<(), Problem> {
    let form = match form {
        Form::Page => "page",
        Form::Csv => "csv",
        Form::Json => "json",
    };
    let detail = json!({
        "as_of": content.as_of,
        "asked": content.asked,
        "form": form,
        "sha256": digest,
    });
    let By { person, from } = visit.by();
    let note = Note {
        person,
        account: from,
        action: "report_made".to_owned(),
        subjects: vec![report.to_owned()],
        detail: detail.to_string(),
    };
    visit.acts.note(&note, (visit.clock)()).await?;
    Ok(())
}

impl Asked<'_> {
    /// A day that was asked for.
    ///
    /// # Errors
    /// [`Problem::BadParameter`] for anything that is no day.
    pub fn day(&self, key: &str) -> Result<Option<Date>, Problem> {
        self.query.day(key)
    }
}

/// What was asked, for people: every filter, the line too.
fn said(visit: &Visit, query: &Query) -> Vec<(String, String)> {
    let line = Some(("q", query.one("q"))).filter(|(_, line)| !line.is_empty());
    let clean = |(key, value): (&str, &str)| (key.to_owned(), super::show::clean(value, MAX_LINE));
    let mut said: Vec<_> = query.filters().chain(line).map(clean).collect();
    if let Some(sites) = &visit.person.sites {
        let names: Vec<_> = sites.iter().map(ToString::to_string).collect();
        said.push(("only sites that may be seen".to_owned(), names.join(" ")));
    }
    said
}

/// A report with nothing in it yet.
fn heading(visit: &Visit, asked: &Asked<'_>, report: &'static str, title: &str) -> Content {
    Content {
        report,
        title: title.to_owned(),
        asked: said(visit, asked.query),
        address: asked.query.clone(),
        operator: super::show::clean(&visit.operator, 100),
        as_of: (visit.clock)()
            .date()
            .map(|day| day.to_string())
            .unwrap_or_default(),
        policies: visit.policies.version().to_owned(),
        knowledge: visit.knowledge_version.clone(),
        horizon: visit.policies.horizon(),
        disclaimer: policy::DISCLAIMER,
        facts: Vec::new(),
        tables: Vec::new(),
    }
}
