//! Who is bound, and which thing: what the operator declares against what a rule asks.
//!
//! Invariant: a fact about the thing that nobody declared makes the answer unknown,
//! never no. Who is bound is asked otherwise: a rule binds whoever declares its
//! tag and nobody else, so that an operator is not asked about every law there is.
//! That answer rests on nothing where the operator declares no tag of the pack at
//! all; [`Policies::undeclared`](crate::Policies::undeclared) tells where, and
//! [`standing`](crate::standing) calls nothing clear there.
//!
//! Tags of a place that settle an answer:
//!
//! | Tag | Settles |
//! |---|---|
//! | the tags of [`Bound`](crate::pack::Bound), e.g. `de_contract_operator` | who is bound |
//! | `critical_component`, `essential_component` | the level of the whole unit |
//! | `site:government_sensitive_site`, `central_function`, … | a fact a rule needs |
//! | `not:` before any of these, e.g. `not:critical_component` | that it does not hold |
//! | `purpose:public_safety`, `purpose:other`, … | purpose limits |
//! | `manages:ran`, `manages:transport`, … | which network a management system serves |
//! | `evolves_to:5G` | that an older network grows into a newer one |
//! | `approved:RULE` or `approved:RULE:2030-06-30` | that an approval is on file, and until when |

use crate::date::PartialDate;
use crate::pack::{Level, Rule, Segment};
use model::{ComponentClass, Place, Role};

/// The answer to one question, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The answer.
    pub holds: Holds,
    /// Why, one sentence each.
    pub words: Vec<String>,
    /// Whether it rests on a presumption of the pack.
    pub presumed: bool,
}

/// Yes, no, or nobody has declared it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// It does.
    Yes,
    /// It does not.
    No,
    /// Nobody has declared it.
    Unknown,
}

impl Answer {
    fn new() -> Self {
        Self {
            holds: Holds::Yes,
            words: Vec::new(),
            presumed: false,
        }
    }

    /// Adds one more condition: a single no wins, then a single unknown.
    fn and(&mut self, holds: Holds, words: String) {
        self.holds = match (self.holds, holds) {
            (Holds::No, _) | (_, Holds::No) => Holds::No,
            (Holds::Unknown, _) | (_, Holds::Unknown) => Holds::Unknown,
            _ => Holds::Yes,
        };
        self.words.push(words);
    }
}

/// Whether the rule binds the operator of this place.
#[must_use]
pub fn bound(rule: &Rule, place: &Place) -> Answer {
    let mut answer = Answer::new();
    if rule.bound.tags.is_empty() && rule.bound.words == "nobody" {
        answer.and(Holds::Yes, "Bound: nobody".to_owned());
    } else if rule.bound.tags.is_empty() {
        answer.and(
            Holds::Yes,
            format!("Bound: addressed to nobody in particular ({})", rule.bound.words),
        );
    } else if let Some(tag) = rule.bound.tags.iter().find(|tag| place.tags.contains(*tag)) {
        answer.and(
            Holds::Yes,
            format!("Bound: you declared tag {tag} ({})", rule.bound.words),
        );
    } else {
        let (denied, open): (Vec<&str>, Vec<&str>) = rule
            .bound
            .tags
            .iter()
            .map(String::as_str)
            .partition(|tag| declared(place, tag) == Holds::No);
        let mut words = format!("Bound: it binds {}", rule.bound.words);
        if !denied.is_empty() {
            words.push_str(&format!("; you declared not:{}", denied.join(", not:")));
        }
        if !open.is_empty() {
            words.push_str(&format!("; if that is you, declare tag {}", open.join(" or ")));
        }
        answer.and(Holds::No, words);
    }
    answer
}

/// What is asked about: the unit, or one of its parts.
#[derive(Debug, Clone, Copy)]
pub struct Depth<'a> {
    /// Class and label of a component; `None` is the unit.
    pub component: Option<(Option<ComponentClass>, &'a str)>,
}

/// Whether the thing is one the rule speaks about.
#[must_use]
pub fn thing(
    rule: &Rule,
    place: &Place,
    depth: Depth<'_>,
    listed: &str,
    acquired: Option<PartialDate>,
) -> Answer {
    let mut answer = Answer::new();
    segment(rule, place, &mut answer);
    generation(rule, place, &mut answer);
    level(rule, place, depth, &mut answer);
    for fact in &rule.thing.needs {
        let holds = declared(place, fact);
        let words = match holds {
            Holds::Yes => format!("Thing: you declared {fact}"),
            Holds::No => format!("Thing: you declared not:{fact}"),
            Holds::Unknown => format!("Thing: the rule turns on {fact}; declare tag {fact} or not:{fact}"),
        };
        answer.and(holds, words);
    }
    if !rule.thing.manages.is_empty() {
        manages(rule, place, &mut answer);
    }
    let limited = &rule.thing.purpose_suppliers;
    if !rule.thing.purposes.is_empty() && (limited.is_empty() || limited.iter().any(|id| id == listed)) {
        purpose(rule, place, &mut answer);
    }
    acquisition(rule, acquired, &mut answer);
    answer
}

fn segment(rule: &Rule, place: &Place, answer: &mut Answer) {
    let segments = &rule.thing.segments;
    let all = Role::ALL
        .iter()
        .all(|&role| segments.iter().any(|s| s.as_str() == role.as_str()));
    if segments.is_empty() || all {
        return;
    }
    let list = words_of(segments);
    let reachable = Role::ALL
        .iter()
        .any(|&role| segments.iter().any(|s| s.as_str() == role.as_str()));
    match place.role {
        Some(role) if segments.iter().any(|s| s.as_str() == role.as_str()) => {
            answer.and(Holds::Yes, format!("Thing: role {role} (the rule is for {list})"));
        }
        None if reachable => {
            answer.and(
                Holds::Unknown,
                format!("Thing: the rule is for {list}; declare the role of the element"),
            );
        }
        _ => answer.and(Holds::No, format!("Thing: the rule is for {list}")),
    }
}

fn generation(rule: &Rule, place: &Place, answer: &mut Answer) {
    let wanted = &rule.thing.generations;
    if wanted.is_empty() {
        return;
    }
    let list = wanted.join(", ");
    let meets = |have: &str| wanted.iter().any(|want| want.eq_ignore_ascii_case(have));
    let evolves = place
        .tags
        .iter()
        .filter_map(|tag| tag.strip_prefix("evolves_to:"))
        .any(meets);
    if let Some(have) = place.generations.iter().find(|have| meets(have)) {
        answer.and(
            Holds::Yes,
            format!("Thing: generation {have} (the rule is for {list})"),
        );
    } else if place.generations.is_empty() {
        answer.and(
            Holds::Unknown,
            format!("Thing: the rule is for {list}; declare the generations of the element"),
        );
    } else if rule.thing.covers_evolution && evolves {
        answer.and(
            Holds::Unknown,
            format!(
                "Thing: the rule reaches networks on their way to {list}, and where it begins is not settled"
            ),
        );
    } else {
        answer.and(Holds::No, format!("Thing: the rule is for {list}"));
    }
}

fn level(rule: &Rule, place: &Place, depth: Depth<'_>, answer: &mut Answer) {
    match (rule.thing.level, depth.component) {
        (None, None) => {}
        (None, Some((class, label))) if is_equipment(class) => answer.and(
            Holds::Yes,
            format!("Thing: the rule says equipment without a depth; {label} can be ordered and replaced by itself and is read as equipment"),
        ),
        (None, Some((_, label))) => answer.and(
            Holds::Unknown,
            format!("Thing: the rule says equipment; whether {label} is equipment by itself is not settled"),
        ),
        (Some(level), None) => unit_level(rule, place, level, answer),
        (Some(level), Some((_, label))) => answer.and(
            Holds::Unknown,
            format!("Thing: the rule reaches the level {}; whether {label} is one must be judged", level.as_str()),
        ),
    }
}

fn unit_level(rule: &Rule, place: &Place, level: Level, answer: &mut Answer) {
    let word = level.as_str();
    let by_tag = matches!(level, Level::CriticalComponent | Level::EssentialComponent);
    match declared(place, word) {
        Holds::Yes => answer.and(Holds::Yes, format!("Thing: you declared {word}")),
        Holds::No => answer.and(Holds::No, format!("Thing: you declared not:{word}")),
        Holds::Unknown if level == Level::EndProduct => {
            answer.and(Holds::Yes, "Thing: a whole unit is an end product".to_owned());
        }
        Holds::Unknown if level == Level::EssentialComponent => {
            answer.and(
                Holds::Yes,
                "Thing: a whole unit counts without asking for its parts".to_owned(),
            );
        }
        Holds::Unknown
            if place
                .role
                .is_some_and(|r| rule.thing.presumed_in.iter().any(|s| s.as_str() == r.as_str())) =>
        {
            answer.presumed = true;
            answer.and(
                Holds::Yes,
                format!("Thing: presumed {word} in this role by the pack; declare not:{word} if it is none"),
            );
        }
        Holds::Unknown if by_tag => {
            answer.and(
                Holds::Unknown,
                format!("Thing: the rule is for {word}; declare tag {word} or not:{word}"),
            );
        }
        Holds::Unknown => {
            answer.and(
                Holds::Unknown,
                format!("Thing: the rule reaches the level {word}; a whole unit is not that level"),
            );
        }
    }
}

fn manages(rule: &Rule, place: &Place, answer: &mut Answer) {
    let list = words_of(&rule.thing.manages);
    let mut served = place
        .tags
        .iter()
        .filter_map(|tag| tag.strip_prefix("manages:"))
        .peekable();
    if served.peek().is_none() {
        let words =
            format!("Thing: the rule is for what manages {list}; declare a tag such as manages:transport");
        answer.and(Holds::Unknown, words);
    } else if let Some(one) = served.find(|served| rule.thing.manages.iter().any(|s| s.as_str() == *served)) {
        answer.and(
            Holds::Yes,
            format!("Thing: it manages {one}, which is among {list}"),
        );
    } else {
        answer.and(Holds::No, format!("Thing: the rule is for what manages {list}"));
    }
}

fn purpose(rule: &Rule, place: &Place, answer: &mut Answer) {
    let list = rule.thing.purposes.join(", ");
    let mut purposes = place
        .tags
        .iter()
        .filter_map(|tag| tag.strip_prefix("purpose:"))
        .peekable();
    if purposes.peek().is_none() {
        let words = format!(
            "Thing: for this supplier the rule is limited to a purpose ({list}); declare a tag such as purpose:other"
        );
        answer.and(Holds::Unknown, words);
    } else if let Some(one) = purposes.find(|have| rule.thing.purposes.iter().any(|want| want == have)) {
        answer.and(Holds::Yes, format!("Thing: purpose {one} is among {list}"));
    } else {
        answer.and(
            Holds::No,
            format!("Thing: the rule is limited to the purposes {list}"),
        );
    }
}

fn acquisition(rule: &Rule, acquired: Option<PartialDate>, answer: &mut Answer) {
    if let Some(limit) = rule.thing.acquired_until {
        let holds = acquired.map_or(Holds::Unknown, |day| {
            compare(day.last() <= limit.last(), day.first() > limit.last())
        });
        answer.and(
            holds,
            format!(
                "Thing: only what was acquired on or before {limit} ({})",
                shown(acquired)
            ),
        );
    }
    if let Some(limit) = rule.thing.acquired_after {
        let holds = acquired.map_or(Holds::Unknown, |day| {
            compare(day.first() > limit.last(), day.last() <= limit.last())
        });
        answer.and(
            holds,
            format!(
                "Thing: only what was acquired after {limit} ({})",
                shown(acquired)
            ),
        );
    }
}

fn compare(yes: bool, no: bool) -> Holds {
    match (yes, no) {
        (true, _) => Holds::Yes,
        (_, true) => Holds::No,
        _ => Holds::Unknown,
    }
}

fn shown(acquired: Option<PartialDate>) -> String {
    acquired.map_or_else(
        || "its own day of acquisition is not declared".to_owned(),
        |day| format!("acquired {day}"),
    )
}

/// Whether a place bears `fact`, bears `not:fact`, or neither.
fn declared(place: &Place, fact: &str) -> Holds {
    if place.tags.contains(fact) {
        Holds::Yes
    } else if place
        .tags
        .iter()
        .any(|tag| tag.strip_prefix("not:") == Some(fact))
    {
        Holds::No
    } else {
        Holds::Unknown
    }
}

/// Boards, optics and the like; not what only holds, feeds or cools them, nor a chip on a board.
fn is_equipment(class: Option<ComponentClass>) -> bool {
    use ComponentClass as C;
    !matches!(
        class,
        Some(
            C::PowerSupply
                | C::Fan
                | C::Sensor
                | C::Container
                | C::Backplane
                | C::Battery
                | C::EnergyObject
                | C::StorageDrive
                | C::Cpu
        )
    )
}

fn words_of(segments: &[Segment]) -> String {
    segments.iter().map(|s| s.as_str()).collect::<Vec<_>>().join(", ")
}
