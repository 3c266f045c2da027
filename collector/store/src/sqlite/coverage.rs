//! Coverage in rows: what agents told, how far elements are, what neighbours said.

use super::engines::within_sites;
use super::{conclude, row};
use crate::StoreError;
use crate::accounts::Sites;
use crate::coverage::{CoverageView, NeighbourRow, PlaceRow, RangeRow, ToldCoverage, ToldRange};
use crate::record::IdentifiedEvidence;
use model::{AgentId, Instant};
use sqlx::sqlite::{Sqlite, SqlitePool, SqliteRow};
use sqlx::{QueryBuilder, Row as _, SqliteConnection};
use std::net::IpAddr;

/// States repeat: a low level is enough.
const LEVEL: i32 = 3;
/// A range has no more addresses.
const MAX_STATES: usize = 1 << 16;
/// More of those whom neighbours tell of are not shown.
const MAX_NEIGHBOURS: i64 = 5_000;

/// See [`crate::Store::note_coverage`]. The states come compressed.
pub async fn note(
    tx: &mut SqliteConnection,
    agent: AgentId,
    told: &ToldCoverage,
    states: &[Vec<u8>],
    now: Instant,
) -> Result<(), StoreError> {
    let id = agent.to_string();
    sqlx::query("DELETE FROM coverage WHERE agent_id = $1")
        .bind(&id)
        .execute(&mut *tx)
        .await?;
    for (range, states) in told.ranges.iter().zip(states) {
        sqlx::query(
            "INSERT INTO coverage (agent_id, prefix, port, states, named) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(&id)
        .bind(&range.prefix)
        .bind(i64::from(range.port))
        .bind(states)
        .bind(range.named.as_deref().map(packed))
        .execute(&mut *tx)
        .await?;
    }
    sqlx::query(
        "INSERT INTO agent_coverage (agent_id, plan, revision, said_at, swept_at, recorded_at) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (agent_id) DO UPDATE SET plan = excluded.plan, \
         revision = excluded.revision, said_at = excluded.said_at, swept_at = excluded.swept_at, \
         recorded_at = excluded.recorded_at",
    )
    .bind(&id)
    .bind(row::signed(told.plan)?)
    .bind(row::signed(told.revision)?)
    .bind(told.said.0)
    .bind(told.swept.map(|at| at.0))
    .bind(now.0)
    .execute(&mut *tx)
    .await?;
    Ok(())
}

/// Compresses states before the writer is held.
pub fn compress(told: &ToldCoverage) -> Result<Vec<Vec<u8>>, StoreError> {
    let one = |range: &ToldRange| zstd::bulk::compress(&range.states, LEVEL);
    let all = told.ranges.iter().map(one).collect::<std::io::Result<_>>();
    all.map_err(|e| StoreError::from(sqlx::Error::Io(e)))
}

/// Replaces what one evidence says of neighbours, and by what they may know it.
pub async fn save_neighbours(
    tx: &mut SqliteConnection,
    digest: &str,
    one: &IdentifiedEvidence,
    told_before: bool,
) -> Result<(), StoreError> {
    let replaced = [
        "DELETE FROM neighbour WHERE digest = $1",
        "DELETE FROM own_address WHERE digest = $1",
    ];
    for table in replaced.into_iter().filter(|_| told_before) {
        sqlx::query(table).bind(digest).execute(&mut *tx).await?;
    }
    for (position, found) in (0_i64..).zip(&one.neighbours) {
        let (maker_id, maker_name, maker_confidence) = conclude::parts(found.maker.as_ref());
        sqlx::query(
            "INSERT INTO neighbour (digest, position, protocol, address, mac, name, description, maker_id, maker_name, \
             maker_confidence) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(digest)
        .bind(position)
        .bind(found.protocol)
        .bind(found.address.map(|address| address.to_string()))
        .bind(&found.mac)
        .bind(&found.name)
        .bind(&found.description)
        .bind(maker_id)
        .bind(maker_name)
        .bind(maker_confidence)
        .execute(&mut *tx)
        .await?;
    }
    for mac in &one.own_addresses {
        sqlx::query("INSERT INTO own_address (digest, mac) VALUES ($1, $2)")
            .bind(digest)
            .bind(mac)
            .execute(&mut *tx)
            .await?;
    }
    Ok(())
}

/// What agents told of their ranges.
const RANGES: &str = "SELECT c.*, a.site, g.plan, g.swept_at, g.recorded_at FROM coverage c \
     JOIN agent a ON a.agent_id = c.agent_id JOIN agent_coverage g ON g.agent_id = c.agent_id ";
/// How far elements are.
const PLACES: &str = "SELECT e.site, e.address, e.port, e.last_report_at IS NOT NULL AS asked, \
     e.last_answer_at IS NOT NULL AS answered, i.maker_id IS NOT NULL AS identified, \
     COALESCE(i.maker_confidence, 0.0) AS confidence, \
     COALESCE(j.standing, 'unknown') <> 'unknown' AS judged FROM element e \
     LEFT JOIN judgement j ON j.element_id = e.element_id \
     LEFT JOIN identification i ON i.digest = j.digest AND i.knowledge = j.knowledge ";

/// See [`crate::Field::agent_coverage`].
pub async fn of_agent(pool: &SqlitePool, agent: AgentId) -> Result<CoverageView, StoreError> {
    let mut tx = pool.begin().await?;
    let text = format!("{RANGES}WHERE c.agent_id = $1 ORDER BY a.site, c.prefix, c.port");
    let ranges = sqlx::query(sqlx::AssertSqlSafe(text))
        .bind(agent.to_string())
        .fetch_all(&mut *tx)
        .await?;
    let text = format!("{PLACES}WHERE e.site = (SELECT site FROM agent WHERE agent_id = $1)");
    let places = sqlx::query(sqlx::AssertSqlSafe(text))
        .bind(agent.to_string())
        .fetch_all(&mut *tx)
        .await?;
    Ok(CoverageView {
        ranges: ranges.iter().map(range).collect::<Result<_, _>>()?,
        places: places.iter().map(place).collect::<Result<_, _>>()?,
        neighbours: Vec::new(),
    })
}

/// See [`crate::Store::coverage`].
pub async fn view(pool: &SqlitePool, sites: &Sites) -> Result<CoverageView, StoreError> {
    let mut tx = pool.begin().await?;
    let text = format!(
        "{RANGES}WHERE NOT EXISTS (SELECT 1 FROM agent_revocation r WHERE r.agent_id = c.agent_id) \
         ORDER BY a.site, c.prefix, c.port, c.agent_id"
    );
    let ranges = sqlx::query(sqlx::AssertSqlSafe(text)).fetch_all(&mut *tx).await?;
    let places = sqlx::query(PLACES).fetch_all(&mut *tx).await?;
    let mut select = QueryBuilder::<Sqlite>::new(
        "SELECT e.site, n.address, n.mac, n.protocol, n.name AS told_name, n.description, n.maker_id, n.maker_name, \
         n.maker_confidence, MIN(e.element_id) AS element_id, MIN(e.name) AS name, \
         COUNT(DISTINCT e.element_id) AS elements FROM neighbour n \
         JOIN element e ON e.complete_digest = n.digest OR e.partial_digest = n.digest \
         WHERE NOT EXISTS (SELECT 1 FROM element k WHERE k.site = e.site AND k.address = n.address) \
         AND NOT EXISTS (SELECT 1 FROM own_address o JOIN element k ON k.complete_digest = o.digest \
         OR k.partial_digest = o.digest WHERE o.mac = n.mac)",
    );
    if let Some(sites) = sites {
        within_sites(&mut select, "e.site", sites);
    }
    select.push(
        " GROUP BY e.site, n.address, n.mac, n.protocol, n.name, n.description, n.maker_id, n.maker_name, \
         n.maker_confidence ORDER BY e.site, CASE n.protocol WHEN 'lldp' THEN 1 WHEN 'cdp' THEN 2 WHEN 'arp' THEN 3 \
         ELSE 4 END, n.address, n.mac, n.name LIMIT ",
    );
    select.push_bind(MAX_NEIGHBOURS);
    let neighbours = select.build().fetch_all(&mut *tx).await?;
    Ok(CoverageView {
        ranges: ranges.iter().map(range).collect::<Result<_, _>>()?,
        places: places.iter().map(place).collect::<Result<_, _>>()?,
        neighbours: neighbours.iter().map(neighbour).collect::<Result<_, _>>()?,
    })
}

fn range(r: &SqliteRow) -> Result<RangeRow, StoreError> {
    let states: &[u8] = r.try_get("states")?;
    let named: Option<&[u8]> = r.try_get("named")?;
    let states = zstd::bulk::decompress(states, MAX_STATES).map_err(|_| StoreError::Damaged("coverage"))?;
    Ok(RangeRow {
        agent: row::word(r.try_get("agent_id")?, "agent")?,
        site: row::site(r.try_get("site")?)?,
        plan: row::count(r.try_get("plan")?),
        told: Instant(r.try_get("recorded_at")?),
        swept: row::instant(r.try_get("swept_at")?),
        range: ToldRange {
            prefix: r.try_get("prefix")?,
            port: port(r)?,
            states,
            named: named.map(unpacked).transpose()?,
        },
    })
}

/// 16 octets each; an IPv4 address as one of IPv6 (RFC 4291, 2.5.5.2).
fn packed(addresses: &[IpAddr]) -> Vec<u8> {
    let octets = |address: &IpAddr| match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    };
    addresses.iter().flat_map(octets).collect()
}

fn unpacked(octets: &[u8]) -> Result<Vec<IpAddr>, StoreError> {
    let (addresses, rest) = octets.as_chunks::<16>();
    if !rest.is_empty() {
        return Err(StoreError::Damaged("coverage"));
    }
    let one = |octets: &[u8; 16]| IpAddr::from(*octets).to_canonical();
    Ok(addresses.iter().map(one).collect())
}

fn place(r: &SqliteRow) -> Result<PlaceRow, StoreError> {
    Ok(PlaceRow {
        site: row::site(r.try_get("site")?)?,
        address: r.try_get("address")?,
        port: port(r)?,
        asked: r.try_get("asked")?,
        answered: r.try_get("answered")?,
        identified: r.try_get("identified")?,
        confidence: r.try_get("confidence")?,
        judged: r.try_get("judged")?,
    })
}

fn neighbour(r: &SqliteRow) -> Result<NeighbourRow, StoreError> {
    let address: Option<String> = r.try_get("address")?;
    Ok(NeighbourRow {
        site: row::site(r.try_get("site")?)?,
        address: address
            .as_deref()
            .map(|text| row::word(text, "neighbour"))
            .transpose()?,
        mac: r.try_get("mac")?,
        protocol: r.try_get("protocol")?,
        told_name: r.try_get("told_name")?,
        description: r.try_get("description")?,
        maker: conclude::attribution(r, "maker_id", "maker_name", "maker_confidence")?,
        element: row::word(r.try_get("element_id")?, "element")?,
        name: r.try_get("name")?,
        elements: row::count(r.try_get("elements")?),
    })
}

fn port(r: &SqliteRow) -> Result<u16, StoreError> {
    u16::try_from(r.try_get::<i64, _>("port")?).map_err(|_| StoreError::Damaged("port"))
}
