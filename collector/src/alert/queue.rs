//! From what is due to what waits for each route.
//!
//! Invariants: a route is told of a finding while its filter, or a view attached to it, keeps it, and once more when
//! that is over, then of nothing that became of it where it is over for them alone; an attached view keeps nothing that whoever attached it may not see at this moment, and nothing at all
//! once they may not act; what came to nothing is no longer due either.

use super::message::{Labels, Message};
use super::{Route, Routes};
use crate::admin;
use crate::filter::meaning::{self, Asking};
use crate::views::View;
use model::{FindingId, FindingState, Instant, Person, Right};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use store::alerts::{Attachment, DueChange, NewAlert};
use store::view::{FindingFilter, FindingRow};
use store::{Accounts, Alerts, Store, StoreError};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Changes looked at in one step.
const BATCH: u32 = 200;
/// How long to sleep when nothing wakes us: commands write beside us.
const TICK: Duration = Duration::from_secs(2);

/// Queues alerts.
pub struct Queue {
    /// Findings.
    pub store: Arc<dyn Store>,
    /// What is due and what waits.
    pub alerts: Arc<dyn Alerts>,
    /// Who attached what may do what.
    pub accounts: Arc<dyn Accounts>,
    /// Who is told.
    pub routes: Arc<Routes>,
    /// The wall clock.
    pub clock: fn() -> Instant,
    /// Goes up when something was queued.
    pub queued: watch::Sender<u64>,
}

/// What a route is told of.
struct Wanted {
    route: Arc<Route>,
    filters: Vec<FindingFilter>,
}

impl Queue {
    /// Works until `stop`. A store that fails is asked again at the next tick.
    pub async fn run(self, stop: CancellationToken) {
        let mut revision = self.store.revision();
        loop {
            loop {
                match self.step().await {
                    Ok(0) => break,
                    Ok(_) if stop.is_cancelled() => break,
                    Ok(_) => self.queued.send_modify(|n| *n += 1),
                    Err(error) => {
                        tracing::error!(error = admin::chain(&error), "alerts wait for the store");
                        break;
                    }
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                changed = revision.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(TICK) => {}
            }
        }
    }

    /// Looks at some of what is due; returns how much.
    ///
    /// # Errors
    /// [`StoreError`]: nothing was queued, and all is due as before.
    pub async fn step(&self) -> Result<usize, StoreError> {
        let due = self.alerts.due(BATCH).await?;
        let Some(last) = due.last() else { return Ok(0) };
        let keys: Vec<FindingId> = due
            .iter()
            .map(|change| change.finding)
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect();
        let rows = self.store.findings_of(&keys, None).await?;
        let rows: BTreeMap<FindingId, FindingRow> = rows.into_iter().map(|row| (row.finding, row)).collect();
        let mut queued = Vec::new();
        for wanted in self.wanted().await? {
            let alerts = self.of_route(&wanted, &due, &keys, &rows).await?;
            super::deliver::count(&wanted.route.name, "queued", alerts.len() as u64);
            queued.extend(alerts);
        }
        for (route, lost) in self.alerts.queue_alerts(&queued, last.place).await? {
            super::deliver::count(&route, "lost", lost);
            tracing::error!(
                alert.route = route,
                alerts = lost,
                "too many alerts wait: the oldest are not told"
            );
        }
        Ok(due.len())
    }

    async fn of_route(
        &self,
        wanted: &Wanted,
        due: &[DueChange],
        keys: &[FindingId],
        rows: &BTreeMap<FindingId, FindingRow>,
    ) -> Result<Vec<NewAlert>, StoreError> {
        let route = &wanted.route.name;
        let mut kept = BTreeSet::new();
        for filter in &wanted.filters {
            kept.extend(self.alerts.matching(keys, filter).await?);
        }
        let mut told = self.alerts.told(route, keys).await?;
        let mut queued = Vec::new();
        for change in due {
            let Some(row) = rows.get(&change.finding) else {
                continue;
            };
            let over = matches!(change.state, FindingState::Closed | FindingState::Waived);
            let fires = kept.contains(&change.finding) && !over;
            let before = told.remove(&change.finding);
            if !fires && before.is_none() {
                continue;
            }
            let before = before.and_then(|labels| serde_json::from_str::<Labels>(&labels).ok());
            let links = self.routes.links();
            let message = match kept.contains(&change.finding) {
                true => Message::of(change, row, (fires, before), links),
                false => {
                    let nameless = || Labels {
                        finding: change.finding.to_string(),
                        ..Labels::default()
                    };
                    Message::left(change, row, before.unwrap_or_else(nameless), links)
                }
            };
            let (Ok(body), Ok(labels)) = (
                serde_json::to_string(&message),
                serde_json::to_string(&message.labels),
            ) else {
                return Err(StoreError::Damaged("alert"));
            };
            let labels = fires.then_some(labels);
            if let Some(labels) = &labels {
                told.insert(change.finding, labels.clone());
            }
            queued.push(NewAlert {
                route: route.clone(),
                event: change.event,
                finding: change.finding,
                since: change.at,
                body,
                told: labels,
            });
        }
        Ok(queued)
    }

    /// The filters of every route, as of now.
    async fn wanted(&self) -> Result<Vec<Wanted>, StoreError> {
        let now = (self.clock)();
        let attachments = self.alerts.attachments().await?;
        let mut all = Vec::new();
        for route in self.routes.iter() {
            let everybody = Asking {
                now,
                person: "",
                sites: None,
                then: None,
            };
            let own = route.filter.as_ref().map(|line| FindingFilter {
                clauses: meaning::findings(line, &everybody).clauses,
                // Whether it is closed stands with the change.
                closed: true,
                ..FindingFilter::default()
            });
            let mut filters: Vec<FindingFilter> = own.into_iter().collect();
            for attachment in attachments.iter().filter(|it| it.route == route.name) {
                if let Ok(filter) = attached(&*self.accounts, attachment, now).await? {
                    filters.push(filter);
                }
            }
            all.push(Wanted {
                route: Arc::clone(route),
                filters,
            });
        }
        Ok(all)
    }
}

/// What an attached view keeps for whoever attached it, as they may see now; else why it keeps nothing.
///
/// # Errors
/// [`StoreError`] when the store does not answer.
pub async fn attached(
    accounts: &dyn Accounts,
    attachment: &Attachment,
    now: Instant,
) -> Result<Result<FindingFilter, &'static str>, StoreError> {
    let Some((account, _)) = accounts.account_named(&attachment.person).await? else {
        return Ok(Err("whoever attached it has no account here"));
    };
    let person = Person {
        name: account.name,
        role: account.role,
        sites: account.sites,
    };
    if account.disabled.is_some() || !person.may(Right::Act) {
        return Ok(Err("whoever attached it may no longer act"));
    }
    if attachment.view.owner != person.name && !attachment.view.shared {
        return Ok(Err("the view is no longer shared"));
    }
    let asking = Asking::of(&person, now);
    let filter = View::read(attachment.view.clone()).and_then(|view| view.query.findings(&asking));
    Ok(filter
        .map(|filter| FindingFilter {
            closed: true,
            ..filter
        })
        .map_err(|_| "the view is no longer understood"))
}
