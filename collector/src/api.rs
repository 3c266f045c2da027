//! What programs read: counts, findings and elements as JSON, health and metrics.
//!
//! Invariants: read only; the query parameters are those of the pages; an error
//! says what the caller can do about it and nothing about our insides.

pub mod query;
pub mod then;
pub mod engines;

use crate::coverage;
use crate::door::Arrival;
use crate::filter::meaning::Asking;
use crate::ingest::Uncommitted;
use axum::Json;
use axum::extract::{Extension, Query as Pairs, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;
use model::{AgentId, Digest, FindingState, Instant, Severity, SiteName, Standing};
use policy::Policies;
use policy::removal::contradictions;
use query::Query;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;
use store::plans::PlanState;
use store::view::{Backlog, Count, ElementRow, FindingRow, Overview, Page, SpoolRow};
use store::{Store, StoreError};
use then::Then;

/// What the handlers read.
#[derive(Clone)]
pub struct Api {
    /// Everything shown comes from here.
    pub store: Arc<dyn Store>,
    /// Until when their packs saw sources, for whoever reads an answer.
    pub policies: Arc<Policies>,
    /// What was received and is not on disk yet.
    pub uncommitted: Uncommitted,
    /// What engine IDs are read with.
    pub knowledge: &'static identify::Knowledge,
    /// Now, for ages.
    pub clock: fn() -> Instant,
    /// The program's own metrics, if they are collected.
    pub metrics: Option<PrometheusHandle>,
}

/// Why a request has no answer, by what the caller can do about it.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// Correct the request.
    #[error("parameter {parameter} does not understand {value:?}")]
    BadParameter {
        /// Name of the parameter, bounded.
        parameter: String,
        /// What it said, bounded.
        value: String,
        /// What it may say, for people.
        allowed: String,
    },
    /// Look elsewhere: there is no such thing here.
    #[error("no such {0}")]
    NotFound(&'static str),
    /// Try again later.
    #[error("the store did not answer")]
    Store(#[from] StoreError),
    /// Try again in a moment: something this large is done one at a time.
    #[error("somebody else asks the same kind of thing just now")]
    Busy,
    /// Ask whoever decides who may.
    #[error("not allowed")]
    NotAllowed,
    /// Say who you are.
    #[error("not signed in: show a token (Authorization: Bearer)")]
    NotSignedIn,
    /// Tell us: what is stored cannot be shown.
    #[error("cannot show {0}")]
    Unreadable(&'static str),
}

impl Problem {
    /// The status that goes with it.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::BadParameter { .. } => StatusCode::BAD_REQUEST,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::NotAllowed => StatusCode::FORBIDDEN,
            Self::NotSignedIn => StatusCode::UNAUTHORIZED,
            Self::Store(_) | Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::Unreadable(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Writes down what the caller is not told.
    pub fn log(&self) {
        match self {
            Self::Store(error) => tracing::warn!(error = %chain(error), "store did not answer a page"),
            Self::Unreadable(what) => tracing::error!(what, "stored data cannot be shown"),
            Self::BadParameter { .. }
            | Self::NotFound(_)
            | Self::NotAllowed
            | Self::NotSignedIn
            | Self::Busy => {}
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        self.log();
        let body = match &self {
            Self::BadParameter {
                parameter,
                value,
                allowed,
            } => {
                json!({"error": self.to_string(), "parameter": parameter, "value": value, "allowed": allowed})
            }
            other => json!({"error": other.to_string()}),
        };
        (self.status(), Json(body)).into_response()
    }
}

/// The routes: `/api/v1/…`, `/healthz` and `/metrics`.
pub fn router(api: Api) -> axum::Router {
    axum::Router::new()
        .route("/api/v1/summary", get(summary))
        .route("/api/v1/findings", get(findings))
        .route("/api/v1/elements", get(elements))
        .route("/api/v1/coverage", get(coverage))
        .route("/healthz", get(healthz))
        .route("/metrics", get(metrics))
        .with_state(api)
}

/// An answer that judges: with what it is not, and until when the packs saw sources.
#[derive(Debug, Serialize)]
pub struct Noticed<T> {
    /// That it is no advice.
    pub notice: &'static str,
    /// Until when the packs saw sources.
    pub horizon: String,
    /// Version of the packs in use, or of those judged by on the day asked for.
    pub policies: String,
    /// The day asked for, where that is over: how things stood at its end (UTC), as recorded by then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<String>,
    /// Version of the knowledge in use on that day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub knowledge: Option<String>,
    /// The answer.
    #[serde(flatten)]
    pub answer: T,
}

impl Api {
    fn noticed<T>(&self, answer: T) -> Json<Noticed<T>> {
        self.noticed_then(answer, None)
    }

    fn noticed_then<T>(&self, answer: T, then: Option<&Then>) -> Json<Noticed<T>> {
        Json(Noticed {
            notice: policy::DISCLAIMER,
            horizon: then.map_or_else(|| self.policies.horizon(), |then| then.horizon(&self.policies)),
            policies: then
                .map_or(self.policies.version(), |then| &then.policies)
                .to_owned(),
            as_of: then.map(|then| then.day.to_string()),
            knowledge: then.map(|then| then.knowledge.clone()),
            answer,
        })
    }
}

/// A finding in an answer: with what in its life does not go together.
#[derive(Debug, Serialize)]
pub struct Told {
    #[serde(flatten)]
    row: FindingRow,
    contradictions: Vec<String>,
}

impl Told {
    /// The row as seen now.
    #[must_use]
    pub fn new(row: FindingRow, now: Instant) -> Self {
        let today = now.date();
        let contradictions = today.map(|today| contradictions(&row.life, &row.result, today));
        Self {
            contradictions: contradictions.unwrap_or_default(),
            row,
        }
    }
}

/// Who asks; the gate lets nobody through to what needs one.
type Who = Extension<Arrival>;

async fn summary(State(api): State<Api>, Extension(who): Who) -> Result<Json<Noticed<Summary>>, Problem> {
    let overview = api.store.overview_of(who.person.sites.as_ref()).await?;
    let summary = summarise(&overview, api.uncommitted.oldest(), (api.clock)());
    Ok(api.noticed(summary))
}

async fn findings(
    State(api): State<Api>,
    Extension(who): Who,
    Pairs(pairs): Pairs<Vec<(String, String)>>,
) -> Result<Json<Noticed<Page<Told>>>, Problem> {
    let now = (api.clock)();
    let query = Query::read(pairs, &[query::FINDINGS, query::DAY].concat())?;
    let (query, then) = Then::asked(&*api.store, query, now).await?;
    let asking = Asking::of(&who.person, now).at(then.as_ref().map(|then| then.at));
    let page = api.store.findings(&query.findings(&asking)?).await?;
    let told = |row| Told::new(row, asking.now);
    let page = Page {
        rows: page.rows.into_iter().map(told).collect(),
        total: page.total,
        measure: page.measure,
        next: page.next,
    };
    Ok(api.noticed_then(page, then.as_ref()))
}

async fn elements(
    State(api): State<Api>,
    Extension(who): Who,
    Pairs(pairs): Pairs<Vec<(String, String)>>,
) -> Result<Json<Noticed<Page<ElementRow>>>, Problem> {
    let now = (api.clock)();
    let query = Query::read(pairs, &[query::ELEMENTS, query::DAY].concat())?;
    let (query, then) = Then::asked(&*api.store, query, now).await?;
    let asking = Asking::of(&who.person, now).at(then.as_ref().map(|then| then.at));
    let page = api.store.elements(&query.elements(&asking)?).await?;
    Ok(api.noticed_then(page, then.as_ref()))
}

/// Funnels and ranges; with a range chosen, its addresses in runs of one state.
async fn coverage(
    State(api): State<Api>,
    Extension(who): Who,
    Pairs(pairs): Pairs<Vec<(String, String)>>,
) -> Result<Json<Noticed<Value>>, Problem> {
    let query = Query::read(pairs, query::COVERAGE)?;
    let all = coverage::read(&*api.store, &who.person).await?;
    let chosen = query.range(&all)?;
    let runs = match chosen {
        Some((_, range)) => Some(range.runs(&query.states()?)),
        None => None,
    };
    let whose = (&*api.store, api.knowledge, &*who.person);
    let engines = engines::page(whose, &query, (&all, chosen), (0, false)).await?;
    Ok(api.noticed(json!({
        "funnel": all.funnel,
        "sites": all.sites,
        "proposed": all.proposed,
        "seen": all.seen,
        "engines": engines,
        "runs": runs,
    })))
}

/// Able to read (one look-up of a key that is not there), and to write when it last tried.
async fn healthz(State(api): State<Api>) -> Result<Response, Problem> {
    api.store.evidence(Digest([0; 32])).await?;
    if !api.store.takes_writes() {
        return Ok((StatusCode::SERVICE_UNAVAILABLE, "no room on the disk\n").into_response());
    }
    Ok("ok\n".into_response())
}

/// They count all sites together.
async fn metrics(State(api): State<Api>, Extension(who): Who) -> Response {
    if who.person.sites.is_some() {
        return Problem::NotAllowed.into_response();
    }
    match api.metrics {
        Some(handle) => {
            let kind = (header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8");
            ([kind], handle.render()).into_response()
        }
        None => Problem::NotFound("metrics: they are not collected").into_response(),
    }
}

/// The counts of the first page.
#[derive(Debug, Serialize)]
pub struct Summary {
    /// Elements known.
    pub elements: u64,
    /// Of these, answered at least once.
    pub reached: u64,
    /// Of these, with a named maker.
    pub identified: u64,
    /// Components of the units now in place.
    pub components: u64,
    /// Reports durable.
    pub reports: u64,
    /// Findings by state, every word present.
    pub findings: Map<String, Value>,
    /// Open findings by severity, every word present.
    pub severity: Map<String, Value>,
    /// Elements by standing, every word present.
    pub standing: Map<String, Value>,
    /// Sequences acknowledged without a row and without a gap: must be 0.
    pub lost: u64,
    /// Sequences that agents declared lost.
    pub gaps: u64,
    /// What waits before the stages.
    pub pending: Pending,
    /// How old things are.
    pub ages: Ages,
    /// Agents in quarantine.
    pub quarantined: usize,
    /// How each agent that is not shut out stands to the newest plan of its site.
    pub plans: Vec<AgentPlan>,
}

/// An agent and its plan.
#[derive(Debug, Serialize)]
pub struct AgentPlan {
    /// Who.
    pub agent: AgentId,
    /// Where.
    pub site: SiteName,
    /// How it stands, and what belongs to that.
    #[serde(flatten)]
    pub plan: PlanState,
}

/// How much waits before each stage.
#[derive(Debug, Serialize)]
pub struct Pending {
    /// Evidence before identification; 100,000 stands for as many or more.
    pub unidentified: u64,
    /// Elements before evaluation, in the same way.
    pub unevaluated: u64,
    /// Changes of findings before somebody is told of them.
    pub untold: u64,
}

/// Seconds since; `null` when nothing waits or nothing came yet.
#[derive(Debug, Serialize)]
pub struct Ages {
    /// The oldest evidence before identification.
    pub unidentified: Option<u64>,
    /// The oldest element before evaluation.
    pub unevaluated: Option<u64>,
    /// The oldest change that somebody is to be told of.
    pub untold: Option<u64>,
    /// The last report.
    pub last_report: Option<u64>,
    /// The agent silent for longest.
    pub quietest_agent: Option<u64>,
    /// The oldest report or gap in a spool, as agents told it.
    pub spooled: Option<u64>,
    /// The oldest in a spool that was not sent.
    pub unsent: Option<u64>,
    /// The oldest that was sent and is not acknowledged.
    pub unacked: Option<u64>,
    /// The oldest that was received here and is not on disk.
    pub uncommitted: Option<u64>,
}

fn summarise(overview: &Overview, uncommitted: Option<Duration>, now: Instant) -> Summary {
    let age = |backlog: &Backlog| backlog.oldest.map(|at| now.seconds_since(at));
    let oldest = |since: &dyn Fn(SpoolRow) -> Option<Instant>| {
        let open = overview.agents.iter().filter(|agent| !agent.is_kept_out());
        open.filter_map(|agent| since(agent.spool?))
            .map(|at| now.seconds_since(at))
            .max()
    };
    Summary {
        elements: overview.elements,
        reached: overview.reached,
        identified: overview.identified,
        components: overview.components,
        reports: overview.reports,
        findings: every_word(FindingState::ALL, &overview.states),
        severity: every_word(Severity::ALL, &overview.severities),
        standing: every_word(Standing::ALL, &overview.standings),
        lost: overview.lost,
        gaps: overview.gap_sequences,
        pending: Pending {
            unidentified: overview.unidentified.count,
            unevaluated: overview.unevaluated.count,
            untold: overview.untold.count,
        },
        ages: Ages {
            unidentified: age(&overview.unidentified),
            unevaluated: age(&overview.unevaluated),
            untold: age(&overview.untold),
            last_report: overview.last_report.map(|at| now.seconds_since(at)),
            quietest_agent: overview
                .agents
                .iter()
                .filter(|agent| !agent.is_kept_out())
                .map(|agent| now.seconds_since(agent.last_seen))
                .max(),
            spooled: oldest(&|spool| spool.oldest),
            unsent: oldest(&|spool| spool.unsent),
            unacked: oldest(&|spool| spool.unacked),
            uncommitted: uncommitted.map(|age| age.as_secs()),
        },
        quarantined: overview
            .agents
            .iter()
            .filter(|agent| agent.revoked.is_none() && agent.quarantined.is_some())
            .count(),
        plans: overview
            .agents
            .iter()
            .filter(|agent| agent.revoked.is_none())
            .map(|agent| AgentPlan {
                agent: agent.agent,
                site: agent.site.clone(),
                plan: agent.plan.clone(),
            })
            .collect(),
    }
}

/// The counts under every word there is, 0 where none was counted.
fn every_word(words: &[impl Display], counts: &[Count]) -> Map<String, Value> {
    let mut map: Map<String, Value> = words
        .iter()
        .map(|word| (word.to_string(), Value::from(0_u64)))
        .collect();
    map.extend(
        counts
            .iter()
            .map(|count| (count.word.clone(), Value::from(count.count))),
    );
    map
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}
