//! Invitations, certificates and revocations in rows.

use super::acts::audit;
use super::{SqliteStore, quarantine, row};
use crate::StoreError;
use crate::acts::Signer;
use crate::admission::{Admission, Admitted, Candidate, Invitation, Issued, Lack, Moved, Outcome, Shut};
use model::{AgentId, Instant, SiteName};
use serde_json::json;
use sqlx::{Row as _, SqliteConnection};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use uuid::Uuid;

type Tx = SqliteConnection;

/// Rows of attempts kept; a flood of strangers must not fill the disk.
const ATTEMPTS_KEPT: i64 = 100_000;

#[async_trait::async_trait]
impl Admission for SqliteStore {
    async fn invite(&self, invitation: &Invitation, by: &Signer, now: Instant) -> Result<(), StoreError> {
        let mut write = self.begin().await?;
        sqlx::query(
            "INSERT INTO join_token (token_id, site, secret_hash, expires_at, recorded_at) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(invitation.token.to_string())
        .bind(invitation.site.as_str())
        .bind(&invitation.secret_hash)
        .bind(invitation.expires.0)
        .bind(now.0)
        .execute(write.sql()?)
        .await?;
        let token = vec![invitation.token.to_string()];
        let detail = json!({"site": invitation.site, "expires": invitation.expires.to_string()});
        audit(write.sql()?, by, "agent_invited", token, &detail, now).await?;
        self.commit(write).await
    }

    async fn consume(
        &self,
        candidate: &Candidate,
        now: Instant,
    ) -> Result<Result<SiteName, Outcome>, StoreError> {
        let mut write = self.begin().await?;
        let site: Option<String> = sqlx::query_scalar(
            "UPDATE join_token SET used_at = $1, agent_id = $2 WHERE token_id = $3 AND secret_hash = $4 \
             AND used_at IS NULL AND expires_at > $1 RETURNING site",
        )
        .bind(now.0)
        .bind(candidate.agent.to_string())
        .bind(candidate.token.to_string())
        .bind(&candidate.secret_hash)
        .fetch_optional(write.sql()?)
        .await?;
        let answer = match site {
            Some(site) => Ok(row::site(site)?),
            None => Err(refusal(write.sql()?, candidate).await?),
        };
        let outcome = answer.as_ref().err().copied().unwrap_or(Outcome::Enrolled);
        let agent = answer.is_ok().then_some(candidate.agent);
        attempt(
            write.sql()?,
            outcome,
            Some(candidate.token),
            agent,
            &candidate.peer,
            now,
        )
        .await?;
        self.commit(write).await?;
        Ok(answer)
    }

    async fn malformed(&self, peer: &str, now: Instant) -> Result<(), StoreError> {
        let mut write = self.begin().await?;
        attempt(write.sql()?, Outcome::Malformed, None, None, peer, now).await?;
        self.commit(write).await
    }

    async fn attempts(&self) -> Result<Vec<(String, u64)>, StoreError> {
        let rows: Vec<(String, i64)> = sqlx::query_as(
            "SELECT outcome, COUNT(*) FROM enrolment_attempt GROUP BY outcome ORDER BY outcome",
        )
        .fetch_all(&self.readers)
        .await?;
        Ok(rows.into_iter().map(|(word, n)| (word, row::count(n))).collect())
    }

    async fn certify(&self, issued: &Issued, now: Instant) -> Result<(), StoreError> {
        let mut write = self.begin().await?;
        sqlx::query("DELETE FROM agent_certificate WHERE agent_id = $1 AND not_after < $2")
            .bind(issued.agent.to_string())
            .bind(now.0)
            .execute(write.sql()?)
            .await?;
        sqlx::query(
            "INSERT INTO agent_certificate (agent_id, serial, site, authority, trusted, not_after, recorded_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(issued.agent.to_string())
        .bind(&issued.serial)
        .bind(issued.site.as_str())
        .bind(&issued.authority)
        .bind(issued.trusted.join(" "))
        .bind(issued.not_after.0)
        .bind(now.0)
        .execute(write.sql()?)
        .await?;
        self.commit(write).await
    }

    async fn revoke(
        &self,
        agent: AgentId,
        reason: &str,
        by: &Signer,
        now: Instant,
    ) -> Result<bool, StoreError> {
        let mut write = self.begin().await?;
        let known = is_known(write.sql()?, agent).await?;
        let before: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM agent_revocation WHERE agent_id = $1")
            .bind(agent.to_string())
            .fetch_one(write.sql()?)
            .await?;
        if !known || before > 0 {
            self.release(write).await?;
            return Ok(before > 0);
        }
        sqlx::query(
            "INSERT INTO agent_revocation (agent_id, recorded_at, person, reason) VALUES ($1, $2, $3, $4)",
        )
        .bind(agent.to_string())
        .bind(now.0)
        .bind(&by.person)
        .bind(reason)
        .execute(write.sql()?)
        .await?;
        let detail = json!({"reason": reason});
        audit(
            write.sql()?,
            by,
            "agent_revoked",
            vec![agent.to_string()],
            &detail,
            now,
        )
        .await?;
        self.commit(write).await?;
        Ok(true)
    }

    async fn quarantine(
        &self,
        agent: AgentId,
        reason: &str,
        by: &Signer,
        now: Instant,
    ) -> Result<Moved, StoreError> {
        let mut write = self.begin().await?;
        let moved = quarantine::begin(write.sql()?, (agent, reason, by), now).await?;
        match moved {
            Moved::Done => self.commit(write).await?,
            _ => self.release(write).await?,
        }
        Ok(moved)
    }

    async fn end_quarantine(
        &self,
        agent: AgentId,
        reason: &str,
        by: &Signer,
        now: Instant,
    ) -> Result<Moved, StoreError> {
        let mut write = self.begin().await?;
        let moved = quarantine::end(write.sql()?, (agent, reason, by), now).await?;
        match moved {
            Moved::Done => self.commit(write).await?,
            _ => self.release(write).await?,
        }
        Ok(moved)
    }

    async fn shut(&self, agent: AgentId) -> Result<Option<Shut>, StoreError> {
        let mut connection = self.readers.acquire().await?;
        quarantine::shut(&mut connection, agent).await
    }

    async fn quarantined_for(
        &self,
        agent: AgentId,
        from: Instant,
        until: Instant,
    ) -> Result<Duration, StoreError> {
        quarantine::lasted(&self.readers, agent, from, until).await
    }

    async fn lacking(&self, lack: &Lack, since: Instant, now: Instant) -> Result<Vec<AgentId>, StoreError> {
        let rows: Vec<(String, String, String, i64)> = sqlx::query_as(
            "SELECT agent_id, authority, trusted, not_after FROM agent_certificate WHERE (not_after >= $1 \
             OR (not_after >= $2 OR agent_id IN (SELECT agent_id FROM agent_quarantine)) \
             AND agent_id NOT IN (SELECT agent_id FROM agent_certificate WHERE not_after >= $1)) \
             AND agent_id NOT IN (SELECT agent_id FROM agent_revocation)",
        )
        .bind(now.0)
        .bind(since.0)
        .fetch_all(&self.readers)
        .await?;
        let mut found = BTreeSet::new();
        for (agent, authority, trusted, not_after) in rows {
            let lacks = match lack {
                Lack::Trust(wanted) => !row::set(&trusted).contains(wanted),
                Lack::Signature(wanted) => authority != *wanted,
            };
            let agent = row::word::<AgentId>(&agent, "agent")?;
            if lacks && self.is_renewable(agent, Instant(not_after), since, now).await? {
                found.insert(agent);
            }
        }
        Ok(found.into_iter().collect())
    }

    async fn all_shut(&self) -> Result<BTreeMap<AgentId, Shut>, StoreError> {
        quarantine::all_shut(&self.readers).await
    }

    async fn admitted(&self) -> Result<Vec<Admitted>, StoreError> {
        let rows = sqlx::query(
            "SELECT k.agent_id, COALESCE(a.site, MAX(c.site)) AS site, MAX(c.not_after) AS not_after, \
             a.last_seen_at, r.recorded_at AS revoked_at, q.since AS quarantined_at \
             FROM (SELECT agent_id FROM agent UNION SELECT agent_id FROM agent_certificate) k \
             LEFT JOIN agent a ON a.agent_id = k.agent_id \
             LEFT JOIN agent_certificate c ON c.agent_id = k.agent_id \
             LEFT JOIN agent_revocation r ON r.agent_id = k.agent_id \
             LEFT JOIN agent_quarantine q ON q.agent_id = k.agent_id AND q.released_at IS NULL \
             GROUP BY k.agent_id, a.site, a.last_seen_at, r.recorded_at, q.since ORDER BY 2, 1",
        )
        .fetch_all(&self.readers)
        .await?;
        rows.into_iter()
            .map(|r| {
                let site: Option<String> = r.try_get("site")?;
                Ok(Admitted {
                    agent: row::word::<AgentId>(r.try_get("agent_id")?, "agent")?,
                    site: site.map(row::site).transpose()?,
                    not_after: row::instant(r.try_get("not_after")?),
                    last_seen: row::instant(r.try_get("last_seen_at")?),
                    revoked: row::instant(r.try_get("revoked_at")?),
                    quarantined: row::instant(r.try_get("quarantined_at")?),
                })
            })
            .collect()
    }
}

impl SqliteStore {
    /// Whether a certificate that held at `since` or ran out before can be renewed now: the time that its agent was in
    /// quarantine since it ran out does not count.
    async fn is_renewable(
        &self,
        agent: AgentId,
        not_after: Instant,
        since: Instant,
        now: Instant,
    ) -> Result<bool, StoreError> {
        if not_after >= since {
            return Ok(true);
        }
        let kept_out = quarantine::lasted(&self.readers, agent, not_after, now).await?;
        let kept_out = i64::try_from(kept_out.as_micros()).unwrap_or(i64::MAX);
        Ok(not_after.0.saturating_add(kept_out) >= since.0)
    }
}

/// Whether an agent ever got a certificate here or greeted us.
pub(super) async fn is_known(tx: &mut Tx, agent: AgentId) -> Result<bool, StoreError> {
    let known: i64 = sqlx::query_scalar(
        "SELECT (SELECT COUNT(*) FROM agent WHERE agent_id = $1) \
         + (SELECT COUNT(*) FROM agent_certificate WHERE agent_id = $1)",
    )
    .bind(agent.to_string())
    .fetch_one(&mut *tx)
    .await?;
    Ok(known > 0)
}

/// Why a token was not consumed, for our own records: whoever asks is not told.
async fn refusal(tx: &mut Tx, candidate: &Candidate) -> Result<Outcome, StoreError> {
    let found: Option<(String, Option<i64>)> =
        sqlx::query_as("SELECT secret_hash, used_at FROM join_token WHERE token_id = $1")
            .bind(candidate.token.to_string())
            .fetch_optional(&mut *tx)
            .await?;
    Ok(match found {
        None => Outcome::Unknown,
        Some((hash, _)) if hash != candidate.secret_hash => Outcome::Guessed,
        Some((_, Some(_))) => Outcome::Replayed,
        Some((_, None)) => Outcome::Expired,
    })
}

async fn attempt(
    tx: &mut Tx,
    outcome: Outcome,
    token: Option<Uuid>,
    agent: Option<AgentId>,
    peer: &str,
    now: Instant,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO enrolment_attempt (attempt_id, outcome, token_id, agent_id, peer, recorded_at) \
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(Uuid::now_v7().to_string())
    .bind(outcome.as_str())
    .bind(token.map(|token| token.to_string()))
    .bind(agent.map(|agent| agent.to_string()))
    .bind(peer)
    .bind(now.0)
    .execute(&mut *tx)
    .await?;
    sqlx::query(
        "DELETE FROM enrolment_attempt WHERE attempt_id <= \
         (SELECT attempt_id FROM enrolment_attempt ORDER BY attempt_id DESC LIMIT 1 OFFSET $1)",
    )
    .bind(ATTEMPTS_KEPT)
    .execute(&mut *tx)
    .await?;
    Ok(())
}
