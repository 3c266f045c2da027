//! The pages people read: rendered here, kept fresh by a small script, never dependent on it.
//!
//! Invariants: pages read the store and write what people do; the URL is the filter; every text that
//! came from a device or a browser is cleaned, bounded and escaped; every
//! response carries the content security policy; unknown is never shown as clear.

pub mod show;
pub mod page;
pub mod arrive;
pub mod access;
pub mod assets;
pub mod guard;
pub mod live;
pub mod form;
pub mod narrow;
pub mod complete;
pub mod picked;
mod export;
pub mod health;
pub mod shelf;
pub mod glance;
pub mod hand;
pub mod kept;
pub mod alerts;
pub mod now;
pub mod evidence;
pub mod claim;
pub mod act;
pub mod findings;
pub mod finding;
pub mod waivers;
pub mod audit;
pub mod elements;
pub mod engines;
pub mod coverage;
pub mod agents;
pub mod projection;
pub mod map;
pub mod layout;
pub mod topology;
pub mod what_if;
pub mod books;
pub mod chart;
pub mod exposure;
pub mod deadlines;
pub mod policies;
pub mod rule;
pub mod suppliers;
pub mod supplier;
pub mod tree;
pub mod verdicts;
pub mod history;
pub mod against;
pub mod around;
pub mod element;
pub mod fields;
pub mod sign_in;
pub mod openid;
pub mod second;
pub mod account;
pub mod admin;
pub mod reports;

#[cfg(test)]
pub mod fixture;
#[cfg(test)]
mod tests;

use crate::alert::Routes;
use crate::api::{self, Api};
use crate::door::{Arrival, Door};
use crate::evaluate::Operator;
use crate::ingest::Uncommitted;
use crate::packs::Assured;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::middleware;
use axum::response::Response;
use axum::routing::{get, post};
use glance::Glances;
use metrics_exporter_prometheus::PrometheusHandle;
use model::Instant;
use model::SiteName;
use model::on_file::OnFile;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use store::{Acts, Admission, Alerts, Briefing, Field, Ledgers, Past, Store, Views};
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::csrf::CsrfLayer;
use tower_http::timeout::TimeoutLayer;

/// No page may take longer.
const PAGE_SECONDS: u64 = 30;

/// What the pages are made from.
pub struct Web {
    /// Everything shown comes from here.
    pub store: Arc<dyn Store>,
    /// The network as it was on a day.
    pub past: Arc<dyn Past>,
    /// The whole network counted.
    pub ledgers: Arc<dyn Ledgers>,
    /// Who makes what, for those who look a supplier up.
    pub knowledge: &'static identify::Knowledge,
    /// How far the packs were checked before they were read.
    pub assured: Assured,
    /// What waits and what changed.
    pub briefing: Arc<dyn Briefing>,
    /// What people do goes through here.
    pub acts: Arc<dyn Acts>,
    /// What stands in the field: neighbours, losses, days of change.
    pub field: Arc<dyn Field>,
    /// Who may come in.
    pub admission: Arc<dyn Admission>,
    /// Fingerprint of the authority that agents are invited to trust.
    pub authority: [u8; 32],
    /// Views that people keep.
    pub views: Arc<dyn Views>,
    /// Alerts that wait, and views attached to routes.
    pub alerts: Arc<dyn Alerts>,
    /// Who is told of changes of findings.
    pub routes: Arc<Routes>,
    /// What the operator is called.
    pub operator: String,
    /// Who the operator is before the law.
    pub operator_tags: BTreeSet<String>,
    /// Texts of the rules.
    pub policies: Arc<policy::Policies>,
    /// What the operator has on file: prices of what goes.
    pub on_file: Arc<OnFile>,
    /// Time zones of sites, where they are declared.
    pub zones: Arc<BTreeMap<SiteName, String>>,
    /// Version of the knowledge in use, for the footer.
    pub knowledge_version: String,
    /// What was received and is not on disk yet.
    pub uncommitted: Uncommitted,
    /// Now, for ages and days left.
    pub clock: fn() -> Instant,
    /// Whether only this machine can reach us; then only its own names are answered.
    pub loopback_only: bool,
    /// Whether pages come over TLS; then cookies are bound to it and to this host.
    pub secure: bool,
    /// Whether browsers are told to come by TLS alone from now on (RFC 6797): where the certificate is one they trust.
    pub strict: bool,
    /// Who may come in.
    pub door: Arc<Door>,
    /// Who else says who people are.
    pub openid: Option<Arc<crate::openid::OpenId>>,
    /// The program's own metrics, if they are collected.
    pub metrics: Option<PrometheusHandle>,
    /// Ends the live streams.
    pub shutdown: CancellationToken,
}

impl Web {
    /// Who the operator is, and what it has on file.
    #[must_use]
    pub fn operator(&self) -> Operator<'_> {
        Operator {
            tags: &self.operator_tags,
            name: &self.operator,
            on_file: &self.on_file,
        }
    }
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
        knowledge: web.knowledge,
        clock: web.clock,
        uncommitted: web.uncommitted.clone(),
        metrics: web.metrics.clone(),
    };
    axum::Router::new()
        .route("/", get(now::now))
        .route("/findings", get(findings::findings))
        .route("/findings/{id}", get(finding::finding))
        .route("/findings/act", post(act::act))
        .route("/findings/sign", post(act::sign))
        .route("/waivers", get(waivers::waivers))
        .route("/audit", get(audit::audit))
        .route("/audit/export", get(audit::export))
        .route("/findings.csv", get(export::findings_csv))
        .route("/findings.json", get(export::findings_json))
        .route("/elements", get(elements::elements))
        .route("/elements.csv", get(export::elements_csv))
        .route("/elements.json", get(export::elements_json))
        .route("/complete", get(complete::offers))
        .route("/views", post(kept::keep))
        .route("/views/drop", post(kept::drop_view))
        .route("/alerts/attach", post(alerts::attach))
        .route("/alerts/detach", post(alerts::detach))
        .route("/elements/{id}", get(element::element))
        .route("/coverage", get(coverage::coverage))
        .route("/coverage.csv", get(coverage::csv))
        .route("/coverage.json", get(coverage::json))
        .route("/waivers.csv", get(waivers::csv))
        .route("/waivers.json", get(waivers::json))
        .route("/what-if", get(what_if::what_if))
        .route("/exposure", get(exposure::exposure))
        .route("/deadlines", get(deadlines::deadlines))
        .route("/policies", get(policies::policies))
        .route("/policies/{jurisdiction}", get(policies::pack))
        .route("/rules/{id}", get(rule::rule))
        .route("/suppliers", get(suppliers::suppliers))
        .route("/suppliers/{id}", get(supplier::supplier))
        .route("/reports", get(reports::index))
        .route("/reports/{report}", get(reports::report))
        .route("/agents", get(agents::agents))
        .route("/agents/invite", post(agents::invite))
        .route("/agents/{id}", get(agents::agent))
        .route("/agents/{id}/revoke", post(agents::revoke))
        .route("/agents/{id}/quarantine", post(agents::quarantine))
        .route("/agents/{id}/release", post(agents::release))
        .route("/map", get(map::map))
        .route("/map/{site}", get(topology::topology))
        .route("/evidence/{digest}", get(evidence::evidence))
        .route("/evidence/{digest}/walk", get(evidence::walk))
        .route("/assets/{name}", get(assets::asset))
        // ── who may ──
        .route("/sign-in", get(sign_in::page).post(sign_in::sign_in))
        .route("/sign-in/code", get(sign_in::code_page).post(sign_in::code))
        .route("/sign-in/openid", get(openid::begin))
        .route(crate::openid::DONE, get(openid::done))
        .route("/sign-out", post(sign_in::sign_out))
        .route("/enter", get(sign_in::enter))
        .route("/set-up", get(sign_in::link_page).post(sign_in::use_link))
        .route("/account", get(account::account))
        .route("/account/password", post(account::password))
        .route("/account/second", post(second::begin))
        .route("/account/second/prove", post(second::prove))
        .route("/account/second/off", post(second::off))
        .route("/account/sessions/{id}/end", post(account::end_session))
        .route("/admin", get(admin::admin))
        .route("/admin/accounts", post(admin::add_account))
        .route("/admin/accounts/{id}/rights", post(admin::set_rights))
        .route("/admin/accounts/{id}/disable", post(admin::disable))
        .route("/admin/accounts/{id}/enable", post(admin::enable))
        .route("/admin/accounts/{id}/link", post(admin::link))
        .route("/admin/accounts/{id}/second-off", post(admin::second_off))
        .route("/admin/tokens", post(admin::add_token))
        .route("/admin/tokens/{id}/end", post(admin::end_token))
        .route("/admin/sessions/{id}/end", post(admin::end_session))
        .route("/admin/routes/{route}/test", post(admin::test_route))
        .merge(live::router(web.clone()))
        .fallback(missing)
        .with_state(web.clone())
        .merge(api::router(api))
        .route_layer(middleware::from_fn_with_state(web.clone(), access::gate))
        .layer(Extension(Glances::default()))
        .layer(Extension(hand::Hands::default()))
        .layer(Extension(what_if::Turn::default()))
        .layer(Extension(books::Books::default()))
        .layer(Extension(map::Standings::default()))
        .layer(Extension(kept::Counts::default()))
        .layer(CatchPanicLayer::new())
        .layer(TimeoutLayer::with_status_code(
            StatusCode::SERVICE_UNAVAILABLE,
            Duration::from_secs(PAGE_SECONDS),
        ))
        .layer(middleware::from_fn_with_state(web.clone(), arrive::arrive))
        .layer(CsrfLayer::new().with_rejection_response(arrive::cross_site))
        .layer(CompressionLayer::new())
}

async fn missing(State(web): Shared, arrival: Option<Extension<Arrival>>) -> Response {
    let person = arrival.map(|Extension(arrival)| arrival.person);
    page::refuse(&web, person, &api::Problem::NotFound("page"))
}
