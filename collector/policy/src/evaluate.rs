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
use std::collections::BTreeMap;

/// What is judged: a place and what was found there.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    /// The place and what the operator declares about it.
    pub place: &'a Place,
    /// The unit and its components.
    pub parts: &'a [Part],
}

/// Rules the unit meets, each with the listed supplier it meets it through: as what, and acquired when.
type Met = BTreeMap<(String, String), (ResultClass, Option<PartialDate>)>;

/// Below this confidence a result is an open question, whatever its class.
pub(crate) const WEAK: f64 = 0.5;

/// Longest label quoted, in characters.
const LABEL_CHARS: usize = 80;

/// Everything the policies say about the situation on the day asked about, most urgent first.
#[must_use]
pub fn evaluate(situation: &Situation<'_>, policies: &Policies, question: &Question<'_>) -> Vec<RuleResult> {
    let place = situation.place;
    let mut results = Vec::new();
    if place.jurisdictions.is_empty() {
        results.push(no_pack("", policies));
    }
    for code in &place.jurisdictions {
        let Some(pack) = policies.pack(code) else {
            results.push(no_pack(code, policies));
            continue;
        };
        results.extend(none_found(pack, policies));
        let mut met_by_unit = Met::new();
        for is_unit in [true, false] {
            for part in situation
                .parts
                .iter()
                .filter(|part| part.component.is_none() == is_unit)
            {
                let view = View {
                    place,
                    part,
                    policies,
                    question,
                };
                let judged = view.judge(code, &met_by_unit);
                if is_unit {
                    for result in &judged {
                        let key = (result.rule.clone(), result.supplier.clone());
                        met_by_unit.insert(key, (result.class, part.acquired));
                    }
                }
                results.extend(judged);
            }
        }
    }
    results.sort_by(|a, b| {
        (a.class, &a.rule, &a.component, &a.supplier).cmp(&(b.class, &b.rule, &b.component, &b.supplier))
    });
    results
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
    fn judge(&self, code: &str, met_by_unit: &Met) -> Vec<RuleResult> {
        let (maker, brand) = (self.part.maker.as_ref(), self.part.brand.as_ref());
        let brand = brand.filter(|b| maker.is_none_or(|m| m.supplier.id != b.supplier.id));
        let via = if maker.is_some() {
            Via::BrandBeside
        } else {
            Via::BrandAlone
        };
        let names = [(maker, Via::Maker), (brand, via)];
        let mut found: Vec<RuleResult> = Vec::new();
        for (attribution, via) in names.into_iter().filter_map(|(a, via)| Some((a?, via))) {
            let any_maker = via == Via::Maker && self.part.component.is_none();
            for rule in self.policies.candidates(
                code,
                &attribution.supplier.id,
                any_maker,
                any_maker && self.question.powers,
            ) {
                if found.iter().all(|other| other.rule != rule.id) {
                    let result = self.apply(rule, attribution, via);
                    found.extend(result.filter(|result| self.adds_to(met_by_unit, result)));
                }
            }
        }
        found
    }

    /// Whether a result says more than the unit's own.
    fn adds_to(&self, met_by_unit: &Met, result: &RuleResult) -> bool {
        let key = (result.rule.clone(), result.supplier.clone());
        self.part.component.is_none()
            || met_by_unit
                .get(&key)
                .is_none_or(|&(class, acquired)| acquired != self.part.acquired && result.class < class)
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
