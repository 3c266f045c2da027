//! Who is told of changes of findings: routes and how they stand, views attached to them, and a try.
//!
//! Invariants: of a route a page shows its name, kind and host, never a path, a secret or where that lies; who attaches a
//! view is somebody with an account, so that what they may see can be asked each time; who detaches somebody else's may
//! sign.

use super::access::Visit;
use super::page;
use super::show::{self, Moment};
use crate::alert::queue;
use crate::api::Problem;
use crate::api::query::bad;
use crate::door::Pass;
use crate::filter::Subject;
use crate::views::{self, View};
use axum::Form;
use axum::response::{IntoResponse, Redirect, Response};
use model::{Instant, Right};
use serde::Deserialize;
use store::acts::Note;
use store::alerts::{Attachment, MOST_ATTACHED, RouteRow};
use uuid::Uuid;

/// So long alerts that were given up are shown: a week.
const LOSS_SHOWN_MICROS: i64 = 7 * 24 * 3_600 * 1_000_000;

/// A route on the page.
pub struct RouteLine {
    /// Its name.
    pub name: String,
    /// Of which kind.
    pub kind: &'static str,
    /// Where it is: a host.
    pub place: String,
    /// What it is told of by itself.
    pub filter: String,
    /// How many wait.
    pub waiting: String,
    /// Since when the oldest waits.
    pub oldest: Option<Moment>,
    /// How many were delivered.
    pub delivered: String,
    /// When the last was.
    pub last: Option<Moment>,
    /// When the last try in vain was, and why, while none went well since; also what was given up of late.
    pub failure: Option<(Moment, String)>,
}

/// An attached view on the page.
pub struct AttachedLine {
    /// Its key.
    pub id: String,
    /// Name of the view.
    pub view: String,
    /// Where it is.
    pub link: String,
    /// Which route.
    pub route: String,
    /// Who attached it.
    pub person: String,
    /// Since when.
    pub since: Moment,
    /// Why nobody is told of it; empty if somebody is.
    pub idle: &'static str,
}

/// The routes as they stand.
///
/// # Errors
/// [`Problem::Store`] when the store does not answer.
pub async fn routes(visit: &Visit) -> Result<Vec<RouteLine>, Problem> {
    let now = (visit.clock)();
    let rows = visit.alerts.routes().await?;
    let stands = |name: &str| rows.iter().find(|row| row.route == name).cloned();
    let line = |route: &std::sync::Arc<crate::alert::Route>| {
        let row: RouteRow = stands(&route.name).unwrap_or_default();
        let moment = |at: Option<Instant>| at.map(|at| Moment::new(at, now));
        RouteLine {
            name: route.name.clone(),
            kind: route.kind,
            place: show::clean(&route.receiver.place(), 120),
            filter: route.filter.as_ref().map_or(String::new(), ToString::to_string),
            waiting: show::number(row.waiting),
            oldest: moment(row.oldest),
            delivered: show::number(row.delivered),
            last: moment(row.last),
            failure: trouble(&row, now).map(|(at, words)| (Moment::new(at, now), words)),
        }
    };
    Ok(visit.routes.iter().map(line).collect())
}

/// When a route last was in trouble that lasts or is not long ago, and which, in words.
fn trouble(row: &RouteRow, now: Instant) -> Option<(Instant, String)> {
    let lost = row
        .lost_at
        .filter(|at| now.0.saturating_sub(at.0) < LOSS_SHOWN_MICROS);
    let lost = lost.map(|at| {
        let (many, why) = (show::number(row.lost), show::clean(&row.loss, 400));
        (
            at,
            format!("{many} alerts were given up, the last because: {why}"),
        )
    });
    let failed = row.failed.map(|at| (at, show::clean(&row.failure, 400)));
    match (failed, lost) {
        (Some((at, failed)), Some((_, lost))) => Some((at, format!("{failed}; {lost}"))),
        (failed, lost) => failed.or(lost),
    }
}

/// The attached views.
///
/// # Errors
/// [`Problem::Store`] when the store does not answer.
pub async fn attached(visit: &Visit) -> Result<Vec<AttachedLine>, Problem> {
    let now = (visit.clock)();
    let mut lines = Vec::new();
    for attachment in visit.alerts.attachments().await? {
        let declared = visit.routes.named(&attachment.route).is_some();
        let idle = match queue::attached(visit.door.store(), &attachment, now).await? {
            Ok(_) if !declared => "there is no such route any more",
            Ok(_) => "",
            Err(why) => why,
        };
        lines.push(AttachedLine {
            id: attachment.attachment.to_string(),
            view: show::clean(&attachment.view.name, 60),
            link: View::read(attachment.view.clone())
                .map_or_else(|_| "/findings".to_owned(), |view| view.query.link("/findings")),
            route: attachment.route,
            person: show::clean(&attachment.person, 64),
            since: Moment::new(attachment.recorded, now),
            idle,
        });
    }
    Ok(lines)
}

/// The routes that whoever looks may attach views of findings to.
#[must_use]
pub fn offered(visit: &Visit, subject: Subject) -> Vec<String> {
    match subject {
        Subject::Findings if may_attach(visit) => visit.routes.names().into_iter().collect(),
        _ => Vec::new(),
    }
}

/// Attachments of views, as far as whoever looks made them or may end them.
///
/// # Errors
/// [`Problem::Store`] when the store does not answer.
pub async fn theirs(visit: &Visit, subject: Subject) -> Result<Vec<Attachment>, Problem> {
    if subject != Subject::Findings || !may_attach(visit) {
        return Ok(Vec::new());
    }
    let any = visit.person.may(Right::Sign);
    let mut all = visit.alerts.attachments().await?;
    all.retain(|one| any || one.person == visit.person.name);
    Ok(all)
}

fn may_attach(visit: &Visit) -> bool {
    visit.person.may(Right::Act) && matches!(*visit.pass, Pass::Session { .. })
}

/// Which view, and to which route.
#[derive(Debug, Deserialize)]
pub struct Attach {
    view: Uuid,
    route: String,
}

/// `POST /alerts/attach`
pub async fn attach(visit: Visit, Form(asked): Form<Attach>) -> Response {
    let done = async {
        if !may_attach(&visit) {
            return Err(Problem::NotAllowed);
        }
        let route = visit
            .routes
            .named(&asked.route)
            .ok_or(Problem::NotFound("route"))?;
        let kept = visit.views.views(&visit.person.name).await?;
        let row = kept.into_iter().find(|row| row.view == asked.view);
        let view = View::read(row.ok_or(Problem::NotFound("view"))?)?;
        if view.subject != Subject::Findings {
            return Err(Problem::NotFound("view of findings"));
        }
        let (person, now) = (&visit.person.name, (visit.clock)());
        let attached = visit.alerts.attach(asked.view, &route.name, person, now);
        match attached.await? {
            true => Ok(view.link()),
            false => Err(bad(
                "view",
                &asked.view.to_string(),
                format!("no more: {MOST_ATTACHED} views are attached; end one on Admin first"),
            )),
        }
    };
    answer(&visit, done.await)
}

/// Which attachment, and where to go then.
#[derive(Debug, Deserialize)]
pub struct Detach {
    attachment: Uuid,
    #[serde(default)]
    page: String,
}

/// `POST /alerts/detach`
pub async fn detach(visit: Visit, Form(asked): Form<Detach>) -> Response {
    let any = visit.person.may(Right::Sign);
    let gone = visit
        .alerts
        .detach(asked.attachment, &visit.person.name, any, (visit.clock)())
        .await;
    let to = match asked.page.as_str() {
        "admin" => "/admin",
        _ => views::path(Subject::Findings),
    };
    let done = match gone {
        Ok(true) => Ok(to.to_owned()),
        Ok(false) => Err(Problem::NotFound("attached view of yours")),
        Err(error) => Err(Problem::Store(error)),
    };
    answer(&visit, done)
}

fn answer(visit: &Visit, done: Result<String, Problem>) -> Response {
    match done {
        Ok(to) => Redirect::to(&to).into_response(),
        Err(problem) => page::refuse(visit, Some(visit.person.clone()), &problem),
    }
}

/// Tries a route and notes who did: what came of it, in words.
///
/// # Errors
/// [`Problem::NotFound`] where there is no such route, [`Problem::Store`] when the store does not answer.
pub async fn test(visit: &Visit, name: &str) -> Result<Result<String, String>, Problem> {
    let route = visit.routes.named(name).ok_or(Problem::NotFound("route"))?;
    let now = (visit.clock)();
    let outcome = visit.routes.test(route, &visit.person.name, now).await;
    let came = match &outcome {
        Ok(()) => Ok(format!("The route {name} took the test.")),
        Err(failure) => Err(format!("The route {name} did not take the test: {failure}.")),
    };
    let by = visit.by();
    let words = came.as_ref().unwrap_or_else(|words| words);
    let note = Note {
        person: by.person,
        account: by.from,
        action: "alert_tested".to_owned(),
        subjects: vec![name.to_owned()],
        detail: serde_json::Value::from(words.as_str()).to_string(),
    };
    visit.acts.note(&note, now).await?;
    Ok(came)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_given_up_is_trouble_for_a_week() {
        let now = Instant(2 * LOSS_SHOWN_MICROS);
        let mut row = RouteRow::default();
        assert!(trouble(&row, now).is_none());
        (row.lost, row.loss) = (3, "answered 400".to_owned());
        row.lost_at = Some(Instant(now.0 - 5));
        let (at, words) = trouble(&row, now).unwrap();
        assert_eq!(at, Instant(now.0 - 5));
        assert_eq!(words, "3 alerts were given up, the last because: answered 400");
        (row.failed, row.failure) = (Some(now), "answered 503".to_owned());
        let (at, words) = trouble(&row, now).unwrap();
        assert!(
            at == now && words.starts_with("answered 503; 3 alerts"),
            "{words}"
        );
        row.lost_at = Some(Instant(now.0 - LOSS_SHOWN_MICROS));
        assert_eq!(trouble(&row, now), Some((now, "answered 503".to_owned())));
    }
}
