//! A population judged: how exposed it is on one day, and what two questions answer differently.
//!
//! Invariants: elements come one by one, in any order and in any number of lots, and
//! none is kept; what is open (never seen, maker unknown) is counted as such and
//! clears nothing; costs are told beside the number of elements without a price.

use crate::pack::{Effect, Rule};
use crate::part::Part;
use crate::policies::Policies;
use crate::question::Question;
use crate::recall::{OfPart, Recall, Said};
use crate::share::{Capped, Counts, Stand, capped, listed};
use model::{ElementId, Place, ResultClass, RuleResult, Severity, Standing};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// One element of a population.
#[derive(Debug, Clone, PartialEq)]
pub struct Asset {
    /// What people call it; from a device, so bounded and escaped before it is shown.
    pub name: String,
    /// The place, the operator's own tags included.
    pub place: Place,
    /// Unit and components that name somebody.
    pub parts: Vec<Part>,
    /// Whether the maker of the unit is known well enough to clear it.
    pub maker_known: bool,
    /// Whether its evidence is complete and fresh.
    pub complete: bool,
    /// How it is known to have stood there.
    pub seen: Seen,
    /// What replacing the unit costs, in whole units of the currency of the prices on file.
    pub price: Option<u64>,
}

/// How an element is known to have been as it is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// It was seen by then.
    ByThen,
    /// It was seen later, and is declared to have been acquired by then.
    Presumed,
    /// Nobody had seen it by then.
    NotYet,
}

/// What findings are grouped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// Key of the rule.
    Rule,
    /// Class of the result.
    Class,
    /// Site of the element.
    Site,
    /// Its declared role, or `unknown`.
    Role,
    /// Key of the supplier.
    Supplier,
    /// Jurisdiction of the rule and role of the element, with a blank between them.
    LawAndRole,
    /// Month of the date, `YYYY-MM`; a year where no month is told, `no date` without one.
    Month,
}

impl By {
    /// All, in the order they are told.
    pub const ALL: [Self; 7] = [
        Self::Rule,
        Self::Class,
        Self::Site,
        Self::Role,
        Self::Supplier,
        Self::LawAndRole,
        Self::Month,
    ];

    /// The word for people and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rule => "rule",
            Self::Class => "class",
            Self::Site => "site",
            Self::Role => "role",
            Self::Supplier => "supplier",
            Self::LawAndRole => "law_and_role",
            Self::Month => "month",
        }
    }
}

/// Tables by what they are grouped by, and row by row.
pub type Groups<T> = BTreeMap<By, BTreeMap<String, T>>;

/// Findings of one group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Group {
    /// Findings.
    pub findings: u64,
    /// Of these, with a confidence that makes them possible ones.
    pub possible: u64,
    /// The most urgent among them.
    pub worst: Option<Severity>,
    /// Elements that have one.
    pub elements: u64,
    /// What replacing the units of those that have a price costs.
    pub cost: u64,
    /// Elements without a price.
    pub unpriced: u64,
}

/// Findings of one group that two questions answer differently.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Open in the second alone.
    pub opened: u64,
    /// Open in the first alone.
    pub closed: u64,
    /// Open in both, with another class or date; counted where it stands in the second.
    pub changed: u64,
    /// Elements with one that opens.
    pub elements: u64,
    /// What replacing the units of those that have a price costs.
    pub cost: u64,
    /// Elements without a price.
    pub unpriced: u64,
}

/// What was counted of the elements themselves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Elements {
    /// All.
    pub judged: u64,
    /// Of these, nobody had seen by then.
    pub not_yet_seen: u64,
    /// Taken as they were seen later, because they are declared to have been there.
    pub presumed: u64,
    /// Nobody knows well enough who made the unit.
    pub unknown_maker: u64,
}

/// How exposed a population is.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Exposure {
    /// The elements.
    pub elements: Elements,
    /// How they stand.
    pub standings: BTreeMap<Standing, u64>,
    /// Open findings.
    pub findings: u64,
    /// The same by what they have in common.
    pub groups: Groups<Group>,
    /// What caps say of the whole.
    pub caps: Vec<Capped>,
}

/// What two questions answer differently.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Difference {
    /// The elements, as the second question knows them.
    pub elements: Elements,
    /// All groups together.
    pub total: Change,
    /// By what they have in common.
    pub groups: Groups<Change>,
    /// What caps say of the whole, where they are asked: first, then second.
    pub caps: [Vec<Capped>; 2],
    /// The first of them by element, as many as were asked for.
    pub examples: BTreeSet<Example>,
}

/// One finding that opens, closes or changes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Example {
    /// Its element.
    pub element: ElementId,
    /// What people call that.
    pub name: String,
    /// Key of the rule.
    pub rule: String,
    /// Index of the component; `None` is the unit.
    pub component: Option<String>,
    /// Key of the supplier.
    pub supplier: String,
    /// Class and date in the first answer, if it is open there.
    pub before: Option<(ResultClass, Option<String>)>,
    /// The same in the second.
    pub after: Option<(ResultClass, Option<String>)>,
}

/// Counts how exposed a population is.
#[derive(Debug)]
pub struct Survey<'a> {
    recall: Recall<'a>,
    exposure: Exposure,
    caps: Caps,
}

/// Compares what two questions answer.
#[derive(Debug)]
pub struct Comparison<'a> {
    sides: [Recall<'a>; 2],
    difference: Difference,
    caps: [Caps; 2],
    examples: usize,
}

/// Counts for the caps that were met, by rule.
#[derive(Debug, Default)]
struct Caps(BTreeMap<String, Counts>);

impl Caps {
    fn take(&mut self, stand: &Stand<'_>) {
        match self.0.get_mut(&stand.rule.id) {
            Some(counts) => counts.take(stand),
            None => self.0.entry(stand.rule.id.clone()).or_default().take(stand),
        }
    }

    fn merge(&mut self, other: Self) {
        for (rule, counts) in other.0 {
            self.0.entry(rule).or_default().merge(&counts);
        }
    }

    fn say(&self, policies: &Policies, question: &Question<'_>) -> Vec<Capped> {
        let said = self
            .0
            .iter()
            .filter_map(|(id, counts)| capped(policies.rule(id)?, counts, policies, question));
        said.collect()
    }
}

impl Elements {
    fn take(&mut self, asset: &Asset) {
        self.judged += 1;
        self.not_yet_seen += u64::from(asset.seen == Seen::NotYet);
        self.presumed += u64::from(asset.seen == Seen::Presumed);
        self.unknown_maker += u64::from(!asset.maker_known);
    }

    fn merge(&mut self, other: &Self) {
        self.judged += other.judged;
        self.not_yet_seen += other.not_yet_seen;
        self.presumed += other.presumed;
        self.unknown_maker += other.unknown_maker;
    }
}

/// Whether a result stands in the queue of findings; what a cap says is said of the whole.
fn is_open(policies: &Policies, rule: &Rule, class: ResultClass) -> bool {
    class.opens_finding() && (rule.effect != Effect::Cap || listed(rule, policies).is_none())
}

/// What a finding is grouped by; what [`made`] made of it is told beside it.
fn keys<'k>(
    asset: &'k Asset,
    said: &'k Said<'_>,
    [law_and_role, month]: &'k [String; 2],
) -> [(By, &'k str); 7] {
    [
        (By::Rule, &said.rule.id),
        (By::Class, said.class.as_str()),
        (By::Site, asset.place.site.as_str()),
        (By::Role, asset.place.role.map_or("unknown", model::Role::as_str)),
        (By::Supplier, &said.supplier),
        (By::LawAndRole, law_and_role),
        (By::Month, month),
    ]
}

/// The law and the role, and the month of the date.
fn made(asset: &Asset, said: &Said<'_>) -> [String; 2] {
    let role = asset.place.role.map_or("unknown", model::Role::as_str);
    let mut month = said
        .deadline
        .map_or("no date".to_owned(), |date| date.to_string());
    month.truncate(7);
    [format!("{} {role}", said.rule.jurisdiction), month]
}

/// Tells the row of a key, made where there is none.
fn note<T: Default>(groups: &mut Groups<T>, by: By, key: &str, tell: impl FnOnce(&mut T)) {
    let rows = groups.entry(by).or_default();
    match rows.get_mut(key) {
        Some(row) => tell(row),
        None => tell(rows.entry(key.to_owned()).or_default()),
    }
}

/// The more urgent of two.
fn worse(one: Option<Severity>, other: Option<Severity>) -> Option<Severity> {
    [one, other].into_iter().flatten().min()
}

/// Counts an element once in a group.
fn price(asset: &Asset, elements: &mut u64, cost: &mut u64, unpriced: &mut u64) {
    *elements += 1;
    match asset.price {
        Some(price) => *cost = cost.saturating_add(price),
        None => *unpriced += 1,
    }
}

impl<'a> Survey<'a> {
    /// Nothing counted yet.
    #[must_use]
    pub fn new(recall: Recall<'a>) -> Self {
        Self {
            recall,
            exposure: Exposure::default(),
            caps: Caps::default(),
        }
    }

    /// Judges one element, and tells how it stands.
    pub fn take(&mut self, asset: &Asset) -> Standing {
        let said = self.recall.ask(&asset.place, &asset.parts);
        let exposure = &mut self.exposure;
        exposure.elements.take(asset);
        let standing = self
            .recall
            .standing(&asset.place, &said, asset.maker_known, asset.complete);
        *exposure.standings.entry(standing).or_default() += 1;
        let policies = self.recall.policies();
        let open = said
            .iter()
            .filter(|(_, said)| is_open(policies, said.rule, said.class));
        let open: Vec<(&Said<'_>, [String; 2])> = open.map(|(_, said)| (said, made(asset, said))).collect();
        let mut met = BTreeSet::new();
        for (said, made) in &open {
            exposure.findings += 1;
            for (by, key) in keys(asset, said, made) {
                let once = met.insert((by, key));
                note(&mut exposure.groups, by, key, |group| {
                    group.findings += 1;
                    group.possible += u64::from(said.confidence < RuleResult::CERTAIN);
                    group.worst = worse(group.worst, Some(said.severity));
                    if once {
                        price(asset, &mut group.elements, &mut group.cost, &mut group.unpriced);
                    }
                });
            }
        }
        let (recall, caps) = (&mut self.recall, &mut self.caps);
        recall.stands(&asset.place, &asset.parts, asset.maker_known, |stand| {
            caps.take(stand)
        });
        standing
    }

    /// Takes over what another one counted of the rest of the population.
    pub fn merge(&mut self, other: Self) {
        let (own, other_caps, other) = (&mut self.exposure, other.caps, other.exposure);
        own.elements.merge(&other.elements);
        own.findings += other.findings;
        for (standing, count) in other.standings {
            *own.standings.entry(standing).or_default() += count;
        }
        for (by, groups) in other.groups {
            for (key, group) in groups {
                let into = own.groups.entry(by).or_default().entry(key).or_default();
                into.findings += group.findings;
                into.possible += group.possible;
                into.worst = worse(into.worst, group.worst);
                into.elements += group.elements;
                into.cost = into.cost.saturating_add(group.cost);
                into.unpriced += group.unpriced;
            }
        }
        self.caps.merge(other_caps);
    }

    /// What was counted.
    #[must_use]
    pub fn finish(mut self) -> Exposure {
        self.exposure.caps = self.caps.say(self.recall.policies(), self.recall.question());
        self.exposure
    }
}

impl<'a> Comparison<'a> {
    /// Nothing compared yet; keeps at most `examples`.
    #[must_use]
    pub fn new(before: Recall<'a>, after: Recall<'a>, examples: usize) -> Self {
        Self {
            sides: [before, after],
            difference: Difference::default(),
            caps: [Caps::default(), Caps::default()],
            examples,
        }
    }

    /// Judges one element as each question knows it; `None` where it does not.
    pub fn take(&mut self, before: Option<&Asset>, after: Option<&Asset>) {
        let [first, second] = &mut self.sides;
        let [caps_first, caps_second] = &mut self.caps;
        let was = before.map(|asset| (asset, open(first, caps_first, asset)));
        let is = after.map(|asset| (asset, open(second, caps_second, asset)));
        if let Some((asset, _)) = &is {
            self.difference.elements.take(asset);
        }
        let (Some(asset), Some(other)) = (after.or(before), before.or(after)) else {
            return;
        };
        let was = was.map_or_else(BTreeMap::new, |(_, found)| found);
        let is = is.map_or_else(BTreeMap::new, |(_, found)| found);
        let mut moves = Vec::new();
        for (key, one) in &is {
            let old = was.get(key);
            let way = match old {
                None => Way::Opens,
                Some(old) if differ(old, one) => Way::Changes,
                Some(_) => continue,
            };
            self.example(asset, old, Some(one));
            moves.push((way, asset, &one.1, made(asset, &one.1)));
        }
        for (_, one) in was.iter().filter(|(key, _)| !is.contains_key(*key)) {
            self.example(other, Some(one), None);
            moves.push((Way::Closes, other, &one.1, made(other, &one.1)));
        }
        let mut met = BTreeSet::new();
        for (way, asset, said, made) in &moves {
            let opens = *way == Way::Opens;
            let first = opens && met.insert(None);
            self.difference.total.take(*way, first.then_some(asset));
            for (by, key) in keys(asset, said, made) {
                let first = opens && met.insert(Some((by, key)));
                let groups = &mut self.difference.groups;
                note(groups, by, key, |change| {
                    change.take(*way, first.then_some(asset))
                });
            }
        }
    }

    fn example(&mut self, asset: &Asset, was: Option<&OfPart<'_, '_>>, is: Option<&OfPart<'_, '_>>) {
        let Some(one) = is.or(was).filter(|_| self.examples > 0) else {
            return;
        };
        let shown = |one: &OfPart<'_, '_>| (one.1.class, one.1.deadline.map(|date| date.to_string()));
        let examples = &mut self.difference.examples;
        examples.insert(Example {
            element: asset.place.element,
            name: asset.name.clone(),
            rule: one.1.rule.id.clone(),
            component: one.0.map(str::to_owned),
            supplier: one.1.supplier.to_string(),
            before: was.map(shown),
            after: is.map(shown),
        });
        if examples.len() > self.examples {
            examples.pop_last();
        }
    }

    /// Takes over what another one compared of the rest of the population.
    pub fn merge(&mut self, other: Self) {
        let (own, theirs) = (&mut self.difference, other.difference);
        own.elements.merge(&theirs.elements);
        own.total.merge(&theirs.total);
        for (by, groups) in theirs.groups {
            for (key, change) in groups {
                let into = own.groups.entry(by).or_default().entry(key).or_default();
                into.merge(&change);
            }
        }
        own.examples.extend(theirs.examples);
        while own.examples.len() > self.examples {
            own.examples.pop_last();
        }
        for (own, theirs) in self.caps.iter_mut().zip(other.caps) {
            own.merge(theirs);
        }
    }

    /// What was compared.
    #[must_use]
    pub fn finish(mut self) -> Difference {
        for ((said, caps), side) in self.difference.caps.iter_mut().zip(&self.caps).zip(&self.sides) {
            *said = caps.say(side.policies(), side.question());
            said.retain(|capped| side.hears(&capped.rule));
        }
        self.difference
    }
}

/// What becomes of a finding from the first answer to the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Opens,
    Closes,
    Changes,
}

impl Change {
    /// Counts a finding, and its element where that was not counted yet.
    fn take(&mut self, way: Way, element: Option<&Asset>) {
        *match way {
            Way::Opens => &mut self.opened,
            Way::Closes => &mut self.closed,
            Way::Changes => &mut self.changed,
        } += 1;
        if let Some(asset) = element {
            price(asset, &mut self.elements, &mut self.cost, &mut self.unpriced);
        }
    }

    fn merge(&mut self, other: &Self) {
        self.opened += other.opened;
        self.closed += other.closed;
        self.changed += other.changed;
        self.elements += other.elements;
        self.cost = self.cost.saturating_add(other.cost);
        self.unpriced += other.unpriced;
    }
}

/// Rule, component and supplier: what makes a finding the same one.
type Key<'p, 'a> = (&'a str, Option<&'p str>, std::sync::Arc<str>);

/// The open findings of one element.
fn open<'p, 'a>(
    recall: &mut Recall<'a>,
    caps: &mut Caps,
    asset: &'p Asset,
) -> BTreeMap<Key<'p, 'a>, OfPart<'p, 'a>> {
    let said = recall.ask(&asset.place, &asset.parts);
    let policies = recall.policies();
    recall.stands(&asset.place, &asset.parts, asset.maker_known, |stand| {
        caps.take(stand)
    });
    said.into_iter()
        .filter(|(_, said)| is_open(policies, said.rule, said.class))
        .map(|one| {
            let key = (
                one.1.rule.id.as_str(),
                one.0,
                std::sync::Arc::clone(&one.1.supplier),
            );
            (key, one)
        })
        .collect()
}

fn differ(was: &OfPart<'_, '_>, is: &OfPart<'_, '_>) -> bool {
    let shown = |one: &OfPart<'_, '_>| (one.1.class, one.1.deadline);
    shown(was) != shown(is)
}

#[cfg(test)]
pub(crate) mod tests;
