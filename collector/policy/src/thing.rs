//! Which thing: part of the network, generation, depth, class, band, purpose, dates.
//!
//! Invariant: what is told decides; what nobody told keeps the answer open, and a
//! word that a rule does not know does not meet it.

use crate::date::PartialDate;
use crate::facts::Band;
use crate::pack::{DateOf, DateTest, Level, Rule, Segment, State};
use crate::part::{Depth, Part, Presence};
use crate::question::Question;
use crate::scope::{Answer, Holds, declared};
use model::{ComponentClass, Place, Role};

/// One thing at one place, as a rule asks about it.
#[derive(Clone, Copy)]
struct Thing<'a> {
    rule: &'a Rule,
    place: &'a Place,
    part: &'a Part,
    /// Label of a component, bounded; `None` is the unit.
    label: Option<&'a str>,
}

/// Whether the thing is one the rule speaks about. `listed` is the supplier it is met through,
/// `label` what a component may be called in the answer.
#[must_use]
pub fn thing(
    rule: &Rule,
    place: &Place,
    part: &Part,
    label: Option<&str>,
    listed: &str,
    question: &Question<'_>,
) -> Answer {
    let mut answer = Answer::new();
    let thing = Thing {
        rule,
        place,
        part,
        label,
    };
    thing.segment(&mut answer);
    thing.generation(&mut answer);
    thing.level(&mut answer);
    thing.kind(&mut answer);
    thing.products(&mut answer);
    thing.band(&mut answer);
    thing.data_rate(&mut answer);
    for fact in &rule.thing.needs {
        let holds = thing.declared(fact);
        let words = match holds {
            Holds::Yes => format!("Thing: you declared {fact}"),
            Holds::No => format!("Thing: you declared that {fact} does not hold"),
            Holds::Unknown => format!("Thing: the rule turns on {fact}; declare tag {fact} or not:{fact}"),
        };
        answer.and(holds, words);
    }
    if !rule.thing.manages.is_empty() {
        thing.manages(&mut answer);
    }
    let limited = &rule.thing.purpose_suppliers;
    if !rule.thing.purposes.is_empty() && (limited.is_empty() || limited.iter().any(|id| id == listed)) {
        thing.purpose(&mut answer);
    }
    thing.dates(question, &mut answer);
    for exemption in &rule.exempt {
        let shown = exemption.shown_by.as_ref().and_then(|test| {
            let told = part.told.day(test.of, part.acquired)?;
            Some(within(test, Some(told)))
        });
        let declared = place.tags.contains(&exemption.tag);
        if !declared && shown == Some(Holds::Unknown) {
            let words = format!(
                "Thing: whether an exception holds turns on a more exact day ({})",
                exemption.words
            );
            answer.and(Holds::Unknown, words);
        }
        let claimed = if declared {
            format!("you declared {}", exemption.tag)
        } else if shown == Some(Holds::Yes) {
            "the day that is told shows an exception".to_owned()
        } else {
            continue;
        };
        let over = exemption.until.is_some_and(|until| until.last() < question.as_of);
        let words = format!("Thing: {claimed} ({})", exemption.words);
        match exemption.until {
            Some(until) if over => answer.and(Holds::Yes, format!("{words}, which ended on {until}")),
            _ => answer.and(Holds::No, words),
        }
    }
    answer
}

impl Thing<'_> {
    fn segment(&self, answer: &mut Answer) {
        let (rule, place) = (self.rule, self.place);
        let segments = &rule.thing.segments;
        let all = Role::ALL
            .iter()
            .all(|&role| segments.iter().any(|s| s.as_str() == role.as_str()));
        let no_role = self
            .part
            .told
            .segment
            .is_some_and(|told| !segments.contains(&told));
        // A class of product is that class wherever it stands.
        let product = self
            .part
            .told
            .kind
            .as_ref()
            .is_some_and(|kind| self.is_product(kind));
        if segments.is_empty() || (all && !no_role) || product {
            return;
        }
        let list = words_of(segments);
        let reachable = Role::ALL
            .iter()
            .any(|&role| segments.iter().any(|s| s.as_str() == role.as_str()));
        let told = self.part.told.segment.map(Segment::as_str);
        match told.or(place.role.map(Role::as_str)) {
            Some(role) if segments.iter().any(|s| s.as_str() == role) => {
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

    fn generation(&self, answer: &mut Answer) {
        let (rule, place) = (self.rule, self.place);
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

    fn level(&self, answer: &mut Answer) {
        if self.rule.thing.state == State::None && self.rule.thing.level.is_none() {
            // A list or a rule about exports speaks of firms, at whatever depth their goods are found.
            return;
        }
        if let Some(depth) = self.part.told.depth {
            return self.told_level(depth, answer);
        }
        match (self.rule.thing.level, self.label) {
            (None, None) => {}
            (None, Some(label)) if is_equipment(self.part.class) => answer.and(
                Holds::Yes,
                format!("Thing: the rule says equipment without a depth; {label} can be ordered and replaced by itself and is read as equipment"),
            ),
            (None, Some(label)) => answer.and(
                Holds::Unknown,
                format!("Thing: the rule says equipment; whether {label} is equipment by itself is not settled"),
            ),
            (Some(level), None) => self.unit_level(level, answer),
            (Some(level), Some(label)) => answer.and(
                Holds::Unknown,
                format!("Thing: the rule reaches the level {}; whether {label} is one must be judged", level.as_str()),
            ),
        }
    }

    /// A level that is told, against the level of the rule; what only judgement can tell stays open.
    fn told_level(&self, depth: Depth, answer: &mut Answer) {
        use Level as L;
        let Some(level) = self.rule.thing.level else {
            let (part, kind) = match depth {
                Depth::Chip | Depth::Named(L::Semiconductor) => ("a chip", "hardware"),
                Depth::Software | Depth::Named(L::IntegratedSoftware) => {
                    ("software inside a product", "software")
                }
                _ => return,
            };
            let kinds = self.rule.thing.kind.as_deref();
            let meant = |kinds: &str| kinds.split("_and_").any(|one| one == kind);
            let holds = match kinds {
                // What is bought as software is meant wherever it runs; a chip may still be too deep.
                Some(kinds) if meant(kinds) && kind == "software" => Holds::Yes,
                Some(kinds) if !meant(kinds) => Holds::No,
                _ => Holds::Unknown,
            };
            return answer.and(holds, format!("Thing: the rule states no depth; this is {part}"));
        };
        let word = level.as_str();
        let holds = match (level, depth) {
            (_, Depth::Named(told)) if told == level => Holds::Yes,
            (_, Depth::Whole) => return self.unit_level(level, answer),
            (L::EndProduct, Depth::Named(L::CriticalComponent | L::EssentialComponent)) => Holds::Unknown,
            (L::EndProduct, _) => Holds::No,
            (L::ComponentPart, _)
            | (L::Semiconductor, Depth::Chip)
            | (L::IntegratedSoftware, Depth::Software) => Holds::Yes,
            _ => Holds::Unknown,
        };
        let words = match holds {
            Holds::Yes => format!("Thing: the rule reaches the level {word}, and this is one"),
            Holds::No => format!("Thing: the rule is for the level {word}; parts are treated otherwise"),
            Holds::Unknown => {
                format!("Thing: the rule reaches the level {word}; whether this is one must be judged")
            }
        };
        answer.and(holds, words);
    }

    fn unit_level(&self, level: Level, answer: &mut Answer) {
        let (rule, place) = (self.rule, self.place);
        let word = level.as_str();
        let by_tag = matches!(level, Level::CriticalComponent | Level::EssentialComponent);
        match self.declared(word) {
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
                    format!(
                        "Thing: presumed {word} in this role by the pack; declare not:{word} if it is none"
                    ),
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

    fn manages(&self, answer: &mut Answer) {
        let (rule, place) = (self.rule, self.place);
        let list = words_of(&rule.thing.manages);
        let mut served = place
            .tags
            .iter()
            .filter_map(|tag| tag.strip_prefix("manages:"))
            .peekable();
        if served.peek().is_none() {
            answer.presumed = true;
            let words = format!(
                "Thing: the rule is for what manages {list}, which is presumed; declare a tag such as manages:core if it is something else"
            );
            answer.and(Holds::Yes, words);
        } else if let Some(one) =
            served.find(|served| rule.thing.manages.iter().any(|s| s.as_str() == *served))
        {
            answer.and(
                Holds::Yes,
                format!("Thing: it manages {one}, which is among {list}"),
            );
        } else {
            answer.and(Holds::No, format!("Thing: the rule is for what manages {list}"));
        }
    }

    fn purpose(&self, answer: &mut Answer) {
        let (rule, place) = (self.rule, self.place);
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

    fn kind(&self, answer: &mut Answer) {
        let (Some(wanted), Some(kind)) = (&self.rule.thing.kind, &self.part.told.kind) else {
            return;
        };
        // A word that is a class of product says nothing about hardware or software.
        if !matches!(kind.as_str(), "hardware" | "software" | "service") && self.is_product(kind) {
            return;
        }
        let meant = wanted.split("_and_").any(|one| one == kind);
        answer.and(
            if meant { Holds::Yes } else { Holds::No },
            format!(
                "Thing: the rule is for {}; told kind {}",
                wanted.replace('_', " "),
                bounded(kind)
            ),
        );
    }

    fn is_product(&self, kind: &str) -> bool {
        self.rule.thing.products.iter().any(|product| product == kind)
    }

    fn products(&self, answer: &mut Answer) {
        let products = &self.rule.thing.products;
        if products.is_empty() {
            return;
        }
        let list = products.join(", ");
        match &self.part.told.kind {
            Some(kind) => answer.and(
                if self.is_product(kind) {
                    Holds::Yes
                } else {
                    Holds::No
                },
                format!("Thing: the rule is for {list}; told kind {}", bounded(kind)),
            ),
            None => {
                let told: Vec<_> = products.iter().map(|product| self.declared(product)).collect();
                let holds = if told.contains(&Holds::Yes) {
                    Holds::Yes
                } else if told.iter().all(|&holds| holds == Holds::No) {
                    Holds::No
                } else {
                    Holds::Unknown
                };
                let words = match holds {
                    Holds::Yes => format!("Thing: you declared one of {list}"),
                    Holds::No => format!("Thing: you declared that it is none of {list}"),
                    Holds::Unknown => {
                        format!("Thing: the rule is for {list}; declare tag {list} or not: before it")
                    }
                };
                answer.and(holds, words);
            }
        }
    }

    fn band(&self, answer: &mut Answer) {
        let bands = &self.rule.thing.bands;
        if bands.is_empty() {
            return;
        }
        let list = bands.iter().map(Band::name).collect::<Vec<_>>().join(", ");
        let tags = self.place.tags.iter().filter_map(|tag| tag.strip_prefix("band:"));
        let told: Vec<Band> = tags
            .map(|band| Band::from(band.to_owned()))
            .chain(self.part.told.band.clone())
            .collect();
        let holds = if told.is_empty() {
            Holds::Unknown
        } else if told.iter().any(|have| bands.iter().any(|want| want.is(have))) {
            Holds::Yes
        } else {
            Holds::No
        };
        let words = match holds {
            Holds::Unknown => {
                format!("Thing: the rule is for the bands {list}; declare a tag such as band:{list}")
            }
            _ => format!("Thing: the rule is for the bands {list}; the band is told"),
        };
        answer.and(holds, words);
    }

    fn data_rate(&self, answer: &mut Answer) {
        let Some(least) = self.rule.thing.min_data_rate_gbps else {
            return;
        };
        let holds = self
            .part
            .told
            .data_rate_gbps
            .map_or(Holds::Unknown, |rate| compare(rate >= least, rate < least));
        answer.and(holds, format!("Thing: the rule is for {least} Gbit/s and more"));
    }

    fn dates(&self, question: &Question<'_>, answer: &mut Answer) {
        for test in &self.rule.thing.dates {
            let new = self.part.told.presence == Some(Presence::New) && test.of != DateOf::Made;
            let told = self.part.told.day(test.of, self.part.acquired);
            let day = told.or(new.then(|| question.as_of.into()));
            let of = test.of.as_str();
            let shown = day.map_or_else(
                || format!("its own day of being {of} is not declared"),
                |day| format!("{of} {day}"),
            );
            for (limit, until) in limits(test) {
                let which = if until { "on or before" } else { "after" };
                answer.and(
                    within_limit(day, limit, until),
                    format!("Thing: only what was {of} {which} {limit} ({shown})"),
                );
            }
        }
    }

    /// Whether a fact is told of the site, of the place, or of neither.
    fn declared(&self, fact: &str) -> Holds {
        let of_place = declared(self.place, fact);
        match (&self.part.told.site_tags, fact.strip_prefix("site:")) {
            (Some(tags), Some(name)) if of_place == Holds::Unknown => {
                if tags.contains(name) {
                    Holds::Yes
                } else {
                    Holds::No
                }
            }
            _ => of_place,
        }
    }
}

/// The ends of a test, each with whether it is the last day.
fn limits(test: &DateTest) -> impl Iterator<Item = (PartialDate, bool)> {
    let ends = [(test.until, true), (test.after, false)].into_iter();
    ends.filter_map(|(limit, until)| Some((limit?, until)))
}

fn within_limit(day: Option<PartialDate>, limit: PartialDate, until: bool) -> Holds {
    day.map_or(Holds::Unknown, |day| {
        let (before, past) = (day.last() <= limit.last(), day.first() > limit.last());
        if until {
            compare(before, past)
        } else {
            compare(past, before)
        }
    })
}

/// Whether a day meets every end of a test.
fn within(test: &DateTest, day: Option<PartialDate>) -> Holds {
    let mut answer = Answer::new();
    for (limit, until) in limits(test) {
        answer.and(within_limit(day, limit, until), String::new());
    }
    answer.holds
}

fn compare(yes: bool, no: bool) -> Holds {
    match (yes, no) {
        (true, _) => Holds::Yes,
        (_, true) => Holds::No,
        _ => Holds::Unknown,
    }
}

fn bounded(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(60).collect()
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
