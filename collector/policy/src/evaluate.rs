//! Claims and policies to rule results: every rule that could speak, on every part.
//!
//! Invariants: pure and total; no clock, no lookup outside its arguments. A unit
//! whose maker is not known gets no result, which is not a pass: see [`standing`].
//! A component repeats no rule that the unit already meets through the same
//! listed supplier.

use crate::affiliation::Link;
use crate::date::PartialDate;
use crate::force::{Force, force};
use crate::pack::{Affiliates, Effect, Grade, Mode, Pack, Rule, Status};
use crate::part::Part;
use crate::policies::Policies;
use crate::question::Question;
use crate::rule::{Outcome, outcome, severity};
use crate::scope::{Holds, bound};
use crate::supplier::Test;
use crate::thing::thing;
use model::{Attribution, Place, ResultClass, RuleResult, Severity};

/// What is judged: a place and what was found there.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    /// The place and what the operator declares about it.
    pub place: &'a Place,
    /// The unit and its components.
    pub parts: &'a [Part],
}

/// What a unit meets: rule, listed supplier, class, and the day it was acquired.
type Met<'r> = (&'r str, &'r str, ResultClass, Option<PartialDate>);

/// Which results of one situation add something, asked in order: the unit's first, then part by part.
#[derive(Debug, Default)]
pub(crate) struct Adding<'r> {
    by_unit: Vec<Met<'r>>,
    of_part: Vec<&'r str>,
}

impl<'r> Adding<'r> {
    /// Goes on to the next part.
    pub(crate) fn next_part(&mut self) {
        self.of_part.clear();
    }

    /// Whether a result says more than those before it: a part is told once of a rule, and a component
    /// only what the unit does not meet already.
    pub(crate) fn adds(&mut self, part: &Part, rule: &'r str, supplier: &'r str, class: ResultClass) -> bool {
        if self.of_part.contains(&rule) {
            return false;
        }
        if part.component.is_some() {
            let mut met = self.by_unit.iter().rev();
            let met = met.find(|met| met.0 == rule && met.1 == supplier);
            if met.is_some_and(|met| met.3 == part.acquired || class >= met.2) {
                return false;
            }
        } else {
            self.by_unit.push((rule, supplier, class, part.acquired));
        }
        self.of_part.push(rule);
        true
    }
}

/// Below this confidence a result is an open question, whatever its class.
pub(crate) const WEAK: f64 = 0.5;

/// Longest label quoted, in characters.
const LABEL_CHARS: usize = 80;

/// Everything the policies say about the situation on the day asked about, most urgent first.
#[must_use]
pub fn evaluate(situation: &Situation<'_>, policies: &Policies, question: &Question<'_>) -> Vec<RuleResult> {
    let place = situation.place;
    let mut results = nothing_known(place, policies);
    for code in &place.jurisdictions {
        let parts: Vec<(&Part, Vec<RuleResult>)> = unit_first(situation.parts)
            .map(|part| (part, judge_part(code, place, part, policies, question, |_| true)))
            .collect();
        let mut adding = Adding::default();
        let mut kept = Vec::new();
        for (part, judged) in &parts {
            adding.next_part();
            let adds = judged
                .iter()
                .map(|result| adding.adds(part, &result.rule, &result.supplier, result.class));
            kept.extend(adds);
        }
        let judged = parts.into_iter().flat_map(|(_, judged)| judged).zip(kept);
        results.extend(judged.filter(|(_, adds)| *adds).map(|(result, _)| result));
    }
    results.sort_by(|a, b| {
        (a.class, &a.rule, &a.component, &a.supplier).cmp(&(b.class, &b.rule, &b.component, &b.supplier))
    });
    results
}

/// Where at a place no rule is known at all, whatever stands there.
pub(crate) fn nothing_known(place: &Place, policies: &Policies) -> Vec<RuleResult> {
    if place.jurisdictions.is_empty() {
        return vec![no_pack("", policies)];
    }
    let of = |code: &String| match policies.pack(code) {
        Some(pack) => none_found(pack, policies),
        None => Some(no_pack(code, policies)),
    };
    place.jurisdictions.iter().filter_map(of).collect()
}

/// The unit, then its components.
pub(crate) fn unit_first(parts: &[Part]) -> impl Iterator<Item = &Part> {
    let of = |unit: bool| parts.iter().filter(move |part| part.component.is_none() == unit);
    of(true).chain(of(false))
}

/// What every candidate rule that is heard says of one part by its maker and then by its brand, whatever else is
/// said of it.
pub(crate) fn judge_part(
    code: &str,
    place: &Place,
    part: &Part,
    policies: &Policies,
    question: &Question<'_>,
    hears: impl Fn(&Rule) -> bool,
) -> Vec<RuleResult> {
    let view = View {
        place,
        part,
        policies,
        question,
    };
    view.judge(code, hears)
}

fn no_pack(code: &str, policies: &Policies) -> RuleResult {
    let (rule, words) = if code.is_empty() {
        (
            "NO-JURISDICTION".to_owned(),
            "The site names no jurisdiction".to_owned(),
        )
    } else {
        (
            format!("{code}-NO-PACK"),
            format!("No rules for {code} are loaded"),
        )
    };
    RuleResult {
        rule,
        jurisdiction: code.to_owned(),
        title: words.clone(),
        citation: String::new(),
        component: None,
        supplier: String::new(),
        class: ResultClass::NoRuleKnown,
        severity: Severity::Indeterminate,
        deadline: None,
        confidence: 1.0,
        explanation: vec![format!(
            "{words}; that is not the same as no restriction (packs {})",
            policies.version()
        )],
    }
}

/// Where rules were looked for and none was found: said once, for it is no clearance.
fn none_found(pack: &Pack, policies: &Policies) -> Option<RuleResult> {
    let empty = |rule: &Rule| matches!(rule.status, Status::NoneFound | Status::Unproven);
    if !pack.rules.iter().all(empty) {
        return None;
    }
    let words = format!(
        "Looked for an instrument of {} that restricts suppliers and found none; that is not the same as no restriction",
        pack.name
    );
    let (rule, citation) = match pack.rules.first() {
        Some(rule) => (rule.id.clone(), rule.citation.clone()),
        None => (format!("{}-NO-RULE", pack.code.as_str()), String::new()),
    };
    let mut explanation = vec![words];
    explanation.extend(pack.rules.iter().map(|rule| {
        format!(
            "Rule {} records: {}; {} ({})",
            rule.id, rule.title, rule.detail, rule.citation
        )
    }));
    explanation.push(format!(
        "Evidence: nothing after {} was seen (packs {})",
        pack.horizon,
        policies.version()
    ));
    Some(RuleResult {
        rule,
        jurisdiction: pack.code.as_str().to_owned(),
        title: format!("No rule of {} is known", pack.name),
        citation,
        component: None,
        supplier: String::new(),
        class: ResultClass::NoRuleKnown,
        severity: Severity::Indeterminate,
        deadline: None,
        confidence: 1.0,
        explanation,
    })
}

/// One part at one place on one day.
#[derive(Clone, Copy)]
struct View<'a> {
    place: &'a Place,
    part: &'a Part,
    policies: &'a Policies,
    question: &'a Question<'a>,
}

/// Which name of the part led to the supplier.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Via {
    /// The maker.
    Maker,
    /// The brand, as far as the maker is not known.
    BrandAlone,
    /// The brand, beside a known maker of another name.
    BrandBeside,
}

impl<'a> View<'a> {
    fn judge(&self, code: &str, hears: impl Fn(&Rule) -> bool) -> Vec<RuleResult> {
        let (maker, brand) = (self.part.maker.as_ref(), self.part.brand.as_ref());
        let brand = brand.filter(|b| maker.is_none_or(|m| m.supplier.id != b.supplier.id));
        let via = if maker.is_some() {
            Via::BrandBeside
        } else {
            Via::BrandAlone
        };
        let names = [(maker, Via::Maker), (brand, via)];
        let mut found = Vec::new();
        for (attribution, via) in names.into_iter().filter_map(|(a, via)| Some((a?, via))) {
            let any_maker = via == Via::Maker && self.part.component.is_none();
            let rules = self
                .policies
                .candidates(code, &attribution.supplier.id, any_maker, self.question);
            let heard = rules.filter(|rule| hears(rule));
            found.extend(heard.filter_map(|rule| self.apply(rule, attribution, via)));
        }
        found
    }

    fn apply(&self, rule: &Rule, attribution: &Attribution, via: Via) -> Option<RuleResult> {
        let mut force = force(rule, self.question);
        if force == Force::Silent {
            return None;
        }
        let assumed = self.question.assumed(&rule.id).is_some();
        let nobody = self.policies.names_nobody(rule) && !assumed;
        let of_all = rule.matching.mode == Mode::NoneNamed;
        if nobody && !of_all && !self.policies.is_of_concern(&attribution.supplier.id) {
            return None;
        }
        let test = Test {
            rule,
            place: self.place,
            part: self.part,
            policies: self.policies,
            question: self.question,
        };
        let link = test.link(&attribution.supplier.id)?;
        if let (Force::Holds, Some(from)) = (force, link.from) {
            force = Force::Future(Some(from));
        }
        let label: String = self
            .part
            .label
            .chars()
            .filter(|c| !c.is_control())
            .take(LABEL_CHARS)
            .collect();
        let label = self.part.component.as_ref().map(|_| label.as_str());
        let thing = thing(rule, self.place, self.part, label, &link.listed, self.question);
        if thing.holds == Holds::No {
            return None;
        }
        let follows = if nobody {
            // Where even the start of a power is open, that is what must be looked up.
            let class = if force == Force::StartUnknown {
                ResultClass::Review
            } else {
                ResultClass::Watch
            };
            Outcome::new(
                class,
                format!(
                    "Act: {}; nobody is named so far, so nothing follows from it for this supplier",
                    rule.detail
                ),
            )
        } else {
            outcome(rule, self.place, self.part, self.question)?
        };
        let bound = bound(rule, self.place);
        let by_brand = via != Via::Maker && rule.matching.affiliates != Affiliates::Brand;
        let open =
            (thing.holds == Holds::Unknown && !nobody) || !link.sure || (by_brand && via == Via::BrandBeside);

        let mut words = bound.words;
        words.push(supplier_words(rule, attribution, &link, via));
        words.extend(thing.words);
        let (mut class, mut deadline) = conclude(rule, force, bound.holds, open, &follows, &mut words);
        if assumed && class != ResultClass::NotBound && is_idea(rule) {
            words.push("Status: an idea without a duty, also where it is assumed".to_owned());
            (class, deadline) = (ResultClass::WhatIf, None);
        }
        let mut confidence = attribution.confidence.clamp(0.0, 1.0);
        let caps = [
            (true, link.certainty),
            (true, rule.confidence.share()),
            (!rule.matching.named_in_text, 0.85),
            (thing.presumed, 0.8),
            (!follows.verified, 0.6),
            (by_brand, 0.6),
            (!link.sure, 0.5),
        ];
        for (_, cap) in caps.into_iter().filter(|(met, _)| *met) {
            confidence = confidence.min(cap);
        }
        let mut severity = severity(class, deadline, rule, self.question.as_of);
        if confidence < WEAK {
            severity = severity.max(Severity::Indeterminate);
            words.push(
                "Confidence: below one half, so this is an open question until it is confirmed".to_owned(),
            );
        }
        words.extend(self.closing(rule, class));
        Some(RuleResult {
            rule: rule.id.clone(),
            jurisdiction: rule.jurisdiction.clone(),
            title: rule.title.clone(),
            citation: format!("{}; {}", rule.instrument, rule.citation),
            component: self.part.component.clone(),
            supplier: link.listed.clone(),
            class,
            severity,
            deadline: deadline.map(|date| date.to_string()),
            confidence,
            explanation: words,
        })
    }

    /// What the result rests on, and how far it may be read.
    fn closing(&self, rule: &Rule, class: ResultClass) -> [String; 2] {
        let (id, as_of, version) = (&rule.id, self.question.as_of, self.policies.version());
        let read = rule
            .sources
            .iter()
            .filter(|source| source.grade == Grade::Stored)
            .count();
        let horizon = self
            .policies
            .pack(&rule.jurisdiction)
            .map(|pack| pack.horizon.to_string())
            .unwrap_or_default();
        let verdict = match class {
            ResultClass::WithinCap => format!("Within the cap of rule {id} on these facts"),
            ResultClass::NotBound => format!("Rule {id} exists and does not bind you on these facts"),
            ResultClass::ApprovedUntil => format!("Meets rule {id} on these facts"),
            ResultClass::ConditionUnknown
            | ResultClass::Undecided
            | ResultClass::StaleRecheck
            | ResultClass::Future
            | ResultClass::WhatIf => format!("Would match rule {id} if the open facts hold"),
            _ => format!("Matches rule {id} on these facts"),
        };
        [
            format!(
                "Evidence: {read} of {} facts read in a source; nothing after {horizon} was seen",
                rule.sources.len()
            ),
            format!("{verdict} as of {as_of} (packs {version}); this is not legal advice"),
        ]
    }
}

/// Whether nothing would follow from the rule even if it were in force: a debate, a proposal to look.
fn is_idea(rule: &Rule) -> bool {
    let never_made = !matches!(
        rule.status,
        Status::Enacted
            | Status::Guidance
            | Status::Contract
            | Status::Superseded
            | Status::Repealed
            | Status::Suspended
    );
    let no_duty = matches!(rule.effect, Effect::None | Effect::Review | Effect::Watch);
    rule.effect == Effect::None || (never_made && no_duty)
}

fn supplier_words(rule: &Rule, attribution: &Attribution, link: &Link, via: Via) -> String {
    let name: String = attribution
        .supplier
        .name
        .chars()
        .filter(|c| !c.is_control())
        .take(LABEL_CHARS)
        .collect();
    let mut words = match via {
        Via::Maker => format!("Supplier: maker {name}: {}", link.words),
        Via::BrandAlone => format!(
            "Supplier: only the brand {name} is known, the maker is not: {}",
            link.words
        ),
        Via::BrandBeside => format!(
            "Supplier: brand {name}, and another maker; ask who produced it: {}",
            link.words
        ),
    };
    if !rule.matching.named_in_text {
        words.push_str("; the text names nobody, this is the usual reading");
    }
    if !link.sure {
        words.push_str("; whether that held when it was made, or makes it one of the group, is not settled: declare the day of acquisition");
    }
    words
}

/// Puts force, bond and scope together: the first of them that is not met decides.
fn conclude(
    rule: &Rule,
    force: Force,
    bound: Holds,
    open: bool,
    follows: &Outcome,
    words: &mut Vec<String>,
) -> (ResultClass, Option<PartialDate>) {
    let would_be = match follows.deadline {
        Some(date) => format!("{} {date}", follows.class),
        None => follows.class.to_string(),
    };
    if bound == Holds::No {
        return (ResultClass::NotBound, None);
    }
    if force == Force::Draft {
        words.extend(follows.words.iter().cloned());
        let part = if open { " if the open facts are met" } else { "" };
        words.push(format!(
            "Status: {}; nothing follows today; if it held: {would_be}{part}",
            rule.status.as_str()
        ));
        return (ResultClass::WhatIf, None);
    }
    words.extend(follows.words.iter().cloned());
    if rule.status == Status::Guidance || rule.status == Status::Contract {
        words.push(format!("Status: {}, not a statute", rule.status.as_str()));
    }
    if !rule.exceptions.is_empty() {
        words.push(format!("Exceptions to check: {}", rule.exceptions.join("; ")));
    }
    let soft = matches!(follows.class, ResultClass::Watch | ResultClass::ApprovedUntil);
    match force {
        Force::Future(Some(start)) => {
            words.push(format!(
                "When: takes effect on {start}; announced is not effective"
            ));
            (ResultClass::Future, Some(start))
        }
        Force::Future(None) => {
            words.push("When: to come, and the day it takes effect is not known".to_owned());
            (ResultClass::Future, None)
        }
        Force::StartUnknown if !soft => {
            let why = rule.time.unknown.as_deref().unwrap_or("no date was found");
            words.push(format!(
                "When: the day it takes effect is not known ({why}); check again. Then: {would_be}"
            ));
            (ResultClass::StaleRecheck, None)
        }
        Force::Recheck => {
            words.push(
                "When: it was suspended, and whether it came back is not known; check again".to_owned(),
            );
            (ResultClass::StaleRecheck, None)
        }
        _ if open && follows.class != ResultClass::ApprovedUntil => {
            words.push(format!("If the open facts are met: {would_be}"));
            if soft && rule.matching.mode.any_maker() {
                return (ResultClass::WhatIf, None);
            }
            (ResultClass::ConditionUnknown, follows.deadline)
        }
        _ => (follows.class, follows.deadline),
    }
}

#[cfg(test)]
mod tests;
