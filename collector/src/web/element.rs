//! One element: the unit in it now and before, its parts, what is claimed and judged, and on which bytes.
//!
//! Invariant: long lists are cut at a stated number with a link to all of it; losing
//! claims, doubts and results that bind nobody are shown like the others.

use super::Web;
use super::access::Visit;
use super::against::{self, Other};
use super::around::{self, Neighbour};
use super::claim::{ClaimLine, DoubtLine};
use super::elements;
use super::evidence::Raw;
use super::finding::Report;
use super::findings;
use super::history::{self, History, Told};
use super::page::{Frame, answer};
use super::show::{self, Left, Moment};
use super::tree::{self, Row};
use super::verdicts::{self, Matrix};
use crate::api::Problem;
use crate::api::query::Query;
use askama::Template;
use axum::extract::{Path, Query as Pairs};
use axum::response::Response;
use model::{Completeness, ElementId, FindingState, Instant, Outcome, ResultClass, RuleResult, Severity};
use std::collections::HashMap;
use store::view::{ElementView, KinRow, TenureRow, UnitDoubtRow};
use time::Date;

const PARTS: usize = 500;
const CLAIMS: usize = 100;
const RESULTS: usize = 100;
/// With `?all=1`.
const ALL: usize = 20_000;

#[derive(Template)]
#[template(path = "element.html")]
struct ElementPage {
    frame: Frame,
    line: elements::Line,
    facts: Vec<(&'static str, String)>,
    declared: Vec<(&'static str, String)>,
    /// Where that and what was seen differ.
    against: Vec<String>,
    tenures: Vec<Tenure>,
    kin: Vec<Kin>,
    unit_doubts: Vec<UnitDoubt>,
    findings: Vec<findings::Line>,
    parts: Vec<Row>,
    parts_total: usize,
    more_parts: usize,
    parts_named: usize,
    claims: Vec<ClaimLine>,
    more_claims: usize,
    doubts: Vec<DoubtLine>,
    /// Who else was named, and why they were not taken.
    others: Vec<Other>,
    neighbours: Vec<Neighbour>,
    matrix: Option<Matrix>,
    history: Option<History>,
    verdicts: Vec<Verdicts>,
    sightings: Vec<Report>,
    /// Why the last round brought less than everything.
    gap_reason: Option<&'static str>,
    digest: Option<String>,
    knowledge: String,
    policies: String,
    as_of: String,
}

struct Tenure {
    current: bool,
    maker: Option<String>,
    model: String,
    serial: String,
    told: String,
    from: Moment,
    until: Option<Moment>,
    lasted: String,
    /// How it came.
    came: &'static str,
    /// The evidence that showed it first.
    first: String,
}

/// Another place of a unit of this element.
struct Kin {
    element: String,
    name: String,
    site: String,
    address: String,
    until: Option<Moment>,
}

struct UnitDoubt {
    code: String,
    text: String,
    element: String,
    name: String,
    unit: String,
    other: String,
}

/// Results of one class.
struct Verdicts {
    class: String,
    count: usize,
    more: usize,
    open: bool,
    results: Vec<Verdict>,
}

struct Verdict {
    rule: String,
    jurisdiction: String,
    title: String,
    citation: String,
    about: String,
    supplier: String,
    severity: Severity,
    left: Option<Left>,
    possible: bool,
    confidence: String,
    explanation: Vec<String>,
}

/// `/elements/{id}`
pub async fn element(
    visit: Visit,
    Path(id): Path<String>,
    Pairs(pairs): Pairs<Vec<(String, String)>>,
) -> Response {
    answer(&visit, show_element(&visit, &id, pairs).await)
}

async fn show_element(visit: &Visit, id: &str, pairs: Vec<(String, String)>) -> Result<ElementPage, Problem> {
    let query = Query::read(pairs, &["all", "asof"])?;
    let all = query.flag("all")?;
    let now = (visit.clock)();
    let today = now.date().unwrap_or(Date::MIN);
    let asof = history::asked(query.one("asof"), today)?;
    let id: ElementId = id.parse().map_err(|_| Problem::NotFound("element"))?;
    let frame = Frame::new(visit, "elements");
    let mut view = visit
        .store
        .element(id)
        .await?
        .filter(|view| visit.person.sees(&view.row.site))
        .ok_or(Problem::NotFound("element"))?;
    visit.sees(&view.row.site, "element")?;
    // Where the same hardware stands elsewhere is for those who see that place; that there is a doubt is for all.
    view.kin.retain(|row| visit.person.sees(&row.site));
    for doubt in view
        .unit_doubts
        .iter_mut()
        .filter(|doubt| !visit.person.sees(&doubt.other_site))
    {
        doubt.other = doubt.unit;
    }
    let raw = match view.digest {
        Some(digest) => Raw::fetch(visit, digest).await.inspect_err(Problem::log).ok(),
        None => None,
    };
    let shown = page(frame.about(&view.row.site), &view, raw.as_ref(), now, all);
    Ok(ElementPage {
        gap_reason: gap_reason(visit, &view).await,
        neighbours: around::neighbours(visit, id).await?,
        matrix: verdicts::matrix(visit, id, today).await?,
        history: Some(history::history(visit, id, asof, now).await?),
        ..shown
    })
}

/// What the first question that brought less than everything ended with, in the last round.
async fn gap_reason(web: &Web, view: &ElementView) -> Option<&'static str> {
    let last = view
        .sightings
        .first()
        .filter(|last| last.completeness != Completeness::Complete)?;
    let raw = Raw::fetch(web, last.digest)
        .await
        .inspect_err(Problem::log)
        .ok()?;
    let mut outcomes = raw.evidence.observations.iter().map(|one| one.outcome);
    let told = [Outcome::Complete, Outcome::Skipped, Outcome::Redacted];
    outcomes
        .find(|outcome| !told.contains(outcome))
        .map(show::outcome)
}

fn page(frame: Frame, view: &ElementView, raw: Option<&Raw>, now: Instant, all: bool) -> ElementPage {
    let bound = |usual: usize| if all { ALL } else { usual };
    let mut worst: HashMap<&str, Severity> = HashMap::new();
    for finding in view
        .findings
        .iter()
        .filter(|f| !matches!(f.life.state, FindingState::Closed | FindingState::Waived))
    {
        if let Some(component) = finding.component.as_deref() {
            let severity = worst.entry(component).or_insert(finding.result.severity);
            *severity = (*severity).min(finding.result.severity);
        }
    }
    let parts = tree::draw(&view.parts, &worst, bound(PARTS));
    ElementPage {
        frame,
        line: elements::Line::new(&view.row, now),
        facts: facts(view),
        declared: declared(view),
        against: view
            .contradictions
            .iter()
            .take(20)
            .map(|words| show::clean(words, 300))
            .collect(),
        tenures: view
            .tenures
            .iter()
            .take(40)
            .rev()
            .map(|row| tenure(row, now))
            .collect(),
        kin: view.kin.iter().map(|row| kin(row, now)).collect(),
        unit_doubts: view.unit_doubts.iter().map(unit_doubt).collect(),
        findings: view
            .findings
            .iter()
            .take(bound(RESULTS))
            .map(|row| findings::Line::new(row, now))
            .collect(),
        parts_total: view.parts.len(),
        more_parts: view.parts.len().saturating_sub(parts.len()),
        parts_named: view.parts.iter().filter(|part| part.maker.is_some()).count(),
        parts,
        claims: view
            .claims
            .iter()
            .take(bound(CLAIMS))
            .map(|claim| ClaimLine::new(claim, raw))
            .collect(),
        more_claims: view.claims.len().saturating_sub(bound(CLAIMS)),
        doubts: view
            .doubts
            .iter()
            .take(bound(CLAIMS))
            .map(|doubt| DoubtLine::new(doubt, raw))
            .collect(),
        others: against::others(&view.claims),
        neighbours: Vec::new(),
        matrix: None,
        history: None,
        verdicts: by_class(&view.results, now, bound(RESULTS)),
        sightings: view.sightings.iter().map(|row| Report::new(row, now)).collect(),
        gap_reason: None,
        digest: view.digest.map(|digest| digest.to_string()),
        knowledge: view.knowledge.clone(),
        policies: view.policies.clone(),
        as_of: view.as_of.clone(),
    }
}

/// What the unit said about itself, as far as it did.
fn facts(view: &ElementView) -> Vec<(&'static str, String)> {
    let unit = &view.unit;
    let told = [
        ("model", unit.model.clone()),
        ("serial", unit.serial.clone()),
        ("software", unit.software.clone()),
        ("sysName", unit.sys_name.clone()),
        ("sysDescr", unit.sys_descr.clone()),
        (
            "sysObjectID",
            unit.sys_object_id.as_ref().map(ToString::to_string),
        ),
        ("base address", unit.base_mac.clone()),
        ("engine ID", unit.engine_id.clone()),
    ];
    told.into_iter()
        .filter_map(|(name, text)| Some((name, show::clean(&text?, 240))))
        .collect()
}

/// What the operator declared.
fn declared(view: &ElementView) -> Vec<(&'static str, String)> {
    let list = |words: &[String]| words.iter().take(24).cloned().collect::<Vec<_>>().join(", ");
    let facts = [
        ("site", view.row.site.to_string()),
        ("law of", list(&view.jurisdictions)),
        ("role", show::role(view.row.role).to_owned()),
        ("generations", list(&view.generations)),
        ("tags", list(&view.tags)),
        ("acquired", view.acquired.clone().unwrap_or_default()),
    ];
    let facts = facts
        .into_iter()
        .map(|(name, text)| (name, show::clean(&text, 240)));
    facts
        .map(|(name, text)| {
            (
                name,
                if text.is_empty() {
                    "unknown".to_owned()
                } else {
                    text
                },
            )
        })
        .collect()
}

fn tenure(row: &TenureRow, now: Instant) -> Tenure {
    let text = |text: &Option<String>| show::clean(text.as_deref().unwrap_or_default(), 64);
    Tenure {
        current: row.until.is_none(),
        maker: row.maker.as_ref().map(|maker| show::clean(maker, 48)),
        model: text(&row.model),
        serial: text(&row.serial),
        told: [&row.base_mac, &row.engine_id]
            .into_iter()
            .map(text)
            .filter(|t| !t.is_empty())
            .collect::<Vec<_>>()
            .join(" · "),
        from: Moment::new(row.from, now),
        until: row.until.map(|until| Moment::new(until, now)),
        lasted: show::span(row.until.unwrap_or(now).seconds_since(row.from)),
        came: match (row.swapped, row.member) {
            (true, true) => "swap of a stack member",
            (true, false) => "swap",
            (false, true) => "stack member",
            (false, false) => "",
        },
        first: row.first.to_string(),
    }
}

fn kin(row: &KinRow, now: Instant) -> Kin {
    Kin {
        element: row.element.to_string(),
        name: show::clean(&row.name, 64),
        site: row.site.to_string(),
        address: show::clean(&row.address, 64),
        until: row.until.map(|until| Moment::new(until, now)),
    }
}

fn unit_doubt(row: &UnitDoubtRow) -> UnitDoubt {
    UnitDoubt {
        code: show::words(&row.code),
        text: show::clean(&row.text, 300),
        element: row.other_element.to_string(),
        name: show::clean(&row.other_name, 64),
        unit: row.unit.to_string(),
        other: row.other.to_string(),
    }
}

fn by_class(results: &[RuleResult], now: Instant, most: usize) -> Vec<Verdicts> {
    let group = |&class: &ResultClass| {
        let of_class: Vec<_> = results.iter().filter(|result| result.class == class).collect();
        (!of_class.is_empty()).then(|| Verdicts {
            class: show::words(class.as_str()),
            count: of_class.len(),
            more: of_class.len().saturating_sub(most),
            open: class.opens_finding(),
            results: of_class
                .iter()
                .take(most)
                .map(|result| verdict(result, now))
                .collect(),
        })
    };
    ResultClass::ALL.iter().filter_map(group).collect()
}

fn verdict(result: &RuleResult, now: Instant) -> Verdict {
    Verdict {
        rule: result.rule.clone(),
        jurisdiction: result.jurisdiction.clone(),
        title: result.title.clone(),
        citation: result.citation.clone(),
        about: result
            .component
            .as_deref()
            .map(|index| show::clean(index, 48))
            .unwrap_or_default(),
        supplier: result.supplier.clone(),
        severity: result.severity,
        left: result
            .deadline
            .as_deref()
            .zip(now.date())
            .and_then(|(deadline, today)| Left::until(deadline, today)),
        possible: result.confidence < RuleResult::CERTAIN,
        confidence: show::confidence(result.confidence),
        explanation: result
            .explanation
            .iter()
            .take(12)
            .map(|line| show::clean(line, 400))
            .collect(),
    }
}
