//! One element by law and date: what each jurisdiction says of it today, at the end of the year, and
//! after each of its dates ahead.
//!
//! Invariants: judged by the one evaluator on what is known of the element now; a day ahead is judged by
//! the law as it is known today, as if nothing were replaced; unknown is never clear.

use super::show;
use crate::population::{Days, asset};
use crate::web::Web;
use model::{ElementId, ResultClass, RuleResult, Standing};
use policy::population::Asset;
use policy::{PartialDate, Question, Situation};
use std::collections::BTreeSet;
use store::StoreError;
use store::past::PastSubject;
use time::{Date, Month};

/// Dates ahead that have a column.
const DATES: usize = 5;

/// Jurisdiction by date.
pub struct Matrix {
    /// The dates, in order.
    pub days: Vec<Day>,
    /// The jurisdictions.
    pub rows: Vec<Row>,
}

/// A column.
pub struct Day {
    /// What it is: `today`, `end of the year`, `after 2027-12-31`.
    pub label: String,
    /// The day judged for.
    pub date: String,
}

/// A jurisdiction.
pub struct Row {
    /// Its code.
    pub jurisdiction: String,
    /// A verdict for each day.
    pub cells: Vec<Cell>,
}

/// What one jurisdiction says on one day.
pub struct Cell {
    /// In one word.
    pub standing: Standing,
    /// The rule behind it.
    pub rule: String,
    /// What that rule is called.
    pub title: String,
    /// The date it names.
    pub date: String,
    /// How many more rules say something.
    pub more: usize,
    /// Whether it is not what the day before it said.
    pub moved: bool,
}

/// An element judged.
pub struct Judged {
    /// Its standing.
    pub standing: Standing,
    /// What rules say, most urgent first.
    pub results: Vec<RuleResult>,
}

/// As it is judged for a day with the law as known on another.
#[must_use]
pub fn judge(web: &Web, asset: &Asset, day: Date, known: Date, only: Option<&str>) -> Judged {
    let mut place = asset.place.clone();
    if let Some(only) = only {
        place.jurisdictions.retain(|code| code == only);
    }
    let question = Question {
        as_known: Some(known),
        ..Question::on(day)
    };
    let situation = Situation {
        place: &place,
        parts: &asset.parts,
    };
    let results = policy::evaluate(&situation, &web.policies, &question);
    Judged {
        standing: policy::standing(&place, &web.policies, &results, asset.maker_known, asset.complete),
        results,
    }
}

/// The element as policies take it, on a day and as known on another; `None` where nobody knew of it.
///
/// # Errors
/// [`StoreError`] when the store does not answer.
pub async fn taken(
    web: &Web,
    element: ElementId,
    days: Days,
) -> Result<Option<(PastSubject, Asset)>, StoreError> {
    let found = web.past.subject_at(days.moment(), element).await?;
    Ok(found.map(|past| (past.clone(), asset(past, days, web.operator()))))
}

/// What all its jurisdictions say of it.
///
/// # Errors
/// [`StoreError`] when the store does not answer.
pub async fn matrix(web: &Web, element: ElementId, today: Date) -> Result<Option<Matrix>, StoreError> {
    let days = Days {
        as_of: today,
        as_known: None,
        today,
    };
    let Some((_, asset)) = taken(web, element, days).await? else {
        return Ok(None);
    };
    let days = columns(web, &asset, today);
    let rows = asset.place.jurisdictions.iter();
    let rows = rows.map(|code| {
        let mut before: Option<Standing> = None;
        let cells = days.iter().map(|(_, day)| {
            let cell = cell(judge(web, &asset, *day, today, Some(code)), before);
            before = Some(cell.standing);
            cell
        });
        Row {
            jurisdiction: code.clone(),
            cells: cells.collect(),
        }
    });
    Ok(Some(Matrix {
        rows: rows.collect(),
        days: days
            .into_iter()
            .map(|(label, date)| Day {
                label,
                date: date.to_string(),
            })
            .collect(),
    }))
}

/// Today, the end of the year, and the day after each date that a rule names for it.
fn columns(web: &Web, asset: &Asset, today: Date) -> Vec<(String, Date)> {
    let end = Date::from_calendar_date(today.year(), Month::December, 31).unwrap_or(today);
    let mut dates: BTreeSet<Date> = BTreeSet::new();
    for day in [today, end] {
        let results = judge(web, asset, day, today, None).results.into_iter();
        let told = results.filter(|result| !quiet(result.class));
        let told = told.filter_map(|result| result.deadline?.parse::<PartialDate>().ok());
        dates.extend(told.map(PartialDate::last).filter(|date| *date >= today));
    }
    let mut columns = vec![("today".to_owned(), today)];
    if end > today {
        columns.push(("end of the year".to_owned(), end));
    }
    for date in dates.into_iter().take(DATES) {
        if let Some(after) = date.next_day() {
            columns.push((format!("after {date}"), after));
        }
    }
    columns.sort_by_key(|(_, day)| *day);
    columns.dedup_by_key(|(_, day)| *day);
    columns
}

/// Classes that say nothing of what holds for this element.
fn quiet(class: ResultClass) -> bool {
    matches!(
        class,
        ResultClass::NotBound | ResultClass::NoRuleKnown | ResultClass::WhatIf
    )
}

fn cell(judged: Judged, before: Option<Standing>) -> Cell {
    let mut told = judged.results.into_iter().filter(|result| !quiet(result.class));
    let first = told.next();
    let date = first.as_ref().and_then(|result| result.deadline.clone());
    Cell {
        standing: judged.standing,
        rule: first
            .as_ref()
            .map(|result| result.rule.clone())
            .unwrap_or_default(),
        title: first
            .map(|result| show::clean(&result.title, 160))
            .unwrap_or_default(),
        date: date.unwrap_or_default(),
        more: told.count(),
        moved: before.is_some_and(|before| before != judged.standing),
    }
}
