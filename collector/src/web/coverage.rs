//! How much of what is in scope was seen, and what is dark.

use super::access::Visit;
use super::engines::EngineLine;
use super::export::{self, File, Kind, Rows};
use super::page::{Frame, answer};
use super::show::{self, Moment};
use crate::api::query::{self, Query};
use crate::api::{Problem, engines};
use crate::coverage::{self, Coverage, DARK, Funnel, RangeCoverage, Run, SiteCoverage};
use askama::Template;
use axum::extract::Query as Pairs;
use axum::response::{IntoResponse, Response};
use model::{Instant, SiteName};
use std::collections::{BTreeMap, BTreeSet};
use store::admission::Admitted;

const PATH: &str = "/coverage";
/// Runs and proposals of one page.
const MOST: usize = 500;
/// Of those seen and not polled; the list of elements has the rest.
const SOME: usize = 50;
/// Engine IDs of one page.
const ENGINES: u32 = 50;

#[derive(Template)]
#[template(path = "coverage.html")]
struct CoveragePage {
    frame: Frame,
    /// The sites of this page, where it is not all.
    only: String,
    steps: Vec<Step>,
    dark: Vec<Dark>,
    /// The dark list as CSV and as JSON.
    exports: [String; 2],
    held: Vec<Held>,
    rows: Vec<RangeLine>,
    chosen: Option<Chosen>,
    engines: Vec<EngineLine>,
    engines_total: String,
    /// The page with the next of them.
    engines_next: Option<String>,
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

/// An agent of which nothing is taken now.
struct Held {
    id: String,
    site: String,
    since: Moment,
}

/// So many got no further, and why.
struct Stopped<'a> {
    stops: &'static str,
    reason: &'static str,
    count: u64,
    sites: BTreeSet<&'a str>,
}

/// The same in words.
struct Dark {
    stops: &'static str,
    reason: String,
    why: &'static str,
    count: String,
    sites: String,
    link: Option<String>,
}

/// A site's named addresses, or one range.
pub struct RangeLine {
    /// Key of the row.
    pub key: String,
    /// What it is called.
    pub name: String,
    /// Its site.
    pub site: String,
    /// The page with what is dark in it.
    pub link: Option<String>,
    /// How many reached each step.
    pub counts: [String; 7],
    /// What is dark in it, in words.
    pub dark: Vec<String>,
    /// Whether there is a sweep to wait for.
    pub sweeps: bool,
    /// End of the last sweep.
    pub swept: Option<Moment>,
    /// When it was told.
    pub told: Option<Moment>,
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
    let whose = (&*visit.store, visit.knowledge, &*visit.person);
    // Of a range all who answered are shown, else those whom nobody polls.
    let told = engines::page(whose, &query, (&all, chosen), (ENGINES, chosen.is_none())).await?;
    let now = (visit.clock)();
    let mut proposed = all.proposed.clone();
    proposed.retain(|one| query.one("site").is_empty() || query.has("site", one.site.as_str()));
    let proposed_total = show::number(proposed.len() as u64);
    proposed.truncate(MOST);
    for one in &mut proposed {
        one.name = show::clean(&one.name, 64);
    }
    let wanted = |site: &SiteName| query.one("site").is_empty() || query.has("site", site.as_str());
    let mut funnel = Funnel::default();
    let sites: Vec<&SiteCoverage> = all.sites.iter().filter(|site| wanted(&site.site)).collect();
    sites.iter().for_each(|site| funnel.add(&site.funnel));
    let seen: Vec<&coverage::Seen> = all.seen.iter().filter(|one| wanted(&one.site)).collect();
    let only: Vec<&str> = query.all("site").collect();
    Ok(CoveragePage {
        frame,
        only: only.join(", "),
        steps: steps(&funnel),
        dark: dark(&sites, &seen).iter().map(Dark::new).collect(),
        exports: ["csv", "json"].map(|kind| {
            let sites: Vec<_> = query.all("site").map(|site| ("site", site)).collect();
            Query::of(&sites).link(&format!("{PATH}.{kind}"))
        }),
        held: held(visit, &query).await?,
        rows: rows(&all, &query, now),
        chosen: chosen.map(|(_, range)| Chosen::new(range, &states)),
        engines: told.rows.iter().map(|one| EngineLine::new(one, now)).collect(),
        engines_total: show::number(told.total),
        engines_next: told.next.map(|next| query.with("after", &next).link(PATH)),
        proposed_total,
        proposed,
        seen_total: show::number(seen.len() as u64),
        seen: seen.iter().take(SOME).map(|one| SeenLine::new(one)).collect(),
        seen_link: Query::of(&[("polling", "not_polled")]).link("/elements"),
    })
}

/// Agents of the sites shown that are in quarantine.
async fn held(visit: &Visit, query: &Query) -> Result<Vec<Held>, Problem> {
    let now = (visit.clock)();
    let wanted = |site: Option<&SiteName>| match site {
        Some(site) => {
            visit.person.sees(site) && (query.one("site").is_empty() || query.has("site", site.as_str()))
        }
        None => visit.person.sites.is_none() && query.one("site").is_empty(),
    };
    let admitted = visit.admission.admitted().await?.into_iter();
    let open = admitted.filter(|one| one.revoked.is_none() && wanted(one.site.as_ref()));
    let line = |one: Admitted| {
        Some(Held {
            id: one.agent.to_string(),
            site: one.site.map(|site| site.to_string()).unwrap_or_default(),
            since: Moment::new(one.quarantined?, now),
        })
    };
    Ok(open.filter_map(line).take(MOST).collect())
}

fn counts(funnel: &Funnel) -> [u64; 7] {
    [
        funnel.in_scope,
        funnel.asked,
        funnel.answered,
        funnel.polled,
        funnel.identified,
        funnel.confident,
        funnel.judged,
    ]
}

fn steps(funnel: &Funnel) -> Vec<Step> {
    let names = [
        "in scope",
        "asked",
        "answered",
        "polled",
        "identified",
        "confident",
        "judged",
    ];
    names
        .into_iter()
        .zip(counts(funnel))
        .map(|(name, count)| Step {
            name,
            count: show::number(count),
            share: show::percent(count, funnel.in_scope),
        })
        .collect()
}

/// Everything that got no further than a step, by why, most first within each step.
fn dark<'a>(sites: &[&'a SiteCoverage], seen: &[&'a coverage::Seen]) -> Vec<Stopped<'a>> {
    let mut found: BTreeMap<(usize, &'static str), (u64, BTreeSet<&'a str>)> = BTreeMap::new();
    let mut note = |stops, reason, count: u64, site: &'a str| {
        if count > 0 {
            let one = found.entry((stops, reason)).or_default();
            one.0 += count;
            one.1.insert(site);
        }
    };
    for site in sites {
        let name = site.site.as_str();
        note(0, QUIET, site.named.in_scope - site.named.answered, name);
        for range in &site.ranges {
            note(0, QUIET, unanswered(range), name);
            for state in DARK {
                let word = coverage::word(state);
                let stops = usize::from(THERE.contains(&word)) * 2;
                note(stops, word, range.states.get(word).copied().unwrap_or(0), name);
            }
        }
        let all = &site.funnel;
        note(3, "no maker named", all.polled - all.identified, name);
        note(4, "maker told too weakly", all.identified - all.confident, name);
        note(5, "not judged", all.confident - all.judged, name);
    }
    for one in seen {
        note(6, SEEN, 1, one.site.as_str());
    }
    let stops = [
        "not answering",
        "not answering",
        "not polled",
        "not identified",
        "not confident",
        "not judged",
        "not in scope",
    ];
    let mut lines: Vec<_> = found.into_iter().collect();
    lines.sort_by_key(|((at, _), (count, _))| (*at, std::cmp::Reverse(*count)));
    let stopped = |((at, reason), (count, sites))| Stopped {
        stops: stops.get(at).copied().unwrap_or_default(),
        reason,
        count,
        sites,
    };
    lines.into_iter().map(stopped).collect()
}

impl Dark {
    fn new(stopped: &Stopped<'_>) -> Self {
        Self {
            stops: stopped.stops,
            reason: show::words(stopped.reason),
            why: why(stopped.reason),
            count: show::number(stopped.count),
            sites: some_of(&stopped.sites),
            link: match stopped.reason {
                "no maker named" => Some(Query::of(&[("maker", "unknown")]).link("/elements")),
                "not judged" => Some(Query::of(&[("standing", "unknown")]).link("/elements")),
                SEEN => Some(Query::of(&[("polling", "not_polled")]).link("/elements")),
                _ => None,
            },
        }
    }
}

/// `/coverage.csv`
pub async fn csv(visit: Visit, Pairs(pairs): Pairs<Vec<(String, String)>>) -> Response {
    let made = file(&visit, pairs, Kind::Csv).await;
    made.unwrap_or_else(IntoResponse::into_response)
}

/// `/coverage.json`
pub async fn json(visit: Visit, Pairs(pairs): Pairs<Vec<(String, String)>>) -> Response {
    let made = file(&visit, pairs, Kind::Json).await;
    made.unwrap_or_else(IntoResponse::into_response)
}

const COLUMNS: [&str; 5] = ["stops_at", "reason", "how_many", "what_it_means", "sites"];

/// The dark list as it is now, with all sites.
async fn file(visit: &Visit, pairs: Vec<(String, String)>, kind: Kind) -> Result<Response, Problem> {
    let query = Query::read(pairs, &["site"])?;
    let all = coverage::read(&*visit.store, &visit.person).await?;
    let wanted = |site: &SiteName| query.one("site").is_empty() || query.has("site", site.as_str());
    let sites: Vec<_> = all.sites.iter().filter(|site| wanted(&site.site)).collect();
    let seen: Vec<_> = all.seen.iter().filter(|one| wanted(&one.site)).collect();
    let row = |stopped: &Stopped<'_>| {
        let (reason, means) = (show::words(stopped.reason), why(stopped.reason));
        let sites: Vec<_> = stopped.sites.iter().copied().collect();
        let cells = [
            stopped.stops.to_owned(),
            reason.clone(),
            stopped.count.to_string(),
            means.to_owned(),
            sites.join(" "),
        ];
        let value = serde_json::json!({
            "stops_at": stopped.stops, "reason": reason, "how_many": stopped.count, "what_it_means": means, "sites": sites,
        });
        (cells.to_vec(), value)
    };
    let rows = dark(&sites, &seen).iter().map(row).collect();
    let asked = query.link("").trim_start_matches('?').to_owned();
    let file = File {
        kind,
        name: "marque-dark".to_owned(),
        rows: Rows::Counted(rows),
        then: None,
        columns: COLUMNS.to_vec(),
        picks: None,
        about: export::about(visit, "dark", asked, (visit.clock)(), None),
    };
    Ok(export::stream(visit, file))
}

/// The first of them and how many more.
fn some_of(sites: &BTreeSet<&str>) -> String {
    let first: Vec<&str> = sites.iter().take(4).copied().collect();
    match sites.len() - first.len() {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

/// Those who told an engine are there, and dark all the same.
const THERE: [&str; 3] = ["credential_refused", "ignored", "no_credential"];
const QUIET: &str = "named and never answered";
const SEEN: &str = "seen only as a neighbour";

/// Addresses of a range that are known by name alone and never answered: its own states tell the others.
fn unanswered(range: &RangeCoverage) -> u64 {
    let told = DARK.iter().map(|state| coverage::word(*state));
    let absent = told.filter(|word| !THERE.contains(word));
    let absent = absent.filter_map(|word| range.states.get(word)).sum();
    (range.funnel.in_scope - range.funnel.answered).saturating_sub(absent)
}

fn rows(all: &Coverage, query: &Query, now: Instant) -> Vec<RangeLine> {
    let mut rows = Vec::new();
    let wanted = |site: &str| query.one("site").is_empty() || query.has("site", site);
    for site in all.sites.iter().filter(|site| wanted(site.site.as_str())) {
        if site.named.in_scope > 0 {
            rows.push(RangeLine {
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
        rows.extend(site.ranges.iter().map(|range| range_line(&site.site, range, now)));
    }
    rows
}

/// The ranges of all sites, as an agent's page shows its own.
#[must_use]
pub fn ranges(all: &Coverage, now: Instant) -> Vec<RangeLine> {
    let of = |site: &SiteCoverage| -> Vec<RangeLine> {
        let ranges = site.ranges.iter();
        ranges.map(|range| range_line(&site.site, range, now)).collect()
    };
    all.sites.iter().flat_map(of).collect()
}

fn range_line(site: &SiteName, range: &RangeCoverage, now: Instant) -> RangeLine {
    let name = title(range);
    let port = range.port.to_string();
    let link = Query::of(&[("site", site.as_str()), ("range", &range.prefix), ("port", &port)]);
    let told = DARK.iter().filter_map(|state| {
        let word = coverage::word(*state);
        Some((word, *range.states.get(word)?))
    });
    let told = told.map(|(word, count)| format!("{} {}", show::number(count), show::words(word)));
    let passed = range
        .unreached
        .iter()
        .map(|(why, count)| format!("{} {}", show::number(*count), passed_over(why)));
    let dark = told.chain(quiet(unanswered(range))).chain(passed);
    RangeLine {
        key: format!("{site}-{name}"),
        link: Some(link.link(PATH)),
        site: site.to_string(),
        counts: counts(&range.funnel).map(show::number),
        dark: dark.collect(),
        sweeps: !range.named_only,
        swept: range.swept.map(|at| Moment::new(at, now)),
        told: Some(Moment::new(range.told, now)),
        name,
    }
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
        QUIET => {
            "a target or element that no round was answered from: no route, no credential or switched off"
        }
        "no maker named" => "it answered, and nothing in it names who made it",
        "maker told too weakly" => "a maker is named, too weakly to clear anything",
        "not judged" => {
            "waiting, incomplete, too old, or of a place whose law nobody declared: unknown, never clear"
        }
        SEEN => "elements tell of it by LLDP, CDP, ARP or bridge; nobody polls it",
        _ => "unknown",
    }
}
