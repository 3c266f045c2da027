//! The elements by name: who made what is there, and what follows from it.

use super::access::Visit;
use super::coverage::SeenLine;
use super::form::{Form, Shape};
use super::page::{Frame, answer_with};
use super::show::{self, Moment};
use crate::api::Problem;
use crate::api::query::{self, Query};
use crate::api::then::Then;
use crate::coverage;
use crate::filter::Subject;
use crate::filter::keys::Words;
use crate::filter::meaning::{self, Asking};
use crate::views::LOOKS;
use askama::Template;
use axum::extract::Query as Pairs;
use axum::http::StatusCode;
use axum::response::Response;
use model::{Completeness, Instant, Severity, Standing};
use store::view::ElementRow;

const PATH: &str = "/elements";
const SHAPE: Shape = Shape {
    subject: Subject::Elements,
    hint: "site:ber* maker:unknown seen>7d, or a name, an address, a model, a serial",
    columns: &[
        ("maker", "maker, brand"),
        ("confidence", "confidence"),
        ("model", "model"),
        ("serial", "serial"),
        ("site", "site, role"),
        ("standing", "standing"),
        ("worst", "worst finding"),
        ("parts", "parts"),
        ("answer", "last answer"),
    ],
    order: "name",
};
/// More of these are in the API.
const MOST_SEEN: usize = 500;

#[derive(Template)]
#[template(path = "elements.html")]
struct ElementsPage {
    frame: Frame,
    form: Form,
    rows: Vec<Line>,
    /// The moment ages are told from, where the day is over; empty for now.
    end: String,
    /// Those seen and not polled, when they are asked for.
    seen: Option<Vec<SeenLine>>,
    /// How many match; [`None`] where the line is not understood.
    total: Option<String>,
    next: Option<String>,
    first: Option<String>,
}

/// One element as lists and its own page show it.
#[derive(Debug)]
pub struct Line {
    /// Key.
    pub id: String,
    /// Name.
    pub name: String,
    /// Address, with the port where it is not SNMP's own.
    pub address: String,
    /// Site.
    pub site: String,
    /// Role or `unknown`.
    pub role: &'static str,
    /// Maker, if known.
    pub maker: Option<String>,
    /// Its key.
    pub maker_id: String,
    /// Confidence of the maker.
    pub confidence: String,
    /// Brand, if it differs from the maker.
    pub brand: Option<String>,
    /// Model.
    pub model: String,
    /// Serial number.
    pub serial: String,
    /// Standing.
    pub standing: Standing,
    /// Open findings.
    pub findings: u64,
    /// The most urgent among them.
    pub worst: Option<Severity>,
    /// Its last answer.
    pub answered: Option<Moment>,
    /// Whether the last round brought less than everything: why.
    pub gap: Option<&'static str>,
    /// Its components.
    pub components: String,
}

impl Line {
    /// The row as seen now.
    #[must_use]
    pub fn new(row: &ElementRow, now: Instant) -> Self {
        let text = |text: &Option<String>| show::clean(text.as_deref().unwrap_or_default(), 64);
        let address = show::clean(&row.address, 64);
        Self {
            id: row.element.to_string(),
            name: show::clean(&row.name, 64),
            address: if row.port == 161 {
                address
            } else {
                format!("{address} port {}", row.port)
            },
            site: row.site.to_string(),
            role: show::role(row.role),
            maker: row.maker.as_deref().map(|maker| show::clean(maker, 48)),
            maker_id: row.maker_id.clone().unwrap_or_default(),
            confidence: show::confidence(row.confidence),
            brand: row
                .brand
                .as_deref()
                .filter(|&b| row.maker.as_deref() != Some(b))
                .map(|b| show::clean(b, 48)),
            model: text(&row.model),
            serial: text(&row.serial),
            standing: show::standing(&row.standing),
            findings: row.findings,
            worst: row.worst,
            answered: row.last_answer.map(|at| Moment::new(at, now)),
            gap: match row.completeness {
                Some(Completeness::Complete) | None => None,
                Some(Completeness::Partial) => Some("partial"),
                Some(Completeness::Unreachable) => Some("unreachable"),
            },
            components: show::number(row.components),
        }
    }
}

/// `/elements`
pub async fn elements(visit: Visit, Pairs(pairs): Pairs<Vec<(String, String)>>) -> Response {
    answer_with(&visit, list(&visit, pairs).await)
}

async fn list(visit: &Visit, pairs: Vec<(String, String)>) -> Result<(StatusCode, ElementsPage), Problem> {
    let query = Query::read(pairs, &[query::ELEMENTS, query::DAY, LOOKS].concat())?;
    let frame = Frame::new(visit, "elements");
    let (query, then) = Then::asked(&*visit.store, query, (visit.clock)()).await?;
    let frame = frame.at(visit, then.as_ref());
    let end = then.as_ref().map(|then| then.at);
    let asking = Asking::of(&visit.person, (visit.clock)()).at(end);
    let now = asking.now;
    let line = query.line(SHAPE.subject)?;
    let asked = line.as_ref().ok().map(|line| meaning::elements(line, &asking));
    let (page, seen) = match &asked {
        Some(asked) if asked.not_polled => {
            let mut seen = coverage::read(&*visit.store, &visit.person).await?.seen;
            seen.retain(|one| one.fits(&asked.clauses));
            (None, Some(seen))
        }
        Some(_) => (Some(visit.store.elements(&query.elements(&asking)?).await?), None),
        None => (None, None),
    };
    let words = |words: Words| words.all().into_iter().map(str::to_owned);
    let form = Form::new(visit, &SHAPE, &query, &line)
        .await?
        .pick(
            SHAPE.subject,
            &line,
            "standing",
            "Standing",
            words(Words::Standing),
        )
        .pick(SHAPE.subject, &line, "role", "Role", words(Words::Role))
        .pick(SHAPE.subject, &line, "round", "Last round", words(Words::Round));
    // Nobody keeps who was polled on a day that is over.
    let form = match end {
        None => form.pick(SHAPE.subject, &line, "polling", "Polling", words(Words::Polling)),
        Some(_) => form,
    };
    let counted = page.as_ref().map(|page| show::total(page.total, page.measure));
    let next = page.as_ref().and_then(|page| page.next.as_ref());
    let made = ElementsPage {
        frame,
        end: end.map(|at| at.to_string()).unwrap_or_default(),
        rows: page
            .iter()
            .flat_map(|page| &page.rows)
            .map(|row| Line::new(row, now))
            .collect(),
        total: counted.or_else(|| seen.as_ref().map(|seen| show::number(seen.len() as u64))),
        next: next.map(|key| query.with("after", key).link(PATH)),
        first: (!query.one("after").is_empty()).then(|| query.without_key("after").link(PATH)),
        seen: seen.map(|seen| seen.iter().take(MOST_SEEN).map(SeenLine::new).collect()),
        form,
    };
    let status = if line.is_ok() {
        StatusCode::OK
    } else {
        StatusCode::BAD_REQUEST
    };
    Ok((status, made))
}
