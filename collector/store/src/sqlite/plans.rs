//! Plans and what agents said about them in rows.

use super::{SqliteStore, row};
use crate::StoreError;
use crate::plans::{AgentPlan, NewPlan, PlanRef, PlanRow, PlanState, Plans, Put, Said, ToldPlan};
use model::{AgentId, Instant, SiteName};
use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{Row as _, SqliteConnection};

/// Columns of [`state`], for a query where `a` is an agent, `p` what it said and `n` the newest plan.
pub const STATE_COLUMNS: &str = "p.recorded_at AS plan_told_at, p.runs, p.runs_digest, p.tried, p.tried_digest, \
     p.reason AS plan_reason, n.revision AS newest, n.digest AS newest_digest";

/// Joins `p` and `n` to an agent `a`.
pub const STATE_JOINS: &str = "LEFT JOIN agent_plan p ON p.agent_id = a.agent_id \
     LEFT JOIN plan n ON n.site = a.site \
     AND n.revision = (SELECT MAX(m.revision) FROM plan m WHERE m.site = a.site)";

/// How the agent of such a row stands. A revision counts only with its digest: a store that
/// was restored from a backup may give a number out a second time.
pub fn state(r: &SqliteRow) -> Result<PlanState, StoreError> {
    if r.try_get::<Option<i64>, _>("plan_told_at")?.is_none() {
        return Ok(PlanState::NotTold);
    }
    let Some(runs) = r.try_get::<Option<i64>, _>("runs")? else {
        return Ok(PlanState::OwnFile);
    };
    let Some(newest) = r.try_get::<Option<i64>, _>("newest")? else {
        return Ok(PlanState::NonePut {
            runs: row::count(runs),
        });
    };
    let digest: Option<String> = r.try_get("newest_digest")?;
    let (revision, runs) = (row::count(newest), row::count(runs));
    if runs == revision && r.try_get::<Option<String>, _>("runs_digest")? == digest {
        return Ok(PlanState::Applied { revision });
    }
    let tried: Option<i64> = r.try_get("tried")?;
    if tried == Some(newest) && r.try_get::<Option<String>, _>("tried_digest")? == digest {
        let reason: Option<String> = r.try_get("plan_reason")?;
        return Ok(PlanState::Refused {
            revision,
            runs,
            reason: reason.unwrap_or_default(),
        });
    }
    Ok(PlanState::Waiting { revision, runs })
}

fn plan_row(r: &SqliteRow) -> Result<PlanRow, StoreError> {
    Ok(PlanRow {
        site: row::site(r.try_get("site")?)?,
        revision: row::count(r.try_get("revision")?),
        digest: row::digest(r.try_get("digest")?)?,
        targets: row::count(r.try_get("targets")?),
        ranges: row::count(r.try_get("ranges")?),
        since: Instant(r.try_get("recorded_at")?),
    })
}

#[async_trait::async_trait]
impl Plans for SqliteStore {
    async fn put_plan(&self, plan: &NewPlan, now: Instant) -> Result<Put, StoreError> {
        let mut write = self.begin().await?;
        let newest: Option<(i64, String)> = sqlx::query_as(
            "SELECT revision, digest FROM plan WHERE site = $1 ORDER BY revision DESC LIMIT 1",
        )
        .bind(plan.site.as_str())
        .fetch_optional(write.sql()?)
        .await?;
        let digest = plan.digest.to_string();
        let revision = match newest {
            Some((revision, same)) if same == digest => {
                self.release(write).await?;
                return Ok(Put::Same(row::count(revision)));
            }
            Some((revision, _)) => revision.saturating_add(1),
            None => 1,
        };
        sqlx::query(
            "INSERT INTO plan (site, revision, text, digest, targets, ranges, recorded_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(plan.site.as_str())
        .bind(revision)
        .bind(&plan.text)
        .bind(digest)
        .bind(row::signed(plan.targets)?)
        .bind(row::signed(plan.ranges)?)
        .bind(now.0)
        .execute(write.sql()?)
        .await?;
        self.commit(write).await?;
        Ok(Put::New(row::count(revision)))
    }

    async fn newest_plans(&self) -> Result<Vec<PlanRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT site, revision, digest, targets, ranges, recorded_at FROM plan p \
             WHERE revision = (SELECT MAX(m.revision) FROM plan m WHERE m.site = p.site) ORDER BY site",
        )
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(plan_row).collect()
    }

    async fn plan(
        &self,
        site: &SiteName,
        revision: Option<u64>,
    ) -> Result<Option<(PlanRow, String)>, StoreError> {
        let found = sqlx::query(
            "SELECT * FROM plan WHERE site = $1 AND ($2 IS NULL OR revision = $2) \
             ORDER BY revision DESC LIMIT 1",
        )
        .bind(site.as_str())
        .bind(revision.map(row::signed).transpose()?)
        .fetch_optional(&self.readers)
        .await?;
        found.map(|r| Ok((plan_row(&r)?, r.try_get("text")?))).transpose()
    }

    async fn note_plan(&self, agent: AgentId, said: &Said, now: Instant) -> Result<(), StoreError> {
        let mut write = self.begin().await?;
        match said {
            Said::TakesNone => follows(write.sql()?, agent, None, None, now).await?,
            Said::Follows(plan) => follows(write.sql()?, agent, Some(plan), None, now).await?,
            Said::Applied(plan, at) => follows(write.sql()?, agent, Some(plan), Some(*at), now).await?,
            Said::Failed(plan, reason, at) => {
                // What it follows stays as it was told.
                sqlx::query(
                    "INSERT INTO agent_plan (agent_id, runs, tried, tried_digest, reason, said_at, recorded_at) \
                     VALUES ($1, 0, $2, $3, $4, $5, $6) ON CONFLICT (agent_id) DO UPDATE SET \
                     tried = excluded.tried, tried_digest = excluded.tried_digest, reason = excluded.reason, \
                     said_at = excluded.said_at, recorded_at = excluded.recorded_at",
                )
                .bind(agent.to_string())
                .bind(row::signed(plan.revision)?)
                .bind(plan.digest.to_string())
                .bind(reason)
                .bind(at.0)
                .bind(now.0)
                .execute(write.sql()?)
                .await?;
            }
        }
        self.commit(write).await
    }

    async fn plan_states(&self) -> Result<Vec<AgentPlan>, StoreError> {
        let text = format!(
            "SELECT a.agent_id, a.site, {STATE_COLUMNS} FROM agent a {STATE_JOINS} \
             WHERE NOT EXISTS (SELECT 1 FROM agent_revocation r WHERE r.agent_id = a.agent_id) \
             ORDER BY a.site, a.agent_id"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(text))
            .fetch_all(&self.readers)
            .await?;
        rows.iter()
            .map(|r| {
                Ok(AgentPlan {
                    agent: row::word(r.try_get("agent_id")?, "agent")?,
                    site: row::site(r.try_get("site")?)?,
                    state: state(r)?,
                })
            })
            .collect()
    }
}

/// See [`crate::Field::told_plan`]. A revision is the one the agent follows only with its digest.
pub(super) async fn told(pool: &SqlitePool, agent: AgentId) -> Result<Option<ToldPlan>, StoreError> {
    let text = format!("SELECT a.site, {STATE_COLUMNS} FROM agent a {STATE_JOINS} WHERE a.agent_id = $1");
    let mut tx = pool.begin().await?;
    let found = sqlx::query(sqlx::AssertSqlSafe(text))
        .bind(agent.to_string())
        .fetch_optional(&mut *tx)
        .await?;
    let Some(r) = found else {
        return Ok(None);
    };
    let site: String = r.try_get("site")?;
    let (newest, runs): (Option<i64>, Option<i64>) = (r.try_get("newest")?, r.try_get("runs")?);
    let mut read = async |revision: Option<i64>| -> Result<Option<(PlanRow, String)>, StoreError> {
        let found = sqlx::query("SELECT * FROM plan WHERE site = $1 AND revision = $2")
            .bind(&site)
            .bind(revision)
            .fetch_optional(&mut *tx)
            .await?;
        found.map(|r| Ok((plan_row(&r)?, r.try_get("text")?))).transpose()
    };
    let digest: Option<String> = r.try_get("runs_digest")?;
    let follows = read(runs).await?;
    let follows = follows.filter(|(row, _)| Some(row.digest.to_string()) == digest);
    Ok(Some(ToldPlan {
        state: state(&r)?,
        said: row::instant(r.try_get("plan_told_at")?),
        follows,
        newest: read(newest).await?,
    }))
}

/// A refusal is kept through greetings, so that it is shown until something else is said of it.
async fn follows(
    tx: &mut SqliteConnection,
    agent: AgentId,
    plan: Option<&PlanRef>,
    said: Option<Instant>,
    now: Instant,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO agent_plan (agent_id, runs, runs_digest, said_at, recorded_at) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (agent_id) DO UPDATE SET runs = excluded.runs, runs_digest = excluded.runs_digest, \
         said_at = COALESCE(excluded.said_at, agent_plan.said_at), recorded_at = excluded.recorded_at",
    )
    .bind(agent.to_string())
    .bind(plan.map(|plan| row::signed(plan.revision)).transpose()?)
    .bind(plan.map(|plan| plan.digest.to_string()))
    .bind(said.map(|at| at.0))
    .bind(now.0)
    .execute(&mut *tx)
    .await?;
    Ok(())
}
