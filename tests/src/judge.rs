//! How fast the rules judge: made-up elements against all packs, on every core.
//!
//! Invariants: an element is a function of its number, so that two runs judge the
//! same; elements are made and dropped one by one, so that memory does not grow
//! with their number; the evaluator is the collector's, and so is the population's.

use crate::bench::process;
use crate::kind::dice::Dice;
use model::{Attribution, ComponentClass, Place, Role, SupplierRef};
use policy::differing::differing;
use policy::population::{Asset, Comparison, Seen, Survey};
use policy::recall::Recall;
use policy::{Part, PartialDate, Policies, Question, Situation, Told};
use procfs::FromRead as _;
use procfs::process::Schedstat;
use serde::Serialize;
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::time::Instant;
use time::Date;

/// Share of elements whose maker some rule is about, one in so many.
const RESTRICTED_ONE_IN: usize = 5;

/// The draft that is assumed: it speaks of every supplier of concern, at every element.
const DRAFT: &str = "EU-CSA2-PROP";

/// Made between looks at the clock.
const LOT: u64 = 2_000;

/// What one run measured.
#[derive(Debug, Serialize)]
pub struct Figures {
    /// Elements judged.
    pub elements: u64,
    /// Components of each.
    pub components: u32,
    /// Threads at work.
    pub threads: usize,
    /// Each judged by itself and explained in words, as the collector does with an element that changed.
    pub explained: Speed,
    /// All judged anew and counted, as for the state of a day.
    pub counted: Speed,
    /// All judged before and after a draft is assumed, and compared.
    pub what_if: Speed,
    /// Making the elements, which is part of none of the above.
    pub making_seconds: f64,
    /// Results of any class, to tell runs apart.
    pub results: u64,
    /// Results that open a finding, those of caps among them.
    pub findings: u64,
    /// Findings that would open under the draft.
    pub would_open: u64,
    /// Rules of the packs.
    pub rules: usize,
    /// Version of the packs.
    pub packs: String,
    /// Most octets of memory this process ever had.
    pub peak_bytes: u64,
    /// `false`: built without `--release`, so the figures mean little.
    pub optimised: bool,
}

/// How fast one way is.
#[derive(Debug, Serialize)]
pub struct Speed {
    /// Wall time without making the elements, in seconds; others at work on the machine stretch it.
    pub seconds: f64,
    /// Processor time of all threads for it, in seconds; nobody else stretches that.
    pub cpu_seconds: f64,
    /// Elements a second of processor time.
    pub elements_per_second_per_core: f64,
    /// Processor time for one element, in microseconds.
    pub microseconds_per_element: f64,
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

/// So many elements on so many threads.
#[derive(Clone, Copy)]
struct Load {
    elements: u64,
    components: u32,
    threads: NonZeroUsize,
}

/// Judges `elements` elements of `components` components each on `threads` threads, in three ways.
///
/// # Errors
/// What is wrong with the packs, a thread that died, or a kernel that does not tell what memory was taken.
pub fn run(elements: u64, components: u32, threads: NonZeroUsize, as_of: Date) -> Result<Figures, String> {
    let world = World::new(as_of)?;
    let load = Load {
        elements,
        components,
        threads,
    };
    let (explained, making, counts) = load.each(&world, |world, lot, counts: &mut (u64, u64)| {
        for asset in lot {
            let situation = Situation {
                place: &asset.place,
                parts: &asset.parts,
            };
            let results = policy::evaluate(&situation, &world.policies, &Question::on(world.as_of));
            let findings = results.iter().filter(|result| result.class.opens_finding());
            counts.1 += many(findings.count());
            counts.0 += many(results.len());
        }
    })?;
    let recall = || Recall::new(&world.policies, Question::on(as_of));
    let (counted, _, surveys) = load.each(&world, |_, lot, survey: &mut Option<Survey<'_>>| {
        let survey = survey.get_or_insert_with(|| Survey::new(recall()));
        for asset in lot {
            survey.take(asset);
        }
    })?;
    let findings_counted: u64 = surveys
        .into_iter()
        .flatten()
        .map(|survey| survey.finish().findings)
        .sum();

    let assumed = BTreeMap::from([(DRAFT.to_owned(), PartialDate::from(as_of))]);
    let (before, after) = (
        Question::on(as_of),
        Question {
            assumed: &assumed,
            ..Question::on(as_of)
        },
    );
    let only = differing((&world.policies, &before), (&world.policies, &after));
    let side = |question| Recall::new(&world.policies, question).only(only.as_ref());
    let (what_if, _, compared) = load.each(&world, |_, lot, compared: &mut Option<Comparison<'_>>| {
        let compared = compared.get_or_insert_with(|| Comparison::new(side(before), side(after), 10));
        lot.iter()
            .for_each(|asset| compared.take(Some(asset), Some(asset)));
    })?;
    let would_open = compared
        .into_iter()
        .flatten()
        .map(|one| one.finish().total.opened)
        .sum();

    let findings = counts.iter().map(|(_, findings)| findings).sum();
    if findings_counted > findings {
        return Err(format!(
            "{findings_counted} findings were counted, and {findings} explained"
        ));
    }
    Ok(Figures {
        elements,
        components,
        threads: threads.get(),
        explained,
        counted,
        what_if,
        making_seconds: making,
        results: counts.iter().map(|(results, _)| results).sum(),
        findings,
        would_open,
        rules: world.policies.rules().count(),
        packs: world.policies.version().to_owned(),
        peak_bytes: process::usage(None).map_err(|error| error.to_string())?.peak,
        optimised: !cfg!(debug_assertions),
    })
}

/// Processor time of this thread so far, in seconds; nothing where the kernel does not tell.
fn processor() -> f64 {
    let told = Schedstat::from_file("/proc/thread-self/schedstat");
    // Nanoseconds of a run are few enough for a float to hold them.
    told.map_or(0.0, |told| told.sum_exec_runtime as f64 * 1e-9)
}

fn many(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

impl Load {
    /// Makes the elements lot by lot on every thread and gives each to `work`, which gathers what it wants;
    /// the wall time of the work, that of the making, and what was gathered.
    fn each<T: Default + Send>(
        self,
        world: &World,
        work: impl Fn(&World, &[Asset], &mut T) + Sync,
    ) -> Result<(Speed, f64, Vec<T>), String> {
        let step = many(self.threads.get()) * LOT;
        let one = |first: u64| {
            let (mut gathered, mut making, mut working, mut cpu) = (T::default(), 0.0, 0.0, 0.0);
            for start in (first * LOT..self.elements).step_by(usize::try_from(step).unwrap_or(usize::MAX)) {
                let begun = Instant::now();
                let end = (start + LOT).min(self.elements);
                let lot: Vec<Asset> = (start..end)
                    .map(|number| world.asset(number, self.components))
                    .collect();
                let (made, before) = (Instant::now(), processor());
                work(world, &lot, &mut gathered);
                making += (made - begun).as_secs_f64();
                working += made.elapsed().as_secs_f64();
                cpu += processor() - before;
            }
            (gathered, making, working, cpu)
        };
        let joined = std::thread::scope(|scope| {
            let one = &one;
            let begin = |first| scope.spawn(move || one(first));
            let handles: Vec<_> = (0..many(self.threads.get())).map(begin).collect();
            let joined = handles.into_iter();
            joined
                .map(|handle| handle.join().map_err(|_| "a thread died".to_owned()))
                .collect::<Result<Vec<_>, _>>()
        })?;
        let longest = |of: fn(&(T, f64, f64, f64)) -> f64| joined.iter().map(of).fold(0.0, f64::max);
        let (making, seconds) = (longest(|one| one.1), longest(|one| one.2));
        // Counts of a bench lie far below what a float holds exactly.
        let (count, cpu) = (self.elements as f64, joined.iter().map(|one| one.3).sum::<f64>());
        let speed = Speed {
            seconds,
            cpu_seconds: cpu,
            elements_per_second_per_core: count / cpu,
            microseconds_per_element: cpu / count * 1e6,
        };
        Ok((speed, making, joined.into_iter().map(|one| one.0).collect()))
    }
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

    fn asset(&self, number: u64, components: u32) -> Asset {
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
        Asset {
            name: String::new(),
            place,
            parts: (0..=components)
                .map(|index| self.part(index, &mut dice))
                .collect(),
            maker_known: true,
            complete: true,
            seen: Seen::ByThen,
            price: None,
        }
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
            let threads = NonZeroUsize::new(threads).unwrap();
            let figures = run(5_000, 2, threads, date!(2026 - 11 - 23)).unwrap();
            (figures.results, figures.findings, figures.would_open)
        };
        assert_eq!(run(1), run(3));
        assert!(run(1).1 > 100 && run(1).2 > 100, "{:?}", run(1));
    }
}
