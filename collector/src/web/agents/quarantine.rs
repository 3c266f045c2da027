//! An agent kept out for a time: putting it into quarantine and releasing it by form, and what its page says of it.
//!
//! Invariants: both ask for a reason and go into the audit log; nothing here throws away what the agent holds or told.

use super::super::access::{Visit, again};
use super::super::glance::Glances;
use super::super::page::answer;
use super::super::show::{self, Moment};
use super::acts::signer;
use super::one::{self, AgentPage, Forms};
use crate::api::Problem;
use crate::api::query::Query;
use axum::Form;
use axum::extract::{Extension, Path};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use model::{AgentId, Instant};
use store::admission::Moved;
use store::field::QuarantineRow;

/// Quarantines shown.
pub(super) const MOST: u32 = 20;

/// A quarantine as the page shows it.
pub(super) struct Quarantine {
    pub(super) since: Moment,
    pub(super) person: String,
    pub(super) reason: String,
    pub(super) released: Option<Released>,
}

pub(super) struct Released {
    pub(super) at: Moment,
    pub(super) person: String,
    pub(super) reason: String,
}

impl Quarantine {
    pub(super) fn new(row: &QuarantineRow, now: Instant) -> Self {
        Self {
            since: Moment::new(row.since, now),
            person: show::clean(&row.person, 100),
            reason: show::clean(&row.reason, 300),
            released: row.released.as_ref().map(|end| Released {
                at: Moment::new(end.at, now),
                person: show::clean(&end.person, 100),
                reason: show::clean(&end.reason, 300),
            }),
        }
    }
}

/// What is typed to put an agent into quarantine, or to release it.
#[derive(Default)]
pub(super) struct ReasonForm {
    pub(super) reason: String,
    pub(super) wrong: Option<&'static str>,
}

/// Which way.
#[derive(Clone, Copy)]
enum Way {
    In,
    Out,
}

/// `POST /agents/{id}/quarantine`
pub async fn quarantine(
    visit: Visit,
    Extension(glances): Extension<Glances>,
    Path(id): Path<String>,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Response {
    act(&visit, &glances, &id, pairs, Way::In).await
}

/// `POST /agents/{id}/release`
pub async fn release(
    visit: Visit,
    Extension(glances): Extension<Glances>,
    Path(id): Path<String>,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Response {
    act(&visit, &glances, &id, pairs, Way::Out).await
}

async fn act(visit: &Visit, glances: &Glances, id: &str, pairs: Vec<(String, String)>, way: Way) -> Response {
    match carry_out(visit, id, pairs, way).await {
        Ok(Ok((agent, told))) => Redirect::to(&format!("/agents/{agent}?told={told}")).into_response(),
        Ok(Err((agent, form))) => {
            let why = (StatusCode::UNPROCESSABLE_ENTITY, form.wrong.unwrap_or_default());
            let address = format!("/agents/{agent}");
            let forms = Forms {
                quarantine: form,
                ..Forms::default()
            };
            let page = one::page(visit, glances, id, forms).await;
            again(visit, ("/agents/{id}", &address), why, async { page }).await
        }
        Err(problem) => answer::<AgentPage>(visit, Err(problem)),
    }
}

type Told = Result<(AgentId, &'static str), (AgentId, ReasonForm)>;

async fn carry_out(visit: &Visit, id: &str, pairs: Vec<(String, String)>, way: Way) -> Result<Told, Problem> {
    let typed = Query::read(pairs, &["reason"])?;
    let (agent, ..) = one::find(visit, id).await?;
    let reason = typed.one("reason");
    let wrong = |why| {
        let form = ReasonForm {
            reason: reason.to_owned(),
            wrong: Some(why),
        };
        Ok(Err((agent, form)))
    };
    if reason.is_empty() {
        return wrong("Say why: it stays in the audit log.");
    }
    let (admission, by, now) = (&visit.admission, signer(visit), (visit.clock)());
    let moved = match way {
        Way::In => admission.quarantine(agent, reason, &by, now).await?,
        Way::Out => admission.end_quarantine(agent, reason, &by, now).await?,
    };
    match (moved, way) {
        (Moved::Done, Way::In) => Ok(Ok((agent, "quarantined"))),
        (Moved::Done, Way::Out) => Ok(Ok((agent, "released"))),
        // Somebody was faster; the page says who.
        (Moved::Already, Way::In) => wrong("It was put there meanwhile: see above by whom."),
        (Moved::Already, Way::Out) => wrong("It was released meanwhile: see above by whom."),
        (Moved::Revoked, _) => wrong("It was shut out for good meanwhile."),
        (Moved::Unknown, _) => Err(Problem::NotFound("agent")),
    }
}
