//! Every date by which something must be gone: what is left, how fast it goes, and when it would be done.
//!
//! Invariants: only what is proven to be removed counts as progress; a speed is measured
//! from removals or absent; a forecast comes with its uncertainty; the numbers and the
//! table stand beside every drawing.

mod strip;

use super::access::Visit;
use super::books::Books;
use super::chart::{Course, SIZE, burn_down};
use super::page::{Frame, answer};
use super::show::{self, Left, Moment};
use crate::api::Problem;
use crate::api::query::{self, Query};
use crate::population::life;
use askama::Template;
use axum::extract::{Extension, Query as Pairs};
use axum::response::Response;
use policy::PartialDate;
use policy::pace::{BurnDown, End, Forecast, Life, Outlook, Pace, REMOVALS, WEEKS};
use std::collections::BTreeMap;
use store::ledger::{Accepted, Dated, Dates};
use strip::Strip;
use time::{Date, Duration};

/// Dates drawn one by one at most; the table has all.
const DRAWN: usize = 24;
/// Waivers that end within so many days are told.
const SOON_DAYS: i64 = 90;
/// Rows of that table.
const WAIVERS: usize = 100;
/// Points of a drawing at most; a week apart where the time is short enough.
const POINTS: i64 = 160;

#[derive(Template)]
#[template(path = "deadlines.html")]
struct DeadlinesPage {
    frame: Frame,
    asof: String,
    jurisdiction: String,
    rule: String,
    counted: Moment,
    rows: Vec<Row>,
    cut: bool,
    strip: Option<Strip>,
    ending: Vec<Ending>,
    soon_days: i64,
    size: (u32, u32),
    enough: (usize, u64),
}

/// One date of one rule.
struct Row {
    anchor: String,
    rule: String,
    jurisdiction: String,
    title: String,
    left: Option<Left>,
    date: String,
    elements: Option<String>,
    findings: String,
    findings_link: String,
    planned: Option<String>,
    waived: Option<String>,
    removed: String,
    of: String,
    /// Proven removals in per cent.
    share: Option<u64>,
    outlook: &'static str,
    tone: &'static str,
    pace: Option<Speed>,
    chart: Option<String>,
    /// Whether the date lies within the drawing.
    date_drawn: bool,
    points: Vec<(String, String)>,
}

/// A measured speed and what follows from it.
struct Speed {
    per_week: String,
    interval: String,
    needed: String,
    done: String,
    between: String,
}

/// A waiver that ends soon.
struct Ending {
    left: Left,
    rule: String,
    site: String,
    reason: String,
    who: String,
    findings: String,
    link: String,
}

/// `/deadlines`
pub async fn deadlines(
    visit: Visit,
    Extension(books): Extension<Books>,
    Pairs(pairs): Pairs<Vec<(String, String)>>,
) -> Response {
    answer(&visit, page(&visit, &books, pairs).await)
}

async fn page(visit: &Visit, books: &Books, pairs: Vec<(String, String)>) -> Result<DeadlinesPage, Problem> {
    let query = Query::read(pairs, query::DEADLINES)?;
    let (rules, laws) = (query.kept("rule")?, query.kept("jurisdiction")?);
    let now = (visit.clock)();
    let today = now.date().unwrap_or(Date::MIN);
    let asked = query.day("asof")?.filter(|day| *day != today);
    if let Some(day) = asked.filter(|day| *day > today) {
        let allowed = "today or a day before: what is removed later is a forecast".to_owned();
        return Err(query::bad("asof", &day.to_string(), allowed));
    }
    let frame = Frame::new(visit, "deadlines");
    let kept = books.dates(visit, asked).await?;
    let wanted = |rule: &str, code: &str| {
        let fits = |list: &[String], word: &str| list.is_empty() || list.iter().any(|one| one == word);
        fits(&rules, rule) && fits(&laws, code)
    };
    let dated: Vec<&Dated> = kept
        .told
        .dated
        .iter()
        .filter(|one| visit.person.sees(&one.site) && wanted(&one.span.rule, &one.jurisdiction))
        .collect();
    let as_of = asked.unwrap_or(today);
    let mut rows = rows(visit, &kept.told, &dated, as_of, asked.is_none());
    let strip = Strip::new(&rows, as_of);
    let cut = rows.len() > DRAWN;
    for row in rows.iter_mut().skip(DRAWN) {
        row.chart = None;
        row.points.clear();
    }
    let ending = kept
        .told
        .accepted
        .iter()
        .filter(|one| visit.person.sees(&one.site))
        .filter(|one| {
            let rule = visit.policies.rule(&one.rule);
            wanted(&one.rule, rule.map_or("", |rule| rule.jurisdiction.as_str()))
        });
    Ok(DeadlinesPage {
        asof: asked.map(|day| day.to_string()).unwrap_or_default(),
        jurisdiction: query.one("jurisdiction").to_owned(),
        rule: query.one("rule").to_owned(),
        counted: Moment::new(kept.at.min(now), now),
        rows,
        cut,
        strip,
        ending: ending_soon(ending, today),
        soon_days: SOON_DAYS,
        size: SIZE,
        enough: (WEEKS, REMOVALS),
        frame,
    })
}

fn rows(visit: &Visit, dates: &Dates, dated: &[&Dated], as_of: Date, is_today: bool) -> Vec<Row> {
    let mut pace = Pace::new(as_of);
    let mut by_date: BTreeMap<(String, String), Vec<(&Dated, Life)>> = BTreeMap::new();
    for &one in dated {
        let Some(life) = life(&one.span) else { continue };
        pace.take_alike(life.clone(), one.findings);
        let key = (one.span.rule.clone(), life.deadline.to_string());
        by_date.entry(key).or_default().push((one, life));
    }
    let mut told: Vec<(PartialDate, BurnDown)> = pace
        .finish()
        .into_iter()
        .filter_map(|one| Some((one.deadline.parse().ok()?, one)))
        .collect();
    told.sort_by(|(a, one), (b, other)| (a.last(), &one.rule).cmp(&(b.last(), &other.rule)));
    let row = |(date, one): (PartialDate, BurnDown)| {
        let key = (one.rule.clone(), one.deadline.clone());
        let lives = by_date.get(&key).map_or(&[][..], Vec::as_slice);
        let bound = dates.bound.iter().filter(|bound| {
            visit.person.sees(&bound.site) && bound.rule == one.rule && bound.deadline == one.deadline
        });
        let sum = |of: fn(&Dated) -> u64| lives.iter().map(|(one, _)| of(one)).sum::<u64>();
        let now_only = |count: u64| is_today.then(|| show::number(count));
        let law = visit.policies.rule(&one.rule);
        let points = course(lives, as_of);
        let chart = burn_down(&Course {
            left: &points,
            deadline: date.last(),
            forecast: one.forecast.as_ref(),
        });
        let (outlook, tone) = outlook(one.outlook);
        Row {
            anchor: format!("{}-{}", one.rule, one.deadline),
            jurisdiction: lives
                .first()
                .map(|(one, _)| one.jurisdiction.clone())
                .unwrap_or_default(),
            title: law.map_or_else(
                || "the loaded policies no longer have this rule".to_owned(),
                |law| law.title.clone(),
            ),
            left: Left::until(&one.deadline, as_of),
            date: one.deadline.clone(),
            elements: now_only(bound.map(|bound| bound.elements).sum()),
            findings: show::number(one.remaining),
            findings_link: Query::of(&[("rule", &one.rule)]).link("/findings"),
            planned: now_only(sum(|one| one.planned)),
            waived: now_only(sum(|one| one.waived)),
            removed: show::number(one.removed),
            of: show::number(one.findings),
            share: show::percent(one.removed, one.findings),
            outlook,
            tone,
            pace: one.forecast.as_ref().map(Speed::new),
            date_drawn: points.first().is_some_and(|(first, _)| *first <= date.last()),
            chart,
            points: points
                .iter()
                .map(|(day, left)| (day.to_string(), show::number(*left)))
                .collect(),
            rule: one.rule,
        }
    };
    told.into_iter().map(row).collect()
}

/// Findings left at the ends of days, evenly spaced up to the day asked about. What ended without proof
/// of removal is left out from the beginning, as it is for the speed.
fn course(lives: &[(&Dated, Life)], as_of: Date) -> Vec<(Date, u64)> {
    let told = || {
        let counted = lives
            .iter()
            .filter(|(_, life)| life.ended != Some(End::Otherwise));
        counted.filter(|(_, life)| life.opened <= as_of)
    };
    let Some(first) = told().map(|(_, life)| life.opened).min() else {
        return Vec::new();
    };
    let days = (as_of - first).whole_days();
    let step = if days < 15 { 1 } else { (days / POINTS).max(7) };
    let left_on = |day: Date| {
        let open = |life: &Life| {
            let gone = matches!(life.ended, Some(End::Removed(gone)) if gone <= day);
            life.opened <= day && !gone
        };
        told()
            .filter(|(_, life)| open(life))
            .map(|(one, _)| one.findings)
            .sum()
    };
    let steps = (0..=days / step)
        .rev()
        .map(|back| as_of - Duration::days(back * step));
    steps.map(|day| (day, left_on(day))).collect()
}

fn outlook(outlook: Outlook) -> (&'static str, &'static str) {
    match outlook {
        Outlook::Done => ("nothing is left", "done"),
        Outlook::Missed => ("the date has passed", "late"),
        Outlook::InTime => ("in time, even at the least speed measured", "done"),
        Outlook::Late => ("late, even at the greatest speed measured", "late"),
        Outlook::Open => (
            "open: the speed measured reaches to both sides of the date",
            "open",
        ),
        Outlook::TooFewPoints => ("too few removals to tell", "unknown"),
    }
}

impl Speed {
    fn new(told: &Forecast) -> Self {
        let [low, high] = told.per_week_95;
        let day = |day: &Option<String>| day.clone().unwrap_or_else(|| "no end in sight".to_owned());
        let [early, late] = &told.done_95;
        Self {
            per_week: told.per_week.to_string(),
            interval: format!("{low} to {high}"),
            needed: told
                .needed_per_week
                .map_or_else(|| "the date has passed".to_owned(), |needed| needed.to_string()),
            done: day(&told.done),
            between: format!("{} to {}", day(early), day(late)),
        }
    }
}

fn ending_soon<'a>(accepted: impl Iterator<Item = &'a Accepted>, today: Date) -> Vec<Ending> {
    let line = |one: &Accepted| {
        let left = Left::until(&one.waiver.until, today).filter(|left| left.days <= SOON_DAYS)?;
        let approved = one.waiver.approved_by.as_deref().unwrap_or("nobody");
        let pairs = [
            ("rule", one.rule.as_str()),
            ("site", one.site.as_str()),
            ("state", "waived"),
        ];
        Some(Ending {
            left,
            site: one.site.to_string(),
            reason: show::clean(&one.waiver.reason, 160),
            who: format!(
                "{}, approved by {}",
                show::clean(&one.waiver.asked_by, 60),
                show::clean(approved, 60)
            ),
            findings: show::number(one.findings),
            link: Query::of(&pairs).link("/findings"),
            rule: one.rule.clone(),
        })
    };
    let mut ending: Vec<Ending> = accepted.filter_map(line).collect();
    ending.sort_by(|a, b| (a.left.days, &a.rule, &a.site).cmp(&(b.left.days, &b.rule, &b.site)));
    ending.truncate(WAIVERS);
    ending
}
