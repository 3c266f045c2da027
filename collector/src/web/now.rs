//! The first page: what needs a person, what changed and why, and whether data flows.
//!
//! Invariants: every number links to the rows it counts; beside each stands how
//! much of the network it speaks for; a stage that stands still is seen here.

use super::access::Visit;
use super::glance::{Glances, OPEN, Pressing};
use super::hand::{Hand, Hands, Reading, SHIFT, Spark};
use super::health::{self, Agent, SiteLine, Stage};
use super::kept;
use super::page::{Frame, answer, refuse};
use super::show::{self, Left, Moment};
use crate::api::Problem;
use crate::api::query::{self, Query};
use askama::Template;
use axum::extract::{Extension, Query as Pairs};
use axum::response::Response;
use model::{Instant, Role, Severity, Standing};
use std::collections::BTreeMap;
use std::time::Duration;
use store::view::{ChangeRow, Count, DeadlineRow, ExposureCell, MakerRow, Overview};

/// Makers shown.
const TOP_MAKERS: usize = 8;

#[derive(Template)]
#[template(path = "now.html")]
struct NowPage {
    frame: Frame,
    parts: Parts,
    kept: Vec<kept::Tile>,
}

#[derive(Template)]
#[template(path = "wall.html")]
struct WallPage {
    frame: Frame,
    parts: Parts,
}

/// What both pages show.
struct Parts {
    counted: Moment,
    tiles: Vec<Tile>,
    hand: Hand,
    core: Vec<(String, String, String)>,
    dealing: Vec<(&'static str, String, String)>,
    unseen: [(&'static str, String, &'static str); 2],
    stages: Vec<Stage>,
    bar: Vec<Segment>,
    open: String,
    standings: Vec<StandingCount>,
    roles: Vec<&'static str>,
    exposure: Vec<ExposureLine>,
    deadlines: Vec<Deadline>,
    makers: Vec<Maker>,
    agents: Vec<Agent>,
    sites: Vec<SiteLine>,
    changes: Vec<Change>,
}

/// One big number.
struct Tile {
    label: &'static str,
    value: String,
    /// Severity of the number, `quiet` when it is nought, `unknown` for what is not known.
    tone: &'static str,
    link: String,
    detail: String,
    cover: Option<u64>,
    covers: &'static str,
    spark: Option<Spark>,
}

struct Segment {
    severity: Severity,
    count: String,
    link: String,
    x: String,
    width: String,
    present: bool,
}

struct StandingCount {
    standing: Standing,
    count: String,
    link: String,
}

struct ExposureLine {
    jurisdiction: String,
    cells: Vec<Option<Cell>>,
    sum: String,
    link: String,
}

struct Cell {
    count: String,
    worst: Severity,
    link: String,
}

struct Deadline {
    left: Option<Left>,
    date: String,
    rule: String,
    jurisdiction: String,
    title: String,
    elements: String,
    link: String,
}

struct Maker {
    name: String,
    count: String,
    width: String,
    link: String,
    unknown: bool,
    findings: u64,
    findings_link: String,
}

struct Change {
    key: String,
    at: Moment,
    kind: String,
    element: String,
    name: String,
    text: String,
    cause: String,
}

/// `/`
pub async fn now(
    visit: Visit,
    Extension(glances): Extension<Glances>,
    Extension(hands): Extension<Hands>,
    counts: Extension<kept::Counts>,
    Pairs(pairs): Pairs<Vec<(String, String)>>,
) -> Response {
    match show_now(&visit, &glances, &hands, pairs).await {
        Ok((frame, parts)) if frame.wall => answer(&visit, Ok(WallPage { frame, parts })),
        Ok((frame, parts)) => {
            let kept = kept::tiles(&visit, &counts).await;
            answer(&visit, kept.map(|kept| NowPage { frame, parts, kept }))
        }
        Err(problem) => refuse(&visit, Some(visit.person.clone()), &problem),
    }
}

async fn show_now(
    visit: &Visit,
    glances: &Glances,
    hands: &Hands,
    pairs: Vec<(String, String)>,
) -> Result<(Frame, Parts), Problem> {
    let query = Query::read(pairs, query::NOW)?;
    let wall = query.flag("wall")?;
    let now = (visit.clock)();
    let since = query.since("since", SHIFT, now)?;
    let glance = glances.get(visit, Duration::from_secs(1)).await?;
    let reading = hands.get(visit, since, Duration::from_secs(1)).await?;
    let overview = &glance.overview;
    let most = overview.makers.iter().map(|row| row.elements).max().unwrap_or(0);
    let counted = glance.at.min(reading.at).min(now);
    let parts = Parts {
        counted: Moment::new(counted, now),
        tiles: tiles(overview, &glance.pressing, &reading, now),
        hand: Hand::new(&reading, &visit.person.name, query.one("since"), now),
        core: core(&overview.exposure),
        dealing: dealing(&overview.states),
        unseen: unseen(overview),
        stages: health::stages(
            overview,
            visit.store.takes_writes(),
            visit.uncommitted.oldest(),
            now,
        ),
        bar: bar(&overview.severities),
        open: show::number(overview.severities.iter().map(|count| count.count).sum()),
        standings: standings(&overview.standings),
        roles: Role::ALL
            .iter()
            .map(|role| role.as_str())
            .chain(["unknown"])
            .collect(),
        exposure: exposure(&overview.exposure),
        deadlines: overview
            .deadlines
            .iter()
            .take(40)
            .map(|row| deadline(row, now))
            .collect(),
        makers: overview
            .makers
            .iter()
            .take(TOP_MAKERS)
            .map(|row| maker(row, most))
            .collect(),
        agents: overview
            .agents
            .iter()
            .map(|row| health::agent(row, now))
            .collect(),
        sites: health::sites(&overview.sites),
        changes: overview.changes.iter().map(|row| change(row, now)).collect(),
    };
    let frame = Frame {
        wall,
        revision: glance.revision,
        ..Frame::new(visit, "now")
    };
    Ok((frame, parts))
}

fn tiles(overview: &Overview, pressing: &Pressing, reading: &Reading, now: Instant) -> Vec<Tile> {
    let of = |severity: Severity| count_of(&overview.severities, severity.as_str());
    let (critical, major) = (of(Severity::Critical), of(Severity::Major));
    let unknown = overview.elements.saturating_sub(overview.identified);
    let dark = overview.elements.saturating_sub(overview.reached);
    let open = || overview.agents.iter().filter(|row| row.revoked.is_none());
    let ill = open()
        .filter(|row| !health::complaints(row, now).is_empty())
        .count();
    let held = open().filter(|row| row.quarantined.is_some()).count();
    let agents = u64::try_from(open().count()).unwrap_or(u64::MAX);
    let ill = u64::try_from(ill).unwrap_or(u64::MAX);
    let tone = |count: u64, tone: &'static str| if count == 0 { "quiet" } else { tone };
    let urgent = OPEN
        .into_iter()
        .chain([("severity", "critical"), ("severity", "major")]);
    vec![
        Tile {
            label: "critical and major findings open",
            value: show::number(critical + major),
            tone: tone(critical + major, if critical > 0 { "critical" } else { "major" }),
            link: Query::of(&urgent.collect::<Vec<_>>()).link("/findings"),
            detail: format!(
                "{} critical, {} major",
                show::number(critical),
                show::number(major)
            ),
            cover: show::percent(overview.identified, overview.elements),
            covers: "have a named maker",
            spark: Some(Spark::new(
                &reading.days,
                "findings opened that are critical or major",
                |day| day.urgent,
            )),
        },
        Tile {
            label: "findings due within 180 days",
            value: show::total(pressing.count, pressing.measure),
            tone: tone(pressing.count, "minor"),
            link: pressing.link(),
            detail: pressing.soonest.as_ref().map_or("no date ahead".to_owned(), |l| {
                format!("soonest {}: {}", l.date, l.words)
            }),
            cover: show::percent(overview.identified, overview.elements),
            covers: "have a named maker",
            spark: None,
        },
        Tile {
            label: "elements of unknown maker",
            value: show::number(unknown),
            tone: tone(unknown, "unknown"),
            link: Query::of(&[("maker", "unknown")]).link("/elements"),
            detail: format!("{} of them never answered", show::number(dark)),
            cover: show::percent(overview.reached, overview.elements),
            covers: "answered at least once",
            spark: None,
        },
        Tile {
            label: "agents that need a look",
            value: show::number(ill),
            tone: tone(ill, "major"),
            link: "/agents".to_owned(),
            detail: format!(
                "of {}{}; {} reports lost, {} declared lost",
                show::number(agents),
                match held {
                    0 => String::new(),
                    held => format!(", {} in quarantine", show::number(held as u64)),
                },
                show::number(overview.lost),
                show::number(overview.gap_sequences)
            ),
            cover: show::percent(agents - ill.min(agents), agents),
            covers: "are well",
            spark: None,
        },
    ]
}

/// Whose law names how much in the core, with the way there.
fn core(cells: &[ExposureCell]) -> Vec<(String, String, String)> {
    let cells = cells
        .iter()
        .filter(|cell| cell.role == Role::Core.as_str() && cell.count > 0);
    let way = |cell: &ExposureCell| {
        let pairs = [("jurisdiction", cell.jurisdiction.as_str()), ("role", "core")];
        let link = Query::of(&pairs.into_iter().chain(OPEN).collect::<Vec<_>>()).link("/findings");
        (cell.jurisdiction.clone(), show::number(cell.count), link)
    };
    cells.map(way).collect()
}

/// Who has the open findings, with the way there.
fn dealing(states: &[Count]) -> Vec<(&'static str, String, String)> {
    [
        ("nobody yet", "open"),
        ("seen by somebody", "acknowledged"),
        ("assigned", "assigned"),
        ("waived", "waived"),
    ]
    .map(|(words, state)| {
        let link = Query::of(&[("state", state)]).link("/findings");
        (words, show::number(count_of(states, state)), link)
    })
    .into()
}

/// What has not been seen at all, with the way there.
fn unseen(overview: &Overview) -> [(&'static str, String, &'static str); 2] {
    let dark = overview.elements.saturating_sub(overview.reached);
    let unknown = overview.elements.saturating_sub(overview.identified);
    [
        ("elements never answered", show::number(dark), "/coverage"),
        (
            "of unknown maker",
            show::number(unknown),
            "/elements?maker=unknown",
        ),
    ]
}

fn bar(counts: &[Count]) -> Vec<Segment> {
    let total: u64 = counts.iter().map(|count| count.count).sum();
    let mut from = 0;
    let mut segments = Vec::new();
    for &severity in Severity::ALL
        .iter()
        .filter(|&&severity| severity != Severity::Cleared)
    {
        let count = count_of(counts, severity.as_str());
        let pairs: Vec<_> = [("severity", severity.as_str())]
            .into_iter()
            .chain(OPEN)
            .collect();
        segments.push(Segment {
            severity,
            count: show::number(count),
            link: Query::of(&pairs).link("/findings"),
            x: share(from, total),
            width: share(count, total),
            present: count > 0,
        });
        from += count;
    }
    segments
}

/// A share as per cent with one decimal, for drawing.
fn share(part: u64, whole: u64) -> String {
    let thousandths = u128::from(part) * 1_000 / u128::from(whole.max(1));
    format!("{}.{}%", thousandths / 10, thousandths % 10)
}

fn standings(counts: &[Count]) -> Vec<StandingCount> {
    let line = |&standing: &Standing| StandingCount {
        standing,
        count: show::number(count_of(counts, standing.as_str())),
        link: Query::of(&[("standing", standing.as_str())]).link("/elements"),
    };
    Standing::ALL.iter().map(line).collect()
}

fn exposure(cells: &[ExposureCell]) -> Vec<ExposureLine> {
    let mut lines: BTreeMap<&str, BTreeMap<&str, &ExposureCell>> = BTreeMap::new();
    for cell in cells {
        lines
            .entry(&cell.jurisdiction)
            .or_default()
            .insert(&cell.role, cell);
    }
    let line = |(jurisdiction, cells): (&str, BTreeMap<&str, &ExposureCell>)| {
        let link = |more: &[(&str, &str)]| {
            let pairs: Vec<_> = [("jurisdiction", jurisdiction)]
                .iter()
                .chain(more)
                .copied()
                .chain(OPEN)
                .collect();
            Query::of(&pairs).link("/findings")
        };
        let roles = Role::ALL.iter().map(|role| role.as_str()).chain(["unknown"]);
        let cell = |role| {
            cells.get(role).filter(|cell| cell.count > 0).map(|cell| Cell {
                count: show::number(cell.count),
                worst: cell.worst,
                link: link(&[("role", role)]),
            })
        };
        ExposureLine {
            jurisdiction: jurisdiction.to_owned(),
            cells: roles.map(cell).collect(),
            sum: show::number(cells.values().map(|cell| cell.count).sum()),
            link: link(&[]),
        }
    };
    lines.into_iter().map(line).collect()
}

fn deadline(row: &DeadlineRow, now: Instant) -> Deadline {
    let pairs: Vec<_> = [("rule", row.rule.as_str())].into_iter().chain(OPEN).collect();
    Deadline {
        left: now.date().and_then(|today| Left::until(&row.deadline, today)),
        date: row.deadline.clone(),
        rule: row.rule.clone(),
        jurisdiction: row.jurisdiction.clone(),
        title: row.title.clone(),
        elements: show::number(row.elements),
        link: Query::of(&pairs).link("/findings"),
    }
}

/// Whether a maker is restricted is told by its open findings, never by its name.
fn maker(row: &MakerRow, most: u64) -> Maker {
    let id = row.maker.as_ref().map_or("unknown", |maker| maker.id.as_str());
    let pairs: Vec<_> = [("supplier", id)].into_iter().chain(OPEN).collect();
    Maker {
        name: show::clean(
            row.maker.as_ref().map_or("unknown maker", |maker| &maker.name),
            40,
        ),
        count: show::number(row.elements),
        width: share(row.elements, most),
        link: Query::of(&[("maker", id)]).link("/elements"),
        unknown: row.maker.is_none(),
        findings: row.findings,
        findings_link: Query::of(&pairs).link("/findings"),
    }
}

fn change(row: &ChangeRow, now: Instant) -> Change {
    Change {
        key: format!("{}-{}-{}", row.at.0, row.element, row.kind),
        at: Moment::new(row.at, now),
        kind: show::words(&row.kind),
        element: row.element.to_string(),
        name: show::clean(&row.element_name, 48),
        text: show::clean(&row.text, 200),
        cause: row.cause.clone(),
    }
}

fn count_of(counts: &[Count], word: &str) -> u64 {
    counts
        .iter()
        .filter(|count| count.word == word)
        .map(|count| count.count)
        .sum()
}
