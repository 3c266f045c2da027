//! Exposure for the board: how much of the network stands how, under which law, until when. One page.
//!
//! Invariants: what is unknown stands beside what is found; a day in the past is judged as known
//! now, for networks small enough; nothing is judged in part.

use super::content::{Content, Fact, Row, Table};
use super::scope::{self, PastOf};
use super::{Asked, heading};
use crate::api::Problem;
use crate::api::query::bad;
use crate::evaluate::Operator;
use crate::population::{Days, survey};
use crate::web::access::Visit;
use crate::web::glance::STALE;
use crate::web::show;
use model::Standing;
use policy::Question;
use policy::population::{By, Exposure, Survey};
use policy::recall::Recall;
use std::collections::BTreeMap;
use std::sync::Arc;
use store::view::Overview;
use time::Date;

/// Elements judged anew for a page at most.
const MOST: u64 = 20_000;
/// Rows of a table, so that it all fits a page.
const ROWS: usize = 8;

/// Counts of the report, from whichever side they come.
#[derive(Default)]
struct Counts {
    elements: u64,
    unknown: u64,
    unseen: Option<u64>,
    findings: u64,
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
    let counts = if day == today && visit.person.sites.is_none() {
        Counts::now(&asked.glances.get(visit, STALE).await?.overview)
    } else {
        judged(visit, asked, day, today).await?
    };
    Ok(counts.tell(visit, asked, day))
}

/// The network of that day, judged anew.
async fn judged(visit: &Visit, asked: &Asked<'_>, day: Date, today: Date) -> Result<Counts, Problem> {
    if scope::elements(visit, &[], &[]).await? > MOST {
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
        let past = PastOf {
            past: Arc::clone(&visit.past),
            sites: scope::sites(&visit, &[]),
        };
        let operator = Operator {
            tags: &visit.operator_tags,
            name: &visit.operator,
            on_file: &visit.on_file,
        };
        let counting = Survey::new(Recall::new(&visit.policies, question));
        let exposure = survey(&past, days, operator, counting, |_| true).await?.finish();
        let policies = Arc::clone(&visit.policies);
        let law = |rule: &str| policies.rule(rule).map(|rule| rule.jurisdiction.clone());
        Ok::<_, store::StoreError>(Counts::then(&exposure, law))
    };
    // Judging is work: not on a thread that serves other pages.
    let counts = tokio::task::spawn_blocking(move || runtime.block_on(judge)).await;
    Ok(counts.map_err(|_| Problem::Unreadable("exposure"))??)
}

impl Counts {
    fn now(overview: &Overview) -> Self {
        let mut counts = Self {
            elements: overview.elements,
            unknown: overview.elements.saturating_sub(overview.identified),
            unseen: Some(overview.elements.saturating_sub(overview.reached)),
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
        for row in overview.makers.iter().filter(|row| row.findings > 0) {
            if let Some(maker) = &row.maker {
                *counts.suppliers.entry(maker.id.clone()).or_default() += row.findings;
            }
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
            unknown: exposure.elements.unknown_maker,
            unseen: Some(exposure.elements.not_yet_seen),
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

    fn tell(self, visit: &Visit, asked: &Asked<'_>, day: Date) -> Content {
        let mut content = heading(visit, asked, "board", "Exposure to restricted suppliers");
        content.as_of = day.to_string();
        let known = self.elements.saturating_sub(self.unknown);
        let share = show::percent(known, self.elements);
        content.facts = vec![
            Fact::new("elements known", show::number(self.elements)),
            Fact::new("of unknown maker", show::number(self.unknown)),
            Fact::new("open findings", show::number(self.findings)),
            Fact::new(
                "coverage",
                share.map_or("nothing known yet".to_owned(), |share| {
                    format!("{share} % have a named maker")
                }),
            ),
        ];
        if let Some(unseen) = self.unseen {
            content
                .facts
                .push(Fact::new("not seen at all", show::number(unseen)));
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
        let dates = self.dates.iter().take(ROWS).map(|(date, rule, elements)| {
            let title = visit.policies.rule(rule).map(|rule| rule.title.clone());
            Row::new(vec![
                date.clone(),
                rule.clone(),
                title.unwrap_or_default(),
                show::number(*elements),
            ])
        });
        let dates = dates.collect();
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
                title: "Dates, soonest first",
                columns: &["date", "rule", "what", "elements"],
                rows: dates,
            },
        ];
        content
    }
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
