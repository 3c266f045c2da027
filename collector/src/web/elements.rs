//! The elements by name: who made what is there, and what follows from it.

use super::access::Visit;
use super::coverage::SeenLine;
use super::form::Form;
use super::glance::{Glances, STALE};
use super::page::{Frame, answer};
use super::show::{self, Moment};
use crate::api::Problem;
use crate::api::query::{self, Query};
use crate::coverage;
use askama::Template;
use axum::extract::{Extension, Query as Pairs};
use axum::response::Response;
use model::{Completeness, Instant, Role, Severity, Standing};
use store::view::{ElementFilter, ElementRow};

const PATH: &str = "/elements";
/// The filter for those that are no elements: seen by neighbours, and polled by nobody.
const POLLING: &str = "polling";
const NOT_POLLED: &str = "not_polled";
/// More of these are in the API.
const MOST_SEEN: usize = 500;

#[derive(Template)]
#[template(path = "elements.html")]
struct ElementsPage {
    frame: Frame,
    form: Form,
    rows: Vec<Line>,
    /// Those seen and not polled, when they are asked for.
    seen: Option<Vec<SeenLine>>,
    total: String,
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
pub async fn elements(
    visit: Visit,
    Extension(glances): Extension<Glances>,
    Pairs(pairs): Pairs<Vec<(String, String)>>,
) -> Response {
    answer(&visit, list(&visit, &glances, pairs).await)
}

/// Those whom neighbours tell of and nobody polls, by the filters that can be asked of them; of another role or
/// standing than unknown there are none.
async fn seen(visit: &Visit, filter: &ElementFilter) -> Result<Vec<coverage::Seen>, Problem> {
    let unknown = |words: &[String]| words.is_empty() || words.iter().any(|word| word == "unknown");
    if !unknown(&filter.roles) || !unknown(&filter.standings) {
        return Ok(Vec::new());
    }
    let mut seen = coverage::read_for(&*visit.store, &visit.person).await?.seen;
    seen.retain(|one| one.fits(&filter.sites, &filter.makers, &filter.text));
    Ok(seen)
}

async fn list(
    visit: &Visit,
    glances: &Glances,
    pairs: Vec<(String, String)>,
) -> Result<ElementsPage, Problem> {
    let query = Query::read(pairs, &[query::ELEMENTS, &[POLLING]].concat())?;
    let frame = Frame::new(visit, "elements");
    let page = visit.store.elements(&query.elements()?).await?;
    let seen = match query.has(POLLING, NOT_POLLED) {
        true => Some(seen(visit, &query.elements()?).await?),
        false => None,
    };
    let glance = glances.get(visit, STALE).await?;
    let now = (visit.clock)();
    let roles = Role::ALL
        .iter()
        .map(|role| role.as_str())
        .chain(["unknown"])
        .map(str::to_owned);
    let makers = visit
        .policies
        .affiliations()
        .suppliers
        .iter()
        .map(|company| company.id.clone());
    let form = Form::new(PATH, &query, "name, address, model or serial")
        .pick(
            &query,
            "standing",
            "Standing",
            Standing::ALL.iter().map(ToString::to_string),
        )
        .pick(&query, "role", "Role", roles)
        .pick(&query, POLLING, "Polling", std::iter::once(NOT_POLLED.to_owned()))
        .entry(
            &query,
            "site",
            "Site",
            glance
                .overview
                .sites
                .iter()
                .map(|row| row.site.name.to_string())
                .collect(),
        )
        .entry(
            &query,
            "maker",
            "Maker",
            makers.chain(["unknown".to_owned()]).collect(),
        );
    Ok(ElementsPage {
        frame,
        form,
        rows: page.rows.iter().map(|row| Line::new(row, now)).collect(),
        total: show::number(seen.as_ref().map_or(page.total, |seen| seen.len() as u64)),
        seen: seen.map(|seen| seen.iter().take(MOST_SEEN).map(SeenLine::new).collect()),
        next: page.next.map(|key| query.with("after", &key).link(PATH)),
        first: (!query.one("after").is_empty())
            .then(|| query.without("after", query.one("after")).link(PATH)),
    })
}
