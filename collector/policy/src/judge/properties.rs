//! What holds whatever is asked: the order of rules, the passing of time, rules that bind somebody else.

use super::*;
use crate::built_in::FILES;
use crate::date::PartialDate;
use crate::force::{Force, force};
use crate::pack::{Effect, Pause, Rule, Segment, Status};
use proptest::prelude::*;
use std::sync::LazyLock;
use time::{Date, Duration};

static POLICIES: LazyLock<Policies> = LazyLock::new(|| Policies::built_in().unwrap());

/// Suppliers, jurisdictions, tags and words that occur in the packs.
static SUPPLIERS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let companies = &POLICIES.affiliations().suppliers;
    companies.iter().map(|company| company.id.clone()).collect()
});
static TAGS: LazyLock<Vec<String>> = LazyLock::new(|| {
    POLICIES
        .rules()
        .flat_map(|rule| rule.bound.tags.clone())
        .collect()
});
static CODES: LazyLock<Vec<String>> = LazyLock::new(|| {
    POLICIES
        .packs()
        .iter()
        .map(|pack| pack.code.as_str().to_owned())
        .collect()
});

fn facts() -> impl Strategy<Value = Facts> {
    let segments: Vec<Segment> = Segment::WORDS
        .iter()
        .filter_map(|word| Segment::read(word))
        .collect();
    let who = (
        prop::sample::select(CODES.clone()),
        prop::sample::select(SUPPLIERS.clone()),
        prop::sample::subsequence(TAGS.clone(), 0..=TAGS.len()),
    );
    let what = (
        prop::option::of(prop::sample::select(segments)),
        prop::option::of(prop::sample::select(vec!["4G", "5G", "FTTP", "fixed"])),
        prop::option::of(prop::sample::select(vec!["new", "installed"])),
        prop::option::of(prop::sample::select(vec!["public_safety", "retail"])),
        prop::option::of((0.0..60.0f64, 0.0..40.0f64)),
        prop::option::of(2012..2027i32),
    );
    (who, what).prop_map(
        |((code, supplier, tags), (segment, generation, state, purpose, share, year))| {
            let mut text =
                format!("jurisdiction = {code:?}\nsupplier = {supplier:?}\noperator_tags = {tags:?}\n");
            for (key, word) in [("generation", generation), ("state", state), ("purpose", purpose)] {
                if let Some(word) = word {
                    text.push_str(&format!("{key} = {word:?}\n"));
                }
            }
            if let Some((low, width)) = share {
                text.push_str(&format!("share = [{low:?}, {:?}]\n", low + width));
            }
            if let Some(year) = year {
                text.push_str(&format!("made = \"{year}\"\nacquired = \"{year}\"\n"));
            }
            Facts {
                segment,
                ..toml::from_str(&text).unwrap()
            }
        },
    )
}

fn day() -> impl Strategy<Value = Date> {
    (0..5_500i64).prop_map(|days| time::macros::date!(2016 - 01 - 01) + Duration::days(days))
}

fn ask(policies: &Policies, facts: &Facts, as_of: Date) -> BTreeMap<String, (ResultClass, Option<String>)> {
    let assumed = BTreeMap::new();
    let question = Question {
        as_of,
        as_known: None,
        assumed: &assumed,
        powers: true,
    };
    let verdicts = judge(facts, policies, &question).unwrap().into_iter();
    verdicts
        .map(|(id, verdict)| (id, (verdict.class, verdict.date)))
        .collect()
}

/// The packs with the rules of each in another order, and one rule more that binds somebody else.
fn changed(seed: usize, stranger: bool) -> Policies {
    let texts = FILES.iter().map(|(name, text)| {
        let (head, rules) = text.split_once("\n[[rule]]\n").unwrap_or((text, ""));
        if rules.is_empty() {
            return ((*name).to_owned(), (*text).to_owned());
        }
        let mut rules: Vec<String> = rules.split("\n[[rule]]\n").map(str::to_owned).collect();
        let count = rules.len();
        rules.rotate_left(seed % count);
        if seed % 2 == 1 {
            rules.reverse();
        }
        if stranger {
            let id = name.trim_end_matches(".toml").to_uppercase();
            rules.push(STRANGER.replace("XX", &id));
        }
        (
            (*name).to_owned(),
            format!("{head}\n[[rule]]\n{}", rules.join("\n[[rule]]\n")),
        )
    });
    Policies::from_texts(texts.collect()).unwrap()
}

const STRANGER: &str = r#"id = "XX-STRANGER"
title = "Binds nobody here"
instrument = "Act"
kind = "statute"
authority = "Ministry"
citation = "Act 1"
status = "enacted"
confidence = "high"
bound = { words = "somebody else", tags = ["somebody_else"] }
actions = ["use"]
effect = "prohibited"
detail = "None"
match = { mode = "approval_list" }
thing = { state = "both" }
time = { effective = "2015" }
sources = [{ claim = "Made up", grade = "general_knowledge", confidence = "low" }]
"#;

static SHUFFLED: LazyLock<Vec<Policies>> =
    LazyLock::new(|| (1..5).map(|seed| changed(seed, false)).collect());
static WITH_STRANGER: LazyLock<Policies> = LazyLock::new(|| changed(0, true));

/// A rule that asks for removal.
fn removal() -> impl Strategy<Value = &'static Rule> {
    let removals = POLICIES.rules().filter(|rule| rule.effect == Effect::RemoveBy);
    prop::sample::select(removals.collect::<Vec<_>>())
}

/// An installed thing that meets the rule as far as facts can.
fn meant_by(rule: &Rule) -> Facts {
    let thing = &rule.thing;
    let words = |words: &[String]| crate::facts::Words(words.to_vec());
    let anybody = || "huawei".to_owned();
    let site_tag = |need: &String| need.trim_start_matches("site:").to_owned();
    Facts {
        jurisdiction: Some(rule.jurisdiction.clone().try_into().unwrap()),
        supplier: rule.matching.suppliers.first().cloned().unwrap_or_else(anybody),
        segment: thing.segments.first().copied(),
        generation: words(&thing.generations),
        state: Some(crate::facts::State::Installed),
        purpose: words(&thing.purposes),
        site_tags: Some(crate::facts::Words(
            thing
                .needs
                .iter()
                .map(site_tag)
                .chain(thing.needs.clone())
                .collect(),
        )),
        band: thing.bands.first().cloned(),
        acquired: Some("2016".parse().unwrap()),
        operator_tags: words(&rule.bound.tags),
        ..Facts::default()
    }
}

/// A rule that something ends, pauses or replaces.
fn silenced() -> impl Strategy<Value = &'static Rule> {
    let silenced = POLICIES.rules().filter(|rule| {
        let time = &rule.time;
        time.ends.is_some() || time.suspended.is_some() || !rule.successions.is_empty()
    });
    prop::sample::select(silenced.collect::<Vec<_>>())
}

/// The rule as somebody writes it down who knows nothing of what was announced after that day.
fn written_by(rule: &Rule, known: Date) -> Rule {
    let later = |day: Option<PartialDate>| day.is_some_and(|day| day.first() > known);
    let mut rule = rule.clone();
    if later(rule.time.ends_announced) {
        rule.time.ends = rule.time.ends_first;
        // That it was repealed is what nobody knew.
        if rule.status == Status::Repealed {
            rule.status = Status::Enacted;
        }
    }
    rule.time.suspended = rule.time.suspended.filter(|pause| !later(pause.announced));
    rule.successions.retain(|next| !later(Some(next.announced)));
    rule
}

/// Whether what is written of a rule says that it is over or paused on a day.
fn is_said_to_be_silent(rule: &Rule, day: Date) -> bool {
    let time = &rule.time;
    let paused = |pause: &Pause| pause.from.first() <= day && day <= pause.to.last();
    time.ends.is_some_and(|end| end.last() < day)
        || time.suspended.as_ref().is_some_and(paused)
        || rule.successions.iter().any(|next| next.from <= day)
}

/// How far a removal has come; it never goes back.
fn stage(class: ResultClass) -> Option<u8> {
    match class {
        ResultClass::Future => Some(0),
        ResultClass::Due => Some(1),
        ResultClass::Overdue | ResultClass::Review => Some(2),
        _ => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(192) })]

    #[test]
    fn the_order_of_rules_does_not_matter(facts in facts(), as_of in day(), shuffle in 0..4usize) {
        prop_assert_eq!(ask(&POLICIES, &facts, as_of), ask(&SHUFFLED[shuffle], &facts, as_of));
    }

    #[test]
    fn a_rule_that_binds_somebody_else_changes_nothing_else(facts in facts(), as_of in day()) {
        let mut found = ask(&WITH_STRANGER, &facts, as_of);
        let stranger = format!("{}-STRANGER", facts.jurisdiction.as_ref().unwrap().as_str());
        let class = found.remove(&stranger).map(|(class, _)| class);
        prop_assert_eq!(class, Some(ResultClass::NotBound));
        let mut before = ask(&POLICIES, &facts, as_of);
        // A pack that had nothing but a search without a find now has a rule.
        before.retain(|_, (class, _)| *class != ResultClass::NoRuleKnown);
        prop_assert_eq!(found, before);
    }

    #[test]
    fn a_removal_never_goes_back(rule in removal(), first in day(), wait in 0..3_000i64) {
        let facts = meant_by(rule);
        let at = |day| ask(&POLICIES, &facts, day).remove(&rule.id);
        if let (Some((class, date)), Some((then, then_date))) = (at(first), at(first + Duration::days(wait)))
            && let (Some(now), Some(after)) = (stage(class), stage(then))
        {
            prop_assert!(now <= after, "{}: {class} then {then}", rule.id);
            prop_assert!(now == 0 || date == then_date, "{}: {date:?} then {then_date:?}", rule.id);
        }
    }

    #[test]
    fn what_was_known_earlier_is_part_of_what_is_known(facts in facts(), as_of in day()) {
        let assumed = BTreeMap::new();
        let at = |as_known| {
            let question = Question { as_of, as_known, assumed: &assumed, powers: true };
            judge(&facts, &POLICIES, &question).unwrap()
        };
        let (then, now) = (at(Some(as_of)), at(None));
        for (id, verdict) in &then {
            prop_assert_eq!(Some(verdict), now.get(id), "{}", id);
        }
        let later = now.iter().filter(|(id, _)| !then.contains_key(*id));
        for (id, verdict) in later {
            prop_assert!(matches!(verdict.class, ResultClass::Future | ResultClass::NotBound), "{id} {}", verdict.class);
        }
    }

    #[test]
    fn what_is_silenced_was_announced_by_then(rule in silenced(), as_of in day(), before in 1..3_000i64) {
        let known = as_of - Duration::days(before);
        let (assumed, written) = (BTreeMap::new(), written_by(rule, known));
        let question = |as_of, as_known| Question { as_of, as_known, assumed: &assumed, powers: true };
        let announced = rule.time.announced.is_none_or(|day| day.first() <= known);
        let expected = if announced { force(&written, &question(as_of, None)) } else { Force::Silent };
        prop_assert_eq!(force(rule, &question(as_of, Some(known))), expected, "{}", rule.id);
        let speaks = |day| {
            let verdicts = judge(&meant_by(rule), &POLICIES, &question(day, Some(known))).unwrap();
            verdicts.contains_key(&rule.id)
        };
        if speaks(known) && !speaks(as_of) {
            prop_assert!(is_said_to_be_silent(&written, as_of), "{} on {as_of} as known on {known}", rule.id);
        }
    }

    #[test]
    fn any_text_is_a_fact_or_an_error(supplier in ".*", band in ".*", tags in prop::collection::vec(".*", 0..4)) {
        let facts = Facts {
            jurisdiction: Some("US".to_owned().try_into().unwrap()),
            supplier,
            band: Some(band.into()),
            kind: tags.first().cloned(),
            site_tags: Some(crate::facts::Words(tags.clone())),
            operator_tags: crate::facts::Words(tags),
            ..Facts::default()
        };
        let question = Question::on(time::macros::date!(2026 - 11 - 23));
        let known = POLICIES.affiliations().company(&facts.supplier).is_some();
        prop_assert_eq!(judge(&facts, &POLICIES, &question).is_ok(), known);
        let real = Facts { supplier: "huawei".to_owned(), ..facts };
        prop_assert!(judge(&real, &POLICIES, &question).is_ok());
    }

    #[test]
    fn a_partial_date_and_a_span_never_panic(text in ".{0,12}", year in 0..10_000i32, count in any::<u16>()) {
        let _ = text.parse::<PartialDate>();
        let date: PartialDate = format!("{year:04}").parse().unwrap();
        let span = crate::date::Span::Years(count);
        if let Some(later) = date.plus(span) {
            prop_assert!(later.first() >= date.first());
        }
    }
}
