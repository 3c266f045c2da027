//! How fast the rules judge: made-up elements against all packs, on every core.
//!
//! Invariants: an element is a function of its number, so that two runs judge the
//! same; elements are made and dropped one by one, so that memory does not grow
//! with their number; the evaluator is the collector's.

use crate::kind::dice::Dice;
use model::{Attribution, ComponentClass, Place, Role, SupplierRef};
use policy::{Part, Policies, Question, Situation, Told};
use serde::Serialize;
use std::num::NonZeroUsize;
use std::time::Instant;
use time::Date;

/// Share of elements whose maker some rule is about, one in so many.
const RESTRICTED_ONE_IN: usize = 5;

/// What one run measured.
#[derive(Debug, Serialize)]
pub struct Figures {
    /// Elements judged.
    pub elements: u64,
    /// Components of each.
    pub components: u32,
    /// Threads at work.
    pub threads: usize,
    /// Wall time, in seconds.
    pub seconds: f64,
    /// Elements a second and thread.
    pub elements_per_second_per_core: f64,
    /// What judging one element anew costs, in microseconds.
    pub microseconds_per_element: f64,
    /// Results of any class, to tell runs apart.
    pub results: u64,
    /// Results that open a finding.
    pub findings: u64,
    /// Rules of the packs.
    pub rules: usize,
    /// Version of the packs.
    pub packs: String,
}

/// Who may be found, and where.
struct World {
    policies: Policies,
    codes: Vec<String>,
    tags: Vec<String>,
    restricted: Vec<SupplierRef>,
    others: Vec<SupplierRef>,
    as_of: Date,
}

/// Judges `elements` elements of `components` components each on `threads` threads.
///
/// # Errors
/// What is wrong with the packs, or a thread that died.
pub fn run(elements: u64, components: u32, threads: NonZeroUsize, as_of: Date) -> Result<Figures, String> {
    let world = World::new(as_of)?;
    let begun = Instant::now();
    let step = u64::try_from(threads.get()).unwrap_or(1);
    let counts = std::thread::scope(|scope| {
        let work = |first: u64| {
            let world = &world;
            scope.spawn(move || {
                let mut counts = (0_u64, 0_u64);
                let mut number = first;
                while number < elements {
                    let (results, findings) = world.judge(number, components);
                    counts = (counts.0 + results, counts.1 + findings);
                    number += step;
                }
                counts
            })
        };
        let handles: Vec<_> = (0..step).map(work).collect();
        let joined = handles
            .into_iter()
            .map(|handle| handle.join().map_err(|_| "a thread died".to_owned()));
        joined.collect::<Result<Vec<_>, _>>()
    })?;
    let seconds = begun.elapsed().as_secs_f64();
    // Counts of a bench lie far below what a float holds exactly.
    let (count, cores) = (elements as f64, threads.get() as f64);
    Ok(Figures {
        elements,
        components,
        threads: threads.get(),
        seconds,
        elements_per_second_per_core: count / seconds / cores,
        microseconds_per_element: seconds * cores / count * 1e6,
        results: counts.iter().map(|(results, _)| results).sum(),
        findings: counts.iter().map(|(_, findings)| findings).sum(),
        rules: world.policies.rules().count(),
        packs: world.policies.version().to_owned(),
    })
}

impl World {
    fn new(as_of: Date) -> Result<Self, String> {
        let policies = Policies::built_in().map_err(|error| error.to_string())?;
        let named: std::collections::BTreeSet<&String> = policies
            .rules()
            .flat_map(|rule| &rule.matching.suppliers)
            .collect();
        let companies = policies.affiliations().suppliers.iter();
        let (restricted, others): (Vec<_>, Vec<_>) =
            companies.partition(|company| named.contains(&company.id));
        let refs = |companies: Vec<&policy::affiliation::Company>| -> Vec<SupplierRef> {
            let to_ref = |company: &policy::affiliation::Company| SupplierRef {
                id: company.id.clone(),
                name: company.name.clone(),
            };
            companies.into_iter().map(to_ref).collect()
        };
        Ok(Self {
            codes: policies
                .packs()
                .iter()
                .map(|pack| pack.code.as_str().to_owned())
                .collect(),
            tags: policies
                .rules()
                .flat_map(|rule| rule.bound.tags.clone())
                .collect(),
            restricted: refs(restricted),
            others: refs(others),
            policies,
            as_of,
        })
    }

    fn judge(&self, number: u64, components: u32) -> (u64, u64) {
        let mut dice = Dice::numbered(number);
        let mut place = Place::nowhere();
        place.jurisdictions.extend(dice.pick(&self.codes).cloned());
        place.jurisdictions.insert("EU".to_owned());
        place.role = dice.pick(&Role::ALL).copied();
        place.generations.extend(
            dice.pick(&["4G", "5G", "FTTP", "fixed"])
                .map(|word| (*word).to_owned()),
        );
        place.tags.extend(self.tags.iter().cloned());
        let parts: Vec<Part> = (0..=components)
            .map(|index| self.part(index, &mut dice))
            .collect();
        let situation = Situation {
            place: &place,
            parts: &parts,
        };
        let results = policy::evaluate(&situation, &self.policies, &Question::on(self.as_of));
        let findings = results
            .iter()
            .filter(|result| result.class.opens_finding())
            .count();
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        (count(results.len()), count(findings))
    }

    /// The unit is part 0.
    fn part(&self, index: u32, dice: &mut Dice) -> Part {
        let makers = if dice.below(RESTRICTED_ONE_IN) == 0 {
            &self.restricted
        } else {
            &self.others
        };
        let year = 2012 + dice.below(15);
        Part {
            component: (index > 0).then(|| index.to_string()),
            class: (index > 0).then_some(ComponentClass::Module),
            label: format!("part {index}"),
            maker: dice.pick(makers).map(|supplier| Attribution {
                supplier: supplier.clone(),
                confidence: 0.95,
            }),
            brand: None,
            acquired: format!("{year}-06-01").parse().ok(),
            told: Told::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::date;

    #[test]
    fn two_runs_judge_the_same_on_any_number_of_threads() {
        let run = |threads| {
            let figures = run(500, 3, NonZeroUsize::new(threads).unwrap(), date!(2026 - 11 - 23)).unwrap();
            (figures.results, figures.findings)
        };
        assert_eq!(run(1), run(3));
        assert!(run(1).1 > 100, "{:?}", run(1));
    }
}
