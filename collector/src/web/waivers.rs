//! Accepted exceptions: who asked, who approved, why, until when, and what ends soon.
//!
//! Invariants: what waits for a second person stands on top; a waiver lifts no
//! duty, and the page says so; whoever is limited to sites sees theirs alone.

use super::access::Visit;
use super::act::{self, Desk};
use super::export::{self, File, Kind, Rows};
use super::page::{Frame, answer};
use super::show::{self, Left, Moment};
use crate::api::Problem;
use crate::api::query::{self, Query};
use askama::Template;
use axum::extract::Query as Pairs;
use axum::response::{IntoResponse, Response};
use model::{Instant, Severity, SiteName, WaiverState};
use policy::PartialDate;
use policy::waiver::same_person;
use store::acts::{WaiverFilter, WaiverRow};
use time::{Date, Duration};

const PATH: &str = "/waivers";
/// Days before its end at which a waiver is warned of, the last first.
const WARNINGS: [i64; 3] = [7, 30, 90];
/// Rows of a file that are read at a time.
const PAGE: u32 = 500;
/// Days for which the page tells that a finding returned.
const RETURNED_DAYS: i64 = 30;

#[derive(Template)]
#[template(path = "waivers.html")]
struct WaiversPage {
    frame: Frame,
    desk: Desk,
    /// What waits for a second person.
    asked: Vec<Line>,
    asked_total: u64,
    asked_next: Option<String>,
    /// Tiles: number, words, link, tone.
    tiles: Vec<(String, String, String, &'static str)>,
    /// States to choose from: word, words, link, whether it is chosen.
    states: Vec<(&'static str, String, String, bool)>,
    chips: Vec<(String, String, String)>,
    entries: Vec<Entry>,
    /// What the form keeps of the address.
    beside: Vec<(String, String)>,
    /// All matching rows as CSV and as JSON.
    exports: [String; 2],
    rows: Vec<Line>,
    total: String,
    next: Option<String>,
    first: Option<String>,
    /// Whether rows here can be ended.
    running: bool,
}

/// One waiver as the list shows it.
#[derive(Debug)]
struct Line {
    finding: String,
    revision: u64,
    chosen: bool,
    severity: Severity,
    state: String,
    word: &'static str,
    until: Option<Left>,
    /// 7, 30 or 90 when it ends within so many days.
    warning: Option<i64>,
    reason: String,
    class_then: String,
    class_now: String,
    asked_by: String,
    asked: Moment,
    approved_by: String,
    approved: Option<Moment>,
    ended_by: String,
    ended: Option<Moment>,
    /// Whether whoever looks asked for it.
    own: bool,
    element: String,
    name: String,
    site: String,
    rule: String,
    title: String,
    finding_state: String,
    deadline: String,
    beyond: bool,
}

impl Line {
    fn new(row: &WaiverRow, desk: &Desk, now: Instant) -> Self {
        let waiver = &row.waiver;
        let today = now.date();
        let left = today.and_then(|today| Left::until(&waiver.until, today));
        let days = left.as_ref().map(|left| left.days);
        let deadline = row.result.deadline.clone().unwrap_or_default();
        Self {
            finding: row.finding.to_string(),
            revision: row.revision,
            chosen: desk.has(row.finding),
            severity: row.result.severity,
            state: show::words(row.state.as_str()),
            word: row.state.as_str(),
            warning: days
                .filter(|_| row.state == WaiverState::InForce)
                .and_then(|days| WARNINGS.into_iter().find(|&warned| days <= warned)),
            until: left,
            reason: show::clean(&waiver.reason, 600),
            class_then: show::words(waiver.class.as_str()),
            class_now: show::words(row.result.class.as_str()),
            asked_by: show::clean(&waiver.asked_by, 100),
            asked: Moment::new(row.asked, now),
            approved_by: show::clean(waiver.approved_by.as_deref().unwrap_or_default(), 100),
            approved: row.approved.map(|at| Moment::new(at, now)),
            ended_by: show::clean(row.ended_by.as_deref().unwrap_or_default(), 100),
            ended: row.ended.map(|at| Moment::new(at, now)),
            own: same_person(&waiver.asked_by, &desk.me),
            element: row.element.to_string(),
            name: show::clean(&row.element_name, 64),
            site: row.site.to_string(),
            rule: row.result.rule.clone(),
            title: row.result.title.clone(),
            finding_state: show::words(row.finding_state.as_str()),
            beyond: last_day(&waiver.until) > last_day(&deadline) && last_day(&deadline).is_some(),
            deadline,
        }
    }
}

fn last_day(text: &str) -> Option<Date> {
    text.parse::<PartialDate>().ok().map(PartialDate::last)
}

/// `/waivers`
pub async fn waivers(visit: Visit, Pairs(mut pairs): Pairs<Vec<(String, String)>>) -> Response {
    let desk = Desk::new(&visit, act::told(&mut pairs));
    answer(&visit, list(&visit, pairs, desk).await)
}

/// The page, with what is on the desk of whoever acts.
pub(super) async fn list(
    visit: &Visit,
    pairs: Vec<(String, String)>,
    mut desk: Desk,
) -> Result<impl Template + use<>, Problem> {
    let query = Query::read(pairs, query::WAIVERS)?;
    let filter = wanted(visit, &query)?;
    let frame = Frame::new(visit, "waivers");
    let now = (visit.clock)();
    let today = now.date().ok_or(Problem::Unreadable("the day"))?;
    let sites = filter.sites.clone();
    let running = filter.states.contains(&WaiverState::InForce);
    // What waits stands on top of every list but the one of what waits.
    let only_asked = filter.states == [WaiverState::Asked];
    let waiting = WaiverFilter {
        states: vec![WaiverState::Asked],
        after: None,
        from: None,
        until: None,
        latest_first: false,
        ..filter.clone()
    };
    let asked = if only_asked {
        visit.acts.waivers(&filter).await?
    } else {
        visit.acts.waivers(&waiting).await?
    };
    let rest = if only_asked {
        None
    } else {
        Some(visit.acts.waivers(&filter).await?)
    };
    desk.back = query.link(PATH);
    let lines = |rows: &[WaiverRow]| {
        rows.iter()
            .map(|row| Line::new(row, &desk, now))
            .collect::<Vec<_>>()
    };
    let next = |key: Option<String>| key.map(|key| query.with("after", &key).link(PATH));
    let all_asked = || Query::of(&[("state", "asked")]).link(PATH);
    let (asked_lines, asked_total) = (lines(&asked.rows), asked.total);
    let asked_next = if only_asked {
        next(asked.next)
    } else {
        asked.next.map(|_| all_asked())
    };
    let (entries, beside) = form(&query);
    let whole = query.without_key("after").without_key("limit");
    let (rows, total, next) = match rest {
        Some(page) => (lines(&page.rows), show::number(page.total), next(page.next)),
        None => (Vec::new(), String::new(), None),
    };
    Ok(WaiversPage {
        frame,
        asked: asked_lines,
        asked_total,
        asked_next,
        tiles: tiles(visit, &query, &sites, today).await?,
        states: WaiverState::ALL
            .iter()
            .map(|state| {
                let link = query.with("state", state.as_str()).link(PATH);
                let chosen = filter.states.contains(state);
                (state.as_str(), show::words(state.as_str()), link, chosen)
            })
            .collect(),
        chips: query
            .filters()
            .filter(|(key, _)| *key != "state")
            .map(|(key, value)| {
                let shown = show::clean(value, 60);
                (show::words(key), shown, query.without(key, value).link(PATH))
            })
            .collect(),
        entries,
        beside,
        exports: ["csv", "json"].map(|kind| whole.link(&format!("{PATH}.{kind}"))),
        rows,
        total,
        next,
        first: (!query.one("after").is_empty())
            .then(|| query.without("after", query.one("after")).link(PATH)),
        running,
        desk,
    })
}

/// The list that is asked for: what is in force unless said otherwise, at sites that whoever looks may see.
fn wanted(visit: &Visit, query: &Query) -> Result<WaiverFilter, Problem> {
    let mut filter = query.waivers()?;
    filter.sites = seen(visit, &filter.sites);
    if filter.states.is_empty() {
        filter.states = vec![WaiverState::InForce];
    }
    let open = [WaiverState::InForce, WaiverState::Asked];
    filter.latest_first = !filter.states.iter().any(|state| open.contains(state));
    Ok(filter)
}

/// `/waivers.csv`
pub async fn csv(visit: Visit, Pairs(pairs): Pairs<Vec<(String, String)>>) -> Response {
    file(&visit, pairs, Kind::Csv).unwrap_or_else(IntoResponse::into_response)
}

/// `/waivers.json`
pub async fn json(visit: Visit, Pairs(pairs): Pairs<Vec<(String, String)>>) -> Response {
    file(&visit, pairs, Kind::Json).unwrap_or_else(IntoResponse::into_response)
}

fn file(visit: &Visit, pairs: Vec<(String, String)>, kind: Kind) -> Result<Response, Problem> {
    let keys = query::WAIVERS.iter().copied();
    let keys: Vec<_> = keys.filter(|key| !matches!(*key, "after" | "limit")).collect();
    let query = Query::read(pairs, &keys)?;
    let filter = WaiverFilter {
        limit: PAGE,
        ..wanted(visit, &query)?
    };
    let asked = query.link("").trim_start_matches('?').to_owned();
    let states: Vec<_> = filter.states.iter().map(|state| state.as_str()).collect();
    let mut about = export::about(visit, "waivers", asked, (visit.clock)(), None);
    about.push(("states", states.join(" ")));
    let file = File {
        kind,
        name: "marque-waivers".to_owned(),
        rows: Rows::Waivers(Box::new(filter)),
        then: None,
        columns: COLUMNS.to_vec(),
        picks: None,
        about,
    };
    Ok(export::stream(visit, file))
}

const COLUMNS: &[&str] = &[
    "finding",
    "state",
    "until",
    "reason",
    "class_then",
    "class_now",
    "asked_by",
    "asked",
    "approved_by",
    "approved",
    "ended_by",
    "ended",
    "element",
    "name",
    "site",
    "rule",
    "title",
    "deadline",
    "severity",
    "finding_state",
];

/// A row as a file has it: its cells in the order of the columns.
pub(super) fn record(row: &WaiverRow) -> Vec<String> {
    let at = |at: Option<Instant>| at.map(|at| at.to_string()).unwrap_or_default();
    let (waiver, result) = (&row.waiver, &row.result);
    vec![
        row.finding.to_string(),
        row.state.to_string(),
        waiver.until.clone(),
        waiver.reason.clone(),
        waiver.class.to_string(),
        result.class.to_string(),
        waiver.asked_by.clone(),
        row.asked.to_string(),
        waiver.approved_by.clone().unwrap_or_default(),
        at(row.approved),
        row.ended_by.clone().unwrap_or_default(),
        at(row.ended),
        row.element.to_string(),
        row.element_name.clone(),
        row.site.to_string(),
        result.rule.clone(),
        result.title.clone(),
        result.deadline.clone().unwrap_or_default(),
        result.severity.to_string(),
        row.finding_state.to_string(),
    ]
}

/// A field of the form.
struct Entry {
    key: &'static str,
    label: &'static str,
    kind: &'static str,
    value: String,
}

/// The fields that are typed, and what the address says beside them.
fn form(query: &Query) -> (Vec<Entry>, Vec<(String, String)>) {
    let shown = [
        ("site", "site", "text"),
        ("rule", "rule", "text"),
        ("until", "ends by", "date"),
    ];
    let entry = |(key, label, kind): (&'static str, _, _)| Entry {
        key,
        label,
        kind,
        value: query.one(key).to_owned(),
    };
    // Of several values of a key the field has the first.
    let mut first: Vec<_> = shown.iter().map(|(key, ..)| *key).chain(["after"]).collect();
    let beside = query.pairs().filter(|(key, _)| {
        let place = first.iter().position(|shown| shown == key);
        place.map(|place| first.swap_remove(place)).is_none() && *key != "after"
    });
    let beside = beside.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let beside = beside.collect();
    (shown.map(entry).into(), beside)
}

/// The sites asked for that whoever looks may see. A site that is none stands for none at all.
fn seen(visit: &Visit, asked: &[String]) -> Vec<String> {
    let Some(allowed) = &visit.person.sites else {
        return asked.to_vec();
    };
    let mut sites: Vec<String> = allowed.iter().map(SiteName::to_string).collect();
    sites.retain(|site| asked.is_empty() || asked.contains(site));
    if sites.is_empty() {
        sites.push(String::new());
    }
    sites
}

/// What ends soon and what returned, each with the list it counts.
async fn tiles(
    visit: &Visit,
    query: &Query,
    sites: &[String],
    today: Date,
) -> Result<Vec<(String, String, String, &'static str)>, Problem> {
    let day = |ahead: i64| {
        today
            .checked_add(Duration::days(ahead))
            .unwrap_or(today)
            .to_string()
    };
    let filter = |state| WaiverFilter {
        states: vec![state],
        sites: sites.to_vec(),
        // Counted for its total alone.
        limit: 1,
        ..WaiverFilter::default()
    };
    // The list has what the tile counts: the same sites, and no more than those.
    let asked: Vec<_> = query.all("site").map(|site| ("site", site)).collect();
    let list = |state: WaiverState| Query::of(&asked).with("state", state.as_str());
    let mut tiles = Vec::new();
    for (warning, tone) in WARNINGS.into_iter().zip(["critical", "major", "minor"]) {
        let until = day(warning);
        let ending = WaiverFilter {
            until: Some(until.clone()),
            ..filter(WaiverState::InForce)
        };
        let count = visit.acts.waivers(&ending).await?.total;
        let link = list(WaiverState::InForce).with("until", &until).link(PATH);
        let tone = if count == 0 { "quiet" } else { tone };
        tiles.push((
            show::number(count),
            format!("end within {warning} days"),
            link,
            tone,
        ));
    }
    let from = day(-RETURNED_DAYS);
    let returned = WaiverFilter {
        from: Some(from.clone()),
        ..filter(WaiverState::Expired)
    };
    let count = visit.acts.waivers(&returned).await?.total;
    let link = list(WaiverState::Expired).with("from", &from).link(PATH);
    let words = format!("ran out in the last {RETURNED_DAYS} days: their findings returned");
    tiles.push((show::number(count), words, link, "quiet"));
    Ok(tiles)
}
