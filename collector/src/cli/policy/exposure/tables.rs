//! Exposure, differences and burn-down as tables for people.
//!
//! Invariants: what is unknown is told in words beside the figures; names come from
//! devices, so control characters are taken out and columns are bounded.

use crate::population::Days;
use ::policy::pace::{BurnDown, Forecast, Outlook};
use ::policy::population::{By, Change, Difference, Elements, Exposure, Group, Groups};
use ::policy::share::Capped;
use model::ResultClass;
use std::fmt::Write as _;

/// Longest name shown, in characters.
const NAME_CHARS: usize = 40;

/// One line, whatever it holds.
pub(super) fn line(out: &mut String, words: &str) {
    out.extend(words.chars().map(|c| if c.is_control() { ' ' } else { c }));
    out.push('\n');
}

pub(super) fn days(days: Days) -> String {
    let mut out = String::new();
    let known = days.known();
    let now = if days.as_known.is_none() { " (now)" } else { "" };
    line(&mut out, &format!("as of {}, as known {known}{now}", days.as_of));
    out
}

fn elements(out: &mut String, told: &Elements) {
    line(
        out,
        &format!(
            "{} elements judged; of these {} were never seen by then, {} are taken as seen later, {} have no maker known",
            told.judged, told.not_yet_seen, told.presumed, told.unknown_maker
        ),
    );
}

pub(super) fn exposure(told: &Exposure, by: By) -> String {
    let mut out = String::new();
    let o = &mut out;
    elements(o, &told.elements);
    let standings: Vec<String> = told
        .standings
        .iter()
        .map(|(standing, count)| format!("{count} {}", standing.as_str()))
        .collect();
    line(o, &format!("elements: {}", standings.join(", ")));
    line(o, &format!("{} findings", told.findings));
    let heads = ["findings", "possible", "elements", "cost"];
    let row = |group: &Group| {
        let cost = cost(group.cost, group.elements, group.unpriced);
        [
            group.findings.to_string(),
            group.possible.to_string(),
            group.elements.to_string(),
            cost,
        ]
    };
    for by in [By::Rule, by] {
        table(o, by, heads, &told.groups, row);
    }
    caps(o, &told.caps);
    out
}

pub(super) fn difference(told: &Difference, by: By) -> String {
    let mut out = String::new();
    let o = &mut out;
    elements(o, &told.elements);
    let all = &told.total;
    line(
        o,
        &format!(
            "{} findings open, {} close, {} change; {} elements with one that opens, cost {}",
            all.opened,
            all.closed,
            all.changed,
            all.elements,
            cost(all.cost, all.elements, all.unpriced)
        ),
    );
    let heads = ["open", "close", "change", "cost"];
    let row = |change: &Change| {
        let cost = cost(change.cost, change.elements, change.unpriced);
        [
            change.opened.to_string(),
            change.closed.to_string(),
            change.changed.to_string(),
            cost,
        ]
    };
    for by in [By::Rule, by] {
        table(o, by, heads, &told.groups, row);
    }
    let [before, after] = &told.caps;
    if before != after {
        caps(o, before);
        line(o, "and then:");
        caps(o, after);
    }
    let shown = |side: &Option<(ResultClass, Option<String>)>| match side {
        Some((class, date)) => format!("{class} {}", date.as_deref().unwrap_or_default()),
        None => "nothing".to_owned(),
    };
    for example in &told.examples {
        let part = example
            .component
            .as_deref()
            .map_or_else(String::new, |c| format!(", component {c}"));
        line(
            o,
            &format!(
                "{}{part}: {} ({}): {} → {}",
                bounded(&example.name),
                example.rule,
                example.supplier,
                shown(&example.before).trim_end(),
                shown(&example.after).trim_end()
            ),
        );
    }
    out
}

fn bounded(name: &str) -> String {
    name.chars().take(NAME_CHARS).collect()
}

/// In whole units of the currency, with what is not in them.
fn cost(known: u64, elements: u64, unpriced: u64) -> String {
    if elements == unpriced {
        return if elements == 0 {
            "0".to_owned()
        } else {
            "unknown".to_owned()
        };
    }
    if unpriced == 0 {
        known.to_string()
    } else {
        format!("{known} and {unpriced} without a price")
    }
}

fn table<T>(out: &mut String, by: By, heads: [&str; 4], groups: &Groups<T>, row: impl Fn(&T) -> [String; 4]) {
    let Some(groups) = groups.get(&by) else { return };
    let [a, b, c, d] = heads;
    line(out, &format!("{:<28}{a:>10}{b:>10}{c:>10}  {d}", by.as_str()));
    for (key, group) in groups {
        let [a, b, c, d] = row(group);
        line(out, &format!("{:<28}{a:>10}{b:>10}{c:>10}  {d}", bounded(key)));
    }
}

fn caps(out: &mut String, told: &[Capped]) {
    for cap in told {
        let (counts, low, high) = (&cap.counts, (cap.low * 100.0).floor(), (cap.high * 100.0).ceil());
        line(
            out,
            &format!(
                "cap {}: {}: {} to {} per cent, at most {} ({}); counted in elements: {} listed, {} others, {} unknown, \
                 perhaps {} listed, {} others, {} unknown",
                cap.rule,
                cap.class,
                low / 100.0,
                high / 100.0,
                cap.percent,
                cap.metric,
                counts.listed,
                counts.others,
                counts.unknown,
                counts.perhaps_listed,
                counts.perhaps_others,
                counts.perhaps_unknown
            ),
        );
    }
}

pub(super) fn burn_down(told: &[BurnDown]) -> String {
    let mut out = String::new();
    let o = &mut out;
    if told.is_empty() {
        line(o, "no finding has a date");
    }
    for one in told {
        let outlook = match one.outlook {
            Outlook::Done => "done",
            Outlook::Missed => "the date has passed",
            Outlook::InTime => "in time at any speed of the interval",
            Outlook::Late => "late at any speed of the interval",
            Outlook::Open => "open: the interval reaches to both sides of the date",
            Outlook::TooFewPoints => "too few removals or weeks to tell",
        };
        let mut words = format!(
            "{} by {}: {} of {} removed, {} remain; {outlook}",
            one.rule, one.deadline, one.removed, one.findings, one.remaining
        );
        if let Some(forecast) = &one.forecast {
            words.push_str(&speed(forecast));
        }
        line(o, &words);
    }
    out
}

fn speed(told: &Forecast) -> String {
    let [low, high] = told.per_week_95;
    let day = |day: &Option<String>| day.clone().unwrap_or_else(|| "no end in sight".to_owned());
    let [early, late] = &told.done_95;
    let mut words = format!(
        "; {} a week ({low} to {high}), done {} ({} to {})",
        told.per_week,
        day(&told.done),
        day(early),
        day(late)
    );
    if let Some(needed) = told.needed_per_week {
        let _ = write!(words, ", {needed} a week needed");
    }
    words
}
