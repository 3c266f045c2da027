//! The packs in use, and their rules with what each of them does here.
//!
//! Invariants: whether a rule holds is told for a day; a rule without findings is not said
//! to be kept: it may bind nobody here, or speak of elements of unknown maker.

use super::Web;
use super::access::Visit;
use super::books::Books;
use super::glance::OPEN;
use super::narrow::Narrow;
use super::page::{Frame, answer};
use super::show::{self, Left};
use crate::api::Problem;
use crate::api::query::{self, Query};
use askama::Template;
use axum::extract::{Extension, Path, Query as Pairs};
use axum::response::Response;
use model::{Severity, SiteName};
use policy::force::{Force, date_of, force};
use policy::pack::{DeadlineKind, Status};
use policy::{Pack, Question, Rule};
use std::collections::{BTreeMap, BTreeSet};
use store::ledger::Ledger;
use time::Date;

const PATH: &str = "/policies";
/// Suppliers named in a row.
const NAMED: usize = 4;

#[derive(Template)]
#[template(path = "policies.html")]
struct PoliciesPage {
    frame: Frame,
    form: Narrow,
    version: String,
    origin: String,
    packs: Vec<PackLine>,
    day: String,
    total: usize,
    rules: Vec<RuleLine>,
}

#[derive(Template)]
#[template(path = "pack.html")]
struct PackPage {
    frame: Frame,
    pack: PackLine,
    notes: Vec<String>,
    lists: Vec<ListLine>,
    /// Tags by which its rules bind an operator, and whether they are declared.
    tags: Vec<(String, &'static str)>,
    undeclared: bool,
    sites: Vec<String>,
    day: String,
    rules: Vec<RuleLine>,
}

/// One pack.
struct PackLine {
    code: String,
    name: String,
    horizon: String,
    rules: usize,
    by_status: Vec<(&'static str, usize)>,
    digest: String,
    short: String,
    pinned: bool,
    signed: bool,
    folder: bool,
    open: u64,
    open_link: String,
}

/// A list that rules of a pack refer to.
struct ListLine {
    name: String,
    entries: Vec<EntryLine>,
}

struct EntryLine {
    span: String,
    words: String,
    suppliers: Vec<(String, String)>,
}

/// One rule as lists show it; the pages of a pack and of a supplier show them too.
pub struct RuleLine {
    /// Key.
    pub id: String,
    /// What it says, in one line.
    pub title: String,
    /// Jurisdiction.
    pub jurisdiction: String,
    /// Its status.
    pub status: &'static str,
    /// How sure the row is.
    pub confidence: &'static str,
    /// Whether it holds on the day, in words.
    pub force: String,
    /// The same as a word for the style sheet.
    pub tone: &'static str,
    /// Suppliers it names: keys and names.
    pub named: Vec<(String, String)>,
    /// How many more it names.
    pub more: usize,
    /// How it tests the supplier, where it names none.
    pub test: String,
    /// Its binding date next to come, or the last that passed.
    pub left: Option<Left>,
    /// Open findings.
    pub open: String,
    /// Where they are listed; empty where there are none.
    pub open_link: String,
    /// The most urgent among them.
    pub worst: Option<Severity>,
    /// By what it means a supplier, on the page of one.
    pub why: String,
}

/// What was found under a rule at the sites whoever looks may see.
#[derive(Debug, Clone, Default)]
pub struct Burdened {
    /// Findings that wait for somebody.
    pub open: u64,
    /// Waived ones.
    pub waived: u64,
    /// Elements with an open one.
    pub elements: u64,
    /// Elements with either.
    pub matched: u64,
    /// The most urgent open one.
    pub worst: Option<Severity>,
    /// Open findings and elements by site.
    pub sites: BTreeMap<SiteName, (u64, u64)>,
}

/// Findings by rule.
#[must_use]
pub fn burdens<'a>(ledger: &'a Ledger, visit: &Visit) -> BTreeMap<&'a str, Burdened> {
    let mut found: BTreeMap<&str, Burdened> = BTreeMap::new();
    for one in ledger.burdens.iter().filter(|one| visit.person.sees(&one.site)) {
        let sums = found.entry(&one.rule).or_default();
        sums.open += one.open;
        sums.waived += one.waived;
        sums.elements += one.elements;
        sums.matched += one.matched;
        sums.worst = [sums.worst, one.worst].into_iter().flatten().min();
        let site = sums.sites.entry(one.site.clone()).or_default();
        site.0 += one.open;
        site.1 += one.elements;
    }
    found
}

/// Whether a rule holds, in words, with a word for the style sheet.
#[must_use]
pub fn holds(force: Force) -> (String, &'static str) {
    match force {
        Force::Silent => ("says nothing on this day".to_owned(), "silent"),
        Force::Draft => ("a draft: restricts nobody".to_owned(), "draft"),
        Force::Future(Some(day)) => (format!("takes effect on {day}"), "future"),
        Force::Future(None) => ("takes effect on a day not known".to_owned(), "future"),
        Force::StartUnknown => ("made; nobody knows since when".to_owned(), "open"),
        Force::Recheck => ("was paused; look it up anew".to_owned(), "open"),
        Force::Holds => ("in force".to_owned(), "holds"),
    }
}

impl RuleLine {
    /// The rule on a day, with what was found under it.
    #[must_use]
    pub fn new(web: &Web, rule: &Rule, day: Date, found: Option<&Burdened>) -> Self {
        let question = Question::on(day);
        let (force, tone) = holds(force(rule, &question));
        let affiliations = web.policies.affiliations();
        let listed = web.policies.list(rule);
        let entries = listed.into_iter().flat_map(|list| &list.entries);
        let named: BTreeSet<&String> = entries
            .flat_map(|entry| &entry.suppliers)
            .chain(&rule.matching.suppliers)
            .collect();
        let binding = rule
            .time
            .deadlines
            .iter()
            .filter(|one| one.kind == DeadlineKind::Binding);
        let mut dates: Vec<_> = binding.filter_map(|one| date_of(rule, one, &question)).collect();
        dates.sort_by_key(|date| date.last());
        let next = dates.iter().find(|date| date.last() >= day).or(dates.last());
        let pairs: Vec<_> = [("rule", rule.id.as_str())].into_iter().chain(OPEN).collect();
        let open = found.map_or(0, |found| found.open);
        Self {
            id: rule.id.clone(),
            title: rule.title.clone(),
            jurisdiction: rule.jurisdiction.clone(),
            status: rule.status.as_str(),
            confidence: rule.confidence.as_str(),
            force,
            tone,
            more: named.len().saturating_sub(NAMED),
            test: show::words(rule.matching.mode.as_str()),
            named: named
                .into_iter()
                .take(NAMED)
                .map(|id| (id.clone(), affiliations.name(id).to_owned()))
                .collect(),
            left: next.and_then(|date| Left::until(&date.to_string(), day)),
            open: show::number(open),
            open_link: if open > 0 {
                Query::of(&pairs).link("/findings")
            } else {
                String::new()
            },
            worst: found.and_then(|found| found.worst),
            why: String::new(),
        }
    }
}

impl PackLine {
    fn new(web: &Web, pack: &Pack, found: &BTreeMap<&str, Burdened>) -> Self {
        let count = |word: &'static str| {
            let of = pack.rules.iter().filter(|rule| rule.status.as_str() == word);
            of.count()
        };
        let code = pack.code.as_str();
        let file = format!("{}.toml", code.to_lowercase());
        let pairs: Vec<_> = [("jurisdiction", code)].into_iter().chain(OPEN).collect();
        let open = pack.rules.iter().filter_map(|rule| found.get(rule.id.as_str()));
        Self {
            code: code.to_owned(),
            name: pack.name.clone(),
            horizon: pack.horizon.to_string(),
            rules: pack.rules.len(),
            by_status: Status::WORDS
                .iter()
                .map(|word| (*word, count(word)))
                .filter(|(_, count)| *count > 0)
                .collect(),
            short: pack.digest.chars().take(12).collect(),
            digest: pack.digest.clone(),
            pinned: web.assured.pinned.contains(&file),
            signed: web.assured.signed,
            folder: web.assured.folder,
            open: open.map(|found| found.open).sum(),
            open_link: Query::of(&pairs).link("/findings"),
        }
    }
}

/// `/policies`
pub async fn policies(
    visit: Visit,
    Extension(books): Extension<Books>,
    Pairs(pairs): Pairs<Vec<(String, String)>>,
) -> Response {
    answer(&visit, list(&visit, &books, pairs).await)
}

async fn list(visit: &Visit, books: &Books, pairs: Vec<(String, String)>) -> Result<PoliciesPage, Problem> {
    let query = Query::read(pairs, query::RULES)?;
    let (laws, suppliers) = (query.kept("jurisdiction")?, query.kept("supplier")?);
    let today = (visit.clock)().date().unwrap_or(Date::MIN);
    let in_force = query.day("in_force")?;
    let day = in_force.unwrap_or(today);
    if let Some(status) = query.all("status").find(|word| Status::read(word).is_none()) {
        return Err(query::bad("status", status, Status::WORDS.join(", ")));
    }
    let frame = Frame::new(visit, "policies");
    let kept = books.ledger(visit).await?;
    let found = burdens(&kept.told, visit);
    let meant: Option<BTreeSet<&str>> = (!suppliers.is_empty()).then(|| {
        let named = suppliers.iter().flat_map(|id| visit.policies.naming(id, day));
        named.map(|one| one.rule.id.as_str()).collect()
    });
    let text = query.one("text").to_lowercase();
    let fits = |rule: &&Rule| {
        let says = |words: &str| words.to_lowercase().contains(&text);
        (laws.is_empty() || laws.contains(&rule.jurisdiction))
            && (query.one("status").is_empty() || query.has("status", rule.status.as_str()))
            && meant
                .as_ref()
                .is_none_or(|meant| meant.contains(rule.id.as_str()))
            && (in_force.is_none() || force(rule, &Question::on(day)) == Force::Holds)
            && (text.is_empty() || says(&rule.id) || says(&rule.title) || says(&rule.instrument))
    };
    let rules: Vec<RuleLine> = visit
        .policies
        .rules()
        .filter(fits)
        .map(|rule| RuleLine::new(visit, rule, day, found.get(rule.id.as_str())))
        .collect();
    let known = visit.policies.affiliations().suppliers.iter();
    let packs = visit.policies.packs();
    let form = Narrow::new(PATH, &query, "key, title or instrument")
        .pick(
            &query,
            "status",
            "Status",
            Status::WORDS.iter().map(|&word| word.to_owned()),
        )
        .entry(
            &query,
            "jurisdiction",
            "Law of",
            packs.iter().map(|pack| pack.code.as_str().to_owned()).collect(),
        )
        .entry(
            &query,
            "supplier",
            "Supplier",
            known.map(|one| one.id.clone()).collect(),
        )
        .entry(&query, "in_force", "In force on", vec![today.to_string()]);
    let shown = |pack: &&Pack| laws.is_empty() || laws.iter().any(|code| code == pack.code.as_str());
    Ok(PoliciesPage {
        form,
        version: visit.policies.version().to_owned(),
        origin: origin(visit),
        packs: packs
            .iter()
            .filter(shown)
            .map(|pack| PackLine::new(visit, pack, &found))
            .collect(),
        day: day.to_string(),
        total: rules.len(),
        rules,
        frame,
    })
}

fn origin(web: &Web) -> String {
    let assured = &web.assured;
    let from = if assured.folder {
        "read from your folder"
    } else {
        "as they came with this program"
    };
    let checked = match (assured.folder, assured.signed) {
        (false, _) => "",
        (true, true) => "; each is signed by a key you trust",
        (true, false) => "; no trusted keys are configured, so nothing tells who wrote them",
    };
    format!("{from}{checked}")
}

/// `/policies/{jurisdiction}`
pub async fn pack(visit: Visit, Extension(books): Extension<Books>, Path(code): Path<String>) -> Response {
    answer(&visit, one(&visit, &books, &code).await)
}

async fn one(visit: &Visit, books: &Books, code: &str) -> Result<PackPage, Problem> {
    let pack = visit.policies.pack(code).ok_or(Problem::NotFound("pack"))?;
    let today = (visit.clock)().date().unwrap_or(Date::MIN);
    let frame = Frame::new(visit, "policies");
    let kept = books.ledger(visit).await?;
    let found = burdens(&kept.told, visit);
    let tags: BTreeSet<&String> = pack.rules.iter().flat_map(|rule| &rule.bound.tags).collect();
    let declared = |tag: &str| declared(visit, tag);
    let undeclared = visit
        .policies
        .undeclared(&visit.operator_tags, &BTreeSet::from([code.to_owned()]));
    let sites: BTreeSet<&SiteName> = pack
        .rules
        .iter()
        .filter_map(|rule| found.get(rule.id.as_str()))
        .flat_map(|found| found.sites.keys())
        .collect();
    Ok(PackPage {
        notes: pack.notes.clone(),
        lists: pack
            .lists
            .iter()
            .map(|list| ListLine {
                name: list.name.clone(),
                entries: list
                    .entries
                    .iter()
                    .map(|entry| EntryLine::new(visit, entry))
                    .collect(),
            })
            .collect(),
        tags: tags.into_iter().map(|tag| (tag.clone(), declared(tag))).collect(),
        undeclared: !undeclared.is_empty(),
        sites: sites.into_iter().map(ToString::to_string).collect(),
        day: today.to_string(),
        rules: pack
            .rules
            .iter()
            .map(|rule| RuleLine::new(visit, rule, today, found.get(rule.id.as_str())))
            .collect(),
        pack: PackLine::new(visit, pack, &found),
        frame,
    })
}

/// Whether the operator declares a tag of an operator, in words.
#[must_use]
pub fn declared(web: &Web, tag: &str) -> &'static str {
    if web.operator_tags.contains(tag) {
        "you declare it"
    } else if web.operator_tags.contains(&format!("not:{tag}")) {
        "you declare that you are not"
    } else {
        "not declared"
    }
}

impl EntryLine {
    fn new(web: &Web, entry: &policy::pack::Entry) -> Self {
        let name = |id: &String| (id.clone(), web.policies.affiliations().name(id).to_owned());
        Self {
            span: match entry.to {
                Some(to) => format!("{} to {to}", entry.from),
                None => format!("since {}", entry.from),
            },
            words: entry.words.clone(),
            suppliers: entry.suppliers.iter().map(name).collect(),
        }
    }
}
