//! One agent: complaints with what to do, gaps and losses with their times, coverage of its ranges.

use super::super::access::Visit;
use super::super::coverage::{self as pages, RangeLine};
use super::super::glance::Glances;
use super::super::page::{Frame, answer};
use super::super::show::{self, Moment};
use super::WITHIN;
use super::lines::{Line, advice, versions};
use super::plan;
use super::quarantine::{MOST, Quarantine, ReasonForm};
use crate::api::Problem;
use crate::api::query::Query;
use crate::coverage;
use askama::Template;
use axum::extract::{Extension, Path, Query as Pairs};
use axum::response::Response;
use model::{AgentId, Instant, Right, SiteName};
use store::field::{GapRow, LineRow, RevocationRow};

/// Gaps shown.
const GAPS: u32 = 200;

#[derive(Template)]
#[template(path = "agent.html")]
pub(super) struct AgentPage {
    frame: Frame,
    id: String,
    site: String,
    /// What it told, once it did.
    line: Option<Line>,
    advice: Vec<(String, &'static str)>,
    certificate: Option<Moment>,
    gaps: Vec<Gap>,
    spools: Vec<Spool>,
    ranges: Vec<RangeLine>,
    revocation: Option<Revocation>,
    /// The quarantine in force.
    held: Option<Quarantine>,
    /// Those that are over, latest first.
    past: Vec<Quarantine>,
    /// What it is told to do; none before it spoke.
    plan: Option<plan::Panel>,
    /// What is typed to keep it out, for whoever may.
    forms: Option<Forms>,
    told: Option<&'static str>,
}

struct Gap {
    from: u64,
    to: u64,
    reports: String,
    reason: String,
    declared: Moment,
    recorded: Moment,
}

struct Spool {
    epoch: String,
    first: String,
    acked: String,
    lost: u64,
    recorded: Moment,
}

struct Revocation {
    at: Moment,
    person: String,
    reason: String,
}

/// What is typed to shut an agent out.
#[derive(Default)]
pub(super) struct RevokeForm {
    pub(super) reason: String,
    pub(super) wrong_reason: Option<&'static str>,
    pub(super) wrong_sure: Option<&'static str>,
}

/// What is typed to keep an agent out.
#[derive(Default)]
pub(super) struct Forms {
    /// For good.
    pub(super) revoke: RevokeForm,
    /// For a time, or no longer.
    pub(super) quarantine: ReasonForm,
}

/// `/agents/{id}`
pub async fn agent(
    visit: Visit,
    Extension(glances): Extension<Glances>,
    Path(id): Path<String>,
    Pairs(pairs): Pairs<Vec<(String, String)>>,
) -> Response {
    let made = async {
        let told = match Query::read(pairs, &["told"])?.one("told") {
            "revoked" => Some("It is shut out from now on, and the audit log says by whom."),
            "quarantined" => Some("Nothing of it is taken from now on, until it is released."),
            "released" => Some("It is released: it comes back by itself and delivers what it kept."),
            _ => None,
        };
        let mut page = page(&visit, &glances, &id, Forms::default()).await?;
        page.told = told;
        Ok(page)
    };
    answer(&visit, made.await)
}

/// Which agent, and where it stands; only if whoever asks may see that.
pub(super) async fn find(
    visit: &Visit,
    id: &str,
) -> Result<(AgentId, Option<SiteName>, Option<Instant>), Problem> {
    let nobody = Problem::NotFound("agent");
    let Ok(agent) = id.parse::<AgentId>() else {
        return Err(nobody);
    };
    let admitted = visit.admission.admitted().await?;
    let found = admitted.into_iter().find(|one| one.agent == agent);
    found
        .filter(|one| may_see(visit, one.site.as_ref()))
        .map(|one| (agent, one.site, one.not_after))
        .ok_or(nobody)
}

/// Who stands nobody knows where is for those who see all sites.
pub(super) fn may_see(visit: &Visit, site: Option<&SiteName>) -> bool {
    match site {
        Some(site) => visit.person.sees(site),
        None => visit.person.sites.is_none(),
    }
}

pub(super) async fn page(
    visit: &Visit,
    glances: &Glances,
    id: &str,
    forms: Forms,
) -> Result<AgentPage, Problem> {
    let (agent, site, not_after) = find(visit, id).await?;
    let now = (visit.clock)();
    let glance = glances.get(visit, WITHIN).await?;
    let rows: Vec<_> = glance.overview.agents.iter().collect();
    let usual = versions(&rows).into_iter().next().map(|(version, _)| version);
    let row = rows.into_iter().find(|row| row.agent == agent);
    let line = row.map(|row| Line::new(row, usual.as_deref(), now));
    let field = &visit.field;
    let revocation = field.revocation(agent).await?;
    let rows = field.quarantines(agent, MOST).await?;
    let (held, past): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row.released.is_none());
    let shown = |rows: Vec<_>| rows.into_iter().map(|row| Quarantine::new(row, now));
    let plan = match field.told_plan(agent).await? {
        Some(told) => Some(plan::Panel::new(told, now).await?),
        None => None,
    };
    let covered = coverage::draw(field.agent_coverage(agent).await?).await?;
    let frame = Frame::new(visit, "agents");
    let frame = match &site {
        Some(site) => frame.about(site),
        None => frame,
    };
    let complaints = line.iter().flat_map(|line| &line.agent.complaints);
    let advice = complaints.map(|&word| (word.to_owned(), advice(word))).collect();
    Ok(AgentPage {
        id: agent.to_string(),
        site: site.map(|site| site.to_string()).unwrap_or_default(),
        advice,
        certificate: not_after.map(|at| Moment::new(at, now)),
        gaps: field
            .gaps(agent, GAPS)
            .await?
            .iter()
            .map(|row| gap(row, now))
            .collect(),
        spools: field
            .lines(agent)
            .await?
            .iter()
            .map(|row| spool(row, now))
            .collect(),
        ranges: pages::ranges(&covered, now),
        plan,
        held: shown(held).next(),
        past: shown(past).collect(),
        forms: (frame.may(Right::Administer) && revocation.is_none()).then_some(forms),
        revocation: revocation.map(|row| revoked(&row, now)),
        line,
        frame,
        told: None,
    })
}

fn gap(row: &GapRow, now: Instant) -> Gap {
    Gap {
        from: row.from,
        to: row.to,
        reports: match row.reports {
            0 => "unknown".to_owned(),
            count => show::number(count),
        },
        reason: show::clean(&show::words(&row.reason), 40),
        declared: Moment::new(row.declared, now),
        recorded: Moment::new(row.recorded, now),
    }
}

fn spool(row: &LineRow, now: Instant) -> Spool {
    Spool {
        epoch: show::clean(&row.epoch, 40),
        first: show::number(row.first),
        acked: show::number(row.acked),
        lost: row.lost,
        recorded: Moment::new(row.recorded, now),
    }
}

fn revoked(row: &RevocationRow, now: Instant) -> Revocation {
    Revocation {
        at: Moment::new(row.at, now),
        person: show::clean(&row.person, 100),
        reason: show::clean(&row.reason, 300),
    }
}
