//! One element as it was on a day: as it was known then, and as it is known now.
//!
//! Invariants: what was recorded later than the day is not in what was known then; what was seen only
//! later says nothing of the day, and that is said; the slider is a form first.

use super::Web;
use super::show::{self, Moment};
use super::verdicts::{self, Judged};
use crate::api::Problem;
use crate::api::query;
use crate::population::Days;
use model::{ElementId, Identification, Instant, Standing};
use policy::PartialDate;
use policy::population::{Asset, Seen};
use store::past::PastSubject;
use time::Date;

/// Days of change the slider has: the last of them.
const DAYS: u32 = 400;
/// Of these, listed as links.
const LISTED: usize = 40;

/// What the element's page shows of its past.
pub struct History {
    /// Days on which something changed, the first first.
    pub days: Vec<String>,
    /// The same with blanks between them, for the script.
    pub joined: String,
    /// The last of them, latest first.
    pub listed: Vec<String>,
    /// The day asked for.
    pub asof: Option<String>,
    /// The last day that can be asked for.
    pub today: String,
    /// As it was then, row by row.
    pub facts: Vec<Fact>,
    /// Whether nobody knew of it, then or now.
    pub nobody: bool,
    /// How many of the facts differ.
    pub differ: usize,
}

/// One fact as known then and as known now.
pub struct Fact {
    /// What.
    pub name: &'static str,
    /// As known then, and as known now.
    pub told: [Told; 2],
    /// Whether they differ.
    pub differs: bool,
}

/// A fact in words.
#[derive(PartialEq, Eq)]
pub enum Told {
    /// Known.
    Text(String),
    /// A standing.
    Standing(Standing),
    /// Not known.
    Unknown,
}

/// Reads a day asked for.
///
/// # Errors
/// [`Problem::BadParameter`] for what is no day, or one to come.
pub fn asked(text: &str, today: Date) -> Result<Option<Date>, Problem> {
    if text.is_empty() {
        return Ok(None);
    }
    let day: Option<PartialDate> = text.parse().ok();
    match day.filter(|day| day.first() == day.last() && day.last() <= today) {
        Some(day) => Ok(Some(day.last())),
        None => Err(query::bad(
            "asof",
            text,
            format!("a day as YYYY-MM-DD, {today} at the latest"),
        )),
    }
}

/// The history of an element, at a day if one is asked for.
///
/// # Errors
/// [`Problem::Store`] when the store does not answer.
pub async fn history(
    web: &Web,
    element: ElementId,
    asof: Option<Date>,
    now: Instant,
) -> Result<History, Problem> {
    let today = now.date().unwrap_or(Date::MIN);
    let days = web.field.days(element, DAYS).await?;
    let days: Vec<String> = days
        .into_iter()
        .filter_map(Instant::date)
        .filter(|day| *day <= today)
        .map(|day| day.to_string())
        .collect();
    let mut made = History {
        joined: days.join(" "),
        listed: days.iter().rev().take(LISTED).cloned().collect(),
        days,
        asof: asof.map(|day| day.to_string()),
        today: today.to_string(),
        facts: Vec::new(),
        nobody: false,
        differ: 0,
    };
    let Some(day) = asof else { return Ok(made) };
    let mut sides = Vec::new();
    for as_known in [Some(day), None] {
        let days = Days {
            as_of: day,
            as_known,
            today,
        };
        let taken = verdicts::taken(web, element, days).await?;
        sides.push(taken.map(|(past, asset)| {
            let judged = verdicts::judge(web, &asset, day, days.known(), None);
            facts(&past, &asset, judged, now)
        }));
    }
    let mut sides = sides.into_iter();
    let (then, known) = (sides.next().flatten(), sides.next().flatten());
    made.nobody = then.is_none() && known.is_none();
    let nothing = || NAMES.map(|_| Told::Unknown);
    let (then, known) = (then.unwrap_or_else(nothing), known.unwrap_or_else(nothing));
    made.facts = NAMES
        .into_iter()
        .zip(then.into_iter().zip(known))
        .map(|(name, (then, now))| Fact {
            name,
            differs: then != now,
            told: [then, now],
        })
        .collect();
    made.differ = made.facts.iter().filter(|fact| fact.differs).count();
    Ok(made)
}

const NAMES: [&str; 12] = [
    "standing",
    "most urgent rule",
    "how it is known",
    "maker",
    "brand",
    "model",
    "serial",
    "software",
    "parts that name a maker",
    "last walk",
    "role",
    "law of",
];

fn facts(past: &PastSubject, asset: &Asset, judged: Judged, now: Instant) -> [Told; 12] {
    let subject = &past.subject;
    let present = subject.complete.as_ref().or(subject.partial.as_ref());
    // What was seen only later is no fact of the day, unless it is declared to have stood there.
    let shown = present.filter(|_| asset.seen != Seen::NotYet);
    let identified: Option<&Identification> = shown.map(|one| &one.identification);
    let unit = identified.map(|one| &one.unit);
    let maker = identified.and_then(|one| one.maker.as_ref());
    let brand = identified.and_then(|one| one.brand.as_ref());
    let named = |of: &model::Attribution| {
        format!(
            "{} ({})",
            show::clean(&of.supplier.name, 48),
            show::confidence(of.confidence)
        )
    };
    let text = |text: Option<&String>| known(text.map(|text| show::clean(text, 100)));
    let open = judged.results.iter().find(|result| result.class.opens_finding());
    let rule = open.map(|result| {
        let date = result
            .deadline
            .as_deref()
            .map(|date| format!(", {date}"))
            .unwrap_or_default();
        format!("{}: {}{date}", result.rule, show::words(result.class.as_str()))
    });
    let law: Vec<&str> = subject.place.jurisdictions.iter().map(String::as_str).collect();
    [
        Told::Standing(judged.standing),
        Told::Text(rule.unwrap_or_else(|| "none opens a finding".to_owned())),
        known(match asset.seen {
            Seen::ByThen => Some("seen by then".to_owned()),
            Seen::Presumed => Some("seen only later, declared to have been there".to_owned()),
            Seen::NotYet => None,
        }),
        known(maker.map(named)),
        known(brand.map(named)),
        text(unit.and_then(|unit| unit.model.as_ref())),
        text(unit.and_then(|unit| unit.serial.as_ref())),
        text(unit.and_then(|unit| unit.software.as_ref())),
        known(identified.map(|one| {
            let named = one.components.iter().filter(|part| part.maker.is_some()).count();
            named.to_string()
        })),
        known(subject.last_walk.map(|at| Moment::new(at, now).full)),
        known(subject.place.role.map(|role| role.to_string())),
        known((!law.is_empty()).then(|| law.join(" "))),
    ]
}

fn known(text: Option<String>) -> Told {
    text.filter(|text| !text.is_empty())
        .map_or(Told::Unknown, Told::Text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::date;

    #[test]
    fn only_days_that_were_can_be_asked_for() {
        let today = date!(2026 - 11 - 26);
        assert_eq!(asked("", today).unwrap(), None);
        assert_eq!(asked("2026-11-26", today).unwrap(), Some(today));
        for bad in ["2026-11-27", "2026-11", "2026", "yesterday", "2026-02-30"] {
            assert!(asked(bad, today).is_err(), "{bad}");
        }
    }
}
