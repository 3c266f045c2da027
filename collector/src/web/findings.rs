//! The queue of findings: most urgent first, filtered by the URL.

use super::access::Visit;
use super::act::{self, Desk};
use super::form::Form;
use super::glance::{Glances, STALE};
use super::page::{Frame, answer};
use super::show::{self, Left, Moment};
use crate::api::Problem;
use crate::api::query::{self, Query};
use askama::Template;
use axum::extract::{Extension, Query as Pairs};
use axum::response::Response;
use model::{FindingState, Instant, ResultClass, Role, RuleResult, Severity};
use policy::removal::contradictions;
use store::view::FindingRow;

const PATH: &str = "/findings";

#[derive(Template)]
#[template(path = "findings.html")]
struct FindingsPage {
    frame: Frame,
    form: Form,
    desk: Desk,
    mine: String,
    rows: Vec<Line>,
    total: String,
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

/// `/findings`
pub async fn findings(
    visit: Visit,
    Extension(glances): Extension<Glances>,
    Pairs(mut pairs): Pairs<Vec<(String, String)>>,
) -> Response {
    let told = act::told(&mut pairs);
    let desk = Desk::new(&visit, told);
    answer(&visit, list(&visit, &glances, pairs, desk).await)
}

/// The page, with what is on the desk of whoever acts.
pub(super) async fn list(
    visit: &Visit,
    glances: &Glances,
    pairs: Vec<(String, String)>,
    mut desk: Desk,
) -> Result<impl Template + use<>, Problem> {
    let query = Query::read(pairs, query::FINDINGS)?;
    let frame = Frame::new(visit, "findings");
    let mut filter = query.findings()?;
    filter.sites = visit.person.within(filter.sites);
    let page = visit.store.findings(&filter).await?;
    let glance = glances.get(visit, STALE).await?;
    let now = (visit.clock)();
    let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    let rules = visit.policies.rules().map(|rule| rule.id.clone()).collect();
    let suppliers = visit
        .policies
        .affiliations()
        .suppliers
        .iter()
        .map(|company| company.id.clone())
        .collect();
    let roles = Role::ALL.iter().map(|role| role.as_str()).chain(["unknown"]);
    let classes = ResultClass::ALL.iter().filter(|class| class.opens_finding());
    let form = Form::new(PATH, &query, "name, address or part")
        .pick(
            &query,
            "severity",
            "Severity",
            Severity::ALL.iter().map(ToString::to_string),
        )
        .pick(
            &query,
            "state",
            "State",
            FindingState::ALL.iter().map(ToString::to_string),
        )
        .pick(&query, "class", "Class", classes.map(ToString::to_string))
        .pick(
            &query,
            "role",
            "Role",
            words(&roles.collect::<Vec<_>>()).into_iter(),
        )
        .pick(
            &query,
            "jurisdiction",
            "Law of",
            visit
                .policies
                .packs()
                .iter()
                .map(|pack| pack.code.as_str().to_owned()),
        )
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
        .entry(&query, "supplier", "Supplier", suppliers)
        .entry(&query, "rule", "Rule", rules);
    desk.back = query.link(PATH);
    let line = |row| {
        let mut line = Line::new(row, now);
        desk.mark(row.finding, &mut line);
        line
    };
    Ok(FindingsPage {
        frame,
        form,
        mine: Query::of(&[("owner", &visit.person.name)]).link(PATH),
        rows: page.rows.iter().map(line).collect(),
        desk,
        total: show::number(page.total),
        next: page.next.map(|key| query.with("after", &key).link(PATH)),
        first: (!query.one("after").is_empty())
            .then(|| query.without("after", query.one("after")).link(PATH)),
    })
}
