//! Judging many elements: what was said of such a part at such a place is not worked out again.
//!
//! Invariants: the answers are those of [`evaluate`](crate::evaluate()), only without
//! words; a key is compared whole, never by its hash alone; what is remembered is
//! bounded, and forgetting it costs time alone.

use crate::date::PartialDate;
use crate::evaluate::{Adding, judge_part, nothing_known, unit_first};
use crate::pack::Rule;
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
    places: Table<PlaceKey>,
    parts: Table<PartKey>,
    last: usize,
    said: HashMap<(usize, usize), Arc<[Said<'a>]>>,
    stands: HashMap<(usize, usize, bool), Arc<[Stand<'a>]>>,
    nothing: Arc<[Said<'a>]>,
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
            places: Table::default(),
            parts: Table::default(),
            last: 0,
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
        let mut found: Vec<(&Part, Arc<[Said<'a>]>)> = Vec::new();
        for part in unit_first(parts) {
            // Most parts are of makers that no rule here speaks of: that is found out sooner than remembered.
            if !self.spoken_of(place, part) {
                continue;
            }
            let at = self.place(place);
            let said = self.part(at, place, part);
            if !said.is_empty() {
                found.push((part, said));
            }
        }
        let mut adding = Adding::default();
        let mut kept = Vec::new();
        for (part, said) in &found {
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
        let at = self.place(place);
        let Some(place) = self.places.get(at) else {
            return Standing::Unknown;
        };
        let heard = said.iter().map(|(_, one)| Heard {
            class: one.class,
            confidence: one.confidence,
            jurisdiction: &one.rule.jurisdiction,
        });
        of_all(&place.undeclared, heard, maker_known && !place.silent, complete)
    }

    /// How the place stands to every cap that could count it.
    pub(crate) fn stands(&mut self, place: &Place, parts: &[Part], maker_known: bool) -> Arc<[Stand<'a>]> {
        let at = self.place(place);
        let nobody = Part::nobody();
        let unit = parts
            .iter()
            .find(|part| part.component.is_none())
            .unwrap_or(&nobody);
        let key = (at, self.of(unit), maker_known);
        let (policies, question) = (self.policies, self.question);
        let worked_out = || stand(policies, &question, place, unit, maker_known);
        Arc::clone(self.stands.entry(key).or_insert_with(|| worked_out().into()))
    }

    /// Whether some rule could speak of the part at all.
    fn spoken_of(&self, place: &Place, part: &Part) -> bool {
        let any_maker = part.component.is_none();
        let named = |who: &Option<Attribution>, any_maker: bool| {
            who.as_ref().is_some_and(|who| {
                place.jurisdictions.iter().any(|code| {
                    let mut rules =
                        self.policies
                            .candidates(code, &who.supplier.id, any_maker, &self.question);
                    rules.any(|rule| self.hears(&rule.id))
                })
            })
        };
        named(&part.maker, any_maker) || named(&part.brand, false)
    }

    fn part(&mut self, at: usize, place: &Place, part: &Part) -> Arc<[Said<'a>]> {
        let key = (at, self.of(part));
        if let Some(known) = self.said.get(&key) {
            return Arc::clone(known);
        }
        let codes = place.jurisdictions.iter();
        let results = codes.flat_map(|code| {
            judge_part(code, place, part, self.policies, &self.question, |rule| {
                self.hears(&rule.id)
            })
        });
        let said: Vec<Said<'a>> = results.filter_map(|result| self.brief(&result)).collect();
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
        let policies = self.policies;
        self.last = self
            .places
            .find(hash, |key| key.is(place), || PlaceKey::of(place, policies));
        self.last
    }

    fn of(&mut self, part: &Part) -> usize {
        let hash = self.hasher.hash_one(PartFacts(part));
        self.parts.find(hash, |key| key.is(part), || PartKey::of(part))
    }

    fn forget(&mut self) {
        if self.said.len() + self.stands.len() + self.places.len() + self.parts.len() > self.most {
            self.places = Table::default();
            self.parts = Table::default();
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

/// What of a place a rule can ask for, and what holds there whatever stands there.
#[derive(Debug)]
struct PlaceKey {
    jurisdictions: BTreeSet<String>,
    role: Option<Role>,
    generations: BTreeSet<String>,
    tags: BTreeSet<String>,
    /// Jurisdictions about which the operator declares nothing.
    undeclared: Vec<String>,
    /// Whether no rule at all is known somewhere, so that nothing is clear.
    silent: bool,
}

impl PlaceKey {
    fn of(place: &Place, policies: &Policies) -> Self {
        Self {
            jurisdictions: place.jurisdictions.clone(),
            role: place.role,
            generations: place.generations.clone(),
            tags: place.tags.clone(),
            undeclared: policies.undeclared(&place.tags, &place.jurisdictions),
            silent: !nothing_known(place, policies).is_empty(),
        }
    }

    fn is(&self, place: &Place) -> bool {
        self.role == place.role
            && self.tags == place.tags
            && self.generations == place.generations
            && self.jurisdictions == place.jurisdictions
    }
}

struct PlaceFacts<'p>(&'p Place);

impl Hash for PlaceFacts<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let place = self.0;
        (&place.jurisdictions, place.role, &place.generations, &place.tags).hash(state);
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
