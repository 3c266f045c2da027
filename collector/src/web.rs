//! The pages people read: rendered here, kept fresh by a small script, never dependent on it.
//!
//! Invariants: pages read the store and write only what people do; the URL is the filter; every text that
//! came from a device or a browser is cleaned, bounded and escaped; every
//! response carries the content security policy; unknown is never shown as clear.

pub mod show;
pub mod page;
pub mod access;
pub mod assets;
pub mod guard;
pub mod live;
pub mod form;
pub mod complete;
pub mod export;
pub mod health;
pub mod glance;
pub mod kept;
pub mod now;
pub mod evidence;
pub mod claim;
pub mod findings;
pub mod finding;
pub mod elements;
pub mod coverage;
pub mod what_if;
pub mod tree;
pub mod element;

#[cfg(test)]
pub mod fixture;
#[cfg(test)]
mod tests;

use crate::api::{self, Api};
use crate::ingest::Uncommitted;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::middleware;
use axum::response::Response;
use axum::routing::{get, post};
use glance::Glances;
use metrics_exporter_prometheus::PrometheusHandle;
use model::on_file::OnFile;
use model::{Instant, Person};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use store::{Past, Store, Views};
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::timeout::TimeoutLayer;

/// No page may take longer.
const PAGE_SECONDS: u64 = 30;

/// What the pages are made from.
pub struct Web {
    /// Everything shown comes from here.
    pub store: Arc<dyn Store>,
    /// The network as it was on a day.
    pub past: Arc<dyn Past>,
    /// Views that people keep.
    pub views: Arc<dyn Views>,
    /// What the operator is called.
    pub operator: String,
    /// Who the operator is before the law.
    pub operator_tags: BTreeSet<String>,
    /// Texts of the rules.
    pub policies: Arc<policy::Policies>,
    /// What the operator has on file: prices of what goes.
    pub on_file: Arc<OnFile>,
    /// Version of the knowledge in use, for the footer.
    pub knowledge_version: String,
    /// What was received and is not on disk yet.
    pub uncommitted: Uncommitted,
    /// Now, for ages and days left.
    pub clock: fn() -> Instant,
    /// Whether only this machine can reach us; then only its own names are answered.
    pub loopback_only: bool,
    /// The program's own metrics, if they are collected.
    pub metrics: Option<PrometheusHandle>,
    /// Ends the live streams.
    pub shutdown: CancellationToken,
}

/// What handlers share.
type Shared = State<Arc<Web>>;

/// Pages, assets, the live stream and the API.
pub fn router(web: Web) -> axum::Router {
    let web = Arc::new(web);
    pages(&web).layer(middleware::from_fn_with_state(web, guard::guard))
}

/// The same before anybody is asked who they are.
fn pages(web: &Arc<Web>) -> axum::Router {
    let api = Api {
        store: web.store.clone(),
        policies: web.policies.clone(),
        clock: web.clock,
        uncommitted: web.uncommitted.clone(),
        metrics: web.metrics.clone(),
    };
    axum::Router::new()
        .route("/", get(now::now))
        .route("/findings", get(findings::findings))
        .route("/findings/{id}", get(finding::finding))
        .route("/findings.csv", get(export::findings_csv))
        .route("/findings.json", get(export::findings_json))
        .route("/elements", get(elements::elements))
        .route("/elements.csv", get(export::elements_csv))
        .route("/elements.json", get(export::elements_json))
        .route("/complete", get(complete::offers))
        .route("/views", post(kept::keep))
        .route("/views/drop", post(kept::drop_view))
        .route("/elements/{id}", get(element::element))
        .route("/coverage", get(coverage::coverage))
        .route("/what-if", get(what_if::what_if))
        .route("/evidence/{digest}", get(evidence::evidence))
        .route("/evidence/{digest}/walk", get(evidence::walk))
        .route("/assets/{name}", get(assets::asset))
        .merge(live::router(web.clone()))
        .fallback(missing)
        .with_state(web.clone())
        .merge(api::router(api))
        .route_layer(middleware::from_fn_with_state(web.clone(), access::gate))
        .layer(Extension(Glances::default()))
        .layer(Extension(what_if::Turn::default()))
        .layer(Extension(kept::Counts::default()))
        .layer(CatchPanicLayer::new())
        .layer(TimeoutLayer::with_status_code(
            StatusCode::SERVICE_UNAVAILABLE,
            Duration::from_secs(PAGE_SECONDS),
        ))
        .layer(CompressionLayer::new())
}

async fn missing(State(web): Shared, person: Option<Extension<Arc<Person>>>) -> Response {
    page::refuse(
        &web,
        person.map(|Extension(person)| person),
        &api::Problem::NotFound("page"),
    )
}
