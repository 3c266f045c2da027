//! The queue of findings: most urgent first, filtered by the line in the URL, as they stand or stood on a day.
//!
//! Invariant: on a day that is over nothing moves, and nothing can be done.

use super::access::Visit;
use super::act::{self, Desk};
use super::form::{Form, Shape};
use super::page::{Frame, answer_with};
use super::show::{self, Left, Moment};
use crate::api::Problem;
use crate::api::query::{self, Query};
use crate::api::then::Then;
use crate::filter::keys::Words;
use crate::filter::meaning::Asking;
use crate::filter::{self, Subject};
use crate::views::LOOKS;
use askama::Template;
use axum::extract::Query as Pairs;
use axum::http::StatusCode;
use axum::response::Response;
use model::{FindingState, Instant, ResultClass, RuleResult, Severity};
use policy::removal::contradictions;
use store::view::FindingRow;

const PATH: &str = "/findings";
const SHAPE: Shape = Shape {
    subject: Subject::Findings,
    hint: "maker:huawei role:core -waived, or a name, an address, a part",
    columns: &[
        ("class", "class"),
        ("element", "element"),
        ("site", "site, role"),
        ("part", "part"),
        ("maker", "maker"),
        ("rule", "rule"),
        ("deadline", "deadline"),
        ("confidence", "confidence"),
        ("owner", "owner, removal"),
        ("state", "state, age"),
    ],
    order: "severity",
};

#[derive(Template)]
#[template(path = "findings.html")]
struct FindingsPage {
    frame: Frame,
    form: Form,
    desk: Desk,
    mine: String,
    /// The moment ages are told from, where the day is over; empty for now.
    end: String,
    /// The register of what is listed.
    register: String,
    rows: Vec<Line>,
    /// How many match; [`None`] where the line is not understood.
    total: Option<String>,
    next: Option<String>,
    first: Option<String>,
}

/// One finding as lists show it; the element's page shows them too.
#[derive(Debug)]
pub struct Line {
    /// Key.
    pub id: String,
    /// Revision of its life, as shown.
    pub revision: u64,
    /// Whether it is selected.
    pub chosen: bool,
    /// Whether somebody changed it after whoever acts had looked.
    pub moved: bool,
    /// Severity.
    pub severity: Severity,
    /// Class in words.
    pub class: String,
    /// Whether the chain is too weak to say it plainly.
    pub possible: bool,
    /// Confidence in per cent.
    pub confidence: String,
    /// Key of the element.
    pub element: String,
    /// Name of the element.
    pub name: String,
    /// Address of the element.
    pub address: String,
    /// Site.
    pub site: String,
    /// Role or `unknown`.
    pub role: &'static str,
    /// The part concerned, or the unit.
    pub part: String,
    /// Whether it is the unit itself.
    pub is_unit: bool,
    /// Maker or brand that matched.
    pub supplier: String,
    /// Its key.
    pub supplier_id: String,
    /// Key of the rule.
    pub rule: String,
    /// Jurisdiction.
    pub jurisdiction: String,
    /// Title of the rule.
    pub title: String,
    /// Citation of the rule.
    pub citation: String,
    /// Deadline.
    pub left: Option<Left>,
    /// A deadline that is no date.
    pub deadline: String,
    /// State.
    pub state: FindingState,
    /// Who has it; empty for nobody.
    pub owner: String,
    /// When it is planned to go; empty for never said.
    pub planned: String,
    /// Whether a waiver waits for a second person.
    pub asked: bool,
    /// Until when it is waived; empty if it is not.
    pub waived: String,
    /// What of this does not go together.
    pub against: Vec<String>,
    /// Since when.
    pub opened: Moment,
    /// Until when.
    pub closed: Option<Moment>,
}

impl Line {
    /// The row as seen now.
    #[must_use]
    pub fn new(row: &FindingRow, now: Instant) -> Self {
        let RuleResult {
            rule,
            jurisdiction,
            title,
            citation,
            class,
            severity,
            deadline,
            confidence,
            ..
        } = &row.result;
        let left = deadline
            .as_deref()
            .zip(now.date())
            .and_then(|(deadline, today)| Left::until(deadline, today));
        Self {
            id: row.finding.to_string(),
            revision: row.revision,
            chosen: false,
            moved: false,
            severity: *severity,
            class: show::words(class.as_str()),
            possible: *confidence < RuleResult::CERTAIN,
            confidence: show::confidence(*confidence),
            element: row.element.to_string(),
            name: show::clean(&row.element_name, 64),
            address: show::clean(&row.address, 64),
            site: row.site.to_string(),
            role: show::role(row.role),
            part: show::clean(&row.part, 64),
            is_unit: row.component.is_none(),
            supplier: show::clean(&row.supplier, 48),
            supplier_id: row.result.supplier.clone(),
            rule: rule.clone(),
            jurisdiction: jurisdiction.clone(),
            title: title.clone(),
            citation: citation.clone(),
            deadline: if left.is_none() {
                deadline.clone().unwrap_or_default()
            } else {
                String::new()
            },
            left,
            state: row.life.state,
            owner: show::clean(row.life.owner.as_deref().unwrap_or_default(), 60),
            planned: row
                .life
                .removal
                .as_ref()
                .map(|removal| removal.planned.clone())
                .unwrap_or_default(),
            asked: row.life.asked.is_some(),
            waived: row
                .life
                .waiver
                .as_ref()
                .map(|waiver| waiver.until.clone())
                .unwrap_or_default(),
            against: now
                .date()
                .map(|today| contradictions(&row.life, &row.result, today))
                .unwrap_or_default(),
            opened: Moment::new(row.opened, now),
            closed: row.closed.map(|at| Moment::new(at, now)),
        }
    }
}

/// What whoever looks has, on the day they look at.
fn mine(visit: &Visit, day: Option<&str>) -> String {
    let own = Query::of(&[("owner", &visit.person.name)]);
    match day {
        Some(day) => own.with("asof", day).link(PATH),
        None => own.link(PATH),
    }
}

/// The register of all that a line keeps.
fn register(line: &filter::Line) -> String {
    let line = line.to_string();
    let pairs = [("q", line.as_str())];
    let pairs: &[_] = if line.is_empty() { &[] } else { &pairs };
    Query::of(pairs).link("/reports/register")
}

/// `/findings`
pub async fn findings(visit: Visit, Pairs(mut pairs): Pairs<Vec<(String, String)>>) -> Response {
    let told = act::told(&mut pairs);
    let desk = Desk::new(&visit, told);
    answer_with(&visit, list(&visit, pairs, desk).await)
}

/// The page, with what is on the desk of whoever acts.
pub(super) async fn list(
    visit: &Visit,
    pairs: Vec<(String, String)>,
    mut desk: Desk,
) -> Result<(StatusCode, impl Template + use<>), Problem> {
    let query = Query::read(pairs, &[query::FINDINGS, query::DAY, LOOKS].concat())?;
    let frame = Frame::new(visit, "findings");
    let (query, then) = Then::asked(&*visit.store, query, (visit.clock)()).await?;
    let frame = frame.at(visit, then.as_ref());
    let end = then.as_ref().map(|then| then.at);
    let asking = Asking::of(&visit.person, (visit.clock)()).at(end);
    let now = asking.now;
    if then.is_some() {
        (desk.may_act, desk.may_sign) = (false, false);
    }
    let line = query.line(SHAPE.subject)?;
    let page = match &line {
        Ok(_) => Some(visit.store.findings(&query.findings(&asking)?).await?),
        Err(_) => None,
    };
    let states = Words::State.all().into_iter();
    let classes = ResultClass::ALL.iter().filter(|class| class.opens_finding());
    let words = |words: Words| words.all().into_iter().map(str::to_owned);
    let states = states
        .filter(|word| word.parse::<FindingState>().is_ok())
        .map(str::to_owned);
    let laws = visit
        .policies
        .packs()
        .iter()
        .map(|pack| pack.code.as_str().to_owned());
    let form = Form::new(visit, &SHAPE, &query, &line)
        .await?
        .pick(
            SHAPE.subject,
            &line,
            "severity",
            "Severity",
            words(Words::Severity),
        )
        .pick(SHAPE.subject, &line, "state", "State", states)
        .pick(
            SHAPE.subject,
            &line,
            "class",
            "Class",
            classes.map(ToString::to_string),
        )
        .pick(SHAPE.subject, &line, "role", "Role", words(Words::Role))
        .pick(SHAPE.subject, &line, "law", "Law of", laws);
    desk.back = query.link(PATH);
    let told = |row| {
        let mut line = Line::new(row, now);
        desk.mark(row.finding, &mut line);
        line
    };
    let next = page.as_ref().and_then(|page| page.next.as_ref());
    let made = FindingsPage {
        frame,
        mine: mine(visit, end.is_some().then(|| query.one("asof"))),
        // A register is of today.
        register: line
            .as_ref()
            .ok()
            .filter(|_| end.is_none())
            .map(register)
            .unwrap_or_default(),
        end: end.map(|at| at.to_string()).unwrap_or_default(),
        rows: page.iter().flat_map(|page| &page.rows).map(told).collect(),
        desk,
        total: page.as_ref().map(|page| show::total(page.total, page.measure)),
        next: next.map(|key| query.with("after", key).link(PATH)),
        first: (!query.one("after").is_empty()).then(|| query.without_key("after").link(PATH)),
        form,
    };
    let status = if line.is_ok() {
        StatusCode::OK
    } else {
        StatusCode::BAD_REQUEST
    };
    Ok((status, made))
}
