//! Agents that are kept out for a time, in rows.
//!
//! Invariants: of one agent one quarantine is in force at most; a revocation outweighs it; what is over stays
//! as a row, so that the time an agent was kept out is known.

use super::acts::audit;
use super::admission::is_known;
use super::row;
use crate::StoreError;
use crate::acts::Signer;
use crate::admission::{Moved, Shut};
use crate::field::{QuarantineRow, Release};
use model::{AgentId, Instant};
use serde_json::json;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection, SqlitePool};
use std::collections::BTreeMap;
use std::time::Duration;

type Tx = SqliteConnection;

/// Whom, why, and who did it.
type Act<'a> = (AgentId, &'a str, &'a Signer);

/// Puts an agent into quarantine.
pub(super) async fn begin(tx: &mut Tx, act: Act<'_>, now: Instant) -> Result<Moved, StoreError> {
    let (agent, reason, by) = act;
    match shut(tx, agent).await? {
        Some(Shut::Revoked) => return Ok(Moved::Revoked),
        Some(Shut::Quarantined) => return Ok(Moved::Already),
        None if !is_known(tx, agent).await? => return Ok(Moved::Unknown),
        None => {}
    }
    // One that began and ended within this microsecond, or by a clock that went back, has the key already.
    let last: Option<i64> = sqlx::query_scalar("SELECT MAX(since) FROM agent_quarantine WHERE agent_id = $1")
        .bind(agent.to_string())
        .fetch_one(&mut *tx)
        .await?;
    let since = last.map_or(now.0, |last| now.0.max(last.saturating_add(1)));
    sqlx::query("INSERT INTO agent_quarantine (agent_id, since, person, reason) VALUES ($1, $2, $3, $4)")
        .bind(agent.to_string())
        .bind(since)
        .bind(&by.person)
        .bind(reason)
        .execute(&mut *tx)
        .await?;
    note(tx, "agent_quarantined", act, now).await
}

/// Ends an agent's quarantine.
pub(super) async fn end(tx: &mut Tx, act: Act<'_>, now: Instant) -> Result<Moved, StoreError> {
    let (agent, reason, by) = act;
    match shut(tx, agent).await? {
        Some(Shut::Revoked) => return Ok(Moved::Revoked),
        Some(Shut::Quarantined) => {}
        None if is_known(tx, agent).await? => return Ok(Moved::Already),
        None => return Ok(Moved::Unknown),
    }
    sqlx::query(
        "UPDATE agent_quarantine SET released_at = $1, released_by = $2, release_reason = $3 \
         WHERE agent_id = $4 AND released_at IS NULL",
    )
    .bind(now.0)
    .bind(&by.person)
    .bind(reason)
    .bind(agent.to_string())
    .execute(&mut *tx)
    .await?;
    note(tx, "agent_released", act, now).await
}

async fn note(tx: &mut Tx, word: &str, act: Act<'_>, now: Instant) -> Result<Moved, StoreError> {
    let (agent, reason, by) = act;
    let detail = json!({"reason": reason});
    audit(tx, by, word, vec![agent.to_string()], &detail, now).await?;
    Ok(Moved::Done)
}

/// How an agent is kept out.
pub(super) async fn shut(tx: &mut Tx, agent: AgentId) -> Result<Option<Shut>, StoreError> {
    let (revoked, quarantined): (bool, bool) = sqlx::query_as(
        "SELECT EXISTS (SELECT 1 FROM agent_revocation WHERE agent_id = $1), \
         EXISTS (SELECT 1 FROM agent_quarantine WHERE agent_id = $1 AND released_at IS NULL)",
    )
    .bind(agent.to_string())
    .fetch_one(&mut *tx)
    .await?;
    Ok(match (revoked, quarantined) {
        (true, _) => Some(Shut::Revoked),
        (false, true) => Some(Shut::Quarantined),
        (false, false) => None,
    })
}

/// Everyone who is kept out.
pub(super) async fn all_shut(pool: &SqlitePool) -> Result<BTreeMap<AgentId, Shut>, StoreError> {
    let rows: Vec<(String, bool)> = sqlx::query_as(
        "SELECT agent_id, 0 AS revoked FROM agent_quarantine WHERE released_at IS NULL \
         UNION ALL SELECT agent_id, 1 FROM agent_revocation ORDER BY revoked",
    )
    .fetch_all(pool)
    .await?;
    // Whoever is both comes last as revoked.
    let read = |(agent, revoked): &(String, bool)| {
        let shut = if *revoked {
            Shut::Revoked
        } else {
            Shut::Quarantined
        };
        Ok((row::word(agent, "agent")?, shut))
    };
    rows.iter().map(read).collect()
}

/// How long an agent was in quarantine between two moments.
pub(super) async fn lasted(
    pool: &SqlitePool,
    agent: AgentId,
    from: Instant,
    until: Instant,
) -> Result<Duration, StoreError> {
    let rows: Vec<(i64, Option<i64>)> =
        sqlx::query_as("SELECT since, released_at FROM agent_quarantine WHERE agent_id = $1")
            .bind(agent.to_string())
            .fetch_all(pool)
            .await?;
    let micros = rows.into_iter().map(|(since, released)| {
        let end = released.map_or(until.0, |released| released.min(until.0));
        end.saturating_sub(since.max(from.0)).max(0).unsigned_abs()
    });
    Ok(Duration::from_micros(micros.fold(0, u64::saturating_add)))
}

/// See [`crate::Field::quarantines`].
pub(super) async fn of_agent(
    pool: &SqlitePool,
    agent: AgentId,
    limit: u32,
) -> Result<Vec<QuarantineRow>, StoreError> {
    let rows = sqlx::query("SELECT * FROM agent_quarantine WHERE agent_id = $1 ORDER BY since DESC LIMIT $2")
        .bind(agent.to_string())
        .bind(i64::from(limit))
        .fetch_all(pool)
        .await?;
    let read = |r: &SqliteRow| -> Result<QuarantineRow, StoreError> {
        let at: Option<i64> = r.try_get("released_at")?;
        let words = |column| -> Result<String, StoreError> {
            Ok(r.try_get::<Option<String>, _>(column)?.unwrap_or_default())
        };
        let (person, reason) = (words("released_by")?, words("release_reason")?);
        Ok(QuarantineRow {
            since: Instant(r.try_get("since")?),
            person: r.try_get("person")?,
            reason: r.try_get("reason")?,
            released: at.map(|at| Release {
                at: Instant(at),
                person,
                reason,
            }),
        })
    };
    rows.iter().map(read).collect()
}
