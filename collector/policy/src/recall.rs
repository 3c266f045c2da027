//! Judging many elements: what was said of such a part at such a place is not worked out again.
//!
//! Invariants: the answers are those of [`evaluate`](crate::evaluate()), only without
//! words; a key is compared whole, never by its hash alone; what is remembered is
//! bounded, and forgetting it costs time alone.

use crate::date::PartialDate;
use crate::evaluate::{Adding, judge_part, nothing_known, unit_first};
use crate::pack::{Effect, Rule};
use crate::part::{Part, Told};
use crate::policies::Policies;
use crate::question::Question;
use crate::share::{Stand, stand};
use crate::standing::{Heard, of_all};
use model::{Attribution, ComponentClass, Place, ResultClass, Role, RuleResult, Severity, Standing};
use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::Arc;

/// Answers remembered at most; one takes some 200 bytes.
const MOST: usize = 1 << 19;

/// What one rule says of one part, without the words.
#[derive(Debug, Clone)]
pub struct Said<'a> {
    /// The rule.
    pub rule: &'a Rule,
    /// Key of the listed supplier it is met through.
    pub supplier: Arc<str>,
    /// The class.
    pub class: ResultClass,
    /// How urgent.
    pub severity: Severity,
    /// The date that goes with it.
    pub deadline: Option<PartialDate>,
    /// Weakest link, 0 to 1.
    pub confidence: f64,
}

/// A part with what a rule says of it: the index of the component, `None` for the unit.
pub type OfPart<'p, 'a> = (Option<&'p str>, Said<'a>);

/// One question put to many elements.
#[derive(Debug)]
pub struct Recall<'a> {
    policies: &'a Policies,
    question: Question<'a>,
    only: Option<&'a BTreeSet<String>>,
    most: usize,
    hasher: RandomState,
    numbers: HashMap<String, usize>,
    laws: Vec<Law>,
    voices: HashMap<String, Vec<Voice>>,
    places: Table<PlaceKey>,
    parts: Table<PartKey>,
    last: usize,
    undeclared: HashMap<(usize, usize), bool>,
    said: HashMap<Key, Arc<[Said<'a>]>>,
    stands: HashMap<(Key, bool), Arc<[Stand<'a>]>>,
    nothing: Arc<[Said<'a>]>,
}

/// Numbers of a jurisdiction, a place and a part. No rule asks for the law of another jurisdiction, so
/// that places and parts are alike under each by themselves.
type Key = (usize, usize, usize);

/// What is known of the law of one jurisdiction.
#[derive(Debug)]
struct Law {
    code: String,
    /// No rule at all is known there, so that nothing is clear.
    silent: bool,
    /// A cap is heard there.
    caps: bool,
}

/// Whether a rule of one jurisdiction could speak of a supplier: as that of a unit, of a component.
#[derive(Debug, Clone, Default)]
struct Voice {
    unit: Option<bool>,
    component: Option<bool>,
}

impl<'a> Recall<'a> {
    /// Nothing remembered yet.
    #[must_use]
    pub fn new(policies: &'a Policies, question: Question<'a>) -> Self {
        Self {
            policies,
            question,
            only: None,
            most: MOST,
            hasher: RandomState::new(),
            numbers: HashMap::new(),
            laws: Vec::new(),
            voices: HashMap::new(),
            places: Table::default(),
            parts: Table::default(),
            last: 0,
            undeclared: HashMap::new(),
            said: HashMap::new(),
            stands: HashMap::new(),
            nothing: Arc::from([]),
        }
    }

    /// The same, listening to these rules alone; standings then know no others.
    #[must_use]
    pub fn only(mut self, rules: Option<&'a BTreeSet<String>>) -> Self {
        self.only = rules;
        self
    }

    /// The policies asked.
    #[must_use]
    pub fn policies(&self) -> &'a Policies {
        self.policies
    }

    /// The question put.
    #[must_use]
    pub fn question(&self) -> &Question<'a> {
        &self.question
    }

    /// Whether it listens to this rule.
    #[must_use]
    pub fn hears(&self, rule: &str) -> bool {
        self.only.is_none_or(|only| only.contains(rule))
    }

    /// What every rule says of the parts at the place; in no order that means anything.
    pub fn ask<'p>(&mut self, place: &Place, parts: &'p [Part]) -> Vec<OfPart<'p, 'a>> {
        self.forget();
        let laws = self.laws(place);
        let mut found: Vec<(&Part, Arc<[Said<'a>]>)> = Vec::new();
        let mut at = None;
        for part in unit_first(parts) {
            let mut of = None;
            for &law in &laws {
                // Most parts are of makers that no rule here speaks of: that is found out sooner than remembered.
                if !self.spoken_of(law, part) {
                    continue;
                }
                let at = *at.get_or_insert_with(|| self.place(place));
                let of = *of.get_or_insert_with(|| self.of(part));
                let said = self.part((law, at, of), place, part);
                if !said.is_empty() {
                    found.push((part, said));
                }
            }
        }
        let mut adding = Adding::default();
        let mut kept = Vec::new();
        for (part, said) in &found {
            // A rule is of one jurisdiction, so that what another said of the part need not be kept.
            adding.next_part();
            for one in said.iter() {
                if adding.adds(part, &one.rule.id, &one.supplier, one.class) {
                    kept.push((part.component.as_deref(), one.clone()));
                }
            }
        }
        kept
    }

    /// The one word for the place, given what was said of it.
    pub fn standing(
        &mut self,
        place: &Place,
        said: &[OfPart<'_, 'a>],
        maker_known: bool,
        complete: bool,
    ) -> Standing {
        let laws = self.laws(place);
        let silent = laws.is_empty()
            || laws
                .iter()
                .any(|&law| self.laws.get(law).is_none_or(|law| law.silent));
        let mut undeclared: Vec<&String> = Vec::new();
        if said.iter().any(|(_, one)| one.class == ResultClass::NotBound) {
            let at = self.place(place);
            let codes = place.jurisdictions.iter().zip(&laws);
            undeclared.extend(
                codes
                    .filter(|(code, law)| self.undeclared(at, **law, place, code))
                    .map(|(code, _)| code),
            );
        }
        let heard = said.iter().map(|(_, one)| Heard {
            class: one.class,
            confidence: one.confidence,
            jurisdiction: &one.rule.jurisdiction,
        });
        let asks_in_vain = |code: &str| undeclared.iter().any(|undeclared| *undeclared == code);
        of_all(asks_in_vain, heard, maker_known && !silent, complete)
    }

    /// Tells how the place stands to every cap that could count it.
    pub(crate) fn stands(
        &mut self,
        place: &Place,
        parts: &[Part],
        maker_known: bool,
        mut tell: impl FnMut(&Stand<'a>),
    ) {
        let nobody = Part::nobody();
        let unit = parts
            .iter()
            .find(|part| part.component.is_none())
            .unwrap_or(&nobody);
        for (code, law) in place.jurisdictions.iter().zip(self.laws(place)) {
            if !self.laws.get(law).is_some_and(|law| law.caps) {
                continue;
            }
            let key = ((law, self.place(place), self.of(unit)), maker_known);
            let (policies, question) = (self.policies, self.question);
            let worked_out = || stand(policies, &question, code, place, unit, maker_known);
            let stands = self.stands.entry(key).or_insert_with(|| worked_out().into());
            stands.iter().for_each(&mut tell);
        }
    }

    /// The numbers of the jurisdictions of a place.
    fn laws(&mut self, place: &Place) -> Vec<usize> {
        let number = |code: &String| match self.numbers.get(code) {
            Some(&number) => number,
            None => self.law(code),
        };
        place.jurisdictions.iter().map(number).collect()
    }

    fn law(&mut self, code: &str) -> usize {
        let mut place = Place::nowhere();
        place.jurisdictions.insert(code.to_owned());
        let rules = self.policies.pack(code).into_iter().flat_map(|pack| &pack.rules);
        let mut caps = rules.filter(|rule| rule.effect == Effect::Cap);
        let law = Law {
            code: code.to_owned(),
            silent: !nothing_known(&place, self.policies).is_empty(),
            caps: caps.any(|rule| self.hears(&rule.id)),
        };
        let number = self.laws.len();
        self.laws.push(law);
        self.numbers.insert(code.to_owned(), number);
        number
    }

    /// Whether the operator declares nothing about a jurisdiction that asks.
    fn undeclared(&mut self, at: usize, law: usize, place: &Place, code: &str) -> bool {
        let policies = self.policies;
        let asked = || policies.undeclared(&place.tags, &BTreeSet::from([code.to_owned()]));
        *self
            .undeclared
            .entry((at, law))
            .or_insert_with(|| !asked().is_empty())
    }

    /// Whether some rule of a jurisdiction could speak of the part at all.
    fn spoken_of(&mut self, law: usize, part: &Part) -> bool {
        let unit = part.component.is_none();
        let mut speaks = |who: &Option<Attribution>, unit: bool| {
            who.as_ref()
                .is_some_and(|who| self.speaks(law, &who.supplier.id, unit))
        };
        speaks(&part.maker, unit) || speaks(&part.brand, false)
    }

    fn speaks(&mut self, law: usize, supplier: &str, unit: bool) -> bool {
        let of = |voice: &Voice| if unit { voice.unit } else { voice.component };
        let known = self.voices.get(supplier).and_then(|voices| voices.get(law));
        if let Some(known) = known.and_then(of) {
            return known;
        }
        let Some(code) = self.laws.get(law).map(|law| &law.code) else {
            return false;
        };
        let mut rules = self.policies.candidates(code, supplier, unit, &self.question);
        let speaks = rules.any(|rule| self.hears(&rule.id));
        let voices = self.voices.entry(supplier.to_owned()).or_default();
        if voices.len() <= law {
            voices.resize(law + 1, Voice::default());
        }
        if let Some(voice) = voices.get_mut(law) {
            let known = if unit {
                &mut voice.unit
            } else {
                &mut voice.component
            };
            *known = Some(speaks);
        }
        speaks
    }

    fn part(&mut self, key: Key, place: &Place, part: &Part) -> Arc<[Said<'a>]> {
        if let Some(known) = self.said.get(&key) {
            return Arc::clone(known);
        }
        let code = self.laws.get(key.0).map_or("", |law| &law.code);
        let results = judge_part(code, place, part, self.policies, &self.question, |rule| {
            self.hears(&rule.id)
        });
        let said: Vec<Said<'a>> = results.iter().filter_map(|result| self.brief(result)).collect();
        let said = if said.is_empty() {
            Arc::clone(&self.nothing)
        } else {
            said.into()
        };
        self.said.insert(key, Arc::clone(&said));
        said
    }

    fn brief(&self, result: &RuleResult) -> Option<Said<'a>> {
        Some(Said {
            rule: self.policies.rule(&result.rule)?,
            supplier: result.supplier.as_str().into(),
            class: result.class,
            severity: result.severity,
            deadline: result.deadline.as_ref().and_then(|date| date.parse().ok()),
            confidence: result.confidence,
        })
    }

    fn place(&mut self, place: &Place) -> usize {
        // Elements come site by site, and each asks several times.
        if self.places.get(self.last).is_some_and(|key| key.is(place)) {
            return self.last;
        }
        let hash = self.hasher.hash_one(PlaceFacts(place));
        self.last = self
            .places
            .find(hash, |key| key.is(place), || PlaceKey::of(place));
        self.last
    }

    fn of(&mut self, part: &Part) -> usize {
        let hash = self.hasher.hash_one(PartFacts(part));
        self.parts.find(hash, |key| key.is(part), || PartKey::of(part))
    }

    fn forget(&mut self) {
        let keys = self.places.len() + self.parts.len() + self.voices.len() + self.undeclared.len();
        if self.said.len() + self.stands.len() + keys > self.most {
            self.places = Table::default();
            self.parts = Table::default();
            self.voices.clear();
            self.undeclared.clear();
            self.said.clear();
            self.stands.clear();
        }
    }
}

/// Keys with a number each.
#[derive(Debug)]
struct Table<K> {
    by_hash: HashMap<u64, Vec<usize>>,
    keys: Vec<K>,
}

impl<K> Default for Table<K> {
    fn default() -> Self {
        Self {
            by_hash: HashMap::new(),
            keys: Vec::new(),
        }
    }
}

impl<K> Table<K> {
    fn find(&mut self, hash: u64, is: impl Fn(&K) -> bool, make: impl FnOnce() -> K) -> usize {
        let same = self.by_hash.entry(hash).or_default();
        let mut known = same.iter().copied();
        if let Some(number) = known.find(|&number| self.keys.get(number).is_some_and(&is)) {
            return number;
        }
        let number = self.keys.len();
        same.push(number);
        self.keys.push(make());
        number
    }

    fn get(&self, number: usize) -> Option<&K> {
        self.keys.get(number)
    }

    fn len(&self) -> usize {
        self.keys.len()
    }
}

/// What of a place a rule can ask for.
#[derive(Debug)]
struct PlaceKey {
    role: Option<Role>,
    generations: BTreeSet<String>,
    tags: BTreeSet<String>,
}

impl PlaceKey {
    fn of(place: &Place) -> Self {
        Self {
            role: place.role,
            generations: place.generations.clone(),
            tags: place.tags.clone(),
        }
    }

    fn is(&self, place: &Place) -> bool {
        self.role == place.role && self.generations == place.generations && self.tags == place.tags
    }
}

struct PlaceFacts<'p>(&'p Place);

impl Hash for PlaceFacts<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let place = self.0;
        (place.role, &place.generations, &place.tags).hash(state);
    }
}

/// What of a part a rule can ask for.
#[derive(Debug)]
struct PartKey {
    component: bool,
    class: Option<ComponentClass>,
    maker: Option<(String, u64)>,
    brand: Option<(String, u64)>,
    acquired: Option<PartialDate>,
    told: Told,
}

fn named(attribution: Option<&Attribution>) -> Option<(&str, u64)> {
    attribution.map(|who| (who.supplier.id.as_str(), who.confidence.to_bits()))
}

impl PartKey {
    fn of(part: &Part) -> Self {
        let own = |who: (&str, u64)| (who.0.to_owned(), who.1);
        Self {
            component: part.component.is_some(),
            class: part.class,
            maker: named(part.maker.as_ref()).map(own),
            brand: named(part.brand.as_ref()).map(own),
            acquired: part.acquired,
            told: part.told.clone(),
        }
    }

    fn is(&self, part: &Part) -> bool {
        let same = |key: &Option<(String, u64)>, who: Option<(&str, u64)>| {
            key.as_ref().map(|(id, confidence)| (id.as_str(), *confidence)) == who
        };
        self.component == part.component.is_some()
            && self.class == part.class
            && self.acquired == part.acquired
            && same(&self.maker, named(part.maker.as_ref()))
            && same(&self.brand, named(part.brand.as_ref()))
            && self.told == part.told
    }
}

struct PartFacts<'p>(&'p Part);

impl Hash for PartFacts<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let part = self.0;
        let names = (named(part.maker.as_ref()), named(part.brand.as_ref()));
        (part.component.is_some(), part.class, names, part.acquired).hash(state);
    }
}

#[cfg(test)]
mod tests;
