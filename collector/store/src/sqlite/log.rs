//! The audit log in rows, each holding on to the one before.
//!
//! Invariants: a row is written once; its sum covers all it says and the sum of
//! its predecessor, so that a row changed, taken out or put in later breaks the
//! chain. Rows of before there were sums are sealed, in their order, at the next write.

use super::findings::{any_of, page_size};
use super::row;
use crate::StoreError;
use crate::acts::{AuditFilter, AuditRow, Chain, Note};
use crate::clause::Measure;
use crate::view::Page;
use futures_util::TryStreamExt as _;
use model::Instant;
use sha2::{Digest as _, Sha256};
use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{QueryBuilder, Row as _, Sqlite, SqliteConnection};
use uuid::Uuid;

/// Matching rows counted for a page: the log only grows.
const COUNTED: i64 = 10_000;

/// Writes one row, at the end of the chain.
pub async fn write(tx: &mut SqliteConnection, note: &Note, now: Instant) -> Result<(), StoreError> {
    let key = Uuid::now_v7().to_string();
    sqlx::query(
        "INSERT INTO audit (audit_id, person, account, action, subjects, detail, recorded_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(&key)
    .bind(&note.person)
    .bind(&note.account)
    .bind(&note.action)
    .bind(row::json(&note.subjects, "audit")?)
    .bind(&note.detail)
    .bind(now.0)
    .execute(&mut *tx)
    .await?;
    for subject in &note.subjects {
        sqlx::query("INSERT INTO audit_subject (subject, audit_id) VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .bind(subject)
            .bind(&key)
            .execute(&mut *tx)
            .await?;
    }
    seal(tx).await
}

/// Gives every row that has none its place and its sum.
async fn seal(tx: &mut SqliteConnection) -> Result<(), StoreError> {
    let last: Option<(i64, String)> =
        sqlx::query_as("SELECT place, sum FROM audit WHERE place IS NOT NULL ORDER BY place DESC LIMIT 1")
            .fetch_optional(&mut *tx)
            .await?;
    let (mut place, mut previous) = last.unwrap_or_default();
    let open = sqlx::query("SELECT * FROM audit WHERE place IS NULL ORDER BY audit_id")
        .fetch_all(&mut *tx)
        .await?;
    for r in &open {
        place += 1;
        let sum = sum(r, place, &previous)?;
        sqlx::query("UPDATE audit SET place = $2, previous = $3, sum = $4 WHERE audit_id = $1")
            .bind(r.try_get::<String, _>("audit_id")?)
            .bind(place)
            .bind(&previous)
            .bind(&sum)
            .execute(&mut *tx)
            .await?;
        previous = sum;
    }
    Ok(())
}

/// SHA-256 over place, predecessor and every column, each with its length before it.
fn sum(r: &SqliteRow, place: i64, previous: &str) -> Result<String, StoreError> {
    let mut hash = Sha256::new();
    let mut take = |text: &str| {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    };
    take(&place.to_string());
    take(previous);
    for column in ["audit_id", "person", "account", "action", "subjects", "detail"] {
        take(r.try_get(column)?);
    }
    take(&r.try_get::<i64, _>("recorded_at")?.to_string());
    Ok(hex::encode(hash.finalize()))
}

fn narrow(query: &mut QueryBuilder<Sqlite>, filter: &AuditFilter) {
    query.push(" FROM audit a WHERE 1 = 1");
    any_of(query, "a.person", &filter.people);
    any_of(query, "a.action", &filter.actions);
    if !filter.begins.is_empty() {
        // From the word itself to behind everything that begins with it: an index has them together.
        query.push(" AND a.action >= ").push_bind(filter.begins.clone());
        query
            .push(" AND a.action < ")
            .push_bind(format!("{}{}", filter.begins, char::MAX));
    }
    if !filter.subjects.is_empty() {
        query.push(" AND a.audit_id IN (SELECT s.audit_id FROM audit_subject s WHERE 1 = 1");
        any_of(query, "s.subject", &filter.subjects);
        query.push(")");
    }
    if let Some(from) = filter.from {
        query.push(" AND a.recorded_at >= ").push_bind(from.0);
    }
    if let Some(until) = filter.until {
        query.push(" AND a.recorded_at < ").push_bind(until.0);
    }
}

/// See [`crate::Acts::audit_log`]. The page key is `microseconds.row`.
pub async fn list(pool: &SqlitePool, filter: &AuditFilter) -> Result<Page<AuditRow>, StoreError> {
    let size = page_size(filter.limit);
    let mut count = QueryBuilder::<Sqlite>::new("SELECT COUNT(*) FROM (SELECT 1");
    narrow(&mut count, filter);
    count.push(" LIMIT ").push_bind(COUNTED + 1).push(")");
    let total: i64 = count
        .build_query_scalar()
        .persistent(false)
        .fetch_one(pool)
        .await?;

    let mut query = QueryBuilder::<Sqlite>::new("SELECT a.*");
    narrow(&mut query, filter);
    let after = filter.after.as_deref().and_then(|key| key.split_once('.'));
    if let Some((at, key)) = after.and_then(|(at, key)| Some((at.parse::<i64>().ok()?, key))) {
        query.push(" AND (a.recorded_at, a.audit_id) < (").push_bind(at);
        query.push(", ").push_bind(key.to_owned()).push(")");
    }
    query
        .push(" ORDER BY a.recorded_at DESC, a.audit_id DESC LIMIT ")
        .push_bind(i64::from(size) + 1);
    let mut rows = query.build().persistent(false).fetch_all(pool).await?;
    let more = rows.len() > size as usize;
    rows.truncate(size as usize);
    let next = match rows.last() {
        Some(last) if more => Some(format!(
            "{}.{}",
            last.try_get::<i64, _>("recorded_at")?,
            last.try_get::<String, _>("audit_id")?
        )),
        _ => None,
    };
    Ok(Page {
        rows: rows.iter().map(read).collect::<Result<_, _>>()?,
        total: row::count(total.min(COUNTED)),
        measure: if total > COUNTED {
            Measure::AtLeast
        } else {
            Measure::Exact
        },
        next,
    })
}

fn read(r: &SqliteRow) -> Result<AuditRow, StoreError> {
    let text = |column: &str| {
        r.try_get::<Option<String>, _>(column)
            .map(Option::unwrap_or_default)
    };
    let place: Option<i64> = r.try_get("place")?;
    let (previous, stored) = (text("previous")?, text("sum")?);
    let intact = match place {
        Some(place) => sum(r, place, &previous)? == stored,
        None => true,
    };
    Ok(AuditRow {
        place: place.map(row::count),
        previous,
        sum: stored,
        intact,
        at: Instant(r.try_get("recorded_at")?),
        person: r.try_get("person")?,
        account: r.try_get("account")?,
        action: r.try_get("action")?,
        subjects: row::from_json(r.try_get("subjects")?, "audit")?,
        detail: r.try_get("detail")?,
    })
}

/// See [`crate::Acts::chain`]. One row at a time: the log may be long.
pub async fn chain(pool: &SqlitePool, wanted: Option<&str>) -> Result<Chain, StoreError> {
    let unsealed: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM audit WHERE place IS NULL")
        .fetch_one(pool)
        .await?;
    let mut chain = Chain {
        rows: 0,
        unsealed: row::count(unsealed),
        head: String::new(),
        broken: None,
        met: false,
    };
    let mut place = 0_i64;
    let mut rows = sqlx::query("SELECT * FROM audit WHERE place IS NOT NULL ORDER BY place").fetch(pool);
    while let Some(r) = rows.try_next().await? {
        let (at, previous, stored): (i64, String, String) =
            (r.try_get("place")?, r.try_get("previous")?, r.try_get("sum")?);
        place += 1;
        if at != place || previous != chain.head || sum(&r, place, &previous)? != stored {
            chain.broken = Some(row::count(place));
            break;
        }
        chain.rows += 1;
        chain.met |= wanted.is_some_and(|wanted| wanted.eq_ignore_ascii_case(&stored));
        chain.head = stored;
    }
    Ok(chain)
}
