//! What all pages have around them, and how a page or a refusal becomes a response.

use super::Web;
use super::access::Visit;
use super::audit;
use super::show::Moment;
use crate::api::Problem;
use crate::api::then::Then;
use askama::Template;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use model::{Person, Right, SiteName};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// What surrounds every page.
#[derive(Debug)]
pub struct Frame {
    /// Which entry of the navigation is current.
    pub section: &'static str,
    /// Revision of the store the page shows at least; the script compares it with the stream's.
    pub revision: u64,
    /// When the page was made.
    pub made: Moment,
    /// The day judged for: today in UTC.
    pub as_of: String,
    /// Version of the policies.
    pub policies: String,
    /// Until when the packs saw sources.
    pub horizon: String,
    /// Version of the knowledge.
    pub knowledge: String,
    /// Whether the page hangs on a wall: no navigation, large type.
    pub wall: bool,
    /// Time zone of the site the page is about, where it is declared.
    pub zone: Option<String>,
    /// Time zones of sites, where they are declared.
    pub zones: Arc<BTreeMap<SiteName, String>>,
    /// The day the page shows, where that is over.
    pub then: Option<String>,
    /// Who looks; [`None`] where nobody has signed in.
    pub person: Option<Arc<Person>>,
}

/// The pages people go to: section, path, name, and what looking at it asks for.
pub const PAGES: &[(&str, &str, &str, Right)] = &[
    ("now", "/", "Now", Right::See),
    ("findings", "/findings", "Findings", Right::See),
    ("elements", "/elements", "Elements", Right::See),
    ("exposure", "/exposure", "Exposure", Right::See),
    ("deadlines", "/deadlines", "Deadlines", Right::See),
    ("policies", "/policies", "Policies", Right::See),
    ("what-if", "/what-if", "What if", Right::See),
    ("suppliers", "/suppliers", "Suppliers", Right::See),
    ("waivers", "/waivers", "Waivers", Right::See),
    ("coverage", "/coverage", "Coverage", Right::See),
    ("agents", "/agents", "Agents", Right::See),
    ("map", "/map", "Map", Right::See),
    ("reports", "/reports", "Reports", Right::See),
    ("audit", "/audit", "Audit", Right::Sign),
    ("admin", "/admin", "Admin", Right::Administer),
];

impl Frame {
    /// The frame of a page made now; to be called before the store is read.
    #[must_use]
    pub fn new(visit: &Visit, section: &'static str) -> Self {
        Self::of(visit, Some(visit.person.clone()), section)
    }

    /// The frame of a page for whoever has not signed in.
    #[must_use]
    pub fn nobody(web: &Web) -> Self {
        Self::of(web, None, "")
    }

    /// The same about one site.
    #[must_use]
    pub fn about(self, site: &SiteName) -> Self {
        Self {
            zone: self.zones.get(site).cloned(),
            ..self
        }
    }

    /// The time zone of a row's site, where it is declared; on a page about a site with a zone, another site without one
    /// has the empty one, so that it is not told in the page's.
    #[must_use]
    pub fn zone_of(&self, site: &str) -> Option<&str> {
        let zone = site.parse::<SiteName>().ok();
        let zone = zone.and_then(|site| self.zones.get(&site)).map(String::as_str);
        match (&self.zone, zone) {
            (Some(of_page), Some(zone)) if of_page == zone => None,
            (Some(_), None) => Some(""),
            (_, zone) => zone,
        }
    }

    /// The same about a day that is over, if one is asked for: with the versions of that day.
    #[must_use]
    pub fn at(self, web: &Web, then: Option<&Then>) -> Self {
        let Some(then) = then else { return self };
        let day = then.day.to_string();
        let known = |version: &str| match version {
            "" => "none yet".to_owned(),
            version => version.to_owned(),
        };
        Self {
            as_of: format!("{day}, as known then"),
            policies: known(&then.policies),
            knowledge: known(&then.knowledge),
            horizon: then.horizon(&web.policies),
            then: Some(day),
            ..self
        }
    }

    fn of(web: &Web, person: Option<Arc<Person>>, section: &'static str) -> Self {
        let now = (web.clock)();
        Self {
            section,
            revision: *web.store.revision().borrow(),
            made: Moment::new(now, now),
            as_of: now.to_string().chars().take(10).collect(),
            policies: web.policies.version().to_owned(),
            horizon: web.policies.horizon(),
            knowledge: web.knowledge_version.clone(),
            wall: false,
            zone: None,
            zones: Arc::clone(&web.zones),
            then: None,
            person,
        }
    }

    /// Whether whoever looks may.
    #[must_use]
    pub fn may(&self, right: Right) -> bool {
        self.person.as_ref().is_some_and(|person| person.may(right))
    }

    /// The pages whoever looks may go to: section, path, name.
    pub fn pages(&self) -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
        PAGES
            .iter()
            .filter(|(.., right)| self.may(*right))
            .filter(|(section, ..)| *section != "audit" || self.person.as_deref().is_some_and(audit::reads))
            .map(|&(section, path, name, _)| (section, path, name))
    }
}

#[derive(Template)]
#[template(path = "refusal.html")]
struct Refusal<'a> {
    frame: Frame,
    problem: &'a Problem,
}

/// A page, or the page that says why there is none.
pub fn answer<T: Template>(visit: &Visit, made: Result<T, Problem>) -> Response {
    answer_as(StatusCode::OK, visit, made)
}

/// The same for a page that shows again what was not taken.
pub fn answer_as<T: Template>(status: StatusCode, visit: &Visit, made: Result<T, Problem>) -> Response {
    match made {
        Ok(template) => render(status, &template),
        Err(problem) => refuse(visit, Some(visit.person.clone()), &problem),
    }
}

/// [`answer`] with a status of the page's own.
pub fn answer_with<T: Template>(visit: &Visit, made: Result<(StatusCode, T), Problem>) -> Response {
    match made {
        Ok((status, template)) => render(status, &template),
        Err(problem) => refuse(visit, Some(visit.person.clone()), &problem),
    }
}

/// The page that says why there is none.
pub fn refuse(web: &Web, person: Option<Arc<Person>>, problem: &Problem) -> Response {
    problem.log();
    let mut response = render(
        problem.status(),
        &Refusal {
            frame: Frame::of(web, person, ""),
            problem,
        },
    );
    if problem.status() == StatusCode::SERVICE_UNAVAILABLE {
        let seconds = header::HeaderValue::from(Duration::from_secs(10).as_secs());
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    response
}

/// A page with its status.
pub fn render(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response(),
        Err(error) => {
            tracing::error!(%error, "page did not render");
            (StatusCode::INTERNAL_SERVER_ERROR, "this page cannot be shown\n").into_response()
        }
    }
}
