//! Caps: a supplier's share of a population, as an interval that unknown facts widen.
//!
//! Invariants: no midpoint; an element that may or may not be counted, or whose maker
//! is not known, is taken once as it makes the share least and once as it makes it
//! most. Elements are counted one by one: traffic and money are not known here.

use crate::evaluate::{Situation, evaluate};
use crate::pack::{Effect, Rule};
use crate::part::{Part, Share, Told};
use crate::policies::Policies;
use crate::question::Question;
use crate::scope::{Holds, bound};
use crate::supplier::Test;
use crate::thing::thing;
use model::{Attribution, Place, ResultClass, Role, SupplierRef};
use serde::Serialize;

/// How one element stands to one cap.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stand<'a> {
    pub(crate) rule: &'a Rule,
    /// Whether it is counted at all.
    counted: Holds,
    /// Whether its maker is one the cap is about.
    listed: Holds,
}

/// A population, counted by what is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Counted, and of a listed supplier.
    pub listed: u64,
    /// Counted, and of another one.
    pub others: u64,
    /// Counted, and nobody knows of whom.
    pub unknown: u64,
    /// Perhaps counted (role, generation or another fact is not declared), and of a listed supplier.
    pub perhaps_listed: u64,
    /// Perhaps counted, and of another one.
    pub perhaps_others: u64,
    /// Perhaps counted, and nobody knows of whom.
    pub perhaps_unknown: u64,
}

/// What a cap says of a population.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Capped {
    /// Key of the rule.
    pub rule: String,
    /// `within_cap`, `over_cap` or `undecided`, or what keeps the rule from saying so.
    pub class: ResultClass,
    /// Per cent allowed.
    pub percent: u8,
    /// Share of what, in the words of the rule.
    pub metric: String,
    /// The share is at least this, in per cent.
    pub low: f64,
    /// And at most this.
    pub high: f64,
    /// What it was counted from.
    pub counts: Counts,
    /// The date that goes with it.
    pub deadline: Option<String>,
    /// Why, in plain words.
    pub why: String,
}

/// How a unit at a place stands to every cap of a jurisdiction that binds there.
pub(crate) fn stand<'a>(
    policies: &'a Policies,
    question: &Question<'_>,
    code: &str,
    place: &Place,
    unit: &Part,
    maker_known: bool,
) -> Vec<Stand<'a>> {
    let packs = policies.pack(code).into_iter();
    let caps = packs
        .flat_map(|pack| &pack.rules)
        .filter(|rule| rule.effect == Effect::Cap && bound(rule, place).holds != Holds::No);
    let stands = caps.filter_map(|rule| {
        let test = Test {
            rule,
            place,
            part: unit,
            policies,
            question,
        };
        let listed = listed(rule, policies)?;
        let counted = thing(rule, place, unit, None, listed, question).holds;
        (counted != Holds::No).then(|| Stand {
            rule,
            counted,
            listed: made_by(&test, unit, maker_known),
        })
    });
    stands.collect()
}

fn made_by(test: &Test<'_>, unit: &Part, maker_known: bool) -> Holds {
    let link = |who: &Option<Attribution>| who.as_ref().map(|who| test.link(&who.supplier.id));
    match (link(&unit.maker), link(&unit.brand)) {
        (Some(Some(link)), _) if link.sure && link.from.is_none() && maker_known => Holds::Yes,
        // A listed brand beside another maker leaves open who produced it.
        (Some(None), None | Some(None)) if maker_known => Holds::No,
        _ => Holds::Unknown,
    }
}

impl Counts {
    /// Counts one element.
    pub(crate) fn take(&mut self, stand: &Stand<'_>) {
        let field = match (stand.counted, stand.listed) {
            (Holds::No, _) => return,
            (Holds::Yes, Holds::Yes) => &mut self.listed,
            (Holds::Yes, Holds::No) => &mut self.others,
            (Holds::Yes, Holds::Unknown) => &mut self.unknown,
            (Holds::Unknown, Holds::Yes) => &mut self.perhaps_listed,
            (Holds::Unknown, Holds::No) => &mut self.perhaps_others,
            (Holds::Unknown, Holds::Unknown) => &mut self.perhaps_unknown,
        };
        *field += 1;
    }

    /// Adds another part of the population.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.listed += other.listed;
        self.others += other.others;
        self.unknown += other.unknown;
        self.perhaps_listed += other.perhaps_listed;
        self.perhaps_others += other.perhaps_others;
        self.perhaps_unknown += other.perhaps_unknown;
    }

    /// The share in per cent: least where every open element is no listed one and counts, most where it is one;
    /// `None` of nothing.
    #[must_use]
    pub fn share(&self) -> Option<Share> {
        let surely = self.listed + self.others + self.unknown;
        let of_listed = self.listed + self.unknown + self.perhaps_listed + self.perhaps_unknown;
        let most = surely + self.perhaps_listed + self.perhaps_unknown;
        let least = surely + self.perhaps_others + self.perhaps_unknown;
        if most + least == 0 {
            return None;
        }
        Some(Share {
            low: per_cent(self.listed, least),
            high: per_cent(of_listed, most),
        })
    }
}

/// Counts of elements lie far below what a float holds exactly.
fn per_cent(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    100.0 * part as f64 / whole as f64
}

/// What a cap says of a population on the day asked about; `None` where it is silent then or nothing is counted.
#[must_use]
pub fn capped(rule: &Rule, counts: &Counts, policies: &Policies, question: &Question<'_>) -> Option<Capped> {
    let share = counts.share()?;
    let cap = rule.cap.as_ref()?;
    let (place, unit) = witness(rule, listed(rule, policies)?, share);
    let parts = [unit];
    let situation = Situation {
        place: &place,
        parts: &parts,
    };
    let results = evaluate(&situation, policies, question);
    let found = results.into_iter().find(|result| result.rule == rule.id)?;
    Some(Capped {
        rule: found.rule,
        class: found.class,
        percent: cap.percent,
        metric: cap.metric.clone(),
        low: share.low,
        high: share.high,
        counts: *counts,
        deadline: found.deadline,
        why: found.explanation.join(". "),
    })
}

/// A supplier the cap is about; without one there is no share, and its elements stay open one by one.
pub(crate) fn listed<'a>(rule: &'a Rule, policies: &'a Policies) -> Option<&'a String> {
    let entries = policies.list(rule).into_iter().flat_map(|list| &list.entries);
    let entries = entries.flat_map(|entry| &entry.suppliers);
    rule.matching.suppliers.iter().chain(entries).next()
}

/// One thing that is surely meant, with the share of all of them, so that the evaluator says the rest.
fn witness(rule: &Rule, listed: &str, share: Share) -> (Place, Part) {
    let of_role = |role: &Role| {
        let segments = &rule.thing.segments;
        segments.iter().any(|segment| segment.as_str() == role.as_str())
    };
    let mut place = Place::nowhere();
    place.jurisdictions.insert(rule.jurisdiction.clone());
    place.role = Role::ALL.into_iter().find(of_role);
    place.generations.extend(rule.thing.generations.iter().cloned());
    place.tags.extend(rule.bound.tags.iter().cloned());
    place.tags.extend(rule.thing.needs.iter().cloned());
    let unit = Part {
        maker: Some(Attribution {
            supplier: SupplierRef {
                id: listed.to_owned(),
                name: listed.to_owned(),
            },
            confidence: 1.0,
        }),
        told: Told {
            share: Some(share),
            ..Told::default()
        },
        ..Part::nobody()
    };
    (place, unit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use time::macros::date;

    #[test]
    fn open_elements_widen_the_share_and_no_midpoint_is_taken() {
        let counts = |n: [u64; 6]| Counts {
            listed: n[0],
            others: n[1],
            unknown: n[2],
            perhaps_listed: n[3],
            perhaps_others: n[4],
            perhaps_unknown: n[5],
        };
        for (told, expected) in [
            ([0, 0, 0, 0, 0, 0], None),
            ([30, 70, 0, 0, 0, 0], Some((30.0, 30.0))),
            ([30, 62, 8, 0, 0, 0], Some((30.0, 38.0))),
            ([0, 0, 5, 0, 0, 0], Some((0.0, 100.0))),
            // Who may not be counted at all can only lower it, or only raise it.
            ([30, 70, 0, 0, 100, 0], Some((15.0, 30.0))),
            ([30, 70, 0, 100, 0, 0], Some((30.0, 65.0))),
            ([30, 70, 0, 0, 0, 100], Some((15.0, 65.0))),
            ([0, 0, 0, 4, 0, 0], Some((0.0, 100.0))),
            ([0, 0, 0, 0, 4, 0], Some((0.0, 0.0))),
        ] {
            let share = counts(told).share().map(|share| (share.low, share.high));
            assert_eq!(share, expected, "{told:?}");
        }
    }

    /// Every way to settle what is open leads to a share inside the interval, and its ends are reached.
    #[test]
    fn the_interval_is_that_of_all_populations_it_can_be() {
        for code in 0..4_u64.pow(6) {
            let n = [0, 1, 2, 3, 4, 5].map(|digit| code / 4_u64.pow(digit) % 4);
            let counts = Counts {
                listed: n[0],
                others: n[1],
                unknown: n[2],
                perhaps_listed: n[3],
                perhaps_others: n[4],
                perhaps_unknown: n[5],
            };
            let Some(share) = counts.share() else { continue };
            let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
            for made in 0..=n[2] {
                for (listed, others) in (0..=n[3]).flat_map(|l| (0..=n[4]).map(move |o| (l, o))) {
                    for (a, b) in (0..=n[5]).flat_map(|a| (0..=n[5] - a).map(move |b| (a, b))) {
                        let part = n[0] + made + listed + a;
                        let whole = n[0] + n[1] + n[2] + listed + others + a + b;
                        if whole > 0 {
                            let one = per_cent(part, whole);
                            (low, high) = (low.min(one), high.max(one));
                        }
                    }
                }
            }
            assert_eq!(share.high, high, "{counts:?}");
            // Where the population may be empty, the least is said to be nothing.
            let empty = n[0] + n[1] + n[2] + n[4] + n[5] == 0;
            assert_eq!(share.low, if empty { 0.0 } else { low }, "{counts:?}");
        }
    }

    #[test]
    fn caps_are_judged_over_populations() {
        let policies = Policies::built_in().unwrap();
        let counts = |listed, others, unknown| Counts {
            listed,
            others,
            unknown,
            ..Counts::default()
        };
        for (id, as_of, counts, expected) in [
            (
                "GB-DVD-FTTP-CAP",
                date!(2026 - 11 - 25),
                counts(30, 62, 8),
                Some("undecided"),
            ),
            (
                "GB-DVD-FTTP-CAP",
                date!(2026 - 11 - 25),
                counts(30, 65, 5),
                Some("within_cap"),
            ),
            (
                "GB-DVD-FTTP-CAP",
                date!(2026 - 11 - 25),
                counts(36, 62, 2),
                Some("over_cap"),
            ),
            (
                "GB-DVD-5G-CAP",
                date!(2026 - 11 - 25),
                counts(36, 64, 0),
                Some("over_cap"),
            ),
            ("GB-DVD-FTTP-CAP", date!(2022 - 01 - 01), counts(36, 64, 0), None),
            (
                "DE-BMI-2023-DRAFT",
                date!(2023 - 10 - 01),
                counts(38, 56, 6),
                Some("what_if"),
            ),
            ("GB-DVD-FTTP-CAP", date!(2026 - 11 - 25), counts(0, 0, 0), None),
        ] {
            let question = Question::on(as_of);
            let found = capped(policies.rule(id).unwrap(), &counts, &policies, &question);
            let class = found.as_ref().map(|capped| capped.class.as_str());
            assert_eq!(class, expected, "{id} {as_of} {counts:?}: {found:?}");
            if let Some(found) = found {
                assert!(found.why.contains("not legal advice"), "{}", found.why);
            }
        }
        // Every cap of the packs can be witnessed: none is passed over in silence.
        for rule in policies.rules().filter(|rule| rule.effect == Effect::Cap) {
            let days =
                [2019, 2021, 2023, 2026, 2028].map(|year| time::Date::from_ordinal_date(year, 300).unwrap());
            let said: BTreeSet<_> = days
                .iter()
                .filter_map(|&day| {
                    let counts = counts(50, 50, 0);
                    capped(rule, &counts, &policies, &Question::on(day)).map(|capped| capped.class.as_str())
                })
                .collect();
            assert!(!said.is_empty(), "{}", rule.id);
        }
    }
}
