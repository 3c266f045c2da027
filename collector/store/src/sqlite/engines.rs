//! Engines in rows: what addresses told, kept as it came.

use super::row;
use crate::StoreError;
use crate::engines::{
    EngineElement, EngineFilter, EngineRow, EnginesPage, KnownEngines, ToldEngine, ToldEngines,
};
use model::{AgentId, Instant, SiteName};
use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{QueryBuilder, Row as _, Sqlite, SqliteConnection};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Addresses kept of an agent, whatever it tells: those that changed last.
const MAX_OF_AGENT: i64 = 50_000;
/// Engine IDs of a page unless it says so.
const PAGE: u32 = 100;
/// Addresses of an ID: one that more tell is shown with those that told last.
const MAX_OF_ID: i64 = 1_000;
/// Addresses of a page, which ends before an ID that does not fit whole.
const MAX_ROWS: i64 = 10_000;
/// Elements of a page.
const MAX_ELEMENTS: i64 = 5_000;

/// See [`crate::Store::known_engines`].
pub async fn known(pool: &SqlitePool, agent: AgentId) -> Result<KnownEngines, StoreError> {
    let known = sqlx::query("SELECT generation, revision FROM agent_engines WHERE agent_id = $1")
        .bind(agent.to_string())
        .fetch_optional(pool)
        .await?;
    known.map_or(Ok(KnownEngines::default()), |r| {
        Ok(KnownEngines {
            generation: row::count(r.try_get("generation")?),
            revision: row::count(r.try_get("revision")?),
        })
    })
}

/// See [`crate::Store::note_engines`].
pub async fn note(
    tx: &mut SqliteConnection,
    agent: AgentId,
    told: &ToldEngines,
    now: Instant,
) -> Result<(), StoreError> {
    let id = agent.to_string();
    let generation = row::signed(told.generation)?;
    sqlx::query(
        "DELETE FROM engine WHERE agent_id = $1 \
         AND NOT EXISTS (SELECT 1 FROM agent_engines WHERE agent_id = $1 AND generation = $2)",
    )
    .bind(&id)
    .bind(generation)
    .execute(&mut *tx)
    .await?;
    for one in &told.engines {
        sqlx::query(
            "INSERT INTO engine (agent_id, address, port, site, place, engine_id, octets, boots, engine_time, \
             seen_at, revision, recorded_at) \
             SELECT $1, $2, $3, site, $4, $5, $6, $7, $8, $9, $10, $11 FROM agent WHERE agent_id = $1 \
             ON CONFLICT (agent_id, address, port) DO UPDATE SET site = excluded.site, \
             engine_id = excluded.engine_id, octets = excluded.octets, boots = excluded.boots, \
             engine_time = excluded.engine_time, seen_at = excluded.seen_at, revision = excluded.revision, \
             recorded_at = excluded.recorded_at",
        )
        .bind(&id)
        .bind(one.address.to_string())
        .bind(i64::from(one.port))
        .bind(place(one.address))
        .bind(hex::encode(&one.id))
        .bind(i64::from(one.octets))
        .bind(i64::from(one.boots))
        .bind(i64::from(one.time))
        .bind(one.seen.0)
        .bind(row::signed(one.revision)?)
        .bind(now.0)
        .execute(&mut *tx)
        .await?;
    }
    sqlx::query(
        "DELETE FROM engine WHERE agent_id = $1 AND revision <= (SELECT revision FROM engine \
         WHERE agent_id = $1 ORDER BY revision DESC LIMIT 1 OFFSET $2)",
    )
    .bind(&id)
    .bind(MAX_OF_AGENT)
    .execute(&mut *tx)
    .await?;
    let last = told.engines.last().map_or(0, |one| one.revision);
    sqlx::query(
        "INSERT INTO agent_engines (agent_id, generation, revision, recorded_at) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (agent_id) DO UPDATE SET generation = excluded.generation, \
         revision = excluded.revision, recorded_at = excluded.recorded_at",
    )
    .bind(&id)
    .bind(generation)
    .bind(row::signed(last)?)
    .bind(now.0)
    .execute(&mut *tx)
    .await?;
    Ok(())
}

/// Agents that were shut out say nothing any more.
const HEARD: &str =
    " FROM engine g WHERE NOT EXISTS (SELECT 1 FROM agent_revocation r WHERE r.agent_id = g.agent_id)";
/// Who has answered rounds there.
const POLLED: &str = "EXISTS (SELECT 1 FROM element k WHERE k.site = g.site AND k.address = g.address \
     AND k.port = g.port AND k.last_answer_at IS NOT NULL)";

/// See [`crate::Store::engines`].
pub async fn page(pool: &SqlitePool, filter: &EngineFilter) -> Result<EnginesPage, StoreError> {
    let mut tx = pool.begin().await?;
    let limit = if filter.limit == 0 { PAGE } else { filter.limit };
    let mut select = QueryBuilder::<Sqlite>::new("SELECT COUNT(*) FROM (SELECT DISTINCT g.site, g.engine_id");
    narrow(&mut select, filter);
    let total: i64 = select
        .push(") AS some")
        .build_query_scalar()
        .fetch_one(&mut *tx)
        .await?;

    let mut select = QueryBuilder::<Sqlite>::new("SELECT DISTINCT g.site, g.engine_id");
    narrow(&mut select, filter);
    if let Some((site, id)) = filter.after.as_deref().and_then(|key| key.split_once(':')) {
        select.push(" AND (g.site, g.engine_id) > (").push_bind(site);
        select.push(", ").push_bind(id).push(")");
    }
    select.push(" ORDER BY g.site, g.engine_id LIMIT ");
    select.push_bind(i64::from(limit) + 1);
    let mut keys: Vec<(String, String)> = select.build_query_as().fetch_all(&mut *tx).await?;
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = keys.len() > wanted;
    keys.truncate(wanted);
    if keys.is_empty() {
        return Ok(EnginesPage {
            total: row::count(total),
            ..EnginesPage::default()
        });
    }
    let mut select = QueryBuilder::<Sqlite>::new("SELECT * FROM (SELECT g.*, e.element_id, e.name, ");
    select.push(POLLED).push(
        " AS polled, ROW_NUMBER() OVER (PARTITION BY g.site, g.engine_id \
         ORDER BY g.seen_at DESC, g.place, g.port, g.agent_id) AS nth",
    );
    // Of several contexts at an address, the one that was known first.
    select.push(
        " FROM engine g LEFT JOIN element e ON e.element_id = (SELECT MIN(k.element_id) FROM element k \
         WHERE k.site = g.site AND k.address = g.address AND k.port = g.port) \
         WHERE NOT EXISTS (SELECT 1 FROM agent_revocation r WHERE r.agent_id = g.agent_id) \
         AND (g.site, g.engine_id) IN (",
    );
    pairs(&mut select, &keys, "");
    select.push(")) WHERE nth <= ").push_bind(MAX_OF_ID);
    select.push(" ORDER BY site, engine_id, seen_at, place, port LIMIT ");
    select.push_bind(MAX_ROWS + 1);
    let rows = select.build().fetch_all(&mut *tx).await?;
    let mut rows = rows.iter().map(keyed).collect::<Result<Vec<_>, StoreError>>()?;
    let mut more = more;
    if let Some((torn, _)) = usize::try_from(MAX_ROWS)
        .ok()
        .and_then(|most| rows.get(most))
        .cloned()
    {
        rows.retain(|(key, _)| *key != torn);
        keys.retain(|key| *key < torn);
        more = true;
    }
    let next = keys
        .last()
        .filter(|_| more)
        .map(|(site, id)| format!("{site}:{id}"));

    let mut select = QueryBuilder::<Sqlite>::new(
        "SELECT DISTINCT e.site, k.key, e.element_id, e.name, e.address FROM unit_key k \
         JOIN tenure t ON t.element_id = k.element_id AND t.slot = k.slot AND t.valid_until IS NULL \
         JOIN element e ON e.element_id = k.element_id WHERE (e.site, k.key) IN (",
    );
    pairs(&mut select, &keys, "engine ");
    select.push(") ORDER BY e.site, k.key, e.name, e.element_id LIMIT ");
    select.push_bind(MAX_ELEMENTS);
    let elements = select.build().fetch_all(&mut *tx).await?;
    Ok(EnginesPage {
        rows: rows.into_iter().map(|(_, row)| row).collect(),
        elements: elements.iter().map(element).collect::<Result<_, _>>()?,
        total: row::count(total),
        next,
    })
}

/// What follows the columns: from where, and which.
fn narrow(select: &mut QueryBuilder<Sqlite>, filter: &EngineFilter) {
    select.push(HEARD);
    if let Some(sites) = &filter.sites {
        within_sites(select, "g.site", sites);
    }
    if let Some((first, last, port)) = filter.within {
        select.push(" AND g.port = ").push_bind(i64::from(port));
        select.push(" AND g.place >= ").push_bind(place(first));
        select.push(" AND g.place <= ").push_bind(place(last));
    }
    if filter.dark {
        select.push(" AND NOT ").push(POLLED);
    }
}

/// Only rows of these sites, none of them for none.
pub(super) fn within_sites(
    select: &mut QueryBuilder<Sqlite>,
    column: &'static str,
    sites: &BTreeSet<SiteName>,
) {
    if sites.is_empty() {
        select.push(" AND 1 = 0");
        return;
    }
    select.push(" AND ").push(column).push(" IN (");
    let mut list = select.separated(", ");
    for site in sites {
        list.push_bind(site.as_str().to_owned());
    }
    select.push(")");
}

/// Pairs of site and engine ID as a list of rows.
fn pairs(select: &mut QueryBuilder<Sqlite>, keys: &[(String, String)], before: &str) {
    select.push_values(keys, |mut values, (site, id)| {
        values.push_bind(site.clone()).push_bind(format!("{before}{id}"));
    });
}

/// 16 octets; an IPv4 address as one of IPv6 (RFC 4291, 2.5.5.2).
fn place(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

fn octets(text: &str) -> Result<Vec<u8>, StoreError> {
    hex::decode(text).map_err(|_| StoreError::Damaged("engine"))
}

fn number<T: TryFrom<i64>>(r: &SqliteRow, column: &str) -> Result<T, StoreError> {
    T::try_from(r.try_get::<i64, _>(column)?).map_err(|_| StoreError::Damaged("engine"))
}

/// A row beside the key it is paged by.
fn keyed(r: &SqliteRow) -> Result<((String, String), EngineRow), StoreError> {
    Ok(((r.try_get("site")?, r.try_get("engine_id")?), heard(r)?))
}

fn heard(r: &SqliteRow) -> Result<EngineRow, StoreError> {
    let element: Option<&str> = r.try_get("element_id")?;
    let name: Option<String> = r.try_get("name")?;
    Ok(EngineRow {
        site: row::site(r.try_get("site")?)?,
        agent: row::word(r.try_get("agent_id")?, "agent")?,
        engine: ToldEngine {
            address: row::word(r.try_get("address")?, "engine")?,
            port: number(r, "port")?,
            id: octets(r.try_get("engine_id")?)?,
            octets: number(r, "octets")?,
            boots: number(r, "boots")?,
            time: number(r, "engine_time")?,
            seen: Instant(r.try_get("seen_at")?),
            revision: row::count(r.try_get("revision")?),
        },
        element: match element {
            Some(element) => Some((row::word(element, "element")?, name.unwrap_or_default())),
            None => None,
        },
        polled: r.try_get("polled")?,
    })
}

fn element(r: &SqliteRow) -> Result<EngineElement, StoreError> {
    let key: &str = r.try_get("key")?;
    Ok(EngineElement {
        site: row::site(r.try_get("site")?)?,
        id: octets(key.strip_prefix("engine ").unwrap_or_default())?,
        element: row::word(r.try_get("element_id")?, "element")?,
        name: r.try_get("name")?,
        address: r.try_get("address")?,
    })
}
