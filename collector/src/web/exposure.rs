//! How exposed the network is, under which law, and how much of it nobody can speak of.
//!
//! Invariants: beside every number stands what is unknown, so that a nought is never
//! read as clear; every number links to its rows; whoever is limited to sites is told
//! of these alone; another day is judged for a page, one page at a time.

mod day;
mod tally;

use super::Web;
use super::access::Visit;
use super::books::{Books, DAYS};
use super::glance::{Glances, OPEN, UNKNOWN};
use super::page::{Frame, answer};
use super::shelf::STALE;
use super::show::{self, Moment};
use super::what_if::Turn;
use crate::api::Problem;
use crate::api::query::{self, Query};
use askama::Template;
use axum::extract::{Extension, Query as Pairs};
use axum::response::Response;
use model::{Role, Severity};
use std::collections::BTreeMap;
use store::ledger::Moved;
use store::view::OPENING;
use tally::{Sums, Tally};
use time::Date;

/// Rows of each of the smaller tables.
const ROWS: usize = 15;
/// More sites are not named in a link: it would be too long to read back.
pub const LINKED_SITES: usize = 48;

#[derive(Template)]
#[template(path = "exposure.html")]
struct ExposurePage {
    frame: Frame,
    asof: String,
    counted: Moment,
    too_large: Option<String>,
    board: Option<Board>,
    changes: Option<Changes>,
}

/// Everything that is counted, for one day.
struct Board {
    tiles: Vec<Tile>,
    roles: Vec<&'static str>,
    lines: Vec<Line>,
    totals: Vec<Total>,
    makers: Vec<Row>,
    models: Vec<Row>,
    sites: Vec<Row>,
    /// Whether there are prices on file.
    priced: bool,
    /// What caps say of the whole.
    caps: Vec<String>,
}

struct Tile {
    label: &'static str,
    value: String,
    tone: &'static str,
    link: String,
    detail: String,
    cover: Option<u64>,
}

/// One law.
struct Line {
    code: String,
    name: String,
    loaded: bool,
    cells: Vec<Cell>,
    all: Cell,
}

/// Findings of one law and role, and beside them the elements nobody can speak of.
#[derive(Default)]
struct Cell {
    count: String,
    worst: Option<Severity>,
    link: String,
    /// Elements of unknown standing.
    unknown: String,
    unknown_link: String,
    /// Whether there is an element at all.
    any: bool,
}

/// A count of elements by role, below the laws.
struct Total {
    name: &'static str,
    hatched: bool,
    cells: Vec<(String, String)>,
}

/// A maker, a model or a site.
struct Row {
    name: String,
    more: String,
    link: String,
    unknown: bool,
    elements: String,
    elements_link: String,
    width: String,
    exposed: String,
    findings: String,
    findings_link: String,
    /// What cannot be said of it, in words.
    open: String,
    /// Nothing where there is nothing to replace.
    cost: Option<String>,
    worst: Option<Severity>,
}

/// Changes of two spans of days by cause.
struct Changes {
    spans: [i64; 2],
    rows: Vec<ChangeRow>,
}

struct ChangeRow {
    cause: String,
    words: &'static str,
    /// Opened, changed, closed, swapped, other; each in the longer and the shorter span.
    counts: Vec<[String; 2]>,
}

/// `/exposure`
pub async fn exposure(
    visit: Visit,
    Extension(glances): Extension<Glances>,
    Extension(books): Extension<Books>,
    Extension(turn): Extension<Turn>,
    Pairs(pairs): Pairs<Vec<(String, String)>>,
) -> Response {
    answer(&visit, page(&visit, &glances, &books, &turn, pairs).await)
}

async fn page(
    visit: &Visit,
    glances: &Glances,
    books: &Books,
    turn: &Turn,
    pairs: Vec<(String, String)>,
) -> Result<ExposurePage, Problem> {
    let query = Query::read(pairs, query::DAY)?;
    let now = (visit.clock)();
    let today = now.date().unwrap_or(Date::MIN);
    let asked = query.day("asof")?;
    let frame = Frame::new(visit, "exposure");
    let laws = glances.get(visit, STALE).await?.laws();
    let mut made = ExposurePage {
        asof: asked.map(|day| day.to_string()).unwrap_or_default(),
        counted: Moment::new(now, now),
        too_large: None,
        board: None,
        changes: None,
        frame,
    };
    match asked.filter(|day| *day != today) {
        Some(day) => match day::judged(visit, turn, day, today, &laws).await? {
            Ok((tally, caps)) => {
                let mut board = Board::new(visit, &tally, true);
                board.caps = caps;
                made.board = Some(board);
            }
            Err(count) => made.too_large = Some(show::number(count)),
        },
        None => {
            let kept = books.ledger(visit).await?;
            made.counted = Moment::new(kept.at.min(now), now);
            let mut tally = Tally::new(laws);
            tally.take_ledger(&kept.told, visit);
            made.board = Some(Board::new(visit, &tally, false));
            let moved = books.moved(visit).await?;
            made.changes = Some(changes(
                moved.told.iter().filter(|one| visit.person.sees(&one.site)),
            ));
        }
    }
    Ok(made)
}

impl Board {
    fn new(web: &Web, tally: &Tally, judged: bool) -> Self {
        let roles: Vec<&'static str> = Role::ALL
            .iter()
            .map(|role| role.as_str())
            .chain(["unknown"])
            .collect();
        Self {
            tiles: tiles(tally, judged),
            lines: tally
                .codes()
                .map(|code| Line::new(web, tally, code, &roles, judged))
                .collect(),
            totals: totals(tally, &roles, judged),
            makers: makers(tally),
            models: models(tally),
            sites: sites(tally),
            caps: Vec::new(),
            priced: tally.currency.is_some(),
            roles,
        }
    }
}

fn tiles(tally: &Tally, judged: bool) -> Vec<Tile> {
    let all = &tally.all;
    let tone = |count: u64, tone: &'static str| if count == 0 { "quiet" } else { tone };
    let known = show::percent(all.elements - all.unknown, all.elements);
    let worst = match all.worst {
        Some(Severity::Critical) => "critical",
        Some(Severity::Major) => "major",
        _ => "minor",
    };
    let open = |more: &[(&str, &str)]| {
        let pairs: Vec<_> = more.iter().copied().chain(OPEN).collect();
        if judged {
            "#laws".to_owned()
        } else {
            Query::of(&pairs).link("/findings")
        }
    };
    let cost = all.cost_words(tally.currency.as_deref());
    vec![
        Tile {
            label: "open findings",
            value: show::number(all.findings),
            tone: tone(all.findings, worst),
            link: open(&[]),
            detail: format!("at {} elements", show::number(all.exposed)),
            cover: known,
        },
        Tile {
            label: "to replace the exposed",
            value: cost.0,
            tone: tone(all.cost, "minor"),
            link: "#models".to_owned(),
            detail: cost.1,
            cover: known,
        },
        Tile {
            label: "elements of which too little is known",
            value: show::number(all.unknown),
            tone: tone(all.unknown, "unknown"),
            link: if judged {
                "#laws".to_owned()
            } else {
                Query::of(&UNKNOWN).link("/elements")
            },
            detail: format!(
                "of {} elements; {} have no named maker",
                show::number(all.elements),
                show::number(all.nameless)
            ),
            cover: known,
        },
        Tile {
            label: if judged {
                "elements not seen by then"
            } else {
                "elements that never answered"
            },
            value: show::number(all.dark),
            tone: tone(all.dark, "unknown"),
            link: "/coverage".to_owned(),
            detail: "of these nothing is known but that they are there".to_owned(),
            cover: known,
        },
    ]
}

impl Line {
    fn new(web: &Web, tally: &Tally, code: &str, roles: &[&'static str], judged: bool) -> Self {
        let sites: Vec<&str> = tally.sites_under(code).take(LINKED_SITES + 1).collect();
        let cell = |role: Option<&str>| {
            let sums = tally.cell(code, role);
            let role = role.map(|role| ("role", role));
            let open = [("jurisdiction", code)].into_iter().chain(role).chain(OPEN);
            let unknown = UNKNOWN.into_iter().chain(role);
            let unknown: Vec<_> = unknown.chain(sites.iter().map(|site| ("site", *site))).collect();
            Cell {
                count: show::number(sums.findings),
                worst: sums.worst.filter(|_| sums.findings > 0),
                link: if sums.findings > 0 && !judged {
                    Query::of(&open.collect::<Vec<_>>()).link("/findings")
                } else {
                    String::new()
                },
                unknown: if sums.unknown > 0 {
                    show::number(sums.unknown)
                } else {
                    String::new()
                },
                unknown_link: if sites.len() > LINKED_SITES || judged {
                    String::new()
                } else {
                    Query::of(&unknown).link("/elements")
                },
                any: sums.elements > 0,
            }
        };
        let pack = web.policies.pack(code);
        Self {
            cells: roles.iter().map(|role| cell(Some(role))).collect(),
            all: cell(None),
            name: pack.map_or_else(|| "no pack is loaded".to_owned(), |pack| pack.name.clone()),
            loaded: pack.is_some(),
            code: code.to_owned(),
        }
    }
}

fn totals(tally: &Tally, roles: &[&'static str], judged: bool) -> Vec<Total> {
    let row = |name, hatched, of: fn(&Sums) -> u64, more: &[(&str, &str)]| {
        let cell = |role: Option<&str>| {
            let count = of(tally.role(role));
            let pairs = more.iter().copied().chain(role.map(|role| ("role", role)));
            (
                show::number(count),
                if count > 0 && !judged {
                    Query::of(&pairs.collect::<Vec<_>>()).link("/elements")
                } else {
                    String::new()
                },
            )
        };
        Total {
            name,
            hatched,
            cells: roles
                .iter()
                .map(|role| cell(Some(role)))
                .chain([cell(None)])
                .collect(),
        }
    };
    vec![
        row("elements", false, |sums| sums.elements, &[]),
        row("too little known", true, |sums| sums.unknown, &UNKNOWN),
    ]
}

/// The share of the largest as a width.
fn width(part: u64, most: u64) -> String {
    format!("{}%", show::percent(part, most).unwrap_or(0))
}

fn row(name: &str, sums: &Sums, most: u64, currency: Option<&str>) -> Row {
    let cost = sums.cost_words(currency);
    Row {
        name: show::clean(name, 64),
        more: String::new(),
        link: String::new(),
        unknown: false,
        elements: show::number(sums.elements),
        elements_link: String::new(),
        width: width(sums.elements, most),
        exposed: show::number(sums.exposed),
        findings: show::number(sums.findings),
        findings_link: String::new(),
        open: match show::percent(sums.unknown, sums.elements) {
            Some(share) if sums.unknown > 0 => {
                format!("{} ({share} %) too little known", show::number(sums.unknown))
            }
            _ => String::new(),
        },
        cost: (sums.exposed > 0).then(|| {
            let joint = if sums.exposed == sums.unpriced { ": " } else { " " };
            format!("{}{joint}{}", cost.0, cost.1)
        }),
        worst: sums.worst.filter(|_| sums.findings > 0),
    }
}

fn makers(tally: &Tally) -> Vec<Row> {
    let mut all: Vec<_> = tally.makers.iter().collect();
    all.sort_by_key(|(id, (name, sums))| {
        (
            std::cmp::Reverse((sums.findings, sums.elements)),
            name.clone(),
            (*id).clone(),
        )
    });
    let most = all.iter().map(|(_, (_, sums))| sums.elements).max().unwrap_or(0);
    let line = |(id, (name, sums)): &(&String, &(String, Sums))| Row {
        link: format!("/suppliers/{id}"),
        elements_link: Query::of(&[("maker", id.as_str())]).link("/elements"),
        findings_link: open_of("supplier", id, sums),
        ..row(name, sums, most, tally.currency.as_deref())
    };
    let mut rows: Vec<Row> = all.iter().take(ROWS).map(line).collect();
    if tally.all.nameless > 0 {
        rows.push(Row {
            unknown: true,
            elements_link: Query::of(&[("maker", "unknown")]).link("/elements"),
            open: "of these nothing can be said".to_owned(),
            ..row(
                "maker unknown",
                &Sums {
                    elements: tally.all.nameless,
                    ..Sums::default()
                },
                most,
                None,
            )
        });
    }
    rows
}

fn models(tally: &Tally) -> Vec<Row> {
    let mut all: Vec<_> = tally.models.iter().collect();
    all.sort_by_key(|(key, sums)| (std::cmp::Reverse((sums.exposed, sums.elements)), (*key).clone()));
    let most = all.iter().map(|(_, sums)| sums.elements).max().unwrap_or(0);
    let line = |((maker, name, model), sums): &(&(String, String, String), &Sums)| Row {
        more: show::clean(name, 48),
        link: format!("/suppliers/{maker}"),
        elements_link: Query::of(&[("maker", maker.as_str()), ("text", model.as_str())]).link("/elements"),
        ..row(
            if model.is_empty() { "no model told" } else { model },
            sums,
            most,
            tally.currency.as_deref(),
        )
    };
    all.iter().take(ROWS).map(line).collect()
}

fn sites(tally: &Tally) -> Vec<Row> {
    let mut all: Vec<_> = tally.places.iter().collect();
    all.sort_by_key(|(site, sums)| {
        (
            sums.findings == 0,
            sums.worst,
            std::cmp::Reverse((sums.findings, sums.unknown)),
            (*site).clone(),
        )
    });
    let most = all.iter().map(|(_, sums)| sums.elements).max().unwrap_or(0);
    let line = |(site, sums): &(&String, &Sums)| Row {
        more: tally.law_of(site),
        elements_link: Query::of(&[("site", site.as_str())]).link("/elements"),
        findings_link: open_of("site", site, sums),
        ..row(site, sums, most, tally.currency.as_deref())
    };
    all.iter().take(ROWS).map(line).collect()
}

fn open_of(key: &str, value: &str, sums: &Sums) -> String {
    if sums.findings == 0 {
        return String::new();
    }
    let pairs: Vec<_> = [(key, value)].into_iter().chain(OPEN).collect();
    Query::of(&pairs).link("/findings")
}

fn changes<'a>(moved: impl Iterator<Item = &'a Moved>) -> Changes {
    let mut by_cause: BTreeMap<String, [[u64; 2]; 5]> = BTreeMap::new();
    for one in moved {
        let column = match one.kind.as_str() {
            kind if OPENING.contains(&kind) => 0,
            "finding_changed" => 1,
            "finding_closed" => 2,
            "swap" => 3,
            _ => 4,
        };
        let counts = by_cause.entry(one.cause.clone()).or_default();
        if let Some(sums) = counts.get_mut(column) {
            sums[0] += one.counts[0];
            sums[1] += one.counts[1];
        }
    }
    let row = |(cause, counts): (String, [[u64; 2]; 5])| ChangeRow {
        words: show::cause(&cause),
        counts: counts.iter().map(|spans| spans.map(show::number)).collect(),
        cause: show::clean(&cause, 20),
    };
    Changes {
        spans: DAYS,
        rows: by_cause.into_iter().map(row).collect(),
    }
}
