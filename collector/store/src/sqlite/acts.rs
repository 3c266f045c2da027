//! Acts of people in rows.

use super::judge::change;
use super::life::{self, Event};
use super::{SqliteStore, conclude, log, row, waivers};
use crate::StoreError;
use crate::acts::{
    Acts, AuditFilter, AuditRow, Chain, Doing, FindingLife, Note, Progress, ProgressDay, Signer,
    WaiverFilter, WaiverRow,
};
use crate::record::{Stage, Why};
use crate::view::Page;
use model::{Cause, FindingId, Instant};
use serde::Serialize;
use sqlx::sqlite::SqlitePool;
use sqlx::{Row as _, SqliteConnection};
use std::collections::HashMap;

#[async_trait::async_trait]
impl Acts for SqliteStore {
    async fn lives(&self, findings: &[FindingId]) -> Result<Vec<FindingLife>, StoreError> {
        let mut lives = Vec::with_capacity(findings.len());
        for finding in findings {
            let found = sqlx::query(
                "SELECT f.*, e.name AS element_name, e.site, e.latest_completeness FROM finding f \
                 JOIN element e ON e.element_id = f.element_id WHERE f.finding_id = $1",
            )
            .bind(finding.to_string())
            .fetch_optional(&self.readers)
            .await?;
            let Some(found) = found else { continue };
            let latest: Option<String> = found.try_get("latest_completeness")?;
            lives.push(FindingLife {
                finding: *finding,
                element_name: found.try_get("element_name")?,
                site: row::site(found.try_get("site")?)?,
                revision: row::count(found.try_get("revision")?),
                life: life::life(&found)?,
                result: row::from_json(found.try_get("result")?, "finding")?,
                latest: latest.as_deref().map(row::completeness).transpose()?,
            });
        }
        Ok(lives)
    }

    async fn act(&self, doing: &Doing, now: Instant) -> Result<(), StoreError> {
        let mut write = self.begin().await?;
        take(write.sql()?, doing, now).await?;
        self.commit(write).await
    }

    async fn progress(&self) -> Result<Vec<Progress>, StoreError> {
        progress(&self.readers).await
    }

    async fn waivers(&self, filter: &WaiverFilter) -> Result<Page<WaiverRow>, StoreError> {
        waivers::list(&self.readers, filter).await
    }

    async fn note(&self, note: &Note, now: Instant) -> Result<(), StoreError> {
        let mut write = self.begin().await?;
        log::write(write.sql()?, note, now).await?;
        self.commit_quietly(write).await
    }

    async fn audit_log(&self, filter: &AuditFilter) -> Result<Page<AuditRow>, StoreError> {
        log::list(&self.readers, filter).await
    }

    async fn chain(&self, sum: Option<&str>) -> Result<Chain, StoreError> {
        log::chain(&self.readers, sum).await
    }
}

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

async fn progress(pool: &SqlitePool) -> Result<Vec<Progress>, StoreError> {
    let rows = sqlx::query(
        "SELECT rule, jurisdiction, MIN(CASE WHEN state <> 'closed' THEN deadline END) AS deadline, \
         SUM(state <> 'closed') AS open_count, SUM(state <> 'closed' AND removal IS NOT NULL) AS planned_count, \
         SUM(state = 'waived') AS waived_count FROM finding GROUP BY rule, jurisdiction ORDER BY rule",
    )
    .fetch_all(pool)
    .await?;
    let days = sqlx::query(
        "SELECT f.rule, COALESCE(v.valid_at, v.recorded_at) / $1 AS day, \
         SUM(v.kind IN ('opened', 'reopened')) AS opened_count, \
         SUM(v.ending IN ('swapped', 'part_gone', 'confirmed')) AS removed_count, \
         SUM(v.kind = 'closed' AND COALESCE(v.ending, '') NOT IN ('swapped', 'part_gone', 'confirmed')) AS other_count \
         FROM finding_event v JOIN finding f ON f.finding_id = v.finding_id \
         WHERE v.kind IN ('opened', 'reopened', 'closed', 'removal_confirmed') GROUP BY f.rule, day ORDER BY f.rule, day",
    )
    .bind(DAY)
    .fetch_all(pool)
    .await?;
    let mut by_rule: HashMap<String, Vec<ProgressDay>> = HashMap::new();
    for d in &days {
        let day = ProgressDay {
            day: Instant(d.try_get::<i64, _>("day")?.saturating_mul(DAY)),
            opened: row::count(d.try_get("opened_count")?),
            removed: row::count(d.try_get::<Option<i64>, _>("removed_count")?.unwrap_or(0)),
            otherwise: row::count(d.try_get("other_count")?),
        };
        by_rule.entry(d.try_get("rule")?).or_default().push(day);
    }
    rows.iter()
        .map(|r| {
            let rule: String = r.try_get("rule")?;
            let days = by_rule.remove(&rule).unwrap_or_default();
            Ok(Progress {
                jurisdiction: r.try_get("jurisdiction")?,
                deadline: r.try_get("deadline")?,
                left: row::count(r.try_get("open_count")?),
                planned: row::count(r.try_get("planned_count")?),
                waived: row::count(r.try_get("waived_count")?),
                removed: days.iter().map(|day| day.removed).sum(),
                otherwise: days.iter().map(|day| day.otherwise).sum(),
                rule,
                days,
            })
        })
        .collect()
}

async fn take(tx: &mut SqliteConnection, doing: &Doing, now: Instant) -> Result<(), StoreError> {
    let why = Why {
        causes: vec![Cause::Person],
        grounds: String::new(),
        valid: now,
    };
    for one in &doing.on {
        let finding = one.stand.finding;
        if !life::stand(tx, &one.stand, Some(&doing.person), now).await? {
            return Err(StoreError::Moved(finding));
        }
        let (element, rule): (String, String) =
            sqlx::query_as("SELECT element_id, rule FROM finding WHERE finding_id = $1")
                .bind(finding.to_string())
                .fetch_one(&mut *tx)
                .await?;
        let event = Event {
            person: Some(&doing.person),
            act: Some(&doing.act),
            ending: one.stand.life.ending,
            ..Event::of(finding, doing.act.kind(), &one.text, &why)
        };
        event.write(tx, now).await?;
        let kind = format!("finding_{}", doing.act.kind());
        let text = format!("{rule}: {}", one.text);
        change(tx, &kind, &element, &text, Cause::Person.as_str(), now).await?;
        // Judged anew, so that its standing and open pages follow.
        conclude::queue(tx, Stage::Evaluate, &element, now).await?;
    }
    let subjects = doing.on.iter().map(|one| one.stand.finding.to_string()).collect();
    let by = Signer {
        person: doing.person.clone(),
        account: doing.account.clone(),
    };
    let action = format!("finding_{}", doing.act.kind());
    audit(tx, &by, &action, subjects, &doing.act, now).await
}

/// Writes into the audit log.
pub async fn audit(
    tx: &mut SqliteConnection,
    by: &Signer,
    action: &str,
    subjects: Vec<String>,
    detail: &impl Serialize,
    now: Instant,
) -> Result<(), StoreError> {
    let note = Note {
        person: by.person.clone(),
        account: by.account.clone(),
        action: action.to_owned(),
        subjects,
        detail: row::json(detail, "audit")?,
    };
    log::write(tx, &note, now).await
}
