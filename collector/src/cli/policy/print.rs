//! `policy list` and `policy show`: rules as text, for people and scripts.
//!
//! Invariant: what is printed about a rule names its sources and how good they are.

use super::{Failure, written};
use ::policy::pack::{Deadline, Grade, Pack, Rule};
use ::policy::{PartialDate, Policies};
use std::fmt::Write as _;
use std::io::Write as _;

pub(super) use ::policy::DISCLAIMER;

pub(super) fn list(policies: &Policies, suppliers: bool) -> Result<(), Failure> {
    let mut out = String::new();
    if suppliers {
        for company in &policies.affiliations().suppliers {
            line(
                &mut out,
                &format!("{}\t{}\t{}", company.id, company.hq.as_str(), company.name),
            );
        }
    } else {
        for pack in policies.packs() {
            for rule in &pack.rules {
                line(
                    &mut out,
                    &format!(
                        "{}\t{}\t{}\t{}\t{}",
                        rule.id,
                        rule.status.as_str(),
                        rule.effect.as_str(),
                        shown(rule.time.effective),
                        rule.title
                    ),
                );
            }
        }
        line(&mut out, &format!("# {}", policies.notice()));
    }
    written(std::io::stdout().write_all(out.as_bytes()))
}

pub(super) fn show(policies: &Policies, id: &str) -> Result<(), Failure> {
    let found = policies
        .rule(id)
        .and_then(|rule| Some((rule, policies.pack(&rule.jurisdiction)?)));
    let Some((rule, pack)) = found else {
        return Err(Failure {
            code: 1,
            line: format!("no rule has the key {id:?}; see policy list"),
        });
    };
    written(std::io::stdout().write_all(text(rule, pack, policies).as_bytes()))
}

fn text(rule: &Rule, pack: &Pack, policies: &Policies) -> String {
    let mut out = String::new();
    let o = &mut out;
    line(o, &format!("{}  {}", rule.id, rule.title));
    field(
        o,
        "jurisdiction",
        &format!("{} ({})", pack.name, pack.code.as_str()),
    );
    field(o, "instrument", &rule.instrument);
    if let Some(section) = &rule.section {
        field(o, "section", section);
    }
    field(o, "cite as", &rule.citation);
    field(o, "authority", &rule.authority);
    let duty = if rule.binding { "" } else { ", no legal duty known" };
    field(
        o,
        "status",
        &format!(
            "{}, confidence {}{duty}",
            rule.status.as_str(),
            rule.confidence.as_str()
        ),
    );
    let tags = match rule.bound.tags.as_slice() {
        [] => "no tag".to_owned(),
        tags => format!("tag {}", tags.join(" or ")),
    };
    field(o, "binds", &format!("{} ({tags})", rule.bound.words));
    supplier(o, rule, policies);
    thing(o, rule);
    let acts: Vec<_> = rule.actions.iter().map(|action| action.words()).collect();
    field(o, "act", &acts.join(", "));
    let softer = rule
        .effect_installed
        .map_or_else(String::new, |e| format!(", {} for what was there", e.as_str()));
    field(
        o,
        "effect",
        &format!("{}{softer}: {}", rule.effect.as_str(), rule.detail),
    );
    if let Some(cap) = &rule.cap {
        field(o, "cap", &format!("{} per cent ({})", cap.percent, cap.metric));
    }
    dates(o, rule);
    for words in &rule.exceptions {
        field(o, "exception", words);
    }
    for exemption in &rule.exempt {
        let until = exemption
            .until
            .map_or_else(String::new, |until| format!(", until {until}"));
        field(
            o,
            "exception",
            &format!("{} (tag {}{until})", exemption.words, exemption.tag),
        );
    }
    for note in &rule.court {
        let on = note.on.map_or_else(String::new, |on| format!(", {on}"));
        field(o, "note", &format!("{} ({}{on})", note.words, note.about));
    }
    for source in &rule.sources {
        let grade = match (source.grade, source.confidence) {
            (Grade::Stored, _) => {
                let (title, url) = (source.title.as_deref(), source.url.as_deref());
                format!(
                    "read in {}, {}",
                    title.unwrap_or_default(),
                    url.unwrap_or_default()
                )
            }
            (Grade::GeneralKnowledge, confidence) => {
                format!(
                    "general knowledge, {}",
                    confidence.map_or("unrated", |c| c.as_str())
                )
            }
        };
        field(o, "source", &format!("{} ({grade})", source.claim));
    }
    field(o, "examples", &format!("{} beside the rule", rule.tests.len()));
    line(
        o,
        &format!(
            "# packs {}; {DISCLAIMER}; nothing after {} was seen",
            policies.version(),
            pack.horizon
        ),
    );
    out
}

fn supplier(o: &mut String, rule: &Rule, policies: &Policies) {
    let matching = &rule.matching;
    let mut words = format!("by {}", matching.mode.as_str().replace('_', " "));
    if let Some(list) = &matching.list {
        let _ = write!(words, ", {list}");
    }
    let names: Vec<_> = matching
        .suppliers
        .iter()
        .map(|id| policies.affiliations().name(id))
        .collect();
    if !names.is_empty() {
        let _ = write!(
            words,
            ": {} ({})",
            names.join(", "),
            matching.affiliates.as_str().replace('_', " ")
        );
    }
    if !matching.named_in_text {
        words.push_str("; a usual reading, the text names nobody");
    }
    field(o, "supplier", &words);
    for criterion in &matching.criteria {
        field(o, "criterion", criterion);
    }
    for entry in policies.list(rule).into_iter().flat_map(|list| &list.entries) {
        let names: Vec<_> = entry
            .suppliers
            .iter()
            .map(|id| policies.affiliations().name(id))
            .collect();
        field(
            o,
            "listed",
            &format!("since {}: {} ({})", entry.from, names.join(", "), entry.words),
        );
    }
}

fn thing(o: &mut String, rule: &Rule) {
    let thing = &rule.thing;
    let segments: Vec<_> = thing.segments.iter().map(|segment| segment.as_str()).collect();
    let mut parts = vec![format!("{} things", thing.state.as_str())];
    let lists = [
        ("in", segments.join(", ")),
        ("of", thing.generations.join(", ")),
        ("class", thing.products.join(", ")),
        ("needs", thing.needs.join(", ")),
        ("for", thing.purposes.join(", ")),
    ];
    for (word, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
        parts.push(format!("{word} {list}"));
    }
    if let Some(level) = thing.level {
        parts.push(format!("level {}", level.as_str()));
    }
    if let Some(condition) = &thing.condition {
        parts.push(condition.clone());
    }
    field(o, "thing", &parts.join("; "));
}

fn dates(o: &mut String, rule: &Rule) {
    let time = &rule.time;
    field(o, "announced", &shown(time.announced));
    let unknown = time
        .unknown
        .as_ref()
        .map_or_else(String::new, |why| format!(" ({why})"));
    field(o, "effective", &format!("{}{unknown}", shown(time.effective)));
    let known =
        |day: Option<PartialDate>| day.map_or_else(String::new, |day| format!(" (known since {day})"));
    if let Some(ends) = time.ends {
        field(o, "ends", &format!("{ends}{}", known(time.ends_announced)));
    }
    if let Some(first) = time.ends_first {
        field(o, "ends as told before", &first.to_string());
    }
    if let Some(pause) = &time.suspended {
        let known = known(pause.announced);
        field(o, "suspended", &format!("{} to {}{known}", pause.from, pause.to));
    }
    for deadline in &time.deadlines {
        field(
            o,
            "date",
            &format!("{} {}: {}", when(deadline), deadline.kind.as_str(), deadline.what),
        );
    }
    if !rule.superseded_by.is_empty() {
        field(o, "replaced by", &rule.superseded_by.join(", "));
    }
}

fn when(deadline: &Deadline) -> String {
    let unverified = if deadline.verified { "" } else { ", not verified" };
    match (deadline.date, &deadline.relative) {
        (Some(date), _) => format!("{date}{unverified}"),
        (None, Some(relative)) => format!("{relative}{unverified}"),
        (None, None) => "unknown".to_owned(),
    }
}

fn shown(date: Option<PartialDate>) -> String {
    date.map_or_else(|| "unknown".to_owned(), |date| date.to_string())
}

fn field(out: &mut String, name: &str, words: &str) {
    line(out, &format!("  {name:<13} {words}"));
}

/// One line, whatever a pack holds.
fn line(out: &mut String, words: &str) {
    out.extend(
        words
            .chars()
            .map(|c| if c.is_control() && c != '\t' { ' ' } else { c }),
    );
    out.push('\n');
}
