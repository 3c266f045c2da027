//! Exposure for the board: how much of the network stands how, under which law, until when. One page.
//!
//! Invariants: today everybody is told what stands in the store, another day is judged as known now, for networks small
//! enough, and the report says which; what is unknown stands beside what is found; nothing is judged in part.

use super::content::{Content, Fact, Row, Table};
use super::{Asked, heading};
use crate::api::Problem;
use crate::api::query::bad;
use crate::population::{AtSites, Days, survey};
use crate::web::access::Visit;
use crate::web::shelf::STALE;
use crate::web::show;
use crate::web::what_if::{MOST, too_many};
use model::{FindingState, Standing};
use policy::population::{By, Exposure, Survey};
use policy::recall::Recall;
use policy::{PartialDate, Question};
use std::collections::BTreeMap;
use std::sync::Arc;
use store::ledger::Ledger;
use store::view::Overview;
use time::Date;

/// Rows of a table, so that it all fits a page.
const ROWS: usize = 8;

/// Counts of the report, from whichever side they come.
#[derive(Default)]
struct Counts {
    elements: u64,
    unseen: u64,
    findings: u64,
    /// Waived ones beside them; `None` where a waiver is not heeded.
    waived: Option<u64>,
    standings: BTreeMap<Standing, u64>,
    laws: BTreeMap<String, u64>,
    roles: BTreeMap<String, u64>,
    suppliers: BTreeMap<String, u64>,
    /// Date, rule, how many elements.
    dates: Vec<(String, String, u64)>,
}

/// The report.
///
/// # Errors
/// [`Problem`] where the day cannot be judged or the store does not answer.
pub async fn content(visit: &Visit, asked: &Asked<'_>) -> Result<Content, Problem> {
    let today = (visit.clock)().date().unwrap_or(Date::MIN);
    let day = asked.day("asof")?.unwrap_or(today);
    let counts = if day == today {
        let (glance, ledger) = (
            asked.glances.get(visit, STALE).await?,
            asked.books.ledger(visit).await?,
        );
        Counts::now(&glance.overview, &ledger.told, visit)
    } else {
        judged(visit, asked, day, today).await?
    };
    Ok(counts.tell(visit, asked, day, today))
}

/// The network of that day, judged anew.
async fn judged(visit: &Visit, asked: &Asked<'_>, day: Date, today: Date) -> Result<Counts, Problem> {
    if too_many(visit).await?.is_some() {
        let words = format!(
            "today, for a network of more than {MOST} elements; the command `policy exposure` judges any other day"
        );
        return Err(bad("asof", asked.query.one("asof"), words));
    }
    let _turn = asked.turn.take()?;
    let (visit, runtime) = (visit.clone(), tokio::runtime::Handle::current());
    let judge = async move {
        let nothing = BTreeMap::new();
        let days = Days {
            as_of: day,
            as_known: None,
            today,
        };
        let question = Question {
            as_of: day,
            as_known: Some(days.known()),
            assumed: &nothing,
            powers: false,
        };
        let past = AtSites {
            past: Arc::clone(&visit.past),
            sites: visit.person.sites.clone(),
        };
        let counting = Survey::new(Recall::new(&visit.policies, question));
        let told = survey(&past, days, visit.operator(), counting, |_, _| {}).await?;
        let exposure = told.finish();
        let policies = Arc::clone(&visit.policies);
        let law = |rule: &str| policies.rule(rule).map(|rule| rule.jurisdiction.clone());
        Ok::<_, store::StoreError>(Counts::then(&exposure, law))
    };
    // Judging is work: not on a thread that serves other pages.
    let counts = tokio::task::spawn_blocking(move || runtime.block_on(judge)).await;
    Ok(counts.map_err(|_| Problem::Unreadable("exposure"))??)
}

impl Counts {
    fn now(overview: &Overview, ledger: &Ledger, visit: &Visit) -> Self {
        let waived = overview.states.iter();
        let waived = waived.filter(|count| count.word == FindingState::Waived.as_str());
        let mut counts = Self {
            elements: overview.elements,
            unseen: overview.elements.saturating_sub(overview.reached),
            waived: Some(waived.map(|count| count.count).sum()),
            ..Self::default()
        };
        for count in &overview.standings {
            *counts.standings.entry(show::standing(&count.word)).or_default() += count.count;
        }
        for cell in &overview.exposure {
            counts.findings += cell.count;
            *counts.laws.entry(cell.jurisdiction.clone()).or_default() += cell.count;
            *counts.roles.entry(cell.role.clone()).or_default() += cell.count;
        }
        // Of a supplier whose parts alone are found no unit stands anywhere.
        for blame in ledger.blames.iter().filter(|one| visit.person.sees(&one.site)) {
            *counts.suppliers.entry(blame.supplier.clone()).or_default() += blame.findings;
        }
        let dates = overview.deadlines.iter();
        counts.dates = dates
            .map(|row| (row.deadline.clone(), row.rule.clone(), row.elements))
            .collect();
        counts
    }

    fn then(exposure: &Exposure, law: impl Fn(&str) -> Option<String>) -> Self {
        let group = |by: By| {
            let groups = exposure.groups.get(&by).into_iter().flatten();
            groups.map(|(key, group)| (key.clone(), group.findings))
        };
        let mut counts = Self {
            elements: exposure.elements.judged,
            unseen: exposure.elements.not_yet_seen,
            findings: exposure.findings,
            standings: exposure.standings.clone(),
            roles: group(By::Role).collect(),
            suppliers: group(By::Supplier).collect(),
            ..Self::default()
        };
        for (rule, findings) in group(By::Rule) {
            *counts
                .laws
                .entry(law(&rule).unwrap_or_else(|| "unknown".to_owned()))
                .or_default() += findings;
        }
        let months = exposure.groups.get(&By::Month).into_iter().flatten();
        counts.dates = months
            .map(|(month, group)| (month.clone(), String::new(), group.elements))
            .collect();
        counts
    }

    fn tell(self, visit: &Visit, asked: &Asked<'_>, day: Date, today: Date) -> Content {
        let mut content = heading(visit, asked, "board", "Exposure to restricted suppliers");
        content.as_of = day.to_string();
        let unknown = self.standings.get(&Standing::Unknown).copied().unwrap_or(0);
        let share = show::percent(self.elements.saturating_sub(unknown), self.elements);
        content.facts = vec![
            Fact::new("elements known", show::number(self.elements)),
            Fact::new("of which too little is known to judge", show::number(unknown)),
            Fact::new("open findings", show::number(self.findings)),
            Fact::new(
                "waived findings beside them",
                self.waived
                    .map_or("counted among the open ones".to_owned(), show::number),
            ),
            Fact::new(
                "coverage",
                share.map_or("nothing known yet".to_owned(), |share| {
                    format!("{share} % are known well enough to judge")
                }),
            ),
            Fact::new("not seen at all", show::number(self.unseen)),
        ];
        if day != today {
            let words = "anew, by the law of that day and what is known now, waived or not".to_owned();
            content.facts.push(Fact::new("judged", words));
        }
        let standings = Standing::ALL.iter().map(|standing| {
            let count = self.standings.get(standing).copied().unwrap_or(0);
            Row::new(vec![standing.to_string(), show::number(count)])
        });
        let standings = standings.collect();
        let name = |id: &str| {
            let companies = &visit.policies.affiliations().suppliers;
            let found = companies.iter().find(|company| company.id == id);
            found.map_or_else(|| show::clean(id, 48), |company| show::clean(&company.name, 48))
        };
        let dates = dates(&self.dates, day, |rule| {
            let title = visit.policies.rule(rule).map(|rule| rule.title.clone());
            title.unwrap_or_default()
        });
        content.tables = vec![
            Table {
                key: "standings",
                title: "Elements by standing",
                columns: &["standing", "elements"],
                rows: standings,
            },
            Table {
                key: "laws",
                title: "Open findings by law",
                columns: &["law of", "findings"],
                rows: most(&self.laws, |law| law.to_owned()),
            },
            Table {
                key: "roles",
                title: "Open findings by role",
                columns: &["role", "findings"],
                rows: most(&self.roles, |role| role.to_owned()),
            },
            Table {
                key: "suppliers",
                title: "Open findings by supplier",
                columns: &["supplier", "findings"],
                rows: most(&self.suppliers, name),
            },
            Table {
                key: "dates",
                title: "Dates ahead, soonest first, and those that passed",
                columns: &["date", "rule", "what", "elements"],
                rows: dates,
            },
        ];
        content
    }
}

/// Dates that lie ahead come first, the soonest before the others; then those that passed, the last one first; then what is
/// no date. What does not fit the page is told in the last row.
fn dates(all: &[(String, String, u64)], day: Date, title: impl Fn(&str) -> String) -> Vec<Row> {
    let days = |text: &str| Some((day - text.parse::<PartialDate>().ok()?.last()).whole_days());
    let place = |text: &str| match days(text) {
        None => (2, 0_i64),
        Some(passed) if passed > 0 => (1, passed),
        Some(ahead) => (0, -ahead),
    };
    let mut sorted: Vec<_> = all.iter().collect();
    sorted.sort_by_key(|(date, rule, _)| (place(date), rule.clone()));
    let row = |(date, rule, elements): &&(String, String, u64)| {
        let passed = if place(date).0 == 1 { " (passed)" } else { "" };
        Row::new(vec![
            format!("{}{passed}", show::clean(date, 32)),
            rule.clone(),
            title(rule),
            show::number(*elements),
        ])
    };
    let mut rows: Vec<Row> = sorted.iter().take(ROWS).map(row).collect();
    let rest = sorted.iter().skip(ROWS);
    if rest.len() > 0 {
        let passed = rest.clone().filter(|(date, ..)| place(date).0 == 1).count();
        let words = format!("{} others, {passed} of them passed", rest.len());
        // Their elements may be the same ones.
        rows.push(Row::new(vec![
            words,
            String::new(),
            "see Deadlines".to_owned(),
            String::new(),
        ]));
    }
    rows
}

/// The largest first; what does not fit the page is summed up in the last row.
fn most(counts: &BTreeMap<String, u64>, name: impl Fn(&str) -> String) -> Vec<Row> {
    let mut all: Vec<_> = counts.iter().filter(|(_, count)| **count > 0).collect();
    all.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let row = |name: String, count: u64| Row::new(vec![name, show::number(count)]);
    let mut rows: Vec<_> = all
        .iter()
        .take(ROWS)
        .map(|(key, count)| row(name(key), **count))
        .collect();
    let rest = all.iter().skip(ROWS);
    if rest.len() > 0 {
        rows.push(row(
            format!("{} others", rest.len()),
            rest.map(|(_, count)| **count).sum(),
        ));
    }
    rows
}
