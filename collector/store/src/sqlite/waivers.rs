//! Waivers in rows: each from when it was asked for until it was over, and why.
//!
//! Invariant: a row moves only in the transaction that moves its finding, and
//! says what the finding's columns say; one that is over never moves again.

use super::findings::{any_of, page_size};
use super::row;
use crate::StoreError;
use crate::acts::{WaiverFilter, WaiverRow};
use crate::clause::Measure;
use crate::view::Page;
use model::{FindingId, FindingState, Instant, Life, Waiver, WaiverState};
use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{QueryBuilder, Row as _, Sqlite, SqliteConnection};
use uuid::Uuid;

/// Writes down what became of a finding's waivers when its life moved; `person` is nobody where time or evidence did it.
pub async fn follow(
    tx: &mut SqliteConnection,
    finding: FindingId,
    (held, asked): (Option<&Waiver>, Option<&Waiver>),
    life: &Life,
    person: Option<&str>,
    now: Instant,
) -> Result<(), StoreError> {
    let closed = life.state == FindingState::Closed;
    let new = life.waiver.as_ref().filter(|waiver| Some(*waiver) != held);
    let approved = new.filter(|_| asked.is_some() && life.asked.is_none());
    if held.is_some() && held != life.waiver.as_ref() {
        let over = match (closed, new, person) {
            (true, ..) => WaiverState::Closed,
            (_, Some(_), _) => WaiverState::Replaced,
            (_, None, Some(_)) => WaiverState::TakenBack,
            (_, None, None) => WaiverState::Expired,
        };
        end(tx, finding, (WaiverState::InForce, over), person, now).await?;
    }
    if let Some(waiver) = approved {
        sqlx::query(
            "UPDATE waiver SET state = 'in_force', approved_by = $2, approved_at = $3 \
             WHERE finding_id = $1 AND state = 'asked'",
        )
        .bind(finding.to_string())
        .bind(&waiver.approved_by)
        .bind(now.0)
        .execute(&mut *tx)
        .await?;
    } else if let Some(waiver) = new {
        begin(tx, finding, waiver, WaiverState::InForce, now).await?;
    }
    if asked.is_some() && approved.is_none() && asked != life.asked.as_ref() {
        let over = match (closed, &life.asked) {
            (true, _) => WaiverState::Closed,
            (_, Some(_)) => WaiverState::Replaced,
            (_, None) => WaiverState::Refused,
        };
        end(tx, finding, (WaiverState::Asked, over), person, now).await?;
    }
    if let Some(waiver) = life.asked.as_ref().filter(|waiver| Some(*waiver) != asked) {
        begin(tx, finding, waiver, WaiverState::Asked, now).await?;
    }
    Ok(())
}

async fn begin(
    tx: &mut SqliteConnection,
    finding: FindingId,
    waiver: &Waiver,
    state: WaiverState,
    now: Instant,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO waiver (waiver_id, finding_id, state, last_day, reason, class, asked_by, asked_at, approved_by, \
         approved_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(Uuid::now_v7().to_string())
    .bind(finding.to_string())
    .bind(state.as_str())
    .bind(&waiver.until)
    .bind(&waiver.reason)
    .bind(waiver.class.as_str())
    .bind(&waiver.asked_by)
    .bind(now.0)
    .bind(&waiver.approved_by)
    .bind(waiver.approved_by.as_ref().map(|_| now.0))
    .execute(&mut *tx)
    .await?;
    Ok(())
}

async fn end(
    tx: &mut SqliteConnection,
    finding: FindingId,
    (from, over): (WaiverState, WaiverState),
    person: Option<&str>,
    now: Instant,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE waiver SET state = $3, ended_by = $4, ended_at = $5 WHERE finding_id = $1 AND state = $2",
    )
    .bind(finding.to_string())
    .bind(from.as_str())
    .bind(over.as_str())
    .bind(person)
    .bind(now.0)
    .execute(&mut *tx)
    .await?;
    Ok(())
}

fn narrow(query: &mut QueryBuilder<Sqlite>, filter: &WaiverFilter) {
    query.push(
        " FROM waiver w JOIN finding f ON f.finding_id = w.finding_id \
         JOIN element e ON e.element_id = f.element_id WHERE 1 = 1",
    );
    let states: Vec<&str> = filter.states.iter().map(|state| state.as_str()).collect();
    any_of(query, "w.state", &states);
    any_of(query, "f.rule", &filter.rules);
    any_of(query, "e.site", &filter.sites);
    let elements: Vec<String> = filter.elements.iter().map(ToString::to_string).collect();
    any_of(query, "f.element_id", &elements);
    if !filter.people.is_empty() {
        query.push(" AND (1 = 0");
        for person in &filter.people {
            query.push(" OR w.asked_by = ").push_bind(person.clone());
            query.push(" OR w.approved_by = ").push_bind(person.clone());
        }
        query.push(")");
    }
    if let Some(day) = &filter.until {
        query.push(" AND w.last_day <= ").push_bind(day.clone());
    }
    if let Some(day) = &filter.from {
        query.push(" AND w.last_day >= ").push_bind(day.clone());
    }
}

/// See [`crate::Acts::waivers`]. The page key is `day.waiver`.
pub async fn list(pool: &SqlitePool, filter: &WaiverFilter) -> Result<Page<WaiverRow>, StoreError> {
    let size = page_size(filter.limit);
    let mut count = QueryBuilder::<Sqlite>::new("SELECT COUNT(*)");
    narrow(&mut count, filter);
    let total: i64 = count
        .build_query_scalar()
        .persistent(false)
        .fetch_one(pool)
        .await?;

    let mut query = QueryBuilder::<Sqlite>::new(
        "SELECT w.*, w.state AS waiver_state, f.state AS finding_state, f.revision, f.result, f.element_id, \
         e.name AS element_name, e.site",
    );
    narrow(&mut query, filter);
    let (beyond, order) = if filter.latest_first {
        (" < ", " DESC")
    } else {
        (" > ", "")
    };
    if let Some((day, waiver)) = filter.after.as_deref().and_then(|key| key.split_once('.')) {
        query
            .push(" AND (w.last_day")
            .push(beyond)
            .push_bind(day.to_owned());
        query
            .push(" OR (w.last_day = ")
            .push_bind(day.to_owned())
            .push(" AND w.waiver_id")
            .push(beyond)
            .push_bind(waiver.to_owned())
            .push("))");
    }
    query
        .push(" ORDER BY w.last_day")
        .push(order)
        .push(", w.waiver_id")
        .push(order)
        .push(" LIMIT ")
        .push_bind(i64::from(size) + 1);
    let mut rows = query.build().persistent(false).fetch_all(pool).await?;
    let more = rows.len() > size as usize;
    rows.truncate(size as usize);
    let next = match rows.last() {
        Some(last) if more => Some(format!(
            "{}.{}",
            last.try_get::<String, _>("last_day")?,
            last.try_get::<String, _>("waiver_id")?
        )),
        _ => None,
    };
    Ok(Page {
        rows: rows.iter().map(read).collect::<Result<_, _>>()?,
        total: row::count(total),
        measure: Measure::Exact,
        next,
    })
}

fn read(r: &SqliteRow) -> Result<WaiverRow, StoreError> {
    Ok(WaiverRow {
        state: row::word(r.try_get("waiver_state")?, "waiver")?,
        waiver: Waiver {
            asked_by: r.try_get("asked_by")?,
            reason: r.try_get("reason")?,
            until: r.try_get("last_day")?,
            class: row::word(r.try_get("class")?, "waiver")?,
            approved_by: r.try_get("approved_by")?,
        },
        asked: Instant(r.try_get("asked_at")?),
        approved: row::instant(r.try_get("approved_at")?),
        ended_by: r.try_get("ended_by")?,
        ended: row::instant(r.try_get("ended_at")?),
        finding: row::word(r.try_get("finding_id")?, "finding")?,
        revision: row::count(r.try_get("revision")?),
        finding_state: row::word(r.try_get("finding_state")?, "finding")?,
        result: row::from_json(r.try_get("result")?, "finding")?,
        element: row::word(r.try_get("element_id")?, "element")?,
        element_name: r.try_get("element_name")?,
        site: row::site(r.try_get("site")?)?,
    })
}
