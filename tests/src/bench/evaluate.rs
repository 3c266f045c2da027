//! How fast a stored fleet is judged again after the law changed, and asked what a draft would change: read from the
//! store, judged, compared with what stood, and written.
//!
//! Invariants: the work is that of the collector's reconciler and of its commands, and nothing else is at work in this
//! process; every element has evidence, a declaration and conclusions of its own.

use super::identify::{NOW, Speed, Watch, pass, stored};
use super::reports::address;
use super::{BenchError, broken};
use ::identify::Knowledge;
use ::store::Store;
use ::store::record::{Declaration, Stage, StageVersion};
use collector::evaluate::{Law, Operator};
use collector::population::{Days, compare, survey};
use model::on_file::OnFile;
use model::{Role, Site};
use policy::differing::differing;
use policy::population::{Comparison, Survey};
use policy::recall::Recall;
use policy::{PartialDate, Policies, Question};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use time::Date;
use time::macros::date;

/// A power to decide, assumed to be used: it then speaks of every unit.
const DRAFT: &str = "PL-KSC-2026";
/// Who the operator is.
const TAGS: [&str; 4] = [
    "de_contract_operator",
    "eu_network_operator",
    "fr_vital_operator",
    "pl_key_or_important_entity",
];
/// The day judged for, and the day after.
const DAYS: [Date; 2] = [date!(2025 - 10 - 09), date!(2025 - 10 - 10)];

/// What it took.
#[derive(Debug, Clone, Serialize)]
pub struct Figures {
    /// Elements in the store.
    pub elements: usize,
    /// The first time, when every finding is opened.
    pub first: Speed,
    /// The next day, by the same law: everything is judged and little is written.
    pub again: Speed,
    /// The exposure of one day.
    pub exposure: Speed,
    /// What a draft would change.
    pub what_if: Speed,
    /// Findings counted.
    pub findings: u64,
    /// Findings that would open under the draft.
    pub would_open: u64,
    /// Processor cores of the machine.
    pub cores: usize,
    /// Whether this program was built with optimisation.
    pub optimised: bool,
}

/// Fills a store, identifies it, and judges it in every way.
///
/// # Errors
/// [`BenchError`] when the store does not do what it is measured at.
pub async fn evaluate(elements: usize, note: impl Fn(&str)) -> Result<Figures, BenchError> {
    let folder = tempfile::Builder::new().prefix("marque-bench-").tempdir()?;
    note("a fleet that is stored");
    let bare = stored(folder.path(), elements).await?;
    note("its identification");
    pass(bare.store(), Knowledge::built_in().map_err(broken)?, elements).await?;
    let version = StageVersion {
        stage: Stage::Unit,
        version: ::identify::units::RULES.to_owned(),
    };
    bare.store().adopt_version(&version, NOW).await?;
    while collector::units::step(bare.store(), bare.units(), NOW).await? > 0 {}
    bare.store()
        .declare(&[site()?], &declared(elements)?, NOW)
        .await?;

    let policies = Policies::built_in().map_err(broken)?;
    let (tags, on_file) = (TAGS.map(str::to_owned).into(), OnFile::default());
    let operator = Operator {
        tags: &tags,
        name: "",
        on_file: &on_file,
    };
    let law = |as_of| Law {
        policies: &policies,
        operator,
        as_of,
    };
    let [today, tomorrow] = DAYS;
    note("judging for the first time");
    let first = judged(bare.store(), law(today), elements).await?;
    note("judging for another day");
    let again = judged(bare.store(), law(tomorrow), elements).await?;

    note("exposure");
    let days = Days {
        as_of: tomorrow,
        as_known: None,
        today: tomorrow,
    };
    let now = Question::on(tomorrow);
    let watch = Watch::start()?;
    let counted = survey(
        bare.past(),
        days,
        operator,
        Survey::new(Recall::new(&policies, now)),
        |_, _| {},
    )
    .await?;
    let counted = counted.finish();
    let exposure = watch.speed(elements)?;
    note("what a draft would change");
    let assumed = BTreeMap::from([(DRAFT.to_owned(), PartialDate::from(today))]);
    let then = Question {
        assumed: &assumed,
        ..now
    };
    let watch = Watch::start()?;
    let only = differing((&policies, &now), (&policies, &then));
    let side = |question| Recall::new(&policies, question).only(only.as_ref());
    let compared = Comparison::new(side(now), side(then), 10);
    let compared = compare(bare.past(), [days, days], operator, compared)
        .await?
        .finish();
    let what_if = watch.speed(elements)?;
    let count = elements as u64;
    if counted.elements.judged != count || compared.elements.judged != count {
        return Err(BenchError::Unexpected("an element was not judged".to_owned()));
    }
    Ok(Figures {
        elements,
        first,
        again,
        exposure,
        what_if,
        findings: counted.findings,
        would_open: compared.total.opened,
        cores: std::thread::available_parallelism().map_or(0, usize::from),
        optimised: !cfg!(debug_assertions),
    })
}

fn site() -> Result<Site, BenchError> {
    Ok(Site {
        name: "lab".parse().map_err(broken)?,
        jurisdictions: ["DE", "EU", "FR", "PL"].map(str::to_owned).into(),
        title: String::new(),
        latitude: None,
        longitude: None,
    })
}

fn declared(elements: usize) -> Result<Vec<Declaration>, BenchError> {
    let site = site()?.name;
    let role = |element: usize| Role::ALL.get(element % 7).copied();
    let one = |element| Declaration {
        site: site.clone(),
        address: address(element),
        port: 161,
        name: format!("lab-{element}"),
        role: role(element),
        generations: BTreeSet::from(["5G".to_owned()]),
        tags: BTreeSet::new(),
        acquired: Some(format!("{}-06-01", 2015 + element % 10)),
    };
    Ok((0..elements).map(one).collect())
}

async fn judged(store: &dyn Store, law: Law<'_>, elements: usize) -> Result<Speed, BenchError> {
    let version = StageVersion {
        stage: Stage::Evaluate,
        version: format!("{} {}", law.policies.version(), law.as_of),
    };
    let watch = Watch::start()?;
    store.adopt_version(&version, NOW).await?;
    let mut done = 0;
    loop {
        match collector::evaluate::step(store, law, NOW).await? {
            0 => break,
            some => done += some,
        }
    }
    if done < elements {
        return Err(BenchError::Unexpected(format!(
            "{done} of {elements} were judged"
        )));
    }
    watch.speed(elements)
}
