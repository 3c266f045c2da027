//! The agents: how each is, what it lost, what it covers; who is invited and who is kept out, for a time or for good.
//!
//! Invariants: complaints come first, in words; a join token is shown once, in the
//! answer to whoever made it, and kept nowhere; every act goes into the audit log.

mod lines;
mod one;
mod acts;
mod quarantine;
mod plan;

pub use acts::{invite, revoke};
pub use one::agent;
pub use quarantine::{quarantine, release};

use super::access::Visit;
use super::glance::Glances;
use super::page::{Frame, answer};
use super::show::{self, Moment};
use crate::api::Problem;
use crate::api::query::Query;
use askama::Template;
use axum::extract::{Extension, Query as Pairs};
use axum::response::Response;
use lines::Line;
use model::{AgentId, Right};
use std::collections::BTreeSet;
use std::time::Duration;

/// How old what is counted may be.
const WITHIN: Duration = Duration::from_secs(1);

#[derive(Template)]
#[template(path = "agents.html")]
struct AgentsPage {
    frame: Frame,
    lines: Vec<Line>,
    ill: usize,
    revoked: usize,
    quarantined: usize,
    versions: Vec<(String, usize)>,
    strangers: Vec<Stranger>,
    invitations: Vec<Invited>,
    form: Option<InviteForm>,
}

/// Enrolled, and never heard of since.
struct Stranger {
    id: String,
    site: String,
    until: Option<Moment>,
    revoked: bool,
    quarantined: bool,
}

/// A token that still opens.
struct Invited {
    site: String,
    made: Moment,
    expires: Moment,
}

/// What is typed to invite an agent.
#[derive(Default)]
struct InviteForm {
    sites: Vec<String>,
    site: String,
    minutes: String,
    wrong_site: Option<String>,
    wrong_minutes: Option<String>,
}

/// `/agents`
pub async fn agents(
    visit: Visit,
    Extension(glances): Extension<Glances>,
    Pairs(pairs): Pairs<Vec<(String, String)>>,
) -> Response {
    let made = async {
        Query::read(pairs, &[])?;
        page(&visit, &glances, InviteForm::default()).await
    };
    answer(&visit, made.await)
}

async fn page(visit: &Visit, glances: &Glances, form: InviteForm) -> Result<AgentsPage, Problem> {
    let glance = glances.get(visit, WITHIN).await?;
    let now = (visit.clock)();
    let rows = glance.overview.agents.iter();
    let rows: Vec<_> = rows.filter(|row| visit.person.sees(&row.site)).collect();
    let versions = lines::versions(&rows);
    let usual = versions.first().map(|(version, _)| version.clone());
    let mut shown: Vec<Line> = rows
        .iter()
        .map(|row| Line::new(row, usual.as_deref(), now))
        .collect();
    // Whoever needs a look comes first, whoever was shut out last.
    shown.sort_by_key(|line| {
        (
            line.revoked,
            line.agent.complaints.is_empty() && line.late.is_empty(),
        )
    });
    let spoken: BTreeSet<AgentId> = rows.iter().map(|row| row.agent).collect();
    let admitted = visit.admission.admitted().await?;
    let strangers = admitted
        .iter()
        .filter(|one| {
            one.last_seen.is_none() && !spoken.contains(&one.agent) && one::may_see(visit, one.site.as_ref())
        })
        .map(|one| Stranger {
            id: one.agent.to_string(),
            site: one.site.as_ref().map(ToString::to_string).unwrap_or_default(),
            until: one.not_after.map(|at| Moment::new(at, now)),
            revoked: one.revoked.is_some(),
            quarantined: one.quarantined.is_some(),
        })
        .collect();
    let invitations = visit
        .field
        .invitations(&visit.person.sites, now)
        .await?
        .into_iter();
    let frame = Frame {
        revision: glance.revision,
        ..Frame::new(visit, "agents")
    };
    let sites = glance.overview.sites.iter().map(|row| &row.site.name);
    let sites = sites
        .filter(|site| visit.person.sees(site))
        .map(ToString::to_string);
    Ok(AgentsPage {
        ill: shown.iter().filter(|line| line.is_ill()).count(),
        revoked: shown.iter().filter(|line| line.revoked).count(),
        quarantined: shown.iter().filter(|line| line.quarantined).count(),
        lines: shown,
        versions: versions
            .into_iter()
            .map(|(version, count)| (show::clean(&version, 24), count))
            .collect(),
        strangers,
        invitations: invitations
            .filter(|row| visit.person.sees(&row.site))
            .map(|row| Invited {
                site: row.site.to_string(),
                made: Moment::new(row.made, now),
                expires: Moment::new(row.expires, now),
            })
            .collect(),
        form: frame.may(Right::Administer).then(|| InviteForm {
            sites: sites.collect(),
            ..form
        }),
        frame,
    })
}
