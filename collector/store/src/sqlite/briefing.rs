//! What waits and what changed, in rows.

use super::findings::{any_of, page_size};
use super::{SqliteStore, row};
use crate::StoreError;
use crate::briefing::{AtHand, Briefing, ChangeFilter, Day, PlacedChange};
use crate::clause::Measure;
use crate::view::{ChangeRow, OPENING, Page};
use model::{ElementId, Instant, SiteName};
use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{QueryBuilder, Row as _, Sqlite};
use std::collections::BTreeSet;
use uuid::Uuid;

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

type Sites<'a> = Option<&'a BTreeSet<SiteName>>;

#[async_trait::async_trait]
impl Briefing for SqliteStore {
    async fn at_hand(&self, person: &str, since: Instant, sites: Sites<'_>) -> Result<AtHand, StoreError> {
        at_hand(&self.readers, person, since, sites).await
    }

    async fn days(&self, from: Instant, sites: Sites<'_>) -> Result<Vec<Day>, StoreError> {
        days(&self.readers, from, sites).await
    }

    async fn changes(&self, filter: &ChangeFilter) -> Result<Page<PlacedChange>, StoreError> {
        changes(&self.readers, filter).await
    }
}

/// Adds `AND` with the sites there may be; those of nobody are none.
pub fn within(query: &mut QueryBuilder<Sqlite>, sites: Sites<'_>) {
    match sites {
        None => {}
        Some(sites) if sites.is_empty() => {
            query.push(" AND 1 = 0");
        }
        Some(sites) => any_of(
            query,
            "e.site",
            &sites.iter().map(SiteName::as_str).collect::<Vec<_>>(),
        ),
    }
}

/// The elements a table points to, where sites are asked for.
fn placed(query: &mut QueryBuilder<Sqlite>, sites: Sites<'_>, table: &str) {
    if sites.is_some() {
        query.push(format!(" JOIN element e ON e.element_id = {table}.element_id"));
    }
}

/// How many rows of a table there are within the sites; `narrow` adds what else must hold.
async fn count(
    pool: &SqlitePool,
    table: &'static str,
    sites: Sites<'_>,
    narrow: impl FnOnce(&mut QueryBuilder<Sqlite>),
) -> Result<u64, StoreError> {
    let mut query = QueryBuilder::<Sqlite>::new("SELECT COUNT(*) FROM ");
    query.push(table).push(" t");
    placed(&mut query, sites, "t");
    query.push(" WHERE 1 = 1");
    narrow(&mut query);
    within(&mut query, sites);
    let count: i64 = query
        .build_query_scalar()
        .persistent(false)
        .fetch_one(pool)
        .await?;
    Ok(row::count(count))
}

async fn at_hand(
    pool: &SqlitePool,
    person: &str,
    since: Instant,
    sites: Sites<'_>,
) -> Result<AtHand, StoreError> {
    let changed = |kinds: &'static [&'static str]| {
        count(pool, "change", sites, move |query| {
            any_of(query, "t.kind", kinds);
            query.push(" AND t.recorded_at >= ").push_bind(since.0);
        })
    };
    Ok(AtHand {
        overdue: count(pool, "finding", sites, |query| {
            query.push(
                " AND t.class IN ('violation', 'overdue') AND t.state IN ('open', 'acknowledged', 'assigned')",
            );
        })
        .await?,
        asked: count(pool, "finding", sites, |query| {
            query.push(" AND t.asked IS NOT NULL AND t.state <> 'closed'");
        })
        .await?,
        mine: count(pool, "finding", sites, |query| {
            query.push(" AND t.owner = ").push_bind(person.to_owned());
            query.push(" AND t.state IN ('open', 'acknowledged', 'assigned')");
        })
        .await?,
        opened: changed(&OPENING).await?,
        swaps: changed(&["swap"]).await?,
    })
}

async fn days(pool: &SqlitePool, from: Instant, sites: Sites<'_>) -> Result<Vec<Day>, StoreError> {
    let mut query = QueryBuilder::<Sqlite>::new("SELECT v.recorded_at / ");
    query.push_bind(DAY).push(
        " AS day, SUM(v.kind <> 'closed') AS opened_count, \
         SUM(v.kind <> 'closed' AND f.severity IN ('critical', 'major')) AS urgent_count, \
         SUM(v.kind = 'closed') AS closed_count FROM finding_event v \
         JOIN finding f ON f.finding_id = v.finding_id",
    );
    placed(&mut query, sites, "f");
    query
        .push(" WHERE v.kind IN ('opened', 'reopened', 'closed') AND v.recorded_at >= ")
        .push_bind(from.0);
    within(&mut query, sites);
    query.push(" GROUP BY day ORDER BY day");
    let rows = query.build().persistent(false).fetch_all(pool).await?;
    rows.iter()
        .map(|r| {
            Ok(Day {
                day: Instant(r.try_get::<i64, _>("day")?.saturating_mul(DAY)),
                opened: row::count(r.try_get("opened_count")?),
                urgent: row::count(r.try_get("urgent_count")?),
                closed: row::count(r.try_get("closed_count")?),
            })
        })
        .collect()
}

fn narrow(query: &mut QueryBuilder<Sqlite>, filter: &ChangeFilter) {
    query.push(" WHERE c.recorded_at >= ").push_bind(filter.since.0);
    if let Some(until) = filter.until {
        query.push(" AND c.recorded_at < ").push_bind(until.0);
    }
    any_of(query, "c.kind", &filter.kinds);
    any_of(query, "c.cause", &filter.causes);
    within(query, filter.sites.as_ref());
}

/// See [`Briefing::changes`]. The page key is `time.change`.
async fn changes(pool: &SqlitePool, filter: &ChangeFilter) -> Result<Page<PlacedChange>, StoreError> {
    let size = page_size(filter.limit);
    let mut count = QueryBuilder::<Sqlite>::new("SELECT COUNT(*) FROM change c");
    placed(&mut count, filter.sites.as_ref(), "c");
    narrow(&mut count, filter);
    let total: i64 = count
        .build_query_scalar()
        .persistent(false)
        .fetch_one(pool)
        .await?;
    let mut query = QueryBuilder::<Sqlite>::new(
        "SELECT c.*, e.name, e.site FROM change c JOIN element e ON e.element_id = c.element_id",
    );
    narrow(&mut query, filter);
    let after = filter.after.as_deref().and_then(|key| key.split_once('.'));
    if let Some((at, change)) =
        after.and_then(|(at, change)| Some((at.parse::<i64>().ok()?, change.parse::<Uuid>().ok()?)))
    {
        query
            .push(" AND (c.recorded_at, c.change_id) < (")
            .push_bind(at)
            .push(", ")
            .push_bind(change.to_string())
            .push(")");
    }
    query
        .push(" ORDER BY c.recorded_at DESC, c.change_id DESC LIMIT ")
        .push_bind(i64::from(size) + 1);
    let mut rows = query.build().persistent(false).fetch_all(pool).await?;
    let more = rows.len() > size as usize;
    rows.truncate(size as usize);
    let next = match rows.last() {
        Some(last) if more => Some(format!(
            "{}.{}",
            last.try_get::<i64, _>("recorded_at")?,
            last.try_get::<String, _>("change_id")?
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

fn read(r: &SqliteRow) -> Result<PlacedChange, StoreError> {
    Ok(PlacedChange {
        change: ChangeRow {
            at: Instant(r.try_get("recorded_at")?),
            kind: r.try_get("kind")?,
            element: row::word::<ElementId>(r.try_get("element_id")?, "element")?,
            element_name: r.try_get("name")?,
            text: r.try_get("text")?,
            cause: r.try_get("cause")?,
        },
        site: row::site(r.try_get("site")?)?,
    })
}
