//! One rule: what it says in our words, what it rests on, and what it meets here.
//!
//! Invariants: the text of the law is cited and never replaced; what a source does not tell is
//! said to be open; beside what is found stands what nobody can speak of.

use super::access::Visit;
use super::books::Books;
use super::exposure::LINKED_SITES;
use super::glance::{Glances, OPEN, UNKNOWN};
use super::page::{Frame, answer};
use super::policies::{Burdened, burdens, declared, holds};
use super::shelf::STALE;
use super::show::{self, Left};
use crate::api::Problem;
use crate::api::query::Query;
use crate::filter::meaning::Asking;
use askama::Template;
use axum::extract::{Extension, Path};
use axum::response::Response;
use model::{Severity, SiteName};
use policy::force::{Force, date_of, force};
use policy::pack::{DeadlineKind, Source, Status};
use policy::{Question, Rule};
use store::view::FindingRow;
use time::Date;

/// Findings named here; the queue has the others.
const FIRST: &str = "20";

#[derive(Template)]
#[template(path = "rule.html")]
struct RulePage {
    frame: Frame,
    id: String,
    title: String,
    jurisdiction: String,
    horizon: String,
    detail: String,
    status: String,
    confidence: &'static str,
    binding: bool,
    force: String,
    tone: &'static str,
    facts: Vec<(&'static str, String)>,
    bound: String,
    tags: Vec<(String, &'static str)>,
    who: Vec<(&'static str, String)>,
    named: Vec<(String, String)>,
    thing: Vec<(&'static str, String)>,
    dates: Vec<(&'static str, String)>,
    deadlines: Vec<Deadline>,
    exceptions: Vec<String>,
    claims: Vec<(String, String)>,
    court: Vec<String>,
    cases: Vec<Case>,
    before: Vec<String>,
    after: Vec<String>,
    sources: Vec<SourceLine>,
    found: Found,
    what_if: Option<String>,
}

struct Deadline {
    left: Option<Left>,
    date: String,
    kind: &'static str,
    what: String,
    only: String,
    verified: bool,
}

struct Case {
    name: String,
    day: String,
    assumed: String,
    says: String,
}

struct SourceLine {
    claim: String,
    grade: String,
    title: String,
    url: Option<String>,
}

/// What it meets here.
struct Found {
    open: String,
    open_link: String,
    worst: Option<Severity>,
    elements: String,
    waived: String,
    waived_link: String,
    any: bool,
    sites: Vec<(String, String, String, String)>,
    /// The first of its open findings, as the queue has them.
    first: Vec<First>,
    /// Elements at the sites under its law of which too little is known.
    unknown: String,
    unknown_link: String,
}

/// One open finding.
struct First {
    id: String,
    severity: Severity,
    element: String,
    name: String,
    site: String,
    role: &'static str,
    part: String,
    maker: String,
}

/// `/rules/{id}`
pub async fn rule(
    visit: Visit,
    Extension(glances): Extension<Glances>,
    Extension(books): Extension<Books>,
    Path(id): Path<String>,
) -> Response {
    answer(&visit, page(&visit, &glances, &books, &id).await)
}

async fn page(visit: &Visit, glances: &Glances, books: &Books, id: &str) -> Result<RulePage, Problem> {
    let rule = visit.policies.rule(id).ok_or(Problem::NotFound("rule"))?;
    let today = (visit.clock)().date().unwrap_or(Date::MIN);
    let question = Question::on(today);
    let frame = Frame::new(visit, "policies");
    let kept = books.ledger(visit).await?;
    let burdened = burdens(&kept.told, visit).remove(id).unwrap_or_default();
    let mut laws = glances.get(visit, STALE).await?.laws();
    laws.retain(|_, laws| laws.contains(&rule.jurisdiction));
    let under = |site: &SiteName| visit.person.sees(site) && laws.contains_key(site.as_str());
    let stock = kept.told.stock.iter().filter(|one| under(&one.site));
    let unknown = stock.map(|one| one.unknown).sum();
    let held = force(rule, &question);
    let (force, tone) = holds(held);
    let policies = &visit.policies;
    let listed = policies.list(rule).into_iter().flat_map(|list| &list.entries);
    let named = listed
        .flat_map(|entry| &entry.suppliers)
        .chain(&rule.matching.suppliers);
    let counted = rule.time.deadlines.iter().any(|one| one.plus.is_some());
    let asks = matches!(held, Force::Draft | Force::StartUnknown | Force::Future(_))
        || rule.status == Status::Proposed
        || counted
        || policies.names_nobody(rule);
    let supersedes = policies
        .rules()
        .filter(|other| other.superseded_by.iter().any(|by| by == id));
    Ok(RulePage {
        id: rule.id.clone(),
        title: rule.title.clone(),
        jurisdiction: rule.jurisdiction.clone(),
        horizon: policies
            .pack(&rule.jurisdiction)
            .map_or_else(String::new, |pack| pack.horizon.to_string()),
        detail: rule.detail.clone(),
        status: show::words(rule.status.as_str()),
        confidence: rule.confidence.as_str(),
        binding: rule.binding,
        force,
        tone,
        facts: cited(rule),
        bound: rule.bound.words.clone(),
        tags: rule
            .bound
            .tags
            .iter()
            .map(|tag| (tag.clone(), declared(visit, tag)))
            .collect(),
        who: who(visit, rule),
        named: named
            .map(|id| (id.clone(), policies.affiliations().name(id).to_owned()))
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .collect(),
        thing: thing(rule),
        dates: dates(rule),
        deadlines: rule
            .time
            .deadlines
            .iter()
            .map(|one| {
                let date = date_of(rule, one, &question);
                Deadline {
                    left: date.and_then(|date| Left::until(&date.to_string(), today)),
                    date: one.relative.clone().unwrap_or_else(|| "not told".to_owned()),
                    kind: kind(one.kind),
                    what: one.what.clone(),
                    only: [
                        one.generations.join(", "),
                        words(one.segments.iter().map(|s| s.as_str())),
                    ]
                    .into_iter()
                    .filter(|words| !words.is_empty())
                    .collect::<Vec<_>>()
                    .join("; "),
                    verified: one.verified,
                }
            })
            .collect(),
        exceptions: rule.exceptions.clone(),
        claims: rule
            .exempt
            .iter()
            .map(|one| {
                let until = one
                    .until
                    .map_or_else(String::new, |until| format!(" (until {until})"));
                (one.tag.clone(), format!("{}{until}", one.words))
            })
            .collect(),
        court: rule
            .court
            .iter()
            .map(|note| {
                let on = note.on.map_or_else(String::new, |on| format!("{on}, "));
                format!("{on}about {}: {}", note.about, note.words)
            })
            .collect(),
        cases: rule.tests.iter().map(case).collect(),
        before: supersedes.map(|other| other.id.clone()).collect(),
        after: rule.superseded_by.clone(),
        sources: rule.sources.iter().map(source).collect(),
        found: Found::new(
            id,
            &burdened,
            unknown,
            laws.keys().map(String::as_str),
            first(visit, id).await?,
        ),
        what_if: asks.then(|| Query::of(&[("rule", id)]).link("/what-if")),
        frame,
    })
}

/// The first open findings of a rule, the most urgent before others.
async fn first(visit: &Visit, id: &str) -> Result<Vec<First>, Problem> {
    let pairs: Vec<_> = [("rule", id), ("limit", FIRST)].into_iter().chain(OPEN).collect();
    let asking = Asking::of(&visit.person, (visit.clock)());
    let page = visit
        .store
        .findings(&Query::of(&pairs).findings(&asking)?)
        .await?;
    let line = |row: &FindingRow| First {
        id: row.finding.to_string(),
        severity: row.result.severity,
        element: row.element.to_string(),
        name: show::clean(&row.element_name, 80),
        site: row.site.to_string(),
        role: show::role(row.role),
        part: show::clean(&row.part, 80),
        maker: show::clean(&row.supplier, 60),
    };
    Ok(page.rows.iter().map(line).collect())
}

fn words<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words.map(show::words).collect::<Vec<_>>().join(", ")
}

/// Only what is told.
fn told(facts: Vec<(&'static str, String)>) -> Vec<(&'static str, String)> {
    facts.into_iter().filter(|(_, words)| !words.is_empty()).collect()
}

fn cited(rule: &Rule) -> Vec<(&'static str, String)> {
    told(vec![
        ("instrument", rule.instrument.clone()),
        ("section", rule.section.clone().unwrap_or_default()),
        ("sort of paper", show::words(&rule.kind)),
        ("issued by", rule.authority.clone()),
        ("citation", rule.citation.clone()),
    ])
}

fn who(visit: &Visit, rule: &Rule) -> Vec<(&'static str, String)> {
    let matching = &rule.matching;
    let country = |country: &policy::pack::Country| country.as_str().to_owned();
    let fact = matching.fact.as_ref().map(|test| {
        let name = visit
            .policies
            .countries()
            .fact(&test.id)
            .map_or(test.id.as_str(), |fact| &fact.name);
        let holds = if test.holds { "holds" } else { "does not hold" };
        format!("{name}: where it {holds}")
    });
    told(vec![
        ("test", show::words(matching.mode.as_str())),
        (
            "reading",
            if matching.named_in_text {
                String::new()
            } else {
                "the usual one: the text itself names nobody".to_owned()
            },
        ),
        ("affiliates", show::words(matching.affiliates.as_str())),
        ("list", matching.list.clone().unwrap_or_default()),
        ("criteria", matching.criteria.join("; ")),
        (
            "country",
            matching.country.as_ref().map(country).unwrap_or_default(),
        ),
        (
            "outside of",
            matching
                .outside
                .iter()
                .map(country)
                .collect::<Vec<_>>()
                .join(", "),
        ),
        ("fact about a country", fact.unwrap_or_default()),
        ("note", matching.note.clone().unwrap_or_default()),
    ])
}

fn thing(rule: &Rule) -> Vec<(&'static str, String)> {
    let thing = &rule.thing;
    let any = |text: String| if text.is_empty() { "any".to_owned() } else { text };
    let acts = rule.actions.iter().map(|action| action.words());
    let cap = rule
        .cap
        .as_ref()
        .map(|cap| format!("at most {} per cent: {}", cap.percent, cap.metric));
    told(vec![
        ("act", acts.collect::<Vec<_>>().join(", ")),
        ("effect", show::words(rule.effect.as_str())),
        (
            "effect on what was there before",
            rule.effect_installed
                .map(|effect| show::words(effect.as_str()))
                .unwrap_or_default(),
        ),
        ("cap", cap.unwrap_or_default()),
        (
            "parts of the network",
            any(words(thing.segments.iter().map(|one| one.as_str()))),
        ),
        ("generations", any(thing.generations.join(", "))),
        (
            "level",
            thing
                .level
                .map(|level| show::words(level.as_str()))
                .unwrap_or_default(),
        ),
        (
            "a whole unit is presumed so in",
            words(thing.presumed_in.iter().map(|one| one.as_str())),
        ),
        (
            "networks managed",
            words(thing.manages.iter().map(|one| one.as_str())),
        ),
        ("kind", thing.kind.as_deref().map(show::words).unwrap_or_default()),
        ("products", words(thing.products.iter().map(String::as_str))),
        ("new or installed", thing.state.as_str().to_owned()),
        ("turns on", words(thing.needs.iter().map(String::as_str))),
        ("purposes", words(thing.purposes.iter().map(String::as_str))),
        ("condition", thing.condition.clone().unwrap_or_default()),
    ])
}

fn dates(rule: &Rule) -> Vec<(&'static str, String)> {
    let time = &rule.time;
    let day = |day: Option<policy::PartialDate>| day.map(|day| day.to_string()).unwrap_or_default();
    let since = |day: Option<policy::PartialDate>| day.map(|day| format!(" (known since {day})"));
    let pause = time.suspended.as_ref().map(|pause| {
        let known = since(pause.announced).unwrap_or_default();
        format!("{} to {}{known}", pause.from, pause.to)
    });
    let first = rule.successions.iter().min_by_key(|next| next.from);
    told(vec![
        ("announced", day(time.announced)),
        ("effective", day(time.effective)),
        (
            "ends",
            day(time.ends) + &since(time.ends_announced).unwrap_or_default(),
        ),
        ("ends as told before", day(time.ends_first)),
        ("paused", pause.unwrap_or_default()),
        (
            "succeeded on",
            first.map(|next| next.from.to_string()).unwrap_or_default(),
        ),
        ("open", time.unknown.clone().unwrap_or_default()),
    ])
}

fn kind(kind: DeadlineKind) -> &'static str {
    match kind {
        DeadlineKind::Urged => "urged, not binding",
        DeadlineKind::Binding => "binding",
        DeadlineKind::Goal => "a goal, not binding",
        DeadlineKind::WaiverEnd => "end of a carve-out",
        DeadlineKind::Procedure => "of the procedure",
    }
}

fn case(case: &policy::case::Case) -> Case {
    let class = case
        .class
        .0
        .map_or_else(|| "nothing".to_owned(), |class| show::words(class.as_str()));
    let date = case.date.map_or_else(String::new, |date| format!(" {date}"));
    Case {
        name: case.name.clone(),
        day: case.as_of.0.to_string(),
        assumed: case.assume.map(|day| day.to_string()).unwrap_or_default(),
        says: format!("{class}{date}"),
    }
}

fn source(source: &Source) -> SourceLine {
    let sure = source
        .confidence
        .map_or_else(String::new, |sure| format!(", {} confidence", sure.as_str()));
    SourceLine {
        claim: source.claim.clone(),
        grade: format!("{}{sure}", show::words(source.grade.as_str())),
        title: source.title.clone().unwrap_or_default(),
        url: source
            .url
            .clone()
            .filter(|url| url.starts_with("https://") || url.starts_with("http://")),
    }
}

impl Found {
    /// Whether there are findings that are not named here.
    fn more(&self) -> bool {
        self.open != show::number(u64::try_from(self.first.len()).unwrap_or(u64::MAX))
    }

    fn new<'s>(
        id: &str,
        burdened: &Burdened,
        unknown: u64,
        under: impl ExactSizeIterator<Item = &'s str>,
        first: Vec<First>,
    ) -> Self {
        let linked = under.len() <= LINKED_SITES;
        let unknown_rows = UNKNOWN.into_iter().chain(under.map(|site| ("site", site)));
        let open = |more: Option<(&str, &str)>| {
            let pairs: Vec<_> = [("rule", id)].into_iter().chain(more).chain(OPEN).collect();
            Query::of(&pairs).link("/findings")
        };
        let sites = burdened.sites.iter().filter(|(_, (open, _))| *open > 0);
        Self {
            open: show::number(burdened.open),
            open_link: open(None),
            worst: burdened.worst.filter(|_| burdened.open > 0),
            elements: show::number(burdened.elements),
            waived: show::number(burdened.waived),
            waived_link: Query::of(&[("rule", id), ("state", "waived")]).link("/findings"),
            any: burdened.matched > 0,
            first,
            sites: sites
                .map(|(site, (findings, elements))| {
                    (
                        site.to_string(),
                        show::number(*findings),
                        show::number(*elements),
                        open(Some(("site", site.as_str()))),
                    )
                })
                .collect(),
            unknown: show::number(unknown),
            unknown_link: if linked && unknown > 0 {
                Query::of(&unknown_rows.collect::<Vec<_>>()).link("/elements")
            } else {
                String::new()
            },
        }
    }
}
