//! What a rule would change if it were in force: the whole network judged for one page.
//!
//! Invariants: one page is judged at a time and beside the threads that serve the
//! others; a network too large for a page is not judged in part; the URL is the state.

use super::Web;
use super::access::Visit;
use super::page::{Frame, answer};
use super::show;
use crate::api::Problem;
use crate::api::query::{self, Query};
use crate::population::{AtSites, Days, compare};
use askama::Template;
use axum::extract::{Extension, Query as Pairs};
use axum::response::Response;
use policy::population::{By, Change, Comparison, Difference};
use policy::recall::Recall;
use policy::share::Capped;
use policy::{PartialDate, Question};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use store::StoreError;
use store::view::ElementFilter;
use time::Date;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Elements judged for a page at most.
pub const MOST: u64 = 20_000;
/// Rows of a table, and findings one by one.
const ROWS: usize = 200;
const EXAMPLES: usize = 50;

/// Whose turn it is: one page at a time is judged.
#[derive(Clone)]
pub struct Turn(Arc<Semaphore>);

impl Default for Turn {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }
}

impl Turn {
    /// Until it is dropped, nobody else judges the whole network for a page.
    ///
    /// # Errors
    /// [`Problem::Busy`] while somebody does.
    pub fn take(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let turn = Arc::clone(&self.0).try_acquire_owned();
        turn.map_err(|_| Problem::Busy)
    }
}

#[derive(Template)]
#[template(path = "what_if.html")]
struct WhatIfPage {
    frame: Frame,
    rule: String,
    from: String,
    as_of: String,
    rules: Vec<String>,
    horizon: String,
    answer: Option<Answer>,
    too_large: Option<String>,
}

struct Answer {
    title: String,
    elements: [String; 3],
    total: Row,
    tables: Vec<Table>,
    caps: Vec<Cap>,
    examples: Vec<Told>,
}

/// What a cap says of the whole network, with the rule and without it.
struct Cap {
    when: &'static str,
    class: String,
    low: String,
    high: String,
    percent: u8,
    metric: String,
    unknown: String,
}

struct Table {
    name: &'static str,
    rows: Vec<Row>,
    cut: bool,
}

struct Row {
    key: String,
    opened: String,
    closed: String,
    changed: String,
    elements: String,
}

struct Told {
    element: String,
    name: String,
    part: String,
    supplier: String,
    before: String,
    after: String,
}

/// What is asked, read and checked.
struct Asked {
    rule: String,
    from: PartialDate,
    as_of: Date,
}

/// `/what-if`
pub async fn what_if(
    visit: Visit,
    Extension(turn): Extension<Turn>,
    Pairs(pairs): Pairs<Vec<(String, String)>>,
) -> Response {
    answer(&visit, page(&visit, &turn, pairs).await)
}

async fn page(visit: &Visit, turn: &Turn, pairs: Vec<(String, String)>) -> Result<WhatIfPage, Problem> {
    let query = Query::read(pairs, query::WHAT_IF)?;
    let frame = Frame::new(visit, "what-if");
    let today = (visit.clock)().date().unwrap_or(Date::MIN);
    let asked = asked(visit, &query, today)?;
    let horizons = visit.policies.packs().iter().map(|pack| pack.horizon);
    let horizon = horizons.max_by_key(|horizon| horizon.last());
    let mut made = WhatIfPage {
        rule: query.one("rule").to_owned(),
        from: query.one("from").to_owned(),
        as_of: query.one("asof").to_owned(),
        rules: visit.policies.rules().map(|rule| rule.id.clone()).collect(),
        horizon: horizon.map(|horizon| horizon.to_string()).unwrap_or_default(),
        answer: None,
        too_large: None,
        frame,
    };
    let Some(asked) = asked else { return Ok(made) };
    if let Some(count) = too_many(visit).await? {
        made.too_large = Some(show::number(count));
        return Ok(made);
    }
    let _turn = turn.take()?;
    let (shared, runtime) = (visit.clone(), tokio::runtime::Handle::current());
    let title = visit.policies.rule(&asked.rule).map(|rule| rule.title.clone());
    let judged = tokio::task::spawn_blocking(move || runtime.block_on(judge(&shared, &asked, today)));
    let difference = judged
        .await
        .map_err(|_| Problem::Unreadable("what would change"))??;
    made.answer = Some(Answer::new(title.unwrap_or_default(), &difference));
    Ok(made)
}

/// How many elements whoever looks may see, where they are too many to be judged for a page.
///
/// # Errors
/// [`StoreError`] when the store does not answer.
pub async fn too_many(visit: &Visit) -> Result<Option<u64>, StoreError> {
    let seen = ElementFilter {
        sites: visit.person.within(Vec::new()),
        ..ElementFilter::default()
    };
    let count = visit.store.count_elements(&seen).await?;
    Ok((count > MOST).then_some(count))
}

/// Nothing until a rule is named.
fn asked(web: &Web, query: &Query, today: Date) -> Result<Option<Asked>, Problem> {
    let (rule, from, as_of) = (query.one("rule"), query.one("from"), query.one("asof"));
    if rule.is_empty() {
        return Ok(None);
    }
    if web.policies.rule(rule).is_none() {
        let closest = web.policies.closest(rule);
        let hint = closest.map_or_else(
            || "the key of a rule".to_owned(),
            |closest| format!("the key of a rule; the closest is {closest}"),
        );
        return Err(query::bad("rule", rule, hint));
    }
    let date = |key: &str, text: &str| -> Result<PartialDate, Problem> {
        let read = text.parse();
        read.map_err(|_| query::bad(key, text, "YYYY-MM-DD, YYYY-MM or YYYY".to_owned()))
    };
    let from = match from {
        "" => PartialDate::from(today),
        text => date("from", text)?,
    };
    let as_of = match as_of {
        "" => today,
        text => date("asof", text)?.last(),
    };
    let rule = rule.to_owned();
    Ok(Some(Asked { rule, from, as_of }))
}

async fn judge(web: &Visit, asked: &Asked, today: Date) -> Result<Difference, StoreError> {
    let days = Days {
        as_of: asked.as_of,
        as_known: None,
        today,
    };
    let nothing = BTreeMap::new();
    let assumed = BTreeMap::from([(asked.rule.clone(), asked.from)]);
    let only = BTreeSet::from([asked.rule.clone()]);
    let side = |assumed| {
        let question = Question {
            as_of: days.as_of,
            as_known: Some(days.known()),
            assumed,
            powers: false,
        };
        Recall::new(&web.policies, question).only(Some(&only))
    };
    let comparison = Comparison::new(side(&nothing), side(&assumed), EXAMPLES);
    let past = AtSites {
        past: Arc::clone(&web.past),
        sites: web.person.sites.clone(),
    };
    let compared = compare(&past, [days, days], web.operator(), comparison).await?;
    Ok(compared.finish())
}

impl Answer {
    fn new(title: String, told: &Difference) -> Self {
        let table = |by: By| {
            let groups = told.groups.get(&by)?;
            let rows = groups
                .iter()
                .take(ROWS)
                .map(|(key, change)| Row::new(key, change));
            Some(Table {
                name: by.as_str(),
                rows: rows.collect(),
                cut: groups.len() > ROWS,
            })
        };
        let elements = [
            told.elements.judged,
            told.elements.not_yet_seen,
            told.elements.unknown_maker,
        ];
        let shown = |side: &Option<(model::ResultClass, Option<String>)>| match side {
            Some((class, date)) => {
                format!(
                    "{} {}",
                    show::words(class.as_str()),
                    date.as_deref().unwrap_or_default()
                )
            }
            None => "nothing".to_owned(),
        };
        let examples = told.examples.iter().map(|example| Told {
            element: example.element.to_string(),
            name: show::clean(&example.name, 64),
            part: show::clean(example.component.as_deref().unwrap_or("unit"), 64),
            supplier: show::clean(&example.supplier, 64),
            before: shown(&example.before),
            after: shown(&example.after),
        });
        let caps = ["without it", "with it"].into_iter().zip(&told.caps);
        let caps = caps.flat_map(|(when, said)| said.iter().map(move |cap| Cap::new(when, cap)));
        Self {
            title,
            caps: caps.collect(),
            elements: elements.map(show::number),
            total: Row::new("all", &told.total),
            tables: [By::Site, By::Role, By::Supplier, By::Month]
                .into_iter()
                .filter_map(table)
                .collect(),
            examples: examples.collect(),
        }
    }
}

impl Cap {
    /// The interval is widened to what is shown of it, never narrowed.
    fn new(when: &'static str, cap: &Capped) -> Self {
        let shown = |hundredths: f64| (hundredths / 100.0).to_string();
        Self {
            when,
            class: show::words(cap.class.as_str()),
            low: shown((cap.low * 100.0).floor()),
            high: shown((cap.high * 100.0).ceil()),
            percent: cap.percent,
            metric: cap.metric.clone(),
            unknown: show::number(cap.counts.unknown + cap.counts.perhaps_unknown),
        }
    }
}

impl Row {
    fn new(key: &str, change: &Change) -> Self {
        Self {
            key: show::clean(key, 64),
            opened: show::number(change.opened),
            closed: show::number(change.closed),
            changed: show::number(change.changed),
            elements: show::number(change.elements),
        }
    }
}
