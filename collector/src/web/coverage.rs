//! How much of what is in scope was seen, and what is dark.

use super::access::Visit;
use super::page::{Frame, answer};
use super::show::{self, Moment};
use crate::api::Problem;
use crate::api::query::{self, Query};
use crate::coverage::{self, Coverage, DARK, Funnel, RangeCoverage, Run};
use askama::Template;
use axum::extract::Query as Pairs;
use axum::response::Response;
use model::Instant;

const PATH: &str = "/coverage";
/// Runs and proposals of one page.
const MOST: usize = 500;
/// Of those seen and not polled; the list of elements has the rest.
const SOME: usize = 50;

#[derive(Template)]
#[template(path = "coverage.html")]
struct CoveragePage {
    frame: Frame,
    steps: Vec<Step>,
    rows: Vec<Row>,
    chosen: Option<Chosen>,
    proposed: Vec<coverage::Proposed>,
    proposed_total: String,
    seen: Vec<SeenLine>,
    seen_total: String,
    /// The list of elements with the rest of them.
    seen_link: String,
}

/// Somebody who was seen and is not polled, as a list shows it.
pub struct SeenLine {
    /// Key of the row.
    pub key: String,
    /// What it calls itself, else an address.
    pub name: String,
    /// Its addresses.
    pub addresses: String,
    /// How it describes itself.
    pub description: String,
    /// Who may have made it.
    pub maker: Option<String>,
    /// How surely.
    pub confidence: String,
    /// Site.
    pub site: String,
    /// How it was told.
    pub protocols: String,
    /// An element that told it.
    pub element: String,
    /// Its name.
    pub told_by: String,
    /// How many more did.
    pub others: u64,
}

impl SeenLine {
    /// The line of one.
    #[must_use]
    pub fn new(seen: &coverage::Seen) -> Self {
        let addresses = seen
            .addresses
            .iter()
            .map(ToString::to_string)
            .chain(seen.macs.iter().cloned());
        let addresses: Vec<String> = addresses.take(6).collect();
        let name = show::clean(&seen.name, 64);
        let list: Vec<&str> = seen.protocols.iter().map(String::as_str).collect();
        Self {
            key: format!("{}-{}-{name}", seen.site, addresses.join("-")),
            name: if name.is_empty() {
                addresses.first().cloned().unwrap_or_default()
            } else {
                name
            },
            addresses: addresses.join(", "),
            description: show::clean(&seen.description, 160),
            maker: seen
                .maker
                .as_ref()
                .map(|maker| show::clean(&maker.supplier.name, 48)),
            confidence: show::confidence(seen.maker.as_ref().map_or(0.0, |maker| maker.confidence)),
            site: seen.site.to_string(),
            protocols: list.join(", "),
            element: seen.element.clone(),
            told_by: show::clean(&seen.told_by, 64),
            others: seen.elements.saturating_sub(1),
        }
    }
}

struct Step {
    name: &'static str,
    count: String,
    share: Option<u64>,
}

/// A site's named addresses, or one range.
struct Row {
    key: String,
    name: String,
    site: String,
    link: Option<String>,
    counts: [String; 6],
    dark: Vec<String>,
    /// Whether there is a sweep to wait for.
    sweeps: bool,
    swept: Option<Moment>,
    told: Option<Moment>,
}

struct Chosen {
    name: String,
    total: String,
    cut: bool,
    runs: Vec<Run>,
}

/// `/coverage`
pub async fn coverage(visit: Visit, Pairs(pairs): Pairs<Vec<(String, String)>>) -> Response {
    answer(&visit, page(&visit, pairs).await)
}

async fn page(visit: &Visit, pairs: Vec<(String, String)>) -> Result<CoveragePage, Problem> {
    let query = Query::read(pairs, query::COVERAGE)?;
    let frame = Frame::new(visit, "coverage");
    let all = coverage::read(&*visit.store, &visit.person).await?;
    let states = query.states()?;
    let chosen = query.range(&all)?;
    let mut proposed = all.proposed.clone();
    proposed.truncate(MOST);
    for one in &mut proposed {
        one.name = show::clean(&one.name, 64);
    }
    Ok(CoveragePage {
        frame,
        steps: steps(&all.funnel),
        rows: rows(&all, &query, (visit.clock)()),
        chosen: chosen.map(|(_, range)| Chosen::new(range, &states)),
        proposed_total: show::number(all.proposed.len() as u64),
        proposed,
        seen_total: show::number(all.seen.len() as u64),
        seen: all.seen.iter().take(SOME).map(SeenLine::new).collect(),
        seen_link: Query::of(&[("polling", "not_polled")]).link("/elements"),
    })
}

fn counts(funnel: &Funnel) -> [u64; 6] {
    [
        funnel.in_scope,
        funnel.asked,
        funnel.answered,
        funnel.polled,
        funnel.identified,
        funnel.judged,
    ]
}

fn steps(funnel: &Funnel) -> Vec<Step> {
    ["in scope", "asked", "answered", "polled", "identified", "judged"]
        .into_iter()
        .zip(counts(funnel))
        .map(|(name, count)| Step {
            name,
            count: show::number(count),
            share: show::percent(count, funnel.in_scope),
        })
        .collect()
}

fn rows(all: &Coverage, query: &Query, now: Instant) -> Vec<Row> {
    let mut rows = Vec::new();
    let wanted = |site: &str| query.one("site").is_empty() || query.has("site", site);
    for site in all.sites.iter().filter(|site| wanted(site.site.as_str())) {
        if site.named.in_scope > 0 {
            rows.push(Row {
                key: format!("{}-named", site.site),
                name: "named, in no range".to_owned(),
                site: site.site.to_string(),
                link: None,
                counts: counts(&site.named).map(show::number),
                dark: quiet(site.named.in_scope - site.named.answered),
                sweeps: false,
                swept: None,
                told: None,
            });
        }
        for range in &site.ranges {
            let name = title(range);
            let port = range.port.to_string();
            let link = Query::of(&[
                ("site", site.site.as_str()),
                ("range", &range.prefix),
                ("port", &port),
            ]);
            let told = DARK.iter().filter_map(|state| {
                let word = coverage::word(*state);
                Some((word, *range.states.get(word)?))
            });
            // Those who told an engine are there, and dark all the same; the rest of who is not there is listed.
            let there = ["credential_refused", "ignored", "no_credential"];
            let absent = told.clone().filter(|(word, _)| !there.contains(word));
            let unanswered = (range.funnel.in_scope - range.funnel.answered)
                .saturating_sub(absent.map(|(_, count)| count).sum());
            let told = told.map(|(word, count)| format!("{} {}", show::number(count), show::words(word)));
            let passed = range
                .unreached
                .iter()
                .map(|(why, count)| format!("{} {}", show::number(*count), passed_over(why)));
            let dark = told.chain(quiet(unanswered)).chain(passed);
            rows.push(Row {
                key: format!("{}-{name}", site.site),
                link: Some(link.link(PATH)),
                name,
                site: site.site.to_string(),
                counts: counts(&range.funnel).map(show::number),
                dark: dark.collect(),
                sweeps: !range.named_only,
                swept: range.swept.map(|at| Moment::new(at, now)),
                told: Some(Moment::new(range.told, now)),
            });
        }
    }
    rows
}

/// Named addresses that never answered, in words.
fn quiet(count: u64) -> Vec<String> {
    match count {
        0 => Vec::new(),
        count => vec![format!("{} named and never answered", show::number(count))],
    }
}

/// Why a turn passed without an address, in words.
#[must_use]
pub fn passed_over(why: &str) -> &'static str {
    match why {
        "window" => "left alone at their last turn",
        _ => "not reached at their last turn: the agent was behind",
    }
}

fn title(range: &RangeCoverage) -> String {
    let which = if range.named_only {
        ", named by neighbours"
    } else {
        ""
    };
    match range.port {
        161 => format!("{}{which}", range.prefix),
        port => format!("{} port {port}{which}", range.prefix),
    }
}

impl Chosen {
    fn new(range: &RangeCoverage, states: &[proto::v1::CoverageState]) -> Self {
        let mut runs = range.runs(states);
        let total = runs.len();
        runs.truncate(MOST);
        Self {
            name: title(range),
            total: show::number(total as u64),
            cut: total > MOST,
            runs,
        }
    }
}

/// Why an address is in a state, in words.
#[must_use]
pub fn why(state: &str) -> &'static str {
    match state {
        "not_asked" => "its turn in the sweep has not come yet",
        "waiting" => "its turn came while it is left alone",
        "silent" => "nobody answered; perhaps nobody is there",
        "unreachable" => "the network says that nobody takes SNMP there",
        "credential_refused" => "it told its engine and said that it does not take the credential",
        "ignored" => "it told its engine and was silent to the credential, twice",
        "no_credential" => "it told its engine; no credential may be used there",
        "engine" => "it told its engine and took the credential",
        "object" => "it took the credential",
        "excluded" => "left alone by the plan",
        "listed" => "a target by name",
        _ => "unknown",
    }
}
