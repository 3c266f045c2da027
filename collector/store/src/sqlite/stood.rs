//! How elements and findings stood at the ends of days, kept beside how they stand.
//!
//! Invariants: written in the transaction that moves what it copies; one row at most is of the end of any day, and of a
//! day that is not over the row is rewritten in place, so that many moves of a day leave one row.

use crate::StoreError;
use crate::view::Stood;
use model::{FindingId, Instant};
use sqlx::SqliteConnection;
use sqlx::sqlite::SqlitePool;
use uuid::Uuid;

type Tx = SqliteConnection;

const DAY: i64 = 86_400_000_000;

/// A table of rows that stood, and where they are copied from.
struct Copied {
    table: &'static str,
    key: &'static str,
    /// What is copied, and whether it being another begins a new row.
    columns: &'static [(&'static str, &'static str, bool)],
    from: &'static str,
    /// The key in `from`.
    of: &'static str,
}

const ELEMENT: Copied = Copied {
    table: "element_stood",
    key: "element_id",
    columns: &[
        ("site", "e.site", true),
        ("name", "e.name", true),
        ("role", "d.role", true),
        ("latest_completeness", "e.latest_completeness", true),
        ("standing", "j.standing", true),
        ("digest", "j.digest", true),
        ("knowledge", "j.knowledge", true),
    ],
    from: "element e \
        LEFT JOIN declaration d ON d.element_id = e.element_id AND d.superseded_at IS NULL \
        LEFT JOIN judgement j ON j.element_id = e.element_id",
    of: "e.element_id",
};

const FINDING: Copied = Copied {
    table: "finding_stood",
    key: "finding_id",
    columns: &[
        ("class", "f.class", true),
        ("severity", "f.severity", true),
        ("severity_rank", "f.severity_rank", true),
        ("state", "f.state", true),
        ("owner", "f.owner", true),
        ("waiver", "f.waiver", true),
        ("asked", "f.asked", true),
        ("removal", "f.removal", true),
        ("ending", "f.ending", true),
        ("due_by", "f.due_by", true),
        ("confidence", "f.confidence", true),
        ("opened_at", "f.opened_at", true),
        ("closed_at", "f.closed_at", true),
        ("revision", "f.revision", false),
        ("digest", "f.digest", true),
        ("knowledge", "f.knowledge", true),
        ("result", "f.result", true),
    ],
    from: "finding f",
    of: "f.finding_id",
};

/// Copies how an element stands from now on, if that is another.
pub async fn element(tx: &mut Tx, element: &str, now: Instant) -> Result<(), StoreError> {
    copy(tx, &ELEMENT, element, now).await
}

/// Copies how a finding stands from now on, if that is another.
pub async fn finding(tx: &mut Tx, finding: FindingId, now: Instant) -> Result<(), StoreError> {
    copy(tx, &FINDING, &finding.to_string(), now).await
}

async fn copy(tx: &mut Tx, what: &Copied, key: &str, now: Instant) -> Result<(), StoreError> {
    let today = now.0 - now.0.rem_euclid(DAY);
    let Copied { table, from, of, .. } = what;
    let own = what.key;
    let same: Vec<_> = what
        .columns
        .iter()
        .filter(|(_, _, tells)| *tells)
        .map(|(column, copied, _)| format!("s.{column} IS NOT DISTINCT FROM {copied}"))
        .collect();
    let same = same.join(" AND ");
    // What stood before today stands no more at the end of it.
    let close = format!(
        "UPDATE {table} AS s SET stood_until = $2 WHERE s.{own} = $1 AND s.stood_until = $3 AND s.stood_from < $2 \
         AND EXISTS (SELECT 1 FROM {from} WHERE {of} = $1 AND NOT ({same}))"
    );
    sqlx::query(sqlx::AssertSqlSafe(close))
        .bind(key)
        .bind(today)
        .bind(i64::MAX)
        .execute(&mut *tx)
        .await?;
    let names: Vec<_> = what.columns.iter().map(|(column, ..)| *column).collect();
    let copied: Vec<_> = what.columns.iter().map(|(_, copied, _)| *copied).collect();
    let anew: Vec<_> = names
        .iter()
        .map(|column| format!("{column} = excluded.{column}"))
        .collect();
    // A clock that was set back writes the newest row anew, and no second one beside it.
    let write = format!(
        "INSERT INTO {table} (stood_id, {own}, stood_from, stood_until, {}) \
         SELECT $4, {of}, COALESCE((SELECT MAX(n.stood_from) FROM {table} n WHERE n.{own} = $1 \
         AND n.stood_from > $2), $2), $3, {} \
         FROM {from} WHERE {of} = $1 AND NOT EXISTS (SELECT 1 FROM {table} s WHERE s.{own} = $1 AND s.stood_until = $3 \
         AND {same}) ON CONFLICT ({own}, stood_from) DO UPDATE SET stood_until = $3, {}",
        names.join(", "),
        copied.join(", "),
        anew.join(", "),
    );
    sqlx::query(sqlx::AssertSqlSafe(write))
        .bind(key)
        .bind(today)
        .bind(i64::MAX)
        .bind(Uuid::now_v7().to_string())
        .execute(&mut *tx)
        .await?;
    Ok(())
}

/// See [`crate::Store::stood`].
pub async fn grounds(pool: &SqlitePool, then: Instant) -> Result<Stood, StoreError> {
    let mut tx = pool.begin().await?;
    let since: i64 = sqlx::query_scalar("SELECT at FROM stood_since")
        .fetch_one(&mut *tx)
        .await?;
    let mut version = async |stage: &'static str| -> Result<Option<String>, StoreError> {
        let found = sqlx::query_scalar(
            "SELECT version FROM stage_adoption WHERE stage = $1 AND recorded_at <= $2 \
             ORDER BY recorded_at DESC LIMIT 1",
        )
        .bind(stage)
        .bind(then.0)
        .fetch_optional(&mut *tx)
        .await?;
        Ok(found)
    };
    let (knowledge, judged_by) = (version("identify").await?, version("evaluate").await?);
    tx.rollback().await?;
    Ok(Stood {
        since: Instant(since),
        knowledge,
        judged_by,
    })
}

#[cfg(test)]
impl super::SqliteStore {
    /// From when until when a finding stood so, and who had it.
    pub(crate) async fn stood_history(
        &self,
        finding: FindingId,
    ) -> Result<Vec<(i64, i64, Option<String>)>, StoreError> {
        let query = "SELECT stood_from, stood_until, owner FROM finding_stood WHERE finding_id = $1 ORDER BY stood_from";
        let rows = sqlx::query_as(query).bind(finding.to_string());
        Ok(rows.fetch_all(&self.readers).await?)
    }
}
